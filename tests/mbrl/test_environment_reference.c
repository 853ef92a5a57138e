/* Our MuJoCo models against the reference tables: compiled constants and 3 rollouts each. The
 * folder comes from MBTUNE_REFERENCE, default ../shared/reference/environments beside the source.
 */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096, NUMBERS = 64, COMPARED_STEPS = 20 };

static FILE *reference_open(const char *name, const char *what) {
    char        path[LINE_SIZE];
    const char *folder = getenv("MBTUNE_REFERENCE");
    (void)snprintf(path, sizeof path, "%s/%s.%s",
                   folder != NULL ? folder : TEST_SOURCE_FOLDER "/../shared/reference/environments",
                   name, what);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        test_skip("the reference physics is not here (set MBTUNE_REFERENCE)");
    }
    return file;
}

/* Every number of a line, wherever it stands between separators; words are skipped. */
static size_t numbers_of(const char *line, double *out) {
    size_t      count = 0;
    const char *p = line;
    while (*p != '\0' && count < NUMBERS) {
        char        *end = NULL;
        const double value = strtod(p, &end);
        if (end != p && strchr("\t ,\r\n", *end) != NULL) {
            out[count++] = value;
            p = end;
        } else {
            p += strcspn(p, "\t ,");
        }
        p += strspn(p, "\t ,\r\n");
    }
    return count;
}

/* One environment at work with its simulation. */
typedef struct Bench {
    const EnvironmentOps *ops;
    void                 *self;
    const mjModel        *model;
} Bench;

static void bench_open(Bench *bench, const char *name) {
    assert_ok(environment_find(name, &bench->ops));
    assert_ok(bench->ops->create(bench->ops, &bench->self));
    bench->model = mujoco_task_sim(bench->self)->model;
}

static void expect(const double *actual, const double *expected, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_close(actual[i], expected[i], 1e-12, 1e-12);
    }
}

/* A principal frame is free up to signs: compare |q . p| with 1. */
static void expect_rotation(const double *q, const double *p) {
    const double dot = q[0] * p[0] + q[1] * p[1] + q[2] * p[2] + q[3] * p[3];
    assert_close(fabs(dot), 1.0, 1e-9, 0);
}

static void check_option(const mjModel *m, const char *line, const double *v) {
    if (strstr(line, "timestep") != NULL) {
        assert_close(m->opt.timestep, v[0], 0, 1e-15);
    } else if (strstr(line, "gravity") != NULL) {
        expect(m->opt.gravity, v, 3);
    } else if (strstr(line, "integrator") != NULL) {
        assert_int_equal(m->opt.integrator, (int)v[0]);
    } else if (strstr(line, "viscosity") != NULL) {
        assert_close(m->opt.viscosity, v[0], 0, 0);
    } else if (strstr(line, "density") != NULL) {
        assert_close(m->opt.density, v[0], 0, 0);
    } else if (strstr(line, "iterations") != NULL) {
        assert_int_equal(m->opt.iterations, (int)v[0]);
    } else if (strstr(line, "solver") != NULL) {
        assert_int_equal(m->opt.solver, (int)v[0]);
    } else if (strstr(line, "cone") != NULL) {
        assert_int_equal(m->opt.cone, (int)v[0]);
    }
}

static void check_body(const mjModel *m, int id, const double *v) {
    expect(m->body_pos + 3 * id, v, 3);
    expect_rotation(m->body_quat + 4 * id, v + 3);
    expect(m->body_mass + id, v + 7, 1);
    expect(m->body_inertia + 3 * id, v + 8, 3);
    expect(m->body_ipos + 3 * id, v + 11, 3);
    expect_rotation(m->body_iquat + 4 * id, v + 14);
}

static void check_joint(const mjModel *m, int id, const double *v) {
    assert_int_equal(m->jnt_type[id], (int)v[0]);
    expect(m->jnt_pos + 3 * id, v + 1, 3);
    expect(m->jnt_axis + 3 * id, v + 4, 3);
    assert_int_equal(m->jnt_limited[id], (int)v[7]);
    if (m->jnt_limited[id]) {
        expect(m->jnt_range + 2 * id, v + 8, 2);
    }
    expect(m->jnt_stiffness + id, v + 10, 1);
    expect(m->qpos_spring + id, v + 11, 1);
    expect(m->dof_damping + id, v + 12, 1);
    expect(m->dof_armature + id, v + 13, 1);
    expect(m->dof_frictionloss + id, v + 14, 1);
    expect(m->jnt_solref + 2 * id, v + 15, 2);
    expect(m->jnt_solimp + 5 * id, v + 17, 5);
}

static void check_geom(const mjModel *m, int id, const double *v) {
    assert_int_equal(m->geom_type[id], (int)v[0]);
    expect(m->geom_pos + 3 * id, v + 1, 3);
    expect_rotation(m->geom_quat + 4 * id, v + 4);
    expect(m->geom_size + 3 * id, v + 8, 3);
    assert_int_equal(m->geom_contype[id], (int)v[11]);
    assert_int_equal(m->geom_conaffinity[id], (int)v[12]);
    assert_int_equal(m->geom_condim[id], (int)v[13]);
    expect(m->geom_friction + 3 * id, v + 14, 3);
    expect(m->geom_margin + id, v + 17, 1);
    expect(m->geom_gap + id, v + 18, 1);
    expect(m->geom_solref + 2 * id, v + 19, 2);
    expect(m->geom_solimp + 5 * id, v + 21, 5);
    expect(m->geom_solmix + id, v + 26, 1);
    assert_int_equal(m->geom_priority[id], (int)v[27]);
}

static void check_actuator(const mjModel *m, int id, const double *v) {
    expect(m->actuator_gear + 6 * id, v, 1);
    assert_int_equal(m->actuator_ctrllimited[id], (int)v[1]);
    expect(m->actuator_ctrlrange + 2 * id, v + 2, 2);
}

static void check_line(const mjModel *m, const char *line, const double *v, int *counts) {
    if (strncmp(line, "option", 6) == 0) {
        check_option(m, line, v);
    } else if (strncmp(line, "qpos0", 5) == 0) {
        expect(m->qpos0, v, (size_t)m->nq);
    } else if (strncmp(line, "body", 4) == 0) {
        check_body(m, ++counts[0], v); /* body 0 is the world */
    } else if (strncmp(line, "joint", 5) == 0) {
        check_joint(m, counts[1]++, v);
    } else if (strncmp(line, "geom", 4) == 0) {
        check_geom(m, counts[2]++, v);
    } else if (strncmp(line, "actuator", 8) == 0) {
        check_actuator(m, counts[3]++, v);
    }
}

static void check_constants(const char *name) {
    FILE *file = reference_open(name, "model.tsv");
    Bench bench;
    char  line[LINE_SIZE];
    int   counts[4] = {0}; /* bodies, joints, geoms, actuators */

    bench_open(&bench, name);
    while (fgets(line, sizeof line, file) != NULL) {
        double       v[NUMBERS] = {0};
        const size_t count = numbers_of(line, v);
        if (count > 0 && line[0] != '#' && strstr(line, "\tname\t") == NULL) {
            check_line(bench.model, line, v, counts);
        }
    }
    (void)fclose(file);
    assert_int_equal(counts[0], bench.model->nbody - 1);
    assert_int_equal(counts[1], bench.model->njnt);
    assert_int_equal(counts[2], bench.model->ngeom);
    assert_int_equal(counts[3], bench.model->nu);
    bench.ops->destroy(bench.self);
}

/* Errors of positions and velocities, relative to max(1, |x|). */
static double worst_error(const MujocoSim *sim, const double *expected) {
    const int nq = sim->model->nq;
    double    worst = 0.0;
    for (int i = 0; i < nq + sim->model->nv; i++) {
        const double value = i < nq ? sim->data->qpos[i] : sim->data->qvel[i - nq];
        worst = fmax(worst, fabs(value - expected[i]) / fmax(1.0, fabs(expected[i])));
    }
    return worst;
}

static void check_rollouts(const char *name) {
    FILE  *file = reference_open(name, "rollouts.csv");
    Bench  bench;
    char   line[LINE_SIZE];
    int    compared = 0;
    double early = 0.0;
    double all = 0.0;

    bench_open(&bench, name);
    MujocoSim   *sim = mujoco_task_sim(bench.self);
    const size_t actions = bench.ops->action_dim;
    const size_t columns = 2 + actions + (size_t)(bench.model->nq + bench.model->nv);
    while (fgets(line, sizeof line, file) != NULL) {
        double          v[NUMBERS];
        double          next[ENV_MAX_STATE];
        EnvironmentStep step;
        const double   *expected = v + 2 + actions;
        if (numbers_of(line, v) != columns) {
            continue; /* the heading */
        }
        if (v[1] == 0.0) {
            /* as the reference starts: positions and velocities, then mj_forward */
            assert_ok(mujoco_sim_start(sim, expected, expected + bench.model->nq));
            continue;
        }
        assert_ok(bench.ops->step(bench.self, v + 2, next, &step));
        assert_false(step.diverged || step.terminated);
        const double error = worst_error(sim, expected);
        all = fmax(all, error);
        if (v[1] <= COMPARED_STEPS) {
            early = fmax(early, error);
            compared++;
        }
    }
    (void)fclose(file);
    bench.ops->destroy(bench.self);
    print_message("%s: largest error %.3g over the first %d control steps of 3 episodes, %.3g over "
                  "all 50\n",
                  name, early, COMPARED_STEPS, all);
    assert_int_equal(compared, 3 * COMPARED_STEPS);
    assert_true(early <= 1e-6);
}

#define REFERENCE_TESTS(name)                                    \
    static void name##_compiles_to_the_constants(void **state) { \
        (void)state;                                             \
        check_constants(#name);                                  \
    }                                                            \
    static void name##_agrees_with_the_rollouts(void **state) {  \
        (void)state;                                             \
        check_rollouts(#name);                                   \
    }

REFERENCE_TESTS(cartpole_swingup)
REFERENCE_TESTS(reacher7dof)
REFERENCE_TESTS(pusher)
REFERENCE_TESTS(half_cheetah)
REFERENCE_TESTS(hopper)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cartpole_swingup_compiles_to_the_constants),
        cmocka_unit_test(cartpole_swingup_agrees_with_the_rollouts),
        cmocka_unit_test(reacher7dof_compiles_to_the_constants),
        cmocka_unit_test(reacher7dof_agrees_with_the_rollouts),
        cmocka_unit_test(pusher_compiles_to_the_constants),
        cmocka_unit_test(pusher_agrees_with_the_rollouts),
        cmocka_unit_test(half_cheetah_compiles_to_the_constants),
        cmocka_unit_test(half_cheetah_agrees_with_the_rollouts),
        cmocka_unit_test(hopper_compiles_to_the_constants),
        cmocka_unit_test(hopper_agrees_with_the_rollouts),
    };
    return cmocka_run_group_tests_name("mbrl/environment_reference", tests, NULL, NULL);
}
