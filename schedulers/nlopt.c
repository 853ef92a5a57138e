/* NLopt's derivative-free algorithms over configurations (core/optimize/nlopt_search.h).
 *
 * An algorithm of NLopt asks for one point after the other. Here `starts` of them run side by side,
 * each from a point of its own (the first from the defaults, the others from a Sobol sequence), and
 * a slot that finds all of them waiting waits too. One that has converged begins again elsewhere.
 * What failed, or broke a constraint, enters as worse than everything that its run has seen.
 *
 * Source: Johnson, The NLopt nonlinear-optimization package. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"

#include "core/optimize/nlopt_search.h"
#include "core/optimize/sobol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NLOPT_ROW_ALGORITHM, NLOPT_ROW_STARTS, NLOPT_ROW_STEP, NLOPT_ROW_TOLERANCE };
enum { RUN_FIRST_CAPACITY = 64 };

/* one algorithm at work */
typedef struct Run {
    uint64_t start;  /* which start point: run number at first, then counted on */
    int64_t  owner;  /* configuration of the pending point, SAMPLER_NOBODY: none */
    double  *losses; /* (told) since the start */
    size_t   told;
    size_t   capacity;
    double   lowest; /* of losses that are results, since the start; above highest: none */
    double   highest;
} Run;

typedef struct NloptSampler {
    const SchedulerSetup *setup;
    NloptSearch           search; /* seed and start are set per run */
    Sobol                *starts;
    Run                  *runs; /* (run_count) */
    size_t                run_count;
    uint64_t              next_start;
} NloptSampler;

typedef struct NloptMemo {
    uint64_t run;
    uint64_t start; /* another one than the run's: it began again */
} NloptMemo;

static void nlopt_sampler_destroy(void *self) {
    NloptSampler *sampler = self;
    if (sampler == NULL) {
        return;
    }
    for (size_t i = 0; sampler->runs != NULL && i < sampler->run_count; i++) {
        free(sampler->runs[i].losses);
    }
    free(sampler->runs);
    sobol_destroy(sampler->starts);
    free(sampler);
}

static Run empty_run(uint64_t start) {
    return (Run){.start = start,
                 .owner = SAMPLER_NOBODY,
                 .lowest = (double)INFINITY,
                 .highest = -(double)INFINITY};
}

static Status fill_nlopt(NloptSampler *sampler, const double *options) {
    sampler->search = (NloptSearch){
        .algorithm = (size_t)options[NLOPT_ROW_ALGORITHM],
        .dimensions = space_count(sampler->setup->space),
        .step = options[NLOPT_ROW_STEP],
        .tolerance = options[NLOPT_ROW_TOLERANCE],
    };
    TRY(nlopt_search_check(&sampler->search));
    TRY(sobol_create(sampler->search.dimensions, SOBOL_SCRAMBLED, sampler->setup->seed,
                     &sampler->starts));
    sampler->run_count = (size_t)options[NLOPT_ROW_STARTS];
    sampler->next_start = sampler->run_count;
    sampler->runs = calloc(sampler->run_count, sizeof *sampler->runs);
    if (sampler->runs == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu starts", sampler->run_count);
    }
    for (size_t i = 0; i < sampler->run_count; i++) {
        sampler->runs[i] = empty_run(i);
    }
    return STATUS_OK;
}

static Status nlopt_sampler_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    *self = NULL;
    NloptSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for NLopt");
    }
    sampler->setup = setup;
    const Status status = fill_nlopt(sampler, options);
    if (status != STATUS_OK) {
        nlopt_sampler_destroy(sampler);
        return status;
    }
    *self = sampler;
    return STATUS_OK;
}

static Status start_point(const NloptSampler *sampler, uint64_t start, double *unit) {
    if (start == 0) {
        space_defaults(sampler->setup->space, unit);
        space_encode(sampler->setup->space, unit, unit);
        return STATUS_OK;
    }
    return sobol_points(sampler->starts, start, 1, unit);
}

/* the point that a run wants next, from a start and its losses */
static Status ask_run(const NloptSampler *sampler, uint64_t start, const double *losses,
                      size_t told, double *unit, bool *ended) {
    double      from[SOBOL_MAX_DIMENSIONS];
    NloptSearch search = sampler->search;
    TRY(start_point(sampler, start, from));
    search.start = from;
    search.seed = sampler->setup->seed + start;
    return nlopt_search_next(&search, losses, told, unit, ended);
}

static Status nlopt_propose(const void *self, int64_t configuration, int64_t target,
                            Proposal *proposal) {
    const NloptSampler *sampler = self;
    size_t              free_run = 0;
    (void)configuration;
    (void)target;
    while (free_run < sampler->run_count && sampler->runs[free_run].owner != SAMPLER_NOBODY) {
        free_run++;
    }
    if (free_run == sampler->run_count) {
        proposal->kind = PROPOSAL_WAIT;
        return STATUS_OK;
    }
    const Run *run = &sampler->runs[free_run];
    NloptMemo  memo = {free_run, run->start};
    bool       ended = false;
    TRY(ask_run(sampler, run->start, run->losses, run->told, proposal->point, &ended));
    if (ended) {
        memo.start = sampler->next_start;
        TRY(ask_run(sampler, memo.start, NULL, 0, proposal->point, &ended));
    }
    space_decode(sampler->setup->space, proposal->point, proposal->point);
    memcpy(proposal->memo, &memo, sizeof memo);
    proposal->memo_size = sizeof memo;
    proposal->kind = PROPOSAL_POINT;
    return STATUS_OK;
}

static Status nlopt_begin(void *self, int64_t configuration, const double *point, const void *memo,
                          size_t memo_size) {
    NloptSampler *sampler = self;
    NloptMemo     which;
    (void)point;
    if (memo_size != sizeof which) {
        return STATUS_OK; /* of no run */
    }
    memcpy(&which, memo, sizeof which);
    if (which.run >= sampler->run_count || sampler->runs[which.run].owner != SAMPLER_NOBODY) {
        return STATUS_OK; /* a memo of other options */
    }
    Run *run = &sampler->runs[which.run];
    if (run->told == run->capacity) {
        const size_t capacity = (run->capacity == 0) ? RUN_FIRST_CAPACITY : 2 * run->capacity;
        double      *losses = realloc(run->losses, capacity * sizeof *losses);
        if (losses == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu losses", capacity);
        }
        run->losses = losses;
        run->capacity = capacity;
    }
    if (which.start != run->start) {
        double *const losses = run->losses;
        const size_t  capacity = run->capacity;
        *run = empty_run(which.start);
        run->losses = losses;
        run->capacity = capacity;
        sampler->next_start++;
    }
    run->owner = configuration;
    return STATUS_OK;
}

/* A finite loss for what has none: above all that the run has seen, by half the range of what it
 * saw, and by all of it where constraints are broken most. */
static double worse_than_all(const Run *run, double violation) {
    if (run->highest < run->lowest) {
        return 1 + fmin(violation, 1); /* nothing was seen yet */
    }
    const double range = run->highest - run->lowest;
    const double spread = (range > 0) ? range : 1 + fabs(run->highest);
    return run->highest + spread * (1 + fmin(violation, 1)) / 2;
}

static double loss_of(Run *run, const SamplerResult *result) {
    if (result == NULL || result->failed) {
        return worse_than_all(run, 1);
    }
    if (result->violation > 0) {
        return worse_than_all(run, result->violation);
    }
    run->lowest = fmin(run->lowest, result->losses[0]);
    run->highest = fmax(run->highest, result->losses[0]);
    return result->losses[0];
}

static void end_pending(NloptSampler *sampler, int64_t configuration, const SamplerResult *result) {
    for (size_t i = 0; i < sampler->run_count; i++) {
        Run *run = &sampler->runs[i];
        if (run->owner == configuration) {
            run->losses[run->told] = loss_of(run, result);
            run->told++;
            run->owner = SAMPLER_NOBODY;
        }
    }
}

static void nlopt_tell(void *self, int64_t configuration, const SamplerResult *result) {
    end_pending(self, configuration, result);
}

static void nlopt_forget(void *self, int64_t configuration) {
    end_pending(self, configuration, NULL);
}

const SamplerOps sampler_nlopt_ops = {
    .name = "nlopt",
    .source = "Johnson, The NLopt nonlinear-optimization package",
    .waits = true,
    .create = nlopt_sampler_create,
    .propose = nlopt_propose,
    .begin = nlopt_begin,
    .tell = nlopt_tell,
    .forget = nlopt_forget,
    .destroy = nlopt_sampler_destroy,
    .uses = scheduler_uses_first,
};

static const OptionSpec nlopt_options[] = {NLOPT_OPTION_ROWS, {.name = NULL}};

static Status nlopt_scheduler_create(const SchedulerSetup *setup, const double *options,
                                     void **self) {
    return chains_create_full(setup, &sampler_nlopt_ops, options, self);
}

const SchedulerOps scheduler_nlopt_ops = {
    .name = "nlopt",
    .source = "Johnson, The NLopt nonlinear-optimization package",
    .help = "One of NLopt's derivative-free algorithms, from one start or several side by side: "
            "for few, numeric hyperparameters and results with little noise, or to compare with. "
            "Not for choices, nor for more slots than `starts`, since each start trains one "
            "configuration at a time.",
    .options = nlopt_options,
    .create = nlopt_scheduler_create,
    .uses = scheduler_uses_first,
    CHAINS_SCHEDULER,
};
