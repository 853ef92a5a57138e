#include "tuner/fsck.h"

#include "core/file.h"
#include "results/check.h"
#include "results/results.h"
#include "tuner/checkpoint_name.h"
#include "tuner/study_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_CAP = 1 << 16 };

typedef struct Fsck {
    const StudyFolder *folder;
    Results           *results;
    Checkpoints        checkpoints;
    bool               repair;
    bool               manual; /* a person trains: what runs may have been handed out */
    bool               wrong;  /* rows are, and stay so: a file of nobody may be a lost row's */
    Buffer            *out;
    FsckReport        *report;
} Fsck;

static void say(Fsck *f, bool mends, const char *text) {
    f->report->found++;
    f->report->mended += mends;
    buffer_printf(f->out, "%s%s\n", text,
                  !mends      ? ""
                  : f->repair ? ": mended"
                              : " (--repair mends that)");
}

static Status found_by_rows(void *context, bool mends, const char *text) {
    Fsck *f = context;
    f->wrong = f->wrong || !mends;
    say(f, mends, text);
    return STATUS_OK;
}

/* ---- the study file ------------------------------------------------------------------------- */

/* The database has its hash, and not its text: nobody but its owner can put it back. */
static Status compare_study_file(Fsck *f, Buffer *file, Buffer *hash) {
    static const char advice[] = "put back the one that this study was made with";
    char              text[TEXT_CAP];
    char              found[STUDY_HASH_BYTES];

    TRY(results_study_text(f->results, "study_hash", hash));
    if (file_is_special(f->folder->study_file)) {
        say(f, false, "study.yaml is no file: put back the one that this study was made with");
        return STATUS_OK;
    }
    const Status status = file_read(f->folder->study_file, file);
    if (status == STATUS_ERR_NOMEM) {
        return status;
    }
    study_hash(buffer_text(file), file->length, found);
    if (status != STATUS_OK) {
        (void)snprintf(text, sizeof text, "%s: %s", status_last()->text, advice);
        say(f, false, text);
    } else if (strcmp(found, buffer_text(hash)) != 0) {
        (void)snprintf(text, sizeof text, "study.yaml is another one (its hash is %s, not %s): %s",
                       found, buffer_text(hash), advice);
        say(f, false, text);
    }
    return STATUS_OK;
}

static Status check_study_file(Fsck *f) {
    Buffer file;
    Buffer hash;

    buffer_init(&file, STUDY_TEXT_BYTES);
    buffer_init(&hash, TEXT_CAP);
    const Status status = compare_study_file(f, &file, &hash);
    buffer_reset(&file);
    buffer_reset(&hash);
    return status;
}

/* ---- checkpoints ---------------------------------------------------------------------------- */

static Status remove_file(Fsck *f, const char *name) {
    char  *path = study_folder_checkpoint(f->folder, name);
    Status status = STATUS_OK;

    if (path == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    if (f->repair) {
        status = file_remove_all(path);
    }
    free(path);
    return status;
}

/* a file or folder that is not what its row says: it goes, and the row stops naming it */
static Status forget(Fsck *f, const ResultsSegment *row, const char *name) {
    if (!f->repair) {
        return STATUS_OK;
    }
    TRY(remove_file(f, name));
    if (row->kept) {
        return results_checkpoint_set(f->results, row->id, row->attempt, 0, 0);
    }
    return results_attempt_yield(f->results, row->id, row->partial_attempt, 0, 0, 0);
}

static Status check_checkpoint(void *context, const ResultsSegment *row) {
    Fsck *f = context;
    char  name[CHECKPOINT_NAME_BYTES];
    char  text[TEXT_CAP];

    if (!row->kept && !(row->state == SEGMENT_QUEUED && row->partial_attempt > 0)) {
        return STATUS_OK;
    }
    checkpoint_name(row->id, row->kept ? row->attempt : row->partial_attempt, name);
    f->report->checkpoints++;
    f->report->bytes += (double)row->checkpoint_bytes;
    const Status status =
        checkpoint_verify(&f->checkpoints, name, row->checkpoint_bytes, row->checkpoint_checksum);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    if (status != STATUS_ERR_CORRUPT && status != STATUS_ERR_IO) {
        return status;
    }
    (void)snprintf(text, sizeof text, "segment %" PRId64 ": %s", row->id, status_last()->text);
    say(f, status == STATUS_ERR_CORRUPT, text); /* what cannot be read now may be good */
    return (status == STATUS_ERR_CORRUPT) ? forget(f, row, name) : STATUS_OK;
}

static Status check_orphan(void *context, const char *name) {
    Fsck *f = context;
    char  text[TEXT_CAP];

    (void)snprintf(text, sizeof text, "checkpoints/%s belongs to no row%s", name,
                   f->wrong ? ": left until the rows are right" : "");
    say(f, !f->wrong, text);
    return f->wrong ? STATUS_OK : remove_file(f, name);
}

static Status check_orphans(Fsck *f) {
    size_t others = 0;

    TRY(checkpoint_orphans_visit(f->folder->checkpoints, f->results, check_orphan, f, &others));
    if (others > 0) {
        buffer_printf(f->out, "checkpoints/ holds %zu of somebody else: left alone\n", others);
    }
    return STATUS_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static Status check_running(Fsck *f) {
    int64_t running = 0;
    int64_t count = 0;

    for (int64_t after = 0; !f->manual; after = running, count++) {
        TRY(results_running_next(f->results, after, &running));
        if (running == 0) {
            break;
        }
    }
    if (count == 0) {
        return STATUS_OK;
    }
    char text[TEXT_CAP];
    (void)snprintf(text, sizeof text,
                   "%" PRId64 " segment%s left running, and nobody runs this study", count,
                   count == 1 ? " was" : "s were");
    say(f, true, text);
    return f->repair ? results_reconcile(f->results, &count) : STATUS_OK;
}

static Status check_log_left(Fsck *f) {
    char        path[TEXT_CAP];
    struct stat left;

    (void)snprintf(path, sizeof path, "%s-wal", f->folder->database);
    if (stat(path, &left) == 0 && left.st_size > 0) {
        say(f, true, "study.db-wal holds changes that are not in study.db yet: keep both together");
    }
    return STATUS_OK;
}

static Status read_agent(Fsck *f) {
    Buffer agent;
    buffer_init(&agent, TEXT_CAP);
    const Status status = results_study_text(f->results, "agent", &agent);
    f->manual = status == STATUS_OK && strcmp(buffer_text(&agent), "manual") == 0;
    buffer_reset(&agent);
    return status;
}

static Status check_rows_and_files(Fsck *f) {
    TRY(read_agent(f));
    TRY(check_study_file(f));
    TRY(results_check(f->results, f->repair, found_by_rows, f, &f->report->again));
    TRY(checkpoints_init(&f->checkpoints, f->folder->path));
    if (f->repair) {
        TRY(results_begin(f->results));
    }
    TRY(check_running(f));
    TRY(results_segments_visit(f->results, RESULTS_ALL, check_checkpoint, f));
    if (f->repair) {
        TRY(results_commit(f->results));
    }
    TRY(check_orphans(f));
    return f->repair ? results_write_log_empty(f->results) : STATUS_OK;
}

Status fsck_study(const StudyFolder *folder, bool repair, Buffer *out, FsckReport *report) {
    Fsck f = {.folder = folder, .repair = repair, .out = out, .report = report};

    *report = (FsckReport){.found = 0};
    TRY(check_log_left(&f)); /* before anybody opens the database and empties it */
    TRY(results_open(folder->database, repair ? RESULTS_WRITE : RESULTS_READ, &f.results));
    const Status status = check_rows_and_files(&f);
    if (status != STATUS_OK) {
        results_rollback(f.results);
    }
    checkpoints_reset(&f.checkpoints);
    results_close(f.results);
    return status;
}
