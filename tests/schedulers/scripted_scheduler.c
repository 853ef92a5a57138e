#include "tests/schedulers/scripted_scheduler.h"

#include "tests/support/test_support.h"

#include "schedulers/scheduler_internal.h"
#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCRIPTED_TOTAL = 1000 };

/* ---- the cases ----------------------------------------------------------------------------- */

#define STEPS(array) (array), sizeof(array) / sizeof((array)[0])
#define RUN(trial_, parent_, begin_, end_) \
    .kind = DECISION_RUN, .trial = (trial_), .parent = (parent_), .begin = (begin_), .end = (end_)

static const ScriptedStep barrier_failure[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(1, 0, 0, 5), .unit = 0.2, .reason = "initial"},
    {RUN(2, 0, 0, 5), .unit = 0.8, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = -1, .barrier = true, .reason = "continue"},
    {RUN(1, 2, 5, 10), .unit = -1, .when = SCRIPTED_IF_DONE, .of = 2, .reason = "continue"},
    {RUN(1, 1, 5, 10), .unit = 0.4, .branch = true, .when = SCRIPTED_IF_FAILED, .of = 2,
     .reason = "replace"},
    {RUN(2, 3, 5, 10), .unit = -1, .reason = "continue"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep repeats[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(1, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(2, 0, 0, 5), .unit = 0.3, .reason = "initial"},
    {RUN(3, 0, 0, 5), .unit = 0.3, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = -1, .reason = "continue"},
    {RUN(1, 2, 5, 10), .unit = -1, .reason = "continue"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep evaluation[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = 0.6, .reason = "continue"},
    {.kind = DECISION_EVALUATE, .parent = 1, .episodes = 3, .reason = "evaluate"},
    {.kind = DECISION_EVALUATE, .parent = 2, .episodes = 2, .reason = "evaluate"},
    {RUN(0, 2, 10, 15), .unit = -1, .barrier = true, .reason = "continue"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep long_segment[] = {
    {RUN(0, 0, 0, 400), .unit = -1, .reason = "initial"},
    {RUN(0, 1, 400, 500), .unit = -1, .reason = "continue"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep interleaved[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(1, 0, 0, 5), .unit = 0.7, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = -1, .reason = "continue"},
    {RUN(1, 1, 5, 10), .unit = 0.5, .branch = true, .after = 2, .reason = "exploit"},
    {RUN(0, 3, 10, 15), .unit = -1, .reason = "continue"},
    {RUN(1, 4, 10, 15), .unit = -1, .reason = "continue"},
    {RUN(1, 1, 5, 10), .unit = 0.1, .branch = true, .after = 6, .reason = "backtrack"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep recomputed[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = -1, .reason = "continue"},
    {RUN(0, 2, 10, 15), .unit = -1, .reason = "continue"},
    {RUN(0, 2, 10, 15), .unit = 0.9, .branch = true, .after = 3, .reason = "backtrack"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep memo[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .memo_size = SCHEDULER_MEMO_BYTES, .reason = "initial"},
    {RUN(0, 1, 5, 10), .unit = -1, .memo_size = 3, .reason = "continue"},
    {.kind = DECISION_DONE, .barrier = true, .reason = "the script has ended"},
};

static const ScriptedStep failure[] = {
    {RUN(0, 0, 0, 5), .unit = -1, .reason = "initial"},
    {.kind = DECISION_DONE, .barrier = true, .failed = true, .reason = "the script has failed"},
};

static const ScriptedCase cases[] = {
    {"barrier-failure", SCHEDULER_ORDER_BARRIER, STEPS(barrier_failure), 20, 5, 1, 1, 0, 2, 0},
    {"repeats", SCHEDULER_ORDER_ANY, STEPS(repeats), 10, 5, 2, 1, 0, 0, 0},
    {"evaluation", SCHEDULER_ORDER_ANY, STEPS(evaluation), 20, 5, 1, 1, 0, 0, 0},
    {"objectives", SCHEDULER_ORDER_BARRIER, STEPS(barrier_failure), 20, 5, 1, 2, 1, 0, 0},
    {"yield", SCHEDULER_ORDER_ANY, STEPS(long_segment), 500, 100, 1, 1, 0, 0, 0},
    {"interleaved", SCHEDULER_ORDER_ANY, STEPS(interleaved), 20, 5, 1, 1, 0, 0, 0},
    {"recomputed", SCHEDULER_ORDER_ANY, STEPS(recomputed), 20, 5, 1, 1, 0, 0, 2},
    {"memo", SCHEDULER_ORDER_ANY, STEPS(memo), 20, 5, 1, 1, 0, 0, 0},
    {"failure", SCHEDULER_ORDER_ANY, STEPS(failure), 20, 5, 1, 1, 0, 1, 0},
};

size_t scripted_count(void) {
    return sizeof cases / sizeof cases[0];
}

const ScriptedCase *scripted_at(size_t index) {
    return &cases[index];
}

const ScriptedCase *scripted_case(const char *name) {
    for (size_t i = 0; i < scripted_count(); i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return &cases[i];
        }
    }
    fail_msg("there is no script '%s'", name);
    return NULL;
}

SchedulerSetup scripted_setup(const ScriptedCase *script, const Space *space) {
    SchedulerSetup setup = {.space = space,
                            .seed = 1,
                            .per_trial = script->per_trial,
                            .segment = script->segment,
                            .total = SCRIPTED_TOTAL,
                            .repeats = script->repeats,
                            .baseline = true,
                            .can_branch = true,
                            .objective_count = script->objectives,
                            .constraint_count = script->constraints,
                            .maximize = {true}};
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        setup.constraint_lower[i] = -(double)INFINITY;
        setup.constraint_upper[i] = 8.0;
    }
    return setup;
}

/* ---- the scheduler ------------------------------------------------------------------------- */

static const ScriptedCase *in_use;

void scripted_use(const ScriptedCase *script) {
    in_use = script;
}

typedef struct Scripted {
    SchedulerSetup      setup;
    const ScriptedCase *script;
    SegmentTree         tree;
    size_t              next; /* step */
    size_t              evaluations;
} Scripted;

static const OptionSpec scripted_options[] = {{.name = NULL}};

static void scripted_destroy(void *self) {
    Scripted *scripted = self;
    if (scripted != NULL) {
        segment_tree_reset(&scripted->tree);
        free(scripted);
    }
}

static Status scripted_create(const SchedulerSetup *setup, const double *values, void **self) {
    (void)values;
    *self = NULL;
    if (in_use == NULL) {
        FAIL(STATUS_ERR_STATE, "scripted_use() comes first");
    }
    Scripted *scripted = calloc(1, sizeof *scripted);
    if (scripted == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a script");
    }
    scripted->setup = *setup;
    scripted->script = in_use;
    segment_tree_init(&scripted->tree, &scripted->setup, 1, 0);
    *self = scripted;
    return STATUS_OK;
}

static SchedulerOrder scripted_order(const void *self) {
    return ((const Scripted *)self)->script->order;
}

unsigned char scripted_memo_byte(int64_t number, size_t index) {
    return (unsigned char)((size_t)number * 37 + index * 31 + (index >> 8));
}

/* state of a segment; open if it is not decided yet */
static NodeState state_of(const Scripted *scripted, int64_t id) {
    const SegmentNode *node = segment_tree_at(&scripted->tree, id);
    return (node == NULL) ? NODE_OPEN : node->state;
}

static bool is_skipped(const Scripted *scripted, const ScriptedStep *step) {
    const NodeState state = state_of(scripted, step->of);
    return (step->when == SCRIPTED_IF_DONE && state == NODE_FAILED) ||
           (step->when == SCRIPTED_IF_FAILED && state == NODE_FINISHED);
}

static bool must_wait(const Scripted *scripted, const ScriptedStep *step) {
    const bool open = scripted->tree.open > 0 || scripted->evaluations > 0;
    return (step->barrier && open) ||
           (step->when != SCRIPTED_ALWAYS && state_of(scripted, step->of) == NODE_OPEN) ||
           (step->parent != 0 && state_of(scripted, step->parent) == NODE_OPEN) ||
           (step->after != 0 && state_of(scripted, step->after) == NODE_OPEN);
}

static size_t step_now(const Scripted *scripted) {
    size_t next = scripted->next;
    while (next < scripted->script->count && is_skipped(scripted, &scripted->script->steps[next])) {
        next++;
    }
    return next;
}

static void write_point(const Scripted *scripted, const ScriptedStep *step, double *point) {
    const Space  *space = scripted->setup.space;
    const size_t  n = space_count(space);
    const double *parent = segment_tree_point(&scripted->tree, step->parent);
    double       *unit = calloc(2 * n + 1, sizeof *unit);
    double       *moved = unit + n;
    assert_non_null(unit);
    if (parent != NULL) {
        memcpy(point, parent, n * sizeof *point);
    } else {
        space_defaults(space, point);
    }
    for (size_t i = 0; i < n; i++) {
        unit[i] = step->unit;
    }
    space_decode(space, unit, moved);
    for (size_t i = 0; step->unit >= 0 && i < n; i++) {
        if (parent == NULL || space_at(space, i)->dynamic) {
            point[i] = moved[i];
        }
    }
    space_activate(space, point);
    free(unit);
}

static Status scripted_decide(const void *self, int64_t number, Decision *decision) {
    const Scripted *scripted = self;
    const size_t    next = step_now(scripted);
    if (next >= scripted->script->count) {
        scheduler__done(decision, false, "the script has ended");
        return STATUS_OK;
    }
    const ScriptedStep *step = &scripted->script->steps[next];
    if (must_wait(scripted, step)) {
        scheduler__wait(decision);
        return STATUS_OK;
    }
    decision->kind = step->kind;
    decision->parent = step->parent;
    decision->trial = step->trial;
    decision->begin = step->begin;
    decision->end = step->end;
    decision->branch = step->branch;
    decision->episodes = step->episodes;
    decision->failed = step->failed;
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", step->reason);
    if (step->kind == DECISION_RUN) {
        write_point(scripted, step, decision->point);
    }
    decision->memo_size = step->memo_size;
    for (size_t i = 0; i < step->memo_size; i++) {
        ((unsigned char *)decision->memo)[i] = scripted_memo_byte(number, i);
    }
    return STATUS_OK;
}

static Status check_memo(const ScriptedStep *step, const Decision *decision) {
    const unsigned char *bytes = decision->memo;
    bool                 same = decision->memo_size == step->memo_size;
    for (size_t i = 0; same && i < step->memo_size; i++) {
        same = bytes[i] == scripted_memo_byte(decision->number, i);
    }
    if (!same) {
        FAIL(STATUS_ERR_CORRUPT, "the memo of decision %" PRId64 " came back changed",
             decision->number);
    }
    return STATUS_OK;
}

static Status observe_decided(Scripted *scripted, const Event *event) {
    const size_t next = step_now(scripted);
    if (next < scripted->script->count) {
        TRY(check_memo(&scripted->script->steps[next], event->decision));
    }
    TRY(segment_tree_observe(&scripted->tree, event));
    scripted->next = next + 1;
    scripted->evaluations += event->decision->kind == DECISION_EVALUATE;
    return STATUS_OK;
}

static Status scripted_observe(void *self, const Event *event) {
    Scripted *scripted = self;
    if (event->kind == EVENT_DECIDED) {
        return observe_decided(scripted, event);
    }
    scripted->evaluations -= event->kind == EVENT_EVALUATED;
    return segment_tree_observe(&scripted->tree, event);
}

static Keeps scripted_keeps(const void *self, int64_t segment) {
    return (((const Scripted *)self)->script->never_kept == segment) ? KEEPS_NEVER : KEEPS_YES;
}

const SchedulerOps scheduler_scripted_ops = {
    .name = "scripted",
    .source = "tests",
    .help = "Does what a script says. For tests.",
    .options = scripted_options,
    .create = scripted_create,
    .order = scripted_order,
    .decide = scripted_decide,
    .observe = scripted_observe,
    .keeps = scripted_keeps,
    .destroy = scripted_destroy,
};
