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
 * Puts the request and appends what happened: the coordinator's answer, or that it waits.
 * @return STATUS_OK; STATUS_ERR_STATE with the coordinator's sentence where it refuses;
 * STATUS_ERR_INTERRUPTED where it runs and does not answer (the request stays)
 */
Status request_deliver(const StudyFolder *folder, const Json *body, Buffer *out) MUST_USE;

#endif
