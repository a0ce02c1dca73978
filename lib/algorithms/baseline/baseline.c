/* SPDX-License-Identifier: MIT
 *
 * baseline.c: the predictor that looks at no feature: the weighted mean, median or a
 * quantile of the target, or the shares of the classes. What any model has to beat.
 *
 * Tensors: "constant" f64 [n_outputs]: the value, or the probability of each class.
 * Cost: one pass over the target (a sort for median and quantile).
 */
#include "algorithms/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct weighted {
    double value, weight;
} weighted;

static int by_value(const void *a, const void *b)
{
    double x = ((const weighted *)a)->value, y = ((const weighted *)b)->value;
    return (x > y) - (x < y);
}

static double weight_of(const mli_design *d, int64_t row)
{
    return d->weight ? d->weight[row] : 1.0;
}

static double mean_of(const mli_design *d)
{
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        sum += weight_of(d, i) * d->y[i];
        weights += weight_of(d, i);
    }
    return sum / weights;
}

/* The smallest value at or below which lies the share q of the weight; the middle of two
 * when the share falls exactly between them. */
static ml_status quantile_of(const mli_design *d, double q, double *out, ml_error *err)
{
    weighted *rows = mli_alloc_vec(d->ctx, d->rows, sizeof *rows);
    if (!rows) return mli_nomem(err);
    double total = 0, seen = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        rows[i] = (weighted){d->y[i], weight_of(d, i)};
        total += rows[i].weight;
    }
    qsort(rows, (size_t)d->rows, sizeof *rows, by_value);
    int64_t k = 0;
    while (k < d->rows - 1 && seen + rows[k].weight < q * total) seen += rows[k++].weight;
    *out = rows[k].value;
    if (k < d->rows - 1 && seen + rows[k].weight == q * total)
        *out = (rows[k].value + rows[k + 1].value) / 2;
    mli_free(d->ctx, rows);
    return ML_OK;
}

static ml_status fit_classes(mli_fit *job, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t k = d->inputs->classes.n;
    double *shares = NULL, total = 0;
    ml_status st =
        mli_model_add(job->model, "constant", ML_DTYPE_F64, 1, &k, &shares, err);
    if (st < 0) return st;
    for (int64_t i = 0; i < d->rows; i++) {
        shares[d->label[i]] += weight_of(d, i);
        total += weight_of(d, i);
    }
    for (int64_t c = 0; c < k; c++) shares[c] /= total;
    return ML_OK;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const mli_design *d = job->train;
    const char *strategy = mli_get_str(job->params, "strategy");
    double value;
    ml_status st = ML_OK;
    if (d->inputs->task == MLI_TASK_CLASSIFICATION) return fit_classes(job, err);
    if (strcmp(strategy, "mean") == 0)
        value = mean_of(d);
    else
        st = quantile_of(
            d,
            strcmp(strategy, "median") == 0 ? 0.5 : mli_get_f64(job->params, "quantile"),
            &value, err);
    return st < 0 ? st : mli_model_add_f64s(job->model, "constant", &value, 1, err);
}

typedef struct baseline_plan {
    mli_plan plan;
    const double *constant; /* [n_outputs]; the model outlives the plan */
} baseline_plan;

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const baseline_plan *p = (const baseline_plan *)plan;
    (void)rows, (void)stride, (void)scratch;
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * plan->n_outputs, p->constant,
               (size_t)plan->n_outputs * sizeof *out);
}

static void run_f32(const mli_plan *plan, const float *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    (void)rows;
    run(plan, NULL, n, stride, out, scratch);
}

static ml_status plan(const ml_model *model, const char *kind, mli_plan **out,
                      ml_error *err)
{
    const double *constant = NULL;
    int64_t classes = model->inputs->classes.n, n = classes ? classes : 1;
    (void)kind; /* value and proba are the same numbers */
    ml_status st = mli_model_want(model, "constant", ML_DTYPE_F64, 1, &n, &constant, err);
    if (st < 0) return st;
    baseline_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->plan = (mli_plan){.ctx = model->ctx,
                         .n_features = model->inputs->n_features,
                         .n_outputs = n,
                         .run = run,
                         .run_f32 = run_f32};
    p->constant = constant;
    *out = &p->plan;
    return ML_OK;
}

static const mli_param params[] = {
    {"strategy", NULL, ML_PARAM_STR, 0, "mean", "{mean, median, quantile}", NULL, NULL,
     "What to predict for a numeric target. Classes get their shares.", "0.1"},
    {"quantile", NULL, ML_PARAM_F64, 0, "0.5", "[0, 1]", NULL, "strategy == quantile",
     "The quantile to predict.", "0.1"},
    MLI_PARAM_END};

static const mli_kind kinds[] = {
    {"value", "rows", "The constant."},
    {"proba", "rows, classes", "The share of each class in training."},
    {"class", "rows", "The most frequent class."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"constant", "f64", "[outputs]", "The value, or the share of each class."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_baseline;
const mli_algorithm mli_baseline = {
    .head = {.name = "baseline",
             .aliases = "dummy,constant",
             .title = "constant prediction",
             .doc =
                 "Predicts the same for every row: the mean, median or a quantile of the "
                 "target, or the shares of the classes. What any model has to beat.",
             .family = "baseline",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS,
             .params = params,
             .roles = mli_roles_supervised,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
};
