/* A study as JSON: the complete definition that the database keeps, and what differs between two.
 */
#include "tuner/study_file_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_BYTES = 128 };

void study_setup(const Study *study, SchedulerSetup *out) {
    *out = (SchedulerSetup){
        .space = study->space,
        .seed = study->seed,
        .per_trial = study->budget.per_trial,
        .segment = study->budget.segment,
        .total = study->budget.total,
        .trials = study->budget.trials,
        .repeats = study->repeats,
        .baseline = study->baseline,
        .can_branch = study->can_branch,
        .cost_aware = study->cost != NULL,
        .objective_count = study->objective_count,
        .constraint_count = study->constraint_count,
    };
    for (size_t i = 0; i < study->objective_count; i++) {
        out->maximize[i] = study->objectives[i].maximize;
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        out->constraint_lower[i] = study->constraints[i].lower;
        out->constraint_upper[i] = study->constraints[i].upper;
    }
}

void study_results(const Study *study, const char *timing[STUDY_MAX_TIMING], ResultsStudy *out) {
    *out = (ResultsStudy){
        .name = study->name,
        .agent = study->manual          ? "manual"
                 : study->agent == NULL ? "external"
                                        : study->agent->name,
        .environment = study->environment_name,
        .unit = study->budget.unit,
        .scheduler = study->scheduler->name,
        .study_hash = study->hash,
        .irreproducible = study->irreproducible,
        .seed = study->seed,
        .space = study->space,
        .budget = {.total = study->budget.total,
                   .trials = study->budget.trials,
                   .wall_clock = study->budget.wall_clock},
        .objective_count = study->objective_count,
        .constraint_count = study->constraint_count,
        .timing_metrics = timing,
    };
    for (size_t i = 0; i < study->objective_count; i++) {
        const StudyObjective *objective = &study->objectives[i];
        out->objective_metric[i] = objective->metric;
        out->objective_reduce[i] = reduce_name(objective->reduce);
        out->objective_window[i] = objective->window;
        out->objective_maximize[i] = objective->maximize;
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        out->constraint_metric[i] = study->constraints[i].metric;
        out->constraint_lower[i] = study->constraints[i].lower;
        out->constraint_upper[i] = study->constraints[i].upper;
    }
    for (size_t i = 0; study->agent != NULL && study->agent->metrics[i].name != NULL; i++) {
        if (study->agent->metrics[i].timing && out->timing_metric_count < STUDY_MAX_TIMING) {
            timing[out->timing_metric_count++] = study->agent->metrics[i].name;
        }
    }
}

/* ---- hyperparameters ---- */

/* The value of a point as the study file would write it. */
static Json *value_to_json(const SpaceParameter *parameter, double value) {
    switch (parameter->type) {
    case SPACE_FLOAT:
        return json_new_number(value);
    case SPACE_INT:
        return json_new_integer((int64_t)value);
    case SPACE_BOOL:
        return json_new_bool(value != 0.0);
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        break;
    }
    return json_new_string(parameter->choices[(size_t)value]);
}

static Status choices_to_json(const SpaceParameter *parameter, Json *object) {
    Json *array = json_new_array();

    for (size_t i = 0; i < parameter->choice_count; i++) {
        const Status status = json_push(array, json_new_string(parameter->choices[i]));
        if (status != STATUS_OK) {
            json_release(array);
            return status;
        }
    }
    return json_set(object, "choices", array);
}

static Status test_to_json(const Space *space, const SpaceTest *test, Json *object) {
    const SpaceParameter *parent = space_at(space, test->parameter);
    Json                 *value = test->values == NULL ? json_new_object() : json_new_array();
    Status                status = STATUS_OK;

    if (test->values != NULL) {
        for (size_t i = 0; i < test->value_count && status == STATUS_OK; i++) {
            status = json_push(value, value_to_json(parent, test->values[i]));
        }
    } else {
        if (!isnan(test->above)) {
            status = json_set(value, "above", json_new_number(test->above));
        }
        if (status == STATUS_OK && !isnan(test->below)) {
            status = json_set(value, "below", json_new_number(test->below));
        }
    }
    if (status != STATUS_OK) {
        json_release(value);
        return status;
    }
    return json_set(object, parent->name, value);
}

static Status when_to_json(const Space *space, const SpaceParameter *parameter, Json *object) {
    Json *when = NULL;

    if (parameter->when.test_count == 0) {
        return STATUS_OK;
    }
    when = json_new_object();
    for (size_t i = 0; i < parameter->when.test_count; i++) {
        const Status status = test_to_json(space, &parameter->when.tests[i], when);
        if (status != STATUS_OK) {
            json_release(when);
            return status;
        }
    }
    return json_set(object, "when", when);
}

static Status parameter_to_json(const Space *space, const SpaceParameter *parameter, Json *object) {
    static const char *const types[] = {
        [SPACE_FLOAT] = "float",     [SPACE_INT] = "int",
        [SPACE_BOOL] = "bool",       [SPACE_CATEGORICAL] = "categorical",
        [SPACE_ORDINAL] = "ordinal",
    };
    const bool number = parameter->type == SPACE_FLOAT || parameter->type == SPACE_INT;

    TRY(json_set(object, "type", json_new_string(types[parameter->type])));
    if (number) {
        TRY(json_set(object, "lower", value_to_json(parameter, parameter->lower)));
        TRY(json_set(object, "upper", value_to_json(parameter, parameter->upper)));
        TRY(json_set(object, "log", json_new_bool(parameter->log)));
    }
    if (number && parameter->step > 0.0) {
        TRY(json_set(object, "step", json_new_number(parameter->step)));
    }
    if (parameter->choice_count > 0) {
        TRY(choices_to_json(parameter, object));
    }
    TRY(json_set(object, "default", value_to_json(parameter, parameter->default_value)));
    TRY(json_set(object, "dynamic", json_new_bool(parameter->dynamic)));
    return when_to_json(space, parameter, object);
}

static Status add_hyperparameters(const Study *study, Json *root) {
    Json *all = json_new_object();

    TRY(json_set(root, "hyperparameters", all));
    for (size_t i = 0; i < space_count(study->space); i++) {
        const SpaceParameter *parameter = space_at(study->space, i);
        Json                 *one = json_new_object();
        TRY(json_set(all, parameter->name, one));
        TRY(parameter_to_json(study->space, parameter, one));
    }
    return STATUS_OK;
}

/* ---- the other keys ---- */

/* Through text: jansson's values must not be shared between two owners that write. */
Status study__json_copy(const Json *json, Json **out) {
    Buffer text;

    *out = NULL;
    buffer_init(&text, STUDY_TEXT_BYTES);
    json_write(json, false, &text);
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = json_parse(text.data, text.length, out);
    }
    buffer_reset(&text);
    return status;
}

static Status add_copy(Json *root, const char *key, const Json *json) {
    Json *copy = NULL;

    TRY(study__json_copy(json, &copy));
    return json_set(root, key, copy);
}

static Status add_words(Json *root, const char *key, char *const *words, size_t count) {
    Json *array = json_new_array();

    TRY(json_set(root, key, array));
    for (size_t i = 0; i < count; i++) {
        TRY(json_push(array, json_new_string(words[i])));
    }
    return STATUS_OK;
}

static Json *option_to_json(const OptionSpec *spec, double value) {
    char text[OPTION_BYTES];

    switch (spec->type) {
    case OPTION_FLOAT:
        return json_new_number(value);
    case OPTION_INT:
        return json_new_integer((int64_t)value);
    case OPTION_BOOL:
        return json_new_bool(value != 0.0);
    case OPTION_CHOICE:
    case OPTION_LIST:
        break;
    }
    option_format(spec, value, text, sizeof text);
    return json_new_string(text);
}

/* The elements given of a list, whose number stands before them. */
static Json *list_to_json(const double *values) {
    Json *array = json_new_array();
    for (size_t i = 0; i < (size_t)values[0]; i++) {
        if (json_push(array, json_new_number(values[1 + i])) != STATUS_OK) {
            json_release(array);
            return NULL;
        }
    }
    return array;
}

/* Option rows as an object; derived defaults (NaN) and lists that are not given are left out. */
static Status add_options(Json *object, const OptionSpec *specs, const double *values) {
    for (size_t i = 0; specs[i].name != NULL; i++) {
        const bool list = specs[i].type == OPTION_LIST;
        if (isnan(values[i]) || option_is_element(specs, i) || (list && values[i] == 0.0)) {
            continue;
        }
        Json *value = list ? list_to_json(&values[i]) : option_to_json(&specs[i], values[i]);
        TRY(json_set(object, specs[i].name, value));
    }
    return STATUS_OK;
}

static Status add_environment(const Study *study, Json *root) {
    if (study->environment_definition != NULL) {
        return add_copy(root, "environment", study->environment_definition);
    }
    return json_set(root, "environment", json_new_string(study->environment_name));
}

static Status add_trainer(const Study *study, Json *root) {
    if (study->agent != NULL) {
        TRY(json_set(root, "agent", json_new_string(study->agent->name)));
        TRY(add_environment(study, root));
        Json *options = json_new_object();
        TRY(json_set(root, "agent_options", options));
        return add_options(options, study->agent->options(), study->agent_values);
    }
    if (study->manual) {
        TRY(json_set(root, "environment", json_new_string(study->environment_name)));
        return json_set(root, "trainer", json_new_string("manual"));
    }
    Json *trainer = json_new_object();
    TRY(json_set(root, "trainer", trainer));
    TRY(json_set(root, "environment", json_new_string(study->environment_name)));
    TRY(json_set(trainer, "checkpoint", json_new_bool(study->can_branch)));
    if (!study->can_evaluate) { /* an older program's definition does not know it */
        TRY(json_set(trainer, "evaluate", json_new_bool(false)));
    }
    TRY(json_set(trainer, "folder", json_new_string(study->folder)));
    return add_words(trainer, "command", study->command, study->command_count);
}

/* Only where they are set: an older program's definition knows none of them. */
static Status add_cost_and_stop(const Study *study, Json *root) {
    if (study->warm_start_count > 0) {
        TRY(add_words(root, "warm_start", study->warm_start, study->warm_start_count));
    }
    if (study->cost != NULL) {
        TRY(json_set(root, "cost", json_new_string(study->cost)));
    }
    if (study->stop.units == 0) {
        return STATUS_OK;
    }
    Json *stop = json_new_object();
    TRY(json_set(root, "stop", stop));
    Json *rule = json_new_object();
    TRY(json_set(stop, "no_improvement", rule));
    TRY(json_set(rule, "units", json_new_integer(study->stop.units)));
    return json_set(rule, "by", json_new_number(study->stop.by));
}

static Status add_objectives(const Study *study, Json *root) {
    Json *objectives = json_new_array();

    TRY(json_set(root, "objective", objectives));
    for (size_t i = 0; i < study->objective_count; i++) {
        const StudyObjective *objective = &study->objectives[i];
        Json                 *one = json_new_object();
        TRY(json_push(objectives, one));
        TRY(json_set(one, "metric", json_new_string(objective->metric)));
        TRY(json_set(one, "direction",
                     json_new_string(objective->maximize ? "maximize" : "minimize")));
        TRY(json_set(one, "reduce", json_new_string(reduce_name(objective->reduce))));
        TRY(json_set(one, "window", json_new_integer(objective->window)));
    }
    Json *constraints = json_new_object();
    TRY(json_set(root, "constraints", constraints));
    for (size_t i = 0; i < study->constraint_count; i++) {
        const StudyConstraint *constraint = &study->constraints[i];
        Json                  *one = json_new_object();
        TRY(json_set(constraints, constraint->metric, one));
        TRY(json_set(one, "lower", json_new_number(constraint->lower)));
        TRY(json_set(one, "upper", json_new_number(constraint->upper)));
    }
    return add_cost_and_stop(study, root);
}

static Status add_budget(const Study *study, Json *root) {
    const StudyBudget *budget = &study->budget;
    Json              *object = json_new_object();

    TRY(json_set(root, "budget", object));
    TRY(json_set(object, "unit", json_new_string(budget->unit)));
    TRY(json_set(object, "per_trial", json_new_integer(budget->per_trial)));
    TRY(json_set(object, "segment", json_new_integer(budget->segment)));
    TRY(json_set(object, "total", json_new_integer(budget->total)));
    TRY(json_set(object, "trials", json_new_integer(budget->trials)));
    TRY(json_set(object, "wall_clock", json_new_number(budget->wall_clock)));
    Json *scheduler = json_new_object();
    TRY(json_set(root, "scheduler", scheduler));
    TRY(json_set(scheduler, "name", json_new_string(study->scheduler->name)));
    return add_options(scheduler, study->scheduler->options, study->scheduler_values);
}

static Status add_phases(const Study *study, Json *root) {
    Json *confirm = json_new_object();

    TRY(json_set(root, "confirm", confirm));
    TRY(json_set(confirm, "top", json_new_integer(study->confirm.top)));
    TRY(json_set(confirm, "seeds", json_new_integer(study->confirm.seeds)));
    TRY(json_set(confirm, "per_trial", json_new_integer(study->confirm.per_trial)));
    TRY(json_set(confirm, "seed", json_new_integer(study->confirm.seed)));
    Json *evaluate = json_new_object();
    TRY(json_set(root, "evaluate", evaluate));
    TRY(json_set(evaluate, "top", json_new_integer(study->evaluate.top)));
    return json_set(evaluate, "episodes", json_new_integer(study->evaluate.episodes));
}

static Status add_resources(const Study *study, Json *root) {
    const StudyLimits *limits = &study->limits;
    Json              *resources = json_new_object();

    TRY(json_set(root, "resources", resources));
    TRY(json_set(resources, "cores", json_new_integer(study->resources.cores)));
    TRY(json_set(resources, "gpus", json_new_integer(study->resources.gpus)));
    TRY(json_set(resources, "threads_per_worker", json_new_integer(study->resources.threads)));
    TRY(json_set(resources, "memory", json_new_number(study->resources.memory)));
    Json *object = json_new_object();
    TRY(json_set(root, "limits", object));
    TRY(json_set(object, "start", json_new_number(limits->start_seconds)));
    TRY(json_set(object, "silence", json_new_number(limits->silence_seconds)));
    TRY(json_set(object, "segment", json_new_number(limits->segment_seconds)));
    TRY(json_set(object, "heartbeat", json_new_number(limits->heartbeat_seconds)));
    TRY(json_set(object, "retries", json_new_integer(limits->retries)));
    TRY(json_set(object, "checkpoints", json_new_number(limits->checkpoint_bytes)));
    return json_set(root, "workers", json_new_integer(study->workers));
}

static Status fill(const Study *study, Json *root) {
    TRY(json_set(root, "name", json_new_string(study->name)));
    TRY(json_set(root, "seed", json_new_integer((int64_t)study->seed)));
    TRY(add_trainer(study, root));
    TRY(add_copy(root, "fixed", study->fixed));
    if (study->preset != NULL) {
        TRY(json_set(root, "search_space", json_new_string(study->preset)));
    }
    TRY(add_hyperparameters(study, root));
    if (study->forbid != NULL) {
        TRY(add_copy(root, "forbid", study->forbid));
    }
    TRY(add_objectives(study, root));
    TRY(add_words(root, "metrics", study->metrics, study->metric_count));
    TRY(add_budget(study, root));
    TRY(json_set(root, "repeats", json_new_integer(study->repeats)));
    TRY(json_set(root, "baseline", json_new_bool(study->baseline)));
    TRY(json_set(root, "allow_diverged", json_new_bool(study->allow_diverged)));
    TRY(add_phases(study, root));
    return add_resources(study, root);
}

Status study_to_json(const Study *study, Json **out) {
    Json *root = json_new_object();

    *out = NULL;
    if (root == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the definition of a study");
    }
    const Status status = fill(study, root);
    if (status != STATUS_OK) {
        json_release(root);
        return status;
    }
    *out = root;
    return STATUS_OK;
}

/* ---- differences ---- */

/* Keys that may change between two runs of one study; a name ends where the key's does. */
static bool may_change(const char *key) {
    static const char *const free_keys[] = {
        "resources",         "limits",         "workers",          "budget.total", "budget.trials",
        "budget.wall_clock", "trainer.folder", "environment.file", NULL,
    };
    for (size_t i = 0; free_keys[i] != NULL; i++) {
        if (strcmp(key, free_keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_false(const Json *json) {
    return json_is_bool(json) && !json_bool(json);
}

/* Anything but two objects, compared as text; a failure is left in `names`. A switch that an older
 * program did not know was off. */
static bool same_leaf(const Json *a, const Json *b, Buffer *names) {
    Buffer texts[2];

    if (a == NULL || b == NULL) {
        return a == b || (a == NULL && is_false(b));
    }
    if (json_is_number(a) && json_is_number(b)) {
        const double x = json_number(a);
        const double y = json_number(b);
        return x == y || (isnan(x) && isnan(y));
    }
    buffer_init(&texts[0], STUDY_TEXT_BYTES);
    buffer_init(&texts[1], STUDY_TEXT_BYTES);
    json_write(a, false, &texts[0]);
    json_write(b, false, &texts[1]);
    const bool same = strcmp(buffer_text(&texts[0]), buffer_text(&texts[1])) == 0;
    for (size_t i = 0; i < 2; i++) {
        if (texts[i].status != STATUS_OK) {
            names->status = texts[i].status;
        }
        buffer_reset(&texts[i]);
    }
    return same;
}

static void diff_value(const char *key, const Json *frozen, const Json *now, Buffer *names);

/* Members of both, each name once. NOLINTNEXTLINE(misc-no-recursion): depth of a study file */
static void diff_objects(const char *prefix, const Json *frozen, const Json *now, Buffer *names) {
    const Json *const sides[] = {frozen, now};

    for (size_t side = 0; side < 2; side++) {
        const char *key = NULL;
        Json       *value = NULL;
        for (size_t i = 0; json_member(sides[side], i, &key, &value); i++) {
            Buffer path;
            if (side == 1 && json_get(frozen, key) != NULL) {
                continue;
            }
            buffer_init(&path, STUDY_TEXT_BYTES);
            buffer_printf(&path, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".", key);
            if (path.status != STATUS_OK) {
                names->status = path.status;
            }
            diff_value(buffer_text(&path), json_get(frozen, key), json_get(now, key), names);
            buffer_reset(&path);
        }
    }
}

static void diff_value(const char *key, const Json *frozen, const Json *now, Buffer *names) {
    if (may_change(key)) {
        return;
    }
    if (json_is_object(frozen) && json_is_object(now)) {
        diff_objects(key, frozen, now, names);
    } else if (!same_leaf(frozen, now, names)) {
        buffer_printf(names, "%s%s", names->length == 0 ? "" : ", ", key);
    }
}

Status study_diff(const Json *frozen, const Json *now, Buffer *names) {
    if (!json_is_object(frozen) || !json_is_object(now)) {
        FAIL(STATUS_ERR_ARG, "the definition of a study must be an object");
    }
    diff_objects("", frozen, now, names);
    return buffer_status(names);
}
