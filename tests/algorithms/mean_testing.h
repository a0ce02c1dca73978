/* SPDX-License-Identifier: MIT
 *
 * tests/algorithms/mean_testing.h: an algorithm for tests, not in the catalog. For
 * regression it predicts the mean of the target plus `shift` plus the first feature (0
 * when missing); for classes their shares. It can be told to fail in several ways.
 */
#ifndef ML_MEAN_TESTING_H
#define ML_MEAN_TESTING_H

#include "failing.h"
#include "testing_data.h"

#include "algorithms/model.h"

static inline ml_status mean_steps(mli_fit *job, ml_error *err)
{
    int64_t steps = mli_get_i64(job->params, "steps");
    for (int64_t i = 1; i <= steps; i++) {
        ml_status status = mli_run_step(job->run, "averaging", i, steps, NAN, err);
        if (status) return status;
        if (mli_run_state(job->run) != ML_STOP_KEEP) continue;
        mli_model_note_i64(job->model, "stopped_after", i);
        break;
    }
    return ML_OK;
}

static inline ml_status mean_fit(mli_fit *job, ml_error *err)
{
    const mli_design *d = job->train;
    int64_t n = d->label ? d->inputs->classes.n : 1;
    double *mean = NULL, *shift = NULL;
    if (mli_get_bool(job->params, "fail")) {
        mli_fail(err, ML_E_NUMERIC, "the sum does not converge");
        mli_error_at(err, ML_E_NUMERIC, "column \"%s\"", d->inputs->target);
        return mli_error_hint(err, ML_E_NUMERIC, "add more rows");
    }
    ml_status status = mean_steps(job, err);
    if (!status) {
        status = mli_model_add(job->model, "mean", ML_DTYPE_F64, 1, &n, &mean, err);
    }
    n = 1;
    if (!status) {
        status = mli_model_add(job->model, "a_shift", ML_DTYPE_F64, 1, &n, &shift, err);
    }
    if (status) return status;
    *shift = mli_get_f64(job->params, "shift");
    for (int64_t i = 0; i < d->rows; i++) {
        if (d->label) {
            mean[d->label[i]] += 1.0 / (double)d->rows;
        } else {
            mean[0] += d->y[i] / (double)d->rows;
        }
    }
    return ML_OK;
}

typedef struct {
    mli_plan plan;
    const double *mean;
    double shift;
    int classes;
} mean_plan;

#define MEAN_RUN(name, type)                                                             \
    static inline void name(const mli_plan *plan, const type *rows, int64_t n,           \
                            int64_t stride, double *out, void *scratch)                  \
    {                                                                                    \
        const mean_plan *p = (const mean_plan *)plan;                                    \
        int64_t k = plan->n_outputs;                                                     \
        if (plan->scratch) memset(scratch, 0x77, plan->scratch);                         \
        for (int64_t i = 0; i < n; i++) {                                                \
            double x = (double)rows[i * stride];                                         \
            for (int64_t j = 0; j < k; j++) {                                            \
                out[i * k + j] = p->mean[j];                                             \
                if (!p->classes) out[i * k + j] += p->shift + (isnan(x) ? 0 : x);        \
            }                                                                            \
        }                                                                                \
    }
MEAN_RUN(mean_run, double)
MEAN_RUN(mean_run_f32, float)

static inline ml_status mean_new_plan(const ml_model *m, const char *kind, mli_plan **out,
                                      ml_error *err)
{
    const double *mean = NULL, *shift = NULL;
    int64_t classes = m->inputs->classes.n, n = classes ? classes : 1, one = 1;
    ml_status status = mli_model_want(m, "mean", ML_DTYPE_F64, 1, &n, &mean, err);
    if (!status) {
        status = mli_model_want(m, "a_shift", ML_DTYPE_F64, 1, &one, &shift, err);
    }
    if (status) return status;
    mean_plan *p = mli_calloc(m->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->plan.ctx = m->ctx;
    p->plan.n_features = m->inputs->n_features;
    p->plan.n_outputs = n;
    p->plan.scratch = 100;
    p->plan.block = mli_get_i64(m->params, "block");
    p->plan.run = mean_run;
    if (strcmp(kind, "score") != 0) p->plan.run_f32 = mean_run_f32;
    p->mean = mean;
    p->shift = *shift;
    p->classes = classes > 0;
    *out = &p->plan;
    return ML_OK;
}

static inline ml_status mean_attribute(const ml_model *m, const char *name,
                                       ml_tensor **out, ml_error *err)
{
    const ml_tensor *mean = mli_model_find(m, "mean");
    double *data = NULL;
    int64_t n = mean->shape[0];
    if (strcmp(name, "doubled") != 0) return mli_fail(err, ML_E_NAME, "not this one");
    ml_status status = mli_tensor_make(m->ctx, ML_DTYPE_F64, 1, &n, &data, out, err);
    for (int64_t i = 0; i < n && !status; i++)
        data[i] = 2 * ml_tensor_get_f64(mean, i, 0);
    return status;
}

static const mli_param mean_params[] = {
    {"shift", "offset,bias", ML_PARAM_F64, 0, "0", "[-100, 100]", NULL, NULL, "Added.",
     "0.1"},
    {"steps", NULL, ML_PARAM_I64, 0, "0", "[0, 1000]", NULL, NULL, "Reports.", "0.1"},
    {"block", NULL, ML_PARAM_I64, 0, "0", "[0, 1000]", NULL, NULL, "Rows.", "0.1"},
    {"fail", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL, "Fails.", "0.1"},
    {"chatty", NULL, ML_PARAM_BOOL, MLI_FLAG_NO_EFFECT, "false", NULL, NULL, NULL,
     "Nothing.", "0.1"},
    MLI_PARAM_END};
static const mli_kind mean_kinds[] = {{"value", "rows", "The mean."},
                                      {"proba", "rows, classes", "The shares."},
                                      {"score", "rows", "The same."},
                                      {NULL, NULL, NULL}};
static const mli_attribute mean_attributes[] = {{"mean", "f64", "[n]", "The mean."},
                                                {"doubled", "f64", "[n]", "Twice that."},
                                                {"trebled", "f64", "[n]", "Not there."},
                                                {NULL, NULL, NULL, NULL}};
static const mli_algorithm mean_algorithm = {
    .head = {.name = "mean",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_REGRESSION | MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS,
             .params = mean_params,
             .roles = mli_roles_supervised,
             .kinds = mean_kinds,
             .attributes = mean_attributes},
    .fit = mean_fit,
    .plan = mean_new_plan,
    .attribute = mean_attribute};

#define MEAN_ROWS 4
/* x f64, c text, y f64, kind text with classes "a", "b", "c" (twice). */
static inline ml_status mean_table_new(ml_context *ctx, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    ml_status status = mli_builder_new(ctx, MEAN_ROWS, &b, err);
    if (status) return status;
    status = mli_builder_f64(b, "x", (double[]){10, 20, NAN, 40}, err);
    if (!status) {
        status = mli_builder_text(b, "c", (const char *[]){"u", "v", NULL, "u"}, err);
    }
    if (!status) status = mli_builder_f64(b, "y", (double[]){1, 2, 3, 6}, err);
    if (!status) {
        status = mli_builder_text(b, "kind", (const char *[]){"c", "a", "b", "c"}, err);
    }
    if (status) {
        mli_builder_free(b);
        return status;
    }
    return mli_builder_finish(b, out, err);
}

/* Fits with parameters from one YAML mapping. */
static inline ml_status mean_fit_to(ml_context *ctx, const ml_table *train,
                                    const ml_table *valid, const char *yaml, mli_run *run,
                                    ml_model **out, ml_error *err)
{
    mli_run own;
    ml_params *p = NULL;
    mli_run_init(&own, ctx, NULL, NULL, NULL);
    ml_status status = ml_params_new(ctx, &p, err);
    if (!status) status = mli_params_from_json(p, yaml, strlen(yaml), err);
    if (!status) {
        status = mli_fit_table(ctx, &mean_algorithm, p, train, valid, run ? run : &own,
                               out, err);
    }
    ml_params_free(p);
    return status;
}

static inline ml_table *mean_table(ml_context *ctx)
{
    ml_table *t = NULL;
    OK(mean_table_new(ctx, &t, ERR));
    return t;
}

static inline ml_model *mean_model(ml_context *ctx, const char *json)
{
    ml_model *m = NULL;
    ml_table *t = mean_table(ctx);
    OK(mean_fit_to(ctx, t, NULL, json, NULL, &m, ERR));
    ml_table_free(t);
    return m;
}
#define REGRESSION "{\"target\": \"y\", \"features\": [\"x\", \"c\"], \"shift\": 0.5}"
#define CLASSES    "{\"target\": \"kind\", \"features\": [\"x\", \"c\"]}"

#endif
