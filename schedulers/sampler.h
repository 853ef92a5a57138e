/** @file sampler.h  Where configurations come from: random draws, grids, models of what was seen.
 *
 * A sampler names the values of one configuration after the other and is told what came of them.
 * It knows no segments, chains, budgets and repeats: chains.h has those, and turns a sampler into a
 * scheduler. As in scheduler.h, propose() does not change the state; begin(), tell() and forget()
 * do, and resuming calls only these.
 *
 * Life of a configuration: proposed (and maybe never begun); begun, by its proposal, by a user or
 * as the defaults; then told once, or forgotten, because its training stopped before the depth that
 * this sampler learns from. A forgotten one may begin again.
 */
#ifndef SCHEDULERS_SAMPLER_H
#define SCHEDULERS_SAMPLER_H

#include "schedulers/scheduler.h"

typedef enum ProposalKind {
    PROPOSAL_POINT,
    PROPOSAL_WAIT, /* not before something that is begun was told */
    PROPOSAL_END,  /* there are no more */
} ProposalKind;

/** Memory is the caller's. */
typedef struct Proposal {
    ProposalKind kind;
    double      *point; /* (space_count) written for PROPOSAL_POINT; may be forbidden or taken */
    void        *memo;  /* what was expensive to find; comes back with begin() */
    size_t       memo_size;
} Proposal;

enum { PROPOSAL_MEMO_BYTES = SCHEDULER_MEMO_BYTES - 16 };

/** What came of a configuration: the mean over its repeats. */
typedef struct SamplerResult {
    bool          failed;      /* training failed, or an objective is not a finite number */
    const double *losses;      /* (objective_count) smaller is better; NaN where it failed */
    const double *constraints; /* (constraint_count) in the study's units */
    double        violation;   /* segment_violation(): 0 = feasible */
    double        cost;        /* from the root to `depth`; NaN if it is not known */
    int64_t       depth;       /* units it was trained for */
} SamplerResult;

/**
 * One number that orders results as budgets do, for samplers that look at the order only: NaN where
 * it failed; the first loss where constraints hold; above every such loss, by violation, where they
 * do not.
 */
double sampler_order_loss(const SamplerResult *result);

/** Stands for a configuration where there is none: nobody has begun that point. */
enum { SAMPLER_NOBODY = -1 };

/** One way to name configurations. Instances are const. */
typedef struct SamplerOps {
    const char *name;
    const char *source;
    bool        waits; /* may answer PROPOSAL_WAIT until points that it proposed are told or
                          forgotten, so budgets that pause configurations would stall it */
    /**
     * @param setup    borrowed for the sampler's life
     * @param options  values of the sampler's own rows, in their order; NULL if it has none
     */
    Status (*create)(const SchedulerSetup *setup, const double *options, void **self);
    /**
     * Values of configuration number `configuration`, which is to be trained to `target` units.
     * Random numbers: scheduler_rng(setup, configuration, LANE_SAMPLE). May write to scratch that
     * no later call reads.
     */
    Status (*propose)(const void *self, int64_t configuration, int64_t target, Proposal *proposal);
    /* The three may be NULL in a sampler that learns nothing. */
    /* Is being trained; the memo is of size 0 unless it is that of its own proposal. Makes the room
     * that tell() needs; a failure changes nothing */
    Status (*begin)(void *self, int64_t configuration, const double *point, const void *memo,
                    size_t memo_size);
    void (*tell)(void *self, int64_t configuration, const SamplerResult *result);
    void (*forget)(void *self, int64_t configuration);
    /**
     * A result from elsewhere (an earlier study), before any configuration has begun; one that it
     * cannot use is left out. NULL in a sampler that needs its own points. A failure changes
     * nothing.
     */
    Status (*know)(void *self, const double *point, const SamplerResult *result);
    void (*destroy)(void *self); /* accepts NULL */
    /* as SchedulerOps.uses(), of the sampler's own rows; NULL in one that learns nothing */
    SchedulerUses (*uses)(const double *options);
} SamplerOps;

/** A sampler at work. */
typedef struct Sampler {
    const SamplerOps *ops;
    void             *self;
} Sampler;

#endif
