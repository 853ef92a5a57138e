#include "mbrl/environments/plain_task.h"

#include "core/number.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Plain {
    const EnvironmentOps *task;
    double                x[PLAIN_MAX];
} Plain;

static const PlainTask *facts(const Plain *plain) {
    return plain->task->data;
}

static void observe(const Plain *plain, double *state) {
    if (facts(plain)->observe != NULL) {
        facts(plain)->observe(plain->x, state);
    } else {
        memcpy(state, plain->x, plain->task->state_dim * sizeof *state);
    }
}

Status plain_task_create(const EnvironmentOps *task, void **self) {
    *self = NULL;
    Plain *plain = calloc(1, sizeof *plain);
    if (plain == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the %s environment", task->name);
    }
    plain->task = task;
    assert(facts(plain)->dim <= PLAIN_MAX && facts(plain)->dim == task->snapshot_size);
    *self = plain;
    return STATUS_OK;
}

void plain_task_destroy(void *self) {
    free(self);
}

Status plain_task_reset(void *self, Rng *rng, double *state) {
    Plain *plain = self;
    facts(plain)->start(rng, plain->x);
    observe(plain, state);
    return STATUS_OK;
}

Status plain_task_step(void *self, const double *action, double *state, EnvironmentStep *out) {
    Plain                *plain = self;
    const EnvironmentOps *task = plain->task;
    double                before[ENV_MAX_STATE];
    double                clipped[ENV_MAX_ACTION];

    observe(plain, before);
    for (size_t i = 0; i < task->action_dim; i++) {
        clipped[i] = fmin(fmax(action[i], task->action_low[i]), task->action_high[i]);
    }
    facts(plain)->advance(plain->x, clipped);
    observe(plain, state);
    out->diverged = !number_all_finite(plain->x, facts(plain)->dim) ||
                    !number_all_finite(action, task->action_dim);
    out->terminated =
        !out->diverged && facts(plain)->ended != NULL && facts(plain)->ended(plain->x);
    out->reward = out->diverged ? 0.0 : task->reward(task, before, clipped, state);
    return STATUS_OK;
}

void plain_task_save(const void *self, double *snapshot) {
    const Plain *plain = self;
    memcpy(snapshot, plain->x, facts(plain)->dim * sizeof *snapshot);
}

Status plain_task_load(void *self, const double *snapshot, double *state) {
    Plain *plain = self;
    memcpy(plain->x, snapshot, facts(plain)->dim * sizeof *snapshot);
    observe(plain, state);
    return STATUS_OK;
}

/* y + h k */
static void along(const double *y, double h, const double *k, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = y[i] + h * k[i];
    }
}

void plain_task_rk4(PlainDerivative derivative, const double *action, double h, size_t n,
                    double *y) {
    double k1[PLAIN_MAX];
    double k2[PLAIN_MAX];
    double k3[PLAIN_MAX];
    double k4[PLAIN_MAX];
    double at[PLAIN_MAX];

    derivative(y, action, k1);
    along(y, 0.5 * h, k1, n, at);
    derivative(at, action, k2);
    along(y, 0.5 * h, k2, n, at);
    derivative(at, action, k3);
    along(y, h, k3, n, at);
    derivative(at, action, k4);
    for (size_t i = 0; i < n; i++) {
        y[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
    }
}

double plain_task_uniform(Rng *rng, double width) {
    return width * (2.0 * rng_uniform(rng) - 1.0);
}
