#include "tests/schedulers/resume_property.h"

#include "tests/support/test_support.h"

enum { LEAST_EVENTS = 15 };

typedef bool (*Place)(const FakeLog *, size_t);

static bool is_decided(const FakeLog *log, size_t at) {
    return log->events[at]->event.kind == EVENT_DECIDED;
}

static void assert_decides(Scheduler *scheduler, const FakeLog *log, size_t at) {
    Decision next;
    assert_ok(scheduler_decide(scheduler, &next));
    assert_true(fake_same_decision(&next, &log->events[at]->decision, log->values));
}

static void assert_waits(Scheduler *scheduler) {
    Decision next;
    assert_ok(scheduler_decide(scheduler, &next));
    assert_int_equal(next.kind, DECISION_WAIT);
}

void resume_follow(const ContractCase *c, const FakeLog *log, size_t first, size_t ahead) {
    Scheduler *scheduler = fake_log_replay(c->ops, &c->setup, c->options, log, first);
    size_t     decided = 0;
    for (size_t i = first; i < log->count && decided < ahead; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->waited) {
            assert_waits(scheduler);
        }
        if (is_decided(log, i)) {
            assert_decides(scheduler, log, i);
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
        left -= is_decided(log, i - 1);
    }
    return i;
}

static bool is_in_a_batch(const FakeLog *log, size_t at) {
    return at > 0 && is_decided(log, at - 1) && is_decided(log, at);
}

static bool is_after_a_wait(const FakeLog *log, size_t at) {
    return log->events[at]->waited;
}

/* one of the places up to `last` that are of that kind; false if there is none */
static bool pick(const FakeLog *log, size_t last, Place is_one, Rng *rng, size_t *cut) {
    uint64_t seen = 0;
    for (size_t i = 0; i <= last; i++) {
        if (is_one(log, i) && rng_below(rng, ++seen) == 0) {
            *cut = i;
        }
    }
    return seen > 0;
}

static bool has_barriers(const ContractCase *c) {
    Scheduler *scheduler = NULL;
    assert_ok(scheduler_create(c->ops, &c->setup, c->options, &scheduler));
    const bool barrier = scheduler_order(scheduler) == SCHEDULER_ORDER_BARRIER;
    scheduler_destroy(scheduler);
    return barrier;
}

void resume_check(const ContractCase *c, const FakeLog *log, size_t anywhere, uint64_t seed) {
    const size_t last = last_cut(log, RESUME_AHEAD);
    Rng          rng = rng_stream(seed, 0, RNG_TEST);
    size_t       cut = 0;
    if (last < LEAST_EVENTS) {
        fail_msg("%s decides %zu events, too few to cut", c->ops->name, log->count);
    }
    for (size_t k = 0; k < anywhere; k++) {
        resume_follow(c, log, (size_t)rng_below(&rng, last + 1), RESUME_AHEAD);
    }
    if (pick(log, last, is_in_a_batch, &rng, &cut)) {
        resume_follow(c, log, cut, RESUME_AHEAD);
    } else {
        assert_false(has_barriers(c));
    }
    if (pick(log, last, is_after_a_wait, &rng, &cut)) {
        resume_follow(c, log, cut, RESUME_AHEAD);
    } else {
        assert_false(has_barriers(c));
    }
}
