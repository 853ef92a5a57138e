/* Values that go together: are there points of a study's space that its agent would refuse? Some
 * are tried before anything is trained; rare ones may be missed, and are refused by the trainer. */
#include "tuner/study_file_parts.h"

#include "core/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOTES_BYTES = 4096,
    CHECK_TEXT_BYTES = 400,
    CHECK_LIST_BYTES = 1 << 16,
    CHECK_VALUE_BYTES = 64,
    CHECK_SAMPLES = 256
};

/* working memory of study__check_agent() */
typedef struct AgentCheck {
    double *values; /* (option_count) */
    double *point;  /* (space_count) what is judged */
    double *other;  /* (space_count) */
} AgentCheck;

static Status judge(const Study *study, const AgentCheck *check, Buffer *notes) {
    TRY(study_agent_options(study, check->point, check->values));
    return study->agent->check(study->environment, check->values, notes);
}

/* Refuses a point whose values do not go together; `what` says which point it is. */
static Status check_point(const Node *node, const Study *study, const AgentCheck *check,
                          const char *what, Buffer *notes) {
    if (judge(study, check, notes) == STATUS_OK) {
        return STATUS_OK;
    }
    const ErrorInfo why = *status_last();
    if (why.code == STATUS_ERR_NOMEM) {
        return why.code;
    }
    return node_fail(node, "%s: %s", what, why.text);
}

/* The lines of `fresh` that are not among the notes yet, each with the point that it is of. */
static void add_notes(const char *what, const char *fresh, Buffer *notes) {
    while (*fresh != '\0') {
        const size_t length = strcspn(fresh, "\n");
        char         line[STATUS_TEXT_SIZE];
        (void)snprintf(line, sizeof line, "%.*s", (int)length, fresh);
        if (strstr(buffer_text(notes), line) == NULL) {
            buffer_printf(notes, "%s: %s\n", what, line);
        }
        fresh += length + (fresh[length] == '\n' ? 1 : 0);
    }
}

/* check_point() of one choice, whose notes join those that there are */
static Status check_choice(const Node *node, const Study *study, const AgentCheck *check,
                           const char *what, Buffer *notes) {
    Buffer fresh;
    buffer_init(&fresh, NOTES_BYTES);
    const Status status = check_point(node, study, check, what, &fresh);
    if (status == STATUS_OK) {
        add_notes(what, buffer_text(&fresh), notes);
    }
    buffer_reset(&fresh);
    return status == STATUS_OK ? buffer_status(notes) : status;
}

/* One value of a hyperparameter in the default point, where it is active and not forbidden: a
 * choice by its number, an end of an int by itself. */
static Status check_value(const Node *node, const Study *study, const AgentCheck *check,
                          size_t index, double value, Buffer *notes) {
    const SpaceParameter *parameter = space_at(study->space, index);
    char                  what[CHECK_TEXT_BYTES];

    space_defaults(study->space, check->point);
    if (isnan(check->point[index])) {
        return STATUS_OK;
    }
    check->point[index] = value;
    space_activate(study->space, check->point);
    if (space_check(study->space, check->point) != STATUS_OK) {
        status_clear(); /* forbidden */
        return STATUS_OK;
    }
    if (parameter->choice_count > 0) {
        (void)snprintf(what, sizeof what, "'%s: %s' with the other defaults and fixed values",
                       parameter->name, parameter->choices[(size_t)value]);
        return check_choice(node, study, check, what, notes);
    }
    (void)snprintf(what, sizeof what, "'%s: %g' with the other defaults and fixed values",
                   parameter->name, value);
    return check_point(node, study, check, what, NULL);
}

/* The default point, and in it each choice of a categorical hyperparameter and both ends of an int;
 * what is only remarkable is noted. */
static Status check_values(const Node *node, const Study *study, const AgentCheck *check,
                           Buffer *notes) {
    space_defaults(study->space, check->point);
    Status status = check_point(node, study, check, "the defaults and fixed values", notes);
    for (size_t i = 0; i < space_count(study->space); i++) {
        const SpaceParameter *parameter = space_at(study->space, i);
        for (size_t k = 0; k < parameter->choice_count && status == STATUS_OK; k++) {
            status = check_value(node, study, check, i, (double)k, notes);
        }
        if (parameter->type == SPACE_INT && status == STATUS_OK) {
            status = check_value(node, study, check, i, parameter->lower, notes);
            status = (status == STATUS_OK)
                         ? check_value(node, study, check, i, parameter->upper, notes)
                         : status;
        }
    }
    return status;
}

/* ---- points from all over the space ---- */

static size_t point_bytes(const Study *study) {
    return space_count(study->space) * sizeof(double);
}

/* would the agent refuse it, and nothing but the agent? */
static bool is_refused(const Study *study, const AgentCheck *check) {
    const bool refused = space_check(study->space, check->point) == STATUS_OK &&
                         judge(study, check, NULL) != STATUS_OK &&
                         status_last()->code != STATUS_ERR_NOMEM;
    status_clear();
    return refused;
}

/* Puts back to its default what may be put back: the values that do not go together are left. */
static void reduce(const Study *study, const AgentCheck *check, const double *usual) {
    for (size_t i = 0; i < space_count(study->space); i++) {
        if (isnan(check->point[i]) || isnan(usual[i])) {
            continue;
        }
        memcpy(check->other, check->point, point_bytes(study));
        check->point[i] = usual[i];
        space_activate(study->space, check->point);
        if (!is_refused(study, check)) {
            memcpy(check->point, check->other, point_bytes(study));
        }
    }
}

/* "'model_kind: deterministic' with 'ensemble_size: 1'" */
static void describe(const Study *study, const AgentCheck *check, const double *usual,
                     Buffer *what) {
    for (size_t i = 0; i < space_count(study->space); i++) {
        char value[CHECK_VALUE_BYTES];
        if (!isnan(check->point[i]) &&
            (isnan(usual[i]) || fabs(check->point[i] - usual[i]) > 0.0)) {
            space_format(study->space, i, check->point[i], value, sizeof value);
            buffer_printf(what, "%s'%s: %s'", what->length == 0 ? "" : " with ",
                          space_at(study->space, i)->name, value);
        }
    }
    buffer_printf(what, ", the other defaults and fixed values");
}

static Status refuse(const Node *node, Study *study, const AgentCheck *check) {
    double *usual = calloc(space_count(study->space) + 1, sizeof *usual);
    Buffer  what;
    if (usual == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to check the agent's values");
    }
    buffer_init(&what, CHECK_LIST_BYTES);
    space_defaults(study->space, usual);
    reduce(study, check, usual);
    describe(study, check, usual, &what);
    Status status = check_point(node, study, check, buffer_text(&what), NULL);
    if (status == STATUS_ERR_PARSE) {
        status = study__copy(status_last()->text, &study->refused);
    }
    buffer_reset(&what);
    free(usual);
    return status;
}

/* What is refused here would cost segments later. Fills study->refused. */
static Status check_samples(const Node *node, Study *study, const AgentCheck *check) {
    Rng rng = rng_stream(0, 0, RNG_CHECK);
    for (size_t i = 0; i < CHECK_SAMPLES; i++) {
        const Status status = space_sample(study->space, &rng, check->point);
        if (status == STATUS_ERR_STATE) {
            status_clear(); /* nearly everything is forbidden: the scheduler says it */
            return STATUS_OK;
        }
        TRY(status);
        if (is_refused(study, check)) {
            return refuse(node, study, check);
        }
    }
    return STATUS_OK;
}

Status study__check_agent(const Node *root, Study *study) {
    const Node      *fixed = node_get(root, "fixed");
    const Node      *node = (fixed != NULL) ? fixed : root;
    const size_t     count = space_count(study->space) + 1;
    const AgentCheck check = {
        .values = calloc(option_count(study->agent->options()) + 1, sizeof *check.values),
        .point = calloc(count, sizeof *check.point),
        .other = calloc(count, sizeof *check.other)};
    Buffer notes;
    Status status = STATUS_OK;

    buffer_init(&notes, NOTES_BYTES);
    if (check.values == NULL || check.point == NULL || check.other == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory to check the agent's values");
    } else {
        status = check_values(node, study, &check, &notes);
        status = (status == STATUS_OK) ? check_samples(node, study, &check) : status;
    }
    if (status == STATUS_OK) {
        status = study__copy(buffer_text(&notes), &study->notes);
    }
    buffer_reset(&notes);
    free(check.values);
    free(check.point);
    free(check.other);
    return status;
}
