/* An environment from a definition: what it observes, pays and ends, that its batched functions say
 * the same as its single ones, and every sentence of its reader. */
#include "tests/support/test_support.h"

#include "core/json.h"
#include "mbrl/environments/mjcf.h"
#include "mbrl/environments/mujoco_task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 10000, TEXT = 4096 };

static char *folder;

/* a cart with a pole, a ball that flies, and a slide that nobody moves */
static const char model_text[] =
    "<mujoco>"
    "  <option timestep='0.01' integrator='RK4'/>"
    "  <worldbody>"
    "    <body name='cart'>"
    "      <joint name='slider' type='slide' axis='1 0 0' damping='1'/>"
    "      <geom size='0.1'/>"
    "      <body name='pole'>"
    "        <joint name='hinge' axis='0 1 0' damping='0.1'/>"
    "        <geom type='capsule' size='0.04' fromto='0 0 0 0 0 -0.5'/>"
    "        <body name='tip' pos='0 0 -0.5'><geom size='0.01'/></body>"
    "      </body>"
    "    </body>"
    "    <body name='ball' pos='0 5 0'><freejoint name='loose'/><geom size='0.1'/></body>"
    "  </worldbody>"
    "  <actuator><motor joint='slider' gear='20' ctrllimited='true' ctrlrange='-2 1'/></actuator>"
    "</mujoco>";

static const char good[] =
    "{\"name\":\"mjcf\",\"file\":\"%s\",\"frame_skip\":3,\"episode_length\":50,"
    "\"observation\":[\"qpos.slider\",\"angle.hinge\",\"qvel.hinge\",\"rate.slider\",\"z.tip\","
    "\"y.ball\"],"
    "\"reward\":{\"rate.slider\":0.5,\"action\":-0.1,\"alive\":1,"
    "\"qpos.slider\":{\"weight\":-2,\"of\":\"square\",\"target\":0.25},"
    "\"angle.hinge\":{\"weight\":3,\"of\":\"cos\",\"target\":0.5},"
    "\"qvel.hinge\":{\"weight\":-0.01,\"of\":\"absolute\"}},"
    "\"terminate\":{\"qpos.slider\":{\"lower\":-0.4,\"upper\":0.4},\"z.tip\":{\"upper\":0.3}},"
    "\"reset\":{\"position\":0.1,\"speed\":0.2}}";

static int make_folder(void **state) {
    char path[512];
    (void)state;
    folder = test_folder_make();
    (void)snprintf(path, sizeof path, "%s/robot.xml", folder);
    FILE *file = fopen(path, "w");
    return file != NULL && fputs(model_text, file) >= 0 && fclose(file) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    test_folder_remove(folder);
    return 0;
}

/* `text` with the model's path in place of %s, and one replacement */
static Json *definition(const char *text, const char *from, const char *to) {
    static char whole[TEXT];
    static char path[512];
    Json       *json = NULL;
    (void)snprintf(path, sizeof path, "%s/robot.xml", folder);
    const char *mark = strstr(text, "%s");
    (void)snprintf(whole, sizeof whole, "%.*s%s%s", (int)(mark - text), text, path, mark + 2);
    if (from != NULL) {
        static char changed[TEXT];
        const char *at = strstr(whole, from);
        assert_non_null(at);
        (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - whole), whole, to,
                       at + strlen(from));
        memcpy(whole, changed, sizeof whole);
    }
    assert_ok(json_parse(whole, strlen(whole), &json));
    return json;
}

static const EnvironmentOps *make(void) {
    const EnvironmentOps *ops = NULL;
    MjcfProblem           problem;
    Json                 *json = definition(good, NULL, NULL);
    assert_ok(environment_mjcf_create(json, &problem, &ops));
    json_release(json);
    return ops;
}

static void facts_come_from_the_model_and_the_definition(void **state) {
    (void)state;
    const EnvironmentOps *ops = make();
    assert_string_equal(ops->name, "mjcf");
    assert_int_equal(ops->state_dim, 6);
    assert_int_equal(ops->feature_dim, 7); /* an angle is two */
    assert_int_equal(ops->action_dim, 1);
    assert_close(ops->action_low[0], -2.0, 0, 0);
    assert_close(ops->action_high[0], 1.0, 0, 0);
    assert_close(ops->dt, 0.03, 1e-15, 0);
    assert_int_equal(ops->episode_length, 50);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ops->target_absolute[i], i == 3);
        /* nothing moves the ball sideways but its start's speed: a constant per episode */
        assert_true(ops->target_scale[i] > 0.0);
    }
    assert_true(ops->worst_return <= 0.0);
    environment_mjcf_destroy(ops);
    environment_mjcf_destroy(NULL);
}

static void it_observes_what_mujoco_says(void **state) {
    (void)state;
    const EnvironmentOps *ops = make();
    void                 *self = NULL;
    double                seen[ENV_MAX_STATE];
    EnvironmentStep       step;
    Rng                   rng = rng_stream(1, 0, RNG_ENVIRONMENT);
    const double          action[1] = {0.5};
    assert_ok(ops->create(ops, &self));
    assert_ok(ops->reset(self, &rng, seen));
    MujocoSim    *sim = mujoco_task_sim(self);
    const double *qpos = sim->data->qpos;
    assert_true(fabs(qpos[0]) <= 0.1 && fabs(qpos[1]) <= 0.1 && fabs(sim->data->qvel[1]) <= 0.2);
    assert_close(seen[3], 0.0, 0, 0);
    assert_close(qpos[3], 5.0, 0, 0); /* free joints start where the model has them */
    const double from = qpos[0];
    assert_ok(ops->step(self, action, seen, &step));
    assert_close(seen[0], qpos[0], 0, 0);
    assert_close(seen[1], qpos[1], 0, 0);
    assert_close(seen[2], sim->data->qvel[1], 0, 0);
    assert_close(seen[3], (qpos[0] - from) / 0.03, 1e-12, 0);
    assert_close(seen[4], -0.5 * cos(qpos[1]), 1e-12, 0); /* after the step, not before */
    assert_close(seen[5], qpos[3], 1e-15, 0);
    const double reward = 0.5 * seen[3] - 0.1 * 0.25 + 1.0 -
                          2.0 * (seen[0] - 0.25) * (seen[0] - 0.25) + 3.0 * cos(seen[1] - 0.5) -
                          0.01 * fabs(seen[2]);
    assert_close(step.reward, reward, 1e-12, 0);
    ops->destroy(self);
    environment_mjcf_destroy(ops);
}

static void episodes_end_outside_the_bounds_and_snapshots_continue(void **state) {
    (void)state;
    const EnvironmentOps *ops = make();
    void                 *one = NULL;
    void                 *two = NULL;
    double                a[ENV_MAX_STATE];
    double                b[ENV_MAX_STATE];
    double                snapshot[64];
    EnvironmentStep       step = {0};
    EnvironmentStep       copy = {0};
    Rng                   rng = rng_stream(1, 0, RNG_ENVIRONMENT);
    const double          push[1] = {1.0};
    int                   t = 0;
    assert_true(ops->snapshot_size <= 64);
    assert_ok(ops->create(ops, &one));
    assert_ok(ops->create(ops, &two));
    assert_ok(ops->reset(one, &rng, a));
    for (; t < 50 && !step.terminated; t++) {
        float         next[6];
        unsigned char ended = 0;
        ops->save(one, snapshot);
        assert_ok(ops->load(two, snapshot, b));
        assert_memory_equal(a, b, 6 * sizeof(double));
        assert_ok(ops->step(one, push, a, &step));
        assert_ok(ops->step(two, push, b, &copy));
        assert_memory_equal(a, b, 6 * sizeof(double));
        assert_true(step.reward == copy.reward);
        for (int i = 0; i < 6; i++) {
            next[i] = (float)a[i];
        }
        ops->terminated(ops, next, 1, &ended);
        assert_int_equal(ended, step.terminated);
        assert_int_equal(step.terminated, a[0] > 0.4);
    }
    assert_true(step.terminated && t > 3);
    ops->destroy(one);
    ops->destroy(two);
    environment_mjcf_destroy(ops);
}

static void planners_see_the_same_reward_and_features(void **state) {
    (void)state;
    const EnvironmentOps *ops = make();
    static float          next[ROWS * 6];
    static float          action[ROWS];
    static float          reward[ROWS];
    static float          features[ROWS * 8];
    static unsigned char  ended[ROWS];
    Rng                   rng = rng_stream(2, 0, RNG_TEST);
    size_t                ends = 0;
    for (size_t i = 0; i < (size_t)ROWS * 6; i++) {
        next[i] = (float)((i % 7 == 0 ? 0.3 : 3.0) * rng_normal(&rng));
    }
    for (size_t i = 0; i < ROWS; i++) {
        action[i] = (float)(3.0 * rng_uniform(&rng) - 2.0);
    }
    next[0] = (float)NAN;
    ops->rewards(ops, next, action, next, ROWS, reward);
    ops->features(ops, next, ROWS, features, 8);
    ops->terminated(ops, next, ROWS, ended);
    assert_int_equal(ended[0], 1); /* no number is inside no bound */
    for (size_t i = 1; i < ROWS; i++) {
        double       wide[6];
        const double pushed = (double)action[i];
        for (size_t k = 0; k < 6; k++) {
            wide[k] = (double)next[6 * i + k];
        }
        const bool outside =
            wide[0] < -(double)0.4f || wide[0] > (double)0.4f || wide[4] > (double)0.3f;
        assert_close((double)reward[i], ops->reward(ops, wide, &pushed, wide), 1e-5, 1e-5);
        assert_int_equal(ended[i], outside);
        ends += outside;
        assert_close((double)features[8 * i + 1], sin(wide[1]), 1e-6, 0);
        assert_close((double)features[8 * i + 2], cos(wide[1]), 1e-6, 0);
        assert_true(features[8 * i] == next[6 * i]);
        assert_true(features[8 * i + 6] == next[6 * i + 5] && features[8 * i + 7] == 0.0f);
    }
    assert_true(ends > ROWS / 10 && ends < ROWS);
    /* a cosine of an absurd angle earns nothing that a planner could choose */
    next[1] = 1e9f;
    next[0] = 0.0f;
    ops->rewards(ops, next, action, next, 1, reward);
    assert_true(isnan(reward[0]));
    environment_mjcf_destroy(ops);
}

/* What is measured is the same each time, and is not measured where it is given. */
static void scales_are_measured_once(void **state) {
    (void)state;
    const EnvironmentOps *one = make();
    const EnvironmentOps *two = make();
    const EnvironmentOps *three = NULL;
    Json                 *json = definition(good, NULL, NULL);
    assert_memory_equal(one->target_scale, two->target_scale, 6 * sizeof(double));
    assert_true(one->worst_return == two->worst_return);
    assert_ok(environment_mjcf_complete(one, json));
    assert_ok(environment_mjcf_create(json, NULL, &three));
    assert_memory_equal(one->target_scale, three->target_scale, 6 * sizeof(double));
    assert_true(one->worst_return == three->worst_return);
    json_release(json);
    environment_mjcf_destroy(one);
    environment_mjcf_destroy(two);
    environment_mjcf_destroy(three);
}

/* a trainer works on the file that the study was started with, or not at all */
static void a_file_that_has_changed_is_refused(void **state) {
    (void)state;
    const EnvironmentOps *ops = make();
    Json                 *json = definition(good, NULL, NULL);
    assert_ok(environment_mjcf_complete(ops, json));
    assert_ok(json_set(json, "model_hash", json_new_string("0123456789abcdef")));
    environment_mjcf_destroy(ops);
    assert_fails(environment_mjcf_create(json, NULL, &ops), STATUS_ERR_STATE,
                 "is not the one any more");
    assert_null(ops);
    json_release(json);
}

static void every_mistake_is_a_sentence_about_its_key(void **state) {
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *key;
        const char *member;
        const char *says;
    } mistakes[] = {
        {"\"frame_skip\":3", "\"frame_skip\":0", "frame_skip", "", "from 1 to 1000"},
        {"\"frame_skip\":3,\"episode_length\":50", "\"frame_skip\":1000,\"episode_length\":10001",
         "episode_length", "", "at most 10000000 simulator steps, found 10001000"},
        {"\"frame_skip\":3", "\"frame_skp\":3", "", "", "did you mean 'frame_skip'"},
        {"\"frame_skip\":3,", "", "", "", "'frame_skip' is missing"},
        {"robot.xml", "rob.xml", "file", "", "no file"},
        {"\"qvel.hinge\"", "\"qvel.hing\"", "observation", "2", "did you mean 'hinge'"},
        {"\"z.tip\"", "\"z.tap\"", "observation", "4", "no body 'tap'; did you mean 'tip'"},
        {"\"qvel.hinge\"", "\"speed.hinge\"", "observation", "2", "is no quantity"},
        {"\"qvel.hinge\"", "\"qvel.loose\"", "observation", "2", "no slide and no hinge"},
        {"\"qpos.slider\"", "\"angle.slider\"", "observation", "0", "only a hinge has an angle"},
        {"\"qvel.hinge\"", "\"qpos.slider\"", "observation", "2", "stands twice"},
        {"\"y.ball\"", "\"rate.hinge\"", "observation", "5", "second rate"},
        {"\"y.ball\"", "7", "observation", "5", "name of a quantity"},
        {"{\"rate.slider\":0.5", "{\"qvel.slider\":0.5", "reward", "qvel.slider",
         "no quantity 'qvel.slider'"},
        {"\"alive\":1", "\"alive\":{\"weight\":1}", "reward", "alive", "must be a weight"},
        {"{\"weight\":-2,\"of\"", "{\"wight\":-2,\"of\"", "reward", "qpos.slider",
         "did you mean 'weight'"},
        {"\"weight\":-2,", "", "reward", "qpos.slider", "must be a weight or"},
        {"\"square\"", "\"cube\"", "reward", "qpos.slider", "value, square, absolute or cos"},
        {"\"lower\":-0.4", "\"lower\":0.5", "terminate", "qpos.slider", "below 'upper'"},
        {"{\"upper\":0.3}", "{}", "terminate", "z.tip", "or one of them"},
        {"\"z.tip\":{\"upper\":0.3}", "\"z.tip\":{\"upper\":-0.7}", "terminate", "",
         "'z.tip' starts at -0.4"},
        {"\"episode_length\":50", "\"episode_length\":50,\"target_scale\":[0,0,0,0,0,0]",
         "target_scale", "", "0 for every quantity"},
        {"\"speed\":0.2", "\"speed\":-1", "reset", "", "'speed' must be a number from 0"},
        {"\"episode_length\":50", "\"episode_length\":50,\"worst_return\":1000", "worst_return", "",
         "random policy's mean return"},
        {"\"episode_length\":50",
         "\"episode_length\":50,\"worst_return\":1e9,\"target_scale\":[1,1,1,1,1,1]",
         "worst_return", "", "random policy's mean return"},
        {"\"episode_length\":50",
         "\"episode_length\":50,\"worst_return\":\"x\",\"target_scale\":[1,1,1,1,1,1]",
         "worst_return", "", "random policy's mean return"},
        {"\"episode_length\":50", "\"episode_length\":50,\"target_scale\":[1]", "target_scale", "",
         "6 numbers"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const EnvironmentOps *ops = NULL;
        MjcfProblem           problem;
        Json                 *json = definition(good, mistakes[i].from, mistakes[i].to);
        assert_true(environment_mjcf_create(json, &problem, &ops) != STATUS_OK);
        json_release(json);
        assert_null(ops);
        assert_contains(status_last()->text, mistakes[i].says);
        assert_string_equal(problem.key, mistakes[i].key);
        assert_string_equal(problem.member, mistakes[i].member);
    }
}

static void a_model_that_cannot_be_used_says_why(void **state) {
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *says;
    } mistakes[] = {
        {"<joint name='hinge'", "<jint name='hinge'", "cannot compile"},
        {"ctrllimited='true' ctrlrange='-2 1'", "", "no ctrlrange"},
        {"<motor joint='slider'", "<motor name='push' joint='slider'", NULL},
        {"gear='20'", "gear='1e15'", "blows up"},
        {"<motor joint='slider' gear='20'",
         "<general dyntype='integrator' joint='slider' gear='20'", "state of their own"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const EnvironmentOps *ops = NULL;
        MjcfProblem           problem;
        char                  path[512];
        const char           *at = strstr(model_text, mistakes[i].from);
        Json                 *json = definition(good, "robot.xml", "bad.xml");
        assert_non_null(at);
        (void)snprintf(path, sizeof path, "%s/bad.xml", folder);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fprintf(file, "%.*s%s%s", (int)(at - model_text), model_text, mistakes[i].to,
                            at + strlen(mistakes[i].from)) > 0);
        assert_int_equal(fclose(file), 0);
        const Status status = environment_mjcf_create(json, &problem, &ops);
        json_release(json);
        if (mistakes[i].says == NULL) {
            assert_ok(status);
            environment_mjcf_destroy(ops);
            continue;
        }
        assert_true(status != STATUS_OK);
        assert_contains(status_last()->text, mistakes[i].says);
        assert_string_equal(problem.key, "file");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_come_from_the_model_and_the_definition),
        cmocka_unit_test(it_observes_what_mujoco_says),
        cmocka_unit_test(episodes_end_outside_the_bounds_and_snapshots_continue),
        cmocka_unit_test(planners_see_the_same_reward_and_features),
        cmocka_unit_test(scales_are_measured_once),
        cmocka_unit_test(a_file_that_has_changed_is_refused),
        cmocka_unit_test(every_mistake_is_a_sentence_about_its_key),
        cmocka_unit_test(a_model_that_cannot_be_used_says_why),
    };
    return cmocka_run_group_tests_name("mbrl/environment_mjcf", tests, make_folder, remove_folder);
}
