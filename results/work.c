/* Trials, segments and their attempts: the transitions
 *
 *     queued -> running -> finished | failed        running -> queued (retry, yield, reconcile)
 *
 * Each is one UPDATE that names the state it expects; a row that did not change is an error with a
 * sentence that says what was found. */
#include "results/store.h"

#include "core/clock.h"

#include <math.h>
#include <sqlite3.h>

static const char *const state_names[] = {
    [SEGMENT_QUEUED] = "queued",
    [SEGMENT_RUNNING] = "running",
    [SEGMENT_FINISHED] = "finished",
    [SEGMENT_FAILED] = "failed",
};

static const char *const kind_names[] = {
    [TRIAL_TUNE] = "tune",
    [TRIAL_CONFIRM_BEST] = "confirm_best",
    [TRIAL_CONFIRM_DEFAULT] = "confirm_default",
};

const char *results__state_name(SegmentState state) {
    return state_names[state];
}

const char *results__trial_kind_name(TrialKind kind) {
    return kind_names[kind];
}

/* ---- inserting ------------------------------------------------------------------------------ */

Status results_trial_insert(Results *results, const ResultsTrial *trial) {
    TRY(results__writing(results));
    return results__run(results,
                        "INSERT INTO trial (id, kind, number, \"repeat\", source)"
                        " VALUES (?, ?, ?, ?, ?)",
                        "itiiz", trial->id, kind_names[trial->kind], trial->number, trial->repeat,
                        trial->source);
}

static Status segment_insert(Results *results, const ResultsSegment *segment) {
    if (segment->parent != 0) {
        int64_t end = -1;
        TRY(results__integer(results, "SELECT \"end\" FROM segment WHERE id = ?", -1, &end, "i",
                             segment->parent));
        if (end != segment->begin) {
            FAIL(STATUS_ERR_STATE, "segment %lld begins at %lld, but its parent %lld %s",
                 (long long)segment->id, (long long)segment->begin, (long long)segment->parent,
                 (end < 0) ? "does not exist" : "ends elsewhere");
        }
    }
    TRY(results__run(results,
                     "INSERT INTO segment (id, parent, trial, decision, \"begin\", \"end\", seed,"
                     " reason, note, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     "izimiiittd", segment->id, segment->parent, segment->trial, segment->decision,
                     segment->begin, segment->end, (int64_t)segment->seed, segment->reason,
                     segment->note, clock_wall()));
    return results__point_insert(results, 's', segment->id, segment->point);
}

Status results_segment_insert(Results *results, const ResultsSegment *segment) {
    if (segment->point == NULL) {
        FAIL(STATUS_ERR_ARG, "segment %lld has no point", (long long)segment->id);
    }
    TRY(results__atom_begin(results));
    return results__atom_end(results, segment_insert(results, segment));
}

/* ---- transitions ---------------------------------------------------------------------------- */

/* after an UPDATE of one segment: it changed, or why it could not */
static Status expect_change(Results *results, int64_t segment, int64_t attempt,
                            const char *expected) {
    if (results__changes(results) == 1) {
        return STATUS_OK;
    }
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    char          state[16] = "missing";
    int64_t       found = 0;
    TRY(results__query(results, "SELECT state, attempt FROM segment WHERE id = ?", &statement, "i",
                       segment));
    TRY(results__step(results, statement, &row));
    if (row) {
        results__column_text(statement, 0, state, sizeof state);
        found = results__column_integer(statement, 1, 0);
    }
    (void)sqlite3_reset(statement);
    FAIL(STATUS_ERR_STATE, "segment %lld, attempt %lld: expected %s, found %s with attempt %lld",
         (long long)segment, (long long)attempt, expected, state, (long long)found);
}

static Status attempt_end(Results *results, int64_t segment, int64_t attempt, Outcome outcome,
                          const char *reason, double busy_seconds) {
    return results__run(results,
                        "UPDATE attempt SET finished_at = ?, outcome = ?, reason = ?,"
                        " busy_seconds = ? WHERE segment = ? AND number = ?",
                        "dttdii", clock_wall(), outcome_name(outcome),
                        (reason != NULL) ? reason : "", busy_seconds, segment, attempt);
}

static Status attempt_start(Results *results, int64_t segment, int64_t attempt, int worker,
                            const char *host) {
    TRY(results__run(results,
                     "UPDATE segment SET state = 'running', attempt = ?1"
                     " WHERE id = ?2 AND state = 'queued' AND attempt < ?1",
                     "ii", attempt, segment));
    TRY(expect_change(results, segment, attempt, "a queued segment with a lower attempt"));
    if (attempt > 1) { /* the first one finds nothing of an earlier one's */
        TRY(results__run(results,
                         "DELETE FROM metric WHERE owner = ?1 AND"
                         " step > coalesce((SELECT partial_end FROM segment WHERE id = ?1),"
                         " -9223372036854775807)",
                         "i", segment));
    }
    return results__run(results,
                        "INSERT INTO attempt (segment, number, worker, host, started_at)"
                        " VALUES (?, ?, ?, ?, ?)",
                        "iiitd", segment, attempt, (int64_t)worker, host, clock_wall());
}

Status results_attempt_start(Results *results, int64_t segment, int64_t attempt, int worker,
                             const char *host) {
    TRY(results__atom_begin(results));
    return results__atom_end(results, attempt_start(results, segment, attempt, worker, host));
}

static Status cancel_queued(Results *results, int64_t segment, Outcome outcome) {
    TRY(results__run(results,
                     "UPDATE segment SET state = 'failed', outcome = ?, partial_end = NULL,"
                     " partial_attempt = NULL WHERE id = ? AND state = 'queued'",
                     "ti", outcome_name(outcome), segment));
    return expect_change(results, segment, 0, "a queued segment");
}

static Status attempt_fail(Results *results, int64_t segment, int64_t attempt, Outcome outcome,
                           const char *reason, bool retry) {
    if (attempt == 0 && !retry) {
        return cancel_queued(results, segment, outcome);
    }
    if (retry) {
        TRY(results__run(results,
                         "UPDATE segment SET state = 'queued'"
                         " WHERE id = ? AND state = 'running' AND attempt = ?",
                         "ii", segment, attempt));
    } else {
        TRY(results__run(results,
                         "UPDATE segment SET state = 'failed', outcome = ?, partial_end = NULL,"
                         " partial_attempt = NULL, checkpoint_bytes = 0, checkpoint_checksum = 0"
                         " WHERE id = ? AND state = 'running' AND attempt = ?",
                         "tii", outcome_name(outcome), segment, attempt));
    }
    TRY(expect_change(results, segment, attempt, "a running one"));
    return attempt_end(results, segment, attempt, outcome, reason, (double)NAN);
}

Status results_attempt_fail(Results *results, int64_t segment, int64_t attempt, Outcome outcome,
                            const char *reason, bool retry) {
    if (outcome == OUTCOME_NONE || outcome == OUTCOME_DONE) {
        FAIL(STATUS_ERR_ARG, "segment %lld cannot fail with outcome '%s'", (long long)segment,
             outcome_name(outcome));
    }
    TRY(results__atom_begin(results));
    return results__atom_end(results,
                             attempt_fail(results, segment, attempt, outcome, reason, retry));
}

static Status partial_drop(Results *results, int64_t segment) {
    TRY(results__run(results,
                     "UPDATE segment SET partial_end = NULL, partial_attempt = NULL,"
                     " checkpoint_bytes = 0, checkpoint_checksum = 0"
                     " WHERE id = ? AND state = 'queued'",
                     "i", segment));
    return expect_change(results, segment, 0, "a queued segment");
}

static Status attempt_yield(Results *results, int64_t segment, int64_t attempt, int64_t end,
                            uint64_t bytes, uint64_t checksum) {
    TRY(results__run(results,
                     "UPDATE segment SET state = 'queued', partial_end = ?, partial_attempt = ?,"
                     " checkpoint_bytes = ?, checkpoint_checksum = ?"
                     " WHERE id = ? AND state = 'running' AND attempt = ?",
                     "iiiiii", end, attempt, (int64_t)bytes, (int64_t)checksum, segment, attempt));
    TRY(expect_change(results, segment, attempt, "a running one"));
    return attempt_end(results, segment, attempt, OUTCOME_PREEMPTED, "", (double)NAN);
}

Status results_attempt_yield(Results *results, int64_t segment, int64_t attempt, int64_t end,
                             uint64_t checkpoint_bytes, uint64_t checkpoint_checksum) {
    TRY(results__atom_begin(results));
    return results__atom_end(results, (end == 0)
                                          ? partial_drop(results, segment)
                                          : attempt_yield(results, segment, attempt, end,
                                                          checkpoint_bytes, checkpoint_checksum));
}

/* ---- finishing ------------------------------------------------------------------------------ */

static Status result_insert(Results *results, int64_t segment, const char *kind, size_t number,
                            double value, double spread) {
    return results__run(results, "INSERT INTO segment_result VALUES (?, ?, ?, ?, ?)", "itidd",
                        segment, kind, (int64_t)number, value, spread);
}

static Status results_insert(Results *results, int64_t segment, const double *objectives,
                             const double *spreads, const double *constraints) {
    for (size_t i = 0; i < results->objective_count; i++) {
        TRY(result_insert(results, segment, "objective", i, objectives[i],
                          (spreads != NULL) ? spreads[i] : (double)NAN));
    }
    for (size_t i = 0; i < results->constraint_count; i++) {
        TRY(result_insert(results, segment, "constraint", i, constraints[i], (double)NAN));
    }
    return STATUS_OK;
}

static Status finish(Results *results, int64_t segment, int64_t attempt, uint64_t bytes,
                     uint64_t checksum, double busy_seconds) {
    TRY(results__run(results,
                     "UPDATE segment SET state = 'finished', outcome = 'done', kept = ?,"
                     " checkpoint_bytes = ?, checkpoint_checksum = ?, partial_end = NULL,"
                     " partial_attempt = NULL WHERE id = ? AND state = 'running' AND attempt = ?",
                     "iiiii", (int64_t)(bytes > 0), (int64_t)bytes, (int64_t)checksum, segment,
                     attempt));
    TRY(expect_change(results, segment, attempt, "a running one"));
    return attempt_end(results, segment, attempt, OUTCOME_DONE, "", busy_seconds);
}

/* one row has that many columns */
/* NOLINTNEXTLINE(readability-function-size): nine parameters */
Status results_segment_finish(Results *results, int64_t segment, int64_t attempt,
                              const double *objectives, const double *spreads,
                              const double *constraints, uint64_t checkpoint_bytes,
                              uint64_t checkpoint_checksum, double busy_seconds) {
    TRY(results__atom_begin(results));
    Status status =
        finish(results, segment, attempt, checkpoint_bytes, checkpoint_checksum, busy_seconds);
    if (status == STATUS_OK) {
        status = results_insert(results, segment, objectives, spreads, constraints);
    }
    return results__atom_end(results, status);
}

static Status checkpoint_made(Results *results, int64_t segment, int64_t attempt, uint64_t bytes,
                              uint64_t checksum) {
    const double now = clock_wall();
    TRY(results__run(results,
                     "UPDATE segment SET kept = 1, attempt = ?, checkpoint_bytes = ?,"
                     " checkpoint_checksum = ? WHERE id = ? AND state = 'finished'",
                     "iiii", attempt, (int64_t)bytes, (int64_t)checksum, segment));
    TRY(expect_change(results, segment, attempt, "a finished one"));
    return results__run(results,
                        "INSERT OR IGNORE INTO attempt (segment, number, started_at, finished_at,"
                        " outcome, reason) VALUES (?, ?, ?, ?, 'done', 'checkpoint made again')",
                        "iidd", segment, attempt, now, now);
}

Status results_checkpoint_set(Results *results, int64_t segment, int64_t attempt, uint64_t bytes,
                              uint64_t checksum) {
    TRY(results__atom_begin(results));
    if (bytes > 0) {
        return results__atom_end(results,
                                 checkpoint_made(results, segment, attempt, bytes, checksum));
    }
    Status status = results__run(
        results, "UPDATE segment SET kept = 0 WHERE id = ? AND state = 'finished'", "i", segment);
    if (status == STATUS_OK) {
        status = expect_change(results, segment, attempt, "a finished one");
    }
    return results__atom_end(results, status);
}

static Status reconcile(Results *results, int64_t *requeued) {
    int64_t count = 0;
    TRY(results__run(results,
                     "UPDATE attempt SET finished_at = ?, outcome = 'lost',"
                     " reason = 'the coordinator ended' WHERE outcome IS NULL",
                     "d", clock_wall()));
    TRY(results__run(results, "UPDATE segment SET state = 'queued' WHERE state = 'running'", ""));
    count += results__changes(results);
    TRY(results__run(results, "UPDATE evaluation SET state = 'queued' WHERE state = 'running'",
                     ""));
    count += results__changes(results);
    *requeued = count;
    return STATUS_OK;
}

Status results_reconcile(Results *results, int64_t *requeued) {
    TRY(results__atom_begin(results));
    return results__atom_end(results, reconcile(results, requeued));
}
