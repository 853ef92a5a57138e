/* The end of an allocation. A batch system ends a job at a known time, whatever runs then. What
 * runs is asked to yield one unit before it, by the seconds that units have taken lately, so that
 * every unit that was paid for is in a checkpoint; nothing is started that could not finish one.
 *
 * Slots yield together, when the time that is left is that of the slowest unit: what is lost is at
 * most that unit and the reserve per slot and allocation.
 *
 * A signal leaves less than that: 20 s in a Slurm job. Where units take longer, waiting for their
 * end would be in vain, and the job is asked to be over.
 */
#include "tuner/coordinator_allocation.h"

#include "core/clock.h"

#include <math.h>
#include <stdio.h>

/* For what comes after the last unit: a checkpoint that is synced, the commit, goodbyes, the end of
 * the ranks (srun: 1 to 2 s) (s). */
#define RESERVE_SECONDS 10.0
/* A unit may take this much longer than the slowest of late. */
#define UNIT_MARGIN 1.25
/* A unit may take this share of the one before it and still count as no faster: cutting off one
 * that would have ended costs up to a segment, waiting in vain some seconds. */
#define IN_VAIN_SHARE 0.8
/* How much of what is measured later an estimate that was too high takes on per measurement. */
#define FORGETTING 0.05

static double decayed_maximum(double estimate, double value) {
    return (value > estimate) ? value : estimate + FORGETTING * (value - estimate);
}

Status coordinator__enter_allocation(Coordinator *c) {
    const double end = c->setup->end_time;
    if (!(end > 0.0) || isinf(end)) {
        return STATUS_OK;
    }
    const double left = end - clock_wall();
    c->end_at = clock_monotonic() + left;
    TRY(results_unit_seconds(c->results, &c->unit_seconds));
    coordinator__log(c, "info", "this run must be over in %.0f s", left);
    return STATUS_OK;
}

void coordinator__note_step(Coordinator *c, Slot *slot, int64_t step) {
    if (slot->work.kind == WORK_EVALUATION || step <= slot->step) {
        return;
    }
    const double now = clock_monotonic();
    if (slot->step > 0) { /* else where it began is not known here */
        c->advanced = c->advanced || slot->work.kind == WORK_SEGMENT;
        slot->unit_seconds = (now - slot->step_at) / (double)(step - slot->step);
        c->unit_seconds = decayed_maximum(c->unit_seconds, slot->unit_seconds);
    }
    slot->step = step;
    slot->step_at = now;
}

void coordinator__note_order_over(Coordinator *c, const Slot *slot, Outcome outcome) {
    c->advanced = c->advanced || outcome == OUTCOME_DONE || outcome == OUTCOME_PREEMPTED;
    if (slot->work.kind != WORK_EVALUATION && slot->step > 0) {
        c->save_seconds = decayed_maximum(c->save_seconds, clock_monotonic() - slot->step_at);
    }
}

/* also of those that run now: what a slow trial has shown fast ones after it do not make forget */
static double longest_unit(const Coordinator *c, double now) {
    double longest = c->unit_seconds;
    for (size_t i = 0; i < c->slot_count; i++) {
        const Slot *slot = &c->slots[i];
        const bool  counts =
            slot->usable && slot->busy && !slot->unsent && slot->work.kind != WORK_EVALUATION;
        if (counts) {
            longest = fmax(longest, fmax(slot->unit_seconds, now - slot->step_at));
        }
    }
    return longest;
}

double coordinator__time_left(const Coordinator *c) {
    return c->end_at - clock_monotonic() - RESERVE_SECONDS - c->save_seconds;
}

bool coordinator__allocation_ends(const Coordinator *c, double *left) {
    if (c->end_at == 0.0) {
        return false;
    }
    *left = coordinator__time_left(c);
    return *left < UNIT_MARGIN * longest_unit(c, clock_monotonic());
}

/* the trainer's own pace, where this order has shown it, else that of the study */
static double pace(const Coordinator *c, const Slot *slot) {
    return (slot->unit_seconds > 0.0) ? slot->unit_seconds : c->unit_seconds;
}

bool coordinator__is_in_vain(const Coordinator *c, const Slot *slot) {
    const bool   saves = slot->step >= slot->end; /* all units are done */
    const double needed = IN_VAIN_SHARE * (saves ? c->save_seconds : pace(c, slot));
    return slot->usable && slot->busy && !slot->unsent && slot->work.kind == WORK_SEGMENT &&
           slot->step_at + needed > c->stop_deadline;
}

Status coordinator__tell_in_vain(Coordinator *c) {
    size_t count = 0;
    double slowest = 0.0;
    if (c->unit_seconds <= 0.0) { /* segments of one unit show none while they run */
        TRY(results_unit_seconds(c->results, &c->unit_seconds));
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (coordinator__is_in_vain(c, &c->slots[i])) {
            const double seconds = pace(c, &c->slots[i]);
            slowest = (seconds > slowest) ? seconds : slowest;
            count++;
        }
    }
    if (count > 0) {
        coordinator__log(c, "warning",
                         "%zu segment%s cut off at once, to be trained again from the last "
                         "checkpoint: a unit of up to %.0f s cannot end in time",
                         count, (count == 1) ? " is" : "s are", slowest);
    }
    return STATUS_OK;
}

void coordinator__explain_short_allocation(Coordinator *c) {
    if (!c->allocation_over || c->advanced) {
        return;
    }
    if (c->first_dispatch == 0.0 && c->unit_seconds <= 0.0) {
        (void)snprintf(c->reason, sizeof c->reason,
                       "this job had no time for anything beside the %.0f s that its end may take: "
                       "give it more",
                       RESERVE_SECONDS);
    } else if (c->first_dispatch == 0.0) {
        (void)snprintf(
            c->reason, sizeof c->reason,
            "a unit takes up to %.*f s, and this job had no time for one beside the %.0f s "
            "that its end may take: give it more",
            (c->unit_seconds < 10.0) ? 1 : 0, c->unit_seconds, RESERVE_SECONDS);
    } else {
        (void)snprintf(c->reason, sizeof c->reason,
                       "no unit of any segment could be finished in this job's time: give it more");
    }
}
