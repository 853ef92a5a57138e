#include "core/option.h"

#include "core/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME_LIMIT = 64 };

size_t option_count(const OptionSpec *specs) {
    size_t count = 0;
    while (specs[count].name != NULL) {
        count++;
    }
    return count;
}

size_t option_find(const OptionSpec *specs, const char *name) {
    size_t index = 0;
    while (specs[index].name != NULL && strcmp(specs[index].name, name) != 0) {
        index++;
    }
    return index;
}

void option_defaults(const OptionSpec *specs, double *values) {
    for (size_t i = 0; specs[i].name != NULL; i++) {
        values[i] = specs[i].default_value;
    }
}

static size_t choice_count(const OptionSpec *spec) {
    size_t count = 0;
    while (spec->choices != NULL && spec->choices[count] != NULL) {
        count++;
    }
    return count;
}

/* "one of adam, sgd" */
static void list_choices(const OptionSpec *spec, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < choice_count(spec) && used < size; i++) {
        const int length = snprintf(text + used, size - used, "%s%s", (i == 0) ? "one of " : ", ",
                                    spec->choices[i]);
        used += (length < 0) ? 0 : (size_t)length;
    }
}

static void describe_list(const OptionSpec *spec, char *text, size_t size) {
    char lower[NUMBER_TEXT_SIZE];
    char upper[NUMBER_TEXT_SIZE];
    number_format(spec[1].lower, lower);
    number_format(spec[1].upper, upper);
    (void)snprintf(text, size, "a list of 1 to %d numbers from %s to %s, such as [1, 1]",
                   (int)spec->upper, lower, upper);
}

/* what an option takes, in words: "a whole number from 1 to 20" */
static void describe(const OptionSpec *spec, char *text, size_t size) {
    char lower[NUMBER_TEXT_SIZE];
    char upper[NUMBER_TEXT_SIZE];
    number_format(spec->lower, lower);
    number_format(spec->upper, upper);
    switch (spec->type) {
    case OPTION_FLOAT:
        (void)snprintf(text, size, "a number from %s to %s", lower, upper);
        return;
    case OPTION_INT:
        (void)snprintf(text, size, "a whole number from %s to %s", lower, upper);
        return;
    case OPTION_BOOL:
        (void)snprintf(text, size, "true or false");
        return;
    case OPTION_CHOICE:
        list_choices(spec, text, size);
        return;
    case OPTION_LIST:
        describe_list(spec, text, size);
        return;
    }
}

static bool in_range(const OptionSpec *spec, double value) {
    const bool whole = value == floor(value);
    switch (spec->type) {
    case OPTION_FLOAT:
        return value >= spec->lower && value <= spec->upper;
    case OPTION_INT:
        return whole && value >= spec->lower && value <= spec->upper;
    case OPTION_BOOL:
        return value == 0.0 || value == 1.0;
    case OPTION_CHOICE:
        return whole && value >= 0.0 && value < (double)choice_count(spec);
    case OPTION_LIST:
        return whole && value >= 0.0 && value <= spec->upper;
    }
    return false;
}

Status option_check(const OptionSpec *spec, double value) {
    if (!in_range(spec, value)) {
        char found[NUMBER_TEXT_SIZE];
        char expected[STATUS_TEXT_SIZE / 2];
        number_format(value, found);
        describe(spec, expected, sizeof expected);
        FAIL(STATUS_ERR_RANGE, "'%s' is %s; expected %s", spec->name, found, expected);
    }
    return STATUS_OK;
}

Status option_check_all(const OptionSpec *specs, const double *values) {
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(option_check(&specs[i], values[i]));
    }
    return STATUS_OK;
}

/* STATUS_ERR_PARSE with what the option takes */
static Status refuse_text(const OptionSpec *spec, const char *text) {
    char expected[STATUS_TEXT_SIZE / 2];
    describe(spec, expected, sizeof expected);
    FAIL(STATUS_ERR_PARSE, "'%s' is '%.100s'; expected %s", spec->name, text, expected);
}

/* index of `text` among the names, or `count` */
static size_t find_text(const char *text, const char *const *names, size_t count) {
    size_t index = 0;
    while (index < count && strcmp(text, names[index]) != 0) {
        index++;
    }
    return index;
}

Status option_parse(const OptionSpec *spec, const char *text, double *out) {
    static const char *const truths[] = {"false", "true"};
    double                   value = 0.0;
    size_t                   index;
    switch (spec->type) {
    case OPTION_FLOAT:
    case OPTION_INT:
        if (!number_parse(text, &value)) {
            return refuse_text(spec, text);
        }
        break;
    case OPTION_BOOL:
        index = find_text(text, truths, 2);
        if (index == 2) {
            return refuse_text(spec, text);
        }
        value = (double)index;
        break;
    case OPTION_CHOICE:
        index = find_text(text, spec->choices, choice_count(spec));
        if (index == choice_count(spec)) {
            return refuse_text(spec, text);
        }
        value = (double)index;
        break;
    case OPTION_LIST:
        return refuse_text(spec, text);
    }
    TRY(option_check(spec, value));
    *out = value;
    return STATUS_OK;
}

bool option_is_element(const OptionSpec *specs, size_t index) {
    return index > 0 && strcmp(specs[index].name, specs[index - 1].name) == 0;
}

Status option_list(const OptionSpec *spec, const double *elements, size_t count, double *out) {
    if (spec->type != OPTION_LIST || count == 0 || (double)count > spec->upper) {
        char found[NUMBER_TEXT_SIZE + 16];
        (void)snprintf(found, sizeof found, "a list of %zu", count);
        return refuse_text(spec, found);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(option_check(&spec[1 + i], elements[i]));
    }
    out[0] = (double)count;
    for (size_t i = 0; i < (size_t)spec->upper; i++) {
        out[1 + i] = (i < count) ? elements[i] : spec[1 + i].default_value;
    }
    return STATUS_OK;
}

void option_format(const OptionSpec *spec, double value, char *text, size_t size) {
    char number[NUMBER_TEXT_SIZE];
    number_format(value, number);
    const char *shown = number;
    if (spec->type == OPTION_BOOL && in_range(spec, value)) {
        shown = (value == 0.0) ? "false" : "true";
    } else if (spec->type == OPTION_CHOICE && in_range(spec, value)) {
        shown = spec->choices[(size_t)value];
    }
    (void)snprintf(text, size, "%s", shown);
}

/* edit distance with swaps of neighbours (optimal string alignment), capped at NAME_LIMIT */
static size_t edit_distance(const char *a, const char *b) {
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    if (n > NAME_LIMIT || m > NAME_LIMIT) {
        return NAME_LIMIT;
    }
    size_t rows[3][NAME_LIMIT + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        const size_t *above = rows[(i - 1) % 3];
        const size_t *second = rows[(i + 1) % 3]; /* i - 2 */
        size_t       *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = (above[j] + 1 < best) ? above[j] + 1 : best;
            best = (row[j - 1] + 1 < best) ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                second[j - 2] + 1 < best) {
                best = second[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

/* the nearer of `best` and `candidate`; near means at most a third of the letters differ */
static const char *nearer(const char *name, const char *best, const char *candidate,
                          size_t *distance) {
    const size_t found = edit_distance(name, candidate);
    const size_t letters = strlen(candidate);
    if (found < *distance && found <= (letters + 2) / 3 && found < letters) {
        *distance = found;
        return candidate;
    }
    return best;
}

const char *option_nearest(const char *name, const char *const *names, size_t count) {
    const char *best = NULL;
    size_t      distance = NAME_LIMIT;
    for (size_t i = 0; i < count; i++) {
        best = nearer(name, best, names[i], &distance);
    }
    return best;
}

Status option_unknown(const OptionSpec *specs, const char *where, const char *name) {
    const char *best = NULL;
    size_t      distance = NAME_LIMIT;
    for (size_t i = 0; specs[i].name != NULL; i++) {
        best = nearer(name, best, specs[i].name, &distance);
    }
    if (best == NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no option '%.100s' in %s", name, where);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no option '%.100s' in %s; did you mean '%s'?", name, where,
         best);
}
