/** @file dataset.h  Transitions as a dynamics model sees them: inputs, targets, who holds what out.
 *
 * Rows are only appended. Whether a row belongs to validation is decided per whole episode before
 * its first row; bootstrap indices are drawn when a block of rows joins and are part of the state.
 */
#ifndef MBRL_MODELS_DATASET_H
#define MBRL_MODELS_DATASET_H

#include "core/buffer.h"
#include "core/rng.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** n = rows, i = input_dim (features and action), o = output_dim. Row-major float32. */
typedef struct Dataset {
    size_t    input_dim;
    size_t    output_dim;
    size_t    members; /* bootstrap columns */
    size_t    n;
    size_t    capacity;
    float    *inputs;      /* (n, i) */
    float    *targets;     /* (n, o) */
    int32_t  *episode;     /* (n) episode number of the agent */
    uint8_t  *validation;  /* (n) 1 = held out */
    size_t    train_count; /* rows with validation == 0 */
    uint32_t *train_rows;  /* (train_count) their indices, in order */
    size_t    train_first; /* training uses train_rows from here on, see dataset_limit() */
    size_t    held_count;  /* rows with validation == 1 */
    uint32_t *held_rows;   /* (held_count) their indices, in order */
    /* bootstrap: member m trains on train_rows[bootstrap[m][k]], k < bootstrap_count; every block
     * of new training rows adds as many draws from the same block (stratified bootstrap) */
    size_t    bootstrap_count;
    uint32_t *bootstrap; /* (members, capacity) */
} Dataset;

/** @return STATUS_OK; STATUS_ERR_ARG (a dimension or `members` is 0), STATUS_ERR_NOMEM; `*out` is
 * NULL on failure */
Status dataset_create(size_t input_dim, size_t output_dim, size_t members, Dataset **out) MUST_USE;
/** Accepts NULL. */
void dataset_destroy(Dataset *dataset);
/**
 * Appends one row (copied).
 * @return STATUS_OK; STATUS_ERR_NUMERIC for a number that is not finite, STATUS_ERR_NOMEM; nothing
 *         is appended on failure
 */
Status dataset_append(Dataset *dataset, const float *input, const float *target, int32_t episode,
                      bool validation) MUST_USE;
/** Draws bootstrap indices for the training rows that joined since the last call, one lane of
 * (seed, step, RNG_MODEL_BOOTSTRAP) per member. @return STATUS_OK */
Status dataset_bootstrap(Dataset *dataset, uint64_t seed, uint64_t step) MUST_USE;
/** Training uses the newest `limit` training rows (0 = all); nothing is removed. */
void dataset_limit(Dataset *dataset, size_t limit);
/**
 * Changes the number of bootstrap columns. Members that stay keep their draws; for new ones all
 * rows drawn so far are one block, with lanes 2^16 + member of (seed, step, RNG_MODEL_BOOTSTRAP).
 * @return STATUS_OK; STATUS_ERR_ARG (0 members), STATUS_ERR_NOMEM; the dataset is unchanged then
 */
Status dataset_set_members(Dataset *dataset, size_t members, uint64_t seed, uint64_t step) MUST_USE;
/**
 * The rows that a member trains on, in the order of its draws: those of its bootstrap draws that
 * are in use, or, without `bootstrap` or where no draw is, all training rows in use.
 * @param rows  out  room for the larger of train_count and bootstrap_count
 * @return how many
 */
size_t dataset_member_rows(const Dataset *dataset, size_t member, bool bootstrap, size_t *rows);
/** Rows to judge a model by during training: the held-out ones, or the training rows in use where
 * there are none (as mbrl-lib does). */
const uint32_t *dataset_judging_rows(const Dataset *dataset, size_t *count);

/** Serialises `count` rows from `first` on, without bootstrap indices, in the machine's byte order.
 * @return STATUS_OK; STATUS_ERR_RANGE (rows that do not exist), STATUS_ERR_NOMEM */
Status dataset_write_range(const Dataset *dataset, size_t first, size_t count,
                           Buffer *out) MUST_USE;
/**
 * Appends serialised rows.
 * @return STATUS_OK; STATUS_ERR_SHAPE (other dimensions), STATUS_ERR_CORRUPT (length does not fit
 * its own header), STATUS_ERR_NOMEM; nothing is appended on failure
 */
Status dataset_read_rows(Dataset *dataset, const void *bytes, size_t length) MUST_USE;
/** Serialises the bootstrap indices. */
Status dataset_write_bootstrap(const Dataset *dataset, Buffer *out) MUST_USE;
/** Replaces the bootstrap indices; the rows must be there already.
 * @return STATUS_OK; STATUS_ERR_SHAPE (other members), STATUS_ERR_CORRUPT (length, or an index
 *         beyond the training rows); the old indices stay on failure */
Status dataset_read_bootstrap(Dataset *dataset, const void *bytes, size_t length) MUST_USE;

#endif
