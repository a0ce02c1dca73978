/* SPDX-License-Identifier: MIT
 *
 * sparse_testing.h: rows made sparse, in every form that ml_predictor_sparse_rows takes,
 * against what the rows themselves give.
 */
#ifndef ML_SPARSE_TESTING_H
#define ML_SPARSE_TESTING_H

#include "testing.h"

#include <math.h>

typedef struct sparse_form {
    int wide;      /* int64_t */
    int floats;    /* values */
    double absent; /* these are left out; other values are stored, also 0 */
    int turned;    /* the elements of a row from the last to the first */
    int halves;    /* each element twice, of half its value; not for floats */
    int64_t front; /* elements before those of the first row */
} sparse_form;

typedef struct sparse_rows {
    sparse_form form;
    int64_t count, n;
    int64_t *offsets, *columns;
    double *values;
    void *narrow_offsets, *narrow_columns, *narrow_values;
} sparse_rows;

static inline int sparse_absent(double x, double absent)
{
    return x == absent || (isnan(x) && isnan(absent));
}

static inline void sparse_make(const double *rows, int64_t count, int64_t width,
                               sparse_form form, sparse_rows *s)
{
    int64_t most = form.front + 2 * count * width + 1, n = form.front;
    *s = (sparse_rows){.form = form, .count = count};
    s->offsets = malloc((size_t)(count + 1) * sizeof *s->offsets);
    s->columns = malloc((size_t)most * sizeof *s->columns);
    s->values = malloc((size_t)most * sizeof *s->values);
    for (int64_t i = 0; i < n; i++) {
        s->columns[i] = -7; /* nobody looks there */
        s->values[i] = 1e300;
    }
    s->offsets[0] = n;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < width; k++) {
            int64_t j = form.turned ? width - 1 - k : k;
            double x = rows[i * width + j];
            if (sparse_absent(x, form.absent)) continue;
            for (int part = 0; part <= form.halves; part++) {
                s->columns[n] = j;
                s->values[n++] = form.halves ? x / 2 : x;
            }
        }
        s->offsets[i + 1] = n;
    }
    s->n = n;
    int32_t *o = malloc((size_t)(count + 1) * sizeof *o),
            *c = malloc((size_t)(n + 1) * 4);
    float *v = malloc((size_t)(n + 1) * sizeof *v);
    for (int64_t i = 0; i <= count; i++) o[i] = (int32_t)s->offsets[i];
    for (int64_t i = 0; i < n; i++) c[i] = (int32_t)s->columns[i];
    for (int64_t i = 0; i < n; i++) v[i] = (float)s->values[i];
    s->narrow_offsets = o;
    s->narrow_columns = c;
    s->narrow_values = v;
}

static inline void sparse_free(sparse_rows *s)
{
    free(s->offsets);
    free(s->columns);
    free(s->values);
    free(s->narrow_offsets);
    free(s->narrow_columns);
    free(s->narrow_values);
}

/* Rows begin .. begin + count - 1. */
static inline ml_status sparse_predict(ml_predictor *p, const sparse_rows *s,
                                       int64_t begin, int64_t count, double *out)
{
    const void *offsets = s->offsets + begin, *columns = s->columns, *values = s->values;
    if (!s->form.wide) {
        offsets = (const int32_t *)s->narrow_offsets + begin;
        columns = s->narrow_columns;
    }
    if (s->form.floats) values = s->narrow_values;
    return ml_predictor_sparse_rows(
        p, offsets, columns, s->form.wide ? ML_DTYPE_I64 : ML_DTYPE_I32, values,
        s->form.floats ? ML_DTYPE_F32 : ML_DTYPE_F64, count, s->form.absent, out, ERR);
}

/* All rows at once, then in pieces of growing size: the same bits as `expected`. */
static inline void sparse_check(ml_predictor *p, const double *rows, int64_t count,
                                int64_t width, const double *expected, int64_t outputs,
                                const char *what)
{
    static const sparse_form forms[] = {{.absent = 0},
                                        {.absent = NAN, .wide = 1, .front = 3},
                                        {.absent = 0, .floats = 1, .turned = 1},
                                        {.absent = 0, .wide = 1, .halves = 1},
                                        {.absent = 1, .floats = 1, .wide = 1}};
    double *out = malloc((size_t)(count * outputs + 1) * sizeof *out);
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        sparse_rows s;
        sparse_make(rows, count, width, forms[k], &s);
        for (int turn = 0; turn < 2; turn++) {
            int64_t step = turn ? 1 : count;
            memset(out, 0, (size_t)(count * outputs) * sizeof *out);
            for (int64_t i = 0; i < count; i += step, step = 1 + (step * 5 + 1) % 97) {
                if (step > count - i || !turn) step = count - i;
                OK(sparse_predict(p, &s, i, step, out + i * outputs));
            }
            for (int64_t i = 0; i < count * outputs; i++)
                if (memcmp(&out[i], &expected[i], sizeof *out) != 0 &&
                    !(isnan(out[i]) && isnan(expected[i])))
                    ck_abort_msg("%s, form %d: number %d is %.17g, not %.17g", what,
                                 (int)k, (int)i, out[i], expected[i]);
        }
        sparse_free(&s);
    }
    free(out);
}

#endif
