/* Mutated study files: thousands of near misses of a valid one must be read or refused with a
 * sentence, and what is read must be a space that works. Under AddressSanitizer this is the test
 * that the reader stays inside its memory; libfyaml is part of what is tested. */
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "search_spaces/space_read.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 6000, ROOM = 4096, MOST_EDITS = 4, MOST_PARAMETERS = 64 };

static const char seed_text[] =
    "# a comment\n"
    "defaults: &d {lower: 0.0, upper: 1.0}\n"
    "hyperparameters:\n"
    "  lr: {type: float, lower: 1.0e-5, upper: 4.0e-2, log: true, default: 1.0e-3}\n"
    "  layers: {type: int, lower: 2, upper: 8, step: 2, default: 4}\n"
    "  width: {type: int, lower: 16, upper: 1_024, log: true}\n"
    "  optimizer: {type: categorical, choices: [adam, sgd, \"3\", 4.5, true], default: adam}\n"
    "  size:\n"
    "    type: ordinal\n"
    "    choices:\n"
    "      - small\n"
    "      - 'medium'\n"
    "      - large\n"
    "  momentum: {type: float, <<: *d, when: {optimizer: [sgd, adam], layers: {above: 2}}}\n"
    "  nesterov: {type: bool, default: true, dynamic: true, when: {momentum: {below: 0.9}}}\n"
    "forbid:\n"
    "  - {size: [large], layers: {above: 6, below: 9}}\n";

static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    ",",
    "\n",
    "  ",
    "- ",
    "\"",
    "'",
    "#",
    "&d ",
    "*d",
    "*e",
    "<<: *d",
    "!!str ",
    "!",
    "%",
    "|",
    ">",
    "? ",
    "---\n",
    "...\n",
    "\t",
    "null",
    "~",
    "1e999",
    "-1",
    "0",
    "1e-300",
    "nan",
    ".inf",
    "true",
    "lower: ",
    "upper",
    "log: true",
    "step: 0.1",
    "when: {layers: [4]}",
    "type: ordinal",
    "\\",
    "\xC3\xA9",
    "\xFF",
    "\x01",
    "999999999999999999999",
    "momentum",
    "lr",
    "choices: []",
    "default: 3",
};

static size_t edit(Rng *rng, char *text, size_t length) {
    const size_t at = (size_t)rng_below(rng, length + 1);
    if (rng_below(rng, 3) == 0 && at < length) {
        text[at] = (char)('0' + rng_below(rng, 10));
        return length;
    }
    const size_t cut = (size_t)rng_below(rng, (rng_below(rng, 4) == 0) ? 60 : 4);
    const char  *piece = pieces[rng_below(rng, sizeof pieces / sizeof *pieces)];
    size_t       added = (rng_below(rng, 3) == 0) ? 0 : strlen(piece);
    const size_t removed = (cut < length - at) ? cut : length - at;
    if (length - removed + added >= ROOM) {
        added = 0;
    }
    memmove(text + at + added, text + at + removed, length - at - removed);
    for (size_t i = 0; i < added; i++) {
        text[at + i] = piece[i];
    }
    return length - removed + added;
}

/* swaps two stretches of the text: values end up under other keys */
static void transpose(Rng *rng, char *text, size_t length) {
    const size_t size = 1 + (size_t)rng_below(rng, 8);
    if (length < 2 * size) {
        return;
    }
    const size_t a = (size_t)rng_below(rng, length - 2 * size + 1);
    const size_t b = a + size + (size_t)rng_below(rng, length - 2 * size - a + 1);
    char         kept[8];
    memcpy(kept, text + a, size);
    memcpy(text + a, text + b, size);
    memcpy(text + b, kept, size);
}

/* a space that was read: its defaults hold, and points of it can be drawn, moved and written */
static void use(const Space *space, Rng *rng) {
    double                  point[MOST_PARAMETERS];
    const SpacePerturbation how = {.step = 0.2, .resample = 0.25};
    assert_in_range(space_count(space), 0, MOST_PARAMETERS);
    space_defaults(space, point);
    assert_ok(space_check(space, point));
    const Status drawn = space_sample(space, rng, point);
    assert_true(drawn == STATUS_OK || drawn == STATUS_ERR_STATE);
    assert_ok(space_perturb(space, rng, &how, point));
    assert_ok(space_check(space, point));
    Json *json = space_to_json(space, point);
    assert_non_null(json);
    assert_ok(space_from_json(space, json, point));
    json_release(json);
}

/* @return true if the text was read as a space */
static bool try_text(const char *text, size_t length, Rng *rng) {
    /* a copy of exactly this length, so that a read past the end is seen */
    char     *copy = malloc(length + 1);
    Document *document = NULL;
    Space    *space = NULL;
    Json     *json = NULL;
    assert_non_null(copy);
    memcpy(copy, text, length);
    status_clear();
    Status status = document_parse("fuzz.yaml", copy, length, &document);
    free(copy);
    if (status == STATUS_OK && document_root(document) != NULL) {
        const Node *root = document_root(document);
        status = node_to_json(root, &json);
        json_release(json);
        assert_int_equal(status, STATUS_OK);
        status = space_read(node_get(root, "hyperparameters"), node_get(root, "forbid"), NULL, NULL,
                            &space);
    }
    if (status != STATUS_OK) {
        assert_null(space);
        assert_int_not_equal(status, STATUS_ERR_NOMEM);
        /* every refusal has a place and a sentence */
        assert_contains(status_last()->text, "fuzz.yaml:");
        assert_true(strlen(status_last()->text) > strlen("fuzz.yaml:1:1: "));
    } else if (space != NULL) {
        use(space, rng);
    }
    const bool read = space != NULL && space_count(space) > 0;
    space_destroy(space);
    document_close(document);
    return read;
}

static void mutated_files_are_read_or_refused(void **state) {
    (void)state;
    Rng rng = rng_stream(41, 0, RNG_TEST);
    int good = 0;
    assert_true(try_text(seed_text, sizeof seed_text - 1, &rng));
    for (int round = 0; round < ROUNDS; round++) {
        char         text[ROOM];
        size_t       length = sizeof seed_text - 1;
        const size_t edits = 1 + (size_t)rng_below(&rng, MOST_EDITS);
        memcpy(text, seed_text, length);
        for (size_t e = 0; e < edits; e++) {
            length = edit(&rng, text, length);
        }
        if (rng_below(&rng, 4) == 0) {
            transpose(&rng, text, length);
        }
        good += try_text(text, length, &rng) ? 1 : 0;
    }
    /* both happen often enough for the test to mean something */
    assert_in_range(good, ROUNDS / 50, ROUNDS - ROUNDS / 50);
}

static void cut_files_are_read_or_refused(void **state) {
    (void)state;
    Rng rng = rng_stream(42, 0, RNG_TEST);
    for (size_t length = 0; length < sizeof seed_text; length++) {
        (void)try_text(seed_text, length, &rng);
    }
}

static void noise_is_refused(void **state) {
    (void)state;
    Rng rng = rng_stream(43, 0, RNG_TEST);
    for (int round = 0; round < ROUNDS / 4; round++) {
        char         text[256];
        const size_t length = (size_t)rng_below(&rng, sizeof text);
        for (size_t i = 0; i < length; i++) {
            /* mostly what YAML gives a meaning to */
            const char *marks = "{}[]:,-?&*!|>'\"%@`# \n\ta1~.";
            text[i] = marks[rng_below(&rng, strlen(marks))];
        }
        (void)try_text(text, length, &rng);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_files_are_read_or_refused),
        cmocka_unit_test(cut_files_are_read_or_refused),
        cmocka_unit_test(noise_is_refused),
    };
    return cmocka_run_group_tests_name("search_spaces/space_fuzz", tests, NULL, NULL);
}
