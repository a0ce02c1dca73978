/* SPDX-License-Identifier: MIT
 *
 * Journals: a study that is cut off anywhere, killed, or whose file is damaged at any
 * byte goes on with all whole records; foreign files are left alone; warm starts.
 */
#include "../testing.h"

#include "../failing.h"
#include "core/context.h"
#include "core/file.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPACE "x: [0.0, 1.0]\nkind: {a, b}\nk: [1, 9] if kind == a"

static const char *journal_path(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static ml_status open_study(ml_context *ctx, const char *path, const char *more,
                            ml_study **out)
{
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_status st = ml_estimator_new(ctx, "baseline", &e, ERR);
    if (st == ML_OK) st = ml_params_new(ctx, &o, ERR);
    if (st == ML_OK) st = ml_params_set_str(o, "space", SPACE, ERR);
    if (st == ML_OK) st = ml_params_set_str(o, "sampler", "tpe", ERR);
    if (st == ML_OK && path) st = ml_params_set_str(o, "journal", path, ERR);
    if (st == ML_OK && more) st = ml_params_read_yaml(o, more, strlen(more), ERR);
    if (st == ML_OK) st = ml_study_new(e, NULL, NULL, o, out, ERR);
    ml_params_free(o);
    ml_estimator_free(e);
    return st;
}

static double score_of(const ml_params *p)
{
    double x = 0, k = 0;
    OK(ml_params_get_f64(p, "x", &x, ERR));
    if (strcmp(ml_params_get_str(p, "kind"), "b") == 0) return 1 + x;
    OK(ml_params_get_f64(p, "k", &k, ERR));
    return fabs(x - 0.3) + fabs(k - 4) / 10;
}

/* Asks and tells until the study has n trials; the last ask stays untold when `cut`. */
static void go_on(ml_study *s, int64_t n, int cut)
{
    for (;;) {
        int64_t trial;
        ml_params *p = NULL;
        OK(ml_study_ask(s, &trial, &p, ERR));
        double v = score_of(p);
        ml_params_free(p);
        if (cut && trial == n - 1) return;
        OK(ml_study_tell_value(s, trial, NULL, 1, v + 1, NULL, ERR));
        OK(ml_study_tell(s, trial, trial == 5 ? NAN : v, ERR));
        if (trial == n - 1) return;
    }
}

static char *text_of(const ml_study *s)
{
    static const char *const names[] = {"trial", "state", "score", "x", "kind", "k"};
    char cell[64], *out = calloc(1, 65536), *at = out;
    ml_table *t = NULL;
    OK(ml_study_get_table(s, "trials", &t, ERR));
    for (int64_t i = 0; i < ml_table_rows(t); i++)
        for (int k = 0; k < 6; k++) {
            ml_table_get_str(t, i, ml_table_find(t, names[k]), cell, sizeof cell);
            at += sprintf(at, "%s%c", cell, k == 5 ? '\n' : ' ');
        }
    ml_table_free(t);
    return out;
}

static char *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *data = malloc(1 << 20);
    ck_assert_ptr_nonnull(f);
    *size = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

static void write_all(const char *path, const char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void check_resumed(const char *more)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path(more + strlen("sampler: "));
    ml_study *s = NULL;
    OK(open_study(ctx, NULL, more, &s));
    go_on(s, 40, 0);
    char *whole = text_of(s);
    ml_study_free(s);
    for (int n = 7; n <= 40; n += 11) { /* cut off with a trial running, four times */
        s = NULL;
        OK(open_study(ctx, path, more, &s));
        go_on(s, n, n < 40);
        ml_study_free(s);
    }
    OK(open_study(ctx, path, more, &s));
    char *resumed = text_of(s);
    double best;
    ml_params *p = NULL;
    OK(ml_study_best_params(s, &best, &p, ERR));
    ck_assert_str_eq(resumed, whole);
    ml_params_free(p);
    free(whole);
    free(resumed);
    ml_study_free(s);
    ml_context_free(ctx);
}

START_TEST(a_resumed_study_is_the_same)
{
    check_resumed("sampler: tpe");
    check_resumed("sampler: gp");
    check_resumed("sampler: evolution");
}
END_TEST

/* The child tells trials as fast as it can, and the parent kills it. */
START_TEST(killed)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("killed");
    int64_t before = 0;
    for (int round = 0; round < 6; round++) {
        int told[2];
        ck_assert_int_eq(pipe(told), 0);
        pid_t child = fork();
        if (child == 0) {
            ml_study *s = NULL;
            if (open_study(ctx, path, "{journal_sync: none}", &s) < 0) _exit(1);
            for (;;) {
                int64_t trial;
                ml_params *p = NULL;
                if (ml_study_ask(s, &trial, &p, NULL) < 0 ||
                    ml_study_tell(s, trial, score_of(p), NULL) < 0 ||
                    write(told[1], &trial, sizeof trial) != sizeof trial)
                    _exit(1);
                ml_params_free(p);
            }
        }
        close(told[1]);
        int64_t last = -1, trial;
        for (int i = 0; i < 5 + round * 3; i++)
            if (read(told[0], &trial, sizeof trial) == sizeof trial) last = trial;
        kill(child, SIGKILL);
        while (read(told[0], &trial, sizeof trial) == sizeof trial) last = trial;
        close(told[0]);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        ck_assert_int_ge(last, before);
        ml_study *s = NULL;
        ml_table *t = NULL;
        OK(open_study(ctx, path, NULL, &s));
        OK(ml_study_get_table(s, "trials", &t, ERR));
        ck_assert_int_gt(ml_table_rows(t), last); /* all that was told is there */
        for (int64_t i = 0; i <= last; i++) {
            char state[16];
            ml_table_get_str(t, i, ml_table_find(t, "state"), state, sizeof state);
            ck_assert_str_eq(state, "done");
        }
        before = last;
        ml_table_free(t);
        ml_study_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

static int64_t count_state(const ml_study *s, const char *wanted)
{
    ml_table *t = NULL;
    char state[16];
    int64_t n = 0;
    OK(ml_study_get_table(s, "trials", &t, ERR));
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        ml_table_get_str(t, i, ml_table_find(t, "state"), state, sizeof state);
        n += strcmp(state, wanted) == 0;
    }
    ml_table_free(t);
    return n;
}

/* Each byte in turn is changed, and the file cut there: at most one trial is lost, and
 * the study can go on. */
START_TEST(damaged_at_any_byte)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("damaged");
    ml_study *s = NULL;
    size_t size;
    OK(open_study(ctx, path, NULL, &s));
    go_on(s, 4, 0);
    ml_study_free(s);
    char *data = read_all(path, &size);
    for (size_t i = 0; i < size; i++) {
        char held = data[i];
        data[i] = (char)(held == '\n' ? 'x' : held ^ 1);
        write_all(path, data, size);
        data[i] = held;
        s = NULL;
        OK(open_study(ctx, path, NULL, &s));
        ck_assert_int_ge(count_state(s, "done"), 3);
        ml_study_free(s);
        write_all(path, data, i);
        s = NULL;
        OK(open_study(ctx, path, NULL, &s));
        int64_t whole = 0;
        for (const char *at = data; (at = strstr(at, "{\"tell\"")); at++)
            whole += strchr(at, '}') < data + i;
        ck_assert_int_eq(count_state(s, "done"), whole);
        if (i % 97 == 0) go_on(s, 6, 0);
        ml_study_free(s);
    }
    free(data);
    ml_context_free(ctx);
}
END_TEST

START_TEST(journals_that_do_not_fit)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("other");
    ml_study *s = NULL;
    OK(open_study(ctx, path, NULL, &s));
    go_on(s, 3, 0);
    ml_study_free(s);
    s = NULL;
    FAILS(ML_E_DATA, open_study(ctx, path, "{space: \"y: [0, 1]\"}", &s));
    ck_assert_ptr_nonnull(strstr(
        ml_error_message(ERR),
        "of another study: its space is \"x: [0.0, 1.0]; kind: {a, b}; k: [1, 9] if "
        "kind == a\", not \"y: [0, 1]\""));
    FAILS(ML_E_DATA, open_study(ctx, path, "{space: \"x: [0, 1] step 0.5\"}", &s));
    ck_assert_ptr_nonnull(
        strstr(ml_error_message(ERR), "not \"x: [0.0, 1.0] step 0.5\""));
    FAILS(ML_E_DATA, open_study(ctx, path, "{direction: maximize}", &s));
    FAILS(ML_E_DATA, open_study(ctx, path, "{objectives: [cost]}", &s));
    size_t size;
    write_all(path, "a letter to a friend\n", 21);
    FAILS(ML_E_FORMAT, open_study(ctx, path, NULL, &s));
    char *left = read_all(path, &size);
    ck_assert_int_eq(size, 21);
    free(left);
    FAILS(ML_E_IO, open_study(ctx, "/no/such/folder/journal", NULL, &s));
    ck_assert_ptr_null(s);
    /* Whole records of nonsense are passed over. */
    write_all(path, "J1 0000000000000000 2 {}\n", 25);
    OK(open_study(ctx, path, NULL, &s));
    go_on(s, 2, 0);
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Reals have a point, whatever their value: another reader sees their type. */
START_TEST(reals_stay_reals)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("reals");
    ml_study *s = NULL;
    int64_t trial;
    size_t size;
    ml_params *p = NULL;
    OK(open_study(
        ctx, path,
        "{space: \"x: [0.0, 2.0] step 1.0; n: [3, 4]; z: {1.0}\", sampler: grid, "
        "grid_points: 2}",
        &s));
    OK(ml_study_ask(s, &trial, &p, ERR));
    ml_params_free(p);
    (void)!ml_study_tell_value(s, trial, NULL, 7, 3, NULL, ERR);
    OK(ml_study_tell(s, trial, 2, ERR));
    ml_study_free(s);
    char *text = read_all(path, &size);
    static const char *const lines[] = {
        "\"x: [0.0, 2.0] step 1.0; n: [3, 4]; z: {1.0}\"",
        "{\"ask\": 0, \"params\": {\"x\": \"0.0\", \"n\": \"3\", \"z\": \"1.0\"}}",
        "{\"report\": 0, \"step\": 7, \"value\": 3.0}",
        "\"values\": [2.0], \"spread\": null"};
    for (int i = 0; i < 4; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s in %s", lines[i], text);
    free(text);
    ml_context_free(ctx);
}
END_TEST

START_TEST(warm_starts)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("parent");
    char more[512];
    ml_study *s = NULL;
    OK(open_study(ctx, path, NULL, &s));
    go_on(s, 40, 0);
    double best, first = NAN;
    ml_params *p = NULL, *q = NULL;
    OK(ml_study_best_params(s, &best, &p, ERR));
    ml_study_free(s);
    /* transfer: the best of the parent come first. */
    snprintf(more, sizeof more, "{warm_start: [\"%s\"], warm_start_type: transfer}",
             path);
    OK(open_study(ctx, NULL, more, &s));
    int64_t trial;
    OK(ml_study_ask(s, &trial, &q, ERR));
    ck_assert_str_eq(ml_params_get_str(p, "x"), ml_params_get_str(q, "x"));
    ml_params_free(p);
    ml_params_free(q);
    ml_study_free(s);
    /* Into another space: what is nearest there, each once, with what it has beside. */
    snprintf(more, sizeof more,
             "{warm_start: [\"%s\"], warm_start_type: transfer, "
             "space: \"x: [1.5, 3.0]; more: [1, 9]\"}",
             path);
    s = NULL;
    OK(open_study(ctx, NULL, more, &s));
    for (int i = 0; i < 5; i++) {
        OK(ml_study_ask(s, &trial, &q, ERR));
        if (i == 0) ck_assert_str_eq(ml_params_get_str(q, "x"), "1.5");
        if (i == 0) ck_assert_str_eq(ml_params_get_str(q, "more"), "5");
        if (i > 0) ck_assert_str_ne(ml_params_get_str(q, "x"), "1.5");
        ck_assert_ptr_nonnull(ml_params_get_str(q, "more"));
        ml_params_free(q);
    }
    ml_study_free(s);
    /* identical: no startup is needed, the first trials are good already. */
    snprintf(more, sizeof more, "{warm_start: [\"%s\"], sampler: gp}", path);
    s = NULL;
    OK(open_study(ctx, NULL, more, &s));
    double sum = 0;
    for (int i = 0; i < 5; i++) {
        OK(ml_study_ask(s, &trial, &q, ERR));
        sum += first = score_of(q);
        OK(ml_study_tell(s, trial, first, ERR));
        ml_params_free(q);
    }
    ck_assert_double_lt(sum / 5, 0.5);
    ck_assert_int_eq(count_state(s, "done"), 5);
    ml_study_free(s);
    FAILS(ML_E_IO, open_study(ctx, NULL, "{warm_start: [/no/such/file]}", &s));
    snprintf(more, sizeof more, "{warm_start: [\"%s\"], direction: maximize}", path);
    FAILS(ML_E_DATA, open_study(ctx, NULL, more, &s));
    ml_context_free(ctx);
}
END_TEST

/* Numbers of trials would be given out twice, and the trial that is running. */
START_TEST(one_writer)
{
    ml_context *ctx = test_context(1);
    const char *path = journal_path("writers");
    ml_study *first = NULL, *second = NULL;
    int64_t trial;
    ml_params *p = NULL;
    OK(open_study(ctx, path, NULL, &first));
    go_on(first, 4, 1);
    OK(open_study(ctx, path, NULL, &second)); /* to look at it is fine */
    ck_assert_int_eq(count_state(second, "done"), 3);
    FAILS(ML_E_IO, ml_study_ask(second, &trial, &p, ERR));
    ck_assert_ptr_nonnull(
        strstr(ml_error_message(ERR), "another fit or study is writing to the journal"));
    OK(ml_study_tell(first, 3, 1, ERR));
    ml_study_free(first);
    FAILS(ML_E_IO, ml_study_ask(second, &trial, &p, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR),
                                 "has written to the journal meanwhile; begin again"));
    OK(open_study(ctx, path, NULL, &first)); /* which the other one does not hold */
    go_on(first, 5, 0);
    ck_assert_int_eq(count_state(first, "done"), 5);
    ml_study_free(first);
    ml_study_free(second);
    ml_context_free(ctx);
}
END_TEST

/* Writing or syncing fails at each call in turn: an error, and what was told before is
 * there when the study is opened again. */
static int64_t writes_left;
static int refused(void)
{
    if (writes_left-- > 0) return 0;
    errno = ENOSPC;
    return 1;
}
static int64_t failing_write(int fd, const void *buffer, size_t size)
{
    if (refused()) return size > 9 && write(fd, buffer, 9) < 0 ? -1 : -1; /* a torn one */
    return mli_fs_posix.write(fd, buffer, size);
}
static int failing_fsync(int fd)
{
    return refused() ? -1 : mli_fs_posix.fsync(fd);
}

START_TEST(disk_full_anywhere)
{
    mli_fs fs = mli_fs_posix;
    fs.write = failing_write;
    fs.fsync = failing_fsync;
    for (int64_t n = 0; n < 14; n++) {
        ml_context *ctx = test_context(1);
        char name[32];
        snprintf(name, sizeof name, "full-%d", (int)n);
        const char *path = journal_path(name);
        ml_study *s = NULL;
        ctx->fs = &fs;
        writes_left = n;
        int64_t told = 0;
        ml_status st = open_study(ctx, path, NULL, &s);
        for (int i = 0; i < 4 && st == ML_OK; i++) {
            int64_t trial;
            ml_params *p = NULL;
            st = ml_study_ask(s, &trial, &p, ERR);
            if (st == ML_OK) st = ml_study_tell(s, trial, score_of(p), ERR);
            told += st == ML_OK;
            ml_params_free(p);
        }
        if (n < 13) ck_assert_int_eq(st, ML_E_IO);
        ml_study_free(s);
        s = NULL;
        ctx->fs = &mli_fs_posix;
        OK(open_study(ctx, path, NULL, &s));
        int64_t found = count_state(s, "done");
        ck_assert(found == told || found == told + 1); /* written, but not synced */
        go_on(s, 6, 0);
        ml_study_free(s);
        ml_context_free(ctx);
    }
}
END_TEST

static ml_status small(failing_alloc *f, const char *path)
{
    ml_context *ctx = NULL;
    ml_host host = failing_host(f);
    ml_study *s = NULL;
    unlink(path);
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = open_study(ctx, path, NULL, &s);
    for (int i = 0; i < 2 && st == ML_OK; i++) {
        int64_t trial;
        ml_params *p = NULL;
        st = ml_study_ask(s, &trial, &p, NULL);
        if (st == ML_OK) st = ml_study_tell_value(s, trial, NULL, 3, 0.5, NULL, NULL);
        if (st == ML_OK) st = ml_study_tell(s, trial, 0.25, NULL);
        ml_params_free(p);
    }
    ml_study_free(s);
    ml_context_free(ctx);
    return st;
}

START_TEST(out_of_memory_anywhere)
{
    failing_alloc f = {0};
    OUT_OF_MEMORY_LOOP(f, small(&f, journal_path("memory")));
}
END_TEST

TEST_MAIN("tuning/journal", a_resumed_study_is_the_same, killed, one_writer,
          damaged_at_any_byte, journals_that_do_not_fit, reals_stay_reals, warm_starts,
          disk_full_anywhere, out_of_memory_anywhere)
