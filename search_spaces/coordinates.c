/* Coordinates: a point in the unit cube and back, drawing and moving points there.
 *
 * A float maps to u = (v - lower) / (upper - lower), or the same of logarithms. Everything else has
 * cells: value number i of n owns [i / n, (i + 1) / n), and its coordinate is the middle. The cells
 * of an int on a log scale are log(v - 1/2) to log(v + 1/2): all of width one before the logarithm,
 * so that the smallest and the largest value keep a whole cell and not half of one.
 *
 * Moves are additive in the cube. A factor (the 0.8 or 1.2 of population based training) makes the
 * lower bound absorbing, and truncation after it lets ints ratchet down to 0; here a bound reflects
 * and a cell always changes.
 */
#include "search_spaces/space.h"

#include "search_spaces/space_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_TRIES = 10000, PERTURB_TRIES = 1000 };

/* a reflected move shorter than this share of the step goes the other way instead: at half a step
 * from a bound the reflection ends where it began */
static const double shortest_move = 0.25;
static const double largest_step = 0.5;

static double clamp(double value, double lower, double upper) {
    return fmin(fmax(value, lower), upper);
}

double space__cells(const SpaceParameter *p) {
    switch (p->type) {
    case SPACE_FLOAT:
        return (p->step > 0) ? nearbyint((p->upper - p->lower) / p->step) + 1 : 0;
    case SPACE_INT:
        return nearbyint((p->upper - p->lower) / fmax(p->step, 1)) + 1;
    case SPACE_BOOL:
        return 2;
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        return (double)p->choice_count;
    }
    return 0;
}

bool space_is_unordered(const SpaceParameter *parameter) {
    return parameter->type == SPACE_CATEGORICAL || parameter->type == SPACE_BOOL;
}

size_t space_value_count(const Space *space, size_t index) {
    const SpaceParameter *p = &space->parameters[index];
    return (p->lower == p->upper) ? 1 : (size_t)space__cells(p);
}

/* distance between two cells */
static double cell_width(const SpaceParameter *p) {
    return (p->step > 0) ? p->step : 1;
}

double space__cell_value(const SpaceParameter *p, double index) {
    if (index >= space__cells(p) - 1) {
        return p->upper;
    }
    return p->lower + index * cell_width(p);
}

double space__cell_index(const SpaceParameter *p, double value) {
    return clamp(nearbyint((value - p->lower) / cell_width(p)), 0, space__cells(p) - 1);
}

double space__snap(const SpaceParameter *p, double value) {
    const double cells = space__cells(p);
    return (cells > 0 && !isnan(value)) ? space__cell_value(p, space__cell_index(p, value)) : value;
}

/* logarithm of the bounds of a log scale, half a cell wider for ints */
static void log_bounds(const SpaceParameter *p, double *lower, double *upper) {
    const double half = (p->type == SPACE_INT) ? 0.5 : 0;
    *lower = log(p->lower - half);
    *upper = log(p->upper + half);
}

double space__to_unit(const SpaceParameter *p, double value) {
    if (p->lower == p->upper) {
        return 0.5;
    }
    if (p->log) {
        double lower = 0;
        double upper = 0;
        log_bounds(p, &lower, &upper);
        const double at =
            (p->type == SPACE_INT) ? 0.5 * (log(value - 0.5) + log(value + 0.5)) : log(value);
        return clamp((at - lower) / (upper - lower), 0, 1);
    }
    const double cells = space__cells(p);
    if (cells > 0) {
        return (space__cell_index(p, value) + 0.5) / cells;
    }
    return clamp((value - p->lower) / (p->upper - p->lower), 0, 1);
}

double space__from_unit(const SpaceParameter *p, double unit) {
    const double u = clamp(unit, 0, 1);
    if (p->lower == p->upper) {
        return p->lower;
    }
    /* the ends are exact: exp(log(v)) need not be v */
    if (u == 0 || u == 1) {
        return (u == 0) ? p->lower : p->upper;
    }
    if (p->log) {
        double lower = 0;
        double upper = 0;
        log_bounds(p, &lower, &upper);
        const double value = exp(lower + u * (upper - lower));
        return clamp((p->type == SPACE_INT) ? nearbyint(value) : value, p->lower, p->upper);
    }
    const double cells = space__cells(p);
    if (cells > 0) {
        return space__cell_value(p, fmin(floor(u * cells), cells - 1));
    }
    return clamp(p->lower + u * (p->upper - p->lower), p->lower, p->upper);
}

void space_encode(const Space *space, const double *point, double *unit) {
    for (size_t i = 0; i < space->count; i++) {
        const SpaceParameter *p = &space->parameters[i];
        unit[i] = space__to_unit(p, isnan(point[i]) ? p->default_value : point[i]);
    }
}

void space_decode(const Space *space, const double *unit, double *point) {
    for (size_t i = 0; i < space->count; i++) {
        const SpaceParameter *p = &space->parameters[i];
        point[i] = isnan(unit[i]) ? p->default_value : space__from_unit(p, unit[i]);
    }
    space_activate(space, point);
}

Status space_sample(const Space *space, Rng *rng, double *point) {
    double *drawn = calloc(space->count + 1, sizeof *drawn);
    if (drawn == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    for (int try = 0; try < SAMPLE_TRIES; try++) {
        for (size_t i = 0; i < space->count; i++) {
            drawn[i] = space__from_unit(&space->parameters[i], rng_uniform(rng));
        }
        space_activate(space, drawn);
        if (space__forbidden_at(space, drawn) == space->forbidden_count) {
            memcpy(point, drawn, space->count * sizeof *point);
            free(drawn);
            return STATUS_OK;
        }
    }
    free(drawn);
    FAIL(STATUS_ERR_STATE, "%d drawn points in a row were forbidden: 'forbid' leaves too little",
         SAMPLE_TRIES);
}

/* takes a sign: active, ordered, more than one value */
static bool is_movable(const SpaceParameter *p, double value, bool dynamic_only) {
    const bool ordered = p->type == SPACE_FLOAT || p->type == SPACE_INT || p->type == SPACE_ORDINAL;
    return ordered && !isnan(value) && p->lower < p->upper && (p->dynamic || !dynamic_only);
}

size_t space_sign_count(const Space *space, const double *point, bool dynamic_only) {
    size_t count = 0;
    for (size_t i = 0; i < space->count; i++) {
        count += is_movable(&space->parameters[i], point[i], dynamic_only) ? 1U : 0U;
    }
    return count;
}

static double reflect(double unit) {
    return (unit < 0) ? -unit : (unit > 1) ? 2 - unit : unit;
}

/* where +-step leads from `value`; a cell always changes */
static double move(const SpaceParameter *p, double value, double step, int sign) {
    const double u = space__to_unit(p, value);
    double       moved = reflect(u + sign * step);
    if (fabs(moved - u) < shortest_move * step) {
        moved = reflect(u - sign * step);
    }
    const double cells = space__cells(p);
    if (cells == 0) {
        return space__from_unit(p, moved);
    }
    const double index = space__cell_index(p, value);
    const double next =
        (index + sign < 0 || index + sign > cells - 1) ? index - sign : index + sign;
    if (p->type == SPACE_ORDINAL) {
        return space__cell_value(p, next);
    }
    const double there = space__from_unit(p, moved);
    return (space__cell_index(p, there) == index) ? space__cell_value(p, next) : there;
}

/* one hyperparameter of one try; two draws whatever comes of them */
static double explore(const SpaceParameter *p, Rng *rng, const SpacePerturbation *how, double value,
                      int sign) {
    const double chance = rng_uniform(rng);
    const double drawn = space__from_unit(p, rng_uniform(rng));
    if (p->type == SPACE_BOOL || p->type == SPACE_CATEGORICAL) {
        return (chance < fmax(how->resample, 1 / space__cells(p))) ? drawn : value;
    }
    if (chance < how->resample && drawn != value) {
        return drawn;
    }
    return move(p, value, how->step, sign);
}

static void perturb_once(const Space *space, Rng *rng, const SpacePerturbation *how,
                         const signed char *signs, const double *from, double *to) {
    size_t numeric = 0;
    for (size_t i = 0; i < space->count; i++) {
        const SpaceParameter *p = &space->parameters[i];
        to[i] = from[i];
        if (isnan(from[i]) || p->lower == p->upper || (how->dynamic_only && !p->dynamic)) {
            continue;
        }
        int sign = (rng_uniform(rng) < 0.5) ? -1 : 1;
        if (signs != NULL && is_movable(p, from[i], how->dynamic_only)) {
            sign = (signs[numeric] < 0) ? -1 : 1;
            numeric++;
        }
        to[i] = explore(p, rng, how, from[i], sign);
    }
    space_activate(space, to);
}

Status space_perturb(const Space *space, Rng *rng, const SpacePerturbation *how, double *point) {
    if (space == NULL || rng == NULL || how == NULL || point == NULL) {
        FAIL(STATUS_ERR_ARG, "space_perturb() needs a space, a stream, a width and a point");
    }
    if (!(how->step >= 0 && how->step <= largest_step)) {
        FAIL(STATUS_ERR_RANGE, "a perturbation's step must lie in 0 to %g, found %g", largest_step,
             how->step);
    }
    if (!(how->resample >= 0 && how->resample <= 1)) {
        FAIL(STATUS_ERR_RANGE, "a perturbation's resample must lie in 0 to 1, found %g",
             how->resample);
    }
    const Status old = space_check(space, point);
    if (old != STATUS_OK && old != STATUS_ERR_STATE) {
        return old;
    }
    double *moved = calloc(space->count + 1, sizeof *moved);
    if (moved == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    for (int try = 0; try < PERTURB_TRIES; try++) {
        /* signs that lead to a forbidden point are not tried twice */
        perturb_once(space, rng, how, (try == 0) ? how->signs : NULL, point, moved);
        if (space__forbidden_at(space, moved) == space->forbidden_count) {
            memcpy(point, moved, space->count * sizeof *point);
            break;
        }
    }
    free(moved);
    return STATUS_OK;
}
