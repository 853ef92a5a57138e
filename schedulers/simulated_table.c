/* Recorded learning curves as a problem. A segment shows the row of its end in the curve of the
 * nearest configuration: numeric values by their distance in the unit cube, a categorical value
 * that differs counts as 1, as does one that is active on one side only. A table holds no agents:
 * what was learned with other values is not in it, so where values change in a chain the curve of
 * the new ones is shown as if they had been there from the beginning. */
#include "schedulers/curve_table.h"
#include "schedulers/simulated_internal.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_METRICS = SCHEDULER_MAX_OBJECTIVES + SCHEDULER_MAX_CONSTRAINTS + 2 };

typedef struct Curves {
    const SchedulerSetup *study;
    CurveTable           *table;
    double               *units; /* (configuration_count, space_count) coordinates */
} Curves;

static double distance(const Curves *c, size_t configuration, const double *point,
                       const double *unit) {
    const size_t  n = space_count(c->study->space);
    const double *other = c->table->points + configuration * n;
    const double *place = c->units + configuration * n;
    double        sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(point[i]) || isnan(other[i])) {
            sum += (isnan(point[i]) && isnan(other[i])) ? 0.0 : 1.0;
        } else if (space_is_unordered(space_at(c->study->space, i))) {
            sum += (point[i] == other[i]) ? 0.0 : 1.0;
        } else {
            sum += (unit[i] - place[i]) * (unit[i] - place[i]);
        }
    }
    return sum;
}

/* the first of those at the least distance */
static size_t nearest(const Curves *c, const double *point, const double *unit) {
    size_t best = 0;
    double least = (double)INFINITY;
    for (size_t i = 0; i < c->table->configuration_count; i++) {
        const double d = distance(c, i, point, unit);
        if (d < least) {
            least = d;
            best = i;
        }
    }
    return best;
}

/* rows of a curve with a unit of at most `unit` */
static size_t rows_until(const CurveTable *table, size_t first, size_t last, int64_t unit) {
    size_t low = first;
    size_t high = last;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (table->units[middle] <= unit) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - first;
}

/* sum of a metric over the units of a segment; NaN if none of them has a row */
static double sum_of(const CurveTable *table, size_t from, size_t to, size_t metric) {
    double sum = (from < to) ? 0.0 : (double)NAN;
    for (size_t row = from; row < to; row++) {
        sum += table->metrics[row * table->metric_count + metric];
    }
    return sum;
}

static void show(const Curves *c, size_t curve, const SimulatedSegment *segment,
                 SimulatedResult *out) {
    const CurveTable *table = c->table;
    const size_t      first = table->curve_rows[curve];
    const size_t      last = table->curve_rows[curve + 1];
    const size_t      end = first + rows_until(table, first, last, segment->end);
    const size_t      begin = first + rows_until(table, first, last, segment->begin);
    const size_t      row = (end > first) ? end - 1 : first;
    const double     *metrics = table->metrics + row * table->metric_count;
    const size_t      k = c->study->objective_count;
    for (size_t i = 0; i < k; i++) {
        out->objectives[i] = metrics[i];
    }
    for (size_t i = 0; i < c->study->constraint_count; i++) {
        out->constraints[i] = metrics[k + i];
    }
    out->cost = sum_of(table, begin, end, k + c->study->constraint_count);
    out->seconds = sum_of(table, begin, end, k + c->study->constraint_count + 1);
}

static Status table_train(const void *self, const SimulatedSegment *segment, SimulatedResult *out) {
    const Curves *c = self;
    double       *unit = calloc(space_count(c->study->space) + 1, sizeof *unit);
    if (unit == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    space_encode(c->study->space, segment->point, unit);
    const size_t configuration = nearest(c, segment->point, unit);
    const size_t first = c->table->configuration_curves[configuration];
    const size_t seeds = c->table->configuration_curves[configuration + 1] - first;
    free(unit);
    show(c, first + (size_t)(segment->seed % seeds), segment, out);
    return STATUS_OK;
}

/* of all rows: the same for every scheduler that is tried on the table */
static void table_range(const void *self, double *worst, double *best) {
    const Curves     *c = self;
    const CurveTable *table = c->table;
    for (size_t i = 0; i < c->study->objective_count; i++) {
        double lowest = (double)INFINITY;
        double highest = -(double)INFINITY;
        for (size_t row = 0; row < table->row_count; row++) {
            const double value = table->metrics[row * table->metric_count + i];
            lowest = fmin(lowest, value); /* which take no NaN */
            highest = fmax(highest, value);
        }
        worst[i] = c->study->maximize[i] ? lowest : highest;
        best[i] = c->study->maximize[i] ? highest : lowest;
    }
}

/* ---- making ---- */

static void table_destroy(void *self) {
    Curves *c = self;
    if (c != NULL) {
        curve_table_destroy(c->table);
        free(c->units);
        free(c);
    }
}

/* objectives, constraints, then cost and seconds, which need not be there */
static Status read_table(const SimulatedSetup *setup, Curves *c) {
    const char  *metrics[MOST_METRICS];
    const size_t k = setup->study->objective_count;
    const size_t needed = k + setup->study->constraint_count;
    for (size_t i = 0; i < needed; i++) {
        metrics[i] = (i < k) ? setup->objectives[i] : setup->constraints[i - k];
    }
    metrics[needed] = setup->cost;
    metrics[needed + 1] = "seconds";
    const CurveColumns columns = {metrics, needed + 2, (setup->cost == NULL) ? needed : needed + 1};
    return curve_table_read(setup->table, setup->study->space, &columns, &c->table);
}

static Status place_configurations(Curves *c) {
    const size_t n = space_count(c->study->space);
    c->units = calloc(c->table->configuration_count * n + 1, sizeof *c->units);
    if (c->units == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations", c->table->configuration_count);
    }
    for (size_t i = 0; i < c->table->configuration_count; i++) {
        space_encode(c->study->space, c->table->points + i * n, c->units + i * n);
    }
    return STATUS_OK;
}

static Status table_create(const SimulatedProblemOps *ops, const SimulatedSetup *setup,
                           void **self) {
    Curves *c = calloc(1, sizeof *c);
    (void)ops;
    *self = NULL;
    if (c == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a table");
    }
    c->study = setup->study;
    Status status = read_table(setup, c);
    if (status == STATUS_OK) {
        status = place_configurations(c);
    }
    if (status != STATUS_OK) {
        table_destroy(c);
        return status;
    }
    *self = c;
    return STATUS_OK;
}

const SimulatedProblemOps simulated_table_ops = {
    .name = "table",
    .source = "a CSV file of the user's (docs/simulation.md)",
    .help = "Recorded learning curves; a configuration takes the nearest one's.",
    .best = (double)NAN,
    .per_trial = 1,
    .segment = 1,
    .reduced = true,
    .create = table_create,
    .train = table_train,
    .destroy = table_destroy,
    .range = table_range,
};
