/** @file host_fit.h  Whether a host has what the trainers of a study ask for (`resources:`). */
#ifndef TUNER_HOST_FIT_H
#define TUNER_HOST_FIT_H

#include "core/status.h"
#include "tuner/study_file.h"

#include <stdint.h>

/** What a host offers to the workers on it. */
typedef struct HostOffer {
    const char *name;        /* "this host", "worker 2 on node7" */
    int64_t     cores;       /* that one worker may use */
    int64_t     gpus;        /* that its workers may use together */
    int64_t     gpus_wanted; /* by all slots there */
} HostOffer;

/** A trainer runs on one host, with GPUs of its own.
 * @return STATUS_OK; STATUS_ERR_RANGE with what is asked for, what is there, and what to do */
Status host_fit(const StudyResources *resources, const HostOffer *offer) MUST_USE;
/** Slots that the GPUs allow; `most` where the study asks for none. */
int64_t host_fit_slots(const StudyResources *resources, int64_t gpus, int64_t most);

#endif
