/* SPDX-License-Identifier: MIT
 *
 * core/parallel.h: parallel loops over a fixed number of tasks. The partition into tasks
 * must depend on the data alone, never on the number of threads, so that results do not
 * either. Nested calls run inline.
 */
#ifndef MLI_CORE_PARALLEL_H
#define MLI_CORE_PARALLEL_H

#include "core/context.h"

/* `slot` is in [0, mli_slots(ctx)): no two tasks run with the same slot at once, so it
 * selects scratch memory. Results must not depend on it. */
typedef void (*mli_task)(void *arg, int64_t task, int32_t slot);

/* Runs tasks 0..n-1 and returns when all are done. Cannot fail: with no memory or no
 * threads it runs inline. */
void mli_parallel(ml_context *ctx, int64_t n, mli_task fn, void *arg);
int32_t mli_slots(const ml_context *ctx);

/* The usual cut of n rows into tasks of `grain`: task t covers
 * [t * grain, min(n, (t + 1) * grain)). */
static inline int64_t mli_task_count(int64_t n, int64_t grain)
{
    return n <= 0 ? 0 : (n - 1) / grain + 1;
}

/* CPUs this process may use: affinity and cgroup quota (v1 and v2), at least 1. */
int32_t mli_cpu_count(void);
/* A pool and its end; used by the context only. */
void mli_pool_free(ml_context *ctx, mli_pool *pool);

#endif
