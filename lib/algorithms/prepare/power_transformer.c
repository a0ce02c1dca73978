/* SPDX-License-Identifier: MIT
 *
 * prepare/power_transformer.c: powers that make a column as normal as can be: Yeo and
 * Johnson, "A new family of power transformations to improve normality or symmetry",
 * Biometrika 87 (2000); Box and Cox, "An analysis of transformations", JRSS B 26 (1964),
 * for positive values. The power of a column has the largest likelihood; it is found by
 * Brent's method. Then the column is standardised.
 *
 * Tensors: lambda, center, scale f64 [features]. Cost: some 20 passes over a column.
 */
#include "algorithms/prepare/prepare.h"
#include "tensor/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define BLOCK 256

#define LAMBDA f64[0]
#define CENTER f64[1]
#define SCALE  f64[2]
#define BOX    option[0]

#define LARGEST_LOG 236 /* of a power: the third root of the largest double */

/* e^(power log) - 1; returns what it is to be divided by. */
static double powers(const mli_kernels *k, const double *log, int64_t n, double power,
                     double *y)
{
    k->affine(power != 0 ? power : 1, 0, log, y, n);
    if (power == 0) return 1;
    k->expm1(y, y, n);
    return power;
}

/* The powers of a block; values that have none become missing. */
static void power_block(const mli_kernels *k, int box, double lambda, const double *x,
                        int64_t n, double *y)
{
    double log[BLOCK], other[BLOCK];
    for (int64_t i = 0; i < n; i++) log[i] = !box ? fabs(x[i]) : x[i] > 0 ? x[i] : NAN;
    (box ? k->log : k->log1p)(log, log, n);
    int negative = 0;
    for (int64_t i = 0; i < n && !box; i++) negative |= x[i] < 0;
    double by = powers(k, log, n, lambda, y);
    for (int64_t i = 0; i < n; i++) y[i] /= by;
    if (!negative) return;
    by = powers(k, log, n, 2 - lambda, other);
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? -other[i] / by : y[i];
}

/* ---- the likelihood ---- */

/* Logarithms: log(x), or log(1 + |x|) of Yeo and Johnson, the negative values first, so
 * that a power costs one exponential. */
typedef struct {
    const mli_kernels *k;
    double *log;
    int64_t n, negative;
    double slope; /* sum of the logarithms that the power multiplies */
} column;

/* Mean and sum of squares of blocks, merged in order. */
static void moments(const column *c, double lambda, double *mean, double *variance)
{
    double y[BLOCK], square = 0, count = 0;
    *mean = 0;
    for (int64_t begin = 0, n; begin < c->n; begin += n) {
        int negative = begin < c->negative;
        n = (negative ? c->negative : c->n) - begin;
        if (n > BLOCK) n = BLOCK;
        double by = powers(c->k, c->log + begin, n, negative ? 2 - lambda : lambda, y);
        if (negative) by = -by;
        double middle = c->k->sum(y, n) / (double)n, m = middle / by;
        double d = m - *mean, all = count + (double)n;
        c->k->standardize(middle, 1 / by, y, y, n);
        square += c->k->dot(y, y, n) + d * d * (count * (double)n / all);
        *mean += d * ((double)n / all);
        count = all;
    }
    *variance = square / (double)c->n;
}

/* Minus the logarithm of the likelihood. */
static double cost(const column *c, double lambda)
{
    double mean, variance;
    moments(c, lambda, &mean, &variance);
    if (!(variance > DBL_MIN) || !isfinite(variance)) return INFINITY;
    return (double)c->n / 2 * log(variance) - (lambda - 1) * c->slope;
}

/* The least cost in [a, b]: golden sections and parabolas (Brent, "Algorithms for
 * minimization without derivatives", 1973, chapter 5). */
static double minimum(const column *c, double a, double b)
{
    const double golden = 0.3819660112501051;
    double x = a + golden * (b - a), w = x, v = x, d = 0, e = 0;
    double fx = cost(c, x), fw = fx, fv = fx;
    for (int turn = 0; turn < 100; turn++) {
        double middle = (a + b) / 2, tol = 1e-9 * fabs(x) + 1e-10, step;
        if (fabs(x - middle) <= 2 * tol - (b - a) / 2) break;
        double r = (x - w) * (fx - fv), q = (x - v) * (fx - fw);
        double p = (x - v) * q - (x - w) * r, old = e;
        q = 2 * (q - r);
        if (q > 0) p = -p;
        q = fabs(q);
        e = d;
        if (fabs(p) < fabs(q * old / 2) && p > q * (a - x) && p < q * (b - x)) {
            d = p / q;
        } else {
            e = x < middle ? b - x : a - x;
            d = golden * e;
        }
        step = fabs(d) >= tol ? d : d > 0 ? tol : -tol;
        double u = x + step, fu = cost(c, u);
        if (fu <= fx) {
            if (u < x)
                b = x;
            else
                a = x;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
        } else {
            if (u < x)
                a = u;
            else
                b = u;
            if (fu <= fw || w == x) {
                v = w, fv = fw, w = u, fw = fu;
            } else if (fu <= fv || v == x || v == w) {
                v = u, fv = fu;
            }
        }
    }
    return x;
}

/* Mostly between -8 and 8. Values far from 0 beside their spread, such as years, have
 * larger ones: where the least is at the end, the next stretch is searched, as far as the
 * powers leave room for larger values to come. */
static double best_power(const column *c)
{
    double most = fmax(fabs(c->log[0]), fabs(c->log[c->n - 1]));
    double limit = fmax(LARGEST_LOG / most, 1), next;
    double at = minimum(c, c->negative ? fmax(-8, 2 - limit) : -8, fmin(8, limit));
    if (!isfinite(cost(c, at))) return 1; /* nothing but rounding, at any power */
    for (double end = 8; fabs(at) > 0.999 * end && end < limit; end = next) {
        next = fmin(4 * end, limit);
        at = at > 0 ? minimum(c, end / 2, next) : minimum(c, -next, -end / 2);
    }
    return at;
}

/* ---- fitting ---- */

typedef struct {
    double *lambda, *center, *scale;
    int box, standardize, *bad;
    const mli_kernels *k;
} fitting;

/* Sorted values become logarithms. */
static void take_logs(column *c, int box)
{
    for (int64_t i = 0; i < c->n; i++) {
        c->negative += !box && c->log[i] < 0;
        if (!box) c->log[i] = fabs(c->log[i]);
    }
    (box ? c->k->log : c->k->log1p)(c->log, c->log, c->n);
    for (int64_t i = 0; i < c->n; i++)
        c->slope += i < c->negative ? -c->log[i] : c->log[i];
}

static void fit_column(void *arg, int64_t j, double *sorted, int64_t n)
{
    const fitting *f = arg;
    column c = {.k = f->k, .log = sorted, .n = n};
    double mean, variance;
    if (n == 0 || sorted[0] == sorted[n - 1]) { /* a constant stays as it is */
        if (n && f->standardize) power_block(f->k, f->box, 1, sorted, 1, &f->center[j]);
        return;
    }
    if (f->box && sorted[0] <= 0) {
        f->bad[j] = 1;
        return;
    }
    take_logs(&c, f->box);
    f->lambda[j] = best_power(&c);
    if (!f->standardize) return;
    moments(&c, f->lambda[j], &mean, &variance);
    f->center[j] = mean;
    if (variance > 0) f->scale[j] = sqrt(variance);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    uint8_t *picked = NULL;
    mli_moments *m = NULL;
    fitting f = {.box = strcmp(mli_get_str(job->params, "method"), "box_cox") == 0,
                 .standardize = mli_get_bool(job->params, "standardize"),
                 .k = mli_kernels_of(job->ctx)};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    f.bad = mli_calloc(job->ctx, (size_t)n, sizeof *f.bad);
    status =
        f.bad ? mli_prepare_moments(job->train, picked, MLI_NO_SQUARES, job->run, &m, err)
              : mli_nomem(err);
    const char *const names[] = {"lambda", "center", "scale"};
    double **to[] = {&f.lambda, &f.center, &f.scale};
    for (int k = 0; k < 3 && !status; k++)
        status = mli_model_add(job->model, names[k], ML_DTYPE_F64, 1, &n, to[k], err);
    for (int64_t j = 0; j < n && !status; j++) f.lambda[j] = f.scale[j] = 1;
    if (!status)
        status = mli_prepare_sorted(job->train, picked, job->run, fit_column, &f, err);
    for (int64_t j = 0; j < n && !status; j++) {
        if (!f.bad[j]) continue;
        mli_fail(err, ML_E_DATA, "box_cox takes positive values only");
        mli_error_at(err, ML_E_DATA, "column \"%s\"",
                     job->train->inputs->features[j].name);
        status = mli_error_hint(err, ML_E_DATA, "use method = yeo_johnson");
    }
    mli_free(job->ctx, f.bad);
    mli_free(job->ctx, m);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the plan ---- */

static ml_status load(mli_prepared *t, ml_error *err)
{
    t->BOX = strcmp(mli_get_str(t->model->params, "method"), "box_cox") == 0;
    ml_status status = mli_prepare_want(t, "lambda", &t->LAMBDA, err);
    if (!status) status = mli_prepare_want(t, "center", &t->CENTER, err);
    return status ? status : mli_prepare_want(t, "scale", &t->SCALE, err);
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    double lambda = t->LAMBDA[j], center = t->CENTER[j], scale = t->SCALE[j];
    double x[BLOCK], y[BLOCK];
    for (int64_t at = 0, m; at < n; at += m) {
        m = n - at < BLOCK ? n - at : BLOCK;
        for (int64_t i = 0; i < m; i++) x[i] = in[(at + i) * stride];
        power_block(mli_kernels_of(t->plan.ctx), t->BOX, lambda, x, m, y);
        for (int64_t i = 0; i < m; i++)
            out[(at + i) * out_stride] = (y[i] - center) / scale;
    }
}

static const mli_transformer kind = {
    .takes = MLI_TAKES_NUMBERS, .load = load, .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"method", NULL, ML_PARAM_STR, 0, "yeo_johnson", "{yeo_johnson, box_cox}", NULL, NULL,
     "box_cox takes positive values only; others become missing in prediction.", "0.1"},
    {"standardize", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Then subtract the mean and divide by the standard deviation.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"lambda", "f64", "[features]", "The power of each column."},
    {"center", "f64", "[features]", "What is subtracted then."},
    {"scale", "f64", "[features]", "What is divided by then."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_power_transformer;
const mli_algorithm mli_power_transformer = {
    .head = {MLI_PREPARE_HEAD, .name = "power_transformer",
             .aliases = "yeo_johnson,box_cox,power",
             .title = "powers that make columns normal",
             .doc = "Raises each column to a power that makes it as normally distributed "
                    "as can be, and standardises it. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
