/** @file dehb.h  The two halves of DEHB: the numbering of its budget (dehb.c) and the sampler that
 * evolves configurations along it (dehb_sampler.c). */
#ifndef SCHEDULERS_DEHB_H
#define SCHEDULERS_DEHB_H

#include "schedulers/sampler.h"

/* rows of the scheduler; both halves are given all values */
enum {
    DEHB_REDUCTION,
    DEHB_MIN_UNITS,
    DEHB_MUTATION_FACTOR,
    DEHB_CROSSOVER,
    DEHB_OPTIONS,
};

extern const SamplerOps sampler_dehb_ops;

#endif
