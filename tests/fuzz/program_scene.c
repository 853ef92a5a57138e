#include "tests/fuzz/program_scene.h"

#include "core/file.h"
#include "tuner/checkpoint_name.h"
#include "tuner/coordinator_state.h"
#include "workers/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2, PATH_BYTES = 512, LOCK_SECONDS = 30 };

/* A slot's cancellation goes out by MPI to a worker, and here is none (the linker has the calls of
 * crew_cancel() come here). */
Status __wrap_crew_cancel(Crew *crew, size_t slot);
Status __wrap_crew_cancel(Crew *crew, size_t slot) {
    (void)crew;
    (void)slot;
    return STATUS_OK;
}

static Status open(Coordinator *c) {
    TRY(coordinator__open(c));
    c->slots = calloc(SLOTS, sizeof *c->slots);
    if (c->slots == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for slots");
    }
    c->slot_count = SLOTS;
    c->slots[0] = (Slot){.usable = true, .worker = 1, .host = "here"};
    c->trainer_heard = true;
    return STATUS_OK;
}

static Status commit(Coordinator *c) {
    if (c->open) {
        TRY(results_commit(c->results));
        c->open = false;
    }
    coordinator__sweep(c);
    return STATUS_OK;
}

/* ---- training ------------------------------------------------------------------------------- */

/* as coordinator__assign(), for one slot and one piece of work */
static Status hand_out(Coordinator *c, size_t index) {
    Slot *slot = &c->slots[0];
    TRY(coordinator__begin(c));
    slot->work = coordinator__unqueue(c, index);
    slot->busy = true;
    return coordinator__record_attempt(c, &slot->work, slot);
}

static Status say(Coordinator *c, const Work *work, int64_t step, const char *name, double value) {
    const News news = {.kind = NEWS_METRIC,
                       .evaluate = work->kind == WORK_EVALUATION,
                       .id = work->id,
                       .attempt = work->attempt,
                       .step = step,
                       .name = name,
                       .value = value};
    return coordinator__take(c, &news);
}

/* a file instead of a folder, which a checkpoint may be, too */
static Status write_checkpoint(Coordinator *c, News *news) {
    char        name[CHECKPOINT_NAME_BYTES];
    char        path[PATH_BYTES];
    Checkpoints checkpoints;
    checkpoint_name(news->id, news->attempt, name);
    (void)snprintf(path, sizeof path, "%s/%s.tmp", c->folder->checkpoints, name);
    TRY(file_write_atomic(path, name, strlen(name)));
    TRY(checkpoints_init(&checkpoints, c->folder->path));
    const Status status =
        checkpoint_finish(&checkpoints, name, &news->checkpoint_bytes, &news->checkpoint_checksum);
    checkpoints_reset(&checkpoints);
    news->checkpoint_kept = true;
    return status;
}

/* one order from its metrics to its end */
static Status train(Coordinator *c, Outcome outcome) {
    const Work work = c->slots[0].work;
    News       news = {.kind = NEWS_FINISHED,
                       .evaluate = work.kind == WORK_EVALUATION,
                       .id = work.id,
                       .attempt = work.attempt,
                       .outcome = outcome,
                       .text = (outcome == OUTCOME_DONE) ? NULL : "it fell",
                       .busy_seconds = 1.0,
                       .deterministic = true,
                       .can_checkpoint = true};
    if (news.evaluate) {
        TRY(say(c, &work, 1, "reward", (double)work.id));
        return coordinator__take(c, &news);
    }
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(c->results, NULL, work.id, &row));
    news.end = (outcome == OUTCOME_PREEMPTED) ? row.begin + 1 : 0;
    TRY(say(c, &work, row.begin + 1, "reward", 0.1 * (double)(work.id % 5)));
    TRY(say(c, &work, row.begin + 1, "power", 1.0));
    if (outcome != OUTCOME_PREEMPTED) {
        TRY(say(c, &work, row.end, "reward", 0.1 * (double)(work.id % 7)));
        TRY(say(c, &work, row.end, "power", 2.0));
    }
    if (outcome == OUTCOME_DONE || outcome == OUTCOME_PREEMPTED) {
        TRY(write_checkpoint(c, &news));
    }
    return coordinator__take(c, &news);
}

static Status settle(Coordinator *c) {
    do {
        TRY(coordinator__observe(c));
        TRY(coordinator__decide(c));
    } while (decider_busy(c->decider));
    return STATUS_OK;
}

static Status train_some(Coordinator *c, int64_t rounds) {
    TRY(open(c));
    for (int64_t round = 0; round < rounds; round++) {
        TRY(settle(c));
        if (c->queue.count == 0) {
            FAIL(STATUS_ERR_STATE, "nothing is queued in round %lld", (long long)round);
        }
        TRY(hand_out(c, 0));
        TRY(train(c, (round == 3)            ? OUTCOME_DIVERGED
                     : (round + 1 == rounds) ? OUTCOME_PREEMPTED
                                             : OUTCOME_DONE));
    }
    c->slots[1].usable = true; /* so that another one is decided behind what yielded */
    TRY(settle(c));
    if (c->queue.count > 1) {
        TRY(hand_out(c, 1));
        TRY(train(c, OUTCOME_DONE)); /* the scheduler does not learn of it any more */
    }
    TRY(coordinator__begin(c));
    TRY(results_study_set(c->results, "interrupted", ""));
    return commit(c);
}

/* ---- both ----------------------------------------------------------------------------------- */

static Status serve(Coordinator *c) {
    int64_t requeued = 0;
    TRY(open(c));
    if (c->queue.count > 0) {
        TRY(hand_out(c, 0));
        TRY(commit(c));
    }
    TRY(coordinator__serve_requests(c, true));
    TRY(coordinator__begin(c));
    TRY(results_reconcile(c->results, &requeued)); /* as a run that was interrupted */
    return commit(c);
}

static Status with_study(const Study *study, const char *path, bool trains, int64_t rounds) {
    StudyFolder folder = {.lock = -1};
    TRY(study_folder_init(path, &folder));
    const CoordinatorSetup setup = {
        .study = study, .folder = &folder, .quiet = true, .lock_seconds = LOCK_SECONDS};
    Coordinator c = {.setup = &setup, .study = study, .folder = &folder};
    progress_init(&c.progress, true, 0, false);
    const Status    status = trains ? train_some(&c, rounds) : serve(&c);
    const ErrorInfo error = *status_last();
    coordinator__destroy(&c); /* rolls back what is open */
    study_folder_reset(&folder);
    return (status == STATUS_OK) ? STATUS_OK
                                 : status_fail(status, error.native, error.file, error.line,
                                               error.func, "%s", error.text);
}

Status program_scene_train(const Study *study, const char *path, int64_t rounds) {
    return with_study(study, path, true, rounds);
}

Status program_scene_serve(const Study *study, const char *path) {
    return with_study(study, path, false, 0);
}
