/* Loops here are short (a tenth of a millisecond to ten) and follow each other closely: between two
 * time steps of a rollout lie some 50 us of one thread's work. Waking a sleeping thread costs about
 * as much, so a thread that finds no work looks for a while before it sleeps; the limit keeps it
 * from taking a core from others while a model is trained or an environment stepped.
 */
#include "core/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* looks, of some 40 to 140 cycles each, before a thread sleeps: 30 to 100 us */
enum { LOOKS = 2000 };

typedef struct Seat {
    ThreadPool *pool;
    size_t      number; /* 1 to threads - 1 */
    pthread_t   thread;
} Seat;

struct ThreadPool {
    size_t threads;
    size_t started;
    Seat  *seats; /* (threads - 1) */

    atomic_size_t next; /* item that nobody has begun */
    /* written under the lock, looked at without it */
    atomic_size_t loops;  /* begun so far */
    atomic_size_t inside; /* pool threads that take items of the present loop */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t  begun;
    pthread_cond_t  left;
    bool            open; /* the present loop may be joined */
    bool            closing;
    ThreadWork      work;
    void           *context;
    size_t          items;
    size_t          failed; /* item of `error`; SIZE_MAX = none */
    ErrorInfo       error;
};

static void pause_briefly(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_pause();
#endif
}

static void note_failure(ThreadPool *pool, size_t item) {
    (void)pthread_mutex_lock(&pool->lock);
    if (item < pool->failed) {
        pool->failed = item;
        pool->error = *status_last();
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* Items are begun in order, so the first that would fail is always among those that ran. */
static void take_items(ThreadPool *pool, size_t thread) {
    for (;;) {
        const size_t item = atomic_fetch_add(&pool->next, 1);
        if (item >= pool->items) {
            return;
        }
        if (pool->work(pool->context, thread, item) != STATUS_OK) {
            note_failure(pool, item);
            atomic_store(&pool->next, pool->items);
            return;
        }
    }
}

static void *thread_main(void *context) {
    const Seat *seat = context;
    ThreadPool *pool = seat->pool;
    size_t      seen = 0;

    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->closing && !(pool->open && pool->loops != seen)) {
            (void)pthread_cond_wait(&pool->begun, &pool->lock);
        }
        if (pool->closing) {
            break;
        }
        seen = pool->loops;
        pool->inside++;
        (void)pthread_mutex_unlock(&pool->lock);
        take_items(pool, seat->number);
        (void)pthread_mutex_lock(&pool->lock);
        pool->inside--;
        if (pool->inside == 0) {
            (void)pthread_cond_signal(&pool->left);
        }
        (void)pthread_mutex_unlock(&pool->lock);
        for (int i = 0; i < LOOKS && pool->loops == seen; i++) {
            pause_briefly();
        }
        (void)pthread_mutex_lock(&pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return NULL;
}

Status thread_pool_create(size_t threads, ThreadPool **out) {
    *out = NULL;
    if (threads < 1 || threads > THREAD_POOL_MOST) {
        FAIL(STATUS_ERR_ARG, "a thread pool needs 1 to %d threads, not %zu", THREAD_POOL_MOST,
             threads);
    }
    ThreadPool *pool = calloc(1, sizeof *pool);
    Seat       *seats = calloc(threads, sizeof *seats);
    if (pool == NULL || seats == NULL) {
        free(pool);
        free(seats);
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu threads", threads);
    }
    pool->threads = threads;
    pool->seats = seats;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->begun, NULL);
    (void)pthread_cond_init(&pool->left, NULL);
    for (; pool->started + 1 < threads; pool->started++) {
        Seat *seat = &seats[pool->started];
        *seat = (Seat){.pool = pool, .number = pool->started + 1};
        const int error = pthread_create(&seat->thread, NULL, thread_main, seat);
        if (error != 0) {
            thread_pool_destroy(pool);
            FAIL_NATIVE(STATUS_ERR_PROCESS, error, "cannot start %zu threads: %s", threads,
                        status_errno(error));
        }
    }
    *out = pool;
    return STATUS_OK;
}

void thread_pool_destroy(ThreadPool *pool) {
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    (void)pthread_cond_broadcast(&pool->begun);
    (void)pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->started; i++) {
        (void)pthread_join(pool->seats[i].thread, NULL);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->begun);
    (void)pthread_cond_destroy(&pool->left);
    free(pool->seats);
    free(pool);
}

size_t thread_pool_threads(const ThreadPool *pool) {
    return pool == NULL ? 1 : pool->threads;
}

static void open_loop(ThreadPool *pool, size_t items, ThreadWork work, void *context) {
    (void)pthread_mutex_lock(&pool->lock);
    pool->work = work;
    pool->context = context;
    pool->items = items;
    pool->failed = SIZE_MAX;
    atomic_store(&pool->next, 0);
    pool->open = true;
    pool->loops++;
    (void)pthread_cond_broadcast(&pool->begun);
    (void)pthread_mutex_unlock(&pool->lock);
}

/* from here on nobody joins; waits for those who have */
static void close_loop(ThreadPool *pool) {
    (void)pthread_mutex_lock(&pool->lock);
    pool->open = false;
    (void)pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < LOOKS && pool->inside > 0; i++) {
        pause_briefly();
    }
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->inside > 0) {
        (void)pthread_cond_wait(&pool->left, &pool->lock);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

static Status run_alone(size_t items, ThreadWork work, void *context) {
    for (size_t item = 0; item < items; item++) {
        TRY(work(context, 0, item));
    }
    return STATUS_OK;
}

Status thread_pool_run(ThreadPool *pool, size_t items, ThreadWork work, void *context) {
    if (thread_pool_threads(pool) == 1 || items < 2) {
        return run_alone(items, work, context);
    }
    open_loop(pool, items, work, context);
    take_items(pool, 0);
    close_loop(pool);
    if (pool->failed == SIZE_MAX) {
        return STATUS_OK;
    }
    const ErrorInfo *error = &pool->error;
    return status_fail(error->code, error->native, error->file, error->line, error->func, "%s",
                       error->text);
}
