/* What schedulers say that their decisions depend on, held against their decisions. */
#include "tests/schedulers/contract_case.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <string.h>

/* replaces objectives from `first` on by numbers of their own */
static void other_objectives(void *context, const Decision *decision, Outcome *outcome,
                             double *objectives, double *spreads) {
    const size_t first = *(const size_t *)context;
    (void)outcome;
    (void)spreads;
    for (size_t i = first; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        objectives[i] = (double)((decision->id * (int64_t)(7 + i)) % 11);
    }
}

/* do two studies decide alike? Notes may tell results */
static bool same_decisions(const FakeLog *a, const FakeLog *b) {
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const FakeEvent *x = a->events[i];
        const FakeEvent *y = b->events[i];
        same = x->event.kind == y->event.kind && x->decision.kind == y->decision.kind &&
               x->decision.parent == y->decision.parent && x->decision.end == y->decision.end &&
               (x->decision.kind != DECISION_RUN || x->event.kind != EVENT_DECIDED ||
                fake_same_values(x->point, y->point, a->values));
    }
    return same;
}

static void run(const ContractCase *c, const size_t *replaced, FakeLog *log) {
    size_t       first = (replaced == NULL) ? SCHEDULER_MAX_OBJECTIVES : *replaced;
    FakeSettings settings = {
        .slots = 1, .seed = 5, .noise = 0.5, .script = other_objectives, .context = &first};
    Decision done;
    fake_study_run(c->ops, &c->setup, c->options, &settings, log, &done);
}

static bool changes(const ContractCase *c, size_t first) {
    FakeLog plain;
    FakeLog other;
    run(c, NULL, &plain);
    run(c, &first, &other);
    const bool same = same_decisions(&plain, &other);
    fake_log_free(&plain);
    fake_log_free(&other);
    return !same;
}

static void check_objectives(ContractCase *c) {
    const size_t uses = scheduler_uses(c->ops, c->options).objectives;
    const size_t survivors = option_find(c->ops->options, "survivors");
    c->setup.objective_count = 3;
    c->setup.maximize[1] = true;
    c->setup.maximize[2] = true;
    if (!c->ops->population && !c->ops->stops_early) {
        c->setup.trials = 24; /* models have enough to learn from */
        c->setup.total = 24 * c->setup.per_trial;
    }
    if (survivors < option_count(c->ops->options)) {
        c->options[survivors] = 6.0;
    }
    if (uses < 3) {
        assert_false(changes(c, uses));
    }
    if (uses > 1 && !c->ops->stops_early) {
        assert_true(changes(c, 1));
    }
    if (c->ops->population || c->ops->stops_early) {
        assert_true(uses >= 1);
    }
    assert_true(!c->ops->population || scheduler_uses(c->ops, c->options).segments);
}

static void what_is_ignored_of_objectives_changes_no_decision(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_objectives);
}

static void check_cost(ContractCase *c) {
    FakeLog plain;
    FakeLog costly;
    if (!c->ops->population && !c->ops->stops_early) {
        c->setup.trials = 24;
        c->setup.total = 24 * c->setup.per_trial;
    }
    run(c, NULL, &plain);
    c->setup.cost_aware = true;
    run(c, NULL, &costly);
    const bool same = same_decisions(&plain, &costly);
    if (!scheduler_uses(c->ops, c->options).cost) {
        assert_true(same);
    } else if (!c->ops->stops_early) {
        assert_false(same);
    }
    fake_log_free(&plain);
    fake_log_free(&costly);
}

static void a_cost_changes_what_those_decide_that_weigh_it(void **state) {
    (void)state;
    contract_each(FAKE_SPACE_MIXED, check_cost);
}

static void check_evaluations(const SchedulerOps *ops, const Space *space, double episodes) {
    ContractCase c;
    FakeLog      log;
    size_t       evaluations = 0;
    contract_case(ops, space, &c);
    const size_t row = option_find(ops->options, "elite_evaluations");
    if (row < option_count(ops->options)) {
        c.options[row] = episodes;
    }
    run(&c, NULL, &log);
    for (size_t i = 0; i < log.count; i++) {
        evaluations += log.events[i]->event.kind == EVENT_DECIDED &&
                       log.events[i]->decision.kind == DECISION_EVALUATE;
    }
    const char *by = scheduler_uses(ops, c.options).evaluations;
    assert_true((by != NULL) == (evaluations > 0));
    assert_true(by == NULL || strcmp(by, "elite_evaluations") == 0);
    fake_log_free(&log);
}

static void who_asks_for_evaluations_says_so(void **state) {
    Space *space = fake_space(FAKE_SPACE_MIXED);
    (void)state;
    for (size_t i = 0; i < scheduler_count(); i++) {
        if (strcmp(scheduler_at(i)->name, "enqueue") != 0) {
            check_evaluations(scheduler_at(i), space, 0.0);
            check_evaluations(scheduler_at(i), space, 3.0);
        }
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ignored_of_objectives_changes_no_decision),
        cmocka_unit_test(a_cost_changes_what_those_decide_that_weigh_it),
        cmocka_unit_test(who_asks_for_evaluations_says_so),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
