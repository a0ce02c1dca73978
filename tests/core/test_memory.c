/* SPDX-License-Identifier: MIT
 *
 * Allocation through the context, and shared buffers.
 */
#include "failing.h"
#include "core/context.h"

#include <pthread.h>

static ml_context *failing_context(failing_alloc *f)
{
    ml_context *ctx = NULL;
    ml_host host = failing_host(f);
    OK(ml_context_new(&host, &ctx, ERR));
    return ctx;
}

static void fill(unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) p[i] = (unsigned char)(i * 7);
}

/* Asserted once per block: an assertion per byte takes seconds. */
static void holds(const unsigned char *p, size_t size, unsigned step)
{
    size_t wrong = 0;
    for (size_t i = 0; i < size; i++) wrong += p[i] != (unsigned char)(i * step);
    ck_assert_uint_eq(wrong, 0);
}

static void try_size(ml_context *ctx, size_t size)
{
    unsigned char *p = mli_alloc(ctx, size);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 16, 0);
    fill(p, size);
    p = mli_realloc(ctx, p, size * 3 + 1);
    ck_assert_ptr_nonnull(p);
    holds(p, size, 7);
    p = mli_realloc(ctx, p, size / 2);
    holds(p, size / 2, 7);
    mli_free(ctx, p);
    unsigned char *v = mli_alloc_vec(ctx, (int64_t)size, 3);
    ck_assert_ptr_nonnull(v);
    ck_assert_uint_eq((uintptr_t)v % 64, 0);
    fill(v, 3 * size);
    v = mli_realloc(ctx, v, 3 * size + 1000);
    ck_assert_ptr_nonnull(v);
    ck_assert_uint_eq((uintptr_t)v % 64, 0);
    holds(v, 3 * size, 7);
    mli_free(ctx, v);
    unsigned char *z = mli_calloc(ctx, size, 5);
    ck_assert_ptr_nonnull(z);
    holds(z, 5 * size, 0);
    mli_free(ctx, z);
}

static void try_sizes(ml_context *ctx)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 4095, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) try_size(ctx, sizes[i]);
}

START_TEST(without_a_context)
{
    try_sizes(NULL);
}
END_TEST

START_TEST(with_the_default_allocator)
{
    ml_context *ctx = test_context(1);
    try_sizes(ctx);
    ml_context_free(ctx);
}
END_TEST

START_TEST(with_the_hosts_allocator)
{
    failing_alloc f = {0};
    ml_context *ctx = failing_context(&f);
    int64_t before = f.live;
    try_sizes(ctx);
    ck_assert_int_eq(f.live, before);
    ml_context_free(ctx);
    ck_assert_int_eq(f.live, 0);
    ck_assert_int_eq(f.bytes, 0);
    ck_assert_int_eq(f.faults, 0);
    ck_assert_int_gt(f.calls, 50);
}
END_TEST

START_TEST(refuses_overflow)
{
    ml_context *ctx = test_context(1);
    ml_context *const contexts[] = {NULL, ctx};
    for (int i = 0; i < 2; i++) {
        ml_context *c = contexts[i];
        ck_assert_ptr_null(mli_alloc(c, SIZE_MAX));
        ck_assert_ptr_null(mli_alloc(c, SIZE_MAX - 15));
        ck_assert_ptr_null(mli_alloc(c, PTRDIFF_MAX));
        ck_assert_ptr_null(mli_calloc(c, SIZE_MAX / 2, 3));
        ck_assert_ptr_null(mli_calloc(c, SIZE_MAX, 1));
        ck_assert_ptr_null(mli_calloc(c, (size_t)1 << 32, (size_t)1 << 32));
        ck_assert_ptr_null(mli_alloc_vec(c, INT64_MAX, 8));
        ck_assert_ptr_null(mli_alloc_vec(c, INT64_MAX, 1));
        ck_assert_ptr_null(mli_alloc_vec(c, -1, 8));
        ck_assert_ptr_null(mli_strndup(c, "x", SIZE_MAX));
        ck_assert_ptr_null(mli_buffer_new(c, SIZE_MAX - 8, NULL));
        char *p = mli_strdup(c, "kept");
        ck_assert_ptr_null(mli_realloc(c, p, SIZE_MAX - 3));
        ck_assert_str_eq(p, "kept");
        mli_free(c, p);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(copies_text)
{
    char *p = mli_strdup(NULL, "");
    ck_assert_str_eq(p, "");
    mli_free(NULL, p);
    p = mli_strndup(NULL, "abcdef", 3);
    ck_assert_str_eq(p, "abc");
    mli_free(NULL, p);
    p = mli_strndup(NULL, NULL, 0);
    ck_assert_str_eq(p, "");
    mli_free(NULL, p);
    mli_free(NULL, NULL);
    p = mli_realloc(NULL, NULL, 10);
    ck_assert_ptr_nonnull(p);
    mli_free(NULL, p);
}
END_TEST

START_TEST(failure_keeps_the_old_block)
{
    failing_alloc f = {0};
    ml_context *ctx = failing_context(&f);
    char *p = mli_strdup(ctx, "kept");
    f.fail_at = f.calls + 1;
    ck_assert_ptr_null(mli_realloc(ctx, p, 1000));
    ck_assert_ptr_null(mli_alloc(ctx, 1));
    ck_assert_ptr_null(mli_calloc(ctx, 1, 1));
    ck_assert_ptr_null(mli_alloc_vec(ctx, 1, 1));
    ck_assert_ptr_null(mli_strdup(ctx, "x"));
    ck_assert_ptr_null(mli_buffer_new(ctx, 8, NULL));
    ck_assert_ptr_null(mli_buffer_wrap(ctx, "x", 1, NULL, NULL));
    ck_assert_str_eq(p, "kept");
    mli_free(ctx, p);
    ml_context_free(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(buffer_is_zeroed_and_aligned)
{
    failing_alloc f = {0};
    ml_context *ctx = failing_context(&f);
    double *data = NULL;
    mli_buffer *b = mli_buffer_new(ctx, 100 * sizeof *data, &data);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_eq(b->data, data);
    ck_assert_uint_eq(b->size, 800);
    ck_assert_uint_eq((uintptr_t)data % 64, 0);
    for (int i = 0; i < 100; i++) ck_assert(data[i] == 0);
    mli_buffer *again = mli_buffer_ref(b);
    ml_context_free(ctx); /* the buffer keeps it alive */
    mli_buffer_free(b);
    data[99] = 1;
    mli_buffer_free(again);
    ck_assert_int_eq(f.live, 0);
    ck_assert_int_eq(f.faults, 0);
    ck_assert_ptr_null(mli_buffer_ref(NULL));
    mli_buffer_free(NULL);
    b = mli_buffer_new(NULL, 0, NULL);
    ck_assert_ptr_nonnull(b);
    mli_buffer_free(b);
}
END_TEST

static void count_release(void *user)
{
    ++*(int *)user;
}

START_TEST(buffer_releases_once)
{
    ml_context *ctx = test_context(1);
    int released = 0;
    mli_buffer *b = mli_buffer_wrap(ctx, "abc", 3, count_release, &released);
    mli_buffer_ref(b);
    mli_buffer_free(b);
    ck_assert_int_eq(released, 0);
    mli_buffer_free(b);
    ck_assert_int_eq(released, 1);
    b = mli_buffer_wrap(ctx, "abc", 3, NULL, NULL);
    mli_buffer_free(b);
    ml_context_free(ctx);
}
END_TEST

START_TEST(growing_arrays)
{
    ml_context *ctx = test_context(1);
    int64_t *v = NULL, capacity = 0;
    for (int64_t n = 1; n <= 1000; n++) {
        ck_assert_int_eq(mli_reserve(ctx, &v, &capacity, n, sizeof *v), 1);
        ck_assert_int_ge(capacity, n);
        v[n - 1] = n;
    }
    for (int64_t n = 1; n <= 1000; n++) ck_assert_int_eq(v[n - 1], n);
    /* Too much: everything stays. */
    int64_t before = capacity, *at = v;
    ck_assert_int_eq(mli_reserve(ctx, &v, &capacity, INT64_MAX, sizeof *v), 0);
    ck_assert_int_eq(capacity, before);
    ck_assert_ptr_eq(v, at);
    mli_free(ctx, v);
    ml_context_free(ctx);
}
END_TEST

/* Asks for much more than there is, again and again. */
static void *asks_for_much(void *arg)
{
    ml_context *ctx = arg;
    for (int i = 0; i < 200000; i++)
        if (mli_alloc(ctx, (size_t)1 << 20)) return ctx;
    return NULL;
}

/* A refused request takes no room from one that fits; of two limits the first counts. */
START_TEST(the_limit_of_a_context)
{
    ml_context *ctx = test_context(1);
    pthread_t other;
    void *got = NULL;
    int failed = 0;
    ck_assert(mli_memory_limit(ctx, mli_memory_used(ctx) + 10000));
    ck_assert(!mli_memory_limit(ctx, (size_t)1 << 40));
    ck_assert_ptr_null(mli_alloc(ctx, PTRDIFF_MAX - 100));
    ck_assert_ptr_null(mli_alloc(ctx, 10000));
    ck_assert_int_eq(pthread_create(&other, NULL, asks_for_much, ctx), 0);
    for (int i = 0; i < 200000; i++) {
        void *small = mli_alloc(ctx, 1000);
        failed += !small;
        mli_free(ctx, small);
    }
    pthread_join(other, &got);
    ck_assert_ptr_null(got);
    ck_assert_int_eq(failed, 0);
    mli_memory_lift(ctx);
    void *large = mli_alloc(ctx, (size_t)1 << 20);
    ck_assert_ptr_nonnull(large);
    mli_free(ctx, large);
    ml_context_free(ctx);
}
END_TEST

#define LARGE ((size_t)8 << 20)

static size_t spare_bytes(ml_context *ctx)
{
    return atomic_load(&ctx->spares.bytes);
}

/* What was freed last comes again, whole, and is counted by what it is. */
START_TEST(large_blocks_come_again)
{
    ml_context *ctx = test_context(1);
    size_t before = mli_memory_used(ctx);
    unsigned char *a = mli_alloc_vec(ctx, LARGE, 1), *b = mli_alloc_vec(ctx, LARGE, 1);
    ck_assert(a && b);
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    mli_free(ctx, a);
    mli_free(ctx, b);
    ck_assert_uint_eq(mli_memory_used(ctx), before);
    ck_assert_uint_ge(spare_bytes(ctx), 2 * LARGE);
    /* Too small by far, and too large: not these. */
    unsigned char *half = mli_alloc_vec(ctx, LARGE / 2, 1);
    unsigned char *twice = mli_alloc_vec(ctx, 2 * LARGE, 1);
    ck_assert_uint_ge(spare_bytes(ctx), 2 * LARGE);
    b = mli_alloc_vec(ctx, LARGE - 4096, 1);
    ck_assert_uint_eq((uintptr_t)b, second);
    ck_assert_uint_ge(mli_memory_used(ctx), before + LARGE + LARGE / 2 + 2 * LARGE);
    a = mli_alloc_vec(ctx, LARGE, 1);
    ck_assert_uint_eq((uintptr_t)a, first);
    ck_assert_uint_eq(spare_bytes(ctx), 0);
    fill(a, LARGE);
    fill(b, LARGE - 4096);
    holds(a, LARGE, 7);
    mli_free(ctx, half);
    mli_free(ctx, twice);
    mli_free(ctx, a);
    mli_free(ctx, b);
    ck_assert_uint_eq(mli_memory_used(ctx), before);
    ml_context_free(ctx);
}
END_TEST

START_TEST(spare_blocks_have_a_bound)
{
    ml_context *ctx = test_context(1);
    void *blocks[60], *huge = mli_alloc_vec(ctx, 300 << 20, 1);
    size_t before = mli_memory_used(ctx);
    ck_assert_ptr_nonnull(huge);
    mli_free(ctx, huge);
    ck_assert_uint_eq(spare_bytes(ctx), 0);
    mli_free_now(ctx, mli_alloc_vec(ctx, (int64_t)LARGE, 1));
    mli_free_now(ctx, NULL);
    ck_assert_uint_eq(spare_bytes(ctx), 0);
    for (int i = 0; i < 60; i++) {
        blocks[i] = mli_alloc_vec(ctx, (int64_t)LARGE, 1);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    for (int i = 0; i < 60; i++) {
        mli_free(ctx, blocks[i]);
        ck_assert_uint_le(spare_bytes(ctx), MLI_SPARE_MOST);
    }
    ck_assert_uint_ge(spare_bytes(ctx), MLI_SPARE_MOST - 2 * LARGE);
    ck_assert_uint_lt(mli_memory_used(ctx), before);
    /* A host's own allocator gets each block back at once. */
    failing_alloc f = {0};
    ml_context *other = failing_context(&f);
    int64_t live = f.live;
    mli_free(other, mli_alloc_vec(other, (int64_t)LARGE, 1));
    ck_assert_int_eq(f.live, live);
    ck_assert_uint_eq(spare_bytes(other), 0);
    ml_context_free(other);
    ml_context_free(ctx);
}
END_TEST

/* With a limit they count, and never take room from what lives. */
START_TEST(spare_blocks_keep_the_limit)
{
    ml_context *ctx = test_context(1);
    size_t used = mli_memory_used(ctx);
    ck_assert(mli_memory_limit(ctx, used + 3 * LARGE));
    mli_free(ctx, mli_alloc_vec(ctx, (int64_t)LARGE, 1));
    ck_assert_uint_ge(spare_bytes(ctx), LARGE);
    void *most = mli_alloc_vec(ctx, (int64_t)(3 * LARGE - LARGE / 2), 1);
    ck_assert_ptr_nonnull(most);
    ck_assert_uint_eq(spare_bytes(ctx), 0);
    ck_assert_ptr_null(mli_alloc_vec(ctx, (int64_t)LARGE, 1));
    mli_free(ctx, most);
    ck_assert_uint_eq(mli_memory_used(ctx), used);
    ml_context_free(ctx);
}
END_TEST

static void *takes_and_gives(void *arg)
{
    ml_context *ctx = arg;
    int wrong = 0;
    for (int i = 0; i < 300; i++) {
        unsigned char *p = mli_alloc_vec(ctx, (int64_t)LARGE / 2 + i * 512, 1);
        if (!p) return NULL;
        p[0] = p[LARGE / 2 - 1] = (unsigned char)i;
        wrong += p[0] != (unsigned char)i || p[LARGE / 2 - 1] != (unsigned char)i;
        mli_free(ctx, p);
    }
    return wrong ? NULL : ctx;
}

START_TEST(spare_blocks_from_many_threads)
{
    ml_context *ctx = test_context(1);
    size_t used = mli_memory_used(ctx);
    pthread_t threads[4];
    void *fine = NULL;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, takes_and_gives, ctx), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &fine);
        ck_assert_ptr_eq(fine, ctx);
    }
    ck_assert_uint_eq(mli_memory_used(ctx), used);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("core/memory", without_a_context, with_the_default_allocator,
          with_the_hosts_allocator, refuses_overflow, copies_text,
          failure_keeps_the_old_block, buffer_is_zeroed_and_aligned, buffer_releases_once,
          growing_arrays, the_limit_of_a_context, large_blocks_come_again,
          spare_blocks_have_a_bound, spare_blocks_keep_the_limit,
          spare_blocks_from_many_threads)
