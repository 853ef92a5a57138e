/** @file model_support.h  What dynamics models share: checks, scaling of inputs, scores by
 * predictions.
 *
 * i = inputs, o = outputs of the model; blocks of lanes as in lane_gemm.h.
 */
#ifndef MBRL_MODELS_MODEL_SUPPORT_H
#define MBRL_MODELS_MODEL_SUPPORT_H

#include "mbrl/models/dynamics_model.h"

/* log(2 pi): a Gaussian's log density is -(this + log variance + error^2 / variance) / 2 */
#define MODEL_LOG_TWO_PI 1.8378770664093454836

/** Fails with STATUS_ERR_SHAPE unless the dataset has these dimensions, and with STATUS_ERR_RANGE
 * where a row of rows[0..count) (NULL = rows 0..count) does not exist. `model` begins the text. */
Status model_check_rows(const char *model, const Dataset *data, size_t input_dim, size_t output_dim,
                        const uint32_t *rows, size_t count) MUST_USE;
/** Fails with STATUS_ERR_STATE where an option that is not OPTION_DYNAMIC differs. */
Status model_check_same(const char *model, const OptionSpec *rows, const double *now,
                        const double *wanted) MUST_USE;

/** `stochastic` of a model that always predicts a variance. */
bool model_always_stochastic(const void *self);

/** Mean and 1 / standard deviation of the inputs of the training rows in use, two passes in double;
 * an input that does not vary keeps 1. mean (i), inverse (i) out. */
void model_fit_scaler(const Dataset *data, float *mean, float *inverse);
/** Scales the rows x[j * stride] (n of them, i numbers) into a block (i, lanes); lanes beyond n
 * become 0. */
void model_scale_block(const float *mean, const float *inverse, size_t inputs, const float *x,
                       size_t stride, size_t n, size_t lanes, float *block);
/** block (o, lanes) -> rows (n, o) */
void model_store_rows(const float *block, size_t outputs, size_t lanes, size_t n, float *rows);

/** score() of a model with one Gaussian member, by its predict(). Scales as in DynamicsModelSetup;
 * `scratch` holds model_score_scratch() bytes. */
Status model_score_predictions(const DynamicsModelOps *ops, const void *self,
                               const double *target_scale, const Dataset *data,
                               const uint32_t *rows, size_t count, Arena *scratch,
                               ScoreReport *report) MUST_USE;
size_t model_score_scratch(size_t inputs, size_t outputs, size_t predict_scratch);

#endif
