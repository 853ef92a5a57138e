#include "tuner/simulate_report.h"

#include "core/json.h"
#include "core/statistics.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"
#include "tuner/table.h"

#include <inttypes.h>
#include <math.h>
#include <unistd.h>

enum { STEPS_SHOWN = 20, TITLE_BYTES = 4096 };

/* what the scheduler needed, on this machine this time */
typedef struct Measured {
    double median; /* s */
    double p99;    /* s */
    double rate;   /* decisions per second, observing included */
} Measured;

static Measured measured_of(const SimulatorReport *report) {
    const Sample sample = {report->decide_seconds, (size_t)report->decisions};
    Measured     m = {(double)NAN, (double)NAN, (double)NAN};
    if (sample.n > 0) {
        m.median = statistics_quantile(sample, 0.5);
        m.p99 = statistics_quantile(sample, 0.99);
        m.rate = (report->thought_seconds > 0.0)
                     ? (double)report->decisions / report->thought_seconds
                     : (double)NAN;
    }
    return m;
}

void simulate_report_measured(const Simulated *simulated, Buffer *out) {
    const Measured m = measured_of(simulated->report);
    buffer_printf(out, "measured: decide median %.3g ms, p99 %.3g ms; %.3g decisions per second\n",
                  1e3 * m.median, 1e3 * m.p99, m.rate);
}

static const SimulatorStep *best_of(const SimulatorReport *report) {
    return report->has_best ? &report->steps[report->step_count - 1] : NULL;
}

/* ---- rows ---- */

static void fill_table(const SimulatorReport *report, size_t first, Table *table) {
    static const char *const titles[] = {"seconds", "segment",   "chains",       "finished",
                                         "units",   "objective", "without_noise"};
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        table_column(table, titles[i], TABLE_RIGHT);
    }
    for (size_t i = first; i < report->step_count; i++) {
        const SimulatorStep *step = &report->steps[i];
        table_number(table, step->time);
        table_number(table, (step->segment > 0) ? (double)step->segment : (double)NAN);
        table_number(table, (double)step->chains);
        table_number(table, (double)step->finished);
        table_number(table, (double)step->units);
        table_number(table, step->objective);
        table_number(table, step->truth);
    }
}

/* what noise made of them is told apart where there is noise */
static void add_truth_columns(const Simulated *simulated, Table *table) {
    for (size_t k = 0; k < simulated->study->objective_count; k++) {
        Buffer title;
        buffer_init(&title, TITLE_BYTES);
        buffer_printf(&title, "%s_without_noise", simulated->study->objectives[k].metric);
        table_column(table, buffer_text(&title), TABLE_RIGHT);
        buffer_reset(&title);
    }
}

/* several objectives: a column for each */
static void fill_front(const Simulated *simulated, Table *table) {
    static const char *const titles[] = {"seconds", "segment", "chains", "depth"};
    const SimulatorFront    *front = &simulated->report->front;
    const bool               noisy = simulated->settings->noise > 0.0;
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        table_column(table, titles[i], TABLE_RIGHT);
    }
    for (size_t k = 0; k < simulated->study->objective_count; k++) {
        table_column(table, simulated->study->objectives[k].metric, TABLE_RIGHT);
    }
    if (noisy) {
        add_truth_columns(simulated, table);
    }
    for (size_t i = 0; i < front->count; i++) {
        const SimulatorFrontPoint *point = &front->points[i];
        table_number(table, point->time);
        table_number(table, (double)point->segment);
        table_number(table, (double)point->chains);
        table_number(table, (double)point->depth);
        for (size_t k = 0; k < simulated->study->objective_count; k++) {
            table_number(table, point->objectives[k]);
        }
        for (size_t k = 0; noisy && k < simulated->study->objective_count; k++) {
            table_number(table, point->truths[k]);
        }
    }
}

Status simulate_report_csv(const Simulated *simulated, Buffer *out) {
    Table table;
    table_init(&table);
    table.exact = true;
    if (simulated->study->objective_count > 1) {
        fill_front(simulated, &table);
    } else {
        fill_table(simulated->report, 0, &table);
    }
    const Status status = table_csv(&table, out);
    table_reset(&table);
    return status;
}

static Status put_steps(const SimulatorReport *report, Buffer *out) {
    Table        table;
    const size_t first = (report->step_count > STEPS_SHOWN) ? report->step_count - STEPS_SHOWN : 0;
    table_init(&table);
    fill_table(report, first, &table);
    buffer_puts(out, "\nbest so far");
    if (first > 0) {
        buffer_printf(out, " (the last %d of %zu; -f csv has all)", STEPS_SHOWN,
                      report->step_count);
    }
    buffer_puts(out, "\n");
    const Status status = table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    return status;
}

static Status put_front(const Simulated *simulated, Buffer *out) {
    const SimulatorFront *front = &simulated->report->front;
    Table                 table;
    buffer_printf(out, "\nfront: hypervolume %.6g", front->hypervolume);
    if (isfinite(front->share)) {
        buffer_printf(out, ", %.2f %% of what the table has room for", 100.0 * front->share);
    }
    buffer_puts(out, "\n");
    table_init(&table);
    fill_front(simulated, &table);
    const Status status = table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    return status;
}

static void put_best(const Simulated *simulated, const SimulatorStep *best, Buffer *out) {
    const int64_t repeats = simulated->study->repeats;
    buffer_printf(out, "  best         %.6g", best->objective);
    if (simulated->settings->noise > 0.0) {
        buffer_printf(out, " (%.6g without noise)", best->truth);
    }
    if (repeats > 1) {
        buffer_printf(out, ", mean of %" PRId64 " of %" PRId64 " chains", best->chains, repeats);
    }
    if (simulated->study->objective_count > 1) {
        buffer_printf(out, ", by %s alone", simulated->study->objectives[0].metric);
    }
    buffer_printf(out, ", segment %" PRId64 ", after %.6g s\n", best->segment, best->time);
}

/* steps without a best: there was one until another of its chains broke a constraint */
static void put_none(const Simulated *simulated, Buffer *out) {
    const SimulatorReport *r = simulated->report;
    const char            *why = "no segment finished with a result";
    if (r->step_count > 0) {
        why = "no configuration keeps the constraints in all of its chains";
    } else if (r->segments > r->failed && simulated->study->constraint_count > 0) {
        why = "no segment finished with a result that keeps the constraints";
    }
    buffer_printf(out, "  best         none: %s\n", why);
}

Status simulate_report_text(const Simulated *simulated, Buffer *out) {
    const SimulatorReport *r = simulated->report;
    const SimulatorStep   *best = best_of(r);
    buffer_printf(out, "simulated '%s': %s on %s, %" PRId64 " workers\n", simulated->study->name,
                  simulated->study->scheduler->name, simulated->problem,
                  simulated->settings->workers);
    buffer_printf(out, "  ended        %s%s\n", r->study_failed ? "failed: " : "", r->reason);
    buffer_printf(out,
                  "  took         %.6g virtual seconds (%.3g h), utilization %.2f %% "
                  "(%.2f %% until the last segment began)\n",
                  r->seconds, r->seconds / 3600.0, 100.0 * r->utilization,
                  100.0 * r->utilization_fed);
    buffer_printf(out,
                  "  did          %" PRId64 " segments (%" PRId64 " failed), %" PRId64
                  " evaluations, %" PRId64 " %ss, %" PRId64 " decisions\n",
                  r->segments, r->failed, r->evaluations, r->units, simulated->study->budget.unit,
                  r->decisions);
    if (simulated->study->warm_start_count > 0) {
        buffer_puts(out, "  left out     warm_start\n");
    }
    if (simulated->settings->measured) {
        buffer_puts(out, "  repeatable   no: measured times of decisions are in it\n");
    }
    if (best == NULL) {
        put_none(simulated, out);
        return (r->step_count > 0 && simulated->study->objective_count == 1) ? put_steps(r, out)
                                                                             : buffer_status(out);
    }
    put_best(simulated, best, out);
    TRY((simulated->study->objective_count > 1) ? put_front(simulated, out) : put_steps(r, out));
    return buffer_status(out);
}

/* ---- JSON ---- */

/* JSON has no NaN and no infinity, and scripts read this with whatever they have */
static Status set_number(Json *object, const char *key, double value) {
    return json_set(object, key, isfinite(value) ? json_new_number(value) : json_new_null());
}

static Status set_integer(Json *object, const char *key, int64_t value) {
    return json_set(object, key, json_new_integer(value));
}

static Status add_step(const SimulatorStep *step, Json *object) {
    TRY(set_number(object, "seconds", step->time));
    TRY(json_set(object, "segment",
                 (step->segment > 0) ? json_new_integer(step->segment) : json_new_null()));
    TRY(set_integer(object, "chains", step->chains));
    TRY(set_integer(object, "finished", step->finished));
    TRY(set_integer(object, "units", step->units));
    TRY(set_number(object, "objective", step->objective));
    return set_number(object, "without_noise", step->truth);
}

static Status add_steps(const SimulatorReport *report, Json *root) {
    const SimulatorStep *best = best_of(report);
    Json                *object = report->has_best ? json_new_object() : json_new_null();
    Json                *array = json_new_array();
    TRY(json_set(root, "best_so_far", array));
    TRY(json_set(root, "best", object));
    if (report->has_best) {
        TRY(add_step(best, object));
    }
    for (size_t i = 0; i < report->step_count; i++) {
        Json *row = json_new_object();
        TRY(json_push(array, row));
        TRY(add_step(&report->steps[i], row));
    }
    return STATUS_OK;
}

static Status add_named(const Study *study, const char *key, const double *values, Json *object) {
    Json *named = json_new_object();
    TRY(json_set(object, key, named));
    for (size_t k = 0; k < study->objective_count; k++) {
        TRY(set_number(named, study->objectives[k].metric, values[k]));
    }
    return STATUS_OK;
}

/* not there where there is one objective */
static Status add_front(const Simulated *simulated, Json *root) {
    const SimulatorFront *front = &simulated->report->front;
    if (simulated->study->objective_count < 2) {
        return STATUS_OK;
    }
    Json *array = json_new_array();
    TRY(json_set(root, "front", array));
    for (size_t i = 0; i < front->count; i++) {
        const SimulatorFrontPoint *point = &front->points[i];
        Json                      *row = json_new_object();
        TRY(json_push(array, row));
        TRY(set_number(row, "seconds", point->time));
        TRY(set_integer(row, "segment", point->segment));
        TRY(set_integer(row, "chains", point->chains));
        TRY(set_integer(row, "depth", point->depth));
        TRY(add_named(simulated->study, "objective", point->objectives, row));
        TRY(add_named(simulated->study, "without_noise", point->truths, row));
    }
    TRY(set_number(root, "hypervolume", front->hypervolume));
    TRY(set_number(root, "hypervolume_share", front->share));
    return add_named(simulated->study, "reference", front->reference, root);
}

static Status add_measured(const SimulatorReport *report, Json *root) {
    const Measured m = measured_of(report);
    Json          *object = json_new_object();
    TRY(json_set(root, "measured", object));
    TRY(set_number(object, "decide_median_s", m.median));
    TRY(set_number(object, "decide_p99_s", m.p99));
    return set_number(object, "decisions_per_second", m.rate);
}

static Status fill_json(const Simulated *simulated, Json *root) {
    const SimulatorReport   *r = simulated->report;
    const SimulatorSettings *settings = simulated->settings;
    TRY(json_set(root, "name", json_new_string(simulated->study->name)));
    TRY(json_set(root, "scheduler", json_new_string(simulated->study->scheduler->name)));
    TRY(json_set(root, "problem", json_new_string(simulated->problem)));
    TRY(set_integer(root, "workers", settings->workers));
    TRY(json_set(root, "repeatable", json_new_bool(!settings->measured)));
    TRY(json_set(root, "failed", json_new_bool(r->study_failed)));
    TRY(json_set(root, "reason", json_new_string(r->reason)));
    TRY(set_number(root, "seconds", r->seconds));
    TRY(set_number(root, "utilization", r->utilization));
    TRY(set_number(root, "utilization_fed", r->utilization_fed));
    TRY(set_integer(root, "segments", r->segments));
    TRY(set_integer(root, "segments_failed", r->failed));
    TRY(set_integer(root, "evaluations", r->evaluations));
    TRY(set_integer(root, "units", r->units));
    TRY(set_integer(root, "decisions", r->decisions));
    TRY(add_steps(r, root));
    TRY(add_front(simulated, root));
    return add_measured(r, root);
}

Status simulate_report_json(const Simulated *simulated, Buffer *out) {
    Json  *root = json_new_object();
    Status status = fill_json(simulated, root);
    if (status == STATUS_OK) {
        status = view_json(root, out);
    }
    json_release(root);
    return status;
}
