/* SPDX-License-Identifier: MIT
 *
 * prepare/lanes.h: four numbers at a time, wherever they stand in memory.
 */
#ifndef MLI_PREPARE_LANES_H
#define MLI_PREPARE_LANES_H

#include <stdint.h>

typedef double mli_numbers __attribute__((vector_size(32), aligned(8), may_alias));
/* All bits of each that holds. */
typedef int64_t mli_flags __attribute__((vector_size(32), aligned(8), may_alias));

#define MLI_LANES_INLINE static inline __attribute__((always_inline))

/* Before a loop over a few vectors: their sums stay in registers. In memory each addition
 * waits for the one before. */
#if defined(__clang__)
#define MLI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MLI_UNROLL _Pragma("GCC unroll 4")
#endif

#endif
