/* Which checkpoints may go. Kept are: what queued or running work starts from, the best, and what
 * the scheduler says it needs; while there is room also live leaves and what it may still branch
 * from. A row stops naming its checkpoint in
 * a transaction; the file goes after the commit, so a crash leaves at most an orphan file, which
 * the next start sweeps. What was removed and is asked for again is computed again. */
#include "core/clock.h"
#include "core/file.h"
#include "tuner/checkpoint_name.h"
#include "tuner/coordinator_state.h"
#include "tuner/study_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 512 };

/* collecting pauses so many times as long as it took */
#define COLLECT_PAUSE 10.0

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
    coordinator__forget(c, kept->id); /* it may have been made twice */
    TRY(id_index_set(&c->kept_at, kept->id, (int64_t)c->kept_count));
    c->kept[c->kept_count++] = *kept;
    c->kept_bytes += (double)kept->bytes;
    return STATUS_OK;
}

bool coordinator__is_kept(const Coordinator *c, int64_t segment) {
    int64_t place = 0;
    return id_index_find(&c->kept_at, segment, &place);
}

void coordinator__pin(Coordinator *c, int64_t segment, bool pinned) {
    int64_t place = 0;
    if (id_index_find(&c->kept_at, segment, &place)) {
        c->kept[place].pinned = pinned;
    }
    c->collect = true;
}

void coordinator__forget(Coordinator *c, int64_t segment) {
    int64_t place = 0;
    if (!id_index_find(&c->kept_at, segment, &place)) {
        return;
    }
    id_index_remove(&c->kept_at, segment);
    c->kept_bytes -= (double)c->kept[place].bytes;
    c->kept[place] = c->kept[--c->kept_count];
    if ((size_t)place < c->kept_count) {
        id_index_move(&c->kept_at, c->kept[place].id, place);
    }
}

Status coordinator__set_leaf(Coordinator *c, int64_t trial, int64_t segment, int64_t end) {
    const int64_t depth =
        (trial < CONFIRM_FIRST) ? c->study->budget.per_trial : c->study->confirm.per_trial;
    if (end >= depth) {
        id_index_remove(&c->live_leaf, trial);
        return STATUS_OK;
    }
    return id_index_set(&c->live_leaf, trial, segment);
}

/* what queued and running work starts from, ascending: one look-up per checkpoint */
typedef struct Needs {
    int64_t *segments;
    size_t   count;
} Needs;

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* a segment whose result waits at a barrier is not judged yet, so it is needed too */
static Status gather_needs(const Coordinator *c, Needs *needs) {
    needs->count = 0;
    needs->segments =
        calloc(c->queue.count + c->slot_count + c->event_count + 1, sizeof *needs->segments);
    if (needs->segments == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to look for checkpoints that may go");
    }
    for (size_t i = 0; i < c->queue.count; i++) {
        needs->segments[needs->count++] = c->queue.items[i].needs;
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        needs->segments[needs->count++] = c->slots[i].busy ? c->slots[i].work.needs : 0;
    }
    for (size_t i = 0; i < c->event_count; i++) {
        needs->segments[needs->count++] =
            (c->events[i].kind == EVENT_FINISHED) ? c->events[i].id : 0;
    }
    qsort(needs->segments, needs->count, sizeof *needs->segments, by_value);
    return STATUS_OK;
}

static bool is_needed(const Needs *needs, int64_t segment) {
    return bsearch(&segment, needs->segments, needs->count, sizeof segment, by_value) != NULL;
}

static bool is_live_leaf(const Coordinator *c, const Kept *kept) {
    int64_t leaf = 0;
    return id_index_find(&c->live_leaf, kept->trial, &leaf) && leaf == kept->id;
}

/* what the coordinator itself needs, whatever the scheduler says */
static bool must_stay(const Coordinator *c, const Needs *needs, const Kept *kept) {
    return kept->pinned || kept->id == c->best_segment || is_needed(needs, kept->id);
}

static Keeps keeps(const Coordinator *c, const Needs *needs, const Kept *kept) {
    const Phase phase = (kept->id < CONFIRM_FIRST) ? PHASE_TUNE : PHASE_CONFIRM;
    /* of another phase: an interrupted confirmation goes on from its checkpoints; what tuning left
     * may be evaluated, and a larger budget goes on from it */
    if (must_stay(c, needs, kept) || phase != c->phase) {
        return KEEPS_YES;
    }
    if (phase == PHASE_CONFIRM) {
        return is_live_leaf(c, kept) ? KEEPS_YES : KEEPS_NEVER;
    }
    /* the end of a trial that may go on, paused or given up, stays while there is room: whoever
     * does go on with it soon says YES */
    const Keeps answer = scheduler_keeps(c->scheduler, kept->id);
    return (answer == KEEPS_NEVER && is_live_leaf(c, kept)) ? KEEPS_MAYBE : answer;
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

static Status let_go(Coordinator *c, int64_t segment) {
    int64_t place = 0;
    if (!id_index_find(&c->kept_at, segment, &place)) {
        return STATUS_OK;
    }
    const Kept kept = c->kept[place];
    TRY(coordinator__begin(c));
    TRY(results_checkpoint_set(c->results, kept.id, kept.attempt, 0, 0));
    TRY(coordinator__doom(c, kept.id, kept.attempt));
    coordinator__forget(c, kept.id);
    return STATUS_OK;
}

/* ids of those that the scheduler may still want, worst objective first, then the older one */
typedef struct Maybe {
    double  worth; /* larger is better */
    int64_t id;
} Maybe;

static int by_worth(const void *a, const void *b) {
    const Maybe *x = a;
    const Maybe *y = b;
    if (x->worth < y->worth || x->worth > y->worth) {
        return (x->worth < y->worth) ? -1 : 1;
    }
    return (x->id > y->id) - (x->id < y->id);
}

static size_t gather_maybes(const Coordinator *c, const Needs *needs, Maybe *out) {
    const double sign = c->study->objectives[0].maximize ? 1.0 : -1.0;
    size_t       count = 0;
    for (size_t i = 0; i < c->kept_count; i++) {
        if (keeps(c, needs, &c->kept[i]) == KEEPS_MAYBE) {
            out[count++] = (Maybe){.worth = sign * c->kept[i].objective, .id = c->kept[i].id};
        }
    }
    qsort(out, count, sizeof *out, by_worth);
    return count;
}

bool coordinator__over_quota(const Coordinator *c) {
    const double quota = c->study->limits.checkpoint_bytes;
    return quota > 0.0 && c->kept_bytes > quota;
}

/* Over quota `maybe` goes first, worst objective first; what is left is needed to go on. While that
 * is too much nothing new is started: what runs may end in what frees something. */
static Status honour_quota(Coordinator *c, const Needs *needs) {
    const double quota = c->study->limits.checkpoint_bytes;
    if (!coordinator__over_quota(c)) {
        return STATUS_OK;
    }
    Maybe *maybes = calloc(c->kept_count + 1, sizeof *maybes);
    if (maybes == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to look for checkpoints that may go");
    }
    const size_t count = gather_maybes(c, needs, maybes);
    Status       status = STATUS_OK;
    for (size_t i = 0; i < count && c->kept_bytes > quota && status == STATUS_OK; i++) {
        status = let_go(c, maybes[i].id);
    }
    free(maybes);
    return status;
}

Status coordinator__check_quota(Coordinator *c) {
    if (!coordinator__over_quota(c) || c->collect || c->queue.count == 0 ||
        decider_busy(c->decider)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i].usable && c->slots[i].busy) {
            return STATUS_OK;
        }
    }
    Buffer text;
    buffer_init(&text, LINE_BYTES);
    buffer_puts(&text, "checkpoints take ");
    view_bytes(c->kept_bytes, &text);
    buffer_puts(&text, ", more than limits.checkpoints (");
    view_bytes(c->study->limits.checkpoint_bytes, &text);
    buffer_puts(&text, "), and all of them are needed to go on: give it more room "
                       "(--set limits.checkpoints=...)");
    const Status status = FAILURE(STATUS_ERR_INTERRUPTED, "%s", buffer_text(&text));
    buffer_reset(&text);
    return status;
}

static Status collect(Coordinator *c, const Needs *needs) {
    /* from the end: the last one moves to the place of one that goes */
    for (size_t i = c->kept_count; i > 0; i--) {
        if (keeps(c, needs, &c->kept[i - 1]) != KEEPS_NEVER) {
            continue;
        }
        TRY(let_go(c, c->kept[i - 1].id));
    }
    return honour_quota(c, needs);
}

/* All checkpoints are looked at, so it is not done again at once: a tenth of the loop's time at
 * most. At the end of a phase what may go goes. */
Status coordinator__collect(Coordinator *c) {
    const double now = clock_monotonic();
    Needs        needs;
    if (!c->collect || decider_busy(c->decider) || c->phase == PHASE_EVALUATE ||
        c->phase == PHASE_OVER ||
        (now < c->collect_at && c->undecided > 0 && !coordinator__over_quota(c))) {
        return STATUS_OK;
    }
    c->collect = false;
    TRY(gather_needs(c, &needs));
    const Status status = collect(c, &needs);
    free(needs.segments);
    const double end = clock_monotonic();
    c->collect_at = end + COLLECT_PAUSE * (end - now);
    return status;
}

Status coordinator__collect_all_but_best(Coordinator *c) {
    for (size_t i = c->kept_count; i > 0; i--) {
        const Kept *kept = &c->kept[i - 1];
        if (kept->pinned || kept->id == c->best_segment) {
            continue;
        }
        TRY(let_go(c, kept->id));
    }
    return STATUS_OK;
}

/* what cannot be removed is in nobody's way: a warning says it */
static void remove_checkpoint(Coordinator *c, const char *name) {
    char        *path = study_folder_checkpoint(c->folder, name);
    const Status status = (path == NULL)
                              ? FAILURE(STATUS_ERR_NOMEM, "no memory to remove '%s'", name)
                              : file_remove_all(path);
    if (status != STATUS_OK) {
        coordinator__log(c, "warning", "%s", status_last()->text);
    }
    free(path);
}

void coordinator__sweep(Coordinator *c) {
    for (size_t i = 0; i + 1 < c->doomed_count; i += 2) {
        char name[CHECKPOINT_NAME_BYTES];
        checkpoint_name(c->doomed[i], c->doomed[i + 1], name);
        remove_checkpoint(c, name);
    }
    c->doomed_count = 0;
}

/* ---- orphans --------------------------------------------------------------------------------- */

static Status remove_orphan(void *context, const char *name) {
    remove_checkpoint(context, name);
    return STATUS_OK;
}

Status coordinator__sweep_orphans(Coordinator *c) {
    size_t others = 0;
    return checkpoint_orphans_visit(c->folder->checkpoints, c->results, remove_orphan, c, &others);
}
