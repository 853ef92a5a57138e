/* What Slurm's words mean, where ranks go, and the job script. No Slurm is needed. */
#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"
#include "tuner/launch_srun.h"
#include "tuner/sbatch_script.h"
#include "tuner/slurm.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void counts_per_node_are_read(void **state) {
    int64_t counts[4];
    size_t  count = 0;
    (void)state;

    assert_ok(slurm_parse_counts("4(x2),3", 4, counts, &count));
    assert_int_equal(count, 3);
    assert_int_equal(counts[0], 4);
    assert_int_equal(counts[1], 4);
    assert_int_equal(counts[2], 3);
    assert_ok(slurm_parse_counts("128", 4, counts, &count));
    assert_int_equal(count, 1);
    assert_int_equal(counts[0], 128);
    static const char *const bad[] = {"x", "4(x", "4(x0)", "0", "4;3", "4(x2", "-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(slurm_parse_counts(bad[i], 4, counts, &count), STATUS_ERR_PARSE, bad[i]);
    }
    assert_fails(slurm_parse_counts("4(x5)", 4, counts, &count), STATUS_ERR_RANGE, "4 nodes");
    assert_fails(slurm_parse_counts("1,1,1,1,1", 4, counts, &count), STATUS_ERR_RANGE, "4 nodes");
}

static void durations_are_read_as_slurm_means_them(void **state) {
    static const struct {
        const char *text;
        double      seconds;
    } good[] = {{"90", 5400.0},     {"90:30", 5430.0},     {"2:00:00", 7200.0},
                {"1-12", 129600.0}, {"1-12:30", 131400.0}, {"1-12:30:15", 131415.0},
                {"0:59", 59.0},     {"02:00:00", 7200.0}};
    static const char *const bad[] = {
        "", "x", "1:2:3:4", "1-", "-1", "1:", "1h", "1-1-1", "2:00:0x", "1 30", ":30"};
    double seconds = 0.0;
    (void)state;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(slurm_parse_time(good[i].text, &seconds));
        assert_close(seconds, good[i].seconds, 0.0, 0.0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(slurm_parse_time(bad[i], &seconds), STATUS_ERR_PARSE, "no duration");
    }
    assert_ok(slurm_parse_time("UNLIMITED", &seconds));
    assert_true(isinf(seconds));
}

static void place_some(const SlurmNode *nodes, size_t count, const LaunchPlaces *places,
                       const char *expected) {
    char  *folder = test_folder_make();
    char  *path = file_join(folder, "hosts");
    Buffer text;
    size_t ranks = 0;
    size_t lines = 0;

    buffer_init(&text, 4096);
    assert_ok(launch_srun_place(nodes, count, places, path, &ranks));
    assert_ok(file_read(path, &text));
    assert_string_equal(buffer_text(&text), expected);
    for (const char *at = buffer_text(&text); *at != '\0'; at++) {
        lines += (*at == '\n') ? 1 : 0;
    }
    assert_int_equal(ranks, lines);
    buffer_reset(&text);
    free(path);
    test_folder_remove(folder);
}

static void place(const SlurmNode *nodes, size_t count, int64_t workers, int64_t cores,
                  const char *expected) {
    const LaunchPlaces places = {.workers = workers, .cores = cores, .most_per_node = 100};
    place_some(nodes, count, &places, expected);
}

static void every_node_gets_as_many_workers_as_fit(void **state) {
    static const SlurmNode nodes[] = {{"a", 4}, {"b", 1}, {"c", 5}};
    size_t                 ranks = 0;
    (void)state;

    place(nodes, 3, 0, 1, "a\na\na\na\na\nb\nc\nc\nc\nc\nc\n");
    place(nodes, 3, 0, 2, "a\na\na\nc\nc\n");
    place(nodes, 3, 2, 1, "a\na\na\n");
    place(nodes, 3, 6, 2, "a\na\na\nc\nc\na\na\n"); /* more than fit: round once more */
    const LaunchPlaces by_gpus = {.cores = 1, .most_per_node = 2};
    place_some(nodes, 3, &by_gpus, "a\na\na\nb\nc\nc\n");
    const LaunchPlaces large = {.cores = 6, .most_per_node = 100};
    assert_fails(launch_srun_place(nodes, 3, &large, "unused", &ranks), STATUS_ERR_RANGE,
                 "needs 6 cores on one node");
}

static void job_script_asks_for_what_was_said(void **state) {
    static const char *const studies[] = {"/a b/s.yaml", "/c/t.yaml"};
    static const char *const folders[] = {"/a b/s", "/c/t"};
    static const char *const sets[] = {"budget.total=10"};
    SbatchScript             script = {.name = "mbtune-s",
                                       .nodes = 4,
                                       .time = "2:00:00",
                                       .seconds = 7200.0,
                                       .partition = "long",
                                       .max_requeues = 7,
                                       .working_folder = "/a b",
                                       .binary = "/opt/mbtune",
                                       .studies = studies,
                                       .folders = folders,
                                       .study_count = 1,
                                       .sets = sets,
                                       .set_count = 1,
                                       .slots = 1};
    Buffer                   out;
    (void)state;

    buffer_init(&out, 1 << 16);
    sbatch_script_write(&script, &out);
    assert_contains(buffer_text(&out), "#!/bin/bash\n#SBATCH ");
    assert_contains(buffer_text(&out), "\n#SBATCH --nodes=4\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --exclusive\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --time=\"2:00:00\"\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --signal=B:USR1@60\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --requeue\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --partition=\"long\"\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --chdir=\"/a b\"\n");
    assert_contains(buffer_text(&out), "\nstudies=('/a b/s.yaml')\n");
    assert_contains(buffer_text(&out), " --max-requeues 7 --set budget.total=10\n");
    assert_null(strstr(buffer_text(&out), "--array"));
    assert_null(strstr(buffer_text(&out), "--gpus"));
    buffer_clear(&out);
    script.study_count = 2;
    script.cpus_per_node = 8;
    script.gpus_per_node = 2;
    script.memory_per_node = 3.0 * 1048576.0;
    script.max_requeues = 0;
    script.seconds = 60.0;
    sbatch_script_write(&script, &out);
    assert_contains(buffer_text(&out), "\n#SBATCH --array=0-1\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --cpus-per-task=8\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --gpus-per-node=2\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --mem=4M\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --no-requeue\n");
    assert_contains(buffer_text(&out), "\n#SBATCH --signal=B:USR1@10\n");
    assert_null(strstr(buffer_text(&out), "--exclusive"));
    buffer_reset(&out);
}

/* ---- asking Slurm ---------------------------------------------------------------------------- */

typedef struct Answers {
    char *folder; /* first of the PATH */
    char *path_before;
} Answers;

/* a file of the shell in the folder */
static void answer(const Answers *answers, const char *name, const char *script) {
    char line[4096];
    Run  run;
    (void)snprintf(line, sizeof line, "cd '%s' && cat > %s <<'E'\n#!/bin/sh\n%s\nE\nchmod +x %s",
                   answers->folder, name, script, name);
    assert_int_equal(run_shell(&run, line), 0);
}

/* what the folder's squeue and scontrol were asked */
static void assert_asked(const Answers *answers, const char *expected) {
    char line[4096];
    Run  run;
    (void)snprintf(line, sizeof line, "cd '%s' && cat squeue.asked scontrol.asked",
                   answers->folder);
    assert_int_equal(run_shell(&run, line), 0);
    assert_string_equal(run.text, expected);
}

static void answers_make(Answers *answers) {
    char path[4096];
    answers->folder = test_folder_make();
    answers->path_before = strdup(getenv("PATH"));
    (void)snprintf(path, sizeof path, "%s:%s", answers->folder, answers->path_before);
    (void)setenv("PATH", path, 1);
    (void)setenv("SLURM_JOB_ID", "7", 1);
}

static void answers_remove(Answers *answers) {
    (void)setenv("PATH", answers->path_before, 1);
    (void)unsetenv("SLURM_JOB_ID");
    free(answers->path_before);
    test_folder_remove(answers->folder);
}

/* one that does not answer now does so in a moment; and a task of an array goes back alone */
static void slurm_is_asked_again_until_it_answers(void **state) {
    Answers answers;
    (void)state;

    answers_make(&answers);
    run_make_flaky_slurm(answers.folder);
    answer(&answers, "answer", "echo 'RUNNING None'");
    (void)setenv("SLURM_ARRAY_JOB_ID", "7", 1);
    (void)setenv("SLURM_ARRAY_TASK_ID", "1", 1);
    assert_ok(slurm_requeue());
    /* squeue before every try of scontrol */
    assert_asked(&answers, "--noheader --jobs 7_1 --format %T %r\n"
                           "--noheader --jobs 7_1 --format %T %r\n"
                           "--noheader --jobs 7_1 --format %T %r\n"
                           "--noheader --jobs 7_1 --format %T %r\n"
                           "--noheader --jobs 7_1 --format %T %r\n"
                           "requeue 7_1\nrequeue 7_1\nrequeue 7_1\n");
    answer(&answers, "answer", "echo COMPLETING None");
    assert_fails(slurm_requeue(), STATUS_ERR_STATE, "Slurm calls it 'COMPLETING None'");
    (void)unsetenv("SLURM_ARRAY_JOB_ID");
    (void)unsetenv("SLURM_ARRAY_TASK_ID");
    answers_remove(&answers);
}

static void a_job_that_is_cancelled_while_scontrol_fails_stays_so(void **state) {
    Answers answers;
    (void)state;

    answers_make(&answers);
    answer(&answers, "squeue",
           "cd \"$(dirname \"$0\")\"; echo q >> squeue.asked\n"
           "[ -f scontrol.asked ] && echo 'COMPLETING None' || echo 'RUNNING None'");
    answer(&answers, "scontrol", "cd \"$(dirname \"$0\")\"; echo c >> scontrol.asked; exit 1");
    assert_fails(slurm_requeue(), STATUS_ERR_STATE, "not started again: Slurm calls it 'COMPL");
    assert_asked(&answers, "q\nq\nc\n");
    answers_remove(&answers);
}

/* one that was given up may have done it */
static void a_job_that_is_back_in_the_queue_is_left_there(void **state) {
    Answers answers;
    (void)state;

    answers_make(&answers);
    answer(&answers, "squeue", "echo 'PENDING BeginTime'");
    answer(&answers, "scontrol", "exit 1");
    assert_ok(slurm_requeue());
    answers_remove(&answers);
}

static void warnings_of_slurm_are_no_answers(void **state) {
    SlurmNode *nodes = NULL;
    size_t     count = 0;
    Answers    answers;
    (void)state;

    answers_make(&answers);
    answer(&answers, "squeue",
           "echo 'squeue: error: Parsing error at unrecognized key: New' >&2\n"
           "case \"$*\" in *%L) echo 1:00:00 ;; *) echo 'RUNNING None' ;; esac");
    answer(&answers, "scontrol",
           "echo 'scontrol: error: Parsing error at unrecognized key: New' >&2; echo a; echo b");
    assert_close(slurm_end_time(), clock_wall() + 3600.0, 0.0, 60.0);
    assert_ok(slurm_requeue());
    (void)setenv("SLURM_JOB_CPUS_PER_NODE", "4(x2)", 1);
    assert_ok(slurm_nodes(&nodes, &count));
    assert_int_equal(count, 2);
    assert_string_equal(nodes[0].name, "a");
    assert_string_equal(nodes[1].name, "b");
    free(nodes);
    (void)unsetenv("SLURM_JOB_CPUS_PER_NODE");
    /* no end is another thing than an end that nobody says */
    answer(&answers, "squeue", "echo UNLIMITED");
    assert_true(isinf(slurm_end_time()));
    answer(&answers, "squeue", "echo NOT_SET");
    assert_true(isnan(slurm_end_time()));
    answers_remove(&answers);
}

/* @return how the process ends that gets the signal before it is put back, all of them blocked as
 * they are after launching */
static int requeue_with_signal(int number) {
    int         status = 0;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sigset_t set;
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGHUP, SIG_DFL); /* the tests may run under nohup */
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGUSR1);
        (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
        (void)raise(number);
        _exit((slurm_requeue() == STATUS_OK) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

/* Ctrl-C means it, what Slurm sends is judged by squeue's words */
static void who_interrupts_does_not_want_it_back(void **state) {
    Answers answers;
    (void)state;

    answers_make(&answers);
    answer(&answers, "squeue", "echo 'RUNNING None'");
    answer(&answers, "scontrol", "kill -TERM $PPID $$; exit 0"); /* as Slurm does */
    assert_int_equal(requeue_with_signal(SIGINT), SIGINT);
    assert_int_equal(requeue_with_signal(SIGHUP), SIGHUP);
    assert_int_equal(requeue_with_signal(SIGTERM), 0);
    assert_int_equal(requeue_with_signal(SIGUSR1), 0);
    answers_remove(&answers);
}

typedef struct Bad {
    const char *line;
    const char *part;
} Bad;

static void wrong_command_lines_are_one_sentence(void **state) {
    static const Bad bad[] = {
        {"mbtune sbatch s.yaml", "--time is needed"},
        {"mbtune sbatch s.yaml --time soon", "'soon' is no duration"},
        {"mbtune sbatch s.yaml --time UNLIMITED", "is no duration"},
        {"mbtune sbatch s.yaml -t 10 --nodes 0", "--nodes"},
        {"mbtune sbatch s.yaml -t 10 --partition \"$(printf 'a\\nb')\"",
         "--partition: a line break"},
        {"mbtune sbatch missing.yaml -t 10", "missing.yaml"},
        {"mbtune sbatch s.yaml s.yaml -t 10", "share the study folder"},
        {"mbtune sbatch s.yaml t.yaml -t 10 --dir x", "--dir: one folder for 2 studies"},
        {"mbtune sbatch t.yaml -t 10 -c 2", "needs 4 cores"},
        {"mbtune sbatch s.yaml -t 10 --set resources.gpus=4 --slots 2 -g 7", "needs 8 GPUs"},
        {"mbtune sbatch hand.yaml -t 10", "trained by a person"},
        {"mbtune sbatch s.yaml -t 10 --set seed=x", "seed"},
        {"env PATH=/none \"$(command -v mbtune)\" sbatch s.yaml -t 10 --submit", "no sbatch here"},
        {"env -u SLURM_JOB_ID mbtune run s.yaml --launcher srun", "no Slurm job"},
        {"env -u SLURM_JOB_ID mbtune run s.yaml --max-requeues 3", "no Slurm job"},
        {"mbtune run s.yaml --launcher ssh", "--launcher"},
        {"mbtune run s.yaml --time-left never", "--time-left"},
    };
    static const char common[] =
        "cat > s.yaml <<'E'\n"
        "name: s\n"
        "trainer: {command: [true]}\n"
        "objective: {metric: reward, direction: maximize}\n"
        "budget: {unit: episode, per_trial: 2, segment: 1, trials: 2}\n"
        "scheduler: {name: random}\n"
        "hyperparameters: {x: {type: float, lower: 0, upper: 1}}\n"
        "E\n"
        "{ sed 's/name: s/name: t/' s.yaml; echo 'resources: {cores: 4}'; } > t.yaml\n"
        "sed 's/name: s/name: hand/; s/^trainer:.*/trainer: manual/' s.yaml > hand.yaml\n";
    char *folder = test_folder_make();
    Run   run;
    char  line[2048];
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(line, sizeof line, "cd '%s'; %s%s", folder, (i == 0) ? common : "",
                       bad[i].line);
        const int status = run_shell(&run, line);
        print_message("%s: %d %s", bad[i].line, status, run.text);
        assert_true(status == 1 || status == 2);
        assert_contains(run.text, bad[i].part);
    }
    test_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_per_node_are_read),
        cmocka_unit_test(durations_are_read_as_slurm_means_them),
        cmocka_unit_test(every_node_gets_as_many_workers_as_fit),
        cmocka_unit_test(job_script_asks_for_what_was_said),
        cmocka_unit_test(slurm_is_asked_again_until_it_answers),
        cmocka_unit_test(a_job_that_is_cancelled_while_scontrol_fails_stays_so),
        cmocka_unit_test(a_job_that_is_back_in_the_queue_is_left_there),
        cmocka_unit_test(warnings_of_slurm_are_no_answers),
        cmocka_unit_test(who_interrupts_does_not_want_it_back),
        cmocka_unit_test(wrong_command_lines_are_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
