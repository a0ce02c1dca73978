/* SPDX-License-Identifier: MIT
 *
 * data/arrow_export.c: gives a table out as an Arrow stream of one batch. Every array and
 * schema holds its own reference to the table, so that the receiver may move children out
 * and release them in any order, from any thread.
 */
#include "data/arrow.h"

#include <errno.h>
#include <string.h>

/* What stands in for empty buffers: receivers may insist on pointers. */
static const int64_t nothing[2];

static const char *format_of(int32_t type)
{
    switch (type) {
    case ML_DTYPE_BOOL:
        return "b";
    case ML_DTYPE_I8:
        return "c";
    case ML_DTYPE_I16:
        return "s";
    case ML_DTYPE_I32:
        return "i";
    case ML_DTYPE_I64:
        return "l";
    case ML_DTYPE_U8:
        return "C";
    case ML_DTYPE_U16:
        return "S";
    case ML_DTYPE_U32:
        return "I";
    case ML_DTYPE_U64:
        return "L";
    case ML_DTYPE_F32:
        return "f";
    case ML_DTYPE_F64:
        return "g";
    case ML_TYPE_CATEGORY:
        return "i";
    case ML_TYPE_DATE:
        return "tdD";
    case ML_TYPE_TIMESTAMP:
        return "tsu:UTC";
    default:
        return "U";
    }
}

/* ---- schemas ---- */

/* Releases what a schema owns: children, dictionary, and its hold on the table. */
static void schema_release(struct ArrowSchema *s)
{
    ml_table *table = s->private_data;
    ml_context *ctx = table->ctx;
    for (int64_t i = 0; s->children && i < s->n_children; i++) {
        struct ArrowSchema *child = s->children[i];
        if (child && child->release) child->release(child);
        mli_free(ctx, child);
    }
    if (s->dictionary && s->dictionary->release) s->dictionary->release(s->dictionary);
    mli_free(ctx, s->dictionary);
    mli_free(ctx, s->children);
    s->release = NULL;
    ml_table_free(table);
}

static void schema_init(struct ArrowSchema *s, const ml_table *table, const char *format,
                        const char *name)
{
    memset(s, 0, sizeof *s);
    s->format = format;
    s->name = name;
    s->private_data = ml_table_ref((ml_table *)table);
    s->release = schema_release;
}

static int schema_column(struct ArrowSchema *s, const ml_table *t, const mli_column *c)
{
    schema_init(s, t, format_of(c->type), c->name);
    s->flags = ARROW_FLAG_NULLABLE;
    if (c->type != ML_TYPE_CATEGORY) return 1;
    if (c->ordered) s->flags |= ARROW_FLAG_DICTIONARY_ORDERED;
    s->dictionary = mli_calloc(t->ctx, 1, sizeof *s->dictionary);
    if (!s->dictionary) return 0;
    schema_init(s->dictionary, t, "U", "");
    return 1;
}

static int schema_table(struct ArrowSchema *s, const ml_table *t)
{
    schema_init(s, t, "+s", "");
    s->children = mli_calloc(t->ctx, (size_t)t->n_columns, sizeof(struct ArrowSchema *));
    if (!s->children) return 0;
    s->n_children = t->n_columns;
    for (int64_t i = 0; i < t->n_columns; i++) {
        s->children[i] = mli_calloc(t->ctx, 1, sizeof(struct ArrowSchema));
        if (!s->children[i] || !schema_column(s->children[i], t, &t->columns[i]))
            return 0;
    }
    return 1;
}

/* ---- arrays ---- */

/* What one array owns. */
typedef struct {
    ml_table *table;
    const void *buffers[3];
    mli_buffer *own[2]; /* copies made where the layout did not permit sharing */
} holding;

static void array_release(struct ArrowArray *a)
{
    holding *h = a->private_data;
    ml_table *table = h->table;
    ml_context *ctx = table->ctx;
    for (int64_t i = 0; a->children && i < a->n_children; i++) {
        struct ArrowArray *child = a->children[i];
        if (child && child->release) child->release(child);
        mli_free(ctx, child);
    }
    if (a->dictionary && a->dictionary->release) a->dictionary->release(a->dictionary);
    mli_free(ctx, a->dictionary);
    mli_free(ctx, a->children);
    mli_buffer_free(h->own[0]);
    mli_buffer_free(h->own[1]);
    mli_free(ctx, h);
    a->release = NULL;
    ml_table_free(table);
}

static holding *array_init(struct ArrowArray *a, const ml_table *table, int64_t length,
                           int64_t n_buffers)
{
    memset(a, 0, sizeof *a);
    holding *h = mli_calloc(table->ctx, 1, sizeof *h);
    if (!h) return NULL;
    h->table = ml_table_ref((ml_table *)table);
    a->length = length;
    a->n_buffers = n_buffers;
    a->buffers = h->buffers;
    a->private_data = h;
    a->release = array_release;
    return h;
}

/* Validity that starts `lead` bits into its first byte, lead being the array's offset. */
static int array_validity(struct ArrowArray *a, holding *h, const mli_column *c,
                          int64_t lead)
{
    uint8_t *bits = NULL;
    a->null_count = c->null_count;
    if (c->null_count == 0) return 1;
    int whole =
        c->validity &&
        (c->type != ML_TYPE_CATEGORY ||
         c->rows - mli_bits_count(c->validity, c->offset, c->rows) == c->null_count);
    if (whole && (c->offset & 7) == lead) {
        h->buffers[0] = c->validity + (c->offset >> 3);
        return 1;
    }
    h->own[0] = mli_buffer_new(h->table->ctx, (size_t)(c->rows + lead + 7) / 8, &bits);
    if (!h->own[0]) return 0;
    h->buffers[0] = bits;
    if (whole) {
        mli_bits_copy(bits, lead, c->validity, c->offset, c->rows);
        return 1;
    }
    for (int64_t i = 0; i < c->rows; i++) { /* codes outside the levels are missing */
        size_t size;
        unsigned on = mli_column_text(c, i, &size) != NULL;
        bits[i >> 3] = (uint8_t)(bits[i >> 3] | on << (i & 7));
    }
    return 1;
}

#define COMPACT(type)                                                                    \
    do {                                                                                 \
        const type *in = c->data;                                                        \
        for (int64_t i = 0; i < c->rows; i++) ((type *)to)[i] = in[i * c->stride];       \
    } while (0)

/* A copy without the gaps between the columns of a row-major tensor. */
static int compact(holding *h, const mli_column *c)
{
    void *to = NULL;
    size_t item = mli_type_size(c->type);
    h->own[1] = mli_buffer_new(h->table->ctx, (size_t)c->rows * item, &to);
    if (!h->own[1]) return 0;
    h->buffers[1] = to;
    switch (item) {
    case 1:
        COMPACT(uint8_t);
        break;
    case 2:
        COMPACT(uint16_t);
        break;
    case 4:
        COMPACT(uint32_t);
        break;
    default:
        COMPACT(uint64_t);
    }
    return 1;
}

static int array_levels(struct ArrowArray *a, const ml_table *t, const mli_column *c)
{
    a->dictionary = mli_calloc(t->ctx, 1, sizeof *a->dictionary);
    if (!a->dictionary) return 0;
    holding *h = array_init(a->dictionary, t, c->n_levels, 3);
    if (!h) return 0;
    h->buffers[1] = c->n_levels ? c->level_offsets : nothing;
    h->buffers[2] = c->levels ? (const void *)c->levels : nothing;
    return 1;
}

static int array_column(struct ArrowArray *a, const ml_table *t, const mli_column *c)
{
    int text = c->type == ML_TYPE_TEXT, bits = c->type == ML_DTYPE_BOOL;
    holding *h = array_init(a, t, c->rows, text ? 3 : 2);
    if (!h) return 0;
    a->offset = bits ? c->offset & 7 : 0;
    if (!array_validity(a, h, c, a->offset)) return 0;
    h->buffers[1] = c->data ? c->data : nothing;
    if (text) {
        h->buffers[1] = c->offsets ? c->offsets : nothing;
        h->buffers[2] = c->data ? c->data : nothing;
    } else if (bits && c->data) {
        h->buffers[1] = (const uint8_t *)c->data + (c->offset >> 3);
    } else if (c->stride != 1 && c->rows > 1) {
        return compact(h, c);
    }
    return c->type == ML_TYPE_CATEGORY ? array_levels(a, t, c) : 1;
}

static int array_table(struct ArrowArray *a, const ml_table *t)
{
    if (!array_init(a, t, t->rows, 1)) return 0;
    a->children = mli_calloc(t->ctx, (size_t)t->n_columns, sizeof(struct ArrowArray *));
    if (!a->children) return 0;
    a->n_children = t->n_columns;
    for (int64_t i = 0; i < t->n_columns; i++) {
        a->children[i] = mli_calloc(t->ctx, 1, sizeof(struct ArrowArray));
        if (!a->children[i] || !array_column(a->children[i], t, &t->columns[i])) return 0;
    }
    return 1;
}

/* ---- the stream ---- */

typedef struct {
    ml_table *table;
    int given; /* the batch has been handed out */
    const char *message;
} exporting;

static int out_of_memory(exporting *e)
{
    e->message = "out of memory";
    return ENOMEM;
}

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    exporting *e = stream->private_data;
    if (schema_table(out, e->table)) return 0;
    out->release(out);
    return out_of_memory(e);
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    exporting *e = stream->private_data;
    memset(out, 0, sizeof *out);
    if (e->given) return 0;
    if (array_table(out, e->table)) {
        e->given = 1;
        return 0;
    }
    if (out->release) out->release(out);
    return out_of_memory(e);
}

static const char *stream_error(struct ArrowArrayStream *stream)
{
    return ((exporting *)stream->private_data)->message;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    exporting *e = stream->private_data;
    ml_table *table = e->table;
    mli_free(table->ctx, e);
    stream->release = NULL;
    ml_table_free(table);
}

ml_status ml_table_write_arrow(const ml_table *table, struct ArrowArrayStream *out,
                               ml_error *error)
{
    if (!table) return mli_null(error, "table");
    if (!out) return mli_null(error, "out");
    exporting *e = mli_calloc(table->ctx, 1, sizeof *e);
    if (!e) return mli_nomem(error);
    ml_table *plain = NULL;
    ml_status status = mli_table_plain(table, &plain, error);
    if (status) {
        mli_free(table->ctx, e);
        return status;
    }
    e->table = plain;
    *out = (struct ArrowArrayStream){stream_schema, stream_next, stream_error,
                                     stream_release, e};
    return ML_OK;
}
