/* SPDX-License-Identifier: MIT
 *
 * Contexts across fork: the child gets a pool of its own.
 */
#include "failing.h"
#include "core/context.h"
#include "core/parallel.h"
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void count(void *arg, int64_t task, int32_t slot)
{
    (void)slot;
    atomic_fetch_add((_Atomic int64_t *)arg, task);
}

static int loop_is_right(ml_context *ctx, int64_t n)
{
    _Atomic int64_t sum = 0;
    mli_parallel(ctx, n, count, &sum);
    return sum == n * (n - 1) / 2;
}

typedef struct meeting {
    atomic_int slots; /* bits */
    int expected;
} meeting;

static int present(meeting *m)
{
    return __builtin_popcount((unsigned)atomic_load(&m->slots));
}

/* Each task waits until all the slots have come, at most ten seconds. */
static void use_slot(void *arg, int64_t task, int32_t slot)
{
    (void)task;
    meeting *m = arg;
    atomic_fetch_or(&m->slots, 1 << slot);
    for (int i = 0; i < 10000 && present(m) < m->expected; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static int slots_meet(ml_context *ctx, int n)
{
    meeting m = {.expected = n};
    mli_parallel(ctx, 30, use_slot, &m);
    return present(&m) == n;
}

/* Exit status of a child that runs `body`; a hanging child is ended by its alarm. */
static int in_child(int (*body)(void *arg), void *arg)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        alarm(60);
        _exit(body(arg) ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int use_pool(void *arg)
{
    ml_context *ctx = arg;
    return loop_is_right(ctx, 100) && slots_meet(ctx, 3) && mli_slots(ctx) == 3 &&
           loop_is_right(ctx, 1000);
}

START_TEST(child_and_parent_use_the_pool)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(3);
    for (int i = 0; i < 50; i++) {
        ck_assert(loop_is_right(ctx, 1 + i));
        ck_assert_int_eq(in_child(use_pool, ctx), 0);
    }
    ck_assert(slots_meet(ctx, 3));
    ml_context_free(ctx);
}
END_TEST

static int free_context(void *arg)
{
    ml_context_free(arg);
    return 1;
}

static int use_and_free(void *arg)
{
    int right = use_pool(arg);
    ml_context_free(arg);
    return right;
}

static int change_threads(void *arg)
{
    ml_context *ctx = arg;
    return ml_context_set_threads(ctx, 5, NULL) == ML_OK && slots_meet(ctx, 5) &&
           mli_slots(ctx) == 5;
}

START_TEST(child_may_free_and_resize)
{
    if (SANITIZED) SKIP("not under sanitizers");
    for (int used = 0; used < 2; used++) {
        ml_context *ctx = test_context(3);
        if (used) ck_assert(loop_is_right(ctx, 100));
        ck_assert_int_eq(in_child(free_context, ctx), 0);
        ck_assert_int_eq(in_child(use_and_free, ctx), 0);
        ck_assert_int_eq(in_child(change_threads, ctx), 0);
        ck_assert_int_eq(mli_slots(ctx), 3);
        ck_assert(slots_meet(ctx, 3));
        ml_context_free(ctx);
    }
}
END_TEST

static int grandchild(void *arg)
{
    return use_pool(arg) && in_child(use_and_free, arg) == 0 && use_and_free(arg);
}

START_TEST(grandchildren_too)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(3);
    ck_assert(loop_is_right(ctx, 100));
    for (int i = 0; i < 5; i++) ck_assert_int_eq(in_child(grandchild, ctx), 0);
    ml_context_free(ctx);
}
END_TEST

static int use_serially(void *arg)
{
    return loop_is_right(arg, 100);
}

START_TEST(serial_contexts_need_nothing)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(1);
    ck_assert_int_eq(in_child(use_serially, ctx), 0);
    ml_context_free(ctx);
}
END_TEST

typedef struct busy {
    ml_context *ctx;
    atomic_int stop;
} busy;

static void *keep_busy(void *arg)
{
    busy *b = arg;
    while (!atomic_load(&b->stop))
        if (!loop_is_right(b->ctx, 50)) abort();
    return NULL;
}

static int resize_somehow(void *arg)
{
    ml_context *ctx = arg;
    /* The other thread may have been inside a loop at the fork: then growing is refused,
     * shrinking never is. */
    ml_status more = ml_context_set_threads(ctx, 4, NULL);
    ml_status fewer = ml_context_set_threads(ctx, 2, NULL);
    int right =
        (more == ML_OK || more == ML_E_STATE) && fewer == ML_OK && slots_meet(ctx, 2);
    ml_context_free(ctx);
    return right;
}

/* Forks while another thread is in the middle of loops. */
START_TEST(fork_during_loops_of_another_thread)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(3);
    busy b = {.ctx = ctx};
    pthread_t thread;
    pthread_create(&thread, NULL, keep_busy, &b);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(in_child(i % 2 ? use_and_free : resize_somehow, ctx), 0);
    atomic_store(&b.stop, 1);
    pthread_join(thread, NULL);
    ml_context_free(ctx);
}
END_TEST

static void *use_from_thread(void *arg)
{
    return loop_is_right(arg, 200) ? arg : NULL;
}

static int many_threads_at_once(void *arg)
{
    pthread_t threads[8];
    int right = 1;
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, use_from_thread, arg);
    for (int i = 0; i < 8; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        right &= result != NULL;
    }
    ml_context_free(arg);
    return right;
}

START_TEST(threads_of_the_child_race_for_the_new_pool)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_context *ctx = test_context(3);
    ck_assert(loop_is_right(ctx, 100));
    for (int i = 0; i < 30; i++) ck_assert_int_eq(in_child(many_threads_at_once, ctx), 0);
    ml_context_free(ctx);
}
END_TEST

static failing_alloc shared_alloc;

static int without_memory(void *arg)
{
    ml_context *ctx = arg;
    shared_alloc.fail_at = shared_alloc.calls + 1;
    int right = slots_meet(ctx, 1) && mli_slots(ctx) == 3 &&
                mli_parallel_hold(ctx) == NULL &&
                ml_context_set_threads(ctx, 2, NULL) == ML_E_MEMORY;
    shared_alloc.fail_at = 0;
    right = right && slots_meet(ctx, 3);
    ml_context_free(ctx);
    return right && shared_alloc.live == 0 && shared_alloc.faults == 0;
}

START_TEST(child_without_memory_runs_inline)
{
    if (SANITIZED) SKIP("not under sanitizers");
    ml_host host = failing_host(&shared_alloc);
    host.threads = 3;
    ml_context *ctx = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    ck_assert(loop_is_right(ctx, 100));
    ck_assert_int_eq(in_child(without_memory, ctx), 0);
    ml_context_free(ctx);
    ck_assert_int_eq(shared_alloc.live, 0);
}
END_TEST

TEST_MAIN("core/fork", child_and_parent_use_the_pool, child_may_free_and_resize,
          grandchildren_too, serial_contexts_need_nothing,
          fork_during_loops_of_another_thread, threads_of_the_child_race_for_the_new_pool,
          child_without_memory_runs_inline)
