/* Bayesian optimization with Gaussian processes: an adapter of core/optimize to configurations.
 *
 * One process for the objective, one for each bound of a constraint, one for the logarithm of the
 * cost where the study names one. The next configuration maximizes log expected improvement, plus
 * the log probabilities that the constraints hold, minus the expected log cost (so: improvement per
 * cost). Configurations that are being trained are assumed at their posterior mean, in order. With
 * two objectives it is the logarithm of the expected hypervolume improvement over the front of
 * posterior means; of more than two the first two count.
 *
 * What failed (or has an objective or a constraint that is not a number) enters an objective's
 * process with the worst loss told before it; as long as nothing has succeeded it waits, and enters
 * behind the first success with that loss. It says nothing to the other processes.
 *
 * The first configurations are scrambled Sobol points, those of `sobol` under the same seed. Where
 * a covariance cannot be factored, or all candidates of a search are forbidden, the configuration
 * is the one that random search would draw.
 *
 * Sources: Ament et al. (2023) (log EI); Hvarfner et al. (2024) (prior); Gardner et al. (2014)
 * (constraints); Snoek et al. (2012) (improvement per cost); Ginsbourger et al. (2010) (pending);
 * Emmerich et al. (2016) (hypervolume).
 */
#include "schedulers/builtin.h"
#include "schedulers/encoding.h"
#include "schedulers/gp_front.h"
#include "schedulers/gp_process.h"
#include "schedulers/open_points.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include "core/optimize/acquisition_search.h"
#include "core/optimize/sobol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAPACITY = 2000,    /* results kept at most; gaussian_process.h says which */
    MOST_PENDING = 128, /* the newest; each costs n^2 */
    MOST_BOUNDS = 2 * SCHEDULER_MAX_CONSTRAINTS,
    MOST_OBJECTIVES = 2,
    MOST_PROCESSES = MOST_OBJECTIVES + MOST_BOUNDS + 1,
};

/* one bound of a constraint: sign * value must not be above `upper` */
typedef struct Bound {
    size_t constraint;
    double sign;
} Bound;

typedef struct GpSampler {
    const SchedulerSetup *setup;
    Encoding              encoding;
    size_t                startup;
    Sobol                *sobol;     /* NULL: too many dimensions for it */
    GpProcess            *processes; /* (MOST_PROCESSES) objectives, bounds, log cost */
    size_t                process_count;
    size_t                objective_count;
    GpFront              *front; /* of two objectives, or NULL */
    GpProcess            *cost;  /* the last of them, or NULL */
    Bound                 bounds[MOST_BOUNDS];
    AcquisitionConstraint constraints[MOST_BOUNDS];
    size_t                bound_count;
    double                worst[MOST_OBJECTIVES]; /* losses told; NaN before the first success */
    OpenPoints open;      /* without a place among the rows; marked: failed, and waits for a loss */
    double    *x;         /* (d) scratch */
    double    *memo;      /* scratch */
    size_t     memo_size; /* bytes */
    Arena     *arena;
} GpSampler;

/* ---- life ---------------------------------------------------------------------------------- */

static void gp_destroy(void *self) {
    GpSampler *sampler = self;
    if (sampler == NULL) {
        return;
    }
    for (size_t i = 0; i < sampler->process_count; i++) {
        gp_process_reset(&sampler->processes[i]);
    }
    encoding_reset(&sampler->encoding);
    sobol_destroy(sampler->sobol);
    if (sampler->arena != NULL) {
        arena_reset(sampler->arena);
    }
    if (sampler->front != NULL) {
        gp_front_reset(sampler->front);
    }
    free(sampler->front);
    free(sampler->arena);
    free(sampler->processes);
    open_points_reset(&sampler->open);
    free(sampler->x);
    free(sampler->memo);
    free(sampler);
}

static Status add_process(GpSampler *sampler, bool compress_upper) {
    const GaussianProcessSetup setup = {
        .dimensions = sampler->encoding.dimensions,
        .d = sampler->encoding.d,
        .capacity = CAPACITY,
        .pending = MOST_PENDING,
        .compress_upper = compress_upper,
    };
    GpProcess *process = &sampler->processes[sampler->process_count];
    TRY(gp_process_init(process, &setup));
    sampler->process_count++;
    sampler->memo_size += gp_process_memo_count(process) * sizeof(double);
    return STATUS_OK;
}

static Status add_bound(GpSampler *sampler, size_t constraint, double sign, double upper) {
    if (!isfinite(upper)) {
        return STATUS_OK;
    }
    TRY(add_process(sampler, false));
    sampler->bounds[sampler->bound_count] = (Bound){constraint, sign};
    sampler->constraints[sampler->bound_count] =
        (AcquisitionConstraint){sampler->processes[sampler->process_count - 1].gp, upper};
    sampler->bound_count++;
    return STATUS_OK;
}

static Status add_processes(GpSampler *sampler) {
    const SchedulerSetup *setup = sampler->setup;
    /* of two objectives too: walls of bad results are common, and a front is one under any monotone
     * map; the hypervolume is then that of the compressed objectives */
    for (size_t i = 0; i < sampler->objective_count; i++) {
        TRY(add_process(sampler, true));
    }
    for (size_t i = 0; i < setup->constraint_count; i++) {
        TRY(add_bound(sampler, i, 1.0, setup->constraint_upper[i]));
        TRY(add_bound(sampler, i, -1.0, -setup->constraint_lower[i]));
    }
    if (setup->cost_aware) {
        TRY(add_process(sampler, false));
        sampler->cost = &sampler->processes[sampler->process_count - 1];
    }
    if (sampler->memo_size > PROPOSAL_MEMO_BYTES) {
        FAIL(STATUS_ERR_ARG,
             "gp: %zu hyperparameters and %zu models do not fit into a decision's record",
             sampler->encoding.d, sampler->process_count);
    }
    return STATUS_OK;
}

static AcquisitionSearch search_of(const GpSampler *sampler, Encoding *encoding) {
    const bool costs = sampler->cost != NULL && gaussian_process_count(sampler->cost->gp) > 0;
    return (AcquisitionSearch){
        .gp = sampler->processes[0].gp,
        .second = (sampler->front == NULL) ? NULL : sampler->processes[1].gp,
        .front = (sampler->front == NULL) ? NULL : &sampler->front->front,
        .dimensions = sampler->encoding.dimensions,
        .d = sampler->encoding.d,
        .constraints = sampler->constraints,
        .constraint_count = sampler->bound_count,
        .log_cost = costs ? sampler->cost->gp : NULL,
        .local = true,
        .settle = encoding_settle,
        .context = encoding,
    };
}

static Status fill(GpSampler *sampler, const double *options) {
    const SchedulerSetup *setup = sampler->setup;
    sampler->startup = (size_t)options[0];
    sampler->objective_count =
        (setup->objective_count < MOST_OBJECTIVES) ? setup->objective_count : MOST_OBJECTIVES;
    sampler->worst[0] = (double)NAN;
    sampler->worst[1] = (double)NAN;
    sampler->arena = calloc(1, sizeof *sampler->arena);
    sampler->processes = calloc(MOST_PROCESSES, sizeof *sampler->processes);
    if (sampler->arena == NULL || sampler->processes == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Bayesian optimization");
    }
    TRY(encoding_init(&sampler->encoding, setup->space));
    const size_t d = sampler->encoding.d;
    sampler->open.d = d;
    if (d <= SOBOL_MAX_DIMENSIONS) {
        TRY(sobol_create(d, SOBOL_SCRAMBLED, setup->seed, &sampler->sobol));
    }
    TRY(add_processes(sampler));
    if (sampler->objective_count > 1) {
        sampler->front = calloc(1, sizeof *sampler->front);
        if (sampler->front == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for Bayesian optimization");
        }
        TRY(gp_front_init(sampler->front, CAPACITY, d));
    }
    sampler->x = calloc(d, sizeof *sampler->x);
    sampler->memo = calloc(1, sampler->memo_size);
    if (sampler->x == NULL || sampler->memo == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Bayesian optimization");
    }
    const AcquisitionSearch search = search_of(sampler, &sampler->encoding);
    return arena_init(sampler->arena, acquisition_search_scratch(&search));
}

static Status gp_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    GpSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Bayesian optimization");
    }
    sampler->setup = setup;
    const Status status = fill(sampler, options);
    if (status != STATUS_OK) {
        gp_destroy(sampler);
        return status;
    }
    *self = sampler;
    return STATUS_OK;
}

/* ---- proposing ----------------------------------------------------------------------------- */

static Status draw_first(const GpSampler *sampler, int64_t configuration, double *point) {
    if (sampler->sobol == NULL) {
        return scheduler__draw(sampler->setup, configuration, point);
    }
    TRY(sobol_points(sampler->sobol, (uint64_t)configuration, 1, sampler->x));
    space_decode(sampler->setup->space, sampler->x, point);
    return STATUS_OK;
}

/* index of the first that is assumed: the newest MOST_PENDING in training are */
static size_t first_assumed(const OpenPoints *open) {
    size_t pending = 0;
    size_t i = open->count;
    while (i > 0 && pending < MOST_PENDING) {
        i--;
        pending += open->entries[i].marked ? 0 : 1;
    }
    return i;
}

/* makes a posterior and conditions it on what is being trained */
static Status prepare_process(const GpSampler *sampler, GpProcess *process) {
    const OpenPoints *open = &sampler->open;
    Status            status = gp_process_prepare(process);
    if (process == sampler->cost) {
        return status; /* of the cost only the mean counts */
    }
    for (size_t i = first_assumed(open); status == STATUS_OK && i < open->count; i++) {
        if (!open->entries[i].marked) {
            status = gaussian_process_assume(process->gp, open_points_at(open, i));
        }
    }
    return status;
}

static Status prepare(const GpSampler *sampler) {
    for (size_t i = 0; i < sampler->process_count; i++) {
        TRY(prepare_process(sampler, &sampler->processes[i]));
    }
    return STATUS_OK;
}

static Status ask_model(const GpSampler *sampler, int64_t configuration, Proposal *proposal) {
    Rng      rng = scheduler_rng(sampler->setup, configuration, LANE_SAMPLE);
    Encoding encoding = sampler->encoding;
    TRY(prepare(sampler));
    AcquisitionSearch search = search_of(sampler, &encoding);
    if (sampler->front != NULL) {
        gp_front_find(sampler->front, &search);
        search.origins = sampler->front->origins;
        search.origin_count = sampler->front->origin_count;
    }
    TRY(acquisition_search_run(&search, &rng, sampler->x, NULL, sampler->arena));
    encoding_to_point(&encoding, sampler->x, proposal->point);
    double *memo = sampler->memo;
    for (size_t i = 0; i < sampler->process_count; i++) {
        gp_process_memo_write(&sampler->processes[i], memo);
        memo += gp_process_memo_count(&sampler->processes[i]);
    }
    memcpy(proposal->memo, sampler->memo, sampler->memo_size);
    proposal->memo_size = sampler->memo_size;
    return STATUS_OK;
}

static Status gp_propose(const void *self, int64_t configuration, int64_t target,
                         Proposal *proposal) {
    const GpSampler *sampler = self;
    (void)target;
    proposal->kind = PROPOSAL_POINT;
    if (gaussian_process_count(sampler->processes[0].gp) < sampler->startup) {
        return draw_first(sampler, configuration, proposal->point);
    }
    const Status status = ask_model(sampler, configuration, proposal);
    if (status == STATUS_ERR_NUMERIC || status == STATUS_ERR_STATE) {
        status_clear();
        return scheduler__draw(sampler->setup, configuration, proposal->point);
    }
    return status;
}

/* ---- learning ------------------------------------------------------------------------------ */

static Status take_memo(GpSampler *sampler, const void *memo, size_t size) {
    if (size == 0) {
        return STATUS_OK;
    }
    if (size != sampler->memo_size) {
        FAIL(STATUS_ERR_RANGE, "gp: the memo of a decision has %zu bytes, expected %zu", size,
             sampler->memo_size);
    }
    const double *from = sampler->memo;
    memcpy(sampler->memo, memo, size);
    for (size_t i = 0; i < sampler->process_count; i++) {
        TRY(gp_process_memo_restore(&sampler->processes[i], from));
        from += gp_process_memo_count(&sampler->processes[i]);
    }
    return STATUS_OK;
}

/* room for whatever is in training and one more: a result cannot be refused when it comes */
static Status reserve(GpSampler *sampler) {
    TRY(open_points_reserve(&sampler->open));
    for (size_t i = 0; i < sampler->process_count; i++) {
        TRY(gp_process_reserve(&sampler->processes[i], sampler->open.count + 1));
    }
    return STATUS_OK;
}

static Status gp_begin(void *self, int64_t configuration, const double *point, const void *memo,
                       size_t memo_size) {
    GpSampler *sampler = self;
    TRY(reserve(sampler));
    TRY(take_memo(sampler, memo, memo_size));
    for (size_t i = 0; memo_size > 0 && i < sampler->process_count; i++) {
        gp_process_commit(&sampler->processes[i]);
    }
    encoding_from_point(&sampler->encoding, point, open_points_add(&sampler->open, configuration));
    return STATUS_OK;
}

static void gp_forget(void *self, int64_t configuration) {
    GpSampler   *sampler = self;
    const size_t i = open_points_find(&sampler->open, configuration);
    if (i < sampler->open.count) {
        open_points_remove(&sampler->open, i);
    }
}

static bool is_usable(const GpSampler *sampler, const SamplerResult *result) {
    bool usable = !result->failed;
    for (size_t i = 0; usable && i < sampler->objective_count; i++) {
        usable = isfinite(result->losses[i]);
    }
    for (size_t i = 0; usable && i < sampler->bound_count; i++) {
        usable = isfinite(result->constraints[sampler->bounds[i].constraint]);
    }
    return usable;
}

static void add_success(GpSampler *sampler, const double *x, const SamplerResult *result) {
    const size_t objectives = sampler->objective_count;
    for (size_t i = 0; i < objectives; i++) {
        sampler->worst[i] = fmax(sampler->worst[i], result->losses[i]); /* NaN gives way */
        gp_process_add(&sampler->processes[i], x, result->losses[i]);
    }
    for (size_t i = 0; i < sampler->bound_count; i++) {
        const Bound bound = sampler->bounds[i];
        gp_process_add(&sampler->processes[objectives + i], x,
                       bound.sign * result->constraints[bound.constraint]);
    }
    if (sampler->cost != NULL && result->cost > 0.0 && isfinite(result->cost)) {
        gp_process_add(sampler->cost, x, log(result->cost));
    }
}

/* failures that waited for the first success */
static void place_failed(GpSampler *sampler) {
    for (size_t i = 0; i < sampler->open.count;) {
        if (!sampler->open.entries[i].marked) {
            i++;
            continue;
        }
        for (size_t k = 0; k < sampler->objective_count; k++) {
            gp_process_add(&sampler->processes[k], open_points_at(&sampler->open, i),
                           sampler->worst[k]);
        }
        open_points_remove(&sampler->open, i);
    }
}

static void gp_tell(void *self, int64_t configuration, const SamplerResult *result) {
    GpSampler   *sampler = self;
    const size_t i = open_points_find(&sampler->open, configuration);
    if (i == sampler->open.count) {
        return;
    }
    if (is_usable(sampler, result)) {
        add_success(sampler, open_points_at(&sampler->open, i), result);
        open_points_remove(&sampler->open, i);
    } else {
        sampler->open.entries[i].marked = true;
    }
    if (!isnan(sampler->worst[0])) {
        place_failed(sampler);
    }
}

static Status gp_know(void *self, const double *point, const SamplerResult *result) {
    GpSampler *sampler = self;
    if (is_usable(sampler, result)) {
        TRY(reserve(sampler));
        encoding_from_point(&sampler->encoding, point, sampler->x);
        add_success(sampler, sampler->x, result);
    }
    return STATUS_OK;
}

static SchedulerUses gp_uses(const double *options) {
    (void)options;
    return (SchedulerUses){.objectives = MOST_OBJECTIVES, .cost = true};
}

const SamplerOps sampler_gp_ops = {
    .name = "gp",
    .source = "Ament et al., NeurIPS 2023; Hvarfner et al., ICML 2024",
    .create = gp_create,
    .propose = gp_propose,
    .begin = gp_begin,
    .tell = gp_tell,
    .forget = gp_forget,
    .know = gp_know,
    .destroy = gp_destroy,
    .uses = gp_uses,
};

/* ---- the scheduler ------------------------------------------------------------------------- */

static const OptionSpec gp_options[] = {STARTUP_OPTION_ROW, {.name = NULL}};

static Status gp_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &sampler_gp_ops, options, self);
}

const SchedulerOps scheduler_gp_ops = {
    .name = "gp",
    .source = "Ament et al., NeurIPS 2023; Hvarfner et al., ICML 2024",
    .help = "Static values by Bayesian optimization, each trained to the full depth: the best "
            "choice where a configuration is dear and 20 to 2000 of them are tried, with up to "
            "about 30 hyperparameters. Not where slots outnumber results or a configuration takes "
            "less than a second, and not for values that should change while the agent trains.",
    .options = gp_options,
    .create = gp_search_create,
    .uses = gp_uses,
    CHAINS_SCHEDULER,
};
