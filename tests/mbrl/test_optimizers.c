/* Every optimizer against its paper in double, against steps worked out by hand, and against itself
 * on other instruction sets. */
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_optimizers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *aligned_floats(size_t n) {
    float *out = aligned_alloc(LANE_ALIGNMENT, (n * sizeof *out + 63) / 64 * 64);
    assert_non_null(out);
    memset(out, 0, n * sizeof *out);
    return out;
}

static void fill_random(Rng *rng, float *x, size_t n, double scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(scale * rng_normal(rng));
    }
}

/* One step of an optimizer in double, written from its paper; m and v are what it remembers. */
static double step_in_double(OptimizerKind kind, int t, double g, double *m, double *v) {
    switch (kind) {
    case OPTIMIZER_ADAM:
        *m = 0.9 * *m + 0.1 * g;
        *v = 0.999 * *v + 0.001 * g * g;
        return 0.01 * (*m / (1.0 - pow(0.9, t))) / (sqrt(*v / (1.0 - pow(0.999, t))) + 1e-8);
    case OPTIMIZER_ADADELTA: {
        *m = 0.95 * *m + 0.05 * g * g;
        const double x = sqrt(*v + 1e-6) / sqrt(*m + 1e-6) * g;
        *v = 0.95 * *v + 0.05 * x * x;
        return 0.01 * x;
    }
    case OPTIMIZER_ADAGRAD:
        *m += g * g;
        return 0.01 * g / (sqrt(*m) + 1e-10);
    case OPTIMIZER_SGD:
        *m = 0.7 * *m + g;
        return 0.01 * *m;
    case OPTIMIZER_RMSPROP:
        *m = 0.9 * *m + 0.1 * g * g;
        return 0.01 * g / (sqrt(*m) + 1e-8);
    }
    return (double)NAN;
}

enum { STEPPED = 16 };

typedef struct Stepped {
    float *weight;
    float *first;
    float *second;
    float *gradient;
    float *decay;
} Stepped;

static Stepped stepped_make(void) {
    return (Stepped){aligned_floats(STEPPED), aligned_floats(STEPPED), aligned_floats(STEPPED),
                     aligned_floats(STEPPED), aligned_floats(STEPPED)};
}

static void stepped_free(Stepped *s) {
    free(s->weight);
    free(s->first);
    free(s->second);
    free(s->gradient);
    free(s->decay);
}

static void step_once(OptimizerKind kind, const Stepped *s, int t) {
    lanes_optimize(kind, &(OptimizerStep){.rate = optimizer_rate(kind, 0.01, t),
                                          .inverse_root = optimizer_inverse_root(kind, t),
                                          .momentum = 0.7f,
                                          .rows = 1,
                                          .period = STEPPED,
                                          .decay = s->decay,
                                          .gradient = s->gradient,
                                          .weight = s->weight,
                                          .first = s->first,
                                          .second = s->second});
}

/* Five steps, decay on the first half only; the last gradient is so small that epsilon matters. */
static void optimizers_agree_with_double(void **state) {
    (void)state;
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_RMSPROP; kind++) {
        Stepped s = stepped_make();
        double  w[STEPPED];
        double  m[STEPPED] = {0.0};
        double  v[STEPPED] = {0.0};
        Rng     rng = rng_stream(5, 0, RNG_TEST);
        fill_random(&rng, s.weight, STEPPED, 1.0);
        for (size_t i = 0; i < STEPPED; i++) {
            w[i] = (double)s.weight[i];
            s.decay[i] = (i < STEPPED / 2) ? 0.1f : 0.0f;
        }
        for (int t = 1; t <= 5; t++) {
            fill_random(&rng, s.gradient, STEPPED, (t == 1) ? 1e-4 : 1.0);
            step_once((OptimizerKind)kind, &s, t);
            for (size_t i = 0; i < STEPPED; i++) {
                const double g = (double)s.gradient[i] + (double)s.decay[i] * w[i];
                w[i] -= step_in_double((OptimizerKind)kind, t, g, &m[i], &v[i]);
                assert_close((double)s.weight[i], w[i], 1e-6, 1e-6);
                assert_close((double)s.first[i], m[i], 1e-7, 1e-5);
            }
        }
        stepped_free(&s);
    }
}

/* Worked out by hand: weight 1, gradient 0.5 twice, no decay, rate 0.01, momentum 0.7. */
static void optimizers_step_as_worked_out_by_hand(void **state) {
    (void)state;
    const double expected[][2] = {
        /* both corrected moments are those of a constant gradient: 0.01 each */
        [OPTIMIZER_ADAM] = {0.99, 0.98},
        /* v = 0.0125; x = 1e-3 / sqrt(0.012501) 0.5; then v = 0.024375, u = 0.05 x^2 + 1e-6 */
        [OPTIMIZER_ADADELTA] = {1.0 - 0.01 * 4.4719567e-3, 1.0 - 0.01 * (4.4719567e-3 + 4.5291e-3)},
        /* sums 0.25 and 0.5 */
        [OPTIMIZER_ADAGRAD] = {0.99, 0.99 - 0.01 / 1.41421356},
        /* 0.5, then 0.35 + 0.5 */
        [OPTIMIZER_SGD] = {0.995, 0.9865},
        /* 0.025, then 0.0225 + 0.025 */
        [OPTIMIZER_RMSPROP] = {1.0 - 0.01 * 3.16227766, 1.0 - 0.01 * (3.16227766 + 2.29415734)},
    };
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_RMSPROP; kind++) {
        Stepped s = stepped_make();
        s.weight[3] = 1.0f;
        s.gradient[3] = 0.5f;
        for (int t = 1; t <= 2; t++) {
            step_once((OptimizerKind)kind, &s, t);
            assert_close((double)s.weight[3], expected[kind][t - 1], 3e-7, 0.0);
            /* a gradient of 0, as padding has, moves nothing */
            assert_true(s.weight[4] == 0.0f && s.first[4] == 0.0f && s.second[4] == 0.0f);
        }
        stepped_free(&s);
    }
}

/* the level changes the speed only */
static void every_instruction_set_steps_to_the_same_bits(void **state) {
    (void)state;
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_RMSPROP; kind++) {
        Stepped best = stepped_make();
        for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
            Stepped s = stepped_make();
            Rng     rng = rng_stream(6, 0, RNG_TEST);
            lanes_limit((LaneLevel)level);
            fill_random(&rng, s.weight, STEPPED, 1.0);
            fill_random(&rng, s.decay, STEPPED, 0.1);
            for (int t = 1; t <= 4; t++) {
                fill_random(&rng, s.gradient, STEPPED, 1.0);
                step_once((OptimizerKind)kind, &s, t);
            }
            if (level == LANES_PORTABLE) {
                memcpy(best.weight, s.weight, STEPPED * sizeof(float));
                memcpy(best.second, s.second, STEPPED * sizeof(float));
            }
            assert_memory_equal(s.weight, best.weight, STEPPED * sizeof(float));
            assert_memory_equal(s.second, best.second, STEPPED * sizeof(float));
            stepped_free(&s);
        }
        stepped_free(&best);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_agree_with_double),
        cmocka_unit_test(optimizers_step_as_worked_out_by_hand),
        cmocka_unit_test(every_instruction_set_steps_to_the_same_bits),
    };
    return cmocka_run_group_tests_name("mbrl/optimizers", tests, NULL, NULL);
}
