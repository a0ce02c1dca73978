/* SPDX-License-Identifier: MIT
 *
 * trees/forest_bound.c: the best split of a larger node on one feature without sorting
 * all of it, for two classes of whole weights.
 *
 * Rows are counted in cells of codes. With l rows of weight before a cell, of which s are
 * of the second class, and a cell of w, of which c are, any split inside it has sums
 * within the parallelogram of (l, s), (l + c, s + c), (l + w - c, s) and (l + w, s + c).
 * The quality (s W - S l)^2 / (l (W - l)) is convex, so its largest value there is at a
 * corner. Only cells of both classes whose bound reaches the best split known, or the
 * best edge of a cell, are sorted and looked at row by row. Bounds are rated in single
 * precision, splits that come near the largest compared exactly. The result is the one of
 * a full search, ties going to the smaller code.
 *
 * Rows with missing values are in no cell. First they are on the right side, then their
 * sums come before those of all cells.
 *
 * Nodes of little weight have both sums in one word, and are rated by AVX2 when there is
 * any; the other form gives the same results.
 *
 * Cost: about 4 cycles per row, and 4 per cell.
 */
#include "algorithms/trees/forest.h"
#include "core/cpu.h"
#include <math.h>
#include <string.h>
#ifdef MLI_AVX2
#include <immintrin.h>
#endif

#define MOST 1024      /* cells */
#define NEAR 0.999998f /* the error of two ratings */

typedef struct cells {
    const mli_forest_search *a;
    uint16_t *code, *cell; /* [rows], code: of the node's rows; cell: of each */
    mli_forest_grid grid;
    int32_t n;              /* cells */
    int32_t weight, second; /* of a node with pairs */
    float top;              /* what ratings have to reach */
    /* Sums of the cells, then of those before each: pairs (mli_forest_search), or else
     * weight << 32 | weight of the second class. */
    uint32_t pair[MOST + 1];
    uint64_t wide[MOST + 1];
    int32_t rows[MOST + 1]; /* before each, when leaves must have some */
    float rating[MOST + 1]; /* of the edge before each cell */
    uint8_t open[MOST + 1]; /* to be looked at */
    int missing_left;       /* sums of missing rows come first: */
    int64_t base_weight, base_second;
    int32_t base_rows;
    int32_t first, last; /* open cells */
    int32_t from, to;    /* with limits: edges that have enough on both sides */
    int32_t n_edges;
    uint16_t edge[MOST]; /* edges that may be the best split */
} cells;

/* ---- cells ---- */

static void find_range(const uint16_t *code, int64_t n, uint32_t *low, uint32_t *high)
{
    uint16_t least = code[0], most = code[0];
    for (int64_t i = 1; i < n; i++) {
        least = code[i] < least ? code[i] : least;
        most = code[i] > most ? code[i] : most;
    }
    *low = least;
    *high = most;
}

static void find_cells(const mli_forest_grid *g, const uint16_t *code, int64_t n,
                       uint16_t *cell)
{
    for (int64_t i = 0; i < n; i++) cell[i] = (uint16_t)mli_forest_grid_cell(g, code[i]);
}

#ifdef MLI_AVX2
#define LOAD(p)     _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, x) _mm256_storeu_si256((__m256i *)(void *)(p), x)

/* n: at least 16. */
MLI_AVX2 static void range_avx2(const uint16_t *code, int64_t n, uint32_t *low,
                                uint32_t *high)
{
    __m256i least = LOAD(code + n - 16), most = least;
    for (int64_t i = 0; i + 16 < n; i += 16) {
        __m256i x = LOAD(code + i);
        least = _mm256_min_epu16(least, x);
        most = _mm256_max_epu16(most, x);
    }
    uint16_t both[32];
    uint32_t unused;
    STORE(both, least);
    STORE(both + 16, most);
    find_range(both, 16, low, &unused);
    find_range(both + 16, 16, &unused, high);
}

/* Writes whole vectors. */
MLI_AVX2 static void cells_avx2(const mli_forest_grid *g, const uint16_t *code, int64_t n,
                                uint16_t *cell)
{
    __m256i low = _mm256_set1_epi16((int16_t)g->low);
    __m256i scale = _mm256_set1_epi16((int16_t)g->scale);
    __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi16(1);
    for (int64_t i = 0; i < n; i += 16) {
        __m256i x = _mm256_sub_epi16(LOAD(code + i), low);
        __m256i more = _mm256_add_epi16(_mm256_cmpeq_epi16(x, zero), one);
        more = _mm256_add_epi16(more, _mm256_mulhi_epu16(x, scale));
        STORE(cell + i, g->exact ? x : more);
    }
}
#endif

static uint32_t cells_for(int64_t n)
{
    return n < 3840 ? 64 + (uint32_t)n / 4 : MOST;
}

/* The largest code of rows without missing values, of which there are *n. */
static uint32_t largest_present(const uint16_t *code, int64_t rows, int64_t *n)
{
    uint32_t most = 0;
    *n = 0;
    for (int64_t i = 0; i < rows; i++) {
        uint32_t present = code[i] != MLI_CODE_MISSING, c = present ? code[i] : 0;
        most = c > most ? c : most;
        *n += present;
    }
    return most;
}

int mli_forest_grid_place(const mli_forest_search *a, int32_t feature, uint32_t most,
                          mli_forest_grid *g, uint16_t *to, uint16_t *cell,
                          int64_t *missing)
{
    const uint16_t *code = a->code + feature * a->ld;
    int64_t present = a->n;
    uint32_t high = 0;
    int fast = 0;
    const uint32_t *row = a->row;
    for (int64_t i = 0, n = a->n; i < n; i++) to[i] = code[row[i]];
#ifdef MLI_AVX2
    fast = a->codes->ctx->cpu_level >= MLI_CPU_AVX2 && a->n >= 16;
    if (fast) range_avx2(to, a->n, &g->low, &high);
#endif
    if (!fast) find_range(to, a->n, &g->low, &high);
    if (high == MLI_CODE_MISSING) {
        if (!missing) return -1;
        high = largest_present(to, a->n, &present);
    }
    if (missing) *missing = a->n - present;
    if (present == 0 || (high == g->low && present == a->n)) return 0;
    uint32_t range = high - g->low + 1;
    g->exact = range <= most;
    g->scale = g->exact ? 0 : ((most - 1) << 16) / range;
    g->n = (int32_t)(mli_forest_grid_cell(g, high) / 8 * 8 + 8);
#ifdef MLI_AVX2
    if (fast) cells_avx2(g, to, a->n, cell);
#endif
    if (!fast) find_cells(g, to, a->n, cell);
    for (int64_t i = 0; present < a->n && i < a->n; i++)
        cell[i] = to[i] == MLI_CODE_MISSING ? (uint16_t)g->n : cell[i];
    return 1;
}

/* ---- ratings ---- */

static inline int64_t weight_before(const cells *c, int32_t k)
{
    return c->a->pair ? c->pair[k] & 0xffff : (int64_t)(c->wide[k] >> 32);
}
static inline int64_t second_before(const cells *c, int32_t k)
{
    return c->a->pair ? c->pair[k] >> 16 : c->wide[k] & 0xffffffff;
}

/* Numerator and denominator of a rating. */
static inline float numerator(const cells *c, int64_t w, int64_t s, float *den)
{
    const mli_forest_search *a = c->a;
    if (a->logs) {
        double num, wide;
        mli_forest_rate_sums(a, (double)w, (double)s, &num, &wide);
        *den = 1;
        return (float)num;
    }
    if (a->pair) {
        int32_t d = (int32_t)(s * c->weight - c->second * w);
        int32_t wide = (int32_t)(w * (c->weight - w));
        *den = (float)(wide > 1 ? wide : 1);
        return (float)d * (float)d;
    }
    double d = (double)s * a->weight - a->sum * (double)w;
    *den = (float)fmax((double)w * (a->weight - (double)w), 1);
    return (float)d * (float)d;
}
static inline int reaches(const cells *c, int64_t w, int64_t s)
{
    float den, num = numerator(c, w, s, &den);
    return num >= c->top * den;
}

/* Sums before each cell, and ratings. Returns the largest. */
static float rate_plain(cells *c)
{
    float top = 0;
    uint64_t wide = (uint64_t)c->base_weight << 32 | (uint64_t)c->base_second;
    uint32_t pair = (uint32_t)(c->base_second << 16 | c->base_weight);
    for (int32_t k = 0; k <= c->n; k++) {
        if (c->a->pair) {
            uint32_t own = c->pair[k];
            c->pair[k] = pair;
            pair += own;
        } else {
            uint64_t own = c->wide[k];
            c->wide[k] = wide;
            wide += own;
        }
        float den, num = numerator(c, weight_before(c, k), second_before(c, k), &den);
        c->rating[k] = num / den;
        top = c->rating[k] > top ? c->rating[k] : top;
    }
    return top;
}

static void open_cell(cells *c, int32_t k)
{
    if (c->first < 0) c->first = k;
    c->open[k] = 1;
    c->last = k;
}

/* Which edges may be the best split, and which cells may have it inside? */
static void find_plain(cells *c)
{
    for (int32_t k = 0; k < c->n; k++) {
        int64_t w = weight_before(c, k), dw = weight_before(c, k + 1) - w;
        int64_t s = second_before(c, k), ds = second_before(c, k + 1) - s;
        int left = c->rating[k] >= c->top, right = c->rating[k + 1] >= c->top;
        if (right && dw > 0) c->edge[c->n_edges++] = (uint16_t)(k + 1);
        if (ds <= 0 || ds >= dw || c->grid.exact || !k) continue;
        if (left || right || reaches(c, w + ds, s + ds) || reaches(c, w + dw - ds, s))
            open_cell(c, k);
    }
}

#ifdef MLI_AVX2
/* x, of eight cells, to sums up to each. */
MLI_AVX2 static inline __m256i add_up(__m256i x)
{
    x = _mm256_add_epi32(x, _mm256_slli_si256(x, 4));
    x = _mm256_add_epi32(x, _mm256_slli_si256(x, 8));
    __m256i low = _mm256_permute2x128_si256(x, x, 0x08); /* the lower half, upwards */
    return _mm256_add_epi32(x, _mm256_shuffle_epi32(low, 0xff));
}

/* Numerators, before they are squared, and denominators of eight ratings. */
MLI_AVX2 static inline __m256 differences(const cells *c, __m256i x, __m256 *den)
{
    __m256i weight = _mm256_set1_epi32(c->weight);
    __m256i w = _mm256_and_si256(x, _mm256_set1_epi32(0xffff));
    __m256i by = _mm256_set1_epi32(
        (int32_t)((uint32_t)c->weight << 16 | ((uint32_t)-c->second & 0xffff)));
    __m256i wide = _mm256_mullo_epi32(w, _mm256_sub_epi32(weight, w));
    *den = _mm256_cvtepi32_ps(_mm256_max_epi32(wide, _mm256_set1_epi32(1)));
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(x, by));
}

MLI_AVX2 static float rate_avx2(cells *c)
{
    __m256i last = _mm256_set1_epi32(7);
    __m256i before = _mm256_set1_epi32((int32_t)(c->base_second << 16 | c->base_weight));
    __m256 top = _mm256_setzero_ps();
    c->rating[0] = 0;
    for (int32_t k = 0; k < c->n; k += 8) {
        __m256i x = LOAD(c->pair + k), sum = _mm256_add_epi32(add_up(x), before);
        STORE(c->pair + k, _mm256_sub_epi32(sum, x));
        before = _mm256_permutevar8x32_epi32(sum, last);
        __m256 den, d = differences(c, sum, &den);
        __m256 rating = _mm256_div_ps(_mm256_mul_ps(d, d), den);
        _mm256_storeu_ps(c->rating + k + 1, rating);
        top = _mm256_max_ps(top, rating);
    }
    c->pair[c->n] = (uint32_t)_mm256_cvtsi256_si32(before);
    top = _mm256_max_ps(top, _mm256_permute2f128_ps(top, top, 1));
    top = _mm256_max_ps(top, _mm256_shuffle_ps(top, top, 0x4e));
    top = _mm256_max_ps(top, _mm256_shuffle_ps(top, top, 0xb1));
    return _mm256_cvtss_f32(top);
}

/* Which of eight splits, of sums x, reach the largest rating? */
MLI_AVX2 static inline __m256 reach_eight(const cells *c, __m256i x, __m256 top)
{
    __m256 den, d = differences(c, x, &den);
    return _mm256_cmp_ps(_mm256_mul_ps(d, d), _mm256_mul_ps(top, den), _CMP_GE_OQ);
}

MLI_AVX2 static void find_avx2(cells *c)
{
    __m256i zero = _mm256_setzero_si256(), mask = _mm256_set1_epi32(0xffff);
    __m256i inexact = _mm256_set1_epi32(c->grid.exact - 1);
    __m256 top = _mm256_set1_ps(c->top);
    for (int32_t k = 0; k < c->n; k += 8) {
        __m256i x = LOAD(c->pair + k), dx = _mm256_sub_epi32(LOAD(c->pair + k + 1), x);
        __m256i dw = _mm256_and_si256(dx, mask), ds = _mm256_srli_epi32(dx, 16);
        __m256 right = _mm256_cmp_ps(_mm256_loadu_ps(c->rating + k + 1), top, _CMP_GE_OQ);
        __m256 left = _mm256_cmp_ps(_mm256_loadu_ps(c->rating + k), top, _CMP_GE_OQ);
        __m256i mixed =
            _mm256_and_si256(_mm256_cmpgt_epi32(dw, ds), _mm256_cmpgt_epi32(ds, zero));
        /* the corners: the second class first, and the first class first */
        __m256i a = _mm256_or_si256(ds, _mm256_slli_epi32(ds, 16));
        __m256i b = _mm256_sub_epi32(dw, ds);
        __m256 reach = _mm256_or_ps(reach_eight(c, _mm256_add_epi32(x, a), top),
                                    reach_eight(c, _mm256_add_epi32(x, b), top));
        reach = _mm256_or_ps(reach, _mm256_or_ps(left, right));
        mixed = _mm256_and_si256(mixed, inexact);
        reach = _mm256_and_ps(reach, _mm256_castsi256_ps(mixed));
        right = _mm256_and_ps(right, _mm256_castsi256_ps(_mm256_cmpgt_epi32(dw, zero)));
        uint32_t edges = (uint32_t)_mm256_movemask_ps(right);
        uint32_t inside = (uint32_t)_mm256_movemask_ps(reach);
        if (!k) inside &= ~UINT32_C(1); /* one code */
        for (; edges; edges &= edges - 1)
            c->edge[c->n_edges++] = (uint16_t)(k + 1 + __builtin_ctz(edges));
        for (; inside; inside &= inside - 1) open_cell(c, k + __builtin_ctz(inside));
    }
}
#endif

/* ---- counting ---- */

static void count(cells *c)
{
    const mli_forest_search *a = c->a;
    const uint16_t *cell = c->cell;
    int64_t n = a->n;
    if (a->pair) {
        const uint32_t *pair = a->pair;
        uint32_t *sum = c->pair;
        memset(sum, 0, ((size_t)c->n + 1) * sizeof *sum);
        for (int64_t i = 0; i < n; i++) sum[cell[i]] += pair[i];
        return;
    }
    uint64_t *sum = c->wide;
    memset(sum, 0, ((size_t)c->n + 1) * sizeof *sum);
    for (int64_t i = 0; i < n; i++) {
        uint64_t e = a->payload[i];
        uint32_t w = (uint32_t)e;
        sum[cell[i]] += (uint64_t)w << 32 | (w & (0 - (uint32_t)(e >> 32 & 1)));
    }
}

static void count_rows(cells *c)
{
    int32_t sum = c->base_rows;
    memset(c->rows, 0, ((size_t)c->n + 1) * sizeof *c->rows);
    for (int64_t i = 0; i < c->a->n; i++) c->rows[c->cell[i]]++;
    for (int32_t k = 0; k <= c->n; k++) {
        int32_t rows = c->rows[k];
        c->rows[k] = sum;
        sum += rows;
    }
}

static int has_limits(const mli_forest_search *a)
{
    return a->options->min_leaf > 1 || a->min_weight > 0;
}
/* May a split have these on its left side? */
static inline int is_legal(const mli_forest_search *a, int64_t w, int64_t rows)
{
    return rows >= a->options->min_leaf && a->n - rows >= a->options->min_leaf &&
           (double)w >= a->min_weight && a->weight - (double)w >= a->min_weight;
}
/* Sums grow from edge to edge: those from some on have enough on their left side, those
 * up to some on their right side. */
static void find_limits(cells *c)
{
    const mli_forest_search *a = c->a;
    int64_t least = a->options->min_leaf;
    c->from = 0;
    c->to = c->n;
    while (c->from <= c->n && (c->rows[c->from] < least ||
                               (double)weight_before(c, c->from) < a->min_weight))
        c->from++;
    while (c->to >= 0 && (a->n - c->rows[c->to] < least ||
                          a->weight - (double)weight_before(c, c->to) < a->min_weight))
        c->to--;
}

#ifdef MLI_AVX2
static int by_words(const cells *c)
{
    return c->a->pair && !c->a->logs && c->a->codes->ctx->cpu_level >= MLI_CPU_AVX2;
}
#endif

static void rate_all(cells *c, const mli_forest_split *best)
{
    float known = best->num > 0 ? (float)(best->num / best->den) : 0, top;
    int fast = 0;
#ifdef MLI_AVX2
    fast = by_words(c);
    if (fast) top = rate_avx2(c);
#endif
    if (!fast) top = rate_plain(c);
    if (has_limits(c->a)) {
        top = 0;
        count_rows(c);
        find_limits(c);
        for (int32_t k = c->from; k <= c->to; k++)
            if (c->rating[k] > top) top = c->rating[k];
    }
    c->top = (top > known ? top : known) * NEAR;
}

/* Cells within which splits become legal: their edges do not bound them. */
static void open_limit(cells *c, int32_t k)
{
    if (k < 1 || k >= c->n) return;
    if (c->first < 0 || k < c->first) c->first = k;
    if (c->last < k) c->last = k;
    c->open[k] = 1;
}

static void find(cells *c)
{
    int fast = 0;
    c->first = c->last = -1;
    c->n_edges = 0;
    memset(c->open, 0, (size_t)c->n + 1);
#ifdef MLI_AVX2
    fast = by_words(c);
    if (fast) find_avx2(c);
#endif
    if (!fast) find_plain(c);
    if (!has_limits(c->a) || c->grid.exact || c->from > c->to + 1) return;
    open_limit(c, c->from - 1);
    open_limit(c, c->to);
}

/* ---- looking ---- */

/* A split behind a code, exactly. */
static inline void look(const cells *c, int32_t feature, int64_t w, int64_t s,
                        uint32_t code, mli_forest_split *best)
{
    double num, den;
    mli_forest_rate_sums(c->a, (double)w, (double)s, &num, &den);
    double is = num * best->den, was = best->num * den;
    int same = best->feature == feature && best->missing_left == c->missing_left;
    if (!(is > was || (is == was && same && code < best->last))) return;
    if (!(den > 0)) return;
    best->num = num;
    best->den = den;
    best->feature = feature;
    best->last = (uint16_t)code;
    best->missing_left = c->missing_left;
    best->categorical = 0;
    best->threshold = NAN;
}

static void look_at_edges(const cells *c, int32_t feature, mli_forest_split *best)
{
    int limits = has_limits(c->a);
    for (int32_t i = 0; i < c->n_edges; i++) {
        int32_t k = c->edge[i];
        if (limits && (k < c->from || k > c->to)) continue;
        look(c, feature, weight_before(c, k), second_before(c, k),
             mli_forest_grid_last(&c->grid, k - 1), best);
    }
}

static inline int64_t keep_open(const mli_forest_search *a, const mli_forest_opened *c,
                                int64_t i, int64_t kept)
{
    if (!c->open[c->cell[i]]) return kept;
    a->spare[kept] = (uint64_t)c->code[i] << 48 | mli_forest_payload(a, i);
    return kept + 1;
}

static int64_t collect_plain(const mli_forest_search *a, const mli_forest_opened *c)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < a->n; i++) kept = keep_open(a, c, i, kept);
    return kept;
}

#ifdef MLI_AVX2
/* The same: only rows of cells that may be open are looked at. */
MLI_AVX2 static int64_t collect_avx2(const mli_forest_search *a,
                                     const mli_forest_opened *c)
{
    __m256i first = _mm256_set1_epi16((int16_t)c->first);
    __m256i most = _mm256_set1_epi16((int16_t)(c->last - c->first));
    __m256i begin = _mm256_set1_epi16((int16_t)c->begin);
    __m256i end = _mm256_set1_epi16((int16_t)c->end);
    int64_t kept = 0, n = a->n;
    for (int64_t at = 0; at < n; at += 16) {
        __m256i cell = LOAD(c->cell + at), x = _mm256_sub_epi16(cell, first);
        x = _mm256_cmpeq_epi16(_mm256_min_epu16(x, most), x);
        x = _mm256_or_si256(x, _mm256_cmpeq_epi16(cell, begin));
        x = _mm256_or_si256(x, _mm256_cmpeq_epi16(cell, end));
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(x) & 0x55555555;
        for (; bits; bits &= bits - 1) {
            int64_t i = at + __builtin_ctz(bits) / 2;
            if (i < n) kept = keep_open(a, c, i, kept);
        }
    }
    return kept;
}
#endif

const uint64_t *mli_forest_collect(const mli_forest_search *a, const mli_forest_opened *c,
                                   int64_t *n)
{
    uint32_t low = UINT32_MAX, high = 0;
    int32_t level = a->codes->ctx->cpu_level;
    int64_t kept = 0;
    int fast = 0;
#ifdef MLI_AVX2
    fast = level >= MLI_CPU_AVX2;
    if (fast) kept = collect_avx2(a, c);
#endif
    if (!fast) kept = collect_plain(a, c);
    for (int64_t i = 0; i < kept; i++) {
        uint32_t code = (uint32_t)(a->spare[i] >> 48);
        low = code < low ? code : low;
        high = code > high ? code : high;
    }
    *n = kept;
    return mli_forest_sort(a->spare, a->element, kept, low, high, level);
}

static void look_inside(const cells *c, int32_t feature, mli_forest_split *best)
{
    const mli_forest_search *a = c->a;
    int64_t n, w = 0, s = 0, rows = 0;
    const mli_forest_opened opened = {c->code, c->cell,  c->open, c->first,
                                      c->last, c->first, c->last};
    const uint64_t *e = mli_forest_collect(a, &opened, &n);
    int limits = has_limits(a);
    uint32_t before = UINT32_MAX;
    for (int64_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)(e[i] >> 48), k = mli_forest_grid_cell(&c->grid, code);
        if (k != before) {
            w = weight_before(c, (int32_t)k);
            s = second_before(c, (int32_t)k);
            rows = limits ? c->rows[k] : 0;
            before = k;
        }
        w += (uint32_t)e[i];
        s += (uint32_t)e[i] & (0 - (uint32_t)(e[i] >> 32 & 1));
        rows++;
        if (i + 1 < n && code == e[i + 1] >> 48) continue;
        if (limits && !is_legal(a, w, rows)) continue;
        look(c, feature, w, s, code, best);
    }
}

static void search(cells *c, int32_t feature, mli_forest_split *best)
{
    count(c);
    rate_all(c, best);
    find(c);
    look_at_edges(c, feature, best);
    if (c->first >= 0) look_inside(c, feature, best);
}

int mli_forest_bound(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    cells c;
    int64_t missing = 0;
    c.a = a;
    c.code = a->near;
    c.cell = a->near + a->n + 16;
    c.weight = (int32_t)a->weight;
    c.second = (int32_t)a->sum;
    c.missing_left = 0;
    c.base_weight = c.base_second = 0;
    c.base_rows = 0;
    if (!mli_forest_grid_place(a, feature, cells_for(a->n), &c.grid, c.code, c.cell,
                               &missing))
        return 0;
    c.n = c.grid.n;
    search(&c, feature, best);
    if (!missing) return 1;
    c.missing_left = 1;
    c.base_weight = (int64_t)a->weight - weight_before(&c, c.n);
    c.base_second = (int64_t)a->sum - second_before(&c, c.n);
    c.base_rows = (int32_t)missing;
    search(&c, feature, best);
    return 1;
}
