#include "tuner/gc.h"

#include "tuner/coordinator_state.h"

static Status collect(Coordinator *c, bool only_best) {
    c->collect = true;
    if (only_best) {
        return coordinator__collect_all_but_best(c);
    }
    return coordinator__collect(c);
}

/* the rows first, then the files: what is cut off in between leaves files of nobody */
static Status save(Coordinator *c) {
    if (c->open) {
        TRY(results_commit(c->results));
        c->open = false;
    }
    coordinator__sweep(c);
    return STATUS_OK;
}

static Status run(Coordinator *c, bool only_best, GcReport *report) {
    TRY(coordinator__open(c));
    report->removed = c->kept_count;
    report->removed_bytes = c->kept_bytes;
    TRY(collect(c, only_best));
    report->kept = c->kept_count;
    report->kept_bytes = c->kept_bytes;
    report->quota = c->study->limits.checkpoint_bytes;
    report->removed -= report->kept;
    report->removed_bytes -= report->kept_bytes;
    return c->setup->is_dry_run ? STATUS_OK : save(c);
}

Status gc_study(const Study *study, StudyFolder *folder, bool only_best, bool dry_run,
                GcReport *report) {
    const CoordinatorSetup setup = {
        .study = study, .folder = folder, .quiet = true, .is_visit = true, .is_dry_run = dry_run};
    Coordinator c = {.setup = &setup, .study = study, .folder = folder};
    progress_init(&c.progress, true, 0, false);
    const Status    status = run(&c, only_best, report);
    const ErrorInfo error = *status_last();
    coordinator__destroy(&c); /* rolls back what is open */
    return (status == STATUS_OK) ? STATUS_OK
                                 : status_fail(status, error.native, error.file, error.line,
                                               error.func, "%s", error.text);
}
