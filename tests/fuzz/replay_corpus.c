/* A target without libFuzzer: runs it on every file of the folders given, so that what was found
 * once stays mended under every compiler and sanitizer, and then on a fixed number of inputs that
 * are drawn from those by small damages, the same in every run. Fails unless there are inputs named
 * FUZZ_OK something, and all of these are accepted. */
#include "tests/fuzz/fuzz_target.h"

#include "core/buffer.h"
#include "core/file.h"
#include "core/rng.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_BYTES = 1 << 24, MOST_INPUTS = 1024, DAMAGED = 10000, MOST_DAMAGES = 4 };

typedef struct Replay {
    Buffer inputs[MOST_INPUTS];
    size_t count;
    size_t ok;      /* of them named as accepted */
    size_t refused; /* of those */
} Replay;

/* ---- damages -------------------------------------------------------------------------------- */

static void set_byte(Rng *rng, Buffer *input) {
    static const char telling[] = "\0\xff\x7f\x80 \n\"'{}[],:-+.0129eE\\";
    const size_t      at = (size_t)rng_below(rng, input->length);
    const bool        any = rng_below(rng, 2) == 0;
    input->data[at] = any ? (char)rng_below(rng, 256) : telling[rng_below(rng, sizeof telling - 1)];
}

static void flip_bit(Rng *rng, Buffer *input) {
    const size_t at = (size_t)rng_below(rng, input->length);
    input->data[at] = (char)((unsigned char)input->data[at] ^ (1U << rng_below(rng, 8)));
}

static void cut_off(Rng *rng, Buffer *input) {
    input->length = (size_t)rng_below(rng, input->length + 1);
    input->data[input->length] = '\0';
}

/* from one place over another: repeats, shifts and overwrites */
static void copy_piece(Rng *rng, Buffer *input) {
    const size_t from = (size_t)rng_below(rng, input->length);
    const size_t to = (size_t)rng_below(rng, input->length);
    const size_t room = input->length - ((from > to) ? from : to);
    memmove(input->data + to, input->data + from, (size_t)rng_below(rng, room + 1));
}

static void remove_piece(Rng *rng, Buffer *input) {
    const size_t at = (size_t)rng_below(rng, input->length);
    const size_t left = input->length - at;
    const size_t length = (size_t)rng_below(rng, ((left < 32) ? left : 32) + 1);
    memmove(input->data + at, input->data + at + length, left - length + 1);
    input->length -= length;
}

static void add_piece(Rng *rng, const Buffer *other, Buffer *input) {
    const size_t from = (size_t)rng_below(rng, other->length + 1);
    buffer_append(input, other->data + from, (size_t)rng_below(rng, other->length - from + 1));
}

static void damage(Rng *rng, const Buffer *other, Buffer *input) {
    static void (*const damages[])(Rng *, Buffer *) = {set_byte, flip_bit, cut_off, copy_piece,
                                                       remove_piece};
    const size_t kinds = sizeof damages / sizeof damages[0];
    const size_t kind = (size_t)rng_below(rng, kinds + 1);
    if (kind == kinds) {
        add_piece(rng, other, input);
    } else if (input->length > 0) {
        damages[kind](rng, input);
    }
}

static void run_damaged(const Replay *replay, size_t count) {
    for (uint64_t i = 0; i < count && replay->count > 0; i++) {
        Rng           rng = rng_stream(1, i, RNG_TEST);
        const Buffer *from = &replay->inputs[rng_below(&rng, replay->count)];
        const Buffer *other = &replay->inputs[rng_below(&rng, replay->count)];
        Buffer        input;
        buffer_init(&input, 2 * (size_t)INPUT_BYTES);
        buffer_append(&input, from->data, from->length);
        for (uint64_t left = 1 + rng_below(&rng, MOST_DAMAGES); left > 0; left--) {
            damage(&rng, other, &input);
        }
        status_clear();
        (void)LLVMFuzzerTestOneInput((const uint8_t *)buffer_text(&input), input.length);
        buffer_reset(&input);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static void replay_file(const char *folder, const char *name, Replay *replay) {
    char   *path = file_join(folder, name);
    Buffer *input = &replay->inputs[replay->count];
    buffer_init(input, INPUT_BYTES);
    if (path == NULL || file_read(path, input) != STATUS_OK || replay->count + 1 == MOST_INPUTS) {
        (void)fprintf(stderr, "'%s' cannot be read, or is one too many: %s\n", name,
                      status_last()->text);
        exit(EXIT_FAILURE);
    }
    buffer_puts(input, ""); /* so that there are data, of an empty file too */
    status_clear();
    (void)LLVMFuzzerTestOneInput((const uint8_t *)buffer_text(input), input->length);
    replay->count++;
    if (strncmp(name, FUZZ_OK, strlen(FUZZ_OK)) == 0) {
        replay->ok++;
        if (!fuzz_accepted) {
            replay->refused++;
            (void)fprintf(stderr, "'%s' is not accepted: %s\n", path, status_last()->text);
        }
    }
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

/* usage: fuzz_TARGET [--damaged N] FOLDER... */
int main(int argc, char **argv) {
    static Replay replay;
    const bool    given = argc > 2 && strcmp(argv[1], "--damaged") == 0;
    const size_t  damaged = given ? strtoul(argv[2], NULL, 10) : DAMAGED;
    for (int i = given ? 3 : 1; i < argc; i++) {
        replay_folder(argv[i], &replay);
    }
    run_damaged(&replay, damaged);
    for (size_t i = 0; i < replay.count; i++) {
        buffer_reset(&replay.inputs[i]);
    }
    (void)printf("%zu inputs, %zu of %zu that must be accepted are; %zu damaged ones\n",
                 replay.count, replay.ok - replay.refused, replay.ok, damaged);
    return (replay.ok > 0 && replay.refused == 0) ? EXIT_SUCCESS : EXIT_FAILURE;
}
