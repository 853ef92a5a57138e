#include "tests/bench/stub_crew.h"

#include "core/clock.h"
#include "workers/crew.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* an order that is with a slot; the oldest is finished first */
typedef struct StubOrder {
    size_t  slot;
    int64_t id;
    int64_t attempt;
    double  at; /* s, when it came */
} StubOrder;

enum { REPORTS_TIMED = 64 };

typedef enum NextNews { NEXT_METRIC, NEXT_FINISHED } NextNews;

struct Crew {
    StubOrder *orders;  /* a ring of (slots) */
    size_t     first;   /* the oldest */
    size_t     count;   /* in the ring */
    double    *arrived; /* [slot] when its last report was there; 0 = none yet */
    bool       greeted;
    NextNews   next;
    double     began; /* s, first order; 0 = none yet */
    double     processor;
    int64_t    due; /* reports made since then */
    size_t     mark;
};

static StubPlan   plan;
static StubResult result;

static _Atomic int64_t taken; /* result.reports, for other threads */
static _Atomic bool    watching;

void stub_crew_plan(const StubPlan *wanted) {
    plan = *wanted;
    memset(&result, 0, sizeof result);
    taken = 0;
}

void stub_crew_watch(bool watched) {
    watching = watched;
}

int64_t stub_crew_reports(void) {
    return taken;
}

const StubResult *stub_crew_result(void) {
    return &result;
}

double stub_crew_latency(const StubResult *of, double share) {
    int64_t all = 0;
    int64_t sum = 0;
    for (size_t i = 0; i < STUB_LATENCY_BINS; i++) {
        all += of->latency[i];
    }
    for (size_t i = 0; i < STUB_LATENCY_BINS; i++) {
        sum += of->latency[i];
        if ((double)sum >= share * (double)all) {
            return 1e-4 * (double)(i + 1);
        }
    }
    return (double)NAN;
}

/* of all threads: decide() has one of its own */
static double process_seconds(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int64_t resident_bytes(void) {
    long  pages = 0;
    long  resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL ||
        fscanf(file, "%ld %ld", &pages, &resident) != 2) { /* NOLINT(cert-err34-c) */
        resident = 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (int64_t)resident * (int64_t)sysconf(_SC_PAGESIZE);
}

/* ---- the interface of crew.h -------------------------------------------------------------------
 */

Status crew_create(MPI_Comm comm, const CrewConfig *config, Crew **out) {
    (void)comm;
    *out = NULL;
    if (config == NULL) {
        return STATUS_OK;
    }
    Crew *crew = calloc(1, sizeof *crew);
    if (crew != NULL) {
        crew->orders = calloc(plan.slots, sizeof *crew->orders);
        crew->arrived = calloc(plan.slots, sizeof *crew->arrived);
    }
    if (crew == NULL || crew->orders == NULL || crew->arrived == NULL) {
        crew_destroy(crew);
        FAIL(STATUS_ERR_NOMEM, "no memory for a stub of %zu slots", plan.slots);
    }
    *out = crew;
    return STATUS_OK;
}

void crew_destroy(Crew *crew) {
    if (crew != NULL) {
        free(crew->orders);
        free(crew->arrived);
        free(crew);
    }
}

size_t crew_workers(const Crew *crew) {
    (void)crew;
    return 1;
}

static double due_at(const Crew *crew) {
    return (plan.rate > 0.0) ? crew->began + (double)(crew->due + 1) / plan.rate : crew->began;
}

/* as noisy as real ones: a hash of the id */
static double objective_of(int64_t id) {
    const uint64_t mixed = (uint64_t)id * 0x9e3779b97f4a7c15U;
    return (double)(mixed >> 40);
}

static void note_report(Crew *crew, double now) {
    crew->due++;
    result.reports++;
    taken = result.reports;
    result.seconds = now - crew->began;
    if (result.reports % REPORTS_TIMED == 0) { /* a system call */
        result.processor = process_seconds() - crew->processor;
        result.timed = result.reports;
    }
    if (crew->mark < STUB_MAX_MARKS && plan.marks[crew->mark] == result.reports) {
        result.resident[crew->mark++] = resident_bytes();
    }
    if (plan.stop_after > 0 && result.reports == plan.stop_after) {
        (void)raise(SIGTERM);
    }
}

static void tell_finished(Crew *crew, const StubOrder *order, double now, News *news) {
    const double due = due_at(crew);
    const double arrived = (due > order->at) ? due : order->at;
    crew->arrived[order->slot] = arrived;
    if (watching) {
        result.untaken = (now - arrived > result.untaken) ? now - arrived : result.untaken;
    }
    news->kind = NEWS_FINISHED;
    news->outcome = OUTCOME_DONE;
    news->checkpoint_kept = plan.checkpoints;
    news->checkpoint_bytes = plan.checkpoints ? 1 : 0;
    news->holds = true;
    crew->first = (crew->first + 1) % plan.slots;
    crew->count--;
    note_report(crew, now);
}

Status crew_poll(Crew *crew, News *news, bool *got) {
    const double now = clock_monotonic();
    *got = true;
    if (!crew->greeted) {
        crew->greeted = true;
        *news = (News){.kind = NEWS_WORKER,
                       .worker = 1,
                       .slot_count = plan.slots,
                       .host = "stub",
                       .numerics = "",
                       .cores = 1};
        return STATUS_OK;
    }
    if (crew->count == 0 || (crew->next == NEXT_METRIC && due_at(crew) > now)) {
        *got = false;
        return STATUS_OK;
    }
    const StubOrder order = crew->orders[crew->first];
    *news = (News){.kind = NEWS_METRIC,
                   .worker = 1,
                   .slot = order.slot,
                   .id = order.id,
                   .attempt = order.attempt,
                   .step = 1,
                   .name = "score",
                   .value = objective_of(order.id),
                   .text = "",
                   .level = "",
                   .deterministic = true,
                   .can_checkpoint = plan.checkpoints};
    if (crew->next == NEXT_FINISHED) {
        tell_finished(crew, &order, now, news);
    }
    crew->next = (crew->next == NEXT_METRIC) ? NEXT_FINISHED : NEXT_METRIC;
    return STATUS_OK;
}

void crew_wait(Crew *crew, double seconds) {
    const double until = clock_monotonic() + seconds;
    double       now = clock_monotonic();
    while (now < until && (crew->count == 0 || due_at(crew) > now)) {
        clock_sleep(1e-4);
        now = clock_monotonic();
    }
}

static void note_latency(double seconds) {
    const double bin = seconds * 1e4;
    const size_t last = STUB_LATENCY_BINS - 1;
    result.latency[(bin < (double)last) ? (size_t)bin : last]++;
    result.longest = (seconds > result.longest) ? seconds : result.longest;
}

Status crew_order(Crew *crew, size_t slot, const Order *order) {
    const double now = clock_monotonic();
    if (crew->began == 0.0) {
        crew->began = now;
        crew->processor = process_seconds();
        result.first_order_at = now;
    }
    if (crew->arrived[slot] > 0.0) {
        note_latency(now - crew->arrived[slot]);
    }
    crew->orders[(crew->first + crew->count++) % plan.slots] =
        (StubOrder){.slot = slot, .id = order->id, .attempt = order->attempt, .at = now};
    return STATUS_OK;
}

/* what runs ends by itself soon enough */
Status crew_yield(Crew *crew, size_t slot) {
    (void)crew;
    (void)slot;
    return STATUS_OK;
}

Status crew_cancel(Crew *crew, size_t slot) {
    (void)crew;
    (void)slot;
    return STATUS_OK;
}

Status crew_stop(Crew *crew, double grace, bool *clean) {
    (void)crew;
    (void)grace;
    *clean = true;
    return STATUS_OK;
}
