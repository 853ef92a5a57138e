/* The element-wise kernels alone, on every instruction set; test_network.c has them in networks. */
#include "tests/support/test_support.h"

#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *aligned_floats(size_t n) {
    float *out = aligned_alloc(LANE_ALIGNMENT, (n * sizeof *out + 63) / 64 * 64);
    assert_non_null(out);
    return out;
}

/* Within 2^-21 where e^-x is moderate; far below 0, where swish is x e^x, within the error that the
 * rounding of x makes there. The slope has 1 - sigmoid
 * in it, which is rounded before it is multiplied by x. */
static void activations_keep_their_relative_accuracy(void **state) {
    (void)state;
    enum { POINTS = 1600 };
    float *x = aligned_floats(POINTS);
    float *slope = aligned_floats(POINTS);
    for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
        lanes_limit((LaneLevel)level);
        for (size_t i = 0; i < POINTS; i++) {
            x[i] = -86.0f + 0.07f * (float)i;
        }
        lanes_activate_slope(ACTIVATION_SWISH, x, slope, POINTS);
        for (size_t i = 0; i < POINTS; i++) {
            const double at = (double)(-86.0f + 0.07f * (float)i);
            const double sigmoid = 1.0 / (1.0 + exp(-at));
            const double bound = 5e-7 + ((at < 0.0) ? -at * 2e-8 : 0.0);
            assert_close((double)x[i], at * sigmoid, 0.0, bound);
            assert_close((double)slope[i], sigmoid * (1.0 + at * (1.0 - sigmoid)),
                         1.2e-7 * (1.0 + fabs(at)), bound);
            slope[i] = (float)at;
        }
        lanes_activate(ACTIVATION_SWISH, slope, POINTS);
        assert_memory_equal(slope, x, POINTS * sizeof *x);
    }
    free(x);
    free(slope);
}

/* features, then the 1 of the bias, then 0: whole and broken squares of 16 */
static void input_rows_are_the_block_turned_over(void **state) {
    (void)state;
    enum { LANES = 32, MOST = 48 };
    float *x = aligned_floats((size_t)MOST * LANES);
    float *rows = aligned_floats((size_t)MOST * LANES);
    for (size_t i = 0; i < (size_t)MOST * LANES; i++) {
        x[i] = (float)(i + 2);
    }
    for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
        lanes_limit((LaneLevel)level);
        for (size_t features = 1; features < MOST; features++) {
            const size_t stride = (features + LANE_STEP) / LANE_STEP * LANE_STEP;
            memset(rows, 0xff, (size_t)MOST * LANES * sizeof *rows);
            lanes_input_rows(x, features, LANES, rows, stride);
            for (size_t i = 0; i < LANES * stride; i++) {
                const size_t at = i % stride;
                const float  padding = (at == features) ? 1.0f : 0.0f;
                assert_true(rows[i] == ((at < features) ? x[at * LANES + i / stride] : padding));
            }
        }
    }
    free(x);
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_keep_their_relative_accuracy),
        cmocka_unit_test(input_rows_are_the_block_turned_over),
    };
    return cmocka_run_group_tests_name("mbrl/lane_kernels", tests, NULL, NULL);
}
