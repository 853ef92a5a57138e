#include "schedulers/tabu.h"

#include "core/rng.h"

enum { ROUNDS = 6 };

/* finalizer of MurmurHash3, 64 bits (Appleby) */
static uint64_t mix(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

uint64_t tabu_element(uint64_t seed, uint64_t item, unsigned bits, uint64_t index) {
    const unsigned half = (bits + 1) / 2;
    const uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t       keys[ROUNDS];
    if (bits == 0) {
        return 0;
    }
    Rng rng = rng_stream(seed, item, RNG_TABU);
    for (int i = 0; i < ROUNDS; i++) {
        keys[i] = rng_u64(&rng);
    }
    do {
        uint64_t left = index >> half;
        uint64_t right = index & mask;
        for (int i = 0; i < ROUNDS; i++) {
            const uint64_t next = left ^ (mix(right ^ keys[i]) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >> bits != 0);
    return index;
}
