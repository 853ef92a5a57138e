/* Schedulers over chains: what events change. Decisions: chains.c.
 *
 * An event either changes everything that it should or, where memory is out, nothing: room is made
 * first, and what cannot fail comes last. */
#include "schedulers/chains_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

/* ---- chains that can go on ----------------------------------------------------------------- */

/* index of the first ready trial that is not below `trial` */
static size_t ready_position(const Chains *chains, int64_t trial) {
    size_t low = 0;
    size_t high = chains->ready_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (chains->ready[middle] < trial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void ready_add(Chains *chains, int64_t trial) {
    const size_t at = ready_position(chains, trial);
    memmove(&chains->ready[at + 1], &chains->ready[at],
            (chains->ready_count - at) * sizeof *chains->ready);
    chains->ready[at] = trial;
    chains->ready_count++;
}

static void ready_remove(Chains *chains, int64_t trial) {
    const size_t at = ready_position(chains, trial);
    if (at < chains->ready_count && chains->ready[at] == trial) {
        chains->ready_count--;
        memmove(&chains->ready[at], &chains->ready[at + 1],
                (chains->ready_count - at) * sizeof *chains->ready);
    }
}

/* ---- samplers ------------------------------------------------------------------------------ */

static void forget(Chains *chains, int64_t configuration, size_t first, size_t end) {
    for (size_t i = first; i < end; i++) {
        const Sampler *sampler = &chains->levels[i].sampler;
        if (sampler->ops->forget != NULL) {
            sampler->ops->forget(sampler->self, configuration);
        }
    }
}

/* Tells the samplers of all levels from `first` on that a configuration is being trained; all of
 * them or none. */
static Status begin_levels(Chains *chains, int64_t configuration, size_t first,
                           const Decision *decision) {
    MemoHeader header = {UINT64_MAX};
    if (decision->memo_size > sizeof header) {
        memcpy(&header, decision->memo, sizeof header);
    }
    for (size_t i = first; i < chains->level_count; i++) {
        const Sampler *sampler = &chains->levels[i].sampler;
        const bool     own = header.level == i;
        if (sampler->ops->begin == NULL) {
            continue;
        }
        const Status status =
            sampler->ops->begin(sampler->self, configuration, decision->point,
                                own ? (const char *)decision->memo + sizeof header : NULL,
                                own ? decision->memo_size - sizeof header : 0);
        if (status != STATUS_OK) {
            forget(chains, configuration, first, i);
            return status;
        }
    }
    return STATUS_OK;
}

/* the level that is told a result at `rung`, or level_count: none is */
static size_t level_of(const Chains *chains, size_t rung, bool ends) {
    if (chains->level_count > 1) {
        return rung;
    }
    const bool told = chains->learn_from == LEARN_FROM_LAST ? ends : rung == chains->rung_count - 1;
    return told ? 0 : chains->level_count;
}

/* ---- results ------------------------------------------------------------------------------- */

static void average(const Chains *chains, int64_t configuration, SamplerResult *result) {
    const SchedulerSetup *setup = &chains->setup;
    const double         *sums = chains__sums(chains, configuration);
    const Configuration  *of = &chains->configurations[configuration];
    const double          repeats = (double)setup->repeats;
    for (size_t i = 0; i < chains->stride; i++) {
        const bool unknown = of->failed && i + 1 < chains->stride;
        chains->mean[i] = unknown ? (double)NAN : sums[i] / repeats;
    }
    *result = (SamplerResult){
        .failed = of->failed,
        .losses = chains->mean,
        .constraints = chains->mean + setup->objective_count,
        .cost = chains->mean[chains->stride - 1],
        .depth = chains->rungs[of->rung],
    };
    result->violation =
        of->failed ? (double)INFINITY : segment_violation(setup, result->constraints);
}

/* what the budget says of a configuration whose chains are all at their rung */
static Status judge(Chains *chains, int64_t configuration, const SamplerResult *result,
                    Verdict *verdict) {
    const Configuration *of = &chains->configurations[configuration];
    *verdict = VERDICT_STOP;
    if ((size_t)of->rung + 1 < chains->rung_count) {
        const BudgetResult short_result = {
            .loss = of->failed ? (double)INFINITY : result->losses[0],
            .violation = result->violation,
        };
        TRY(chains->budget->reached(chains->budget_self, configuration, of->rung, &short_result,
                                    verdict));
    }
    *verdict = of->failed ? VERDICT_STOP : *verdict;
    return STATUS_OK;
}

/* all chains of a configuration go on to the next rung */
static void raise_rung(Chains *chains, int64_t configuration) {
    Configuration *of = &chains->configurations[configuration];
    double        *sums = chains__sums(chains, configuration);
    const int64_t  from = chains->rungs[of->rung];
    memset(sums, 0, (chains->stride - 1) * sizeof *sums); /* the cost goes on adding up */
    of->rung++;
    of->state = CONFIGURATION_OPEN;
    of->waiting = (uint32_t)chains->setup.repeats;
    chains->reserved += chains->setup.repeats * (chains->rungs[of->rung] - from);
    for (int64_t i = 0; i < chains->setup.repeats; i++) {
        ready_add(chains, configuration * chains->setup.repeats + i);
    }
}

/* tells samplers, then lets the configuration go on, wait or end; cannot fail */
static void conclude(Chains *chains, int64_t configuration, const SamplerResult *result,
                     Verdict verdict) {
    Configuration *of = &chains->configurations[configuration];
    const size_t   level = level_of(chains, of->rung, verdict == VERDICT_STOP);
    if (level < chains->level_count && chains->levels[level].sampler.ops->tell != NULL) {
        const Sampler *sampler = &chains->levels[level].sampler;
        sampler->ops->tell(sampler->self, configuration, result);
        chains->levels[level].results += result->failed ? 0 : 1;
    }
    if (chains->level_count > 1 &&
        (size_t)of->rung == chains->budget->first_rung(chains->budget_self, configuration)) {
        forget(chains, configuration, 0, of->rung); /* began above them */
    }
    if (verdict == VERDICT_GO) {
        raise_rung(chains, configuration);
        return;
    }
    of->state = (verdict == VERDICT_PAUSE) ? CONFIGURATION_PAUSED : CONFIGURATION_ENDED;
    if (of->state == CONFIGURATION_ENDED) {
        chains->free_rows[chains->free_count++] = of->row;
        of->row = NO_ROW;
    }
    if (chains->level_count > 1) {
        forget(chains, configuration, (size_t)of->rung + 1, chains->level_count);
    } else if (level == chains->level_count) {
        forget(chains, configuration, 0, chains->level_count);
    }
}

static bool finite_objectives(const SchedulerSetup *setup, const Event *event) {
    for (size_t i = 0; i < setup->objective_count; i++) {
        if (!isfinite(event->objectives[i])) {
            return false;
        }
    }
    return true;
}

/* adds what a segment gave to the sums of its configuration */
static void add_result(Chains *chains, int64_t configuration, const Event *event, bool at_rung) {
    const SchedulerSetup *setup = &chains->setup;
    Configuration        *of = &chains->configurations[configuration];
    double               *sums = chains__sums(chains, configuration);
    sums[chains->stride - 1] += setup->cost_aware ? event->cost : (double)NAN;
    if (!at_rung) {
        return;
    }
    of->waiting--;
    if (event->outcome != OUTCOME_DONE || !finite_objectives(setup, event)) {
        of->failed = true;
        return;
    }
    for (size_t i = 0; i < setup->objective_count; i++) {
        sums[i] += setup->maximize[i] ? -event->objectives[i] : event->objectives[i];
    }
    for (size_t i = 0; i < setup->constraint_count; i++) {
        sums[setup->objective_count + i] += event->constraints[i];
    }
}

/* ---- events -------------------------------------------------------------------------------- */

/* the chain whose newest segment is this one and open; NULL if there is none */
static Chain *open_chain(Chains *chains, int64_t segment) {
    if (segment < 1 || segment > (int64_t)chains->segments) {
        return NULL;
    }
    Chain *chain = &chains->chains[chains->trial_of[segment - 1]];
    return (chain->open && chain->last == segment) ? chain : NULL;
}

static Status observe_finished(Chains *chains, const Event *event) {
    Chain *chain = open_chain(chains, event->id);
    if (chain == NULL) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " finished but is not outstanding", event->id);
    }
    const int64_t       trial = chains->trial_of[event->id - 1];
    const int64_t       configuration = trial / chains->setup.repeats;
    Configuration      *of = &chains->configurations[configuration];
    const Configuration before = *of;
    double             *sums = chains__sums(chains, configuration);
    const int64_t       target = chains->rungs[of->rung];
    const int64_t       end = chain->end;
    const bool          failed = event->outcome != OUTCOME_DONE;
    SamplerResult       result;
    Verdict             verdict = VERDICT_STOP;
    memcpy(chains->before, sums, chains->stride * sizeof *sums);
    add_result(chains, configuration, event, failed || end == target);
    Status status = STATUS_OK;
    if (of->waiting == 0) {
        average(chains, configuration, &result);
        status = judge(chains, configuration, &result, &verdict);
    }
    if (status != STATUS_OK) {
        *of = before;
        memcpy(sums, chains->before, chains->stride * sizeof *sums);
        return status;
    }
    chain->open = false;
    chains->open--;
    chains->finished += failed ? 0 : 1;
    if (failed) {
        chains->reserved -= target - end;
    } else if (end < target) {
        ready_add(chains, trial);
    }
    if (of->waiting == 0) {
        conclude(chains, configuration, &result, verdict);
    }
    return STATUS_OK;
}

/* Room for one more, doubled when it is used up. What is never touched is never resident. */
static Status grow(void **items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) {
        return STATUS_OK;
    }
    const size_t larger = (*capacity == 0) ? FIRST_CAPACITY : 2 * *capacity;
    void        *moved = realloc(*items, larger * size);
    if (moved == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations or segments", larger);
    }
    *items = moved;
    *capacity = larger;
    return STATUS_OK;
}

/* a row for a configuration that begins; the list of free ones has room for all there are */
static Status reserve_row(Chains *chains) {
    if (chains->free_count > 0) {
        return STATUS_OK;
    }
    const size_t before = chains->row_capacity;
    const size_t capacity = (before == 0) ? FIRST_CAPACITY : 2 * before;
    const size_t width = chains->stride + chains->values;
    double      *rows = realloc(chains->rows, capacity * width * sizeof *rows);
    if (rows != NULL) {
        chains->rows = rows;
    }
    uint32_t *free_rows = realloc(chains->free_rows, capacity * sizeof *free_rows);
    if (free_rows != NULL) {
        chains->free_rows = free_rows;
    }
    if (rows == NULL || free_rows == NULL || capacity > UINT32_MAX) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations that are open", capacity);
    }
    for (size_t i = capacity; i > before; i--) {
        free_rows[chains->free_count++] = (uint32_t)i; /* the first one is taken first */
    }
    chains->row_capacity = capacity;
    return STATUS_OK;
}

static Status reserve_configuration(Chains *chains) {
    void        *configurations = chains->configurations;
    const Status status = grow(&configurations, (size_t)chains->count, &chains->capacity,
                               sizeof *chains->configurations);
    chains->configurations = configurations;
    TRY(status);
    return reserve_row(chains);
}

static Status reserve_segment(Chains *chains) {
    void  *items = chains->chains;
    Status status = grow(&items, chains->trials, &chains->chain_capacity, sizeof *chains->chains);
    chains->chains = items;
    TRY(status);
    items = chains->trial_of;
    status = grow(&items, chains->segments, &chains->segment_capacity, sizeof *chains->trial_of);
    chains->trial_of = items;
    return status;
}

static Status reserve_ready(Chains *chains) {
    const size_t needed = chains->trials + 1;
    if (needed <= chains->ready_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = (needed < FIRST_CAPACITY) ? FIRST_CAPACITY : 2 * needed;
    int64_t     *ready = realloc(chains->ready, capacity * sizeof *ready);
    if (ready == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu chains", capacity);
    }
    chains->ready = ready;
    chains->ready_capacity = capacity;
    return STATUS_OK;
}

/* a configuration that begins; room is there and samplers know */
static void append_configuration(Chains *chains, const Decision *decision) {
    const int64_t configuration = chains->count++;
    chains->configurations[configuration] = (Configuration){
        .rung = (uint16_t)chains->budget->first_rung(chains->budget_self, configuration),
        .waiting = (uint32_t)chains->setup.repeats,
        .row = chains->free_rows[--chains->free_count],
    };
    memset(chains__sums(chains, configuration), 0, chains->stride * sizeof *chains->rows);
    memcpy(chains__point(chains, configuration), decision->point,
           chains->values * sizeof *chains->rows);
    if (strcmp(decision->reason, "enqueued") == 0) {
        point_queue_pop(&chains->enqueued);
    }
}

/* a segment that begins; room is there */
static void append_segment(Chains *chains, const Decision *decision) {
    const size_t trial = (size_t)decision->trial;
    chains->chains[trial] = (Chain){
        .last = decision->id, .parent = decision->parent, .end = decision->end, .open = true};
    chains->trials = (chains->trials > trial) ? chains->trials : trial + 1;
    chains->trial_of[chains->segments++] = (int32_t)trial;
    chains->open++;
    chains->units += decision->end - decision->begin;
}

/* A damaged log may name any trial: one that comes next, or one whose chain can go on. */
static Status check_trial(const Chains *chains, const Decision *decision) {
    const int64_t configuration = decision->trial / chains->setup.repeats;
    const bool    known = configuration < chains->count;
    const bool    begun = decision->trial < (int64_t)chains->trials;
    if (configuration > chains->count || decision->trial > (int64_t)chains->trials ||
        (known && chains->configurations[configuration].state == CONFIGURATION_ENDED) ||
        (begun && (chains->chains[decision->trial].open ||
                   chains->chains[decision->trial].last != decision->parent))) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 ": trial %" PRId64 " cannot go on or begin now",
             decision->id, decision->trial);
    }
    return STATUS_OK;
}

static Status observe_run(Chains *chains, const Event *event) {
    const Decision *decision = event->decision;
    const int64_t   configuration = decision->trial / chains->setup.repeats;
    const bool      begins = configuration == chains->count;
    TRY(check_trial(chains, decision));
    TRY(reserve_segment(chains));
    TRY(reserve_ready(chains));
    TRY(reserve_configuration(chains));
    const bool promoted =
        !begins && chains->configurations[configuration].state == CONFIGURATION_PAUSED;
    if (begins) {
        TRY(begin_levels(chains, configuration, 0, decision));
        append_configuration(chains, decision);
    } else if (promoted) {
        const size_t next = chains->configurations[configuration].rung + 1;
        TRY(begin_levels(chains, configuration, (chains->level_count > 1) ? next : 0, decision));
        chains->budget->promoted(chains->budget_self, configuration);
        raise_rung(chains, configuration);
    }
    append_segment(chains, decision);
    if (decision->parent == 0) {
        chains->reserved += chains->rungs[chains->configurations[configuration].rung];
    }
    chains->reserved -= decision->end - decision->begin;
    ready_remove(chains, decision->trial);
    return STATUS_OK;
}

/* ---- results of earlier studies ------------------------------------------------------------- */

/* with one sampler the full depth counts alone, wherever configurations stop here */
size_t chains_known_depths(const void *self, int64_t *depths, size_t capacity) {
    const Chains *chains = self;
    const size_t  first = chains->rung_count - chains->level_count;
    if (chains->levels[0].sampler.ops->know == NULL) {
        return 0;
    }
    for (size_t i = 0; i < chains->level_count && i < capacity; i++) {
        depths[i] = chains->rungs[(chains->level_count > 1) ? i : first];
    }
    return chains->level_count;
}

/* It is no configuration of this study: the sampler alone hears of it. */
static Status observe_known(Chains *chains, const Event *event) {
    const SchedulerSetup *setup = &chains->setup;
    size_t                level = chains->level_count - 1;
    while (level > 0 && chains->rungs[level] > event->depth) {
        level--;
    }
    for (size_t i = 0; i < setup->objective_count; i++) {
        chains->mean[i] = setup->maximize[i] ? -event->objectives[i] : event->objectives[i];
    }
    const SamplerResult result = {
        .losses = chains->mean,
        .constraints = event->constraints,
        .violation = segment_violation(setup, event->constraints),
        .cost = setup->cost_aware ? event->cost : (double)NAN,
        .depth = event->depth,
    };
    const Sampler *sampler = &chains->levels[level].sampler;
    TRY(sampler->ops->know(sampler->self, event->point, &result));
    chains->levels[level].results++;
    return STATUS_OK;
}

Status chains_observe(void *self, const Event *event) {
    Chains *chains = self;
    switch (event->kind) {
    case EVENT_ENQUEUED:
        return point_queue_push(&chains->enqueued, event->point);
    case EVENT_BUDGET_CHANGED:
        chains->setup.total = event->total;
        chains->setup.trials = (event->trials > 0) ? event->trials : chains->setup.trials;
        return STATUS_OK;
    case EVENT_FINISHED:
        return observe_finished(chains, event);
    case EVENT_DECIDED:
        return (event->decision->kind == DECISION_RUN) ? observe_run(chains, event) : STATUS_OK;
    case EVENT_KNOWN:
        return observe_known(chains, event);
    case EVENT_EVALUATED:
        break;
    }
    return STATUS_OK;
}
