/* `mbtune simulate` on tables that are made for a question: what is best, what the front is. */
#include "tests/support/test_support.h"
#include "tests/tuner/simulate_command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct TableStudy {
    char *folder;
    char  study[256];
    char  table[256];
} TableStudy;

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* every choice of one hyperparameter, `repeats` times; `objectives` is a list in YAML */
static void open_tables(const char *objectives, const char *choices, int repeats, const char *table,
                        TableStudy *tables) {
    char text[1024];
    tables->folder = test_folder_make();
    (void)snprintf(tables->study, sizeof tables->study, "%s/study.yaml", tables->folder);
    (void)snprintf(tables->table, sizeof tables->table, "%s/table.csv", tables->folder);
    (void)snprintf(text, sizeof text,
                   "name: tables\ntrainer: {command: [nothing]}\nobjective: %s\n"
                   "budget: {unit: episode, per_trial: 1, segment: 1, trials: 100}\nrepeats: %d\n"
                   "baseline: false\nscheduler: {name: grid}\n"
                   "hyperparameters: {way: {type: categorical, choices: %s, default: a}}\n",
                   objectives, repeats, choices);
    write_text(tables->study, text);
    write_text(tables->table, table);
}

static void close_tables(TableStudy *tables) {
    test_folder_remove(tables->folder);
}

static Json *simulate_tables(const TableStudy *tables) {
    char line[700];
    (void)snprintf(line, sizeof line, "%s --table %s -w 3 -f json", tables->study, tables->table);
    return simulate_json(line);
}

#define SCORE  "{metric: score, direction: maximize, reduce: last}"
#define TOLL   "{metric: toll, direction: minimize, reduce: last}"
#define WEIGHT "{metric: weight, direction: minimize, reduce: last}"

/* `a` shows 10 once in a while, on average 0; `b` always 6 */
static void with_repeats_the_best_is_no_lucky_chain(void **state) {
    TableStudy tables;
    (void)state;
    open_tables(SCORE, "[a, b]", 8, "way,seed,unit,score\na,1,1,10\na,2,1,-10\nb,1,1,6\nb,2,1,6\n",
                &tables);
    Json       *json = simulate_tables(&tables);
    const Json *best = json_get(json, "best");
    assert_int_equal(json_integer(json_get(json, "segments")), 16);
    assert_int_equal(json_integer(json_get(best, "chains")), 8);
    assert_true(json_number(json_get(best, "objective")) == 6.0);
    json_release(json);
    close_tables(&tables);
}

/* by hand: from the corner (0, 5) the strips of score 0..1, 1..3, 3..4 are 4, 3 and 1 high */
static void several_objectives_give_a_front(void **state) {
    static const double scores[] = {4.0, 3.0, 1.0};
    static const double tolls[] = {4.0, 2.0, 1.0};
    TableStudy          tables;
    Buffer              out;
    char                line[700];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a, b, c, d, e]", 1,
                "way,unit,score,toll\na,1,4,4\nb,1,3,2\nc,1,1,1\nd,1,0,5\ne,1,3,2\n", &tables);
    Json       *json = simulate_tables(&tables);
    const Json *front = json_get(json, "front");
    assert_int_equal(json_count(front), 3);
    for (size_t i = 0; i < 3; i++) {
        const Json *objective = json_get(json_at(front, i), "objective");
        assert_true(json_number(json_get(objective, "score")) == scores[i]);
        assert_true(json_number(json_get(objective, "toll")) == tolls[i]);
    }
    assert_close(json_number(json_get(json, "hypervolume")), 11.0, 1e-12, 0.0);
    assert_close(json_number(json_get(json, "hypervolume_share")), 11.0 / 16.0, 1e-12, 0.0);
    assert_true(json_number(json_get(json_get(json, "reference"), "toll")) == 5.0);
    json_release(json);
    (void)snprintf(line, sizeof line, "%s --table %s", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "front: hypervolume 11, 68.75 % of what the table");
    assert_contains(buffer_text(&out), "by score alone");
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s -f csv", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "seconds,segment,chains,depth,score,toll\n");
    buffer_reset(&out);
    close_tables(&tables);
}

static void a_table_without_room_has_no_share(void **state) {
    TableStudy tables;
    Buffer     out;
    char       line[700];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a, b]", 1, "way,unit,score,toll\na,1,4,4\nb,1,4,2\n",
                &tables);
    (void)snprintf(line, sizeof line, "%s --table %s -f json", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "\"hypervolume_share\": null");
    assert_null(strstr(buffer_text(&out), "NaN"));
    buffer_reset(&out);
    close_tables(&tables);
}

/* what was observed, and what is in the table; both beside each other */
static void a_front_under_noise_says_what_is_true(void **state) {
    static const char header[] =
        "seconds,segment,chains,depth,score,toll,score_without_noise,toll_without_noise\n";
    TableStudy tables;
    Buffer     out;
    char       line[700];
    double     observed[2];
    double     truth[2];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a]", 1, "way,unit,score,toll\na,1,4,3\n", &tables);
    (void)snprintf(line, sizeof line, "%s --table %s --noise 0.5 -f csv", tables.study,
                   tables.table);
    assert_ok(simulate(line, &out));
    assert_int_equal(strncmp(buffer_text(&out), header, sizeof header - 1), 0);
    assert_int_equal(sscanf(buffer_text(&out) + sizeof header - 1,
                            "%*g,%*d,%*d,%*d,%lf,%lf,%lf,%lf", &observed[0], &observed[1],
                            &truth[0], &truth[1]),
                     4);
    assert_true(truth[0] == 4.0 && truth[1] == 3.0);
    assert_true(observed[0] != 4.0 && observed[1] != 3.0);
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s --noise 0.5", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "score_without_noise  toll_without_noise\n");
    buffer_reset(&out);
    close_tables(&tables);
}

/* the one configuration is the best until a chain of it breaks the constraint */
static void a_best_that_is_lost_is_none_in_every_format(void **state) {
    TableStudy tables;
    Buffer     out;
    char       line[700];
    (void)state;
    open_tables(SCORE "\nconstraints: {weight: {upper: 1}}", "[a]", 8,
                "way,seed,unit,score,weight\na,1,1,3,2\na,2,1,3,0\n", &tables);
    Json        *json = simulate_tables(&tables);
    const Json  *steps = json_get(json, "best_so_far");
    const size_t count = json_count(steps);
    assert_true(json_is_null(json_get(json, "best")));
    assert_true(count >= 2);
    assert_true(json_number(json_get(json_at(steps, count - 2), "objective")) == 3.0);
    assert_true(json_is_null(json_get(json_at(steps, count - 1), "objective")));
    assert_true(json_is_null(json_get(json_at(steps, count - 1), "segment")));
    json_release(json);
    (void)snprintf(line, sizeof line, "%s --table %s -w 3 -f csv", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    const char *last = strstr(buffer_text(&out), ",,0,");
    assert_non_null(last);
    assert_string_equal(strchr(last, '\n') - 2, ",,\n"); /* it is the last row */
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s -w 3", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out),
                    "best         none: no configuration keeps the constraints in all of its");
    assert_contains(buffer_text(&out), "best so far");
    buffer_reset(&out);
    close_tables(&tables);
}

/* unit cells of the room between the front and the corner, counted */
static void three_objectives_have_the_volume_that_counting_finds(void **state) {
    static const int points[][3] = {{9, 7, 8}, {7, 3, 6}, {4, 6, 1}, {8, 8, 3},
                                    {2, 1, 9}, {5, 4, 4}, {0, 9, 9}, {6, 2, 7}};
    TableStudy       tables;
    char             table[512] = "way,unit,score,toll,weight\n";
    int              cells = 0;
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        const size_t used = strlen(table);
        (void)snprintf(table + used, sizeof table - used, "%c,1,%d,%d,%d\n", (int)('a' + i),
                       points[i][0], points[i][1], points[i][2]);
    }
    for (int cell = 0; cell < 1000; cell++) {
        const int score = cell % 10;
        const int toll = cell / 10 % 10;
        const int weight = cell / 100;
        bool      inside = false;
        for (size_t i = 0; i < 8; i++) {
            inside = inside || (score < points[i][0] && toll >= points[i][1] && toll < 9 &&
                                weight >= points[i][2] && weight < 9);
        }
        cells += inside ? 1 : 0;
    }
    open_tables("[" SCORE ", " TOLL ", " WEIGHT "]", "[a, b, c, d, e, f, g, h]", 1, table, &tables);
    Json *json = simulate_tables(&tables);
    assert_true(cells > 50);
    assert_close(json_number(json_get(json, "hypervolume")), (double)cells, 1e-9, 0.0);
    json_release(json);
    close_tables(&tables);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_repeats_the_best_is_no_lucky_chain),
        cmocka_unit_test(several_objectives_give_a_front),
        cmocka_unit_test(a_table_without_room_has_no_share),
        cmocka_unit_test(a_front_under_noise_says_what_is_true),
        cmocka_unit_test(a_best_that_is_lost_is_none_in_every_format),
        cmocka_unit_test(three_objectives_have_the_volume_that_counting_finds),
    };
    return cmocka_run_group_tests_name("tuner/simulate_tables", tests, NULL, NULL);
}
