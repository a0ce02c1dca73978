/* SPDX-License-Identifier: MIT
 *
 * study_results.c: the trials of a study as a table.
 */
#include "tuning/study.h"

#include <math.h>
#include <string.h>

/* Further objectives and constraints; two constraints of one name are one column. */
static ml_status goal_column(ml_study *s, mli_builder *b, int64_t goal, ml_error *err)
{
    for (int64_t k = 0; k < goal; k++)
        if (strcmp(s->goals[k].name, s->goals[goal].name) == 0) return ML_OK;
    if (strcmp(s->goals[goal].name, "seconds") == 0) return ML_OK;
    double *v = mli_alloc_vec(s->ctx, s->count, sizeof *v);
    if (!v) return mli_nomem(err);
    for (int64_t i = 0; i < s->count; i++) v[i] = s->trials[i].values[goal];
    ml_status st = mli_builder_f64(b, s->goals[goal].name, v, err);
    mli_free(s->ctx, v);
    return st;
}

/* Is the trial on the front of several objectives? Feasible, done, dominated by none. */
static ml_status front_column(ml_study *s, mli_builder *b, ml_error *err)
{
    double *v = mli_alloc_vec(s->ctx, s->count, sizeof *v);
    if (!v) return mli_nomem(err);
    for (int64_t i = 0; i < s->count; i++) v[i] = mli_study_on_front(s, i);
    ml_status st = mli_builder_f64(b, "front", v, err);
    mli_free(s->ctx, v);
    return st;
}

/* Columns of the results: fixed ones, then one per tuned parameter. */
static ml_status result_column(ml_study *s, mli_builder *b, const mli_param *param,
                               ml_error *err)
{
    int number = param->type == ML_PARAM_I64 || param->type == ML_PARAM_F64;
    double *f = mli_alloc_vec(s->ctx, s->count, sizeof *f);
    const char **text = mli_calloc(s->ctx, (size_t)s->count + 1, sizeof *text);
    ml_status st = f && text ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < s->count && st == ML_OK; i++) {
        const mli_value *v = mli_params_find(s->trials[i].params, param->name);
        f[i] = v && number ? v->f64 : NAN;
        text[i] = v ? v->text : NULL;
        if (!mli_param_active(param, s->trials[i].params)) {
            f[i] = NAN;
            text[i] = NULL;
        }
    }
    if (st == ML_OK)
        st = number ? mli_builder_f64(b, param->name, f, err)
                    : mli_builder_text(b, param->name, text, err);
    mli_free(s->ctx, f);
    mli_free(s->ctx, text);
    return st;
}

static ml_status fixed_columns(ml_study *s, mli_builder *b, ml_error *err)
{
    int64_t n = s->count;
    int64_t *number = mli_alloc_vec(s->ctx, n, sizeof *number);
    double *f = mli_alloc_vec(s->ctx, 3 * n, sizeof *f);
    const char **text = mli_calloc(s->ctx, 2 * (size_t)n + 1, sizeof *text);
    ml_status st = number && f && text ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; i < n && st == ML_OK; i++) {
        const mli_trial *t = &s->trials[i];
        number[i] = i;
        f[i] = t->score;
        f[n + i] = t->spread;
        f[2 * n + i] = t->seconds;
        text[i] = mli_trial_states[t->state];
        text[n + i] = t->message;
    }
    if (st == ML_OK) st = mli_builder_i64(b, "trial", number, err);
    if (st == ML_OK) st = mli_builder_text(b, "state", text, err);
    if (st == ML_OK) st = mli_builder_f64(b, "score", f, err);
    if (st == ML_OK) st = mli_builder_f64(b, "spread", f + n, err);
    if (st == ML_OK) st = mli_builder_f64(b, "seconds", f + 2 * n, err);
    if (st == ML_OK) st = mli_builder_text(b, "message", text + n, err);
    mli_free(s->ctx, number);
    mli_free(s->ctx, f);
    mli_free(s->ctx, text);
    return st;
}

ml_status ml_study_results(const ml_study *study, ml_table **out, ml_error *error)
{
    if (!study) return mli_null(error, "study");
    if (!out) return mli_null(error, "out");
    ml_study *s = (ml_study *)study;
    mli_builder *b = NULL;
    pthread_mutex_lock(&s->lock);
    ml_status st = mli_builder_new(s->ctx, s->count, &b, error);
    if (st == ML_OK) st = fixed_columns(s, b, error);
    for (int64_t i = 1; i < s->n_goals && st == ML_OK; i++)
        st = goal_column(s, b, i, error);
    if (s->n_objectives > 1 && st == ML_OK) st = front_column(s, b, error);
    for (int64_t i = 0; i < s->space.n && st == ML_OK; i++)
        st = result_column(s, b, s->space.dimensions[i].param, error);
    pthread_mutex_unlock(&s->lock);
    if (st < 0) {
        mli_builder_free(b);
        return st;
    }
    return mli_builder_finish(b, out, error);
}
