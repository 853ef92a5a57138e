/** @file report.h  What people and scripts read: rows, the best schedule, curves (DESIGN, "What
 * scripts may rely on"). Works from the database alone. */
#ifndef RESULTS_REPORT_H
#define RESULTS_REPORT_H

#include "core/json.h"
#include "results/results.h"

/** `mbtune show --segments -f json`: an array in order of id. Beyond DESIGN's fields: kind (of the
 * trial), note, kept, checkpoint_bytes, host, busy_seconds, constraints ({metric: value or
 * null}, empty where the study has none), diverged (how many of the segment's own episodes did;
 * null where the trainer reports no `episode_diverged`), cost, pinned. Worker, times and failure
 * are of the last attempt that a worker made; failure is null once a segment is finished. New
 * reference. */
Status report_segments(Results *results, Json **out) MUST_USE;
/** `mbtune show --evaluations -f json`: an array in order of id: id, segment, trial, state,
 * outcome, episodes, seed, objective (means over the episodes; a number, or an object by name),
 * worker, attempts, started_at, finished_at, failure. */
Status report_evaluations(Results *results, Json **out) MUST_USE;
/** `mbtune show --trials -f json`: one object per trial: id, kind, number, repeat, source,
 * segments, depth, state (running, queued, else of its last segment), best_segment, last_segment,
 * best_objective, last_objective. */
Status report_trials(Results *results, Json **out) MUST_USE;
/** `mbtune show DIR`: the study's row, reproducible (and irreproducible: why not), objective,
 * counts (trials, segments by state, outcomes, reasons, evaluations, failed_attempts),
 * units_consumed, units_confirming, utilization (null before a second dispatch), parallel,
 * busy_seconds, best as report_best() or null, confirmation as report_confirmation() without runs,
 * or null. */
Status report_summary(Results *results, Json **out) MUST_USE;
/** `mbtune status -f json`, as far as the database knows: name, state, reason, phase (tuning,
 * confirming, evaluating, done), agent, scheduler, segments by state, trials, unit, units ({used,
 * total, confirming}), evaluations that have not ended, running (attempts), best ({segment,
 * objective} or null), utilization and parallel (of the last REPORT_STATUS_ATTEMPTS attempts; null
 * before a second one), checkpoints ({count, bytes, quota: bytes or null}), created_at, changed_at.
 * **Cost** passes over columns of the segments: under a second for a million. */
enum { REPORT_STATUS_ATTEMPTS = 100000 };
Status report_status(Results *results, Json **out) MUST_USE;
/**
 * `mbtune best -f json`:
 * {"segment","trial","objective","hyperparameters","schedule":[{"begin","end",
 * "seed","hyperparameters"}],"constraints":{...},"evaluated":{...},"confirmed":{...},"repeats",
 * "mean","standard_error","note"}. The best finished tuning
 * segment by the first objective, ties to the earliest; one that keeps all constraints before one
 * that does not (a constraint without a value is not kept); by confirmed mean where several
 * schedules were confirmed. Where configurations have several chains, they are ranked instead of
 * segments: each by the mean of the first objective over its chains, at the depth that most of them
 * finished (the deepest of several such), one with more chains there before one with fewer, then
 * one whose chains all keep the constraints; the segment is the best of the first one's chains at
 * that depth. `repeats` says how many chains `mean` is over (1 where nothing is repeated);
 * `standard_error` is null below 2. `confirmed` is
 * {"n","failed","defaults_n","defaults_failed","mean","interval",
 * "defaults_mean","defaults_interval","probability","area":{...}} or null; `note` is null, or says
 * that the choice is not confirmed or breaks a constraint. Without a confirmation, agents that were
 * evaluated are ranked by the mean over these episodes instead of their objective, if the one with
 * the best objective is among them and nothing is repeated. Where there are several objectives,
 * `front` is the non-dominated front, the first objective's best first: [{"segment","trial",
 * "depth","objective","hyperparameters","constraints"}]; of repeated configurations by the means
 * over their chains, of those with the most chains. What breaks a constraint is on it only where
 * nothing keeps them. @return STATUS_ERR_STATE if nothing is
 * finished, or only segments with a diverged episode in their objective window, which are not
 * ranked unless the study allows them
 */
Status report_best(Results *results, Json **out) MUST_USE;
/** Ids of the `count` best finished tuning segments from distinct lines (no one an ancestor of
 * another), best first, ranked as in report_best() without confirmation. Where configurations have
 * several chains, one segment of each configuration. */
Status report_top(Results *results, size_t count, int64_t *segments, size_t *found) MUST_USE;
/** Is a segment out of every ranking? An episode diverged (metric `episode_diverged` above 0) in
 * the window of its first objective, and the study does not say `allow_diverged`. */
Status report_is_diverged(Results *results, int64_t segment, bool *diverged) MUST_USE;
/** Ids of the walk from the root to `segment`, root first. The caller frees `*ids`. */
Status report_lineage(Results *results, int64_t segment, int64_t **ids, size_t *count) MUST_USE;
/** The schedule of a leaf as JSON: study, agent, environment, unit, objective, provenance and
 * steps; neighbours with equal values and seed are merged. */
Status report_schedule(Results *results, int64_t segment, Json **out) MUST_USE;
enum { REPORT_CURVE_COLUMNS = 512 }; /* most of a table that `simulate --table` reads */

/** What became of the curves of a study. */
typedef struct ReportCurves {
    size_t  rows;
    size_t  curves;   /* with a row at least */
    size_t  complete; /* that have a value at per_trial or beyond */
    size_t  diverged; /* that ended so */
    size_t  failed; /* that ended in another failure for good: a crash, no memory, too late, ... */
    int64_t per_trial; /* budget units */
    char    unit[64];
} ReportCurves;

/**
 * Learning curves as CSV, as `mbtune simulate --table` takes them (docs/simulation.md): a header,
 * then one row per tuning segment that ended and whose whole chain, from unit 0 in its own trial,
 * was trained with the same values. Columns: every hyperparameter (empty where it is not active),
 * seed (the trial's id), unit (its end), every objective by metric (empty if the segment diverged
 * or failed for good), the study's cost, every constraint's metric, seconds (busy ones of its last
 * attempt). A cancelled segment is no row. Of two segments of a trial that go on from the same one,
 * or begin it with the same values, the earlier. Appends to `csv`.
 * @return STATUS_OK; STATUS_ERR_STATE where one name has two meanings that differ, or a choice is
 *         no cell of its own (an empty text, a text like another's number); STATUS_ERR_RANGE
 *         above REPORT_CURVE_COLUMNS; what reading fails with
 */
Status report_curves(Results *results, Buffer *csv, ReportCurves *out) MUST_USE;
/**
 * {"metric","direction","window","arms":[...]}, schedules first, then the defaults; null where
 * there are no confirmation trials. Per arm: arm ("schedule" or "defaults"), number, source, depth,
 * seeds, what `confirmed` of report_best() holds, and runs:
 * [{"repeat","trial","seed","complete","failed", "mean","area","steps":[...],"values":[...]}].
 * `mean` is of the last window of the curve, `area` of the whole curve; intervals are 95 %
 * bootstrap over complete runs (null below 2); `probability` is P(schedule > defaults), where a
 * failed run is worse than any other.
 */
Status report_confirmation(Results *results, Json **out) MUST_USE;

/**
 * Everything that must be equal between two runs of the same study, as text: trials, segments with
 * values, seeds, reasons, outcomes and objectives (%.17g), metrics that do not depend on the clock,
 * evaluations, the log. Left out: times, attempts, workers, hosts, checkpoints on disk. Appends.
 */
Status report_canonical(Results *results, Buffer *out) MUST_USE;

#endif
