/* The decisions of a population: who is next, and what it does. Everything here reads the state and
 * writes a decision. */
#include "schedulers/population.h"

#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const SegmentNode *newest(const Population *population, size_t member) {
    const int64_t id = segment_tree_last(&population->tree, (int64_t)member);
    return segment_tree_at(&population->tree, id);
}

/* ---- pieces of a decision ------------------------------------------------------------------ */

static void place(const Population *population, int64_t trial, int64_t parent, int64_t begin,
                  Decision *decision) {
    const int64_t left = population_left(population);
    int64_t       length = population->setup.segment;
    if (begin + length > population->setup.per_trial) {
        length = population->setup.per_trial - begin;
    }
    decision->kind = DECISION_RUN;
    decision->parent = parent;
    decision->trial = trial;
    decision->begin = begin;
    decision->end = begin + ((length < left) ? length : left);
}

static void set_reason(Decision *decision, const char *reason) {
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", reason);
}

static void copy_point(const Population *population, const double *from, double *to) {
    memcpy(to, from, population->tree.values * sizeof *to);
}

void population_run(const Population *population, int64_t trial, const SegmentNode *parent,
                    const char *reason, Decision *decision) {
    place(population, trial, parent->id, parent->end, decision);
    set_reason(decision, reason);
    copy_point(population, segment_tree_point(&population->tree, parent->id), decision->point);
}

Status population_redraw(const Population *population, Rng *rng, double *point) {
    const SpacePerturbation how = {
        .step = population->perturb_step, .resample = 1.0, .dynamic_only = true};
    return space_perturb(population->setup.space, rng, &how, point);
}

static Status explore(const Population *population, int64_t number, double *point) {
    const SpacePerturbation how = {
        .step = population->perturb_step, .resample = population->resample, .dynamic_only = true};
    Rng rng = scheduler_rng(&population->setup, number, LANE_EXPLORE);
    return space_perturb(population->setup.space, &rng, &how, point);
}

/* a new agent: a user's point if one waits, the defaults, or a sample */
static Status fresh(const Population *population, int64_t number, size_t member,
                    Decision *decision) {
    const SchedulerSetup *setup = &population->setup;
    const double         *given = point_queue_front(&population->enqueued);
    const bool            first = newest(population, member) == NULL;
    place(population, (int64_t)member, 0, 0, decision);
    if (first && member == 0 && setup->baseline) {
        set_reason(decision, "initial");
        space_defaults(setup->space, decision->point);
        return STATUS_OK;
    }
    if (given != NULL) {
        set_reason(decision, "enqueued");
        copy_point(population, given, decision->point);
        return STATUS_OK;
    }
    set_reason(decision, first ? "initial" : "resample");
    Rng rng = first ? scheduler_rng(setup, (int64_t)member, LANE_SAMPLE)
                    : scheduler_rng(setup, number, LANE_FRESH);
    return space_sample(setup->space, &rng, decision->point);
}

/* ---- ranking ------------------------------------------------------------------------------- */

static int best_first(const void *a, const void *b) {
    const SegmentNode *x = *(const SegmentNode *const *)a;
    const SegmentNode *y = *(const SegmentNode *const *)b;
    const int          order = segment_node_compare(y, x);
    if (order != 0) {
        return order;
    }
    if (x->trial != y->trial) {
        return (x->trial < y->trial) ? -1 : 1;
    }
    return (x->id < y->id) ? -1 : (x->id > y->id);
}

static void sort(const SegmentNode **ranked, size_t n) {
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    qsort((void *)ranked, n, sizeof *ranked, best_first);
}

/* The results at one depth, best first: the newest of each member. A synchronous round counts those
 * that failed there (they rank last) and nothing of the round being decided; otherwise only
 * finished ones are compared. */
static size_t rank_depth(const Population *population, int64_t depth) {
    const bool   rounds = population->mode == POPULATION_SYNCHRONOUS;
    const size_t size = population->size;
    size_t       n = 0;
    memset(population->seen, 0, size);
    for (int64_t id = segment_tree_at_depth(&population->tree, depth); id != 0 && n < size;) {
        const SegmentNode *node = segment_tree_at(&population->tree, id);
        const bool counts = rounds ? id <= population->previous_last : node->state == NODE_FINISHED;
        if (counts && node->end == depth && population->seen[node->trial] == 0) {
            population->seen[node->trial] = 1;
            population->ranked[n++] = node;
        }
        id = node->same_end;
    }
    sort(population->ranked, n);
    return n;
}

/* the results of the round before, best first */
static size_t rank_round(const Population *population) {
    size_t n = 0;
    for (int64_t id = population->previous_first; id <= population->previous_last; id++) {
        population->ranked[n++] = segment_tree_at(&population->tree, id);
    }
    sort(population->ranked, n);
    return n;
}

/* how many of n exploit, and how many are donors */
static size_t share(const Population *population, size_t n) {
    const double k = floor(population->quantile * (double)n);
    return (k < 1.0) ? 1 : (size_t)k;
}

/* a donor drawn from the best k of n ranked results that can be continued, or NULL */
static const SegmentNode *draw_donor(const Population *population, int64_t number, size_t n) {
    const size_t k = share(population, n);
    size_t       donors = 0;
    for (size_t i = 0; i < n && donors < k; i++) {
        const SegmentNode *node = population->ranked[i];
        if (segment_node_usable(node) && node->end < population->setup.per_trial) {
            population->ranked[donors++] = node;
        }
    }
    if (donors == 0) {
        return NULL;
    }
    Rng rng = scheduler_rng(&population->setup, number, LANE_PICK);
    return population->ranked[rng_below(&rng, donors)];
}

/* ---- exploit and explore ------------------------------------------------------------------- */

/* one's own agent and static values with the donor's dynamic values */
static Status inherit_values(const Population *population, int64_t number, const SegmentNode *donor,
                             Decision *decision) {
    const Space  *space = population->setup.space;
    const double *theirs = segment_tree_point(&population->tree, donor->id);
    double       *point = decision->point;
    for (size_t i = 0; i < population->tree.values; i++) {
        if (space_at(space, i)->dynamic && !isnan(theirs[i])) {
            point[i] = theirs[i];
        }
    }
    space_activate(space, point);
    if (space_check(space, point) != STATUS_OK) {
        /* the mixture is forbidden: move one's own values instead */
        status_clear();
        copy_point(population, segment_tree_point(&population->tree, decision->parent), point);
    }
    return explore(population, number, point);
}

static Status exploit(const Population *population, int64_t number, const SegmentNode *last,
                      const SegmentNode *donor, Decision *decision) {
    if (population->inherit == INHERIT_HYPERPARAMETERS) {
        population_run(population, last->trial, last, "exploit", decision);
        return inherit_values(population, number, donor, decision);
    }
    population_run(population, last->trial, donor, "exploit", decision);
    decision->branch = true;
    return explore(population, number, decision->point);
}

Status population_step(const Population *population, int64_t number, const SegmentNode *last,
                       Decision *decision) {
    if (last->end < population->warmup) {
        population_run(population, last->trial, last, "continue", decision);
        return STATUS_OK;
    }
    const size_t n = rank_depth(population, last->end);
    size_t       rank = 0;
    while (rank < n && population->ranked[rank] != last) {
        rank++;
    }
    const bool         worst = n >= 2 && rank + share(population, n) >= n;
    const SegmentNode *donor = worst ? draw_donor(population, number, n) : NULL;
    if (donor == NULL) {
        population_run(population, last->trial, last, "continue", decision);
        (void)snprintf(decision->note, sizeof decision->note, "compared %zu at depth %" PRId64, n,
                       last->end);
        return STATUS_OK;
    }
    TRY(exploit(population, number, last, donor, decision));
    (void)snprintf(decision->note, sizeof decision->note,
                   "compared %zu at depth %" PRId64 ": rank %zu; donor is segment %" PRId64
                   " of trial %" PRId64,
                   n, last->end, rank + 1, donor->id, donor->trial);
    return STATUS_OK;
}

/* ---- failed members ------------------------------------------------------------------------ */

static const SegmentNode *last_good(const Population *population, const SegmentNode *node) {
    do {
        node = segment_tree_at(&population->tree, node->parent);
    } while (node != NULL && !segment_node_usable(node));
    return node;
}

/* once more after a round in which every member failed: new agents, or new values from where each
 * member last stood */
static Status repeat_round(const Population *population, int64_t number, const SegmentNode *failed,
                           Decision *decision) {
    const SegmentNode *good = last_good(population, failed);
    if (good == NULL) {
        return fresh(population, number, (size_t)failed->trial, decision);
    }
    population_run(population, failed->trial, good, "repeat", decision);
    decision->branch = true;
    Rng rng = scheduler_rng(&population->setup, number, LANE_FRESH);
    return population_redraw(population, &rng, decision->point);
}

static Status restart(const Population *population, int64_t number, const SegmentNode *failed,
                      Decision *decision) {
    const SegmentNode *good = last_good(population, failed);
    if (good == NULL) {
        return fresh(population, number, (size_t)failed->trial, decision);
    }
    population_run(population, failed->trial, good, "restart", decision);
    decision->branch = true;
    return explore(population, number, decision->point);
}

static Status replace(const Population *population, int64_t number, const SegmentNode *failed,
                      Decision *decision) {
    const bool synchronous = population->mode == POPULATION_SYNCHRONOUS;
    if (synchronous && population->failed_rounds > 0) {
        return repeat_round(population, number, failed, decision);
    }
    const size_t n = synchronous ? rank_round(population) : rank_depth(population, failed->end);
    const SegmentNode *donor = draw_donor(population, number, n);
    if (donor == NULL) {
        TRY(restart(population, number, failed, decision));
    } else {
        population_run(population, failed->trial, donor, "replace", decision);
        decision->branch = true;
        TRY(explore(population, number, decision->point));
    }
    (void)snprintf(decision->note, sizeof decision->note, "segment %" PRId64 " failed: %s",
                   failed->id,
                   (failed->state == NODE_FAILED) ? outcome_name(failed->outcome)
                                                  : "its objective is not a finite number");
    return STATUS_OK;
}

/* ---- who is next --------------------------------------------------------------------------- */

/* asynchronous: the ready member that has consumed least, the first of equals; size if there is
 * none */
static size_t ready_member(const Population *population) {
    size_t next = population->size;
    for (size_t i = 0; i < population->size; i++) {
        const Member      *member = &population->members[i];
        const SegmentNode *node = newest(population, i);
        const bool         busy = node != NULL && node->state == NODE_OPEN;
        if (!member->out && !busy &&
            (next == population->size || member->units < population->members[next].units)) {
            next = i;
        }
    }
    return next;
}

static void all_out(const Population *population, Decision *decision) {
    size_t retired = 0;
    for (size_t i = 0; i < population->size; i++) {
        retired += population->members[i].retired;
    }
    if (retired == population->size) {
        scheduler__done(decision, true, "all %zu members failed %d times in a row", retired,
                        POPULATION_MAX_FAILURES);
    } else if (retired > 0) {
        scheduler__done(decision, false, "%zu members reached %" PRId64 " units, %zu failed",
                        population->size - retired, population->setup.per_trial, retired);
    } else {
        scheduler__done(decision, false, "every member reached %" PRId64 " units",
                        population->setup.per_trial);
    }
}

static void failed_twice(const Population *population, Decision *decision) {
    size_t complete = 0;
    for (size_t i = 0; i < population->size; i++) {
        complete += population->members[i].out;
    }
    scheduler__done(decision, complete == 0, "every member failed in two rounds in a row");
}

Status population_next(const Population *population, int64_t number, Decision *decision,
                       const SegmentNode **step) {
    const size_t member = (population->mode == POPULATION_SYNCHRONOUS)
                              ? population_lacks(population)
                              : ready_member(population);
    *step = NULL;
    if (population->failed_rounds >= 2) {
        failed_twice(population, decision);
        return STATUS_OK;
    }
    if (member == population->size && population->tree.open > 0) {
        scheduler__wait(decision);
        return STATUS_OK;
    }
    if (member == population->size) {
        all_out(population, decision);
        return STATUS_OK;
    }
    if (population_left(population) < 1) {
        scheduler__out_of_budget(decision, population->tree.finished == 0, population->setup.total,
                                 population->tree.open);
        return STATUS_OK;
    }
    const SegmentNode *node = newest(population, member);
    if (node == NULL) {
        return fresh(population, number, member, decision);
    }
    if (!segment_node_usable(node)) {
        return replace(population, number, node, decision);
    }
    *step = node;
    return STATUS_OK;
}
