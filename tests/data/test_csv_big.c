/* SPDX-License-Identifier: MIT
 *
 * Files of several batches: chunks, threads, types that change late, second readings,
 * long records; and failing reads and allocations.
 */
#include "core/file.h"
#include "csv_testing.h"
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
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

static ml_table *read_file(int32_t threads, const char *path)
{
    ml_context *ctx = test_context(threads);
    ml_table *t = NULL;
    OK(ml_table_read_csv(ctx, path, NULL, &t, ERR));
    ml_context_free(ctx);
    return t;
}

static ml_table *read_memory(int32_t threads, const mli_str *s)
{
    ml_context *ctx = test_context(threads);
    ml_table *t = NULL;
    OK(csv_read_size(ctx, s->data, s->size, NULL, &t));
    ml_context_free(ctx);
    return t;
}

/* ---- a file whose cells are known ---- */

/* Text of row i that has line ends, quotes and delimiters in it, now and then. */
static void known_text(int64_t row, char *out)
{
    uint64_t seed = (uint64_t)row * 77 + 1;
    size_t n = next(&seed) % 30;
    next(&seed);
    for (size_t i = 0; i < n; i++) out[i] = "abc,\"\n d"[next(&seed) % 8];
    snprintf(out + n, 16, "%lld", (long long)row % 10);
}

static void add_known_row(mli_str *s, int64_t row, const char *newline)
{
    char text[64];
    known_text(row, text);
    mli_str_printf(s, "%lld,\"", (long long)row);
    for (const char *p = text; *p; p++) {
        if (*p == '"') mli_str_char(s, '"');
        mli_str_char(s, *p);
    }
    mli_str_add(s, "\",");
    mli_str_f64(s, (double)row / 8);
    mli_str_add(s, newline);
}

static void check_known(const ml_table *t, int64_t rows)
{
    ck_assert_int_eq(ml_table_rows(t), rows);
    ck_assert_str_eq(type_of(t, 0), "i64");
    ck_assert_str_eq(type_of(t, 1), "text");
    ck_assert_str_eq(type_of(t, 2), "f64");
    for (int64_t i = 0; i < rows; i++) {
        char text[64], cell[64];
        known_text(i, text);
        ml_table_get_str(t, i, 1, cell, sizeof cell);
        ck_assert_str_eq(cell, text);
        ck_assert(ml_table_get_f64(t, i, 0) == (double)i);
        ck_assert(ml_table_get_f64(t, i, 2) == (double)i / 8);
    }
}

static void check_known_file(const char *newline)
{
    mli_str s;
    int64_t rows = 90000;
    mli_str_init(&s, NULL);
    mli_str_printf(&s, "id,text,real%s", newline);
    for (int64_t i = 0; i < rows; i++) add_known_row(&s, i, newline);
    ck_assert_uint_gt(s.size, 2 << 20);
    const char *path = save("known.csv", &s);
    static const int32_t threads[] = {1, 2, 7};
    for (int k = 0; k < 3; k++) {
        ml_table *t = read_file(threads[k], path);
        check_known(t, rows);
        ml_table_free(t);
    }
    ml_table *t = read_memory(2, &s);
    check_known(t, rows);
    ml_table_free(t);
    mli_str_free(&s);
}

START_TEST(known_file)
{
    check_known_file("\n");
    check_known_file("\r\n");
}
END_TEST

START_TEST(known_file_with_bare_returns)
{
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "id,half\r");
    int64_t rows = 300000;
    for (int64_t i = 0; i < rows; i++)
        mli_str_printf(&s, "%lld,%lld.5\r", (long long)i, (long long)i);
    ml_table *t = read_file(2, save("returns.csv", &s));
    ck_assert_int_eq(ml_table_rows(t), rows);
    for (int64_t i = 0; i < rows; i++) {
        ck_assert(ml_table_get_f64(t, i, 0) == (double)i);
        ck_assert(ml_table_get_f64(t, i, 1) == (double)i + 0.5);
    }
    ml_table_free(t);
    mli_str_free(&s);
}
END_TEST

/* ---- types that change late ---- */

/* 200000 rows of one value per column, then a last row. */
static void late_file(mli_str *s, const char *header, const char *row, const char *last)
{
    mli_str_init(s, NULL);
    mli_str_add(s, header);
    for (int i = 0; i < 200000; i++) mli_str_add(s, row);
    mli_str_add(s, last);
}

static void check_late(const ml_table *t, int64_t row, const char *expected)
{
    char all[512] = "", cell[100];
    for (int64_t j = 0; j < ml_table_columns(t); j++) {
        int64_t n = ml_table_get_str(t, row, j, cell, sizeof cell);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s:%s", j ? "|" : "",
                 type_of(t, j), n < 0 ? "-" : cell);
    }
    ck_assert_str_eq(all, expected);
}

START_TEST(types_change_in_the_last_row)
{
    mli_str s;
    late_file(&s, "a,b,c,d,e,f,g\n", "1.50,7,true,2024-01-01,5,\"\",x\n",
              "z,1.5,5,2024-01-01T10:00:00Z,18446744073709551616,q,\n");
    static const char *const shown[] = {
        "category:1.50|f64:7|category:true|timestamp:2024-01-01T00:00:00Z|category:5|"
        "category:|category:x",
        "category:z|f64:1.5|category:5|timestamp:2024-01-01T10:00:00Z|category:"
        "18446744073709551616|category:q|category:-"};
    const char *path = save("late.csv", &s);
    for (int k = 0; k < 4; k++) {
        ml_table *t = k < 3 ? read_file(k + 1, path) : read_memory(1, &s);
        ck_assert_int_eq(ml_table_rows(t), 200001);
        check_late(t, 0, shown[0]);
        check_late(t, 100000, shown[0]);
        check_late(t, 199999, shown[0]);
        check_late(t, 200000, shown[1]);
        ml_table_free(t);
    }
    mli_str_free(&s);
}
END_TEST

START_TEST(text_of_late_columns_is_exact)
{
    /* numbers in odd forms must come back as they were written */
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "a,b\n");
    uint64_t seed = 4;
    for (int i = 0; i < 150000; i++)
        mli_str_printf(&s, "%s%d.%d0,%d\n", i % 3 ? "" : "+", i, i % 7,
                       (int)next(&seed) % 100);
    mli_str_add(&s, "end,1\n");
    ml_table *t = read_file(2, save("odd.csv", &s));
    ck_assert_str_eq(type_of(t, 0), "text");
    ck_assert_str_eq(type_of(t, 1), "i64");
    for (int i = 0; i < 150000; i++) {
        char cell[64], expected[64];
        ml_table_get_str(t, i, 0, cell, sizeof cell);
        snprintf(expected, sizeof expected, "%s%d.%d0", i % 3 ? "" : "+", i, i % 7);
        ck_assert_str_eq(cell, expected);
    }
    ml_table_free(t);
    mli_str_free(&s);
}
END_TEST

START_TEST(many_categories_become_text)
{
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "few,many,late\n");
    int64_t rows = 300000;
    for (int64_t i = 0; i < rows; i++)
        mli_str_printf(&s, "c%lld,m%lld,%lld\n", (long long)i % 700,
                       (long long)i % 100000, (long long)i % 3);
    mli_str_add(&s, "c0,m0,x\n");
    ml_table *t = read_file(2, save("many.csv", &s));
    ck_assert_str_eq(type_of(t, 0), "category");
    ck_assert_str_eq(type_of(t, 1), "text");
    ck_assert_str_eq(type_of(t, 2), "category");
    for (int64_t i = 0; i < rows; i += 37) {
        char cell[64], expected[64];
        ck_assert(ml_table_get_f64(t, i, 0) == (double)(i % 700));
        ml_table_get_str(t, i, 1, cell, sizeof cell);
        snprintf(expected, sizeof expected, "m%lld", (long long)i % 100000);
        ck_assert_str_eq(cell, expected);
    }
    ml_table_free(t);
    mli_str_free(&s);
}
END_TEST

/* ---- long records, wide tables ---- */

START_TEST(a_field_longer_than_batches)
{
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "a,b\n1,\"");
    size_t size = 12 << 20;
    for (size_t i = 0; i < size / 10; i++) mli_str_add(&s, "line, end\n");
    mli_str_add(&s, "\"\n");
    for (int i = 0; i < 1000; i++) mli_str_printf(&s, "%d,x%d\n", i, i);
    ml_table *t = read_file(1, save("long.csv", &s));
    ck_assert_int_eq(ml_table_rows(t), 1001);
    ck_assert_int_eq(ml_table_get_str(t, 0, 1, NULL, 0), (int64_t)(size / 10 * 10));
    ck_assert(ml_table_get_f64(t, 1000, 0) == 999);
    ml_table_free(t);
    mli_str_free(&s);
}
END_TEST

START_TEST(a_header_longer_than_the_first_batch)
{
    mli_str s;
    mli_str_init(&s, NULL);
    int64_t columns = 120000;
    for (int64_t i = 0; i < columns; i++)
        mli_str_printf(&s, "%sname%lld", i ? "," : "", (long long)i);
    for (int row = 0; row < 3; row++) {
        for (int64_t i = 0; i < columns; i++)
            mli_str_printf(&s, "%c%lld", i ? ',' : '\n', (long long)(i + row));
    }
    ml_table *t = read_file(2, save("wide.csv", &s));
    ck_assert_int_eq(ml_table_rows(t), 3);
    ck_assert_int_eq(ml_table_columns(t), columns);
    ck_assert_str_eq(ml_table_column_name(t, columns - 1), "name119999");
    ck_assert(ml_table_get_f64(t, 2, columns - 1) == (double)(columns + 1));
    ml_table_free(t);
    mli_str_free(&s);
}
END_TEST

/* ---- errors far behind ---- */

static void check_error(const mli_str *s, const char *part)
{
    static const int32_t threads[] = {1, 3};
    const char *path = save("wrong.csv", s);
    for (int k = 0; k < 2; k++) {
        ml_context *ctx = test_context(threads[k]);
        ml_table *t = NULL;
        FAILS(ML_E_PARSE, ml_table_read_csv(ctx, path, NULL, &t, ERR));
        ck_assert_msg(strstr(ml_error_message(ERR), part) != NULL, "%s",
                      ml_error_message(ERR));
        FAILS(ML_E_PARSE, csv_read_size(ctx, s->data, s->size, NULL, &t));
        ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), part));
        ml_context_free(ctx);
    }
}

START_TEST(places_of_late_errors)
{
    mli_str s;
    late_file(&s, "a,b\n", "\"x\ny\",2\r\n", "1,2,3\n");
    check_error(&s, "line 400002, column 3");
    mli_str_free(&s);
    late_file(&s, "a,b\n", "12345,x y z\n", "1,\xff\n");
    check_error(&s, "line 200002");
    mli_str_free(&s);
    late_file(&s, "a,b\n", "12345,\"x y z\"\n", "1,\"x\" y\n");
    check_error(&s, "line 200002, column 2 (\"b\")");
    mli_str_free(&s);
    late_file(&s, "a,b\n", "12345,\"x y z\"\n", "1,\"lost\n");
    check_error(&s, "line 200002, column 2 (\"b\")");
    mli_str_free(&s);
}
END_TEST

START_TEST(backslashes_found_late)
{
    mli_str s;
    late_file(&s, "a,b\n", "12345,\"x y z\"\n", "1,\"say \\\"hi\\\"\"\n");
    for (int k = 0; k < 2; k++) {
        ml_table *t = k ? read_memory(1, &s) : read_file(2, save("slash.csv", &s));
        char cell[64];
        ml_table_get_str(t, 200000, 1, cell, sizeof cell);
        ck_assert_str_eq(cell, "say \"hi\"");
        ck_assert_int_eq(ml_table_rows(t), 200001);
        ml_table_free(t);
    }
    mli_str_free(&s);
}
END_TEST

START_TEST(limited_rows)
{
    mli_str s;
    ml_context *ctx = test_context(2);
    ml_params *p = NULL;
    ml_table *t = NULL;
    late_file(&s, "a,b\n", "12345,x y z\n", "1,2,3\n");
    const char *path = save("limit.csv", &s);
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_i64(p, "max_rows", 150000, ERR));
    OK(ml_table_read_csv(ctx, path, p, &t, ERR));
    ck_assert_int_eq(ml_table_rows(t), 150000);
    ml_table_free(t);
    ml_params_free(p);
    mli_str_free(&s);
    ml_context_free(ctx);
}
END_TEST

/* ---- failures of the machine ---- */

static atomic_llong allocations_left, blocks;

static void *fail_alloc(size_t size, size_t alignment, void *user)
{
    (void)user;
    if (atomic_fetch_sub(&allocations_left, 1) <= 0) return NULL;
    void *block = NULL;
    if (posix_memalign(&block, alignment < 16 ? 16 : alignment, size)) return NULL;
    atomic_fetch_add(&blocks, 1);
    return block;
}

static void fail_free(void *block, size_t size, size_t alignment, void *user)
{
    (void)size;
    (void)alignment;
    (void)user;
    if (block) atomic_fetch_sub(&blocks, 1);
    free(block);
}

static void *fail_realloc(void *block, size_t old, size_t size, size_t alignment,
                          void *user)
{
    void *fresh = fail_alloc(size, alignment, user);
    if (!fresh) return NULL;
    memcpy(fresh, block, old < size ? old : size);
    fail_free(block, old, alignment, user);
    return fresh;
}

static ml_context *fail_context(int32_t threads)
{
    ml_context *ctx = NULL;
    ml_host host = ML_HOST_INIT;
    host.threads = threads;
    host.alloc = fail_alloc;
    host.realloc = fail_realloc;
    host.free = fail_free;
    atomic_store(&allocations_left, INT64_MAX);
    if (ml_context_new(&host, &ctx, NULL) != ML_OK) abort();
    return ctx;
}

/* Reads with the N-th allocation failing, for N = 1, 1 + step, ... until it succeeds. */
static void read_without_memory(const char *path, int64_t step, int write)
{
    ml_context *ctx = fail_context(1);
    char copy[400];
    snprintf(copy, sizeof copy, "%s.copy", path);
    for (int64_t n = 0;; n += step) {
        ml_table *t = NULL;
        long long before = atomic_load(&blocks);
        atomic_store(&allocations_left, n);
        ml_status st = ml_table_read_csv(ctx, path, NULL, &t, ERR);
        if (st == ML_OK && write) st = ml_table_write_csv(t, copy, NULL, ERR);
        ml_table_free(t);
        ck_assert_int_eq(atomic_load(&blocks), before);
        if (st == ML_OK) break;
        ck_assert_msg(st == ML_E_MEMORY, "allocation %lld: %s", (long long)n,
                      ml_error_message(ERR));
        ck_assert(access(copy, F_OK) != 0);
    }
    atomic_store(&allocations_left, INT64_MAX);
    ml_context_free(ctx);
    ck_assert_int_eq(atomic_load(&blocks), 0);
}

START_TEST(out_of_memory)
{
    mli_str s;
    mli_str_init(&s, NULL);
    mli_str_add(&s, "a,b,c,d,e,f,f,g,h,i\n");
    for (int i = 0; i < 300; i++)
        mli_str_printf(&s,
                       "%d,%d.5,\"x,\"\"%d\",2024-01-01,%s,u%d,,%d/31/2024,31.1.%d,$%d\n",
                       i, i, i, i % 2 ? "true" : "", i % 3, i % 2 ? 1 : 3, 1000 + i, i);
    mli_str_add(&s, "x,3,,2024-01-01 10:00:00,,,,\"\",,");
    read_without_memory(save("memory.csv", &s), 1, 1);
    mli_str_free(&s);
}
END_TEST

START_TEST(out_of_memory_in_a_second_reading)
{
    mli_str s;
    late_file(&s, "a,b,c,d,e,f,g\n", "1.50,7,true,2024-01-01,5,\"\",x\n",
              "z,1.5,5,2024-01-01T10:00:00Z,18446744073709551616,q,\n");
    read_without_memory(save("memory2.csv", &s), 17, 0);
    mli_str_free(&s);
}
END_TEST

static int reads_left;

static int64_t failing_read(int fd, void *buffer, size_t size)
{
    if (reads_left-- <= 0) {
        errno = EIO;
        return -1;
    }
    return read(fd, buffer, size > 300000 ? 300000 : size);
}

START_TEST(failing_reads)
{
    mli_str s;
    late_file(&s, "a,b,c,d,e,f,g\n", "1.50,7,true,2024-01-01,5,\"\",x\n",
              "z,1.5,5,2024-01-01T10:00:00Z,18446744073709551616,q,\n");
    const char *path = save("reads.csv", &s);
    ml_context *ctx = fail_context(1);
    mli_fs fs = *ctx->fs;
    fs.read = failing_read;
    ctx->fs = &fs;
    int failures = 0;
    for (int n = 0;; n++, failures++) {
        ml_table *t = NULL;
        long long before = atomic_load(&blocks);
        reads_left = n;
        ml_status st = ml_table_read_csv(ctx, path, NULL, &t, ERR);
        ml_table_free(t);
        ck_assert_int_eq(atomic_load(&blocks), before);
        if (st == ML_OK) break;
        ck_assert_msg(st == ML_E_IO, "%s", ml_error_message(ERR));
    }
    ck_assert_int_gt(failures, 20);
    ml_context_free(ctx);
    mli_str_free(&s);
}
END_TEST

TEST_MAIN("data/csv_big", known_file, known_file_with_bare_returns,
          types_change_in_the_last_row, text_of_late_columns_is_exact,
          many_categories_become_text, a_field_longer_than_batches,
          a_header_longer_than_the_first_batch, places_of_late_errors,
          backslashes_found_late, limited_rows, out_of_memory,
          out_of_memory_in_a_second_reading, failing_reads)
