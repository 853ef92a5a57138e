#include "tuner/coordinator.h"

#include "core/clock.h"
#include "tuner/cli.h"
#include "tuner/coordinator_allocation.h"
#include "tuner/coordinator_state.h"
#include "tuner/launch.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A decision or a finished segment is committed at once; metrics alone may wait this long (s). */
#define METRIC_COMMIT_SECONDS 0.5
/* What runs may take this long to reach its next unit after the first signal (s); in a Slurm job,
 * which leaves 30 s between SIGTERM and SIGKILL unless its administrators say otherwise. */
#define YIELD_SECONDS       6.5
#define YIELD_SECONDS_SLURM 20.0
/* Signals that are no further apart are one, in a Slurm job (s). */
#define SAME_SIGNAL_SECONDS 2.0
/* Then trainers get this long to end (s); together below the 10 s that users are promised. */
#define STOP_SECONDS 1.0
/* How long an idle turn of the loop may sleep: signals and the live line are served this often (s).
 */
#define IDLE_SECONDS 0.05

enum { NEWS_PER_TURN = 4096, LOG_BYTES = 1024, RESUME_BYTES = 1 << 16 };

static volatile sig_atomic_t signal_count;

static void count_signal(int number) {
    (void)number;
    signal_count = signal_count + 1;
}

static void catch_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = count_signal;
    (void)sigemptyset(&action.sa_mask);
    signal_count = 0;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

Status coordinator__begin(Coordinator *c) {
    if (c->open) {
        return STATUS_OK;
    }
    TRY(results_begin(c->results));
    c->open = true;
    return STATUS_OK;
}

/* a trainer's words may hold anything: no escape code reaches a terminal, no line break a table */
static void one_line(char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = ' ';
        }
    }
}

void coordinator__log(Coordinator *c, const char *level, const char *format, ...) {
    char    text[LOG_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    one_line(text);
    progress_log(&c->progress, level, text);
    if (!c->begun || c->results == NULL || c->log_error.code != STATUS_OK) {
        return;
    }
    Status status = coordinator__begin(c);
    if (status == STATUS_OK) {
        status = results_log(c->results, level, text);
    }
    if (status != STATUS_OK) {
        c->log_error = *status_last(); /* the next turn fails with it */
    }
}

static Status commit_if_due(Coordinator *c) {
    const double now = clock_monotonic();
    if (!c->open || (!c->urgent && now - c->committed_at < METRIC_COMMIT_SECONDS)) {
        return STATUS_OK;
    }
    TRY(results_commit(c->results));
    c->open = false;
    c->urgent = false;
    c->committed_at = now;
    return STATUS_OK;
}

static Status raise_again(const ErrorInfo *error) {
    return status_fail(error->code, error->native, error->file, error->line, error->func, "%s",
                       error->text);
}

/* ---- stopping -----------------------------------------------------------------------------------
 */

static Status stop_slot(Coordinator *c, size_t index, bool at_once) {
    Slot *slot = &c->slots[index];
    if (!slot->usable || !slot->busy || slot->unsent || slot->cancelled) {
        return STATUS_OK;
    }
    const bool cancels = at_once || slot->work.kind != WORK_SEGMENT;
    if (slot->yielding && !cancels) {
        return STATUS_OK;
    }
    if (cancels || coordinator__is_in_vain(c, slot)) {
        slot->cancelled = true;
        return crew_cancel(c->crew, index);
    }
    slot->yielding = true;
    return crew_yield(c->crew, index);
}

static Status stop_running(Coordinator *c, bool at_once) {
    for (size_t i = 0; i < c->slot_count; i++) {
        TRY(stop_slot(c, i, at_once));
    }
    return STATUS_OK;
}

static size_t busy_slots(const Coordinator *c) {
    size_t count = 0;
    for (size_t i = 0; i < c->slot_count; i++) {
        count += (c->slots[i].usable && c->slots[i].busy) ? 1 : 0;
    }
    return count;
}

/* @param seconds  that what runs may take to end its unit; INFINITY: as long as it takes */
static Status begin_stopping(Coordinator *c, double seconds, const char *why) {
    char limit[32] = "";
    if (!isinf(seconds)) {
        (void)snprintf(limit, sizeof limit, ", at most %.0f s", seconds);
    }
    c->stopping = true;
    c->stop_began = clock_monotonic();
    c->stop_deadline = c->stop_began + seconds;
    coordinator__log(c, "info", "stopping%s: what runs ends its unit%s; %s stops at once", why,
                     limit, signal_count == 0 ? "an interrupt" : "once more");
    TRY(coordinator__tell_in_vain(c));
    return stop_running(c, false);
}

/* what still runs is stopped at once: the time to end a unit is over, or the user cannot wait */
static Status cut_off(Coordinator *c, bool signalled) {
    size_t count = 0;
    for (size_t i = 0; i < c->slot_count; i++) {
        const Slot *slot = &c->slots[i];
        count += (slot->usable && slot->busy && !slot->unsent && !slot->cancelled) ? 1 : 0;
    }
    c->cut_off = true;
    if (count > 0) {
        coordinator__log(c, "warning",
                         "%zu order%s cut off%s, to be done again from the last checkpoint", count,
                         (count == 1) ? " is" : "s are",
                         signalled ? " by a second signal" : ": they did not end a unit in time");
    }
    return stop_running(c, true);
}

static Status serve_end_of_allocation(Coordinator *c) {
    double left = 0.0;
    if (c->stopping || !coordinator__allocation_ends(c, &left)) {
        return STATUS_OK;
    }
    c->allocation_over = true;
    return begin_stopping(c, (left > 0.0) ? left : 0.0, " before this job's time is over");
}

/* A batch system signals every process of a job, and the launcher passes on what it gets: two
 * signals that come together are one. */
static bool hastens(const Coordinator *c) {
    return !c->setup->in_slurm || clock_monotonic() > c->stop_began + SAME_SIGNAL_SECONDS;
}

/* `mbtune stop` is in no hurry: what runs may end its unit, but for the end of the job */
static double seconds_to_yield(const Coordinator *c, bool signalled) {
    if (!signalled) {
        return (c->end_at > 0.0) ? fmax(coordinator__time_left(c), 0.0) : (double)INFINITY;
    }
    return c->setup->in_slurm ? YIELD_SECONDS_SLURM : YIELD_SECONDS;
}

static Status serve_signals(Coordinator *c) {
    const int  signals = signal_count;
    const bool signalled = signals > c->stop_signals;
    c->stop_signals = signals;
    if (!c->stopping && (signalled || c->user_stopped)) {
        return begin_stopping(c, seconds_to_yield(c, signalled), "");
    }
    if (!c->stopping || busy_slots(c) == 0) {
        return STATUS_OK;
    }
    const bool hurry = signalled && hastens(c);
    if (!c->cut_off && (hurry || clock_monotonic() >= c->stop_deadline)) {
        return cut_off(c, hurry);
    }
    return stop_running(c, c->cut_off); /* also orders that had not left yet when the signal came */
}

/* ---- phases -------------------------------------------------------------------------------------
 */

static bool phase_is_over(const Coordinator *c) {
    return c->decided_all && c->undecided == 0 && c->event_count == 0 && c->queue.count == 0 &&
           busy_slots(c) == 0;
}

Status coordinator__next_phase(Coordinator *c) {
    /* a failed study ends as soon as nothing runs any more */
    if (c->failed) {
        if (busy_slots(c) == 0) {
            c->phase = PHASE_OVER;
        }
        return STATUS_OK;
    }
    if (!phase_is_over(c)) {
        return STATUS_OK;
    }
    TRY(coordinator__serve_requests(c, true)); /* the last moment at which it may go on */
    if (!phase_is_over(c)) {
        return STATUS_OK;
    }
    c->phase_began = 0.0;
    if (c->clock_ended) {
        c->phase = PHASE_OVER; /* a run with a larger budget goes on with tuning */
        return STATUS_OK;
    }
    if (c->phase == PHASE_TUNE && c->study->confirm.seeds > 0) {
        return coordinator__enter_confirm(c);
    }
    if (c->phase == PHASE_TUNE || c->phase == PHASE_CONFIRM) {
        return coordinator__enter_evaluate(c);
    }
    c->phase = PHASE_OVER;
    return STATUS_OK;
}

/* ---- the loop -----------------------------------------------------------------------------------
 */

static Status take_news(Coordinator *c, bool *any) {
    *any = false;
    for (size_t i = 0; i < NEWS_PER_TURN; i++) {
        News news;
        bool got = false;
        TRY(crew_poll(c->crew, &news, &got));
        if (!got) {
            return STATUS_OK;
        }
        *any = true;
        TRY(coordinator__take(c, &news));
    }
    return STATUS_OK;
}

static Status check_crew(Coordinator *c) {
    if (crew_workers(c->crew) == 0) {
        c->no_workers = true;
        FAIL(STATUS_ERR_INTERRUPTED, "no worker is left");
    }
    return STATUS_OK;
}

static Status turn(Coordinator *c) {
    bool any = false;
    if (c->log_error.code != STATUS_OK) {
        const ErrorInfo *e = &c->log_error;
        return status_fail(e->code, e->native, e->file, e->line, e->func, "%s", e->text);
    }
    TRY(coordinator__serve_requests(c, false));
    TRY(serve_signals(c));
    TRY(serve_end_of_allocation(c));
    TRY(take_news(c, &any));
    TRY(coordinator__observe(c));
    TRY(coordinator__decide(c));
    TRY(coordinator__collect(c));
    TRY(coordinator__assign(c));
    TRY(coordinator__check_quota(c));
    TRY(commit_if_due(c));
    if (!c->open) {
        TRY(coordinator__send(c));
        coordinator__sweep(c);
        TRY(coordinator__publish(c));
    }
    TRY(coordinator__next_phase(c));
    TRY(check_crew(c));
    coordinator__show(c, false);
    if (!any && !c->urgent) {
        crew_wait(c->crew, IDLE_SECONDS);
    }
    return STATUS_OK;
}

static Status describe_work(const Coordinator *c, Buffer *command, Buffer *hello) {
    TRY(study_trainer_command(c->study, command));
    return study_trainer_hello(c->study, hello);
}

/* Every rank takes part, whatever happened before: without a configuration the workers just leave.
 */
static Status make_crew(Coordinator *c, MPI_Comm comm, bool wanted) {
    Buffer command;
    Buffer hello;
    buffer_init(&command, 1 << 20);
    buffer_init(&hello, 1 << 20);
    const Status     described = describe_work(c, &command, &hello);
    const ErrorInfo  error = *status_last();
    const CrewConfig config = {.study_folder = c->folder->path,
                               .command = buffer_text(&command),
                               .hello = buffer_text(&hello),
                               .cores = c->study->resources.cores,
                               .gpus = c->study->resources.gpus,
                               .memory_bytes = c->study->resources.memory,
                               .start_seconds = c->study->limits.start_seconds,
                               .silence_seconds = c->study->limits.silence_seconds,
                               .segment_seconds = c->study->limits.segment_seconds,
                               .heartbeat_seconds = c->study->limits.heartbeat_seconds};
    const bool       usable = wanted && described == STATUS_OK;
    const Status     status = crew_create(comm, usable ? &config : NULL, &c->crew);
    buffer_reset(&command);
    buffer_reset(&hello);
    return (described == STATUS_OK) ? status : raise_again(&error);
}

static Status loop(Coordinator *c) {
    c->committed_at = clock_monotonic();
    TRY(coordinator__enter_allocation(c));
    if (c->setup->evaluate_episodes > 0) {
        TRY(coordinator__enter_evaluate(c));
    }
    while (c->phase != PHASE_OVER && !(c->stopping && busy_slots(c) == 0)) {
        TRY(turn(c));
    }
    return STATUS_OK;
}

/* SQLite's primary codes for input or output that failed and a full disk (sqlite3.h lives in
 * results/) */
enum { DATABASE_IO_ERROR = 10, DATABASE_FULL = 13, PRIMARY_CODE = 0xff };

/* what the next run of the same command may find mended: nothing is lost but the open transaction.
 * MPI fails where a rank dies while all come together. */
static bool is_resumable(Status status) {
    return status == STATUS_ERR_INTERRUPTED || status == STATUS_ERR_IO || status == STATUS_ERR_MPI;
}

/* a disk that is full, which somebody may free, at any time of a study's life; before it has begun,
 * what else fails to be read or written is a mistake in the command */
static bool is_full(Status status, const ErrorInfo *error) {
    const long primary = error->native & PRIMARY_CODE;
    return (status == STATUS_ERR_IO && (error->native == ENOSPC || error->native == EDQUOT)) ||
           (status == STATUS_ERR_DATABASE &&
            (primary == DATABASE_IO_ERROR || primary == DATABASE_FULL));
}

static int judge(Coordinator *c, Status status, const ErrorInfo *error) {
    if (status == STATUS_OK && c->phase == PHASE_OVER) {
        return c->failed ? CLI_EXIT_FAILED : CLI_EXIT_DONE;
    }
    if (status == STATUS_OK) {
        (void)snprintf(c->reason, sizeof c->reason, "stopped %s",
                       c->user_stopped      ? "by a user (mbtune stop)"
                       : c->allocation_over ? "before the job's time was over"
                                            : "by a signal");
        coordinator__explain_short_allocation(c);
        return CLI_EXIT_RESUMABLE;
    }
    (void)snprintf(c->reason, sizeof c->reason, "%.255s", error->text);
    const bool resumable = (c->begun && is_resumable(status)) || is_full(status, error);
    return resumable ? CLI_EXIT_RESUMABLE : CLI_EXIT_FAILED;
}

/* a line for the shell; whoever brought the ranks has to bring them again */
static void say_how_to_resume(const StudyFolder *folder) {
    Buffer line;
    buffer_init(&line, RESUME_BYTES);
    buffer_puts(&line, "mbtune run ");
    cli_shell_word(folder->study_file, &line);
    buffer_puts(&line, " --dir ");
    cli_shell_word(folder->path, &line);
    (void)printf("resume%s with: %s\n", launch_is_own() ? "" : ", under mpiexec or srun as before,",
                 buffer_text(&line));
    buffer_reset(&line);
}

static void say_goodbye(Coordinator *c, int exit_status) {
    if (c->results == NULL || !c->begun) {
        return;
    }
    coordinator__show(c, true);
    const double busy = coordinator__utilization(c);
    if (!isnan(busy)) {
        coordinator__log(c, "info", "utilization %.1f %% of %zu slots", 100.0 * busy,
                         c->slot_count);
    }
    if (exit_status == CLI_EXIT_RESUMABLE) {
        coordinator__log(c, c->stopping ? "info" : "error", "interrupted: %s", c->reason);
    } else if (exit_status == CLI_EXIT_FAILED && c->failed) { /* else the error itself is printed */
        coordinator__log(c, "error", "the study failed: %s", c->reason);
    } else if (exit_status == CLI_EXIT_DONE) {
        coordinator__log(c, "info", "done%s%s", (c->reason[0] == '\0') ? "" : ": ", c->reason);
    }
}

/* the last rows: how the study stands now; a disk that is still full leaves it `running`, which the
 * next run reconciles */
static Status conclude(Coordinator *c, int exit_status) {
    const char *state = (exit_status == CLI_EXIT_DONE)        ? "done"
                        : (exit_status == CLI_EXIT_RESUMABLE) ? "interrupted"
                                                              : "failed";
    if (c->results == NULL) {
        return STATUS_OK;
    }
    say_goodbye(c, exit_status);
    if (!c->begun && !c->open) {
        return STATUS_OK;
    }
    TRY(coordinator__begin(c));
    if (c->begun) {
        TRY(results_study_set(c->results, state, c->reason));
    }
    if (c->begun && exit_status == CLI_EXIT_RESUMABLE) { /* what ran is over with this run */
        int64_t requeued = 0;
        TRY(results_reconcile(c->results, &requeued));
    }
    TRY(results_commit(c->results));
    c->open = false;
    coordinator__sweep(c);
    return STATUS_OK;
}

void coordinator__destroy(Coordinator *c) {
    decider_destroy(c->decider);
    scheduler_destroy(c->scheduler);
    crew_destroy(c->crew);
    if (c->open) {
        results_rollback(c->results);
    }
    results_close(c->results);
    coordinator__unpublish(c); /* the database is whole now */
    free((c->queue.items == NULL) ? NULL : c->queue.items - c->queue.skipped);
    free(c->slots);
    free(c->events);
    free(c->kept);
    id_index_reset(&c->kept_at);
    id_index_reset(&c->live_leaf);
    free(c->doomed);
    free(c->window);
    free(c->point);
}

/* What has come in counts, unless it is what failed to be written. */
static Status close_group(Coordinator *c, Status status, ErrorInfo *error) {
    if (status == STATUS_OK || !c->open) {
        return status;
    }
    if (status == STATUS_ERR_INTERRUPTED && results_commit(c->results) == STATUS_OK) {
        c->open = false;
        return status;
    }
    if (status == STATUS_ERR_INTERRUPTED) {
        *error = *status_last();
        status = error->code;
    }
    results_rollback(c->results);
    c->open = false;
    c->doomed_count = 0; /* their rows name them still */
    c->log_error.code = STATUS_OK;
    return status;
}

/* the workers wait for the configuration whatever happened before, and then for the end */
static Status run(Coordinator *c, MPI_Comm comm, ErrorInfo *error) {
    Status status = coordinator__open(c);
    *error = *status_last();
    if (status == STATUS_OK) {
        launch_remove_leftovers(c->folder->logs);
    }
    const Status crew_status = make_crew(c, comm, status == STATUS_OK);
    launch_report_joined();
    if (status == STATUS_OK) {
        status = (crew_status == STATUS_OK) ? loop(c) : crew_status;
        *error = *status_last();
    }
    return close_group(c, status, error);
}

Status coordinator_run(const CoordinatorSetup *setup, MPI_Comm comm, CoordinatorOutcome *outcome) {
    Coordinator c = {.setup = setup, .study = setup->study, .folder = setup->folder};
    ErrorInfo   error;
    outcome->finalize = true;
    status_clear();
    progress_init(&c.progress, setup->quiet, setup->columns, setup->colour);
    catch_signals();
    Status status = run(&c, comm, &error);
    outcome->exit_status = judge(&c, status, &error);
    const Status concluded = conclude(&c, outcome->exit_status);
    if (status == STATUS_OK && concluded != STATUS_OK) {
        status = concluded;
        error = *status_last();
        outcome->exit_status = judge(&c, status, &error);
    }
    outcome->again = outcome->exit_status == CLI_EXIT_RESUMABLE && !c.user_stopped &&
                     !(c.allocation_over && !c.advanced) &&
                     (status == STATUS_OK || status == STATUS_ERR_MPI || c.no_workers);
    outcome->finalize = status != STATUS_ERR_MPI; /* it would wait for whoever has died */
    /* without a crew the workers have left already, see crew_create() */
    if (c.crew != NULL && crew_stop(c.crew, STOP_SECONDS, &outcome->finalize) != STATUS_OK) {
        outcome->finalize = false;
    }
    /* what a lost worker's trainer still wrote, and what was damaged */
    if ((!outcome->finalize || c.left_damaged) && c.begun &&
        coordinator__sweep_orphans(&c) != STATUS_OK) {
        progress_log(&c.progress, "warning", status_last()->text); /* the next start tries again */
    }
    progress_end(&c.progress);
    if (outcome->exit_status == CLI_EXIT_RESUMABLE && !setup->quiet &&
        study_folder_begun(c.folder)) {
        say_how_to_resume(c.folder);
    }
    (void)fflush(stdout);
    coordinator__destroy(&c);
    return (status == STATUS_OK || status == STATUS_ERR_INTERRUPTED) ? STATUS_OK
                                                                     : raise_again(&error);
}
