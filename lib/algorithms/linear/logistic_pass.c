/* SPDX-License-Identifier: MIT
 *
 * linear/logistic_pass.c: loss, gradient and second derivatives of the logistic objective
 * in one pass over the rows.
 */
#include "algorithms/linear/logistic.h"

#include <math.h>
#include <string.h>

static double weight_of(const double *w, int64_t i)
{
    return w ? w[i] : 1.0;
}

/* Two classes. scratch: p, log(1 + e^z). */
static double eval_two(const mli_pass *pass, int64_t begin, int64_t n, double *z,
                       double *u, double *h, double *scratch)
{
    const mli_logistic_at *at = pass->arg;
    const mli_rows *r = pass->rows;
    const int32_t *label = at->l->label + begin;
    const double *w = r->weight ? r->weight + begin : NULL;
    double *p = scratch, *s = p + r->ld, loss;
    r->k->logistic(z, p, s, n);
    for (int64_t i = 0; i < n; i++) {
        double wi = weight_of(w, i), y = label[i];
        s[i] = wi * (s[i] - y * z[i]);
        if (pass->n_products) u[i] = wi * (p[i] - y);
        if (pass->n_grams) h[i] = wi * p[i] * (1 - p[i]);
    }
    loss = r->k->sum(s, n);
    return loss;
}

/* Probabilities from the functions in z[m][ld], in place; loss of the rows. `top` and
 * `sum` have room for the rows. */
static double soften(const mli_logistic *l, const int32_t *label, const double *w,
                     int64_t n, double *z, double *top, double *sum)
{
    const mli_rows *r = l->rows;
    int64_t m = l->functions, ld = r->ld;
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        top[i] = l->reference ? 0.0 : z[i];
        for (int64_t k = 0; k < m; k++)
            if (z[k * ld + i] > top[i]) top[i] = z[k * ld + i];
        int64_t k = label[i] - (l->reference != 0);
        loss += weight_of(w, i) * (top[i] - (k >= 0 ? z[k * ld + i] : 0.0));
        sum[i] = -top[i]; /* of the reference */
    }
    if (l->reference)
        r->k->exp(sum, sum, n);
    else
        memset(sum, 0, (size_t)n * sizeof *sum);
    for (int64_t k = 0; k < m; k++) {
        double *zk = z + k * ld;
        for (int64_t i = 0; i < n; i++) zk[i] -= top[i];
        r->k->exp(zk, zk, n);
        for (int64_t i = 0; i < n; i++) sum[i] += zk[i];
    }
    for (int64_t i = 0; i < n; i++) {
        loss += weight_of(w, i) * log(sum[i]);
        sum[i] = 1 / sum[i];
    }
    for (int64_t k = 0; k < m; k++) r->k->multiply(sum, z + k * ld, z + k * ld, n);
    return loss;
}

/* More classes. p: the functions, then probabilities; scratch: two vectors. */
static double eval_many(const mli_pass *pass, int64_t begin, int64_t n, double *p,
                        double *u, double *h, double *scratch)
{
    const mli_logistic_at *at = pass->arg;
    const mli_logistic *l = at->l;
    const mli_rows *r = pass->rows;
    const int32_t *label = l->label + begin;
    const double *w = r->weight ? r->weight + begin : NULL;
    int64_t m = l->functions, ld = r->ld, reference = l->reference != 0;
    double loss = soften(l, label, w, n, p, scratch, scratch + ld);
    for (int64_t k = 0; pass->n_products && k < m; k++)
        for (int64_t i = 0; i < n; i++)
            u[k * ld + i] =
                weight_of(w, i) * (p[k * ld + i] - (label[i] - reference == k));
    for (int64_t k = 0, g = 0; pass->n_grams && k < m; k++) {
        const double *pk = p + k * ld;
        for (int64_t j = at->full ? 0 : k; j <= k; j++, g++) {
            const double *pj = p + j * ld;
            double *out = h + g * ld;
            for (int64_t i = 0; i < n; i++)
                out[i] = weight_of(w, i) * pk[i] * ((j == k) - pj[i]);
        }
    }
    return loss;
}

mli_pass mli_logistic_pass(const mli_logistic_at *at, int grams)
{
    const mli_logistic *l = at->l;
    int64_t m = l->functions;
    mli_pass pass = {.rows = l->rows,
                     .functions = m,
                     .b = at->b,
                     .n_products = m,
                     .n_columns = l->rows->q,
                     .arg = at};
    if (grams) pass.n_grams = at->full ? m * (m + 1) / 2 : m;
    pass.eval = l->classes == 2 ? eval_two : eval_many;
    pass.scratch = 2 * l->rows->ld;
    return pass;
}

void mli_logistic_start(const mli_logistic *l)
{
    int64_t q = l->rows->q, m = l->functions;
    double mean = 0;
    memset(l->b, 0, (size_t)(m * q) * sizeof *l->b);
    if (q == l->rows->p) return;
    for (int64_t k = 0; k < m; k++) {
        double *at = &l->b[k * q + q - 1];
        *at = log(fmax(l->share[k + (m < l->classes)], 1e-9));
        if (m < l->classes) *at -= log(fmax(l->share[0], 1e-9));
        mean += *at / (double)m;
    }
    for (int64_t k = 0; m == l->classes && k < m; k++) l->b[k * q + q - 1] -= mean;
}

ml_status mli_logistic_gradient(mli_logistic *l, const double *b, const mli_run *run,
                                double *loss, double *g, ml_error *err)
{
    mli_logistic_at at = {.l = l, .b = b};
    mli_pass pass = mli_logistic_pass(&at, 0);
    pass.product = g;
    ml_status status = mli_pass_run(&pass, run, err);
    if (status) return status;
    l->passes++;
    *loss = pass.value / l->rows->total;
    for (int64_t i = 0; i < l->functions * l->rows->q; i++) g[i] /= l->rows->total;
    return ML_OK;
}

double mli_logistic_largest(const double *v, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabs(v[i]) > most || isnan(v[i])) most = fabs(v[i]);
    return most;
}
