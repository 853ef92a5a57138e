#include "tests/support/test_support.h"

#include "mbrl/models/dataset.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 3, OUTPUTS = 2, MEMBERS = 4, CAP = 1 << 24 };

/* Row i is made of its own number; every fourth episode of 10 rows is held out. */
static void append_numbered(Dataset *dataset, size_t count) {
    for (size_t k = 0; k < count; k++) {
        const size_t i = dataset->n;
        const float  input[INPUTS] = {(float)i, (float)i + 0.25f, -(float)i};
        const float  target[OUTPUTS] = {(float)i * 2.0f, 1.0f};
        assert_ok(dataset_append(dataset, input, target, (int32_t)(i / 10), (i / 10) % 4 == 3));
    }
}

static Dataset *make(size_t rows) {
    Dataset *dataset = NULL;
    assert_ok(dataset_create(INPUTS, OUTPUTS, MEMBERS, &dataset));
    append_numbered(dataset, rows);
    return dataset;
}

static void expect_same(const Dataset *a, const Dataset *b) {
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->train_count, b->train_count);
    assert_int_equal(a->bootstrap_count, b->bootstrap_count);
    assert_memory_equal(a->inputs, b->inputs, a->n * INPUTS * sizeof(float));
    assert_memory_equal(a->targets, b->targets, a->n * OUTPUTS * sizeof(float));
    assert_memory_equal(a->episode, b->episode, a->n * sizeof(int32_t));
    assert_memory_equal(a->validation, b->validation, a->n);
    assert_memory_equal(a->train_rows, b->train_rows, a->train_count * sizeof(uint32_t));
    for (size_t m = 0; m < MEMBERS; m++) {
        assert_memory_equal(a->bootstrap + m * a->capacity, b->bootstrap + m * b->capacity,
                            a->bootstrap_count * sizeof(uint32_t));
    }
}

static void rows_keep_their_place_and_held_out_rows_do_not_train(void **state) {
    (void)state;
    Dataset *dataset = make(1000);
    size_t   train = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(dataset->inputs[i * INPUTS] == (float)i);
        assert_true(dataset->targets[i * OUTPUTS] == 2.0f * (float)i);
        assert_int_equal(dataset->episode[i], i / 10);
        if (!dataset->validation[i]) {
            assert_int_equal(dataset->train_rows[train++], i);
        }
    }
    assert_int_equal(train, 750);
    assert_int_equal(dataset->train_count, train);
    dataset_destroy(dataset);
}

/* Each block is drawn from itself: counts by block are exact, and earlier draws never change. */
static void bootstrap_is_stratified_by_block_and_stays(void **state) {
    (void)state;
    Dataset *dataset = make(100);
    uint32_t before[MEMBERS][100];
    assert_ok(dataset_bootstrap(dataset, 5, 100));
    const size_t first = dataset->train_count;
    for (size_t m = 0; m < MEMBERS; m++) {
        memcpy(before[m], dataset->bootstrap + m * dataset->capacity, first * sizeof(uint32_t));
    }
    append_numbered(dataset, 900); /* moves the columns */
    assert_ok(dataset_bootstrap(dataset, 5, 1000));
    assert_int_equal(dataset->bootstrap_count, dataset->train_count);
    for (size_t m = 0; m < MEMBERS; m++) {
        const uint32_t *column = dataset->bootstrap + m * dataset->capacity;
        assert_memory_equal(column, before[m], first * sizeof(uint32_t));
        for (size_t k = 0; k < dataset->train_count; k++) {
            assert_true(k < first ? column[k] < first
                                  : column[k] >= first && column[k] < dataset->train_count);
        }
    }
    /* members differ, and so do seeds */
    assert_memory_not_equal(before[0], before[1], first * sizeof(uint32_t));
    Dataset *other = make(100);
    assert_ok(dataset_bootstrap(other, 6, 100));
    assert_memory_not_equal(before[0], other->bootstrap, first * sizeof(uint32_t));
    dataset_destroy(other);
    dataset_destroy(dataset);
}

/* With replacement: about 1 - 1/e of the rows are drawn at least once. */
static void bootstrap_leaves_a_third_out(void **state) {
    (void)state;
    Dataset      *dataset = make(4000);
    unsigned char seen[4000] = {0};
    size_t        distinct = 0;
    assert_ok(dataset_bootstrap(dataset, 9, 1));
    for (size_t k = 0; k < dataset->bootstrap_count; k++) {
        distinct += !seen[dataset->bootstrap[k]];
        seen[dataset->bootstrap[k]] = 1;
    }
    const double share = (double)distinct / (double)dataset->train_count;
    assert_close(share, 1.0 - exp(-1.0), 0.03, 0);
    dataset_destroy(dataset);
}

static void serialised_in_pieces_reads_back_the_same(void **state) {
    (void)state;
    Dataset *dataset = make(120);
    Dataset *copy = make(0);
    Buffer   rows;
    Buffer   indices;
    buffer_init(&rows, CAP);
    buffer_init(&indices, CAP);
    assert_ok(dataset_bootstrap(dataset, 5, 120));
    append_numbered(dataset, 500);
    assert_ok(dataset_bootstrap(dataset, 5, 620));
    append_numbered(dataset, 3); /* not yet drawn */

    assert_ok(dataset_write_range(dataset, 0, 120, &rows));
    assert_ok(dataset_read_rows(copy, rows.data, rows.length));
    buffer_clear(&rows);
    assert_ok(dataset_write_range(dataset, 120, 503, &rows));
    assert_ok(dataset_read_rows(copy, rows.data, rows.length));
    assert_ok(dataset_write_bootstrap(dataset, &indices));
    assert_ok(dataset_read_bootstrap(copy, indices.data, indices.length));
    expect_same(dataset, copy);

    /* both go on alike */
    assert_ok(dataset_bootstrap(dataset, 5, 700));
    assert_ok(dataset_bootstrap(copy, 5, 700));
    expect_same(dataset, copy);
    buffer_reset(&rows);
    buffer_reset(&indices);
    dataset_destroy(dataset);
    dataset_destroy(copy);
}

static void nothing_serialises_too(void **state) {
    (void)state;
    Dataset *dataset = make(0);
    Buffer   bytes;
    buffer_init(&bytes, CAP);
    assert_ok(dataset_bootstrap(dataset, 1, 1));
    assert_ok(dataset_write_range(dataset, 0, 0, &bytes));
    assert_ok(dataset_read_rows(dataset, bytes.data, bytes.length));
    buffer_clear(&bytes);
    assert_ok(dataset_write_bootstrap(dataset, &bytes));
    assert_ok(dataset_read_bootstrap(dataset, bytes.data, bytes.length));
    assert_int_equal(dataset->n, 0);
    buffer_reset(&bytes);
    dataset_destroy(dataset);
}

static void bad_input_is_refused_and_changes_nothing(void **state) {
    (void)state;
    Dataset    *dataset = make(50);
    Dataset    *reference = make(50);
    Dataset    *none = dataset;
    Buffer      rows;
    Buffer      indices;
    const float finite[INPUTS] = {0};
    const float wrong[INPUTS] = {0, INFINITY, 0};
    buffer_init(&rows, CAP);
    buffer_init(&indices, CAP);
    assert_fails(dataset_create(0, 1, 1, &none), STATUS_ERR_ARG, "needs inputs");
    assert_null(none);
    assert_ok(dataset_bootstrap(dataset, 5, 50));
    assert_ok(dataset_bootstrap(reference, 5, 50));

    assert_fails(dataset_append(dataset, wrong, finite, 0, false), STATUS_ERR_NUMERIC, "row 50");
    assert_fails(dataset_append(dataset, finite, wrong, 0, false), STATUS_ERR_NUMERIC, "row 50");
    assert_fails(dataset_write_range(dataset, 51, 0, &rows), STATUS_ERR_RANGE, "51");
    assert_fails(dataset_write_range(dataset, 40, 11, &rows), STATUS_ERR_RANGE, "has 50");
    assert_int_equal(rows.length, 0);

    assert_ok(dataset_write_range(dataset, 0, 50, &rows));
    for (size_t length = 0; length < rows.length; length += 7) {
        assert_fails(dataset_read_rows(dataset, rows.data, length), STATUS_ERR_CORRUPT, "");
    }
    rows.data[0] ^= 1;
    assert_fails(dataset_read_rows(dataset, rows.data, rows.length), STATUS_ERR_SHAPE, "inputs");
    assert_ok(dataset_write_bootstrap(dataset, &indices));
    for (size_t length = 0; length < indices.length; length += 7) {
        assert_fails(dataset_read_bootstrap(dataset, indices.data, length), STATUS_ERR_CORRUPT, "");
    }
    memset(indices.data + 16, 0xff, 4);
    assert_fails(dataset_read_bootstrap(dataset, indices.data, indices.length), STATUS_ERR_CORRUPT,
                 "beyond");
    indices.data[0] ^= 1;
    assert_fails(dataset_read_bootstrap(dataset, indices.data, indices.length), STATUS_ERR_SHAPE,
                 "members");
    expect_same(dataset, reference);
    buffer_reset(&rows);
    buffer_reset(&indices);
    dataset_destroy(dataset);
    dataset_destroy(reference);
    dataset_destroy(NULL);
}

/* the newest 20 training rows, and of each member those of its draws that are among them */
static void a_limit_leaves_the_newest_training_rows_in_use(void **state) {
    (void)state;
    Dataset *dataset = make(100);
    size_t   rows[100];
    assert_ok(dataset_bootstrap(dataset, 1, 1));
    append_numbered(dataset, 60);
    assert_ok(dataset_bootstrap(dataset, 1, 2));
    assert_int_equal(dataset->train_count + dataset->held_count, 160);
    for (size_t k = 0; k < dataset->held_count; k++) {
        assert_true(dataset->validation[dataset->held_rows[k]]);
    }
    dataset_limit(dataset, 20);
    const size_t first = dataset->train_count - 20;
    assert_int_equal(dataset->train_first, first);
    assert_int_equal(dataset_member_rows(dataset, 2, false, rows), 20);
    for (size_t k = 0; k < 20; k++) {
        assert_int_equal(rows[k], dataset->train_rows[first + k]);
    }
    size_t       expected = 0;
    const size_t count = dataset_member_rows(dataset, 2, true, rows);
    for (size_t k = 0; k < dataset->bootstrap_count; k++) {
        const uint32_t drawn = dataset->bootstrap[2 * dataset->capacity + k];
        if (drawn >= first) {
            assert_int_equal(rows[expected++], dataset->train_rows[drawn]);
        }
    }
    assert_true(count == expected && count > 0 && count < 60);
    size_t judging = 0;
    assert_ptr_equal(dataset_judging_rows(dataset, &judging), dataset->held_rows);
    assert_int_equal(judging, dataset->held_count);
    dataset->held_count = 0;
    assert_ptr_equal(dataset_judging_rows(dataset, &judging), dataset->train_rows + first);
    assert_int_equal(judging, 20);
    dataset_limit(dataset, 0);
    assert_int_equal(dataset->train_first, 0);
    dataset_limit(dataset, 1000);
    assert_int_equal(dataset->train_first, 0);
    dataset_destroy(dataset);
}

static void members_may_join_and_leave(void **state) {
    (void)state;
    Dataset *dataset = make(300);
    Dataset *same = make(300);
    assert_ok(dataset_bootstrap(dataset, 1, 1));
    assert_ok(dataset_bootstrap(same, 1, 1));
    assert_ok(dataset_set_members(dataset, MEMBERS + 2, 1, 1));
    for (size_t m = 0; m < MEMBERS; m++) {
        assert_memory_equal(dataset->bootstrap + m * dataset->capacity,
                            same->bootstrap + m * same->capacity,
                            same->bootstrap_count * sizeof(uint32_t));
    }
    const uint32_t *joined = dataset->bootstrap + MEMBERS * dataset->capacity;
    assert_memory_not_equal(joined, joined + dataset->capacity, 100 * sizeof *joined);
    size_t different = 0;
    for (size_t k = 0; k < dataset->bootstrap_count; k++) {
        assert_true(joined[k] < dataset->train_count);
        different += joined[k] != k;
    }
    assert_true(different > 200);
    assert_ok(dataset_set_members(dataset, MEMBERS, 1, 2));
    expect_same(dataset, same);
    assert_fails(dataset_set_members(dataset, 0, 1, 2), STATUS_ERR_ARG, "at least one");
    dataset_destroy(dataset);
    dataset_destroy(same);
    /* before the first row there is nothing to draw */
    assert_ok(dataset_create(INPUTS, OUTPUTS, MEMBERS, &dataset));
    assert_ok(dataset_set_members(dataset, 2, 1, 1));
    assert_int_equal(dataset->members, 2);
    append_numbered(dataset, 5);
    assert_ok(dataset_bootstrap(dataset, 1, 2));
    dataset_destroy(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_place_and_held_out_rows_do_not_train),
        cmocka_unit_test(bootstrap_is_stratified_by_block_and_stays),
        cmocka_unit_test(bootstrap_leaves_a_third_out),
        cmocka_unit_test(serialised_in_pieces_reads_back_the_same),
        cmocka_unit_test(nothing_serialises_too),
        cmocka_unit_test(bad_input_is_refused_and_changes_nothing),
        cmocka_unit_test(a_limit_leaves_the_newest_training_rows_in_use),
        cmocka_unit_test(members_may_join_and_leave),
    };
    return cmocka_run_group_tests_name("mbrl/dataset", tests, NULL, NULL);
}
