/** @file request_check.h  Whether what a user asks of a study makes sense: asked by the command
 * before it hands a request to a study that is not running, and by the coordinator that serves it.
 * Reads only. */
#ifndef TUNER_REQUEST_CHECK_H
#define TUNER_REQUEST_CHECK_H

#include "core/json.h"
#include "results/results.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

/** @return STATUS_OK; STATUS_ERR_RANGE where more units than `total` are used already */
Status request_check_total(Results *results, const Study *study, int64_t total) MUST_USE;
/** @return STATUS_OK; STATUS_ERR_RANGE where more than `trials` have begun already */
Status request_check_trials(Results *results, int64_t trials) MUST_USE;
/** @return STATUS_OK; STATUS_ERR_UNKNOWN_NAME (no such trial); STATUS_ERR_STATE (not one alone) */
Status request_check_stop(Results *results, const Study *study, int64_t trial) MUST_USE;
/** @return STATUS_OK; STATUS_ERR_UNKNOWN_NAME (no such segment); STATUS_ERR_STATE (it leaves
 * nothing that could be kept) */
Status request_check_pin(Results *results, const Study *study, int64_t segment,
                         bool pinned) MUST_USE;
/** Those of a request's body that apply to it, on the study in a folder that nobody runs. */
Status request_check(const StudyFolder *folder, const Json *body) MUST_USE;

#endif
