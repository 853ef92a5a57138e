/* Population based bandits (Parker-Holder et al., 2020): who exploits whom is decided as in
 * population based training, but the new values are those that a Gaussian process of the
 * improvements expects most of, with a share of what it does not know.
 *
 * Differences to the published method, all in docs/decisions.md: time is one more dimension of a
 * Matern kernel instead of a factor (1 - epsilon)^(|t - t'| / 2); choices, ints and ordinals are
 * dimensions of the same kernel (overlap; after Wan et al., 2022, instead of the bandit of
 * PB2-Mult); the window of observations is given, not chosen by its likelihood.
 *
 * Source: Parker-Holder et al. (2020), Provably efficient online hyperparameter optimization with
 * population-based bandits, arXiv 2002.02518. */
#include "schedulers/builtin.h"
#include "schedulers/improvement_model.h"
#include "schedulers/population.h"

#include <stdlib.h>

enum { OPTION_WINDOW = POPULATION_OPTION_COUNT, OPTION_COUNT };

static const OptionSpec pb2_options[OPTION_COUNT + 1] = {
    POPULATION_OPTION_ROWS,
    [OPTION_WINDOW] = {.name = "window",
                       .type = OPTION_INT,
                       .lower = 8,
                       .upper = 1000,
                       .default_value = 100,
                       .help = "newest segments that the model learns from (count; a decision "
                               "takes time as its square)",
                       .source = "Wan et al. (2022)"},
};

typedef struct Bandit {
    Population        population; /* first: what explores is given this */
    ImprovementModel *model;
} Bandit;

static void pb2_destroy(void *self) {
    Bandit *bandit = self;
    if (bandit != NULL) {
        population_reset(&bandit->population);
        improvement_model_destroy(bandit->model);
        free(bandit);
    }
}

static Status pb2_explore(const Population *population, int64_t number, Decision *decision) {
    const Bandit          *bandit = (const Bandit *)population;
    const ImprovementQuery query = {.number = number};
    bool                   proposed = false;
    TRY(improvement_model_propose(bandit->model, population, &query, decision, &proposed));
    return proposed ? STATUS_OK : population_perturb(population, number, decision);
}

static Status pb2_create(const SchedulerSetup *setup, const double *values, void **self) {
    *self = NULL;
    Bandit *bandit = calloc(1, sizeof *bandit);
    if (bandit == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a population");
    }
    Status status = population_init(&bandit->population, setup, values);
    if (status == STATUS_OK) {
        const ImprovementSetup model = {.study = &bandit->population.setup,
                                        .window = (size_t)values[OPTION_WINDOW]};
        bandit->population.explore = pb2_explore;
        status = improvement_model_create(&model, &bandit->model);
    }
    if (status != STATUS_OK) {
        pb2_destroy(bandit);
        return status;
    }
    *self = bandit;
    return STATUS_OK;
}

static SchedulerOrder pb2_order(const void *self) {
    return population_order(&((const Bandit *)self)->population);
}

static Status pb2_decide(const void *self, int64_t number, Decision *decision) {
    const Population  *population = &((const Bandit *)self)->population;
    const SegmentNode *step = NULL;
    TRY(population_next(population, number, decision, &step));
    return (step == NULL) ? STATUS_OK : population_step(population, number, step, decision);
}

static Status pb2_observe(void *self, const Event *event) {
    Bandit *bandit = self;
    TRY(improvement_model_check(bandit->model, event));
    TRY(population_observe(&bandit->population, event));
    improvement_model_observe(bandit->model, event);
    return STATUS_OK;
}

static Keeps pb2_keeps(const void *self, int64_t segment) {
    return population_keeps(&((const Bandit *)self)->population, segment, INT64_MAX);
}

const SchedulerOps scheduler_pb2_ops = {
    .name = "pb2",
    .source = "Parker-Holder et al. (2020), arXiv 2002.02518",
    .help = "Population based training that learns from all members which values improve most at "
            "which time: for populations of 4 to 8 and results with little noise, where random "
            "moves find little. Not where results are noisier than what a segment brings (on a "
            "moving optimum it was no better than the static values of gp), nor where what pays "
            "off at once is wrong in the long run, nor with short segments on hundreds of "
            "workers, since a decision takes milliseconds.",
    .options = pb2_options,
    .population = true,
    .branches = true,
    .create = pb2_create,
    .order = pb2_order,
    .decide = pb2_decide,
    .observe = pb2_observe,
    .keeps = pb2_keeps,
    .destroy = pb2_destroy,
    .uses = population_uses,
};
