/** @file every_space.h  A search space with every type and kind of hyperparameter, for targets
 * whose inputs hold points of one. */
#ifndef TESTS_FUZZ_EVERY_SPACE_H
#define TESTS_FUZZ_EVERY_SPACE_H

#include "search_spaces/space.h"

enum { EVERY_SPACE_VALUES = 9 };

/** The caller destroys it. */
Space *every_space(void);

#endif
