#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

/* From upright rest with full force: accelerations by hand from the equations of motion.
 * sin = 0, cos = 1: push = 10/1.1; angle'' = -push / (0.5 (4/3 - 0.1/1.1)); x'' = push - 0.05
 * angle''/1.1. */
static void one_push_from_rest_by_hand(void **state) {
    (void)state;
    const EnvironmentOps *ops = cartpole();
    void                 *self = NULL;
    double                next[4];
    EnvironmentStep       step;
    const double          rest[4] = {0};
    const double          full[1] = {1.0};
    assert_ok(ops->create(ops, &self));
    assert_ok(ops->load(self, rest, next));
    assert_ok(ops->step(self, full, next, &step));
    const double push = 10.0 / 1.1;
    const double angular = -push / (0.5 * (4.0 / 3.0 - 0.1 / 1.1));
    assert_close(next[0], 0.0, 0, 0);
    assert_close(next[1], 0.02 * (push - 0.05 * angular / 1.1), 1e-15, 1e-14);
    assert_close(next[2], 0.0, 0, 0);
    assert_close(next[3], 0.02 * angular, 1e-15, 1e-14);
    assert_close(step.reward, 1.0, 0, 0);
    ops->destroy(self);
}

static void starts_lie_in_a_small_box(void **state) {
    (void)state;
    const EnvironmentOps *ops = cartpole();
    void                 *self = NULL;
    double                start[4];
    double                widest = 0.0;
    assert_ok(ops->create(ops, &self));
    for (uint64_t episode = 0; episode < 500; episode++) {
        Rng rng = rng_stream(3, episode, RNG_ENVIRONMENT);
        assert_ok(ops->reset(self, &rng, start));
        for (int i = 0; i < 4; i++) {
            assert_true(fabs(start[i]) <= 0.05);
            widest = fmax(widest, fabs(start[i]));
        }
    }
    assert_true(widest > 0.0495);
    ops->destroy(self);
}

/* Each limit ends the episode when crossed, and the step that crosses earns nothing. */
static void limits_end_the_episode_without_reward(void **state) {
    (void)state;
    const EnvironmentOps *ops = cartpole();
    const double          angle_limit = 12.0 * M_PI / 180.0;
    const struct {
        double state[4];
        bool   falls;
    } cases[] = {
        {{2.39, 1.0, 0, 0}, true},
        {{2.37, 1.0, 0, 0}, false},
        {{-2.39, -1.0, 0, 0}, true},
        {{0, 0, angle_limit - 0.01, 1.0}, true},
        {{0, 0, angle_limit - 0.03, 1.0}, false},
        {{0, 0, 0.01 - angle_limit, -1.0}, true},
    };
    void *self = NULL;
    assert_ok(ops->create(ops, &self));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double          next[4];
        EnvironmentStep step;
        const double    idle[1] = {0.0};
        assert_ok(ops->load(self, cases[i].state, next));
        assert_ok(ops->step(self, idle, next, &step));
        assert_int_equal(step.terminated, cases[i].falls);
        assert_close(step.reward, cases[i].falls ? 0.0 : 1.0, 0, 0);
    }
    ops->destroy(self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_push_from_rest_by_hand),
        cmocka_unit_test(starts_lie_in_a_small_box),
        cmocka_unit_test(limits_end_the_episode_without_reward),
    };
    return cmocka_run_group_tests_name("mbrl/environment_cartpole", tests, NULL, NULL);
}
