/** @file study_view.h  What the commands that look at a study share. */
#ifndef TUNER_STUDY_VIEW_H
#define TUNER_STUDY_VIEW_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"
#include "results/results.h"
#include "tuner/cli.h"

typedef enum ViewFormat { VIEW_TABLE, VIEW_JSON, VIEW_CSV } ViewFormat;

/** Opens the database of study folder `folder` for reading; a live study goes on meanwhile.
 * @return STATUS_OK; STATUS_ERR_IO if it is no study folder; what results_open() fails with */
Status view_open(const char *folder, Results **out) MUST_USE;
/** A report whose `state` is "running" although nobody runs the study says so: a coordinator that
 * was killed could not. Not where a person trains (`agent` "manual"): nothing runs in between. */
Status view_mend_state(const char *folder, Json *report) MUST_USE;
/** Appends "key: value" lines of an object, keys aligned, nested objects below their key; null and
 * empty values are left out, and so are the keys of `skip` (ends at NULL, or NULL). */
Status view_object(const Json *object, const char *const *skip, CliStyle style,
                   Buffer *out) MUST_USE;
/** Appends how the best schedule did on fresh seeds, beside the defaults ("confirmed" of
 * report_best()); nothing if it was not confirmed. */
Status view_confirmed(const Json *confirmed, Buffer *out) MUST_USE;
/** Appends a table of the arms of a confirmation (report_confirmation()); nothing for null. */
Status view_confirmation(const Json *confirmation, CliStyle style, Buffer *out) MUST_USE;
/** Appends JSON over several lines with a final newline. */
Status view_json(const Json *json, Buffer *out) MUST_USE;
/** Appends JSON as block-style YAML. */
Status view_yaml(const Json *json, Buffer *out) MUST_USE;

/** Appends an amount of memory as people read it: "12.5 MiB". */
void view_bytes(double bytes, Buffer *out);

#endif
