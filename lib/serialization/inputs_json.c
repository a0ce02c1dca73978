/* SPDX-License-Identifier: MIT
 *
 * inputs_json.c: the inputs of a model to JSON and back (see docs/model-file.md).
 */
#include "serialization/inputs_json.h"
#include "core/json.h"

#include <string.h>

static const struct {
    const char *name;
    int32_t task;
} tasks[] = {
    {"regression", MLI_TASK_REGRESSION}, {"classification", MLI_TASK_CLASSIFICATION},
    {"ranking", MLI_TASK_RANKING},       {"survival", MLI_TASK_SURVIVAL},
    {"transform", MLI_TASK_TRANSFORM},   {"clustering", MLI_TASK_CLUSTERING},
    {"anomaly", MLI_TASK_ANOMALY},       {"forecast", MLI_TASK_FORECAST},
};
#define N_TASKS ((int)(sizeof tasks / sizeof tasks[0]))

static const char *const kinds[] = {NULL, "numeric", "categorical", "text"};
static const char *const orders[] = {NULL, "month_first", "day_first"};

static const int32_t types[] = {
    ML_DTYPE_BOOL, ML_DTYPE_I8,  ML_DTYPE_I16,     ML_DTYPE_I32, ML_DTYPE_I64,
    ML_DTYPE_U8,   ML_DTYPE_U16, ML_DTYPE_U32,     ML_DTYPE_U64, ML_DTYPE_F32,
    ML_DTYPE_F64,  ML_TYPE_TEXT, ML_TYPE_CATEGORY, ML_TYPE_DATE, ML_TYPE_TIMESTAMP};
#define N_TYPES ((int)(sizeof types / sizeof types[0]))

/* ---- writing ---- */

static void write_text(mli_str *s, const char *key, const char *text)
{
    if (!text) return;
    mli_json_key(s, key, 0);
    mli_json_str(s, text);
}

static void write_count(mli_str *s, const char *key, int64_t count)
{
    mli_json_key(s, key, 0);
    mli_str_i64(s, count);
}

static void write_feature(mli_str *s, const mli_feature *f)
{
    mli_str_char(s, '{');
    mli_json_key(s, "name", 1);
    mli_json_str(s, f->name);
    write_text(s, "kind", f->hashed ? "hashed" : kinds[f->kind]);
    write_text(s, "type", mli_type_name(f->type));
    write_text(s, "date_order", orders[f->order]);
    if (f->kind == MLI_CATEGORICAL) write_count(s, "levels", f->levels.n);
    mli_str_char(s, '}');
}

void mli_inputs_json(mli_str *s, const mli_inputs *in)
{
    const char *task = "";
    for (int i = 0; i < N_TASKS; i++) {
        if (tasks[i].task == in->task) task = tasks[i].name;
    }
    mli_str_char(s, '{');
    mli_json_key(s, "task", 1);
    mli_json_str(s, task);
    write_text(s, "unseen", in->unseen_error ? "error" : "missing");
    write_text(s, "target", in->target);
    if (in->target) write_text(s, "target_type", mli_type_name(in->target_type));
    for (int64_t k = 0; k < in->n_targets; k++) {
        if (k == 0) mli_json_key(s, "targets", 0);
        mli_str_char(s, k ? ',' : '[');
        mli_json_str(s, in->targets[k]);
        if (k + 1 == in->n_targets) mli_str_char(s, ']');
    }
    if (in->classes.n) write_count(s, "classes", in->classes.n);
    write_text(s, "weight", in->weight);
    write_text(s, "group", in->group);
    write_text(s, "time", in->time);
    write_text(s, "offset", in->offset);
    write_text(s, "event", in->event);
    write_text(s, "upper", in->upper);
    mli_json_key(s, "features", 0);
    mli_str_char(s, '[');
    for (int64_t i = 0; i < in->n_features; i++) {
        if (i) mli_str_add(s, ", ");
        write_feature(s, &in->features[i]);
    }
    mli_str_add(s, "]}");
}

/* ---- reading ---- */

typedef struct reader {
    ml_context *ctx;
    mli_json j;
    mli_inputs *in;
    int64_t capacity; /* of in->features */
    int has_features;
    int32_t type; /* the last column type: most columns have the same */
    mli_str scratch;
    ml_error *err;
} reader;

#define DAMAGED(...) mli_fail(r->err, ML_E_FORMAT, __VA_ARGS__)

static ml_status bad_json(reader *r)
{
    return DAMAGED("the model's inputs are malformed: %s",
                   r->j.problem ? r->j.problem : "a value of the wrong kind");
}

/* A text that is set once. */
static ml_status read_text(reader *r, char **out)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    if (*out) return DAMAGED("the model's inputs have the text \"%s\" twice", *out);
    char *text = mli_alloc(r->ctx, r->j.size + 1);
    if (!text) return mli_nomem(r->err);
    size_t size = mli_json_unescape_to(&r->j, text);
    text[size] = 0;
    *out = text;
    return r->j.escaped && memchr(text, 0, size) ? bad_json(r) : ML_OK;
}

static ml_status read_count(reader *r, int64_t *out)
{
    if (mli_json_next(&r->j) != MLI_JSON_NUMBER || !mli_json_i64(&r->j, out) || *out < 0)
        return bad_json(r);
    return ML_OK;
}

static ml_status read_type(reader *r, int32_t *out)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    int known = r->type && mli_json_is(&r->j, mli_type_name(r->type));
    for (int i = 0; i < N_TYPES && !known; i++) {
        known = mli_json_is(&r->j, mli_type_name(types[i]));
        if (known) r->type = types[i];
    }
    *out = r->type;
    if (known) return ML_OK;
    return DAMAGED("the model's inputs have an unknown column type");
}

static ml_status read_task(reader *r)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    for (int i = 0; i < N_TASKS; i++) {
        if (!mli_json_is(&r->j, tasks[i].name)) continue;
        r->in->task = tasks[i].task;
        return ML_OK;
    }
    return DAMAGED("the model has an unknown task");
}

static ml_status read_kind(reader *r, mli_feature *f)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    for (int32_t i = MLI_NUMERIC; i <= MLI_TEXT; i++) {
        if (mli_json_is(&r->j, kinds[i])) f->kind = i;
    }
    f->hashed = mli_json_is(&r->j, "hashed");
    if (f->hashed) f->kind = MLI_NUMERIC;
    return f->kind ? ML_OK
                   : DAMAGED("the model's inputs have an unknown kind of feature");
}

static ml_status read_order(reader *r, mli_feature *f)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    for (int32_t i = 1; i <= 2; i++)
        if (mli_json_is(&r->j, orders[i])) f->order = i;
    return f->order ? ML_OK : bad_json(r);
}

static ml_status read_unseen(reader *r)
{
    if (mli_json_next(&r->j) != MLI_JSON_STRING) return bad_json(r);
    r->in->unseen_error = mli_json_is(&r->j, "error");
    if (r->in->unseen_error || mli_json_is(&r->j, "missing")) return ML_OK;
    return DAMAGED("the model has an unknown policy for unseen categories");
}

static ml_status read_feature_field(reader *r, mli_feature *f)
{
    if (mli_json_is(&r->j, "name")) return read_text(r, &f->name);
    if (mli_json_is(&r->j, "kind")) return read_kind(r, f);
    if (mli_json_is(&r->j, "type")) return read_type(r, &f->type);
    if (mli_json_is(&r->j, "date_order")) return read_order(r, f);
    if (mli_json_is(&r->j, "levels")) return read_count(r, &f->levels.n);
    return mli_json_skip(&r->j, MLI_JSON_KEY) ? ML_OK : bad_json(r);
}

static ml_status read_feature(reader *r, mli_feature *f)
{
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_OBJECT_END) break;
        if (token != MLI_JSON_KEY) return bad_json(r);
        ml_status status = read_feature_field(r, f);
        if (status) return status;
    }
    if (!f->name || !f->kind || !f->type) {
        return DAMAGED("feature %lld of the model lacks a name, a kind or a type",
                       (long long)(f - r->in->features));
    }
    if (f->levels.n && f->kind != MLI_CATEGORICAL) {
        return DAMAGED("the feature \"%s\" has levels and is not categorical", f->name);
    }
    return ML_OK;
}

static ml_status add_feature(reader *r)
{
    mli_inputs *in = r->in;
    if (in->n_features == r->capacity) {
        int64_t more = r->capacity ? 2 * r->capacity : 16;
        void *larger =
            mli_realloc(r->ctx, in->features, (size_t)more * sizeof *in->features);
        if (!larger) return mli_nomem(r->err);
        in->features = larger;
        r->capacity = more;
    }
    mli_feature *f = &in->features[in->n_features++];
    memset(f, 0, sizeof *f);
    return read_feature(r, f);
}

static ml_status read_features(reader *r)
{
    if (r->has_features++) return DAMAGED("the model has two lists of features");
    if (mli_json_next(&r->j) != MLI_JSON_ARRAY) return bad_json(r);
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_ARRAY_END) return ML_OK;
        if (token != MLI_JSON_OBJECT) return bad_json(r);
        ml_status status = add_feature(r);
        if (status) return status;
    }
}

/* The names of several targets: a list that is set once. */
static ml_status read_targets(reader *r)
{
    mli_inputs *in = r->in;
    int64_t capacity = 0;
    if (in->n_targets) return DAMAGED("the model has two lists of targets");
    if (mli_json_next(&r->j) != MLI_JSON_ARRAY) return bad_json(r);
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_ARRAY_END) return ML_OK;
        if (token != MLI_JSON_STRING) return bad_json(r);
        mli_str_clear(&r->scratch);
        if (!mli_json_unescape(&r->j, &r->scratch)) return mli_nomem(r->err);
        if (memchr(r->scratch.data, 0, r->scratch.size)) return bad_json(r);
        if (!mli_reserve(r->ctx, &in->targets, &capacity, in->n_targets + 1,
                         sizeof *in->targets))
            return mli_nomem(r->err);
        char *name = mli_strdup(r->ctx, r->scratch.data);
        if (!name) return mli_nomem(r->err);
        in->targets[in->n_targets++] = name;
    }
}

static ml_status read_field(reader *r)
{
    mli_inputs *in = r->in;
    mli_json *j = &r->j;
    if (mli_json_is(j, "task")) return read_task(r);
    if (mli_json_is(j, "unseen")) return read_unseen(r);
    if (mli_json_is(j, "target")) return read_text(r, &in->target);
    if (mli_json_is(j, "targets")) return read_targets(r);
    if (mli_json_is(j, "target_type")) return read_type(r, &in->target_type);
    if (mli_json_is(j, "classes")) return read_count(r, &in->classes.n);
    if (mli_json_is(j, "weight")) return read_text(r, &in->weight);
    if (mli_json_is(j, "group")) return read_text(r, &in->group);
    if (mli_json_is(j, "time")) return read_text(r, &in->time);
    if (mli_json_is(j, "offset")) return read_text(r, &in->offset);
    if (mli_json_is(j, "event")) return read_text(r, &in->event);
    if (mli_json_is(j, "upper")) return read_text(r, &in->upper);
    if (mli_json_is(j, "features")) return read_features(r);
    return mli_json_skip(j, MLI_JSON_KEY) ? ML_OK : bad_json(r);
}

static ml_status read_object(reader *r)
{
    if (mli_json_next(&r->j) != MLI_JSON_OBJECT) return bad_json(r);
    for (;;) {
        mli_json_token token = mli_json_next(&r->j);
        if (token == MLI_JSON_OBJECT_END) break;
        if (token != MLI_JSON_KEY) return bad_json(r);
        ml_status status = read_field(r);
        if (status) return status;
    }
    if (mli_json_next(&r->j) != MLI_JSON_END) return bad_json(r);
    if (!r->in->task) return DAMAGED("the model's inputs name no task");
    if (!r->in->target != !r->in->target_type)
        return DAMAGED("the model has a target without a type or a type without target");
    if (r->in->n_targets == 1 ||
        (r->in->n_targets && (!r->in->target || r->in->classes.n ||
                              strcmp(r->in->target, r->in->targets[0]) != 0)))
        return DAMAGED("the model's targets do not fit its target");
    return ML_OK;
}

/* ---- dictionaries ---- */

ml_status mli_st_hold(ml_context *ctx, const mli_st_tensor *t, mli_buffer *buffer,
                      mli_buffer **keep, const void **data, ml_error *err)
{
    if ((uintptr_t)t->data % mli_dtype_size(t->dtype) == 0) {
        *keep = mli_buffer_ref(buffer);
        *data = t->data;
        return ML_OK;
    }
    void *copy;
    *keep = mli_buffer_new(ctx, t->end - t->begin, &copy);
    if (!*keep) return mli_nomem(err);
    memcpy(copy, t->data, t->end - t->begin);
    *data = copy;
    return ML_OK;
}

/* The texts of dictionaries that stand one behind the other, and what is left of them. */
typedef struct texts {
    mli_buffer *keep[2]; /* of bytes and offsets */
    const char *bytes;
    const int64_t *offsets;
    int64_t n_bytes, n_offsets;
} texts;

/* One of the two tensors, when it is there. */
static ml_status take(reader *r, const mli_safetensors *st, mli_buffer *buffer,
                      const char *name, int32_t dtype, int64_t *size, mli_buffer **keep,
                      const void **data)
{
    mli_st_tensor *t = mli_safetensors_find(st, name);
    if (!t) return ML_OK;
    if (t->dtype != dtype || t->ndim != 1)
        return DAMAGED("the tensor \"%s\" has the wrong type or shape", name);
    t->used = 1;
    *size = t->shape[0];
    return mli_st_hold(r->ctx, t, buffer, keep, data, r->err);
}

static ml_status take_texts(reader *r, const mli_safetensors *st, mli_buffer *buffer,
                            const char *levels, const char *offsets, texts *out)
{
    const void *data = "";
    memset(out, 0, sizeof *out);
    ml_status status =
        take(r, st, buffer, levels, ML_DTYPE_U8, &out->n_bytes, &out->keep[0], &data);
    out->bytes = data;
    data = NULL;
    if (!status)
        status = take(r, st, buffer, offsets, ML_DTYPE_I64, &out->n_offsets,
                      &out->keep[1], &data);
    out->offsets = data;
    return status;
}

/* The next dictionary, of d->n texts. The offsets inside are checked later. */
static ml_status attach(reader *r, texts *t, mli_dictionary *d)
{
    static const int64_t none[1];
    int64_t n = d->n;
    d->n = 0;
    d->bytes = "";
    d->offsets = none;
    if (n == 0) return ML_OK;
    if (n >= t->n_offsets)
        return DAMAGED("the dictionaries have fewer texts than the model's inputs say");
    int64_t size = t->offsets[n];
    if (t->offsets[0] != 0 || size < 0 || size > t->n_bytes)
        return DAMAGED("a dictionary of the model's inputs has wrong offsets");
    *d = (mli_dictionary){n, t->bytes, t->offsets, {t->keep[0], t->keep[1]}};
    mli_buffer_ref(d->keep[0]);
    mli_buffer_ref(d->keep[1]);
    t->bytes += size;
    t->n_bytes -= size;
    t->offsets += n + 1;
    t->n_offsets -= n + 1;
    return ML_OK;
}

/* Nothing may be left over. */
static ml_status finish(reader *r, texts *t, ml_status status)
{
    mli_buffer_free(t->keep[0]);
    mli_buffer_free(t->keep[1]);
    if (status || (t->n_bytes == 0 && t->n_offsets == 0)) return status;
    return DAMAGED("the dictionaries have more texts than the model's inputs say");
}

static ml_status attach_all(reader *r, const mli_safetensors *st, mli_buffer *buffer)
{
    mli_inputs *in = r->in;
    texts t;
    ml_status status = take_texts(r, st, buffer, MLI_LABELS, MLI_LABELS_OFFSETS, &t);
    if (!status) status = attach(r, &t, &in->classes);
    status = finish(r, &t, status);
    if (status) return status;
    status = take_texts(r, st, buffer, MLI_LEVELS, MLI_OFFSETS, &t);
    for (int64_t i = 0; !status && i < in->n_features; i++) {
        if (in->features[i].kind == MLI_CATEGORICAL)
            status = attach(r, &t, &in->features[i].levels);
    }
    return finish(r, &t, status);
}

ml_status mli_inputs_from_json(ml_context *ctx, const char *text, size_t size,
                               const mli_safetensors *st, mli_buffer *buffer,
                               mli_inputs **out, ml_error *err)
{
    mli_inputs *in = NULL;
    ml_status status = mli_inputs_new(ctx, 0, &in, err);
    if (status) return status;
    reader r = {.ctx = ctx, .in = in, .err = err};
    mli_str_init(&r.scratch, ctx);
    mli_json_open(&r.j, text, size);
    status = read_object(&r);
    if (!status) status = attach_all(&r, st, buffer);
    mli_str_free(&r.scratch);
    if (status)
        mli_inputs_free(in);
    else
        *out = in;
    return status;
}
