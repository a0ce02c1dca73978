/* SPDX-License-Identifier: MIT
 *
 * prepare/feature_selector.c: leaves columns out that tell little: by their variance, by
 * their correlation with a column before them, or by how much one column alone says about
 * the target: the F statistic of a line or of the means of the classes, or the mutual
 * information of the column cut into bins (in nats).
 *
 * Tensors: score f64 [features] (NaN: not looked at), kept f64 [features] of 0 and 1.
 * Cost: a pass over the columns; n_features^2 passes for correlation; a sort of each
 * column for mutual information.
 */
#include "algorithms/prepare/select.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANCE, CORRELATION, F_TEST, MUTUAL_INFO };
#define BINS 20

static int64_t classes_of(const mli_design *d)
{
    return d->label ? d->inputs->classes.n : 0;
}

/* ---- scores ---- */

/* Of a line through the rows whose value is there. */
static double f_of_line(const double *x, const double *y, int64_t rows)
{
    double n = 0, mx = 0, my = 0, sxx = 0, syy = 0, sxy = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i])) continue;
        n += 1;
        mx += x[i];
        my += y[i];
    }
    mx /= n;
    my /= n;
    for (int64_t i = 0; i < rows; i++) {
        double dx = x[i] - mx, dy = y[i] - my;
        if (isnan(x[i])) continue;
        sxx += dx * dx;
        syy += dy * dy;
        sxy += dx * dy;
    }
    double r2 = sxy / sxx * (sxy / syy);
    /* A perfect line is not below 0 by its rounding. */
    double rest = fmax(1 - r2, DBL_EPSILON);
    return n > 2 && sxx > 0 && syy > 0 ? r2 / rest * (n - 2) : 0;
}

/* Of the means of the classes: variance between them to that within. */
static double f_of_classes(const double *x, const int32_t *label, int64_t rows, int64_t k,
                           double *sum, double *count)
{
    double n = 0, total = 0, between = 0, within = 0, used = 0, first = NAN;
    int varies = 0; /* a constant has means that differ by their rounding */
    memset(sum, 0, (size_t)k * sizeof *sum);
    memset(count, 0, (size_t)k * sizeof *count);
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i])) continue;
        varies |= first != first ? 0 : x[i] != first;
        first = x[i];
        sum[label[i]] += x[i];
        count[label[i]] += 1;
        total += x[i];
        n += 1;
    }
    for (int64_t c = 0; c < k; c++) {
        if (count[c] == 0) continue;
        double d = sum[c] / count[c] - total / n;
        between += count[c] * d * d;
        used += 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i])) continue;
        double d = x[i] - sum[label[i]] / count[label[i]];
        within += d * d;
    }
    if (!varies) return 0;
    if (!(within > 0) || used < 2 || n <= used) return between > 0 ? INFINITY : 0;
    return between / (used - 1) / (within / (n - used));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Bins of equally many values; equal values share one, missing ones have the last.
 * bin[rows]; returns their number. */
static int cut(const double *x, int64_t rows, double *work, int32_t *bin)
{
    int64_t present = 0;
    double *sorted = work;
    for (int64_t i = 0; i < rows; i++)
        if (!isnan(x[i])) sorted[present++] = x[i];
    qsort(sorted, (size_t)present, sizeof *sorted, ascending);
    double edges[BINS];
    int n = 0, missing = 0;
    for (int k = 1; k < BINS && present; k++) {
        double e = mli_quantile(sorted, present, (double)k / BINS);
        if (n == 0 || e > edges[n - 1]) edges[n++] = e;
    }
    for (int64_t i = 0; i < rows; i++) {
        int b = 0;
        while (b < n && x[i] >= edges[b]) b++;
        bin[i] = isnan(x[i]) ? n + 1 : b;
        missing |= isnan(x[i]);
    }
    return n + 1 + missing;
}

static double information(const int32_t *a, int64_t na, const int32_t *b, int64_t nb,
                          int64_t rows, double *joint)
{
    double sum = 0;
    memset(joint, 0, (size_t)(na * nb + na + nb) * sizeof *joint);
    double *pa = joint + na * nb, *pb = pa + na;
    for (int64_t i = 0; i < rows; i++) {
        joint[a[i] * nb + b[i]] += 1;
        pa[a[i]] += 1;
        pb[b[i]] += 1;
    }
    for (int64_t i = 0; i < na; i++)
        for (int64_t k = 0; k < nb; k++) {
            double p = joint[i * nb + k];
            if (p > 0) sum += p / (double)rows * log(p * (double)rows / (pa[i] * pb[k]));
        }
    return sum > 0 ? sum : 0;
}

/* ---- scoring all columns ---- */

typedef struct {
    const mli_design *d;
    const uint8_t *picked;
    int method;
    double *score, *memory; /* [slots][2 * rows + 2 * classes] */
    int32_t *bins;          /* [slots][rows] */
    int64_t per_slot, target_bins;
    const int32_t *target;
    atomic_int failed;
} scoring;

static double score_information(scoring *s, int64_t j, double *x, double *work,
                                int32_t *bin)
{
    int64_t rows = s->d->rows, n = s->d->inputs->features[j].levels.n + 1;
    if (s->d->columns[j].codes) {
        for (int64_t i = 0; i < rows; i++)
            bin[i] = isnan(x[i]) ? (int32_t)n - 1 : (int32_t)x[i];
    } else {
        n = cut(x, rows, work, bin);
    }
    int64_t size = n * s->target_bins + n + s->target_bins;
    double *joint = mli_calloc(s->d->ctx, (size_t)size, sizeof *joint), score = NAN;
    if (joint) score = information(bin, n, s->target, s->target_bins, rows, joint);
    if (!joint) atomic_store(&s->failed, 1);
    mli_free(s->d->ctx, joint);
    return score;
}

static void score_feature(void *arg, int64_t j, int32_t slot)
{
    scoring *s = arg;
    int64_t rows = s->d->rows, k = classes_of(s->d);
    double *x = s->memory + slot * s->per_slot, *work = x + rows;
    s->score[j] = NAN;
    if (!s->picked[j]) return;
    mli_design_f64(s->d, j, 0, rows, x, 1);
    if (s->method == MUTUAL_INFO)
        s->score[j] = score_information(s, j, x, work, s->bins + slot * rows);
    else
        s->score[j] = k ? f_of_classes(x, s->d->label, rows, k, work, work + k)
                        : f_of_line(x, s->d->y, rows);
}

/* F statistics and mutual information. */
static ml_status score_by_target(mli_fit *job, const uint8_t *picked, int method,
                                 double *score, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t slots = mli_slots(job->ctx), rows = d->rows;
    scoring s = {.d = d, .picked = picked, .method = method, .score = score};
    ml_status status = mli_prepare_needs_target(job, MLI_LEARNS | MLI_TASK_RANKING, err);
    if (status) return status;
    s.per_slot = 2 * rows + 2 * classes_of(d);
    s.memory = mli_alloc_vec(job->ctx, slots * s.per_slot, sizeof *s.memory);
    s.bins = mli_alloc_vec(job->ctx, (slots + 1) * rows, sizeof *s.bins);
    if (!s.memory || !s.bins) status = mli_nomem(err);
    if (!status) {
        s.target = d->label ? d->label : s.bins + slots * rows;
        s.target_bins =
            d->label ? classes_of(d) : cut(d->y, rows, s.memory, s.bins + slots * rows);
        mli_parallel(job->ctx, d->n_features, score_feature, &s);
        status = atomic_load(&s.failed) ? mli_nomem(err) : mli_run_check(job->run, err);
    }
    mli_free(job->ctx, s.memory);
    mli_free(job->ctx, s.bins);
    return status;
}

static ml_status score_variance(mli_fit *job, const uint8_t *picked, double *score,
                                ml_error *err)
{
    mli_moments *m = NULL;
    ml_status status =
        mli_prepare_moments(job->train, picked, MLI_ALL, job->run, &m, err);
    for (int64_t j = 0; j < job->train->n_features && !status; j++)
        score[j] = picked[j] && m[j].present ? m[j].square / (double)m[j].present : NAN;
    mli_free(job->ctx, m);
    return status;
}

/* The largest correlation with a column before it that is kept, over the rows in which
 * both are there. */
static double correlation(const double *x, const double *y, int64_t rows)
{
    double n = 0, mx = 0, my = 0, sxx = 0, syy = 0, sxy = 0;
    for (int64_t i = 0; i < rows; i++) {
        if (isnan(x[i]) || isnan(y[i])) continue;
        n += 1;
        mx += x[i];
        my += y[i];
    }
    for (int64_t i = 0; i < rows; i++) {
        double dx = x[i] - mx / n, dy = y[i] - my / n;
        if (isnan(x[i]) || isnan(y[i])) continue;
        sxx += dx * dx;
        syy += dy * dy;
        sxy += dx * dy;
    }
    return sxx > 0 && syy > 0 ? fabs(sxy) / sqrt(sxx * syy) : 0;
}

static ml_status score_correlation(mli_fit *job, const uint8_t *picked, double limit,
                                   double *score, ml_error *err)
{
    const mli_design *d = job->train;
    double *x = mli_alloc_vec(job->ctx, 2 * d->rows, sizeof *x), *y = x ? x + d->rows : x;
    ml_status status = x ? ML_OK : mli_nomem(err);
    for (int64_t j = 0; j < d->n_features && !status; j++) {
        score[j] = picked[j] ? 0 : NAN;
        if (!picked[j]) continue;
        status = mli_run_check(job->run, err);
        mli_design_f64(d, j, 0, d->rows, x, 1);
        for (int64_t k = 0; k < j && !status; k++) {
            if (!picked[k] || score[k] > limit) continue;
            mli_design_f64(d, k, 0, d->rows, y, 1);
            double r = correlation(x, y, d->rows);
            if (r > score[j]) score[j] = r;
        }
    }
    mli_free(job->ctx, x);
    return status;
}

/* ---- choosing ---- */

static ml_status choose(mli_fit *job, int method, const double *score, double *kept,
                        ml_error *err)
{
    int64_t n = job->train->n_features;
    double limit = mli_get_f64(job->params, "threshold"), from = limit;
    ml_status status = ML_OK;
    int any = 0;
    if (method != CORRELATION)
        status = mli_select_best(job->ctx, score, n, mli_get_i64(job->params, "k"), &from,
                                 err);
    for (int64_t j = 0; j < n && !status; j++) {
        int keep = method == CORRELATION                 ? !(score[j] > limit)
                   : method == VARIANCE && from == limit ? !(score[j] <= limit)
                                                         : !(score[j] < from);
        kept[j] = keep || isnan(score[j]);
        any |= kept[j] > 0;
    }
    if (status || any) return status;
    mli_fail(err, ML_E_DATA, "no column reaches the threshold %s", MLI_NUM(limit));
    return mli_error_at(err, ML_E_DATA, "params.threshold");
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    int64_t n = job->train->n_features;
    int method =
        mli_get_enum(job->params, "method", "variance,correlation,f_test,mutual_info");
    uint32_t takes =
        MLI_TAKES_NUMBERS | (method == MUTUAL_INFO ? MLI_TAKES_CATEGORIES : 0);
    uint8_t *picked = NULL;
    double *score, *kept;
    ml_status status = mli_prepare_picked(job, takes, &picked, err);
    if (status) return status;
    status = mli_model_add(job->model, "score", ML_DTYPE_F64, 1, &n, &score, err);
    if (!status)
        status = mli_model_add(job->model, "kept", ML_DTYPE_F64, 1, &n, &kept, err);
    if (!status && method == VARIANCE)
        status = score_variance(job, picked, score, err);
    else if (!status && method == CORRELATION)
        status = score_correlation(job, picked, mli_get_f64(job->params, "threshold"),
                                   score, err);
    else if (!status)
        status = score_by_target(job, picked, method, score, err);
    if (!status) status = choose(job, method, score, kept, err);
    mli_free(job->ctx, picked);
    return status;
}

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"method", NULL, ML_PARAM_STR, 0, "variance",
     "{variance, correlation, f_test, mutual_info}", NULL, NULL,
     "variance: of the column. correlation: with a column before it. f_test: how well a "
     "line, or the means of the classes, tell the target. mutual_info: what the column "
     "in "
     "bins tells of the target.",
     "0.1"},
    {"threshold", NULL, ML_PARAM_F64, 0, "0", "[0, inf)", NULL, NULL,
     "Columns are kept whose score is at least this (the variance: above it; the "
     "correlation: not above it, such as 0.95).",
     "0.1"},
    {"k", "n_features_to_select", ML_PARAM_I64, 0, "0", "[0, 1000000]", NULL,
     "method != correlation", "Keep the k best columns. 0: all that reach the threshold.",
     "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"score", "f64", "[features]", "The score of each column; NaN: not looked at."},
    {"kept", "f64", "[features]", "1 for the columns that are kept."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_feature_selector;
const mli_algorithm mli_feature_selector = {
    .head = {MLI_LEARN_HEAD, .name = "feature_selector",
             .aliases = "select_k_best,variance_threshold,feature_selection",
             .title = "columns that tell something",
             .doc =
                 "Leaves columns out that tell little: by their variance, by their "
                 "correlation with others, or by what each alone says about the target.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_prepare,
             .attributes = attributes},
    .fit = fit,
    .plan = mli_select_plan,
    .outputs = mli_select_outputs,
};
