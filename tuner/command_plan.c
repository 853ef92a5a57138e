/* `mbtune plan`: how long would a study take on this machine? Where `mbtune validate` counts
 * operations, this trains: a unit at the defaults, the cheapest and the dearest corner. What the
 * whole study takes is that time scaled by the operations of its mean unit, which has more data and
 * an episode of full length. */
#include "tuner/cli.h"
#include "tuner/commands.h"
#include "tuner/host_fit.h"
#include "tuner/launch.h"
#include "tuner/plan_trial.h"
#include "tuner/study_cost.h"
#include "tuner/study_view.h"
#include "tuner/table.h"
#include "workers/host.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_BYTES = 128, CORNERS = 3 };

static const char *const corner_names[CORNERS] = {"defaults", "cheapest", "dearest"};
static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"set", 's', "KEY=VALUE", "override a key of the study file, e.g. budget.total=100", true},
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand plan = {
    .name = "plan",
    .arguments = "STUDY.yaml",
    .help = "Trains a little and estimates how long the whole study takes on this machine.",
    .details = "Measured is a budget unit (where that is one control step, an episode of them) at "
               "the\ndefaults, the cheapest and the dearest corner, after the units that agents "
               "begin with at\nrandom. Nothing is kept. The machine should be otherwise idle.",
    .options = options,
    .least = 1,
    .most = 1,
};

/** One corner, measured. */
typedef struct Corner {
    PlanTrial trial;
    Json     *values;       /* hyperparameters */
    double    unit_seconds; /* measured */
    double    mean_seconds; /* of the study's mean unit: more data, episodes at full length */
    double    hours;        /* of one slot for the whole study */
    double    disk_bytes;
} Corner;

typedef struct Plan {
    const Study *study;
    StudyCost    cost;
    double      *point; /* scratch */
    Corner       corners[CORNERS];
    int64_t      slots;
    double       memory_bytes; /* largest trainer */
} Plan;

/* ---- measuring ------------------------------------------------------------------------------ */

/* units that begin at random, and how many are measured */
static Status choose_units(const Plan *p, PlanTrial *trial) {
    const Study *study = p->study;
    AgentCost    cost;
    double       flop = 0.0;
    *trial = (PlanTrial){.warm = 0, .units = 1};
    if (study->agent == NULL) {
        trial->warm = (study->can_branch && study->budget.per_trial > 1) ? 1 : 0;
        return STATUS_OK;
    }
    TRY(study_cost_unit(study, p->point, 0.0, &flop, &cost));
    const double steps = p->cost.unit_steps;
    trial->warm = (int64_t)ceil(fmax(cost.first_row_steps - cost.env_steps, 1.0) / steps);
    trial->units = (int64_t)ceil(cost.env_steps / steps);
    return STATUS_OK;
}

/* Operations of the mean unit by those of a unit that was measured. First episodes may end early
 * where later ones do not: the mean unit is as long as a unit can be, as in mbtune validate. */
static Status growth(const Plan *p, const PlanTrial *trial, double *out) {
    const double steps = p->cost.unit_steps;
    const double half = 0.5 * (double)p->study->budget.per_trial * steps;
    AgentCost    cost;
    double       then = 0.0;
    double       now = 0.0;
    *out = 1.0;
    if (p->study->agent == NULL) {
        return STATUS_OK;
    }
    TRY(study_cost_unit(p->study, p->point, half, &then, &cost));
    const double rows = ((double)trial->warm + 0.5 * (double)trial->units) * steps;
    TRY(study_cost_unit(p->study, p->point, rows, &now, &cost));
    *out = (now > 0.0) ? then / now : 1.0;
    if (trial->steps > 0.0 && steps > 1.0) {
        *out *= steps * (double)trial->units / trial->steps;
    }
    return STATUS_OK;
}

static double disk_of(const Plan *p, size_t index) {
    const double     known[CORNERS] = {p->cost.disk_bytes.defaults, p->cost.disk_bytes.lowest,
                                       p->cost.disk_bytes.highest};
    const StudyCost *cost = &p->cost;
    if (cost->known) {
        return known[index];
    }
    const double quota = p->study->limits.checkpoint_bytes;
    const double kept =
        (double)(cost->segments + cost->confirm_chains) * p->corners[index].trial.checkpoint_bytes;
    return (quota > 0.0 && kept > quota) ? quota : kept;
}

static Status measure(Plan *p, size_t index) {
    Corner *corner = &p->corners[index];
    double  grows = 1.0;
    TRY(study_cost_corner(p->study, (StudyCorner)index, p->point));
    corner->values = space_to_json(p->study->space, p->point);
    TRY(choose_units(p, &corner->trial));
    TRY(plan_trial(p->study, p->point, &corner->trial));
    TRY(growth(p, &corner->trial, &grows));
    corner->unit_seconds = corner->trial.seconds / (double)corner->trial.units;
    corner->mean_seconds = corner->unit_seconds * grows;
    corner->hours = corner->mean_seconds * (double)(p->cost.units + p->cost.confirm_units) / 3600.0;
    corner->disk_bytes = disk_of(p, index);
    p->memory_bytes = fmax(p->memory_bytes, corner->trial.memory_bytes);
    return STATUS_OK;
}

/* trainers at a time: what the cores, the GPUs, the memory and the scheduler allow */
static int64_t slots_of(const Plan *p) {
    const double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double       slots = floor((double)launch_cores() / (double)p->study->resources.cores);
    if (p->study->workers > 0) {
        slots = (double)p->study->workers;
    }
    if (p->memory_bytes > 0.0) {
        slots = fmin(slots, floor(memory / p->memory_bytes));
    }
    slots = fmin(slots, (double)host_fit_slots(&p->study->resources, host_gpu_count(), INT64_MAX));
    slots = fmin(slots, (double)p->cost.chains);
    return (slots < 1.0) ? 1 : (int64_t)slots;
}

/* an external trainer's costs are not known, so it has no corners */
static size_t corners_of(const Plan *p) {
    return p->cost.known ? CORNERS : 1;
}

/* on fewer cores it takes longer, without a GPU it is another study */
static Status check_gpus(const Study *study) {
    const HostOffer offer = {
        .name = "this host", .cores = study->resources.cores, .gpus = host_gpu_count()};
    return host_fit(&study->resources, &offer);
}

static Status measure_all(Plan *p) {
    TRY(check_gpus(p->study));
    TRY(study_cost(p->study, &p->cost));
    p->point = calloc(space_count(p->study->space) + 1, sizeof *p->point);
    if (p->point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a plan");
    }
    for (size_t i = 0; i < corners_of(p); i++) {
        TRY(measure(p, i));
    }
    p->slots = slots_of(p);
    return STATUS_OK;
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static Status add_corner(const Plan *p, size_t index, Json *object) {
    const Corner    *corner = &p->corners[index];
    const PlanTrial *trial = &corner->trial;
    Json            *one = json_new_object();
    TRY(json_set(object, corner_names[index], one));
    TRY(json_set(one, "outcome", json_new_string(outcome_name(trial->outcome))));
    TRY(json_set(one, "failure",
                 (trial->outcome == OUTCOME_DONE) ? json_new_null() : json_new_string(trial->why)));
    TRY(json_set(one, "units_before", json_new_integer(trial->warm)));
    TRY(json_set(one, "units_measured", json_new_integer(trial->units)));
    TRY(json_set(one, "unit_seconds", json_new_number(corner->unit_seconds)));
    TRY(json_set(one, "mean_unit_seconds", json_new_number(corner->mean_seconds)));
    TRY(json_set(one, "checkpoint_bytes", json_new_number(trial->checkpoint_bytes)));
    TRY(json_set(one, "slot_hours", json_new_number(corner->hours)));
    TRY(json_set(one, "hours", json_new_number(corner->hours / (double)p->slots)));
    return json_set(one, "disk_bytes", json_new_number(corner->disk_bytes));
}

static Status fill_json(Plan *p, Json *root) {
    Json *corners = json_new_object();
    TRY(json_set(root, "corners", corners));
    TRY(json_set(root, "name", json_new_string(p->study->name)));
    TRY(json_set(root, "unit", json_new_string(p->study->budget.unit)));
    TRY(json_set(root, "units", json_new_integer(p->cost.units)));
    TRY(json_set(root, "confirm_units", json_new_integer(p->cost.confirm_units)));
    TRY(json_set(root, "slots", json_new_integer(p->slots)));
    TRY(json_set(root, "memory_bytes", json_new_number(p->memory_bytes)));
    for (size_t i = 0; i < corners_of(p); i++) {
        TRY(add_corner(p, i, corners));
        Json *values = p->corners[i].values;
        p->corners[i].values = NULL; /* json_set() takes it */
        TRY(json_set(json_get(corners, corner_names[i]), "hyperparameters", values));
    }
    return STATUS_OK;
}

static Status put_json(Plan *p, Buffer *out) {
    Json  *root = json_new_object();
    Status status = fill_json(p, root);
    if (status == STATUS_OK) {
        status = view_json(root, out);
    }
    json_release(root);
    return status;
}

/* ---- as text -------------------------------------------------------------------------------- */

static void row(const Plan *p, Table *table, const char *title, double (*of)(const Plan *, size_t),
                const char *unit, double scale) {
    char text[64];
    table_cell(table, title);
    for (size_t i = 0; i < corners_of(p); i++) {
        const double value = scale * of(p, i);
        (void)snprintf(text, sizeof text, "%.3g %s", value, unit);
        table_cell(table, isnan(value) ? "failed" : text);
    }
}

static double unit_seconds(const Plan *p, size_t i) {
    return p->corners[i].unit_seconds;
}
static double mean_seconds(const Plan *p, size_t i) {
    return p->corners[i].mean_seconds;
}
static double slot_hours(const Plan *p, size_t i) {
    return p->corners[i].hours;
}
static double hours(const Plan *p, size_t i) {
    return p->corners[i].hours / (double)p->slots;
}
static double disk(const Plan *p, size_t i) {
    return p->corners[i].disk_bytes;
}

static Status put_text(const Plan *p, Buffer *out) {
    static const double gib = 1024.0 * 1024.0 * 1024.0;
    Table               table;
    buffer_printf(out,
                  "study '%s': %" PRId64 " %ss, and %" PRId64 " to confirm; %" PRId64
                  " slot%s here (cores, memory and the scheduler allow no more)\n\n",
                  p->study->name, p->cost.units, p->study->budget.unit, p->cost.confirm_units,
                  p->slots, (p->slots == 1) ? "" : "s");
    table_init(&table);
    table_column(&table, "", TABLE_LEFT);
    for (size_t i = 0; i < corners_of(p); i++) {
        table_column(&table, corner_names[i], TABLE_RIGHT);
    }
    row(p, &table, "  a unit, measured", unit_seconds, "s", 1.0);
    row(p, &table, "  the study's mean unit, at most", mean_seconds, "s", 1.0);
    row(p, &table, "  whole study, slot-hours, at most", slot_hours, "h", 1.0);
    row(p, &table, "  whole study, hours, at most", hours, "h", 1.0);
    row(p, &table, "  disk, at most", disk, "GiB", 1.0 / gib);
    const Status status = table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    TRY(status);
    buffer_printf(out, "  largest trainer: %.3g GiB of memory\n", p->memory_bytes / gib);
    for (size_t i = 0; i < corners_of(p); i++) {
        if (p->corners[i].trial.outcome != OUTCOME_DONE) {
            buffer_printf(out, "  %s: %s (%s)\n", corner_names[i],
                          outcome_name(p->corners[i].trial.outcome), p->corners[i].trial.why);
        }
    }
    return buffer_status(out);
}

static Status plan_study(const Study *study, bool as_json, Buffer *out) {
    Plan p = {.study = study};
    if (study->manual) {
        FAIL(STATUS_ERR_STATE,
             "study '%s' is trained by a person: how long that takes only they know", study->name);
    }
    Status status = measure_all(&p);
    if (status == STATUS_OK) {
        status = as_json ? put_json(&p, out) : put_text(&p, out);
    }
    if (status == STATUS_OK && p.corners[0].trial.outcome != OUTCOME_DONE) {
        status = FAILURE(STATUS_ERR_STATE, "the defaults could not be trained: %s",
                         p.corners[0].trial.why);
    }
    for (size_t i = 0; i < CORNERS; i++) {
        json_release(p.corners[i].values);
    }
    free(p.point);
    return status;
}

Status command_plan(int argc, char **argv, Buffer *out) {
    CliArguments  arguments;
    StudyOverride sets[CLI_MAX_REPEATED];
    char          keys[CLI_MAX_REPEATED][KEY_BYTES];
    Study        *study = NULL;
    size_t        format = 0;
    TRY(cli_parse(&plan, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&plan, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    for (size_t i = 0; i < arguments.repeated_count; i++) {
        TRY(study_override_parse(arguments.repeated[i], keys[i], sizeof keys[i], &sets[i]));
    }
    TRY(study_read(arguments.positional[0], sets, arguments.repeated_count, &study));
    Status status = study_check_new(study);
    if (status == STATUS_OK) {
        status = plan_study(study, format == 1, out);
    }
    study_destroy(study);
    return status;
}
