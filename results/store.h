/** @file store.h  Inside results/ only: the connection, its cached statements and its pragmas.
 *
 * A statement is prepared once per SQL text (the address of the literal is the key) and kept for
 * the life of the connection. Readers step one row, reset the statement and only then call back, so
 * a visitor may read and write the store while it is visited. One thread at a time per connection.
 */
#ifndef RESULTS_STORE_H
#define RESULTS_STORE_H

#include "results/results.h"

typedef struct sqlite3        sqlite3;        /* NOLINT(readability-identifier-naming): SQLite's */
typedef struct sqlite3_backup sqlite3_backup; /* NOLINT(readability-identifier-naming) */
typedef struct sqlite3_stmt   sqlite3_stmt;   /* NOLINT(readability-identifier-naming): SQLite's */

enum {
    RESULTS_VERSION = 3,                 /* user_version of schema.sql */
    RESULTS_APPLICATION_ID = 0x6d627475, /* "mbtu" */
    RESULTS_STATEMENTS = 256,            /* slots of the statement cache, a power of two */
    RESULTS_TEXT_CAP = 16 * 1024 * 1024, /* longest text that is built in memory, bytes */
    RESULTS_BUSY_MS = 10000,             /* how long a connection waits for a lock */
    RESULTS_LOG_PAGES = 65536,           /* a write-ahead log that is large: 256 MiB */
    RESULTS_MOST_ATTEMPTS = INT32_MAX,   /* of one piece of work; no study gets there */
};

extern const char results__schema_sql[];

/** One step of an upgrade: SQL that turns version `from` into `from` + 1. */
typedef struct ResultsMigration {
    int         from;
    const char *sql;
} ResultsMigration;

/* One choice of a categorical or ordinal as it is stored: a whole number, a number, or a text. */
typedef struct ParameterChoice {
    char    kind;    /* 'i', 'd' or 't', as in results__query() */
    bool    is_bool; /* stored as 'true' or 'false', a boolean in JSON */
    int64_t integer;
    double  number;
    char   *text; /* 't' only */
} ParameterChoice;

/* A row of `hyperparameter`, in memory. */
typedef struct Parameter {
    char            *name;
    SpaceType        type;
    ParameterChoice *choices;
    size_t           choice_count;
} Parameter;

/* Names of metrics and their ids: open addressing, at most half full. */
typedef struct NameTable {
    char   **names;
    int64_t *ids;
    size_t   capacity;
    size_t   used;
} NameTable;

struct Results {
    sqlite3        *db;
    sqlite3        *copy; /* results_publish(): under way, or NULL */
    sqlite3_backup *backup;
    char           *path;
    bool            writable;
    bool            open;         /* between results_begin() and results_commit() */
    bool            reading;      /* between results_read_begin() and results_read_end() */
    int             snapshots;    /* depth of results__snapshot_begin() */
    int64_t         atom_changes; /* rows that were changed before the present atom */
    int             log_pages; /* a longer write-ahead log waits for its readers, see write_log.c */
    int             log_tried; /* the same while that did not help: some pages more */
    NameTable       names;
    Parameter      *parameters;
    size_t          parameter_count;
    size_t          objective_count;
    size_t          constraint_count;
    struct {
        const char   *sql;
        sqlite3_stmt *statement;
    } statements[RESULTS_STATEMENTS];
    size_t statement_count;
};

/** Turns an SQLite code into a Status with one sentence. */
Status results__error(const Results *results, int code, const char *doing) MUST_USE;
/** Runs SQL text that may hold several statements (schema, pragmas, tests). */
Status results__script(Results *results, const char *sql) MUST_USE;

/**
 * Takes the cached statement of `sql` (a string literal) and binds its parameters in order.
 * @param types  one letter per parameter: i int64_t; z int64_t with 0 as NULL; m int64_t with a
 *               negative as NULL; d double; t const char *; b const void * and size_t;
 *               p const Parameter * and double (a value of a point); c const ParameterChoice *
 */
Status results__query(Results *results, const char *sql, sqlite3_stmt **out, const char *types,
                      ...) MUST_USE;
/** Next row; resets the statement at the end and on failure. */
Status results__step(Results *results, sqlite3_stmt *statement, bool *row) MUST_USE;
/** Runs a statement that returns no rows; binds like results__query(). */
Status results__run(Results *results, const char *sql, const char *types, ...) MUST_USE;
/** One whole number; `fallback` where there is no row or it is NULL. */
Status results__integer(Results *results, const char *sql, int64_t fallback, int64_t *out,
                        const char *types, ...) MUST_USE;
/** Rows changed by the last statement. */
int64_t results__changes(const Results *results);

/* Columns: NULL is NaN, "" or `fallback`. */
double  results__column_double(sqlite3_stmt *statement, int column);
int64_t results__column_integer(sqlite3_stmt *statement, int column, int64_t fallback);
/** Copies a text column, cut to `size`. */
void results__column_text(sqlite3_stmt *statement, int column, char *text, size_t size);
/** Walks to the root end because a parent's id is smaller: STATUS_ERR_CORRUPT where it is not. */
Status results__parent_check(const Results *results, int64_t segment, int64_t parent) MUST_USE;
/** The same as results__column_text(), valid until the next step; "" for NULL, which a damaged file
 * has anywhere. */
const char *results__column_borrow(sqlite3_stmt *statement, int column);

/** A write of several statements is all or nothing: one that fails halfway takes its group along
 * (every write after it and the commit are refused until results_rollback()); one that fails before
 * it has changed a row leaves the group as it was. Usage: TRY(begin);
 * return results__atom_end(results, work(results, ...)); */
Status results__atom_begin(Results *results) MUST_USE;
Status results__atom_end(Results *results, Status status) MUST_USE;
/** STATUS_ERR_STATE unless a group is open. */
Status results__writing(const Results *results) MUST_USE;

/** Several reads see one state of the database. May be nested. */
Status results__snapshot_begin(Results *results) MUST_USE;
void   results__snapshot_end(Results *results);

/** Opens a connection with SQLite's flags and the pragmas that write nothing. `alone`: it will be
 * the only one, and needs no shared memory. */
Status results__connect(const char *path, int flags, bool alone, Results **out) MUST_USE;
void   results__publish_abort(Results *results);
/** Write-ahead log and durability: after the file is known to be ours. */
Status results__pragmas_write(Results *results) MUST_USE;

/** From now on commits move the write-ahead log into the database, and wait for its readers where
 * it is longer than `pages`. */
void results__write_log_watch(Results *results, int pages);

/** Checks application and version; upgrades an older one by `steps` if writing. */
Status results__migrate(Results *results, const ResultsMigration *steps, size_t count,
                        int version) MUST_USE;
/** results_open() with another table of upgrades: for tests. */
Status results__open_with(const char *path, ResultsMode mode, const ResultsMigration *steps,
                          size_t count, int version, Results **out) MUST_USE;

/** Fills parameters and counts from the tables. */
Status results__parameters_load(Results *results) MUST_USE;
void   results__parameters_free(Results *results);
/** Writes hyperparameter rows. */
Status results__parameters_insert(Results *results, const Space *space) MUST_USE;
/** For each stored hyperparameter its index in `space`. The caller gives (parameter_count). */
Status results__parameters_match(const Results *results, const Space *space,
                                 size_t *index) MUST_USE;
/** Reads the values of a segment ('s'), an event ('e') or a known result ('k') into a point of
 * `space`. */
Status results__point_read(Results *results, char owner, int64_t id, const size_t *index,
                           size_t space_count, double *point) MUST_USE;
/** Puts the value in columns 0 (hyperparameter) and 1 of a row into a point; resets the statement
 * on failure. */
Status results__point_value(Results *results, sqlite3_stmt *statement, const size_t *index,
                            double *point) MUST_USE;
/** Writes the active values of a point in the order of the stored hyperparameters. */
Status results__point_insert(Results *results, char owner, int64_t id,
                             const double *point) MUST_USE;
/** The value in a column as JSON (bool as true and false). NULL when memory is out. */
Json *results__value_json(const Parameter *parameter, sqlite3_stmt *statement, int column);
/** {"name": value} of a segment, active ones only. New reference. */
Status results__values_json(Results *results, int64_t segment, Json **out) MUST_USE;

void results__names_free(Results *results);
/** Id of a metric's name; makes it if it is new. */
Status results__name_intern(Results *results, const char *name, int64_t *id) MUST_USE;
/** Id of a metric's name; 0 if it was never seen. */
Status results__name_find(Results *results, const char *name, int64_t *id) MUST_USE;

const char *results__state_name(SegmentState state);
Status      results__state_find(const char *name, SegmentState *out) MUST_USE;
/** "" is OUTCOME_NONE. */
Status      results__outcome_find(const char *name, Outcome *out) MUST_USE;
const char *results__trial_kind_name(TrialKind kind);
/** Objectives (and, where not NULL, spreads and constraints) of a segment; NaN where not stored.
 * @param known  out  how many objectives are stored, or NULL */
Status results__objectives_read(Results *results, int64_t segment, double *objectives,
                                double *spreads, double *constraints, size_t *known) MUST_USE;
/** Objectives of an evaluation; NaN where not stored. */
Status results__evaluation_objectives(Results *results, int64_t evaluation,
                                      double *objectives) MUST_USE;

#endif
