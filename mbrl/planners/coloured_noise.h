/** @file coloured_noise.h  Noise in time whose spectrum falls as a power of the frequency. */
#ifndef MBRL_PLANNERS_COLOURED_NOISE_H
#define MBRL_PLANNERS_COLOURED_NOISE_H

#include <stddef.h>

/**
 * Matrix B (t, t) such that x = B z has, for independent standard normal z (t), unit variance at
 * every time and a power spectrum S(f) proportional to f^-beta at the frequencies k / t,
 * k = 1 .. t / 2; the mean (k = 0) has the power of k = 1.
 *
 * The columns are the cosines and sines of those frequencies times f^(-beta / 2): what an inverse
 * Fourier transform of complex normals would do, as a matrix, since t is small. beta = 0 is white
 * noise (B is orthogonal). Like every such construction the noise is periodic in t.
 *
 * Source: Timmer & König (1995), On generating power law noise; used by iCEM (Pinneri et al. 2020).
 * @param basis  out  (t, t) row-major: row = time
 */
void coloured_noise_basis(size_t t, double beta, float *basis);

/**
 * x (t, n) = basis (t, t) times z (t, n): n sequences at once. Each element is one sum in the order
 * of the frequencies, so the bits do not depend on the vector width.
 */
void coloured_noise_apply(const float *basis, const float *z, size_t t, size_t n, float *x);

#endif
