/* The wrapper around every scheduler: it numbers decisions, owns the memory of a decision, and
 * holds the log to its rules. Decisions are checked twice, when they are made and when they come
 * back, so that neither a faulty scheduler nor a damaged log gets further than a sentence. */
#include "schedulers/scheduler.h"

#include "schedulers/decided_segments.h"
#include "schedulers/scheduler_internal.h"
#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Scheduler {
    const SchedulerOps *ops;
    SchedulerSetup      setup;
    void               *self;
    DecidedSegments     segments; /* what the rules are checked against */
    int64_t             first_trial;
    int64_t             next_segment;
    int64_t             decisions;
    bool               *evaluated; /* (evaluations) by evaluation id - 1 */
    size_t              evaluations;
    size_t              evaluation_capacity;
    size_t              evaluations_open;
    double             *point; /* (space_count) of the last decision */
    unsigned char      *memo;  /* SCHEDULER_MEMO_BYTES of the last decision */
};

/* ---- making one ---------------------------------------------------------------------------- */

Status scheduler__check_setup(const SchedulerSetup *setup) {
    if (setup->space == NULL) {
        FAIL(STATUS_ERR_ARG, "a scheduler needs a search space");
    }
    if (setup->segment < 1 || setup->per_trial < setup->segment || setup->total < 1) {
        FAIL(STATUS_ERR_ARG,
             "budget: segment %" PRId64 ", per_trial %" PRId64 ", total %" PRId64
             "; expected 1 <= segment <= per_trial and total >= 1",
             setup->segment, setup->per_trial, setup->total);
    }
    if (setup->trials < 0 || setup->repeats < 1) {
        FAIL(STATUS_ERR_ARG,
             "trials %" PRId64 ", repeats %" PRId64 "; expected trials >= 0 and repeats >= 1",
             setup->trials, setup->repeats);
    }
    if (setup->objective_count < 1 || setup->objective_count > SCHEDULER_MAX_OBJECTIVES ||
        setup->constraint_count > SCHEDULER_MAX_CONSTRAINTS) {
        FAIL(STATUS_ERR_ARG, "%zu objectives, %zu constraints; expected 1 to %d, and at most %d",
             setup->objective_count, setup->constraint_count, SCHEDULER_MAX_OBJECTIVES,
             SCHEDULER_MAX_CONSTRAINTS);
    }
    return STATUS_OK;
}

static Status check_fits(const SchedulerOps *ops, const SchedulerSetup *setup) {
    if (ops->branches && !setup->can_branch) {
        FAIL(STATUS_ERR_ARG, "scheduler '%s' branches, but the trainer writes no checkpoints",
             ops->name);
    }
    if (ops->population && (setup->trials != 0 || setup->repeats != 1)) {
        FAIL(STATUS_ERR_ARG,
             "scheduler '%s' has a population: 'trials' and 'repeats' are for samplers", ops->name);
    }
    return STATUS_OK;
}

static Status check_options(const SchedulerOps *ops, const double *values) {
    for (size_t i = 0; ops->options[i].name != NULL; i++) {
        const bool derived = isnan(values[i]) && isnan(ops->options[i].default_value);
        if (!derived && option_check(&ops->options[i], values[i]) != STATUS_OK) {
            return status_prefix("scheduler '%s'", ops->name);
        }
    }
    return STATUS_OK;
}

Status scheduler__wrap(const SchedulerOps *ops, const SchedulerSetup *setup, SchedulerFirst first,
                       void *self, Scheduler **out) {
    *out = NULL;
    Scheduler *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->point = calloc(space_count(setup->space) + 1, sizeof *made->point);
        made->memo = malloc(SCHEDULER_MEMO_BYTES);
    }
    if (made == NULL || made->point == NULL || made->memo == NULL) {
        scheduler_destroy(made);
        FAIL(STATUS_ERR_NOMEM, "no memory for scheduler '%s'", ops->name);
    }
    made->ops = ops;
    made->setup = *setup;
    made->self = self;
    made->next_segment = first.segment;
    made->first_trial = first.trial;
    decided_segments_init(&made->segments, first.segment);
    *out = made;
    return STATUS_OK;
}

Status scheduler_create(const SchedulerOps *ops, const SchedulerSetup *setup,
                        const double *option_values, Scheduler **out) {
    *out = NULL;
    TRY(scheduler__check_setup(setup));
    TRY(check_fits(ops, setup));
    TRY(check_options(ops, option_values));
    void *self = NULL;
    TRY(ops->create(setup, option_values, &self));
    const Status status = scheduler__wrap(ops, setup, (SchedulerFirst){.segment = 1}, self, out);
    if (status != STATUS_OK) {
        ops->destroy(self);
    }
    return status;
}

Status scheduler__draw(const SchedulerSetup *setup, int64_t configuration, double *point) {
    Rng rng = scheduler_rng(setup, configuration, LANE_SAMPLE);
    return space_sample(setup->space, &rng, point);
}

SchedulerUses scheduler_uses(const SchedulerOps *ops, const double *option_values) {
    const SchedulerUses nothing = {.objectives = 0, .no_model = true};
    return (ops->uses == NULL) ? nothing : ops->uses(option_values);
}

SchedulerUses scheduler_uses_first(const double *option_values) {
    (void)option_values;
    return (SchedulerUses){.objectives = 1};
}

void scheduler_destroy(Scheduler *scheduler) {
    if (scheduler == NULL) {
        return;
    }
    if (scheduler->ops != NULL) {
        scheduler->ops->destroy(scheduler->self);
    }
    decided_segments_reset(&scheduler->segments);
    free(scheduler->evaluated);
    free(scheduler->point);
    free(scheduler->memo);
    free(scheduler);
}

const SchedulerSetup *scheduler_setup(const Scheduler *scheduler) {
    return &scheduler->setup;
}

SchedulerOrder scheduler_order(const Scheduler *scheduler) {
    return scheduler->ops->order(scheduler->self);
}

int64_t scheduler_decisions(const Scheduler *scheduler) {
    return scheduler->decisions;
}

Keeps scheduler_keeps(const Scheduler *scheduler, int64_t segment) {
    const DecidedSegment *row = decided_segments_at(&scheduler->segments, segment);
    if (row == NULL || row->state != DECIDED_FINISHED) {
        return KEEPS_NEVER;
    }
    return scheduler->ops->keeps(scheduler->self, segment);
}

size_t scheduler_known_depths(const Scheduler *scheduler, int64_t *depths, size_t capacity) {
    const SchedulerOps *ops = scheduler->ops;
    return (ops->known_depths == NULL) ? 0 : ops->known_depths(scheduler->self, depths, capacity);
}

/* ---- the rules of the log ------------------------------------------------------------------ */

/* "decision 12 of 'pbt'" stands before every sentence about a decision that breaks a rule */
#define BROKEN(scheduler, decision, format, ...)                                        \
    FAIL(STATUS_ERR_STATE, "decision %" PRId64 " of '%s': " format, (decision)->number, \
         (scheduler)->ops->name, __VA_ARGS__)

static Status check_parent(const Scheduler *s, const Decision *d, const DecidedSegment **out) {
    *out = decided_segments_at(&s->segments, d->parent);
    if (*out == NULL) {
        BROKEN(s, d, "segment %" PRId64 " is not known", d->parent);
    }
    if ((*out)->state != DECIDED_FINISHED) {
        BROKEN(s, d, "segment %" PRId64 " %s", d->parent,
               ((*out)->state == DECIDED_OPEN) ? "has not finished yet" : "failed");
    }
    return STATUS_OK;
}

static Status check_place(const Scheduler *s, const Decision *d) {
    int64_t parent_end = 0;
    if (d->parent != 0) {
        const DecidedSegment *parent = NULL;
        TRY(check_parent(s, d, &parent));
        parent_end = parent->end;
        if (!s->setup.can_branch) {
            BROKEN(s, d, "segment %" PRId64 " cannot be continued: the trainer has no checkpoints",
                   d->parent);
        }
    }
    if (d->begin != parent_end) {
        BROKEN(s, d, "begins at %" PRId64 ", but its parent ends at %" PRId64, d->begin,
               parent_end);
    }
    if (d->end <= d->begin || d->end > s->setup.per_trial) {
        BROKEN(s, d, "ends at %" PRId64 "; expected more than %" PRId64 " and at most %" PRId64,
               d->end, d->begin, s->setup.per_trial);
    }
    if (d->end - d->begin > s->setup.total - s->segments.units) {
        BROKEN(s, d, "takes %" PRId64 " units, but %" PRId64 " of %" PRId64 " are used",
               d->end - d->begin, s->segments.units, s->setup.total);
    }
    return STATUS_OK;
}

static Status check_values(const Scheduler *s, const Decision *d) {
    if (d->point == NULL) {
        BROKEN(s, d, "%s", "has no values");
    }
    if (space_check(s->setup.space, d->point) != STATUS_OK) {
        char why[STATUS_TEXT_SIZE / 2];
        (void)snprintf(why, sizeof why, "%.200s", status_last()->text);
        BROKEN(s, d, "%s", why);
    }
    const DecidedSegment *parent = decided_segments_at(&s->segments, d->parent);
    if (parent != NULL && parent->fixed_values != decided_fixed_values(s->setup.space, d->point)) {
        BROKEN(s, d, "changes a value of segment %" PRId64 " that is not dynamic", d->parent);
    }
    return STATUS_OK;
}

static Status check_run(const Scheduler *s, const Decision *d) {
    if (d->id != s->next_segment) {
        BROKEN(s, d, "segment %" PRId64 " where %" PRId64 " comes next", d->id, s->next_segment);
    }
    if (d->trial < s->first_trial || d->trial - s->first_trial >= SEGMENT_TREE_MAX_TRIALS) {
        BROKEN(s, d, "trial %" PRId64 " is not one of %" PRId64 " to %" PRId64, d->trial,
               s->first_trial, s->first_trial + SEGMENT_TREE_MAX_TRIALS - 1);
    }
    TRY(check_place(s, d));
    return check_values(s, d);
}

static Status check_evaluate(const Scheduler *s, const Decision *d) {
    const DecidedSegment *parent = NULL;
    if (d->id != (int64_t)s->evaluations + 1) {
        BROKEN(s, d, "evaluation %" PRId64 " where %zu comes next", d->id, s->evaluations + 1);
    }
    TRY(check_parent(s, d, &parent));
    if (d->episodes < 1) {
        BROKEN(s, d, "evaluates %" PRId64 " episodes; expected at least 1", d->episodes);
    }
    return STATUS_OK;
}

static Status check_decision(const Scheduler *s, const Decision *d) {
    if (d->number != s->decisions) {
        FAIL(STATUS_ERR_STATE, "decision %" PRId64 " of '%s' where %" PRId64 " comes next",
             d->number, s->ops->name, s->decisions);
    }
    if (memchr(d->reason, 0, sizeof d->reason) == NULL ||
        memchr(d->note, 0, sizeof d->note) == NULL) {
        BROKEN(s, d, "%s", "its reason or note does not end");
    }
    if (d->memo_size > SCHEDULER_MEMO_BYTES || (d->memo_size > 0 && d->memo == NULL)) {
        BROKEN(s, d, "its memo of %zu bytes is missing or above %d", d->memo_size,
               SCHEDULER_MEMO_BYTES);
    }
    switch (d->kind) {
    case DECISION_RUN:
        return check_run(s, d);
    case DECISION_EVALUATE:
        return check_evaluate(s, d);
    case DECISION_DONE:
        return STATUS_OK;
    case DECISION_WAIT:
        break;
    }
    BROKEN(s, d, "%s", "is to wait, which is not committed");
}

/* ---- deciding ------------------------------------------------------------------------------ */

void scheduler__wait(Decision *decision) {
    decision->kind = DECISION_WAIT;
}

void scheduler__done(Decision *decision, bool failed, const char *format, ...) {
    va_list arguments;
    decision->kind = DECISION_DONE;
    decision->failed = failed;
    va_start(arguments, format);
    (void)vsnprintf(decision->reason, sizeof decision->reason, format, arguments);
    va_end(arguments);
}

void scheduler__out_of_budget(Decision *decision, bool failed, int64_t total, size_t open) {
    if (open > 0) {
        scheduler__wait(decision);
        return;
    }
    scheduler__done(decision, failed, "budget of %" PRId64 " units used%s", total,
                    failed ? ", nothing finished" : "");
}

Status scheduler_decide(Scheduler *scheduler, Decision *decision) {
    const size_t count = space_count(scheduler->setup.space);
    for (size_t i = 0; i < count; i++) {
        scheduler->point[i] = (double)NAN;
    }
    Decision next = {.kind = DECISION_WAIT,
                     .number = scheduler->decisions,
                     .point = scheduler->point,
                     .memo = scheduler->memo};
    TRY(scheduler->ops->decide(scheduler->self, scheduler->decisions, &next));
    next.number = scheduler->decisions;
    next.id = (next.kind == DECISION_RUN)        ? scheduler->next_segment
              : (next.kind == DECISION_EVALUATE) ? (int64_t)scheduler->evaluations + 1
                                                 : 0;
    if (next.kind != DECISION_WAIT) {
        TRY(check_decision(scheduler, &next));
    } else if (scheduler->segments.open == 0 && scheduler->evaluations_open == 0) {
        BROKEN(scheduler, &next, "%s", "would wait for ever: nothing is outstanding");
    }
    *decision = next;
    return STATUS_OK;
}

/* ---- observing ----------------------------------------------------------------------------- */

static Status reserve_evaluation(Scheduler *s) {
    if (s->evaluations < s->evaluation_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = (s->evaluation_capacity == 0) ? 16 : 2 * s->evaluation_capacity;
    bool        *evaluated = realloc(s->evaluated, capacity * sizeof *evaluated);
    if (evaluated == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the record of %zu evaluations", capacity);
    }
    s->evaluated = evaluated;
    s->evaluation_capacity = capacity;
    return STATUS_OK;
}

static Status check_numbers(const Scheduler *s, const Event *event) {
    if (event->outcome == OUTCOME_NONE) {
        FAIL(STATUS_ERR_STATE, "segment or evaluation %" PRId64 " ended without an outcome",
             event->id);
    }
    if (event->outcome == OUTCOME_DONE && event->objectives == NULL) {
        FAIL(STATUS_ERR_STATE, "segment or evaluation %" PRId64 " is done without objectives",
             event->id);
    }
    if (event->kind == EVENT_FINISHED && event->outcome == OUTCOME_DONE &&
        s->setup.constraint_count > 0 && event->constraints == NULL) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " is done without constraints", event->id);
    }
    return STATUS_OK;
}

static Status check_finished(const Scheduler *s, const Event *event) {
    const DecidedSegment *row = decided_segments_at(&s->segments, event->id);
    if (row == NULL) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " finished but was never decided", event->id);
    }
    if (row->state != DECIDED_OPEN) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " finished twice", event->id);
    }
    if (s->ops->order(s->self) == SCHEDULER_ORDER_BARRIER && event->id != s->segments.oldest_open) {
        FAIL(STATUS_ERR_STATE,
             "segment %" PRId64 " came before %" PRId64
             ", but '%s' takes results in the order of segments",
             event->id, s->segments.oldest_open, s->ops->name);
    }
    return check_numbers(s, event);
}

static Status check_evaluated(const Scheduler *s, const Event *event) {
    if (event->id < 1 || event->id > (int64_t)s->evaluations) {
        FAIL(STATUS_ERR_STATE, "evaluation %" PRId64 " ended but was never decided", event->id);
    }
    if (s->evaluated[event->id - 1]) {
        FAIL(STATUS_ERR_STATE, "evaluation %" PRId64 " ended twice", event->id);
    }
    return check_numbers(s, event);
}

static Status check_enqueued(const Scheduler *s, const Event *event) {
    if (event->point == NULL) {
        FAIL(STATUS_ERR_STATE, "an enqueued point has no values");
    }
    if (space_check(s->setup.space, event->point) != STATUS_OK) {
        return status_prefix("an enqueued point");
    }
    return STATUS_OK;
}

static Status check_known(const Scheduler *s, const Event *event) {
    if (s->decisions > 0 || scheduler_known_depths(s, NULL, 0) == 0) {
        FAIL(STATUS_ERR_STATE, "'%s' %s", s->ops->name,
             (s->decisions > 0) ? "takes results of earlier studies before its first decision only"
                                : "learns nothing from results of earlier studies");
    }
    if (event->point == NULL || event->objectives == NULL || event->depth < 1 ||
        (s->setup.constraint_count > 0 && event->constraints == NULL)) {
        FAIL(STATUS_ERR_STATE,
             "a result of an earlier study lacks its values, its numbers or its depth");
    }
    for (size_t i = 0; i < s->setup.objective_count; i++) {
        if (!isfinite(event->objectives[i])) {
            FAIL(STATUS_ERR_STATE,
                 "an objective of an earlier study is %g; expected a finite number",
                 event->objectives[i]);
        }
    }
    if (space_check(s->setup.space, event->point) != STATUS_OK) {
        return status_prefix("a result of an earlier study");
    }
    return STATUS_OK;
}

/* whether the event can happen now; makes room, so that recording it cannot fail */
static Status prepare(Scheduler *s, const Event *event) {
    switch (event->kind) {
    case EVENT_DECIDED:
        if (event->decision == NULL) {
            FAIL(STATUS_ERR_ARG, "a decided event needs its decision");
        }
        TRY(check_decision(s, event->decision));
        TRY(reserve_evaluation(s));
        return decided_segments_reserve(&s->segments);
    case EVENT_FINISHED:
        return check_finished(s, event);
    case EVENT_EVALUATED:
        return check_evaluated(s, event);
    case EVENT_ENQUEUED:
        return check_enqueued(s, event);
    case EVENT_BUDGET_CHANGED:
        if (event->total < 1) {
            FAIL(STATUS_ERR_ARG, "a total of %" PRId64 " units; expected at least 1", event->total);
        }
        if (event->trials < 0 || (event->trials > 0 && s->ops->population)) {
            FAIL(STATUS_ERR_ARG,
                 "%" PRId64 " trials; expected at least 0, and 0 beside a population",
                 event->trials);
        }
        return STATUS_OK;
    case EVENT_KNOWN:
        return check_known(s, event);
    }
    FAIL(STATUS_ERR_ARG, "there is no event of kind %d", (int)event->kind);
}

static void record_decided(Scheduler *s, const Decision *decision) {
    s->decisions++;
    if (decision->kind == DECISION_RUN) {
        decided_segments_append(&s->segments, s->setup.space, decision);
        s->next_segment++;
    } else if (decision->kind == DECISION_EVALUATE) {
        s->evaluated[s->evaluations++] = false;
        s->evaluations_open++;
    }
}

/* prepare() made room: nothing here can fail */
static void record(Scheduler *s, const Event *event) {
    if (event->kind == EVENT_DECIDED) {
        record_decided(s, event->decision);
    } else if (event->kind == EVENT_FINISHED) {
        decided_segments_close(&s->segments, event->id, event->outcome);
    } else if (event->kind == EVENT_EVALUATED) {
        s->evaluated[event->id - 1] = true;
        s->evaluations_open--;
    } else if (event->kind == EVENT_BUDGET_CHANGED) {
        s->setup.total = event->total;
        s->setup.trials = (event->trials > 0) ? event->trials : s->setup.trials;
    }
}

Status scheduler_observe(Scheduler *scheduler, const Event *event) {
    TRY(prepare(scheduler, event));
    TRY(scheduler->ops->observe(scheduler->self, event));
    record(scheduler, event);
    return STATUS_OK;
}

/* ---- helpers for every scheduler ----------------------------------------------------------- */

Rng scheduler_rng(const SchedulerSetup *setup, int64_t number, uint32_t lane) {
    return rng_stream_lane(setup->seed, (uint64_t)number, RNG_DECIDE, lane);
}

double scheduler_fitness(const SchedulerSetup *setup, const Event *finished) {
    if (finished->outcome != OUTCOME_DONE || finished->objectives == NULL ||
        !isfinite(finished->objectives[0])) {
        return -(double)INFINITY;
    }
    return setup->maximize[0] ? finished->objectives[0] : -finished->objectives[0];
}
