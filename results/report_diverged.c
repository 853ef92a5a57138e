/* Diverged episodes: whoever has one in its objective window is not ranked. Such an episode counts
 * as the environment's worst return, but a planner may have earned something in the others on its
 * way to the blow-up, and the worst return of a task need not be low enough for every objective.
 * The trainer reports them as the metric `episode_diverged`; a study whose trainer does not has
 * none. */
#include "results/report_internal.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { REDUCE_BYTES = 32 };

static const char metric[] = "episode_diverged";

/* of the first objective: values that count, 0 = all of the lineage */
static Status window_read(Results *results, size_t *window) {
    char          reduce[REDUCE_BYTES];
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, "SELECT reduce, \"window\" FROM objective WHERE id = 0", &statement,
                       ""));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_CORRUPT, "%s: the study has no objective", results->path);
    }
    results__column_text(statement, 0, reduce, sizeof reduce);
    const int64_t declared = results__column_integer(statement, 1, 1);
    (void)sqlite3_reset(statement);
    *window = strcmp(reduce, "mean_last") == 0 ? (size_t)declared
              : strcmp(reduce, "last") == 0    ? 1
                                               : 0;
    return STATUS_OK;
}

static bool any_above_zero(const double *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (values[i] > 0.0) {
            return true;
        }
    }
    return false;
}

/* tainted[i]: segment i or one of its ancestors has a diverged episode */
static Status taint(Results *results, const Tree *tree, bool *tainted) {
    int64_t       name = 0;
    sqlite3_stmt *statement = NULL;
    TRY(results__name_find(results, metric, &name));
    if (name == 0) {
        return STATUS_OK;
    }
    TRY(results__query(results,
                       "SELECT owner FROM metric WHERE name = ? AND value > 0 AND owner > 0",
                       &statement, "i", name));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            break;
        }
        const TreeNode *node = results__tree_find(tree, results__column_integer(statement, 0, 0));
        if (node != NULL) {
            tainted[node - tree->nodes] = true;
        }
    }
    /* a parent's id is smaller than its child's */
    for (size_t i = 0; i < tree->count; i++) {
        const TreeNode *parent = results__tree_find(tree, tree->nodes[i].parent);
        tainted[i] = tainted[i] || (parent != NULL && tainted[parent - tree->nodes]);
    }
    return STATUS_OK;
}

/* does a diverged episode of its line count in the objective of `node`? window 0: any does */
static Status counts(Results *results, const TreeNode *node, size_t window, double *values,
                     bool *diverged) {
    size_t found = 0;
    size_t own = 0;
    *diverged = true;
    if (window > 0) {
        TRY(results_lineage_window(results, node->id, metric, window, values, &found, &own));
        *diverged = any_above_zero(values, found);
    }
    return STATUS_OK;
}

static Status judge(Results *results, const bool *tainted, size_t window, double *values,
                    Tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        TreeNode *node = &tree->nodes[i];
        bool      diverged = false;
        if (!node->eligible || !tainted[i]) {
            continue;
        }
        TRY(counts(results, node, window, values, &diverged));
        if (diverged) {
            node->eligible = false;
            tree->diverged++;
        }
    }
    return STATUS_OK;
}

Status results__tree_drop_diverged(Results *results, Tree *tree) {
    int64_t allowed = 0;
    size_t  window = 0;
    TRY(results__integer(results,
                         "SELECT json_valid(definition) AND"
                         " coalesce(json_extract(iif(json_valid(definition), definition, '{}'),"
                         " '$.allow_diverged'), 0) FROM study",
                         0, &allowed, ""));
    if (allowed != 0) {
        return STATUS_OK;
    }
    TRY(window_read(results, &window));
    bool   *tainted = calloc(tree->count + 1, sizeof *tainted);
    double *values = calloc(window + 1, sizeof *values);
    Status  status = STATUS_OK;
    if (tainted == NULL || values == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for %zu segments", tree->count);
    } else {
        status = taint(results, tree, tainted);
        status = (status == STATUS_OK) ? judge(results, tainted, window, values, tree) : status;
    }
    free(tainted);
    free(values);
    return status;
}
