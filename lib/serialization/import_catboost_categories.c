/* SPDX-License-Identifier: MIT
 *
 * import_catboost_categories.c: categorical features of CatBoost's JSON.
 *
 * The file has the texts of all categories with a hash of 32 bits each; splits compare a
 * hash with one value, or a statistic of the category (target mean, frequency) with a
 * border. The statistics of one feature are tables by a hash of that hash. Either way a
 * split is a set of categories; one that the table lacks counts as one without rows.
 * Statistics of combinations: import_catboost_crosses.c.
 *
 * A file without the texts (saved without the pool, or binary) has hashes all the same:
 * the features become hashed ones (data/design.h), all statistics crosses.
 */
#include "serialization/import_catboost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int mli_cat_by_hash(const void *a, const void *b)
{
    uint64_t x = ((const mli_cat_entry *)a)->hash, y = ((const mli_cat_entry *)b)->hash;
    return (x > y) - (x < y);
}

const mli_cat_entry *mli_cat_find(const mli_cat_entry *sorted, int64_t n, uint64_t hash)
{
    mli_cat_entry key = {hash, 0};
    return n ? bsearch(&key, sorted, (size_t)n, sizeof key, mli_cat_by_hash) : NULL;
}

/* ---- the levels of the features ---- */

static void texts_free(mli_cat_texts *t, ml_context *ctx)
{
    mli_free(ctx, t->hash);
    mli_free(ctx, t->sorted);
    mli_free(ctx, t->seen);
    mli_free(ctx, t->taken);
}

static ml_status read_texts(const mli_cat_categories *c, const mli_item *info,
                            mli_cat_texts *t)
{
    const char *place = "features_info.cat_features_hash";
    const mli_item *list = mli_item_get(info, "cat_features_hash");
    ml_context *ctx = c->im->ctx;
    int64_t n = list && list->type == MLI_V_ARRAY ? list->n : 0;
    *t = (mli_cat_texts){.n = n, .items = n ? list->as.items : NULL};
    t->hash = mli_alloc_vec(ctx, n + 1, sizeof *t->hash);
    t->sorted = mli_alloc_vec(ctx, n + 1, sizeof *t->sorted);
    t->seen = mli_calloc(ctx, (size_t)n + 1, 1);
    t->taken = mli_calloc(ctx, (size_t)n + 1, 1);
    if (!t->hash || !t->sorted || !t->seen || !t->taken) return mli_nomem(c->im->err);
    for (int64_t i = 0; i < n; i++) {
        const mli_item *value = mli_item_get(&t->items[i], "value");
        double v;
        ml_status s = mli_item_number(&t->items[i], place, "hash", NAN, &v, c->im->err);
        if (s) return s;
        if (!value || value->type != MLI_V_TEXT || !mli_cat_hash32(v, &t->hash[i]))
            return mli_cat_bad(c, place,
                               "a category without a text or a hash of 32 bits");
        t->sorted[i] = (mli_cat_entry){mli_cross_mix(0, t->hash[i]), i};
    }
    if (n) qsort(t->sorted, (size_t)n, sizeof *t->sorted, mli_cat_by_hash);
    return ML_OK;
}

static void mark(const mli_cat_texts *t, uint64_t hash, uint8_t *marks, int64_t *lacking)
{
    const mli_cat_entry *e = mli_cat_find(t->sorted, t->n, hash);
    if (!e)
        ++*lacking;
    else if (marks)
        marks[e->place] = 1;
}

ml_status mli_cat_mark_table(mli_cat_categories *c, const mli_item *ctr,
                             const mli_cat_texts *t, uint8_t *marks)
{
    mli_cat_table table;
    int64_t lacking = 0;
    ml_status s = mli_cat_table_read(c, ctr, &table);
    for (int64_t i = 0; !s && i < table.n; i++) {
        uint64_t hash = mli_cat_table_hash(&table, i);
        if (hash != MLI_CAT_NOTHING) mark(t, hash, marks, &lacking);
    }
    c->hashed |= lacking > 0;
    return s;
}

/* Those of splits on one level. */
static ml_status mark_exact(mli_cat_categories *c, const mli_item *feature, int64_t j,
                            mli_cat_texts *t)
{
    const char *place = "features_info.categorical_features";
    const mli_item *exact = mli_item_get(feature, "values");
    int64_t lacking = 0;
    if (exact && exact->type != MLI_V_NUMBERS && exact->n > 0)
        return mli_cat_bad(c, place, "values are not numbers");
    c->features[j].n_exact = exact && exact->type == MLI_V_NUMBERS ? exact->n : 0;
    for (int64_t i = 0; i < c->features[j].n_exact; i++) {
        int32_t hash;
        if (!mli_cat_hash32(exact->as.numbers[i], &hash))
            return mli_cat_bad(c, place, "a value is no hash of 32 bits");
        mark(t, mli_cross_mix(0, hash), t->seen, &lacking);
    }
    c->hashed |= lacking > 0;
    return ML_OK;
}

/* Marks the texts that feature j has: those in its tables, those of its splits on one
 * level, those of combinations. */
static ml_status mark_levels(mli_cat_categories *c, const mli_item *feature,
                             const mli_item *ctrs, int64_t j, mli_cat_texts *t)
{
    const mli_cat_feature *f = &c->features[j];
    memset(t->seen, 0, (size_t)t->n);
    for (int64_t i = 0; i < c->n_ctrs; i++) {
        if (c->ctrs[i].feature != j) continue;
        ml_status s = mli_cat_mark_table(c, &ctrs->as.items[i], t, t->seen);
        if (s) return s;
    }
    for (int64_t i = 0; f->seen && i < t->n; i++) t->seen[i] |= f->seen[i];
    return mark_exact(c, feature, j, t);
}

/* The texts marked become the levels of feature j. */
static ml_status name_levels(mli_cat_categories *c, int64_t j, mli_cat_texts *t)
{
    mli_cat_feature *f = &c->features[j];
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++) n += t->seen[i];
    mli_free(c->im->ctx, f->hash);
    f->hash = mli_alloc_vec(c->im->ctx, n + 1, sizeof *f->hash);
    if (!f->hash) return mli_nomem(c->im->err);
    ml_status s = n ? mli_import_levels(c->im, f->flat, n) : ML_OK;
    for (int64_t i = 0; i < t->n && !s; i++) {
        if (!t->seen[i]) continue;
        const mli_item *value = mli_item_get(&t->items[i], "value");
        t->taken[i] = 1;
        f->hash[f->n] = t->hash[i];
        s = mli_import_level(c->im, f->flat, f->n, value->as.text, (size_t)value->n);
        f->n++;
    }
    return s;
}

/* A feature that no split uses has the texts that no other one has: it is one of
 * categories all the same. */
static ml_status name_unused(mli_cat_categories *c, int64_t j, mli_cat_texts *t)
{
    int any = 0;
    for (int64_t i = 0; i < t->n; i++) any |= t->seen[i] = !t->taken[i];
    if (any) return name_levels(c, j, t);
    ml_status s = mli_import_levels(c->im, c->features[j].flat, 1);
    return s ? s : mli_import_level(c->im, c->features[j].flat, 0, "", 0);
}

static ml_status read_levels(mli_cat_categories *c, const mli_item *info,
                             const mli_item *list, const mli_item *ctrs)
{
    mli_cat_texts t;
    ml_status s = read_texts(c, info, &t);
    c->hashed = t.n == 0;
    if (!s && ctrs && !c->hashed) s = mli_cat_decode(c, ctrs, &t);
    for (int64_t j = 0; j < c->n && !s; j++)
        s = c->hashed ? mark_exact(c, &list->as.items[j], j, &t)
                      : mark_levels(c, &list->as.items[j], ctrs, j, &t);
    for (int64_t j = 0; j < c->n && !s && !c->hashed; j++) {
        s = mark_levels(c, &list->as.items[j], ctrs, j, &t);
        if (!s) s = name_levels(c, j, &t);
    }
    for (int64_t j = 0; j < c->n && !s && !c->hashed; j++)
        if (c->features[j].n == 0) s = name_unused(c, j, &t);
    texts_free(&t, c->im->ctx);
    return s;
}

/* Where texts lack, rows have the hashes that CatBoost makes of theirs, and every
 * statistic is looked up by a hash. */
static void use_hashes(mli_cat_categories *c)
{
    for (int64_t j = 0; j < c->n; j++) {
        mli_cat_feature *f = &c->features[j];
        c->im->features[f->flat].hashed = 1;
        f->n = 0;
    }
    for (int64_t i = 0; i < c->n_ctrs; i++) c->ctrs[i].feature = -1;
}

/* ---- statistics of one feature ---- */

static ml_status rate_levels(const mli_cat_categories *c, const mli_cat_feature *f,
                             const mli_cat_recipe *r, const mli_cat_table *t,
                             float *value)
{
    ml_context *ctx = c->im->ctx;
    mli_cat_entry *sorted = mli_alloc_vec(ctx, f->n + 1, sizeof *sorted);
    if (!sorted) return mli_nomem(c->im->err);
    for (int64_t l = 0; l < f->n; l++)
        sorted[l] = (mli_cat_entry){mli_cross_mix(0, f->hash[l]), l};
    if (f->n) qsort(sorted, (size_t)f->n, sizeof *sorted, mli_cat_by_hash);
    for (int64_t l = 0; l <= f->n; l++) value[l] = mli_cat_rate_none(r, t);
    ml_status s = ML_OK;
    for (int64_t i = 0; i < t->n && !s; i++) {
        const mli_cat_entry *e = mli_cat_find(sorted, f->n, mli_cat_table_hash(t, i));
        if (e) s = mli_cat_rate(c, r, t, i, &value[e->place]);
    }
    mli_free(ctx, sorted);
    return s;
}

static ml_status read_ctr(mli_cat_categories *c, const mli_item *item, mli_cat_ctr *ctr)
{
    mli_cat_recipe r;
    mli_cat_table t;
    if (ctr->feature < 0) return ML_OK;
    ml_status s = mli_cat_recipe_read(c, item, &r);
    if (!s) s = mli_cat_table_read(c, item, &t);
    if (s) return s;
    const mli_cat_feature *f = &c->features[ctr->feature];
    ctr->value = mli_alloc_vec(c->im->ctx, f->n + 1, sizeof *ctr->value);
    if (!ctr->value) return mli_nomem(c->im->err);
    return rate_levels(c, f, &r, &t, ctr->value);
}

/* Which are of one feature? */
static ml_status sort_out(mli_cat_categories *c, const mli_item *ctrs)
{
    for (int64_t i = 0; i < c->n_ctrs; i++) {
        const mli_item *elements;
        mli_cat_ctr *ctr = &c->ctrs[i];
        ml_status s = mli_cat_elements(c, &ctrs->as.items[i], &elements);
        if (s) return s;
        const mli_item *first = &elements->as.items[0];
        ctr->feature = -1;
        if (elements->n > 1 ||
            !mli_item_is(mli_item_get(first, "combination_element"), "cat_feature_value"))
            continue;
        s = mli_cat_place(c, &c->index, first, "cat_feature_index", "features_info.ctrs",
                          &ctr->feature);
        if (s) return s;
    }
    return ML_OK;
}

/* Splits are numbered: the borders of numbers, the single levels, the borders of
 * statistics. */
static ml_status number_splits(mli_cat_categories *c, const mli_item *ctrs)
{
    for (int64_t i = 0; i < c->n_ctrs; i++) {
        const mli_item *borders;
        ml_status s = mli_item_numbers(&ctrs->as.items[i], "features_info.ctrs",
                                       "borders", -1, &borders, c->im->err);
        if (s) return s;
        c->n_splits += borders->n;
    }
    c->ctr_of = mli_alloc_vec(c->im->ctx, c->n_splits + 1, sizeof *c->ctr_of);
    if (!c->ctr_of) return mli_nomem(c->im->err);
    int64_t at = 0;
    for (int64_t i = 0; i < c->n_ctrs; i++) {
        int64_t n = mli_item_get(&ctrs->as.items[i], "borders")->n;
        for (int64_t k = 0; k < n; k++) c->ctr_of[at++] = (int32_t)i;
    }
    return ML_OK;
}

static ml_status name_features(mli_cat_categories *c, const mli_item *list)
{
    ml_status s = ML_OK;
    for (int64_t j = 0; j < c->n && !s; j++) {
        const mli_item *f = &list->as.items[j];
        int64_t flat = 0, *at = &c->features[j].flat;
        s = mli_item_whole(f, "features_info.categorical_features", "flat_feature_index",
                           NAN, 0, c->flat.n - 1, &flat, c->im->err);
        if (s) break;
        *at = c->flat.place[flat];
        s = mli_cat_name(c, f, *at, flat);
    }
    return s;
}

ml_status mli_cat_read(mli_cat_categories *c, const mli_item *root, int64_t borders)
{
    const mli_item *info = mli_item_get(root, "features_info");
    const mli_item *list = mli_item_get(info, "categorical_features");
    const mli_item *ctrs = mli_item_get(info, "ctrs");
    if (!list || list->type != MLI_V_ARRAY || list->n == 0) return ML_OK;
    if (ctrs && ctrs->type != MLI_V_ARRAY) ctrs = NULL;
    c->n = list->n;
    c->n_ctrs = ctrs ? ctrs->n : 0;
    c->features = mli_calloc(c->im->ctx, (size_t)c->n, sizeof *c->features);
    c->ctrs = mli_calloc(c->im->ctx, (size_t)c->n_ctrs + 1, sizeof *c->ctrs);
    if (!c->features || !c->ctrs) return mli_nomem(c->im->err);
    ml_status s = name_features(c, list);
    if (!s) s = mli_cat_number(c, list, &c->index);
    if (!s) s = mli_cat_tables_open(c, root);
    if (!s) s = sort_out(c, ctrs);
    if (!s) s = read_levels(c, info, list, ctrs);
    if (!s && c->hashed) use_hashes(c);
    for (int64_t i = 0; i < c->n_ctrs && !s; i++)
        s = read_ctr(c, &ctrs->as.items[i], &c->ctrs[i]);
    if (!s && (ctrs || c->hashed)) s = mli_cat_cross(c, list, ctrs);
    if (!s) s = number_splits(c, ctrs);
    c->first_split = borders;
    for (int64_t j = 0; j < c->n; j++) c->first_split += c->features[j].n_exact;
    return s;
}

void mli_cat_free(mli_cat_categories *c)
{
    ml_context *ctx = c->im->ctx;
    for (int64_t j = 0; c->features && j < c->n; j++) {
        mli_free(ctx, c->features[j].hash);
        mli_free(ctx, c->features[j].exact);
        mli_free(ctx, c->features[j].seen);
    }
    for (int64_t i = 0; c->ctrs && i < c->n_ctrs; i++) mli_free(ctx, c->ctrs[i].value);
    mli_map_free(&c->tables);
    mli_free(ctx, (void *)c->table_of);
    mli_free(ctx, c->flat.place);
    mli_free(ctx, c->floats.place);
    mli_free(ctx, c->index.place);
    mli_free(ctx, c->features);
    mli_free(ctx, c->ctrs);
    mli_free(ctx, c->ctr_of);
}

/* ---- splits ---- */

/* The levels for which the answer differs from that of a level never seen; yes is right.
 */
static ml_status add_set(mli_cat_categories *c, const mli_cat_feature *f,
                         const uint8_t *yes, mli_import_node *node)
{
    int32_t *codes = mli_alloc_vec(c->im->ctx, f->n + 1, sizeof *codes);
    int unseen = yes[f->n];
    int64_t n = 0;
    if (!codes) return mli_nomem(c->im->err);
    for (int64_t l = 0; l < f->n; l++)
        if (yes[l] != unseen) codes[n++] = (int32_t)l;
    node->feature = (int32_t)f->flat;
    ml_status s =
        mli_import_add_set(c->im, node->feature, unseen, !unseen, codes, n, &node->set);
    mli_free(c->im->ctx, codes);
    return s;
}

/* Columns of crosses are floats. */
static ml_status split_column(const mli_cat_categories *c, int64_t column, float border,
                              mli_import_node *node)
{
    node->feature = (int32_t)(c->im->n_features + column);
    node->threshold = (double)border;
    return ML_OK;
}

static ml_status split_exact(mli_cat_categories *c, const mli_item *split,
                             const char *place, mli_import_node *node)
{
    int64_t j;
    double value;
    int32_t hash;
    ml_status s = mli_cat_place(c, &c->index, split, "cat_feature_index", place, &j);
    if (!s) s = mli_item_number(split, place, "value", NAN, &value, c->im->err);
    if (s) return s;
    if (!mli_cat_hash32(value, &hash))
        return mli_cat_bad(c, place, "value is no hash of 32 bits");
    const mli_cat_feature *f = &c->features[j];
    if (c->hashed) {
        const mli_cat_entry *e = mli_cat_find(f->exact, f->n_exact, (uint32_t)hash);
        if (!e) return mli_cat_bad(c, place, "a category that its feature does not list");
        return split_column(c, e->place, 0.5, node);
    }
    uint8_t *yes = mli_calloc(c->im->ctx, (size_t)f->n + 1, 1);
    if (!yes) return mli_nomem(c->im->err);
    for (int64_t l = 0; l < f->n; l++) yes[l] = f->hash[l] == hash;
    s = add_set(c, f, yes, node);
    mli_free(c->im->ctx, yes);
    return s;
}

static ml_status split_ctr(mli_cat_categories *c, const mli_item *split,
                           const char *place, mli_import_node *node)
{
    int64_t at;
    double border;
    ml_status s = mli_item_whole(split, place, "split_index", NAN, c->first_split,
                                 c->first_split + c->n_splits - 1, &at, c->im->err);
    if (!s) s = mli_item_number(split, place, "border", NAN, &border, c->im->err);
    if (s) return s;
    const mli_cat_ctr *ctr = &c->ctrs[c->ctr_of[at - c->first_split]];
    if (ctr->feature < 0) return split_column(c, ctr->column, (float)border, node);
    const mli_cat_feature *f = &c->features[ctr->feature];
    uint8_t *yes = mli_calloc(c->im->ctx, (size_t)f->n + 1, 1);
    if (!yes) return mli_nomem(c->im->err);
    for (int64_t l = 0; l <= f->n; l++) yes[l] = ctr->value[l] > (float)border;
    s = add_set(c, f, yes, node);
    mli_free(c->im->ctx, yes);
    return s;
}

ml_status mli_cat_split(mli_cat_categories *c, const mli_item *split, const char *place,
                        mli_import_node *node)
{
    const mli_item *type = mli_item_get(split, "split_type");
    if (c->n == 0)
        return mli_cat_bad(c, place, "a split on a category, of which there are none");
    if (mli_item_is(type, "OneHotFeature")) return split_exact(c, split, place, node);
    if (mli_item_is(type, "OnlineCtr")) return split_ctr(c, split, place, node);
    return mli_cat_bad(c, place, "split_type is not known");
}
