#include "core/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DIGITS_LEAST = 15, DIGITS_EXACT = 17 };

/* a locale's decimal sign: the one character that is no digit, sign or exponent */
static void use_point(char *text) {
    for (char *c = text; *c != '\0'; c++) {
        if (strchr("0123456789+-eE", *c) == NULL) {
            *c = '.';
        }
    }
}

void number_format(double value, char text[NUMBER_TEXT_SIZE]) {
    if (!isfinite(value)) {
        const char *name = isnan(value) ? "nan" : (value > 0.0) ? "inf" : "-inf";
        (void)snprintf(text, NUMBER_TEXT_SIZE, "%s", name);
        return;
    }
    for (int digits = DIGITS_LEAST; digits <= DIGITS_EXACT; digits++) {
        (void)snprintf(text, NUMBER_TEXT_SIZE, "%.*g", digits, value);
        /* bitwise for -0, which the text keeps; == is enough for the rest */
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    use_point(text);
}

static bool parse_special(const char *text, double *out) {
    const bool  negative = text[0] == '-';
    const char *name = text + (text[0] == '-' || text[0] == '+');
    if (strcasecmp(name, "nan") == 0) {
        *out = (double)NAN;
        return true;
    }
    if (strcasecmp(name, "inf") == 0 || strcasecmp(name, "infinity") == 0) {
        *out = negative ? -HUGE_VAL : HUGE_VAL;
        return true;
    }
    return false;
}

bool number_parse(const char *text, double *out) {
    if (parse_special(text, out)) {
        return true;
    }
    /* strtod would take white space, hexadecimal and more */
    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    if (*end != '\0' || end == text || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

bool number_parse_integer(const char *text, int64_t *out) {
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (!isdigit((unsigned char)digits[0])) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (*end != '\0' || errno == ERANGE) {
        return false;
    }
    *out = value;
    return true;
}

bool number_all_finite(const double *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}
