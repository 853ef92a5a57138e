/* The environments that are a few equations, against steps worked out by hand, other forms of the
 * same equations, and energy. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"

#include <math.h>
#include <string.h>

typedef struct Bench {
    const EnvironmentOps *ops;
    void                 *self;
    double                state[ENV_MAX_STATE];
    EnvironmentStep       step;
} Bench;

static void bench_open(Bench *bench, const char *name) {
    assert_ok(environment_find(name, &bench->ops));
    assert_ok(bench->ops->create(bench->ops, &bench->self));
}

/* one step from the simulated numbers x; state and step are those after it */
static void bench_step(Bench *bench, const double *x, double action) {
    assert_ok(bench->ops->load(bench->self, x, bench->state));
    assert_ok(bench->ops->step(bench->self, &action, bench->state, &bench->step));
    assert_false(bench->step.diverged);
}

static void bench_close(Bench *bench) {
    bench->ops->destroy(bench->self);
}

/* theta'' = 15 sin theta + 3 u; the speed first, then the angle with the new speed; the reward is
 * that of the state before. */
static void pendulum_steps_as_by_hand(void **state) {
    (void)state;
    Bench        bench;
    const double x[2] = {M_PI / 6.0, 1.0};
    bench_open(&bench, "pendulum");
    bench_step(&bench, x, -2.0);
    const double speed = 1.0 + 0.05 * (7.5 - 6.0);
    const double angle = M_PI / 6.0 + 0.05 * speed;
    assert_close(bench.state[0], cos(angle), 1e-15, 0);
    assert_close(bench.state[1], sin(angle), 1e-15, 0);
    assert_close(bench.state[2], speed, 1e-15, 0);
    assert_close(bench.step.reward, -(M_PI * M_PI / 36.0 + 0.1 + 0.004), 1e-14, 0);
    bench_close(&bench);
}

/* MBBL's: action 1 is 2 N m, the angle moves before the speed is limited, hanging pays +1. */
static void mbbl_pendulum_is_kept_as_it_was_coded(void **state) {
    (void)state;
    Bench        bench;
    const double fast[2] = {M_PI / 2.0, 7.9};
    const double hanging[2] = {M_PI, 0.0};
    bench_open(&bench, "mbbl_pendulum");
    bench_step(&bench, fast, 1.0);
    const double angle = M_PI / 2.0 + 0.05 * (7.9 + 0.05 * 21.0);
    assert_close(bench.state[0], cos(angle), 1e-15, 0);
    assert_close(bench.state[2], 8.0, 0, 0);
    assert_close(bench.step.reward, -(0.1 + 6.241 + 0.004), 1e-14, 0);
    bench_step(&bench, hanging, 0.0);
    assert_close(bench.step.reward, 1.0, 1e-14, 0);
    bench_close(&bench);
    /* gym's own limits first */
    bench_open(&bench, "pendulum");
    bench_step(&bench, fast, 2.0);
    assert_close(bench.state[0], cos(M_PI / 2.0 + 0.05 * 8.0), 1e-15, 0);
    bench_close(&bench);
}

/* The same dynamics as `cartpole` at full force, in the direction of the action's sign, on and on.
 */
static void mbbl_cartpole_moves_like_cartpole_at_full_force(void **state) {
    (void)state;
    Bench        one;
    Bench        two;
    double       x[4] = {0.01, -0.02, 0.03, 0.04};
    const double pushes[4] = {0.2, -0.7, 0.01, 1.0};
    bench_open(&one, "mbbl_cartpole");
    bench_open(&two, "cartpole");
    for (int t = 0; t < 100; t++) {
        const double before[2] = {x[0], x[2]};
        bench_step(&one, x, pushes[t % 4]);
        assert_false(one.step.terminated);
        assert_close(one.step.reward, cos(before[1]) - 0.01 * before[0] * before[0], 1e-15, 0);
        bench_step(&two, x, pushes[t % 4] > 0 ? 1.0 : -1.0);
        assert_memory_equal(one.state, two.state, sizeof x);
        memcpy(x, one.state, sizeof x);
    }
    bench_step(&one, x, 0.0); /* no action is a push to the left */
    bench_step(&two, x, -1.0);
    assert_memory_equal(one.state, two.state, sizeof x);
    bench_close(&one);
    bench_close(&two);
}

/* Sutton & Barto's book, with its names: d1, d2, phi1, phi2. */
static void acrobot_of_the_book(const double *y, double torque, double *out) {
    const double d1 = 0.25 + (1.0 + 0.25 + cos(y[1])) + 2.0;
    const double d2 = 0.25 + 0.5 * cos(y[1]) + 1.0;
    const double phi2 = 4.9 * cos(y[0] + y[1] - M_PI / 2.0);
    const double phi1 = -0.5 * y[3] * y[3] * sin(y[1]) - y[3] * y[2] * sin(y[1]) +
                        14.7 * cos(y[0] - M_PI / 2.0) + phi2;
    const double outer =
        (torque + d2 / d1 * phi1 - 0.5 * y[2] * y[2] * sin(y[1]) - phi2) / (1.25 - d2 * d2 / d1);
    out[0] = y[2];
    out[1] = y[3];
    out[2] = -(d2 * outer + phi1) / d1;
    out[3] = outer;
}

typedef void (*Derivative)(const double *y, double action, double *out);

static void runge_kutta(Derivative derivative, double action, double h, int n, double *y) {
    static const double at[4] = {0.0, 0.5, 0.5, 1.0};
    static const double weight[4] = {1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0};
    double              k[6] = {0};
    double              sum[6] = {0};
    for (int i = 0; i < 4; i++) {
        double point[6];
        for (int d = 0; d < n; d++) {
            point[d] = y[d] + at[i] * h * k[d];
        }
        derivative(point, action, k);
        for (int d = 0; d < n; d++) {
            sum[d] += weight[i] * k[d];
        }
    }
    for (int d = 0; d < n; d++) {
        y[d] += h * sum[d];
    }
}

static void acrobot_is_that_of_the_book(void **state) {
    (void)state;
    Bench bench;
    Rng   rng = rng_stream(5, 0, RNG_TEST);
    bench_open(&bench, "mbbl_acrobot");
    for (int t = 0; t < 200; t++) {
        double x[4] = {rng_normal(&rng), rng_normal(&rng), rng_normal(&rng), rng_normal(&rng)};
        const double action = 2.0 * rng_uniform(&rng) - 1.0;
        const double height = -cos(x[0]) - cos(x[0] + x[1]);
        bench_step(&bench, x, action);
        runge_kutta(acrobot_of_the_book,
                    action < -0.33  ? -1.0
                    : action < 0.33 ? 0.0
                                    : 1.0,
                    0.2, 4, x);
        assert_close(bench.state[0], cos(x[0]), 1e-12, 0);
        assert_close(bench.state[1], sin(x[0]), 1e-12, 0);
        assert_close(bench.state[2], cos(x[1]), 1e-12, 0);
        assert_close(bench.state[3], sin(x[1]), 1e-12, 0);
        assert_close(bench.state[4], x[2], 1e-12, 1e-12);
        assert_close(bench.state[5], x[3], 1e-12, 1e-12);
        assert_close(bench.step.reward, height, 1e-14, 0);
    }
    bench_close(&bench);
}

static double determinant(double a[3][3]) {
    return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
           a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
           a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
}

/* Deisenroth (2010), Appendix C: three equations for the accelerations, here by Cramer's rule; all
 * masses m = 0.5, both lengths l = 0.6 */
static void cart_with_two_links(const double *y, double force, double *out) {
    const double m = 0.5;
    const double l = 0.6;
    const double g = 9.82;
    const double d = y[1] - y[2];
    double       a[3][3] = {{6 * m, -3 * m * l * cos(y[1]), -m * l * cos(y[2])},
                            {-9 * m * cos(y[1]), 8 * m * l, 3 * m * l * cos(d)},
                            {-3 * cos(y[2]), 3 * l * cos(d), 2 * l}};
    const double b[3] = {2 * force - 2 * 0.1 * y[3] - 3 * m * l * y[4] * y[4] * sin(y[1]) -
                             m * l * y[5] * y[5] * sin(y[2]),
                         9 * m * g * sin(y[1]) - 3 * m * l * y[5] * y[5] * sin(d),
                         3 * l * y[4] * y[4] * sin(d) + 3 * g * sin(y[2])};
    for (int i = 0; i < 3; i++) {
        double replaced[3][3];
        memcpy(replaced, a, sizeof replaced);
        for (int k = 0; k < 3; k++) {
            replaced[k][i] = b[k];
        }
        out[i] = y[3 + i];
        out[3 + i] = determinant(replaced) / determinant(a);
    }
}

static void double_pendulum_is_that_of_pilco(void **state) {
    (void)state;
    Bench bench;
    Rng   rng = rng_stream(8, 0, RNG_TEST);
    bench_open(&bench, "double_pendulum_swingup");
    for (int t = 0; t < 100; t++) {
        double       x[6];
        const double force = 20.0 * (2.0 * rng_uniform(&rng) - 1.0);
        for (int i = 0; i < 6; i++) {
            x[i] = 2.0 * rng_normal(&rng);
        }
        bench_step(&bench, x, force);
        for (int i = 0; i < 10; i++) {
            runge_kutta(cart_with_two_links, force, 0.005, 6, x);
        }
        for (int i = 0; i < 6; i++) {
            assert_close(bench.state[i], x[i], 1e-9, 1e-9);
        }
    }
    bench_close(&bench);
}

/* energy of the cart with two links; kinetic energy of a uniform rod from the speeds of its ends:
 * m (u.u + u.v + v.v) / 6 */
static double energy(const double *y) {
    const double mass = 0.5;
    const double l = 0.6;
    const double ends[3][2] = {
        {y[3], 0.0},
        {y[3] - l * y[4] * cos(y[1]), -l * y[4] * sin(y[1])},
        {y[3] - l * y[4] * cos(y[1]) - l * y[5] * cos(y[2]),
         -l * y[4] * sin(y[1]) - l * y[5] * sin(y[2])},
    };
    double total = 0.5 * 0.5 * y[3] * y[3];
    for (int i = 0; i < 2; i++) {
        const double *u = ends[i];
        const double *v = ends[i + 1];
        total +=
            mass / 6.0 *
            (u[0] * u[0] + u[1] * u[1] + u[0] * v[0] + u[1] * v[1] + v[0] * v[0] + v[1] * v[1]);
    }
    return total + mass * 9.82 * (0.5 * l * cos(y[1]) + l * cos(y[1]) + 0.5 * l * cos(y[2]));
}

/* What the force does less what friction takes is what the energy gains: integrated by Simpson's
 * rule between the states, so the bound is that rule's at 0.05 s. */
static void double_pendulum_keeps_its_energy(void **state) {
    (void)state;
    Bench  bench;
    double x[6] = {0.0, 0.3, -0.2, 0.0, 0.0, 0.0};
    double lost = 0.0;
    bench_open(&bench, "double_pendulum_swingup");
    const double start = energy(x);
    double       v[3] = {x[3], 0, 0};
    for (int t = 0; t < 12; t++) {
        bench_step(&bench, x, 0.0);
        memcpy(x, bench.state, sizeof x);
        v[1 + t % 2] = x[3];
        if (t % 2 == 1) {
            lost += 0.1 * 0.1 / 6.0 * (v[0] * v[0] + 4.0 * v[1] * v[1] + v[2] * v[2]);
            v[0] = v[2];
        }
    }
    assert_true(lost > 0.01); /* it moved */
    assert_close(energy(x), start - lost, 2e-3, 0);
    bench_close(&bench);
}

static void double_pendulum_pays_for_the_tip_at_the_top(void **state) {
    (void)state;
    const EnvironmentOps *ops = NULL;
    const double          idle[1] = {0.0};
    const double          up[6] = {0};
    const double          aside[6] = {0.5};
    const double          hanging[6] = {0.0, M_PI, M_PI};
    assert_ok(environment_find("double_pendulum_swingup", &ops));
    assert_close(ops->reward(ops, hanging, idle, up), 1.0, 1e-15, 0);
    assert_close(ops->reward(ops, hanging, idle, aside), exp(-0.5), 1e-15, 0);
    assert_close(ops->reward(ops, up, idle, hanging), exp(-2.4 * 2.4 / 0.5), 1e-15, 0);
}

/* A pole that falls comes to rest at the end of its hinge, a cart at the end of its rail. */
static void inverted_pendulum_stops_at_its_ends(void **state) {
    (void)state;
    Bench  bench;
    double x[4] = {0.0, 0.1, 0.0, 0.0};
    bench_open(&bench, "mbbl_inverted_pendulum");
    for (int t = 0; t < 100; t++) {
        bench_step(&bench, x, 0.0);
        memcpy(x, bench.state, sizeof x);
        assert_true(fabs(x[1]) <= M_PI_2 && fabs(x[0]) <= 1.0);
    }
    assert_close(x[1], M_PI_2, 1e-3, 0);
    for (int t = 0; t < 100; t++) {
        bench_step(&bench, x, 3.0);
        memcpy(x, bench.state, sizeof x);
        assert_true(fabs(x[1]) <= M_PI_2 && fabs(x[0]) <= 1.0);
    }
    assert_close(x[0], 1.0, 1e-3, 0);
    assert_close(x[2], 0.0, 1e-1, 0);
    bench_close(&bench);
}

/* An impact conserves the momentum that belongs to the coordinate that is free to move. */
static void an_impact_at_the_end_of_the_rail_swings_the_pole(void **state) {
    (void)state;
    Bench        bench;
    const double x[4] = {0.999, 0.0, 2.0, 0.0};
    bench_open(&bench, "mbbl_inverted_pendulum");
    bench_step(&bench, x, 0.0);
    assert_close(bench.state[2], 0.0, 0.2, 0);
    /* M12 / M22 of about 2 m/s */
    const double share = 5.0186 * 0.3 / (5.0186 * 0.09 + 0.18875);
    assert_close(bench.state[3], share * 2.0, 0.3, 0);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pendulum_steps_as_by_hand),
        cmocka_unit_test(mbbl_pendulum_is_kept_as_it_was_coded),
        cmocka_unit_test(mbbl_cartpole_moves_like_cartpole_at_full_force),
        cmocka_unit_test(acrobot_is_that_of_the_book),
        cmocka_unit_test(double_pendulum_is_that_of_pilco),
        cmocka_unit_test(double_pendulum_keeps_its_energy),
        cmocka_unit_test(double_pendulum_pays_for_the_tip_at_the_top),
        cmocka_unit_test(inverted_pendulum_stops_at_its_ends),
        cmocka_unit_test(an_impact_at_the_end_of_the_rail_swings_the_pole),
    };
    return cmocka_run_group_tests_name("mbrl/environment_plain", tests, NULL, NULL);
}
