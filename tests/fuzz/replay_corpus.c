/* A target without libFuzzer: runs it on every file of the folders given, so that what was found
 * once stays mended under every compiler and sanitizer. Fails unless there are inputs named FUZZ_OK
 * something, and all of these are accepted. */
#include "tests/fuzz/fuzz_target.h"

#include "core/buffer.h"
#include "core/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BYTES = 1 << 24 };

typedef struct Replay {
    size_t count;   /* inputs */
    size_t ok;      /* of them named as accepted */
    size_t refused; /* of those */
} Replay;

static void replay_file(const char *folder, const char *name, Replay *replay) {
    char  *path = file_join(folder, name);
    Buffer input;
    buffer_init(&input, INPUT_BYTES);
    if (path == NULL || file_read(path, &input) != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", status_last()->text);
        exit(EXIT_FAILURE);
    }
    status_clear();
    (void)LLVMFuzzerTestOneInput((const uint8_t *)buffer_text(&input), input.length);
    replay->count++;
    if (strncmp(name, FUZZ_OK, strlen(FUZZ_OK)) == 0) {
        replay->ok++;
        if (!fuzz_accepted) {
            replay->refused++;
            (void)fprintf(stderr, "'%s' is not accepted: %s\n", path, status_last()->text);
        }
    }
    buffer_reset(&input);
    free(path);
}

static void replay_folder(const char *folder, Replay *replay) {
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        (void)fprintf(stderr, "there is no folder '%s'\n", folder);
        exit(EXIT_FAILURE);
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.' && entry->d_type != DT_DIR) {
            replay_file(folder, entry->d_name, replay);
        }
    }
    (void)closedir(dir);
}

int main(int argc, char **argv) {
    Replay replay = {0};
    for (int i = 1; i < argc; i++) {
        replay_folder(argv[i], &replay);
    }
    (void)printf("%zu inputs, %zu of %zu that must be accepted are\n", replay.count,
                 replay.ok - replay.refused, replay.ok);
    return (replay.ok > 0 && replay.refused == 0) ? EXIT_SUCCESS : EXIT_FAILURE;
}
