/** @file pets_internal.h  The PETS agent's parts, shared by its files only (and its tests).
 *
 * pets_options.c  hyperparameters: the model's rows, the planner's, its own
 * pets_overruled.c  hyperparameters that have no effect beside others
 * pets.c          making, changing, destroying; cost; the table of functions
 * pets_loop.c     the loop: random steps, then train, plan, act, store
 * pets_learn.c    training calls: limit of the data, resets, a model whose structure changed
 * pets_score.c    what the row of an episode says
 * pets_evaluate.c episodes without learning
 * pets_checkpoint.c, pets_restore.c  the checkpoint folder
 */
#ifndef MBRL_AGENTS_PETS_INTERNAL_H
#define MBRL_AGENTS_PETS_INTERNAL_H

#include "mbrl/agents/agent.h"
#include "mbrl/models/dataset.h"
#include "mbrl/models/dynamics_model.h"
#include "mbrl/planners/builtin.h"

/* own option rows, which follow the models' and the planners' */
typedef enum PetsOption {
    PETS_TRAIN_EVERY,
    PETS_VALIDATION_RATIO,
    PETS_INITIAL_STEPS,
    PETS_EXPLORATION_NOISE,
    PETS_PLANNER,
    PETS_PLANNING_MODEL,
    PETS_DYNAMICS_MODEL,
    PETS_LEARNED_REWARD,
    PETS_DATA_LIMIT,
    PETS_RESET_EVERY,
    PETS_REBUILD_EPOCHS,
    PETS_OPTION_COUNT,
} PetsOption;

/* Most rows scored for model_nll_train and model_nll_validation of one episode, evenly spaced. */
enum { PETS_SCORE_ROWS = 1000 };

/* Most option rows of all parts together. */
enum { PETS_MOST_OPTIONS = 128 };

/** Where the agent stands: 8-byte fields only, so that it is written to a checkpoint as it is (no
 * padding, no times: equal runs write equal bytes). */
typedef struct PetsState {
    uint64_t seed;              /* of the line that is being trained */
    double   validation_offset; /* [0, 1), from the seed of the root */
    int64_t  env_steps;         /* environment steps from the root, random ones included */
    int64_t  control_steps;     /* of these, planned */
    int64_t  started;           /* episodes begun, random ones included */
    int64_t  episodes;          /* controlled episodes finished */
    int64_t  trained;           /* 1 once a model was fitted */
    int64_t  fit_train_first;   /* training rows that the last fit saw: from this one */
    int64_t  fit_train_count;   /* up to this one */
    int64_t  last_reset;        /* control_steps at the last new start of the model */
    double   model_loss;        /* of the last fit */
    /* the episode under way */
    int64_t in_episode;
    int64_t held_out; /* its rows belong to validation */
    int64_t steps;
    double  reward;
    double  plan_flop;   /* sum */
    double  train_flop;  /* sum */
    int64_t scored_rows; /* dataset rows below this have on-policy scores, or need none */
    int64_t scored;      /* rows in the sums below */
    double  nll;
    double  nll_member;
    double  mse;
    double  plan_env_steps; /* sum */
    int64_t plan_timeouts;  /* control steps that max_plan_seconds cut short */
} PetsState;

/** A file of experience that a checkpoint has written already. */
typedef struct PetsBlock {
    uint64_t first;
    uint64_t count;
    uint64_t length; /* bytes of the payload */
    uint64_t checksum;
} PetsBlock;

typedef struct Pets {
    const EnvironmentOps   *environment;
    const DynamicsModelOps *model_ops;
    const PlannerOps       *planner_ops;
    AgentUnit               unit;
    double                 *options; /* all rows */
    double                 *built; /* the model's rows that it was made with; where those that need
                                      a rebuild differ from `options`, one is due */
    void     *simulator;
    void     *model;
    void     *planner;
    Dataset  *data;
    PetsState at;
    double    observed[ENV_MAX_STATE];
    bool      diverged;      /* the episode that ends now; never in a checkpoint */
    double   *snapshot;      /* scratch: of the simulator, for planning_model true_dynamics */
    double    plan_seconds;  /* of the episode under way, in this process */
    double    train_seconds; /* likewise */
    uint32_t *rows;          /* scratch: row numbers to score */
    float    *row;           /* scratch: one input and one target */
    /* checkpoints */
    int home;          /* descriptor of the folder last written or read, -1 = none: it stays valid
                          when the folder is renamed */
    PetsBlock *blocks; /* experience that stands there */
    size_t     block_count;
    /* lent, to plan with; NULL = one thread */
    ThreadPool *pool;
} Pets;

/* pets_options.c */
const OptionSpec *pets__options(void);
/** AgentOps.parts */
const AgentPart        *pets__parts(void);
const DynamicsModelOps *pets__model_ops(const double *options);
const double           *pets__model_options(const double *options);
const double           *pets__rollout_options(const double *options);
/* of the planner that is chosen */
const double         *pets__planner_options(const double *options);
const PlannerOps     *pets__planner_ops(const double *options);
const PlannerBackend *pets__backend(const double *options);
/* plans in the simulator: no random part, no training, no experience */
bool   pets__has_true_dynamics(const double *options);
double pets__option(const double *options, PetsOption option);
/* agent_pets_ops.check */
Status pets__check(const EnvironmentOps *environment, const double *options,
                   Buffer *notes) MUST_USE;
/* agent_pets_ops.numerics */
void pets__numerics(const double *options, Buffer *out);
/* STATUS_ERR_STATE where this processor cannot do what the values ask for */
Status pets__check_machine(const double *options) MUST_USE;
/* predictions per candidate and time step, before a model exists */
double pets__predictions(const double *options);
size_t pets__input_dim(const EnvironmentOps *environment);
/* the state, and the reward where it is learned: number state_dim */
size_t pets__output_dim(const EnvironmentOps *environment, const double *options);

/* pets_overruled.c */
/* agent_pets_ops.overruled_by */
size_t pets__overruled_by(const double *option_values, size_t option);

/* pets.c */
Status pets__create(const EnvironmentOps *environment, AgentUnit unit, const double *options,
                    uint64_t seed, Pets **out) MUST_USE;
void   pets__destroy(void *self);

/* pets_learn.c */
/* makes the model and the dataset for the model rows `built` in place of those that there are; the
 * dataset must be empty */
Status pets__make_model(Pets *pets, const double *built, uint64_t seed) MUST_USE;
/* the model rows `wanted` with the structure of `built`: what the present model takes; `out` has
 * room for them */
void pets__same_structure(const Pets *pets, const double *wanted, double *out);
/* builds the model anew where its structure differs from the options' */
Status pets__follow_structure(Pets *pets, AgentResult *result) MUST_USE;
/* where options leave members out of planning and nothing says yet which: finds out */
Status pets__rank(Pets *pets) MUST_USE;
/* one training call */
Status pets__learn(Pets *pets, AgentResult *result) MUST_USE;

/* pets_loop.c */
void    pets__diverged(AgentResult *result, const char *reason);
Status  pets__train(void *self, int64_t end, const MetricSink *sink, const atomic_bool *yield,
                    AgentResult *result) MUST_USE;
int64_t pets__position(const void *self);
/* Makes a planner for the agent's values. */
Status pets__make_planner(const Pets *pets, const double *options, void **planner) MUST_USE;
/* What the planner is given at a control step; fills `snapshot` where it plans in `simulator`. */
PlanTask pets__plan_task(const Pets *pets, const void *simulator, double *snapshot,
                         const double *state);
typedef struct PetsTransition {
    const double *state;
    const double *action;
    const double *next;
    double        reward;
    int64_t       episode;
    bool          held_out;
} PetsTransition;
/* Appends a transition to `data` (NULL = to nothing); *finite is false, and nothing is appended,
 * where a number does not fit float32. `row` has room for one input and one target. */
Status pets__append(const EnvironmentOps *environment, Dataset *data,
                    const PetsTransition *transition, float *row, bool *finite) MUST_USE;

/* pets_score.c */
/* scores the rows that the present model acted for and was not trained on yet */
Status pets__score_pending(Pets *pets) MUST_USE;
/* writes the row of the episode that just ended */
Status                   pets__report(Pets *pets, const MetricSink *sink) MUST_USE;
extern const AgentMetric pets__metrics[];

/* pets_evaluate.c */
Status pets__evaluate(void *self, int64_t episodes, uint64_t seed, const MetricSink *sink,
                      AgentResult *result) MUST_USE;

/* pets_checkpoint.c */
Status pets__save(void *self, const char *path) MUST_USE;
/* what must be the same to continue: one line per fact; the caller frees it */
Status pets__identity(const Pets *pets, Buffer *out) MUST_USE;

/* pets_restore.c */
Status pets__load(const EnvironmentOps *environment, AgentUnit unit, const double *options,
                  const char *path, void **self) MUST_USE;

#endif
