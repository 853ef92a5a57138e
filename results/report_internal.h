/** @file report_internal.h  What the report_*.c files share. */
#ifndef RESULTS_REPORT_INTERNAL_H
#define RESULTS_REPORT_INTERNAL_H

#include "results/report.h"
#include "results/store.h"

/* One segment of the tree in memory, ordered by id. */
typedef struct TreeNode {
    int64_t id;
    int64_t parent;
    int64_t trial;
    int64_t configuration; /* number of its trial */
    int64_t end;
    bool    sound;     /* finished, no diverged episode in its window (or the study allows it) */
    bool    eligible;  /* that, and of a tuning trial */
    bool    candidate; /* of a part of the tree: nobody that is left out has a better objective */
    bool    feasible;  /* every constraint is known and holds */
    double  fitness;   /* first objective, turned so that larger is better; NaN if there is none */
} TreeNode;

typedef struct Tree {
    TreeNode *nodes;
    size_t    count;
    double    sign;     /* fitness x sign = first objective */
    bool      repeated; /* some configuration has several chains */
    size_t    diverged; /* finished tuning segments left out for a diverged episode */
    bool      partial;  /* ancestors may be missing */
} Tree;

Status results__tree_load(Results *results, Tree *out) MUST_USE;
/** Part of the tree, enough for the best: the segments with the best objectives, those that were
 * confirmed and those that were evaluated; without ancestors. The whole tree where that could miss
 * the best: repeated configurations, several objectives, or none of them keeps the constraints and
 * has no diverged episode. */
Status results__tree_load_best(Results *results, Tree *out) MUST_USE;
/** Segments in whose objective window an episode diverged are neither sound nor eligible, unless
 * the study says `allow_diverged`. */
Status          results__tree_drop_diverged(Results *results, Tree *tree) MUST_USE;
void            results__tree_reset(Tree *tree);
const TreeNode *results__tree_find(const Tree *tree, int64_t id);
/** a stands on the walk from b to its root, b included. */
bool results__tree_is_ancestor(const Tree *tree, int64_t a, int64_t b);
/** Feasible first, then fitness, then the earlier one: < 0 if a is the better one. */
int results__tree_compare(const TreeNode *a, const TreeNode *b);

/* A configuration of a study with repeats, at the depth that most of its chains have reached. */
typedef struct Configuration {
    int64_t         number;
    int64_t         end;            /* that depth */
    size_t          repeats;        /* chains that reached it */
    bool            feasible;       /* all of them are */
    double          mean;           /* of their fitness there */
    double          standard_error; /* of that mean; NaN below 2 */
    const TreeNode *node;           /* the best of them there */
} Configuration;

/** Best first: more chains, then feasible, then the mean, then the earlier one. The nodes are the
 * tree's; the caller frees `*out`. */
Status results__configurations_rank(const Tree *tree, Configuration **out, size_t *count) MUST_USE;
/** Adds "repeats", "mean" and "standard_error" of the configuration of `node`. */
Status results__repeats_json(const Tree *tree, const TreeNode *node, Json *best) MUST_USE;

enum { REPORT_NAMES = 64 }; /* of outcomes, or of reasons, that are told apart */

typedef struct NameCount {
    char    name[64];
    int64_t n;
} NameCount;

typedef struct NameCounts {
    NameCount names[REPORT_NAMES]; /* (count) by name */
    size_t    count;
    size_t    last;
} NameCounts;

/** Counts over all segments. */
typedef struct SegmentCounts {
    int64_t    states[SEGMENT_FAILED + 1];
    NameCounts outcomes;
    NameCounts reasons;  /* of tuning */
    int64_t    units[2]; /* of finished segments: of tuning, of confirmation */
} SegmentCounts;
/** **Cost** one pass: a million segments take half a second. */
Status results__segments_count(Results *results, SegmentCounts *out) MUST_USE;

/** Busy seconds of attempts between the first and the last dispatch, over the most attempts that
 * ran at once times that span. The database knows no slots: at the end of a run that had enough
 * work, as many ran at once as there were. Time in which no coordinator lived counts as idle. */
typedef struct Utilization {
    bool    known; /* a second dispatch was made */
    double  value; /* NaN unless known */
    int64_t parallel;
    double  busy_seconds; /* of all attempts */
} Utilization;
/** Of the `newest` last attempts that were made, 0 = of all. Attempts are taken in the order in
 * which they were sent; a clock that was set back meanwhile blurs `parallel`. */
Status results__utilization(Results *results, int64_t newest, Utilization *out) MUST_USE;

/** Column as JSON by its type; NULL is null. */
Json *results__column_json(sqlite3_stmt *statement, int column);
/** The objective of a segment as scripts see it: number, object by name, or null. */
Status results__objective_json(Results *results, int64_t segment, Json **out) MUST_USE;
/** The same of values (objective_count) in the study's units. */
Status results__objectives_json_of(Results *results, const double *values, Json **out) MUST_USE;
/** (objective_count) 1 where larger is better, else -1. */
Status results__objective_signs(Results *results, double *signs) MUST_USE;
/** The non-dominated front: [{"segment","trial","depth","objective","hyperparameters",
 * "constraints"}], the first objective's best first. */
Status results__front_json(Results *results, const Tree *tree, Json **out) MUST_USE;
/** {metric: value} of every constraint of the study, a value null until there is one. */
Status results__constraints_json(Results *results, int64_t segment, Json **out) MUST_USE;
/** {"metric","direction","reduce","window"}, or an array of these where there are several. */
Status results__objectives_json(Results *results, Json **out) MUST_USE;
/** One query, one object: column i goes under its own name. null where there is no row. */
Status results__row_json(Results *results, const char *sql, int64_t id, Json **out) MUST_USE;
/** Name of the first objective's metric, its direction and window. */
Status results__first_objective(Results *results, char *metric, size_t size, bool *maximize,
                                int64_t *window) MUST_USE;
/** [{"begin","end","seed","hyperparameters"}] of a leaf, equal neighbours merged. */
Status results__steps_json(Results *results, int64_t segment, Json **out) MUST_USE;

/* A column of exported curves. */
typedef struct CurveColumn {
    char  *name;
    int    kind; /* what it means: report_curve_csv.c */
    size_t same; /* the first column of that name, which alone is written */
} CurveColumn;

typedef struct CurveCsv {
    CurveColumn *columns; /* (count) */
    size_t       count;
    size_t       width; /* that are written */
} CurveCsv;

/** `cost`: the study's, or NULL. Released with results__curve_csv_reset(), also on failure.
 * @return STATUS_OK; STATUS_ERR_STATE (a name of two things); STATUS_ERR_RANGE (too many) */
Status results__curve_csv_make(Results *results, const char *cost, CurveCsv *out) MUST_USE;
void   results__curve_csv_reset(CurveCsv *table);
void   results__curve_csv_header(const CurveCsv *table, Buffer *out);
/** A row of report_segments(). @return STATUS_OK; STATUS_ERR_STATE if no table can hold it */
Status results__curve_csv_row(const CurveCsv *table, const Json *segment, Buffer *out) MUST_USE;
/** Whether two numbers, booleans or texts are equal; what is missing, null or NaN equals itself. */
bool results__same_scalar(const Json *a, const Json *b);

/* One seed of a confirmation. Curves are newest last. */
typedef struct ConfirmRun {
    int64_t trial;
    int64_t repeat;
    int64_t leaf; /* its last finished segment; 0 none */
    int64_t seed;
    bool    complete; /* trained as deep as the schedule goes */
    bool    failed;   /* ended before that */
    double  last;     /* mean of the last window of the curve; NaN unless complete */
    double  area;     /* mean of the whole curve; NaN unless complete */
    double *curve;
    double *steps;
    size_t  curve_count;
} ConfirmRun;

/* The defaults, or one schedule. */
typedef struct ConfirmArm {
    bool        defaults;
    int64_t     number;
    int64_t     source; /* leaf segment of the schedule; 0 for the defaults */
    int64_t     depth;
    ConfirmRun *runs;
    size_t      run_count;
} ConfirmArm;

typedef struct Confirmation {
    char        metric[256];
    bool        maximize;
    int64_t     window;
    ConfirmArm *arms; /* schedules by number, then the defaults */
    size_t      arm_count;
} Confirmation;

Status results__confirmation_load(Results *results, Confirmation *out) MUST_USE;
void   results__confirmation_reset(Confirmation *confirmation);
/** Mean of the last windows of the complete runs; NaN if there are none. */
double results__confirmation_mean(const ConfirmArm *arm, size_t *n);
/** {"mean","interval","n","defaults_mean","probability",...} of the arm of a segment; null without
 * one. */
Status results__confirmed_json(const Confirmation *confirmation, int64_t segment,
                               Json **out) MUST_USE;
/** The whole, with or without curves. */
Status results__confirmation_json(const Confirmation *confirmation, bool curves,
                                  Json **out) MUST_USE;

#endif
