#include "schedulers/simulated_problem.h"

#include "core/option.h"
#include "schedulers/simulated_internal.h"

#include <math.h>
#include <string.h>

static const SimulatedProblemOps *const problems[] = {
    &simulated__function_ops[0],     &simulated__function_ops[1], &simulated__function_ops[2],
    &simulated__function_ops[3],     &simulated__function_ops[4], &simulated__function_ops[5],
    &simulated__function_ops[6],     &simulated__schedule_ops,    &simulated__schedule_trap_ops,
    &simulated__schedule_static_ops,
};

enum { PROBLEM_COUNT = sizeof problems / sizeof problems[0] };

size_t simulated_problem_count(void) {
    return PROBLEM_COUNT;
}

const SimulatedProblemOps *simulated_problem_at(size_t index) {
    return (index < PROBLEM_COUNT) ? problems[index] : NULL;
}

Status simulated_problem_find(const char *name, const SimulatedProblemOps **out) {
    const char *names[PROBLEM_COUNT];
    *out = NULL;
    for (size_t i = 0; i < PROBLEM_COUNT; i++) {
        if (strcmp(problems[i]->name, name) == 0) {
            *out = problems[i];
            return STATUS_OK;
        }
        names[i] = problems[i]->name;
    }
    const char *nearest = option_nearest(name, names, PROBLEM_COUNT);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no function '%s'; did you mean '%s'?", name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no function '%s'; 'mbtune simulate --help' names them", name);
}

Status simulated_problem_create(const SimulatedProblemOps *ops, const SimulatedSetup *setup,
                                SimulatedProblem *out) {
    const SchedulerSetup *study = setup->study;
    *out = (SimulatedProblem){.ops = NULL};
    if (setup->table == NULL && (study->objective_count != 1 || study->constraint_count != 0)) {
        FAIL(STATUS_ERR_SHAPE,
             "'%s' gives one objective and no constraints; the study has %zu and %zu: use a table",
             ops->name, study->objective_count, study->constraint_count);
    }
    if (setup->table == NULL && setup->cost != NULL) {
        FAIL(STATUS_ERR_SHAPE,
             "'%s' costs the same everywhere, and the study's cost is '%s': use a table", ops->name,
             setup->cost);
    }
    TRY(ops->create(ops, setup, &out->self));
    out->ops = ops;
    return STATUS_OK;
}

void simulated_problem_destroy(SimulatedProblem *problem) {
    if (problem->ops != NULL) {
        problem->ops->destroy(problem->self);
    }
    *problem = (SimulatedProblem){.ops = NULL};
}

/* ---- coordinates ---- */

Status simulated_coordinates_find(const SimulatedNeed *need, const Space *space,
                                  SimulatedCoordinates *out) {
    const size_t n = space_count(space);
    if (n > SIMULATED_MAX_COORDINATES) {
        FAIL(STATUS_ERR_SHAPE, "'%s' takes at most %d hyperparameters; the study has %zu",
             need->name, (int)SIMULATED_MAX_COORDINATES, n);
    }
    *out = (SimulatedCoordinates){.space = space};
    for (size_t i = 0; i < n; i++) {
        if (!space_is_unordered(space_at(space, i))) {
            out->index[out->numeric++] = i;
        }
    }
    for (size_t i = 0; i < n; i++) {
        const SpaceParameter *parameter = space_at(space, i);
        if (!space_is_unordered(parameter)) {
            continue;
        }
        const size_t choices = (size_t)parameter->upper + 1;
        if (need->categorical > 0 && choices != need->choices) {
            FAIL(STATUS_ERR_SHAPE, "'%s' needs %zu choices of '%s'; the study has %zu", need->name,
                 need->choices, parameter->name, choices);
        }
        out->index[out->numeric + out->categorical++] = i;
    }
    const bool numeric = need->more ? out->numeric >= need->numeric : out->numeric == need->numeric;
    if (!numeric || out->categorical != need->categorical) {
        FAIL(STATUS_ERR_SHAPE,
             "'%s' needs %s%zu numeric and %zu categorical hyperparameters; the study has %zu and "
             "%zu",
             need->name, need->more ? "at least " : "", need->numeric, need->categorical,
             out->numeric, out->categorical);
    }
    return STATUS_OK;
}

void simulated_coordinates_read(const SimulatedCoordinates *which, const double *point, double *x) {
    double unit[SIMULATED_MAX_COORDINATES];
    space_encode(which->space, point, unit);
    for (size_t j = 0; j < which->numeric + which->categorical; j++) {
        const size_t i = which->index[j];
        const double choice = isnan(point[i]) ? space_at(which->space, i)->default_value : point[i];
        x[j] = (j < which->numeric) ? unit[i] : choice;
    }
}
