#include "tests/schedulers/contract_case.h"

#include "tests/support/test_support.h"

#include <string.h>

void contract_population(ContractCase *c, double size) {
    const size_t index = option_find(c->ops->options, "population");
    if (c->ops->population) {
        assert_true(index < option_count(c->ops->options));
        c->options[index] = size;
    } else {
        /* one that stops early would leave units: as many configurations as there are units for */
        c->setup.trials = c->ops->stops_early ? 0 : (int64_t)size;
    }
}

void contract_case(const SchedulerOps *ops, const Space *space, ContractCase *c) {
    *c = (ContractCase){.ops = ops, .setup = fake_setup(space)};
    assert_true(option_count(ops->options) < CONTRACT_OPTIONS);
    option_defaults(ops->options, c->options);
    contract_population(c, CONTRACT_CONFIGURATIONS);
    c->setup.total = CONTRACT_CONFIGURATIONS * c->setup.per_trial;
}

/* A choice may be refused beside the defaults of the others, in a sentence that names it. */
static bool is_refused(const ContractCase *c, size_t option) {
    Scheduler   *scheduler = NULL;
    const Status status = scheduler_create(c->ops, &c->setup, c->options, &scheduler);
    scheduler_destroy(scheduler);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_ERR_ARG);
        assert_contains(status_last()->text, c->ops->options[option].name);
        assert_contains(status_last()->text,
                        c->ops->options[option].choices[(size_t)c->options[option]]);
    }
    return status != STATUS_OK;
}

void contract_each(FakeSpace which, ContractCheck check) {
    Space *space = fake_space(which);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        ContractCase        c;
        if (strcmp(ops->name, "enqueue") == 0) {
            continue; /* runs what users enqueue, and here nobody does: test_enqueue.c */
        }
        contract_case(ops, space, &c);
        check(&c);
        for (size_t j = 0; j < option_count(ops->options); j++) {
            for (size_t k = 0;
                 ops->options[j].type == OPTION_CHOICE && ops->options[j].choices[k] != NULL; k++) {
                contract_case(ops, space, &c);
                c.options[j] = (double)k;
                if (!is_refused(&c, j)) {
                    check(&c);
                }
            }
        }
    }
    space_destroy(space);
}

bool contract_samples(const ContractCase *c, const char *name) {
    const size_t      row = option_find(c->ops->options, "sampler");
    const OptionSpec *spec = &c->ops->options[row];
    return strcmp(c->ops->name, name) == 0 ||
           (spec->name != NULL && strcmp(spec->choices[(size_t)c->options[row]], name) == 0);
}
