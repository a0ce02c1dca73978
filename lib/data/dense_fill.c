/* SPDX-License-Identifier: MIT
 *
 * data/dense_fill.c: the values of the dense matrix: missing ones filled, categories as
 * columns of 0 and 1, centered and scaled where asked for.
 */
#include "data/dense_parts.h"
#include "tensor/kernels.h"

#include <math.h>

/* The value of a column, centered and scaled when `standard`. */
static inline double value_of(const mli_dense *d, int64_t c, int standard, double x)
{
    if (!standard) return x;
    return d->scale[c] > 0 ? (x - d->center[c]) * (1.0 / d->scale[c]) : 0.0;
}

static void constant(double *out, int64_t n, double v)
{
    for (int64_t i = 0; i < n; i++) out[i] = v;
}

static void number_columns(const mli_dense *d, const mli_design *design, int64_t j,
                           int64_t begin, int64_t end, int standard, double *out,
                           int64_t ld)
{
    const mli_kernels *k = mli_kernels_of(d->ctx);
    int64_t c = d->first[j], n = end - begin;
    int indicator = d->first[j + 1] - c > 1;
    if (indicator) constant(out + ld, n, value_of(d, c + 1, standard, 0));
    mli_design_f64(design, j, begin, end, out, 1);
    if (!isfinite(k->sum(out, n))) {
        for (int64_t i = 0; i < n; i++) {
            if (!isnan(out[i])) continue;
            out[i] = d->fill[c];
            if (indicator) out[ld + i] = value_of(d, c + 1, standard, 1);
        }
    }
    if (!standard) return;
    if (d->scale[c] > 0)
        k->standardize(d->center[c], 1.0 / d->scale[c], out, out, n);
    else
        constant(out, n, 0);
}

static void level_columns(const mli_dense *d, const mli_design *design, int64_t j,
                          int64_t begin, int64_t end, int standard, double *out,
                          int64_t ld)
{
    int64_t first = d->first[j], count = d->first[j + 1] - first;
    const int32_t *codes = design->columns[j].codes;
    for (int64_t c = 0; c < count; c++)
        constant(out + c * ld, end - begin, value_of(d, first + c, standard, 0));
    for (int64_t i = begin; i < end; i++) {
        int64_t hot = mli_dense_hot(d, j, (double)codes[i]);
        if (hot >= 0) out[(hot - first) * ld + i - begin] = value_of(d, hot, standard, 1);
        for (int64_t c = 0; hot == -2 && c < count; c++)
            out[c * ld + i - begin] =
                value_of(d, first + c, standard, d->fill[first + c]);
    }
}

void mli_dense_feature(const mli_dense *d, const mli_design *design, int64_t feature,
                       int64_t begin, int64_t end, int standard, double *out, int64_t ld)
{
    int32_t kind = design->columns[feature].kind;
    if (kind == MLI_NUMERIC)
        number_columns(d, design, feature, begin, end, standard, out, ld);
    else if (kind == MLI_CATEGORICAL)
        level_columns(d, design, feature, begin, end, standard, out, ld);
}

void mli_dense_columns(const mli_dense *d, const mli_design *design, int64_t begin,
                       int64_t end, int standard, double *out, int64_t ld)
{
    for (int64_t j = 0; j < d->n_features; j++)
        mli_dense_feature(d, design, j, begin, end, standard, out + d->first[j] * ld, ld);
}

/* The columns of one feature of a plain row. */
static void expand(const mli_dense *d, int64_t j, double x, int standard, double *out)
{
    int64_t begin = d->first[j], end = d->first[j + 1];
    if (begin == end) return;
    if (d->inputs->features[j].kind == MLI_NUMERIC) {
        int missing = isnan(x);
        out[begin] = value_of(d, begin, standard, missing ? d->fill[begin] : x);
        if (end - begin > 1) out[begin + 1] = value_of(d, begin + 1, standard, missing);
        return;
    }
    int64_t hot = mli_dense_hot(d, j, x);
    for (int64_t c = begin; c < end; c++)
        out[c] = value_of(d, c, standard, hot == -2 ? d->fill[c] : c == hot);
}

void mli_dense_row(const mli_dense *d, const double *row, int standard, double *out)
{
    for (int64_t j = 0; j < d->n_features; j++) expand(d, j, row[j], standard, out);
}

void mli_dense_rows(const mli_dense *d, const mli_design *design, int64_t begin,
                    int64_t end, int standard, double *out, int64_t stride)
{
    double x[64];
    for (int64_t j = 0; j < d->n_features; j++) {
        for (int64_t at = begin; at < end; at += 64) {
            int64_t n = end - at < 64 ? end - at : 64;
            mli_design_f64(design, j, at, at + n, x, 1);
            for (int64_t i = 0; i < n; i++)
                expand(d, j, x[i], standard, out + (at - begin + i) * stride);
        }
    }
}
