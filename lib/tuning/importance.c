/* SPDX-License-Identifier: MIT
 *
 * importance.c: functional analysis of variance of a forest (Hutter, Hoos, Leyton-Brown,
 * "An efficient approach for assessing hyperparameter importance", ICML 2014). Trees
 * split the unit cube into boxes; means over all other dimensions follow exactly from the
 * boxes' volumes. The importance of a dimension is the variance of its own mean, as a
 * share of the sum over all dimensions. Inactive coordinates stand at 0.5. The forest
 * costs O(trees n^2 d) here, a marginal O(boxes).
 */
#include "tuning/importance.h"

#include <math.h>
#include <string.h>

#define TREES      32
#define LEAST_LEAF 2
#define MOST_ROWS  1000 /* the newest trials */
#define STEPS      32   /* points at which a dimension's mean is taken */

typedef struct box {
    double value, volume;
} box;

struct mli_anova {
    ml_context *ctx;
    int64_t n, d, n_boxes, capacity;
    double *x, *y;      /* [n][d], [n] */
    box *boxes;         /* of all trees */
    double *low, *high; /* [boxes][d] */
    double *corner;     /* [2 d] of the box being cut */
};

void mli_anova_free(mli_anova *f)
{
    if (!f) return;
    mli_free(f->ctx, f->x);
    mli_free(f->ctx, f->y);
    mli_free(f->ctx, f->boxes);
    mli_free(f->ctx, f->low);
    mli_free(f->ctx, f->high);
    mli_free(f->ctx, f->corner);
    mli_free(f->ctx, f);
}

static void add_box(mli_anova *f, const int64_t *rows, int64_t n)
{
    double sum = 0, volume = 1;
    for (int64_t i = 0; i < n; i++) sum += f->y[rows[i]];
    for (int64_t k = 0; k < f->d; k++) volume *= f->corner[f->d + k] - f->corner[k];
    size_t size = (size_t)f->d * sizeof(double);
    memcpy(f->low + f->n_boxes * f->d, f->corner, size);
    memcpy(f->high + f->n_boxes * f->d, f->corner + f->d, size);
    f->boxes[f->n_boxes++] = (box){sum / (double)n, volume};
}

/* The sum of squares that a cut of one dimension saves; rows sorted by it. */
static double best_cut(const mli_anova *f, const int64_t *rows, int64_t n, int64_t dim,
                       double *at)
{
    double sum = 0, left = 0, best = -1;
    for (int64_t i = 0; i < n; i++) sum += f->y[rows[i]];
    for (int64_t i = 1; i < n; i++) {
        left += f->y[rows[i - 1]];
        double a = f->x[rows[i - 1] * f->d + dim], b = f->x[rows[i] * f->d + dim];
        if (i < LEAST_LEAF || n - i < LEAST_LEAF || !(b - a > 1e-9)) continue;
        double right = sum - left, gain = left * left / (double)i +
                                          right * right / (double)(n - i) -
                                          sum * sum / (double)n;
        if (!(gain > best)) continue;
        best = gain;
        *at = 0.5 * (a + b);
    }
    return best;
}

static void sort_rows(const mli_anova *f, int64_t *rows, int64_t n, int64_t dim)
{
    for (int64_t i = 1; i < n; i++) { /* insertion: few rows, nearly sorted later on */
        int64_t held = rows[i], j = i;
        double v = f->x[held * f->d + dim];
        for (; j > 0 && f->x[rows[j - 1] * f->d + dim] > v; j--) rows[j] = rows[j - 1];
        rows[j] = held;
    }
}

/* Cuts a box as long as it pays; depth bounds the recursion. */
static void grow(mli_anova *f, int64_t *rows, int64_t n, int depth, mli_rng *rng)
{
    int64_t dim = -1;
    double best = 1e-12, at = 0, cut;
    for (int64_t k = 0; k < f->d && depth < 40 && n >= 2 * LEAST_LEAF; k++) {
        if (f->d > 2 && mli_rng_f64(rng) < 0.3) continue; /* trees differ */
        sort_rows(f, rows, n, k);
        double gain = best_cut(f, rows, n, k, &cut);
        if (gain <= best) continue;
        best = gain;
        at = cut;
        dim = k;
    }
    if (dim < 0) {
        add_box(f, rows, n);
        return;
    }
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++) { /* a partition */
        int64_t held = rows[i];
        if (f->x[held * f->d + dim] > at) continue;
        rows[i] = rows[left];
        rows[left++] = held;
    }
    double low = f->corner[dim], high = f->corner[f->d + dim];
    f->corner[f->d + dim] = at;
    grow(f, rows, left, depth + 1, rng);
    f->corner[f->d + dim] = high;
    f->corner[dim] = at;
    grow(f, rows + left, n - left, depth + 1, rng);
    f->corner[dim] = low;
}

static int64_t usable(const ml_study *s, int64_t *rows)
{
    int64_t n = 0;
    for (int64_t i = s->count - 1; i >= 0 && n < MOST_ROWS; i--)
        if (s->trials[i].state == MLI_TRIAL_DONE && isfinite(s->trials[i].score)) {
            if (rows) rows[n] = i;
            n++;
        }
    return n;
}

/* Scores count from 0 to 1: shares do not depend on their scale, and squares of large
 * ones have no number. */
static void fill(mli_anova *f, const ml_study *s, const int64_t *trials)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < f->n; i++) {
        low = fmin(low, s->trials[trials[i]].score / 2);
        high = fmax(high, s->trials[trials[i]].score / 2);
    }
    for (int64_t i = 0; i < f->n; i++) {
        const mli_trial *t = &s->trials[trials[i]];
        f->y[i] = high > low ? (t->score / 2 - low) / (high - low) : 0;
        for (int64_t k = 0; k < f->d; k++)
            f->x[i * f->d + k] = isnan(t->unit[k]) ? 0.5 : t->unit[k];
    }
}

static void grow_all(mli_anova *f, uint64_t seed, int64_t *rows)
{
    for (uint64_t t = 0; t < TREES; t++) {
        mli_rng rng;
        mli_rng_init(&rng, seed, t, 0x666f7265 /* "fore" */);
        for (int64_t i = 0; i < f->n; i++) rows[i] = mli_rng_below(&rng, f->n);
        for (int64_t k = 0; k < f->d; k++) {
            f->corner[k] = 0;
            f->corner[f->d + k] = 1;
        }
        grow(f, rows, f->n, 0, &rng);
    }
}

ml_status mli_anova_fit(const ml_study *s, mli_anova **out, ml_error *err)
{
    mli_anova *f = mli_calloc(s->ctx, 1, sizeof *f);
    if (!f) return mli_nomem(err);
    f->ctx = s->ctx;
    f->n = usable(s, NULL);
    f->d = s->space.n;
    int64_t n = f->n, d = f->d, boxes = TREES * (n > 0 ? n : 1);
    int64_t *rows = mli_alloc_vec(s->ctx, n + 1, sizeof *rows);
    f->x = mli_alloc_vec(s->ctx, n * d + 1, sizeof *f->x);
    f->y = mli_alloc_vec(s->ctx, n + 1, sizeof *f->y);
    f->boxes = mli_alloc_vec(s->ctx, boxes, sizeof *f->boxes);
    f->low = mli_alloc_vec(s->ctx, boxes * d + 1, sizeof *f->low);
    f->high = mli_alloc_vec(s->ctx, boxes * d + 1, sizeof *f->high);
    f->corner = mli_alloc_vec(s->ctx, 2 * d + 1, sizeof *f->corner);
    int made = rows && f->x && f->y && f->boxes && f->low && f->high && f->corner;
    if (made && n > 0) {
        usable(s, rows);
        fill(f, s, rows);
        grow_all(f, (uint64_t)mli_get_i64(s->options, "seed"), rows);
    }
    mli_free(s->ctx, rows);
    if (!made) {
        mli_anova_free(f);
        return mli_nomem(err);
    }
    *out = f;
    return ML_OK;
}

double mli_anova_marginal(const mli_anova *f, int64_t a, double u, int64_t b, double v)
{
    double sum = 0;
    for (int64_t i = 0; i < f->n_boxes; i++) {
        const double *low = f->low + i * f->d, *high = f->high + i * f->d;
        if (u < low[a] || (u >= high[a] && high[a] < 1)) continue;
        double share = f->boxes[i].volume / (high[a] - low[a]);
        if (b >= 0) {
            if (v < low[b] || (v >= high[b] && high[b] < 1)) continue;
            share /= high[b] - low[b];
        }
        sum += share * f->boxes[i].value;
    }
    return sum / TREES;
}

/* The variance of a dimension's own mean, over its levels or even points. */
static double own_variance(const mli_anova *f, const mli_dimension *d, int64_t k)
{
    int64_t levels = mli_dimension_levels(d),
            n = levels > 0 && levels < STEPS ? levels : STEPS;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = mli_anova_marginal(f, k, ((double)i + 0.5) / (double)n, -1, 0);
        sum += v;
        squares += v * v;
    }
    return fmax(0, squares / (double)n - sum * sum / (double)(n * n));
}

ml_status mli_study_importance(const ml_study *s, double *share, ml_error *err)
{
    mli_anova *f = NULL;
    double total = 0;
    ml_status st = mli_anova_fit(s, &f, err);
    if (st < 0) return st;
    for (int64_t k = 0; k < s->space.n; k++) {
        share[k] = f->n < MLI_IMPORTANCE_LEAST
                       ? NAN
                       : own_variance(f, &s->space.dimensions[k], k);
        total += share[k];
    }
    for (int64_t k = 0; k < s->space.n; k++)
        share[k] = total > 0 ? share[k] / total : NAN;
    mli_anova_free(f);
    return ML_OK;
}
