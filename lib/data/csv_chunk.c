/* SPDX-License-Identifier: MIT
 *
 * csv_chunk.c: cutting a batch into chunks, and parsing one chunk.
 *
 * A cut is put behind a line end, on the guess that it does not lie inside quotes. When
 * the scan of the chunk before ends elsewhere, the guess was wrong, and the chunk is
 * parsed again from the right place (csv_read.c). Once line ends inside quotes have been
 * seen, quotes are counted to guess better.
 */
#include "core/cpu.h"
#include "data/csv_read.h"

#include <string.h>

static mli_csv_chunk *add_chunk(mli_csv_reader *r)
{
    if (r->n_chunks == r->chunk_room) {
        int64_t room = r->chunk_room ? r->chunk_room * 2 : 4;
        mli_csv_chunk *chunks =
            mli_realloc(r->ctx, r->chunks, (size_t)room * sizeof *chunks);
        if (!chunks) return NULL;
        memset(chunks + r->chunk_room, 0,
               (size_t)(room - r->chunk_room) * sizeof *chunks);
        r->chunks = chunks;
        r->chunk_room = room;
    }
    mli_csv_chunk *c = &r->chunks[r->n_chunks];
    if (!c->parts) {
        c->parts = mli_calloc(r->ctx, (size_t)r->n_columns + 1, sizeof *c->parts);
        if (!c->parts) return NULL;
        for (int64_t i = 0; i < r->n_columns; i++)
            mli_csv_part_init(&c->parts[i], r->ctx, NULL);
    }
    r->n_chunks++;
    return c;
}

void mli_csv_chunks_free(mli_csv_reader *r)
{
    for (int64_t k = 0; k < r->chunk_room; k++) {
        mli_csv_part *parts = r->chunks[k].parts;
        for (int64_t i = 0; parts && i < r->n_columns; i++) mli_csv_part_free(&parts[i]);
        mli_free(r->ctx, parts);
    }
    mli_free(r->ctx, r->chunks);
    r->chunks = NULL;
    r->n_chunks = r->chunk_room = 0;
}

static int64_t count_byte(const char *p, const char *end, char c)
{
    int64_t n = 0;
    for (; p < end; p++) n += *p == c;
    return n;
}

/* Behind the next line end outside quotes, if there are `quotes` before p. */
static const char *next_line(const char *p, const char *end, char quote, int64_t quotes)
{
    for (; p < end; p++) {
        if (quote && *p == quote) quotes++;
        if (quotes & 1) continue;
        if (*p == '\n' || (*p == '\r' && p + 1 < end && p[1] != '\n')) return p + 1;
    }
    return end;
}

ml_status mli_csv_chunks_cut(mli_csv_reader *r, ml_error *err)
{
    const mli_csv_batch *b = &r->batch;
    size_t size = r->in.sizes.records * r->row_bytes, least = r->in.sizes.chunk;
    char quote = r->careful ? r->o.dialect.quote : 0;
    if (size < least) size = least;
    r->n_chunks = 0;
    for (size_t at = 0; at < b->size || r->n_chunks == 0;) {
        mli_csv_chunk *c = add_chunk(r);
        if (!c) return mli_nomem(err);
        size_t stop = b->size;
        if (b->size - at > size + size / 2) {
            const char *from = b->text + at, *p = from + size;
            int64_t quotes = quote ? count_byte(from, p, quote) : 0;
            stop = (size_t)(next_line(p, b->text + b->size, quote, quotes) - b->text);
        }
        c->begin = at;
        c->cut = stop;
        at = stop;
    }
    return ML_OK;
}

/* ---- parsing ---- */

/* Keeps the first of several faults. */
static void complain(mli_csv_chunk *c, int bad, size_t at, int64_t field)
{
    if (c->bad && c->bad_at <= at) return;
    c->bad = bad;
    c->bad_at = c->bad_from = at;
    c->bad_field = field;
}

/* Bytes that are no text. */
static void check_bytes(mli_csv_chunk *c, const char *text, const mli_csv_index *x)
{
    if (x->flags & MLI_CSV_ZERO) {
        const char *zero = memchr(text, 0, x->stop);
        if (zero) complain(c, MLI_CSV_BAD_ZERO, c->begin + (size_t)(zero - text), -1);
    }
    if (x->flags & MLI_CSV_HIGH) {
        size_t valid = mli_utf8_valid(text, x->stop);
        if (valid < x->stop) complain(c, MLI_CSV_BAD_UTF8, c->begin + valid, -1);
    }
}

static void ragged_fault(mli_csv_chunk *c, const mli_csv_index *x, const char *text,
                         int64_t record, int64_t width)
{
    int64_t size = x->sizes[record], field = size < width ? size : width;
    size_t begin = (uint32_t)(x->begin[x->fields] + 1),
           at = x->end[x->fields + field - 1];
    if (c->bad && c->bad_at <= c->begin + at) return;
    complain(c, MLI_CSV_BAD_WIDTH, c->begin + at, field);
    c->bad_from = c->begin + begin;
    c->bad_size = size;
    c->bad_byte = text[begin];
}

/* Finds the records. 0 when parsing cannot go on. */
static int find_records(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot)
{
    mli_csv_index *x = &slot->index;
    const char *text = r->batch.text + c->begin;
    int64_t width = r->header.width;
    if (!mli_csv_scan(x, &r->o.dialect, text, c->cut - c->begin, r->batch.size - c->begin,
                      r->batch.last, width)) {
        complain(c, MLI_CSV_BAD_MEMORY, 0, 0);
        return 0;
    }
    c->stop = c->begin + x->stop;
    c->flags = x->flags;
    c->lines = x->lines;
    if (x->fault) {
        int what = x->fault == MLI_CSV_OPEN ? MLI_CSV_BAD_OPEN : MLI_CSV_BAD_TAIL;
        complain(c, what, c->begin + x->fault_at, x->fault_field);
        c->bad_from = c->stop;
    }
    check_bytes(c, text, x);
    int64_t ragged =
        mli_csv_index_level(x, &r->o.dialect, text, width, r->o.on_ragged, &c->dropped);
    if (ragged == -2) complain(c, MLI_CSV_BAD_MEMORY, 0, 0);
    if (ragged >= 0) {
        ragged_fault(c, x, text, ragged, width);
    }
    return c->bad == MLI_CSV_FINE;
}

static mli_csv_view view_of(const mli_csv_reader *r, const mli_csv_chunk *c,
                            const mli_csv_slot *slot, int64_t field)
{
    return (mli_csv_view){
        .dialect = &r->o.dialect,
        .nulls = &r->o.nulls,
        .text = r->batch.text + c->begin,
        .begin = slot->index.begin + field,
        .end = slot->index.end + field,
        .stride = r->header.width,
        .rows = slot->index.records,
        .wide = r->ctx->cpu_level >= MLI_CPU_AVX2,
    };
}

static void value_fault(mli_csv_chunk *c, const mli_csv_view *v, int64_t row,
                        int64_t column, int64_t field)
{
    const char *p = v->text + (uint32_t)(v->begin[row * v->stride] + 1);
    size_t at = c->begin + (size_t)(p - v->text);
    size_t size = (size_t)(v->text + v->end[row * v->stride] - p);
    if (c->bad && c->bad_at <= at) return;
    complain(c, MLI_CSV_BAD_VALUE, at, field);
    c->bad_column = column;
    if (size > sizeof c->bad_text - 1) size = sizeof c->bad_text - 1;
    memcpy(c->bad_text, p, size);
    c->bad_text[size] = 0;
}

static void parse_column(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot,
                         int64_t column, int32_t kind)
{
    const mli_csv_column *col = &r->columns[column];
    mli_csv_view v = view_of(r, c, slot, col->field);
    int64_t row = 0;
    ml_status st = mli_csv_parse(&v, kind, col->forced >= 0, col->all.plain,
                                 &c->parts[column], &slot->scratch, &row);
    if (st == ML_E_PARSE) value_fault(c, &v, row, column, col->field);
    if (st == ML_E_MEMORY) complain(c, MLI_CSV_BAD_MEMORY, 0, 0);
    mli_str_clear(&slot->scratch);
}

void mli_csv_chunk_parse(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot)
{
    c->bad = MLI_CSV_FINE;
    c->rows = c->dropped = 0;
    if (!find_records(r, c, slot)) return;
    c->rows = slot->index.records;
    for (int64_t i = 0; c->rows && i < r->n_columns; i++) {
        const mli_csv_column *col = &r->columns[i];
        if (r->second && !col->all.base) continue;
        parse_column(r, c, slot, i, r->second ? MLI_CSV_TEXT : col->all.kind);
    }
}

void mli_csv_chunk_again(mli_csv_reader *r, mli_csv_chunk *c, mli_csv_slot *slot)
{
    int found = 0;
    for (int64_t i = 0; c->rows && i < r->n_columns; i++) {
        if (!mli_csv_column_stale(&r->columns[i], &c->parts[i])) continue;
        if (!found && !find_records(r, c, slot)) return;
        found = 1;
        parse_column(r, c, slot, i, MLI_CSV_TEXT);
    }
}
