/** @file scene.h  One small study in a folder of its own, run by the real program. */
#ifndef TESTS_TUNER_SCENE_H
#define TESTS_TUNER_SCENE_H

#include "tests/tuner/run_mbtune.h"

enum { SCENE_PATH_BYTES = 512 };

#define SCENE_FAKE_TRAINER TEST_BINARY_FOLDER "/tests/workers/fake_trainer"
#define SCENE_SYNCHRONOUS  "{name: pbt, population: 4, warmup: 2, mode: synchronous}"
#define SCENE_ASYNCHRONOUS \
    "{name: pbt-bt, population: 4, warmup: 2, mode: asynchronous, backtrack_every: 2}"

typedef struct Scene {
    char *folder;                  /* temporary */
    char  yaml[SCENE_PATH_BYTES];  /* the study file in it */
    char  study[SCENE_PATH_BYTES]; /* the study folder in it */
    /* one `--set KEY=VALUE` of scene_start(); NULL, as scene_write() leaves it, = none */
    const char *set;
    Run         run;
} Scene;

/** A scene with this study file. */
void scene_write(Scene *scene, const char *text);
/** Scripted trainers, 12 units in segments of 2. `scheduler` and `trainer` (further words of the
 * command line: ", --ignore-yield") are YAML flow text; `seconds` is what one unit takes. */
void scene_make(Scene *scene, const char *scheduler, const char *trainer, double seconds);
/** Synchronous pbt whose units take 0.05 s, so that there is something to kill. */
void scene_make_slow(Scene *scene);
/** Real agents, as small as they come; units are control steps, so segments end inside episodes. */
void scene_make_pets(Scene *scene);
void scene_remove(Scene *scene);

void scene_start(Scene *scene, const char *workers);
/** Starts it and waits, however slow the machine is, until `least` segments are in this state;
 * fails if it ends before. */
void scene_start_until(Scene *scene, const char *workers, const char *state, long least);
/** Runs to its end. @return exit status */
int scene_run(Scene *scene, const char *workers);
/** The same with one `--set`. */
int scene_run_with(Scene *scene, const char *workers, const char *override);
/** Whether its database was made already. */
bool scene_has_rows(const Scene *scene);
/** Fails unless nothing is running, queued, lost or there twice, and every parent is there. */
void scene_assert_sound(const Scene *scene);

typedef void (*MakeScene)(Scene *scene);
/** run_canonical() of the study when nothing disturbs it; the caller frees it. */
char *scene_undisturbed(MakeScene make);

#endif
