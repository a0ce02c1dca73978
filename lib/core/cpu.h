/* SPDX-License-Identifier: MIT
 *
 * core/cpu.h: which vector instructions this CPU (and its operating system) offers.
 */
#ifndef MLI_CORE_CPU_H
#define MLI_CORE_CPU_H

#include <stdint.h>

#define MLI_CPU_SCALAR 1
#define MLI_CPU_AVX2 2   /* with FMA, BMI2 and F16C; on ARM: NEON */
#define MLI_CPU_AVX512 3 /* F, BW, DQ, VL, VBMI absent or present: see flags */

#define MLI_CPU_HAS_VBMI 1u
#define MLI_CPU_HAS_VNNI 2u
#define MLI_CPU_HAS_AMX 4u
#define MLI_CPU_HAS_SHA 8u

int32_t mli_cpu_best(void);   /* the best level of this machine */
uint32_t mli_cpu_flags(void); /* MLI_CPU_HAS_ */
const char *mli_cpu_name(int32_t level);

/* Marks on functions that use vector instructions beyond the baseline; they are called
 * only after looking at ctx->cpu_level. No per-file compiler flags are needed. */
#if defined(__x86_64__) && defined(__GNUC__)
#define MLI_X86 1
#define MLI_AVX2 __attribute__((target("avx2,fma,bmi,bmi2,f16c,lzcnt,popcnt")))
#define MLI_AVX512                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi,bmi2,f16c")))
#define MLI_VBMI                                                                         \
    __attribute__((target("avx512vbmi,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")))
#endif
#if defined(__aarch64__)
#define MLI_NEON 1
#endif

/* Lanes of two vectors by their numbers, which are constants; `type`: of that list. */
#if defined(__clang__)
#define MLI_LANES(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MLI_LANES(type, a, b, ...) __builtin_shuffle(a, b, (type){__VA_ARGS__})
#endif

#endif
