// The kernels of blocks.h, compiled for BLOCKS_TARGET; BLOCKS_NAME makes their names. All loops have constant bounds, so that
// the compiler vectorises them.
#define BLOCKS_KERNEL __attribute__((unused BLOCKS_TARGET)) static

#pragma clang fp contract(off)

BLOCKS_KERNEL void BLOCKS_NAME(blocks_f16)(const uint8_t *restrict source, float *restrict target, long count) {
    long index = 0;
#if BLOCKS_HALVES
    for (; index + 8 <= count; index += 8) {
        _mm256_storeu_ps(target + index, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(source + 2 * index))));
    }
#endif
    for (; index < count; index++) target[index] = blocks_half(source + 2 * index);
}

BLOCKS_KERNEL void BLOCKS_NAME(blocks_bf16)(const uint8_t *restrict source, float *restrict target, long count) {
    for (long index = 0; index < count; index++) {
        uint16_t half;
        memcpy(&half, source + 2 * index, 2);
        const uint32_t bits = (uint32_t)half << 16;
        memcpy(target + index, &bits, 4);
    }
}

// d, 16 bytes: value i in the low half of byte i, value 16 + i in the high half.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q4_0)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 18, target += 32) {
        const float d = blocks_half(block);
        const uint8_t *codes = block + 2;
        int8_t values[32];
        for (int i = 0; i < 16; i++) values[i] = (int8_t)((codes[i] & 15) - 8);
        for (int i = 0; i < 16; i++) values[16 + i] = (int8_t)((codes[i] >> 4) - 8);
        for (int i = 0; i < 32; i++) target[i] = d * (float)values[i];
    }
}

// d, m, 16 bytes as in Q4_0.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q4_1)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 20, target += 32) {
        const float d = blocks_half(block), m = blocks_half(block + 2);
        const uint8_t *codes = block + 4;
        int8_t values[32];
        for (int i = 0; i < 16; i++) values[i] = (int8_t)(codes[i] & 15);
        for (int i = 0; i < 16; i++) values[16 + i] = (int8_t)(codes[i] >> 4);
        for (int i = 0; i < 32; i++) target[i] = d * (float)values[i] + m;
    }
}

// d, 32 fifth bits, 16 bytes as in Q4_0.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q5_0)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 22, target += 32) {
        const float d = blocks_half(block);
        uint32_t fifth;
        memcpy(&fifth, block + 2, 4);
        const uint8_t *codes = block + 6;
        for (int i = 0; i < 16; i++) target[i] = d * (float)((int)((codes[i] & 15) | (fifth >> i & 1) << 4) - 16);
        for (int i = 0; i < 16; i++) target[16 + i] = d * (float)((int)(codes[i] >> 4 | (fifth >> (16 + i) & 1) << 4) - 16);
    }
}

// d, m, 32 fifth bits, 16 bytes as in Q4_0.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q5_1)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 24, target += 32) {
        const float d = blocks_half(block), m = blocks_half(block + 2);
        uint32_t fifth;
        memcpy(&fifth, block + 4, 4);
        const uint8_t *codes = block + 8;
        for (int i = 0; i < 16; i++) target[i] = d * (float)(int)((codes[i] & 15) | (fifth >> i & 1) << 4) + m;
        for (int i = 0; i < 16; i++) target[16 + i] = d * (float)(int)(codes[i] >> 4 | (fifth >> (16 + i) & 1) << 4) + m;
    }
}

// d, 32 signed bytes.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q8_0)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 34, target += 32) {
        const float d = blocks_half(block);
        const int8_t *codes = (const int8_t *)(block + 2);
        for (int i = 0; i < 32; i++) target[i] = d * (float)codes[i];
    }
}

// 16 bytes with a scale (low half) and a minimum (high half) of 16 values each, 64 bytes of 2-bit codes, d, dmin.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q2_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 84) {
        const float d = blocks_half(block + 80), least = blocks_half(block + 82);
        const uint8_t *scale = block, *codes = block + 16;
        for (int half = 0; half < 2; half++, codes += 32) {
            for (int shift = 0; shift < 8; shift += 2, scale += 2, target += 32) {
                const float d0 = d * (float)(scale[0] & 15), m0 = least * (float)(scale[0] >> 4);
                const float d1 = d * (float)(scale[1] & 15), m1 = least * (float)(scale[1] >> 4);
                for (int i = 0; i < 16; i++) target[i] = d0 * (float)(int)(codes[i] >> shift & 3) - m0;
                for (int i = 16; i < 32; i++) target[i] = d1 * (float)(int)(codes[i] >> shift & 3) - m1;
            }
        }
    }
}

// 32 bytes of third bits, 64 bytes of low 2-bit codes, 16 scales of 6 bits in 12 bytes, d.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q3_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 110) {
        const float d = blocks_half(block + 108);
        const uint8_t *third = block, *codes = block + 32, *packed = block + 96;
        int8_t scales[16];
        for (int i = 0; i < 16; i++) {
            const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
            scales[i] = (int8_t)((low | (packed[8 + i % 4] >> (i / 4 * 2) & 3) << 4) - 32);
        }
        const int8_t *scale = scales;
        for (int half = 0; half < 2; half++, codes += 32) {
            for (int part = 0; part < 4; part++, scale += 2, target += 32) {
                const int shift = 2 * part, bit = 4 * half + part;
                const float d0 = d * (float)scale[0], d1 = d * (float)scale[1];
                for (int i = 0; i < 16; i++) {
                    target[i] = d0 * (float)((int)((codes[i] >> shift & 3) | (third[i] >> bit & 1) << 2) - 4);
                }
                for (int i = 16; i < 32; i++) {
                    target[i] = d1 * (float)((int)((codes[i] >> shift & 3) | (third[i] >> bit & 1) << 2) - 4);
                }
            }
        }
    }
}

// d, dmin, 8 scales and 8 minima of 6 bits in 12 bytes, 128 bytes: 32 low halves, then 32 high halves.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q4_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 144) {
        const float d = blocks_half(block), least = blocks_half(block + 2);
        const uint8_t *codes = block + 16;
        for (int part = 0; part < 8; part += 2, codes += 32, target += 64) {
            const struct blocks_pair first = blocks_six_bits(block + 4, part), second = blocks_six_bits(block + 4, part + 1);
            const float d0 = d * (float)first.scale, m0 = least * (float)first.minimum;
            const float d1 = d * (float)second.scale, m1 = least * (float)second.minimum;
            for (int i = 0; i < 32; i++) target[i] = d0 * (float)(int)(codes[i] & 15) - m0;
            for (int i = 0; i < 32; i++) target[32 + i] = d1 * (float)(int)(codes[i] >> 4) - m1;
        }
    }
}

// Q4_K with 32 bytes of fifth bits before the codes.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q5_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 176) {
        const float d = blocks_half(block), least = blocks_half(block + 2);
        const uint8_t *fifth = block + 16, *codes = block + 48;
        for (int part = 0; part < 8; part += 2, codes += 32, target += 64) {
            const struct blocks_pair first = blocks_six_bits(block + 4, part), second = blocks_six_bits(block + 4, part + 1);
            const float d0 = d * (float)first.scale, m0 = least * (float)first.minimum;
            const float d1 = d * (float)second.scale, m1 = least * (float)second.minimum;
            for (int i = 0; i < 32; i++) {
                target[i] = d0 * (float)(int)((codes[i] & 15) | (fifth[i] >> part & 1) << 4) - m0;
            }
            for (int i = 0; i < 32; i++) {
                target[32 + i] = d1 * (float)(int)(codes[i] >> 4 | (fifth[i] >> (part + 1) & 1) << 4) - m1;
            }
        }
    }
}

// 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales, d.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q6_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 210) {
        const float d = blocks_half(block + 208);
        const uint8_t *low = block, *high = block + 128;
        const int8_t *scale = (const int8_t *)(block + 192);
        for (int half = 0; half < 2; half++, low += 64, high += 32, scale += 8, target += 128) {
            for (int part = 0; part < 4; part++) {
                const uint8_t *codes = low + 32 * (part & 1);
                const int shift = part & 2 ? 4 : 0;
                const float d0 = d * (float)scale[2 * part], d1 = d * (float)scale[2 * part + 1];
                float *place = target + 32 * part;
                for (int i = 0; i < 16; i++) {
                    place[i] = d0 * (float)((int)((codes[i] >> shift & 15) | (high[i] >> 2 * part & 3) << 4) - 32);
                }
                for (int i = 16; i < 32; i++) {
                    place[i] = d1 * (float)((int)((codes[i] >> shift & 15) | (high[i] >> 2 * part & 3) << 4) - 32);
                }
            }
        }
    }
}

// d as a float, 256 signed bytes, 16 sums that are not needed.
BLOCKS_KERNEL void BLOCKS_NAME(blocks_q8_k)(const uint8_t *restrict block, float *restrict target, long count) {
    for (; count > 0; count--, block += 292, target += 256) {
        float d;
        memcpy(&d, block, 4);
        const int8_t *codes = (const int8_t *)(block + 4);
        for (int i = 0; i < 256; i++) target[i] = d * (float)codes[i];
    }
}

BLOCKS_KERNEL void BLOCKS_NAME(blocks_read)(enum blocks_type type, const uint8_t *source, float *target, long count) {
    switch (type) {
    case blocks_type_f32: memcpy(target, source, 4 * count); break;
    case blocks_type_f16: BLOCKS_NAME(blocks_f16)(source, target, count); break;
    case blocks_type_bf16: BLOCKS_NAME(blocks_bf16)(source, target, count); break;
    case blocks_type_q4_0: BLOCKS_NAME(blocks_q4_0)(source, target, count); break;
    case blocks_type_q4_1: BLOCKS_NAME(blocks_q4_1)(source, target, count); break;
    case blocks_type_q5_0: BLOCKS_NAME(blocks_q5_0)(source, target, count); break;
    case blocks_type_q5_1: BLOCKS_NAME(blocks_q5_1)(source, target, count); break;
    case blocks_type_q8_0: BLOCKS_NAME(blocks_q8_0)(source, target, count); break;
    case blocks_type_q2_k: BLOCKS_NAME(blocks_q2_k)(source, target, count); break;
    case blocks_type_q3_k: BLOCKS_NAME(blocks_q3_k)(source, target, count); break;
    case blocks_type_q4_k: BLOCKS_NAME(blocks_q4_k)(source, target, count); break;
    case blocks_type_q5_k: BLOCKS_NAME(blocks_q5_k)(source, target, count); break;
    case blocks_type_q6_k: BLOCKS_NAME(blocks_q6_k)(source, target, count); break;
    case blocks_type_q8_k: BLOCKS_NAME(blocks_q8_k)(source, target, count); break;
    }
}

#undef BLOCKS_KERNEL
