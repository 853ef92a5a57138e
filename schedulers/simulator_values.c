/* From units to objectives: a problem is trained unit by unit, every unit shows a value with noise
 * of its own, and an objective is what the study's reduction makes of those along the lineage. Cost
 * per segment: its units, and `window` values; with `mean` and `max` the whole lineage. Where only
 * the newest value counts, and where a problem gives objectives, a segment is trained at once. */
#include "schedulers/simulator_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* spreads the simulation's seed over the bits of a line's: 2^64 / golden ratio */
#define SEED_MIX UINT64_C(0x9e3779b97f4a7c15)

static Reduction reduction_of(const SimulatorWork *work, size_t objective) {
    Reduction out = work->settings->reductions[objective];
    out.maximize = work->study->maximize[objective];
    if (work->problem->ops->reduced) {
        out.kind = REDUCE_LAST;
    }
    return out;
}

/* nothing but the value at a segment's end is asked for */
static bool only_end_counts(const SimulatorWork *work) {
    for (size_t i = 0; i < work->study->objective_count; i++) {
        if (reduce_window(reduction_of(work, i), SIZE_MAX) > 1) {
            return false;
        }
    }
    return true;
}

/* ---- values ---- */

/* observed = truth + noise, keyed by line and unit */
static Status show(SimulatorWork *work, const SimulatedSegment *unit, const double *truths) {
    const size_t k = work->study->objective_count;
    const size_t width = 2 * k * sizeof *work->units;
    double      *units =
        simulator__grown(work->units, &work->unit_capacity, work->unit_count + 1, width);
    if (units == NULL) {
        return STATUS_ERR_NOMEM;
    }
    work->units = units;
    double *values = units + work->unit_count * 2 * k;
    Rng rng = rng_stream_lane(unit->seed ^ (work->settings->seed * SEED_MIX), (uint64_t)unit->end,
                              RNG_SIMULATE, SIMULATOR_LANE_NOISE);
    for (size_t i = 0; i < k; i++) {
        values[i] = truths[i] + work->settings->noise * rng_normal(&rng);
        values[k + i] = truths[i];
    }
    work->unit_count++;
    return STATUS_OK;
}

Status simulator__train(SimulatorWork *work, const SimulatedSegment *segment, size_t job,
                        SimulatedResult *result) {
    const SimulatedProblem *problem = work->problem;
    const int64_t           step = only_end_counts(work) ? segment->end - segment->begin : 1;
    SimulatedSegment        unit = *segment;
    double                  before[SIMULATED_MAX_STATE];
    double                  cost = 0.0;
    double                  seconds = 0.0;
    work->jobs[job].units = work->unit_count;
    while (unit.begin < segment->end) {
        unit.end = unit.begin + step;
        TRY(problem->ops->train(problem->self, &unit, result));
        TRY(show(work, &unit, result->objectives));
        cost += result->cost;
        seconds += result->seconds;
        memcpy(before, result->state, sizeof before);
        unit.parent = before;
        unit.begin = unit.end;
    }
    result->cost = cost;
    result->seconds = seconds;
    work->jobs[job].count = work->unit_count - work->jobs[job].units;
    return STATUS_OK;
}

/* ---- objectives ---- */

/* the newest values of a lineage, column i of them, at most `most`; how many, and how many of them
 * are of the job itself */
static Status gather(SimulatorWork *work, size_t job, size_t column, size_t most, size_t *found,
                     size_t *own) {
    const size_t width = 2 * work->study->objective_count;
    *found = 0;
    for (size_t at = job; *found < most;) {
        const SimulatorJob *from = &work->jobs[at];
        const size_t        n = (from->count < most - *found) ? from->count : most - *found;
        double *values = simulator__grown(work->newest_first, &work->newest_capacity, *found + n,
                                          sizeof *values);
        if (values == NULL) {
            return STATUS_ERR_NOMEM;
        }
        work->newest_first = values;
        for (size_t i = 0; i < n; i++) {
            values[(*found)++] = work->units[(from->units + from->count - 1 - i) * width + column];
        }
        *own = (at == job) ? n : *own;
        if (from->parent == 0) {
            break;
        }
        at = simulator__job_of(work, from->parent);
    }
    return STATUS_OK;
}

Status simulator__reduce(SimulatorWork *work, size_t job, double *out) {
    const size_t k = work->study->objective_count;
    for (size_t i = 0; i < 2 * k; i++) {
        const Reduction reduction = reduction_of(work, (i < k) ? i : i - k);
        size_t          found = 0;
        size_t          own = 0;
        TRY(gather(work, job, i, reduce_window(reduction, SIZE_MAX), &found, &own));
        out[i] = reduce_values(reduction, work->newest_first, found);
        if (i < k) {
            out[2 * k + i] = reduce_spread(work->newest_first, own);
        }
    }
    return STATUS_OK;
}
