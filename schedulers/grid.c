/* Grid search: every combination of a few values per hyperparameter once.
 *
 * Floats and ints take `levels` values from bound to bound, evenly on their scale (log-aware,
 * rounded to whole numbers or to the step, equal ones once); choices and booleans take all of
 * theirs. A hyperparameter that a condition switches off does not multiply, and forbidden
 * combinations are left out. In shuffled order any first part of the grid is a fair sample of it.
 *
 * Source: the common practice that Bergstra & Bengio (2012) compare with. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRID_LEVELS, GRID_SHUFFLE, GRID_MOST_POINTS = 1000000 };

typedef struct GridSampler {
    const SchedulerSetup *setup;
    size_t                values; /* hyperparameters */
    double              **axes;   /* (values) each (lengths[i]) ascending */
    size_t               *lengths;
    uint64_t             *cells; /* (count) combinations that exist, in the order of proposals */
    size_t                count;
    size_t                next; /* index in cells of the next proposal */
} GridSampler;

static void grid_destroy(void *self) {
    GridSampler *grid = self;
    if (grid == NULL) {
        return;
    }
    for (size_t i = 0; grid->axes != NULL && i < grid->values; i++) {
        free(grid->axes[i]);
    }
    free(grid->axes);
    free(grid->lengths);
    free(grid->cells);
    free(grid);
}

/* value number `i` of `n`, from bound to bound */
static double grid_value(const SpaceParameter *parameter, size_t i, size_t n) {
    const double at = (n > 1) ? (double)i / (double)(n - 1) : 0.5;
    double       value = parameter->lower + at * (parameter->upper - parameter->lower);
    if (parameter->log) {
        value = parameter->lower * pow(parameter->upper / parameter->lower, at);
    }
    const double step =
        (parameter->type == SPACE_INT && parameter->step == 0) ? 1 : parameter->step;
    if (step > 0) {
        value = parameter->lower + step * round((value - parameter->lower) / step);
    }
    return fmin(fmax(value, parameter->lower), parameter->upper);
}

static Status make_axis(const SpaceParameter *parameter, size_t levels, double **axis,
                        size_t *length) {
    const bool numeric = parameter->type == SPACE_FLOAT || parameter->type == SPACE_INT;
    if (!numeric) {
        levels = (size_t)parameter->upper + 1;
    }
    *axis = malloc(levels * sizeof **axis);
    *length = 0;
    if (*axis == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the grid of '%s'", parameter->name);
    }
    for (size_t i = 0; i < levels; i++) {
        const double value = numeric ? grid_value(parameter, i, levels) : (double)i;
        if (*length == 0 || value != (*axis)[*length - 1]) {
            (*axis)[(*length)++] = value;
        }
    }
    return STATUS_OK;
}

/* Writes the point of a combination. False: a second name of another one, since a value that is
 * switched off counts with its first only. */
static bool point_of(const GridSampler *grid, uint64_t cell, double *point) {
    uint64_t rest = cell;
    for (size_t i = 0; i < grid->values; i++) {
        point[i] = grid->axes[i][rest % grid->lengths[i]];
        rest /= grid->lengths[i];
    }
    space_activate(grid->setup->space, point);
    rest = cell;
    for (size_t i = 0; i < grid->values; i++) {
        if (isnan(point[i]) && rest % grid->lengths[i] != 0) {
            return false;
        }
        rest /= grid->lengths[i];
    }
    return true;
}

static Status list_cells(GridSampler *grid, uint64_t product, double *point) {
    const Space *space = grid->setup->space;
    for (uint64_t cell = 0; cell < product; cell++) {
        if (!point_of(grid, cell, point)) {
            continue;
        }
        const Status status = space_check(space, point);
        if (status == STATUS_OK) {
            grid->cells[grid->count++] = cell;
        } else if (status == STATUS_ERR_STATE) {
            status_clear(); /* forbidden */
        } else {
            return status;
        }
    }
    return STATUS_OK;
}

static void shuffle_cells(GridSampler *grid) {
    Rng rng = scheduler_rng(grid->setup, 0, LANE_SAMPLE);
    for (size_t i = grid->count; i > 1; i--) {
        const size_t   j = (size_t)rng_below(&rng, i);
        const uint64_t cell = grid->cells[i - 1];
        grid->cells[i - 1] = grid->cells[j];
        grid->cells[j] = cell;
    }
}

static Status make_cells(GridSampler *grid, bool shuffle) {
    uint64_t product = 1;
    for (size_t i = 0; i < grid->values; i++) {
        product *= grid->lengths[i];
        if (product > GRID_MOST_POINTS) {
            FAIL(STATUS_ERR_RANGE,
                 "the grid has more than %d points; take fewer 'levels', or the scheduler sobol",
                 GRID_MOST_POINTS);
        }
    }
    grid->cells = malloc((product + 1) * sizeof *grid->cells);
    double *point = malloc((grid->values + 1) * sizeof *point);
    if (grid->cells == NULL || point == NULL) {
        free(point);
        FAIL(STATUS_ERR_NOMEM, "no memory for a grid of %" PRIu64 " points", product);
    }
    const Status status = list_cells(grid, product, point);
    free(point);
    if (status == STATUS_OK && shuffle) {
        shuffle_cells(grid);
    }
    return status;
}

static Status fill_grid(GridSampler *grid, const double *options) {
    grid->axes = calloc(grid->values + 1, sizeof *grid->axes);
    grid->lengths = calloc(grid->values + 1, sizeof *grid->lengths);
    if (grid->axes == NULL || grid->lengths == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a grid");
    }
    for (size_t i = 0; i < grid->values; i++) {
        TRY(make_axis(space_at(grid->setup->space, i), (size_t)options[GRID_LEVELS], &grid->axes[i],
                      &grid->lengths[i]));
    }
    return make_cells(grid, options[GRID_SHUFFLE] != 0);
}

static Status grid_create(const SchedulerSetup *setup, const double *options, void **self) {
    GridSampler *grid = calloc(1, sizeof *grid);
    *self = NULL;
    if (grid == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a grid");
    }
    grid->setup = setup;
    grid->values = space_count(setup->space);
    const Status status = fill_grid(grid, options);
    if (status != STATUS_OK) {
        grid_destroy(grid);
        return status;
    }
    *self = grid;
    return STATUS_OK;
}

static Status grid_propose(const void *self, int64_t configuration, int64_t target,
                           Proposal *proposal) {
    const GridSampler *grid = self;
    (void)configuration;
    (void)target;
    if (grid->next >= grid->count) {
        proposal->kind = PROPOSAL_END;
        return STATUS_OK;
    }
    (void)point_of(grid, grid->cells[grid->next], proposal->point);
    memcpy(proposal->memo, &grid->next, sizeof grid->next); /* that this came from the grid */
    proposal->memo_size = sizeof grid->next;
    proposal->kind = PROPOSAL_POINT;
    return STATUS_OK;
}

static Status grid_begin(void *self, int64_t configuration, const double *point, const void *memo,
                         size_t memo_size) {
    GridSampler *grid = self;
    (void)configuration;
    (void)point;
    if (memo_size == sizeof grid->next) {
        memcpy(&grid->next, memo, sizeof grid->next);
        grid->next++;
    }
    return STATUS_OK;
}

const SamplerOps sampler_grid_ops = {
    .name = "grid",
    .source = "Bergstra & Bengio, JMLR 13 (2012), section 1",
    .create = grid_create,
    .propose = grid_propose,
    .begin = grid_begin,
    .destroy = grid_destroy,
};

static const OptionSpec grid_options[] = {GRID_OPTION_ROWS, {.name = NULL}};

static Status grid_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &sampler_grid_ops, options, self);
}

const SchedulerOps scheduler_grid_ops = {
    .name = "grid",
    .source = "Bergstra & Bengio, JMLR 13 (2012), section 1",
    .help = "Every combination of a few values per hyperparameter, each trained to the full depth: "
            "for two or three hyperparameters whose whole map is wanted. Not for more, where "
            "random and sobol see more values of each at the same cost.",
    .options = grid_options,
    .create = grid_search_create,
    CHAINS_SCHEDULER,
};
