/** @file simulated_internal.h  The kinds of simulated problems. Adding one: its line here, its row
 * in simulated_problem.c. */
#ifndef SCHEDULERS_SIMULATED_INTERNAL_H
#define SCHEDULERS_SIMULATED_INTERNAL_H

#include "schedulers/simulated_problem.h"

enum { SIMULATED_FUNCTIONS = 7 };
extern const SimulatedProblemOps simulated__function_ops[SIMULATED_FUNCTIONS];
extern const SimulatedProblemOps simulated__schedule_ops;
extern const SimulatedProblemOps simulated__schedule_trap_ops;
extern const SimulatedProblemOps simulated__schedule_static_ops;

#endif
