/* SPDX-License-Identifier: MIT
 *
 * linear/normal.c: normal equations in double-double arithmetic.
 *
 * Columns are shifted by their mean and multiplied by powers of two, both exactly: each
 * value becomes a pair of doubles. The cross products of columns, ones and target are
 * summed over blocks of rows, in parallel with a fixed order of additions, and factorised
 * by Cholesky in the order: ones, columns, target. A column whose pivot is not above the
 * noise of its own rounding is a combination of those before it and is left out. The
 * pivot of the target is the residual sum of squares.
 *
 * Buffers: m = p + intercept + 1 vectors; high and low halves [m * m], row-major. Cost:
 * n m^2 / 2 + m^3 / 6 multiply-adds of about 0.7 ns (AVX2).
 */
#include "algorithms/linear/normal.h"
#include "algorithms/linear/dd.h"
#include "core/parallel.h"

#include <string.h>

#define MOST_TASKS   32
#define MOST_DOUBLES (8 << 20)
#define NOISE        (4 * 2.220446049250313e-16) /* of a value, with a margin */
#define DOUBTFUL     1e-16 /* a relative pivot below which a column may be noise */

ml_status mli_ls_alloc(ml_context *ctx, int64_t n_columns, mli_ls *out, ml_error *err)
{
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->n_columns = n_columns;
    out->coef = mli_calloc(ctx, (size_t)n_columns, sizeof *out->coef);
    out->dropped = mli_calloc(ctx, (size_t)n_columns, sizeof *out->dropped);
    out->variance = mli_calloc(ctx, (size_t)n_columns + 1, sizeof *out->variance);
    if (out->coef && out->dropped && out->variance) return ML_OK;
    mli_ls_free(out);
    return mli_nomem(err);
}

void mli_ls_free(mli_ls *ls)
{
    if (!ls->ctx) return;
    mli_free(ls->ctx, ls->coef);
    mli_free(ls->ctx, ls->dropped);
    mli_free(ls->ctx, ls->variance);
    memset(ls, 0, sizeof *ls);
}

typedef struct {
    const mli_rows *rows;
    const mli_design *design;
    const mli_run *run;
    int64_t m;     /* ones (with an intercept), columns, target */
    int64_t first; /* of the columns: 1 with an intercept, else 0 */
    double *power; /* [m] powers of two */
    double y_shift;
    double *high, *low; /* [m * m] sums, then the factor */
    int64_t per_task, tasks, per_slot;
    double *parts, *scratch;
} normal;

/* ---- cross products ---- */

/* Values minus the shift, times the power: exact pairs. */
static void make_pairs(const double *x, double shift, double power, int64_t n,
                       double *high, double *low)
{
    for (int64_t i = 0; i < n; i++) {
        mli_dd d = mli_dd_sum(x[i], -shift);
        high[i] = d.hi * power;
        low[i] = d.lo * power;
    }
}

static void weigh(const double *w, const double *high, const double *low, int64_t n,
                  double *out_high, double *out_low)
{
    for (int64_t i = 0; i < n; i++) {
        mli_dd p = mli_dd_product(w ? w[i] : 1.0, high[i]);
        out_high[i] = p.hi;
        out_low[i] = p.lo + (w ? w[i] : 1.0) * low[i];
    }
}

/* All vectors of rows begin..end-1 as pairs, one per ld elements. */
static void block_pairs(const normal *a, int64_t begin, int64_t end, double *raw,
                        double *high, double *low)
{
    const mli_rows *r = a->rows;
    int64_t n = end - begin, ld = r->ld, m = a->m;
    mli_dense_columns(r->dense, a->design, begin, end, 0, raw, ld);
    for (int64_t i = 0; a->first && i < n; i++) {
        high[i] = 1.0;
        low[i] = 0.0;
    }
    for (int64_t j = 0; j < r->p; j++) {
        int64_t at = a->first + j;
        make_pairs(raw + r->column[j] * ld, r->shift[j], a->power[at], n, high + at * ld,
                   low + at * ld);
    }
    make_pairs(a->design->y + begin, a->y_shift, a->power[m - 1], n, high + (m - 1) * ld,
               low + (m - 1) * ld);
}

static void sum_block(const normal *a, int64_t block, double *part, double *scratch)
{
    const mli_rows *r = a->rows;
    int64_t begin = block * r->block, m = a->m, ld = r->ld;
    int64_t n = r->n - begin < r->block ? r->n - begin : r->block;
    double *high = scratch, *low = high + m * ld, *raw = low + m * ld;
    double *wh = raw + r->dense->n_columns * ld, *wl = wh + ld;
    block_pairs(a, begin, begin + n, raw, high, low);
    for (int64_t i = 0; i < m; i++) {
        weigh(r->weight ? r->weight + begin : NULL, high + i * ld, low + i * ld, n, wh,
              wl);
        for (int64_t j = 0; j <= i; j++)
            r->k->dot_dd(wh, wl, high + j * ld, low + j * ld, n, part + 2 * (i * m + j));
    }
}

static void sum_task(void *arg, int64_t task, int32_t slot)
{
    const normal *a = arg;
    int64_t end = (task + 1) * a->per_task;
    for (int64_t b = task * a->per_task; b < end && b < a->rows->n_blocks; b++) {
        if (a->run && mli_run_state(a->run) == ML_CANCEL) return;
        sum_block(a, b, a->parts + task * 2 * a->m * a->m,
                  a->scratch + slot * a->per_slot);
    }
}

static ml_status sum_products(normal *a, ml_error *err)
{
    const mli_rows *r = a->rows;
    ml_context *ctx = r->ctx;
    int64_t size = 2 * a->m * a->m;
    ml_status status = ML_OK;
    a->tasks = r->n_blocks < MOST_TASKS ? r->n_blocks : MOST_TASKS;
    while (a->tasks > 1 && a->tasks * size > MOST_DOUBLES) a->tasks = (a->tasks + 1) / 2;
    a->per_task = mli_task_count(r->n_blocks, a->tasks);
    a->tasks = mli_task_count(r->n_blocks, a->per_task);
    a->per_slot = (2 * a->m + r->dense->n_columns + 2) * r->ld;
    a->parts = mli_calloc(ctx, (size_t)(a->tasks * size), sizeof *a->parts);
    a->scratch = mli_alloc_vec(ctx, mli_slots(ctx) * a->per_slot, sizeof *a->scratch);
    if (a->parts && a->scratch) {
        mli_parallel(ctx, a->tasks, sum_task, a);
        for (int64_t i = 0; i < a->m * a->m; i++) {
            mli_dd sum = {0, 0};
            for (int64_t t = 0; t < a->tasks; t++) {
                const double *part = a->parts + t * size + 2 * i;
                sum = mli_dd_add(sum, mli_dd_sum(part[0], part[1]));
            }
            a->high[i] = sum.hi;
            a->low[i] = sum.lo;
        }
        if (a->run) status = mli_run_check(a->run, err);
    } else {
        status = mli_nomem(err);
    }
    mli_free(ctx, a->parts);
    mli_free(ctx, a->scratch);
    return status;
}

/* ---- factor ---- */

static mli_dd get(const normal *a, int64_t i, int64_t j)
{
    return (mli_dd){a->high[i * a->m + j], a->low[i * a->m + j]};
}

static void set(normal *a, int64_t i, int64_t j, mli_dd v)
{
    a->high[i * a->m + j] = v.hi;
    a->low[i * a->m + j] = v.lo;
}

/* Sum of products of rows i and j of the factor before column `end`. */
static mli_dd row_product(const normal *a, int64_t i, int64_t j, int64_t end)
{
    double sum[2] = {0, 0};
    const double *h = a->high, *l = a->low;
    a->rows->k->dot_dd(h + i * a->m, l + i * a->m, h + j * a->m, l + j * a->m, end, sum);
    return mli_dd_fast_sum(sum[0], sum[1]);
}

/* Relative pivots at or below this are rounding noise of the values: each is known to
 * half a unit in the last place, which the shift magnifies. */
static double noise_of(const normal *a, int64_t i)
{
    const mli_rows *r = a->rows;
    if (i < a->first || i == a->m - 1) return 0;
    double size = r->size[i - a->first], noise;
    double value = fabs(r->dense->center[r->column[i - a->first]]) + size;
    noise = 16 * 2.220446049250313e-16 * value / size;
    return noise * noise;
}

/* A column that the others add up to is known no better than they are: what is left of it
 * has their rounding too, times the coefficients of the sum. Splines that add up to 1 are
 * an example. Of a row of the factor that is whole up to its pivot; uses up `scratch`. */
static double noise_of_sum(const normal *a, int64_t i)
{
    const mli_rows *r = a->rows;
    double *b = a->scratch, squares = 0;
    for (int64_t k = i - 1; k >= a->first; k--) {
        double pivot = a->high[k * a->m + k], v = a->high[i * a->m + k];
        int64_t c = k - a->first;
        for (int64_t j = k + 1; j < i; j++) v -= a->high[j * a->m + k] * b[j];
        b[k] = pivot > 0 ? v / pivot : 0;
        v = (fabs(r->dense->center[r->column[c]]) + r->size[c]) * a->power[k] * b[k];
        squares += v * v;
    }
    double size = r->size[i - a->first] * a->power[i];
    return squares * (NOISE * NOISE) / (size * size);
}

/* Row i of the factor; a dropped row is all zero. */
static void factor_row(normal *a, int64_t i, int can_drop)
{
    double whole = a->high[i * a->m + i];
    for (int64_t j = 0; j < i; j++) {
        mli_dd pivot = get(a, j, j);
        mli_dd v = mli_dd_sub(get(a, i, j), row_product(a, i, j, j));
        set(a, i, j, pivot.hi > 0 ? mli_dd_div(v, pivot) : (mli_dd){0, 0});
    }
    if (i == a->m - 1) return;
    mli_dd pivot = mli_dd_sub(get(a, i, i), row_product(a, i, i, i));
    int drop = can_drop && pivot.hi <= noise_of(a, i) * whole;
    if (can_drop && !drop && pivot.hi < DOUBTFUL * whole)
        drop = pivot.hi <= noise_of_sum(a, i) * whole;
    if (pivot.hi > 0 && !drop) {
        set(a, i, i, mli_dd_sqrt(pivot));
        return;
    }
    for (int64_t j = 0; j <= i; j++) set(a, i, j, (mli_dd){0, 0});
}

/* ---- solution ---- */

/* Solves L' b = z, where z is the last row of the factor. */
static void back_substitute(const normal *a, mli_dd *b)
{
    int64_t q = a->m - 1;
    for (int64_t j = 0; j < q; j++) b[j] = get(a, q, j);
    for (int64_t i = q - 1; i >= 0; i--) {
        mli_dd pivot = get(a, i, i);
        b[i] = pivot.hi > 0 ? mli_dd_div(b[i], pivot) : (mli_dd){0, 0};
        for (int64_t j = 0; j < i && pivot.hi > 0; j++)
            b[j] = mli_dd_sub(b[j], mli_dd_mul(get(a, i, j), b[i]));
    }
}

/* The squared length of L^-1 v, where v (given as halves) is used up; rows before `from`
 * of v are zero. */
static double inverse_square(const normal *a, int64_t from, double *vh, double *vl)
{
    int64_t q = a->m - 1;
    double total[2] = {0, 0};
    for (int64_t i = from; i < q; i++) {
        mli_dd pivot = get(a, i, i), v = {vh[i], vl[i]};
        double sum[2] = {0, 0};
        const double *h = a->high + i * a->m, *l = a->low + i * a->m;
        a->rows->k->dot_dd(h + from, l + from, vh + from, vl + from, i - from, sum);
        v = mli_dd_sub(v, mli_dd_fast_sum(sum[0], sum[1]));
        v = pivot.hi > 0 ? mli_dd_div(v, pivot) : (mli_dd){0, 0};
        vh[i] = v.hi;
        vl[i] = v.lo;
    }
    a->rows->k->dot_dd(vh + from, vl + from, vh + from, vl + from, q - from, total);
    return total[0] + total[1];
}

/* Diagonal of the inverse of X'WX in the units of the data; v has 2 m elements. */
static void variances(const normal *a, double *v, mli_ls *out)
{
    const mli_rows *r = a->rows;
    int64_t q = a->m - 1;
    double *vh = v, *vl = v + a->m;
    for (int64_t j = 0; j < r->p; j++) {
        int64_t at = a->first + j;
        memset(v, 0, (size_t)(2 * a->m) * sizeof *v);
        vh[at] = 1.0;
        double s = inverse_square(a, at, vh, vl);
        out->variance[r->column[j]] =
            a->high[at * a->m + at] > 0 ? s * a->power[at] * a->power[at] : (double)NAN;
    }
    for (int64_t c = 0; c < out->n_columns; c++)
        if (out->dropped[c]) out->variance[c] = NAN;
    out->variance[out->n_columns] = NAN;
    out->have_error = 1;
    if (!a->first) return;
    memset(v, 0, (size_t)(2 * a->m) * sizeof *v);
    vh[0] = 1.0;
    for (int64_t i = 1; i < q; i++) vh[i] = -r->shift[i - 1] * a->power[i];
    out->variance[out->n_columns] = inverse_square(a, 0, vh, vl);
}

static void report(const normal *a, const mli_dd *b, mli_ls *out)
{
    const mli_rows *r = a->rows;
    int64_t q = a->m - 1;
    double y_power = a->power[q];
    mli_dd zero = {a->y_shift, 0};
    out->rank = 0;
    for (int64_t c = 0; c < out->n_columns; c++) out->dropped[c] = 1;
    if (a->first) {
        zero = mli_dd_add(zero, (mli_dd){b[0].hi / y_power, b[0].lo / y_power});
        out->rank++;
    }
    for (int64_t j = 0; j < r->p; j++) {
        int64_t at = a->first + j;
        double power = a->power[at] / y_power;
        mli_dd beta = {b[at].hi * power, b[at].lo * power};
        out->coef[r->column[j]] = mli_dd_double(beta);
        out->dropped[r->column[j]] = !(a->high[at * a->m + at] > 0);
        out->rank += !out->dropped[r->column[j]];
        zero = mli_dd_sub(zero, mli_dd_mul(beta, (mli_dd){r->shift[j], 0}));
    }
    out->intercept = a->first ? mli_dd_double(zero) : 0.0;
    mli_dd rss = mli_dd_sub(get(a, q, q), row_product(a, q, q, q));
    out->rss = rss.hi > 0 ? rss.hi / (y_power * y_power) : 0.0;
}

/* ---- all of it ---- */

/* A power of two near 1 / v. */
static double power_for(double v)
{
    int exponent = 0;
    if (!(v > 0) || !isfinite(v)) return 1.0;
    frexp(v, &exponent);
    return ldexp(1.0, exponent > 1020 ? -1020 : exponent < -1020 ? 1020 : -exponent);
}

static void choose_powers(normal *a)
{
    const mli_rows *r = a->rows;
    const double *y = a->design->y;
    double mean = 0, most = 0, weight = 0;
    for (int64_t i = 0; a->first && i < r->n; i++) {
        double w = r->weight ? r->weight[i] : 1.0;
        if (!(w > 0)) continue;
        weight += w;
        mean += (y[i] - mean) * (w / weight);
    }
    a->y_shift = isfinite(mean) ? mean : 0.0;
    for (int64_t i = 0; i < r->n; i++) {
        double d = fabs(y[i] - a->y_shift);
        if (d > most) most = d;
    }
    a->power[0] = 1.0;
    for (int64_t j = 0; j < r->p; j++) a->power[a->first + j] = power_for(r->size[j]);
    a->power[a->m - 1] = power_for(most);
}

static ml_status check_finite(const mli_ls *ls, ml_error *err)
{
    int bad = !isfinite(ls->intercept);
    for (int64_t c = 0; c < ls->n_columns; c++) bad |= !isfinite(ls->coef[c]);
    if (!bad) return ML_OK;
    mli_fail(err, ML_E_NUMERIC, "the coefficients are too large for double precision");
    return mli_error_hint(err, ML_E_NUMERIC,
                          "bring features and target to scales nearer to 1");
}

static void penalise(normal *a, const double *penalty)
{
    for (int64_t j = 0; j < a->rows->p; j++) {
        int64_t at = a->first + j;
        double power = a->power[at];
        mli_dd add = mli_dd_product(penalty[j] * power, power);
        set(a, at, at, mli_dd_add(get(a, at, at), add));
    }
}

double mli_normal_cost(const mli_rows *rows)
{
    double m = (double)rows->q + 1;
    return (double)rows->n * m * m / 2 + m * m * m / 3;
}

ml_status mli_normal_solve(const mli_rows *rows, const mli_design *design,
                           const double *penalty, const mli_run *run, mli_ls *out,
                           ml_error *err)
{
    ml_context *ctx = rows->ctx;
    normal a = {.rows = rows,
                .design = design,
                .run = run,
                .m = rows->q + 1,
                .first = rows->q - rows->p};
    mli_dd *b = mli_calloc(ctx, (size_t)a.m, sizeof *b);
    ml_status status = ML_OK;
    a.power = mli_calloc(ctx, (size_t)a.m, sizeof *a.power);
    a.high = mli_alloc_vec(ctx, a.m * a.m, sizeof *a.high);
    a.low = mli_alloc_vec(ctx, a.m * a.m, sizeof *a.low);
    if (!b || !a.power || !a.high || !a.low) status = mli_nomem(err);
    if (!status) {
        choose_powers(&a);
        status = sum_products(&a, err);
    }
    if (status) goto out;
    if (penalty) penalise(&a, penalty);
    a.scratch = (double *)(void *)b;
    for (int64_t i = 0; i < a.m; i++) {
        factor_row(&a, i, penalty == NULL);
        if (run && (status = mli_run_check(run, err))) goto out;
    }
    back_substitute(&a, b);
    report(&a, b, out);
    if (!penalty) variances(&a, (double *)(void *)b, out);
    status = check_finite(out, err);
out:
    mli_free(ctx, b);
    mli_free(ctx, a.power);
    mli_free(ctx, a.high);
    mli_free(ctx, a.low);
    return status;
}
