/* How a study stands, in numbers that are kept as it goes on. */
#include "core/clock.h"
#include "tuner/coordinator_state.h"

#include <math.h>

double coordinator__utilization(const Coordinator *c) {
    const double span = c->last_dispatch - c->first_dispatch;
    if (c->first_dispatch == 0.0 || span <= 0.0 || c->slot_count == 0) {
        return (double)NAN;
    }
    /* slots of lost workers count: they were paid for */
    return c->busy_at_dispatch / (span * (double)c->slot_count);
}

static const char *phase_name(Phase phase) {
    switch (phase) {
    case PHASE_TUNE:
        return "tuning";
    case PHASE_CONFIRM:
        return "confirming";
    case PHASE_EVALUATE:
        return "evaluating";
    case PHASE_OVER:
        return "done";
    }
    return "";
}

/* units per second of this run, counted from the first look at the phase */
static void note_speed(Coordinator *c, ProgressState *state) {
    const double now = clock_monotonic();
    if (c->phase_began == 0.0) {
        c->phase_began = now;
        c->phase_units = state->units;
    } else if (state->units > c->phase_units) {
        state->units_per_second = (double)(state->units - c->phase_units) / (now - c->phase_began);
    }
}

void coordinator__progress(Coordinator *c, ProgressState *out) {
    ProgressState state = {.phase = phase_name(c->phase),
                           .done = c->tally.finished,
                           .failed = c->tally.failed,
                           .units = c->tally.units[c->phase == PHASE_CONFIRM],
                           .unit = c->study->budget.unit,
                           .slots = c->slot_count,
                           .best = (c->best_segment == 0) ? (double)NAN : c->best_objective,
                           .utilization = coordinator__utilization(c)};
    if (c->phase != PHASE_CONFIRM) {
        state.total_units = c->budget.total;
    } else {
        state.total_units =
            (c->study->confirm.top + 1) * c->study->confirm.seeds * c->study->confirm.per_trial;
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        state.running += c->slots[i].busy ? 1 : 0;
    }
    note_speed(c, &state);
    *out = state;
}

void coordinator__show(Coordinator *c, bool now) {
    ProgressState state;
    if (c->setup->quiet || !progress_due(&c->progress, now)) {
        return;
    }
    coordinator__progress(c, &state);
    progress_show(&c->progress, &state);
}
