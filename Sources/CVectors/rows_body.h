// The kernels of rows.h for one vector width: ROWS_LANES floats on ROWS_TARGET; ROWS_NAME makes their names.
#define ROWS_INLINE __attribute__((always_inline ROWS_TARGET)) static inline
#define ROWS_KERNEL __attribute__((unused ROWS_TARGET)) static

#define rows_vector ROWS_NAME(rows_vector)
#define rows_integers ROWS_NAME(rows_integers)

typedef float rows_vector __attribute__((vector_size(4 * ROWS_LANES)));
typedef int rows_integers __attribute__((vector_size(4 * ROWS_LANES)));

#pragma clang fp contract(fast)

#if ROWS_LANES == 16
// A copy of a few numbers by way of memory takes longer than all that is done with them.
ROWS_INLINE rows_vector ROWS_NAME(rows_load)(const float *numbers, long count, float filler) {
    const __mmask16 mask = count < 16 ? (__mmask16)(0xffff >> (16 - count)) : 0xffff;
    return _mm512_mask_loadu_ps(_mm512_set1_ps(filler), mask, numbers);
}

ROWS_INLINE void ROWS_NAME(rows_store)(float *numbers, rows_vector vector, long count) {
    _mm512_mask_storeu_ps(numbers, count < 16 ? (__mmask16)(0xffff >> (16 - count)) : 0xffff, vector);
}

// To 2⁻²⁷: a step of Newton's from 14 bits takes less than a division.
ROWS_INLINE rows_vector ROWS_NAME(rows_reciprocal)(rows_vector x) {
    const rows_vector guess = _mm512_rcp14_ps(x);
    return guess * (2.0f - x * guess);
}
#else
ROWS_INLINE rows_vector ROWS_NAME(rows_load)(const float *numbers, long count, float filler) {
    rows_vector vector = filler - (rows_vector){};
    memcpy(&vector, numbers, (count < ROWS_LANES ? count : ROWS_LANES) * sizeof(float));
    return vector;
}

ROWS_INLINE void ROWS_NAME(rows_store)(float *numbers, rows_vector vector, long count) {
    memcpy(numbers, &vector, (count < ROWS_LANES ? count : ROWS_LANES) * sizeof(float));
}

ROWS_INLINE rows_vector ROWS_NAME(rows_reciprocal)(rows_vector x) { return 1.0f / x; }
#endif

ROWS_INLINE float ROWS_NAME(rows_sum)(rows_vector vector) {
#pragma clang loop unroll(full)
    for (int half = ROWS_LANES / 2; half > 0; half /= 2) {
#pragma clang loop unroll(full)
        for (int index = 0; index < half; index++) vector[index] += vector[index + half];
    }
    return vector[0];
}

ROWS_INLINE float ROWS_NAME(rows_highest)(rows_vector vector) {
#pragma clang loop unroll(full)
    for (int half = ROWS_LANES / 2; half > 0; half /= 2) {
#pragma clang loop unroll(full)
        for (int index = 0; index < half; index++) {
            vector[index] = vector[index] > vector[index + half] ? vector[index] : vector[index + half];
        }
    }
    return vector[0];
}

// eˣ for x ≤ 0, with a relative error below 2e-7; x below −87 counts as −87 (Cephes: eˣ = 2ⁿ·eʳ with |r| ≤ ln 2 / 2).
ROWS_INLINE rows_vector ROWS_NAME(rows_exp)(rows_vector x) {
    // Adding 1.5·2²³ leaves n in the low bits.
    const float magic = 12582912.0f;
    x = __builtin_elementwise_max(x, -87.0f - (rows_vector){});
    const rows_vector shifted = x * 1.44269504f + magic;
    const rows_vector n = shifted - magic;
    const rows_vector r = (x - n * 0.693359375f) + n * 2.1219444e-4f;
    rows_vector sum = r * 1.98756915e-4f + 1.39819995e-3f;
    sum = sum * r + 8.3334519e-3f;
    sum = sum * r + 4.1665796e-2f;
    sum = sum * r + 1.66666655e-1f;
    sum = sum * r + 5.0000001e-1f;
    sum = sum * (r * r) + r + 1.0f;
#if ROWS_LANES == 16
    return _mm512_scalef_ps(sum, n);
#else
    return sum * (rows_vector)(((rows_integers)shifted - 0x4B400000 + 127) << 23);
#endif
}

// x·Φ(x) to 3e-7; Φ from erfc(z) = e^(−z²)·t·P(t) with t = 1/(1 + 0.4·z), P fitted for z ≥ 0.
ROWS_INLINE rows_vector ROWS_NAME(rows_gelu_of)(rows_vector x) {
    const rows_vector z = __builtin_elementwise_abs(x) * 0.70710678f;
    const rows_vector t = ROWS_NAME(rows_reciprocal)(z * 0.4f + 1.0f);
    rows_vector sum = t * -0.20025633f + 0.70913571f;
    sum = sum * t - 0.37088955f;
    sum = sum * t + 0.46825972f;
    sum = sum * t + 0.1618292f;
    sum = sum * t + 0.23192122f;
    const rows_vector tail = sum * t * ROWS_NAME(rows_exp)(-(z * z)) * 0.5f;
    return __builtin_elementwise_max(x, (rows_vector){}) - __builtin_elementwise_abs(x) * tail;
}

ROWS_KERNEL void ROWS_NAME(rows_gelu)(float *values, long rows, long columns, long stride, const float *bias) {
    for (long row = 0; row < rows; row++, values += stride) {
        for (long column = 0; column < columns; column += ROWS_LANES) {
            const long count = columns - column;
            if (count >= ROWS_LANES) {
                const rows_vector x = ROWS_NAME(rows_load)(values + column, ROWS_LANES, 0) +
                                      ROWS_NAME(rows_load)(bias + column, ROWS_LANES, 0);
                ROWS_NAME(rows_store)(values + column, ROWS_NAME(rows_gelu_of)(x), ROWS_LANES);
            } else {
                const rows_vector x =
                    ROWS_NAME(rows_load)(values + column, count, 0) + ROWS_NAME(rows_load)(bias + column, count, 0);
                ROWS_NAME(rows_store)(values + column, ROWS_NAME(rows_gelu_of)(x), count);
            }
        }
    }
}

ROWS_KERNEL void ROWS_NAME(rows_softmax)(float *values, long rows, long columns, long stride, float scale) {
    const long whole = columns & ~(ROWS_LANES - 1L), rest = columns - whole;
    for (long row = 0; row < rows; row++, values += stride) {
        // What stands behind the last column is so low that its power is nothing.
        rows_vector tail = -3.4028235e38f - (rows_vector){};
        if (rest > 0) tail = ROWS_NAME(rows_load)(values + whole, rest, -3.4028235e38f);
        rows_vector highest = tail;
        for (long column = 0; column < whole; column += ROWS_LANES) {
            highest = __builtin_elementwise_max(highest, ROWS_NAME(rows_load)(values + column, ROWS_LANES, 0));
        }
        const float top = ROWS_NAME(rows_highest)(highest);
        tail = ROWS_NAME(rows_exp)((tail - top) * scale);
        rows_vector sums = tail;
        for (long column = 0; column < whole; column += ROWS_LANES) {
            const rows_vector power =
                ROWS_NAME(rows_exp)((ROWS_NAME(rows_load)(values + column, ROWS_LANES, 0) - top) * scale);
            ROWS_NAME(rows_store)(values + column, power, ROWS_LANES);
            sums += power;
        }
        const float share = 1.0f / ROWS_NAME(rows_sum)(sums);
        for (long column = 0; column < whole; column += ROWS_LANES) {
            const rows_vector power = ROWS_NAME(rows_load)(values + column, ROWS_LANES, 0);
            ROWS_NAME(rows_store)(values + column, power * share, ROWS_LANES);
        }
        if (rest > 0) ROWS_NAME(rows_store)(values + whole, tail * share, rest);
    }
}

ROWS_KERNEL void ROWS_NAME(rows_normalise)(
    float *target, const float *bias, const float *residual, const float *gain, const float *shift, float epsilon, long rows,
    long columns
) {
    const long whole = columns & ~(ROWS_LANES - 1L);
    for (long row = 0; row < rows; row++, target += columns) {
        rows_vector sums = {};
        for (long column = 0; column < whole; column += ROWS_LANES) {
            rows_vector value = ROWS_NAME(rows_load)(target + column, ROWS_LANES, 0);
            if (bias) value += ROWS_NAME(rows_load)(bias + column, ROWS_LANES, 0);
            if (residual) value += ROWS_NAME(rows_load)(residual + column, ROWS_LANES, 0);
            ROWS_NAME(rows_store)(target + column, value, ROWS_LANES);
            sums += value;
        }
        float sum = ROWS_NAME(rows_sum)(sums);
        for (long column = whole; column < columns; column++) {
            target[column] += (bias ? bias[column] : 0) + (residual ? residual[column] : 0);
            sum += target[column];
        }
        const float mean = sum / columns;
        rows_vector squares = {};
        for (long column = 0; column < whole; column += ROWS_LANES) {
            const rows_vector value = ROWS_NAME(rows_load)(target + column, ROWS_LANES, 0) - mean;
            squares += value * value;
        }
        float square = ROWS_NAME(rows_sum)(squares);
        for (long column = whole; column < columns; column++) square += (target[column] - mean) * (target[column] - mean);
        const float scale = 1.0f / __builtin_sqrtf(square / columns + epsilon);
        for (long column = 0; column < whole; column += ROWS_LANES) {
            const rows_vector value = (ROWS_NAME(rows_load)(target + column, ROWS_LANES, 0) - mean) * scale;
            ROWS_NAME(rows_store)(
                target + column,
                value * ROWS_NAME(rows_load)(gain + column, ROWS_LANES, 0) + ROWS_NAME(rows_load)(shift + column, ROWS_LANES, 0), ROWS_LANES);
        }
        for (long column = whole; column < columns; column++) {
            target[column] = (target[column] - mean) * scale * gain[column] + shift[column];
        }
        if (residual) residual += columns;
    }
}

#undef rows_vector
#undef rows_integers
#undef ROWS_INLINE
#undef ROWS_KERNEL
