/* SPDX-License-Identifier: MIT
 *
 * tests/testing_data.h: small tables from arrays, through the public API.
 *
 *     ml_table *t = NULL;
 *     t = add_f64(ctx, t, "x", 3, (double[]){1, NAN, 3});
 *     t = add_text(ctx, t, "name", 3, (const char *[]){"a", "b", NULL});
 *
 * Each call frees the table given and returns the new one; failing makes the test fail.
 */
#ifndef ML_TESTING_DATA_H
#define ML_TESTING_DATA_H

#include "testing.h"

static inline ml_table *add_values(ml_context *ctx, ml_table *t, const char *name,
                                   int64_t n, int32_t dtype, const void *values)
{
    ml_table *out = NULL;
    ml_tensor *tensor = NULL;
    OK(ml_tensor_new(ctx, dtype, 1, &n, NULL, values, &tensor, ERR));
    OK(ml_table_with_tensor(t, name, tensor, &out, ERR));
    ml_tensor_free(tensor);
    ml_table_free(t);
    return out;
}

static inline ml_table *add_f64(ml_context *ctx, ml_table *t, const char *name, int64_t n,
                                const double *values)
{
    return add_values(ctx, t, name, n, ML_DTYPE_F64, values);
}

static inline ml_table *add_i64(ml_context *ctx, ml_table *t, const char *name, int64_t n,
                                const int64_t *values)
{
    return add_values(ctx, t, name, n, ML_DTYPE_I64, values);
}

/* Bytes 0 and 1. */
static inline ml_table *add_bool(ml_context *ctx, ml_table *t, const char *name,
                                 int64_t n, const uint8_t *values)
{
    return add_values(ctx, t, name, n, ML_DTYPE_BOOL, values);
}

/* NULL is a missing value. */
static inline ml_table *add_text(ml_context *ctx, ml_table *t, const char *name,
                                 int64_t n, const char *const *values)
{
    ml_table *out = NULL;
    OK(ml_table_with_strs(ctx, t, name, values, n, &out, ERR));
    ml_table_free(t);
    return out;
}

/* Settings: "name=value;...". */
typedef ml_status (*set_fn)(void *to, const char *name, const char *value, ml_error *err);

static inline void set_each(void *to, set_fn set, const char *settings)
{
    char text[512], *save = NULL;
    ck_assert_int_lt(snprintf(text, sizeof text, "%s", settings), (int)sizeof text);
    for (char *at = strtok_r(text, ";", &save); at; at = strtok_r(NULL, ";", &save)) {
        char *equal = strchr(at, '=');
        *equal = 0;
        OK(set(to, at, equal + 1, ERR));
    }
}

static inline ml_status set_in_estimator(void *to, const char *name, const char *value,
                                         ml_error *err)
{
    return ml_estimator_set_str(to, name, value, err);
}

static inline ml_status set_in_params(void *to, const char *name, const char *value,
                                      ml_error *err)
{
    return ml_params_set_str(to, name, value, err);
}

static inline void set_all(ml_estimator *e, const char *settings)
{
    set_each(e, set_in_estimator, settings);
}

static inline void set_all_params(ml_params *p, const char *settings)
{
    set_each(p, set_in_params, settings);
}

/* The text of a cell in a buffer that the next call reuses; "" when missing. */
static inline const char *cell(const ml_table *t, int64_t row, const char *column)
{
    static char buffer[256];
    ml_table_get_str(t, row, ml_table_find(t, column), buffer, sizeof buffer);
    return buffer;
}

/* Asserts on the text of the last error. */
#define SAYS(part)                                                                       \
    ck_assert_msg(strstr(ml_error_message(ERR), part) != NULL, "\"%s\" lacks \"%s\"",    \
                  ml_error_message(ERR), part)

#endif
