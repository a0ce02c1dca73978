/* SPDX-License-Identifier: MIT
 *
 * core/memory.c: allocation through the context's allocator (the C library's without a
 * context). A head of 16 bytes in front of each block holds its size and alignment.
 */
#include "core/context.h"
#include "core/spare.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SMALL  16u
#define VECTOR 64u
#define HUGE   ((size_t)2 << 20) /* a large page */

typedef struct head {
    size_t total;   /* bytes given by the allocator, the gap in front included */
    uint32_t align; /* SMALL or VECTOR: also the size of the gap */
    uint32_t unused;
} head;
_Static_assert(sizeof(head) <= SMALL, "the head fits into the gap");

/* Asks for large pages inside a block, which then costs one page fault in place of 512.
 * Only whole ones, so that no more memory is touched than without. */
static void *advise(void *block, size_t size)
{
#ifdef MADV_HUGEPAGE
    uintptr_t begin = ((uintptr_t)block + HUGE - 1) / HUGE * HUGE;
    uintptr_t end = ((uintptr_t)block + size) / HUGE * HUGE;
    if (end > begin) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#endif
    return block;
}

static void *c_alloc(size_t size, size_t alignment, void *user)
{
    (void)user;
    if (alignment <= SMALL) return malloc(size);
    void *block = NULL;
    size_t at = size >= MLI_SPARE_LEAST ? HUGE : alignment;
    if (posix_memalign(&block, at, size) != 0) return NULL;
    return size >= MLI_SPARE_LEAST ? advise(block, size) : block;
}

static void *c_realloc(void *block, size_t old_size, size_t new_size, size_t alignment,
                       void *user)
{
    if (alignment <= SMALL) return realloc(block, new_size);
    void *grown = c_alloc(new_size, alignment, user);
    if (!grown) return NULL;
    memcpy(grown, block, old_size < new_size ? old_size : new_size);
    free(block);
    return grown;
}

static void c_free(void *block, size_t size, size_t alignment, void *user)
{
    (void)size;
    (void)alignment;
    (void)user;
    free(block);
}

void mli_host_allocator(ml_host *host)
{
    host->alloc = c_alloc;
    host->realloc = c_realloc;
    host->free = c_free;
    host->alloc_user = NULL;
}

static head *head_of(void *block)
{
    return (head *)((char *)block - sizeof(head));
}

static void *base_of(void *block)
{
    return (char *)block - head_of(block)->align;
}

/* Behind `base` comes the gap, whose last 16 bytes are the head, and then the block. */
static void *dress(void *base, size_t total, uint32_t align)
{
    if (!base) return NULL;
    void *block = (char *)base + align;
    *head_of(block) = (head){total, align, 0};
    return block;
}

/* ---- the budget ---- */

/* Counts `total` more bytes; 0 when they are more than the context may use. What is
 * refused is never counted, so that others do not find the room taken meanwhile. */
static int take(ml_context *ctx, size_t total)
{
    if (!ctx) return 1;
    size_t most = atomic_load_explicit(&ctx->most_bytes, memory_order_relaxed);
    if (!most) {
        atomic_fetch_add_explicit(&ctx->bytes, total, memory_order_relaxed);
        return 1;
    }
    size_t used = atomic_load_explicit(&ctx->bytes, memory_order_relaxed);
    do
        if (used > most || total > most - used) return 0;
    while (!atomic_compare_exchange_weak_explicit(
        &ctx->bytes, &used, used + total, memory_order_relaxed, memory_order_relaxed));
    return 1;
}

static void give_back(ml_context *ctx, size_t total)
{
    if (ctx) atomic_fetch_sub_explicit(&ctx->bytes, total, memory_order_relaxed);
}

size_t mli_memory_used(ml_context *ctx)
{
    return atomic_load_explicit(&ctx->bytes, memory_order_relaxed);
}

size_t mli_memory_most(ml_context *ctx)
{
    return atomic_load_explicit(&ctx->most_bytes, memory_order_relaxed);
}

int mli_memory_limit(ml_context *ctx, size_t most)
{
    size_t none = 0;
    return atomic_compare_exchange_strong(&ctx->most_bytes, &none, most);
}

void mli_memory_lift(ml_context *ctx)
{
    atomic_store_explicit(&ctx->most_bytes, 0, memory_order_relaxed);
}

/* ---- blocks ---- */

/* Are blocks like this kept when they are freed? Those of c_alloc at large pages. */
static int kept(const ml_context *ctx, size_t total, size_t align)
{
    return ctx && align == VECTOR && total >= MLI_SPARE_LEAST &&
           ctx->host.alloc == c_alloc;
}

static void *get_large(ml_context *ctx, size_t total)
{
    size_t most = atomic_load_explicit(&ctx->most_bytes, memory_order_relaxed),
           real = total;
    void *base = mli_spare_take(&ctx->spares, &real);
    /* With the few bytes that it is larger it must fit the limit as well. */
    if (base && real > total && !take(ctx, real - total)) {
        free(base);
        base = NULL;
    }
    if (base) return dress(base, real, VECTOR);
    /* What is kept never makes others fail. */
    if (most && mli_memory_used(ctx) + atomic_load(&ctx->spares.bytes) > most)
        mli_spare_drop(&ctx->spares);
    base = c_alloc(total, VECTOR, NULL);
    if (!base) {
        mli_spare_drop(&ctx->spares);
        base = c_alloc(total, VECTOR, NULL);
    }
    return dress(base, total, VECTOR);
}

static void *get(ml_context *ctx, size_t size, uint32_t align)
{
    if (size > PTRDIFF_MAX - VECTOR) return NULL;
    size_t total = size + align;
    if (!take(ctx, total)) return NULL;
    void *block = NULL;
    if (kept(ctx, total, align))
        block = get_large(ctx, total);
    else
        block = dress(ctx ? ctx->host.alloc(total, align, ctx->host.alloc_user)
                          : c_alloc(total, align, NULL),
                      total, align);
    if (!block) give_back(ctx, total);
    return block;
}

void *mli_alloc(ml_context *ctx, size_t size)
{
    return get(ctx, size, SMALL);
}

void *mli_calloc(ml_context *ctx, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    if (bytes > PTRDIFF_MAX - VECTOR) return NULL;
    if (!ctx || ctx->host.alloc == c_alloc) { /* fresh pages are zero already */
        if (!take(ctx, bytes + SMALL)) return NULL;
        void *base = calloc(1, bytes + SMALL);
        if (!base) give_back(ctx, bytes + SMALL);
        return dress(base, bytes + SMALL, SMALL);
    }
    void *block = get(ctx, bytes, SMALL);
    if (block) memset(block, 0, bytes);
    return block;
}

void *mli_alloc_vec(ml_context *ctx, int64_t count, size_t size)
{
    size_t bytes;
    if (count < 0 || __builtin_mul_overflow((uint64_t)count, size, &bytes)) return NULL;
    return get(ctx, bytes, VECTOR);
}

void *mli_realloc(ml_context *ctx, void *block, size_t size)
{
    if (!block) return mli_alloc(ctx, size);
    if (size > PTRDIFF_MAX - VECTOR) return NULL;
    uint32_t align = head_of(block)->align;
    size_t old = head_of(block)->total, total = size + align;
    void *base = base_of(block);
    if (total > old && !take(ctx, total - old)) return NULL;
    base = ctx ? ctx->host.realloc(base, old, total, align, ctx->host.alloc_user)
               : c_realloc(base, old, total, align, NULL);
    if (base && total < old) give_back(ctx, old - total);
    if (!base && total > old) give_back(ctx, total - old);
    return dress(base, total, align);
}

int mli_reserve(ml_context *ctx, void *block, int64_t *capacity, int64_t need,
                size_t size)
{
    size_t bytes;
    int64_t n = *capacity > INT64_MAX / 2 ? need : 2 * *capacity;
    if (need <= *capacity) return 1;
    if (n < need) n = need;
    if (n < 16) n = 16;
    if (__builtin_mul_overflow((uint64_t)n, size, &bytes)) return 0;
    void *old, *grown;
    memcpy(&old, block, sizeof old); /* a pointer of any type */
    grown = mli_realloc(ctx, old, bytes);
    if (!grown) return 0;
    memcpy(block, &grown, sizeof grown);
    *capacity = n;
    return 1;
}

static int give_spare(ml_context *ctx, void *base, size_t total)
{
    size_t most = atomic_load_explicit(&ctx->most_bytes, memory_order_relaxed);
    size_t held = mli_memory_used(ctx) + atomic_load(&ctx->spares.bytes);
    if (most && held + total > most) return 0;
    return mli_spare_give(&ctx->spares, base, total);
}

static void let_go(ml_context *ctx, void *block, int keep)
{
    if (!block) return;
    void *base = base_of(block);
    size_t total = head_of(block)->total, align = head_of(block)->align;
    give_back(ctx, total);
    if (keep && kept(ctx, total, align) && give_spare(ctx, base, total)) return;
    if (ctx)
        ctx->host.free(base, total, align, ctx->host.alloc_user);
    else
        c_free(base, total, align, NULL);
}

void mli_free(ml_context *ctx, void *block)
{
    let_go(ctx, block, 1);
}

void mli_free_now(ml_context *ctx, void *block)
{
    let_go(ctx, block, 0);
}

char *mli_strndup(ml_context *ctx, const char *text, size_t size)
{
    if (size == SIZE_MAX) return NULL;
    char *copy = mli_alloc(ctx, size + 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

char *mli_strdup(ml_context *ctx, const char *text)
{
    return mli_strndup(ctx, text, strlen(text));
}

/* The struct and its own data are one block: the data begin 64 bytes in. */
_Static_assert(sizeof(mli_buffer) <= VECTOR, "the struct fits in front of the data");

static void buffer_init(mli_buffer *b, ml_context *ctx, const void *data, size_t size)
{
    mli_ref_init(&b->ref);
    b->ctx = mli_context_ref(ctx);
    b->data = data;
    b->size = size;
    b->release = NULL;
    b->user = NULL;
}

mli_buffer *mli_buffer_room(ml_context *ctx, size_t size, void *data)
{
    if (size > PTRDIFF_MAX - 2 * VECTOR) return NULL;
    mli_buffer *b = get(ctx, size + VECTOR, VECTOR);
    if (!b) return NULL;
    void *bytes = (char *)b + VECTOR;
    buffer_init(b, ctx, bytes, size);
    if (data) memcpy(data, &bytes, sizeof bytes);
    return b;
}

mli_buffer *mli_buffer_new(ml_context *ctx, size_t size, void *data)
{
    mli_buffer *b = mli_buffer_room(ctx, size, data);
    if (b) memset((void *)(uintptr_t)b->data, 0, size);
    return b;
}

mli_buffer *mli_buffer_wrap(ml_context *ctx, const void *data, size_t size,
                            void (*release)(void *), void *user)
{
    mli_buffer *b = mli_alloc(ctx, sizeof *b);
    if (!b) return NULL;
    buffer_init(b, ctx, data, size);
    b->release = release;
    b->user = user;
    return b;
}

mli_buffer *mli_buffer_ref(mli_buffer *b)
{
    if (b) mli_ref_up(&b->ref);
    return b;
}

void mli_buffer_free(mli_buffer *b)
{
    if (!b || !mli_ref_down(&b->ref)) return;
    ml_context *ctx = b->ctx;
    if (b->release) b->release(b->user);
    mli_free(ctx, b);
    ml_context_free(ctx);
}
