/* SPDX-License-Identifier: MIT
 *
 * data/arrow_import.c: reads an Arrow stream to its end and makes a table of its batches.
 * Memory of a single batch is taken over without copying: the batch is released when the
 * last column that points into it is freed. A table that lives in a file grows by groups
 * of batches, which are released as soon as they are copied.
 */
#include "core/parallel.h"
#include "core/params.h"
#include "data/arrow.h"
#include "data/append.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Values of a group of batches: a larger batch is a group of its own. */
#define GROUP 1000000

typedef struct {
    ml_context *ctx;
    struct ArrowArrayStream *stream;
    struct ArrowSchema schema;
    struct ArrowArray *batches; /* owned until released or handed to `held` */
    int64_t n, capacity, rows;
    int64_t before;            /* rows of earlier groups */
    int ended;                 /* the stream has no more batches */
    mli_buffer *held;          /* the only batch, when there is one */
    mli_arrow_source *sources; /* [columns] */
    int64_t wide;              /* columns of a map, 0: as many as its keys need */
    int64_t n_names;
    const char *const *names; /* [n_names] of the table's columns; 0: the stream's */
} import;

static const mli_param params[] = {
    {"spill", "spill_folder,spill_dir,temp_directory", ML_PARAM_STR, MLI_FLAG_NULLABLE,
     "", NULL, NULL, NULL,
     "For tables larger than memory: a folder, on a disk, in which the values of the "
     "table are kept, in a temporary file that is gone with the table. Batches are then "
     "released as soon as they are copied. Memory when not given.",
     "0.1"},
    {"map_columns", NULL, ML_PARAM_I64, MLI_FLAG_NULLABLE, "", "[1, 1073741824]", NULL,
     NULL,
     "How many columns a column of maps from whole numbers to numbers makes, which are "
     "sparse rows: key 3 of \"f\" is the column \"f3\", and 0 where there is none. As "
     "many as the keys need when not given.",
     "0.1"},
    {"names", NULL, ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Names of all the table's columns, instead of those that the stream gives.", "0.1"},
    {0}};

extern const mli_descriptor mli_options_arrow;
const mli_descriptor mli_options_arrow = {
    .name = "options.arrow",
    .title = "Reading Arrow streams",
    .doc = "How an Arrow stream becomes a table.",
    .family = "data",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = params,
};

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

/* Reads batches until there are so many rows. Empty ones are dropped, but for one when
 * all are: dictionaries live in batches. */
static ml_status read_batches(import *in, int64_t rows, ml_error *err)
{
    while (in->rows < rows) {
        ml_status status = grow(in, err);
        if (status) return status;
        struct ArrowArray *batch = &in->batches[in->n];
        memset(batch, 0, sizeof *batch);
        int code = in->stream->get_next(in->stream, batch);
        if (code) return stream_failed(in, code, err);
        in->ended = !batch->release;
        if (in->ended) return ML_OK;
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
    return ML_OK;
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
    s->before = in->before;
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

/* The column without values yet, and its pieces. */
static ml_status begin_column(import *in, int64_t i, ml_error *err)
{
    mli_arrow_source *s = &in->sources[i];
    s->ctx = in->ctx;
    s->bad = -1;
    return make_pieces(in, i, err);
}

/* Columns of the table that one of the stream makes. */
static ml_status width_of(import *in, int64_t i, int64_t *width, ml_error *err)
{
    const struct ArrowSchema *schema = in->schema.children[i];
    char own[32];
    ml_status status = begin_column(in, i, err);
    *width = 1;
    if (status || !mli_arrow_is_map(schema)) return status;
    in->sources[i].name = column_name(schema, i, own, sizeof own);
    return mli_arrow_map_width(&in->sources[i], schema, in->wide, width, err);
}

static ml_status make_map(import *in, int64_t i, int64_t width, mli_column *to,
                          ml_error *err)
{
    char own[32];
    mli_arrow_source *s = &in->sources[i];
    s->name = column_name(in->schema.children[i], i, own, sizeof own);
    s->done = 1;
    return mli_arrow_map(s, in->schema.children[i], width, to, err);
}

static ml_status prepare_column(import *in, int64_t i, mli_column *to, ml_error *err)
{
    const struct ArrowSchema *schema = in->schema.children[i];
    mli_arrow_source *s = &in->sources[i];
    char own[32];
    to->name = mli_strdup(in->ctx, column_name(schema, i, own, sizeof own));
    if (!to->name) return mli_nomem(err);
    s->name = to->name;
    s->format = mli_arrow_parse(schema->format);
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

static ml_status rename_columns(const import *in, ml_table *t, ml_error *err)
{
    if (in->n_names != t->n_columns) {
        mli_fail(err, ML_E_SHAPE, "%lld names for %lld columns", (long long)in->n_names,
                 (long long)t->n_columns);
        return mli_error_at(err, ML_E_SHAPE, "params.names");
    }
    for (int64_t i = 0; i < t->n_columns; i++) {
        char *name = mli_strdup(in->ctx, in->names[i]);
        if (!name) return mli_nomem(err);
        mli_free(in->ctx, t->columns[i].name);
        t->columns[i].name = name;
    }
    return ML_OK;
}

static ml_status fill_table(import *in, const int64_t *first, ml_table *t, ml_error *err)
{
    int64_t n = in->schema.n_children;
    ml_status status = ML_OK;
    for (int64_t i = 0; i < n && !status; i++) {
        mli_column *to = &t->columns[first[i]];
        if (mli_arrow_is_map(in->schema.children[i]))
            status = make_map(in, i, first[i + 1] - first[i], to, err);
        else
            status = prepare_column(in, i, to, err);
    }
    if (!status) mli_parallel(in->ctx, n, fill_column, in);
    for (int64_t i = 0; i < n && !status; i++) {
        status = mli_arrow_check(&in->sources[i], err);
    }
    if (!status && in->n_names) status = rename_columns(in, t, err);
    return status ? status : mli_table_seal(t, err);
}

static ml_status make_table(import *in, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    int64_t n = in->schema.n_children;
    int64_t *first = mli_calloc(in->ctx, (size_t)n + 1, sizeof *first);
    in->sources = mli_calloc(in->ctx, (size_t)n, sizeof *in->sources);
    ml_status status = first && in->sources ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < n && !status; i++) {
        int64_t width = 1;
        status = width_of(in, i, &width, err);
        first[i + 1] = first[i] + width;
    }
    if (!status) status = mli_table_alloc(in->ctx, in->rows, first[n], &t, err);
    if (!status) status = fill_table(in, first, t, err);
    mli_free(in->ctx, first);
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

/* Lets go of the batches so far. */
static void drop_batches(import *in)
{
    for (int64_t i = 0; in->sources && i < in->schema.n_children; i++) {
        mli_free(in->ctx, in->sources[i].pieces);
    }
    for (int64_t k = 0; k < in->n; k++) release_array(&in->batches[k]);
    mli_free(in->ctx, in->sources);
    mli_buffer_free(in->held);
    in->sources = NULL;
    in->held = NULL;
    in->before += in->rows;
    in->n = in->rows = 0;
}

static void import_end(import *in)
{
    drop_batches(in);
    mli_free(in->ctx, in->batches);
    if (in->schema.release) in->schema.release(&in->schema);
}

/* ---- all at once, or group by group ---- */

static ml_status read_group(import *in, int64_t rows, ml_table **out, ml_error *err)
{
    ml_status status = read_batches(in, rows, err);
    if (!status) status = hold_batch(in, err);
    return status ? status : make_table(in, out, err);
}

static ml_status grow_table(import *in, mli_spill *spill, int64_t group, ml_table **out,
                            ml_error *err)
{
    int64_t columns = in->schema.n_children;
    int64_t rows = columns > 0 && columns < group ? group / columns : 1;
    mli_appender *g = NULL;
    ml_status status = mli_appender_new(in->ctx, spill, &g, err);
    while (!status && !in->ended) {
        ml_table *part = NULL;
        status = read_group(in, rows, &part, err);
        if (!status && in->rows > INT64_MAX - in->before)
            status = damaged(err, "too many rows");
        ml_table *plain = NULL;
        if (!status) status = mli_table_plain(part, &plain, err);
        if (!status && (in->rows || !in->before))
            status = mli_appender_add(g, plain, err);
        ml_table_free(plain);
        ml_table_free(part);
        drop_batches(in);
    }
    if (!status) status = mli_appender_table(g, out, err);
    mli_appender_free(g);
    return status;
}

static ml_status read_table(import *in, const ml_params *options, int64_t group,
                            ml_table **out, ml_error *err)
{
    ml_params *o = NULL;
    mli_spill *spill = NULL;
    ml_status status = mli_params_resolve(in->ctx, &mli_options_arrow, options, &o, err);
    if (!status) status = read_schema(in, err);
    if (!status) {
        in->wide = mli_get_i64(o, "map_columns");
        in->n_names = mli_get_strs(o, "names", &in->names);
    }
    if (!status && mli_get_str(o, "spill")[0])
        status = mli_spill_open(in->ctx, mli_get_str(o, "spill"), &spill, err);
    if (!status && spill)
        status = grow_table(in, spill, group, out, err);
    else if (!status)
        status = read_group(in, INT64_MAX, out, err);
    mli_spill_seal(spill);
    mli_spill_free(spill);
    ml_params_free(o);
    return status;
}

static void release_stream(struct ArrowArrayStream *stream)
{
    if (stream->release) stream->release(stream);
    stream->release = NULL;
}

ml_status mli_arrow_read(ml_context *context, struct ArrowArrayStream *stream,
                         const ml_params *options, int64_t group, ml_table **out,
                         ml_error *error)
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
    if (!status) status = read_table(&in, options, group, out, error);
    if (context) import_end(&in);
    release_stream(stream);
    return status;
}

ml_status ml_table_read_arrow(ml_context *context, struct ArrowArrayStream *stream,
                              const ml_params *options, ml_table **out, ml_error *error)
{
    return mli_arrow_read(context, stream, options, GROUP, out, error);
}
