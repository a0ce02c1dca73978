/* SPDX-License-Identifier: MIT
 *
 * kernels.c: the kernels for the baseline of the architecture (SSE2 on x86-64, NEON on
 * 64-bit ARM, plain C where there are no vectors), and the choice of a table.
 */
#define KERNEL_TARGET
#define KERNEL_WIDTH 2
#define KERNEL_TABLE mli_kernels_base
#include "tensor/kernels_body.h"

#include "core/cpu.h"

#ifdef MLI_X86
extern const mli_kernels mli_kernels_avx2, mli_kernels_avx512;
#endif

static const mli_kernels *table_of(int32_t level)
{
#ifdef MLI_X86
    if (level >= MLI_CPU_AVX512) return &mli_kernels_avx512;
    if (level >= MLI_CPU_AVX2) return &mli_kernels_avx2;
#endif
    (void)level;
    return &mli_kernels_base;
}

const mli_kernels *mli_kernels_of(const ml_context *ctx)
{
    return table_of(ctx->cpu_level);
}

const mli_kernels *mli_kernels_level(int32_t level)
{
    return level <= mli_cpu_best() ? table_of(level) : NULL;
}
