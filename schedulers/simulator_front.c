/* Several objectives: what ended without anything that is better in all of them, and how much room
 * it leaves behind, from the worst values that the problem knows. That corner belongs to the
 * problem, not to a run, so that hypervolumes of different schedulers can be compared.
 *
 * Hypervolume by exclusive contributions (WFG): what point i adds to the points behind it is the
 * box of i less the hypervolume of those points limited to that box, of which most dominate each
 * other. With two objectives one of them is left, so n points cost n^2; with more the worst case is
 * exponential in the objectives.
 *
 * Source: While, Bradstreet & Barone (2012), A fast way of calculating exact hypervolumes. */
#include "schedulers/simulator_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- hypervolume: losses, smaller is better ---- */

static double box(const double *point, const double *corner, size_t m) {
    double volume = 1.0;
    for (size_t i = 0; i < m; i++) {
        volume *= fmax(corner[i] - point[i], 0.0);
    }
    return volume;
}

static bool covers(const double *a, const double *b, size_t m) {
    for (size_t i = 0; i < m; i++) {
        if (!(a[i] <= b[i])) {
            return false;
        }
    }
    return true;
}

/* puts `point` among points of which none covers another; how many there are then */
static size_t put_in(double *points, size_t n, const double *point, size_t m) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (covers(points + i * m, point, m)) {
            return n; /* and covers nobody */
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!covers(point, points + i * m, m)) {
            memmove(points + kept++ * m, points + i * m, m * sizeof *points);
        }
    }
    memmove(points + kept * m, point, m * sizeof *points);
    return kept + 1;
}

/* points (n, m) of which none covers another; the recursion is as deep as coordinates can be
 * limited, and each level holds at most the points of the one above */
static Status hypervolume(const double *points, size_t n, const double *corner, size_t m,
                          double *out) {
    double *limited = calloc(n * m + m, sizeof *limited);
    if (limited == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a front of %zu", n);
    }
    Status status = STATUS_OK;
    *out = 0.0;
    for (size_t i = 0; status == STATUS_OK && i < n; i++) {
        size_t left = 0;
        double shared = 0.0;
        for (size_t k = i + 1; k < n; k++) {
            double point[SCHEDULER_MAX_OBJECTIVES];
            for (size_t j = 0; j < m; j++) {
                point[j] = fmax(points[i * m + j], points[k * m + j]);
            }
            left = put_in(limited, left, point, m);
        }
        if (left == 1) {
            shared = box(limited, corner, m);
        } else if (left > 1) {
            status = hypervolume(limited, left, corner, m, &shared);
        }
        *out += box(points + i * m, corner, m) - shared;
    }
    free(limited);
    return status;
}

/* ---- who may be on it ---- */

typedef struct Candidates {
    SimulatorFrontPoint *points; /* (count) */
    double              *losses; /* (count, m) */
    size_t               count;
} Candidates;

/* keeps it if nothing is better, of equal ones the first; drops what it beats */
static void let_in(const SchedulerSetup *study, Candidates *candidates,
                   const SimulatorFrontPoint *point) {
    const size_t m = study->objective_count;
    double       losses[SCHEDULER_MAX_OBJECTIVES];
    size_t       kept = 0;
    for (size_t i = 0; i < m; i++) {
        losses[i] = study->maximize[i] ? -point->objectives[i] : point->objectives[i];
    }
    for (size_t i = 0; i < candidates->count; i++) {
        if (covers(candidates->losses + i * m, losses, m)) {
            return;
        }
    }
    for (size_t i = 0; i < candidates->count; i++) {
        if (!covers(losses, candidates->losses + i * m, m)) {
            candidates->points[kept] = candidates->points[i];
            memmove(candidates->losses + kept++ * m, candidates->losses + i * m,
                    m * sizeof *losses);
        }
    }
    candidates->points[kept] = *point;
    memcpy(candidates->losses + kept * m, losses, m * sizeof *losses);
    candidates->count = kept + 1;
}

static void let_in_segments(const SimulatorWork *work, Candidates *candidates) {
    const size_t m = work->study->objective_count;
    for (size_t i = 0; i < work->count; i++) {
        const SimulatorJob *job = &work->jobs[i];
        SimulatorFrontPoint point = {
            .segment = job->id, .chains = 1, .depth = job->end, .time = job->ended};
        if (job->kind == EVENT_FINISHED && job->outcome == OUTCOME_DONE &&
            simulator__keeps_constraints(work, i)) {
            memcpy(point.objectives, simulator__objectives(work, i), m * sizeof(double));
            memcpy(point.truths, simulator__truths(work, i), m * sizeof(double));
            let_in(work->study, candidates, &point);
        }
    }
}

/* means, of those with as many chains as anybody has */
static void let_in_configurations(const SimulatorRanking *ranking, const SimulatorWork *work,
                                  Candidates *candidates) {
    const size_t m = work->study->objective_count;
    int64_t      most = 0;
    for (size_t i = 0; i < ranking->configuration_count; i++) {
        const size_t at = ranking->configurations[i].standing;
        if (at != 0 && ranking->places[at - 1].chains > most) {
            most = ranking->places[at - 1].chains;
        }
    }
    for (size_t i = 0; i < ranking->configuration_count; i++) {
        const size_t          at = ranking->configurations[i].standing;
        const SimulatorPlace *place = (at == 0) ? NULL : &ranking->places[at - 1];
        double                means[2 * SCHEDULER_MAX_OBJECTIVES];
        if (place == NULL || place->chains < most || !place->feasible) {
            continue;
        }
        const SimulatorJob *job = &work->jobs[place->job];
        SimulatorFrontPoint point = {.segment = job->id,
                                     .chains = place->chains,
                                     .depth = place->depth,
                                     .time = place->ended};
        simulator__place_means(ranking, work, at - 1, means);
        memcpy(point.objectives, means, m * sizeof *means);
        memcpy(point.truths, means + m, m * sizeof *means);
        let_in(work->study, candidates, &point);
    }
}

/* ---- the front ---- */

/* the first objective's best first */
static int by_first(const void *a, const void *b) {
    const SimulatorFrontPoint *x = a;
    const SimulatorFrontPoint *y = b;
    if (x->objectives[0] < y->objectives[0] || x->objectives[0] > y->objectives[0]) {
        return (x->objectives[0] < y->objectives[0]) ? -1 : 1;
    }
    return (x->segment > y->segment) - (x->segment < y->segment);
}

static void sort(const SchedulerSetup *study, SimulatorFront *front) {
    qsort(front->points, front->count, sizeof *front->points, by_first);
    for (size_t i = 0; study->maximize[0] && i < front->count / 2; i++) {
        const SimulatorFrontPoint held = front->points[i];
        front->points[i] = front->points[front->count - 1 - i];
        front->points[front->count - 1 - i] = held;
    }
}

static Status measure(const SimulatorWork *work, const Candidates *candidates,
                      SimulatorFront *front) {
    const size_t m = work->study->objective_count;
    double       best[SCHEDULER_MAX_OBJECTIVES];
    double       corner[SCHEDULER_MAX_OBJECTIVES];
    double       ideal[SCHEDULER_MAX_OBJECTIVES];
    work->problem->ops->range(work->problem->self, front->reference, best);
    for (size_t i = 0; i < m; i++) {
        corner[i] = work->study->maximize[i] ? -front->reference[i] : front->reference[i];
        ideal[i] = work->study->maximize[i] ? -best[i] : best[i];
    }
    TRY(hypervolume(candidates->losses, candidates->count, corner, m, &front->hypervolume));
    front->share = front->hypervolume / box(ideal, corner, m); /* NaN where there is no room */
    return STATUS_OK;
}

static Status find(const SimulatorRanking *ranking, const SimulatorWork *work,
                   Candidates *candidates, SimulatorFront *front) {
    if (work->study->repeats > 1) {
        let_in_configurations(ranking, work, candidates);
    } else {
        let_in_segments(work, candidates);
    }
    TRY(measure(work, candidates, front));
    front->count = candidates->count;
    sort(work->study, front);
    return STATUS_OK;
}

Status simulator__front_find(const SimulatorRanking *ranking, const SimulatorWork *work,
                             SimulatorFront *front) {
    const size_t m = work->study->objective_count;
    *front = (SimulatorFront){.points = NULL};
    if (m < 2 || work->problem->ops->range == NULL) {
        return STATUS_OK;
    }
    front->points = calloc(work->count + 1, sizeof *front->points);
    Candidates candidates = {.points = front->points,
                             .losses = calloc((work->count + 1) * m, sizeof *candidates.losses)};
    Status     status = (candidates.points == NULL || candidates.losses == NULL)
                            ? FAILURE(STATUS_ERR_NOMEM, "no memory for a front")
                            : find(ranking, work, &candidates, front);
    free(candidates.losses);
    if (status != STATUS_OK) {
        free(front->points);
        *front = (SimulatorFront){.points = NULL};
    }
    return status;
}
