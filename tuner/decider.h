/** @file decider.h  decide() on its own thread, so that heartbeats and results are served while a
 * scheduler thinks.
 *
 * One decision is in flight at most. While it is, nobody may observe: the coordinator keeps what
 * comes in and applies it after decider_poll() has given the decision back.
 */
#ifndef TUNER_DECIDER_H
#define TUNER_DECIDER_H

#include "core/status.h"
#include "schedulers/scheduler.h"

#include <stdbool.h>

typedef struct Decider Decider;

Status decider_create(Decider **out) MUST_USE;
/** Waits for a decision in flight, then ends the thread; accepts NULL. */
void decider_destroy(Decider *decider);
/** Starts a decision of `scheduler`; none may be in flight. */
void decider_start(Decider *decider, Scheduler *scheduler);
bool decider_busy(const Decider *decider);
/**
 * Waits up to `seconds` for the decision in flight.
 * @param got  out  false if it is still thinking
 * @return STATUS_OK; what scheduler_decide() failed with (then got is true)
 */
Status decider_poll(Decider *decider, double seconds, Decision *decision, bool *got) MUST_USE;

#endif
