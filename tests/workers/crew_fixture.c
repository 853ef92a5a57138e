#include "tests/workers/crew_fixture.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"

#include <inttypes.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double patience_s = 20.0;
static const double grace_s = 30.0; /* at most: a loaded machine is slow */

enum { ROUND_END, ROUND_WORK, ROUND_CRIPPLED };
enum { MAX_RANKS = 64 };

typedef struct Use {
    double cpu;
    double wall;
    double ok;
} Use;

static double cpu_time(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int pids[MAX_RANKS];
static Use crew_clock; /* when rank 0's crew began */

static void begin_round(int kind) {
    assert_int_equal(MPI_Bcast(&kind, 1, MPI_INT, 0, MPI_COMM_WORLD), MPI_SUCCESS);
}

pid_t crew_worker_pid(int worker) {
    return (pid_t)pids[worker];
}

static void make_fixture(CrewFixture *f) {
    memset(f, 0, sizeof *f);
    f->folder = test_folder_make();
    f->records = calloc(CREW_MAX_SLOTS, sizeof *f->records);
    assert_non_null(f->records);
}

static void start_crew(CrewFixture *f, const char *const *options, const CrewConfig *config,
                       int round) {
    Buffer command;
    int    size = 0;
    buffer_init(&command, 4096);
    buffer_printf(&command, "[\"%s\"", FAKE_TRAINER);
    for (size_t i = 0; options[i] != NULL; i++) {
        buffer_printf(&command, ",\"%s\"", options[i]);
    }
    buffer_puts(&command, "]");

    CrewConfig own = *config;
    own.study_folder = f->folder;
    own.command = buffer_text(&command);
    own.hello = "{\"op\":\"hello\",\"protocol\":1,\"study\":\"test\",\"cores\":1}";
    own.cores = 1;
    own.start_seconds = (own.start_seconds > 0.0) ? own.start_seconds : patience_s;
    own.silence_seconds = (own.silence_seconds > 0.0) ? own.silence_seconds : patience_s;
    own.heartbeat_seconds = (own.heartbeat_seconds > 0.0) ? own.heartbeat_seconds : 5.0;
    begin_round(round);
    assert_ok(crew_create(MPI_COMM_WORLD, &own, &f->crew));
    buffer_reset(&command);
    assert_int_equal(MPI_Comm_size(MPI_COMM_WORLD, &size), MPI_SUCCESS);
    f->workers = size - 1;
    assert_int_equal(crew_workers(f->crew), f->workers);
    crew_clock = (Use){.cpu = cpu_time(), .wall = clock_monotonic()};
}

void crew_until_known(CrewFixture *f, size_t lost, size_t announced, double seconds) {
    const double deadline = clock_monotonic() + seconds;
    while ((f->announced < announced || f->lost < lost) && clock_monotonic() < deadline) {
        (void)crew_take(f);
    }
}

void crew_begin(CrewFixture *f, const char *const *options, const CrewConfig *config) {
    make_fixture(f);
    start_crew(f, options, config, ROUND_WORK);
    crew_until_known(f, 0, (size_t)f->workers, patience_s);
    assert_int_equal(f->announced, f->workers);
}

void crew_begin_badly(CrewFixture *f, const CrewConfig *config, bool cripple, const char *logs) {
    make_fixture(f);
    f->may_lose = true;
    if (logs != NULL) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/logs", f->folder);
        assert_ok(file_write_atomic(path, logs, strlen(logs)));
    }
    start_crew(f, (const char *const[]){NULL}, config, cripple ? ROUND_CRIPPLED : ROUND_WORK);
}

/* @return whether all workers left in order */
static bool gather_use(int workers, CrewUse *use) {
    Use own = {.ok = 1.0};
    Use all[MAX_RANKS];
    use->all_ok = true;
    assert_int_equal(MPI_Gather(&own, 3, MPI_DOUBLE, all, 3, MPI_DOUBLE, 0, MPI_COMM_WORLD),
                     MPI_SUCCESS);
    for (int i = 1; i <= workers; i++) {
        const double share = all[i].cpu / all[i].wall;
        use->most_worker = (share > use->most_worker) ? share : use->most_worker;
        use->all_ok = use->all_ok && all[i].ok > 0.0;
    }
    return use->all_ok;
}

bool crew_release(void) {
    Crew   *crew = NULL;
    CrewUse use = {.all_ok = true};
    int     size = 0;
    assert_int_equal(MPI_Comm_size(MPI_COMM_WORLD, &size), MPI_SUCCESS);
    begin_round(ROUND_WORK);
    assert_ok(crew_create(MPI_COMM_WORLD, NULL, &crew));
    assert_null(crew);
    return gather_use(size - 1, &use);
}

double crew_end_without(CrewFixture *f, double grace, pid_t asleep) {
    bool         clean = true;
    CrewUse      use = {.all_ok = true};
    const double begin = clock_monotonic();
    assert_ok(crew_stop(f->crew, grace, &clean));
    const double took = clock_monotonic() - begin;
    assert_false(clean);
    assert_int_equal(kill(asleep, SIGCONT), 0);
    crew_destroy(f->crew);
    assert_false(gather_use(f->workers, &use));
    test_folder_remove(f->folder);
    free(f->records);
    return took;
}

CrewUse crew_end(CrewFixture *f) {
    bool    clean = false;
    CrewUse use = {.all_ok = true};
    use.coordinator = (cpu_time() - crew_clock.cpu) / (clock_monotonic() - crew_clock.wall);
    assert_ok(crew_stop(f->crew, grace_s, &clean));
    crew_destroy(f->crew);
    assert_true(clean);
    assert_true(gather_use(f->workers, &use));
    test_folder_remove(f->folder);
    free(f->records);
    return use;
}

static void take_metric(SlotRecord *record, const News *news) {
    if (strcmp(news->name, "received_at") == 0) {
        record->received_at = news->value;
    } else if (strcmp(news->name, "done_at") == 0) {
        record->done_at = news->value;
    } else if (strcmp(news->name, "episode_reward") == 0) {
        assert_true(record->metrics < CREW_MAX_METRICS);
        record->steps[record->metrics] = news->step;
        record->values[record->metrics++] = news->value;
    }
}

bool crew_take(CrewFixture *f) {
    News news;
    bool got = false;
    assert_ok(crew_poll(f->crew, &news, &got));
    if (!got) {
        crew_wait(f->crew, 0.05);
        return false;
    }
    if (news.kind == NEWS_WORKER) {
        assert_true(news.worker >= 1 && news.worker <= f->workers);
        assert_int_equal(news.first_slot, (size_t)(news.worker - 1) * CREW_SLOTS_PER_WORKER);
        assert_int_equal(news.slot_count, CREW_SLOTS_PER_WORKER);
        assert_true(strlen(news.host) > 0 && strlen(news.numerics) > 0);
        f->announced++;
        f->slots += news.slot_count;
        return true;
    }
    if (news.kind == NEWS_LOST) {
        assert_true(f->may_lose);
        f->lost++;
        assert_int_equal(crew_workers(f->crew), (size_t)f->workers - f->lost);
        (void)snprintf(f->lost_text, sizeof f->lost_text, "%s", news.text);
        return true;
    }
    assert_true(news.slot < f->slots);
    SlotRecord *record = &f->records[news.slot];
    if (news.kind == NEWS_LOG) {
        f->logs++;
        return true;
    }
    assert_false(record->over);
    assert_int_equal(news.attempt, 1);
    if (news.kind == NEWS_STARTED) {
        record->started++;
    } else if (news.kind == NEWS_METRIC) {
        assert_int_equal(record->started, 1);
        take_metric(record, &news);
    } else if (news.kind == NEWS_FINISHED) {
        record->finished_seen_at = clock_monotonic();
        record->over = true;
        record->finished = news;
        (void)snprintf(record->text, sizeof record->text, "%s", news.text);
    }
    return true;
}

static void send_order(CrewFixture *f, size_t slot, const Order *order) {
    assert_true(slot < f->slots);
    memset(&f->records[slot], 0, sizeof f->records[slot]);
    assert_ok(crew_order(f->crew, slot, order));
}

static void write_resume(const CrewFixture *f, int64_t segment, char *name, char *json,
                         size_t size) {
    (void)snprintf(json, size, "null");
    name[0] = '\0';
    if (segment != 0) {
        (void)snprintf(name, 64, "%" PRId64 ".a1", segment);
        (void)snprintf(json, size, "\"%s/checkpoints/%s\"", f->folder, name);
    }
}

void crew_train(CrewFixture *f, size_t slot, const CrewWork *work) {
    char line[2048];
    char resume[512];
    char name[64];
    char checkpoint[64] = "";
    write_resume(f, work->parent, name, resume, sizeof resume);
    if (!work->no_checkpoint) {
        (void)snprintf(checkpoint, sizeof checkpoint, "%" PRId64 ".a1", work->segment);
    }
    (void)snprintf(line, sizeof line,
                   "{\"op\":\"train\",\"segment\":%" PRId64 ",\"parent\":%" PRId64
                   ",\"begin\":%" PRId64 ",\"end\":%" PRId64
                   ",\"seed\":42,\"hyperparameters\":%s,\"resume_from\":%s,\"checkpoint_to\":%s%s%s"
                   "%s%s}",
                   work->segment, work->parent, work->begin, work->end,
                   work->values == NULL ? "{}" : work->values, resume,
                   work->no_checkpoint ? "null" : "\"", work->no_checkpoint ? "" : f->folder,
                   work->no_checkpoint ? "" : "/checkpoints/", checkpoint,
                   work->no_checkpoint ? "" : ".tmp\"");
    const Order order = {.id = work->segment,
                         .attempt = 1,
                         .line = line,
                         .resume_from = name,
                         .resume_bytes = work->bytes,
                         .resume_checksum = work->checksum,
                         .checkpoint = checkpoint};
    send_order(f, slot, &order);
}

void crew_evaluate(CrewFixture *f, size_t slot, int64_t evaluation, const CrewWork *of) {
    char line[2048];
    char resume[512];
    char name[64];
    write_resume(f, of->segment, name, resume, sizeof resume);
    (void)snprintf(line, sizeof line,
                   "{\"op\":\"evaluate\",\"evaluation\":%" PRId64 ",\"segment\":%" PRId64
                   ",\"episodes\":3,\"seed\":7,\"hyperparameters\":{},\"resume_from\":%s}",
                   evaluation, of->segment, resume);
    const Order order = {.evaluate = true,
                         .id = evaluation,
                         .attempt = 1,
                         .line = line,
                         .resume_from = name,
                         .resume_bytes = of->bytes,
                         .resume_checksum = of->checksum,
                         .checkpoint = ""};
    send_order(f, slot, &order);
}

SlotRecord *crew_until_over(CrewFixture *f, size_t slot) {
    const double deadline = clock_monotonic() + patience_s;
    while (!f->records[slot].over && clock_monotonic() < deadline) {
        (void)crew_take(f);
    }
    assert_true(f->records[slot].over);
    return &f->records[slot];
}

SlotRecord *crew_until_metric(CrewFixture *f, size_t slot) {
    const double deadline = clock_monotonic() + patience_s;
    while (f->records[slot].metrics == 0 && clock_monotonic() < deadline) {
        (void)crew_take(f);
    }
    assert_true(f->records[slot].metrics > 0);
    return &f->records[slot];
}

static void work_rounds(bool last) {
    WorkerSetup setup = {.slots = CREW_SLOTS_PER_WORKER, .binary = STUB_MBTUNE};
    int         kind = ROUND_END;
    while (MPI_Bcast(&kind, 1, MPI_INT, 0, MPI_COMM_WORLD) == MPI_SUCCESS && kind != ROUND_END) {
        setup.slots = (kind == ROUND_CRIPPLED && last) ? 0 : CREW_SLOTS_PER_WORKER;
        Use          use = {.cpu = -cpu_time(), .wall = -clock_monotonic()};
        const Status status = worker_main(MPI_COMM_WORLD, &setup);
        use.cpu += cpu_time();
        use.wall += clock_monotonic();
        use.ok = (status == STATUS_OK) ? 1.0 : 0.0;
        if (status != STATUS_OK) {
            (void)fprintf(stderr, "worker: %s\n", status_last()->text);
        }
        (void)MPI_Gather(&use, 3, MPI_DOUBLE, NULL, 3, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    }
}

int crew_test_main(int argc, char **argv, int (*run)(void)) {
    int provided = 0;
    int rank = 0;
    int size = 0;
    int failed = 0;
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
        MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS ||
        MPI_Comm_size(MPI_COMM_WORLD, &size) != MPI_SUCCESS) {
        return 1;
    }
    const int pid = (int)getpid();
    if (MPI_Gather(&pid, 1, MPI_INT, pids, 1, MPI_INT, 0, MPI_COMM_WORLD) != MPI_SUCCESS) {
        return 1;
    }
    if (rank == 0) {
        failed = run();
        if (failed != 0) { /* the workers may wait for ever in a crew that was not stopped */
            (void)MPI_Abort(MPI_COMM_WORLD, 1);
        }
        begin_round(ROUND_END);
    } else {
        work_rounds(rank == size - 1);
    }
    return (MPI_Finalize() == MPI_SUCCESS) ? failed : 1;
}
