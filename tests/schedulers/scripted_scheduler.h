/** @file scripted_scheduler.h  A scheduler that does what a script says, for tests of those who use
 * one.
 *
 * The cases are the hard ones of a study: a failed member at a barrier, repeats, evaluations,
 * several objectives with a constraint, a segment long enough to yield, decisions interleaved with
 * results, a checkpoint that was given up and is asked for again, a memo of full size.
 *
 * Use: scripted_use(scripted_case("evaluation")); then scheduler_create(&scheduler_scripted_ops,
 * ...), or scheduler_register_for_tests(&scheduler_scripted_ops) once and `scheduler: {name:
 * scripted}` in a study file. The case in use is global; a scheduler keeps the one it was made
 * with.
 */
#ifndef TESTS_SCHEDULERS_SCRIPTED_SCHEDULER_H
#define TESTS_SCHEDULERS_SCRIPTED_SCHEDULER_H

#include "schedulers/scheduler.h"

typedef enum ScriptedWhen {
    SCRIPTED_ALWAYS,
    SCRIPTED_IF_DONE,   /* only where segment `of` finished */
    SCRIPTED_IF_FAILED, /* only where segment `of` failed */
} ScriptedWhen;

/** One decision. Ids are given out in order of the steps that are taken. */
typedef struct ScriptedStep {
    DecisionKind kind; /* run, evaluate or done */
    int64_t      trial;
    int64_t      parent; /* the step waits until this segment has finished */
    int64_t      begin;
    int64_t      end;
    bool         branch;
    int64_t      episodes;
    double       unit;    /* run: coordinate of every value (of the dynamic ones, where there is a
                             parent); below 0: the defaults, or the parent's values */
    int64_t      after;   /* wait until this segment is back; 0 = no */
    bool         barrier; /* wait until nothing is outstanding */
    ScriptedWhen when;
    int64_t      of;
    bool         failed; /* done */
    size_t       memo_size;
    const char  *reason;
} ScriptedStep;

typedef struct ScriptedCase {
    const char         *name;
    SchedulerOrder      order;
    const ScriptedStep *steps;
    size_t              count;
    int64_t             per_trial;
    int64_t             segment;
    int64_t             repeats;
    size_t              objectives;
    size_t              constraints; /* upper bound 8 each */
    int64_t             fails;       /* the segment that is meant to fail; 0 = none */
    int64_t             never_kept;  /* the segment whose checkpoint may go; 0 = none */
} ScriptedCase;

extern const SchedulerOps scheduler_scripted_ops; /* name "scripted", no options */

size_t              scripted_count(void);
const ScriptedCase *scripted_at(size_t index);
/** The case of that name; fails the test if there is none. */
const ScriptedCase *scripted_case(const char *name);
/** What the next scheduler made will do (borrowed). */
void scripted_use(const ScriptedCase *script);
/** The setup a case needs: 1000 units in total. */
SchedulerSetup scripted_setup(const ScriptedCase *script, const Space *space);
/** The byte at `index` of the memo of decision `number`. observe() fails with STATUS_ERR_CORRUPT
 * where a memo comes back changed. */
unsigned char scripted_memo_byte(int64_t number, size_t index);

#endif
