/* SPDX-License-Identifier: MIT
 *
 * core/cpu.c: which vector instructions this CPU and its operating system offer. Asked
 * anew at each call, since a cached answer would be a global; contexts keep it.
 */
#include "core/cpu.h"

#if defined(MLI_X86)
#include <cpuid.h>

#define BIT(x, n) (((x) >> (n)) & 1u)
#define YMM_STATE 0x06u /* SSE and AVX registers are saved on a task switch */
#define ZMM_STATE 0xe6u /* and the AVX-512 ones */
#define AMX_STATE 0x60000u

typedef struct features {
    uint32_t ecx1, ebx7, ecx7, edx7, ecx_ext, saved;
} features;

static uint32_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static features ask(void)
{
    features f = {0, 0, 0, 0, 0, 0};
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) f.ecx1 = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f.ebx7 = b;
        f.ecx7 = c;
        f.edx7 = d;
    }
    if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) f.ecx_ext = c;
    if (BIT(f.ecx1, 27)) f.saved = saved_state(); /* OSXSAVE */
    return f;
}

static int has_avx2(const features *f)
{
    return (f->saved & YMM_STATE) == YMM_STATE && BIT(f->ecx1, 28) /* AVX */
           && BIT(f->ecx1, 12) && BIT(f->ecx1, 23) &&
           BIT(f->ecx1, 29)                                         /* FMA POPCNT F16C */
           && BIT(f->ebx7, 3) && BIT(f->ebx7, 5) && BIT(f->ebx7, 8) /* BMI1 AVX2 BMI2 */
           && BIT(f->ecx_ext, 5);                                   /* LZCNT */
}

static int has_avx512(const features *f)
{
    return has_avx2(f) && (f->saved & ZMM_STATE) == ZMM_STATE && BIT(f->ebx7, 16) /* F */
           && BIT(f->ebx7, 17) && BIT(f->ebx7, 30) && BIT(f->ebx7, 31); /* DQ BW VL */
}

int32_t mli_cpu_best(void)
{
    features f = ask();
    if (has_avx512(&f)) return MLI_CPU_AVX512;
    return has_avx2(&f) ? MLI_CPU_AVX2 : MLI_CPU_SCALAR;
}

uint32_t mli_cpu_flags(void)
{
    features f = ask();
    uint32_t flags = 0;
    if (BIT(f.ebx7, 29) && BIT(f.ecx1, 19) && BIT(f.ecx1, 9)) /* with SSE4.1 and SSSE3 */
        flags |= MLI_CPU_HAS_SHA;
    if (!has_avx512(&f)) return flags;
    if (BIT(f.ecx7, 1)) flags |= MLI_CPU_HAS_VBMI;
    if (BIT(f.ecx7, 11)) flags |= MLI_CPU_HAS_VNNI;
    if (BIT(f.edx7, 24) && BIT(f.edx7, 25) && (f.saved & AMX_STATE) == AMX_STATE)
        flags |= MLI_CPU_HAS_AMX;
    return flags;
}

#else

int32_t mli_cpu_best(void)
{
#if defined(MLI_NEON)
    return MLI_CPU_AVX2;
#else
    return MLI_CPU_SCALAR;
#endif
}

uint32_t mli_cpu_flags(void)
{
    return 0;
}

#endif

const char *mli_cpu_name(int32_t level)
{
    switch (level) {
    case MLI_CPU_SCALAR:
        return "scalar";
    case MLI_CPU_AVX2:
#if defined(MLI_NEON)
        return "neon";
#else
        return "avx2";
#endif
    case MLI_CPU_AVX512:
        return "avx512";
    default:
        return "unknown";
    }
}
