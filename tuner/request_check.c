#include "tuner/request_check.h"

#include "tuner/study_view.h"

#include <inttypes.h>
#include <string.h>

Status request_check_total(Results *results, const Study *study, int64_t total) {
    int64_t used = 0;
    TRY(results_units_used(results, &used));
    if (total < used) {
        FAIL(STATUS_ERR_RANGE,
             "a total of %" PRId64 " %s%s is less than what is used already: %" PRId64
             " (mbtune stop ends a running study)",
             total, study->budget.unit, (total == 1) ? "" : "s", used);
    }
    return STATUS_OK;
}

Status request_check_trials(Results *results, int64_t trials) {
    int64_t begun = 0;
    TRY(results_trials_begun(results, &begun));
    if (trials < begun) {
        FAIL(STATUS_ERR_RANGE,
             "%" PRId64 " %s less than what has begun already: %" PRId64
             " (mbtune stop ends a running study)",
             trials, (trials == 1) ? "trial is" : "trials are", begun);
    }
    return STATUS_OK;
}

Status request_check_stop(Results *results, const Study *study, int64_t trial) {
    ResultsTrial row;
    if (results_trial_read(results, trial, &row) != STATUS_OK) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "there is no trial %" PRId64 " yet", trial);
    }
    if (row.kind != TRIAL_TUNE || study->scheduler->population) {
        FAIL(STATUS_ERR_STATE, "trial %" PRId64 " cannot be stopped alone: %s", trial,
             (row.kind != TRIAL_TUNE)
                 ? "it belongs to the confirmation"
                 : "it is a member of a population, which would be replaced at once");
    }
    return STATUS_OK;
}

Status request_check_pin(Results *results, const Study *study, int64_t segment, bool pinned) {
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(results, NULL, segment, &row));
    if (pinned && (row.state == SEGMENT_FAILED || !study->can_branch || study->manual)) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " leaves no checkpoint: %s", segment,
             (row.state == SEGMENT_FAILED) ? "it failed" : "the trainer writes none");
    }
    return STATUS_OK;
}

/* a member of the body that may be missing: `*there` says so */
static Status optional(const Json *body, const char *key, int64_t *out, bool *there) {
    *there = json_get(body, key) != NULL;
    return *there ? json_need_integer(body, key, out) : STATUS_OK;
}

static Status check_extend(Results *results, const Study *study, const Json *body) {
    int64_t number = 0;
    bool    there = false;
    TRY(optional(body, "total", &number, &there));
    if (there) {
        TRY(request_check_total(results, study, number));
    }
    TRY(optional(body, "trials", &number, &there));
    return there ? request_check_trials(results, number) : STATUS_OK;
}

static Status check_body(Results *results, const Study *study, const Json *body) {
    const char *command = NULL;
    int64_t     number = 0;
    bool        there = false;
    TRY(json_need_string(body, "command", &command));
    if (strcmp(command, "stop") == 0) {
        TRY(optional(body, "trial", &number, &there));
        return there ? request_check_stop(results, study, number) : STATUS_OK;
    }
    if (strcmp(command, "pin") == 0) {
        TRY(optional(body, "segment", &number, &there));
        return there
                   ? request_check_pin(results, study, number, !json_bool(json_get(body, "unpin")))
                   : STATUS_OK;
    }
    return check_extend(results, study, body);
}

Status request_check(const StudyFolder *folder, const Json *body) {
    Results *results = NULL;
    Study   *study = NULL;
    TRY(study_read(folder->study_file, NULL, 0, &study));
    Status status = view_open(folder->path, &results);
    if (status == STATUS_OK) {
        status = check_body(results, study, body);
        results_close(results);
    }
    study_destroy(study);
    return status;
}
