/* What our own arithmetic says of MuJoCo models, against MuJoCo: the arm's end, and the inverted
 * pendulum that is integrated without it. And what the walkers observe and earn. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_task.h"
#include "mbrl/planners/builtin.h"

#include <math.h>
#include <string.h>

typedef struct Bench {
    const EnvironmentOps *ops;
    void                 *self;
    MujocoSim            *sim;
    double                state[ENV_MAX_STATE];
} Bench;

static void bench_open(Bench *bench, const char *name) {
    assert_ok(environment_find(name, &bench->ops));
    assert_ok(bench->ops->create(bench->ops, &bench->self));
    bench->sim = mujoco_task_sim(bench->self);
}

static const double *centre_of(const Bench *bench, const char *body) {
    const int id = mj_name2id(bench->sim->model, mjOBJ_BODY, body);
    assert_true(id > 0);
    return bench->sim->data->xipos + 3 * id;
}

static const double *frame_of(const Bench *bench, const char *body) {
    const int id = mj_name2id(bench->sim->model, mjOBJ_BODY, body);
    assert_true(id > 0);
    return bench->sim->data->xpos + 3 * id;
}

/* random joints, zero speeds */
static void pose(Bench *bench, Rng *rng) {
    double qpos[16] = {0};
    double qvel[16] = {0};
    double snapshot[64] = {0};
    for (int i = 0; i < bench->sim->model->nq; i++) {
        qpos[i] = 2.0 * rng_uniform(rng) - 1.0;
    }
    assert_ok(mujoco_sim_start(bench->sim, qpos, qvel));
    bench->ops->save(bench->self, snapshot);
    assert_ok(bench->ops->load(bench->self, snapshot, bench->state));
    mj_kinematics(bench->sim->model, bench->sim->data);
    mj_comPos(bench->sim->model, bench->sim->data);
}

/* The reward is the squared distance between the middle of the finger tips and the target. */
static void reacher_measures_from_between_its_finger_tips(void **state) {
    (void)state;
    Bench        bench;
    Rng          rng = rng_stream(3, 0, RNG_TEST);
    const double idle[7] = {0};
    bench_open(&bench, "reacher7dof");
    for (int t = 0; t < 100; t++) {
        pose(&bench, &rng);
        const double *left = frame_of(&bench, "r_gripper_l_finger_tip_link");
        const double *right = frame_of(&bench, "r_gripper_r_finger_tip_link");
        const double *target = frame_of(&bench, "target");
        double        distance2 = 0.0;
        for (int i = 0; i < 3; i++) {
            const double gap = 0.5 * (left[i] + right[i]) - target[i];
            distance2 += gap * gap;
            assert_close(bench.state[7 + i], target[i], 1e-12, 0);
        }
        assert_close(bench.ops->reward(bench.ops, bench.state, idle, bench.state), -distance2,
                     1e-12, 1e-12);
    }
    bench.ops->destroy(bench.self);
}

static void pusher_sees_its_tip_and_the_object_where_they_are(void **state) {
    (void)state;
    Bench        bench;
    Rng          rng = rng_stream(4, 0, RNG_TEST);
    const double full[7] = {2, -2, 2, -2, 2, -2, 2};
    bench_open(&bench, "pusher");
    for (int t = 0; t < 100; t++) {
        pose(&bench, &rng);
        const double *tip = centre_of(&bench, "tips_arm");
        const double *object = frame_of(&bench, "object");
        const double  goal[3] = {0.45, -0.05, -0.323};
        double        expected = -0.1 * 28.0;
        for (int i = 0; i < 3; i++) {
            assert_close(bench.state[14 + i], tip[i], 1e-12, 0);
            assert_close(bench.state[17 + i], object[i], 1e-12, 0);
            expected -= 1.25 * fabs(object[i] - goal[i]) + 0.5 * fabs(tip[i] - object[i]);
        }
        assert_close(bench.ops->reward(bench.ops, bench.state, full, bench.state), expected, 1e-12,
                     1e-12);
    }
    bench.ops->destroy(bench.self);
}

/* gym's inverted pendulum: as the swing-up's cart, with the pole up and a shorter rail */
static const char inverted_mjcf[] =
    "<mujoco model='inverted'>"
    "  <option timestep='0.02' integrator='RK4'/>"
    "  <default><joint damping='1' limited='true'/><geom contype='0'/></default>"
    "  <worldbody>"
    "    <body>"
    "      <joint name='slider' type='slide' axis='1 0 0' range='-1 1'/>"
    "      <geom type='capsule' size='0.1' fromto='-0.1 0 0 0.1 0 0'/>"
    "      <body>"
    "        <joint name='hinge' type='hinge' axis='0 1 0' range='-90 90'/>"
    "        <geom type='capsule' size='0.049' fromto='0 0 0 0.001 0 0.6'/>"
    "      </body>"
    "    </body>"
    "  </worldbody>"
    "  <actuator><motor joint='slider' gear='100'/></actuator>"
    "</mujoco>";

/* Away from the ends of rail and hinge both are the same two bodies. */
static void inverted_pendulum_moves_as_in_mujoco(void **state) {
    (void)state;
    static MujocoModel    model = MUJOCO_MODEL("inverted", inverted_mjcf);
    const EnvironmentOps *ops = NULL;
    void                 *self = NULL;
    MujocoSim             sim;
    Rng                   rng = rng_stream(6, 0, RNG_TEST);
    int                   compared = 0;
    assert_ok(mujoco_sim_init(&sim, &model));
    assert_ok(environment_find("mbbl_inverted_pendulum", &ops));
    assert_ok(ops->create(ops, &self));
    for (int t = 0; t < 500; t++) {
        double          x[4];
        double          next[4];
        bool            diverged = false;
        EnvironmentStep step;
        const double    action[1] = {0.3 * rng_normal(&rng)};
        for (int i = 0; i < 4; i++) {
            x[i] = 0.5 * (2.0 * rng_uniform(&rng) - 1.0);
        }
        assert_ok(mujoco_sim_start(&sim, x, x + 2));
        sim.data->ctrl[0] = action[0];
        mujoco_sim_step(&sim, 2, &diverged);
        assert_ok(ops->load(self, x, next));
        assert_ok(ops->step(self, action, next, &step));
        assert_false(step.diverged || diverged);
        if (fabs(next[0]) < 0.99 && fabs(next[1]) < 1.5) {
            compared++;
            for (int i = 0; i < 2; i++) {
                assert_close(next[i], sim.data->qpos[i], 1e-9, 1e-9);
                assert_close(next[i + 2], sim.data->qvel[i], 1e-9, 1e-9);
            }
        }
    }
    assert_true(compared > 400);
    ops->destroy(self);
    mujoco_sim_reset(&sim);
}

/* The speed is that of the whole control step, not of its end. */
static void walkers_are_paid_for_the_distance_of_a_step(void **state) {
    (void)state;
    static const char *const names[] = {"half_cheetah", "hopper"};
    static const double      costs[] = {0.1, 0.001};
    for (size_t e = 0; e < 2; e++) {
        Bench  bench;
        Rng    rng = rng_stream(7, e, RNG_ENVIRONMENT);
        double sum = 0.0;
        bench_open(&bench, names[e]);
        assert_ok(bench.ops->reset(bench.self, &rng, bench.state));
        assert_close(bench.state[0], 0.0, 0, 0);
        const double begin = bench.sim->data->qpos[0];
        for (int t = 0; t < 50; t++) {
            double          action[6];
            double          effort = 0.0;
            EnvironmentStep step;
            for (size_t i = 0; i < bench.ops->action_dim; i++) {
                action[i] = 2.0 * rng_uniform(&rng) - 1.0;
                effort += action[i] * action[i];
            }
            assert_ok(bench.ops->step(bench.self, action, bench.state, &step));
            sum += bench.ops->dt * bench.state[0];
            const double bonus = step.reward - (bench.state[0] - costs[e] * effort);
            const bool   alive = bench.state[1] > 0.7 && fabs(bench.state[2]) < 0.2;
            assert_close(bonus, e == 1 && alive ? 1.0 : 0.0, 1e-12, 0);
        }
        assert_close(sum, bench.sim->data->qpos[0] - begin, 1e-12, 0);
        bench.ops->destroy(bench.self);
    }
}

/* What the hopper's planner maximizes is its reward without the bonus; others have no such thing.
 */
static void only_the_hopper_plans_for_something_else(void **state) {
    (void)state;
    const EnvironmentOps *ops = NULL;
    const float           standing[12] = {0.5f, 1.25f};
    const float           action[3] = {1.0f, 1.0f, 1.0f};
    float                 reward = 0.0f;
    float                 planned = 0.0f;
    assert_ok(environment_find("hopper", &ops));
    ops->rewards(ops, standing, action, standing, 1, &reward);
    environment_planner_rewards(ops, standing, action, standing, 1, &planned);
    assert_close((double)reward, 0.5 - 0.003 + 1.0, 1e-6, 0);
    assert_close((double)planned, 0.5 - 0.003, 1e-6, 0);
    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *other = environment_at(e);
        assert_int_equal(other->planner_rewards != NULL, other == ops);
        assert_int_equal(other->planner_objective != NULL, other->planner_rewards != NULL);
    }
    assert_ok(environment_find("cartpole_swingup", &ops));
    const float upright[4] = {0.0f, (float)M_PI, 0.0f, 0.0f};
    const float idle[1] = {0.0f};
    environment_planner_rewards(ops, upright, idle, upright, 1, &planned);
    assert_close((double)planned, 1.0, 1e-6, 0);
}

/* The bound that learned models are compared with plans for what they plan for: one held action on
 * the hopper, in the simulator as planners see it and step by step. */
static void the_simulator_plans_for_the_planner_objective(void **state) {
    (void)state;
    enum { STEPS = 20, SNAPSHOT = 128 };
    const PlannerBackend *backend = &planner_backend_simulation_ops;
    const double          action[3] = {0.25, -0.5, 0.75};
    float                 actions[STEPS][3];
    double                snapshot[SNAPSHOT];
    double                observed[ENV_MAX_STATE];
    double                planned = 0.0;
    double                paid = 0.0;
    double                returned = 0.0;
    void                 *simulations = NULL;
    RolloutResult         result;
    Bench                 bench;
    Rng                   rng = rng_stream(3, 0, RNG_ENVIRONMENT);
    bench_open(&bench, "hopper");
    assert_true(bench.ops->snapshot_size <= SNAPSHOT);
    assert_ok(bench.ops->reset(bench.self, &rng, observed));
    bench.ops->save(bench.self, snapshot);
    const PlanTask     plan = {.state = observed, .snapshot = snapshot};
    const RolloutTask  task = {.plan = &plan, .actions = &actions[0][0], .candidates = 1};
    const RolloutShape shape = {.candidates = 1, .particles = 1, .horizon = STEPS};
    assert_ok(backend->create(bench.ops, &simulations));
    assert_ok(backend->reserve(simulations, &shape, &plan));
    for (int t = 0; t < STEPS; t++) {
        EnvironmentStep step;
        for (int d = 0; d < 3; d++) {
            actions[t][d] = (float)action[d];
        }
        assert_ok(bench.ops->step(bench.self, action, observed, &step));
        paid += step.reward;
        planned += observed[0] - 0.001 * (0.0625 + 0.25 + 0.5625);
    }
    assert_ok(backend->evaluate(simulations, &task, &returned, &result));
    assert_close(returned, planned, 1e-4, 0);
    assert_true(paid > returned + 10.0); /* it was alive for more than half of the steps */
    backend->destroy(simulations);
    bench.ops->destroy(bench.self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reacher_measures_from_between_its_finger_tips),
        cmocka_unit_test(pusher_sees_its_tip_and_the_object_where_they_are),
        cmocka_unit_test(inverted_pendulum_moves_as_in_mujoco),
        cmocka_unit_test(walkers_are_paid_for_the_distance_of_a_step),
        cmocka_unit_test(only_the_hopper_plans_for_something_else),
        cmocka_unit_test(the_simulator_plans_for_the_planner_objective),
    };
    return cmocka_run_group_tests_name("mbrl/environment_mujoco", tests, NULL, NULL);
}
