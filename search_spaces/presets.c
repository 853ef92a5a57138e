/* The presets, built into the library from the YAML files in presets/ (see embed.cmake). */
#include "search_spaces/presets.h"

#include "core/option.h"
#include "search_spaces/space_read.h"

#include <stdio.h>
#include <string.h>

const char *const *space_presets(void) {
    return preset__names;
}

static size_t count_presets(void) {
    size_t count = 0;
    while (preset__names[count] != NULL) {
        count++;
    }
    return count;
}

const char *space_preset_text(const char *name) {
    for (size_t i = 0; preset__names[i] != NULL; i++) {
        if (name != NULL && strcmp(preset__names[i], name) == 0) {
            return preset__texts[i];
        }
    }
    return NULL;
}

Status space_preset_open(const char *name, Document **out) {
    const char *text = space_preset_text(name);
    char        list[STATUS_TEXT_SIZE / 2] = "";
    char        file[STATUS_TEXT_SIZE / 4];
    *out = NULL;
    if (text != NULL) {
        (void)snprintf(file, sizeof file, "presets/%s.yaml", name);
        return document_parse(file, text, strlen(text), out);
    }
    for (size_t i = 0, used = 0; preset__names[i] != NULL && used < sizeof list; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", (i == 0) ? "" : ", ",
                                 preset__names[i]);
    }
    const char *asked = (name == NULL) ? "" : name;
    const char *near = option_nearest(asked, preset__names, count_presets());
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no preset '%s'%s%s%s; there are: %s", asked,
         (near == NULL) ? "" : "; did you mean '", (near == NULL) ? "" : near,
         (near == NULL) ? "" : "'?", list);
}
