/* Speed of the store: metric rows per second in groups of 1, 100 and 1000 (synchronous=FULL), and
 * the time to replay and to report a study of 10 000 segments with 10 values each. --quick does a
 * hundredth of it. Prints one line per number: topic, size, value, unit; medians of several
 * repetitions. */
#include "core/clock.h"
#include "core/file.h"
#include "core/statistics.h"
#include "tests/results/results_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPETITIONS = 11, NAMES = 10 };

static const char *const names[NAMES] = {
    "episode_reward", "episode_length",       "env_steps",           "plan_flop",   "train_flop",
    "plan_seconds",   "model_nll_validation", "model_nll_on_policy", "model_mse_1", "model_loss"};

static int64_t next_step = 1;

/* several segments report in turn, as several slots do */
static double rows_per_second(Fixture *f, int64_t rows, int64_t batch) {
    const double begin = clock_monotonic();
    for (int64_t row = 0; row < rows; row += batch) {
        assert_ok(results_begin(f->results));
        for (int64_t i = 0; i < batch; i++) {
            assert_ok(results_metric_insert(f->results, false, 1 + i % 8, next_step++, 0,
                                            names[i % NAMES], 0.5));
        }
        assert_ok(results_commit(f->results));
    }
    return (double)rows / (clock_monotonic() - begin);
}

static void bench_metrics(Fixture *f, int64_t batch, int64_t batches) {
    double values[REPETITIONS];
    for (int i = 0; i < REPETITIONS; i++) {
        values[i] = rows_per_second(f, batch * batches, batch);
    }
    statistics_sort(values, REPETITIONS);
    const Sample sorted = {.values = values, .n = REPETITIONS};
    printf("metric_rows,%lld,%.0f,rows/s,iqr %.0f\n", (long long)batch,
           statistics_quantile(sorted, 0.5), statistics_interquartile_range(sorted));
}

/* a study over ten hyperparameters, all active: the fixture's two kinds of choices and eight more
 */
static void widen(Fixture *f) {
    static char names_of[10][8];
    Space      *space = NULL;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < 10; i++) {
        SpaceParameter parameter = *space_at(f->space, (i == 8)   ? OPTIMIZER
                                                       : (i == 9) ? WIDTH
                                                                  : LR);
        (void)snprintf(names_of[i], sizeof names_of[i], "h%zu", i);
        parameter.name = names_of[i];
        assert_ok(space_add(space, &parameter));
    }
    assert_ok(space_seal(space));
    char *path = file_join(f->folder, "wide.db");
    f->study.space = space;
    results_close(f->results);
    assert_ok(results_create(path, &f->study, &f->results));
    space_destroy(f->space);
    f->space = space;
    free(path);
}

/* chains of segments of so many members, decided and finished in turn */
static void fill(Fixture *f, int64_t segments, int64_t members) {
    assert_ok(results_begin(f->results));
    for (int64_t id = 1; id <= segments; id++) {
        if (id <= members) {
            fixture_trial(f, id - 1);
        }
        space_defaults(f->space, f->point);
        f->point[0] = 0.001 + 1e-6 * (double)id;
        fixture_segment(f, id, (id > members) ? id - members : 0, (id - 1) % members,
                        1 + (id - 1) / members, "continue");
        fixture_decided(f, id - 1, id);
        fixture_finish(f, id, (double)(id % 97));
        fixture_finished(f, id, OUTCOME_DONE);
    }
    assert_ok(results_commit(f->results));
}

static Status count(void *context, const Event *event) {
    size_t *events = context;
    (void)event;
    (*events)++;
    return STATUS_OK;
}

static void bench_replay(Fixture *f, int64_t segments) {
    double       values[REPETITIONS];
    const double thread = clock_thread();
    for (int i = 0; i < REPETITIONS; i++) {
        size_t       events = 0;
        const double begin = clock_monotonic();
        assert_ok(results_log_replay(f->results, f->space, count, &events));
        values[i] = clock_monotonic() - begin;
        assert_int_equal(events, 2 * segments);
    }
    statistics_sort(values, REPETITIONS);
    printf("replay,%lld,%.4f,s,processor %.4f\n", (long long)segments, values[REPETITIONS / 2],
           (clock_thread() - thread) / REPETITIONS);
}

static void bench_report(Fixture *f, const char *what, int64_t segments,
                         Status (*report)(Results *results, Json **out)) {
    Json        *json = NULL;
    const double begin = clock_monotonic();
    const double thread = clock_thread();
    assert_ok(report(f->results, &json));
    printf("%s,%lld,%.4f,s,processor %.4f\n", what, (long long)segments, clock_monotonic() - begin,
           clock_thread() - thread);
    json_release(json);
}

int main(int argc, char **argv) {
    const bool    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const int64_t segments = quick ? 100 : 10000;
    void         *state = NULL;
    (void)fixture_setup(&state);
    Fixture *f = state;
    bench_metrics(f, 1, quick ? 1 : 20);
    bench_metrics(f, 100, quick ? 1 : 20);
    bench_metrics(f, 1000, quick ? 1 : 20);
    (void)fixture_teardown(&state);
    (void)fixture_setup(&state);
    f = state;
    widen(f);
    const double begin = clock_monotonic();
    fill(f, segments, 8);
    printf("fill,%lld,%.4f,s\n", (long long)segments, clock_monotonic() - begin);
    bench_replay(f, segments);
    bench_report(f, "report_segments", segments, report_segments);
    bench_report(f, "report_trials", segments, report_trials);
    bench_report(f, "report_best", segments, report_best);
    bench_report(f, "report_summary", segments, report_summary);
    (void)fixture_teardown(&state);
    /* random search: as many trials as segments */
    (void)fixture_setup(&state);
    f = state;
    widen(f);
    fill(f, segments, segments);
    bench_report(f, "report_trials, a segment each", segments, report_trials);
    return fixture_teardown(&state);
}
