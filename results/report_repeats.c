/* Configurations that are trained several times (`repeats`), ranked by the mean over their chains:
 * the best of many single chains is a lucky one. A configuration is judged at one depth, the one
 * that most of its chains have reached, of several such the deepest. Whoever has fewer chains there
 * comes after whoever has more, so that neither a chain that failed nor one that is not there yet
 * leaves a better mean behind. */
#include "results/report_internal.h"

#include "core/statistics.h"

#include <math.h>
#include <stdlib.h>

/* by configuration, then depth, then chain, the newest first */
static int by_place(const void *a, const void *b) {
    const TreeNode *x = *(const TreeNode *const *)a;
    const TreeNode *y = *(const TreeNode *const *)b;
    const int64_t   keys[4][2] = {{x->configuration, y->configuration},
                                  {x->end, y->end},
                                  {x->trial, y->trial},
                                  {y->id, x->id}};
    for (size_t i = 0; i < 4; i++) {
        if (keys[i][0] != keys[i][1]) {
            return (keys[i][0] < keys[i][1]) ? -1 : 1;
        }
    }
    return 0;
}

static int by_mean(const void *a, const void *b) {
    const Configuration *x = a;
    const Configuration *y = b;
    if (x->repeats != y->repeats) {
        return (x->repeats > y->repeats) ? -1 : 1;
    }
    if (x->feasible != y->feasible) {
        return x->feasible ? -1 : 1;
    }
    if (isnan(x->mean) != isnan(y->mean)) {
        return isnan(y->mean) ? -1 : 1;
    }
    if (x->mean > y->mean || x->mean < y->mean) {
        return (x->mean > y->mean) ? -1 : 1;
    }
    return (x->number > y->number) - (x->number < y->number);
}

/* the newest node of each chain in a run of one configuration and depth; fitness is scratch */
static Configuration summarize(const TreeNode *const *nodes, size_t count, double *fitness) {
    Configuration found = {
        .number = nodes[0]->configuration, .end = nodes[0]->end, .feasible = true};
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && nodes[i]->trial == nodes[i - 1]->trial) {
            continue;
        }
        fitness[found.repeats++] = nodes[i]->fitness;
        found.feasible = found.feasible && nodes[i]->feasible;
        if (found.node == NULL || results__tree_compare(nodes[i], found.node) < 0) {
            found.node = nodes[i];
        }
    }
    const Sample sample = {fitness, found.repeats};
    found.mean = statistics_mean(sample);
    found.standard_error = (found.repeats < 2)
                               ? (double)NAN
                               : statistics_deviation(sample) / sqrt((double)found.repeats);
    return found;
}

static size_t collect(const TreeNode *const *nodes, size_t n, double *fitness, Configuration *out) {
    size_t count = 0;
    size_t next = 0;
    for (size_t i = 0; i < n; i = next) {
        while (next < n && nodes[next]->configuration == nodes[i]->configuration &&
               nodes[next]->end == nodes[i]->end) {
            next++;
        }
        const Configuration at = summarize(nodes + i, next - i, fitness);
        if (count == 0 || out[count - 1].number != at.number) {
            out[count++] = at;
        } else if (at.repeats >= out[count - 1].repeats) {
            out[count - 1] = at; /* depths ascend: the deeper of equals stays */
        }
    }
    return count;
}

Status results__configurations_rank(const Tree *tree, Configuration **out, size_t *count) {
    const TreeNode **nodes = calloc(tree->count + 1, sizeof(const TreeNode *));
    double          *fitness = calloc(tree->count + 1, sizeof *fitness);
    Configuration   *ranked = calloc(tree->count + 1, sizeof *ranked);
    if (nodes == NULL || fitness == NULL || ranked == NULL) {
        free((void *)nodes);
        free(fitness);
        free(ranked);
        FAIL(STATUS_ERR_NOMEM, "no memory to rank %zu segments", tree->count);
    }
    size_t n = 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->nodes[i].eligible) {
            nodes[n++] = &tree->nodes[i];
        }
    }
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    qsort((void *)nodes, n, sizeof *nodes, by_place);
    *count = collect(nodes, n, fitness, ranked);
    qsort(ranked, *count, sizeof *ranked, by_mean);
    *out = ranked;
    free((void *)nodes);
    free(fitness);
    return STATUS_OK;
}

Status results__repeats_json(const Tree *tree, const TreeNode *node, Json *best) {
    Configuration  alone = {.node = node, .repeats = 1, .mean = node->fitness};
    Configuration *ranked = NULL;
    size_t         count = 0;
    alone.standard_error = (double)NAN;
    if (tree->repeated) {
        TRY(results__configurations_rank(tree, &ranked, &count));
    }
    for (size_t i = 0; i < count; i++) {
        if (ranked[i].number == node->configuration) {
            alone = ranked[i];
        }
    }
    free(ranked);
    TRY(json_set(best, "repeats", json_new_integer((int64_t)alone.repeats)));
    TRY(json_set(best, "mean",
                 isnan(alone.mean) ? json_new_null() : json_new_number(alone.mean * tree->sign)));
    return json_set(best, "standard_error",
                    isnan(alone.standard_error) ? json_new_null()
                                                : json_new_number(alone.standard_error));
}
