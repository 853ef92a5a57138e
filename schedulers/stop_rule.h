/** @file stop_rule.h  `stop: {no_improvement: {units, by}}`: an automaton over results as the log
 * has them, so that a replay comes to the same end. Knows no clock and no database: the coordinator
 * and the simulator ask the same one. */
#ifndef SCHEDULERS_STOP_RULE_H
#define SCHEDULERS_STOP_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct StopRule {
    int64_t units;    /* that may pass without an improvement; 0 = never stops */
    double  by;       /* an improvement is more than this, >= 0 */
    bool    maximize; /* the objective's direction */
    /* state */
    bool    any;     /* there is a best */
    double  best;    /* at the last improvement: small steps add up until they are one */
    int64_t passed;  /* units of segments that ended since */
    bool    stopped; /* stays until stop_rule_restart() */
} StopRule;

void stop_rule_init(StopRule *rule, int64_t units, double by, bool maximize);
/**
 * A segment ended.
 * @param units  budget units that it took
 * @param value  its objective; NaN where it does not count (failed, diverged, constraints broken)
 */
void stop_rule_observe(StopRule *rule, int64_t units, double value);
/** Goes on, counting from here; what is best stays (a user changed the budget or gave a point). */
void stop_rule_restart(StopRule *rule);
/** Why it stopped, for people. */
void stop_rule_reason(const StopRule *rule, const char *metric, const char *unit, char *text,
                      size_t size);

#endif
