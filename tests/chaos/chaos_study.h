/** @file chaos_study.h  The studies that faults are done to, and what must hold after each run. */
#ifndef TESTS_CHAOS_CHAOS_STUDY_H
#define TESTS_CHAOS_CHAOS_STUDY_H

#include "tests/tuner/scene.h"

/** One kind of study; all are synchronous pbt. */
typedef struct ChaosStudy {
    const char *name;
    MakeScene   make;
    bool        pets;
    bool        own_faults; /* a trial in it fails by itself */
    const char *outcome;    /* of the segment that fails by itself, or NULL */
    char       *rows;       /* run_canonical() of the undisturbed study */
} ChaosStudy;

/** All kinds: scripted trainers of which one segment crashes, takes too much memory or hangs,
 * scripted ones without a fault of their own, real agents. Ends at .name == NULL. */
extern ChaosStudy chaos_studies[];

/** Runs the undisturbed study if that was not done yet, and fails unless it ends well. */
void chaos_study_prepare(ChaosStudy *study);

/** Ids of segments that have ended, as SQL text "1,2,5"; the caller frees it. */
char *chaos_study_ended(const Scene *scene);
/** After every run: within `patience` seconds no process is left that has `marker` in it. */
void chaos_study_assert_gone(const char *marker, double patience);
/** Then, with room on the disk: the database is sound, no segment of `ended` is lost. */
void chaos_study_check_run(const Scene *scene, const char *ended);
/** At the end: all is as in the undisturbed study. @param hurt  a checkpoint was damaged or
 * removed, and may be so still if nothing needed it: mended, it comes back as it was */
void chaos_study_check_end(const ChaosStudy *study, Scene *scene, bool hurt);

#endif
