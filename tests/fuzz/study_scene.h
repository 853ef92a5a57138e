/** @file study_scene.h  Small studies in folders, each put back as it was before each input: for
 * targets that read a whole study. Nothing but this process works on them.
 *
 * One is at work at a time. Three are trained by a person (study_scene_ask()), two by a program,
 * whose coordinator is opened here without any worker (program_scene.h).
 */
#ifndef TESTS_FUZZ_STUDY_SCENE_H
#define TESTS_FUZZ_STUDY_SCENE_H

#include "core/json.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

#include <stdint.h>

typedef enum StudyScene {
    SCENE_POPULATION, /* by hand; one segment failed, one is out */
    SCENE_SAMPLER,    /* by hand; every type of hyperparameter, warm start, enqueued points */
    SCENE_CONFIRM,    /* by hand; tuning is over, confirmation goes on */
    SCENE_PROGRAM,    /* chains of a sampler with checkpoints; one is queued, one continues */
    SCENE_BACKTRACK,  /* a population whose scheduler has asked for evaluations */
    STUDY_SCENES
} StudyScene;

/** Goes to this scene; its first time makes it, the end of the process removes it. Files are as
 * they were made (and loosened); requests/ is empty, no lock is held. */
void study_scene_restore(StudyScene which);
/** Folder and file of the scene at work. */
const StudyFolder *study_scene_folder(void);
const Study       *study_scene_study(void);
/** `mbtune ask -n count`: requests are served too. @param answer  out  new reference */
Status study_scene_ask(int64_t count, Json **answer) MUST_USE;
/** The next `mbtune ask -n count`, or the next start of the program: resumes the study, serves
 * requests. */
Status study_scene_go_on(int64_t count) MUST_USE;
/** Databases without NOT NULL, CHECK, STRICT and foreign keys, so that rows can be damaged: of
 * every scene, from its first study_scene_restore() on. */
void study_scene_loosen(void);

#endif
