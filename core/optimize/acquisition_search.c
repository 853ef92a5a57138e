/* Budget of one search at n rows, d dimensions, C candidates (1024 at small n, then 1e9 / n^2, at
 * least 256), S = 8 starts, R rounds of L-BFGS (up to 60; 20 to 40 are used):
 *   candidates  C n (n + 3 d + 40) FLOP: n^2 in one triangular product, at BLAS speed
 *   rounds      R S n (2 n + 9 d + 40) FLOP: reads the triangular factor twice per round, so it
 * runs at memory speed from n = 1000 on (8 n^2 bytes per round) n = 100: 18 + 7 MFLOP; n =
 * 1000: 1.1 + 0.6 GFLOP; n = 2000: 1.1 + 2.1 GFLOP. */
#include "core/optimize/acquisition_search.h"
#include "core/optimize/acquisition_search_internal.h"

#include "core/optimize/batch_lbfgs.h"

#include <math.h>
#include <string.h>

/* starts, half of them from each kind of candidates; rounds of L-BFGS per alternation */
enum { STARTS = 8, ROUNDS = 60, ALTERNATIONS = 3 };
/* a discrete numeric dimension with more levels moves with the continuous ones first */
enum { FEW_LEVELS = 16 };
/* alternatives of one dimension in a line search */
enum { ALTERNATIVES = 16 };
/* starts keep this far from each other, by the largest difference of a coordinate */
#define APART 0.01
/* an improvement of the logarithm by less is none */
#define TOLERANCE 1e-4

/* everything a search holds, in its arena */
typedef struct Ascent {
    const AcquisitionSearch *search;
    AcquisitionValues        values;
    size_t                   d;
    size_t                   candidates;
    double                  *x; /* (candidates, d) */
    double *value;              /* (candidates) minus the log acquisition; infinity: forbidden */
    bool   *valid;              /* (candidates) */
    double *start;              /* (STARTS, d) */
    double  reached[STARTS];
    bool   *frozen; /* (STARTS, d) */
    size_t  starts;
    double *tries; /* (ALTERNATIVES, d) */
    Arena  *arena;
} Ascent;

size_t acquisition_search_scratch(const AcquisitionSearch *search) {
    const size_t d = search->d;
    const size_t c = acquisition_start__count(search);
    return acquisition_values__scratch(d) + arena_need(c * d, sizeof(double)) +
           arena_need(c, sizeof(double)) + arena_need(c, sizeof(bool)) +
           arena_need(STARTS * d, sizeof(double)) + arena_need(STARTS * d, sizeof(bool)) +
           arena_need(ALTERNATIVES * d, sizeof(double)) + 2 * arena_need(d, sizeof(double)) +
           batch_lbfgs_scratch(STARTS, d);
}

static Status begin(Ascent *a, const AcquisitionSearch *search, Arena *arena) {
    const size_t d = search->d;
    const size_t c = acquisition_start__count(search);
    *a = (Ascent){.search = search, .d = d, .candidates = c, .arena = arena};
    TRY(acquisition_values__init(&a->values, search, arena));
    TRY(ARENA_TAKE(arena, double, c *d, &a->x));
    TRY(ARENA_TAKE(arena, double, c, &a->value));
    TRY(ARENA_TAKE(arena, bool, c, &a->valid));
    TRY(ARENA_TAKE(arena, double, STARTS *d, &a->start));
    TRY(ARENA_TAKE(arena, bool, STARTS *d, &a->frozen));
    return ARENA_TAKE(arena, double, ALTERNATIVES *d, &a->tries);
}

/* ---- starts ---- */

static double distance(const double *a, const double *b, size_t d) {
    double most = 0.0;
    for (size_t j = 0; j < d; j++) {
        const bool unlike = isnan(a[j]) != isnan(b[j]);
        most = fmax(most, unlike ? 1.0 : fabs(a[j] - b[j]));
    }
    return most;
}

static bool is_near_start(const Ascent *a, const double *x) {
    for (size_t s = 0; s < a->starts; s++) {
        if (distance(a->start + s * a->d, x, a->d) < APART) {
            return true;
        }
    }
    return false;
}

/* the best candidate of [first, end) that is not near a start; marks it as taken */
static void take_start(Ascent *a, size_t first, size_t end) {
    size_t best = end;
    for (size_t i = first; i < end; i++) {
        if (a->valid[i] && (best == end || a->value[i] < a->value[best]) &&
            !is_near_start(a, a->x + i * a->d)) {
            best = i;
        }
    }
    if (best < end) {
        memcpy(a->start + a->starts * a->d, a->x + best * a->d, a->d * sizeof *a->x);
        a->reached[a->starts++] = a->value[best];
    }
}

static void choose_starts(Ascent *a, Rng *rng) {
    const size_t half = a->candidates / 2;
    acquisition_start__draw(a->search, rng, a->candidates, a->x, a->valid);
    acquisition_values__evaluate(&a->values, a->x, a->candidates, a->value, NULL);
    for (size_t k = 0; k < STARTS / 2; k++) {
        take_start(a, 0, half);
        take_start(a, half, a->candidates);
    }
}

/* ---- ascent ---- */

static bool moves_with_gradient(const OptimizeDimension *dimension) {
    return !dimension->categorical && (dimension->choices == 0 || dimension->choices > FEW_LEVELS);
}

static bool is_fixed(const AcquisitionSearch *search, size_t j) {
    return acquisition_start__lower(search, j) >= acquisition_start__upper(search, j);
}

/* keeps what the gradient search found only where its settled point is better */
static Status climb(Ascent *a) {
    const size_t d = a->d;
    double       value[STARTS];
    double      *x = a->x; /* candidates have been used up */
    for (size_t k = 0; k < a->starts * d; k++) {
        const size_t j = k % d;
        a->frozen[k] = isnan(a->start[k]) || is_fixed(a->search, j) ||
                       !moves_with_gradient(&a->search->dimensions[j]);
    }
    memcpy(x, a->start, a->starts * d * sizeof *x);
    const BatchLbfgs how = {.objective = acquisition_values__evaluate,
                            .context = &a->values,
                            .frozen = a->frozen,
                            .m = a->starts,
                            .d = d,
                            .rounds = ROUNDS,
                            .tolerance = TOLERANCE,
                            .lower = a->search->lower,
                            .upper = a->search->upper};
    TRY(batch_lbfgs_minimize(&how, x, value, a->arena));
    for (size_t s = 0; s < a->starts; s++) {
        a->valid[s] = acquisition_start__settle(a->search, x + s * d);
    }
    acquisition_values__evaluate(&a->values, x, a->starts, value, NULL);
    for (size_t s = 0; s < a->starts; s++) {
        if (a->valid[s] && value[s] < a->reached[s]) {
            memcpy(a->start + s * d, x + s * d, d * sizeof *x);
            a->reached[s] = value[s];
        }
    }
    return STATUS_OK;
}

/* choices to try in place of `now`: all, or the nearest and an even spread */
static size_t list_alternatives(const OptimizeDimension *dimension, size_t now, size_t *out) {
    const size_t choices = dimension->choices;
    size_t       count = 0;
    if (choices <= ALTERNATIVES) {
        for (size_t i = 0; i < choices; i++) {
            out[count] = i;
            count += (i != now) ? 1 : 0;
        }
        return count;
    }
    for (size_t step = 1; step <= 2; step++) {
        if (now >= step) {
            out[count++] = now - step;
        }
        if (now + step < choices) {
            out[count++] = now + step;
        }
    }
    const size_t spread = ALTERNATIVES - count;
    for (size_t k = 0; k < spread; k++) {
        out[count++] = k * (choices - 1) / (spread - 1);
    }
    return count;
}

/* best level of dimension j from start s; true if it moved */
static bool search_line(Ascent *a, size_t s, size_t j) {
    const OptimizeDimension *dimension = &a->search->dimensions[j];
    double                  *start = a->start + s * a->d;
    size_t                   choice[ALTERNATIVES];
    double                   value[ALTERNATIVES];
    bool                     moved = false;
    size_t                   count = 0;
    const size_t             listed =
        list_alternatives(dimension, optimize_choice(dimension, start[j]), choice);
    for (size_t k = 0; k < listed; k++) {
        double *x = a->tries + count * a->d;
        memcpy(x, start, a->d * sizeof *x);
        x[j] = optimize_level(dimension, choice[k]);
        const bool inside = x[j] >= acquisition_start__lower(a->search, j) &&
                            x[j] <= acquisition_start__upper(a->search, j);
        count += (inside && acquisition_start__settle(a->search, x)) ? 1 : 0;
    }
    acquisition_values__evaluate(&a->values, a->tries, count, value, NULL);
    for (size_t k = 0; k < count; k++) {
        if (value[k] < a->reached[s] - TOLERANCE) {
            memcpy(start, a->tries + k * a->d, a->d * sizeof *start);
            a->reached[s] = value[k];
            moved = true;
        }
    }
    return moved;
}

static bool search_discrete(Ascent *a) {
    bool moved = false;
    for (size_t s = 0; s < a->starts; s++) {
        for (size_t j = 0; j < a->d; j++) {
            if (a->search->dimensions[j].choices > 1 && !is_fixed(a->search, j) &&
                !isnan(a->start[s * a->d + j])) {
                moved = search_line(a, s, j) || moved;
            }
        }
    }
    return moved;
}

/* ---- the answer ---- */

static bool is_known(const GaussianProcess *gp, const double *x, size_t d) {
    const size_t n = gaussian_process_count(gp) + gaussian_process_pending(gp);
    for (size_t i = 0; i < n; i++) {
        if (distance(gaussian_process_point(gp, i), x, d) <= 0.0) {
            return true;
        }
    }
    return false;
}

/* the best start that is new; else the best candidate that is; else the best start */
static size_t choose(const Ascent *a, const double *points, const double *values, const bool *valid,
                     size_t count) {
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        if (valid[i] && (best == count || values[i] < values[best]) &&
            !is_known(a->search->gp, points + i * a->d, a->d)) {
            best = i;
        }
    }
    return best;
}

static Status answer(Ascent *a, Rng *rng, double *x, double *value) {
    static const bool all[STARTS] = {true, true, true, true, true, true, true, true};
    const double     *from = a->start;
    const double     *values = a->reached;
    size_t            best = choose(a, a->start, a->reached, all, a->starts);
    if (best == a->starts) {
        acquisition_start__draw(a->search, rng, a->candidates, a->x, a->valid);
        acquisition_values__evaluate(&a->values, a->x, a->candidates, a->value, NULL);
        best = choose(a, a->x, a->value, a->valid, a->candidates);
        from = (best < a->candidates) ? a->x : a->start;
        values = (best < a->candidates) ? a->value : a->reached;
        best = (best < a->candidates) ? best : 0;
    }
    memcpy(x, from + best * a->d, a->d * sizeof *x);
    if (value != NULL) {
        *value = -values[best];
    }
    return STATUS_OK;
}

static Status run(const AcquisitionSearch *search, Rng *rng, double *x, double *value,
                  Arena *scratch) {
    Ascent a;
    bool   discrete = false;
    TRY(begin(&a, search, scratch));
    choose_starts(&a, rng);
    if (a.starts == 0) {
        FAIL(STATUS_ERR_STATE, "acquisition search: all of %zu candidates are forbidden",
             a.candidates);
    }
    for (size_t j = 0; j < search->d; j++) {
        discrete = discrete || search->dimensions[j].choices > 1;
    }
    for (int k = 0; k < ALTERNATIONS; k++) {
        TRY(climb(&a));
        if (!discrete || !search_discrete(&a)) {
            break;
        }
    }
    return answer(&a, rng, x, value);
}

static Status run_and_release(const AcquisitionSearch *search, Rng *rng, double *x, double *value,
                              Arena *scratch) {
    const size_t mark = arena_mark(scratch);
    const Status status = run(search, rng, x, value, scratch);
    arena_release(scratch, mark);
    return status;
}

/* near the best observation, where that is due, and unless all there is known or forbidden */
static Status run_local(const AcquisitionSearch *search, Rng *rng, double *x, double *value,
                        Arena *scratch) {
    AcquisitionSearch local = *search;
    double           *lower = NULL;
    double           *upper = NULL;
    TRY(ARENA_TAKE(scratch, double, search->d, &lower));
    TRY(ARENA_TAKE(scratch, double, search->d, &upper));
    if (search->local && acquisition_local__box(search, rng, lower, upper)) {
        local.lower = lower;
        local.upper = upper;
        const Status status = run_and_release(&local, rng, x, value, scratch);
        if (status != STATUS_ERR_STATE &&
            !(status == STATUS_OK && is_known(search->gp, x, search->d))) {
            return status;
        }
        status_clear();
    }
    return run_and_release(search, rng, x, value, scratch);
}

Status acquisition_search_run(const AcquisitionSearch *search, Rng *rng, double *x, double *value,
                              Arena *scratch) {
    const size_t mark = arena_mark(scratch);
    const Status status = run_local(search, rng, x, value, scratch);
    arena_release(scratch, mark);
    return status;
}
