/** @file number.h  Numbers as text and back, exactly and whatever the locale says. */
#ifndef CORE_NUMBER_H
#define CORE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT_SIZE = 32 }; /* bytes that hold any number and its NUL */

/**
 * Writes the shortest of 15, 16 and 17 significant digits that reads back exactly; "nan", "inf" and
 * "-inf" for what is not finite. A whole number has no point: 3, not 3.0.
 */
void number_format(double value, char text[NUMBER_TEXT_SIZE]);
/**
 * Reads a number that fills the whole text: optional sign, decimal digits with point or exponent,
 * or nan, inf, infinity in any case. No white space, no hexadecimal.
 * @param out  out  the value; left alone on failure
 * @return false if the text is anything else or the number is too large for a double
 */
bool number_parse(const char *text, double *out);
/** Reads a decimal integer that fills the whole text; false if it is none or does not fit. */
bool number_parse_integer(const char *text, int64_t *out);
/** No NaN and no infinity among n numbers. */
bool number_all_finite(const double *values, size_t n);

#endif
