/* Every allocation of the way from a study file to a point fails once: the status is
 * STATUS_ERR_NOMEM, outputs are NULL or untouched, and nothing leaks (AddressSanitizer). */
#include "tests/support/test_support.h"

#include "search_spaces/space_read.h"

#include <math.h>
#include <string.h>

static const char text[] =
    "base: &b {type: bool}\n"
    "hyperparameters:\n"
    "  planning_horizon: {upper: 40}\n"
    "  optimizer: {type: categorical, choices: [adam, \"sgd\"], default: sgd}\n"
    "  momentum: {type: float, lower: 0, upper: 1, when: {optimizer: [sgd], flag: [false]}}\n"
    "  flag: {<<: *b}\n"
    "forbid:\n"
    "  - {optimizer: [adam], momentum: {above: 0.9}}\n";

static Space *read_once(void) {
    Document *document = NULL;
    Space    *space = NULL;
    assert_ok(document_parse("s.yaml", text, sizeof text - 1, &document));
    const Node *root = document_root(document);
    assert_ok(space_read(node_get(root, "hyperparameters"), node_get(root, "forbid"), "pets", NULL,
                         &space));
    document_close(document);
    return space;
}

static void documents_survive_failing_allocations(void **state) {
    (void)state;
    size_t n = 1;
    for (;; n++) {
        Document *document = (Document *)(uintptr_t)1;
        test_fail_allocation(n);
        const Status status = document_parse("s.yaml", text, sizeof text - 1, &document);
        const int    failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            document_close(document);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(document);
    }
    assert_true(n > 20); /* so many allocations there are at least */
}

static void spaces_survive_failing_allocations(void **state) {
    (void)state;
    Document *document = NULL;
    assert_ok(document_parse("s.yaml", text, sizeof text - 1, &document));
    const Node *root = document_root(document);
    size_t      n = 1;
    for (;; n++) {
        Space *space = (Space *)(uintptr_t)1;
        test_fail_allocation(n);
        const Status status = space_read(node_get(root, "hyperparameters"),
                                         node_get(root, "forbid"), "pets", NULL, &space);
        const int    failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            space_destroy(space);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(space);
    }
    assert_true(n > 100);
    document_close(document);
}

/* a point is drawn, moved, written and read; it stays what it was where that fails */
static Status use_space(const Space *space, Rng *rng, double *point) {
    const SpacePerturbation how = {.step = 0.2};
    double                  before[32];
    Status                  status = space_sample(space, rng, point);
    memcpy(before, point, sizeof before);
    if (status == STATUS_OK) {
        status = space_perturb(space, rng, &how, point);
    }
    if (status == STATUS_OK) {
        memcpy(before, point, sizeof before);
        Json *json = space_to_json(space, point);
        status = (json == NULL) ? STATUS_ERR_NOMEM : space_from_json(space, json, point);
        json_release(json);
    }
    assert_memory_equal(before, point, sizeof before);
    return status;
}

static void points_survive_failing_allocations(void **state) {
    (void)state;
    Space *space = read_once();
    size_t n = 1;
    for (;; n++) {
        double point[32] = {0};
        Rng    rng = rng_stream(51, 0, RNG_TEST);
        test_fail_allocation(n);
        const Status status = use_space(space, &rng, point);
        const int    failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
    }
    assert_true(n > 3);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_survive_failing_allocations),
        cmocka_unit_test(spaces_survive_failing_allocations),
        cmocka_unit_test(points_survive_failing_allocations),
    };
    return cmocka_run_group_tests_name("search_spaces/space_allocation", tests, NULL, NULL);
}
