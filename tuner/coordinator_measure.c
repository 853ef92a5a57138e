/* What a finished segment is worth: objectives and constraints along its lineage, its own cost. */
#include "tuner/coordinator_state.h"

#include <math.h>
#include <stdio.h>

Status coordinator__measure(Coordinator *c, int64_t segment, Outstanding *event, char *why,
                            size_t size) {
    for (size_t i = 0; i < c->study->objective_count; i++) {
        const StudyObjective *objective = &c->study->objectives[i];
        const Reduction reduction = {objective->reduce, objective->window, objective->maximize};
        const size_t    window = reduce_window(reduction, c->window_capacity);
        size_t          found = 0;
        size_t          own = 0;
        TRY(results_lineage_window(c->results, segment, objective->metric, window, c->window,
                                   &found, &own));
        /* a segment shorter than an episode may report none of its own: its line's values stand */
        if (found == 0) {
            event->outcome = OUTCOME_NO_OBJECTIVE;
            (void)snprintf(why, size, "the trainer reported no value of '%s'", objective->metric);
            return STATUS_OK;
        }
        event->objectives[i] = reduce_values(reduction, c->window, found);
        event->spreads[i] = reduce_spread(c->window, own);
        if (isnan(event->objectives[i])) {
            event->outcome = OUTCOME_DIVERGED;
            (void)snprintf(why, size, "'%s' is NaN", objective->metric);
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < c->study->constraint_count; i++) {
        size_t found = 0;
        size_t own = 0;
        TRY(results_lineage_window(c->results, segment, c->study->constraints[i].metric, 1,
                                   c->window, &found, &own));
        event->constraints[i] = (found > 0) ? c->window[0] : (double)NAN;
    }
    return STATUS_OK;
}

bool coordinator__feasible(const Coordinator *c, const double *constraints) {
    for (size_t i = 0; i < c->study->constraint_count; i++) {
        const StudyConstraint *bound = &c->study->constraints[i];
        if (!(constraints[i] >= bound->lower && constraints[i] <= bound->upper)) {
            return false;
        }
    }
    return true;
}

/* The sum over the segment's own units becomes a column of its row, so that a replay tells the
 * scheduler the same number. Attempts that were given up are not in it: their metrics are gone. */
Status coordinator__note_cost(Coordinator *c, int64_t segment, Outstanding *event) {
    event->cost = (double)NAN;
    if (c->study->cost == NULL) {
        return STATUS_OK;
    }
    TRY(results_metric_sum(c->results, segment, c->study->cost, &event->cost));
    return results_segment_cost_set(c->results, segment, event->cost);
}
