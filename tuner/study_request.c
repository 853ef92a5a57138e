#include "tuner/study_request.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char request_suffix[] = ".json";
static const char answer_suffix[] = ".answer";

/* how often somebody who waits looks (s) */
#define LOOK_SECONDS 0.05

/* requests/NAME + suffix; the caller frees it */
static Status path_of(const StudyFolder *folder, const char *name, const char *suffix, char **out) {
    char file[STUDY_REQUEST_NAME_BYTES + sizeof answer_suffix];
    (void)snprintf(file, sizeof file, "%s%s", name, suffix);
    *out = file_join(folder->requests, file);
    if (*out == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the path of a request");
    }
    return STATUS_OK;
}

static Status write_file(const StudyFolder *folder, const char *name, const char *suffix,
                         const char *text) {
    char *path = NULL;
    TRY(path_of(folder, name, suffix, &path));
    const Status status = file_write_atomic(path, text, strlen(text));
    free(path);
    return status;
}

static Status remove_file(const StudyFolder *folder, const char *name, const char *suffix) {
    char *path = NULL;
    TRY(path_of(folder, name, suffix, &path));
    const Status status = file_remove_all(path);
    free(path);
    return status;
}

Status study_request_put(const StudyFolder *folder, const Json *body,
                         char name[STUDY_REQUEST_NAME_BYTES]) {
    Buffer text;
    buffer_init(&text, STUDY_REQUEST_BYTES);
    /* microseconds, so that names sort by time; the process, so that two never meet */
    (void)snprintf(name, STUDY_REQUEST_NAME_BYTES, "%018.0f-%ld", clock_wall() * 1e6,
                   (long)getpid());
    json_write(body, false, &text);
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = file_make_folder(folder->requests);
    }
    if (status == STATUS_OK) {
        status = write_file(folder, name, request_suffix, buffer_text(&text));
    }
    buffer_reset(&text);
    return status;
}

double study_request_time(const char *name) {
    return strtod(name, NULL) * 1e-6;
}

/* the name before the suffix; false for another file, or one whose name is too long */
static bool stem_of(const char *file, const char *suffix, char stem[STUDY_REQUEST_NAME_BYTES]) {
    const size_t length = strlen(file);
    const size_t tail = strlen(suffix);
    if (length <= tail || length - tail >= STUDY_REQUEST_NAME_BYTES ||
        strcmp(file + length - tail, suffix) != 0) {
        return false;
    }
    memcpy(stem, file, length - tail);
    stem[length - tail] = '\0';
    return true;
}

/* NULL and STATUS_OK where there is no such folder (any more) */
static Status open_folder(const StudyFolder *folder, DIR **out) {
    *out = opendir(folder->requests);
    if (*out == NULL && errno != ENOENT) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open '%s': %s", folder->requests,
                    status_errno(errno));
    }
    return STATUS_OK;
}

Status study_request_next(const StudyFolder *folder, const char *after,
                          char name[STUDY_REQUEST_NAME_BYTES], bool *found) {
    DIR                 *entries = NULL;
    const struct dirent *entry = NULL;
    *found = false;
    TRY(open_folder(folder, &entries));
    while (entries != NULL &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        char stem[STUDY_REQUEST_NAME_BYTES];
        if (stem_of(entry->d_name, request_suffix, stem) && strcmp(stem, after) > 0 &&
            (!*found || strcmp(stem, name) < 0)) {
            *found = true;
            memcpy(name, stem, sizeof stem);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return STATUS_OK;
}

Status study_request_read(const StudyFolder *folder, const char *name, Buffer *out) {
    char *path = NULL;
    TRY(path_of(folder, name, request_suffix, &path));
    /* a link would show what lies elsewhere in the database, a pipe would be waited for */
    const Status status = (file_is_link(path) || file_is_special(path))
                              ? FAILURE(STATUS_ERR_IO, "request %s is no regular file", name)
                              : file_read(path, out);
    free(path);
    return status;
}

Status study_request_answer(const StudyFolder *folder, const char *name, const char *answer) {
    TRY(write_file(folder, name, answer_suffix, answer));
    return remove_file(folder, name, request_suffix);
}

Status study_request_remove(const StudyFolder *folder, const char *name) {
    TRY(remove_file(folder, name, request_suffix));
    return remove_file(folder, name, answer_suffix);
}

Status study_request_tidy(const StudyFolder *folder, double age) {
    DIR                 *entries = NULL;
    const struct dirent *entry = NULL;
    Status               status = STATUS_OK;
    TRY(open_folder(folder, &entries));
    while (entries != NULL && status == STATUS_OK &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        char stem[STUDY_REQUEST_NAME_BYTES];
        if (stem_of(entry->d_name, answer_suffix, stem) &&
            clock_wall() - study_request_time(stem) > age) {
            status = remove_file(folder, stem, answer_suffix);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return status;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static Status take_answer(const StudyFolder *folder, const char *name, Json **answer, bool *came) {
    char  *path = NULL;
    Buffer text;
    TRY(path_of(folder, name, answer_suffix, &path));
    *came = file_exists(path);
    if (!*came) {
        free(path);
        return STATUS_OK;
    }
    buffer_init(&text, STUDY_REQUEST_BYTES);
    Status status = file_read(path, &text);
    free(path);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, answer);
    }
    buffer_reset(&text);
    TRY(status);
    return remove_file(folder, name, answer_suffix);
}

Status study_request_await(const StudyFolder *folder, const char *name, double seconds,
                           Json **answer, StudyAnswer *how) {
    const double deadline = clock_monotonic() + seconds;
    *answer = NULL;
    for (;;) {
        /* looked at before the answer: one that ended in between has answered or never will */
        const bool runs = study_folder_is_locked(folder->path);
        bool       came = false;
        TRY(take_answer(folder, name, answer, &came));
        if (came || !runs || clock_monotonic() >= deadline) {
            *how = came ? STUDY_ANSWER_CAME : !runs ? STUDY_ANSWER_ENDED : STUDY_ANSWER_AWAITED;
            return STATUS_OK;
        }
        clock_sleep(LOOK_SECONDS);
    }
}
