/* SPDX-License-Identifier: MIT
 *
 * Contexts: what a host may ask for, life time, log, description.
 */
#include "failing.h"
#include "core/context.h"
#include "core/cpu.h"
#include "core/json.h"
#include "core/parallel.h"
#include <dirent.h>
#include <pthread.h>

static int threads_of_process(void)
{
    DIR *d = opendir("/proc/self/task");
    if (!d) return -1;
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

START_TEST(default_is_serial)
{
    ml_context *ctx = NULL;
    int before = threads_of_process();
    OK(ml_context_new(NULL, &ctx, ERR));
    ck_assert_int_eq(mli_slots(ctx), 1);
    ck_assert_int_eq(threads_of_process(), before);
    mli_log(ctx, ML_LOG_ERROR, "test", "nobody listens");
    ml_context_free(ctx);
    ml_context_free(NULL);
}
END_TEST

START_TEST(refuses_null)
{
    ml_host host = ML_HOST_INIT;
    FAILS(ML_E_ARGUMENT, ml_context_new(&host, NULL, ERR));
    FAILS(ML_E_ARGUMENT, ml_context_set_threads(NULL, 1, ERR));
    ck_assert_str_eq(ml_context_info(NULL), "{}");
}
END_TEST

static void refused(const ml_host *host, const char *place)
{
    ml_context *untouched = (ml_context *)0x1, *ctx = untouched;
    FAILS(ML_E_ARGUMENT, ml_context_new(host, &ctx, ERR));
    ck_assert_ptr_eq(ctx, untouched);
    ck_assert_str_eq(ml_error_location(ERR), place);
    ck_assert_uint_gt(strlen(ml_error_hint(ERR)), 0);
    FAILS(ML_E_ARGUMENT, ml_context_new(host, &ctx, NULL));
}

static void run_serially(int64_t n, int64_t grain, ml_task_fn fn, void *arg, void *user)
{
    (void)grain;
    (void)user;
    fn(arg, 0, n);
}

START_TEST(refuses_malformed_hosts)
{
    const ml_host good = ML_HOST_INIT;
    ml_host h = good;
    for (int i = 1; i < 7; i++) {
        h.alloc = i & 1 ? failing_hook_alloc : NULL;
        h.realloc = i & 2 ? failing_hook_realloc : NULL;
        h.free = i & 4 ? failing_hook_free : NULL;
        refused(&h, "ml_host.alloc");
    }
    static const int32_t threads[] = {-2, INT32_MIN, 1025, INT32_MAX};
    for (int i = 0; i < 4; i++) {
        h = good;
        h.threads = threads[i];
        refused(&h, "ml_host.threads");
    }
    h = good;
    h.parallel_for = run_serially;
    refused(&h, "ml_host.executor_concurrency");
    h.executor_concurrency = 5000;
    refused(&h, "ml_host.executor_concurrency");
    h = good;
    h.blas_threads = -1;
    refused(&h, "ml_host.blas_threads");
    h = good;
    h.log_level = -1;
    refused(&h, "ml_host.log_level");
    h = good;
    h.cpu_level = 4;
    refused(&h, "ml_host.cpu_level");
    h.cpu_level = -1;
    refused(&h, "ml_host.cpu_level");
}
END_TEST

START_TEST(knows_struct_sizes)
{
    union {
        ml_host host;
        char bytes[sizeof(ml_host) + 64];
        uint64_t align;
    } u;
    ml_context *ctx = NULL;
    static const uint32_t wrong[] = {0, 1, 4, 7, 12, sizeof(ml_host) - 1, 1000000};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&u, 0, sizeof u);
        u.host.struct_size = wrong[i];
        refused(&u.host, "ml_host.struct_size");
    }
    /* An older host: what lies behind its struct is not read. */
    memset(&u, 0xff, sizeof u);
    u.host.struct_size = 8;
    u.host.threads = 3;
    OK(ml_context_new(&u.host, &ctx, ERR));
    ck_assert_int_eq(mli_slots(ctx), 3);
    ml_context_free(ctx);
    /* A newer host: fine unless it uses something new. */
    memset(&u, 0, sizeof u);
    u.host.struct_size = sizeof u;
    u.host.threads = 2;
    OK(ml_context_new(&u.host, &ctx, ERR));
    ck_assert_int_eq(mli_slots(ctx), 2);
    ml_context_free(ctx);
    u.bytes[sizeof u - 1] = 1;
    refused(&u.host, "ml_host.struct_size");
}
END_TEST

START_TEST(caps_the_cpu_level)
{
    for (int32_t level = 0; level <= 3; level++) {
        ml_host host = ML_HOST_INIT;
        host.cpu_level = level;
        ml_context *ctx = NULL;
        OK(ml_context_new(&host, &ctx, ERR));
        int32_t best = mli_cpu_best();
        ck_assert_int_eq(ctx->cpu_level, level && level < best ? level : best);
        ml_context_free(ctx);
    }
}
END_TEST

typedef struct record {
    int calls;
    int32_t level;
    char module[32], message[4096];
} record;

static void keep_record(int32_t level, const char *module, const char *message,
                        void *user)
{
    record *r = user;
    r->calls++;
    r->level = level;
    snprintf(r->module, sizeof r->module, "%s", module);
    snprintf(r->message, sizeof r->message, "%s", message);
}

START_TEST(logs_whole_records)
{
    record r = {0};
    ml_host host = ML_HOST_INIT;
    host.log = keep_record;
    host.log_user = &r;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    mli_log(ctx, ML_LOG_WARNING, "csv", "row %d has %s\nfields", 3, "too few");
    ck_assert_int_eq(r.calls, 1);
    ck_assert_int_eq(r.level, ML_LOG_WARNING);
    ck_assert_str_eq(r.module, "csv");
    ck_assert_str_eq(r.message, "row 3 has too few fields");
    mli_log(ctx, ML_LOG_INFO, "csv", "not asked for");
    ck_assert_int_eq(r.calls, 1);
    char text[5000];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = 0;
    mli_log(ctx, ML_LOG_ERROR, "csv", "%s", text);
    ck_assert_str_eq(r.message + strlen(r.message) - 4, "y...");
    ml_context_free(ctx);
    mli_log(NULL, ML_LOG_ERROR, "csv", "nowhere");
}
END_TEST

START_TEST(describes_itself)
{
    ml_host host = ML_HOST_INIT;
    host.cpu_level = 1;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    const char *info = ml_context_info(ctx);
    mli_json j;
    mli_json_open(&j, info, strlen(info));
    mli_json_token t = mli_json_next(&j);
    ck_assert_int_eq(t, MLI_JSON_OBJECT);
    int seen = 0;
    while ((t = mli_json_next(&j)) == MLI_JSON_KEY) {
        seen += mli_json_is(&j, "version") || mli_json_is(&j, "cpu") ||
                mli_json_is(&j, "thread_limit") || mli_json_is(&j, "blas") ||
                mli_json_is(&j, "executor");
        ck_assert(mli_json_skip(&j, mli_json_next(&j)));
    }
    ck_assert_int_eq(t, MLI_JSON_OBJECT_END);
    ck_assert_int_eq(mli_json_next(&j), MLI_JSON_END);
    ck_assert_int_eq(seen, 5);
    ck_assert_ptr_nonnull(strstr(info, "\"level\": \"scalar\""));
    ml_context_free(ctx);
}
END_TEST

START_TEST(objects_keep_it_alive)
{
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    ml_context *held = mli_context_ref(ctx);
    ck_assert_ptr_eq(held, ctx);
    ml_context_free(ctx);
    ck_assert_int_gt(f.live, 0);
    ck_assert_ptr_nonnull(strstr(ml_context_info(held), "version"));
    ml_context_free(held);
    ck_assert_int_eq(f.live, 0);
    ck_assert_int_eq(f.faults, 0);
    ck_assert_ptr_null(mli_context_ref(NULL));
}
END_TEST

static ml_status make_and_free(failing_alloc *f)
{
    ml_host host = failing_host(f);
    host.threads = 3;
    ml_context *ctx = NULL;
    ml_error *e = ml_error_new();
    ml_status status = ml_context_new(&host, &ctx, e);
    ck_assert_int_eq(ml_error_code(e), status);
    ck_assert(status == ML_OK || ctx == NULL);
    ml_context_free(ctx);
    ml_error_free(e);
    return status;
}

START_TEST(survives_out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, make_and_free(&f));
    ck_assert_int_ge(f.calls, 3); /* context, pool, description */
}
END_TEST

START_TEST(is_made_quickly)
{
    double best = INFINITY;
    for (int i = 0; i < 20; i++) {
        double start = mli_now();
        ml_context *ctx = NULL;
        OK(ml_context_new(NULL, &ctx, ERR));
        double took = mli_now() - start;
        if (took < best) best = took;
        ml_context_free(ctx);
    }
    printf("context made in %.0f us\n", best * 1e6);
    ck_assert_double_lt(best, 0.1);
}
END_TEST

static void *use_references(void *arg)
{
    ml_context *ctx = arg;
    for (int i = 0; i < 10000; i++) ml_context_free(mli_context_ref(ctx));
    ck_assert_int_gt((int)strlen(ml_context_info(ctx)), 2);
    ml_context_free(ctx);
    return NULL;
}

START_TEST(counts_references_across_threads)
{
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, use_references, mli_context_ref(ctx));
    ml_context_free(ctx);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

TEST_MAIN("core/context", default_is_serial, refuses_null, refuses_malformed_hosts,
          knows_struct_sizes, caps_the_cpu_level, logs_whole_records, describes_itself,
          objects_keep_it_alive, survives_out_of_memory, is_made_quickly,
          counts_references_across_threads)
