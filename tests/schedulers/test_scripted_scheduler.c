#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/scripted_scheduler.h"

#include "tests/support/test_support.h"

#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <string.h>

typedef struct Fails {
    int64_t segment;
} Fails;

static void fail_one(void *context, const Decision *decision, Outcome *outcome, double *objectives,
                     double *spreads) {
    const Fails *fails = context;
    (void)objectives;
    (void)spreads;
    if (decision->id == fails->segment) {
        *outcome = OUTCOME_CRASHED;
    }
}

/* drives a case; checkpoints that the script gives up on purpose are not the driver's business */
static void run_case(const ScriptedCase *script, int64_t fails, FakeLog *log, Decision *done) {
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = scripted_setup(script, space);
    Fails                context = {fails};
    const FakeSettings settings = {.slots = 2, .seed = 1, .script = fail_one, .context = &context};
    ScriptedCase       copy = *script;
    copy.never_kept = 0;
    scripted_use(&copy);
    fake_study_run(&scheduler_scripted_ops, &setup, (const double[]){0}, &settings, log, done);
    space_destroy(space);
}

static void every_case_runs_to_its_end(void **state) {
    (void)state;
    for (size_t i = 0; i < scripted_count(); i++) {
        const ScriptedCase *script = scripted_at(i);
        FakeLog             log;
        Decision            done;
        run_case(script, script->fails, &log, &done);
        assert_contains(done.reason, "the script has");
        assert_int_equal(done.failed, strcmp(script->name, "failure") == 0);
        fake_log_free(&log);
    }
}

static void a_failed_member_is_replaced_and_a_finished_one_goes_on(void **state) {
    (void)state;
    for (int64_t fails = 0; fails <= 2; fails += 2) {
        FakeLog  log;
        Decision done;
        run_case(scripted_case("barrier-failure"), fails, &log, &done);
        const FakeEvent *second = fake_log_decided(&log, 5);
        assert_string_equal(second->decision.reason, (fails == 0) ? "continue" : "replace");
        assert_int_equal(second->decision.parent, (fails == 0) ? 2 : 1);
        assert_null(fake_log_decided(&log, 7));
        fake_log_free(&log);
    }
}

static void a_changed_memo_is_refused(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const ScriptedCase  *script = scripted_case("memo");
    const SchedulerSetup setup = scripted_setup(script, space);
    Scheduler           *scheduler = NULL;
    Decision             decision;
    scripted_use(script);
    assert_ok(scheduler_create(&scheduler_scripted_ops, &setup, (const double[]){0}, &scheduler));
    assert_ok(scheduler_decide(scheduler, &decision));
    assert_int_equal(decision.memo_size, SCHEDULER_MEMO_BYTES);
    ((unsigned char *)decision.memo)[SCHEDULER_MEMO_BYTES - 1] ^= 1;
    const Event event = {.kind = EVENT_DECIDED, .decision = &decision};
    assert_fails(scheduler_observe(scheduler, &event), STATUS_ERR_CORRUPT, "memo");
    ((unsigned char *)decision.memo)[SCHEDULER_MEMO_BYTES - 1] ^= 1;
    assert_ok(scheduler_observe(scheduler, &event));
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void it_can_be_found_by_name_once_registered(void **state) {
    (void)state;
    const SchedulerOps *ops = NULL;
    const size_t        count = scheduler_count();
    assert_int_equal(scheduler_find("scripted", &ops), STATUS_ERR_UNKNOWN_NAME);
    assert_ok(scheduler_register_for_tests(&scheduler_scripted_ops));
    assert_ok(scheduler_find("scripted", &ops));
    assert_ptr_equal(ops, &scheduler_scripted_ops);
    assert_int_equal(scheduler_count(), count);
    assert_fails(scheduler_register_for_tests(&scheduler_scripted_ops), STATUS_ERR_ARG, "already");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_runs_to_its_end),
        cmocka_unit_test(a_failed_member_is_replaced_and_a_finished_one_goes_on),
        cmocka_unit_test(a_changed_memo_is_refused),
        cmocka_unit_test(it_can_be_found_by_name_once_registered),
    };
    return cmocka_run_group_tests_name("schedulers/scripted", tests, NULL, NULL);
}
