/* SPDX-License-Identifier: MIT
 *
 * core/context.h: the context's inside. Counted: each object holds a reference.
 */
#ifndef MLI_CORE_CONTEXT_H
#define MLI_CORE_CONTEXT_H

#include "core/error.h"
#include "core/memory.h"
#include "core/spare.h"
#include "core/text.h"
#include <ml/context.h>
#include <stdarg.h>

typedef struct mli_pool mli_pool;
struct mli_fs;

struct ml_context {
    mli_ref ref;
    ml_host host;             /* with defaults filled in */
    _Atomic(mli_pool *) pool; /* its threads start at the first parallel call */
    int32_t cpu_level;        /* MLI_CPU_, see core/cpu.h */
    int32_t blas_flavour;     /* see tensor/blas.h; set by the BLAS front */
    const struct mli_fs *fs;  /* file operations; tests replace them */
    char *info;               /* JSON for ml_context_info */
    atomic_size_t bytes;      /* of all blocks that live */
    atomic_size_t most_bytes; /* that may live; 0: any number */
    mli_spares spares;        /* large blocks just freed */
    size_t info_threads;      /* where the number of threads stands in it */
};

ml_context *mli_context_ref(ml_context *ctx);
/* Log: printf style; does nothing when no hook is set or the level is too high. */
void mli_log(const ml_context *ctx, int32_t level, const char *module, const char *format,
             ...) MLI_PRINTF(4, 5);
void mli_log_list(const ml_context *ctx, int32_t level, const char *module,
                  const char *format, va_list args) MLI_PRINTF(4, 0);
/* Seconds on the monotonic clock. */
double mli_now(void);
/* How the library was built, as a JSON object. */
const char *mli_build_info(void);

#endif
