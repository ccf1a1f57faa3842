#pragma once
#include <cblas.h>
#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
// How OpenBLAS chooses its kernels, where it was built for several processors; it exports both, but declares neither.
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern void gotoblas_dynamic_quit(void) __attribute__((weak));

// OpenBLAS takes a processor that is newer than itself for one without AVX-512 (0.3.21 does so with AMD's Zen 4 and 5) and
// then works at half speed. This has it choose again, where the environment does not name kernels; no other thread may be
// in OpenBLAS meanwhile.
static inline void openblas_choose_wide_kernels(void) {
    const char *variable = "OPENBLAS_CORETYPE";
    if (!gotoblas_dynamic_init || !gotoblas_dynamic_quit || getenv(variable)) return;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512cd") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl")) return;
    const char *name = openblas_get_corename();
    if (strcmp(name, "Haswell") != 0 && strcmp(name, "Zen") != 0) return;
    if (setenv(variable, "SkylakeX", 1) != 0) return;
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv(variable);
}
#else
static inline void openblas_choose_wide_kernels(void) {}
#endif
