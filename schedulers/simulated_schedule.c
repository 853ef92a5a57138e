/* An agent that learns, in two numbers: the dynamic problem that population methods are tried on.
 *
 * State: skill in [0, 1], which is also the objective, and debt. Per budget unit
 *
 *   skill += rate (limit - skill),  rate = RATE * match * fit * (1 + SHORTCUT_GAIN * shortcut)
 *
 * - match = exp(-sum_j ((u_j - c_j) / WIDTH)^2 / 2) over the coordinates u_j of the three numeric
 *   hyperparameters: learning goes fast near the optimum c, which moves with skill from `start` to
 *   `end` as a learning rate should fall, exploration should fall and a horizon should grow while
 *   an agent gets better. One setting for the whole run is a compromise.
 * - fit: 1 for the right choice of the categorical one, OTHER_FIT for the other, WORST_FIT for the
 *   third, which is never right. The right one changes at half of the skill.
 * - shortcut (instance schedule_trap only): between SHORTCUT_FROM and SHORTCUT_TO little
 *   exploration learns several times faster, and what is learned that way is a debt:
 *   debt += SHORTCUT_DEBT * shortcut * gain. Past SHORTCUT_TO the limit is 1 - debt, else 1. So
 *   what looks best for a while ends below what a good constant setting reaches, and no later
 *   values repair it: only who goes back to an older agent, or kept a slower one, gets further.
 *
 * The instances, with 120 units in segments of 4; best static value by a dense search over the
 * space, greedy = per segment the values with the best skill at its end (both without noise, see
 * tests/schedulers/test_simulated_schedule.c, which asserts these):
 *
 *   instance          best schedule  best static  greedy
 *   schedule                  0.95         0.80    0.95    a schedule is needed, greedy is right
 *   schedule_trap             0.95         0.80    0.67    a schedule is needed, greedy is wrong
 *   schedule_static           0.95         0.95    0.95    one setting is best: nothing to gain
 *
 * The numbers were fixed on these three columns before any scheduler was run on the problem; they
 * are part of every figure measured with it. */
#include "schedulers/simulated_internal.h"

#include <math.h>
#include <stdlib.h>

enum { NUMERIC = 3, CHOICES = 3, EXPLORATION = 1, SKILL = 0, DEBT = 1, STATE = 2 };

/* per unit at the optimum: 120 units take the skill to 0.95 */
#define RATE           0.025
#define WIDTH          0.3 /* of the match, in the unit cube */
#define OTHER_FIT      0.6
#define WORST_FIT      0.4
#define CHANGE_AT      0.5 /* skill at which the right choice changes */
#define SHORTCUT_FROM  0.2
#define SHORTCUT_TO    0.6
#define SHORTCUT_WIDTH 0.15 /* of exploration above 0, in the unit cube */
#define SHORTCUT_GAIN  20.0
#define SHORTCUT_DEBT  1.25

typedef struct Instance {
    double start[NUMERIC]; /* the optimum at skill 0 */
    double end[NUMERIC];   /* and at skill 1 */
    size_t late_choice;    /* the right one from CHANGE_AT on; before it is 0 */
    bool   shortcut;
} Instance;

static const Instance moving = {{0.9, 0.85, 0.15}, {0.2, 0.35, 0.75}, 1, false};
static const Instance trap = {{0.9, 0.85, 0.15}, {0.2, 0.35, 0.75}, 1, true};
static const Instance resting = {{0.55, 0.6, 0.45}, {0.55, 0.6, 0.45}, 0, false};

typedef struct Agent {
    const Instance      *instance;
    SimulatedCoordinates coordinates;
    double               sign; /* of the objective, in the study's direction */
} Agent;

/* ---- learning ---- */

static double shortcut_at(const Instance *in, double skill, double exploration) {
    if (!in->shortcut || skill < SHORTCUT_FROM || skill >= SHORTCUT_TO) {
        return 0.0;
    }
    const double z = exploration / SHORTCUT_WIDTH;
    return exp(-0.5 * z * z);
}

static double fit_of(const Instance *in, double skill, size_t choice) {
    const size_t right = (skill < CHANGE_AT) ? 0 : in->late_choice;
    if (choice == right) {
        return 1.0;
    }
    return (choice == CHOICES - 1) ? WORST_FIT : OTHER_FIT;
}

static void learn_unit(const Instance *in, const double *u, size_t choice, double *state) {
    const double skill = state[SKILL];
    double       distance = 0.0;
    for (size_t j = 0; j < NUMERIC; j++) {
        const double z = (u[j] - in->start[j] - (in->end[j] - in->start[j]) * skill) / WIDTH;
        distance += z * z;
    }
    const double shortcut = shortcut_at(in, skill, u[EXPLORATION]);
    const double rate =
        RATE * exp(-0.5 * distance) * fit_of(in, skill, choice) * (1.0 + SHORTCUT_GAIN * shortcut);
    const double limit = (skill < SHORTCUT_TO) ? 1.0 : 1.0 - state[DEBT];
    const double gain = rate * (limit - skill);
    state[DEBT] += SHORTCUT_DEBT * shortcut * fmax(gain, 0.0);
    state[SKILL] += gain;
}

static Status agent_train(const void *self, const SimulatedSegment *segment, SimulatedResult *out) {
    const Agent *agent = self;
    double       x[NUMERIC + 1];
    simulated_coordinates_read(&agent->coordinates, segment->point, x);
    for (size_t i = 0; i < STATE; i++) {
        out->state[i] = (segment->parent == NULL) ? 0.0 : segment->parent[i];
    }
    for (int64_t unit = segment->begin; unit < segment->end; unit++) {
        learn_unit(agent->instance, x, (size_t)x[NUMERIC], out->state);
    }
    out->objectives[0] = agent->sign * out->state[SKILL];
    out->cost = (double)NAN;
    out->seconds = (double)NAN;
    return STATUS_OK;
}

/* ---- making ---- */

static Status agent_create(const SimulatedProblemOps *ops, const SimulatedSetup *setup,
                           void **self) {
    const SimulatedNeed need = {ops->name, NUMERIC, 1, CHOICES, false};
    Agent              *agent = calloc(1, sizeof *agent);
    *self = NULL;
    if (agent == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the problem '%s'", ops->name);
    }
    agent->instance = ops->data;
    agent->sign = (setup->study->maximize[0] == ops->maximize) ? 1.0 : -1.0;
    const Status status =
        simulated_coordinates_find(&need, setup->study->space, &agent->coordinates);
    if (status != STATUS_OK) {
        free(agent);
        return status;
    }
    *self = agent;
    return STATUS_OK;
}

/* The defaults are nobody's optimum, so that the first configuration is no gift. */
static Status fill_space(Space *space) {
    static char  learning_rate[] = "learning_rate";
    static char  exploration[] = "exploration";
    static char  horizon[] = "horizon";
    static char  optimizer[] = "optimizer";
    static char  choices[CHOICES][8] = {"adam", "rmsprop", "sgd"};
    static char *names[CHOICES] = {choices[0], choices[1], choices[2]};
    TRY(space_add(space, &(SpaceParameter){.name = learning_rate,
                                           .type = SPACE_FLOAT,
                                           .lower = 1e-5,
                                           .upper = 1e-1,
                                           .log = true,
                                           .default_value = 1e-4,
                                           .dynamic = true}));
    TRY(space_add(space, &(SpaceParameter){.name = exploration,
                                           .type = SPACE_FLOAT,
                                           .upper = 1.0,
                                           .default_value = 0.25,
                                           .dynamic = true}));
    TRY(space_add(space, &(SpaceParameter){.name = horizon,
                                           .type = SPACE_INT,
                                           .lower = 5,
                                           .upper = 40,
                                           .default_value = 35,
                                           .dynamic = true}));
    TRY(space_add(space, &(SpaceParameter){.name = optimizer,
                                           .type = SPACE_CATEGORICAL,
                                           .upper = CHOICES - 1,
                                           .choices = names,
                                           .choice_count = CHOICES,
                                           .default_value = CHOICES - 1,
                                           .dynamic = true}));
    return space_seal(space);
}

static Status agent_space(const SimulatedProblemOps *ops, Space **out) {
    (void)ops;
    TRY(space_create(out));
    const Status status = fill_space(*out);
    if (status != STATUS_OK) {
        space_destroy(*out);
        *out = NULL;
    }
    return status;
}

#define SCHEDULE_OPS(problem, instance, text)                                                     \
    {                                                                                             \
        .name = (problem), .source = "this project (schedulers/simulated_schedule.c)",            \
        .help = (text), .data = &(instance), .state_size = STATE, .best = 0.95, .per_trial = 120, \
        .segment = 4, .maximize = true, .space = agent_space, .create = agent_create,             \
        .train = agent_train, .destroy = free,                                                    \
    }

const SimulatedProblemOps simulated__schedule_ops =
    SCHEDULE_OPS("schedule", moving,
                 "An agent whose best values move while it learns: a schedule is needed, and the "
                 "values that look best now are right.");
const SimulatedProblemOps simulated__schedule_trap_ops =
    SCHEDULE_OPS("schedule_trap", trap,
                 "The same with a stretch in which the values that look best lead to a lower end.");
const SimulatedProblemOps simulated__schedule_static_ops =
    SCHEDULE_OPS("schedule_static", resting,
                 "The same with one best setting for the whole run: nothing to gain by a "
                 "schedule.");
