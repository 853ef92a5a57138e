/* What a study may spend, and on whose decisions: scheduler, budget, phases, limits. */
#include "tuner/study_file_parts.h"

#include "core/thread_pool.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REASONS_BYTES = 32768 };

/* ---- scheduler and budget ---- */

static Status read_scheduler(const Node *node, Study *study) {
    const char *names[STUDY_NAMES_MAX];
    const Node *name = NULL;
    size_t      n = 0;
    size_t      index = 0;

    TRY(study__mapping(node, "scheduler", "{name: pbt, population: 8}"));
    TRY(study__need(node, "name", "one of those that mbtune list schedulers shows", &name));
    for (; n < scheduler_count() && n < STUDY_NAMES_MAX; n++) {
        names[n] = scheduler_at(n)->name;
    }
    TRY(study__pick(name, "scheduler.name", names, n, &index));
    study->scheduler = scheduler_at(index);
    if (study->scheduler->branches && !study->can_branch) {
        return node_fail(name,
                         "scheduler '%s' continues from checkpoints, and trainer.checkpoint is "
                         "false; a scheduler without branches such as random is needed",
                         study->scheduler->name);
    }
    const OptionSpec *specs = study->scheduler->options;
    study->scheduler_values = calloc(option_count(specs) + 1, sizeof *study->scheduler_values);
    if (study->scheduler_values == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for scheduler options");
    }
    option_defaults(specs, study->scheduler_values);
    return study__options(node, "scheduler", specs, "name", study->scheduler_values);
}

static Status read_unit(const Node *budget, Study *study) {
    static const char *const units[] = {"episode", "env_step"};
    const Node              *node = node_get(budget, "unit");
    const char              *unit = units[0];
    size_t                   index = 0;

    if (study->agent == NULL) {
        TRY(study__need(budget, "unit", "the word for what your trainer counts, such as epoch",
                        &node));
        TRY(node_string(node, "budget.unit", &unit));
        if (unit[0] == '\0') {
            return node_fail(node, "'budget.unit' must be a word, found ''");
        }
    } else {
        TRY(study__pick(node, "budget.unit", units, 2, &index));
        unit = units[index];
    }
    return study__copy(unit, &study->budget.unit);
}

static Status read_depth(const Node *node, Study *study) {
    StudyBudget *budget = &study->budget;
    const Node  *per_trial = NULL;
    const Node  *segment = node_get(node, "segment");

    TRY(study__need(node, "per_trial", "how many units one trial is trained for, such as 80",
                    &per_trial));
    TRY(study__integer(per_trial, "budget.per_trial", 1, STUDY_UNITS_MAX, &budget->per_trial));
    if (segment == NULL && study->scheduler->branches) {
        return node_fail(node,
                         "'segment' is missing; expected the units between two decisions of "
                         "scheduler '%s', such as 5",
                         study->scheduler->name);
    }
    budget->segment = budget->per_trial;
    TRY(study__integer(segment, "budget.segment", 1, STUDY_UNITS_MAX, &budget->segment));
    if (budget->per_trial < budget->segment) {
        return node_fail(per_trial,
                         "'per_trial' must be at least 'segment', found per_trial %" PRId64
                         " and segment %" PRId64,
                         budget->per_trial, budget->segment);
    }
    return STATUS_OK;
}

/* Chains that the scheduler keeps alive; 0 where it has no population. */
static int64_t population_of(const Study *study) {
    const OptionSpec *specs = study->scheduler->options;
    const size_t      row = option_find(specs, "population");

    if (!study->scheduler->population || row == option_count(specs) ||
        isnan(study->scheduler_values[row])) {
        return 0;
    }
    return (int64_t)study->scheduler_values[row];
}

/* total: as given, or population x per_trial, or trials x per_trial x repeats. */
static Status derive_total(const Node *node, Study *study) {
    StudyBudget  *budget = &study->budget;
    const int64_t population = population_of(study);
    const int64_t chains = population > 0 ? population : budget->trials;
    int64_t       total = 0;

    if (chains == 0) {
        return node_fail(node,
                         "'trials' or 'total' is missing; scheduler '%s' must know how much to "
                         "spend, such as trials: 20",
                         study->scheduler->name);
    }
    if (__builtin_mul_overflow(chains, budget->per_trial, &total) ||
        __builtin_mul_overflow(total, study->repeats, &total) || total > STUDY_UNITS_MAX) {
        return node_fail(node, "the budget is too large: %" PRId64 " chains of %" PRId64 " %ss",
                         chains, budget->per_trial, budget->unit);
    }
    budget->total = total;
    return STATUS_OK;
}

static Status read_amount(const Node *node, Study *study) {
    StudyBudget *budget = &study->budget;
    const Node  *trials = node_get(node, "trials");
    const Node  *total = node_get(node, "total");

    if (trials != NULL && study->scheduler->population) {
        return node_fail(trials,
                         "'trials' is for samplers; scheduler '%s' has 'population', so leave it "
                         "out or set 'total'",
                         study->scheduler->name);
    }
    TRY(study__integer(trials, "budget.trials", 1, STUDY_UNITS_MAX, &budget->trials));
    if (total == NULL) {
        return derive_total(node, study);
    }
    TRY(study__integer(total, "budget.total", 1, STUDY_UNITS_MAX, &budget->total));
    if (budget->total < budget->segment) {
        return node_fail(total,
                         "'total' must be at least one segment of %" PRId64 ", found %" PRId64,
                         budget->segment, budget->total);
    }
    /* one that stops early begins configurations as long as there are units */
    if (trials == NULL && !study->scheduler->population && !study->scheduler->stops_early) {
        const int64_t each = budget->per_trial * study->repeats;
        budget->trials = budget->total / each > 0 ? budget->total / each : 1;
    }
    return STATUS_OK;
}

static Status read_budget(const Node *root, Study *study) {
    static const char *const keys[] = {"unit",   "per_trial",  "segment", "total",
                                       "trials", "wall_clock", NULL};
    const char              *hint = "{unit: episode, per_trial: 80, segment: 5}";
    const Node              *node = NULL;

    TRY(study__need(root, "budget", hint, &node));
    TRY(study__mapping(node, "budget", hint));
    TRY(node_known_keys(node, "budget", keys));
    TRY(read_unit(node, study));
    TRY(read_depth(node, study));
    TRY(read_amount(node, study));
    const Node *wall_clock = node_get(node, "wall_clock");
    if (wall_clock != NULL) {
        TRY(node_duration(wall_clock, "budget.wall_clock", &study->budget.wall_clock));
        if (!(study->budget.wall_clock > 0.0)) {
            return node_fail(wall_clock, "'budget.wall_clock' must be above 0, such as 2h");
        }
    }
    return STATUS_OK;
}

/* The scheduler itself has the last word on its options. */
static Status try_scheduler(const Node *node, Study *study) {
    SchedulerSetup setup;
    Scheduler     *scheduler = NULL;

    study_setup(study, &setup);
    const Status status =
        scheduler_create(study->scheduler, &setup, study->scheduler_values, &scheduler);
    if (status == STATUS_ERR_NOMEM) {
        return status;
    }
    if (status != STATUS_OK) {
        const ErrorInfo error = *status_last();
        return node_fail(node, "scheduler '%s': %s", study->scheduler->name, error.text);
    }
    study->order = scheduler_order(scheduler);
    scheduler_destroy(scheduler);
    return STATUS_OK;
}

Status study__read_plan(const Node *root, Study *study) {
    const Node *scheduler = NULL;
    const Node *baseline = node_get(root, "baseline");

    study->repeats = 1;
    study->baseline = true;
    TRY(study__integer(node_get(root, "repeats"), "repeats", 1, 1000, &study->repeats));
    if (baseline != NULL) {
        TRY(node_bool(baseline, "baseline", &study->baseline));
    }
    if (node_get(root, "allow_diverged") != NULL) {
        TRY(node_bool(node_get(root, "allow_diverged"), "allow_diverged", &study->allow_diverged));
    }
    TRY(study__need(root, "scheduler", "{name: pbt, population: 8}", &scheduler));
    TRY(read_scheduler(scheduler, study));
    TRY(read_budget(root, study));
    return try_scheduler(scheduler, study);
}

/* ---- the rest ---- */

static Status read_confirm(const Node *node, Study *study) {
    static const char *const keys[] = {"top", "seeds", "per_trial", "seed", NULL};

    if (node == NULL) {
        return STATUS_OK;
    }
    study->confirm = (StudyConfirm){
        .top = 1, .seeds = 5, .per_trial = study->budget.per_trial, .seed = (int64_t)study->seed};
    TRY(study__mapping(node, "confirm", "{top: 1, seeds: 5}"));
    TRY(node_known_keys(node, "confirm", keys));
    TRY(study__integer(node_get(node, "top"), "confirm.top", 1, 1000, &study->confirm.top));
    TRY(study__integer(node_get(node, "seeds"), "confirm.seeds", 1, 10000, &study->confirm.seeds));
    TRY(study__integer(node_get(node, "seed"), "confirm.seed", 0, STUDY_MAX_SEED,
                       &study->confirm.seed));
    return study__integer(node_get(node, "per_trial"), "confirm.per_trial", 1,
                          study->budget.per_trial, &study->confirm.per_trial);
}

/* `what` asks for evaluations, where there are none to be had */
static Status refuse_evaluations(const Node *node, const char *what, const Study *study) {
    if (study->manual) {
        return node_fail(node, "'%s' is for trainers that are programs; here you train", what);
    }
    return node_fail(node, "'%s' needs a trainer that evaluates, and trainer.evaluate is false",
                     what);
}

/* an archive that lets in nobody whose evaluation failed stays empty: pbt-bt would be pbt */
static Status check_evaluations(const Node *scheduler, const Study *study) {
    const char *what = scheduler_uses(study->scheduler, study->scheduler_values).evaluations;
    return (what == NULL || study->can_evaluate) ? STATUS_OK
                                                 : refuse_evaluations(scheduler, what, study);
}

static Status read_evaluate(const Node *node, Study *study) {
    static const char *const keys[] = {"top", "episodes", NULL};

    if (node == NULL) {
        return STATUS_OK;
    }
    if (!study->can_evaluate) {
        return refuse_evaluations(node, "evaluate", study);
    }
    study->evaluate = (StudyEvaluate){.top = 1, .episodes = 10};
    TRY(study__mapping(node, "evaluate", "{top: 1, episodes: 10}"));
    TRY(node_known_keys(node, "evaluate", keys));
    TRY(study__integer(node_get(node, "top"), "evaluate.top", 1, 1000, &study->evaluate.top));
    return study__integer(node_get(node, "episodes"), "evaluate.episodes", 1, 1000000,
                          &study->evaluate.episodes);
}

static Status read_resources(const Node *node, Study *study) {
    static const char *const keys[] = {"cores", "gpus", "threads_per_worker", "memory", NULL};
    StudyResources          *resources = &study->resources;

    resources->cores = 1;
    resources->threads = 1;
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__mapping(node, "resources", "{cores: 1, memory: 2GiB}"));
    TRY(node_known_keys(node, "resources", keys));
    const Node *threads = node_get(node, "threads_per_worker");
    TRY(study__integer(node_get(node, "cores"), "resources.cores", 1, 4096, &resources->cores));
    TRY(study__integer(node_get(node, "gpus"), "resources.gpus", 0, STUDY_MOST_GPUS,
                       &resources->gpus));
    TRY(study__integer(threads, "resources.threads_per_worker", 1, THREAD_POOL_MOST,
                       &resources->threads));
    if (resources->threads > resources->cores) {
        return node_fail(threads,
                         "'resources.threads_per_worker' must be at most 'resources.cores', which "
                         "is %" PRId64 ", found %" PRId64,
                         resources->cores, resources->threads);
    }
    if (node_get(node, "memory") != NULL) {
        TRY(node_bytes(node_get(node, "memory"), "resources.memory", &resources->memory));
    }
    return STATUS_OK;
}

/* Optional duration of at least `least` seconds. */
static Status read_seconds(const Node *node, const char *what, double least, double *out) {
    double seconds = 0.0;

    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(node_duration(node, what, &seconds));
    if (!(seconds >= least)) {
        return node_fail(node, "'%s' must be at least %g s, found %g s", what, least, seconds);
    }
    *out = seconds;
    return STATUS_OK;
}

static Status read_limits(const Node *node, Study *study) {
    static const char *const keys[] = {"start",   "silence",     "segment", "heartbeat",
                                       "retries", "checkpoints", NULL};
    StudyLimits             *limits = &study->limits;

    *limits = (StudyLimits){.start_seconds = 60.0,
                            .silence_seconds = 300.0,
                            .heartbeat_seconds = 5.0,
                            .retries = 2,
                            .checkpoint_bytes = 20.0 * 1024 * 1024 * 1024};
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__mapping(node, "limits", "{silence: 5m, checkpoints: 20GiB}"));
    TRY(node_known_keys(node, "limits", keys));
    TRY(read_seconds(node_get(node, "start"), "limits.start", 0.1, &limits->start_seconds));
    TRY(read_seconds(node_get(node, "silence"), "limits.silence", 0.1, &limits->silence_seconds));
    TRY(read_seconds(node_get(node, "segment"), "limits.segment", 0.0, &limits->segment_seconds));
    TRY(read_seconds(node_get(node, "heartbeat"), "limits.heartbeat", 0.1,
                     &limits->heartbeat_seconds));
    TRY(study__integer(node_get(node, "retries"), "limits.retries", 0, 100, &limits->retries));
    if (node_get(node, "checkpoints") != NULL) {
        TRY(node_bytes(node_get(node, "checkpoints"), "limits.checkpoints",
                       &limits->checkpoint_bytes));
    }
    return STATUS_OK;
}

Status study__read_rest(const Node *root, Study *study) {
    TRY(read_confirm(node_get(root, "confirm"), study));
    TRY(read_evaluate(node_get(root, "evaluate"), study));
    TRY(check_evaluations(node_get(root, "scheduler"), study));
    TRY(read_resources(node_get(root, "resources"), study));
    TRY(read_limits(node_get(root, "limits"), study));
    return study__integer(node_get(root, "workers"), "workers", 1, 1000000, &study->workers);
}

/* ---- reproducible or not ---- */

static void because(Buffer *reasons, const char *reason, const char *name) {
    buffer_puts(reasons, reasons->length == 0 ? "" : "; ");
    buffer_printf(reasons, "%s%s%s", reason, name[0] == '\0' ? "" : " ", name);
}

/* An agent that may stop planning by the clock. */
static bool plans_by_clock(const Study *study) {
    const char *name = "max_plan_seconds";

    if (study->agent == NULL) {
        return false;
    }
    const OptionSpec *specs = study->agent->options();
    const size_t      row = option_find(specs, name);
    if (row == option_count(specs)) {
        return false;
    }
    const bool tuned = space_find(study->space, name) < space_count(study->space);
    return tuned || (isfinite(study->agent_values[row]) && study->agent_values[row] > 0.0);
}

Status study__judge(Study *study) {
    Buffer reasons;

    buffer_init(&reasons, REASONS_BYTES);
    if (study->manual) {
        because(&reasons, "a person trains", "");
    }
    if (study->budget.wall_clock > 0.0) {
        because(&reasons, "the budget has a wall_clock limit", "");
    }
    for (size_t i = 0; i < study->objective_count; i++) {
        if (study->objectives[i].timing) {
            because(&reasons, "the objective is a time:", study->objectives[i].metric);
        }
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        if (study->constraints[i].timing) {
            because(&reasons, "a constraint is on a time:", study->constraints[i].metric);
        }
    }
    if (study->cost_timing) {
        because(&reasons, "the cost is a time:", study->cost);
    }
    if (plans_by_clock(study)) {
        because(&reasons, "planning ends by the clock (max_plan_seconds)", "");
    }
    if (study->order == SCHEDULER_ORDER_ANY) {
        because(&reasons, "the scheduler takes results in the order in which they come", "");
    }
    Status status = buffer_status(&reasons);
    if (status == STATUS_OK) {
        status = study__copy(buffer_text(&reasons), &study->irreproducible);
    }
    buffer_reset(&reasons);
    return status;
}
