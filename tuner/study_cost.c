#include "tuner/study_cost.h"

#include "tuner/study_effects.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SWEEPS = 4,              /* over all dimensions; costs are nearly monotone in each */
    METRIC_ROW_BYTES = 40,   /* of one value in the database, its index included (measured) */
    SEGMENT_ROW_BYTES = 2048 /* segment, attempt, event and values of one segment */
};

/* One quantity as a function of a point. */
typedef double (*Quantity)(const Study *study, const AgentCost *cost);

typedef struct Search {
    const Study *study;
    double      *options; /* (option_count) scratch */
    double      *point;   /* (space_count) the best so far */
    double      *trial;   /* (space_count) scratch */
    double       rows;    /* transitions that training and checkpoints are taken at */
} Search;

static double unit_steps(const Study *study, const AgentCost *cost) {
    return strcmp(study->budget.unit, "env_step") == 0 ? 1.0 : cost->env_steps;
}

static double plan_flop(const Study *study, const AgentCost *cost) {
    (void)study;
    return cost->plan_flop;
}

static double plan_steps(const Study *study, const AgentCost *cost) {
    (void)study;
    return cost->plan_env_steps;
}

static double unit_flop(const Study *study, const AgentCost *cost) {
    const double steps = unit_steps(study, cost);
    return steps * (cost->plan_flop + cost->train_flop / cost->env_steps);
}

static double rebuild_flop(const Study *study, const AgentCost *cost) {
    (void)study;
    return cost->rebuild_flop;
}

static double checkpoint_bytes(const Study *study, const AgentCost *cost) {
    (void)study;
    return cost->checkpoint_bytes;
}

static Status cost_at(const Search *search, const double *point, AgentCost *out) {
    const Study *study = search->study;

    TRY(study_agent_options(study, point, search->options));
    study->agent->cost(study->environment, search->options, search->rows, out);
    return STATUS_OK;
}

/* Values of one dimension that are tried: its ends, every choice. */
static size_t candidate_count(const SpaceParameter *parameter) {
    return parameter->choice_count > 0 ? parameter->choice_count : 2;
}

static double candidate(const SpaceParameter *parameter, size_t index) {
    if (parameter->choice_count > 0 || parameter->type == SPACE_BOOL) {
        return (double)index;
    }
    if (index == 0) {
        return parameter->lower;
    }
    if (parameter->step > 0.0) {
        const double range = parameter->upper - parameter->lower;
        return parameter->lower + floor(range / parameter->step + 1e-9) * parameter->step;
    }
    return parameter->upper;
}

/* Tries all values of dimension `i`; true if the point moved. */
static Status improve(Search *search, size_t i, Quantity quantity, double sign, double *best,
                      bool *moved) {
    const Space          *space = search->study->space;
    const SpaceParameter *parameter = space_at(space, i);
    const size_t          bytes = space_count(space) * sizeof *search->point;

    for (size_t k = 0; k < candidate_count(parameter); k++) {
        AgentCost cost;
        if (isnan(search->point[i])) {
            return STATUS_OK; /* not active here */
        }
        memcpy(search->trial, search->point, bytes);
        search->trial[i] = candidate(parameter, k);
        space_activate(space, search->trial);
        if (space_check(space, search->trial) != STATUS_OK) {
            continue; /* forbidden */
        }
        TRY(cost_at(search, search->trial, &cost));
        const double value = quantity(search->study, &cost);
        if (sign * value > sign * *best) {
            *best = value;
            memcpy(search->point, search->trial, bytes);
            *moved = true;
        }
    }
    return STATUS_OK;
}

/* Goes through all dimensions once. */
static Status sweep(Search *search, Quantity quantity, double sign, double *best, bool *moved) {
    for (size_t i = 0; i < space_count(search->study->space); i++) {
        TRY(improve(search, i, quantity, sign, best, moved));
    }
    return STATUS_OK;
}

/* Corner where sign x quantity is largest. */
static Status corner(Search *search, Quantity quantity, double sign, double *out) {
    const Space *space = search->study->space;
    AgentCost    cost;
    bool         moved = true;

    space_defaults(space, search->point);
    TRY(cost_at(search, search->point, &cost));
    *out = quantity(search->study, &cost);
    for (size_t k = 0; k < SWEEPS && moved; k++) {
        moved = false;
        TRY(sweep(search, quantity, sign, out, &moved));
    }
    return STATUS_OK;
}

static Status range_of(Search *search, Quantity quantity, CostRange *out) {
    AgentCost cost;

    space_defaults(search->study->space, search->point);
    TRY(cost_at(search, search->point, &cost));
    out->defaults = quantity(search->study, &cost);
    TRY(corner(search, quantity, -1.0, &out->lowest));
    return corner(search, quantity, 1.0, &out->highest);
}

static double disk(const Study *study, const StudyCost *cost, double checkpoint) {
    const double segments = (double)cost->segments;
    double       kept = segments * checkpoint;
    size_t       metrics = 0;

    if (study->limits.checkpoint_bytes > 0.0 && kept > study->limits.checkpoint_bytes) {
        kept = study->limits.checkpoint_bytes;
    }
    while (study->agent->metrics[metrics].name != NULL) {
        metrics++;
    }
    const double units = (double)(cost->units + cost->confirm_units);
    return kept + (double)cost->confirm_chains * checkpoint + segments * SEGMENT_ROW_BYTES +
           units * (double)metrics * METRIC_ROW_BYTES;
}

/* Does a change of some hyperparameter build a part of the agent anew? */
static bool has_dynamic_structure(const Study *study) {
    const OptionSpec *specs = study->agent->options();
    const size_t      rows = option_count(specs);
    for (size_t i = 0; i < space_count(study->space); i++) {
        const SpaceParameter *parameter = space_at(study->space, i);
        const size_t          row = option_find(specs, parameter->name);
        if (parameter->dynamic && row < rows && specs[row].dynamic == OPTION_REBUILDS) {
            return true;
        }
    }
    return false;
}

/* A rebuild follows a change of values, which only populations make, where a segment begins that
 * continues another; a schedule that is confirmed makes those of its steps. */
static int64_t most_rebuilds(const Study *study, const StudyCost *cost) {
    const StudyBudget *budget = &study->budget;
    if (!study->scheduler->population || !has_dynamic_structure(study)) {
        return 0;
    }
    const int64_t tuning = cost->segments > cost->chains ? cost->segments - cost->chains : 0;
    const int64_t steps = (study->confirm.per_trial + budget->segment - 1) / budget->segment;
    const int64_t schedules = study->confirm.top * study->confirm.seeds;
    return tuning + (study->confirm.seeds > 0 && steps > 1 ? schedules * (steps - 1) : 0);
}

static Status fill(Search *search, StudyCost *out) {
    const Study *study = search->study;
    AgentCost    cost;
    CostRange    bytes;

    search->rows = 0.0;
    TRY(cost_at(search, NULL, &cost));
    out->unit_steps = unit_steps(study, &cost);
    out->first_row = (out->unit_steps > 1.0) ? 1.0 : cost.first_row_steps;
    /* data grow evenly: half of a trial's is the mean */
    search->rows = 0.5 * (double)study->budget.per_trial * out->unit_steps;
    TRY(range_of(search, plan_flop, &out->plan_flop));
    TRY(range_of(search, plan_steps, &out->plan_steps));
    TRY(range_of(search, unit_flop, &out->study_flop));
    TRY(range_of(search, rebuild_flop, &out->rebuild_flop));
    TRY(range_of(search, checkpoint_bytes, &bytes));
    const double units = (double)(out->units + out->confirm_units);
    out->study_flop.defaults *= units;
    out->study_flop.lowest *= units;
    out->study_flop.highest *= units;
    out->rebuilds = most_rebuilds(study, out);
    out->study_flop.highest += (double)out->rebuilds * out->rebuild_flop.highest;
    out->disk_bytes = (CostRange){
        .defaults = disk(study, out, bytes.defaults),
        .lowest = disk(study, out, bytes.lowest),
        .highest = disk(study, out, bytes.highest),
    };
    out->known = true;
    return STATUS_OK;
}

static void count(const Study *study, StudyCost *out) {
    const StudyBudget *budget = &study->budget;
    const OptionSpec  *specs = study->scheduler->options;
    const size_t       row = option_find(specs, "population");

    memset(out, 0, sizeof *out);
    out->units = budget->total;
    out->segments = (budget->total + budget->segment - 1) / budget->segment;
    out->chains = budget->trials * study->repeats;
    if (study->scheduler->population && row < option_count(specs) &&
        !isnan(study->scheduler_values[row])) {
        out->chains = (int64_t)study->scheduler_values[row] * study->repeats;
    }
    if (study->confirm.seeds > 0) {
        out->confirm_chains = (study->confirm.top + 1) * study->confirm.seeds;
        out->confirm_units = out->confirm_chains * study->confirm.per_trial;
    }
}

static void search_reset(Search *search) {
    free(search->options);
    free(search->point);
    free(search->trial);
}

/* of a built-in agent; to be reset also on failure */
static Status search_init(Search *search, const Study *study) {
    const size_t n = space_count(study->space);
    *search = (Search){.study = study};
    search->options = calloc(option_count(study->agent->options()) + 1, sizeof *search->options);
    search->point = calloc(n + 1, sizeof *search->point);
    search->trial = calloc(n + 1, sizeof *search->trial);
    if (search->options == NULL || search->point == NULL || search->trial == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a cost estimate");
    }
    return STATUS_OK;
}

Status study_cost_corner(const Study *study, StudyCorner which, double *point) {
    Search search;
    double value = 0.0;

    space_defaults(study->space, point);
    if (study->agent == NULL || which == STUDY_CORNER_DEFAULTS) {
        return STATUS_OK;
    }
    Status status = search_init(&search, study);
    if (status == STATUS_OK) {
        status = corner(&search, unit_flop, (which == STUDY_CORNER_LOWEST) ? -1.0 : 1.0, &value);
    }
    if (status == STATUS_OK) {
        memcpy(point, search.point, space_count(study->space) * sizeof *point);
    }
    search_reset(&search);
    return status;
}

Status study_cost_unit(const Study *study, const double *point, double rows, double *flop,
                       AgentCost *cost) {
    Search search;

    if (study->agent == NULL) {
        FAIL(STATUS_ERR_ARG, "study '%s' has no built-in agent", study->name);
    }
    Status status = search_init(&search, study);
    if (status == STATUS_OK) {
        search.rows = rows;
        status = cost_at(&search, point, cost);
    }
    if (status == STATUS_OK) {
        *flop = unit_flop(study, cost);
    }
    search_reset(&search);
    return status;
}

Status study_cost(const Study *study, StudyCost *out) {
    StudyCost cost;
    Search    search;

    count(study, &cost);
    if (study->agent == NULL) {
        *out = cost;
        return STATUS_OK;
    }
    Status status = search_init(&search, study);
    if (status == STATUS_OK) {
        status = fill(&search, &cost);
    }
    search_reset(&search);
    if (status == STATUS_OK) {
        *out = cost;
    }
    return status;
}

/* A segment that ends before its agent's first row has no objective, and that ends its line. */
Status study_warnings(const Study *study, const StudyCost *cost, Buffer *out) {
    if (cost->known && (double)study->budget.segment < cost->first_row) {
        buffer_printf(out,
                      "budget.segment: an agent's first metrics may come after up to %.0f %ss only "
                      "(its random steps and one episode); a first segment of %" PRId64
                      " that ends before has no objective and fails\n",
                      cost->first_row, study->budget.unit, study->budget.segment);
    }
    if (study->scheduler->population && space_dynamic_count(study->space) == 0) {
        buffer_printf(out,
                      "hyperparameters: scheduler '%s' changes values while agents train, and none "
                      "of these has dynamic: true\n",
                      study->scheduler->name);
    }
    return study_effects(study, out);
}
