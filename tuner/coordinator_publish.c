/* What readers of a study on a network file system see. Processes of several hosts share no memory,
 * so no other connection than the coordinator's may open its database; they read a copy of it,
 * snapshot.db, and live.json for the numbers of this moment. Both appear whole, by a rename. A
 * coordinator that ends in order takes them away: its database is complete then. */
#include "core/clock.h"
#include "core/file.h"
#include "results/publish.h"
#include "tuner/coordinator_state.h"

#include <stdlib.h>
#include <unistd.h>

/* copies are made so often, and take so small a share of the time (s) */
#define SNAPSHOT_SECONDS 10.0
#define SNAPSHOT_PAUSE   20.0
#define LIVE_SECONDS     2.0

/* 4 MB at a time: some 10 ms */
enum { PAGES_PER_TURN = 1024, JSON_CAP = 1 << 16 };

static Status fill_live(Coordinator *c, Json *live) {
    ProgressState state;
    coordinator__progress(c, &state);
    TRY(json_set(live, "holder", json_new_string(c->folder->holder)));
    TRY(json_set(live, "at", json_new_number(clock_wall())));
    TRY(json_set(live, "phase", json_new_string(state.phase)));
    TRY(json_set(live, "finished", json_new_integer(state.done)));
    TRY(json_set(live, "failed", json_new_integer(state.failed)));
    TRY(json_set(live, "running", json_new_integer((int64_t)state.running)));
    TRY(json_set(live, "slots", json_new_integer((int64_t)state.slots)));
    TRY(json_set(live, "unit", json_new_string(state.unit)));
    TRY(json_set(live, "units", json_new_integer(state.units)));
    TRY(json_set(live, "total_units", json_new_integer(state.total_units)));
    TRY(json_set(live, "best", json_new_number(state.best)));
    return json_set(live, "utilization", json_new_number(state.utilization));
}

static Status write_live(Coordinator *c) {
    Buffer text;
    Json  *live = json_new_object();
    buffer_init(&text, JSON_CAP);
    Status status = fill_live(c, live);
    if (status == STATUS_OK) {
        json_write(live, false, &text);
        buffer_puts(&text, "\n");
        status = buffer_status(&text);
    }
    if (status == STATUS_OK) {
        status = file_write_atomic(c->folder->live, text.data, text.length);
    }
    json_release(live);
    buffer_reset(&text);
    return status;
}

static Status publish(Coordinator *c, double now) {
    bool done = false;
    if (now >= c->live_at) {
        c->live_at = now + LIVE_SECONDS;
        TRY(study_folder_is_ours(c->folder));
        TRY(write_live(c));
    }
    if (now < c->snapshot_at) {
        return STATUS_OK;
    }
    if (c->snapshot_began == 0.0) {
        c->snapshot_began = now;
    }
    TRY(results_publish(c->results, c->folder->snapshot, PAGES_PER_TURN, &done));
    if (done) {
        const double end = clock_monotonic();
        const double pause = SNAPSHOT_PAUSE * (end - c->snapshot_began);
        c->snapshot_at = end + ((pause > SNAPSHOT_SECONDS) ? pause : SNAPSHOT_SECONDS);
        c->snapshot_began = 0.0;
    }
    return STATUS_OK;
}

/* readers may miss something; the study goes on, unless somebody else has taken it over */
Status coordinator__publish(Coordinator *c) {
    if (!c->folder->network || !c->begun) {
        return STATUS_OK;
    }
    const double now = clock_monotonic();
    const Status status = publish(c, now);
    if (status == STATUS_ERR_INTERRUPTED) {
        return status;
    }
    if (status != STATUS_OK) {
        c->snapshot_at = now + SNAPSHOT_SECONDS;
        c->snapshot_began = 0.0;
        coordinator__log(c, "warning", "what readers see is old: %s", status_last()->text);
    }
    return STATUS_OK;
}

void coordinator__unpublish(const Coordinator *c) {
    if (!c->folder->network || c->folder->lock < 0) {
        return;
    }
    if (study_folder_is_ours(c->folder) == STATUS_OK) {
        if (results_unpublish(c->folder->snapshot) != STATUS_OK) {
            status_clear(); /* the next run writes it anew */
        }
        (void)unlink(c->folder->live);
    } else { /* of another coordinator, which has taken it over */
        status_clear();
    }
}
