/** @file population.h  Population based training, what `pbt` and `pbt-bt` share.
 *
 * A member is a trial that takes one segment at a time. When its segment has ended it takes a step:
 * go on as it is, or drop what it has for what a better member has (exploit) with values moved a
 * little (explore). Who takes the next step, what becomes of failed members and when the study is
 * over is decided here; docs/schedulers.md has the rules in full.
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
    POPULATION_OPTION_COUNT,
};

enum { POPULATION_LEAST = 2, POPULATION_MOST = 4096, POPULATION_MAX_FAILURES = 3 };

typedef enum PopulationMode { POPULATION_SYNCHRONOUS, POPULATION_ASYNCHRONOUS } PopulationMode;
typedef enum PopulationInherit { INHERIT_AGENT, INHERIT_HYPERPARAMETERS } PopulationInherit;

extern const char *const population_modes[];
extern const char *const population_inherits[];

/* the rows that both schedulers start their tables with */
#define POPULATION_OPTION_ROWS                                                                    \
    [OPTION_POPULATION] = {.name = "population",                                                  \
                           .type = OPTION_INT,                                                    \
                           .lower = POPULATION_LEAST,                                             \
                           .upper = POPULATION_MOST,                                              \
                           .default_value = 8,                                                    \
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
                         .default_value = 0.25,                                                   \
                         .help = "share of members that exploit, and that are donors (0 to 0.5; " \
                                 "at least one member)",                                          \
                         .source = "Ray Tune"},                                                   \
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
                                "own agent, take the donor's dynamic values"}

typedef struct Member {
    int64_t round;    /* synchronous: round of its newest segment; 0 = none */
    int64_t units;    /* consumed by its segments */
    int64_t finished; /* segments that ended with a usable result */
    int64_t failures; /* in a row, up to now */
    bool    out;      /* takes no further step */
    bool    retired;  /* out because it failed too often */
} Member;

typedef struct Population {
    SchedulerSetup    setup;
    size_t            size;
    PopulationMode    mode;
    PopulationInherit inherit;
    double            quantile;
    int64_t           warmup;
    double            perturb_step;
    double            resample;
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
    const SegmentNode **ranked; /* (size) */
    unsigned char      *seen;   /* (size) */
} Population;

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
/** A segment of `trial` that continues `parent` with the values of `parent`. */
void population_run(const Population *population, int64_t trial, const SegmentNode *parent,
                    const char *reason, Decision *decision);
/** Draws every dynamic value of `point` anew. */
Status population_redraw(const Population *population, Rng *rng, double *point) MUST_USE;
/** Units that may still be decided. */
int64_t population_left(const Population *population);
/** The first member that the synchronous round still lacks; the size if there is none. */
size_t population_lacks(const Population *population);

#endif
