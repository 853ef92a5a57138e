#include "tuner/study_folder.h"

#include "core/buffer.h"
#include "core/file.h"
#include "core/file_system.h"
#include "tuner/checkpoint_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOUND_BYTES = 256 };

Status study_folder_init(const char *path, StudyFolder *folder) {
    memset(folder, 0, sizeof *folder);
    folder->lock = -1;
    TRY(file_absolute(path, &folder->path));
    folder->study_file = file_join(folder->path, "study.yaml");
    folder->database = file_join(folder->path, "study.db");
    folder->checkpoints = file_join(folder->path, "checkpoints");
    folder->logs = file_join(folder->path, "logs");
    folder->requests = file_join(folder->path, "requests");
    folder->snapshot = file_join(folder->path, "snapshot.db");
    folder->live = file_join(folder->path, "live.json");
    if (folder->snapshot == NULL || folder->live == NULL || folder->study_file == NULL ||
        folder->database == NULL || folder->checkpoints == NULL || folder->logs == NULL ||
        folder->requests == NULL) {
        study_folder_reset(folder);
        FAIL(STATUS_ERR_NOMEM, "no memory for the paths of study '%s'", path);
    }
    return STATUS_OK;
}

void study_folder_reset(StudyFolder *folder) {
    if (folder->path != NULL && folder->lock >= 0) {
        (void)close(folder->lock);
    }
    free(folder->path);
    free(folder->study_file);
    free(folder->database);
    free(folder->checkpoints);
    free(folder->logs);
    free(folder->requests);
    free(folder->snapshot);
    free(folder->live);
    memset(folder, 0, sizeof *folder);
    folder->lock = -1;
}

bool study_folder_is_network(const char *path) {
    /* nobody changes the environment while it is read */
    const char *said = getenv("MBTUNE_NETWORK_FOLDER"); /* NOLINT(concurrency-mt-unsafe) */
    if (said != NULL && (strcmp(said, "0") == 0 || strcmp(said, "1") == 0)) {
        return said[0] == '1';
    }
    return file_system(path).network;
}

bool study_folder_begun(const StudyFolder *folder) {
    return file_exists(folder->database);
}

/* nothing that a coordinator leaves behind that was killed before its database was complete? */
static bool is_foreign(const char *name) {
    static const char *const names[] = {".",    "..",       "study.yaml", "checkpoints",
                                        "logs", "requests", "lock",       "study.yaml.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return false;
        }
    }
    return strncmp(name, "study.db", strlen("study.db")) != 0;
}

/* Looks for a name in a folder that may be missing. @param found  out  (FOUND_BYTES) the first name
 * that `wanted` says yes to, or "" */
static Status find_name(const char *path, bool (*wanted)(const char *name), char *found) {
    DIR *entries = opendir(path);
    found[0] = '\0';
    if (entries == NULL) {
        if (errno == ENOENT) {
            return STATUS_OK;
        }
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open '%s': %s", path, status_errno(errno));
    }
    const struct dirent *entry = NULL;
    /* one thread reads this folder: readdir is safe */
    while (found[0] == '\0' &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        if (wanted(entry->d_name)) {
            (void)snprintf(found, FOUND_BYTES, "%s", entry->d_name);
        }
    }
    (void)closedir(entries);
    return STATUS_OK;
}

/* A new study is begun only where nothing is: not among files of others, and not over the
 * checkpoints of a study whose database is lost, which would all be swept as orphans. */
static Status refuse_used(const StudyFolder *folder) {
    char kept[FOUND_BYTES] = "";
    char foreign[FOUND_BYTES] = "";
    TRY(find_name(folder->checkpoints, checkpoint_is_name, kept));
    if (kept[0] != '\0') {
        FAIL(STATUS_ERR_STATE,
             "'%s' holds checkpoints (%s), but no study.db: put that back from a copy, or begin "
             "anew in another folder (--dir)",
             folder->path, kept);
    }
    TRY(find_name(folder->path, is_foreign, foreign));
    if (foreign[0] != '\0') {
        FAIL(STATUS_ERR_STATE,
             "'%s' exists and is no study (it holds '%s'); give another folder with --dir",
             folder->path, foreign);
    }
    return STATUS_OK;
}

Status study_folder_make(const StudyFolder *folder) {
    if (!study_folder_begun(folder)) {
        TRY(refuse_used(folder));
    }
    TRY(study_folder_refuse_links(folder));
    TRY(file_make_folder(folder->path));
    TRY(file_make_folder(folder->checkpoints));
    TRY(file_make_folder(folder->logs));
    TRY(file_make_folder(folder->requests));
    return STATUS_OK;
}

Status study_folder_refuse_links(const StudyFolder *folder) {
    const char *const paths[] = {folder->study_file, folder->database, folder->requests};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (file_is_link(paths[i])) {
            FAIL(
                STATUS_ERR_STATE,
                "'%s' is a symbolic link: mbtune writes only in the study's own folder; replace it "
                "by what it leads to, or put the whole study there with --dir",
                paths[i]);
        }
    }
    return STATUS_OK;
}

Status study_folder_freeze(const StudyFolder *folder, const char *text, size_t length) {
    if (file_exists(folder->study_file) && study_folder_begun(folder)) {
        FAIL(STATUS_ERR_STATE, "'%s' is frozen already", folder->study_file);
    }
    return file_write_atomic(folder->study_file, text, length);
}

char *study_folder_checkpoint(const StudyFolder *folder, const char *name) {
    return file_join(folder->checkpoints, name);
}
