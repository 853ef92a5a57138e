/** @file commands.h  Commands that read and report; each appends its output to `out`. */
#ifndef TUNER_COMMANDS_H
#define TUNER_COMMANDS_H

#include "core/buffer.h"
#include "core/status.h"

/** `mbtune validate STUDY.yaml`: errors, or what the study would cost. */
Status command_validate(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune plan STUDY.yaml`: trains a little, estimates the rest. */
Status command_plan(int argc, char **argv, Buffer *out) MUST_USE;
Status command_gc(int argc, char **argv, Buffer *out) MUST_USE;
Status command_sbatch(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune list [schedulers|environments|agents|presets] [NAME]` */
Status command_list(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune show DIR [--segments|--trials]` */
Status command_show(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune status DIR` */
Status command_status(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune best DIR` */
Status command_best(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune export DIR --what schedule` */
Status command_export(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune simulate STUDY.yaml`: the study's scheduler in virtual time, nothing is trained. */
Status command_simulate(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune enqueue DIR values.json` */
Status command_enqueue(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune stop DIR [--trial N]` */
Status command_stop(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune pin DIR --segment N [--unpin]` */
Status command_pin(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune ask DIR [-n K] [--open]` */
Status command_ask(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune tell DIR --segment N VALUE | METRIC=VALUE ... | --failed REASON` */
Status command_tell(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune doctor [FOLDER]`: prints itself, since it stands in for a rank too. @return exit code */
int command_doctor(int argc, char **argv);
/** `mbtune fsck DIR [--repair]` */
Status command_fsck(int argc, char **argv, Buffer *out) MUST_USE;
/** `mbtune version` */
Status command_version(int argc, char **argv, Buffer *out) MUST_USE;

#endif
