#pragma once
// Sums in fixed point, for processors with AVX2 and F16C. A term y = factor·x is rounded once and added as an integer, so sums are
// the same in any order. `factor` has 2²⁴ in it, so a unit of the high plane is 1; the low plane counts 2⁻⁴⁰ of it, with a sign.
#include "shim.h"

#if defined(__x86_64__)
#pragma clang fp contract(off)

#define EXACT_INLINE __attribute__((always_inline, target("avx2,f16c"))) static inline
#define EXACT_KERNEL __attribute__((target("avx2,f16c"))) static inline

// Adding 1.5·2⁵² leaves a number's nearest integer in the low bits, for numbers below 2⁵¹.
static const double exact_magic = 0x1.8p52;
static const int64_t exact_magic_bits = 0x4338000000000000;

struct exact_sums {
    __m256i high, low;
    // Has bits from 2^(bits + 1) on where a term is not within ±2^bits.
    __m256i outside;
};

// Adds four terms.
EXACT_INLINE void exact_add_four(struct exact_sums *sums, __m128 numbers, __m256d factor, __m256i window) {
    const __m256d magic = _mm256_set1_pd(exact_magic);
    const __m256i bits = _mm256_set1_epi64x(exact_magic_bits);
    const __m256d term = _mm256_mul_pd(_mm256_cvtps_pd(numbers), factor);
    const __m256d shifted = _mm256_add_pd(term, magic);
    const __m256d rest = _mm256_sub_pd(term, _mm256_sub_pd(shifted, magic));
    const __m256d fine = _mm256_add_pd(_mm256_mul_pd(rest, _mm256_set1_pd(0x1p40)), magic);
    const __m256i whole = _mm256_castpd_si256(shifted);
    sums->outside = _mm256_or_si256(sums->outside, _mm256_sub_epi64(whole, window));
    sums->high = _mm256_add_epi64(sums->high, _mm256_sub_epi64(whole, bits));
    sums->low = _mm256_add_epi64(sums->low, _mm256_sub_epi64(_mm256_castpd_si256(fine), bits));
}

// Adds up to eight terms one by one; false where one is not within ±limit.
EXACT_KERNEL bool exact_add_some(
    int64_t *high, int64_t *low, __m256 numbers, long count, double factor, double limit
) {
    float values[8];
    _mm256_storeu_ps(values, numbers);
    for (long index = 0; index < count; index++) {
        const double term = (double)values[index] * factor;
        if (!(__builtin_fabs(term) < limit)) return false;
        const double whole = __builtin_rint(term);
        high[index] += (int64_t)whole;
        low[index] += (int64_t)__builtin_rint((term - whole) * 0x1p40);
    }
    return true;
}

EXACT_INLINE bool exact_add_block(
    enum vectors_storage storage, int64_t *high, int64_t *low, long width, const char *numbers, long stride, long rows,
    long columns, double factor, double limit, int bits
) {
    const long size = storage == vectors_float32 ? 4 : 2;
    const __m256d factors = _mm256_set1_pd(factor);
    const __m256i window = _mm256_set1_epi64x(exact_magic_bits - ((int64_t)1 << bits));
    const __m256i mask = _mm256_set1_epi64x(-((int64_t)1 << (bits + 1)));
    for (long row = 0; row < rows; row++, high += width, low += width, numbers += stride) {
        long column = 0;
        for (; column + 8 <= columns; column += 8) {
            const __m256 eight = vectors_load(storage, numbers + column * size);
            __m256i *const high_place = (__m256i *)(high + column), *const low_place = (__m256i *)(low + column);
            struct exact_sums first = {
                _mm256_loadu_si256(high_place), _mm256_loadu_si256(low_place), _mm256_setzero_si256()};
            struct exact_sums second = {
                _mm256_loadu_si256(high_place + 1), _mm256_loadu_si256(low_place + 1), _mm256_setzero_si256()};
            exact_add_four(&first, _mm256_castps256_ps128(eight), factors, window);
            exact_add_four(&second, _mm256_extractf128_ps(eight, 1), factors, window);
            if (__builtin_expect(!_mm256_testz_si256(_mm256_or_si256(first.outside, second.outside), mask), 0)) {
                if (!exact_add_some(high + column, low + column, eight, 8, factor, limit)) return false;
                continue;
            }
            _mm256_storeu_si256(high_place, first.high);
            _mm256_storeu_si256(high_place + 1, second.high);
            _mm256_storeu_si256(low_place, first.low);
            _mm256_storeu_si256(low_place + 1, second.low);
        }
        if (column + 4 <= columns) {
            const __m128 four = storage == vectors_float32
                ? _mm_loadu_ps((const float *)(numbers + column * size))
                : _mm256_castps256_ps128(
                      vectors_widened(storage, _mm_loadl_epi64((const __m128i *)(numbers + column * size))));
            __m256i *const high_place = (__m256i *)(high + column), *const low_place = (__m256i *)(low + column);
            struct exact_sums sums = {
                _mm256_loadu_si256(high_place), _mm256_loadu_si256(low_place), _mm256_setzero_si256()};
            exact_add_four(&sums, four, factors, window);
            if (__builtin_expect(!_mm256_testz_si256(sums.outside, mask), 0)) {
                if (!exact_add_some(high + column, low + column, _mm256_castps128_ps256(four), 4, factor, limit)) {
                    return false;
                }
            } else {
                _mm256_storeu_si256(high_place, sums.high);
                _mm256_storeu_si256(low_place, sums.low);
            }
            column += 4;
        }
        if (column < columns) {
            const __m256 some = vectors_load_some(storage, numbers + column * size, columns - column);
            if (!exact_add_some(high + column, low + column, some, columns - column, factor, limit)) return false;
        }
    }
    return true;
}

// high, low (rows × columns, `width` apart) += factor·numbers (rows × columns, `stride` bytes apart).
//
// False where a term is not within ±limit; the sums are then spoilt. `limit` is at least 2^bits and at most 2⁶², and `bits` at
// most 50; terms within ±2^bits take the fast way.
EXACT_KERNEL bool vectors_add_exactly(
    enum vectors_storage storage, int64_t *high, int64_t *low, long width, const void *numbers, long stride, long rows,
    long columns, double factor, double limit, int bits
) {
    switch (storage) {
    case vectors_float32:
        return exact_add_block(
            vectors_float32, high, low, width, numbers, stride, rows, columns, factor, limit, bits);
    case vectors_float16:
        return exact_add_block(
            vectors_float16, high, low, width, numbers, stride, rows, columns, factor, limit, bits);
    case vectors_bfloat16:
        return exact_add_block(
            vectors_bfloat16, high, low, width, numbers, stride, rows, columns, factor, limit, bits);
    }
    return false;
}

#undef EXACT_INLINE
#undef EXACT_KERNEL
#else

// Elsewhere the compiler's own vectors are the processor's.
static inline bool vectors_add_exactly(
    enum vectors_storage storage, int64_t *high, int64_t *low, long width, const void *numbers, long stride, long rows,
    long columns, double factor, double limit, int bits
) {
    return false;
}

#endif
