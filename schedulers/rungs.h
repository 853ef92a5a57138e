/** @file rungs.h  Depths at which configurations are judged, and Hyperband's brackets over them. */
#ifndef SCHEDULERS_RUNGS_H
#define SCHEDULERS_RUNGS_H

#include "schedulers/scheduler.h"

enum { RUNGS_MOST = 64 };

typedef struct Rungs {
    int64_t depths[RUNGS_MOST]; /* (count) ascending; the last is per_trial */
    size_t  count;
} Rungs;

/**
 * min_units, min_units x reduction, ... below per_trial, then per_trial (Li et al., 2020).
 * @param min_units  NaN: one segment
 * @param reduction  >= 2
 * @return STATUS_OK; STATUS_ERR_ARG where there would be one rung only
 */
Status rungs_upwards(const SchedulerSetup *setup, double min_units, int64_t reduction,
                     Rungs *rungs) MUST_USE;
/** per_trial, per_trial / reduction, ... (rounded up) not below min_units (Li et al., 2017); else
 * as above. */
Status rungs_downwards(const SchedulerSetup *setup, double min_units, int64_t reduction,
                       Rungs *rungs) MUST_USE;

/** BudgetOps.rungs() of a budget with these: writes up to `most` depths, returns how many there
 * are.
 */
size_t rungs_write(const Rungs *rungs, int64_t *depths, size_t most);

/** Whose configurations a bracket has at its higher rungs. */
typedef enum BracketKind {
    BRACKETS_PROMOTE, /* the best of the rung below (Hyperband) */
    BRACKETS_FRESH,   /* new ones, which have numbers of their own (DEHB) */
} BracketKind;

/** Hyperband's brackets, one after the other by the number of the configuration. Bracket i of a
 * round begins at rung i. */
typedef struct Brackets {
    Rungs       rungs;
    BracketKind kind;
    int64_t sizes[RUNGS_MOST][RUNGS_MOST]; /* [bracket][rung] configurations; 0 below `bracket` */
    int64_t numbers[RUNGS_MOST];           /* [bracket] numbers that it takes */
    int64_t round;                         /* numbers of all brackets */
} Brackets;

typedef struct BracketPlace {
    int64_t bracket; /* counted over all rounds */
    size_t  first;   /* rung at which the bracket begins */
    size_t  rung;    /* rung to which the configuration is trained first */
    int64_t place;   /* among those of its bracket and rung */
    int64_t before;  /* of that rung in brackets before */
} BracketPlace;

/** Rungs downwards, and their brackets. */
Status brackets_init(const SchedulerSetup *setup, double min_units, int64_t reduction,
                     BracketKind kind, Brackets *brackets) MUST_USE;
/** Where a configuration belongs; O(rungs). */
BracketPlace brackets_find(const Brackets *brackets, int64_t configuration);

#endif
