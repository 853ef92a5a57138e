/* `mbtune simulate`: a study's scheduler on virtual workers, on a function or a table of learning
 * curves, before cluster hours are spent. Nothing is trained and no folder is made. */
#include "core/number.h"
#include "core/option.h"
#include "tuner/cli.h"
#include "tuner/commands.h"
#include "tuner/simulate_report.h"

#include <float.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORKERS = 1 << 20, OVERRIDE_BYTES = 256, REASON_BYTES = 160, MEASURED_BYTES = 4096 };

/* of per_trial: after five of these a static function's curve has 0.7 % of its way left */
#define TAU_SHARE 0.2

static const char *const formats[] = {"text", "json", "csv", NULL};
enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

static const CliOption options[] = {
    {"workers", 'w', "N", "virtual workers (default: the study's workers, else 1)", false},
    {"function", 0, "NAME", "what is tuned: a function, see below", false},
    {"table", 0, "CSV", "or learning curves (docs/simulation.md)", false},
    {"noise", 0, "X", "standard deviation added to every unit's value (default 0)", false},
    {"tau", 0, "UNITS", "how slowly a static function is learned (default: see below)", false},
    {"seconds-per-unit", 0, "S", "virtual time of a budget unit (default 1)", false},
    {"spread", 0, "R", "standard deviation of a segment's time / its mean (default 0)", false},
    {"failure-rate", 0, "P", "probability that a segment crashes (default 0)", false},
    {"decide-seconds", 0, "S|measured", "virtual time of a decision (default 0)", false},
    {"seed", 0, "N", "of times, failures and noise (default: the study's)", false},
    {"set", 's', "KEY=VALUE", "override a key of the study file (scheduler.eta=3)", true},
    {"format", 'f', "text|json|csv", "how to print it (default text)", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand simulate = {
    .name = "simulate",
    .arguments = "STUDY.yaml",
    .help = "run a study's scheduler in virtual time, without training",
    .details =
        "Functions: branin hartmann6 ackley rosenbrock levy griewank mixed (static: minimum 0);\n"
        "schedule schedule_trap schedule_static (an agent that learns: at most about 0.95).\n"
        "A function takes the study's numeric hyperparameters in order, each from 0 to 1 over its\n"
        "range; mixed and schedule* also one categorical of three choices. A study of the other\n"
        "direction gets the negative. With --tau 0, the default where a trial is one segment, a\n"
        "static function is learned at once; else the default is a fifth of per_trial.\n"
        "The same command prints the same bytes; measured times go to stderr, in JSON to "
        "\"measured\".",
    .options = options,
    .least = 1,
    .most = 1,
};

/** A simulation being made. */
typedef struct Job {
    CliArguments      arguments;
    Study            *study;
    SchedulerSetup    setup; /* borrowed by scheduler and problem */
    Scheduler        *scheduler;
    SimulatedProblem  problem;
    SimulatorSettings settings;
    SimulatorReport   report;
    size_t            format;
    char              stop_reason[REASON_BYTES];
} Job;

static void job_reset(Job *job) {
    simulator_report_reset(&job->report);
    simulated_problem_destroy(&job->problem);
    scheduler_destroy(job->scheduler);
    study_destroy(job->study);
}

/* what a number on the command line may be */
typedef struct Range {
    double      lower;
    double      upper;
    const char *text;
} Range;

static const Range positive = {DBL_MIN, DBL_MAX, "above 0"};
static const Range not_negative = {0.0, DBL_MAX, "from 0"};
static const Range probability = {0.0, 1.0, "from 0 to 1"};

/* *out is left alone if the option was not given; NaN and infinity are no numbers here */
static Status number_of(const CliArguments *arguments, const char *name, Range range, double *out) {
    const char *text = cli_value(arguments, name);
    double      value = 0.0;
    if (text == NULL) {
        return STATUS_OK;
    }
    if (!number_parse(text, &value) || !(value >= range.lower && value <= range.upper)) {
        FAIL(STATUS_ERR_USAGE, "mbtune %s: --%s must be a number %s, found '%s'",
             arguments->command->name, name, range.text, text);
    }
    *out = value;
    return STATUS_OK;
}

static Status read_study(Job *job) {
    const CliArguments *arguments = &job->arguments;
    StudyOverride       sets[CLI_MAX_REPEATED];
    char                memory[CLI_MAX_REPEATED][OVERRIDE_BYTES];
    for (size_t i = 0; i < arguments->repeated_count; i++) {
        TRY(study_override_parse(arguments->repeated[i], memory[i], sizeof memory[i], &sets[i]));
    }
    TRY(study_read(arguments->positional[0], sets, arguments->repeated_count, &job->study));
    study_setup(job->study, &job->setup);
    return STATUS_OK;
}

static void read_stop_rule(Job *job) {
    const Study *study = job->study;
    StopRule    *rule = &job->settings.stop;
    stop_rule_init(rule, study->stop.units, study->stop.by, study->objectives[0].maximize);
    stop_rule_reason(rule, study->objectives[0].metric, study->budget.unit, job->stop_reason,
                     sizeof job->stop_reason);
    job->settings.stop_reason = job->stop_reason;
}

static Status read_settings(Job *job) {
    const CliArguments *arguments = &job->arguments;
    const char         *decide = cli_value(arguments, "decide-seconds");
    SimulatorSettings  *settings = &job->settings;
    int64_t             seed = (int64_t)job->study->seed;
    *settings = (SimulatorSettings){.workers = (job->study->workers > 0) ? job->study->workers : 1,
                                    .seconds_per_unit = 1.0,
                                    .wall_clock = job->study->budget.wall_clock};
    TRY(cli_integer(arguments, "workers", 1, MAX_WORKERS, &settings->workers));
    TRY(cli_integer(arguments, "seed", 0, INT64_MAX, &seed));
    TRY(number_of(arguments, "seconds-per-unit", positive, &settings->seconds_per_unit));
    TRY(number_of(arguments, "spread", not_negative, &settings->spread));
    TRY(number_of(arguments, "failure-rate", probability, &settings->failure_rate));
    TRY(number_of(arguments, "noise", not_negative, &settings->noise));
    settings->seed = (uint64_t)seed;
    for (size_t i = 0; i < job->study->objective_count; i++) {
        const StudyObjective *objective = &job->study->objectives[i];
        settings->reductions[i] =
            (Reduction){objective->reduce, objective->window, objective->maximize};
    }
    read_stop_rule(job);
    settings->measured = decide != NULL && strcmp(decide, "measured") == 0;
    if (!settings->measured) {
        TRY(number_of(arguments, "decide-seconds", not_negative, &settings->decide_seconds));
    }
    return STATUS_OK;
}

static Status make_problem(Job *job) {
    const CliArguments        *arguments = &job->arguments;
    const Study               *study = job->study;
    const char                *function = cli_value(arguments, "function");
    const char                *objectives[SCHEDULER_MAX_OBJECTIVES];
    const char                *constraints[SCHEDULER_MAX_CONSTRAINTS];
    const SimulatedProblemOps *ops = &simulated_table_ops;
    SimulatedSetup             setup = {.study = &job->setup,
                                        .table = cli_value(arguments, "table"),
                                        .objectives = objectives,
                                        .constraints = constraints,
                                        .cost = study->cost};
    if (study->budget.per_trial > study->budget.segment) {
        setup.tau = TAU_SHARE * (double)study->budget.per_trial;
    }
    if ((function == NULL) == (setup.table == NULL)) {
        FAIL(STATUS_ERR_USAGE,
             "mbtune simulate: expected one of --function and --table; see mbtune simulate --help");
    }
    for (size_t i = 0; i < study->objective_count; i++) {
        objectives[i] = study->objectives[i].metric;
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        constraints[i] = study->constraints[i].metric;
    }
    TRY(number_of(arguments, "tau", not_negative, &setup.tau));
    if (function != NULL && simulated_problem_find(function, &ops) != STATUS_OK) {
        FAIL(STATUS_ERR_USAGE, "mbtune simulate: %s", status_last()->text);
    }
    return simulated_problem_create(ops, &setup, &job->problem);
}

static Status prepare(Job *job, int argc, char **argv) {
    TRY(cli_parse(&simulate, argc, argv, &job->arguments));
    if (job->arguments.help) {
        return STATUS_OK;
    }
    TRY(cli_choice(&job->arguments, "format", formats, &job->format));
    TRY(read_study(job));
    TRY(read_settings(job));
    TRY(make_problem(job));
    return scheduler_create(job->study->scheduler, &job->setup, job->study->scheduler_values,
                            &job->scheduler);
}

static Status tell_measured(const Simulated *simulated) {
    Buffer text;
    buffer_init(&text, MEASURED_BYTES);
    simulate_report_measured(simulated, &text);
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = cli_write(STDERR_FILENO, buffer_text(&text), text.length);
    }
    buffer_reset(&text);
    return status;
}

static Status put(const Job *job, Buffer *out) {
    const char     *table = cli_value(&job->arguments, "table");
    const Simulated simulated = {.study = job->study,
                                 .problem = (table == NULL) ? job->problem.ops->name : table,
                                 .settings = &job->settings,
                                 .report = &job->report};
    if (job->format == FORMAT_JSON) {
        return simulate_report_json(&simulated, out);
    }
    TRY((job->format == FORMAT_CSV) ? simulate_report_csv(&simulated, out)
                                    : simulate_report_text(&simulated, out));
    return tell_measured(&simulated);
}

static Status run(Job *job, int argc, char **argv, Buffer *out) {
    TRY(prepare(job, argc, argv));
    if (job->arguments.help) {
        cli_help(&simulate, out);
        return buffer_status(out);
    }
    TRY(simulator_run(&job->settings, job->scheduler, &job->problem, &job->report));
    return put(job, out);
}

Status command_simulate(int argc, char **argv, Buffer *out) {
    Job          job = {.study = NULL};
    const Status status = run(&job, argc, argv, out);
    job_reset(&job);
    return status;
}
