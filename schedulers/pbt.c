/* Population based training (Jaderberg et al., 2017): truncation selection at every segment's end.
 * Everything is in population.h. */
#include "schedulers/builtin.h"
#include "schedulers/population.h"

#include <stdlib.h>

static const OptionSpec pbt_options[POPULATION_OPTION_COUNT + 1] = {POPULATION_OPTION_ROWS};

static void pbt_destroy(void *self) {
    Population *population = self;
    if (population != NULL) {
        population_reset(population);
        free(population);
    }
}

static Status pbt_create(const SchedulerSetup *setup, const double *option_values, void **self) {
    *self = NULL;
    Population *population = calloc(1, sizeof *population);
    if (population == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population");
    }
    const Status status = population_init(population, setup, option_values);
    if (status != STATUS_OK) {
        free(population);
        return status;
    }
    *self = population;
    return STATUS_OK;
}

static SchedulerOrder pbt_order(const void *self) {
    return population_order(self);
}

static Status pbt_decide(const void *self, int64_t number, Decision *decision) {
    const SegmentNode *step = NULL;
    TRY(population_next(self, number, decision, &step));
    return (step == NULL) ? STATUS_OK : population_step(self, number, step, decision);
}

static Status pbt_observe(void *self, const Event *event) {
    return population_observe(self, event);
}

static Keeps pbt_keeps(const void *self, int64_t segment) {
    return population_keeps(self, segment, INT64_MAX);
}

const SchedulerOps scheduler_pbt_ops = {
    .name = "pbt",
    .source = "Jaderberg et al. (2017), arXiv 1711.09846",
    .help = "A population whose worst members continue the agents of its best with values moved "
            "a little: for values that should change during training, with 8 members or more. "
            "Not where what pays off at once is wrong in the long run (it is greedy; twice the "
            "members helped), nor where results are noisier than what a segment brings, where it "
            "seldom beat the best static values.",
    .options = pbt_options,
    .population = true,
    .branches = true,
    .create = pbt_create,
    .order = pbt_order,
    .decide = pbt_decide,
    .observe = pbt_observe,
    .keeps = pbt_keeps,
    .destroy = pbt_destroy,
    .uses = population_uses,
};
