/** @file mjcf_internal.h  What mjcf.c, mjcf_read.c and mjcf_measure.c share. */
#ifndef MBRL_ENVIRONMENTS_MJCF_INTERNAL_H
#define MBRL_ENVIRONMENTS_MJCF_INTERNAL_H

#include "core/buffer.h"
#include "mbrl/environments/mjcf.h"
#include "mbrl/environments/mujoco_task.h"

enum { MJCF_MAX_TERMS = 64, MJCF_NAME = 128 };

typedef enum MjcfKind {
    MJCF_POSITION, /* index = address in qpos */
    MJCF_ANGLE,    /* the same, a hinge */
    MJCF_SPEED,    /* index = address in qvel */
    MJCF_RATE,     /* index = address in qpos */
    MJCF_BODY_X,   /* index = body */
    MJCF_BODY_Y,
    MJCF_BODY_Z,
} MjcfKind;

typedef struct MjcfQuantity {
    MjcfKind kind;
    int      index;
    char     name[MJCF_NAME];
} MjcfQuantity;

typedef enum MjcfForm { MJCF_VALUE, MJCF_SQUARE, MJCF_ABSOLUTE, MJCF_COS } MjcfForm;

/* weight x form(next[quantity] - target) */
typedef struct MjcfTerm {
    size_t   quantity;
    MjcfForm form;
    double   weight;
    double   target;
} MjcfTerm;

/* the episode goes on while lower <= next[quantity] <= upper */
typedef struct MjcfBound {
    size_t quantity;
    double lower;
    double upper;
} MjcfBound;

typedef struct Mjcf {
    EnvironmentOps ops; /* ops.data is &task */
    MujocoTask     task;
    MujocoModel    model;
    char          *file;
    bool           complete;    /* the definition is one of environment_mjcf_complete() */
    Buffer         observation; /* the names, ", " between them */
    bool           bodies;      /* some quantity needs the positions of bodies */
    MjcfQuantity   quantities[ENV_MAX_STATE];
    MjcfTerm       terms[MJCF_MAX_TERMS];
    size_t         term_count;
    MjcfBound      bounds[ENV_MAX_STATE];
    size_t         bound_count;
    double         action_weight; /* of the action's sum of squares */
    double         alive;         /* per step */
    double         reset_position;
    double         reset_speed;
    double         action_low[ENV_MAX_ACTION];
    double         action_high[ENV_MAX_ACTION];
    double         target_scale[ENV_MAX_STATE];
    bool           target_absolute[ENV_MAX_STATE];
} Mjcf;

/* the environment as built so far */
const Mjcf *mjcf__of(const EnvironmentOps *task);

/* mjcf_read.c: fills in everything but what is measured */
Status mjcf__read(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) MUST_USE;
/* "target_scale" and "worst_return" of the definition, measured where it has none */
Status mjcf__scales(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) MUST_USE;

#endif
