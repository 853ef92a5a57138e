/** @file machine_rate.h  How fast one thread of this machine computes what agents spend their time
 * in. */
#ifndef TUNER_MACHINE_RATE_H
#define TUNER_MACHINE_RATE_H

#include "core/status.h"

/** Operations per second (FLOP/s) of one thread. */
typedef struct MachineRate {
    double float32;
    double bfloat16; /* of `planning_precision: bfloat16`; 0 where the processor cannot */
} MachineRate;

/** Measures matrix products of the size of one layer of a common network, the precisions in turn,
 * for a tenth of a second of processor time each. @return STATUS_OK; STATUS_ERR_NOMEM */
Status machine_rate(MachineRate *out) MUST_USE;

#endif
