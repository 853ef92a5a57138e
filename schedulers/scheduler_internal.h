/** @file scheduler_internal.h  Shared inside schedulers/, and with tests. */
#ifndef SCHEDULERS_SCHEDULER_INTERNAL_H
#define SCHEDULERS_SCHEDULER_INTERNAL_H

#include "schedulers/scheduler.h"

/** Where numbering starts. */
typedef struct SchedulerFirst {
    int64_t segment; /* >= 1 */
    int64_t trial;   /* >= 0 */
} SchedulerFirst;

/* what a scheduler's random numbers are for (scheduler_rng(): lane); part of every stored result */
enum {
    LANE_PICK = 0,    /* which donor or elite; number = decision */
    LANE_EXPLORE = 1, /* how values move; number = decision */
    LANE_SAMPLE = 2,  /* a configuration; number = configuration, so that no result matters */
    LANE_FRESH = 3,   /* a new configuration in place of a failed one; number = decision */
    LANE_RANDOM = 4,  /* whether a configuration is drawn at random; number = configuration */
    LANE_TRUST = 5,   /* whether a model is believed; number = decision */
};

/**
 * Makes a scheduler around a state that exists already (replay.c).
 * @param self  taken over on success; on failure it stays the caller's
 */
Status scheduler__wrap(const SchedulerOps *ops, const SchedulerSetup *setup, SchedulerFirst first,
                       void *self, Scheduler **out) MUST_USE;
/** Checks the setup as scheduler_create() does. STATUS_ERR_ARG names the field. */
Status scheduler__check_setup(const SchedulerSetup *setup) MUST_USE;

/** The draw of random search for a configuration (or a member's first): the same for every
 * scheduler that draws one, whatever happened before. @return what space_sample() does */
Status scheduler__draw(const SchedulerSetup *setup, int64_t configuration, double *point) MUST_USE;

/** Writes a decision that is not work: WAIT, or DONE with a sentence. */
void scheduler__wait(Decision *decision);
void scheduler__done(Decision *decision, bool failed, const char *format, ...) PRINTF_LIKE(3, 4);
/** WAIT while work is outstanding, then DONE: the units are used up. */
void scheduler__out_of_budget(Decision *decision, bool failed, int64_t total, size_t open);

/** Lets scheduler_find() know one more (tests only; at most 8; `ops` is borrowed for good). It is
 * not counted by scheduler_count(). @return STATUS_ERR_ARG for a name that exists */
Status scheduler_register_for_tests(const SchedulerOps *ops) MUST_USE;

#endif
