#include "tests/support/test_support.h"

#include "search_spaces/space_read.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const activations[] = {"swish", "leaky_relu", "relu", "tanh", NULL};

/* an agent's rows in small */
static const OptionSpec rows[] = {
    {.name = "model_learning_rate",
     .type = OPTION_FLOAT,
     .lower = 1e-8,
     .upper = 1,
     .default_value = 1e-3,
     .dynamic = true},
    {.name = "planning_horizon",
     .type = OPTION_INT,
     .lower = 1,
     .upper = 1000,
     .default_value = 15,
     .dynamic = true},
    {.name = "ensemble_size", .type = OPTION_INT, .lower = 1, .upper = 64, .default_value = 5},
    {.name = "activation", .type = OPTION_CHOICE, .choices = activations, .default_value = 0},
    {.name = "bootstrap", .type = OPTION_BOOL, .upper = 1, .default_value = 1},
    {.name = "model_train_every",
     .type = OPTION_INT,
     .lower = 1,
     .upper = 100000,
     .default_value = (double)NAN,
     .dynamic = true},
    {.name = "hidden_width",
     .type = OPTION_INT,
     .lower = 1,
     .upper = 4096,
     .default_value = 200,
     .dynamic = OPTION_REBUILDS},
    {.name = NULL},
};

/* {hyperparameters, forbid, fixed} of a text; the document lives as long as the space is read */
static Status read(const char *text, const char *preset, const OptionSpec *options, Space **out) {
    Document *d = NULL;
    assert_ok(document_parse("s.yaml", text, strlen(text), &d));
    const Node       *root = document_root(d);
    const SpaceSource source = {.hyperparameters = node_get(root, "hyperparameters"),
                                .forbid = node_get(root, "forbid"),
                                .fixed = node_get(root, "fixed"),
                                .preset = preset,
                                .options = options};
    const Status      status = space_read_source(&source, out);
    document_close(d);
    return status;
}

static Space *read_good(const char *text, const char *preset, const OptionSpec *options) {
    Space *space = NULL;
    assert_ok(read(text, preset, options, &space));
    return space;
}

static void refuse(const char *text, const OptionSpec *options, Status code, const char *message) {
    Space *space = (Space *)(uintptr_t)1;
    assert_fails(read(text, NULL, options, &space), code, message);
    assert_null(space);
}

static void a_definition_says_everything(void **state) {
    (void)state;
    Space *space =
        read_good("hyperparameters:\n"
                  "  lr: {type: float, lower: 1.0e-5, upper: 4.0e-2, log: true, default: 1.0e-3, "
                  "dynamic: true}\n"
                  "  momentum: {type: float, lower: 0.0, upper: 0.99, when: {optimizer: [sgd], "
                  "layers: {above: 2}}}\n"
                  "  layers: {type: int, lower: 2, upper: 8, step: 2, default: 4}\n"
                  "  optimizer: {type: categorical, choices: [adam, sgd], default: sgd}\n"
                  "  size: {type: ordinal, choices: [64, 128, 256], default: 128}\n"
                  "  nesterov: {type: bool, default: true, when: {size: {above: 64, below: 256}, "
                  "momentum: {below: 0.6}}}\n"
                  "  free: {type: int, lower: 1, upper: 100, log: true}\n",
                  NULL, NULL);
    double point[7];
    assert_int_equal(space_count(space), 7);
    assert_int_equal(space_dynamic_count(space), 1);
    assert_true(space_at(space, 0)->log);
    assert_close(space_at(space, 2)->step, 2, 0, 0);
    space_defaults(space, point);
    assert_close(point[0], 1e-3, 0, 0);
    assert_close(point[1], 0.495, 1e-12, 0); /* the middle where nothing is said */
    assert_close(point[3], 1, 0, 0);
    assert_close(point[4], 1, 0, 0);
    assert_close(point[5], 1, 0, 0);
    assert_close(point[6], 7, 0, 0); /* exp of the middle of log 0.5 and log 100.5 is 7.09 */
    point[2] = 2;
    space_activate(space, point);
    assert_true(isnan(point[1]) && isnan(point[5]));
    space_destroy(space);
}

static void rows_fill_in_type_default_and_dynamic(void **state) {
    (void)state;
    Space *space = read_good("hyperparameters:\n"
                             "  model_learning_rate: {lower: 1.0e-5, upper: 1.0e-2, log: true}\n"
                             "  planning_horizon: {lower: 5, upper: 40, dynamic: false}\n"
                             "  ensemble_size: {type: ordinal, choices: [3, 5, 7]}\n"
                             "  activation: {}\n"
                             "  bootstrap: {}\n",
                             NULL, rows);
    double point[5];
    space_defaults(space, point);
    assert_true(space_at(space, 0)->dynamic && !space_at(space, 1)->dynamic);
    assert_int_equal(space_at(space, 1)->type, SPACE_INT);
    assert_int_equal(space_at(space, 3)->choice_count, 4);
    assert_close(point[0], 1e-3, 0, 0);
    assert_close(point[1], 15, 0, 0);
    assert_close(point[2], 1, 0, 0); /* 5 among 3, 5, 7 */
    assert_close(point[4], 1, 0, 0);
    space_destroy(space);
}

/* what costs a rebuild is dynamic where the file says so, and static where it says nothing */
static void rows_that_rebuild_are_dynamic_on_request(void **state) {
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        Space *space = read_good(asked ? "hyperparameters:\n"
                                         "  hidden_width: {lower: 32, upper: 256, dynamic: true}\n"
                                       : "hyperparameters:\n"
                                         "  hidden_width: {lower: 32, upper: 256}\n",
                                 NULL, rows);
        assert_int_equal(space_at(space, 0)->dynamic, asked);
        space_destroy(space);
    }
}

static void quoted_choices_stay_strings(void **state) {
    (void)state;
    Space     *space = read_good("hyperparameters:\n"
                                     "  c: {type: categorical,\n"
                                     "      choices: [8, '16', true, 'false', adam]}\n",
                                 NULL, NULL);
    const char kinds[] = "nsbss";
    for (size_t i = 0; i < 5; i++) {
        const double point = (double)i;
        Json        *json = space_to_json(space, &point);
        const Json  *value = json_get(json, "c");
        assert_int_equal(json_is_number(value), kinds[i] == 'n');
        assert_int_equal(json_is_bool(value), kinds[i] == 'b');
        assert_int_equal(json_is_string(value), kinds[i] == 's');
        json_release(json);
    }
    space_destroy(space);
}

/* "Bad input": exact positions, what was found, what was expected, the nearest known key */
static void bad_definitions_say_where(void **state) {
    (void)state;
    const struct {
        const char *line; /* stands in line 2, indented by two */
        Status      code;
        const char *message;
    } cases[] = {
        {"x: {type: float, lower: 2, upper: 1}", STATUS_ERR_RANGE,
         "s.yaml:2:27: bounds of 'x' are reversed: 'lower' 2 is above 'upper' 1"},
        {"x: {type: float, lower: 0, upper: 1, log: true}", STATUS_ERR_RANGE,
         "s.yaml:2:27: 'x' has a log scale, so 'lower' must be above 0, found 0"},
        {"x: {type: float, lower: 0, upper: 1, default: 2}", STATUS_ERR_RANGE,
         "s.yaml:2:49: the default is wrong: 2 is outside the range of 'x', 0 to 1"},
        {"x: {type: float, lower: abc, upper: 1}", STATUS_ERR_PARSE,
         "s.yaml:2:27: 'lower' must be a number, found 'abc'"},
        {"x: {type: int, lower: 1.5, upper: 4}", STATUS_ERR_RANGE,
         "s.yaml:2:25: 'lower' of the int 'x' must be a whole number, found '1.5'"},
        {"x: {type: int, lower: 1, upper: 4, default: 2.5}", STATUS_ERR_RANGE,
         "s.yaml:2:47: the default is wrong: 2.5 is no whole number, but 'x' is an int"},
        {"x: {type: float, lower: 0}", STATUS_ERR_PARSE, "s.yaml:2:3: 'x' needs 'upper'"},
        {"x: {type: float, lower: 0, uper: 1}", STATUS_ERR_UNKNOWN_NAME,
         "s.yaml:2:30: unknown key 'uper' in the definition of a hyperparameter; did you mean "
         "'upper'?"},
        {"x: {lower: 0, upper: 1}", STATUS_ERR_PARSE, "s.yaml:2:3: 'x' needs a 'type'"},
        {"x: {type: flaot, lower: 0, upper: 1}", STATUS_ERR_PARSE,
         "s.yaml:2:13: unknown type 'flaot'; expected float, int, bool, categorical or ordinal; "
         "did you mean 'float'?"},
        {"x: {type: float, lower: 0, upper: 1, choices: [1]}", STATUS_ERR_PARSE,
         "s.yaml:2:40: 'choices' does not belong to 'x': a value of type float has 'lower'"},
        {"x: {type: bool, log: true}", STATUS_ERR_PARSE, "s.yaml:2:19: 'log' does not belong"},
        {"x: {type: categorical}", STATUS_ERR_PARSE, "s.yaml:2:3: 'x' needs 'choices'"},
        {"x: {type: categorical, choices: []}", STATUS_ERR_PARSE,
         "s.yaml:2:35: 'choices' of 'x' must be a list"},
        {"x: {type: categorical, choices: [a, [b]]}", STATUS_ERR_PARSE,
         "s.yaml:2:39: 'choices' must be a text, found a list"},
        {"x: {type: categorical, choices: [a, a]}", STATUS_ERR_ARG,
         "s.yaml:2:35: 'a' stands twice among the choices of 'x'"},
        {"x: {type: categorical, choices: [adam, sgd], default: adan}", STATUS_ERR_RANGE,
         "s.yaml:2:57: 'adan' is no choice of 'x'; did you mean 'adam'?"},
        {"x: {type: float, lower: 0, upper: 1, step: 0.3}", STATUS_ERR_RANGE,
         "s.yaml:2:46: 'step' 0.3 of 'x' does not divide its range 0 to 1"},
        {"x: {type: int, lower: 2, upper: 8, step: 1.0e+21}", STATUS_ERR_RANGE,
         "s.yaml:2:44: 'step' 1e+21 of 'x' does not divide its range 2 to 8"},
        {"x: {type: float, lower: 0, upper: 1, step: 0}", STATUS_ERR_RANGE,
         "s.yaml:2:46: 'step' of 'x' must be above 0"},
        {"x: {type: bool, default: yes}", STATUS_ERR_PARSE,
         "s.yaml:2:28: 'default' must be true or false, found 'yes'"},
        {"x: {type: bool, dynamic: 1}", STATUS_ERR_PARSE,
         "s.yaml:2:28: 'dynamic' must be true or false, found '1'"},
        {"x: 3", STATUS_ERR_PARSE, "s.yaml:2:6: 'x' needs a definition such as {type: float"},
        {"x:", STATUS_ERR_PARSE, "s.yaml:2:3: 'x' has no definition"},
        {"a b: {type: bool}", STATUS_ERR_ARG, "s.yaml:2:3: 'a b' is no name for a hyperparameter"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "hyperparameters:\n  %s\n", cases[i].line);
        refuse(text, NULL, cases[i].code, cases[i].message);
    }
    refuse("hyperparameters: [1]\n", NULL, STATUS_ERR_PARSE,
           "s.yaml:1:18: 'hyperparameters' must be a mapping");
}

static void definitions_must_suit_the_agent(void **state) {
    (void)state;
    const struct {
        const char *line;
        Status      code;
        const char *message;
    } cases[] = {
        {"model_learning_rat: {lower: 0, upper: 1}", STATUS_ERR_UNKNOWN_NAME,
         "s.yaml:2:3: the agent has no hyperparameter 'model_learning_rat'; did you mean "
         "'model_learning_rate'?"},
        {"planning_horizon: {lower: 0, upper: 40}", STATUS_ERR_RANGE,
         "s.yaml:2:29: 'lower' 0 of 'planning_horizon' is outside what the agent takes, 1 to 1000"},
        {"planning_horizon: {lower: 5, upper: 2000}", STATUS_ERR_RANGE,
         "s.yaml:2:39: 'upper' 2000"},
        {"planning_horizon: {type: float, lower: 5, upper: 20}", STATUS_ERR_RANGE,
         "s.yaml:2:28: the agent's 'planning_horizon' is an int, so it cannot be float"},
        {"planning_horizon: {lower: 20, upper: 40}", STATUS_ERR_RANGE,
         "s.yaml:2:3: the agent's own default of 'planning_horizon' is not in its range here"},
        {"model_train_every: {lower: 20, upper: 40}", STATUS_ERR_RANGE,
         "s.yaml:2:3: the agent's own default of 'model_train_every'"},
        {"ensemble_size: {lower: 3, upper: 7, dynamic: true}", STATUS_ERR_RANGE,
         "s.yaml:2:48: 'ensemble_size' cannot be dynamic"},
        {"ensemble_size: {type: ordinal, choices: [3, 5, 99]}", STATUS_ERR_RANGE,
         "s.yaml:2:50: '99' is no value of the agent's 'ensemble_size', a whole number 1 to 64"},
        {"ensemble_size: {type: ordinal, choices: [3, five]}", STATUS_ERR_RANGE, "s.yaml:2:47: "},
        {"activation: {choices: [swish, rulu]}", STATUS_ERR_RANGE,
         "s.yaml:2:33: 'rulu' is no choice of the agent's 'activation'; did you mean 'relu'?"},
        {"activation: {choices: [relu, tanh]}", STATUS_ERR_RANGE, "s.yaml:2:3: the agent's own"},
        {"bootstrap: {type: int, lower: 0, upper: 1}", STATUS_ERR_RANGE,
         "s.yaml:2:21: the agent's 'bootstrap' is a bool, so it cannot be int"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "hyperparameters:\n  %s\n", cases[i].line);
        refuse(text, rows, cases[i].code, cases[i].message);
    }
}

static void bad_conditions_say_where(void **state) {
    (void)state;
    const struct {
        const char *when; /* in line 5 from column 28 on */
        Status      code;
        const char *message;
    } cases[] = {
        {"{optimzer: [sgd]}", STATUS_ERR_UNKNOWN_NAME,
         "s.yaml:5:29: a condition tests 'optimzer', which is not among the hyperparameters; did "
         "you mean 'optimizer'?"},
        {"{optimizer: [sdg]}", STATUS_ERR_RANGE,
         "s.yaml:5:41: 'sdg' is no choice of 'optimizer'; did you mean 'sgd'?"},
        {"{optimizer: {above: adam}}", STATUS_ERR_PARSE,
         "s.yaml:5:40: 'optimizer' has no order, so a condition on it needs a list of values"},
        {"{optimizer: []}", STATUS_ERR_PARSE, "s.yaml:5:40: the condition on optimizer needs"},
        {"{layers: [9]}", STATUS_ERR_RANGE,
         "s.yaml:5:38: the condition can never hold: 9 is outside the range of 'layers', 2 to 8"},
        {"{layers: {above: 8}}", STATUS_ERR_RANGE,
         "s.yaml:5:37: the condition on 'layers' can never hold: its range is 2 to 8"},
        {"{layers: {abve: 2}}", STATUS_ERR_UNKNOWN_NAME,
         "s.yaml:5:38: unknown key 'abve' in a condition; did you mean 'above'?"},
        {"{layers: {}}", STATUS_ERR_PARSE, "s.yaml:5:37: the condition on layers needs"},
        {"{layers: {above: two}}", STATUS_ERR_PARSE,
         "s.yaml:5:45: 'above' must be a number, found 'two'"},
        {"{flag: [1]}", STATUS_ERR_PARSE, "s.yaml:5:36: 'flag' must be true or false, found '1'"},
        {"[layers]", STATUS_ERR_PARSE, "s.yaml:5:28: 'when' must be a mapping such as"},
        {"{m: [true]}", STATUS_ERR_ARG, "s.yaml:5:28: conditions form a cycle: m -> m"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "hyperparameters:\n"
                       "  optimizer: {type: categorical, choices: [adam, sgd]}\n"
                       "  layers: {type: int, lower: 2, upper: 8}\n"
                       "  flag: {type: bool}\n"
                       "  m:    {type: bool, when: %s}\n",
                       cases[i].when);
        refuse(text, NULL, cases[i].code, cases[i].message);
    }
}

static void static_ones_do_not_hang_on_dynamic_ones(void **state) {
    (void)state;
    refuse("hyperparameters:\n"
           "  parent: {type: bool, dynamic: true}\n"
           "  child: {type: bool, when: {parent: true}}\n",
           NULL, STATUS_ERR_RANGE,
           "s.yaml:3:30: 'child' is static, so its condition cannot test the dynamic 'parent'");
    Space *space = read_good("hyperparameters:\n"
                             "  parent: {type: bool, dynamic: true}\n"
                             "  child: {type: bool, dynamic: true, when: {parent: true}}\n",
                             NULL, NULL);
    space_destroy(space);
}

static void cycles_are_named_with_their_place(void **state) {
    (void)state;
    refuse("hyperparameters:\n"
           "  free: {type: bool, when: {b: [true]}}\n"
           "  b: {type: bool, when: {a: [true]}}\n"
           "  a: {type: bool, when: {b: true}}\n",
           NULL, STATUS_ERR_ARG, "s.yaml:3:25: conditions form a cycle: b -> a -> b");
}

static void every_kind_of_test_is_read(void **state) {
    (void)state;
    Space *space = read_good("hyperparameters:\n"
                             "  flag: {type: bool}\n"
                             "  n: {type: int, lower: 1, upper: 9, default: 2}\n"
                             "  f: {type: float, lower: 0, upper: 1, default: 0.3}\n"
                             "  o: {type: ordinal, choices: [low, mid, high]}\n"
                             "  c: {type: categorical, choices: [1, 2, '3']}\n"
                             "  by_flag: {type: bool, when: {flag: [false]}}\n"
                             "  by_n: {type: bool, when: {n: [1, 2]}}\n"
                             "  by_f: {type: bool, when: {f: [0.3]}}\n"
                             "  by_o: {type: bool, when: {o: {below: mid}}}\n"
                             "  by_c: {type: bool, when: {c: [1.0, '3']}}\n"
                             "  not_o: {type: bool, when: {o: {above: low}}}\n"
                             "forbid:\n"
                             "  - {n: {above: 5}, flag: true}\n"
                             "  - {o: [high]}\n",
                             NULL, NULL);
    double point[11];
    space_defaults(space, point);
    for (size_t i = 5; i < 10; i++) {
        assert_close(point[i], 0, 0, 0);
    }
    assert_true(isnan(point[10]));
    point[1] = 6;
    space_activate(space, point);
    assert_ok(space_check(space, point));
    point[0] = 1;
    space_activate(space, point);
    assert_fails(space_check(space, point), STATUS_ERR_STATE, "forbidden by condition 1");
    space_destroy(space);
}

static void bad_forbidden_conditions_say_where(void **state) {
    (void)state;
    const struct {
        const char *forbid; /* in line 3 */
        Status      code;
        const char *message;
    } cases[] = {
        {"forbid: {n: [1]}", STATUS_ERR_PARSE, "s.yaml:3:9: 'forbid' must be a list of conditions"},
        {"forbid: [{n: [1]}, {m: [1]}]", STATUS_ERR_UNKNOWN_NAME,
         "s.yaml:3:21: a condition tests 'm'"},
        {"forbid: [{n: [1]}, {n: {below: 6}}]", STATUS_ERR_RANGE,
         "s.yaml:3:20: the defaults are a forbidden point (condition 2)"},
        {"forbid: [{}]", STATUS_ERR_PARSE, "s.yaml:3:10: a forbidden condition must be a mapping"},
        {"forbid: [3]", STATUS_ERR_PARSE, "s.yaml:3:10: a forbidden condition must be a mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "hyperparameters:\n  n: {type: int, lower: 1, upper: 9, default: 5}\n%s\n",
                       cases[i].forbid);
        refuse(text, NULL, cases[i].code, cases[i].message);
    }
    Space *space = read_good("forbid:\nhyperparameters:\n", NULL, NULL);
    assert_int_equal(space_count(space), 0);
    space_destroy(space);
    space = NULL;
    assert_ok(space_read(NULL, NULL, NULL, NULL, &space));
    space_destroy(space);
}

static void presets_are_overridden_key_by_key(void **state) {
    (void)state;
    Space       *plain = read_good("", "pets", NULL);
    Space       *space = read_good("fixed: {hidden_layers: 3}\n"
                                         "hyperparameters:\n"
                                         "  extra: {type: bool}\n"
                                         "  planning_horizon: {upper: 40, default: 20}\n"
                                         "  cem_alpha:\n"
                                         "  cem_candidates: {type: ordinal, choices: [100, 200]}\n",
                                   "pets", NULL);
    const size_t all = space_count(plain);
    assert_int_equal(all, 11);
    assert_int_equal(space_count(space), all - 2 + 1);
    assert_int_equal(space_find(space, "extra"), all - 2); /* after the preset's own */
    assert_int_equal(space_find(space, "cem_alpha"), space_count(space));
    assert_int_equal(space_find(space, "hidden_layers"), space_count(space));
    const SpaceParameter *horizon = space_at(space, space_find(space, "planning_horizon"));
    assert_close(horizon->lower, 5, 0, 0);
    assert_close(horizon->upper, 40, 0, 0);
    assert_close(horizon->default_value, 20, 0, 0);
    const SpaceParameter *candidates = space_at(space, space_find(space, "cem_candidates"));
    assert_int_equal(candidates->type, SPACE_ORDINAL);
    assert_close(candidates->default_value, 0, 0, 0);
    space_destroy(plain);
    space_destroy(space);

    /* errors point into the study where the study said something, else into the preset */
    Space *none = NULL;
    assert_fails(read("hyperparameters:\n  planning_horizon: {upper: 20}\n", "pets", NULL, &none),
                 STATUS_ERR_RANGE, "s.yaml:2:3: the default is wrong: 30 is outside");
    assert_fails(read("hyperparameters:\n  planning_horizon: {upper: 3}\n", "pets", NULL, &none),
                 STATUS_ERR_RANGE, "s.yaml:2:3: bounds of 'planning_horizon' are reversed");
    assert_fails(read("hyperparameters:\n  cem_alpha: {uper: 3}\n", "pets", NULL, &none),
                 STATUS_ERR_UNKNOWN_NAME, "s.yaml:2:15: unknown key 'uper'");
    assert_fails(read("fixed: {cem_alpha: 0.1}\nhyperparameters:\n  cem_alpha: {upper: 0.2}\n",
                      "pets", NULL, &none),
                 STATUS_ERR_PARSE, "s.yaml:3:3: 'cem_alpha' is both tuned here and fixed");
    assert_fails(read("", "pets", rows, &none), STATUS_ERR_UNKNOWN_NAME, "presets/pets.yaml:");
    assert_fails(read("", "pets_laptop", NULL, &none), STATUS_ERR_UNKNOWN_NAME,
                 "no preset 'pets_laptop'; did you mean 'pets-laptop'?; there are: pets, "
                 "pets-laptop");
    assert_null(none);
}

/* every preset is a mapping of `fixed` and `hyperparameters`, disjoint, and reads alone */
static void every_preset_is_sound(void **state) {
    (void)state;
    static const char *const keys[] = {"fixed", "hyperparameters", NULL};
    size_t                   count = 0;
    for (const char *const *name = space_presets(); *name != NULL; name++, count++) {
        Document *d = NULL;
        Space    *space = NULL;
        assert_ok(space_preset_open(*name, &d));
        const Node *root = document_root(d);
        assert_ok(node_known_keys(root, *name, keys));
        assert_true(node_count(node_get(root, "fixed")) > 0);
        for (size_t i = 0; i < node_count(node_get(root, "fixed")); i++) {
            const char *fixed = node_text(node_key(node_get(root, "fixed"), i));
            assert_null(node_get(node_get(root, "hyperparameters"), fixed));
        }
        document_close(d);
        assert_ok(space_read(NULL, NULL, *name, NULL, &space));
        space_destroy(space);
    }
    assert_int_equal(count, 2);
    assert_null(space_preset_text("nothing"));
    assert_null(space_preset_text(NULL));
    assert_contains(space_preset_text("pets-laptop"), "planning_horizon");
}

/* Zhang et al. (2021), the ranges of their code, widest over tasks */
static void the_pets_preset_has_the_published_ranges(void **state) {
    (void)state;
    const struct {
        const char *name;
        double      lower;
        double      upper;
        bool        log;
    } published[] = {
        {"hidden_layers", 2, 8, false},
        {"hidden_width", 100, 600, true},
        {"model_learning_rate", 1e-5, 4e-2, true},
        {"model_weight_decay", 1e-7, 1e-1, true},
        {"model_train_epochs", 3, 20, false},
        {"cem_iterations", 3, 10, false},
        {"cem_candidates", 100, 700, true},
        {"cem_alpha", 0.01, 0.5, false},
        {"cem_elite_ratio", 0.04, 0.5, true},
        {"planning_horizon", 5, 60, false},
    };
    Space *space = read_good("", "pets", NULL);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        const SpaceParameter *p = space_at(space, space_find(space, published[i].name));
        assert_non_null(p);
        assert_close(p->lower, published[i].lower, 0, 0);
        assert_close(p->upper, published[i].upper, 0, 0);
        assert_int_equal(p->log, published[i].log);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_definition_says_everything),
        cmocka_unit_test(rows_fill_in_type_default_and_dynamic),
        cmocka_unit_test(rows_that_rebuild_are_dynamic_on_request),
        cmocka_unit_test(quoted_choices_stay_strings),
        cmocka_unit_test(bad_definitions_say_where),
        cmocka_unit_test(definitions_must_suit_the_agent),
        cmocka_unit_test(bad_conditions_say_where),
        cmocka_unit_test(static_ones_do_not_hang_on_dynamic_ones),
        cmocka_unit_test(cycles_are_named_with_their_place),
        cmocka_unit_test(every_kind_of_test_is_read),
        cmocka_unit_test(bad_forbidden_conditions_say_where),
        cmocka_unit_test(presets_are_overridden_key_by_key),
        cmocka_unit_test(every_preset_is_sound),
        cmocka_unit_test(the_pets_preset_has_the_published_ranges),
    };
    return cmocka_run_group_tests_name("search_spaces/space_read", tests, NULL, NULL);
}
