/** @file command_run.h  Commands that run processes; each prints itself and gives the exit code. */
#ifndef TUNER_COMMAND_RUN_H
#define TUNER_COMMAND_RUN_H

/** `mbtune run STUDY.yaml [--dir DIR] [--workers N] [--slots N] [--set KEY=VALUE] [--quiet]` */
int command_run(int argc, char **argv);
/** `mbtune extend DIR --set budget.total=N [--later] [--workers N]` */
int command_extend(int argc, char **argv);
/** `mbtune evaluate DIR [--segment N] [--episodes N] [--seed N]` */
int command_evaluate(int argc, char **argv);

#endif
