/** @file ensemble_internal.h  The ensemble's state, shared by its files only.
 *
 * ensemble.c          options, making, changing, predicting; cost; the table
 * ensemble_fit.c      training of one member after another; early stopping; rebuilding
 * ensemble_score.c    likelihoods; which members plan
 * ensemble_state.c    memory, save and load
 */
#ifndef MBRL_MODELS_ENSEMBLE_INTERNAL_H
#define MBRL_MODELS_ENSEMBLE_INTERNAL_H

#include "core/arena.h"
#include "mbrl/models/dynamics_model.h"
#include "mbrl/models/network.h"
#include "mbrl/models/network_bf16.h"

enum {
    ENSEMBLE_LEARNING_RATE,
    ENSEMBLE_WEIGHT_DECAY,
    ENSEMBLE_TRAIN_EPOCHS,
    ENSEMBLE_BATCH_SIZE,
    ENSEMBLE_SIZE,
    ENSEMBLE_HIDDEN_LAYERS,
    ENSEMBLE_HIDDEN_WIDTH,
    ENSEMBLE_ACTIVATION,
    ENSEMBLE_LOGVAR_BOUNDS,
    ENSEMBLE_BOOTSTRAP,
    ENSEMBLE_KIND,
    ENSEMBLE_OPTIMIZER,
    ENSEMBLE_MOMENTUM,
    ENSEMBLE_DECAY_PROFILE,
    ENSEMBLE_PATIENCE,
    ENSEMBLE_SHARED_ORDER,
    ENSEMBLE_ELITES,
    ENSEMBLE_PLANNING_PRECISION,
    ENSEMBLE_DECAY_LAYERS, /* a list: this row and one for each layer behind it */
    ENSEMBLE_DECAY_FIRST,
    ENSEMBLE_OPTION_COUNT = ENSEMBLE_DECAY_FIRST + NETWORK_MAX_LAYERS
};

enum { ENSEMBLE_BOUNDS_LEARNED = 0, ENSEMBLE_DECAY_UNIFORM = 0, ENSEMBLE_MAX_MEMBERS = 64 };
/* values of planning_precision */
enum { ENSEMBLE_FLOAT32 = 0, ENSEMBLE_BFLOAT16 = 1 };

/** All learned numbers are one block: per member its network (network.h). What the optimizer
 * remembers lies in two blocks of the same layout. */
typedef struct Ensemble {
    double       values[ENSEMBLE_OPTION_COUNT];
    NetworkShape shape;
    size_t       members; /* that are trained */
    float       *memory;  /* owns the floats below */
    float       *block;   /* (members, shape.floats) */
    float       *first;
    float       *second;
    float       *scaler_mean;    /* (i) */
    float       *scaler_inverse; /* (i) 1 / sd */
    float       *gradient;       /* (shape.floats) */
    float       *best;           /* (shape.floats) best weights of a fit */
    float       *decay;          /* (largest stride) */
    uint32_t    *packed; /* (members, network_bf16_words()) what plans in bfloat16; else NULL */
    int64_t      steps[ENSEMBLE_MAX_MEMBERS]; /* of the optimizer */
    double      *target_scale;                /* (o) owns the doubles below */
    double      *member_nll; /* (members) of the judging rows after the last fit; NaN where it had
                                no need to compare members */
    double  *residual;       /* (members, o) a deterministic member's residual variance there */
    double  *squares;        /* (o) scratch */
    uint64_t generation;     /* ModelView.generation */
    size_t   used;           /* members that plan: plans[0..used), ascending */
    size_t   plans[ENSEMBLE_MAX_MEMBERS];
    Arena    scratch; /* of fit() and score() */
    size_t  *order;   /* rows of the member in training */
    size_t   order_capacity;
} Ensemble;

/* ensemble.c */
/* penalty of layer l's weights as a multiple of model_weight_decay */
double ensemble__decay_ratio(const Ensemble *e, size_t l);

/* ensemble_fit.c */
/** model_ensemble_ops.fit */
Status ensemble__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                     FitReport *report);
/** model_ensemble_ops.rebuild */
Status ensemble__rebuild(void *self, const RebuildTask *task, FitReport *report);
/** FLOP of `rows` rows through forward and backward pass plus `steps` optimizer steps, one member.
 */
double ensemble__train_flop(const NetworkShape *shape, OptimizerKind optimizer, double rows,
                            double steps);

/* ensemble_score.c */
/** model_ensemble_ops.score */
Status ensemble__score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                       ScoreReport *report);
/** NLL of one member on rows, per scored dimension. A deterministic member's residual variance is
 * that of these rows and is stored. Uses e->scratch; STATUS_ERR_NOMEM does not happen where
 * ensemble__score_need() bytes are left. */
Status ensemble__judge(Ensemble *e, const Dataset *data, const uint32_t *rows, size_t count,
                       size_t member, double *nll) MUST_USE;
/** Bytes of e->scratch that ensemble__score() and ensemble__judge() need. */
size_t ensemble__score_need(const Ensemble *e);
/** Chooses e->plans by e->member_nll and the option; ties go to the lower number, NaN comes last.
 */
void ensemble__choose(Ensemble *e);
/** Judges all members (as ensemble__judge()) and chooses. */
Status ensemble__compare(Ensemble *e, const Dataset *data, const uint32_t *rows, size_t count,
                         double *flop) MUST_USE;
/** model_ensemble_ops.unranked, .rank */
bool   ensemble__is_unranked(const void *self);
Status ensemble__rank(void *self, const Dataset *data, double *flop);
/** Whether the option leaves members out. */
bool ensemble__has_elites(const Ensemble *e);
/** Fails with STATUS_ERR_SHAPE unless the dataset has the model's dimensions. */
Status ensemble__check_data(const Ensemble *e, const Dataset *data) MUST_USE;

/* ensemble_state.c */
/** Memory for e->shape and e->members; what was made is freed by ensemble__free(). */
Status ensemble__allocate(Ensemble *e) MUST_USE;
void   ensemble__free(Ensemble *e);
/** Brings e->packed and the generation up to date; due after every change of e->block or of the
 * scaler. */
void ensemble__pack(Ensemble *e);
/** Another generation: what plans has changed. */
void   ensemble__renew(Ensemble *e);
Status ensemble__save(const void *self, Buffer *out);
Status ensemble__load(void *self, const void *bytes, size_t length);
size_t ensemble__saved_bytes(const NetworkShape *shape, size_t members);

#endif
