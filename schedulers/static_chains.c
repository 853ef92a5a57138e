#include "schedulers/static_chains.h"

#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void static_chains_init(StaticChains *chains, const SchedulerSetup *setup, DrawConfiguration draw,
                        const void *context) {
    *chains = (StaticChains){.setup = *setup, .draw = draw, .context = context};
    /* without checkpoints a chain cannot pause, so it is one segment */
    chains->segment = setup->can_branch ? setup->segment : setup->per_trial;
    segment_tree_init(&chains->tree, &chains->setup, 1, 0);
    point_queue_init(&chains->enqueued, space_count(setup->space));
}

void static_chains_reset(StaticChains *chains) {
    segment_tree_reset(&chains->tree);
    point_queue_reset(&chains->enqueued);
}

/* newest segment of a chain that may get another one now, or NULL */
static const SegmentNode *ready(const StaticChains *chains, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&chains->tree, segment_tree_last(&chains->tree, trial));
    return (node->state == NODE_FINISHED && node->end < chains->setup.per_trial) ? node : NULL;
}

static bool ended(const StaticChains *chains, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&chains->tree, segment_tree_last(&chains->tree, trial));
    return node->state == NODE_FAILED ||
           (node->state == NODE_FINISHED && node->end >= chains->setup.per_trial);
}

/* end of a segment that may take `left` units at most */
static int64_t end_of(const StaticChains *chains, int64_t begin, int64_t left) {
    const int64_t deep = chains->setup.per_trial - begin;
    int64_t       length = (chains->segment < deep) ? chains->segment : deep;
    length = (length < left) ? length : left;
    return begin + length;
}

static int64_t units_left(const StaticChains *chains) {
    return chains->setup.total - chains->tree.units;
}

static void continue_chain(const StaticChains *chains, const SegmentNode *node,
                           Decision *decision) {
    decision->kind = DECISION_RUN;
    decision->parent = node->id;
    decision->trial = node->trial;
    decision->begin = node->end;
    decision->end = end_of(chains, node->end, units_left(chains));
    (void)snprintf(decision->reason, sizeof decision->reason, "continue");
    memcpy(decision->point, segment_tree_point(&chains->tree, node->id),
           chains->tree.values * sizeof *decision->point);
}

/* values of the first segment of a trial */
static const double *values_of_trial(const StaticChains *chains, int64_t trial) {
    const SegmentNode *node =
        segment_tree_at(&chains->tree, segment_tree_last(&chains->tree, trial));
    while (node->previous != 0) {
        node = segment_tree_at(&chains->tree, node->previous);
    }
    return segment_tree_point(&chains->tree, node->id);
}

static bool may_begin(const StaticChains *chains, int64_t trial) {
    const int64_t configuration = trial / chains->setup.repeats;
    if (units_left(chains) - chains->reserved < 1) {
        return false;
    }
    /* a user's point is tried even when every configuration has begun */
    return trial % chains->setup.repeats != 0 || chains->setup.trials == 0 ||
           configuration < chains->setup.trials || point_queue_front(&chains->enqueued) != NULL;
}

static Status begin_chain(const StaticChains *chains, int64_t trial, Decision *decision) {
    const SchedulerSetup *setup = &chains->setup;
    const int64_t         configuration = trial / setup->repeats;
    const int64_t         repeat = trial % setup->repeats;
    const double         *given = point_queue_front(&chains->enqueued);
    const char           *reason = "initial";
    if (repeat > 0) {
        memcpy(decision->point, values_of_trial(chains, trial - repeat),
               chains->tree.values * sizeof *decision->point);
    } else if (configuration == 0 && setup->baseline) {
        space_defaults(setup->space, decision->point);
    } else if (given != NULL) {
        reason = "enqueued";
        memcpy(decision->point, given, chains->tree.values * sizeof *decision->point);
    } else {
        TRY(chains->draw(setup, chains->context, configuration, decision->point));
    }
    decision->kind = DECISION_RUN;
    decision->trial = trial;
    decision->end = end_of(chains, 0, units_left(chains) - chains->reserved);
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", reason);
    return STATUS_OK;
}

static void finish_study(const StaticChains *chains, Decision *decision) {
    const int64_t trials = (int64_t)chains->tree.trials;
    if (chains->tree.open > 0) {
        scheduler__wait(decision);
    } else if (trials > 0 && chains->tree.finished == 0) {
        scheduler__done(decision, true, "all %" PRId64 " chains failed", trials);
    } else if (units_left(chains) < 1) {
        scheduler__out_of_budget(decision, false, chains->setup.total, 0);
    } else {
        scheduler__done(decision, false, "all %" PRId64 " configurations have run",
                        trials / chains->setup.repeats);
    }
}

Status static_chains_decide(const StaticChains *chains, Decision *decision) {
    const int64_t trials = (int64_t)chains->tree.trials;
    if (units_left(chains) >= 1) {
        for (int64_t trial = chains->first_open; trial < trials; trial++) {
            const SegmentNode *node = ready(chains, trial);
            if (node != NULL) {
                continue_chain(chains, node, decision);
                return STATUS_OK;
            }
        }
        if (may_begin(chains, trials)) {
            return begin_chain(chains, trials, decision);
        }
    }
    finish_study(chains, decision);
    return STATUS_OK;
}

static void count_decided(StaticChains *chains, const Decision *decision) {
    const int64_t needed = chains->setup.per_trial - decision->end;
    if (decision->parent == 0) {
        chains->reserved += needed;
        if (strcmp(decision->reason, "enqueued") == 0) {
            point_queue_pop(&chains->enqueued);
        }
    } else {
        chains->reserved -= decision->end - decision->begin;
    }
}

Status static_chains_observe(StaticChains *chains, const Event *event) {
    if (event->kind == EVENT_ENQUEUED) {
        return point_queue_push(&chains->enqueued, event->point);
    }
    TRY(segment_tree_observe(&chains->tree, event));
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN) {
        count_decided(chains, event->decision);
    } else if (event->kind == EVENT_FINISHED) {
        const SegmentNode *node = segment_tree_at(&chains->tree, event->id);
        if (node->state == NODE_FAILED) {
            chains->reserved -= chains->setup.per_trial - node->end;
        }
        while (chains->first_open < (int64_t)chains->tree.trials &&
               ended(chains, chains->first_open)) {
            chains->first_open++;
        }
    } else if (event->kind == EVENT_BUDGET_CHANGED) {
        chains->setup.total = event->total;
        chains->setup.trials = (event->trials > 0) ? event->trials : chains->setup.trials;
    }
    return STATUS_OK;
}

/* nothing branches: only ends of chains are worth keeping, and needed while the chain goes on */
Keeps static_chains_keeps(const StaticChains *chains, int64_t segment) {
    const SegmentNode *node = segment_tree_at(&chains->tree, segment);
    const SegmentNode *last =
        segment_tree_at(&chains->tree, segment_tree_last(&chains->tree, node->trial));
    if (last->id != segment) {
        return (last->state == NODE_OPEN && last->parent == segment) ? KEEPS_YES : KEEPS_NEVER;
    }
    return (node->end < chains->setup.per_trial) ? KEEPS_YES : KEEPS_MAYBE;
}
