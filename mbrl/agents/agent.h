/** @file agent.h  What is trained: everything between an environment and its metrics. */
#ifndef MBRL_AGENTS_AGENT_H
#define MBRL_AGENTS_AGENT_H

#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "mbrl/environments/environment.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum AgentUnit { AGENT_UNIT_EPISODE, AGENT_UNIT_ENV_STEP } AgentUnit;

/** Where metrics go: `step` is the budget unit that the row belongs to, counted from the root. */
typedef struct MetricSink {
    void *context;
    void (*metric)(void *context, int64_t step, int64_t index, const char *name, double value);
    /* called at least every few control steps, so that the trainer can say it is alive; may be NULL
     */
    void (*alive)(void *context);
} MetricSink;

typedef enum AgentOutcome {
    AGENT_DONE,
    AGENT_YIELDED,  /* stopped early because it was asked to; `reached` says where */
    AGENT_DIVERGED, /* NaN in model, planner or environment; `reason` says which */
} AgentOutcome;

typedef struct AgentResult {
    AgentOutcome outcome;
    int64_t      reached; /* budget units from the root */
    char         reason[128];
} AgentResult;

/** How an agent is described to `mbtune list`: a metric it reports. */
typedef struct AgentMetric {
    const char *name;
    const char *help;   /* one line with the unit */
    bool        timing; /* depends on the clock, not part of "the same rows" */
} AgentMetric;

/** What a choice of an option stands for, for `mbtune list`. */
typedef struct AgentPart {
    const char *option;
    const char *name; /* the choice */
    const char *help;
    const char *source; /* or NULL */
} AgentPart;

/** Cost at given option values, before anything runs (for `mbtune validate`). */
typedef struct AgentCost {
    double plan_flop;        /* per control step */
    double plan_env_steps;   /* simulated per control step, where the planner has the simulator */
    double train_flop;       /* of one episode's training calls, at `rows` transitions */
    double rebuild_flop;     /* of building the model anew for another structure, at most */
    double checkpoint_bytes; /* own bytes of one checkpoint at `rows` transitions */
    double env_steps;        /* control steps of one episode at most */
    double first_row_steps;  /* environment steps until the first row of metrics, at most */
} AgentCost;

typedef struct AgentOps {
    const char        *name;
    const char        *source;
    const char        *help;
    const AgentMetric *metrics; /* ends at .name == NULL */

    /* option rows: hyperparameters with ranges, defaults, which are dynamic */
    const OptionSpec *(*options)(void);
    /* optional: what the choices of some of them are made of; ends at .name == NULL */
    const AgentPart *(*parts)(void);
    /**
     * Do the values go together? create(), set() and load() refuse what this refuses.
     * @param notes  in/out  NULL, or gets a line (with its newline) for each thing that is accepted
     * but not what it seems
     * @return STATUS_OK; STATUS_ERR_RANGE (an option), STATUS_ERR_ARG with a sentence
     */
    Status (*check)(const EnvironmentOps *environment, const double *option_values, Buffer *notes);
    /* row of the option whose value leaves row `option` without effect; the number of rows where it
     * has one */
    size_t (*overruled_by)(const double *option_values, size_t option);
    Status (*create)(const EnvironmentOps *environment, AgentUnit unit, const double *option_values,
                     uint64_t seed, void **self);
    void (*destroy)(void *self);
    /* new values of dynamic options, and the seed of the line that continues */
    Status (*set)(void *self, const double *option_values, uint64_t seed);
    /* trains from its position to `end` units; stops after the current unit once *yield is set */
    Status (*train)(void *self, int64_t end, const MetricSink *sink, const atomic_bool *yield,
                    AgentResult *result);
    /* n episodes without learning; changes nothing that train() or save() sees; metric rows have
     * step = episode 1..n */
    Status (*evaluate)(void *self, int64_t episodes, uint64_t seed, const MetricSink *sink,
                       AgentResult *result);
    int64_t (*position)(const void *self); /* budget units from the root */
    /* writes a folder `path` (must not exist); experience files of earlier segments are hard links
     * into `parent_path` where the agent was loaded from or last saved to (copies where linking
     * fails), so that each row of experience is stored once */
    Status (*save)(void *self, const char *path);
    Status (*load)(const EnvironmentOps *environment, AgentUnit unit, const double *option_values,
                   const char *path, void **self);
    void (*cost)(const EnvironmentOps *environment, const double *option_values, double rows,
                 AgentCost *out);

    /* optional: appends "; what" for each thing that these values change in how numbers are
     * computed, to what a study records of its numerics */
    void (*numerics)(const double *option_values, Buffer *out);

    /* optional: threads to compute with from now on (NULL = one); the pool outlives the agent. What
     * the agent does is the same bits for any number of threads */
    void (*set_pool)(void *self, ThreadPool *pool);
} AgentOps;

Status          agent_find(const char *name, const AgentOps **out) MUST_USE;
size_t          agent_count(void);
const AgentOps *agent_at(size_t index);

#endif
