/* SPDX-License-Identifier: MIT
 *
 * import_catboost_tables.c: the tables of CatBoost's statistics, and how a statistic is
 * made of what a table has behind a hash.
 *
 * ctr_data has a table for each set of features and kind of statistic. In JSON it is an
 * array of a hash (as text, since doubles do not hold 64 bits) and numbers, over and
 * over; in the binary format buckets of a hash and a place among the numbers. Places that
 * are not taken have the hash 2^64 - 1.
 */
#include "serialization/import_catboost.h"
#include "serialization/import_protobuf.h"

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

ml_status mli_cat_number(const mli_cat_categories *c, const mli_item *list,
                         mli_cat_index *out)
{
    const char *place = "features_info";
    int64_t n = list ? list->n : 0, at = 0;
    ml_status s = ML_OK;
    for (int pass = 0; pass < 2 && !s; pass++) {
        if (pass) out->place = mli_alloc_vec(c->im->ctx, out->n + 1, sizeof *out->place);
        if (pass && !out->place) return mli_nomem(c->im->err);
        for (int64_t i = 0; pass && i < out->n; i++) out->place[i] = -1;
        for (int64_t i = 0; i < n && !s; i++) {
            s = mli_item_whole(&list->as.items[i], place, "feature_index", (double)i, 0,
                               16777215, &at, c->im->err);
            if (at >= out->n) out->n = at + 1;
            if (pass && !s) out->place[at] = (int32_t)i;
        }
    }
    return s;
}

ml_status mli_cat_place(const mli_cat_categories *c, const mli_cat_index *index,
                        const mli_item *item, const char *key, const char *place,
                        int64_t *out)
{
    int64_t at;
    ml_status s = mli_item_whole(item, place, key, NAN, 0, index->n - 1, &at, c->im->err);
    if (s) return s;
    *out = index->place[at];
    return *out >= 0 ? ML_OK : mli_cat_bad(c, place, "a feature that is not listed");
}

static ml_status check_map(const mli_cat_categories *c, const mli_cat_table *t)
{
    if (t->map->n % t->stride != 0)
        return mli_cat_bad(c, "ctr_data", "a table of broken length");
    for (int64_t i = 0; i < t->n; i++) {
        uint64_t hash;
        if (!mli_cat_hash64(&t->map->as.items[i * t->stride], &hash))
            return mli_cat_bad(c, "ctr_data", "a hash is not a whole number of 64 bits");
    }
    return ML_OK;
}

#define BUCKET 12 /* bytes: the hash and the place */

static int64_t place_of(const mli_cat_table *t, int64_t i)
{
    return (int64_t)mli_pb_u32(t->buckets + BUCKET * i + 8);
}

static ml_status read_bytes(const mli_cat_categories *c, const mli_item *data,
                            mli_cat_table *t)
{
    const mli_item *buckets, *numbers;
    ml_error *err = c->im->err;
    ml_status s = mli_item_need(data, "ctr_data", "buckets", MLI_V_BYTES, &buckets, err);
    if (!s) s = mli_item_need(data, "ctr_data", "numbers", MLI_V_BYTES, &numbers, err);
    if (s) return s;
    t->n = buckets->n / BUCKET;
    t->buckets = (const unsigned char *)buckets->as.text;
    t->numbers = (const unsigned char *)numbers->as.text;
    int64_t places = numbers->n / (4 * (t->stride - 1));
    for (int64_t i = 0; i < t->n; i++)
        if (mli_cat_table_hash(t, i) != MLI_CAT_NOTHING && place_of(t, i) >= places)
            return mli_cat_bad(c, "ctr_data", "a table of broken length");
    return ML_OK;
}

ml_status mli_cat_tables_open(mli_cat_categories *c, const mli_item *root)
{
    const mli_item *all = mli_item_get(root, "ctr_data");
    ml_context *ctx = c->im->ctx;
    int64_t n = all && all->type == MLI_V_OBJECT ? all->n : 0;
    mli_map_init(&c->tables, ctx);
    c->table_of = mli_alloc(ctx, ((size_t)n + 1) * sizeof *c->table_of);
    if (!c->table_of) return mli_nomem(c->im->err);
    for (int64_t i = 0; i < n; i++) {
        const mli_item *table = &all->as.items[i];
        int64_t before = c->tables.count;
        int32_t at = mli_map_add(&c->tables, table->key, table->key_size);
        if (at < 0) return mli_nomem(c->im->err);
        if (at == before) c->table_of[at] = table;
    }
    return ML_OK;
}

int64_t mli_cat_table_of(const mli_cat_categories *c, const mli_item *ctr)
{
    const mli_item *name = mli_item_get(ctr, "identifier");
    if (!name || name->type != MLI_V_TEXT) return -1;
    return mli_map_find(&c->tables, name->as.text, (size_t)name->n);
}

ml_status mli_cat_table_read(const mli_cat_categories *c, const mli_item *ctr,
                             mli_cat_table *t)
{
    ml_error *err = c->im->err;
    int64_t at = mli_cat_table_of(c, ctr);
    *t = (mli_cat_table){0};
    if (at < 0)
        return mli_cat_bad(c, "features_info.ctrs",
                           "a statistic without data in ctr_data");
    const mli_item *data = c->table_of[at];
    ml_status s =
        mli_item_whole(data, "ctr_data", "hash_stride", NAN, 2, 1 << 20, &t->stride, err);
    if (!s)
        s = mli_item_number(data, "ctr_data", "counter_denominator", 0, &t->total, err);
    if (s) return s;
    if (mli_item_get(data, "buckets")) return read_bytes(c, data, t);
    s = mli_item_need(data, "ctr_data", "hash_map", MLI_V_ARRAY, &t->map, err);
    if (s) return s;
    t->n = t->map->n / t->stride;
    return check_map(c, t);
}

uint64_t mli_cat_table_hash(const mli_cat_table *t, int64_t i)
{
    uint64_t hash;
    if (t->buckets) return mli_pb_u64(t->buckets + BUCKET * i);
    (void)mli_cat_hash64(&t->map->as.items[i * t->stride], &hash);
    return hash;
}

/* Number k of entry i; a sum is a float, all others are whole. 0: it is no number. */
static int number_of(const mli_cat_table *t, int64_t i, int64_t k, int sum, double *out)
{
    if (t->buckets) {
        uint32_t bits =
            mli_pb_u32(t->numbers + 4 * (place_of(t, i) * (t->stride - 1) + k));
        *out = sum ? (double)mli_pb_f32(bits) : (int32_t)bits;
        return 1;
    }
    const mli_item *item = &t->map->as.items[i * t->stride + 1 + k];
    *out = item->as.number;
    return item->type == MLI_V_NUMBER;
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
    int64_t n = t->stride - 1;
    double good = 0, total = 0, first = 0, v = 0;
    int fits = r->counter ? n == 1 : r->mean ? n == 2 : n >= 2;
    for (int64_t k = 0; fits && k < n; k++) {
        fits = number_of(t, i, k, r->mean && k == 0, &v);
        if (k == 0) first = v;
        total += v;
        if (r->bucket ? k == r->border : k > (n > 2 ? r->border : 0)) good += v;
    }
    if (!fits)
        return mli_cat_bad(c, "ctr_data",
                           "a table has other numbers than its ctr_type needs");
    if (r->counter)
        *out = rated(r, first, t->total);
    else if (r->mean)
        *out = rated(r, first, v);
    else
        *out = rated(r, good, total);
    return ML_OK;
}
