#include "tuner/study_effects.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 64 };

/* what was seen of one option row; rows are those of the agent */
typedef struct Effect {
    bool   named; /* tuned or fixed by the study */
    bool   works; /* at some point */
    bool   idle;  /* at some point, because of row `decider` */
    size_t decider;
} Effect;

typedef struct Look {
    const Study      *study;
    const OptionSpec *specs;
    size_t            rows;
    Effect           *effects; /* (rows) */
    double           *values;  /* (rows) */
    double           *point;   /* (space_count) */
} Look;

/* notes what has an effect at look->point; what is not active there is not looked at */
static Status look_at_point(const Look *look) {
    const Space *space = look->study->space;
    TRY(study_agent_options(look->study, look->point, look->values));
    for (size_t row = 0; row < look->rows; row++) {
        Effect      *effect = &look->effects[row];
        const size_t index = space_find(space, look->specs[row].name);
        if (!effect->named || (index < space_count(space) && isnan(look->point[index]))) {
            continue;
        }
        const size_t decider = look->study->agent->overruled_by(look->values, row);
        effect->works = effect->works || decider == look->rows;
        if (decider < look->rows) {
            effect->idle = true;
            effect->decider = decider;
        }
    }
    return STATUS_OK;
}

static Status look_at_choices(const Look *look, size_t index) {
    const Space *space = look->study->space;
    for (size_t k = 0; k < space_at(space, index)->choice_count; k++) {
        space_defaults(space, look->point);
        if (isnan(look->point[index])) {
            return STATUS_OK;
        }
        look->point[index] = (double)k;
        space_activate(space, look->point);
        if (space_check(space, look->point) != STATUS_OK) {
            status_clear(); /* forbidden */
            continue;
        }
        TRY(look_at_point(look));
    }
    return STATUS_OK;
}

static void find_named(const Look *look) {
    const Study *study = look->study;
    for (size_t row = 0; row < look->rows; row++) {
        const char *name = look->specs[row].name;
        look->effects[row].named = !option_is_element(look->specs, row) &&
                                   (space_find(study->space, name) < space_count(study->space) ||
                                    json_get(study->fixed, name) != NULL);
    }
}

/* the names of those that `decider` leaves idle, everywhere or somewhere; none: nothing */
static void put_names(const Look *look, size_t decider, bool everywhere, Buffer *out) {
    const char *between = "";
    for (size_t row = 0; row < look->rows; row++) {
        const Effect *effect = &look->effects[row];
        if (effect->named && effect->idle && effect->decider == decider &&
            effect->works != everywhere) {
            buffer_printf(out, "%s%s", between, look->specs[row].name);
            between = ", ";
        }
    }
}

static void put_lines(const Look *look, size_t decider, Buffer *out) {
    const OptionSpec *spec = &look->specs[decider];
    const bool tuned = space_find(look->study->space, spec->name) < space_count(look->study->space);
    char       value[VALUE_BYTES];
    Buffer     names;

    option_format(spec, look->values[decider], value, sizeof value);
    buffer_init(&names, STUDY_TEXT_BYTES);
    put_names(look, decider, true, &names);
    if (names.length > 0 && tuned) {
        buffer_printf(out, "%s: without effect, whatever '%s' is here\n", buffer_text(&names),
                      spec->name);
    } else if (names.length > 0) {
        buffer_printf(out, "%s: without effect with '%s: %s'\n", buffer_text(&names), spec->name,
                      value);
    }
    buffer_clear(&names);
    put_names(look, decider, false, &names);
    if (names.length > 0) {
        buffer_printf(out,
                      "%s: without effect for some values of '%s'; a `when` keeps a "
                      "hyperparameter to the others\n",
                      buffer_text(&names), spec->name);
    }
    buffer_reset(&names);
}

static Status look_everywhere(const Look *look, Buffer *out) {
    const Space *space = look->study->space;
    find_named(look);
    for (size_t i = 0; i < space_count(space); i++) {
        TRY(look_at_choices(look, i));
    }
    space_defaults(space, look->point);
    TRY(look_at_point(look)); /* last: the values that are printed */
    for (size_t row = 0; row < look->rows; row++) {
        put_lines(look, row, out);
    }
    return buffer_status(out);
}

/* options of the scheduler that are not at their default and change nothing, each with what is to
 * blame */
static Status look_at_scheduler(const Study *study, Buffer *out) {
    const OptionSpec *specs = study->scheduler->options;
    const double     *values = study->scheduler_values;
    for (size_t row = 0; study->scheduler->overruled_by != NULL && specs[row].name != NULL; row++) {
        const size_t decider = study->scheduler->overruled_by(values, row);
        const bool   given = isnan(specs[row].default_value)
                                 ? !isnan(values[row])
                                 : values[row] != specs[row].default_value;
        char         value[VALUE_BYTES];
        if (!given || decider == SCHEDULER_HAS_EFFECT) {
            continue;
        }
        if (decider == row) {
            buffer_printf(out, "scheduler.%s: without effect in '%s'\n", specs[row].name,
                          study->scheduler->name);
            continue;
        }
        option_format(&specs[decider], values[decider], value, sizeof value);
        buffer_printf(out, "scheduler.%s: without effect with 'scheduler.%s: %s'\n",
                      specs[row].name, specs[decider].name, value);
    }
    return buffer_status(out);
}

/* ---- what the study asks for and its scheduler does not look at ---- */

static void put_objectives(const Study *study, const SchedulerUses *uses, Buffer *out) {
    const char *name = study->scheduler->name;
    const char *first = study->objectives[0].metric;
    if (uses->objectives > 0 && uses->objectives < study->objective_count) {
        buffer_puts(out, "objective: ");
        for (size_t i = uses->objectives; i < study->objective_count; i++) {
            buffer_printf(out, "%s%s", (i == uses->objectives) ? "" : ", ",
                          study->objectives[i].metric);
        }
        buffer_printf(out, ": recorded, but changes no decision of '%s', which looks at ", name);
        if (uses->objectives == 1) {
            buffer_printf(out, "%s only\n", first);
        } else {
            buffer_printf(out, "the first %zu only\n", uses->objectives);
        }
    }
    if (uses->objectives > 1 && study->objective_count > 1 && study->scheduler->stops_early) {
        buffer_printf(out, "objective: '%s' judges early by %s only, whatever its sampler learns\n",
                      name, first);
    }
}

/* A result that is partly that of earlier values, of another member's even after an exploit, is
 * compared as if it were this segment's; results that share values are also smoother than the
 * noise in them, which is how noise is measured. */
static void put_window(const Study *study, const SchedulerUses *uses, Buffer *out) {
    const StudyObjective *objective = &study->objectives[0];
    const Reduction       reduction = {objective->reduce, objective->window, objective->maximize};
    const size_t          segment = (size_t)study->budget.segment;
    if (!uses->segments || reduce_window(reduction, SIZE_MAX) <= segment) {
        return;
    }
    buffer_printf(out, "objective: %s looks back ", reduce_name(objective->reduce));
    if (objective->reduce == REDUCE_MEAN_LAST) {
        buffer_printf(out, "%" PRId64 " %ss", objective->window, study->budget.unit);
    } else {
        buffer_puts(out, "to the root");
    }
    buffer_printf(out,
                  ", beyond a segment of %zu: '%s' judges new values partly by what earlier ones "
                  "showed, and takes results for less noisy than they are\n",
                  segment, study->scheduler->name);
}

static Status look_at_uses(const Study *study, Buffer *out) {
    const char         *name = study->scheduler->name;
    const SchedulerUses uses = scheduler_uses(study->scheduler, study->scheduler_values);
    put_objectives(study, &uses, out);
    if (study->cost != NULL && !uses.cost) {
        buffer_printf(out, "cost: %s is recorded, but '%s' weighs no cost\n", study->cost, name);
    }
    if (uses.evaluations != NULL && study->command_count > 0 && !study->evaluate_said) {
        buffer_printf(out,
                      "scheduler.%s: needs a trainer that evaluates; one that answers 'failed' "
                      "leaves '%s' nothing to go back to ('trainer.evaluate: true' says that yours "
                      "does)\n",
                      uses.evaluations, name);
    }
    put_window(study, &uses, out);
    return buffer_status(out);
}

Status study_effects(const Study *study, Buffer *out) {
    TRY(look_at_scheduler(study, out));
    TRY(look_at_uses(study, out));
    if (study->agent == NULL) {
        return STATUS_OK;
    }
    const OptionSpec *specs = study->agent->options();
    const size_t      rows = option_count(specs);
    const Look        look = {.study = study,
                              .specs = specs,
                              .rows = rows,
                              .effects = calloc(rows + 1, sizeof *look.effects),
                              .values = calloc(rows + 1, sizeof *look.values),
                              .point = calloc(space_count(study->space) + 1, sizeof *look.point)};
    const Status      status =
        look.effects == NULL || look.values == NULL || look.point == NULL
                 ? FAILURE(STATUS_ERR_NOMEM, "no memory to look for values without effect")
                 : look_everywhere(&look, out);
    free(look.effects);
    free(look.values);
    free(look.point);
    return status;
}
