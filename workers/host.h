/** @file host.h  What this host offers to trainers: its identity, memory and GPUs. */
#ifndef WORKERS_HOST_H
#define WORKERS_HOST_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_MOST_GPUS = 64, HOST_GPU_BYTES = 96 /* of a name; a MIG identifier has up to 60 */ };

/** Another folder than /dev to look for GPUs in, for tests. */
#define HOST_DEVICES_VARIABLE "MBTUNE_DEVICES"
#define HOST_GPUS_VARIABLE    "CUDA_VISIBLE_DEVICES"

/** GPUs that this process may use, named as CUDA_VISIBLE_DEVICES names them. */
typedef struct HostGpus {
    size_t count;
    char   names[HOST_MOST_GPUS][HOST_GPU_BYTES];
} HostGpus;

/** The same number for all processes under one kernel, whatever their launcher calls the host. */
uint64_t host_key(void);
/** Bytes that processes here may hold together: the machine's, or what the control groups leave.
 * @param limited  out  may be NULL  whether it is a control group that limits them */
double host_memory(bool *limited);
/** CUDA_VISIBLE_DEVICES where it is set (numbers, GPU-... and MIG-... identifiers; like CUDA it
 * ends at the first word that is none), else one per device file /dev/nvidia0, nvidia1, ... */
void host_gpus(HostGpus *out);
/** How many host_gpus() finds. */
int64_t host_gpu_count(void);
/** Appends "2,3": `count` of them from `first`, as many as there are. */
void host_gpus_write(const HostGpus *gpus, size_t first, size_t count, Buffer *out);
/** Equal for equal lists. */
uint64_t host_gpus_key(const HostGpus *gpus);

#endif
