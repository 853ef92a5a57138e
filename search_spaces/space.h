/** @file space.h  What may be tuned: hyperparameters, their ranges, conditions and coordinates.
 *
 * A point is an array of space_count() doubles, one per hyperparameter in declaration order: the
 * number itself (int: a whole number), 0 or 1 for bool, the index of the choice for categorical and
 * ordinal, and NaN where the hyperparameter is not active. The stored value, not a coordinate, is
 * the truth: encode and decode are for algorithms that think in the unit cube.
 *
 * A Space is built once (by hand or by space_read()), sealed, and then immutable.
 */
#ifndef SEARCH_SPACES_SPACE_H
#define SEARCH_SPACES_SPACE_H

#include "core/json.h"
#include "core/rng.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum SpaceType {
    SPACE_FLOAT,
    SPACE_INT,
    SPACE_BOOL,
    SPACE_CATEGORICAL,
    SPACE_ORDINAL,
} SpaceType;

/** One test on another hyperparameter: its value is in a list, or strictly above / below a number.
 * `above` and `below` may stand together (an open interval). */
typedef struct SpaceTest {
    size_t  parameter; /* index of the hyperparameter tested */
    double *values;    /* in-list, in the representation of a point; NULL if not a list */
    size_t  value_count;
    double  above; /* NaN if not used */
    double  below; /* NaN if not used */
} SpaceTest;

/** A condition: all of its tests hold and the tested hyperparameters are active. */
typedef struct SpaceCondition {
    SpaceTest *tests;
    size_t     test_count;
} SpaceCondition;

typedef struct SpaceParameter {
    char       *name;
    double      lower; /* float, int; else 0 */
    double      upper; /* float, int; else the last index */
    double      step;  /* float, int: grid width from `lower`; 0 = none */
    double      default_value;
    SpaceType   type;
    bool        log;
    bool        dynamic; /* may change while an agent trains */
    char      **choices; /* categorical, ordinal: texts as written in the study file */
    const bool *quoted;  /* choice i is a string even if it reads as a number, true or false;
                            NULL: none is */
    size_t         choice_count;
    SpaceCondition when; /* active where it holds; no tests = always */
} SpaceParameter;

typedef struct Space Space;

Status space_create(Space **out) MUST_USE;
void   space_destroy(Space *space);

/**
 * Adds a hyperparameter (deep copy; `when` is set later by space_add_when()).
 * @return STATUS_OK; STATUS_ERR_RANGE for reversed bounds, a log scale through 0, a step that does
 *         not fit, a default outside; STATUS_ERR_ARG for a second one of the same name, a bad name,
 *         a categorical without choices; STATUS_ERR_STATE after the seal. The text names it.
 */
Status space_add(Space *space, const SpaceParameter *parameter) MUST_USE;
/** Adds a test (copied) to the condition of `parameter`. @return STATUS_OK; STATUS_ERR_ARG for a
 * test on nothing, of both kinds or of none, or above / below on a bool or a categorical;
 * STATUS_ERR_RANGE for one that can never hold; STATUS_ERR_STATE after the seal */
Status space_add_when(Space *space, size_t parameter, const SpaceTest *test) MUST_USE;
/** Adds a condition (copied) under which a point is forbidden. */
Status space_add_forbidden(Space *space, const SpaceCondition *condition) MUST_USE;
/** Orders conditions (parents first), refuses cycles (named in the text) and default points that
 * are forbidden. The space is immutable afterwards. */
Status space_seal(Space *space) MUST_USE;

size_t                space_count(const Space *space);
const SpaceParameter *space_at(const Space *space, size_t index);
/** Index of `name`, or space_count(). */
size_t space_find(const Space *space, const char *name);
size_t space_dynamic_count(const Space *space);
/** Do its values have no order (categorical, bool)? Then they differ or not, and have no distance.
 */
bool space_is_unordered(const SpaceParameter *parameter);
/** Distinct values of hyperparameter `index`; 0 for a float without a step. */
size_t space_value_count(const Space *space, size_t index);

/** The default point: defaults where active, NaN elsewhere. */
void space_defaults(const Space *space, double *point);
/** Makes activity consistent: NaN where a condition fails, the default where it holds and the value
 * is NaN. Parents first. */
void space_activate(const Space *space, double *point);
/** True where hyperparameter `index` is active at `point` (its ancestors must be consistent). */
bool space_is_active(const Space *space, const double *point, size_t index);
/** @return STATUS_OK; STATUS_ERR_RANGE if a value is outside, off its grid, active where it may not
 * be or missing; STATUS_ERR_STATE if the point is forbidden. The text names the hyperparameter. */
Status space_check(const Space *space, const double *point) MUST_USE;

/** Coordinates in [0, 1]: log-aware; int, ordinal, categorical and grids at the centre of equal
 * cells (an int on a log scale: of the cell from log(v - 1/2) to log(v + 1/2), so that the ends
 * have whole cells too); inactive at the coordinate of the default. */
void space_encode(const Space *space, const double *point, double *unit);
/** The point at `unit` (clamped to [0, 1]; NaN is the default), made consistent by
 * space_activate(). decode(encode(p)) is p for int, grids and choices, and for floats within 4 ulp
 * of the larger bound (log: 1e-12 relative). */
void space_decode(const Space *space, const double *unit, double *point);

/** Uniform in the unit cube, forbidden points rejected. @return STATUS_ERR_STATE after 10 000
 * rejections */
Status space_sample(const Space *space, Rng *rng, double *point) MUST_USE;

/** How space_perturb() moves. Zero-initialised fields mean: no resampling, random signs. */
typedef struct SpacePerturbation {
    double step;     /* width of the move in the unit cube, 0 to 0.5; 0.2 in the PBT literature */
    double resample; /* probability that one value is drawn anew from its range, [0, 1] */
    bool   dynamic_only;      /* leave static hyperparameters as they are */
    const signed char *signs; /* +1 / -1 per *movable numeric* hyperparameter (see
                                 space_sign_count()), or NULL: a fair coin each */
} SpacePerturbation;

/** How many signs a perturbation of `point` takes: active, numeric (float, int, ordinal), movable.
 */
size_t space_sign_count(const Space *space, const double *point, bool dynamic_only);
/**
 * Moves `point` in place: floats by +-step in the unit cube, reflected at the bounds (no absorbing
 * bound; a reflection that would end within step / 4 of its start goes the other way); ints and
 * grids by at least one cell (reflected); ordinals to a neighbour; bool and categorical drawn anew
 * with probability `resample` (at least 1 / choices, so that they move at all); activity made
 * consistent; a forbidden result is drawn again, up to 1000 times (with random signs from the
 * second on), then the old point stays. Every value of the result is inside its bounds.
 *
 * @return STATUS_OK
 *         STATUS_ERR_ARG    NULL
 *         STATUS_ERR_RANGE  how->step outside [0, 0.5], how->resample outside [0, 1], or a point
 *                           that space_check() refuses (a forbidden one may be moved)
 *         STATUS_ERR_NOMEM; the point is unchanged on every error
 */
Status space_perturb(const Space *space, Rng *rng, const SpacePerturbation *how,
                     double *point) MUST_USE;

/** {"name": value, ...}, active ones only: numbers, booleans, and choices as numbers where the
 * study file wrote a number, else strings. NULL when memory is out. */
Json *space_to_json(const Space *space, const double *point);
/** Reads such an object; unknown names, wrong types and values outside are errors that name it.
 * Missing active values take the default. */
Status space_from_json(const Space *space, const Json *json, double *point) MUST_USE;
/** Reads an object of another space's values: names that this space lacks say nothing, values that
 * are not active here are dropped, missing active ones take the default. Errors as of
 * space_from_json(), also for a forbidden point. */
Status space_adopt_json(const Space *space, const Json *json, double *point) MUST_USE;
/** Text of one value for tables; "-" where inactive. */
void space_format(const Space *space, size_t index, double value, char *text, size_t size);

#endif
