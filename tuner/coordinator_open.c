/* Creating a study, or going on with one. Resuming replays the log through observe() and never asks
 * decide(): what was decided stays decided; what was queued or running runs again. */
#include "core/clock.h"
#include "core/file.h"
#include "core/linalg.h"
#include "results/publish.h"
#include "results/report.h"
#include "tuner/coordinator_state.h"
#include "tuner/study_cost.h"
#include "tuner/study_numerics.h"
#include "tuner/warm_start.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_CAP = 16 * 1024 * 1024, NUMERICS_CAP = 4096, LINE_BYTES = 1024 };

/* ---- the study's own rows -----------------------------------------------------------------------
 */

static Status definition_text(const Coordinator *c, Buffer *out) {
    Json *definition = NULL;
    TRY(study_to_json(c->study, &definition));
    json_write(definition, false, out);
    json_release(definition);
    return buffer_status(out);
}

static Status read_creation(Coordinator *c) {
    Buffer text;
    buffer_init(&text, NUMERICS_CAP);
    const Status status = results_study_text(c->results, "created_at", &text);
    c->created_at = strtod(buffer_text(&text), NULL);
    buffer_reset(&text);
    return status;
}

static Status log_lines(Coordinator *c, const char *lines, Results *results) {
    char line[LINE_BYTES];
    for (; lines[0] != '\0'; lines = strchr(lines, '\n') + 1) {
        (void)snprintf(line, sizeof line, "warm start: %.*s", (int)strcspn(lines, "\n"), lines);
        progress_log(&c->progress, "info", line);
        TRY(results_log(results, "info", line));
    }
    return STATUS_OK;
}

/* what earlier studies know becomes the beginning of the log */
static Status begin_log(Coordinator *c, const WarmStart *warm, Results *results) {
    Buffer lines;
    TRY(results_begin(results));
    TRY(warm_start_append(warm, results));
    buffer_init(&lines, TEXT_CAP);
    warm_start_describe(c->study, warm, &lines);
    Status status = buffer_status(&lines);
    if (status == STATUS_OK) {
        status = log_lines(c, buffer_text(&lines), results);
    }
    buffer_reset(&lines);
    TRY(status);
    return results_commit(results);
}

static ResultsMode write_mode(const Coordinator *c) {
    return c->folder->network ? RESULTS_WRITE_ALONE : RESULTS_WRITE;
}

/* closing puts the log of writes into the database and removes it, unless the disk is full */
static Status refuse_half(const Coordinator *c, const char *unfinished) {
    Buffer log;
    buffer_init(&log, TEXT_CAP);
    buffer_printf(&log, "%s-wal", unfinished);
    const bool is_half = buffer_status(&log) != STATUS_OK || file_exists(buffer_text(&log));
    buffer_reset(&log);
    if (is_half) {
        FAIL_NATIVE(STATUS_ERR_IO, ENOSPC, "no space for the database of study '%s'",
                    c->folder->path);
    }
    return STATUS_OK;
}

/* The database gets its name when it is complete: a coordinator that is killed before leaves
 * nothing that looks like a study. */
static Status create_database(Coordinator *c, const ResultsStudy *row, const WarmStart *warm) {
    Results *results = NULL;
    char    *unfinished = file_join(c->folder->path, "study.db.new");
    if (unfinished == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the path of the database");
    }
    static const char *const parts[] = {"study.db.new", "study.db.new-wal", "study.db.new-shm"};
    Status                   status = STATUS_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && status == STATUS_OK; i++) {
        char *part = file_join(c->folder->path, parts[i]);
        status = (part == NULL) ? STATUS_ERR_NOMEM : file_remove_all(part);
        free(part);
    }
    if (status == STATUS_OK) {
        status = c->folder->network ? results_create_alone(unfinished, row, &results)
                                    : results_create(unfinished, row, &results);
    }
    if (status == STATUS_OK && warm->source_count > 0) {
        status = begin_log(c, warm, results);
    }
    results_close(results);
    if (status == STATUS_OK) {
        status = refuse_half(c, unfinished);
    }
    if (status == STATUS_OK) {
        status = file_rename(unfinished, c->folder->database);
    }
    free(unfinished);
    TRY(status);
    return results_open(c->folder->database, write_mode(c), &c->results);
}

static Status create_with(Coordinator *c, const WarmStart *warm) {
    const char  *timing[STUDY_MAX_TIMING];
    ResultsStudy row;
    Buffer       definition;
    Buffer       numerics;
    buffer_init(&definition, TEXT_CAP);
    buffer_init(&numerics, NUMERICS_CAP);
    study_results(c->study, timing, &row);
    linalg_numerics(&numerics);
    Status status = study_numerics(c->study, &numerics);
    row.numerics = buffer_text(&numerics);
    if (status == STATUS_OK) {
        status = definition_text(c, &definition);
    }
    row.definition = buffer_text(&definition);
    if (status == STATUS_OK) {
        status = study_folder_freeze(c->folder, c->study->text, strlen(c->study->text));
    }
    if (status == STATUS_OK) {
        status = create_database(c, &row, warm);
    }
    buffer_reset(&definition);
    buffer_reset(&numerics);
    TRY(status);
    return read_creation(c);
}

/* no file of the study is there before the earlier ones were read */
static Status create_study(Coordinator *c) {
    WarmStart warm;
    Status    status = warm_start_read(c->study, &warm);
    if (status == STATUS_OK) {
        status = create_with(c, &warm);
    }
    warm_start_reset(&warm);
    return status;
}

/* The frozen study and this one must agree in all that decides results. The scheduler is made with
 * the budget of the frozen one, as its log was; another one is an event (coordinator_budget.c). */
static Status refuse_another_study(Coordinator *c) {
    Buffer text;
    Buffer names;
    Json  *frozen = NULL;
    Json  *now = NULL;
    buffer_init(&text, TEXT_CAP);
    buffer_init(&names, TEXT_CAP);
    Status status = results_study_text(c->results, "definition", &text);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, &frozen);
    }
    if (status == STATUS_OK) {
        status = study_to_json(c->study, &now);
    }
    if (status == STATUS_OK) {
        status = study_diff(frozen, now, &names);
    }
    if (status == STATUS_OK && names.length > 0) {
        status = FAILURE(STATUS_ERR_STATE,
                         "'%s' holds another study: the study file differs in %s; give another "
                         "folder with --dir, or the file that the folder was made with",
                         c->folder->path, buffer_text(&names));
    }
    if (status == STATUS_OK) {
        const Json *budget = json_get(frozen, "budget");
        c->scheduler_setup.total = json_integer(json_get(budget, "total"));
        c->scheduler_setup.trials = json_integer(json_get(budget, "trials"));
        c->frozen = (ResultsBudget){.total = c->scheduler_setup.total,
                                    .trials = c->scheduler_setup.trials,
                                    .wall_clock = json_number(json_get(budget, "wall_clock"))};
    }
    json_release(frozen);
    json_release(now);
    buffer_reset(&text);
    buffer_reset(&names);
    return status;
}

/* ---- resuming -----------------------------------------------------------------------------------
 */

static Status replay_event(void *context, const Event *event) {
    Coordinator *c = context;
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_DONE) {
        c->decided_all = true;
        c->failed = event->decision->failed;
        (void)snprintf(c->reason, sizeof c->reason, "%s", event->decision->reason);
    }
    TRY(coordinator__note_event(c, event));
    return scheduler_observe(c->scheduler, event);
}

static Status collect_unlogged(void *context, const Event *event) {
    Coordinator *c = context;
    Outstanding  outstanding = {
         .kind = event->kind, .id = event->id, .outcome = event->outcome, .cost = event->cost};
    const size_t n = c->study->objective_count;
    memcpy(outstanding.objectives, event->objectives, n * sizeof(double));
    memcpy(outstanding.spreads, event->spreads, n * sizeof(double));
    memcpy(outstanding.constraints, event->constraints,
           c->study->constraint_count * sizeof(double));
    c->undecided++; /* push_event() takes it back: it is no longer with a worker */
    return coordinator__push_event(c, &outstanding);
}

static bool belongs_to(Coordinator *c, const ResultsSegment *row) {
    return (row->decision >= 0) == (c->phase == PHASE_TUNE);
}

Status coordinator__restore_segment(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (!belongs_to(c, row)) {
        return STATUS_OK;
    }
    if (row->state == SEGMENT_QUEUED || row->state == SEGMENT_RUNNING) {
        const bool partial = row->partial_end > row->begin;
        const Work work = {.kind = WORK_SEGMENT,
                           .id = row->id,
                           .needs = partial ? 0 : row->parent,
                           .attempt = row->attempt,
                           .partial = partial};
        c->undecided++;
        const bool handed_out = c->study->manual && row->state == SEGMENT_RUNNING;
        return handed_out ? STATUS_OK : coordinator__queue(c, &work);
    }
    return STATUS_OK;
}

static Status restore_kept(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (!row->kept || row->state != SEGMENT_FINISHED) {
        return STATUS_OK;
    }
    const Kept kept = {.id = row->id,
                       .trial = row->trial,
                       .attempt = row->attempt,
                       .bytes = row->checkpoint_bytes,
                       .objective = row->objective[0],
                       .pinned = row->pinned};
    int64_t    leaf = 0;
    TRY(results_trial_leaf(c->results, row->trial, &leaf));
    if (leaf == row->id) {
        TRY(coordinator__set_leaf(c, row->trial, row->id, row->end));
    }
    return coordinator__keep(c, &kept);
}

Status coordinator__restore_evaluation(void *context, const ResultsEvaluation *row) {
    Coordinator *c = context;
    if (row->state != SEGMENT_QUEUED && row->state != SEGMENT_RUNNING) {
        return STATUS_OK;
    }
    if ((row->decision >= 0) != (c->phase == PHASE_TUNE)) {
        return STATUS_OK;
    }
    const Work work = {
        .kind = WORK_EVALUATION, .id = row->id, .needs = row->segment, .attempt = row->attempt};
    c->undecided++;
    return coordinator__queue(c, &work);
}

static Status open_study(Coordinator *c) {
    TRY(results_open(c->folder->database, write_mode(c), &c->results));
    TRY(refuse_another_study(c));
    return read_creation(c);
}

/* as report_best() ranks */
Status coordinator__restore_best(Coordinator *c) {
    double         constraints[SCHEDULER_MAX_CONSTRAINTS];
    ResultsSegment row = {.point = NULL};
    size_t         found = 0;
    TRY(report_top(c->results, 1, &c->best_segment, &found));
    if (found == 0) {
        c->best_segment = 0;
        return STATUS_OK;
    }
    TRY(results_segment_read(c->results, NULL, c->best_segment, &row));
    c->best_objective = row.objective[0];
    for (size_t i = 0; i < c->study->constraint_count; i++) {
        size_t own = 0;
        TRY(results_lineage_window(c->results, c->best_segment, c->study->constraints[i].metric, 1,
                                   &constraints[i], &found, &own));
        constraints[i] = (found > 0) ? constraints[i] : (double)NAN;
    }
    c->best_feasible = coordinator__feasible(c, constraints);
    return STATUS_OK;
}

static Status resume_study(Coordinator *c) {
    int64_t requeued = 0;
    TRY(results_begin(c->results));
    if (!c->study->manual && !c->setup->is_dry_run) { /* there nothing dies with the program */
        TRY(results_reconcile(c->results, &requeued));
    }
    if (c->begun && !c->setup->is_visit) {
        TRY(results_study_set(c->results, "running", ""));
    }
    TRY(results_commit(c->results));
    if (!c->setup->is_dry_run) {
        TRY(coordinator__sweep_orphans(c));
    }
    TRY(results_segments_visit(c->results, RESULTS_KEPT, restore_kept, c));
    TRY(coordinator__restore_best(c));
    TRY(results_tally_read(c->results, &c->tally));
    if (!c->begun) {
        return STATUS_OK; /* only an evaluation is asked for */
    }
    TRY(results_log_replay(c->results, c->study->space, replay_event, c));
    TRY(results_segments_visit(c->results, RESULTS_OPEN, coordinator__restore_segment, c));
    TRY(results_evaluations_visit(c->results, coordinator__restore_evaluation, c));
    TRY(results_unlogged_visit(c->results, collect_unlogged, c));
    TRY(coordinator__drop_stopped(c));
    TRY(results_segments_visit(c->results, RESULTS_PINNED, coordinator__want_pinned, c));
    TRY(coordinator__restore_budget(c));
    if (c->study->manual || c->setup->is_visit) {
        return STATUS_OK; /* every ask and tell resumes */
    }
    coordinator__log(c, "info", "resuming: %" PRId64 " decisions, %zu segments to run",
                     scheduler_decisions(c->scheduler), c->queue.count);
    return STATUS_OK;
}

static size_t longest_window(const Study *study) {
    size_t longest = (size_t)study->budget.per_trial;
    for (size_t i = 0; i < study->objective_count; i++) {
        if ((size_t)study->objectives[i].window > longest) {
            longest = (size_t)study->objectives[i].window;
        }
    }
    return (longest < 64) ? 64 : longest;
}

static Status log_warnings(Coordinator *c) {
    StudyCost cost;
    Buffer    warnings;
    buffer_init(&warnings, TEXT_CAP);
    Status status = study_cost(c->study, &cost);
    if (status == STATUS_OK) {
        status = study_warnings(c->study, &cost, &warnings);
    }
    const char *line = (status == STATUS_OK) ? buffer_text(&warnings) : "";
    for (; line[0] != '\0'; line = strchr(line, '\n') + 1) {
        coordinator__log(c, "warning", "%.*s", (int)strcspn(line, "\n"), line);
    }
    buffer_reset(&warnings);
    return status;
}

Status coordinator__open(Coordinator *c) {
    c->window_capacity = longest_window(c->study);
    c->window = calloc(c->window_capacity, sizeof *c->window);
    c->point = calloc(space_count(c->study->space) + 1, sizeof *c->point);
    if (c->window == NULL || c->point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the coordinator");
    }
    study_setup(c->study, &c->scheduler_setup);
    c->budget = (ResultsBudget){.total = c->study->budget.total,
                                .trials = c->study->budget.trials,
                                .wall_clock = c->study->budget.wall_clock};
    stop_rule_init(&c->stop_rule, c->study->stop.units, c->study->stop.by,
                   c->study->objectives[0].maximize);
    TRY(decider_create(&c->decider));
    const bool exists = study_folder_begun(c->folder);
    if (!exists && c->setup->evaluate_episodes > 0) {
        FAIL(STATUS_ERR_STATE, "'%s' holds no study to evaluate", c->folder->path);
    }
    TRY(study_folder_make(c->folder));
    TRY(study_folder_lock(c->folder, c->setup->lock_seconds));
    TRY(exists ? open_study(c) : create_study(c));
    TRY(scheduler_create(c->study->scheduler, &c->scheduler_setup, c->study->scheduler_values,
                         &c->scheduler));
    c->no_model = scheduler_uses(c->study->scheduler, c->study->scheduler_values).no_model;
    c->begun = c->setup->evaluate_episodes == 0;
    c->opened_at = clock_wall();
    if (!c->setup->is_dry_run) {
        TRY(coordinator__tidy_requests(c));
    }
    c->collect = true;
    if (exists) {
        return resume_study(c);
    }
    if (c->study->warm_start_count > 0) {
        TRY(results_log_replay(c->results, c->study->space, replay_event, c));
    }
    TRY(coordinator__begin(c));
    TRY(results_study_set(c->results, "running", ""));
    if (c->study->irreproducible[0] != '\0') {
        coordinator__log(c, "info", "reproducible: no (%s)", c->study->irreproducible);
    }
    return log_warnings(c);
}
