#include "tuner/launch_srun.h"

#include "core/file.h"

#include <errno.h>
#include <inttypes.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t places_on(const SlurmNode *node, const LaunchPlaces *places) {
    const int64_t fit = node->cpus / places->cores;
    return (fit < places->most_per_node) ? fit : places->most_per_node;
}

/* more workers than fit go round the nodes once more: a user may want that */
static void place(const SlurmNode *nodes, size_t count, const LaunchPlaces *places, int64_t workers,
                  FILE *out) {
    int64_t left = workers;
    (void)fprintf(out, "%s\n", nodes[0].name); /* the coordinator, where the batch script runs */
    for (size_t i = 0; left > 0; i = (i + 1) % count) {
        for (int64_t k = places_on(&nodes[i], places); k > 0 && left > 0; k--) {
            (void)fprintf(out, "%s\n", nodes[i].name);
            left--;
        }
    }
}

Status launch_srun_place(const SlurmNode *nodes, size_t count, const LaunchPlaces *places,
                         const char *file, size_t *ranks) {
    int64_t fit = 0;
    int64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        fit += places_on(&nodes[i], places);
        most = (nodes[i].cpus > most) ? nodes[i].cpus : most;
    }
    if (fit == 0) {
        FAIL(STATUS_ERR_RANGE,
             "a worker needs %" PRId64 " cores on one node (resources.cores times --slots), and "
             "the largest node of this job gives it %" PRId64,
             places->cores, most);
    }
    FILE *out = fopen(file, "we");
    if (out == NULL) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write '%s': %s", file, status_errno(errno));
    }
    const int64_t wanted = (places->workers > 0) ? places->workers : fit;
    place(nodes, count, places, wanted, out);
    const bool written = ferror(out) == 0;
    if (fclose(out) != 0 || !written) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write '%s': %s", file, status_errno(errno));
    }
    *ranks = 1 + (size_t)wanted;
    return STATUS_OK;
}

void launch_srun_words(char *ranks, char *words[LAUNCH_SRUN_WORDS + 1]) {
    static char program[] = "srun";
    static char quiet[] = "--quiet"; /* remarks about the next three */
    static char overcommit[] = "--overcommit";
    static char bind[] = "--cpu-bind=none"; /* the slots bind their own cores */
    static char order[] = "--distribution=arbitrary";
#ifdef OPEN_MPI
    static char mpi[] = "--mpi=pmix";
#else
    static char mpi[] = "--mpi=pmi2";
#endif
    static char bad_exit[] = "--kill-on-bad-exit=0";
    static char no_kill[] = "--no-kill";
    static char input[] = "--input=none";
    static char tasks[] = "--ntasks";
    char *const all[LAUNCH_SRUN_WORDS] = {program,  quiet,   overcommit, bind,  order, mpi,
                                          bad_exit, no_kill, input,      tasks, ranks};
    memcpy(words, all, sizeof all);
    words[LAUNCH_SRUN_WORDS] = NULL;
}
