/* SPDX-License-Identifier: MIT
 *
 * csv_read.c: reading CSV, from the first byte to the table.
 *
 * Per batch: chunks are parsed in parallel (meanwhile the next batch is read, where that
 * is allowed on another thread); chunks whose begin was guessed wrong are parsed again;
 * the kinds of the columns are settled; parts that turned out to be text are parsed
 * again; all parts are appended, in parallel over columns. Columns that became text in a
 * later batch than the first get their earlier rows from a second reading in the end.
 */
#include "core/parallel.h"
#include "data/csv_read.h"

#include <string.h>
#include <sys/stat.h>

#define SAMPLE       ((size_t)256 << 10) /* for detection */
#define RECORD_LIMIT ((size_t)128 << 20) /* longer ones are taken for a lost quote */

static const mli_csv_sizes usual_sizes = {

    .chunk = (size_t)256 << 10,
    .records = 64,
    .first = (size_t)1 << 20,
    .step = (size_t)8 << 20};

/* ---- the begin ---- */

static ml_status empty_file(const mli_csv_reader *r, int64_t skipped, ml_error *err)
{
    if (skipped == 0 && r->o.skip_rows == 0) {
        mli_fail(err, ML_E_DATA, "the file is empty");
        mli_error_at(err, ML_E_DATA, "%s", r->in.name);
        return mli_error_hint(err, ML_E_DATA, "give a file with a header and data");
    }
    mli_fail(err, ML_E_DATA, "nothing is left behind the %lld lines that are skipped",
             (long long)r->o.skip_rows);
    mli_error_at(err, ML_E_DATA, "%s", r->in.name);
    return mli_error_hint(err, ML_E_DATA, "lower skip_rows");
}

/* Drops bytes from the front of the batch. */
static void drop_front(mli_csv_reader *r, size_t size)
{
    r->batch.text += size;
    r->batch.size -= size;
    r->bytes += (int64_t)size;
}

/* Gets more bytes behind those that the batch has. */
static ml_status lengthen(mli_csv_reader *r, ml_error *err)
{
    ml_status st = mli_csv_input_next(&r->in, &r->next, err);
    if (st == ML_OK)
        st = mli_csv_batch_carry(&r->in, &r->next, r->batch.text, r->batch.size, err);
    if (st != ML_OK) return st;
    mli_csv_batch b = r->batch;
    r->batch = r->next;
    r->next = b;
    return ML_OK;
}

/* Takes whole lines off the front; returns how many of `count` are left. */
static int64_t skip_lines(mli_csv_reader *r, int64_t count)
{
    const char *p = r->batch.text, *end = p + r->batch.size;
    size_t size = 0;
    for (; p < end && count > 0; p++) {
        if (*p != '\n' && !(*p == '\r' && p[1] != '\n')) continue;
        if (*p == '\r' && p + 1 == end && !r->batch.last) break; /* \n may follow */
        count--;
        size = (size_t)(p + 1 - r->batch.text);
    }
    drop_front(r, size);
    return count;
}

/* Skips the lines that the options want skipped. */
static ml_status skip_front(mli_csv_reader *r, ml_error *err)
{
    int64_t left = skip_lines(r, r->o.skip_rows);
    while (!r->batch.last && (left > 0 || r->batch.size == 0)) {
        ml_status st = lengthen(r, err);
        if (st != ML_OK) return st;
        left = skip_lines(r, left);
    }
    r->lines = r->o.skip_rows - left;
    return r->batch.size ? ML_OK : empty_file(r, r->lines, err);
}

/* Cuts the sample behind a line end, so that the scan of it finds whole records. */
static size_t sample_size(const mli_csv_batch *b)
{
    if (b->size <= SAMPLE) return b->size;
    size_t size = SAMPLE;
    while (size > SAMPLE / 2 && b->text[size - 1] != '\n') size--;
    return size > SAMPLE / 2 ? size : b->size;
}

/* Settles dialect, header and columns by a look at the first batch. */
static ml_status look_ahead(mli_csv_reader *r, ml_error *err)
{
    for (;;) {
        const mli_csv_batch *b = &r->batch;
        size_t size = sample_size(b);
        int last = b->last && size == b->size;
        ml_status st = mli_csv_detect(r->ctx, &r->o, b->text, size, last, err);
        if (st == ML_OK)
            st = mli_csv_header_read(r->ctx, &r->o, b->text, size, last, &r->header, err);
        if (st != ML_OK) {
            mli_error_at(err, st, "%s", r->in.name);
            return st;
        }
        if (r->header.width) break;
        if (b->size > RECORD_LIMIT) {
            mli_fail(err, ML_E_PARSE, "no record ends in the first %lld bytes",
                     (long long)b->size);
            mli_error_at(err, ML_E_PARSE, "%s", r->in.name);
            return mli_error_hint(err, ML_E_PARSE,
                                  "set quote to none if a quote is lost");
        }
        if (size == b->size && (st = lengthen(r, err)) != ML_OK) return st;
    }
    r->row_bytes = r->header.size ? r->header.size : 64;
    ml_status st = mli_csv_check_header(r, err);
    return st == ML_OK ? mli_csv_columns_make(r, err) : st;
}

/* Puts the batch at the first record of data, for the first or the second reading. */
static ml_status begin(mli_csv_reader *r, ml_error *err)
{
    r->rows = r->lines = r->dropped = r->bytes = 0;
    r->careful = 0;
    ml_status st = mli_csv_input_next(&r->in, &r->batch, err);
    if (st == ML_OK) st = mli_csv_batch_carry(&r->in, &r->batch, NULL, 0, err);
    if (st == ML_OK) st = skip_front(r, err);
    if (st == ML_OK && !r->second) st = look_ahead(r, err);
    if (st != ML_OK) return st;
    /* Batches must end where they did in the first reading. */
    while (r->second && !r->batch.last && r->batch.size < r->begin_size) {
        if ((st = lengthen(r, err)) != ML_OK) return st;
    }
    r->begin_size = r->batch.size;
    drop_front(r, r->header.size);
    r->lines += r->header.lines;
    r->data_at = r->bytes;
    return ML_OK;
}

/* ---- one batch ---- */

/* Tasks: chunks, and before them the next batch, where another thread may read it. */
static void parse_task(void *arg, int64_t task, int32_t slot)
{
    mli_csv_reader *r = arg;
    int64_t ahead = !r->batch.last && r->in.again;
    if (task < ahead) {
        r->next_status = mli_csv_input_next(&r->in, &r->next, r->next_error);
        return;
    }
    mli_csv_chunk_parse(r, &r->chunks[task - ahead], &r->slots[slot]);
}

static void again_task(void *arg, int64_t task, int32_t slot)
{
    mli_csv_reader *r = arg;
    mli_csv_chunk_again(r, &r->chunks[task], &r->slots[slot]);
}

typedef struct append_job {
    mli_csv_reader *r;
    _Atomic int failed;
} append_job;

static void append_task(void *arg, int64_t task, int32_t slot)
{
    append_job *job = arg;
    (void)slot;
    if (!mli_csv_column_append(job->r, task)) job->failed = 1;
}

/* Checks that each chunk began where the one before ended, and parses those again that
 * did not. Returns the number of the first faulty chunk, or -1. */
static int64_t chain(mli_csv_reader *r, size_t *stop)
{
    size_t at = 0;
    for (int64_t k = 0; k < r->n_chunks; k++) {
        mli_csv_chunk *c = &r->chunks[k];
        int open = k > 0 && r->chunks[k - 1].stop < r->chunks[k - 1].cut;
        if (open || (at >= c->cut && k > 0)) {
            /* The chunk before swallowed this one, or has a record without end. */
            c->begin = c->stop = at;
            c->cut = at + (size_t)open;
            c->rows = c->lines = c->dropped = 0;
            c->flags = 0;
            c->bad = MLI_CSV_FINE;
            continue;
        }
        if (c->begin != at) {
            c->begin = at;
            mli_csv_chunk_parse(r, c, &r->slots[0]);
        }
        if (c->bad) return k;
        if (c->flags & MLI_CSV_NEWLINES) r->careful = 1;
        at = c->stop;
    }
    *stop = at;
    return -1;
}

/* With a limit on rows: cuts the batch behind the last wanted record. */
static ml_status clip(mli_csv_reader *r, ml_error *err)
{
    if (!r->o.max_rows) return ML_OK;
    mli_csv_index *x = &r->slots[0].index;
    const mli_csv_batch *b = &r->batch;
    int64_t left = r->o.max_rows - r->rows, width = r->header.width;
    if (!mli_csv_scan(x, &r->o.dialect, b->text, b->size, b->size, b->last, 0))
        return mli_nomem(err);
    int64_t at = 0;
    for (int64_t k = 0; k < x->records; at += x->sizes[k++]) {
        if (left == 0) {
            r->batch.size = (uint32_t)(x->begin[at] + 1);
            r->batch.last = 1;
            return ML_OK;
        }
        int blank = x->sizes[k] == 1 && x->begin[at] + 1 == x->end[at];
        int skipped = r->o.on_ragged == MLI_CSV_SKIP && x->sizes[k] != width;
        if (!blank && !skipped) left--;
    }
    return ML_OK;
}

static ml_status append_batch(mli_csv_reader *r, int last, ml_error *err)
{
    int again = r->second ? 0 : mli_csv_columns_settle(r, last);
    if (again < 0) return mli_spill_error(r->spill, err);
    if (again) {
        mli_parallel(r->ctx, r->n_chunks, again_task, r);
        for (int64_t k = 0; k < r->n_chunks; k++) {
            if (r->chunks[k].bad) return mli_csv_fault(r, k, err);
        }
    }
    append_job job = {.r = r};
    mli_parallel(r->ctx, r->n_columns, append_task, &job);
    if (job.failed) return mli_spill_error(r->spill, err);
    for (int64_t k = 0; k < r->n_chunks; k++) {
        r->rows += r->chunks[k].rows;
        r->lines += r->chunks[k].lines;
        r->dropped += r->chunks[k].dropped;
    }
    return ML_OK;
}

static ml_status check_record(mli_csv_reader *r, size_t tail, ml_error *err)
{
    if (tail <= RECORD_LIMIT) return ML_OK;
    mli_fail(err, ML_E_PARSE, "a record of more than %lld bytes",
             (long long)RECORD_LIMIT);
    mli_error_at(err, ML_E_PARSE, "%s, line %lld", r->in.name, (long long)r->lines + 1);
    return mli_error_hint(
        err, ML_E_PARSE, "a quote is probably lost: set quote to none, or mend the line");
}

/* Parses a batch and gets the next one. *done: nothing is left. */
static ml_status one_batch(mli_csv_reader *r, int *done, ml_error *err)
{
    int ahead = r->in.again, last;
    size_t stop = 0, size;
    ml_status st = clip(r, err);
    last = r->batch.last;
    size = r->batch.size;
    /* Half of a line end waits for the other half. */
    if (!last && size && r->batch.text[size - 1] == '\r') r->batch.size--;
    if (st == ML_OK) st = mli_csv_chunks_cut(r, err);
    if (st != ML_OK) return st;
    r->next_status = ML_OK;
    mli_parallel(r->ctx, r->n_chunks + (!last && ahead), parse_task, r);
    int64_t bad = chain(r, &stop);
    if (bad >= 0) return mli_csv_fault(r, bad, err);
    st = append_batch(r, last, err);
    *done = last;
    if (last || st != ML_OK) return st;
    st = ahead ? mli_error_copy(err, r->next_error, r->next_status)
               : mli_csv_input_next(&r->in, &r->next, err);
    if (st == ML_OK) st = check_record(r, size - stop, err);
    if (st == ML_OK)
        st =
            mli_csv_batch_carry(&r->in, &r->next, r->batch.text + stop, size - stop, err);
    if (st != ML_OK) return st;
    r->bytes += (int64_t)stop;
    mli_csv_batch b = r->batch;
    r->batch = r->next;
    r->next = b;
    return ML_OK;
}

/* ---- all of it ---- */

static ml_status read_all(mli_csv_reader *r, int64_t rows, ml_error *err)
{
    int done = 0;
    ml_status st = begin(r, err);
    while (st == ML_OK && !done && r->rows < rows) st = one_batch(r, &done, err);
    return st;
}

static ml_status changed(const mli_csv_reader *r, ml_error *err)
{
    mli_fail(err, ML_E_IO, "the file changed while it was read");
    mli_error_at(err, ML_E_IO, "%s", r->in.name);
    return mli_error_hint(err, ML_E_IO, "read it again when nobody writes to it");
}

/* The rows in front of columns that became text late. */
static ml_status read_again(mli_csv_reader *r, ml_error *err)
{
    int64_t base = 0, rows = r->rows;
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        if (c->all.base > base) base = c->all.base;
        if (c->all.base) mli_csv_part_reset(&c->front, MLI_CSV_TEXT, c->all.plain);
    }
    if (base == 0) return ML_OK;
    r->second = 1;
    ml_status st = mli_csv_input_rewind(&r->in, err);
    if (st == ML_OK) st = read_all(r, base, err);
    r->rows = rows;
    for (int64_t i = 0; st == ML_OK && i < r->n_columns; i++) {
        if (r->columns[i].front.rows != r->columns[i].all.base) st = changed(r, err);
    }
    return st;
}

static ml_status open_reader(mli_csv_reader *r, const char *path, const ml_io *io,
                             const ml_params *options, mli_csv_sizes sizes, ml_error *err)
{
    ml_status st = mli_csv_options_read(r->ctx, options, &r->o, err);
    if (st == ML_OK && r->o.spill[0])
        st = mli_spill_open(r->ctx, r->o.spill, &r->spill, err);
    if (st == ML_OK)
        st = mli_csv_input_open(r->ctx, path, io, r->o.latin1, sizes, r->spill, &r->in,
                                err);
    if (st != ML_OK) return st;
    struct stat info;
    size_t n = path ? strlen(path) : 0;
    int packed = n > 3 && mli_same_word(path + n - 3, ".gz");
    if (r->in.again && !packed && stat(path, &info) == 0) r->file_size = info.st_size;
    r->next_error = ml_error_new();
    int64_t slots = mli_slots(r->ctx);
    r->slots = mli_calloc(r->ctx, (size_t)slots, sizeof *r->slots);
    if (!r->slots) return mli_nomem(err);
    r->n_slots = slots;
    for (int64_t i = 0; i < slots; i++) {
        mli_csv_index_init(&r->slots[i].index, r->ctx);
        mli_str_init(&r->slots[i].scratch, r->ctx);
    }
    return ML_OK;
}

/* Back to the state before the first batch, options and input kept. */
static void forget(mli_csv_reader *r)
{
    mli_csv_chunks_free(r);
    mli_csv_columns_free(r);
    if (r->header.ctx) mli_csv_header_free(&r->header);
    r->second = 0;
}

static void close_reader(mli_csv_reader *r)
{
    forget(r);
    for (int64_t i = 0; i < r->n_slots; i++) {
        mli_csv_index_free(&r->slots[i].index);
        mli_str_free(&r->slots[i].scratch);
    }
    mli_free(r->ctx, r->slots);
    mli_csv_batch_free(r->ctx, &r->batch);
    mli_csv_batch_free(r->ctx, &r->next);
    mli_csv_input_close(&r->in);
    mli_spill_seal(r->spill);
    mli_spill_free(r->spill);
    mli_csv_options_free(&r->o);
    ml_error_free(r->next_error);
}

static ml_status read_table(mli_csv_reader *r, ml_table **out, ml_error *err)
{
    ml_status st = read_all(r, INT64_MAX, err);
    if (st != ML_OK && r->retry) {
        forget(r);
        r->retry = 0;
        r->o.auto_escape = 0;
        r->o.dialect.escape = '\\';
        st = mli_csv_input_rewind(&r->in, err);
        if (st == ML_OK) st = read_all(r, INT64_MAX, err);
    }
    if (st == ML_OK) st = read_again(r, err);
    if (st == ML_OK) st = mli_csv_table_make(r, out, err);
    if (st == ML_OK && r->dropped) {
        mli_log(r->ctx, ML_LOG_WARNING, "csv", "%s: %lld ragged records left out",
                r->in.name, (long long)r->dropped);
    }
    return st;
}

ml_status mli_csv_read(ml_context *ctx, const char *path, const ml_io *io,
                       const ml_params *options, mli_csv_sizes sizes, ml_table **out,
                       ml_error *err)
{
    mli_csv_reader r = {.ctx = ctx};
    ml_status st = open_reader(&r, path, io, options, sizes, err);
    if (st == ML_OK) st = read_table(&r, out, err);
    close_reader(&r);
    return st;
}

ml_status ml_table_read_csv(ml_context *context, const char *path,
                            const ml_params *options, ml_table **out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!path) return mli_null(error, "path");
    if (!out) return mli_null(error, "out");
    return mli_csv_read(context, path, NULL, options, usual_sizes, out, error);
}

ml_status ml_table_read_csv_io(ml_context *context, const ml_io *io,
                               const ml_params *options, ml_table **out, ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!io || !io->read) return mli_null(error, io ? "io->read" : "io");
    if (!out) return mli_null(error, "out");
    return mli_csv_read(context, NULL, io, options, usual_sizes, out, error);
}
