/* SPDX-License-Identifier: MIT
 *
 * core/memory.h: allocation through the context's allocator. Each block carries a hidden
 * head with its size, so that freeing needs only the pointer.
 */
#ifndef MLI_CORE_MEMORY_H
#define MLI_CORE_MEMORY_H

#include <ml/context.h>
#include <stdatomic.h>

/* 16-byte aligned. Size 0 gives a valid block. NULL when out of memory. */
void *mli_alloc(ml_context *ctx, size_t size);
void *mli_calloc(ml_context *ctx, size_t count,
                 size_t size); /* checks overflow, zeroes */
/* 64-byte aligned, for vector kernels; checks overflow; not zeroed. */
void *mli_alloc_vec(ml_context *ctx, int64_t count, size_t size);
/* Grows or shrinks a block of mli_alloc/mli_calloc; the old block stays on failure. */
void *mli_realloc(ml_context *ctx, void *block, size_t size);
/* Room for `need` elements in a growing array. `block` is the address of its pointer,
 * NULL at first. At least doubles; 1 on success, else all is as it was. */
int mli_reserve(ml_context *ctx, void *block, int64_t *capacity, int64_t need,
                size_t size);
void mli_free(ml_context *ctx, void *block); /* any of the above; NULL is fine */
/* The same; a large block goes back to the system at once (spare.h): nothing will ask for
 * one like it soon, and more memory is to be taken yet. */
void mli_free_now(ml_context *ctx, void *block);
char *mli_strdup(ml_context *ctx, const char *text);
char *mli_strndup(ml_context *ctx, const char *text, size_t size);

/* Bytes of all blocks of a context that live. */
size_t mli_memory_used(ml_context *ctx);
/* Allocations that would make them more than `most` (not 0) fail until it is lifted.
 * There is one limit at a time: 0 when there is one already, which then stays. */
int mli_memory_limit(ml_context *ctx, size_t most);
void mli_memory_lift(ml_context *ctx);
size_t mli_memory_most(ml_context *ctx); /* 0: no limit */

/* Fills in the C library's allocator; used by the context only. */
void mli_host_allocator(ml_host *host);

/* Reference counts, for immutable objects. */
typedef struct mli_ref {
    atomic_int_fast32_t count;
} mli_ref;
static inline void mli_ref_init(mli_ref *r)
{
    atomic_init(&r->count, 1);
}
static inline void mli_ref_up(mli_ref *r)
{
    atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
}
/* True when the last reference is gone and the object must be destroyed. */
static inline int mli_ref_down(mli_ref *r)
{
    return atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) == 1;
}

/* A counted block of bytes that several objects share: own memory, a host's buffer, a
 * mapped file. `release` (nullable) is called with `user` when the last one goes. */
typedef struct mli_buffer {
    mli_ref ref;
    ml_context *ctx;
    const void *data;
    size_t size;
    void (*release)(void *user);
    void *user;
} mli_buffer;
/* Own memory of `size` bytes, 64-byte aligned, zeroed; written through the pointer
 * *data before the buffer is shared. NULL when out of memory. */
mli_buffer *mli_buffer_new(ml_context *ctx, size_t size, void *data /* void ** */);
/* The same, not zeroed. */
mli_buffer *mli_buffer_room(ml_context *ctx, size_t size, void *data /* void ** */);
mli_buffer *mli_buffer_wrap(ml_context *ctx, const void *data, size_t size,
                            void (*release)(void *), void *user);
mli_buffer *mli_buffer_ref(mli_buffer *b); /* NULL is fine */
void mli_buffer_free(mli_buffer *b);

#endif
