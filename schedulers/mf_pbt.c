/* Multiple-frequencies population based training (Doulazmi et al., 2025): sub-populations that
 * evolve at different intervals. Those with long ones judge values by what they bring in the long
 * run, which population based training alone never waits for; agents migrate to where they are
 * better, but what a hasty sub-population found to be good values does not come along to a patient
 * one.
 *
 * Differences to the published code: intervals are a geometric series from one segment to
 * `longest_interval`, because a study here has tens of segments, not a thousand (published: 1, 10,
 * 25 and 50 of 1000); values move as in pbt; a migrant is drawn from the best of the other
 * sub-populations.
 *
 * Source: Doulazmi et al. (2025), Multiple-frequencies population-based training, arXiv
 * 2506.03225. */
#include "schedulers/builtin.h"
#include "schedulers/population.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_SUBPOPULATIONS = POPULATION_OPTION_COUNT, OPTION_LONGEST_INTERVAL, OPTION_COUNT };

enum { MOST_SUBPOPULATIONS = 16 };

static const OptionSpec mf_pbt_options[OPTION_COUNT + 1] = {
    POPULATION_OPTION_ROWS_OF(16, 0.25, "Doulazmi et al. (2025)", 2.0),
    [OPTION_SUBPOPULATIONS] = {.name = "subpopulations",
                               .type = OPTION_INT,
                               .lower = 1,
                               .upper = MOST_SUBPOPULATIONS,
                               .default_value = (double)NAN,
                               .help = "groups that evolve at intervals of their own (count, at "
                                       "most half the population; default max(1, min(4, "
                                       "population / 4)))",
                               .source = "Doulazmi et al. (2025): 4"},
    [OPTION_LONGEST_INTERVAL] = {.name = "longest_interval",
                                 .type = OPTION_INT,
                                 .lower = 1,
                                 .upper = 1e9,
                                 .default_value = (double)NAN,
                                 .help = "segments from one step of the most patient group to its "
                                         "next (count; default max(2, round(0.2 x per_trial / "
                                         "segment)))"},
};

typedef struct Frequencies {
    Population population;
    int64_t    interval[MOST_SUBPOPULATIONS]; /* segments */
} Frequencies;

/* ---- making one ---- */

static void mf_pbt_destroy(void *self) {
    Frequencies *mf = self;
    if (mf != NULL) {
        population_reset(&mf->population);
        free(mf);
    }
}

static void set_intervals(Frequencies *mf, double longest) {
    const size_t groups = mf->population.groups;
    for (size_t g = 0; g < groups; g++) {
        const double share = (groups == 1) ? 0.0 : (double)g / ((double)groups - 1.0);
        mf->interval[g] = (int64_t)round(pow(longest, share));
    }
}

static Status mf_pbt_create(const SchedulerSetup *setup, const double *values, void **self) {
    const double size = values[OPTION_POPULATION];
    const double segments = (double)setup->per_trial / (double)setup->segment;
    const double groups = isnan(values[OPTION_SUBPOPULATIONS])
                              ? fmax(1.0, fmin(4.0, floor(size / 4.0)))
                              : values[OPTION_SUBPOPULATIONS];
    const double longest = isnan(values[OPTION_LONGEST_INTERVAL]) ? fmax(2.0, round(0.2 * segments))
                                                                  : values[OPTION_LONGEST_INTERVAL];
    *self = NULL;
    if (groups > 0.5 * size) {
        FAIL(STATUS_ERR_RANGE, "subpopulations is %g; expected at most half the population, %g",
             groups, size);
    }
    Frequencies *mf = calloc(1, sizeof *mf);
    if (mf == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population");
    }
    const Status status = population_init(&mf->population, setup, values);
    if (status != STATUS_OK) {
        free(mf);
        return status;
    }
    mf->population.groups = (size_t)groups;
    set_intervals(mf, longest);
    *self = mf;
    return STATUS_OK;
}

static SchedulerOrder mf_pbt_order(const void *self) {
    return population_order(&((const Frequencies *)self)->population);
}

/* ---- steps ---- */

static int64_t interval_of(const Frequencies *mf, const SegmentNode *node) {
    return mf->interval[(size_t)node->trial % mf->population.groups];
}

/* An agent of another sub-population, that is better. Its values come along only from one that is
 * more patient; otherwise they are those of the best of one's own. */
static Status migrate(const Frequencies *mf, const SegmentNode *last, const SegmentNode *donor,
                      const SegmentNode *own, Decision *decision) {
    const Population  *population = &mf->population;
    const bool         values = interval_of(mf, last) < interval_of(mf, donor);
    const SegmentNode *agent = (population->inherit == INHERIT_AGENT) ? donor : last;
    population_run(population, last->trial, agent, "migrate", decision);
    decision->branch = population->inherit == INHERIT_AGENT;
    population_take_values(population, values ? donor : own, decision);
    (void)snprintf(decision->note, sizeof decision->note,
                   "segment %" PRId64 " of trial %" PRId64 " is better; values of segment %" PRId64,
                   donor->id, donor->trial, values ? donor->id : own->id);
    return STATUS_OK;
}

/* the share of members above those that exploit; the best of a sub-population stays */
static bool may_migrate(const Population *population, PopulationRank rank) {
    return population->groups > 1 && rank.better > 0 &&
           rank.better + 2 * population_share(population, rank.n) >= rank.n;
}

static void go_on(const Frequencies *mf, const SegmentNode *last, PopulationRank rank,
                  Decision *decision) {
    population_run(&mf->population, last->trial, last, "continue", decision);
    (void)snprintf(decision->note, sizeof decision->note, "rank %zu of %zu at depth %" PRId64,
                   rank.better + 1, rank.n, last->end);
}

/* as in population based training, inside the group */
static Status exploit(const Frequencies *mf, int64_t number, const SegmentNode *last,
                      PopulationRank rank, Decision *decision) {
    const Population  *population = &mf->population;
    const SegmentNode *donor =
        population_draw(population, number, rank.better, population_share(population, rank.n));
    if (donor == NULL || !population_is_better(population, donor, donor->worth.level, last)) {
        go_on(mf, last, rank, decision);
        return STATUS_OK;
    }
    TRY(population_exploit(population, number, last, donor, decision));
    (void)snprintf(decision->note, sizeof decision->note,
                   "rank %zu of %zu at depth %" PRId64 "; donor is segment %" PRId64
                   " of trial %" PRId64,
                   rank.better + 1, rank.n, last->end, donor->id, donor->trial);
    return STATUS_OK;
}

static Status evolve(const Frequencies *mf, int64_t number, const SegmentNode *last,
                     Decision *decision) {
    const Population    *population = &mf->population;
    const PopulationRank rank = population_rank(population, last, SCOPE_GROUP);
    if (population_is_worst(population, rank)) {
        return exploit(mf, number, last, rank, decision);
    }
    if (may_migrate(population, rank)) {
        const SegmentNode   *own = population->ranked[0].agent;
        const PopulationRank others = population_rank(population, last, SCOPE_OTHER_GROUPS);
        const SegmentNode   *donor = population_draw(population, number, others.better,
                                                     population_share(population, others.n));
        if (donor != NULL && population_is_better(population, donor, donor->worth.level, last)) {
            return migrate(mf, last, donor, own, decision);
        }
    }
    go_on(mf, last, rank, decision);
    return STATUS_OK;
}

static Status mf_pbt_decide(const void *self, int64_t number, Decision *decision) {
    const Frequencies *mf = self;
    const SegmentNode *last = NULL;
    TRY(population_next(&mf->population, number, decision, &last));
    if (last == NULL) {
        return STATUS_OK;
    }
    const int64_t segment = mf->population.setup.segment;
    const int64_t segments = (last->end + segment - 1) / segment;
    if (last->end < mf->population.warmup || segments % interval_of(mf, last) != 0) {
        population_run(&mf->population, last->trial, last, "continue", decision);
        return STATUS_OK;
    }
    return evolve(mf, number, last, decision);
}

static Status mf_pbt_observe(void *self, const Event *event) {
    return population_observe(&((Frequencies *)self)->population, event);
}

static Keeps mf_pbt_keeps(const void *self, int64_t segment) {
    return population_keeps(&((const Frequencies *)self)->population, segment, INT64_MAX);
}

const SchedulerOps scheduler_mf_pbt_ops = {
    .name = "mf-pbt",
    .source = "Doulazmi et al. (2025), arXiv 2506.03225",
    .help = "Population based training in sub-populations that judge after short and after long "
            "times: for 16 members or more, where values that pay off at once may be the wrong "
            "ones in the long run. Not as a matter of course: with 16 members it was no better "
            "than pbt on any problem that was measured (docs/results.md), and with fewer than 8 "
            "it is pbt.",
    .options = mf_pbt_options,
    .population = true,
    .branches = true,
    .create = mf_pbt_create,
    .order = mf_pbt_order,
    .decide = mf_pbt_decide,
    .observe = mf_pbt_observe,
    .keeps = mf_pbt_keeps,
    .destroy = mf_pbt_destroy,
    .uses = population_uses,
};
