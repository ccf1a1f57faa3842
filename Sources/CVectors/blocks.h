#pragma once
// Widens the block types of GGUF files to floats, compiled for every vector width of x86-64: Swift compiles for the oldest
// width and cannot choose at run time. A product is rounded before a sum (no FMA), so every width gives the same bits.
#include <stdint.h>
#include <string.h>

#include "rows.h"

// The numbers of the types in GGUF files.
enum blocks_type {
    blocks_type_f32 = 0, blocks_type_f16 = 1, blocks_type_q4_0 = 2, blocks_type_q4_1 = 3, blocks_type_q5_0 = 6,
    blocks_type_q5_1 = 7, blocks_type_q8_0 = 8, blocks_type_q2_k = 10, blocks_type_q3_k = 11, blocks_type_q4_k = 12,
    blocks_type_q5_k = 13, blocks_type_q6_k = 14, blocks_type_q8_k = 15, blocks_type_bf16 = 30
};

// The half at any address. Exact for subnormal halves too: the multiplication moves the exponent.
static inline float blocks_half(const uint8_t *place) {
    uint16_t half;
    memcpy(&half, place, 2);
    const uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float scaled;
    memcpy(&scaled, &magnitude, 4);
    scaled *= 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &scaled, 4);
    bits |= (magnitude >= 0x0f800000 ? 0x7f800000 : 0) | (uint32_t)(half & 0x8000) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

struct blocks_pair {
    int scale, minimum;
};

// The scale and minimum of 32 values in Q4_K and Q5_K, six bits each.
static inline struct blocks_pair blocks_six_bits(const uint8_t *packed, int part) {
    struct blocks_pair pair;
    if (part < 4) {
        pair.scale = packed[part] & 63;
        pair.minimum = packed[part + 4] & 63;
    } else {
        pair.scale = (packed[part + 4] & 15) | (packed[part - 4] >> 6) << 4;
        pair.minimum = packed[part + 4] >> 4 | (packed[part] >> 6) << 4;
    }
    return pair;
}

// BLOCKS_HALVES: whether the processors have instructions for halves. Those with AVX2 do.
#define BLOCKS_HALVES 0
#define BLOCKS_TARGET
#define BLOCKS_NAME(name) name##_oldest
#include "blocks_body.h"
#undef BLOCKS_HALVES
#undef BLOCKS_TARGET
#undef BLOCKS_NAME

#if defined(__x86_64__)
#define BLOCKS_HALVES 1
#define BLOCKS_TARGET , target("avx2,f16c")
#define BLOCKS_NAME(name) name##_avx2
#include "blocks_body.h"
#undef BLOCKS_TARGET
#undef BLOCKS_NAME

#define BLOCKS_TARGET , target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c"), min_vector_width(512)
#define BLOCKS_NAME(name) name##_avx512
#include "blocks_body.h"
#undef BLOCKS_HALVES
#undef BLOCKS_TARGET
#undef BLOCKS_NAME
#endif

// target ← the numbers of `count` blocks, at any alignment. A number of F32, F16 or BF16 is a block.
static inline void blocks_read(
    enum rows_width width, enum blocks_type type, const void *source, float *target, long count
) {
#if defined(__x86_64__)
    switch (width) {
    case rows_avx512: blocks_read_avx512(type, (const uint8_t *)source, target, count); return;
    case rows_avx2: blocks_read_avx2(type, (const uint8_t *)source, target, count); return;
    case rows_oldest: break;
    }
#endif
    blocks_read_oldest(type, (const uint8_t *)source, target, count);
}
