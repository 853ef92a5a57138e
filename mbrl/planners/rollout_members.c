/* Who predicts what, for TS1 and TSinf. Particles are spread over the members evenly: per candidate
 * where they are a multiple of the members, else over all candidates x particles.
 */
#include "mbrl/planners/rollout_internal.h"

#include "core/rng.h"

#include <limits.h>

/* each candidate's particles are dealt to the members anew, the same number to each */
static void deal_per_candidate(Rollout *r, Rng *rng) {
    const size_t particles = r->particles;
    const size_t candidates = r->candidates;
    for (size_t c = 0; c < candidates; c++) {
        for (size_t p = 0; p < particles; p++) {
            r->cards[p] = (uint32_t)(p * r->members / particles);
        }
        for (size_t p = particles; p > 0; p--) {
            /* 32 random bits times p <= 1000: the bias is below 1e-6 */
            const size_t   j = (size_t)(((uint64_t)rng_u32(rng) * p) >> 32);
            const uint32_t drawn = r->cards[j];
            r->cards[j] = r->cards[p - 1];
            r->member[(p - 1) * candidates + c] = (unsigned char)drawn;
        }
    }
}

static void deal_over_all(Rollout *r, Rng *rng) {
    const size_t rows = rollout__rows(r);
    for (size_t i = 0; i < rows; i++) {
        r->member[i] = (unsigned char)(i % r->members);
    }
    for (size_t i = rows; i > 1; i--) {
        const size_t        j = (size_t)rng_below(rng, i);
        const unsigned char swapped = r->member[i - 1];
        r->member[i - 1] = r->member[j];
        r->member[j] = swapped;
    }
}

void rollout__assign_members(Rollout *r, const RolloutTask *task, size_t time) {
    const bool balanced = rollout_is_balanced(r->shape.propagation, r->particles, r->members);
    const bool fixed = r->shape.propagation == PROPAGATION_TSINF;
    if (fixed && time > 0) {
        return;
    }
    if (fixed && balanced) {
        for (size_t i = 0; i < rollout__rows(r); i++) {
            const size_t p = i / r->candidates;
            r->member[i] = (unsigned char)(p * r->members / r->particles);
        }
        return;
    }
    const size_t lane = 2 * (task->iteration * r->shape.horizon + time) + 1;
    Rng          rng =
        rng_stream_lane(task->plan->seed, task->plan->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
    if (balanced) {
        deal_per_candidate(r, &rng);
    } else {
        deal_over_all(r, &rng);
    }
}

/* counting sort of the live rows by member */
void rollout__group_rows(Rollout *r, bool by_candidate) {
    const size_t rows = rollout__rows(r);
    const size_t inner = by_candidate ? r->particles : r->candidates;
    const size_t outer = rows / inner;
    const size_t inner_step = by_candidate ? r->candidates : 1;
    const size_t outer_step = by_candidate ? 1 : r->candidates;
    size_t       next[UCHAR_MAX + 1] = {0};
    for (size_t i = 0; i < rows; i++) {
        next[r->member[i]] += !r->ended[i];
    }
    size_t first = 0;
    for (size_t m = 0; m < r->members; m++) {
        const size_t count = next[m];
        r->start[m] = first;
        next[m] = first;
        first += count;
    }
    r->start[r->members] = first;
    for (size_t j = 0; j < outer; j++) {
        for (size_t k = 0; k < inner; k++) {
            const size_t i = j * outer_step + k * inner_step;
            if (!r->ended[i]) {
                r->order[next[r->member[i]]++] = (uint32_t)i;
            }
        }
    }
}

/* rows of the first r->chunk candidates among `left` that go by candidate */
static size_t rows_of_leaders(const Rollout *r, const uint32_t *rows, size_t left) {
    size_t leaders = 0;
    size_t last = SIZE_MAX;
    for (size_t j = 0; j < left; j++) {
        const size_t candidate = rows[j] % r->candidates;
        leaders += candidate != last;
        last = candidate;
        if (leaders > r->chunk) {
            return j;
        }
    }
    return left;
}

void rollout__list_spans(Rollout *r, bool by_candidate) {
    r->span_count = 0;
    for (size_t m = 0; m < r->members; m++) {
        size_t first = r->start[m];
        while (first < r->start[m + 1]) {
            const size_t left = r->start[m + 1] - first;
            const size_t count = by_candidate        ? rows_of_leaders(r, r->order + first, left)
                                 : (left < r->chunk) ? left
                                                     : r->chunk;
            r->spans[r->span_count++] = (RolloutSpan){.member = m, .first = first, .count = count};
            first += count;
        }
    }
}

size_t rollout__list_rows(Rollout *r) {
    size_t live = 0;
    for (size_t i = 0; i < rollout__rows(r); i++) {
        if (!r->ended[i]) {
            r->order[live++] = (uint32_t)i;
        }
    }
    return live;
}
