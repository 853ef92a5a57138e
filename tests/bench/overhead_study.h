/** @file overhead_study.h  Real studies with the scripted trainer, and the times that it stamped on
 * its orders: when it had read the line, when it was done (one monotonic clock for all processes).
 */
#ifndef TESTS_BENCH_OVERHEAD_STUDY_H
#define TESTS_BENCH_OVERHEAD_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { OVERHEAD_WORKERS = 2, OVERHEAD_PATH_BYTES = 512 };

/** What differs between the studies. */
typedef struct OverheadPlan {
    const char *name;      /* of the study's folder */
    const char *scheduler; /* YAML flow text */
    int         units;     /* per trial */
    int         segment;   /* units of a segment */
    int         trials;    /* 0 = a population */
    double      unit_seconds;
    double      spread; /* units take unit_seconds (1 +- spread), by trial; 0 = all the same */
    bool        checkpoints_in_memory; /* their folder lies on a memory file system, where syncing
                                          costs nothing; the database stays on disk */
} OverheadPlan;

/** One segment as its trainer saw it; seconds of clock_monotonic(). */
typedef struct OverheadWork {
    int64_t segment;
    int64_t parent; /* 0 = none */
    int64_t worker;
    int64_t end; /* units */
    double  dispatched_at;
    double  received_at;
    double  done_at;
} OverheadWork;

/** Folder that the studies of this run live in; prints why and ends the program on failure, as
 * everything here does. */
void overhead_begin(void);
/** Removes it. */
void overhead_end(void);
/** false where there is no memory file system for checkpoints (/dev/shm). */
bool overhead_has_memory(void);

/** Starts `mbtune run` with two workers. */
pid_t overhead_start(const OverheadPlan *plan);
/** Waits for its end, which must be a good one. */
void overhead_wait(const OverheadPlan *plan, pid_t pid);
/** The rank of an MPI process that `ancestor` started: its process id, 0 if there is none (yet). */
pid_t overhead_rank(pid_t ancestor, int rank);

/** Finished segments in the order in which their trainers had the line; the caller frees `*out`. */
size_t overhead_work(const OverheadPlan *plan, OverheadWork **out);

/** Seconds from starting `mbtune train` to its hello. */
double overhead_cold_start(void);
/** Seconds for writing a small file of the studies' file system and syncing it. */
double overhead_sync(void);

#endif
