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
#define GROUP       16 /* features side by side in memory */

typedef struct looking {
    const mli_design *design;
    mli_binner *binner;
    const uint8_t *apart;
    int64_t words; /* of the sample: runs of 64 rows */
    mli_bin_rows rows;
    int64_t group;   /* features looked at together */
    uint64_t **away; /* [n_features] rows away from the usual value; NULL: no candidate */
    int64_t *count;  /* [n_features] their number */
    atomic_int failed;
} looking;

static int64_t run_begin(const looking *l, int64_t run)
{
    return (int64_t)((double)run / (double)l->words * (double)l->design->rows);
}

static int is_candidate(const looking *l, int64_t feature)
{
    const mli_bin_feature *f = &l->binner->features[feature];
    return f->kind == MLI_NUMERIC && f->sparse && !f->has_missing && f->n_bins >= 2 &&
           f->n_bins <= MOST_BINS / 2 && !(l->apart && l->apart[feature]);
}

/* One run of a candidate. A missing value ends its candidacy. */
static void look_run(looking *l, int64_t feature, int64_t run)
{
    const mli_bin_feature *f = &l->binner->features[feature];
    int64_t begin = run_begin(l, run), n = l->design->rows - begin;
    double x[RUN_ROWS];
    uint8_t bins[RUN_ROWS];
    uint64_t away = 0;
    if (n > RUN_ROWS) n = RUN_ROWS;
    mli_design_f64(l->design, feature, begin, begin + n, x, 1);
    mli_cuts_bytes(&f->cuts, x, n, (uint8_t)f->n_bins, bins, 1);
    for (int64_t i = 0; i < n; i++) {
        if (bins[i] == f->n_bins) l->count[feature] = -1;
        away |= (uint64_t)(bins[i] != f->usual) << i;
    }
    l->away[feature][run] = away;
    if (l->count[feature] >= 0) l->count[feature] += __builtin_popcountll(away);
}

static void look_task(void *arg, int64_t task, int32_t slot)
{
    looking *l = arg;
    int64_t first = task * l->group, end = first + l->group;
    (void)slot;
    if (end > l->binner->n_features) end = l->binner->n_features;
    for (int64_t j = first; j < end; j++) {
        if (!is_candidate(l, j) || atomic_load(&l->failed)) continue;
        l->away[j] = mli_calloc(l->binner->ctx, (size_t)l->words, sizeof **l->away);
        if (!l->away[j]) atomic_store(&l->failed, 1);
    }
    if (atomic_load(&l->failed)) return;
    for (int64_t run = 0; run < l->words; run++) {
        int64_t next = run + 1 < l->words ? run_begin(l, run + 1) : l->design->rows;
        int64_t more =
            l->design->rows - next < RUN_ROWS ? l->design->rows - next : RUN_ROWS;
        mli_bin_fetch(&l->rows, first, end - first, next, next + more);
        for (int64_t j = first; j < end; j++)
            if (l->away[j] && l->count[j] >= 0) look_run(l, j, run);
    }
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

/* The runs of members with two bins. */
static void mark_pairs(mli_bin_feature *features, int64_t head)
{
    int32_t first = -1;
    for (int32_t j = (int32_t)head; j >= 0; j = features[j].next) {
        if (features[j].n_bins != 2) first = -1;
        if (features[j].n_bins != 2) continue;
        if (first < 0) first = j;
        features[first].pairs++;
        features[first].run_end = j;
    }
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
    for (int64_t k = 0; k < n_heads; k++) mark_pairs(l->binner->features, heads[k]);
}

static ml_status bundle_all(looking *l, ml_error *err)
{
    int64_t n = l->binner->n_features, used = 0;
    ml_context *ctx = l->binner->ctx;
    item *items = mli_calloc(ctx, (size_t)n + 1, sizeof *items);
    int64_t *heads = mli_calloc(ctx, 2 * (size_t)n + 2, sizeof *heads);
    if (items && heads) {
        for (int64_t j = 0; j < n; j++)
            if (l->away[j] && l->count[j] >= 0) items[used++] = (item){l->count[j], j};
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
    l.words = mli_task_count(d->rows, RUN_ROWS);
    if (l.words > SAMPLE_ROWS / RUN_ROWS) l.words = SAMPLE_ROWS / RUN_ROWS;
    l.rows = mli_bin_by_row(d);
    l.group = l.rows.first ? GROUP : 1;
    l.away = mli_calloc(ctx, (size_t)b->n_features, sizeof *l.away);
    l.count = mli_calloc(ctx, (size_t)b->n_features, sizeof *l.count);
    ml_status status = l.away && l.count ? ML_OK : mli_nomem(err);
    if (status == ML_OK) {
        mli_parallel(ctx, mli_task_count(b->n_features, l.group), look_task, &l);
        status = atomic_load(&l.failed) ? mli_nomem(err) : bundle_all(&l, err);
    }
    for (int64_t j = 0; l.away && j < b->n_features; j++) mli_free(ctx, l.away[j]);
    mli_free(ctx, l.away);
    mli_free(ctx, l.count);
    return status;
}
