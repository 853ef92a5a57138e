/** @file study_numerics.h  What a study's values change in how its agent computes. */
#ifndef TUNER_STUDY_NUMERICS_H
#define TUNER_STUDY_NUMERICS_H

#include "core/buffer.h"
#include "tuner/study_file.h"

/**
 * Appends what the agent adds to the line of linalg_numerics() ("; planning bfloat16"), once each,
 * for the values that the study fixes and for each choice that it tunes. Nothing for an external
 * trainer. @return STATUS_OK; STATUS_ERR_NOMEM
 */
Status study_numerics(const Study *study, Buffer *out) MUST_USE;

#endif
