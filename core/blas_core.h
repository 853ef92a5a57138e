/** @file blas_core.h  Which kernels OpenBLAS runs on, and which this processor deserves.
 *
 * OpenBLAS picks its kernels when the process starts, by the processor's model number; one that it
 * does not know gets old kernels, half as fast or worse. The pick can only be changed by the
 * variable OPENBLAS_CORETYPE, before the start: hence blas_core_settle(), which starts the program
 * anew. Who sets the variable himself is left alone. The pick is part of linalg_numerics().
 */
#ifndef CORE_BLAS_CORE_H
#define CORE_BLAS_CORE_H

#include "core/buffer.h"
#include "core/status.h"

/** Instruction sets that matter here, in order; x86 only, elsewhere PLAIN. */
typedef enum BlasLevel {
    BLAS_LEVEL_PLAIN,
    BLAS_LEVEL_AVX2,   /* with FMA */
    BLAS_LEVEL_AVX512, /* F, CD, BW, DQ, VL: what OpenBLAS' SkylakeX kernels need */
} BlasLevel;

/** Of this processor and its system. */
BlasLevel blas_core_level(void);
/** The core type to ask for in place of `picked` (a name of openblas_get_corename()), or NULL: the
 * pick is as good as the processor, or newer than what is known here. */
const char *blas_core_better(const char *picked, BlasLevel level);

/**
 * To be called first in main(). Where OpenBLAS' pick is a poor one and OPENBLAS_CORETYPE is not
 * set: sets it, and starts the program anew with the same arguments and process id. Programs that
 * it starts inherit the variable. Does not return then; returns where there is nothing to do, or
 * the system cannot do it.
 */
void blas_core_settle(char **argv);
/** The second half of blas_core_settle(): `better` in place of `picked`. Returns on failure only.
 */
void blas_core_restart(const char *picked, const char *better, char **argv);
/** Appends one sentence without its full stop: the kernels in use, and why if they are not
 * OpenBLAS' own pick or not what the processor could run. */
void blas_core_describe(Buffer *out);

#endif
