/* What workers say. A result becomes a row in the open transaction at once; the scheduler observes
 * it later (coordinator_decide.c), at a barrier in another order. Failures that are not the trial's
 * own (a killed process, a lost worker, a damaged checkpoint) are tried again with the same seed;
 * what would repeat itself (a diverged model, a violated protocol, too much memory) is the outcome.
 */
#include "core/clock.h"
#include "results/report.h"
#include "tuner/coordinator_allocation.h"
#include "tuner/coordinator_state.h"
#include "tuner/host_fit.h"
#include "tuner/study_numerics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHY_BYTES = 192,
    WORKERS_PER_SEGMENT = 8, /* beside limits.retries: that many dead workers are no coincidence */
};

/* The count of a cause that may be the trial's own fault or may pass, NULL for any other. Each
 * cause has its own: a trial that crashes every time has `crashed` as its outcome, whoever kills it
 * now and then in between. */
static int64_t *count_of(Failures *failures, Outcome outcome) {
    switch (outcome) {
    case OUTCOME_KILLED:
        return &failures->killed;
    case OUTCOME_CRASHED:
        return &failures->crashed;
    case OUTCOME_TIMEOUT:
        return &failures->timeout;
    case OUTCOME_NONE:
    case OUTCOME_DONE:
    case OUTCOME_DIVERGED:
    case OUTCOME_OUT_OF_MEMORY:
    case OUTCOME_PROTOCOL:
    case OUTCOME_NO_OBJECTIVE:
    case OUTCOME_LOST:
    case OUTCOME_PREEMPTED:
    case OUTCOME_CANCELLED:
        return NULL;
    }
    return NULL;
}

/* ---- segments -----------------------------------------------------------------------------------
 */

/* While the study stops, whoever sent the signal may have sent it to the trainers too. */
static bool is_tried_again(const Coordinator *c, const Work *work, Outcome outcome) {
    if (outcome == OUTCOME_CANCELLED || outcome == OUTCOME_LOST) {
        return true;
    }
    Failures       failures = work->failures;
    const int64_t *count = count_of(&failures, outcome);
    return count != NULL && (c->stopping || *count < c->study->limits.retries);
}

/* only what may be the trial's own fault counts against limits.retries */
static Status queue_again(Coordinator *c, const Work *work, Outcome outcome) {
    Work     next = *work;
    int64_t *count = count_of(&next.failures, outcome);
    if (count != NULL && !c->stopping) {
        ++*count;
    }
    return coordinator__queue(c, &next);
}

/* A command that is misspelt or cannot even start is no result of any trial: the whole budget would
 * be spent on it. What was decided stays queued. */
static Status refuse_dead_trainer(Coordinator *c, const Work *work, Outcome outcome,
                                  const char *reason) {
    TRY(results_attempt_fail(c->results, work->id, work->attempt, outcome, reason, true));
    TRY(results_commit(c->results)); /* a failure rolls back what is open */
    c->open = false;
    FAIL(STATUS_ERR_STATE,
         "no trainer has ever said hello, so nothing was trained: %s. Mend what it needs and run "
         "the same command again; if trainer.command itself is wrong, remove '%s' first",
         reason, c->folder->path);
}

void coordinator__count(Coordinator *c, const ResultsSegment *row, bool finished) {
    c->tally.finished += finished ? 1 : 0;
    c->tally.failed += finished ? 0 : 1;
    c->tally.units[row->decision < 0] += row->end - row->begin;
}

static Status push_failure(Coordinator *c, int64_t segment, Outcome outcome) {
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(c->results, NULL, segment, &row));
    coordinator__count(c, &row, false);
    Outstanding event = {.kind = EVENT_FINISHED, .id = segment, .outcome = outcome};
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        event.objectives[i] = (double)NAN;
        event.spreads[i] = (double)NAN;
    }
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        event.constraints[i] = (double)NAN;
    }
    TRY(coordinator__note_cost(c, segment, &event));
    return coordinator__push_event(c, &event);
}

/* what a user stopped is not tried again */
static Status judge_failure(Coordinator *c, const Work *work, Outcome *outcome, bool *again) {
    bool stopped = false;
    *again = is_tried_again(c, work, *outcome);
    TRY(coordinator__is_stopped(c, work->id, &stopped));
    if (stopped && *again) {
        *again = false;
        *outcome = OUTCOME_CANCELLED;
    }
    return STATUS_OK;
}

static Status fail_segment(Coordinator *c, const Work *work, Outcome outcome, const char *reason) {
    bool again = false;
    TRY(judge_failure(c, work, &outcome, &again));
    if (!again && outcome != OUTCOME_CANCELLED && !c->trainer_heard && c->best_segment == 0) {
        return refuse_dead_trainer(c, work, outcome, reason);
    }
    TRY(results_attempt_fail(c->results, work->id, work->attempt, outcome, reason, again));
    if (outcome != OUTCOME_CANCELLED) {
        coordinator__log(c, "warning", "segment %" PRId64 ", attempt %" PRId64 ": %s (%s)%s",
                         work->id, work->attempt, outcome_name(outcome), reason,
                         again ? ", trying again" : "");
    }
    if (again) {
        return queue_again(c, work, outcome);
    }
    return push_failure(c, work->id, outcome);
}

Status coordinator__fail_segment(Coordinator *c, int64_t segment, int64_t attempt, Outcome outcome,
                                 const char *reason) {
    TRY(results_attempt_fail(c->results, segment, attempt, outcome, reason, false));
    return push_failure(c, segment, outcome);
}

/* The row stops naming it, unless another order found it so before and it was made again since, by
 * another attempt. The file stays to the end of the run: others may be reading it. */
static Status forget_damaged(Coordinator *c, int64_t segment, int64_t attempt) {
    ResultsSegment row = {.point = NULL};
    c->left_damaged = true;
    TRY(results_segment_read(c->results, NULL, segment, &row));
    if (row.attempt != attempt) {
        return STATUS_OK;
    }
    coordinator__forget(c, segment);
    return results_checkpoint_set(c->results, segment, 0, 0, 0);
}

/* the checkpoint that an order was to start from is gone or damaged: the order goes back, and the
 * checkpoint is computed again before it is sent out (coordinator_send.c) */
static Status take_damaged(Coordinator *c, const Slot *slot, const News *news) {
    const Work *work = &slot->work;
    coordinator__log(c, "warning", "segment %" PRId64 ": %s; it is computed again", work->id,
                     news->text);
    if (work->kind == WORK_SEGMENT) {
        TRY(results_attempt_fail(c->results, work->id, work->attempt, OUTCOME_CANCELLED, news->text,
                                 true));
    } else if (work->kind == WORK_EVALUATION) {
        TRY(results_evaluation_finish(c->results, work->id, work->attempt, OUTCOME_CANCELLED,
                                      news->text, NULL, true));
    }
    Work next = *work;
    if (work->partial) {
        /* the yielded part is lost: start the segment over from its parent */
        ResultsSegment row = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, work->id, &row));
        TRY(coordinator__doom(c, work->id, row.partial_attempt));
        TRY(results_attempt_yield(c->results, work->id, work->attempt, 0, 0, 0));
        next.partial = false;
        next.needs = row.parent;
    } else {
        TRY(forget_damaged(c, work->needs, slot->needs_attempt));
    }
    return coordinator__queue(c, &next);
}

static Status yield_segment(Coordinator *c, const Work *work, const News *news) {
    if (!news->checkpoint_kept) {
        return fail_segment(c, work, OUTCOME_CANCELLED, "stopped without a checkpoint");
    }
    TRY(results_attempt_yield(c->results, work->id, work->attempt, news->end,
                              news->checkpoint_bytes, news->checkpoint_checksum));
    Work next = *work;
    next.partial = true;
    next.needs = 0;
    return coordinator__queue(c, &next);
}

/* as report_best() ranks: what keeps the constraints first, then the first objective */
static Status note_best(Coordinator *c, const Outstanding *event) {
    bool diverged = false;
    if (c->phase != PHASE_TUNE) {
        return STATUS_OK;
    }
    if (c->study->repeats > 1) {
        return coordinator__restore_best(c); /* the best mean over chains, not the luckiest chain */
    }
    TRY(report_is_diverged(c->results, event->id, &diverged));
    if (diverged) {
        return STATUS_OK;
    }
    const bool   feasible = coordinator__feasible(c, event->constraints);
    const double value = event->objectives[0];
    const bool   larger =
        c->study->objectives[0].maximize ? value > c->best_objective : value < c->best_objective;
    if (c->best_segment == 0 || (feasible && !c->best_feasible) ||
        (feasible == c->best_feasible && larger)) {
        c->best_segment = event->id;
        c->best_objective = value;
        c->best_feasible = feasible;
    }
    return STATUS_OK;
}

Status coordinator__finish_segment(Coordinator *c, const Work *work, const News *news) {
    ResultsSegment row = {.point = NULL};
    Outstanding    event = {.kind = EVENT_FINISHED, .id = work->id, .outcome = OUTCOME_DONE};
    char           why[WHY_BYTES];
    TRY(coordinator__measure(c, work->id, &event, why, sizeof why));
    if (event.outcome != OUTCOME_DONE) {
        return fail_segment(c, work, event.outcome, why);
    }
    TRY(results_segment_read(c->results, NULL, work->id, &row));
    TRY(results_segment_finish(c->results, work->id, work->attempt, event.objectives, event.spreads,
                               event.constraints,
                               news->checkpoint_kept ? news->checkpoint_bytes : 0,
                               news->checkpoint_checksum, news->busy_seconds));
    TRY(coordinator__note_cost(c, work->id, &event));
    if (row.partial_attempt > 0) {
        TRY(coordinator__doom(c, work->id, row.partial_attempt));
    }
    if (news->checkpoint_kept) {
        const Kept kept = {.id = work->id,
                           .trial = row.trial,
                           .attempt = work->attempt,
                           .bytes = news->checkpoint_bytes,
                           .objective = event.objectives[0],
                           .pinned = row.pinned};
        TRY(coordinator__keep(c, &kept));
    } else if (row.end < c->study->budget.per_trial && !c->study->manual) {
        (void)snprintf(c->reason, sizeof c->reason,
                       "the trainer writes no checkpoints, so its trials cannot be cut into "
                       "segments: set budget.segment to budget.per_trial and use a scheduler that "
                       "does not branch");
        c->failed = true;
        c->decided_all = true;
    }
    TRY(coordinator__set_leaf(c, row.trial, work->id, row.end));
    coordinator__count(c, &row, true);
    TRY(note_best(c, &event));
    c->collect = true;
    return coordinator__push_event(c, &event);
}

static Status finish_recompute(Coordinator *c, const Work *work, const News *news) {
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(c->results, NULL, work->id, &row));
    if (news->outcome != OUTCOME_DONE || !news->checkpoint_kept) {
        if (news->outcome == OUTCOME_DONE || !is_tried_again(c, work, news->outcome)) {
            FAIL(STATUS_ERR_CORRUPT,
                 "the checkpoint of segment %" PRId64 " is gone and cannot be computed again: %s",
                 work->id, (news->text == NULL) ? outcome_name(news->outcome) : news->text);
        }
        return queue_again(c, work, news->outcome);
    }
    if (row.checkpoint_checksum != news->checkpoint_checksum && row.checkpoint_bytes > 0) {
        coordinator__log(c, "warning",
                         "the checkpoint of segment %" PRId64
                         " differs from the one that was lost: "
                         "its trainer is not deterministic",
                         work->id);
    }
    TRY(results_checkpoint_set(c->results, work->id, work->attempt, news->checkpoint_bytes,
                               news->checkpoint_checksum));
    const Kept kept = {.id = work->id,
                       .trial = row.trial,
                       .attempt = work->attempt,
                       .bytes = news->checkpoint_bytes,
                       .objective = row.objective[0],
                       .pinned = row.pinned};
    c->collect = true; /* what it started from may go */
    return coordinator__keep(c, &kept);
}

static Status finish_evaluation(Coordinator *c, const Work *work, const News *news) {
    double objectives[SCHEDULER_MAX_OBJECTIVES] = {0.0};
    for (size_t i = 0; i < c->study->objective_count; i++) {
        size_t count = 0;
        TRY(results_metric_mean(c->results, true, work->id, c->study->objectives[i].metric,
                                &objectives[i], &count));
    }
    const bool retry = is_tried_again(c, work, news->outcome);
    TRY(results_evaluation_finish(c->results, work->id, work->attempt, news->outcome, news->text,
                                  objectives, retry));
    if (retry) {
        return queue_again(c, work, news->outcome);
    }
    if (news->outcome == OUTCOME_DONE) {
        coordinator__log(c, "info", "evaluation of segment %" PRId64 ": mean %s %.6g", work->needs,
                         c->study->objectives[0].metric, objectives[0]);
    } else {
        coordinator__log(c, "warning", "evaluation of segment %" PRId64 ": %s (%s)", work->needs,
                         outcome_name(news->outcome), (news->text == NULL) ? "" : news->text);
        if (c->setup->evaluate_episodes > 0) {
            c->failed = true;
            (void)snprintf(c->reason, sizeof c->reason, "the evaluation failed: %s",
                           outcome_name(news->outcome));
        }
    }
    Outstanding event = {
        .kind = EVENT_EVALUATED, .id = work->id, .outcome = news->outcome, .cost = (double)NAN};
    memcpy(event.objectives, objectives, sizeof event.objectives);
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        event.spreads[i] = (double)NAN;
    }
    return coordinator__push_event(c, &event);
}

static Status take_finished(Coordinator *c, const News *news) {
    Slot *slot = &c->slots[news->slot];
    if (!slot->busy || slot->work.id != news->id || slot->work.attempt != news->attempt ||
        (slot->work.kind == WORK_EVALUATION) != news->evaluate) {
        return STATUS_OK; /* of an order that was given up */
    }
    Work work = slot->work;
    work.losses += (news->outcome == OUTCOME_LOST && !news->damaged) ? 1 : 0;
    coordinator__note_order_over(c, slot, news->outcome);
    slot->busy = false;
    slot->yielding = false;
    slot->cancelled = false;
    slot->holds = (news->holds && !news->evaluate) ? news->id : 0;
    c->busy_seconds += news->busy_seconds;
    c->urgent = true;
    TRY(coordinator__begin(c));
    if (!news->deterministic && news->outcome == OUTCOME_DONE && !c->irreproducible_told) {
        c->irreproducible_told = true;
        TRY(results_irreproducible_set(c->results,
                                       "the trainer says that it is not deterministic"));
    }
    if (news->no_space) {
        /* nobody's fault: the row stays as it is, and the next run of the same command starts it
         * again */
        FAIL(STATUS_ERR_INTERRUPTED, "%s", news->text);
    }
    if (work.losses > c->study->limits.retries) {
        /* neither the trial's fault nor one that passes by itself */
        FAIL(STATUS_ERR_INTERRUPTED, "lost %" PRId64 " times in a row on %s: %s", work.losses,
             slot->host, news->text);
    }
    if (news->damaged) {
        return take_damaged(c, slot, news);
    }
    if (work.kind == WORK_RECOMPUTE) {
        return finish_recompute(c, &work, news);
    }
    if (work.kind == WORK_EVALUATION) {
        return finish_evaluation(c, &work, news);
    }
    if (news->outcome == OUTCOME_DONE) {
        return coordinator__finish_segment(c, &work, news);
    }
    if (news->outcome == OUTCOME_PREEMPTED) {
        return yield_segment(c, &work, news);
    }
    return fail_segment(c, &work, news->outcome, (news->text == NULL) ? "" : news->text);
}

/* ---- workers ------------------------------------------------------------------------------------
 */

/* an external trainer computes with libraries of its own */
static Status check_numerics(Coordinator *c, const News *news) {
    if (c->study->agent == NULL) {
        return STATUS_OK;
    }
    Buffer recorded;
    Buffer offered;
    buffer_init(&recorded, 4096);
    buffer_init(&offered, 4096);
    bool   agrees = false;
    Status status = results_study_text(c->results, "numerics", &recorded);
    if (status == STATUS_OK) {
        status = study_numerics_agree(c->study, news->numerics, buffer_text(&recorded), &offered,
                                      &agrees);
    }
    if (status == STATUS_OK && !agrees) {
        status =
            FAILURE(STATUS_ERR_STATE,
                    "worker %d on %s computes with '%s', but this study was started with '%s'; "
                    "results would differ",
                    news->worker, news->host, buffer_text(&offered), buffer_text(&recorded));
    }
    buffer_reset(&recorded);
    buffer_reset(&offered);
    return status;
}

/* refused with a sentence here, not by a trainer that fails in a way of its own */
static Status check_host(const Coordinator *c, const News *news) {
    char            name[WHY_BYTES];
    const HostOffer offer = {
        .name = name, .cores = news->cores, .gpus = news->gpus, .gpus_wanted = news->gpus_wanted};
    (void)snprintf(name, sizeof name, "worker %d on %.128s", news->worker, news->host);
    return host_fit(&c->study->resources, &offer);
}

/* one line per worker, and a warning per host */
static void log_worker(Coordinator *c, const News *news) {
    const double gibibyte = 1024.0 * 1024.0 * 1024.0;
    const double memory = c->study->resources.memory;
    coordinator__log(c, "info",
                     "worker %d on %s: %" PRId64 " core%s, %.4g GiB, %" PRId64 " GPU%s, %zu slot%s",
                     news->worker, news->host, news->cores, news->cores == 1 ? "" : "s",
                     news->memory_bytes / gibibyte, news->gpus, news->gpus == 1 ? "" : "s",
                     news->slot_count, news->slot_count == 1 ? "" : "s");
    if (news->host_worker == news->worker &&
        (double)news->host_slots * memory > news->memory_bytes) {
        coordinator__log(c, "warning",
                         "%" PRId64 " slots on %s may use %.4g GiB (resources.memory is %.4g GiB "
                         "each), and it has %.4g GiB: with fewer slots no trainer is killed there "
                         "for another one's memory",
                         news->host_slots, news->host, (double)news->host_slots * memory / gibibyte,
                         memory / gibibyte, news->memory_bytes / gibibyte);
    }
}

static Status take_worker(Coordinator *c, const News *news) {
    TRY(check_numerics(c, news));
    TRY(check_host(c, news));
    log_worker(c, news);
    const size_t needed = news->first_slot + news->slot_count;
    if (needed > c->slot_count) {
        Slot *slots = realloc(c->slots, needed * sizeof *slots);
        if (slots == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu slots", needed);
        }
        memset(slots + c->slot_count, 0, (needed - c->slot_count) * sizeof *slots);
        c->slots = slots;
        c->slot_count = needed;
    }
    for (size_t i = 0; i < news->slot_count; i++) {
        Slot *slot = &c->slots[news->first_slot + i];
        *slot = (Slot){.usable = true, .worker = news->worker};
        (void)snprintf(slot->host, sizeof slot->host, "%s", news->host);
    }
    return STATUS_OK;
}

static const char fell_silent[] = "its worker fell silent";

/* Nobody's fault, unless it happens to the same segment again and again: one that takes its worker
 * along (the kernel kills what takes too much memory) must not end the study. */
static Status takes_workers_along(Coordinator *c, const Work *work, bool *does) {
    int64_t lost = 0;
    /* not those that were in flight when a run ended */
    TRY(results_attempts_lost(c->results, work->id, fell_silent, &lost));
    *does = lost >= c->study->limits.retries + WORKERS_PER_SEGMENT;
    return STATUS_OK;
}

/* the slot of a lost worker: what it had goes to another one */
static Status lose_slot(Coordinator *c, Slot *slot) {
    const Work work = slot->work;
    slot->usable = false;
    if (!slot->busy) {
        return STATUS_OK;
    }
    slot->busy = false;
    TRY(coordinator__begin(c));
    c->urgent = true;
    if (work.kind == WORK_SEGMENT) {
        bool does = false;
        TRY(takes_workers_along(c, &work, &does));
        if (does) {
            coordinator__log(c, "warning",
                             "segment %" PRId64 " has lost one worker after the "
                             "other: it has failed",
                             work.id);
            return coordinator__fail_segment(c, work.id, work.attempt, OUTCOME_LOST, fell_silent);
        }
        return fail_segment(c, &work, OUTCOME_LOST, fell_silent);
    }
    if (work.kind == WORK_EVALUATION) {
        TRY(results_evaluation_finish(c->results, work.id, work.attempt, OUTCOME_LOST, fell_silent,
                                      NULL, true));
    }
    return coordinator__queue(c, &work);
}

static Status take_lost(Coordinator *c, const News *news) {
    coordinator__log(c, "warning",
                     "worker %d is given up (%s): the others do its work; it comes back when the "
                     "study is started again",
                     news->worker, (news->text == NULL) ? "" : news->text);
    for (size_t i = 0; i < c->slot_count; i++) {
        if (!c->slots[i].usable || c->slots[i].worker != news->worker) {
            continue;
        }
        TRY(lose_slot(c, &c->slots[i]));
    }
    return STATUS_OK;
}

static Status take_metric(Coordinator *c, const News *news) {
    Slot *slot = &c->slots[news->slot];
    if (!slot->busy || slot->work.id != news->id || slot->work.attempt != news->attempt) {
        return STATUS_OK; /* late */
    }
    coordinator__note_step(c, slot, news->step);
    if (slot->work.kind == WORK_RECOMPUTE) {
        return STATUS_OK; /* known since the first time */
    }
    TRY(coordinator__begin(c));
    return results_metric_insert(c->results, news->evaluate, news->id, news->step, news->index,
                                 news->name, news->value);
}

Status coordinator__take(Coordinator *c, const News *news) {
    switch (news->kind) {
    case NEWS_WORKER:
        return take_worker(c, news);
    case NEWS_STARTED:
        c->trainer_heard = true;
        return STATUS_OK;
    case NEWS_METRIC:
        return take_metric(c, news);
    case NEWS_FINISHED:
        return take_finished(c, news);
    case NEWS_LOG:
        coordinator__log(c, news->level, "%s", news->text);
        return STATUS_OK;
    case NEWS_LOST:
        return take_lost(c, news);
    }
    return STATUS_OK;
}
