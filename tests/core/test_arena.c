#include "tests/support/test_support.h"

#include "core/arena.h"

#include <stdint.h>
#include <string.h>

static void blocks_are_aligned_and_apart(void **state) {
    (void)state;
    Arena   arena;
    char   *a = NULL;
    double *b = NULL;
    char   *c = NULL;
    assert_ok(arena_init(&arena, 256));
    assert_ok(ARENA_TAKE(&arena, char, 1, &a));
    assert_ok(ARENA_TAKE(&arena, double, 9, &b));
    assert_int_equal((uintptr_t)a % ARENA_ALIGNMENT, 0);
    assert_int_equal((uintptr_t)b % ARENA_ALIGNMENT, 0);
    assert_int_equal((char *)b - a, 64);
    assert_int_equal(arena.used, 64 + 128);
    memset(b, 1, 9 * sizeof *b);
    assert_ok(ARENA_TAKE(&arena, char, 64, &c));
    assert_int_equal(arena.used, 256);
    arena_reset(&arena);
    assert_null(arena.base);
    arena_reset(&arena);
}

static void release_goes_back_and_peak_stays(void **state) {
    (void)state;
    Arena  arena;
    float *a = NULL;
    float *b = NULL;
    assert_ok(arena_init(&arena, 1024));
    const size_t mark = arena_mark(&arena);
    assert_ok(ARENA_TAKE(&arena, float, 100, &a));
    arena_release(&arena, mark);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.peak, 448);
    assert_ok(ARENA_TAKE(&arena, float, 10, &b));
    assert_ptr_equal(a, b);
    assert_int_equal(arena.peak, 448);
    arena_reset(&arena);
}

static void a_full_arena_says_what_it_has(void **state) {
    (void)state;
    Arena  arena;
    float *a = (float *)&arena;
    assert_ok(arena_init(&arena, 64));
    assert_fails(ARENA_TAKE(&arena, float, 17, &a), STATUS_ERR_NOMEM,
                 "17 x 4 bytes requested, 64 of 64 available");
    assert_ptr_equal(a, &arena);
    assert_int_equal(arena.used, 0);
    assert_fails(ARENA_TAKE(&arena, float, SIZE_MAX / 2, &a), STATUS_ERR_NOMEM, "requested");
    arena_reset(&arena);
    assert_ok(arena_init(&arena, 0));
    assert_fails(ARENA_TAKE(&arena, float, 1, &a), STATUS_ERR_NOMEM, "0 of 0 available");
    arena_reset(&arena);
}

static void need_rounds_up_and_sees_overflow(void **state) {
    (void)state;
    assert_int_equal(arena_need(0, 8), 0);
    assert_int_equal(arena_need(1, 1), 64);
    assert_int_equal(arena_need(8, 8), 64);
    assert_int_equal(arena_need(9, 8), 128);
    assert_true(arena_need(SIZE_MAX / 2, 3) == SIZE_MAX);
    assert_true(arena_need(SIZE_MAX, 1) == SIZE_MAX);
    assert_int_equal(arena_need(SIZE_MAX, 0), 0);
}

static void lack_of_memory_leaves_an_empty_arena(void **state) {
    (void)state;
    Arena arena = {.capacity = 7};
    test_fail_allocation(1);
    assert_fails(arena_init(&arena, 100), STATUS_ERR_NOMEM, "128 bytes");
    assert_true(test_allocation_failed());
    assert_null(arena.base);
    assert_int_equal(arena.capacity, 0);
    assert_fails(arena_init(&arena, SIZE_MAX), STATUS_ERR_NOMEM, "addressed");
    arena_reset(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(release_goes_back_and_peak_stays),
        cmocka_unit_test(a_full_arena_says_what_it_has),
        cmocka_unit_test(need_rounds_up_and_sees_overflow),
        cmocka_unit_test(lack_of_memory_leaves_an_empty_arena),
    };
    return cmocka_run_group_tests_name("core/arena", tests, NULL, NULL);
}
