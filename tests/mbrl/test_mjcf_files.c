/* The hash of a model is that of everything it loads, wherever that lies. */
#include "tests/support/test_support.h"

#include "core/file.h"
#include "mbrl/environments/mjcf_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH = 512 };

static char *folder;

static const char model[] =
    "<?xml version='1.0'?>\n"
    "<mujoco model = \"robot\">\n"
    "  <!-- <include file='commented.xml'/> -->\n"
    "  <compiler meshdir=\"assets/meshes\" texturedir='assets'/>\n"
    "  <include file='parts/arm.xml'/><include\n file = \"absent.xml\" />\n"
    "  <asset><mesh name='hand' file='hand.stl'/><hfield file='/nowhere/ground.png'/>\n"
    "    <texture type='cube' fileright='right.png' fileleft=\"left.png\"/></asset>\n"
    "  <worldbody><body name='file' pos='1 > 0'/></worldbody>\n"
    "</mujoco>\n";

static void write_file(const char *name, const char *content) {
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(file_write_atomic(path, content, strlen(content)));
}

static void make_subfolder(const char *name) {
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(file_make_folder(path));
}

static void hash_of(const char *name, char hash[MJCF_HASH_SIZE]) {
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_ok(mjcf_files_hash(path, hash));
    assert_int_equal(strlen(hash), MJCF_HASH_SIZE - 1);
}

static int make_files(void **state) {
    (void)state;
    folder = test_folder_make();
    make_subfolder("parts");
    make_subfolder("assets/meshes");
    make_subfolder("elsewhere");
    write_file("robot.xml", model);
    write_file("parts/arm.xml", "<mujoco><compiler strippath='true' texturedir='elsewhere'/>"
                                "<include file='beside.xml'/><asset><texture file='x/y.png'/>"
                                "<mesh file=\"plain.obj\"/></asset></mujoco>");
    write_file("parts/beside.xml", "<mujoco/>");
    write_file("assets/meshes/hand.stl", "hand");
    write_file("assets/right.png", "right");
    write_file("assets/left.png", "left");
    write_file("elsewhere/y.png", "y");
    write_file("plain.obj", "plain");
    write_file("commented.xml", "<mujoco/>");
    write_file("unrelated.xml", "<mujoco/>");
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static void a_model_alone_has_the_hash_of_its_text(void **state) {
    (void)state;
    char expected[MJCF_HASH_SIZE];
    char hash[MJCF_HASH_SIZE];
    write_file("alone.xml", "<mujoco/>");
    (void)snprintf(expected, sizeof expected, "%016" PRIx64, file_hash("<mujoco/>", 9));
    hash_of("alone.xml", hash);
    assert_string_equal(hash, expected);
}

static void every_file_that_is_loaded_counts(void **state) {
    (void)state;
    const char *const loaded[] = {
        "robot.xml",        "parts/arm.xml",   "parts/beside.xml", "assets/meshes/hand.stl",
        "assets/right.png", "assets/left.png", "elsewhere/y.png",  "plain.obj"};
    char before[MJCF_HASH_SIZE];
    char after[MJCF_HASH_SIZE];
    hash_of("robot.xml", before);
    for (size_t i = 0; i < sizeof loaded / sizeof loaded[0]; i++) {
        char path[PATH];
        (void)snprintf(path, sizeof path, "%s/%s", folder, loaded[i]);
        Buffer content;
        buffer_init(&content, 1 << 16);
        assert_ok(file_read(path, &content));
        buffer_puts(&content, " ");
        write_file(loaded[i], content.data);
        hash_of("robot.xml", after);
        if (strcmp(before, after) == 0) {
            fail_msg("%s does not count", loaded[i]);
        }
        content.data[content.length - 1] = '\0';
        write_file(loaded[i], content.data);
        hash_of("robot.xml", after);
        assert_string_equal(before, after);
        buffer_reset(&content);
    }
}

static void what_is_not_loaded_does_not_count(void **state) {
    (void)state;
    const char *const others[] = {"commented.xml", "unrelated.xml"};
    char              before[MJCF_HASH_SIZE];
    char              after[MJCF_HASH_SIZE];
    hash_of("robot.xml", before);
    for (size_t i = 0; i < 2; i++) {
        write_file(others[i], "<mujoco> </mujoco>");
        hash_of("robot.xml", after);
        assert_string_equal(before, after);
    }
}

static void places_do_not_count(void **state) {
    (void)state;
    char here[MJCF_HASH_SIZE];
    char there[MJCF_HASH_SIZE];
    char moved[PATH];
    hash_of("robot.xml", here);
    (void)snprintf(moved, sizeof moved, "%s-moved", folder);
    assert_int_equal(rename(folder, moved), 0);
    (void)snprintf(moved, sizeof moved, "%s-moved/robot.xml", folder);
    assert_ok(mjcf_files_hash(moved, there));
    assert_string_equal(here, there);
    (void)snprintf(moved, sizeof moved, "%s-moved", folder);
    assert_int_equal(rename(moved, folder), 0);
}

/* a scan must end on any text, and stay inside it: cut at every byte */
static void broken_texts_are_read_to_their_end(void **state) {
    (void)state;
    char hash[MJCF_HASH_SIZE];
    for (size_t length = 0; length < sizeof model; length++) {
        char cut[sizeof model];
        memcpy(cut, model, length);
        cut[length] = '\0';
        write_file("broken.xml", cut);
        hash_of("broken.xml", hash);
    }
    write_file("broken.xml", "<include file='broken.xml'/>< ='a' = = ><a b c='d' <e f");
    hash_of("broken.xml", hash);
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    char hash[MJCF_HASH_SIZE] = "unchanged";
    assert_fails(mjcf_files_hash("/nowhere/robot.xml", hash), STATUS_ERR_IO, "/nowhere/robot.xml");
    assert_string_equal(hash, "unchanged");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_alone_has_the_hash_of_its_text),
        cmocka_unit_test(every_file_that_is_loaded_counts),
        cmocka_unit_test(what_is_not_loaded_does_not_count),
        cmocka_unit_test(places_do_not_count),
        cmocka_unit_test(broken_texts_are_read_to_their_end),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests_name("mbrl/mjcf_files", tests, make_files, remove_files);
}
