/** @file linear_internal.h  The linear model's state, shared by linear.c and linear_fit.c only. */
#ifndef MBRL_MODELS_LINEAR_INTERNAL_H
#define MBRL_MODELS_LINEAR_INTERNAL_H

#include "mbrl/models/dynamics_model.h"

enum { LINEAR_ITERATIONS, LINEAR_OPTION_COUNT };

/** i = inputs, o = outputs. The first part of `memory` is what save() writes. */
typedef struct Linear {
    double  values[LINEAR_OPTION_COUNT];
    size_t  i;
    size_t  o;
    double *memory;
    size_t  saved; /* doubles of `memory` that are saved */
    /* sums over training rows [first, counted), of what is left after `origin` (the first of them)
     */
    double *range;  /* (2) first, counted */
    double *origin; /* (i + o) */
    double *sums;   /* (i + o) */
    double *xx;     /* (i, i) lower triangle */
    double *xy;     /* (i, o) */
    double *yy;     /* (o) */
    /* the posterior */
    double *mean;    /* (i) scaler */
    double *inverse; /* (i) */
    double *weights; /* (o, i) of scaled inputs */
    double *bias;    /* (o) */
    double *whiten;  /* (o, i, i) L^-1 of the posterior precision L L^T */
    double *noise;   /* (o) variance besides that of the weights */
    /* not saved */
    double *target_scale; /* (o) */
    double *gram;         /* (i, i) */
    double *precision;    /* (i, i) */
    double *moment;       /* (i) */
    double *solution;     /* (i) */
    float  *narrow;       /* the posterior in float: mean, inverse, weights, bias, whiten, noise */
    Arena   scratch;
} Linear;

/** model_linear_ops.fit */
Status linear__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                   FitReport *report);
/** Writes the posterior in float, as predict() uses it. */
void linear__narrow(Linear *m);
/** FLOP of one row joining the sums, and of one step of the evidence. */
double linear__row_flop(size_t i, size_t o);
double linear__solve_flop(size_t i);

#endif
