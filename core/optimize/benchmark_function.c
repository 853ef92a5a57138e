/* Definitions and constants: Surjanovic and Bingham, Virtual library of simulation experiments, and
 * the papers in the table. */
#include "core/optimize/benchmark_function.h"

#include <math.h>

#define PI 3.14159265358979323846

static double between(double lower, double upper, double u) {
    return lower + (upper - lower) * u;
}

double benchmark_branin(const double *u, size_t d) {
    const double x = between(-5.0, 10.0, u[0]);
    const double y = between(0.0, 15.0, u[1]);
    const double a = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    (void)d;
    return a * a + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * cos(x) + 10.0 - 0.39788735772973816;
}

double benchmark_hartmann6(const double *u, size_t d) {
    static const double c[4] = {1.0, 1.2, 3.0, 3.2};
    static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                   {0.05, 10, 17, 0.1, 8, 14},
                                   {3, 3.5, 1.7, 10, 17, 8},
                                   {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double              value = 3.3223680114155147;
    for (size_t i = 0; i < 4; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < d; j++) {
            sum += a[i][j] * (u[j] - p[i][j]) * (u[j] - p[i][j]);
        }
        value -= c[i] * exp(-sum);
    }
    return value;
}

double benchmark_ackley(const double *u, size_t d) {
    double squares = 0.0;
    double waves = 0.0;
    for (size_t j = 0; j < d; j++) {
        const double x = between(-32.768, 32.768, u[j]);
        squares += x * x / (double)d;
        waves += cos(2.0 * PI * x) / (double)d;
    }
    return 20.0 - 20.0 * exp(-0.2 * sqrt(squares)) + exp(1.0) - exp(waves);
}

double benchmark_rosenbrock(const double *u, size_t d) {
    double sum = 0.0;
    for (size_t j = 0; j + 1 < d; j++) {
        const double x = between(-5.0, 10.0, u[j]);
        const double y = between(-5.0, 10.0, u[j + 1]);
        sum += 100.0 * (y - x * x) * (y - x * x) + (1.0 - x) * (1.0 - x);
    }
    return sum;
}

double benchmark_levy(const double *u, size_t d) {
    const double first = 1.0 + (between(-10.0, 10.0, u[0]) - 1.0) / 4.0;
    const double last = 1.0 + (between(-10.0, 10.0, u[d - 1]) - 1.0) / 4.0;
    const double wave = sin(2.0 * PI * last);
    double       sum = sin(PI * first) * sin(PI * first);
    for (size_t j = 0; j + 1 < d; j++) {
        const double w = 1.0 + (between(-10.0, 10.0, u[j]) - 1.0) / 4.0;
        const double s = sin(PI * w + 1.0);
        sum += (w - 1.0) * (w - 1.0) * (1.0 + 10.0 * s * s);
    }
    return sum + (last - 1.0) * (last - 1.0) * (1.0 + wave * wave);
}

double benchmark_griewank(const double *u, size_t d) {
    double sum = 0.0;
    double product = 1.0;
    for (size_t j = 0; j < d; j++) {
        const double x = between(-600.0, 600.0, u[j]);
        sum += x * x / 4000.0;
        product *= cos(x / sqrt((double)j + 1.0));
    }
    return sum - product + 1.0;
}

static const BenchmarkFunction functions[] = {
    {"branin", "Branin (1972)", benchmark_branin, 2, 2},
    {"hartmann6", "Dixon and Szego (1978)", benchmark_hartmann6, 6, 6},
    {"ackley", "Ackley (1987)", benchmark_ackley, 0, 1},
    {"rosenbrock", "Rosenbrock (1960)", benchmark_rosenbrock, 0, 2},
    {"levy", "Laguna and Marti (2005)", benchmark_levy, 0, 1},
    {"griewank", "Griewank (1981)", benchmark_griewank, 0, 1},
};

size_t benchmark_function_count(void) {
    return sizeof functions / sizeof functions[0];
}

const BenchmarkFunction *benchmark_function_at(size_t index) {
    return (index < benchmark_function_count()) ? &functions[index] : 0;
}
