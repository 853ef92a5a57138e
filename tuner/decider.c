#include "tuner/decider.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `mutex` guards scheduler, decision, result, error, ended; `busy` belongs to the caller's thread.
 */
struct Decider {
    pthread_t       thread;
    pthread_mutex_t mutex;
    pthread_cond_t  asked;
    pthread_cond_t  answered;
    Scheduler      *scheduler; /* not NULL: a decision is wanted or being made */
    Decision        decision;
    Status          result;
    ErrorInfo       error; /* of the deciding thread */
    bool            done;  /* decision and result are complete */
    bool            ended;
    bool            busy;
};

static void *think(void *context) {
    Decider *decider = context;
    (void)pthread_mutex_lock(&decider->mutex);
    while (!decider->ended) {
        if (decider->scheduler == NULL || decider->done) {
            (void)pthread_cond_wait(&decider->asked, &decider->mutex);
            continue;
        }
        Scheduler *scheduler = decider->scheduler;
        (void)pthread_mutex_unlock(&decider->mutex);
        Decision     decision = {.kind = DECISION_WAIT};
        const Status result = scheduler_decide(scheduler, &decision);
        (void)pthread_mutex_lock(&decider->mutex);
        decider->decision = decision;
        decider->result = result;
        decider->error = *status_last();
        decider->done = true;
        (void)pthread_cond_signal(&decider->answered);
    }
    (void)pthread_mutex_unlock(&decider->mutex);
    return NULL;
}

Status decider_create(Decider **out) {
    *out = NULL;
    Decider *decider = calloc(1, sizeof *decider);
    if (decider == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the deciding thread");
    }
    (void)pthread_mutex_init(&decider->mutex, NULL);
    (void)pthread_cond_init(&decider->asked, NULL);
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&decider->answered, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    const int error = pthread_create(&decider->thread, NULL, think, decider);
    if (error != 0) {
        free(decider);
        FAIL_NATIVE(STATUS_ERR_PROCESS, error, "cannot start the deciding thread: error %d", error);
    }
    *out = decider;
    return STATUS_OK;
}

void decider_destroy(Decider *decider) {
    if (decider == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&decider->mutex);
    decider->ended = true;
    (void)pthread_cond_signal(&decider->asked);
    (void)pthread_mutex_unlock(&decider->mutex);
    (void)pthread_join(decider->thread, NULL);
    (void)pthread_cond_destroy(&decider->asked);
    (void)pthread_cond_destroy(&decider->answered);
    (void)pthread_mutex_destroy(&decider->mutex);
    free(decider);
}

void decider_start(Decider *decider, Scheduler *scheduler) {
    (void)pthread_mutex_lock(&decider->mutex);
    decider->scheduler = scheduler;
    decider->done = false;
    decider->busy = true;
    (void)pthread_cond_signal(&decider->asked);
    (void)pthread_mutex_unlock(&decider->mutex);
}

bool decider_busy(const Decider *decider) {
    return decider->busy;
}

static struct timespec deadline_in(double seconds) {
    struct timespec deadline;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    const double whole = floor(seconds);
    deadline.tv_sec += (time_t)whole;
    deadline.tv_nsec += (long)((seconds - whole) * 1e9);
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_nsec -= 1000000000L;
        deadline.tv_sec++;
    }
    return deadline;
}

Status decider_poll(Decider *decider, double seconds, Decision *decision, bool *got) {
    const struct timespec deadline = deadline_in(seconds);
    *got = false;
    (void)pthread_mutex_lock(&decider->mutex);
    while (!decider->done) {
        if (pthread_cond_timedwait(&decider->answered, &decider->mutex, &deadline) == ETIMEDOUT) {
            break;
        }
    }
    if (!decider->done) {
        (void)pthread_mutex_unlock(&decider->mutex);
        return STATUS_OK;
    }
    *got = true;
    decider->busy = false;
    decider->scheduler = NULL;
    decider->done = false;
    const Status    result = decider->result;
    const ErrorInfo error = decider->error;
    *decision = decider->decision;
    (void)pthread_mutex_unlock(&decider->mutex);
    if (result != STATUS_OK) {
        return status_fail(error.code, error.native, error.file, error.line, error.func, "%s",
                           error.text);
    }
    return STATUS_OK;
}
