/** @file hyperband.h  The budget of Hyperband, shared with bohb.c. */
#ifndef SCHEDULERS_HYPERBAND_H
#define SCHEDULERS_HYPERBAND_H

#include "schedulers/budget.h"
#include "schedulers/rungs.h"

extern const BudgetOps budget_hyperband_ops;

/* its own option rows */
enum { HYPERBAND_REDUCTION, HYPERBAND_MIN_UNITS, HYPERBAND_OPTIONS };

#define HYPERBAND_OPTION_ROWS                                                                \
    [HYPERBAND_REDUCTION] = {.name = "reduction",                                            \
                             .type = OPTION_INT,                                             \
                             .lower = 2,                                                     \
                             .upper = 100,                                                   \
                             .default_value = 3,                                             \
                             .help = "one in so many goes on from a rung, to so many times " \
                                     "the units",                                            \
                             .source = "Li et al. (2017)"},                                  \
    [HYPERBAND_MIN_UNITS] = {                                                                \
        .name = "min_units",                                                                 \
        .type = OPTION_INT,                                                                  \
        .lower = 1,                                                                          \
        .upper = 1e15,                                                                       \
        .default_value = (double)NAN,                                                        \
        .help = "least depth of the first rung, in budget units; default: one segment"}

#endif
