#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include "schedulers/scheduler_internal.h"

enum { HYPERBAND_TPE = 6 }; /* index of tpe among the samplers */

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 9;
    setup.segment = 1;
    setup.total = 900;
    return setup;
}

static FakeLog run(const char *name, const SchedulerSetup *setup, const char *option,
                   double value) {
    const SchedulerOps *ops = NULL;
    const FakeSettings  settings = {.slots = 3, .seed = 4, .noise = 1.0};
    double              values[64];
    FakeLog             log;
    Decision            done;
    assert_ok(scheduler_find(name, &ops));
    fake_options(ops, values, option, value, NULL);
    fake_study_run(ops, setup, values, &settings, &log, &done);
    return log;
}

/* first segments of configurations after the defaults, and how many have the values that random
 * search would draw */
static size_t count_random(const FakeLog *log, const SchedulerSetup *setup, size_t *begun) {
    size_t random = 0;
    *begun = 0;
    for (size_t i = 0; i < log->count; i++) {
        const Decision *decision = &log->events[i]->decision;
        double          drawn[16];
        if (decision->kind != DECISION_RUN || decision->parent != 0 || decision->trial == 0) {
            continue;
        }
        Rng rng = scheduler_rng(setup, decision->trial, LANE_SAMPLE);
        assert_ok(space_sample(setup->space, &rng, drawn));
        random += fake_same_values(drawn, decision->point, log->values);
        (*begun)++;
    }
    return random;
}

static void a_share_of_the_configurations_is_drawn_at_random(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    size_t               begun = 0;
    FakeLog              all = run("bohb", &setup, "random_fraction", 1.0);
    size_t               random = count_random(&all, &setup, &begun);
    assert_int_equal(random, begun);
    FakeLog third = run("bohb", &setup, "random_fraction", 1.0 / 3.0);
    /* those before tpe knows enough are random too */
    random = count_random(&third, &setup, &begun);
    assert_true(begun > 40 && random > begun / 4 && random < 3 * begun / 4);
    fake_log_free(&all);
    fake_log_free(&third);
    space_destroy(space);
}

static void without_them_it_is_hyperband_with_tpe(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    FakeLog              bohb = run("bohb", &setup, "random_fraction", 0.0);
    FakeLog              pair = run("hyperband", &setup, "sampler", (double)HYPERBAND_TPE);
    fake_log_assert_same(&bohb, &pair);
    fake_log_free(&bohb);
    fake_log_free(&pair);
    space_destroy(space);
}

static void full_with_a_sampler_is_that_sampler(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    FakeLog              tpe = run("tpe", &setup, "candidates", 24.0);
    FakeLog              full = run("full", &setup, "sampler", (double)HYPERBAND_TPE);
    fake_log_assert_same(&tpe, &full);
    fake_log_free(&tpe);
    fake_log_free(&full);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_the_configurations_is_drawn_at_random),
        cmocka_unit_test(without_them_it_is_hyperband_with_tpe),
        cmocka_unit_test(full_with_a_sampler_is_that_sampler),
    };
    return cmocka_run_group_tests_name("schedulers/bohb", tests, NULL, NULL);
}
