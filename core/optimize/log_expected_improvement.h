/** @file log_expected_improvement.h  Logarithms of acquisition functions that keep their gradient
 * where the functions themselves underflow. Everything is for minimization.
 *
 * Pure functions of a normal prediction N(mean, sd^2); NaN in, NaN out.
 */
#ifndef CORE_OPTIMIZE_LOG_EXPECTED_IMPROVEMENT_H
#define CORE_OPTIMIZE_LOG_EXPECTED_IMPROVEMENT_H

/** A logarithm and its derivatives by the prediction. */
typedef struct LogAcquisition {
    double value;
    double by_mean;
    double by_sd;
} LogAcquisition;

/** e^(x^2) erfc(x) for x >= 0; within 1e-12 relative. */
double scaled_erfc(double x);

/**
 * log h(z), h(z) = phi(z) + z Phi(z), and h'/h = Phi/h in *slope (NULL: not wanted). Three
 * branches: z >= -1 as written; down to -25 through erfcx; below that the asymptotic series, which
 * is exact to 1e-12 there. (The published code keeps erfcx down to -1e6 and loses digits to
 * cancellation on the way.)
 *
 * Source: Ament et al. (2023), Unexpected improvements to expected improvement, eq. 9, 14.
 */
double log_improvement(double z, double *slope);

/** log EI below `incumbent`: log sd + log h((incumbent - mean) / sd).
 * @param incumbent  best value so far; with noise the lowest posterior mean at an observed point
 * @param sd  above 0 */
LogAcquisition log_expected_improvement(double mean, double sd, double incumbent);

/** log P(y <= bound) = log Phi((bound - mean) / sd), for constraints. Source: Gardner et al.
 * (2014), Bayesian optimization with inequality constraints; the logarithm makes the product a sum.
 */
LogAcquisition log_probability_of_feasibility(double mean, double sd, double bound);

#endif
