#include "core/blas_core.h"

#include <cblas.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASKED  "OPENBLAS_CORETYPE"
#define PICKED "MBTUNE_BLAS_PICK" /* what OpenBLAS had picked before mbtune asked for another */

/* OpenBLAS 0.3.21, driver/others/dynamic.c, by what their kernels use. Names that are not here are
 * taken for newer ones. */
static const struct {
    const char *name;
    BlasLevel   level;
} cores[] = {
    {"Unknown", BLAS_LEVEL_PLAIN},
    {"Katmai", BLAS_LEVEL_PLAIN},
    {"Coppermine", BLAS_LEVEL_PLAIN},
    {"Northwood", BLAS_LEVEL_PLAIN},
    {"Prescott", BLAS_LEVEL_PLAIN},
    {"Banias", BLAS_LEVEL_PLAIN},
    {"Atom", BLAS_LEVEL_PLAIN},
    {"Core2", BLAS_LEVEL_PLAIN},
    {"Penryn", BLAS_LEVEL_PLAIN},
    {"Dunnington", BLAS_LEVEL_PLAIN},
    {"Nehalem", BLAS_LEVEL_PLAIN},
    {"Athlon", BLAS_LEVEL_PLAIN},
    {"Opteron", BLAS_LEVEL_PLAIN},
    {"Opteron_SSE3", BLAS_LEVEL_PLAIN},
    {"Barcelona", BLAS_LEVEL_PLAIN},
    {"Nano", BLAS_LEVEL_PLAIN},
    {"Sandybridge", BLAS_LEVEL_PLAIN},
    {"Bobcat", BLAS_LEVEL_PLAIN},
    {"Bulldozer", BLAS_LEVEL_PLAIN},
    {"Piledriver", BLAS_LEVEL_PLAIN},
    {"Steamroller", BLAS_LEVEL_PLAIN},
    {"Excavator", BLAS_LEVEL_AVX2},
    {"Haswell", BLAS_LEVEL_AVX2},
    {"Zen", BLAS_LEVEL_AVX2},
    {"SkylakeX", BLAS_LEVEL_AVX512},
    {"Cooperlake", BLAS_LEVEL_AVX512},
    {"SapphireRapids", BLAS_LEVEL_AVX512},
};

BlasLevel blas_core_level(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        return BLAS_LEVEL_AVX512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return BLAS_LEVEL_AVX2;
    }
#endif
    return BLAS_LEVEL_PLAIN;
}

/* SkylakeX also where the processor has bfloat16: Cooperlake differs in sbgemm alone, and measured
 * the same (docs/decisions.md) */
const char *blas_core_better(const char *picked, BlasLevel level) {
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++) {
        if (strcmp(cores[i].name, picked) == 0 && cores[i].level < level) {
            return level == BLAS_LEVEL_AVX512 ? "SkylakeX" : "Haswell";
        }
    }
    return NULL;
}

void blas_core_restart(const char *picked, const char *better, char **argv) {
    /* NOLINTBEGIN(concurrency-mt-unsafe): at the start of main() there is one thread */
    if (setenv(ASKED, better, 1) == 0 && setenv(PICKED, picked, 1) == 0) {
        (void)execv("/proc/self/exe", argv);
    }
    (void)unsetenv(ASKED);
    (void)unsetenv(PICKED);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

/* of the environment; "" counts as not set, as in OpenBLAS */
static const char *variable(const char *name) {
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe): nobody sets any by now
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void blas_core_settle(char **argv) {
    const char *picked = openblas_get_corename();
    const char *better = blas_core_better(picked, blas_core_level());
    if (better != NULL && variable(ASKED) == NULL) {
        blas_core_restart(picked, better, argv);
    }
}

void blas_core_describe(Buffer *out) {
    const char *now = openblas_get_corename();
    const char *better = blas_core_better(now, blas_core_level());
    const char *picked = variable(PICKED);
    const char *asked = variable(ASKED);
    buffer_printf(out, "OpenBLAS runs its %s kernels", now);
    if (better != NULL && asked != NULL) {
        buffer_printf(out,
                      " because " ASKED " is %s; this processor could run %s, which are faster",
                      asked, better);
    } else if (better != NULL) {
        buffer_printf(out, "; this processor could run %s (set " ASKED ")", better);
    } else if (picked != NULL && asked != NULL) {
        buffer_printf(out, ", asked for by mbtune, in place of the %s that it picks here", picked);
    }
}
