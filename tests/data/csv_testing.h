/* SPDX-License-Identifier: MIT
 *
 * tests/data/csv_testing.h: reading CSV from memory, and looking at cells as text.
 */
#ifndef ML_CSV_TESTING_H
#define ML_CSV_TESTING_H

#include "testing.h"
#include <stdarg.h>

/* A stream over memory that gives at most `piece` bytes a call. */
typedef struct memory {
    const char *data;
    size_t size, at, piece;
} memory;

static inline int64_t memory_read(void *buffer, size_t size, void *user)
{
    memory *m = user;
    size_t n = m->size - m->at;
    if (n > size) n = size;
    if (m->piece && n > m->piece) n = m->piece;
    memcpy(buffer, m->data + m->at, n);
    m->at += n;
    return (int64_t)n;
}

/* Options from name, value pairs that end with NULL. */
static inline ml_params *csv_options(ml_context *ctx, va_list args)
{
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    for (const char *name; (name = va_arg(args, const char *));) {
        OK(ml_params_set_str(p, name, va_arg(args, const char *), ERR));
    }
    return p;
}

static inline ml_status csv_read_size(ml_context *ctx, const char *text, size_t size,
                                      const ml_params *p, ml_table **out)
{
    memory m = {text, size, 0, 0};
    ml_io io = ML_IO_INIT;
    io.read = memory_read;
    io.user = &m;
    return ml_table_read_csv_io(ctx, &io, p, out, ERR);
}

/* csv_try(ctx, text, &table, "name", "value", ..., NULL) */
static inline ml_status csv_try(ml_context *ctx, const char *text, ml_table **out, ...)
{
    va_list args;
    va_start(args, out);
    ml_params *p = csv_options(ctx, args);
    va_end(args);
    ml_status st = csv_read_size(ctx, text, strlen(text), p, out);
    ml_params_free(p);
    return st;
}

#define CSV(ctx, text, ...)                                                              \
    __extension__({                                                                      \
        ml_table *csv_t = NULL;                                                          \
        OK(csv_try(ctx, text, &csv_t, __VA_ARGS__));                                     \
        csv_t;                                                                           \
    })

static inline const char *type_of(const ml_table *t, int64_t column)
{
    switch (ml_table_column_type(t, column)) {
    case ML_DTYPE_BOOL:
        return "bool";
    case ML_DTYPE_I64:
        return "i64";
    case ML_DTYPE_F64:
        return "f64";
    case ML_TYPE_TEXT:
        return "text";
    case ML_TYPE_CATEGORY:
        return "category";
    case ML_TYPE_DATE:
        return "date";
    case ML_TYPE_TIMESTAMP:
        return "timestamp";
    default:
        return "?";
    }
}

/* The whole table as text: "name:type,name:type\n" and rows; missing is a dash. */
static inline const char *csv_show(const ml_table *t)
{
    static char text[65536];
    char cell[4096];
    size_t n = 0;
    text[0] = 0;
    for (int64_t j = 0; j < ml_table_columns(t); j++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s", j ? "," : "",
                              ml_table_column_name(t, j), type_of(t, j));
    }
    for (int64_t i = 0; i < ml_table_rows(t) && n < sizeof text - 8192; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "\n");
        for (int64_t j = 0; j < ml_table_columns(t); j++) {
            int64_t size = ml_table_get_str(t, i, j, cell, sizeof cell);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", j ? "," : "",
                                  size < 0 ? "-" : cell);
        }
    }
    return text;
}

/* Reads text and compares the table with what csv_show gives. */
#define SHOWS(ctx, text, expected, ...)                                                  \
    do {                                                                                 \
        ml_table *s_t = CSV(ctx, text, __VA_ARGS__);                                     \
        ck_assert_str_eq(csv_show(s_t), expected);                                       \
        ml_table_free(s_t);                                                              \
    } while (0)

/* Reading must fail with that status and a message that contains the text. */
#define COMPLAINS(ctx, text, status, part, ...)                                          \
    do {                                                                                 \
        ml_table *c_t = NULL;                                                            \
        FAILS(status, csv_try(ctx, text, &c_t, __VA_ARGS__));                            \
        ck_assert_msg(strstr(ml_error_message(ERR), part) != NULL,                       \
                      "\"%s\" lacks \"%s\"", ml_error_message(ERR), part);               \
        ck_assert_ptr_null(c_t);                                                         \
    } while (0)

#endif
