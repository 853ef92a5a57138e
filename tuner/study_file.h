/** @file study_file.h  The study file: everything that a user decides about a study, checked once.
 *
 * study.yaml is parsed with positions, overrides of the command line (`--set scheduler.eta=3`) are
 * put into its text, and the result is read key by key: an unknown key, a missing one, a value of
 * the wrong type or outside its range is one sentence with file, line, column, what was found and
 * what was expected. The text with the overrides is what a study folder freezes; study_to_json() is
 * the same with every default filled in, and what later runs are compared with.
 */
#ifndef TUNER_STUDY_FILE_H
#define TUNER_STUDY_FILE_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/reduce.h"
#include "core/status.h"
#include "mbrl/agents/agent.h"
#include "mbrl/environments/environment.h"
#include "results/results.h"
#include "schedulers/scheduler.h"
#include "search_spaces/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STUDY_NAME_BYTES = 64,     /* longest name, NUL included */
    STUDY_HASH_BYTES = 17,     /* 16 hex digits, NUL included */
    STUDY_TEXT_BYTES = 4 << 20 /* largest study file */
};

typedef struct StudyObjective {
    char      *metric;
    bool       maximize;
    bool       timing; /* the agent declares the metric as depending on the clock */
    ReduceKind reduce;
    int64_t    window; /* values, >= 1; mean_last only, 1 otherwise */
} StudyObjective;

/** A bound on a metric; the value that is compared is the newest one of the segment. */
typedef struct StudyConstraint {
    char  *metric;
    double lower; /* -INFINITY if none */
    double upper; /* INFINITY if none */
    bool   timing;
} StudyConstraint;

/** When tuning ends before its budget does; units 0 = never. */
typedef struct StudyStop {
    int64_t units; /* budget units that may pass without an improvement of the first objective */
    double  by;    /* what counts as one: more than this, in the objective's units, >= 0 */
} StudyStop;

typedef struct StudyBudget {
    char   *unit;       /* "episode", "env_step" or the trainer's own word */
    int64_t per_trial;  /* units from a root to the deepest leaf, >= segment */
    int64_t segment;    /* units of one segment, >= 1 */
    int64_t total;      /* units that may be consumed */
    int64_t trials;     /* samplers: configurations; 0 where a population decides */
    double  wall_clock; /* s; 0 = no limit */
} StudyBudget;

/** Training of the best schedules and the defaults from scratch; seeds 0 = none. */
typedef struct StudyConfirm {
    int64_t top;       /* schedules */
    int64_t seeds;     /* fresh seeds of each arm */
    int64_t per_trial; /* units; <= the budget's */
    int64_t seed;      /* what the fresh seeds are drawn from; default: the study's seed */
} StudyConfirm;

/** Evaluation of the best agents at the end; episodes 0 = none. */
typedef struct StudyEvaluate {
    int64_t top;
    int64_t episodes;
} StudyEvaluate;

enum { STUDY_MOST_GPUS = 64 };

typedef struct StudyResources {
    int64_t cores;   /* per trainer, >= 1 */
    int64_t gpus;    /* of each trainer alone, 0 to STUDY_MOST_GPUS */
    int64_t threads; /* that a trainer plans with, 1 to `cores` */
    double  memory;  /* bytes of one trainer's process group; 0 = no limit */
} StudyResources;

typedef struct StudyLimits {
    double  start_seconds;     /* until a trainer's hello; default 60 */
    double  silence_seconds;   /* without a line of a working trainer; default 300 */
    double  segment_seconds;   /* of one segment; 0 = none (default) */
    double  heartbeat_seconds; /* of workers; default 5 */
    int64_t retries;           /* after crashes that are not the trial's own; default 2 */
    double  checkpoint_bytes;  /* quota of checkpoints/; 0 = none; default 20 GiB */
} StudyLimits;

/** A study as its file says. Owned by study_destroy(); immutable after study_read(). */
typedef struct Study {
    char *name;
    char *path;                   /* absolute, of the file it was read from */
    char *text;                   /* effective YAML: the file with the overrides in it */
    char  hash[STUDY_HASH_BYTES]; /* of `text` */
    /* trainer: exactly one of agent, command and manual */
    bool                  manual;           /* a person trains: mbtune ask, mbtune tell */
    const AgentOps       *agent;            /* NULL for an external trainer */
    const EnvironmentOps *environment;      /* NULL for an external trainer */
    char                 *environment_name; /* "" if the study has none */
    Json *environment_definition; /* of an environment that is built from one (mjcf), which the
                                     study then owns; else NULL */
    char              **command;  /* external: argv as written; ends at NULL; NULL if built in */
    size_t              command_count;
    char               *folder;     /* external: where relative words of `command` are looked up */
    bool                can_branch; /* the trainer writes checkpoints; true for built-in agents */
    bool                can_evaluate;  /* it evaluates agents; false where a person trains */
    bool                evaluate_said; /* the file says so itself (trainer.evaluate) */
    StudyObjective      objectives[SCHEDULER_MAX_OBJECTIVES];
    size_t              objective_count;
    StudyConstraint     constraints[SCHEDULER_MAX_CONSTRAINTS];
    size_t              constraint_count;
    char               *cost;        /* metric whose sum a segment costs, or NULL */
    bool                cost_timing; /* it depends on the clock */
    StudyStop           stop;
    char              **warm_start; /* folders of earlier studies, as written; or NULL */
    size_t              warm_start_count;
    char              **metrics; /* further metrics that the trainer is asked for, or NULL */
    size_t              metric_count;
    StudyBudget         budget;
    int64_t             repeats;
    bool                baseline;
    bool                allow_diverged; /* `best` may be one with diverged episodes */
    const SchedulerOps *scheduler;
    double             *scheduler_values; /* (option_count of its rows) */
    SchedulerOrder      order;
    StudyConfirm        confirm;
    StudyEvaluate       evaluate;
    StudyResources      resources;
    StudyLimits         limits;
    int64_t             workers; /* 0 = one per core of the affinity mask */
    uint64_t            seed;    /* below 2^53 */
    char               *preset;  /* name, or NULL */
    Space              *space;
    Json               *forbid; /* as written, or NULL */
    Json               *fixed;  /* object: the preset's fixed values, then the file's; never NULL */
    double *agent_values; /* built in: agent defaults <- fixed; NULL for an external trainer */
    char *
        notes; /* built in: values that are accepted but not what they seem, a line each; or NULL */
    char *refused; /* built in: a point of the space that its agent refuses, of some that were
                    * tried, in a sentence; or NULL */
    char *irreproducible; /* why results may differ from run to run; "" = reproducible */
} Study;

/** One `--set key.path=value`; `value` is YAML. */
typedef struct StudyOverride {
    const char *path;
    const char *value;
} StudyOverride;

/** Splits "scheduler.eta=3" at the first '='; `path` is copied into `memory` (of `size` bytes).
 * @return STATUS_OK; STATUS_ERR_USAGE with what was expected */
Status study_override_parse(const char *text, char *memory, size_t size,
                            StudyOverride *out) MUST_USE;

/**
 * Reads and checks a study file.
 * @param path  in   the file
 * @param sets  in   (n) overrides, applied in order
 * @param out   out  to be released with study_destroy(); NULL on failure
 * @return STATUS_OK; STATUS_ERR_IO; STATUS_ERR_PARSE, _RANGE, _UNKNOWN_NAME, _UNAVAILABLE with
 *         file:line:column in the text (with the override, if the file alone is good)
 */
Status study_read(const char *path, const StudyOverride *sets, size_t n, Study **out) MUST_USE;
/** The same from memory; `path` stands for the file in messages and for relative trainer words. */
Status study_parse(const char *path, const char *text, const StudyOverride *sets, size_t n,
                   Study **out) MUST_USE;
/** Refuses a study that is not begun yet for study->refused. One that runs goes on: its file cannot
 * change any more. @return STATUS_OK; STATUS_ERR_PARSE */
Status study_check_new(const Study *study) MUST_USE;
void   study_destroy(Study *study); /* accepts NULL */
/** What the database holds of a study file's text. */
void study_hash(const char *text, size_t length, char hash[STUDY_HASH_BYTES]);

/** What schedulers are told; borrows the study's space. */
void study_setup(const Study *study, SchedulerSetup *out);
/** What the database stores, but for `definition` and `numerics`, which the caller fills in;
 * borrows the study's strings. `timing` (STUDY_MAX_TIMING names) is where the list of metrics goes.
 */
enum { STUDY_MAX_TIMING = 32 };
void study_results(const Study *study, const char *timing[STUDY_MAX_TIMING], ResultsStudy *out);
/** The complete definition with every default filled in. New reference. */
Status study_to_json(const Study *study, Json **out) MUST_USE;
/** Appends the trainer's hello as a JSON line without its newline. */
Status study_trainer_hello(const Study *study, Buffer *out) MUST_USE;
/** Appends the trainer's argv as a JSON array of strings: ["mbtune","train"] for built-in agents;
 * else the command, its words that name files below `folder` made absolute. */
Status study_trainer_command(const Study *study, Buffer *out) MUST_USE;
/**
 * Option values of the agent at a point of the space: defaults, then fixed, then active values.
 * @param point   in   (space_count), or NULL for none
 * @param values  out  (option_count of the agent's rows)
 * @return STATUS_OK; STATUS_ERR_ARG for an external trainer
 */
Status study_agent_options(const Study *study, const double *point, double *values) MUST_USE;
/**
 * Compares two definitions (study_to_json()) and appends the dotted names of keys that differ, ", "
 * between them. What may change between runs is left out: resources, limits, workers, and of the
 * budget total, trials and wall_clock. Nothing appended = the same study.
 */
Status study_diff(const Json *frozen, const Json *now, Buffer *names) MUST_USE;

#endif
