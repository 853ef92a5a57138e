/* Differential evolution over the rungs of DEHB. Each rung has a population, as large as the most
 * configurations that a bracket puts there; a configuration competes for one place of it, taken in
 * turn, and holds it where it is not worse than who was there.
 *
 * While a place is empty: at the first rung of a bracket a random point; above, the best of the
 * rung below that was not taken up yet, trained anew (this waits until the rung below is in).
 * Later: rand/1 mutation, x1 + F (x2 - x3), of parents from the same population at the first rung
 * of a bracket, else from the best of the rung below, as many as the rung takes; then binomial
 * crossover with who holds the place. A coordinate outside the unit cube is drawn anew.
 *
 * Different from the paper: results count as they come, and but for the first round nothing waits;
 * where fewer than three parents are known, random points stand in.
 *
 * Cost of a proposal: sorting one population (81 places with five rungs), d draws.
 *
 * Source: Awad et al. (2021), sections 3 and 4; automl/DEHB@e277f36 (rand1_bin, F 0.5, CR 0.5). */
#include "schedulers/dehb.h"
#include "schedulers/result_heap.h"
#include "schedulers/rungs.h"
#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, PARENTS = 3 };

/* how a configuration stands */
typedef enum Standing { STANDING_OPEN, STANDING_TOLD, STANDING_TAKEN_UP } Standing;

typedef struct DehbSampler {
    const SchedulerSetup *setup;
    Brackets              plan;
    double                factor;
    double                crossover;
    size_t                values;
    RankedResult         *places;                /* all populations; configuration -1: empty */
    size_t                first[RUNGS_MOST + 1]; /* places of rung r: first[r] to first[r + 1] */
    int64_t               open[RUNGS_MOST];      /* begun and not told, by rung */
    double               *units;                 /* (capacity, values) by configuration */
    Standing             *standings;             /* (capacity) */
    size_t                capacity;

    RankedResult *ranked; /* (places) scratch of propose() */
    double       *child;  /* (values) likewise */
    double       *drawn;  /* (PARENTS, values) likewise */
} DehbSampler;

static void dehb_sampler_destroy(void *self) {
    DehbSampler *sampler = self;
    if (sampler == NULL) {
        return;
    }
    free(sampler->places);
    free(sampler->units);
    free(sampler->standings);
    free(sampler->ranked);
    free(sampler->child);
    free(sampler->drawn);
    free(sampler);
}

static void size_populations(DehbSampler *sampler) {
    const Brackets *plan = &sampler->plan;
    for (size_t rung = 0; rung < plan->rungs.count; rung++) {
        int64_t most = 0;
        for (size_t i = 0; i <= rung; i++) {
            most = (plan->sizes[i][rung] > most) ? plan->sizes[i][rung] : most;
        }
        sampler->first[rung + 1] = sampler->first[rung] + (size_t)most;
    }
}

static Status dehb_sampler_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    DehbSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for differential evolution");
    }
    const Status status =
        brackets_init(setup, options[DEHB_MIN_UNITS], (int64_t)options[DEHB_REDUCTION],
                      BRACKETS_FRESH, &sampler->plan);
    if (status != STATUS_OK) {
        free(sampler);
        return status;
    }
    sampler->setup = setup;
    sampler->factor = options[DEHB_MUTATION_FACTOR];
    sampler->crossover = options[DEHB_CROSSOVER];
    sampler->values = space_count(setup->space);
    size_populations(sampler);
    const size_t places = sampler->first[sampler->plan.rungs.count];
    sampler->places = calloc(places, sizeof *sampler->places);
    sampler->ranked = calloc(places, sizeof *sampler->ranked);
    sampler->child = calloc(sampler->values + 1, sizeof *sampler->child);
    sampler->drawn = calloc(PARENTS * (sampler->values + 1), sizeof *sampler->drawn);
    if (sampler->places == NULL || sampler->ranked == NULL || sampler->child == NULL ||
        sampler->drawn == NULL) {
        dehb_sampler_destroy(sampler);
        FAIL(STATUS_ERR_NOMEM, "no memory for differential evolution");
    }
    for (size_t i = 0; i < places; i++) {
        sampler->places[i].configuration = -1;
    }
    *self = sampler;
    return STATUS_OK;
}

/* ---- populations --------------------------------------------------------------------------- */

/* index of the place that a configuration competes for */
static size_t contested(const DehbSampler *sampler, const BracketPlace *place) {
    const size_t first = sampler->first[place->rung];
    const size_t size = sampler->first[place->rung + 1] - first;
    return first + (size_t)(place->before + place->place) % size;
}

static const double *unit_of(const DehbSampler *sampler, int64_t configuration) {
    return sampler->units + (size_t)configuration * sampler->values;
}

static int compare_ranked(const void *a, const void *b) {
    return ranked_compare(a, b);
}

/* those who hold a place of a rung, best first, into `ranked`; returns how many */
static size_t rank_population(const DehbSampler *sampler, size_t rung) {
    size_t n = 0;
    for (size_t i = sampler->first[rung]; i < sampler->first[rung + 1]; i++) {
        if (sampler->places[i].configuration >= 0) {
            sampler->ranked[n++] = sampler->places[i];
        }
    }
    qsort(sampler->ranked, n, sizeof *sampler->ranked, compare_ranked);
    return n;
}

/* ---- proposing ----------------------------------------------------------------------------- */

/* for a place that nobody holds */
static Status propose_first(const DehbSampler *sampler, int64_t configuration,
                            const BracketPlace *place, Proposal *proposal) {
    if (place->rung > place->first) {
        if (sampler->open[place->rung - 1] > 0) {
            proposal->kind = PROPOSAL_WAIT;
            return STATUS_OK;
        }
        const size_t n = rank_population(sampler, place->rung - 1);
        for (size_t i = 0; i < n; i++) {
            const int64_t source = sampler->ranked[i].configuration;
            if (sampler->standings[source] == STANDING_TOLD) {
                space_decode(sampler->setup->space, unit_of(sampler, source), proposal->point);
                memcpy(proposal->memo, &source, sizeof source);
                proposal->memo_size = sizeof source;
                return STATUS_OK;
            }
        }
    }
    return scheduler__draw(sampler->setup, configuration, proposal->point);
}

/* three different parents from the first n of `ranked`; random points where there are fewer */
static void pick_parents(const DehbSampler *sampler, size_t n, Rng *rng, const double **parents) {
    for (size_t i = 0; i < PARENTS; i++) {
        if (i < n) {
            const size_t       at = i + (size_t)rng_below(rng, n - i);
            const RankedResult picked = sampler->ranked[at];
            sampler->ranked[at] = sampler->ranked[i];
            sampler->ranked[i] = picked;
            parents[i] = unit_of(sampler, picked.configuration);
            continue;
        }
        double *drawn = sampler->drawn + i * sampler->values;
        for (size_t j = 0; j < sampler->values; j++) {
            drawn[j] = rng_uniform(rng);
        }
        parents[i] = drawn;
    }
}

/* how many of the best in `ranked` may be parents; ranks them */
static size_t rank_parents(const DehbSampler *sampler, const BracketPlace *place) {
    if (place->rung == place->first) {
        return rank_population(sampler, place->rung);
    }
    const size_t known = rank_population(sampler, place->rung - 1);
    size_t       most = (size_t)sampler->plan.sizes[place->first][place->rung];
    most = (most < PARENTS) ? PARENTS : most;
    return (known < most) ? known : most;
}

static void propose_child(const DehbSampler *sampler, int64_t configuration,
                          const BracketPlace *place, Proposal *proposal) {
    const size_t  d = sampler->values;
    const double *holder =
        unit_of(sampler, sampler->places[contested(sampler, place)].configuration);
    const double *parents[PARENTS];
    Rng           rng = scheduler_rng(sampler->setup, configuration, LANE_EXPLORE);
    pick_parents(sampler, rank_parents(sampler, place), &rng, parents);
    const size_t always = (d == 0) ? 0 : (size_t)rng_below(&rng, d);
    for (size_t j = 0; j < d; j++) {
        double mutant = parents[0][j] + sampler->factor * (parents[1][j] - parents[2][j]);
        if (mutant < 0.0 || mutant > 1.0) {
            mutant = rng_uniform(&rng);
        }
        const bool crosses = rng_uniform(&rng) < sampler->crossover;
        sampler->child[j] = (crosses || j == always) ? mutant : holder[j];
    }
    space_decode(sampler->setup->space, sampler->child, proposal->point);
}

static Status dehb_propose(const void *self, int64_t configuration, int64_t target,
                           Proposal *proposal) {
    const DehbSampler *sampler = self;
    const BracketPlace place = brackets_find(&sampler->plan, configuration);
    (void)target; /* the depth of place.rung */
    proposal->kind = PROPOSAL_POINT;
    if (sampler->places[contested(sampler, &place)].configuration < 0) {
        return propose_first(sampler, configuration, &place, proposal);
    }
    propose_child(sampler, configuration, &place, proposal);
    return STATUS_OK;
}

/* ---- what came of it ----------------------------------------------------------------------- */

static Status reserve(DehbSampler *sampler, size_t index) {
    if (index < sampler->capacity) {
        return STATUS_OK;
    }
    size_t capacity = (sampler->capacity == 0) ? FIRST_CAPACITY : sampler->capacity;
    while (capacity <= index) {
        capacity *= 2;
    }
    double *units = realloc(sampler->units, capacity * (sampler->values + 1) * sizeof *units);
    if (units != NULL) {
        sampler->units = units;
    }
    Standing *standings = realloc(sampler->standings, capacity * sizeof *standings);
    if (standings != NULL) {
        sampler->standings = standings;
    }
    if (units == NULL || standings == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations", capacity);
    }
    sampler->capacity = capacity;
    return STATUS_OK;
}

static Status dehb_begin(void *self, int64_t configuration, const double *point, const void *memo,
                         size_t memo_size) {
    DehbSampler *sampler = self;
    TRY(reserve(sampler, (size_t)configuration));
    space_encode(sampler->setup->space, point,
                 sampler->units + (size_t)configuration * sampler->values);
    sampler->standings[configuration] = STANDING_OPEN;
    sampler->open[brackets_find(&sampler->plan, configuration).rung]++;
    if (memo_size > 0) {
        int64_t source = 0;
        memcpy(&source, memo, sizeof source);
        sampler->standings[source] = STANDING_TAKEN_UP;
    }
    return STATUS_OK;
}

static void dehb_forget(void *self, int64_t configuration) {
    DehbSampler *sampler = self;
    sampler->open[brackets_find(&sampler->plan, configuration).rung]--;
    sampler->standings[configuration] = STANDING_TOLD;
}

static void dehb_tell(void *self, int64_t configuration, const SamplerResult *result) {
    DehbSampler       *sampler = self;
    const BracketPlace place = brackets_find(&sampler->plan, configuration);
    RankedResult      *holder = &sampler->places[contested(sampler, &place)];
    sampler->open[place.rung]--;
    sampler->standings[configuration] = STANDING_TOLD;
    if (result->failed) {
        return;
    }
    const BudgetResult own = {.loss = result->losses[0], .violation = result->violation};
    if (holder->configuration < 0 || budget_compare(&own, &holder->result) <= 0) {
        *holder = (RankedResult){own, configuration};
    }
}

const SamplerOps sampler_dehb_ops = {
    .name = "dehb",
    .source = "Awad et al., IJCAI (2021)",
    .create = dehb_sampler_create,
    .propose = dehb_propose,
    .begin = dehb_begin,
    .tell = dehb_tell,
    .forget = dehb_forget,
    .destroy = dehb_sampler_destroy,
};
