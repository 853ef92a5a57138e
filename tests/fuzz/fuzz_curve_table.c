/* Tables of learning curves, for a space of every type of hyperparameter. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

#include "schedulers/curve_table.h"
#include "tests/schedulers/fake_study.h"

#include <stdlib.h>

bool fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const metrics[] = {"score", "plan_flop", NULL};
    static Space            *space; /* stays */
    const CurveColumns       columns = {metrics, 3, 1};
    CurveTable              *table = NULL;

    fuzz_accepted = false;
    if (space == NULL) {
        space = fake_space(FAKE_SPACE_CONDITIONAL);
    }
    if (curve_table_read(input_file("curves.csv", data, size), space, &columns, &table) ==
        STATUS_OK) {
        fuzz_accepted = true;
        for (size_t i = 0; i < table->configuration_count; i++) {
            if (space_check(space, table->points + i * space_count(space)) != STATUS_OK) {
                abort();
            }
        }
    }
    curve_table_destroy(table);
    return 0;
}
