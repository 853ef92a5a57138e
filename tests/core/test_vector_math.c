#include "tests/support/test_support.h"

#include "core/vector_math.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { COUNT = 400000 };

static float input[COUNT];
static float output[COUNT];
static float second[COUNT];

typedef void (*Kernel)(const float *x, float *out, size_t n);
typedef double (*Exact)(double x);

/* distance in units of the last place of the float nearest to `exact` */
static double ulps(float actual, double exact) {
    const double size = fmax(fabs(exact), (double)FLT_MIN);
    int          exponent;
    (void)frexp(size, &exponent);
    return fabs((double)actual - exact) / ldexp(1.0, exponent - FLT_MANT_DIG);
}

static void spread(double low, double high) {
    for (size_t i = 0; i < COUNT; i++) {
        input[i] = (float)(low + (high - low) * (double)i / (COUNT - 1));
    }
}

/* largest error over the input where the exact result is a normal float */
static double worst(Kernel kernel, Exact exact) {
    double largest = 0.0;
    kernel(input, output, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const double expected = exact((double)input[i]);
        if (fabs(expected) >= (double)FLT_MIN && fabs(expected) <= (double)FLT_MAX) {
            largest = fmax(largest, ulps(output[i], expected));
        }
    }
    return largest;
}

static double exact_sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static void check_bound(const char *name, Kernel kernel, Exact exact, double bound) {
    const double largest = worst(kernel, exact);
    print_message("%s: %.3f ulp\n", name, largest);
    assert_true(largest <= bound);
}

static void exp_is_within_its_bound(void **state) {
    (void)state;
    spread(-87.3, 88.7);
    check_bound("exp", vector_exp, exp, 1.0);
    spread(-1.0, 1.0);
    check_bound("exp near 0", vector_exp, exp, 1.0);
}

static void log_is_within_its_bound(void **state) {
    (void)state;
    spread(1e-6, 4.0);
    check_bound("log", vector_log, log, 1.0);
    spread(0.9, 1.1);
    check_bound("log near 1", vector_log, log, 1.0);
    /* every exponent, subnormal numbers too */
    for (size_t i = 0; i < COUNT; i++) {
        input[i] = vector_from_bits((uint32_t)(i + 1) * 5000u % 0x7f800000u + 1u);
    }
    check_bound("log everywhere", vector_log, log, 1.0);
}

static void tanh_is_within_its_bound(void **state) {
    (void)state;
    spread(-12.0, 12.0);
    check_bound("tanh", vector_tanh, tanh, 2.0);
    spread(-0.7, 0.7);
    check_bound("tanh near 0", vector_tanh, tanh, 2.0);
}

static void sigmoid_is_within_its_bound(void **state) {
    (void)state;
    spread(-87.0, 87.0);
    check_bound("sigmoid", vector_sigmoid, exact_sigmoid, 3.0);
}

static void sin_cos_is_within_its_bound(void **state) {
    (void)state;
    const double ranges[] = {1.0, 3.2, 100.0, 8192.0, (double)VECTOR_MOST_ANGLE};
    for (size_t r = 0; r < 5; r++) {
        double largest = 0.0;
        spread(-ranges[r], ranges[r]);
        vector_sin_cos(input, output, second, COUNT);
        for (size_t i = 0; i < COUNT; i++) {
            largest = fmax(largest, fabs((double)output[i] - sin((double)input[i])));
            largest = fmax(largest, fabs((double)second[i] - cos((double)input[i])));
        }
        print_message("sin, cos to %g: %.3g\n", ranges[r], largest);
        assert_true(largest <= (ranges[r] <= 8192.0 ? 1.5e-7 : 1.5e-6));
    }
}

/* An angle that a model predicts may be anything; no sine of it is ever beyond 1. */
static void sin_cos_of_huge_angles_are_no_numbers(void **state) {
    (void)state;
    for (double size = 1e-3; size < 1e38; size *= 1.37) {
        for (int sign = -1; sign <= 1; sign += 2) {
            const float x = (float)(sign * size);
            float       sine;
            float       cosine;
            vector_sin_cos(&x, &sine, &cosine, 1);
            if (size > (double)VECTOR_MOST_ANGLE) {
                assert_true(isnan(sine) && isnan(cosine));
            } else {
                assert_true(fabsf(sine) <= 1.0f && fabsf(cosine) <= 1.0f);
            }
        }
    }
}

static void special_numbers_are_as_documented(void **state) {
    (void)state;
    const float inf = (float)INFINITY;
    const float nan = (float)NAN;
    const float x[] = {inf, -inf, nan, 0.0f, -0.0f, 200.0f, -200.0f, FLT_MAX, -FLT_MAX};
    const float exps[] = {inf, 0.0f, nan, 1.0f, 1.0f, inf, 0.0f, inf, 0.0f};
    const float tanhs[] = {1.0f, -1.0f, nan, 0.0f, -0.0f, 1.0f, -1.0f, 1.0f, -1.0f};
    const float sigmoids[] = {1.0f, 0.0f, nan, 0.5f, 0.5f, 1.0f, 0.0f, 1.0f, 0.0f};
    const float logs[] = {inf, nan, nan, -inf, -inf, 5.2983174f, nan, 88.722839f, nan};
    enum { N = sizeof x / sizeof x[0] };
    float e[N];
    float t[N];
    float s[N];
    float l[N];
    float sine[N];
    float cosine[N];
    vector_exp(x, e, N);
    vector_tanh(x, t, N);
    vector_sigmoid(x, s, N);
    vector_log(x, l, N);
    vector_sin_cos(x, sine, cosine, N);
    for (size_t i = 0; i < N; i++) {
        assert_close((double)e[i], (double)exps[i], 0.0, 0.0);
        assert_close((double)t[i], (double)tanhs[i], 0.0, 0.0);
        assert_close((double)s[i], (double)sigmoids[i], 0.0, 0.0);
        assert_close((double)l[i], (double)logs[i], 0.0, 1e-7);
    }
    assert_true(signbit(t[4]) != 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(isnan(sine[i]) && isnan(cosine[i]));
    }
    assert_true(sine[3] == 0.0f && cosine[3] == 1.0f);
    const float huge[] = {1e6f, 1e7f, 1.8e7f, 1e8f, 1e9f, 1e12f, 1e20f, 1e30f, -1e9f, FLT_MAX};
    vector_sin_cos(huge, sine, cosine, N);
    for (size_t i = 0; i < N; i++) {
        assert_true(isnan(sine[i]) && isnan(cosine[i]));
    }
}

/* The smallest results are rounded, not dropped. */
static void exp_reaches_subnormal_numbers(void **state) {
    (void)state;
    spread(-103.0, -87.4);
    vector_exp(input, output, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_close((double)output[i], exp((double)input[i]), 1.5e-45, 4e-7);
    }
}

/* one loop per instruction set: what target_clones would choose on other machines */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAVE_WIDTHS 1
#define EACH_FUNCTION(suffix, target_name)                                   \
    __attribute__((target(target_name), noinline)) static void all_##suffix( \
        const float *x, float *out, size_t n) {                              \
        for (size_t i = 0; i < n; i++) {                                     \
            float s;                                                         \
            float c;                                                         \
            vector_sin_cos_one(x[i], &s, &c);                                \
            out[6 * i + 0] = vector_exp_one(x[i]);                           \
            out[6 * i + 1] = vector_log_one(x[i]);                           \
            out[6 * i + 2] = vector_tanh_one(x[i]);                          \
            out[6 * i + 3] = vector_sigmoid_one(x[i]);                       \
            out[6 * i + 4] = s;                                              \
            out[6 * i + 5] = c;                                              \
        }                                                                    \
    }
EACH_FUNCTION(v2, "arch=x86-64")
EACH_FUNCTION(v3, "arch=x86-64-v3")
EACH_FUNCTION(v4, "arch=x86-64-v4")
#endif

static void every_instruction_set_gives_the_same_bits(void **state) {
    (void)state;
#ifdef HAVE_WIDTHS
    enum { N = 20000 };
    static float narrow[6 * N];
    static float wide[6 * N];
    static float single[6];
    for (size_t i = 0; i < N; i++) {
        input[i] = vector_from_bits((uint32_t)i * 214748u + 12345u);
    }
    all_v2(input, narrow, N);
    if (__builtin_cpu_supports("avx2")) {
        all_v3(input, wide, N);
        assert_memory_equal(narrow, wide, sizeof narrow);
    }
    if (__builtin_cpu_supports("avx512vl")) {
        all_v4(input, wide, N);
        assert_memory_equal(narrow, wide, sizeof narrow);
    }
    /* and what the library chose, in bulk and alone */
    vector_exp(input, output, N);
    for (size_t i = 0; i < N; i++) {
        vector_exp(input + i, single, 1);
        assert_memory_equal(&output[i], &narrow[6 * i], sizeof(float));
        assert_memory_equal(&single[0], &narrow[6 * i], sizeof(float));
    }
#else
    test_skip("instruction sets are compared with gcc on x86-64 only");
#endif
}

static void a_kernel_may_work_in_place(void **state) {
    (void)state;
    spread(-5.0, 5.0);
    memcpy(second, input, sizeof second);
    vector_tanh(input, output, 1001);
    vector_tanh(second, second, 1001);
    assert_memory_equal(output, second, 1001 * sizeof(float));
    vector_exp(NULL, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_its_bound),
        cmocka_unit_test(log_is_within_its_bound),
        cmocka_unit_test(tanh_is_within_its_bound),
        cmocka_unit_test(sigmoid_is_within_its_bound),
        cmocka_unit_test(sin_cos_is_within_its_bound),
        cmocka_unit_test(sin_cos_of_huge_angles_are_no_numbers),
        cmocka_unit_test(special_numbers_are_as_documented),
        cmocka_unit_test(exp_reaches_subnormal_numbers),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(a_kernel_may_work_in_place),
    };
    return cmocka_run_group_tests_name("core/vector_math", tests, NULL, NULL);
}
