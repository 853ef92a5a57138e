/* Where a planning step spends its time: nanoseconds per evaluation (one row through one step),
 * predicted from operations and bytes, and measured with each part alone on the step's shapes.
 *
 * Predictions know four rates, all measured: the multiply-add peak P (FLOP per ns), of which a lane
 * of a vector operation on those two ports takes 2; the rate M (bytes per ns) of a copy of half a
 * megabyte, which is where states and noise are (L2 and L3); the time T (ns) of a float that is
 * read at one stride and written at another in L1; and the time G (ns) of a cache line of half a
 * megabyte that is read in no order, asked for ahead as rollout_tile.c does.
 *
 *     product      2 multiplies / P
 *     activation   13 x 2 / P per hidden unit: exp 7, 1 / x 5, times x 1 (lane_math.h)
 *     bounds       40 x 2 / P per output: 2 softplus of 7 + 9, times 1/2, e^x 7; selects and
 *                  additions have other ports
 *     sampling     72 x 2 / P + 20 / M per state number: a group of 64 normals is about 290 vector
 *                  operations of 16 lanes (core/rng.c); noise is written and read, three operands,
 *                  a result
 *     moving       T (i + 2 s) + G (3 L + 4) + bytes / M: inputs are turned to lanes and outputs
 *                  back; a state of L = (4 s + 60) / 64 lines is read in the order of the members,
 *                  and written (fetched, written back), as are two lines of return and termination;
 *                  state, actions and inputs pass through the tile
 *     reward       bytes / M: next state and action read
 *     grouping     8 ns: a random deal and a counting sort, by branches and divisions, 25 cycles
 *     selection    (72 x 2 / P + 12 / M) actions / particles: candidates drawn, elites averaged
 *
 * At time 0 a candidate is predicted once per member for all its particles, so parts that belong to
 * predictions are scaled by the share of rows that are predicted. What a model's predict() takes
 * beyond its product, activation and bounds is counted as moving.
 */
#include "tests/bench/engine_bench.h"

#include "core/clock.h"
#include "core/rng.h"
#include "mbrl/models/builtin.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_kernels.h"
#include "mbrl/models/network.h"
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/rollout_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURNED = 32,      /* rows and columns of a block that is turned */
    VISITED = 1 << 13 /* cache lines of half a megabyte */
};
enum { TILE = 256, LANES = 32 /* as ensemble.c */, COPIED = 1 << 17 /* floats */ };

typedef struct Budget {
    Planning     planning;
    Rollout     *rollout;
    float       *actions;
    RolloutTask  task;
    PlanTask     plan;
    NetworkShape shape;
    float       *block; /* weights of one member */
    float       *side[2];
    size_t       rows;
} Budget;

/* ---- parts: each call treats all rows of one time step, or one block of lanes ---- */

static void all_products(void *context) {
    Budget *b = context;
    for (size_t l = 0; l < b->shape.layers; l++) {
        lane_gemm(&(LaneGemm){.m = b->shape.fan_out[l],
                              .k = b->shape.fan_in[l],
                              .lanes = LANES,
                              .a = b->block + b->shape.offset[l],
                              .a_row = b->shape.stride[l],
                              .a_step = 1,
                              .b = b->side[l % 2],
                              .b_row = LANES,
                              .c = b->side[(l + 1) % 2],
                              .c_row = LANES,
                              .start = b->block + b->shape.offset[l] + b->shape.fan_in[l],
                              .start_row = b->shape.stride[l]});
    }
}

static void all_activations(void *context) {
    Budget *b = context;
    for (size_t l = 0; l + 1 < b->shape.layers; l++) {
        lanes_activate(b->shape.activation, b->side[l % 2], b->shape.fan_out[l] * LANES);
    }
}

static void all_bounds(void *context) {
    Budget *b = context;
    for (size_t d = 0; d < b->shape.outputs; d++) {
        lanes_bound(b->side[0] + d * LANES, -10.0f, 0.5f, LANES);
    }
    lanes_exp_half(b->side[0], b->shape.outputs * LANES);
}

static void all_tiles(Budget *b, void (*part)(Budget *, const uint32_t *, size_t)) {
    for (size_t first = 0; first < b->rows; first += TILE) {
        part(b, b->rollout->order + first, (b->rows - first < TILE) ? b->rows - first : TILE);
    }
}

static void draw_normals(void *context) {
    Budget *b = context;
    Rng     rng = rng_stream(1, 0, RNG_TEST);
    rng_fill_normal(&rng, b->rollout->noise, b->rows * b->rollout->environment->state_dim);
}

static void sample_tile(Budget *b, const uint32_t *rows, size_t n) {
    rollout__sample(b->rollout, b->rollout->tiles, rows, NULL, n);
}

static void all_samples(void *context) {
    all_tiles(context, sample_tile);
}

static void reward_tile(Budget *b, const uint32_t *rows, size_t n) {
    RolloutTile *tile = b->rollout->tiles;
    (void)rows;
    environment_planner_rewards(b->rollout->environment, tile->state, tile->action, tile->next, n,
                                tile->reward);
}

static void all_rewards(void *context) {
    all_tiles(context, reward_tile);
}

static void settle_tile(Budget *b, const uint32_t *rows, size_t n) {
    rollout__settle(b->rollout, b->rollout->tiles, rows, NULL, n);
}

static void all_settled(void *context) {
    all_tiles(context, settle_tile);
}

static void gather_tile(Budget *b, const uint32_t *rows, size_t n) {
    rollout__gather(b->rollout, b->rollout->tiles, b->actions, rows, n);
}

static void all_gathered(void *context) {
    all_tiles(context, gather_tile);
}

static void predict_tile(Budget *b, const uint32_t *rows, size_t n) {
    (void)rows;
    check(rollout__predict(b->rollout, b->rollout->tiles, &b->plan, 0, n));
}

static void all_predicted(void *context) {
    all_tiles(context, predict_tile);
}

static void all_grouped(void *context) {
    Budget *b = context;
    rollout__assign_members(b->rollout, &b->task, 1);
    rollout__group_rows(b->rollout, false);
}

static void copy_floats(void *context) {
    float *memory = context;
    memcpy(memory, memory + COPIED, COPIED * sizeof *memory);
}

/* a block of lanes to rows and back, as model_support.c does it */
static void turn_block(void *context) {
    float *rows = context;
    float *lanes = rows + (size_t)TURNED * TURNED;
    for (size_t j = 0; j < TURNED; j++) {
        for (size_t i = 0; i < TURNED; i++) {
            lanes[j * TURNED + i] = rows[i * TURNED + j];
        }
    }
    for (size_t j = 0; j < TURNED; j++) {
        for (size_t i = 0; i < TURNED; i++) {
            rows[j * TURNED + i] = lanes[i * TURNED + j];
        }
    }
}

static volatile float sink; /* so that a sum is wanted */

/* each line once; 4099 is odd, so the steps meet all of a power of two */
static void visit_lines(void *context) {
    enum { FLOATS = 16, AHEAD = 8, STEP = 4099 };
    const float *memory = context;
    float        sum = 0.0f;
    for (size_t k = 0; k < VISITED; k++) {
        __builtin_prefetch(memory + (k + AHEAD) * STEP % VISITED * FLOATS);
        sum += memory[k * STEP % VISITED * FLOATS];
    }
    sink = sum;
}

/* ---- selection: the planner on a back end that costs nothing ---- */

static Status idle_create(const EnvironmentOps *environment, void **self) {
    (void)environment;
    *self = NULL;
    return STATUS_OK;
}

static void idle_destroy(void *self) {
    (void)self;
}

static Status idle_reserve(void *self, const RolloutShape *shape, const PlanTask *task) {
    (void)self;
    (void)shape;
    (void)task;
    return STATUS_OK;
}

static Status idle_evaluate(void *self, const RolloutTask *task, double *returns,
                            RolloutResult *result) {
    (void)self;
    for (size_t c = 0; c < task->candidates; c++) {
        returns[c] = (double)task->actions[c];
    }
    *result = (RolloutResult){.flop = 0.0};
    return STATUS_OK;
}

static const PlannerBackend idle_backend = {.name = "idle",
                                            .help = "",
                                            .create = idle_create,
                                            .destroy = idle_destroy,
                                            .reserve = idle_reserve,
                                            .evaluate = idle_evaluate};

/* ns per evaluation */
static double time_selection(const PlanCase *c, double evaluations) {
    Planning p;
    PlanCase idle = *c;
    idle.backend = &idle_backend;
    if (!planning_make(&idle, &p)) {
        return (double)NAN;
    }
    const Timing t = time_calls(1.0, 5, call_plan, &p);
    planning_free(&p);
    return 1e9 * t.median / evaluations;
}

/* ---- the table ---- */

static void budget_make(Budget *b, const PlanCase *c) {
    static const double state[ENV_MAX_STATE] = {0.01, 0.02, 0.03, 0.04};
    const size_t        a = b->planning.environment.action_dim;
    void               *self = NULL;
    b->rows = (size_t)(c->candidates * c->particles);
    b->actions = random_floats((size_t)c->candidates * a, 3);
    b->plan = (PlanTask){.model = &model_ensemble_ops,
                         .model_self = b->planning.model,
                         .state = state,
                         .seed = 1,
                         .step = 1};
    b->task =
        (RolloutTask){.plan = &b->plan, .actions = b->actions, .candidates = (size_t)c->candidates};
    check(planner_backend_rollout_ops.create(&b->planning.environment, &self));
    b->rollout = self;
    check(planner_backend_rollout_ops.reserve(
        self,
        &(RolloutShape){.candidates = (size_t)c->candidates,
                        .particles = (size_t)c->particles,
                        .horizon = (size_t)c->horizon,
                        .propagation = (Propagation)c->propagation},
        &b->plan));
    b->rollout->candidates = (size_t)c->candidates;
    b->rollout->chunk = TILE;
    const size_t s = b->planning.environment.state_dim;
    memset(b->rollout->state, 0, b->rows * s * sizeof(float));
    memset(b->rollout->ended, 0, b->rows);
    memset(b->rollout->total, 0, b->rows * sizeof(double));
    rollout__assign_members(b->rollout, &b->task, 0);
    all_grouped(b);
    network_shape(&(NetworkPlan){.inputs = b->planning.environment.feature_dim + a,
                                 .outputs = s,
                                 .hidden_layers = c->networks.layers,
                                 .width = c->networks.width,
                                 .activation = ACTIVATION_SWISH,
                                 .kind = NETWORK_PROBABILISTIC},
                  &b->shape);
    b->block = allocate(b->shape.floats);
    Rng rng = rng_stream(4, 0, RNG_TEST);
    network_init(&b->shape, &rng, b->block);
    b->side[0] = random_floats(b->shape.widest * LANES, 5);
    b->side[1] = random_floats(b->shape.widest * LANES, 6);
    draw_normals(b);
    all_gathered(b);
}

static void budget_free(Budget *b) {
    planner_backend_rollout_ops.destroy(b->rollout);
    free(b->actions);
    free(b->block);
    free(b->side[0]);
    free(b->side[1]);
}

/* ns per row of a part */
static double time_part(Budget *b, size_t rows, void (*part)(void *)) {
    return 1e9 * time_calls(1.0, 1 + 20000 / rows, part, b).median / (double)rows;
}

static double sum_predicted;
static double sum_measured;

static void print_part(const char *name, double predicted, double measured) {
    printf("  %-40s %8.1f ns %8.1f ns\n", name, predicted, measured);
    sum_predicted += predicted;
    sum_measured += measured;
}

/* measured rates, see above */
typedef struct Rates {
    double peak;  /* FLOP per ns */
    double copy;  /* bytes per ns */
    double turn;  /* ns per float */
    double visit; /* ns per line */
} Rates;

static Rates measure_rates(float *memory) {
    const Timing copy = time_calls(1.0, 100, copy_floats, memory);
    const Timing turn = time_calls(1.0, 1000, turn_block, memory);
    const Timing visit = time_calls(1.0, 100, visit_lines, memory);
    return (Rates){.peak = isfinite(copy.peak) ? copy.peak : 100.0,
                   .copy = 2.0 * 4.0 * COPIED / (1e9 * copy.median), /* read and written */
                   .turn = 1e9 * turn.median / (2.0 * TURNED * TURNED),
                   .visit = 1e9 * visit.median / VISITED};
}

static void print_table(Budget *b, const PlanCase *c, const Rates *rates) {
    const double peak = rates->peak;
    const double copy = rates->copy;
    const double s = (double)b->planning.environment.state_dim;
    const double a = (double)b->planning.environment.action_dim;
    const double in = (double)b->shape.inputs;
    const double hidden = (double)(c->networks.layers * c->networks.width);
    const double once = fmin(1.0, (double)c->networks.members / c->particles);
    const double share = (c->horizon - 1.0 + once) / c->horizon;
    const double lane = 2.0 / peak; /* ns of one lane of one operation */
    const double evaluations = (double)b->rows * c->horizon * c->iterations;

    const double products = time_part(b, LANES, all_products);
    const double activations = time_part(b, LANES, all_activations);
    const double bounds = time_part(b, LANES, all_bounds);
    const double samples = time_part(b, b->rows, draw_normals) + time_part(b, b->rows, all_samples);
    const double rewards = time_part(b, b->rows, all_rewards);
    const double predicted = time_part(b, b->rows, all_predicted);
    const double moved = time_part(b, b->rows, all_gathered) + time_part(b, b->rows, all_settled) -
                         rewards + share * (predicted - products - activations - bounds);
    const double bytes = 4.0 * (2.0 * s + 2.0 * a + 2.0 * in);
    const double lines = (4.0 * s + 60.0) / 64.0;
    const double moving =
        share * rates->turn * (in + 2.0 * s) + rates->visit * (3.0 * lines + 4.0) + bytes / copy;

    sum_predicted = 0.0;
    sum_measured = 0.0;
    printf("budget of '%s', per evaluation: predicted, measured alone\n", c->name);
    print_part("product", share * 2.0 * (double)b->shape.multiplies / peak, share * products);
    print_part("activation", share * 13.0 * lane * hidden, share * activations);
    print_part("bounds and deviations", share * 40.0 * lane * s, share * bounds);
    print_part("sampling", (72.0 * lane + 20.0 / copy) * s, samples);
    print_part("reward, termination", 4.0 * (s + a) / copy, rewards);
    print_part("moving rows, features, transposes", moving, moved);
    print_part("grouping by member", 8.0, time_part(b, b->rows, all_grouped));
    print_part("selection, candidates", (72.0 * lane + 12.0 / copy) * a / c->particles,
               time_selection(c, evaluations));
    const Timing whole = time_calls(b->planning.flop, 1, call_plan, &b->planning);
    printf("  %-40s %8.1f ns %8.1f ns; whole step %.1f ns, %.0f %% of peak\n", "sum", sum_predicted,
           sum_measured, 1e9 * whole.median / evaluations, 100.0 * whole.share);
    (void)fflush(stdout);
}

void measure_budget(const PlanCase *c) {
    Budget b = {.rows = 0};
    float *memory = random_floats((size_t)2 * COPIED, 7);
    if (planning_make(c, &b.planning)) {
        call_plan(&b.planning);
        budget_make(&b, c);
        const Rates rates = measure_rates(memory);
        printf("rates: peak %.0f FLOP/ns, copy %.1f bytes/ns, turning %.2f ns per float, visiting "
               "%.2f ns per line\n",
               rates.peak, rates.copy, rates.turn, rates.visit);
        print_table(&b, c, &rates);
        budget_free(&b);
        planning_free(&b.planning);
    }
    free(memory);
}
