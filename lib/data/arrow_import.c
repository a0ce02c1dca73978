/* SPDX-License-Identifier: MIT
 *
 * data/arrow_import.c: reads an Arrow stream to its end and makes a table of its batches.
 * Memory of a single batch is taken over without copying: the batch is released when the
 * last column that points into it is freed.
 */
#include "core/parallel.h"
#include "data/arrow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    ml_context *ctx;
    struct ArrowArrayStream *stream;
    struct ArrowSchema schema;
    struct ArrowArray *batches; /* owned until released or handed to `held` */
    int64_t n, capacity, rows;
    mli_buffer *held;          /* the only batch, when there is one */
    mli_arrow_source *sources; /* [columns] */
} import;

static ml_status stream_failed(import *in, int code, ml_error *err)
{
    const char *text =
        in->stream->get_last_error ? in->stream->get_last_error(in->stream) : NULL;
    if (code == ENOMEM) return mli_nomem(err);
    if (text && *text) {
        mli_fail(err, ML_E_CALLBACK, "the Arrow stream failed: %s", text);
    } else {
        mli_fail(err, ML_E_CALLBACK, "the Arrow stream failed with code %d", code);
    }
    return ML_E_CALLBACK;
}

/* ---- batches ---- */

static ml_status damaged(ml_error *err, const char *what)
{
    return mli_fail(err, ML_E_DATA, "the Arrow data are damaged: %s", what);
}

static ml_status check_batch(import *in, const struct ArrowArray *batch, ml_error *err)
{
    if (batch->length < 0 || batch->offset < 0) {
        return damaged(err, "a batch has a negative length");
    }
    if (batch->n_children != in->schema.n_children) {
        return damaged(err, "a batch has other columns than the schema");
    }
    for (int64_t i = 0; i < batch->n_children; i++) {
        const struct ArrowArray *c = batch->children[i];
        if (!c || c->length < 0 || c->offset < 0 ||
            c->length < batch->offset + batch->length) {
            return damaged(err, "a column is shorter than its batch");
        }
    }
    if (batch->null_count != 0 && batch->n_buffers > 0 && batch->buffers[0] &&
        mli_bits_count(batch->buffers[0], batch->offset, batch->length) < batch->length) {
        mli_fail(err, ML_E_DATA,
                 "a batch of the Arrow stream has rows that are missing "
                 "as a whole");
        return mli_error_hint(err, ML_E_DATA, "drop them before");
    }
    if (__builtin_add_overflow(in->rows, batch->length, &in->rows)) {
        return damaged(err, "too many rows");
    }
    return ML_OK;
}

static ml_status grow(import *in, ml_error *err)
{
    if (in->n < in->capacity) return ML_OK;
    int64_t capacity = in->capacity ? in->capacity * 2 : 16;
    struct ArrowArray *grown =
        mli_realloc(in->ctx, in->batches, (size_t)capacity * sizeof *grown);
    if (!grown) return mli_nomem(err);
    in->batches = grown;
    in->capacity = capacity;
    return ML_OK;
}

static void release_array(struct ArrowArray *a)
{
    if (a->release) a->release(a);
    a->release = NULL;
}

/* Empty batches are dropped, but for one when all are: dictionaries live in batches. */
static ml_status read_batches(import *in, ml_error *err)
{
    for (;;) {
        ml_status status = grow(in, err);
        if (status) return status;
        struct ArrowArray *batch = &in->batches[in->n];
        memset(batch, 0, sizeof *batch);
        int code = in->stream->get_next(in->stream, batch);
        if (code) return stream_failed(in, code, err);
        if (!batch->release) return ML_OK;
        in->n++;
        status = check_batch(in, batch, err);
        if (status) return status;
        if (in->n == 1) continue;
        if (batch->length == 0) {
            release_array(&in->batches[--in->n]);
        } else if (in->batches[0].length == 0) {
            release_array(&in->batches[0]);
            in->batches[0] = *batch;
            in->n--;
        }
    }
}

typedef struct {
    struct ArrowArray batch;
    ml_context *ctx;
} holder;

static void release_held(void *user)
{
    holder *h = user;
    release_array(&h->batch);
    mli_free(h->ctx, h);
}

/* Moves the only batch into a buffer that columns keep alive. */
static ml_status hold_batch(import *in, ml_error *err)
{
    if (in->n != 1) return ML_OK;
    holder *h = mli_calloc(in->ctx, 1, sizeof *h);
    if (!h) return mli_nomem(err);
    in->held = mli_buffer_wrap(in->ctx, NULL, 0, release_held, h);
    if (!in->held) {
        mli_free(in->ctx, h);
        return mli_nomem(err);
    }
    h->ctx = in->ctx;
    h->batch = in->batches[0];
    in->batches[0].release = NULL;
    return ML_OK;
}

/* ---- columns ---- */

/* A name of its own for a column without one. */
static const char *column_name(const struct ArrowSchema *schema, int64_t i, char *own,
                               size_t size)
{
    if (schema->name && *schema->name) return schema->name;
    snprintf(own, size, "f%" PRId64, i);
    return own;
}

static ml_status make_pieces(import *in, int64_t i, ml_error *err)
{
    mli_arrow_source *s = &in->sources[i];
    s->rows = in->rows;
    s->batch = in->held;
    s->pieces = mli_alloc(in->ctx, (size_t)in->n * sizeof *s->pieces);
    if (!s->pieces) return mli_nomem(err);
    int64_t at = 0;
    for (int64_t k = 0; k < in->n; k++) {
        const struct ArrowArray *batch = &in->batches[k], *child = batch->children[i];
        int64_t offset = child->offset + batch->offset;
        s->pieces[s->n++] = (mli_arrow_piece){child, offset, batch->length, at};
        at += batch->length;
    }
    return ML_OK;
}

static ml_status prepare_column(import *in, int64_t i, mli_column *to, ml_error *err)
{
    const struct ArrowSchema *schema = in->schema.children[i];
    mli_arrow_source *s = &in->sources[i];
    char own[32];
    to->name = mli_strdup(in->ctx, column_name(schema, i, own, sizeof own));
    if (!to->name) return mli_nomem(err);
    s->ctx = in->ctx;
    s->name = to->name;
    s->bad = -1;
    s->format = mli_arrow_parse(schema->format);
    ml_status status = make_pieces(in, i, err);
    if (status) return status;
    if (schema->dictionary) return mli_arrow_dictionary(s, schema, to, err);
    if (s->format.kind == MLI_ARROW_REFUSED) {
        return mli_arrow_refuse(s->name, schema->format, &s->format, err);
    }
    return mli_arrow_prepare(s, to, err);
}

static void fill_column(void *arg, int64_t task, int32_t slot)
{
    import *in = arg;
    (void)slot;
    if (!in->sources[task].done) mli_arrow_fill(&in->sources[task]);
}

static ml_status make_table(import *in, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    int64_t n = in->schema.n_children;
    ml_status status = mli_table_alloc(in->ctx, in->rows, n, &t, err);
    if (status) return status;
    in->sources = mli_calloc(in->ctx, (size_t)n, sizeof *in->sources);
    if (!in->sources) status = mli_nomem(err);
    for (int64_t i = 0; i < n && !status; i++) {
        status = prepare_column(in, i, &t->columns[i], err);
    }
    if (!status) mli_parallel(in->ctx, n, fill_column, in);
    for (int64_t i = 0; i < n && !status; i++) {
        status = mli_arrow_check(&in->sources[i], err);
    }
    if (!status) status = mli_table_seal(t, err);
    if (status) {
        ml_table_free(t);
        return status;
    }
    *out = t;
    return ML_OK;
}

/* ---- streams ---- */

static ml_status read_schema(import *in, ml_error *err)
{
    int code = in->stream->get_schema(in->stream, &in->schema);
    if (code) {
        in->schema.release = NULL;
        return stream_failed(in, code, err);
    }
    const char *format = in->schema.format;
    if (!format || strcmp(format, "+s") != 0) {
        mli_fail(err, ML_E_TYPE,
                 "the Arrow stream holds single values (format \"%s\"), not columns",
                 format ? format : "");
        return mli_error_hint(err, ML_E_TYPE, "give a table or a data frame");
    }
    if (in->schema.n_children < 0) return damaged(err, "a negative number of columns");
    return ML_OK;
}

static void import_end(import *in)
{
    for (int64_t i = 0; in->sources && i < in->schema.n_children; i++) {
        mli_free(in->ctx, in->sources[i].pieces);
    }
    for (int64_t k = 0; k < in->n; k++) release_array(&in->batches[k]);
    mli_free(in->ctx, in->sources);
    mli_free(in->ctx, in->batches);
    mli_buffer_free(in->held);
    if (in->schema.release) in->schema.release(&in->schema);
}

static void release_stream(struct ArrowArrayStream *stream)
{
    if (stream->release) stream->release(stream);
    stream->release = NULL;
}

ml_status ml_table_read_arrow(ml_context *context, struct ArrowArrayStream *stream,
                              ml_table **out, ml_error *error)
{
import in = {.ctx = context, .stream = stream };
    if (!stream) return mli_null(error, "stream");
    if (!stream->release) {
        mli_fail(error, ML_E_ARGUMENT, "the Arrow stream has been released already");
        return mli_error_hint(error, ML_E_ARGUMENT, "a stream can be read once");
    }
    ml_status status = ML_OK;
    if (!context) status = mli_null(error, "context");
    if (!out) status = mli_null(error, "out");
    if (!status) status = read_schema(&in, error);
    if (!status) status = read_batches(&in, error);
    if (!status) status = hold_batch(&in, error);
    if (!status) status = make_table(&in, out, error);
    if (context) import_end(&in);
    release_stream(stream);
    return status;
}
