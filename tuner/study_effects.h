/** @file study_effects.h  Values of a study that change nothing. */
#ifndef TUNER_STUDY_EFFECTS_H
#define TUNER_STUDY_EFFECTS_H

#include "tuner/study_file.h"

/**
 * Appends a line about hyperparameters and fixed values that have no effect, grouped by the value
 * that is to blame, and one about those that have it for some of its values only and lack a `when`.
 * Looked at: the defaults, and in them each choice of a hyperparameter. Of an external trainer's
 * nothing is known. Before them a line for each option of the scheduler that was changed and has no
 * effect.
 * @return STATUS_OK; STATUS_ERR_NOMEM, STATUS_ERR_RANGE (text too long)
 */
Status study_effects(const Study *study, Buffer *out) MUST_USE;

#endif
