/** @file plain_task.h  Environments that are a few equations: what they all do with their numbers.
 *
 * The simulated numbers x live in one flat array, which is also the snapshot. An environment says
 * how they start, move and are observed; creating, clipping, judging and copying are the same for
 * all. Its EnvironmentOps has `data` = its PlainTask, snapshot_size = its `dim`, and the
 * plain_task_*() functions in its slots.
 */
#ifndef MBRL_ENVIRONMENTS_PLAIN_TASK_H
#define MBRL_ENVIRONMENTS_PLAIN_TASK_H

#include "mbrl/environments/environment.h"

enum { PLAIN_MAX = 8 };

typedef struct PlainTask {
    size_t dim; /* simulated numbers, at most PLAIN_MAX */
    /* (dim) out: the start of an episode */
    void (*start)(Rng *rng, double *x);
    /* one control step of `dt` under an action (a) inside its bounds; x (dim) in and out */
    void (*advance)(double *x, const double *action);
    /* x (dim) in, state (s) out; NULL = x itself */
    void (*observe)(const double *x, double *state);
    /* has the task ended at x (dim)? As the environment's `terminated` says it; NULL = never */
    bool (*ended)(const double *x);
} PlainTask;

Status plain_task_create(const EnvironmentOps *task, void **self) MUST_USE;
void   plain_task_destroy(void *self);
Status plain_task_reset(void *self, Rng *rng, double *state) MUST_USE;
/** Diverged where a number of x or of the action is not finite. */
Status plain_task_step(void *self, const double *action, double *state,
                       EnvironmentStep *out) MUST_USE;
void   plain_task_save(const void *self, double *snapshot);
Status plain_task_load(void *self, const double *snapshot, double *state) MUST_USE;

/** Derivative of y (n) at y under an action: what plain_task_rk4() integrates. */
typedef void (*PlainDerivative)(const double *y, const double *action, double *derivative);
/** One classic Runge-Kutta step of h seconds; n at most PLAIN_MAX. */
void plain_task_rk4(PlainDerivative derivative, const double *action, double h, size_t n,
                    double *y);
/** Uniform in +-width. */
double plain_task_uniform(Rng *rng, double width);

#endif
