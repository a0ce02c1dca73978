/* SPDX-License-Identifier: MIT
 *
 * data/design_written.c: categories that are written as amounts or dates.
 *
 * Whether a column of a file is one of numbers, of dates or of texts follows from all its
 * values. So "10 %" is a text beside "none" in training, and a number in a file to be
 * predicted that has no "none"; or the other way round. What is no level is therefore the
 * level that reads as the same number or day.
 */
#include "data/csv.h"
#include "data/design_parts.h"

#include <math.h>
#include <stdlib.h>

/* What a level reads as: a number, or microseconds. */
typedef struct written {
    double value;
    int32_t code;
} written;

/* Texts: those of levels, or of the rows of a column that have no code. */
typedef struct texts {
    const mli_dictionary *d;
    const mli_column *c;
    const int32_t *codes;
    int64_t n;
    int days;
    int ways; /* 1: with a decimal point, or the month first; 2: comma, day; 3: both */
} texts;

static int by_value(const void *x, const void *y)
{
    double a = ((const written *)x)->value, b = ((const written *)y)->value;
    return (a > b) - (a < b);
}

static const char *text_at(const texts *t, int64_t i, size_t *size)
{
    if (t->c) return t->codes[i] >= 0 ? NULL : mli_column_text(t->c, i, size);
    *size = (size_t)(t->d->offsets[i + 1] - t->d->offsets[i]);
    return t->d->bytes + t->d->offsets[i];
}

/* As an amount, or a date in another order than that of ISO 8601. Returns the ways. */
static int read_written(const texts *t, int64_t i, double v[2])
{
    size_t size;
    const char *text = text_at(t, i, &size);
    int fits = 0;
    for (int way = 0; text && way < 2; way++) {
        int64_t micros = 0;
        int signs = 0;
        int fine = t->days ? mli_parse_ordered(text, size, way, &micros) != 0
                           : mli_csv_amount(way ? ',' : '.', text, size, &v[way], &signs);
        if (t->days) v[way] = (double)micros;
        fits |= fine << way;
    }
    return fits;
}

/* All that can be read is read in one way: that of `order`, if it is known. */
static void find_ways(texts *t, int order)
{
    double v[2];
    t->ways = order ? order : 3;
    for (int64_t i = 0; !order && i < t->n; i++) {
        int fits = read_written(t, i, v);
        if (fits) t->ways &= fits;
    }
}

/* Of dates that differ by the order, when all fit both, nothing is known. */
static int value_of(const texts *t, int64_t i, double *out)
{
    double v[2];
    if (!(read_written(t, i, v) & t->ways)) return 0;
    if (t->days && t->ways == 3 && v[0] != v[1]) return 0;
    *out = v[t->ways == 2];
    return 1;
}

/* Of a level that was a number or a day in training. */
static int plain_value(const texts *t, int64_t i, double *out)
{
    size_t size;
    const char *text = text_at(t, i, &size);
    int32_t day;
    int64_t micros;
    if (!t->days) return mli_parse_f64(text, text + size, out);
    if (mli_parse_date(text, size, &day))
        micros = mli_days_to_micros(day);
    else if (!mli_parse_timestamp(text, size, &micros))
        return 0;
    *out = (double)micros;
    return 1;
}

static int number_at(const mli_column *c, int64_t row, double *out)
{
    mli_column_f64(c, row, row + 1, out, 1);
    if (c->type == ML_TYPE_DATE) *out *= (double)MLI_DAY_MICROS;
    return !isnan(*out);
}

ml_status mli_code_written(ml_context *ctx, const mli_column *c, int days, int order,
                           int numbers, const mli_dictionary *d, int32_t *codes,
                           int64_t *unseen)
{
    texts levels = {.d = d, .n = d->n, .days = days};
    texts rows = {.c = c, .codes = codes, .n = c->rows, .days = days};
    int64_t n = 0, row = *unseen;
    written *known = mli_alloc_vec(ctx, d->n, sizeof *known), key;
    if (!known) return ML_E_MEMORY;
    find_ways(numbers ? &levels : &rows, order);
    for (int64_t k = 0; k < d->n; k++) {
        known[n].code = (int32_t)k;
        n += numbers ? value_of(&levels, k, &known[n].value)
                     : plain_value(&levels, k, &known[n].value);
    }
    qsort(known, (size_t)n, sizeof *known, by_value);
    *unseen = -1;
    for (; row < c->rows; row++) {
        if (codes[row] >= 0 || !mli_column_valid(c, row)) continue;
        const written *found = NULL;
        if (numbers ? number_at(c, row, &key.value) : value_of(&rows, row, &key.value))
            found = bsearch(&key, known, (size_t)n, sizeof key, by_value);
        else if (numbers)
            continue; /* not a number is a missing value */
        if (found)
            codes[row] = found->code;
        else if (*unseen < 0)
            *unseen = row;
    }
    mli_free(ctx, known);
    return ML_OK;
}
