#include "tests/results/results_fixture.h"

#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const timing[] = {"plan_seconds"};

static char  text_lr[] = "lr";
static char  text_horizon[] = "horizon";
static char  text_learned[] = "learned";
static char  text_optimizer[] = "optimizer";
static char  text_momentum[] = "momentum";
static char  text_width[] = "width";
static char  text_adam[] = "adam";
static char  text_sgd[] = "sgd";
static char  text_16[] = "16";
static char  text_32[] = "32.5";
static char  text_64[] = "64";
static char  text_true[] = "true";
static char *optimizers[] = {text_adam, text_sgd};
static char *widths[] = {text_16, text_32, text_64, text_true};

Space *fixture_space(void) {
    static const bool    quoted[4] = {false, false, true, false};
    double               sgd = 1.0;
    const SpaceTest      when = {.parameter = OPTIMIZER,
                                 .values = &sgd,
                                 .value_count = 1,
                                 .above = (double)NAN,
                                 .below = (double)NAN};
    Space               *space = NULL;
    const SpaceParameter parameters[POINT_SIZE] = {
        [LR] = {.name = text_lr,
                .type = SPACE_FLOAT,
                .lower = 1e-5,
                .upper = 1.0,
                .log = true,
                .dynamic = true,
                .default_value = 1e-3},
        [HORIZON] = {.name = text_horizon,
                     .type = SPACE_INT,
                     .lower = 5,
                     .upper = 40,
                     .dynamic = true,
                     .default_value = 25},
        [LEARNED] = {.name = text_learned, .type = SPACE_BOOL, .default_value = 1},
        [OPTIMIZER] = {.name = text_optimizer,
                       .type = SPACE_CATEGORICAL,
                       .choices = optimizers,
                       .choice_count = 2},
        [MOMENTUM] = {.name = text_momentum,
                      .type = SPACE_FLOAT,
                      .lower = 0.0,
                      .upper = 1.0,
                      .default_value = 0.9},
        [WIDTH] = {.name = text_width,
                   .type = SPACE_ORDINAL,
                   .choices = widths,
                   .quoted = quoted,
                   .choice_count = 4,
                   .default_value = 1},
    };
    assert_ok(space_create(&space));
    for (size_t i = 0; i < POINT_SIZE; i++) {
        assert_ok(space_add(space, &parameters[i]));
    }
    assert_ok(space_add_when(space, MOMENTUM, &when));
    assert_ok(space_seal(space));
    return space;
}

static void study_fill(Fixture *f) {
    f->study = (ResultsStudy){
        .name = "swingup",
        .agent = "pets",
        .environment = "cartpole_swingup",
        .unit = "episode",
        .scheduler = "pbt-bt",
        .study_hash = "0123456789abcdef",
        .definition = "{\"name\":\"swingup\"}",
        .numerics = "generic",
        .irreproducible = "",
        .seed = 7,
        .space = f->space,
        .objective_count = 1,
        .objective_metric = {"episode_reward", "cost"},
        .objective_reduce = {"mean_last", "last"},
        .objective_window = {3, 1},
        .objective_maximize = {true, false},
        .constraint_count = 1,
        .constraint_metric = {"plan_flop"},
        .constraint_lower = {-(double)INFINITY},
        .constraint_upper = {100.0},
        .timing_metric_count = 1,
        .timing_metrics = timing,
    };
}

static int setup(void **state, size_t objectives, size_t constraints) {
    Fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = test_folder_make();
    f->path = file_join(f->folder, "study.db");
    f->space = fixture_space();
    study_fill(f);
    f->study.objective_count = objectives;
    f->study.constraint_count = constraints;
    assert_ok(results_create(f->path, &f->study, &f->results));
    (void)fixture_point(f, 1e-3, (double)NAN);
    *state = f;
    return 0;
}

int fixture_setup(void **state) {
    return setup(state, 1, 1);
}

int fixture_setup_two(void **state) {
    return setup(state, 2, 0);
}

int fixture_teardown(void **state) {
    Fixture *f = *state;
    results_close(f->results);
    space_destroy(f->space);
    test_folder_remove(f->folder);
    free(f->path);
    free(f);
    return 0;
}

const double *fixture_point(Fixture *f, double lr, double momentum) {
    space_defaults(f->space, f->point);
    f->point[LR] = lr;
    f->point[OPTIMIZER] = isnan(momentum) ? 0.0 : 1.0;
    f->point[MOMENTUM] = momentum;
    return f->point;
}

void fixture_trial(Fixture *f, int64_t id) {
    const ResultsTrial trial = {.id = id, .kind = TRIAL_TUNE, .number = id};
    assert_ok(results_trial_insert(f->results, &trial));
}

void fixture_segment(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end,
                     const char *reason) {
    ResultsSegment parent_row = {.end = 0};
    if (parent != 0) {
        assert_ok(results_segment_read(f->results, NULL, parent, &parent_row));
    }
    ResultsSegment segment = {.id = id,
                              .parent = parent,
                              .trial = trial,
                              .decision = id - 1,
                              .begin = parent_row.end,
                              .end = end,
                              .seed = 100,
                              .point = f->point};
    (void)snprintf(segment.reason, sizeof segment.reason, "%s", reason);
    (void)snprintf(segment.note, sizeof segment.note, "note %d", (int)id);
    assert_ok(results_segment_insert(f->results, &segment));
}

void fixture_finish(Fixture *f, int64_t id, double value) {
    ResultsSegment row = {.point = NULL};
    const double   spreads[SCHEDULER_MAX_OBJECTIVES] = {0.5, 0.5};
    const double   flop = 50.0;
    assert_ok(results_segment_read(f->results, NULL, id, &row));
    assert_ok(results_attempt_start(f->results, id, row.attempt + 1, 1, "host"));
    for (int64_t step = row.begin + 1; step <= row.end; step++) {
        assert_ok(results_metric_insert(f->results, false, id, step, 0, "episode_reward", value));
    }
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        f->values[i] = value;
    }
    assert_ok(results_segment_finish(f->results, id, row.attempt + 1, f->values, spreads, &flop,
                                     1000, 0xfedcba9876543210U, 2.0));
}

void fixture_done(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end,
                  double value) {
    fixture_segment(f, id, parent, trial, end, (parent == 0) ? "initial" : "continue");
    fixture_finish(f, id, value);
}

void fixture_decided(Fixture *f, int64_t number, int64_t segment) {
    f->decision.kind = DECISION_RUN;
    f->decision.number = number;
    f->decision.id = segment;
    const Event event = {.kind = EVENT_DECIDED, .decision = &f->decision};
    assert_ok(results_event_append(f->results, &event));
}

void fixture_finished(Fixture *f, int64_t segment, Outcome outcome) {
    const Event event = {.kind = EVENT_FINISHED, .id = segment, .outcome = outcome};
    assert_ok(results_event_append(f->results, &event));
}

void fixture_canonical(Results *results, Buffer *out) {
    buffer_init(out, 16 * 1024 * 1024);
    assert_ok(report_canonical(results, out));
}
