/* SPDX-License-Identifier: MIT
 *
 * import_catboost_categories.c: categorical features of CatBoost's JSON.
 *
 * The file has the texts of all categories with a hash of 32 bits each; splits compare a
 * hash with one value, or a statistic of the category (target mean, frequency) with a
 * border. The statistics of one feature are tables by a hash of that hash. Either way a
 * split is a set of categories; one that the table lacks counts as one without rows.
 * Statistics of several features together (max_ctr_complexity above 1) are refused: their
 * splits are sets of combinations.
 */
#include "serialization/import_catboost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ml_status bad(const mli_cat_categories *c, const char *place, const char *what)
{
    mli_fail(c->im->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(c->im->err, ML_E_FORMAT, "%s", place);
}

/* ---- hashes ---- */

/* As CatBoost adds the hash of a category to that of the categories before it. */
static uint64_t combine(uint64_t before, int32_t hash)
{
    const uint64_t factor = UINT64_C(0x4906ba494954cb65);
    return factor * (before + factor * (uint64_t)(int64_t)hash);
}

/* A hash of 64 bits is written as text, since doubles do not hold it. */
static int read_hash(const mli_item *item, uint64_t *out)
{
    *out = 0;
    if (item->type == MLI_V_NUMBER) {
        if (!(item->as.number >= 0 && item->as.number <= 9007199254740992.0)) return 0;
        *out = (uint64_t)item->as.number;
        return 1;
    }
    if (item->type != MLI_V_TEXT || item->n == 0) return 0;
    for (int64_t i = 0; i < item->n; i++) {
        char d = item->as.text[i];
        if (d < '0' || d > '9' || __builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, (uint64_t)(d - '0'), out))
            return 0;
    }
    return 1;
}

/* Hashes of 32 bits are written with or without their sign. */
static int read_hash32(double v, int32_t *out)
{
    if (!(v >= INT32_MIN && v <= UINT32_MAX) || v != floor(v)) return 0;
    *out = (int32_t)(uint32_t)(int64_t)v;
    return 1;
}

typedef struct {
    uint64_t hash;
    int64_t place;
} entry;

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const entry *)a)->hash, y = ((const entry *)b)->hash;
    return (x > y) - (x < y);
}

static const entry *find(const entry *sorted, int64_t n, uint64_t hash)
{
    entry key = {hash, 0};
    return n ? bsearch(&key, sorted, (size_t)n, sizeof key, by_hash) : NULL;
}

/* ---- the levels of the features ---- */

/* Texts of all categories: features_info.cat_features_hash. */
typedef struct {
    int64_t n;
    const mli_item *items; /* NULL: the file has none */
    int32_t *hash;         /* [n] */
    entry *sorted;         /* [n] by combine(0, hash) */
    uint8_t *seen;         /* [n] of the feature at hand */
    uint8_t *taken;        /* [n] of any feature */
} texts;

static void texts_free(texts *t, ml_context *ctx)
{
    mli_free(ctx, t->hash);
    mli_free(ctx, t->sorted);
    mli_free(ctx, t->seen);
    mli_free(ctx, t->taken);
}

static ml_status read_texts(const mli_cat_categories *c, const mli_item *info, texts *t)
{
    const char *place = "features_info.cat_features_hash";
    const mli_item *list = mli_item_get(info, "cat_features_hash");
    ml_context *ctx = c->im->ctx;
    int64_t n = list && list->type == MLI_V_ARRAY ? list->n : 0;
    *t = (texts){.n = n, .items = n ? list->as.items : NULL};
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
        if (!value || value->type != MLI_V_TEXT || !read_hash32(v, &t->hash[i]))
            return bad(c, place, "a category without a text or a hash of 32 bits");
        t->sorted[i] = (entry){combine(0, t->hash[i]), i};
    }
    if (n) qsort(t->sorted, (size_t)n, sizeof *t->sorted, by_hash);
    return ML_OK;
}

/* The one feature of a statistic. */
static ml_status feature_of(const mli_cat_categories *c, const mli_item *ctr,
                            const char *place, int64_t *out)
{
    const mli_item *elements = mli_item_get(ctr, "elements");
    if (!elements || elements->type != MLI_V_ARRAY || elements->n < 1)
        return bad(c, place, "a statistic without features");
    const mli_item *first = &elements->as.items[0];
    if (elements->n > 1 ||
        !mli_item_is(mli_item_get(first, "combination_element"), "cat_feature_value")) {
        mli_fail(c->im->err, ML_E_UNSUPPORTED,
                 "the model has statistics of combinations of features, which cannot be "
                 "imported");
        return mli_error_hint(c->im->err, ML_E_UNSUPPORTED,
                              "train it with max_ctr_complexity=1");
    }
    return mli_item_whole(first, place, "cat_feature_index", NAN, 0, c->n - 1, out,
                          c->im->err);
}

/* The table of a statistic: entries of `stride` values, a hash first. */
static ml_status table_of(const mli_cat_categories *c, const mli_item *root,
                          const mli_item *ctr, const char *place, const mli_item **table,
                          int64_t *stride, double *total)
{
    const mli_item *name, *data, *all;
    ml_status s = mli_item_need(ctr, place, "identifier", MLI_V_TEXT, &name, c->im->err);
    if (!s) s = mli_item_need(root, "", "ctr_data", MLI_V_OBJECT, &all, c->im->err);
    if (s) return s;
    data = mli_item_get(all, name->as.text);
    if (!data) return bad(c, place, "a statistic without data in ctr_data");
    s = mli_item_need(data, "ctr_data", "hash_map", MLI_V_ARRAY, table, c->im->err);
    if (!s)
        s = mli_item_whole(data, "ctr_data", "hash_stride", NAN, 2, 1 << 20, stride,
                           c->im->err);
    if (!s)
        s = mli_item_number(data, "ctr_data", "counter_denominator", 0, total,
                            c->im->err);
    if (!s && (*table)->n % *stride != 0)
        return bad(c, "ctr_data", "a table of broken length");
    return s;
}

static int marks_levels(const mli_item *table, int64_t stride, const texts *t)
{
    for (int64_t i = 0; i < table->n; i += stride) {
        uint64_t hash;
        if (!read_hash(&table->as.items[i], &hash)) return 0;
        const entry *e = find(t->sorted, t->n, hash);
        if (e) t->seen[e->place] = 1;
    }
    return 1;
}

/* Marks the texts that feature j has: those in its tables, and those of its splits on one
 * level. */
static ml_status mark_levels(mli_cat_categories *c, const mli_item *root,
                             const mli_item *feature, const mli_item *ctrs, int64_t j,
                             texts *t)
{
    const char *place = "features_info.ctrs";
    const mli_item *exact = mli_item_get(feature, "values"), *table;
    int64_t of, stride;
    double total;
    memset(t->seen, 0, (size_t)t->n);
    for (int64_t i = 0; ctrs && i < ctrs->n; i++) {
        ml_status s = feature_of(c, &ctrs->as.items[i], place, &of);
        if (s) return s;
        if (of != j) continue;
        s = table_of(c, root, &ctrs->as.items[i], place, &table, &stride, &total);
        if (s) return s;
        if (!marks_levels(table, stride, t))
            return bad(c, "ctr_data", "a hash is not a whole number of 64 bits");
    }
    if (exact && exact->type != MLI_V_NUMBERS && exact->n > 0)
        return bad(c, "features_info.categorical_features", "values are not numbers");
    c->features[j].n_exact = exact && exact->type == MLI_V_NUMBERS ? exact->n : 0;
    for (int64_t i = 0; i < c->features[j].n_exact; i++) {
        int32_t hash;
        if (!read_hash32(exact->as.numbers[i], &hash))
            return bad(c, "features_info.categorical_features",
                       "a value is no hash of 32 bits");
        const entry *e = find(t->sorted, t->n, combine(0, hash));
        if (e) t->seen[e->place] = 1;
    }
    return ML_OK;
}

/* The texts marked become the levels of feature j. */
static ml_status name_levels(mli_cat_categories *c, int64_t j, texts *t)
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
static ml_status name_unused(mli_cat_categories *c, int64_t j, texts *t)
{
    int any = 0;
    for (int64_t i = 0; i < t->n; i++) any |= t->seen[i] = !t->taken[i];
    if (any) return name_levels(c, j, t);
    ml_status s = mli_import_levels(c->im, c->features[j].flat, 1);
    return s ? s : mli_import_level(c->im, c->features[j].flat, 0, "", 0);
}

static ml_status read_levels(mli_cat_categories *c, const mli_item *root,
                             const mli_item *info, const mli_item *list,
                             const mli_item *ctrs)
{
    texts t;
    ml_status s = read_texts(c, info, &t);
    for (int64_t j = 0; j < c->n && !s; j++) {
        s = mark_levels(c, root, &list->as.items[j], ctrs, j, &t);
        if (!s) s = name_levels(c, j, &t);
    }
    for (int64_t j = 0; j < c->n && !s; j++)
        if (c->features[j].n == 0) s = name_unused(c, j, &t);
    texts_free(&t, c->im->ctx);
    return s;
}

/* ---- statistics ---- */

/* How a statistic is made of the numbers of a table. */
typedef struct {
    int counter; /* a frequency, else of the target */
    int mean;    /* sum and count */
    int bucket;  /* one class instead of all above it */
    int64_t border;
    float prior, prior_total, shift, scale;
    double total; /* of frequencies */
} recipe;

static ml_status read_recipe(const mli_cat_categories *c, const mli_item *ctr,
                             const char *place, recipe *r)
{
    const mli_item *type = mli_item_get(ctr, "ctr_type");
    double prior, total, shift, scale;
    *r = (recipe){.counter =
                      mli_item_is(type, "Counter") || mli_item_is(type, "FeatureFreq"),
                  .mean = mli_item_is(type, "BinarizedTargetMeanValue") ||
                          mli_item_is(type, "FloatTargetMeanValue"),
                  .bucket = mli_item_is(type, "Buckets")};
    if (!r->counter && !r->mean && !r->bucket && !mli_item_is(type, "Borders"))
        return bad(c, place, "ctr_type is not known");
    ml_error *err = c->im->err;
    ml_status s = mli_item_number(ctr, place, "prior_numerator", NAN, &prior, err);
    if (!s) s = mli_item_number(ctr, place, "prior_denomerator", 1, &total, err);
    if (!s) s = mli_item_number(ctr, place, "shift", 0, &shift, err);
    if (!s) s = mli_item_number(ctr, place, "scale", 1, &scale, err);
    if (!s)
        s = mli_item_whole(ctr, place, "target_border_idx", 0, 0, 1 << 20, &r->border,
                           err);
    if (s) return s;
    r->prior = (float)prior;
    r->prior_total = (float)total;
    r->shift = (float)shift;
    r->scale = (float)scale;
    return ML_OK;
}

static float rated(const recipe *r, double good, double total)
{
    float ratio = ((float)good + r->prior) / ((float)total + r->prior_total);
    return (ratio + r->shift) * r->scale;
}

/* Of the numbers behind a hash: a count; sum and count; or counts by class. */
static int rate(const recipe *r, const mli_item *numbers, int64_t n, float *out)
{
    double good = 0, total = 0;
    for (int64_t k = 0; k < n; k++)
        if (numbers[k].type != MLI_V_NUMBER) return 0;
    if (r->counter) {
        *out = rated(r, numbers[0].as.number, r->total);
        return n == 1;
    }
    if (r->mean) {
        *out = n == 2 ? rated(r, numbers[0].as.number, numbers[1].as.number) : 0.0f;
        return n == 2;
    }
    for (int64_t k = 0; k < n; k++) {
        total += numbers[k].as.number;
        if (r->bucket ? k == r->border : k > (n > 2 ? r->border : 0))
            good += numbers[k].as.number;
    }
    *out = rated(r, good, total);
    return n >= 2;
}

static ml_status rate_levels(const mli_cat_categories *c, const mli_cat_feature *f,
                             const recipe *r, const mli_item *table, int64_t stride,
                             float *value)
{
    ml_context *ctx = c->im->ctx;
    entry *sorted = mli_alloc_vec(ctx, f->n + 1, sizeof *sorted);
    if (!sorted) return mli_nomem(c->im->err);
    for (int64_t l = 0; l < f->n; l++) sorted[l] = (entry){combine(0, f->hash[l]), l};
    if (f->n) qsort(sorted, (size_t)f->n, sizeof *sorted, by_hash);
    for (int64_t l = 0; l <= f->n; l++) value[l] = rated(r, 0, r->counter ? r->total : 0);
    ml_status s = ML_OK;
    for (int64_t i = 0; i < table->n && !s; i += stride) {
        uint64_t hash = 0;
        (void)read_hash(&table->as.items[i], &hash);
        const entry *e = find(sorted, f->n, hash);
        if (e && !rate(r, &table->as.items[i + 1], stride - 1, &value[e->place]))
            s = bad(c, "ctr_data", "a table has other numbers than its ctr_type needs");
    }
    mli_free(ctx, sorted);
    return s;
}

static ml_status read_ctr(mli_cat_categories *c, const mli_item *root,
                          const mli_item *item, mli_cat_ctr *ctr)
{
    const char *place = "features_info.ctrs";
    const mli_item *table;
    int64_t stride;
    recipe r;
    ml_status s = feature_of(c, item, place, &ctr->feature);
    if (!s) s = read_recipe(c, item, place, &r);
    if (!s) s = table_of(c, root, item, place, &table, &stride, &r.total);
    if (s) return s;
    const mli_cat_feature *f = &c->features[ctr->feature];
    ctr->value = mli_alloc_vec(c->im->ctx, f->n + 1, sizeof *ctr->value);
    if (!ctr->value) return mli_nomem(c->im->err);
    return rate_levels(c, f, &r, table, stride, ctr->value);
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
        const mli_item *f = &list->as.items[j], *name = mli_item_get(f, "feature_id");
        s = mli_item_whole(f, "features_info.categorical_features", "flat_feature_index",
                           NAN, 0, c->im->n_features - 1, &c->features[j].flat,
                           c->im->err);
        if (!s && name && name->type == MLI_V_TEXT && name->n > 0)
            s = mli_import_name(c->im, c->features[j].flat, name->as.text,
                                (size_t)name->n);
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
    if (!s) s = read_levels(c, root, info, list, ctrs);
    for (int64_t i = 0; i < c->n_ctrs && !s; i++)
        s = read_ctr(c, root, &ctrs->as.items[i], &c->ctrs[i]);
    if (!s) s = number_splits(c, ctrs);
    c->first_split = borders;
    for (int64_t j = 0; j < c->n; j++) c->first_split += c->features[j].n_exact;
    return s;
}

void mli_cat_free(mli_cat_categories *c)
{
    ml_context *ctx = c->im->ctx;
    for (int64_t j = 0; c->features && j < c->n; j++) mli_free(ctx, c->features[j].hash);
    for (int64_t i = 0; c->ctrs && i < c->n_ctrs; i++) mli_free(ctx, c->ctrs[i].value);
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

static ml_status split_exact(mli_cat_categories *c, const mli_item *split,
                             const char *place, mli_import_node *node)
{
    int64_t j;
    double value;
    int32_t hash;
    ml_status s = mli_item_whole(split, place, "cat_feature_index", NAN, 0, c->n - 1, &j,
                                 c->im->err);
    if (!s) s = mli_item_number(split, place, "value", NAN, &value, c->im->err);
    if (s) return s;
    if (!read_hash32(value, &hash)) return bad(c, place, "value is no hash of 32 bits");
    const mli_cat_feature *f = &c->features[j];
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
    if (c->n == 0) return bad(c, place, "a split on a category, of which there are none");
    if (mli_item_is(type, "OneHotFeature")) return split_exact(c, split, place, node);
    if (mli_item_is(type, "OnlineCtr")) return split_ctr(c, split, place, node);
    return bad(c, place, "split_type is not known");
}
