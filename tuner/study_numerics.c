/* Numerics of a study. A fixed value holds for every segment; a tuned one for those where it was
 * chosen, and whoever compares two studies or repeats one has to know that there may be some. */
#include "tuner/study_numerics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_CAP = 4096 };

/* working memory */
typedef struct Look {
    const Study *study;
    double      *point;  /* (space_count) */
    double      *values; /* (option_count) */
    Buffer       text;   /* of the point looked at last */
} Look;

/* look->text of look->point */
static Status say(Look *look) {
    buffer_clear(&look->text);
    TRY(study_agent_options(look->study, look->point, look->values));
    look->study->agent->numerics(look->values, &look->text);
    return buffer_status(&look->text);
}

/* Is the choice active beside the defaults, and allowed? Sets look->point. */
static bool move_to(Look *look, size_t index, size_t choice) {
    const Space *space = look->study->space;
    space_defaults(space, look->point);
    if (isnan(look->point[index])) {
        return false;
    }
    look->point[index] = (double)choice;
    space_activate(space, look->point);
    if (space_check(space, look->point) != STATUS_OK) {
        status_clear(); /* forbidden */
        return false;
    }
    return true;
}

/* what choice `choice` changes, once, behind out->length `start` */
static Status add_choice(Look *look, const char *defaults, size_t index, size_t choice,
                         size_t start, Buffer *out) {
    if (!move_to(look, index, choice)) {
        return STATUS_OK;
    }
    TRY(say(look));
    const char *text = buffer_text(&look->text);
    const char *other = (text[0] != '\0') ? text : defaults;
    const char *said = buffer_text(out) + start;
    if (strcmp(text, defaults) != 0 && strstr(said, other) == NULL) {
        buffer_printf(out, "%s (tuned)", other);
    }
    return buffer_status(out);
}

static Status look_everywhere(Look *look, Buffer *out) {
    const Space *space = look->study->space;
    Buffer       defaults;
    const size_t start = out->length;
    buffer_init(&defaults, TEXT_CAP);
    space_defaults(space, look->point);
    Status status = say(look);
    buffer_puts(&defaults, buffer_text(&look->text));
    for (size_t i = 0; i < space_count(space) && status == STATUS_OK; i++) {
        for (size_t k = 0; k < space_at(space, i)->choice_count && status == STATUS_OK; k++) {
            status = add_choice(look, buffer_text(&defaults), i, k, start, out);
        }
    }
    if (status == STATUS_OK && out->length == start) {
        buffer_puts(out, buffer_text(&defaults)); /* no choice changes it */
        status = buffer_status(out);
    }
    buffer_reset(&defaults);
    return status;
}

static bool has_none(const Study *study) {
    return study->agent == NULL || study->agent->numerics == NULL;
}

Status study_numerics(const Study *study, Buffer *out) {
    if (has_none(study)) {
        return STATUS_OK;
    }
    Look look = {.study = study,
                 .point = calloc(space_count(study->space) + 1, sizeof *look.point),
                 .values = calloc(option_count(study->agent->options()) + 1, sizeof *look.values)};
    buffer_init(&look.text, TEXT_CAP);
    const Status status = look.point == NULL || look.values == NULL
                              ? FAILURE(STATUS_ERR_NOMEM, "no memory to look at a study's numerics")
                              : look_everywhere(&look, out);
    buffer_reset(&look.text);
    free(look.point);
    free(look.values);
    return status;
}

Status study_numerics_agree(const Study *study, const char *machine, const char *recorded,
                            Buffer *offered, bool *agrees) {
    Buffer former;
    buffer_puts(offered, machine);
    TRY(study_numerics(study, offered));
    buffer_init(&former, TEXT_CAP);
    buffer_puts(&former, machine);
    if (!has_none(study)) {
        study->agent->numerics(study->agent_values, &former);
    }
    *agrees =
        strcmp(recorded, buffer_text(offered)) == 0 || strcmp(recorded, buffer_text(&former)) == 0;
    const Status status = buffer_status(&former);
    buffer_reset(&former);
    return status;
}
