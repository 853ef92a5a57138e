/* Random search: static chains of segments, the control that every other scheduler is measured
 * against. Configuration c is drawn from a stream keyed by c, so the same configurations are tried
 * in whatever order results come in. Chains are finished depth-first: a free slot continues an open
 * chain before it starts a new one, and a new one starts only while there are units beyond what the
 * open ones still need.
 *
 * Source: Bergstra & Bengio (2012), Random search for hyper-parameter optimization. */
#include "schedulers/builtin.h"
#include "schedulers/point_queue.h"
#include "schedulers/scheduler_internal.h"
#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Random {
    SchedulerSetup setup;
    SegmentTree    tree;
    PointQueue     enqueued;
    int64_t        segment;    /* units of one segment */
    int64_t        first_open; /* no trial before this one can be continued */
    int64_t        reserved;   /* units that open chains need to reach their end */
} Random;

static const OptionSpec random_options[] = {{.name = NULL}};

static void random_destroy(void *self) {
    Random *random = self;
    if (random != NULL) {
        segment_tree_reset(&random->tree);
        point_queue_reset(&random->enqueued);
        free(random);
    }
}

static Status random_create(const SchedulerSetup *setup, const double *option_values, void **self) {
    (void)option_values;
    Random *random = calloc(1, sizeof *random);
    *self = NULL;
    if (random == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for random search");
    }
    random->setup = *setup;
    /* without checkpoints a chain cannot pause, so it is one segment */
    random->segment = setup->can_branch ? setup->segment : setup->per_trial;
    segment_tree_init(&random->tree, &random->setup, 1, 0);
    point_queue_init(&random->enqueued, space_count(setup->space));
    *self = random;
    return STATUS_OK;
}

static SchedulerOrder random_order(const void *self) {
    (void)self;
    return SCHEDULER_ORDER_ANY;
}

/* newest segment of a chain that may get another one now, or NULL */
static const SegmentNode *ready(const Random *random, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&random->tree, segment_tree_last(&random->tree, trial));
    return (node->state == NODE_FINISHED && node->end < random->setup.per_trial) ? node : NULL;
}

static bool ended(const Random *random, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&random->tree, segment_tree_last(&random->tree, trial));
    return node->state == NODE_FAILED ||
           (node->state == NODE_FINISHED && node->end >= random->setup.per_trial);
}

/* end of a segment that may take `left` units at most */
static int64_t end_of(const Random *random, int64_t begin, int64_t left) {
    const int64_t deep = random->setup.per_trial - begin;
    int64_t       length = (random->segment < deep) ? random->segment : deep;
    length = (length < left) ? length : left;
    return begin + length;
}

static int64_t units_left(const Random *random) {
    return random->setup.total - random->tree.units;
}

static void continue_chain(const Random *random, const SegmentNode *node, Decision *decision) {
    decision->kind = DECISION_RUN;
    decision->parent = node->id;
    decision->trial = node->trial;
    decision->begin = node->end;
    decision->end = end_of(random, node->end, units_left(random));
    (void)snprintf(decision->reason, sizeof decision->reason, "continue");
    memcpy(decision->point, segment_tree_point(&random->tree, node->id),
           random->tree.values * sizeof *decision->point);
}

/* values of the first segment of a trial */
static const double *values_of_trial(const Random *random, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&random->tree, segment_tree_last(&random->tree, trial));
    while (node->previous != 0) {
        node = segment_tree_at(&random->tree, node->previous);
    }
    return segment_tree_point(&random->tree, node->id);
}

static bool may_begin(const Random *random, int64_t trial) {
    const int64_t configuration = trial / random->setup.repeats;
    if (units_left(random) - random->reserved < 1) {
        return false;
    }
    /* a user's point is tried even when every configuration has begun */
    return trial % random->setup.repeats != 0 || random->setup.trials == 0 ||
           configuration < random->setup.trials || point_queue_front(&random->enqueued) != NULL;
}

static Status begin_chain(const Random *random, int64_t trial, Decision *decision) {
    const SchedulerSetup *setup = &random->setup;
    const int64_t         configuration = trial / setup->repeats;
    const int64_t         repeat = trial % setup->repeats;
    const double         *given = point_queue_front(&random->enqueued);
    const char           *reason = "initial";
    if (repeat > 0) {
        memcpy(decision->point, values_of_trial(random, trial - repeat),
               random->tree.values * sizeof *decision->point);
    } else if (configuration == 0 && setup->baseline) {
        space_defaults(setup->space, decision->point);
    } else if (given != NULL) {
        reason = "enqueued";
        memcpy(decision->point, given, random->tree.values * sizeof *decision->point);
    } else {
        Rng rng = scheduler_rng(setup, configuration, LANE_SAMPLE);
        TRY(space_sample(setup->space, &rng, decision->point));
    }
    decision->kind = DECISION_RUN;
    decision->trial = trial;
    decision->end = end_of(random, 0, units_left(random) - random->reserved);
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", reason);
    return STATUS_OK;
}

static void finish_study(const Random *random, Decision *decision) {
    const int64_t trials = (int64_t)random->tree.trials;
    if (random->tree.open > 0) {
        scheduler__wait(decision);
    } else if (trials > 0 && random->tree.finished == 0) {
        scheduler__done(decision, true, "all %" PRId64 " chains failed", trials);
    } else if (units_left(random) < 1) {
        scheduler__out_of_budget(decision, false, random->setup.total, 0);
    } else {
        scheduler__done(decision, false, "all %" PRId64 " configurations have run",
                        trials / random->setup.repeats);
    }
}

static Status random_decide(const void *self, int64_t number, Decision *decision) {
    (void)number;
    const Random *random = self;
    const int64_t trials = (int64_t)random->tree.trials;
    if (units_left(random) >= 1) {
        for (int64_t trial = random->first_open; trial < trials; trial++) {
            const SegmentNode *node = ready(random, trial);
            if (node != NULL) {
                continue_chain(random, node, decision);
                return STATUS_OK;
            }
        }
        if (may_begin(random, trials)) {
            return begin_chain(random, trials, decision);
        }
    }
    finish_study(random, decision);
    return STATUS_OK;
}

static void count_decided(Random *random, const Decision *decision) {
    const int64_t needed = random->setup.per_trial - decision->end;
    if (decision->parent == 0) {
        random->reserved += needed;
        if (strcmp(decision->reason, "enqueued") == 0) {
            point_queue_pop(&random->enqueued);
        }
    } else {
        random->reserved -= decision->end - decision->begin;
    }
}

static Status random_observe(void *self, const Event *event) {
    Random *random = self;
    if (event->kind == EVENT_ENQUEUED) {
        return point_queue_push(&random->enqueued, event->point);
    }
    TRY(segment_tree_observe(&random->tree, event));
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN) {
        count_decided(random, event->decision);
    } else if (event->kind == EVENT_FINISHED) {
        const SegmentNode *node = segment_tree_at(&random->tree, event->id);
        if (node->state == NODE_FAILED) {
            random->reserved -= random->setup.per_trial - node->end;
        }
        while (random->first_open < (int64_t)random->tree.trials &&
               ended(random, random->first_open)) {
            random->first_open++;
        }
    } else if (event->kind == EVENT_BUDGET_CHANGED) {
        random->setup.total = event->total;
    }
    return STATUS_OK;
}

/* nothing branches: only ends of chains are worth keeping, and needed while the chain goes on */
static Keeps random_keeps(const void *self, int64_t segment) {
    const Random      *random = self;
    const SegmentNode *node = segment_tree_at(&random->tree, segment);
    const SegmentNode *last =
        segment_tree_at(&random->tree, segment_tree_last(&random->tree, node->trial));
    if (last->id != segment) {
        return (last->state == NODE_OPEN && last->parent == segment) ? KEEPS_YES : KEEPS_NEVER;
    }
    return (node->end < random->setup.per_trial) ? KEEPS_YES : KEEPS_MAYBE;
}

const SchedulerOps scheduler_random_ops = {
    .name = "random",
    .source = "Bergstra & Bengio, JMLR 13 (2012)",
    .help =
        "Static values drawn at random, each trained to the full depth: the control that every "
        "other scheduler is measured against. Not for values that should change while the agent "
        "trains.",
    .options = random_options,
    .create = random_create,
    .order = random_order,
    .decide = random_decide,
    .observe = random_observe,
    .keeps = random_keeps,
    .destroy = random_destroy,
};
