/* Populations with a cost: fitness is compared at equal cumulated cost. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <math.h>
#include <string.h>

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 100000;
    setup.cost_aware = true;
    return setup;
}

static void finish(Scheduler *scheduler, int64_t segment, double objective, double cost) {
    const double objectives[SCHEDULER_MAX_OBJECTIVES] = {objective};
    const Event  event = {.kind = EVENT_FINISHED,
                          .id = segment,
                          .outcome = OUTCOME_DONE,
                          .objectives = objectives,
                          .cost = cost};
    assert_ok(scheduler_observe(scheduler, &event));
}

/* Two members; the second has spent 8 times as much. At equal depth it leads; at what the first has
 * spent it had nothing at first, and later only its first result. */
static void a_dear_result_stands_where_it_stood_when_it_had_cost_as_little(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, "quantile", 0.5, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    finish(scheduler, 1, 1.0, 1.0);
    finish(scheduler, 2, 5.0, 8.0);
    /* 1 at cost 1 against nothing at cost 1 */
    hand_run(scheduler, 0, 1, "continue");
    hand_run(scheduler, 1, 1, "exploit");
    finish(scheduler, 3, 2.0, 8.0); /* 9 in all */
    finish(scheduler, 4, 6.0, 0.5); /* goes on from segment 1: 1.5 in all */
    /* at cost 1.5: segment 1 of the first member (1.0) against 6.0 */
    hand_run(scheduler, 0, 4, "exploit");
    hand_run(scheduler, 1, 4, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* costs that nobody knows count nothing; nothing crashes */
static void unknown_costs_count_nothing(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    finish(scheduler, 1, 1.0, (double)NAN);
    finish(scheduler, 2, 5.0, -3.0);
    hand_run(scheduler, 0, 2, "exploit");
    hand_run(scheduler, 1, 2, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* nothing but training helps, whatever the values */
static void only_depth(void *context, const Decision *decision, Outcome *outcome,
                       double *objectives, double *spreads) {
    (void)context;
    (void)outcome;
    (void)spreads;
    objectives[0] = (double)decision->end;
}

/* mean cost of a unit over the second half of a study */
static double spent(const char *name, const Space *space, uint64_t seed, bool aware) {
    const SchedulerOps *ops = NULL;
    SchedulerSetup      setup = setup_of(space);
    const FakeSettings  settings = {.slots = 4, .seed = seed, .script = only_depth};
    double              options[64];
    double              cost = 0.0;
    size_t              n = 0;
    FakeLog             log;
    Decision            done;
    setup.seed = seed;
    setup.cost_aware = aware;
    setup.baseline = false;
    setup.per_trial = 150;
    setup.total = 8 * setup.per_trial;
    assert_ok(scheduler_find(name, &ops));
    fake_options(ops, options, "population", 8.0, NULL);
    fake_study_run(ops, &setup, options, &settings, &log, &done);
    for (size_t i = log.count / 2; i < log.count; i++) {
        const FakeEvent *entry = log.events[i];
        if (entry->event.kind == EVENT_DECIDED && entry->decision.kind == DECISION_RUN) {
            cost += fake_cost(space, entry->point);
            n++;
        }
    }
    fake_log_free(&log);
    return cost / (double)n;
}

/* One hyperparameter that costs up to 10 times more and brings nothing. */
static void what_costs_more_and_brings_nothing_is_left(void **state) {
    (void)state;
    static const char *const names[] = {"pbt", "pb2", "pbt-bt", "bg-pbt"};
    Space                   *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        double aware = 0.0;
        double unaware = 0.0;
        for (uint64_t seed = 1; seed <= 10; seed++) {
            aware += spent(names[k], space, seed, true) / 10.0;
            unaware += spent(names[k], space, seed, false) / 10.0;
        }
        print_message("%s: %.2f per unit with the cost, %.2f without\n", names[k], aware, unaware);
        assert_true(aware < 0.5 * unaware);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dear_result_stands_where_it_stood_when_it_had_cost_as_little),
        cmocka_unit_test(unknown_costs_count_nothing),
        cmocka_unit_test(what_costs_more_and_brings_nothing_is_left),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/population_cost", tests, NULL, NULL);
}
