/* SPDX-License-Identifier: MIT
 *
 * modelfile_read.c: a model from a file or from memory (docs/model-file.md). Tensors stay
 * where they are; only the header is read. Nothing in it is trusted.
 */
#include "core/json.h"
#include "core/sha256.h"
#include "serialization/import.h"
#include "serialization/inputs_json.h"
#include "serialization/modelfile.h"

#include <stdio.h>
#include <string.h>

/* Models with at most so many bytes of tensors are checked wholly when they are loaded,
 * larger ones when they are used for the first time. */
#define CHECK_AT_ONCE 65536

static const mli_param load_params[] = {
    {"verify", "check", ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Compares the SHA-256 of the tensor bytes with the one in the file, and checks all "
     "contents at once. It reads the whole file.",
     "0.1"},
    {"target", "label", ML_PARAM_STR, 0, "target", NULL, NULL, NULL,
     "The name of the target column of a model that comes from another system, whose "
     "file does not tell it. Evaluation looks for it.",
     "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_load = {
    .name = "options.load",
    .title = "Loading a model",
    .doc = "How ml_model_load_file and ml_model_load_memory read a model.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = load_params,
};

typedef struct reader {
    ml_context *ctx;
    mli_buffer *buffer;
    mli_safetensors st;
    const mli_st_pair *writer; /* the version that wrote the file; may be NULL */
    const mli_algorithm *algorithm;
    mli_inputs *inputs;
    ml_params *params;
    ml_model *model;
    ml_error *err;
} reader;

static const char *writer_of(const reader *r)
{
    return r->writer && r->writer->size < 64 ? r->writer->value : "of unknown version";
}

static ml_status need(reader *r, const char *key, const mli_st_pair **out)
{
    *out = mli_safetensors_meta(&r->st, key);
    if (*out) return ML_OK;
    return mli_fail(r->err, ML_E_FORMAT, "the metadata \"%s\" is not in the file", key);
}

static ml_status read_format(reader *r)
{
    int64_t format = 0;
    r->writer = mli_safetensors_meta(&r->st, "libml.writer");
    const mli_st_pair *p = mli_safetensors_meta(&r->st, "libml.format");
    if (!p) {
        return mli_fail(r->err, ML_E_FORMAT,
                        "a safetensors file that is not a libml model: it lacks the "
                        "metadata \"libml.format\"");
    }
    if (!mli_read_i64(p->value, &format) || format < 1)
        return mli_fail(r->err, ML_E_FORMAT, "\"%s\" is not a format version", p->value);
    if (format <= MLI_FORMAT_VERSION) return ML_OK;
    mli_fail(
        r->err, ML_E_FORMAT,
        "the model has format %lld, made by libml %s; libml %s reads formats up to %d",
        (long long)format, writer_of(r), ml_version(), MLI_FORMAT_VERSION);
    return mli_error_hint(r->err, ML_E_FORMAT, "update libml to at least %s",
                          writer_of(r));
}

static ml_status read_algorithm(reader *r)
{
    const mli_st_pair *p;
    ml_status status = need(r, "libml.algorithm", &p);
    if (status) return status;
    const mli_descriptor *d = mli_catalog_find(p->value);
    if (d && d->sort == MLI_SORT_ALGORITHM) {
        r->algorithm = (const mli_algorithm *)d;
        return ML_OK;
    }
    mli_fail(r->err, ML_E_FORMAT,
             "the model is of the algorithm \"%s\" of libml %s, which libml %s lacks",
             p->value, writer_of(r), ml_version());
    return mli_error_hint(r->err, ML_E_FORMAT, "use the libml that made the model");
}

static ml_status read_inputs(reader *r)
{
    const mli_st_pair *p;
    ml_status status = need(r, "libml.inputs", &p);
    if (status) return status;
    status = mli_inputs_from_json(r->ctx, p->value, p->size, &r->st, r->buffer,
                                  &r->inputs, r->err);
    if (status) return status;
    const mli_inputs *in = r->inputs;
    if (!(r->algorithm->head.tasks & (uint32_t)in->task))
        return mli_fail(r->err, ML_E_FORMAT, "the model's task is not one of %s",
                        r->algorithm->head.name);
    if ((in->task == MLI_TASK_CLASSIFICATION) != (in->classes.n > 0))
        return mli_fail(r->err, ML_E_FORMAT, "the model's classes do not fit its task");
    if (!mli_dictionary_valid(&in->classes, 0))
        return mli_fail(r->err, ML_E_FORMAT, "the model's class labels are damaged");
    return ML_OK;
}

/* Are all parameters there, in the order of the descriptor? Those without effect on the
 * model and those without a default need not be. */
static int complete(const mli_descriptor *d, const ml_params *p)
{
    const mli_param *lists[2] = {d->params, d->roles};
    int64_t at = 0;
    for (int i = 0; i < 2; i++) {
        for (const mli_param *q = lists[i]; q && q->name; q++) {
            if (at < p->count && strcmp(p->values[at].name, q->name) == 0)
                at++;
            else if ((q->flags & MLI_FLAG_REQUIRED) ||
                     (q->dflt && !(q->flags & MLI_FLAG_NO_EFFECT)))
                return 0;
        }
    }
    return at == p->count;
}

/* Older files may lack parameters: they have their defaults, which mean what was before.
 */
static ml_status complete_params(reader *r)
{
    ml_params *all = NULL;
    const mli_descriptor *d = &r->algorithm->head;
    if (complete(d, r->params)) return ML_OK;
    ml_status status = mli_params_resolve(r->ctx, d, r->params, &all, r->err);
    if (status) return status;
    ml_params_free(r->params);
    r->params = all;
    return ML_OK;
}

/* Parameters that a newer version has added are not ignored: they may change what the
 * tensors mean. */
static ml_status read_params(reader *r)
{
    const mli_st_pair *p;
    ml_status status = need(r, "libml.params", &p);
    if (!status) status = ml_params_new(r->ctx, &r->params, r->err);
    if (status) return status;
    int done;
    status = mli_params_from_json_stored(r->params, &r->algorithm->head, p->value,
                                         p->size, &done, r->err);
    if (status || done) return status;
    status = mli_params_from_json_checked(r->params, &r->algorithm->head, p->value,
                                          p->size, r->err);
    if (!status) status = complete_params(r);
    if (!status) mli_params_drop(r->params, &r->algorithm->head, MLI_FLAG_NO_EFFECT);
    if (!status || status == ML_E_MEMORY) return status;
    char why[512];
    snprintf(why, sizeof why, "%s", ml_error_message(r->err));
    mli_fail(r->err, ML_E_FORMAT, "the model's parameters do not suit libml %s: %s",
             ml_version(), why);
    return mli_error_hint(r->err, ML_E_FORMAT, "the model was made by libml %s",
                          writer_of(r));
}

static ml_status read_summary(reader *r)
{
    const mli_st_pair *p = mli_safetensors_meta(&r->st, "libml.summary");
    if (!p || p->size == 0) return ML_OK;
    mli_json j;
    mli_json_open(&j, p->value, p->size);
    if (mli_json_next(&j) != MLI_JSON_OBJECT || !mli_json_skip(&j, MLI_JSON_OBJECT) ||
        mli_json_next(&j) != MLI_JSON_END)
        return mli_fail(r->err, ML_E_FORMAT, "the model's summary is damaged");
    mli_str_add_n(&r->model->summary, p->value, (size_t)(j.at - j.begin));
    return r->model->summary.failed ? mli_nomem(r->err) : ML_OK;
}

static ml_status keep_writer(reader *r)
{
    r->model->writer = mli_strdup(r->ctx, writer_of(r));
    return r->model->writer ? ML_OK : mli_nomem(r->err);
}

static ml_status read_tensor(reader *r, const mli_st_tensor *t)
{
    mli_buffer *keep;
    const void *data;
    if (strncmp(t->name, MLI_RESERVED, strlen(MLI_RESERVED)) == 0)
        return mli_fail(r->err, ML_E_FORMAT, "no input needs the tensor \"%s\"", t->name);
    ml_status status = mli_st_hold(r->ctx, t, r->buffer, &keep, &data, r->err);
    if (status) return status;
    ml_tensor *tensor = NULL;
    status =
        mli_tensor_view(r->ctx, t->dtype, t->ndim, t->shape, keep, data, &tensor, r->err);
    mli_buffer_free(keep);
    if (!status) status = mli_model_add_tensor(r->model, t->name, tensor, r->err);
    ml_tensor_free(tensor);
    return status;
}

/* In the order of their names, in which a model has them. */
static ml_status read_tensors(reader *r)
{
    ml_status status = ML_OK;
    for (int64_t i = 0; !status && i < r->st.count; i++) {
        if (!r->st.sorted[i]->used) status = read_tensor(r, r->st.sorted[i]);
    }
    return status;
}

static ml_status verify_hash(reader *r)
{
    mli_sha256 h;
    unsigned char digest[32];
    char hex[65];
    const mli_st_pair *p;
    ml_status status = need(r, "libml.sha256", &p);
    if (status) return status;
    mli_sha256_init(&h);
    mli_sha256_add(&h, r->st.bytes, r->st.size);
    mli_sha256_end(&h, digest);
    mli_sha256_hex(digest, hex);
    if (strcmp(hex, p->value) == 0) return ML_OK;
    mli_fail(r->err, ML_E_FORMAT,
             "the tensor bytes do not have the SHA-256 of the header");
    return mli_error_hint(r->err, ML_E_FORMAT, "copy or download the file again");
}

/* mli_model_new copies the parameters that it is given: none, to save the time, and then
 * the model takes those that were read over. */
static ml_status start_model(reader *r)
{
    ml_params *none = NULL;
    ml_status status = ml_params_new(r->ctx, &none, r->err);
    if (status) return status;
    status = mli_model_new(r->ctx, r->algorithm, none, r->inputs, &r->model, r->err);
    ml_params_free(none);
    if (status) return status;
    ml_params_free(r->model->params);
    r->model->params = r->params;
    r->params = NULL;
    return ML_OK;
}

static ml_status build(reader *r)
{
    ml_status status = read_format(r);
    if (!status) status = read_algorithm(r);
    if (!status) status = read_inputs(r);
    if (!status) status = read_params(r);
    if (status) return status;
    status = start_model(r);
    if (!status) status = keep_writer(r);
    if (!status) status = read_summary(r);
    if (!status) status = read_tensors(r);
    if (!status) status = mli_model_seal(r->model, r->err);
    return status;
}

ml_status mli_modelfile_read(ml_context *ctx, mli_buffer *buffer, int verify,
                             ml_model **out, ml_error *err)
{
    reader r = {.ctx = ctx, .buffer = buffer, .err = err};
    ml_status status = mli_safetensors_read(ctx, buffer->data, buffer->size, &r.st, err);
    if (status) return status;
    if (verify) status = verify_hash(&r);
    if (!status) status = build(&r);
    if (!status) {
        atomic_store(&r.inputs->unchecked, 1);
        atomic_store(&r.model->unchecked, 1);
        if (verify || r.st.size <= CHECK_AT_ONCE) status = mli_model_check(r.model, err);
    }
    mli_safetensors_free(&r.st);
    mli_inputs_free(r.inputs);
    ml_params_free(r.params);
    if (status)
        ml_model_free(r.model);
    else
        *out = r.model;
    return status;
}

/* ---- loading ---- */

typedef struct load_options {
    int verify;
    char *target; /* NULL: the default */
} load_options;

static ml_status read_options(ml_context *ctx, const ml_params *options,
                              load_options *out, ml_error *err)
{
    ml_params *p = NULL;
    if (!options) return ML_OK; /* the defaults */
    ml_status status = mli_params_resolve(ctx, &mli_options_load, options, &p, err);
    if (status) return status;
    out->verify = mli_get_bool(p, "verify");
    out->target = mli_strdup(ctx, mli_get_str(p, "target"));
    ml_params_free(p);
    return out->target ? ML_OK : mli_nomem(err);
}

/* Our own file, whose tensors stay in the buffer, or one of another system. */
static ml_status load(ml_context *ctx, mli_buffer *buffer, const load_options *options,
                      ml_model **out, ml_error *err)
{
    int32_t format = mli_import_sniff(buffer->data, buffer->size);
    if (format == MLI_FOREIGN_NONE)
        return mli_modelfile_read(ctx, buffer, options->verify, out, err);
    return mli_import_read(ctx, buffer->data, buffer->size, format,
                           options->target ? options->target : "target", out, err);
}

/* A place inside the file stays in the message. */
static ml_status name_file(ml_status status, const char *path, ml_error *err)
{
    char inside[256];
    snprintf(inside, sizeof inside, "%s", err ? ml_error_location(err) : "");
    if (!inside[0]) return mli_error_at(err, status, "file \"%s\"", path);
    return mli_error_at(err, status, "file \"%s\", %s", path, inside);
}

ml_status ml_model_load_file(ml_context *context, const char *path,
                             const ml_params *options, ml_model **out, ml_error *error)
{
    load_options o = {0};
    mli_buffer *buffer = NULL;
    if (!context) return mli_null(error, "context");
    if (!path) return mli_null(error, "path");
    if (!out) return mli_null(error, "out");
    ml_status status = read_options(context, options, &o, error);
    if (status) return status;
    status = mli_map_file(context, path, &buffer, error);
    if (!status) {
        status = load(context, buffer, &o, out, error);
        mli_buffer_free(buffer);
        if (status) status = name_file(status, path, error);
    }
    mli_free(context, o.target);
    return status;
}

ml_status ml_model_load_memory(ml_context *context, const void *data, size_t size,
                               ml_release_fn release, void *user,
                               const ml_params *options, ml_model **out, ml_error *error)
{
    load_options o = {0};
    if (!context) return mli_null(error, "context");
    if (!data) return mli_null(error, "data");
    if (!out) return mli_null(error, "out");
    ml_status status = read_options(context, options, &o, error);
    if (status) return status;
    mli_buffer *buffer = mli_buffer_wrap(context, data, size, NULL, NULL);
    status = buffer ? load(context, buffer, &o, out, error) : mli_nomem(error);
    if (!status) { /* from now on the memory is ours to give back */
        buffer->release = release;
        buffer->user = user;
    }
    mli_buffer_free(buffer);
    mli_free(context, o.target);
    return status;
}
