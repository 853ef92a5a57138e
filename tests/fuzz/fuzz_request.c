/* What people ask of a study: the body of a file in requests/, and the words of `mbtune tell`. Each
 * is served on a small study; whatever it said, the study is whole afterwards and has answered. An
 * input begins with '>' (words), or with the scene that it is served on, or is served on the first
 * one:
 *
 *     {"command":"stop"}     2{"command":"stop"}     >2--segment\n8\nreward=1
 */
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

enum { CAP = 1 << 24, MOST_WORDS = 12, PATH_BYTES = 512 };

/* microseconds since 1970: it was asked after any run began */
static const char request_name[] = "900000000000000000-1";

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
static void check(const StudyFolder *folder, const uint8_t *data, size_t size) {
    Json *body = NULL;
    if (json_parse((const char *)data, size, &body) == STATUS_OK) {
        (void)!request_check(folder, body);
    }
    json_release(body);
}

static void serve(const StudyFolder *folder, const uint8_t *data, size_t size) {
    Json       *answer = NULL;
    StudyAnswer how = STUDY_ANSWER_ENDED;
    check(folder, data, size);
    put_file(folder, request_name, "json", data, size);
    litter(folder);
    if (study_scene_go_on(0) != STATUS_OK) {
        (void)fprintf(stderr, "a request ends the study: %s\n", status_last()->text);
        abort();
    }
    if (study_request_await(folder, request_name, 0.0, &answer, &how) != STATUS_OK ||
        how != STUDY_ANSWER_CAME) {
        abort();
    }
    fuzz_accepted = json_bool(json_get(answer, "done"));
    json_release(answer);
}

/* words stand on lines of their own */
static void tell(const StudyFolder *folder, const uint8_t *data, size_t size) {
    char   first[] = "tell";
    char  *line = strndup((const char *)data, size);
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
    fuzz_accepted = command_tell(argc, argv, &out) == STATUS_OK;
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

/* takes the scene's digit off, if there is one */
static StudyScene scene_of(const uint8_t **data, size_t *size) {
    if (*size == 0 || **data < '0' || **data >= '0' + STUDY_SCENES) {
        return SCENE_POPULATION;
    }
    (*data)++;
    (*size)--;
    return (StudyScene)((*data)[-1] - '0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const bool words = size > 0 && data[0] == '>';
    if (words) {
        data++;
        size--;
    }
    study_scene_restore(scene_of(&data, &size));
    const StudyFolder *folder = study_scene_folder();

    fuzz_accepted = false;
    if (words) {
        tell(folder, data, size);
    } else {
        serve(folder, data, size);
    }
    assert_whole(folder);
    return 0;
}
