/* How long a slot stands still between two orders, as far as workers/ is to blame: from the
 * trainer's `done` to rank 0 holding FINISHED, and from crew_order() to the trainer holding the
 * line. Printed, never judged: the checkpoint's fsync belongs to the disk. Run with one worker. */
#include "tests/workers/crew_fixture.h"

#include "core/clock.h"

#include <stdlib.h>

enum { ROUNDS = 200 };

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_line(const char *what, double *seconds) {
    qsort(seconds, ROUNDS, sizeof *seconds, compare);
    print_message("%-44s median %.3f ms, quartiles %.3f to %.3f, worst %.3f\n", what,
                  1e3 * seconds[ROUNDS / 2], 1e3 * seconds[ROUNDS / 4],
                  1e3 * seconds[3 * ROUNDS / 4], 1e3 * seconds[ROUNDS - 1]);
}

/* `pause` stands for what the coordinator does between an end and the next order */
static void measure(const char *title, bool no_checkpoint, double pause) {
    CrewFixture f;
    double      to_finished[ROUNDS];
    double      to_line[ROUNDS];
    crew_begin(&f, (const char *const[]){"--stamp", NULL}, &(CrewConfig){.cores = 1});
    for (int i = -5; i < ROUNDS; i++) { /* the first ones start the process */
        const CrewWork work = {.segment = i + 6, .end = 1, .no_checkpoint = no_checkpoint};
        if (pause > 0.0) {
            clock_sleep(pause);
        }
        const double sent = clock_monotonic();
        crew_train(&f, 0, &work);
        const SlotRecord *r = crew_until_over(&f, 0);
        assert_int_equal(r->finished.outcome, OUTCOME_DONE);
        if (i >= 0) {
            to_line[i] = r->received_at - sent;
            to_finished[i] = r->finished_seen_at - r->done_at;
        }
    }
    (void)crew_end(&f);
    print_message("%s\n", title);
    print_line("  done -> FINISHED at the coordinator", to_finished);
    print_line("  order -> line at the trainer", to_line);
}

static void measures_the_turnaround(void **state) {
    (void)state;
    measure("without checkpoint, next order at once", true, 0.0);
    measure("without checkpoint, next order after 4 ms", true, 0.004);
    measure("with checkpoint (synced), next order after 4 ms", false, 0.004);
}

static int run(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(measures_the_turnaround)};
    return cmocka_run_group_tests_name("workers/turnaround", tests, NULL, NULL);
}

int main(int argc, char **argv) {
    return crew_test_main(argc, argv, run);
}
