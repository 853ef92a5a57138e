/** @file ensemble_internal.h  The probabilistic ensemble's state, shared by its files only. */
#ifndef MBRL_MODELS_ENSEMBLE_INTERNAL_H
#define MBRL_MODELS_ENSEMBLE_INTERNAL_H

#include "core/arena.h"
#include "mbrl/models/dynamics_model.h"
#include "mbrl/models/network.h"

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
    ENSEMBLE_OPTION_COUNT
};

enum { ENSEMBLE_BOUNDS_LEARNED = 0, ENSEMBLE_MAX_MEMBERS = 64 };

/** All learned numbers are one block: per member its network (network.h). Adam's moments lie in two
 * blocks of the same layout. */
typedef struct Ensemble {
    double       values[ENSEMBLE_OPTION_COUNT];
    NetworkShape shape;
    size_t       members;
    float       *memory; /* owns everything below */
    float       *block;  /* (members, shape.floats) */
    float       *first;
    float       *second;
    float       *scaler_mean;                 /* (i) */
    float       *scaler_inverse;              /* (i) 1 / sd */
    float       *gradient;                    /* (shape.floats) */
    float       *decay;                       /* (largest stride) */
    int64_t      steps[ENSEMBLE_MAX_MEMBERS]; /* of Adam */
    double      *target_scale;                /* (o) */
    Arena        scratch;                     /* of fit() and score() */
    size_t      *order;                       /* rows of the member in training */
    size_t       order_capacity;
} Ensemble;

/** model_ensemble_ops.fit */
Status ensemble__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                     FitReport *report);
/** model_ensemble_ops.score */
Status ensemble__score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                       ScoreReport *report);
/** Fails with STATUS_ERR_SHAPE unless the dataset has the model's dimensions. */
Status ensemble__check_data(const Ensemble *e, const Dataset *data) MUST_USE;
/** Scales the rows x[j * stride] (n of them) into a block of lanes; lanes beyond n become 0. */
void ensemble__scale(const Ensemble *e, const float *x, size_t stride, size_t n, size_t lanes,
                     float *block);
/** FLOP of `rows` rows through forward and backward pass plus `steps` optimizer steps, one member.
 */
double ensemble__train_flop(const NetworkShape *shape, double rows, double steps);

#endif
