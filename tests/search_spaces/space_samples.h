/** @file space_samples.h  Spaces for the tests of this folder: short definitions and random spaces.
 */
#ifndef TESTS_SEARCH_SPACES_SPACE_SAMPLES_H
#define TESTS_SEARCH_SPACES_SPACE_SAMPLES_H

#include "core/rng.h"
#include "search_spaces/space.h"

enum { SAMPLE_PARAMETERS = 12 }; /* most hyperparameters of sample_random() */

SpaceParameter sample_float(const char *name, double lower, double upper, double default_value);
SpaceParameter sample_int(const char *name, double lower, double upper, double default_value);
SpaceParameter sample_bool(const char *name);
/** `choices` ends at NULL; the default is the first. */
SpaceParameter sample_choice(const char *name, SpaceType type, const char *const *choices);
/** A test that holds where hyperparameter `parameter` is `value` (borrowed). */
SpaceTest sample_equals(size_t parameter, const double *value);
SpaceTest sample_between(size_t parameter, double above, double below);
/** A sealed space of 1 to SAMPLE_PARAMETERS hyperparameters of all types, scales, steps, conditions
 * and now and then a forbidden one. */
Space *sample_random(Rng *rng);

#endif
