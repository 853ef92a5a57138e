/* Numbers out of JSON for shell scripts: reads one document from standard input and prints, tab
 * between them, the value at each path given; a path is keys and indices with dots between
 * ("confirmed.area.interval.0"). What is not there, or null, is "-".
 *
 *     mbtune best DIR -f json | json_value segment confirmed.area.mean
 */
#include "core/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 64 << 20, KEY_BYTES = 256 };

static const Json *value_at(const Json *json, const char *path) {
    while (json != NULL && *path != '\0') {
        char         key[KEY_BYTES];
        const size_t length = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)length, path);
        json = json_is_array(json) ? json_at(json, strtoul(key, NULL, 10)) : json_get(json, key);
        path += length + (path[length] == '.' ? 1 : 0);
    }
    return json;
}

static void print_value(const Json *value) {
    if (json_is_integer(value)) {
        printf("%lld", (long long)json_integer(value));
    } else if (json_is_number(value)) {
        printf("%.6g", json_number(value));
    } else if (json_is_string(value)) {
        printf("%s", json_string(value));
    } else if (json_is_bool(value)) {
        printf("%s", json_bool(value) ? "true" : "false");
    } else {
        printf("-");
    }
}

int main(int argc, char **argv) {
    char   chunk[4096];
    Buffer text;
    Json  *json = NULL;
    size_t got = 0;
    buffer_init(&text, MOST_BYTES);
    while ((got = fread(chunk, 1, sizeof chunk, stdin)) > 0) {
        buffer_append(&text, chunk, got);
    }
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = json_parse(text.data != NULL ? text.data : "", text.length, &json);
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "json_value: %s\n", status_last()->text);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        print_value(value_at(json, argv[i]));
        printf("%s", i + 1 < argc ? "\t" : "\n");
    }
    json_release(json);
    buffer_reset(&text);
    return 0;
}
