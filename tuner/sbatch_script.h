/** @file sbatch_script.h  The job script of `mbtune sbatch`, as text. */
#ifndef TUNER_SBATCH_SCRIPT_H
#define TUNER_SBATCH_SCRIPT_H

#include "core/buffer.h"

#include <stddef.h>
#include <stdint.h>

/** What a job is to be. Texts without line breaks; NULL where nothing was said. */
typedef struct SbatchScript {
    const char        *name; /* of the job */
    int64_t            nodes;
    int64_t            cpus_per_node;   /* 0: whole nodes */
    int64_t            gpus_per_node;   /* 0: none is asked for */
    double             memory_per_node; /* bytes; 0: what the cluster gives (whole nodes: all) */
    const char        *time;            /* as the user wrote it */
    double             seconds;         /* what that is */
    const char        *partition;
    const char        *account;
    const char        *options; /* further words for sbatch */
    int64_t            max_requeues;
    const char        *working_folder; /* absolute */
    const char        *binary;         /* absolute path of mbtune */
    const char *const *studies;        /* (study_count) absolute paths of study files */
    const char *const *folders;        /* (study_count) absolute paths of their study folders */
    size_t             study_count;    /* more than one: a job array */
    const char *const *sets;           /* (set_count) KEY=VALUE */
    size_t             set_count;
    int64_t            slots; /* per worker */
} SbatchScript;

/** Appends the script. */
void sbatch_script_write(const SbatchScript *script, Buffer *out);

#endif
