/* The swing-up model against the reference tables: compiled constants and 3 rollouts. The folder
 * comes from MBTUNE_REFERENCE, default ../shared/reference/environments beside the source. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_sim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096, NUMBERS = 64, COMPARED_STEPS = 20 };

static FILE *reference_open(const char *name) {
    char        path[LINE_SIZE];
    const char *folder = getenv("MBTUNE_REFERENCE");
    (void)snprintf(path, sizeof path, "%s/%s",
                   folder != NULL ? folder : TEST_SOURCE_FOLDER "/../shared/reference/environments",
                   name);
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

static const mjModel *compiled(void) {
    /* the simulation of the environment shares its model; a snapshot is enough to reach it */
    const EnvironmentOps *ops = NULL;
    static void          *self = NULL;
    assert_ok(environment_find("cartpole_swingup", &ops));
    if (self == NULL) {
        assert_ok(ops->create(ops, &self));
    }
    const MujocoSim *sim = self; /* first member of the environment's state */
    return sim->model;
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
}

static void check_actuator(const mjModel *m, int id, const double *v) {
    expect(m->actuator_gear + 6 * id, v, 1);
    assert_int_equal(m->actuator_ctrllimited[id], (int)v[1]);
    expect(m->actuator_ctrlrange + 2 * id, v + 2, 2);
}

static void compiles_to_the_reference_constants(void **state) {
    (void)state;
    FILE          *file = reference_open("cartpole_swingup.model.tsv");
    const mjModel *m = compiled();
    char           line[LINE_SIZE];
    int            bodies = 0;
    int            joints = 0;
    int            geoms = 0;
    int            actuators = 0;

    assert_true(m->nq == 2 && m->nv == 2 && m->nu == 1 && m->nbody == 3 && m->ngeom == 3);
    while (fgets(line, sizeof line, file) != NULL) {
        double       v[NUMBERS] = {0};
        const size_t count = numbers_of(line, v);
        if (count == 0 || line[0] == '#' || strstr(line, "\tname\t") != NULL) {
            continue; /* a heading */
        }
        if (strncmp(line, "option", 6) == 0) {
            check_option(m, line, v);
        } else if (strncmp(line, "qpos0", 5) == 0) {
            expect(m->qpos0, v, 2);
        } else if (strncmp(line, "body", 4) == 0) {
            check_body(m, ++bodies, v); /* body 0 is the world */
        } else if (strncmp(line, "joint", 5) == 0) {
            check_joint(m, joints++, v);
        } else if (strncmp(line, "geom", 4) == 0) {
            check_geom(m, geoms++, v);
        } else if (strncmp(line, "actuator", 8) == 0) {
            check_actuator(m, actuators++, v);
        }
    }
    (void)fclose(file);
    assert_true(bodies == 2 && joints == 2 && geoms == 3 && actuators == 1);
}

static void rollouts_agree_with_the_reference(void **state) {
    (void)state;
    FILE                 *file = reference_open("cartpole_swingup.rollouts.csv");
    const EnvironmentOps *ops = NULL;
    void                 *self = NULL;
    char                  line[LINE_SIZE];
    int                   compared = 0;
    double                worst = 0.0;

    assert_ok(environment_find("cartpole_swingup", &ops));
    assert_ok(ops->create(ops, &self));
    while (fgets(line, sizeof line, file) != NULL) {
        double          v[NUMBERS];
        double          next[4];
        EnvironmentStep step;
        if (numbers_of(line, v) != 7) {
            continue; /* the heading */
        }
        const double *expected = v + 3;
        if (v[1] == 0.0) {
            /* as the reference starts: positions and velocities, then mj_forward */
            assert_ok(mujoco_sim_start(self, expected, expected + 2));
            continue;
        }
        assert_ok(ops->step(self, v + 2, next, &step));
        assert_false(step.diverged || step.terminated);
        if (v[1] > COMPARED_STEPS) {
            continue;
        }
        for (int i = 0; i < 4; i++) {
            const double error = fabs(next[i] - expected[i]) / fmax(1.0, fabs(expected[i]));
            worst = fmax(worst, error);
            assert_true(error <= 1e-6);
        }
        compared++;
    }
    (void)fclose(file);
    ops->destroy(self);
    print_message("largest error %.3g over %d steps\n", worst, compared);
    assert_int_equal(compared, 3 * COMPARED_STEPS);
}

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
        cmocka_unit_test(compiles_to_the_reference_constants),
        cmocka_unit_test(rollouts_agree_with_the_reference),
        cmocka_unit_test(upright_pays_one_and_hanging_little),
        cmocka_unit_test(a_model_that_does_not_compile_is_an_error),
        cmocka_unit_test(a_blow_up_is_divergence),
        cmocka_unit_test(snapshots_at_the_end_of_the_rail_continue_bit_for_bit),
    };
    return cmocka_run_group_tests_name("mbrl/environment_swingup", tests, NULL, NULL);
}
