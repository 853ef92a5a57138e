/* A study's directory is checked, and what a crash or a backup leaves is mended: afterwards the
 * study goes on as if nothing had been. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fsck(Scene *scene, const char *option) {
    const char *const arguments[] = {"fsck", scene->study, option, NULL};
    return run_mbtune(&scene->run, arguments);
}

static void shell(Scene *scene, const char *format) {
    char line[4 * SCENE_PATH_BYTES];
    (void)snprintf(line, sizeof line, "cd %s/checkpoints && %s", scene->study, format);
    if (run_shell(&scene->run, line) != 0) {
        fail_msg("%s: %s", line, scene->run.text);
    }
}

static void a_study_that_ended_is_whole(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    assert_int_equal(fsck(&scene, NULL), 0);
    assert_contains(scene.run.text, "nothing is wrong");
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "nothing is wrong");
    scene_remove(&scene);
}

/* first budget, damage, repair, second budget: the same rows as without damage */
static char *canonical_of(bool harmed) {
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    if (harmed) {
        /* of the live leaves: one is cut, one is gone; a file of nobody; a row as a kill leaves it
         */
        shell(&scene, "set -- *.a*; truncate -s 3 $1; rm -r $2; echo x > 999.a1; touch 7.a9.tmp");
        run_execute(scene.study, "UPDATE study SET state = 'running', reason = ''");
        assert_int_equal(fsck(&scene, NULL), 1);
        assert_contains(scene.run.text, "checkpoints/999.a1 belongs to no row");
        assert_contains(scene.run.text, "checkpoints/7.a9.tmp belongs to no row");
        assert_contains(scene.run.text, "4 findings, --repair mends 4");
        assert_contains(scene.run.text, "is not whole: 4 findings");
        assert_int_equal(fsck(&scene, "--repair"), 0);
        assert_contains(scene.run.text, "4 findings, 4 mended");
        assert_int_equal(fsck(&scene, NULL), 0);
        assert_contains(scene.run.text, "nothing is wrong");
    }
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    char *rows = run_canonical(scene.study);
    scene_remove(&scene);
    return rows;
}

static void what_a_crash_leaves_is_mended(void **state) {
    (void)state;
    char *expected = canonical_of(false);
    char *rows = canonical_of(true);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
}

/* docs/install.md allows checkpoints/ to be a link to a larger disk, where others have files too */
static void files_of_others_on_a_linked_disk_stay(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    shell(&scene, "mkdir -p ../../disk && mv * ../../disk && cd .. && rmdir checkpoints && "
                  "ln -s ../disk checkpoints && cd ../disk && mkdir thesis && "
                  "echo precious | tee thesis/one thesis.txt 12 12.a 1.a1.copy .hidden");
    assert_int_equal(fsck(&scene, NULL), 0);
    assert_contains(scene.run.text, "checkpoints/ holds 6 of somebody else: left alone");
    assert_contains(scene.run.text, "nothing is wrong");
    shell(&scene, "echo x > 999.a1; mkdir 7.a9.tmp");
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "2 findings, 2 mended");
    shell(&scene, "test ! -e 999.a1 && test ! -e 7.a9.tmp && "
                  "cat thesis/one thesis.txt 12 12.a 1.a1.copy .hidden");
    assert_string_equal(scene.run.text, "precious\nprecious\nprecious\nprecious\nprecious\n"
                                        "precious\n");
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    shell(&scene, "cat thesis/one thesis.txt 12 12.a 1.a1.copy .hidden | wc -l");
    assert_string_equal(scene.run.text, "6\n");
    scene_remove(&scene);
}

static void rows_left_running_are_queued_again(void **state) {
    (void)state;
    Scene scene;
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "running", 1);
    (void)run_signal_all(&scene.run, 9);
    (void)run_wait(&scene.run);
    assert_true(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'") > 0);
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "left running, and nobody runs this study: mended");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* ---- damaged pages -------------------------------------------------------------------------- */

enum { PAGE_BYTES = 4096, LEAF = 0x0a, TABLE_LEAF = 0x0d, INNER = 0x05 };

typedef void (*Harm)(unsigned char *page);

static size_t cells(const unsigned char *page) {
    return ((size_t)page[3] << 8U) | page[4];
}

/* its last row is no longer in the index */
static void drop_a_cell(unsigned char *page) {
    page[4]--;
}

/* its entries lead to rows that do not exist: an entry ends with the row's number */
static void lead_astray(unsigned char *page) {
    assert_int_equal(page[0], LEAF);
    for (size_t i = 0; i < cells(page); i++) {
        unsigned char *cell = page + (((size_t)page[8 + 2 * i] << 8U) | page[9 + 2 * i]);
        cell[cell[0]] ^= 0x40U;
    }
}

static void no_page(unsigned char *page) {
    page[0] = 0x77;
}

/* of the index of open segments: an old page, where segment 2 is still queued */
static void still_queued(unsigned char *page) {
    static const unsigned char cell[] = {10, 3, 25, 1, 'q', 'u', 'e', 'u', 'e', 'd', 2};
    const size_t               at = PAGE_BYTES - sizeof cell;
    assert_int_equal(page[0], LEAF);
    assert_int_equal(cells(page), 0);
    memset(page + 1, 0, PAGE_BYTES - 1);
    page[4] = 1;
    page[5] = page[8] = (unsigned char)(at >> 8U);
    page[6] = page[9] = (unsigned char)(at & 0xffU);
    memcpy(page + at, cell, sizeof cell);
}

/* the first page of a table or an index, which has no more where the study is small */
static long first_page(const Scene *scene, const char *name) {
    char text[2 * SCENE_PATH_BYTES];
    assert_int_equal(run_query(scene->study, "PRAGMA page_size"), PAGE_BYTES);
    (void)snprintf(text, sizeof text, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
    return (run_query(scene->study, text) - 1) * PAGE_BYTES;
}

static FILE *open_database(const Scene *scene) {
    char path[2 * SCENE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/study.db", scene->study);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    return file;
}

static void read_page(FILE *file, long place, unsigned char *page) {
    assert_int_equal(fseek(file, place, SEEK_SET), 0);
    assert_int_equal(fread(page, 1, PAGE_BYTES, file), PAGE_BYTES);
}

static void write_page(FILE *file, long place, const unsigned char *page) {
    assert_int_equal(fseek(file, place, SEEK_SET), 0);
    assert_int_equal(fwrite(page, 1, PAGE_BYTES, file), PAGE_BYTES);
}

static void harm_page(const Scene *scene, const char *name, Harm harm) {
    unsigned char page[PAGE_BYTES];
    const long    place = first_page(scene, name);
    FILE         *file = open_database(scene);
    read_page(file, place, page);
    harm(page);
    write_page(file, place, page);
    assert_int_equal(fclose(file), 0);
}

/* with the one of attempts a rule's query cannot be answered at all */
static void damaged_indexes_are_made_anew(void **state) {
    static const struct {
        const char *index;
        Harm        harm;
        const char *said;
    } harms[] = {
        {"segment_trial", drop_a_cell, "missing from index segment_trial"},
        {"metric_owner", drop_a_cell, "wrong # of entries in index metric_owner"},
        {"sqlite_autoindex_attempt_1", lead_astray,
         "missing from index sqlite_autoindex_attempt_1"},
        {"event_segment", lead_astray, "missing from index event_segment"},
        {"segment_open", still_queued, "wrong # of entries in index segment_open"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        char  said[128];
        Scene scene;
        scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
        assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
        char *before = run_canonical(scene.study);
        harm_page(&scene, harms[i].index, harms[i].harm);
        assert_int_equal(fsck(&scene, NULL), 1);
        (void)snprintf(said, sizeof said, "%s (--repair mends that)", harms[i].said);
        assert_contains(scene.run.text, said);
        assert_contains(scene.run.text, "what rows say was not looked at: that needs sound indexes "
                                        "(--repair mends that)");
        assert_contains(scene.run.text, "; --repair makes indexes anew and looks again\n");
        assert_int_equal(fsck(&scene, "--repair"), 0);
        (void)snprintf(said, sizeof said, "%s, indexes made anew: mended", harms[i].said);
        assert_contains(scene.run.text, said);
        assert_int_equal(fsck(&scene, NULL), 0);
        assert_contains(scene.run.text, "nothing is wrong");
        char *after = run_canonical(scene.study);
        assert_string_equal(before, after);
        free(before);
        free(after);
        scene_remove(&scene);
    }
}

/* The last leaf of a table as it was before its last row came, under indexes that know that row: a
 * write that a disk acknowledged and lost. */
static void lose_last_row(const Scene *scene, const char *table) {
    unsigned char page[PAGE_BYTES];
    long          place = first_page(scene, table);
    FILE         *file = open_database(scene);
    read_page(file, place, page);
    while (page[0] == INNER) { /* its rightmost child, counted from 1 */
        place = (((long)page[10] << 8) | page[11]) - 1;
        place *= PAGE_BYTES;
        read_page(file, place, page);
    }
    assert_int_equal(page[0], TABLE_LEAF);
    assert_true(cells(page) > 1);
    drop_a_cell(page);
    write_page(file, place, page);
    assert_int_equal(fclose(file), 0);
}

/* the indexes still tell of the row: they are not made to fit, and its files wait for it */
static void rows_that_a_table_lost_are_reported(void **state) {
    static const char *const tables[] = {"segment", "metric", "event"};
    static const char *const options[] = {NULL, "--repair", "--repair", NULL};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char  said[128];
        Scene scene;
        scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
        assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
        shell(&scene, "touch 999.a1");
        const long last = run_query(scene.study, "SELECT max(id) FROM segment WHERE kept = 1");
        assert_int_equal(run_query(scene.study, "SELECT max(id) FROM segment"), last);
        lose_last_row(&scene, tables[i]);
        (void)snprintf(said, sizeof said, "table %s has lost 1 row\n", tables[i]);
        for (size_t j = 0; j < sizeof options / sizeof options[0]; j++) {
            assert_int_equal(fsck(&scene, options[j]), 1);
            assert_contains(scene.run.text, said);
            assert_contains(scene.run.text, "wrong # of entries in index");
            assert_contains(scene.run.text, "checkpoints/999.a1 belongs to no row: left until "
                                            "the rows are right\n");
            assert_null(strstr(scene.run.text, "anew"));
        }
        (void)snprintf(said, sizeof said, "test -e 999.a1 && test -e %ld.a1", last);
        shell(&scene, said);
        scene_remove(&scene);
    }
}

static void a_table_that_cannot_be_read_is_reported(void **state) {
    static const char *const options[] = {NULL, "--repair", NULL};
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    harm_page(&scene, "segment_result", no_page);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        assert_int_equal(fsck(&scene, options[i]), 1);
        assert_contains(scene.run.text,
                        "SQLite: the check stopped at a page that it cannot read\n");
        assert_contains(scene.run.text,
                        "cannot look whether 'segment ... is finished and has no objective': ");
        assert_null(strstr(scene.run.text, "mended\n"));
        assert_contains(scene.run.text, "mbtune: ");
    }
    scene_remove(&scene);
}

/* ---- the study file ------------------------------------------------------------------------- */

static void a_study_file_that_is_gone_or_another_is_reported(void **state) {
    static const char *const harms[][2] = {
        {"rm study.yaml", "study.yaml: No such file"},
        {"rm study.yaml && mkdir study.yaml", "study.yaml: Is a directory"},
        {"rm study.yaml && mkfifo study.yaml", "study.yaml is no file"},
        {"echo 'name: other' > study.yaml", "study.yaml is another one"},
        {"echo '# a remark' >> study.yaml", "study.yaml is another one"},
        {": > study.yaml", "study.yaml is another one"},
    };
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    shell(&scene, "cp ../study.yaml ../../saved");
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        char words[SCENE_PATH_BYTES];
        (void)snprintf(words, sizeof words, "cd .. && %s", harms[i][0]);
        shell(&scene, words);
        assert_int_equal(fsck(&scene, NULL), 1);
        assert_contains(scene.run.text, harms[i][1]);
        assert_contains(scene.run.text, "put back the one that this study was made with\n");
        assert_contains(scene.run.text, "1 finding, --repair mends 0");
        assert_int_equal(fsck(&scene, "--repair"), 1);
        assert_contains(scene.run.text, harms[i][1]);
        shell(&scene, "cd .. && rm -rf study.yaml && cp ../saved study.yaml");
        assert_int_equal(fsck(&scene, NULL), 0);
    }
    scene_remove(&scene);
}

static void what_cannot_be_mended_is_reported_and_left_alone(void **state) {
    static const char *const harms[][2] = {
        {"DELETE FROM event WHERE kind = 'decided' AND segment = 3",
         "segment 3 was decided, and the log does not say so"},
        {"UPDATE segment SET \"begin\" = 1 WHERE \"begin\" > 1 AND id = (SELECT max(id) FROM "
         "segment)",
         "does not begin where its parent ends"},
        {"DELETE FROM segment_result WHERE segment = 2 AND kind = 'objective'",
         "segment 2 is finished and has no objective"},
        {"INSERT INTO metric (owner, step, \"index\", name, value) SELECT 999, 1, 0, min(id), 0"
         " FROM metric_name",
         "there are metrics of segment 999, and there is no such segment"},
        {"INSERT INTO attempt (id, segment, number, started_at) VALUES (4711, 999, 1, 0)",
         "row 4711 of table attempt names a row of table segment that does not exist"},
        {"INSERT INTO segment_value VALUES (998, 0, 0.5), (999, 0, 0.5)",
         "2 rows of table segment_value name a row of table segment that does not exist"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        Scene scene;
        scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
        assert_int_equal(scene_run(&scene, "2"), 0);
        run_execute(scene.study, harms[i][0]);
        char *before = run_canonical(scene.study);
        assert_int_equal(fsck(&scene, NULL), 1);
        assert_contains(scene.run.text, harms[i][1]);
        assert_int_equal(fsck(&scene, "--repair"), 1);
        assert_contains(scene.run.text, harms[i][1]);
        char *after = run_canonical(scene.study);
        assert_string_equal(before, after);
        free(before);
        free(after);
        scene_remove(&scene);
    }
}

static void a_running_study_and_no_study_are_refused(void **state) {
    (void)state;
    Scene      scene;
    static Run other;
    scene_make_slow(&scene);
    scene_start_until(&scene, "1", "running", 1);
    const char *const arguments[] = {"fsck", scene.study, NULL};
    assert_int_equal(run_mbtune(&other, arguments), 1);
    assert_contains(other.text, "process");
    (void)run_signal_all(&scene.run, 9);
    (void)run_wait(&scene.run);
    const char *const none[] = {"fsck", scene.folder, NULL};
    assert_int_equal(run_mbtune(&other, none), 1);
    assert_contains(other.text, "is no study: there is no study.db in it");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_that_ended_is_whole),
        cmocka_unit_test(what_a_crash_leaves_is_mended),
        cmocka_unit_test(files_of_others_on_a_linked_disk_stay),
        cmocka_unit_test(damaged_indexes_are_made_anew),
        cmocka_unit_test(rows_that_a_table_lost_are_reported),
        cmocka_unit_test(a_table_that_cannot_be_read_is_reported),
        cmocka_unit_test(a_study_file_that_is_gone_or_another_is_reported),
        cmocka_unit_test(rows_left_running_are_queued_again),
        cmocka_unit_test(what_cannot_be_mended_is_reported_and_left_alone),
        cmocka_unit_test(a_running_study_and_no_study_are_refused),
    };
    return cmocka_run_group_tests_name("tuner/fsck", tests, NULL, NULL);
}
