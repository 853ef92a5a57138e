/** @file plan_trial.h  Trains a little at one point, here and now, to see how long it takes.
 *
 * The study's own trainer runs behind its supervisor as a worker runs it, in a temporary folder. It
 * is first trained until it plans with a model (`warm` units), then the `units` that are measured.
 */
#ifndef TUNER_PLAN_TRIAL_H
#define TUNER_PLAN_TRIAL_H

#include "core/status.h"
#include "schedulers/scheduler.h"
#include "tuner/study_file.h"

#include <stdint.h>

typedef struct PlanTrial {
    int64_t warm;    /* units before what is measured; 0 = from a fresh agent */
    int64_t units;   /* that are measured, >= 1 */
    Outcome outcome; /* done, or how it failed */
    char    why[256];
    double  seconds; /* of the measured units, checkpoint included; NaN unless done */
    double  steps;   /* control steps of the measured units, by `episode_length`; 0 = not told */
    double  checkpoint_bytes;
    double  memory_bytes; /* largest resident size of a process so far */
} PlanTrial;

/**
 * @param point  in      (space_count)
 * @param trial  in/out  warm and units are given
 * @return STATUS_OK also where the trainer fails; STATUS_ERR_IO, STATUS_ERR_PROCESS,
 * STATUS_ERR_NOMEM
 */
Status plan_trial(const Study *study, const double *point, PlanTrial *trial) MUST_USE;

#endif
