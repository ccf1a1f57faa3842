// Compares the C kernels of CVectors with plain computations in double, on the processor that it is compiled for.
// Prints one line for each kernel with the largest error, and fails where one is above its tolerance.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bfloat16.h"
#include "exact.h"
#include "panels.h"
#include "rows.h"
#include "shim.h"

static int failures;

static void report(const char *kernel, double error, double tolerance) {
    const bool holds = error <= tolerance;
    printf("%s\t%.2g\t(at most %.2g)%s\n", kernel, error, tolerance, holds ? "" : "\tTOO LARGE");
    if (!holds) failures++;
}

static void expect(const char *what, bool holds) {
    printf("%s\t%s\n", what, holds ? "yes" : "NO");
    if (!holds) failures++;
}

// Repeatable numbers in −1…1.
static double random_number(void) {
    static uint64_t state = 7;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)state / 0x1p63;
}

static double larger(double left, double right) { return left > right || isnan(left) ? left : right; }

// Columns that fill no vector, one, some, and some with a rest.
static const long widths[] = {1, 3, 4, 7, 16, 29, 64, 100};
enum { rows = 5, cases = sizeof widths / sizeof *widths, room = rows * 128 };

static void check_gelu(enum rows_width width) {
    double error = 0;
    for (int place = 0; place < cases; place++) {
        const long columns = widths[place], stride = columns + 3;
        float values[room], before[room], bias[128];
        for (long index = 0; index < rows * stride; index++) values[index] = before[index] = (float)(8 * random_number());
        for (long index = 0; index < columns; index++) bias[index] = (float)random_number();
        rows_gelu(width, values, rows, columns, stride, bias);
        for (long row = 0; row < rows; row++) {
            for (long column = 0; column < columns; column++) {
                const double x = before[row * stride + column] + bias[column];
                error = larger(error, fabs(values[row * stride + column] - x * 0.5 * erfc(-x * M_SQRT1_2)));
            }
            for (long column = columns; column < stride; column++) {
                error = larger(error, fabs(values[row * stride + column] - before[row * stride + column]));
            }
        }
    }
    // Inputs up to 9 have a unit in the last place of 1e-6.
    report("gelu", error, 1e-6);
}

static void check_softmax(enum rows_width width) {
    double error = 0;
    for (int place = 0; place < cases; place++) {
        const long columns = widths[place], stride = columns + 2;
        float values[room], before[room];
        for (long index = 0; index < rows * stride; index++) values[index] = before[index] = (float)(20 * random_number());
        rows_softmax(width, values, rows, columns, stride, 0.125f);
        for (long row = 0; row < rows; row++) {
            double sum = 0;
            for (long column = 0; column < columns; column++) sum += exp(0.125 * before[row * stride + column]);
            for (long column = 0; column < columns; column++) {
                const double exact = exp(0.125 * before[row * stride + column]) / sum;
                error = larger(error, fabs(values[row * stride + column] - exact) / exact);
            }
        }
    }
    report("softmax", error, 1e-6);
}

static void check_normalise(enum rows_width width) {
    double error = 0;
    for (int place = 0; place < cases; place++) {
        const long columns = widths[place];
        for (int parts = 0; parts < 4; parts++) {
            float values[room], before[room], residual[room], bias[128], gain[128], shift[128];
            for (long index = 0; index < rows * columns; index++) {
                values[index] = before[index] = (float)random_number();
                residual[index] = (float)random_number();
            }
            for (long index = 0; index < columns; index++) {
                bias[index] = (float)random_number();
                gain[index] = (float)random_number();
                shift[index] = (float)random_number();
            }
            rows_normalise(
                width, values, parts & 1 ? bias : 0, parts & 2 ? residual : 0, gain, shift, 1e-3f, rows, columns);
            for (long row = 0; row < rows; row++) {
                double terms[128], mean = 0, square = 0;
                for (long column = 0; column < columns; column++) {
                    terms[column] = before[row * columns + column] + (parts & 1 ? bias[column] : 0) +
                                    (parts & 2 ? residual[row * columns + column] : 0);
                    mean += terms[column] / columns;
                }
                for (long column = 0; column < columns; column++) {
                    square += (terms[column] - mean) * (terms[column] - mean) / columns;
                }
                for (long column = 0; column < columns; column++) {
                    const double exact = (terms[column] - mean) / sqrt(square + 1e-3) * gain[column] + shift[column];
                    error = larger(error, fabs(values[row * columns + column] - exact));
                }
            }
        }
    }
    report("normalise", error, 4e-6);
}

int main(void) {
    for (enum rows_width width = rows_oldest; width <= rows_widest(); width++) {
        printf("vectors of %s\n", width == rows_oldest ? "4" : width == rows_avx2 ? "8" : "16");
        check_gelu(width);
        check_softmax(width);
        check_normalise(width);
    }
#if !defined(__x86_64__)
    // Swift asks these before it calls a kernel that is for x86-64 alone.
    expect("the sums of AVX2 say that they are absent", !vectors_are_available());
    expect("products in bfloat16 say that they are absent", !bfloat16_is_available());
    expect("the panels of AVX-512 say that they are absent", !panels_are_available());
    int64_t high = 0, low = 0;
    const float number = 1;
    expect("an exact sum says that it was not made",
           !vectors_add_exactly(vectors_float32, &high, &low, 1, &number, 4, 1, 1, 1, 4, 1) && high == 0 && low == 0);
#endif
    printf(failures ? "%d failures\n" : "all hold\n", failures);
    return failures ? 1 : 0;
}
