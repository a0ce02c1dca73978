/* SPDX-License-Identifier: MIT
 *
 * data/associate_code.c: columns as levels in a sample of their rows.
 */
#include "core/radix.h"
#include "data/associate.h"
#include "data/distinct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OTHER (MLI_LEVELS - 1)
#define OWN   (MLI_LEVELS - 2) /* levels of values, 1..OWN */

ml_status mli_sample_new(ml_context *ctx, int64_t rows, int64_t most,
                         mli_rows_sample *out, ml_error *err)
{
    out->n = rows < most ? rows : most;
    out->row = mli_alloc_vec(ctx, out->n, sizeof *out->row);
    if (!out->row) return mli_nomem(err);
    for (int64_t k = 0; k < out->n; k++) {
        int64_t begin = k * rows / out->n, size = (k + 1) * rows / out->n - begin;
        out->row[k] = begin + (int64_t)(mli_mix64((uint64_t)k) % (uint64_t)size);
    }
    return ML_OK;
}

/* The upper ends of bins: every value its own where they are few, else of about equal
 * size. Returns their number. */
static int make_edges(double *sorted, int64_t n, double *edges)
{
    int count = 0;
    int64_t distinct = n > 0;
    for (int64_t i = 1; i < n; i++) distinct += sorted[i] != sorted[i - 1];
    int64_t step = distinct <= OWN ? 1 : n / OWN + 1;
    for (int64_t i = step - 1; i < n; i += step) {
        int64_t at = i;
        if (count && sorted[at] <= edges[count - 1]) continue;
        edges[count++] = sorted[at];
        if (count == OWN) break;
    }
    if (n && (!count || edges[count - 1] < sorted[n - 1])) {
        if (count == OWN) count--;
        edges[count++] = sorted[n - 1];
    }
    return count;
}

static uint8_t bin_of(const double *edges, int count, double value)
{
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (value <= edges[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return (uint8_t)(low + 1);
}

static int code_numbers(ml_context *ctx, const mli_column *c, const mli_rows_sample *s,
                        mli_coded *out)
{
    double edges[OWN];
    int64_t n = 0;
    int finite = 1;
    double *sorted = mli_alloc_vec(ctx, 2 * s->n, sizeof *sorted);
    out->numeric = 1;
    out->value = mli_alloc_vec(ctx, s->n, sizeof *out->value);
    if (!sorted || !out->value) {
        mli_free(ctx, sorted);
        return 0;
    }
    for (int64_t i = 0; i < s->n; i++) {
        mli_column_f64(c, s->row[i], s->row[i] + 1, &out->value[i], 1);
        finite &= isfinite(out->value[i]) != 0;
        if (!isnan(out->value[i])) sorted[n++] = out->value[i];
    }
    mli_radix_sort_f64(sorted, sorted + s->n, n);
    int count = make_edges(sorted, n, edges);
    for (int64_t i = 0; i < s->n; i++)
        out->level[i] = isnan(out->value[i]) ? 0 : bin_of(edges, count, out->value[i]);
    out->n = count + 1;
    out->complete = finite;
    mli_free(ctx, sorted);
    return 1;
}

typedef struct {
    int64_t count;
    int32_t key;
} frequent;

static int by_count(const void *a, const void *b)
{
    const frequent *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

/* Numbers the texts of the sample: key[i], -1 where missing. */
static int number_texts(const mli_column *c, const mli_rows_sample *s, mli_map *map,
                        int32_t *key)
{
    for (int64_t i = 0; i < s->n; i++) {
        size_t size;
        const char *text = mli_column_text(c, s->row[i], &size);
        key[i] = text ? mli_map_add(map, text, size) : -1;
        if (text && key[i] < 0) return 0;
    }
    return 1;
}

static int64_t present(const int32_t *key, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += key[i] >= 0;
    return count;
}

static int code_texts(ml_context *ctx, const mli_column *c, const mli_rows_sample *s,
                      mli_coded *out)
{
    mli_map map;
    mli_map_init(&map, ctx);
    int32_t *key = mli_alloc_vec(ctx, s->n, sizeof *key);
    frequent *f = mli_calloc(ctx, (size_t)s->n + 1, sizeof *f);
    uint8_t *level = mli_alloc_vec(ctx, s->n + 1, sizeof *level);
    int ok = key && f && level && number_texts(c, s, &map, key);
    if (ok) {
        for (int32_t k = 0; k < map.count; k++) f[k].key = k;
        for (int64_t i = 0; i < s->n; i++)
            if (key[i] >= 0) f[key[i]].count++;
        qsort(f, (size_t)map.count, sizeof *f, by_count);
        for (int64_t k = 0; k < map.count; k++)
            level[f[k].key] = (uint8_t)(k < OWN ? k + 1 : OTHER);
        for (int64_t i = 0; i < s->n; i++) out->level[i] = key[i] < 0 ? 0 : level[key[i]];
        out->n = map.count < OWN ? (int32_t)map.count + 1 : MLI_LEVELS;
        if (map.count > OWN && 2 * map.count > present(key, s->n)) {
            memset(out->level, 0, (size_t)s->n); /* names of rows: no levels */
            out->n = 0;
        }
    }
    mli_map_free(&map);
    mli_free(ctx, key);
    mli_free(ctx, f);
    mli_free(ctx, level);
    return ok;
}

int mli_code(ml_context *ctx, const mli_column *c, const mli_rows_sample *sample,
             mli_coded *out)
{
    int text = c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
    *out = (mli_coded){0};
    out->level = mli_alloc_vec(ctx, sample->n, sizeof *out->level);
    if (!out->level) return 0;
    return text ? code_texts(ctx, c, sample, out) : code_numbers(ctx, c, sample, out);
}

void mli_coded_free(ml_context *ctx, mli_coded *c)
{
    mli_free(ctx, c->level);
    mli_free(ctx, c->value);
}
