/* SPDX-License-Identifier: MIT
 *
 * statistics.c: distributions, and tests of two models on the same rows.
 *
 * McNemar, Note on the sampling error of the difference between correlated proportions,
 * 1947. DeLong, DeLong, Clarke-Pearson, Comparing the areas under two or more correlated
 * ROC curves, 1988, by ranks as Sun and Xu, 2014: O(n log n). Nadeau, Bengio, Inference
 * for the generalization error, 2003: splits share training rows, so the variance of the
 * mean of their scores is 1/n + test/train of the variance of one.
 */
#include "tuning/statistics.h"

#include <math.h>
#include <stdlib.h>

/* ---- distributions ---- */

double mli_normal_two_sided(double z)
{
    return erfc(fabs(z) / sqrt(2));
}

/* The continued fraction of the incomplete beta function, by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1), h;
    d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
    h = d;
    for (int m = 1; m < 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int k = 0; k < 2; k++) {
            double t = k ? odd : even;
            d = 1 + t * d;
            c = 1 + t / c;
            d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
            if (fabs(c) < 1e-300) c = 1e-300;
            h *= c * d;
        }
        if (fabs(c * d - 1) < 1e-15) break;
    }
    return h;
}

/* By Stirling's series, far out, where it is exact to 1e-16. (lgamma writes a global
 * variable.) */
static double log_gamma(double x)
{
    static const double terms[] = {1.0 / 12,    -1.0 / 360, 1.0 / 1260,
                                   -1.0 / 1680, 1.0 / 1188, -691.0 / 360360};
    double shift = 0, sum = 0;
    for (; x < 12; x += 1) shift -= log(x);
    for (int i = 5; i >= 0; i--) sum = terms[i] + sum / (x * x);
    return shift + (x - 0.5) * log(x) - x + 0.918938533204672741780 + sum / x;
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double front =
        exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double mli_student_two_sided(double t, double df)
{
    if (isnan(t)) return NAN;
    return incomplete_beta(df / 2, 0.5, df / (df + t * t));
}

double mli_student_quantile(double p, double df)
{
    double low = 0, high = 1;
    while (high < 1e150 && mli_student_two_sided(high, df) > p) high *= 2;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        *(mli_student_two_sided(middle, df) > p ? &low : &high) = middle;
    }
    return high;
}

double mli_coin_two_sided(int64_t k, int64_t n)
{
    double sum = 0;
    if (n - k < k) k = n - k;
    for (int64_t i = 0; i <= k; i++)
        sum += exp(log_gamma((double)n + 1) - log_gamma((double)i + 1) -
                   log_gamma((double)(n - i) + 1) - (double)n * log(2));
    return fmin(1, 2 * sum);
}

void mli_wilson(double share, double n, double z, double *low, double *high)
{
    double z2 = z * z, middle = (share + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    *low = fmax(0, middle - half);
    *high = fmin(1, middle + half);
}

/* ---- tests ---- */

static void from_error(mli_compared *c, double error, double df)
{
    double wide = 1.959963984540054;
    c->statistic = error > 0            ? c->difference / error
                   : c->difference == 0 ? 0
                                        : copysign(INFINITY, c->difference);
    if (df > 0) wide = mli_student_quantile(0.05, df);
    c->p = df > 0 ? mli_student_two_sided(c->statistic, df)
                  : mli_normal_two_sided(c->statistic);
    c->low = c->difference - wide * error;
    c->high = c->difference + wide * error;
}

void mli_mcnemar(const uint8_t *first, const uint8_t *second, int64_t n,
                 mli_compared *out)
{
    int64_t b = 0, c = 0, x = 0, y = 0;
    for (int64_t i = 0; i < n; i++) {
        x += first[i];
        y += second[i];
        b += first[i] && !second[i];
        c += second[i] && !first[i];
    }
    double gap = (double)(b > c ? b - c : c - b), all = (double)(b + c);
    double rows = (double)n;
    *out = (mli_compared){.first = (double)x / rows,
                          .second = (double)y / rows,
                          .difference = (double)(b - c) / rows};
    double error = sqrt(fmax(0, all - gap * gap / rows)) / rows;
    out->low = out->difference - 1.959963984540054 * error;
    out->high = out->difference + 1.959963984540054 * error;
    if (b + c < 25) {
        out->statistic = (double)(b < c ? b : c);
        out->p = mli_coin_two_sided(b < c ? b : c, b + c);
    } else {
        out->statistic = gap > 1 ? (gap - 1) * (gap - 1) / all : 0;
        out->p = mli_normal_two_sided(sqrt(out->statistic));
    }
}

static void paired(const double *x, const double *y, int64_t n, double inflate,
                   mli_compared *out)
{
    double rows = (double)n, sum = 0, squares = 0;
    *out = (mli_compared){0};
    for (int64_t i = 0; i < n; i++) {
        out->first += x[i] / rows;
        out->second += y[i] / rows;
        sum += x[i] - y[i];
    }
    out->difference = sum / rows;
    for (int64_t i = 0; i < n; i++) {
        double d = x[i] - y[i] - out->difference;
        squares += d * d;
    }
    double variance = n > 1 ? squares / (rows - 1) : NAN;
    from_error(out, sqrt(variance * (1 / rows + inflate)), rows - 1);
}

void mli_paired_t(const double *first, const double *second, int64_t n, mli_compared *out)
{
    paired(first, second, n, 0, out);
}

void mli_resampled_t(const double *first, const double *second, int64_t n, double share,
                     mli_compared *out)
{
    paired(first, second, n, share, out);
}

/* ---- DeLong ---- */

typedef struct {
    double value;
    int64_t row;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Of each row the share of rows of the other class that it is on the right side of, ties
 * a half. Returns the area. */
static double placements(const double *score, const uint8_t *positive, int64_t n,
                         ranked *r, double *out)
{
    double seen[2] = {0, 0}, count[2] = {0, 0}, area = 0;
    for (int64_t i = 0; i < n; i++) {
        r[i] = (ranked){score[i], i};
        count[positive[i] != 0]++;
    }
    qsort(r, (size_t)n, sizeof *r, by_value);
    for (int64_t i = 0; i < n;) {
        int64_t end = i + 1;
        double tied[2] = {0, 0};
        tied[positive[r[i].row] != 0]++; /* not a number ties with nothing */
        for (; end < n && r[end].value == r[i].value; end++)
            tied[positive[r[end].row] != 0]++;
        for (; i < end; i++) {
            int own = positive[r[i].row] != 0, other = !own;
            double below = seen[other] + tied[other] / 2;
            out[r[i].row] = (own ? below : count[other] - below) / count[other];
        }
        seen[0] += tied[0];
        seen[1] += tied[1];
    }
    for (int64_t i = 0; i < n; i++)
        if (positive[i]) area += out[i] / count[1];
    return area;
}

ml_status mli_delong(ml_context *ctx, const double *first, const double *second,
                     const uint8_t *positive, int64_t n, mli_compared *out, ml_error *err)
{
    ranked *r = mli_alloc_vec(ctx, n, sizeof *r);
    double *x = mli_alloc_vec(ctx, 2 * n, sizeof *x), *y = x ? x + n : NULL;
    double mean[2] = {0, 0}, square[2] = {0, 0}, count[2] = {0, 0}, variance = 0;
    *out = (mli_compared){0};
    if (r && x) {
        out->first = placements(first, positive, n, r, x);
        out->second = placements(second, positive, n, r, y);
        for (int64_t i = 0; i < n; i++) {
            count[positive[i] != 0]++;
            mean[positive[i] != 0] += x[i] - y[i];
        }
        for (int k = 0; k < 2; k++) mean[k] /= count[k];
        for (int64_t i = 0; i < n; i++) {
            double d = x[i] - y[i] - mean[positive[i] != 0];
            square[positive[i] != 0] += d * d;
        }
        for (int k = 0; k < 2; k++) variance += square[k] / (count[k] - 1) / count[k];
        out->difference = out->first - out->second;
        from_error(out, sqrt(variance), 0);
    }
    mli_free(ctx, r);
    mli_free(ctx, x);
    return r && x ? ML_OK : mli_nomem(err);
}
