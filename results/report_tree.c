/* The tree of segments in memory: which finished segments are best, and who descends from whom. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* how many of the best objectives are looked at before all are */
enum { BEST_CANDIDATES = 64 };

/* ?1 turns the objective so that larger is better. Feasible: no constraint of the study that lacks
 * a value inside its bounds. */
#define TREE_SELECT(candidate)                                                                    \
    "SELECT s.id, s.parent, s.trial, s.\"end\", s.state = 'finished',"                            \
    " r.value * ?1, NOT EXISTS (SELECT 1 FROM constraint_spec AS c"                               \
    "  LEFT JOIN segment_result AS v ON v.segment = s.id AND v.kind = 'constraint'"               \
    "   AND v.number = c.id"                                                                      \
    "  WHERE v.value IS NULL OR v.value < c.lower OR v.value > c.upper), t.number, t.\"repeat\"," \
    " t.kind = 'tune', " candidate " FROM segment AS s JOIN trial AS t ON t.id = s.trial"         \
    " LEFT JOIN segment_result AS r ON r.segment = s.id AND r.kind = 'objective'"                 \
    "  AND r.number = 0"

static const char tree_sql[] = TREE_SELECT("1") " ORDER BY s.id LIMIT ?2";

/* One pass over the objectives finds the best; a look-up each for the few others. */
static const char best_sql[] =
    "WITH top AS MATERIALIZED (SELECT segment FROM segment_result"
    "  WHERE kind = 'objective' AND number = 0 AND value IS NOT NULL"
    "  ORDER BY value * ?1 DESC, segment LIMIT ?3) " TREE_SELECT(
        "EXISTS (SELECT 1 FROM top WHERE top.segment = s.id)") " WHERE s.id IN (SELECT segment "
                                                               "FROM top"
                                                               "  UNION SELECT source FROM trial "
                                                               "WHERE kind = 'confirm_best'"
                                                               "  UNION SELECT segment FROM "
                                                               "evaluation)"
                                                               " ORDER BY s.id LIMIT ?2";

static Status tree_query(Results *results, size_t capacity, const Tree *tree,
                         sqlite3_stmt **statement) {
    if (tree->partial) {
        return results__query(results, best_sql, statement, "dii", tree->sign, (int64_t)capacity,
                              (int64_t)BEST_CANDIDATES);
    }
    return results__query(results, tree_sql, statement, "di", tree->sign, (int64_t)capacity);
}

static Status tree_fill(Results *results, size_t capacity, Tree *tree) {
    sqlite3_stmt *statement = NULL;
    TRY(tree_query(results, capacity, tree, &statement));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const bool finished = results__column_integer(statement, 4, 0) != 0;
        tree->nodes[tree->count++] = (TreeNode){
            .id = results__column_integer(statement, 0, 0),
            .parent = results__column_integer(statement, 1, 0),
            .trial = results__column_integer(statement, 2, 0),
            .end = results__column_integer(statement, 3, 0),
            .sound = finished,
            .eligible = finished && results__column_integer(statement, 9, 0) != 0,
            .fitness = results__column_double(statement, 5),
            .feasible = results__column_integer(statement, 6, 0) != 0,
            .configuration = results__column_integer(statement, 7, 0),
            .candidate = results__column_integer(statement, 10, 0) != 0,
        };
        const TreeNode *node = &tree->nodes[tree->count - 1];
        const Status    status = results__parent_check(results, node->id, node->parent);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
        tree->repeated = tree->repeated || (tree->nodes[tree->count - 1].eligible &&
                                            results__column_integer(statement, 8, 0) > 0);
    }
}

static Status tree_load(Results *results, int64_t count, bool partial, Tree *out) {
    char    metric[256];
    bool    maximize = true;
    int64_t window = 0;
    TRY(results__first_objective(results, metric, sizeof metric, &maximize, &window));
    Tree tree = {.nodes = calloc((size_t)count + 1, sizeof *tree.nodes),
                 .sign = maximize ? 1.0 : -1.0,
                 .partial = partial};
    if (tree.nodes == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %lld segments", (long long)count);
    }
    Status status = tree_fill(results, (size_t)count, &tree);
    if (status == STATUS_OK) {
        status = results__tree_drop_diverged(results, &tree);
    }
    if (status != STATUS_OK) {
        results__tree_reset(&tree);
        return status;
    }
    *out = tree;
    return STATUS_OK;
}

Status results__tree_load(Results *results, Tree *out) {
    int64_t count = 0;
    TRY(results__integer(results, "SELECT count(*) FROM segment", 0, &count, ""));
    return tree_load(results, count, false, out);
}

/* whoever is not in the part is worse than somebody who is and can be ranked */
static bool holds_the_best(const Tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].eligible && tree->nodes[i].feasible && tree->nodes[i].candidate) {
            return true;
        }
    }
    return false;
}

Status results__tree_load_best(Results *results, Tree *out) {
    int64_t others = 0;
    int64_t repeated = 0;
    TRY(results__integer(results,
                         "SELECT EXISTS (SELECT 1 FROM trial WHERE kind = 'tune' AND"
                         " \"repeat\" > 0)",
                         0, &repeated, ""));
    if (repeated == 0 && results->objective_count == 1) {
        TRY(results__integer(results,
                             "SELECT (SELECT count(*) FROM trial WHERE kind = 'confirm_best') +"
                             " (SELECT count(*) FROM evaluation)",
                             0, &others, ""));
        TRY(tree_load(results, others + BEST_CANDIDATES, true, out));
        if (holds_the_best(out)) {
            return STATUS_OK;
        }
        results__tree_reset(out);
    }
    return results__tree_load(results, out);
}

void results__tree_reset(Tree *tree) {
    free(tree->nodes);
    *tree = (Tree){.nodes = NULL};
}

const TreeNode *results__tree_find(const Tree *tree, int64_t id) {
    size_t low = 0;
    size_t high = tree->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (tree->nodes[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (low < tree->count && tree->nodes[low].id == id) ? &tree->nodes[low] : NULL;
}

bool results__tree_is_ancestor(const Tree *tree, int64_t a, int64_t b) {
    /* a parent's id is smaller than its child's, so the walk can stop early */
    while (b > a) {
        const TreeNode *node = results__tree_find(tree, b);
        b = (node != NULL) ? node->parent : 0;
    }
    return a == b;
}

int results__tree_compare(const TreeNode *a, const TreeNode *b) {
    if (a->feasible != b->feasible) {
        return a->feasible ? -1 : 1;
    }
    if (isnan(a->fitness) != isnan(b->fitness)) {
        return isnan(b->fitness) ? -1 : 1;
    }
    if (a->fitness > b->fitness || a->fitness < b->fitness) {
        return (a->fitness > b->fitness) ? -1 : 1;
    }
    return (a->id < b->id) ? -1 : (a->id > b->id);
}

/* ---- top ------------------------------------------------------------------------------------ */

static int by_rank(const void *a, const void *b) {
    return results__tree_compare(a, b);
}

static bool on_a_line_with(const Tree *tree, const int64_t *ids, size_t count, int64_t id) {
    for (size_t i = 0; i < count; i++) {
        if (results__tree_is_ancestor(tree, ids[i], id) ||
            results__tree_is_ancestor(tree, id, ids[i])) {
            return true;
        }
    }
    return false;
}

static Status top(const Tree *tree, size_t count, int64_t *segments, size_t *found) {
    TreeNode *ranked = calloc(tree->count + 1, sizeof *ranked);
    if (ranked == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to rank %zu segments", tree->count);
    }
    size_t n = 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].eligible) {
            ranked[n++] = tree->nodes[i];
        }
    }
    qsort(ranked, n, sizeof *ranked, by_rank);
    size_t taken = 0;
    for (size_t i = 0; i < n && taken < count; i++) {
        if (!on_a_line_with(tree, segments, taken, ranked[i].id)) {
            segments[taken++] = ranked[i].id;
        }
    }
    free(ranked);
    *found = taken;
    return STATUS_OK;
}

static Status top_configurations(const Tree *tree, size_t count, int64_t *segments, size_t *found) {
    Configuration *ranked = NULL;
    size_t         n = 0;
    TRY(results__configurations_rank(tree, &ranked, &n));
    *found = (n < count) ? n : count;
    for (size_t i = 0; i < *found; i++) {
        segments[i] = ranked[i].node->id;
    }
    free(ranked);
    return STATUS_OK;
}

Status report_top(Results *results, size_t count, int64_t *segments, size_t *found) {
    Tree tree = {.nodes = NULL};
    TRY(results__snapshot_begin(results));
    /* several have to be of distinct lines, which takes their ancestors */
    Status status =
        (count == 1) ? results__tree_load_best(results, &tree) : results__tree_load(results, &tree);
    if (status == STATUS_OK) {
        status = tree.repeated ? top_configurations(&tree, count, segments, found)
                               : top(&tree, count, segments, found);
        results__tree_reset(&tree);
    }
    results__snapshot_end(results);
    return status;
}

/* ---- lineage -------------------------------------------------------------------------------- */

static Status parent_of(Results *results, int64_t segment, int64_t *parent) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, "SELECT parent FROM segment WHERE id = ?", &statement, "i",
                       segment));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "%s: there is no segment %lld", results->path,
             (long long)segment);
    }
    *parent = results__column_integer(statement, 0, 0);
    (void)sqlite3_reset(statement);
    return results__parent_check(results, segment, *parent);
}

static Status walk(Results *results, int64_t segment, int64_t **ids, size_t *count) {
    size_t capacity = 0;
    for (int64_t id = segment; id != 0;) {
        int64_t parent = 0;
        TRY(parent_of(results, id, &parent));
        if (*count == capacity) {
            capacity = (capacity == 0) ? 16 : 2 * capacity;
            int64_t *larger = realloc(*ids, capacity * sizeof *larger);
            if (larger == NULL) {
                FAIL(STATUS_ERR_NOMEM, "no memory for a lineage");
            }
            *ids = larger;
        }
        (*ids)[(*count)++] = id;
        id = parent;
    }
    return STATUS_OK;
}

Status report_lineage(Results *results, int64_t segment, int64_t **ids, size_t *count) {
    int64_t *found = NULL;
    size_t   n = 0;
    TRY(results__snapshot_begin(results));
    Status status = (segment < 1) ? FAILURE(STATUS_ERR_UNKNOWN_NAME, "%s: there is no segment %lld",
                                            results->path, (long long)segment)
                                  : walk(results, segment, &found, &n);
    results__snapshot_end(results);
    if (status != STATUS_OK) {
        free(found);
        return status;
    }
    for (size_t i = 0; i < n / 2; i++) {
        const int64_t swapped = found[i];
        found[i] = found[n - 1 - i];
        found[n - 1 - i] = swapped;
    }
    *ids = found;
    *count = n;
    return STATUS_OK;
}
