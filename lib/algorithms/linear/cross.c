/* SPDX-License-Identifier: MIT
 *
 * linear/cross.c: cross products X' diag(h) X of sets of columns some of which are
 * sparse.
 *
 * The dense ones are multiplied in tiles (pass.c). Of the sparse ones the products of
 * plain values v are summed row by row: each pair of entries of a row is one addition, so
 * that a row with k entries in the set costs k^2 / 2, however large the set is. With
 * x = (v - m) / s, sums over the rows of h give
 *
 *     s_i s_j X_i'hX_j = v_i'hv_j - m_i h'v_j - m_j h'v_i + m_i m_j sum of h
 *     s_i X_i'hX_k     = v_i'hX_k - m_i h'X_k                       (k dense)
 *
 * which loses no digits to speak of, since m / s is small where most values are 0.
 *
 * Buffers: for each matrix n_sparse (n_sparse + 1) / 2 and n_sparse * width doubles.
 */
#include "algorithms/linear/cross.h"

#include <string.h>

ml_status mli_cross_new(const mli_rows *r, const int64_t *columns, int64_t n_columns,
                        mli_cross *c, ml_error *err)
{
    ml_context *ctx = r->ctx;
    int64_t n = columns ? n_columns : r->q;
    *c = (mli_cross){.rows = r, .n = n, .ones = -1};
    c->where = mli_alloc_vec(ctx, n, sizeof *c->where);
    c->dense = mli_alloc_vec(ctx, n + 1, sizeof *c->dense);
    c->sparse = mli_alloc_vec(ctx, n, sizeof *c->sparse);
    if (!c->where || !c->dense || !c->sparse) {
        mli_cross_free(c);
        return mli_nomem(err);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t j = columns ? columns[i] : i, place = r->place[j];
        if (j == r->p) c->ones = c->n_dense;
        c->where[i] = place >= 0 ? c->n_dense : -1 - c->n_sparse;
        if (place >= 0)
            c->dense[c->n_dense++] = place;
        else
            c->sparse[c->n_sparse++] = -1 - place;
    }
    if (c->n_sparse && c->ones < 0 && r->q > r->p) {
        c->ones = c->n_dense;
        c->dense[c->n_dense++] = r->place[r->p];
    }
    if (!c->n_sparse) return ML_OK;
    c->width = c->n_dense;
    c->part = c->n_sparse * (c->n_sparse + 1) / 2 + c->n_sparse * c->width;
    for (int64_t b = 0; b < r->sparse.n_blocks; b++) {
        const uint32_t *start = r->sparse.blocks[b].start;
        int64_t entries = 0;
        for (int64_t i = 0; i < c->n_sparse; i++)
            entries += start[c->sparse[i] + 1] - start[c->sparse[i]];
        if (entries > c->entries) c->entries = entries;
    }
    return ML_OK;
}

void mli_cross_free(mli_cross *c)
{
    if (!c->rows) return;
    mli_free(c->rows->ctx, c->where);
    mli_free(c->rows->ctx, c->dense);
    mli_free(c->rows->ctx, c->sparse);
    *c = (mli_cross){0};
}

/* ---- rows of a block ---- */

/* Scratch: values, then the dense columns of a row, then columns and first entries. */
typedef struct {
    double *value, *dense;
    int32_t *column;
    uint32_t *first; /* [block + 2] first entry of each row */
} lists;

static lists lists_of(const mli_cross *c, double *scratch)
{
    lists l = {.value = scratch, .dense = scratch + c->entries};
    l.column = (int32_t *)(void *)(l.dense + c->width);
    l.first = (uint32_t *)(void *)(l.column + c->entries);
    return l;
}

int64_t mli_cross_scratch(const mli_cross *c)
{
    if (!c->n_sparse) return 0;
    return c->entries + c->width + (c->entries + c->rows->sparse.block + 2) / 2 + 8;
}

void mli_cross_open(const mli_cross *c, int64_t block, double *scratch)
{
    const mli_sparse_rows *s = &c->rows->sparse;
    const mli_sparse_block *b = &s->blocks[block];
    lists l = lists_of(c, scratch);
    memset(l.first, 0, (size_t)(s->block + 2) * sizeof *l.first);
    for (int64_t i = 0; i < c->n_sparse; i++)
        for (uint32_t e = b->start[c->sparse[i]]; e < b->start[c->sparse[i] + 1]; e++)
            l.first[b->row[e] + 2]++;
    for (int64_t i = 2; i <= s->block; i++) l.first[i + 1] += l.first[i];
    for (int64_t i = 0; i < c->n_sparse; i++) {
        const double *value = c->sparse[i] < s->n_values ? b->value : NULL;
        for (uint32_t e = b->start[c->sparse[i]]; e < b->start[c->sparse[i] + 1]; e++) {
            uint32_t at = l.first[b->row[e] + 1]++;
            l.column[at] = (int32_t)i;
            l.value[at] = value ? value[e] : 1.0;
        }
    }
}

/* All pairs of the entries of a row. */
static void add_pairs(const lists *l, uint32_t begin, uint32_t end, double h,
                      double *pairs)
{
    for (uint32_t e = begin; e < end; e++) {
        int64_t i = l->column[e];
        double *row = pairs + i * (i + 1) / 2, v = h * l->value[e];
        for (uint32_t o = begin; o <= e; o++) row[l->column[o]] += v * l->value[o];
    }
}

/* The entries times the dense columns. */
static void add_dense(const lists *l, uint32_t begin, uint32_t end, int64_t width,
                      double *products)
{
    for (uint32_t e = begin; e < end; e++) {
        double *to = products + l->column[e] * width, v = l->value[e];
        for (int64_t k = 0; k < width; k++) to[k] += v * l->dense[k];
    }
}

void mli_cross_add(const mli_cross *c, int64_t from, int64_t n, const double *dense,
                   const double *h, double *part, double *scratch)
{
    lists l = lists_of(c, scratch);
    double *products = part + c->n_sparse * (c->n_sparse + 1) / 2;
    for (int64_t i = 0; i < n; i++) {
        uint32_t begin = l.first[from + i], end = l.first[from + i + 1];
        if (begin == end || h[i] == 0) continue;
        add_pairs(&l, begin, end, h[i], part);
        for (int64_t k = 0; k < c->width; k++)
            l.dense[k] = h[i] * dense[k * c->rows->ld + i];
        add_dense(&l, begin, end, c->width, products);
    }
}

/* ---- the matrix ---- */

typedef struct {
    const mli_cross *c;
    const double *part, *dense;
} product;

static double dense_pair(const product *p, int64_t i, int64_t j)
{
    return i >= j ? p->dense[i * p->c->n_dense + j] : p->dense[j * p->c->n_dense + i];
}

/* Sparse column i of the set with dense column k; its sum with h. */
static double mixed(const product *p, int64_t i, int64_t k)
{
    const mli_cross *c = p->c;
    return p->part[c->n_sparse * (c->n_sparse + 1) / 2 + i * c->width + k];
}

static double sparse_pair(const product *p, int64_t i, int64_t j)
{
    const mli_cross *c = p->c;
    const mli_rows *r = c->rows;
    int64_t at = i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i;
    int64_t a = r->sparse.column[c->sparse[i]], b = r->sparse.column[c->sparse[j]];
    double v = p->part[at];
    if (c->ones >= 0)
        v += r->shift[a] * r->shift[b] * dense_pair(p, c->ones, c->ones) -
             (r->shift[a] * mixed(p, j, c->ones) + r->shift[b] * mixed(p, i, c->ones));
    return v / r->size[a] / r->size[b];
}

static double mixed_pair(const product *p, int64_t i, int64_t k)
{
    const mli_cross *c = p->c;
    const mli_rows *r = c->rows;
    int64_t a = r->sparse.column[c->sparse[i]];
    double v = mixed(p, i, k);
    if (c->ones >= 0) v -= r->shift[a] * dense_pair(p, c->ones, k);
    return v / r->size[a];
}

void mli_cross_finish(const mli_cross *c, const double *part, const double *dense,
                      double *gram)
{
    product p = {c, part, dense};
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t j = 0; j <= i; j++) {
            int64_t a = c->where[i], b = c->where[j];
            double v = a >= 0 && b >= 0 ? dense_pair(&p, a, b)
                       : a < 0 && b < 0 ? sparse_pair(&p, -1 - a, -1 - b)
                       : a < 0          ? mixed_pair(&p, -1 - a, b)
                                        : mixed_pair(&p, -1 - b, a);
            gram[i * c->n + j] = v;
        }
}
