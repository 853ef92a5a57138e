/** @file result_heap.h  Results in the order of rank, one added at a time: what budgets ask a rung.
 *
 * Adding costs O(log n), reading the best, the worst of the best share or a quantile O(1).
 */
#ifndef SCHEDULERS_RESULT_HEAP_H
#define SCHEDULERS_RESULT_HEAP_H

#include "schedulers/budget.h"

typedef struct RankedResult {
    BudgetResult result;
    int64_t      configuration;
} RankedResult;

/** budget_compare(); of equals the earlier configuration is better. Never 0 for two of them. */
int ranked_compare(const RankedResult *a, const RankedResult *b);

/** Binary heap: the root is the best result, or the worst one. */
typedef struct ResultHeap {
    RankedResult *entries; /* (count) */
    size_t        count;
    size_t        capacity;
    bool          worst_first;
} ResultHeap;

/** Makes room for one more. @return STATUS_OK, STATUS_ERR_NOMEM (nothing changed) */
Status result_heap_reserve(ResultHeap *heap) MUST_USE;
/** Needs room. */
void result_heap_push(ResultHeap *heap, RankedResult entry);
/** Takes the root; configuration -1 if there is none. */
RankedResult result_heap_pop(ResultHeap *heap);
/** Takes a configuration out, at once where it is the root; false if it is not there. */
bool result_heap_remove(ResultHeap *heap, int64_t configuration);
void result_heap_reset(ResultHeap *heap);
/** The root, or NULL. */
static inline const RankedResult *result_heap_root(const ResultHeap *heap) {
    return (heap->count > 0 && heap->entries != NULL) ? heap->entries : NULL;
}

/** All results of a rung, the best ones apart from the rest. */
typedef struct ResultShare {
    ResultHeap best; /* root: the worst of them */
    ResultHeap rest; /* root: the best of them */
} ResultShare;

void   result_share_init(ResultShare *share);
void   result_share_reset(ResultShare *share);
size_t result_share_count(const ResultShare *share);
/** Makes room for one more. @return STATUS_OK, STATUS_ERR_NOMEM (nothing changed) */
Status result_share_reserve(ResultShare *share) MUST_USE;
/** Adds one (needs room), then lets `keep` be the best, all if there are fewer. `keep` is that of
 * the call before or 1 more. */
void result_share_add(ResultShare *share, RankedResult entry, size_t keep);
/**
 * The quantile at 1 / `reduction` from the best, between two results in proportion as numpy's; n
 * >= 1 results, kept by result_share_quantile_keep(). Of two that differ in violation, or where the
 * worse failed, the better one.
 */
BudgetResult result_share_quantile(const ResultShare *share, int64_t reduction);
/** How many of n are the best ones for that. */
size_t result_share_quantile_keep(size_t n, int64_t reduction);

#endif
