/* What pb2 and bg-pbt learn: the values that they choose by their model. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEGMENTS = 4096, MEMBERS = 8, SEEDS = 5, DEPTH = 200 };

/* A problem whose state is what the lineage has learned: a unit brings 1 at the best value and less
 * away from it; the best value may move with the depth; some values may fail. */
typedef struct Problem {
    const Space *space;
    double       score[MOST_SEGMENTS]; /* by segment */
    double       drift;                /* of the best coordinate over the whole depth */
    double       fails_above;          /* coordinate */
    size_t       index;                /* of the hyperparameter that matters */
    Rng          noise;
    double       deviation;
} Problem;

static double coordinate(const Problem *problem, const double *point) {
    double unit[16];
    space_encode(problem->space, point, unit);
    return unit[problem->index];
}

static double best_at(const Problem *problem, int64_t begin) {
    return 0.3 + problem->drift * (double)begin / DEPTH;
}

static void train(void *context, const Decision *decision, Outcome *outcome, double *objectives,
                  double *spreads) {
    Problem     *problem = context;
    const double u = coordinate(problem, decision->point);
    const double apart = u - best_at(problem, decision->begin);
    (void)spreads;
    assert_true(decision->id < MOST_SEGMENTS);
    problem->score[decision->id] =
        problem->score[decision->parent] +
        (double)(decision->end - decision->begin) * (1.0 - 4.0 * apart * apart);
    objectives[0] = problem->score[decision->id] + problem->deviation * rng_normal(&problem->noise);
    *outcome = (u > problem->fails_above) ? OUTCOME_DIVERGED : *outcome;
}

/* what a study's decisions by the model were like, in its second half */
typedef struct Learned {
    double apart;  /* mean distance from the best coordinate */
    double failed; /* share that failed */
    double best;   /* final score */
    size_t n;
} Learned;

static void look(const Problem *problem, const FakeLog *log, Learned *learned) {
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        const Decision  *d = &entry->decision;
        if (entry->event.kind != EVENT_DECIDED || d->kind != DECISION_RUN) {
            continue;
        }
        if (d->branch && d->begin >= DEPTH / 2) {
            const double u = coordinate(problem, d->point);
            learned->apart += fabs(u - best_at(problem, d->begin));
            learned->failed += u > problem->fails_above;
            learned->n++;
        }
        learned->best = fmax(learned->best, problem->score[d->id]);
    }
}

static Learned learn(const char *name, double mode, Problem *problem) {
    const SchedulerOps *ops = NULL;
    SchedulerSetup      setup = fake_setup(problem->space);
    double              options[64];
    Learned             sum = {0};
    assert_ok(scheduler_find(name, &ops));
    fake_options(ops, options, "population", (double)MEMBERS, "mode", mode, NULL);
    setup.per_trial = DEPTH;
    setup.total = (int64_t)MEMBERS * DEPTH;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const FakeSettings settings = {
            .slots = 4, .seed = seed, .script = train, .context = problem};
        FakeLog  log;
        Decision done;
        setup.seed = seed;
        problem->noise = rng_stream(seed, 0, RNG_TEST);
        fake_study_run(ops, &setup, options, &settings, &log, &done);
        look(problem, &log, &sum);
        fake_log_free(&log);
    }
    sum.apart /= (double)sum.n;
    sum.failed /= (double)sum.n;
    return sum;
}

static const char *const learners[] = {"pb2", "bg-pbt"};

/* the first dynamic hyperparameter of a mixed space matters; random moves end up anywhere */
static void the_best_value_is_found_and_followed(void **state) {
    (void)state;
    Space   *space = fake_space(FAKE_SPACE_MIXED);
    Problem *problem = calloc(1, sizeof *problem);
    assert_non_null(problem);
    for (int drifts = 0; drifts < 2; drifts++) {
        *problem = (Problem){.space = space,
                             .drift = (drifts == 1) ? 0.5 : 0.0,
                             .fails_above = 2.0,
                             .index = 1,
                             .deviation = 0.5};
        const Learned random = learn("pbt", 0.0, problem);
        for (size_t k = 0; k < 2; k++) {
            for (int mode = 0; mode < 2; mode++) {
                const Learned model = learn(learners[k], (double)mode, problem);
                print_message("%s, %s: apart %.3f, pbt %.3f\n", learners[k],
                              (mode == 0) ? "synchronous" : "asynchronous", model.apart,
                              random.apart);
                assert_true(model.apart < 0.85 * random.apart);
            }
        }
    }
    free(problem);
    space_destroy(space);
}

/* the best value is 0.05 below a wall */
static void values_that_fail_are_left(void **state) {
    (void)state;
    Space   *space = fake_space(FAKE_SPACE_MIXED);
    Problem *problem = calloc(1, sizeof *problem);
    assert_non_null(problem);
    *problem = (Problem){.space = space, .fails_above = 0.5, .index = 1, .deviation = 0.5};
    for (size_t k = 0; k < 2; k++) {
        const Learned model = learn(learners[k], 0.0, problem);
        print_message("%s: %.0f %% of %zu choices fail\n", learners[k], 100.0 * model.failed,
                      model.n);
        assert_true(model.failed < 0.15);
    }
    free(problem);
    space_destroy(space);
}

/* as long as there is nothing to learn from, values move as in pbt */
static void the_first_moves_are_those_of_pbt(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = fake_setup(space);
    Scheduler     *pb2 = hand_create("pb2", &setup, "population", 4.0, NULL);
    Scheduler     *pbt = hand_create("pbt", &setup, "population", 4.0, NULL);
    const double   scores[4] = {1.0, 2.0, 3.0, 4.0};
    (void)hand_round(pb2, 4, scores);
    (void)hand_round(pbt, 4, scores);
    for (int i = 0; i < 4; i++) {
        const Decision a = hand_decide(pb2);
        const Decision b = hand_decide(pbt);
        assert_string_equal(a.reason, b.reason);
        assert_int_equal(a.memo_size, 0);
        assert_true(fake_same_values(a.point, b.point, space_count(space)));
    }
    for (int64_t i = 5; i <= 8; i++) {
        hand_finish(pb2, i, (double)(3 * i));
    }
    /* now there are four improvements, and a fit, which travels in the memo */
    const Decision worst = hand_decide(pb2);
    assert_string_equal(worst.reason, "exploit");
    assert_contains(worst.note, "model of 4 improvements");
    assert_true(worst.memo_size > 0);
    scheduler_destroy(pb2);
    scheduler_destroy(pbt);
    space_destroy(space);
}

static void a_damaged_memo_is_refused(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = fake_setup(space);
    for (size_t k = 0; k < 2; k++) {
        double      memo[64];
        Decision    decision;
        Scheduler  *scheduler = hand_create(learners[k], &setup, NULL);
        const Event event = {.kind = EVENT_DECIDED, .decision = &decision};
        assert_ok(scheduler_decide(scheduler, &decision));
        for (size_t i = 0; i < 64; i++) {
            memo[i] = (double)NAN;
        }
        decision.memo = memo;
        decision.memo_size = 3;
        assert_fails(scheduler_observe(scheduler, &event), STATUS_ERR_STATE, "a memo of 3 bytes");
        /* d = 4 + 2 */
        decision.memo_size = sizeof(int64_t) + 8 * sizeof(double);
        assert_fails(scheduler_observe(scheduler, &event), STATUS_ERR_STATE, "no finite number");
        decision.memo_size = 0;
        assert_ok(scheduler_observe(scheduler, &event));
        scheduler_destroy(scheduler);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_value_is_found_and_followed),
        cmocka_unit_test(values_that_fail_are_left),
        cmocka_unit_test(the_first_moves_are_those_of_pbt),
        cmocka_unit_test(a_damaged_memo_is_refused),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/pb2", tests, NULL, NULL);
}
