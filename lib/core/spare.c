/* SPDX-License-Identifier: MIT
 *
 * core/spare.c: large blocks kept for a moment (spare.h). The system may take their pages
 * at any time without writing them anywhere (MADV_FREE), so that they are not missed by
 * other programs. Whoever finds the list in use goes without it, which cannot hang after
 * a fork. Cost: a look through at most 48 entries, for blocks of 2 MiB and more.
 */
#include "core/spare.h"

#include "core/context.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)0)
#endif

#define PAGE 4096u

static int enter(mli_spares *s)
{
    return !atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire);
}

static void leave(mli_spares *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

/* Lets the system have the pages when it needs them. Bases are at whole pages. */
static void offer(void *base, size_t total)
{
#ifdef MADV_FREE
    madvise(base, total / PAGE * PAGE, MADV_FREE);
#endif
    ASAN_POISON_MEMORY_REGION(base, total);
    (void)base;
    (void)total;
}

static void *pick_out(mli_spares *s, int i)
{
    void *base = s->block[i].base;
    size_t total = s->block[i].total;
    ASAN_UNPOISON_MEMORY_REGION(base, total);
    atomic_fetch_sub_explicit(&s->bytes, total, memory_order_relaxed);
    s->n--;
    memmove(s->block + i, s->block + i + 1, (size_t)(s->n - i) * sizeof *s->block);
    (void)total;
    return base;
}

static void free_old(mli_spares *s, double now)
{
    while (s->n && now - s->block[0].since > MLI_SPARE_AGE) free(pick_out(s, 0));
}

void *mli_spare_take(mli_spares *s, size_t *total)
{
    void *base = NULL;
    int best = -1;
    if (!atomic_load_explicit(&s->bytes, memory_order_relaxed) || !enter(s)) return NULL;
    /* Of equal ones the last: its pages are the likeliest to be there still. */
    for (int i = 0; i < s->n; i++) {
        size_t size = s->block[i].total;
        if (size < *total || size - *total > *total / 8) continue;
        if (best < 0 || size <= s->block[best].total) best = i;
    }
    if (best >= 0) {
        *total = s->block[best].total;
        base = pick_out(s, best);
    }
    free_old(s, mli_now());
    leave(s);
    return base;
}

int mli_spare_give(mli_spares *s, void *base, size_t total)
{
    if (total > MLI_SPARE_MOST || !enter(s)) return 0;
    double now = mli_now();
    size_t room = MLI_SPARE_MOST - total;
    free_old(s, now);
    while (s->n == MLI_SPARE_COUNT ||
           atomic_load_explicit(&s->bytes, memory_order_relaxed) > room)
        free(pick_out(s, 0));
    offer(base, total);
    s->block[s->n++] = (mli_spare_block){base, total, now};
    atomic_fetch_add_explicit(&s->bytes, total, memory_order_relaxed);
    leave(s);
    return 1;
}

void mli_spare_drop(mli_spares *s)
{
    if (!enter(s)) return;
    while (s->n) free(pick_out(s, s->n - 1));
    leave(s);
}
