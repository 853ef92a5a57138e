#include "tests/fuzz/study_scene.h"

#include "core/buffer.h"
#include "core/file.h"
#include "tuner/manual.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAP = 1 << 24, ROUNDS = 7 };

static const char text[] =
    "name: hostile\n"
    "trainer: manual\n"
    "objective: {metric: reward, direction: maximize, reduce: last}\n"
    "constraints: {power: {upper: 9.0}}\n"
    "budget: {unit: run, per_trial: 20, segment: 2, total: 40}\n"
    "scheduler: {name: pbt, population: 2, warmup: 2, mode: asynchronous}\n"
    "hyperparameters:\n"
    "  gain: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"
    "  depth: {type: int, lower: 1, upper: 9, default: 2}\n"
    "  shape: {type: categorical, choices: [round, 7, true], default: round}\n"
    "seed: 3\n";

static struct {
    StudyFolder folder;
    Study      *study;
    Buffer      database; /* its bytes */
} scene = {.folder = {.lock = -1}};

/* of making the scene: nothing here can fail unless the program is broken */
static void must(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "the scene of this target: %s\n", status_last()->text);
        abort();
    }
}

static void remove_scene(void) {
    (void)!file_remove_all(scene.folder.path);
    study_destroy(scene.study);
    study_folder_reset(&scene.folder);
    buffer_reset(&scene.database);
}

Status study_scene_ask(int64_t count, Json **answer) {
    StudyFolder own; /* it gets the lock */
    TRY(study_folder_init(scene.folder.path, &own));
    const Status status = manual_ask(scene.study, &own, count, false, answer);
    study_folder_reset(&own);
    return status;
}

static void tell_one(int64_t segment, bool fails) {
    StudyFolder  own;
    Buffer       out;
    ManualResult result = {.segment = segment,
                           .values = {{"reward", (double)segment * 0.1}, {"power", 1.0}},
                           .count = fails ? 0 : 2,
                           .failed = fails ? "the motor stopped" : NULL};
    buffer_init(&out, CAP);
    must(study_folder_init(scene.folder.path, &own));
    must(manual_tell(scene.study, &own, &result, &out));
    study_folder_reset(&own);
    buffer_reset(&out);
}

/* what is handed out last stays out */
static void train(void) {
    for (int64_t round = 0; round <= ROUNDS; round++) {
        Json   *answer = NULL;
        int64_t id = 0;
        must(study_scene_ask(1, &answer));
        const Json *segment = json_at(json_get(answer, "segments"), 0);
        if (segment == NULL) {
            abort();
        }
        must(json_need_integer(segment, "id", &id));
        json_release(answer);
        if (round < ROUNDS) {
            tell_one(id, round == 2);
        }
    }
}

static void make(void) {
    const char *temporary = getenv("TMPDIR");
    char        path[256];
    char        other[] = "/tmp/mbtune-fuzz-XXXXXX";
    (void)snprintf(path, sizeof path, "%s/mbtune-fuzz-XXXXXX",
                   (temporary != NULL) ? temporary : "/dev/shm");
    const char *made = mkdtemp(path); /* in memory: each input writes and syncs */
    StudyFolder own;
    Buffer      out;

    made = (made == NULL) ? mkdtemp(other) : made;
    if (made == NULL) {
        abort();
    }
    must(study_folder_init(made, &scene.folder));
    (void)atexit(remove_scene);
    must(study_parse("/study.yaml", text, NULL, 0, &scene.study));
    buffer_init(&out, CAP);
    must(study_folder_make(&scene.folder));
    must(study_folder_init(made, &own));
    must(manual_make(scene.study, &own, &out));
    study_folder_reset(&own);
    buffer_reset(&out);
    train();
    buffer_init(&scene.database, CAP);
    must(file_read(scene.folder.database, &scene.database));
}

const StudyFolder *study_scene_folder(void) {
    if (scene.study == NULL) {
        make();
    }
    return &scene.folder;
}

const Study *study_scene_study(void) {
    (void)study_scene_folder();
    return scene.study;
}

void study_scene_loosen(void) {
    sqlite3 *database = NULL;
    if (sqlite3_open(study_scene_folder()->database, &database) != SQLITE_OK ||
        sqlite3_exec(database,
                     "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql ="
                     " replace(replace(replace(replace(replace(sql, 'IS NOT NULL', 'NOTNULL'),"
                     " ' NOT NULL', ''), ' STRICT, WITHOUT', ' WITHOUT'), ' WITHOUT ROWID,"
                     " STRICT', ' WITHOUT ROWID'), ' STRICT', '') WHERE type = 'table';"
                     "PRAGMA writable_schema=RESET; PRAGMA wal_checkpoint(TRUNCATE)",
                     NULL, NULL, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "the scene of this target: %s\n", sqlite3_errmsg(database));
        abort();
    }
    (void)sqlite3_close(database);
    must(file_read(scene.folder.database, &scene.database));
}

/* plain writing: nothing has to survive a crash here */
static void write_plain(const char *path, const char *bytes, size_t length) {
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
        abort();
    }
}

void study_scene_restore(void) {
    static const char *const tails[] = {"-wal", "-shm", "-journal"};
    const StudyFolder       *folder = study_scene_folder();

    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s%s", folder->database, tails[i]);
        (void)unlink(path);
    }
    write_plain(folder->database, buffer_text(&scene.database), scene.database.length);
    write_plain(folder->study_file, scene.study->text, strlen(scene.study->text));
    must(file_remove_all(folder->requests));
    must(file_make_folder(folder->requests));
}
