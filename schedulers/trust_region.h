/** @file trust_region.h  How far from the best known values new ones are looked for.
 *
 * Numbers are those of Wan et al. (2022) (BG-PBT): a side of 0.4 of the unit cube, half as much
 * again after 3 generations in a row that improved on the best ever, divided by as much after 10
 * that did not. Below a side of 0.15, or after 15 generations without an improvement, it restarts.
 */
#ifndef SCHEDULERS_TRUST_REGION_H
#define SCHEDULERS_TRUST_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TrustRegion {
    double  length;    /* of a side, in the unit cube */
    int     successes; /* generations in a row */
    int     failures;  /* generations in a row since the length changed */
    int     stale;     /* generations in a row */
    int64_t restarts;
} TrustRegion;

TrustRegion trust_region_begin(void);
/** Ends a generation; `restarts` counts where the region begins anew. */
void trust_region_end_generation(TrustRegion *region, bool improved);
/** How many of n categorical values may differ from those in the middle: all at the first length
 * and above, in proportion below, at least 1. */
size_t trust_region_radius(const TrustRegion *region, size_t n);

#endif
