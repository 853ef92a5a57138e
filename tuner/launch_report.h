/** @file launch_report.h  What the coordinator tells its launcher: launch.c writes, launcher.c
 * reads.
 *
 * One record of fixed size, "<key> <number> <again> <host>\n" and zeros. Each replaces the one
 * before it. The file lies in the launcher's memory, where others reach it as /proc/PID/fd/N; in a
 * Slurm job, whose coordinator may be on another host, in the study's folder.
 */
#ifndef TUNER_LAUNCH_REPORT_H
#define TUNER_LAUNCH_REPORT_H

#include <stdbool.h>

enum { LAUNCH_REPORT_BYTES = 384, LAUNCH_HOST_BYTES = 256 };

#define LAUNCH_VARIABLE         "MBTUNE_LAUNCH"   /* path of the file */
#define LAUNCH_COLUMNS_VARIABLE "MBTUNE_COLUMNS"  /* of the user's terminal */
#define LAUNCH_END_VARIABLE     "MBTUNE_END_TIME" /* when the run must be over, s since 1970 */

#define LAUNCH_FILE_PREFIX "mbtune-launch-" /* in logs/ */

#define LAUNCH_KEY_STARTED "pid"    /* MPI is up; number: process id of the coordinator */
#define LAUNCH_KEY_JOINED  "joined" /* all ranks have joined; number: the same */
#define LAUNCH_KEY_EXIT    "exit"   /* number: exit status; MPI_Finalize follows */
#define LAUNCH_KEY_LEFT    "left"   /* likewise, but no MPI_Finalize: somebody has died */

bool launch__starts_with(const char *text, const char *start);

#endif
