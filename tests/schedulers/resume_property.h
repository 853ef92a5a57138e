/** @file resume_property.h  Resuming: wherever a study stops, a new scheduler that observes the log
 * up to there goes on as the old one did.
 *
 * "As the old one" is: the same decisions, bit for bit, and nothing to decide wherever the old one
 * had nothing to decide though a slot was free.
 */
#ifndef TESTS_SCHEDULERS_RESUME_PROPERTY_H
#define TESTS_SCHEDULERS_RESUME_PROPERTY_H

#include "tests/schedulers/contract_case.h"

enum { RESUME_AHEAD = 100 }; /* decisions that are compared after a cut */

/** Observes `first` events, then asserts the property for `ahead` decisions, and that a result is
 * refused the second time. */
void resume_follow(const ContractCase *c, const FakeLog *log, size_t first, size_t ahead);
/**
 * resume_follow() from several places, RESUME_AHEAD decisions each: anywhere; between two decisions
 * that no event separates (a scheduler with barriers has such places, which is asserted); and where
 * the scheduler had nothing to decide with a slot free (likewise).
 * @param anywhere  how many of the first kind; one each of the others
 * @param seed      of the places
 */
void resume_check(const ContractCase *c, const FakeLog *log, size_t anywhere, uint64_t seed);

#endif
