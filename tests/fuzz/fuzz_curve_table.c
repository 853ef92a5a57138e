/* Tables of learning curves, for two spaces: one with conditions, one of every type. */
#include "tests/fuzz/every_space.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"

#include "schedulers/curve_table.h"
#include "tests/schedulers/fake_study.h"

#include <stdlib.h>

bool fuzz_accepted;

static void read_table(const char *file, const Space *space) {
    static const char *const metrics[] = {"score", "plan_flop", NULL};
    const CurveColumns       columns = {metrics, 3, 1};
    CurveTable              *table = NULL;
    if (curve_table_read(file, space, &columns, &table) == STATUS_OK) {
        fuzz_accepted = true;
        for (size_t i = 0; i < table->configuration_count; i++) {
            if (space_check(space, table->points + i * space_count(space)) != STATUS_OK) {
                abort();
            }
        }
    }
    curve_table_destroy(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Space *spaces[2]; /* stay */
    if (spaces[0] == NULL) {
        spaces[0] = fake_space(FAKE_SPACE_CONDITIONAL);
        spaces[1] = every_space();
    }
    fuzz_accepted = false;
    const char *file = input_file("curves.csv", data, size);
    read_table(file, spaces[0]);
    read_table(file, spaces[1]);
    return 0;
}
