/* CMA-ES over configurations (core/optimize/cmaes.h): generations of points around a mean that
 * moves.
 *
 * A generation ends when all of its points are told; until then further slots wait, so a population
 * that is a multiple of the slots wastes none. Points of users and the defaults are not part of a
 * generation. A point that was forgotten (its training stopped early) counts like a failed one.
 * Conditions and whole numbers are rounded away from the point; the distribution does not see them.
 *
 * Source: Hansen (2016), arXiv 1604.00772. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include "core/optimize/cmaes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CMAES_ROW_POPULATION, CMAES_ROW_COVARIANCE, CMAES_ROW_DEVIATION, CMAES_ROW_RESTARTS };

const char *const cmaes_covariances[] = {"automatic", "full", "diagonal", NULL};
const char *const cmaes_restarts[] = {"none", "ipop", "bipop", NULL};

typedef struct CmaesSampler {
    const SchedulerSetup *setup;
    Cmaes                *cmaes;
    int64_t *owner;  /* (most) configuration of each candidate, SAMPLER_NOBODY: not begun */
    double  *losses; /* (most) told so far */
    bool    *told;   /* (most) */
    size_t   most;   /* largest population of any restart */
    size_t   begun;
    size_t   done;
} CmaesSampler;

/* which candidate a proposal was */
typedef struct CmaesMemo {
    uint64_t generation;
    uint64_t index;
} CmaesMemo;

static void cmaes_sampler_destroy(void *self) {
    CmaesSampler *sampler = self;
    if (sampler != NULL) {
        cmaes_destroy(sampler->cmaes);
        free(sampler->owner);
        free(sampler->losses);
        free(sampler->told);
        free(sampler);
    }
}

static void next_generation(CmaesSampler *sampler) {
    for (size_t i = 0; i < sampler->most; i++) {
        sampler->owner[i] = SAMPLER_NOBODY;
        sampler->told[i] = false;
    }
    sampler->begun = 0;
    sampler->done = 0;
}

static Status fill_cmaes(CmaesSampler *sampler, const double *options) {
    const CmaesSettings settings = {
        .dimensions = space_count(sampler->setup->space),
        .population =
            isnan(options[CMAES_ROW_POPULATION]) ? 0 : (size_t)options[CMAES_ROW_POPULATION],
        .deviation = options[CMAES_ROW_DEVIATION],
        .covariance = (CmaesCovariance)options[CMAES_ROW_COVARIANCE],
        .restart = (CmaesRestart)options[CMAES_ROW_RESTARTS],
        .seed = sampler->setup->seed,
    };
    TRY(cmaes_create(&settings, &sampler->cmaes));
    sampler->most = cmaes_population(sampler->cmaes) * CMAES_MAX_GROWTH;
    sampler->owner = calloc(sampler->most, sizeof *sampler->owner);
    sampler->losses = calloc(sampler->most, sizeof *sampler->losses);
    sampler->told = calloc(sampler->most, sizeof *sampler->told);
    if (sampler->owner == NULL || sampler->losses == NULL || sampler->told == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a generation of %zu points", sampler->most);
    }
    next_generation(sampler);
    return STATUS_OK;
}

static Status cmaes_sampler_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    *self = NULL;
    CmaesSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for CMA-ES");
    }
    sampler->setup = setup;
    const Status status = fill_cmaes(sampler, options);
    if (status != STATUS_OK) {
        cmaes_sampler_destroy(sampler);
        return status;
    }
    *self = sampler;
    return STATUS_OK;
}

static Status cmaes_propose(const void *self, int64_t configuration, int64_t target,
                            Proposal *proposal) {
    const CmaesSampler *sampler = self;
    (void)configuration;
    (void)target;
    if (sampler->begun == cmaes_population(sampler->cmaes)) {
        proposal->kind = PROPOSAL_WAIT;
        return STATUS_OK;
    }
    const CmaesMemo memo = {cmaes_progress(sampler->cmaes).generation, sampler->begun};
    /* coordinates, then values, in the same place */
    cmaes_point(sampler->cmaes, sampler->begun, proposal->point);
    space_decode(sampler->setup->space, proposal->point, proposal->point);
    memcpy(proposal->memo, &memo, sizeof memo);
    proposal->memo_size = sizeof memo;
    proposal->kind = PROPOSAL_POINT;
    return STATUS_OK;
}

static Status cmaes_begin(void *self, int64_t configuration, const double *point, const void *memo,
                          size_t memo_size) {
    CmaesSampler *sampler = self;
    CmaesMemo     which;
    (void)point;
    if (memo_size != sizeof which) {
        return STATUS_OK; /* not of a generation */
    }
    memcpy(&which, memo, sizeof which);
    if (which.generation == cmaes_progress(sampler->cmaes).generation &&
        which.index == sampler->begun) {
        sampler->owner[sampler->begun++] = configuration;
    }
    return STATUS_OK;
}

static void note_loss(CmaesSampler *sampler, int64_t configuration, double loss) {
    for (size_t i = 0; i < sampler->begun; i++) {
        if (sampler->owner[i] == configuration && !sampler->told[i]) {
            sampler->losses[i] = loss;
            sampler->told[i] = true;
            sampler->done++;
        }
    }
    if (sampler->done == cmaes_population(sampler->cmaes)) {
        cmaes_tell(sampler->cmaes, sampler->losses);
        next_generation(sampler);
    }
}

static void cmaes_sampler_tell(void *self, int64_t configuration, const SamplerResult *result) {
    note_loss(self, configuration, sampler_order_loss(result));
}

static void cmaes_forget(void *self, int64_t configuration) {
    note_loss(self, configuration, (double)NAN);
}

const SamplerOps sampler_cmaes_ops = {
    .name = "cmaes",
    .source = "Hansen, arXiv 1604.00772 (2016)",
    .waits = true,
    .create = cmaes_sampler_create,
    .propose = cmaes_propose,
    .begin = cmaes_begin,
    .tell = cmaes_sampler_tell,
    .forget = cmaes_forget,
    .destroy = cmaes_sampler_destroy,
    .uses = scheduler_uses_first,
};

static const OptionSpec cmaes_options[] = {CMAES_OPTION_ROWS, {.name = NULL}};

static Status cmaes_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &sampler_cmaes_ops, options, self);
}

const SchedulerOps scheduler_cmaes_ops = {
    .name = "cmaes",
    .source = "Hansen, arXiv 1604.00772 (2016)",
    .help = "A normal distribution over numeric hyperparameters that moves and learns their "
            "scales and correlations: for hundreds of cheap evaluations, and for up to thousands "
            "of hyperparameters. Not for a few dozen evaluations (take gp or tpe), nor where most "
            "hyperparameters are choices.",
    .options = cmaes_options,
    .create = cmaes_search_create,
    .uses = scheduler_uses_first,
    CHAINS_SCHEDULER,
};
