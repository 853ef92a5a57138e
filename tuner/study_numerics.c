#include "tuner/study_numerics.h"

#include <stdlib.h>
#include <string.h>

enum { NUMERICS_BYTES = 1024 };

/* appends what the values of a point add, unless it stands there */
static Status add_numerics_at(const Study *study, const double *point, double *values,
                              Buffer *out) {
    Buffer more;
    buffer_init(&more, NUMERICS_BYTES);
    TRY(study_agent_options(study, point, values));
    study->agent->numerics(values, &more);
    if (more.length > 0 && strstr(buffer_text(out), buffer_text(&more)) == NULL) {
        buffer_printf(out, "%s", buffer_text(&more));
    }
    const Status status = buffer_status(&more);
    buffer_reset(&more);
    return status;
}

/* the defaults, and each choice of each hyperparameter */
static Status add_numerics_everywhere(const Study *study, double *point, double *values,
                                      Buffer *out) {
    const Space *space = study->space;
    space_defaults(space, point);
    TRY(add_numerics_at(study, point, values, out));
    for (size_t i = 0; i < space_count(space); i++) {
        for (size_t k = 0; k < space_at(space, i)->choice_count; k++) {
            space_defaults(space, point);
            point[i] = (double)k;
            space_activate(space, point);
            TRY(add_numerics_at(study, point, values, out));
        }
    }
    return STATUS_OK;
}

Status study_numerics(const Study *study, Buffer *out) {
    if (study->agent == NULL || study->agent->numerics == NULL) {
        return STATUS_OK;
    }
    double      *point = calloc(space_count(study->space) + 1, sizeof *point);
    double      *values = calloc(option_count(study->agent->options()) + 1, sizeof *values);
    const Status status = (point == NULL || values == NULL)
                              ? FAILURE(STATUS_ERR_NOMEM, "no memory for a line of numerics")
                              : add_numerics_everywhere(study, point, values, out);
    free(point);
    free(values);
    return status;
}
