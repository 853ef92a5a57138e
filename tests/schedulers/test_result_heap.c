#include "tests/support/test_support.h"

#include "schedulers/result_heap.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>

enum { RESULTS = 300 };

static int compare(const void *a, const void *b) {
    return ranked_compare(a, b);
}

/* few different numbers, so that there are equals; some violate, some failed */
static RankedResult draw(Rng *rng, int64_t configuration) {
    const bool   failed = rng_below(rng, 10) == 0;
    RankedResult entry = {{.loss = (double)rng_below(rng, 20), .violation = 0.0}, configuration};
    entry.result.violation = (double)(rng_below(rng, 4) == 0);
    if (failed) {
        entry.result = (BudgetResult){(double)INFINITY, (double)INFINITY};
    }
    return entry;
}

static void the_root_is_the_best_or_the_worst(void **state) {
    (void)state;
    for (int worst = 0; worst < 2; worst++) {
        ResultHeap   heap = {.worst_first = worst == 1};
        RankedResult sorted[RESULTS];
        Rng          rng = rng_stream(1, (uint64_t)worst, RNG_TEST);
        for (size_t i = 0; i < RESULTS; i++) {
            sorted[i] = draw(&rng, (int64_t)i);
            assert_ok(result_heap_reserve(&heap));
            result_heap_push(&heap, sorted[i]);
        }
        /* every third one is taken out from the middle */
        size_t left = 0;
        for (size_t i = 0; i < RESULTS; i++) {
            if (i % 3 == 0) {
                assert_true(result_heap_remove(&heap, (int64_t)i));
                assert_false(result_heap_remove(&heap, (int64_t)i));
            } else {
                sorted[left++] = sorted[i];
            }
        }
        qsort(sorted, left, sizeof sorted[0], compare);
        for (size_t i = 0; i < left; i++) {
            const RankedResult *expected = &sorted[(worst == 1) ? left - 1 - i : i];
            assert_int_equal(heap.entries[0].configuration, expected->configuration);
            assert_int_equal(result_heap_pop(&heap).configuration, expected->configuration);
        }
        assert_null(result_heap_root(&heap));
        result_heap_reset(&heap);
    }
}

static void the_best_share_is_that_of_a_sorted_list(void **state) {
    (void)state;
    const size_t reductions[] = {2, 3, 4, 7};
    for (size_t k = 0; k < 4; k++) {
        ResultShare  share;
        RankedResult sorted[RESULTS];
        Rng          rng = rng_stream(2, k, RNG_TEST);
        result_share_init(&share);
        for (size_t n = 1; n <= RESULTS; n++) {
            const size_t keep = n / reductions[k];
            sorted[n - 1] = draw(&rng, (int64_t)n);
            assert_ok(result_share_reserve(&share));
            result_share_add(&share, sorted[n - 1], keep);
            qsort(sorted, n, sizeof sorted[0], compare);
            assert_int_equal(result_share_count(&share), n);
            assert_int_equal(share.best.count, keep);
            if (keep > 0) {
                assert_int_equal(share.best.entries[0].configuration,
                                 sorted[keep - 1].configuration);
            }
        }
        result_share_reset(&share);
    }
}

static double quantile_of(size_t n, const double *losses, int64_t reduction) {
    ResultShare share;
    result_share_init(&share);
    for (size_t i = 0; i < n; i++) {
        assert_ok(result_share_reserve(&share));
        result_share_add(&share, (RankedResult){{.loss = losses[i]}, (int64_t)i},
                         result_share_quantile_keep(i + 1, reduction));
    }
    const double quantile = result_share_quantile(&share, reduction).loss;
    result_share_reset(&share);
    return quantile;
}

/* numpy.percentile([...], 100 / reduction) */
static void quantiles_are_those_of_numpy(void **state) {
    (void)state;
    const double losses[] = {7.0, 1.0, 4.0, 2.0, 8.0, 6.0};
    assert_close(quantile_of(1, losses, 4), 7.0, 0.0, 0.0);
    assert_close(quantile_of(2, losses, 2), 4.0, 0.0, 0.0);
    assert_close(quantile_of(3, losses, 2), 4.0, 0.0, 0.0);
    assert_close(quantile_of(4, losses, 2), 3.0, 0.0, 0.0);
    assert_close(quantile_of(6, losses, 2), 5.0, 0.0, 0.0);
    assert_close(quantile_of(6, losses, 4), 2.5, 0.0, 1e-15);
    assert_close(quantile_of(6, losses, 3), 2.0 + 2.0 * 2.0 / 3.0, 0.0, 1e-15);
}

static void a_quantile_is_not_taken_between_what_cannot_be_compared(void **state) {
    (void)state;
    const BudgetResult failed = {(double)INFINITY, (double)INFINITY};
    const BudgetResult unequal[][2] = {
        {{3.0, 0.0}, failed}, {{3.0, 0.0}, {1.0, 0.5}}, {failed, failed}};
    for (size_t i = 0; i < 3; i++) {
        ResultShare share;
        result_share_init(&share);
        for (size_t j = 0; j < 2; j++) {
            assert_ok(result_share_reserve(&share));
            result_share_add(&share, (RankedResult){unequal[i][j], (int64_t)j},
                             result_share_quantile_keep(j + 1, 2));
        }
        const BudgetResult quantile = result_share_quantile(&share, 2);
        assert_int_equal(budget_compare(&quantile, &unequal[i][0]), 0);
        result_share_reset(&share);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_is_the_best_or_the_worst),
        cmocka_unit_test(the_best_share_is_that_of_a_sorted_list),
        cmocka_unit_test(quantiles_are_those_of_numpy),
        cmocka_unit_test(a_quantile_is_not_taken_between_what_cannot_be_compared),
    };
    return cmocka_run_group_tests_name("schedulers/result_heap", tests, NULL, NULL);
}
