/* Reading a confirmation: for each arm (a schedule, or the defaults) the runs on fresh seeds, and
 * for each run the curve of the objective's metric from the root to where it got. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---- one run -------------------------------------------------------------------------------- */

static Status curve_append(Results *results, int64_t segment, int64_t name, ConfirmRun *run) {
    int64_t       count = 0;
    sqlite3_stmt *statement = NULL;
    TRY(results__integer(results,
                         "SELECT count(*) FROM metric WHERE owner = ? AND name = ?"
                         " AND \"index\" = 0",
                         0, &count, "ii", segment, name));
    const size_t total = run->curve_count + (size_t)count;
    double      *curve = realloc(run->curve, (total + 1) * sizeof *curve);
    run->curve = (curve != NULL) ? curve : run->curve;
    double *steps = realloc(run->steps, (total + 1) * sizeof *steps);
    run->steps = (steps != NULL) ? steps : run->steps;
    if (curve == NULL || steps == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a curve of %zu values", total);
    }
    TRY(results__query(results,
                       "SELECT step, value FROM metric WHERE owner = ? AND name = ?"
                       " AND \"index\" = 0 ORDER BY step, rowid LIMIT ?",
                       &statement, "iii", segment, name, count));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        run->steps[run->curve_count] = results__column_double(statement, 0);
        run->curve[run->curve_count++] = results__column_double(statement, 1);
    }
}

static Status curve_read(Results *results, const char *metric, ConfirmRun *run) {
    int64_t *ids = NULL;
    size_t   count = 0;
    int64_t  name = 0;
    TRY(results__name_find(results, metric, &name));
    TRY(report_lineage(results, run->leaf, &ids, &count));
    Status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = curve_append(results, ids[i], name, run);
    }
    free(ids);
    return status;
}

static double mean_from(const ConfirmRun *run, size_t first) {
    double sum = 0.0;
    for (size_t i = first; i < run->curve_count; i++) {
        sum += run->curve[i];
    }
    return sum / (double)(run->curve_count - first);
}

static Status run_read(Results *results, const Confirmation *confirmation, int64_t depth,
                       ConfirmRun *run) {
    int64_t end = 0;
    int64_t failures = 0;
    run->last = (double)NAN;
    run->area = (double)NAN;
    TRY(results__integer(results,
                         "SELECT max(id) FROM segment WHERE trial = ? AND state = 'finished'", 0,
                         &run->leaf, "i", run->trial));
    TRY(results__integer(results,
                         "SELECT count(*) FROM segment WHERE trial = ? AND state = 'failed'", 0,
                         &failures, "i", run->trial));
    TRY(results__integer(results, "SELECT seed FROM segment WHERE trial = ? ORDER BY id LIMIT 1", 0,
                         &run->seed, "i", run->trial));
    run->failed = failures > 0;
    if (run->leaf == 0) {
        return STATUS_OK;
    }
    TRY(results__integer(results, "SELECT \"end\" FROM segment WHERE id = ?", 0, &end, "i",
                         run->leaf));
    TRY(curve_read(results, confirmation->metric, run));
    run->complete = end >= depth && run->curve_count > 0 && !run->failed;
    if (run->complete) {
        const size_t window = (confirmation->window < 1) ? 1 : (size_t)confirmation->window;
        run->area = mean_from(run, 0);
        run->last = mean_from(run, (run->curve_count > window) ? run->curve_count - window : 0);
    }
    return STATUS_OK;
}

/* ---- arms ----------------------------------------------------------------------------------- */

static Status runs_list(Results *results, const char *kind, ConfirmArm *arm) {
    sqlite3_stmt *statement = NULL;
    int64_t       count = 0;
    TRY(results__integer(results, "SELECT count(*) FROM trial WHERE kind = ? AND number = ?", 0,
                         &count, "ti", kind, arm->number));
    arm->runs = calloc((size_t)count + 1, sizeof *arm->runs);
    if (arm->runs == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %lld runs", (long long)count);
    }
    TRY(results__query(results,
                       "SELECT id, \"repeat\" FROM trial WHERE kind = ? AND number = ?"
                       " ORDER BY \"repeat\" LIMIT ?",
                       &statement, "tii", kind, arm->number, count));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        arm->runs[arm->run_count++] =
            (ConfirmRun){.trial = results__column_integer(statement, 0, 0),
                         .repeat = results__column_integer(statement, 1, 0)};
    }
}

/* a schedule is trained to where it ends, the defaults to where the deepest schedule ends */
static Status depth_of(Results *results, ConfirmArm *arm) {
    if (!arm->defaults) {
        return results__integer(results, "SELECT \"end\" FROM segment WHERE id = ?", 0, &arm->depth,
                                "i", arm->source);
    }
    TRY(results__integer(results,
                         "SELECT max(s.\"end\") FROM trial AS t JOIN segment AS s"
                         " ON s.id = t.source WHERE t.kind = 'confirm_best'",
                         0, &arm->depth, ""));
    if (arm->depth == 0) {
        TRY(results__integer(results,
                             "SELECT max(s.\"end\") FROM trial AS t JOIN segment AS s"
                             " ON s.trial = t.id WHERE t.kind = 'confirm_default'",
                             0, &arm->depth, ""));
    }
    return STATUS_OK;
}

static Status arm_read(Results *results, const Confirmation *confirmation, ConfirmArm *arm) {
    TRY(depth_of(results, arm));
    TRY(runs_list(
        results,
        results__trial_kind_name(arm->defaults ? TRIAL_CONFIRM_DEFAULT : TRIAL_CONFIRM_BEST), arm));
    for (size_t i = 0; i < arm->run_count; i++) {
        TRY(run_read(results, confirmation, arm->depth, &arm->runs[i]));
    }
    return STATUS_OK;
}

static Status arms_list(Results *results, size_t capacity, Confirmation *confirmation) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results,
                       "SELECT kind = 'confirm_default' AS defaults, number, min(source)"
                       " FROM trial WHERE kind <> 'tune' GROUP BY kind, number"
                       " ORDER BY defaults, number LIMIT ?",
                       &statement, "i", (int64_t)capacity));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        confirmation->arms[confirmation->arm_count++] =
            (ConfirmArm){.defaults = results__column_integer(statement, 0, 0) != 0,
                         .number = results__column_integer(statement, 1, 0),
                         .source = results__column_integer(statement, 2, 0)};
    }
}

static Status load(Results *results, Confirmation *confirmation) {
    int64_t count = 0;
    TRY(results__first_objective(results, confirmation->metric, sizeof confirmation->metric,
                                 &confirmation->maximize, &confirmation->window));
    TRY(results__integer(results,
                         "SELECT count(DISTINCT kind || number) FROM trial WHERE kind <> 'tune'", 0,
                         &count, ""));
    confirmation->arms = calloc((size_t)count + 1, sizeof *confirmation->arms);
    if (confirmation->arms == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %lld arms", (long long)count);
    }
    TRY(arms_list(results, (size_t)count, confirmation));
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        TRY(arm_read(results, confirmation, &confirmation->arms[i]));
    }
    return STATUS_OK;
}

Status results__confirmation_load(Results *results, Confirmation *out) {
    Confirmation confirmation = {.arms = NULL};
    const Status status = load(results, &confirmation);
    if (status != STATUS_OK) {
        results__confirmation_reset(&confirmation);
        return status;
    }
    *out = confirmation;
    return STATUS_OK;
}

void results__confirmation_reset(Confirmation *confirmation) {
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        ConfirmArm *arm = &confirmation->arms[i];
        for (size_t k = 0; k < arm->run_count; k++) {
            free(arm->runs[k].curve);
            free(arm->runs[k].steps);
        }
        free(arm->runs);
    }
    free(confirmation->arms);
    *confirmation = (Confirmation){.arms = NULL};
}

double results__confirmation_mean(const ConfirmArm *arm, size_t *n) {
    double sum = 0.0;
    *n = 0;
    for (size_t i = 0; i < arm->run_count; i++) {
        if (arm->runs[i].complete) {
            sum += arm->runs[i].last;
            (*n)++;
        }
    }
    return (*n > 0) ? sum / (double)*n : (double)NAN;
}
