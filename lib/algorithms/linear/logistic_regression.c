/* SPDX-License-Identifier: MIT
 *
 * linear/logistic_regression.c: logistic regression of two or more classes (Cox 1958),
 * with penalties as in linear regression.
 *
 * Categories become columns of 0 and 1, missing values are filled (data/dense.h). The
 * solvers: logistic.h. Two classes have one function of the columns, that of the second
 * class; more have one each, which sum to 0 where the penalty does not say otherwise.
 * Coefficients are stored in the units of the data (terms.h).
 */
#include "algorithms/linear/logistic.h"
#include "algorithms/linear/terms.h"

#include <math.h>
#include <string.h>

#define NEWTON_MOST 1000 /* coefficients, functions times columns */
#define NEWTON_COST 2e10 /* multiply-adds of one evaluation of second derivatives */

enum { NONE, L2, L1, ELASTICNET };
enum { AUTO, NEWTON, LBFGS };

typedef struct {
    mli_fit *job;
    int kind; /* of the penalty */
    double alpha, l1_ratio;
    int standardize;
    mli_dense *dense;
    mli_rows *rows;
    double *weight; /* [n] with the class weights; NULL: those of the design */
    double *share;  /* [classes] */
    double *l1;     /* [2 q] l1 and l2 */
    mli_logistic l;
} fitting;

/* ---- weights ---- */

/* Weight of each class into share; how many classes have any. */
static int64_t sum_classes(const fitting *f, const double *weight)
{
    const mli_design *d = f->job->train;
    int64_t seen = 0, classes = d->inputs->classes.n;
    memset(f->share, 0, (size_t)classes * sizeof *f->share);
    for (int64_t i = 0; i < d->rows; i++)
        f->share[d->label[i]] += weight ? weight[i] : 1.0;
    for (int64_t k = 0; k < classes; k++) seen += f->share[k] > 0;
    return seen;
}

static ml_status refuse_one_class(const mli_design *d, const double *share, ml_error *err)
{
    int64_t only = 0;
    size_t size = 0;
    while (only + 1 < d->inputs->classes.n && !(share[only] > 0)) only++;
    const char *label = mli_inputs_label(d->inputs, only, &size);
    mli_fail(err, ML_E_DATA, "all rows have the same class, \"%.*s\"",
             (int)(size < 60 ? size : 60), label);
    mli_error_at(err, ML_E_DATA, "column \"%s\"", d->inputs->target);
    return mli_error_hint(err, ML_E_DATA,
                          "logistic regression needs rows of at least two classes");
}

/* Shares of the classes, and weights that make the classes count the same. */
static ml_status make_weights(fitting *f, ml_error *err)
{
    const mli_design *d = f->job->train;
    ml_context *ctx = f->job->ctx;
    int64_t classes = d->inputs->classes.n, seen;
    double total = 0;
    f->share = mli_calloc(ctx, (size_t)classes, sizeof *f->share);
    if (!f->share) return mli_nomem(err);
    seen = sum_classes(f, d->weight);
    if (seen < 2) return refuse_one_class(d, f->share, err);
    for (int64_t k = 0; k < classes; k++) total += f->share[k];
    if (mli_get_enum(f->job->params, "class_weight", "none,balanced") == 1) {
        f->weight = mli_alloc_vec(ctx, d->rows, sizeof *f->weight);
        if (!f->weight) return mli_nomem(err);
        for (int64_t i = 0; i < d->rows; i++) {
            double w = d->weight ? d->weight[i] : 1.0;
            f->weight[i] =
                w > 0 ? w * total / ((double)classes * f->share[d->label[i]]) : 0.0;
        }
        sum_classes(f, f->weight);
        total = 0;
        for (int64_t k = 0; k < classes; k++) total += f->share[k];
    }
    for (int64_t k = 0; k < classes; k++) f->share[k] /= total;
    return ML_OK;
}

/* ---- fitting ---- */

/* Penalties of the standardised columns, by the mean over the rows. */
static void make_penalties(const fitting *f, double l1_ratio)
{
    const mli_rows *r = f->rows;
    for (int64_t j = 0; f->kind != NONE && j < r->p; j++) {
        double scale = f->dense->scale[r->column[j]], unit = 1.0 / r->size[j];
        if (f->standardize) unit = scale > 0 ? scale / r->size[j] : 1.0;
        f->l1[j] = f->alpha / r->total * l1_ratio * unit;
        f->l1[r->q + j] = f->alpha / r->total * (1 - l1_ratio) * unit * unit;
    }
}

static int choose_solver(const fitting *f)
{
    int solver = mli_get_enum(f->job->params, "solver", "auto,newton,lbfgs");
    int64_t q = f->rows->q, classes = f->l.classes;
    double p = (double)q * (double)(classes == 2 ? 1 : classes - 1);
    double cost = (double)f->rows->n * p * p / 2;
    if (solver != AUTO) return solver;
    return p <= 60 || (p <= NEWTON_MOST && cost <= NEWTON_COST) ? NEWTON : LBFGS;
}

/* The rows: Newton's method looks at dense columns alone. */
static ml_status fill_rows(const fitting *f, int newton, ml_error *err)
{
    int64_t classes = f->l.classes;
    ml_status status = ML_OK;
    if (!newton) status = mli_rows_split(f->rows, classes == 2 ? 1 : classes, err);
    return status ? status : mli_rows_fill(f->rows, f->job->train, f->job->run, err);
}

static ml_status solve(fitting *f, const char **method, ml_error *err)
{
    mli_logistic *l = &f->l;
    double l1_ratio = f->kind == L1 ? 1.0 : f->kind == ELASTICNET ? f->l1_ratio : 0.0;
    make_penalties(f, l1_ratio);
    l->functions = l->classes == 2 ? 1 : l->classes;
    int smooth = f->kind == NONE || l1_ratio == 0 || f->alpha == 0;
    int newton = smooth && choose_solver(f) == NEWTON;
    l->reference = newton && l->classes > 2;
    l->functions -= l->reference;
    ml_status status = fill_rows(f, newton, err);
    if (status) return status;
    if (newton) {
        *method = "newton";
        return mli_logistic_newton(l, f->job->run, err);
    }
    *method = smooth ? "lbfgs" : "proximal newton";
    return smooth ? mli_logistic_lbfgs(l, f->job->run, err)
                  : mli_logistic_proximal(l, f->job->run, err);
}

/* From classes - 1 functions against the first class to one of each, which sum to 0. */
static void make_symmetric(const mli_logistic *l)
{
    int64_t q = l->rows->q, classes = l->classes;
    for (int64_t j = 0; j < q; j++) {
        double sum = 0;
        for (int64_t k = classes - 1; k >= 1; k--) {
            l->b[k * q + j] = l->b[(k - 1) * q + j];
            sum += l->b[k * q + j];
        }
        l->b[j] = 0;
        for (int64_t k = 0; k < classes; k++) l->b[k * q + j] -= sum / (double)classes;
    }
}

/* Intercepts that sum to 0: they have no penalty that would say so. */
static void center_intercepts(const mli_logistic *l)
{
    int64_t q = l->rows->q;
    double sum = 0;
    if (q == l->rows->p) return;
    for (int64_t k = 0; k < l->classes; k++) sum += l->b[k * q + q - 1];
    for (int64_t k = 0; k < l->classes; k++)
        l->b[k * q + q - 1] -= sum / (double)l->classes;
}

static void note(const fitting *f, const char *method)
{
    const mli_logistic *l = &f->l;
    ml_model *m = f->job->model;
    int64_t nonzero = 0, q = l->rows->q, k_n = l->classes == 2 ? 1 : l->classes;
    for (int64_t k = 0; k < k_n; k++)
        for (int64_t j = 0; j < l->rows->p; j++) nonzero += l->b[k * q + j] != 0;
    mli_model_note_str(m, "method", method);
    mli_model_note_i64(m, "columns", f->dense->n_columns);
    mli_model_note_i64(m, "nonzero", nonzero);
    mli_model_note_f64(m, "log_loss", l->loss);
    mli_model_note_i64(m, "iterations", l->iterations);
    mli_model_note_i64(m, "passes", l->passes);
    mli_model_note_i64(m, "converged", l->converged);
    if (!l->converged && mli_run_state(f->job->run) == ML_CONTINUE)
        mli_run_warn(f->job->run, "logistic_regression",
                     "the coefficients have not converged after %lld iterations: raise "
                     "max_iter or tol, or the penalty",
                     (long long)l->iterations);
    else if (f->kind == NONE && l->loss < 1e-4)
        mli_run_warn(
            f->job->run, "logistic_regression",
            "the columns tell the classes apart without error, so that without a "
            "penalty the coefficients grow without bound: use penalty l2");
}

static ml_status store(const fitting *f, ml_error *err)
{
    const mli_logistic *l = &f->l;
    int64_t n = f->dense->n_columns, functions = l->classes == 2 ? 1 : l->classes;
    double *coef = mli_calloc(f->job->ctx, (size_t)(functions * (n + 1)), sizeof *coef);
    int64_t one = 1, *iterations = NULL;
    if (!coef) return mli_nomem(err);
    double *intercept = coef + functions * n;
    int bad = 0;
    for (int64_t k = 0; k < functions; k++)
        mli_rows_coef(f->rows, l->b + k * l->rows->q, coef + k * n, intercept + k);
    for (int64_t i = 0; i < functions * (n + 1); i++) bad |= !isfinite(coef[i]);
    ml_status status = ML_OK;
    if (bad) {
        mli_fail(err, ML_E_NUMERIC, "the coefficients are not finite");
        status = mli_error_hint(err, ML_E_NUMERIC,
                                "bring the features to scales nearer to 1, or use a "
                                "larger alpha");
    }
    if (!status)
        status = mli_terms_store(f->job->model, f->dense, functions, functions == 1, coef,
                                 intercept, err);
    if (!status)
        status = mli_model_add(f->job->model, "iterations", ML_DTYPE_I64, 1, &one,
                               &iterations, err);
    if (!status) iterations[0] = l->iterations;
    mli_free(f->job->ctx, coef);
    return status;
}

static ml_status fit_rows(fitting *f, ml_error *err)
{
    const mli_design *d = f->job->train;
    ml_context *ctx = f->job->ctx;
    const char *method = "";
    int64_t q = f->rows->q;
    mli_logistic *l = &f->l;
    f->l1 = mli_calloc(ctx, (size_t)(2 * q), sizeof *f->l1);
    l->b = mli_calloc(ctx, (size_t)(d->inputs->classes.n * q), sizeof *l->b);
    if (!f->l1 || !l->b) return mli_nomem(err);
    l->rows = f->rows;
    l->label = d->label;
    l->classes = d->inputs->classes.n;
    l->l1 = f->l1;
    l->l2 = f->l1 + q;
    l->share = f->share;
    l->tol = mli_get_f64(f->job->params, "tol");
    l->max_iter = mli_get_i64(f->job->params, "max_iter");
    ml_status status = solve(f, &method, err);
    if (status) return status;
    if (l->reference) make_symmetric(l);
    if (l->classes > 2) center_intercepts(l);
    note(f, method);
    status = store(f, err);
    return status ? status : mli_run_step(f->job->run, method, 1, 1, NAN, err);
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
    ml_status status = make_weights(&f, err);
    if (!status) status = mli_dense_new(d, &options, job->run, &f.dense, err);
    if (!status)
        status = mli_rows_new(f.dense, d, f.weight ? f.weight : d->weight, intercept,
                              &f.rows, err);
    if (!status) status = fit_rows(&f, err);
    mli_free(job->ctx, f.weight);
    mli_free(job->ctx, f.share);
    mli_free(job->ctx, f.l1);
    mli_free(job->ctx, f.l.b);
    mli_rows_free(f.rows);
    mli_dense_free(f.dense);
    return status;
}

/* ---- prediction ---- */

enum { PROBA, LOG_PROBA, SCORE };

typedef struct {
    mli_plan plan;
    mli_terms *terms;
    int kind;
} logistic_plan;

/* log(1 / (1 + e^-z)) */
static double log_sigmoid(double z)
{
    return z < 0 ? z - log1p(exp(z)) : -log1p(exp(-z));
}

static void finish_two(int kind, double z, double *out)
{
    if (kind == SCORE) {
        out[0] = z;
    } else if (kind == LOG_PROBA) {
        out[0] = log_sigmoid(-z);
        out[1] = log_sigmoid(z);
    } else {
        double small = exp(-fabs(z)), p = 1 / (1 + small);
        out[z > 0] = p;
        out[!(z > 0)] = small * p;
    }
}

static void finish_many(int kind, int64_t n, double *out)
{
    double top = out[0], sum = 0;
    if (kind == SCORE) return;
    for (int64_t k = 1; k < n; k++)
        if (out[k] > top) top = out[k];
    if (kind == LOG_PROBA) {
        for (int64_t k = 0; k < n; k++) sum += exp(out[k] - top);
        for (int64_t k = 0; k < n; k++) out[k] -= top + log(sum);
        return;
    }
    for (int64_t k = 0; k < n; k++) sum += out[k] = exp(out[k] - top);
    for (int64_t k = 0; k < n; k++) out[k] /= sum;
}

static void finish(const logistic_plan *p, double *out)
{
    if (p->terms->functions == 1)
        finish_two(p->kind, out[0], out);
    else
        finish_many(p->kind, p->terms->functions, out);
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const logistic_plan *p = (const logistic_plan *)plan;
    for (int64_t i = 0; i < n; i++, out += plan->n_outputs) {
        mli_terms_values(p->terms, rows + i * stride, out, scratch);
        finish(p, out);
    }
}

static void run_f32(const mli_plan *plan, const float *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    const logistic_plan *p = (const logistic_plan *)plan;
    for (int64_t i = 0; i < n; i++, out += plan->n_outputs) {
        mli_terms_values_f32(p->terms, rows + i * stride, out, scratch);
        finish(p, out);
    }
}

static void plan_free(mli_plan *plan)
{
    mli_terms_free(((logistic_plan *)plan)->terms);
    mli_free(plan->ctx, plan);
}

static ml_status plan(const ml_model *model, const char *kind, mli_plan **out,
                      ml_error *err)
{
    mli_terms *t = NULL;
    int64_t classes = model->inputs->classes.n, functions = classes == 2 ? 1 : classes;
    if (classes < 2)
        return mli_fail(err, ML_E_FORMAT, "the model has fewer than two classes");
    ml_status status = mli_terms_new(model, functions, &t, err);
    if (status) return status;
    logistic_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) {
        mli_terms_free(t);
        return mli_nomem(err);
    }
    p->terms = t;
    p->kind = strcmp(kind, "score") == 0       ? SCORE
              : strcmp(kind, "log_proba") == 0 ? LOG_PROBA
                                               : PROBA;
    p->plan = (mli_plan){.ctx = model->ctx,
                         .n_features = model->inputs->n_features,
                         .n_outputs = p->kind == SCORE ? functions : classes,
                         .scratch = (size_t)(2 * t->n_features) * sizeof(double),
                         .run = run,
                         .run_f32 = run_f32,
                         .free = plan_free};
    *out = &p->plan;
    return ML_OK;
}

/* ---- descriptor ---- */

static const mli_param params[] = {
    {"penalty", "regularization", ML_PARAM_STR, 0, "l2", "{none, l2, l1, elasticnet}",
     "{l2, elasticnet}", NULL,
     "What is added to the loss, the sum of w -log(p) over the rows of weights w. none: "
     "maximum likelihood. l2: alpha sum(b^2) / 2. l1: alpha sum(|b|). elasticnet: alpha "
     "l1_ratio sum(|b|) + alpha (1 - l1_ratio) sum(b^2) / 2. Intercepts are never "
     "penalised.",
     "0.1"},
    {"alpha", "lambda,reg_lambda", ML_PARAM_F64, 0, "1", "[0, inf)", "log [1e-4, 100]",
     "penalty != none",
     "Strength of the penalty, against the sum over the rows: 1 / C where other "
     "libraries have C.",
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
    {"class_weight", "auto_class_weights", ML_PARAM_STR, 0, "none", "{none, balanced}",
     NULL, NULL, "balanced: every class gets the same total weight.", "0.1"},
    {"missing_indicator", "add_indicator", ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Adds, for each number with missing values in training, a column that is 1 where it "
     "is missing. Missing numbers count as their mean in any case.",
     "0.1"},
    {"solver", NULL, ML_PARAM_STR, MLI_FLAG_EXPERT, "auto", "{auto, newton, lbfgs}", NULL,
     "penalty in {none, l2}",
     "newton: Newton's method with Cholesky. lbfgs: limited-memory BFGS. auto: newton "
     "for "
     "up to 1000 coefficients. Penalties l1 and elasticnet have a proximal Newton "
     "method of their own.",
     "0.1"},
    {"tol", "tolerance", ML_PARAM_F64, MLI_FLAG_EXPERT, "1e-6", "[0, 1)", NULL, NULL,
     "The solver stops when no component of the gradient of the mean loss is larger, for "
     "standardised columns.",
     "0.1"},
    {"max_iter", "max_iterations", ML_PARAM_I64, MLI_FLAG_EXPERT, "1000",
     "[1, 1000000000]", NULL, NULL, "The most iterations of the solver.", "0.1"},
    MLI_PARAM_END};

static const mli_kind kinds[] = {
    {"proba", "rows, classes", "The probability of each class."},
    {"log_proba", "rows, classes", "Its logarithm, exact where the probability is tiny."},
    {"score", "rows, functions",
     "The linear function before it is turned into probabilities: one per row, the log "
     "odds of the second class, or one per class with more than two classes."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"coef", "f64", "[columns] or [classes, columns]",
     "The coefficient of each column, in units of the data; for each class with more "
     "than two classes."},
    {"intercept", "f64", "[functions]", "The constant term of each function."},
    MLI_TERMS_ATTRIBUTES,
    {"iterations", "i64", "[1]", "Iterations of the solver."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_logistic_regression;
const mli_algorithm mli_logistic_regression = {
    .head = {.name = "logistic_regression",
             .aliases = "logistic,logit,softmax_regression",
             .title = "logistic regression",
             .doc =
                 "Predicts the probabilities of two or more classes from weighted sums "
                 "of the inputs, with squared or absolute penalties or none. "
                 "Categories count as columns of 0 and 1. The first model to try "
                 "after the baseline: fast, and its coefficients can be read.",
             .family = "linear",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS,
             .params = params,
             .roles = mli_roles_classification,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .attribute = mli_terms_attribute,
};
