/* What people ask of a study: the body of a file in requests/, and the words of `mbtune tell` and
 * `mbtune ask`. They are served on a small study; whatever they said, the study is whole afterwards
 * and has answered. An input may begin with the scene (study_scene.h) and is a list of
 *
 *     {"command":"stop"}       a body
 *     >--segment\n8\nreward=1  words of tell, each on a line
 *     <-n\n2                   words of ask
 *
 * with lines --- between them. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/study_scene.h"

#include "core/buffer.h"
#include "core/file.h"
#include "tuner/commands.h"
#include "tuner/fsck.h"
#include "tuner/request_check.h"
#include "tuner/study_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 24, MOST_WORDS = 12, MOST_PARTS = 12, PATH_BYTES = 512 };

static const char separator[] = "\n---\n";

bool fuzz_accepted;

static void put_file(const StudyFolder *folder, const char *name, const char *suffix,
                     const void *data, size_t size) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder->requests, name, suffix);
    if (file_write_atomic(path, data, size) != STATUS_OK) {
        abort();
    }
}

/* what else may lie there: a folder for a request, an answer that nobody fetched, other files */
static void litter(const StudyFolder *folder) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/2-2.json", folder->requests);
    if (file_make_folder(path) != STATUS_OK) {
        abort();
    }
    put_file(folder, "1-1", "answer", "{}", 2);
    put_file(folder, "notes", "txt", "", 0);
}

/* as whoever asks does, to be told at once */
static void check(const StudyFolder *folder, const char *data, size_t size) {
    Json *body = NULL;
    if (json_parse(data, size, &body) == STATUS_OK) {
        (void)!request_check(folder, body);
    }
    json_release(body);
}

static void serve(const StudyFolder *folder, const char *data, size_t size) {
    static size_t count; /* two are never of the same name */
    char          name[STUDY_REQUEST_NAME_BYTES];
    Json         *answer = NULL;
    StudyAnswer   how = STUDY_ANSWER_ENDED;
    /* microseconds since 1970: it was asked after any run began */
    (void)snprintf(name, sizeof name, "900000000000000000-%zu", count++);
    check(folder, data, size);
    put_file(folder, name, "json", data, size);
    litter(folder);
    if (study_scene_go_on(0) != STATUS_OK) {
        (void)fprintf(stderr, "a request ends the study: %s\n", status_last()->text);
        abort();
    }
    if (study_request_await(folder, name, 0.0, &answer, &how) != STATUS_OK ||
        how != STUDY_ANSWER_CAME) {
        abort();
    }
    fuzz_accepted = json_bool(json_get(answer, "done"));
    json_release(answer);
}

typedef Status (*Command)(int argc, char **argv, Buffer *out);

/* words stand on lines of their own */
static void call(Command command, const StudyFolder *folder, const char *text, size_t size) {
    char   first[] = "command";
    char  *line = strndup(text, size);
    char  *argv[MOST_WORDS + 3] = {first, folder->path};
    char  *rest = NULL;
    int    argc = 2;
    Buffer out;
    if (line == NULL) {
        return;
    }
    buffer_init(&out, CAP);
    for (char *word = strtok_r(line, "\n", &rest); word != NULL && argc < MOST_WORDS + 2;
         word = strtok_r(NULL, "\n", &rest)) {
        argv[argc++] = word;
    }
    fuzz_accepted = command(argc, argv, &out) == STATUS_OK;
    buffer_reset(&out);
    free(line);
}

static void assert_whole(const StudyFolder *folder) {
    FsckReport report;
    Buffer     out;
    buffer_init(&out, CAP);
    if (fsck_study(folder, false, &out, &report) != STATUS_OK || report.found != 0) {
        (void)fprintf(stderr, "the study is not whole: %s\n", buffer_text(&out));
        abort();
    }
    buffer_reset(&out);
}

static void do_one(const StudyFolder *folder, const char *text, size_t size) {
    fuzz_accepted = false;
    if (size > 0 && text[0] == '>') {
        call(command_tell, folder, text + 1, size - 1);
    } else if (size > 0 && text[0] == '<') {
        call(command_ask, folder, text + 1, size - 1);
    } else {
        serve(folder, text, size);
    }
    assert_whole(folder);
}

/* where the next line --- begins, or the end */
static size_t part_length(const char *text, size_t size) {
    const char *found = memmem(text, size, separator, sizeof separator - 1);
    return (found != NULL) ? (size_t)(found - text) : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    const bool  digit = size > 0 && text[0] >= '0' && text[0] < '0' + STUDY_SCENES;

    study_scene_restore(digit ? (StudyScene)(text[0] - '0') : SCENE_POPULATION);
    text += digit;
    size -= digit;
    for (size_t part = 0; part < MOST_PARTS; part++) {
        const size_t length = part_length(text, size);
        const size_t skipped = length + sizeof separator - 1;
        do_one(study_scene_folder(), text, length);
        if (skipped > size) {
            break;
        }
        text += skipped;
        size -= skipped;
    }
    return 0;
}
