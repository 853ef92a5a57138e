/* Budget of a decision at n = 100 rows, 64 pending, d = 12: covariance and factor 1 MFLOP, 256
 * candidates of n (n + 3 d + 40) FLOP 5 MFLOP, up to 60 rounds of 8 starts 14 MFLOP, and where
 * hyperparameters are due up to 50 steps of 2 MFLOP. Prediction: 2 to 4 ms, with a fit twice that;
 * so n is 100 unless the study says otherwise, as published, and a fit waits for a quarter more. */
#include "schedulers/improvement_internal.h"

#include "schedulers/scheduler_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_ROWS = 4,   /* fewer say nothing */
    CANDIDATES = 256, /* of the search: the space is small, and decisions are many */
    FIT_ALWAYS = 16,  /* rows up to which every new one is a reason to fit again; then a quarter */
};

/* Parker-Holder et al. (2020): the bound's width is sqrt(c1 log(c2 n)) */
#define BOUND_C1 0.2
#define BOUND_C2 0.4

/* half a trust region's side reaches at least this many cells of a discrete value */
#define CELLS_REACHED 1.01

/* what a memo holds; the hyperparameters (d + 2) follow */
typedef struct Memo {
    int64_t fitted;
} Memo;

/* ---- making one ---- */

void improvement_model_destroy(ImprovementModel *model) {
    if (model != NULL) {
        gaussian_process_destroy(model->gp);
        arena_reset(&model->arena);
        free(model->dimensions);
        encoding_reset(&model->encoding);
        free(model->broken);
        free(model->x);
        free(model);
    }
}

static size_t memo_size(const ImprovementModel *model) {
    return sizeof(Memo) + (model->d + 2) * sizeof(double);
}

/* time and fitness are continuous, always there, and come first */
static Status describe(ImprovementModel *model) {
    TRY(encoding_init(&model->encoding, model->study->space));
    memcpy(model->dimensions + IMPROVEMENT_CONTEXT, model->encoding.dimensions,
           model->v * sizeof *model->dimensions);
    return STATUS_OK;
}

static Status allocate(ImprovementModel *model) {
    const size_t w = model->window;
    const size_t d = model->d;
    const size_t v = model->v;
    struct {
        double **view;
        size_t   count;
    } const views[] = {
        {&model->x, (w + IMPROVEMENT_PENDING) * d},
        {&model->y, w},
        {&model->target, w},
        {&model->sorted, w},
        {&model->query, w * d},
        {&model->mean, w},
        {&model->lower, d},
        {&model->upper, d},
        {&model->middle, d},
        {&model->unit, v},
        {&model->point, v},
        {&model->parameters, d + 2},
    };
    size_t count = 0;
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        count += views[k].count;
    }
    double *memory = calloc(count, sizeof *memory);
    model->x = memory;
    model->broken = calloc(w, sizeof *model->broken);
    model->dimensions = calloc(d, sizeof *model->dimensions);
    if (memory == NULL || model->broken == NULL || model->dimensions == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a model of %zu improvements", w);
    }
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        *views[k].view = memory;
        memory += views[k].count;
    }
    return STATUS_OK;
}

static Status make_process(ImprovementModel *model) {
    const GaussianProcessSetup setup = {.dimensions = model->dimensions,
                                        .d = model->d,
                                        .capacity = model->window,
                                        .pending = IMPROVEMENT_PENDING};
    TRY(gaussian_process_create(&setup, &model->gp));
    const AcquisitionSearch search = {
        .gp = model->gp, .dimensions = model->dimensions, .d = model->d, .candidates = CANDIDATES};
    return arena_init(&model->arena, acquisition_search_scratch(&search));
}

Status improvement_model_create(const ImprovementSetup *setup, ImprovementModel **out) {
    *out = NULL;
    ImprovementModel *model = calloc(1, sizeof *model);
    if (model == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a model of improvements");
    }
    model->study = setup->study;
    model->window = setup->window;
    model->scores = setup->scores;
    model->v = space_count(setup->study->space);
    model->d = model->v + IMPROVEMENT_CONTEXT;
    if (memo_size(model) > SCHEDULER_MEMO_BYTES) {
        free(model);
        FAIL(STATUS_ERR_ARG, "a model of %zu hyperparameters does not fit into a memo of %d bytes",
             space_count(setup->study->space), SCHEDULER_MEMO_BYTES);
    }
    Status status = allocate(model);
    if (status == STATUS_OK) {
        status = describe(model);
    }
    if (status == STATUS_OK) {
        status = make_process(model);
    }
    if (status != STATUS_OK) {
        improvement_model_destroy(model);
        return status;
    }
    *out = model;
    return STATUS_OK;
}

/* ---- memos ---- */

static bool brings_memo(const Event *event) {
    return event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN &&
           event->decision->memo_size > 0;
}

Status improvement_model_check(const ImprovementModel *model, const Event *event) {
    double first[1];
    if (!brings_memo(event)) {
        return STATUS_OK;
    }
    if (event->decision->memo_size != memo_size(model)) {
        FAIL(STATUS_ERR_STATE, "a memo of %zu bytes, expected %zu", event->decision->memo_size,
             memo_size(model));
    }
    const unsigned char *bytes = event->decision->memo;
    for (size_t i = 0; i < model->d + 2; i++) {
        memcpy(first, bytes + sizeof(Memo) + i * sizeof(double), sizeof(double));
        if (!isfinite(first[0])) {
            FAIL(STATUS_ERR_STATE, "a memo with a hyperparameter that is no finite number");
        }
    }
    return STATUS_OK;
}

void improvement_model_observe(ImprovementModel *model, const Event *event) {
    if (brings_memo(event)) {
        const unsigned char *bytes = event->decision->memo;
        Memo                 memo;
        memcpy(&memo, bytes, sizeof memo);
        model->fitted = memo.fitted;
        memcpy(model->parameters, bytes + sizeof memo, (model->d + 2) * sizeof(double));
    }
}

static void write_memo(const ImprovementModel *model, Decision *decision) {
    const Memo     memo = {.fitted = model->newest};
    unsigned char *bytes = decision->memo;
    memcpy(bytes, &memo, sizeof memo);
    memcpy(bytes + sizeof memo, gaussian_process_parameters(model->gp),
           (model->d + 2) * sizeof(double));
    decision->memo_size = memo_size(model);
}

/* ---- the posterior ---- */

static bool fit_due(const ImprovementModel *model) {
    const size_t more = (model->rows <= FIT_ALWAYS) ? 1 : model->rows / 4;
    return model->fitted == 0 || model->newest - model->fitted >= (int64_t)more;
}

/* what the last fit found is where the next begins; parameters out of bounds are those of no fit */
static Status learn(const ImprovementModel *model, bool *fitted) {
    GaussianProcess *gp = model->gp;
    gaussian_process_clear(gp);
    for (size_t i = 0; i < model->rows; i++) {
        TRY(gaussian_process_add(gp, model->x + i * model->d, model->target[i]));
    }
    *fitted = fit_due(model);
    if (model->fitted > 0) {
        TRY(gaussian_process_restore(gp, model->parameters, *fitted ? 0 : model->rows));
    }
    if (*fitted) {
        TRY(gaussian_process_fit(gp));
    }
    TRY(gaussian_process_update(gp));
    for (size_t i = 0; i < model->pending; i++) {
        TRY(gaussian_process_assume(gp, model->x + (model->rows + i) * model->d));
    }
    return STATUS_OK;
}

/* ---- what may be chosen ---- */

typedef struct Choice {
    const ImprovementModel *model;
    const double           *parent; /* (v) static values */
    const TrustRegion      *region; /* NULL: none */
    size_t                  first;  /* categorical dimension that may differ first */
} Choice;

/* values of coordinates (d); static ones are the parent's; false: forbidden */
static bool to_point(const Choice *choice, const double *x, double *point) {
    const ImprovementModel *model = choice->model;
    const Space            *space = model->study->space;
    space_decode(space, x + IMPROVEMENT_CONTEXT, point);
    for (size_t i = 0; i < model->v; i++) {
        if (!space_at(space, i)->dynamic && !isnan(choice->parent[i])) {
            point[i] = choice->parent[i];
        }
    }
    space_activate(space, point);
    if (space_check(space, point) != STATUS_OK) {
        status_clear();
        return false;
    }
    return true;
}

/* beyond the radius, categorical values are those in the middle */
static void hold_categorical(const Choice *choice, double *x) {
    const ImprovementModel *model = choice->model;
    size_t                  categorical = 0;
    size_t                  apart = 0;
    for (size_t j = IMPROVEMENT_CONTEXT; j < model->d; j++) {
        categorical += model->dimensions[j].categorical;
    }
    const size_t radius = trust_region_radius(choice->region, categorical);
    for (size_t k = 0; k < model->v; k++) {
        const size_t             j = IMPROVEMENT_CONTEXT + (choice->first + k) % model->v;
        const OptimizeDimension *dimension = &model->dimensions[j];
        const double             middle = model->middle[j];
        if (!dimension->categorical || isnan(middle) || isnan(x[j]) ||
            optimize_choice(dimension, middle) == optimize_choice(dimension, x[j])) {
            continue;
        }
        x[j] = (++apart > radius) ? middle : x[j];
    }
}

static bool settle(void *context, double *x) {
    const Choice           *choice = context;
    const ImprovementModel *model = choice->model;
    if (choice->region != NULL) {
        hold_categorical(choice, x);
    }
    if (!to_point(choice, x, model->point)) {
        return false;
    }
    encoding_from_point(&model->encoding, model->point, x + IMPROVEMENT_CONTEXT);
    return true;
}

/* the known values that promise most where and when the member stands; false: there are none */
static bool find_middle(Choice *choice, const double *context) {
    const ImprovementModel  *model = choice->model;
    const TrustRegion *const region = choice->region;
    size_t                   n = 0;
    choice->region = NULL; /* for now, everything may be chosen */
    for (size_t i = 0; i < model->rows; i++) {
        double *x = model->query + n * model->d;
        memcpy(x, model->x + i * model->d, model->d * sizeof *x);
        memcpy(x, context, IMPROVEMENT_CONTEXT * sizeof *x);
        n += settle(choice, x) ? 1 : 0;
    }
    choice->region = region;
    gaussian_process_predict(model->gp, model->query, n,
                             (GaussianProcessPrediction){.mean = model->mean});
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = (model->mean[i] < model->mean[best]) ? i : best;
    }
    if (n > 0) {
        memcpy(model->middle, model->query + best * model->d, model->d * sizeof *model->middle);
    }
    return n > 0;
}

static void bound_dynamic(const Choice *choice, size_t j) {
    const ImprovementModel  *model = choice->model;
    const OptimizeDimension *dimension = &model->dimensions[j];
    const double             middle = model->middle[j];
    model->lower[j] = 0.0;
    model->upper[j] = 1.0;
    if (choice->region == NULL || dimension->categorical || isnan(middle)) {
        return;
    }
    const size_t cells = space_value_count(model->study->space, j - IMPROVEMENT_CONTEXT);
    const double cell = (cells > 0) ? CELLS_REACHED / (double)cells : 0.0;
    const double reach = fmax(0.5 * choice->region->length, cell);
    model->lower[j] = fmax(0.0, middle - reach);
    model->upper[j] = fmin(1.0, middle + reach);
}

static void bound(const Choice *choice, const double *context) {
    const ImprovementModel *model = choice->model;
    const Space            *space = model->study->space;
    space_encode(space, choice->parent, model->unit);
    for (size_t j = 0; j < model->d; j++) {
        if (j < IMPROVEMENT_CONTEXT) {
            model->lower[j] = context[j];
            model->upper[j] = context[j];
        } else if (space_at(space, j - IMPROVEMENT_CONTEXT)->dynamic) {
            bound_dynamic(choice, j);
        } else {
            model->lower[j] = model->unit[j - IMPROVEMENT_CONTEXT];
            model->upper[j] = model->lower[j];
        }
    }
}

/* ---- the choice ---- */

static double bound_width(const ImprovementQuery *query, size_t rows) {
    return (query->confidence > 0.0) ? query->confidence
                                     : sqrt(BOUND_C1 * log(fmax(BOUND_C2 * (double)rows, 1.1)));
}

static Status choose(const ImprovementModel *model, const ImprovementQuery *query, Choice *choice,
                     const double *context, Arena *arena, double *x) {
    const bool              within = query->region != NULL && find_middle(choice, context);
    const AcquisitionSearch search = {.gp = model->gp,
                                      .dimensions = model->dimensions,
                                      .d = model->d,
                                      .settle = settle,
                                      .context = choice,
                                      .lower = model->lower,
                                      .upper = model->upper,
                                      .confidence = bound_width(query, model->rows),
                                      .candidates = CANDIDATES};
    Rng                     rng = scheduler_rng(model->study, query->number, LANE_EXPLORE);
    choice->region = within ? query->region : NULL;
    bound(choice, context);
    return acquisition_search_run(&search, &rng, x, NULL, arena);
}

/* How much of what is known of the improvements is theirs and not noise's: the variance of the
 * smoothed ones, and what is unknown of them. Where that is little, the best known values are
 * nobody's best, and what the donor has proved would be given up for nothing: so values are chosen
 * with this probability, and otherwise moved as in population based training. 1 where noise is
 * smaller than what a segment brings. */
static double share_known(const ImprovementModel *model) {
    double mean = 0.0;
    double squares = 0.0;
    double n = 0.0;
    for (size_t i = 0; i < model->rows; i++) {
        if (isfinite(model->y[i])) {
            n += 1.0;
            const double off = model->y[i] - mean;
            mean += off / n;
            squares += off * (model->y[i] - mean);
        }
    }
    return model->noisy ? squares / (squares + model->unknown) : 1.0;
}

static Status propose(ImprovementModel *model, const ImprovementQuery *query, const double *context,
                      Decision *decision, bool *fitted, bool *proposed) {
    double *x = model->query;
    Choice  choice = {.model = model,
                      .parent = decision->point,
                      .region = query->region,
                      .first = (size_t)query->number % model->v};
    Rng     rng = scheduler_rng(model->study, query->number, LANE_TRUST);
    TRY(learn(model, fitted));
    *proposed = rng_uniform(&rng) < share_known(model);
    if (!*proposed) {
        return STATUS_OK;
    }
    TRY(choose(model, query, &choice, context, &model->arena, x));
    if (!to_point(&choice, x, model->point)) {
        FAIL(STATUS_ERR_STATE, "what was chosen is forbidden");
    }
    memcpy(decision->point, model->point, model->v * sizeof *decision->point);
    return STATUS_OK;
}

Status improvement_model_propose(ImprovementModel *model, const Population *population,
                                 const ImprovementQuery *query, Decision *decision,
                                 bool *proposed) {
    const SegmentNode *parent = segment_tree_at(&population->tree, decision->parent);
    double             context[IMPROVEMENT_CONTEXT];
    bool               fitted = false;
    *proposed = false;
    if (space_dynamic_count(model->study->space) == 0) {
        return STATUS_OK;
    }
    improvement__gather(model, population, parent, context);
    if (model->rows < LEAST_ROWS) {
        return STATUS_OK;
    }
    const Status status = propose(model, query, context, decision, &fitted, proposed);
    if (status == STATUS_ERR_NOMEM) {
        return status;
    }
    if (status != STATUS_OK) {
        status_clear(); /* a step of population based training takes its place */
        *proposed = false;
        return STATUS_OK;
    }
    if (fitted) {
        write_memo(model, decision);
    }
    (void)snprintf(decision->note, sizeof decision->note, "model of %zu improvements", model->rows);
    return STATUS_OK;
}
