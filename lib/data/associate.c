/* SPDX-License-Identifier: MIT
 *
 * data/associate.c: associations between columns of a sample.
 */
#include "data/associate.h"

#include <math.h>
#include <string.h>

/* ---- two columns of numbers ---- */

#define LANES 8 /* partial sums, so that the compiler works on several values at once */

static double total(const double *lane)
{
    double sum = 0;
    for (int k = 0; k < LANES; k++) sum += lane[k];
    return sum;
}

/* The means over the rows with both values; returns how many. */
static int64_t means(const mli_coded *a, const mli_coded *b, int64_t rows, double *mx,
                     double *my)
{
    const double *x = a->value, *y = b->value;
    int complete = a->complete && b->complete;
    double sx[LANES] = {0}, sy[LANES] = {0};
    int64_t i = 0, n = rows;
    for (; complete && i + LANES <= rows; i += LANES)
        for (int k = 0; k < LANES; k++) {
            sx[k] += x[i + k];
            sy[k] += y[i + k];
        }
    for (; i < rows; i++) {
        int both = isfinite(x[i]) && isfinite(y[i]);
        sx[0] += both ? x[i] : 0;
        sy[0] += both ? y[i] : 0;
        n -= !both;
    }
    *mx = total(sx) / (double)(n ? n : 1);
    *my = total(sy) / (double)(n ? n : 1);
    return n;
}

static double pearson(const mli_coded *a, const mli_coded *b, int64_t rows, int64_t *n)
{
    const double *x = a->value, *y = b->value;
    double mx, my, xx[LANES] = {0}, yy[LANES] = {0}, xy[LANES] = {0};
    int complete = a->complete && b->complete;
    int64_t i = 0;
    *n = means(a, b, rows, &mx, &my);
    for (; complete && i + LANES <= rows; i += LANES)
        for (int k = 0; k < LANES; k++) {
            double dx = x[i + k] - mx, dy = y[i + k] - my;
            xx[k] += dx * dx;
            yy[k] += dy * dy;
            xy[k] += dx * dy;
        }
    for (; i < rows; i++) {
        int both = isfinite(x[i]) && isfinite(y[i]);
        double dx = both ? x[i] - mx : 0, dy = both ? y[i] - my : 0;
        xx[0] += dx * dx;
        yy[0] += dy * dy;
        xy[0] += dx * dy;
    }
    double sx = total(xx), sy = total(yy);
    if (*n < 3 || !(sx > 0) || !(sy > 0)) return NAN;
    double r = total(xy) / sqrt(sx) / sqrt(sy);
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* ---- numbers and levels ---- */

static double ratio(const uint8_t *level, const double *y, int64_t rows, int64_t *n)
{
    double sum[MLI_LEVELS] = {0}, total = 0, mean = 0, between = 0, all = 0;
    int64_t count[MLI_LEVELS] = {0}, groups = 0, m = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (!level[i] || !isfinite(y[i])) continue;
        m++;
        mean += (y[i] - mean) / (double)m;
    }
    for (int64_t i = 0; i < rows; i++) {
        if (!level[i] || !isfinite(y[i])) continue;
        double d = y[i] - mean;
        count[level[i]]++;
        sum[level[i]] += d;
        total += d;
        all += d * d;
    }
    *n = m;
    for (int k = 1; k < MLI_LEVELS; k++) {
        if (!count[k]) continue;
        groups++;
        between += sum[k] * sum[k] / (double)count[k];
    }
    all -= m ? total * total / (double)m : 0;
    if (groups < 2 || m <= groups || !(all > 0)) return NAN;
    double share = 1 - (1 - between / all) * (double)(m - 1) / (double)(m - groups);
    return share > 0 ? sqrt(share) : 0;
}

/* ---- two columns of levels ---- */

static double cramer(const uint8_t *a, const uint8_t *b, int64_t rows, int64_t *n)
{
    double table[MLI_LEVELS][MLI_LEVELS] = {{0}}, ra[MLI_LEVELS] = {0};
    double rb[MLI_LEVELS] = {0}, m = 0, chi2 = 0, ka = 0, kb = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (!a[i] || !b[i]) continue;
        table[a[i]][b[i]]++;
        ra[a[i]]++;
        rb[b[i]]++;
        m++;
    }
    *n = (int64_t)m;
    for (int i = 1; i < MLI_LEVELS; i++) {
        ka += ra[i] > 0;
        kb += rb[i] > 0;
        for (int j = 1; j < MLI_LEVELS; j++) {
            if (!(ra[i] > 0) || !(rb[j] > 0)) continue;
            double expected = ra[i] * rb[j] / m, d = table[i][j] - expected;
            chi2 += d * d / expected;
        }
    }
    if (ka < 2 || kb < 2 || m < 3) return NAN;
    double phi2 = chi2 / m - (ka - 1) * (kb - 1) / (m - 1);
    double ca = ka - (ka - 1) * (ka - 1) / (m - 1);
    double cb = kb - (kb - 1) * (kb - 1) / (m - 1);
    double least = (ca < cb ? ca : cb) - 1;
    if (!(least > 0)) return NAN;
    double v2 = phi2 / least;
    return v2 > 1 ? 1 : v2 > 0 ? sqrt(v2) : 0;
}

double mli_associate(const mli_coded *a, const mli_coded *b, int64_t rows,
                     mli_association *how, int64_t *n)
{
    *how = a->numeric && b->numeric   ? MLI_PEARSON
           : a->numeric || b->numeric ? MLI_ETA
                                      : MLI_CRAMER;
    if (*how == MLI_PEARSON) return pearson(a, b, rows, n);
    if (*how == MLI_CRAMER) return cramer(a->level, b->level, rows, n);
    return a->numeric ? ratio(b->level, a->value, rows, n)
                      : ratio(a->level, b->value, rows, n);
}

/* ---- predicting the target ---- */

/* Rows that the mean of all counts for in a level: what the other half of the rows
 * bears out best counts, many where the levels tell little. */
static const double priors[] = {0.5, 5, 50, 500};
#define PRIORS   ((int)(sizeof priors / sizeof *priors))
#define FEW_BINS 8

/* One half of the rows: of classes how often each comes with each level, else the sums of
 * the values and of their squares, from a value in their midst. */
typedef struct {
    double rows[MLI_LEVELS], all;
    int32_t of[MLI_LEVELS][MLI_LEVELS], every[MLI_LEVELS];
    double sum[MLI_LEVELS], squares[MLI_LEVELS], total;
} half;

static void learn_classes(const mli_coded *c, const mli_coded *t, int64_t rows,
                          int parity, half *h)
{
    for (int64_t i = parity; i < rows; i += 2) h->of[c->level[i]][t->level[i]]++;
    for (int l = 0; l < MLI_LEVELS; l++)
        for (int k = 1; k < MLI_LEVELS; k++) { /* 0: the target is missing */
            h->rows[l] += h->of[l][k];
            h->every[k] += h->of[l][k];
        }
}

static void learn_values(const mli_coded *c, const mli_coded *t, int64_t rows, int parity,
                         double middle, half *h)
{
    for (int64_t i = parity; i < rows; i += 2) {
        if (!isfinite(t->value[i])) continue;
        double y = t->value[i] - middle;
        int l = c->level[i];
        h->rows[l]++;
        h->sum[l] += y;
        h->squares[l] += y * y;
        h->total += y;
    }
}

/* What a level says, drawn a little to the mean of all rows. */
static double guess(double sum, double n, double mean, double prior)
{
    return (sum + prior * mean) / (n + prior);
}

/* Squared errors of guesses p for n rows whose ones are `hits`. */
static double brier(double p, double hits, double n)
{
    return hits * (1 - p) * (1 - p) + (n - hits) * p * p;
}

/* Adds the squared errors of the rows of `there` with and without the column, by what the
 * other half says. */
static void score_classes(const half *h, const half *there, double prior, double *with,
                          double *without)
{
    for (int k = 1; k < MLI_LEVELS; k++) {
        double mean = h->every[k] / h->all;
        *without += brier(mean, there->every[k], there->all);
        for (int l = 0; l < MLI_LEVELS; l++)
            if (there->rows[l] > 0)
                *with += brier(guess(h->of[l][k], h->rows[l], mean, prior),
                               there->of[l][k], there->rows[l]);
    }
}

static void score_values(const half *h, const half *there, double prior, double *with,
                         double *without)
{
    double mean = h->total / h->all;
    for (int l = 0; l < MLI_LEVELS; l++) {
        double g = guess(h->sum[l], h->rows[l], mean, prior), n = there->rows[l];
        double sum = there->sum[l], squares = there->squares[l];
        *with += fmax(0, squares - 2 * g * sum + n * g * g);
        *without += fmax(0, squares - 2 * mean * sum + n * mean * mean);
    }
}

static double mean_of(const double *y, int64_t rows)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (!isfinite(y[i])) continue;
        sum += y[i];
        n++;
    }
    return sum / (double)(n ? n : 1);
}

/* Pairs of neighbouring bins become one; level 0 stays. */
static void join_bins(half *h)
{
    for (int l = 1; l < MLI_LEVELS; l++) {
        int to = (l + 1) / 2;
        if (to == l) continue;
        h->rows[to] += h->rows[l];
        h->sum[to] += h->sum[l];
        h->squares[to] += h->squares[l];
        for (int k = 0; k < MLI_LEVELS; k++) {
            h->of[to][k] += h->of[l][k];
            h->of[l][k] = 0;
        }
        h->rows[l] = h->sum[l] = h->squares[l] = 0;
    }
}

/* The best share of the squared error that the levels take away, of all priors. */
static double gain(const half *h, int classes)
{
    double best = 0;
    for (int k = 0; k < PRIORS; k++) {
        double with = 0, without = 0;
        for (int p = 0; p < 2; p++) {
            if (!(h[p].all > 0)) continue;
            if (classes)
                score_classes(&h[p], &h[!p], priors[k], &with, &without);
            else
                score_values(&h[p], &h[!p], priors[k], &with, &without);
        }
        if (!(without > 0)) return NAN;
        best = fmax(best, 1 - with / without);
    }
    return best;
}

double mli_predictive_power(const mli_coded *column, const mli_coded *target, int classes,
                            int64_t rows)
{
    half h[2];
    if (column->n == 0) return NAN; /* texts that were not looked at */
    double middle = classes ? 0 : mean_of(target->value, rows);
    memset(h, 0, sizeof h);
    for (int p = 0; p < 2; p++) {
        if (classes)
            learn_classes(column, target, rows, p, &h[p]);
        else
            learn_values(column, target, rows, p, middle, &h[p]);
        for (int l = 0; l < MLI_LEVELS; l++) h[p].all += h[p].rows[l];
    }
    /* Few rows tell more of few bins. */
    double best = gain(h, classes);
    for (int bins = MLI_LEVELS / 2; column->numeric && bins >= FEW_BINS; bins /= 2) {
        for (int p = 0; p < 2; p++) join_bins(&h[p]);
        best = fmax(best, gain(h, classes));
    }
    return best;
}
