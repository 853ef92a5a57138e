/* Study files: read, described, read again; what was accepted must be accepted again. Lines at the
 * beginning that are comments of this form are overrides, as on the command line:
 *
 *     #--set scheduler.eta=3
 *
 * The file lies in a folder of its own beside a folder `models`, with a model that is quick to
 * simulate. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

#include "core/buffer.h"
#include "core/json.h"
#include "search_spaces/space_read.h"
#include "tuner/study_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAP = 1 << 22, PATH_BYTES = 1024, MOST_SETS = 4, KEY_BYTES = 64 };

bool fuzz_accepted;

/* libfyaml 0.7 loses 4 KiB for each quoted text of many pieces (corpus/study_file/pieces.yaml), in
 * a function without a name: this is its nearest caller that has one. libfyaml keeps no frame
 * pointers, hence the slow unwinding, of few frames because it doubles the time of an input. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:fy_atom_iter_chunk_next";
}

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "fast_unwind_on_malloc=0:malloc_context_size=8";
}

typedef struct Sets {
    StudyOverride list[MOST_SETS];
    char          keys[MOST_SETS][KEY_BYTES];
    char         *lines[MOST_SETS];
    size_t        count;
} Sets;

static void link_models(void) {
    static bool linked;
    char        models[PATH_BYTES];
    (void)snprintf(models, sizeof models, "%s/models", input_folder());
    if (!linked && symlink(MODELS_FOLDER, models) != 0) {
        abort();
    }
    linked = true;
}

static void read_sets(const char *text, Sets *sets) {
    static const char mark[] = "#--set ";
    sets->count = 0;
    while (strncmp(text, mark, sizeof mark - 1) == 0 && sets->count < MOST_SETS) {
        const size_t i = sets->count;
        text += sizeof mark - 1;
        sets->lines[i] = strndup(text, strcspn(text, "\n"));
        if (sets->lines[i] == NULL) {
            return;
        }
        if (study_override_parse(sets->lines[i], sets->keys[i], KEY_BYTES, &sets->list[i]) ==
            STATUS_OK) {
            sets->count++;
        } else {
            free(sets->lines[i]);
        }
        text += strcspn(text, "\n");
        text += (*text == '\n') ? 1 : 0;
    }
}

/* what was read is said to its trainers and into the study's rows, and reads as itself */
static void use(const char *file, const Study *study) {
    Study *again = NULL;
    Json  *definition = NULL;
    Buffer out;
    buffer_init(&out, CAP);
    if (study_to_json(study, &definition) != STATUS_OK ||
        study_trainer_hello(study, &out) != STATUS_OK ||
        study_trainer_command(study, &out) != STATUS_OK ||
        study_parse(file, study->text, NULL, 0, &again) != STATUS_OK ||
        strcmp(study->hash, again->hash) != 0) {
        (void)fprintf(stderr, "not accepted again: %s\n", status_last()->text);
        abort();
    }
    json_release(definition);
    study_destroy(again);
    buffer_reset(&out);
}

/* the same words as a search space that stands alone */
static void read_space(const char *file) {
    Document *document = NULL;
    Space    *space = NULL;
    if (document_open(file, &document) == STATUS_OK) {
        const Node *root = document_root(document);
        (void)!space_read(node_get(root, "hyperparameters"), node_get(root, "forbid"), NULL, NULL,
                          &space);
    }
    space_destroy(space);
    document_close(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Buffer text;
    Sets   sets;
    Study *study = NULL;

    fuzz_accepted = false;
    link_models();
    const char *file = input_file("study.yaml", data, size);
    buffer_init(&text, CAP);
    buffer_append(&text, data, size);
    read_sets(buffer_text(&text), &sets);
    if (study_read(file, sets.list, sets.count, &study) == STATUS_OK) {
        fuzz_accepted = true;
        use(file, study);
    }
    study_destroy(study);
    read_space(file);
    for (size_t i = 0; i < sets.count; i++) {
        free(sets.lines[i]);
    }
    buffer_reset(&text);
    return 0;
}
