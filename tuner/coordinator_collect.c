/* Which checkpoints may go. Kept are: what queued or running work starts from, live leaves, the
 * best, and what the scheduler says it may still branch from. A row stops naming its checkpoint in
 * a transaction; the file goes after the commit, so a crash leaves at most an orphan file, which
 * the next start sweeps. What was removed and is asked for again is computed again. */
#include "core/file.h"
#include "tuner/checkpoint_name.h"
#include "tuner/coordinator_state.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Status coordinator__keep(Coordinator *c, const Kept *kept) {
    if (c->kept_count == c->kept_capacity) {
        const size_t capacity = (c->kept_capacity == 0) ? 64 : 2 * c->kept_capacity;
        Kept        *grown = realloc(c->kept, capacity * sizeof *grown);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu checkpoints", capacity);
        }
        c->kept = grown;
        c->kept_capacity = capacity;
    }
    c->kept[c->kept_count++] = *kept;
    return STATUS_OK;
}

void coordinator__pin(Coordinator *c, int64_t segment, bool pinned) {
    for (size_t i = 0; i < c->kept_count; i++) {
        if (c->kept[i].id == segment) {
            c->kept[i].pinned = pinned;
        }
    }
    c->collect = true;
}

void coordinator__forget(Coordinator *c, int64_t segment) {
    for (size_t i = 0; i < c->kept_count; i++) {
        if (c->kept[i].id == segment) {
            c->kept[i] = c->kept[--c->kept_count];
            return;
        }
    }
}

/* trials of tuning and of confirmation interleaved, so that one small array holds both */
static size_t leaf_index(int64_t trial) {
    return (trial < CONFIRM_FIRST) ? 2 * (size_t)trial : 2 * (size_t)(trial - CONFIRM_FIRST) + 1;
}

Status coordinator__set_leaf(Coordinator *c, int64_t trial, int64_t segment) {
    const size_t index = leaf_index(trial);
    if (index >= c->trial_capacity) {
        size_t capacity = (c->trial_capacity == 0) ? 64 : c->trial_capacity;
        while (capacity <= index) {
            capacity *= 2;
        }
        int64_t *grown = realloc(c->trial_leaf, capacity * sizeof *grown);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu trials", capacity);
        }
        memset(grown + c->trial_capacity, 0, (capacity - c->trial_capacity) * sizeof *grown);
        c->trial_leaf = grown;
        c->trial_capacity = capacity;
    }
    c->trial_leaf[index] = segment;
    return STATUS_OK;
}

static bool is_needed(const Coordinator *c, int64_t segment) {
    for (size_t i = 0; i < c->queue.count; i++) {
        if (c->queue.items[i].needs == segment) {
            return true;
        }
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i].busy && c->slots[i].work.needs == segment) {
            return true;
        }
    }
    return false;
}

static bool is_live_leaf(const Coordinator *c, const Kept *kept) {
    const size_t  index = leaf_index(kept->trial);
    const int64_t depth =
        (kept->trial < CONFIRM_FIRST) ? c->study->budget.per_trial : c->study->confirm.per_trial;
    return kept->end < depth && index < c->trial_capacity && c->trial_leaf[index] == kept->id;
}

/* what the coordinator itself needs, whatever the scheduler says */
static bool must_stay(const Coordinator *c, const Kept *kept) {
    if (kept->pinned || kept->id == c->best_segment || is_live_leaf(c, kept) ||
        is_needed(c, kept->id)) {
        return true;
    }
    /* a segment whose result waits at a barrier is not judged yet */
    for (size_t i = 0; i < c->event_count; i++) {
        if (c->events[i].kind == EVENT_FINISHED && c->events[i].id == kept->id) {
            return true;
        }
    }
    return false;
}

static Keeps keeps(const Coordinator *c, const Kept *kept) {
    const Phase phase = (kept->id < CONFIRM_FIRST) ? PHASE_TUNE : PHASE_CONFIRM;
    /* of another phase: an interrupted confirmation goes on from its checkpoints; what tuning left
     * may be evaluated, and a larger budget goes on from it */
    if (must_stay(c, kept) || phase != c->phase) {
        return KEEPS_YES;
    }
    if (phase == PHASE_CONFIRM) {
        return KEEPS_NEVER;
    }
    return scheduler_keeps(c->scheduler, kept->id);
}

Status coordinator__doom(Coordinator *c, int64_t segment, int64_t attempt) {
    if (c->doomed_count + 2 > c->doomed_capacity) {
        const size_t capacity = (c->doomed_capacity == 0) ? 64 : 2 * c->doomed_capacity;
        int64_t     *grown = realloc(c->doomed, capacity * sizeof *grown);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu removals", capacity);
        }
        c->doomed = grown;
        c->doomed_capacity = capacity;
    }
    c->doomed[c->doomed_count++] = segment;
    c->doomed[c->doomed_count++] = attempt;
    return STATUS_OK;
}

static Status let_go(Coordinator *c, size_t index) {
    const Kept kept = c->kept[index];
    TRY(coordinator__begin(c));
    TRY(results_checkpoint_set(c->results, kept.id, kept.attempt, 0, 0));
    TRY(coordinator__doom(c, kept.id, kept.attempt));
    coordinator__forget(c, kept.id);
    return STATUS_OK;
}

static double kept_bytes(const Coordinator *c) {
    double bytes = 0.0;
    for (size_t i = 0; i < c->kept_count; i++) {
        bytes += (double)c->kept[i].bytes;
    }
    return bytes;
}

/* the worst of those that the scheduler may still want; kept_count if there is none */
static size_t worst_maybe(const Coordinator *c) {
    const double sign = c->study->objectives[0].maximize ? 1.0 : -1.0;
    size_t       worst = c->kept_count;
    for (size_t i = 0; i < c->kept_count; i++) {
        if (keeps(c, &c->kept[i]) != KEEPS_MAYBE) {
            continue;
        }
        if (worst == c->kept_count ||
            sign * c->kept[i].objective < sign * c->kept[worst].objective) {
            worst = i;
        }
    }
    return worst;
}

/* Over quota `maybe` goes first, worst objective first; what is left is needed to go on. */
static Status honour_quota(Coordinator *c) {
    const double quota = c->study->limits.checkpoint_bytes;
    while (quota > 0.0 && kept_bytes(c) > quota) {
        const size_t worst = worst_maybe(c);
        if (worst == c->kept_count) {
            if (!c->quota_told) {
                coordinator__log(
                    c, "warning",
                    "checkpoints take %.3g bytes, more than limits.checkpoints (%.3g), "
                    "and all of them are needed to go on",
                    kept_bytes(c), quota);
                c->quota_told = true;
            }
            return STATUS_OK;
        }
        TRY(let_go(c, worst));
    }
    return STATUS_OK;
}

Status coordinator__collect(Coordinator *c) {
    if (!c->collect || decider_busy(c->decider) || c->phase == PHASE_EVALUATE ||
        c->phase == PHASE_OVER) {
        return STATUS_OK;
    }
    c->collect = false;
    /* from the end: the last one moves to the place of one that goes */
    for (size_t i = c->kept_count; i > 0; i--) {
        if (keeps(c, &c->kept[i - 1]) != KEEPS_NEVER) {
            continue;
        }
        TRY(let_go(c, i - 1));
    }
    return honour_quota(c);
}

void coordinator__sweep(Coordinator *c) {
    for (size_t i = 0; i + 1 < c->doomed_count; i += 2) {
        char name[CHECKPOINT_NAME_BYTES];
        checkpoint_name(c->doomed[i], c->doomed[i + 1], name);
        char *path = study_folder_checkpoint(c->folder, name);
        if (path != NULL && file_remove_all(path) != STATUS_OK) {
            coordinator__log(c, "warning", "%s", status_last()->text);
        }
        free(path);
    }
    c->doomed_count = 0;
}

/* ---- orphans --------------------------------------------------------------------------------- */

Status coordinator__sweep_orphans(Coordinator *c) {
    DIR *entries = opendir(c->folder->checkpoints);
    if (entries == NULL) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open '%s': %s", c->folder->checkpoints,
                    status_errno(errno));
    }
    Status               status = STATUS_OK;
    const struct dirent *entry = NULL;
    while (status == STATUS_OK &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        bool named = false;
        if (entry->d_name[0] == '.') {
            continue;
        }
        status = checkpoint_is_named(c->results, entry->d_name, &named);
        if (status == STATUS_OK && !named) {
            char *path = study_folder_checkpoint(c->folder, entry->d_name);
            status = (path == NULL) ? STATUS_ERR_NOMEM : file_remove_all(path);
            free(path);
        }
    }
    (void)closedir(entries);
    return status;
}
