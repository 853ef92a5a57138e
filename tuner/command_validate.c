/* `mbtune validate`: is the study file right, and what would the study cost? */
#include "tuner/commands.h"

#include "core/blas_core.h"
#include "core/json.h"
#include "tuner/cli.h"
#include "tuner/machine_rate.h"
#include "tuner/study_cost.h"
#include "tuner/study_file.h"
#include "tuner/study_numerics.h"
#include "tuner/study_view.h"
#include "tuner/table.h"
#include "tuner/warm_start.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BYTES = 128, NUMBER_BYTES = 48, LINE_BYTES = 512 };

static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"set", 0, "KEY=VALUE", "override a key of the study file, e.g. scheduler.eta=3", true},
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {"full", 0, NULL, "print the complete definition with every default as JSON", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand validate = {
    .name = "validate",
    .arguments = "STUDY.yaml",
    .help = "Checks a study file and estimates what the study would cost.",
    .details = "The hours are operations divided by what one core does in a matrix product now; "
               "what agents\nreach of that is less, and the machine may be busy.",
    .options = options,
    .least = 1,
    .most = 1,
};

/* ---- numbers for people ---- */

static void flop_text(double value, char text[NUMBER_BYTES]) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t                   i = 0;

    while (value >= 1000.0 && i + 1 < sizeof units / sizeof units[0]) {
        value /= 1000.0;
        i++;
    }
    (void)snprintf(text, NUMBER_BYTES, "%.3g %sFLOP", value, units[i]);
}

static void bytes_text(double value, char text[NUMBER_BYTES]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t                   i = 0;

    while (value >= 1024.0 && i + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        i++;
    }
    (void)snprintf(text, NUMBER_BYTES, "%.3g %s", value, units[i]);
}

static void steps_text(double value, char text[NUMBER_BYTES]) {
    (void)snprintf(text, NUMBER_BYTES, "%.6g steps", value);
}

static void hours_text(double hours, char text[NUMBER_BYTES]) {
    (void)snprintf(text, NUMBER_BYTES, "%.2g h", hours);
}

/* what is accepted but not what it seems; every line ends */
static const char *notes_of(const Study *study) {
    return study->notes == NULL ? "" : study->notes;
}

/* ---- as JSON ---- */

static Status add_range(Json *root, const char *key, const CostRange *range, double scale) {
    Json *object = json_new_object();

    TRY(json_set(root, key, object));
    TRY(json_set(object, "defaults", json_new_number(scale * range->defaults)));
    TRY(json_set(object, "lowest", json_new_number(scale * range->lowest)));
    return json_set(object, "highest", json_new_number(scale * range->highest));
}

/* an array with a string for every line */
static Status add_lines(Json *root, const char *key, const char *lines) {
    Json *array = json_new_array();
    char  line[LINE_BYTES];

    TRY(json_set(root, key, array));
    for (; lines[0] != '\0'; lines = strchr(lines, '\n') + 1) {
        (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(lines, "\n"), lines);
        TRY(json_push(array, json_new_string(line)));
    }
    return STATUS_OK;
}

/* what is found out beside the file's own words */
typedef struct Findings {
    StudyCost   cost;
    MachineRate rate; /* measured where the cost is known */
    Buffer      warnings;
    WarmStart   warm;
} Findings;

static Status add_warm_start(const WarmStart *warm, Json *root) {
    Json *array = json_new_array();
    TRY(json_set(root, "warm_start", array));
    return warm_start_json(warm, array);
}

static Status fill_json(const Study *study, const Findings *findings, Json *root) {
    const StudyCost *cost = &findings->cost;
    const double     rate = findings->rate.float32;
    const bool       reproducible = study->irreproducible[0] == '\0';

    TRY(json_set(root, "name", json_new_string(study->name)));
    TRY(json_set(root, "hash", json_new_string(study->hash)));
    TRY(json_set(root, "scheduler", json_new_string(study->scheduler->name)));
    TRY(json_set(root, "hyperparameters", json_new_integer((int64_t)space_count(study->space))));
    TRY(json_set(root, "dynamic", json_new_integer((int64_t)space_dynamic_count(study->space))));
    TRY(json_set(root, "reproducible", json_new_bool(reproducible)));
    if (!reproducible) {
        TRY(json_set(root, "irreproducible", json_new_string(study->irreproducible)));
    }
    if (study->cost != NULL) {
        TRY(json_set(root, "cost", json_new_string(study->cost)));
    }
    TRY(add_lines(root, "notes", notes_of(study)));
    TRY(add_lines(root, "warnings", buffer_text(&findings->warnings)));
    if (findings->warm.source_count > 0) {
        TRY(add_warm_start(&findings->warm, root));
    }
    TRY(json_set(root, "chains", json_new_integer(cost->chains)));
    TRY(json_set(root, "segments", json_new_integer(cost->segments)));
    TRY(json_set(root, "units", json_new_integer(cost->units)));
    TRY(json_set(root, "unit", json_new_string(study->budget.unit)));
    TRY(json_set(root, "confirm_chains", json_new_integer(cost->confirm_chains)));
    TRY(json_set(root, "confirm_units", json_new_integer(cost->confirm_units)));
    if (!cost->known) {
        return STATUS_OK;
    }
    TRY(add_range(root, "plan_flop", &cost->plan_flop, 1.0));
    TRY(add_range(root, "plan_env_steps", &cost->plan_steps, 1.0));
    TRY(json_set(root, "rebuilds", json_new_integer(cost->rebuilds)));
    TRY(add_range(root, "rebuild_flop", &cost->rebuild_flop, 1.0));
    TRY(add_range(root, "study_flop", &cost->study_flop, 1.0));
    TRY(add_range(root, "disk_bytes", &cost->disk_bytes, 1.0));
    TRY(json_set(root, "flop_per_second", json_new_number(rate)));
    if (cost->plan_steps.highest > 0.0) {
        return STATUS_OK; /* the time is the simulator's, which no FLOP tell */
    }
    return add_range(root, "core_hours", &cost->study_flop, 1.0 / rate / 3600.0);
}

static Status put_json(const Study *study, const Findings *findings, Buffer *out) {
    Json  *root = json_new_object();
    Status status = fill_json(study, findings, root);

    if (status == STATUS_OK) {
        status = view_json(root, out);
    }
    json_release(root);
    return status;
}

/* ---- as text ---- */

static void put_lines(const char *title, const char *lines, Buffer *out) {
    for (; lines[0] != '\0'; lines = strchr(lines, '\n') + 1) {
        buffer_printf(out, "  %-13s %.*s\n", title, (int)strcspn(lines, "\n"), lines);
    }
}

static void put_goals(const Study *study, Buffer *out) {
    if (study->cost != NULL) {
        buffer_printf(out, "  cost          %s, summed over a segment's own units\n", study->cost);
    }
    if (study->stop.units > 0) {
        buffer_printf(out,
                      "  stops         after %" PRId64 " %ss in which %s improves by no more "
                      "than %g\n",
                      study->stop.units, study->budget.unit, study->objectives[0].metric,
                      study->stop.by);
    }
}

static void put_counts(const Study *study, const StudyCost *cost, Buffer *out) {
    const bool population = study->scheduler->population;

    buffer_printf(out, "study '%s' is good\n", study->name);
    buffer_printf(out, "  trains        %s%s%s\n",
                  study->manual          ? "by hand (mbtune ask, mbtune tell)"
                  : study->agent == NULL ? study->command[0]
                                         : study->agent->name,
                  study->environment_name[0] == '\0' ? "" : " on ", study->environment_name);
    buffer_printf(out, "  tunes         %zu hyperparameters, %zu of them while training\n",
                  space_count(study->space), space_dynamic_count(study->space));
    for (size_t i = 0; i < study->objective_count; i++) {
        const StudyObjective *objective = &study->objectives[i];
        buffer_printf(out, "  %-13s %s %s (%s", i == 0 ? "objective" : "",
                      objective->maximize ? "maximize" : "minimize", objective->metric,
                      reduce_name(objective->reduce));
        if (objective->reduce == REDUCE_MEAN_LAST) {
            buffer_printf(out, " of %" PRId64, objective->window);
        }
        buffer_puts(out, ")\n");
    }
    put_goals(study, out);
    buffer_printf(out, "  scheduler     %s, ", study->scheduler->name);
    if (cost->chains > 0) {
        buffer_printf(out, "%" PRId64 " %s", cost->chains, population ? "members" : "trials");
    } else {
        buffer_puts(out, "as many trials as the units allow");
    }
    buffer_puts(out, study->order == SCHEDULER_ORDER_BARRIER ? ", results in order\n" : "\n");
    buffer_printf(out, "  tuning        %" PRId64 " %ss in about %" PRId64 " segments\n",
                  cost->units, study->budget.unit, cost->segments);
    if (cost->confirm_chains > 0) {
        buffer_printf(out, "  confirmation  %" PRId64 " chains, %" PRId64 " %ss\n",
                      cost->confirm_chains, cost->confirm_units, study->budget.unit);
    }
    put_lines("note", notes_of(study), out);
    buffer_printf(out, "  reproducible  %s%s\n",
                  study->irreproducible[0] == '\0' ? "yes" : "no: ", study->irreproducible);
}

static void range_row(Table *table, const char *title, const CostRange *range, double scale,
                      void (*format)(double, char *)) {
    char text[NUMBER_BYTES];

    table_cell(table, title);
    format(scale * range->defaults, text);
    table_cell(table, text);
    format(scale * range->lowest, text);
    table_cell(table, text);
    format(scale * range->highest, text);
    table_cell(table, text);
}

static Status put_cost(const StudyCost *cost, double rate, Buffer *out) {
    char  text[NUMBER_BYTES];
    Table table;

    flop_text(rate, text);
    table_init(&table);
    table_column(&table, "", TABLE_LEFT);
    table_column(&table, "defaults", TABLE_RIGHT);
    table_column(&table, "cheapest", TABLE_RIGHT);
    table_column(&table, "dearest", TABLE_RIGHT);
    range_row(&table, "  planning, per control step", &cost->plan_flop, 1.0, flop_text);
    const bool simulated = cost->plan_steps.highest > 0.0; /* whose time no FLOP tell */
    if (simulated) {
        range_row(&table, "  simulated, per control step", &cost->plan_steps, 1.0, steps_text);
    } else {
        if (cost->rebuilds > 0) {
            range_row(&table, "  a model built anew, at most", &cost->rebuild_flop, 1.0, flop_text);
        }
        range_row(&table, "  whole study", &cost->study_flop, 1.0, flop_text);
        range_row(&table, "  core-hours", &cost->study_flop, 1.0 / rate / 3600.0, hours_text);
    }
    range_row(&table, "  disk, at most", &cost->disk_bytes, 1.0, bytes_text);
    buffer_puts(out, "\n");
    const Status status = table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    TRY(status);
    if (cost->rebuilds > 0 && !simulated) {
        buffer_printf(out,
                      "  dearest: with a model built anew %" PRId64
                      " times, at most (where the structure changes; ends early as a rule)\n",
                      cost->rebuilds);
    }
    if (simulated) {
        buffer_puts(out, "  core-hours: not known, the simulator's steps take most of the time\n");
        return buffer_status(out);
    }
    buffer_printf(out,
                  "  core-hours: operations at %s/s, measured just now on one core; "
                  "expect a small multiple\n",
                  text);
    return buffer_status(out);
}

static Status put_definition(const Study *study, Buffer *out) {
    Json *definition = NULL;

    TRY(study_to_json(study, &definition));
    const Status status = view_json(definition, out);
    json_release(definition);
    return status;
}

static Status put_warm_start(const Study *study, const WarmStart *warm, Buffer *out) {
    Buffer lines;
    buffer_init(&lines, STUDY_TEXT_BYTES);
    warm_start_describe(study, warm, &lines);
    const Status status = buffer_status(&lines);
    if (status == STATUS_OK) {
        put_lines("warm start", buffer_text(&lines), out);
    }
    buffer_reset(&lines);
    return status;
}

static Status put_text(const Study *study, const Findings *findings, Buffer *out) {
    put_counts(study, &findings->cost, out);
    TRY(put_warm_start(study, &findings->warm, out));
    if (findings->cost.known) {
        buffer_puts(out, "  algebra       ");
        blas_core_describe(out);
        buffer_puts(out, "\n");
    }
    put_lines("warning", buffer_text(&findings->warnings), out);
    return findings->cost.known ? put_cost(&findings->cost, findings->rate.float32, out)
                                : buffer_status(out);
}

/* what is within a tenth is as fast */
#define SLOW 0.9

/* AVX512_BF16 doubles the rate of some processors and halves that of others */
static Status warn_of_slow_bfloat16(const Study *study, Findings *findings) {
    const MachineRate *rate = &findings->rate;
    Buffer             numerics;
    buffer_init(&numerics, STUDY_TEXT_BYTES);
    const Status status = study_numerics(study, &numerics);
    if (status == STATUS_OK && rate->bfloat16 > 0.0 && rate->bfloat16 < SLOW * rate->float32 &&
        strstr(buffer_text(&numerics), "bfloat16") != NULL) {
        buffer_printf(&findings->warnings,
                      "planning_precision: this machine computes in bfloat16 at %.2g times the "
                      "rate of float32, measured just now: 'float32' is faster here\n",
                      rate->bfloat16 / rate->float32);
    }
    buffer_reset(&numerics);
    return status;
}

static Status find_out(const Study *study, Findings *findings) {
    TRY(study_cost(study, &findings->cost));
    if (findings->cost.known) {
        TRY(machine_rate(&findings->rate));
        TRY(warn_of_slow_bfloat16(study, findings));
    }
    TRY(study_warnings(study, &findings->cost, &findings->warnings));
    return warm_start_read(study, &findings->warm);
}

static Status put_summary(const Study *study, bool as_json, Buffer *out) {
    Findings findings = {.rate = {.float32 = 1.0}};

    buffer_init(&findings.warnings, STUDY_TEXT_BYTES);
    Status status = find_out(study, &findings);
    if (status == STATUS_OK) {
        status = as_json ? put_json(study, &findings, out) : put_text(study, &findings, out);
    }
    warm_start_reset(&findings.warm);
    buffer_reset(&findings.warnings);
    return status;
}

Status command_validate(int argc, char **argv, Buffer *out) {
    CliArguments  arguments;
    StudyOverride sets[CLI_MAX_REPEATED];
    char          keys[CLI_MAX_REPEATED][KEY_BYTES];
    Study        *study = NULL;
    size_t        format = 0;

    TRY(cli_parse(&validate, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&validate, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    for (size_t i = 0; i < arguments.repeated_count; i++) {
        TRY(study_override_parse(arguments.repeated[i], keys[i], sizeof keys[i], &sets[i]));
    }
    TRY(study_read(arguments.positional[0], sets, arguments.repeated_count, &study));
    Status status = study_check_new(study);
    if (status == STATUS_OK) {
        status = cli_flag(&arguments, "full") ? put_definition(study, out)
                                              : put_summary(study, format == 1, out);
    }
    study_destroy(study);
    return status;
}
