/** @file launch_report.h  What the coordinator tells its launcher: launch.c writes, launcher.c
 * reads.
 *
 * One record of fixed size, "<key> <number>\n" and zeros, in a file in the launcher's memory that
 * others reach as /proc/PID/fd/N. Each record replaces the one before it.
 */
#ifndef TUNER_LAUNCH_REPORT_H
#define TUNER_LAUNCH_REPORT_H

enum { LAUNCH_REPORT_BYTES = 64 };

#define LAUNCH_VARIABLE         "MBTUNE_LAUNCH"  /* path of the file */
#define LAUNCH_COLUMNS_VARIABLE "MBTUNE_COLUMNS" /* of the user's terminal */

#define LAUNCH_KEY_STARTED "pid"    /* MPI is up; number: process id of the coordinator */
#define LAUNCH_KEY_JOINED  "joined" /* all ranks have joined; number: the same */
#define LAUNCH_KEY_EXIT    "exit"   /* number: exit status; MPI_Finalize follows */
#define LAUNCH_KEY_LEFT    "left"   /* likewise, but no MPI_Finalize: somebody has died */

#endif
