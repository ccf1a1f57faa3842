#pragma once
// Sums of eight floats at a time, for processors with AVX2 and F16C; Swift compiles for the oldest x86-64 and cannot choose at
// run time. A product is rounded before it is added (no FMA), so every element equals that of scalar sums.
#include <stdbool.h>
#include <stdint.h>

enum vectors_storage { vectors_float32, vectors_float16, vectors_bfloat16 };

// A row and its factor.
struct vectors_row {
    const void *start;
    float factor;
};

// A row-major matrix and the factors of its columns, padded with zeros to a multiple of eight.
struct vectors_matrix {
    const void *start;
    const float *factors;
    long columns;
};

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define VECTORS_INLINE __attribute__((always_inline, target("avx2,f16c"))) static inline
#define VECTORS_KERNEL __attribute__((target("avx2,f16c"))) static inline

static inline bool vectors_are_available(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("f16c");
}

VECTORS_INLINE long vectors_size(enum vectors_storage storage) { return storage == vectors_float32 ? 4 : 2; }

VECTORS_INLINE __m256 vectors_widened(enum vectors_storage storage, __m128i halves) {
    if (storage == vectors_float16) return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

VECTORS_INLINE __m256 vectors_load(enum vectors_storage storage, const char *numbers) {
    if (storage == vectors_float32) return _mm256_loadu_ps((const float *)numbers);
    return vectors_widened(storage, _mm_loadu_si128((const __m128i *)numbers));
}

// All ones in the first `count` of eight.
VECTORS_INLINE __m256i vectors_mask(long count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// The first `count` numbers, fewer than eight, then zeros; reads no others.
VECTORS_INLINE __m256 vectors_load_some(enum vectors_storage storage, const char *numbers, long count) {
    if (storage == vectors_float32) return _mm256_maskload_ps((const float *)numbers, vectors_mask(count));
    if (count == 4) return vectors_widened(storage, _mm_loadl_epi64((const __m128i *)numbers));
    uint16_t halves[8] = {0};
    for (long index = 0; index < count; index++) memcpy(halves + index, numbers + 2 * index, 2);
    return vectors_widened(storage, _mm_loadu_si128((const __m128i *)halves));
}

VECTORS_INLINE __m256 vectors_added(__m256 sum, __m256 numbers, __m256 factor) {
    return _mm256_add_ps(sum, _mm256_mul_ps(numbers, factor));
}

VECTORS_INLINE void vectors_rows(
    enum vectors_storage storage, float *sums, const struct vectors_row *rows, long count, long columns
) {
    const long size = vectors_size(storage);
    long column = 0;
    for (; column + 32 <= columns; column += 32) {
        float *target = sums + column;
        __m256 sum0 = _mm256_loadu_ps(target), sum1 = _mm256_loadu_ps(target + 8);
        __m256 sum2 = _mm256_loadu_ps(target + 16), sum3 = _mm256_loadu_ps(target + 24);
        for (long index = 0; index < count; index++) {
            const char *numbers = (const char *)rows[index].start + column * size;
            const __m256 factor = _mm256_set1_ps(rows[index].factor);
            sum0 = vectors_added(sum0, vectors_load(storage, numbers), factor);
            sum1 = vectors_added(sum1, vectors_load(storage, numbers + 8 * size), factor);
            sum2 = vectors_added(sum2, vectors_load(storage, numbers + 16 * size), factor);
            sum3 = vectors_added(sum3, vectors_load(storage, numbers + 24 * size), factor);
        }
        _mm256_storeu_ps(target, sum0);
        _mm256_storeu_ps(target + 8, sum1);
        _mm256_storeu_ps(target + 16, sum2);
        _mm256_storeu_ps(target + 24, sum3);
    }
    for (; column < columns; column += 8) {
        const long width = columns - column < 8 ? columns - column : 8;
        const __m256i mask = vectors_mask(width);
        __m256 sum = _mm256_maskload_ps(sums + column, mask);
        for (long index = 0; index < count; index++) {
            const char *numbers = (const char *)rows[index].start + column * size;
            const __m256 some =
                width == 8 ? vectors_load(storage, numbers) : vectors_load_some(storage, numbers, width);
            sum = vectors_added(sum, some, _mm256_set1_ps(rows[index].factor));
        }
        _mm256_maskstore_ps(sums + column, mask, sum);
    }
}

// Adds up `tall` rows of up to eight columns: they stay in registers while the matrices go by.
VECTORS_INLINE void vectors_tile(
    enum vectors_storage storage, float *sums, long width, long row, long column, const int tall,
    const struct vectors_matrix *matrices, long count
) {
    const long size = vectors_size(storage);
    const bool whole = column + 8 <= width;
    const __m256i mask = vectors_mask(width - column);
    float *target = sums + row * width + column;
    __m256 sum[8];
#pragma clang loop unroll(full)
    for (int index = 0; index < tall; index++) {
        sum[index] =
            whole ? _mm256_loadu_ps(target + index * width) : _mm256_maskload_ps(target + index * width, mask);
    }
    for (long place = 0; place < count; place++) {
        const long columns = matrices[place].columns;
        const long held = columns - column;
        if (held <= 0) continue;
        const char *numbers = (const char *)matrices[place].start + (row * columns + column) * size;
        const long step = columns * size;
        const __m256 factor = _mm256_loadu_ps(matrices[place].factors + column);
        if (held >= 8) {
#pragma clang loop unroll(full)
            for (int index = 0; index < tall; index++) {
                sum[index] = vectors_added(sum[index], vectors_load(storage, numbers + index * step), factor);
            }
        } else {
#pragma clang loop unroll(full)
            for (int index = 0; index < tall; index++) {
                sum[index] =
                    vectors_added(sum[index], vectors_load_some(storage, numbers + index * step, held), factor);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int index = 0; index < tall; index++) {
        if (whole) {
            _mm256_storeu_ps(target + index * width, sum[index]);
        } else {
            _mm256_maskstore_ps(target + index * width, mask, sum[index]);
        }
    }
}

VECTORS_INLINE void vectors_columns(
    enum vectors_storage storage, float *sums, long rows, long width, const struct vectors_matrix *matrices, long count
) {
    long row = 0;
    for (; row + 8 <= rows; row += 8) {
        for (long column = 0; column < width; column += 8) {
            vectors_tile(storage, sums, width, row, column, 8, matrices, count);
        }
    }
    for (; row < rows; row++) {
        for (long column = 0; column < width; column += 8) {
            vectors_tile(storage, sums, width, row, column, 1, matrices, count);
        }
    }
}

// sums[c] += Σ factor·row[c], in the order of the rows.
VECTORS_KERNEL void vectors_add_rows(
    enum vectors_storage storage, float *sums, const struct vectors_row *rows, long count, long columns
) {
    switch (storage) {
    case vectors_float32: vectors_rows(vectors_float32, sums, rows, count, columns); break;
    case vectors_float16: vectors_rows(vectors_float16, sums, rows, count, columns); break;
    case vectors_bfloat16: vectors_rows(vectors_bfloat16, sums, rows, count, columns); break;
    }
}

// sums[r][c] += Σ factors[c]·matrix[r][c], in the order of the matrices; `sums` is (rows × width), and no matrix is wider.
VECTORS_KERNEL void vectors_add_columns(
    enum vectors_storage storage, float *sums, long rows, long width, const struct vectors_matrix *matrices, long count
) {
    switch (storage) {
    case vectors_float32: vectors_columns(vectors_float32, sums, rows, width, matrices, count); break;
    case vectors_float16: vectors_columns(vectors_float16, sums, rows, width, matrices, count); break;
    case vectors_bfloat16: vectors_columns(vectors_bfloat16, sums, rows, width, matrices, count); break;
    }
}

#undef VECTORS_INLINE
#undef VECTORS_KERNEL
#else

// Elsewhere the compiler's own vectors are the processor's.
static inline bool vectors_are_available(void) { return false; }
static inline void vectors_add_rows(
    enum vectors_storage storage, float *sums, const struct vectors_row *rows, long count, long columns
) {}
static inline void vectors_add_columns(
    enum vectors_storage storage, float *sums, long rows, long width, const struct vectors_matrix *matrices, long count
) {}

#endif
