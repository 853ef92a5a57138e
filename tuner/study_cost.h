/** @file study_cost.h  What a study would cost, before anything runs. Works on counts of
 * operations; the clock is read once, to turn them into hours on this machine. */
#ifndef TUNER_STUDY_COST_H
#define TUNER_STUDY_COST_H

#include "core/status.h"
#include "tuner/study_file.h"

#include <stdbool.h>

/** One quantity at the defaults and at the corners of the space where it is smallest and largest
 * (found dimension by dimension, conditions and forbidden points respected). */
typedef struct CostRange {
    double defaults;
    double lowest;
    double highest;
} CostRange;

typedef struct StudyCost {
    int64_t   chains;         /* trials, or members of the population */
    int64_t   segments;       /* tuning, about */
    int64_t   units;          /* tuning */
    int64_t   confirm_chains; /* schedules and defaults, each seed */
    int64_t   confirm_units;
    bool      known;      /* a built-in agent: the rest is filled in */
    double    unit_steps; /* control steps of one budget unit at most */
    double    first_row;  /* budget units until the first row of metrics at most, at the defaults */
    CostRange plan_flop;  /* per control step */
    CostRange plan_steps; /* simulated per control step, where the planner has the simulator */
    int64_t   rebuilds; /* of models whose structure is dynamic, at most: one a change of values */
    CostRange rebuild_flop; /* of one rebuild, at most */
    CostRange study_flop;   /* planning and training of all units, confirmation included; `highest`
                               with all rebuilds, the others without: one point never changes */
    CostRange disk_bytes;   /* checkpoints (at most the quota) and metrics */
} StudyCost;

/** @return STATUS_OK; STATUS_ERR_NOMEM */
Status study_cost(const Study *study, StudyCost *out) MUST_USE;
/** Points of the space: the defaults, and where a budget unit takes least and most operations. */
typedef enum StudyCorner {
    STUDY_CORNER_DEFAULTS,
    STUDY_CORNER_LOWEST,
    STUDY_CORNER_HIGHEST
} StudyCorner;
/**
 * @param point  out  (space_count); the defaults in every corner where a study's costs are not
 * known
 * @return STATUS_OK; STATUS_ERR_NOMEM
 */
Status study_cost_corner(const Study *study, StudyCorner which, double *point) MUST_USE;
/**
 * What one budget unit of a built-in agent takes at a point once `rows` transitions are stored.
 * @param flop  out  operations; 0 where the time is the simulator's
 * @param cost  out  the agent's own estimate behind it
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_ARG for an external trainer
 */
Status study_cost_unit(const Study *study, const double *point, double rows, double *flop,
                       AgentCost *cost) MUST_USE;
/** Appends a line for everything about a study that is allowed and yet unlikely to be meant.
 * @return STATUS_OK, also where there is nothing to say; STATUS_ERR_NOMEM */
Status study_warnings(const Study *study, const StudyCost *cost, Buffer *out) MUST_USE;

#endif
