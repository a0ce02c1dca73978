/* SPDX-License-Identifier: MIT
 *
 * prepare/prepare.c: the plan and the outputs of a transformer, from what is its own.
 */
#include "algorithms/prepare/stream.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define MOST_OUTPUTS (1 << 24)

const mli_kind mli_transform_kinds[] = {
    {"transform", "rows, columns", "The columns that it makes of those it gets."},
    {NULL, NULL, NULL}};

/* ---- running ---- */

static void copy(const double *in, int64_t stride, int64_t n, double *out,
                 int64_t out_stride)
{
    for (int64_t i = 0; i < n; i++) out[i * out_stride] = in[i * stride];
}

/* Codes that are no level become missing. */
static void clean_codes(const mli_feature *f, int64_t n, double *out, int64_t out_stride)
{
    double levels = (double)f->levels.n;
    if (f->kind != MLI_CATEGORICAL) return;
    for (int64_t i = 0; i < n; i++) {
        double *x = &out[i * out_stride];
        if (!(*x >= 0 && *x < levels)) *x = NAN;
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    int64_t wide = plan->n_outputs;
    (void)scratch;
    for (int64_t j = 0; j < plan->n_features; j++) {
        double *to = out + t->first[j];
        if (!t->picked[j]) {
            copy(rows + j, stride, n, to, wide);
            clean_codes(&t->in->features[j], n, to, wide);
        } else if (t->first[j] < t->first[j + 1]) {
            t->kind->map(t, j, t->kind->needs_all ? rows : rows + j, stride, n, to, wide);
        }
    }
    if (t->first[plan->n_features] < wide)
        t->kind->map(t, plan->n_features, rows, stride, n,
                     out + t->first[plan->n_features], wide);
}

static void run_rows(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                     double *out, void *scratch)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    t->kind->rows(t, rows, n, stride, out, scratch);
    for (int64_t j = 0; j < plan->n_features; j++)
        if (!t->picked[j])
            clean_codes(&t->in->features[j], n, out + t->first[j], plan->n_outputs);
}

static void run_column(const mli_plan *plan, int64_t j, const double *in, int64_t n,
                       double *out, int64_t stride)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    if (t->picked[j]) {
        t->kind->map(t, j, in, 1, n, out, stride);
        return;
    }
    copy(in, 1, n, out, stride);
    clean_codes(&t->in->features[j], n, out, stride);
}

#ifdef MLI_AVX2
#define ITSELF(x, i) (x)
MLI_AVX2 static int64_t stream_copy(const double *in, int64_t n, double *out)
{
    MLI_STREAM(in, n, out, ITSELF, ITSELF)
}

static int64_t run_stream(const mli_plan *plan, int64_t j, const double *in, int64_t n,
                          double *out)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    if (t->picked[j]) return t->kind->stream(t, j, in, n, out);
    return stream_copy(in, n, out);
}

static int64_t run_stream_floats(const mli_plan *plan, int64_t j, const float *in,
                                 int64_t n, double *out)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    return t->picked[j] ? t->kind->stream_floats(t, j, in, n, out) : -1;
}
#else
#define run_stream        NULL
#define run_stream_floats NULL
#endif

static int run_same(const mli_plan *plan, int64_t j)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    return !t->picked[j] || (t->kind->same && t->kind->same(t, j));
}

static void run_output(const mli_plan *plan, const double *const *in, int64_t n,
                       int64_t k, double *out, double *scratch)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    t->kind->output(t, in, n, k, out, scratch);
}

static int64_t run_output_past(const mli_plan *plan, const double *const *in,
                               const float *const *floats, int64_t n, int64_t k,
                               double *out, double *scratch)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    return t->kind->output_past(t, in, floats, n, k, out, scratch);
}

static void run_hot(const mli_plan *plan, int64_t j, const int32_t *codes, int64_t n,
                    int32_t *which)
{
    const mli_prepared *t = (const mli_prepared *)plan;
    t->kind->hot(t, j, codes, n, which);
}

/* ---- making ---- */

static void prepared_free(mli_plan *plan)
{
    mli_prepared *t = (mli_prepared *)plan;
    if (t->kind->release) t->kind->release(t);
    for (size_t i = 0; i < sizeof t->own / sizeof *t->own; i++)
        mli_free(plan->ctx, t->own[i]);
    mli_free(plan->ctx, t->picked);
    mli_free(plan->ctx, t->first);
    mli_free(plan->ctx, t);
}

/* The parameter that says how many columns are made of one, or NULL. */
static const char *limit_of(const mli_descriptor *d)
{
    static const char *const limits[] = {"max_features", "n_features", "max_levels",
                                         "n_knots",      "bins",       "degree"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (const mli_param *p = d->params; p && p->name; p++)
            if (strcmp(p->name, limits[i]) == 0) return limits[i];
    return NULL;
}

static ml_status too_wide(const mli_prepared *t, ml_error *err)
{
    const mli_descriptor *d = &t->model->algorithm->head;
    const char *limit = limit_of(d);
    mli_fail(err, ML_E_DATA, "%s would make more than %d columns", d->name, MOST_OUTPUTS);
    return mli_error_hint(err, ML_E_DATA, "choose fewer columns%s%s",
                          limit ? ", or a smaller " : "", limit ? limit : "");
}

/* Where the columns of each feature begin. */
static ml_status lay_out(mli_prepared *t, ml_error *err)
{
    int64_t n = t->in->n_features, at = 0;
    for (int64_t j = 0; j < n + 1; j++) {
        int64_t width = j == n ? 0 : 1;
        t->first[j] = at;
        int asked = j < n ? t->picked[j] : t->kind->more;
        if (asked && t->kind->width) width = t->kind->width(t, j);
        if (width < 0 || width > MOST_OUTPUTS || at + width > MOST_OUTPUTS)
            return too_wide(t, err);
        at += width;
    }
    t->first[n + 1] = t->plan.n_outputs = at;
    if (at > 0) return ML_OK;
    mli_fail(err, ML_E_DATA, "%s leaves no column", t->model->algorithm->head.name);
    return mli_error_hint(err, ML_E_DATA, "make it less strict");
}

static ml_status make(mli_prepared *t, ml_error *err)
{
    size_t n = (size_t)t->in->n_features;
    t->picked = mli_calloc(t->plan.ctx, n, 1);
    t->first = mli_calloc(t->plan.ctx, n + 2, sizeof *t->first);
    if (!t->picked || !t->first) return mli_nomem(err);
    ml_status status =
        mli_prepare_pick(t->in, t->model->params, t->kind->takes, t->picked, err);
    if (!status && t->kind->load) status = t->kind->load(t, err);
    return status ? status : lay_out(t, err);
}

ml_status mli_prepare_plan(const ml_model *m, const mli_transformer *kind, mli_plan **out,
                           ml_error *err)
{
    mli_prepared *t = mli_calloc(m->ctx, 1, sizeof *t);
    if (!t) return mli_nomem(err);
    t->kind = kind;
    t->model = m;
    t->in = m->inputs;
    t->plan = (mli_plan){.ctx = m->ctx,
                         .n_features = m->inputs->n_features,
                         .run = kind->rows ? run_rows : run,
                         .free = prepared_free};
    ml_status status = make(t, err);
    if (status) {
        prepared_free(&t->plan);
        return status;
    }
    if (kind->output) t->plan.output = run_output;
    if (kind->output_past) t->plan.output_past = run_output_past;
    if (!kind->needs_all && !kind->more && (kind->map || !kind->rows)) {
        t->plan.first = t->first;
        t->plan.column = run_column;
        t->plan.same = run_same;
        if (kind->stream) t->plan.stream = run_stream;
        if (kind->stream_floats) t->plan.stream_floats = run_stream_floats;
        if (kind->hot) t->plan.hot = run_hot;
    }
    *out = &t->plan;
    return ML_OK;
}

/* ---- describing ---- */

static ml_status describe(const mli_prepared *t, mli_inputs *to, ml_error *err)
{
    ml_status status = ML_OK;
    int64_t n = t->in->n_features;
    for (int64_t j = 0; j < n + 1 && !status; j++) {
        mli_feature *f = &to->features[t->first[j]];
        if (t->first[j] == t->first[j + 1]) continue;
        for (int64_t k = t->first[j]; k < t->first[j + 1]; k++) {
            to->features[k].kind = MLI_NUMERIC;
            to->features[k].type = ML_DTYPE_F64;
        }
        if (j < n && !t->picked[j]) {
            status = mli_feature_copy(to->ctx, &t->in->features[j], f, err);
        } else if (t->kind->describe) {
            status = t->kind->describe(t, j, f, err);
        } else {
            status = mli_prepare_name(t, f, err, "%s", t->in->features[j].name);
            f->sparse = j < n && t->in->features[j].sparse;
        }
    }
    return status;
}

ml_status mli_prepare_outputs(const ml_model *m, const mli_transformer *kind,
                              mli_inputs **out, ml_error *err)
{
    mli_plan *plan = NULL;
    mli_inputs *to = NULL;
    ml_status status = mli_prepare_plan(m, kind, &plan, err);
    if (status) return status;
    status = mli_inputs_new(m->ctx, plan->n_outputs, &to, err);
    if (!status) status = describe((const mli_prepared *)plan, to, err);
    mli_plan_free(plan);
    if (status)
        mli_inputs_free(to);
    else
        *out = to;
    return status;
}

ml_status mli_prepare_name(const mli_prepared *t, mli_feature *out, ml_error *err,
                           const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    mli_format_line(text, sizeof text, format, args);
    va_end(args);
    out->name = mli_strdup(t->plan.ctx, text);
    return out->name ? ML_OK : mli_nomem(err);
}

ml_status mli_prepare_needs_target(const mli_fit *job, uint32_t tasks, ml_error *err)
{
    const mli_design *d = job->train;
    const char *name = job->model->algorithm->head.name;
    int any = d->y || d->label;
    if (any && !d->ys && (tasks & (uint32_t)d->inputs->task)) return ML_OK;
    if (any)
        mli_fail(err, ML_E_UNSUPPORTED, "%s does not work with %s", name,
                 d->ys ? "several targets" : "a target of this task");
    else
        mli_fail(err, ML_E_ARGUMENT, "%s needs a target", name);
    mli_error_at(err, ML_E_ARGUMENT, "params.target");
    return mli_error_hint(err, any ? ML_E_UNSUPPORTED : ML_E_ARGUMENT,
                          any ? "leave this step out"
                              : "set target to the column to predict");
}

/* ---- tensors ---- */

ml_status mli_prepare_want(mli_prepared *t, const char *name, const double **out,
                           ml_error *err)
{
    int64_t n = t->in->n_features;
    return mli_model_want(t->model, name, ML_DTYPE_F64, 1, &n, out, err);
}

ml_status mli_prepare_offsets(mli_prepared *t, const char *name, int64_t total,
                              const int64_t **out, ml_error *err)
{
    int64_t n = t->in->n_features + 1;
    ml_status status = mli_model_want(t->model, name, ML_DTYPE_I64, 1, &n, out, err);
    if (status) return status;
    const int64_t *at = *out;
    int good = at[0] == 0 && (total < 0 || at[n - 1] == total);
    for (int64_t j = 1; j < n; j++) good &= at[j] >= at[j - 1];
    if (good) return ML_OK;
    return mli_fail(err, ML_E_FORMAT, "the model's tensor \"%s\" is damaged", name);
}
