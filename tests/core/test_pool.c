/* SPDX-License-Identifier: MIT
 *
 * Parallel loops: each task once, slots exclusive, nesting, many host threads, changing
 * the number of threads, the host's executor, failing resources.
 */
#include "failing.h"
#include "core/context.h"
#include "core/parallel.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MOST 64

typedef struct loop {
    ml_context *ctx;
    int32_t slots;
    int64_t n;
    atomic_int *done;              /* [n] */
    atomic_int inside[SLOTS_MOST]; /* tasks running with a slot */
    atomic_int clashes, slots_used[SLOTS_MOST];
    int nest;
    int meet; /* tasks wait until so many slots are in use */
} loop;

static int count_slots(loop *l)
{
    int used = 0;
    for (int i = 0; i < SLOTS_MOST; i++) used += atomic_load(&l->slots_used[i]);
    return used;
}

/* Waits for the others, at most ten seconds. */
static void meet(loop *l)
{
    for (int i = 0; i < 10000 && count_slots(l) < l->meet; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void mark(void *arg, int64_t task, int32_t slot)
{
    loop *l = arg;
    if (slot < 0 || slot >= l->slots || task < 0 || task >= l->n) {
        atomic_fetch_add(&l->clashes, 1);
        return;
    }
    if (atomic_fetch_add(&l->inside[slot], 1) != 0) atomic_fetch_add(&l->clashes, 1);
    atomic_fetch_add(&l->done[task], 1);
    atomic_store(&l->slots_used[slot], 1);
    meet(l);
    if (l->nest) {
        loop inner = {.ctx = l->ctx, .slots = l->slots, .n = 20};
        atomic_int done[20] = {0};
        inner.done = done;
        mli_parallel(l->ctx, 20, mark, &inner);
        for (int i = 0; i < 20; i++)
            if (done[i] != 1) atomic_fetch_add(&l->clashes, 1);
        atomic_fetch_add(&l->clashes, inner.clashes);
    }
    atomic_fetch_sub(&l->inside[slot], 1);
}

/* Runs a loop; returns the number of slots used, -1 if anything was wrong. */
static int run_loop(ml_context *ctx, int64_t n, int nest, int meeting)
{
    loop l = {.ctx = ctx, .n = n, .nest = nest, .meet = meeting};
    mli_pool *hold = mli_parallel_hold(ctx);
    l.slots = mli_slots(ctx);
    l.done = calloc((size_t)(n > 0 ? n : 1), sizeof *l.done);
    mli_parallel(ctx, n, mark, &l);
    mli_parallel_release(hold);
    int wrong = l.clashes;
    for (int64_t i = 0; i < n; i++) wrong += l.done[i] != 1;
    free(l.done);
    return wrong ? -1 : count_slots(&l);
}

START_TEST(each_task_runs_once)
{
    static const int64_t sizes[] = {0, -5, 1, 2, 3, 7, 8, 100, 10000};
    for (int32_t threads = 0; threads <= 9; threads++) {
        ml_context *ctx = test_context(threads);
        ck_assert_int_eq(mli_slots(ctx), threads > 1 ? threads : 1);
        for (int k = 0; k < 9; k++) ck_assert_int_ge(run_loop(ctx, sizes[k], 0, 0), 0);
        for (int k = 0; k < 300; k++)
            ck_assert_int_gt(run_loop(ctx, 1 + k % 20, 0, 0), 0);
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(threads_work_together)
{
    ml_context *ctx = test_context(4);
    ck_assert_int_eq(run_loop(ctx, 40, 0, 4), 4);
    nanosleep(&(struct timespec){0, 20000000}, NULL); /* the workers fall asleep */
    ck_assert_int_eq(run_loop(ctx, 40, 0, 4), 4);
    ck_assert_int_eq(run_loop(ctx, 4, 0, 4), 4);
    ck_assert_int_eq(run_loop(ctx, 2, 0, 2), 2);
    OK(ml_context_set_threads(ctx, 7, ERR));
    ck_assert_int_eq(run_loop(ctx, 7, 0, 7), 7);
    ml_context_free(ctx);
}
END_TEST

START_TEST(serial_uses_slot_zero)
{
    ml_context *ctx = test_context(1);
    ck_assert_int_eq(run_loop(ctx, 50, 0, 0), 1);
    ck_assert_int_eq(run_loop(ctx, 50, 1, 0), 1);
    ml_context_free(ctx);
}
END_TEST

START_TEST(nested_loops_run)
{
    ml_context *ctx = test_context(4);
    for (int i = 0; i < 50; i++) ck_assert_int_gt(run_loop(ctx, 30, 1, 0), 0);
    ml_context_free(ctx);
}
END_TEST

static void *host_thread(void *arg)
{
    ml_context *ctx = arg;
    intptr_t wrong = 0;
    for (int i = 0; i < 200; i++) wrong += run_loop(ctx, 1 + i % 50, i % 10 == 0, 0) < 0;
    return (void *)wrong;
}

START_TEST(eight_host_threads_share_a_context)
{
    ml_context *ctx = test_context(3);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, host_thread, ctx);
    for (int i = 0; i < 8; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(threads_can_change)
{
    ml_context *ctx = test_context(1);
    for (int32_t i = 0; i < 30; i++) {
        int32_t threads = i % 7;
        OK(ml_context_set_threads(ctx, threads, ERR));
        ck_assert_int_eq(mli_slots(ctx), threads > 1 ? threads : 1);
        ck_assert_int_gt(run_loop(ctx, 100, 0, 0), 0);
    }
    OK(ml_context_set_threads(ctx, -1, ERR));
    ck_assert_int_eq(mli_slots(ctx), mli_cpu_count());
    FAILS(ML_E_RANGE, ml_context_set_threads(ctx, -2, ERR));
    FAILS(ML_E_RANGE, ml_context_set_threads(ctx, 1025, ERR));
    ck_assert_int_eq(mli_slots(ctx), mli_cpu_count());
    ml_context_free(ctx);
}
END_TEST

static void change_inside(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    ml_context *ctx = arg;
    if (task == 0 && ml_context_set_threads(ctx, 5, NULL) != ML_E_STATE) abort();
}

START_TEST(threads_cannot_change_during_a_loop)
{
    ml_context *ctx = test_context(2);
    for (int i = 0; i < 20; i++) mli_parallel(ctx, 4, change_inside, ctx);
    ck_assert_int_eq(mli_slots(ctx), 2);
    mli_pool *hold = mli_parallel_hold(ctx);
    FAILS(ML_E_STATE, ml_context_set_threads(ctx, 3, ERR));
    ck_assert_uint_gt(strlen(ml_error_hint(ERR)), 0);
    mli_pool *again = mli_parallel_hold(ctx);
    mli_parallel_release(hold);
    FAILS(ML_E_STATE, ml_context_set_threads(ctx, 3, ERR));
    mli_parallel_release(again);
    mli_parallel_release(NULL);
    OK(ml_context_set_threads(ctx, 3, ERR));
    ml_context_free(ctx);
}
END_TEST

typedef struct changer {
    ml_context *ctx;
    atomic_int stop;
    int changed;
} changer;

static void *change_threads(void *arg)
{
    changer *c = arg;
    for (int32_t i = 0; !atomic_load(&c->stop); i++) {
        ml_status status = ml_context_set_threads(c->ctx, 1 + i % 6, NULL);
        if (status == ML_OK) c->changed++;
        if (status != ML_OK && status != ML_E_STATE) abort();
        sched_yield();
    }
    return NULL;
}

/* Whoever sizes memory by mli_slots under a hold never sees a larger slot. */
START_TEST(changing_races_with_loops)
{
    ml_context *ctx = test_context(2);
    changer c = {.ctx = ctx};
    pthread_t changing[2], running[2];
    changer second = {.ctx = ctx};
    pthread_create(&changing[0], NULL, change_threads, &c);
    pthread_create(&changing[1], NULL, change_threads, &second);
    for (int i = 0; i < 2; i++) pthread_create(&running[i], NULL, host_thread, ctx);
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;
        pthread_join(running[i], &wrong);
        ck_assert_ptr_null(wrong);
    }
    atomic_store(&c.stop, 1);
    atomic_store(&second.stop, 1);
    for (int i = 0; i < 2; i++) pthread_join(changing[i], NULL);
    ml_context_free(ctx);
}
END_TEST

static atomic_int blocked, unblocked;

static void look_at_mask(void *arg, int64_t task, int32_t slot)
{
    (void)task;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    int all = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) &&
              sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGCHLD);
    if (slot > 0) atomic_fetch_add(all ? &blocked : &unblocked, 1);
    loop *l = arg;
    atomic_store(&l->slots_used[slot], 1);
    meet(l);
}

START_TEST(workers_block_signals)
{
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    ml_context *ctx = test_context(3);
    loop l = {.meet = 3};
    mli_parallel(ctx, 30, look_at_mask, &l);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_eq(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
    ck_assert_int_eq(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
    ck_assert_int_ge(blocked, 2);
    ck_assert_int_eq(unblocked, 0);
    ml_context_free(ctx);
}
END_TEST

/* With no memory for the workers, loops run inline; nothing leaks. */
START_TEST(runs_without_memory)
{
    int inline_runs = 0;
    for (int64_t n = 1; n < 40; n++) {
        failing_alloc f = {0};
        ml_host host = failing_host(&f);
        host.threads = 4;
        ml_context *ctx = NULL;
        OK(ml_context_new(&host, &ctx, ERR));
        f.fail_at = f.calls + n;
        ck_assert_int_gt(run_loop(ctx, 30, 0, 0), 0);
        inline_runs += f.failures > 0;
        f.fail_at = 0;
        ck_assert_int_eq(run_loop(ctx, 30, 0, 4), 4); /* memory is back */
        ml_context_free(ctx);
        ck_assert_int_eq(f.live, 0);
        ck_assert_int_eq(f.faults, 0);
    }
    ck_assert_int_ge(inline_runs, 1);
}
END_TEST

/* 0 when all went well, 2 when threads cannot be refused here. */
static int run_refused(void)
{
    /* The limit of processes does not bind root. */
    if (geteuid() == 0 && setuid(65534) != 0) return 2;
    if (setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1}) != 0) return 2;
    ml_context *ctx = test_context(8);
    int used = run_loop(ctx, 30, 0, 0) == 1 && run_loop(ctx, 30, 0, 0) == 1;
    ml_context_free(ctx);
    return used ? 0 : 1;
}

/* When the system refuses threads, loops run inline. In a process of its own, which
 * keeps the limits. */
START_TEST(runs_without_threads)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) _exit(run_refused());
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) SKIP("threads cannot be refused here");
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* --- the host's executor ------------------------------------------------------------ */

typedef struct executor {
    int threads;
    int mode; /* 0 proper, 1 leaves pieces out, 2 runs pieces twice, 3 does nothing */
    atomic_int calls;
    _Atomic int64_t grain_sum;
} executor;

typedef struct piece {
    ml_task_fn fn;
    void *arg;
    int64_t begin, end;
} piece;

static void *run_piece(void *arg)
{
    piece *p = arg;
    if (p->begin < p->end) p->fn(p->arg, p->begin, p->end);
    return NULL;
}

static void host_parallel_for(int64_t n, int64_t grain, ml_task_fn fn, void *arg,
                              void *user)
{
    executor *x = user;
    atomic_fetch_add(&x->calls, 1);
    ck_assert_int_ge(grain, 1);
    if (x->mode == 3) return;
    pthread_t threads[16];
    piece pieces[16];
    int64_t share = (n + x->threads - 1) / x->threads;
    for (int i = 0; i < x->threads; i++) {
        int64_t begin = i * share, end = begin + share < n ? begin + share : n;
        if (x->mode == 2) begin = 0;
        if (x->mode == 1 && i % 2) end = begin;
        pieces[i] = (piece){fn, arg, begin, end};
        pthread_create(&threads[i], NULL, run_piece, &pieces[i]);
    }
    for (int i = 0; i < x->threads; i++) pthread_join(threads[i], NULL);
}

static ml_context *executor_context(executor *x, int32_t concurrency)
{
    ml_host host = ML_HOST_INIT;
    host.parallel_for = host_parallel_for;
    host.executor_user = x;
    host.executor_concurrency = concurrency;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    return ctx;
}

START_TEST(host_executor_runs_loops)
{
    for (int mode = 0; mode < 4; mode++) {
        executor x = {.threads = 4, .mode = mode};
        ml_context *ctx = executor_context(&x, 4);
        ck_assert_int_eq(mli_slots(ctx), 4);
        ck_assert_int_eq(mli_slots(ctx), 4);
        for (int64_t n = 0; n < 60; n++) ck_assert_int_ge(run_loop(ctx, n, 0, 0), 0);
        ck_assert_int_gt(run_loop(ctx, 1000, 0, 0), 0);
        if (mode == 0) ck_assert_int_eq(run_loop(ctx, 40, 0, 4), 4);
        ck_assert_int_gt(x.calls, 50);
        FAILS(ML_E_STATE, ml_context_set_threads(ctx, 2, ERR));
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(host_executor_may_promise_too_little)
{
    executor x = {.threads = 8};
    ml_context *ctx = executor_context(&x, 2);
    for (int i = 0; i < 20; i++) ck_assert_int_gt(run_loop(ctx, 100, 0, 0), 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(host_executor_nests)
{
    executor x = {.threads = 3};
    ml_context *ctx = executor_context(&x, 3);
    for (int i = 0; i < 5; i++) ck_assert_int_gt(run_loop(ctx, 10, 1, 0), 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(host_executor_with_many_slots)
{
    executor x = {.threads = 16};
    ml_host host = ML_HOST_INIT;
    host.parallel_for = host_parallel_for;
    host.executor_user = &x;
    host.executor_concurrency = 64;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    ck_assert_int_gt(run_loop(ctx, 500, 0, 0), 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(counts_tasks)
{
    ck_assert_int_eq(mli_task_count(0, 10), 0);
    ck_assert_int_eq(mli_task_count(-1, 10), 0);
    ck_assert_int_eq(mli_task_count(1, 10), 1);
    ck_assert_int_eq(mli_task_count(10, 10), 1);
    ck_assert_int_eq(mli_task_count(11, 10), 2);
    ck_assert_int_eq(mli_task_count(INT64_MAX, 1), INT64_MAX);
}
END_TEST

static void nothing(void *arg, int64_t task, int32_t slot)
{
    (void)arg;
    (void)task;
    (void)slot;
}

START_TEST(loops_are_cheap)
{
    ml_context *ctx = test_context(2);
    mli_parallel(ctx, 2, nothing, NULL);
    double start = mli_now();
    for (int i = 0; i < 2000; i++) mli_parallel(ctx, 2, nothing, NULL);
    double each = (mli_now() - start) / 2000;
    printf("a loop of two tasks on two threads costs %.1f us\n", each * 1e6);
    ck_assert_double_lt(each, 0.01);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("core/pool", each_task_runs_once, threads_work_together, serial_uses_slot_zero,
          nested_loops_run, eight_host_threads_share_a_context, threads_can_change,
          threads_cannot_change_during_a_loop, changing_races_with_loops,
          workers_block_signals, runs_without_memory, runs_without_threads,
          host_executor_runs_loops, host_executor_may_promise_too_little,
          host_executor_nests, host_executor_with_many_slots, counts_tasks,
          loops_are_cheap)
