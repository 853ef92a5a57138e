/** @file rollout.h  How a learned model is rolled out: the options that all planners share, how
 * uncertainty travels, and which of them go together with which model (rollout_check.c). */
#ifndef MBRL_PLANNERS_ROLLOUT_H
#define MBRL_PLANNERS_ROLLOUT_H

#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/** How uncertainty travels along a predicted trajectory. Values are stored: append. */
typedef enum Propagation {
    PROPAGATION_TS1,   /* a particle changes its member at every step */
    PROPAGATION_TSINF, /* a particle keeps its member */
    PROPAGATION_E,     /* one particle; the mean of all members, no noise */
    PROPAGATION_DS,    /* each step sampled from one Gaussian with the members' joint moments */
    PROPAGATION_MM,    /* DS, then a candidate's particles are redrawn from their own Gaussian */
    PROPAGATION_COUNT
} Propagation;

/** Options that all planners share. */
typedef enum RolloutOption {
    ROLLOUT_HORIZON,
    ROLLOUT_PARTICLES,
    ROLLOUT_PROPAGATION,
    ROLLOUT_MAX_PLAN_SECONDS,
    ROLLOUT_OPTION_COUNT
} RolloutOption;

enum { ROLLOUT_MAX_HORIZON = 200 };

extern const OptionSpec rollout_options[ROLLOUT_OPTION_COUNT + 1];

/**
 * Do a kind of model and a propagation go together? One member: without noise E only; with noise E,
 * DS, MM, and TS1 and TSinf, which are DS then. Several members: all.
 *
 * @param members     in use
 * @param stochastic  the model predicts a standard deviation
 * @param notes       in/out  NULL, or gets a line where the values are accepted but are not what
 *                    they seem: TS1 and TSinf of one member; particles that cannot be dealt evenly
 * @return STATUS_OK; STATUS_ERR_ARG with a sentence that names what would go
 */
Status rollout_check(Propagation propagation, size_t particles, size_t members, bool stochastic,
                     Buffer *notes) MUST_USE;
/** Particles of a candidate that are followed: 1 for E. */
size_t rollout_particles(Propagation propagation, size_t particles);
/** Predictions of the plain algorithm per candidate and time step: one per particle, in E, DS and
 * MM by each member. */
double rollout_predictions(Propagation propagation, size_t particles, size_t members);
/** TS1 and TSinf: has each candidate the same number of particles on every member? If not, they
 * are dealt over all candidates x particles. Always true for E, DS, MM. */
bool rollout_is_balanced(Propagation propagation, size_t particles, size_t members);

#endif
