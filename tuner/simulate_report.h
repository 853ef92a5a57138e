/** @file simulate_report.h  What `mbtune simulate` prints: text, JSON, CSV.
 *
 * All of it is the same from run to run, except what stands under "measured" (JSON) or on stderr
 * (text and CSV); and except the rest too where measured times were charged, which it then says.
 */
#ifndef TUNER_SIMULATE_REPORT_H
#define TUNER_SIMULATE_REPORT_H

#include "core/buffer.h"
#include "core/status.h"
#include "schedulers/simulator.h"
#include "tuner/study_file.h"

/** A simulation and where it came from; borrowed. */
typedef struct Simulated {
    const Study             *study;
    const char              *problem; /* name of the function, or path of the table */
    const SimulatorSettings *settings;
    const SimulatorReport   *report;
} Simulated;

/** For people: a summary, and when the best result was beaten (at most the last 20 times). */
Status simulate_report_text(const Simulated *simulated, Buffer *out) MUST_USE;
/** One object: docs/simulation.md. */
Status simulate_report_json(const Simulated *simulated, Buffer *out) MUST_USE;
/** A row for every time the best result was beaten. */
Status simulate_report_csv(const Simulated *simulated, Buffer *out) MUST_USE;
/** The measured times as one line. */
void simulate_report_measured(const Simulated *simulated, Buffer *out);

#endif
