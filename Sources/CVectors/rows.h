#pragma once
// An encoder's row operations between its matrix products, compiled for every vector width of x86-64: Swift compiles for the
// oldest width and cannot choose at run time.
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum rows_width { rows_oldest, rows_avx2, rows_avx512 };

#define ROWS_LANES 4
#define ROWS_TARGET
#define ROWS_NAME(name) name##_oldest
#include "rows_body.h"
#undef ROWS_LANES
#undef ROWS_TARGET
#undef ROWS_NAME

#if defined(__x86_64__)
#define ROWS_LANES 8
#define ROWS_TARGET , target("avx2,fma")
#define ROWS_NAME(name) name##_avx2
#include "rows_body.h"
#undef ROWS_LANES
#undef ROWS_TARGET
#undef ROWS_NAME

#define ROWS_LANES 16
#define ROWS_NAME(name) name##_avx512
#define ROWS_TARGET , target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512)
#include "rows_body.h"
#undef ROWS_LANES
#undef ROWS_TARGET
#undef ROWS_NAME

static inline enum rows_width rows_widest(void) {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) return rows_avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? rows_avx2 : rows_oldest;
}

#define ROWS_CALL(width, name, ...) \
    switch (width) { \
    case rows_avx512: name##_avx512(__VA_ARGS__); break; \
    case rows_avx2: name##_avx2(__VA_ARGS__); break; \
    case rows_oldest: name##_oldest(__VA_ARGS__); break; \
    }
#else
static inline enum rows_width rows_widest(void) { return rows_oldest; }
#define ROWS_CALL(width, name, ...) name##_oldest(__VA_ARGS__);
#endif

// values ← gelu(values + bias), in place.
static inline void rows_gelu(
    enum rows_width width, float *values, long rows, long columns, long stride, const float *bias
) {
    ROWS_CALL(width, rows_gelu, values, rows, columns, stride, bias)
}

// Every row ← softmax(scale·row), in place.
static inline void rows_softmax(
    enum rows_width width, float *values, long rows, long columns, long stride, float scale
) {
    ROWS_CALL(width, rows_softmax, values, rows, columns, stride, scale)
}

// target ← the normalised sum of `target`, `bias` and `residual`, times `gain`, plus `shift`; rows have no gaps between them.
// `bias` and `residual` may be null.
static inline void rows_normalise(
    enum rows_width width, float *target, const float *bias, const float *residual, const float *gain, const float *shift,
    float epsilon, long rows, long columns
) {
    ROWS_CALL(width, rows_normalise, target, bias, residual, gain, shift, epsilon, rows, columns)
}

#undef ROWS_CALL
