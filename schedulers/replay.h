/** @file replay.h  Runs given schedules from scratch on fresh seeds: what `confirm:` stands on.
 *
 * An arm is one schedule (the best one, the defaults, ...). Every arm is trained `seeds` times,
 * each time as a chain of segments of its own trial; a failed segment ends its chain. The result is
 * used through the functions of scheduler.h like any other; it is not in the registry, because no
 * study file can ask for it.
 */
#ifndef SCHEDULERS_REPLAY_H
#define SCHEDULERS_REPLAY_H

#include "schedulers/scheduler.h"

#include <stddef.h>
#include <stdint.h>

/** One segment of a schedule. */
typedef struct ReplayStep {
    int64_t begin; /* units from the root; 0 in the first, the end of the one before after it */
    int64_t end;   /* > begin */
    const double *point; /* (space_count) */
} ReplayStep;

typedef struct ReplayArm {
    const ReplayStep *steps; /* (count), from the root */
    size_t            count; /* >= 1 */
    const char       *label; /* for the note of its segments, "defaults"; may be NULL */
} ReplayArm;

/**
 * Makes the scheduler. Seed number s of arm a is trial first_trial + a * seeds + s, in which the
 * coordinator reads which seed to give; its segments get ids from first_segment on, in the order in
 * which they are decided (depth-first: a chain is continued before another begins). Decision
 * numbers count from 0, as in every log.
 *
 * @param arms           copied, steps and points too
 * @param seeds          chains per arm, >= 1
 * @param first_trial    >= 0, the first one that tuning has not used
 * @param first_segment  >= 1, likewise
 * @param order          any: a chain is continued before another begins, which loses no time.
 * barrier: all chains go step by step, so that ids do not depend on who was faster
 * @param setup          space, objectives and constraints are taken from it; the budget is that of
 *                       the arms
 * @return STATUS_OK
 *         STATUS_ERR_ARG  no arm, no step, steps that do not join, a point that is not in the
 * space, steps of several segments where the trainer writes no checkpoints STATUS_ERR_NOMEM On
 * failure *out is NULL.
 */
Status replay_create(const ReplayArm *arms, size_t count, int64_t seeds, int64_t first_trial,
                     int64_t first_segment, SchedulerOrder order, const SchedulerSetup *setup,
                     Scheduler **out) MUST_USE;

#endif
