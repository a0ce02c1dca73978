/* SPDX-License-Identifier: MIT
 *
 * trees/forest_split.c: the best split of a node on one feature.
 *
 * The quality of a split is a fraction num / den, so that candidates are compared without
 * a division. With two sums per node (w: weight; s: weight times target, or weight of the
 * second of two classes) it is (sl W - S wl)^2 / (wl wr), the decrease of the squared
 * error times W; for two classes twice that is the decrease of the Gini impurity. More
 * classes: sum cl^2 / wl + sum cr^2 / wr, kept up to date row by row. Entropy: minus the
 * impurity of both sides.
 *
 * Codes are sorted, or, when there are few of them, summed per code. Missing values are
 * tried on both sides.
 *
 * Cost per feature of a node of n rows: the sort, and about 2 ns per row.
 */
#include "algorithms/trees/forest.h"
#include <math.h>
#include <string.h>
#include <stdlib.h>

#define MOST_ORDERS 10 /* classes by which categories are ordered */

/* ---- candidates ---- */

static inline void offer(mli_forest_split *best, double num, double den, int32_t feature,
                         uint32_t last, int missing_left)
{
    if (!(num * best->den > best->num * den)) return;
    best->num = num;
    best->den = den;
    best->feature = feature;
    best->last = (uint16_t)last;
    best->missing_left = missing_left;
    best->categorical = 0;
    best->threshold = NAN;
}

static double entropy_part(double c)
{
    return c > 0 ? c * log2(c) : 0;
}

/* c log2 c of a whole weight. */
static inline double log_of(const mli_forest_search *a, double c)
{
    return c < (double)a->n_logs ? a->logs[(int64_t)c] : c * log2(c);
}

static inline double purity(const mli_forest_search *a, double w, double s)
{
    return log_of(a, s) + log_of(a, w - s) - log_of(a, w);
}

double mli_forest_purity(const mli_forest_search *a, double w, double s)
{
    return purity(a, w, s);
}

double mli_forest_gain(const mli_forest_search *a, double w, double s)
{
    double gain = purity(a, w, s) + purity(a, a->weight - w, a->sum - s) - a->own;
    return gain > 0 ? gain : 0;
}

double mli_forest_impurity(int criterion, const double *c, int64_t n, double weight)
{
    double sum = 0;
    if (!(weight > 0)) return 0;
    if (criterion == MLI_FOREST_ENTROPY) {
        for (int64_t k = 0; k < n; k++) sum += entropy_part(c[k]);
        return fmax(entropy_part(weight) - sum, 0);
    }
    for (int64_t k = 0; k < n; k++) sum += c[k] * c[k];
    return fmax(weight - sum / weight, 0);
}

void mli_forest_offer(mli_forest_split *best, double num, double den, int32_t feature,
                      uint32_t last, int missing_left)
{
    offer(best, num, den, feature, last, missing_left);
}

/* Minus the entropy of both sides. */
static double purities(const mli_forest_search *a, const double *l, double wl)
{
    double sum = 0, wr = a->weight - wl;
    int64_t n = a->options->classes;
    if (!a->logs) {
        for (int64_t k = 0; k < n; k++)
            sum += entropy_part(l[k]) + entropy_part(a->classes[k] - l[k]);
        return sum - entropy_part(wl) - entropy_part(wr);
    }
    for (int64_t k = 0; k < n; k++)
        sum += log_of(a, l[k]) + log_of(a, a->classes[k] - l[k]);
    return sum - log_of(a, wl) - log_of(a, wr);
}

void mli_forest_rate(const mli_forest_search *a, const double *l, double wl, double *num,
                     double *den)
{
    int64_t k_n = a->options->classes;
    double wr = a->weight - wl, sum = 0;
    if (a->options->targets) {
        mli_forest_rate_targets(a, l, wl, num, den);
        return;
    }
    if (a->options->criterion == MLI_FOREST_ENTROPY) {
        *num = purities(a, l, wl);
        *den = 1;
        return;
    }
    double right = 0;
    for (int64_t k = 0; k < k_n; k++) {
        double r = a->classes[k] - l[k];
        sum += l[k] * l[k];
        right += r * r;
    }
    *num = sum * wr + right * wl;
    *den = wl * wr;
}

/* ---- rows ---- */

static inline double weight_of(const mli_forest_search *a, uint64_t e, int counted)
{
    return counted ? (double)(uint32_t)e : a->w[mli_forest_row(e)];
}
static inline double target_of(const mli_forest_search *a, uint64_t e, int counted)
{
    if (!counted) return a->s[mli_forest_row(e)];
    return (e >> 32 & 1) ? (double)(uint32_t)e : 0.0;
}
static inline int64_t class_of(const mli_forest_search *a, uint64_t e, int counted)
{
    return counted ? (int64_t)(e >> 32 & 0xffff) : a->label[mli_forest_row(e)];
}

/* Codes and payloads, rows with missing values last, in order. *low > *high when all are
 * missing. Returns how many are not. */
static int64_t gather(const mli_forest_search *a, int32_t feature, uint32_t *low,
                      uint32_t *high)
{
    const uint16_t *code = a->code + feature * a->ld;
    int64_t kept = 0, missing = 0;
    uint32_t least = MLI_CODE_MISSING, most = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t c = code[a->row[i]];
        uint64_t e = (uint64_t)c << 48 | mli_forest_payload(a, i);
        if (c == MLI_CODE_MISSING) {
            a->spare[missing++] = e;
            continue;
        }
        least = c < least ? c : least;
        most = c > most ? c : most;
        a->element[kept++] = e;
    }
    if (missing) memcpy(a->element + kept, a->spare, (size_t)missing * sizeof(uint64_t));
    *low = least;
    *high = most;
    return kept;
}

/* ---- numbers, two sums ---- */

typedef struct pair {
    double w, s;
} pair;

static inline pair sum_pairs(const mli_forest_search *a, const uint64_t *e, int64_t n,
                             int counted)
{
    pair p = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        p.w += weight_of(a, e[i], counted);
        p.s += target_of(a, e[i], counted);
    }
    return p;
}

/* e: n sorted rows and m missing ones, which go left when `base` has their sums. */
static void scan_pairs(const mli_forest_search *a, int32_t feature, const uint64_t *e,
                       int64_t n, int64_t m, pair base, int missing_left,
                       mli_forest_split *best)
{
    int counted = a->counted;
    double wl = base.w, sl = base.s, W = a->weight, S = a->sum;
    int64_t least = a->options->min_leaf, add = missing_left ? m : 0;
    int64_t end = m > 0 && !missing_left ? n : n - 1;
    double num = best->num, den = best->den;
    int64_t found = -1;
    for (int64_t i = 0; i < end; i++) {
        wl += weight_of(a, e[i], counted);
        sl += target_of(a, e[i], counted);
        if (i + 1 < n && e[i] >> 48 == e[i + 1] >> 48) continue;
        double d = sl * W - S * wl, wide = wl * (W - wl);
        d *= d;
        if (a->logs) mli_forest_rate_sums(a, wl, sl, &d, &wide);
        if (!(d * den > num * wide)) continue;
        if (i + 1 + add < least || a->n - i - 1 - add < least || !(wide > 0)) continue;
        if (mli_forest_too_light(a, wl)) continue;
        num = d;
        den = wide;
        found = i;
    }
    if (found < 0) return;
    best->num = -INFINITY;
    offer(best, num, den, feature, (uint32_t)(e[found] >> 48), missing_left);
}

/* The same from sums per code: w[range], s[range], rows[range]. */
static void scan_bins(const mli_forest_search *a, int32_t feature, const double *w,
                      const double *s, const uint64_t *rows, uint32_t low, int64_t range,
                      int64_t m, pair base, int missing_left, mli_forest_split *best)
{
    double wl = base.w, sl = base.s, num, den;
    int64_t least = a->options->min_leaf, nl = missing_left ? m : 0;
    int64_t end = m > 0 && !missing_left ? range : range - 1;
    for (int64_t i = 0; i < end; i++) {
        if (!rows[i]) continue;
        wl += w[i];
        sl += s[i];
        nl += (int64_t)rows[i];
        if (nl < least || a->n - nl < least || mli_forest_too_light(a, wl)) continue;
        mli_forest_rate_sums(a, wl, sl, &num, &den);
        if (!(den > 0)) continue;
        offer(best, num, den, feature, low + (uint32_t)i, missing_left);
    }
}

static void few_codes(const mli_forest_search *a, int32_t feature, int64_t n,
                      uint32_t low, uint32_t high, mli_forest_split *best)
{
    int64_t range = (int64_t)(high - low) + 1, m = a->n - n;
    double *w = (double *)(void *)a->spare, *s = w + range;
    uint64_t *rows = a->spare + 2 * range;
    const uint64_t *e = a->element;
    memset(a->spare, 0, (size_t)(3 * range) * sizeof *a->spare);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (int64_t)(e[i] >> 48) - low;
        w[at] += weight_of(a, e[i], a->counted);
        s[at] += target_of(a, e[i], a->counted);
        rows[at]++;
    }
    scan_bins(a, feature, w, s, rows, low, range, m, (pair){0, 0}, 0, best);
    if (m > 0)
        scan_bins(a, feature, w, s, rows, low, range, m,
                  sum_pairs(a, e + n, m, a->counted), 1, best);
}

/* ---- numbers, classes ---- */

/* Class weights of both sides and the sums of their squares, or of c log2 c, moved row by
 * row. */
typedef struct moving {
    double *l, *r, wl, left, right;
} moving;

static inline void move_row(const mli_forest_search *a, moving *v, int64_t k, double w)
{
    if (a->logs) {
        v->left += log_of(a, v->l[k] + w) - log_of(a, v->l[k]);
        v->right += log_of(a, v->r[k] - w) - log_of(a, v->r[k]);
    } else {
        v->left += w * (2 * v->l[k] + w);
        v->right -= w * (2 * v->r[k] - w);
    }
    v->l[k] += w;
    v->r[k] -= w;
    v->wl += w;
}

static void start_moving(const mli_forest_search *a, moving *v)
{
    int64_t k_n = a->options->classes;
    v->l = a->left;
    v->r = v->l + k_n;
    v->wl = v->left = v->right = 0;
    for (int64_t k = 0; k < k_n; k++) {
        v->l[k] = 0;
        v->r[k] = a->classes[k];
        v->right += a->logs ? log_of(a, v->r[k]) : v->r[k] * v->r[k];
    }
}

static void scan_classes(const mli_forest_search *a, int32_t feature, const uint64_t *e,
                         int64_t n, int64_t m, int missing_left, mli_forest_split *best)
{
    int counted = a->counted;
    int entropy = a->options->criterion == MLI_FOREST_ENTROPY;
    int64_t least = a->options->min_leaf, add = missing_left ? m : 0;
    int64_t end = m > 0 && !missing_left ? n : n - 1;
    moving v;
    start_moving(a, &v);
    for (int64_t i = 0; i < add; i++)
        move_row(a, &v, class_of(a, e[n + i], counted), weight_of(a, e[n + i], counted));
    for (int64_t i = 0; i < end; i++) {
        move_row(a, &v, class_of(a, e[i], counted), weight_of(a, e[i], counted));
        if (i + 1 < n && e[i] >> 48 == e[i + 1] >> 48) continue;
        if (i + 1 + add < least || a->n - i - 1 - add < least) continue;
        double wr = a->weight - v.wl, den = v.wl * wr;
        /* What is left of heavy rows that moved must not outweigh light ones. */
        double num = v.left * wr + (v.right < wr * wr ? v.right : wr * wr) * v.wl;
        if (!(den > 0) || mli_forest_too_light(a, v.wl)) continue;
        if (a->logs) {
            num = v.left + v.right - log_of(a, v.wl) - log_of(a, wr);
            den = 1;
        } else if (entropy) {
            mli_forest_rate(a, v.l, v.wl, &num, &den);
        }
        offer(best, num, den, feature, (uint32_t)(e[i] >> 48), missing_left);
    }
}

static void sorted_codes(const mli_forest_search *a, int32_t feature, int64_t n,
                         uint32_t low, uint32_t high, mli_forest_split *best)
{
    int64_t m = a->n - n;
    uint64_t *e =
        mli_forest_sort(a->element, a->spare, n, low, high, a->codes->ctx->cpu_level);
    if (m && e != a->element) memcpy(e + n, a->element + n, (size_t)m * sizeof *e);
    for (int left = 0; a->options->targets && left <= (m > 0); left++)
        mli_forest_scan_targets(a, feature, e, n, m, left, best);
    if (a->options->targets) return;
    if (!a->scalar) {
        for (int left = 0; left <= (m > 0); left++)
            scan_classes(a, feature, e, n, m, left, best);
        return;
    }
    for (int left = 0; left <= (m > 0); left++) {
        pair base = left ? sum_pairs(a, e + n, m, a->counted) : (pair){0, 0};
        scan_pairs(a, feature, e, n, m, base, left, best);
    }
}

/* ---- categories ---- */

/* Sums that a side of a split has. */
static int64_t width_of(const mli_forest_search *a)
{
    int64_t n = a->options->targets ? a->options->targets : a->options->classes;
    return a->scalar || n < 1 ? 1 : n;
}

static inline void add_row(const mli_forest_search *a, uint64_t e, double w, double *sums)
{
    if (a->scalar)
        sums[0] += target_of(a, e, a->counted);
    else if (a->options->targets == 0)
        sums[class_of(a, e, a->counted)] += w;
    else
        mli_forest_add_targets(a, e, sums);
}

typedef struct level {
    double order, w, s;
    int64_t rows;
    uint32_t code;
} level;

static int by_order(const void *a, const void *b)
{
    const level *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return x->code < y->code ? -1 : x->code > y->code;
}

/* Sums of the codes: levels that occur, and with classes their weights in a->bins. */
static int32_t sum_levels(const mli_forest_search *a, int32_t codes, level *l)
{
    int64_t k_n = width_of(a);
    int32_t used = 0;
    for (int32_t c = 0; c < codes; c++) l[c] = (level){0, 0, 0, 0, (uint32_t)c};
    if (!a->scalar) memset(a->bins, 0, (size_t)(codes * k_n) * sizeof *a->bins);
    for (int64_t i = 0; i < a->n; i++) {
        uint64_t e = a->element[i];
        level *at = &l[e >> 48];
        double w = weight_of(a, e, a->counted);
        at->w += w;
        at->rows++;
        if (a->scalar)
            at->s += target_of(a, e, a->counted);
        else
            add_row(a, e, w, a->bins + (int64_t)(e >> 48) * k_n);
    }
    for (int32_t c = 0; c < codes; c++)
        if (l[c].rows) l[used++] = l[c];
    return used;
}

static void keep_levels(const level *l, int32_t n, int32_t feature, double num,
                        double den, mli_forest_split *best)
{
    offer(best, num, den, feature, 0, 0);
    best->categorical = 1;
    memset(best->bits, 0, sizeof best->bits);
    for (int32_t i = 0; i < n; i++)
        best->bits[l[i].code >> 5] |= UINT32_C(1) << (l[i].code & 31);
}

/* Cuts of the order of the levels. */
static void cut_levels(const mli_forest_search *a, int32_t feature, const level *l,
                       int32_t used, mli_forest_split *best)
{
    int64_t least = a->options->min_leaf, rows = 0, k_n = width_of(a);
    double wl = 0, sl = 0, num, den;
    if (!a->scalar) memset(a->left, 0, (size_t)k_n * sizeof *a->left);
    for (int32_t i = 0; i + 1 < used; i++) {
        wl += l[i].w;
        sl += l[i].s;
        rows += l[i].rows;
        for (int64_t k = 0; !a->scalar && k < k_n; k++)
            a->left[k] += a->bins[l[i].code * k_n + k];
        if (rows < least || a->n - rows < least || !(wl > 0 && wl < a->weight)) continue;
        if (mli_forest_too_light(a, wl)) continue;
        if (a->scalar)
            mli_forest_rate_sums(a, wl, sl, &num, &den);
        else
            mli_forest_rate(a, a->left, wl, &num, &den);
        if (num * best->den > best->num * den)
            keep_levels(l, i + 1, feature, num, den, best);
    }
}

static void order_levels(const mli_forest_search *a, int32_t feature, level *l,
                         int32_t used, mli_forest_split *best)
{
    int64_t k_n = width_of(a), orders = a->scalar ? 1 : k_n;
    if (orders > MOST_ORDERS) orders = MOST_ORDERS;
    for (int64_t k = 0; k < orders; k++) {
        for (int32_t i = 0; i < used; i++) {
            double s = a->scalar ? l[i].s : a->bins[l[i].code * k_n + k];
            l[i].order = l[i].w > 0 ? s / l[i].w : 0;
        }
        qsort(l, (size_t)used, sizeof *l, by_order);
        cut_levels(a, feature, l, used, best);
    }
}

static int try_category(const mli_forest_search *a, int32_t feature,
                        mli_forest_split *best)
{
    const uint16_t *code = a->code + feature * a->ld;
    int32_t codes = a->codes->feature[feature].n_codes + 1;
    level l[256];
    for (int64_t i = 0; i < a->n; i++)
        a->element[i] = (uint64_t)code[a->row[i]] << 48 | mli_forest_payload(a, i);
    int32_t used = sum_levels(a, codes, l);
    if (used < 2) return 0;
    order_levels(a, feature, l, used, best);
    return 1;
}

/* Two rows: the one of the smaller code goes left. */
static int try_two(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    const uint16_t *code = a->code + feature * a->ld;
    uint32_t x = code[a->row[0]], y = code[a->row[1]], low = x < y ? x : y;
    if (x == y) return 0;
    offer(best, 1, 1, feature, low, 0);
    best->categorical = a->codes->feature[feature].kind == MLI_CATEGORICAL;
    if (!best->categorical) return 1;
    memset(best->bits, 0, sizeof best->bits);
    best->bits[low >> 5] = UINT32_C(1) << (low & 31);
    return 1;
}

int mli_forest_try(const mli_forest_search *a, int32_t feature, mli_forest_split *best)
{
    uint32_t low, high;
    if (a->two) return try_two(a, feature, best);
    if (a->codes->feature[feature].kind == MLI_CATEGORICAL)
        return try_category(a, feature, best);
    if (a->n <= MLI_FOREST_FEW && (a->pair || a->lane || a->few))
        return mli_forest_few(a, feature, best);
    if (a->scalar && a->counted && a->n > MLI_FOREST_FEW && a->weight < 2e9)
        return mli_forest_bound(a, feature, best);
    int cells = a->lane || (a->counted && !a->scalar && a->weight < 2e9 &&
                            a->options->classes <= MLI_FOREST_CLASSES &&
                            a->options->criterion == MLI_FOREST_GINI);
    if (cells && a->n > MLI_FOREST_FEW && a->n <= INT32_MAX) {
        int found = mli_forest_cells(a, feature, best);
        if (found >= 0) return found;
    }
    int64_t n = gather(a, feature, &low, &high);
    if (n == 0 || (n == a->n && low == high)) return 0;
    if (a->scalar && a->n >= 3 * ((int64_t)(high - low) + 1))
        few_codes(a, feature, n, low, high, best);
    else
        sorted_codes(a, feature, n, low, high, best);
    return 1;
}
