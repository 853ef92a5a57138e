/* Sobol search: static chains whose configurations fill the space more evenly than random ones.
 * Configuration c is scrambled Sobol point number c of the study's seed; where that point is
 * forbidden, the draw of random search takes its place, so that no other configuration moves.
 *
 * Sources: Sobol (1967); Bergstra & Bengio (2012), section 4.3 (low-discrepancy search). */
#include "schedulers/builtin.h"
#include "schedulers/scheduler_internal.h"
#include "schedulers/static_chains.h"

#include "core/optimize/sobol.h"

#include <stdlib.h>

typedef struct SobolSearch {
    StaticChains chains;
    Sobol       *points;
} SobolSearch;

static const OptionSpec sobol_options[] = {{.name = NULL}};

static Status draw_sobol(const SchedulerSetup *setup, const void *context, int64_t configuration,
                         double *point) {
    double unit[SOBOL_MAX_DIMENSIONS];
    TRY(sobol_points(context, (uint64_t)configuration, 1, unit));
    space_decode(setup->space, unit, point);
    const Status status = space_check(setup->space, point);
    if (status != STATUS_ERR_STATE) {
        return status;
    }
    status_clear();
    Rng rng = scheduler_rng(setup, configuration, LANE_SAMPLE);
    return space_sample(setup->space, &rng, point);
}

static void sobol_search_destroy(void *self) {
    SobolSearch *search = self;
    if (search != NULL) {
        static_chains_reset(&search->chains);
        sobol_destroy(search->points);
        free(search);
    }
}

static Status sobol_search_create(const SchedulerSetup *setup, const double *option_values,
                                  void **self) {
    (void)option_values;
    *self = NULL;
    SobolSearch *search = calloc(1, sizeof *search);
    if (search == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Sobol search");
    }
    const Status status =
        sobol_create(space_count(setup->space), SOBOL_SCRAMBLED, setup->seed, &search->points);
    if (status != STATUS_OK) {
        free(search);
        return status;
    }
    static_chains_init(&search->chains, setup, draw_sobol, search->points);
    *self = search;
    return STATUS_OK;
}

static SchedulerOrder search_order(const void *self) {
    (void)self;
    return SCHEDULER_ORDER_ANY;
}

static Status search_decide(const void *self, int64_t number, Decision *decision) {
    const SobolSearch *search = self;
    (void)number;
    return static_chains_decide(&search->chains, decision);
}

static Status search_observe(void *self, const Event *event) {
    SobolSearch *search = self;
    return static_chains_observe(&search->chains, event);
}

static Keeps search_keeps(const void *self, int64_t segment) {
    const SobolSearch *search = self;
    return static_chains_keeps(&search->chains, segment);
}

const SchedulerOps scheduler_sobol_ops = {
    .name = "sobol",
    .source = "Sobol (1967); Joe & Kuo, SIAM J. Sci. Comput. 30 (2008)",
    .help = "Static values from a scrambled Sobol sequence, each trained to the full depth: random "
            "search that leaves no gaps, best with a power of two of configurations. Not for "
            "values that should change while the agent trains, and it learns nothing from results.",
    .options = sobol_options,
    .create = sobol_search_create,
    .order = search_order,
    .decide = search_decide,
    .observe = search_observe,
    .keeps = search_keeps,
    .destroy = sobol_search_destroy,
};
