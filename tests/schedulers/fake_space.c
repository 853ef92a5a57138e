#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include <math.h>

static size_t add(Space *space, SpaceParameter parameter) {
    assert_ok(space_add(space, &parameter));
    return space_count(space) - 1;
}

static size_t add_float(Space *space, const char *name, bool dynamic) {
    return add(space, (SpaceParameter){.name = (char *)(uintptr_t)name,
                                       .type = SPACE_FLOAT,
                                       .lower = 1e-5,
                                       .upper = 1e-1,
                                       .log = true,
                                       .dynamic = dynamic,
                                       .default_value = 1e-3});
}

static size_t add_int(Space *space, const char *name, bool dynamic) {
    return add(space, (SpaceParameter){.name = (char *)(uintptr_t)name,
                                       .type = SPACE_INT,
                                       .lower = 1,
                                       .upper = 40,
                                       .dynamic = dynamic,
                                       .default_value = 25});
}

static size_t add_choice(Space *space, const char *name, bool dynamic) {
    static char  adam[] = "adam";
    static char  sgd[] = "sgd";
    static char  rms[] = "rms";
    static char *choices[] = {adam, sgd, rms};
    return add(space, (SpaceParameter){.name = (char *)(uintptr_t)name,
                                       .type = SPACE_CATEGORICAL,
                                       .upper = 2,
                                       .dynamic = dynamic,
                                       .choices = choices,
                                       .choice_count = 3});
}

static void add_bool(Space *space, const char *name, bool dynamic) {
    add(space, (SpaceParameter){.name = (char *)(uintptr_t)name,
                                .type = SPACE_BOOL,
                                .upper = 1,
                                .dynamic = dynamic,
                                .default_value = 1});
}

/* momentum only with the second optimizer, decay only above a rate; one corner is forbidden */
static void fill_conditional(Space *space) {
    double               second[] = {1};
    const size_t         optimizer = add_choice(space, "optimizer", false);
    const size_t         rate = add_float(space, "rate", true);
    const size_t         momentum = add_float(space, "momentum", true);
    const size_t         decay = add_int(space, "decay", true);
    const SpaceTest      sgd = {.parameter = optimizer,
                                .values = second,
                                .value_count = 1,
                                .above = (double)NAN,
                                .below = (double)NAN};
    const SpaceTest      fast = {.parameter = rate, .above = 1e-4, .below = (double)NAN};
    SpaceTest            corner[2] = {{.parameter = rate, .above = 1e-2, .below = (double)NAN},
                                      {.parameter = decay, .above = 30, .below = (double)NAN}};
    const SpaceCondition forbidden = {.tests = corner, .test_count = 2};
    assert_ok(space_add_when(space, momentum, &sgd));
    assert_ok(space_add_when(space, decay, &fast));
    assert_ok(space_add_forbidden(space, &forbidden));
}

Space *fake_space(FakeSpace which) {
    Space *space = NULL;
    assert_ok(space_create(&space));
    switch (which) {
    case FAKE_SPACE_MIXED:
        add_int(space, "layers", false);
        add_float(space, "learning_rate", true);
        add_int(space, "horizon", true);
        add_choice(space, "optimizer", true);
        break;
    case FAKE_SPACE_ONE_FLOAT:
        add_float(space, "learning_rate", true);
        break;
    case FAKE_SPACE_CATEGORICAL:
        add_choice(space, "optimizer", true);
        add_choice(space, "activation", true);
        add_bool(space, "learned", true);
        break;
    case FAKE_SPACE_CONDITIONAL:
        fill_conditional(space);
        break;
    case FAKE_SPACE_STATIC:
        add_float(space, "learning_rate", false);
        add_int(space, "layers", false);
        break;
    case FAKE_SPACE_COUNT:
        fail_msg("that is no space");
    }
    assert_ok(space_seal(space));
    return space;
}

SchedulerSetup fake_setup(const Space *space) {
    SchedulerSetup setup = {.space = space,
                            .seed = 1,
                            .per_trial = 20,
                            .segment = 5,
                            .total = 160,
                            .repeats = 1,
                            .baseline = true,
                            .can_branch = true,
                            .objective_count = 1,
                            .maximize = {true, true}};
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        setup.constraint_lower[i] = -(double)INFINITY;
        setup.constraint_upper[i] = (double)INFINITY;
    }
    return setup;
}

void fake_options(const SchedulerOps *ops, double *values, ...) {
    va_list pairs;
    option_defaults(ops->options, values);
    va_start(pairs, values);
    for (const char *name = va_arg(pairs, const char *); name != NULL;
         name = va_arg(pairs, const char *)) {
        const size_t index = option_find(ops->options, name);
        if (index == option_count(ops->options)) {
            fail_msg("'%s' has no option '%s'", ops->name, name);
        }
        values[index] = va_arg(pairs, double);
    }
    va_end(pairs);
}
