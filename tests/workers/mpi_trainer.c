/* A trainer that is an MPI program of its own: rank 0 speaks the trainer protocol, all ranks
 * contribute to every metric. Each of SHARDS parts of a unit belongs to one rank, and contributions
 * are multiples of 2^-20, so that their sum is exact: any number of ranks gives the same bits.
 *
 *   mpiexec -n 4 mpi_trainer [SECONDS per unit]
 *
 * Every rank leaves a line with its cores in the file TEST_PLACES (an environment variable).
 */
#include "core/buffer.h"
#include "core/clock.h"
#include "workers/protocol.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <mpi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS = 12, LINE_BYTES = 4096 };

typedef struct Agent {
    int64_t segment; /* 0 = none */
    int64_t unit;
    double  weight;
} Agent;

/* what rank 0 tells the others */
typedef struct Task {
    int64_t  units; /* 0: compute nothing, end */
    int64_t  unit;
    uint64_t seed;
    double   weight;
} Task;

static int    rank;
static int    size;
static double seconds;
static Agent  agent;
static Buffer incoming;
static Buffer outgoing;

/* ---- what all ranks do ---- */

/* a broadcast that does not spin while nothing is to be done: ranks may share one core */
static Task share(Task task) {
    MPI_Request request = MPI_REQUEST_NULL;
    int         done = 0;
    if (MPI_Ibcast(&task, (int)sizeof task, MPI_BYTE, 0, MPI_COMM_WORLD, &request) != MPI_SUCCESS) {
        _exit(6);
    }
    while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done) {
        clock_sleep(0.0005);
    }
    return task;
}

/* splitmix64, a multiple of 2^-20 in [-1, 1) */
static double noise(uint64_t seed, int64_t counter) {
    uint64_t z = seed + 0x9e3779b97f4a7c15U * (uint64_t)(counter + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    return (double)(z >> 43) / 1048576.0 - 1.0;
}

/* the mean gradient of one unit, every rank with its shards */
static double gradient(const Task *task) {
    double      own = 0.0;
    double      sum = 0.0;
    int         done = 0;
    MPI_Request request = MPI_REQUEST_NULL;
    for (int shard = rank; shard < SHARDS; shard += size) {
        own += noise(task->seed, task->unit * SHARDS + shard);
    }
    if (MPI_Iallreduce(&own, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD, &request) !=
        MPI_SUCCESS) {
        _exit(6);
    }
    while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done) {
        clock_sleep(0.0001);
    }
    return 1.0 - task->weight + 0.5 * sum / SHARDS;
}

static void help(void) {
    for (;;) {
        const Task task = share((Task){.units = 0});
        if (task.units == 0) {
            return;
        }
        (void)gradient(&task);
    }
}

/* ---- rank 0: lines ---- */

static void say(const Reply *reply) {
    buffer_clear(&outgoing);
    if (reply_write(reply, &outgoing) != STATUS_OK ||
        write(STDOUT_FILENO, outgoing.data, outgoing.length) != (ssize_t)outgoing.length) {
        _exit(8);
    }
}

/* @return 1 with a request, 0 if none is there and `wait` is not set, -1 at the end */
static int hear(bool wait, Request *out) {
    char chunk[LINE_BYTES];
    for (;;) {
        const char *end =
            incoming.length == 0 ? NULL : memchr(incoming.data, '\n', incoming.length);
        if (end != NULL) {
            const size_t length = (size_t)(end - incoming.data);
            if (request_parse(incoming.data, length, out) != STATUS_OK) {
                _exit(7);
            }
            buffer_consume(&incoming, length + 1);
            return (out->kind == REQUEST_STOP) ? -1 : 1;
        }
        struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
        if (!wait && poll(&fd, 1, 0) <= 0) {
            return 0;
        }
        const ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
        if (got <= 0) {
            return -1;
        }
        buffer_append(&incoming, chunk, (size_t)got);
    }
}

static void say_metric(int64_t segment, int64_t step, double value) {
    Json *values = json_new_object();
    if (json_set(values, "episode_reward", json_new_number(value)) != STATUS_OK) {
        _exit(8);
    }
    say(&(Reply){.kind = REPLY_METRIC, .segment = segment, .step = step, .values = values});
    json_release(values);
}

/* ---- rank 0: the agent ---- */

static bool save(const char *path) {
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    const int put = fprintf(file, "%" PRId64 " %a\n", agent.unit, agent.weight);
    return fclose(file) == 0 && put > 0;
}

static bool load(const char *path) {
    char  text[LINE_BYTES] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool got = fgets(text, sizeof text, file) != NULL;
    char      *end = NULL;
    (void)fclose(file);
    agent.unit = strtoll(text, &end, 10);
    agent.weight = strtod(end, NULL);
    return got;
}

static bool take_parent(const Request *work) {
    if (work->begin == 0) {
        agent = (Agent){.weight = 0.125};
        return true;
    }
    if (agent.segment != 0 && agent.segment == work->parent && agent.unit == work->begin) {
        return true;
    }
    return work->resume_from != NULL && load(work->resume_from) && agent.unit == work->begin;
}

static void train_unit(const Request *work) {
    const Json  *rate = json_get(work->hyperparameters, "learning_rate");
    const double step = json_is_number(rate) ? json_number(rate) : 0.1;
    const Task   task =
        share((Task){.units = 1, .unit = agent.unit, .seed = work->seed, .weight = agent.weight});
    agent.weight += step * gradient(&task);
    agent.unit++;
    clock_sleep(seconds);
    say_metric(work->segment, agent.unit, 100.0 - 50.0 * fabs(agent.weight - 1.0));
}

static void train(const Request *work) {
    bool yielded = false;
    if (!take_parent(work)) {
        say(&(Reply){.kind = REPLY_FAILED,
                     .segment = work->segment,
                     .text = "cannot load the checkpoint of the parent"});
        return;
    }
    while (agent.unit < work->end && !yielded) {
        Request next;
        train_unit(work);
        if (hear(false, &next) == 1) {
            yielded = next.kind == REQUEST_YIELD;
            request_reset(&next);
        }
    }
    agent.segment = work->segment;
    if (work->checkpoint_to != NULL && !save(work->checkpoint_to)) {
        _exit(5);
    }
    say(&(Reply){.kind = REPLY_DONE,
                 .segment = work->segment,
                 .end = yielded ? agent.unit : 0,
                 .has_end = yielded});
}

static void lead(void) {
    Request request;
    while (hear(true, &request) == 1) {
        if (request.kind == REQUEST_HELLO) {
            say(&(Reply){.kind = REPLY_HELLO,
                         .protocol = PROTOCOL_VERSION,
                         .trainer = "mpi-trainer 1",
                         .checkpoint = true,
                         .deterministic = true});
        } else if (request.kind == REQUEST_TRAIN) {
            train(&request);
        }
        request_reset(&request);
    }
    (void)share((Task){.units = 0});
}

/* ---- all ---- */

static void leave_place(void) {
    const char *path = getenv("TEST_PLACES"); // NOLINT(concurrency-mt-unsafe): one thread
    char        line[LINE_BYTES] = "";
    FILE       *status = fopen("/proc/self/status", "re");
    const int   places =
        (path == NULL) ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "Cpus_allowed_list:", 18) == 0 && places >= 0) {
            char      text[LINE_BYTES + 64];
            const int length = snprintf(text, sizeof text, "rank %d of %d|%s", rank, size, line);
            (void)!write(places, text, (size_t)length);
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
    if (places >= 0) {
        (void)close(places);
    }
}

int main(int argc, char **argv) {
    if (MPI_Init(&argc, &argv) != MPI_SUCCESS ||
        MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS ||
        MPI_Comm_size(MPI_COMM_WORLD, &size) != MPI_SUCCESS) {
        return 1;
    }
    seconds = (argc > 1) ? strtod(argv[1], NULL) : 0.0;
    buffer_init(&incoming, PROTOCOL_LINE_BYTES);
    buffer_init(&outgoing, PROTOCOL_LINE_BYTES);
    leave_place();
    if (rank == 0) {
        lead();
    } else {
        help();
    }
    return (MPI_Finalize() == MPI_SUCCESS) ? 0 : 1;
}
