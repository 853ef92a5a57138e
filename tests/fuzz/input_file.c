#include "tests/fuzz/input_file.h"

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 512 };

static char folder[PATH_BYTES];

static void remove_folder(void) {
    (void)!file_remove_all(folder);
}

const char *input_folder(void) {
    const char *temporary = getenv("TMPDIR");
    if (folder[0] != '\0') {
        return folder;
    }
    (void)snprintf(folder, sizeof folder, "%s/mbtune-fuzz-XXXXXX",
                   (temporary != NULL) ? temporary : "/dev/shm");
    if (mkdtemp(folder) == NULL) { /* in memory if there is such a place: each input is written */
        (void)snprintf(folder, sizeof folder, "/tmp/mbtune-fuzz-XXXXXX");
        if (mkdtemp(folder) == NULL) {
            abort();
        }
    }
    (void)atexit(remove_folder);
    return folder;
}

const char *input_file(const char *name, const uint8_t *data, size_t size) {
    static char path[2 * PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", input_folder(), name);
    /* plain writing: nothing has to survive a crash here */
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
    return path;
}
