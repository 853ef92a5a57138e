/** @file cart_pole.h  The physics that `cartpole` and `mbbl_cartpole` share: gym's cart-pole.
 *
 * A pole that hinges on a cart without friction, explicit Euler with 0.02 s. What the action means,
 * what is paid and when an episode ends is each task's own.
 *
 * Source: Barto, Sutton & Anderson (1983), as in gym, gym/envs/classic_control/cartpole.py.
 */
#ifndef MBRL_ENVIRONMENTS_CART_POLE_H
#define MBRL_ENVIRONMENTS_CART_POLE_H

#include "core/rng.h"
#include "mbrl/environments/plain_task.h"

#include <math.h>
#include <stddef.h>

enum {
    CART_POLE_X,         /* m */
    CART_POLE_X_DOT,     /* m/s */
    CART_POLE_ANGLE,     /* rad, 0 up */
    CART_POLE_ANGLE_DOT, /* rad/s */
    CART_POLE_DIM
};

#define CART_POLE_FORCE 10.0 /* N at action 1 */

/** All four uniform in +-0.05. */
static inline void cart_pole_start(Rng *rng, double *x) {
    for (size_t i = 0; i < CART_POLE_DIM; i++) {
        x[i] = plain_task_uniform(rng, 0.05);
    }
}

/** One step under a force in N. */
static inline void cart_pole_advance(double *x, double force) {
    const double gravity = 9.8;     /* m/s^2 */
    const double cart_mass = 1.0;   /* kg */
    const double pole_mass = 0.1;   /* kg */
    const double half_length = 0.5; /* m, of the pole */
    const double time_step = 0.02;  /* s */
    const double sine = sin(x[CART_POLE_ANGLE]);
    const double cosine = cos(x[CART_POLE_ANGLE]);
    const double total_mass = cart_mass + pole_mass;
    const double push =
        (force + pole_mass * half_length * x[CART_POLE_ANGLE_DOT] * x[CART_POLE_ANGLE_DOT] * sine) /
        total_mass;
    const double angle_acceleration =
        (gravity * sine - cosine * push) /
        (half_length * (4.0 / 3.0 - pole_mass * cosine * cosine / total_mass));
    const double acceleration =
        push - pole_mass * half_length * angle_acceleration * cosine / total_mass;

    x[CART_POLE_X] += time_step * x[CART_POLE_X_DOT];
    x[CART_POLE_X_DOT] += time_step * acceleration;
    x[CART_POLE_ANGLE] += time_step * x[CART_POLE_ANGLE_DOT];
    x[CART_POLE_ANGLE_DOT] += time_step * angle_acceleration;
}

#endif
