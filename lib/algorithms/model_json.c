/* SPDX-License-Identifier: MIT
 *
 * algorithms/model_json.c: a model described as JSON, for people and for programs that
 * show models. The model file has a form of its own.
 */
#include "algorithms/model.h"
#include "core/json.h"

#define LEVELS_SHOWN 20

static const char *task_name(int32_t task)
{
    static const char *const names[] = {"regression", "classification", "ranking",
                                        "survival",   "transform",      "clustering",
                                        "anomaly",    "forecast"};
    for (int i = 0; i < 8; i++) {
        if (task == 1 << i) return names[i];
    }
    return "unknown";
}

static const char *kind_name(int32_t kind)
{
    if (kind == MLI_CATEGORICAL) return "categorical";
    return kind == MLI_TEXT ? "text" : "numeric";
}

/* A text of a dictionary. Those of a file may not have been checked yet. */
static void write_text(mli_str *s, const mli_dictionary *d, int64_t k)
{
    int64_t begin = d->offsets[k], end = d->offsets[k + 1];
    if (begin < 0 || end < begin || end > d->offsets[d->n]) {
        mli_str_add(s, "null");
        return;
    }
    mli_json_str_n(s, d->bytes + begin,
                   mli_utf8_valid(d->bytes + begin, (size_t)(end - begin)));
}

static void write_levels(mli_str *s, const mli_dictionary *d)
{
    mli_json_key(s, "levels", 0);
    mli_str_i64(s, d->n);
    mli_json_key(s, "first_levels", 0);
    mli_str_char(s, '[');
    for (int64_t k = 0; k < d->n && k < LEVELS_SHOWN; k++) {
        if (k) mli_str_add(s, ", ");
        write_text(s, d, k);
    }
    mli_str_char(s, ']');
}

static void write_string(mli_str *s, const char *key, const char *value, int first)
{
    mli_json_key(s, key, first);
    if (value) {
        mli_json_str(s, value);
    } else {
        mli_str_add(s, "null");
    }
}

static void write_inputs(mli_str *s, const mli_inputs *in)
{
    mli_json_key(s, "inputs", 0);
    mli_str_char(s, '[');
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        mli_str_add(s, j ? ", {" : "{");
        write_string(s, "name", f->name, 1);
        write_string(s, "kind", f->hashed ? "hashed" : kind_name(f->kind), 0);
        write_string(s, "type", mli_type_name(f->type), 0);
        if (f->kind == MLI_CATEGORICAL) write_levels(s, &f->levels);
        mli_str_char(s, '}');
    }
    mli_str_char(s, ']');
}

static void write_roles(mli_str *s, const mli_inputs *in)
{
    write_string(s, "target", in->target, 0);
    if (in->target) write_string(s, "target_type", mli_type_name(in->target_type), 0);
    for (int64_t k = 0; k < in->n_targets; k++) {
        if (k == 0) mli_json_key(s, "targets", 0);
        mli_str_add(s, k ? ", " : "[");
        mli_json_str(s, in->targets[k]);
        if (k + 1 == in->n_targets) mli_str_char(s, ']');
    }
    if (in->weight) write_string(s, "weight", in->weight, 0);
    if (in->group) write_string(s, "group", in->group, 0);
    if (in->time) write_string(s, "time", in->time, 0);
    if (in->offset) write_string(s, "offset", in->offset, 0);
    if (in->event) write_string(s, "event", in->event, 0);
    if (in->upper) write_string(s, "upper", in->upper, 0);
    write_string(s, "unseen", in->unseen_error ? "error" : "missing", 0);
}

static void write_classes(mli_str *s, const mli_inputs *in)
{
    mli_json_key(s, "classes", 0);
    mli_str_char(s, '[');
    for (int64_t k = 0; k < in->classes.n; k++) {
        if (k) mli_str_add(s, ", ");
        write_text(s, &in->classes, k);
    }
    mli_str_char(s, ']');
}

static void write_tensors(mli_str *s, const ml_model *m)
{
    mli_json_key(s, "tensors", 0);
    mli_str_char(s, '[');
    for (int64_t i = 0; i < m->count; i++) {
        const ml_tensor *t = m->tensors[i].tensor;
        mli_str_add(s, i ? ", {" : "{");
        write_string(s, "name", m->tensors[i].name, 1);
        write_string(s, "dtype", mli_dtype_name(t->dtype), 0);
        mli_json_key(s, "shape", 0);
        mli_str_char(s, '[');
        for (int32_t k = 0; k < t->ndim; k++) {
            if (k) mli_str_add(s, ", ");
            mli_str_i64(s, t->shape[k]);
        }
        mli_str_add(s, "]}");
    }
    mli_str_char(s, ']');
}

void mli_model_write_json(mli_str *s, const ml_model *m)
{
    const mli_inputs *in = m->inputs;
    mli_str_char(s, '{');
    write_string(s, "algorithm", m->algorithm->head.name, 1);
    write_string(s, "task", task_name(in->task), 0);
    write_roles(s, in);
    mli_json_key(s, "params", 0);
    mli_params_json(s, m->params);
    write_inputs(s, in);
    write_classes(s, in);
    mli_json_key(s, "kinds", 0);
    mli_kinds_json(s, m);
    write_tensors(s, m);
    mli_json_key(s, "summary", 0);
    mli_str_add_n(s, m->summary.data, m->summary.size);
    write_string(s, "writer", m->writer ? m->writer : ml_version(), 0);
    mli_str_char(s, '}');
}
