/** @file crew.h  The coordinator's view of its workers: slots, orders, news. Hides MPI.
 *
 * Rank 0 makes a Crew; every other rank calls worker_main(). The coordinator sends orders to slots
 * and polls for news. All sends are nonblocking; a silent worker is reported as lost after
 * `silence` seconds and its late news carry their attempt number.
 */
#ifndef WORKERS_CREW_H
#define WORKERS_CREW_H

#include "core/status.h"
#include "schedulers/scheduler.h"

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What every worker is told at the start. All strings are copied. */
typedef struct CrewConfig {
    const char *study_folder;    /* absolute */
    const char *command;         /* JSON array of strings: argv of the trainer; "mbtune" stands for
                                    the running binary */
    const char *hello;           /* the complete hello line for trainers, without newline */
    int64_t     cores;           /* per trainer */
    int64_t     gpus;            /* per trainer; 0 = CUDA_VISIBLE_DEVICES is left alone */
    double      memory_bytes;    /* limit of a trainer's process group; 0 = none */
    double      start_seconds;   /* until a trainer's hello */
    double      silence_seconds; /* without metric, alive, log or done */
    double      segment_seconds; /* of one order; 0 = none */
    double      heartbeat_seconds; /* a worker is lost after 3 of these in silence */
} CrewConfig;

/** One piece of work for a slot. Strings are copied. */
typedef struct Order {
    bool        evaluate;     /* else train */
    int64_t     id;           /* segment, or evaluation */
    int64_t     attempt;      /* 1, 2, ... */
    const char *line;         /* complete protocol line without newline */
    const char *resume_from;  /* checkpoint name in checkpoints/ ("16.a1") to verify, or "" */
    uint64_t    resume_bytes; /* expected length and checksum of it */
    uint64_t    resume_checksum;
    const char *checkpoint; /* name to rename the new checkpoint to ("17.a2"), or "" */
} Order;

typedef enum NewsKind {
    NEWS_WORKER,  /* a worker said hello: its slots may be used */
    NEWS_STARTED, /* the order is with its trainer (the train line was written) */
    NEWS_METRIC,
    NEWS_FINISHED, /* the order is over, one way or the other; the slot is free */
    NEWS_LOG,
    NEWS_LOST, /* a worker is silent, or says that it cannot go on (maybe instead of hello); text
                  says which; its slots are gone, its orders must go elsewhere. Once per worker. */
} NewsKind;

/** One piece of news; strings are valid until the next crew_poll(). */
typedef struct News {
    NewsKind kind;
    int      worker; /* rank */
    size_t   slot;   /* global slot index (started, metric, finished) */
    /* worker */
    size_t      first_slot;
    size_t      slot_count;
    const char *host;
    const char *numerics;     /* linalg_numerics() of that process */
    int64_t     cores;        /* that it may use there */
    double      memory_bytes; /* of its host */
    int64_t     gpus;         /* that it may use there */
    int64_t     gpus_wanted;  /* by all workers that share these */
    int64_t     host_slots;   /* of all workers on its host */
    int64_t     host_worker;  /* the lowest rank among these */
    /* metric, finished */
    bool        evaluate;
    int64_t     id;
    int64_t     attempt;
    int64_t     step;
    int64_t     index;
    const char *name;
    double      value;
    /* finished */
    Outcome     outcome;
    const char *text;  /* reason of a failure with the tail of stderr; log text; lost: "worker 2:
                          cannot make folder ...: Permission denied" */
    const char *level; /* log */
    int64_t     end;   /* units reached if it yielded before its end (outcome preempted), else 0 */
    bool        checkpoint_kept; /* a checkpoint was written, synced, renamed */
    bool        damaged;         /* resume_from was missing or failed its checksum: not the trial's
                                    fault; text says which */
    bool no_space;  /* nobody's fault: checkpoints/ is full (or the trainer, the sync or the rename
                       said so) or cannot be written; outcome lost, text names the folder and the
                       bytes that are free there. Another try ends the same way. */
    bool     holds; /* the trainer still holds segment `id` in memory */
    uint64_t checkpoint_bytes;
    uint64_t checkpoint_checksum;
    double   busy_seconds;  /* from the train line to done */
    bool     deterministic; /* what the trainer said in its hello */
    bool     can_checkpoint;
} News;

typedef struct Crew Crew;

/**
 * Makes the coordinator's side and sends the configuration. Collective: all ranks of `comm`, the
 * others inside worker_main(), which wait for it whatever happens on rank 0.
 * @param config  NULL: there is none, because the coordinator failed before; all workers leave
 *                worker_main() with STATUS_OK, and *out is NULL
 * @return STATUS_OK; STATUS_ERR_NOMEM, STATUS_ERR_RANGE (a configuration over 4 MiB): the workers
 *         have left likewise, and MPI_Finalize is safe; STATUS_ERR_MPI
 */
Status crew_create(MPI_Comm comm, const CrewConfig *config, Crew **out) MUST_USE;
void   crew_destroy(Crew *crew); /* accepts NULL; does not finalize MPI */
/** Next piece of news, if any; never blocks. */
Status crew_poll(Crew *crew, News *news, bool *got) MUST_USE;
/** Sleeps up to `seconds` with the back-off of an idle loop (Iprobe every 0.1 ms to 1 ms). Returns
 * early when a message is there. */
void crew_wait(Crew *crew, double seconds);
/** Workers that are not lost, also those that have not said hello yet. It falls only with
 * NEWS_LOST; at 0 nobody is left that could do anything, and no further news will come. */
size_t crew_workers(const Crew *crew);
Status crew_order(Crew *crew, size_t slot, const Order *order) MUST_USE;
/** Asks the trainer to stop after its current unit. */
Status crew_yield(Crew *crew, size_t slot) MUST_USE;
/** Kills the trainer of the slot; the order ends as OUTCOME_CANCELLED. */
Status crew_cancel(Crew *crew, size_t slot) MUST_USE;
/** Ends all workers: trainers stopped within `grace` seconds, then killed. Returns when all said
 * goodbye (a lost one may just have woken) or `grace` + 1 s are over; `clean` tells which, and
 * whether MPI_Finalize is safe. */
Status crew_stop(Crew *crew, double grace, bool *clean) MUST_USE;

typedef struct WorkerSetup {
    size_t      slots;  /* trainers at a time, at least 1 */
    const char *binary; /* absolute path of mbtune, for `supervise` and built-in trainers */
} WorkerSetup;
/**
 * The life of a worker rank.
 * @return STATUS_OK: it ended in order, MPI_Finalize is safe. So it is after a failure of its own,
 *         of which the coordinator was told with NEWS_LOST: the rank then waits, idle, for the end.
 *         STATUS_ERR_INTERRUPTED: it ended in order, but another rank did not. Otherwise there is
 *         nobody to talk to. Leave without MPI_Finalize in both cases
 */
Status worker_main(MPI_Comm comm, const WorkerSetup *setup) MUST_USE;

#endif
