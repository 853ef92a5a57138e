/** @file process_tree.h  All that a process started, through /proc/PID/task/TID/children.
 *
 * A process that sets PR_SET_CHILD_SUBREAPER inherits every orphan below it, so the tree under it
 * is complete whatever its descendants do (setsid, double fork). Reading it is a snapshot: callers
 * that must leave nobody repeat until there is no child left.
 */
#ifndef WORKERS_PROCESS_TREE_H
#define WORKERS_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

/** strerror() for any thread; a text that lives to the end of the block. */
#define ERRNO_TEXT(number) strerror_r((number), (char[128]){""}, 128)

/** Sends SIGKILL to every descendant of `root` (not to `root`), those of `spare` and what is below
 * them left alone. @return how many were found */
size_t process_tree_kill(pid_t root, const pid_t *spare, size_t spare_count);
/**
 * Kills and reaps all descendants of the calling process but those of `spare` and what is below
 * them. Orphans may still be on their way here when their parent has died already, so it looks
 * until nobody is left; that takes a few milliseconds, and at most `patience_s` where one cannot
 * die.
 */
void process_tree_end(const pid_t *spare, size_t spare_count, double patience_s);
/**
 * Resident bytes of all descendants of `root`. Pages that several of them share count once in
 * each while the sum is at most `enough`; above it the kernel's proportional sizes are asked for.
 */
double process_tree_resident(pid_t root, double enough);
/** False once it has ended, reaped or not. */
bool process_is_alive(pid_t pid);
/** By SIGSTOP or its like, not by a debugger. */
bool process_is_stopped(pid_t pid);
/** True if a child of `parent` has ended and was not reaped yet. */
bool process_tree_has_ended_child(pid_t parent);
/** Kills and reaps all children of the calling process until none is left. */
void process_tree_reap_all(void);

#endif
