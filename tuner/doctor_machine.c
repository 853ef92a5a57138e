/* Processor, memory, limits, scheduler of the cluster, environments. */
#include "tuner/doctor.h"

#include "core/blas_core.h"
#include "core/buffer.h"
#include "core/file.h"
#include "core/number.h"
#include "mbrl/environments/environment.h"
#include "tuner/launch.h"
#include "tuner/machine_rate.h"
#include "tuner/program.h"
#include "workers/host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FILE_BYTES = 1 << 16, OPEN_FILES = 1024, PROCESSES = 1000, RUN_SECONDS = 10 };

#define GIB  1073741824.0
#define GIGA 1e9

/* first whole number in a small file of the system; `missing` where there is none ("max") */
static int64_t number_in(const char *path, int64_t missing) {
    Buffer  text;
    int64_t number = missing;

    buffer_init(&text, FILE_BYTES);
    if (file_read(path, &text) == STATUS_OK) {
        char *first = text.data;
        first[strcspn(first, " \n")] = '\0';
        if (!number_parse_integer(first, &number)) {
            number = missing;
        }
    }
    buffer_reset(&text);
    return number;
}

/* cores that the control group lets all processes use together; 0: no limit known */
static double group_cores(void) {
    long long quota = 0;
    long long period = 0;
    FILE     *file = fopen("/sys/fs/cgroup/cpu.max", "re"); /* "200000 100000" or "max 100000" */

    if (file != NULL) {
        const int found = fscanf(file, "%lld %lld", &quota, &period); /* NOLINT(cert-err34-c) */
        (void)fclose(file);
        return (found == 2 && quota > 0 && period > 0) ? (double)quota / (double)period : 0.0;
    }
    quota = number_in("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", -1);
    period = number_in("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 0);
    return (quota > 0 && period > 0) ? (double)quota / (double)period : 0.0;
}

static void doctor_cores(Diagnosis *diagnosis) {
    const size_t cores = launch_cores();
    const long   online = sysconf(_SC_NPROCESSORS_ONLN);
    const double group = group_cores();

    if (group > 0.0 && group < (double)cores) {
        doctor_add(diagnosis, "cores", FINDING_WARNING,
                   "Give --workers by hand, no more than the control group allows.",
                   "%zu cores may be used, but the control group has processor time for %.1f",
                   cores, group);
        return;
    }
    doctor_add(diagnosis, "cores", FINDING_GOOD, NULL,
               "%zu of %ld cores may be used: that many workers by default", cores, online);
}

static void doctor_blas(Diagnosis *diagnosis) {
    static const char *const sets[] = {"neither AVX2 nor AVX-512", "AVX2", "AVX-512"};
    const BlasLevel          level = blas_core_level();
    const char *asked = getenv("OPENBLAS_CORETYPE"); /* NOLINT(concurrency-mt-unsafe) */
    Buffer      text;

    buffer_init(&text, DOCTOR_TEXT);
    blas_core_describe(&text);
    const char *better = (asked != NULL && *asked != '\0') ? blas_core_better(asked, level) : NULL;
    if (better != NULL) {
        char advice[DOCTOR_TEXT];
        (void)snprintf(advice, sizeof advice,
                       "Unset OPENBLAS_CORETYPE, or set it to %s: mbtune chooses by itself.",
                       better);
        doctor_add(diagnosis, "blas", FINDING_WARNING, advice,
                   "OPENBLAS_CORETYPE=%s asks for older kernels than this processor has (%s)",
                   asked, sets[level]);
    } else {
        doctor_add(diagnosis, "blas", FINDING_GOOD, NULL, "%s; the processor has %s",
                   buffer_text(&text), sets[level]);
    }
    if (level == BLAS_LEVEL_PLAIN) {
        doctor_add(diagnosis, "processor", FINDING_WARNING,
                   "Plan with few candidates, or use a machine with AVX2.",
                   "no AVX2: planning runs portable code, several times slower");
    }
    buffer_reset(&text);
}

static void doctor_rates(Diagnosis *diagnosis) {
    MachineRate rate;
    if (machine_rate(&rate) != STATUS_OK) {
        doctor_add(diagnosis, "planning", FINDING_WARNING, NULL, "%s", status_last()->text);
    } else if (rate.bfloat16 <= 0.0) {
        doctor_add(diagnosis, "planning", FINDING_GOOD, NULL,
                   "%.0f GFLOP/s in float32; no bfloat16 (AVX512_BF16)", rate.float32 / GIGA);
    } else {
        doctor_add(diagnosis, "planning", FINDING_GOOD, NULL,
                   "%.0f GFLOP/s in float32, %.0f in bfloat16%s", rate.float32 / GIGA,
                   rate.bfloat16 / GIGA,
                   (rate.bfloat16 < rate.float32)
                       ? ": 'planning_precision: bfloat16' is the slower one here"
                       : "");
    }
}

static void doctor_gpus(Diagnosis *diagnosis) {
    const char *visible = getenv(HOST_GPUS_VARIABLE); /* NOLINT(concurrency-mt-unsafe) */
    const char *source = (visible != NULL) ? "CUDA_VISIBLE_DEVICES" : "/dev/nvidia0, nvidia1, ...";
    HostGpus    gpus;
    Buffer      names;

    host_gpus(&gpus);
    if (gpus.count == 0) {
        doctor_add(diagnosis, "gpus", FINDING_NOTE, NULL,
                   "none by %s: no study with resources.gpus runs here", source);
        return;
    }
    buffer_init(&names, DOCTOR_TEXT / 2);
    host_gpus_write(&gpus, 0, gpus.count, &names);
    doctor_add(diagnosis, "gpus", FINDING_GOOD, NULL, "%zu by %s: %s", gpus.count, source,
               buffer_text(&names));
    buffer_reset(&names);
}

void doctor_processor(Diagnosis *diagnosis) {
    doctor_cores(diagnosis);
    doctor_gpus(diagnosis);
    doctor_blas(diagnosis);
    doctor_rates(diagnosis);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void doctor_memory(Diagnosis *diagnosis) {
    bool         limited = false;
    const double memory = host_memory(&limited);
    const double share = memory / (double)launch_cores();

    if (share < 0.5 * GIB) {
        doctor_add(diagnosis, "memory", FINDING_WARNING,
                   "Use fewer workers, and say `resources: {memory: ...}` in the study file.",
                   "%.1f GiB for %zu cores%s: %.2f GiB per trainer", memory / GIB, launch_cores(),
                   limited ? " (control group)" : "", share / GIB);
        return;
    }
    doctor_add(diagnosis, "memory", FINDING_GOOD, NULL, "%.1f GiB%s, %.1f per core", memory / GIB,
               limited ? " (control group)" : "", share / GIB);
}

/* MPICH's ranks on one host talk through shared memory */
static void doctor_shared_memory(Diagnosis *diagnosis) {
    struct statvfs shm;
    if (statvfs("/dev/shm", &shm) != 0) {
        doctor_add(diagnosis, "shared memory", FINDING_PROBLEM,
                   "Mount a tmpfs on /dev/shm (containers: --shm-size=1g).",
                   "/dev/shm is missing: ranks on one host talk through it");
        return;
    }
    const double free_bytes = (double)shm.f_bavail * (double)shm.f_frsize;
    const double needed = 16e6 * (double)(launch_cores() + 1);
    if (free_bytes < needed) {
        doctor_add(diagnosis, "shared memory", FINDING_WARNING,
                   "Make /dev/shm larger (containers: --shm-size=1g) or use fewer workers.",
                   "%.0f MB free in /dev/shm, about %.0f MB needed for a rank per core",
                   free_bytes / 1e6, needed / 1e6);
        return;
    }
    doctor_add(diagnosis, "shared memory", FINDING_GOOD, NULL, "%.0f MB free in /dev/shm",
               free_bytes / 1e6);
}

static void doctor_limit(Diagnosis *diagnosis, const char *topic, int which, double least,
                         const char *advice) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)which, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur != RLIM_INFINITY && (double)limit.rlim_cur < least) {
        doctor_add(diagnosis, topic, FINDING_WARNING, advice, "limited to %.0f, %.0f may be needed",
                   (double)limit.rlim_cur, least);
    } else if (limit.rlim_cur == RLIM_INFINITY) {
        doctor_add(diagnosis, topic, FINDING_GOOD, NULL, "no limit");
    } else {
        doctor_add(diagnosis, topic, FINDING_GOOD, NULL, "%.0f at most", (double)limit.rlim_cur);
    }
}

void doctor_limits(Diagnosis *diagnosis) {
    doctor_memory(diagnosis);
    doctor_shared_memory(diagnosis);
    doctor_limit(diagnosis, "open files", RLIMIT_NOFILE, OPEN_FILES,
                 "Raise it in the shell that starts mbtune: ulimit -n 4096.");
    doctor_limit(diagnosis, "processes", RLIMIT_NPROC, PROCESSES + 4.0 * (double)launch_cores(),
                 "Raise it in the shell that starts mbtune: ulimit -u.");
}

/* ---- Slurm ---------------------------------------------------------------------------------- */

void doctor_slurm(Diagnosis *diagnosis) {
    static const char *const list[] = {"srun", "--mpi=list", NULL};
    char                     text[FILE_BYTES];
    const char              *job = getenv("SLURM_JOB_ID"); /* NOLINT(concurrency-mt-unsafe) */
    const int                rc = program_ask(list, RUN_SECONDS, text, sizeof text);

    if (rc == PROGRAM_NOT_FOUND) {
        doctor_add(diagnosis, "slurm", FINDING_NOTE, NULL,
                   "there is no srun: studies run on this machine, or on several under mpiexec "
                   "(docs/commands.md, On several hosts without Slurm)");
    } else if (rc != 0) {
        doctor_add(diagnosis, "slurm", FINDING_WARNING,
                   "Ask the cluster's administrators, or try srun on a login node.",
                   "srun --mpi=list fails with status %d", rc);
    } else if (strstr(text, "pmi2") == NULL) {
        doctor_add(diagnosis, "slurm", FINDING_PROBLEM,
                   "Ask for the plugin mpi/pmi2 of Slurm, or run on one node under mpiexec.",
                   "srun has no pmi2, which MPICH's ranks need to find each other");
    } else {
        doctor_add(diagnosis, "slurm", FINDING_GOOD, NULL, "srun with pmi2%s%s",
                   (job == NULL) ? "" : "; inside job ", (job == NULL) ? "" : job);
    }
}

/* ---- environments --------------------------------------------------------------------------- */

void doctor_environments(Diagnosis *diagnosis) {
    const char *const *missing = environment_unavailable();

    if (missing[0] == NULL) {
        doctor_add(diagnosis, "environments", FINDING_GOOD, NULL, "all are there, MuJoCo included");
    }
    for (size_t i = 0; missing[i] != NULL; i++) {
        doctor_add(diagnosis, "environments", FINDING_NOTE,
                   (i > 0) ? NULL
                           : "Install MuJoCo (libmujoco-dev, or by CMAKE_PREFIX_PATH) and build "
                             "again.",
                   "%s", missing[i]);
    }
}
