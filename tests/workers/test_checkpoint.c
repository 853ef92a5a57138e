#include "tests/support/test_support.h"

#include "core/file.h"
#include "workers/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

static void write_text(const char *folder, const char *name, const char *text) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool there(const char *folder, const char *name) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/checkpoints/%s", folder, name);
    return file_exists(path) || file_is_folder(path);
}

static void what_was_finished_can_be_verified(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints here;
    Checkpoints elsewhere; /* another worker on the same folder */
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    assert_ok(checkpoints_init(&here, folder));
    assert_ok(checkpoints_init(&elsewhere, folder));
    write_text(folder, "17.a2.tmp", "weights");
    assert_ok(checkpoint_finish(&here, "17.a2", &bytes, &checksum));
    assert_true(bytes >= 7);
    assert_true(there(folder, "17.a2"));
    assert_false(there(folder, "17.a2.tmp"));
    assert_ok(checkpoint_verify(&here, "17.a2", bytes, checksum));
    assert_ok(checkpoint_verify(&elsewhere, "17.a2", bytes, checksum));
    assert_fails(checkpoint_verify(&here, "17.a2", bytes + 1, checksum), STATUS_ERR_CORRUPT,
                 "bytes");
    assert_fails(checkpoint_verify(&here, "17.a2", bytes, checksum ^ 1), STATUS_ERR_CORRUPT,
                 "checksum");
    assert_fails(checkpoint_verify(&here, "18.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "18.a1 is missing");
    checkpoints_reset(&here);
    checkpoints_reset(&elsewhere);
    test_folder_remove(folder);
}

static void damage_is_found_also_in_what_was_known(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints checkpoints;
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    assert_ok(checkpoints_init(&checkpoints, folder));
    write_text(folder, "1.a1.tmp", "weights");
    assert_ok(checkpoint_finish(&checkpoints, "1.a1", &bytes, &checksum));
    usleep(20000); /* time stamps of files are as coarse as the kernel's tick */
    write_text(folder, "1.a1", "wejghts");
    assert_fails(checkpoint_verify(&checkpoints, "1.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "checksum");
    write_text(folder, "1.a1", "weigh");
    assert_fails(checkpoint_verify(&checkpoints, "1.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "bytes");
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

static void links_and_pipes_are_no_checkpoints(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    char        outside[PATH_BYTES];
    char        planted[PATH_BYTES];
    char        final[PATH_BYTES];
    Checkpoints checkpoints;
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    assert_ok(checkpoints_init(&checkpoints, folder));
    (void)snprintf(outside, sizeof outside, "%s/outside", folder);
    (void)snprintf(planted, sizeof planted, "%s/checkpoints/3.a1.tmp", folder);
    (void)snprintf(final, sizeof final, "%s/checkpoints/3.a1", folder);
    assert_ok(file_write_atomic(outside, "precious", 8));
    assert_int_equal(symlink(outside, planted), 0);
    assert_fails(checkpoint_finish(&checkpoints, "3.a1", &bytes, &checksum), STATUS_ERR_PROTOCOL,
                 "3.a1.tmp is a symbolic link");
    assert_ok(checkpoint_prepare(&checkpoints, "3.a1"));
    assert_int_equal(mkfifo(planted, 0600), 0);
    assert_fails(checkpoint_finish(&checkpoints, "3.a1", &bytes, &checksum), STATUS_ERR_PROTOCOL,
                 "neither a file nor a folder");
    assert_ok(checkpoint_prepare(&checkpoints, "3.a1"));
    assert_false(there(folder, "3.a1.tmp"));
    /* a link, then a pipe in the place that the checkpoint gets */
    assert_int_equal(symlink(outside, final), 0);
    write_text(folder, "3.a1.tmp", "weights");
    assert_ok(checkpoint_finish(&checkpoints, "3.a1", &bytes, &checksum));
    assert_false(file_is_link(final));
    assert_ok(file_remove_all(final));
    assert_int_equal(mkfifo(final, 0600), 0);
    assert_fails(checkpoint_verify(&checkpoints, "3.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "cannot be read");
    /* nothing went through the links */
    Buffer text;
    buffer_init(&text, 64);
    assert_ok(file_read(outside, &text));
    assert_string_equal(buffer_text(&text), "precious");
    buffer_reset(&text);
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

static void a_folder_is_a_checkpoint_too(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints checkpoints;
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    char        path[PATH_BYTES];
    assert_ok(checkpoints_init(&checkpoints, folder));
    for (int i = 0; i < 2; i++) { /* the second replaces what an unrecorded try left */
        (void)snprintf(path, sizeof path, "%s/checkpoints/2.a1.tmp/deep", folder);
        assert_ok(file_make_folder(path));
        write_text(folder, "2.a1.tmp/weights", i == 0 ? "a" : "b");
        write_text(folder, "2.a1.tmp/deep/more", "c");
        assert_ok(checkpoint_finish(&checkpoints, "2.a1", &bytes, &checksum));
    }
    assert_ok(checkpoint_verify(&checkpoints, "2.a1", bytes, checksum));
    assert_false(there(folder, "2.a1.tmp"));
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

/* a byte in a file of the folder changes: neither the folder's inode nor any length tells */
static void damage_inside_a_folder_is_found(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints writer;
    Checkpoints reader;
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    char        path[PATH_BYTES];
    assert_ok(checkpoints_init(&writer, folder));
    assert_ok(checkpoints_init(&reader, folder));
    (void)snprintf(path, sizeof path, "%s/checkpoints/4.a1.tmp/deep", folder);
    assert_ok(file_make_folder(path));
    write_text(folder, "4.a1.tmp/deep/weights", "weights");
    assert_ok(checkpoint_finish(&writer, "4.a1", &bytes, &checksum));
    assert_ok(checkpoint_verify(&reader, "4.a1", bytes, checksum));
    usleep(20000);
    write_text(folder, "4.a1/deep/weights", "wejghts");
    assert_fails(checkpoint_verify(&writer, "4.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "checksum");
    assert_fails(checkpoint_verify(&reader, "4.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "checksum");
    checkpoints_reset(&writer);
    checkpoints_reset(&reader);
    test_folder_remove(folder);
}

/* the time of the last change can be set back by anybody, that of the inode by nobody */
static void a_time_set_back_hides_nothing(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints checkpoints;
    uint64_t    bytes = 0;
    uint64_t    checksum = 0;
    char        path[PATH_BYTES];
    struct stat about;
    assert_ok(checkpoints_init(&checkpoints, folder));
    write_text(folder, "5.a1.tmp", "weights");
    assert_ok(checkpoint_finish(&checkpoints, "5.a1", &bytes, &checksum));
    (void)snprintf(path, sizeof path, "%s/checkpoints/5.a1", folder);
    assert_int_equal(stat(path, &about), 0);
    usleep(20000);
    write_text(folder, "5.a1", "wejghts");
    const struct timespec times[2] = {about.st_atim, about.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_fails(checkpoint_verify(&checkpoints, "5.a1", bytes, checksum), STATUS_ERR_CORRUPT,
                 "checksum");
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

/* a process without descriptors knows nothing of the file */
static void who_cannot_read_does_not_say_damaged(void **state) {
    (void)state;
    char         *folder = test_folder_make();
    Checkpoints   checkpoints;
    uint64_t      bytes = 0;
    uint64_t      checksum = 0;
    struct rlimit before;
    assert_ok(checkpoints_init(&checkpoints, folder));
    write_text(folder, "6.a1.tmp", "weights");
    assert_ok(checkpoint_finish(&checkpoints, "6.a1", &bytes, &checksum));
    checkpoint_forget(&checkpoints, "6.a1");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const Status status = checkpoint_verify(&checkpoints, "6.a1", bytes, checksum);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_fails(status, STATUS_ERR_IO, "checkpoint 6.a1 cannot be read");
    assert_ok(checkpoint_verify(&checkpoints, "6.a1", bytes, checksum));
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

static void leftovers_go_and_a_missing_one_is_told(void **state) {
    (void)state;
    char       *folder = test_folder_make();
    Checkpoints checkpoints;
    uint64_t    bytes = 77;
    uint64_t    checksum = 78;
    assert_ok(checkpoints_init(&checkpoints, folder));
    write_text(folder, "3.a1.tmp", "half");
    assert_ok(checkpoint_prepare(&checkpoints, "3.a1"));
    assert_ok(checkpoint_prepare(&checkpoints, "3.a1"));
    assert_false(there(folder, "3.a1.tmp"));
    assert_fails(checkpoint_finish(&checkpoints, "3.a1", &bytes, &checksum), STATUS_ERR_PROTOCOL,
                 "was not written");
    assert_true(bytes == 77 && checksum == 78);
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

static void names_cannot_lead_out_of_the_folder(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",    "..",          "../x",
        "a/b", "/etc/passwd", "1234567890123456789012345678901234567890123456789012345678901234"};
    char       *folder = test_folder_make();
    Checkpoints checkpoints;
    uint64_t    out = 0;
    assert_ok(checkpoints_init(&checkpoints, folder));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(checkpoint_verify(&checkpoints, bad[i], 0, 0), STATUS_ERR_ARG, "no name");
        assert_fails(checkpoint_prepare(&checkpoints, bad[i]), STATUS_ERR_ARG, "no name");
        assert_fails(checkpoint_finish(&checkpoints, bad[i], &out, &out), STATUS_ERR_ARG,
                     "no name");
    }
    checkpoints_reset(&checkpoints);
    test_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_finished_can_be_verified),
        cmocka_unit_test(damage_is_found_also_in_what_was_known),
        cmocka_unit_test(a_folder_is_a_checkpoint_too),
        cmocka_unit_test(links_and_pipes_are_no_checkpoints),
        cmocka_unit_test(damage_inside_a_folder_is_found),
        cmocka_unit_test(a_time_set_back_hides_nothing),
        cmocka_unit_test(who_cannot_read_does_not_say_damaged),
        cmocka_unit_test(leftovers_go_and_a_missing_one_is_told),
        cmocka_unit_test(names_cannot_lead_out_of_the_folder),
    };
    return cmocka_run_group_tests_name("workers/checkpoint", tests, NULL, NULL);
}
