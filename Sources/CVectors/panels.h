#pragma once
// Products with a weight that is packed once in panels of 64 outputs, for processors with AVX-512. OpenBLAS would pack the
// weight again at each product.
#include <stdbool.h>

// The outputs of a panel, how many of its inputs stay in the cache while rows are multiplied, and how many rows are multiplied
// at a time by the seven products that do the work of eight.
enum { panels_width = 64, panels_depth = 512, panels_quartered_rows = 96 };

// The panels of a weight in quarters, in reading order. With wᵀ cut into v₁₁ v₁₂ v₂₁ v₂₂:
// t₁ = v₁₂ − v₁₁, t₂ = v₂₂ − t₁, t₃ = v₂₂ − v₁₂, t₄ = v₂₁ − t₂.
enum { panels_v11, panels_v21, panels_t2, panels_t1, panels_t3, panels_v22, panels_t4, panels_quarters };

#if defined(__x86_64__)
#include <immintrin.h>

#define PANELS_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512)
#define PANELS_INLINE __attribute__((always_inline, PANELS_TARGET)) static inline
#define PANELS_KERNEL __attribute__((unused, PANELS_TARGET)) static

static inline bool panels_are_available(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

// A mask for the first `count` of a vector's 16 numbers.
PANELS_INLINE __mmask16 panels_mask(long count) { return count < 16 ? (__mmask16)(0xffff >> (16 - count)) : 0xffff; }

// target (rows × columns) ← start + input (rows × depth)·numbers (depth × columns); all may be blocks of larger matrices.
struct panels_product {
    const float *input;
    long input_stride;
    const float *numbers;
    long numbers_stride;
    // Null for zeros, or the target, or another; with a stride of 0 one row for all.
    const float *start;
    long start_stride;
    float *target;
    long target_stride;
    long depth;
    // What is read next, and fetched into the second cache meanwhile where there are 64 columns; `numbers` where nothing is.
    const float *next;
};

// `tall` rows from `row` on by `parts` vectors of 16 columns, the last cut off at `edge`: they stay in registers while all
// inputs go by.
PANELS_INLINE void panels_tile(
    const int tall, const int parts, const __mmask16 edge, const struct panels_product product, const long row
) {
    const float *input = product.input + row * product.input_stride;
    const float *start = product.start ? product.start + row * product.start_stride : 0;
    float *target = product.target + row * product.target_stride;
    // Each tile of six rows fetches another quarter of the next panel, 16 of its columns.
    const float *next = product.next + (row / 6 & 3) * 16;
    __m512 sums[12][4];
#pragma clang loop unroll(full)
    for (int line = 0; line < tall; line++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < parts; part++) {
            const __mmask16 mask = part < parts - 1 ? 0xffff : edge;
            sums[line][part] =
                start ? _mm512_maskz_loadu_ps(mask, start + line * product.start_stride + 16 * part) : _mm512_setzero_ps();
        }
    }
    for (long place = 0; place < product.depth; place++) {
        const float *numbers = product.numbers + place * product.numbers_stride;
        __m512 columns[4];
        if (parts == 4) _mm_prefetch((const char *)(next + place * product.numbers_stride), _MM_HINT_T1);
#pragma clang loop unroll(full)
        for (int part = 0; part < parts; part++) {
            columns[part] = _mm512_maskz_loadu_ps(part < parts - 1 ? 0xffff : edge, numbers + 16 * part);
        }
#pragma clang loop unroll(full)
        for (int line = 0; line < tall; line++) {
            const __m512 factor = _mm512_set1_ps(input[line * product.input_stride + place]);
#pragma clang loop unroll(full)
            for (int part = 0; part < parts; part++) {
                sums[line][part] = _mm512_fmadd_ps(factor, columns[part], sums[line][part]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int line = 0; line < tall; line++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < parts; part++) {
            const __mmask16 mask = part < parts - 1 ? 0xffff : edge;
            _mm512_mask_storeu_ps(target + line * product.target_stride + 16 * part, mask, sums[line][part]);
        }
    }
}

// Like panels_tile, for any number of rows.
PANELS_INLINE void panels_tiles(
    const int parts, const __mmask16 edge, const struct panels_product product, const long rows
) {
    long row = 0;
    if (parts <= 2) {
        for (; row + 12 <= rows; row += 12) panels_tile(12, parts, edge, product, row);
    }
    for (; row + 6 <= rows; row += 6) panels_tile(6, parts, edge, product, row);
    switch (rows - row) {
    case 5: panels_tile(5, parts, edge, product, row); break;
    case 4: panels_tile(4, parts, edge, product, row); break;
    case 3: panels_tile(3, parts, edge, product, row); break;
    case 2: panels_tile(2, parts, edge, product, row); break;
    case 1: panels_tile(1, parts, edge, product, row); break;
    }
}

// Up to 64 columns.
PANELS_KERNEL void panels_multiply_columns(const struct panels_product product, long rows, long columns) {
    const int parts = (int)((columns + 15) / 16);
    const __mmask16 edge = panels_mask(columns - 16 * (parts - 1));
    switch (parts) {
    case 4: panels_tiles(4, edge, product, rows); break;
    case 3: panels_tiles(3, edge, product, rows); break;
    case 2: panels_tiles(2, edge, product, rows); break;
    case 1: panels_tiles(1, edge, product, rows); break;
    }
}

// target (rows × columns) ← input (rows × depth)·numbers (depth × columns), plus the target where `is_added`.
PANELS_KERNEL void panels_multiply_direct(
    const float *input, long rows, long depth, long input_stride, const float *numbers, long numbers_stride, long columns,
    bool is_added, float *target, long target_stride
) {
    for (long column = 0; column < columns; column += panels_width) {
        const struct panels_product product = {
            input, input_stride, numbers + column, numbers_stride, is_added ? target + column : 0, target_stride,
            target + column, target_stride, depth, numbers + column};
        panels_multiply_columns(product, rows, columns - column < panels_width ? columns - column : panels_width);
    }
}

// target (rows × outputs) ← input (rows × inputs)·weightᵀ + bias.
//
// `panels` holds each panel's numbers input by input, 64 outputs each; `bias` may be null.
PANELS_KERNEL void panels_multiply(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride
) {
    for (long first = 0; first < inputs; first += panels_depth) {
        const long depth = inputs - first < panels_depth ? inputs - first : panels_depth;
        for (long column = 0; column < outputs; column += panels_width) {
            const bool is_last = outputs - column <= panels_width;
            const float *panel = panels + column * inputs + first * panels_width;
            const struct panels_product product = {
                input + first, input_stride, panel, panels_width,
                first > 0 ? target + column : bias ? bias + column : 0, first > 0 ? target_stride : 0,
                target + column, target_stride, depth, is_last ? panel : panel + inputs * panels_width};
            panels_multiply_columns(product, rows, is_last ? outputs - column : panels_width);
        }
    }
}

// What Winograd's form sums of an input's quarters x₁₁ x₁₂ x₂₁ x₂₂ (rows × columns each), one behind the other into `sums`:
// s₁ = x₂₁ + x₂₂, s₂ = s₁ − x₁₁, s₃ = x₁₁ − x₂₁, s₄ = x₁₂ − s₂.
PANELS_KERNEL void panels_sum_quarters(const float *input, long input_stride, long rows, long columns, float *sums) {
    const long size = rows * columns;
    for (long row = 0; row < rows; row++, sums += columns) {
        const float *above = input + row * input_stride, *below = above + rows * input_stride;
        for (long column = 0; column < columns; column += 16) {
            const __mmask16 mask = panels_mask(columns - column);
            const __m512 x11 = _mm512_maskz_loadu_ps(mask, above + column);
            const __m512 x12 = _mm512_maskz_loadu_ps(mask, above + columns + column);
            const __m512 x21 = _mm512_maskz_loadu_ps(mask, below + column);
            const __m512 x22 = _mm512_maskz_loadu_ps(mask, below + columns + column);
            const __m512 s1 = _mm512_add_ps(x21, x22), s2 = _mm512_sub_ps(s1, x11);
            _mm512_mask_storeu_ps(sums + column, mask, s1);
            _mm512_mask_storeu_ps(sums + size + column, mask, s2);
            _mm512_mask_storeu_ps(sums + 2 * size + column, mask, _mm512_sub_ps(x11, x21));
            _mm512_mask_storeu_ps(sums + 3 * size + column, mask, _mm512_sub_ps(x12, s2));
        }
    }
}

// upper_right += right_bias − left_bias; lower_right ← upper_right + (lower_left − common): rows of up to 64 columns.
PANELS_KERNEL void panels_join_quarters(
    const float *common, float *upper_right, const float *lower_left, float *lower_right, long stride, long rows,
    long columns, const float *left_bias, const float *right_bias
) {
    for (long column = 0; column < columns; column += 16) {
        const __mmask16 mask = panels_mask(columns - column);
        __m512 shift = _mm512_setzero_ps();
        if (left_bias) {
            shift = _mm512_sub_ps(
                _mm512_maskz_loadu_ps(mask, right_bias + column), _mm512_maskz_loadu_ps(mask, left_bias + column));
        }
        for (long row = 0; row < rows; row++) {
            const long place = row * stride + column;
            const __m512 upper = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, upper_right + place), shift);
            const __m512 lower = _mm512_sub_ps(
                _mm512_maskz_loadu_ps(mask, lower_left + place),
                _mm512_maskz_loadu_ps(mask, common + row * panels_width + column));
            _mm512_mask_storeu_ps(upper_right + place, mask, upper);
            _mm512_mask_storeu_ps(lower_right + place, mask, _mm512_add_ps(upper, lower));
        }
    }
}

// Like panels_multiply, for even sides and at most panels_quartered_rows rows: seven products of quarters do the work of eight
// (Winograd's form of Strassen's algorithm; Higham, Accuracy and Stability of Numerical Algorithms, §23.1).
//
// `panels` holds, for each 64 outputs of the first half and their 64 partners of the second, the seven panels of inputs / 2
// numbers each; `room` is scratch memory for rows·inputs numbers.
PANELS_KERNEL void panels_multiply_quarters(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride, float *room
) {
    const long half = rows / 2, depth = inputs / 2, width = outputs / 2, size = depth * panels_width;
    const float *below = input + half * input_stride + depth, *single = input + 2 * half * input_stride;
    float common[panels_quartered_rows / 2 * panels_width] __attribute__((aligned(64)));
    const float *s1 = room, *s2 = s1 + half * depth, *s3 = s2 + half * depth, *s4 = s3 + half * depth;
    panels_sum_quarters(input, input_stride, half, depth, room);
    for (long column = 0; column < width; column += panels_width) {
        const bool is_last = width - column <= panels_width;
        const long columns = is_last ? width - column : panels_width;
        const float *panel = panels + column * panels_quarters * depth;
        const float *left_bias = bias ? bias + column : 0, *right_bias = bias ? bias + width + column : 0;
        float *left = target + column, *right = left + width;
        float *lower_left = left + half * target_stride, *lower_right = lower_left + width;
#define PANELS_QUARTER(input, input_stride, name, start, start_stride, target, target_stride, rows) \
    panels_multiply_columns( \
        (struct panels_product){ \
            input, input_stride, panel + (name) * size, panels_width, start, start_stride, target, target_stride, depth, \
            is_last && (name) == panels_t4 ? panel : panel + ((name) + 1) * size}, \
        rows, columns)
        PANELS_QUARTER(input, input_stride, panels_v11, left_bias, 0, common, panels_width, half);
        PANELS_QUARTER(input + depth, input_stride, panels_v21, common, panels_width, left, target_stride, half);
        PANELS_QUARTER(s2, depth, panels_t2, common, panels_width, common, panels_width, half);
        PANELS_QUARTER(s1, depth, panels_t1, common, panels_width, right, target_stride, half);
        PANELS_QUARTER(s3, depth, panels_t3, common, panels_width, lower_left, target_stride, half);
        // All four begin with the bias of the left half.
        panels_join_quarters(
            common, right, lower_left, lower_right, target_stride, half, columns, left_bias, right_bias);
        PANELS_QUARTER(s4, depth, panels_v22, right, target_stride, right, target_stride, half);
        PANELS_QUARTER(below, input_stride, panels_t4, lower_left, target_stride, lower_left, target_stride, half);
        // A row that is left over has no partner; v₁₂ = v₁₁ + t₁.
        left = target + 2 * half * target_stride + column, right = left + width;
        const long rest = rows - 2 * half;
        PANELS_QUARTER(single, input_stride, panels_v11, left_bias, 0, left, target_stride, rest);
        PANELS_QUARTER(single + depth, input_stride, panels_v21, left, target_stride, left, target_stride, rest);
        PANELS_QUARTER(single, input_stride, panels_v11, right_bias, 0, right, target_stride, rest);
        PANELS_QUARTER(single, input_stride, panels_t1, right, target_stride, right, target_stride, rest);
        PANELS_QUARTER(single + depth, input_stride, panels_v22, right, target_stride, right, target_stride, rest);
#undef PANELS_QUARTER
    }
}

// target (columns × rows) ← sourceᵀ, for source (rows × columns).
PANELS_KERNEL void panels_transpose(
    const float *source, long rows, long columns, long source_stride, float *target, long target_stride
) {
    for (long row = 0; row < rows; row += 16) {
        const int tall = rows - row < 16 ? (int)(rows - row) : 16;
        for (long column = 0; column < columns; column += 16) {
            const int wide = columns - column < 16 ? (int)(columns - column) : 16;
            const __mmask16 mask = panels_mask(wide);
            __m512 lines[16], pairs[16], fours[16];
#pragma clang loop unroll(full)
            for (int line = 0; line < 16; line++) {
                lines[line] = line < tall
                    ? _mm512_maskz_loadu_ps(mask, source + (row + line) * source_stride + column) : _mm512_setzero_ps();
            }
#pragma clang loop unroll(full)
            for (int line = 0; line < 16; line += 2) {
                pairs[line] = _mm512_unpacklo_ps(lines[line], lines[line + 1]);
                pairs[line + 1] = _mm512_unpackhi_ps(lines[line], lines[line + 1]);
            }
            // Of each four rows: in lane L of the vector for c, what they have in column 4L + c.
#pragma clang loop unroll(full)
            for (int line = 0; line < 16; line += 4) {
                const __m512d even = _mm512_castps_pd(pairs[line]), odd = _mm512_castps_pd(pairs[line + 1]);
                const __m512d next = _mm512_castps_pd(pairs[line + 2]), last = _mm512_castps_pd(pairs[line + 3]);
                fours[line] = _mm512_castpd_ps(_mm512_unpacklo_pd(even, next));
                fours[line + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(even, next));
                fours[line + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(odd, last));
                fours[line + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(odd, last));
            }
#pragma clang loop unroll(full)
            for (int c = 0; c < 4; c++) {
                const __m512 even = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0x88);
                const __m512 odd = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0xdd);
                const __m512 evenBelow = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0x88);
                const __m512 oddBelow = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0xdd);
                lines[c] = _mm512_shuffle_f32x4(even, evenBelow, 0x88);
                lines[4 + c] = _mm512_shuffle_f32x4(odd, oddBelow, 0x88);
                lines[8 + c] = _mm512_shuffle_f32x4(even, evenBelow, 0xdd);
                lines[12 + c] = _mm512_shuffle_f32x4(odd, oddBelow, 0xdd);
            }
#pragma clang loop unroll(full)
            for (int line = 0; line < 16; line++) {
                if (line >= wide) break;
                _mm512_mask_storeu_ps(
                    target + (column + line) * target_stride + row, panels_mask(tall), lines[line]);
            }
        }
    }
}

#undef PANELS_KERNEL
#undef PANELS_INLINE
#undef PANELS_TARGET
#else
static inline bool panels_are_available(void) { return false; }
static inline void panels_multiply_direct(
    const float *input, long rows, long depth, long input_stride, const float *numbers, long numbers_stride, long columns,
    bool is_added, float *target, long target_stride
) {}
static inline void panels_multiply(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride
) {}
static inline void panels_multiply_quarters(
    const float *input, long rows, long inputs, long input_stride, const float *panels, const float *bias, float *target,
    long outputs, long target_stride, float *room
) {}
static inline void panels_transpose(
    const float *source, long rows, long columns, long source_stride, float *target, long target_stride
) {}
#endif
