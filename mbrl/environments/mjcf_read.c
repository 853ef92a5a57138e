/* A definition checked against the compiled model, key by key; every failure says which. */
#include "mbrl/environments/mjcf_internal.h"

#include "core/file.h"
#include "core/option.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 256 };

static void blame(MjcfProblem *problem, const char *key, const char *member) {
    (void)snprintf(problem->key, sizeof problem->key, "%s", key);
    (void)snprintf(problem->member, sizeof problem->member, "%s", member);
}

/* a failure about definition[key], or about a member or element of it */
#define REFUSE(problem, key, member, code, ...) \
    do {                                        \
        blame((problem), (key), (member));      \
        FAIL((code), __VA_ARGS__);              \
    } while (0)

static Status unknown(const char *word, const char *what, const char *const *names, size_t n) {
    const char *nearest = option_nearest(word, names, n);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "%s '%s'; did you mean '%s'?", what, word, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "%s '%s'", what, word);
}

/* ---- numbers -------------------------------------------------------------------------------- */

static Status number_in(const Json *json, const char *what, double low, double high, double *out) {
    if (!json_is_number(json) || !(json_number(json) >= low && json_number(json) <= high)) {
        FAIL(STATUS_ERR_RANGE, "%s must be a number from %g to %g", what, low, high);
    }
    *out = json_number(json);
    return STATUS_OK;
}

/* optional member `name` of `object` */
static Status member_in(const Json *object, const char *name, const char *what, double low,
                        double high, double *out) {
    const Json *value = json_get(object, name);
    return value == NULL ? STATUS_OK : number_in(value, what, low, high, out);
}

static Status whole_number(const Json *definition, MjcfProblem *problem, const char *key,
                           int64_t upper, int64_t *out) {
    const Json *json = json_get(definition, key);
    if (json == NULL) {
        REFUSE(problem, "", "", STATUS_ERR_PARSE, "'%s' is missing; expected a whole number", key);
    }
    if (!json_is_integer(json) || json_integer(json) < 1 || json_integer(json) > upper) {
        REFUSE(problem, key, "", STATUS_ERR_RANGE, "'%s' must be a whole number from 1 to %lld",
               key, (long long)upper);
    }
    *out = json_integer(json);
    return STATUS_OK;
}

static Status known_members(const Json *object, const char *const *names, const char *where) {
    const char *key = NULL;
    Json       *value = NULL;
    size_t      n = 0;
    while (names[n] != NULL) {
        n++;
    }
    for (size_t i = 0; json_member(object, i, &key, &value); i++) {
        size_t k = 0;
        while (k < n && strcmp(key, names[k]) != 0) {
            k++;
        }
        if (k == n) {
            char what[MJCF_NAME];
            (void)snprintf(what, sizeof what, "unknown key in %s:", where);
            return unknown(key, what, names, n);
        }
    }
    return STATUS_OK;
}

/* ---- the model ------------------------------------------------------------------------------ */

static Status check_model(const mjModel *model, MjcfProblem *problem, Mjcf *mjcf) {
    if (model->nu < 1 || model->nu > ENV_MAX_ACTION) {
        REFUSE(problem, "file", "", STATUS_ERR_RANGE, "'%s' has %d actuators; expected 1 to %d",
               mjcf->file, model->nu, ENV_MAX_ACTION);
    }
    if (model->na > 0) {
        REFUSE(problem, "file", "", STATUS_ERR_RANGE,
               "'%s' has actuators with a state of their own, which this program does not save",
               mjcf->file);
    }
    for (int i = 0; i < model->nu; i++) {
        const double *range = model->actuator_ctrlrange + 2 * (size_t)i;
        if (!model->actuator_ctrllimited[i] || !(range[0] < range[1])) {
            const char *name = mj_id2name(model, mjOBJ_ACTUATOR, i);
            REFUSE(problem, "file", "", STATUS_ERR_RANGE,
                   "actuator %d ('%s') of '%s' has no ctrlrange; actions need bounds "
                   "(ctrllimited='true' ctrlrange='-1 1')",
                   i, name != NULL ? name : "", mjcf->file);
        }
        mjcf->action_low[i] = range[0];
        mjcf->action_high[i] = range[1];
    }
    mjcf->ops.action_dim = (size_t)model->nu;
    mjcf->ops.snapshot_size = (size_t)MUJOCO_SNAPSHOT(model->nq, model->nv);
    return STATUS_OK;
}

static Status read_model(const Json *definition, MjcfProblem *problem, Mjcf *mjcf,
                         const mjModel **model) {
    const char *file = json_string(json_get(definition, "file"));
    if (file == NULL) {
        REFUSE(problem, "", "", STATUS_ERR_PARSE, "'file' is missing; expected the MJCF file");
    }
    blame(problem, "file", "");
    TRY(file_absolute(file, &mjcf->file));
    if (!file_exists(mjcf->file)) {
        FAIL(STATUS_ERR_IO, "there is no file '%s'", mjcf->file);
    }
    mjcf->model.name = mjcf->file;
    mjcf->model.file = mjcf->file;
    mjcf->ops.source = mjcf->file;
    TRY(mujoco_model_get(&mjcf->model, model));
    return check_model(*model, problem, mjcf);
}

/* ---- observation ---------------------------------------------------------------------------- */

typedef struct Prefix {
    const char *word;
    MjcfKind    kind;
    int         object; /* of MuJoCo */
} Prefix;

static const Prefix prefixes[] = {
    {"qpos", MJCF_POSITION, mjOBJ_JOINT}, {"angle", MJCF_ANGLE, mjOBJ_JOINT},
    {"qvel", MJCF_SPEED, mjOBJ_JOINT},    {"rate", MJCF_RATE, mjOBJ_JOINT},
    {"x", MJCF_BODY_X, mjOBJ_BODY},       {"y", MJCF_BODY_Y, mjOBJ_BODY},
    {"z", MJCF_BODY_Z, mjOBJ_BODY},
};

enum { PREFIX_COUNT = sizeof prefixes / sizeof prefixes[0] };

static Status no_such_object(const mjModel *model, const char *name, int object) {
    const char *names[NAMES_MAX];
    size_t      n = 0;
    const int   count = object == mjOBJ_JOINT ? model->njnt : model->nbody;
    for (int i = 0; i < count && n < NAMES_MAX; i++) {
        const char *one = mj_id2name(model, object, i);
        if (one != NULL && one[0] != '\0') {
            names[n++] = one;
        }
    }
    return unknown(name, object == mjOBJ_JOINT ? "the model has no joint" : "the model has no body",
                   names, n);
}

static Status read_joint(const mjModel *model, int joint, MjcfQuantity *out) {
    const int type = model->jnt_type[joint];
    if (type != mjJNT_SLIDE && type != mjJNT_HINGE) {
        FAIL(STATUS_ERR_RANGE,
             "'%s' is no slide and no hinge; of such joints observe a body: x.BODY, y.BODY, z.BODY",
             out->name);
    }
    if (out->kind == MJCF_ANGLE && type != mjJNT_HINGE) {
        FAIL(STATUS_ERR_RANGE, "'%s': only a hinge has an angle; a slide has qpos", out->name);
    }
    out->index = out->kind == MJCF_SPEED ? model->jnt_dofadr[joint] : model->jnt_qposadr[joint];
    return STATUS_OK;
}

static Status read_quantity(const mjModel *model, const char *text, MjcfQuantity *out) {
    const size_t  length = strcspn(text, ".");
    const Prefix *prefix = NULL;
    for (size_t i = 0; i < PREFIX_COUNT; i++) {
        if (strlen(prefixes[i].word) == length && strncmp(prefixes[i].word, text, length) == 0) {
            prefix = &prefixes[i];
        }
    }
    if (prefix == NULL || text[length] != '.' || strlen(text) >= MJCF_NAME) {
        FAIL(STATUS_ERR_PARSE,
             "'%s' is no quantity; expected qpos.JOINT, angle.JOINT, qvel.JOINT, rate.JOINT, "
             "x.BODY, y.BODY or z.BODY",
             text);
    }
    *out = (MjcfQuantity){.kind = prefix->kind};
    (void)snprintf(out->name, sizeof out->name, "%s", text);
    const char *name = text + length + 1;
    out->index = mj_name2id(model, prefix->object, name);
    if (out->index < 0) {
        return no_such_object(model, name, prefix->object);
    }
    return prefix->object == mjOBJ_JOINT ? read_joint(model, out->index, out) : STATUS_OK;
}

static Status add_quantity(const mjModel *model, const Json *json, Mjcf *mjcf) {
    const size_t  n = mjcf->ops.state_dim;
    MjcfQuantity *quantity = &mjcf->quantities[n];
    const char   *text = json_string(json);
    if (text == NULL) {
        FAIL(STATUS_ERR_PARSE, "expected the name of a quantity such as qpos.JOINT");
    }
    TRY(read_quantity(model, text, quantity));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(mjcf->quantities[i].name, text) == 0) {
            FAIL(STATUS_ERR_RANGE, "'%s' stands twice", text);
        }
    }
    if (quantity->kind == MJCF_RATE) {
        if (mjcf->task.speed) {
            FAIL(STATUS_ERR_RANGE, "'%s' is the second rate; there may be one", text);
        }
        mjcf->task.speed = true;
        mjcf->task.speed_of = quantity->index;
        mjcf->target_absolute[n] = true;
        mjcf->ops.snapshot_size++;
    }
    mjcf->bodies = mjcf->bodies || quantity->kind >= MJCF_BODY_X;
    mjcf->ops.feature_dim += quantity->kind == MJCF_ANGLE ? 2 : 1;
    mjcf->ops.state_dim++;
    buffer_printf(&mjcf->observation, "%s%s", n == 0 ? "" : ", ", text);
    return buffer_status(&mjcf->observation);
}

static Status read_observation(const mjModel *model, const Json *definition, MjcfProblem *problem,
                               Mjcf *mjcf) {
    const Json *list = json_get(definition, "observation");
    if (list == NULL) {
        REFUSE(problem, "", "", STATUS_ERR_PARSE,
               "'observation' is missing; expected a list such as [qpos.JOINT, qvel.JOINT]");
    }
    blame(problem, "observation", "");
    if (!json_is_array(list) || json_count(list) < 1 || json_count(list) > ENV_MAX_STATE) {
        FAIL(STATUS_ERR_PARSE, "'observation' must be a list of 1 to %d quantities", ENV_MAX_STATE);
    }
    for (size_t i = 0; i < json_count(list); i++) {
        (void)snprintf(problem->member, sizeof problem->member, "%zu", i);
        TRY(add_quantity(model, json_at(list, i), mjcf));
    }
    mjcf->ops.observation = buffer_text(&mjcf->observation);
    return STATUS_OK;
}

/* Number of an observed quantity. */
static Status find_observed(const Mjcf *mjcf, const char *name, size_t *out) {
    const char *names[ENV_MAX_STATE];
    for (size_t i = 0; i < mjcf->ops.state_dim; i++) {
        names[i] = mjcf->quantities[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return unknown(name, "the observation has no quantity", names, mjcf->ops.state_dim);
}

/* ---- reward, termination, reset ------------------------------------------------------------- */

#define LARGEST 1e9 /* of weights, targets and bounds */

static Status read_form(const Json *json, MjcfForm *out) {
    static const char *const names[] = {"value", "square", "absolute", "cos"};
    const char              *text = json_string(json);
    for (size_t i = 0; json != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (text != NULL && strcmp(text, names[i]) == 0) {
            *out = (MjcfForm)i;
            return STATUS_OK;
        }
    }
    if (json == NULL) {
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "'of' must be value, square, absolute or cos");
}

static Status read_term(const char *name, const Json *value, Mjcf *mjcf) {
    static const char *const keys[] = {"weight", "of", "target", NULL};
    MjcfTerm                *term = &mjcf->terms[mjcf->term_count];
    if (json_is_number(value)) {
        TRY(number_in(value, name, -LARGEST, LARGEST, &term->weight));
    } else if (json_is_object(value)) {
        TRY(known_members(value, keys, name));
        term->weight = (double)NAN;
        TRY(member_in(value, "weight", "'weight'", -LARGEST, LARGEST, &term->weight));
        TRY(member_in(value, "target", "'target'", -LARGEST, LARGEST, &term->target));
        TRY(read_form(json_get(value, "of"), &term->form));
    }
    if (isnan(term->weight) || !(json_is_number(value) || json_is_object(value))) {
        FAIL(STATUS_ERR_PARSE,
             "'%s' must be a weight or {weight: w, of: value | square | absolute | cos, target: t}",
             name);
    }
    if (strcmp(name, "action") == 0 || strcmp(name, "alive") == 0) {
        if (!json_is_number(value)) {
            FAIL(STATUS_ERR_PARSE, "'%s' must be a weight", name);
        }
        *(name[1] == 'c' ? &mjcf->action_weight : &mjcf->alive) = term->weight;
        *term = (MjcfTerm){0};
        return STATUS_OK;
    }
    TRY(find_observed(mjcf, name, &term->quantity));
    mjcf->term_count++;
    return STATUS_OK;
}

static Status read_reward(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    const Json *reward = json_get(definition, "reward");
    const char *name = NULL;
    Json       *value = NULL;
    if (reward == NULL) {
        REFUSE(problem, "", "", STATUS_ERR_PARSE,
               "'reward' is missing; expected weights such as {rate.slider: 1.0, action: -0.1}");
    }
    blame(problem, "reward", "");
    if (!json_is_object(reward) || json_count(reward) < 1 || json_count(reward) > MJCF_MAX_TERMS) {
        FAIL(STATUS_ERR_PARSE, "'reward' must map 1 to %d quantities to weights", MJCF_MAX_TERMS);
    }
    for (size_t i = 0; json_member(reward, i, &name, &value); i++) {
        blame(problem, "reward", name);
        TRY(read_term(name, value, mjcf));
    }
    return STATUS_OK;
}

static Status read_bound(const char *name, const Json *value, Mjcf *mjcf) {
    static const char *const keys[] = {"lower", "upper", NULL};
    MjcfBound               *bound = &mjcf->bounds[mjcf->bound_count];
    *bound = (MjcfBound){.lower = -(double)INFINITY, .upper = (double)INFINITY};
    TRY(find_observed(mjcf, name, &bound->quantity));
    if (!json_is_object(value) || json_count(value) < 1) {
        FAIL(STATUS_ERR_PARSE, "'%s' must be {lower: x, upper: y}, or one of them", name);
    }
    TRY(known_members(value, keys, name));
    TRY(member_in(value, "lower", "'lower'", -LARGEST, LARGEST, &bound->lower));
    TRY(member_in(value, "upper", "'upper'", -LARGEST, LARGEST, &bound->upper));
    if (!(bound->lower < bound->upper)) {
        FAIL(STATUS_ERR_RANGE, "'%s': 'lower' must be below 'upper'", name);
    }
    mjcf->bound_count++;
    return STATUS_OK;
}

static Status read_terminate(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    const Json *bounds = json_get(definition, "terminate");
    const char *name = NULL;
    Json       *value = NULL;
    if (bounds == NULL) {
        return STATUS_OK;
    }
    blame(problem, "terminate", "");
    if (!json_is_object(bounds) || json_count(bounds) > ENV_MAX_STATE) {
        FAIL(STATUS_ERR_PARSE, "'terminate' must map quantities to {lower: x, upper: y}");
    }
    for (size_t i = 0; json_member(bounds, i, &name, &value); i++) {
        blame(problem, "terminate", name);
        TRY(read_bound(name, value, mjcf));
    }
    return STATUS_OK;
}

static Status read_reset(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    static const char *const keys[] = {"position", "speed", NULL};
    const Json              *reset = json_get(definition, "reset");
    if (reset == NULL) {
        return STATUS_OK;
    }
    blame(problem, "reset", "");
    if (!json_is_object(reset)) {
        FAIL(STATUS_ERR_PARSE, "'reset' must be {position: x, speed: y}: half widths of the noise");
    }
    TRY(known_members(reset, keys, "reset"));
    TRY(member_in(reset, "position", "'position'", 0.0, LARGEST, &mjcf->reset_position));
    return member_in(reset, "speed", "'speed'", 0.0, LARGEST, &mjcf->reset_speed);
}

/* Three episodes are measured before a study is accepted (mjcf_measure.c). Without a bound on their
 * simulator steps a number with zeros too many would leave its user waiting, for hours or days. */
enum { MOST_FRAME_SKIP = 1000, MOST_STEPS = 100000, MOST_SIMULATED = 10000000 };

Status mjcf__read(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    static const char *const keys[] = {
        "name",      "file",  "frame_skip",   "episode_length", "observation", "reward",
        "terminate", "reset", "worst_return", "target_scale",   "model_hash",  NULL};
    const mjModel *model = NULL;
    int64_t        frame_skip = 0;

    mjcf->reset_position = 0.01;
    mjcf->reset_speed = 0.01;
    TRY(known_members(definition, keys, "environment"));
    const Status status = read_model(definition, problem, mjcf, &model);
    if (status != STATUS_OK || model == NULL) {
        return status;
    }
    TRY(whole_number(definition, problem, "frame_skip", MOST_FRAME_SKIP, &frame_skip));
    TRY(whole_number(definition, problem, "episode_length", MOST_STEPS, &mjcf->ops.episode_length));
    if (frame_skip * mjcf->ops.episode_length > MOST_SIMULATED) {
        REFUSE(problem, "episode_length", "", STATUS_ERR_RANGE,
               "'episode_length' times 'frame_skip' must be at most %d simulator steps, found %lld",
               MOST_SIMULATED, (long long)(frame_skip * mjcf->ops.episode_length));
    }
    mjcf->task.frame_skip = (int)frame_skip;
    mjcf->ops.dt = (double)frame_skip * model->opt.timestep;
    TRY(read_observation(model, definition, problem, mjcf));
    TRY(read_reward(definition, problem, mjcf));
    TRY(read_terminate(definition, problem, mjcf));
    return read_reset(definition, problem, mjcf);
}
