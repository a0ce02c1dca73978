/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the CSV reader and writer. The first byte chooses options, the rest is the file.
 * It is read whole, in chunks of a few bytes, and by the scalar code: all must agree, in
 * the table or in the error. It is also read in batches of a few bytes, which may see
 * another dialect, but must not fail otherwise. A table is written and read again.
 */
#include "data/csv_read.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds) abort();
}

typedef struct memory {
    const char *data;
    size_t size, at;
} memory;

static int64_t memory_read(void *buffer, size_t size, void *user)
{
    memory *m = user;
    size_t n = m->size - m->at < size ? m->size - m->at : size;
    if (n) memcpy(buffer, m->data + m->at, n);
    m->at += n;
    return (int64_t)n;
}

static int64_t text_write(const void *data, size_t size, void *user)
{
    mli_str_add_n(user, data, size);
    return (int64_t)size;
}

static ml_status read_sized(ml_context *ctx, const char *text, size_t size,
                            const ml_params *p, mli_csv_sizes sizes, ml_table **out,
                            ml_error *err)
{
    memory m = {text, size, 0};
    ml_io io = ML_IO_INIT;
    io.read = memory_read;
    io.user = &m;
    ml_status st = mli_csv_read(ctx, NULL, &io, p, sizes, out, err);
    need(st == ML_OK || st == ML_E_PARSE || st == ML_E_DATA || st == ML_E_FORMAT ||
         st == ML_E_IO || st == ML_E_MEMORY || st == ML_E_NAME);
    need(st == ML_OK || ml_error_message(err)[0]);
    return st;
}

/* Every cell is looked at, so that wild pointers are seen. */
static void check_cells(const ml_table *a, const ml_table *b)
{
    char x[256], y[256];
    need(ml_table_rows(a) == ml_table_rows(b));
    need(ml_table_columns(a) == ml_table_columns(b));
    for (int64_t j = 0; j < ml_table_columns(a); j++) {
        need(ml_table_column_type(a, j) == ml_table_column_type(b, j));
        need(strcmp(ml_table_column_name(a, j), ml_table_column_name(b, j)) == 0);
        for (int64_t i = 0; i < ml_table_rows(a); i++) {
            int64_t n = ml_table_get_str(a, i, j, x, sizeof x);
            need(n == ml_table_get_str(b, i, j, y, sizeof y));
            need(n < 0 || strcmp(x, y) == 0);
        }
    }
}

static void set(ml_params *p, const char *name, const char *value)
{
    need(ml_params_set_str(p, name, value, NULL) == ML_OK);
}

static ml_params *choose(ml_context *ctx, uint8_t choice)
{
    static const char *const options[16][2] = {
        {"header", "auto"},      {"header", "yes"},      {"header", "no"},
        {"delimiter", ","},      {"delimiter", "space"}, {"quote", "none"},
        {"escape", "backslash"}, {"comment", "#"},       {"on_ragged", "fill"},
        {"on_ragged", "skip"},   {"encoding", "latin1"}, {"max_rows", "3"},
        {"skip_rows", "2"},      {"thousands", ","},     {"strings", "category"},
        {"trim", "false"}};
    ml_params *p = NULL;
    need(ml_params_new(ctx, &p, NULL) == ML_OK);
    set(p, options[choice >> 4][0], options[choice >> 4][1]);
    set(p, options[choice & 15][0], options[choice & 15][1]);
    return p;
}

static void write_and_read(ml_context *ctx, const ml_table *t, ml_error *err)
{
    ml_io io = ML_IO_INIT;
    ml_table *back = NULL;
    mli_str s;
    mli_str_init(&s, NULL);
    io.write = text_write;
    io.user = &s;
    need(ml_table_write_csv_io(t, &io, NULL, err) == ML_OK);
    ml_params *p = choose(ctx, 0x31); /* a header, commas */
    set(p, "quote", "\"");
    set(p, "escape", "double");
    memory m = {s.data, s.size, 0};
    io.read = memory_read;
    io.user = &m;
    need(ml_table_read_csv_io(ctx, &io, p, &back, err) == ML_OK);
    need(ml_table_rows(back) == ml_table_rows(t));
    need(ml_table_columns(back) == ml_table_columns(t));
    ml_table_free(back);
    ml_params_free(p);
    mli_str_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ml_context *wide, *narrow;
    static ml_error *err, *other;
    static const mli_csv_sizes whole = {1 << 18, 64, 1 << 13, 1 << 13},
                               chunks = {5, 0, 1 << 13, 1 << 13},
                               batches = {7, 1, 23, 31};
    if (!wide) {
        ml_host host = ML_HOST_INIT;
        need(ml_context_new(&host, &wide, NULL) == ML_OK);
        host.cpu_level = 1;
        need(ml_context_new(&host, &narrow, NULL) == ML_OK);
        err = ml_error_new();
        other = ml_error_new();
    }
    if (size < 1) return 0;
    const char *text = (const char *)data + 1;
    ml_params *p = choose(wide, data[0]);
    ml_table *a = NULL, *b = NULL, *c = NULL, *d = NULL;
    ml_status st = read_sized(wide, text, size - 1, p, whole, &a, err);
    need(read_sized(wide, text, size - 1, p, chunks, &b, other) == st);
    need(st == ML_OK || strcmp(ml_error_message(err), ml_error_message(other)) == 0);
    need(read_sized(narrow, text, size - 1, p, whole, &c, other) == st);
    need(st == ML_OK || strcmp(ml_error_message(err), ml_error_message(other)) == 0);
    if (st == ML_OK) {
        check_cells(a, b);
        check_cells(a, c);
        write_and_read(wide, a, err);
    }
    if (read_sized(wide, text, size - 1, p, batches, &d, other) == ML_OK)
        check_cells(d, d);
    ml_table_free(a);
    ml_table_free(b);
    ml_table_free(c);
    ml_table_free(d);
    ml_params_free(p);
    return 0;
}
