/* The decisions of a population: who is next, and what it does. Everything here reads the state and
 * writes a decision. */
#include "schedulers/population.h"

#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

Status population_perturb(const Population *population, int64_t number, Decision *decision) {
    const SpacePerturbation how = {
        .step = population->perturb_step, .resample = population->resample, .dynamic_only = true};
    Rng rng = scheduler_rng(&population->setup, number, LANE_EXPLORE);
    return space_perturb(population->setup.space, &rng, &how, decision->point);
}

Status population_explore(const Population *population, int64_t number, Decision *decision) {
    return (population->explore == NULL) ? population_perturb(population, number, decision)
                                         : population->explore(population, number, decision);
}

/* a new agent: a user's point if one waits, the defaults, or a sample */
static Status fresh(const Population *population, int64_t number, size_t member,
                    Decision *decision) {
    const SchedulerSetup *setup = &population->setup;
    const double         *given = point_queue_front(&population->enqueued);
    const bool            first = population_last(population, member) == NULL;
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
    if (first) {
        return scheduler__draw(setup, (int64_t)member, decision->point);
    }
    Rng rng = scheduler_rng(setup, number, LANE_FRESH);
    return space_sample(setup->space, &rng, decision->point);
}

/* ---- exploit and explore ------------------------------------------------------------------- */

/* static values stay with the agent that is continued */
void population_take_values(const Population *population, const SegmentNode *from,
                            Decision *decision) {
    const Space  *space = population->setup.space;
    const double *theirs = segment_tree_point(&population->tree, from->id);
    double       *point = decision->point;
    for (size_t i = 0; i < population->tree.values; i++) {
        if (space_at(space, i)->dynamic && !isnan(theirs[i])) {
            point[i] = theirs[i];
        }
    }
    space_activate(space, point);
    if (space_check(space, point) != STATUS_OK) {
        /* the mixture is forbidden */
        status_clear();
        copy_point(population, segment_tree_point(&population->tree, decision->parent), point);
    }
}

Status population_exploit(const Population *population, int64_t number, const SegmentNode *last,
                          const SegmentNode *donor, Decision *decision) {
    if (population->inherit == INHERIT_HYPERPARAMETERS) {
        population_run(population, last->trial, last, "exploit", decision);
        population_take_values(population, donor, decision);
        return population_explore(population, number, decision);
    }
    population_run(population, last->trial, donor, "exploit", decision);
    decision->branch = true;
    return population_explore(population, number, decision);
}

/* the note of an exploration, if there is one, comes after that of the step */
static void note_step(const Population *population, PopulationRank rank, const SegmentNode *last,
                      const SegmentNode *donor, Decision *decision) {
    char explored[64];
    char where[32];
    (void)snprintf(explored, sizeof explored, "%.60s", decision->note);
    (void)snprintf(where, sizeof where, "at depth %" PRId64, last->end);
    if (population->setup.cost_aware) {
        (void)snprintf(where, sizeof where, "at cost %.4g", last->cost);
    }
    if (donor == NULL) {
        (void)snprintf(decision->note, sizeof decision->note, "compared %zu %s", rank.n, where);
        return;
    }
    (void)snprintf(
        decision->note, sizeof decision->note,
        "compared %zu %s: rank %zu; donor is segment %" PRId64 " of trial %" PRId64 "%s%s", rank.n,
        where, rank.better + 1, donor->id, donor->trial, (explored[0] == 0) ? "" : "; ", explored);
}

Status population_step(const Population *population, int64_t number, const SegmentNode *last,
                       Decision *decision) {
    if (last->end < population->warmup) {
        population_run(population, last->trial, last, "continue", decision);
        return STATUS_OK;
    }
    const PopulationRank rank = population_rank(population, last, SCOPE_ALL);
    const SegmentNode   *donor = NULL;
    if (population_is_worst(population, rank)) {
        donor =
            population_draw(population, number, rank.better, population_share(population, rank.n));
    }
    if (donor == NULL || !population_is_better(population, donor, donor->worth.level, last)) {
        donor = NULL;
        population_run(population, last->trial, last, "continue", decision);
    } else {
        TRY(population_exploit(population, number, last, donor, decision));
    }
    note_step(population, rank, last, donor, decision);
    return STATUS_OK;
}

/* ---- failed members ------------------------------------------------------------------------ */

/* once more after a round in which every member failed: new agents, or new values from where each
 * member last stood */
static Status repeat_round(const Population *population, int64_t number, const SegmentNode *failed,
                           Decision *decision) {
    const SegmentNode *good = population_last_good(population, failed);
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
    const SegmentNode *good = population_last_good(population, failed);
    if (good == NULL) {
        return fresh(population, number, (size_t)failed->trial, decision);
    }
    population_run(population, failed->trial, good, "restart", decision);
    decision->branch = true;
    return population_explore(population, number, decision);
}

/* from the results of its round, or of its depth or cost; of its own group if there is one */
static const SegmentNode *draw_replacement(const Population *population, int64_t number,
                                           const SegmentNode *failed) {
    for (int scope = SCOPE_GROUP; scope >= SCOPE_ALL; scope--) {
        size_t n = 0;
        if (population->mode == POPULATION_SYNCHRONOUS) {
            n = population_rank_round(population, failed->trial, (PopulationScope)scope);
        } else {
            n = population_rank(population, failed, (PopulationScope)scope).better;
        }
        const SegmentNode *donor =
            population_draw(population, number, n, population_share(population, n));
        if (donor != NULL) {
            return donor;
        }
    }
    return NULL;
}

static Status replace(const Population *population, int64_t number, const SegmentNode *failed,
                      Decision *decision) {
    const bool synchronous = population->mode == POPULATION_SYNCHRONOUS;
    if (synchronous && population->failed_rounds > 0) {
        return repeat_round(population, number, failed, decision);
    }
    const SegmentNode *donor = draw_replacement(population, number, failed);
    if (donor == NULL) {
        TRY(restart(population, number, failed, decision));
    } else {
        population_run(population, failed->trial, donor, "replace", decision);
        decision->branch = true;
        TRY(population_explore(population, number, decision));
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
        const SegmentNode *node = population_last(population, i);
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
    size_t stopped = 0;
    for (size_t i = 0; i < population->size; i++) {
        retired += population->members[i].retired;
        stopped += population->members[i].stopped;
    }
    if (retired == population->size) {
        scheduler__done(decision, true, "all %zu members failed %d times in a row", retired,
                        POPULATION_MAX_FAILURES);
    } else if (stopped > 0) {
        scheduler__done(decision, retired + stopped == population->size,
                        "%zu members reached %" PRId64 " units, %zu failed, %zu stopped",
                        population->size - retired - stopped, population->setup.per_trial, retired,
                        stopped);
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
        complete += population->members[i].out && !population->members[i].stopped;
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
    const SegmentNode *node = population_last(population, member);
    if (node == NULL) {
        return fresh(population, number, member, decision);
    }
    if (!segment_node_usable(node)) {
        return replace(population, number, node, decision);
    }
    *step = node;
    return STATUS_OK;
}
