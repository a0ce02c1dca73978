/* SPDX-License-Identifier: MIT
 *
 * compose/stacking_plan.c: the features of a final model, and predictions through them.
 */
#include "algorithms/compose/stacking.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- features ---- */

static int64_t per_member(int64_t classes)
{
    return classes > 2 ? classes : 1;
}

ml_status mli_stack_inputs(const mli_inputs *whole, const mli_parts *members,
                           mli_inputs **out, ml_error *err)
{
    mli_inputs *in = NULL;
    int64_t each = per_member(whole->classes.n);
    ml_status status = mli_inputs_new(whole->ctx, members->n * each, &in, err);
    if (!status) status = mli_inputs_take_roles(in, whole, err);
    for (int64_t j = 0; !status && j < in->n_features; j++) {
        char name[MLI_PART_NAME + 32];
        const char *member = members->part[j / each].name;
        if (each == 1)
            snprintf(name, sizeof name, "%s", member);
        else
            snprintf(name, sizeof name, "%s.%lld", member, (long long)(j % each));
        in->features[j].kind = MLI_NUMERIC;
        in->features[j].type = ML_DTYPE_F64;
        in->features[j].name = mli_strdup(whole->ctx, name);
        if (!in->features[j].name) status = mli_nomem(err);
    }
    if (status)
        mli_inputs_free(in);
    else
        *out = in;
    return status;
}

/* Log-probabilities around their mean: for two classes half the log-odds. */
static void centred(const double *p, int64_t k, double *out)
{
    double mean = 0;
    for (int64_t c = 0; c < k; c++) {
        double q = p[c] < 1e-9 ? 1e-9 : p[c];
        out[c] = log(q);
        mean += out[c] / (double)k;
    }
    for (int64_t c = 0; c < k; c++) out[c] -= mean;
}

void mli_stack_fill(const double *predictions, int64_t n, int64_t outputs, int classes,
                    int64_t member, int64_t width, double *rows)
{
    int64_t each = per_member(classes ? outputs : 0);
    for (int64_t i = 0; i < n; i++) {
        const double *p = predictions + i * outputs;
        double *to = rows + i * width + member * each, two[2];
        if (!classes) {
            *to = *p;
        } else if (each > 1) {
            centred(p, outputs, to);
        } else {
            centred(p, 2, two);
            *to = 2 * two[1];
        }
    }
}

ml_status mli_stack_design(const mli_design *judged, mli_inputs *features,
                           const double *rows, mli_design **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_status status =
        mli_columns_of_rows(judged->ctx, rows, judged->rows, features, &t, err);
    if (!status) status = mli_design_replace(judged, features, t, out, err);
    ml_table_free(t);
    return status;
}

ml_status mli_stack_params(ml_context *ctx, const mli_algorithm *whole,
                           const mli_inputs *in, const ml_params *given, ml_params **out,
                           ml_error *err)
{
    ml_params *p = NULL;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    ml_status status = ml_params_clone(given, &p, err);
    if (!status)
        status = ml_params_set_str(
            p, "final", classes ? "final=logistic_regression" : "final=linear_regression",
            err);
    if (!status) status = ml_params_set_str(p, "final.penalty", "l2", err);
    if (!status) status = ml_params_set_f64(p, "final.alpha", 1, err);
    if (!status) status = ml_params_set_str(p, "final.standardize", "true", err);
    if (!status) status = mli_params_resolve_again(ctx, &whole->head, p, out, err);
    ml_params_free(p);
    return status;
}

/* ---- predicting ---- */

#define BLOCK       128
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

typedef struct {
    mli_plan plan;
    mli_parts members, final;
    mli_inputs *features;
    mli_plan **plans; /* [members.n] */
    mli_plan *last;
    int64_t outputs; /* of a member */
    int classes;
    size_t one, rows; /* bytes of a block: of a member's predictions, of features */
} stack;

static void run_block(const mli_plan *plan, const double *in, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    const stack *s = (const stack *)plan;
    int64_t width = s->features->n_features;
    double *one = (double *)(void *)scratch;
    double *rows = (double *)(void *)(scratch + s->one);
    char *rest = scratch + s->one + s->rows;
    for (int64_t k = 0; k < s->members.n; k++) {
        s->plans[k]->run(s->plans[k], in, n, stride, one, rest);
        mli_stack_fill(one, n, s->outputs, s->classes, k, width, rows);
    }
    s->last->run(s->last, rows, n, width, out, rest);
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    mli_run_blocks(plan, run_block, BLOCK, rows, n, stride, out, scratch);
}

static void stack_free(mli_plan *plan)
{
    stack *s = (stack *)plan;
    mli_plans_free(plan->ctx, s->plans, s->members.n);
    mli_plan_free(s->last);
    mli_parts_free(&s->members);
    mli_parts_free(&s->final);
    mli_inputs_free(s->features);
    mli_free(plan->ctx, s);
}

static ml_status load(const ml_model *m, const mli_param *members, const mli_param *final,
                      int checking, stack *s, ml_error *err)
{
    ml_status status = mli_parts_new(m->ctx, members, m->params, &s->members, err);
    if (!status) status = mli_parts_new(m->ctx, final, m->params, &s->final, err);
    if (!status && (s->members.n == 0 || s->final.n != 1))
        status = mli_fail(err, ML_E_FORMAT, "the members or the final model are missing");
    for (int64_t i = 0; !status && i < s->members.n; i++) {
        status = mli_part_load(m, &s->members, i, m->inputs, err);
        if (!status && checking) status = mli_part_check(s->members.model[i], err);
    }
    if (!status) status = mli_stack_inputs(m->inputs, &s->members, &s->features, err);
    if (!status) status = mli_part_load(m, &s->final, 0, s->features, err);
    if (!status && checking) status = mli_part_check(s->final.model[0], err);
    return status;
}

static ml_status make_plans(stack *s, const ml_model *m, const char *kind, ml_error *err)
{
    size_t scratch = 0;
    ml_status status = mli_plan_new(s->final.model[0], kind, NULL, &s->last, err);
    if (status) return status;
    scratch = s->last->scratch;
    for (int64_t k = 0; k < s->members.n; k++) {
        status = mli_plan_new(s->members.model[k], kind, NULL, &s->plans[k], err);
        if (status) return status;
        if (s->plans[k]->n_outputs != s->outputs)
            return mli_fail(err, ML_E_FORMAT, "the members do not predict the same");
        if (s->plans[k]->scratch > scratch) scratch = s->plans[k]->scratch;
    }
    if (s->last->n_features != s->features->n_features ||
        s->last->n_outputs != s->outputs)
        return mli_fail(err, ML_E_FORMAT, "the final model does not fit the members");
    s->plan.n_features = m->inputs->n_features;
    s->plan.n_outputs = s->outputs;
    s->plan.cuts = s->last->cuts;
    s->plan.block = BLOCK;
    s->one = ALIGN(BLOCK * s->outputs * (int64_t)sizeof(double));
    s->rows = ALIGN(BLOCK * s->features->n_features * (int64_t)sizeof(double));
    s->plan.scratch = s->one + s->rows + ALIGN(scratch);
    return ML_OK;
}

static stack *stack_new(const ml_model *m, const mli_param *members,
                        const mli_param *final, int checking, ml_error *err,
                        ml_status *status)
{
    stack *s = mli_calloc(m->ctx, 1, sizeof *s);
    *status = ML_OK;
    if (!s) {
        *status = mli_nomem(err);
        return NULL;
    }
    s->plan.ctx = m->ctx;
    s->plan.run = run;
    s->plan.free = stack_free;
    s->classes = m->inputs->task == MLI_TASK_CLASSIFICATION;
    s->outputs = s->classes ? m->inputs->classes.n : 1;
    *status = load(m, members, final, checking, s, err);
    if (*status) return s;
    s->plans = mli_calloc(m->ctx, (size_t)s->members.n, sizeof(mli_plan *));
    if (!s->plans) *status = mli_nomem(err);
    return s;
}

ml_status mli_stack_plan(const ml_model *m, const mli_param *members,
                         const mli_param *final, const char *kind, mli_plan **out,
                         ml_error *err)
{
    ml_status status;
    stack *s = stack_new(m, members, final, 0, err, &status);
    if (!status) status = make_plans(s, m, kind, err);
    if (!status)
        *out = &s->plan;
    else if (s)
        stack_free(&s->plan);
    return status;
}

ml_status mli_stack_check(const ml_model *m, const mli_param *members,
                          const mli_param *final, ml_error *err)
{
    ml_status status;
    stack *s = stack_new(m, members, final, 1, err, &status);
    if (s) stack_free(&s->plan);
    return status;
}

ml_status mli_stack_part(const ml_model *m, const mli_param *members,
                         const mli_param *final, const char *name, ml_model **out,
                         ml_error *err)
{
    ml_status status;
    stack *s = stack_new(m, members, final, 0, err, &status);
    if (!status) status = mli_parts_find(&s->members, name, out);
    if (status == ML_E_NAME) status = mli_parts_find(&s->final, name, out);
    if (s) stack_free(&s->plan);
    return status;
}
