/** @file rng.h  Counter-based random streams (Philox4x32-10 of Random123), keyed by purpose.
 *
 * A stream is a function of (seed, unit, purpose, lane) and nothing else: no global generator, no
 * clock, no rank. Two streams that differ in any of the four never overlap.
 *
 * Source: Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
 */
#ifndef CORE_RNG_H
#define CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a stream is for. Values are part of every stored result: append, never renumber. */
typedef enum RngPurpose {
    RNG_TEST = 0,
    RNG_SEED = 1,            /* rng_seed() only: the seed of a line of segments */
    RNG_DECIDE = 2,          /* schedulers: unit = decision number */
    RNG_ENVIRONMENT = 3,     /* reset and process noise: unit = episode */
    RNG_EXPLORE = 4,         /* random and noisy actions: unit = environment step */
    RNG_PLAN_ACTIONS = 5,    /* candidate actions: unit = environment step */
    RNG_PLAN_PARTICLES = 6,  /* particle noise: unit = environment step */
    RNG_MODEL_INIT = 7,      /* network weights: unit = 0, or the step of a new start */
    RNG_MODEL_BOOTSTRAP = 8, /* unit = environment step at which the rows joined */
    RNG_MODEL_SHUFFLE = 9,   /* unit = environment step of the training call */
    RNG_VALIDATION = 10,     /* which episodes are held out */
    RNG_STATISTICS = 11,     /* bootstrap intervals */
    RNG_TABU = 12,           /* keyed permutations */
    RNG_SIMULATE = 13,       /* fake trainers and simulators */
    RNG_SOBOL = 14,          /* scrambling of Sobol points: lane = dimension */
    RNG_CMAES = 15,          /* unit = generation, lane = candidate */
    RNG_CHECK = 16,          /* points of a space that are tried before a study runs */
} RngPurpose;

typedef struct Rng {
    uint32_t key[2];     /* the seed */
    uint32_t counter[4]; /* block; lane; unit, low 32 bits; unit, high 24 bits << 8 | purpose */
    uint32_t block[4];   /* numbers of the current block */
    uint32_t used;       /* of the current block, 0-4 */
} Rng;

/**
 * The stream of (seed, unit, purpose); lane 0. A stream has 2^34 32-bit numbers, then it repeats.
 * @param unit  below 2^56
 */
Rng rng_stream(uint64_t seed, uint64_t unit, RngPurpose purpose);
/** The same with a lane: one independent stream per member, slot, index. */
Rng rng_stream_lane(uint64_t seed, uint64_t unit, RngPurpose purpose, uint32_t lane);

uint32_t rng_u32(Rng *rng);
uint64_t rng_u64(Rng *rng);
/** Uniform in [0, 1), 53 random bits. */
double rng_uniform(Rng *rng);
/** Standard normal (Box-Muller, one value per call, two uniforms each). */
double rng_normal(Rng *rng);
/** Uniform integer in [0, n), without bias; n >= 1. */
uint64_t rng_below(Rng *rng, uint64_t n);
/** Fisher-Yates shuffle of n indices in place. */
void rng_shuffle(Rng *rng, size_t *indices, size_t n);

/**
 * n standard normals in float, in bulk (vectorizes; same bits on every vector width). Starts at a
 * fresh block and leaves the stream at a fresh block.
 */
void rng_fill_normal(Rng *rng, float *out, size_t n);
/** n uniforms in [0, 1) in float (24 random bits), in bulk; block rules as rng_fill_normal(). */
void rng_fill_uniform(Rng *rng, float *out, size_t n);

/* Three classes of seeds, disjoint by construction: the class is in the top bits. */
typedef enum SeedClass { SEED_TUNE = 0, SEED_EVALUATE = 1, SEED_CONFIRM = 2 } SeedClass;

/** Seed below 2^53 of class `seed_class` for item `number` (a segment, an evaluation, a repeat) of
 * the study with `study_seed`. */
uint64_t rng_seed(uint64_t study_seed, SeedClass seed_class, uint64_t number);

#endif
