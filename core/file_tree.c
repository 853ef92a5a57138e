/* Whole folders: a tree is listed first (relative names by kind, links as links, never followed),
 * then removed, synced or digested. Folders stand in the list before what is in them.
 */
#include "core/file.h"

#include "core/file_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

enum { READ_CHUNK = 65536, DEPTH_LIMIT = 64, FIRST_CAPACITY = 16 };

typedef struct Names {
    char **list;
    size_t count;
    size_t capacity;
} Names;

typedef struct Tree {
    Names files;   /* regular files */
    Names others;  /* links, sockets, pipes, devices */
    Names folders; /* without the root */
} Tree;

static void names_reset(Names *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->list[i]);
    }
    free(names->list);
    memset(names, 0, sizeof *names);
}

static void tree_reset(Tree *tree) {
    names_reset(&tree->files);
    names_reset(&tree->others);
    names_reset(&tree->folders);
}

/* takes ownership of `name`, also on failure */
static Status names_add(Names *names, char *name) {
    if (names->count == names->capacity) {
        const size_t capacity = (names->capacity == 0) ? FIRST_CAPACITY : names->capacity * 2;
        char       **list = realloc(names->list, capacity * sizeof *list);
        if (list == NULL) {
            const Status status = file__out_of_memory(name);
            free(name);
            return status;
        }
        names->list = list;
        names->capacity = capacity;
    }
    names->list[names->count++] = name;
    return STATUS_OK;
}

/* sorts one entry into the tree; `relative` is taken over, also on failure */
static Status add_entry(const char *root, char *relative, Tree *tree) {
    char       *path = file_join(root, relative);
    struct stat info;
    if (path == NULL) {
        const Status status = file__out_of_memory(relative);
        free(relative);
        return status;
    }
    if (lstat(path, &info) != 0) {
        const Status status = FILE_FAILURE("look at", path);
        free(path);
        free(relative);
        return status;
    }
    free(path);
    Names *names = S_ISREG(info.st_mode)   ? &tree->files
                   : S_ISDIR(info.st_mode) ? &tree->folders
                                           : &tree->others;
    return names_add(names, relative);
}

/* adds the entries of an open folder whose relative name is `prefix` ("" for the root) */
static Status read_entries(DIR *stream, const char *root, const char *prefix, Tree *tree) {
    for (;;) {
        errno = 0;
        const struct dirent *entry =
            readdir(stream); /* NOLINT(concurrency-mt-unsafe): own stream */
        if (entry == NULL && errno != 0) {
            FILE_FAIL("read folder", root);
        }
        if (entry == NULL) {
            return STATUS_OK;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char *relative = file_join(prefix, entry->d_name);
        if (relative == NULL) {
            return file__out_of_memory(root);
        }
        TRY(add_entry(root, relative, tree));
    }
}

static size_t depth_of(const char *relative) {
    size_t depth = 0;
    for (const char *c = relative; *c != '\0'; c++) {
        depth += *c == '/';
    }
    return depth;
}

static Status read_folder(const char *root, const char *relative, Tree *tree) {
    if (depth_of(relative) > DEPTH_LIMIT) {
        FAIL(STATUS_ERR_IO, "folders in %s are nested more than %d deep", root, DEPTH_LIMIT);
    }
    char *path = file_join(root, relative);
    if (path == NULL) {
        return file__out_of_memory(root);
    }
    /* a link put in the folder's place meanwhile is refused */
    const int no_links = (relative[0] == '\0') ? 0 : O_NOFOLLOW;
    const int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | no_links);
    DIR      *stream = (file < 0) ? NULL : fdopendir(file);
    Status    status = STATUS_OK;
    if (stream != NULL) {
        status = read_entries(stream, root, relative, tree);
        (void)closedir(stream);
    } else {
        status = FILE_FAILURE("open folder", path);
        if (file >= 0) {
            (void)close(file);
        }
    }
    free(path);
    return status;
}

/* lists everything below `root`; on failure `tree` is empty */
static Status tree_read(const char *root, Tree *tree) {
    memset(tree, 0, sizeof *tree);
    Status status = read_folder(root, "", tree);
    /* the list grows while it is walked */
    for (size_t i = 0; i < tree->folders.count && status == STATUS_OK; i++) {
        status = read_folder(root, tree->folders.list[i], tree);
    }
    if (status != STATUS_OK) {
        tree_reset(tree);
    }
    return status;
}

typedef Status (*Visit)(const char *path);

/* calls `visit` with the full path of every name, last to first */
static Status visit_names(const char *root, const Names *names, Visit visit) {
    for (size_t i = names->count; i > 0; i--) {
        char *path = file_join(root, names->list[i - 1]);
        if (path == NULL) {
            return file__out_of_memory(root);
        }
        const Status status = visit(path);
        free(path);
        TRY(status);
    }
    return STATUS_OK;
}

static Status remove_file(const char *path) {
    if (unlink(path) != 0 && errno != ENOENT) {
        FILE_FAIL("remove", path);
    }
    return STATUS_OK;
}

static Status remove_folder(const char *path) {
    if (rmdir(path) != 0 && errno != ENOENT) {
        FILE_FAIL("remove folder", path);
    }
    return STATUS_OK;
}

static Status remove_tree(const char *path, const Tree *tree) {
    TRY(visit_names(path, &tree->files, remove_file));
    TRY(visit_names(path, &tree->others, remove_file));
    TRY(visit_names(path, &tree->folders, remove_folder));
    return remove_folder(path);
}

Status file_remove_all(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        if (errno == ENOENT) {
            return STATUS_OK;
        }
        FILE_FAIL("look at", path);
    }
    if (!S_ISDIR(info.st_mode)) {
        return remove_file(path);
    }
    Tree tree;
    TRY(tree_read(path, &tree));
    const Status status = remove_tree(path, &tree);
    tree_reset(&tree);
    return status;
}

static Status sync_tree(const char *path, const Tree *tree) {
    TRY(visit_names(path, &tree->files, file__sync_one));
    TRY(visit_names(path, &tree->folders, file__sync_one));
    return file__sync_one(path);
}

Status file_sync(const char *path) {
    if (!file_is_folder(path)) {
        return file__sync_one(path);
    }
    Tree tree;
    TRY(tree_read(path, &tree));
    const Status status = sync_tree(path, &tree);
    tree_reset(&tree);
    return status;
}

uint64_t file_hash(const void *bytes, size_t length) {
    return XXH3_64bits(bytes, length);
}

/* adds the content of an open file; its length must be what the file system says */
static Status digest_open(int file, const char *path, uint64_t expected, XXH3_state_t *hash) {
    unsigned char chunk[READ_CHUNK];
    uint64_t      length = 0;
    for (;;) {
        const ssize_t got = read(file, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FILE_FAIL("read", path);
        }
        if (got == 0) {
            break;
        }
        (void)XXH3_64bits_update(hash, chunk, (size_t)got);
        length += (uint64_t)got;
    }
    if (length != expected) {
        FAIL(STATUS_ERR_IO, "%s changed while it was read", path);
    }
    return STATUS_OK;
}

/* adds {length as 8 bytes, least first} where `with_length`, and the content */
static Status digest_file(const char *path, bool with_length, XXH3_state_t *hash, uint64_t *total) {
    /* opening a pipe without O_NONBLOCK waits for somebody who writes into it */
    const int   file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    if (file < 0) {
        FILE_FAIL("open", path);
    }
    Status status = STATUS_OK;
    if (fstat(file, &info) != 0) {
        status = FILE_FAILURE("look at", path);
    } else if (!S_ISREG(info.st_mode)) {
        status = FAILURE(STATUS_ERR_IO, "%s is no regular file", path);
    }
    if (status != STATUS_OK) {
        (void)close(file);
        return status;
    }
    const uint64_t length = (uint64_t)info.st_size;
    if (with_length) {
        unsigned char bytes[8];
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (unsigned char)(length >> (8 * i));
        }
        (void)XXH3_64bits_update(hash, bytes, sizeof bytes);
    }
    status = digest_open(file, path, length, hash);
    (void)close(file);
    *total += length;
    return status;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static Status digest_names(const char *root, const Names *names, XXH3_state_t *hash,
                           uint64_t *total) {
    for (size_t i = 0; i < names->count; i++) {
        char *path = file_join(root, names->list[i]);
        if (path == NULL) {
            return file__out_of_memory(root);
        }
        /* the NUL ends the name */
        (void)XXH3_64bits_update(hash, names->list[i], strlen(names->list[i]) + 1);
        const Status status = digest_file(path, true, hash, total);
        free(path);
        TRY(status);
    }
    return STATUS_OK;
}

static Status digest_folder(const char *path, XXH3_state_t *hash, uint64_t *total) {
    Tree tree;
    TRY(tree_read(path, &tree));
    if (tree.files.count > 1) {
        qsort(tree.files.list, tree.files.count, sizeof *tree.files.list, by_bytes);
    }
    const Status status = digest_names(path, &tree.files, hash, total);
    tree_reset(&tree);
    return status;
}

Status file_digest(const char *path, uint64_t *length, uint64_t *checksum) {
    XXH3_state_t *hash = XXH3_createState();
    if (hash == NULL) {
        return file__out_of_memory(path);
    }
    uint64_t total = 0;
    (void)XXH3_64bits_reset(hash);
    const Status status = file_is_folder(path) ? digest_folder(path, hash, &total)
                                               : digest_file(path, false, hash, &total);
    if (status == STATUS_OK) {
        *length = total;
        *checksum = XXH3_64bits_digest(hash);
    }
    (void)XXH3_freeState(hash);
    return status;
}
