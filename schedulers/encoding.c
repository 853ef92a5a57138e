#include "schedulers/encoding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_listed_levels(const Space *space, size_t j) {
    const size_t values = space_value_count(space, j);
    return space_at(space, j)->log && values > 1 && values <= ENCODING_MOST_LISTED;
}

/* coordinates of all values of a log int, through the space's own encoding */
static void list_levels(const Encoding *e, size_t j, double *x, double *levels) {
    const double lower = space_at(e->space, j)->lower;
    space_defaults(e->space, e->point);
    for (size_t i = 0; i < space_value_count(e->space, j); i++) {
        e->point[j] = lower + (double)i;
        space_encode(e->space, e->point, x);
        levels[i] = x[j];
    }
}

static void describe(Encoding *e, size_t j, const double *levels) {
    const SpaceParameter *p = space_at(e->space, j);
    const size_t          values = space_value_count(e->space, j);
    const bool            categorical = space_is_unordered(p);
    const bool            even = values > 0 && (!p->log || values == 1);
    e->dimensions[j] = (OptimizeDimension){
        .categorical = categorical,
        .conditional = p->when.test_count > 0,
        .choices = (even || levels != NULL) ? values : 0,
        .levels = levels,
    };
    e->densities[j] = (TpeDimension){
        .kind = !even ? TPE_CONTINUOUS : (categorical ? TPE_CATEGORICAL : TPE_ORDERED),
        .values = even ? values : 0,
    };
}

static Status allocate(Encoding *e, size_t listed) {
    e->dimensions = calloc(e->d + 1, sizeof *e->dimensions);
    e->densities = calloc(e->d + 1, sizeof *e->densities);
    e->point = calloc(e->d + 1, sizeof *e->point);
    e->levels = calloc(listed + e->d + 1, sizeof *e->levels);
    if (e->dimensions == NULL || e->densities == NULL || e->point == NULL || e->levels == NULL) {
        encoding_reset(e);
        FAIL(STATUS_ERR_NOMEM, "no memory for the coordinates of a space");
    }
    return STATUS_OK;
}

Status encoding_init(Encoding *encoding, const Space *space) {
    size_t listed = 0;
    *encoding = (Encoding){.space = space, .d = space_count(space)};
    for (size_t j = 0; j < encoding->d; j++) {
        listed += has_listed_levels(space, j) ? space_value_count(space, j) : 0;
    }
    TRY(allocate(encoding, listed));
    double *levels = encoding->levels;
    double *scratch = encoding->levels + listed;
    for (size_t j = 0; j < encoding->d; j++) {
        if (has_listed_levels(space, j)) {
            list_levels(encoding, j, scratch, levels);
            describe(encoding, j, levels);
            levels += space_value_count(space, j);
        } else {
            describe(encoding, j, NULL);
        }
    }
    return STATUS_OK;
}

void encoding_reset(Encoding *encoding) {
    free(encoding->dimensions);
    free(encoding->densities);
    free(encoding->point);
    free(encoding->levels);
    *encoding = (Encoding){.space = NULL};
}

void encoding_from_point(const Encoding *encoding, const double *point, double *x) {
    space_encode(encoding->space, point, x);
    for (size_t j = 0; j < encoding->d; j++) {
        x[j] = isnan(point[j]) ? (double)NAN : x[j];
    }
}

void encoding_to_point(const Encoding *encoding, const double *x, double *point) {
    space_decode(encoding->space, x, point);
}

bool encoding_settle(void *context, double *x) {
    const Encoding *e = context;
    encoding_to_point(e, x, e->point);
    encoding_from_point(e, e->point, x);
    const bool allowed = space_check(e->space, e->point) == STATUS_OK;
    if (!allowed) {
        status_clear();
    }
    return allowed;
}
