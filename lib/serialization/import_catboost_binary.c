/* SPDX-License-Identifier: MIT
 *
 * import_catboost_binary.c: CatBoost's own format (.cbm), turned into the document that
 * CatBoost saves as JSON, which import_catboost.c reads.
 *
 * "CBM1", the size and a FlatBuffer of the model, then the tables of statistics, each a
 * FlatBuffer with its size. Splits are numbers into one list of conditions: borders of
 * numbers, categories, borders of statistics. Tables of statistics stay bytes
 * (import_catboost_tables.c). There are hashes of categories, no texts.
 */
#include "serialization/import_catboost.h"
#include "serialization/import_flat.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX     64 /* of trees that are not symmetric */
#define SYMMETRIC_MAX 16 /* of symmetric ones */

/* Fields of the tables, in the order of CatBoost's schema. */
enum { CORE_FORMAT, CORE_TREES, CORE_INFO, CORE_PARTS };
enum {
    TREES_DIMENSION,
    TREES_SPLITS,
    TREES_SIZES,
    TREES_STARTS,
    TREES_CATEGORIES,
    TREES_FLOATS,
    TREES_ONE_HOT,
    TREES_CTRS,
    TREES_VALUES,
    TREES_WEIGHTS,
    TREES_STEPS,
    TREES_LEAVES,
    TREES_TEXTS,
    TREES_ESTIMATED,
    TREES_SCALE,
    TREES_BIAS,
    TREES_BIASES
};
enum { FLOAT_NANS, FLOAT_INDEX, FLOAT_FLAT, FLOAT_BORDERS, FLOAT_NAME, FLOAT_TREATMENT };
enum { CATEGORY_INDEX, CATEGORY_FLAT, CATEGORY_NAME };
enum { ONE_HOT_INDEX, ONE_HOT_VALUES };
enum { CTR_BASE, CTR_TARGET, CTR_PRIOR, CTR_TOTAL, CTR_SHIFT, CTR_SCALE };
enum { TABLE_BASE, TABLE_BUCKETS, TABLE_BLOB, TABLE_TOTAL, TABLE_CLASSES };

typedef struct cbm {
    mli_import *im;
    mli_flat flat;        /* the model */
    mli_flat_table trees; /* in it */
    mli_doc doc, info[2]; /* info: params, class_params */
    int failed;           /* no memory */
    mli_item *conditions;
    int64_t n_conditions, capacity;
    mli_flat_vector splits, sizes, starts, values, weights, steps, leaves;
    int64_t scores, visits;
    int64_t taken; /* values that leaves have taken */
} cbm;

static ml_status damaged(const cbm *c, const char *what)
{
    return mli_fail(c->im->err, ML_E_FORMAT, "not a valid CatBoost model: %s", what);
}

/* ---- writing the document ---- */

static void put(cbm *c, const char *key, mli_item item)
{
    item.key = key;
    item.key_size = key ? strlen(key) : 0;
    if (!c->failed && !mli_doc_push(&c->doc, &item)) c->failed = 1;
}

static void put_number(cbm *c, const char *key, double v)
{
    put(c, key, (mli_item){.type = MLI_V_NUMBER, .as.number = v});
}

static void put_text(cbm *c, const char *key, const void *text, size_t n)
{
    const char *copy = mli_doc_text(&c->doc, text, n);
    if (!copy) c->failed = 1;
    put(c, key, (mli_item){.type = MLI_V_TEXT, .n = (int64_t)n, .as.text = copy});
}

static void put_word(cbm *c, const char *key, const char *word)
{
    put(c, key,
        (mli_item){.type = MLI_V_TEXT, .n = (int64_t)strlen(word), .as.text = word});
}

static void put_bytes(cbm *c, const char *key, mli_flat_vector v)
{
    put(c, key,
        (mli_item){.type = MLI_V_BYTES, .n = v.n, .as.text = (const char *)v.data});
}

static int64_t begin(const cbm *c)
{
    return c->doc.n_stack;
}

/* What was put since `first` becomes an array or object. */
static void end(cbm *c, const char *key, int32_t type, int64_t first)
{
    mli_item item = {.type = type};
    if (c->failed || !mli_doc_close(&c->doc, first, &item))
        c->failed = 1;
    else
        put(c, key, item);
}

enum { F32, F64, I32 };

static double number_at(mli_flat_vector v, int kind, int64_t i)
{
    const unsigned char *p = v.data + i * (kind == F64 ? 8 : 4);
    if (kind == F64) return mli_pb_f64(mli_pb_u64(p));
    return kind == F32 ? (double)mli_pb_f32(mli_pb_u32(p)) : (int32_t)mli_pb_u32(p);
}

/* Elements first .. first + n - 1. */
static void put_numbers(cbm *c, const char *key, mli_flat_vector v, int kind,
                        int64_t first, int64_t n)
{
    double *numbers = mli_doc_alloc(&c->doc, (size_t)n * sizeof *numbers);
    if (!numbers) c->failed = 1;
    for (int64_t i = 0; numbers && i < n; i++) numbers[i] = number_at(v, kind, first + i);
    put(c, key, (mli_item){.type = MLI_V_NUMBERS, .n = n, .as.numbers = numbers});
}

/* ---- conditions ---- */

/* The object just put is one that splits refer to. */
static void keep_condition(cbm *c)
{
    if (c->failed) return;
    if (!mli_reserve(c->im->ctx, &c->conditions, &c->capacity, c->n_conditions + 1,
                     sizeof *c->conditions)) {
        c->failed = 1;
        return;
    }
    c->conditions[c->n_conditions++] = c->doc.stack[--c->doc.n_stack];
}

static void add_condition(cbm *c, const char *type, const char *index_key, int64_t index,
                          const char *value_key, double value)
{
    int64_t first = begin(c);
    put_word(c, "split_type", type);
    put_number(c, index_key, (double)index);
    put_number(c, value_key, value);
    end(c, "split", MLI_V_OBJECT, first);
    keep_condition(c);
}

/* ---- features ---- */

static void put_place(cbm *c, const mli_flat_table *t, int64_t index, int64_t flat,
                      int64_t name)
{
    mli_flat_vector text = mli_flat_list(t, name, 1);
    put_number(c, "feature_index", (double)mli_flat_i32(t, index, -1));
    put_number(c, "flat_feature_index", (double)mli_flat_i32(t, flat, -1));
    if (text.n) put_text(c, "feature_id", text.data, (size_t)text.n);
}

static void read_floats(cbm *c)
{
    mli_flat_vector list = mli_flat_list(&c->trees, TREES_FLOATS, 4);
    int64_t first = begin(c);
    for (int64_t i = 0; i < list.n && !c->failed; i++) {
        mli_flat_table t = mli_flat_item(&c->flat, list, i);
        mli_flat_vector borders = mli_flat_list(&t, FLOAT_BORDERS, 4);
        int64_t one = begin(c), index = mli_flat_i32(&t, FLOAT_INDEX, -1);
        put_place(c, &t, FLOAT_INDEX, FLOAT_FLAT, FLOAT_NAME);
        put_word(c, "nan_value_treatment",
                 mli_flat_u8(&t, FLOAT_TREATMENT, 0) == 2 ? "AsTrue" : "AsFalse");
        put_numbers(c, "borders", borders, F32, 0, borders.n);
        end(c, NULL, MLI_V_OBJECT, one);
        for (int64_t k = 0; k < borders.n; k++)
            add_condition(c, "FloatFeature", "float_feature_index", index, "border",
                          number_at(borders, F32, k));
    }
    end(c, "float_features", MLI_V_ARRAY, first);
}

/* The categories that splits ask for; both lists are in the order of the features. */
static void put_asked(cbm *c, mli_flat_vector asked, int64_t *at, int64_t index)
{
    mli_flat_vector values = {0};
    for (int64_t next = -1; *at < asked.n && next < index; ++*at) {
        mli_flat_table t = mli_flat_item(&c->flat, asked, *at);
        next = mli_flat_i32(&t, ONE_HOT_INDEX, -1);
        if (next == index) values = mli_flat_list(&t, ONE_HOT_VALUES, 4);
        if (next > index) break;
    }
    put_numbers(c, "values", values, I32, 0, values.n);
}

static ml_status read_categories(cbm *c)
{
    mli_flat_vector list = mli_flat_list(&c->trees, TREES_CATEGORIES, 4);
    mli_flat_vector asked = mli_flat_list(&c->trees, TREES_ONE_HOT, 4);
    int64_t first = begin(c), at = 0;
    for (int64_t i = 0; i < list.n && !c->failed; i++) {
        mli_flat_table t = mli_flat_item(&c->flat, list, i);
        int64_t one = begin(c);
        put_place(c, &t, CATEGORY_INDEX, CATEGORY_FLAT, CATEGORY_NAME);
        put_asked(c, asked, &at, mli_flat_i32(&t, CATEGORY_INDEX, -1));
        end(c, NULL, MLI_V_OBJECT, one);
    }
    end(c, "categorical_features", MLI_V_ARRAY, first);
    if (!c->failed && at < asked.n)
        return damaged(c, "splits on categories are not in the order of their features");
    for (int64_t i = 0; i < asked.n && !c->failed; i++) {
        mli_flat_table t = mli_flat_item(&c->flat, asked, i);
        mli_flat_vector values = mli_flat_list(&t, ONE_HOT_VALUES, 4);
        for (int64_t k = 0; k < values.n; k++)
            add_condition(c, "OneHotFeature", "cat_feature_index",
                          mli_flat_i32(&t, ONE_HOT_INDEX, -1), "value",
                          number_at(values, I32, k));
    }
    return ML_OK;
}

/* ---- statistics ---- */

static const char *const kinds[] = {
    "Borders", "Buckets",    "BinarizedTargetMeanValue", "FloatTargetMeanValue",
    "Counter", "FeatureFreq"};
#define N_KINDS (int64_t)(sizeof kinds / sizeof *kinds)

/* The parts of a combination: categories, splits on numbers, on categories. */
typedef struct combination {
    mli_flat_vector part[3];
    int64_t kind,
        target; /* target: of which it is a statistic, where there are several */
} combination;

static int read_base(const mli_flat_table *base, combination *out)
{
    static const size_t width[3] = {4, 8, 8};
    mli_flat_table t = mli_flat_child(base, 0);
    for (int k = 0; k < 3; k++) out->part[k] = mli_flat_list(&t, k, width[k]);
    out->kind = mli_flat_u8(base, 1, 0);
    out->target = mli_flat_i32(base, 2, 0);
    return out->kind < N_KINDS;
}

/* A name that a statistic and its table have in common: all parts as numbers. */
static void name_of(const combination *b, mli_str *s)
{
    mli_str_clear(s);
    mli_str_printf(s, "%s %lld", kinds[b->kind], (long long)b->target);
    for (int k = 0; k < 3; k++) {
        int64_t numbers = b->part[k].n * (k ? 2 : 1);
        mli_str_char(s, ';');
        for (int64_t i = 0; i < numbers; i++)
            mli_str_printf(s, " %x", (unsigned)mli_pb_u32(b->part[k].data + 4 * i));
    }
}

static void put_elements(cbm *c, const combination *b)
{
    static const char *const element[] = {"cat_feature_value", "float_feature",
                                          "cat_feature_exact_value"};
    int64_t first = begin(c);
    for (int k = 0; k < 3; k++) {
        for (int64_t i = 0; i < b->part[k].n && !c->failed; i++) {
            int64_t one = begin(c), at = k ? 2 * i : i;
            put_word(c, "combination_element", element[k]);
            put_number(c, k == 1 ? "float_feature_index" : "cat_feature_index",
                       number_at(b->part[k], I32, at));
            if (k)
                put_number(c, k == 1 ? "border" : "value",
                           number_at(b->part[k], k == 1 ? F32 : I32, at + 1));
            end(c, NULL, MLI_V_OBJECT, one);
        }
    }
    end(c, "elements", MLI_V_ARRAY, first);
}

static ml_status read_ctr(cbm *c, const mli_flat_table *feature, mli_str *name)
{
    mli_flat_table ctr = mli_flat_child(feature, 0), base = mli_flat_child(&ctr, 0);
    mli_flat_vector borders = mli_flat_list(feature, 1, 4);
    combination b;
    int64_t one = begin(c);
    if (!read_base(&base, &b)) return damaged(c, "a kind of statistic is not known");
    name_of(&b, name);
    put_text(c, "identifier", name->data, name->size);
    put_word(c, "ctr_type", kinds[b.kind]);
    put_elements(c, &b);
    put_number(c, "target_border_idx", (double)mli_flat_i32(&ctr, CTR_TARGET, 0));
    put_number(c, "prior_numerator", mli_flat_f32(&ctr, CTR_PRIOR, 0));
    put_number(c, "prior_denomerator", mli_flat_f32(&ctr, CTR_TOTAL, 1));
    put_number(c, "shift", mli_flat_f32(&ctr, CTR_SHIFT, 0));
    put_number(c, "scale", mli_flat_f32(&ctr, CTR_SCALE, 1));
    put_numbers(c, "borders", borders, F32, 0, borders.n);
    end(c, NULL, MLI_V_OBJECT, one);
    for (int64_t k = 0; k < borders.n; k++)
        add_condition(c, "OnlineCtr", "split_index", c->n_conditions, "border",
                      number_at(borders, F32, k));
    return ML_OK;
}

static ml_status read_ctrs(cbm *c)
{
    mli_flat_vector list = mli_flat_list(&c->trees, TREES_CTRS, 4);
    ml_status s = ML_OK;
    int64_t first = begin(c);
    mli_str name;
    if (list.n == 0) return ML_OK;
    mli_str_init(&name, c->im->ctx);
    for (int64_t i = 0; i < list.n && !s && !c->failed; i++) {
        mli_flat_table feature = mli_flat_item(&c->flat, list, i);
        s = read_ctr(c, &feature, &name);
    }
    if (name.failed) c->failed = 1;
    mli_str_free(&name);
    end(c, "ctrs", MLI_V_ARRAY, first);
    return s;
}

/* One table: a name in ctr_data. */
static ml_status read_table(cbm *c, mli_flat *f, mli_str *name)
{
    mli_flat_table t = mli_flat_root(f), base = mli_flat_child(&t, TABLE_BASE);
    combination b;
    int64_t one = begin(c), classes = mli_flat_i32(&t, TABLE_CLASSES, 0);
    if (!read_base(&base, &b)) return damaged(c, "a kind of statistic is not known");
    int64_t numbers = b.kind >= 4 ? 1 : b.kind >= 2 ? 2 : classes;
    put_bytes(c, "buckets", mli_flat_list(&t, TABLE_BUCKETS, 1));
    put_bytes(c, "numbers", mli_flat_list(&t, TABLE_BLOB, 1));
    put_number(c, "hash_stride", (double)numbers + 1);
    put_number(c, "counter_denominator", (double)mli_flat_i32(&t, TABLE_TOTAL, 0));
    name_of(&b, name);
    const char *key = mli_doc_text(&c->doc, name->data, name->size);
    if (!key) c->failed = 1;
    end(c, key, MLI_V_OBJECT, one);
    return f->bad ? damaged(c, "a table of statistics") : ML_OK;
}

/* The tables: their number, then each behind its size. */
static ml_status read_tables(cbm *c, const unsigned char *p, size_t left)
{
    int64_t first = begin(c);
    uint32_t n = left >= 4 ? mli_pb_u32(p) : 0;
    ml_status s = ML_OK;
    mli_str name;
    mli_str_init(&name, c->im->ctx);
    for (size_t at = 4; n > 0 && !s && !c->failed; n--) {
        mli_flat f;
        uint32_t size = left - at >= 4 ? mli_pb_u32(p + at) : UINT32_MAX;
        if (left - at < 4 || size > left - at - 4) {
            s = damaged(c, "it ends too early");
            break;
        }
        mli_flat_open(&f, p + at + 4, size);
        s = read_table(c, &f, &name);
        at += 4 + (size_t)size;
    }
    if (name.failed) c->failed = 1;
    mli_str_free(&name);
    end(c, "ctr_data", MLI_V_OBJECT, first);
    return s;
}

/* ---- trees ---- */

static void put_leaf_values(cbm *c, const char *key, int64_t leaf, int64_t n)
{
    put_numbers(c, key, c->values, F64, leaf * c->scores, n * c->scores);
}

static ml_status read_symmetric(cbm *c)
{
    int64_t first = begin(c), split = 0, leaf = 0;
    for (int64_t t = 0; t < c->sizes.n && !c->failed; t++) {
        int64_t depth = (int64_t)number_at(c->sizes, I32, t), one = begin(c), list;
        if (depth < 0 || depth > SYMMETRIC_MAX || depth > c->splits.n - split ||
            ((leaf + ((int64_t)1 << depth)) * c->scores) > c->values.n)
            return damaged(c, "trees do not fit their splits and leaves");
        int64_t leaves = (int64_t)1 << depth;
        put_leaf_values(c, "leaf_values", leaf, leaves);
        if (c->weights.n >= leaf + leaves)
            put_numbers(c, "leaf_weights", c->weights, F64, leaf, leaves);
        list = begin(c);
        for (int64_t k = 0; k < depth; k++, split++) {
            int64_t at = (int64_t)number_at(c->splits, I32, split);
            if (at < 0 || at >= c->n_conditions)
                return damaged(c, "a split that does not exist");
            put(c, NULL, c->conditions[at]);
        }
        end(c, "splits", MLI_V_ARRAY, list);
        end(c, NULL, MLI_V_OBJECT, one);
        leaf += leaves;
    }
    end(c, "oblivious_trees", MLI_V_ARRAY, first);
    return ML_OK;
}

static ml_status put_leaf(cbm *c, const char *key, int64_t node)
{
    int64_t one = begin(c), at = (int64_t)mli_pb_u32(c->leaves.data + 4 * node);
    if (at % c->scores != 0 || at + c->scores > c->values.n)
        return damaged(c, "a leaf without values");
    c->taken += c->scores;
    if (c->taken > c->values.n) return damaged(c, "leaves share their values");
    put_leaf_values(c, "value", at / c->scores, 1);
    if (c->weights.n > at / c->scores)
        put_number(c, "weight", number_at(c->weights, F64, at / c->scores));
    end(c, key, MLI_V_OBJECT, one);
    return ML_OK;
}

/* A node of a tree of `n` nodes that begins at `root`. Steps lead forward; one of 0 ends
 * in the node's own leaf. */
static ml_status put_node(cbm *c, const char *key, int64_t root, int64_t n, int64_t node,
                          int depth)
{
    static const char *const sides[] = {"left", "right"};
    if (depth > DEPTH_MAX || ++c->visits > n) return damaged(c, "a tree is no tree");
    const unsigned char *p = c->steps.data + 4 * (root + node);
    int64_t step[2] = {p[0] | p[1] << 8, p[2] | p[3] << 8}, one = begin(c);
    if (!step[0] && !step[1]) return put_leaf(c, key, root + node);
    int64_t at = (int64_t)number_at(c->splits, I32, root + node);
    if (at < 0 || at >= c->n_conditions) return damaged(c, "a split that does not exist");
    put(c, "split", c->conditions[at]);
    ml_status s = ML_OK;
    for (int k = 0; k < 2 && !s; k++) {
        if (node + step[k] >= n) return damaged(c, "a tree is no tree");
        s = step[k] ? put_node(c, sides[k], root, n, node + step[k], depth + 1)
                    : put_leaf(c, sides[k], root + node);
    }
    end(c, key, MLI_V_OBJECT, one);
    return s;
}

static ml_status read_others(cbm *c)
{
    int64_t first = begin(c), root = 0;
    if (c->steps.n != c->splits.n || c->leaves.n != c->splits.n)
        return damaged(c, "trees do not fit their splits and leaves");
    ml_status s = ML_OK;
    for (int64_t t = 0; t < c->sizes.n && !s && !c->failed; t++) {
        int64_t n = (int64_t)number_at(c->sizes, I32, t);
        if (n < 1 || n > c->splits.n - root)
            return damaged(c, "trees do not fit their splits and leaves");
        c->visits = 0;
        s = put_node(c, NULL, root, n, 0, 0);
        root += n;
    }
    end(c, "trees", MLI_V_ARRAY, first);
    return s;
}

static ml_status read_trees(cbm *c)
{
    const mli_flat_table *t = &c->trees;
    c->splits = mli_flat_list(t, TREES_SPLITS, 4);
    c->sizes = mli_flat_list(t, TREES_SIZES, 4);
    c->values = mli_flat_list(t, TREES_VALUES, 8);
    c->weights = mli_flat_list(t, TREES_WEIGHTS, 8);
    c->steps = mli_flat_list(t, TREES_STEPS, 4);
    c->leaves = mli_flat_list(t, TREES_LEAVES, 4);
    c->scores = mli_flat_i32(t, TREES_DIMENSION, 1);
    if (c->scores < 1 || c->scores > 1 << 20)
        return damaged(c, "the number of scores is out of range");
    mli_flat_vector biases = mli_flat_list(t, TREES_BIASES, 8);
    int64_t first = begin(c), list;
    put_number(c, NULL, mli_flat_f64(t, TREES_SCALE, 1));
    list = begin(c);
    for (int64_t k = 0; k < c->scores; k++)
        put_number(c, NULL,
                   k < biases.n ? number_at(biases, F64, k)
                                : mli_flat_f64(t, TREES_BIAS, 0));
    end(c, NULL, MLI_V_ARRAY, list);
    end(c, "scale_and_bias", MLI_V_ARRAY, first);
    return c->steps.n ? read_others(c) : read_symmetric(c);
}

/* ---- the whole ---- */

/* What the training wrote about itself: JSON in texts. */
static ml_status read_info(cbm *c, const mli_flat_table *core)
{
    static const char *const keys[][2] = {{"params", "params"},
                                          {"class_params", "class_params"},
                                          {"multiclass_params", "class_params"}};
    mli_flat_vector list = mli_flat_list(core, CORE_INFO, 4);
    int64_t first = begin(c);
    for (int64_t i = 0; i < list.n; i++) {
        mli_flat_table t = mli_flat_item(&c->flat, list, i);
        mli_flat_vector key = mli_flat_list(&t, 0, 1), value = mli_flat_list(&t, 1, 1);
        for (int k = 0; k < 3; k++) {
            mli_doc *doc = &c->info[k > 0];
            if (key.n != (int64_t)strlen(keys[k][0]) || doc->ctx || value.n == 0 ||
                memcmp(key.data, keys[k][0], (size_t)key.n) != 0)
                continue;
            ml_status s =
                mli_doc_json(c->im->ctx, value.data, (size_t)value.n, doc, c->im->err);
            if (s) return s;
            put(c, keys[k][1], doc->root);
        }
    }
    end(c, "model_info", MLI_V_OBJECT, first);
    return ML_OK;
}

static ml_status read_model(cbm *c)
{
    static const char *const names[] = {"text features", "embeddings"};
    mli_flat_table core = mli_flat_root(&c->flat);
    c->trees = mli_flat_child(&core, CORE_TREES);
    int64_t first = begin(c);
    if (!c->trees.at) return damaged(c, "it has no trees");
    if (mli_flat_list(&c->trees, TREES_ESTIMATED, 4).n > 0)
        return mli_fail(c->im->err, ML_E_UNSUPPORTED,
                        "the model has %s, which cannot be imported",
                        names[mli_flat_list(&c->trees, TREES_TEXTS, 4).n == 0]);
    read_floats(c);
    ml_status s = read_categories(c);
    if (!s) s = read_ctrs(c);
    end(c, "features_info", MLI_V_OBJECT, first);
    if (!s) s = read_info(c, &core);
    if (!s) s = read_trees(c);
    if (!s && c->flat.bad) s = damaged(c, "a part is outside the file");
    return s;
}

ml_status mli_import_catboost_binary(mli_import *im, const void *data, size_t size)
{
    cbm c = {.im = im};
    const unsigned char *p = data;
    c.doc.ctx = im->ctx;
    uint32_t n = size >= 8 ? mli_pb_u32(p + 4) : UINT32_MAX;
    if (n == UINT32_MAX || n > size - 8) return damaged(&c, "it ends too early");
    mli_flat_open(&c.flat, p + 8, n);
    int64_t first = begin(&c);
    ml_status s = read_model(&c);
    if (!s) s = read_tables(&c, p + 8 + n, size - 8 - n);
    end(&c, NULL, MLI_V_OBJECT, first);
    if (!s && c.failed) s = mli_nomem(im->err);
    if (!s) s = mli_import_catboost(im, &c.doc.stack[0]);
    mli_doc_free(&c.doc);
    for (int k = 0; k < 2; k++) mli_doc_free(&c.info[k]);
    mli_free(im->ctx, c.conditions);
    return s;
}
