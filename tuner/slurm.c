#include "tuner/slurm.h"

#include "core/clock.h"
#include "tuner/program.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A controller that is overloaded or restarts answers again in a moment. So a question is asked
 * again, after pauses that double, until it is answered or its time is over: at the beginning of a
 * job each question's own, at the end one for all that requeueing takes (whoever waits there too
 * long is killed by Slurm). One asking that hangs gets no more than ASK_SECONDS of it. */
#define START_SECONDS       20.0
#define END_SECONDS         40.0
#define ASK_SECONDS         15.0
#define FIRST_PAUSE_SECONDS 1.0

enum {
    MOST_NODES = 16384,
    LIST_BYTES = 1 << 20, /* names of all nodes, one per line */
    ANSWER_BYTES = 8192,
    MOST_PARTS = 3,
    JOB_BYTES = 64,
};

/* nothing changes the environment while it is read: one thread, before any rank is started */
static const char *environment(const char *name) {
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe): see above */
    return (text == NULL) ? "" : text;
}

/* The shell of an salloc that Slurm runs on the first node is a step of its own
 * (LaunchParameters=use_interactive_step), and in it there are no ranks; nor are there in a batch
 * script. Their numbers: slurm.h, SLURM_INTERACTIVE_STEP and SLURM_BATCH_SCRIPT. */
static bool is_shell_step(const char *step) {
    return strcmp(step, "4294967290") == 0 || strcmp(step, "interactive") == 0 ||
           strcmp(step, "4294967291") == 0 || strcmp(step, "batch") == 0;
}

bool slurm_in_job(void) {
    const char *step = environment("SLURM_STEP_ID");
    return environment("SLURM_JOB_ID")[0] != '\0' && (step[0] == '\0' || is_shell_step(step));
}

int64_t slurm_restarts(void) {
    return strtoll(environment("SLURM_RESTART_COUNT"), NULL, 10);
}

/* ---- words ---------------------------------------------------------------------------------- */

/* one "4" or "4(x2)"; @return where it ends, NULL if it is none */
static const char *parse_count(const char *text, int64_t *value, int64_t *times) {
    char *end = NULL;
    *value = strtoll(text, &end, 10);
    *times = 1;
    if (end == text || *value < 1) {
        return NULL;
    }
    if (strncmp(end, "(x", 2) == 0) {
        const char *number = end + 2;
        *times = strtoll(number, &end, 10);
        if (end == number || *end != ')' || *times < 1) {
            return NULL;
        }
        end++;
    }
    return (*end == ',' || *end == '\0') ? end : NULL;
}

Status slurm_parse_counts(const char *text, size_t most, int64_t *counts, size_t *count) {
    *count = 0;
    for (const char *at = text; *at != '\0';) {
        int64_t     value = 0;
        int64_t     times = 0;
        const char *end = parse_count(at, &value, &times);
        if (end == NULL) {
            FAIL(STATUS_ERR_PARSE, "'%s': expected counts per node such as 4(x2),3", text);
        }
        if ((uint64_t)times > most - *count) {
            FAIL(STATUS_ERR_RANGE, "'%s': more than %zu nodes", text, most);
        }
        while (times-- > 0) {
            counts[(*count)++] = value;
        }
        at = (*end == ',') ? end + 1 : end;
    }
    return STATUS_OK;
}

/* up to three numbers with ':' between them; @return how many, 0 if it is something else */
static size_t parse_parts(const char *text, double parts[MOST_PARTS]) {
    size_t count = 0;
    for (const char *at = text; count < MOST_PARTS;) {
        const size_t digits = strspn(at, "0123456789");
        if (digits == 0 || digits > 9) {
            return 0;
        }
        parts[count++] = strtod(at, NULL);
        at += digits;
        if (*at == '\0') {
            return count;
        }
        if (*at++ != ':') {
            return 0;
        }
    }
    return 0;
}

Status slurm_parse_time(const char *text, double *seconds) {
    static const double minute = 60.0;
    static const double hour = 3600.0;
    static const double day = 86400.0;
    double              part[MOST_PARTS] = {0.0};
    *seconds = (double)INFINITY;
    if (strcmp(text, "UNLIMITED") == 0 || strcmp(text, "infinite") == 0) {
        return STATUS_OK;
    }
    const size_t digits = strspn(text, "0123456789");
    const bool   days = digits > 0 && digits < 6 && text[digits] == '-';
    const size_t count = parse_parts(days ? text + digits + 1 : text, part);
    if (count == 0) {
        FAIL(STATUS_ERR_PARSE,
             "'%s' is no duration: expected minutes, hours:minutes:seconds, or "
             "days-hours:minutes:seconds",
             text);
    }
    if (days) {
        *seconds = day * strtod(text, NULL) + hour * part[0] + minute * part[1] + part[2];
    } else if (count == MOST_PARTS) {
        *seconds = hour * part[0] + minute * part[1] + part[2];
    } else {
        *seconds = minute * part[0] + part[1];
    }
    return STATUS_OK;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* once, within what is left until the deadline; @return exit status */
static int ask_once(const char *const *ask, double deadline, char *text, size_t size) {
    const double left = deadline - clock_monotonic();
    const int    rc = program_ask(ask, fmin(ASK_SECONDS, left), text, size);
    if (rc == PROGRAM_TOO_SLOW) {
        (void)snprintf(text, size, "no answer in time");
    }
    return rc;
}

/* waits until it is time to ask again; false if there is no reason to or no time */
static bool comes_again(int rc, double deadline, double *pause) {
    if (rc == 0 || rc == PROGRAM_NOT_FOUND || clock_monotonic() + *pause >= deadline) {
        return false;
    }
    clock_sleep(*pause);
    *pause *= 2.0;
    return true;
}

/* asks until it is answered; @return exit status of the last time */
static int ask_slurm(const char *const *ask, double deadline, char *text, size_t size) {
    double pause = FIRST_PAUSE_SECONDS;
    int    rc = 0;
    do {
        rc = ask_once(ask, deadline, text, size);
    } while (comes_again(rc, deadline, &pause));
    return rc;
}

/* the last line that is not empty: what Slurm's programs warn of comes before their answer */
static void keep_last_line(char *text) {
    char *rest = NULL;
    char *last = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        last = line;
    }
    if (last == NULL) {
        text[0] = '\0';
    } else {
        memmove(text, last, strlen(last) + 1);
    }
}

/* ---- nodes ---------------------------------------------------------------------------------- */

/* one name per line; a line with spaces is a warning */
static Status split_names(char *text, SlurmNode *nodes, size_t most, size_t *count) {
    char *rest = NULL;
    *count = 0;
    for (char *name = strtok_r(text, "\n", &rest); name != NULL;
         name = strtok_r(NULL, "\n", &rest)) {
        if (strchr(name, ' ') != NULL) {
            continue;
        }
        if (*count == most || strlen(name) >= SLURM_NAME_BYTES) {
            FAIL(STATUS_ERR_STATE, "Slurm names more than %zu nodes, or one by more than %d bytes",
                 most, SLURM_NAME_BYTES - 1);
        }
        (void)snprintf(nodes[(*count)++].name, SLURM_NAME_BYTES, "%s", name);
    }
    return STATUS_OK;
}

static Status read_nodes(SlurmNode *nodes, int64_t *cpus, char *text, size_t *count) {
    const char       *list = environment("SLURM_JOB_NODELIST");
    const char *const ask[] = {"scontrol", "show", "hostnames", list, NULL};
    size_t            counted = 0;
    TRY(slurm_parse_counts(environment("SLURM_JOB_CPUS_PER_NODE"), MOST_NODES, cpus, &counted));
    const int rc = ask_slurm(ask, clock_monotonic() + START_SECONDS, text, LIST_BYTES);
    if (rc != 0) {
        keep_last_line(text);
        FAIL(STATUS_ERR_STATE, "'scontrol show hostnames %s' ended with status %d: %.200s", list,
             rc, text);
    }
    TRY(split_names(text, nodes, MOST_NODES, count));
    if (*count == 0 || *count != counted) {
        FAIL(STATUS_ERR_STATE, "Slurm names %zu nodes (%s) and the processors of %zu (%s)", *count,
             list, counted, environment("SLURM_JOB_CPUS_PER_NODE"));
    }
    for (size_t i = 0; i < *count; i++) {
        nodes[i].cpus = cpus[i];
    }
    return STATUS_OK;
}

Status slurm_nodes(SlurmNode **nodes, size_t *count) {
    int64_t *cpus = calloc(MOST_NODES, sizeof *cpus);
    char    *text = malloc(LIST_BYTES);
    Status   status = STATUS_OK;
    *nodes = calloc(MOST_NODES, sizeof **nodes);
    if (cpus == NULL || text == NULL || *nodes == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for the nodes of the job");
    } else {
        status = read_nodes(*nodes, cpus, text, count);
    }
    free(cpus);
    free(text);
    if (status != STATUS_OK) {
        free(*nodes);
        *nodes = NULL;
    }
    return status;
}

/* ---- the job -------------------------------------------------------------------------------- */

/* What Slurm calls this job. The last task of an array has the number of the whole array, which
 * then means all of its tasks. */
static void name_job(char *name, size_t size) {
    const char *array = environment("SLURM_ARRAY_JOB_ID");
    const char *task = environment("SLURM_ARRAY_TASK_ID");
    if (array[0] != '\0' && task[0] != '\0') {
        (void)snprintf(name, size, "%s_%s", array, task);
    } else {
        (void)snprintf(name, size, "%s", environment("SLURM_JOB_ID"));
    }
}

/* what squeue prints of this job in a format of one field; @return its exit status */
static int ask_queue(const char *format, double deadline, char *text, size_t size) {
    char job[JOB_BYTES];
    name_job(job, sizeof job);
    const char *const ask[] = {"squeue", "--noheader", "--jobs", job, "--format", format, NULL};
    const int         rc = ask_slurm(ask, deadline, text, size);
    keep_last_line(text);
    return rc;
}

double slurm_end_time(void) {
    char   text[ANSWER_BYTES];
    double left = 0.0;
    char  *end = NULL;
    /* newer than 22.05 */
    const double said = strtod(environment("SLURM_JOB_END_TIME"), &end);
    if (said > 0.0 && *end == '\0') {
        return said;
    }
    const int    rc = ask_queue("%L", clock_monotonic() + START_SECONDS, text, sizeof text);
    const double now = clock_wall();
    if (rc != 0 || slurm_parse_time(text, &left) != STATUS_OK) {
        status_clear();
        return (double)NAN;
    }
    return now + left;
}

/* A job that was cancelled is completing, for no reason; so is one whose time is over, for the
 * reason TimeLimit. One whose end is still to come is running. */
static bool may_go_on(const char *state) {
    return strncmp(state, "RUNNING", 7) == 0 || strstr(state, "TimeLimit") != NULL ||
           strncmp(state, "PREEMPTED", 9) == 0;
}

/* a scontrol that was given up, or Slurm itself, has put it there */
static bool is_back(const char *state) {
    return strncmp(state, "PENDING", 7) == 0 || strncmp(state, "REQUEUE", 7) == 0;
}

static Status check_goes_on(const char *job, double deadline, bool *back) {
    char      text[ANSWER_BYTES];
    const int rc = ask_queue("%T %r", deadline, text, sizeof text);
    if (rc != 0) {
        FAIL(STATUS_ERR_STATE,
             "job %s is not started again: squeue, asked what became of it, ended with status %d: "
             "%.200s",
             job, rc, text);
    }
    *back = is_back(text);
    if (!*back && !may_go_on(text)) {
        FAIL(STATUS_ERR_STATE, "job %s is not started again: Slurm calls it '%.100s'", job, text);
    }
    return STATUS_OK;
}

/* Whoever presses Ctrl-C or hangs up now does not want the job back. SIGTERM says nothing: Slurm
 * sends it for a job that is cancelled, when it is preempted (twice), at the end of its time, and
 * for the requeueing itself, which must not end scontrol before it has its answer; squeue tells
 * which it is. The programs that are asked inherit this. */
static void heed_the_user(void) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

Status slurm_requeue(void) {
    char              text[ANSWER_BYTES];
    char              job[JOB_BYTES];
    const char *const ask[] = {"scontrol", "requeue", job, NULL};
    const double      deadline = clock_monotonic() + END_SECONDS;
    double            pause = FIRST_PAUSE_SECONDS;
    int               rc = 0;
    bool              back = false;
    name_job(job, sizeof job);
    heed_the_user();
    do { /* it may be cancelled between two tries */
        TRY(check_goes_on(job, deadline, &back));
        rc = back ? 0 : ask_once(ask, deadline, text, sizeof text);
    } while (comes_again(rc, deadline, &pause));
    if (rc != 0) {
        keep_last_line(text);
        FAIL(STATUS_ERR_STATE, "'scontrol requeue %s' ended with status %d: %.200s", job, rc, text);
    }
    return STATUS_OK;
}
