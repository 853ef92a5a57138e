/* `mbtune list`: what is there to choose from. Everything comes from the rows that schedulers,
 * agents and environments declare; the tables are a view of the JSON. */
#include "tuner/commands.h"

#include "mbrl/agents/agent.h"
#include "mbrl/environments/environment.h"
#include "mbrl/environments/mjcf.h"
#include "schedulers/scheduler.h"
#include "search_spaces/space_read.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"
#include "tuner/table.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { KINDS = 4, NAMES_MAX = 256, HELP_BYTES = 2048 };

static const char *const kinds[KINDS + 1] = {"schedulers", "environments", "agents", "presets",
                                             NULL};
static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {
    .name = "list",
    .arguments = "[schedulers|environments|agents|presets] [NAME]",
    .help = "Lists what study files may name; with NAME all options of one of them.",
    .options = options,
    .least = 0,
    .most = 2,
};

/* ---- as JSON ---- */

static Json *option_value(const OptionSpec *spec, double value) {
    char text[128];

    if (isnan(value)) {
        return json_new_null(); /* derived: the help says from what */
    }
    switch (spec->type) {
    case OPTION_FLOAT:
        return json_new_number(value);
    case OPTION_INT:
        return json_new_integer((int64_t)value);
    case OPTION_BOOL:
        return json_new_bool(value != 0.0);
    case OPTION_LIST:
        return json_new_null(); /* none is given */
    case OPTION_CHOICE:
        break;
    }
    option_format(spec, value, text, sizeof text);
    return json_new_string(text);
}

/* Range as one text: "1e-05 .. 0.04", "adam sgd", "true false". */
static Json *option_range(const OptionSpec *spec) {
    Buffer text;

    buffer_init(&text, STATUS_TEXT_SIZE);
    if (spec->type == OPTION_BOOL) {
        buffer_puts(&text, "true, false");
    } else if (spec->type == OPTION_CHOICE) {
        for (size_t i = 0; spec->choices[i] != NULL; i++) {
            buffer_printf(&text, "%s%s", i == 0 ? "" : ", ", spec->choices[i]);
        }
    } else if (spec->type == OPTION_LIST) {
        buffer_printf(&text, "1 to %g of %g .. %g", spec->upper, spec[1].lower, spec[1].upper);
    } else {
        buffer_printf(&text, "%g .. %g", spec->lower, spec->upper);
    }
    Json *json = json_new_string(buffer_text(&text));
    buffer_reset(&text);
    return json;
}

static Status add_option(const OptionSpec *spec, Json *array) {
    static const char *const types[] = {[OPTION_FLOAT] = "float",
                                        [OPTION_INT] = "int",
                                        [OPTION_BOOL] = "bool",
                                        [OPTION_CHOICE] = "choice",
                                        [OPTION_LIST] = "list"};
    Json                    *row = json_new_object();

    TRY(json_push(array, row));
    TRY(json_set(row, "name", json_new_string(spec->name)));
    TRY(json_set(row, "type", json_new_string(types[spec->type])));
    TRY(json_set(row, "range", option_range(spec)));
    TRY(json_set(row, "default", option_value(spec, spec->default_value)));
    TRY(json_set(row, "dynamic", json_new_bool(spec->dynamic != OPTION_STATIC)));
    TRY(json_set(row, "help", json_new_string(spec->help)));
    return json_set(row, "source",
                    spec->source == NULL ? json_new_null() : json_new_string(spec->source));
}

static Status add_options(Json *row, const OptionSpec *specs) {
    Json *array = json_new_array();

    TRY(json_set(row, "options", array));
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(option_is_element(specs, i) ? STATUS_OK : add_option(&specs[i], array));
    }
    return STATUS_OK;
}

static Status list_schedulers(Json *array) {
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        Json               *row = json_new_object();
        TRY(json_push(array, row));
        TRY(json_set(row, "name", json_new_string(ops->name)));
        TRY(json_set(row, "help", json_new_string(ops->help)));
        TRY(json_set(row, "source", json_new_string(ops->source)));
        TRY(json_set(row, "population", json_new_bool(ops->population)));
        TRY(json_set(row, "checkpoints", json_new_bool(ops->branches)));
        TRY(add_options(row, ops->options));
    }
    return STATUS_OK;
}

static Status add_numbers(Json *row, const char *key, const double *values, size_t n) {
    Json *array = json_new_array();
    TRY(json_set(row, key, array));
    for (size_t i = 0; i < n; i++) {
        TRY(json_push(array, json_new_number(values[i])));
    }
    return STATUS_OK;
}

/* What a model predicts: which numbers as they are, the others as a change. */
static Status add_targets(const EnvironmentOps *ops, Json *row) {
    Buffer text;
    size_t absolute = 0;

    buffer_init(&text, (size_t)NAMES_MAX * ENV_MAX_STATE);
    for (size_t i = 0; ops->target_absolute != NULL && i < ops->state_dim; i++) {
        if (ops->target_absolute[i]) {
            buffer_printf(&text, "%s%zu", absolute++ == 0 ? "the next value of number " : ", ", i);
        }
    }
    buffer_puts(&text, absolute > 0 ? ", the change of all others" : "the change of all");
    const Status status = json_set(row, "target", json_new_string(buffer_text(&text)));
    buffer_reset(&text);
    TRY(status);
    return add_numbers(row, "target_scale", ops->target_scale, ops->state_dim);
}

static Status add_environment(const EnvironmentOps *ops, Json *array) {
    Json *row = json_new_object();

    TRY(json_push(array, row));
    TRY(json_set(row, "name", json_new_string(ops->name)));
    TRY(json_set(row, "available", json_new_bool(true)));
    TRY(json_set(row, "observation", json_new_string(ops->observation)));
    TRY(json_set(row, "model_inputs",
                 json_new_string(ops->inputs != NULL ? ops->inputs : "the observation")));
    TRY(add_targets(ops, row));
    TRY(json_set(row, "reset", json_new_string(ops->start)));
    TRY(json_set(
        row, "planner_objective",
        json_new_string(ops->planner_rewards != NULL ? ops->planner_objective : "the reward")));
    TRY(json_set(row, "terminates", json_new_bool(ops->terminated != NULL)));
    TRY(json_set(row, "worst_return", json_new_number(ops->worst_return)));
    TRY(json_set(row, "state_dim", json_new_integer((int64_t)ops->state_dim)));
    TRY(json_set(row, "feature_dim", json_new_integer((int64_t)ops->feature_dim)));
    TRY(json_set(row, "action_dim", json_new_integer((int64_t)ops->action_dim)));
    TRY(add_numbers(row, "action_low", ops->action_low, ops->action_dim));
    TRY(add_numbers(row, "action_high", ops->action_high, ops->action_dim));
    TRY(json_set(row, "dt", json_new_number(ops->dt)));
    TRY(json_set(row, "episode_length", json_new_integer(ops->episode_length)));
    TRY(json_set(row, "help", json_new_string(ops->help)));
    return json_set(row, "source", json_new_string(ops->source));
}

/* "pusher: built without MuJoCo" */
static Status add_unavailable(const char *text, Json *array) {
    const size_t length = strcspn(text, ":");
    const char  *reason = text + length;
    char         name[NAMES_MAX];
    Json        *row = json_new_object();

    TRY(json_push(array, row));
    if (length >= sizeof name) {
        FAIL(STATUS_ERR_RANGE, "the name of an environment is too long: %s", text);
    }
    memcpy(name, text, length);
    name[length] = '\0';
    reason += strspn(reason, ": ");
    Buffer help;
    buffer_init(&help, STATUS_TEXT_SIZE);
    buffer_printf(&help, "not in this build: %s", reason);
    Status status = json_set(row, "name", json_new_string(name));
    if (status == STATUS_OK) {
        status = json_set(row, "available", json_new_bool(false));
    }
    if (status == STATUS_OK) {
        status = json_set(row, "help", json_new_string(buffer_text(&help)));
    }
    buffer_reset(&help);
    return status;
}

static Status list_environments(Json *array) {
    const char *const *lacking = environment_unavailable();

    for (size_t i = 0; i < environment_count(); i++) {
        TRY(add_environment(environment_at(i), array));
    }
    if (environment_mjcf_help() != NULL) {
        Json *row = json_new_object();
        TRY(json_push(array, row));
        TRY(json_set(row, "name", json_new_string("mjcf")));
        TRY(json_set(row, "available", json_new_bool(true)));
        TRY(json_set(row, "help", json_new_string(environment_mjcf_help())));
    }
    for (size_t i = 0; lacking != NULL && lacking[i] != NULL; i++) {
        TRY(add_unavailable(lacking[i], array));
    }
    return STATUS_OK;
}

static Status add_metrics(Json *row, const AgentMetric *metrics) {
    Json *array = json_new_array();

    TRY(json_set(row, "metrics", array));
    for (size_t i = 0; metrics[i].name != NULL; i++) {
        Json *metric = json_new_object();
        TRY(json_push(array, metric));
        TRY(json_set(metric, "name", json_new_string(metrics[i].name)));
        TRY(json_set(metric, "timing", json_new_bool(metrics[i].timing)));
        TRY(json_set(metric, "help", json_new_string(metrics[i].help)));
    }
    return STATUS_OK;
}

static Status add_parts(Json *row, const AgentPart *parts) {
    Json *array = json_new_array();

    TRY(json_set(row, "parts", array));
    for (size_t i = 0; parts != NULL && parts[i].name != NULL; i++) {
        Json *part = json_new_object();
        TRY(json_push(array, part));
        TRY(json_set(part, "option", json_new_string(parts[i].option)));
        TRY(json_set(part, "name", json_new_string(parts[i].name)));
        TRY(json_set(part, "source",
                     parts[i].source == NULL ? json_new_null() : json_new_string(parts[i].source)));
        TRY(json_set(part, "help", json_new_string(parts[i].help)));
    }
    return STATUS_OK;
}

static Status list_agents(Json *array) {
    for (size_t i = 0; i < agent_count(); i++) {
        const AgentOps *ops = agent_at(i);
        Json           *row = json_new_object();
        TRY(json_push(array, row));
        TRY(json_set(row, "name", json_new_string(ops->name)));
        TRY(json_set(row, "help", json_new_string(ops->help)));
        TRY(json_set(row, "source", json_new_string(ops->source)));
        TRY(add_options(row, ops->options()));
        TRY(add_parts(row, ops->parts == NULL ? NULL : ops->parts()));
        TRY(add_metrics(row, ops->metrics));
    }
    return STATUS_OK;
}

/* The comment at the top of a preset says what it is for. */
static Json *preset_help(const char *text) {
    Buffer line;

    buffer_init(&line, HELP_BYTES);
    while (*text == '#') {
        text += strspn(text, "# ");
        const size_t length = strcspn(text, "\n");
        buffer_puts(&line, line.length == 0 ? "" : " ");
        buffer_append(&line, text, length);
        text += length;
        text += *text == '\n' ? 1 : 0;
    }
    Json *json = json_new_string(buffer_text(&line));
    buffer_reset(&line);
    return json;
}

static Status list_presets(Json *array) {
    const char *const *names = space_presets();

    for (size_t i = 0; names[i] != NULL; i++) {
        const char *text = space_preset_text(names[i]);
        Json       *row = json_new_object();
        TRY(json_push(array, row));
        TRY(json_set(row, "name", json_new_string(names[i])));
        TRY(json_set(row, "help", preset_help(text)));
        TRY(json_set(row, "text", json_new_string(text)));
    }
    return STATUS_OK;
}

static Status list_kind(size_t kind, Json *array) {
    static Status (*const lists[KINDS])(Json *) = {list_schedulers, list_environments, list_agents,
                                                   list_presets};
    return lists[kind](array);
}

/* ---- as tables ---- */

static Status put_table(const Json *rows, const char *const *columns, Buffer *out) {
    Table table;

    table_init(&table);
    table_rows(&table, rows, columns, false);
    if (table.column_count > 0) {
        table.columns[table.column_count - 1].align = TABLE_FOLD;
    }
    const Status status = table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    return status;
}

static Status put_kind(size_t kind, const Json *rows, Buffer *out) {
    static const char *const columns[KINDS][8] = {
        {"name", "help", NULL},
        {"name", "state_dim", "action_dim", "dt", "episode_length", "help", NULL},
        {"name", "help", NULL},
        {"name", "help", NULL},
    };
    return put_table(rows, columns[kind], out);
}

static Status put_one(const Json *row, Buffer *out) {
    static const char *const option_columns[] = {"name",    "type", "range", "default",
                                                 "dynamic", "help", NULL};
    static const char *const part_columns[] = {"option", "name", "source", "help", NULL};
    static const char *const metric_columns[] = {"name", "timing", "help", NULL};
    const Json              *rows = json_get(row, "options");
    const Json              *parts = json_get(row, "parts");
    const Json              *metrics = json_get(row, "metrics");
    const char              *text = json_string(json_get(row, "text"));
    const char              *source = json_string(json_get(row, "source"));

    if (text != NULL) {
        buffer_puts(out, text);
        return buffer_status(out);
    }
    buffer_printf(out, "%s: %s\n", json_string(json_get(row, "name")),
                  json_string(json_get(row, "help")));
    if (source != NULL) {
        buffer_printf(out, "source: %s\n", source);
    }
    if (rows == NULL) {
        buffer_puts(out, "\n");
        return view_object(row, NULL, cli_style(STDOUT_FILENO), out);
    }
    if (json_count(rows) > 0) {
        buffer_puts(out, "\n");
        TRY(put_table(rows, option_columns, out));
    }
    if (json_count(parts) > 0) {
        buffer_puts(out, "\n");
        TRY(put_table(parts, part_columns, out));
    }
    if (json_count(metrics) > 0) {
        buffer_puts(out, "\n");
        TRY(put_table(metrics, metric_columns, out));
    }
    return buffer_status(out);
}

/* ---- the command ---- */

static Status find_name(const char *kind, const Json *rows, const char *name, const Json **out) {
    const char *names[NAMES_MAX];
    size_t      n = 0;

    for (; n < json_count(rows) && n < NAMES_MAX; n++) {
        names[n] = json_string(json_get(json_at(rows, n), "name"));
        if (strcmp(names[n], name) == 0) {
            *out = json_at(rows, n);
            return STATUS_OK;
        }
    }
    const char *near = option_nearest(name, names, n);
    if (near != NULL) {
        FAIL(STATUS_ERR_USAGE, "mbtune list: no '%s' among the %s; did you mean '%s'?", name, kind,
             near);
    }
    FAIL(STATUS_ERR_USAGE, "mbtune list: no '%s' among the %s; see mbtune list %s", name, kind,
         kind);
}

static Status list_one_kind(size_t kind, const char *name, bool as_json, Buffer *out) {
    Json       *rows = json_new_array();
    const Json *row = NULL;
    Status      status =
        rows == NULL ? FAILURE(STATUS_ERR_NOMEM, "no memory for a list") : list_kind(kind, rows);

    if (status == STATUS_OK && name != NULL) {
        status = find_name(kinds[kind], rows, name, &row);
        if (status == STATUS_OK) {
            status = as_json ? view_json(row, out) : put_one(row, out);
        }
    } else if (status == STATUS_OK) {
        status = as_json ? view_json(rows, out) : put_kind(kind, rows, out);
    }
    json_release(rows);
    return status;
}

static Status list_all(bool as_json, Buffer *out) {
    Json  *root = json_new_object();
    Status status = STATUS_OK;

    for (size_t kind = 0; kind < KINDS && status == STATUS_OK; kind++) {
        Json *rows = json_new_array();
        status = json_set(root, kinds[kind], rows);
        if (status == STATUS_OK) {
            status = list_kind(kind, rows);
        }
        if (status == STATUS_OK && !as_json) {
            buffer_printf(out, "%s%s\n", kind == 0 ? "" : "\n", kinds[kind]);
            status = put_kind(kind, rows, out);
        }
    }
    if (status == STATUS_OK && as_json) {
        status = view_json(root, out);
    }
    json_release(root);
    return status;
}

Status command_list(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    size_t       format = 0;

    TRY(cli_parse(&command, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&command, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    if (arguments.positional_count == 0) {
        return list_all(format == 1, out);
    }
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (strcmp(arguments.positional[0], kinds[kind]) == 0) {
            return list_one_kind(kind, arguments.positional[1], format == 1, out);
        }
    }
    const char *near = option_nearest(arguments.positional[0], kinds, KINDS);
    FAIL(STATUS_ERR_USAGE, "mbtune list: no kind '%s'; expected %s%s%s", arguments.positional[0],
         near == NULL ? "schedulers, environments, agents or presets" : "'",
         near == NULL ? "" : near, near == NULL ? "" : "'");
}

Status command_version(int argc, char **argv, Buffer *out) {
    static const CliOption  none[] = {{NULL, 0, NULL, NULL, false}};
    static const CliCommand version = {
        .name = "version", .arguments = "", .help = "Prints the version.", .options = none};
    CliArguments arguments;

    TRY(cli_parse(&version, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&version, out);
        return STATUS_OK;
    }
    buffer_puts(out, "mbtune " MBTUNE_VERSION "\n");
    return buffer_status(out);
}
