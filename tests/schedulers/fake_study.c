#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DECISIONS = 20000 };

/* lanes of the random streams of a segment */
enum { LANE_TIME, LANE_FAIL, LANE_NAN, LANE_NOISE };

/* a segment or an evaluation that was decided */
typedef struct Job {
    int64_t  id;
    bool     evaluation;
    bool     started;
    bool     back; /* its result is back */
    bool     observed;
    double   ends_at; /* virtual time */
    double   score;   /* of the lineage, without noise */
    double   cost;    /* of the segment */
    bool     finished;
    bool     removed; /* the scheduler said that its checkpoint may go */
    Decision decision;
} Job;

typedef struct Drive {
    Scheduler          *scheduler;
    const FakeSettings *settings;
    FakeLog            *log;
    Job                *jobs; /* in the order of decisions */
    size_t              count;
    size_t              running;
    size_t              unobserved;
    size_t              inserted;
    bool                waited; /* asked since the last event, it had nothing to decide */
    double              now;
} Drive;

/* ---- the log ------------------------------------------------------------------------------- */

static void *must(void *memory) {
    assert_non_null(memory);
    return memory;
}

static void copy_values(double *to, const double *from, size_t n) {
    if (from != NULL) {
        memcpy(to, from, n * sizeof *to);
    }
}

static void log_append(FakeLog *log, const Event *event) {
    if (log->count == log->capacity) {
        log->capacity = 2 * log->capacity + 64;
        const size_t size = log->capacity * sizeof(void *);
        log->events = (FakeEvent **)must(realloc((void *)log->events, size));
    }
    FakeEvent *entry = must(calloc(1, sizeof *entry));
    entry->point = must(calloc(log->values + 1, sizeof *entry->point));
    entry->event = *event;
    if (event->decision != NULL) {
        entry->decision = *event->decision;
        copy_values(entry->point, event->decision->point, log->values);
        entry->decision.point = entry->point;
        entry->memo = must(malloc(event->decision->memo_size + 1));
        memcpy(entry->memo, event->decision->memo, event->decision->memo_size);
        entry->decision.memo = entry->memo;
        entry->event.decision = &entry->decision;
    }
    copy_values(entry->point, event->point, log->values);
    copy_values(entry->objectives, event->objectives, SCHEDULER_MAX_OBJECTIVES);
    copy_values(entry->spreads, event->spreads, SCHEDULER_MAX_OBJECTIVES);
    copy_values(entry->constraints, event->constraints, SCHEDULER_MAX_CONSTRAINTS);
    entry->event.point = (event->point == NULL) ? NULL : entry->point;
    entry->event.objectives = entry->objectives;
    entry->event.spreads = entry->spreads;
    entry->event.constraints = entry->constraints;
    log->events[log->count++] = entry;
}

void fake_log_free(FakeLog *log) {
    for (size_t i = 0; i < log->count; i++) {
        free(log->events[i]->point);
        free(log->events[i]->memo);
        free(log->events[i]);
    }
    free((void *)log->events);
    *log = (FakeLog){.events = NULL};
}

Scheduler *fake_log_replay(const SchedulerOps *ops, const SchedulerSetup *setup,
                           const double *options, const FakeLog *log, size_t count) {
    Scheduler *scheduler = NULL;
    assert_ok(scheduler_create(ops, setup, options, &scheduler));
    for (size_t i = 0; i < count; i++) {
        assert_ok(scheduler_observe(scheduler, &log->events[i]->event));
    }
    return scheduler;
}

bool fake_same_values(const double *a, const double *b, size_t n) {
    const void *x = a;
    const void *y = b;
    return memcmp(x, y, n * sizeof *a) == 0;
}

bool fake_same_decision(const Decision *a, const Decision *b, size_t values) {
    const bool same = a->kind == b->kind && a->number == b->number && a->id == b->id &&
                      a->parent == b->parent && a->trial == b->trial && a->begin == b->begin &&
                      a->end == b->end && a->branch == b->branch && a->episodes == b->episodes &&
                      a->failed == b->failed && strcmp(a->reason, b->reason) == 0 &&
                      strcmp(a->note, b->note) == 0 && a->memo_size == b->memo_size &&
                      memcmp(a->memo, b->memo, a->memo_size) == 0;
    return same && (a->kind != DECISION_RUN || fake_same_values(a->point, b->point, values));
}

void fake_log_assert_same(const FakeLog *a, const FakeLog *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const FakeEvent *x = a->events[i];
        const FakeEvent *y = b->events[i];
        assert_int_equal(x->event.kind, y->event.kind);
        if (x->event.kind == EVENT_DECIDED) {
            assert_true(fake_same_decision(&x->decision, &y->decision, a->values));
        }
        assert_int_equal(x->event.id, y->event.id);
        assert_int_equal(x->event.outcome, y->event.outcome);
        assert_memory_equal(x->objectives, y->objectives, sizeof x->objectives);
    }
}

const FakeEvent *fake_log_decided(const FakeLog *log, int64_t segment) {
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_DECIDED && entry->decision.kind == DECISION_RUN &&
            entry->decision.id == segment) {
            return entry;
        }
    }
    return NULL;
}

const FakeEvent *fake_log_finished(const FakeLog *log, int64_t segment) {
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_FINISHED && entry->event.id == segment) {
            return entry;
        }
    }
    return NULL;
}

const FakeEvent *fake_log_evaluated(const FakeLog *log, int64_t evaluation) {
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_EVALUATED && entry->event.id == evaluation) {
            return entry;
        }
    }
    return NULL;
}

size_t fake_log_reasons(const FakeLog *log, const char *reason) {
    size_t n = 0;
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        n += entry->event.kind == EVENT_DECIDED && entry->decision.kind == DECISION_RUN &&
             strcmp(entry->decision.reason, reason) == 0;
    }
    return n;
}

/* ---- trainers ------------------------------------------------------------------------------ */

static Rng stream(const Drive *drive, const Job *job, uint32_t lane) {
    return rng_stream_lane(drive->settings->seed, (uint64_t)job->id, RNG_SIMULATE,
                           lane + (job->evaluation ? 16u : 0u));
}

static Job *job_of(Drive *drive, int64_t id) {
    for (size_t i = 0; i < drive->count; i++) {
        if (!drive->jobs[i].evaluation && drive->jobs[i].id == id) {
            return &drive->jobs[i];
        }
    }
    return NULL;
}

/* 1 in the middle of every range, less towards the edges */
static double quality(const Space *space, const double *point) {
    const size_t n = space_count(space);
    double      *unit = must(calloc(n + 1, sizeof *unit));
    double       sum = 0.0;
    space_encode(space, point, unit);
    for (size_t i = 0; i < n; i++) {
        sum += 1.0 - 4.0 * (unit[i] - 0.5) * (unit[i] - 0.5);
    }
    free(unit);
    return (n == 0) ? 1.0 : sum / (double)n;
}

double fake_cost(const Space *space, const double *point) {
    const size_t n = space_count(space);
    double      *unit = must(calloc(n + 1, sizeof *unit));
    double       cost = 1.0;
    space_encode(space, point, unit);
    for (size_t i = 0; i < n; i++) {
        if (space_at(space, i)->dynamic) {
            cost = 1.0 + 9.0 * unit[i];
            break;
        }
    }
    free(unit);
    return cost;
}

/* of what an evaluation of several episodes says, or a segment */
static double noise_of(const FakeSettings *settings, const Job *job) {
    return settings->noise / (job->evaluation ? sqrt((double)job->decision.episodes) : 1.0);
}

static void result_of(Drive *drive, Job *job, FakeEvent *result) {
    const SchedulerSetup *setup = scheduler_setup(drive->scheduler);
    const FakeSettings   *settings = drive->settings;
    Rng                   fails = stream(drive, job, LANE_FAIL);
    Rng                   nans = stream(drive, job, LANE_NAN);
    Rng                   noise = stream(drive, job, LANE_NOISE);
    Outcome               outcome = OUTCOME_DONE;
    if (rng_uniform(&fails) < settings->fail ||
        (settings->fails_first && !job->evaluation && job->decision.parent == 0)) {
        outcome = OUTCOME_DIVERGED;
    }
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        const double value =
            (settings->flat ? 0.0 : job->score) + noise_of(settings, job) * rng_normal(&noise);
        result->objectives[i] = setup->maximize[i] ? value : -value;
        result->spreads[i] = settings->noise;
        result->constraints[i] = job->score;
    }
    if (rng_uniform(&nans) < settings->nan) {
        result->objectives[0] = (double)NAN;
    }
    if (settings->script != NULL && !job->evaluation) {
        settings->script(settings->context, &job->decision, &outcome, result->objectives,
                         result->spreads);
    }
    for (size_t i = 0; outcome != OUTCOME_DONE && i < SCHEDULER_MAX_OBJECTIVES; i++) {
        result->objectives[i] = (double)NAN;
        result->spreads[i] = (double)NAN;
    }
    result->event = (Event){.kind = job->evaluation ? EVENT_EVALUATED : EVENT_FINISHED,
                            .id = job->id,
                            .outcome = outcome,
                            .objectives = result->objectives,
                            .spreads = result->spreads,
                            .constraints = result->constraints,
                            .cost = (double)NAN};
    if (setup->cost_aware && !job->evaluation) {
        result->event.cost = job->cost;
    }
}

/* ---- the coordinator ----------------------------------------------------------------------- */

/* a checkpoint that may go once is gone for good: whatever is branched from later must be there */
static void collect(Drive *drive) {
    for (size_t i = 0; i < drive->count; i++) {
        Job *job = &drive->jobs[i];
        if (job->finished && !job->evaluation && !job->removed) {
            job->removed = scheduler_keeps(drive->scheduler, job->id) == KEEPS_NEVER;
        }
    }
}

static void observe(Drive *drive, const Event *event) {
    assert_ok(scheduler_observe(drive->scheduler, event));
    log_append(drive->log, event);
    drive->log->events[drive->log->count - 1]->waited = drive->waited;
    drive->waited = false;
    collect(drive);
}

static void observe_result(Drive *drive, Job *job) {
    FakeEvent result = {.point = NULL};
    result_of(drive, job, &result);
    job->finished = result.event.outcome == OUTCOME_DONE;
    job->observed = true;
    drive->unobserved--;
    observe(drive, &result.event);
    /* every result comes once */
    assert_int_equal(scheduler_observe(drive->scheduler, &result.event), STATUS_ERR_STATE);
}

static void commit(Drive *drive, const Decision *decision) {
    const Event event = {.kind = EVENT_DECIDED, .decision = decision};
    if (decision->kind == DECISION_DONE) {
        observe(drive, &event);
        return;
    }
    Job *job = &drive->jobs[drive->count++];
    *job = (Job){.id = decision->id,
                 .evaluation = decision->kind == DECISION_EVALUATE,
                 .decision = *decision};
    const Job *parent = job_of(drive, decision->parent);
    if (parent != NULL) {
        assert_true(parent->finished);
        if (parent->removed) {
            fail_msg("segment %lld is branched from, but its checkpoint was given up",
                     (long long)decision->parent);
        }
        job->score = parent->score;
    }
    if (!job->evaluation) {
        const Space *space = scheduler_setup(drive->scheduler)->space;
        assert_ok(space_check(space, decision->point));
        const double length = (double)(decision->end - decision->begin);
        job->score += length * quality(space, decision->point);
        job->cost = length * fake_cost(space, decision->point);
    }
    drive->unobserved++;
    observe(drive, &event);
    /* with values of its own: the scheduler's are those of its last decision */
    job->decision = drive->log->events[drive->log->count - 1]->decision;
}

/* asks until there is nothing to decide, or no slot free; true when the study is over */
static bool decide(Drive *drive, Decision *done) {
    const bool          barrier = scheduler_order(drive->scheduler) == SCHEDULER_ORDER_BARRIER;
    const FakeSettings *settings = drive->settings;
    size_t              waiting = drive->unobserved - drive->running;
    while (barrier || drive->running + waiting < settings->slots) {
        const int64_t number = scheduler_decisions(drive->scheduler);
        while (drive->inserted < settings->insert_count &&
               settings->inserts[drive->inserted].at <= number) {
            observe(drive, &settings->inserts[drive->inserted++].event);
        }
        Decision decision;
        assert_ok(scheduler_decide(drive->scheduler, &decision));
        assert_int_equal(decision.number, number);
        if (decision.kind == DECISION_WAIT) {
            drive->waited = true;
            return false;
        }
        assert_true((size_t)number < ((settings->most == 0) ? MOST_DECISIONS : settings->most));
        *done = decision;
        commit(drive, &decision);
        if (decision.kind == DECISION_DONE) {
            return true;
        }
        waiting++;
    }
    return false;
}

static void start(Drive *drive) {
    for (size_t i = 0; i < drive->count && drive->running < drive->settings->slots; i++) {
        Job *job = &drive->jobs[i];
        if (!job->started) {
            Rng rng = stream(drive, job, LANE_TIME);
            job->started = true;
            job->ends_at = drive->now + 0.1 + rng_uniform(&rng);
            drive->running++;
        }
    }
}

static Job *first_to_end(Drive *drive) {
    Job *first = NULL;
    for (size_t i = 0; i < drive->count; i++) {
        Job *job = &drive->jobs[i];
        if (job->started && !job->back && (first == NULL || job->ends_at < first->ends_at)) {
            first = job;
        }
    }
    return first;
}

static void advance(Drive *drive) {
    Job *job = first_to_end(drive);
    if (job == NULL) {
        fail_msg("nothing runs and nothing is decided");
        return;
    }
    job->back = true;
    drive->now = job->ends_at;
    drive->running--;
    if (scheduler_order(drive->scheduler) == SCHEDULER_ORDER_ANY) {
        observe_result(drive, job);
        return;
    }
    for (size_t i = 0; i < drive->count; i++) {
        if (!drive->jobs[i].back) {
            return;
        }
    }
    for (size_t i = 0; i < drive->count; i++) {
        if (!drive->jobs[i].observed) {
            observe_result(drive, &drive->jobs[i]);
        }
    }
}

void fake_study_drive(Scheduler *scheduler, const FakeSettings *settings, FakeLog *log,
                      Decision *done) {
    const size_t most = (settings->most == 0) ? MOST_DECISIONS : settings->most;
    Drive        drive = {.scheduler = scheduler,
                          .settings = settings,
                          .log = log,
                          .jobs = must(calloc(most + 1, sizeof *drive.jobs))};
    log->values = space_count(scheduler_setup(scheduler)->space);
    while (!decide(&drive, done)) {
        start(&drive);
        advance(&drive);
    }
    assert_int_equal(drive.unobserved, 0);
    free(drive.jobs);
    done->point = NULL;
    done->memo = NULL;
}

void fake_study_run(const SchedulerOps *ops, const SchedulerSetup *setup, const double *options,
                    const FakeSettings *settings, FakeLog *log, Decision *done) {
    Scheduler *scheduler = NULL;
    *log = (FakeLog){.events = NULL};
    assert_ok(scheduler_create(ops, setup, options, &scheduler));
    fake_study_drive(scheduler, settings, log, done);
    scheduler_destroy(scheduler);
}
