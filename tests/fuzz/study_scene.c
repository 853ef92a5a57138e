#include "tests/fuzz/study_scene.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/program_scene.h"

#include "core/buffer.h"
#include "core/file.h"
#include "tuner/manual.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CAP = 1 << 24, TEXT_BYTES = 4096, MOST_CHECKPOINTS = 32, PATH_BYTES = 512 };

typedef struct Script {
    const char *text; /* of the study file */
    int64_t     rounds;
    const char *enqueued; /* points that a person asked for, or NULL */
    bool        warm;     /* it starts from SCENE_POPULATION */
} Script;

#define HYPERPARAMETERS                                                              \
    "hyperparameters:\n"                                                             \
    "  gain: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"   \
    "  depth: {type: int, lower: 1, upper: 9, default: 2}\n"                         \
    "  shape: {type: categorical, choices: [round, 7, true, 2.5], default: round}\n" \
    "seed: 3\n"
#define OBJECTIVE                                                      \
    "objective: {metric: reward, direction: maximize, reduce: last}\n" \
    "constraints: {power: {upper: 9.0}}\n"

static const Script scripts[STUDY_SCENES] = {
    [SCENE_POPULATION] = {.text = "name: hostile\n"
                                  "trainer: manual\n" OBJECTIVE
                                  "budget: {unit: run, per_trial: 20, segment: 2, total: 40}\n"
                                  "scheduler: {name: pbt, population: 2, warmup: 2,"
                                  " mode: asynchronous}\n" HYPERPARAMETERS,
                          .rounds = 7},
    [SCENE_SAMPLER] = {.text = "name: sampled\n"
                               "trainer: manual\n" OBJECTIVE
                               "budget: {unit: run, per_trial: 4, segment: 2, trials: 9}\n"
                               "scheduler: {name: tpe}\n"
                               "cost: power\n"
                               "hyperparameters:\n"
                               "  gain: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                               "  depth: {type: int, lower: 1, upper: 9, default: 2}\n"
                               "  shape: {type: categorical, choices: [round, 7, true, 2.5, .inf,"
                               " -.inf, .nan], default: round}\n"
                               "  size: {type: ordinal, choices: [1, 2, 4], default: 2}\n"
                               "  soft: {type: bool, when: {depth: {above: 3}}}\n"
                               "seed: 3\n",
                       .rounds = 5,
                       .enqueued = "[{\"gain\":0.25,\"depth\":5,\"shape\":7,\"size\":4,\"soft\":"
                                   "true}]",
                       .warm = true},
    [SCENE_CONFIRM] = {.text = "name: confirmed\n"
                               "trainer: manual\n" OBJECTIVE
                               "budget: {unit: run, per_trial: 2, trials: 2}\n"
                               "scheduler: {name: random}\n"
                               "confirm: {top: 1, seeds: 2}\n" HYPERPARAMETERS,
                       .rounds = 3},
    [SCENE_PROGRAM] = {.text = "name: sampled-by-program\n"
                               "trainer: {command: [./train], evaluate: true}\n" OBJECTIVE
                               "budget: {unit: run, per_trial: 4, segment: 2, trials: 9}\n"
                               "scheduler: {name: random}\n"
                               "evaluate: {top: 1, episodes: 2}\n" HYPERPARAMETERS,
                       .rounds = 7},
    [SCENE_BACKTRACK] = {.text = "name: backtracking\n"
                                 "trainer: {command: [./train], evaluate: true}\n" OBJECTIVE
                                 "budget: {unit: run, per_trial: 20, segment: 2, total: 80}\n"
                                 "scheduler: {name: pbt-bt, population: 4, warmup: 2,"
                                 " backtrack_every: 2, elite_evaluations: 1,"
                                 " mode: asynchronous}\n" HYPERPARAMETERS,
                         .rounds = 24},
};

/* a checkpoint, which is one file in these scenes */
typedef struct Kept {
    char   path[PATH_BYTES];
    Buffer bytes;
} Kept;

typedef struct Scene {
    StudyFolder folder;
    Study      *study;
    Buffer      database; /* its bytes */
    Kept        kept[MOST_CHECKPOINTS];
    size_t      kept_count;
} Scene;

static Scene  scenes[STUDY_SCENES];
static Scene *scene; /* the one at work */
static bool   loose;

/* of making a scene: nothing here can fail unless the program is broken */
static void must(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "the scene of this target: %s\n", status_last()->text);
        abort();
    }
}

static void remove_scenes(void) {
    for (size_t i = 0; i < STUDY_SCENES; i++) {
        Scene *one = &scenes[i];
        if (one->study == NULL) {
            continue;
        }
        (void)!file_remove_all(one->folder.path);
        study_destroy(one->study);
        study_folder_reset(&one->folder);
        buffer_reset(&one->database);
        for (size_t k = 0; k < one->kept_count; k++) {
            buffer_reset(&one->kept[k].bytes);
        }
    }
}

/* ---- by hand -------------------------------------------------------------------------------- */

Status study_scene_ask(int64_t count, Json **answer) {
    StudyFolder own; /* it gets the lock */
    TRY(study_folder_init(scene->folder.path, &own));
    const Status status = manual_ask(scene->study, &own, count, false, answer);
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
    must(study_folder_init(scene->folder.path, &own));
    must(manual_tell(scene->study, &own, &result, &out));
    study_folder_reset(&own);
    buffer_reset(&out);
}

/* what is handed out last stays out */
static void train_by_hand(int64_t rounds) {
    for (int64_t round = 0; round <= rounds; round++) {
        Json   *answer = NULL;
        int64_t id = 0;
        must(study_scene_ask(1, &answer));
        const Json *segment = json_at(json_get(answer, "segments"), 0);
        if (segment == NULL) {
            abort();
        }
        must(json_need_integer(segment, "id", &id));
        json_release(answer);
        if (round < rounds) {
            tell_one(id, round == 2 && rounds > 3);
        }
    }
}

static void make_by_hand(void) {
    StudyFolder own;
    Buffer      out;
    buffer_init(&out, CAP);
    must(study_folder_init(scene->folder.path, &own));
    must(manual_make(scene->study, &own, &out));
    study_folder_reset(&own);
    buffer_reset(&out);
}

/* ---- either --------------------------------------------------------------------------------- */

Status study_scene_go_on(int64_t count) {
    Json *answer = NULL;
    if (!scene->study->manual) {
        return program_scene_serve(scene->study, scene->folder.path);
    }
    const Status status = study_scene_ask(count, &answer);
    json_release(answer);
    return status;
}

static void enqueue(const char *points) {
    char  body[TEXT_BYTES];
    char *path = file_join(scene->folder.requests, "1-1.json");
    (void)snprintf(body, sizeof body, "{\"command\":\"enqueue\",\"points\":%s}", points);
    must((path == NULL) ? STATUS_ERR_NOMEM : file_write_atomic(path, body, strlen(body)));
    free(path);
    must(study_scene_go_on(0));
    must(file_remove_all(scene->folder.requests));
    must(file_make_folder(scene->folder.requests));
}

static void remember_checkpoints(void) {
    DIR *entries = opendir(scene->folder.checkpoints);
    for (const struct dirent *entry = NULL;
         entries != NULL && (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || scene->kept_count == MOST_CHECKPOINTS) {
            continue;
        }
        Kept *kept = &scene->kept[scene->kept_count++];
        (void)snprintf(kept->path, sizeof kept->path, "%s/%s", scene->folder.checkpoints,
                       entry->d_name);
        buffer_init(&kept->bytes, CAP);
        must(file_read(kept->path, &kept->bytes));
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
}

static void loosen(void) {
    sqlite3 *database = NULL;
    if (sqlite3_open(scene->folder.database, &database) != SQLITE_OK ||
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
}

static void make(StudyScene which) {
    const Script *script = &scripts[which];
    char         *folder = input_folder_make();
    Buffer        text;
    scene = &scenes[which];

    must(study_folder_init(folder, &scene->folder));
    free(folder);
    buffer_init(&text, TEXT_BYTES);
    buffer_puts(&text, script->text);
    if (script->warm) {
        buffer_printf(&text, "warm_start: [%s]\n", scenes[SCENE_POPULATION].folder.path);
    }
    must(study_parse("/study.yaml", buffer_text(&text), NULL, 0, &scene->study));
    buffer_reset(&text);
    must(study_folder_make(&scene->folder));
    if (scene->study->manual) {
        make_by_hand();
    }
    if (script->enqueued != NULL) {
        enqueue(script->enqueued);
    }
    if (scene->study->manual) {
        train_by_hand(script->rounds);
    } else {
        must(program_scene_train(scene->study, scene->folder.path, script->rounds));
    }
    remember_checkpoints();
    if (loose) {
        loosen();
    }
    buffer_init(&scene->database, CAP);
    must(file_read(scene->folder.database, &scene->database));
}

static void put_back(const Scene *one) {
    static const char *const tails[] = {"-wal", "-shm", "-journal"};
    const StudyFolder       *folder = &one->folder;

    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s%s", folder->database, tails[i]);
        (void)unlink(path);
    }
    input_write(folder->database, buffer_text(&one->database), one->database.length);
    input_write(folder->study_file, one->study->text, strlen(one->study->text));
    must(file_remove_all(folder->requests));
    must(file_make_folder(folder->requests));
    must(file_remove_all(folder->checkpoints));
    must(file_make_folder(folder->checkpoints));
    for (size_t i = 0; i < one->kept_count; i++) {
        const Kept *kept = &one->kept[i];
        input_write(kept->path, buffer_text(&kept->bytes), kept->bytes.length);
    }
}

void study_scene_restore(StudyScene which) {
    if (scenes[SCENE_POPULATION].study == NULL) {
        (void)atexit(remove_scenes);
        make(SCENE_POPULATION);
    }
    if (scenes[which].study == NULL) {
        put_back(&scenes[SCENE_POPULATION]); /* others are warm-started from it */
        make(which);
    }
    scene = &scenes[which];
    put_back(scene);
}

const StudyFolder *study_scene_folder(void) {
    return &scene->folder;
}

const Study *study_scene_study(void) {
    return scene->study;
}

void study_scene_loosen(void) {
    loose = true;
}
