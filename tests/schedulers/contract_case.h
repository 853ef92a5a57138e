/** @file contract_case.h  The cases of test_scheduler_contract.c: every scheduler, with every
 * choice of every option. */
#ifndef TESTS_SCHEDULERS_CONTRACT_CASE_H
#define TESTS_SCHEDULERS_CONTRACT_CASE_H

#include "tests/schedulers/fake_study.h"

enum { CONTRACT_OPTIONS = 64, CONTRACT_CONFIGURATIONS = 6 };

/** One scheduler with one set of option values. */
typedef struct ContractCase {
    const SchedulerOps *ops;
    double              options[CONTRACT_OPTIONS];
    SchedulerSetup      setup;
} ContractCase;

typedef void (*ContractCheck)(ContractCase *);

/** The defaults, with CONTRACT_CONFIGURATIONS members or configurations and units for all. */
void contract_case(const SchedulerOps *ops, const Space *space, ContractCase *c);
/** Members, or configurations. */
void contract_population(ContractCase *c, double size);
/** Runs a check with the defaults, and with every choice of every option that is not refused. */
void contract_each(FakeSpace which, ContractCheck check);
/** Do configurations come from that sampler, by its own name or chosen beside a budget? */
bool contract_samples(const ContractCase *c, const char *name);

#endif
