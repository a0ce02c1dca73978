/* SPDX-License-Identifier: MIT
 *
 * import_catboost_crosses.c: statistics of combinations of features in CatBoost's JSON.
 *
 * A combination is made of categories, answers of splits on numbers (0, 1) and of splits
 * on one category, in this order; its table has the hash of all of them. The statistics
 * of one table become the columns of one cross (trees/crosses.h).
 *
 * Which texts a feature has is not said. A feature with a table of its own has those of
 * that table. Others have what the tables of combinations tell: the steps of the hash can
 * be taken back, so that of a combination of k categories k - 1 are tried and the first
 * follows. Where that is too many trials a feature gets the texts of all features, which
 * predicts the same.
 */
#include "serialization/import_catboost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PLACE        "features_info.ctrs"
#define ELEMENTS_MAX 64
#define TRIALS_MAX   2e7 /* per table, */
#define ALL_TRIALS   1e8 /* and in all */

ml_status mli_cat_elements(const mli_cat_categories *c, const mli_item *ctr,
                           const mli_item **out)
{
    const mli_item *elements = mli_item_get(ctr, "elements");
    if (!elements || elements->type != MLI_V_ARRAY || elements->n < 1 ||
        elements->n > ELEMENTS_MAX)
        return mli_cat_bad(c, PLACE, "a statistic without features, or of too many");
    *out = elements;
    return ML_OK;
}

/* ---- elements ---- */

static ml_status category_of(const mli_cat_categories *c, const mli_item *item,
                             int64_t *out)
{
    return mli_cat_place(c, &c->index, item, "cat_feature_index", PLACE, out);
}

static ml_status read_exact(const mli_cat_categories *c, const mli_item *item,
                            mli_import_element *e)
{
    int64_t j, l = 0;
    double value;
    int32_t hash;
    ml_status s = category_of(c, item, &j);
    if (!s) s = mli_item_number(item, PLACE, "value", NAN, &value, c->im->err);
    if (s) return s;
    if (!mli_cat_hash32(value, &hash))
        return mli_cat_bad(c, PLACE, "value is no hash of 32 bits");
    const mli_cat_feature *f = &c->features[j];
    while (l < f->n && f->hash[l] != hash) l++;
    *e = (mli_import_element){(int32_t)f->flat, MLI_CROSS_EQUAL,
                              c->hashed  ? (double)(uint32_t)hash
                              : l < f->n ? (double)l
                                         : -1};
    return ML_OK;
}

static ml_status read_float(const mli_cat_categories *c, const mli_item *item,
                            mli_import_element *e)
{
    int64_t j;
    double border;
    ml_status s = mli_cat_place(c, &c->floats, item, "float_feature_index", PLACE, &j);
    if (!s) s = mli_item_number(item, PLACE, "border", NAN, &border, c->im->err);
    if (s) return s;
    if (isnan(border)) return mli_cat_bad(c, PLACE, "a border that is not a number");
    *e = (mli_import_element){(int32_t)c->float_flat[j],
                              c->float_nan_true[j] ? MLI_CROSS_ABOVE_NONE
                                                   : MLI_CROSS_ABOVE,
                              mli_import_upto_f32((float)border)};
    return ML_OK;
}

static int is_kind(const mli_item *item, const char *kind)
{
    return mli_item_is(mli_item_get(item, "combination_element"), kind);
}

static ml_status read_element(const mli_cat_categories *c, const mli_item *item,
                              mli_import_element *e)
{
    int64_t j;
    if (is_kind(item, "float_feature")) return read_float(c, item, e);
    if (is_kind(item, "cat_feature_exact_value")) return read_exact(c, item, e);
    if (!is_kind(item, "cat_feature_value"))
        return mli_cat_bad(c, PLACE, "combination_element is not known");
    ml_status s = category_of(c, item, &j);
    if (s) return s;
    const mli_cat_feature *f = &c->features[j];
    mli_import_feature *to = &c->im->features[f->flat];
    *e = (mli_import_element){(int32_t)f->flat,
                              c->hashed ? MLI_CROSS_HASH : MLI_CROSS_CATEGORY, 0};
    if (to->hash || f->n == 0) return ML_OK;
    to->hash = mli_alloc_vec(c->im->ctx, f->n, sizeof *to->hash);
    if (!to->hash) return mli_nomem(c->im->err);
    memcpy(to->hash, f->hash, (size_t)f->n * sizeof *to->hash);
    return ML_OK;
}

/* ---- which texts features have ---- */

typedef struct decoder {
    mli_cat_categories *c;
    const mli_cat_texts *t;
    int64_t n, bits; /* categories of the combination, and questions */
    int64_t feature[ELEMENTS_MAX];
    int64_t *texts[ELEMENTS_MAX], n_texts[ELEMENTS_MAX]; /* that may be */
    int64_t chosen[ELEMENTS_MAX];
    uint64_t inverse; /* of the factor of the hash */
    double trials;    /* that were made */
    int found;
} decoder;

/* By Newton's steps, each of which doubles the bits that are right. */
static uint64_t inverse_of_factor(void)
{
    const uint64_t factor = mli_cross_mix(1, 0);
    uint64_t x = factor;
    for (int i = 0; i < 6; i++) x *= 2 - factor * x;
    return x;
}

/* What the hash was before a step. */
static uint64_t unmix(const decoder *d, uint64_t hash, int64_t next)
{
    return d->inverse * (hash - mli_cross_mix(0, next));
}

/* Marks the texts of the first k + 1 categories that make a hash. */
static void decode(decoder *d, int64_t k, uint64_t hash)
{
    if (k > 0) {
        for (int64_t i = 0; i < d->n_texts[k]; i++) {
            d->chosen[k] = d->texts[k][i];
            decode(d, k - 1, unmix(d, hash, d->t->hash[d->chosen[k]]));
        }
        return;
    }
    int64_t first = (int64_t)(d->inverse * d->inverse * hash);
    if (first < INT32_MIN || first > INT32_MAX) return;
    const mli_cat_entry *e = mli_cat_find(d->t->sorted, d->t->n, hash);
    if (!e) return;
    d->chosen[0] = e->place;
    d->found = 1;
    for (int64_t i = 0; i < d->n; i++)
        d->c->features[d->feature[i]].seen[d->chosen[i]] = 1;
}

/* The same with all answers of the questions. */
static void decode_answers(decoder *d, int64_t bits, uint64_t hash)
{
    if (bits == 0) {
        decode(d, d->n - 1, hash);
        return;
    }
    decode_answers(d, bits - 1, unmix(d, hash, 0));
    decode_answers(d, bits - 1, unmix(d, hash, 1));
}

/* The categories of a combination, and the number of its questions. */
static ml_status read_categories(decoder *d, const mli_item *ctr)
{
    const mli_item *elements;
    ml_status s = mli_cat_elements(d->c, ctr, &elements);
    d->n = d->bits = 0;
    for (int64_t i = 0; !s && i < elements->n; i++) {
        const mli_item *item = &elements->as.items[i];
        if (!is_kind(item, "cat_feature_value"))
            d->bits++;
        else if (d->bits == 0)
            s = category_of(d->c, item, &d->feature[d->n++]);
        else
            s = mli_cat_bad(d->c, PLACE, "a category behind a question");
    }
    return s;
}

/* Which texts may a feature have? Returns the trials per hash. */
static double list_texts(decoder *d)
{
    double trials = ldexp(1, (int)d->bits);
    for (int64_t k = 0; k < d->n; k++) {
        const mli_cat_feature *f = &d->c->features[d->feature[k]];
        d->n_texts[k] = 0;
        for (int64_t i = 0; i < d->t->n; i++)
            if (!f->settled || f->seen[i]) d->texts[k][d->n_texts[k]++] = i;
        /* Answers are tried even where there is no text. */
        if (k) trials *= fmax((double)d->n_texts[k], 1);
    }
    return trials;
}

static ml_status decode_table(decoder *d, const mli_item *ctr)
{
    mli_cat_categories *c = d->c;
    mli_cat_table table;
    int settled = 1;
    int64_t lacking = 0;
    for (int64_t k = 0; k < d->n; k++) settled &= c->features[d->feature[k]].settled;
    if (settled) return ML_OK;
    ml_status s = mli_cat_table_read(c, ctr, &table);
    if (s) return s;
    double trials = list_texts(d) * (double)table.n;
    if (trials > TRIALS_MAX || d->trials + trials > ALL_TRIALS) return ML_OK;
    d->trials += trials;
    for (int64_t i = 0; i < table.n; i++) {
        uint64_t hash = mli_cat_table_hash(&table, i);
        d->found = 0;
        if (hash == MLI_CAT_NOTHING) continue;
        decode_answers(d, d->bits, hash);
        lacking += !d->found;
    }
    for (int64_t k = 0; k < d->n; k++) c->features[d->feature[k]].settled = 1;
    c->hashed |= lacking > 0;
    return ML_OK;
}

/* Room for marks at the features of combinations, and lists. */
static ml_status make_room(decoder *d, const mli_item *ctrs)
{
    ml_context *ctx = d->c->im->ctx;
    for (int64_t i = 0; i < d->c->n_ctrs; i++) {
        if (d->c->ctrs[i].feature >= 0) continue;
        ml_status s = read_categories(d, &ctrs->as.items[i]);
        if (s) return s;
        for (int64_t k = 0; k < d->n; k++) {
            mli_cat_feature *f = &d->c->features[d->feature[k]];
            if (!f->seen) f->seen = mli_calloc(ctx, (size_t)d->t->n + 1, 1);
            if (!d->texts[k])
                d->texts[k] = mli_alloc_vec(ctx, d->t->n + 1, sizeof **d->texts);
            if (!f->seen || !d->texts[k]) return mli_nomem(d->c->im->err);
        }
    }
    return ML_OK;
}

/* Small combinations first: what they tell makes the others cheaper. */
static ml_status decode_tables(decoder *d, const mli_item *ctrs)
{
    int64_t most = 1;
    for (int64_t n = 1; n <= most; n++) {
        for (int64_t i = 0; i < d->c->n_ctrs; i++) {
            if (d->c->ctrs[i].feature >= 0) continue;
            ml_status s = read_categories(d, &ctrs->as.items[i]);
            if (d->n > most) most = d->n;
            if (!s && d->n == n) s = decode_table(d, &ctrs->as.items[i]);
            if (s) return s;
        }
    }
    return ML_OK;
}

ml_status mli_cat_decode(mli_cat_categories *c, const mli_item *ctrs,
                         const mli_cat_texts *t)
{
    decoder d = {.c = c, .t = t, .inverse = inverse_of_factor()};
    ml_status s = make_room(&d, ctrs);
    for (int64_t i = 0; !s && i < c->n_ctrs; i++) {
        mli_cat_feature *f =
            c->ctrs[i].feature < 0 ? NULL : &c->features[c->ctrs[i].feature];
        if (f && !f->settled) s = mli_cat_mark_table(c, &ctrs->as.items[i], t, f->seen);
        if (f) f->settled = 1;
    }
    if (!s) s = decode_tables(&d, ctrs);
    for (int64_t j = 0; !s && j < c->n; j++)
        if (c->features[j].seen && !c->features[j].settled)
            memset(c->features[j].seen, 1, (size_t)t->n);
    for (int64_t k = 0; k < ELEMENTS_MAX; k++) mli_free(c->im->ctx, d.texts[k]);
    return s;
}

/* ---- tables ---- */

/* Lists the crosses of each table; the first is met before the others. */
static ml_status list_crosses(mli_cat_categories *c, const mli_item *ctrs)
{
    int64_t *last = mli_alloc_vec(c->im->ctx, c->tables.count + 1, sizeof *last);
    if (!last) return mli_nomem(c->im->err);
    for (int64_t t = 0; t < c->tables.count; t++) last[t] = -1;
    for (int64_t i = c->n_ctrs - 1; i >= 0; i--) {
        mli_cat_ctr *ctr = &c->ctrs[i];
        int64_t t = ctr->feature < 0 ? mli_cat_table_of(c, &ctrs->as.items[i]) : -1;
        ctr->column = ctr->next = -1;
        if (t < 0) continue;
        ctr->next = last[t];
        last[t] = i;
    }
    mli_free(c->im->ctx, last);
    return ML_OK;
}

/* The statistics of one table, of which i is the first, get a cross and its columns. */
static int64_t take_columns(mli_cat_categories *c, int64_t i)
{
    int64_t n = 0;
    for (int64_t k = i; k >= 0; k = c->ctrs[k].next)
        c->ctrs[k].column = c->im->n_columns + n++;
    return n;
}

static ml_status read_elements(const mli_cat_categories *c, const mli_item *ctr,
                               mli_import_cross *to)
{
    const mli_item *elements;
    ml_status s = mli_cat_elements(c, ctr, &elements);
    if (s) return s;
    to->elements = mli_alloc_vec(c->im->ctx, elements->n, sizeof *to->elements);
    if (!to->elements) return mli_nomem(c->im->err);
    for (int64_t i = 0; !s && i < elements->n; i++, to->n_elements++)
        s = read_element(c, &elements->as.items[i], &to->elements[i]);
    return s;
}

/* The entries of a table in order of their hashes. */
static ml_status sort_keys(const mli_cat_categories *c, const mli_cat_table *t,
                           mli_cat_entry **out, int64_t *n)
{
    mli_cat_entry *e = mli_alloc_vec(c->im->ctx, t->n + 1, sizeof *e);
    *n = 0;
    *out = e;
    if (!e) return mli_nomem(c->im->err);
    for (int64_t i = 0; i < t->n; i++) {
        e[*n] = (mli_cat_entry){mli_cat_table_hash(t, i), i};
        *n += e[*n].hash != MLI_CAT_NOTHING;
    }
    if (*n) qsort(e, (size_t)*n, sizeof *e, mli_cat_by_hash);
    for (int64_t i = 1; i < *n; i++)
        if (e[i - 1].hash == e[i].hash)
            return mli_cat_bad(c, "ctr_data", "a table has a hash twice");
    return ML_OK;
}

static ml_status fill_column(const mli_cat_categories *c, const mli_item *ctr,
                             const mli_cat_table *t, const mli_cat_entry *e,
                             mli_import_cross *to, int64_t column)
{
    mli_cat_recipe r;
    ml_status s = mli_cat_recipe_read(c, ctr, &r);
    for (int64_t i = 0; i <= to->n_keys && !s; i++) {
        float *value = &to->values[i * to->n_columns + column];
        *value = mli_cat_rate_none(&r, t);
        if (i < to->n_keys) s = mli_cat_rate(c, &r, t, e[i].place, value);
        if (!s && !isfinite(*value))
            s = mli_cat_bad(c, "ctr_data", "a statistic that is not finite");
    }
    return s;
}

static ml_status read_table(mli_cat_categories *c, const mli_item *ctrs, int64_t first,
                            mli_import_cross *to)
{
    ml_context *ctx = c->im->ctx;
    mli_cat_entry *sorted = NULL;
    mli_cat_table t;
    int64_t column = 0;
    ml_status s = mli_cat_table_read(c, &ctrs->as.items[first], &t);
    if (s) return s;
    s = sort_keys(c, &t, &sorted, &to->n_keys);
    if (!s) {
        to->keys = mli_alloc_vec(ctx, to->n_keys + 1, sizeof *to->keys);
        to->values =
            mli_alloc_vec(ctx, (to->n_keys + 1) * to->n_columns, sizeof *to->values);
        if (!to->keys || !to->values) s = mli_nomem(c->im->err);
    }
    for (int64_t i = 0; i < to->n_keys && !s; i++) to->keys[i] = sorted[i].hash;
    for (int64_t k = first; k >= 0 && !s; k = c->ctrs[k].next)
        s = fill_column(c, &ctrs->as.items[k], &t, sorted, to, column++);
    mli_free(ctx, sorted);
    return s;
}

/* A column that is 1 where feature j has a category. */
static ml_status ask(mli_cat_categories *c, mli_cat_feature *f, int32_t hash)
{
    mli_import *im = c->im;
    mli_import_cross *to = &im->crosses[im->n_crosses++];
    to->elements = mli_alloc_vec(im->ctx, 1, sizeof *to->elements);
    to->keys = mli_alloc_vec(im->ctx, 1, sizeof *to->keys);
    to->values = mli_alloc_vec(im->ctx, 2, sizeof *to->values);
    if (!to->elements || !to->keys || !to->values) return mli_nomem(im->err);
    *to->elements =
        (mli_import_element){(int32_t)f->flat, MLI_CROSS_EQUAL, (double)(uint32_t)hash};
    to->n_elements = to->n_keys = to->n_columns = 1;
    to->keys[0] = mli_cross_mix(0, 1);
    to->values[0] = 1;
    to->values[1] = 0;
    f->exact[f->n_exact++] = (mli_cat_entry){(uint32_t)hash, im->n_columns++};
    return ML_OK;
}

static ml_status ask_all(mli_cat_categories *c, const mli_item *list)
{
    ml_status s = ML_OK;
    for (int64_t j = 0; j < c->n && !s; j++) {
        const mli_item *exact = mli_item_get(&list->as.items[j], "values");
        mli_cat_feature *f = &c->features[j];
        int64_t n = f->n_exact;
        int32_t hash = 0;
        f->n_exact = 0;
        if (n == 0) continue;
        f->exact = mli_alloc_vec(c->im->ctx, n, sizeof *f->exact);
        if (!f->exact) return mli_nomem(c->im->err);
        for (int64_t i = 0; i < n && !s; i++) {
            (void)mli_cat_hash32(exact->as.numbers[i], &hash);
            s = ask(c, f, hash);
        }
        if (!s) qsort(f->exact, (size_t)n, sizeof *f->exact, mli_cat_by_hash);
    }
    return s;
}

ml_status mli_cat_cross(mli_cat_categories *c, const mli_item *list, const mli_item *ctrs)
{
    mli_import *im = c->im;
    int64_t room = c->n_ctrs + 1;
    for (int64_t j = 0; j < c->n; j++) room += c->features[j].n_exact;
    im->crosses = mli_calloc(im->ctx, (size_t)room, sizeof *im->crosses);
    if (!im->crosses) return mli_nomem(im->err);
    ml_status s = list_crosses(c, ctrs);
    for (int64_t i = 0; i < c->n_ctrs && !s; i++) {
        if (c->ctrs[i].feature >= 0 || c->ctrs[i].column >= 0) continue;
        mli_import_cross *to = &im->crosses[im->n_crosses++];
        to->n_columns = take_columns(c, i);
        s = read_elements(c, &ctrs->as.items[i], to);
        if (!s) s = read_table(c, ctrs, i, to);
        im->n_columns += to->n_columns;
    }
    if (!s && c->hashed) s = ask_all(c, list);
    if (!s && im->n_columns > INT32_MAX - im->n_features)
        s = mli_cat_bad(c, PLACE, "too many statistics");
    return s;
}
