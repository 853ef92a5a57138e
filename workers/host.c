#include "workers/host.h"

#include "core/file.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 4096 };

/* first line of a small file without its end; false if there is none */
static bool read_line(const char *path, char *out, size_t size) {
    FILE      *file = fopen(path, "re");
    const bool got = file != NULL && fgets(out, (int)size, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!got) {
        out[0] = '\0';
    }
    out[strcspn(out, "\n")] = '\0';
    return got;
}

uint64_t host_key(void) {
    char text[TEXT_BYTES];
    if (!read_line("/proc/sys/kernel/random/boot_id", text, sizeof text)) {
        (void)gethostname(text, sizeof text - 1);
        text[sizeof text - 1] = '\0';
    }
    return file_hash(text, strlen(text));
}

/* ---- memory --------------------------------------------------------------------------------- */

/* the path of this process in the unified hierarchy of control groups, "" for its root */
static void read_group(char *out, size_t size) {
    FILE *file = fopen("/proc/self/cgroup", "re");
    out[0] = '\0';
    if (file == NULL) {
        return;
    }
    char line[TEXT_BYTES];
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::/", 4) == 0) {
            (void)snprintf(out, size, "%s", line + 3);
        }
    }
    (void)fclose(file);
}

static void take_limit(const char *path, double *least) {
    char  text[64];
    char *end = NULL;
    if (!read_line(path, text, sizeof text)) {
        return;
    }
    const double bytes = strtod(text, &end); /* "max" is no number */
    if (end != text && bytes > 0.0 && bytes < *least) {
        *least = bytes;
    }
}

double host_memory(bool *limited) {
    const double physical = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    double       memory = physical;
    char         group[TEXT_BYTES];
    char         path[2 * TEXT_BYTES];
    /* a group is limited by those above it too */
    read_group(group, sizeof group);
    for (;;) {
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", group);
        take_limit(path, &memory);
        char *cut = strrchr(group, '/');
        if (cut == NULL) {
            break;
        }
        *cut = '\0';
    }
    take_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes", &memory); /* the older hierarchy */
    if (limited != NULL) {
        *limited = memory < physical;
    }
    return memory;
}

/* ---- GPUs ----------------------------------------------------------------------------------- */

static bool is_gpu(const char *word) {
    if (strncmp(word, "GPU-", 4) == 0 || strncmp(word, "MIG-", 4) == 0) {
        return true;
    }
    return word[0] != '\0' && strspn(word, "0123456789") == strlen(word);
}

/* one word without the blanks around it; @return what follows its comma, NULL at the end */
static const char *next_word(const char *text, char *word, size_t size) {
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t length = strcspn(text, ",");
    char   end = text[length];
    size_t kept = length;
    while (kept > 0 && isspace((unsigned char)text[kept - 1])) {
        kept--;
    }
    kept = (kept < size) ? kept : 0; /* too long: no GPU is called that */
    memcpy(word, text, kept);
    word[kept] = '\0';
    return (end == ',') ? text + length + 1 : NULL;
}

static void read_visible(const char *text, HostGpus *out) {
    while (text != NULL && out->count < HOST_MOST_GPUS) {
        text = next_word(text, out->names[out->count], HOST_GPU_BYTES);
        if (!is_gpu(out->names[out->count])) {
            return;
        }
        out->count++;
    }
}

/* CUDA counts the devices that it finds from 0: in a container that was given nvidia3 alone, that
 * one is device 0 */
static void count_devices(const char *folder, HostGpus *out) {
    DIR *devices = opendir(folder);
    if (devices == NULL) {
        return;
    }
    for (;;) {
        const struct dirent *entry = readdir(devices); // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry == NULL || out->count == HOST_MOST_GPUS) {
            break;
        }
        const char *number = entry->d_name + 6;
        if (strncmp(entry->d_name, "nvidia", 6) == 0 && number[0] != '\0' &&
            strspn(number, "0123456789") == strlen(number)) {
            (void)snprintf(out->names[out->count], HOST_GPU_BYTES, "%zu", out->count);
            out->count++;
        }
    }
    (void)closedir(devices);
}

void host_gpus(HostGpus *out) {
    const char *visible = getenv(HOST_GPUS_VARIABLE);   // NOLINT(concurrency-mt-unsafe)
    const char *folder = getenv(HOST_DEVICES_VARIABLE); // NOLINT(concurrency-mt-unsafe)
    memset(out, 0, sizeof *out);
    if (visible != NULL) {
        read_visible(visible, out);
    } else {
        count_devices((folder != NULL) ? folder : "/dev", out);
    }
}

int64_t host_gpu_count(void) {
    HostGpus gpus;
    host_gpus(&gpus);
    return (int64_t)gpus.count;
}

void host_gpus_write(const HostGpus *gpus, size_t first, size_t count, Buffer *out) {
    for (size_t i = first; i < gpus->count && i < first + count; i++) {
        buffer_printf(out, "%s%s", (i > first) ? "," : "", gpus->names[i]);
    }
}

uint64_t host_gpus_key(const HostGpus *gpus) {
    Buffer text;
    buffer_init(&text, sizeof gpus->names);
    host_gpus_write(gpus, 0, gpus->count, &text);
    const uint64_t key = file_hash(buffer_text(&text), text.length);
    buffer_reset(&text);
    return key;
}
