/** @file study_numerics.h  What a study records of how its numbers are computed, beside what the
 * machine says of itself. */
#ifndef TUNER_STUDY_NUMERICS_H
#define TUNER_STUDY_NUMERICS_H

#include "tuner/study_file.h"

/**
 * Appends "; what" for each thing that the agent's values change in how numbers are computed, and
 * "; what (tuned)" where it hangs on the value of a hyperparameter. Looked at: the defaults, and in
 * them each choice of a hyperparameter. Nothing for an external trainer.
 * @return STATUS_OK; STATUS_ERR_NOMEM, STATUS_ERR_RANGE (text too long)
 */
Status study_numerics(const Study *study, Buffer *out) MUST_USE;

/**
 * Does what a study recorded agree with a machine that says `machine` of itself? Versions that did
 * not look at tuned values recorded the defaults' only: such a record agrees, too.
 * @param offered  out  what this study would record on that machine; appended
 * @param agrees   out
 * @return STATUS_OK; as study_numerics()
 */
Status study_numerics_agree(const Study *study, const char *machine, const char *recorded,
                            Buffer *offered, bool *agrees) MUST_USE;

#endif
