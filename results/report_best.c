/* The best schedule: which segment it ends with, and what one reads walking from the root to it. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---- steps of a schedule ----------------------------------------------------------------------
 */

typedef struct Step {
    int64_t begin;
    int64_t end;
    int64_t seed;
    Json   *values;
} Step;

static Status step_read(Results *results, int64_t segment, Step *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, "SELECT \"begin\", \"end\", seed FROM segment WHERE id = ?",
                       &statement, "i", segment));
    TRY(results__step(results, statement, &row));
    Step step = {.begin = results__column_integer(statement, 0, 0),
                 .end = results__column_integer(statement, 1, 0),
                 .seed = results__column_integer(statement, 2, 0)};
    (void)sqlite3_reset(statement);
    TRY(results__values_json(results, segment, &step.values));
    *out = step;
    return STATUS_OK;
}

static Status same_values(const Json *a, const Json *b, bool *same) {
    Buffer x;
    Buffer y;
    buffer_init(&x, RESULTS_TEXT_CAP);
    buffer_init(&y, RESULTS_TEXT_CAP);
    json_write(a, false, &x);
    json_write(b, false, &y);
    Status status = buffer_status(&x);
    if (status == STATUS_OK) {
        status = buffer_status(&y);
    }
    if (status == STATUS_OK) {
        *same = strcmp(buffer_text(&x), buffer_text(&y)) == 0;
    }
    buffer_reset(&x);
    buffer_reset(&y);
    return status;
}

static Status step_fill(Json *object, Step *step) {
    TRY(json_set(object, "begin", json_new_integer(step->begin)));
    TRY(json_set(object, "end", json_new_integer(step->end)));
    TRY(json_set(object, "seed", json_new_integer(step->seed)));
    Json *values = step->values;
    step->values = NULL; /* from here on the object's */
    return json_set(object, "hyperparameters", values);
}

/* empties the step */
static Status step_push(Json *array, Step *step) {
    Status status = STATUS_OK;
    if (step->values != NULL) {
        Json *object = json_new_object();
        status = step_fill(object, step);
        if (status == STATUS_OK) {
            status = json_push(array, object);
        } else {
            json_release(object);
        }
    }
    json_release(step->values);
    *step = (Step){.values = NULL};
    return status;
}

/* continues the open step with the next one, or closes it and opens the next */
static Status step_take(Step *open, Step *next, Json *array) {
    bool same = false;
    if (open->values != NULL && open->seed == next->seed) {
        TRY(same_values(open->values, next->values, &same));
    }
    if (same) {
        open->end = next->end;
        return STATUS_OK;
    }
    TRY(step_push(array, open));
    *open = *next;
    next->values = NULL;
    return STATUS_OK;
}

static Status steps_fill(Results *results, const int64_t *ids, size_t count, Step *open,
                         Json *array) {
    for (size_t i = 0; i < count; i++) {
        Step next = {.values = NULL};
        TRY(step_read(results, ids[i], &next));
        const Status status = step_take(open, &next, array);
        json_release(next.values);
        TRY(status);
    }
    return step_push(array, open);
}

Status results__steps_json(Results *results, int64_t segment, Json **out) {
    int64_t *ids = NULL;
    size_t   count = 0;
    Step     open = {.values = NULL};
    TRY(report_lineage(results, segment, &ids, &count));
    Json  *array = json_new_array();
    Status status = steps_fill(results, ids, count, &open, array);
    json_release(open.values);
    free(ids);
    if (status != STATUS_OK) {
        json_release(array);
        return status;
    }
    *out = array;
    return STATUS_OK;
}

/* ---- one schedule -----------------------------------------------------------------------------
 */

static Status provenance_fill(Results *results, int64_t segment, Json *provenance) {
    int64_t *ids = NULL;
    size_t   count = 0;
    Json    *objective = NULL;
    TRY(results__objective_json(results, segment, &objective));
    TRY(json_set(provenance, "objective", objective));
    Json *lineage = json_new_array();
    TRY(json_set(provenance, "lineage", lineage));
    TRY(report_lineage(results, segment, &ids, &count));
    Status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = json_push(lineage, json_new_integer(ids[i]));
    }
    free(ids);
    return status;
}

static Status schedule_fill(Results *results, int64_t segment, Json *schedule) {
    Json *objectives = NULL;
    Json *provenance = NULL;
    Json *steps = NULL;
    TRY(results__objectives_json(results, &objectives));
    TRY(json_set(schedule, "objective", objectives));
    TRY(results__row_json(results,
                          "SELECT study.study_hash, study.seed AS study_seed, study.scheduler,"
                          " study.numerics, segment.id AS segment, segment.trial"
                          " FROM study, segment WHERE segment.id = ?",
                          segment, &provenance));
    const Status status = provenance_fill(results, segment, provenance);
    if (status != STATUS_OK) {
        json_release(provenance);
        return status;
    }
    TRY(json_set(schedule, "provenance", provenance));
    TRY(results__steps_json(results, segment, &steps));
    return json_set(schedule, "steps", steps);
}

static Status schedule_make(Results *results, int64_t segment, Json **out) {
    Json *schedule = NULL;
    TRY(results__row_json(results,
                          "SELECT study.name AS study, agent, environment, unit FROM study"
                          " WHERE EXISTS (SELECT 1 FROM segment WHERE id = ?)",
                          segment, &schedule));
    Status status = json_is_null(schedule)
                        ? FAILURE(STATUS_ERR_UNKNOWN_NAME, "%s: there is no segment %lld",
                                  results->path, (long long)segment)
                        : schedule_fill(results, segment, schedule);
    if (status != STATUS_OK) {
        json_release(schedule);
        return status;
    }
    *out = schedule;
    return STATUS_OK;
}

Status report_schedule(Results *results, int64_t segment, Json **out) {
    TRY(results__snapshot_begin(results));
    const Status status = schedule_make(results, segment, out);
    results__snapshot_end(results);
    return status;
}

/* ---- the best ---------------------------------------------------------------------------------
 */

static Status best_by_objective(const Tree *tree, const TreeNode **out) {
    const TreeNode *best = NULL;
    if (tree->repeated) {
        Configuration *ranked = NULL;
        size_t         count = 0;
        TRY(results__configurations_rank(tree, &ranked, &count));
        *out = (count > 0) ? ranked[0].node : NULL;
        free(ranked);
        return STATUS_OK;
    }
    for (size_t i = 0; i < tree->count; i++) {
        const TreeNode *node = &tree->nodes[i];
        if (node->eligible && (best == NULL || results__tree_compare(node, best) < 0)) {
            best = node;
        }
    }
    *out = best;
    return STATUS_OK;
}

/* a schedule of which it is not known yet how it does from scratch */
static bool is_under_way(const ConfirmArm *arm) {
    size_t n = 0;
    (void)results__confirmation_mean(arm, &n);
    bool waits = arm->run_count == 0;
    for (size_t i = 0; n == 0 && i < arm->run_count; i++) {
        waits = waits || !arm->runs[i].failed;
    }
    return waits && !arm->defaults;
}

/* a mean that ranks before another one's; who keeps the constraints comes first */
static bool means_more(const TreeNode *a, double mean, const TreeNode *b, double other,
                       bool maximize) {
    if (b == NULL || a->feasible != b->feasible) {
        return b == NULL || a->feasible;
    }
    return maximize ? mean > other : mean < other;
}

/* Of the confirmed schedules the one with the best mean; NULL where none was confirmed, or one only
 * while others are under way. */
static const TreeNode *best_by_confirmation(const Tree *tree, const Confirmation *confirmation) {
    const TreeNode *confirmed = NULL;
    double          best_mean = (double)NAN;
    size_t          candidates = 0;
    bool            under_way = false;
    for (size_t i = 0; i < confirmation->arm_count; i++) {
        const ConfirmArm *arm = &confirmation->arms[i];
        size_t            n = 0;
        const double      mean = results__confirmation_mean(arm, &n);
        const TreeNode   *node = arm->defaults ? NULL : results__tree_find(tree, arm->source);
        under_way = under_way || is_under_way(arm);
        if (n == 0 || node == NULL || isnan(mean)) {
            continue;
        }
        candidates++;
        if (means_more(node, mean, confirmed, best_mean, confirmation->maximize)) {
            confirmed = node;
            best_mean = mean;
        }
    }
    return (candidates > 1 || !under_way) ? confirmed : NULL;
}

/* Agents that were evaluated are ranked by these episodes, if the one with the best objective is
 * among them: its objective is the highest because it was selected by it. NULL where it is not. */
static Status best_by_evaluation(Results *results, const Tree *tree, const TreeNode *selected,
                                 const TreeNode **out) {
    sqlite3_stmt   *statement = NULL;
    const TreeNode *best = NULL;
    double          best_mean = (double)NAN;
    bool            among = false;
    TRY(results__query(results,
                       "SELECT e.segment, sum(r.value * e.episodes) / sum(e.episodes)"
                       " FROM evaluation AS e JOIN evaluation_result AS r"
                       " ON r.evaluation = e.id AND r.number = 0"
                       " WHERE e.state = 'finished' AND r.value IS NOT NULL"
                       " GROUP BY e.segment ORDER BY e.segment",
                       &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            *out = among ? best : NULL;
            return STATUS_OK;
        }
        const TreeNode *node = results__tree_find(tree, results__column_integer(statement, 0, 0));
        const double    mean = results__column_double(statement, 1);
        if (node == NULL || !node->eligible || isnan(mean)) {
            continue;
        }
        among = among || node == selected;
        if (means_more(node, mean, best, best_mean, tree->sign > 0.0)) {
            best = node;
            best_mean = mean;
        }
    }
}

/* by confirmed means, else by objective, which evaluations correct where chains do not */
static Status best_choose(Results *results, const Tree *tree, const Confirmation *confirmation,
                          const TreeNode **out) {
    const TreeNode *evaluated = NULL;
    *out = best_by_confirmation(tree, confirmation);
    if (*out != NULL) {
        return STATUS_OK;
    }
    TRY(best_by_objective(tree, out));
    if (*out != NULL && !tree->repeated) {
        TRY(best_by_evaluation(results, tree, *out, &evaluated));
        *out = (evaluated != NULL) ? evaluated : *out;
    }
    return STATUS_OK;
}

static Status best_fill(Results *results, const Tree *tree, const TreeNode *node,
                        const Confirmation *confirmation, Json *best) {
    Json *value = NULL;
    TRY(json_set(best, "segment", json_new_integer(node->id)));
    TRY(json_set(best, "trial", json_new_integer(node->trial)));
    TRY(results__objective_json(results, node->id, &value));
    TRY(json_set(best, "objective", value));
    TRY(results__values_json(results, node->id, &value));
    TRY(json_set(best, "hyperparameters", value));
    TRY(results__steps_json(results, node->id, &value));
    TRY(json_set(best, "schedule", value));
    TRY(results__constraints_json(results, node->id, &value));
    TRY(json_set(best, "constraints", value));
    TRY(results__row_json(results,
                          "SELECT count(*) AS evaluations, sum(e.episodes) AS episodes,"
                          " sum(r.value * e.episodes) / sum(iif(r.value IS NULL, 0, e.episodes))"
                          " AS objective"
                          " FROM evaluation AS e JOIN evaluation_result AS r"
                          " ON r.evaluation = e.id AND r.number = 0"
                          " WHERE e.segment = ? AND e.state = 'finished' HAVING count(*) > 0",
                          node->id, &value));
    TRY(json_set(best, "evaluated", value));
    TRY(results__confirmed_json(confirmation, node->id, &value));
    const bool confirmed = !json_is_null(value);
    const bool complete = json_bool(json_get(value, "complete"));
    TRY(json_set(best, "confirmed", value));
    TRY(results__repeats_json(tree, node, best));
    if (results->objective_count > 1) {
        TRY(results__front_json(results, tree, &value));
        TRY(json_set(best, "front", value));
    }
    if (!node->feasible) {
        return json_set(best, "note", json_new_string("no finished segment keeps the constraints"));
    }
    return json_set(best, "note",
                    complete    ? json_new_null()
                    : confirmed ? json_new_string("confirmation is not complete yet")
                                : json_new_string("selected on noise: not confirmed"));
}

static Status best_make(Results *results, const Tree *tree, Json **out) {
    Confirmation confirmation;
    TRY(results__confirmation_load(results, &confirmation));
    const TreeNode *node = NULL;
    Status          status = best_choose(results, tree, &confirmation, &node);
    Json           *best = NULL;
    if (status == STATUS_OK && node == NULL) {
        status = (tree->diverged > 0)
                     ? FAILURE(STATUS_ERR_STATE,
                               "%s: a diverged episode counts in every finished segment; "
                               "`allow_diverged: true` in the study file ranks them",
                               results->path)
                     : FAILURE(STATUS_ERR_STATE, "%s: no segment is finished yet", results->path);
    } else if (status == STATUS_OK) {
        best = json_new_object();
        status = best_fill(results, tree, node, &confirmation, best);
    }
    results__confirmation_reset(&confirmation);
    if (status != STATUS_OK) {
        json_release(best);
        return status;
    }
    *out = best;
    return STATUS_OK;
}

Status report_best(Results *results, Json **out) {
    Tree tree = {.nodes = NULL};
    TRY(results__snapshot_begin(results));
    Status status = results__tree_load_best(results, &tree);
    if (status == STATUS_OK) {
        status = best_make(results, &tree, out);
        results__tree_reset(&tree);
    }
    results__snapshot_end(results);
    return status;
}
