/* Counter words: {block, lane, unit (low 32 bits), unit (high 24 bits) << 8 | purpose}. Every field
 * has bits of its own, so two different (unit, purpose, lane) can never give the same counter; the
 * key is the seed. Philox is a bijection of the counter for each key (Salmon et al. 2011).
 *
 * The bulk fills take GROUP blocks at a time and put word w of block b of a group at position
 * w * GROUP + b. That order is part of the stream: it does not depend on the vector width, and n
 * numbers are always a prefix of n + 1 numbers.
 */
#include "core/rng.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <Random123/philox.h>

#include <assert.h>
#include <math.h>

enum { WORDS = 4, GROUP = 16, GROUP_NUMBERS = WORDS * GROUP };

#define UNIT_LIMIT (UINT64_C(1) << 56)

Rng rng_stream_lane(uint64_t seed, uint64_t unit, RngPurpose purpose, uint32_t lane) {
    assert(unit < UNIT_LIMIT);
    assert((uint32_t)purpose < 256);
    return (Rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, lane, (uint32_t)unit,
                    (uint32_t)(unit >> 32) << 8 | ((uint32_t)purpose & 255u)},
        .used = WORDS,
    };
}

Rng rng_stream(uint64_t seed, uint64_t unit, RngPurpose purpose) {
    return rng_stream_lane(seed, unit, purpose, 0);
}

static void next_block(Rng *rng) {
    philox4x32_ctr_t counter;
    philox4x32_key_t key;
    for (size_t i = 0; i < WORDS; i++) {
        counter.v[i] = rng->counter[i];
    }
    key.v[0] = rng->key[0];
    key.v[1] = rng->key[1];
    const philox4x32_ctr_t words = philox4x32(counter, key);
    for (size_t i = 0; i < WORDS; i++) {
        rng->block[i] = words.v[i];
    }
    rng->counter[0]++;
    rng->used = 0;
}

uint32_t rng_u32(Rng *rng) {
    if (rng->used >= WORDS) {
        next_block(rng);
    }
    return rng->block[rng->used++];
}

uint64_t rng_u64(Rng *rng) {
    const uint64_t low = rng_u32(rng);
    return low | (uint64_t)rng_u32(rng) << 32;
}

double rng_uniform(Rng *rng) {
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

double rng_normal(Rng *rng) {
    const double pi = 3.14159265358979323846;
    const double radius = sqrt(-2.0 * log(1.0 - rng_uniform(rng))); /* 1 - u is never 0 */
    return radius * cos(2.0 * pi * rng_uniform(rng));
}

uint64_t rng_below(Rng *rng, uint64_t n) {
    assert(n > 0);
    /* the first 2^64 mod n values would make small results likelier */
    const uint64_t skip = (0 - n) % n;
    uint64_t       value = rng_u64(rng);
    while (value < skip) {
        value = rng_u64(rng);
    }
    return value % n;
}

void rng_shuffle(Rng *rng, size_t *indices, size_t n) {
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)rng_below(rng, i);
        const size_t swapped = indices[i - 1];
        indices[i - 1] = indices[j];
        indices[j] = swapped;
    }
}

/* GROUP blocks from block number `first`, ten rounds, one lane of the loop per block */
static inline void philox_group(const uint32_t key[2], const uint32_t counter[WORDS],
                                uint32_t first, uint32_t words[WORDS][GROUP]) {
    for (uint32_t b = 0; b < GROUP; b++) {
        uint32_t c0 = first + b;
        uint32_t c1 = counter[1];
        uint32_t c2 = counter[2];
        uint32_t c3 = counter[3];
        uint32_t k0 = key[0];
        uint32_t k1 = key[1];
        for (int round = 0; round < 10; round++) {
            const uint64_t p0 = (uint64_t)PHILOX_M4x32_0 * c0;
            const uint64_t p1 = (uint64_t)PHILOX_M4x32_1 * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)p1;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p0;
            k0 += PHILOX_W32_0;
            k1 += PHILOX_W32_1;
        }
        words[0][b] = c0;
        words[1][b] = c1;
        words[2][b] = c2;
        words[3][b] = c3;
    }
}

/* Box-Muller on two rows of words: 31 bits for the radius (at most 6.66), 32 for the angle, whose
 * reduction to a quadrant is exact in integers */
static inline void normal_rows(const uint32_t first[GROUP], const uint32_t second[GROUP],
                               float cosines[GROUP], float sines[GROUP]) {
    const float eighth = 0.78539816339744831f; /* pi / 4 */
    for (size_t b = 0; b < GROUP; b++) {
        const float    u = (float)vector_signed(first[b] >> 1) * 0x1p-31f + 0x1p-32f;
        const float    radius = sqrtf(-2.0f * vector_log_normal(u));
        const uint32_t quadrant = (second[b] + (1u << 29)) >> 30;
        const float    turn = (float)vector_signed(second[b] - (quadrant << 30)) * 0x1p-29f;
        float          sine;
        float          cosine;
        vector_sin_cos_quadrant(quadrant, turn * eighth, &sine, &cosine);
        cosines[b] = radius * cosine;
        sines[b] = radius * sine;
    }
}

static KERNEL_CLONES void normal_groups(const uint32_t key[2], const uint32_t counter[WORDS],
                                        float *out, size_t groups) {
    for (size_t g = 0; g < groups; g++) {
        uint32_t words[WORDS][GROUP];
        float   *rows = out + g * GROUP_NUMBERS;
        philox_group(key, counter, counter[0] + (uint32_t)(g * GROUP), words);
        normal_rows(words[0], words[1], rows, rows + GROUP);
        normal_rows(words[2], words[3], rows + (size_t)2 * GROUP, rows + (size_t)3 * GROUP);
    }
}

static KERNEL_CLONES void uniform_groups(const uint32_t key[2], const uint32_t counter[WORDS],
                                         float *out, size_t groups) {
    for (size_t g = 0; g < groups; g++) {
        uint32_t words[WORDS][GROUP];
        float   *rows = out + g * GROUP_NUMBERS;
        philox_group(key, counter, counter[0] + (uint32_t)(g * GROUP), words);
        for (size_t w = 0; w < WORDS; w++) {
            for (size_t b = 0; b < GROUP; b++) {
                rows[w * GROUP + b] = (float)vector_signed(words[w][b] >> 8) * 0x1p-24f;
            }
        }
    }
}

typedef void (*FillGroups)(const uint32_t key[2], const uint32_t counter[WORDS], float *out,
                           size_t groups);

/* whole groups straight into `out`, the rest through one more group that is cut short */
static void fill(Rng *rng, float *out, size_t n, FillGroups groups_of) {
    const size_t whole = n / GROUP_NUMBERS;
    const size_t rest = n % GROUP_NUMBERS;
    groups_of(rng->key, rng->counter, out, whole);
    rng->counter[0] += (uint32_t)(whole * GROUP);
    if (rest > 0) {
        float last[GROUP_NUMBERS];
        groups_of(rng->key, rng->counter, last, 1);
        rng->counter[0] += GROUP;
        for (size_t i = 0; i < rest; i++) {
            out[whole * GROUP_NUMBERS + i] = last[i];
        }
    }
    rng->used = WORDS;
}

void rng_fill_normal(Rng *rng, float *out, size_t n) {
    fill(rng, out, n, normal_groups);
}

void rng_fill_uniform(Rng *rng, float *out, size_t n) {
    fill(rng, out, n, uniform_groups);
}

uint64_t rng_seed(uint64_t study_seed, SeedClass seed_class, uint64_t number) {
    /* all 64 bits of `number` go into the counter; the block word holds the class */
    Rng rng = {
        .key = {(uint32_t)study_seed, (uint32_t)(study_seed >> 32)},
        .counter = {(uint32_t)seed_class, (uint32_t)(number >> 32), (uint32_t)number, RNG_SEED},
        .used = WORDS,
    };
    return (uint64_t)seed_class << 51 | rng_u64(&rng) >> 13;
}
