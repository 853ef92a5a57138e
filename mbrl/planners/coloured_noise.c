#include "mbrl/planners/coloured_noise.h"

#include "core/kernel.h"

#include <math.h>

#define TWO_PI 6.283185307179586

/* amplitude of frequency k, not normalised: the mean and the fastest frequency have one column in
 * place of two */
static double amplitude(size_t k, size_t t, double beta) {
    const double f = (k == 0) ? 1.0 : (double)k;
    const double one_sided = (k == 0 || 2 * k == t) ? 1.0 : 2.0;
    return sqrt(one_sided * pow(f, -beta));
}

void coloured_noise_basis(size_t t, double beta, float *basis) {
    double power = 0.0;
    for (size_t k = 0; 2 * k <= t; k++) {
        const double w = amplitude(k, t, beta);
        power += w * w;
    }
    const double scale = 1.0 / sqrt(power);
    for (size_t k = 0, column = 0; 2 * k <= t; k++) {
        const double w = scale * amplitude(k, t, beta);
        const size_t columns = (k == 0 || 2 * k == t) ? 1 : 2;
        for (size_t h = 0; h < t; h++) {
            /* whole turns taken out before rounding */
            const double angle = TWO_PI * (double)(h * k % t) / (double)t;
            basis[h * t + column] = (float)(w * cos(angle));
            if (columns == 2) {
                basis[h * t + column + 1] = (float)(w * sin(angle));
            }
        }
        column += columns;
    }
}

KERNEL_CLONES
void coloured_noise_apply(const float *basis, const float *z, size_t t, size_t n, float *x) {
    for (size_t h = 0; h < t; h++) {
        float *row = x + h * n;
        for (size_t i = 0; i < n; i++) {
            row[i] = basis[h * t] * z[i];
        }
        for (size_t k = 1; k < t; k++) {
            const float  weight = basis[h * t + k];
            const float *part = z + k * n;
            for (size_t i = 0; i < n; i++) {
                row[i] += weight * part[i];
            }
        }
    }
}
