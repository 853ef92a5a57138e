/* Static test functions as problems: one setting is best, whatever an agent has learned.
 *
 * A fresh agent is as bad as the corner of the cube where every coordinate is 0; each unit brings
 * it nearer to the value f of the settings that it is trained with:
 *
 *   loss(0) = f(0, ..., 0),   loss(u + 1) = f(x) + (loss(u) - f(x)) exp(-1 / tau)
 *
 * so with constant settings loss(u) = f(x) + (f(0) - f(x)) exp(-u / tau), and who changes settings
 * starts from what was learned. With tau 0 the loss is f(x) at once: the function itself, for
 * samplers whose trials are one segment. The objective is the loss, whose minimum is 0.
 *
 * `mixed` is one of our own: a float rate, an int, a float, a momentum that counts only where the
 * optimizer is the second choice, and a categorical with three choices. Each choice has a rate of
 * its own that is best for it, and the second is best only if its momentum is found too: 0 there
 * (rate 0.7, int in the fifth of 8 cells, float 0.3, momentum 0.8), 0.3 with the first, 0.6 with
 * the third. */
#include "core/optimize/benchmark_function.h"
#include "schedulers/simulated_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIXED_NUMERIC = 4,
    MIXED_CHOICES = 3,
    MIXED_CELLS = 8, /* of the int */
    RATE = 0,
    LAYERS = 1,
    WIDTH = 2,
    MOMENTUM = 3,
    WITH_MOMENTUM = 1, /* the choice */
};

#define PI 3.14159265358979323846

typedef struct Function {
    SimulatedCoordinates coordinates;
    BenchmarkValue       value; /* NULL: mixed */
    double               keeps; /* share of the distance to f that a unit leaves */
    double               sign;  /* of the objective, in the study's direction */
} Function;

static double square(double x) {
    return x * x;
}

static double mixed(const double *x) {
    static const double best_rate[MIXED_CHOICES] = {0.4, 0.7, 0.2};
    static const double least[MIXED_CHOICES] = {0.3, 0.0, 0.6};
    const double        layers = 4.5 / MIXED_CELLS;
    const size_t        choice = (size_t)x[MIXED_NUMERIC];
    const double        off = x[RATE] - best_rate[choice];
    double              sum = least[choice] + 4.0 * square(off) + 0.1 * (1.0 - cos(6.0 * PI * off));
    sum += 2.0 * square(x[LAYERS] - layers) + square(x[WIDTH] - 0.3);
    return sum + ((choice == WITH_MOMENTUM) ? 3.0 * square(x[MOMENTUM] - 0.8) : 0.0);
}

static double value_at(const Function *function, const double *x) {
    return (function->value == NULL) ? mixed(x) : function->value(x, function->coordinates.numeric);
}

static Status function_train(const void *self, const SimulatedSegment *segment,
                             SimulatedResult *out) {
    static const double corner[SIMULATED_MAX_COORDINATES];
    const Function     *function = self;
    double              x[SIMULATED_MAX_COORDINATES];
    simulated_coordinates_read(&function->coordinates, segment->point, x);
    const double f = value_at(function, x);
    double       loss = (segment->parent == NULL) ? value_at(function, corner) : segment->parent[0];
    for (int64_t unit = segment->begin; unit < segment->end; unit++) {
        loss = f + (loss - f) * function->keeps;
    }
    out->state[0] = loss;
    out->objectives[0] = function->sign * loss;
    out->cost = (double)NAN;
    out->seconds = (double)NAN;
    return STATUS_OK;
}

/* the row of a static function; NULL for the mixed one */
static const BenchmarkFunction *row_of(const SimulatedProblemOps *ops) {
    for (size_t i = 0; i < benchmark_function_count(); i++) {
        if (strcmp(benchmark_function_at(i)->name, ops->name) == 0) {
            return benchmark_function_at(i);
        }
    }
    return NULL;
}

static Status function_create(const SimulatedProblemOps *ops, const SimulatedSetup *setup,
                              void **self) {
    const BenchmarkFunction *row = row_of(ops);
    const SimulatedNeed      need = {.name = ops->name,
                                     .numeric = (row == NULL)   ? MIXED_NUMERIC
                                                : (row->d == 0) ? row->least
                                                                : row->d,
                                     .categorical = (row == NULL) ? 1 : 0,
                                     .choices = MIXED_CHOICES,
                                     .more = row != NULL && row->d == 0};
    *self = NULL;
    if (!(setup->tau >= 0.0) || !isfinite(setup->tau)) {
        FAIL(STATUS_ERR_RANGE, "tau is %g; expected 0 or more units", setup->tau);
    }
    Function *function = calloc(1, sizeof *function);
    if (function == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the function '%s'", ops->name);
    }
    function->value = (row == NULL) ? NULL : row->value;
    function->keeps = (setup->tau == 0.0) ? 0.0 : exp(-1.0 / setup->tau);
    function->sign = (setup->study->maximize[0] == ops->maximize) ? 1.0 : -1.0;
    const Status status =
        simulated_coordinates_find(&need, setup->study->space, &function->coordinates);
    if (status != STATUS_OK) {
        free(function);
        return status;
    }
    *self = function;
    return STATUS_OK;
}

/* ---- spaces that suit them ---- */

static Status add_float(Space *space, char *name) {
    return space_add(space, &(SpaceParameter){.name = name,
                                              .type = SPACE_FLOAT,
                                              .upper = 1.0,
                                              .default_value = 0.25,
                                              .dynamic = true});
}

static Status add_mixed(Space *space) {
    static char  names[MIXED_NUMERIC][16] = {"learning_rate", "layers", "width", "momentum"};
    static char  optimizer[] = "optimizer";
    static char  texts[MIXED_CHOICES][8] = {"adam", "sgd", "rmsprop"};
    static char *choices[MIXED_CHOICES] = {texts[0], texts[1], texts[2]};
    double       sgd[1] = {WITH_MOMENTUM};
    TRY(space_add(space, &(SpaceParameter){.name = optimizer,
                                           .type = SPACE_CATEGORICAL,
                                           .upper = MIXED_CHOICES - 1,
                                           .choices = choices,
                                           .choice_count = MIXED_CHOICES,
                                           .dynamic = true}));
    TRY(space_add(space, &(SpaceParameter){.name = names[RATE],
                                           .type = SPACE_FLOAT,
                                           .lower = 1e-5,
                                           .upper = 1e-1,
                                           .log = true,
                                           .default_value = 1e-4,
                                           .dynamic = true}));
    TRY(space_add(space, &(SpaceParameter){.name = names[LAYERS],
                                           .type = SPACE_INT,
                                           .lower = 1,
                                           .upper = MIXED_CELLS,
                                           .default_value = 2,
                                           .dynamic = true}));
    TRY(add_float(space, names[WIDTH]));
    TRY(add_float(space, names[MOMENTUM]));
    return space_add_when(space, MIXED_NUMERIC,
                          &(SpaceTest){.parameter = 0,
                                       .values = sgd,
                                       .value_count = 1,
                                       .above = (double)NAN,
                                       .below = (double)NAN});
}

static Status fill_space(const SimulatedProblemOps *ops, Space *space) {
    const size_t *d = ops->data;
    if (d == NULL) {
        TRY(add_mixed(space));
    }
    for (size_t j = 0; d != NULL && j < *d; j++) {
        char name[24];
        (void)snprintf(name, sizeof name, "x%zu", j + 1);
        TRY(add_float(space, name));
    }
    return space_seal(space);
}

static Status function_space(const SimulatedProblemOps *ops, Space **out) {
    TRY(space_create(out));
    const Status status = fill_space(ops, *out);
    if (status != STATUS_OK) {
        space_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* ---- the rows ---- */

/* dimensions of the spaces above */
static const size_t two = 2;
static const size_t five = 5;
static const size_t six = 6;
static const size_t eight = 8;
static const size_t ten = 10;

#define FUNCTION_OPS(function, from, text, dimensions)                                 \
    {                                                                                  \
        .name = (function), .source = (from), .help = (text), .data = (dimensions),    \
        .state_size = 1, .best = 0.0, .per_trial = 1, .segment = 1, .maximize = false, \
        .space = function_space, .create = function_create, .train = function_train,   \
        .destroy = free,                                                               \
    }

const SimulatedProblemOps simulated__function_ops[SIMULATED_FUNCTIONS] = {
    FUNCTION_OPS("branin", "Branin (1972)", "Two dimensions, three minima.", &two),
    FUNCTION_OPS("hartmann6", "Dixon and Szego (1978)", "Six dimensions, six local minima.", &six),
    FUNCTION_OPS("ackley", "Ackley (1987)", "Any dimensions, a hole in a wavy plain.", &ten),
    FUNCTION_OPS("rosenbrock", "Rosenbrock (1960)", "Two dimensions or more, a bent valley.",
                 &five),
    FUNCTION_OPS("levy", "Laguna and Marti (2005)", "Any dimensions, waves on a bowl.", &eight),
    FUNCTION_OPS("griewank", "Griewank (1981)", "Any dimensions, ripples on a wide bowl.", &ten),
    FUNCTION_OPS("mixed", "this project (schedulers/simulated_function.c)",
                 "Two floats, an int, a categorical, and a momentum that only one choice uses.",
                 NULL),
};
