/** @file doctor.h  What a machine lacks for running studies, and what to do about it.
 *
 * Each examination appends findings. Nothing of the machine is changed, but for a file that
 * doctor_folder() makes in the folder it looks at and removes again.
 */
#ifndef TUNER_DOCTOR_H
#define TUNER_DOCTOR_H

#include <stddef.h>

enum { DOCTOR_MOST = 48, DOCTOR_TEXT = 400 };

typedef enum FindingLevel {
    FINDING_GOOD,
    FINDING_NOTE,    /* works, and is worth knowing */
    FINDING_WARNING, /* works, but slowly or not safely */
    FINDING_PROBLEM, /* studies will not run */
} FindingLevel;

typedef struct Finding {
    const char  *topic;
    FindingLevel level;
    char         text[DOCTOR_TEXT];   /* what was found */
    char         advice[DOCTOR_TEXT]; /* what to do; "" where there is nothing */
} Finding;

typedef struct Diagnosis {
    Finding findings[DOCTOR_MOST];
    size_t  count;
} Diagnosis;

/** Adds one; more than DOCTOR_MOST are left out. `advice` may be NULL. */
void doctor_add(Diagnosis *diagnosis, const char *topic, FindingLevel level, const char *advice,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
/** "good", "note", "warning", "problem". */
const char *doctor_level(FindingLevel level);

/** Cores of the affinity mask and of the control group, GPUs, instruction sets, OpenBLAS' kernels,
 * and the rate of each planning precision (measured, see machine_rate.h). */
void doctor_processor(Diagnosis *diagnosis);
/** The MPI library, its launcher, and whether two ranks can talk (10 seconds at most). */
void doctor_mpi(Diagnosis *diagnosis);
/** The file system that `folder`, or its nearest folder that exists, lies on. */
void doctor_folder(Diagnosis *diagnosis, const char *folder);
/** Memory, shared memory, open files, processes. */
void doctor_limits(Diagnosis *diagnosis);
/** Slurm, where it is. */
void doctor_slurm(Diagnosis *diagnosis);
/** Environments that this build lacks. */
void doctor_environments(Diagnosis *diagnosis);

/** The other side of the test of doctor_mpi(): two ranks exchange a word. @return exit code */
int doctor_handshake(void);

#endif
