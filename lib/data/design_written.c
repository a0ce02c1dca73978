/* SPDX-License-Identifier: MIT
 *
 * data/design_written.c: categories that are written as amounts or dates.
 *
 * Whether a column of a file is one of numbers, of dates or of texts follows from all its
 * values. So "10 %" is a text beside "none" in training, and a number in a file to be
 * predicted that has no "none". A number or day that is no level is therefore the level
 * that reads as it.
 */
#include "data/csv.h"
#include "data/design_parts.h"

#include <math.h>
#include <stdlib.h>

/* What a level reads as: an amount, or microseconds. */
typedef struct written {
    double value;
    int32_t code;
} written;

static int by_value(const void *x, const void *y)
{
    double a = ((const written *)x)->value, b = ((const written *)y)->value;
    return (a > b) - (a < b);
}

/* `way`: is the decimal mark a comma, or is the day first? */
static int reads(int days, int way, const mli_dictionary *d, int64_t k, double *out)
{
    const char *text = d->bytes + d->offsets[k];
    size_t size = (size_t)(d->offsets[k + 1] - d->offsets[k]);
    int64_t micros;
    int signs = 0;
    if (!days) return mli_csv_amount(way ? ',' : '.', text, size, out, &signs);
    if (!mli_parse_ordered(text, size, way, &micros)) return 0;
    *out = (double)micros;
    return 1;
}

/* The levels that can be read, all in the same way. Of dates that differ by the order,
 * when all levels fit both, nothing is known. */
static int64_t read_levels(const mli_dictionary *d, int days, written *out)
{
    int64_t n = 0;
    int ways = 3;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t k = 0; k < d->n; k++) {
            double v[2];
            int fits = reads(days, 0, d, k, &v[0]) + 2 * reads(days, 1, d, k, &v[1]);
            if (!fits) continue;
            if (pass == 0)
                ways &= fits;
            else if (ways && (!days || ways < 3 || v[0] == v[1]))
                out[n++] = (written){v[ways == 2], (int32_t)k};
        }
    qsort(out, (size_t)n, sizeof *out, by_value);
    return n;
}

ml_status mli_code_written(ml_context *ctx, const mli_column *c, const mli_dictionary *d,
                           int32_t *codes, int64_t *unseen)
{
    int days = c->type != ML_DTYPE_F64;
    double unit = c->type == ML_TYPE_DATE ? (double)MLI_DAY_MICROS : 1;
    written *levels = mli_alloc_vec(ctx, d->n, sizeof *levels);
    if (!levels) return ML_E_MEMORY;
    int64_t n = read_levels(d, days, levels), row = *unseen;
    *unseen = -1;
    for (; row < c->rows; row++) {
        written key;
        if (codes[row] >= 0) continue;
        mli_column_f64(c, row, row + 1, &key.value, 1);
        if (isnan(key.value)) continue;
        key.value *= unit;
        const written *found = bsearch(&key, levels, (size_t)n, sizeof key, by_value);
        if (found)
            codes[row] = found->code;
        else if (*unseen < 0)
            *unseen = row;
    }
    mli_free(ctx, levels);
    return ML_OK;
}
