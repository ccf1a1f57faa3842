#pragma once
// Sorted values of many columns at a time, for processors with AVX2; Swift compiles for the oldest x86-64 and cannot choose at
// run time. Both forms do the same operations, so they give the same bytes.
#include <stdbool.h>

// The columns that are sorted together.
#define ORDER_LANES 32

#define ORDER_TARGET
#define ORDER_NAME(name) name##_baseline
#include "order_body.h"
#undef ORDER_TARGET
#undef ORDER_NAME

#if defined(__x86_64__)
#define ORDER_TARGET , target("avx2")
#define ORDER_NAME(name) name##_eight
#include "order_body.h"
#undef ORDER_TARGET
#undef ORDER_NAME
#endif

// Sorts every column of `values` (count × ORDER_LANES) and writes the mean of its places first ..< end.
static inline void order_mean_of_middle(
    bool eight, float *values, long count, long first, long end, float *target
) {
#if defined(__x86_64__)
    if (eight) return order_mean_of_middle_eight(values, count, first, end, target);
#endif
    order_mean_of_middle_baseline(values, count, first, end, target);
}

// Adds the squares of scale·x − y to 16 sums, place by place: x (rows × columns), y (rows of `stride` numbers, of which the
// first `columns` count). `y` may be null, for zeros.
static inline void order_add_squares(
    bool eight, const float *x, const float *y, long stride, long rows, long columns, double scale, double *sums
) {
#if defined(__x86_64__)
    if (eight) return order_add_squares_eight(x, y, stride, rows, columns, scale, sums);
#endif
    order_add_squares_baseline(x, y, stride, rows, columns, scale, sums);
}
