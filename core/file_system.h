/** @file file_system.h  What kind of file system a path lies on. */
#ifndef CORE_FILE_SYSTEM_H
#define CORE_FILE_SYSTEM_H

#include <stdbool.h>

typedef struct FileSystem {
    const char *name;    /* "ext4"; NULL where the kind is not known */
    bool        network; /* other hosts may see it too: no shared memory between its users */
} FileSystem;

/** The kind of the file system of `path`, which must exist. */
FileSystem file_system(const char *path);

#endif
