/* One slot: an order comes in, its checkpoint is verified, its trainer works, its own checkpoint is
 * made durable, and only then is it finished. Everything that goes wrong becomes the outcome of the
 * order with its reason; a Status means that the worker itself cannot go on.
 */
#include "core/clock.h"
#include "core/file.h"
#include "workers/worker_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* with less than this, or than the last checkpoint took, a file system counts as full */
static const uint64_t least_room_bytes = 1 << 20;

/* "3,4" from the host's allowed cores; "" if they do not fit */
static void write_cores(const cpu_set_t *allowed, int64_t first, int64_t count, char *out) {
    size_t  used = 0;
    int64_t index = 0;
    out[0] = '\0';
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, allowed)) {
            continue;
        }
        if (index >= first && index < first + count) {
            const int n = snprintf(out + used, WORKER_CORES_TEXT - used, "%s%zu",
                                   (used > 0) ? "," : "", core);
            used += (n > 0) ? (size_t)n : 0;
            if (used >= WORKER_CORES_TEXT) {
                out[0] = '\0';
                return;
            }
        }
        index++;
    }
}

Status worker__slot_init(Worker *w, size_t index, const CrewShare *share) {
    WorkerSlot   *slot = &w->slots[index];
    const int64_t number = (int64_t)index;
    const int64_t gpus = w->config.gpus;
    buffer_init(&slot->line, PROTOCOL_LINE_BYTES);
    const int length = snprintf(slot->log_path, sizeof slot->log_path, "%s/logs/trainer-%d-%zu.log",
                                w->config.study_folder, w->rank, index);
    if (length < 0 || (size_t)length >= sizeof slot->log_path) {
        FAIL(STATUS_ERR_RANGE, "the path of the study is too long: %s", w->config.study_folder);
    }
    if (share->first_core >= 0) {
        write_cores(&share->cores, share->first_core + number * w->config.cores, w->config.cores,
                    slot->cores);
    }
    buffer_init(&slot->gpus, (size_t)HOST_MOST_GPUS * HOST_GPU_BYTES);
    if (gpus > 0) { /* where there are too few the coordinator refuses this worker */
        host_gpus_write(&share->gpus, (size_t)(share->first_gpu + number * gpus), (size_t)gpus,
                        &slot->gpus);
        TRY(buffer_status(&slot->gpus));
    }
    const TrainerSetup setup = {
        .binary = w->setup->binary,
        .command = w->command,
        .hello = w->config.hello,
        .log_path = slot->log_path,
        .cores = (slot->cores[0] != '\0') ? slot->cores : NULL,
        .gpus = (gpus > 0) ? buffer_text(&slot->gpus) : NULL,
        .threads = w->config.cores,
        .memory_bytes = w->config.memory_bytes,
        .start_seconds = w->config.start_seconds,
        .silence_seconds = w->config.silence_seconds,
        .segment_seconds = w->config.segment_seconds,
        .supervisors = w->supervisors,
        .supervisor_count = w->slot_count,
        .slot = index,
    };
    return trainer_create(&setup, &slot->trainer);
}

void worker__slot_reset(WorkerSlot *slot) {
    trainer_destroy(slot->trainer);
    slot->trainer = NULL;
    buffer_reset(&slot->line);
    buffer_reset(&slot->gpus);
}

static News about(const WorkerSlot *slot, size_t index, NewsKind kind) {
    return (News){.kind = kind,
                  .slot = index,
                  .evaluate = slot->evaluate,
                  .id = slot->id,
                  .attempt = slot->attempt};
}

static Status finish(Worker *w, size_t index, const News *news) {
    w->slots[index].has_order = false;
    w->slots[index].is_given = false;
    w->finished_at = clock_monotonic();
    return worker__say(w, news);
}

/* ---- whose fault it was ---- */

/* `text` lies in w->text from now on: status_last() changes with every look at the disk */
static void set_text(Worker *w, News *news, const char *text) {
    if (text != w->text) {
        (void)snprintf(w->text, sizeof w->text, "%s", (text == NULL) ? "" : text);
    }
    news->text = w->text;
}

static bool is_full(long native) {
    return native == ENOSPC || native == EDQUOT;
}

/* a trainer can only say it; C, Python and most others use the C library's words */
static bool says_full(const char *text) {
    return strstr(text, "No space left on device") != NULL ||
           strstr(text, "Disk quota exceeded") != NULL;
}

/* could the disk have ended it so? Not what only numbers or memory do */
static bool may_be_disk(Outcome outcome) {
    return outcome == OUTCOME_CRASHED || outcome == OUTCOME_KILLED || outcome == OUTCOME_PROTOCOL ||
           outcome == OUTCOME_TIMEOUT || outcome == OUTCOME_LOST;
}

/* An order that ended badly while checkpoints/ is full or cannot be written: nobody's fault, and
 * trying again is useless before somebody mends it. Called before its leftovers are removed.
 * @param native  errno of what failed here, or 0 */
static void excuse_disk(Worker *w, long native, News *news) {
    const char    *folder = w->checkpoints.folder;
    const uint64_t needed =
        (w->checkpoint_bytes > least_room_bytes) ? w->checkpoint_bytes : least_room_bytes;
    uint64_t   room = 0;
    char       why[MESSAGE_TEXT_BYTES];
    const bool measured = file_space(folder, &room) == STATUS_OK;
    const bool full = is_full(native) || says_full(w->text) || (measured && room < needed);
    const bool closed = access(folder, W_OK) != 0; /* EROFS, also for root */
    if (!may_be_disk(news->outcome) || !(full || closed)) {
        return;
    }
    /* a long tail of stderr is cut */
    (void)snprintf(why, sizeof why, "%s", w->text);
    if (closed) {
        (void)snprintf(w->text, sizeof w->text, "%.1200s cannot be written; %.4500s", folder, why);
    } else {
        (void)snprintf(w->text, sizeof w->text,
                       "no space left: %.1200s has %" PRIu64 " bytes free; %.4500s", folder, room,
                       why);
    }
    news->outcome = OUTCOME_LOST;
    news->no_space = true;
}

/* a trainer that failed may have read what has changed since it was verified */
static void excuse_damage(Worker *w, const WorkerSlot *slot, News *news) {
    if (slot->resume_from[0] == '\0' || news->outcome == OUTCOME_CANCELLED || news->no_space) {
        return;
    }
    checkpoint_forget(&w->checkpoints, slot->resume_from);
    if (checkpoint_verify(&w->checkpoints, slot->resume_from, slot->resume_bytes,
                          slot->resume_checksum) != STATUS_ERR_CORRUPT) {
        return;
    }
    set_text(w, news, status_last()->text);
    news->outcome = OUTCOME_LOST;
    news->damaged = true;
}

/* an order that ends before its trainer saw it. @param native  errno of what failed, or 0 */
static Status finish_early(Worker *w, size_t index, Outcome outcome, long native,
                           const char *text) {
    News news = about(&w->slots[index], index, NEWS_FINISHED);
    news.outcome = outcome;
    set_text(w, &news, text);
    excuse_disk(w, native, &news);
    return finish(w, index, &news);
}

static Status finish_damaged(Worker *w, size_t index) {
    News news = about(&w->slots[index], index, NEWS_FINISHED);
    news.outcome = OUTCOME_LOST;
    news.damaged = true;
    set_text(w, &news, status_last()->text);
    return finish(w, index, &news);
}

/* ---- from the coordinator ---- */

static Status give_to_trainer(Worker *w, size_t index) {
    WorkerSlot *slot = &w->slots[index];
    if (!trainer_ready(slot->trainer)) {
        return STATUS_OK; /* once the old process has gone */
    }
    const Status status = trainer_order(slot->trainer, buffer_text(&slot->line), slot->id);
    if (status != STATUS_OK) {
        const bool own_fault = status == STATUS_ERR_PROTOCOL;
        return finish_early(w, index, own_fault ? OUTCOME_PROTOCOL : OUTCOME_CRASHED,
                            status_last()->native, status_last()->text);
    }
    slot->is_given = true;
    return STATUS_OK;
}

Status worker__slot_order(Worker *w, size_t index, const Order *order) {
    WorkerSlot *slot = &w->slots[index];
    if (slot->has_order) {
        FAIL(STATUS_ERR_STATE, "slot %zu has segment or evaluation %" PRId64 " already", index,
             slot->id);
    }
    slot->has_order = true;
    slot->is_given = false;
    slot->evaluate = order->evaluate;
    slot->id = order->id;
    slot->attempt = order->attempt;
    (void)snprintf(slot->checkpoint, sizeof slot->checkpoint, "%s", order->checkpoint);
    (void)snprintf(slot->resume_from, sizeof slot->resume_from, "%s", order->resume_from);
    slot->resume_bytes = order->resume_bytes;
    slot->resume_checksum = order->resume_checksum;
    buffer_clear(&slot->line);
    buffer_puts(&slot->line, order->line);
    Status status = buffer_status(&slot->line);
    if (status == STATUS_OK && order->checkpoint[0] != '\0') {
        status = checkpoint_prepare(&w->checkpoints, order->checkpoint);
    }
    if (status != STATUS_OK) { /* a full or broken disk is nobody's own fault */
        return finish_early(w, index, OUTCOME_LOST, status_last()->native, status_last()->text);
    }
    if (order->resume_from[0] != '\0') {
        status = checkpoint_verify(&w->checkpoints, order->resume_from, order->resume_bytes,
                                   order->resume_checksum);
    }
    if (status == STATUS_ERR_CORRUPT) {
        return finish_damaged(w, index);
    }
    if (status != STATUS_OK) {
        return finish_early(w, index, OUTCOME_LOST, status_last()->native, status_last()->text);
    }
    return give_to_trainer(w, index);
}

Status worker__slot_yield(Worker *w, size_t index) {
    const WorkerSlot *slot = &w->slots[index];
    if (!slot->has_order) {
        return STATUS_OK; /* it ended while the message was on its way */
    }
    if (!slot->is_given) {
        return finish_early(w, index, OUTCOME_CANCELLED, 0, "yielded before it began");
    }
    trainer_yield(slot->trainer);
    return STATUS_OK;
}

Status worker__slot_cancel(Worker *w, size_t index) {
    const WorkerSlot *slot = &w->slots[index];
    if (!slot->has_order) {
        return STATUS_OK;
    }
    if (!slot->is_given) {
        return finish_early(w, index, OUTCOME_CANCELLED, 0, "cancelled");
    }
    trainer_cancel(slot->trainer);
    return STATUS_OK;
}

/* ---- from the trainer ---- */

static Status say_metric(Worker *w, size_t index, const Reply *reply) {
    News  news = about(&w->slots[index], index, NEWS_METRIC);
    Json *value = NULL;
    news.step = reply->step;
    news.index = reply->index;
    for (size_t i = 0; json_member(reply->values, i, &news.name, &value); i++) {
        news.value = json_number(value);
        TRY(worker__say(w, &news));
    }
    return STATUS_OK;
}

static Status say_log(Worker *w, size_t index, const TrainerEvent *event) {
    News news = about(&w->slots[index], index, NEWS_LOG);
    if (!w->slots[index].has_order) {
        news.id = 0;
    }
    news.level = event->level;
    news.text = event->text;
    return worker__say(w, &news);
}

static bool ended_well(Outcome outcome) {
    return outcome == OUTCOME_DONE || outcome == OUTCOME_PREEMPTED;
}

/* the checkpoint of what ended well; on failure the outcome changes. @return errno of it, or 0 */
static long keep_checkpoint(Worker *w, WorkerSlot *slot, News *news) {
    const Status status = checkpoint_finish(&w->checkpoints, slot->checkpoint,
                                            &news->checkpoint_bytes, &news->checkpoint_checksum);
    if (status == STATUS_OK) {
        news->checkpoint_kept = true;
        w->checkpoint_bytes = news->checkpoint_bytes;
        return 0;
    }
    /* not written: the trainer broke its word; not saved: the disk did */
    news->outcome = (status == STATUS_ERR_PROTOCOL) ? OUTCOME_PROTOCOL : OUTCOME_LOST;
    const long native = status_last()->native;
    set_text(w, news, status_last()->text);
    news->end = 0;
    trainer_cancel(slot->trainer);
    return native;
}

static Status say_over(Worker *w, size_t index, const TrainerEvent *event) {
    WorkerSlot *slot = &w->slots[index];
    News        news = about(slot, index, NEWS_FINISHED);
    long        native = 0;
    const bool  wanted = slot->checkpoint[0] != '\0' && !slot->evaluate;
    news.outcome = event->outcome;
    set_text(w, &news, event->text);
    news.end = event->end;
    news.busy_seconds = event->busy_seconds;
    news.deterministic = trainer_deterministic(slot->trainer);
    news.can_checkpoint = trainer_can_checkpoint(slot->trainer);
    if (wanted && ended_well(event->outcome) && news.can_checkpoint) {
        native = keep_checkpoint(w, slot, &news);
    }
    if (!ended_well(news.outcome)) {
        excuse_disk(w, native, &news);
        excuse_damage(w, slot, &news);
    }
    if (wanted && !ended_well(news.outcome) &&
        checkpoint_prepare(&w->checkpoints, slot->checkpoint) != STATUS_OK) {
        news.checkpoint_kept = false; /* a leftover: nothing refers to it */
    }
    news.holds = ended_well(news.outcome) && trainer_alive(slot->trainer);
    return finish(w, index, &news);
}

static Status say_event(Worker *w, size_t index, const TrainerEvent *event) {
    switch (event->kind) {
    case TRAINER_STARTED: {
        const News news = about(&w->slots[index], index, NEWS_STARTED);
        return worker__say(w, &news);
    }
    case TRAINER_METRIC:
        return say_metric(w, index, event->reply);
    case TRAINER_LOG:
        return say_log(w, index, event);
    case TRAINER_OVER:
        return say_over(w, index, event);
    }
    return STATUS_OK;
}

Status worker__slot_turn(Worker *w, size_t index, double now, bool *moved) {
    WorkerSlot  *slot = &w->slots[index];
    TrainerEvent event;
    *moved = trainer_pump(slot->trainer) || *moved;
    while (trainer_next(slot->trainer, now, &event)) {
        *moved = true;
        TRY(say_event(w, index, &event));
    }
    if (slot->has_order && !slot->is_given) {
        return give_to_trainer(w, index);
    }
    return STATUS_OK;
}
