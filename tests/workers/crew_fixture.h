/** @file crew_fixture.h  A crew of real workers and fake trainers for tests: rank 0 runs the tests,
 * the other ranks enter worker_main() once per test. */
#ifndef TESTS_WORKERS_CREW_FIXTURE_H
#define TESTS_WORKERS_CREW_FIXTURE_H

#include "tests/support/test_support.h"

#include "workers/crew.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CREW_MAX_SLOTS = 16, CREW_MAX_METRICS = 4096, CREW_SLOTS_PER_WORKER = 2 };

/** What the last order of a slot gave. */
typedef struct SlotRecord {
    size_t  started;
    size_t  metrics; /* values of episode_reward */
    double  values[CREW_MAX_METRICS];
    int64_t steps[CREW_MAX_METRICS];
    double  received_at; /* stamps of the trainer's clock (--stamp), 0 if none */
    double  done_at;
    double  finished_seen_at; /* when rank 0 saw the end */
    bool    over;
    News    finished; /* without its texts */
    char    text[8192];
} SlotRecord;

typedef struct CrewFixture {
    char       *folder;
    Crew       *crew;
    int         workers;
    size_t      slots;
    size_t      announced;
    size_t      logs;
    size_t      lost;            /* workers */
    char        lost_text[1024]; /* of the last one */
    bool        may_lose;        /* else a lost worker fails the test */
    SlotRecord *records;         /* (CREW_MAX_SLOTS) */
} CrewFixture;

/** Shares of a core that the workers used in the last crew, and rank 0. */
typedef struct CrewUse {
    double most_worker;
    double coordinator;
    bool   all_ok; /* every worker_main() gave STATUS_OK */
} CrewUse;

/** Options of the fake trainer end with NULL; deadlines and limits from `config`, strings from
 * here. */
void crew_begin(CrewFixture *f, const char *const *options, const CrewConfig *config);
/** The same without waiting for hellos; `cripple`: the last worker cannot start; `logs`: what lies
 * in the place of the folder of the logs (none if NULL). */
void crew_begin_badly(CrewFixture *f, const CrewConfig *config, bool cripple, const char *logs);
/** Takes news for `seconds`, or until `lost` workers are lost and `announced` have said hello. */
void crew_until_known(CrewFixture *f, size_t lost, size_t announced, double seconds);
/** The start of a coordinator that failed before it had a configuration. */
bool crew_release(void);
/** Stops the crew and checks that it was clean. */
CrewUse crew_end(CrewFixture *f);
/** Stops the crew while `asleep` is stopped, which is then woken; checks that the end was not clean
 * and that nobody but rank 0 held it for in order. @return seconds that crew_stop() took */
double crew_end_without(CrewFixture *f, double grace, pid_t asleep);

typedef struct CrewWork {
    int64_t     segment;
    int64_t     parent;
    int64_t     begin;
    int64_t     end;
    const char *values; /* JSON object; NULL = {} */
    bool        no_checkpoint;
    /* of the parent's checkpoint */
    uint64_t bytes;
    uint64_t checksum;
} CrewWork;

/** Sends a train order; attempt is always 1, checkpoints are SEGMENT.a1. */
void crew_train(CrewFixture *f, size_t slot, const CrewWork *work);
void crew_evaluate(CrewFixture *f, size_t slot, int64_t evaluation, const CrewWork *of);
/** Takes news until the slot's order is over (20 s at most). */
SlotRecord *crew_until_over(CrewFixture *f, size_t slot);
SlotRecord *crew_until_metric(CrewFixture *f, size_t slot);
/** Process id of worker 1, 2, ... */
pid_t crew_worker_pid(int worker);
/** One crew_poll(); @return whether there was news */
bool crew_take(CrewFixture *f);

/** Runs the tests on rank 0 and the workers elsewhere; @return for main() */
int crew_test_main(int argc, char **argv, int (*run)(void));

#endif
