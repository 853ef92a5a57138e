#include "schedulers/elite_archive.h"

#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROUND = 1 };

Status elite_archive_init(EliteArchive *archive, size_t members, size_t most, int64_t episodes) {
    *archive = (EliteArchive){
        .most = most, .episodes = episodes, .members = members, .round = FIRST_ROUND};
    archive->ids = calloc(most, sizeof *archive->ids);
    archive->fitness = calloc(most, sizeof *archive->fitness);
    archive->waiting = calloc(most, sizeof *archive->waiting);
    archive->entered = calloc(members, sizeof *archive->entered);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    archive->best = calloc(members, sizeof *archive->best);
    if (archive->ids == NULL || archive->fitness == NULL || archive->waiting == NULL ||
        archive->entered == NULL || archive->best == NULL) {
        elite_archive_reset(archive);
        FAIL(STATUS_ERR_NOMEM, "no memory for an archive of %zu", most);
    }
    return STATUS_OK;
}

void elite_archive_reset(EliteArchive *archive) {
    free(archive->ids);
    free(archive->fitness);
    free(archive->waiting);
    free(archive->entered);
    free((void *)archive->best);
    *archive = (EliteArchive){.ids = NULL};
}

/* ---- who is in ---- */

/* better first, the earlier of equals first */
static int better_first(const void *a, const void *b) {
    const SegmentNode *x = *(const SegmentNode *const *)a;
    const SegmentNode *y = *(const SegmentNode *const *)b;
    const int          order = segment_node_compare(y, x);
    return (order != 0) ? order : (x->id > y->id) - (x->id < y->id);
}

/* the first `most` of the segments given per member, 0 = none; how many */
static size_t choose(const EliteArchive *archive, const Population *population, bool entered) {
    size_t n = 0;
    for (size_t i = 0; i < archive->members; i++) {
        const int64_t id =
            entered ? archive->entered[i] : segment_tree_best(&population->tree, (int64_t)i);
        if (id != 0) {
            archive->best[n++] = segment_tree_at(&population->tree, id);
        }
    }
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    qsort((void *)archive->best, n, sizeof *archive->best, better_first);
    return (n < archive->most) ? n : archive->most;
}

/* an evaluated segment takes its member's place by the score that it was chosen by */
static void enter(EliteArchive *archive, const SegmentTree *tree, int64_t segment) {
    const SegmentNode *node = segment_tree_at(tree, segment);
    if (node == NULL || !isfinite(node->evaluated)) {
        return;
    }
    int64_t           *place = &archive->entered[node->trial];
    const SegmentNode *before = segment_tree_at(tree, *place);
    if (before == NULL || better_first(&node, &before) < 0) {
        *place = node->id;
    }
}

static void list_waiting(EliteArchive *archive, const Population *population) {
    const size_t n = choose(archive, population, false);
    memset(archive->waiting, 0, archive->most * sizeof *archive->waiting);
    for (size_t i = 0; i < n; i++) {
        archive->waiting[i] = archive->best[i]->id;
    }
}

static void update(EliteArchive *archive, const Population *population) {
    const bool evaluates = archive->episodes > 0;
    if (evaluates) {
        list_waiting(archive, population);
    }
    archive->count = choose(archive, population, evaluates);
    for (size_t i = 0; i < archive->count; i++) {
        archive->ids[i] = archive->best[i]->id;
        const SegmentNode *node = archive->best[i];
        archive->fitness[i] = evaluates ? node->evaluated : node->worth.level;
    }
}

/* A round is decided from one archive, that of the rounds before it, however early results of the
 * round come back: so evaluations of the round are taken up when it has closed and all are back. */
static bool update_between_rounds(EliteArchive *archive, const Population *population) {
    if (population->round != archive->round) {
        archive->round = population->round;
        archive->stale = true;
    }
    if (!archive->stale || population->tree.evaluations_open > 0) {
        return false;
    }
    archive->stale = false;
    for (size_t i = 0; i < archive->most; i++) {
        enter(archive, &population->tree, archive->waiting[i]);
    }
    update(archive, population);
    return true;
}

bool elite_archive_observe(EliteArchive *archive, const Population *population,
                           const Event *event) {
    const SegmentTree *tree = &population->tree;
    if (event->kind != EVENT_FINISHED && event->kind != EVENT_EVALUATED) {
        return false;
    }
    if (population->mode == POPULATION_SYNCHRONOUS) {
        return update_between_rounds(archive, population);
    }
    if (event->kind == EVENT_EVALUATED) {
        enter(archive, tree, tree->evaluated[event->id - 1]);
    }
    update(archive, population);
    return true;
}

/* ---- questions ---- */

const SegmentNode *elite_archive_at(const EliteArchive *archive, const Population *population,
                                    size_t index) {
    return segment_tree_at(&population->tree, archive->ids[index]);
}

static bool can_go_on(const Population *population, const SegmentNode *node) {
    return node->end < population->setup.per_trial;
}

const SegmentNode *elite_archive_draw(const EliteArchive *archive, const Population *population,
                                      int64_t number) {
    size_t n = 0;
    for (size_t i = 0; i < archive->count; i++) {
        const SegmentNode *node = elite_archive_at(archive, population, i);
        if (can_go_on(population, node)) {
            archive->best[n++] = node;
        }
    }
    if (n == 0) {
        return NULL;
    }
    Rng rng = scheduler_rng(&population->setup, number, LANE_PICK);
    return archive->best[rng_below(&rng, n)];
}

const SegmentNode *elite_archive_best(const EliteArchive *archive, const Population *population) {
    for (size_t i = 0; i < archive->count; i++) {
        const SegmentNode *node = elite_archive_at(archive, population, i);
        if (can_go_on(population, node)) {
            return node;
        }
    }
    return NULL;
}

double elite_archive_level(const EliteArchive *archive, const SegmentNode *node) {
    for (size_t i = 0; i < archive->count; i++) {
        if (archive->ids[i] == node->id) {
            return archive->fitness[i];
        }
    }
    return node->worth.level;
}

double elite_archive_mean(const EliteArchive *archive) {
    double sum = 0.0;
    for (size_t i = 0; i < archive->count; i++) {
        sum += archive->fitness[i];
    }
    return sum / (double)archive->count;
}

/* ---- evaluations ---- */

/* nothing of the round that is due has been decided */
static bool between_rounds(const Population *population) {
    const SegmentTree *tree = &population->tree;
    return population->previous_last == tree->first_id + (int64_t)tree->count - 1;
}

static const SegmentNode *due(const EliteArchive *archive, const Population *population) {
    for (size_t i = 0; archive->episodes > 0 && i < archive->most; i++) {
        const SegmentNode *node = segment_tree_at(&population->tree, archive->waiting[i]);
        if (node != NULL && node->evaluation == 0) {
            return node;
        }
    }
    return NULL;
}

bool elite_archive_decide(const EliteArchive *archive, const Population *population,
                          Decision *decision) {
    const bool synchronous = population->mode == POPULATION_SYNCHRONOUS;
    /* a round waits for the evaluations of the last one; the end waits for all, but asks for none
     */
    if (archive->stale ||
        (decision->kind == DECISION_DONE && population->tree.evaluations_open > 0)) {
        scheduler__wait(decision);
        return true;
    }
    if (decision->kind == DECISION_DONE || population_left(population) < 1 ||
        (synchronous && !between_rounds(population))) {
        return false;
    }
    const SegmentNode *node = due(archive, population);
    if (node == NULL) {
        return false;
    }
    decision->kind = DECISION_EVALUATE;
    decision->parent = node->id;
    decision->trial = node->trial;
    decision->begin = 0;
    decision->end = 0;
    decision->branch = false;
    decision->memo_size = 0;
    decision->episodes = archive->episodes;
    (void)snprintf(decision->reason, sizeof decision->reason, "elite");
    (void)snprintf(decision->note, sizeof decision->note, "score %.4g", node->fitness);
    return true;
}

/* ---- checkpoints ---- */

static bool holds(const int64_t *ids, size_t n, int64_t id) {
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

Keeps elite_archive_keeps(const EliteArchive *archive, const Population *population,
                          int64_t segment) {
    const SegmentNode *asked = segment_tree_at(&population->tree, segment);
    int64_t            floor = INT64_MAX;
    if (holds(archive->ids, archive->count, segment) ||
        (archive->episodes > 0 && holds(archive->waiting, archive->most, segment)) ||
        (asked != NULL && asked->evaluation > 0 && isnan(asked->evaluated))) {
        return KEEPS_YES;
    }
    for (size_t i = 0; i < archive->count; i++) {
        /* whoever goes back there will compare results again from the next depth on */
        const SegmentNode *node = elite_archive_at(archive, population, i);
        if (can_go_on(population, node) && node->end + 1 < floor) {
            floor = node->end + 1;
        }
    }
    return population_keeps(population, segment, floor);
}
