/* What every scheduler owes, for each that is registered and each choice of each of its options.
 * The rules that hold at every single step (parents finished, values in bounds, the budget, no
 * checkpoint given up too early, every result once) are asserted by the wrapper and by
 * fake_study.c. */
#include "tests/schedulers/contract_case.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"
#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static Decision run(const ContractCase *c, const FakeSettings *settings, FakeLog *log) {
    Decision done;
    fake_study_run(c->ops, &c->setup, c->options, settings, log, &done);
    return done;
}

static int64_t units_of(const FakeLog *log) {
    int64_t units = 0;
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_DECIDED && entry->decision.kind == DECISION_RUN) {
            units += entry->decision.end - entry->decision.begin;
        }
    }
    return units;
}

/* ---- the table ----------------------------------------------------------------------------- */

/* its paper, and in two sentences when to use it and when not */
static void check_description(const SchedulerOps *ops) {
    const size_t length = strlen(ops->help);
    const char  *second = strstr(ops->help, ". ");
    assert_true(strlen(ops->source) >= 8);
    if (second == NULL || strstr(second + 2, ". ") != NULL || ops->help[length - 1] != '.') {
        fail_msg("%s: not two sentences: %s", ops->name, ops->help);
    }
    if (strstr(second, "Not ") == NULL && strstr(second, " not ") == NULL) {
        fail_msg("%s: does not say when not to use it: %s", ops->name, ops->help);
    }
}

static void every_scheduler_is_complete(void **state) {
    (void)state;
    assert_true(scheduler_count() >= 1);
    assert_null(scheduler_at(scheduler_count()));
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        const SchedulerOps *found = NULL;
        assert_non_null(ops->name);
        assert_non_null(ops->source);
        assert_non_null(ops->help);
        assert_non_null(ops->options);
        check_description(ops);
        assert_true(ops->create != NULL && ops->order != NULL && ops->decide != NULL &&
                    ops->observe != NULL && ops->keeps != NULL && ops->destroy != NULL);
        if (ops->destroy != NULL) {
            ops->destroy(NULL);
        }
        assert_ok(scheduler_find(ops->name, &found));
        assert_ptr_equal(found, ops);
        for (size_t j = 0; j < option_count(ops->options); j++) {
            const OptionSpec *spec = &ops->options[j];
            assert_non_null(spec->help);
            if (!isnan(spec->default_value)) {
                assert_ok(option_check(spec, spec->default_value));
            } else {
                assert_contains(spec->help, "default");
            }
        }
    }
}

static void a_wrong_option_is_named(void **state) {
    (void)state;
    Space *space = fake_space(FAKE_SPACE_MIXED);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        for (size_t j = 0; j < option_count(ops->options); j++) {
            ContractCase c;
            Scheduler   *scheduler = (Scheduler *)&c;
            contract_case(ops, space, &c);
            c.options[j] = 1e30;
            assert_int_not_equal(scheduler_create(ops, &c.setup, c.options, &scheduler), STATUS_OK);
            assert_null(scheduler);
            assert_contains(status_last()->text, ops->options[j].name);
        }
    }
    space_destroy(space);
}

/* ---- determinism --------------------------------------------------------------------------- */

static void check_same_seed(ContractCase *c) {
    const FakeSettings one = {.slots = 1, .seed = 7, .fail = 0.1, .noise = 1.0};
    const size_t       slots[] = {1, 2, 8, 64};
    FakeLog            first;
    (void)run(c, &one, &first);
    for (size_t i = 0; i < 4; i++) {
        FakeSettings other = one;
        FakeLog      again;
        other.slots = slots[i];
        (void)run(c, &other, &again);
        Scheduler *scheduler = fake_log_replay(c->ops, &c->setup, c->options, &again, again.count);
        if (i == 0 || scheduler_order(scheduler) == SCHEDULER_ORDER_BARRIER) {
            fake_log_assert_same(&first, &again);
        }
        scheduler_destroy(scheduler);
        fake_log_free(&again);
    }
    fake_log_free(&first);
}

static void same_seed_gives_the_same_log_on_any_number_of_slots(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_same_seed);
}

static void check_other_seed(ContractCase *c) {
    if (contract_samples(c, "nlopt")) {
        return; /* starts at the defaults under every seed */
    }
    const FakeSettings settings = {.slots = 2, .seed = 7};
    FakeLog            one;
    FakeLog            other;
    (void)run(c, &settings, &one);
    c->setup.seed++;
    (void)run(c, &settings, &other);
    const FakeEvent *a = fake_log_decided(&one, 2);
    const FakeEvent *b = fake_log_decided(&other, 2);
    assert_true(!fake_same_values(a->point, b->point, one.values));
    fake_log_free(&one);
    fake_log_free(&other);
}

static void another_seed_gives_other_values(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_other_seed);
}

static void check_replay(ContractCase *c) {
    const FakeSettings settings = {.slots = 3, .seed = 3, .fail = 0.15, .nan = 0.05, .noise = 2.0};
    FakeLog            log;
    (void)run(c, &settings, &log);
    for (size_t i = 0; i < log.count; i++) {
        if (log.events[i]->event.kind != EVENT_DECIDED) {
            continue;
        }
        /* twice, so that deciding is seen to change nothing */
        Decision   next;
        Scheduler *scheduler = fake_log_replay(c->ops, &c->setup, c->options, &log, i);
        for (int twice = 0; twice < 2; twice++) {
            assert_ok(scheduler_decide(scheduler, &next));
            assert_true(fake_same_decision(&next, &log.events[i]->decision, log.values));
        }
        scheduler_destroy(scheduler);
    }
    fake_log_free(&log);
}

static void any_prefix_of_the_log_gives_the_same_next_decision(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_replay);
    contract_each(FAKE_SPACE_CONDITIONAL, check_replay);
}

/* rungs at several depths, promotions in between, many slots */
static void check_replay_of_many_rungs(ContractCase *c) {
    if (c->ops->stops_early) {
        c->setup.segment = 2;
        c->setup.per_trial = 27;
        c->setup.total = 150; /* a model in the pair decides at every prefix, twice */
        check_replay(c);
    }
}

static void any_prefix_of_a_log_with_many_rungs_does_too(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_replay_of_many_rungs);
}

/* the events of a barrier log with each result right after its decision, as an interrupted
 * coordinator may come to hand them in; returns whether the scheduler is one with barriers */
static bool check_early_results(ContractCase *c, const FakeLog *log) {
    Scheduler *scheduler = NULL;
    assert_ok(scheduler_create(c->ops, &c->setup, c->options, &scheduler));
    const bool barrier = scheduler_order(scheduler) == SCHEDULER_ORDER_BARRIER;
    for (size_t i = 0; barrier && i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        Decision         next;
        if (entry->event.kind != EVENT_DECIDED) {
            continue;
        }
        assert_ok(scheduler_decide(scheduler, &next));
        assert_true(fake_same_decision(&next, &entry->decision, log->values));
        assert_ok(scheduler_observe(scheduler, &entry->event));
        if (entry->decision.kind == DECISION_RUN) {
            const FakeEvent *result = fake_log_finished(log, entry->decision.id);
            assert_ok(scheduler_observe(scheduler, &result->event));
        }
    }
    scheduler_destroy(scheduler);
    return barrier;
}

static void check_batch(ContractCase *c) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        const FakeSettings settings = {
            .slots = 2, .seed = seed, .fail = 0.1, .nan = 0.05, .noise = 9.0};
        FakeLog log;
        c->setup.seed = seed;
        (void)run(c, &settings, &log);
        const bool barrier = check_early_results(c, &log);
        fake_log_free(&log);
        if (!barrier) {
            break;
        }
    }
}

static void a_barrier_scheduler_decides_a_batch_from_what_came_before_it(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_batch);
}

/* ---- the log's rules ----------------------------------------------------------------------- */

static void check_duplicates(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 5};
    FakeLog            log;
    (void)run(c, &settings, &log);
    Scheduler *scheduler = fake_log_replay(c->ops, &c->setup, c->options, &log, log.count);
    for (size_t i = 0; i < log.count; i++) {
        assert_int_equal(scheduler_observe(scheduler, &log.events[i]->event), STATUS_ERR_STATE);
    }
    scheduler_destroy(scheduler);
    fake_log_free(&log);
}

static void every_event_is_refused_the_second_time(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_duplicates);
}

static void check_static_values(const ContractCase *c, const FakeLog *log) {
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        const bool run = entry->event.kind == EVENT_DECIDED && entry->decision.kind == DECISION_RUN;
        if (!run || entry->decision.parent == 0) {
            continue;
        }
        const FakeEvent *parent = fake_log_decided(log, entry->decision.parent);
        for (size_t j = 0; j < log->values; j++) {
            if (!space_at(c->setup.space, j)->dynamic) {
                assert_close(entry->point[j], parent->point[j], 0.0, 0.0);
            }
        }
    }
}

static void check_log(ContractCase *c) {
    const FakeSettings settings = {.slots = 3, .seed = 11, .fail = 0.1, .noise = 1.0};
    FakeLog            log;
    const Decision     done = run(c, &settings, &log);
    assert_false(done.failed);
    assert_true(strlen(done.reason) > 0);
    assert_true(units_of(&log) <= c->setup.total);
    /* with a tenth of failures most of the budget still goes into training; a grid may end */
    assert_true(units_of(&log) >= c->setup.total / 2 || contract_samples(c, "grid"));
    check_static_values(c, &log);
    fake_log_free(&log);
}

static void logs_keep_the_rules_in_every_space(void **state) {
    (void)state;
    for (size_t i = 0; i < FAKE_SPACE_COUNT; i++) {
        contract_each((FakeSpace)i, check_log);
    }
}

static void check_budget(ContractCase *c) {
    const int64_t totals[] = {1, 4, 5, 7, 33, 1000};
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        const FakeSettings settings = {.slots = 4, .seed = 13, .noise = 1.0};
        FakeLog            log;
        c->setup.total = totals[i];
        const Decision done = run(c, &settings, &log);
        assert_true(units_of(&log) <= totals[i]);
        /* nothing failed, so what may be used is used, to the last unit */
        if (totals[i] <= CONTRACT_CONFIGURATIONS * c->setup.per_trial) {
            assert_int_equal(units_of(&log), totals[i]);
            assert_contains(done.reason, "units used");
        }
        fake_log_free(&log);
    }
}

static void the_budget_is_used_and_never_exceeded(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_budget);
}

static void check_uneven(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 17, .noise = 1.0};
    FakeLog            log;
    int64_t            deepest = 0;
    c->setup.per_trial = 13; /* 5 + 5 + 3 */
    c->setup.total = 10 * c->setup.per_trial * CONTRACT_CONFIGURATIONS;
    (void)run(c, &settings, &log);
    for (size_t i = 0; i < log.count; i++) {
        deepest = (log.events[i]->decision.end > deepest) ? log.events[i]->decision.end : deepest;
    }
    assert_int_equal(deepest, 13);
    fake_log_free(&log);
}

static void the_last_segment_is_shortened_to_the_full_depth(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_uneven);
}

static void check_budget_change(ContractCase *c) {
    const FakeInsert   more = {.at = 3, .event = {.kind = EVENT_BUDGET_CHANGED, .total = 90}};
    const FakeSettings settings = {
        .slots = 2, .seed = 19, .noise = 1.0, .inserts = &more, .insert_count = 1};
    FakeLog log;
    c->setup.total = 40;
    (void)run(c, &settings, &log);
    assert_int_equal(units_of(&log), 90);
    fake_log_free(&log);
}

static void a_new_total_counts_from_then_on(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_budget_change);
}

static void check_enqueued(ContractCase *c) {
    double *point = calloc(space_count(c->setup.space), sizeof *point);
    Rng     rng = rng_stream(99, 0, RNG_TEST);
    assert_ok(space_sample(c->setup.space, &rng, point));
    for (int64_t at = 0; at < 2; at++) {
        const FakeInsert   wish = {.at = at, .event = {.kind = EVENT_ENQUEUED, .point = point}};
        const FakeSettings settings = {
            .slots = 2, .seed = 23, .noise = 1.0, .inserts = &wish, .insert_count = 1};
        FakeLog log;
        (void)run(c, &settings, &log);
        /* it is what the next fresh agent after the defaults starts with, once */
        assert_int_equal(fake_log_reasons(&log, "enqueued"), 1);
        const FakeEvent *second = fake_log_decided(&log, 2);
        assert_string_equal(second->decision.reason, "enqueued");
        assert_memory_equal(second->point, point, log.values * sizeof *point);
        fake_log_free(&log);
    }
    free(point);
}

static void a_users_point_starts_the_next_fresh_agent(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_CONDITIONAL, check_enqueued);
}

static void check_baseline(ContractCase *c) {
    const FakeSettings settings = {.slots = 1, .seed = 29};
    for (int baseline = 0; baseline < 2; baseline++) {
        double  defaults[16];
        FakeLog log;
        c->setup.baseline = baseline == 1;
        space_defaults(c->setup.space, defaults);
        (void)run(c, &settings, &log);
        const FakeEvent *first = fake_log_decided(&log, 1);
        assert_int_equal(first->decision.trial, 0);
        assert_string_equal(first->decision.reason, "initial");
        assert_int_equal(fake_same_values(first->point, defaults, log.values), baseline);
        fake_log_free(&log);
    }
}

static void trial_0_is_the_defaults_unless_baseline_is_false(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_baseline);
}

/* ---- failures ------------------------------------------------------------------------------ */

static void check_all_fail(ContractCase *c) {
    const FakeSettings settings = {.slots = 3, .seed = 31, .fail = 1.0};
    FakeLog            log;
    const Decision     done = run(c, &settings, &log);
    assert_true(done.failed);
    assert_true(strlen(done.reason) > 10);
    fake_log_free(&log);
}

static void when_everything_fails_the_study_fails(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_all_fail);
}

/* the parent of a branch has a result that is a number; NaN is never gone back to or copied */
static void check_nan(ContractCase *c) {
    const FakeSettings settings = {.slots = 3, .seed = 37, .nan = 0.3, .noise = 1.0};
    FakeLog            log;
    (void)run(c, &settings, &log);
    for (size_t i = 0; i < log.count; i++) {
        const Decision *decision = &log.events[i]->decision;
        if (decision->kind == DECISION_RUN && decision->branch) {
            const FakeEvent *parent = fake_log_finished(&log, decision->parent);
            assert_int_equal(isfinite(parent->objectives[0]) != 0, 1);
        }
    }
    fake_log_free(&log);
}

static void nan_is_never_branched_from(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_nan);
}

/* ---- sizes --------------------------------------------------------------------------------- */

static void check_small_population(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 41, .fail = 0.1, .noise = 1.0};
    const double       sizes[] = {2, 3, 40};
    for (size_t i = 0; i < 3; i++) {
        FakeLog log;
        contract_population(c, sizes[i]);
        c->setup.total = 40 * c->setup.per_trial;
        (void)run(c, &settings, &log);
        fake_log_free(&log);
    }
}

static void populations_of_2_3_and_40_run_to_the_end(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_small_population);
}

static void check_objectives(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 43, .fail = 0.1, .noise = 1.0};
    FakeLog            log;
    c->setup.objective_count = 2;
    c->setup.maximize[0] = false;
    c->setup.constraint_count = 1;
    c->setup.constraint_upper[0] = 8.0;
    (void)run(c, &settings, &log);
    fake_log_free(&log);
}

static void two_objectives_and_a_constraint_are_taken(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_objectives);
}

static void check_no_checkpoints(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 47};
    Scheduler         *scheduler = NULL;
    c->setup.can_branch = false;
    if (c->ops->branches) {
        assert_fails(scheduler_create(c->ops, &c->setup, c->options, &scheduler), STATUS_ERR_ARG,
                     "checkpoints");
        return;
    }
    FakeLog log;
    (void)run(c, &settings, &log);
    for (size_t i = 0; i < log.count; i++) {
        assert_int_equal(log.events[i]->decision.parent, 0);
    }
    fake_log_free(&log);
}

static void without_checkpoints_there_are_only_fresh_chains(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_no_checkpoints);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* drives a whole study in which every call runs out of memory once before it succeeds */
static void check_out_of_memory(ContractCase *c) {
    const FakeSettings settings = {.slots = 2, .seed = 53, .fail = 0.1, .noise = 1.0};
    FakeLog            log;
    Scheduler         *scheduler = NULL;
    (void)run(c, &settings, &log);
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = scheduler_create(c->ops, &c->setup, c->options, &scheduler);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(scheduler);
    }
    for (size_t i = 0; i < log.count; i++) {
        for (size_t n = 1;; n++) {
            test_fail_allocation(n);
            const Status status = scheduler_observe(scheduler, &log.events[i]->event);
            if (!test_allocation_failed()) {
                assert_ok(status);
                break;
            }
            assert_int_equal(status, STATUS_ERR_NOMEM);
        }
    }
    test_fail_allocation(0);
    scheduler_destroy(scheduler);
    fake_log_free(&log);
}

static void out_of_memory_leaves_everything_as_it_was(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_out_of_memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheduler_is_complete),
        cmocka_unit_test(a_wrong_option_is_named),
        cmocka_unit_test(same_seed_gives_the_same_log_on_any_number_of_slots),
        cmocka_unit_test(another_seed_gives_other_values),
        cmocka_unit_test(any_prefix_of_the_log_gives_the_same_next_decision),
        cmocka_unit_test(any_prefix_of_a_log_with_many_rungs_does_too),
        cmocka_unit_test(a_barrier_scheduler_decides_a_batch_from_what_came_before_it),
        cmocka_unit_test(every_event_is_refused_the_second_time),
        cmocka_unit_test(logs_keep_the_rules_in_every_space),
        cmocka_unit_test(the_budget_is_used_and_never_exceeded),
        cmocka_unit_test(the_last_segment_is_shortened_to_the_full_depth),
        cmocka_unit_test(a_new_total_counts_from_then_on),
        cmocka_unit_test(a_users_point_starts_the_next_fresh_agent),
        cmocka_unit_test(trial_0_is_the_defaults_unless_baseline_is_false),
        cmocka_unit_test(when_everything_fails_the_study_fails),
        cmocka_unit_test(nan_is_never_branched_from),
        cmocka_unit_test(populations_of_2_3_and_40_run_to_the_end),
        cmocka_unit_test(two_objectives_and_a_constraint_are_taken),
        cmocka_unit_test(without_checkpoints_there_are_only_fresh_chains),
        cmocka_unit_test(out_of_memory_leaves_everything_as_it_was),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/contract", tests, NULL, NULL);
}
