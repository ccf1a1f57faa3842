// The kernels of order.h for one processor: ORDER_TARGET, with ORDER_NAME for their names.
#define ORDER_KERNEL __attribute__((unused ORDER_TARGET)) static

#pragma clang fp contract(off)

// The columns of two rows in ascending order.
__attribute__((always_inline ORDER_TARGET)) static inline void ORDER_NAME(order_exchange)(
    float *restrict lower, float *restrict higher
) {
#pragma clang loop vectorize(enable)
    for (int lane = 0; lane < ORDER_LANES; lane++) {
        const float one = lower[lane], other = higher[lane];
        lower[lane] = one < other ? one : other;
        higher[lane] = one < other ? other : one;
    }
}

// Merge exchange (Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M): the comparisons depend on the count
// alone, and there are count·log²(count)/4 of them.
ORDER_KERNEL void ORDER_NAME(order_mean_of_middle)(float *values, long count, long first, long end, float *target) {
    long top = 1;
    while (top < count) top *= 2;
    for (long p = top / 2; p > 0; p /= 2) {
        long r = 0, d = p;
        for (long q = top / 2;; q /= 2) {
            for (long i = 0; i < count - d; i++) {
                if ((i & p) == r) ORDER_NAME(order_exchange)(values + i * ORDER_LANES, values + (i + d) * ORDER_LANES);
            }
            if (q == p) break;
            d = q - p;
            r = p;
        }
    }
    double sums[ORDER_LANES] = {0};
    for (long i = first; i < end; i++) {
        const float *row = values + i * ORDER_LANES;
        for (int lane = 0; lane < ORDER_LANES; lane++) sums[lane] += row[lane];
    }
    for (int lane = 0; lane < ORDER_LANES; lane++) target[lane] = (float)(sums[lane] / (double)(end - first));
}

// Eight doubles: one or two registers, or four.
typedef double ORDER_NAME(order_eight) __attribute__((vector_size(64), aligned(8)));
typedef float ORDER_NAME(order_floats) __attribute__((vector_size(32), aligned(4)));
#define order_eight ORDER_NAME(order_eight)
#define order_floats ORDER_NAME(order_floats)

// Adds the squares of eight numbers' differences, by reference: baseline calls have no registers of this width.
__attribute__((always_inline ORDER_TARGET)) static inline void ORDER_NAME(order_add_eight)(
    const float *x, const float *y, double scale, order_eight *sum
) {
    order_eight step = scale * __builtin_convertvector(*(const order_floats *)x, order_eight);
    if (y) step -= __builtin_convertvector(*(const order_floats *)y, order_eight);
    *sum += step * step;
}

__attribute__((always_inline ORDER_TARGET)) static inline void ORDER_NAME(order_add_squares_of)(
    const float *x, const float *y, long stride, long rows, long columns, double scale, double *sums
) {
    order_eight low, high;
    __builtin_memcpy(&low, sums, sizeof low);
    __builtin_memcpy(&high, sums + 8, sizeof high);
    const long rest = columns & 7;
    for (long row = 0; row < rows; row++, x += columns) {
        long column = 0;
        for (; column + 16 <= columns; column += 16) {
            ORDER_NAME(order_add_eight)(x + column, y ? y + column : y, scale, &low);
            ORDER_NAME(order_add_eight)(x + column + 8, y ? y + column + 8 : y, scale, &high);
        }
        for (; column + 8 <= columns; column += 8) {
            ORDER_NAME(order_add_eight)(x + column, y ? y + column : y, scale, &low);
        }
        if (rest > 0) {
            float some[8] = {0}, others[8] = {0};
            if (rest == 4) {
                __builtin_memcpy(some, x + column, 16);
                if (y) __builtin_memcpy(others, y + column, 16);
            } else {
                for (long lane = 0; lane < rest; lane++) some[lane] = x[column + lane];
                for (long lane = 0; y && lane < rest; lane++) others[lane] = y[column + lane];
            }
            ORDER_NAME(order_add_eight)(some, others, scale, &low);
        }
        if (y) y += stride;
    }
    __builtin_memcpy(sums, &low, sizeof low);
    __builtin_memcpy(sums + 8, &high, sizeof high);
}

ORDER_KERNEL void ORDER_NAME(order_add_squares)(
    const float *x, const float *y, long stride, long rows, long columns, double scale, double *sums
) {
    if (y) return ORDER_NAME(order_add_squares_of)(x, y, stride, rows, columns, scale, sums);
    ORDER_NAME(order_add_squares_of)(x, 0, stride, rows, columns, scale, sums);
}

#undef order_eight
#undef order_floats
#undef ORDER_KERNEL
