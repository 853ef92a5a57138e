/** @file thread_pool.h  A few threads that wait for a loop whose items are independent.
 *
 * Threads are made once. A loop's items are taken one by one by whoever is free, the caller
 * included, so which thread computes an item is not fixed: work that gives the same bits for any
 * number of threads writes what an item computes to a place of the item's own, and keeps scratch
 * memory per thread. Running a loop allocates nothing.
 *
 * A thread that is late (the system had no core for it) is not waited for: the loop is over when
 * all its items are. So more threads than cores cost little.
 */
#ifndef CORE_THREAD_POOL_H
#define CORE_THREAD_POOL_H

#include "core/status.h"

#include <stddef.h>

enum { THREAD_POOL_MOST = 1024 };

typedef struct ThreadPool ThreadPool;

/**
 * One item of a loop.
 * @param thread  who computes: below thread_pool_threads(), and no two at a time have the same
 * @param item    below the number of items
 */
typedef Status (*ThreadWork)(void *context, size_t thread, size_t item);

/**
 * Starts threads - 1 threads, numbered from 1; the one that calls thread_pool_run() is number 0.
 * @param threads  1 to THREAD_POOL_MOST
 * @return STATUS_OK; STATUS_ERR_ARG; STATUS_ERR_NOMEM; STATUS_ERR_PROCESS (the system gives no
 *         thread); on failure *out is NULL
 */
Status thread_pool_create(size_t threads, ThreadPool **out) MUST_USE;
/** Ends the threads. Accepts NULL. */
void thread_pool_destroy(ThreadPool *pool);
/** Threads that compute, the caller included; 1 for NULL. */
size_t thread_pool_threads(const ThreadPool *pool);

/**
 * Computes items 0 to items - 1. After a failure no further item is begun; those under way are
 * waited for. Not to be called by two threads at a time, nor from inside `work`.
 * @param pool  NULL = the caller alone, item by item
 * @return STATUS_OK; else the failure of the failed item with the smallest number, with its text
 */
Status thread_pool_run(ThreadPool *pool, size_t items, ThreadWork work, void *context) MUST_USE;

#endif
