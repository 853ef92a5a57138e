/** @file smoother.h  What an agent is worth, of results that are noisy.
 *
 * One result of a reinforcement learner is its worth plus noise, and with noise as large as what
 * several segments bring, whoever is the best of many results is the luckiest. But an agent has a
 * past: the results along its lineage lie on a line whose slope stays while its values stay. So
 * each result is filtered along its lineage: worth grows by slope x units; the slope is that of the
 * parent, or anybody's where values have changed. How noisy results are is learned from how far
 * they lie from a straight line through three segments of the same values, so nobody has to say it,
 * and without noise every number is the result itself.
 *
 * Everything is a function of the log of results. Filtered once, a number stays.
 *
 * Source: Kalman (1960), A new approach to linear filtering and prediction problems; a local linear
 * trend, e.g. Durbin and Koopman (2012), Time series analysis by state space methods, 3.2.
 */
#ifndef SCHEDULERS_SMOOTHER_H
#define SCHEDULERS_SMOOTHER_H

#include <stdbool.h>
#include <stddef.h>

enum { SMOOTHER_BENDS = 128 };

/** What results say of an agent, as of the end of a segment. */
typedef struct Worth {
    double level;          /* fitness without noise */
    double slope;          /* of the level, per budget unit, in the last segment */
    double level_variance; /* how well these are known */
    double slope_variance;
    double covariance;
    bool   raw;   /* how noisy results are was not known yet: level is the result itself */
    bool   noisy; /* noise was then larger than what a mean segment brings */
} Worth;

typedef struct Smoother {
    double gained;                /* improvements from the parent's result, summed */
    double units;                 /* in so many units */
    size_t results;               /* of which these are the improvements */
    double bends[SMOOTHER_BENDS]; /* newest absolute second differences, a ring */
    size_t bend_count;            /* ever */
    double variance;              /* of a result's noise */
} Smoother;

/** A result as the smoother sees it. Results are fitness (larger is better), all finite. */
typedef struct SmoothedResult {
    double       fitness;
    double       units;          /* of its segment, > 0 */
    double       spread;         /* inside the segment; NaN: not known */
    const Worth *parent;         /* NULL: a fresh agent, or the parent has no result */
    double       parent_fitness; /* with a parent */
    double       before_fitness; /* of the parent's parent; NaN: the three are no straight line */
    bool         changed;        /* values differ from the parent's */
} SmoothedResult;

/** Learns from a result, and says what the agent is worth now. */
Worth smoother_add(Smoother *smoother, const SmoothedResult *result);

#endif
