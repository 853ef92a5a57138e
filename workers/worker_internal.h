/** @file worker_internal.h  Shared by worker.c (messages, loop) and worker_slot.c (orders) only. */
#ifndef WORKERS_WORKER_INTERNAL_H
#define WORKERS_WORKER_INTERNAL_H

#include "core/buffer.h"
#include "core/json.h"
#include "workers/checkpoint.h"
#include "workers/crew.h"
#include "workers/crew_setup.h"
#include "workers/message.h"
#include "workers/outbox.h"
#include "workers/trainer_process.h"

#include <poll.h>
#include <sched.h>

enum { WORKER_CORES_TEXT = 512 };

/** One trainer at a time, and the order it works on. */
typedef struct WorkerSlot {
    TrainerProcess *trainer;
    char            log_path[4096];
    char            cores[WORKER_CORES_TEXT]; /* "" = not bound */
    Buffer          gpus;                     /* "2,3"; "" = the variable is left alone */
    bool            has_order;
    bool            is_given; /* the trainer has it; else it waits for an old process to go */
    bool            evaluate;
    int64_t         id;
    int64_t         attempt;
    Buffer          line;
    char            checkpoint[CHECKPOINT_NAME_BYTES];  /* "" = none is wanted */
    char            resume_from[CHECKPOINT_NAME_BYTES]; /* "" = a fresh agent */
    uint64_t        resume_bytes;
    uint64_t        resume_checksum;
} WorkerSlot;

typedef struct Worker {
    const WorkerSetup *setup;
    MPI_Comm           comm;
    int                rank;
    Buffer             config_bytes; /* the strings of `config` lie here */
    CrewConfig         config;
    Json              *command_json;
    const char       **command; /* argv of the trainer, NULL at the end */
    Checkpoints        checkpoints;
    uint64_t           checkpoint_bytes;         /* of the last one: what the next one may need */
    char               text[MESSAGE_TEXT_BYTES]; /* lent to the news that is being made */
    WorkerSlot        *slots;
    size_t             slot_count;
    pid_t             *supervisors; /* (slot_count) */
    struct pollfd     *fds;         /* (slot_count * TRAINER_POLL_FDS) */
    Outbox             outbox;
    Buffer             news; /* of this round, sent as one message */
    /* the message that is coming in */
    MPI_Request    receive; /* MPI_REQUEST_NULL = none */
    int            receive_tag;
    unsigned char *inbox;
    size_t         inbox_length;
    size_t         inbox_capacity;
    /* times of the monotonic clock */
    double heard_at;
    double said_at;
    double seen_at;
    double finished_at; /* the last order: the next one is near */
    double wait;        /* how long the next idle poll() is */
    pid_t  parent;
    bool   stopping;
    double stop_deadline;
    bool   joined;   /* the collective start is over: messages may be sent */
    bool   parted;   /* goodbye was said */
    bool   ended;    /* the coordinator's last word has come */
    bool   finalize; /* and what it was */
} Worker;

/** Adds a piece of news to this round's message, sending what is there first if it is full. */
Status worker__say(Worker *w, const News *news) MUST_USE;

/** Makes the slot's trainer (nothing is started). */
Status worker__slot_init(Worker *w, size_t index, const CrewShare *share) MUST_USE;
void   worker__slot_reset(WorkerSlot *slot);
Status worker__slot_order(Worker *w, size_t index, const Order *order) MUST_USE;
Status worker__slot_yield(Worker *w, size_t index) MUST_USE;
Status worker__slot_cancel(Worker *w, size_t index) MUST_USE;
/** Moves bytes, turns events into news, gives a waiting order. @param moved  set if anything was */
Status worker__slot_turn(Worker *w, size_t index, double now, bool *moved) MUST_USE;

#endif
