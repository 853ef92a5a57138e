/* While decide() thinks, the coordinator goes on taking results: a scheduler that does not decide
 * before others were taken. If nobody takes them it gives up after a minute, and the test fails. */
#include "tests/bench/stub_crew.h"
#include "tests/support/test_support.h"

#include "core/clock.h"
#include "tuner/coordinator.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS = 16, TRIALS = 60, THINK_AT = 30, MEANWHILE = 5, PATH_BYTES = 512 };

#define PATIENCE_SECONDS 60.0

static const SchedulerOps *random_search;
static SchedulerOps        thinker;
static bool                thought;
static bool                was_served;

static Status think(const void *self, int64_t number, Decision *decision) {
    const int64_t before = stub_crew_reports();
    /* so many were decided before and have not come back yet */
    if (!thought && number >= THINK_AT && number - before >= MEANWHILE) {
        const double until = clock_monotonic() + PATIENCE_SECONDS;
        while (stub_crew_reports() < before + MEANWHILE && clock_monotonic() < until) {
            clock_sleep(0.001);
        }
        thought = true;
        was_served = stub_crew_reports() >= before + MEANWHILE;
    }
    return random_search->decide(self, number, decision);
}

static int run_study(const char *folder) {
    static const char  text[] = "name: thinking\n"
                                "trainer: {command: ['true']}\n"
                                "objective: {metric: score, direction: maximize}\n"
                                "budget: {unit: step, per_trial: 1, segment: 1, trials: 60}\n"
                                "scheduler: {name: random}\n"
                                "hyperparameters:\n"
                                "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                                "seed: 3\n";
    char               path[PATH_BYTES];
    Study             *study = NULL;
    StudyFolder        paths;
    CoordinatorOutcome outcome;
    CoordinatorSetup   setup = {.quiet = true};
    (void)snprintf(path, sizeof path, "%s/study", folder);
    assert_ok(study_parse("study.yaml", text, NULL, 0, &study));
    study->scheduler = &thinker;
    assert_ok(study_folder_init(path, &paths));
    setup.study = study;
    setup.folder = &paths;
    assert_ok(coordinator_run(&setup, MPI_COMM_NULL, &outcome));
    study_destroy(study);
    study_folder_reset(&paths);
    return outcome.exit_status;
}

static void results_are_taken_while_a_scheduler_thinks(void **state) {
    (void)state;
    const StubPlan plan = {.rate = 500.0, .slots = SLOTS};
    char          *folder = test_folder_make();
    assert_ok(scheduler_find("random", &random_search));
    thinker = *random_search;
    thinker.decide = think;
    thinker.uses = scheduler_uses_first; /* random search itself decides in microseconds */
    stub_crew_plan(&plan);
    assert_int_equal(run_study(folder), 0);
    assert_true(thought);
    assert_true(was_served);
    assert_int_equal(stub_crew_reports(), TRIALS);
    test_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_taken_while_a_scheduler_thinks),
    };
    return cmocka_run_group_tests_name("tuner/slow_decisions", tests, NULL, NULL);
}
