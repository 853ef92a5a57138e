/** @file hand.h  Drives a scheduler event by event. Everything is asserted to succeed. */
#ifndef TESTS_SCHEDULERS_HAND_H
#define TESTS_SCHEDULERS_HAND_H

#include "schedulers/scheduler.h"

/** Options: the defaults, then pairs (name, double) up to NULL. */
Scheduler *hand_create(const char *name, const SchedulerSetup *setup, ...);
/** Decides; commits what is to be committed. The point is valid until the next call. */
Decision hand_decide(Scheduler *scheduler);
/** The same, and asserts a run with that trial, parent and reason. */
Decision hand_run(Scheduler *scheduler, int64_t trial, int64_t parent, const char *reason);
/** Asserts that there is nothing to decide. */
void hand_wait(Scheduler *scheduler);
void hand_finish(Scheduler *scheduler, int64_t segment, double objective);
/** With the standard deviation of the values inside the segment. */
void hand_finish_spread(Scheduler *scheduler, int64_t segment, double objective, double spread);
/** With the values of one constraint. */
void hand_finish_constrained(Scheduler *scheduler, int64_t segment, double objective,
                             double constraint);
void hand_fail(Scheduler *scheduler, int64_t segment);
/** Decides until there is nothing to decide and asserts that `n` segments were: then gives them
 * these objectives in order of id, NaN = failed. Returns the id of the first. */
int64_t hand_round(Scheduler *scheduler, size_t n, const double *objectives);

#endif
