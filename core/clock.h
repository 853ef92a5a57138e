/** @file clock.h  Time for deadlines, logs and time columns; never for results. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

/** Seconds since the epoch, with fraction. */
double clock_wall(void);
/** Seconds of a clock that never jumps. */
double clock_monotonic(void);
/** Seconds of processor time used by the calling thread. */
double clock_thread(void);
/** Sleeps for `seconds` (signals may end it early); returns at once for 0, negative numbers, NaN.
 */
void clock_sleep(double seconds);

#endif
