/* SPDX-License-Identifier: MIT
 *
 * serialization/import_catboost.h: categories of CatBoost's models.
 */
#ifndef MLI_SERIALIZATION_IMPORT_CATBOOST_H
#define MLI_SERIALIZATION_IMPORT_CATBOOST_H

#include "algorithms/trees/crosses.h"
#include "core/hashmap.h"
#include "serialization/import.h"
#include "serialization/import_value.h"

/* A hash, and what has it. */
typedef struct mli_cat_entry {
    uint64_t hash;
    int64_t place;
} mli_cat_entry;

/* Texts of all categories: features_info.cat_features_hash. */
typedef struct mli_cat_texts {
    int64_t n;
    const mli_item *items; /* NULL: the file has none */
    int32_t *hash;         /* [n] */
    mli_cat_entry *sorted; /* [n] by mli_cross_mix(0, hash) */
    uint8_t *seen;         /* [n] of the feature at hand */
    uint8_t *taken;        /* [n] of any feature */
} mli_cat_texts;

/* A categorical feature: its place among all features, and its levels by their hashes. */
typedef struct mli_cat_feature {
    int64_t flat, n;
    int32_t *hash;        /* [n] */
    int64_t n_exact;      /* values of splits on one level */
    mli_cat_entry *exact; /* [n_exact] of hashed features: the column that asks for it */
    int settled;          /* `seen` has all its levels */
    uint8_t *seen;        /* [texts] its texts in combinations; NULL: it is in none */
} mli_cat_feature;

/* The place in a list of the feature that has a number. */
typedef struct mli_cat_index {
    int64_t n;
    int32_t *place; /* [n] -1: there is none */
} mli_cat_index;

/* A statistic, which splits compare with borders. */
typedef struct mli_cat_ctr {
    int64_t feature; /* of the categorical ones; -1: a combination */
    float *value;    /* [n + 1] by level; the last: of any other level */
    int64_t column;  /* of the crosses */
    int64_t next;    /* the next cross of the same table, -1: there is none */
} mli_cat_ctr;

typedef struct mli_cat_categories {
    mli_import *im;
    int hashed; /* texts are not known: features are hashes, all statistics crosses */
    mli_cat_index floats, index; /* index: of the categorical features */
    mli_cat_index flat;          /* by their numbers among all, also those dropped */
    mli_map tables;              /* the names in ctr_data, */
    const mli_item **table_of;   /* and the first table of each */
    const int64_t *float_flat;
    const uint8_t *float_nan_true;
    int64_t n, n_ctrs, n_splits; /* n_splits: borders of all statistics */
    mli_cat_feature *features;   /* [n] */
    mli_cat_ctr *ctrs;           /* [n_ctrs] */
    int32_t *ctr_of;             /* [n_splits] which statistic a border is of */
    int64_t first_split;         /* the number that splits have for the first border */
} mli_cat_categories;

/* Reads features_info.categorical_features and what belongs to them; the features' names
 * and levels are set in c->im, which has room for all features. `borders`: of numbers. */
ml_status mli_cat_read(mli_cat_categories *c, const mli_item *root, int64_t borders);
/* A split of the type OneHotFeature or OnlineCtr. */
ml_status mli_cat_split(mli_cat_categories *c, const mli_item *split, const char *place,
                        mli_import_node *node);
void mli_cat_free(mli_cat_categories *c);
/* Marks the texts that the table of a feature alone has; marks may be NULL. */
ml_status mli_cat_mark_table(mli_cat_categories *c, const mli_item *ctr,
                             const mli_cat_texts *t, uint8_t *marks);
/* Numbers features by their "feature_index", or in the order of the list. */
ml_status mli_cat_number(const mli_cat_categories *c, const mli_item *list,
                         mli_cat_index *out);
/* The name of a feature at a place, which has a number among all. */
ml_status mli_cat_name(const mli_cat_categories *c, const mli_item *feature, int64_t at,
                       int64_t flat);
/* The place of the feature that item[key] names. */
ml_status mli_cat_place(const mli_cat_categories *c, const mli_cat_index *index,
                        const mli_item *item, const char *key, const char *place,
                        int64_t *out);
ml_status mli_cat_bad(const mli_cat_categories *c, const char *place, const char *what);
const mli_cat_entry *mli_cat_find(const mli_cat_entry *sorted, int64_t n, uint64_t hash);
int mli_cat_by_hash(const void *a, const void *b);

/* ---- tables of statistics ---- */

#define MLI_CAT_NOTHING UINT64_MAX /* the hash of a place that is not taken */

/* 0: it is none. Hashes of 32 bits are written with or without their sign. */
int mli_cat_hash64(const mli_item *item, uint64_t *out);
int mli_cat_hash32(double v, int32_t *out);

typedef struct mli_cat_table {
    const mli_item *map;                    /* n times a hash and numbers, or */
    const unsigned char *buckets, *numbers; /* n hashes and places among the numbers */
    int64_t n, stride;                      /* stride: a hash and its numbers */
    double total;                           /* of frequencies */
} mli_cat_table;
/* Names the tables, which are looked up often. */
ml_status mli_cat_tables_open(mli_cat_categories *c, const mli_item *root);
/* The number of a statistic's table; -1: there is none. */
int64_t mli_cat_table_of(const mli_cat_categories *c, const mli_item *ctr);
/* The table of a statistic; its hashes are checked. */
ml_status mli_cat_table_read(const mli_cat_categories *c, const mli_item *ctr,
                             mli_cat_table *t);
uint64_t mli_cat_table_hash(const mli_cat_table *t, int64_t i);

/* How a statistic is made of the numbers of a table. */
typedef struct mli_cat_recipe {
    int counter; /* a frequency, else of the target */
    int mean;    /* sum and count */
    int bucket;  /* one class instead of all above it */
    int64_t border;
    float prior, prior_total, shift, scale;
} mli_cat_recipe;
ml_status mli_cat_recipe_read(const mli_cat_categories *c, const mli_item *ctr,
                              mli_cat_recipe *r);
/* The statistic of entry i, and of what the table does not have. */
ml_status mli_cat_rate(const mli_cat_categories *c, const mli_cat_recipe *r,
                       const mli_cat_table *t, int64_t i, float *out);
float mli_cat_rate_none(const mli_cat_recipe *r, const mli_cat_table *t);

/* ---- combinations ---- */

/* The elements of a statistic. */
ml_status mli_cat_elements(const mli_cat_categories *c, const mli_item *ctr,
                           const mli_item **out);
/* Finds the texts that features have in combinations, as far as it can. */
ml_status mli_cat_decode(mli_cat_categories *c, const mli_item *ctrs,
                         const mli_cat_texts *t);
/* Makes crosses of the statistics of combinations, and numbers their columns; the levels
 * are known. Of hashed features (list) also of the categories that splits ask for. */
ml_status mli_cat_cross(mli_cat_categories *c, const mli_item *list,
                        const mli_item *ctrs);

#endif
