/* SPDX-License-Identifier: MIT
 *
 * study_results.c: the trials of a study as a table.
 */
#include "tuning/importance.h"

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

/* The column of a parameter has its name, or "params.name" where another has it. */
static void name_column(const ml_study *s, const char *param, mli_str *name)
{
    static const char *const fixed[] = {"trial",   "state",   "score", "spread",
                                        "seconds", "message", "front"};
    int taken = 0;
    for (size_t k = 0; k < sizeof fixed / sizeof *fixed; k++)
        taken |= strcmp(fixed[k], param) == 0;
    for (int64_t k = 1; k < s->n_goals; k++)
        taken |= strcmp(s->goals[k].name, param) == 0;
    mli_str_init(name, s->ctx);
    mli_str_printf(name, "%s%s", taken ? "params." : "", param);
}

/* Columns of the results: fixed ones, then one per tuned parameter. */
static ml_status result_column(ml_study *s, mli_builder *b, const mli_param *param,
                               ml_error *err)
{
    int number = param->type == ML_PARAM_I64 || param->type == ML_PARAM_F64;
    double *f = mli_alloc_vec(s->ctx, s->count, sizeof *f);
    const char **text = mli_calloc(s->ctx, (size_t)s->count + 1, sizeof *text);
    mli_str name;
    name_column(s, param->name, &name);
    ml_status st = f && text && !name.failed ? ML_OK : mli_nomem(err);
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
        st = number ? mli_builder_f64(b, name.data, f, err)
                    : mli_builder_text(b, name.data, text, err);
    mli_str_free(&name);
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

/* With the lock held. */
static ml_status all_trials(ml_study *s, ml_table **out, ml_error *error)
{
    mli_builder *b = NULL;
    ml_status st = mli_builder_new(s->ctx, s->count, &b, error);
    if (st == ML_OK) st = fixed_columns(s, b, error);
    for (int64_t i = 1; i < s->n_goals && st == ML_OK; i++)
        st = goal_column(s, b, i, error);
    if (s->n_objectives > 1 && st == ML_OK) st = front_column(s, b, error);
    for (int64_t i = 0; i < s->space.n && st == ML_OK; i++)
        st = result_column(s, b, s->space.dimensions[i].param, error);
    if (st < 0) {
        mli_builder_free(b);
        return st;
    }
    return mli_builder_finish(b, out, error);
}

static ml_status importance_table(ml_study *s, ml_table **out, ml_error *err)
{
    int64_t n = s->space.n;
    double *share = mli_alloc_vec(s->ctx, n + 1, sizeof *share);
    const char **names = mli_calloc(s->ctx, (size_t)n + 1, sizeof *names);
    mli_builder *b = NULL;
    ml_status st = share && names ? mli_study_importance(s, share, err) : mli_nomem(err);
    for (int64_t k = 0; k < n && st == ML_OK; k++)
        names[k] = s->space.dimensions[k].param->name;
    if (st == ML_OK) st = mli_builder_new(s->ctx, n, &b, err);
    if (st == ML_OK) st = mli_builder_text(b, "parameter", names, err);
    if (st == ML_OK) st = mli_builder_f64(b, "importance", share, err);
    mli_free(s->ctx, share);
    mli_free(s->ctx, names);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

static ml_status reports_table(ml_study *s, ml_table **out, ml_error *err)
{
    int64_t n = 0, at = 0;
    for (int64_t i = 0; i < s->count; i++) n += s->trials[i].n_reports;
    int64_t *trial = mli_alloc_vec(s->ctx, 2 * n + 1, sizeof *trial);
    double *value = mli_alloc_vec(s->ctx, n + 1, sizeof *value);
    mli_builder *b = NULL;
    ml_status st = trial && value ? mli_builder_new(s->ctx, n, &b, err) : mli_nomem(err);
    for (int64_t i = 0; i < s->count && st == ML_OK; i++)
        for (int64_t k = 0; k < s->trials[i].n_reports; k++, at++) {
            trial[at] = i;
            trial[n + at] = s->trials[i].reports[k].step;
            value[at] = s->trials[i].reports[k].value;
        }
    if (st == ML_OK) st = mli_builder_i64(b, "trial", trial, err);
    if (st == ML_OK) st = mli_builder_i64(b, "step", trial + n, err);
    if (st == ML_OK) st = mli_builder_f64(b, "value", value, err);
    mli_free(s->ctx, trial);
    mli_free(s->ctx, value);
    if (st == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}

static ml_status front_table(ml_study *s, ml_table **out, ml_error *err)
{
    ml_table *all = NULL;
    int64_t *rows = mli_alloc_vec(s->ctx, s->count + 1, sizeof *rows), n = 0;
    ml_status st = rows ? all_trials(s, &all, err) : mli_nomem(err);
    for (int64_t i = 0; i < s->count && st == ML_OK; i++)
        if (mli_study_on_front(s, i)) rows[n++] = i;
    if (st == ML_OK) st = ml_table_take(all, rows, n, out, err);
    ml_table_free(all);
    mli_free(s->ctx, rows);
    return st;
}

ml_status ml_study_get_table(const ml_study *study, const char *name, ml_table **out,
                             ml_error *error)
{
    static const char *const names[] = {"trials", "importance", "reports", "front"};
    if (!study) return mli_null(error, "study");
    if (!name) return mli_null(error, "name");
    if (!out) return mli_null(error, "out");
    ml_study *s = (ml_study *)study;
    pthread_mutex_lock(&s->lock);
    ml_status st = ML_E_NAME;
    if (strcmp(name, names[0]) == 0)
        st = all_trials(s, out, error);
    else if (strcmp(name, names[1]) == 0)
        st = importance_table(s, out, error);
    else if (strcmp(name, names[2]) == 0)
        st = reports_table(s, out, error);
    else if (strcmp(name, names[3]) == 0)
        st = front_table(s, out, error);
    else
        mli_fail(error, ML_E_NAME, "a study has no table \"%s\"", name);
    pthread_mutex_unlock(&s->lock);
    if (st == ML_E_NAME)
        return mli_error_hint(error, ML_E_NAME,
                              "there are trials, importance, reports, front");
    return st;
}
