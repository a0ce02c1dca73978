/* SPDX-License-Identifier: MIT
 *
 * serialization/import_catboost.h: categories of CatBoost's models.
 */
#ifndef MLI_SERIALIZATION_IMPORT_CATBOOST_H
#define MLI_SERIALIZATION_IMPORT_CATBOOST_H

#include "serialization/import.h"
#include "serialization/import_value.h"

/* A categorical feature: its place among all features, and its levels by their hashes. */
typedef struct mli_cat_feature {
    int64_t flat, n;
    int32_t *hash;   /* [n] */
    int64_t n_exact; /* values of splits on one level */
} mli_cat_feature;

/* A statistic of a feature's levels, which splits compare with borders. */
typedef struct mli_cat_ctr {
    int64_t feature; /* of the categorical ones */
    float *value;    /* [n + 1] by level; the last: of any other level */
} mli_cat_ctr;

typedef struct mli_cat_categories {
    mli_import *im;
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

#endif
