/** @file results_fixture.h  A study in a temporary folder, and short ways to fill it. */
#ifndef TESTS_RESULTS_RESULTS_FIXTURE_H
#define TESTS_RESULTS_RESULTS_FIXTURE_H

#include "results/report.h"
#include "results/store.h"
#include "tests/support/test_support.h"

/* indices of the hyperparameters of the fixture's space, in order */
enum { LR, HORIZON, LEARNED, OPTIMIZER, MOMENTUM, WIDTH, POINT_SIZE };

typedef struct Fixture {
    char        *folder;
    char        *path; /* folder/study.db */
    Space       *space;
    ResultsStudy study;
    Results     *results;   /* open for writing */
    double       point[16]; /* POINT_SIZE of them; more for a wider space */
    double       values[SCHEDULER_MAX_OBJECTIVES];
    Decision     decision;
} Fixture;

/** Setup and teardown of one test; *state is the Fixture. One objective (episode_reward, maximize,
 * mean_last of 3), one constraint (plan_flop <= 100), timing metric plan_seconds. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/** Two objectives (reward up, cost down), no constraint. */
int fixture_setup_two(void **state);

/** The space alone: lr (float, log), horizon (int), learned (bool), optimizer (adam, sgd; momentum
 * where sgd), width (ordinal 16, 32.5, "64", true). */
Space *fixture_space(void);
/** lr, and the rest at the default; optimizer sgd with this momentum if it is no NaN. */
const double *fixture_point(Fixture *f, double lr, double momentum);

void fixture_trial(Fixture *f, int64_t id);
/** Inserts a segment at the fixture's point; begin from the parent's end; reason as given. */
void fixture_segment(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end,
                     const char *reason);
/** Starts attempt 1, writes episode_reward `value` at every step, finishes with that objective. */
void fixture_finish(Fixture *f, int64_t id, double value);
/** segment + finish */
void fixture_done(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end, double value);
/** Appends a decided event for a segment with the fixture's decision filled in. */
void fixture_decided(Fixture *f, int64_t number, int64_t segment);
/** Appends a finished event that agrees with the row. */
void fixture_finished(Fixture *f, int64_t segment, Outcome outcome);
/** Canonical text in a new buffer. */
void fixture_canonical(Results *results, Buffer *out);

#endif
