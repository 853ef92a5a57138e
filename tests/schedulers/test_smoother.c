#include "core/rng.h"
#include "schedulers/smoother.h"
#include "tests/support/test_support.h"

#include <math.h>

/* a lineage of segments of 4 units with the same values, seen through noise */
typedef struct Lineage {
    Smoother smoother;
    Worth    worth;
    double   fitness[3]; /* newest first */
    size_t   count;
} Lineage;

static void add(Lineage *l, double fitness) {
    const SmoothedResult result = {.fitness = fitness,
                                   .units = 4.0,
                                   .spread = (double)NAN,
                                   .parent = (l->count == 0) ? NULL : &l->worth,
                                   .parent_fitness = l->fitness[0],
                                   .before_fitness = (l->count < 2) ? (double)NAN : l->fitness[1]};
    l->worth = smoother_add(&l->smoother, &result);
    l->fitness[2] = l->fitness[1];
    l->fitness[1] = l->fitness[0];
    l->fitness[0] = fitness;
    l->count++;
}

static void without_noise_worth_is_fitness(void **state) {
    Lineage l = {.count = 0};
    (void)state;
    for (int i = 0; i < 30; i++) {
        const double fitness = 1.0 - exp(-0.1 * i);
        add(&l, fitness);
        assert_close(l.worth.level, fitness, 0.0, 2e-3);
        assert_false(l.worth.noisy);
    }
    assert_close(l.worth.slope, (l.fitness[0] - l.fitness[1]) / 4.0, 0.1, 0.0);
}

static void noise_is_learned_and_taken_off(void **state) {
    const double noise = 0.1;
    double       raw = 0.0;
    double       smoothed = 0.0;
    double       claimed = 0.0;
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        Lineage l = {.count = 0};
        Rng     rng = rng_stream(seed, 0, RNG_TEST);
        for (int i = 0; i < 40; i++) {
            const double truth = 0.02 * i;
            add(&l, truth + noise * rng_normal(&rng));
            if (i == 39) {
                raw += pow(l.fitness[0] - truth, 2) / 200.0;
                smoothed += pow(l.worth.level - truth, 2) / 200.0;
                claimed += l.worth.level_variance / 200.0;
                assert_true(l.worth.noisy);
            }
        }
    }
    print_message("deviation: raw %.3f, smoothed %.3f, claimed %.3f\n", sqrt(raw), sqrt(smoothed),
                  sqrt(claimed));
    assert_true(sqrt(smoothed) < 0.65 * sqrt(raw));
    /* what it says of itself is about right */
    assert_true(sqrt(claimed) > 0.6 * sqrt(smoothed) && sqrt(claimed) < 1.7 * sqrt(smoothed));
}

static void an_agent_that_breaks_is_seen_at_once(void **state) {
    Lineage l = {.count = 0};
    Rng     rng = rng_stream(1, 0, RNG_TEST);
    (void)state;
    for (int i = 0; i < 30; i++) {
        add(&l, 0.02 * i + 0.02 * rng_normal(&rng));
    }
    add(&l, 0.1);
    assert_true(l.worth.level <= 0.1 && l.worth.level >= 0.1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_noise_worth_is_fitness),
        cmocka_unit_test(noise_is_learned_and_taken_off),
        cmocka_unit_test(an_agent_that_breaks_is_seen_at_once),
    };
    return cmocka_run_group_tests_name("schedulers/smoother", tests, NULL, NULL);
}
