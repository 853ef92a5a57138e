/** @file report.h  What people and scripts read: rows, the best schedule, curves (DESIGN, "What
 * scripts may rely on"). Works from the database alone. */
#ifndef RESULTS_REPORT_H
#define RESULTS_REPORT_H

#include "core/json.h"
#include "results/results.h"

/** `mbtune show --segments -f json`: an array in order of id. New reference. */
Status report_segments(Results *results, Json **out) MUST_USE;
/** `mbtune show --trials -f json`: one object per trial (id, kind, number, repeat, segments, depth,
 * objective of its best and last segment, state). */
Status report_trials(Results *results, Json **out) MUST_USE;
/** `mbtune show DIR`: name, state, reason, scheduler, counts by state and outcome, units consumed,
 * utilization, reproducible, best so far, confirmation. */
Status report_summary(Results *results, Json **out) MUST_USE;
/**
 * `mbtune best -f json`:
 * {"segment","trial","objective","hyperparameters","schedule":[{"begin","end",
 * "seed","hyperparameters"}],"evaluated":{...},"confirmed":{...},"note"}. The best finished tuning
 * segment by the first objective, ties to the earliest; by confirmed mean where several schedules
 * were confirmed. @return STATUS_ERR_STATE if nothing is finished
 */
Status report_best(Results *results, Json **out) MUST_USE;
/** Ids of the `count` best finished tuning segments from distinct lines (no one an ancestor of
 * another), best first. */
Status report_top(Results *results, size_t count, int64_t *segments, size_t *found) MUST_USE;
/** Ids of the walk from the root to `segment`, root first. The caller frees `*ids`. */
Status report_lineage(Results *results, int64_t segment, int64_t **ids, size_t *count) MUST_USE;
/** The schedule of a leaf as JSON: study, agent, environment, unit, objective, provenance and
 * steps; neighbours with equal values and seed are merged. */
Status report_schedule(Results *results, int64_t segment, Json **out) MUST_USE;
/** Confirmation: per arm (best schedules, defaults) the curve of each seed, mean of the last window
 * and area under the curve (mean episode value), their means with bootstrap intervals and
 * P(schedule > defaults). */
Status report_confirmation(Results *results, Json **out) MUST_USE;

/**
 * Everything that must be equal between two runs of the same study, as text: trials, segments with
 * values, seeds, reasons, outcomes and objectives (%.17g), metrics that do not depend on the clock,
 * evaluations, the log. Left out: times, attempts, workers, hosts, checkpoints on disk. Appends.
 */
Status report_canonical(Results *results, Buffer *out) MUST_USE;

#endif
