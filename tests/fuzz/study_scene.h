/** @file study_scene.h  A small study in a folder, put back as it was before each input: for
 * targets that read a whole study. It is one that a person trains, so nothing but this process
 * works on it.
 */
#ifndef TESTS_FUZZ_STUDY_SCENE_H
#define TESTS_FUZZ_STUDY_SCENE_H

#include "core/json.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

/** Its folder and file; segments were asked for and told, one failed, one is out. The first call
 * makes it, the end of the process removes it. */
const StudyFolder *study_scene_folder(void);
const Study       *study_scene_study(void);
/** `mbtune ask -n count`: requests are served too. @param answer  out  new reference */
Status study_scene_ask(int64_t count, Json **answer) MUST_USE;
/** The database without NOT NULL, CHECK, STRICT and foreign keys, so that rows can be damaged. */
void study_scene_loosen(void);
/** Files as they were made (and loosened); requests/ is empty, no lock is held. */
void study_scene_restore(void);

#endif
