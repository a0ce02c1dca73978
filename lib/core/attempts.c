/* SPDX-License-Identifier: MIT
 *
 * core/attempts.c: parallel loops over tasks that can fail.
 */
#include "core/parallel.h"

typedef struct attempt {
    ml_error *error;
    ml_status status;
} attempt;

typedef struct attempts {
    mli_attempt fn;
    void *arg;
    attempt *of;
} attempts;

static void attempt_task(void *arg, int64_t task, int32_t slot)
{
    attempts *all = arg;
    attempt *one = &all->of[task];
    one->error = ml_error_new();
    one->status = one->error ? all->fn(all->arg, task, slot, one->error) : ML_E_MEMORY;
}

ml_status mli_parallel_try(ml_context *ctx, int together, int64_t n, mli_attempt fn,
                           void *arg, ml_error *err)
{
    ml_status status = ML_OK;
    if (!together || n < 2 || mli_slots(ctx) < 2) {
        for (int64_t i = 0; i < n && !status; i++) status = fn(arg, i, 0, err);
        return status;
    }
    attempts all = {fn, arg, mli_calloc(ctx, (size_t)n, sizeof *all.of)};
    if (!all.of) return mli_nomem(err);
    mli_parallel(ctx, n, attempt_task, &all);
    for (int64_t i = 0; i < n; i++) {
        const attempt *one = &all.of[i];
        if (one->status && !status)
            status = one->error ? mli_error_copy(err, one->error, one->status)
                                : mli_nomem(err);
        ml_error_free(one->error);
    }
    mli_free(ctx, all.of);
    return status;
}
