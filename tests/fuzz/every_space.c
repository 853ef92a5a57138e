#include "tests/fuzz/every_space.h"

#include "search_spaces/space_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] =
    "gain: {type: float, lower: -1, upper: 1, step: 0.25}\n"
    "rate: {type: float, lower: 1e-5, upper: 0.1, log: true}\n"
    "depth: {type: int, lower: 1, upper: 9}\n"
    "width: {type: int, lower: 1, upper: 1024, log: true}\n"
    "fast: {type: bool}\n"
    "kind: {type: categorical, choices: [text, '8', 7, 2.5, 1e2, true, 'false', .inf]}\n"
    "size: {type: ordinal, choices: [small, 1, 2.0]}\n"
    "soft: {type: float, lower: 0, upper: 1, when: {kind: [7, true], depth: {above: 2}}}\n"
    "late: {type: bool, when: {size: {below: 1}}}\n";

Space *every_space(void) {
    Document *document = NULL;
    Space    *space = NULL;
    if (document_parse("every", text, strlen(text), &document) != STATUS_OK ||
        space_read(document_root(document), NULL, NULL, NULL, &space) != STATUS_OK ||
        space_count(space) != EVERY_SPACE_VALUES) {
        (void)fprintf(stderr, "%s\n", status_last()->text);
        abort();
    }
    document_close(document);
    return space;
}
