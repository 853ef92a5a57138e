/* The swing-up's reward, and what mujoco_sim.h does with models and numbers that are bad. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_sim.h"

#include <math.h>

/* Upright at the origin is the best state: reward 1 less the action's cost. */
static void upright_pays_one_and_hanging_little(void **state) {
    (void)state;
    const EnvironmentOps *ops = NULL;
    const double          idle[1] = {0.0};
    const double          full[1] = {3.0};
    const double          hanging[4] = {0};
    const double          upright[4] = {0, M_PI, 0, 0};
    assert_ok(environment_find("cartpole_swingup", &ops));
    assert_close(ops->reward(ops, hanging, idle, upright), 1.0, 1e-15, 0);
    assert_close(ops->reward(ops, hanging, full, upright), 1.0 - 0.09, 1e-15, 0);
    /* the tip hangs 1.2 m below the goal: exp(-4) */
    assert_close(ops->reward(ops, hanging, idle, hanging), exp(-4.0), 1e-15, 0);
}

static void a_model_that_does_not_compile_is_an_error(void **state) {
    (void)state;
    static MujocoModel broken = MUJOCO_MODEL("broken", "<mujoco><worldbody><body>");
    static MujocoModel wrong =
        MUJOCO_MODEL("wrong", "<mujoco><worldbody><body><joint type='slide'/></body></worldbody>"
                              "</mujoco>");
    const mjModel *model = NULL;
    MujocoSim      sim;
    assert_fails(mujoco_model_get(&broken, &model), STATUS_ERR_PARSE, "'broken'");
    assert_null(model);
    assert_fails(mujoco_sim_init(&sim, &wrong), STATUS_ERR_PARSE, "'wrong'");
    assert_null(sim.data);
    mujoco_sim_reset(&sim);
}

/* Velocities that overflow are caught as MuJoCo's warnings, which would print and reset the state.
 */
static void a_blow_up_is_divergence(void **state) {
    (void)state;
    const EnvironmentOps *ops = NULL;
    void                 *self = NULL;
    double                next[4];
    EnvironmentStep       step;
    const double          idle[1] = {0.0};
    const double          wild[7] = {0, 0, 1e12, 0, 0, 0, 0};
    assert_ok(environment_find("cartpole_swingup", &ops));
    assert_int_equal(ops->snapshot_size, 7);
    assert_ok(ops->create(ops, &self));
    assert_ok(ops->load(self, wild, next));
    assert_ok(ops->step(self, idle, next, &step));
    assert_true(step.diverged);
    assert_close(step.reward, 0.0, 0, 0);
    ops->destroy(self);
}

/* At the end of the rail the constraint solver starts from the last accelerations, so they belong
 * to a snapshot. */
static void snapshots_at_the_end_of_the_rail_continue_bit_for_bit(void **state) {
    (void)state;
    const EnvironmentOps *ops = NULL;
    void                 *one = NULL;
    void                 *two = NULL;
    double                a[4];
    double                b[4];
    double                snapshot[7];
    EnvironmentStep       step;
    const double          full[1] = {3.0};
    double                farthest = 0.0;
    Rng                   rng = rng_stream(1, 0, RNG_ENVIRONMENT);
    assert_ok(environment_find("cartpole_swingup", &ops));
    assert_ok(ops->create(ops, &one));
    assert_ok(ops->create(ops, &two));
    assert_ok(ops->reset(one, &rng, a));
    for (int t = 0; t < 100; t++) {
        ops->save(one, snapshot);
        assert_ok(ops->load(two, snapshot, b));
        assert_ok(ops->step(one, full, a, &step));
        assert_ok(ops->step(two, full, b, &step));
        assert_memory_equal(a, b, sizeof a);
        farthest = fmax(farthest, a[0]);
    }
    assert_true(farthest > 2.45);
    ops->destroy(one);
    ops->destroy(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upright_pays_one_and_hanging_little),
        cmocka_unit_test(a_model_that_does_not_compile_is_an_error),
        cmocka_unit_test(a_blow_up_is_divergence),
        cmocka_unit_test(snapshots_at_the_end_of_the_rail_continue_bit_for_bit),
    };
    return cmocka_run_group_tests_name("mbrl/environment_swingup", tests, NULL, NULL);
}
