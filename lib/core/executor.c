/* SPDX-License-Identifier: MIT
 *
 * core/executor.c: loops on the host's threads. The host's pieces count as permissions
 * to run so many tasks; the tasks themselves come from an atomic counter. So each runs
 * exactly once, even when a host's executor leaves pieces out or runs one twice.
 *
 * A piece claims a slot for its time. An executor that waits in a nested loop may run a
 * further piece of the outer loop on the same thread; when no slot is free, that piece
 * returns without work (waiting could be for ever), and its tasks fall to the others.
 */
#include "core/executor.h"

#define WORD_BITS         64
#define PIECES_PER_THREAD 4

typedef struct loop {
    mli_task fn;
    void *arg;
    int64_t n;
    int32_t slots;
    _Atomic int64_t next;
    _Atomic uint64_t taken[MLI_EXECUTOR_MOST / WORD_BITS]; /* bit per slot */
} loop;

/* The bits of word `w` that are slots. */
static uint64_t slots_of_word(const loop *l, int32_t w)
{
    int32_t bits = l->slots - w * WORD_BITS;
    return bits >= WORD_BITS ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static int32_t claim_in_word(loop *l, int32_t w)
{
    uint64_t mask = slots_of_word(l, w), taken = atomic_load(&l->taken[w]);
    while ((taken & mask) != mask) {
        uint64_t lowest = ~taken & (taken + 1);
        if (atomic_compare_exchange_weak(&l->taken[w], &taken, taken | lowest))
            return w * WORD_BITS + __builtin_ctzll(lowest);
    }
    return -1;
}

static int32_t claim(loop *l)
{
    for (int32_t w = 0; w * WORD_BITS < l->slots; w++) {
        int32_t slot = claim_in_word(l, w);
        if (slot >= 0) return slot;
    }
    return -1;
}

static void release(loop *l, int32_t slot)
{
    atomic_fetch_and(&l->taken[slot / WORD_BITS], ~((uint64_t)1 << slot % WORD_BITS));
}

static void run_piece(void *arg, int64_t begin, int64_t end)
{
    loop *l = arg;
    int32_t slot = claim(l);
    if (slot < 0) return;
    for (int64_t i = begin; i < end; i++) {
        int64_t task = atomic_fetch_add(&l->next, 1);
        if (task >= l->n) break;
        l->fn(l->arg, task, slot);
    }
    release(l, slot);
}

void mli_executor_run(const ml_host *host, int64_t n, mli_task fn, void *arg)
{
    loop l = {.fn = fn, .arg = arg, .n = n, .slots = host->executor_concurrency};
    int64_t grain = n / ((int64_t)l.slots * PIECES_PER_THREAD);
    host->parallel_for(n, grain > 1 ? grain : 1, run_piece, &l, host->executor_user);
    run_piece(&l, 0, n); /* what was left out */
}
