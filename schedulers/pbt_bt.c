/* Population based training with backtracking (Zhang et al., 2021): every few segments a member
 * that has fallen behind the best that the population ever had goes back to one of those, and tries
 * a direction from it that was not tried before.
 *
 * Differences to the published code, all on purpose: the archive is sorted, so its worst is its
 * worst; "behind" is measured in the spread of the archive (or, as published, relative to its worst
 * member, but without the division, so that a score of 0 works); moves are sums in the unit cube,
 * so that a lower bound does not hold them; the sign vectors already tried are a position in a
 * keyed permutation instead of a list of 2^d entries.
 *
 * Source: Zhang et al. (2021), On the importance of hyperparameter optimization for model-based
 * reinforcement learning, arXiv 2102.13651. */
#include "core/statistics.h"
#include "schedulers/builtin.h"
#include "schedulers/elite_archive.h"
#include "schedulers/population.h"
#include "schedulers/scheduler_internal.h"
#include "schedulers/tabu.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_BACKTRACK_EVERY = POPULATION_OPTION_COUNT,
    OPTION_ELITES,
    OPTION_TOLERANCE,
    OPTION_TOLERANCE_KIND,
    OPTION_ELITE_EVALUATIONS,
    OPTION_COUNT,
};

typedef enum ToleranceKind { TOLERANCE_SPREAD, TOLERANCE_RELATIVE } ToleranceKind;

static const char *const tolerance_kinds[] = {"spread", "relative", NULL};

static const OptionSpec pbt_bt_options[OPTION_COUNT + 1] = {
    POPULATION_OPTION_ROWS,
    [OPTION_BACKTRACK_EVERY] = {.name = "backtrack_every",
                                .type = OPTION_INT,
                                .lower = 1,
                                .upper = 1e9,
                                .default_value = (double)NAN,
                                .help = "segments of a member from one look at the archive to the "
                                        "next (count; default max(2, round(0.1 x per_trial / "
                                        "segment)))"},
    [OPTION_ELITES] = {.name = "elites",
                       .type = OPTION_INT,
                       .lower = 1,
                       .upper = POPULATION_MOST,
                       .default_value = (double)NAN,
                       .help = "members of the archive (count, at most the population; default "
                               "max(2, round(0.25 x population)))"},
    [OPTION_TOLERANCE] = {.name = "tolerance",
                          .type = OPTION_FLOAT,
                          .lower = 0.0,
                          .upper = 1e6,
                          .default_value = 0.2,
                          .help = "how far behind the worst elite a member may fall (in units of "
                                  "tolerance_kind)",
                          .source = "Zhang et al. (2021)"},
    [OPTION_TOLERANCE_KIND] = {.name = "tolerance_kind",
                               .type = OPTION_CHOICE,
                               .choices = tolerance_kinds,
                               .default_value = TOLERANCE_SPREAD,
                               .help = "spread: interquartile range of the archive, at least the "
                                       "standard deviation inside segments; relative: |worst "
                                       "elite|, as published"},
    [OPTION_ELITE_EVALUATIONS] = ELITE_EVALUATIONS_ROW,
};

typedef struct Backtracking {
    Population    population;
    int64_t       backtrack_every;
    double        tolerance;
    ToleranceKind tolerance_kind;
    EliteArchive  archive;
    double        scale;   /* of the archive's fitness: its interquartile range */
    double        spread;  /* sum of the squared standard deviations inside its segments */
    size_t        spreads; /* of how many */
    double       *fitness; /* (elites) scratch */
    signed char  *signs;   /* (space_count) scratch for decide() */
} Backtracking;

/* ---- making one ---------------------------------------------------------------------------- */

static void pbt_bt_destroy(void *self) {
    Backtracking *bt = self;
    if (bt != NULL) {
        population_reset(&bt->population);
        elite_archive_reset(&bt->archive);
        free(bt->fitness);
        free(bt->signs);
        free(bt);
    }
}

static double or_default(double value, double derived) {
    return isnan(value) ? fmax(2.0, round(derived)) : value;
}

static Status pbt_bt_create(const SchedulerSetup *setup, const double *values, void **self) {
    const double population = values[OPTION_POPULATION];
    const double elites = or_default(values[OPTION_ELITES], 0.25 * population);
    *self = NULL;
    if (elites > population) {
        FAIL(STATUS_ERR_RANGE, "elites is %g; expected at most the population, %g", elites,
             population);
    }
    Backtracking *bt = calloc(1, sizeof *bt);
    if (bt == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population");
    }
    Status status = population_init(&bt->population, setup, values);
    if (status == STATUS_OK) {
        status = elite_archive_init(&bt->archive, (size_t)population, (size_t)elites,
                                    (int64_t)values[OPTION_ELITE_EVALUATIONS]);
    }
    if (status != STATUS_OK) {
        pbt_bt_destroy(bt);
        return status;
    }
    bt->population.goes_back = true;
    bt->backtrack_every = (int64_t)or_default(
        values[OPTION_BACKTRACK_EVERY], 0.1 * (double)setup->per_trial / (double)setup->segment);
    bt->tolerance = values[OPTION_TOLERANCE];
    bt->tolerance_kind = (ToleranceKind)values[OPTION_TOLERANCE_KIND];
    bt->fitness = calloc((size_t)elites, sizeof *bt->fitness);
    bt->signs = calloc(space_count(setup->space) + 1, sizeof *bt->signs);
    if (bt->fitness == NULL || bt->signs == NULL) {
        pbt_bt_destroy(bt);
        FAIL(STATUS_ERR_NOMEM, "no memory for an archive of %g", elites);
    }
    *self = bt;
    return STATUS_OK;
}

static SchedulerOrder pbt_bt_order(const void *self) {
    return population_order(&((const Backtracking *)self)->population);
}

/* ---- the archive --------------------------------------------------------------------------- */

static const SegmentNode *elite(const Backtracking *bt, size_t index) {
    return elite_archive_at(&bt->archive, &bt->population, index);
}

static const SegmentNode *worst_elite(const Backtracking *bt, double *fitness) {
    *fitness = bt->archive.fitness[bt->archive.count - 1];
    return elite(bt, bt->archive.count - 1);
}

static void measure_archive(Backtracking *bt) {
    double *fitness = bt->fitness;
    bt->spread = 0.0;
    bt->spreads = 0;
    for (size_t i = 0; i < bt->archive.count; i++) {
        const SegmentNode *node = elite(bt, i);
        fitness[i] = bt->archive.fitness[i];
        if (isfinite(node->spread)) {
            bt->spread += node->spread * node->spread;
            bt->spreads++;
        }
    }
    /* not by rank: with constraints the archive is not in the order of fitness */
    const size_t n = bt->archive.count;
    statistics_sort(fitness, n);
    bt->scale = (n == 0) ? 0.0 : statistics_interquartile_range((Sample){fitness, n});
}

static Status pbt_bt_observe(void *self, const Event *event) {
    Backtracking *bt = self;
    TRY(population_observe(&bt->population, event));
    if (elite_archive_observe(&bt->archive, &bt->population, event)) {
        measure_archive(bt);
    }
    return STATUS_OK;
}

/* ---- going back ---------------------------------------------------------------------------- */

/* the larger of the archive's range and what one segment's values vary by themselves, pooled over
 * the archive and the member's own segment */
static double scale_of(const Backtracking *bt, const SegmentNode *last) {
    double squares = bt->spread;
    size_t n = bt->spreads;
    double worst = 0.0;
    if (bt->tolerance_kind == TOLERANCE_RELATIVE) {
        (void)worst_elite(bt, &worst);
        return fabs(worst);
    }
    if (isfinite(last->spread)) {
        squares += last->spread * last->spread;
        n++;
    }
    return fmax(bt->scale, (n == 0) ? 0.0 : sqrt(squares / (double)n));
}

/* Moves in the next direction of the elite's permutation, or anywhere when those are exhausted and,
 * with probability `resample`, before. The reason tells them apart: the segment tree counts the
 * directions by it, and one that was not taken must stay untried. */
static Status explore(const Backtracking *bt, int64_t number, const SegmentNode *from,
                      Decision *decision) {
    const SchedulerSetup *setup = &bt->population.setup;
    Rng                   rng = scheduler_rng(setup, number, LANE_EXPLORE);
    const size_t          d = space_sign_count(setup->space, decision->point, true);
    const unsigned        bits = (d < TABU_MAX_BITS) ? (unsigned)d : TABU_MAX_BITS;
    const uint64_t        tried = (uint64_t)from->directions;
    const bool            exhausted = tried >> bits != 0;
    const size_t          used = strlen(decision->note);
    if (rng_uniform(&rng) < bt->population.resample || exhausted) {
        (void)snprintf(decision->reason, sizeof decision->reason, "%s", REASON_BACKTRACK_RESAMPLE);
        (void)snprintf(decision->note + used, sizeof decision->note - used, ", resampled");
        return population_redraw(&bt->population, &rng, decision->point);
    }
    const uint64_t vector = tabu_element(setup->seed, (uint64_t)from->id, bits, tried);
    for (size_t i = 0; i < d; i++) {
        const uint64_t bit = (i < bits) ? vector >> i : rng_u32(&rng);
        bt->signs[i] = ((bit & 1) != 0) ? 1 : -1;
    }
    const SpacePerturbation how = {
        .step = bt->population.perturb_step, .dynamic_only = true, .signs = bt->signs};
    (void)snprintf(decision->note + used, sizeof decision->note - used,
                   ", direction %" PRIu64 " of 2^%zu", tried + 1, d);
    return space_perturb(setup->space, &rng, &how, decision->point);
}

static bool has_fallen_behind(const SegmentNode *last, const SegmentNode *worst, double limit) {
    if (last->violation < worst->violation || last->violation > worst->violation) {
        return last->violation > worst->violation;
    }
    return last->worth.level < limit;
}

static Status backtrack_step(const Backtracking *bt, int64_t number, const SegmentNode *last,
                             Decision *decision) {
    const Population  *population = &bt->population;
    double             fitness = 0.0;
    const SegmentNode *worst = worst_elite(bt, &fitness);
    const double       margin = bt->tolerance * scale_of(bt, last);
    const bool         behind = has_fallen_behind(last, worst, fitness - margin) &&
                        population_is_far_better(population, worst, fitness, last);
    const SegmentNode *to = behind ? elite_archive_draw(&bt->archive, population, number) : NULL;
    if (to != NULL && !population_can_go_back(population, last, to)) {
        to = NULL;
    }
    if (to == NULL && last->worth.noisy) {
        return population_step(population, number, last, decision);
    }
    population_run(population, last->trial, (to == NULL) ? last : to,
                   (to == NULL) ? "continue" : REASON_BACKTRACK, decision);
    (void)snprintf(decision->note, sizeof decision->note,
                   "fitness %.4g, worst of %zu elites %.4g, margin %.3g, mean %.4g", last->fitness,
                   bt->archive.count, fitness, margin, elite_archive_mean(&bt->archive));
    if (to == NULL) {
        return STATUS_OK;
    }
    decision->branch = true;
    const size_t used = strlen(decision->note);
    (void)snprintf(decision->note + used, sizeof decision->note - used, "; elite of trial %" PRId64,
                   to->trial);
    return explore(bt, number, to, decision);
}

static Status pbt_bt_decide(const void *self, int64_t number, Decision *decision) {
    const Backtracking *bt = self;
    const SegmentNode  *step = NULL;
    TRY(population_next(&bt->population, number, decision, &step));
    if (elite_archive_decide(&bt->archive, &bt->population, decision) || step == NULL) {
        return STATUS_OK;
    }
    const int64_t finished = bt->population.members[step->trial].finished;
    if (finished % bt->backtrack_every == 0 && step->end >= bt->population.warmup &&
        bt->archive.count > 0) {
        return backtrack_step(bt, number, step, decision);
    }
    return population_step(&bt->population, number, step, decision);
}

static Keeps pbt_bt_keeps(const void *self, int64_t segment) {
    const Backtracking *bt = self;
    return elite_archive_keeps(&bt->archive, &bt->population, segment);
}

static SchedulerUses pbt_bt_uses(const double *values) {
    SchedulerUses uses = population_uses(values);
    if (values[OPTION_ELITE_EVALUATIONS] > 0.0) {
        uses.evaluations = pbt_bt_options[OPTION_ELITE_EVALUATIONS].name;
    }
    return uses;
}

const SchedulerOps scheduler_pbt_bt_ops = {
    .name = "pbt-bt",
    .source = "Zhang et al. (2021), arXiv 2102.13651",
    .help = "Population based training that can go back: members that fall behind the best the "
            "population ever had restore it, for agents whose training can collapse. Not where "
            "what looks best leads to a lower end (its elites are likely what went there), nor on "
            "a moving optimum where results are noisier than what a segment brings (no better than "
            "pbt), nor without disk for the checkpoints of the archive.",
    .options = pbt_bt_options,
    .population = true,
    .branches = true,
    .create = pbt_bt_create,
    .order = pbt_bt_order,
    .decide = pbt_bt_decide,
    .observe = pbt_bt_observe,
    .keeps = pbt_bt_keeps,
    .destroy = pbt_bt_destroy,
    .uses = pbt_bt_uses,
};
