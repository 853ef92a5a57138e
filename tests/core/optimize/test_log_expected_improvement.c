#include "tests/support/test_support.h"

#include "core/optimize/log_expected_improvement.h"

#include <math.h>

/* with 60 to 120 digits (mpmath 1.3): z, log h(z), Phi/h, log Phi, phi/Phi; both sides of the
 * branches, and far beyond where the functions themselves underflow */
static const double reference[][5] = {
    {5.0, 1.60943792312643139, 0.199999940531220046, -2.86651612963763593e-7,
     1.48671994090490571e-6},
    {1.0, 0.08002621884930694, 0.77663872520173926, -0.17275377902344989, 0.287599970939178361},
    {0.0, -0.918938533204672742, 1.25331413731550025, -0.693147180559945309, 0.797884560802865356},
    {-0.5, -1.62051626438731992, 1.55987314834807967, -1.17591176159361861, 1.14107777036806448},
    {-0.999, -2.48321711544758544, 1.90354931735895943, -1.83949691016477791, 1.52433443230534712},
    {-1.0, -2.48512102571264134, 1.90427123332969182, -1.84102164500926351, 1.52513527616098121},
    {-1.001, -2.48702565795538942, 1.90499327273421309, -1.84254718075607694, 1.52593623694781477},
    {-3.0, -7.86968605960302852, 3.53233751762516052, -6.60772622151034954, 3.28309865493043651},
    {-10.0, -55.5531220361223559, 10.1943830334125533, -53.2312851505124706, 10.098093233962512},
    {-24.9, -317.358485742667379, 24.9799369594711391, -314.140412761613198, 24.9400321266471752},
    {-25.0, -319.861463581495954, 25.0796202342665328, -316.639408008020259, 25.0398730120575626},
    {-25.1, -322.374409872464031, 25.1793059973775411, -319.148387405888599, 25.139715153392399},
    {-40.0, -808.29856835661996, 40.0499066576485182, -804.608442013753788, 40.0249688472072637},
    {-1000.0, -500014.734452091158, 1000.00199999400004, -500007.826694812184, 1000.00099999800001},
    {-1000000.0, -500000000028.54996, 1000000.000002, -500000000014.734449, 1000000.000001},
    {-1.0e+8, -5000000000000037.76, 100000000.00000002, -5000000000000019.34, 100000000.00000001},
};
enum { REFERENCES = sizeof reference / sizeof reference[0] };

/* x, erfcx(x); mpmath 1.3 */
static const double erfc_reference[][2] = {
    {0.0, 1.0},
    {0.5, 0.615690344192925875},
    {3.0, 0.17900115118138995},
    {20.0, 0.0281743487410513193},
    {24.99, 0.0225585814822938957},
    {25.01, 0.022540570570159269},
    {100.0, 0.0056416137829894329},
    {1000000.0, 5.64189583547474192e-7},
};

static void values_and_slopes_agree_with_the_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < REFERENCES; i++) {
        double slope = 0.0;
        assert_close(log_improvement(reference[i][0], &slope), reference[i][1], 1e-13, 1e-12);
        assert_close(slope, reference[i][2], 0.0, 1e-9);
        assert_close(log_improvement(reference[i][0], NULL), reference[i][1], 1e-13, 1e-12);
    }
    for (size_t i = 0; i < sizeof erfc_reference / sizeof erfc_reference[0]; i++) {
        assert_close(scaled_erfc(erfc_reference[i][0]), erfc_reference[i][1], 0.0, 1e-12);
    }
}

static void feasibility_agrees_with_the_reference(void **state) {
    (void)state;
    const double mean = 0.7;
    const double sd = 0.25;
    for (size_t i = 0; i < REFERENCES; i++) {
        const double         bound = mean + sd * reference[i][0];
        const LogAcquisition p = log_probability_of_feasibility(mean, sd, bound);
        const double         slope = reference[i][4];
        assert_close(p.value, reference[i][3], 1e-13, 1e-11);
        assert_close(p.by_mean, -slope / sd, 0.0, 1e-9);
        assert_close(p.by_sd, -slope * reference[i][0] / sd, 1e-300, 1e-9);
    }
}

/* Across a branch the value moves by its slope times the step and no more: no jump. */
static void branches_meet(void **state) {
    (void)state;
    const double borders[] = {-1.0, -25.0};
    for (size_t i = 0; i < 2; i++) {
        const double step = 1e-7;
        double       below = 0.0;
        double       above = 0.0;
        const double rise =
            log_improvement(borders[i] + step, &above) - log_improvement(borders[i] - step, &below);
        assert_close(rise, 2.0 * step * 0.5 * (below + above), 1e-10, 0.0);
        assert_close(below, above, 0.0, 1e-6);
    }
}

/* Central differences, step 1e-4, relative error bound 1e-6. */
static void gradients_agree_with_differences(void **state) {
    (void)state;
    const double means[] = {-2.0, 0.1, 0.4, 3.0, 20.0, 300.0};
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        const double         m = means[i];
        const double         s = 0.8;
        const double         e = 1e-4;
        const LogAcquisition a = log_expected_improvement(m, s, 0.3);
        assert_close((log_expected_improvement(m + e, s, 0.3).value -
                      log_expected_improvement(m - e, s, 0.3).value) /
                         (2.0 * e),
                     a.by_mean, 1e-6, 1e-6);
        assert_close((log_expected_improvement(m, s + e, 0.3).value -
                      log_expected_improvement(m, s - e, 0.3).value) /
                         (2.0 * e),
                     a.by_sd, 1e-6, 1e-6);
    }
}

static void nan_gives_nan(void **state) {
    (void)state;
    assert_true(isnan(log_expected_improvement((double)NAN, 1.0, 0.0).value));
    assert_true(isnan(log_expected_improvement(0.0, (double)NAN, 0.0).by_mean));
    assert_true(isnan(log_probability_of_feasibility((double)NAN, 1.0, 0.0).value));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_slopes_agree_with_the_reference),
        cmocka_unit_test(feasibility_agrees_with_the_reference),
        cmocka_unit_test(branches_meet),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(nan_gives_nan),
    };
    return cmocka_run_group_tests_name("core/optimize/log_expected_improvement", tests, NULL, NULL);
}
