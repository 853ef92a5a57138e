#include "tuner/progress.h"

#include "core/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LIVE_SECONDS  0.25
#define PLAIN_SECONDS 10.0

enum { LINE_BYTES = 512, TIME_BYTES = 32 };

void progress_init(Progress *progress, bool quiet, int columns, bool colour) {
    *progress = (Progress){
        .quiet = quiet, .columns = columns, .colour = colour, .started = clock_monotonic()};
    progress->shown = -PLAIN_SECONDS;
}

static void format_duration(double seconds, char *text, size_t size) {
    if (!(seconds >= 0.0) || seconds > 360000.0) {
        (void)snprintf(text, size, "-");
    } else if (seconds < 100.0) {
        (void)snprintf(text, size, "%.0fs", seconds);
    } else if (seconds < 6000.0) {
        (void)snprintf(text, size, "%.0fm%02.0fs", floor(seconds / 60.0), fmod(seconds, 60.0));
    } else {
        (void)snprintf(text, size, "%.0fh%02.0fm", floor(seconds / 3600.0),
                       floor(fmod(seconds, 3600.0) / 60.0));
    }
}

static void format_state(const ProgressState *state, char *line, size_t size) {
    char best[32] = "-";
    char utilization[16] = "-";
    char units[64];
    char eta[16] = "-";
    if (!isnan(state->best)) {
        (void)snprintf(best, sizeof best, "%.4g", state->best);
    }
    if (!isnan(state->utilization)) {
        (void)snprintf(utilization, sizeof utilization, "%.0f%%", 100.0 * state->utilization);
    }
    if (state->total_units > 0) {
        (void)snprintf(units, sizeof units, "%lld/%lld %ss", (long long)state->units,
                       (long long)state->total_units, state->unit);
        if (state->units_per_second > 0.0) {
            format_duration((double)(state->total_units - state->units) / state->units_per_second,
                            eta, sizeof eta);
        }
    } else {
        (void)snprintf(units, sizeof units, "%lld %ss", (long long)state->units, state->unit);
    }
    (void)snprintf(line, size,
                   "%s %s  %lld done %zu running %lld failed  best %s  busy %s  left %s",
                   state->phase, units, (long long)state->done, state->running,
                   (long long)state->failed, best, utilization, eta);
}

bool progress_due(const Progress *progress, bool now) {
    const double every = (progress->columns > 0) ? LIVE_SECONDS : PLAIN_SECONDS;
    return !progress->quiet && (now || clock_monotonic() - progress->shown >= every);
}

void progress_show(Progress *progress, const ProgressState *state) {
    progress->shown = clock_monotonic();
    char line[LINE_BYTES];
    format_state(state, line, sizeof line);
    if (progress->columns > 0) {
        (void)printf("\r\033[K%.*s", progress->columns - 1, line);
        progress->line_open = true;
    } else {
        (void)printf("%s\n", line);
    }
    (void)fflush(stdout);
}

void progress_log(Progress *progress, const char *level, const char *text) {
    const bool is_error = strcmp(level, "error") == 0;
    if (progress->quiet && !is_error) {
        return;
    }
    progress_end(progress);
    char             stamp[TIME_BYTES] = "";
    struct tm        parts;
    const time_t     now = (time_t)clock_wall();
    const struct tm *local = localtime_r(&now, &parts);
    if (local != NULL) {
        (void)strftime(stamp, sizeof stamp, "%H:%M:%S", local);
    }
    const char *mark = (strcmp(level, "info") == 0) ? "" : level;
    const char *begin = (progress->colour && *mark != '\0') ? "\033[33m" : "";
    const char *end = (progress->colour && *mark != '\0') ? "\033[0m" : "";
    (void)printf("%s %s%s%s%s%s\n", stamp, begin, mark, end, (*mark == '\0') ? "" : ": ", text);
    (void)fflush(stdout);
}

void progress_end(Progress *progress) {
    if (progress->line_open) {
        (void)printf("\r\033[K");
        progress->line_open = false;
    }
}
