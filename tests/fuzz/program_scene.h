/** @file program_scene.h  The coordinator of a study that a program trains, without workers: what a
 * slot's trainer would have said is said here. For study_scene.h.
 */
#ifndef TESTS_FUZZ_PROGRAM_SCENE_H
#define TESTS_FUZZ_PROGRAM_SCENE_H

#include "core/status.h"
#include "tuner/study_file.h"

#include <stdint.h>

/** Makes the study in `path` and ends `rounds` orders: metrics, checkpoints, a failure, in the end
 * a segment that yielded with a checkpoint of its beginning and a result that the log lacks. */
Status program_scene_train(const Study *study, const char *path, int64_t rounds) MUST_USE;
/** The next start of the program: resumes, has the first queued segment in a slot, serves requests,
 * and ends as a run that was interrupted. */
Status program_scene_serve(const Study *study, const char *path) MUST_USE;

#endif
