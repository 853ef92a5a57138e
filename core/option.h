/** @file option.h  Options declared as rows: parsing, range errors, `mbtune list` and the docs all
 * come from them.
 *
 * A set of options is an array of OptionSpec that ends at .name == NULL; its values are an array of
 * double in the same order: the number itself, 0 or 1 for bool, the index for a choice. An option
 * whose default is derived from others has default NaN, and its help says from what.
 *
 * A list takes several rows: its own, whose value is the number of elements given (0 to `upper`,
 * default 0), and behind it, under the same name, `upper` rows of OPTION_FLOAT for the elements
 * (those not given are at their default). So the rest of the house sees numbers only; whoever goes
 * through names leaves out what option_is_element() says.
 */
#ifndef CORE_OPTION_H
#define CORE_OPTION_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/** When a value may change: never once an agent trains; while it trains; or while it trains, but
 * only where a study file says `dynamic: true`, because each change builds a part of the agent
 * anew.
 */
typedef enum OptionChange { OPTION_STATIC, OPTION_DYNAMIC, OPTION_REBUILDS } OptionChange;

typedef enum OptionType {
    OPTION_FLOAT,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_CHOICE,
    OPTION_LIST
} OptionType;

typedef struct OptionSpec {
    const char        *name; /* key in study files; never changes once published */
    OptionType         type;
    double             lower; /* float and int: smallest allowed value */
    double             upper; /* float and int: largest allowed value; list: most elements */
    double             default_value;
    OptionChange       dynamic; /* may change while an agent trains */
    const char *const *choices; /* choice: names, ends at NULL */
    const char        *help;    /* one line with the unit */
    const char        *source;  /* paper or reference implementation of the default, or NULL */
} OptionSpec;

size_t option_count(const OptionSpec *specs);
/** Index of `name`, or option_count() if there is none. */
size_t option_find(const OptionSpec *specs, const char *name);
/** Writes the defaults. */
void option_defaults(const OptionSpec *specs, double *values);
/**
 * Checks one number against its row (type, range, a whole number for int).
 * @return STATUS_OK; STATUS_ERR_RANGE with name, value and allowed range in the text
 */
Status option_check(const OptionSpec *spec, double value) MUST_USE;
/** Checks the number of every row; as option_check() of the first that is refused. */
Status option_check_all(const OptionSpec *specs, const double *values) MUST_USE;
/**
 * Parses text ("0.5", "true", "relative") for one option.
 * @param out  out  the value; left alone on failure
 * @return STATUS_OK; STATUS_ERR_PARSE, STATUS_ERR_RANGE with what was found and what is expected
 */
Status option_parse(const OptionSpec *spec, const char *text, double *out) MUST_USE;
/** Is row `index` an element of a list? */
bool option_is_element(const OptionSpec *specs, size_t index);
/**
 * Gives a list its elements.
 * @param spec    in   the list's row; its elements follow
 * @param out     out  (1 + spec->upper) values of these rows; left alone on failure
 * @return STATUS_OK; STATUS_ERR_PARSE for no list or a wrong number of elements, STATUS_ERR_RANGE
 */
Status option_list(const OptionSpec *spec, const double *elements, size_t count,
                   double *out) MUST_USE;
/** Text of a value ("0.001", "true", "adam"); what option_parse() reads back exactly. */
void option_format(const OptionSpec *spec, double value, char *text, size_t size);
/** Fails with STATUS_ERR_UNKNOWN_NAME: "no option 'x' in <where>; did you mean 'y'?" */
Status option_unknown(const OptionSpec *specs, const char *where, const char *name) MUST_USE;
/** Of `count` names the one nearest to `name` by edit distance, or NULL if none is near. */
const char *option_nearest(const char *name, const char *const *names, size_t count);

#endif
