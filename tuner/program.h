/** @file program.h  Asking another program something, with a deadline. */
#ifndef TUNER_PROGRAM_H
#define TUNER_PROGRAM_H

#include <stddef.h>

enum { PROGRAM_NOT_FOUND = 127, PROGRAM_TOO_SLOW = 124 };

/**
 * Runs a program of the PATH without standard input and keeps the beginning of what it prints.
 * After `seconds` its whole process group is killed.
 * @param argv  ends at NULL
 * @param text  out  (size) stdout and stderr, ends at NUL
 * @return its exit status, 128 + a signal, PROGRAM_NOT_FOUND, PROGRAM_TOO_SLOW
 */
int program_ask(const char *const *argv, double seconds, char *text, size_t size);

#endif
