/* SPDX-License-Identifier: MIT
 *
 * trees/bins_sparse.c: rows as lists of what is not usual (the idea is that of LightGBM's
 * multi-value bins and of XGBoost's sparse pages).
 *
 * A histogram is then summed over the entries of rows, not over all columns; what a
 * column has in its usual bin follows from the sum of the leaf, as for bundles. Divisions
 * read the entries of one column, which are spread over an array of all rows. Sums are of
 * whole numbers, so the trees are those of the matrix, to the bit.
 *
 * Memory: 9 bytes an entry, 4 where rows only walk. Cost: a look-up per stored value of
 * sparse columns; of others, per value.
 */
#include "algorithms/trees/bins_sparse.h"
#include "algorithms/trees/bins_parts.h"
#include "core/parallel.h"

#define LEAST_COLUMNS 32
#define LEAST_RATIO   4 /* columns per entry of a row */
#define MOST_PARTS    64
#define PART_ROWS     8192

/* ---- the choice ---- */

static int may_stand_alone(const mli_bin_feature *f)
{
    return f->kind == MLI_NUMERIC && f->sparse && !f->has_missing && f->n_bins >= 2;
}

/* Has a bundle members of two bins alone, which one step of vectors compares? */
static int only_pairs(const mli_binner *b, int32_t head)
{
    for (int32_t j = head; j >= 0; j = b->features[j].next)
        if (b->features[j].n_bins != 2) return 0;
    return 1;
}

/* The members of a bundle get columns of their own. */
static void part(mli_binner *b, int32_t head)
{
    for (int32_t j = head, next; j >= 0; j = next) {
        mli_bin_feature *f = &b->features[j];
        next = f->next;
        f->bundled = f->offset = 1;
        f->follows = 0;
        f->next = -1;
        f->column_bins = f->n_bins;
        f->pairs = f->n_bins == 2;
        f->run_end = j;
    }
}

void mli_bin_choose_sparse(mli_binner *b)
{
    double entries = 0, columns = 0;
    for (int64_t j = 0; j < b->n_features; j++) {
        const mli_bin_feature *f = &b->features[j];
        if (f->n_bins + f->has_missing < 2) continue;
        columns += !f->follows;
        entries += f->bundled || may_stand_alone(f) ? f->away : 1;
    }
    b->sparse = columns >= LEAST_COLUMNS && entries * LEAST_RATIO <= columns;
    for (int64_t j = 0; b->sparse && j < b->n_features; j++) {
        mli_bin_feature *f = &b->features[j];
        if (f->follows || !may_stand_alone(f)) continue;
        if (!f->bundled || !only_pairs(b, (int32_t)j)) part(b, (int32_t)j);
    }
}

/* ---- making the lists ---- */

typedef struct making {
    mli_bin_sparse *s;
    mli_applying apply;
    mli_run *run;
    int by_columns;   /* what is made first */
    int64_t grain;    /* rows per part */
    int64_t parts;    /* of rows */
    int64_t *at;      /* [parts * n_used] */
    uint8_t *bytes;   /* [slots * width] */
    int64_t width;    /* bytes of a slot */
    uint32_t **piece; /* [blocks] entries of the rows of each */
    atomic_int failed;
} making;

static const mli_bin_feature *head_of(const mli_binner *b, int32_t c)
{
    return &b->features[b->feature[c]];
}

/* Entries of a sparse feature that is alone in its column; row NULL: only counted. */
static int64_t list_alone(const making *m, int32_t c, const mli_sparse *held,
                          int32_t *row, uint8_t *bin)
{
    const mli_bin_feature *f = head_of(m->s->binner, c);
    uint8_t bins[MLI_APPLY_ROWS];
    int64_t n = 0;
    for (int64_t i = 0; i < held->n; i += MLI_APPLY_ROWS) {
        int64_t more = held->n - i < MLI_APPLY_ROWS ? held->n - i : MLI_APPLY_ROWS;
        mli_cuts_bytes(&f->cuts, held->values + i, more, (uint8_t)f->n_bins, bins, 1);
        for (int64_t k = 0; k < more; k++) {
            if (bins[k] == f->usual) continue;
            if (row) row[n] = held->rows[i + k];
            if (row) bin[n] = (uint8_t)(f->offset + bins[k] - (bins[k] > f->usual));
            n++;
        }
    }
    return n;
}

/* Entries of any column, from its bytes. */
static int64_t list_bytes(const making *m, int32_t c, int32_t slot, int32_t *row,
                          uint8_t *bin)
{
    const mli_bin_sparse *s = m->s;
    uint8_t *bytes = m->bytes + slot * m->width;
    double *x = m->apply.scratch + (int64_t)slot * MLI_APPLY_ROWS;
    int full = !head_of(s->binner, c)->bundled;
    int64_t n = 0;
    memset(bytes, m->apply.resting ? m->apply.resting[c] : 0, (size_t)s->rows);
    for (int64_t i = 0; i < s->rows; i += MLI_APPLY_ROWS) {
        int64_t end = i + MLI_APPLY_ROWS < s->rows ? i + MLI_APPLY_ROWS : s->rows;
        mli_apply_column(&m->apply, c, i, end, x, bytes + i);
    }
    for (int64_t i = 0; i < s->rows; i++) {
        uint64_t eight;
        if (!full && i + 8 <= s->rows) {
            memcpy(&eight, bytes + i, sizeof eight);
            if (!eight) i += 7;
            if (!eight) continue;
        }
        if (!full && !bytes[i]) continue;
        if (row) row[n] = (int32_t)i;
        if (row) bin[n] = bytes[i];
        n++;
    }
    return n;
}

static int64_t list_column(const making *m, int32_t c, int32_t slot, int32_t *row,
                           uint8_t *bin)
{
    const mli_bin_feature *f = head_of(m->s->binner, c);
    mli_sparse held;
    if (f->bundled && f->next < 0 &&
        mli_apply_rests(&m->apply, m->s->binner->feature[c], &held))
        return list_alone(m, c, &held, row, bin);
    return list_bytes(m, c, slot, row, bin);
}

static void count_column(void *arg, int64_t c, int32_t slot)
{
    making *m = arg;
    if (mli_run_state(m->run) == ML_CANCEL) return;
    m->s->first[c + 1] = list_column(m, (int32_t)c, slot, NULL, NULL);
}

static void write_column(void *arg, int64_t c, int32_t slot)
{
    making *m = arg;
    if (mli_run_state(m->run) == ML_CANCEL) return;
    int64_t first = m->s->first[c];
    list_column(m, (int32_t)c, slot, m->s->row + first, m->s->bin + first);
}

/* The rows of a part, from the lists of the columns. */
static void turn_rows(void *arg, int64_t part, int32_t slot)
{
    making *m = arg;
    mli_bin_sparse *s = m->s;
    int64_t begin = part * m->grain, end = begin + m->grain;
    (void)slot;
    for (int32_t c = 0; c < s->binner->n_used; c++) {
        mli_sparse list = {s->first[c + 1] - s->first[c], s->row + s->first[c], NULL};
        int64_t at, last = mli_sparse_range(&list, begin, end, &at);
        uint32_t cell = (uint32_t)s->binner->cell[c];
        for (at += s->first[c], last += s->first[c]; at < last; at++) {
            if (m->by_columns == 2)
                s->cell[s->start[s->row[at]]++] = cell + s->bin[at];
            else
                s->start[s->row[at] + 1]++;
        }
    }
}

static ml_status room_by_row(mli_bin_sparse *s, ml_error *err)
{
    for (int64_t i = 0; i < s->rows; i++) s->start[i + 1] += s->start[i];
    s->cell = mli_alloc_vec(s->binner->ctx, s->start[s->rows] + 1, sizeof *s->cell);
    return s->cell ? ML_OK : mli_nomem(err);
}

static ml_status room_by_column(mli_bin_sparse *s, ml_error *err)
{
    for (int32_t c = 0; c < s->binner->n_used; c++) s->first[c + 1] += s->first[c];
    int64_t n = s->first[s->binner->n_used] + 1;
    s->row = mli_alloc_vec(s->binner->ctx, n, sizeof *s->row);
    s->bin = mli_alloc_vec(s->binner->ctx, n, sizeof *s->bin);
    return s->row && s->bin ? ML_OK : mli_nomem(err);
}

/* Designs with sparse columns: column by column, then turned. */
static ml_status from_columns(making *m, ml_error *err)
{
    mli_bin_sparse *s = m->s;
    ml_context *ctx = s->binner->ctx;
    m->apply.stride = 1;
    m->width = s->rows;
    m->bytes = mli_alloc_vec(ctx, mli_slots(ctx) * m->width + 8, 1);
    if (!m->bytes) return mli_nomem(err);
    mli_parallel(ctx, s->binner->n_used, count_column, m);
    ml_status status = room_by_column(s, err);
    if (status == ML_OK) mli_parallel(ctx, s->binner->n_used, write_column, m);
    if (status == ML_OK) status = mli_run_check(m->run, err);
    if (status != ML_OK) return status;
    m->by_columns = 1;
    mli_parallel(ctx, m->parts, turn_rows, m);
    status = room_by_row(s, err);
    if (status != ML_OK) return status;
    m->by_columns = 2;
    mli_parallel(ctx, m->parts, turn_rows, m);
    for (int64_t i = s->rows; i > 0; i--) s->start[i] = s->start[i - 1];
    s->start[0] = 0;
    return ML_OK;
}

/* Entries of a row of the matrix; out NULL: only counted. */
static int64_t list_row(const mli_binner *b, const uint8_t *full, const uint8_t *bins,
                        uint32_t *out)
{
    int64_t n = 0;
    for (int32_t c = 0; c < b->n_used; c++) {
        uint64_t eight, always;
        if (c + 8 <= b->n_used) {
            memcpy(&eight, bins + c, sizeof eight);
            memcpy(&always, full + c, sizeof always);
            if (!(eight | always)) c += 7;
            if (!(eight | always)) continue;
        }
        if (!bins[c] && !full[c]) continue;
        if (out) out[n] = (uint32_t)b->cell[c] + bins[c];
        n++;
    }
    return n;
}

static void list_block(void *arg, int64_t task, int32_t slot)
{
    making *m = arg;
    mli_bin_sparse *s = m->s;
    const mli_binner *b = s->binner;
    int64_t begin = task * m->apply.block, end = begin + m->apply.block, n = 0;
    uint8_t *bytes = m->bytes + slot * m->width, *full = bytes + m->width - b->stride;
    if (mli_run_state(m->run) == ML_CANCEL || atomic_load(&m->failed)) return;
    if (end > s->rows) end = s->rows;
    for (int32_t c = 0; c < b->n_used; c++) full[c] = !head_of(b, c)->bundled;
    mli_apply_rows(&m->apply, begin, end,
                   m->apply.scratch + (int64_t)slot * MLI_APPLY_ROWS, bytes);
    for (int64_t i = begin; i < end; i++)
        n += s->start[i + 1] = list_row(b, full, bytes + (i - begin) * b->stride, NULL);
    uint32_t *to = m->piece[task] = mli_alloc_vec(b->ctx, n + 1, sizeof *to);
    if (!to) atomic_store(&m->failed, 1);
    for (int64_t i = begin; to && i < end; i++)
        to += list_row(b, full, bytes + (i - begin) * b->stride, to);
}

static void copy_block(void *arg, int64_t task, int32_t slot)
{
    making *m = arg;
    mli_bin_sparse *s = m->s;
    int64_t begin = task * m->apply.block, end = begin + m->apply.block;
    (void)slot;
    if (end > s->rows) end = s->rows;
    memcpy(s->cell + s->start[begin], m->piece[task],
           (size_t)(s->start[end] - s->start[begin]) * sizeof *s->cell);
}

/* Per part the entries of each column, then where they go. */
static void turn_columns(void *arg, int64_t part, int32_t slot)
{
    making *m = arg;
    mli_bin_sparse *s = m->s;
    int64_t begin = part * m->grain, end = begin + m->grain;
    int64_t *at = m->at + part * s->binner->n_used;
    (void)slot;
    if (end > s->rows) end = s->rows;
    for (int64_t i = begin; i < end; i++) {
        for (int64_t e = s->start[i]; e < s->start[i + 1]; e++) {
            int32_t c = s->column_of[s->cell[e] >> 2];
            if (s->row) {
                s->row[at[c]] = (int32_t)i;
                s->bin[at[c]] = (uint8_t)(s->cell[e] - (uint32_t)s->binner->cell[c]);
            }
            at[c]++;
        }
    }
}

static ml_status columns_of_rows(making *m, ml_error *err)
{
    mli_bin_sparse *s = m->s;
    int32_t n = s->binner->n_used;
    m->at = mli_calloc(s->binner->ctx, (size_t)(m->parts * n) + 1, sizeof *m->at);
    if (!m->at) return mli_nomem(err);
    mli_parallel(s->binner->ctx, m->parts, turn_columns, m);
    for (int32_t c = 0; c < n; c++)
        for (int64_t p = 0; p < m->parts; p++) s->first[c + 1] += m->at[p * n + c];
    ml_status status = room_by_column(s, err);
    for (int32_t c = 0; c < n; c++) {
        int64_t at = s->first[c];
        for (int64_t p = 0; p < m->parts; p++) {
            int64_t here = m->at[p * n + c];
            m->at[p * n + c] = at;
            at += here;
        }
    }
    if (status == ML_OK) mli_parallel(s->binner->ctx, m->parts, turn_columns, m);
    return status;
}

/* Other designs: block by block of the matrix, of which only a block at a time is made.
 */
static ml_status from_rows(making *m, int by_column, ml_error *err)
{
    mli_bin_sparse *s = m->s;
    ml_context *ctx = s->binner->ctx;
    int64_t blocks = mli_task_count(s->rows, m->apply.block);
    m->width = (m->apply.block + 1) * s->binner->stride;
    m->bytes = mli_alloc_vec(ctx, mli_slots(ctx) * m->width + 64, 1);
    m->piece = mli_calloc(ctx, (size_t)blocks + 1, sizeof *m->piece);
    if (!m->bytes || !m->piece) return mli_nomem(err);
    mli_parallel(ctx, blocks, list_block, m);
    ml_status status = mli_run_check(m->run, err);
    if (status == ML_OK && atomic_load(&m->failed)) status = mli_nomem(err);
    if (status == ML_OK) status = room_by_row(s, err);
    if (status == ML_OK) mli_parallel(ctx, blocks, copy_block, m);
    for (int64_t i = 0; i < blocks; i++) mli_free(ctx, m->piece[i]);
    return status == ML_OK && by_column ? columns_of_rows(m, err) : status;
}

static int has_sparse(const mli_design *d)
{
    mli_sparse s;
    for (int64_t j = 0; j < d->n_features; j++)
        if (mli_design_sparse(d, j, &s)) return 1;
    return 0;
}

static ml_status make_lists(making *m, const mli_design *d, int by_column, ml_error *err)
{
    mli_bin_sparse *s = m->s;
    const mli_binner *b = s->binner;
    m->grain = (s->rows + MOST_PARTS - 1) / MOST_PARTS;
    if (m->grain < PART_ROWS) m->grain = PART_ROWS;
    m->parts = mli_task_count(s->rows, m->grain);
    s->start = mli_calloc(b->ctx, (size_t)s->rows + 1, sizeof *s->start);
    s->first = mli_calloc(b->ctx, (size_t)b->n_used + 1, sizeof *s->first);
    s->column_of = mli_calloc(b->ctx, (size_t)b->n_cells / 4 + 1, sizeof *s->column_of);
    ml_status status = s->start && s->first && s->column_of ? ML_OK : mli_nomem(err);
    if (status != ML_OK) return status;
    for (int32_t c = 0; c < b->n_used; c++)
        for (int64_t k = 0; k < MLI_LIST_CELLS(b->bins[c]); k += 4)
            s->column_of[(b->cell[c] + k) >> 2] = c;
    status = mli_applying_make(&m->apply, b, d, m->run, err);
    if (status == ML_OK)
        status = has_sparse(d) ? from_columns(m, err) : from_rows(m, by_column, err);
    mli_applying_free(&m->apply);
    mli_free(b->ctx, m->at);
    mli_free(b->ctx, m->bytes);
    mli_free(b->ctx, m->piece);
    return status;
}

static ml_status make_scratch(mli_bin_sparse *s, int by_column, ml_error *err)
{
    ml_context *ctx = s->binner->ctx;
    size_t slots = (size_t)mli_slots(ctx);
    s->tile = mli_calloc(ctx, slots, (size_t)(MLI_TILE * s->binner->stride));
    if (!s->tile) return mli_nomem(err);
    if (!by_column) {
        void *blocks[] = {s->first, s->row, s->bin};
        for (int i = 0; i < 3; i++) mli_free(ctx, blocks[i]);
        s->first = NULL;
        s->row = NULL;
        s->bin = NULL;
        return ML_OK;
    }
    s->spread = mli_calloc(ctx, slots, (size_t)s->rows);
    s->spread_of = mli_calloc(ctx, slots, sizeof *s->spread_of);
    if (!s->spread || !s->spread_of) return mli_nomem(err);
    for (size_t i = 0; i < slots; i++) s->spread_of[i] = -1;
    return ML_OK;
}

ml_status mli_bin_sparse_make(const mli_binner *b, const mli_design *d, int by_column,
                              mli_run *run, mli_bin_sparse **out, ml_error *err)
{
    mli_bin_sparse *s = mli_calloc(b->ctx, 1, sizeof *s);
    if (!s) return mli_nomem(err);
    s->binner = b;
    s->rows = d->rows;
    making m = {.s = s, .run = run};
    ml_status status = make_lists(&m, d, by_column, err);
    if (status == ML_OK) status = make_scratch(s, by_column, err);
    if (status == ML_OK)
        *out = s;
    else
        mli_bin_sparse_free(s);
    return status;
}

void mli_bin_sparse_free(mli_bin_sparse *s)
{
    if (!s) return;
    void *blocks[] = {s->start,     s->cell, s->first,  s->row,      s->bin,
                      s->column_of, s->tile, s->spread, s->spread_of};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mli_free(s->binner->ctx, blocks[i]);
    mli_free(s->binner->ctx, s);
}

ml_status mli_bin_store_make(mli_bin_store *s, const mli_binner *b, const mli_design *d,
                             int by_column, mli_run *run, ml_error *err)
{
    if (b->sparse) return mli_bin_sparse_make(b, d, by_column, run, &s->lists, err);
    return mli_binner_apply(b, d, run, &s->matrix, err);
}

void mli_bin_store_free(ml_context *ctx, mli_bin_store *s)
{
    mli_free(ctx, s->matrix);
    mli_bin_sparse_free(s->lists);
    *s = (mli_bin_store){0};
}

/* ---- using them ---- */

#define AHEAD 8

static inline void fetch_row(const mli_bin_sparse *s, uint32_t row)
{
    const uint32_t *cell = s->cell + s->start[row];
    __builtin_prefetch(cell);
    __builtin_prefetch(cell + 16);
}

void mli_bin_sparse_add(const mli_bin_sparse *s, const uint32_t *rows, const uint64_t *gh,
                        int64_t n, uint64_t *restrict hist)
{
    uint8_t *touched = (uint8_t *)(hist + s->binner->map);
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) fetch_row(s, rows[i + AHEAD]);
        const uint32_t *cell = s->cell + s->start[rows[i]];
        const uint32_t *end = s->cell + s->start[rows[i] + 1];
        uint64_t g = gh[i];
        for (; cell < end; cell++) {
            hist[*cell] += g;
            touched[*cell >> 2] = 1;
        }
    }
}

void mli_bin_sparse_count(const mli_bin_sparse *s, const uint32_t *rows, int64_t n,
                          uint32_t *count)
{
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD < n) fetch_row(s, rows[i + AHEAD]);
        const uint32_t *cell = s->cell + s->start[rows[i]];
        const uint32_t *end = s->cell + s->start[rows[i] + 1];
        for (; cell < end; cell++) count[*cell]++;
    }
}

const uint8_t *mli_bin_sparse_column(mli_bin_sparse *s, int32_t column, int32_t slot)
{
    uint8_t *bins = s->spread + slot * s->rows;
    int32_t old = s->spread_of[slot];
    if (old == column) return bins;
    for (int64_t e = old < 0 ? 0 : s->first[old]; old >= 0 && e < s->first[old + 1]; e++)
        bins[s->row[e]] = 0;
    for (int64_t e = s->first[column]; e < s->first[column + 1]; e++)
        bins[s->row[e]] = s->bin[e];
    s->spread_of[slot] = column;
    return bins;
}

const uint8_t *mli_bin_sparse_lay(const mli_bin_sparse *s, int64_t row, int64_t k,
                                  int32_t slot)
{
    uint8_t *to = s->tile + (slot * MLI_TILE + k) * s->binner->stride;
    for (int64_t e = s->start[row]; e < s->start[row + 1]; e++) {
        int32_t c = s->column_of[s->cell[e] >> 2];
        to[c] = (uint8_t)(s->cell[e] - (uint32_t)s->binner->cell[c]);
    }
    return to;
}

void mli_bin_sparse_clear(const mli_bin_sparse *s, int64_t row, int64_t k, int32_t slot)
{
    uint8_t *to = s->tile + (slot * MLI_TILE + k) * s->binner->stride;
    for (int64_t e = s->start[row]; e < s->start[row + 1]; e++)
        to[s->column_of[s->cell[e] >> 2]] = 0;
}
