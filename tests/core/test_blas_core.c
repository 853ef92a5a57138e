#include "tests/support/test_support.h"

#include "core/blas_core.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_SAYS = 400 };

static void a_poor_pick_has_a_better_one(void **state) {
    (void)state;
    assert_string_equal(blas_core_better("Prescott", BLAS_LEVEL_AVX512), "SkylakeX");
    assert_string_equal(blas_core_better("Haswell", BLAS_LEVEL_AVX512), "SkylakeX");
    assert_string_equal(blas_core_better("Zen", BLAS_LEVEL_AVX512), "SkylakeX");
    assert_string_equal(blas_core_better("Prescott", BLAS_LEVEL_AVX2), "Haswell");
    assert_string_equal(blas_core_better("Sandybridge", BLAS_LEVEL_AVX2), "Haswell");
    assert_string_equal(blas_core_better("Unknown", BLAS_LEVEL_AVX2), "Haswell");
}

static void a_good_pick_is_left_alone(void **state) {
    (void)state;
    assert_null(blas_core_better("Zen", BLAS_LEVEL_AVX2));
    assert_null(blas_core_better("Haswell", BLAS_LEVEL_AVX2));
    assert_null(blas_core_better("Prescott", BLAS_LEVEL_PLAIN));
    /* never what the processor cannot run */
    assert_null(blas_core_better("SkylakeX", BLAS_LEVEL_AVX2));
    assert_null(blas_core_better("SkylakeX", BLAS_LEVEL_AVX512));
    assert_null(blas_core_better("Cooperlake", BLAS_LEVEL_AVX512));
    /* of a later OpenBLAS, which knows more than this table; of another architecture */
    assert_null(blas_core_better("GraniteRapids", BLAS_LEVEL_AVX512));
    assert_null(blas_core_better("neoversev1", BLAS_LEVEL_PLAIN));
}

/* in a child: what it says on stdout. It is this program, started anew by `mode`. */
static void run_child(const char *mode, const char *asked, const char *picked, char *says) {
    int   ends[2];
    char  name[] = "test_blas_core";
    char *argv[] = {name, (char *)(uintptr_t)mode, NULL};
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)unsetenv("OPENBLAS_CORETYPE");
        (void)unsetenv("MBTUNE_BLAS_PICK");
        if (asked != NULL) {
            (void)setenv("OPENBLAS_CORETYPE", asked, 1);
        }
        if (picked != NULL) {
            (void)setenv("MBTUNE_BLAS_PICK", picked, 1);
        }
        (void)execv("/proc/self/exe", argv);
        _exit(127);
    }
    (void)close(ends[1]);
    size_t  used = 0;
    ssize_t count;
    while ((count = read(ends[0], says + used, CHILD_SAYS - 1 - used)) > 0) {
        used += (size_t)count;
    }
    says[used] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* "restart" asks for Nehalem (any x86-64 runs it), "settle" lets the processor decide */
static int child(const char *mode, char **argv) {
    Buffer text;
    if (strcmp(mode, "restart") == 0 && getenv("OPENBLAS_CORETYPE") == NULL) {
        blas_core_restart("Prescott", "Nehalem", argv);
        return 1;
    }
    if (strcmp(mode, "settle") == 0) {
        blas_core_settle(argv);
    }
    buffer_init(&text, CHILD_SAYS);
    blas_core_describe(&text);
    (void)printf("%s.", buffer_text(&text));
    buffer_reset(&text);
    return fflush(stdout) == 0 ? 0 : 1;
}

static void a_restart_changes_the_kernels(void **state) {
    (void)state;
    char says[CHILD_SAYS];
    if (blas_core_level() == BLAS_LEVEL_PLAIN) {
        test_skip("needs a processor with AVX2");
    }
    run_child("restart", NULL, NULL, says);
    assert_contains(says, "OpenBLAS runs its Nehalem kernels because OPENBLAS_CORETYPE is Nehalem; "
                          "this processor could run ");
    /* as after a start that mbtune caused */
    const char *best = blas_core_better("Prescott", blas_core_level());
    char        expected[CHILD_SAYS];
    run_child("describe", best, "Prescott", says);
    (void)snprintf(expected, sizeof expected,
                   "OpenBLAS runs its %s kernels, asked for by mbtune, in place of the Prescott "
                   "that it picks here.",
                   best);
    assert_string_equal(says, expected);
}

/* whatever OpenBLAS picks here by itself, what comes out is as good as the processor */
static void settling_ends_with_good_kernels(void **state) {
    (void)state;
    char says[CHILD_SAYS];
    run_child("settle", NULL, NULL, says);
    assert_contains(says, "OpenBLAS runs its ");
    assert_null(strstr(says, "could run"));
    /* a choice of the user's stands */
    if (blas_core_level() != BLAS_LEVEL_PLAIN) {
        run_child("settle", "Nehalem", NULL, says);
        assert_contains(says, "OpenBLAS runs its Nehalem kernels because ");
    }
}

int main(int argc, char **argv) {
    if (argc == 2) {
        return child(argv[1], argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poor_pick_has_a_better_one),
        cmocka_unit_test(a_good_pick_is_left_alone),
        cmocka_unit_test(a_restart_changes_the_kernels),
        cmocka_unit_test(settling_ends_with_good_kernels),
    };
    return cmocka_run_group_tests_name("core/blas_core", tests, NULL, NULL);
}
