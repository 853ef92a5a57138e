#include "tests/support/test_support.h"

#include "core/file.h"
#include "workers/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Visible {
    const char *text;
    const char *expected; /* all of them, written again */
} Visible;

static void see(const char *visible, const char *expected) {
    HostGpus gpus;
    Buffer   text;
    assert_int_equal(setenv(HOST_GPUS_VARIABLE, visible, 1), 0);
    host_gpus(&gpus);
    buffer_init(&text, 8192);
    host_gpus_write(&gpus, 0, HOST_MOST_GPUS, &text);
    assert_string_equal(buffer_text(&text), expected);
    assert_int_equal(host_gpu_count(), gpus.count);
    buffer_reset(&text);
}

static void what_cuda_may_see_is_what_there_is(void **state) {
    static const Visible lists[] = {
        {"", ""},
        {"0", "0"},
        {"3,1", "3,1"},
        {" 2 , 10 ", "2,10"},
        {"NoDevFiles", ""},
        {"-1", ""},
        {"0,-1,2", "0"}, /* CUDA stops there too */
        {"0,,2", "0"},
        {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,1",
         "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,1"},
        {"MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2,MIG-ab",
         "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2,MIG-ab"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        see(lists[i].text, lists[i].expected);
    }
    /* too long for a name, too many for the table */
    char text[4096] = "GPU-";
    memset(text + 4, 'a', 200);
    see(text, "");
    text[0] = '\0';
    for (size_t i = 0; i < HOST_MOST_GPUS + 5; i++) {
        (void)snprintf(text + 3 * i, 4, "%02zu,", i);
    }
    assert_int_equal(setenv(HOST_GPUS_VARIABLE, text, 1), 0);
    assert_int_equal(host_gpu_count(), HOST_MOST_GPUS);
}

static void touch(const char *folder, const char *name) {
    char *path = file_join(folder, name);
    assert_ok(file_write_atomic(path, "", 0));
    free(path);
}

static void else_device_files_are_counted(void **state) {
    HostGpus gpus;
    char    *folder = test_folder_make();
    Buffer   text;
    (void)state;
    assert_int_equal(unsetenv(HOST_GPUS_VARIABLE), 0);
    assert_int_equal(setenv(HOST_DEVICES_VARIABLE, folder, 1), 0);
    assert_int_equal(host_gpu_count(), 0);
    touch(folder, "nvidia3"); /* CUDA's numbers begin at 0 all the same */
    touch(folder, "nvidia11");
    touch(folder, "nvidia12");
    touch(folder, "nvidiactl");
    touch(folder, "nvidia-uvm");
    touch(folder, "nvidia");
    touch(folder, "sda1");
    host_gpus(&gpus);
    assert_int_equal(gpus.count, 3);
    buffer_init(&text, 100);
    host_gpus_write(&gpus, 1, 2, &text);
    assert_string_equal(buffer_text(&text), "1,2");
    buffer_reset(&text);
    const uint64_t three = host_gpus_key(&gpus);
    touch(folder, "nvidia0");
    host_gpus(&gpus);
    assert_true(three != host_gpus_key(&gpus));
    test_folder_remove(folder);
    assert_int_equal(host_gpu_count(), 0);
    assert_int_equal(unsetenv(HOST_DEVICES_VARIABLE), 0);
}

static void memory_is_that_of_the_machine_or_less(void **state) {
    const double physical = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    bool         limited = false;
    (void)state;
    const double memory = host_memory(&limited);
    assert_true(memory > 0.0 && memory <= physical);
    assert_true(limited == (memory < physical));
    assert_true(host_key() == host_key() && host_key() != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cuda_may_see_is_what_there_is),
        cmocka_unit_test(else_device_files_are_counted),
        cmocka_unit_test(memory_is_that_of_the_machine_or_less),
    };
    return cmocka_run_group_tests_name("workers/host", tests, NULL, NULL);
}
