/* The non-dominated front of a study with several objectives: segments, or configurations by the
 * means over their chains where these are several. Who breaks a constraint is on it only where
 * nobody keeps them all. */
#include "results/report_internal.h"

#include "core/optimize/pareto.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* what may be on the front */
typedef struct Candidates {
    const TreeNode **nodes;   /* (count) */
    double          *losses;  /* (count, objectives) */
    double          *scratch; /* (objectives) */
    size_t           count;
    size_t           objectives;
    bool             feasible; /* only such are let in */
} Candidates;

/* ---- losses --------------------------------------------------------------------------------- */

/* of a segment, turned so that smaller is better; NaN where there is none */
static Status segment_losses(Results *results, const TreeNode *node, double *losses) {
    double signs[SCHEDULER_MAX_OBJECTIVES];
    double values[SCHEDULER_MAX_OBJECTIVES]; /* all of them are written */
    TRY(results__objective_signs(results, signs));
    TRY(results__objectives_read(results, node->id, values, NULL, NULL, NULL));
    for (size_t i = 0; i < results->objective_count; i++) {
        losses[i] = -signs[i] * values[i];
    }
    return STATUS_OK;
}

/* means over the chains of a configuration, as it is ranked */
static Status configuration_losses(Results *results, const Configuration *of, double *losses) {
    double signs[SCHEDULER_MAX_OBJECTIVES];
    TRY(results__objective_signs(results, signs));
    for (size_t i = 0; i < results->objective_count; i++) {
        sqlite3_stmt *statement = NULL;
        bool          row = false;
        TRY(results__query(results,
                           "SELECT iif(count(r.value) = count(*), avg(r.value), NULL)"
                           " FROM segment AS s JOIN trial AS t ON t.id = s.trial"
                           " JOIN segment_result AS r ON r.segment = s.id"
                           " WHERE t.kind = 'tune' AND t.number = ? AND s.\"end\" = ?"
                           " AND s.state = 'finished' AND r.kind = 'objective' AND r.number = ?",
                           &statement, "iii", of->number, of->end, (int64_t)i));
        TRY(results__step(results, statement, &row));
        losses[i] = row ? -signs[i] * results__column_double(statement, 0) : (double)NAN;
        (void)sqlite3_reset(statement);
    }
    return STATUS_OK;
}

/* ---- candidates ----------------------------------------------------------------------------- */

static void let_in(Candidates *candidates, const TreeNode *node) {
    const double *losses = candidates->losses + candidates->count * candidates->objectives;
    for (size_t i = 0; i < candidates->objectives; i++) {
        if (isnan(losses[i])) {
            return;
        }
    }
    candidates->nodes[candidates->count++] = node;
}

static double *next_losses(const Candidates *candidates) {
    return candidates->losses + candidates->count * candidates->objectives;
}

static Status let_in_segments(Results *results, const Tree *tree, Candidates *candidates) {
    for (size_t i = 0; i < tree->count; i++) {
        const TreeNode *node = &tree->nodes[i];
        if (!node->eligible || (candidates->feasible && !node->feasible)) {
            continue;
        }
        TRY(segment_losses(results, node, next_losses(candidates)));
        let_in(candidates, node);
    }
    return STATUS_OK;
}

/* one with fewer chains than the first is not ranked by its mean yet */
static Status let_in_configurations(Results *results, const Configuration *ranked, size_t count,
                                    Candidates *candidates) {
    for (size_t i = 0; i < count && ranked[i].repeats == ranked[0].repeats; i++) {
        if (candidates->feasible && !ranked[i].feasible) {
            continue;
        }
        TRY(configuration_losses(results, &ranked[i], next_losses(candidates)));
        let_in(candidates, ranked[i].node);
    }
    return STATUS_OK;
}

static Status find_candidates(Results *results, const Tree *tree, Candidates *candidates) {
    for (size_t i = 0; i < tree->count; i++) {
        candidates->feasible =
            candidates->feasible || (tree->nodes[i].eligible && tree->nodes[i].feasible);
    }
    if (!tree->repeated) {
        return let_in_segments(results, tree, candidates);
    }
    Configuration *ranked = NULL;
    size_t         count = 0;
    TRY(results__configurations_rank(tree, &ranked, &count));
    candidates->feasible = false;
    for (size_t i = 0; i < count && ranked[i].repeats == ranked[0].repeats; i++) {
        candidates->feasible = candidates->feasible || ranked[i].feasible;
    }
    const Status status = let_in_configurations(results, ranked, count, candidates);
    free(ranked);
    return status;
}

/* ---- the front ------------------------------------------------------------------------------ */

static void copy_candidate(Candidates *candidates, size_t to, size_t from) {
    candidates->nodes[to] = candidates->nodes[from];
    memmove(candidates->losses + to * candidates->objectives,
            candidates->losses + from * candidates->objectives,
            candidates->objectives * sizeof *candidates->losses);
}

/* Keeps those that nobody dominates, in their order: each is compared with the front so far only.
 */
static void keep_front(Candidates *candidates) {
    const ParetoSet set = {.count = candidates->count,
                           .objectives = candidates->objectives,
                           .losses = candidates->losses};
    size_t          front = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        size_t kept = 0;
        bool   dominated = false;
        for (size_t k = 0; k < front && !dominated; k++) {
            dominated = pareto_dominates(&set, k, i);
        }
        if (dominated) {
            continue; /* and dominates nobody on the front */
        }
        for (size_t k = 0; k < front; k++) {
            if (!pareto_dominates(&set, i, k)) {
                copy_candidate(candidates, kept++, k);
            }
        }
        copy_candidate(candidates, kept, i);
        front = kept + 1;
    }
    candidates->count = front;
}

/* the first objective's best first */
static void sort_front(Candidates *candidates) {
    const size_t m = candidates->objectives;
    for (size_t i = 1; i < candidates->count; i++) {
        const TreeNode *node = candidates->nodes[i];
        double         *held = candidates->scratch;
        size_t          k = i;
        memcpy(held, candidates->losses + i * m, m * sizeof *held);
        for (; k > 0 && candidates->losses[(k - 1) * m] > held[0]; k--) {
            copy_candidate(candidates, k, k - 1);
        }
        candidates->nodes[k] = node;
        memcpy(candidates->losses + k * m, held, m * sizeof *held);
    }
}

static Status entry_fill(Results *results, const Candidates *candidates, size_t i, Json *entry) {
    const TreeNode *node = candidates->nodes[i];
    double          signs[SCHEDULER_MAX_OBJECTIVES];
    Json           *objectives = NULL;
    Json           *value = NULL;
    TRY(json_set(entry, "segment", json_new_integer(node->id)));
    TRY(json_set(entry, "trial", json_new_integer(node->trial)));
    TRY(json_set(entry, "depth", json_new_integer(node->end)));
    TRY(results__objective_signs(results, signs));
    for (size_t k = 0; k < candidates->objectives; k++) {
        candidates->scratch[k] = -signs[k] * candidates->losses[i * candidates->objectives + k];
    }
    TRY(results__objectives_json_of(results, candidates->scratch, &objectives));
    TRY(json_set(entry, "objective", objectives));
    TRY(results__values_json(results, node->id, &value));
    TRY(json_set(entry, "hyperparameters", value));
    TRY(results__constraints_json(results, node->id, &value));
    return json_set(entry, "constraints", value);
}

static Status front_fill(Results *results, const Tree *tree, Candidates *candidates, Json *front) {
    TRY(find_candidates(results, tree, candidates));
    keep_front(candidates);
    sort_front(candidates);
    for (size_t i = 0; i < candidates->count; i++) {
        Json *entry = json_new_object();
        TRY(json_push(front, entry));
        TRY(entry_fill(results, candidates, i, entry));
    }
    return STATUS_OK;
}

Status results__front_json(Results *results, const Tree *tree, Json **out) {
    const size_t m = results->objective_count;
    Candidates   candidates = {.nodes = calloc(tree->count + 1, sizeof(const TreeNode *)),
                               .losses = calloc((tree->count + 1) * m, sizeof(double)),
                               .scratch = calloc(m, sizeof(double)),
                               .objectives = m};
    Json        *front = json_new_array();
    Status       status = (candidates.nodes == NULL || candidates.losses == NULL ||
                     candidates.scratch == NULL || front == NULL)
                              ? FAILURE(STATUS_ERR_NOMEM, "no memory for a front")
                              : front_fill(results, tree, &candidates, front);
    free((void *)candidates.nodes);
    free(candidates.losses);
    free(candidates.scratch);
    if (status != STATUS_OK) {
        json_release(front);
        return status;
    }
    *out = front;
    return STATUS_OK;
}
