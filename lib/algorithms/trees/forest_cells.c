/* SPDX-License-Identifier: MIT
 *
 * trees/forest_cells.c: the best split of a larger node on one feature without sorting
 * all of it, for numbers and for more than two classes (Gini).
 *
 * As in forest_bound.c rows are counted in cells of codes, and only cells that may have
 * the best split inside are sorted. With weight W and sums C[k] of the node, a split of
 * weight w and sums l[k] on the left is worth r = sum_k d[k]^2 / (w (W - w)), where
 * d[k] = l[k] - C[k] / W * w. All sums are whole numbers (mli_forest_search), and exact;
 * they are rated in single precision, eight cells after each other, and splits that come
 * near the largest rating are compared in double precision.
 *
 * Inside a cell of weight x and sums x[k] each d[k] lies between two numbers: classes
 * gain at most x[k] of weight, and lose by the others at most x - x[k]; centred numbers
 * move by the sums of the positive and of the negative ones. The weights w (W - w) are
 * least at one of the edges of the cell. Cells at either end have a bound of their own.
 * The quality is convex, so cells of one class are never opened.
 *
 * Cost: about 4 cycles per row, and 2 per cell and class.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <math.h>
#include <string.h>

#define MOST  MLI_FOREST_CELLS
#define LD    MLI_FOREST_CELL_LD
#define SHARE 8 /* rows per cell, about */

typedef int32_t four __attribute__((vector_size(16)));
typedef int32_t eight __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(32)));

typedef struct cells {
    const mli_forest_search *a;
    mli_forest_grid grid;
    uint16_t *code, *cell; /* [rows] */
    int32_t width;         /* columns of sums */
    int32_t *sum;          /* [width][LD] of each cell, then of those before it */
    const double *all;     /* [width] of the node */
    float most, top;       /* the largest rating; what ratings have to reach */
    /* Before each cell: weight, rows if there are limits, and of numbers absolute
     * targets; of each cell of numbers: squares. */
    int32_t weight[LD], rows[LD], way[LD], square[LD];
    float den[LD];               /* w (W - w) */
    float rating[LD], reach[LD]; /* of the edge before each cell; bound of its inside */
    uint8_t open[MOST];
    int32_t first, last, begin, end; /* as in mli_forest_opened; end: -1: none */
} cells;

/* ---- counting ---- */

static void count_numbers(cells *c)
{
    const mli_forest_search *a = c->a;
    const four *lane = (const four *)(const void *)a->lane;
    four *sum = (four *)(void *)(c->sum + LD), before = {0, 0, 0, 0};
    memset(sum, 0, ((size_t)c->grid.n + 1) * sizeof *sum);
    for (int64_t i = 0; i < a->n; i++) sum[c->cell[i]] += lane[i];
    for (int32_t j = 0; j <= c->grid.n; j++) {
        c->weight[j] = before[0];
        c->sum[j] = before[1];
        c->way[j] = before[2];
        c->square[j] = sum[j][3];
        before += sum[j];
    }
}

static void count_classes(cells *c)
{
    const mli_forest_search *a = c->a;
    int32_t n = c->grid.n;
    for (int32_t k = 0; k < c->width; k++)
        memset(c->sum + k * LD, 0, ((size_t)n + 8) * sizeof *c->sum);
    for (int64_t i = 0; i < a->n; i++) {
        uint64_t e = a->payload[i];
        c->sum[(e >> 32) * LD + c->cell[i]] += (int32_t)(uint32_t)e;
    }
}

/* Rows before each cell. */
static void count_rows(cells *c)
{
    int32_t sum = 0;
    memset(c->rows, 0, ((size_t)c->grid.n + 1) * sizeof *c->rows);
    for (int64_t i = 0; i < c->a->n; i++) c->rows[c->cell[i]]++;
    for (int32_t j = 0; j <= c->grid.n; j++) {
        int32_t own = c->rows[j];
        c->rows[j] = sum;
        sum += own;
    }
}

/* ---- ratings ---- */

/* What the sums of the eight cells around a cell are counted from: 0 or, in the right
 * half, those of the node, of which little is left there to be rounded. */
static inline int32_t base_of(const cells *c, int32_t j, double all)
{
    return 2 * (double)c->weight[j & ~7] > c->a->weight ? (int32_t)all : 0;
}

#ifdef MLI_AVX2
#define INLINE MLI_AVX2 static inline __attribute__((always_inline))

INLINE eight load(const int32_t *from)
{
    eight x;
    memcpy(&x, from, sizeof x);
    return x;
}
INLINE void store(int32_t *to, eight x)
{
    memcpy(to, &x, sizeof x);
}
INLINE floats to_floats(eight x)
{
    return __builtin_convertvector(x, floats);
}
#define TAKE(x, ...) MLI_LANES(eight, x, (eight){0}, __VA_ARGS__) /* 8: 0 */

/* Sums of classes to those before each cell, and the weights before them. */
INLINE void add_up(cells *c)
{
    for (int32_t k = 0; k < c->width; k++) {
        int32_t *sum = c->sum + k * LD;
        eight before = {0};
        for (int32_t j = 0; j <= c->grid.n; j += 8) {
            eight own = load(sum + j), x = own;
            x += TAKE(x, 8, 0, 1, 2, 3, 4, 5, 6);
            x += TAKE(x, 8, 8, 0, 1, 2, 3, 4, 5);
            x += TAKE(x, 8, 8, 8, 8, 0, 1, 2, 3);
            x += before;
            before = TAKE(x, 7, 7, 7, 7, 7, 7, 7, 7);
            x -= own;
            store(sum + j, x);
            store(c->weight + j, k > 0 ? load(c->weight + j) + x : x);
        }
    }
}

/* Adds the squares of a column of sums: of the edge before each of eight cells, and
 * bounds of all splits inside. */
INLINE void rate_column(const cells *c, int32_t k, int32_t j, floats *rating,
                        floats *reach)
{
    const int32_t *sum = c->sum + k * LD + j;
    const eight no_sign = (eight){0} + INT32_MAX;
    float share = (float)(c->all[k] / c->a->weight);
    int32_t all = base_of(c, j, c->a->weight), most = base_of(c, j, c->all[k]);
    floats w = to_floats(load(c->weight + j) - all), l = to_floats(load(sum) - most);
    floats x = to_floats(load(c->weight + j + 1) - all) - w;
    floats own = to_floats(load(sum + 1) - most) - l;
    floats d = l - share * w, middle = 2 * d + own - share * x;
    floats way = own + share * (x - 2 * own);
    if (c->a->lane) way = to_floats(load(c->way + j + 1) - load(c->way + j));
    floats far = (floats)((eight)middle & no_sign) + way;
    *rating += d * d;
    *reach += far * far / 4;
}

MLI_AVX2 static void rate_avx2(cells *c)
{
    int32_t all = (int32_t)c->a->weight;
    floats most = {0};
    if (!c->a->lane) add_up(c);
    for (int32_t j = 0; j < c->grid.n; j += 8) {
        floats rating = {0}, reach = {0};
        eight w = load(c->weight + j);
        floats den = to_floats(w) * to_floats(all - w); /* exact near both ends */
        for (int32_t k = 0; k < c->width; k++) rate_column(c, k, j, &rating, &reach);
        rating *= den / (den * den + 1e-30f); /* 0 without rows on one side */
        memcpy(c->den + j, &den, sizeof den);
        memcpy(c->rating + j, &rating, sizeof rating);
        memcpy(c->reach + j, &reach, sizeof reach);
        eight more = rating > most;
        most = (floats)(((eight)rating & more) | ((eight)most & ~more));
    }
    c->den[c->grid.n] = c->most = 0;
    for (int k = 0; k < 8; k++) c->most = most[k] > c->most ? most[k] : c->most;
}
#endif

/* The same, cell by cell. */
static void add_up_plain(cells *c)
{
    for (int32_t k = 0; k < c->width; k++) {
        int32_t *sum = c->sum + k * LD, before = 0;
        for (int32_t j = 0; j <= c->grid.n; j++) {
            int32_t own = sum[j];
            sum[j] = before;
            c->weight[j] = k > 0 ? c->weight[j] + before : before;
            before += own;
        }
    }
}

static void rate_plain(cells *c)
{
    int32_t total = (int32_t)c->a->weight;
    c->most = 0;
    if (!c->a->lane) add_up_plain(c);
    for (int32_t j = 0; j < c->grid.n; j++) {
        const int32_t *sum = c->sum + j, *weight = c->weight + j;
        int32_t all = base_of(c, j, c->a->weight);
        float w = (float)(weight[0] - all), x = (float)(weight[1] - all) - w;
        float rating = 0, reach = 0;
        for (int32_t k = 0; k < c->width; k++, sum += LD) {
            int32_t most = base_of(c, j, c->all[k]);
            float share = (float)(c->all[k] / c->a->weight), l = (float)(sum[0] - most);
            float own = (float)(sum[1] - most) - l, d = l - share * w;
            float middle = 2 * d + own - share * x, way = own + share * (x - 2 * own);
            if (c->a->lane) way = (float)(c->way[j + 1] - c->way[j]);
            float far = fabsf(middle) + way;
            rating += d * d;
            reach += far * far / 4;
        }
        c->den[j] = (float)weight[0] * (float)(total - weight[0]);
        c->rating[j] = rating * (c->den[j] / (c->den[j] * c->den[j] + 1e-30f));
        c->reach[j] = reach;
        c->most = c->rating[j] > c->most ? c->rating[j] : c->most;
    }
    c->den[c->grid.n] = 0;
}

static void rate(cells *c)
{
#ifdef MLI_AVX2
    if (c->a->codes->ctx->cpu_level >= MLI_CPU_AVX2) {
        rate_avx2(c);
        return;
    }
#endif
    rate_plain(c);
}

static int is_legal(const cells *c, double w, int64_t rows)
{
    const mli_forest_search *a = c->a;
    int64_t least = a->options->min_leaf;
    return w > 0 && w < a->weight && rows >= least && a->n - rows >= least &&
           !mli_forest_too_light(a, w);
}

/* Takes a split of sums l and weight w when it is better. */
static void look(const cells *c, int32_t feature, const double *l, double w,
                 uint32_t code, mli_forest_split *best)
{
    double num, den;
    if (c->a->lane) {
        num = l[0] * c->a->weight - c->a->sum * w;
        num *= num;
        den = w * (c->a->weight - w);
    } else {
        mli_forest_rate(c->a, l, w, &num, &den);
    }
    mli_forest_offer(best, num, den, feature, code, 0);
}

/* Sums before a cell. */
static void sums_before(const cells *c, int32_t j, double *l)
{
    for (int32_t k = 0; k < c->width; k++) l[k] = c->sum[k * LD + j];
}

/* The best edge, and what splits inside cells have to reach. known: the rating of the
 * best split so far. */
static void look_at_edges(cells *c, int32_t feature, int limits, double known,
                          mli_forest_split *best)
{
    const mli_forest_search *a = c->a;
    float top = (float)known;
    if (!limits && c->most > top) top = c->most;
    for (int32_t j = 1; limits && j < c->grid.n; j++)
        if (c->rating[j] > top && is_legal(c, c->weight[j], c->rows[j]))
            top = c->rating[j];
    /* The error of two ratings. That of d grows as the sums do, d as their roots. */
    top *= (float)(1 - 4e-6 - (a->lane ? 0 : 3e-7 * sqrt(fmin(a->weight, 1e8))));
    c->top = top;
    for (int32_t j = 1; j < c->grid.n; j++) {
        if (c->rating[j] < top || c->weight[j] == c->weight[j - 1]) continue;
        if (limits && !is_legal(c, c->weight[j], c->rows[j])) continue;
        sums_before(c, j, a->left);
        look(c, feature, a->left, c->weight[j], mli_forest_grid_last(&c->grid, j - 1),
             best);
    }
}

/* ---- inside cells ---- */

/* Has a cell rows of more than one class, or of numbers more than one? */
static int is_mixed(const cells *c, int32_t j, int limits)
{
    int32_t all = c->weight[j + 1] - c->weight[j];
    if (c->a->lane || limits) return all > !limits;
    for (int32_t k = 0; k < c->width; k++) {
        int32_t own = c->sum[k * LD + j + 1] - c->sum[k * LD + j];
        if (own) return own < all;
    }
    return 0;
}

/* May a split inside the cell at either end reach the top? The sums of the left side, or
 * of the right one, are those of some of its rows. By Cauchy's inequality the squared sum
 * is at most the weight times the squares of all of them: of numbers, or of the distances
 * of their classes from the shares of the node. Nor can weights of classes have a sum of
 * squares above their sum times the heaviest class of the cell. */
static int end_reaches(const cells *c, int32_t j)
{
    const mli_forest_search *a = c->a;
    double x = c->weight[j + 1] - c->weight[j],
           most = a->lane ? c->square[j] * a->square : 0;
    double heaviest = 0, shares = 0, toward = 0;
    for (int32_t k = 0; !a->lane && k < c->width; k++) {
        double own = c->sum[k * LD + j + 1] - c->sum[k * LD + j];
        double share = c->all[k] / a->weight;
        heaviest = own > heaviest ? own : heaviest;
        shares += share * share;
        toward += share * own;
    }
    if (!a->lane) most = fmin(x - 2 * toward, heaviest) + x * shares;
    return most >= (double)c->top * (a->weight - x);
}

static void open_cell(cells *c, int32_t j, int limits)
{
    int inside = c->den[j] > 0 && c->den[j + 1] > 0;
    c->open[j] = is_mixed(c, j, limits) && (inside || end_reaches(c, j));
    if (!c->open[j]) return;
    if (c->begin < 0) c->begin = j;
    c->end = j;
    if (inside && c->first < 0) c->first = j;
    if (inside) c->last = j;
}

static void open_cells(cells *c, int limits)
{
    const float *den = c->den, *reach = c->reach, top = c->top;
    c->first = c->begin = c->end = -1;
    for (int32_t j = 0; j < c->grid.n; j++)
        c->open[j] = (reach[j] >= top * den[j]) | (reach[j] >= top * den[j + 1]);
    c->open[0] = 0; /* one code */
    for (int32_t j = 0; j < c->grid.n; j += 8) {
        uint64_t any; /* there are few */
        memcpy(&any, c->open + j, sizeof any);
        for (int32_t k = j; any && k < j + 8; k++)
            if (c->open[k]) open_cell(c, k, limits);
    }
    if (c->first < 0) c->first = c->last = c->end;
}

static void look_inside(const cells *c, int32_t feature, int limits,
                        mli_forest_split *best)
{
    const mli_forest_search *a = c->a;
    int64_t n, rows = 0;
    const mli_forest_opened opened = {c->code, c->cell,  c->open, c->first,
                                      c->last, c->begin, c->end};
    const uint64_t *e = mli_forest_collect(a, &opened, &n);
    double *l = a->left, w = 0;
    uint32_t before = UINT32_MAX;
    for (int64_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)(e[i] >> 48), j = mli_forest_grid_cell(&c->grid, code);
        const int32_t *lane = a->lane ? a->lane + 4 * mli_forest_row(e[i]) : NULL;
        if (j != before) {
            w = c->weight[j];
            rows = c->rows[j];
            before = j;
            sums_before(c, (int32_t)j, l);
        }
        double own = lane ? lane[0] : (double)(uint32_t)e[i];
        l[lane ? 0 : e[i] >> 32 & 0xffff] += lane ? lane[1] : own;
        w += own;
        rows++;
        if (i + 1 < n && code == e[i + 1] >> 48) continue;
        if (limits ? is_legal(c, w, rows) : w > 0 && w < a->weight)
            look(c, feature, l, w, code, best);
    }
}

int mli_forest_cells(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    cells c;
    int limits = a->options->min_leaf > 1 || a->min_weight > 0;
    int64_t most = a->n / SHARE + 32;
    double known = best->num > 0 ? best->num / best->den : 0;
    c.a = a;
    c.code = a->near;
    c.cell = a->near + a->n + 16;
    c.sum = (int32_t *)(void *)a->bins;
    c.width = a->lane ? 1 : (int32_t)a->options->classes;
    c.all = a->lane ? &a->sum : a->classes;
    if (!a->lane) {
        double base = 0;
        for (int32_t k = 0; k < c.width; k++) base += a->classes[k] * a->classes[k];
        known = fmax(known * a->weight - base, 0);
    }
    int placed = mli_forest_grid_place(a, feature, most < MOST ? (uint32_t)most : MOST,
                                       &c.grid, c.code, c.cell, NULL);
    if (placed < 1) return placed;
    if (a->lane)
        count_numbers(&c);
    else
        count_classes(&c);
    if (limits) count_rows(&c);
    rate(&c);
    look_at_edges(&c, feature, limits, known / (a->weight * a->weight), best);
    if (c.grid.exact) return 1;
    open_cells(&c, limits);
    if (c.end >= 0) look_inside(&c, feature, limits, best);
    return 1;
}
