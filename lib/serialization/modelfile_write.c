/* SPDX-License-Identifier: MIT
 *
 * modelfile_write.c: a model into a file (docs/model-file.md). The same model gives the
 * same bytes: no times, no addresses, a fixed order.
 */
#include "core/json.h"
#include "core/sha256.h"
#include "serialization/export.h"
#include "serialization/inputs_json.h"
#include "serialization/modelfile.h"

#include <string.h>

static const mli_param save_params[] = {
    {"format", "to", ML_PARAM_STR, 0, "auto", "{auto, libml, c, xgboost, onnx, lightgbm}",
     NULL, NULL,
     "What to write: a libml model, C source without dependencies, a model of XGBoost "
     "(JSON), an ONNX graph, or a model of LightGBM (text). auto: by the end of the "
     "file's name, .c, .json, .onnx or .txt; any other is libml's own.",
     "0.1"},
    {"name", "prefix", ML_PARAM_STR, 0, "model", NULL, NULL, "format in {auto, c, onnx}",
     "What the names of functions begin with in C source, and the name of an ONNX graph: "
     "letters, digits and underscores.",
     "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_save = {
    .name = "options.save",
    .title = "Saving a model",
    .doc = "How ml_model_save_file and ml_model_save_io write a model, for libml or for "
           "another system. What a format cannot say is an error: a file that is written "
           "predicts the same.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = save_params,
};

/* A file to be: its tensors in their places, and its header. */
typedef struct layout {
    const ml_model *m;
    int64_t count;
    mli_st_tensor *tensors;
    mli_str levels;   /* the texts of all features' dictionaries */
    int64_t *offsets; /* and their offsets */
    mli_str header;
    char hash[65];
} layout;

/* ---- tensors ---- */

static void add_array(layout *l, const char *name, int32_t dtype, int64_t size,
                      const void *data)
{
    l->tensors[l->count++] = (mli_st_tensor){
        .name = name, .dtype = dtype, .ndim = 1, .shape = {size}, .data = data};
}

static ml_status bad_text(const char *column, ml_error *err)
{
    mli_fail(err, ML_E_DATA, "the categories of the column \"%s\" are not UTF-8", column);
    return mli_error_hint(err, ML_E_DATA, "convert the training data to UTF-8");
}

static ml_status add_labels(layout *l, ml_error *err)
{
    const mli_inputs *in = l->m->inputs;
    const mli_dictionary *d = &in->classes;
    if (d->n == 0) return ML_OK;
    if (!mli_dictionary_valid(d, 0)) return bad_text(in->target ? in->target : "", err);
    add_array(l, MLI_LABELS_OFFSETS, ML_DTYPE_I64, d->n + 1, d->offsets);
    add_array(l, MLI_LABELS, ML_DTYPE_U8, d->offsets[d->n], d->bytes);
    return ML_OK;
}

/* The dictionaries of all features, one behind the other. */
static ml_status add_levels(layout *l, ml_error *err)
{
    const mli_inputs *in = l->m->inputs;
    int64_t total = 0, at = 0;
    for (int64_t i = 0; i < in->n_features; i++) {
        const mli_dictionary *d = &in->features[i].levels;
        if (d->n) total += d->n + 1;
        if (!mli_dictionary_valid(d, 1)) return bad_text(in->features[i].name, err);
    }
    if (total == 0) return ML_OK;
    l->offsets = mli_alloc_vec(l->m->ctx, total, sizeof *l->offsets);
    if (!l->offsets) return mli_nomem(err);
    for (int64_t i = 0; i < in->n_features; i++) {
        const mli_dictionary *d = &in->features[i].levels;
        if (!d->n) continue;
        memcpy(l->offsets + at, d->offsets, (size_t)(d->n + 1) * sizeof *l->offsets);
        mli_str_add_n(&l->levels, d->bytes, (size_t)d->offsets[d->n]);
        at += d->n + 1;
    }
    if (l->levels.failed) return mli_nomem(err);
    add_array(l, MLI_OFFSETS, ML_DTYPE_I64, total, l->offsets);
    add_array(l, MLI_LEVELS, ML_DTYPE_U8, (int64_t)l->levels.size, l->levels.data);
    return ML_OK;
}

static ml_status add_tensor(layout *l, const mli_named *n, ml_error *err)
{
    const ml_tensor *t = n->tensor;
    if (strncmp(n->name, MLI_RESERVED, strlen(MLI_RESERVED)) == 0)
        return mli_fail(err, ML_E_INTERNAL, "the tensor name \"%s\" is reserved",
                        n->name);
    mli_st_tensor *to = &l->tensors[l->count++];
    *to = (mli_st_tensor){
        .name = n->name, .dtype = t->dtype, .ndim = t->ndim, .data = t->data};
    memcpy(to->shape, t->shape, sizeof to->shape);
    if (!mli_tensor_contiguous(t)) to->strides = t->strides;
    return ML_OK;
}

static ml_status add_tensors(layout *l, ml_error *err)
{
    const ml_model *m = l->m;
    l->tensors = mli_calloc(m->ctx, (size_t)m->count + 4, sizeof *l->tensors);
    if (!l->tensors) return mli_nomem(err);
    ml_status status = add_labels(l, err);
    if (!status) status = add_levels(l, err);
    for (int64_t i = 0; !status && i < m->count; i++)
        status = add_tensor(l, &m->tensors[i], err);
    if (status) return status;
    if (mli_safetensors_place(l->tensors, l->count)) return ML_OK;
    return mli_fail(err, ML_E_SHAPE, "the model is larger than a file can be");
}

/* ---- the header ---- */

static ml_status hash_piece(void *user, const void *data, size_t size, ml_error *err)
{
    (void)err;
    mli_sha256_add(user, data, size);
    return ML_OK;
}

static ml_status hash_tensors(layout *l, ml_error *err)
{
    mli_sha256 h;
    unsigned char digest[32];
    ml_status status = ML_OK;
    mli_sha256_init(&h);
    for (int64_t i = 0; !status && i < l->count; i++)
        status = mli_safetensors_bytes(&l->tensors[i], hash_piece, &h, err);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, l->hash);
    return status;
}

static mli_st_pair pair(const char *key, const char *value, size_t size)
{
    return (mli_st_pair){key, value, size};
}

static ml_status make_header(layout *l, ml_error *err)
{
    const ml_model *m = l->m;
    mli_str inputs, params, version;
    mli_str_init(&inputs, m->ctx);
    mli_str_init(&params, m->ctx);
    mli_str_init(&version, m->ctx);
    mli_inputs_json(&inputs, m->inputs);
    mli_params_json(&params, m->params);
    mli_str_i64(&version, MLI_FORMAT_VERSION);
    const char *name = m->algorithm->head.name;
    mli_st_pair meta[] = {pair("libml.format", version.data, version.size),
                          pair("libml.algorithm", name, strlen(name)),
                          pair("libml.inputs", inputs.data, inputs.size),
                          pair("libml.params", params.data, params.size),
                          pair("libml.sha256", l->hash, 64),
                          pair("libml.summary", m->summary.data, m->summary.size),
                          pair("libml.writer", ml_version(), strlen(ml_version()))};
    mli_safetensors_header(&l->header, meta, sizeof meta / sizeof meta[0], l->tensors,
                           l->count);
    if (inputs.failed || params.failed || version.failed) l->header.failed = 1;
    mli_str_free(&inputs);
    mli_str_free(&params);
    mli_str_free(&version);
    if (l->header.failed) return mli_nomem(err);
    if (l->header.size - 8 <= MLI_ST_HEADER_MAX) return ML_OK;
    return mli_fail(err, ML_E_UNSUPPORTED,
                    "the model has too many inputs for a file: its header has more than "
                    "%u bytes",
                    MLI_ST_HEADER_MAX);
}

static ml_status make_layout(const ml_model *m, layout *l, ml_error *err)
{
    memset(l, 0, sizeof *l);
    l->m = m;
    mli_str_init(&l->header, m->ctx);
    mli_str_init(&l->levels, m->ctx);
    ml_status status = mli_model_check(m, err);
    if (!status) status = add_tensors(l, err);
    if (!status) status = hash_tensors(l, err);
    return status ? status : make_header(l, err);
}

static void free_layout(layout *l)
{
    mli_free(l->m->ctx, l->tensors);
    mli_free(l->m->ctx, l->offsets);
    mli_str_free(&l->levels);
    mli_str_free(&l->header);
}

ml_status mli_modelfile_header(const ml_model *m, mli_str *s, char hash[65],
                               ml_error *err)
{
    layout l;
    ml_status status = make_layout(m, &l, err);
    if (!status) {
        mli_str_add_n(s, l.header.data, l.header.size);
        memcpy(hash, l.hash, sizeof l.hash);
        if (s->failed) status = mli_nomem(err);
    }
    free_layout(&l);
    return status;
}

/* ---- saving ---- */

static ml_status write_piece(void *sink, const void *data, size_t size, ml_error *err)
{
    return mli_sink_write(sink, data, size, err);
}

static ml_status write_all(const layout *l, mli_sink *sink, ml_error *err)
{
    ml_status status = mli_sink_write(sink, l->header.data, l->header.size, err);
    for (int64_t i = 0; !status && i < l->count; i++)
        status = mli_safetensors_bytes(&l->tensors[i], write_piece, sink, err);
    return status;
}

static ml_status open_sink(ml_context *ctx, const char *path, const ml_io *io,
                           mli_sink **out, ml_error *err)
{
    return path ? mli_sink_open(ctx, path, 0, out, err)
                : mli_sink_open_io(ctx, io, out, err);
}

static ml_status finish(mli_sink *sink, ml_status status, ml_error *err)
{
    if (!status) return mli_sink_commit(sink, err);
    mli_sink_abort(sink);
    return status;
}

static ml_status save_own(const ml_model *m, const char *path, const ml_io *io,
                          ml_error *err)
{
    mli_sink *sink = NULL;
    layout l;
    ml_status status = make_layout(m, &l, err);
    if (!status) status = open_sink(m->ctx, path, io, &sink, err);
    if (!status) status = finish(sink, write_all(&l, sink, err), err);
    free_layout(&l);
    return status;
}

static ml_status save_other(const ml_model *m, int format, const char *name,
                            const char *path, const ml_io *io, ml_error *err)
{
    mli_sink *sink = NULL;
    mli_str s;
    mli_str_init(&s, m->ctx);
    ml_status status = mli_export(m, format, name, &s, err);
    if (!status) status = open_sink(m->ctx, path, io, &sink, err);
    if (!status) status = finish(sink, mli_sink_write(sink, s.data, s.size, err), err);
    mli_str_free(&s);
    return status;
}

/* To a path or else to a stream. */
static ml_status save(const ml_model *m, const char *path, const ml_io *io,
                      const ml_params *options, ml_error *err)
{
    ml_params *p = NULL;
    ml_status status = mli_params_resolve(m->ctx, &mli_options_save, options, &p, err);
    if (status) return status;
    int format = mli_export_format(p, path);
    status = format == MLI_EXPORT_OWN
                 ? save_own(m, path, io, err)
                 : save_other(m, format, mli_get_str(p, "name"), path, io, err);
    ml_params_free(p);
    return status;
}

ml_status ml_model_save_file(const ml_model *model, const char *path,
                             const ml_params *options, ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!path) return mli_null(error, "path");
    return save(model, path, NULL, options, error);
}

ml_status ml_model_save_io(const ml_model *model, const ml_io *io,
                           const ml_params *options, ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!io) return mli_null(error, "io");
    return save(model, NULL, io, options, error);
}
