#pragma once
// Products of numbers that are rounded to bfloat16 (to nearest, ties to even) and summed in floats, for processors with
// AVX-512 BF16. One instruction multiplies and adds two pairs in each of 16 sums, so both factors are packed in pairs along
// their common side. Where that side is odd, a zero is added.
#include <stdbool.h>
#include <stdint.h>

// The columns of a panel of the right factor, and the rows of a tile of the left one: 28 sums of 16 floats stay in registers.
enum { bfloat16_panel = 32, bfloat16_tile = 14 };

#if defined(__x86_64__)
#include <immintrin.h>

#define BFLOAT16_TARGET target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"), min_vector_width(512)
#define BFLOAT16_INLINE __attribute__((always_inline, BFLOAT16_TARGET)) static inline
#define BFLOAT16_KERNEL __attribute__((unused, BFLOAT16_TARGET)) static

static inline bool bfloat16_is_available(void) {
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

BFLOAT16_INLINE __mmask16 bfloat16_mask(long count) {
    return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)(0xffff >> (16 - count));
}

// The first `count` numbers from `source` on as 16 pairs, with zeros behind them.
BFLOAT16_INLINE __m512i bfloat16_pairs(const float *source, long count) {
    const __m512 low = _mm512_maskz_loadu_ps(bfloat16_mask(count), source);
    const __m512 high = _mm512_maskz_loadu_ps(bfloat16_mask(count - 16), source + 16);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// Turns 16 rows of 16 pairs into 16 columns: pairs[i] becomes what was pair i of every row.
BFLOAT16_INLINE void bfloat16_turn(__m512i pairs[16]) {
    __m512i half[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 2) {
        half[i] = _mm512_unpacklo_epi32(pairs[i], pairs[i + 1]);
        half[i + 1] = _mm512_unpackhi_epi32(pairs[i], pairs[i + 1]);
    }
    // Of four rows, each quarter of a vector now gets one column.
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i += 4) {
        pairs[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
        pairs[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
        pairs[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
        pairs[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m512i upper = _mm512_shuffle_i32x4(pairs[i], pairs[i + 4], 0x88);
        const __m512i upper_odd = _mm512_shuffle_i32x4(pairs[i], pairs[i + 4], 0xdd);
        const __m512i lower = _mm512_shuffle_i32x4(pairs[i + 8], pairs[i + 12], 0x88);
        const __m512i lower_odd = _mm512_shuffle_i32x4(pairs[i + 8], pairs[i + 12], 0xdd);
        half[i] = _mm512_shuffle_i32x4(upper, lower, 0x88);
        half[i + 8] = _mm512_shuffle_i32x4(upper, lower, 0xdd);
        half[i + 4] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0x88);
        half[i + 12] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0xdd);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) pairs[i] = half[i];
}

// Writes rows (rows × depth) side by side in groups of `width`, at most 32: (groups × pairs × width). Groups are whole: what no
// row fills is zero.
BFLOAT16_INLINE void bfloat16_pack_lines(
    const float *source, long rows, long depth, long stride, uint32_t *target, const long width
) {
    const long pairs = (depth + 1) / 2;
    for (long group = 0; group < rows; group += width) {
        for (long first = 0; first < width; first += 16) {
            const __mmask16 mask = bfloat16_mask(width - first);
            uint32_t *line = target + group * pairs + first;
            for (long pair = 0; pair < pairs; pair += 16) {
                __m512i block[16];
#pragma clang loop unroll(full)
                for (int row = 0; row < 16; row++) {
                    const long place = group + first + row;
                    block[row] = first + row < width && place < rows
                                     ? bfloat16_pairs(source + place * stride + 2 * pair, depth - 2 * pair)
                                     : _mm512_setzero_si512();
                }
                bfloat16_turn(block);
                const long count = pairs - pair < 16 ? pairs - pair : 16;
#pragma clang loop unroll(full)
                for (int column = 0; column < 16; column++) {
                    if (column < count) _mm512_mask_storeu_epi32(line + (pair + column) * width, mask, block[column]);
                }
            }
        }
    }
}

// Packs the left factor (rows × depth) in tiles.
BFLOAT16_KERNEL void bfloat16_pack_tiles(const float *source, long rows, long depth, long stride, void *target) {
    bfloat16_pack_lines(source, rows, depth, stride, (uint32_t *)target, bfloat16_tile);
}

// Packs a weight (outputs × depth) as the right factor of x·weightᵀ, in panels of 32 outputs.
BFLOAT16_KERNEL void bfloat16_pack_transposed(const float *source, long outputs, long depth, long stride, void *target) {
    bfloat16_pack_lines(source, outputs, depth, stride, (uint32_t *)target, bfloat16_panel);
}

// Packs two rows of a weight (depth × columns) as the pair `pair` of `pairs` of the right factor of y·weight. `second` is null
// where the rows end. Columns beyond the last are zeros.
BFLOAT16_KERNEL void bfloat16_pack_pair(
    const float *first, const float *second, long columns, long pair, long pairs, void *target
) {
    const long width = (columns + bfloat16_panel - 1) / bfloat16_panel * bfloat16_panel;
    for (long column = 0; column < width; column += 16) {
        const __mmask16 mask = bfloat16_mask(columns - column);
        const __m512 low = _mm512_maskz_loadu_ps(mask, first + column);
        const __m512 high = second ? _mm512_maskz_loadu_ps(mask, second + column) : _mm512_setzero_ps();
        const __m512i numbers = _mm512_or_si512(
            _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low)),
            _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high)), 16));
        const long panel = column / bfloat16_panel;
        _mm512_storeu_si512(
            (uint32_t *)target + (panel * pairs + pair) * bfloat16_panel + column % bfloat16_panel, numbers);
    }
}

// `tall` rows by the columns of a panel: the sums stay in registers while all pairs go by.
BFLOAT16_INLINE void bfloat16_product(
    const int tall, const uint32_t *rows, const uint32_t *panel, long pairs, float *target, long stride, long columns,
    bool is_added
) {
    const __mmask16 masks[2] = {bfloat16_mask(columns), bfloat16_mask(columns - 16)};
    __m512 sums[bfloat16_tile][2];
#pragma clang loop unroll(full)
    for (int line = 0; line < tall; line++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < 2; part++) {
            sums[line][part] = is_added ? _mm512_maskz_loadu_ps(masks[part], target + line * stride + 16 * part)
                                        : _mm512_setzero_ps();
        }
    }
    for (long pair = 0; pair < pairs; pair++) {
        const __m512bh left = (__m512bh)_mm512_loadu_si512(panel + pair * bfloat16_panel);
        const __m512bh right = (__m512bh)_mm512_loadu_si512(panel + pair * bfloat16_panel + 16);
#pragma clang loop unroll(full)
        for (int line = 0; line < tall; line++) {
            const __m512bh factor = (__m512bh)_mm512_set1_epi32((int)rows[pair * bfloat16_tile + line]);
            sums[line][0] = _mm512_dpbf16_ps(sums[line][0], factor, left);
            sums[line][1] = _mm512_dpbf16_ps(sums[line][1], factor, right);
        }
    }
#pragma clang loop unroll(full)
    for (int line = 0; line < tall; line++) {
#pragma clang loop unroll(full)
        for (int part = 0; part < 2; part++) {
            _mm512_mask_storeu_ps(target + line * stride + 16 * part, masks[part], sums[line][part]);
        }
    }
}

// target (rows × columns) ← tiles·panels, or target + tiles·panels where `is_added`.
BFLOAT16_KERNEL void bfloat16_multiply(
    const void *tiles, long rows, const void *panels, long columns, long depth, bool is_added, float *target, long stride
) {
    const long pairs = (depth + 1) / 2;
    for (long column = 0; column < columns; column += bfloat16_panel) {
        const uint32_t *panel = (const uint32_t *)panels + column * pairs;
        const long width = columns - column;
        for (long row = 0; row < rows; row += bfloat16_tile) {
            const uint32_t *tile = (const uint32_t *)tiles + row * pairs;
            float *sums = target + row * stride + column;
            switch (rows - row) {
            case 1: bfloat16_product(1, tile, panel, pairs, sums, stride, width, is_added); break;
            case 2: bfloat16_product(2, tile, panel, pairs, sums, stride, width, is_added); break;
            case 3: bfloat16_product(3, tile, panel, pairs, sums, stride, width, is_added); break;
            case 4: bfloat16_product(4, tile, panel, pairs, sums, stride, width, is_added); break;
            case 5: bfloat16_product(5, tile, panel, pairs, sums, stride, width, is_added); break;
            case 6: bfloat16_product(6, tile, panel, pairs, sums, stride, width, is_added); break;
            case 7: bfloat16_product(7, tile, panel, pairs, sums, stride, width, is_added); break;
            case 8: bfloat16_product(8, tile, panel, pairs, sums, stride, width, is_added); break;
            case 9: bfloat16_product(9, tile, panel, pairs, sums, stride, width, is_added); break;
            case 10: bfloat16_product(10, tile, panel, pairs, sums, stride, width, is_added); break;
            case 11: bfloat16_product(11, tile, panel, pairs, sums, stride, width, is_added); break;
            case 12: bfloat16_product(12, tile, panel, pairs, sums, stride, width, is_added); break;
            case 13: bfloat16_product(13, tile, panel, pairs, sums, stride, width, is_added); break;
            default: bfloat16_product(14, tile, panel, pairs, sums, stride, width, is_added); break;
            }
        }
    }
}

#undef BFLOAT16_TARGET
#undef BFLOAT16_INLINE
#undef BFLOAT16_KERNEL
#else

static inline bool bfloat16_is_available(void) { return false; }
static inline void bfloat16_pack_tiles(const float *source, long rows, long depth, long stride, void *target) {}
static inline void bfloat16_pack_transposed(const float *source, long outputs, long depth, long stride, void *target) {}
static inline void bfloat16_pack_pair(
    const float *first, const float *second, long columns, long pair, long pairs, void *target
) {}
static inline void bfloat16_multiply(
    const void *tiles, long rows, const void *panels, long columns, long depth, bool is_added, float *target, long stride
) {}

#endif
