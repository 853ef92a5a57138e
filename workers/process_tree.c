#include "workers/process_tree.h"

#include "core/clock.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 64, DEPTH_LIMIT = 64 };

/* called for each descendant, parents first */
typedef struct Walk {
    void (*visit)(pid_t pid, void *context);
    void        *context;
    const pid_t *spare;
    size_t       spare_count;
    size_t       found;
} Walk;

static bool is_spared(const Walk *walk, pid_t pid) {
    for (size_t i = 0; i < walk->spare_count; i++) {
        if (walk->spare[i] == pid) {
            return true;
        }
    }
    return false;
}

static void walk_children(Walk *walk, pid_t root, int depth);

static void walk_thread(Walk *walk, const char *path, int depth) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char   *line = NULL;
    size_t  capacity = 0;
    ssize_t length = getline(&line, &capacity, file);
    (void)fclose(file);
    char *at = line;
    while (length > 0 && at != NULL) {
        char      *end = NULL;
        const long pid = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        at = end;
        if (pid > 1 && !is_spared(walk, (pid_t)pid)) {
            walk->found++;
            walk->visit((pid_t)pid, walk->context);
            walk_children(walk, (pid_t)pid, depth + 1);
        }
    }
    free(line);
}

/* a process has one list of children per thread */
static void walk_children(Walk *walk, pid_t root, int depth) { // NOLINT(misc-no-recursion): bounded
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", (long)root);
    DIR *folder = (depth < DEPTH_LIMIT) ? opendir(path) : NULL;
    if (folder == NULL) {
        return;
    }
    for (;;) {
        const struct dirent *entry = readdir(folder); // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry == NULL) {
            break;
        }
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "/proc/%ld/task/%.16s/children", (long)root,
                           entry->d_name);
            walk_thread(walk, path, depth);
        }
    }
    (void)closedir(folder);
}

static void visit_kill(pid_t pid, void *context) {
    (void)context;
    (void)kill(pid, SIGKILL);
}

size_t process_tree_kill(pid_t root, const pid_t *spare, size_t spare_count) {
    Walk walk = {.visit = visit_kill, .spare = spare, .spare_count = spare_count};
    walk_children(&walk, root, 0);
    return walk.found;
}

static void visit_end(pid_t pid, void *context) {
    (void)context;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, WNOHANG); /* only ours can be reaped; the others come here first */
}

void process_tree_end(const pid_t *spare, size_t spare_count, double patience_s) {
    const double deadline = clock_monotonic() + patience_s;
    int          quiet = 0;
    /* the list of children may miss one while another leaves it: twice nobody is nobody */
    while (quiet < 2 && clock_monotonic() < deadline) {
        Walk walk = {.visit = visit_end, .spare = spare, .spare_count = spare_count};
        walk_children(&walk, getpid(), 0);
        quiet = (walk.found == 0) ? quiet + 1 : 0;
        if (walk.found > 0) {
            clock_sleep(0.0005);
        }
    }
}

static void visit_resident(pid_t pid, void *context) {
    double *sum = context;
    char    path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char line[128] = "";
    if (fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        (void)strtol(line, &end, 10);
        *sum += (double)strtol(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
    }
    (void)fclose(file);
}

/* its letter in /proc (R, S, D, T, t, Z, X); 'X' where it is not there */
static char state_of(pid_t pid) {
    char path[PATH_BYTES];
    char text[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 'X';
    }
    const bool got = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    /* "PID (NAME) STATE ...", and the name may hold anything */
    const char *name_end = got ? strrchr(text, ')') : NULL;
    return (name_end != NULL && name_end[1] == ' ') ? name_end[2] : 'X';
}

bool process_is_alive(pid_t pid) {
    const char state = state_of(pid);
    return state != 'Z' && state != 'X';
}

bool process_is_stopped(pid_t pid) {
    return state_of(pid) == 'T';
}

static void visit_ended(pid_t pid, void *context) {
    bool *ended = context;
    *ended = *ended || !process_is_alive(pid);
}

bool process_tree_has_ended_child(pid_t parent) {
    bool ended = false;
    Walk walk = {.visit = visit_ended, .context = &ended};
    walk_children(&walk, parent, DEPTH_LIMIT - 1); /* no deeper */
    return ended;
}

/* proportional set size: pages shared by k processes count 1/k in each */
static void visit_proportional(pid_t pid, void *context) {
    double *sum = context;
    char    path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        visit_resident(pid, context);
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            *sum += strtod(line + 4, NULL) * 1024.0;
            break;
        }
    }
    (void)fclose(file);
}

double process_tree_resident(pid_t root, double enough) {
    double resident = 0.0;
    Walk   walk = {.visit = visit_resident, .context = &resident};
    walk_children(&walk, root, 0);
    if (resident <= enough || walk.found < 2) {
        return resident;
    }
    double proportional = 0.0;
    walk = (Walk){.visit = visit_proportional, .context = &proportional};
    walk_children(&walk, root, 0);
    return proportional;
}

void process_tree_reap_all(void) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (;;) {
        (void)process_tree_kill(getpid(), NULL, 0);
        pid_t reaped = 0;
        do {
            reaped = waitpid(-1, NULL, WNOHANG);
        } while (reaped > 0);
        if (reaped < 0 && errno == ECHILD) {
            return;
        }
        (void)nanosleep(&pause, NULL);
    }
}
