/* What a segment gives and how long it takes. A result is computed when its segment is decided, as
 * nothing that happens meanwhile could change it, and told when its virtual time is over. */
#include "schedulers/simulator_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* lanes of the streams of a segment; evaluations have theirs from EVALUATION_LANES on */
enum { LANE_TIME, LANE_FAIL, LANE_PART, EVALUATION_LANES = 64 };

/* the seed number of a branching segment, apart from those of roots: as in a study */
#define BRANCH_SEED_OFFSET (INT64_C(1) << 40)

void simulator__work_init(SimulatorWork *work, const SimulatorSettings *settings,
                          const SchedulerSetup *study, const SimulatedProblem *problem) {
    *work = (SimulatorWork){.settings = settings, .study = study, .problem = problem};
    work->width = problem->ops->state_size + 3 * study->objective_count + study->constraint_count;
}

void simulator__work_reset(SimulatorWork *work) {
    free(work->jobs);
    free(work->segments);
    free(work->trials);
    free(work->values);
    free(work->units);
    free(work->newest_first);
    *work = (SimulatorWork){.jobs = NULL};
}

void *simulator__grown(void *array, size_t *capacity, size_t need, size_t size) {
    if (need <= *capacity) {
        return array;
    }
    const size_t wanted = (need > 2 * *capacity) ? need + 64 : 2 * *capacity;
    char        *grown = realloc(array, wanted * size);
    if (grown == NULL) {
        (void)FAILURE(STATUS_ERR_NOMEM, "no memory for a simulation of %zu segments", need);
        return NULL;
    }
    memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
    *capacity = wanted;
    return grown;
}

/* ---- a job's numbers ---- */

static double *state_of(const SimulatorWork *work, size_t job) {
    return work->values + work->jobs[job].values;
}

const double *simulator__objectives(const SimulatorWork *work, size_t job) {
    return state_of(work, job) + work->problem->ops->state_size;
}

const double *simulator__truths(const SimulatorWork *work, size_t job) {
    return simulator__objectives(work, job) + work->study->objective_count;
}

const double *simulator__spreads(const SimulatorWork *work, size_t job) {
    return simulator__truths(work, job) + work->study->objective_count;
}

const double *simulator__constraints(const SimulatorWork *work, size_t job) {
    return simulator__spreads(work, job) + work->study->objective_count;
}

size_t simulator__job_of(const SimulatorWork *work, int64_t segment) {
    if (segment < 1 || (size_t)segment > work->segment_count) {
        return work->count;
    }
    return work->segments[segment - 1];
}

/* ---- what happens by chance ---- */

static Rng stream(const SimulatorWork *work, const SimulatorJob *job, uint32_t lane) {
    return rng_stream_lane(work->settings->seed, (uint64_t)job->id, RNG_SIMULATE,
                           lane + ((job->kind == EVENT_EVALUATED) ? EVALUATION_LANES : 0));
}

/* log-normal of mean 1 and standard deviation `spread` */
static double time_factor(const SimulatorWork *work, const SimulatorJob *job) {
    const double spread = work->settings->spread;
    if (spread <= 0.0) {
        return 1.0;
    }
    Rng          rng = stream(work, job, LANE_TIME);
    const double variance = log1p(spread * spread);
    return exp(sqrt(variance) * rng_normal(&rng) - 0.5 * variance);
}

static bool crashes(const SimulatorWork *work, SimulatorJob *job) {
    Rng rng = stream(work, job, LANE_FAIL);
    if (rng_uniform(&rng) >= work->settings->failure_rate) {
        return false;
    }
    Rng part = stream(work, job, LANE_PART);
    job->seconds *= rng_uniform(&part);
    job->outcome = OUTCOME_CRASHED;
    return true;
}

/* ---- segments ---- */

/* a new trial's seed is numbered by the trial, every other new line's by its segment */
static Status seed_of(SimulatorWork *work, const Decision *decision, uint64_t *seed) {
    const size_t   trial = (size_t)decision->trial;
    unsigned char *trials =
        simulator__grown(work->trials, &work->trial_capacity, trial + 1, sizeof *work->trials);
    if (trials == NULL) {
        return STATUS_ERR_NOMEM;
    }
    work->trials = trials;
    const bool known = work->trials[trial] != 0;
    work->trials[trial] = 1;
    if (decision->parent != 0 && !decision->branch) {
        *seed = work->jobs[simulator__job_of(work, decision->parent)].seed;
        return STATUS_OK;
    }
    const int64_t number =
        (decision->parent == 0 && !known) ? decision->trial : BRANCH_SEED_OFFSET + decision->id;
    *seed = rng_seed(work->study->seed, SEED_TUNE, (uint64_t)number);
    return STATUS_OK;
}

static Status train(SimulatorWork *work, const Decision *decision, size_t index) {
    const SimulatedProblemOps *ops = work->problem->ops;
    SimulatorJob              *job = &work->jobs[index];
    const size_t               parent = simulator__job_of(work, decision->parent);
    SimulatedResult            result = {.cost = (double)NAN, .seconds = (double)NAN};
    const SimulatedSegment     segment = {.parent =
                                          (decision->parent == 0) ? NULL : state_of(work, parent),
                                          .point = decision->point,
                                          .begin = decision->begin,
                                          .end = decision->end,
                                          .seed = job->seed};
    TRY(simulator__train(work, &segment, index, &result));
    double *values = state_of(work, index);
    memcpy(values, result.state, ops->state_size * sizeof *values);
    TRY(simulator__reduce(work, index, values + ops->state_size));
    memcpy(values + ops->state_size + 3 * work->study->objective_count, result.constraints,
           work->study->constraint_count * sizeof *values);
    job->cost = result.cost;
    job->seconds = isnan(result.seconds)
                       ? work->settings->seconds_per_unit * (double)(job->end - job->begin)
                       : result.seconds;
    return STATUS_OK;
}

/* the mean of so many episodes of the agent as it is now */
static void evaluate(SimulatorWork *work, const Decision *decision, size_t index) {
    const size_t  k = work->study->objective_count;
    const size_t  parent = simulator__job_of(work, decision->parent);
    SimulatorJob *job = &work->jobs[index];
    Rng           rng = stream(work, job, SIMULATOR_LANE_NOISE);
    memcpy(state_of(work, index), state_of(work, parent), work->width * sizeof *work->values);
    const SimulatorJob *trained = &work->jobs[parent];
    const double       *last = work->units + (trained->units + trained->count - 1) * 2 * k;
    double             *objectives = state_of(work, index) + work->problem->ops->state_size;
    for (size_t i = 0; i < k; i++) {
        const double noise =
            work->settings->noise * rng_normal(&rng) / sqrt((double)decision->episodes);
        objectives[i] = last[k + i] + noise;
        objectives[k + i] = last[k + i];
        objectives[2 * k + i] = (double)NAN;
    }
    job->seconds = work->settings->seconds_per_unit * (double)decision->episodes;
}

static bool is_diverged(const double *objectives, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (isnan(objectives[i])) {
            return true;
        }
    }
    return false;
}

static void finish(SimulatorWork *work, size_t index) {
    const size_t  n = work->study->objective_count;
    SimulatorJob *job = &work->jobs[index];
    double       *observed = state_of(work, index) + work->problem->ops->state_size;
    job->seconds *= time_factor(work, job);
    if (!crashes(work, job) && is_diverged(observed, n)) {
        job->outcome = OUTCOME_DIVERGED;
    }
    for (size_t i = 0; job->outcome != OUTCOME_DONE && i < n; i++) {
        observed[i] = (double)NAN;
        observed[2 * n + i] = (double)NAN;
    }
}

/* room for one more job */
static Status make_room(SimulatorWork *work) {
    SimulatorJob *jobs =
        simulator__grown(work->jobs, &work->capacity, work->count + 1, sizeof *work->jobs);
    work->jobs = (jobs == NULL) ? work->jobs : jobs;
    double *values = simulator__grown(work->values, &work->value_capacity, work->count + 1,
                                      work->width * sizeof *work->values);
    work->values = (values == NULL) ? work->values : values;
    size_t *segments = simulator__grown(work->segments, &work->segment_capacity,
                                        work->segment_count + 1, sizeof *work->segments);
    work->segments = (segments == NULL) ? work->segments : segments;
    return (jobs == NULL || values == NULL || segments == NULL) ? STATUS_ERR_NOMEM : STATUS_OK;
}

static Status add_segment(SimulatorWork *work, const Decision *decision) {
    if ((size_t)decision->id != work->segment_count + 1) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " comes after %zu", decision->id,
             work->segment_count);
    }
    TRY(seed_of(work, decision, &work->jobs[work->count].seed));
    TRY(train(work, decision, work->count));
    work->segments[work->segment_count++] = work->count;
    return STATUS_OK;
}

Status simulator__work_add(SimulatorWork *work, const Decision *decision, size_t *job) {
    const bool segment = decision->kind == DECISION_RUN;
    if (decision->parent != 0 && simulator__job_of(work, decision->parent) == work->count) {
        FAIL(STATUS_ERR_STATE, "there is no segment %" PRId64 " to go on from", decision->parent);
    }
    TRY(make_room(work));
    *job = work->count;
    work->jobs[*job] = (SimulatorJob){.kind = segment ? EVENT_FINISHED : EVENT_EVALUATED,
                                      .id = decision->id,
                                      .trial = decision->trial,
                                      .begin = decision->begin,
                                      .end = decision->end,
                                      .outcome = OUTCOME_DONE,
                                      .cost = (double)NAN,
                                      .values = *job * work->width,
                                      .parent = decision->parent};
    if (segment) {
        TRY(add_segment(work, decision));
    } else {
        evaluate(work, decision, *job);
    }
    work->count++;
    finish(work, *job);
    return STATUS_OK;
}
