/** @file command_request.h  What the commands to a study (enqueue, extend, stop, pin) share. */
#ifndef TUNER_COMMAND_REQUEST_H
#define TUNER_COMMAND_REQUEST_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"
#include "tuner/study_folder.h"

/** Paths of a study that was begun. @return STATUS_OK; STATUS_ERR_IO where there is none */
Status request_open(const char *path, StudyFolder *folder) MUST_USE;
/**
 * Checks a request where nobody runs the study (request_check.h), so that a mistake is told at once
 * and not to the next run.
 */
Status request_look_over(const StudyFolder *folder, const Json *body) MUST_USE;
/** After a run that should have served it: STATUS_ERR_STATE with the coordinator's sentence where
 * it refused; STATUS_OK otherwise, also where it was not served. */
Status request_outcome(const StudyFolder *folder, const char *name) MUST_USE;
/**
 * Looks the request over, puts it and appends what happened: the coordinator's answer, or that it
 * waits.
 * @return STATUS_OK; STATUS_ERR_STATE with the coordinator's sentence where it refuses;
 * STATUS_ERR_INTERRUPTED where it runs and does not answer (the request stays)
 */
Status request_deliver(const StudyFolder *folder, const Json *body, Buffer *out) MUST_USE;

#endif
