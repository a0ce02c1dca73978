/* SPDX-License-Identifier: MIT
 *
 * Layout of the structs that cross the ABI, and values of constants: changing any of
 * these breaks programs that are already compiled. Members are only ever appended.
 */
#include <ml/ml.h>
#include <stdio.h>

static int failed, passed;

static void check(const char *what, long long got, long long want)
{
    if (got == want) {
        passed++;
        return;
    }
    failed++;
    printf("%s is %lld, not %lld\n", what, got, want);
}
#define AT(type, member, want) check(#type "." #member, (long long)offsetof(type, member), want)
#define IS(constant, want) check(#constant, constant, want)

static void check_offsets(void)
{
    AT(ml_progress, struct_size, 0);
    AT(ml_progress, trial, 4);
    AT(ml_progress, fraction, 8);
    AT(ml_progress, elapsed, 16);
    AT(ml_progress, remaining, 24);
    AT(ml_progress, score, 32);
    AT(ml_progress, best_score, 40);
    AT(ml_progress, step, 48);
    AT(ml_progress, steps, 56);
    AT(ml_progress, stage, 64);
    AT(ml_host, struct_size, 0);
    AT(ml_host, threads, 4);
    AT(ml_host, alloc, 8);
    AT(ml_host, realloc, 16);
    AT(ml_host, free, 24);
    AT(ml_host, alloc_user, 32);
    AT(ml_host, parallel_for, 40);
    AT(ml_host, executor_user, 48);
    AT(ml_host, executor_concurrency, 56);
    AT(ml_host, blas_threads, 60);
    AT(ml_host, log, 64);
    AT(ml_host, log_user, 72);
    AT(ml_host, log_level, 80);
    AT(ml_host, cpu_level, 84);
    AT(ml_io, struct_size, 0);
    AT(ml_io, flags, 4);
    AT(ml_io, read, 8);
    AT(ml_io, write, 16);
    AT(ml_io, user, 24);
    AT(struct ArrowSchema, release, 56);
    AT(struct ArrowArray, release, 64);
    AT(struct ArrowArrayStream, release, 24);
}

static void check_constants(void)
{
    IS(ML_OK, 0);
    IS(ML_E_ARGUMENT, -1);
    IS(ML_E_RANGE, -2);
    IS(ML_E_NAME, -3);
    IS(ML_E_TYPE, -4);
    IS(ML_E_SHAPE, -5);
    IS(ML_E_DATA, -6);
    IS(ML_E_PARSE, -7);
    IS(ML_E_FORMAT, -8);
    IS(ML_E_IO, -9);
    IS(ML_E_MEMORY, -10);
    IS(ML_E_CANCELLED, -11);
    IS(ML_E_STATE, -12);
    IS(ML_E_UNSUPPORTED, -13);
    IS(ML_E_NUMERIC, -14);
    IS(ML_E_CALLBACK, -15);
    IS(ML_E_INTERNAL, -16);
    IS(ML_DTYPE_BOOL, 1);
    IS(ML_DTYPE_I8, 2);
    IS(ML_DTYPE_I64, 5);
    IS(ML_DTYPE_U8, 6);
    IS(ML_DTYPE_U64, 9);
    IS(ML_DTYPE_F32, 16);
    IS(ML_DTYPE_F64, 17);
    IS(ML_TYPE_TEXT, 32);
    IS(ML_TYPE_CATEGORY, 33);
    IS(ML_TYPE_DATE, 34);
    IS(ML_TYPE_TIMESTAMP, 35);
    IS(ML_PARAM_BOOL, 1);
    IS(ML_PARAM_ESTIMATOR, 8);
    IS(ML_STOP_KEEP, 1);
    IS(ML_CANCEL, 2);
}

int main(void)
{
    if (sizeof(void *) != 8) {
        puts("SKIP: offsets are recorded for 64-bit targets");
        return 77;
    }
    check_offsets();
    check_constants();
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
