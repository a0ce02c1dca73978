/* SPDX-License-Identifier: MIT
 *
 * tests/failing.h: an allocator for tests. It fails the allocation number `fail_at` and
 * all later ones (or only that one), checks the sizes and alignments given to it, and
 * counts what is live.
 *
 *     failing_alloc f = {.fail_at = n};
 *     ml_host host = failing_host(&f);
 *     ... use a context ...
 *     ck_assert_int_eq(f.live, 0);
 *
 * OUT_OF_MEMORY_LOOP runs a body for n = 1, 2, ... until it succeeds.
 */
#ifndef ML_FAILING_H
#define ML_FAILING_H

#include "testing.h"
#include <stdatomic.h>

typedef struct failing_alloc {
    int64_t fail_at;                   /* 0: never */
    int once;                          /* only that one fails */
    _Atomic int64_t calls;             /* allocations so far, growing ones included */
    _Atomic int64_t failures;          /* how many were refused */
    _Atomic int64_t live, bytes, most; /* most: the most bytes at a time */
    _Atomic int64_t faults;            /* wrong sizes or alignments, foreign pointers */
} failing_alloc;

typedef struct failing_head {
    size_t size, alignment;
    uint64_t magic;
} failing_head;
#define FAILING_GAP   64
#define FAILING_MAGIC 0x5afe5afe5afe5afeu

static inline int failing_refuses(failing_alloc *f)
{
    int64_t call = atomic_fetch_add(&f->calls, 1) + 1;
    if (f->fail_at == 0 || call < f->fail_at || (f->once && call > f->fail_at)) return 0;
    atomic_fetch_add(&f->failures, 1);
    return 1;
}

static inline void *failing_get(failing_alloc *f, size_t size, size_t alignment)
{
    void *base = NULL;
    if (alignment == 0 || (alignment & (alignment - 1)) || alignment > 64)
        atomic_fetch_add(&f->faults, 1);
    if (posix_memalign(&base, FAILING_GAP, size + FAILING_GAP) != 0) return NULL;
    failing_head head = {size, alignment, FAILING_MAGIC};
    memcpy(base, &head, sizeof head);
    memset((char *)base + FAILING_GAP, 0xa5, size);
    atomic_fetch_add(&f->live, 1);
    int64_t now = atomic_fetch_add(&f->bytes, (int64_t)size) + (int64_t)size;
    int64_t most = atomic_load(&f->most);
    while (now > most && !atomic_compare_exchange_weak(&f->most, &most, now)) continue;
    return (char *)base + FAILING_GAP;
}

static inline void failing_put(failing_alloc *f, void *block, size_t size,
                               size_t alignment)
{
    void *base = (char *)block - FAILING_GAP;
    failing_head head;
    memcpy(&head, base, sizeof head);
    if (head.magic != FAILING_MAGIC || head.size != size || head.alignment != alignment) {
        atomic_fetch_add(&f->faults, 1);
        return;
    }
    memset(base, 0x5a, FAILING_GAP);
    free(base);
    atomic_fetch_sub(&f->live, 1);
    atomic_fetch_sub(&f->bytes, (int64_t)size);
}

static inline void *failing_hook_alloc(size_t size, size_t alignment, void *user)
{
    return failing_refuses(user) ? NULL : failing_get(user, size, alignment);
}

static inline void *failing_hook_realloc(void *block, size_t old_size, size_t new_size,
                                         size_t alignment, void *user)
{
    if (failing_refuses(user)) return NULL;
    void *grown = failing_get(user, new_size, alignment);
    if (!grown) return NULL;
    memcpy(grown, block, old_size < new_size ? old_size : new_size);
    failing_put(user, block, old_size, alignment);
    return grown;
}

static inline void failing_hook_free(void *block, size_t size, size_t alignment,
                                     void *user)
{
    failing_put(user, block, size, alignment);
}

static inline ml_host failing_host(failing_alloc *f)
{
    ml_host host = ML_HOST_INIT;
    host.alloc = failing_hook_alloc;
    host.realloc = failing_hook_realloc;
    host.free = failing_hook_free;
    host.alloc_user = f;
    return host;
}

/* Where all is slow a part of the allocations has to do. */
#define OOM_STEP (SANITIZED ? 7 : 1)

/* `status` is what `call` returns, an expression of `host` and the like. Each n must give
 * ML_E_MEMORY and leave nothing, until nothing fails any more. */
#define OUT_OF_MEMORY_STEPS(f, call, step)                                               \
    do {                                                                                 \
        for (int64_t oom_n = 1;; oom_n += (step)) {                                      \
            ck_assert_int_lt(oom_n, 100000);                                             \
            (f) = (failing_alloc){.fail_at = oom_n};                                     \
            ml_status oom_status = (call);                                               \
            ck_assert_int_eq((f).live, 0);                                               \
            ck_assert_int_eq((f).faults, 0);                                             \
            if ((f).failures == 0) {                                                     \
                ck_assert_int_eq(oom_status, ML_OK);                                     \
                break;                                                                   \
            }                                                                            \
            ck_assert_int_eq(oom_status, ML_E_MEMORY);                                   \
        }                                                                                \
    } while (0)
#define OUT_OF_MEMORY_LOOP(f, call) OUT_OF_MEMORY_STEPS(f, call, OOM_STEP)

#endif
