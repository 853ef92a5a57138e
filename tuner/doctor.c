#include "tuner/doctor.h"

#include <stdarg.h>
#include <stdio.h>

void doctor_add(Diagnosis *diagnosis, const char *topic, FindingLevel level, const char *advice,
                const char *format, ...) {
    va_list arguments;

    if (diagnosis->count == DOCTOR_MOST) {
        return;
    }
    Finding *finding = &diagnosis->findings[diagnosis->count++];
    *finding = (Finding){.topic = topic, .level = level};
    va_start(arguments, format);
    (void)vsnprintf(finding->text, sizeof finding->text, format, arguments);
    va_end(arguments);
    (void)snprintf(finding->advice, sizeof finding->advice, "%s", (advice == NULL) ? "" : advice);
}

const char *doctor_level(FindingLevel level) {
    switch (level) {
    case FINDING_GOOD:
        return "good";
    case FINDING_NOTE:
        return "note";
    case FINDING_WARNING:
        return "warning";
    case FINDING_PROBLEM:
        return "problem";
    }
    return "problem";
}
