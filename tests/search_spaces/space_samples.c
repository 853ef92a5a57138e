#include "tests/search_spaces/space_samples.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const letters[] = {"a", "b", "c", "d", "e", NULL};

/* names are never written through */
static char *name_of(const char *text) {
    return (char *)(uintptr_t)text;
}

SpaceParameter sample_float(const char *name, double lower, double upper, double default_value) {
    return (SpaceParameter){.name = name_of(name),
                            .type = SPACE_FLOAT,
                            .lower = lower,
                            .upper = upper,
                            .default_value = default_value};
}

SpaceParameter sample_int(const char *name, double lower, double upper, double default_value) {
    SpaceParameter p = sample_float(name, lower, upper, default_value);
    p.type = SPACE_INT;
    return p;
}

SpaceParameter sample_bool(const char *name) {
    return (SpaceParameter){.name = name_of(name), .type = SPACE_BOOL};
}

SpaceParameter sample_choice(const char *name, SpaceType type, const char *const *choices) {
    SpaceParameter p = {.name = name_of(name), .type = type};
    p.choices = (char **)(uintptr_t)choices;
    while (choices[p.choice_count] != NULL) {
        p.choice_count++;
    }
    return p;
}

SpaceTest sample_equals(size_t parameter, const double *value) {
    return (SpaceTest){.parameter = parameter,
                       .values = (double *)(uintptr_t)value,
                       .value_count = 1,
                       .above = (double)NAN,
                       .below = (double)NAN};
}

SpaceTest sample_between(size_t parameter, double above, double below) {
    return (SpaceTest){.parameter = parameter, .above = above, .below = below};
}

static SpaceParameter random_number(Rng *rng, const char *name) {
    const bool     whole = rng_below(rng, 2) == 0;
    const double   scale = pow(10, rng_uniform(rng) * 8 - 4);
    SpaceParameter p = sample_float(name, (rng_uniform(rng) - 0.5) * scale, 0, 0);
    p.upper = p.lower + ((rng_below(rng, 10) == 0) ? 0 : rng_uniform(rng) * scale);
    if (whole) {
        p.type = SPACE_INT;
        p.lower = floor(p.lower);
        p.upper = ceil(p.upper);
    }
    const uint64_t kind = rng_below(rng, 3);
    if (kind == 0) {
        p.log = true;
        const double shift = (p.lower > 0) ? 0 : (whole ? 1 : 1e-6 * scale) - p.lower;
        p.lower += shift;
        p.upper = fmax(p.upper + shift, p.lower);
    } else if (kind == 1 && p.upper > p.lower) {
        const double cells = (double)(1 + rng_below(rng, 20));
        p.step = whole ? cells : (p.upper - p.lower) / cells;
        p.upper = whole ? p.lower + p.step * (double)(1 + rng_below(rng, 9)) : p.upper;
    }
    p.default_value = p.lower;
    return p;
}

static SpaceParameter random_parameter(Rng *rng, const char *name) {
    const uint64_t type = rng_below(rng, 6);
    SpaceParameter p;
    if (type < 3) {
        p = random_number(rng, name);
    } else if (type == 3) {
        p = sample_bool(name);
    } else {
        p = sample_choice(name, (type == 4) ? SPACE_CATEGORICAL : SPACE_ORDINAL,
                          letters + rng_below(rng, 5));
        p.default_value = (double)rng_below(rng, p.choice_count);
    }
    p.dynamic = rng_below(rng, 2) == 0;
    return p;
}

Space *sample_random(Rng *rng) {
    Space       *space = NULL;
    const size_t count = 1 + (size_t)rng_below(rng, SAMPLE_PARAMETERS);
    assert_ok(space_create(&space));
    for (size_t i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "h%zu", i);
        const SpaceParameter p = random_parameter(rng, name);
        assert_ok(space_add(space, &p));
    }
    for (size_t i = 1; i < count; i++) {
        const size_t parent = (size_t)rng_below(rng, i);
        if (rng_below(rng, 3) == 0) {
            const SpaceTest test = sample_equals(parent, &space_at(space, parent)->default_value);
            assert_ok(space_add_when(space, i, &test));
        }
    }
    /* forbids one end of an ordered one whose default is elsewhere */
    const SpaceParameter *last = space_at(space, count - 1);
    if (rng_below(rng, 3) == 0 && last->type != SPACE_BOOL && last->type != SPACE_CATEGORICAL &&
        last->default_value < last->upper) {
        const double middle = last->default_value + 0.9 * (last->upper - last->default_value);
        SpaceTest    test = sample_between(count - 1, middle, (double)NAN);
        if (middle < last->upper) {
            const SpaceCondition condition = {.tests = &test, .test_count = 1};
            assert_ok(space_add_forbidden(space, &condition));
        }
    }
    assert_ok(space_seal(space));
    return space;
}
