#pragma once
// Products with a weight that is laid out once in panels of 64 outputs, for processors that have AVX-512: nothing is packed
// again at each product, as it is inside OpenBLAS.
#include <stdbool.h>
#include <string.h>

// The outputs of a panel, and how many inputs of it stay in the cache while rows go by.
enum { panels_width = 64, panels_depth = 512 };

#if defined(__x86_64__)
#include <immintrin.h>

#define PANELS_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512)

static inline bool panels_are_available(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// `tall` rows by 64 columns, which stay in registers while `depth` inputs go by.
__attribute__((always_inline, PANELS_TARGET)) static inline void panels_tile(
    const int tall, const float *input, long input_stride, const float *panel, long depth, const float *start,
    long start_stride, float *target, long target_stride
) {
    __m512 sums[6][4];
#pragma clang loop unroll(full)
    for (int row = 0; row < tall; row++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < 4; part++) {
            sums[row][part] = start ? _mm512_loadu_ps(start + row * start_stride + 16 * part) : _mm512_setzero_ps();
        }
    }
    for (long place = 0; place < depth; place++) {
        const float *numbers = panel + place * panels_width;
        const __m512 part0 = _mm512_loadu_ps(numbers), part1 = _mm512_loadu_ps(numbers + 16);
        const __m512 part2 = _mm512_loadu_ps(numbers + 32), part3 = _mm512_loadu_ps(numbers + 48);
#pragma clang loop unroll(full)
        for (int row = 0; row < tall; row++) {
            const __m512 factor = _mm512_set1_ps(input[row * input_stride + place]);
            sums[row][0] = _mm512_fmadd_ps(factor, part0, sums[row][0]);
            sums[row][1] = _mm512_fmadd_ps(factor, part1, sums[row][1]);
            sums[row][2] = _mm512_fmadd_ps(factor, part2, sums[row][2]);
            sums[row][3] = _mm512_fmadd_ps(factor, part3, sums[row][3]);
        }
    }
#pragma clang loop unroll(full)
    for (int row = 0; row < tall; row++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < 4; part++) {
            _mm512_storeu_ps(target + row * target_stride + 16 * part, sums[row][part]);
        }
    }
}

// As panels_tile, for the rows that are left.
__attribute__((PANELS_TARGET)) static inline void panels_rest(
    long tall, const float *input, long input_stride, const float *panel, long depth, const float *start, long start_stride,
    float *target, long target_stride
) {
    switch (tall) {
    case 6: panels_tile(6, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    case 5: panels_tile(5, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    case 4: panels_tile(4, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    case 3: panels_tile(3, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    case 2: panels_tile(2, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    case 1: panels_tile(1, input, input_stride, panel, depth, start, start_stride, target, target_stride); break;
    }
}

// target (rows × outputs) ← input (rows × inputs)·weightᵀ + bias.
//
// `panels` holds each panel's numbers input by input, 64 outputs each, zeros where there is no output; `bias`, which may be
// null, has as many numbers as the panels have outputs.
__attribute__((unused, PANELS_TARGET)) static void panels_multiply(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride
) {
    float edge[6 * panels_width];
    for (long first = 0; first < inputs; first += panels_depth) {
        const long depth = inputs - first < panels_depth ? inputs - first : panels_depth;
        for (long column = 0; column < outputs; column += panels_width) {
            const float *panel = panels + column * inputs + first * panels_width;
            const long width = outputs - column < panels_width ? outputs - column : panels_width;
            for (long row = 0; row < rows; row += 6) {
                const long tall = rows - row < 6 ? rows - row : 6;
                const float *numbers = input + row * input_stride + first;
                float *place = target + row * target_stride + column;
                if (width == panels_width) {
                    const float *start = first > 0 ? place : bias ? bias + column : 0;
                    const long start_stride = first > 0 ? target_stride : 0;
                    panels_rest(tall, numbers, input_stride, panel, depth, start, start_stride, place, target_stride);
                    continue;
                }
                for (long line = 0; line < tall; line++) {
                    const float *start = first > 0 ? place + line * target_stride : bias ? bias + column : 0;
                    memset(edge + line * panels_width, 0, sizeof(float) * panels_width);
                    if (start) memcpy(edge + line * panels_width, start, sizeof(float) * width);
                }
                panels_rest(tall, numbers, input_stride, panel, depth, edge, panels_width, edge, panels_width);
                for (long line = 0; line < tall; line++) {
                    memcpy(place + line * target_stride, edge + line * panels_width, sizeof(float) * width);
                }
            }
        }
    }
}

#undef PANELS_TARGET
#else
static inline bool panels_are_available(void) { return false; }
static inline void panels_multiply(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride
) {}
#endif
