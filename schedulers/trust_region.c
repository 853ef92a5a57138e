#include "schedulers/trust_region.h"

#include <math.h>

/* Wan et al. (2022), as in the authors' code */
enum { SUCCESSES = 3, FAILURES = 10, PATIENCE = 15 };
#define LENGTH_FIRST 0.4
#define LENGTH_LEAST 0.15
#define LENGTH_MOST  1.0
#define FACTOR       1.5

TrustRegion trust_region_begin(void) {
    return (TrustRegion){.length = LENGTH_FIRST};
}

static void count(TrustRegion *region, bool improved) {
    region->successes = improved ? region->successes + 1 : 0;
    region->failures = improved ? 0 : region->failures + 1;
    region->stale = improved ? 0 : region->stale + 1;
    if (region->successes == SUCCESSES) {
        region->length = fmin(LENGTH_MOST, FACTOR * region->length);
        region->successes = 0;
    }
    if (region->failures == FAILURES) {
        region->length /= FACTOR;
        region->failures = 0;
    }
}

void trust_region_end_generation(TrustRegion *region, bool improved) {
    count(region, improved);
    if (region->length < LENGTH_LEAST || region->stale >= PATIENCE) {
        *region = (TrustRegion){.length = LENGTH_FIRST, .restarts = region->restarts + 1};
    }
}

size_t trust_region_radius(const TrustRegion *region, size_t n) {
    const double share = fmin(1.0, region->length / LENGTH_FIRST);
    return (size_t)fmax(1.0, ceil(share * (double)n));
}
