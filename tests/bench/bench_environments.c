/* What an environment's step costs over the physics inside it: control steps of each MuJoCo
 * environment against a bare loop of mj_step over the same actions from the same start, in turns,
 * so that both see the same machine. Before that the two are compared: they must end in the same
 * state bit for bit. One CSV row per environment; where the machine has other work, the ratio of
 * the fastest runs is the one to read. */
#include "core/rng.h"
#include "core/status.h"
#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_task.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_REPETITIONS = 41, CONTROL_STEPS = 400 };

static int repetitions = 21;

static void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "bench_environments: %s\n", status_last()->text);
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

/* of this thread: other work on the machine is not counted */
static double cpu_seconds(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct Bench {
    const EnvironmentOps *ops;
    void                 *self;  /* stepped through the environment */
    void                 *other; /* its simulation, stepped bare */
    double               *actions;
    double               *start; /* a snapshot */
} Bench;

static const MujocoTask *task_of(const Bench *b) {
    return b->ops->data;
}

static void bench_open(Bench *b, const EnvironmentOps *ops) {
    const size_t a = ops->action_dim;
    double       state[ENV_MAX_STATE];
    Rng          rng = rng_stream(1, 0, RNG_ENVIRONMENT);
    *b = (Bench){.ops = ops,
                 .actions = calloc(CONTROL_STEPS * a, sizeof(double)),
                 .start = calloc(ops->snapshot_size, sizeof(double))};
    check(b->actions == NULL || b->start == NULL ? STATUS_ERR_NOMEM : STATUS_OK);
    check(ops->create(ops, &b->self));
    check(ops->create(ops, &b->other));
    check(ops->reset(b->self, &rng, state));
    ops->save(b->self, b->start);
    for (size_t i = 0; i < CONTROL_STEPS * a; i++) {
        const size_t d = i % a;
        const double width = ops->action_high[d] - ops->action_low[d];
        b->actions[i] = ops->action_low[d] + width * rng_uniform(&rng);
    }
}

static void bench_close(Bench *b) {
    b->ops->destroy(b->self);
    b->ops->destroy(b->other);
    free(b->actions);
    free(b->start);
}

/* processor seconds of CONTROL_STEPS */
static double through_the_environment(Bench *b) {
    double          state[ENV_MAX_STATE];
    EnvironmentStep step;
    check(b->ops->load(b->self, b->start, state));
    const double begin = cpu_seconds();
    for (size_t t = 0; t < CONTROL_STEPS; t++) {
        check(b->ops->step(b->self, b->actions + t * b->ops->action_dim, state, &step));
    }
    return cpu_seconds() - begin;
}

static double bare(Bench *b) {
    double     state[ENV_MAX_STATE];
    MujocoSim *sim = mujoco_task_sim(b->other);
    const int  skip = task_of(b)->frame_skip;
    check(b->ops->load(b->other, b->start, state));
    const double begin = cpu_seconds();
    for (size_t t = 0; t < CONTROL_STEPS; t++) {
        memcpy(sim->data->ctrl, b->actions + t * b->ops->action_dim,
               b->ops->action_dim * sizeof(double));
        for (int i = 0; i < skip; i++) {
            mj_step(sim->model, sim->data);
        }
    }
    return cpu_seconds() - begin;
}

static bool same_end(Bench *b) {
    const MujocoSim *one = mujoco_task_sim(b->self);
    const MujocoSim *two = mujoco_task_sim(b->other);
    return memcmp(one->data->qpos, two->data->qpos, (size_t)one->model->nq * sizeof(double)) == 0 &&
           memcmp(one->data->qvel, two->data->qvel, (size_t)one->model->nv * sizeof(double)) == 0;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* false where the two end apart */
static bool measure(const EnvironmentOps *ops) {
    Bench  b;
    double ratio[MOST_REPETITIONS];
    double whole[MOST_REPETITIONS];
    double inside[MOST_REPETITIONS];
    bench_open(&b, ops);
    (void)through_the_environment(&b); /* warm-up */
    (void)bare(&b);
    const bool same = same_end(&b);
    for (int r = 0; r < repetitions; r++) {
        /* who comes first alternates */
        const double first = r % 2 == 0 ? bare(&b) : through_the_environment(&b);
        const double second = r % 2 == 0 ? through_the_environment(&b) : bare(&b);
        whole[r] = r % 2 == 0 ? second : first;
        inside[r] = r % 2 == 0 ? first : second;
        ratio[r] = r % 2 == 0 ? second / first : first / second;
    }
    qsort(ratio, (size_t)repetitions, sizeof *ratio, ascending);
    qsort(whole, (size_t)repetitions, sizeof *whole, ascending);
    qsort(inside, (size_t)repetitions, sizeof *inside, ascending);
    printf("%s,%d,%.2f,%.4f,%.4f,%.4f,%.4f,%s\n", ops->name, task_of(&b)->frame_skip,
           1e6 * whole[repetitions / 2] / CONTROL_STEPS, ratio[repetitions / 4],
           ratio[repetitions / 2], ratio[3 * repetitions / 4], whole[0] / inside[0],
           same ? "same" : "DIFFERENT");
    bench_close(&b);
    return same;
}

int main(int argc, char **argv) {
    static const char *const names[] = {"cartpole_swingup", "reacher7dof", "pusher", "half_cheetah",
                                        "hopper"};
    const bool               quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    bool                     same = true;
    repetitions = quick ? 5 : repetitions;
    printf("environment,frame_skip,us_per_control_step,ratio_q25,ratio_median,ratio_q75,ratio_of_"
           "minima,end\n");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const EnvironmentOps *ops = NULL;
        check(environment_find(names[i], &ops));
        same = measure(ops) && same;
    }
    return same ? 0 : 1;
}
