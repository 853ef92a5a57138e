/* Schedulers over chains: making one, and its decisions. Events: chains_observe.c. */
#include "schedulers/chains_internal.h"

#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const learn_from_names[] = {"highest", "full", "last", NULL};

/* ---- life ---------------------------------------------------------------------------------- */

void chains_destroy(void *self) {
    Chains *chains = self;
    if (chains == NULL) {
        return;
    }
    for (size_t i = 0; chains->levels != NULL && i < chains->level_count; i++) {
        const Sampler *sampler = &chains->levels[i].sampler;
        if (sampler->ops != NULL) {
            sampler->ops->destroy(sampler->self);
        }
    }
    if (chains->budget != NULL) {
        chains->budget->destroy(chains->budget_self);
    }
    free(chains->levels);
    free(chains->rungs);
    free(chains->configurations);
    free(chains->chains);
    free(chains->trial_of);
    free(chains->rows);
    free(chains->free_rows);
    free(chains->ready);
    free(chains->mean);
    free(chains->before);
    point_queue_reset(&chains->enqueued);
    free(chains);
}

static Status make_budget(Chains *chains, const ChainsParts *parts) {
    TRY(parts->budget->create(&chains->setup, parts->budget_options, &chains->budget_self));
    chains->budget = parts->budget;
    chains->rung_count = chains->budget->rungs(chains->budget_self, NULL, 0);
    chains->rungs = calloc(chains->rung_count, sizeof *chains->rungs);
    if (chains->rungs == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu rungs", chains->rung_count);
    }
    (void)chains->budget->rungs(chains->budget_self, chains->rungs, chains->rung_count);
    return STATUS_OK;
}

/* one that waits for its points would wait for good for one that paused or stopped before */
static Status check_pair(const Chains *chains, const ChainsParts *parts) {
    if (parts->sampler->waits && chains->rung_count > 1 && parts->learn_from != LEARN_FROM_LAST) {
        FAIL(STATUS_ERR_ARG,
             "sampler '%s' needs a result of each of its configurations, at whatever depth they "
             "stop: use it with budgets that do not pause, and learn_from 'last'",
             parts->sampler->name);
    }
    return STATUS_OK;
}

static Status make_samplers(Chains *chains, const ChainsParts *parts) {
    TRY(check_pair(chains, parts));
    chains->level_count = (parts->learn_from == LEARN_FROM_HIGHEST && parts->sampler->tell != NULL)
                              ? chains->rung_count
                              : 1;
    chains->levels = calloc(chains->level_count, sizeof *chains->levels);
    if (chains->levels == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu samplers", chains->level_count);
    }
    for (size_t i = 0; i < chains->level_count; i++) {
        Sampler *sampler = &chains->levels[i].sampler;
        TRY(parts->sampler->create(&chains->setup, parts->sampler_options, &sampler->self));
        sampler->ops = parts->sampler;
    }
    return STATUS_OK;
}

static Status fill_chains(Chains *chains, const ChainsParts *parts) {
    const SchedulerSetup *setup = &chains->setup;
    /* without checkpoints a chain cannot pause, so it is one segment */
    chains->segment = setup->can_branch ? setup->segment : setup->per_trial;
    chains->learn_from = parts->learn_from;
    chains->random_fraction = parts->random_fraction;
    chains->stride = setup->objective_count + setup->constraint_count + 1;
    chains->mean = calloc(chains->stride, sizeof *chains->mean);
    chains->before = calloc(chains->stride, sizeof *chains->before);
    if (chains->mean == NULL || chains->before == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a scheduler over chains");
    }
    TRY(make_budget(chains, parts));
    return make_samplers(chains, parts);
}

Status chains_create(const SchedulerSetup *setup, const ChainsParts *parts, void **self) {
    *self = NULL;
    Chains *chains = calloc(1, sizeof *chains);
    if (chains == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a scheduler over chains");
    }
    chains->setup = *setup;
    chains->values = space_count(setup->space);
    point_queue_init(&chains->enqueued, chains->values);
    const Status status = fill_chains(chains, parts);
    if (status != STATUS_OK) {
        chains_destroy(chains);
        return status;
    }
    *self = chains;
    return STATUS_OK;
}

SchedulerOrder chains_order(const void *self) {
    (void)self;
    return SCHEDULER_ORDER_ANY;
}

/* ---- deciding ------------------------------------------------------------------------------ */

/* end of a segment from `begin` on the way to `target` that may take `left` units at most */
static int64_t end_of(const Chains *chains, int64_t begin, int64_t target, int64_t left) {
    int64_t length = target - begin;
    length = (chains->segment < length) ? chains->segment : length;
    length = (length < left) ? length : left;
    return begin + length;
}

static void continue_chain(const Chains *chains, int64_t trial, int64_t target, int64_t left,
                           Decision *decision) {
    const Chain *chain = &chains->chains[trial];
    decision->kind = DECISION_RUN;
    decision->parent = chain->last;
    decision->trial = trial;
    decision->begin = chain->end;
    decision->end = end_of(chains, chain->end, target, left);
    (void)snprintf(decision->reason, sizeof decision->reason, "continue");
    memcpy(decision->point, chains__point(chains, trial / chains->setup.repeats),
           chains->values * sizeof *decision->point);
}

static void begin_chain(const Chains *chains, int64_t trial, const char *reason,
                        Decision *decision) {
    const int64_t configuration = trial / chains->setup.repeats;
    const size_t  rung = chains->budget->first_rung(chains->budget_self, configuration);
    decision->kind = DECISION_RUN;
    decision->trial = trial;
    decision->end =
        end_of(chains, 0, chains->rungs[rung], chains__units_left(chains) - chains->reserved);
    (void)snprintf(decision->reason, sizeof decision->reason, "%s", reason);
}

static void begin_repeat(const Chains *chains, int64_t trial, Decision *decision) {
    memcpy(decision->point, chains__point(chains, trial / chains->setup.repeats),
           chains->values * sizeof *decision->point);
    begin_chain(chains, trial, "initial", decision);
}

/* the sampler of the deepest rung that has more results than hyperparameters */
static size_t level_to_ask(const Chains *chains) {
    size_t level = chains->level_count - 1;
    while (level > 0 && chains->levels[level].results <= (int64_t)chains->values) {
        level--;
    }
    return level;
}

/* Where a sampler's point is forbidden, the draw of random search takes its place, so that no other
 * configuration moves. */
static Status settle_point(const SchedulerSetup *setup, int64_t configuration, double *point) {
    const Status status = space_check(setup->space, point);
    if (status != STATUS_ERR_STATE) {
        return status;
    }
    status_clear();
    return scheduler__draw(setup, configuration, point);
}

static bool is_drawn_at_random(const Chains *chains, int64_t configuration) {
    Rng rng = scheduler_rng(&chains->setup, configuration, LANE_RANDOM);
    return rng_uniform(&rng) < chains->random_fraction;
}

static Status ask_sampler(const Chains *chains, int64_t configuration, Decision *decision,
                          ProposalKind *kind) {
    if (is_drawn_at_random(chains, configuration)) {
        *kind = PROPOSAL_POINT;
        return scheduler__draw(&chains->setup, configuration, decision->point);
    }
    const MemoHeader header = {level_to_ask(chains)};
    const Sampler   *sampler = &chains->levels[header.level].sampler;
    const size_t     rung = chains->budget->first_rung(chains->budget_self, configuration);
    Proposal proposal = {.point = decision->point, .memo = (char *)decision->memo + sizeof header};
    TRY(sampler->ops->propose(sampler->self, configuration, chains->rungs[rung], &proposal));
    *kind = proposal.kind;
    if (proposal.kind != PROPOSAL_POINT) {
        return STATUS_OK;
    }
    if (proposal.memo_size > 0) {
        memcpy(decision->memo, &header, sizeof header);
        decision->memo_size = sizeof header + proposal.memo_size;
    }
    return settle_point(&chains->setup, configuration, decision->point);
}

/* The next configuration. `*kind` says what became of it; nothing is decided unless it is a point.
 */
static Status begin_configuration(const Chains *chains, Decision *decision, ProposalKind *kind) {
    const SchedulerSetup *setup = &chains->setup;
    const double         *given = point_queue_front(&chains->enqueued);
    const char           *reason = "initial";
    const bool            baseline = chains->count == 0 && setup->baseline;
    /* a user's point is tried even when every configuration has begun */
    const bool all_begun =
        !baseline && given == NULL && setup->trials != 0 && chains->count >= setup->trials;
    *kind = PROPOSAL_POINT;
    if (all_begun || chains__units_left(chains) - chains->reserved < 1) {
        *kind = PROPOSAL_END;
    } else if (baseline) {
        space_defaults(setup->space, decision->point);
    } else if (given != NULL) {
        reason = "enqueued";
        memcpy(decision->point, given, chains->values * sizeof *decision->point);
    } else {
        TRY(ask_sampler(chains, chains->count, decision, kind));
    }
    if (*kind == PROPOSAL_POINT) {
        begin_chain(chains, chains->count * setup->repeats, reason, decision);
    }
    return STATUS_OK;
}

static bool promote(const Chains *chains, bool last, Decision *decision) {
    const int64_t left = chains__units_left(chains) - chains->reserved;
    if (chains->budget->promote == NULL || left < 1) {
        return false;
    }
    const int64_t configuration = chains->budget->promote(chains->budget_self, last);
    if (configuration < 0) {
        return false;
    }
    const size_t rung = chains->configurations[configuration].rung + 1;
    continue_chain(chains, configuration * chains->setup.repeats, chains->rungs[rung], left,
                   decision);
    (void)snprintf(decision->reason, sizeof decision->reason, "promote");
    return true;
}

static void finish_study(const Chains *chains, Decision *decision) {
    if (chains->open > 0) {
        scheduler__wait(decision);
    } else if (chains->trials > 0 && chains->finished == 0) {
        scheduler__done(decision, true, "all %zu chains failed", chains->trials);
    } else if (chains__units_left(chains) < 1) {
        scheduler__out_of_budget(decision, false, chains->setup.total, 0);
    } else {
        scheduler__done(decision, false, "all %" PRId64 " configurations have run", chains->count);
    }
}

static bool repeat_is_due(const Chains *chains) {
    return (int64_t)chains->trials < chains->count * chains->setup.repeats &&
           chains__units_left(chains) - chains->reserved >= 1;
}

Status chains_decide(const void *self, int64_t number, Decision *decision) {
    const Chains *chains = self;
    (void)number;
    if (chains->ready_count > 0 && chains__units_left(chains) >= 1) {
        const int64_t trial = chains->ready[0];
        const size_t  rung = chains->configurations[trial / chains->setup.repeats].rung;
        continue_chain(chains, trial, chains->rungs[rung], chains__units_left(chains), decision);
        return STATUS_OK;
    }
    if (repeat_is_due(chains)) {
        begin_repeat(chains, (int64_t)chains->trials, decision);
        return STATUS_OK;
    }
    if (promote(chains, false, decision)) {
        return STATUS_OK;
    }
    ProposalKind kind = PROPOSAL_END;
    TRY(begin_configuration(chains, decision, &kind));
    if (kind == PROPOSAL_POINT ||
        (kind == PROPOSAL_END && chains->open == 0 && promote(chains, true, decision))) {
        return STATUS_OK;
    }
    finish_study(chains, decision);
    return STATUS_OK;
}

/* Nothing branches: only ends of chains are worth keeping. One that goes on needs it; a paused one
 * may, and can be trained again if there is no room. */
Keeps chains_keeps(const void *self, int64_t segment) {
    const Chains *chains = self;
    const int64_t trial = chains->trial_of[segment - 1];
    const Chain  *chain = &chains->chains[trial];
    if (chain->last != segment) {
        return (chain->open && chain->parent == segment) ? KEEPS_YES : KEEPS_NEVER;
    }
    const Configuration *of = &chains->configurations[trial / chains->setup.repeats];
    return (of->state == CONFIGURATION_OPEN && chain->end < chains->rungs[of->rung]) ? KEEPS_YES
                                                                                     : KEEPS_MAYBE;
}
