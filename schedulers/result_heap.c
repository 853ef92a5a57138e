/* FLOP budget. A rung of n results is asked once per decision and grows once per result. A result
 * moves through at most three pushes and one pop of log2(n) levels: at n = 100 000 about 4 x 17
 * comparisons of 24-byte entries, under 2 microseconds even where each misses the cache. Asking
 * reads two roots. Predicted for asha at 100 000 configurations: a decision costs what that of
 * random search does (bench_schedulers; docs/schedulers.md has what was measured). */
#include "schedulers/result_heap.h"

#include <math.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 16 };

int ranked_compare(const RankedResult *a, const RankedResult *b) {
    const int order = budget_compare(&a->result, &b->result);
    if (order != 0) {
        return order;
    }
    return (a->configuration > b->configuration) - (a->configuration < b->configuration);
}

/* ---- heap ---------------------------------------------------------------------------------- */

/* whether `a` belongs above `b` */
static bool above(const ResultHeap *heap, const RankedResult *a, const RankedResult *b) {
    const int order = ranked_compare(a, b);
    return heap->worst_first ? order > 0 : order < 0;
}

static void sift_up(ResultHeap *heap, size_t at, RankedResult entry) {
    while (at > 0 && above(heap, &entry, &heap->entries[(at - 1) / 2])) {
        heap->entries[at] = heap->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->entries[at] = entry;
}

static void sift_down(ResultHeap *heap, size_t at, RankedResult entry) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            above(heap, &heap->entries[child + 1], &heap->entries[child])) {
            child++;
        }
        if (!above(heap, &heap->entries[child], &entry)) {
            break;
        }
        heap->entries[at] = heap->entries[child];
        at = child;
    }
    heap->entries[at] = entry;
}

Status result_heap_reserve(ResultHeap *heap) {
    if (heap->count < heap->capacity) {
        return STATUS_OK;
    }
    const size_t  capacity = (heap->capacity == 0) ? FIRST_CAPACITY : 2 * heap->capacity;
    RankedResult *entries = realloc(heap->entries, capacity * sizeof *entries);
    if (entries == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu results", capacity);
    }
    heap->entries = entries;
    heap->capacity = capacity;
    return STATUS_OK;
}

void result_heap_push(ResultHeap *heap, RankedResult entry) {
    sift_up(heap, heap->count++, entry);
}

static void remove_at(ResultHeap *heap, size_t at) {
    const RankedResult last = heap->entries[--heap->count];
    if (at == heap->count) {
        return;
    }
    if (at > 0 && above(heap, &last, &heap->entries[(at - 1) / 2])) {
        sift_up(heap, at, last);
    } else {
        sift_down(heap, at, last);
    }
}

RankedResult result_heap_pop(ResultHeap *heap) {
    const RankedResult *root = result_heap_root(heap);
    if (root == NULL) {
        return (RankedResult){.configuration = -1};
    }
    const RankedResult taken = *root;
    remove_at(heap, 0);
    return taken;
}

bool result_heap_remove(ResultHeap *heap, int64_t configuration) {
    for (size_t i = 0; i < heap->count; i++) {
        if (heap->entries[i].configuration == configuration) {
            remove_at(heap, i);
            return true;
        }
    }
    return false;
}

void result_heap_reset(ResultHeap *heap) {
    free(heap->entries);
    *heap = (ResultHeap){.worst_first = heap->worst_first};
}

/* ---- the best share ------------------------------------------------------------------------ */

void result_share_init(ResultShare *share) {
    *share = (ResultShare){.best = {.worst_first = true}};
}

void result_share_reset(ResultShare *share) {
    result_heap_reset(&share->best);
    result_heap_reset(&share->rest);
}

size_t result_share_count(const ResultShare *share) {
    return share->best.count + share->rest.count;
}

Status result_share_reserve(ResultShare *share) {
    TRY(result_heap_reserve(&share->best));
    return result_heap_reserve(&share->rest);
}

void result_share_add(ResultShare *share, RankedResult entry, size_t keep) {
    const RankedResult *worst = result_heap_root(&share->best);
    if (worst != NULL && ranked_compare(&entry, worst) < 0) {
        result_heap_push(&share->best, entry);
    } else {
        result_heap_push(&share->rest, entry);
    }
    if (share->best.count > keep) {
        result_heap_push(&share->rest, result_heap_pop(&share->best));
    }
    if (share->best.count < keep && share->rest.count > 0) {
        result_heap_push(&share->best, result_heap_pop(&share->rest));
    }
}

size_t result_share_quantile_keep(size_t n, int64_t reduction) {
    return (n - 1) / (size_t)reduction + 1;
}

BudgetResult result_share_quantile(const ResultShare *share, int64_t reduction) {
    const size_t        place = result_share_count(share) - 1;
    const double        part = (double)(place % (size_t)reduction) / (double)reduction;
    BudgetResult        cutoff = share->best.entries[0].result;
    const RankedResult *next = result_heap_root(&share->rest);
    const bool          between = part > 0.0 && next != NULL && isfinite(next->result.loss) &&
                         next->result.violation == cutoff.violation;
    if (between) {
        cutoff.loss += part * (next->result.loss - cutoff.loss);
    }
    return cutoff;
}
