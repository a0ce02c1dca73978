/* SPDX-License-Identifier: MIT
 *
 * algorithms/columns_sparse.c: columns that a transformer makes of which most values are
 * 0: only the others are held.
 *
 * A plan gives whole rows, block by block; what is not 0 in a block is kept in a piece.
 * Once all are there, the pieces are turned into columns: entries are counted by part and
 * column first, so that each part of the pieces knows its places and columns do not
 * depend on threads. Cost: a look at each value of a block, and 28 bytes for each entry
 * while the pieces are turned, 12 afterwards.
 */
#include "algorithms/columns_parts.h"

#include <string.h>

#define MOST_SHARE 8 /* a column is sparse when at most one in so many rows is not 0 */
#define PART       (1 << 20) /* entries turned by one task, at least */
#define MOST_PARTS 16

typedef struct {
    int32_t row, column;
    double value;
} entry;

struct mli_piece {
    int64_t n;
    entry entries[];
};

/* ---- pieces ---- */

ml_status mli_collect_start(ml_context *ctx, mli_turning *t, int64_t rows,
                            mli_collecting *c, ml_error *err)
{
    *c = (mli_collecting){
        .ctx = ctx, .turning = t, .rows = rows, .wide = t->outputs->n_features};
    c->piece = mli_calloc(ctx, (size_t)rows + 1, sizeof(mli_piece *));
    return c->piece ? ML_OK : mli_nomem(err);
}

void mli_collect_free(mli_collecting *c)
{
    for (int64_t i = 0; c->piece && i < c->rows; i++) mli_free(c->ctx, c->piece[i]);
    mli_free(c->ctx, c->piece);
    c->piece = NULL;
}

/* Any bit, so that -0 is kept. */
static int is_zero(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits == 0;
}

static int eight_zeros(const double *x)
{
    uint64_t bits[8], any = 0;
    memcpy(bits, x, sizeof bits);
    for (int k = 0; k < 8; k++) any |= bits[k];
    return any == 0;
}

/* Entries of n rows from `begin` on, into `to` unless it is NULL; returns their number.
 */
static int64_t find_entries(const mli_collecting *c, int64_t begin, int64_t n,
                            const double *rows, entry *to)
{
    const uint8_t *way = c->turning->way;
    int64_t count = 0, wide = c->wide;
    for (int64_t i = 0; i < n; i++, rows += wide)
        for (int64_t j = 0; j < wide;) {
            int64_t end = j + 8 < wide ? j + 8 : wide;
            if (end - j == 8 && eight_zeros(rows + j)) j = end;
            for (; j < end; j++) {
                if (is_zero(rows[j]) || way[j] != MLI_COLLECTED) continue;
                if (to) to[count] = (entry){(int32_t)(begin + i), (int32_t)j, rows[j]};
                count++;
            }
        }
    return count;
}

void mli_collect_block(mli_collecting *c, int64_t begin, int64_t n, const double *rows)
{
    int64_t count = find_entries(c, begin, n, rows, NULL);
    mli_piece *p = mli_alloc(c->ctx, sizeof *p + (size_t)count * sizeof(entry));
    if (!p) {
        atomic_store(&c->failed, 1);
        return;
    }
    p->n = find_entries(c, begin, n, rows, p->entries);
    for (int64_t k = 0; k < count; k++)
        if (p->entries[k].value != p->entries[k].value)
            atomic_fetch_add(&c->turning->missing[p->entries[k].column], 1);
    c->piece[begin] = p;
}

/* ---- from pieces to columns ---- */

typedef struct {
    const mli_collecting *c;
    int64_t n_pieces, parts;
    int64_t *at;            /* [parts * columns] how many entries, then where they go */
    int64_t *first, *count; /* [columns] of the sparse ones in the buffer */
    int32_t *rows;
    double *values;
} sorting;

static mli_piece **pieces_of(const sorting *s, int64_t part, mli_piece ***end)
{
    mli_piece **list = s->c->piece;
    *end = list + s->n_pieces * (part + 1) / s->parts;
    return list + s->n_pieces * part / s->parts;
}

static void count_part(void *arg, int64_t part, int32_t slot)
{
    const sorting *s = arg;
    int64_t *count = s->at + part * s->c->wide;
    mli_piece **end, **p = pieces_of(s, part, &end);
    (void)slot;
    for (; p < end; p++)
        for (int64_t k = 0; k < (*p)->n; k++) count[(*p)->entries[k].column]++;
}

/* Entries into their column, whose memory is of either kind. */
static void place_part(void *arg, int64_t part, int32_t slot)
{
    const sorting *s = arg;
    const mli_turning *t = s->c->turning;
    int64_t *at = s->at + part * s->c->wide;
    mli_piece **end, **p = pieces_of(s, part, &end);
    (void)slot;
    for (; p < end; p++)
        for (int64_t k = 0; k < (*p)->n; k++) {
            const entry *e = &(*p)->entries[k];
            if (t->way[e->column] == MLI_COLLECTED) {
                int64_t to = at[e->column]++;
                s->rows[to] = e->row;
                s->values[to] = e->value;
            } else {
                double *plain = (double *)(uintptr_t)t->table->columns[e->column].data;
                plain[e->row] = e->value;
            }
        }
}

static ml_status make_plain(const mli_collecting *c, int64_t j, ml_error *err)
{
    mli_column *to = &c->turning->table->columns[j];
    double *data = NULL;
    to->keep[0] = mli_buffer_new(c->ctx, (size_t)c->rows * sizeof *data, &data);
    if (!to->keep[0]) return mli_nomem(err);
    to->type = ML_DTYPE_F64;
    to->rows = c->rows;
    to->stride = 1;
    to->data = data;
    return ML_OK;
}

/* Which columns are sparse, and where the entries of each and each part go. */
static ml_status lay_out(sorting *s, int64_t *total, ml_error *err)
{
    const mli_collecting *c = s->c;
    mli_turning *t = c->turning;
    ml_status status = ML_OK;
    *total = 0;
    for (int64_t j = 0; j < c->wide && !status; j++) {
        if (t->way[j] != MLI_COLLECTED) continue;
        for (int64_t p = 0; p < s->parts; p++) s->count[j] += s->at[p * c->wide + j];
        if (atomic_load(&t->missing[j]) || s->count[j] * MOST_SHARE > c->rows) {
            t->way[j] = MLI_PLAIN;
            status = make_plain(c, j, err);
            continue;
        }
        s->first[j] = *total;
        for (int64_t p = 0; p < s->parts; p++) {
            int64_t n = s->at[p * c->wide + j];
            s->at[p * c->wide + j] = *total;
            *total += n;
        }
    }
    return status;
}

static ml_status sort_pieces(sorting *s, ml_error *err)
{
    const mli_collecting *c = s->c;
    int64_t total = 0;
    void *memory = NULL;
    mli_parallel(c->ctx, s->parts, count_part, s);
    ml_status status = lay_out(s, &total, err);
    if (status) return status;
    mli_buffer *keep = mli_buffer_room(
        c->ctx, (size_t)total * (sizeof(double) + sizeof(int32_t)), &memory);
    if (!keep) return mli_nomem(err);
    s->values = memory;
    s->rows = (int32_t *)(void *)(s->values + total);
    mli_parallel(c->ctx, s->parts, place_part, s);
    for (int64_t j = 0; j < c->wide; j++) {
        mli_sparse made = {s->count[j], s->rows + s->first[j], s->values + s->first[j]};
        if (c->turning->way[j] == MLI_COLLECTED)
            mli_column_make_sparse(&c->turning->table->columns[j], c->rows, made,
                                   mli_buffer_ref(keep));
    }
    mli_buffer_free(keep);
    return ML_OK;
}

ml_status mli_collect_finish(mli_collecting *c, ml_error *err)
{
    sorting s = {.c = c};
    int64_t entries = 0;
    if (atomic_load(&c->failed)) return mli_nomem(err);
    for (int64_t i = 0; i < c->rows; i++) {
        mli_piece *p = c->piece[i];
        if (!p) continue;
        entries += p->n;
        c->piece[i] = NULL;
        c->piece[s.n_pieces++] = p;
    }
    s.parts = mli_task_count(entries, PART);
    s.parts = s.parts < 1 ? 1 : s.parts > MOST_PARTS ? MOST_PARTS : s.parts;
    s.at = mli_calloc(c->ctx, (size_t)(s.parts * c->wide), sizeof *s.at);
    s.first = mli_calloc(c->ctx, (size_t)c->wide, sizeof *s.first);
    s.count = mli_calloc(c->ctx, (size_t)c->wide, sizeof *s.count);
    ml_status status = s.at && s.first && s.count ? sort_pieces(&s, err) : mli_nomem(err);
    mli_free(c->ctx, s.at);
    mli_free(c->ctx, s.first);
    mli_free(c->ctx, s.count);
    return status;
}

/* ---- entries alone ---- */

/* Does the plan make one number of this feature, and 0 of 0? */
static int maps_entries(const mli_plan *plan, const mli_design *d,
                        const mli_inputs *outputs, int64_t j)
{
    const double zero = 0;
    double made = 1;
    mli_sparse s;
    if (plan->first[j + 1] - plan->first[j] != 1 || !mli_design_sparse(d, j, &s))
        return 0;
    if (outputs->features[plan->first[j]].kind != MLI_NUMERIC) return 0;
    plan->column(plan, j, &zero, 1, &made, 1);
    return is_zero(made);
}

static void map_entries(void *arg, int64_t j, int32_t slot)
{
    const mli_mapping *m = arg;
    int64_t output = m->plan->first[j];
    double *to = m->values + m->first[j];
    mli_sparse s;
    (void)slot;
    if (m->plan->first[j + 1] == output || m->turning->way[output] != MLI_MAPPED) return;
    mli_design_sparse(m->design, j, &s);
    m->plan->column(m->plan, j, s.values, s.n, to, 1);
    for (int64_t i = 0; i < s.n; i++)
        if (to[i] != to[i]) m->turning->way[output] = MLI_PLAIN;
}

ml_status mli_mapping_start(const mli_plan *plan, const mli_design *design,
                            mli_turning *t, mli_mapping *m, ml_error *err)
{
    ml_context *ctx = design->ctx;
    int64_t n = design->n_features;
    mli_sparse s;
    *m = (mli_mapping){.plan = plan, .design = design, .turning = t};
    m->first = mli_calloc(ctx, (size_t)n + 1, sizeof *m->first);
    if (!m->first) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) {
        m->first[j + 1] = m->first[j];
        if (!maps_entries(plan, design, t->outputs, j)) continue;
        t->way[plan->first[j]] = MLI_MAPPED;
        m->first[j + 1] += mli_design_sparse(design, j, &s) ? s.n : 0;
    }
    m->memory = mli_buffer_room(ctx, (size_t)m->first[n] * sizeof(double), &m->values);
    if (!m->memory) return mli_nomem(err);
    mli_parallel(ctx, n, map_entries, m);
    return ML_OK;
}

void mli_mapping_finish(mli_mapping *m)
{
    for (int64_t j = 0; j < m->design->n_features; j++) {
        int64_t output = m->plan->first[j];
        const mli_column *in = m->design->columns[j].column;
        mli_sparse s;
        if (m->plan->first[j + 1] == output || m->turning->way[output] != MLI_MAPPED)
            continue;
        mli_design_sparse(m->design, j, &s);
        s.values = m->values + m->first[j];
        mli_column *to = &m->turning->table->columns[output];
        mli_column_make_sparse(to, m->design->rows, s, mli_buffer_ref(m->memory));
        to->keep[1] = mli_buffer_ref(mli_column_holder(in, s.rows));
    }
}

void mli_mapping_free(mli_mapping *m)
{
    if (!m->design) return;
    mli_free(m->design->ctx, m->first);
    mli_buffer_free(m->memory);
}
