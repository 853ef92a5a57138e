#include "tests/schedulers/hand.h"
#include "tests/schedulers/resume_property.h"

#include "tests/support/test_support.h"

#include <stdlib.h>
#include <string.h>

enum { POINTS = 140, PHASES = 2 };

/* the defaults, then the users' points in their order, then the end; a point that comes after the
 * end is run too */
static void runs_what_users_enqueue_and_nothing_else(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup setup = fake_setup(space);
    double         default_value = 0;
    space_defaults(space, &default_value);
    setup.trials = 10;
    setup.per_trial = 5;
    Scheduler *scheduler = hand_create("enqueue", &setup, NULL);
    for (int i = 0; i < 2; i++) {
        const double point[] = {(i == 0) ? 2e-3 : 4e-3};
        assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    }
    assert_close(hand_run(scheduler, 0, 0, "initial").point[0], default_value, 0, 0);
    assert_close(hand_run(scheduler, 1, 0, "enqueued").point[0], 2e-3, 0, 0);
    assert_close(hand_run(scheduler, 2, 0, "enqueued").point[0], 4e-3, 0, 0);
    hand_wait(scheduler);
    for (int64_t id = 1; id <= 3; id++) {
        hand_finish(scheduler, id, 1.0);
    }
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_string_equal(done.reason, "all 3 configurations have run");
    const double late[] = {8e-3};
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = late}));
    assert_close(hand_run(scheduler, 3, 0, "enqueued").point[0], 8e-3, 0, 0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* Points at random places of the log, never so late that the study would have ended before; the
 * decision that is due comes at `first` or later. `points`: (POINTS, values) */
static void enqueue_at_random(const Space *space, Rng *rng, int64_t first, double *points,
                              FakeInsert *inserts) {
    int64_t at = first;
    for (size_t i = 0; i < POINTS; i++) {
        double       *point = &points[i * space_count(space)];
        const int64_t latest = first + (int64_t)i;
        at += (int64_t)rng_below(rng, (uint64_t)(latest - at) / 4 + 2);
        at = (at < latest) ? at : latest;
        assert_ok(space_sample(space, rng, point));
        inserts[i] = (FakeInsert){.at = at, .event = {.kind = EVENT_ENQUEUED, .point = point}};
    }
}

/* two studies in one log: the second begins with points that come after the end of the first */
static void check_resume(const Space *space, size_t slots, int64_t repeats) {
    ContractCase c = {.setup = fake_setup(space)};
    FakeLog      log = {.events = NULL};
    Rng          rng = rng_stream(slots, (uint64_t)repeats, RNG_TEST);
    double      *points = calloc(POINTS * space_count(space), sizeof *points);
    Scheduler   *scheduler = NULL;
    FakeInsert   inserts[POINTS];
    assert_non_null(points);
    assert_ok(scheduler_find("enqueue", &c.ops));
    c.setup.per_trial = 2 * c.setup.segment;
    c.setup.total = PHASES * 2 * POINTS * repeats * c.setup.per_trial;
    c.setup.repeats = repeats;
    assert_ok(scheduler_create(c.ops, &c.setup, c.options, &scheduler));
    for (uint64_t phase = 0; phase < PHASES; phase++) {
        Decision           done;
        const FakeSettings settings = {.slots = slots,
                                       .seed = slots + phase,
                                       .fail = 0.1,
                                       .inserts = inserts,
                                       .insert_count = POINTS};
        enqueue_at_random(space, &rng, scheduler_decisions(scheduler), points, inserts);
        fake_study_drive(scheduler, &settings, &log, &done);
        assert_int_equal(fake_log_reasons(&log, "enqueued"), (phase + 1) * POINTS);
    }
    for (uint64_t seed = 1; seed <= 10; seed++) {
        resume_check(&c, &log, 4, seed);
    }
    scheduler_destroy(scheduler);
    fake_log_free(&log);
    free(points);
}

static void stopping_anywhere_gives_the_same_next_hundred_decisions(void **state) {
    static const size_t    slots[] = {1, 3, 64};
    static const FakeSpace spaces[] = {FAKE_SPACE_MIXED, FAKE_SPACE_CONDITIONAL};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        Space *space = fake_space(spaces[i % 2]);
        check_resume(space, slots[i / 2], 1);
        check_resume(space, slots[i / 2], 3);
        space_destroy(space);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_what_users_enqueue_and_nothing_else),
        cmocka_unit_test(stopping_anywhere_gives_the_same_next_hundred_decisions),
    };
    return cmocka_run_group_tests_name("schedulers/enqueue", tests, NULL, NULL);
}
