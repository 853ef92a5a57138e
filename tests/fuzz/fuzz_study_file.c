/* Study files: parsed, described, read again. What was accepted must be accepted again. */
#include "tests/fuzz/fuzz_target.h"

#include "core/buffer.h"
#include "core/json.h"
#include "tuner/study_file.h"

#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 22 };

bool fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buffer text;
    Study *study = NULL;
    Study *again = NULL;
    Json  *definition = NULL;

    fuzz_accepted = false;
    buffer_init(&text, CAP);
    buffer_append(&text, data, size);
    if (study_parse("/study.yaml", buffer_text(&text), NULL, 0, &study) == STATUS_OK) {
        fuzz_accepted = true;
        if (study_to_json(study, &definition) != STATUS_OK ||
            study_parse("/study.yaml", study->text, NULL, 0, &again) != STATUS_OK ||
            strcmp(study->hash, again->hash) != 0) {
            abort();
        }
    }
    json_release(definition);
    study_destroy(again);
    study_destroy(study);
    buffer_reset(&text);
    return 0;
}
