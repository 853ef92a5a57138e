/** @file elite_archive.h  The best that a population ever had, to go back to.
 *
 * Of each member its best finished segment; of these the best few. With `elite_evaluations: n` a
 * segment that would stand there is evaluated first, for n episodes, and stands there with their
 * mean: a score that was good enough to be chosen is too good on average, and what was chosen by
 * one score is only measured by another. So membership is decided by scores alone, values by
 * evaluations alone, and the values have no bias. A segment whose evaluation failed does not enter.
 *
 * In a synchronous population everything is brought up to date between rounds, when no evaluation
 * is outstanding; evaluations run beside the next round, so an elite enters one round later.
 */
#ifndef SCHEDULERS_ELITE_ARCHIVE_H
#define SCHEDULERS_ELITE_ARCHIVE_H

#include "schedulers/population.h"

#define ELITE_EVALUATIONS_ROW                                                                  \
    {                                                                                          \
        .name = "elite_evaluations", .type = OPTION_INT, .lower = 0, .upper = 1e6,             \
        .default_value = 0,                                                                    \
        .help = "episodes that a segment is evaluated for before it enters the archive, with " \
                "their mean (count; 0: it enters with the score that it was chosen by)"        \
    }

typedef struct EliteArchive {
    size_t              most;     /* elites at most */
    int64_t             episodes; /* per evaluation; 0 = none */
    size_t              members;
    size_t              count;   /* elites now */
    int64_t            *ids;     /* (most) segments, best score first */
    double             *fitness; /* (most) by score, or by evaluation */
    int64_t            *waiting; /* (most) segments to be evaluated, 0 = none */
    int64_t            *entered; /* (members) best evaluated segment of each; 0 = none */
    int64_t             round;   /* synchronous: of the population when it was brought up to date */
    bool                stale;   /* a round has closed since, but evaluations are outstanding */
    const SegmentNode **best;    /* (members) scratch */
} EliteArchive;

/** @return STATUS_OK; STATUS_ERR_NOMEM (nothing is held) */
Status elite_archive_init(EliteArchive *archive, size_t members, size_t most,
                          int64_t episodes) MUST_USE;
void   elite_archive_reset(EliteArchive *archive);

/** To be called after the population observed the event. @return true if it was brought up to date
 */
bool elite_archive_observe(EliteArchive *archive, const Population *population, const Event *event);
/** The elite of that index, best score first. */
const SegmentNode *elite_archive_at(const EliteArchive *archive, const Population *population,
                                    size_t index);
/** An elite that can be continued, drawn uniformly; NULL if there is none. */
const SegmentNode *elite_archive_draw(const EliteArchive *archive, const Population *population,
                                      int64_t number);
/** The first elite that can be continued; NULL if there is none. */
const SegmentNode *elite_archive_best(const EliteArchive *archive, const Population *population);
/** What a segment is worth as a donor: an elite by what the archive holds of it (its evaluation
 * where there is one), others by their filtered score. */
double elite_archive_level(const EliteArchive *archive, const SegmentNode *node);
/** Mean of the elites' fitness; NaN without elites. */
double elite_archive_mean(const EliteArchive *archive);
/**
 * Puts an evaluation in place of what the population has decided, or makes it wait for outstanding
 * ones before a round and at the end. @return true if `decision` was replaced
 */
bool  elite_archive_decide(const EliteArchive *archive, const Population *population,
                           Decision *decision);
Keeps elite_archive_keeps(const EliteArchive *archive, const Population *population,
                          int64_t segment);

#endif
