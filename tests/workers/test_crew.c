#include "tests/workers/crew_fixture.h"

#include "core/clock.h"
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const CrewConfig defaults;

static void assert_done(const SlotRecord *record) {
    if (record->finished.outcome != OUTCOME_DONE) {
        print_message("outcome %d: %s\n", (int)record->finished.outcome, record->text);
    }
    assert_int_equal(record->finished.outcome, OUTCOME_DONE);
}

static const SlotRecord *run(CrewFixture *f, size_t slot, const CrewWork *work) {
    crew_train(f, slot, work);
    return crew_until_over(f, slot);
}

/* the checkpoint of `parent` for work that continues it */
static void continues(CrewWork *work, const SlotRecord *parent) {
    work->parent = parent->finished.id;
    work->bytes = parent->finished.checkpoint_bytes;
    work->checksum = parent->finished.checkpoint_checksum;
}

static void a_chain_gives_the_same_wherever_it_runs(void **state) {
    (void)state;
    CrewFixture f;
    double      whole[10];
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const size_t last = f.slots - 1;

    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 10});
    assert_done(r);
    assert_int_equal(r->metrics, 10);
    assert_int_equal(r->steps[0], 1);
    assert_true(r->finished.checkpoint_kept && r->finished.holds && r->finished.deterministic);
    assert_true(r->finished.can_checkpoint && r->finished.checkpoint_bytes > 0);
    memcpy(whole, r->values, sizeof whole);

    r = run(&f, 0, &(CrewWork){.segment = 2, .end = 4});
    assert_memory_equal(r->values, whole, 4 * sizeof(double));
    CrewWork rest = {.segment = 3, .begin = 4, .end = 10};
    continues(&rest, r);
    r = run(&f, 0, &rest); /* in memory */
    assert_done(r);
    assert_memory_equal(r->values, whole + 4, 6 * sizeof(double));
    rest.segment = 4;
    r = run(&f, last, &rest); /* from file, another worker's slot */
    assert_done(r);
    assert_memory_equal(r->values, whole + 4, 6 * sizeof(double));
    (void)crew_end(&f);
}

static void folders_are_checkpoints_too(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--folder"), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 4});
    assert_done(r);
    CrewWork rest = {.segment = 2, .begin = 4, .end = 6};
    continues(&rest, r);
    assert_done(run(&f, f.slots - 1, &rest));
    (void)crew_end(&f);
}

static void evaluations_change_nothing(void **state) {
    (void)state;
    CrewFixture f;
    double      values[3];
    crew_begin(&f, OPTIONS(NULL), &defaults);
    CrewWork          first = {.segment = 1, .end = 4};
    const SlotRecord *r = run(&f, 0, &first);
    continues(&first, r);
    crew_evaluate(&f, 0, 5, &first);
    r = crew_until_over(&f, 0);
    assert_done(r);
    assert_true(r->finished.evaluate && r->finished.id == 5 && !r->finished.checkpoint_kept);
    assert_int_equal(r->metrics, 3);
    memcpy(values, r->values, sizeof values);
    crew_evaluate(&f, f.slots - 1, 6, &first);
    r = crew_until_over(&f, f.slots - 1);
    assert_memory_equal(values, r->values, sizeof values);
    (void)crew_end(&f);
}

static void all_slots_work_at_once(void **state) {
    (void)state;
    enum { ROUNDS = 20 };
    CrewFixture f;
    size_t      done = 0;
    int64_t     next = 1;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    for (size_t i = 0; i < f.slots; i++) {
        crew_train(&f, i, &(CrewWork){.segment = next++, .end = 3});
    }
    const double deadline = clock_monotonic() + 30.0;
    while (done < ROUNDS * f.slots && clock_monotonic() < deadline) {
        (void)crew_take(&f);
        for (size_t i = 0; i < f.slots; i++) {
            if (!f.records[i].over) {
                continue;
            }
            assert_done(&f.records[i]);
            assert_int_equal(f.records[i].metrics, 3);
            done++;
            f.records[i].over = false;
            if (done + f.slots <= ROUNDS * f.slots) {
                crew_train(&f, i, &(CrewWork){.segment = next++, .end = 3});
            }
        }
    }
    assert_int_equal(done, ROUNDS * f.slots);
    (void)crew_end(&f);
}

static void thousands_of_metrics_keep_their_order(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 4000});
    assert_done(r);
    assert_int_equal(r->metrics, 4000);
    for (size_t i = 0; i < r->metrics; i++) {
        assert_int_equal(r->steps[i], i + 1);
    }
    (void)crew_end(&f);
}

static void a_yield_keeps_what_was_trained(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--sleep", "0.005"), &defaults);
    crew_train(&f, 0, &(CrewWork){.segment = 1, .end = 100000});
    (void)crew_until_metric(&f, 0);
    assert_ok(crew_yield(f.crew, 0));
    const SlotRecord *r = crew_until_over(&f, 0);
    assert_int_equal(r->finished.outcome, OUTCOME_PREEMPTED);
    assert_int_equal(r->finished.end, r->metrics);
    assert_true(r->finished.checkpoint_kept && r->finished.holds);
    assert_ok(crew_yield(f.crew, 0)); /* late: nothing to yield */
    /* the rest of the segment, elsewhere: it is its own parent */
    CrewWork rest = {.segment = 2, .begin = r->finished.end, .end = r->finished.end + 2};
    continues(&rest, r);
    assert_done(run(&f, f.slots - 1, &rest));
    (void)crew_end(&f);
}

static void a_yield_before_the_hello_cancels(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--slow-start", "1000"), &defaults);
    crew_train(&f, 0, &(CrewWork){.segment = 1, .end = 5});
    assert_ok(crew_yield(f.crew, 0));
    assert_int_equal(crew_until_over(&f, 0)->finished.outcome, OUTCOME_CANCELLED);
    (void)crew_end(&f);
}

static void a_cancelled_order_frees_its_slot(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    crew_train(&f, 0, &(CrewWork){.segment = 1, .end = 100000, .values = "{\"sleep\":0.005}"});
    (void)crew_until_metric(&f, 0);
    assert_ok(crew_cancel(f.crew, 0));
    const SlotRecord *r = crew_until_over(&f, 0);
    assert_int_equal(r->finished.outcome, OUTCOME_CANCELLED);
    assert_false(r->finished.holds || r->finished.checkpoint_kept);
    assert_done(run(&f, 0, &(CrewWork){.segment = 2, .end = 5}));
    (void)crew_end(&f);
}

static void damage(const CrewFixture *f, const char *name) {
    char path[512];
    char bytes[3] = {'#', '#', '#'};
    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", f->folder, name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
}

static void a_damaged_checkpoint_is_told_and_not_used(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 4});
    CrewWork          rest = {.segment = 2, .begin = 4, .end = 6};
    continues(&rest, r);
    clock_sleep(0.02); /* time stamps of files are as coarse as the kernel's tick */
    damage(&f, "1.a1");
    for (size_t slot = 0; slot < f.slots; slot += f.slots - 1) {
        r = run(&f, slot, &rest);
        assert_int_equal(r->finished.outcome, OUTCOME_LOST);
        assert_true(r->finished.damaged);
        assert_int_equal(r->started, 0);
        assert_contains(r->text, "checkpoint 1.a1 has the checksum");
    }
    rest.parent = 99;
    r = run(&f, 0, &rest);
    assert_true(r->finished.damaged);
    assert_contains(r->text, "checkpoint 99.a1 is missing");
    assert_done(run(&f, 0, &(CrewWork){.segment = 3, .end = 5}));
    (void)crew_end(&f);
}

/* verified, then changed while the trainer has the order, which then fails at it */
static void damage_that_comes_after_the_look_is_told_too(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--slow-start", "0.5"), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 4});
    CrewWork          rest = {.segment = 2, .begin = 4, .end = 6};
    continues(&rest, r);
    const size_t slot = f.slots - 1; /* a trainer that must read it, and takes its time */
    crew_train(&f, slot, &rest);
    char log[512]; /* made when the order has been looked at */
    (void)snprintf(log, sizeof log, "%s/logs/trainer-%d-1.log", f.folder, f.workers);
    const double begin = clock_monotonic();
    while (!file_exists(log) && clock_monotonic() < begin + 10.0) {
        (void)crew_take(&f);
    }
    damage(&f, "1.a1");
    r = crew_until_over(&f, slot);
    assert_int_equal(r->started, 1);
    assert_int_equal(r->finished.outcome, OUTCOME_LOST);
    assert_true(r->finished.damaged);
    assert_contains(r->text, "checkpoint 1.a1 has the checksum");
    (void)crew_end(&f);
}

static void assert_no_space(const CrewFixture *f, const SlotRecord *r, const char *says) {
    char folder[512];
    (void)snprintf(folder, sizeof folder, "no space left: %s/checkpoints has ", f->folder);
    assert_contains(r->text, folder);
    assert_contains(r->text, " bytes free; ");
    assert_contains(r->text, says);
    assert_int_equal(r->finished.outcome, OUTCOME_LOST);
    assert_true(r->finished.no_space);
    assert_false(r->finished.damaged || r->finished.checkpoint_kept || r->finished.holds);
}

static void a_trainer_that_says_that_the_disk_is_full_is_believed(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const SlotRecord *r =
        run(&f, 0, &(CrewWork){.segment = 1, .end = 5, .values = "{\"fault_full\":3}"});
    assert_no_space(&f, r, "cannot save the agent: No space left on device");
    assert_done(run(&f, 0, &(CrewWork){.segment = 1, .end = 5}));
    (void)crew_end(&f);
}

/* takes what is left of a file system. @return the path of what takes it, to be removed */
static const char *fill(const char *folder) {
    static char       path[600];
    static const char block[4096];
    (void)snprintf(path, sizeof path, "%s/filler", folder);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
    return path;
}

/* the trainers know nothing of disks here: one cannot write, one forgets to, one just crashes */
static void fail_on_a_full_disk(CrewFixture *f, const char *folder) {
    char stuck[600];
    assert_done(run(f, 0, &(CrewWork){.segment = 1, .end = 5}));
    (void)snprintf(stuck, sizeof stuck, "%s/6.a1.tmp", folder);
    assert_int_equal(mkdir(stuck, 0700), 0);
    assert_int_equal(mount("none", stuck, "tmpfs", 0, "size=64k"), 0);
    const char *filler = fill(folder);
    assert_no_space(f, run(f, 0, &(CrewWork){.segment = 2, .end = 5}), "cannot write");
    assert_no_space(
        f, run(f, 0, &(CrewWork){.segment = 3, .end = 5, .values = "{\"fault_unwritten\":3}"}),
        "3.a1.tmp was not written");
    assert_no_space(f,
                    run(f, 0, &(CrewWork){.segment = 4, .end = 5, .values = "{\"fault_crash\":3}"}),
                    "exit status 3");
    /* what a disk has no part in stays what it is */
    const SlotRecord *r =
        run(f, 0, &(CrewWork){.segment = 5, .end = 5, .values = "{\"fault_diverge\":3}"});
    assert_int_equal(r->finished.outcome, OUTCOME_DIVERGED);
    assert_false(r->finished.no_space);
    /* one whose place cannot be made ready */
    assert_no_space(f, run(f, 0, &(CrewWork){.segment = 6, .end = 5}), "6.a1.tmp");
    assert_int_equal(umount(stuck), 0);
    assert_int_equal(unlink(filler), 0);
    assert_done(run(f, 0, &(CrewWork){.segment = 2, .end = 5}));
}

static void a_full_disk_is_nobodys_fault(void **state) {
    (void)state;
    CrewFixture f;
    char        folder[512];
    crew_begin(&f, OPTIONS(NULL), &defaults);
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", f.folder);
    const bool mounted = mount("none", folder, "tmpfs", 0, "size=4m") == 0;
    if (mounted) {
        fail_on_a_full_disk(&f, folder);
        assert_int_equal(umount(folder), 0);
    }
    (void)crew_end(&f);
    if (!mounted) {
        test_skip("mounting a small file system needs root");
    }
}

static void every_outcome_comes_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *fault;
        Outcome     outcome;
        const char *says;
    } misdeeds[] = {
        {"crash", OUTCOME_CRASHED, "exit status 3\nTraceback: a crash in unit 3"},
        {"kill", OUTCOME_KILLED, "signal 9 (KILL)"},
        {"garbage", OUTCOME_PROTOCOL, "malformed line"},
        {"diverge", OUTCOME_DIVERGED, "diverged: the weight"},
        {"hog", OUTCOME_OUT_OF_MEMORY, "over the limit"},
        {"unwritten", OUTCOME_PROTOCOL, "the checkpoint 6.a1.tmp was not written"},
    };
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &(CrewConfig){.memory_bytes = 1e8});
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        char values[64];
        (void)snprintf(values, sizeof values, "{\"fault_%s\":3}", misdeeds[i].fault);
        const CrewWork    bad = {.segment = (int64_t)i + 1, .end = 5, .values = values};
        const SlotRecord *r = run(&f, 0, &bad);
        assert_contains(r->text, misdeeds[i].says);
        assert_int_equal(r->finished.outcome, misdeeds[i].outcome);
        assert_false(r->finished.checkpoint_kept || r->finished.holds || r->finished.damaged);
        assert_false(r->finished.no_space);
        assert_done(run(&f, 0, &(CrewWork){.segment = 100 + (int64_t)i, .end = 5}));
    }
    (void)crew_end(&f);
}

static void a_trainer_that_hangs_is_a_timeout(void **state) {
    (void)state;
    CrewFixture    f;
    const CrewWork hang = {.segment = 1, .end = 5, .values = "{\"fault_hang\":3}"};
    crew_begin(&f, OPTIONS(NULL), &(CrewConfig){.silence_seconds = 0.5});
    const SlotRecord *r = run(&f, 0, &hang);
    assert_contains(r->text, "nothing heard for 0.5 s (limits.silence)");
    assert_int_equal(r->finished.outcome, OUTCOME_TIMEOUT);
    assert_false(r->finished.checkpoint_kept || r->finished.holds || r->finished.damaged);
    (void)crew_end(&f);
}

static void a_trainer_without_checkpoints_is_taken_at_its_word(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--no-checkpoint"), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 4});
    assert_done(r);
    assert_false(r->finished.can_checkpoint || r->finished.checkpoint_kept);
    assert_true(r->finished.holds);
    (void)crew_end(&f);
}

static void nan_reaches_the_coordinator(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--fault", "nan@unit=2"), &defaults);
    const SlotRecord *r = run(&f, 0, &(CrewWork){.segment = 1, .end = 3, .no_checkpoint = true});
    assert_done(r);
    assert_true(isnan(r->values[1]) && !isnan(r->values[2]));
    assert_false(r->finished.checkpoint_kept);
    (void)crew_end(&f);
}

static void wrong_slots_are_refused(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    assert_fails(crew_yield(f.crew, f.slots), STATUS_ERR_ARG, "there is no slot");
    assert_fails(crew_cancel(f.crew, (size_t)-1), STATUS_ERR_ARG, "there is no slot");
    assert_ok(crew_cancel(f.crew, 0));
    (void)crew_end(&f);
}

static void a_stop_ends_busy_trainers_too(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--sleep", "0.005", "--ignore-yield"), &defaults);
    for (size_t i = 0; i < f.slots; i++) {
        crew_train(&f, i, &(CrewWork){.segment = 1 + (int64_t)i, .end = 100000});
    }
    (void)crew_until_metric(&f, 0);
    const double begin = clock_monotonic();
    (void)crew_end(&f);
    assert_true(clock_monotonic() - begin < 4.0);
}

/* it only slept: when it wakes it hears that it was given up, kills its trainers and says goodbye
 */
static void a_silent_worker_is_lost_and_ends_when_it_wakes(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--sleep", "0.005"), &(CrewConfig){.heartbeat_seconds = 0.2});
    const int    worker = f.workers;
    const size_t slot = f.slots - 1;
    crew_train(&f, slot, &(CrewWork){.segment = 1, .end = 100000});
    (void)crew_until_metric(&f, slot);
    f.may_lose = true;
    const double begin = clock_monotonic();
    assert_int_equal(kill(crew_worker_pid(worker), SIGSTOP), 0);
    while (f.lost == 0 && clock_monotonic() < begin + 10.0) {
        (void)crew_take(&f);
    }
    assert_int_equal(f.lost, 1);
    assert_true(clock_monotonic() - begin > 0.3);
    assert_contains(f.lost_text, "silent for");
    assert_fails(crew_cancel(f.crew, slot), STATUS_ERR_STATE, "is lost");
    if (f.workers > 1) { /* the others go on */
        assert_done(run(&f, 0, &(CrewWork){.segment = 2, .end = 5}));
    }
    assert_int_equal(kill(crew_worker_pid(worker), SIGCONT), 0);
    (void)crew_end(&f);
}

/* a rank that cannot start says why, and stays: one that left would take the whole job with it */
static void a_worker_that_cannot_start_says_why_and_stays(void **state) {
    (void)state;
    CrewFixture f;
    char        who[64];
    crew_begin_badly(&f, &(CrewConfig){.heartbeat_seconds = 0.2}, true, NULL);
    const size_t others = (size_t)f.workers - 1;
    crew_until_known(&f, 1, others, 10.0);
    assert_int_equal(f.lost, 1);
    assert_int_equal(f.announced, others);
    (void)snprintf(who, sizeof who, "worker %d: a worker needs at least one slot", f.workers);
    assert_string_equal(f.lost_text, who);
    if (others > 0) {
        assert_done(run(&f, 0, &(CrewWork){.segment = 1, .end = 5}));
    }
    (void)crew_end(&f);
}

static void that_no_worker_could_start_is_known(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin_badly(&f, &(CrewConfig){.heartbeat_seconds = 0.2}, false, "no folder");
    crew_until_known(&f, (size_t)f.workers, 0, 10.0);
    assert_int_equal(f.lost, f.workers);
    assert_int_equal(crew_workers(f.crew), 0);
    assert_contains(f.lost_text, "cannot make folder");
    assert_contains(f.lost_text, "/logs: File exists");
    const double begin = clock_monotonic();
    (void)crew_end(&f);
    assert_true(clock_monotonic() - begin < 1.0); /* nobody is waited for */
}

static void a_worker_that_fails_at_work_says_why_and_stays(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--sleep", "0.005"), &defaults);
    const size_t slot = f.slots - 1;
    crew_train(&f, slot, &(CrewWork){.segment = 1, .end = 100000});
    (void)crew_until_metric(&f, slot);
    f.may_lose = true;
    crew_train(&f, slot, &(CrewWork){.segment = 2, .end = 100000}); /* two at a time: never right */
    assert_ok(crew_cancel(f.crew, slot)); /* and one that comes when it is over */
    f.records[slot].started = 1;          /* metrics of the first may still come */
    crew_until_known(&f, 1, 0, 10.0);
    assert_int_equal(f.lost, 1);
    assert_contains(f.lost_text, "has segment or evaluation 1 already");
    if (f.workers > 1) {
        assert_done(run(&f, 0, &(CrewWork){.segment = 3, .end = 5}));
    }
    (void)crew_end(&f);
}

static void without_a_configuration_the_workers_just_leave(void **state) {
    (void)state;
    CrewFixture f;
    assert_true(crew_release());
    crew_begin(&f, OPTIONS(NULL), &defaults);
    assert_done(run(&f, 0, &(CrewWork){.segment = 1, .end = 5}));
    (void)crew_end(&f);
    assert_true(crew_release());
}

static void a_stop_waits_for_nobody_longer_than_it_says(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const pid_t asleep = crew_worker_pid(f.workers);
    assert_int_equal(kill(asleep, SIGSTOP), 0);
    const double took = crew_end_without(&f, 0.5, asleep);
    print_message("stop with a worker asleep: %.2f s\n", took);
    assert_true(took < 5.0); /* grace + 1 s, and room for a loaded machine */
}

/* this process is stopped in its stead, for longer than three heartbeats */
static void a_coordinator_that_slept_loses_nobody(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS("--sleep", "0.005"), &(CrewConfig){.heartbeat_seconds = 0.2});
    crew_train(&f, 0, &(CrewWork){.segment = 1, .end = 200});
    (void)crew_until_metric(&f, 0);
    clock_sleep(1.0);
    assert_done(crew_until_over(&f, 0));
    (void)crew_end(&f);
}

static void idle_ranks_leave_the_cores_alone(void **state) {
    (void)state;
    CrewFixture f;
    crew_begin(&f, OPTIONS(NULL), &defaults);
    const double end = clock_monotonic() + 3.0;
    while (clock_monotonic() < end) {
        (void)crew_take(&f);
    }
    const CrewUse use = crew_end(&f);
    print_message("idle: worker %.2f %%, coordinator %.2f %% of a core\n", 100.0 * use.most_worker,
                  100.0 * use.coordinator);
    /* 1 to 2 % when measured alone; the bound leaves room for a loaded machine and sanitizers */
    assert_true(use.most_worker < 0.10);
    assert_true(use.coordinator < 0.15);
}

static int run_crew_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_gives_the_same_wherever_it_runs),
        cmocka_unit_test(folders_are_checkpoints_too),
        cmocka_unit_test(evaluations_change_nothing),
        cmocka_unit_test(all_slots_work_at_once),
        cmocka_unit_test(thousands_of_metrics_keep_their_order),
        cmocka_unit_test(a_yield_keeps_what_was_trained),
        cmocka_unit_test(a_yield_before_the_hello_cancels),
        cmocka_unit_test(a_cancelled_order_frees_its_slot),
        cmocka_unit_test(a_damaged_checkpoint_is_told_and_not_used),
        cmocka_unit_test(damage_that_comes_after_the_look_is_told_too),
        cmocka_unit_test(a_trainer_that_says_that_the_disk_is_full_is_believed),
        cmocka_unit_test(a_full_disk_is_nobodys_fault),
        cmocka_unit_test(every_outcome_comes_with_its_reason),
        cmocka_unit_test(a_trainer_that_hangs_is_a_timeout),
        cmocka_unit_test(a_trainer_without_checkpoints_is_taken_at_its_word),
        cmocka_unit_test(nan_reaches_the_coordinator),
        cmocka_unit_test(wrong_slots_are_refused),
        cmocka_unit_test(a_stop_ends_busy_trainers_too),
        cmocka_unit_test(a_silent_worker_is_lost_and_ends_when_it_wakes),
        cmocka_unit_test(a_worker_that_cannot_start_says_why_and_stays),
        cmocka_unit_test(that_no_worker_could_start_is_known),
        cmocka_unit_test(a_worker_that_fails_at_work_says_why_and_stays),
        cmocka_unit_test(without_a_configuration_the_workers_just_leave),
        cmocka_unit_test(a_stop_waits_for_nobody_longer_than_it_says),
        cmocka_unit_test(a_coordinator_that_slept_loses_nobody),
        cmocka_unit_test(idle_ranks_leave_the_cores_alone),
    };
    return cmocka_run_group_tests_name("workers/crew", tests, NULL, NULL);
}

int main(int argc, char **argv) {
    return crew_test_main(argc, argv, run_crew_tests);
}
