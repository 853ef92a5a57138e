/** @file population.h  Population based training, what all population schedulers share.
 *
 * A member is a trial that takes one segment at a time. When its segment has ended it takes a step:
 * go on as it is, or drop what it has for what a better member has (exploit) with values moved a
 * little (explore). Who takes the next step, what becomes of failed members and when the study is
 * over is decided here; docs/schedulers.md has the rules in full. How values move can be replaced
 * (Population.explore), and members can stand in groups (mf-pbt).
 *
 * Source: Jaderberg et al. (2017), Population based training of neural networks.
 */
#ifndef SCHEDULERS_POPULATION_H
#define SCHEDULERS_POPULATION_H

#include "schedulers/point_queue.h"
#include "schedulers/scheduler.h"
#include "schedulers/segment_tree.h"

enum {
    OPTION_POPULATION,
    OPTION_MODE,
    OPTION_QUANTILE,
    OPTION_WARMUP,
    OPTION_PERTURB_STEP,
    OPTION_RESAMPLE,
    OPTION_INHERIT,
    OPTION_SMOOTHING,
    OPTION_SIGNIFICANCE,
    POPULATION_OPTION_COUNT,
};

enum { POPULATION_LEAST = 2, POPULATION_MOST = 4096, POPULATION_MAX_FAILURES = 3 };

typedef enum PopulationMode { POPULATION_SYNCHRONOUS, POPULATION_ASYNCHRONOUS } PopulationMode;
typedef enum PopulationSmoothing { SMOOTHING_AUTOMATIC, SMOOTHING_NONE } PopulationSmoothing;
typedef enum PopulationInherit { INHERIT_AGENT, INHERIT_HYPERPARAMETERS } PopulationInherit;

extern const char *const population_modes[];
extern const char *const population_inherits[];
extern const char *const population_smoothings[];

/* the rows that all start their tables with */
#define POPULATION_OPTION_ROWS POPULATION_OPTION_ROWS_OF(8, 0.25, "Ray Tune", 0.5)
#define POPULATION_OPTION_ROWS_OF(population_default, quantile_default, quantile_source,          \
                                  significance_default)                                           \
    [OPTION_POPULATION] = {.name = "population",                                                  \
                           .type = OPTION_INT,                                                    \
                           .lower = POPULATION_LEAST,                                             \
                           .upper = POPULATION_MOST,                                              \
                           .default_value = (population_default),                                 \
                           .help = "agents trained side by side (count)"},                        \
    [OPTION_MODE] = {.name = "mode",                                                              \
                     .type = OPTION_CHOICE,                                                       \
                     .choices = population_modes,                                                 \
                     .default_value = POPULATION_SYNCHRONOUS,                                     \
                     .help = "synchronous: rounds, the same rows on any number of workers; "      \
                             "asynchronous: no slot waits"},                                      \
    [OPTION_QUANTILE] = {.name = "quantile",                                                      \
                         .type = OPTION_FLOAT,                                                    \
                         .lower = 0.0,                                                            \
                         .upper = 0.5,                                                            \
                         .default_value = (quantile_default),                                     \
                         .help = "share of members that exploit, and that are donors (0 to 0.5; " \
                                 "at least one member)",                                          \
                         .source = (quantile_source)},                                            \
    [OPTION_WARMUP] = {.name = "warmup",                                                          \
                       .type = OPTION_INT,                                                        \
                       .lower = 0,                                                                \
                       .upper = 1e15,                                                             \
                       .default_value = 0,                                                        \
                       .help = "depth before the first exploit or backtrack (budget units)"},     \
    [OPTION_PERTURB_STEP] = {.name = "perturb_step",                                              \
                             .type = OPTION_FLOAT,                                                \
                             .lower = 0.0,                                                        \
                             .upper = 0.5,                                                        \
                             .default_value = 0.2,                                                \
                             .help = "width of a move in the unit cube (0 to 0.5)",               \
                             .source = "Jaderberg et al. (2017), as a sum instead of a factor"},  \
    [OPTION_RESAMPLE] = {.name = "resample",                                                      \
                         .type = OPTION_FLOAT,                                                    \
                         .lower = 0.0,                                                            \
                         .upper = 1.0,                                                            \
                         .default_value = 0.25,                                                   \
                         .help = "probability that a value is drawn anew instead of moved",       \
                         .source = "Jaderberg et al. (2017)"},                                    \
    [OPTION_INHERIT] = {.name = "inherit",                                                        \
                        .type = OPTION_CHOICE,                                                    \
                        .choices = population_inherits,                                           \
                        .default_value = INHERIT_AGENT,                                           \
                        .help = "agent: continue the donor's agent; hyperparameters: keep one's " \
                                "own agent, take the donor's dynamic values"},                    \
    [OPTION_SMOOTHING] = {.name = "smoothing",                                                    \
                          .type = OPTION_CHOICE,                                                  \
                          .choices = population_smoothings,                                       \
                          .default_value = SMOOTHING_AUTOMATIC,                                   \
                          .help = "automatic: results count without the noise that their past "   \
                                  "tells; none: as they are"},                                    \
    [OPTION_SIGNIFICANCE] = {.name = "significance",                                              \
                             .type = OPTION_FLOAT,                                                \
                             .lower = 0.0,                                                        \
                             .upper = 10.0,                                                       \
                             .default_value = (significance_default),                             \
                             .help = "how much better than a member a donor must be (standard "   \
                                     "deviations of what noise leaves unknown)",                  \
                             .source = "Jaderberg et al. (2017), t-test selection"}

/** SchedulerOps.uses() of all; those with an archive may ask for evaluations too. */
SchedulerUses population_uses(const double *option_values);

typedef struct Member {
    int64_t round;    /* synchronous: round of its newest segment; 0 = none */
    int64_t units;    /* consumed by its segments */
    int64_t finished; /* segments that ended with a usable result */
    int64_t failures; /* in a row, up to now */
    bool    out;      /* takes no further step */
    bool    retired;  /* out because it failed too often */
    bool    stopped;  /* out because the units that it still needs are not there */
} Member;

/* A member as others see it. Without a cost both are the same result. */
typedef struct Standing {
    const SegmentNode *compared; /* what is ranked */
    const SegmentNode *agent;    /* what may be continued */
} Standing;

typedef struct Population Population;

/** Moves the dynamic values of `decision->point`, whose parent and begin are set; may add a memo
 * and a note. */
typedef Status (*PopulationExplore)(const Population *population, int64_t number,
                                    Decision *decision);

struct Population {
    SchedulerSetup    setup;
    size_t            size;
    PopulationMode    mode;
    PopulationInherit inherit;
    PopulationExplore explore; /* NULL: space_perturb() */
    size_t            groups;  /* member i belongs to group i % groups */
    double            quantile;
    int64_t           warmup;
    double            perturb_step;
    double            resample;
    double            significance;
    bool              goes_back; /* members may go back: the worst stop when units get short */
    Smoother          smoother;
    SegmentTree       tree;
    PointQueue        enqueued;
    Member           *members; /* (size) */
    /* synchronous: a round is decided from what came before it, whatever of it is back already */
    int64_t round;          /* that is being decided or waited for: 1, 2, ... */
    int64_t previous_first; /* segment ids of the round before; 0 = none */
    int64_t previous_last;
    int     failed_rounds; /* in a row in which every member failed */
    /* which checkpoints may still be needed */
    int64_t floor; /* no member will compare results below this depth without going back */
    /* scratch for decide(); says nothing between calls */
    Standing      *ranked; /* (size) */
    unsigned char *seen;   /* (size) */
};

/** With whom a result is compared. */
typedef enum PopulationScope { SCOPE_ALL, SCOPE_GROUP, SCOPE_OTHER_GROUPS } PopulationScope;

typedef struct PopulationRank {
    size_t n;      /* compared, itself among them */
    size_t better; /* of them: ranked[0 .. better), best first */
} PopulationRank;

/** @param values  option values, POPULATION_OPTION_COUNT of them first. On failure nothing is held.
 */
Status         population_init(Population *population, const SchedulerSetup *setup,
                               const double *values) MUST_USE;
void           population_reset(Population *population);
Status         population_observe(Population *population, const Event *event) MUST_USE;
SchedulerOrder population_order(const Population *population);
/** @param floor  least depth at which a result may be compared after going back (INT64_MAX = none)
 */
Keeps population_keeps(const Population *population, int64_t segment, int64_t floor);

/**
 * Who is next. Writes the decision unless a member with a usable result is to take a step: then
 * `*step` is that result, and the caller decides by population_step() or otherwise.
 */
Status population_next(const Population *population, int64_t number, Decision *decision,
                       const SegmentNode **step) MUST_USE;
/** The step of population based training: truncation selection among results of the same depth. */
Status population_step(const Population *population, int64_t number, const SegmentNode *last,
                       Decision *decision) MUST_USE;
/**
 * Ranks `last`, a usable result, among those of the same depth; with a cost, among everybody's
 * results of equal cumulated cost. Writes `ranked`.
 */
PopulationRank population_rank(const Population *population, const SegmentNode *last,
                               PopulationScope scope);
/** The same among the newest results of everybody, of whatever depth. */
PopulationRank population_rank_newest(const Population *population, const SegmentNode *last,
                                      PopulationScope scope);
/** The results of the synchronous round before into `ranked`, best first; how many. */
size_t population_rank_round(const Population *population, int64_t trial, PopulationScope scope);
/** How many of n exploit, and how many are donors. */
size_t population_share(const Population *population, size_t n);
/** True where a result of that rank is to exploit. */
bool population_is_worst(const Population *population, PopulationRank rank);
/** Whether `donor`, worth `level` (by its score or by an evaluation), is better than `last` beyond
 * what noise leaves unknown. */
bool population_is_better(const Population *population, const SegmentNode *donor, double level,
                          const SegmentNode *last);
/** The same for going back to an older agent: where noise is larger than what a segment brings, by
 * four times as much. */
bool population_is_far_better(const Population *population, const SegmentNode *donor, double level,
                              const SegmentNode *last);
/** Whether the units allow `last` to go back to `to`: it takes no more than half of what is left,
 * so that somebody reaches the full depth. */
bool population_can_go_back(const Population *population, const SegmentNode *last,
                            const SegmentNode *to);
/** A donor drawn from the first k of ranked[0 .. n) that can be continued, or NULL. */
const SegmentNode *population_draw(const Population *population, int64_t number, size_t n,
                                   size_t k);
/** Exploits: `trial` goes on from the donor, with values moved. */
Status population_exploit(const Population *population, int64_t number, const SegmentNode *last,
                          const SegmentNode *donor, Decision *decision);
/** Moves values as the scheduler does, or as pbt does. */
Status population_explore(const Population *population, int64_t number, Decision *decision);
Status population_perturb(const Population *population, int64_t number, Decision *decision);
/** Puts the dynamic values of `from` on `decision->point`; where the mixture is forbidden the
 * values of decision->parent stay. */
void population_take_values(const Population *population, const SegmentNode *from,
                            Decision *decision);
/** A segment of `trial` that continues `parent` with the values of `parent`. */
void population_run(const Population *population, int64_t trial, const SegmentNode *parent,
                    const char *reason, Decision *decision);
/** Draws every dynamic value of `point` anew. */
Status population_redraw(const Population *population, Rng *rng, double *point) MUST_USE;
/** The newest segment of a member, whatever has become of it, or NULL. */
const SegmentNode *population_last(const Population *population, size_t member);
/** The nearest ancestor with a usable result, or NULL. */
const SegmentNode *population_last_good(const Population *population, const SegmentNode *node);
/** Units that may still be decided. */
int64_t population_left(const Population *population);
/** The first member that the synchronous round still lacks; the size if there is none. */
size_t population_lacks(const Population *population);
/** Ids up to this are before the synchronous round that is being decided; asynchronous: all are. */
int64_t population_known(const Population *population);
/** The newest segment of a member that has ended and is known, or NULL. */
const SegmentNode *population_newest(const Population *population, size_t member);

#endif
