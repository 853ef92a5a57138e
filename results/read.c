/* Rows of work as structs. Lists are read one row per query, by id, so that a visitor may write. */
#include "results/store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

Status results__state_find(const char *name, SegmentState *out) {
    for (int i = SEGMENT_QUEUED; i <= SEGMENT_FAILED; i++) {
        if (strcmp(name, results__state_name((SegmentState)i)) == 0) {
            *out = (SegmentState)i;
            return STATUS_OK;
        }
    }
    FAIL(STATUS_ERR_CORRUPT, "a row in state '%s'", name);
}

Status results__outcome_find(const char *name, Outcome *out) {
    *out = OUTCOME_NONE;
    return (name[0] == '\0') ? STATUS_OK : outcome_find(name, out);
}

Status results__objectives_read(Results *results, int64_t segment, double *objectives,
                                double *spreads, double *constraints, size_t *known) {
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        objectives[i] = (double)NAN;
        if (spreads != NULL) {
            spreads[i] = (double)NAN;
        }
    }
    for (size_t i = 0; constraints != NULL && i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        constraints[i] = (double)NAN;
    }
    sqlite3_stmt *statement = NULL;
    size_t        count = 0;
    TRY(results__query(results,
                       "SELECT kind = 'objective', number, value, spread FROM segment_result"
                       " WHERE segment = ?",
                       &statement, "i", segment));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            if (known != NULL) {
                *known = count;
            }
            return STATUS_OK;
        }
        const bool    objective = results__column_integer(statement, 0, 0) != 0;
        const int64_t number = results__column_integer(statement, 1, 0);
        const double  value = results__column_double(statement, 2);
        if (number < 0) {
            (void)sqlite3_reset(statement);
            FAIL(STATUS_ERR_CORRUPT, "%s: segment %lld has a result of number %lld", results->path,
                 (long long)segment, (long long)number);
        }
        if (objective && number < SCHEDULER_MAX_OBJECTIVES) {
            objectives[number] = value;
            count++;
            if (spreads != NULL) {
                spreads[number] = results__column_double(statement, 3);
            }
        } else if (!objective && constraints != NULL && number < SCHEDULER_MAX_CONSTRAINTS) {
            constraints[number] = value;
        }
    }
}

/* both queries name the columns in this order */
#define SEGMENT_COLUMNS                                                                    \
    "id, parent, trial, decision, \"begin\", \"end\", seed, reason, note, state, outcome," \
    " attempt, kept, checkpoint_bytes, checkpoint_checksum, partial_end, partial_attempt," \
    " cost, pinned"

/* A damaged file may say anything: the next attempt would overflow, and units beyond this would no
 * longer be exact as doubles. */
#define MOST_UNITS (INT64_C(1) << 53)

static Status check_numbers(const Results *results, const ResultsSegment *row) {
    if (row->begin < 0 || row->end <= row->begin || row->end > MOST_UNITS || row->attempt < 0 ||
        row->attempt > RESULTS_MOST_ATTEMPTS) {
        FAIL(STATUS_ERR_CORRUPT, "%s: segment %lld from %lld to %lld, attempt %lld, cannot be",
             results->path, (long long)row->id, (long long)row->begin, (long long)row->end,
             (long long)row->attempt);
    }
    return STATUS_OK;
}

/* everything but the point; resets the statement */
static Status segment_row(Results *results, sqlite3_stmt *statement, ResultsSegment *out) {
    char           state[16];
    char           outcome[16];
    ResultsSegment row = {
        .id = results__column_integer(statement, 0, 0),
        .parent = results__column_integer(statement, 1, 0),
        .trial = results__column_integer(statement, 2, 0),
        .decision = results__column_integer(statement, 3, -1),
        .begin = results__column_integer(statement, 4, 0),
        .end = results__column_integer(statement, 5, 0),
        .seed = (uint64_t)results__column_integer(statement, 6, 0),
        .point = out->point,
        .attempt = results__column_integer(statement, 11, 0),
        .kept = results__column_integer(statement, 12, 0) != 0,
        .checkpoint_bytes = (uint64_t)results__column_integer(statement, 13, 0),
        .checkpoint_checksum = (uint64_t)results__column_integer(statement, 14, 0),
        .partial_end = results__column_integer(statement, 15, 0),
        .partial_attempt = results__column_integer(statement, 16, 0),
        .cost = results__column_double(statement, 17),
        .pinned = results__column_integer(statement, 18, 0) != 0,
    };
    results__column_text(statement, 7, row.reason, sizeof row.reason);
    results__column_text(statement, 8, row.note, sizeof row.note);
    results__column_text(statement, 9, state, sizeof state);
    results__column_text(statement, 10, outcome, sizeof outcome);
    (void)sqlite3_reset(statement);
    TRY(results__state_find(state, &row.state));
    TRY(results__outcome_find(outcome, &row.outcome));
    TRY(check_numbers(results, &row));
    *out = row;
    if (row.state == SEGMENT_FINISHED) {
        return results__objectives_read(results, row.id, out->objective, NULL, NULL, NULL);
    }
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        out->objective[i] = (double)NAN; /* whoever has not finished has none */
    }
    return STATUS_OK;
}

static Status point_of(Results *results, const Space *space, int64_t id, double *point) {
    size_t *index = calloc(results->parameter_count + 1, sizeof *index);
    if (index == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    Status status = results__parameters_match(results, space, index);
    if (status == STATUS_OK) {
        status = results__point_read(results, 's', id, index, space_count(space), point);
    }
    free(index);
    return status;
}

Status results_segment_read(Results *results, const Space *space, int64_t id, ResultsSegment *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, "SELECT " SEGMENT_COLUMNS " FROM segment WHERE id = ?", &statement,
                       "i", id));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "%s: there is no segment %lld", results->path, (long long)id);
    }
    TRY(segment_row(results, statement, out));
    if (out->point == NULL) {
        return STATUS_OK;
    }
    if (space == NULL) {
        FAIL(STATUS_ERR_ARG, "the point of a segment is read through its search space");
    }
    return point_of(results, space, id, out->point);
}

#define SEGMENT_NEXT(condition) \
    "SELECT " SEGMENT_COLUMNS " FROM segment WHERE id > ?" condition " ORDER BY id LIMIT 1"

/* + keeps an index away that would have all open ones sorted for each */
static const char *const next_sql[] = {
    [RESULTS_ALL] = SEGMENT_NEXT(""),
    [RESULTS_OPEN] = SEGMENT_NEXT(" AND +state IN ('queued', 'running')"),
    [RESULTS_KEPT] = SEGMENT_NEXT(" AND kept = 1"),
    [RESULTS_PINNED] = SEGMENT_NEXT(" AND pinned = 1"),
    [RESULTS_CONFIRM] = SEGMENT_NEXT(" AND decision IS NULL"),
};

static Status segment_next(Results *results, ResultsWhich which, int64_t after, ResultsSegment *out,
                           bool *row) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, next_sql[which], &statement, "i", after));
    TRY(results__step(results, statement, row));
    return *row ? segment_row(results, statement, out) : STATUS_OK;
}

Status results_trial_leaf(Results *results, int64_t trial, int64_t *segment) {
    return results__integer(results,
                            "SELECT max(id) FROM segment WHERE trial = ? AND state = 'finished'", 0,
                            segment, "i", trial);
}

Status results_tally_read(Results *results, ResultsTally *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results,
                       "SELECT sum(state = 'finished'), sum(state = 'failed'),"
                       " sum(iif(decision IS NULL, 0, \"end\" - \"begin\")),"
                       " sum(iif(decision IS NULL, \"end\" - \"begin\", 0)),"
                       " sum(kept), sum(iif(kept, checkpoint_bytes, 0))"
                       " FROM segment WHERE state IN ('finished', 'failed')",
                       &statement, ""));
    TRY(results__step(results, statement, &row));
    *out = (ResultsTally){.finished = results__column_integer(statement, 0, 0),
                          .failed = results__column_integer(statement, 1, 0),
                          .units = {results__column_integer(statement, 2, 0),
                                    results__column_integer(statement, 3, 0)},
                          .kept = results__column_integer(statement, 4, 0),
                          .kept_bytes = results__column_integer(statement, 5, 0)};
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

Status results_segments_visit(Results *results, ResultsWhich which,
                              Status (*visit)(void *context, const ResultsSegment *segment),
                              void *context) {
    ResultsSegment segment = {.id = 0};
    Status         status = STATUS_OK;
    TRY(results__snapshot_begin(results));
    while (status == STATUS_OK) {
        bool row = false;
        status = segment_next(results, which, segment.id, &segment, &row);
        if (status != STATUS_OK || !row) {
            break;
        }
        status = visit(context, &segment);
    }
    results__snapshot_end(results);
    return status;
}

Status results_running_next(Results *results, int64_t after, int64_t *segment) {
    return results__integer(results,
                            "SELECT min(id) FROM segment WHERE id > ? AND state = 'running'", 0,
                            segment, "i", after);
}

Status results_attempts_lost(Results *results, int64_t segment, const char *reason,
                             int64_t *count) {
    return results__integer(results,
                            "SELECT count(*) FROM attempt WHERE segment = ? AND outcome = 'lost'"
                            " AND reason = ?",
                            0, count, "it", segment, reason);
}

Status results_unit_seconds(Results *results, double *seconds) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    *seconds = 0.0;
    TRY(results__query(
        results,
        "SELECT max(a.busy_seconds / (s.\"end\" - s.\"begin\")) FROM"
        " (SELECT segment, busy_seconds FROM attempt WHERE outcome = 'done' AND segment IS NOT NULL"
        "  ORDER BY id DESC LIMIT 64) AS a JOIN segment AS s ON s.id = a.segment",
        &statement, ""));
    TRY(results__step(results, statement, &row));
    const double slowest = row ? results__column_double(statement, 0) : 0.0;
    if (slowest > 0.0) { /* NULL is NaN */
        *seconds = slowest;
    }
    return row ? results__step(results, statement, &row) : STATUS_OK;
}

Status results_trial_read(Results *results, int64_t id, ResultsTrial *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    char          kind[32];
    TRY(results__query(results,
                       "SELECT kind, number, \"repeat\", source, stopped FROM trial WHERE id = ?",
                       &statement, "i", id));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "%s: there is no trial %lld", results->path, (long long)id);
    }
    results__column_text(statement, 0, kind, sizeof kind);
    out->id = id;
    out->number = results__column_integer(statement, 1, 0);
    out->repeat = results__column_integer(statement, 2, 0);
    out->source = results__column_integer(statement, 3, 0);
    out->stopped = results__column_integer(statement, 4, 0) != 0;
    (void)sqlite3_reset(statement);
    for (int k = TRIAL_TUNE; k <= TRIAL_CONFIRM_DEFAULT; k++) {
        if (strcmp(kind, results__trial_kind_name((TrialKind)k)) == 0) {
            out->kind = (TrialKind)k;
            return STATUS_OK;
        }
    }
    FAIL(STATUS_ERR_CORRUPT, "trial %lld is of kind '%s'", (long long)id, kind);
}

Status results_units_used(Results *results, int64_t *units) {
    return results__integer(results,
                            "SELECT sum(s.\"end\" - s.\"begin\") FROM segment AS s"
                            " JOIN trial AS t ON t.id = s.trial WHERE t.kind = 'tune'",
                            0, units, "");
}

Status results_trials_begun(Results *results, int64_t *trials) {
    return results__integer(results, "SELECT count(DISTINCT number) FROM trial WHERE kind = 'tune'",
                            0, trials, "");
}

Status results_next_ids(Results *results, int64_t *trial, int64_t *segment, int64_t *evaluation) {
    int64_t ids[3] = {0, 0, 0};
    TRY(results__integer(results, "SELECT max(id) FROM trial", -1, &ids[0], ""));
    TRY(results__integer(results, "SELECT max(id) FROM segment", 0, &ids[1], ""));
    TRY(results__integer(results, "SELECT max(id) FROM evaluation", 0, &ids[2], ""));
    *trial = ids[0] + 1;
    *segment = ids[1] + 1;
    *evaluation = ids[2] + 1;
    return STATUS_OK;
}
