/* What ends tuning but the scheduler's own word: the wall clock, no improvement; and budgets that
 * users change. Total and trials are the scheduler's business, so a change is an event of the log.
 * The study file of a run counts where it says something else than the last run's did: what a user
 * changed since (`mbtune extend`) is not taken back by running the same file again. */
#include "core/clock.h"
#include "results/report.h"
#include "tuner/coordinator_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- ends ----------------------------------------------------------------------------------- */

static Status value_that_counts(Coordinator *c, const Event *event, double *value) {
    bool diverged = false;
    *value = (double)NAN;
    if (event->outcome != OUTCOME_DONE || !coordinator__feasible(c, event->constraints)) {
        return STATUS_OK;
    }
    TRY(report_is_diverged(c->results, event->id, &diverged));
    *value = diverged ? (double)NAN : event->objectives[0];
    return STATUS_OK;
}

Status coordinator__note_event(Coordinator *c, const Event *event) {
    if (event->kind == EVENT_ENQUEUED || event->kind == EVENT_BUDGET_CHANGED) {
        c->decided_all = false; /* there may be more to decide */
        c->failed = false;
        c->clock_ended = false;
        c->waiting = false;
        c->reason[0] = '\0';
        stop_rule_restart(&c->stop_rule);
        return STATUS_OK;
    }
    if (event->kind != EVENT_FINISHED || c->stop_rule.units == 0) {
        return STATUS_OK;
    }
    ResultsSegment row = {.point = NULL};
    double         value = (double)NAN;
    TRY(results_segment_read(c->results, NULL, event->id, &row));
    TRY(value_that_counts(c, event, &value));
    stop_rule_observe(&c->stop_rule, row.end - row.begin, value);
    return STATUS_OK;
}

/* Neither is a decision of the scheduler's: nothing new is decided, what was decided runs to its
 * end. After the clock a run with a larger budget goes on; no improvement is the end of tuning. */
void coordinator__check_end(Coordinator *c) {
    const double limit = c->budget.wall_clock;
    if (c->phase != PHASE_TUNE || c->decided_all) {
        return;
    }
    if (c->stop_rule.stopped) {
        c->decided_all = true;
        stop_rule_reason(&c->stop_rule, c->study->objectives[0].metric, c->study->budget.unit,
                         c->reason, sizeof c->reason);
    } else if (limit > 0.0 && clock_wall() - c->created_at >= limit) {
        c->decided_all = true;
        c->clock_ended = true;
        (void)snprintf(c->reason, sizeof c->reason, "wall-clock budget of %g s used", limit);
    } else {
        return;
    }
    coordinator__log(c, "info", "%s: nothing new is started", c->reason);
}

/* ---- changes -------------------------------------------------------------------------------- */

/* tuning that was confirmed is over: its best were chosen */
Status coordinator__refuse_after_confirmation(Coordinator *c, const char *what) {
    ResultsTrial trial;
    if (c->phase != PHASE_TUNE) {
        FAIL(STATUS_ERR_STATE, "%s: tuning is over, '%s' confirms or evaluates its best now", what,
             c->folder->path);
    }
    if (results_trial_read(c->results, CONFIRM_FIRST, &trial) == STATUS_OK) {
        FAIL(STATUS_ERR_STATE, "%s any more: the best schedules of '%s' were confirmed already",
             what, c->folder->path);
    }
    status_clear();
    return STATUS_OK;
}

Status coordinator__apply_event(Coordinator *c, const Event *event) {
    TRY(coordinator__begin(c));
    c->urgent = true;
    TRY(results_event_append(c->results, event));
    TRY(scheduler_observe(c->scheduler, event));
    return coordinator__note_event(c, event);
}

static Status tell_scheduler(Coordinator *c, const ResultsBudget *to) {
    const SchedulerSetup *setup = scheduler_setup(c->scheduler);
    const bool            total = setup->total != to->total;
    const bool            trials = setup->trials != to->trials;
    if (!total && !trials) {
        return STATUS_OK;
    }
    TRY(coordinator__refuse_after_confirmation(c, total ? "budget.total cannot change"
                                                        : "budget.trials cannot change"));
    const Event event = {.kind = EVENT_BUDGET_CHANGED, .total = to->total, .trials = to->trials};
    TRY(coordinator__apply_event(c, &event));
    coordinator__log(c, "info", "the budget is now %" PRId64 " %ss%s", to->total,
                     c->study->budget.unit, trials ? ", with other trials" : "");
    return STATUS_OK;
}

Status coordinator__set_budget(Coordinator *c, const ResultsBudget *to) {
    TRY(tell_scheduler(c, to));
    TRY(coordinator__begin(c));
    c->urgent = true;
    TRY(results_budget_set(c->results, RESULTS_BUDGET_NOW, to));
    if (to->wall_clock > 0.0) {
        TRY(results_irreproducible_set(c->results, "the budget has a wall_clock limit"));
    }
    if (c->clock_ended && to->wall_clock != c->budget.wall_clock) {
        c->clock_ended = false; /* looked at again with the new limit */
        c->decided_all = false;
    }
    c->budget = *to;
    return STATUS_OK;
}

/* the file in the study folder, which nobody edits: it says what the study began with, no more */
static bool is_frozen_file(const Coordinator *c, const ResultsBudget *says) {
    return strcmp(c->study->path, c->folder->study_file) == 0 && says->total == c->frozen.total &&
           says->trials == c->frozen.trials && says->wall_clock == c->frozen.wall_clock;
}

/* what this run's file says otherwise than the last run's did */
Status coordinator__restore_budget(Coordinator *c) {
    const StudyBudget  *file = &c->study->budget;
    const ResultsBudget says = {
        .total = file->total, .trials = file->trials, .wall_clock = file->wall_clock};
    ResultsBudget said;
    ResultsBudget now;
    TRY(results_budget_read(c->results, RESULTS_BUDGET_SAID, &said));
    TRY(results_budget_read(c->results, RESULTS_BUDGET_NOW, &now));
    c->budget = now;
    if (is_frozen_file(c, &says)) {
        return STATUS_OK;
    }
    now.total = (says.total != said.total) ? says.total : now.total;
    now.trials = (says.trials != said.trials) ? says.trials : now.trials;
    now.wall_clock = (says.wall_clock != said.wall_clock) ? says.wall_clock : now.wall_clock;
    TRY(coordinator__set_budget(c, &now));
    return results_budget_set(c->results, RESULTS_BUDGET_SAID, &says);
}
