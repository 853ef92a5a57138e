/** @file arm.h  Where the end of the seven-joint arm of `reacher7dof` and `pusher` is.
 *
 * The joints turn about z, y, x, y, x, y, x in this order; links of 0.1, 0.4 and 0.321 m and the
 * hand follow the second, third, fifth and last pair along x, so the seventh joint moves nothing.
 * In double for the simulator, in float for the planner: the same few rotations.
 *
 * Source: handful-of-trials (Chua et al. 2018), dmbrl/env/reacher.py, for the lengths. That code
 * builds its axes by cross products, which turn round where a hinge bends beyond straight; these
 * rotations do not.
 */
#ifndef MBRL_ENVIRONMENTS_ARM_H
#define MBRL_ENVIRONMENTS_ARM_H

#include "core/vector_math.h"

#include <math.h>

enum { ARM_JOINTS = 7 };

#define ARM_SHOULDER 0.1   /* m, from the first joint's axis to the second */
#define ARM_UPPER    0.4   /* m */
#define ARM_FOREARM  0.321 /* m */

/* v in the frame before a hinge about y, then a roll about x: v becomes its parent's */
static inline void arm_back_double(double hinge, double roll, double v[3]) {
    const double x = cos(hinge) * v[0] + sin(hinge) * v[2];
    const double z = cos(hinge) * v[2] - sin(hinge) * v[0];
    const double y = v[1];
    v[0] = x;
    v[1] = cos(roll) * y - sin(roll) * z;
    v[2] = sin(roll) * y + cos(roll) * z;
}

/** Position of the point `hand` m beyond the wrist of an arm that stands at (0, base_y, 0); joints
 * (ARM_JOINTS) in rad. */
static inline void arm_tip_double(const double *joints, double base_y, double hand, double tip[3]) {
    tip[0] = hand;
    tip[1] = 0.0;
    tip[2] = 0.0;
    arm_back_double(joints[5], joints[4], tip);
    tip[0] += ARM_FOREARM;
    arm_back_double(joints[3], joints[2], tip);
    tip[0] += ARM_UPPER;
    arm_back_double(joints[1], 0.0, tip);
    tip[0] += ARM_SHOULDER;
    const double x = cos(joints[0]) * tip[0] - sin(joints[0]) * tip[1];
    const double y = sin(joints[0]) * tip[0] + cos(joints[0]) * tip[1];
    tip[0] = x;
    tip[1] = y + base_y;
}

static inline void arm_back_float(float hinge, float roll, float v[3]) {
    float sine;
    float cosine;
    vector_sin_cos_one(hinge, &sine, &cosine);
    const float x = cosine * v[0] + sine * v[2];
    const float z = cosine * v[2] - sine * v[0];
    const float y = v[1];
    vector_sin_cos_one(roll, &sine, &cosine);
    v[0] = x;
    v[1] = cosine * y - sine * z;
    v[2] = sine * y + cosine * z;
}

/** The same for the planner. */
static inline void arm_tip_float(const float *joints, float base_y, float hand, float tip[3]) {
    float sine;
    float cosine;
    tip[0] = hand;
    tip[1] = 0.0f;
    tip[2] = 0.0f;
    arm_back_float(joints[5], joints[4], tip);
    tip[0] += (float)ARM_FOREARM;
    arm_back_float(joints[3], joints[2], tip);
    tip[0] += (float)ARM_UPPER;
    arm_back_float(joints[1], 0.0f, tip);
    tip[0] += (float)ARM_SHOULDER;
    vector_sin_cos_one(joints[0], &sine, &cosine);
    const float x = cosine * tip[0] - sine * tip[1];
    const float y = sine * tip[0] + cosine * tip[1];
    tip[0] = x;
    tip[1] = y + base_y;
}

#endif
