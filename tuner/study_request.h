/** @file study_request.h  Commands to a study: files in its requests/ that its coordinator applies.
 *
 * `NAME.json` is written under a temporary name and renamed, so it is there whole or not at all.
 * The coordinator looks every quarter of a second, applies it in one transaction together with a
 * row that says so (applied once, also if it is killed afterwards), writes `NAME.answer` and
 * removes the request. Without a running coordinator the file waits for the next run.
 */
#ifndef TUNER_STUDY_REQUEST_H
#define TUNER_STUDY_REQUEST_H

#include "core/json.h"
#include "core/status.h"
#include "tuner/study_folder.h"

#include <stdbool.h>
#include <stddef.h>

enum { STUDY_REQUEST_NAME_BYTES = 64, STUDY_REQUEST_BYTES = 4 << 20 };

/** Puts a request into the folder. @param name  out  its name, later ones sort behind earlier ones
 */
Status study_request_put(const StudyFolder *folder, const Json *body,
                         char name[STUDY_REQUEST_NAME_BYTES]) MUST_USE;
/** When a request of that name was put, s since 1970. */
double study_request_time(const char *name);
/** The first request after `after` ("" = from the start) in order of name; *found false if there is
 * none. */
Status study_request_next(const StudyFolder *folder, const char *after,
                          char name[STUDY_REQUEST_NAME_BYTES], bool *found) MUST_USE;
/** Appends the text of a request. @return STATUS_ERR_IO if it is gone */
Status study_request_read(const StudyFolder *folder, const char *name, Buffer *out) MUST_USE;
/** Coordinator: the answer, then the request goes. */
Status study_request_answer(const StudyFolder *folder, const char *name,
                            const char *answer) MUST_USE;
/** Takes a request back (its answer too); one that is gone is fine. */
Status study_request_remove(const StudyFolder *folder, const char *name) MUST_USE;
/** Answers that nobody fetched within `age` seconds go. */
Status study_request_tidy(const StudyFolder *folder, double age) MUST_USE;

/** How waiting for an answer ended. */
typedef enum StudyAnswer {
    STUDY_ANSWER_CAME,    /* *answer is set; its file is gone */
    STUDY_ANSWER_ENDED,   /* the study stopped running before it looked */
    STUDY_ANSWER_AWAITED, /* it runs, and has not looked within the time given */
} StudyAnswer;
/**
 * Waits for the answer to a request, at most `seconds`.
 * @param answer  out  new value for STUDY_ANSWER_CAME, else NULL
 */
Status study_request_await(const StudyFolder *folder, const char *name, double seconds,
                           Json **answer, StudyAnswer *how) MUST_USE;

#endif
