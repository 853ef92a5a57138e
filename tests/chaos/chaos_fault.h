/** @file chaos_fault.h  Faults of the infrastructure, done to a running study and undone later. */
#ifndef TESTS_CHAOS_CHAOS_FAULT_H
#define TESTS_CHAOS_CHAOS_FAULT_H

#include "tests/tuner/run_mbtune.h"

#include <stdint.h>

enum { CHAOS_MAX_STOPPED = 64, CHAOS_PATH_BYTES = 768, CHAOS_NAME_BYTES = 64 };

typedef enum FaultKind {
    FAULT_KILL_TRAINER,
    FAULT_KILL_SUPERVISOR,
    FAULT_KILL_WORKER,
    FAULT_KILL_COORDINATOR,
    FAULT_KILL_LAUNCHER,
    FAULT_KILL_MPIEXEC,
    FAULT_STOP_TRAINER,
    FAULT_STOP_SUPERVISOR,
    FAULT_STOP_WORKER,
    FAULT_STOP_COORDINATOR,
    FAULT_STOP_LAUNCHER,
    FAULT_STOP_MPIEXEC,
    FAULT_LOSE_NODE, /* a worker, its proxy and all below it, at once */
    FAULT_FULL_DISK,
    FAULT_DAMAGE, /* bytes of a checkpoint are turned over */
    FAULT_DELETE, /* a checkpoint is removed */
    FAULT_COUNT
} FaultKind;

/** What holds still, until when (s, monotonic). */
typedef struct Stopped {
    pid_t  pid;
    double until;
} Stopped;

typedef struct Chaos {
    uint64_t random; /* state of the stream */
    bool     disk;   /* the study lies on a small file system of its own, which can be filled */
    char     study[CHAOS_PATH_BYTES];
    char     filler[CHAOS_PATH_BYTES]; /* the file that fills it; "" = it is not full */
    double   full_until;
    Stopped  stopped[CHAOS_MAX_STOPPED];
    size_t   stopped_count;
    char     last[256]; /* the last fault in words */
} Chaos;

const char *fault_name(FaultKind kind);
/** Uniform in [0, 1): splitmix64. */
double chaos_draw(Chaos *chaos);
/** Does one fault of this kind. @return false if there is nothing it could be done to now */
bool chaos_do(Chaos *chaos, const Run *run, FaultKind kind);
/** Ends faults that are due: what was stopped goes on, the disk is freed. @param all  due or not */
void chaos_undo(Chaos *chaos, bool all);

#endif
