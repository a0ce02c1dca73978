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

/* Tasks that can fail: at once, or (`together` 0, or with one thread) one after the other
 * on this thread up to the first that fails. The error is that of the first, in their
 * order. */
typedef ml_status (*mli_attempt)(void *arg, int64_t task, int32_t slot, ml_error *err);
ml_status mli_parallel_try(ml_context *ctx, int together, int64_t n, mli_attempt fn,
                           void *arg, ml_error *err);

/* While held, ml_context_set_threads fails with ML_E_STATE, so mli_slots stays the same.
 * A public call that sizes memory by mli_slots holds from before that until its last
 * loop. Never blocks for long; the result (also NULL) goes to mli_parallel_release. */
mli_pool *mli_parallel_hold(ml_context *ctx);
void mli_parallel_release(mli_pool *pool);

/* The usual cut of n rows into tasks of `grain`: task t covers
 * [t * grain, min(n, (t + 1) * grain)). */
static inline int64_t mli_task_count(int64_t n, int64_t grain)
{
    return n <= 0 ? 0 : (n - 1) / grain + 1;
}

/* CPUs this process may use: affinity and cgroup quota (v1 and v2), at least 1. */
int32_t mli_cpu_count(void);
/* The smallest whole number of CPUs that holds the cgroup quota, 0 without one. `root`
 * is put before /proc and /sys: "" outside tests. */
int32_t mli_cgroup_cpus(const char *root);

/* Used by the context only. */
ml_status mli_pool_start(ml_context *ctx, int32_t threads, ml_error *err);
ml_status mli_pool_resize(ml_context *ctx, int32_t threads, ml_error *err);
void mli_pool_free(ml_context *ctx);

#endif
