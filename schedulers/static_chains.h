/** @file static_chains.h  Chains of segments with one set of values each: what samplers share that
 * learn nothing from results.
 *
 * Configuration c is a function of c, so the same configurations are tried in whatever order
 * results come in. Chains are finished depth-first: a free slot continues an open chain before it
 * starts a new one, and a new one starts only while there are units beyond what the open ones still
 * need. The defaults (baseline) and enqueued points come first; repeats take the values of their
 * first trial.
 */
#ifndef SCHEDULERS_STATIC_CHAINS_H
#define SCHEDULERS_STATIC_CHAINS_H

#include "schedulers/point_queue.h"
#include "schedulers/scheduler.h"
#include "schedulers/segment_tree.h"

/** Writes the values of configuration number `configuration`. */
typedef Status (*DrawConfiguration)(const SchedulerSetup *setup, const void *context,
                                    int64_t configuration, double *point);

typedef struct StaticChains {
    SchedulerSetup    setup;
    SegmentTree       tree;
    PointQueue        enqueued;
    DrawConfiguration draw;
    const void       *context;    /* of draw; borrowed */
    int64_t           segment;    /* units of one segment */
    int64_t           first_open; /* no trial before this one can be continued */
    int64_t           reserved;   /* units that open chains need to reach their end */
} StaticChains;

/** The struct may not move afterwards: its tree points into it. */
void static_chains_init(StaticChains *chains, const SchedulerSetup *setup, DrawConfiguration draw,
                        const void *context);
void static_chains_reset(StaticChains *chains);
/* as in SchedulerOps; the order is `any` */
Status static_chains_decide(const StaticChains *chains, Decision *decision) MUST_USE;
Status static_chains_observe(StaticChains *chains, const Event *event) MUST_USE;
Keeps  static_chains_keeps(const StaticChains *chains, int64_t segment);

#endif
