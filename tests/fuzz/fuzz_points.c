/* Points as users write them in JSON (`mbtune enqueue`, schedules, table cells), for a space of
 * every type of hyperparameter. What is accepted lies in the space and is the same when written and
 * read again. */
#include "tests/fuzz/every_space.h"
#include "tests/fuzz/fuzz_target.h"

#include "core/json.h"
#include "tests/schedulers/fake_study.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 16, VALUE_BYTES = 8 };

bool fuzz_accepted;

static void read_point(const Space *space, const Json *json) {
    double point[MOST_VALUES];
    double again[MOST_VALUES];

    if (space_adopt_json(space, json, point) == STATUS_OK &&
        space_check(space, point) != STATUS_OK) {
        abort();
    }
    if (space_from_json(space, json, point) != STATUS_OK) {
        return;
    }
    fuzz_accepted = true;
    Json *written = space_to_json(space, point);
    if (space_check(space, point) != STATUS_OK || written == NULL ||
        space_from_json(space, written, again) != STATUS_OK ||
        !fake_same_values(point, again, space_count(space))) {
        abort();
    }
    for (size_t i = 0; i < space_count(space); i++) {
        char text[VALUE_BYTES];
        space_format(space, i, point[i], text, sizeof text);
    }
    json_release(written);
}

static void make_spaces(Space *spaces[FAKE_SPACE_COUNT + 1]) {
    for (size_t i = 0; i < FAKE_SPACE_COUNT; i++) {
        spaces[i] = fake_space((FakeSpace)i);
    }
    spaces[FAKE_SPACE_COUNT] = every_space();
    for (size_t i = 0; i <= FAKE_SPACE_COUNT; i++) {
        if (space_count(spaces[i]) > MOST_VALUES) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Space *spaces[FAKE_SPACE_COUNT + 1]; /* stay */
    Json         *json = NULL;

    fuzz_accepted = false;
    if (spaces[0] == NULL) {
        make_spaces(spaces);
    }
    if (json_parse((const char *)data, size, &json) == STATUS_OK) {
        for (size_t i = 0; i <= FAKE_SPACE_COUNT; i++) {
            read_point(spaces[i], json);
        }
    }
    json_release(json);
    return 0;
}
