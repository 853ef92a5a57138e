#include "tests/chaos/chaos_study.h"

#include "tests/support/test_support.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 4096, MAX_PROCESSES = 64, PATIENCE_S = 120 };

/* ---- what is run -----------------------------------------------------------------------------
 */

/* after which a hanging trainer is ended (s) */
#define SILENCE 1.5

/* Units of milliseconds. A segment is retried after four of its own failures of one kind, which
 * faults from outside hardly ever do to the same segment in one run. */
static void make_scripted(Scene *scene, const char *fault, double silence) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: chaos\n"
                   "trainer: {command: [%s, --sleep, '0.03'%s]}\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: 12, segment: 2}\n"
                   "scheduler: " SCENE_SYNCHRONOUS "\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"
                   "  y: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                   "resources: {memory: 256MiB}\n"
                   "limits: {retries: 4, silence: %g}\n"
                   "seed: 5\n",
                   SCENE_FAKE_TRAINER, fault, silence);
    scene_write(scene, text);
}

static void make_plain(Scene *scene) {
    make_scripted(scene, "", SILENCE);
}

static void make_crash(Scene *scene) {
    make_scripted(scene, ", --fault, crash@segment=6", SILENCE);
}

static void make_memory(Scene *scene) {
    /* on a busy machine filling the memory takes its time */
    make_scripted(scene, ", --fault, hog@segment=7", 30.0);
}

static void make_hang(Scene *scene) {
    make_scripted(scene, ", --fault, hang@segment=5", SILENCE);
}

ChaosStudy chaos_studies[] = {
    {.name = "scripted", .make = make_plain},
    {.name = "scripted, one crashes", .make = make_crash, .own_faults = true, .outcome = "crashed"},
    {.name = "scripted, one takes too much memory",
     .make = make_memory,
     .own_faults = true,
     .outcome = "out_of_memory"},
    {.name = "scripted, one hangs", .make = make_hang, .own_faults = true, .outcome = "timeout"},
    {.name = "pets", .make = scene_make_pets, .pets = true},
    {.name = NULL},
};

void chaos_study_prepare(ChaosStudy *study) {
    Scene scene;
    if (study->rows != NULL) {
        return;
    }
    study->make(&scene);
    /* on a busy machine a trainer may be silent for longer than where faults are looked for */
    const bool hangs = study->outcome != NULL && strcmp(study->outcome, "timeout") == 0;
    assert_int_equal(scene_run_with(&scene, "2", hangs ? "limits.silence=3" : "limits.silence=60"),
                     0);
    study->rows = run_canonical(scene.study);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'failed'"),
                     study->own_faults ? 1 : 0);
    if (study->outcome != NULL) {
        char *outcome =
            run_query_text(scene.study, "SELECT outcome FROM segment WHERE state = 'failed'");
        assert_string_equal(outcome, study->outcome);
        free(outcome);
    }
    scene_remove(&scene);
}

/* ---- what must hold --------------------------------------------------------------------------
 */

char *chaos_study_ended(const Scene *scene) {
    return scene_has_rows(scene)
               ? run_query_text(scene->study, "SELECT coalesce(group_concat(id), '') FROM segment "
                                              "WHERE state IN ('finished', 'failed')")
               : strdup("");
}

static void assert_none_is_lost(const Scene *scene, const char *ended) {
    char sql[SQL_BYTES];
    long count = (ended[0] == '\0') ? 0 : 1;
    for (const char *at = ended; *at != '\0'; at++) {
        count += (*at == ',') ? 1 : 0;
    }
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM segment WHERE state IN ('finished', 'failed') AND "
                   "id IN (%s)",
                   ended);
    assert_int_equal(run_query(scene->study, sql), count);
}

void chaos_study_assert_gone(const char *marker, double patience) {
    const double deadline = clock_monotonic() + patience;
    pid_t        left[MAX_PROCESSES];
    size_t       count = run_marked(marker, left, MAX_PROCESSES);
    while (count > 0 && clock_monotonic() < deadline) {
        clock_sleep(0.01);
        count = run_marked(marker, left, MAX_PROCESSES);
    }
    for (size_t i = 0; i < count; i++) {
        char command[1024];
        run_command(left[i], command, sizeof command);
        print_error("process %ld is left: %s\n", (long)left[i], command);
    }
    assert_int_equal(count, 0);
}

void chaos_study_check_run(const Scene *scene, const char *ended) {
    if (!scene_has_rows(scene)) {
        assert_string_equal(ended, "");
        return;
    }
    assert_int_equal(run_query(scene->study, "SELECT count(*) FROM pragma_integrity_check "
                                             "WHERE integrity_check <> 'ok'"),
                     0);
    assert_none_is_lost(scene, ended);
}

static int fsck(Scene *scene, bool repair) {
    const char *const arguments[] = {"fsck", scene->study, repair ? "--repair" : NULL, NULL};
    return run_mbtune(&scene->run, arguments);
}

static void pin_and_run(Scene *scene, const char *segment) {
    const char *const pin[] = {"pin", scene->study, "--segment", segment, NULL};
    assert_int_equal(run_mbtune(&scene->run, pin), 0);
    assert_int_equal(scene_run(scene, "2"), 0);
}

/* what nothing has read since it was hurt is found by fsck, and computed again for whoever asks */
static void mend(Scene *scene) {
    char *before = run_query_text(scene->study, "SELECT group_concat(id) FROM segment WHERE kept");
    (void)fsck(scene, true);
    char *after = run_query_text(scene->study, "SELECT group_concat(id) FROM segment WHERE kept");
    char  sql[SQL_BYTES];
    (void)snprintf(sql, sizeof sql,
                   "SELECT coalesce(group_concat(id), '') FROM segment WHERE id IN (%s) AND NOT "
                   "kept",
                   (before == NULL) ? "" : before);
    char *gone = run_query_text(scene->study, sql);
    char *rest = NULL;
    for (char *id = strtok_r(gone, ",", &rest); id != NULL; id = strtok_r(NULL, ",", &rest)) {
        pin_and_run(scene, id);
    }
    free(before);
    free(after);
    free(gone);
}

void chaos_study_check_end(const ChaosStudy *study, Scene *scene, bool hurt) {
    assert_int_equal(run_query(scene->study, "SELECT count(*) FROM segment WHERE state IN "
                                             "('running', 'queued')"),
                     0);
    assert_int_equal(run_query(scene->study, "SELECT count(*) FROM attempt WHERE outcome IS NULL"),
                     0);
    if (hurt && fsck(scene, false) != 0) {
        mend(scene);
    }
    if (fsck(scene, false) != 0) {
        fail_msg("fsck: %s", scene->run.text);
    }
    char *rows = run_canonical(scene->study);
    assert_string_equal(rows, study->rows);
    free(rows);
}
