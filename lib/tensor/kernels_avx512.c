/* SPDX-License-Identifier: MIT
 *
 * kernels_avx512.c: the kernels for AVX-512.
 */
#include "core/cpu.h"

#ifdef MLI_X86
#define KERNEL_TARGET MLI_AVX512
#define KERNEL_WIDTH  8
#define KERNEL_TABLE  mli_kernels_avx512
#include "tensor/kernels_body.h"
#else
typedef int mli_kernels_avx512_absent; /* a file must declare something */
#endif
