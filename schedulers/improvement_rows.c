#include "schedulers/improvement_internal.h"

#include "core/statistics.h"

#include <math.h>
#include <string.h>

/* Parker-Holder et al. (2020), as in the authors' code: targets are standardized and clipped */
#define CLIP 2.0
/* Time and fitness go up and up, so a member always stands where nobody has been; with lengthscales
 * as free as those of values the process would say there that it knows nothing. So both span this
 * much of the cube over what is known: the shortest lengthscale is a quarter of that range, the
 * prior's mode five times it. (As published, correlation over the whole range is at least 0.71.) */
#define CONTEXT_SPAN 0.1
/* improvements whose standard deviation is below this are all alike */
#define SMALLEST_SD 1e-12

/* ---- rows ---- */

static const SegmentNode *usable_parent(const Population *population, const SegmentNode *node) {
    const SegmentNode *parent = segment_tree_at(&population->tree, node->parent);
    return (parent != NULL && segment_node_usable(parent)) ? parent : NULL;
}

/* what a segment brought; with smoothing, by the slope that all of its lineage with these values
 * tells, for a difference of two results has the noise of both */
static double improvement_of(const Population *population, const SegmentNode *node,
                             const SegmentNode *parent) {
    return (population->tree.smoother == NULL)
               ? node->fitness - parent->fitness
               : node->worth.slope * (double)(node->end - node->begin);
}

/* improvement per unit; false where it says nothing */
static bool measure(const Population *population, const SegmentNode *node, double *out) {
    const SegmentNode *parent = usable_parent(population, node);
    double             length = (double)(node->end - node->begin);
    *out = (double)NAN;
    if (!segment_node_usable(node)) {
        return true;
    }
    if (parent == NULL) {
        return false;
    }
    if (population->setup.cost_aware) {
        length = node->cost - parent->cost;
    }
    *out = improvement_of(population, node, parent) / length;
    return length > 0.0 && isfinite(*out);
}

/* coordinates of a segment; those of the context are not scaled yet */
static void place(const ImprovementModel *model, const Population *population,
                  const SegmentNode *node, double *x) {
    const SegmentNode *parent = usable_parent(population, node);
    x[IMPROVEMENT_TIME] = (double)node->begin;
    x[IMPROVEMENT_FITNESS] = (parent == NULL) ? (double)NAN : parent->worth.level;
    encoding_from_point(&model->encoding, segment_tree_point(&population->tree, node->id),
                        x + IMPROVEMENT_CONTEXT);
}

/* Where noise is larger than what a segment brings, one slope is told by all segments with the same
 * values: the last of them says it, and the others would only say it again. */
static bool is_superseded(const Population *population, const SegmentNode *node) {
    const SegmentNode *next = segment_tree_at(&population->tree, node->continued);
    return next != NULL && next->id <= population_known(population) && next->worth.noisy;
}

static void add_row(ImprovementModel *model, const Population *population,
                    const SegmentNode *node) {
    const size_t i = model->rows;
    if (node->state == NODE_OPEN || is_superseded(population, node) ||
        !measure(population, node, &model->y[i])) {
        return;
    }
    place(model, population, node, model->x + i * model->d);
    model->broken[i] = node->violation > 0.0;
    model->unknown += node->worth.slope_variance;
    model->noisy = (i == 0) ? node->worth.noisy : model->noisy; /* the newest's */
    model->newest = (node->id > model->newest) ? node->id : model->newest;
    model->rows++;
}

/* of each member the newest segment, where it is in training, or of the round being decided */
static void add_pending(ImprovementModel *model, const Population *population) {
    const int64_t known = population_known(population);
    for (size_t i = 0; i < population->size && model->pending < IMPROVEMENT_PENDING; i++) {
        const SegmentNode *node =
            segment_tree_at(&population->tree, segment_tree_last(&population->tree, (int64_t)i));
        const bool pending =
            node != NULL && (population->mode == POPULATION_SYNCHRONOUS ? node->id > known
                                                                        : node->state == NODE_OPEN);
        if (pending) {
            place(model, population, node, model->x + (model->rows + model->pending) * model->d);
            model->pending++;
        }
    }
}

/* ---- context ---- */

static double scaled(double value, double lowest, double highest) {
    if (isnan(value) || !(highest > lowest)) {
        return 0.0;
    }
    return CONTEXT_SPAN * fmin(fmax((value - lowest) / (highest - lowest), 0.0), 1.0);
}

/* one coordinate of the context, over what is known now */
static void scale_context(ImprovementModel *model, size_t coordinate, double *context) {
    double       lowest = context[coordinate];
    double       highest = lowest;
    const size_t n = model->rows + model->pending;
    for (size_t i = 0; i < n; i++) {
        const double value = model->x[i * model->d + coordinate];
        lowest = fmin(lowest, value); /* either may be NaN */
        highest = fmax(highest, value);
    }
    for (size_t i = 0; i < n; i++) {
        double *value = &model->x[i * model->d + coordinate];
        *value = scaled(*value, lowest, highest);
    }
    context[coordinate] = scaled(context[coordinate], lowest, highest);
}

/* ---- targets ---- */

/* results that break a constraint are the worst, while there are others */
static void demote_broken(ImprovementModel *model) {
    bool kept = false;
    for (size_t i = 0; i < model->rows; i++) {
        kept = kept || (!model->broken[i] && !isnan(model->y[i]));
    }
    for (size_t i = 0; kept && i < model->rows; i++) {
        model->y[i] = model->broken[i] ? (double)NAN : model->y[i];
    }
}

/* finite improvements, sorted; how many */
static size_t sort_finite(ImprovementModel *model) {
    size_t n = 0;
    for (size_t i = 0; i < model->rows; i++) {
        if (!isnan(model->y[i])) {
            model->sorted[n++] = model->y[i];
        }
    }
    statistics_sort(model->sorted, n);
    return n;
}

static void standardize(ImprovementModel *model) {
    const size_t n = sort_finite(model);
    const Sample sample = {model->sorted, n};
    const double mean = (n == 0) ? 0.0 : statistics_mean(sample);
    const double sd = (n < 2) ? 0.0 : statistics_deviation(sample);
    for (size_t i = 0; i < model->rows; i++) {
        const double z = (sd > SMALLEST_SD) ? (model->y[i] - mean) / sd : 0.0;
        model->target[i] = isnan(model->y[i]) ? CLIP : -fmin(fmax(z, -CLIP), CLIP);
    }
}

/* Quantile of the standard normal distribution within 0.01, which is enough for a score. Source:
 * Joiner & Rosenblatt (1971), Tukey's symmetric lambda distributions. */
static double normal_score(double p) {
    return 4.91 * (pow(p, 0.14) - pow(1.0 - p, 0.14));
}

/* by rank, equals share their average rank; failed ones are equals below all others */
static void score(ImprovementModel *model) {
    const size_t n = sort_finite(model);
    const double worst = (double)(model->rows - n);
    for (size_t i = 0; i < model->rows; i++) {
        size_t below = 0;
        size_t equal = 0;
        for (size_t k = 0; k < n && !isnan(model->y[i]); k++) {
            below += model->sorted[k] < model->y[i];
            equal += model->sorted[k] >= model->y[i] && model->sorted[k] <= model->y[i];
        }
        const double rank =
            isnan(model->y[i]) ? 0.5 * worst : worst + (double)below + 0.5 * (double)equal;
        model->target[i] = -normal_score(rank / (double)model->rows);
    }
}

void improvement__gather(ImprovementModel *model, const Population *population,
                         const SegmentNode *parent, double *context) {
    const SegmentTree *tree = &population->tree;
    const int64_t      last = tree->first_id + (int64_t)tree->count - 1;
    const int64_t      known = population_known(population);
    const bool         usable = parent != NULL && segment_node_usable(parent);
    model->rows = 0;
    model->pending = 0;
    model->newest = 0;
    model->unknown = 0.0;
    model->noisy = false;
    for (int64_t id = (known < last) ? known : last;
         id >= tree->first_id && model->rows < model->window; id--) {
        add_row(model, population, segment_tree_at(tree, id));
    }
    add_pending(model, population);
    const int64_t begin = (parent == NULL) ? 0 : parent->end;
    context[IMPROVEMENT_TIME] = (double)begin;
    context[IMPROVEMENT_FITNESS] = usable ? parent->worth.level : (double)NAN;
    scale_context(model, IMPROVEMENT_TIME, context);
    scale_context(model, IMPROVEMENT_FITNESS, context);
    demote_broken(model);
    if (model->scores) {
        score(model);
    } else {
        standardize(model);
    }
}
