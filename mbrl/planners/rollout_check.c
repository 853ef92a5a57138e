/* The options that all planners share, and which of them go together with which model. */
#include "mbrl/planners/rollout.h"

#define PETS "Chua et al. (2018), PETS, arXiv 1805.12114"

static const char *const propagations[] = {
    [PROPAGATION_TS1] = "ts1", [PROPAGATION_TSINF] = "tsinf", [PROPAGATION_E] = "e",
    [PROPAGATION_DS] = "ds",   [PROPAGATION_MM] = "mm",       [PROPAGATION_COUNT] = NULL};

const OptionSpec rollout_options[ROLLOUT_OPTION_COUNT + 1] = {
    [ROLLOUT_HORIZON] = {"planning_horizon", OPTION_INT, 1, ROLLOUT_MAX_HORIZON, 25, true, NULL,
                         "control steps that a plan looks ahead (count)", PETS},
    [ROLLOUT_PARTICLES] =
        {"particles", OPTION_INT, 1, 1000, 20, true, NULL,
         "predicted trajectories per action sequence (count); e and true_dynamics "
         "follow one whatever it says",
         PETS},
    [ROLLOUT_PROPAGATION] = {"propagation", OPTION_CHOICE, 0, PROPAGATION_COUNT - 1,
                             PROPAGATION_TS1, true, propagations,
                             "particles change the network at every step (ts1) or never (tsinf), "
                             "are sampled from the members' joint moments (ds) and redrawn from "
                             "their own (mm), or there is one without noise (e)",
                             PETS},
    [ROLLOUT_MAX_PLAN_SECONDS] = {"max_plan_seconds", OPTION_FLOAT, 0, 3600, 0, true, NULL,
                                  "wall-clock limit of the search per control step (s; 0 = none); "
                                  "makes results irreproducible",
                                  NULL},
};

static bool takes_members(Propagation propagation) {
    return propagation == PROPAGATION_TS1 || propagation == PROPAGATION_TSINF;
}

/* one line of a note */
static Status note_members(Propagation propagation, size_t particles, size_t members,
                           Buffer *notes) {
    const char *name = propagations[propagation];

    if (members == 1 && takes_members(propagation)) {
        buffer_printf(notes, "propagation '%s' of a single probabilistic model is 'ds'\n", name);
    } else if (!rollout_is_balanced(propagation, particles, members)) {
        buffer_printf(notes,
                      "%zu particles are no multiple of the %zu members in use: they are dealt "
                      "over all candidates together, not evenly per candidate\n",
                      particles, members);
    }
    return buffer_status(notes);
}

Status rollout_check(Propagation propagation, size_t particles, size_t members, bool stochastic,
                     Buffer *notes) {
    if (members == 1 && !stochastic && propagation != PROPAGATION_E) {
        FAIL(
            STATUS_ERR_ARG,
            "propagation '%s' has nothing to propagate in a single deterministic network; use 'e', "
            "a probabilistic model or an ensemble of which more than one is in use",
            propagations[propagation]);
    }
    return notes == NULL ? STATUS_OK : note_members(propagation, particles, members, notes);
}

size_t rollout_particles(Propagation propagation, size_t particles) {
    return propagation == PROPAGATION_E ? 1 : particles;
}

double rollout_predictions(Propagation propagation, size_t particles, size_t members) {
    const double followed = (double)rollout_particles(propagation, particles);
    return takes_members(propagation) ? followed : followed * (double)members;
}

bool rollout_is_balanced(Propagation propagation, size_t particles, size_t members) {
    return !takes_members(propagation) || particles % members == 0;
}
