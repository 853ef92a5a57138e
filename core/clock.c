#include "core/clock.h"

#include <math.h>
#include <time.h>

static double read_clock(clockid_t id) {
    struct timespec now = {0};
    (void)clock_gettime(id, &now); /* cannot fail for these clocks on Linux */
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double clock_wall(void) {
    return read_clock(CLOCK_REALTIME);
}

double clock_monotonic(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double clock_thread(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void clock_sleep(double seconds) {
    if (!(seconds > 0.0)) {
        return;
    }
    const double    whole = floor(fmin(seconds, 1e9));
    struct timespec wait = {.tv_sec = (time_t)whole};
    wait.tv_nsec = (long)((fmin(seconds, 1e9) - whole) * 1e9);
    (void)nanosleep(&wait, NULL);
}
