/* The connection: creating, opening, groups, kills, full disks, readers, upgrades, damage. */
#include "core/clock.h"
#include "core/file.h"
#include "tests/results/results_fixture.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t count_of(Results *results, const char *sql) {
    int64_t count = -1;
    assert_ok(results__integer(results, sql, -1, &count, ""));
    return count;
}

static int64_t segments_of(Results *results) {
    return count_of(results, "SELECT count(*) FROM segment");
}

static Results *open_reader(Fixture *f) {
    Results *reader = NULL;
    assert_ok(results_open(f->path, RESULTS_READ, &reader));
    return reader;
}

/* ---- creating and opening ------------------------------------------------------------------- */

static void creates_a_study_and_reads_its_row(void **state) {
    Fixture *f = *state;
    Buffer   text;
    buffer_init(&text, 1024);
    assert_ok(results_study_text(f->results, "agent", &text));
    assert_string_equal(buffer_text(&text), "pets");
    buffer_clear(&text);
    assert_ok(results_study_text(f->results, "seed", &text));
    assert_string_equal(buffer_text(&text), "7");
    assert_fails(results_study_text(f->results, "colour", &text), STATUS_ERR_UNKNOWN_NAME,
                 "colour");
    buffer_reset(&text);
    assert_int_equal(count_of(f->results, "PRAGMA synchronous"), 2);
    assert_int_equal(count_of(f->results, "PRAGMA foreign_keys"), 1);
}

static void refuses_to_create_over_a_file(void **state) {
    Fixture *f = *state;
    Results *other = (Results *)f;
    assert_fails(results_create(f->path, &f->study, &other), STATUS_ERR_STATE, "exists");
    assert_null(other);
}

static void refuses_a_study_without_objectives_and_a_seed_too_large(void **state) {
    Fixture *f = *state;
    Results *other = NULL;
    char    *path = file_join(f->folder, "other.db");
    f->study.objective_count = 0;
    assert_fails(results_create(path, &f->study, &other), STATUS_ERR_ARG, "objectives");
    f->study.objective_count = 1;
    f->study.seed = UINT64_MAX;
    assert_fails(results_create(path, &f->study, &other), STATUS_ERR_RANGE, "2^63");
    /* a row that the schema refuses: nothing stays on disk */
    f->study.seed = 1;
    f->study.constraint_upper[0] = -(double)INFINITY;
    f->study.constraint_lower[0] = 0.0;
    assert_fails(results_create(path, &f->study, &other), STATUS_ERR_STATE, "refused");
    assert_null(other);
    assert_false(file_exists(path));
    free(path);
}

static void opening_a_missing_file_says_so(void **state) {
    Fixture *f = *state;
    Results *other = NULL;
    char    *path = file_join(f->folder, "nothing.db");
    assert_fails(results_open(path, RESULTS_READ, &other), STATUS_ERR_IO, "no such file");
    assert_fails(results_open(path, RESULTS_WRITE, &other), STATUS_ERR_IO, "no such file");
    assert_null(other);
    assert_false(file_exists(path));
    free(path);
}

static void a_text_or_another_database_is_no_study(void **state) {
    Fixture   *f = *state;
    Results   *other = NULL;
    char      *path = file_join(f->folder, "other.db");
    const char text[] = "name: swingup-pbt-bt\nagent: pets\n# this is a text and no database\n";
    assert_ok(file_write_atomic(path, text, sizeof text));
    assert_fails(results_open(path, RESULTS_READ, &other), STATUS_ERR_CORRUPT, "no database");
    assert_fails(results_open(path, RESULTS_WRITE, &other), STATUS_ERR_CORRUPT, "no database");
    assert_ok(file_write_atomic(path, text, 0));
    assert_fails(results_open(path, RESULTS_WRITE, &other), STATUS_ERR_CORRUPT,
                 "not the database of a study");

    /* a database with another application id keeps its journal mode */
    assert_ok(results__script(f->results, "PRAGMA application_id = 5"));
    assert_fails(results_open(f->path, RESULTS_READ, &other), STATUS_ERR_CORRUPT,
                 "not the database of a study");
    assert_null(other);
    free(path);
}

static void a_newer_version_is_named_in_one_sentence(void **state) {
    Fixture *f = *state;
    Results *other = NULL;
    assert_ok(results__script(f->results, "PRAGMA user_version = 7"));
    assert_fails(results_open(f->path, RESULTS_READ, &other), STATUS_ERR_VERSION,
                 "version 7 of the database is newer than this program's 3");
    assert_fails(results_open(f->path, RESULTS_WRITE, &other), STATUS_ERR_VERSION, "newer mbtune");
    assert_null(other);
}

static void an_older_version_is_upgraded_by_a_writer_only(void **state) {
    Fixture               *f = *state;
    Results               *other = NULL;
    const ResultsMigration steps[] = {
        {3, "CREATE TABLE two (x INTEGER) STRICT; INSERT INTO two SELECT count(*) FROM study;"},
        {4, "ALTER TABLE two ADD COLUMN y INTEGER NOT NULL DEFAULT 5;"}};
    const ResultsMigration broken[] = {{3, "CREATE TABLE two (x INTEGER) STRICT;"},
                                       {4, "ALTER TABLE missing ADD COLUMN y INTEGER;"}};

    assert_fails(results__open_with(f->path, RESULTS_READ, steps, 2, 5, &other), STATUS_ERR_VERSION,
                 "older");
    /* all steps or none */
    assert_fails(results__open_with(f->path, RESULTS_WRITE, broken, 2, 5, &other),
                 STATUS_ERR_DATABASE, "missing");
    assert_fails(results__open_with(f->path, RESULTS_WRITE, steps, 1, 5, &other),
                 STATUS_ERR_VERSION, "no longer");
    assert_int_equal(count_of(f->results, "PRAGMA user_version"), 3);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM sqlite_schema WHERE name = 'two'"),
                     0);

    assert_ok(results__open_with(f->path, RESULTS_WRITE, steps, 2, 5, &other));
    assert_int_equal(count_of(other, "PRAGMA user_version"), 5);
    assert_int_equal(count_of(other, "SELECT x + y FROM two"), 6);
    results_close(other);
}

static void a_truncated_database_is_damaged(void **state) {
    Fixture    *f = *state;
    Results    *other = NULL;
    struct stat info;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    assert_ok(results_commit(f->results));
    results_close(f->results);
    f->results = NULL;
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(truncate(f->path, info.st_size / 2), 0);
    assert_fails(results_open(f->path, RESULTS_READ, &other), STATUS_ERR_CORRUPT, f->path);
    assert_fails(results_open(f->path, RESULTS_WRITE, &other), STATUS_ERR_CORRUPT, f->path);
    assert_null(other);
}

static void closing_and_rolling_back_nothing_does_no_harm(void **state) {
    Fixture *f = *state;
    /* accepted without harm */
    results_close(NULL);
    results_rollback(f->results);
}

/* ---- groups --------------------------------------------------------------------------------- */

static void writes_need_a_group_and_groups_do_not_nest(void **state) {
    Fixture           *f = *state;
    const ResultsTrial trial = {.id = 0};
    assert_fails(results_trial_insert(f->results, &trial), STATUS_ERR_STATE, "results_begin");
    assert_fails(results_commit(f->results), STATUS_ERR_STATE, "results_begin");
    assert_ok(results_begin(f->results));
    assert_fails(results_begin(f->results), STATUS_ERR_STATE, "already open");
    assert_ok(results_trial_insert(f->results, &trial));
    assert_ok(results_commit(f->results));
    Results *reader = open_reader(f);
    assert_fails(results_begin(reader), STATUS_ERR_STATE, "reading only");
    results_close(reader);
}

static void a_rolled_back_group_leaves_nothing_and_forgets_new_names(void **state) {
    Fixture *f = *state;
    double   value = 0.0;
    size_t   found = 9;
    assert_ok(results_begin(f->results));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "fresh", 1.0));
    results_rollback(f->results);
    assert_ok(results_begin(f->results));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "fresh", 2.0));
    assert_ok(results_commit(f->results));
    assert_ok(results_metric_read(f->results, false, 1, "fresh", 1, &value, &found));
    assert_int_equal(found, 1);
    assert_close(value, 2.0, 0.0, 0.0);
}

static void a_write_that_fails_halfway_takes_its_group_along(void **state) {
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    assert_ok(results_commit(f->results));
    assert_ok(results_begin(f->results));
    fixture_trial(f, 1);
    ResultsSegment segment = {.id = 1, .trial = 0, .end = 5, .point = f->point};
    f->point[OPTIMIZER] = 2.0; /* no such choice: fails after the row itself was inserted */
    assert_fails(results_segment_insert(f->results, &segment), STATUS_ERR_ARG, "does not fit");
    f->point[OPTIMIZER] = 0.0;
    assert_fails(results_segment_insert(f->results, &segment), STATUS_ERR_STATE, "failed already");
    assert_fails(results_commit(f->results), STATUS_ERR_STATE, "failed already");
    results_rollback(f->results);
    assert_int_equal(segments_of(f->results), 0);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM trial"), 1);
    assert_ok(results_begin(f->results));
    assert_ok(results_segment_insert(f->results, &segment));
    assert_ok(results_commit(f->results));
    assert_int_equal(segments_of(f->results), 1);
}

static void a_write_that_is_refused_at_once_leaves_its_group_as_it_was(void **state) {
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    assert_fails(results_attempt_start(f->results, 1, 2, 0, "here"), STATUS_ERR_STATE,
                 "expected a queued segment");
    fixture_done(f, 2, 1, 0, 10, 2.0);
    assert_ok(results_commit(f->results));
    assert_int_equal(segments_of(f->results), 2);
}

static void a_full_disk_is_one_clear_error_and_loses_nothing(void **state) {
    Fixture *f = *state;
    char     pragma[64];
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    assert_ok(results_commit(f->results));
    (void)snprintf(pragma, sizeof pragma, "PRAGMA max_page_count=%d",
                   (int)count_of(f->results, "PRAGMA page_count") + 1);
    assert_ok(results__script(f->results, pragma));

    assert_ok(results_begin(f->results));
    Status status = STATUS_OK;
    for (int64_t step = 0; status == STATUS_OK && step < 100000; step++) {
        status = results_metric_insert(f->results, false, 1, step, 0, "big", 0.1);
    }
    assert_int_equal(status, STATUS_ERR_DATABASE);
    assert_contains(status_last()->text, "disk is full");
    /* the group is over, whether SQLite ended it or not; nobody may go on inside it */
    results_rollback(f->results);
    assert_int_equal(segments_of(f->results), 1);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 5);

    assert_ok(results__script(f->results, "PRAGMA max_page_count=1000000"));
    assert_ok(results_begin(f->results));
    assert_ok(results_metric_insert(f->results, false, 1, 6, 0, "big", 0.1));
    assert_ok(results_commit(f->results));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 6);
}

/* ---- readers -------------------------------------------------------------------------------- */

static void readers_see_the_last_commit_and_never_wait(void **state) {
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    assert_ok(results_commit(f->results));
    Results *first = open_reader(f);
    assert_ok(results_begin(f->results));
    fixture_done(f, 2, 1, 0, 10, 2.0);
    Results *second = open_reader(f); /* opened while the writer writes */
    assert_int_equal(segments_of(first), 1);
    assert_int_equal(segments_of(second), 1);
    assert_ok(results_commit(f->results));
    assert_int_equal(segments_of(first), 2);
    assert_int_equal(segments_of(second), 2);
    results_close(first);
    results_close(second);
}

static Status write_while_visited(void *context, const ResultsSegment *segment) {
    Fixture *f = context;
    TRY(results_begin(f->results));
    TRY(results_checkpoint_set(f->results, segment->id, 0, 0, 0));
    return results_commit(f->results);
}

static atomic_bool enough; /* was written */
static atomic_long reads;

/* two of them overlap: there is always one */
static void *read_on_and_on(void *argument) {
    const char *path = argument;
    Results    *reader = NULL;
    if (results_open(path, RESULTS_READ, &reader) != STATUS_OK) {
        return NULL;
    }
    while (!atomic_load(&enough)) {
        int64_t      count = 0;
        const Status begun = results__snapshot_begin(reader);
        const Status read = results__integer(reader, "SELECT count(*) FROM metric", 0, &count, "");
        clock_sleep(0.02);
        results__snapshot_end(reader);
        atomic_fetch_add(&reads, (begun == STATUS_OK && read == STATUS_OK) ? 1 : 0);
    }
    results_close(reader);
    return NULL;
}

static void readers_without_a_pause_do_not_let_the_log_grow(void **state) {
    enum { READERS = 2, LARGE = 1500, GROUPS = 300, ROWS = 1000 };
    Fixture    *f = *state;
    pthread_t   threads[READERS];
    struct stat info;
    char        log[512];
    (void)snprintf(log, sizeof log, "%s-wal", f->path);
    results__write_log_watch(f->results, LARGE);
    atomic_store(&enough, false);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_on_and_on, f->path), 0);
    }
    while (atomic_load(&reads) == 0) {
        clock_sleep(0.001);
    }
    for (int64_t group = 0; group < GROUPS; group++) {
        assert_ok(results_begin(f->results));
        for (int64_t row = 0; row < ROWS; row++) {
            assert_ok(results_metric_insert(f->results, false, 1 + group, row, 0, "x", 0.1));
        }
        assert_ok(results_commit(f->results));
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(stat(log, &info), 0);
    print_message("a log of %lld pages, %ld reads\n", (long long)info.st_size / 4096,
                  atomic_load(&reads));
    assert_true(info.st_size < (off_t)2 * LARGE * 4096);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), (int64_t)GROUPS * ROWS);
}

static void a_visitor_may_write(void **state) {
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    fixture_done(f, 2, 1, 0, 10, 1.0);
    assert_ok(results_commit(f->results));
    assert_ok(results_segments_visit(f->results, RESULTS_ALL, write_while_visited, f));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM segment WHERE kept"), 0);
}

static Status reader_sees_one_state(void *context, const ResultsSegment *segment) {
    Fixture *f = context;
    if (segment->id == 1) {
        assert_ok(results_begin(f->results));
        fixture_done(f, 3, 2, 0, 15, 1.0);
        assert_ok(results_commit(f->results));
    }
    assert_true(segment->id < 3);
    return STATUS_OK;
}

static void a_readers_visit_sees_one_state(void **state) {
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 1.0);
    fixture_done(f, 2, 1, 0, 10, 1.0);
    assert_ok(results_commit(f->results));
    Results *reader = open_reader(f);
    assert_ok(results_segments_visit(reader, RESULTS_ALL, reader_sees_one_state, f));
    assert_int_equal(segments_of(reader), 3);
    results_close(reader);
}

/* in the child: root may write anywhere, so it becomes somebody else first */
static void read_without_permission(char *path) {
    Results *reader = NULL;
    int64_t  count = -1;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        _exit(1);
    }
    const bool fine =
        results_open(path, RESULTS_READ, &reader) == STATUS_OK &&
        results__integer(reader, "SELECT count(*) FROM study", 0, &count, "") == STATUS_OK;
    if (!fine) {
        print_message("%s\n", status_last()->text);
    }
    results_close(reader);
    free(path); /* valgrind looks at the child too */
    _exit((fine && count == 1) ? 0 : 2);
}

static void a_copy_in_a_folder_without_write_permission_can_be_read(void **state) {
    Fixture *f = *state;
    int      status = -1;
    results_close(f->results);
    f->results = NULL;
    char *odd = file_join(f->folder, "a?b#c%20.db");
    assert_int_equal(rename(f->path, odd), 0);
    assert_int_equal(chmod(f->folder, 0555), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        read_without_permission(odd);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(f->folder, 0700), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(odd);
}

/* ---- kill ----------------------------------------------------------------------------------- */

/* in the child: commits segment 1, says so, goes on inside the next group until it is killed */
static void write_until_killed(const char *path, const Fixture *original, int pipe_end) {
    Fixture f = *original;
    char    byte = 'x';
    if (results_open(path, RESULTS_WRITE, &f.results) != STATUS_OK) {
        _exit(1);
    }
    assert_ok(results_begin(f.results));
    fixture_trial(&f, 0);
    fixture_done(&f, 1, 0, 0, 5, 1.0);
    assert_ok(results_commit(f.results));
    assert_ok(results_begin(f.results));
    fixture_segment(&f, 2, 1, 0, 10, "continue");
    if (write(pipe_end, &byte, 1) != 1) {
        _exit(1);
    }
    for (int64_t step = 0;; step++) {
        assert_ok(results_metric_insert(f.results, false, 2, step, 0, "endless", 1.0));
    }
}

static void what_was_committed_survives_kill_9(void **state) {
    Fixture *f = *state;
    int      ends[2];
    char     byte = 0;
    results_close(f->results);
    f->results = NULL;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        write_until_killed(f->path, f, ends[1]);
        _exit(1);
    }
    (void)close(ends[1]); /* so that a child that fails is an end of file here */
    const ssize_t got = read(ends[0], &byte, 1);
    (void)usleep(20000);
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ends[0]);
    assert_int_equal(got, 1);

    char *log = file_join(f->folder, "study.db-wal");
    assert_true(file_exists(log)); /* left over: both must read through it */
    free(log);
    Results *reader = open_reader(f);
    assert_int_equal(segments_of(reader), 1);
    results_close(reader);
    assert_ok(results_open(f->path, RESULTS_WRITE, &f->results));
    assert_int_equal(segments_of(f->results), 1);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 5);
    assert_ok(results_begin(f->results));
    fixture_done(f, 2, 1, 0, 10, 2.0);
    assert_ok(results_commit(f->results));
}

/* ---- study and log -------------------------------------------------------------------------- */

static void sets_state_and_logs_lines(void **state) {
    Fixture *f = *state;
    Buffer   text;
    buffer_init(&text, 1024);
    assert_ok(results_begin(f->results));
    assert_ok(results_study_set(f->results, "interrupted", "stopped by a signal"));
    assert_fails(results_study_set(f->results, "sleeping", ""), STATUS_ERR_STATE, "refused");
    assert_ok(results_log(f->results, "warning", "worker 3 is silent"));
    assert_ok(results_commit(f->results));
    assert_ok(results_study_text(f->results, "state", &text));
    assert_string_equal(buffer_text(&text), "interrupted");
    buffer_reset(&text);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM log WHERE level = 'warning'"), 1);
}

static void the_first_reason_why_results_may_differ_stays(void **state) {
    Fixture *f = *state;
    Buffer   text;
    buffer_init(&text, 1024);
    assert_fails(results_irreproducible_set(f->results, "a clock"), STATUS_ERR_STATE, "outside");
    assert_ok(results_begin(f->results));
    assert_ok(results_irreproducible_set(f->results, NULL));
    assert_ok(results_irreproducible_set(f->results, ""));
    assert_ok(results_study_text(f->results, "irreproducible", &text));
    assert_string_equal(buffer_text(&text), "");
    assert_ok(results_irreproducible_set(f->results, "it read a clock"));
    assert_ok(results_irreproducible_set(f->results, "other numerics"));
    assert_ok(results_irreproducible_set(f->results, ""));
    assert_ok(results_study_text(f->results, "irreproducible", &text));
    assert_string_equal(buffer_text(&text), "it read a clock");
    assert_ok(results_commit(f->results));
    buffer_reset(&text);
}

#define WITH_STUDY(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STUDY(creates_a_study_and_reads_its_row),
        WITH_STUDY(refuses_to_create_over_a_file),
        WITH_STUDY(refuses_a_study_without_objectives_and_a_seed_too_large),
        WITH_STUDY(opening_a_missing_file_says_so),
        WITH_STUDY(a_text_or_another_database_is_no_study),
        WITH_STUDY(a_newer_version_is_named_in_one_sentence),
        WITH_STUDY(an_older_version_is_upgraded_by_a_writer_only),
        WITH_STUDY(a_truncated_database_is_damaged),
        WITH_STUDY(closing_and_rolling_back_nothing_does_no_harm),
        WITH_STUDY(writes_need_a_group_and_groups_do_not_nest),
        WITH_STUDY(a_rolled_back_group_leaves_nothing_and_forgets_new_names),
        WITH_STUDY(a_write_that_fails_halfway_takes_its_group_along),
        WITH_STUDY(a_write_that_is_refused_at_once_leaves_its_group_as_it_was),
        WITH_STUDY(a_full_disk_is_one_clear_error_and_loses_nothing),
        WITH_STUDY(readers_see_the_last_commit_and_never_wait),
        WITH_STUDY(readers_without_a_pause_do_not_let_the_log_grow),
        WITH_STUDY(a_visitor_may_write),
        WITH_STUDY(a_readers_visit_sees_one_state),
        WITH_STUDY(a_copy_in_a_folder_without_write_permission_can_be_read),
        WITH_STUDY(what_was_committed_survives_kill_9),
        WITH_STUDY(sets_state_and_logs_lines),
        WITH_STUDY(the_first_reason_why_results_may_differ_stays),
    };
    return cmocka_run_group_tests_name("results/store", tests, NULL, NULL);
}
