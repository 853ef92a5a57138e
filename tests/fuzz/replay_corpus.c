/* A target without libFuzzer: runs it on every file of the folders given, so that what was found
 * once stays mended under every compiler and sanitizer. */
#include "tests/fuzz/fuzz_target.h"

#include "core/buffer.h"
#include "core/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BYTES = 1 << 24 };

static size_t replay_folder(const char *folder) {
    DIR   *dir = opendir(folder);
    size_t count = 0;
    if (dir == NULL) {
        (void)fprintf(stderr, "there is no folder '%s'\n", folder);
        exit(EXIT_FAILURE);
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.' || entry->d_type == DT_DIR) {
            continue;
        }
        char  *path = file_join(folder, entry->d_name);
        Buffer input;
        buffer_init(&input, INPUT_BYTES);
        if (path == NULL || file_read(path, &input) != STATUS_OK) {
            (void)fprintf(stderr, "%s\n", status_last()->text);
            exit(EXIT_FAILURE);
        }
        (void)LLVMFuzzerTestOneInput((const uint8_t *)buffer_text(&input), input.length);
        buffer_reset(&input);
        free(path);
        count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i]);
    }
    (void)printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
