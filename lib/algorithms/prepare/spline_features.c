/* SPDX-License-Identifier: MIT
 *
 * prepare/spline_features.c: the B-splines of a column: smooth bumps between knots, of
 * which a linear model makes a smooth curve. At each value degree + 1 of them are not 0,
 * and they add up to 1. de Boor, "A practical guide to splines" (1978).
 *
 * Tensors: knots f64 [all knots], start i64 [features + 1]: where the knots of each
 * feature begin. A column of fewer than two values has none and passes unchanged.
 * Cost: a search by halves and a polynomial of `degree` for each value and spline: a plan
 * holds the coefficients of all splines between each two knots.
 */
#include "algorithms/prepare/prepare.h"

#include <math.h>
#include <string.h>

#define MOST_DEGREE 10
#define FEW         64 /* knots that are found without sorting all */
enum { CONSTANT, LINEAR, CONTINUE, PERIODIC };

#define KNOTS  f64[0]
#define BEGIN  i64[0]
#define DEGREE option[0]
#define MODE   option[1]
#define BIAS   option[2]
#define PIECES own[2] /* double: see pieces_of */
#define WIDE   own[0] /* double: knots with `degree` more at both ends, per feature */
#define ENDS                                                                             \
    own[1] /* double [features][4][degree + 1]: values and slopes at the ends            \
            */

/* ---- fitting ---- */

typedef struct {
    double *knots; /* [features][n] */
    int64_t n, *count;
} placing;

static void add_knot(const placing *p, int64_t j, double x)
{
    double *to = p->knots + j * p->n;
    int64_t m = p->count[j];
    if (isfinite(x) && (m == 0 || x > to[m - 1])) to[p->count[j]++] = x;
}

static void place(void *arg, int64_t j, double *sorted, int64_t rows)
{
    const placing *p = arg;
    for (int64_t k = 0; k < p->n; k++)
        add_knot(p, j, mli_quantile(sorted, rows, mli_even_place(0, 1, k, p->n)));
    if (p->count[j] < 2) p->count[j] = 0;
}

static void place_evenly(const placing *p, int64_t j, double low, double high)
{
    for (int64_t k = 0; k < p->n; k++) add_knot(p, j, mli_even_place(low, high, k, p->n));
    if (p->count[j] < 2) p->count[j] = 0;
}

static ml_status place_all(mli_fit *job, const uint8_t *picked, placing *p, ml_error *err)
{
    const mli_design *d = job->train;
    mli_moments *m = NULL;
    int by_rank = strcmp(mli_get_str(job->params, "knots"), "quantile") == 0;
    double q[FEW];
    ml_status status = mli_prepare_moments(d, picked, MLI_NO_SQUARES, job->run, &m, err);
    for (int64_t j = 0; j < d->n_features && !by_rank && !status; j++)
        if (picked[j] && m[j].present) place_evenly(p, j, m[j].min + 0.0, m[j].max + 0.0);
    mli_free(job->ctx, m);
    if (status || !by_rank) return status;
    if (p->n > FEW) return mli_prepare_sorted(d, picked, job->run, place, p, err);
    for (int64_t k = 0; k < p->n; k++) q[k] = mli_even_place(0, 1, k, p->n);
    return mli_prepare_ranked(d, picked, q, p->n, job->run, place, p, err);
}

static ml_status too_few(int64_t degree, ml_error *err)
{
    mli_fail(err, ML_E_ARGUMENT, "periodic splines need more knots than their degree, %d",
             (int)degree);
    return mli_error_at(err, ML_E_ARGUMENT, "params.n_knots");
}

static ml_status store(mli_fit *job, const placing *p, ml_error *err)
{
    int64_t n = job->train->n_features, n1 = n + 1, total = 0, *start;
    double *knots;
    for (int64_t j = 0; j < n; j++) total += p->count[j];
    ml_status status =
        mli_model_add(job->model, "knots", ML_DTYPE_F64, 1, &total, &knots, err);
    if (!status)
        status = mli_model_add(job->model, "start", ML_DTYPE_I64, 1, &n1, &start, err);
    for (int64_t j = 0; j < n && !status; j++) {
        size_t size = (size_t)p->count[j] * sizeof *knots;
        if (size) memcpy(knots + start[j], p->knots + j * p->n, size);
        start[j + 1] = start[j] + p->count[j];
    }
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const ml_params *q = job->params;
    size_t n = (size_t)job->train->n_features;
    uint8_t *picked = NULL;
    placing p = {.n = mli_get_i64(q, "n_knots")};
    int periodic = strcmp(mli_get_str(q, "extrapolation"), "periodic") == 0;
    if (periodic && p.n <= mli_get_i64(q, "degree"))
        return too_few(mli_get_i64(q, "degree"), err);
    ml_status status = mli_prepare_picked(job, MLI_TAKES_NUMBERS, &picked, err);
    if (status) return status;
    p.knots = mli_calloc(job->ctx, n * (size_t)p.n, sizeof *p.knots);
    p.count = mli_calloc(job->ctx, n, sizeof *p.count);
    if (!p.knots || !p.count) status = mli_nomem(err);
    if (!status) status = place_all(job, picked, &p, err);
    if (!status) status = store(job, &p, err);
    mli_free(job->ctx, p.knots);
    mli_free(job->ctx, p.count);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the basis ---- */

/* The knots of a feature, its first with `degree` more before it. */
static const double *knots_of(const mli_prepared *t, int64_t j)
{
    return (const double *)t->WIDE + t->BEGIN[j] + 2 * t->DEGREE * j + t->DEGREE;
}

static int64_t count_of(const mli_prepared *t, int64_t j)
{
    return t->BEGIN[j + 1] - t->BEGIN[j];
}

/* The interval that holds x, the first or last one for what lies outside; without
 * branches, which would be guessed wrong every other time. */
static int64_t interval(const double *knots, int64_t n, double x)
{
    int64_t low = 0;
    for (int64_t length = n - 1; length > 1;) {
        int64_t half = length / 2;
        low += half & -(int64_t)(x >= knots[low + half]);
        length -= half;
    }
    return low;
}

/* The splines of a degree that are not 0 between knots[at] and knots[at + 1], where they
 * are polynomials: b[degree + 1] at x. */
static void basis(const double *knots, int64_t at, int degree, double x, double *b)
{
    double left[MOST_DEGREE + 1], right[MOST_DEGREE + 1];
    b[0] = 1;
    for (int d = 1; d <= degree; d++) {
        double carry = 0;
        left[d] = x - knots[at + 1 - d];
        right[d] = knots[at + d] - x;
        for (int k = 0; k < d; k++) {
            double part = b[k] / (right[k + 1] + left[d - k]);
            b[k] = carry + right[k + 1] * part;
            carry = left[d - k] * part;
        }
        b[d] = carry;
    }
}

static void slopes(const double *knots, int64_t at, int degree, double x, double *b)
{
    double lower[MOST_DEGREE + 1] = {0};
    memset(b, 0, (size_t)(degree + 1) * sizeof *b);
    if (degree == 0) return;
    basis(knots, at, degree - 1, x, lower);
    for (int k = 0; k < degree; k++) {
        const double *first = knots + at - degree + 1 + k;
        double slope = degree * lower[k] / (first[degree] - first[0]);
        b[k] -= slope;
        b[k + 1] += slope;
    }
}

/* ---- polynomials ---- */

/* As every processor has them. */
typedef double pair __attribute__((vector_size(16)));
typedef double any_pair __attribute__((vector_size(16), aligned(8), may_alias));

/* Splines of an interval in memory: a multiple of four. */
static int64_t padded(int64_t degree)
{
    return (degree + 4) / 4 * 4;
}

/* Of interval `at`: double [degree + 1][padded], the coefficients of each power of the
 * place between its two knots, 0 to 1, spline beside spline. */
static double *pieces_of(const mli_prepared *t, int64_t j, int64_t at)
{
    return (double *)t->PIECES + (t->BEGIN[j] + at) * (t->DEGREE + 1) * padded(t->DEGREE);
}

/* to = from (a + b u) by, added. */
static void add_product(const double *from, int degree, double a, double b, double by,
                        double *to)
{
    for (int p = 0; p <= degree; p++) to[p] += from[p] * by * a;
    for (int p = 0; p < degree; p++) to[p + 1] += from[p] * by * b;
}

/* As `basis`, with polynomials in place of numbers. */
static void make_piece(const double *knots, int64_t at, int degree, double *to)
{
    double b[MOST_DEGREE + 1][MOST_DEGREE + 1] = {{1}};
    double h = knots[at + 1] - knots[at];
    for (int d = 1; d <= degree; d++) {
        double next[MOST_DEGREE + 1][MOST_DEGREE + 1] = {{0}};
        for (int k = 0; k < d; k++) {
            double first = knots[at + 1 - d + k], last = knots[at + k + 1];
            double by = 1 / (last - first);
            add_product(b[k], degree, last - knots[at], -h, by, next[k]);
            add_product(b[k], degree, knots[at] - first, h, by, next[k + 1]);
        }
        memcpy(b, next, sizeof b);
    }
    for (int p = 0; p <= degree; p++)
        for (int k = 0; k <= degree; k++) to[p * padded(degree) + k] = b[k][p];
}

/* The splines at u, b[padded]. */
static void evaluate(const double *piece, int64_t degree, double u, double *b)
{
    int64_t wide = padded(degree);
    for (int64_t k = 0; k < wide; k += 4) {
        const double *c = piece + degree * wide + k;
        pair low = *(const any_pair *)c, high = *(const any_pair *)(c + 2);
        for (int64_t p = 0; p < degree; p++) {
            c -= wide;
            low = low * u + *(const any_pair *)c;
            high = high * u + *(const any_pair *)(c + 2);
        }
        *(any_pair *)(b + k) = low;
        *(any_pair *)(b + k + 2) = high;
    }
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const double *knots = knots_of(t, j);
    int64_t count = count_of(t, j), wide = t->first[j + 1] - t->first[j];
    int degree = t->DEGREE;
    double b[MOST_DEGREE + 2] = {0}, low = count ? knots[0] : 0;
    double high = count ? knots[count - 1] : 0;
    const double *ends = (const double *)t->ENDS + j * 4 * (degree + 1);
    for (int64_t i = 0; i < n; i++, out += out_stride) {
        double x = in[i * stride], far = 0;
        if (count == 0 || isnan(x) || isinf(x)) {
            for (int64_t k = 0; k < wide; k++) out[k] = count == 0 ? x : NAN;
            continue;
        }
        if (t->MODE == PERIODIC && (x < low || x > high))
            x = low + (x - low) - floor((x - low) / (high - low)) * (high - low);
        if (t->MODE == CONSTANT) x = x < low ? low : x > high ? high : x;
        if (t->MODE == LINEAR) far = x < low ? x - low : x > high ? x - high : 0;
        int64_t at = interval(knots, count, x);
        memset(out, 0, (size_t)wide * sizeof *out);
        if (far == 0)
            evaluate(pieces_of(t, j, at), degree,
                     (x - knots[at]) / (knots[at + 1] - knots[at]), b);
        const double *end = far > 0 ? ends + 2 * (degree + 1) : ends;
        for (int k = 0; k <= degree; k++) {
            double value = far == 0 ? b[k] : end[k] + far * end[degree + 1 + k];
            int64_t to = t->MODE == PERIODIC ? (at + k) % (count - 1) : at + k;
            if (to < wide) out[to] += value;
        }
    }
}

/* ---- the plan ---- */

/* More knots at both ends: at the distance of the last two, or those of the next turn. */
static void widen(const mli_prepared *t, int64_t j)
{
    double *wide = (double *)(uintptr_t)knots_of(t, j);
    const double *knots = t->KNOTS + t->BEGIN[j];
    int64_t n = count_of(t, j), degree = t->DEGREE;
    if (n == 0) return;
    memcpy(wide, knots, (size_t)n * sizeof *wide);
    double first = knots[1] - knots[0], last = knots[n - 1] - knots[n - 2];
    double period = knots[n - 1] - knots[0];
    for (int64_t k = 1; k <= degree; k++) {
        wide[-k] = t->MODE == PERIODIC ? knots[n - 1 - (k - 1) % (n - 1) - 1] -
                                             period * (double)(1 + (k - 1) / (n - 1))
                                       : knots[0] - (double)k * first;
        wide[n - 1 + k] =
            t->MODE == PERIODIC
                ? knots[1 + (k - 1) % (n - 1)] + period * (double)(1 + (k - 1) / (n - 1))
                : knots[n - 1] + (double)k * last;
    }
    for (int64_t at = 0; at < n - 1; at++)
        make_piece(wide, at, (int)degree, pieces_of(t, j, at));
    double *ends = (double *)t->ENDS + j * 4 * (degree + 1);
    basis(wide, 0, (int)degree, knots[0], ends);
    slopes(wide, 0, (int)degree, knots[0], ends + degree + 1);
    basis(wide, n - 2, (int)degree, knots[n - 1], ends + 2 * (degree + 1));
    slopes(wide, n - 2, (int)degree, knots[n - 1], ends + 3 * (degree + 1));
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    const ml_params *p = t->model->params;
    int64_t n = t->in->n_features, total = -1;
    t->DEGREE = (int)mli_get_i64(p, "degree");
    t->MODE = mli_get_enum(p, "extrapolation", "constant,linear,continue,periodic");
    t->BIAS = mli_get_bool(p, "include_bias");
    ml_status status =
        mli_model_want(t->model, "knots", ML_DTYPE_F64, 1, &total, &t->KNOTS, err);
    if (!status) status = mli_prepare_offsets(t, "start", total, &t->BEGIN, err);
    if (status) return status;
    t->WIDE = mli_calloc(t->plan.ctx, (size_t)(total + 2 * t->DEGREE * (n + 1)),
                         sizeof(double));
    t->ENDS =
        mli_calloc(t->plan.ctx, (size_t)(4 * (t->DEGREE + 1) * n + 1), sizeof(double));
    int64_t piece = (t->DEGREE + 1) * padded(t->DEGREE);
    t->PIECES = mli_calloc(t->plan.ctx, (size_t)(total * piece + 1), sizeof(double));
    if (!t->WIDE || !t->ENDS || !t->PIECES) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) {
        const double *knots = t->KNOTS + t->BEGIN[j];
        int good = count_of(t, j) != 1 && (t->picked[j] || count_of(t, j) == 0);
        for (int64_t k = 0; k < count_of(t, j); k++)
            good &= isfinite(knots[k]) && (k == 0 || knots[k] > knots[k - 1]);
        if (!good)
            return mli_fail(err, ML_E_FORMAT, "the model's tensor \"knots\" is damaged");
        widen(t, j);
    }
    return ML_OK;
}

static int64_t width(const mli_prepared *t, int64_t j)
{
    int64_t n = count_of(t, j);
    if (n == 0) return 1;
    n = t->MODE == PERIODIC ? n - 1 : n - 1 + t->DEGREE;
    return t->BIAS || n == 1 ? n : n - 1;
}

static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const char *name = t->in->features[j].name;
    int64_t wide = t->first[j + 1] - t->first[j];
    ml_status status = ML_OK;
    if (count_of(t, j) == 0) return mli_prepare_name(t, out, err, "%s", name);
    for (int64_t k = 0; k < wide && !status; k++)
        status = mli_prepare_name(t, &out[k], err, "%s spline %d", name, (int)k);
    return status;
}

static const mli_transformer kind = {.takes = MLI_TAKES_NUMBERS,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"n_knots", NULL, ML_PARAM_I64, 0, "5", "[2, 1000]", "[4, 20]", NULL,
     "Knots of each column, the least and the largest value among them. Equal ones count "
     "once.",
     "0.1"},
    {"degree", NULL, ML_PARAM_I64, 0, "3", "[0, 10]", "[1, 4]", NULL,
     "The degree of the polynomials between the knots.", "0.1"},
    {"knots", NULL, ML_PARAM_STR, 0, "uniform", "{uniform, quantile}",
     "{uniform, quantile}", NULL,
     "uniform: at equal distances. quantile: equally many rows between them.", "0.1"},
    {"extrapolation", NULL, ML_PARAM_STR, 0, "constant",
     "{constant, linear, continue, periodic}", NULL, NULL,
     "Outside the knots: the value at the end, a line from there, the last polynomial, "
     "or "
     "the columns repeat (hours of a day).",
     "0.1"},
    {"include_bias", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Keep the last spline of each column. All of them add up to 1.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"knots", "f64", "[knots]", "The knots of all columns."},
    {"start", "i64", "[features + 1]", "Where the knots of each column begin."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_spline_features;
const mli_algorithm mli_spline_features = {
    .head = {MLI_PREPARE_HEAD, .name = "spline_features",
             .aliases = "spline_transformer,splines", .title = "B-splines of columns",
             .doc = "Makes the B-splines of a column, of which a linear model makes a "
                    "smooth curve. Missing values stay missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
