/* Events to the scheduler, decisions into rows. While decide() runs on its thread nobody observes;
 * results wait in c->events. A barrier scheduler gets them when nothing that it decided is
 * outstanding, in order of segment id, so that the number of workers cannot matter. */
#include "core/clock.h"
#include "core/rng.h"
#include "tuner/coordinator_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* how long one turn of the loop waits for a decision before it serves messages again */
#define DECIDE_SECONDS 0.002

/* the seed number of a branching segment, apart from those of roots (numbered by trial) */
#define BRANCH_SEED_OFFSET (INT64_C(1) << 40)

Status coordinator__push_event(Coordinator *c, const Outstanding *event) {
    if (c->event_count == c->event_capacity) {
        const size_t capacity = (c->event_capacity == 0) ? 16 : 2 * c->event_capacity;
        Outstanding *events = realloc(c->events, capacity * sizeof *events);
        if (events == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu results", capacity);
        }
        c->events = events;
        c->event_capacity = capacity;
    }
    c->events[c->event_count++] = *event;
    c->undecided--;
    return STATUS_OK;
}

static int by_id(const void *a, const void *b) {
    const Outstanding *x = a;
    const Outstanding *y = b;
    if (x->kind != y->kind) {
        return (x->kind < y->kind) ? -1 : 1;
    }
    return (x->id < y->id) ? -1 : (x->id > y->id);
}

static Status observe_one(Coordinator *c, const Outstanding *outstanding) {
    const Event event = {.kind = outstanding->kind,
                         .id = outstanding->id,
                         .outcome = outstanding->outcome,
                         .objectives = outstanding->objectives,
                         .spreads = outstanding->spreads,
                         .constraints = outstanding->constraints,
                         .cost = outstanding->cost};
    if (c->phase == PHASE_TUNE) {
        TRY(results_event_append(c->results, &event));
        TRY(coordinator__note_event(c, &event));
    }
    return scheduler_observe(c->scheduler, &event);
}

Status coordinator__observe(Coordinator *c) {
    if (c->event_count == 0 || decider_busy(c->decider)) {
        return STATUS_OK;
    }
    if (c->scheduler == NULL) {
        c->event_count = 0;
        return STATUS_OK;
    }
    if (scheduler_order(c->scheduler) == SCHEDULER_ORDER_BARRIER) {
        if (c->undecided > 0) {
            return STATUS_OK;
        }
        qsort(c->events, c->event_count, sizeof *c->events, by_id);
    }
    TRY(coordinator__begin(c));
    c->urgent = true;
    for (size_t i = 0; i < c->event_count; i++) {
        TRY(observe_one(c, &c->events[i]));
    }
    c->event_count = 0;
    c->waiting = false;
    return STATUS_OK;
}

/* ---- decisions into rows ------------------------------------------------------------------------
 */

static Status insert_trial(Coordinator *c, const Decision *decision, bool *is_new, bool *stopped) {
    ResultsTrial trial = {.stopped = false};
    *is_new = false;
    const Status status = results_trial_read(c->results, decision->trial, &trial);
    *stopped = status == STATUS_OK && trial.stopped;
    if (status != STATUS_ERR_UNKNOWN_NAME) {
        return status;
    }
    *is_new = true;
    const int64_t repeats = c->study->scheduler->population ? 1 : c->study->repeats;
    trial = (ResultsTrial){.id = decision->trial,
                           .kind = TRIAL_TUNE,
                           .number = decision->trial / repeats,
                           .repeat = decision->trial % repeats};
    return results_trial_insert(c->results, &trial);
}

/* Seeds are drawn where a line begins (by trial) and where it branches (by segment); continuations
 * inherit theirs. Confirmation uses seeds of its own class, the same ones for every arm. */
static Status seed_of(Coordinator *c, const Decision *decision, bool new_trial, uint64_t *seed) {
    if (decision->parent != 0 && !decision->branch) {
        ResultsSegment parent = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, decision->parent, &parent));
        *seed = parent.seed;
        return STATUS_OK;
    }
    if (c->phase == PHASE_CONFIRM) {
        ResultsTrial trial;
        TRY(results_trial_read(c->results, decision->trial, &trial));
        *seed = rng_seed((uint64_t)c->study->confirm.seed, SEED_CONFIRM, (uint64_t)trial.repeat);
        return STATUS_OK;
    }
    const int64_t number =
        (decision->parent == 0 && new_trial) ? decision->trial : BRANCH_SEED_OFFSET + decision->id;
    *seed = rng_seed(c->study->seed, SEED_TUNE, (uint64_t)number);
    return STATUS_OK;
}

static void log_branch(Coordinator *c, const Decision *decision) {
    if (!decision->branch || c->phase != PHASE_TUNE) {
        return;
    }
    coordinator__log(c, "info",
                     "%s: member %" PRId64 " goes on from segment %" PRId64 " at %s %" PRId64
                     " as segment %" PRId64 "%s%s",
                     decision->reason, decision->trial, decision->parent, c->study->budget.unit,
                     decision->begin, decision->id, (decision->note[0] == '\0') ? "" : "; ",
                     decision->note);
}

static Status apply_run(Coordinator *c, const Decision *decision) {
    bool new_trial = false;
    bool stopped = false;
    TRY(insert_trial(c, decision, &new_trial, &stopped));
    ResultsSegment row = {.id = decision->id,
                          .parent = decision->parent,
                          .trial = decision->trial,
                          .decision = (c->phase == PHASE_TUNE) ? decision->number : -1,
                          .begin = decision->begin,
                          .end = decision->end,
                          .point = decision->point};
    (void)snprintf(row.reason, sizeof row.reason, "%s", decision->reason);
    (void)snprintf(row.note, sizeof row.note, "%s", decision->note);
    TRY(seed_of(c, decision, new_trial, &row.seed));
    TRY(results_segment_insert(c->results, &row));
    log_branch(c, decision);
    c->undecided++;
    if (stopped) {
        return coordinator__fail_segment(c, decision->id, 0, OUTCOME_CANCELLED, "");
    }
    const Work work = {.kind = WORK_SEGMENT, .id = decision->id, .needs = decision->parent};
    return coordinator__queue(c, &work);
}

static Status apply_evaluate(Coordinator *c, const Decision *decision) {
    if (c->study->manual) {
        FAIL(STATUS_ERR_STATE,
             "scheduler '%s' asks for an evaluation, which a manual study cannot do",
             c->study->scheduler->name);
    }
    const ResultsEvaluation row = {
        .id = decision->id,
        .segment = decision->parent,
        .decision = decision->number,
        .episodes = decision->episodes,
        .seed = rng_seed(c->study->seed, SEED_EVALUATE, (uint64_t)decision->id)};
    TRY(results_evaluation_insert(c->results, &row));
    c->undecided++;
    const Work work = {.kind = WORK_EVALUATION, .id = decision->id, .needs = decision->parent};
    return coordinator__queue(c, &work);
}

static Status apply(Coordinator *c, const Decision *decision) {
    if (decision->kind == DECISION_WAIT) {
        c->waiting = true;
        return STATUS_OK;
    }
    TRY(coordinator__begin(c));
    c->urgent = true;
    if (decision->kind == DECISION_RUN) {
        TRY(apply_run(c, decision));
    } else if (decision->kind == DECISION_EVALUATE) {
        TRY(apply_evaluate(c, decision));
    } else {
        c->decided_all = true;
        c->failed = decision->failed;
        if (c->phase == PHASE_TUNE) {
            (void)snprintf(c->reason, sizeof c->reason, "%s", decision->reason);
        }
    }
    const Event event = {.kind = EVENT_DECIDED, .decision = decision};
    if (c->phase == PHASE_TUNE) {
        TRY(results_event_append(c->results, &event));
    }
    return scheduler_observe(c->scheduler, &event);
}

/* a barrier scheduler decides its whole batch; others decide when a slot would stand idle */
static bool wants_decision(const Coordinator *c) {
    if (c->scheduler == NULL || c->stopping || c->decided_all || c->waiting) {
        return false;
    }
    return scheduler_order(c->scheduler) == SCHEDULER_ORDER_BARRIER ||
           c->queue.count < coordinator__free_slots(c);
}

/* A draw takes two microseconds, handing it to another thread and back ten to twenty. */
static Status next_decision(Coordinator *c, Decision *decision, bool *got) {
    if (c->no_model && c->phase == PHASE_TUNE) {
        *got = true;
        return scheduler_decide(c->scheduler, decision);
    }
    if (!decider_busy(c->decider)) {
        decider_start(c->decider, c->scheduler);
    }
    return decider_poll(c->decider, DECIDE_SECONDS, decision, got);
}

Status coordinator__decide(Coordinator *c) {
    coordinator__check_end(c);
    for (;;) {
        if (!decider_busy(c->decider) && !wants_decision(c)) {
            return STATUS_OK;
        }
        Decision decision;
        bool     got = false;
        TRY(next_decision(c, &decision, &got));
        if (!got) {
            return STATUS_OK; /* still thinking: serve messages meanwhile */
        }
        TRY(apply(c, &decision));
    }
}
