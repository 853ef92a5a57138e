/** @file builtin.h  The dynamics models that registry.c lists; a new one adds a line here and
 * there. */
#ifndef MBRL_MODELS_BUILTIN_H
#define MBRL_MODELS_BUILTIN_H

#include "mbrl/models/dynamics_model.h"

extern const DynamicsModelOps model_ensemble_ops;
extern const DynamicsModelOps model_linear_ops;
extern const DynamicsModelOps model_gaussian_process_ops;

#endif
