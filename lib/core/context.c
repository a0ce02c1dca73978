/* SPDX-License-Identifier: MIT
 *
 * core/context.c: making and ending contexts, the log, and the description of what a
 * context runs on.
 */
#include "core/context.h"
#include "core/cpu.h"
#include "core/executor.h"
#include "core/file.h"
#include "core/json.h"
#include "core/parallel.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS_MOST   1024
#define HOST_SIZE_MOST 4096
#define RECORD_SIZE    2048

/* Known only to describe them: NULL when the program has no OpenBLAS. */
extern int openblas_get_parallel(void) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));

double mli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ml_status bad_host(ml_error *err, const char *field, const char *problem,
                          const char *hint)
{
    mli_fail(err, ML_E_ARGUMENT, "%s", problem);
    mli_error_at(err, ML_E_ARGUMENT, "ml_host.%s", field);
    return mli_error_hint(err, ML_E_ARGUMENT, "%s", hint);
}

/* Copies what is known of the host's struct. An older host's is shorter; a newer one's
 * longer, which is fine as long as it asks for nothing that is unknown here. */
static ml_status copy_host(ml_host *to, const ml_host *from, ml_error *err)
{
    const char *const hint = "initialise the struct with ML_HOST_INIT";
    size_t size = from->struct_size;
    if (size < 8 || size > HOST_SIZE_MOST || size % _Alignof(ml_host) != 0)
        return bad_host(err, "struct_size", "not the size of an ml_host", hint);
    for (size_t i = sizeof *to; i < size; i++)
        if (((const char *)from)[i])
            return bad_host(err, "struct_size",
                            "the host asks for something that this version does not know",
                            "set the newer fields to 0, or use a newer library");
    memcpy(to, from, size < sizeof *to ? size : sizeof *to);
    to->struct_size = sizeof *to;
    return ML_OK;
}

static ml_status check_hooks(const ml_host *h, ml_error *err)
{
    int hooks = (h->alloc != NULL) + (h->realloc != NULL) + (h->free != NULL);
    if (hooks != 0 && hooks != 3)
        return bad_host(err, "alloc", "an allocator needs all of alloc, realloc and free",
                        "set all three, or none");
    if (h->parallel_for &&
        (h->executor_concurrency < 1 || h->executor_concurrency > MLI_EXECUTOR_MOST))
        return bad_host(err, "executor_concurrency",
                        "with parallel_for it must be in [1, 4096]",
                        "set it to the number of threads of the executor");
    return ML_OK;
}

static ml_status check_numbers(const ml_host *h, ml_error *err)
{
    if (h->threads < -1 || h->threads > THREADS_MOST)
        return bad_host(err, "threads", "outside the legal range [-1, 1024]",
                        "use -1 for as many as the CPU quota allows");
    if (h->blas_threads < 0)
        return bad_host(err, "blas_threads", "negative",
                        "use 0 to leave the process's setting alone");
    if (h->log_level < 0)
        return bad_host(err, "log_level", "negative",
                        "use ML_LOG_WARNING or another level");
    if (h->cpu_level < 0 || h->cpu_level > MLI_CPU_AVX512)
        return bad_host(err, "cpu_level", "outside the legal range [0, 3]",
                        "use 0 for the best that the CPU offers");
    return ML_OK;
}

static ml_status read_host(ml_host *to, const ml_host *from, ml_error *err)
{
    *to = (ml_host)ML_HOST_INIT;
    ml_status status = from ? copy_host(to, from, err) : ML_OK;
    if (status == ML_OK) status = check_hooks(to, err);
    if (status == ML_OK) status = check_numbers(to, err);
    if (status != ML_OK) return status;
    if (!to->alloc) mli_host_allocator(to);
    if (to->log_level == 0) to->log_level = ML_LOG_WARNING;
    return ML_OK;
}

static int32_t thread_count(int32_t asked)
{
    if (asked < 0) asked = mli_cpu_count();
    return asked > THREADS_MOST ? THREADS_MOST : asked > 1 ? asked : 1;
}

static void describe_cpu(mli_str *s, const ml_context *ctx)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{MLI_CPU_HAS_VBMI, "vbmi"},
                 {MLI_CPU_HAS_VNNI, "vnni"},
                 {MLI_CPU_HAS_AMX, "amx"},
                 {MLI_CPU_HAS_SHA, "sha"}};
    uint32_t flags = mli_cpu_flags();
    mli_json_key(s, "cpu", 0);
    mli_str_printf(s, "{\"level\": \"%s\", \"best\": \"%s\", \"flags\": [",
                   mli_cpu_name(ctx->cpu_level), mli_cpu_name(mli_cpu_best()));
    const char *comma = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!(flags & names[i].flag)) continue;
        mli_str_printf(s, "%s\"%s\"", comma, names[i].name);
        comma = ", ";
    }
    mli_str_add(s, "]}");
}

static void describe_blas(mli_str *s)
{
    static const char *const flavours[] = {"serial", "pthread", "openmp"};
    mli_json_key(s, "blas", 0);
    if (!openblas_get_parallel || !openblas_get_config || !openblas_get_corename) {
        mli_str_add(s, "null");
        return;
    }
    int flavour = openblas_get_parallel();
    mli_str_add(s, "{");
    mli_json_key(s, "flavour", 1);
    mli_json_str(s, flavour >= 0 && flavour < 3 ? flavours[flavour] : "unknown");
    mli_json_key(s, "config", 0);
    mli_json_str(s, openblas_get_config());
    mli_json_key(s, "core", 0);
    mli_json_str(s, openblas_get_corename());
    mli_str_add(s, "}");
}

/* Their number into its place in the description, right-aligned: one store, since two
 * threads may set it at once; the last one to look shows the number that holds. */
static void show_threads(ml_context *ctx)
{
    char digits[16];
    uint64_t word;
    int32_t shown;
    do {
        shown = mli_slots(ctx);
        int n = snprintf(digits, sizeof digits, "%8d", (int)shown);
        memcpy(&word, digits + (n > 8 ? n - 8 : 0), sizeof word);
        __atomic_store_n((uint64_t *)(void *)(ctx->info + ctx->info_threads), word,
                         __ATOMIC_SEQ_CST);
    } while (mli_slots(ctx) != shown);
}

static ml_status describe(ml_context *ctx, ml_error *err)
{
    mli_str s;
    mli_str_init(&s, ctx);
    mli_str_add(&s, "{");
    mli_json_key(&s, "version", 1);
    mli_json_str(&s, ml_version());
    mli_json_key(&s, "build", 0);
    mli_str_add(&s, mli_build_info());
    describe_cpu(&s, ctx);
    mli_json_key(&s, "thread_limit", 0);
    mli_str_i64(&s, mli_cpu_count());
    mli_json_key(&s, "threads", 0);
    while (!s.failed && s.size % 8) mli_str_add(&s, " "); /* for the one store */
    ctx->info_threads = s.size;
    mli_str_add(&s, "        ");
    mli_json_key(&s, "executor", 0);
    mli_json_str(&s, ctx->host.parallel_for ? "host" : "pool");
    describe_blas(&s);
    mli_str_add(&s, "}");
    ctx->info = mli_str_take(&s);
    mli_str_free(&s);
    if (!ctx->info) return mli_nomem(err);
    show_threads(ctx);
    return ML_OK;
}

static void destroy(ml_context *ctx)
{
    ml_context last = {.host = ctx->host}; /* the block is freed through its own hooks */
    mli_pool_free(ctx);
    mli_free(ctx, ctx->info);
    mli_spare_drop(&ctx->spares);
    mli_free(&last, ctx);
}

ml_status ml_context_new(const ml_host *host, ml_context **out, ml_error *error)
{
    if (!out) return mli_null(error, "out");
    ml_context first = {.fs = &mli_fs_posix};
    ml_status status = read_host(&first.host, host, error);
    if (status != ML_OK) return status;
    int32_t best = mli_cpu_best(), most = first.host.cpu_level;
    first.cpu_level = most && most < best ? most : best;
    ml_context *ctx = mli_alloc(&first, sizeof *ctx);
    if (!ctx) return mli_nomem(error);
    memset(ctx, 0, sizeof *ctx);
    mli_ref_init(&ctx->ref);
    ctx->host = first.host;
    ctx->cpu_level = first.cpu_level;
    ctx->fs = first.fs;
    status = mli_pool_start(ctx, thread_count(ctx->host.threads), error);
    if (status == ML_OK) status = describe(ctx, error);
    if (status == ML_OK)
        *out = ctx;
    else
        destroy(ctx);
    return status;
}

ml_context *mli_context_ref(ml_context *ctx)
{
    if (ctx) mli_ref_up(&ctx->ref);
    return ctx;
}

void ml_context_free(ml_context *context)
{
    if (context && mli_ref_down(&context->ref)) destroy(context);
}

ml_status ml_context_set_threads(ml_context *context, int32_t threads, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (threads < -1 || threads > THREADS_MOST) {
        mli_fail(error, ML_E_RANGE, "%d threads are outside the legal range [-1, %d]",
                 threads, THREADS_MOST);
        return mli_error_hint(error, ML_E_RANGE,
                              "use -1 for as many as the CPU quota allows");
    }
    if (context->host.parallel_for) {
        mli_fail(error, ML_E_STATE,
                 "the context uses the threads of the host's executor");
        return mli_error_hint(error, ML_E_STATE,
                              "set ml_host.executor_concurrency for a new context");
    }
    ml_status status = mli_pool_resize(context, thread_count(threads), error);
    if (!status) show_threads(context);
    return status;
}

const char *ml_context_info(const ml_context *context)
{
    return context ? context->info : "{}";
}

void mli_log_list(const ml_context *ctx, int32_t level, const char *module,
                  const char *format, va_list args)
{
    if (!ctx || !ctx->host.log || level > ctx->host.log_level) return;
    char record[RECORD_SIZE];
    mli_format_line(record, sizeof record, format, args);
    ctx->host.log(level, module, record, ctx->host.log_user);
}

void mli_log(const ml_context *ctx, int32_t level, const char *module, const char *format,
             ...)
{
    va_list args;
    va_start(args, format);
    mli_log_list(ctx, level, module, format, args);
    va_end(args);
}
