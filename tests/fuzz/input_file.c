#include "tests/fuzz/input_file.h"

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512 };

static char *folder;

char *input_folder_make(void) {
    const char *temporary = getenv("TMPDIR");
    char        path[PATH_BYTES];
    char        other[] = "/tmp/mbtune-fuzz-XXXXXX";
    (void)snprintf(path, sizeof path, "%s/mbtune-fuzz-XXXXXX",
                   (temporary != NULL) ? temporary : "/dev/shm");
    char *made = mkdtemp(path);
    made = (made == NULL) ? mkdtemp(other) : made;
    made = (made == NULL) ? NULL : strdup(made);
    if (made == NULL) {
        abort();
    }
    return made;
}

static void remove_folder(void) {
    (void)!file_remove_all(folder);
    free(folder);
}

const char *input_folder(void) {
    if (folder == NULL) {
        folder = input_folder_make();
        (void)atexit(remove_folder);
    }
    return folder;
}

void input_write(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
        abort();
    }
}

const char *input_file(const char *name, const uint8_t *data, size_t size) {
    static char path[2 * PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", input_folder(), name);
    input_write(path, data, size);
    return path;
}
