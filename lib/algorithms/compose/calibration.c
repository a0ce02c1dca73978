/* SPDX-License-Identifier: MIT
 *
 * compose/calibration.c: fitting and applying the maps of calibrated probabilities.
 *
 * Sigmoid: a line on the log-odds, towards targets that are drawn in a little (Platt,
 * Probabilistic outputs for support vector machines, 1999; Newton's method as by Lin,
 * Lin, Weng, A note on Platt's probabilistic outputs, 2007). Isotonic: the nearest
 * non-decreasing steps (pool adjacent violators), straight lines between. Temperature:
 * one factor on all log-probabilities (Guo et al., On calibration of modern neural
 * networks, 2017). For more than two classes the first two map each class by itself, and
 * the results are made to sum to 1 (Zadrozny, Elkan, 2002). Cost: sorting the rows once
 * per class at most.
 */
#include "algorithms/compose/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TINY 1e-15

static double clipped(double p)
{
    return p < TINY ? TINY : p > 1 - TINY ? 1 - TINY : p;
}

static double log_odds(double p)
{
    p = clipped(p);
    return log(p) - log1p(-p);
}

static double sigmoid(double z)
{
    if (z >= 0) return 1 / (1 + exp(-z));
    double e = exp(z);
    return e / (1 + e);
}

/* log(1 + exp(z)) */
static double softplus(double z)
{
    return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

static double weight_at(const double *weight, int64_t i)
{
    return weight ? weight[i] : 1;
}

/* ---- sigmoid ---- */

typedef struct {
    const double *z, *weight;
    const uint8_t *hit;
    int64_t n;
    double scale;     /* of the weights: their mean is 1 */
    double high, low; /* the targets of hits and of the others */
} platt;

static double platt_loss(const platt *p, double a, double b)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double t = p->hit[i] ? p->high : p->low, s = a * p->z[i] + b;
        sum += p->scale * weight_at(p->weight, i) * (softplus(s) - t * s);
    }
    return sum;
}

/* One step of Newton's method, shortened until the loss falls; 0 when it does not. */
static int platt_step(const platt *p, double line[2], double *loss)
{
    double ga = 0, gb = 0, haa = 1e-12, hab = 0, hbb = 1e-12;
    for (int64_t i = 0; i < p->n; i++) {
        double t = p->hit[i] ? p->high : p->low, w = p->scale * weight_at(p->weight, i);
        double q = sigmoid(line[0] * p->z[i] + line[1]);
        double g = w * (q - t), h = w * q * (1 - q);
        ga += g * p->z[i];
        gb += g;
        haa += h * p->z[i] * p->z[i];
        hab += h * p->z[i];
        hbb += h;
    }
    double det = haa * hbb - hab * hab;
    if (!(det > 0) || fabs(ga) + fabs(gb) < 1e-10) return 0;
    double da = -(hbb * ga - hab * gb) / det, db = -(haa * gb - hab * ga) / det;
    for (double step = 1; step > 1e-10; step /= 2) {
        double a = line[0] + step * da, b = line[1] + step * db;
        double now = platt_loss(p, a, b);
        if (!(now < *loss)) continue;
        *loss = now;
        line[0] = a;
        line[1] = b;
        return 1;
    }
    return 0;
}

static void fit_platt(platt *p, double line[2])
{
    double hits = 0, others = 0, rows = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double w = weight_at(p->weight, i);
        *(p->hit[i] ? &hits : &others) += w;
        rows += w > 0;
    }
    p->scale = hits + others > 0 ? rows / (hits + others) : 1;
    hits *= p->scale;
    others *= p->scale;
    p->high = (hits + 1) / (hits + 2);
    p->low = 1 / (others + 2);
    line[0] = 0;
    line[1] = log((hits + 1) / (others + 1));
    double loss = platt_loss(p, line[0], line[1]);
    for (int i = 0; i < 100 && platt_step(p, line, &loss); i++) continue;
}

/* ---- isotonic ---- */

typedef struct {
    double x, y, weight, last; /* last: the largest x of the block */
} block;

static int by_x(const void *a, const void *b)
{
    double x = ((const block *)a)->x, y = ((const block *)b)->x;
    return (x > y) - (x < y);
}

static void join(block *to, const block *from)
{
    double w = to->weight + from->weight;
    to->y = w > 0 ? (to->y * to->weight + from->y * from->weight) / w : to->y;
    to->weight = w;
    to->last = from->last;
}

/* Pools equal x, then neighbours that fall; returns the number of blocks. */
static int64_t pool(block *b, int64_t n)
{
    int64_t points = 0, top = 0;
    qsort(b, (size_t)n, sizeof *b, by_x);
    for (int64_t i = 0; i < n; i++) {
        if (points && b[points - 1].x == b[i].x)
            join(&b[points - 1], &b[i]);
        else
            b[points++] = b[i];
    }
    for (int64_t i = 0; i < points; i++) {
        b[top++] = b[i];
        while (top > 1 && b[top - 2].y >= b[top - 1].y) {
            join(&b[top - 2], &b[top - 1]);
            top--;
        }
    }
    return top;
}

/* The corners of the steps of one class, into x and y; returns how many. */
static int64_t corners(const block *b, int64_t n, double *x, double *y)
{
    int64_t points = 0;
    for (int64_t i = 0; i < n; i++) {
        x[points] = b[i].x;
        y[points++] = b[i].y;
        if (b[i].last == b[i].x) continue;
        x[points] = b[i].last;
        y[points++] = b[i].y;
    }
    return points;
}

/* Straight lines between points; constant beyond them. */
static double follow(const double *x, const double *y, int64_t n, double at)
{
    int64_t low = 0, high = n - 1;
    if (!(at > x[0])) return y[0];
    if (at >= x[high]) return y[high];
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        *(x[middle] <= at ? &low : &high) = middle;
    }
    return y[low] + (y[high] - y[low]) * ((at - x[low]) / (x[high] - x[low]));
}

/* ---- temperature ---- */

/* First and second derivative of the log loss by beta. */
static void slopes(const mli_calibration *c, const double *proba, const int32_t *label,
                   const double *weight, int64_t n, double out[2])
{
    int64_t k = c->classes;
    out[0] = out[1] = 0;
    for (int64_t i = 0; i < n; i++) {
        const double *p = proba + i * k;
        double most = 0, sum = 0, mean = 0, square = 0;
        for (int64_t j = 0; j < k; j++) most = fmax(most, p[j]);
        most = log(clipped(most));
        for (int64_t j = 0; j < k; j++) {
            double z = log(clipped(p[j])), e = exp(c->beta * (z - most));
            sum += e;
            mean += e * z;
            square += e * z * z;
        }
        mean /= sum;
        square /= sum;
        out[0] += weight_at(weight, i) * (mean - log(clipped(p[label[i]])));
        out[1] += weight_at(weight, i) * (square - mean * mean);
    }
}

/* The loss is convex in beta: Newton's method, kept between bounds that close in. */
static void fit_temperature(mli_calibration *c, const double *proba, const int32_t *label,
                            const double *weight, int64_t n)
{
    double low = 1e-3, high = 1e3, d[2];
    c->beta = 1;
    for (int i = 0; i < 200 && high - low > 1e-12 * c->beta; i++) {
        slopes(c, proba, label, weight, n, d);
        *(d[0] > 0 ? &high : &low) = c->beta;
        double next = d[1] > 0 ? c->beta - d[0] / d[1] : NAN;
        if (!(next > low && next < high)) next = sqrt(low * high);
        if (fabs(next - c->beta) < 1e-12 * c->beta) break;
        c->beta = next;
    }
}

/* ---- fitting ---- */

void mli_calibration_free(mli_calibration *c)
{
    if (!c->ctx) return;
    mli_free(c->ctx, c->line);
    mli_free(c->ctx, c->begin);
    mli_free(c->ctx, c->x);
    mli_free(c->ctx, c->y);
    *c = (mli_calibration){0};
}

static ml_status fit_lines(mli_calibration *c, const double *proba, const int32_t *label,
                           const double *weight, int64_t n, ml_error *err)
{
    double *z = mli_alloc_vec(c->ctx, n, sizeof *z);
    uint8_t *hit = mli_alloc_vec(c->ctx, n, sizeof *hit);
    c->line = mli_alloc_vec(c->ctx, 2 * c->maps, sizeof *c->line);
    ml_status status = z && hit && c->line ? ML_OK : mli_nomem(err);
    for (int64_t m = 0; m < c->maps && !status; m++) {
        int64_t k = c->maps == 1 ? 1 : m;
        for (int64_t i = 0; i < n; i++) {
            z[i] = log_odds(proba[i * c->classes + k]);
            hit[i] = label[i] == k;
        }
        fit_platt(&(platt){.z = z, .weight = weight, .hit = hit, .n = n},
                  c->line + 2 * m);
    }
    mli_free(c->ctx, z);
    mli_free(c->ctx, hit);
    return status;
}

static ml_status fit_steps(mli_calibration *c, const double *proba, const int32_t *label,
                           const double *weight, int64_t n, ml_error *err)
{
    block *b = mli_alloc_vec(c->ctx, n, sizeof *b);
    c->begin = mli_calloc(c->ctx, (size_t)c->maps + 1, sizeof *c->begin);
    c->x = mli_alloc_vec(c->ctx, c->maps * n, sizeof *c->x);
    c->y = mli_alloc_vec(c->ctx, c->maps * n, sizeof *c->y);
    ml_status status = b && c->begin && c->x && c->y ? ML_OK : mli_nomem(err);
    for (int64_t m = 0; m < c->maps && !status; m++) {
        int64_t k = c->maps == 1 ? 1 : m, at = c->begin[m], count = 0;
        for (int64_t i = 0; i < n; i++) {
            double p = proba[i * c->classes + k], w = weight_at(weight, i);
            if (w > 0) b[count++] = (block){p, label[i] == k, w, p};
        }
        if (count == 0) b[count++] = (block){0, 1 / (double)c->classes, 1, 1};
        c->begin[m + 1] = at + corners(b, pool(b, count), c->x + at, c->y + at);
    }
    mli_free(c->ctx, b);
    return status;
}

ml_status mli_calibration_fit(ml_context *ctx, int32_t method, const double *proba,
                              const int32_t *label, const double *weight, int64_t n,
                              int64_t classes, mli_calibration *out, ml_error *err)
{
    ml_status status = ML_OK;
    *out = (mli_calibration){.ctx = ctx, .method = method, .classes = classes};
    out->maps = classes == 2 ? 1 : classes;
    if (classes < 2) out->method = MLI_CALIBRATE_NONE;
    for (int64_t i = 0; i < n * classes; i++)
        if (isnan(proba[i]))
            return mli_fail(err, ML_E_DATA, "a probability is not a number");
    if (out->method == MLI_CALIBRATE_SIGMOID)
        status = fit_lines(out, proba, label, weight, n, err);
    else if (out->method == MLI_CALIBRATE_ISOTONIC)
        status = fit_steps(out, proba, label, weight, n, err);
    else if (out->method == MLI_CALIBRATE_TEMPERATURE)
        fit_temperature(out, proba, label, weight, n);
    if (status) mli_calibration_free(out);
    return status;
}

/* ---- applying ---- */

static double map_one(const mli_calibration *c, int64_t m, double p)
{
    if (isnan(p)) return p;
    if (c->method == MLI_CALIBRATE_SIGMOID)
        return sigmoid(c->line[2 * m] * log_odds(p) + c->line[2 * m + 1]);
    int64_t at = c->begin[m];
    return follow(c->x + at, c->y + at, c->begin[m + 1] - at, p);
}

static void map_row(const mli_calibration *c, double *p)
{
    double sum = 0;
    if (c->maps == 1) {
        p[1] = map_one(c, 0, p[1]);
        p[0] = 1 - p[1];
        return;
    }
    for (int64_t k = 0; k < c->classes; k++) sum += p[k] = map_one(c, k, p[k]);
    for (int64_t k = 0; k < c->classes; k++)
        p[k] = sum == 0 ? 1 / (double)c->classes : p[k] / sum;
}

static void heat_row(const mli_calibration *c, double *p)
{
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < c->classes; k++) {
        p[k] = isnan(p[k]) ? p[k] : c->beta * log(clipped(p[k]));
        if (p[k] > most) most = p[k];
    }
    for (int64_t k = 0; k < c->classes; k++) sum += p[k] = exp(p[k] - most);
    for (int64_t k = 0; k < c->classes; k++) p[k] /= sum;
}

void mli_calibration_apply(const mli_calibration *c, double *proba, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double *p = proba + i * c->classes;
        if (c->method == MLI_CALIBRATE_TEMPERATURE)
            heat_row(c, p);
        else if (c->method != MLI_CALIBRATE_NONE)
            map_row(c, p);
    }
}
