/* Is the schedule better than the defaults? Means with 95 % bootstrap intervals over seeds, and the
 * probability that a seed of the schedule beats a seed of the defaults (Mann and Whitney). A run
 * that failed has no mean, but it counts as worse than every other in the probability: leaving it
 * out would favour what fails often. */
#include "results/report_internal.h"

#include "core/statistics.h"

#include <math.h>
#include <stdlib.h>

static const Bootstrap bootstrap = {.level = 0.95, .resamples = 2000};

/* which number of a run */
typedef enum Measure { MEASURE_LAST, MEASURE_AREA } Measure;

static double measure_of(const ConfirmRun *run, Measure measure) {
    return (measure == MEASURE_LAST) ? run->last : run->area;
}

/* values of the complete runs; the caller frees them. `sign` 0 leaves failed runs out, +-1 turns
 * the values so that larger is better and puts failed runs last. */
static Status collect(const ConfirmArm *arm, Measure measure, double sign, Sample *out,
                      double **memory) {
    double *values = calloc(arm->run_count + 1, sizeof *values);
    if (values == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu runs", arm->run_count);
    }
    size_t n = 0;
    for (size_t i = 0; i < arm->run_count; i++) {
        const ConfirmRun *run = &arm->runs[i];
        if (run->complete) {
            values[n++] = ((sign < 0.0) ? -1.0 : 1.0) * measure_of(run, measure);
        } else if (run->failed && sign * sign > 0.0) {
            values[n++] = -(double)INFINITY;
        }
    }
    *out = (Sample){.values = values, .n = n};
    *memory = values;
    return STATUS_OK;
}

static Status interval_of(Sample sample, uint64_t stream, Interval *out) {
    Arena arena;
    Rng   rng = rng_stream(0, stream, RNG_STATISTICS);
    TRY(arena_init(&arena, statistics_bootstrap_scratch(sample.n, bootstrap.resamples)));
    const Status status =
        statistics_bootstrap(STATISTIC_MEAN, sample, bootstrap, &rng, &arena, out);
    arena_reset(&arena);
    return status;
}

static Status interval_push(const Interval *interval, Json *pair) {
    TRY(json_push(pair, json_new_number(interval->low)));
    return json_push(pair, json_new_number(interval->high));
}

static Status interval_set(Json *object, const char *key, Sample sample, uint64_t stream) {
    Interval interval;
    if (sample.n < 2) {
        return json_set(object, key, json_new_null());
    }
    TRY(interval_of(sample, stream, &interval));
    Json        *pair = json_new_array();
    const Status status = interval_push(&interval, pair);
    if (status != STATUS_OK) {
        json_release(pair);
        return status;
    }
    return json_set(object, key, pair);
}

static Json *number_or_null(double value) {
    return isnan(value) ? json_new_null() : json_new_number(value);
}

/* mean and interval of an arm under two keys */
static Status mean_set(Json *object, const char *mean_key, const char *interval_key,
                       const ConfirmArm *arm, Measure measure) {
    Sample  sample = {.n = 0};
    double *memory = NULL;
    TRY(collect(arm, measure, 0.0, &sample, &memory));
    const uint64_t stream = 4 * (uint64_t)arm->number + (arm->defaults ? 2 : 0) + (uint64_t)measure;
    Status         status = json_set(object, mean_key, number_or_null(statistics_mean(sample)));
    if (status == STATUS_OK) {
        status = interval_set(object, interval_key, sample, stream);
    }
    free(memory);
    return status;
}

/* P(arm > defaults); NaN where one of them has no run that ended */
static Status probability(const Confirmation *confirmation, const ConfirmArm *arm,
                          const ConfirmArm *defaults, Measure measure, double *out) {
    const double sign = confirmation->maximize ? 1.0 : -1.0;
    Sample       x = {.n = 0};
    Sample       y = {.n = 0};
    double      *x_memory = NULL;
    double      *y_memory = NULL;
    *out = (double)NAN;
    if (defaults == NULL) {
        return STATUS_OK;
    }
    TRY(collect(arm, measure, sign, &x, &x_memory));
    const Status status = collect(defaults, measure, sign, &y, &y_memory);
    if (status == STATUS_OK && x.n > 0 && y.n > 0) {
        statistics_sort(x_memory, x.n);
        statistics_sort(y_memory, y.n);
        *out = statistics_improvement(x, y);
    }
    free(x_memory);
    free(y_memory);
    return status;
}

static const ConfirmArm *defaults_of(const Confirmation *confirmation) {
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        if (confirmation->arms[i].defaults) {
            return &confirmation->arms[i];
        }
    }
    return NULL;
}

static Status probability_set(Json *object, const Confirmation *confirmation, const ConfirmArm *arm,
                              Measure measure) {
    double value = (double)NAN;
    TRY(probability(confirmation, arm, arm->defaults ? NULL : defaults_of(confirmation), measure,
                    &value));
    return json_set(object, "probability", number_or_null(value));
}

static size_t count_runs(const ConfirmArm *arm, bool complete) {
    size_t count = 0;
    for (size_t i = 0; i < arm->run_count; i++) {
        count += (complete ? arm->runs[i].complete : arm->runs[i].failed) ? 1 : 0;
    }
    return count;
}

/* {"mean","interval","defaults_mean","defaults_interval","probability"} of one measure */
static Status comparison_fill(Json *object, const Confirmation *confirmation, const ConfirmArm *arm,
                              Measure measure) {
    const ConfirmArm *defaults = defaults_of(confirmation);
    TRY(mean_set(object, "mean", "interval", arm, measure));
    if (defaults != NULL && !arm->defaults) {
        TRY(mean_set(object, "defaults_mean", "defaults_interval", defaults, measure));
    }
    return probability_set(object, confirmation, arm, measure);
}

static Status area_set(Json *object, const Confirmation *confirmation, const ConfirmArm *arm) {
    Json        *area = json_new_object();
    const Status status = comparison_fill(area, confirmation, arm, MEASURE_AREA);
    if (status != STATUS_OK) {
        json_release(area);
        return status;
    }
    return json_set(object, "area", area);
}

/* every run of the arm has come to its end, or failed */
static bool has_ended(const ConfirmArm *arm) {
    return arm == NULL || count_runs(arm, true) + count_runs(arm, false) == arm->run_count;
}

static Status summary_fill(Json *object, const Confirmation *confirmation, const ConfirmArm *arm) {
    const ConfirmArm *defaults = defaults_of(confirmation);
    TRY(json_set(object, "planned", json_new_integer((int64_t)arm->run_count)));
    TRY(json_set(object, "complete", json_new_bool(has_ended(arm) && has_ended(defaults))));
    TRY(json_set(object, "n", json_new_integer((int64_t)count_runs(arm, true))));
    TRY(json_set(object, "failed", json_new_integer((int64_t)count_runs(arm, false))));
    if (defaults != NULL && !arm->defaults) {
        TRY(json_set(object, "defaults_n", json_new_integer((int64_t)count_runs(defaults, true))));
        TRY(json_set(object, "defaults_failed",
                     json_new_integer((int64_t)count_runs(defaults, false))));
    }
    TRY(comparison_fill(object, confirmation, arm, MEASURE_LAST));
    return area_set(object, confirmation, arm);
}

Status results__confirmed_json(const Confirmation *confirmation, int64_t segment, Json **out) {
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        const ConfirmArm *arm = &confirmation->arms[i];
        if (arm->defaults || arm->source != segment || count_runs(arm, true) == 0) {
            continue;
        }
        Json        *object = json_new_object();
        const Status status = summary_fill(object, confirmation, arm);
        if (status != STATUS_OK) {
            json_release(object);
            return status;
        }
        *out = object;
        return STATUS_OK;
    }
    *out = json_new_null();
    return STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static Status numbers_set(Json *object, const char *key, const double *values, size_t count) {
    Json  *array = json_new_array();
    Status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = json_push(array, json_new_number(values[i]));
    }
    if (status != STATUS_OK) {
        json_release(array);
        return status;
    }
    return json_set(object, key, array);
}

static Status run_fill(const ConfirmRun *run, Json *object) {
    TRY(json_set(object, "repeat", json_new_integer(run->repeat)));
    TRY(json_set(object, "trial", json_new_integer(run->trial)));
    TRY(json_set(object, "seed", json_new_integer(run->seed)));
    TRY(json_set(object, "complete", json_new_bool(run->complete)));
    TRY(json_set(object, "failed", json_new_bool(run->failed)));
    TRY(json_set(object, "mean", number_or_null(run->last)));
    TRY(json_set(object, "area", number_or_null(run->area)));
    TRY(numbers_set(object, "steps", run->steps, run->curve_count));
    return numbers_set(object, "values", run->curve, run->curve_count);
}

static Status runs_fill(const ConfirmArm *arm, Json *array) {
    for (size_t i = 0; i < arm->run_count; i++) {
        Json        *object = json_new_object();
        const Status status = run_fill(&arm->runs[i], object);
        if (status != STATUS_OK) {
            json_release(object);
            return status;
        }
        TRY(json_push(array, object));
    }
    return STATUS_OK;
}

static Status arm_fill(const Confirmation *confirmation, const ConfirmArm *arm, bool curves,
                       Json *object) {
    TRY(json_set(object, "arm", json_new_string(arm->defaults ? "defaults" : "schedule")));
    TRY(json_set(object, "number", json_new_integer(arm->number)));
    TRY(json_set(object, "source",
                 arm->defaults ? json_new_null() : json_new_integer(arm->source)));
    TRY(json_set(object, "depth", json_new_integer(arm->depth)));
    TRY(json_set(object, "seeds", json_new_integer((int64_t)arm->run_count)));
    TRY(summary_fill(object, confirmation, arm));
    if (!curves) {
        return STATUS_OK;
    }
    Json        *runs = json_new_array();
    const Status status = runs_fill(arm, runs);
    if (status != STATUS_OK) {
        json_release(runs);
        return status;
    }
    return json_set(object, "runs", runs);
}

static Status arms_fill(const Confirmation *confirmation, bool curves, Json *array) {
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        Json        *object = json_new_object();
        const Status status = arm_fill(confirmation, &confirmation->arms[i], curves, object);
        if (status != STATUS_OK) {
            json_release(object);
            return status;
        }
        TRY(json_push(array, object));
    }
    return STATUS_OK;
}

static Status whole_fill(const Confirmation *confirmation, bool curves, Json *object) {
    TRY(json_set(object, "metric", json_new_string(confirmation->metric)));
    TRY(json_set(object, "direction",
                 json_new_string(confirmation->maximize ? "maximize" : "minimize")));
    TRY(json_set(object, "window", json_new_integer(confirmation->window)));
    Json        *arms = json_new_array();
    const Status status = arms_fill(confirmation, curves, arms);
    if (status != STATUS_OK) {
        json_release(arms);
        return status;
    }
    return json_set(object, "arms", arms);
}

Status results__confirmation_json(const Confirmation *confirmation, bool curves, Json **out) {
    if (confirmation->arm_count == 0) {
        *out = json_new_null();
        return STATUS_OK;
    }
    Json        *object = json_new_object();
    const Status status = whole_fill(confirmation, curves, object);
    if (status != STATUS_OK) {
        json_release(object);
        return status;
    }
    *out = object;
    return STATUS_OK;
}

Status report_confirmation(Results *results, Json **out) {
    Confirmation confirmation;
    TRY(results__snapshot_begin(results));
    Status status = results__confirmation_load(results, &confirmation);
    if (status == STATUS_OK) {
        status = results__confirmation_json(&confirmation, true, out);
        results__confirmation_reset(&confirmation);
    }
    results__snapshot_end(results);
    return status;
}
