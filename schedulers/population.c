/* The state of a population: members, rounds, and which checkpoints may still be needed. */
#include "schedulers/population.h"

#include "schedulers/scheduler_internal.h"

#include <stdlib.h>
#include <string.h>

const char *const population_modes[] = {"synchronous", "asynchronous", NULL};
const char *const population_smoothings[] = {"automatic", "none", NULL};
const char *const population_inherits[] = {"agent", "hyperparameters", NULL};

Status population_init(Population *population, const SchedulerSetup *setup, const double *values) {
    const size_t size = (size_t)values[OPTION_POPULATION];
    *population = (Population){.setup = *setup,
                               .size = size,
                               .mode = (PopulationMode)values[OPTION_MODE],
                               .inherit = (PopulationInherit)values[OPTION_INHERIT],
                               .groups = 1,
                               .quantile = values[OPTION_QUANTILE],
                               .warmup = (int64_t)values[OPTION_WARMUP],
                               .perturb_step = values[OPTION_PERTURB_STEP],
                               .resample = values[OPTION_RESAMPLE],
                               .significance = values[OPTION_SIGNIFICANCE],
                               .round = 1};
    population->members = calloc(size, sizeof *population->members);
    population->ranked = calloc(size, sizeof *population->ranked);
    population->seen = calloc(size, sizeof *population->seen);
    if (population->members == NULL || population->ranked == NULL || population->seen == NULL) {
        population_reset(population);
        FAIL(STATUS_ERR_NOMEM, "no memory for a population of %zu", size);
    }
    segment_tree_init(&population->tree, &population->setup, 1, 0);
    if ((PopulationSmoothing)values[OPTION_SMOOTHING] == SMOOTHING_AUTOMATIC) {
        population->tree.smoother = &population->smoother;
    }
    point_queue_init(&population->enqueued, space_count(setup->space));
    return STATUS_OK;
}

SchedulerUses population_uses(const double *option_values) {
    (void)option_values;
    return (SchedulerUses){.objectives = 1, .cost = true, .segments = true};
}

void population_reset(Population *population) {
    segment_tree_reset(&population->tree);
    point_queue_reset(&population->enqueued);
    free(population->members);
    free(population->ranked);
    free(population->seen);
    population->members = NULL;
    population->ranked = NULL;
    population->seen = NULL;
}

SchedulerOrder population_order(const Population *population) {
    return (population->mode == POPULATION_SYNCHRONOUS) ? SCHEDULER_ORDER_BARRIER
                                                        : SCHEDULER_ORDER_ANY;
}

int64_t population_left(const Population *population) {
    return population->setup.total - population->tree.units;
}

const SegmentNode *population_last(const Population *population, size_t member) {
    const int64_t id = segment_tree_last(&population->tree, (int64_t)member);
    return segment_tree_at(&population->tree, id);
}

const SegmentNode *population_last_good(const Population *population, const SegmentNode *node) {
    do {
        node = segment_tree_at(&population->tree, node->parent);
    } while (node != NULL && !segment_node_usable(node));
    return node;
}

size_t population_lacks(const Population *population) {
    size_t member = 0;
    while (member < population->size && (population->members[member].out ||
                                         population->members[member].round == population->round)) {
        member++;
    }
    return member;
}

/* ---- events -------------------------------------------------------------------------------- */

static void count_decided(Population *population, const Decision *decision) {
    Member *member = &population->members[decision->trial];
    member->units += decision->end - decision->begin;
    member->round = population->round;
    if (strcmp(decision->reason, "enqueued") == 0) {
        point_queue_pop(&population->enqueued);
    }
}

/* units that the members which are not out still need */
static int64_t needed(const Population *population) {
    int64_t sum = 0;
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_last(population, i);
        if (!population->members[i].out) {
            sum += population->setup.per_trial - ((node == NULL) ? 0 : node->end);
        }
    }
    return sum;
}

/* the member of the lowest worth among those that are not out; the size if only one is left */
static size_t worst_member(const Population *population) {
    size_t worst = population->size;
    size_t active = 0;
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_last(population, i);
        if (population->members[i].out || node == NULL || node->state == NODE_OPEN) {
            active += !population->members[i].out;
            continue;
        }
        active++;
        if (worst == population->size ||
            segment_node_compare(node, population_last(population, worst)) < 0) {
            worst = i;
        }
    }
    return (active > 1) ? worst : population->size;
}

/* Going back costs units that somebody lacks in the end; without this all members would stop
 * somewhere before the full depth. So the worst stops as soon as what it still needs is what is
 * lacking. Where units were short from the beginning, that is the user's will. */
static void stop_worst(Population *population) {
    const SchedulerSetup *setup = &population->setup;
    size_t                worst = worst_member(population);
    if (!population->goes_back || population->tree.finished == 0 ||
        setup->total < (int64_t)population->size * setup->per_trial) {
        return;
    }
    for (; worst < population->size; worst = worst_member(population)) {
        const int64_t rest = setup->per_trial - population_last(population, worst)->end;
        if (rest < 1 || needed(population) - population_left(population) < rest) {
            return;
        }
        population->members[worst].stopped = true;
        population->members[worst].out = true;
    }
}

/* who is left after a synchronous round, and whether anybody came through it */
static void close_round(Population *population) {
    const int64_t per_trial = population->setup.per_trial;
    size_t        usable = 0;
    size_t        donors = 0;
    population->previous_first = 0;
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_last(population, i);
        if (node == NULL || population->members[i].round != population->round) {
            continue;
        }
        if (population->previous_first == 0 || node->id < population->previous_first) {
            population->previous_first = node->id;
        }
        usable += segment_node_usable(node);
        donors += segment_node_usable(node) && node->end < per_trial;
    }
    population->previous_last = population->tree.first_id + (int64_t)population->tree.count - 1;
    population->failed_rounds = (usable == 0) ? population->failed_rounds + 1 : 0;
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_last(population, i);
        Member            *member = &population->members[i];
        if (node == NULL || member->round != population->round) {
            continue;
        }
        /* one that failed while all others reached the end has nobody to go on from */
        member->out = (node->state == NODE_FINISHED && node->end >= per_trial) ||
                      (!segment_node_usable(node) && usable > 0 && donors == 0);
    }
    stop_worst(population);
    population->round++;
}

static void count_finished(Population *population, const SegmentNode *node) {
    Member *member = &population->members[node->trial];
    if (segment_node_usable(node)) {
        member->finished++;
        member->failures = 0;
    } else {
        member->failures++;
    }
    if (population->mode == POPULATION_SYNCHRONOUS) {
        const bool complete =
            population_lacks(population) == population->size || population_left(population) < 1;
        if (population->tree.open == 0 && complete) {
            close_round(population);
        }
        return;
    }
    member->retired = member->failures >= POPULATION_MAX_FAILURES;
    member->out = member->retired ||
                  (node->state == NODE_FINISHED && node->end >= population->setup.per_trial);
    stop_worst(population);
}

static void find_floor(Population *population) {
    population->floor = INT64_MAX;
    for (size_t i = 0; i < population->size; i++) {
        if (!population->members[i].out) {
            const SegmentNode *node = population_last(population, i);
            const int64_t      depth = (node == NULL) ? 0 : node->end;
            population->floor = (depth < population->floor) ? depth : population->floor;
        }
    }
}

Status population_observe(Population *population, const Event *event) {
    if (event->kind == EVENT_ENQUEUED) {
        return point_queue_push(&population->enqueued, event->point);
    }
    const bool run = event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN;
    if (run &&
        (event->decision->trial < 0 || event->decision->trial >= (int64_t)population->size)) {
        FAIL(STATUS_ERR_STATE, "there is no member %lld in a population of %zu",
             (long long)event->decision->trial, population->size);
    }
    TRY(segment_tree_observe(&population->tree, event));
    if (run) {
        count_decided(population, event->decision);
    } else if (event->kind == EVENT_FINISHED) {
        count_finished(population, segment_tree_at(&population->tree, event->id));
    } else if (event->kind == EVENT_BUDGET_CHANGED) {
        population->setup.total = event->total;
    }
    find_floor(population);
    return STATUS_OK;
}

/* ---- checkpoints --------------------------------------------------------------------------- */

/* a member whose newest segment has not come through may start again from here */
static bool is_restart(const Population *population, int64_t segment) {
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_last(population, i);
        if (population->members[i].out || node == NULL || segment_node_usable(node)) {
            continue;
        }
        node = population_last_good(population, node);
        if (node != NULL && node->id == segment) {
            return true;
        }
    }
    return false;
}

/* the newest result of its member at its depth, at a depth where somebody may still compare */
static bool is_donor(const Population *population, const SegmentNode *node, int64_t floor) {
    if (!segment_node_usable(node) || node->end >= population->setup.per_trial) {
        return false;
    }
    if (population->setup.cost_aware) {
        return population_newest(population, (size_t)node->trial) == node;
    }
    if (node->end < floor) {
        return false;
    }
    int64_t id = segment_tree_at_depth(&population->tree, node->end);
    while (id != 0) {
        const SegmentNode *other = segment_tree_at(&population->tree, id);
        if (other->trial == node->trial && other->end == node->end &&
            other->state == NODE_FINISHED) {
            return other->id == node->id;
        }
        id = other->same_end;
    }
    return false;
}

/* the round before is what failed members are replaced from while this one is decided */
static bool in_open_round(const Population *population, int64_t segment) {
    return population->mode == POPULATION_SYNCHRONOUS && segment >= population->previous_first &&
           segment <= population->previous_last && population_lacks(population) < population->size;
}

Keeps population_keeps(const Population *population, int64_t segment, int64_t floor) {
    const SegmentNode *node = segment_tree_at(&population->tree, segment);
    if (node == NULL || node->state != NODE_FINISHED) {
        return KEEPS_NEVER;
    }
    const Member *member = &population->members[node->trial];
    const bool    live = segment_tree_last(&population->tree, node->trial) == segment;
    if ((live && !member->out) || in_open_round(population, segment) ||
        is_restart(population, segment)) {
        return KEEPS_YES;
    }
    floor = (population->floor < floor) ? population->floor : floor;
    const bool best = segment_tree_best(&population->tree, node->trial) == segment;
    return (best || is_donor(population, node, floor)) ? KEEPS_MAYBE : KEEPS_NEVER;
}
