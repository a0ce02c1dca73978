/* SPDX-License-Identifier: MIT
 *
 * import_onnx_graph.c: an ONNX file (a protocol-buffer message ModelProto) into lists of
 * nodes, attributes and inputs. The numbers of the fields are those of onnx.proto.
 */
#include "serialization/import_onnx.h"
#include "serialization/import_protobuf.h"

#include <string.h>

static ml_status damaged(const mli_onnx *g, const char *what)
{
    return mli_fail(g->err, ML_E_FORMAT, "not a valid ONNX file: %s is damaged", what);
}

static ml_status text_of(mli_onnx *g, const mli_pb *p, mli_onnx_text *out)
{
    const char *bytes = (const char *)p->bytes;
    if (p->wire != MLI_PB_BYTES) return damaged(g, "a text");
    if (memchr(bytes, 0, p->size)) return damaged(g, "a text");
    out->at = mli_doc_text(&g->arena, bytes, p->size);
    out->size = p->size;
    return out->at ? ML_OK : mli_nomem(g->err);
}

/* How often a field occurs; -1 when the message is damaged. */
static int64_t count_field(const void *data, size_t size, int32_t field)
{
    mli_pb p;
    int64_t n = 0;
    int more;
    mli_pb_open(&p, data, size);
    while ((more = mli_pb_next(&p)) > 0) n += p.field == field;
    return more < 0 ? -1 : n;
}

static ml_status list_of(mli_onnx *g, const void *data, size_t size, int32_t field,
                         size_t each, const char *what, int64_t *n, void *out)
{
    *n = count_field(data, size, field);
    if (*n < 0) return damaged(g, what);
    /* One more, which is empty: then there is a first one to look at. */
    void *list = mli_doc_alloc(&g->arena, (size_t)(*n + 1) * each);
    if (!list) return mli_nomem(g->err);
    memset(list, 0, (size_t)(*n + 1) * each);
    memcpy(out, &list, sizeof list);
    return ML_OK;
}

#define MAX_VALUE (1 << 26) /* bytes of initialisers that are read */

/* ---- numbers ---- */

/* 'f' floats, 'd' doubles, 'i' integers, as varints or (raw) bytes of a width. */
static ml_status add_numbers(mli_onnx *g, const mli_pb *p, char type, double *to,
                             int64_t *n, int64_t room)
{
    mli_pb list;
    uint64_t v;
    if (p->wire != MLI_PB_BYTES) {
        if (*n >= room) return damaged(g, "a list");
        to[(*n)++] = type == 'f'   ? (double)mli_pb_f32((uint32_t)p->number)
                     : type == 'd' ? mli_pb_f64(p->number)
                                   : (double)(int64_t)p->number;
        return ML_OK;
    }
    if (type == 'i') {
        mli_pb_open(&list, p->bytes, p->size);
        while (list.at < list.end && *n < room) {
            if (!mli_pb_varint(&list, &v)) return damaged(g, "a list");
            to[(*n)++] = (double)(int64_t)v;
        }
        return ML_OK;
    }
    size_t width = type == 'f' ? 4 : 8;
    for (size_t i = 0; i + width <= p->size && *n < room; i += width)
        to[(*n)++] = type == 'f' ? (double)mli_pb_f32(mli_pb_u32(p->bytes + i))
                                 : mli_pb_f64(mli_pb_u64(p->bytes + i));
    return p->size % width ? damaged(g, "a list") : ML_OK;
}

static ml_status number_field(mli_onnx *g, const void *data, size_t size, int32_t field,
                              char type, double **out, int64_t *n)
{
    mli_pb p;
    int64_t room = 0;
    mli_pb_open(&p, data, size);
    while (mli_pb_next(&p) > 0)
        if (p.field == field)
            room += p.wire != MLI_PB_BYTES ? 1
                    : type == 'i'          ? (int64_t)p.size
                                           : (int64_t)p.size / 4 + 1;
    *out = mli_doc_alloc(&g->arena, (size_t)room * sizeof **out);
    if (!*out) return mli_nomem(g->err);
    *n = 0;
    ml_status s = ML_OK;
    mli_pb_open(&p, data, size);
    while (!s && mli_pb_next(&p) > 0)
        if (p.field == field) s = add_numbers(g, &p, type, *out, n, room);
    return s;
}

/* A tensor's raw bytes: little-endian numbers of its type. */
static ml_status raw_numbers(mli_onnx *g, const mli_pb *raw, int64_t type, double **out,
                             int64_t *n)
{
    int64_t width = type == 1 || type == 6 ? 4 : type == 7 || type == 11 ? 8 : 1;
    if (type != 1 && type != 6 && type != 7 && type != 11 && type != 2 && type != 9)
        return mli_fail(g->err, ML_E_UNSUPPORTED, "a tensor of ONNX type %d", (int)type);
    *n = (int64_t)raw->size / width;
    *out = mli_doc_alloc(&g->arena, (size_t)*n * sizeof **out);
    if (!*out) return mli_nomem(g->err);
    for (int64_t i = 0; i < *n; i++) {
        const unsigned char *p = raw->bytes + i * width;
        (*out)[i] = type == 1    ? (double)mli_pb_f32(mli_pb_u32(p))
                    : type == 11 ? mli_pb_f64(mli_pb_u64(p))
                    : type == 6  ? (double)(int32_t)mli_pb_u32(p)
                    : type == 7  ? (double)(int64_t)mli_pb_u64(p)
                                 : (double)*p;
    }
    return ML_OK;
}

/* One dimension, or a packed list of them. */
static void add_dims(const mli_pb *p, mli_onnx_attribute *out)
{
    mli_pb list;
    uint64_t v = p->number;
    int32_t *n = &out->n_dims;
    if (p->wire != MLI_PB_BYTES) {
        if (*n < MLI_ONNX_RANK) out->dims[(*n)++] = (int64_t)v;
        return;
    }
    mli_pb_open(&list, p->bytes, p->size);
    while (*n < MLI_ONNX_RANK && mli_pb_varint(&list, &v)) out->dims[(*n)++] = (int64_t)v;
}

static ml_status read_tensor(mli_onnx *g, const void *data, size_t size,
                             mli_onnx_attribute *out)
{
    mli_pb p, raw = {0};
    int64_t type = 0;
    int more;
    mli_pb_open(&p, data, size);
    while ((more = mli_pb_next(&p)) > 0) {
        if (p.field == 1) add_dims(&p, out);
        if (p.field == 2 && p.wire == MLI_PB_VARINT) type = (int64_t)p.number;
        if (p.field == 9 && p.wire == MLI_PB_BYTES) raw = p;
        if (p.field == 14 && p.wire == MLI_PB_VARINT && p.number != 0)
            return mli_fail(g->err, ML_E_UNSUPPORTED,
                            "a tensor whose numbers are in another file");
    }
    if (more < 0) return damaged(g, "a tensor");
    out->is_double = type == 11;
    out->type = (int32_t)type;
    if (raw.bytes) return raw_numbers(g, &raw, type, &out->numbers, &out->n_numbers);
    int32_t field = type == 1 ? 4 : type == 11 ? 10 : type == 7 ? 7 : 5;
    return number_field(g, data, size, field,
                        type == 1    ? 'f'
                        : type == 11 ? 'd'
                                     : 'i',
                        &out->numbers, &out->n_numbers);
}

/* ---- attributes, nodes ---- */

/* The message in a field of a message; 0: not there. */
static int inner(const mli_pb *of, int32_t field, mli_pb *out)
{
    mli_pb p;
    mli_pb_open(&p, of->bytes, of->size);
    while (mli_pb_next(&p) > 0) {
        if (p.field != field || p.wire != MLI_PB_BYTES) continue;
        *out = p;
        return 1;
    }
    return 0;
}

/* Of a graph within a node: its operators as texts, and its first initialiser. */
static ml_status read_body(mli_onnx *g, const mli_pb *from, mli_onnx_attribute *out)
{
    mli_pb p, part;
    int64_t at = 0;
    if (from->wire != MLI_PB_BYTES) return damaged(g, "an attribute");
    ml_status s = list_of(g, from->bytes, from->size, 1, sizeof *out->texts,
                          "an attribute", &out->n_texts, &out->texts);
    mli_pb_open(&p, from->bytes, from->size);
    while (!s && mli_pb_next(&p) > 0) {
        if (p.field != 1) continue;
        if (p.wire != MLI_PB_BYTES || !inner(&p, 4, &part)) return damaged(g, "a node");
        s = text_of(g, &part, &out->texts[at++]);
    }
    return s || !inner(from, 5, &part) ? s : read_tensor(g, part.bytes, part.size, out);
}

static ml_status read_attribute(mli_onnx *g, const void *data, size_t size,
                                mli_onnx_attribute *out)
{
    mli_pb p;
    int more, floats = 0, ints = 0;
    int64_t text = 0;
    ml_status s = list_of(g, data, size, 9, sizeof *out->texts, "an attribute",
                          &out->n_texts, &out->texts);
    mli_pb_open(&p, data, size);
    while (!s && (more = mli_pb_next(&p)) > 0) {
        switch (p.field) {
        case 1:
            s = text_of(g, &p, &out->name);
            break;
        case 2:
            out->number = (double)mli_pb_f32((uint32_t)p.number);
            break;
        case 3:
            out->number = (double)(int64_t)p.number;
            break;
        case 4:
            s = text_of(g, &p, &out->text);
            break;
        case 5:
            if (p.wire != MLI_PB_BYTES) return damaged(g, "an attribute");
            s = read_tensor(g, p.bytes, p.size, out);
            break;
        case 6:
            s = read_body(g, &p, out);
            break;
        case 7:
            floats = 1;
            break;
        case 8:
            ints = 1;
            break;
        case 9:
            s = text_of(g, &p, &out->texts[text++]);
            break;
        default:
            break;
        }
    }
    if (!s && !out->name.at) return damaged(g, "an attribute");
    if (!s && (floats || ints))
        s = number_field(g, data, size, floats ? 7 : 8, floats ? 'f' : 'i', &out->numbers,
                         &out->n_numbers);
    return s;
}

static ml_status read_node(mli_onnx *g, const void *data, size_t size, mli_onnx_node *out)
{
    mli_pb p;
    int64_t in = 0, to = 0, at = 0;
    const char *what = "a node";
    ml_status s = list_of(g, data, size, 1, sizeof *out->inputs, what, &out->n_inputs,
                          &out->inputs);
    if (!s)
        s = list_of(g, data, size, 2, sizeof *out->outputs, what, &out->n_outputs,
                    &out->outputs);
    if (!s)
        s = list_of(g, data, size, 5, sizeof *out->attributes, what, &out->n_attributes,
                    &out->attributes);
    mli_pb_open(&p, data, size);
    while (!s && mli_pb_next(&p) > 0) {
        if (p.field == 1) s = text_of(g, &p, &out->inputs[in++]);
        if (p.field == 2) s = text_of(g, &p, &out->outputs[to++]);
        if (p.field == 3) s = text_of(g, &p, &out->name);
        if (p.field == 4) s = text_of(g, &p, &out->op);
        if (s || p.field != 5) continue;
        if (p.wire != MLI_PB_BYTES) return damaged(g, what);
        s = read_attribute(g, p.bytes, p.size, &out->attributes[at++]);
    }
    if (!s && !out->op.at) return damaged(g, what);
    if (!out->name.size && out->n_outputs) out->name = out->outputs[0];
    return s;
}

/* ---- inputs ---- */

/* ValueInfoProto: name 1, type 2 {tensor 1 {element 1, shape 2 {dim 1 {value 1}}}}. */
static ml_status read_input(mli_onnx *g, const mli_pb *from, mli_onnx_input *out)
{
    mli_pb type, tensor, shape, name, p;
    out->columns = out->rank = -1;
    if (!inner(from, 1, &name)) return damaged(g, "an input");
    ml_status s = text_of(g, &name, &out->name);
    if (s || !inner(from, 2, &type) || !inner(&type, 1, &tensor)) return s;
    mli_pb_open(&p, tensor.bytes, tensor.size);
    while (mli_pb_next(&p) > 0)
        if (p.field == 1 && p.wire == MLI_PB_VARINT) out->type = (int32_t)p.number;
    if (!inner(&tensor, 2, &shape)) return ML_OK;
    out->rank = 0;
    mli_pb_open(&p, shape.bytes, shape.size);
    while (mli_pb_next(&p) > 0) {
        if (p.field != 1 || p.wire != MLI_PB_BYTES || out->rank++ != 1) continue;
        mli_pb d;
        mli_pb_open(&d, p.bytes, p.size);
        while (mli_pb_next(&d) > 0)
            if (d.field == 1 && d.wire == MLI_PB_VARINT && d.number < 16777216)
                out->columns = (int64_t)d.number;
    }
    return ML_OK;
}

/* Older files list initialisers among the inputs. */
static int has_value(const mli_onnx *g, const void *graph, size_t size,
                     mli_onnx_text name)
{
    mli_pb p, t;
    (void)g;
    mli_pb_open(&p, graph, size);
    while (mli_pb_next(&p) > 0)
        if (p.field == 5 && p.wire == MLI_PB_BYTES && inner(&p, 8, &t) &&
            t.size == name.size && memcmp(t.bytes, name.at, name.size) == 0)
            return 1;
    return 0;
}

static ml_status read_texts(mli_onnx *g, const mli_pb *from, mli_onnx_attribute *v)
{
    mli_pb p;
    int64_t at = 0;
    ml_status s = list_of(g, from->bytes, from->size, 6, sizeof *v->texts,
                          "an initialiser", &v->n_texts, &v->texts);
    v->type = 8;
    mli_pb_open(&p, from->bytes, from->size);
    while (!s && mli_pb_next(&p) > 0) {
        if (p.field == 1) add_dims(&p, v);
        if (p.field != 6) continue;
        if (p.wire != MLI_PB_BYTES) return damaged(g, "an initialiser");
        s = text_of(g, &p, &v->texts[at++]);
    }
    return s;
}

/* TensorProto: type 2, name 8, texts 6. Other tensors are of no use here. */
static ml_status read_value(mli_onnx *g, const mli_pb *from)
{
    mli_pb name, p;
    int64_t type = 0;
    if (from->wire != MLI_PB_BYTES) return damaged(g, "an initialiser");
    if (!inner(from, 8, &name) || from->size > MAX_VALUE) return ML_OK;
    mli_pb_open(&p, from->bytes, from->size);
    while (mli_pb_next(&p) > 0)
        if (p.field == 2 && p.wire == MLI_PB_VARINT) type = (int64_t)p.number;
    if (type != 1 && type != 6 && type != 7 && type != 8 && type != 9 && type != 11)
        return ML_OK;
    mli_onnx_attribute *v = &g->values[g->n_values++];
    ml_status s = text_of(g, &name, &v->name);
    if (!s && type == 8) return read_texts(g, from, v);
    return s ? s : read_tensor(g, from->bytes, from->size, v);
}

static ml_status read_graph(mli_onnx *g, const void *data, size_t size)
{
    mli_pb p;
    int64_t node = 0;
    ml_status s =
        list_of(g, data, size, 1, sizeof *g->nodes, "the graph", &g->n_nodes, &g->nodes);
    if (!s)
        s = list_of(g, data, size, 11, sizeof *g->inputs, "the graph", &g->n_inputs,
                    &g->inputs);
    if (!s)
        s = list_of(g, data, size, 5, sizeof *g->values, "the graph", &g->n_values,
                    &g->values);
    if (!s)
        s = list_of(g, data, size, 12, sizeof *g->outputs, "the graph", &g->n_outputs,
                    &g->outputs);
    g->n_inputs = g->n_values = g->n_outputs = 0;
    mli_pb_open(&p, data, size);
    while (!s && mli_pb_next(&p) > 0) {
        if (p.field == 5) s = read_value(g, &p);
        if (s || (p.field != 1 && p.field != 11 && p.field != 12)) continue;
        if (p.wire != MLI_PB_BYTES) return damaged(g, "the graph");
        if (p.field == 12) {
            mli_pb name;
            if (!inner(&p, 1, &name)) return damaged(g, "an output");
            s = text_of(g, &name, &g->outputs[g->n_outputs++]);
            continue;
        }
        if (p.field == 1) {
            s = read_node(g, p.bytes, p.size, &g->nodes[node++]);
            continue;
        }
        mli_onnx_input *in = &g->inputs[g->n_inputs];
        s = read_input(g, &p, in);
        if (!s && !has_value(g, data, size, in->name)) g->n_inputs++;
    }
    return s;
}

/* StringStringEntryProto: key 1, value 2. */
static ml_status read_metadata(mli_onnx *g, const mli_pb *from)
{
    static const char wanted[] = "feature_names";
    mli_pb key, value;
    if (from->wire != MLI_PB_BYTES || !inner(from, 1, &key) || !inner(from, 2, &value))
        return ML_OK;
    if (key.size != sizeof wanted - 1 || memcmp(key.bytes, wanted, key.size) != 0)
        return ML_OK;
    return text_of(g, &value, &g->names);
}

ml_status mli_onnx_read(ml_context *ctx, const void *data, size_t size, mli_onnx *out,
                        ml_error *err)
{
    mli_pb p, graph = {0};
    int more = 0;
    memset(out, 0, sizeof *out);
    out->arena.ctx = ctx;
    out->err = err;
    ml_status s = ML_OK;
    mli_pb_open(&p, data, size);
    while (!s && (more = mli_pb_next(&p)) > 0) {
        if (p.field == 2) s = text_of(out, &p, &out->producer);
        if (p.field == 3) s = text_of(out, &p, &out->producer_version);
        if (p.field == 14) s = read_metadata(out, &p);
        if (p.field == 7 && p.wire == MLI_PB_BYTES) graph = p;
    }
    if (!s && more < 0) {
        mli_fail(err, ML_E_FORMAT, "not a valid ONNX file: it is cut off or damaged");
        s = mli_error_at(err, ML_E_FORMAT, "byte %lld",
                         (long long)(p.at - (const unsigned char *)data));
    }
    if (!s && !graph.bytes)
        s = mli_fail(err, ML_E_FORMAT, "an ONNX file without a graph");
    return s ? s : read_graph(out, graph.bytes, graph.size);
}

void mli_onnx_free(mli_onnx *g)
{
    mli_doc_free(&g->arena);
}

/* ---- looking up ---- */

int mli_onnx_is(mli_onnx_text t, const char *text)
{
    return t.at && strcmp(t.at, text) == 0;
}

const mli_onnx_attribute *mli_onnx_find(const mli_onnx_node *node, const char *name)
{
    for (int64_t i = 0; i < node->n_attributes; i++)
        if (mli_onnx_is(node->attributes[i].name, name)) return &node->attributes[i];
    return NULL;
}

const mli_onnx_attribute *mli_onnx_value(const mli_onnx *g, const char *name)
{
    for (int64_t i = 0; i < g->n_values; i++)
        if (mli_onnx_is(g->values[i].name, name)) return &g->values[i];
    return NULL;
}

ml_status mli_onnx_numbers(const mli_onnx *g, const mli_onnx_node *node, const char *name,
                           int64_t n, const mli_onnx_attribute **out)
{
    *out = mli_onnx_find(node, name);
    if (!*out)
        mli_fail(g->err, ML_E_FORMAT, "the attribute \"%s\" is missing", name);
    else if (n >= 0 && (*out)->n_numbers != n)
        mli_fail(g->err, ML_E_FORMAT,
                 "the attribute \"%s\" has %lld numbers instead of %lld", name,
                 (long long)(*out)->n_numbers, (long long)n);
    else
        return ML_OK;
    return mli_error_at(g->err, ML_E_FORMAT, "node %s", node->op.at);
}
