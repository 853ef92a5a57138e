/* What chains tell samplers and budgets, seen by a sampler and a budget that write it down. Rungs
 * are 2, 4 and 8 units, segments are 2. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "schedulers/chains.h"
#include "schedulers/scheduler_internal.h"

#include "core/buffer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { TEXT_BYTES = 8192, MOST = 16 };

/* what was called, in order: "begin", "tell", "forget", "propose" with level and configuration; and
 * what the budget answers */
static Buffer  calls;
static size_t  levels; /* samplers made */
static Verdict verdicts[MOST][2];
static size_t  first_rungs[MOST];
static int64_t promotable; /* configuration; -1: none */

/* ---- the sampler --------------------------------------------------------------------------- */

typedef struct Recorder {
    const SchedulerSetup *setup;
    size_t                level;
} Recorder;

static Status recorder_create(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    Recorder *recorder = calloc(1, sizeof *recorder);
    assert_non_null(recorder);
    recorder->setup = setup;
    recorder->level = levels++;
    *self = recorder;
    return STATUS_OK;
}

static Status recorder_propose(const void *self, int64_t configuration, int64_t target,
                               Proposal *proposal) {
    const Recorder *recorder = self;
    Rng             rng = scheduler_rng(recorder->setup, configuration, LANE_SAMPLE);
    buffer_printf(&calls, "propose%zu %" PRId64 " to %" PRId64 "; ", recorder->level, configuration,
                  target);
    proposal->kind = PROPOSAL_POINT;
    *(char *)proposal->memo = 'm';
    proposal->memo_size = 1;
    return space_sample(recorder->setup->space, &rng, proposal->point);
}

static Status recorder_begin(void *self, int64_t configuration, const double *point,
                             const void *memo, size_t memo_size) {
    assert_non_null(point);
    assert_true(memo_size == 0 || (memo_size == 1 && *(const char *)memo == 'm'));
    buffer_printf(&calls, "begin%zu %" PRId64 "%s; ", ((Recorder *)self)->level, configuration,
                  memo_size == 0 ? "" : " own");
    return STATUS_OK;
}

static void recorder_tell(void *self, int64_t configuration, const SamplerResult *result) {
    buffer_printf(&calls, "tell%zu %" PRId64 " at %" PRId64 " ", ((Recorder *)self)->level,
                  configuration, result->depth);
    if (result->failed) {
        assert_true(isnan(result->losses[0]));
        assert_true(isinf(result->violation));
        buffer_printf(&calls, "failed; ");
    } else {
        buffer_printf(&calls, "loss %g violation %g; ", result->losses[0], result->violation);
    }
}

static void recorder_forget(void *self, int64_t configuration) {
    buffer_printf(&calls, "forget%zu %" PRId64 "; ", ((Recorder *)self)->level, configuration);
}

static const SamplerOps recorder_ops = {
    .name = "recorder",
    .source = "this test",
    .create = recorder_create,
    .propose = recorder_propose,
    .begin = recorder_begin,
    .tell = recorder_tell,
    .forget = recorder_forget,
    .destroy = free,
};

/* ---- the budget ---------------------------------------------------------------------------- */

static Status script_create(const SchedulerSetup *setup, const double *options, void **self) {
    (void)setup;
    (void)options;
    *self = NULL;
    return STATUS_OK;
}

static size_t script_rungs(const void *self, int64_t *depths, size_t most) {
    (void)self;
    for (size_t i = 0; i < 3 && i < most; i++) {
        depths[i] = (int64_t)2 << i;
    }
    return 3;
}

static size_t script_first_rung(const void *self, int64_t configuration) {
    (void)self;
    return first_rungs[configuration];
}

static Status script_reached(void *self, int64_t configuration, size_t rung,
                             const BudgetResult *result, Verdict *verdict) {
    (void)self;
    assert_int_equal(isinf(result->loss) != 0, isinf(result->violation) != 0);
    *verdict = verdicts[configuration][rung];
    return STATUS_OK;
}

static int64_t script_promote(const void *self, bool last) {
    (void)self;
    (void)last;
    return promotable;
}

static void script_promoted(void *self, int64_t configuration) {
    (void)self;
    assert_int_equal(configuration, promotable);
    promotable = -1;
}

static void script_destroy(void *self) {
    (void)self;
}

static const BudgetOps script_ops = {
    .name = "script",
    .create = script_create,
    .rungs = script_rungs,
    .first_rung = script_first_rung,
    .reached = script_reached,
    .promote = script_promote,
    .promoted = script_promoted,
    .destroy = script_destroy,
};

/* ---- the schedulers ------------------------------------------------------------------------ */

static Status create_learning(const SchedulerSetup *setup, LearnFrom learn_from, void **self) {
    const ChainsParts parts = {
        .sampler = &recorder_ops, .budget = &script_ops, .learn_from = learn_from};
    return chains_create(setup, &parts, self);
}

static Status create_highest(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    return create_learning(setup, LEARN_FROM_HIGHEST, self);
}

static Status create_full(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    return create_learning(setup, LEARN_FROM_FULL, self);
}

static Status create_last(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    return create_learning(setup, LEARN_FROM_LAST, self);
}

static const OptionSpec no_options[] = {{.name = NULL}};

#define LEARNING(text, function)                                                      \
    {                                                                                 \
        .name = (text), .source = "this test", .help = "", .options = no_options,     \
        .branches = true, .stops_early = true, .create = (function), CHAINS_SCHEDULER \
    }
static const SchedulerOps highest_ops = LEARNING("test-highest", create_highest);
static const SchedulerOps full_ops = LEARNING("test-full", create_full);
static const SchedulerOps last_ops = LEARNING("test-last", create_last);

typedef struct Run {
    Space         *space;
    SchedulerSetup setup;
    Scheduler     *scheduler;
} Run;

static Run begin(const char *name, int64_t repeats) {
    Run run = {.space = fake_space(FAKE_SPACE_ONE_FLOAT)};
    run.setup = fake_setup(run.space);
    run.setup.per_trial = 8;
    run.setup.segment = 2;
    run.setup.total = 1000;
    run.setup.repeats = repeats;
    run.setup.baseline = false;
    run.setup.constraint_count = 1;
    run.setup.constraint_upper[0] = 10.0;
    levels = 0;
    promotable = -1;
    for (size_t i = 0; i < MOST; i++) {
        verdicts[i][0] = VERDICT_PAUSE;
        verdicts[i][1] = VERDICT_STOP;
        first_rungs[i] = 0;
    }
    buffer_init(&calls, TEXT_BYTES);
    run.scheduler = hand_create(name, &run.setup, NULL);
    return run;
}

static void end(Run *run) {
    scheduler_destroy(run->scheduler);
    space_destroy(run->space);
    buffer_reset(&calls);
}

/* what was called since the last time */
static void assert_calls(const char *expected) {
    assert_string_equal(buffer_text(&calls), expected);
    buffer_clear(&calls);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void highest_has_a_sampler_per_rung(void **state) {
    (void)state;
    Run run = begin("test-highest", 1);
    hand_run(run.scheduler, 0, 0, "initial"); /* 1 */
    assert_calls("propose0 0 to 2; begin0 0 own; begin1 0; begin2 0; ");
    hand_finish(run.scheduler, 1, 5.0); /* pauses at 2: the deeper ones hear no more of it */
    assert_calls("tell0 0 at 2 loss -5 violation 0; forget1 0; forget2 0; ");
    promotable = 0;
    hand_run(run.scheduler, 0, 1, "promote"); /* 2 */
    assert_calls("begin1 0; begin2 0; ");
    hand_finish(run.scheduler, 2, 6.0); /* stops at 4 */
    assert_calls("tell1 0 at 4 loss -6 violation 0; forget2 0; ");
    verdicts[1][0] = VERDICT_GO;
    verdicts[1][1] = VERDICT_GO;
    hand_run(run.scheduler, 1, 0, "initial"); /* 3 */
    assert_calls("propose0 1 to 2; begin0 1 own; begin1 1; begin2 1; ");
    hand_finish(run.scheduler, 3, 1.0);
    hand_run(run.scheduler, 1, 3, "continue"); /* 4 */
    hand_finish(run.scheduler, 4, 2.0);
    assert_calls("tell0 1 at 2 loss -1 violation 0; tell1 1 at 4 loss -2 violation 0; ");
    /* the rung at 4 has two results, more than the one hyperparameter */
    hand_run(run.scheduler, 1, 4, "continue"); /* 5 */
    hand_finish(run.scheduler, 5, 2.5);
    assert_calls(""); /* 6 is no rung */
    hand_run(run.scheduler, 1, 5, "continue");
    end(&run);
}

static void the_deepest_rung_with_enough_results_is_asked(void **state) {
    (void)state;
    Run run = begin("test-highest", 1);
    for (int64_t i = 0; i < 2; i++) {
        verdicts[i][0] = VERDICT_GO;
        hand_run(run.scheduler, i, 0, "initial");
        hand_finish(run.scheduler, 2 * i + 1, 1.0);
        hand_run(run.scheduler, i, 2 * i + 1, "continue");
        hand_finish(run.scheduler, 2 * i + 2, 1.0);
    }
    buffer_clear(&calls);
    hand_run(run.scheduler, 2, 0, "initial");
    assert_calls("propose1 2 to 2; begin0 2; begin1 2 own; begin2 2; ");
    hand_fail(run.scheduler, 5);
    assert_calls("tell0 2 at 2 failed; forget1 2; forget2 2; ");
    end(&run);
}

/* as in the later brackets of hyperband: nobody waits for results at rungs below */
static void rungs_below_the_first_are_forgotten(void **state) {
    (void)state;
    Run run = begin("test-highest", 1);
    first_rungs[0] = 1;
    first_rungs[1] = 2;
    hand_run(run.scheduler, 0, 0, "initial"); /* 1 */
    assert_calls("propose0 0 to 4; begin0 0 own; begin1 0; begin2 0; ");
    hand_finish(run.scheduler, 1, 5.0);
    hand_run(run.scheduler, 0, 1, "continue"); /* 2 */
    assert_calls("");
    hand_finish(run.scheduler, 2, 6.0);
    assert_calls("tell1 0 at 4 loss -6 violation 0; forget0 0; forget2 0; ");
    hand_run(run.scheduler, 1, 0, "initial"); /* 3 */
    buffer_clear(&calls);
    hand_fail(run.scheduler, 3);
    assert_calls("tell2 1 at 8 failed; forget0 1; forget1 1; ");
    end(&run);
}

static void full_hears_of_the_full_depth_only(void **state) {
    (void)state;
    Run run = begin("test-full", 1);
    hand_run(run.scheduler, 0, 0, "initial"); /* 1 */
    assert_calls("propose0 0 to 2; begin0 0 own; ");
    hand_finish(run.scheduler, 1, 5.0);
    assert_calls("forget0 0; "); /* paused: it may never go on */
    promotable = 0;
    verdicts[0][1] = VERDICT_GO;
    hand_run(run.scheduler, 0, 1, "promote"); /* 2 */
    assert_calls("begin0 0; ");
    hand_finish(run.scheduler, 2, 5.0);
    hand_run(run.scheduler, 0, 2, "continue"); /* 3 */
    hand_finish(run.scheduler, 3, 5.0);
    hand_run(run.scheduler, 0, 3, "continue"); /* 4 */
    assert_calls("");
    hand_finish(run.scheduler, 4, 7.0);
    assert_calls("tell0 0 at 8 loss -7 violation 0; ");
    verdicts[1][0] = VERDICT_STOP;
    hand_run(run.scheduler, 1, 0, "initial"); /* 5 */
    hand_finish(run.scheduler, 5, 7.0);
    assert_calls("propose0 1 to 2; begin0 1 own; forget0 1; ");
    hand_run(run.scheduler, 2, 0, "initial"); /* 6 */
    hand_fail(run.scheduler, 6);
    assert_calls("propose0 2 to 2; begin0 2 own; forget0 2; ");
    end(&run);
}

static void last_hears_of_where_each_one_stopped(void **state) {
    (void)state;
    Run run = begin("test-last", 1);
    verdicts[0][0] = VERDICT_GO;
    hand_run(run.scheduler, 0, 0, "initial"); /* 1 */
    hand_finish(run.scheduler, 1, 5.0);
    assert_calls("propose0 0 to 2; begin0 0 own; ");
    hand_run(run.scheduler, 0, 1, "continue"); /* 2 */
    hand_finish(run.scheduler, 2, 6.0);
    assert_calls("tell0 0 at 4 loss -6 violation 0; ");
    hand_run(run.scheduler, 1, 0, "initial"); /* 3 */
    hand_fail(run.scheduler, 3);
    assert_calls("propose0 1 to 2; begin0 1 own; tell0 1 at 2 failed; ");
    end(&run);
}

static void results_are_means_over_repeats_with_their_violation(void **state) {
    (void)state;
    Run run = begin("test-last", 2);
    verdicts[0][0] = VERDICT_STOP;
    hand_run(run.scheduler, 0, 0, "initial");
    hand_run(run.scheduler, 1, 0, "initial");
    hand_finish_constrained(run.scheduler, 1, 4.0, 9.0);
    assert_calls("propose0 0 to 2; begin0 0 own; ");
    hand_finish_constrained(run.scheduler, 2, 5.0, 15.0);
    assert_calls("tell0 0 at 2 loss -4.5 violation 0.2; "); /* (12 - 10) / 10 */
    hand_run(run.scheduler, 2, 0, "initial");
    hand_run(run.scheduler, 3, 0, "initial");
    hand_finish(run.scheduler, 4, 1.0);
    hand_fail(run.scheduler, 3); /* one of two makes it fail */
    assert_calls("propose0 1 to 2; begin0 1 own; tell0 1 at 2 failed; ");
    end(&run);
}

static void users_points_and_totals_come_in_between(void **state) {
    (void)state;
    Run          run = begin("test-full", 1);
    const double point[] = {1e-3};
    assert_ok(scheduler_observe(run.scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    const Decision wish = hand_run(run.scheduler, 0, 0, "enqueued");
    assert_close(wish.point[0], 1e-3, 0.0, 0.0);
    assert_calls("begin0 0; "); /* nothing proposed */
    hand_finish(run.scheduler, 1, 1.0);
    /* two units more: as much as is left of them */
    assert_ok(scheduler_observe(run.scheduler, &(Event){.kind = EVENT_BUDGET_CHANGED, .total = 3}));
    promotable = 0;
    assert_int_equal(hand_run(run.scheduler, 0, 1, "promote").end, 3);
    hand_wait(run.scheduler);
    hand_finish(run.scheduler, 2, 1.0);
    assert_string_equal(hand_decide(run.scheduler).reason, "budget of 3 units used");
    assert_ok(scheduler_observe(run.scheduler, &(Event){.kind = EVENT_BUDGET_CHANGED, .total = 9}));
    assert_int_equal(hand_run(run.scheduler, 0, 2, "continue").end, 4);
    end(&run);
}

static void a_paused_end_may_go_and_a_promoted_one_is_kept(void **state) {
    (void)state;
    Run run = begin("test-full", 1);
    hand_run(run.scheduler, 0, 0, "initial");
    hand_finish(run.scheduler, 1, 1.0);
    assert_int_equal(scheduler_keeps(run.scheduler, 1), KEEPS_MAYBE);
    promotable = 0;
    hand_run(run.scheduler, 0, 1, "promote");
    assert_int_equal(scheduler_keeps(run.scheduler, 1), KEEPS_YES);
    end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(highest_has_a_sampler_per_rung),
        cmocka_unit_test(the_deepest_rung_with_enough_results_is_asked),
        cmocka_unit_test(rungs_below_the_first_are_forgotten),
        cmocka_unit_test(full_hears_of_the_full_depth_only),
        cmocka_unit_test(last_hears_of_where_each_one_stopped),
        cmocka_unit_test(results_are_means_over_repeats_with_their_violation),
        cmocka_unit_test(users_points_and_totals_come_in_between),
        cmocka_unit_test(a_paused_end_may_go_and_a_promoted_one_is_kept),
    };
    if (scheduler_register_for_tests(&highest_ops) != STATUS_OK ||
        scheduler_register_for_tests(&full_ops) != STATUS_OK ||
        scheduler_register_for_tests(&last_ops) != STATUS_OK) {
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/chains", tests, NULL, NULL);
}
