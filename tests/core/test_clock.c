#include "tests/support/test_support.h"

#include "core/clock.h"

#include <math.h>
#include <time.h>

static void wall_clock_is_the_time_of_day(void **state) {
    (void)state;
    assert_close(clock_wall(), (double)time(NULL), 2.0, 0.0);
}

/* Only lower bounds: a busy machine may be as late as it likes. */
static void sleeping_takes_wall_time_but_no_processor_time(void **state) {
    (void)state;
    const double begin = clock_monotonic();
    const double used = clock_thread();
    clock_sleep(0.05);
    assert_true(clock_monotonic() - begin >= 0.05);
    assert_true(clock_thread() - used < 0.04);
}

static void clocks_advance_with_work(void **state) {
    (void)state;
    const double      begin = clock_thread();
    volatile unsigned sum = 0;
    while (clock_thread() - begin < 0.01) {
        sum++;
    }
    assert_true(sum > 0);
}

static void nothing_to_sleep_returns_at_once(void **state) {
    (void)state;
    clock_sleep(0.0);
    clock_sleep(-5.0);
    clock_sleep((double)NAN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock_is_the_time_of_day),
        cmocka_unit_test(sleeping_takes_wall_time_but_no_processor_time),
        cmocka_unit_test(clocks_advance_with_work),
        cmocka_unit_test(nothing_to_sleep_returns_at_once),
    };
    return cmocka_run_group_tests_name("core/clock", tests, NULL, NULL);
}
