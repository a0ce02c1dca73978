/* SPDX-License-Identifier: MIT
 *
 * import_catboost_tables.c: the tables of CatBoost's statistics, and how a statistic is
 * made of what a table has behind a hash.
 *
 * ctr_data has a table for each set of features and kind of statistic: an array of a hash
 * (as text, since doubles do not hold 64 bits) and numbers, over and over. Places that
 * are not taken have the hash 2^64 - 1.
 */
#include "serialization/import_catboost.h"

#include <math.h>
#include <string.h>

ml_status mli_cat_bad(const mli_cat_categories *c, const char *place, const char *what)
{
    mli_fail(c->im->err, ML_E_FORMAT, "%s", what);
    return mli_error_at(c->im->err, ML_E_FORMAT, "%s", place);
}

int mli_cat_hash64(const mli_item *item, uint64_t *out)
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

int mli_cat_hash32(double v, int32_t *out)
{
    if (!(v >= INT32_MIN && v <= UINT32_MAX) || v != floor(v)) return 0;
    *out = (int32_t)(uint32_t)(int64_t)v;
    return 1;
}

ml_status mli_cat_table_read(const mli_cat_categories *c, const mli_item *root,
                             const mli_item *ctr, mli_cat_table *t)
{
    const char *place = "features_info.ctrs";
    const mli_item *name, *data, *all;
    ml_error *err = c->im->err;
    ml_status s = mli_item_need(ctr, place, "identifier", MLI_V_TEXT, &name, err);
    if (!s) s = mli_item_need(root, "", "ctr_data", MLI_V_OBJECT, &all, err);
    if (s) return s;
    data = mli_item_get(all, name->as.text);
    if (!data) return mli_cat_bad(c, place, "a statistic without data in ctr_data");
    s = mli_item_need(data, "ctr_data", "hash_map", MLI_V_ARRAY, &t->map, err);
    if (!s)
        s = mli_item_whole(data, "ctr_data", "hash_stride", NAN, 2, 1 << 20, &t->stride,
                           err);
    if (!s)
        s = mli_item_number(data, "ctr_data", "counter_denominator", 0, &t->total, err);
    if (s) return s;
    if (t->map->n % t->stride != 0)
        return mli_cat_bad(c, "ctr_data", "a table of broken length");
    t->n = t->map->n / t->stride;
    for (int64_t i = 0; i < t->n; i++) {
        uint64_t hash;
        if (!mli_cat_hash64(&t->map->as.items[i * t->stride], &hash))
            return mli_cat_bad(c, "ctr_data", "a hash is not a whole number of 64 bits");
    }
    return ML_OK;
}

uint64_t mli_cat_table_hash(const mli_cat_table *t, int64_t i)
{
    uint64_t hash;
    (void)mli_cat_hash64(&t->map->as.items[i * t->stride], &hash);
    return hash;
}

ml_status mli_cat_recipe_read(const mli_cat_categories *c, const mli_item *ctr,
                              mli_cat_recipe *r)
{
    const char *place = "features_info.ctrs";
    const mli_item *type = mli_item_get(ctr, "ctr_type");
    double prior, total, shift, scale;
    *r = (mli_cat_recipe){.counter = mli_item_is(type, "Counter") ||
                                     mli_item_is(type, "FeatureFreq"),
                          .mean = mli_item_is(type, "BinarizedTargetMeanValue") ||
                                  mli_item_is(type, "FloatTargetMeanValue"),
                          .bucket = mli_item_is(type, "Buckets")};
    if (!r->counter && !r->mean && !r->bucket && !mli_item_is(type, "Borders"))
        return mli_cat_bad(c, place, "ctr_type is not known");
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

static float rated(const mli_cat_recipe *r, double good, double total)
{
    float ratio = ((float)good + r->prior) / ((float)total + r->prior_total);
    return (ratio + r->shift) * r->scale;
}

float mli_cat_rate_none(const mli_cat_recipe *r, const mli_cat_table *t)
{
    return rated(r, 0, r->counter ? t->total : 0);
}

ml_status mli_cat_rate(const mli_cat_categories *c, const mli_cat_recipe *r,
                       const mli_cat_table *t, int64_t i, float *out)
{
    /* A count; sum and count; or counts by class. */
    const mli_item *numbers = &t->map->as.items[i * t->stride + 1];
    int64_t n = t->stride - 1;
    double good = 0, total = 0;
    int fits = r->counter ? n == 1 : r->mean ? n == 2 : n >= 2;
    for (int64_t k = 0; k < n; k++) fits &= numbers[k].type == MLI_V_NUMBER;
    if (!fits)
        return mli_cat_bad(c, "ctr_data",
                           "a table has other numbers than its ctr_type needs");
    for (int64_t k = 0; k < n; k++) {
        total += numbers[k].as.number;
        if (r->bucket ? k == r->border : k > (n > 2 ? r->border : 0))
            good += numbers[k].as.number;
    }
    if (r->counter)
        *out = rated(r, numbers[0].as.number, t->total);
    else if (r->mean)
        *out = rated(r, numbers[0].as.number, numbers[1].as.number);
    else
        *out = rated(r, good, total);
    return ML_OK;
}
