#include "core/optimize/nlopt_search.h"

#include <math.h>
#include <nlopt.h>
#include <string.h>

/* The names, in this order, are options of study files: append only. Left out: DIRECT in the
 * original code (gn_orig_direct*), which reads out of bounds when it is stopped in five or more
 * dimensions. */
const char *const nlopt_search_algorithms[] = {
    "ln_bobyqa", "ln_cobyla",   "ln_neldermead",    "ln_sbplx",   "ln_praxis", "ln_newuoa_bound",
    "gn_direct", "gn_direct_l", "gn_direct_l_rand", "gn_crs2_lm", "gn_isres",  "gn_esch",
    NULL,
};

static const struct {
    nlopt_algorithm nlopt;
    size_t          least; /* dimensions it needs; with fewer, it gets one that means nothing */
} algorithms[] = {
    {NLOPT_LN_BOBYQA, 2},  {NLOPT_LN_COBYLA, 1},   {NLOPT_LN_NELDERMEAD, 1},
    {NLOPT_LN_SBPLX, 1},   {NLOPT_LN_PRAXIS, 1},   {NLOPT_LN_NEWUOA_BOUND, 2},
    {NLOPT_GN_DIRECT, 1},  {NLOPT_GN_DIRECT_L, 1}, {NLOPT_GN_DIRECT_L_RAND, 1},
    {NLOPT_GN_CRS2_LM, 1}, {NLOPT_GN_ISRES, 1},    {NLOPT_GN_ESCH, 1},
};

_Static_assert(sizeof algorithms / sizeof algorithms[0] + 1 ==
                   sizeof nlopt_search_algorithms / sizeof nlopt_search_algorithms[0],
               "every algorithm has a name");

typedef struct Feed {
    nlopt_opt     opt;
    const double *losses;
    size_t        told;
    size_t        asked;
    double       *point;
    size_t        dimensions; /* of the point */
} Feed;

/* hands out what is known; stops at the first point that is not */
static double feed(unsigned n, const double *x, double *gradient, void *data) {
    Feed *of = data;
    (void)n;
    (void)gradient;
    if (of->asked < of->told) {
        return of->losses[of->asked++];
    }
    if (of->asked == of->told) {
        for (size_t i = 0; i < of->dimensions; i++) {
            of->point[i] = fmin(fmax(x[i], 0.0), 1.0);
        }
        of->asked++;
        (void)nlopt_force_stop(of->opt);
    }
    return 0; /* is not looked at any more */
}

Status nlopt_search_check(const NloptSearch *search) {
    if (search->dimensions > NLOPT_SEARCH_MAX_DIMENSIONS) {
        FAIL(STATUS_ERR_RANGE, "nlopt takes up to %d hyperparameters, not %zu",
             NLOPT_SEARCH_MAX_DIMENSIONS, search->dimensions);
    }
    return STATUS_OK;
}

static bool set_problem(nlopt_opt opt, const NloptSearch *search, Feed *of) {
    return nlopt_set_lower_bounds1(opt, 0.0) > 0 && nlopt_set_upper_bounds1(opt, 1.0) > 0 &&
           nlopt_set_min_objective(opt, feed, of) > 0 &&
           nlopt_set_initial_step1(opt, search->step) > 0 &&
           nlopt_set_xtol_abs1(opt, search->tolerance) > 0;
}

Status nlopt_search_next(const NloptSearch *search, const double *losses, size_t told,
                         double *point, bool *ended) {
    TRY(nlopt_search_check(search));
    const size_t least = algorithms[search->algorithm].least;
    const size_t d = (search->dimensions > least) ? search->dimensions : least;
    nlopt_opt    opt = nlopt_create(algorithms[search->algorithm].nlopt, (unsigned)d);
    if (opt == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for nlopt");
    }
    double at[NLOPT_SEARCH_MAX_DIMENSIONS];
    Feed   of = {.opt = opt,
                 .losses = losses,
                 .told = told,
                 .point = point,
                 .dimensions = search->dimensions};
    double lowest = 0;
    at[d - 1] = 0.5;
    memcpy(at, search->start, search->dimensions * sizeof *at);
    nlopt_srand((unsigned long)search->seed); /* one generator per thread: set before every run */
    const bool         set = set_problem(opt, search, &of);
    const nlopt_result result = set ? nlopt_optimize(opt, at, &lowest) : NLOPT_INVALID_ARGS;
    nlopt_destroy(opt);
    if (result == NLOPT_OUT_OF_MEMORY) {
        FAIL(STATUS_ERR_NOMEM, "no memory for nlopt");
    }
    if (of.asked <= told && result == NLOPT_INVALID_ARGS) {
        FAIL(STATUS_ERR_ARG, "nlopt refuses '%s' with %zu hyperparameters",
             nlopt_search_algorithms[search->algorithm], search->dimensions);
    }
    *ended = of.asked <= told;
    return STATUS_OK;
}
