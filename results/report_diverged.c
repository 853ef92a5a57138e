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

/* what a study says of diverged episodes */
typedef struct Rule {
    bool    allowed;
    size_t  window; /* values that count in the first objective; 0 = all of the lineage */
    double *values; /* (window) scratch */
} Rule;

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

static Status rule_read(Results *results, Rule *out) {
    int64_t allowed = 0;
    Rule    rule = {.values = NULL};
    TRY(results__integer(results,
                         "SELECT json_valid(definition) AND"
                         " coalesce(json_extract(iif(json_valid(definition), definition, '{}'),"
                         " '$.allow_diverged'), 0) FROM study",
                         0, &allowed, ""));
    rule.allowed = allowed != 0;
    TRY(window_read(results, &rule.window));
    rule.values = calloc(rule.window + 1, sizeof *rule.values);
    if (rule.values == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a window of %zu episodes", rule.window);
    }
    *out = rule;
    return STATUS_OK;
}

static Status any_in_line(Results *results, int64_t segment, bool *any) {
    int64_t name = 0;
    TRY(results__name_find(results, metric, &name));
    for (int64_t id = segment; name != 0 && id != 0 && !*any;) {
        sqlite3_stmt *statement = NULL;
        bool          row = false;
        TRY(results__query(results,
                           "SELECT s.parent, EXISTS (SELECT 1 FROM metric AS m WHERE"
                           " m.owner = s.id AND m.name = ? AND m.value > 0)"
                           " FROM segment AS s WHERE s.id = ?",
                           &statement, "ii", name, id));
        TRY(results__step(results, statement, &row));
        id = row ? results__column_integer(statement, 0, 0) : 0;
        *any = row && results__column_integer(statement, 1, 0) != 0;
        (void)sqlite3_reset(statement);
    }
    return STATUS_OK;
}

/* The rule: a diverged episode counts in the first objective of the segment, and the study does not
 * allow that. */
static Status rule_judge(Results *results, const Rule *rule, int64_t segment, bool *diverged) {
    size_t found = 0;
    size_t own = 0;
    *diverged = false;
    if (rule->allowed) {
        return STATUS_OK;
    }
    if (rule->window == 0) {
        return any_in_line(results, segment, diverged);
    }
    TRY(results_lineage_window(results, segment, metric, rule->window, rule->values, &found, &own));
    for (size_t i = 0; i < found; i++) {
        *diverged = *diverged || rule->values[i] > 0.0;
    }
    return STATUS_OK;
}

Status report_is_diverged(Results *results, int64_t segment, bool *diverged) {
    Rule    rule = {.values = NULL};
    int64_t name = 0;
    *diverged = false;
    TRY(results__name_find(results, metric, &name));
    if (name == 0) {
        return STATUS_OK; /* the trainer reports none: no need to look at the study's rule */
    }
    TRY(rule_read(results, &rule));
    const Status status = rule_judge(results, &rule, segment, diverged);
    free(rule.values);
    return status;
}

/* ---- the tree ------------------------------------------------------------------------------- */

/* tainted[i]: segment i or one of its ancestors may have a diverged episode. Of a part of the tree
 * that is everybody: they are few, and their ancestors are not there. */
static Status taint(Results *results, const Tree *tree, bool *tainted) {
    int64_t       name = 0;
    sqlite3_stmt *statement = NULL;
    TRY(results__name_find(results, metric, &name));
    if (name == 0) {
        return STATUS_OK;
    }
    if (tree->partial) {
        memset(tainted, 1, tree->count * sizeof *tainted);
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

static Status judge(Results *results, const Rule *rule, const bool *tainted, Tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        TreeNode *node = &tree->nodes[i];
        bool      diverged = false;
        if (!node->sound || !tainted[i]) {
            continue;
        }
        TRY(rule_judge(results, rule, node->id, &diverged));
        if (diverged) {
            tree->diverged += node->eligible ? 1 : 0;
            node->sound = false;
            node->eligible = false;
        }
    }
    return STATUS_OK;
}

Status results__tree_drop_diverged(Results *results, Tree *tree) {
    Rule rule = {.values = NULL};
    TRY(rule_read(results, &rule));
    bool  *tainted = calloc(tree->count + 1, sizeof *tainted);
    Status status = STATUS_OK;
    if (tainted == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for %zu segments", tree->count);
    } else if (!rule.allowed) {
        status = taint(results, tree, tainted); /* most lines have none at all */
        status = (status == STATUS_OK) ? judge(results, &rule, tainted, tree) : status;
    }
    free(tainted);
    free(rule.values);
    return status;
}
