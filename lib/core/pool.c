/* SPDX-License-Identifier: MIT
 *
 * core/pool.c: the context's worker threads and mli_parallel. The calling thread works
 * too, as slot 0; worker i is slot i. Tasks are taken from an atomic counter. An idle
 * worker spins for some microseconds, since loops often follow each other closely, and
 * then sleeps.
 *
 * A loop that finds the pool busy (a nested one, or one of another host thread) runs
 * inline. The pool of a forked child has no threads: it is noticed by its generation and
 * replaced. The old one is kept until the context ends, since another thread of the
 * child may be looking at it.
 */
#define _GNU_SOURCE
#include "core/executor.h"
#include "core/parallel.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define SPINS      2000
#define STACK_SIZE (2u << 20)

typedef struct worker {
    pthread_t thread;
    mli_pool *pool;
    unsigned seen; /* the last loop it knows of */
    int32_t slot;
} worker;

struct mli_pool {
    unsigned generation;
    atomic_int threads; /* the calling thread included */
    int limit;          /* threads may not grow beyond it */
    int spins;
    mli_pool *retired; /* of the process before fork */
    atomic_int users;  /* holders; -1 while resizing */
    atomic_int busy;   /* one loop at a time */
    worker *workers;   /* threads - 1, of which the first `started` run */
    int32_t started;
    int32_t refused; /* the system gave no more threads */
    /* Sleeping and waking. */
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    atomic_int sleepers, waiting, quit;
    /* The loop. A worker may touch it only between raising and lowering `active`, and
     * only if `open` is set after the raise. */
    mli_task fn;
    void *arg;
    int64_t n;
    atomic_uint loop; /* number of the present loop */
    atomic_int open, active;
    _Alignas(64) _Atomic int64_t next;
};

/* The one mutable global of the library: counts the forks that led to this process, from
 * 1 on (0: nobody asked yet). A pool compares it to know that its threads stayed in the
 * parent. A process identifier does not do: it costs a system call for each loop, and
 * numbers are used again. */
static atomic_uint fork_generation;

static void count_fork(void)
{
    atomic_fetch_add(&fork_generation, 1);
}

/* Registers once; twice, if two threads make their first contexts at once, is harmless.
 * Returns 0 when out of memory. */
static unsigned watch_forks(void)
{
    unsigned now = atomic_load(&fork_generation);
    if (now != 0) return now;
    if (pthread_atfork(NULL, NULL, count_fork) != 0) return 0;
    atomic_compare_exchange_strong(&fork_generation, &now, 1);
    return atomic_load(&fork_generation);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static mli_pool *pool_new(ml_context *ctx, int32_t threads, unsigned generation)
{
    mli_pool *pool = mli_alloc_vec(ctx, 1, sizeof *pool);
    if (!pool) return NULL;
    *pool = (mli_pool){.generation = generation, .threads = threads, .limit = INT32_MAX};
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) goto no_mutex;
    if (pthread_cond_init(&pool->wake, NULL) != 0) goto no_wake;
    if (pthread_cond_init(&pool->done, NULL) != 0) goto no_done;
    return pool;
no_done:
    pthread_cond_destroy(&pool->wake);
no_wake:
    pthread_mutex_destroy(&pool->mutex);
no_mutex:
    mli_free(ctx, pool);
    return NULL;
}

/* Ends the workers. */
static void stop(ml_context *ctx, mli_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->quit, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    mli_free(ctx, pool->workers);
    pool->workers = NULL;
    pool->started = pool->refused = 0;
    atomic_store(&pool->quit, 0);
}

static void pool_delete(ml_context *ctx, mli_pool *pool)
{
    stop(ctx, pool);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    mli_free(ctx, pool);
}

/* Of the process before fork: its threads do not exist here, and its locks may be held
 * by them for ever, so nothing but the memory is given back. */
static void pool_forget(ml_context *ctx, mli_pool *pool)
{
    mli_free(ctx, pool->workers);
    mli_free(ctx, pool);
}

ml_status mli_pool_start(ml_context *ctx, int32_t threads, ml_error *err)
{
    unsigned generation = watch_forks();
    mli_pool *pool = generation ? pool_new(ctx, threads, generation) : NULL;
    if (!pool) return mli_nomem(err);
    atomic_store(&ctx->pool, pool);
    return ML_OK;
}

void mli_pool_free(ml_context *ctx)
{
    mli_pool *pool = atomic_load(&ctx->pool);
    while (pool) {
        mli_pool *retired = pool->retired;
        if (pool->generation == atomic_load(&fork_generation))
            pool_delete(ctx, pool);
        else
            pool_forget(ctx, pool);
        pool = retired;
    }
}

/* The pool of this process, or NULL when there is no memory to replace the parent's. */
static mli_pool *current(ml_context *ctx)
{
    mli_pool *pool = atomic_load(&ctx->pool);
    unsigned generation = atomic_load(&fork_generation);
    if (pool->generation == generation) return pool;
    mli_pool *fresh = pool_new(ctx, atomic_load(&pool->threads), generation);
    if (!fresh) return NULL;
    fresh->retired = pool;
    /* The call that forked may go on here, with scratch memory for so many slots. */
    if (atomic_load(&pool->users) > 0) fresh->limit = atomic_load(&pool->threads);
    if (atomic_compare_exchange_strong(&ctx->pool, &pool, fresh)) return fresh;
    pool_delete(ctx, fresh);
    return pool;
}

mli_pool *mli_parallel_hold(ml_context *ctx)
{
    mli_pool *pool = current(ctx);
    if (!pool) return NULL;
    int users = atomic_load(&pool->users);
    do {
        for (; users < 0; users = atomic_load(&pool->users)) sched_yield();
    } while (!atomic_compare_exchange_weak(&pool->users, &users, users + 1));
    return pool;
}

void mli_parallel_release(mli_pool *pool)
{
    if (pool) atomic_fetch_sub(&pool->users, 1);
}

static ml_status in_use(ml_error *err)
{
    mli_fail(err, ML_E_STATE,
             "the number of threads cannot change while a call runs in the context");
    return mli_error_hint(err, ML_E_STATE, "change it before or after the call");
}

static ml_status forked_inside(ml_error *err, int limit)
{
    mli_fail(err, ML_E_STATE,
             "the process was forked during a call in the context, which may go on here "
             "with at most %d threads",
             limit);
    return mli_error_hint(err, ML_E_STATE, "make a new context");
}

ml_status mli_pool_resize(ml_context *ctx, int32_t threads, ml_error *err)
{
    mli_pool *pool = current(ctx);
    if (!pool) return mli_nomem(err);
    if (threads > pool->limit) return forked_inside(err, pool->limit);
    int users = 0;
    while (!atomic_compare_exchange_weak(&pool->users, &users, -1)) {
        if (users > 0) return in_use(err);
        if (users < 0) sched_yield(); /* another thread is resizing */
        users = 0;
    }
    stop(ctx, pool);
    atomic_store(&pool->threads, threads);
    atomic_store(&pool->users, 0);
    return ML_OK;
}

int32_t mli_slots(const ml_context *ctx)
{
    if (ctx->host.parallel_for) return ctx->host.executor_concurrency;
    return atomic_load(&atomic_load(&ctx->pool)->threads);
}

static void work(mli_pool *pool, int32_t slot)
{
    mli_task fn = pool->fn;
    void *arg = pool->arg;
    int64_t n = pool->n, task;
    while ((task = atomic_fetch_add(&pool->next, 1)) < n) fn(arg, task, slot);
}

/* Joins the present loop unless it is over already. */
static void join_loop(mli_pool *pool, int32_t slot)
{
    atomic_fetch_add(&pool->active, 1);
    if (atomic_load(&pool->open)) work(pool, slot);
    if (atomic_fetch_sub(&pool->active, 1) != 1 || !atomic_load(&pool->waiting)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->mutex);
}

static int nothing_new(mli_pool *pool, unsigned seen)
{
    return atomic_load(&pool->loop) == seen && !atomic_load(&pool->quit);
}

static void await_loop(mli_pool *pool, unsigned seen)
{
    for (int i = 0; i < pool->spins; i++) {
        if (!nothing_new(pool, seen)) return;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (nothing_new(pool, seen)) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *arg)
{
    worker *self = arg;
    mli_pool *pool = self->pool;
    for (;;) {
        await_loop(pool, self->seen);
        if (atomic_load(&pool->quit)) return NULL;
        self->seen = atomic_load(&pool->loop);
        join_loop(pool, self->slot);
    }
}

static int start_worker(mli_pool *pool, const pthread_attr_t *attributes)
{
    worker *w = &pool->workers[pool->started];
    *w = (worker){
        .pool = pool, .seen = atomic_load(&pool->loop), .slot = pool->started + 1};
    if (pthread_create(&w->thread, attributes, worker_main, w) != 0) return 0;
    pool->started++;
    return 1;
}

/* Starts workers until there are `wanted`, or as many as can be had. They inherit the
 * mask: signals are for the host's threads. */
static void start_workers(ml_context *ctx, mli_pool *pool, int32_t wanted)
{
    if (pool->started >= wanted || pool->refused) return;
    int32_t most = atomic_load(&pool->threads) - 1;
    if (!pool->workers) {
        pool->workers = mli_calloc(ctx, (size_t)most, sizeof *pool->workers);
        if (!pool->workers) return;
        pool->spins = most < mli_cpu_count() ? SPINS : 0;
    }
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->started < wanted && start_worker(pool, &attributes)) continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    pool->refused = pool->started < wanted;
}

static void open_loop(mli_pool *pool, int64_t n, mli_task fn, void *arg)
{
    pool->fn = fn;
    pool->arg = arg;
    pool->n = n;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->open, 1);
    atomic_fetch_add(&pool->loop, 1);
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    if (n > pool->started) {
        pthread_cond_broadcast(&pool->wake);
    } else {
        for (int64_t i = 1; i < n; i++) pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
}

/* Lets nobody join any more and waits for those who did. */
static void close_loop(mli_pool *pool)
{
    atomic_store(&pool->open, 0);
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load(&pool->active) == 0) return;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waiting, 1);
    while (atomic_load(&pool->active) > 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->mutex);
}

/* Returns 0 when the pool could not take the loop. */
static int run_in_pool(ml_context *ctx, mli_pool *pool, int64_t n, mli_task fn, void *arg)
{
    int32_t threads = atomic_load(&pool->threads);
    if (threads < 2 || atomic_exchange(&pool->busy, 1)) return 0;
    start_workers(ctx, pool, n < threads ? (int32_t)n - 1 : threads - 1);
    int usable = pool->started > 0;
    if (usable) {
        open_loop(pool, n, fn, arg);
        work(pool, 0);
        close_loop(pool);
    }
    atomic_store(&pool->busy, 0);
    return usable;
}

void mli_parallel(ml_context *ctx, int64_t n, mli_task fn, void *arg)
{
    if (n > 1 && ctx->host.parallel_for) {
        mli_executor_run(&ctx->host, n, fn, arg);
        return;
    }
    mli_pool *pool = n > 1 ? mli_parallel_hold(ctx) : NULL;
    if (!pool || !run_in_pool(ctx, pool, n, fn, arg))
        for (int64_t i = 0; i < n; i++) fn(arg, i, 0);
    mli_parallel_release(pool);
}
