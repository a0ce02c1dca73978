/* SPDX-License-Identifier: MIT
 *
 * check_slices.c: rows with a common value of one column for which a model does worse
 * than for the others. (Chung et al., Slice Finder, 2019.)
 *
 * Categories are slices; numbers are cut at their quartiles; missing values are a slice.
 * The loss of a row is its log loss, or its absolute error, and rows count by their
 * weights. A slice is judged by the difference of its mean loss and that of the other
 * rows (Welch; with weights by the effective numbers of rows, (sum w)^2 / sum w^2), with
 * an interval and a p-value made wider for the number of slices that were looked at
 * (Bonferroni). Those with the larger loss come by the lower end of the interval, the
 * worst first.
 */
#include "tuning/check.h"
#include "tuning/hashed.h"
#include "tuning/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUARTERS 4

typedef struct {
    /* value: a code, a quarter, of a hashed column the first row, or -1: missing */
    int64_t column, value;
    double low_cut, high_cut;
    double n, w, ww; /* rows that count, the sum of their weights and of their squares */
    double sum, squares; /* of the losses, less the mean of all, by weight */
    double loss, others, difference, low, high, p;
} slice;

typedef struct {
    const mli_check *x;
    mli_design *d;
    double *loss, *value, *sorted;
    double mean; /* the loss of all rows */
    slice all;
    int64_t count, capacity;
    slice *slices;
} search;

/* ---- losses ---- */

static double weight_of(const search *s, int64_t i)
{
    return s->d->weight ? s->d->weight[i] : 1;
}

static void count_row(const search *s, slice *to, int64_t i)
{
    double w = weight_of(s, i), loss = s->loss[i] - s->mean;
    if (!(w > 0)) return;
    to->n++;
    to->w += w;
    to->ww += w * w;
    to->sum += w * loss;
    to->squares += w * loss * loss;
}

static ml_status find_losses(search *s, ml_error *err)
{
    const mli_design *d = s->d;
    double *p = NULL, all = 0;
    ml_status st = mli_check_predict(s->x->model, d, &p, err);
    int64_t k = d->label ? d->inputs->classes.n : 1;
    for (int64_t i = 0; i < d->rows && st == ML_OK; i++) {
        s->loss[i] =
            d->label ? -log(fmax(p[i * k + d->label[i]], 1e-15)) : fabs(p[i] - d->y[i]);
        s->mean += weight_of(s, i) * s->loss[i];
        all += weight_of(s, i);
        if (isfinite(s->loss[i])) continue;
        mli_fail(err, ML_E_DATA, "the model does not predict a finite number");
        st = mli_error_at(err, ML_E_DATA, "row %lld", (long long)i + 1);
    }
    if (all > 0) s->mean /= all;
    for (int64_t i = 0; i < d->rows && st == ML_OK; i++) count_row(s, &s->all, i);
    mli_free(s->x->ctx, p);
    return st;
}

/* ---- slices ---- */

static ml_status add_slice(search *s, const slice *one, ml_error *err)
{
    if (one->n < (double)mli_get_i64(s->x->params, "min_rows") || one->n >= s->all.n - 1)
        return ML_OK;
    if (!mli_reserve(s->x->ctx, &s->slices, &s->capacity, s->count + 1,
                     sizeof *s->slices))
        return mli_nomem(err);
    s->slices[s->count++] = *one;
    return ML_OK;
}

static ml_status slice_categories(search *s, int64_t j, ml_error *err)
{
    int64_t levels = s->d->inputs->features[j].levels.n;
    ml_status st = ML_OK;
    slice *by = mli_calloc(s->x->ctx, (size_t)levels + 1, sizeof *by);
    if (!by) return mli_nomem(err);
    for (int64_t i = 0; i < s->d->rows; i++) {
        double v = s->value[i];
        count_row(s, &by[v >= 0 && v < (double)levels ? (int64_t)v : levels], i);
    }
    for (int64_t v = 0; v <= levels && st == ML_OK; v++) {
        by[v].column = j;
        by[v].value = v < levels ? v : -1;
        st = add_slice(s, &by[v], err);
    }
    mli_free(s->x->ctx, by);
    return st;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quarters; those with the same upper end are one, which a frequent number makes. */
static ml_status slice_numbers(search *s, int64_t j, ml_error *err)
{
    slice by[QUARTERS + 1] = {{0}};
    double cuts[QUARTERS + 1];
    int64_t n = 0, parts = 0;
    ml_status st = ML_OK;
    for (int64_t i = 0; i < s->d->rows; i++)
        if (!isnan(s->value[i])) s->sorted[n++] = s->value[i];
    qsort(s->sorted, (size_t)n, sizeof *s->sorted, ascending);
    for (int64_t q = 1; q <= QUARTERS && n; q++) { /* upper ends, each larger */
        double end = s->sorted[q * n / QUARTERS - (q * n / QUARTERS > 0)];
        if (!parts || end > cuts[parts - 1]) cuts[parts++] = end;
    }
    for (int64_t i = 0; i < s->d->rows; i++) {
        int64_t q = 0;
        if (isnan(s->value[i])) {
            count_row(s, &by[QUARTERS], i);
            continue;
        }
        while (q < parts - 1 && s->value[i] > cuts[q]) q++;
        count_row(s, &by[q], i);
    }
    for (int64_t q = 0; q < parts && st == ML_OK; q++) {
        by[q].column = j;
        by[q].value = q;
        by[q].low_cut = q ? cuts[q - 1] : -INFINITY;
        by[q].high_cut = q < parts - 1 ? cuts[q] : INFINITY;
        st = add_slice(s, &by[q], err);
    }
    by[QUARTERS].column = j;
    by[QUARTERS].value = -1;
    return st == ML_OK ? add_slice(s, &by[QUARTERS], err) : st;
}

static int is_chosen(const search *s, int64_t j)
{
    const char *const *names;
    int64_t n = mli_get_strs(s->x->params, "columns", &names);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(names[i], s->d->inputs->features[j].name) == 0) return 1;
    return n == 0;
}

static ml_status check_columns(const search *s, ml_error *err)
{
    const char *const *names;
    int64_t n = mli_get_strs(s->x->params, "columns", &names);
    const mli_feature *f = s->d->inputs->features;
    for (int64_t i = 0; i < n; i++) {
        int64_t j = 0;
        while (j < s->d->n_features && strcmp(names[i], f[j].name) != 0) j++;
        if (j < s->d->n_features && f[j].kind != MLI_TEXT) continue;
        ml_status st = j < s->d->n_features ? ML_E_UNSUPPORTED : ML_E_NAME;
        if (st == ML_E_NAME)
            mli_fail(err, st, "the model has no input column \"%s\"", names[i]);
        else
            mli_fail(err, st, "\"%s\" is text, whose values are no slices", names[i]);
        return mli_error_at(err, st, "params.columns");
    }
    return ML_OK;
}

/* Categories known by a hash: the rows name them. */
static ml_status slice_hashes(search *s, int64_t j, ml_error *err)
{
    mli_hashed_row *h = NULL;
    slice one, missing = {.column = j, .value = -1};
    int64_t n = 0;
    ml_status st = mli_hashed_rows(s->x->ctx, s->value, s->d->rows, &h, &n, err);
    for (int64_t i = 0, end; i < n && st == ML_OK; i = end) {
        one = (slice){.column = j, .value = h[i].row};
        for (end = i; end < n && h[end].value == h[i].value; end++)
            count_row(s, &one, h[end].row);
        st = add_slice(s, &one, err);
    }
    mli_free(s->x->ctx, h);
    for (int64_t i = 0; i < s->d->rows; i++)
        if (isnan(s->value[i])) count_row(s, &missing, i);
    return st == ML_OK ? add_slice(s, &missing, err) : st;
}

static ml_status slice_all(search *s, ml_error *err)
{
    ml_status st = check_columns(s, err);
    for (int64_t j = 0; j < s->d->n_features && st == ML_OK; j++) {
        const mli_feature *f = &s->d->inputs->features[j];
        if (!is_chosen(s, j) || f->kind == MLI_TEXT) continue;
        mli_design_f64(s->d, j, 0, s->d->rows, s->value, 1);
        st = f->hashed                    ? slice_hashes(s, j, err)
             : f->kind == MLI_CATEGORICAL ? slice_categories(s, j, err)
                                          : slice_numbers(s, j, err);
    }
    return st;
}

/* ---- judging ---- */

/* The squared standard error of the mean loss of some rows, and their degrees of
 * freedom. */
static double squared_error(const slice *x, double *df)
{
    double mean = x->sum / x->w;
    *df = x->w * x->w / x->ww - 1;
    return *df > 0 ? fmax(0, x->squares / x->w - mean * mean) / *df : 0;
}

static void judge(const search *s, slice *one)
{
    const slice *all = &s->all;
    slice rest = {.w = all->w - one->w,
                  .ww = all->ww - one->ww,
                  .sum = all->sum - one->sum,
                  .squares = all->squares - one->squares};
    double df[2], p, tests = (double)s->count;
    double a = squared_error(one, &df[0]), b = squared_error(&rest, &df[1]);
    double error = sqrt(a + b), wide = 0;
    one->loss = s->mean + one->sum / one->w;
    one->others = s->mean + rest.sum / rest.w;
    one->difference = one->sum / one->w - rest.sum / rest.w;
    if (error > 0) {
        double free = (a + b) * (a + b) /
                      ((a > 0 ? a * a / df[0] : 0) + (b > 0 ? b * b / df[1] : 0));
        wide = mli_student_quantile(0.05 / tests, free);
        p = mli_student_two_sided(one->difference / error, free);
    } else {
        p = one->difference != 0 ? 0 : 1;
    }
    one->low = one->difference - wide * error;
    one->high = one->difference + wide * error;
    one->p = fmin(1, p * tests);
}

/* All are judged, for their number counts; those that are worse are kept. */
static void judge_all(search *s)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < s->count; i++) judge(s, &s->slices[i]);
    for (int64_t i = 0; i < s->count; i++)
        if (s->slices[i].difference > 0) s->slices[kept++] = s->slices[i];
    s->count = kept;
}

static int worst_first(const void *a, const void *b)
{
    const slice *x = a, *y = b;
    if (x->low != y->low) return x->low > y->low ? -1 : 1;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* ---- the table ---- */

static void name_slice(const search *s, const slice *one, mli_str *to)
{
    const mli_feature *f = &s->d->inputs->features[one->column];
    if (one->value < 0) {
        mli_str_add(to, "missing");
    } else if (f->hashed) {
        mli_column_print(s->d->columns[one->column].column, one->value, to);
    } else if (f->kind == MLI_CATEGORICAL) {
        const int64_t *at = f->levels.offsets + one->value;
        mli_str_add_n(to, f->levels.bytes + at[0], (size_t)(at[1] - at[0]));
    } else if (isinf(one->low_cut) && isinf(one->high_cut)) {
        mli_str_add(to, "any number");
    } else if (isinf(one->low_cut)) {
        mli_str_add(to, "to ");
        mli_str_short(to, one->high_cut, 6);
    } else if (isinf(one->high_cut)) {
        mli_str_add(to, "above ");
        mli_str_short(to, one->low_cut, 6);
    } else {
        mli_str_add(to, "above ");
        mli_str_short(to, one->low_cut, 6);
        mli_str_add(to, " to ");
        mli_str_short(to, one->high_cut, 6);
    }
}

static ml_status add_names(const search *s, int64_t n, mli_builder *b, ml_error *err)
{
    const char **names = mli_calloc(s->x->ctx, (size_t)n * 2 + 2, sizeof *names);
    mli_str text;
    mli_str_init(&text, s->x->ctx);
    size_t *at = mli_calloc(s->x->ctx, (size_t)n + 1, sizeof *at);
    for (int64_t i = 0; names && at && i < n; i++) {
        names[i] = s->d->inputs->features[s->slices[i].column].name;
        at[i] = text.size;
        name_slice(s, &s->slices[i], &text);
        mli_str_char(&text, 0);
    }
    ml_status st = names && at && !text.failed ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < n && st == ML_OK; i++) names[n + i] = text.data + at[i];
    if (st == ML_OK) st = mli_builder_text(b, "column", names, err);
    if (st == ML_OK) st = mli_builder_text(b, "slice", names + n, err);
    mli_str_free(&text);
    mli_free(s->x->ctx, at);
    mli_free(s->x->ctx, names);
    return st;
}

static ml_status slice_table(const search *s, ml_table **out, ml_error *err)
{
    static const char *const names[] = {"rows", "loss", "others", "difference",
                                        "low",  "high", "p_value"};
    int64_t most = mli_get_i64(s->x->params, "most"),
            n = s->count < most ? s->count : most;
    mli_builder *b = NULL;
    double *v = mli_alloc_vec(s->x->ctx, 7 * n + 1, sizeof *v);
    if (!v) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        const slice *o = &s->slices[i];
        const double row[7] = {o->n,   o->loss, o->others, o->difference,
                               o->low, o->high, o->p};
        for (int k = 0; k < 7; k++) v[k * n + i] = row[k];
    }
    ml_status st = mli_builder_new(s->x->ctx, n, &b, err);
    if (st == ML_OK) st = add_names(s, n, b, err);
    for (int k = 0; k < 7 && st == ML_OK; k++)
        st = mli_builder_f64(b, names[k], v + k * n, err);
    mli_free(s->x->ctx, v);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

ml_status mli_check_slices(const mli_check *x, ml_table **out, ml_error *err)
{
    search s = {.x = x};
    const mli_inputs *in = x->model->inputs;
    if (in->task != MLI_TASK_CLASSIFICATION && in->task != MLI_TASK_REGRESSION)
        return mli_fail(err, ML_E_UNSUPPORTED,
                        "slices are for models of classes or values");
    ml_status st = mli_design_apply(x->model->inputs, x->table, 1, &s.d, err);
    if (st == ML_OK) {
        s.loss = mli_alloc_vec(x->ctx, 3 * s.d->rows + 1, sizeof *s.loss);
        if (!s.loss) st = mli_nomem(err);
    }
    if (st == ML_OK) {
        s.value = s.loss + s.d->rows;
        s.sorted = s.value + s.d->rows;
        st = find_losses(&s, err);
    }
    if (st == ML_OK) st = slice_all(&s, err);
    if (st == ML_OK) {
        judge_all(&s);
        if (s.count) qsort(s.slices, (size_t)s.count, sizeof *s.slices, worst_first);
        st = slice_table(&s, out, err);
    }
    mli_free(x->ctx, s.slices);
    mli_free(x->ctx, s.loss);
    mli_design_free(s.d);
    return st;
}
