/* SPDX-License-Identifier: MIT
 *
 * algorithms/model.c: the model as an object: building it, its tensors, and the calls
 * that read it.
 */
#include "algorithms/model.h"
#include "core/json.h"

#include <string.h>

/* ---- making one ---- */

/* The parameters that a model keeps: those with an effect on it. */
static ml_status kept_params(const mli_descriptor *d, const ml_params *params,
                             ml_params **out, ml_error *err)
{
    ml_status status = ml_params_clone(params, out, err);
    if (!status) mli_params_drop(*out, d, MLI_FLAG_NO_EFFECT);
    return status;
}

ml_status mli_model_new(ml_context *ctx, const mli_algorithm *algorithm,
                        const ml_params *params, mli_inputs *inputs, ml_model **out,
                        ml_error *err)
{
    ml_model *m = mli_calloc(ctx, 1, sizeof *m);
    if (!m) return mli_nomem(err);
    ml_status status = kept_params(&algorithm->head, params, &m->params, err);
    if (status) {
        mli_free(ctx, m);
        return status;
    }
    mli_ref_init(&m->ref);
    m->ctx = mli_context_ref(ctx);
    m->algorithm = algorithm;
    m->inputs = mli_inputs_ref(inputs);
    mli_str_init(&m->summary, ctx);
    *out = m;
    return ML_OK;
}

ml_model *ml_model_ref(ml_model *model)
{
    if (model) mli_ref_up(&model->ref);
    return model;
}

void ml_model_free(ml_model *model)
{
    if (!model || !mli_ref_down(&model->ref)) return;
    ml_context *ctx = model->ctx;
    for (int64_t i = 0; i < model->count; i++) {
        mli_free(ctx, model->tensors[i].name);
        ml_tensor_free(model->tensors[i].tensor);
    }
    mli_free(ctx, model->tensors);
    mli_free(ctx, model->labels);
    mli_free(ctx, model->writer);
    mli_free(ctx, atomic_load(&model->json));
    mli_str_free(&model->summary);
    ml_params_free(model->params);
    mli_inputs_free(model->inputs);
    mli_free(ctx, model);
    ml_context_free(ctx);
}

/* ---- tensors ---- */

static ml_status grow(ml_model *m, ml_error *err)
{
    if (m->count < m->capacity) return ML_OK;
    int64_t capacity = m->capacity ? m->capacity * 2 : 8;
    size_t size = (size_t)capacity * sizeof *m->tensors;
    mli_named *grown =
        m->tensors ? mli_realloc(m->ctx, m->tensors, size) : mli_alloc(m->ctx, size);
    if (!grown) return mli_nomem(err);
    m->tensors = grown;
    m->capacity = capacity;
    return ML_OK;
}

int64_t mli_model_place(const ml_model *m, const char *name)
{
    int64_t low = 0, high = m->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (strcmp(m->tensors[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ml_status mli_model_add_tensor(ml_model *m, const char *name, ml_tensor *tensor,
                               ml_error *err)
{
    if (m->sealed || mli_model_find(m, name)) {
        return mli_fail(err, ML_E_INTERNAL, "the tensor \"%s\" was added %s", name,
                        m->sealed ? "to a sealed model" : "twice");
    }
    ml_status status = grow(m, err);
    if (status) return status;
    char *copy = mli_strdup(m->ctx, name);
    if (!copy) return mli_nomem(err);
    mli_named *to = m->tensors + mli_model_place(m, name);
    memmove(to + 1, to, (size_t)(m->tensors + m->count++ - to) * sizeof *to);
    *to = (mli_named){copy, ml_tensor_ref(tensor)};
    return ML_OK;
}

ml_status mli_model_add(ml_model *m, const char *name, int32_t dtype, int32_t ndim,
                        const int64_t *shape, void *data, ml_error *err)
{
    ml_tensor *tensor = NULL;
    ml_status status = mli_tensor_make(m->ctx, dtype, ndim, shape, data, &tensor, err);
    if (!status) status = mli_model_add_tensor(m, name, tensor, err);
    ml_tensor_free(tensor);
    return status;
}

ml_status mli_model_add_f64s(ml_model *m, const char *name, const double *values,
                             int64_t n, ml_error *err)
{
    double *data = NULL;
    ml_status status = mli_model_add(m, name, ML_DTYPE_F64, 1, &n, &data, err);
    if (!status && n > 0) memcpy(data, values, (size_t)n * sizeof *data);
    return status;
}

const ml_tensor *mli_model_find(const ml_model *m, const char *name)
{
    int64_t i = mli_model_place(m, name);
    int found = i < m->count && strcmp(m->tensors[i].name, name) == 0;
    return found ? m->tensors[i].tensor : NULL;
}

static ml_status damaged(const char *name, const char *problem, ml_error *err)
{
    mli_fail(err, ML_E_FORMAT, "the model's tensor \"%s\" %s", name, problem);
    return mli_error_hint(err, ML_E_FORMAT,
                          "the model is damaged, or was not made by this algorithm");
}

ml_status mli_model_want(const ml_model *m, const char *name, int32_t dtype, int32_t ndim,
                         int64_t *shape, const void *data, ml_error *err)
{
    const ml_tensor *t = mli_model_find(m, name);
    if (!t) return damaged(name, "is not there", err);
    if (t->dtype != dtype) return damaged(name, "has another type than it should", err);
    if (t->ndim != ndim) {
        return damaged(name, "has another number of dimensions than it should", err);
    }
    for (int32_t i = 0; i < ndim; i++) {
        if (shape[i] >= 0 && shape[i] != t->shape[i]) {
            return damaged(name, "has another shape than it should", err);
        }
    }
    if (!mli_tensor_contiguous(t)) return damaged(name, "is not contiguous", err);
    for (int32_t i = 0; i < ndim; i++) shape[i] = t->shape[i];
    memcpy((void *)data, &t->data, sizeof t->data);
    return ML_OK;
}

/* ---- summary ---- */

static void note(ml_model *m, const char *key)
{
    int first = m->summary.size == 0;
    if (first) mli_str_char(&m->summary, '{');
    mli_json_key(&m->summary, key, first);
}

void mli_model_note_f64(ml_model *m, const char *key, double value)
{
    note(m, key);
    mli_json_num(&m->summary, value);
}

void mli_model_note_i64(ml_model *m, const char *key, int64_t value)
{
    note(m, key);
    mli_str_i64(&m->summary, value);
}

void mli_model_note_str(ml_model *m, const char *key, const char *value)
{
    note(m, key);
    mli_json_str(&m->summary, value);
}

/* ---- sealing ---- */

/* Labels as NUL-terminated text: pointers and texts in one block. */
static ml_status make_labels(ml_model *m, ml_error *err)
{
    const mli_dictionary *d = &m->inputs->classes;
    if (d->n == 0) return ML_OK;
    size_t pointers = (size_t)d->n * sizeof *m->labels;
    m->labels = mli_alloc(m->ctx, pointers + (size_t)(d->offsets[d->n] + d->n));
    if (!m->labels) return mli_nomem(err);
    char *at = (char *)m->labels + pointers;
    for (int64_t k = 0; k < d->n; k++) {
        size_t size = (size_t)(d->offsets[k + 1] - d->offsets[k]);
        m->labels[k] = at;
        if (size) memcpy(at, d->bytes + d->offsets[k], size);
        at[size] = 0;
        at += size + 1;
    }
    return ML_OK;
}

/* A summary from a file is complete already; one that is being built lacks its end. */
static void complete_summary(mli_str *s)
{
    if (s->size == 0) mli_str_char(s, '{');
    if (s->size == 0) return; /* out of memory: the text says so */
    if (s->size == 1 || s->data[s->size - 1] != '}') mli_str_char(s, '}');
}

ml_status mli_model_seal(ml_model *m, ml_error *err)
{
    complete_summary(&m->summary);
    if (m->summary.failed) return mli_nomem(err);
    ml_status status = make_labels(m, err);
    if (status) return status;
    m->sealed = 1;
    return ML_OK;
}

/* ---- the calls that read it ---- */

const char *ml_model_algorithm(const ml_model *model)
{
    return model->algorithm->head.name;
}

/* Made at the first call and published once: of two threads that make it at the same
 * time, one keeps its text. */
const char *ml_model_json(const ml_model *model)
{
    _Atomic(char *) *slot = (_Atomic(char *) *)&model->json;
    char *text = atomic_load(slot), *seen = NULL;
    if (text) return text;
    mli_str s;
    mli_str_init(&s, model->ctx);
    mli_model_write_json(&s, model);
    text = mli_str_take(&s);
    mli_str_free(&s);
    if (!text) return "{}";
    if (atomic_compare_exchange_strong(slot, &seen, text)) return text;
    mli_free(model->ctx, text);
    return seen;
}

const ml_params *ml_model_params(const ml_model *model)
{
    return model->params;
}

int64_t ml_model_inputs(const ml_model *model)
{
    return model->inputs->n_features;
}

const char *ml_model_input_name(const ml_model *model, int64_t index)
{
    const mli_inputs *in = model->inputs;
    return index >= 0 && index < in->n_features ? in->features[index].name : NULL;
}

int64_t ml_model_classes(const ml_model *model)
{
    return model->inputs->classes.n;
}

const char *ml_model_class_label(const ml_model *model, int64_t index)
{
    int known = index >= 0 && index < model->inputs->classes.n;
    return known ? model->labels[index] : NULL;
}

/* ---- attributes ---- */

/* Attributes of the descriptor that are not stored, one after another: the next at or
 * after `a`, or NULL. */
static const mli_attribute *computed(const ml_model *m, const mli_attribute *a)
{
    if (!m->algorithm->attribute || !a) return NULL;
    while (a->name && mli_model_find(m, a->name)) a++;
    return a->name ? a : NULL;
}

int64_t ml_model_attributes(const ml_model *model)
{
    int64_t n = model->count;
    const mli_attribute *a = computed(model, model->algorithm->head.attributes);
    for (; a; a = computed(model, a + 1)) n++;
    return n;
}

const char *ml_model_attribute_name(const ml_model *model, int64_t index)
{
    if (index < 0) return NULL;
    if (index < model->count) return model->tensors[index].name;
    const mli_attribute *a = computed(model, model->algorithm->head.attributes);
    for (int64_t i = model->count; a && i < index; i++) a = computed(model, a + 1);
    return a ? a->name : NULL;
}

static ml_status unknown_attribute(const ml_model *m, const char *name, ml_error *err)
{
    int64_t n = ml_model_attributes(m);
    const char *near = NULL;
    const char **names = mli_alloc(m->ctx, (size_t)n * sizeof *names);
    for (int64_t i = 0; names && i < n; i++) names[i] = ml_model_attribute_name(m, i);
    if (names) near = mli_nearest(name, names, n);
    mli_free(m->ctx, names);
    mli_fail(err, ML_E_NAME, "the model of %s has no attribute \"%s\"",
             m->algorithm->head.name, name);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    return mli_error_hint(err, ML_E_NAME,
                          "ml_model_attribute_name lists those there are");
}

/* "step.attribute" of a model with parts. */
static ml_status attribute_of_part(const ml_model *model, const char *name,
                                   ml_tensor **out, ml_error *err)
{
    char part[MLI_PART_NAME];
    ml_model *inner = NULL;
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : 0;
    if (!model->algorithm->part || n == 0 || n >= sizeof part)
        return unknown_attribute(model, name, err);
    memcpy(part, name, n);
    part[n] = 0;
    ml_status status = model->algorithm->part(model, part, &inner, err);
    if (status == ML_E_NAME) return unknown_attribute(model, name, err);
    if (!status) status = ml_model_get_tensor(inner, dot + 1, out, err);
    ml_model_free(inner);
    return status;
}

ml_status ml_model_get_tensor(const ml_model *model, const char *name, ml_tensor **out,
                              ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!name) return mli_null(error, "name");
    if (!out) return mli_null(error, "out");
    const ml_tensor *stored = mli_model_find(model, name);
    if (stored) {
        *out = ml_tensor_ref((ml_tensor *)stored);
        return ML_OK;
    }
    const mli_attribute *a = computed(model, model->algorithm->head.attributes);
    while (a && strcmp(a->name, name) != 0) a = computed(model, a + 1);
    ml_status status = mli_model_check(model, error);
    if (!a && !status) return attribute_of_part(model, name, out, error);
    return status ? status : model->algorithm->attribute(model, a->name, out, error);
}
