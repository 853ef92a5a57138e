#include "tuner/host_fit.h"

#include <inttypes.h>

Status host_fit(const StudyResources *resources, const HostOffer *offer) {
    if (resources->cores > offer->cores) {
        FAIL(STATUS_ERR_RANGE,
             "resources.cores is %" PRId64 ", and %.200s has %" PRId64
             ": a trainer runs on one host; say --set resources.cores=%" PRId64
             " or use a host with more",
             resources->cores, offer->name, offer->cores, offer->cores);
    }
    if (resources->gpus > offer->gpus) {
        FAIL(STATUS_ERR_RANGE,
             "resources.gpus is %" PRId64 ", and %.200s has %" PRId64
             ": a trainer runs on one host; say --set resources.gpus=%" PRId64
             " or use a host with more (what CUDA_VISIBLE_DEVICES names counts, else /dev/nvidia0, "
             "nvidia1, ...)",
             resources->gpus, offer->name, offer->gpus, offer->gpus);
    }
    if (resources->gpus > 0 && offer->gpus_wanted > offer->gpus) {
        FAIL(STATUS_ERR_RANGE,
             "%" PRId64 " slots with resources.gpus %" PRId64 " ask for %" PRId64
             " GPUs, and %.200s has %" PRId64 ": at most %" PRId64
             " fit there (fewer --workers or --slots)",
             offer->gpus_wanted / resources->gpus, resources->gpus, offer->gpus_wanted, offer->name,
             offer->gpus, offer->gpus / resources->gpus);
    }
    return STATUS_OK;
}

int64_t host_fit_slots(const StudyResources *resources, int64_t gpus, int64_t most) {
    if (resources->gpus == 0) {
        return most;
    }
    const int64_t fit = gpus / resources->gpus;
    return (fit < most) ? fit : most;
}
