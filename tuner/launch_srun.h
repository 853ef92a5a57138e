/** @file launch_srun.h  Starting ranks on every node of a Slurm job with one srun.
 *
 * Rank 0, the coordinator, needs next to no processor and shares the first node; every node has as
 * many worker ranks as trainers fit on its processors. `--no-kill` and `--kill-on-bad-exit=0` keep
 * the rest when a node or a rank is lost.
 */
#ifndef TUNER_LAUNCH_SRUN_H
#define TUNER_LAUNCH_SRUN_H

#include "core/status.h"
#include "tuner/slurm.h"

#include <stddef.h>
#include <stdint.h>

/** Words of srun before the program's own; ends at NULL. */
enum { LAUNCH_SRUN_WORDS = 11 };

typedef struct LaunchPlaces {
    int64_t workers;       /* worker ranks in all; 0 = as many as fit */
    int64_t cores;         /* that one worker rank needs, >= 1 */
    int64_t most_per_node; /* worker ranks, >= 1: what else a node has no more of */
} LaunchPlaces;

/**
 * Which node each rank goes to, one name per line: the form of a SLURM_HOSTFILE.
 * @param file     in   where to write it
 * @param ranks    out  1 + workers
 * @return STATUS_OK; STATUS_ERR_RANGE if no node has `cores` processors; STATUS_ERR_IO
 */
Status launch_srun_place(const SlurmNode *nodes, size_t count, const LaunchPlaces *places,
                         const char *file, size_t *ranks) MUST_USE;
/** The beginning of the command line; `ranks` is its text for as long as it is used. */
void launch_srun_words(char *ranks, char *words[LAUNCH_SRUN_WORDS + 1]);

#endif
