/* What `mbtune doctor` finds on a machine that runs these tests, and where it must not be pleased.
 */
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"

#include "core/clock.h"
#include "core/json.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm_bf16.h"
#include "tuner/doctor.h"
#include "tuner/machine_rate.h"
#include "tuner/program.h"

#include <stdio.h>
#include <string.h>

static const Finding *finding_of(const Diagnosis *diagnosis, const char *topic) {
    for (size_t i = 0; i < diagnosis->count; i++) {
        if (strcmp(diagnosis->findings[i].topic, topic) == 0) {
            return &diagnosis->findings[i];
        }
    }
    static const Finding none;
    fail_msg("nothing is said about %s", topic);
    return &none;
}

static void a_machine_that_runs_studies_is_good(void **state) {
    static const char *const topics[] = {"cores", "gpus",    "blas",  "memory",  "shared memory",
                                         "mpi",   "mpiexec", "ranks", "folder",  "disk",
                                         "locks", "sync",    "slurm", "planning"};
    (void)state;
    static Run run;
    char      *folder = test_folder_make();
    char       line[512];
    Json      *rows = NULL;
    (void)snprintf(line, sizeof line, "mbtune doctor %s/study -f json", folder);
    assert_int_equal(run_shell(&run, line), 0);
    assert_ok(json_parse(run.text, run.length, &rows));
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        bool found = false;
        for (size_t k = 0; k < json_count(rows); k++) {
            const Json *row = json_at(rows, k);
            found = found || strcmp(json_string(json_get(row, "topic")), topics[i]) == 0;
            assert_string_not_equal(json_string(json_get(row, "level")), "problem");
        }
        assert_true(found);
    }
    json_release(rows);
    (void)snprintf(line, sizeof line, "ls -A %s | wc -l", folder); /* it leaves nothing behind */
    assert_int_equal(run_shell(&run, line), 0);
    assert_string_equal(run.text, "0\n");
    test_folder_remove(folder);
}

static void a_folder_that_cannot_be_written_is_a_problem(void **state) {
    (void)state;
    static Run run;
    assert_int_equal(run_shell(&run, "mbtune doctor /proc/studies"), 1);
    assert_contains(run.text, "cannot make a file in /proc");
    assert_contains(run.text, "studies cannot run here: 1 problem, the first is 'writing'");
}

static void a_folder_that_is_not_there_is_not_said_to_be_good(void **state) {
    (void)state;
    static Run run;
    char      *folder = test_folder_make();
    char       line[512];
    char       expected[512];
    (void)snprintf(line, sizeof line, "cd %s && mbtune doctor deep/er", folder);
    assert_int_equal(run_shell(&run, line), 0);
    (void)snprintf(expected, sizeof expected, "deep/er is no folder yet: looked at %s instead",
                   folder);
    assert_contains(run.text, expected);
    (void)snprintf(line, sizeof line, "mbtune doctor %s", folder);
    assert_int_equal(run_shell(&run, line), 0);
    assert_null(strstr(run.text, "is no folder yet"));
    test_folder_remove(folder);
}

static void memory_is_no_place_for_studies(void **state) {
    (void)state;
    static Diagnosis diagnosis;
    doctor_folder(&diagnosis, "/dev/shm");
    if (strstr(finding_of(&diagnosis, "folder")->text, "tmpfs") != NULL) {
        assert_int_equal(finding_of(&diagnosis, "folder")->level, FINDING_WARNING);
    }
    assert_int_equal(finding_of(&diagnosis, "locks")->level, FINDING_GOOD);
    diagnosis.count = 0;
    doctor_folder(&diagnosis, ""); /* here */
    assert_int_equal(finding_of(&diagnosis, "locks")->level, FINDING_GOOD);
}

static void other_programs_are_asked_with_a_deadline(void **state) {
    static const char *const missing[] = {"mbtune-no-such-program", NULL};
    static const char *const slow[] = {"sh", "-c", "echo begun; sleep 60", NULL};
    static const char *const deaf[] = {"sh", "-c", "exec >/dev/null 2>&1; sleep 60", NULL};
    static const char *const loud[] = {"sh", "-c", "yes | head -c 100000; exit 3", NULL};
    (void)state;
    char         text[64];
    const double begin = clock_monotonic();
    assert_int_equal(program_ask(missing, 5.0, text, sizeof text), PROGRAM_NOT_FOUND);
    assert_int_equal(program_ask(slow, 0.3, text, sizeof text), PROGRAM_TOO_SLOW);
    assert_string_equal(text, "begun\n");
    assert_int_equal(program_ask(deaf, 0.3, text, sizeof text), PROGRAM_TOO_SLOW);
    assert_true(clock_monotonic() - begin < 50.0);
    assert_int_equal(program_ask(loud, 50.0, text, sizeof text), 3);
    assert_int_equal(strlen(text), sizeof text - 1);
}

static void a_precision_that_the_processor_lacks_has_no_rate(void **state) {
    (void)state;
    MachineRate rate;
    assert_ok(machine_rate(&rate));
    assert_true(rate.float32 > 1e6 && (rate.bfloat16 > 0.0) == lanes_have_bf16());
    lanes_limit(LANES_AVX2);
    assert_ok(machine_rate(&rate));
    assert_true(rate.float32 > 1e6 && rate.bfloat16 == 0.0);
    Diagnosis diagnosis = {.count = 0};
    doctor_processor(&diagnosis);
    assert_contains(finding_of(&diagnosis, "planning")->text, "no bfloat16 (AVX512_BF16)");
    lanes_limit(LANES_AVX512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_precision_that_the_processor_lacks_has_no_rate),
        cmocka_unit_test(a_machine_that_runs_studies_is_good),
        cmocka_unit_test(a_folder_that_is_not_there_is_not_said_to_be_good),
        cmocka_unit_test(a_folder_that_cannot_be_written_is_a_problem),
        cmocka_unit_test(memory_is_no_place_for_studies),
        cmocka_unit_test(other_programs_are_asked_with_a_deadline),
    };
    return cmocka_run_group_tests_name("tuner/doctor", tests, NULL, NULL);
}
