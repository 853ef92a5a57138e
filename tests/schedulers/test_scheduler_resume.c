/* Resuming, for every scheduler, budgets with every sampler: wherever a study stops, also between
 * two decisions of one barrier, a new scheduler that observes the log up to there decides what the
 * old one did, a hundred decisions long (resume_property.h); and what else has to hold for each
 * whatever happens to it. Beyond the contract test, populations are driven here with elite
 * evaluations, and whoever looks at them with a cost and with two objectives. */
#include "tests/schedulers/resume_property.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS = 6, CONFIGURATIONS = 200, FEWER = 120, KNOWN = 6, INSERTS = KNOWN + 4 };

/* what a case has beyond the defaults, where it makes a difference */
enum {
    WITH_MODE = 1,
    WITH_ELITES = 2,
    WITH_COST = 4,
    WITH_OBJECTIVES = 8,
    WITH_ALL = 15,
};

typedef void (*Check)(ContractCase *);

static bool set(ContractCase *c, const char *name, double value) {
    const size_t index = option_find(c->ops->options, name);
    const bool   known = index < option_count(c->ops->options);
    if (known) {
        c->options[index] = value;
    }
    return known;
}

/* 12 segments deep, so that models, restarts and archives come into play */
static void make_case(const SchedulerOps *ops, const Space *space, ContractCase *c) {
    *c = (ContractCase){.ops = ops, .setup = fake_setup(space)};
    option_defaults(ops->options, c->options);
    c->setup.per_trial = 60;
    c->setup.total = MEMBERS * c->setup.per_trial;
    if (ops->population) {
        (void)set(c, "population", MEMBERS);
    } else {
        c->setup.trials = MEMBERS;
    }
}

/* false where one of them would make no difference */
static bool add_twists(ContractCase *c, unsigned twists) {
    const SchedulerUses uses = scheduler_uses(c->ops, c->options);
    if (((twists & WITH_MODE) != 0 && !set(c, "mode", 1.0)) ||
        ((twists & WITH_ELITES) != 0 && !set(c, "elite_evaluations", 3.0)) ||
        ((twists & WITH_COST) != 0 && !uses.cost) ||
        ((twists & WITH_OBJECTIVES) != 0 && uses.objectives < 2)) {
        return false;
    }
    c->setup.cost_aware = (twists & WITH_COST) != 0;
    if ((twists & WITH_OBJECTIVES) != 0) {
        c->setup.objective_count = 2;
        c->setup.maximize[0] = false;
    }
    return true;
}

static void check_twists(const ContractCase *plain, Check check) {
    for (unsigned twists = 0; twists <= WITH_ALL; twists++) {
        ContractCase c = *plain;
        if (add_twists(&c, twists)) {
            check(&c);
        }
    }
}

/* every scheduler with its defaults, and with everything beyond them that makes a difference */
static void each_case(FakeSpace which, Check check) {
    Space *space = fake_space(which);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        ContractCase        c;
        if (strcmp(ops->name, "enqueue") == 0) {
            continue; /* runs what users enqueue, and here nobody does: test_enqueue.c */
        }
        make_case(ops, space, &c);
        check_twists(&c, check);
    }
    space_destroy(space);
}

/* choices of an option, 1 where a scheduler has no such option */
static size_t choices_of(const SchedulerOps *ops, const char *name) {
    const OptionSpec *spec = &ops->options[option_find(ops->options, name)];
    size_t            n = 0;
    while (spec->name != NULL && spec->choices[n] != NULL) {
        n++;
    }
    return (n == 0) ? 1 : n;
}

/* not refused, and no other spelling of another case */
static bool is_a_case(const ContractCase *c) {
    const size_t row = option_find(c->ops->options, "learn_from");
    Scheduler   *scheduler = NULL;
    const Status status = scheduler_create(c->ops, &c->setup, c->options, &scheduler);
    scheduler_destroy(scheduler);
    return status == STATUS_OK &&
           (c->ops->overruled_by(c->options, row) == SCHEDULER_HAS_EFFECT ||
            fake_same_values(&c->options[row], &c->ops->options[row].default_value, 1));
}

/* every budget with every sampler, and everything that one learns from and how a budget is done */
static void each_pair(FakeSpace which, Check check) {
    Space *space = fake_space(which);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        const size_t        samplers = choices_of(ops, "sampler");
        const size_t        sources = choices_of(ops, "learn_from");
        const size_t        pairs = samplers * sources * choices_of(ops, "type");
        for (size_t k = 0; samplers > 1 && k < pairs; k++) {
            ContractCase c;
            make_case(ops, space, &c);
            (void)set(&c, "sampler", (double)(k % samplers));
            (void)set(&c, "learn_from", (double)(k / samplers % sources));
            (void)set(&c, "type", (double)(k / samplers / sources));
            if (is_a_case(&c)) {
                check_twists(&c, check);
            }
        }
    }
    space_destroy(space);
}

static Decision run(const ContractCase *c, const FakeSettings *settings, FakeLog *log) {
    Decision done;
    fake_study_run(c->ops, &c->setup, c->options, settings, log, &done);
    return done;
}

/* ---- resuming ---- */

/* What somebody else may put into the log: results of an earlier study where those are learned
 * from, every second of which breaks the bound, points that are wished for, more units and
 * configurations. `points`: (INSERTS, values) */
static size_t fill_inserts(const ContractCase *c, double *points, FakeInsert *inserts) {
    static const double  values[2][SCHEDULER_MAX_OBJECTIVES] = {{3.0, -3.0}, {4.0, -2.0}};
    static const double  constraints[2][SCHEDULER_MAX_CONSTRAINTS] = {{1.0}, {1e3}};
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
                                                    .objectives = values[i / 2 % 2],
                                                    .constraints = constraints[i % 2],
                                                    .cost = 1.0,
                                                    .point = point,
                                                    .depth = c->setup.per_trial}};
            count += learns;
        } else if (i % 2 == 0) {
            inserts[count++] = (FakeInsert){.at = at[i - KNOWN],
                                            .event = {.kind = EVENT_ENQUEUED, .point = point}};
        } else {
            const int64_t trials = c->ops->population ? 0 : c->setup.trials + (int64_t)i;
            inserts[count++] = (FakeInsert){.at = at[i - KNOWN],
                                            .event = {.kind = EVENT_BUDGET_CHANGED,
                                                      .total = c->setup.total + 50,
                                                      .trials = trials}};
        }
    }
    return count;
}

static bool is_dear(const ContractCase *c) {
    return contract_samples(c, "gp");
}

/* The first study is run by 3 slots; the second by one, several chains each, some of which break a
 * bound; the third by 64, with a bound too */
enum { STUDIES = 3 };

/* for more than 200 decisions; of gp, which takes milliseconds for each, as few as leave places to
 * cut: with 64 slots nothing is back before the 65th */
static int64_t configurations_of(const ContractCase *c, size_t study) {
    const int64_t fewer[STUDIES] = {FEWER, FEWER / 2, FEWER + (c->ops->stops_early ? 0 : 40)};
    return is_dear(c) ? fewer[study] : CONFIGURATIONS;
}

static void shape_study(ContractCase *c, size_t study, FakeSettings *settings) {
    static const size_t slots[STUDIES] = {3, 1, 64};
    const bool          deep = c->ops->population || c->ops->stops_early;
    c->setup.per_trial = c->ops->population ? 40 * c->setup.segment : 4 * c->setup.segment;
    c->setup.per_trial = deep ? c->setup.per_trial : c->setup.segment;
    const int64_t configurations = configurations_of(c, study);
    c->setup.trials = c->ops->population ? 0 : configurations;
    c->setup.total = (c->ops->population ? MEMBERS : 3 * configurations) * c->setup.per_trial;
    c->setup.seed = study + 1;
    c->setup.repeats = (study == 1 && !c->ops->population) ? 3 : 1;
    c->setup.constraint_count = (study == 0) ? 0 : 1;
    c->setup.constraint_upper[0] = c->ops->population ? 60.0 : 3.0;
    *settings = (FakeSettings){
        .slots = slots[study], .seed = study + 1, .fail = 0.1, .nan = 0.05, .noise = 5.0};
}

static void check_study(const ContractCase *plain, size_t study) {
    ContractCase c = *plain;
    FakeSettings settings;
    FakeInsert   inserts[INSERTS];
    FakeLog      log;
    double      *points = calloc(INSERTS * space_count(c.setup.space), sizeof *points);
    assert_non_null(points);
    shape_study(&c, study, &settings);
    settings.inserts = inserts;
    settings.insert_count = fill_inserts(&c, points, inserts);
    (void)run(&c, &settings, &log);
    resume_check(&c, &log, is_dear(&c) ? 1 : 2, settings.seed);
    fake_log_free(&log);
    free(points);
}

/* of gp, which has four cases to itself in each space, one study each, not all of them the same;
 * with 64 slots where there is one objective, which is cheaper */
static void check_resume(ContractCase *c) {
    static const size_t turns[] = {2, 0, 1, 0, 0, 2, 0, 1};
    static size_t       turn;
    if (is_dear(c)) {
        check_study(c, turns[turn++ % (sizeof turns / sizeof turns[0])]);
        return;
    }
    for (size_t study = 0; study < STUDIES; study++) {
        check_study(c, study);
    }
}

static void stopping_anywhere_gives_the_same_next_hundred_decisions(void **state) {
    (void)state;
    each_case(FAKE_SPACE_MIXED, check_resume);
    each_case(FAKE_SPACE_CONDITIONAL, check_resume);
}

/* one of the studies each, in turn, and of gp's four cases of a pair one */
static void check_pair(ContractCase *c) {
    static size_t calls;
    static size_t turn;
    if (is_dear(c)) {
        const size_t call = calls++;
        if (call % 4 != call / 4 % 4) {
            return;
        }
    }
    check_study(c, turn++ % STUDIES);
}

static void every_pair_of_budget_and_sampler_does_too(void **state) {
    (void)state;
    each_pair(FAKE_SPACE_MIXED, check_pair);
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
static void check_early(ContractCase *c) {
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

static void check_runs(ContractCase *c) {
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

static void check_nothing_usable(ContractCase *c) {
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

static void check_failed_member(ContractCase *c) {
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

static void check_two_members(ContractCase *c) {
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
    resume_follow(c, &log, 0, (size_t)log.events[log.count - 1]->decision.number + 1);
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
        cmocka_unit_test(every_pair_of_budget_and_sampler_does_too),
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
