/* The event loop. Two things can happen next: the decision that is being thought about is made, or
 * the segment that ends first ends. Both a binary heap of ends and the scheduler's own calls are
 * O(log n), so that a hundred thousand segments on thousands of workers take seconds. */
#include "schedulers/simulator.h"

#include "core/clock.h"
#include "core/statistics.h"
#include "schedulers/simulator_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* when a running job ends */
typedef struct End {
    double time;
    size_t job; /* also the order among equal times */
} End;

typedef struct Simulation {
    const SimulatorSettings *settings;
    Scheduler               *scheduler;
    SimulatorWork            work;
    SimulatorRanking         ranking;
    SimulatorReport         *report;
    End                     *running; /* (running_count) min-heap */
    size_t                   running_count;
    size_t                   running_capacity;
    size_t                   next_job; /* jobs from here on wait for a worker, in order */
    size_t                  *back;     /* (back_count) jobs whose results wait to be observed */
    size_t                   back_count;
    size_t                   back_capacity;
    double                   now;
    double                   busy;      /* worker-seconds of all that was started */
    double                   ends;      /* sum of the times in `running` */
    double                   fed_busy;  /* worker-seconds up to when the last job started */
    double                   fed_until; /* that time */
    double                   free_at;   /* when the one that decides has time again */
    Decision                 decision;  /* being made until free_at */
    bool                     thinking;  /* there is one */
    bool                     waiting;   /* nothing to decide before the next event */
    bool                     over;      /* the scheduler is done */
    bool                     ended;     /* by the clock or the stop rule: nothing new is decided */
    StopRule                 stop;
    bool                     barrier;
} Simulation;

Status simulator_check(const SimulatorSettings *s) {
    if (s->workers < 1) {
        FAIL(STATUS_ERR_RANGE, "workers is %" PRId64 "; expected 1 or more", s->workers);
    }
    if (!(s->seconds_per_unit > 0.0) || !isfinite(s->seconds_per_unit)) {
        FAIL(STATUS_ERR_RANGE, "seconds per unit is %g; expected a number above 0",
             s->seconds_per_unit);
    }
    if (!(s->spread >= 0.0) || !isfinite(s->spread)) {
        FAIL(STATUS_ERR_RANGE, "spread is %g; expected 0 or more", s->spread);
    }
    if (!(s->failure_rate >= 0.0 && s->failure_rate <= 1.0)) {
        FAIL(STATUS_ERR_RANGE, "failure rate is %g; expected 0 to 1", s->failure_rate);
    }
    if (!(s->noise >= 0.0) || !isfinite(s->noise)) {
        FAIL(STATUS_ERR_RANGE, "noise is %g; expected 0 or more", s->noise);
    }
    if (!s->measured && (!(s->decide_seconds >= 0.0) || !isfinite(s->decide_seconds))) {
        FAIL(STATUS_ERR_RANGE, "decide seconds is %g; expected 0 or more", s->decide_seconds);
    }
    return STATUS_OK;
}

/* ---- the heap of ends ---- */

static bool earlier(const End *a, const End *b) {
    return a->time < b->time || (a->time == b->time && a->job < b->job);
}

static void swap_ends(End *a, End *b) {
    const End kept = *a;
    *a = *b;
    *b = kept;
}

static Status push_end(Simulation *s, End end) {
    End *heap =
        simulator__grown(s->running, &s->running_capacity, s->running_count + 1, sizeof *heap);
    if (heap == NULL) {
        return STATUS_ERR_NOMEM;
    }
    s->running = heap;
    size_t i = s->running_count++;
    heap[i] = end;
    while (i > 0 && earlier(&heap[i], &heap[(i - 1) / 2])) {
        swap_ends(&heap[i], &heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    return STATUS_OK;
}

static End pop_end(Simulation *s) {
    End      *heap = s->running;
    const End first = heap[0];
    heap[0] = heap[--s->running_count];
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            if (child < s->running_count && earlier(&heap[child], &heap[least])) {
                least = child;
            }
        }
        if (least == i) {
            return first;
        }
        swap_ends(&heap[i], &heap[least]);
        i = least;
    }
}

/* ---- the scheduler's calls, and what they cost ---- */

static void charge(Simulation *s, double seconds) {
    s->report->thought_seconds += seconds;
    if (s->settings->measured) {
        s->free_at = fmax(s->free_at, s->now) + seconds;
    }
}

static Status observe(Simulation *s, const Event *event) {
    const double start = clock_thread();
    const Status status = scheduler_observe(s->scheduler, event);
    charge(s, clock_thread() - start);
    return status;
}

/* as the coordinator does: results in the order in which they are told */
static void ask_stop_rule(Simulation *s, size_t index) {
    const SimulatorJob *job = &s->work.jobs[index];
    if (job->kind == EVENT_FINISHED) {
        const bool counts =
            job->outcome == OUTCOME_DONE && simulator__keeps_constraints(&s->work, index);
        stop_rule_observe(&s->stop, job->end - job->begin,
                          counts ? simulator__objectives(&s->work, index)[0] : (double)NAN);
    }
}

static Status observe_job(Simulation *s, size_t index) {
    const SimulatorJob *job = &s->work.jobs[index];
    ask_stop_rule(s, index);
    const Event event = {.kind = job->kind,
                         .id = job->id,
                         .outcome = job->outcome,
                         .objectives = simulator__objectives(&s->work, index),
                         .spreads = simulator__spreads(&s->work, index),
                         .constraints = simulator__constraints(&s->work, index),
                         .cost = job->cost};
    return observe(s, &event);
}

typedef struct Waiting {
    EventKind kind;
    int64_t   id;
    size_t    job;
} Waiting;

static int by_id(const void *a, const void *b) {
    const Waiting *x = a;
    const Waiting *y = b;
    if (x->kind != y->kind) {
        return (x->kind < y->kind) ? -1 : 1;
    }
    return (x->id < y->id) ? -1 : (x->id > y->id);
}

/* a barrier's results in order of ids, as the coordinator tells them */
static Status sort_back(Simulation *s) {
    Waiting *order = calloc(s->back_count + 1, sizeof *order);
    if (order == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu results at a barrier", s->back_count);
    }
    for (size_t i = 0; i < s->back_count; i++) {
        const SimulatorJob *job = &s->work.jobs[s->back[i]];
        order[i] = (Waiting){job->kind, job->id, s->back[i]};
    }
    qsort(order, s->back_count, sizeof *order, by_id);
    for (size_t i = 0; i < s->back_count; i++) {
        s->back[i] = order[i].job;
    }
    free(order);
    return STATUS_OK;
}

/* tells what is back, unless somebody thinks or the batch is not complete */
static Status observe_back(Simulation *s) {
    if (s->back_count == 0 || s->thinking) {
        return STATUS_OK;
    }
    if (s->barrier) {
        if (s->running_count > 0 || s->next_job < s->work.count) {
            return STATUS_OK;
        }
        TRY(sort_back(s));
    }
    for (size_t i = 0; i < s->back_count; i++) {
        TRY(observe_job(s, s->back[i]));
    }
    s->back_count = 0;
    s->waiting = false;
    return STATUS_OK;
}

/* ---- deciding ---- */

static bool wants_decision(const Simulation *s) {
    if (s->thinking || s->waiting || s->over || s->ended) {
        return false;
    }
    const size_t queued = s->work.count - s->next_job;
    return s->barrier || s->running_count + queued < (size_t)s->settings->workers;
}

static Status think(Simulation *s) {
    SimulatorReport *report = s->report;
    const double     start = clock_thread();
    TRY(scheduler_decide(s->scheduler, &s->decision));
    const double seconds = clock_thread() - start;
    charge(s, seconds);
    s->thinking = true;
    if (s->decision.kind == DECISION_WAIT) {
        return STATUS_OK;
    }
    if (!s->settings->measured) {
        s->free_at = fmax(s->free_at, s->now) + s->settings->decide_seconds;
    }
    double *times = simulator__grown(report->decide_seconds, &report->decide_capacity,
                                     (size_t)report->decisions + 1, sizeof *times);
    if (times == NULL) {
        return STATUS_ERR_NOMEM;
    }
    report->decide_seconds = times;
    times[report->decisions++] = seconds;
    return STATUS_OK;
}

static Status start_jobs(Simulation *s) {
    while (s->next_job < s->work.count && s->running_count < (size_t)s->settings->workers) {
        const double seconds = s->work.jobs[s->next_job].seconds;
        s->fed_busy = s->busy - (s->ends - (double)s->running_count * s->now);
        s->fed_until = s->now;
        s->busy += seconds;
        s->ends += s->now + seconds;
        TRY(push_end(s, (End){.time = s->now + seconds, .job = s->next_job}));
        s->next_job++;
    }
    return STATUS_OK;
}

/* the decision that was thought about becomes work */
static Status commit(Simulation *s) {
    const Decision *decision = &s->decision;
    s->thinking = false;
    if (decision->kind == DECISION_WAIT) {
        s->waiting = true;
        return STATUS_OK;
    }
    if (decision->kind == DECISION_DONE) {
        s->over = true;
        s->report->study_failed = decision->failed;
        (void)snprintf(s->report->reason, sizeof s->report->reason, "%s", decision->reason);
    } else {
        size_t job = 0;
        TRY(simulator__work_add(&s->work, decision, &job));
    }
    TRY(observe(s, &(Event){.kind = EVENT_DECIDED, .decision = decision}));
    return start_jobs(s);
}

/* ---- results ---- */

static Status count_segment(Simulation *s, size_t index) {
    const SimulatorJob *job = &s->work.jobs[index];
    s->report->segments++;
    s->report->units += job->end - job->begin;
    if (job->outcome != OUTCOME_DONE) {
        s->report->failed++;
        return STATUS_OK;
    }
    return simulator__ranking_note(&s->ranking, &s->work, index, s->now, s->report);
}

static Status end_first(Simulation *s) {
    const End end = pop_end(s);
    s->ends -= end.time;
    size_t *back = simulator__grown(s->back, &s->back_capacity, s->back_count + 1, sizeof *back);
    if (back == NULL) {
        return STATUS_ERR_NOMEM;
    }
    s->back = back;
    back[s->back_count++] = end.job;
    s->now = end.time;
    s->work.jobs[end.job].ended = end.time;
    s->report->seconds = end.time;
    if (s->work.jobs[end.job].kind == EVENT_EVALUATED) {
        s->report->evaluations++;
    } else {
        TRY(count_segment(s, end.job));
    }
    return start_jobs(s);
}

/* ---- the loop ---- */

/* neither is a decision of the scheduler's: what was decided runs to its end */
static void check_end(Simulation *s) {
    const double limit = s->settings->wall_clock;
    if (s->over || s->ended) {
        return;
    }
    if (s->stop.stopped) {
        (void)snprintf(s->report->reason, sizeof s->report->reason, "%s", s->settings->stop_reason);
    } else if (limit > 0.0 && s->now >= limit) {
        (void)snprintf(s->report->reason, sizeof s->report->reason,
                       "wall-clock budget of %g virtual seconds used", limit);
    } else {
        return;
    }
    s->ended = true;
}

/* one event; false when there is none left */
static Status advance(Simulation *s, bool *more) {
    TRY(observe_back(s));
    check_end(s);
    if (wants_decision(s)) {
        TRY(think(s));
    }
    *more = true;
    if (s->thinking && (s->running_count == 0 || s->free_at <= s->running[0].time)) {
        s->now = fmax(s->now, s->free_at);
        return commit(s);
    }
    if (s->running_count > 0) {
        return end_first(s);
    }
    *more = s->back_count > 0;
    return STATUS_OK;
}

static Status run(Simulation *s) {
    bool more = true;
    while (more) {
        TRY(advance(s, &more));
    }
    if (!s->over && !s->ended) {
        FAIL(STATUS_ERR_STATE, "the scheduler waits, but nothing is outstanding");
    }
    return STATUS_OK;
}

Status simulator_run(const SimulatorSettings *settings, Scheduler *scheduler,
                     const SimulatedProblem *problem, SimulatorReport *out) {
    *out = (SimulatorReport){.steps = NULL};
    TRY(simulator_check(settings));
    Simulation s = {.settings = settings,
                    .scheduler = scheduler,
                    .report = out,
                    .stop = settings->stop,
                    .barrier = scheduler_order(scheduler) == SCHEDULER_ORDER_BARRIER};
    simulator__work_init(&s.work, settings, scheduler_setup(scheduler), problem);
    Status status = run(&s);
    if (status == STATUS_OK) {
        status = simulator__front_find(&s.ranking, &s.work, &out->front);
    }
    if (status != STATUS_OK) {
        simulator_report_reset(out);
    } else {
        const double capacity = (double)settings->workers * out->seconds;
        const double fed = (double)settings->workers * s.fed_until;
        out->utilization = (capacity > 0.0) ? s.busy / capacity : 0.0;
        out->utilization_fed = (fed > 0.0) ? s.fed_busy / fed : out->utilization;
        if (out->decisions > 0) {
            statistics_sort(out->decide_seconds, (size_t)out->decisions);
        }
    }
    simulator__ranking_reset(&s.ranking);
    simulator__work_reset(&s.work);
    free(s.running);
    free(s.back);
    return status;
}

void simulator_report_reset(SimulatorReport *report) {
    free(report->steps);
    free(report->front.points);
    free(report->decide_seconds);
    *report = (SimulatorReport){.steps = NULL};
}
