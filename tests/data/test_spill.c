/* SPDX-License-Identifier: MIT
 *
 * Tables that live in a file: rooms that grow, CSV and Arrow streams read into them, what
 * is made of such tables, disks that are full, and that nothing is left behind.
 */
#include "core/file.h"
#include "csv_testing.h"
#include "data/arrow.h"
#include "data/csv_read.h"
#include "failing.h"
#include "hand_stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static const char *place(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/spill", test_folder());
    mkdir(path, 0700);
    return path;
}

static int64_t count_files(const char *path)
{
    int64_t n = 0;
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Mappings of files below the folder. */
static int64_t count_mappings(void)
{
    char line[1000];
    int64_t n = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f)) n += strstr(line, place()) != NULL;
    fclose(f);
    return n;
}

static int64_t count_open(void)
{
    return access("/proc/self/fd", F_OK) == 0 ? count_files("/proc/self/fd") : 0;
}

static ml_params *options(void)
{
    static ml_context *ctx; /* lives as long as the program */
    ml_params *p = NULL;
    if (!ctx) ctx = test_context(1);
    OK(ml_params_new(ctx, &p, ERR));
    return p;
}

static ml_params *spill_options(void)
{
    ml_params *p = options();
    OK(ml_params_set_str(p, "spill", place(), ERR));
    return p;
}

static void same_tables(const ml_table *a, const ml_table *b)
{
    char x[256], y[256];
    ck_assert_int_eq(a->rows, b->rows);
    ck_assert_int_eq(a->n_columns, b->n_columns);
    for (int64_t j = 0; j < a->n_columns; j++) {
        const mli_column *c = &a->columns[j], *d = &b->columns[j];
        ck_assert_str_eq(c->name, d->name);
        ck_assert_int_eq(c->type, d->type);
        ck_assert_int_eq(c->null_count, d->null_count);
        ck_assert_int_eq(c->n_levels, d->n_levels);
        ck_assert_int_eq(c->validity == NULL, d->validity == NULL);
        int64_t i = 0; /* of the first cell that differs */
        for (; i < a->rows; i++) {
            int64_t n = ml_table_get_str(a, i, j, x, sizeof x);
            if (n != ml_table_get_str(b, i, j, y, sizeof y)) break;
            if (n >= 0 && strcmp(x, y) != 0) break;
        }
        ck_assert_int_eq(i, a->rows);
    }
}

/* ---- rooms ---- */

START_TEST(rooms_grow)
{
    ml_context *ctx = test_context(1);
    mli_spill *s = NULL;
    mli_room a, b;
    uint64_t seed = 1;
    OK(mli_spill_open(ctx, place(), &s, ERR));
    mli_room_init(&a, ctx, s);
    mli_room_init(&b, ctx, s);
    size_t used = 0;
    for (int k = 0; k < 60; k++) { /* two rooms in turns, so that their extents mix */
        size_t need = used + next(&seed) % 300000;
        ck_assert(mli_room_grow(&a, used, need));
        ck_assert(mli_room_grow(&b, used, need));
        ck_assert_uint_ge(a.size, need);
        ck_assert_int_eq((intptr_t)a.data % 64, 0);
        for (; used < need; used++) {
            ((uint8_t *)a.data)[used] = (uint8_t)(used * 7 >> 3);
            ((uint8_t *)b.data)[used] = (uint8_t)(used * 5 >> 2);
        }
    }
    mli_buffer *x = mli_room_buffer(&a, used), *y = mli_room_buffer(&b, used - 200000);
    mli_spill_seal(s);
    mli_spill_free(s);
    ck_assert_ptr_null(a.data);
    size_t wrong = 0;
    for (size_t i = 0; i < used; i++) {
        wrong += ((const uint8_t *)x->data)[i] != (uint8_t)(i * 7 >> 3);
        if (i < y->size) wrong += ((const uint8_t *)y->data)[i] != (uint8_t)(i * 5 >> 2);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(count_files(place()), 0);
    mli_buffer_free(x);
    mli_buffer_free(y);
    ck_assert_int_eq(count_mappings(), 0);
    ml_context_free(ctx);
}
END_TEST

/* ---- CSV ---- */

/* All kinds of columns; the last rows change some: integers to reals, dates to times,
 * integers to text, many categories to text. */
static void add_rows(mli_str *s, int64_t rows)
{
    uint64_t seed = 3;
    mli_str_add(s, "i,late,when,flag,cat,many,note,zip\n");
    for (int64_t i = 0; i < rows; i++) {
        int end = i > rows - 5;
        if (next(&seed) % 50)
            mli_str_printf(s, "%lld", (long long)(next(&seed) % 100000));
        mli_str_printf(s, ",%lld%s", (long long)i, end ? ".5" : "");
        mli_str_printf(s, ",2024-01-%02d%s", 1 + (int)(i % 28), end ? " 10:00:00" : "");
        mli_str_printf(s, ",%s,c%d",
                       i % 3   ? "true"
                       : i % 2 ? "false"
                               : "",
                       (int)(next(&seed) % 9));
        mli_str_printf(s, ",m%lld", (long long)(i / 2));
        mli_str_printf(s, ",\"note %lld, of %d\"", (long long)i, (int)(next(&seed) % 99));
        mli_str_printf(s, ",%s%lld\n", i == rows - 3 ? "x" : "", (long long)i);
    }
}

static ml_table *read_text(const mli_str *s, int64_t threads, const char *path,
                           const ml_params *p)
{
    ml_context *ctx = test_context((int32_t)threads);
    ml_table *t = NULL;
    mli_csv_sizes sizes = {
        .chunk = 60000, .records = 64, .first = 100000, .step = 300000};
    memory text = {s->data, s->size, 0, 0};
    ml_io io = ML_IO_INIT;
    io.read = memory_read;
    io.user = &text;
    OK(mli_csv_read(ctx, path, path ? NULL : &io, p, sizes, &t, ERR));
    ml_context_free(ctx);
    return t;
}

static const char *save(const char *name, const mli_str *s)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(s->data, 1, s->size, f), s->size);
    fclose(f);
    return path;
}

START_TEST(csv_is_the_same)
{
    mli_str s;
    mli_str_init(&s, NULL);
    add_rows(&s, 40000);
    const char *path = save("all.csv", &s);
    ml_params *p = spill_options();
    OK(ml_params_set_i64(p, "max_categories", 1000, ERR));
    ml_params *q = options();
    OK(ml_params_set_i64(q, "max_categories", 1000, ERR));
    ml_table *wanted = read_text(&s, 1, path, q);
    int64_t open = count_open();
    for (int k = 0; k < 4; k++) {
        ml_table *t = read_text(&s, 1 + k, k & 1 ? path : NULL, p);
        same_tables(wanted, t);
        ck_assert_ptr_nonnull(t->spill);
        ck_assert_int_eq(count_open(), open);
        ck_assert_int_eq(count_files(place()), 0);
        ck_assert_int_eq((intptr_t)t->columns[0].data % 64, 0);
        ml_table_free(t);
        ck_assert_int_eq(count_mappings(), 0);
    }
    ml_table_free(wanted);
    ml_params_free(p);
    ml_params_free(q);
    mli_str_free(&s);
}
END_TEST

START_TEST(tables_made_of_it)
{
    mli_str s;
    mli_str_init(&s, NULL);
    add_rows(&s, 30000);
    ml_params *p = spill_options();
    ml_table *a = read_text(&s, 1, NULL, NULL), *b = read_text(&s, 2, NULL, p);
    ml_table *c = NULL, *d = NULL, *e = NULL, *f = NULL;
    int64_t *rows = malloc(20000 * sizeof *rows);
    uint64_t seed = 9;
    for (int i = 0; i < 20000; i++) rows[i] = (int64_t)(next(&seed) % 30000);
    OK(ml_table_take(a, rows, 20000, &c, ERR));
    OK(ml_table_take(b, rows, 20000, &d, ERR));
    ml_table_free(b);
    same_tables(c, d);
    ck_assert_ptr_null(c->spill);
    ck_assert_ptr_nonnull(d->spill);
    ck_assert(access("/proc/self/maps", R_OK) != 0 || count_mappings() > 5);
    OK(ml_table_slice(c, 77, 19000, &e, ERR));
    OK(ml_table_slice(d, 77, 19000, &f, ERR));
    ml_table_free(d);
    same_tables(e, f);
    ml_table_free(e);
    OK(ml_table_take(f, rows, 0, &e, ERR));
    ck_assert_ptr_nonnull(e->spill);
    ck_assert_int_eq(e->rows, 0);
    ml_table_free(a);
    ml_table_free(c);
    ml_table_free(e);
    ml_table_free(f);
    ck_assert_int_eq(count_mappings(), 0);
    ck_assert_int_eq(count_files(place()), 0);
    ml_params_free(p);
    mli_str_free(&s);
    free(rows);
}
END_TEST

/* ---- Arrow ---- */

enum { LENGTH = 3000, BATCHES = 40, KINDS = 6 };

typedef struct {
    double reals[LENGTH];
    int32_t ends[LENGTH + 1];
    char bytes[LENGTH * 8];
    int8_t codes[LENGTH];
    uint8_t bits[LENGTH / 8 + 1], holes[LENGTH / 8 + 1];
    char level_bytes[64];
    int32_t level_ends[5];
    hand_column levels;
} batch;

/* Batches of all lengths that begin anywhere, each with a dictionary of its own. */
static void make_batches(batch *b, hand_column *c, int64_t *lengths)
{
    uint64_t seed = 5;
    for (int k = 0; k < BATCHES; k++, b++, c += KINDS) {
        int64_t offset = k % 11, n = LENGTH - 20 - (int64_t)(next(&seed) % 2000);
        lengths[k] = k == 7 ? 0 : n;
        for (int i = 0; i < LENGTH; i++) {
            b->reals[i] = (double)next(&seed);
            b->codes[i] = (int8_t)(next(&seed) % 4);
            int size = snprintf(b->bytes + b->ends[i], 9, "%d", (int)(next(&seed) % 999));
            b->ends[i + 1] = b->ends[i] + size;
        }
        for (size_t i = 0; i < sizeof b->bits; i++) {
            b->bits[i] = (uint8_t)next(&seed);
            b->holes[i] = (uint8_t)next(&seed);
        }
        for (int i = 0; i < 4; i++) {
            int size = snprintf(b->level_bytes + b->level_ends[i], 12, "l%d",
                                k < 5 ? i : (i * 5 + k) % 23);
            b->level_ends[i + 1] = b->level_ends[i] + size;
        }
        b->levels = (hand_column){
            .format = "u", .length = 4, .buffers = {NULL, b->level_ends, b->level_bytes}};
        int64_t length = n + 3;
        hand_column plain = {.length = length, .offset = offset, .null_count = 0};
        for (int j = 0; j < KINDS; j++) c[j] = plain;
        c[0].format = "g", c[0].name = "real", c[0].buffers[1] = b->reals;
        c[1].format = "u", c[1].name = "text", c[1].buffers[1] = b->ends;
        c[1].buffers[2] = b->bytes;
        c[2].format = "c", c[2].name = "cat", c[2].buffers[1] = b->codes;
        c[2].dictionary = &b->levels;
        c[3].format = "b", c[3].name = "bool", c[3].buffers[1] = b->bits;
        c[4].format = "n", c[4].name = "none", c[4].null_count = length;
        c[5].format = "tsn:", c[5].name = "time", c[5].buffers[1] = b->reals;
        for (int j = 0; j < KINDS; j++) {
            if (j == 4 || (k + j) % 3 || k < 4) continue;
            c[j].buffers[0] = b->holes;
            c[j].null_count = -1;
        }
    }
}

START_TEST(arrow_is_the_same)
{
    batch *b = calloc(BATCHES, sizeof *b);
    hand_column *c = calloc(BATCHES * KINDS, sizeof *c);
    int64_t lengths[BATCHES];
    make_batches(b, c, lengths);
    hand_stream h = {
        .n_columns = KINDS, .n_batches = BATCHES, .columns = c, .lengths = lengths};
    ml_params *p = spill_options();
    ml_table *wanted = NULL;
    static const int64_t groups[] = {1, 12000, 300000, INT64_MAX};
    for (int k = 0; k < 4; k++) {
        ml_context *ctx = test_context(1 + k);
        ml_table *t = NULL;
        struct ArrowArrayStream stream = hand_open(&h);
        if (!wanted) {
            OK(ml_table_read_arrow(ctx, &stream, NULL, &wanted, ERR));
            stream = hand_open(&h);
        }
        OK(mli_arrow_read(ctx, &stream, p, groups[k], &t, ERR));
        ck_assert_int_eq(h.live, 0);
        ck_assert_int_eq(count_files(place()), 0);
        same_tables(wanted, t);
        ml_table_free(t);
        ck_assert_int_eq(count_mappings(), 0);
        ml_context_free(ctx);
    }
    ml_table_free(wanted);
    ml_params_free(p);
    free(b);
    free(c);
}
END_TEST

START_TEST(faults_have_the_right_row)
{
    ml_context *ctx = test_context(1);
    static const int64_t good[] = {1, 2, 3}, bad[] = {1, INT64_MAX, 3};
    hand_column c[] = {
        {.format = "tss:", .name = "t", .length = 3, .buffers = {NULL, good}},
        {.format = "tss:", .name = "t", .length = 3, .buffers = {NULL, bad}}};
    hand_stream h = {.n_columns = 1, .n_batches = 2, .columns = c};
    ml_params *p = spill_options();
    ml_table *t = NULL;
    struct ArrowArrayStream stream = hand_open(&h);
    FAILS(ML_E_DATA, mli_arrow_read(ctx, &stream, p, 1, &t, ERR));
    ck_assert_str_eq(ml_error_location(ERR), "column \"t\", row 5");
    stream = hand_open(&h);
    h.error = "gone";
    h.fail_at = 1;
    h.code = EIO;
    FAILS(ML_E_CALLBACK, mli_arrow_read(ctx, &stream, p, 1, &t, ERR));
    ck_assert_int_eq(h.live, 0);
    OK(ml_params_set_str(p, "spil", "x", ERR));
    stream = hand_open(&h);
    FAILS(ML_E_NAME, ml_table_read_arrow(ctx, &stream, p, &t, ERR));
    ck_assert_int_eq(h.live, 0);
    ml_params_free(p);
    ml_context_free(ctx);
}
END_TEST

/* ---- disks and memory that end ---- */

static struct {
    int64_t left; /* calls that succeed */
    int number, opens, named;
} disk;

static int short_allocate(int fd, int64_t at, int64_t size)
{
    if (disk.left-- > 0) return mli_fs_posix.allocate(fd, at, size);
    errno = disk.number;
    return -1;
}

static int odd_open(const char *path, int flags, int mode)
{
    disk.opens++;
    if (disk.number == EACCES && strstr(path, "spill")) {
        errno = EACCES;
        return -1;
    }
#ifdef O_TMPFILE
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
#endif
    disk.named += (flags & O_CREAT) != 0;
    return mli_fs_posix.open(path, flags, mode);
}

static ml_status read_both(failing_alloc *f, const mli_fs *fs, const mli_str *s,
                           hand_stream *h)
{
    ml_context *ctx = NULL;
    ml_table *t = NULL, *u = NULL, *v = NULL;
    ml_params *p = spill_options();
    ml_host host = failing_host(f);
    memory text = {s->data, s->size, 0, 0};
    ml_io io = ML_IO_INIT;
    io.read = memory_read;
    io.user = &text;
    static const int64_t rows[9000];
    mli_csv_sizes sizes = {
        .chunk = 60000, .records = 64, .first = 100000, .step = 300000};
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) {
        ctx->fs = fs;
        st = mli_csv_read(ctx, NULL, &io, p, sizes, &t, ERR);
    }
    if (st == ML_OK) st = ml_table_take(t, rows, 9000, &u, ERR);
    if (st == ML_OK) {
        struct ArrowArrayStream stream = hand_open(h);
        st = mli_arrow_read(ctx, &stream, p, 20000, &v, ERR);
    }
    ml_table_free(t);
    ml_table_free(u);
    ml_table_free(v);
    ml_params_free(p);
    ml_context_free(ctx);
    return st;
}

START_TEST(whatever_fails)
{
    batch *b = calloc(BATCHES, sizeof *b);
    hand_column *c = calloc(BATCHES * KINDS, sizeof *c);
    int64_t lengths[BATCHES];
    make_batches(b, c, lengths);
    hand_stream h = {
        .n_columns = KINDS, .n_batches = 12, .columns = c, .lengths = lengths};
    mli_str s;
    mli_str_init(&s, NULL);
    add_rows(&s, 12000);
    mli_fs fs = mli_fs_posix;
    fs.allocate = short_allocate;
    failing_alloc f;
    int64_t open = count_open(), failures = 0;
    disk.number = ENOSPC;
    for (int64_t n = 0;; n++, failures++) {
        disk.left = n;
        f = (failing_alloc){0};
        ml_status st = read_both(&f, &fs, &s, &h);
        ck_assert_int_eq(f.live, 0);
        ck_assert_int_eq(h.live, 0);
        ck_assert_int_eq(count_mappings(), 0);
        ck_assert_int_eq(count_open(), open);
        ck_assert_int_eq(count_files(place()), 0);
        if (st == ML_OK) break;
        ck_assert_int_eq(st, ML_E_IO);
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "no space left"));
        ck_assert_ptr_nonnull(strstr(ml_error_location(ERR), place()));
        ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "free some space"));
    }
    ck_assert_int_gt(failures, 20);
    disk.left = INT64_MAX;
    int64_t step = f.calls / (SANITIZED ? 10 : 60) + 1;
    OUT_OF_MEMORY_STEPS(f, read_both(&f, &fs, &s, &h), step);
    ck_assert_int_eq(count_mappings(), 0);
    ck_assert_int_eq(count_open(), open);
    mli_str_free(&s);
    free(b);
    free(c);
}
END_TEST

START_TEST(folders_that_will_not_do)
{
    ml_context *ctx = test_context(1);
    mli_spill *s = NULL;
    char path[400];
    snprintf(path, sizeof path, "%s/nowhere", place());
    FAILS(ML_E_IO, mli_spill_open(ctx, path, &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "no such file or folder"));
    ck_assert_ptr_nonnull(strstr(ml_error_location(ERR), path));
    snprintf(path, sizeof path, "%s/file", test_folder());
    fclose(fopen(path, "w"));
    FAILS(ML_E_IO, mli_spill_open(ctx, path, &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "a file, not a folder"));
    mli_fs fs = mli_fs_posix;
    fs.open = odd_open;
    ctx->fs = &fs;
    disk.number = EACCES;
    FAILS(ML_E_IO, mli_spill_open(ctx, place(), &s, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "permission denied"));
    /* where files always have names, this one loses it at once */
    disk.number = 0;
    OK(mli_spill_open(ctx, place(), &s, ERR));
    ck_assert_int_eq(disk.named, 1);
    ck_assert_int_eq(count_files(place()), 0);
    mli_room r;
    mli_room_init(&r, ctx, s);
    ck_assert(mli_room_grow(&r, 0, 1000000));
    memset(r.data, 1, 1000000);
    mli_room_free(&r);
    mli_spill_free(s);
    ck_assert_int_eq(count_mappings(), 0);
    ml_context_free(ctx);
}
END_TEST

START_TEST(a_killed_process_leaves_nothing)
{
    mli_str s;
    mli_str_init(&s, NULL);
    add_rows(&s, 20000);
    ml_params *p = spill_options();
    pid_t child = fork();
    if (child == 0) {
        read_text(&s, 1, NULL, p);
        raise(SIGKILL);
    }
    int how = 0;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    ck_assert_int_eq(count_files(place()), 0);
    ml_params_free(p);
    mli_str_free(&s);
}
END_TEST

TEST_MAIN("data/spill", rooms_grow, csv_is_the_same, tables_made_of_it, arrow_is_the_same,
          faults_have_the_right_row, whatever_fails, folders_that_will_not_do,
          a_killed_process_leaves_nothing)
