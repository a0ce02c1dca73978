/* SPDX-License-Identifier: MIT
 *
 * trees/bins_bundle.c: features that exclude each other share a column of the matrix (Ke
 * and others, "LightGBM", 2017): of one-hot columns and other sparse ones, at most one is
 * away from its usual value in a row. Bin 0 of the column means that all are at their
 * usual values; the other bins of each feature follow one after another. A histogram then
 * costs one addition for all of them, and that of one feature follows from the leaf's
 * sum.
 *
 * Which features exclude each other is looked up in a sample of the rows. Where two of
 * them meet all the same, the later one counts. Cost: the sample, and for each feature a
 * comparison with at most 64 bundles.
 */
#include "algorithms/trees/bins_parts.h"
#include "core/parallel.h"
#include <stdlib.h>

#define SAMPLE_ROWS 16384
#define RUN_ROWS    64
#define MOST_BINS   255
#define MOST_TRIES  64
#define LEAST_SHARE 0.75 /* of rows at the usual value */

typedef struct looking {
    const mli_design *design;
    mli_binner *binner;
    const uint8_t *apart;
    int64_t runs, words; /* of the sample */
    uint64_t **away; /* [n_features] rows away from the usual value; NULL: no candidate */
    int64_t *count;  /* [n_features] their number */
    atomic_int failed;
} looking;

static int64_t run_begin(const looking *l, int64_t run)
{
    return (int64_t)((double)run / (double)l->runs * (double)l->design->rows);
}

/* Bins of the sampled rows; their number. */
static int64_t sample_bins(const looking *l, int64_t feature, uint8_t *out)
{
    const mli_bin_feature *f = &l->binner->features[feature];
    double x[RUN_ROWS];
    int64_t n = 0;
    for (int64_t r = 0; r < l->runs; r++) {
        int64_t begin = run_begin(l, r), end = begin + RUN_ROWS;
        if (end > l->design->rows) end = l->design->rows;
        mli_design_f64(l->design, feature, begin, end, x, 1);
        mli_cuts_bytes(&f->cuts, x, end - begin, (uint8_t)f->n_bins, out + n, 1);
        n += end - begin;
    }
    return n;
}

static int is_candidate(const looking *l, int64_t feature)
{
    const mli_bin_feature *f = &l->binner->features[feature];
    return f->kind == MLI_NUMERIC && !f->has_missing && f->n_bins >= 2 &&
           f->n_bins <= MOST_BINS / 2 && !(l->apart && l->apart[feature]);
}

static void look_task(void *arg, int64_t feature, int32_t slot)
{
    looking *l = arg;
    mli_bin_feature *f = &l->binner->features[feature];
    uint8_t bins[SAMPLE_ROWS];
    int64_t count[256] = {0};
    (void)slot;
    if (!is_candidate(l, feature) || atomic_load(&l->failed)) return;
    int64_t n = sample_bins(l, feature, bins);
    for (int64_t i = 0; i < n; i++) count[bins[i]]++;
    int32_t usual = 0;
    for (int32_t b = 1; b < f->n_bins; b++)
        if (count[b] > count[usual]) usual = b;
    if ((double)count[usual] < LEAST_SHARE * (double)n || count[f->n_bins] > 0) return;
    uint64_t *away = mli_calloc(l->binner->ctx, (size_t)l->words, sizeof *away);
    if (!away) {
        atomic_store(&l->failed, 1);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (bins[i] != usual) away[i >> 6] |= UINT64_C(1) << (i & 63);
    f->usual = usual;
    l->count[feature] = n - count[usual];
    l->away[feature] = away;
}

typedef struct item {
    int64_t count, feature;
} item;

static int by_count(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return (x->feature > y->feature) - (x->feature < y->feature);
}

static int meet(const uint64_t *a, const uint64_t *b, int64_t words)
{
    for (int64_t i = 0; i < words; i++)
        if (a[i] & b[i]) return 1;
    return 0;
}

/* A bundle is known by its first feature, whose bits are those of all its members. */
static void join(looking *l, int64_t head, int64_t *last, int64_t feature)
{
    mli_bin_feature *h = &l->binner->features[head];
    mli_bin_feature *f = &l->binner->features[feature];
    if (!h->bundled) h->column_bins = h->n_bins;
    h->bundled = f->bundled = 1;
    f->follows = 1;
    f->offset = h->column_bins;
    h->column_bins += f->n_bins - 1;
    l->binner->features[*last].next = (int32_t)feature;
    *last = feature;
    for (int64_t i = 0; i < l->words; i++) l->away[head][i] |= l->away[feature][i];
}

static int32_t bins_of(const mli_bin_feature *h)
{
    return h->bundled ? h->column_bins : h->n_bins;
}

/* Each feature joins the first of the latest bundles that it excludes. */
static void bundle(looking *l, const item *items, int64_t n, int64_t *heads,
                   int64_t *lasts)
{
    int64_t n_heads = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t feature = items[i].feature, tried = 0, k = n_heads - 1;
        int32_t more = l->binner->features[feature].n_bins - 1;
        for (; k >= 0 && tried < MOST_TRIES; k--) {
            const mli_bin_feature *h = &l->binner->features[heads[k]];
            if (bins_of(h) + more > MOST_BINS) continue;
            tried++;
            if (!meet(l->away[heads[k]], l->away[feature], l->words)) break;
        }
        if (k >= 0 && tried <= MOST_TRIES &&
            bins_of(&l->binner->features[heads[k]]) + more <= MOST_BINS &&
            !meet(l->away[heads[k]], l->away[feature], l->words)) {
            join(l, heads[k], &lasts[k], feature);
            continue;
        }
        heads[n_heads] = lasts[n_heads] = feature;
        l->binner->features[feature].offset = 1;
        n_heads++;
    }
}

static ml_status bundle_all(looking *l, ml_error *err)
{
    int64_t n = l->binner->n_features, used = 0;
    ml_context *ctx = l->binner->ctx;
    item *items = mli_calloc(ctx, (size_t)n + 1, sizeof *items);
    int64_t *heads = mli_calloc(ctx, 2 * (size_t)n + 2, sizeof *heads);
    if (items && heads) {
        for (int64_t j = 0; j < n; j++)
            if (l->away[j]) items[used++] = (item){l->count[j], j};
        qsort(items, (size_t)used, sizeof *items, by_count);
        bundle(l, items, used, heads, heads + n + 1);
    }
    mli_free(ctx, items);
    mli_free(ctx, heads);
    return items && heads ? ML_OK : mli_nomem(err);
}

ml_status mli_bin_bundle(mli_binner *b, const mli_design *d, const uint8_t *apart,
                         ml_error *err)
{
    ml_context *ctx = b->ctx;
    looking l = {.design = d, .binner = b, .apart = apart};
    int64_t candidates = 0;
    for (int64_t j = 0; j < b->n_features; j++) candidates += is_candidate(&l, j);
    if (candidates < 2 || d->rows == 0) return ML_OK;
    l.runs = mli_task_count(d->rows, RUN_ROWS);
    if (l.runs > SAMPLE_ROWS / RUN_ROWS) l.runs = SAMPLE_ROWS / RUN_ROWS;
    l.words = l.runs * RUN_ROWS / 64 + 1;
    l.away = mli_calloc(ctx, (size_t)b->n_features, sizeof *l.away);
    l.count = mli_calloc(ctx, (size_t)b->n_features, sizeof *l.count);
    ml_status status = l.away && l.count ? ML_OK : mli_nomem(err);
    if (status == ML_OK) {
        mli_parallel(ctx, b->n_features, look_task, &l);
        status = atomic_load(&l.failed) ? mli_nomem(err) : bundle_all(&l, err);
    }
    for (int64_t j = 0; l.away && j < b->n_features; j++) mli_free(ctx, l.away[j]);
    mli_free(ctx, l.away);
    mli_free(ctx, l.count);
    return status;
}
