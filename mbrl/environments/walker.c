#include "mbrl/environments/walker.h"

#include "core/kernel.h"
#include "core/vector_math.h"

KERNEL_CLONES
void walker_features(const EnvironmentOps *task, const float *state, size_t n, float *features,
                     size_t stride) {
    const size_t dim = task->state_dim;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * dim;
        float       *f = features + i * stride;
        f[0] = s[WALKER_HEIGHT];
        vector_sin_cos_one(s[WALKER_PITCH], &f[1], &f[2]);
        for (size_t k = WALKER_REST; k < dim; k++) {
            f[k] = s[k];
        }
    }
}
