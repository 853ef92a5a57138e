#include "tests/support/test_support.h"

#include "core/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int enter(void **state) {
    *state = test_folder_make();
    return 0;
}

static int leave(void **state) {
    test_folder_remove(*state);
    return 0;
}

/* "folder/name", freed by the caller */
static char *in(void **state, const char *name) {
    char *path = file_join(*state, name);
    assert_non_null(path);
    return path;
}

static void put(void **state, const char *name, const char *text) {
    char *path = in(state, name);
    assert_ok(file_write_atomic(path, text, strlen(text)));
    free(path);
}

static void make(void **state, const char *name) {
    char *path = in(state, name);
    assert_ok(file_make_folder(path));
    free(path);
}

static void check_content(void **state, const char *name, const char *expected) {
    char  *path = in(state, name);
    Buffer text;
    buffer_init(&text, 1 << 20);
    assert_ok(file_read(path, &text));
    assert_string_equal(buffer_text(&text), expected);
    buffer_reset(&text);
    free(path);
}

static bool is_there(void **state, const char *name) {
    char       *path = in(state, name);
    struct stat info;
    const bool  there = lstat(path, &info) == 0;
    free(path);
    return there;
}

static void writing_replaces_the_whole_content(void **state) {
    put(state, "a", "a long first content");
    put(state, "a", "short");
    check_content(state, "a", "short");
    assert_false(is_there(state, "a.tmp"));
    put(state, "empty", "");
    check_content(state, "empty", "");
}

static void a_failed_write_leaves_the_old_file_alone(void **state) {
    char *taken = in(state, "taken");
    char *missing = in(state, "missing/file");
    /* a folder cannot be replaced by a file: the rename fails after everything was written */
    make(state, "taken");
    put(state, "taken/inside", "x");
    assert_fails(file_write_atomic(taken, "y", 1), STATUS_ERR_IO, "cannot rename");
    assert_int_equal(status_last()->native, EISDIR);
    assert_false(is_there(state, "taken.tmp"));
    check_content(state, "taken/inside", "x");
    assert_fails(file_write_atomic(missing, "y", 1), STATUS_ERR_IO, "No such file");
    /* the temporary name is blocked: the old content stays */
    put(state, "kept", "old");
    make(state, "kept.tmp");
    char *kept = in(state, "kept");
    assert_fails(file_write_atomic(kept, "new", 3), STATUS_ERR_IO, "cannot create");
    check_content(state, "kept", "old");
    free(kept);
    free(missing);
    free(taken);
}

/* a limit on the size of files stands for a disk that fills */
static void a_write_that_ends_too_early_leaves_nothing(void **state) {
    struct rlimit old;
    char         *target = in(state, "full");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit small = {.rlim_cur = 2, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const Status status = file_write_atomic(target, "yyy", 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_fails(status, STATUS_ERR_IO, "cannot write");
    assert_int_equal(status_last()->native, EFBIG);
    assert_false(is_there(state, "full"));
    assert_false(is_there(state, "full.tmp"));
    free(target);
}

/* links and names of one's own files, left where the temporary file and the file go */
static void writing_does_not_follow_links(void **state) {
    make(state, "w");
    put(state, "w/outside", "precious");
    char *outside = in(state, "w/outside");
    char *temporary = in(state, "w/a.tmp");
    char *target = in(state, "w/a");
    assert_int_equal(symlink(outside, temporary), 0);
    assert_ok(file_write_atomic(target, "1", 1));
    check_content(state, "w/outside", "precious");
    assert_int_equal(link(outside, temporary), 0);
    assert_ok(file_write_atomic(target, "2", 1));
    check_content(state, "w/outside", "precious");
    assert_int_equal(unlink(target), 0);
    assert_int_equal(symlink(outside, target), 0);
    assert_true(file_is_link(target));
    assert_ok(file_write_atomic(target, "3", 1));
    assert_false(file_is_link(target));
    check_content(state, "w/outside", "precious");
    check_content(state, "w/a", "3");
    free(target);
    free(temporary);
    free(outside);
}

/* nobody writes into the pipe: without care, opening it never ends */
static void pipes_are_not_waited_for(void **state) {
    char    *pipe = in(state, "pipe");
    uint64_t length = 0;
    uint64_t checksum = 0;
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_true(file_is_special(pipe));
    assert_fails(file_digest(pipe, &length, &checksum), STATUS_ERR_IO, "is no regular file");
    assert_ok(file_sync(pipe));
    assert_ok(file_remove_all(pipe));
    assert_false(file_is_special(pipe));
    free(pipe);
}

static void reading_says_what_is_wrong(void **state) {
    char  *missing = in(state, "missing");
    char  *a = in(state, "a");
    Buffer text;
    buffer_init(&text, 5);
    buffer_puts(&text, "old");
    put(state, "a", "123456");
    assert_fails(file_read(missing, &text), STATUS_ERR_IO, "No such file");
    assert_contains(status_last()->text, missing);
    assert_fails(file_read(a, &text), STATUS_ERR_RANGE, "cap of 5 bytes");
    assert_contains(status_last()->text, a);
    assert_fails(file_read(*state, &text), STATUS_ERR_IO, "directory");
    assert_string_equal(buffer_text(&text), "old");
    put(state, "a", "12345");
    assert_ok(file_read(a, &text));
    assert_string_equal(buffer_text(&text), "12345");
    buffer_reset(&text);
    free(a);
    free(missing);
}

static void folders_are_made_with_their_parents(void **state) {
    char *deep = in(state, "x/y/z/");
    char *below_file = in(state, "file/sub");
    assert_ok(file_make_folder(deep));
    assert_ok(file_make_folder(deep));
    assert_true(file_is_folder(deep) && file_exists(deep));
    put(state, "file", "");
    assert_fails(file_make_folder(below_file), STATUS_ERR_IO, "cannot make folder");
    below_file[strlen(below_file) - strlen("/sub")] = '\0';
    assert_true(file_exists(below_file) && !file_is_folder(below_file));
    assert_fails(file_make_folder(below_file), STATUS_ERR_IO, "exists");
    assert_fails(file_make_folder(""), STATUS_ERR_IO, "cannot make folder");
    free(deep);
    free(below_file);
}

static void removing_does_not_follow_links(void **state) {
    make(state, "tree/sub/empty");
    make(state, "outside");
    put(state, "outside/precious", "x");
    put(state, "tree/file", "y");
    put(state, "tree/sub/file", "z");
    char *outside = in(state, "outside");
    char *inner = in(state, "tree/sub/link");
    char *broken = in(state, "tree/broken");
    char *link = in(state, "link");
    char *tree = in(state, "tree");
    assert_int_equal(symlink(outside, inner), 0);
    assert_int_equal(symlink("nowhere", broken), 0);
    assert_int_equal(symlink(outside, link), 0);
    assert_ok(file_remove_all(tree));
    assert_false(is_there(state, "tree"));
    assert_ok(file_remove_all(link));
    assert_false(is_there(state, "link"));
    check_content(state, "outside/precious", "x");
    assert_ok(file_remove_all(tree)); /* nothing there: fine */
    char *file = in(state, "outside/precious");
    assert_ok(file_remove_all(file));
    assert_false(is_there(state, "outside/precious"));
    char *below = in(state, "outside/precious/x");
    assert_ok(file_remove_all(below));
    put(state, "outside/precious", "x");
    assert_fails(file_remove_all(below), STATUS_ERR_IO, "Not a directory");
    free(below);
    free(file);
    free(tree);
    free(link);
    free(broken);
    free(inner);
    free(outside);
}

static void nesting_has_a_limit(void **state) {
    char  *root = in(state, "deep");
    Buffer path;
    buffer_init(&path, 1000);
    buffer_puts(&path, root);
    for (int i = 0; i < 70; i++) {
        buffer_puts(&path, "/d");
    }
    uint64_t length = 7;
    uint64_t checksum = 7;
    assert_ok(file_make_folder(path.data));
    assert_fails(file_digest(root, &length, &checksum), STATUS_ERR_IO, "nested more than 64 deep");
    assert_true(length == 7 && checksum == 7);
    /* out of the way of the group's own clean-up */
    path.data[path.length - 2 * 20] = '\0';
    assert_ok(file_remove_all(path.data));
    assert_ok(file_remove_all(root));
    buffer_reset(&path);
    free(root);
}

static uint64_t digest(void **state, const char *name, uint64_t expected_length) {
    char    *path = in(state, name);
    uint64_t length = 0;
    uint64_t checksum = 0;
    assert_ok(file_digest(path, &length, &checksum));
    assert_int_equal(length, expected_length);
    free(path);
    return checksum;
}

static void digest_of_a_file_is_the_hash_of_its_content(void **state) {
    put(state, "f", "hello");
    assert_true(digest(state, "f", 5) == file_hash("hello", 5));
    put(state, "g", "");
    assert_true(digest(state, "g", 0) == file_hash("", 0));
    /* XXH3-64 of nothing with seed 0, as its authors publish it */
    assert_true(file_hash(NULL, 0) == UINT64_C(0x2d06800538d394c2));
}

/* Two folders made in another order are the same; each change of content, name or place shows. */
static void digest_of_a_folder_depends_on_names_and_contents_only(void **state) {
    make(state, "one/a");
    put(state, "one/a/f", "1");
    put(state, "one/a-b", "22");
    put(state, "one/c", "333");
    make(state, "two/a");
    put(state, "two/c", "333");
    put(state, "two/a-b", "22");
    put(state, "two/a/f", "1");
    const uint64_t one = digest(state, "one", 6);
    assert_true(one == digest(state, "two", 6));

    /* by hand: byte order puts "a-b" before "a/f"; {name NUL, length in 8 bytes, content} */
    static const char bytes[] = "a-b\0\2\0\0\0\0\0\0\0"
                                "22"
                                "a/f\0\1\0\0\0\0\0\0\0"
                                "1"
                                "c\0\3\0\0\0\0\0\0\0"
                                "333";
    assert_true(one == file_hash(bytes, sizeof bytes - 1));

    put(state, "two/c", "334");
    assert_true(one != digest(state, "two", 6));
    put(state, "two/c", "333");
    assert_true(one == digest(state, "two", 6));
    char *link = in(state, "two/link"); /* links do not count */
    assert_int_equal(symlink("c", link), 0);
    assert_true(one == digest(state, "two", 6));
    put(state, "two/empty", "");
    assert_true(one != digest(state, "two", 6));
    char    *missing = in(state, "missing");
    uint64_t length = 7;
    uint64_t checksum = 8;
    assert_fails(file_digest(missing, &length, &checksum), STATUS_ERR_IO, "No such file");
    assert_true(length == 7 && checksum == 8);
    free(link);
    free(missing);
}

static void syncing_and_renaming_work_on_files_and_folders(void **state) {
    make(state, "s/sub");
    put(state, "s/sub/f", "x");
    char *from = in(state, "s");
    char *to = in(state, "t");
    char *missing = in(state, "missing");
    char *link = in(state, "s/broken");
    assert_int_equal(symlink("nowhere", link), 0);
    assert_ok(file_sync(from));
    assert_ok(file_rename(from, to));
    check_content(state, "t/sub/f", "x");
    assert_false(is_there(state, "s"));
    assert_fails(file_sync(missing), STATUS_ERR_IO, "No such file");
    assert_fails(file_rename(missing, to), STATUS_ERR_IO, "cannot rename");
    free(link);
    free(missing);
    free(to);
    free(from);
}

static void paths_are_joined_and_made_absolute(void **state) {
    (void)state;
    const struct {
        const char *path;
        const char *expected;
    } cases[] = {
        {"/", "/"},      {"/a/b", "/a/b"},     {"//a//b/", "/a/b"}, {"/a/./b/../c", "/a/c"},
        {"/../..", "/"}, {"/a/..", "/"},       {"/a/b/..", "/a"},   {"/a/...", "/a/..."},
        {"/.", "/"},     {"/ab/../cd", "/cd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = NULL;
        assert_ok(file_absolute(cases[i].path, &path));
        assert_string_equal(path, cases[i].expected);
        free(path);
    }
    char *here = getcwd(NULL, 0);
    char *expected = file_join(here, "x/y");
    char *path = NULL;
    assert_ok(file_absolute("./x/z/../y", &path));
    assert_string_equal(path, expected);
    free(path);
    path = NULL;
    assert_fails(file_absolute("", &path), STATUS_ERR_ARG, "empty path");
    assert_null(path);
    free(expected);
    free(here);
    path = file_join("a/", "b");
    assert_string_equal(path, "a/b");
    free(path);
    path = file_join("", "b");
    assert_string_equal(path, "b");
    free(path);
}

static void free_space_is_known(void **state) {
    uint64_t bytes = 7;
    char    *missing = in(state, "missing");
    assert_fails(file_space(missing, &bytes), STATUS_ERR_IO, "free space");
    assert_true(bytes == 7);
    assert_ok(file_space(*state, &bytes));
    free(missing);
}

typedef Status (*Call)(const char *path);

static Status digest_call(const char *path) {
    uint64_t length;
    uint64_t checksum;
    return file_digest(path, &length, &checksum);
}

static Status write_call(const char *path) {
    char *name = file_join(path, "written");
    if (name == NULL) {
        FAIL(STATUS_ERR_NOMEM, "name");
    }
    const Status status = file_write_atomic(name, "x", 1);
    free(name);
    return status;
}

static Status absolute_call(const char *path) {
    char        *out = NULL;
    const Status status = file_absolute(path, &out);
    free(out);
    return status;
}

static Status read_call(const char *path) {
    char  *name = file_join(path, "sub/f");
    Buffer text;
    if (name == NULL) {
        FAIL(STATUS_ERR_NOMEM, "name");
    }
    buffer_init(&text, 100);
    const Status status = file_read(name, &text);
    buffer_reset(&text);
    free(name);
    return status;
}

/* removing comes last: it is what takes the tree away */
static void every_allocation_may_fail(void **state) {
    static const Call calls[] = {digest_call, file_sync,     write_call,
                                 read_call,   absolute_call, file_remove_all};
    char             *tree = in(state, "torture");
    make(state, "torture/sub");
    put(state, "torture/sub/f", "x");
    put(state, "torture/g", "y");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (size_t n = 1;; n++) {
            test_fail_allocation(n);
            const Status status = calls[i](tree);
            if (!test_allocation_failed()) {
                assert_ok(status);
                break;
            }
            assert_int_equal(status, STATUS_ERR_NOMEM);
        }
    }
    assert_false(is_there(state, "torture"));
    free(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_replaces_the_whole_content),
        cmocka_unit_test(a_failed_write_leaves_the_old_file_alone),
        cmocka_unit_test(a_write_that_ends_too_early_leaves_nothing),
        cmocka_unit_test(writing_does_not_follow_links),
        cmocka_unit_test(pipes_are_not_waited_for),
        cmocka_unit_test(reading_says_what_is_wrong),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(removing_does_not_follow_links),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(digest_of_a_file_is_the_hash_of_its_content),
        cmocka_unit_test(digest_of_a_folder_depends_on_names_and_contents_only),
        cmocka_unit_test(syncing_and_renaming_work_on_files_and_folders),
        cmocka_unit_test(paths_are_joined_and_made_absolute),
        cmocka_unit_test(free_space_is_known),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("core/file", tests, enter, leave);
}
