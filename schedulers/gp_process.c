#include "schedulers/gp_process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

Status gp_process_init(GpProcess *process, const GaussianProcessSetup *setup) {
    *process = (GpProcess){.gp = NULL};
    TRY(gaussian_process_create(setup, &process->gp));
    const size_t count = gaussian_process_parameter_count(process->gp);
    process->parameters = calloc(count, sizeof *process->parameters);
    if (process->parameters == NULL) {
        gp_process_reset(process);
        FAIL(STATUS_ERR_NOMEM, "no memory for a Gaussian process");
    }
    gp_process_commit(process);
    return STATUS_OK;
}

void gp_process_reset(GpProcess *process) {
    gaussian_process_destroy(process->gp);
    free(process->parameters);
    *process = (GpProcess){.gp = NULL};
}

Status gp_process_reserve(GpProcess *process, size_t more) {
    return gaussian_process_reserve(process->gp, gaussian_process_count(process->gp) + more);
}

void gp_process_add(GpProcess *process, const double *x, double y) {
    const size_t before = gaussian_process_count(process->gp);
    if (gaussian_process_add(process->gp, x, y) != STATUS_OK) {
        status_clear(); /* only for what is no encoded point or not finite */
    }
    if (gaussian_process_count(process->gp) < before) {
        process->fitted = 0; /* rows were dropped */
    }
}

/* the same numbers leave the factor as it is */
static Status restore(GpProcess *process, const double *parameters, size_t fitted) {
    const void  *now = gaussian_process_parameters(process->gp);
    const void  *wanted = parameters;
    const size_t size = gaussian_process_parameter_count(process->gp) * sizeof *parameters;
    if (memcmp(now, wanted, size) == 0 && gaussian_process_fitted(process->gp) == fitted) {
        return STATUS_OK;
    }
    return gaussian_process_restore(process->gp, parameters, fitted);
}

Status gp_process_prepare(GpProcess *process) {
    TRY(restore(process, process->parameters, process->fitted));
    if (gaussian_process_fit_due(process->gp)) {
        TRY(gaussian_process_fit(process->gp));
    }
    return gaussian_process_update(process->gp);
}

size_t gp_process_memo_count(const GpProcess *process) {
    return gaussian_process_parameter_count(process->gp) + 1;
}

void gp_process_memo_write(const GpProcess *process, double *memo) {
    memo[0] = (double)gaussian_process_fitted(process->gp);
    memcpy(memo + 1, gaussian_process_parameters(process->gp),
           gaussian_process_parameter_count(process->gp) * sizeof *memo);
}

Status gp_process_memo_restore(GpProcess *process, const double *memo) {
    const double rows = (double)gaussian_process_count(process->gp);
    if (!(memo[0] >= 0.0)) {
        FAIL(STATUS_ERR_RANGE, "the memo of a decision is damaged");
    }
    /* more rows than there are: some were dropped after the proposal, so all is to be fitted anew
     */
    return restore(process, memo + 1, (memo[0] <= rows) ? (size_t)memo[0] : 0);
}

void gp_process_commit(GpProcess *process) {
    memcpy(process->parameters, gaussian_process_parameters(process->gp),
           gaussian_process_parameter_count(process->gp) * sizeof *process->parameters);
    process->fitted = gaussian_process_fitted(process->gp);
}
