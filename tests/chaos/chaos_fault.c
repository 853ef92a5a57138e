#include "tests/chaos/chaos_fault.h"

#include "tests/support/test_support.h"

#include "core/clock.h"
#include "core/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BELOW = 256, MAX_CHECKPOINTS = 256, MAX_DEPTH = 4 };

/* most seconds that a process is stopped or a disk is full: beyond ten heartbeats of 0.2 s */
static const double most_stopped_s = 3.0;
/* bytes that a full disk still has, at most: less than a checkpoint or a page of the database */
static const double most_room_bytes = 1.5e6;

static const char *const names[FAULT_COUNT] = {
    "kill trainer",  "kill supervisor",  "kill worker",       "kill coordinator",
    "kill launcher", "kill mpiexec",     "stop trainer",      "stop supervisor",
    "stop worker",   "stop coordinator", "stop launcher",     "stop mpiexec",
    "lose a node",   "full disk",        "damage checkpoint", "delete checkpoint",
};

static const Victim victims[FAULT_COUNT] = {
    [FAULT_KILL_TRAINER] = VICTIM_TRAINER,   [FAULT_KILL_SUPERVISOR] = VICTIM_SUPERVISOR,
    [FAULT_KILL_WORKER] = VICTIM_WORKER,     [FAULT_KILL_COORDINATOR] = VICTIM_COORDINATOR,
    [FAULT_KILL_LAUNCHER] = VICTIM_LAUNCHER, [FAULT_KILL_MPIEXEC] = VICTIM_MPIEXEC,
    [FAULT_STOP_TRAINER] = VICTIM_TRAINER,   [FAULT_STOP_SUPERVISOR] = VICTIM_SUPERVISOR,
    [FAULT_STOP_WORKER] = VICTIM_WORKER,     [FAULT_STOP_COORDINATOR] = VICTIM_COORDINATOR,
    [FAULT_STOP_LAUNCHER] = VICTIM_LAUNCHER, [FAULT_STOP_MPIEXEC] = VICTIM_MPIEXEC,
};

const char *fault_name(FaultKind kind) {
    return names[kind];
}

double chaos_draw(Chaos *chaos) {
    chaos->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = chaos->random;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0;
}

static unsigned draw_choice(Chaos *chaos) {
    return (unsigned)(chaos_draw(chaos) * 65536.0);
}

static bool stop_process(Chaos *chaos, pid_t pid, double seconds) {
    if (chaos->stopped_count == CHAOS_MAX_STOPPED || kill(pid, SIGSTOP) != 0) {
        return false;
    }
    chaos->stopped[chaos->stopped_count++] =
        (Stopped){.pid = pid, .until = clock_monotonic() + seconds};
    return true;
}

/* the node is a worker's proxy, all below it, and nothing else: rank 0 lives on another one */
static bool lose_node(pid_t worker) {
    pid_t        below[MAX_BELOW];
    const pid_t  proxy = run_parent(worker);
    const size_t count = (proxy > 1) ? run_below(proxy, below, MAX_BELOW) : 0;
    if (count == 0) {
        return false;
    }
    /* nothing of it may see the rest go */
    (void)kill(proxy, SIGSTOP);
    for (size_t i = 0; i < count; i++) {
        (void)kill(below[i], SIGSTOP);
    }
    (void)kill(proxy, SIGKILL);
    for (size_t i = 0; i < count; i++) {
        (void)kill(below[i], SIGKILL);
    }
    return true;
}

/* @param room  bytes that are left */
static bool fill_disk(Chaos *chaos, double room, double seconds) {
    static const char block[4096] = {1};
    uint64_t          left = 0;
    if (!chaos->disk || chaos->filler[0] != '\0' || file_space(chaos->study, &left) != STATUS_OK) {
        return false;
    }
    (void)snprintf(chaos->filler, sizeof chaos->filler, "%.700s/../filler", chaos->study);
    FILE *file = fopen(chaos->filler, "we");
    if (file == NULL) {
        chaos->filler[0] = '\0';
        return false;
    }
    const size_t blocks = ((double)left > room) ? (size_t)((double)left - room) / sizeof block : 0;
    for (size_t i = 0; i < blocks; i++) {
        if (fwrite(block, 1, sizeof block, file) != sizeof block) {
            break;
        }
    }
    (void)fclose(file); /* it may fail: full is full */
    chaos->full_until = clock_monotonic() + seconds;
    return true;
}

/* ---- checkpoints -----------------------------------------------------------------------------
 */

/* the finished ones: a name without ".tmp"; @return false if there is none */
static bool find_checkpoint(const Chaos *chaos, unsigned choice, char *name) {
    char                 found[MAX_CHECKPOINTS][CHAOS_NAME_BYTES];
    char                 folder[CHAOS_PATH_BYTES + 16];
    size_t               count = 0;
    const struct dirent *entry = NULL;
    (void)snprintf(folder, sizeof folder, "%s/checkpoints", chaos->study);
    DIR *entries = opendir(folder);
    while (entries != NULL && (entry = readdir(entries)) != NULL && count < MAX_CHECKPOINTS) {
        if (entry->d_name[0] != '.' && strstr(entry->d_name, ".tmp") == NULL) {
            (void)snprintf(found[count++], CHAOS_NAME_BYTES, "%.60s", entry->d_name);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    if (count > 0) {
        (void)snprintf(name, CHAOS_NAME_BYTES, "%s", found[choice % count]);
    }
    return count > 0;
}

/* a checkpoint is a file or a folder: the first file in it that is its own */
static bool first_file(const char *path, char *out, int depth) {
    DIR *entries = opendir(path);
    bool found = false;
    if (entries == NULL) {
        (void)snprintf(out, (size_t)2 * CHAOS_PATH_BYTES, "%s", path);
        return file_exists(path);
    }
    const struct dirent *entry = NULL;
    while (!found && depth < MAX_DEPTH && (entry = readdir(entries)) != NULL) {
        char next[2 * CHAOS_PATH_BYTES];
        if (entry->d_name[0] != '.') {
            (void)snprintf(next, sizeof next, "%.800s/%.200s", path, entry->d_name);
            found = first_file(next, out, depth + 1);
        }
    }
    (void)closedir(entries);
    return found;
}

/* As a disk does it: the bytes of one copy change. Files of experience are hard-linked into the
 * checkpoints of later segments (docs/decisions.md); in place, all of them would be damaged. */
static bool damage(const char *checkpoint, double where) {
    char          path[2 * CHAOS_PATH_BYTES];
    unsigned char byte = 0;
    if (!first_file(checkpoint, path, 0)) {
        return false;
    }
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    const off_t at = (off_t)(where * (double)lseek(file, 0, SEEK_END));
    const bool  done = pread(file, &byte, 1, at) == 1;
    byte = (unsigned char)~byte;
    const bool put = done && pwrite(file, &byte, 1, at) == 1;
    (void)close(file);
    return put;
}

static bool hurt_checkpoint(Chaos *chaos, FaultKind kind, unsigned choice, double where) {
    char name[CHAOS_NAME_BYTES];
    char path[2 * CHAOS_PATH_BYTES];
    if (!find_checkpoint(chaos, choice, name)) {
        return false;
    }
    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", chaos->study, name);
    (void)snprintf(chaos->last, sizeof chaos->last, "%s %s", names[kind], name);
    return (kind == FAULT_DELETE) ? file_remove_all(path) == STATUS_OK : damage(path, where);
}

/* ---- one fault -------------------------------------------------------------------------------
 */

bool chaos_do(Chaos *chaos, const Run *run, FaultKind kind) {
    /* always as many numbers, so that what comes later does not depend on what was there */
    const unsigned choice = draw_choice(chaos);
    const double   seconds = chaos_draw(chaos) * most_stopped_s;
    const double   where = chaos_draw(chaos);
    (void)snprintf(chaos->last, sizeof chaos->last, "%s", names[kind]);
    if (kind == FAULT_DAMAGE || kind == FAULT_DELETE) {
        return hurt_checkpoint(chaos, kind, choice, where);
    }
    if (kind == FAULT_FULL_DISK) {
        return fill_disk(chaos, where * most_room_bytes, seconds);
    }
    const pid_t pid =
        run_find(run, (kind == FAULT_LOSE_NODE) ? VICTIM_WORKER : victims[kind], choice);
    if (pid <= 0) {
        return false;
    }
    (void)snprintf(chaos->last, sizeof chaos->last, "%s (process %ld)", names[kind], (long)pid);
    if (kind == FAULT_LOSE_NODE) {
        return lose_node(pid);
    }
    return (kind < FAULT_STOP_TRAINER) ? kill(pid, SIGKILL) == 0
                                       : stop_process(chaos, pid, seconds);
}

void chaos_undo(Chaos *chaos, bool all) {
    const double now = clock_monotonic();
    size_t       left = 0;
    for (size_t i = 0; i < chaos->stopped_count; i++) {
        if (all || chaos->stopped[i].until <= now) {
            (void)kill(chaos->stopped[i].pid, SIGCONT);
        } else {
            chaos->stopped[left++] = chaos->stopped[i];
        }
    }
    chaos->stopped_count = left;
    if (chaos->filler[0] != '\0' && (all || chaos->full_until <= now)) {
        (void)unlink(chaos->filler);
        chaos->filler[0] = '\0';
    }
}
