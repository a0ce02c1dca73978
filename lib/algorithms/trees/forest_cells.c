/* SPDX-License-Identifier: MIT
 *
 * trees/forest_cells.c: the best split of a larger node on one feature without sorting
 * all of it, for numbers and for more than two classes (Gini).
 *
 * As in forest_bound.c rows are counted in cells of codes, and only cells that may have
 * the best split inside are sorted. With weight W and sums C[k] of the node, a split of
 * weight w and sums l[k] on the left is worth r = sum_k (l[k] W - C[k] w)^2 / (w (W -
 * w)).
 *
 * Inside a cell of weight x and sums x[k] each term lies between two numbers: classes
 * gain at most x[k] of weight, and lose by the others at most x - x[k]; centred numbers
 * move by the sums of the positive and of the negative ones. The weights w (W - w) are
 * least at one of the edges of the cell. A cell at either end has no such bound, and is
 * always opened.
 *
 * Cost: about 5 cycles per row, and as many per cell and class.
 */
#include "algorithms/trees/forest.h"
#include <math.h>
#include <string.h>

#define MOST  MLI_FOREST_CELLS
#define SHARE 8          /* rows per cell, about */
#define NEAR  (1 - 1e-9) /* the error of two ratings */

/* Sums of numbers: weight, centred target, its absolute value, rows. */
enum { WEIGHT, TARGET, WAY, COUNT, NUMBERS };

typedef double two __attribute__((vector_size(16)));

typedef struct cells {
    const mli_forest_search *a;
    mli_forest_grid grid;
    uint16_t *code, *cell; /* [rows] */
    int64_t width;         /* sums of a cell */
    double *sum;           /* [cells + 1][width] of each cell, then of those before it */
    double mean;           /* of numbers */
    double known, top;     /* ratings: of the best split before; to be reached */
    double weight[MOST + 1]; /* before each cell */
    int32_t rows[MOST + 1];  /* the same */
    uint8_t open[MOST];
    int32_t n_open;
} cells;

static inline int64_t class_at(const mli_forest_search *a, int64_t i)
{
    return a->counted ? (int64_t)(mli_forest_payload(a, i) >> 32) : a->label[i];
}
static inline double weight_at(const mli_forest_search *a, int64_t i)
{
    return a->counted ? (double)(uint32_t)mli_forest_payload(a, i) : a->w[i];
}

/* ---- counting ---- */

static void count_numbers(cells *c)
{
    const double *w = c->a->w, *s = c->a->s, mean = c->mean;
    for (int64_t i = 0; i < c->a->n; i++) {
        double y = s[i] - w[i] * mean;
        two *to = (two *)(void *)(c->sum + c->cell[i] * (int64_t)NUMBERS);
        to[0] += (two){w[i], y};
        to[1] += (two){fabs(y), 1};
    }
}

static void count_classes(cells *c)
{
    const mli_forest_search *a = c->a;
    if (a->counted && !a->pair) {
        for (int64_t i = 0; i < a->n; i++) {
            uint64_t e = a->payload[i];
            c->sum[c->cell[i] * c->width + (int64_t)(e >> 32)] += (double)(uint32_t)e;
        }
        return;
    }
    for (int64_t i = 0; i < a->n; i++)
        c->sum[c->cell[i] * c->width + class_at(a, i)] += weight_at(a, i);
}

/* Sums to those before each cell. */
static void add_up(cells *c)
{
    const mli_forest_search *a = c->a;
    int64_t k_n = c->width;
    double *before = a->left;
    int32_t rows = 0;
    memset(before, 0, (size_t)k_n * sizeof *before);
    memset(c->rows, 0, sizeof c->rows);
    for (int64_t i = 0; !a->scalar && i < a->n; i++) c->rows[c->cell[i]]++;
    for (int32_t j = 0; j <= c->grid.n; j++) {
        double *sum = c->sum + j * k_n, w = a->scalar ? before[WEIGHT] : 0;
        int32_t own = a->scalar ? (int32_t)sum[COUNT] : c->rows[j];
        for (int64_t k = 0; k < k_n; k++) {
            double x = sum[k];
            if (!a->scalar) w += before[k];
            sum[k] = before[k];
            before[k] += x;
        }
        c->weight[j] = w;
        c->rows[j] = rows;
        rows += own;
    }
}

/* ---- ratings ---- */

/* Not a call, as fmax is. */
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

static inline double den_at(const cells *c, int32_t j)
{
    return c->weight[j] * (c->a->weight - c->weight[j]);
}

static int is_legal(const mli_forest_search *a, double w, int64_t rows)
{
    int64_t least = a->options->min_leaf;
    return rows >= least && a->n - rows >= least && w > 0 && w < a->weight &&
           !mli_forest_too_light(a, w);
}

static double rate_edge(const cells *c, int32_t j)
{
    const mli_forest_search *a = c->a;
    const double *l = c->sum + j * c->width;
    double sum = 0;
    if (a->scalar) {
        double d = l[TARGET] * a->weight;
        return d * d / den_at(c, j);
    }
    for (int64_t k = 0; k < c->width; k++) {
        double d = l[k] * a->weight - a->classes[k] * c->weight[j];
        sum += d * d;
    }
    return sum / den_at(c, j);
}

/* May a split inside a cell reach the top? */
static int reaches(const cells *c, int32_t j)
{
    const mli_forest_search *a = c->a;
    const double *l = c->sum + j * c->width, *next = l + c->width;
    double den = -larger(-den_at(c, j), -den_at(c, j + 1)), all = a->weight, sum = 0;
    if (!(den > 0)) return 1;
    if (a->scalar) {
        double y = next[TARGET] - l[TARGET], way = next[WAY] - l[WAY];
        double slack = 1e-12 * next[WAY];
        double d =
            larger(fabs(l[TARGET] + (way + y) / 2), fabs(l[TARGET] - (way - y) / 2));
        d = (d + slack) * all;
        return d * d >= c->top * den;
    }
    double w = c->weight[j], x = c->weight[j + 1] - w;
    for (int64_t k = 0; k < c->width; k++) {
        double d = l[k] * all - a->classes[k] * w, own = next[k] - l[k];
        double high = d + own * (all - a->classes[k]);
        double low = d - a->classes[k] * (x - own);
        sum += larger(high * high, low * low);
    }
    return sum >= c->top * den;
}

/* Takes a split of sums l (of numbers: the centred sum) and weight w when it is better.
 */
static void look(const cells *c, int32_t feature, const double *l, double w,
                 uint32_t code, mli_forest_split *best)
{
    double num, den;
    if (c->a->scalar) {
        num = l[0] * c->a->weight;
        num *= num;
        den = w * (c->a->weight - w);
    } else {
        mli_forest_rate(c->a, l, w, &num, &den);
    }
    mli_forest_offer(best, num, den, feature, code, 0);
}

/* The best edge, and what splits inside cells have to reach. */
static void look_at_edges(cells *c, int32_t feature, mli_forest_split *best)
{
    const mli_forest_search *a = c->a;
    int32_t at = -1;
    c->top = c->known;
    for (int32_t j = 1; j <= c->grid.n; j++) {
        if (c->rows[j] == c->rows[j - 1] || !is_legal(a, c->weight[j], c->rows[j]))
            continue;
        double rating = rate_edge(c, j);
        if (!(rating > c->top)) continue;
        c->top = rating;
        at = j;
    }
    if (at > 0)
        look(c, feature, c->sum + at * c->width + (a->scalar ? TARGET : 0), c->weight[at],
             mli_forest_grid_last(&c->grid, at - 1), best);
    c->top *= NEAR;
}

/* ---- inside cells ---- */

static void open_cells(cells *c)
{
    c->n_open = 0;
    for (int32_t j = 0; j < c->grid.n; j++) {
        int several = c->rows[j + 1] > c->rows[j] + 1;
        c->open[j] = several && reaches(c, j);
        c->n_open += c->open[j];
    }
}

/* Rows of the open cells, sorted. */
static const uint64_t *collect(const cells *c, int64_t *n)
{
    const mli_forest_search *a = c->a;
    uint32_t low = UINT32_MAX, high = 0;
    int64_t kept = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t code = c->code[i];
        a->spare[kept] = (uint64_t)code << 48 | (uint64_t)i;
        kept += c->open[c->cell[i]];
    }
    for (int64_t i = 0; i < kept; i++) {
        uint32_t code = (uint32_t)(a->spare[i] >> 48);
        low = code < low ? code : low;
        high = code > high ? code : high;
    }
    *n = kept;
    return mli_forest_sort(a->spare, a->element, kept, low, high,
                           a->codes->ctx->cpu_level);
}

static void look_inside(const cells *c, int32_t feature, mli_forest_split *best)
{
    const mli_forest_search *a = c->a;
    int64_t n, rows = 0;
    const uint64_t *e = collect(c, &n);
    double *l = a->left, w = 0;
    uint32_t before = UINT32_MAX;
    for (int64_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)(e[i] >> 48), j = mli_forest_grid_cell(&c->grid, code);
        int64_t row = mli_forest_row(e[i]);
        if (j != before) {
            const double *sum = c->sum + j * c->width;
            w = c->weight[j];
            rows = c->rows[j];
            before = j;
            if (a->scalar)
                l[0] = sum[TARGET];
            else
                memcpy(l, sum, (size_t)c->width * sizeof *l);
        }
        double own = weight_at(a, row);
        if (a->scalar)
            l[0] += a->s[row] - own * c->mean;
        else
            l[class_at(a, row)] += own;
        w += own;
        rows++;
        if (i + 1 < n && code == e[i + 1] >> 48) continue;
        if (is_legal(a, w, rows)) look(c, feature, l, w, code, best);
    }
}

int mli_forest_cells(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    cells c;
    c.a = a;
    c.code = a->near;
    c.cell = a->near + a->n + 16;
    c.sum = a->bins;
    c.width = a->scalar ? NUMBERS : a->options->classes;
    c.mean = a->sum / a->weight;
    c.known = best->num > 0 ? best->num / best->den : 0;
    if (!a->scalar) {
        double base = 0;
        for (int64_t k = 0; k < c.width; k++) base += a->classes[k] * a->classes[k];
        c.known = fmax(c.known * a->weight - base, 0);
    }
    int64_t most = a->n / SHARE + 32;
    int placed = mli_forest_grid_place(a, feature, most < MOST ? (uint32_t)most : MOST,
                                       &c.grid, c.code, c.cell);
    if (placed < 1) return placed;
    memset(c.sum, 0, (size_t)((c.grid.n + 1) * c.width) * sizeof *c.sum);
    if (a->scalar)
        count_numbers(&c);
    else
        count_classes(&c);
    add_up(&c);
    look_at_edges(&c, feature, best);
    if (c.grid.exact) return 1;
    open_cells(&c);
    if (c.n_open) look_inside(&c, feature, best);
    return 1;
}
