/* Random faults of the infrastructure while studies run: each study is run again until its exit is
 * not 75, and must then be what it would have been without them. script/chaos starts this; the
 * short form is a test. A seed gives the same faults at the same distances in time; what they hit
 * is the machine's. On a failure the study's folder is kept, and seed and fault are said. */
#include "tests/chaos/chaos_fault.h"
#include "tests/chaos/chaos_study.h"
#include "tests/support/test_support.h"

#include "core/clock.h"
#include "core/file.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum {
    MAX_RERUNS = 100,
    FAULTS_PER_STUDY = 6,
    PETS_ONE_OF = 3, /* at least one fault of so many meets real agents */
    REPEATED = 2,
    MARKER_BYTES = 64,
};

/* between two faults at most (s); a study takes one to three */
static const double most_gap_s = 0.8;
/* a run that takes longer hangs; a death of the launcher is seen by its children by then (s) */
static const double most_run_s = 180.0;
static const double launcher_patience_s = 10.0;
static const double patience_s = 2.0;

static struct {
    long     faults;
    uint64_t seed;
    double   heartbeat;
    bool     root;
} options = {.faults = 200, .seed = 1, .heartbeat = 0.2};

static struct {
    long   done[FAULT_COUNT];
    long   interrupted[FAULT_COUNT]; /* the run that it was done to ended with 75 */
    long   pets;
    long   faults;
    long   studies;
    long   runs;
    long   repeated; /* attempts beyond one per segment */
    double began;
} tally;

/** One study on its way. */
typedef struct Course {
    Scene       scene;
    ChaosStudy *study;
    Chaos       chaos;
    char        marker[MARKER_BYTES];
    char        set[64];
    char        mount[CHAOS_PATH_BYTES]; /* "" = none */
    long        faults;
    long        limit;
    bool        hurt;            /* a checkpoint was */
    bool        launcher_killed; /* in this run */
    FaultKind   kinds[FAULTS_PER_STUDY];
} Course;

static Course course;

static void begin_course(ChaosStudy *study, uint64_t *random, long limit) {
    memset(&course, 0, sizeof course);
    course.study = study;
    course.limit = limit;
    course.chaos.random = *random;
    chaos_study_prepare(study);
    study->make(&course.scene);
    (void)snprintf(course.set, sizeof course.set, "limits.heartbeat=%g", options.heartbeat);
    course.scene.set = course.set;
    (void)snprintf(course.marker, sizeof course.marker, "MBTUNE_CHAOS=%ld-%ld", (long)getpid(),
                   tally.studies);
    (void)setenv("MBTUNE_CHAOS", strchr(course.marker, '=') + 1, 1);
    if (options.root) {
        (void)snprintf(course.mount, sizeof course.mount, "%s/disk", course.scene.folder);
        assert_ok(file_make_folder(course.mount));
        assert_int_equal(mount("tmpfs", course.mount, "tmpfs", 0, "size=24m"), 0);
        (void)snprintf(course.scene.study, sizeof course.scene.study, "%.400s/study", course.mount);
        course.chaos.disk = true;
    }
    (void)snprintf(course.chaos.study, sizeof course.chaos.study, "%s", course.scene.study);
}

static void end_course(uint64_t *random) {
    *random = course.chaos.random;
    if (course.mount[0] != '\0') {
        (void)umount2(course.mount, MNT_DETACH);
    }
    scene_remove(&course.scene);
    (void)unsetenv("MBTUNE_CHAOS");
}

/* Kinds that are still to come before any comes again: few faults are of many kinds too. */
static struct {
    FaultKind kinds[FAULT_COUNT];
    size_t    count;
} deck;

static void fill_deck(void) {
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (i != FAULT_FULL_DISK || options.root) {
            deck.kinds[deck.count++] = (FaultKind)i;
        }
    }
}

static void do_fault(void) {
    if (course.faults >= course.limit) {
        return;
    }
    if (deck.count == 0) {
        fill_deck();
    }
    const size_t    at = (size_t)(chaos_draw(&course.chaos) * (double)deck.count);
    const FaultKind kind = deck.kinds[at];
    if (!chaos_do(&course.chaos, &course.scene.run, kind)) {
        return; /* nothing to do it to: its turn will come */
    }
    deck.kinds[at] = deck.kinds[--deck.count];
    print_message("  %6.1f s: %s\n", clock_monotonic() - tally.began, course.chaos.last);
    (void)fflush(stdout);
    course.kinds[course.faults++] = kind;
    course.hurt = course.hurt || kind == FAULT_DAMAGE || kind == FAULT_DELETE;
    course.launcher_killed = course.launcher_killed || kind == FAULT_KILL_LAUNCHER;
    tally.done[kind]++;
    tally.faults++;
    tally.pets += course.study->pets ? 1 : 0;
}

/* one run with faults until it ends. @return its exit status */
static int run_once(void) {
    int          exit_status = 0;
    const double deadline = clock_monotonic() + most_run_s;
    double       next = clock_monotonic() + chaos_draw(&course.chaos) * most_gap_s;
    course.launcher_killed = false;
    scene_start(&course.scene, "2");
    while (!run_wait_for(&course.scene.run, 0.01, &exit_status)) {
        const double now = clock_monotonic();
        chaos_undo(&course.chaos, false);
        if (now >= next) {
            do_fault();
            next = now + chaos_draw(&course.chaos) * most_gap_s;
        }
        if (now >= deadline) {
            fail_msg("the study still runs after %.0f s", most_run_s);
        }
    }
    return (course.launcher_killed && exit_status == 128 + SIGKILL) ? 75 : exit_status;
}

static void run_course(void) {
    int exit_status = 75;
    for (int rerun = 0; exit_status == 75; rerun++) {
        char      *ended = chaos_study_ended(&course.scene);
        const long before = course.faults;
        assert_true(rerun < MAX_RERUNS);
        exit_status = run_once();
        tally.runs++;
        for (long i = before; i < course.faults; i++) {
            tally.interrupted[course.kinds[i]] += (exit_status == 75) ? 1 : 0;
        }
        if (exit_status != 0 && exit_status != 75) {
            fail_msg("exit %d:\n%s", exit_status, course.scene.run.text);
        }
        chaos_study_assert_gone(course.marker,
                                course.launcher_killed ? launcher_patience_s : patience_s);
        /* SQLite needs a page or two of memory beside a log of writes that is left */
        chaos_undo(&course.chaos, true);
        chaos_study_check_run(&course.scene, ended);
        free(ended);
    }
    const long repeated = run_query(course.scene.study, "SELECT (SELECT count(*) FROM attempt) - "
                                                        "(SELECT count(*) FROM segment)");
    if (!course.study->own_faults) {
        tally.repeated += repeated;
        const long spurious = run_query(course.scene.study, "SELECT count(*) FROM log WHERE text "
                                                            "LIKE '%is given up%'");
        assert_true(repeated <= REPEATED * course.faults + spurious);
    }
    chaos_study_check_end(course.study, &course.scene, course.hurt);
}

static void print_tally(void) {
    print_message("\n%-20s %7s %12s\n", "fault", "faults", "of them 75");
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        print_message("%-20s %7ld %12ld\n", fault_name((FaultKind)i), tally.done[i],
                      tally.interrupted[i]);
    }
    print_message("%-20s %7ld, %ld of them on real agents, in %ld studies and %ld runs, %.0f s; "
                  "%ld segments done again without a fault of their own\n",
                  "all", tally.faults, tally.pets, tally.studies, tally.runs,
                  clock_monotonic() - tally.began, tally.repeated);
    if (!options.root) {
        print_message("full disks were left out: mounting a small file system needs root\n");
    }
}

static void studies_survive_faults(void **state) {
    (void)state;
    uint64_t random = options.seed;
    size_t   scripted = 0;
    size_t   pets = 0;
    size_t   next = 0;
    while (chaos_studies[scripted].name != NULL) {
        pets = chaos_studies[scripted].pets ? scripted : pets;
        scripted++;
    }
    assert_true(pets > 0); /* they come last */
    tally.began = clock_monotonic();
    for (long turn = 0; tally.faults < options.faults; turn++) {
        const bool   agents = turn > 0 && tally.faults >= PETS_ONE_OF * tally.pets;
        const long   left = options.faults - tally.faults;
        const size_t which = agents ? pets : next++ % pets;
        print_message("study %ld: %s\n", turn + 1, chaos_studies[which].name);
        (void)fflush(stdout);
        begin_course(&chaos_studies[which], &random,
                     (left < FAULTS_PER_STUDY) ? left : FAULTS_PER_STUDY);
        run_course();
        tally.studies++;
        end_course(&random);
    }
    print_tally();
}

/* what remains of a failure: its processes end, its folder stays */
static void clean_up_after_failure(void) {
    pid_t left[256];
    (void)fprintf(stderr,
                  "chaos: failed with --seed %" PRIu64 ", fault %ld: %s\nchaos: the study is kept "
                  "in %s\n%s\n",
                  options.seed, tally.faults, course.chaos.last, course.scene.study,
                  course.scene.run.text);
    const size_t count = run_marked(course.marker, left, 256);
    for (size_t i = 0; i < count; i++) {
        (void)kill(left[i], SIGKILL);
    }
    chaos_undo(&course.chaos, true);
}

static int usage(void) {
    (void)fprintf(stderr, "usage: chaos [--faults N] [--seed S] [--heartbeat SECONDS]\n");
    return 2;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        char *end = NULL;
        if (i + 1 >= argc) {
            return usage();
        }
        const double value = strtod(argv[i + 1], &end);
        if (*end != '\0' || end == argv[i + 1] || value < 0.0) {
            return usage();
        }
        if (strcmp(argv[i], "--faults") == 0) {
            options.faults = (long)value;
        } else if (strcmp(argv[i], "--seed") == 0) {
            options.seed = (uint64_t)value;
        } else if (strcmp(argv[i], "--heartbeat") == 0) {
            options.heartbeat = value;
        } else {
            return usage();
        }
    }
    options.root = geteuid() == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(studies_survive_faults)};
    const int               failed = cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
    if (failed != 0) {
        clean_up_after_failure();
    }
    for (size_t i = 0; chaos_studies[i].name != NULL; i++) {
        free(chaos_studies[i].rows);
    }
    return failed;
}
