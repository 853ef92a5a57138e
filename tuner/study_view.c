#include "tuner/study_view.h"

#include "core/file.h"
#include "core/number.h"
#include "tuner/study_folder.h"
#include "tuner/table.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2, KEY_WIDTH_MAX = 24, PATH_BYTES = 4096 + 16 };

/* On a network file system the database is the coordinator's alone while it runs, and readers take
 * its copy; afterwards the file is whole, unless its coordinator was killed. */
static Status open_network(const StudyFolder *folder, Results **out) {
    char log[PATH_BYTES];
    if (!study_folder_is_locked(folder->path)) {
        (void)snprintf(log, sizeof log, "%s-wal", folder->database);
        return results_open(folder->database, file_exists(log) ? RESULTS_READ : RESULTS_READ_STILL,
                            out);
    }
    if (!file_exists(folder->snapshot)) {
        FAIL(STATUS_ERR_STATE,
             "'%s' lies on a network file system, and its coordinator has just begun: the first "
             "copy for readers is there in a moment",
             folder->path);
    }
    return results_open(folder->snapshot, RESULTS_READ_STILL, out);
}

static Status open_folder(const StudyFolder *folder, const char *said, Results **out) {
    if (!file_exists(folder->database)) {
        FAIL(STATUS_ERR_IO, "'%s' is no study: it holds no study.db", said);
    }
    return study_folder_is_network(folder->path)
               ? open_network(folder, out)
               : results_open(folder->database, RESULTS_READ, out);
}

Status view_open(const char *folder, Results **out) {
    StudyFolder paths;
    *out = NULL;
    if (!file_is_folder(folder)) {
        FAIL(STATUS_ERR_IO, "'%s' is no study: there is no folder of that name", folder);
    }
    TRY(study_folder_init(folder, &paths));
    const Status status = open_folder(&paths, folder, out);
    study_folder_reset(&paths);
    return status;
}

Status view_json(const Json *json, Buffer *out) {
    json_write(json, true, out);
    buffer_puts(out, "\n");
    return buffer_status(out);
}

/* ---- objects as lines ---- */

static bool is_table(const Json *value) {
    return json_is_array(value) && json_is_object(json_at(value, 0));
}

static size_t key_width(const Json *object) {
    const char *key = NULL;
    Json       *value = NULL;
    size_t      width = 0;

    for (size_t i = 0; json_member(object, i, &key, &value); i++) {
        const size_t length = strlen(key);
        if (!json_is_object(value) && !is_table(value) && length > width &&
            length <= KEY_WIDTH_MAX) {
            width = length;
        }
    }
    return width;
}

/* Flat objects stand on one line. */
static bool is_flat(const Json *object) {
    const char *key = NULL;
    Json       *value = NULL;

    for (size_t i = 0; json_member(object, i, &key, &value); i++) {
        if (json_is_object(value) || json_is_array(value)) {
            return false;
        }
    }
    return true;
}

static Status put_table(const Json *rows, CliStyle style, Buffer *out) {
    Table table;

    table_init(&table);
    table_rows(&table, rows, NULL, false);
    const Status status = table_text(&table, style, out);
    table_reset(&table);
    return status;
}

static bool is_empty(const Json *value) {
    const char *text = json_string(value);

    return json_is_null(value) || (text != NULL && text[0] == '\0') ||
           ((json_is_object(value) || json_is_array(value)) && json_count(value) == 0);
}

static bool is_skipped(const char *key, const char *const *skip) {
    for (size_t i = 0; skip != NULL && skip[i] != NULL; i++) {
        if (strcmp(skip[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static Status put_object(const Json *object, const char *const *skip, size_t indent, CliStyle style,
                         Buffer *out);

/* One member: "key: value", or the key and its value on lines of their own.
 * NOLINTNEXTLINE(misc-no-recursion): depth of what results report */
static Status put_member(const char *key, const Json *value, size_t width, size_t indent,
                         CliStyle style, Buffer *out) {
    const size_t length = strlen(key);

    buffer_printf(out, "%*s%s:", (int)indent, "", key);
    if (is_table(value)) {
        buffer_puts(out, "\n");
        return put_table(value, style, out);
    }
    if (json_is_object(value) && !is_flat(value)) {
        buffer_puts(out, "\n");
        return put_object(value, NULL, indent + INDENT, style, out);
    }
    buffer_printf(out, "%*s", (int)(length < width ? width - length + 1 : 1), "");
    table_value(value, false, out);
    buffer_puts(out, "\n");
    return buffer_status(out);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth of what results report */
static Status put_object(const Json *object, const char *const *skip, size_t indent, CliStyle style,
                         Buffer *out) {
    const size_t width = key_width(object);
    const char  *key = NULL;
    Json        *value = NULL;

    for (size_t i = 0; json_member(object, i, &key, &value); i++) {
        if (is_empty(value) || is_skipped(key, skip)) {
            continue;
        }
        TRY(put_member(key, value, width, indent, style, out));
    }
    return buffer_status(out);
}

Status view_object(const Json *object, const char *const *skip, CliStyle style, Buffer *out) {
    return put_object(object, skip, 0, style, out);
}

/* ---- confirmation ---- */

/* "154.2 (140.1 .. 160.3)"; "-" where nothing is complete. */
static void mean_text(const Json *object, const char *mean, const char *interval, Buffer *out) {
    const Json *value = json_get(object, mean);
    const Json *range = json_get(object, interval);

    if (!json_is_number(value) || isnan(json_number(value))) {
        buffer_puts(out, "-");
        return;
    }
    buffer_printf(out, "%.5g", json_number(value));
    if (json_count(range) == 2) {
        buffer_printf(out, " (%.5g .. %.5g)", json_number(json_at(range, 0)),
                      json_number(json_at(range, 1)));
    }
}

static void put_comparison(const char *title, const Json *measure, Buffer *out) {
    const Json *probability = json_get(measure, "probability");

    buffer_printf(out, "  %s: schedule ", title);
    mean_text(measure, "mean", "interval", out);
    buffer_puts(out, ", defaults ");
    mean_text(measure, "defaults_mean", "defaults_interval", out);
    if (json_is_number(probability)) {
        buffer_printf(out, ", P(schedule better) %.2g", json_number(probability));
    }
    buffer_puts(out, "\n");
}

Status view_confirmed(const Json *confirmed, Buffer *out) {
    if (!json_is_object(confirmed)) {
        return STATUS_OK;
    }
    const long long ended = (long long)(json_integer(json_get(confirmed, "n")) +
                                        json_integer(json_get(confirmed, "failed")));
    if (json_bool(json_get(confirmed, "complete"))) {
        buffer_printf(out, "\nconfirmed on %lld fresh seeds (mean and 95 %% interval over seeds)\n",
                      ended);
    } else {
        buffer_printf(out, "\nconfirmation is not complete: %lld of %lld seeds have ended\n", ended,
                      (long long)json_integer(json_get(confirmed, "planned")));
    }
    put_comparison("at the end", confirmed, out);
    put_comparison("area under the curve", json_get(confirmed, "area"), out);
    return buffer_status(out);
}

static void cell_mean(Table *table, const Json *measure) {
    Buffer text;

    buffer_init(&text, STATUS_TEXT_SIZE);
    mean_text(measure, "mean", "interval", &text);
    table_cell(table, buffer_text(&text));
    buffer_reset(&text);
}

Status view_confirmation(const Json *confirmation, CliStyle style, Buffer *out) {
    static const char *const left[] = {"arm", "source", "depth", "seeds", "failed"};
    const Json              *arms = json_get(confirmation, "arms");
    Table                    table;

    if (json_count(arms) == 0) {
        return STATUS_OK;
    }
    buffer_puts(out, "confirmation (mean and 95 % interval over seeds; probability to beat the "
                     "defaults)\n");
    table_init(&table);
    for (size_t c = 0; c < sizeof left / sizeof left[0]; c++) {
        table_column(&table, left[c], c == 0 ? TABLE_LEFT : TABLE_RIGHT);
    }
    table_column(&table, "at the end", TABLE_RIGHT);
    table_column(&table, "P", TABLE_RIGHT);
    table_column(&table, "area under the curve", TABLE_RIGHT);
    table_column(&table, "P", TABLE_RIGHT);
    for (size_t i = 0; i < json_count(arms); i++) {
        const Json *arm = json_at(arms, i);
        const Json *area = json_get(arm, "area");
        for (size_t c = 0; c < sizeof left / sizeof left[0]; c++) {
            table_json(&table, json_get(arm, left[c]));
        }
        cell_mean(&table, arm);
        table_json(&table, json_get(arm, "probability"));
        cell_mean(&table, area);
        table_json(&table, json_get(area, "probability"));
    }
    const Status status = table_text(&table, style, out);
    table_reset(&table);
    return status;
}

/* ---- YAML ---- */

/* A plain word that no YAML reader takes for anything but a string. */
static bool is_plain_word(const char *text) {
    static const char *const taken[] = {"true", "false", "null", "yes", "no", "on",
                                        "off",  "y",     "n",    "~",   NULL};
    double                   number = 0.0;

    if (isalpha((unsigned char)text[0]) == 0 || number_parse(text, &number)) {
        return false;
    }
    for (size_t i = 0; taken[i] != NULL; i++) {
        if (strcasecmp(text, taken[i]) == 0) {
            return false;
        }
    }
    for (; *text != '\0'; text++) {
        if (isalnum((unsigned char)*text) == 0 && strchr("_-./", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static void yaml_scalar(const Json *json, Buffer *out) {
    if (json_is_string(json) && is_plain_word(json_string(json))) {
        buffer_puts(out, json_string(json));
    } else if (json_is_number(json) && !json_is_integer(json) && !isfinite(json_number(json))) {
        const double value = json_number(json);
        buffer_puts(out, isnan(value) ? ".nan" : value > 0.0 ? ".inf" : "-.inf");
    } else {
        json_write(json, false, out); /* a double-quoted JSON string is one of YAML too */
    }
}

static void yaml_value(const Json *json, size_t indent, bool in_list, Buffer *out);

/* NOLINTNEXTLINE(misc-no-recursion): depth of what results report */
static void yaml_members(const Json *object, size_t indent, bool in_list, Buffer *out) {
    const char *key = NULL;
    Json       *value = NULL;

    for (size_t i = 0; json_member(object, i, &key, &value); i++) {
        Json *name = json_new_string(key);
        /* the first member of a list's element stands behind its dash */
        buffer_printf(out, "%*s", in_list && i == 0 ? 0 : (int)indent, "");
        yaml_scalar(name, out);
        json_release(name);
        buffer_puts(out, ":");
        yaml_value(value, indent + INDENT, false, out);
    }
}

static void yaml_value(const Json *json, size_t indent, bool in_list, Buffer *out) {
    const bool object = json_is_object(json);
    const bool array = json_is_array(json);

    if ((object || array) && json_count(json) == 0) {
        buffer_printf(out, "%s%s\n", in_list ? "" : " ", object ? "{}" : "[]");
    } else if (object) {
        buffer_puts(out, in_list ? "" : "\n");
        yaml_members(json, indent, in_list, out);
    } else if (array) {
        buffer_puts(out, "\n");
        for (size_t i = 0; i < json_count(json); i++) {
            buffer_printf(out, "%*s- ", (int)indent, "");
            yaml_value(json_at(json, i), indent + INDENT, true, out);
        }
    } else {
        buffer_puts(out, in_list ? "" : " ");
        yaml_scalar(json, out);
        buffer_puts(out, "\n");
    }
}

Status view_yaml(const Json *json, Buffer *out) {
    if (json_is_object(json) && json_count(json) > 0) {
        yaml_members(json, 0, false, out);
    } else {
        yaml_value(json, 0, true, out);
    }
    return buffer_status(out);
}

Status view_mend_state(const char *folder, Json *report) {
    const char *state = json_string(json_get(report, "state"));
    const char *agent = json_string(json_get(report, "agent"));
    const bool  manual = agent != NULL && strcmp(agent, "manual") == 0;

    if (manual || state == NULL || strcmp(state, "running") != 0 ||
        study_folder_is_locked(folder)) {
        return STATUS_OK;
    }
    TRY(json_set(report, "state", json_new_string("interrupted")));
    return json_set(report, "reason",
                    json_new_string("cut off: no mbtune is running it; run it again to go on"));
}

void view_bytes(double bytes, Buffer *out) {
    static const char *const units[] = {"byte", "KiB", "MiB", "GiB", "TiB"};
    size_t                   unit = 0;
    while (bytes >= 1024.0 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024.0;
        unit++;
    }
    const bool many = unit == 0 && bytes != 1.0; /* a whole number here */
    buffer_printf(out, "%.*f %s%s", (unit == 0 || bytes >= 100.0) ? 0 : 1, bytes, units[unit],
                  many ? "s" : "");
}
