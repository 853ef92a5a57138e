/* Bayesian generational population based training (Wan et al., 2022): the worst members continue
 * the best that the population ever had, with the values that a Gaussian process of the
 * improvements expects most of, inside a trust region that grows with success and shrinks with
 * failure. When it gets too small, or nothing has improved for long, it restarts: every member goes
 * back to the best ever, with values from anywhere.
 *
 * Two defaults are not the published ones, which are for 150 generations; here there are 20 to 60
 * (docs/decisions.md): a quarter of the members exploits instead of an eighth, and what is not
 * known counts half a standard deviation, not 3.
 *
 * Left out: neural architecture search and distillation between generations (an agent here keeps
 * its architecture, which is a static hyperparameter), and the three times as many first members of
 * which the best are kept (`population` are trained). Generations are rounds, or as many segments
 * as there are members. Members are compared by their newest results of whatever depth, since who
 * goes back is no longer at the depth of the others.
 *
 * Source: Wan et al. (2022), Bayesian generational population-based training, arXiv 2207.09405. */
#include "schedulers/builtin.h"
#include "schedulers/elite_archive.h"
#include "schedulers/improvement_model.h"
#include "schedulers/population.h"
#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_WINDOW = POPULATION_OPTION_COUNT,
    OPTION_CONFIDENCE,
    OPTION_ELITES,
    OPTION_ELITE_EVALUATIONS,
    OPTION_COUNT,
};

#define ELITE_SHARE 0.125 /* Wan et al. (2022): of the population */

static const OptionSpec bg_pbt_options[OPTION_COUNT + 1] = {
    POPULATION_OPTION_ROWS,
    [OPTION_WINDOW] = {.name = "window",
                       .type = OPTION_INT,
                       .lower = 8,
                       .upper = 1000,
                       .default_value = 100,
                       .help = "newest segments that the model learns from (count; a decision "
                               "takes time as its square)",
                       .source = "Wan et al. (2022)"},
    [OPTION_CONFIDENCE] = {.name = "confidence",
                           .type = OPTION_FLOAT,
                           .lower = 0.01,
                           .upper = 10.0,
                           .default_value = 0.5,
                           .help = "what is not known counts as this much better than expected "
                                   "(standard deviations; published: 3)"},
    [OPTION_ELITES] = {.name = "elites",
                       .type = OPTION_INT,
                       .lower = 1,
                       .upper = POPULATION_MOST,
                       .default_value = (double)NAN,
                       .help = "of the best ever that are gone back to (count, at most the "
                               "population; default max(1, round(0.125 x population)))"},
    [OPTION_ELITE_EVALUATIONS] = ELITE_EVALUATIONS_ROW,
};

typedef struct Generational {
    Population        population; /* first: what explores is given this */
    EliteArchive      archive;
    ImprovementModel *model;
    double            confidence;
    TrustRegion       region;
    int64_t          *restarts; /* (size) of the region that a member has gone along with */
    int64_t           round;    /* synchronous: of the population when a generation ended last */
    int64_t           ended;    /* asynchronous: segments since a generation ended last */
    int64_t           best;     /* segment, when a generation ended last; 0 = none */
} Generational;

/* ---- making one ---- */

static void bg_pbt_destroy(void *self) {
    Generational *bg = self;
    if (bg != NULL) {
        population_reset(&bg->population);
        elite_archive_reset(&bg->archive);
        improvement_model_destroy(bg->model);
        free(bg->restarts);
        free(bg);
    }
}

static Status explore(const Generational *bg, int64_t number, const TrustRegion *region,
                      Decision *decision) {
    const ImprovementQuery query = {
        .number = number, .confidence = bg->confidence, .region = region};
    bool proposed = false;
    TRY(improvement_model_propose(bg->model, &bg->population, &query, decision, &proposed));
    return proposed ? STATUS_OK : population_perturb(&bg->population, number, decision);
}

static Status explore_region(const Population *population, int64_t number, Decision *decision) {
    const Generational *bg = (const Generational *)population;
    return explore(bg, number, &bg->region, decision);
}

static Status make_parts(Generational *bg, const SchedulerSetup *setup, const double *values) {
    const double size = values[OPTION_POPULATION];
    const double derived = fmax(1.0, round(ELITE_SHARE * size));
    const double elites = isnan(values[OPTION_ELITES]) ? derived : values[OPTION_ELITES];
    if (elites > size) {
        FAIL(STATUS_ERR_RANGE, "elites is %g; expected at most the population, %g", elites, size);
    }
    TRY(population_init(&bg->population, setup, values));
    TRY(elite_archive_init(&bg->archive, (size_t)size, (size_t)elites,
                           (int64_t)values[OPTION_ELITE_EVALUATIONS]));
    const ImprovementSetup model = {
        .study = &bg->population.setup, .window = (size_t)values[OPTION_WINDOW], .scores = true};
    TRY(improvement_model_create(&model, &bg->model));
    bg->restarts = calloc((size_t)size, sizeof *bg->restarts);
    if (bg->restarts == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population of %g", size);
    }
    return STATUS_OK;
}

static Status bg_pbt_create(const SchedulerSetup *setup, const double *values, void **self) {
    *self = NULL;
    Generational *bg = calloc(1, sizeof *bg);
    if (bg == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population");
    }
    const Status status = make_parts(bg, setup, values);
    if (status != STATUS_OK) {
        bg_pbt_destroy(bg);
        return status;
    }
    bg->population.explore = explore_region;
    bg->population.goes_back = true;
    bg->confidence = values[OPTION_CONFIDENCE];
    bg->region = trust_region_begin();
    bg->round = bg->population.round;
    *self = bg;
    return STATUS_OK;
}

static SchedulerOrder bg_pbt_order(const void *self) {
    return population_order(&((const Generational *)self)->population);
}

/* ---- generations ---- */

static const SegmentNode *best_ever(const Population *population) {
    const SegmentNode *best = NULL;
    for (size_t i = 0; i < population->size; i++) {
        const int64_t      id = segment_tree_best(&population->tree, (int64_t)i);
        const SegmentNode *node = segment_tree_at(&population->tree, id);
        if (node != NULL && (best == NULL || segment_node_compare(node, best) > 0)) {
            best = node;
        }
    }
    return best;
}

static bool generation_ends(Generational *bg) {
    const Population *population = &bg->population;
    if (population->mode == POPULATION_SYNCHRONOUS) {
        const bool ends = population->round != bg->round;
        bg->round = population->round;
        return ends;
    }
    bg->ended = (bg->ended + 1) % (int64_t)population->size;
    return bg->ended == 0;
}

static void end_generation(Generational *bg) {
    const SegmentTree *tree = &bg->population.tree;
    const SegmentNode *before = segment_tree_at(tree, bg->best);
    const SegmentNode *now = best_ever(&bg->population);
    const bool improved = now != NULL && (before == NULL || segment_node_compare(now, before) > 0);
    bg->best = (now == NULL) ? 0 : now->id;
    trust_region_end_generation(&bg->region, improved);
}

static Status bg_pbt_observe(void *self, const Event *event) {
    Generational *bg = self;
    TRY(improvement_model_check(bg->model, event));
    TRY(population_observe(&bg->population, event));
    improvement_model_observe(bg->model, event);
    (void)elite_archive_observe(&bg->archive, &bg->population, event);
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN) {
        bg->restarts[event->decision->trial] = bg->region.restarts;
    } else if (event->kind == EVENT_FINISHED && generation_ends(bg)) {
        end_generation(bg);
    }
    return STATUS_OK;
}

/* ---- steps ---- */

/* after a restart of the region, once per member: the best ever, with values from anywhere */
static Status restart_step(const Generational *bg, int64_t number, const SegmentNode *last,
                           const SegmentNode *best, Decision *decision) {
    population_run(&bg->population, last->trial, best, "restart", decision);
    decision->branch = true;
    TRY(explore(bg, number, NULL, decision));
    (void)snprintf(decision->note, sizeof decision->note,
                   "restart %" PRId64 " of the trust region: best ever is segment %" PRId64
                   " of trial %" PRId64,
                   bg->region.restarts, best->id, best->trial);
    return STATUS_OK;
}

/* an elite; before there is one (they may have to be evaluated first), one of the best members */
static const SegmentNode *draw_donor(const Generational *bg, int64_t number, PopulationRank rank) {
    const Population  *population = &bg->population;
    const SegmentNode *donor = elite_archive_draw(&bg->archive, population, number);
    return (donor != NULL) ? donor
                           : population_draw(population, number, rank.better,
                                             population_share(population, rank.n));
}

static Status step(const Generational *bg, int64_t number, const SegmentNode *last,
                   Decision *decision) {
    const Population  *population = &bg->population;
    const SegmentNode *best = elite_archive_best(&bg->archive, population);
    const SegmentNode *donor = NULL;
    char               explored[64];
    if (last->end < population->warmup) {
        population_run(population, last->trial, last, "continue", decision);
        return STATUS_OK;
    }
    if (bg->restarts[last->trial] < bg->region.restarts && best != NULL &&
        population_can_go_back(population, last, best)) {
        return restart_step(bg, number, last, best, decision);
    }
    const PopulationRank rank = population_rank_newest(population, last, SCOPE_ALL);
    if (population_is_worst(population, rank)) {
        donor = draw_donor(bg, number, rank);
    }
    if (donor == NULL ||
        !population_is_better(population, donor, elite_archive_level(&bg->archive, donor), last) ||
        !population_can_go_back(population, last, donor)) {
        population_run(population, last->trial, last, "continue", decision);
        (void)snprintf(decision->note, sizeof decision->note, "compared %zu", rank.n);
        return STATUS_OK;
    }
    TRY(population_exploit(population, number, last, donor, decision));
    (void)snprintf(explored, sizeof explored, "%.60s", decision->note);
    (void)snprintf(decision->note, sizeof decision->note,
                   "compared %zu: rank %zu; to segment %" PRId64 " of trial %" PRId64
                   ", region %.3g%s%s",
                   rank.n, rank.better + 1, donor->id, donor->trial, bg->region.length,
                   (explored[0] == 0) ? "" : "; ", explored);
    return STATUS_OK;
}

static Status bg_pbt_decide(const void *self, int64_t number, Decision *decision) {
    const Generational *bg = self;
    const SegmentNode  *last = NULL;
    TRY(population_next(&bg->population, number, decision, &last));
    if (elite_archive_decide(&bg->archive, &bg->population, decision) || last == NULL) {
        return STATUS_OK;
    }
    return step(bg, number, last, decision);
}

static Keeps bg_pbt_keeps(const void *self, int64_t segment) {
    const Generational *bg = self;
    const Keeps         keeps = elite_archive_keeps(&bg->archive, &bg->population, segment);
    /* donors where no elite can go on: the newest of a member, whatever its depth */
    const SegmentNode *node = segment_tree_at(&bg->population.tree, segment);
    const bool         newest = population_newest(&bg->population, (size_t)node->trial) == node;
    return (keeps == KEEPS_NEVER && newest) ? KEEPS_MAYBE : keeps;
}

static SchedulerUses bg_pbt_uses(const double *values) {
    SchedulerUses uses = population_uses(values);
    if (values[OPTION_ELITE_EVALUATIONS] > 0.0) {
        uses.evaluations = bg_pbt_options[OPTION_ELITE_EVALUATIONS].name;
    }
    return uses;
}

const SchedulerOps scheduler_bg_pbt_ops = {
    .name = "bg-pbt",
    .source = "Wan et al. (2022), arXiv 2207.09405",
    .help = "Population based training that goes back to the best ever and learns, near the best "
            "known values, which ones improve most: for small populations, mixed spaces and agents "
            "that can collapse. Not for noisy objectives without elite_evaluations (a lucky score "
            "is gone back to), nor where decisions must take less than milliseconds.",
    .options = bg_pbt_options,
    .population = true,
    .branches = true,
    .create = bg_pbt_create,
    .order = bg_pbt_order,
    .decide = bg_pbt_decide,
    .observe = bg_pbt_observe,
    .keeps = bg_pbt_keeps,
    .destroy = bg_pbt_destroy,
    .uses = bg_pbt_uses,
};
