/* SPDX-License-Identifier: MIT
 *
 * import_crosses.c: the tensors of trees/crosses.h.
 */
#include "serialization/import.h"

#include <string.h>

static ml_status write_elements(const mli_import *im, int64_t *const *rank, ml_model *m)
{
    int64_t n = 0, starts = im->n_crosses + 1, *start;
    int32_t *feature;
    uint8_t *kind;
    double *at;
    ml_error *err = im->err;
    for (int64_t t = 0; t < im->n_crosses; t++) n += im->crosses[t].n_elements;
    ml_status s = mli_model_add(m, "cross_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (!s) s = mli_model_add(m, "cross_feature", ML_DTYPE_I32, 1, &n, &feature, err);
    if (!s) s = mli_model_add(m, "cross_kind", ML_DTYPE_U8, 1, &n, &kind, err);
    if (!s) s = mli_model_add(m, "cross_at", ML_DTYPE_F64, 1, &n, &at, err);
    if (s) return s;
    n = 0;
    for (int64_t t = 0; t < im->n_crosses; t++) {
        for (int64_t i = 0; i < im->crosses[t].n_elements; i++, n++) {
            const mli_import_element *e = &im->crosses[t].elements[i];
            int ranked = e->kind == MLI_CROSS_EQUAL && e->at >= 0 && rank[e->feature];
            feature[n] = e->feature;
            kind[n] = e->kind;
            at[n] = ranked ? (double)rank[e->feature][(int64_t)e->at] : e->at;
        }
        start[t + 1] = n;
    }
    return ML_OK;
}

static ml_status write_tables(const mli_import *im, ml_model *m)
{
    int64_t keys = 0, values = 0, starts = im->n_crosses + 1, *start;
    uint64_t *key;
    int32_t *table;
    float *value;
    ml_error *err = im->err;
    for (int64_t t = 0; t < im->n_crosses; t++) {
        const mli_import_cross *c = &im->crosses[t];
        keys += c->n_keys;
        values += (c->n_keys + 1) * c->n_columns;
    }
    ml_status s =
        mli_model_add(m, "cross_key_start", ML_DTYPE_I64, 1, &starts, &start, err);
    if (!s) s = mli_model_add(m, "cross_keys", ML_DTYPE_U64, 1, &keys, &key, err);
    if (!s)
        s = mli_model_add(m, "cross_table", ML_DTYPE_I32, 1, &im->n_columns, &table, err);
    if (!s) s = mli_model_add(m, "cross_values", ML_DTYPE_F32, 1, &values, &value, err);
    if (s) return s;
    for (int64_t t = 0; t < im->n_crosses; t++) {
        const mli_import_cross *c = &im->crosses[t];
        int64_t n = (c->n_keys + 1) * c->n_columns;
        start[t + 1] = start[t] + c->n_keys;
        if (c->n_keys) memcpy(key + start[t], c->keys, (size_t)c->n_keys * sizeof *key);
        memcpy(value, c->values, (size_t)n * sizeof *value);
        value += n;
        for (int64_t k = 0; k < c->n_columns; k++) *table++ = (int32_t)t;
    }
    return ML_OK;
}

static ml_status write_hashes(const mli_import *im, int64_t *const *rank, ml_model *m)
{
    int64_t n = 0, starts = im->n_features + 1, *start;
    int32_t *hash;
    for (int64_t j = 0; j < im->n_features; j++)
        if (im->features[j].hash) n += im->features[j].n_levels;
    ml_status s =
        mli_model_add(m, "cross_level_start", ML_DTYPE_I64, 1, &starts, &start, im->err);
    if (!s) s = mli_model_add(m, "cross_level_hash", ML_DTYPE_I32, 1, &n, &hash, im->err);
    for (int64_t j = 0; j < im->n_features && !s; j++) {
        const mli_import_feature *f = &im->features[j];
        int64_t levels = f->hash ? f->n_levels : 0;
        start[j + 1] = start[j] + levels;
        for (int64_t k = 0; k < levels; k++)
            hash[start[j] + (rank[j] ? rank[j][k] : k)] = f->hash[k];
    }
    return s;
}

ml_status mli_import_write_crosses(const mli_import *im, int64_t *const *rank,
                                   ml_model *model)
{
    if (im->n_crosses == 0) return ML_OK;
    ml_status s = write_elements(im, rank, model);
    if (!s) s = write_tables(im, model);
    return s ? s : write_hashes(im, rank, model);
}
