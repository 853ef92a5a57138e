/* Which work goes to which slot. A chain is preferably continued where its agent is in memory, but
 * no slot waits for that and no result depends on it. The attempt is a row before the order leaves.
 */
#include "core/clock.h"
#include "core/file.h"
#include "tuner/checkpoint_name.h"
#include "tuner/coordinator_state.h"
#include "workers/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* what was skipped at the front is room if it is half of all, else the queue grows */
static Status make_room(WorkQueue *queue) {
    Work *block = (queue->items == NULL) ? NULL : queue->items - queue->skipped;
    if (block != NULL) {
        memmove(block, queue->items, queue->count * sizeof *queue->items);
    }
    const bool   enough = queue->skipped > 0 && queue->skipped >= queue->count;
    const size_t capacity = enough                   ? queue->capacity
                            : (queue->capacity == 0) ? 64
                                                     : 2 * queue->capacity;
    queue->items = block;
    queue->skipped = 0;
    Work *items = (capacity == queue->capacity) ? block : realloc(block, capacity * sizeof *items);
    if (items == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu queued segments", capacity);
    }
    queue->items = items;
    queue->capacity = capacity;
    return STATUS_OK;
}

Status coordinator__queue(Coordinator *c, const Work *work) {
    WorkQueue *queue = &c->queue;
    if (queue->skipped + queue->count == queue->capacity) {
        TRY(make_room(queue));
    }
    queue->items[queue->count++] = *work;
    return STATUS_OK;
}

Work coordinator__unqueue(Coordinator *c, size_t index) {
    WorkQueue   *queue = &c->queue;
    const Work   work = queue->items[index];
    const size_t behind = queue->count - index - 1;
    if (index < behind) { /* the shorter part moves: most work is taken from the front */
        memmove(&queue->items[1], &queue->items[0], index * sizeof *queue->items);
        queue->items++;
        queue->skipped++;
    } else {
        memmove(&queue->items[index], &queue->items[index + 1], behind * sizeof *queue->items);
    }
    queue->count--;
    return work;
}

size_t coordinator__free_slots(const Coordinator *c) {
    size_t count = c->wanted; /* a person is a slot for as much as they ask for */
    for (size_t i = 0; i < c->slot_count; i++) {
        count += (c->slots[i].usable && !c->slots[i].busy) ? 1 : 0;
    }
    return count;
}

/* ---- choosing -----------------------------------------------------------------------------------
 */

static bool is_under_way(const Coordinator *c, int64_t segment) {
    for (size_t i = 0; i < c->queue.count; i++) {
        if (c->queue.items[i].kind == WORK_RECOMPUTE && c->queue.items[i].id == segment) {
            return true;
        }
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i].busy && c->slots[i].work.kind == WORK_RECOMPUTE &&
            c->slots[i].work.id == segment) {
            return true;
        }
    }
    return false;
}

/* two of the same would write to the same file */
Status coordinator__recompute(Coordinator *c, int64_t segment) {
    ResultsSegment row = {.point = NULL};
    if (is_under_way(c, segment)) {
        return STATUS_OK;
    }
    TRY(results_segment_read(c->results, NULL, segment, &row));
    coordinator__log(c, "info", "computing the checkpoint of segment %" PRId64 " again", segment);
    const Work work = {
        .kind = WORK_RECOMPUTE, .id = segment, .needs = row.parent, .attempt = row.attempt};
    return coordinator__queue(c, &work);
}

/* work may start when the checkpoint it needs is on disk; a missing one is asked for again */
static Status is_ready(Coordinator *c, const Work *work, bool *ready) {
    *ready = true;
    if (work->needs == 0) {
        return STATUS_OK;
    }
    if (coordinator__is_kept(c, work->needs)) {
        return STATUS_OK;
    }
    *ready = false;
    return coordinator__recompute(c, work->needs);
}

/* Who holds what, and what is asked for, at the beginning of a round of choosing. Looking at every
 * pair of a slot and a queued segment was half of a coordinator's time with a thousand slots. */
typedef struct Round {
    IdIndex held;   /* segment -> a free slot whose trainer has it in memory */
    IdIndex needed; /* segment that queued work starts from -> 1 */
} Round;

static void round_end(Round *round) {
    id_index_reset(&round->held);
    id_index_reset(&round->needed);
}

static Status note_held(const Coordinator *c, Round *round) {
    for (size_t i = 0; i < c->slot_count; i++) {
        const Slot *slot = &c->slots[i];
        if (!slot->usable || slot->busy || slot->holds == 0) {
            continue;
        }
        TRY(id_index_set(&round->held, slot->holds, (int64_t)i));
    }
    return STATUS_OK;
}

static Status round_begin(const Coordinator *c, Round *round) {
    TRY(note_held(c, round));
    for (size_t i = 0; i < c->queue.count && round->held.count > 0; i++) {
        if (c->queue.items[i].needs == 0) {
            continue;
        }
        TRY(id_index_set(&round->needed, c->queue.items[i].needs, 1));
    }
    return STATUS_OK;
}

static bool held_by_another(const Coordinator *c, const Round *round, size_t slot,
                            int64_t segment) {
    int64_t holder = 0;
    return segment != 0 && id_index_find(&round->held, segment, &holder) &&
           (size_t)holder != slot && !c->slots[holder].busy;
}

/* index of the first ready work that goes on from what the slot holds; queue.count if none does */
static Status choose_held(Coordinator *c, const Round *round, size_t slot, size_t *index) {
    const int64_t holds = c->slots[slot].holds;
    int64_t       wanted = 0;
    *index = c->queue.count;
    if (holds == 0 || coordinator__over_quota(c) ||
        !id_index_find(&round->needed, holds, &wanted)) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < c->queue.count; i++) {
        const Work work = c->queue.items[i]; /* a copy: is_ready() may grow the queue */
        bool       ready = false;
        if (work.needs != holds) {
            continue;
        }
        TRY(is_ready(c, &work, &ready));
        if (ready) {
            *index = i;
            return STATUS_OK;
        }
    }
    *index = c->queue.count;
    return STATUS_OK;
}

/* index of the work for a slot; queue.count if nothing is ready */
static Status choose(Coordinator *c, const Round *round, size_t slot, size_t *index) {
    size_t first = SIZE_MAX;
    TRY(choose_held(c, round, slot, index));
    if (*index < c->queue.count) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < c->queue.count; i++) {
        const Work work = c->queue.items[i];
        bool       ready = false;
        if (coordinator__over_quota(c) && work.kind != WORK_EVALUATION) {
            continue; /* it would leave another checkpoint */
        }
        TRY(is_ready(c, &work, &ready));
        if (!ready) {
            continue;
        }
        first = (first == SIZE_MAX) ? i : first;
        if (!held_by_another(c, round, slot, work.needs)) {
            *index = i;
            return STATUS_OK;
        }
    }
    *index = (first != SIZE_MAX) ? first : c->queue.count;
    return STATUS_OK;
}

Status coordinator__record_attempt(Coordinator *c, Work *work, const Slot *slot) {
    work->attempt++;
    if (work->kind == WORK_EVALUATION) {
        return results_evaluation_start(c->results, work->id, work->attempt, slot->worker,
                                        slot->host);
    }
    if (work->kind == WORK_RECOMPUTE) {
        return STATUS_OK; /* its row is finished and stays so */
    }
    return results_attempt_start(c->results, work->id, work->attempt, slot->worker, slot->host);
}

static Status assign(Coordinator *c, const Round *round) {
    for (size_t i = 0; i < c->slot_count && c->queue.count > 0; i++) {
        Slot *slot = &c->slots[i];
        if (!slot->usable || slot->busy) {
            continue;
        }
        size_t index = 0;
        TRY(choose(c, round, i, &index));
        if (index >= c->queue.count) {
            return STATUS_OK;
        }
        TRY(coordinator__begin(c));
        c->urgent = true;
        slot->work = coordinator__unqueue(c, index);
        TRY(coordinator__record_attempt(c, &slot->work, slot));
        slot->busy = true;
        slot->unsent = true;
    }
    return STATUS_OK;
}

Status coordinator__assign(Coordinator *c) {
    Round round = {.held = {.entries = NULL}};
    if (c->stopping || c->queue.count == 0) {
        return STATUS_OK;
    }
    Status status = round_begin(c, &round);
    status = (status == STATUS_OK) ? assign(c, &round) : status;
    round_end(&round);
    return status;
}

/* ---- sending ------------------------------------------------------------------------------------
 */

/* where the work starts from: the checkpoint of its parent, or what an earlier attempt yielded */
static Status fill_resume(Coordinator *c, size_t slot, const Work *work, const ResultsSegment *row,
                          Order *order, char resume[CHECKPOINT_NAME_BYTES]) {
    resume[0] = '\0';
    if (work->partial) {
        checkpoint_name(work->id, row->partial_attempt, resume);
        order->resume_bytes = row->checkpoint_bytes;
        order->resume_checksum = row->checkpoint_checksum;
    } else if (work->needs != 0) {
        ResultsSegment parent = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, work->needs, &parent));
        checkpoint_name(parent.id, parent.attempt, resume);
        c->slots[slot].needs_attempt = parent.attempt;
        order->resume_bytes = parent.checkpoint_bytes;
        order->resume_checksum = parent.checkpoint_checksum;
    }
    order->resume_from = resume;
    return STATUS_OK;
}

static Status send_line(Coordinator *c, size_t slot, Order *order, Request *request,
                        const double *point, const char *checkpoint) {
    Buffer line;
    Status status = STATUS_OK;
    char  *resume_path = NULL;
    char  *checkpoint_path = NULL;
    buffer_init(&line, PROTOCOL_LINE_BYTES);
    Json *values = space_to_json(c->study->space, point);
    if (order->resume_from[0] != '\0') {
        resume_path = study_folder_checkpoint(c->folder, order->resume_from);
        request->resume_from = resume_path;
    }
    if (checkpoint[0] != '\0') {
        char temporary[CHECKPOINT_NAME_BYTES + 8];
        (void)snprintf(temporary, sizeof temporary, "%s.tmp", checkpoint);
        checkpoint_path = study_folder_checkpoint(c->folder, temporary);
        request->checkpoint_to = checkpoint_path;
    }
    request->hyperparameters = values;
    if (values == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for an order");
    } else {
        status = request_write(request, &line);
    }
    if (status == STATUS_OK) {
        line.data[strcspn(line.data, "\n")] = '\0';
        order->line = buffer_text(&line);
        order->checkpoint = checkpoint;
        status = crew_order(c->crew, slot, order);
    }
    json_release(values);
    free(resume_path);
    free(checkpoint_path);
    buffer_reset(&line);
    return status;
}

static Status send_segment(Coordinator *c, size_t slot, const Work *work, double *point) {
    ResultsSegment row = {.point = point};
    Order          order = {.id = work->id, .attempt = work->attempt};
    char           resume[CHECKPOINT_NAME_BYTES];
    char           checkpoint[CHECKPOINT_NAME_BYTES];
    TRY(results_segment_read(c->results, c->study->space, work->id, &row));
    TRY(fill_resume(c, slot, work, &row, &order, resume));
    checkpoint_name(work->id, work->attempt, checkpoint);
    c->slots[slot].end = row.end;
    Request request = {.kind = REQUEST_TRAIN,
                       .segment = work->id,
                       .parent = work->partial ? work->id : row.parent,
                       .begin = work->partial ? row.partial_end : row.begin,
                       .end = row.end,
                       .seed = row.seed};
    return send_line(c, slot, &order, &request, point, checkpoint);
}

static Status find_evaluation(void *context, const ResultsEvaluation *row) {
    ResultsEvaluation *wanted = context;
    if (row->id == wanted->id) {
        *wanted = *row;
    }
    return STATUS_OK;
}

static Status send_evaluation(Coordinator *c, size_t slot, const Work *work, double *point) {
    ResultsEvaluation evaluation = {.id = work->id};
    ResultsSegment    row = {.point = point};
    Order             order = {.evaluate = true, .id = work->id, .attempt = work->attempt};
    char              resume[CHECKPOINT_NAME_BYTES];
    TRY(results_evaluations_visit(c->results, find_evaluation, &evaluation));
    TRY(results_segment_read(c->results, c->study->space, evaluation.segment, &row));
    TRY(fill_resume(c, slot, work, &row, &order, resume));
    Request request = {.kind = REQUEST_EVALUATE,
                       .evaluation = work->id,
                       .segment = evaluation.segment,
                       .episodes = evaluation.episodes,
                       .seed = evaluation.seed};
    return send_line(c, slot, &order, &request, point, "");
}

static void note_sent(Slot *slot) {
    slot->sent = clock_monotonic();
    slot->step = 0;
    slot->step_at = slot->sent;
    slot->unit_seconds = 0.0;
}

/* utilization is what was busy between the first and the last dispatch */
static void note_dispatch(Coordinator *c) {
    const double now = clock_monotonic();
    c->last_dispatch = now;
    if (c->first_dispatch == 0.0) {
        c->first_dispatch = now;
    }
    c->busy_at_dispatch = c->busy_seconds;
    for (size_t i = 0; i < c->slot_count; i++) {
        if (c->slots[i].busy && !c->slots[i].unsent) {
            c->busy_at_dispatch += now - c->slots[i].sent;
        }
    }
}

static Status send_work(Coordinator *c, size_t index) {
    Slot *slot = &c->slots[index];
    slot->unsent = false;
    TRY((slot->work.kind == WORK_EVALUATION) ? send_evaluation(c, index, &slot->work, c->point)
                                             : send_segment(c, index, &slot->work, c->point));
    note_sent(slot);
    return STATUS_OK;
}

Status coordinator__send(Coordinator *c) {
    Status status = STATUS_OK;
    bool   any = false;
    for (size_t i = 0; i < c->slot_count && status == STATUS_OK; i++) {
        if (!c->slots[i].busy || !c->slots[i].unsent) {
            continue;
        }
        status = results_read_begin(c->results);
        status = (status == STATUS_OK) ? send_work(c, i) : status;
        any = any || status == STATUS_OK;
    }
    results_read_end(c->results);
    if (any) {
        note_dispatch(c);
    }
    return status;
}
