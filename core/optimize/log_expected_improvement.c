#include "core/optimize/log_expected_improvement.h"

#include <math.h>
#include <stddef.h>

#define ROOT_HALF         0.70710678118654752440 /* sqrt(1/2) */
#define ROOT_HALF_PI      1.25331413731550025121 /* sqrt(pi/2) */
#define INVERSE_ROOT_PI   0.56418958354775628695 /* 1/sqrt(pi) */
#define INVERSE_ROOT_2_PI 0.39894228040143267794 /* 1/sqrt(2 pi) */
#define LOG_ROOT_2_PI     0.91893853320467274178 /* log sqrt(2 pi) */

/* where e^(x^2) would overflow soon, and the series is exact in double */
#define ERFC_FAR 25.0
/* branches of log h: Ament et al. (2023) begin the second at -1; the third from here on is ours */
#define IMPROVEMENT_NEAR (-1.0)
#define IMPROVEMENT_FAR  (-25.0)

double scaled_erfc(double x) {
    if (x < ERFC_FAR) {
        return exp(x * x) * erfc(x);
    }
    /* Abramowitz & Stegun 7.1.23 */
    const double t = 0.5 / (x * x);
    return INVERSE_ROOT_PI / x *
           (1.0 - t * (1.0 - 3.0 * t * (1.0 - 5.0 * t * (1.0 - 7.0 * t * (1.0 - 9.0 * t)))));
}

/* 1 - |z| Phi(z) / phi(z) for z below -25: 1/z^2 - 3/z^4 + 15/z^6 - ... times z^2 */
static double far_rest(double z) {
    const double t = 1.0 / (z * z);
    return 1.0 - 3.0 * t * (1.0 - 5.0 * t * (1.0 - 7.0 * t * (1.0 - 9.0 * t * (1.0 - 11.0 * t))));
}

double log_improvement(double z, double *slope) {
    double value = z; /* NaN stays NaN */
    double ratio = z;
    if (z >= IMPROVEMENT_NEAR) {
        const double phi = INVERSE_ROOT_2_PI * exp(-0.5 * z * z);
        const double below = 0.5 * erfc(-ROOT_HALF * z);
        const double h = phi + z * below;
        value = log(h);
        ratio = below / h;
    } else if (z > IMPROVEMENT_FAR) {
        const double mills = ROOT_HALF_PI * scaled_erfc(-ROOT_HALF * z); /* Phi / phi */
        const double rest = 1.0 + z * mills;
        value = -0.5 * z * z - LOG_ROOT_2_PI + log(rest);
        ratio = mills / rest;
    } else if (z <= IMPROVEMENT_FAR) {
        const double rest = far_rest(z);
        value = -0.5 * z * z - LOG_ROOT_2_PI - 2.0 * log(-z) + log(rest);
        ratio = (1.0 - rest / (z * z)) * -z / rest;
    }
    if (slope != NULL) {
        *slope = ratio;
    }
    return value;
}

LogAcquisition log_expected_improvement(double mean, double sd, double incumbent) {
    const double z = (incumbent - mean) / sd;
    double       slope = 0.0;
    const double value = log_improvement(z, &slope) + log(sd);
    return (LogAcquisition){value, -slope / sd, (1.0 - slope * z) / sd};
}

LogAcquisition log_probability_of_feasibility(double mean, double sd, double bound) {
    const double z = (bound - mean) / sd;
    double       value = z;
    double       slope = z; /* phi / Phi */
    if (z >= IMPROVEMENT_NEAR) {
        const double below = 0.5 * erfc(-ROOT_HALF * z);
        value = log(below);
        slope = INVERSE_ROOT_2_PI * exp(-0.5 * z * z) / below;
    } else if (z < IMPROVEMENT_NEAR) {
        const double mills = ROOT_HALF_PI * scaled_erfc(-ROOT_HALF * z);
        value = -0.5 * z * z - LOG_ROOT_2_PI + log(mills);
        slope = 1.0 / mills;
    }
    return (LogAcquisition){value, -slope / sd, -slope * z / sd};
}
