#include "tests/support/test_support.h"

#include "tuner/id_index.h"

enum { IDS = 3000 };

/* beside a plain array, through a mix of everything */
static void is_what_an_array_would_be(void **state) {
    (void)state;
    static int64_t known[IDS]; /* value; 0 = not there */
    IdIndex        index = {.entries = NULL};
    uint64_t       mixed = 1;
    for (size_t step = 0; step < 60000; step++) {
        mixed = mixed * 6364136223846793005U + 1442695040888963407U;
        const int64_t id = (int64_t)((mixed >> 33) % IDS);
        const int64_t value = (int64_t)(mixed >> 40) + 1;
        if ((mixed >> 60) < 7) {
            assert_ok(id_index_set(&index, id, value));
            known[id] = value;
        } else if ((mixed >> 60) < 9) {
            id_index_move(&index, id, value);
            known[id] = (known[id] == 0) ? 0 : value;
        } else {
            id_index_remove(&index, id);
            known[id] = 0;
        }
    }
    size_t count = 0;
    for (int64_t id = 0; id < IDS; id++) {
        int64_t value = 0;
        assert_int_equal(id_index_find(&index, id, &value), known[id] != 0);
        assert_int_equal(value, known[id]);
        count += (known[id] != 0) ? 1 : 0;
    }
    assert_int_equal(index.count, count);
    id_index_reset(&index);
}

static void an_empty_one_has_nobody(void **state) {
    (void)state;
    IdIndex index = {.entries = NULL};
    int64_t value = 7;
    id_index_remove(&index, 3);
    id_index_move(&index, 3, 1);
    assert_false(id_index_find(&index, 0, &value));
    assert_int_equal(value, 7);
    assert_ok(id_index_set(&index, 0, 5));
    assert_true(id_index_find(&index, 0, &value));
    assert_int_equal(value, 5);
    id_index_reset(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_an_array_would_be),
        cmocka_unit_test(an_empty_one_has_nobody),
    };
    return cmocka_run_group_tests_name("tuner/id_index", tests, NULL, NULL);
}
