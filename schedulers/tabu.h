/** @file tabu.h  A keyed permutation: every element once, without a list. */
#ifndef SCHEDULERS_TABU_H
#define SCHEDULERS_TABU_H

#include <stdint.h>

enum { TABU_MAX_BITS = 62 };

/**
 * Element number `index` of a pseudo-random permutation of 0 .. 2^bits - 1, keyed by (seed, item).
 * @param bits   0 to TABU_MAX_BITS
 * @param index  below 2^bits
 *
 * Cost: a few multiplications; nothing is stored. A Feistel network over an even number of bits,
 * walked until it lands inside (at most two steps on average).
 * Source: Black & Rogaway (2002), Ciphers with arbitrary finite domains (cycle walking).
 */
uint64_t tabu_element(uint64_t seed, uint64_t item, unsigned bits, uint64_t index);

#endif
