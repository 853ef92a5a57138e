#include "core/optimize/batch_lbfgs.h"

#include <math.h>
#include <string.h>

enum { MEMORY = 6 };

/* Nocedal & Wright (2006), chapter 3: sufficient decrease */
#define ARMIJO 1e-4
/* bounds of an interpolated step, as shares of the last one */
#define SHRINK_LEAST 0.1
#define SHRINK_MOST  0.5
/* a step shorter than this share of the direction is none */
#define STEP_LEAST 1e-8
/* length of the first step, in the unit cube, before curvature is known */
#define FIRST_STEP 0.1
/* pairs with less curvature than this share are not kept */
#define CURVATURE 1e-10

/* one start */
typedef struct Line {
    double       *x; /* (d) best so far, in the caller's memory */
    double       *gradient;
    double       *direction;
    double       *steps;             /* (MEMORY, d) x differences */
    double       *turns;             /* (MEMORY, d) gradient differences */
    double        curvature[MEMORY]; /* 1 / (s . y) */
    const bool   *frozen;
    const double *lower; /* (d) or NULL */
    const double *upper;
    size_t        pairs; /* kept so far; the newest is (pairs - 1) % MEMORY */
    size_t        slot;  /* row of the current batch */
    double        value;
    double        length;   /* of the step being tried, as a share of the direction */
    double        decrease; /* predicted for a share of 1: gradient . direction, negative */
    bool          finished;
} Line;

size_t batch_lbfgs_scratch(size_t m, size_t d) {
    return arena_need(m, sizeof(Line)) +
           arena_need(m * d * (3 + 2 * (size_t)MEMORY), sizeof(double)) +
           2 * arena_need(m * d, sizeof(double)) + arena_need(m, sizeof(double));
}

static double dot(const double *a, const double *b, size_t d) {
    double sum = 0.0;
    for (size_t j = 0; j < d; j++) {
        sum += a[j] * b[j];
    }
    return sum;
}

static double lowest(const Line *line, size_t j) {
    return (line->lower == NULL) ? 0.0 : line->lower[j];
}

static double highest(const Line *line, size_t j) {
    return (line->upper == NULL) ? 1.0 : line->upper[j];
}

/* held at a bound that the descent would leave the box through, or frozen */
static bool is_held(const Line *line, size_t j) {
    return line->frozen[j] || (line->x[j] <= lowest(line, j) && line->gradient[j] > 0.0) ||
           (line->x[j] >= highest(line, j) && line->gradient[j] < 0.0);
}

/* two-loop recursion on the free coordinates */
static void find_direction(Line *line, size_t d) {
    double       share[MEMORY] = {0.0};
    const size_t used = (line->pairs < MEMORY) ? line->pairs : MEMORY;
    double      *p = line->direction;
    for (size_t j = 0; j < d; j++) {
        p[j] = is_held(line, j) ? 0.0 : -line->gradient[j];
    }
    for (size_t k = 0; k < used; k++) {
        const size_t at = (line->pairs - 1 - k) % MEMORY;
        share[at] = line->curvature[at] * dot(line->steps + at * d, p, d);
        for (size_t j = 0; j < d; j++) {
            p[j] -= share[at] * line->turns[at * d + j];
        }
    }
    if (used > 0) {
        const size_t  at = (line->pairs - 1) % MEMORY;
        const double *turn = line->turns + at * d;
        const double  scale = 1.0 / (line->curvature[at] * dot(turn, turn, d));
        for (size_t j = 0; j < d; j++) {
            p[j] *= scale;
        }
    }
    for (size_t k = used; k > 0; k--) {
        const size_t at = (line->pairs - k) % MEMORY;
        const double back = line->curvature[at] * dot(line->turns + at * d, p, d);
        for (size_t j = 0; j < d; j++) {
            p[j] += (share[at] - back) * line->steps[at * d + j];
        }
    }
    for (size_t j = 0; j < d; j++) {
        p[j] = is_held(line, j) ? 0.0 : p[j];
    }
}

/* a direction that descends; steepest where the memory misleads */
static void begin_step(Line *line, size_t d) {
    find_direction(line, d);
    line->decrease = dot(line->gradient, line->direction, d);
    if (!(line->decrease < 0.0) && line->pairs > 0) {
        line->pairs = 0;
        find_direction(line, d);
        line->decrease = dot(line->gradient, line->direction, d);
    }
    line->length = 1.0;
    if (line->pairs == 0) {
        const double size = sqrt(dot(line->direction, line->direction, d));
        line->length = (size > FIRST_STEP) ? FIRST_STEP / size : 1.0;
    }
    line->finished = !(line->decrease < 0.0);
}

static void make_trial(Line *line, double *batch, size_t slot, size_t d) {
    line->slot = slot;
    for (size_t j = 0; j < d; j++) {
        const double to = line->x[j] + line->length * line->direction[j];
        batch[slot * d + j] =
            line->frozen[j] ? line->x[j] : fmin(fmax(to, lowest(line, j)), highest(line, j));
    }
}

static void remember(Line *line, const double *x, const double *gradient, size_t d) {
    const size_t at = line->pairs % MEMORY;
    double      *step = line->steps + at * d;
    double      *turn = line->turns + at * d;
    for (size_t j = 0; j < d; j++) {
        step[j] = line->frozen[j] ? 0.0 : x[j] - line->x[j];
        turn[j] = line->frozen[j] ? 0.0 : gradient[j] - line->gradient[j];
    }
    const double product = dot(step, turn, d);
    if (product > CURVATURE * sqrt(dot(step, step, d) * dot(turn, turn, d))) {
        line->curvature[at] = 1.0 / product;
        line->pairs++;
    }
}

/* takes the trial, or shortens the step */
static void judge_trial(Line *line, const double *x, double value, const double *gradient, size_t d,
                        double tolerance) {
    double predicted = 0.0; /* along the projected path */
    for (size_t j = 0; j < d; j++) {
        predicted += line->frozen[j] ? 0.0 : line->gradient[j] * (x[j] - line->x[j]);
    }
    if (isfinite(value) && value <= line->value + ARMIJO * fmin(predicted, 0.0)) {
        const double gain = line->value - value;
        remember(line, x, gradient, d);
        memcpy(line->x, x, d * sizeof *x);
        memcpy(line->gradient, gradient, d * sizeof *gradient);
        line->value = value;
        begin_step(line, d);
        line->finished = line->finished || gain < tolerance;
        return;
    }
    /* minimum of the parabola through the value, the slope and the trial */
    const double slope = line->length * line->decrease;
    const double rise = value - line->value - slope;
    const double share = (isfinite(value) && rise > 0.0) ? -0.5 * slope / rise : SHRINK_LEAST;
    line->length *= fmin(fmax(share, SHRINK_LEAST), SHRINK_MOST);
    line->finished = line->length < STEP_LEAST;
}

static size_t gather(Line *lines, const BatchLbfgs *how, double *batch) {
    size_t open = 0;
    for (size_t i = 0; i < how->m; i++) {
        if (!lines[i].finished) {
            make_trial(&lines[i], batch, open++, how->d);
        }
    }
    return open;
}

static void begin_lines(const BatchLbfgs *how, Line *lines, double *x, const double *values,
                        const double *gradients) {
    for (size_t i = 0; i < how->m; i++) {
        lines[i].x = x + i * how->d;
        lines[i].value = values[i];
        memcpy(lines[i].gradient, gradients + i * how->d, how->d * sizeof *gradients);
        lines[i].finished = !isfinite(values[i]);
        if (!lines[i].finished) {
            begin_step(&lines[i], how->d);
        }
    }
}

static Status take_lines(const BatchLbfgs *how, Arena *scratch, Line **out) {
    const size_t d = how->d;
    Line        *lines = NULL;
    double      *memory = NULL;
    TRY(ARENA_TAKE(scratch, Line, how->m, &lines));
    TRY(ARENA_TAKE(scratch, double, how->m *d *(3 + 2 * (size_t)MEMORY), &memory));
    memset(lines, 0, how->m * sizeof *lines);
    for (size_t i = 0; i < how->m; i++) {
        lines[i].gradient = memory;
        lines[i].direction = memory + d;
        lines[i].steps = memory + 2 * d;
        lines[i].turns = memory + (2 + (size_t)MEMORY) * d;
        lines[i].frozen = how->frozen + i * d;
        lines[i].lower = how->lower;
        lines[i].upper = how->upper;
        memory += (2 + 2 * (size_t)MEMORY) * d;
    }
    *out = lines;
    return STATUS_OK;
}

static Status minimize(const BatchLbfgs *how, double *x, double *value, Arena *scratch) {
    Line   *lines = NULL;
    double *batch = NULL;
    double *gradients = NULL;
    double *values = NULL;
    TRY(take_lines(how, scratch, &lines));
    TRY(ARENA_TAKE(scratch, double, how->m * how->d, &batch));
    TRY(ARENA_TAKE(scratch, double, how->m * how->d, &gradients));
    TRY(ARENA_TAKE(scratch, double, how->m, &values));
    how->objective(how->context, x, how->m, values, gradients);
    begin_lines(how, lines, x, values, gradients);
    for (size_t round = 1; round < how->rounds; round++) {
        const size_t open = gather(lines, how, batch);
        if (open == 0) {
            break;
        }
        how->objective(how->context, batch, open, values, gradients);
        for (size_t i = 0; i < how->m; i++) {
            Line        *line = &lines[i];
            const size_t at = line->slot;
            if (!line->finished) {
                judge_trial(line, batch + at * how->d, values[at], gradients + at * how->d, how->d,
                            how->tolerance);
            }
        }
    }
    for (size_t i = 0; i < how->m; i++) {
        value[i] = lines[i].value;
    }
    return STATUS_OK;
}

Status batch_lbfgs_minimize(const BatchLbfgs *how, double *x, double *value, Arena *scratch) {
    const size_t mark = arena_mark(scratch);
    const Status status = minimize(how, x, value, scratch);
    arena_release(scratch, mark);
    return status;
}
