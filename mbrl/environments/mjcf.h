/** @file mjcf.h  An environment from a user's own MJCF file: built at run time from a definition.
 *
 * The definition is the study file's `environment` as JSON (docs/study-file.md, "environment"):
 *
 *     {"name": "mjcf", "file": "/abs/robot.xml", "frame_skip": 5, "episode_length": 500,
 *      "observation": ["angle.hinge", "qvel.hinge", "z.tip"],
 *      "reward": {"z.tip": 1.0, "action": -0.01, "qpos.slider": {"weight": -1, "of": "square"}},
 *      "terminate": {"qpos.slider": {"lower": -2, "upper": 2}},
 *      "reset": {"position": 0.01, "speed": 0.01}, "worst_return": -100, "target_scale": [...]}
 *
 * Quantities are "qpos.JOINT", "angle.JOINT" (a hinge; models are given its sine and cosine),
 * "qvel.JOINT", "rate.JOINT" (change of qpos over the control step per second; one at most, and
 * predicted as it is), "x.BODY", "y.BODY", "z.BODY". Reward and termination are functions of what
 * is observed, so that a planner can judge predicted states: they name observed quantities only.
 */
#ifndef MBRL_ENVIRONMENTS_MJCF_H
#define MBRL_ENVIRONMENTS_MJCF_H

#include "core/json.h"
#include "mbrl/environments/environment.h"

/** Where in the definition a failure lies; empty texts where it is the whole. */
typedef struct MjcfProblem {
    char key[32];     /* "observation" */
    char member[128]; /* "qvel.hinge", or the number of an element of a list */
} MjcfProblem;

/**
 * Compiles the file and checks the definition against it. What the definition leaves out is
 * measured with the uniform random policy (at least MJCF_MEASURE_STEPS control steps and 3
 * episodes, seed 1): target_scale; worst_return = episode_length x the least reward of one step, at
 * most 0.
 * @param definition  in   borrowed for the call
 * @param problem     out  what the failure is about; NULL where the definition is one that
 *                         environment_mjcf_complete() made: then its scales are taken as they are,
 *                         and files that do not have their "model_hash" any more are refused
 * @param out         out  to be released with environment_mjcf_destroy(); NULL on failure
 * @return STATUS_OK; STATUS_ERR_UNAVAILABLE without MuJoCo; STATUS_ERR_PARSE, _RANGE, _UNKNOWN_NAME
 *         with a sentence; STATUS_ERR_NUMERIC where random actions blow the simulation up;
 *         STATUS_ERR_STATE where a file has changed; STATUS_ERR_NOMEM
 */
Status environment_mjcf_create(const Json *definition, MjcfProblem *problem,
                               const EnvironmentOps **out) MUST_USE;
void   environment_mjcf_destroy(const EnvironmentOps *ops); /* accepts NULL */
/** Adds "target_scale" and "worst_return" to a definition: what create() would measure again. */
Status environment_mjcf_complete(const EnvironmentOps *ops, Json *definition) MUST_USE;
/** One line for lists; NULL in a build without MuJoCo. */
const char *environment_mjcf_help(void);

enum { MJCF_MEASURE_STEPS = 2000 };

#endif
