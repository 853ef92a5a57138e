/* Creating a study, or going on with one. Resuming replays the log through observe() and never asks
 * decide(): what was decided stays decided; what was queued or running runs again. */
#include "core/file.h"
#include "core/linalg.h"
#include "core/rng.h"
#include "results/report.h"
#include "schedulers/replay.h"
#include "tuner/coordinator_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_CAP = 16 * 1024 * 1024, NUMERICS_CAP = 4096 };

/* ---- the study's own rows ----------------------------------------------------------------------- */

static Status definition_text(const Coordinator *c, Buffer *out) {
    Json *definition = NULL;
    TRY(study_to_json(c->study, &definition));
    json_write(definition, false, out);
    json_release(definition);
    return buffer_status(out);
}

static Status create_study(Coordinator *c) {
    const char  *timing[STUDY_MAX_TIMING];
    ResultsStudy row;
    Buffer       definition;
    Buffer       numerics;
    buffer_init(&definition, TEXT_CAP);
    buffer_init(&numerics, NUMERICS_CAP);
    study_results(c->study, timing, &row);
    linalg_numerics(&numerics);
    row.numerics = buffer_text(&numerics);
    Status status = definition_text(c, &definition);
    row.definition = buffer_text(&definition);
    if (status == STATUS_OK) {
        status = study_folder_freeze(c->folder, c->study->text, strlen(c->study->text));
    }
    if (status == STATUS_OK) {
        status = results_create(c->folder->database, &row, &c->results);
    }
    buffer_reset(&definition);
    buffer_reset(&numerics);
    return status;
}

/* the frozen study and this one must agree in all that decides results */
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
    json_release(frozen);
    json_release(now);
    buffer_reset(&text);
    buffer_reset(&names);
    return status;
}

/* ---- resuming ----------------------------------------------------------------------------------- */

static Status replay_event(void *context, const Event *event) {
    Coordinator *c = context;
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_DONE) {
        c->decided_all = true;
        c->failed = event->decision->failed;
        (void)snprintf(c->reason, sizeof c->reason, "%s", event->decision->reason);
    }
    return scheduler_observe(c->scheduler, event);
}

static Status collect_unlogged(void *context, const Event *event) {
    Coordinator *c = context;
    Outstanding  outstanding = {.kind = event->kind, .id = event->id, .outcome = event->outcome};
    const size_t n = c->study->objective_count;
    memcpy(outstanding.objectives, event->objectives, n * sizeof(double));
    memcpy(outstanding.spreads, event->spreads, n * sizeof(double));
    memcpy(outstanding.constraints, event->constraints, c->study->constraint_count * sizeof(double));
    c->undecided++; /* push_event() takes it back: it is no longer with a worker */
    return coordinator__push_event(c, &outstanding);
}

static bool belongs_to(Coordinator *c, const ResultsSegment *row) {
    return (row->decision >= 0) == (c->phase == PHASE_TUNE);
}

static Status restore_segment(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (!belongs_to(c, row)) {
        return STATUS_OK;
    }
    if (row->state == SEGMENT_QUEUED || row->state == SEGMENT_RUNNING) {
        const bool partial = row->partial_end > row->begin;
        const Work work = {.kind = WORK_SEGMENT,
                           .id = row->id,
                           .needs = partial ? 0 : row->parent,
                           .partial = partial};
        c->undecided++;
        return coordinator__queue(c, &work);
    }
    if (row->state == SEGMENT_FINISHED) {
        TRY(coordinator__set_leaf(c, row->trial, row->id));
        const double value = row->objective[0];
        const bool   better = c->best_segment == 0 ||
                            (c->study->objectives[0].maximize ? value > c->best_objective
                                                              : value < c->best_objective);
        if (c->phase == PHASE_TUNE && better) {
            c->best_segment = row->id;
            c->best_objective = value;
        }
    }
    return STATUS_OK;
}

static Status restore_kept(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (!row->kept || row->state != SEGMENT_FINISHED) {
        return STATUS_OK;
    }
    const Kept kept = {.id = row->id, .trial = row->trial, .end = row->end, .attempt = row->attempt};
    return coordinator__keep(c, &kept);
}

static Status restore_evaluation(void *context, const ResultsEvaluation *row) {
    Coordinator *c = context;
    if (row->state != SEGMENT_QUEUED && row->state != SEGMENT_RUNNING) {
        return STATUS_OK;
    }
    if ((row->decision >= 0) != (c->phase == PHASE_TUNE)) {
        return STATUS_OK;
    }
    const Work work = {.kind = WORK_EVALUATION, .id = row->id, .needs = row->segment};
    c->undecided++;
    return coordinator__queue(c, &work);
}

static Status resume_study(Coordinator *c) {
    int64_t requeued = 0;
    TRY(results_open(c->folder->database, RESULTS_WRITE, &c->results));
    TRY(refuse_another_study(c));
    TRY(results_begin(c->results));
    TRY(results_reconcile(c->results, &requeued));
    TRY(results_study_set(c->results, "running", ""));
    TRY(results_commit(c->results));
    TRY(coordinator__sweep_orphans(c));
    TRY(results_segments_visit(c->results, restore_kept, c));
    if (c->setup->evaluate_episodes > 0) {
        TRY(results_segments_visit(c->results, restore_segment, c));
        c->queue.count = 0; /* only the evaluation is asked for */
        c->undecided = 0;
        return STATUS_OK;
    }
    TRY(results_log_replay(c->results, c->study->space, replay_event, c));
    TRY(results_segments_visit(c->results, restore_segment, c));
    TRY(results_evaluations_visit(c->results, restore_evaluation, c));
    TRY(results_unlogged_visit(c->results, collect_unlogged, c));
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

Status coordinator__open(Coordinator *c) {
    c->window_capacity = longest_window(c->study);
    c->window = calloc(c->window_capacity, sizeof *c->window);
    c->point = calloc(space_count(c->study->space) + 1, sizeof *c->point);
    if (c->window == NULL || c->point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the coordinator");
    }
    study_setup(c->study, &c->scheduler_setup);
    TRY(scheduler_create(c->study->scheduler, &c->scheduler_setup, c->study->scheduler_values,
                         &c->scheduler));
    TRY(decider_create(&c->decider));
    TRY(study_folder_make(c->folder));
    TRY(study_folder_lock(c->folder));
    c->collect = true;
    if (study_folder_begun(c->folder)) {
        return resume_study(c);
    }
    if (c->setup->evaluate_episodes > 0) {
        FAIL(STATUS_ERR_STATE, "'%s' holds no study to evaluate", c->folder->path);
    }
    TRY(create_study(c));
    if (c->study->irreproducible[0] != '\0') {
        coordinator__log(c, "info", "reproducible: no (%s)", c->study->irreproducible);
    }
    return STATUS_OK;
}

/* ---- confirmation --------------------------------------------------------------------------- */

/* Cuts a schedule to the confirmation's depth, or goes on with its last values up to it, so that all
 * arms are compared at equal depth. `steps` has room for one more step per segment. */
static void fit_depth(const Study *study, ReplayArm *arm) {
    const int64_t depth = study->confirm.per_trial;
    size_t        count = 0;
    while (count < arm->step_count && arm->steps[count].begin < depth) {
        count++;
    }
    ReplayStep last = arm->steps[count - 1];
    if (last.end > depth) {
        arm->steps[count - 1].end = depth;
    }
    while (last.end < depth) {
        const int64_t end = last.end + study->budget.segment;
        last.begin = last.end;
        last.end = (end < depth) ? end : depth;
        arm->steps[count++] = last;
    }
    arm->step_count = count;
}

/* The steps of one walk; all points in one block that starts at the first step's. */
static Status lineage_steps(Coordinator *c, int64_t leaf, ReplayArm *arm) {
    int64_t *ids = NULL;
    size_t   count = 0;
    TRY(report_lineage(c->results, leaf, &ids, &count));
    const size_t d = space_count(c->study->space);
    const size_t room =
        count + 2 + (size_t)(c->study->confirm.per_trial / c->study->budget.segment);
    arm->steps = calloc(room, sizeof *arm->steps);
    double *points = calloc(count * d + 1, sizeof *points);
    Status  status = STATUS_OK;
    if (arm->steps == NULL || points == NULL) {
        free(points);
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for a schedule of %zu steps", count);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        ResultsSegment row = {.point = points + i * d};
        status = results_segment_read(c->results, c->study->space, ids[i], &row);
        arm->steps[i] = (ReplayStep){.begin = row.begin, .end = row.end, .point = points + i * d};
    }
    arm->step_count = count;
    free(ids);
    if (status == STATUS_OK) {
        fit_depth(c->study, arm);
    }
    return status;
}

/* the defaults, cut where the first schedule is cut and trained to the same depth */
static Status default_steps(Coordinator *c, const ReplayArm *like, ReplayArm *arm) {
    const size_t d = space_count(c->study->space);
    arm->steps = calloc(like->step_count + 1, sizeof *arm->steps);
    double *point = calloc(d + 1, sizeof *point);
    if (arm->steps == NULL || point == NULL) {
        free(point);
        FAIL(STATUS_ERR_NOMEM, "no memory for the default schedule");
    }
    space_defaults(c->study->space, point);
    for (size_t i = 0; i < like->step_count; i++) {
        arm->steps[i] = like->steps[i];
        arm->steps[i].point = point;
    }
    arm->step_count = like->step_count;
    return STATUS_OK;
}

static void free_arms(ReplayArm *arms, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (arms[i].steps != NULL) {
            free(arms[i].steps[0].point); /* one block per arm */
        }
        free(arms[i].steps);
    }
    free(arms);
}

/* the rows of the confirmation's trials, once */
static Status insert_trials(Coordinator *c, const int64_t *sources, size_t arms, int64_t first) {
    ResultsTrial trial;
    if (results_trial_read(c->results, first, &trial) == STATUS_OK) {
        return STATUS_OK; /* an earlier run made them */
    }
    TRY(coordinator__begin(c));
    c->urgent = true;
    for (size_t arm = 0; arm < arms; arm++) {
        const bool best = arm + 1 < arms;
        for (int64_t k = 0; k < c->study->confirm.seeds; k++) {
            trial = (ResultsTrial){.id = first + (int64_t)arm * c->study->confirm.seeds + k,
                                   .kind = best ? TRIAL_CONFIRM_BEST : TRIAL_CONFIRM_DEFAULT,
                                   .number = best ? (int64_t)arm : 0,
                                   .repeat = k,
                                   .source = best ? sources[arm] : 0};
            TRY(results_trial_insert(c->results, &trial));
        }
    }
    return STATUS_OK;
}

typedef struct FirstIds {
    int64_t segment; /* largest id of the tuning phase */
    int64_t trial;
} FirstIds;

static Status find_last(void *context, const ResultsSegment *row) {
    FirstIds *last = context;
    if (row->decision >= 0) {
        last->segment = (row->id > last->segment) ? row->id : last->segment;
        last->trial = (row->trial > last->trial) ? row->trial : last->trial;
    }
    return STATUS_OK;
}

static Status replay_confirmation(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (row->decision >= 0) {
        return STATUS_OK;
    }
    ResultsSegment full = {.point = c->point};
    TRY(results_segment_read(c->results, c->study->space, row->id, &full));
    Decision decision = {.kind = DECISION_RUN,
                         .number = scheduler_decisions(c->scheduler),
                         .id = row->id,
                         .parent = row->parent,
                         .trial = row->trial,
                         .begin = row->begin,
                         .end = row->end,
                         .point = c->point};
    (void)snprintf(decision.reason, sizeof decision.reason, "%s", row->reason);
    const Event decided = {.kind = EVENT_DECIDED, .decision = &decision};
    TRY(scheduler_observe(c->scheduler, &decided));
    if (row->state != SEGMENT_FINISHED && row->state != SEGMENT_FAILED) {
        return STATUS_OK;
    }
    double nothing[SCHEDULER_MAX_CONSTRAINTS];
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        nothing[i] = (double)NAN;
    }
    const Event finished = {.kind = EVENT_FINISHED,
                            .id = row->id,
                            .outcome = row->outcome,
                            .objectives = row->objective,
                            .spreads = nothing,
                            .constraints = nothing};
    return scheduler_observe(c->scheduler, &finished);
}

/* makes the replaying scheduler; `arms` lives until it is made */
static Status make_confirmation(Coordinator *c, ReplayArm *arms, const int64_t *sources,
                                size_t found) {
    FirstIds last = {0};
    for (size_t i = 0; i < found; i++) {
        TRY(lineage_steps(c, sources[i], &arms[i]));
    }
    TRY(default_steps(c, &arms[0], &arms[found]));
    TRY(results_segments_visit(c->results, find_last, &last));
    TRY(insert_trials(c, sources, found + 1, last.trial + 1));
    return replay_create(arms, found + 1, c->study->confirm.seeds, last.trial + 1, last.segment + 1,
                         &c->scheduler_setup, &c->scheduler);
}

Status coordinator__enter_confirm(Coordinator *c) {
    const size_t top = (size_t)c->study->confirm.top;
    int64_t     *sources = calloc(top + 1, sizeof *sources);
    ReplayArm   *arms = calloc(top + 1, sizeof *arms);
    size_t       found = 0;
    if (sources == NULL || arms == NULL) {
        free(sources);
        free(arms);
        FAIL(STATUS_ERR_NOMEM, "no memory for the confirmation");
    }
    scheduler_destroy(c->scheduler);
    c->scheduler = NULL;
    c->phase = PHASE_CONFIRM;
    c->decided_all = false;
    c->waiting = false;
    c->undecided = 0;
    Status status = report_top(c->results, top, sources, &found);
    if (status == STATUS_OK && found > 0) {
        status = make_confirmation(c, arms, sources, found);
    }
    free_arms(arms, top + 1);
    free(sources);
    TRY(status);
    if (found == 0) {
        c->decided_all = true;
        return STATUS_OK;
    }
    coordinator__log(c, "info",
                     "confirming: the best %zu schedule%s and the defaults, from scratch, on %" PRId64
                     " fresh seeds each",
                     found, (found == 1) ? "" : "s", c->study->confirm.seeds);
    TRY(results_segments_visit(c->results, replay_confirmation, c));
    return results_segments_visit(c->results, restore_segment, c);
}

/* ---- evaluation --------------------------------------------------------------------------------- */

typedef struct Existing {
    int64_t segment;
    bool    found;
} Existing;

static Status find_existing(void *context, const ResultsEvaluation *row) {
    Existing *existing = context;
    if (row->segment == existing->segment && row->decision < 0) {
        existing->found = true;
    }
    return STATUS_OK;
}

static Status add_evaluation(Coordinator *c, int64_t segment, int64_t episodes, uint64_t seed) {
    int64_t trial = 0;
    int64_t next_segment = 0;
    int64_t id = 0;
    TRY(results_next_ids(c->results, &trial, &next_segment, &id));
    TRY(coordinator__begin(c));
    c->urgent = true;
    const ResultsEvaluation row = {
        .id = id,
        .segment = segment,
        .decision = -1,
        .episodes = episodes,
        .seed = (seed != 0) ? seed : rng_seed(c->study->seed, SEED_EVALUATE, (uint64_t)id)};
    TRY(results_evaluation_insert(c->results, &row));
    const Work work = {.kind = WORK_EVALUATION, .id = id, .needs = segment};
    c->undecided++;
    return coordinator__queue(c, &work);
}

/* what `evaluate:` of the study file asks for, unless an earlier run did it */
static Status add_study_evaluations(Coordinator *c) {
    const size_t top = (size_t)c->study->evaluate.top;
    int64_t     *segments = calloc(top + 1, sizeof *segments);
    size_t       found = 0;
    if (segments == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the evaluations");
    }
    Status status = report_top(c->results, top, segments, &found);
    for (size_t i = 0; i < found && status == STATUS_OK; i++) {
        Existing existing = {.segment = segments[i]};
        status = results_evaluations_visit(c->results, find_existing, &existing);
        if (status == STATUS_OK && !existing.found) {
            status = add_evaluation(c, segments[i], c->study->evaluate.episodes, 0);
        }
    }
    free(segments);
    return status;
}

Status coordinator__enter_evaluate(Coordinator *c) {
    scheduler_destroy(c->scheduler);
    c->scheduler = NULL;
    c->phase = PHASE_EVALUATE;
    c->decided_all = true;
    c->undecided = 0;
    if (c->setup->evaluate_episodes > 0) {
        const int64_t segment = (c->setup->evaluate_segment != 0) ? c->setup->evaluate_segment
                                                                  : c->best_segment;
        ResultsSegment row = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, segment, &row));
        if (row.state != SEGMENT_FINISHED) {
            FAIL(STATUS_ERR_STATE, "segment %" PRId64 " is not finished: nothing to evaluate",
                 segment);
        }
        return add_evaluation(c, segment, c->setup->evaluate_episodes, c->setup->evaluate_seed);
    }
    TRY(results_evaluations_visit(c->results, restore_evaluation, c));
    if (c->study->evaluate.episodes > 0) {
        TRY(add_study_evaluations(c));
    }
    return STATUS_OK;
}
