#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "core/optimize/sobol.h"
#include "tests/support/test_support.h"

enum { CONFIGURATIONS = 64 };

/* The first 64 configurations put four points into each sixteenth of the range of the first
 * hyperparameter, a float; nothing of that depends on slots, failures or order. */
static void configurations_fill_the_range_evenly(void **state) {
    (void)state;
    Space              *space = NULL;
    SpaceParameter      one = {.name = (char[]){"x"}, .upper = 1, .type = SPACE_FLOAT};
    const SchedulerOps *ops = NULL;
    const FakeSettings  settings = {.slots = 3, .seed = 1, .fail = 0.2};
    FakeLog             log;
    Decision            done;
    int                 hits[16] = {0};
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &one));
    assert_ok(space_seal(space));
    assert_ok(scheduler_find("sobol", &ops));
    SchedulerSetup setup = fake_setup(space);
    setup.baseline = false;
    setup.trials = CONFIGURATIONS;
    setup.total = CONFIGURATIONS * setup.per_trial;
    Sobol *sobol = NULL;
    assert_ok(sobol_create(1, SOBOL_SCRAMBLED, setup.seed, &sobol));
    fake_study_run(ops, &setup, (const double[]){0}, &settings, &log, &done);
    int roots = 0;
    for (size_t i = 0; i < log.count; i++) {
        const Decision *decision = &log.events[i]->decision;
        if (decision->kind == DECISION_RUN && decision->parent == 0) {
            double expected = 0;
            assert_ok(sobol_points(sobol, (uint64_t)decision->trial, 1, &expected));
            assert_close(decision->point[0], expected, 1e-15, 0);
            hits[(int)(decision->point[0] * 16)]++;
            roots++;
        }
    }
    assert_int_equal(roots, CONFIGURATIONS);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(hits[i], CONFIGURATIONS / 16);
    }
    sobol_destroy(sobol);
    fake_log_free(&log);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_fill_the_range_evenly),
    };
    return cmocka_run_group_tests_name("schedulers/sobol", tests, NULL, NULL);
}
