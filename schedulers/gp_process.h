/** @file gp_process.h  A Gaussian process whose decisions can be made again from the log.
 *
 * Hyperparameters are fitted while a configuration is proposed, and a proposal need not be
 * accepted. So there are two sets: the process' own, which proposing changes at will, and the
 * committed ones, those of the last proposal that began. Every proposal starts from the committed
 * ones, and what it fitted travels in its memo. Telling and beginning cost O(d).
 */
#ifndef SCHEDULERS_GP_PROCESS_H
#define SCHEDULERS_GP_PROCESS_H

#include "core/optimize/gaussian_process.h"

typedef struct GpProcess {
    GaussianProcess *gp;
    double          *parameters; /* (gaussian_process_parameter_count()) committed */
    size_t           fitted;     /* committed: rows that they were fitted on */
} GpProcess;

/** @return STATUS_OK; STATUS_ERR_NOMEM, STATUS_ERR_ARG (nothing to reset) */
Status gp_process_init(GpProcess *process, const GaussianProcessSetup *setup) MUST_USE;
/** Harmless on a zeroed one. */
void gp_process_reset(GpProcess *process);

/** Makes room for `more` rows. @return STATUS_OK; STATUS_ERR_NOMEM (nothing is changed) */
Status gp_process_reserve(GpProcess *process, size_t more) MUST_USE;
/** Adds a row: x (d) an encoded point, y finite. Cannot fail for these where room was made. */
void gp_process_add(GpProcess *process, const double *x, double y);
/**
 * Makes the posterior that the next proposal asks, with a fit where one is due.
 * @return STATUS_OK; STATUS_ERR_NUMERIC; STATUS_ERR_NOMEM from the fit
 */
Status gp_process_prepare(GpProcess *process) MUST_USE;

/** Numbers of a memo. */
size_t gp_process_memo_count(const GpProcess *process);
/** Writes what the process has now. */
void gp_process_memo_write(const GpProcess *process, double *memo);
/** Gives the process what a memo says. @return STATUS_OK; STATUS_ERR_RANGE if it cannot be one;
 * the committed hyperparameters are left alone */
Status gp_process_memo_restore(GpProcess *process, const double *memo) MUST_USE;
/** Commits what the process has now. */
void gp_process_commit(GpProcess *process);

#endif
