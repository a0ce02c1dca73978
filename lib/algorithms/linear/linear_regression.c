/* SPDX-License-Identifier: MIT
 *
 * linear/linear_regression.c: linear regression: ordinary least squares, ridge (Hoerl and
 * Kennard 1970), lasso (Tibshirani 1996) and elastic net (Zou and Hastie 2005).
 *
 * Categories become columns of 0 and 1, missing values are filled (data/dense.h). The
 * solvers: least_squares.h and lasso.h. Coefficients are stored in the units of the data
 * (terms.h).
 */
#include "algorithms/linear/lasso.h"
#include "algorithms/linear/least_squares.h"
#include "algorithms/linear/terms.h"

#include <math.h>
#include <string.h>

enum { NONE, L2, L1, ELASTICNET };

typedef struct {
    mli_fit *job;
    int kind; /* of the penalty */
    double alpha, l1_ratio;
    int standardize;
    mli_dense *dense;
    mli_rows *rows;
    double *penalty; /* [2 q] */
    mli_ls ls;
} fitting;

/* What a coefficient is multiplied by in the penalty: 1, or the column's deviation. */
static double penalty_unit(const fitting *f, int64_t j)
{
    double scale = f->dense->scale[f->rows->column[j]];
    if (!f->standardize) return 1.0;
    return scale > 0 ? scale : f->rows->size[j];
}

/* ---- least squares ---- */

static void note_dropped(const fitting *f)
{
    mli_str s;
    int64_t count = 0;
    mli_str_init(&s, f->job->ctx);
    for (int64_t c = 0; c < f->dense->n_columns; c++) {
        if (!f->ls.dropped[c]) continue;
        if (count++) mli_str_add(&s, ", ");
        mli_dense_name(f->dense, c, &s);
    }
    if (count && !s.failed) {
        mli_model_note_str(f->job->model, "dropped_columns", s.data);
        mli_run_warn(
            f->job->run, "linear_regression",
            "columns that are constant or combinations of others get the coefficient "
            "0: %s",
            s.data);
    }
    mli_str_free(&s);
}

/* Weighted sum of squares around the mean (without an intercept: around 0). */
static double total_squares(const fitting *f, int64_t *counted)
{
    const mli_design *d = f->job->train;
    double mean = 0, squares = 0, weight = 0;
    *counted = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        double w = d->weight ? d->weight[i] : 1.0, delta = d->y[i] - mean;
        if (!(w > 0)) continue;
        weight += w;
        (*counted)++;
        if (f->rows->q > f->rows->p) mean += delta * (w / weight);
        squares += w * delta * (d->y[i] - mean);
    }
    return squares;
}

/* Standard errors need the residual variance, and that more rows than coefficients. */
static ml_status store_errors(const fitting *f, ml_error *err)
{
    ml_model *m = f->job->model;
    int64_t n = f->dense->n_columns + (f->rows->q > f->rows->p), counted;
    double total = total_squares(f, &counted), *errors = NULL;
    double degrees = (double)(counted - f->ls.rank);
    double variance = degrees > 0 ? f->ls.rss / degrees : (double)NAN;
    mli_model_note_i64(m, "rank", f->ls.rank);
    if (total > 0) mli_model_note_f64(m, "r2", 1 - f->ls.rss / total);
    if (!f->ls.have_error) return ML_OK;
    ml_status status = mli_model_add(m, "std_error", ML_DTYPE_F64, 1, &n, &errors, err);
    for (int64_t c = 0; !status && c < n; c++)
        errors[c] = sqrt(f->ls.variance[c] * variance);
    if (!status) status = mli_model_add_f64s(m, "degrees_of_freedom", &degrees, 1, err);
    if (!status) status = mli_model_add_f64s(m, "residual_variance", &variance, 1, err);
    return status;
}

static ml_status fit_squares(fitting *f, double alpha, ml_error *err)
{
    mli_fit *job = f->job;
    const char *method = "";
    int64_t p = f->rows->p;
    int penalised = alpha > 0;
    for (int64_t j = 0; j < p; j++) {
        double unit = penalty_unit(f, j);
        f->penalty[j] = alpha * unit * unit;
    }
    ml_status status = mli_run_step(job->run, "least squares", 0, 1, NAN, err);
    if (!status)
        status = mli_least_squares(f->rows, job->train, penalised ? f->penalty : NULL,
                                   job->run, &f->ls, &method, err);
    if (status) return status;
    mli_model_note_str(job->model, "method", method);
    if (!penalised) {
        note_dropped(f);
        status = store_errors(f, err);
    }
    return status;
}

/* ---- lasso and elastic net ---- */

static void note_lasso(const fitting *f, const mli_lasso *l)
{
    ml_model *m = f->job->model;
    int64_t nonzero = 0;
    for (int64_t j = 0; j < f->rows->p; j++) nonzero += l->b[j] != 0;
    mli_model_note_str(m, "method", "coordinate descent");
    mli_model_note_i64(m, "nonzero", nonzero);
    mli_model_note_i64(m, "sweeps", l->sweeps);
    mli_model_note_i64(m, "converged", l->converged);
    if (l->converged || mli_run_state(f->job->run) != ML_CONTINUE) return;
    mli_run_warn(
        f->job->run, "linear_regression",
        "the coefficients have not converged after %lld sweeps: raise max_iter or tol",
        (long long)l->sweeps);
}

static ml_status fit_lasso(fitting *f, double l1_ratio, ml_error *err)
{
    mli_rows *r = f->rows;
    ml_context *ctx = r->ctx;
    mli_target t = {NULL, 0, 1};
    mli_lasso l = {.rows = r,
                   .l1 = f->penalty,
                   .l2 = f->penalty + r->q,
                   .tol = mli_get_f64(f->job->params, "tol"),
                   .max_sweeps = mli_get_i64(f->job->params, "max_iter")};
    ml_status status = mli_rows_split(r, 1, err);
    if (!status) status = mli_rows_fill(r, f->job->train, f->job->run, err);
    if (!status) status = mli_target_new(r, f->job->train, &t, err);
    l.b = mli_calloc(ctx, (size_t)r->q, sizeof *l.b);
    if (!status && !l.b) status = mli_nomem(err);
    if (status) goto out;
    l.y = t.y;
    for (int64_t j = 0; j < r->p; j++) {
        double unit = penalty_unit(f, j) / r->size[j];
        f->penalty[j] = f->alpha * l1_ratio * unit * t.power;
        f->penalty[r->q + j] = f->alpha * (1 - l1_ratio) * unit * unit;
    }
    status = mli_lasso_solve(&l, f->job->run, err);
    if (status) goto out;
    for (int64_t j = 0; j < r->q; j++) l.b[j] /= t.power;
    mli_rows_coef(r, l.b, f->ls.coef, &f->ls.intercept);
    if (r->q > r->p) f->ls.intercept += t.shift;
    note_lasso(f, &l);
out:
    mli_free(ctx, l.b);
    mli_free(ctx, t.y);
    return status;
}

/* ---- all of it ---- */

static ml_status fit_penalised(fitting *f, ml_error *err)
{
    double l1 = f->kind == L1 ? 1.0 : f->kind == ELASTICNET ? f->l1_ratio : 0.0;
    if (f->kind == NONE || f->alpha == 0) return fit_squares(f, 0, err);
    if (f->kind == L2) return fit_squares(f, f->alpha, err);
    /* Without its absolute part an elastic net is ridge with another scale. */
    if (l1 == 0) return fit_squares(f, f->alpha * f->rows->total, err);
    return fit_lasso(f, l1, err);
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    const ml_params *p = job->params;
    const mli_design *d = job->train;
    int intercept = mli_get_bool(p, "intercept");
    fitting f = {.job = job,
                 .kind = mli_get_enum(p, "penalty", "none,l2,l1,elasticnet"),
                 .alpha = mli_get_f64(p, "alpha"),
                 .l1_ratio = mli_get_f64(p, "l1_ratio"),
                 .standardize = mli_get_bool(p, "standardize")};
    mli_dense_options options = {.reference = f.kind == NONE && intercept,
                                 .indicators = mli_get_bool(p, "missing_indicator")};
    ml_status status = mli_dense_new(d, &options, job->run, &f.dense, err);
    if (!status) status = mli_rows_new(f.dense, d, d->weight, intercept, &f.rows, err);
    if (!status) status = mli_ls_alloc(job->ctx, f.dense->n_columns, &f.ls, err);
    if (status) goto out;
    f.penalty = mli_calloc(job->ctx, (size_t)(2 * f.rows->q), sizeof *f.penalty);
    status = f.penalty ? fit_penalised(&f, err) : mli_nomem(err);
    if (status) goto out;
    mli_model_note_i64(job->model, "columns", f.dense->n_columns);
    status = mli_terms_store(job->model, f.dense, 1, 1, f.ls.coef, &f.ls.intercept, err);
    if (!status) status = mli_run_step(job->run, "least squares", 1, 1, NAN, err);
out:
    mli_free(job->ctx, f.penalty);
    mli_ls_free(&f.ls);
    mli_rows_free(f.rows);
    mli_dense_free(f.dense);
    return status;
}

/* ---- prediction ---- */

typedef struct {
    mli_plan plan;
    mli_terms *terms;
} value_plan;

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const mli_terms *t = ((const value_plan *)plan)->terms;
    for (int64_t i = 0; i < n; i++)
        mli_terms_values(t, rows + i * stride, out + i, scratch);
}

static void run_f32(const mli_plan *plan, const float *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    const mli_terms *t = ((const value_plan *)plan)->terms;
    for (int64_t i = 0; i < n; i++)
        mli_terms_values_f32(t, rows + i * stride, out + i, scratch);
}

static void plan_free(mli_plan *plan)
{
    mli_terms_free(((value_plan *)plan)->terms);
    mli_free(plan->ctx, plan);
}

static ml_status plan(const ml_model *model, const char *kind, mli_plan **out,
                      ml_error *err)
{
    mli_terms *t = NULL;
    (void)kind; /* there is one */
    ml_status status = mli_terms_new(model, 1, &t, err);
    if (status) return status;
    value_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) {
        mli_terms_free(t);
        return mli_nomem(err);
    }
    p->plan = (mli_plan){.ctx = model->ctx,
                         .n_features = model->inputs->n_features,
                         .n_outputs = 1,
                         .scratch = (size_t)(2 * t->n_features) * sizeof(double),
                         .run = run,
                         .run_f32 = run_f32,
                         .free = plan_free};
    p->terms = t;
    *out = &p->plan;
    return ML_OK;
}

/* Is "t_value" asked for, of a model with standard errors? */
static ml_status t_values(const ml_model *model, ml_tensor **out, ml_error *err)
{
    const double *coef = NULL, *intercept = NULL, *errors = NULL;
    double *t = NULL;
    int64_t n = -1, one = 1, all = -1;
    ml_status status = mli_model_want(model, "coef", ML_DTYPE_F64, 1, &n, &coef, err);
    if (!status)
        status = mli_model_want(model, "std_error", ML_DTYPE_F64, 1, &all, &errors, err);
    if (!status)
        status =
            mli_model_want(model, "intercept", ML_DTYPE_F64, 1, &one, &intercept, err);
    if (status) return status;
    if (all < n || all > n + 1)
        return mli_fail(err, ML_E_FORMAT, "the model's standard errors are damaged");
    status = mli_tensor_make(model->ctx, ML_DTYPE_F64, 1, &all, &t, out, err);
    for (int64_t c = 0; !status && c < all; c++)
        t[c] = (c < n ? coef[c] : intercept[0]) / errors[c];
    return status;
}

static ml_status attribute(const ml_model *model, const char *name, ml_tensor **out,
                           ml_error *err)
{
    if (mli_in_list(name, "std_error,t_value,degrees_of_freedom,residual_variance") &&
        !mli_model_find(model, "std_error")) {
        mli_fail(err, ML_E_NAME, "this model has no \"%s\"", name);
        return mli_error_hint(err, ML_E_NAME,
                              "it is known for penalty none and more rows than columns");
    }
    if (strcmp(name, "t_value") == 0) return t_values(model, out, err);
    return mli_terms_attribute(model, name, out, err);
}

/* ---- descriptor ---- */

static const mli_param params[] = {
    {"penalty", "regularization", ML_PARAM_STR, 0, "none", "{none, l2, l1, elasticnet}",
     "{l2, elasticnet}", NULL,
     "What is added to the squared residuals r of weights w. none: ordinary least "
     "squares. "
     "l2 (ridge): sum(w r^2) + alpha sum(b^2). l1 (lasso): sum(w r^2) / (2 sum(w)) + "
     "alpha sum(|b|). elasticnet: sum(w r^2) / (2 sum(w)) + alpha l1_ratio sum(|b|) + "
     "alpha (1 - l1_ratio) sum(b^2) / 2. The intercept is never penalised.",
     "0.1"},
    {"alpha", "lambda,reg_lambda", ML_PARAM_F64, 0, "1", "[0, inf)", "log [1e-4, 100]",
     "penalty != none",
     "Strength of the penalty. Mind that l2 weighs it against the sum over the rows, l1 "
     "and elasticnet against their mean.",
     "0.1"},
    {"l1_ratio", "mixing", ML_PARAM_F64, 0, "0.5", "[0, 1]", "[0.05, 1]",
     "penalty == elasticnet", "The share of the absolute part of the penalty.", "0.1"},
    {"standardize", "normalize", ML_PARAM_BOOL, 0, "false", NULL, "{true, false}",
     "penalty != none",
     "Penalise coefficients as if every column had standard deviation 1. Coefficients "
     "are given in the units of the data all the same.",
     "0.1"},
    {"intercept", "fit_intercept", ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Whether there is a constant term.", "0.1"},
    {"missing_indicator", "add_indicator", ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Adds, for each number with missing values in training, a column that is 1 where it "
     "is missing. Missing numbers count as their mean in any case.",
     "0.1"},
    {"tol", "tolerance", ML_PARAM_F64, MLI_FLAG_EXPERT, "1e-8", "[0, 1)", NULL,
     "penalty in {l1, elasticnet}",
     "Coordinate descent stops when the duality gap, relative to the mean of the squared "
     "target, is at most this.",
     "0.1"},
    {"max_iter", "max_sweeps", ML_PARAM_I64, MLI_FLAG_EXPERT, "10000", "[1, 1000000000]",
     NULL, "penalty in {l1, elasticnet}",
     "The most sweeps of coordinate descent over its working sets.", "0.1"},
    MLI_PARAM_END};

static const mli_kind kinds[] = {{"value", "rows", "The predicted number."},
                                 {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"coef", "f64", "[columns]", "The coefficient of each column, in units of the data."},
    {"intercept", "f64", "[1]", "The constant term."},
    MLI_TERMS_ATTRIBUTES,
    {"std_error", "f64", "[columns + 1]",
     "Standard errors of the coefficients and, last, of the intercept; NaN for columns "
     "that were dropped. With penalty none only."},
    {"t_value", "f64", "[columns + 1]", "Coefficients divided by their standard errors."},
    {"degrees_of_freedom", "f64", "[1]", "Rows minus coefficients."},
    {"residual_variance", "f64", "[1]",
     "The weighted sum of squared residuals by the degrees of freedom."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_linear_regression;
const mli_algorithm mli_linear_regression = {
    .head = {.name = "linear_regression",
             .aliases = "ols",
             .title = "linear regression",
             .doc = "Predicts a number as a weighted sum of the inputs: ordinary least "
                    "squares, ridge, lasso and elastic net, by the parameter penalty. "
                    "Categories count as columns of 0 and 1. Ordinary least squares gets "
                    "standard errors; columns that depend on others are dropped.",
             .family = "linear",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS,
             .params = params,
             .roles = mli_roles_regression,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .attribute = attribute,
};
