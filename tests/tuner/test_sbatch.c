/* What Slurm's words mean, where ranks go, and the job script. No Slurm is needed. */
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"
#include "tuner/launch_srun.h"
#include "tuner/sbatch_script.h"
#include "tuner/slurm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* squeue and scontrol that note what they are asked and fail the first two times of each */
static void make_flaky_slurm(const char *folder) {
    char path[4096];
    char line[4096];
    Run  run;
    (void)snprintf(line, sizeof line,
                   "cd '%s' && cat > squeue <<'E'\n"
                   "#!/bin/sh\n"
                   "cd \"$(dirname \"$0\")\" && name=$(basename \"$0\")\n"
                   "echo \"$*\" >> $name.asked\n"
                   "if [ \"$(wc -l < $name.asked)\" -lt 3 ]; then echo 'timed out'; exit 1; fi\n"
                   "echo 'RUNNING None'\n"
                   "E\n"
                   "chmod +x squeue && cp squeue scontrol",
                   folder);
    assert_int_equal(run_shell(&run, line), 0);
    (void)snprintf(path, sizeof path, "%s:%s", folder, getenv("PATH"));
    (void)setenv("PATH", path, 1);
}

/* one that does not answer now does so in a moment; and a task of an array goes back alone */
static void slurm_is_asked_again_until_it_answers(void **state) {
    char *folder = test_folder_make();
    char *before = strdup(getenv("PATH"));
    char  line[4096];
    Run   run;
    (void)state;

    make_flaky_slurm(folder);
    (void)setenv("SLURM_JOB_ID", "7", 1);
    (void)setenv("SLURM_ARRAY_JOB_ID", "7", 1);
    (void)setenv("SLURM_ARRAY_TASK_ID", "1", 1);
    assert_ok(slurm_requeue());
    (void)snprintf(line, sizeof line, "cd '%s' && cat squeue.asked scontrol.asked", folder);
    assert_int_equal(run_shell(&run, line), 0);
    assert_string_equal(run.text, "--noheader --jobs 7_1 --format %T %r\n"
                                  "--noheader --jobs 7_1 --format %T %r\n"
                                  "--noheader --jobs 7_1 --format %T %r\n"
                                  "requeue 7_1\nrequeue 7_1\nrequeue 7_1\n");
    (void)snprintf(line, sizeof line, "cd '%s' && echo 'echo COMPLETING None' > squeue", folder);
    assert_int_equal(run_shell(&run, line), 0);
    assert_fails(slurm_requeue(), STATUS_ERR_STATE, "Slurm calls it 'COMPLETING None'");
    (void)setenv("PATH", before, 1);
    (void)unsetenv("SLURM_JOB_ID");
    (void)unsetenv("SLURM_ARRAY_JOB_ID");
    (void)unsetenv("SLURM_ARRAY_TASK_ID");
    free(before);
    test_folder_remove(folder);
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
        cmocka_unit_test(wrong_command_lines_are_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
