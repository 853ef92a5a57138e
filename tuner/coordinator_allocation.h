/** @file coordinator_allocation.h  The end of a batch job's time, and what may still end before it.
 * Files of the coordinator alone include this, as they do coordinator_state.h.
 */
#ifndef TUNER_COORDINATOR_ALLOCATION_H
#define TUNER_COORDINATOR_ALLOCATION_H

#include "tuner/coordinator_state.h"

/** Takes the end of the allocation over from the setup. */
Status coordinator__enter_allocation(Coordinator *c) MUST_USE;
/** A metric of unit `step` has come from the slot's trainer. */
void coordinator__note_step(Coordinator *c, Slot *slot, int64_t step);
/** The slot's order is over. */
void coordinator__note_order_over(Coordinator *c, const Slot *slot, Outcome outcome);
/** Until what runs must have ended its unit, where the allocation has an end (s). */
double coordinator__time_left(const Coordinator *c);
/**
 * Would a unit that begins now, or goes on, end too late?
 * @param left  out  s until the last one must have ended; set where the allocation has an end
 */
bool coordinator__allocation_ends(const Coordinator *c, double *left);
/** While stopping: can the unit that the slot trains now (or the checkpoint that it saves) not end
 * before c->stop_deadline, going by those before? */
bool coordinator__is_in_vain(const Coordinator *c, const Slot *slot);
/** A line in the log where there are such slots. */
Status coordinator__tell_in_vain(Coordinator *c) MUST_USE;
/** The reason for the end of a run whose time was too short for a single unit. */
void coordinator__explain_short_allocation(Coordinator *c);

#endif
