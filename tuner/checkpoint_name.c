#include "tuner/checkpoint_name.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void checkpoint_name(int64_t segment, int64_t attempt, char name[CHECKPOINT_NAME_BYTES]) {
    (void)snprintf(name, CHECKPOINT_NAME_BYTES, "%" PRId64 ".a%" PRId64, segment, attempt);
}

bool checkpoint_is_name(const char *name) {
    static const char digits[] = "0123456789";
    const size_t      segment = strspn(name, digits);
    if (segment == 0 || strncmp(name + segment, ".a", 2) != 0) {
        return false;
    }
    const char  *rest = name + segment + 2;
    const size_t attempt = strspn(rest, digits);
    rest += attempt;
    return attempt > 0 && (rest[0] == '\0' || strncmp(rest, ".tmp", 4) == 0);
}

Status checkpoint_is_named(Results *results, const char *name, bool *named) {
    char         *end = NULL;
    const int64_t segment = strtoll(name, &end, 10);
    *named = false;
    if (strncmp(end, ".a", 2) != 0 || segment <= 0) {
        return STATUS_OK;
    }
    const int64_t attempt = strtoll(end + 2, &end, 10);
    if (*end != '\0') {
        return STATUS_OK;
    }
    ResultsSegment row = {.point = NULL};
    const Status   status = results_segment_read(results, NULL, segment, &row);
    if (status == STATUS_ERR_UNKNOWN_NAME) {
        return STATUS_OK;
    }
    *named =
        status == STATUS_OK && ((row.kept && row.attempt == attempt) ||
                                (row.state == SEGMENT_QUEUED && row.partial_attempt == attempt));
    return status;
}

static Status look_at(Results *results, const char *name, CheckpointOrphan orphan, void *context,
                      size_t *others) {
    bool named = true;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return STATUS_OK;
    }
    if (!checkpoint_is_name(name)) {
        ++*others;
        return STATUS_OK;
    }
    TRY(checkpoint_is_named(results, name, &named));
    return named ? STATUS_OK : orphan(context, name);
}

Status checkpoint_orphans_visit(const char *folder, Results *results, CheckpointOrphan orphan,
                                void *context, size_t *others) {
    DIR                 *entries = opendir(folder);
    Status               status = STATUS_OK;
    const struct dirent *entry = NULL;

    *others = 0;
    if (entries == NULL) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open '%s': %s", folder, status_errno(errno));
    }
    while (status == STATUS_OK &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        status = look_at(results, entry->d_name, orphan, context, others);
    }
    (void)closedir(entries);
    return status;
}
