/** @file space_internal.h  What the files of this folder share about a Space; nobody else includes
 * it.
 *
 * Checks say which key of a definition they stumbled over, so that the reader of study files can
 * point at it.
 */
#ifndef SEARCH_SPACES_SPACE_INTERNAL_H
#define SEARCH_SPACES_SPACE_INTERNAL_H

#include "core/number.h"
#include "search_spaces/space.h"

/* Whole numbers up to here keep their cell in the unit cube to the last one, on log scales too. */
#define SPACE_LARGEST_INT 1e12

enum {
    SPACE_NAME_LENGTH = 64 /* longest name, without NUL */
};

struct Space {
    SpaceParameter *parameters;
    size_t          count;
    size_t          capacity;
    SpaceCondition *forbidden;
    size_t          forbidden_count;
    size_t         *order; /* (count) parents first; NULL before the seal */
    bool            sealed;
};

static inline bool space__has_choices(SpaceType type) {
    return type == SPACE_CATEGORICAL || type == SPACE_ORDINAL;
}

static inline bool space__is_number(SpaceType type) {
    return type == SPACE_FLOAT || type == SPACE_INT;
}

/* What a choice is once it leaves the space: a string, or what the study file wrote unquoted. */
typedef enum SpaceChoiceKind { CHOICE_STRING, CHOICE_NUMBER, CHOICE_BOOL } SpaceChoiceKind;

/** Kind of choice `index`. @param number out  its value if it is a number or a bool */
SpaceChoiceKind space__choice_kind(const SpaceParameter *parameter, size_t index, double *number);

/** A number for a message: space__show(0.1).text is "0.1" and lives to the end of the statement. */
typedef struct SpaceNumber {
    char text[NUMBER_TEXT_SIZE];
} SpaceNumber;

SpaceNumber space__show(double value);

/** Number of distinct values of a discrete hyperparameter; 0 for a float without a step. */
double space__cells(const SpaceParameter *parameter);
/** Value of cell `index`, 0 to space__cells() - 1; the last one is `upper` exactly. */
double space__cell_value(const SpaceParameter *parameter, double index);
/** Cell nearest to `value`. */
double space__cell_index(const SpaceParameter *parameter, double value);
/** Coordinate of a value that is inside, and the value at a coordinate. */
double space__to_unit(const SpaceParameter *parameter, double value);
double space__from_unit(const SpaceParameter *parameter, double unit);

/** Checks one value; the text names hyperparameter, value and range. @return STATUS_ERR_RANGE */
Status space__check_value(const SpaceParameter *parameter, double value) MUST_USE;
/** `value` moved to the nearest cell where the hyperparameter has cells. */
double space__snap(const SpaceParameter *parameter, double value);
/** Everything that space_add() refuses about a definition. @param key out  the key at fault */
Status space__check_definition(const SpaceParameter *parameter, const char **key) MUST_USE;
/** Everything that is refused about one test of a condition. */
Status space__check_test(const Space *space, const SpaceTest *test) MUST_USE;

bool   space__condition_holds(const SpaceCondition *condition, const double *point);
Status space__condition_push(SpaceCondition *condition, const SpaceTest *test) MUST_USE;
void   space__condition_reset(SpaceCondition *condition);
/** Fills `order` parents first. @param culprit out  a member of the cycle if there is one */
Status space__order(const Space *space, size_t *order, size_t *culprit) MUST_USE;
/** Index of a forbidden condition that holds at `point`, or space->forbidden_count. */
size_t space__forbidden_at(const Space *space, const double *point);
/** space_seal() that tells where: hyperparameter of a cycle, or forbidden condition (the others are
 * SIZE_MAX). */
Status space__seal(Space *space, size_t *cycle, size_t *forbidden) MUST_USE;

#endif
