/** @file benchmark_function.h  Functions with known minima that optimizers are compared on.
 *
 * All take the unit cube and return the regret: the value above the minimum, which is therefore 0.
 */
#ifndef CORE_OPTIMIZE_BENCHMARK_FUNCTION_H
#define CORE_OPTIMIZE_BENCHMARK_FUNCTION_H

#include <stddef.h>

/**
 * @param u  in  (d) point in [0, 1]^d
 * @param d  one that the function has: see BenchmarkFunction
 */
typedef double (*BenchmarkValue)(const double *u, size_t d);

typedef struct BenchmarkFunction {
    const char    *name;
    const char    *source;
    BenchmarkValue value;
    size_t         d;     /* dimensions; 0 = any from `least` on */
    size_t         least; /* dimensions, >= 1 */
} BenchmarkFunction;

/* Branin (1972), on [-5, 10] x [0, 15]; three minima */
double benchmark_branin(const double *u, size_t d);
/* Dixon and Szegö (1978), on [0, 1]^6 */
double benchmark_hartmann6(const double *u, size_t d);
/* Ackley (1987), on [-32.768, 32.768]^d; minimum at the centre */
double benchmark_ackley(const double *u, size_t d);
/* Rosenbrock (1960), on [-5, 10]^d; minimum at 1 */
double benchmark_rosenbrock(const double *u, size_t d);
/* Laguna and Martí (2005), on [-10, 10]^d; minimum at 1 */
double benchmark_levy(const double *u, size_t d);
/* Griewank (1981), on [-600, 600]^d; minimum at the centre */
double benchmark_griewank(const double *u, size_t d);

size_t                   benchmark_function_count(void);
const BenchmarkFunction *benchmark_function_at(size_t index);

#endif
