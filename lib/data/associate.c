/* SPDX-License-Identifier: MIT
 *
 * data/associate.c: associations between columns of a sample.
 */
#include "data/associate.h"

#include <math.h>
#include <string.h>

/* ---- two columns of numbers ---- */

static double pearson(const double *x, const double *y, int64_t rows, int64_t *n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    int64_t count = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        count++;
        mx += (x[i] - mx) / (double)count;
        my += (y[i] - my) / (double)count;
    }
    *n = count;
    for (int64_t i = 0; i < rows; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) continue;
        double dx = x[i] - mx, dy = y[i] - my;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    if (count < 3 || !(xx > 0) || !(yy > 0)) return NAN;
    double r = xy / sqrt(xx) / sqrt(yy);
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
    if (*how == MLI_PEARSON) return pearson(a->value, b->value, rows, n);
    if (*how == MLI_CRAMER) return cramer(a->level, b->level, rows, n);
    return a->numeric ? ratio(b->level, a->value, rows, n)
                      : ratio(a->level, b->value, rows, n);
}

/* ---- predicting the target ---- */

#define PRIOR 5.0 /* rows that the mean of all counts for in a level */

/* Sums of one half of the rows; of classes the counts, else the values in class 0. */
typedef struct {
    double rows[MLI_LEVELS], sum[MLI_LEVELS][MLI_LEVELS];
    double all, total[MLI_LEVELS];
} half;

static int usable(const mli_coded *target, int classes, int64_t i)
{
    return classes ? target->level[i] != 0 : isfinite(target->value[i]) != 0;
}

static void learn(const mli_coded *c, const mli_coded *t, int classes, int64_t rows,
                  int parity, half *h)
{
    memset(h, 0, sizeof *h);
    for (int64_t i = parity; i < rows; i += 2) {
        if (!usable(t, classes, i)) continue;
        int k = classes ? t->level[i] : 0, level = c->level[i];
        double y = classes ? 1.0 : t->value[i];
        h->rows[level]++;
        h->sum[level][k] += y;
        h->all++;
        h->total[k] += y;
    }
}

/* What the level says, drawn a little to the mean of all rows. */
static double guess(const half *h, int level, int k)
{
    double mean = h->total[k] / h->all;
    return (h->sum[level][k] + PRIOR * mean) / (h->rows[level] + PRIOR);
}

/* Adds the squared errors of the other half with and without the column. */
static void score(const mli_coded *c, const mli_coded *t, int classes, int64_t rows,
                  int parity, const half *h, double *with, double *without)
{
    int most = classes ? MLI_LEVELS : 1;
    for (int64_t i = parity; i < rows; i += 2) {
        if (!usable(t, classes, i)) continue;
        for (int k = 0; k < most; k++) {
            double y = classes ? (double)(t->level[i] == k) : t->value[i];
            double a = y - guess(h, c->level[i], k), b = y - h->total[k] / h->all;
            *with += a * a;
            *without += b * b;
        }
    }
}

double mli_predictive_power(const mli_coded *column, const mli_coded *target, int classes,
                            int64_t rows)
{
    half h;
    double with = 0, without = 0;
    for (int parity = 0; parity < 2; parity++) {
        learn(column, target, classes, rows, parity, &h);
        if (h.all > 0) score(column, target, classes, rows, !parity, &h, &with, &without);
    }
    if (!(without > 0)) return NAN;
    double power = 1 - with / without;
    return power > 0 ? power : 0;
}
