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

ORDER_KERNEL void ORDER_NAME(order_add_squares)(
    const float *x, const float *y, long stride, long rows, long columns, double scale, double *sums
) {
    for (long row = 0; row < rows; row++, x += columns) {
        long column = 0;
        for (; column + 16 <= columns; column += 16) {
            for (int lane = 0; lane < 16; lane++) {
                const double step = scale * x[column + lane] - (y ? (double)y[column + lane] : 0);
                sums[lane] += step * step;
            }
        }
        for (int lane = 0; column < columns; column++, lane++) {
            const double step = scale * x[column] - (y ? (double)y[column] : 0);
            sums[lane] += step * step;
        }
        if (y) y += stride;
    }
}

#undef ORDER_KERNEL
