/* NSGA-II over configurations: the best of what was seen, by several objectives, has children.
 *
 * Steady state instead of generations, so that no slot waits: the survivors are the `survivors`
 * best of all results by constraints, front and crowding; each new configuration is a child of two
 * of them (binary tournaments, simulated binary crossover and polynomial mutation in the unit cube;
 * choices are taken from one parent or drawn anew). Until `survivors` results are in,
 * configurations are drawn at random. What failed does not survive.
 *
 * Sources: Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II;
 * Durillo et al. (2009), On the effect of the steady-state selection scheme. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include "core/optimize/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NSGA2_ROW_SURVIVORS, NSGA2_ROW_CROSSOVER, NSGA2_ROW_MUTATION };
enum { PENDING_FIRST_CAPACITY = 64 };

/* Deb et al. (2002), section IV; a small index makes large steps */
#define CROSSOVER_INDEX 15.0
#define MUTATION_INDEX  20.0

typedef struct Nsga2 {
    const SchedulerSetup *setup;
    size_t                values; /* per point */
    size_t                population;
    double                crossover; /* probability that a child has two parents */
    double                mutation;  /* probability per value */
    /* survivors: (population + 1) places, the last for the newcomer */
    size_t  survivors;
    double *units; /* (places, values) */
    double *losses;
    double *violations;
    size_t *ranks;
    size_t *order; /* scratch */
    double *crowding;
    /* those that are being trained */
    size_t   pending;
    size_t   capacity;
    int64_t *configurations; /* (pending) */
    double  *pending_units;  /* (pending, values) */
} Nsga2;

/* ---- life ---------------------------------------------------------------------------------- */

static void nsga2_destroy(void *self) {
    Nsga2 *nsga2 = self;
    if (nsga2 != NULL) {
        free(nsga2->units);
        free(nsga2->losses);
        free(nsga2->violations);
        free(nsga2->ranks);
        free(nsga2->order);
        free(nsga2->crowding);
        free(nsga2->configurations);
        free(nsga2->pending_units);
        free(nsga2);
    }
}

static Status allocate_survivors(Nsga2 *nsga2) {
    const size_t places = nsga2->population + 1;
    nsga2->units = calloc(places * (nsga2->values + 1), sizeof *nsga2->units);
    nsga2->losses = calloc(places * nsga2->setup->objective_count, sizeof *nsga2->losses);
    nsga2->violations = calloc(places, sizeof *nsga2->violations);
    nsga2->ranks = calloc(places, sizeof *nsga2->ranks);
    nsga2->order = calloc(places, sizeof *nsga2->order);
    nsga2->crowding = calloc(places, sizeof *nsga2->crowding);
    if (nsga2->units == NULL || nsga2->losses == NULL || nsga2->violations == NULL ||
        nsga2->ranks == NULL || nsga2->order == NULL || nsga2->crowding == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population of %zu", nsga2->population);
    }
    return STATUS_OK;
}

static Status nsga2_sampler_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    *self = NULL;
    Nsga2 *nsga2 = calloc(1, sizeof *nsga2);
    if (nsga2 == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for NSGA-II");
    }
    nsga2->setup = setup;
    nsga2->values = space_count(setup->space);
    nsga2->population = (size_t)options[NSGA2_ROW_SURVIVORS];
    nsga2->crossover = options[NSGA2_ROW_CROSSOVER];
    nsga2->mutation = isnan(options[NSGA2_ROW_MUTATION]) ? 1.0 / (double)nsga2->values
                                                         : options[NSGA2_ROW_MUTATION];
    const Status status = allocate_survivors(nsga2);
    if (status != STATUS_OK) {
        nsga2_destroy(nsga2);
        return status;
    }
    *self = nsga2;
    return STATUS_OK;
}

/* ---- children ------------------------------------------------------------------------------ */

/* the better of two survivors that are drawn */
static const double *tournament(const Nsga2 *nsga2, Rng *rng) {
    const size_t a = (size_t)rng_below(rng, nsga2->survivors);
    const size_t b = (size_t)rng_below(rng, nsga2->survivors);
    const bool   first = nsga2->ranks[a] != nsga2->ranks[b]
                             ? nsga2->ranks[a] < nsga2->ranks[b]
                             : nsga2->crowding[a] >= nsga2->crowding[b];
    return &nsga2->units[(first ? a : b) * nsga2->values];
}

/* simulated binary crossover of two coordinates: one of the two children, by a coin */
static double cross(Rng *rng, double a, double b) {
    const double u = rng_uniform(rng);
    const double spread = (u <= 0.5) ? pow(2 * u, 1 / (CROSSOVER_INDEX + 1))
                                     : pow(1 / (2 * (1 - u)), 1 / (CROSSOVER_INDEX + 1));
    const double sign = (rng_uniform(rng) < 0.5) ? -1 : 1;
    return 0.5 * (a + b) + sign * 0.5 * spread * fabs(a - b);
}

static double mutate(Rng *rng, double x) {
    const double u = rng_uniform(rng);
    const double step = (u < 0.5) ? pow(2 * u, 1 / (MUTATION_INDEX + 1)) - 1
                                  : 1 - pow(2 * (1 - u), 1 / (MUTATION_INDEX + 1));
    return x + step;
}

static void make_child(const Nsga2 *nsga2, Rng *rng, double *unit) {
    const double *mother = tournament(nsga2, rng);
    const double *father = tournament(nsga2, rng);
    const bool    both = rng_uniform(rng) < nsga2->crossover;
    for (size_t i = 0; i < nsga2->values; i++) {
        const bool choice = space_is_unordered(space_at(nsga2->setup->space, i));
        const bool fathers = both && rng_uniform(rng) < 0.5;
        unit[i] = (fathers && choice) ? father[i] : mother[i];
        if (fathers && !choice) {
            unit[i] = cross(rng, mother[i], father[i]);
        }
        if (rng_uniform(rng) < nsga2->mutation) {
            unit[i] = choice ? rng_uniform(rng) : mutate(rng, unit[i]);
        }
        unit[i] = fmin(fmax(unit[i], 0.0), 1.0);
    }
}

static Status nsga2_propose(const void *self, int64_t configuration, int64_t target,
                            Proposal *proposal) {
    const Nsga2 *nsga2 = self;
    Rng          rng = scheduler_rng(nsga2->setup, configuration, LANE_SAMPLE);
    (void)target;
    proposal->kind = PROPOSAL_POINT;
    if (nsga2->survivors < nsga2->population) {
        return scheduler__draw(nsga2->setup, configuration, proposal->point);
    }
    make_child(nsga2, &rng, proposal->point);
    space_decode(nsga2->setup->space, proposal->point, proposal->point);
    return STATUS_OK;
}

/* ---- results ------------------------------------------------------------------------------- */

static Status nsga2_begin(void *self, int64_t configuration, const double *point, const void *memo,
                          size_t memo_size) {
    Nsga2 *nsga2 = self;
    (void)memo;
    (void)memo_size;
    if (nsga2->pending == nsga2->capacity) {
        const size_t capacity =
            (nsga2->capacity == 0) ? PENDING_FIRST_CAPACITY : 2 * nsga2->capacity;
        int64_t *configurations = realloc(nsga2->configurations, capacity * sizeof *configurations);
        if (configurations != NULL) {
            nsga2->configurations = configurations;
        }
        double *units =
            realloc(nsga2->pending_units, capacity * (nsga2->values + 1) * sizeof *units);
        if (units != NULL) {
            nsga2->pending_units = units;
        }
        if (configurations == NULL || units == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations", capacity);
        }
        nsga2->capacity = capacity;
    }
    nsga2->configurations[nsga2->pending] = configuration;
    space_encode(nsga2->setup->space, point, &nsga2->pending_units[nsga2->pending * nsga2->values]);
    nsga2->pending++;
    return STATUS_OK;
}

/* index of a configuration that is being trained, or their number */
static size_t find_pending(const Nsga2 *nsga2, int64_t configuration) {
    size_t i = 0;
    while (i < nsga2->pending && nsga2->configurations[i] != configuration) {
        i++;
    }
    return i;
}

static void drop_pending(Nsga2 *nsga2, size_t at) {
    const size_t behind = nsga2->pending - at - 1;
    memmove(&nsga2->configurations[at], &nsga2->configurations[at + 1],
            behind * sizeof *nsga2->configurations);
    memmove(&nsga2->pending_units[at * nsga2->values],
            &nsga2->pending_units[(at + 1) * nsga2->values],
            behind * nsga2->values * sizeof *nsga2->pending_units);
    nsga2->pending--;
}

static void rank_survivors(Nsga2 *nsga2) {
    const ParetoSet set = {
        .count = nsga2->survivors,
        .objectives = nsga2->setup->objective_count,
        .losses = nsga2->losses,
        .violations = nsga2->violations,
    };
    pareto_ranks(&set, nsga2->ranks);
    pareto_crowding(&set, nsga2->ranks, nsga2->order, nsga2->crowding);
}

static void copy_survivor(Nsga2 *nsga2, size_t to, size_t from) {
    const size_t m = nsga2->setup->objective_count;
    memmove(&nsga2->units[to * nsga2->values], &nsga2->units[from * nsga2->values],
            nsga2->values * sizeof *nsga2->units);
    memmove(&nsga2->losses[to * m], &nsga2->losses[from * m], m * sizeof *nsga2->losses);
    nsga2->violations[to] = nsga2->violations[from];
}

/* the survivor in the last front that is crowded most; of equals the newest */
static size_t worst_survivor(const Nsga2 *nsga2) {
    size_t worst = 0;
    for (size_t i = 1; i < nsga2->survivors; i++) {
        if (nsga2->ranks[i] > nsga2->ranks[worst] ||
            (nsga2->ranks[i] == nsga2->ranks[worst] &&
             nsga2->crowding[i] <= nsga2->crowding[worst])) {
            worst = i;
        }
    }
    return worst;
}

/* among the survivors, if it is good enough */
static void add_result(Nsga2 *nsga2, const double *unit, const SamplerResult *result) {
    const size_t m = nsga2->setup->objective_count;
    const size_t place = nsga2->survivors;
    memmove(&nsga2->units[place * nsga2->values], unit, nsga2->values * sizeof *unit);
    memcpy(&nsga2->losses[place * m], result->losses, m * sizeof *nsga2->losses);
    nsga2->violations[place] = result->violation;
    nsga2->survivors++;
    rank_survivors(nsga2);
    if (nsga2->survivors > nsga2->population) {
        copy_survivor(nsga2, worst_survivor(nsga2), nsga2->survivors - 1);
        nsga2->survivors--;
        rank_survivors(nsga2);
    }
}

static void nsga2_tell(void *self, int64_t configuration, const SamplerResult *result) {
    Nsga2       *nsga2 = self;
    const size_t at = find_pending(nsga2, configuration);
    if (at == nsga2->pending) {
        return;
    }
    if (!result->failed) {
        add_result(nsga2, &nsga2->pending_units[at * nsga2->values], result);
    }
    drop_pending(nsga2, at);
}

/* the newcomer's place is free: nothing is told in between */
static Status nsga2_know(void *self, const double *point, const SamplerResult *result) {
    Nsga2  *nsga2 = self;
    double *unit = &nsga2->units[nsga2->survivors * nsga2->values];
    space_encode(nsga2->setup->space, point, unit);
    add_result(nsga2, unit, result);
    return STATUS_OK;
}

static void nsga2_forget(void *self, int64_t configuration) {
    Nsga2       *nsga2 = self;
    const size_t at = find_pending(nsga2, configuration);
    if (at < nsga2->pending) {
        drop_pending(nsga2, at);
    }
}

static SchedulerUses nsga2_uses(const double *options) {
    (void)options;
    return (SchedulerUses){.objectives = SCHEDULER_MAX_OBJECTIVES};
}

const SamplerOps sampler_nsga2_ops = {
    .name = "nsga2",
    .source = "Deb et al., IEEE Trans. Evol. Comput. 6 (2002)",
    .create = nsga2_sampler_create,
    .propose = nsga2_propose,
    .begin = nsga2_begin,
    .tell = nsga2_tell,
    .forget = nsga2_forget,
    .know = nsga2_know,
    .destroy = nsga2_destroy,
    .uses = nsga2_uses,
};

static const OptionSpec nsga2_options[] = {NSGA2_OPTION_ROWS, {.name = NULL}};

static Status nsga2_scheduler_create(const SchedulerSetup *setup, const double *options,
                                     void **self) {
    return chains_create_full(setup, &sampler_nsga2_ops, options, self);
}

const SchedulerOps scheduler_nsga2_ops = {
    .name = "nsga2",
    .source = "Deb et al., IEEE Trans. Evol. Comput. 6 (2002)",
    .help = "A genetic algorithm that keeps the trade-offs between several objectives and breeds "
            "from them: for two or three objectives and some hundred evaluations. Not for a "
            "single objective (take tpe, gp or cmaes), nor for fewer evaluations than three or "
            "four times `survivors`.",
    .options = nsga2_options,
    .create = nsga2_scheduler_create,
    .uses = nsga2_uses,
    CHAINS_SCHEDULER,
};
