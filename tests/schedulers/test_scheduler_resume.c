/* Resuming, for every scheduler: wherever a study stops, also between two decisions of one barrier,
 * a new scheduler that observes the log up to there decides what the old one did, a hundred
 * decisions long; and what else has to hold for each whatever happens to it. Beyond the contract
 * test, populations are driven here with elite evaluations and with a cost. */
#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64, MEMBERS = 6 };
enum { AHEAD = 100, CUTS = 3, CONFIGURATIONS = 200, KNOWN = 4, INSERTS = KNOWN + 4 };

typedef struct Case {
    const SchedulerOps *ops;
    double              options[MAX_OPTIONS];
    SchedulerSetup      setup;
} Case;

typedef void (*Check)(Case *);

static bool set(Case *c, const char *name, double value) {
    const size_t index = option_find(c->ops->options, name);
    const bool   known = index < option_count(c->ops->options);
    if (known) {
        c->options[index] = value;
    }
    return known;
}

/* 12 segments deep, so that models, restarts and archives come into play */
static void make_case(const SchedulerOps *ops, const Space *space, Case *c) {
    *c = (Case){.ops = ops, .setup = fake_setup(space)};
    option_defaults(ops->options, c->options);
    c->setup.per_trial = 60;
    c->setup.total = MEMBERS * c->setup.per_trial;
    if (ops->population) {
        (void)set(c, "population", MEMBERS);
    } else {
        c->setup.trials = MEMBERS;
    }
}

/* every scheduler; populations in both modes, with evaluated elites, with a cost, with both */
static void each_case(FakeSpace which, Check check) {
    Space *space = fake_space(which);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        if (strcmp(ops->name, "enqueue") == 0) {
            continue; /* runs what users enqueue, and here nobody does: test_enqueue.c */
        }
        for (unsigned bits = 0; bits < (ops->population ? 8u : 1u); bits++) {
            Case c;
            make_case(ops, space, &c);
            (void)set(&c, "mode", (bits & 1u) != 0 ? 1.0 : 0.0);
            if ((bits & 2u) != 0 && !set(&c, "elite_evaluations", 3.0)) {
                continue;
            }
            c.setup.cost_aware = (bits & 4u) != 0;
            check(&c);
        }
    }
    space_destroy(space);
}

static Decision run(const Case *c, const FakeSettings *settings, FakeLog *log) {
    Decision done;
    fake_study_run(c->ops, &c->setup, c->options, settings, log, &done);
    return done;
}

/* ---- resuming ---- */

/* observes events from `first` on, and decides each decision before; a result comes once */
static void follow(const Case *c, const FakeLog *log, size_t first, size_t ahead) {
    Scheduler *scheduler = fake_log_replay(c->ops, &c->setup, c->options, log, first);
    size_t     decided = 0;
    for (size_t i = first; i < log->count && decided < ahead; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_DECIDED) {
            Decision next;
            assert_ok(scheduler_decide(scheduler, &next));
            assert_true(fake_same_decision(&next, &entry->decision, log->values));
            decided++;
        }
        assert_ok(scheduler_observe(scheduler, &entry->event));
        if (entry->event.kind == EVENT_FINISHED || entry->event.kind == EVENT_EVALUATED) {
            assert_int_equal(scheduler_observe(scheduler, &entry->event), STATUS_ERR_STATE);
        }
    }
    assert_int_equal(decided, ahead);
    scheduler_destroy(scheduler);
}

/* how many events there are in front of the decision after which `ahead` more follow */
static size_t last_cut(const FakeLog *log, size_t ahead) {
    size_t i = log->count;
    for (size_t left = ahead; left > 0 && i > 0; i--) {
        left -= log->events[i - 1]->event.kind == EVENT_DECIDED;
    }
    return i;
}

/* What somebody else may put into the log: results of an earlier study where those are learned
 * from, points that are wished for, more units and configurations. `points`: (INSERTS, values) */
static size_t fill_inserts(const Case *c, double *points, FakeInsert *inserts) {
    static const double  values[SCHEDULER_MAX_OBJECTIVES] = {3.0, -3.0};
    static const double  broken[SCHEDULER_MAX_CONSTRAINTS] = {1.0};
    static const int64_t at[INSERTS - KNOWN] = {2, 30, 60, 90};
    const size_t         n = space_count(c->setup.space);
    Rng                  rng = rng_stream(31, 0, RNG_TEST);
    int64_t              depth = 0;
    size_t               count = 0;
    Scheduler           *scheduler = NULL;

    assert_ok(scheduler_create(c->ops, &c->setup, c->options, &scheduler));
    const bool learns = scheduler_known_depths(scheduler, &depth, 1) > 0;
    scheduler_destroy(scheduler);
    for (size_t i = 0; i < INSERTS; i++) {
        double *point = &points[i * n];
        assert_ok(space_sample(c->setup.space, &rng, point));
        if (i < KNOWN) {
            inserts[count] = (FakeInsert){.event = {.kind = EVENT_KNOWN,
                                                    .outcome = OUTCOME_DONE,
                                                    .objectives = values,
                                                    .constraints = broken,
                                                    .cost = 1.0,
                                                    .point = point,
                                                    .depth = c->setup.per_trial}};
            count += learns;
        } else if (i % 2 == 0) {
            inserts[count++] = (FakeInsert){.at = at[i - KNOWN],
                                            .event = {.kind = EVENT_ENQUEUED, .point = point}};
        } else {
            const int64_t trials = c->ops->population ? 0 : CONFIGURATIONS + (int64_t)i;
            inserts[count++] = (FakeInsert){.at = at[i - KNOWN],
                                            .event = {.kind = EVENT_BUDGET_CHANGED,
                                                      .total = c->setup.total + 50,
                                                      .trials = trials}};
        }
    }
    return count;
}

static void check_log(const Case *c, const FakeSettings *settings) {
    FakeLog log;
    Rng     rng = rng_stream(settings->seed, 0, RNG_TEST);
    (void)run(c, settings, &log);
    const size_t last = last_cut(&log, AHEAD);
    if (last < 30) {
        fail_msg("%s decides %zu events, too few to cut", c->ops->name, log.count);
    }
    for (size_t k = 0; k < CUTS; k++) {
        follow(c, &log, (size_t)rng_below(&rng, last + 1), AHEAD);
    }
    fake_log_free(&log);
}

/* studies of more than 200 decisions */
static void check_resume(Case *c) {
    double    *points = calloc(INSERTS * space_count(c->setup.space), sizeof *points);
    FakeInsert inserts[INSERTS];
    const bool deep = c->ops->population || c->ops->stops_early;
    c->setup.per_trial = c->ops->population ? 40 * c->setup.segment : 4 * c->setup.segment;
    c->setup.per_trial = deep ? c->setup.per_trial : c->setup.segment;
    c->setup.trials = c->ops->population ? 0 : CONFIGURATIONS;
    c->setup.total = (c->ops->population ? MEMBERS : 3 * CONFIGURATIONS) * c->setup.per_trial;
    assert_non_null(points);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        FakeSettings settings = {.slots = 3,
                                 .seed = seed,
                                 .fail = 0.1,
                                 .nan = 0.05,
                                 .noise = 5.0,
                                 .inserts = inserts,
                                 .insert_count = fill_inserts(c, points, inserts)};
        c->setup.seed = seed;
        check_log(c, &settings);
        if (!c->ops->population) { /* then with several chains each, some of which break a bound */
            c->setup.repeats = 3;
            c->setup.constraint_count = 1;
            c->setup.constraint_upper[0] = 3.0;
        }
    }
    free(points);
}

static void stopping_anywhere_gives_the_same_next_hundred_decisions(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_resume);
    each_case(FAKE_SPACE_CONDITIONAL, check_resume);
}

/* results that are due, in the order of decisions */
typedef struct Due {
    Scheduler     *scheduler;
    const FakeLog *log;
    size_t         next; /* in the log: no result before this decision is due */
} Due;

/* hands in the results of up to `count` decisions before `end` in the log */
static void hand_in(Due *due, size_t end, size_t count) {
    for (; due->next < end && count > 0; due->next++) {
        const FakeEvent *entry = due->log->events[due->next];
        if (entry->event.kind != EVENT_DECIDED || entry->decision.kind == DECISION_DONE) {
            continue;
        }
        const FakeEvent *result = (entry->decision.kind == DECISION_RUN)
                                      ? fake_log_finished(due->log, entry->decision.id)
                                      : fake_log_evaluated(due->log, entry->decision.id);
        assert_ok(scheduler_observe(due->scheduler, &result->event));
        count--;
    }
}

/* The log of a barrier with some results of a batch handed in before the rest of it is decided, as
 * an interrupted coordinator may come to do. */
static void check_early(Case *c) {
    const FakeSettings settings = {.slots = 2, .seed = 5, .fail = 0.1, .nan = 0.05, .noise = 5.0};
    FakeLog            log;
    (void)run(c, &settings, &log);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        Due due = {.log = &log};
        Rng rng = rng_stream(seed, 0, RNG_TEST);
        assert_ok(scheduler_create(c->ops, &c->setup, c->options, &due.scheduler));
        const bool barrier = scheduler_order(due.scheduler) == SCHEDULER_ORDER_BARRIER;
        for (size_t i = 0; barrier && i < log.count; i++) {
            Decision next;
            if (log.events[i]->event.kind != EVENT_DECIDED) {
                continue;
            }
            const bool batch = i > 0 && log.events[i - 1]->event.kind != EVENT_DECIDED;
            hand_in(&due, i, batch ? log.count : (size_t)rng_below(&rng, 3));
            assert_ok(scheduler_decide(due.scheduler, &next));
            assert_true(fake_same_decision(&next, &log.events[i]->decision, log.values));
            assert_ok(scheduler_observe(due.scheduler, &log.events[i]->event));
        }
        scheduler_destroy(due.scheduler);
    }
    fake_log_free(&log);
}

static void a_batch_is_decided_alike_whatever_of_it_is_back(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_early);
}

/* ---- whatever happens ---- */

static void check_runs(Case *c) {
    const size_t slots[] = {1, 64};
    for (size_t i = 0; i < 2; i++) {
        const FakeSettings settings = {
            .slots = slots[i], .seed = 7, .fail = 0.15, .nan = 0.1, .noise = 2.0};
        FakeLog        log;
        const Decision done = run(c, &settings, &log);
        assert_false(done.failed);
        fake_log_free(&log);
    }
}

static void every_space_is_run_with_1_worker_and_64(void **state) {
    (void)state;
    for (size_t i = 0; i < FAKE_SPACE_COUNT; i++) {
        each_case((FakeSpace)i, check_runs);
    }
}

static void check_nothing_usable(Case *c) {
    const FakeSettings nan = {.slots = 4, .seed = 9, .nan = 1.0};
    FakeLog            log;
    (void)run(c, &nan, &log);
    for (size_t i = 0; i < log.count; i++) {
        assert_false(log.events[i]->decision.branch &&
                     log.events[i]->decision.kind == DECISION_RUN &&
                     strcmp(log.events[i]->decision.reason, "exploit") == 0);
    }
    fake_log_free(&log);
}

static void objectives_that_are_all_nan_are_no_crash(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_nothing_usable);
}

/* one member fails in every round; the others go on, and so does it */
static void fail_trial_0(void *context, const Decision *decision, Outcome *outcome,
                         double *objectives, double *spreads) {
    (void)context;
    (void)objectives;
    (void)spreads;
    *outcome = (decision->trial == 0) ? OUTCOME_CRASHED : *outcome;
}

static void check_failed_member(Case *c) {
    const FakeSettings settings = {.slots = 4, .seed = 11, .noise = 1.0, .script = fail_trial_0};
    FakeLog            log;
    const Decision     done = run(c, &settings, &log);
    assert_false(done.failed);
    fake_log_free(&log);
}

static void a_member_that_always_fails_stops_nobody(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_failed_member);
}

static void check_two_members(Case *c) {
    const FakeSettings settings = {.slots = 2, .seed = 13, .fail = 0.1, .noise = 1.0};
    FakeLog            log;
    if (set(c, "population", 2.0)) {
        c->setup.total = 4 * c->setup.per_trial;
    }
    c->setup.objective_count = 2;
    c->setup.maximize[0] = false;
    c->setup.constraint_count = 1;
    c->setup.constraint_upper[0] = 25.0;
    assert_false(run(c, &settings, &log).failed);
    follow(c, &log, 0, (size_t)log.events[log.count - 1]->decision.number + 1);
    fake_log_free(&log);
}

static void two_members_two_objectives_and_a_constraint_are_run(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_two_members);
    each_case(FAKE_SPACE_ONE_FLOAT, check_two_members);
    each_case(FAKE_SPACE_CATEGORICAL, check_two_members);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopping_anywhere_gives_the_same_next_hundred_decisions),
        cmocka_unit_test(a_batch_is_decided_alike_whatever_of_it_is_back),
        cmocka_unit_test(every_space_is_run_with_1_worker_and_64),
        cmocka_unit_test(objectives_that_are_all_nan_are_no_crash),
        cmocka_unit_test(a_member_that_always_fails_stops_nobody),
        cmocka_unit_test(two_members_two_objectives_and_a_constraint_are_run),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/resume", tests, NULL, NULL);
}
