/* Tables of learning curves, for a space of every type of hyperparameter. */
#include "tests/fuzz/fuzz_target.h"

#include "schedulers/curve_table.h"
#include "tests/schedulers/fake_study.h"

#include <stdlib.h>
#include <string.h>

bool fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const metrics[] = {"score", "plan_flop", NULL};
    static Space            *space; /* stays */
    const CurveColumns       columns = {metrics, 3, 1};
    CurveTable              *table = NULL;
    char                    *text = malloc(size + 1);

    fuzz_accepted = false;
    if (space == NULL) {
        space = fake_space(FAKE_SPACE_CONDITIONAL);
    }
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    if (curve_table_parse("curves.csv", text, space, &columns, &table) == STATUS_OK) {
        fuzz_accepted = true;
        for (size_t i = 0; i < table->configuration_count; i++) {
            if (space_check(space, table->points + i * space_count(space)) != STATUS_OK) {
                abort();
            }
        }
    }
    curve_table_destroy(table);
    free(text);
    return 0;
}
