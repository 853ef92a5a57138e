#include "tests/tuner/study_texts.h"

#include "tests/support/test_support.h"

#include <stdio.h>
#include <string.h>

const char study_external[] =
    "name: small\n"                                                                     /* 1 */
    "trainer: {command: [python3, train.py]}\n"                                         /* 2 */
    "objective: {metric: loss, direction: minimize, reduce: last}\n"                    /* 3 */
    "budget: {unit: epoch, per_trial: 10, segment: 5, trials: 4}\n"                     /* 4 */
    "scheduler: {name: random}\n"                                                       /* 5 */
    "hyperparameters:\n"                                                                /* 6 */
    "  rate: {type: float, lower: 1.0e-5, upper: 1.0e-1, log: true, default: 1.0e-3}\n" /* 7 */
    "  layers: {type: int, lower: 1, upper: 4, default: 2, dynamic: true}\n"            /* 8 */
    "  kind: {type: categorical, choices: [a, b], default: a}\n"                        /* 9 */
    "fixed: {width: 64, note: 'x y'}\n"                                                 /* 10 */
    "seed: 7\n";                                                                        /* 11 */

const char study_built_in[] =
    "name: balance\n"                                                 /* 1 */
    "agent: pets\n"                                                   /* 2 */
    "environment: cartpole\n"                                         /* 3 */
    "objective: {metric: episode_reward, direction: maximize}\n"      /* 4 */
    "constraints: {plan_flop: {upper: 2.0e9}}\n"                      /* 5 */
    "budget: {unit: episode, per_trial: 10, segment: 2, total: 80}\n" /* 6 */
    "scheduler: {name: random}\n"                                     /* 7 */
    "confirm: {top: 1, seeds: 5}\n"                                   /* 8 */
    "resources: {cores: 1, memory: 2GiB}\n"                           /* 9 */
    "hyperparameters:\n"                                              /* 10 */
    "  model_learning_rate: {type: float, lower: 1.0e-5, upper: 1.0e-2, log: true, default: "
    "1.0e-3, "
    "dynamic: true}\n"             /* 11 */
    "fixed: {ensemble_size: 3}\n"; /* 12 */

void study_change(const char *text, const char *from, const char *to, char out[TEXT_BYTES]) {
    const char *at = strstr(text, from);

    assert_non_null(at);
    (void)snprintf(out, TEXT_BYTES, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

Study *study_good(const char *text) {
    Study *study = NULL;
    assert_ok(study_parse("study.yaml", text, NULL, 0, &study));
    return study;
}
