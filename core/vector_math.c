#include "core/vector_math.h"

#include "core/kernel.h"

KERNEL_CLONES void vector_exp(const float *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = vector_exp_one(x[i]);
    }
}

KERNEL_CLONES void vector_log(const float *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = vector_log_one(x[i]);
    }
}

KERNEL_CLONES void vector_tanh(const float *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = vector_tanh_one(x[i]);
    }
}

KERNEL_CLONES void vector_sigmoid(const float *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = vector_sigmoid_one(x[i]);
    }
}

KERNEL_CLONES void vector_sin_cos(const float *x, float *sine, float *cosine, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float s;
        float c;
        vector_sin_cos_one(x[i], &s, &c);
        sine[i] = s;
        cosine[i] = c;
    }
}
