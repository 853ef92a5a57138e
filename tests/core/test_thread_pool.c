#include "tests/support/test_support.h"

#include "core/clock.h"
#include "core/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { ITEMS = 500, MOST_THREADS = 4, LOOPS = 3000 };

typedef struct Loop {
    int           done[ITEMS];        /* times that an item was computed */
    size_t        by[ITEMS];          /* who did it */
    atomic_size_t present;            /* items begun */
    size_t        wanted;             /* items wait until so many were begun */
    atomic_bool   busy[MOST_THREADS]; /* two with one number at a time? */
    pthread_t     who[MOST_THREADS];  /* of each number */
    bool          known[MOST_THREADS];
    size_t        fails[2];
} Loop;

/* ten seconds at most, so that a pool that does not share fails the test instead of hanging it */
static void wait_for_others(Loop *loop) {
    const double begin = clock_monotonic();
    atomic_fetch_add(&loop->present, 1);
    while (atomic_load(&loop->present) < loop->wanted && clock_monotonic() < begin + 10.0) {
        const struct timespec nap = {.tv_nsec = 100000};
        (void)nanosleep(&nap, NULL);
    }
}

static Status note(void *context, size_t thread, size_t item) {
    Loop *loop = context;
    if (thread >= MOST_THREADS || atomic_exchange(&loop->busy[thread], true)) {
        FAIL(STATUS_ERR_STATE, "thread %zu is in two places", thread);
    }
    if (loop->known[thread] && !pthread_equal(loop->who[thread], pthread_self())) {
        FAIL(STATUS_ERR_STATE, "thread %zu is somebody else", thread);
    }
    loop->known[thread] = true;
    loop->who[thread] = pthread_self();
    wait_for_others(loop);
    loop->done[item]++;
    loop->by[item] = thread;
    atomic_store(&loop->busy[thread], false);
    return STATUS_OK;
}

static void expect_each_once(const Loop *loop, size_t items) {
    for (size_t i = 0; i < ITEMS; i++) {
        assert_int_equal(loop->done[i], i < items ? 1 : 0);
    }
}

static void every_item_is_computed_once(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
        const size_t counts[] = {0, 1, 2, 3, ITEMS};
        ThreadPool  *pool = NULL;
        assert_ok(thread_pool_create(threads, &pool));
        assert_int_equal(thread_pool_threads(pool), threads);
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            Loop loop = {.wanted = 0};
            assert_ok(thread_pool_run(pool, counts[k], note, &loop));
            expect_each_once(&loop, counts[k]);
        }
        thread_pool_destroy(pool);
    }
    thread_pool_destroy(NULL);
}

/* each of the first items waits for the others to begin, so nobody can do two of them */
static void all_threads_take_part(void **state) {
    (void)state;
    for (size_t threads = 2; threads <= MOST_THREADS; threads++) {
        Loop        loop = {.wanted = threads};
        ThreadPool *pool = NULL;
        bool        seen[MOST_THREADS] = {false};
        assert_ok(thread_pool_create(threads, &pool));
        assert_ok(thread_pool_run(pool, threads, note, &loop));
        expect_each_once(&loop, threads);
        for (size_t i = 0; i < threads; i++) {
            assert_false(seen[loop.by[i]]);
            seen[loop.by[i]] = true;
        }
        assert_true(loop.known[0] && pthread_equal(loop.who[0], pthread_self()));
        thread_pool_destroy(pool);
    }
}

static void no_pool_is_the_caller_alone(void **state) {
    (void)state;
    Loop loop = {.wanted = 0};
    assert_int_equal(thread_pool_threads(NULL), 1);
    assert_ok(thread_pool_run(NULL, 7, note, &loop));
    expect_each_once(&loop, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(loop.by[i], 0);
    }
}

static Status fail_some(void *context, size_t thread, size_t item) {
    Loop *loop = context;
    (void)thread;
    const struct timespec nap = {.tv_nsec = item == loop->fails[0] ? 1000000 : 50000};
    wait_for_others(loop);
    if (item > loop->fails[1]) {
        (void)nanosleep(&nap, NULL); /* the later one fails later; the rest takes 10 ms and more */
    }
    for (size_t k = 0; k < 2; k++) {
        if (item == loop->fails[k]) {
            FAIL_NATIVE(STATUS_ERR_NUMERIC, 17, "item %zu of this loop", item);
        }
    }
    loop->done[item]++;
    return STATUS_OK;
}

/* the text of a failure is the failing thread's; the caller must see it */
static void the_first_failure_is_reported(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
        ThreadPool *pool = NULL;
        assert_ok(thread_pool_create(threads, &pool));
        for (size_t repeat = 0; repeat < 50; repeat++) {
            /* with three threads and more both fail */
            Loop loop = {.wanted = threads, .fails = {3, 2}};
            status_clear();
            assert_fails(thread_pool_run(pool, ITEMS, fail_some, &loop), STATUS_ERR_NUMERIC,
                         "item 2 of this loop");
            assert_int_equal(status_last()->native, 17);
            assert_string_equal(status_last()->func, "fail_some");
            assert_int_equal(loop.done[ITEMS - 1], 0); /* what came later was not begun */
        }
        /* and the pool goes on */
        Loop loop = {.wanted = 0};
        assert_ok(thread_pool_run(pool, ITEMS, note, &loop));
        expect_each_once(&loop, ITEMS);
        thread_pool_destroy(pool);
    }
}

typedef struct Sum {
    uint64_t of[MOST_THREADS];
    uint64_t items[64];
} Sum;

static Status add(void *context, size_t thread, size_t item) {
    Sum *sum = context;
    sum->of[thread] += sum->items[item];
    sum->items[item]++;
    return STATUS_OK;
}

/* many short loops one after another, some with a pause: joining, missing and sleeping threads */
static void loops_follow_each_other(void **state) {
    (void)state;
    Sum         sum = {.of = {0}};
    uint64_t    total = 0;
    ThreadPool *pool = NULL;
    assert_ok(thread_pool_create(3, &pool));
    for (size_t i = 0; i < LOOPS; i++) {
        if (i % 500 == 0) {
            const struct timespec nap = {.tv_nsec = 2000000};
            (void)nanosleep(&nap, NULL);
        }
        assert_ok(thread_pool_run(pool, 1 + i % 64, add, &sum));
    }
    for (size_t item = 0; item < 64; item++) {
        const uint64_t n = sum.items[item];
        total += n * (n - 1) / 2;
    }
    assert_true(sum.of[0] + sum.of[1] + sum.of[2] == total);
    thread_pool_destroy(pool);
}

static void running_allocates_nothing(void **state) {
    (void)state;
    Loop        loop = {.wanted = 0};
    ThreadPool *pool = NULL;
    assert_ok(thread_pool_create(2, &pool));
    test_fail_allocation(1);
    assert_ok(thread_pool_run(pool, ITEMS, note, &loop));
    assert_false(test_allocation_failed());
    test_fail_allocation(0);
    thread_pool_destroy(pool);
}

static void what_cannot_be_made_is_refused(void **state) {
    (void)state;
    ThreadPool *pool = (ThreadPool *)state;
    assert_fails(thread_pool_create(0, &pool), STATUS_ERR_ARG, "1 to 1024 threads, not 0");
    assert_null(pool);
    assert_fails(thread_pool_create(1025, &pool), STATUS_ERR_ARG, "not 1025");
    for (size_t n = 1; n <= 2; n++) {
        pool = (ThreadPool *)state;
        test_fail_allocation(n);
        assert_fails(thread_pool_create(2, &pool), STATUS_ERR_NOMEM, "2 threads");
        assert_true(test_allocation_failed());
        assert_null(pool);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_computed_once),
        cmocka_unit_test(all_threads_take_part),
        cmocka_unit_test(no_pool_is_the_caller_alone),
        cmocka_unit_test(the_first_failure_is_reported),
        cmocka_unit_test(loops_follow_each_other),
        cmocka_unit_test(running_allocates_nothing),
        cmocka_unit_test(what_cannot_be_made_is_refused),
    };
    return cmocka_run_group_tests_name("core/thread_pool", tests, NULL, NULL);
}
