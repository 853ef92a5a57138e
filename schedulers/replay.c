#include "schedulers/replay.h"

#include "schedulers/scheduler_internal.h"
#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_SIZE = 96 };

typedef struct Arm {
    ReplayStep *steps; /* points into `points` */
    double     *points;
    size_t      count;
    char        label[LABEL_SIZE];
} Arm;

typedef struct Replay {
    SchedulerSetup setup;
    SegmentTree    tree;
    Arm           *arms;
    size_t         count;
    int64_t        seeds;
    int64_t        first_trial;
    SchedulerOrder order;
    int64_t        first_open; /* no trial before this one can be continued */
} Replay;

static const OptionSpec replay_options[] = {{.name = NULL}};

static void replay_destroy(void *self) {
    Replay *replay = self;
    if (replay == NULL) {
        return;
    }
    for (size_t i = 0; replay->arms != NULL && i < replay->count; i++) {
        free(replay->arms[i].steps);
        free(replay->arms[i].points);
    }
    free(replay->arms);
    segment_tree_reset(&replay->tree);
    free(replay);
}

/* ---- deciding ------------------------------------------------------------------------------ */

static const Arm *arm_of(const Replay *replay, int64_t trial) {
    return &replay->arms[(trial - replay->first_trial) / replay->seeds];
}

/* index of the step that comes after a segment */
static size_t step_after(const Arm *arm, const SegmentNode *node) {
    size_t step = 0;
    while (step < arm->count && arm->steps[step].begin < node->end) {
        step++;
    }
    return step;
}

static const SegmentNode *newest(const Replay *replay, int64_t trial) {
    return segment_tree_at(&replay->tree, segment_tree_last(&replay->tree, trial));
}

/* the chain of `trial` gets no further segment, whatever comes */
static bool has_ended(const Replay *replay, int64_t trial) {
    const SegmentNode *node = newest(replay, trial);
    const Arm         *arm = arm_of(replay, trial);
    return node != NULL && (node->state == NODE_FAILED ||
                            (node->state == NODE_FINISHED && step_after(arm, node) == arm->count));
}

static bool is_ready(const Replay *replay, int64_t trial) {
    const SegmentNode *node = newest(replay, trial);
    return node == NULL || (node->state == NODE_FINISHED && !has_ended(replay, trial));
}

static void run_step(const Replay *replay, int64_t trial, Decision *decision) {
    const SegmentNode *node = newest(replay, trial);
    const Arm         *arm = arm_of(replay, trial);
    const ReplayStep  *step = &arm->steps[(node == NULL) ? 0 : step_after(arm, node)];
    decision->kind = DECISION_RUN;
    decision->parent = (node == NULL) ? 0 : node->id;
    decision->trial = trial;
    decision->begin = step->begin;
    decision->end = step->end;
    memcpy(decision->point, step->point, replay->tree.values * sizeof *decision->point);
    (void)snprintf(decision->reason, sizeof decision->reason, "confirm");
    (void)snprintf(decision->note, sizeof decision->note, "%s, seed %" PRId64 " of %" PRId64,
                   arm->label, (trial - replay->first_trial) % replay->seeds + 1, replay->seeds);
}

/* number of the step that a chain stands at: open, or to be run next */
static size_t level_of(const Replay *replay, int64_t trial) {
    const SegmentNode *node = newest(replay, trial);
    if (node == NULL) {
        return 0;
    }
    const size_t next = step_after(arm_of(replay, trial), node);
    return (node->state == NODE_OPEN) ? next - 1 : next;
}

/* Behind a barrier all chains go step by step, so that neither the number of workers nor an
 * interruption between two decisions changes who gets which id. */
static size_t highest_level(const Replay *replay, int64_t past) {
    size_t lowest = SIZE_MAX;
    if (replay->order != SCHEDULER_ORDER_BARRIER) {
        return SIZE_MAX;
    }
    for (int64_t trial = replay->first_open; trial < past; trial++) {
        if (!has_ended(replay, trial) && level_of(replay, trial) < lowest) {
            lowest = level_of(replay, trial);
        }
    }
    return lowest;
}

static Status replay_decide(const void *self, int64_t number, Decision *decision) {
    (void)number;
    const Replay *replay = self;
    const int64_t past = replay->first_trial + (int64_t)replay->count * replay->seeds;
    const size_t  highest = highest_level(replay, past);
    for (int64_t trial = replay->first_open; trial < past; trial++) {
        if (is_ready(replay, trial) && level_of(replay, trial) <= highest) {
            run_step(replay, trial, decision);
            return STATUS_OK;
        }
    }
    if (replay->tree.open > 0) {
        scheduler__wait(decision);
    } else {
        scheduler__done(decision, false, "%zu schedules have run on %" PRId64 " seeds each",
                        replay->count, replay->seeds);
    }
    return STATUS_OK;
}

static Status replay_observe(void *self, const Event *event) {
    Replay       *replay = self;
    const int64_t past = replay->first_trial + (int64_t)replay->count * replay->seeds;
    TRY(segment_tree_observe(&replay->tree, event));
    while (replay->first_open < past && has_ended(replay, replay->first_open)) {
        replay->first_open++;
    }
    return STATUS_OK;
}

static SchedulerOrder replay_order(const void *self) {
    return ((const Replay *)self)->order;
}

/* the end of a chain is needed until the chain has ended, and nice to have afterwards */
static Keeps replay_keeps(const void *self, int64_t segment) {
    const Replay      *replay = self;
    const SegmentNode *node = segment_tree_at(&replay->tree, segment);
    const SegmentNode *last = newest(replay, node->trial);
    if (last->id == segment) {
        return has_ended(replay, node->trial) ? KEEPS_MAYBE : KEEPS_YES;
    }
    return (last->state == NODE_OPEN && last->parent == segment) ? KEEPS_YES : KEEPS_NEVER;
}

static Status replay_ops_create(const SchedulerSetup *setup, const double *values, void **self) {
    (void)setup;
    (void)values;
    *self = NULL;
    FAIL(STATUS_ERR_ARG, "a replay is made by replay_create()");
}

static const SchedulerOps replay_ops = {
    .name = "replay",
    .source = "this project",
    .help =
        "Trains given schedules from scratch on fresh seeds. Made by `confirm:`, not by a study "
        "file.",
    .options = replay_options,
    .create = replay_ops_create,
    .order = replay_order,
    .decide = replay_decide,
    .observe = replay_observe,
    .keeps = replay_keeps,
    .destroy = replay_destroy,
};

/* ---- making one ---------------------------------------------------------------------------- */

static Status check_arm(const ReplayArm *arm, size_t index, const SchedulerSetup *setup) {
    if (arm->count < 1) {
        FAIL(STATUS_ERR_ARG, "schedule %zu has no segments", index);
    }
    if (arm->count > 1 && !setup->can_branch) {
        FAIL(STATUS_ERR_ARG, "schedule %zu has %zu segments, but the trainer writes no checkpoints",
             index, arm->count);
    }
    int64_t end = 0;
    for (size_t i = 0; i < arm->count; i++) {
        const ReplayStep *step = &arm->steps[i];
        if (step->begin != end || step->end <= step->begin) {
            FAIL(STATUS_ERR_ARG,
                 "schedule %zu, segment %zu goes from %" PRId64 " to %" PRId64
                 "; expected to begin at %" PRId64 " and to end after it",
                 index, i, step->begin, step->end, end);
        }
        if (space_check(setup->space, step->point) != STATUS_OK) {
            (void)status_prefix("schedule %zu, segment %zu", index, i);
            return STATUS_ERR_ARG;
        }
        end = step->end;
    }
    return STATUS_OK;
}

static Status copy_arm(const ReplayArm *from, size_t index, size_t values, Arm *to) {
    to->steps = calloc(from->count, sizeof *to->steps);
    to->points = calloc(from->count * (values + 1), sizeof *to->points);
    if (to->steps == NULL || to->points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a schedule of %zu segments", from->count);
    }
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        double *point = to->points + i * (values + 1);
        memcpy(point, from->steps[i].point, values * sizeof *point);
        to->steps[i] =
            (ReplayStep){.begin = from->steps[i].begin, .end = from->steps[i].end, .point = point};
    }
    if (from->label != NULL) {
        (void)snprintf(to->label, sizeof to->label, "%s", from->label);
    } else {
        (void)snprintf(to->label, sizeof to->label, "schedule %zu", index);
    }
    return STATUS_OK;
}

/* the budget is what the arms need */
static void set_budget(SchedulerSetup *setup, const Arm *arms, size_t count, int64_t seeds) {
    setup->per_trial = 1;
    setup->segment = INT64_MAX;
    setup->total = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t depth = arms[i].steps[arms[i].count - 1].end;
        setup->per_trial = (depth > setup->per_trial) ? depth : setup->per_trial;
        setup->total += depth * seeds;
        for (size_t j = 0; j < arms[i].count; j++) {
            const int64_t length = arms[i].steps[j].end - arms[i].steps[j].begin;
            setup->segment = (length < setup->segment) ? length : setup->segment;
        }
    }
}

static Status build(Replay *replay, const ReplayArm *arms, const SchedulerSetup *setup) {
    replay->setup = *setup;
    replay->arms = calloc(replay->count, sizeof *replay->arms);
    if (replay->arms == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu schedules", replay->count);
    }
    for (size_t i = 0; i < replay->count; i++) {
        TRY(copy_arm(&arms[i], i, space_count(setup->space), &replay->arms[i]));
    }
    set_budget(&replay->setup, replay->arms, replay->count, replay->seeds);
    return STATUS_OK;
}

Status replay_create(const ReplayArm *arms, size_t count, int64_t seeds, int64_t first_trial,
                     int64_t first_segment, SchedulerOrder order, const SchedulerSetup *setup,
                     Scheduler **out) {
    *out = NULL;
    TRY(scheduler__check_setup(setup));
    if (count < 1 || seeds < 1 || first_trial < 0 || first_segment < 1) {
        FAIL(STATUS_ERR_ARG,
             "a replay of %zu schedules on %" PRId64 " seeds from trial %" PRId64
             " and segment %" PRId64 " on; expected at least 1, 1, 0 and 1",
             count, seeds, first_trial, first_segment);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(check_arm(&arms[i], i, setup));
    }
    Replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a replay");
    }
    replay->count = count;
    replay->seeds = seeds;
    replay->first_trial = first_trial;
    replay->first_open = first_trial;
    replay->order = order;
    Status status = build(replay, arms, setup);
    if (status == STATUS_OK) {
        segment_tree_init(&replay->tree, &replay->setup, first_segment, first_trial);
        const SchedulerFirst first = {.segment = first_segment, .trial = first_trial};
        status = scheduler__wrap(&replay_ops, &replay->setup, first, replay, out);
    }
    if (status != STATUS_OK) {
        replay_destroy(replay);
    }
    return status;
}
