/* What a study wants: objectives, constraints, what its segments cost, when to stop; and the
 * earlier studies that it starts from. */
#include "tuner/study_file_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { WINDOW_DEFAULT = 3 /* values of mean_last, as in the PBT schedules for PETS */ };

/* ---- objectives and constraints ---- */

/* A metric that a built-in agent reports; any word for other trainers. */
static Status read_metric(const Node *node, const char *what, const Study *study, char **out,
                          bool *timing) {
    const char *names[STUDY_NAMES_MAX];
    const char *name = NULL;
    size_t      n = 0;
    size_t      index = 0;

    TRY(node_string(node, what, &name));
    if (study->agent != NULL) {
        for (; n < STUDY_NAMES_MAX && study->agent->metrics[n].name != NULL; n++) {
            names[n] = study->agent->metrics[n].name;
        }
        TRY(study__pick(node, what, names, n, &index));
        *timing = study->agent->metrics[index].timing;
    } else if (name[0] == '\0') {
        return node_fail(node, "'%s' must be the name of a metric, found ''", what);
    }
    return study__copy(name, out);
}

static Status read_objective(const Node *node, Study *study) {
    static const char *const keys[] = {"metric", "direction", "reduce", "window", NULL};
    static const char *const directions[] = {"maximize", "minimize"};
    const char              *hint = "{metric: episode_reward, direction: maximize}";
    const char              *reduces[REDUCE_LAST + 1];
    const Node              *metric = NULL;
    const Node              *direction = NULL;
    size_t                   way = 0;
    size_t                   reduce = REDUCE_MEAN_LAST;
    StudyObjective          *objective = &study->objectives[study->objective_count];

    TRY(study__mapping(node, "objective", hint));
    TRY(node_known_keys(node, "objective", keys));
    TRY(study__need(node, "metric", hint, &metric));
    TRY(study__need(node, "direction", "maximize or minimize", &direction));
    for (size_t i = 0; i <= REDUCE_LAST; i++) {
        reduces[i] = reduce_name((ReduceKind)i);
    }
    TRY(study__pick(direction, "direction", directions, 2, &way));
    TRY(study__pick(node_get(node, "reduce"), "reduce", reduces, REDUCE_LAST + 1, &reduce));
    objective->maximize = way == 0;
    objective->reduce = (ReduceKind)reduce;
    objective->window = reduce == REDUCE_MEAN_LAST ? WINDOW_DEFAULT : 1;
    const Node *window = node_get(node, "window");
    if (window != NULL && reduce != REDUCE_MEAN_LAST) {
        return node_fail(window, "'window' goes with reduce: mean_last, found reduce: %s",
                         reduces[reduce]);
    }
    TRY(study__integer(window, "window", 1, 1000000, &objective->window));
    TRY(read_metric(metric, "metric", study, &objective->metric, &objective->timing));
    study->objective_count++;
    for (size_t i = 0; i + 1 < study->objective_count; i++) {
        if (strcmp(study->objectives[i].metric, objective->metric) == 0) {
            return node_fail(metric, "objective '%s' is there twice", objective->metric);
        }
    }
    return STATUS_OK;
}

static Status read_constraint(const Node *key, const Node *node, Study *study) {
    static const char *const keys[] = {"lower", "upper", NULL};
    StudyConstraint         *constraint = &study->constraints[study->constraint_count];
    const Node              *lower = NULL;
    const Node              *upper = NULL;
    const char              *names[STUDY_NAMES_MAX];
    const char              *name = node_text(key);
    size_t                   n = 0;

    TRY(study__mapping(node, name, "{upper: 2.0e9}"));
    TRY(node_known_keys(node, name, keys));
    *constraint = (StudyConstraint){.lower = -(double)INFINITY, .upper = (double)INFINITY};
    lower = node_get(node, "lower");
    upper = node_get(node, "upper");
    if (lower == NULL && upper == NULL) {
        return node_fail(node, "constraint '%s' needs 'lower' or 'upper'", name);
    }
    if (lower != NULL) {
        TRY(node_number(lower, "lower", &constraint->lower));
    }
    if (upper != NULL) {
        TRY(node_number(upper, "upper", &constraint->upper));
    }
    if (isnan(constraint->lower) || isnan(constraint->upper) ||
        constraint->lower > constraint->upper) {
        return node_fail(node, "constraint '%s': lower %g is above upper %g", name,
                         constraint->lower, constraint->upper);
    }
    for (; study->agent != NULL && n < STUDY_NAMES_MAX && study->agent->metrics[n].name != NULL;
         n++) {
        names[n] = study->agent->metrics[n].name;
        if (strcmp(names[n], name) == 0) {
            constraint->timing = study->agent->metrics[n].timing;
            n = 0;
            break;
        }
    }
    if (n > 0) {
        const char *near = option_nearest(name, names, n);
        return node_fail(key, "agent '%s' reports no metric '%s'%s%s%s", study->agent->name, name,
                         near == NULL ? "" : "; did you mean '", near == NULL ? "" : near,
                         near == NULL ? "" : "'?");
    }
    TRY(study__copy(name, &constraint->metric));
    study->constraint_count++;
    return STATUS_OK;
}

static Status read_constraints(const Node *node, Study *study) {
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__mapping(node, "constraints", "{plan_flop: {upper: 2.0e9}}"));
    if (node_count(node) > SCHEDULER_MAX_CONSTRAINTS) {
        return node_fail(node, "'constraints' takes at most %d, found %zu",
                         (int)SCHEDULER_MAX_CONSTRAINTS, node_count(node));
    }
    for (size_t i = 0; i < node_count(node); i++) {
        TRY(read_constraint(node_key(node, i), node_member(node, i, NULL), study));
    }
    return STATUS_OK;
}

static Status read_objective_list(const Node *node, Study *study) {
    if (node_count(node) == 0 || node_count(node) > SCHEDULER_MAX_OBJECTIVES) {
        return node_fail(node, "'objective' takes 1 to %d objectives, found %zu",
                         (int)SCHEDULER_MAX_OBJECTIVES, node_count(node));
    }
    for (size_t i = 0; i < node_count(node); i++) {
        TRY(read_objective(node_at(node, i), study));
    }
    return STATUS_OK;
}

/* `units` without an improvement of the first objective by more than `by` */
static Status read_stop(const Node *node, Study *study) {
    static const char *const keys[] = {"no_improvement", NULL};
    static const char *const rule_keys[] = {"units", "by", NULL};
    const char              *hint = "{no_improvement: {units: 2000, by: 0.01}}";
    const Node              *rule = NULL;
    const Node              *units = NULL;

    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__mapping(node, "stop", hint));
    TRY(node_known_keys(node, "stop", keys));
    TRY(study__need(node, "no_improvement", hint, &rule));
    TRY(study__mapping(rule, "no_improvement", "{units: 2000, by: 0.01}"));
    TRY(node_known_keys(rule, "no_improvement", rule_keys));
    TRY(study__need(rule, "units", "budget units without an improvement, such as 2000", &units));
    TRY(study__integer(units, "stop.no_improvement.units", 1, STUDY_UNITS_MAX, &study->stop.units));
    if (node_get(rule, "by") == NULL) {
        return STATUS_OK;
    }
    TRY(node_number(node_get(rule, "by"), "stop.no_improvement.by", &study->stop.by));
    if (!(study->stop.by >= 0.0) || !isfinite(study->stop.by)) {
        return node_fail(node_get(rule, "by"),
                         "'stop.no_improvement.by' must be a finite number from 0, found %g",
                         study->stop.by);
    }
    return STATUS_OK;
}

/* They are looked for when the study is made, and no more then. */
static Status read_warm_start(const Node *node, Study *study) {
    if (node == NULL) {
        return STATUS_OK;
    }
    if (!node_is_sequence(node) || node_count(node) == 0) {
        return node_fail(node,
                         "'warm_start' must be a list of study folders such as [../first-study]");
    }
    TRY(study__words(node, "warm_start", &study->warm_start, &study->warm_start_count));
    for (size_t i = 1; i < study->warm_start_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(study->warm_start[i], study->warm_start[k]) == 0) {
                return node_fail(node, "'warm_start' names '%s' twice; its results count once",
                                 study->warm_start[i]);
            }
        }
    }
    return STATUS_OK;
}

Status study__read_objectives(const Node *root, Study *study) {
    const Node *node = NULL;

    TRY(study__need(root, "objective", "{metric: episode_reward, direction: maximize}", &node));
    TRY(node_is_sequence(node) ? read_objective_list(node, study) : read_objective(node, study));
    TRY(read_constraints(node_get(root, "constraints"), study));
    if (node_get(root, "cost") != NULL) {
        TRY(read_metric(node_get(root, "cost"), "cost", study, &study->cost, &study->cost_timing));
    }
    TRY(read_warm_start(node_get(root, "warm_start"), study));
    return read_stop(node_get(root, "stop"), study);
}
