/* Stands for mbtune in the tests of workers/: `supervise`, and small misbehaving commands. */
#include "workers/supervise.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void sleep_for(double seconds) {
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* grows by 4 MiB every millisecond, up to 2 GiB */
static int hog(void) {
    enum { STEP = 4 << 20, STEPS = 512 };
    for (int i = 0; i < STEPS; i++) {
        char *block = malloc(STEP);
        if (block == NULL) {
            return 3;
        }
        memset(block, i + 1, STEP);
        sleep_for(0.001);
    }
    return 0;
}

/* `depth` generations, each in a session of its own, each orphaned by the one above; each writes
 * its pid; the last ones sleep for ever */
static int family(int depth, double seconds) {
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    for (int i = 0; i < depth; i++) {
        const pid_t child = fork();
        if (child > 0) {
            sleep_for(i == 0 ? seconds : 0.0);
            return 0;
        }
        (void)setsid();
        (void)dprintf(STDOUT_FILENO, "%ld\n", (long)getpid());
    }
    (void)fork();
    (void)dprintf(STDOUT_FILENO, "%ld\n", (long)getpid());
    sleep_for(1000.0);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "supervise") == 0) {
        return supervise_main(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "hog") == 0) {
        return hog();
    }
    if (argc >= 4 && strcmp(argv[1], "family") == 0) {
        return family((int)strtol(argv[2], NULL, 10), strtod(argv[3], NULL));
    }
    return 2;
}
