#include "schedulers/stop_rule.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

void stop_rule_init(StopRule *rule, int64_t units, double by, bool maximize) {
    *rule = (StopRule){.units = units, .by = by, .maximize = maximize};
}

void stop_rule_observe(StopRule *rule, int64_t units, double value) {
    if (rule->units == 0) {
        return;
    }
    const double gain = rule->maximize ? value - rule->best : rule->best - value;
    if (!isnan(value) && (!rule->any || gain > rule->by)) {
        rule->any = true;
        rule->best = value;
        rule->passed = 0;
        return;
    }
    rule->passed += units;
    /* what was running when it stopped may still improve: that changes nothing any more */
    rule->stopped = rule->stopped || rule->passed >= rule->units;
}

void stop_rule_restart(StopRule *rule) {
    rule->passed = 0;
    rule->stopped = false;
}

void stop_rule_reason(const StopRule *rule, const char *metric, const char *unit, char *text,
                      size_t size) {
    (void)snprintf(text, size, "no improvement of %s by more than %g in %" PRId64 " %ss", metric,
                   rule->by, rule->units, unit);
}
