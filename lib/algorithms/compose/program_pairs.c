/* SPDX-License-Identifier: MIT
 *
 * compose/program_pairs.c: classes of classifiers for each two of them: votes, or
 * probabilities by the second method of Wu, Lin and Weng: Probability estimates for
 * multi-class classification by pairwise coupling (2004), which stops as LIBSVM does.
 */
#include "algorithms/compose/program.h"

#include <math.h>

#define SWEEPS 100

/* Of class i against j. */
static double against(const double *a, int64_t n, int64_t i, int64_t j)
{
    return i < j ? a[i * (2 * n - i - 1) / 2 + j - i - 1] : 1 - against(a, n, j, i);
}

/* The matrix whose quadratic form the probabilities make small. */
static double coupling(const double *a, int64_t n, int64_t i, int64_t j)
{
    double sum = 0;
    if (i != j) return -against(a, n, i, j) * against(a, n, j, i);
    for (int64_t k = 0; k < n; k++)
        if (k != i) sum += against(a, n, k, i) * against(a, n, k, i);
    return sum;
}

/* The matrix times p; p times that. */
static double form(const double *a, int64_t n, const double *p, double *qp)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        qp[i] = 0;
        for (int64_t j = 0; j < n; j++) qp[i] += coupling(a, n, i, j) * p[j];
        sum += p[i] * qp[i];
    }
    return sum;
}

static void couple(const double *a, int64_t n, double *p, double *qp)
{
    for (int64_t i = 0; i < n; i++) p[i] = 1 / (double)n;
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double all = form(a, n, p, qp), worst = 0;
        for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs(qp[i] - all));
        if (worst < 0.005 / (double)n) return;
        for (int64_t i = 0; i < n; i++) {
            double own = coupling(a, n, i, i), d = (all - qp[i]) / own, sum = 1 + d;
            p[i] += d;
            all = (all + d * (d * own + 2 * qp[i])) / sum / sum;
            for (int64_t j = 0; j < n; j++) {
                qp[j] = (qp[j] + d * coupling(a, n, i, j)) / sum;
                p[j] /= sum;
            }
        }
    }
}

int64_t mli_step_pairs(const mli_step *s, const double *a, double *out)
{
    int64_t n = s->p ? s->n / 2 : s->n, pairs = n * (n - 1) / 2;
    if (s->p && out) couple(a, n, out, out + n);
    if (s->p || !out) return pairs;
    for (int64_t i = 0; i < n; i++) out[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) out[*a++ > 0 ? i : j] += 1;
    return pairs;
}
