#include "schedulers/rungs.h"

#include <inttypes.h>
#include <math.h>

/* ---- depths -------------------------------------------------------------------------------- */

static Status check_least(const SchedulerSetup *setup, double min_units, int64_t *least) {
    *least = isnan(min_units) ? setup->segment : (int64_t)min_units;
    if (*least > setup->per_trial) {
        FAIL(STATUS_ERR_ARG, "min_units %" PRId64 " is above per_trial %" PRId64, *least,
             setup->per_trial);
    }
    return STATUS_OK;
}

static Status one_rung(const SchedulerSetup *setup, int64_t least, int64_t reduction) {
    FAIL(STATUS_ERR_ARG,
         "per_trial %" PRId64 " leaves one rung (min_units %" PRId64 ", reduction %" PRId64
         "), so nothing would be stopped early; raise per_trial, lower min_units (by default one "
         "segment), or use scheduler 'full'",
         setup->per_trial, least, reduction);
}

Status rungs_upwards(const SchedulerSetup *setup, double min_units, int64_t reduction,
                     Rungs *rungs) {
    int64_t least = 0;
    TRY(check_least(setup, min_units, &least));
    rungs->count = 0;
    for (int64_t depth = least; depth < setup->per_trial && rungs->count + 1 < RUNGS_MOST;
         depth *= reduction) {
        rungs->depths[rungs->count++] = depth;
        if (depth > setup->per_trial / reduction) {
            break; /* the next one would be beyond, or beyond 64 bits */
        }
    }
    rungs->depths[rungs->count++] = setup->per_trial;
    return (rungs->count == 1) ? one_rung(setup, least, reduction) : STATUS_OK;
}

Status rungs_downwards(const SchedulerSetup *setup, double min_units, int64_t reduction,
                       Rungs *rungs) {
    int64_t down[RUNGS_MOST];
    int64_t least = 0;
    size_t  n = 0;
    TRY(check_least(setup, min_units, &least));
    for (int64_t depth = setup->per_trial; depth >= least && n < RUNGS_MOST;) {
        down[n++] = depth;
        const int64_t next = depth / reduction + (depth % reduction != 0);
        if (next == depth) {
            break;
        }
        depth = next;
    }
    for (size_t i = 0; i < n; i++) {
        rungs->depths[i] = down[n - 1 - i];
    }
    rungs->count = n;
    return (n == 1) ? one_rung(setup, least, reduction) : STATUS_OK;
}

size_t rungs_write(const Rungs *rungs, int64_t *depths, size_t most) {
    for (size_t i = 0; i < rungs->count && i < most; i++) {
        depths[i] = rungs->depths[i];
    }
    return rungs->count;
}

/* ---- brackets ------------------------------------------------------------------------------ */

/* Configurations at the first rung of the bracket that is halved `halvings` times, of `count`
 * rungs: ceil(count / (halvings + 1) x reduction^halvings) in Hyperband (Li et al. 2017, algorithm
 * 1), floor(count / (halvings + 1)) x reduction^halvings in DEHB's code (automl/DEHB@e277f36). */
static int64_t first_size(BracketKind kind, int64_t count, int64_t halvings, int64_t reduction) {
    int64_t power = 1;
    for (int64_t i = 0; i < halvings; i++) {
        power *= reduction;
    }
    return (kind == BRACKETS_FRESH) ? count / (halvings + 1) * power
                                    : (count * power + halvings) / (halvings + 1);
}

Status brackets_init(const SchedulerSetup *setup, double min_units, int64_t reduction,
                     BracketKind kind, Brackets *brackets) {
    *brackets = (Brackets){.kind = kind};
    TRY(rungs_downwards(setup, min_units, reduction, &brackets->rungs));
    const size_t count = brackets->rungs.count;
    for (size_t i = 0; i < count; i++) {
        int64_t size = first_size(kind, (int64_t)count, (int64_t)(count - 1 - i), reduction);
        for (size_t rung = i; rung < count; rung++) {
            brackets->sizes[i][rung] = size;
            brackets->numbers[i] += (rung == i || kind == BRACKETS_FRESH) ? size : 0;
            size = (size / reduction < 1) ? 1 : size / reduction;
        }
        brackets->round += brackets->numbers[i];
    }
    return STATUS_OK;
}

BracketPlace brackets_find(const Brackets *brackets, int64_t configuration) {
    const size_t  count = brackets->rungs.count;
    const int64_t round = configuration / brackets->round;
    int64_t       left = configuration % brackets->round;
    size_t        bracket = 0;
    while (left >= brackets->numbers[bracket]) {
        left -= brackets->numbers[bracket++];
    }
    size_t rung = bracket;
    while (brackets->kind == BRACKETS_FRESH && left >= brackets->sizes[bracket][rung]) {
        left -= brackets->sizes[bracket][rung++];
    }
    BracketPlace place = {
        .bracket = round * (int64_t)count + (int64_t)bracket,
        .first = bracket,
        .rung = rung,
        .place = left,
    };
    for (size_t i = 0; i < count; i++) {
        const bool counts = i <= rung && (i == rung || brackets->kind == BRACKETS_FRESH);
        place.before += counts ? (round + (i < bracket)) * brackets->sizes[i][rung] : 0;
    }
    return place;
}
