/* SPDX-License-Identifier: MIT
 *
 * kernels_avx2.c: the kernels for AVX2.
 */
#include "core/cpu.h"

#ifdef MLI_X86
#define KERNEL_TARGET MLI_AVX2
#define KERNEL_WIDTH  4
#define KERNEL_TABLE  mli_kernels_avx2
#include "tensor/kernels_body.h"
#else
typedef int mli_kernels_avx2_absent; /* a file must declare something */
#endif
