/* The coordinator in this process (rank 0) with real workers (the other ranks) and the scripted
 * trainer, driven by the scripted scheduler: the hard cases of a study. Workers are called for each
 * study by a broadcast and end after the last one. */
#include "tests/schedulers/scripted_scheduler.h"
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"

#include "core/clock.h"
#include "tuner/coordinator.h"
#include "workers/crew.h"

#include <math.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAKE_TRAINER TEST_BINARY_FOLDER "/tests/workers/fake_trainer"

enum { TEXT_BYTES = 4096, PATH_BYTES = 512, NEXT = 1, OVER = 0 };

/** One study of a script; `faults` are further words of the trainer's command line. */
typedef struct Stage {
    char       *folder;
    char        study[PATH_BYTES];
    char        text[TEXT_BYTES];
    Study      *parsed;
    StudyFolder paths;
    int         exit_status;
} Stage;

static void stage_make_case(Stage *stage, const ScriptedCase *scripted, const char *faults) {
    scripted_use(scripted);
    stage->folder = test_folder_make();
    (void)snprintf(stage->study, sizeof stage->study, "%s/study", stage->folder);
    (void)snprintf(
        stage->text, sizeof stage->text,
        "name: stage\n"
        "trainer: {command: [%s%s]}\n"
        "objective: %s\n"
        "%s"
        "budget: {unit: episode, per_trial: %d, segment: %d, total: 1000, trials: 8}\n"
        "repeats: %d\n"
        "scheduler: {name: random}\n"
        "hyperparameters:\n"
        "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, default: 0.1, "
        "dynamic: true}\n"
        "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
        "limits: {retries: 0}\n"
        "seed: 5\n",
        FAKE_TRAINER, faults,
        (scripted->objectives == 2)
            ? "[{metric: episode_reward, direction: maximize}, {metric: train_flop, direction: "
              "minimize}]"
            : "{metric: episode_reward, direction: maximize}",
        (scripted->constraints == 1) ? "constraints: {train_flop: {upper: 2000}}\n" : "",
        (int)scripted->per_trial, (int)scripted->segment, (int)scripted->repeats);
}

static void stage_make(Stage *stage, const char *script, const char *faults) {
    stage_make_case(stage, scripted_case(script), faults);
}

/* the scripted scheduler, and the costs that it is told */
static SchedulerOps spy;
static double       costs[16];

static Status spy_observe(void *self, const Event *event) {
    if (event->kind == EVENT_FINISHED && event->id < 16) {
        costs[event->id] = event->cost;
    }
    return scheduler_scripted_ops.observe(self, event);
}

static void spy_init(void) {
    spy = scheduler_scripted_ops;
    spy.observe = spy_observe;
}

/* runs or resumes the study on all ranks */
static void stage_run(Stage *stage) {
    int                next = NEXT;
    CoordinatorOutcome outcome;
    const CoordinatorSetup template = {.quiet = true};
    CoordinatorSetup setup = template;
    assert_ok(study_parse("study.yaml", stage->text, NULL, 0, &stage->parsed));
    stage->parsed->scheduler = &spy; /* has no options */
    assert_ok(study_folder_init(stage->study, &stage->paths));
    setup.study = stage->parsed;
    setup.folder = &stage->paths;
    assert_int_equal(MPI_Bcast(&next, 1, MPI_INT, 0, MPI_COMM_WORLD), MPI_SUCCESS);
    const Status status = coordinator_run(&setup, MPI_COMM_WORLD, &outcome);
    stage->exit_status = outcome.exit_status;
    study_destroy(stage->parsed);
    study_folder_reset(&stage->paths);
    assert_ok(status);
    assert_true(outcome.finalize);
}

static void stage_remove(Stage *stage) {
    test_folder_remove(stage->folder);
}

static long count(const Stage *stage, const char *sql) {
    return run_query(stage->study, sql);
}

/* ---- the scripts --------------------------------------------------------------------------------
 */

static void a_failed_member_at_a_barrier_is_replaced(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "barrier-failure", ", --fault, 'crash@segment=2'");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment WHERE state = 'failed' AND "
                                   "outcome = 'crashed' AND id = 2"),
                     1);
    assert_int_equal(count(&stage, "SELECT parent FROM segment WHERE reason = 'replace'"), 1);
    /* the log has the batch in order of id, whatever came first */
    assert_int_equal(count(&stage, "SELECT count(*) FROM event a JOIN event b ON b.seq = a.seq + 1 "
                                   "WHERE a.kind = 'finished' AND b.kind = 'finished' AND "
                                   "b.segment < a.segment"),
                     0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM attempt WHERE outcome = 'crashed'"), 1);
    stage_remove(&stage);
}

static void repeats_get_seeds_of_their_own(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "repeats", "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT count(DISTINCT seed) FROM segment WHERE parent IS NULL"),
                     4);
    /* a continuation inherits the seed of its line */
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment s JOIN segment p ON p.id = "
                                   "s.parent WHERE s.seed <> p.seed"),
                     0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM trial WHERE \"repeat\" = 1"), 2);
    stage_remove(&stage);
}

static void evaluations_are_work_and_change_nothing(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "evaluation", "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM evaluation WHERE state = 'finished'"), 2);
    assert_int_equal(count(&stage, "SELECT count(*) FROM metric WHERE owner < 0"), 5 * 2);
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment WHERE state = 'finished'"), 3);
    stage_remove(&stage);
}

static void two_objectives_and_a_constraint_are_stored(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "objectives", "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment_result WHERE kind = 'objective' "
                                   "AND number = 1 AND value = 1000.0"),
                     count(&stage, "SELECT count(*) FROM segment WHERE state = 'finished'"));
    assert_true(count(&stage, "SELECT count(*) FROM segment_result WHERE kind = 'constraint'") > 0);
    stage_remove(&stage);
}

/* one fails: what it reported before counts; nothing reported is not known */
static void costs_are_those_of_the_segment_alone_and_the_same_on_replay(void **state) {
    (void)state;
    Stage  stage;
    double live[16];
    stage_make(&stage, "barrier-failure", ", --fault, 'crash@segment=2'");
    const size_t length = strlen(stage.text);
    (void)snprintf(stage.text + length, sizeof stage.text - length, "cost: train_flop\n");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    const long segments = count(&stage, "SELECT count(*) FROM segment");
    for (int64_t id = 1; id <= segments; id++) {
        char sql[256];
        (void)snprintf(sql, sizeof sql,
                       "SELECT coalesce(sum(value), -1) FROM segment_metric WHERE segment = %d AND "
                       "name = 'train_flop'",
                       (int)id);
        const long sum = count(&stage, sql);
        assert_int_equal(isnan(costs[id]) ? -1 : (long)costs[id], sum);
        live[id] = costs[id];
        costs[id] = 0.0;
    }
    assert_true(live[1] > 0.0);
    stage_run(&stage);
    assert_memory_equal(costs + 1, live + 1, (size_t)segments * sizeof live[0]);
    stage_remove(&stage);
}

static void asynchronous_decisions_branch_from_where_they_say(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "interleaved", "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    /* a branch draws a new seed */
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment s JOIN segment p ON p.id = "
                                   "s.parent WHERE s.seed = p.seed AND s.reason IN ('exploit', "
                                   "'backtrack')"),
                     0);
    stage_remove(&stage);
}

/* the barrier in the middle leaves time to collect the checkpoint of segment 2, which the last
 * segment then branches from */
static const ScriptedStep gone_steps[] = {
    {.kind = DECISION_RUN, .begin = 0, .end = 5, .unit = -1, .reason = "initial"},
    {.kind = DECISION_RUN, .parent = 1, .begin = 5, .end = 10, .unit = -1, .reason = "continue"},
    {.kind = DECISION_RUN, .parent = 2, .begin = 10, .end = 15, .unit = -1, .reason = "continue"},
    {.kind = DECISION_EVALUATE, .parent = 3, .episodes = 2, .reason = "evaluate"},
    {.kind = DECISION_RUN,
     .parent = 2,
     .begin = 10,
     .end = 15,
     .unit = 0.9,
     .branch = true,
     .barrier = true,
     .reason = "backtrack"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};
static const ScriptedCase gone_case = {.name = "gone",
                                       .order = SCHEDULER_ORDER_ANY,
                                       .steps = gone_steps,
                                       .count = sizeof gone_steps / sizeof gone_steps[0],
                                       .per_trial = 20,
                                       .segment = 5,
                                       .repeats = 1,
                                       .objectives = 1,
                                       .never_kept = 2};

static void a_removed_checkpoint_is_computed_again_bit_for_bit(void **state) {
    (void)state;
    Stage stage;
    stage_make_case(&stage, &gone_case, "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment WHERE state = 'finished'"), 4);
    assert_true(count(&stage, "SELECT count(*) FROM log WHERE text LIKE '%again%'") > 0);
    assert_int_equal(count(&stage, "SELECT count(*) FROM log WHERE text LIKE '%differs%'"), 0);
    stage_remove(&stage);
}

static void a_memo_comes_back(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "memo", "");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    assert_int_equal(count(&stage, "SELECT max(length(memo)) FROM event"), SCHEDULER_MEMO_BYTES);
    stage_run(&stage); /* replays the log; observe() refuses a changed memo */
    assert_int_equal(stage.exit_status, 0);
    stage_remove(&stage);
}

static void a_failed_study_ends_with_one(void **state) {
    (void)state;
    Stage stage;
    stage_make(&stage, "failure", ", --fault, 'nan@segment=1'");
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 1);
    assert_int_equal(count(&stage, "SELECT count(*) FROM segment WHERE outcome = 'diverged'"), 1);
    assert_int_equal(count(&stage, "SELECT count(*) FROM study WHERE state = 'failed'"), 1);
    stage_remove(&stage);
}

/* ---- yield and resume ---------------------------------------------------------------------------
 */

static void interrupt_later(int signal_number) {
    (void)signal_number;
    (void)raise(SIGINT);
}

/* one SIGINT after `milliseconds`, to this process */
static void interrupt_in(long milliseconds) {
    struct sigaction action;
    struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt_later;
    action.sa_flags = SA_RESTART;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static char *rows_after(const char *script, const char *trainer, long milliseconds, bool *cut);

/* ---- damage -------------------------------------------------------------------------------------
 */

/* every checkpoint of an interrupted study is damaged; it goes on as if nothing had been */
static void damage(const Stage *stage, const char *shell) {
    char command[2 * PATH_BYTES];
    (void)snprintf(command, sizeof command, "for f in %s/checkpoints/*; do %s; done", stage->study,
                   shell);
    const pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static long checkpoint_files(const Stage *stage) {
    char line[PATH_BYTES + 32];
    Run  run;
    (void)snprintf(line, sizeof line, "ls '%s/checkpoints' | wc -l", stage->study);
    assert_int_equal(run_shell(&run, line), 0);
    return strtol(run.text, NULL, 10);
}

/* a child that waits for the first checkpoint and then interrupts this process */
static pid_t interrupt_after_checkpoint(const Stage *stage) {
    char path[PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/checkpoints/1.a1", stage->study);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        while (access(path, F_OK) != 0 && getppid() == parent) {
            clock_sleep(0.005);
        }
        clock_sleep(0.03);
        (void)kill(parent, SIGINT);
        _exit(0);
    }
    return child;
}

static void damaged_checkpoints_are_computed_again(void **state) {
    (void)state;
    static const char *const ways[] = {"rm -r $f", "truncate -s 5 $f",
                                       "printf X | dd of=$f bs=1 seek=7 conv=notrunc status=none"};
    bool                     cut = false;
    char                    *expected = rows_after("yield", ", --sleep, '0.001'", 0, &cut);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        Stage stage;
        stage_make(&stage, "yield", ", --sleep, '0.001'");
        const pid_t child = interrupt_after_checkpoint(&stage);
        stage_run(&stage);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(stage.exit_status, 75);
        damage(&stage, ways[i]);
        stage_run(&stage);
        assert_int_equal(stage.exit_status, 0);
        assert_true(count(&stage, "SELECT count(*) FROM log WHERE text LIKE '%again%'") > 0);
        assert_int_equal(checkpoint_files(&stage),
                         count(&stage, "SELECT count(*) FROM segment WHERE kept = 1"));
        char *rows = run_canonical(stage.study);
        assert_string_equal(rows, expected);
        free(rows);
        stage_remove(&stage);
    }
    free(expected);
}

static char *rows_after(const char *script, const char *trainer, long milliseconds, bool *cut) {
    Stage stage;
    *cut = false;
    stage_make(&stage, script, trainer);
    if (milliseconds > 0) {
        interrupt_in(milliseconds);
        stage_run(&stage);
        *cut = stage.exit_status == 75;
        assert_int_equal(count(&stage, "SELECT count(*) FROM segment WHERE state = 'running'"), 0);
    }
    stage_run(&stage);
    assert_int_equal(stage.exit_status, 0);
    char *rows = run_canonical(stage.study);
    stage_remove(&stage);
    return rows;
}

static void a_yielded_segment_goes_on_where_it_was(void **state) {
    (void)state;
    bool  cut = false;
    char *expected = rows_after("yield", ", --sleep, '0.002'", 0, &cut);
    char *rows = rows_after("yield", ", --sleep, '0.002'", 300, &cut);
    assert_true(cut);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
}

/* of those whose rows do not depend on which result came first */
static void a_script_can_be_cut_and_resumed(void **state) {
    (void)state;
    static const char *const scripts[] = {"barrier-failure", "objectives", "recomputed", "memo"};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        bool  cut = false;
        char *expected = rows_after(scripts[i], ", --sleep, '0.02'", 0, &cut);
        char *rows = rows_after(scripts[i], ", --sleep, '0.02'", 80 + 40 * (long)i, &cut);
        assert_string_equal(rows, expected);
        free(rows);
        free(expected);
    }
}

/* ---- ranks --------------------------------------------------------------------------------------
 */

static int run_group(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_member_at_a_barrier_is_replaced),
        cmocka_unit_test(repeats_get_seeds_of_their_own),
        cmocka_unit_test(evaluations_are_work_and_change_nothing),
        cmocka_unit_test(two_objectives_and_a_constraint_are_stored),
        cmocka_unit_test(costs_are_those_of_the_segment_alone_and_the_same_on_replay),
        cmocka_unit_test(asynchronous_decisions_branch_from_where_they_say),
        cmocka_unit_test(a_removed_checkpoint_is_computed_again_bit_for_bit),
        cmocka_unit_test(a_memo_comes_back),
        cmocka_unit_test(a_failed_study_ends_with_one),
        cmocka_unit_test(a_yielded_segment_goes_on_where_it_was),
        cmocka_unit_test(damaged_checkpoints_are_computed_again),
        cmocka_unit_test(a_script_can_be_cut_and_resumed),
    };
    int over = OVER;
    spy_init();
    const int failed = cmocka_run_group_tests_name("tuner/coordinator", tests, NULL, NULL);
    (void)MPI_Bcast(&over, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return failed;
}

static int work(void) {
    static const char binary[] = TEST_BINARY_FOLDER "/tuner/mbtune";
    for (;;) {
        int next = OVER;
        (void)MPI_Bcast(&next, 1, MPI_INT, 0, MPI_COMM_WORLD);
        if (next == OVER) {
            return 0;
        }
        const WorkerSetup setup = {.slots = 1, .binary = binary};
        if (worker_main(MPI_COMM_WORLD, &setup) != STATUS_OK) {
            (void)fprintf(stderr, "worker: %s\n", status_last()->text);
            (void)MPI_Abort(MPI_COMM_WORLD, 1);
        }
    }
}

int main(int argc, char **argv) {
    int provided = 0;
    int rank = 0;
    (void)MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    const int failed = (rank == 0) ? run_group() : work();
    (void)MPI_Finalize();
    return failed;
}
