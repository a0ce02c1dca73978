/* SPDX-License-Identifier: MIT
 *
 * model_samples.h: models for the tests of files: one put together by hand that has a bit
 * of everything, and the bytes of saved models, to be looked at and damaged.
 */
#ifndef ML_MODEL_SAMPLES_H
#define ML_MODEL_SAMPLES_H

#include "testing.h"
#include "algorithms/model.h"

extern const mli_algorithm mli_baseline;

/* ---- bytes ---- */

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static inline int64_t bytes_write(const void *data, size_t size, void *user)
{
    bytes *b = user;
    b->data = realloc(b->data, b->size + size);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return (int64_t)size;
}

static inline bytes bytes_of_model(const ml_model *m)
{
    bytes b = {NULL, 0};
    ml_io io = ML_IO_INIT;
    io.write = bytes_write;
    io.user = &b;
    OK(ml_model_save_io(m, &io, NULL, ERR));
    return b;
}

static inline bytes bytes_of_file(const char *path)
{
    bytes b = {NULL, 0};
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) bytes_write(piece, n, &b);
    fclose(f);
    return b;
}

static inline size_t header_size(const bytes *b)
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) n = n << 8 | b->data[i];
    return (size_t)n;
}

/* The first place of some bytes, or NULL. */
static inline const unsigned char *find_bytes(const void *in, size_t size,
                                              const void *what, size_t length)
{
    const unsigned char *p = in;
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(p + i, what, length) == 0) return p + i;
    }
    return NULL;
}

/* The same file with `from` in its header replaced by `to` (the tensors do not move in
 * relation to the header's end). */
static inline bytes edited(const bytes *b, const char *from, const char *to)
{
    size_t n = header_size(b), old = strlen(from), new = strlen(to);
    const unsigned char *at = find_bytes(b->data + 8, n, from, old);
    ck_assert_msg(at != NULL, "'%s' is not in the header", from);
    size_t before = (size_t)(at - b->data);
    bytes e = {NULL, 0};
    bytes_write(b->data, before, &e);
    bytes_write(to, new, &e);
    bytes_write(at + old, b->size - before - old, &e);
    uint64_t length = n - old + new;
    for (int i = 0; i < 8; i++) e.data[i] = (unsigned char)(length >> (8 * i));
    return e;
}

static inline ml_status load_bytes(ml_context *ctx, const bytes *b, ml_model **out)
{
    return ml_model_load_memory(ctx, b->data, b->size, NULL, NULL, NULL, out, ERR);
}

/* ---- a model by hand ---- */

static inline void set_dictionary(ml_context *ctx, mli_dictionary *d, int64_t n,
                                  const char *const *texts)
{
    int64_t size = 0, *offsets;
    char *to;
    for (int64_t i = 0; i < n; i++) size += (int64_t)strlen(texts[i]);
    OK(mli_dictionary_new(ctx, n, size, d, &to, &offsets, ERR));
    for (int64_t i = 0, at = 0; i < n; i++) {
        memcpy(to + at, texts[i], strlen(texts[i]));
        at += (int64_t)strlen(texts[i]);
        offsets[i + 1] = at;
    }
}

static inline mli_inputs *sample_inputs(ml_context *ctx)
{
    static const char *const colours[] = {"", "blue", "gr\xc3\xbcn", "red"};
    static const char *const labels[] = {"no", "yes", "may\"be"};
    static const struct {
        const char *name;
        int32_t kind, type;
    } features[] = {{"age", MLI_NUMERIC, ML_DTYPE_I64},
                    {"colour", MLI_CATEGORICAL, ML_TYPE_CATEGORY},
                    {"quote\"\n\xe2\x82\xac", MLI_NUMERIC, ML_TYPE_DATE},
                    {"empty", MLI_CATEGORICAL, ML_TYPE_TEXT}};
    mli_inputs *in = NULL;
    OK(mli_inputs_new(ctx, 4, &in, ERR));
    for (int i = 0; i < 4; i++) {
        in->features[i].name = mli_strdup(ctx, features[i].name);
        in->features[i].kind = features[i].kind;
        in->features[i].type = features[i].type;
    }
    set_dictionary(ctx, &in->features[1].levels, 4, colours);
    set_dictionary(ctx, &in->features[3].levels, 0, NULL);
    set_dictionary(ctx, &in->classes, 3, labels);
    in->task = MLI_TASK_CLASSIFICATION;
    in->unseen_error = 1;
    in->target = mli_strdup(ctx, "target");
    in->target_type = ML_TYPE_TEXT;
    in->weight = mli_strdup(ctx, "w");
    return in;
}

static inline ml_params *sample_params(ml_context *ctx)
{
    ml_params *given = NULL, *params = NULL;
    OK(ml_params_new(ctx, &given, ERR));
    OK(ml_params_set_str(given, "target", "target", ERR));
    OK(ml_params_set_f64(given, "quantile", 0.1, ERR));
    OK(mli_params_resolve(ctx, &mli_baseline.head, given, &params, ERR));
    ml_params_free(given);
    return params;
}

/* A tensor per element type, one of them strided, one empty, one without dimensions. */
static inline void add_tensors(ml_context *ctx, ml_model *m)
{
    static const int32_t dtypes[] = {
        ML_DTYPE_BOOL, ML_DTYPE_I8,  ML_DTYPE_I16, ML_DTYPE_I32, ML_DTYPE_I64,
        ML_DTYPE_U8,   ML_DTYPE_U16, ML_DTYPE_U32, ML_DTYPE_U64, ML_DTYPE_F32};
    static const double square[6] = {1, 2, 3, 4, 5, 6};
    for (int i = 0; i < 10; i++) {
        unsigned char *to;
        char name[16];
        int64_t shape[2] = {3, i};
        snprintf(name, sizeof name, "t%d", i);
        OK(mli_model_add(m, name, dtypes[i], i ? 2 : 1, shape, &to, ERR));
        for (int j = 0; j < (i ? 3 * i : 3); j++) to[j] = (unsigned char)(j & 1);
    }
    ml_tensor *t = NULL;
    OK(ml_tensor_new(ctx, ML_DTYPE_F64, 2, (int64_t[]){2, 3}, NULL, square, &t, ERR));
    OK(mli_model_add_tensor(m, "square", t, ERR));
    ml_tensor_free(t);
    double *scalar;
    OK(mli_model_add(m, "scalar", ML_DTYPE_F64, 0, NULL, &scalar, ERR));
    *scalar = -0.5;
}

static inline ml_model *sample_model(ml_context *ctx)
{
    ml_model *m = NULL;
    mli_inputs *in = sample_inputs(ctx);
    ml_params *params = sample_params(ctx);
    OK(mli_model_new(ctx, &mli_baseline, params, in, &m, ERR));
    mli_inputs_free(in);
    ml_params_free(params);
    OK(mli_model_add_f64s(m, "constant", (double[]){0.25, 0.5, 0.25}, 3, ERR));
    add_tensors(ctx, m);
    mli_model_note_i64(m, "rows", 100);
    mli_model_note_f64(m, "loss", 0.125);
    mli_model_note_str(m, "note", "a \"text\"");
    OK(mli_model_seal(m, ERR));
    return m;
}

/* A model with a category of n levels "000000000", "000000001", ... */
static inline ml_model *wide_model(ml_context *ctx, int64_t n)
{
    ml_model *m = NULL;
    mli_inputs *in = NULL;
    OK(mli_inputs_new(ctx, 1, &in, ERR));
    mli_feature *f = in->features;
    f->name = mli_strdup(ctx, "key");
    f->kind = MLI_CATEGORICAL;
    f->type = ML_TYPE_TEXT;
    in->task = MLI_TASK_REGRESSION;
    in->target = mli_strdup(ctx, "target");
    in->target_type = ML_DTYPE_F64;
    char *to;
    int64_t *offsets;
    OK(mli_dictionary_new(ctx, n, 9 * n, &f->levels, &to, &offsets, ERR));
    for (int64_t i = 0; i < n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%09d", (int)i);
        memcpy(to + 9 * i, text, 9);
        offsets[i + 1] = 9 * (i + 1);
    }
    ml_params *params = sample_params(ctx);
    OK(mli_model_new(ctx, &mli_baseline, params, in, &m, ERR));
    mli_inputs_free(in);
    ml_params_free(params);
    OK(mli_model_add_f64s(m, "constant", (double[]){7}, 1, ERR));
    OK(mli_model_seal(m, ERR));
    return m;
}

#endif
