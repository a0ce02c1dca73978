/* SPDX-License-Identifier: MIT
 *
 * tests/testing.h: what every check program needs. A test program is
 *
 *     #include "testing.h"
 *     START_TEST(adds) { ck_assert_int_eq(1 + 1, 2); } END_TEST
 *     TEST_MAIN("core/example", adds, subtracts)
 *
 * It prints check's own closing line and exits with 1 when a test failed. A test that
 * cannot run (shared data absent) calls SKIP(reason): it is reported as skipped.
 */
#ifndef ML_TESTING_H
#define ML_TESTING_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ml/ml.h>

/* Sanitizers make everything slow, and their allocators may be locked for ever in the
 * child of a process with threads. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Fails with the error's message when a libml call fails. */
#define OK(call)                                                                         \
    do {                                                                                 \
        ml_error *ok_err = test_error();                                                 \
        ml_status ok_status = (call);                                                    \
        ck_assert_msg(ok_status == ML_OK, "%s: %s (%s)", #call,                          \
                      ml_error_message(ok_err), ml_status_name(ok_status));              \
    } while (0)
/* The call must fail with that status. */
#define FAILS(status, call)                                                              \
    do {                                                                                 \
        ml_status f_status = (call);                                                     \
        ck_assert_msg(f_status == (status), "%s: %s instead of %s (%s)", #call,          \
                      ml_status_name(f_status), #status,                                 \
                      ml_error_message(test_error()));                                   \
    } while (0)
#define SKIP(reason)                                                                     \
    do {                                                                                 \
        fprintf(stderr, "SKIP: %s: %s\n", __func__, reason);                             \
        ++*test_skip_count();                                                            \
        return;                                                                          \
    } while (0)

static inline int *test_skip_count(void)
{
    static int skipped;
    return &skipped;
}

/* The error object to pass as the last argument inside OK() and FAILS(). */
static inline ml_error *test_error(void)
{
    static ml_error *error;
    if (!error) error = ml_error_new();
    return error;
}
#define ERR test_error()

/* With vector instructions up to a level; 0: all there are. */
static inline ml_context *test_context_level(int32_t threads, int32_t cpu_level)
{
    ml_context *ctx = NULL;
    ml_host host = ML_HOST_INIT;
    host.threads = threads;
    host.cpu_level = cpu_level;
    if (ml_context_new(&host, &ctx, NULL) != ML_OK) abort();
    return ctx;
}

static inline ml_context *test_context(int32_t threads)
{
    return test_context_level(threads, 0);
}

/* What a model predicts for a table; kind: NULL for the usual one. */
static inline ml_tensor *predicted(const ml_model *m, const char *kind, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    ml_predictor_free(p);
    return out;
}

static inline double scored(const ml_model *m, const ml_table *t, const char *metric)
{
    ml_table *scores = NULL;
    OK(ml_model_evaluate(m, t, metric, &scores, ERR));
    double value = ml_table_get_f64(scores, 0, 1);
    ml_table_free(scores);
    return value;
}

/* Path below the shared data folder, or NULL when the file is not there. */
static inline const char *shared_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("ML_SHARED_DATA");
    if (!root) return NULL;
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fclose(f);
    return path;
}
/* Path below the source root. */
static inline const char *source_path(const char *name)
{
    static char path[4096];
    const char *root = getenv("ML_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/%s", root ? root : ".", name);
    return path;
}
/* A new empty folder for this process, under the build folder's temporary place. */
static inline const char *test_folder(void)
{
    static char path[64];
    if (!path[0]) {
        snprintf(path, sizeof path, "/tmp/libml-test-XXXXXX");
        if (!mkdtemp(path)) abort();
    }
    return path;
}
static inline void test_folder_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder());
    if (system(command) != 0) fprintf(stderr, "could not remove %s\n", test_folder());
}

/* Runs the tests whose array is given by TEST_MAIN. */
static inline int test_run(const char *name, const TTest *const *tests, int n)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, SANITIZED ? 900 : 300);
    for (int i = 0; i < n; i++) tcase_add_test(tc, tests[i]);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    if (getenv("ML_TEST_NO_FORK")) srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
#define TEST_MAIN(name, ...)                                                             \
    int main(void)                                                                       \
    {                                                                                    \
        const TTest *const tests[] = {__VA_ARGS__};                                      \
        test_folder(); /* made here, so that forked tests share it */                    \
        int result = test_run(name, tests, (int)(sizeof tests / sizeof tests[0]));       \
        test_folder_remove();                                                            \
        return result;                                                                   \
    }

#endif
