/* What is best of what ended. With one chain per configuration it is a segment, and the best can
 * only be beaten. With `repeats` it is a configuration by the mean over its chains, ranked as
 * `mbtune best` ranks: judged at the depth that most of its chains have reached, of several such
 * the deepest; whoever has fewer chains there comes after whoever has more, so that the luckiest
 * chain is not the best while its sisters are in training. Such a best may also fall, or break a
 * constraint with its next chain: then everybody is looked at again, and there may be none.
 * Otherwise a result costs one comparison. */
#include "schedulers/simulator_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void simulator__ranking_reset(SimulatorRanking *ranking) {
    free(ranking->places);
    free(ranking->sums);
    free(ranking->configurations);
    *ranking = (SimulatorRanking){.places = NULL};
}

bool simulator__keeps_constraints(const SimulatorWork *work, size_t job) {
    const SchedulerSetup *study = work->study;
    const double         *values = simulator__constraints(work, job);
    for (size_t i = 0; i < study->constraint_count; i++) {
        if (!(values[i] >= study->constraint_lower[i] && values[i] <= study->constraint_upper[i])) {
            return false;
        }
    }
    return true;
}

static double fitness_of(const SimulatorWork *work, double objective) {
    return work->study->maximize[0] ? objective : -objective;
}

/* time, finished and units are those of the report at this moment */
static Status add_step(SimulatorReport *report, double now, SimulatorStep step) {
    SimulatorStep *steps = simulator__grown(report->steps, &report->step_capacity,
                                            report->step_count + 1, sizeof *steps);
    if (steps == NULL) {
        return STATUS_ERR_NOMEM;
    }
    report->steps = steps;
    step.time = now;
    step.finished = report->segments;
    step.units = report->units;
    steps[report->step_count++] = step;
    return STATUS_OK;
}

/* ---- one chain per configuration ---- */

static Status note_segment(const SimulatorWork *work, size_t job, double now,
                           SimulatorReport *report) {
    const double objective = simulator__objectives(work, job)[0];
    const double best = (report->step_count == 0)
                            ? -(double)INFINITY
                            : fitness_of(work, report->steps[report->step_count - 1].objective);
    if (!(fitness_of(work, objective) > best) || !simulator__keeps_constraints(work, job)) {
        return STATUS_OK;
    }
    report->has_best = true;
    return add_step(report, now,
                    (SimulatorStep){.segment = work->jobs[job].id,
                                    .chains = 1,
                                    .objective = objective,
                                    .truth = simulator__truths(work, job)[0]});
}

/* ---- several ---- */

static const double *sums_of(const SimulatorRanking *ranking, const SimulatorWork *work,
                             size_t place) {
    return ranking->sums + place * 2 * work->study->objective_count;
}

void simulator__place_means(const SimulatorRanking *ranking, const SimulatorWork *work,
                            size_t place, double *means) {
    for (size_t i = 0; i < 2 * work->study->objective_count; i++) {
        means[i] = sums_of(ranking, work, place)[i] / (double)ranking->places[place].chains;
    }
}

/* does the place `a` rank before the place `b`? Equal ones stay where they are */
static bool ranks_before(const SimulatorRanking *ranking, const SimulatorWork *work, size_t a,
                         size_t b) {
    const SimulatorPlace *x = &ranking->places[a];
    const SimulatorPlace *y = &ranking->places[b];
    if (x->chains != y->chains) {
        return x->chains > y->chains;
    }
    return fitness_of(work, sums_of(ranking, work, a)[0]) >
           fitness_of(work, sums_of(ranking, work, b)[0]);
}

static Status make_room(SimulatorRanking *ranking, const SimulatorWork *work, size_t number) {
    const size_t            before = ranking->configuration_count;
    SimulatorConfiguration *configurations =
        simulator__grown(ranking->configurations, &ranking->configuration_capacity, number + 1,
                         sizeof *configurations);
    ranking->configurations = (configurations == NULL) ? ranking->configurations : configurations;
    double *sums = simulator__grown(ranking->sums, &ranking->sum_capacity, ranking->count + 1,
                                    2 * work->study->objective_count * sizeof *sums);
    ranking->sums = (sums == NULL) ? ranking->sums : sums;
    SimulatorPlace *places =
        simulator__grown(ranking->places, &ranking->capacity, ranking->count + 1, sizeof *places);
    ranking->places = (places == NULL) ? ranking->places : places;
    ranking->configuration_count = (number < before) ? before : number + 1;
    return (configurations == NULL || sums == NULL || places == NULL) ? STATUS_ERR_NOMEM
                                                                      : STATUS_OK;
}

/* of a configuration at a depth, new if need be; there must be room */
static size_t find_place(SimulatorRanking *ranking, size_t number, int64_t depth) {
    SimulatorConfiguration *of = &ranking->configurations[number];
    for (size_t at = of->newest; at != 0; at = ranking->places[at - 1].older) {
        if (ranking->places[at - 1].depth == depth) {
            return at - 1;
        }
    }
    ranking->places[ranking->count++] =
        (SimulatorPlace){.depth = depth, .feasible = true, .older = of->newest};
    of->newest = ranking->count;
    return ranking->count - 1;
}

static void add_chain(SimulatorRanking *ranking, const SimulatorWork *work, size_t at, size_t job) {
    SimulatorPlace *place = &ranking->places[at];
    const size_t    width = 2 * work->study->objective_count;
    const double   *values = simulator__objectives(work, job); /* truths follow */
    const double    fitness = fitness_of(work, values[0]);
    for (size_t i = 0; i < width; i++) {
        ranking->sums[at * width + i] += values[i];
    }
    if (place->chains == 0 || fitness > place->best) {
        place->best = fitness;
        place->job = job;
    }
    place->ended = work->jobs[job].ended;
    place->chains++;
    place->feasible = place->feasible && simulator__keeps_constraints(work, job);
}

/* the best of all, 0 where there is none; of equal ones the first */
static size_t look_at_all(const SimulatorRanking *ranking, const SimulatorWork *work) {
    size_t best = 0;
    for (size_t i = 0; i < ranking->configuration_count; i++) {
        const size_t at = ranking->configurations[i].standing;
        if (at != 0 && ranking->places[at - 1].feasible &&
            (best == 0 || ranks_before(ranking, work, at - 1, best - 1))) {
            best = at;
        }
    }
    return best;
}

static Status add_mean(const SimulatorRanking *ranking, const SimulatorWork *work, double now,
                       SimulatorReport *report) {
    report->has_best = ranking->best != 0;
    if (!report->has_best) {
        return add_step(report, now,
                        (SimulatorStep){.objective = (double)NAN, .truth = (double)NAN});
    }
    const SimulatorPlace *place = &ranking->places[ranking->best - 1];
    double                means[2 * SCHEDULER_MAX_OBJECTIVES];
    simulator__place_means(ranking, work, ranking->best - 1, means);
    return add_step(report, now,
                    (SimulatorStep){.segment = work->jobs[place->job].id,
                                    .chains = place->chains,
                                    .objective = means[0],
                                    .truth = means[work->study->objective_count]});
}

static Status note_chain(SimulatorRanking *ranking, const SimulatorWork *work, size_t job,
                         double now, SimulatorReport *report) {
    const size_t number = (size_t)(work->jobs[job].trial / work->study->repeats);
    TRY(make_room(ranking, work, number));
    const size_t            at = find_place(ranking, number, work->jobs[job].end);
    SimulatorConfiguration *of = &ranking->configurations[number];
    const SimulatorPlace   *place = &ranking->places[at];
    const bool              was_best = of->standing != 0 && of->standing == ranking->best;
    add_chain(ranking, work, at, job);
    const SimulatorPlace *standing =
        (of->standing == 0) ? place : &ranking->places[of->standing - 1];
    if (place->chains < standing->chains ||
        (place->chains == standing->chains && place->depth < standing->depth)) {
        return STATUS_OK;
    }
    of->standing = at + 1;
    if (was_best) {
        ranking->best = look_at_all(ranking, work);
    } else if (place->feasible &&
               (ranking->best == 0 || ranks_before(ranking, work, at, ranking->best - 1))) {
        ranking->best = at + 1;
    } else {
        return STATUS_OK;
    }
    return add_mean(ranking, work, now, report);
}

Status simulator__ranking_note(SimulatorRanking *ranking, const SimulatorWork *work, size_t job,
                               double now, SimulatorReport *report) {
    return (work->study->repeats > 1) ? note_chain(ranking, work, job, now, report)
                                      : note_segment(work, job, now, report);
}
