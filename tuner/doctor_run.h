/** @file doctor_run.h  Asking another program something, with a deadline. */
#ifndef TUNER_DOCTOR_RUN_H
#define TUNER_DOCTOR_RUN_H

#include <stddef.h>

enum { DOCTOR_NOT_FOUND = 127, DOCTOR_TOO_SLOW = 124 };

/**
 * Runs a program of the PATH without standard input and keeps the beginning of what it prints.
 * After `seconds` its whole process group is killed.
 * @param argv  ends at NULL
 * @param text  out  (size) stdout and stderr, ends at NUL
 * @return its exit status, 128 + a signal, DOCTOR_NOT_FOUND, DOCTOR_TOO_SLOW
 */
int doctor_run(const char *const *argv, double seconds, char *text, size_t size);

#endif
