/* SPDX-License-Identifier: MIT
 *
 * automl_distill.c: one fast model in place of the ensemble. (Hinton, Vinyals, Dean,
 * Distilling the knowledge in a neural network, 2015; Fakoor et al., Fast, accurate and
 * simple models for tabular data via augmented distillation, 2020.)
 *
 * The model learns from what the ensemble predicts for rows that its members were not
 * fitted to, half and half with the truth. For classes a row stands there once per class,
 * weighted by the probability. It gets the best parameters that the search has found for
 * its algorithm, and it replaces the model that is being made: what comes out is a model
 * of that algorithm, with the leaderboard as tensors of its own.
 */
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define SHARE 0.5  /* of the ensemble in a target */
#define SMALL 1e-3 /* weights below do not make a row */

/* ---- rows ---- */

typedef struct {
    mli_automl *a;
    const mli_algorithm *algorithm;
    ml_params *given, *params; /* params: resolved, without roles */
    mli_run *run;
    int64_t *place; /* [training rows] where among the judged rows; -1: nowhere */
} student;

static ml_status find_places(student *s, ml_error *err)
{
    const mli_automl *a = s->a;
    s->place = mli_alloc_vec(a->ctx, a->job->train->rows, sizeof *s->place);
    if (!s->place) return mli_nomem(err);
    for (int64_t i = 0; i < a->job->train->rows; i++) s->place[i] = -1;
    for (int64_t j = 0; j < a->judged->rows; j++) s->place[a->judged_rows[j]] = j;
    return ML_OK;
}

/* Rows that training is to see as lists, with room for one per class. */
typedef struct {
    int64_t n, *row;
    int32_t *label;
    double *weight;
} soft;

static void add_classes(const student *s, int64_t i, soft *to)
{
    const mli_automl *a = s->a;
    const mli_design *train = a->job->train;
    int64_t k = a->n_outputs, j = s->place[i];
    for (int64_t c = 0; c < k; c++) {
        double w = train->label[i] == c;
        if (j >= 0) w = SHARE * a->combined[j * k + c] + (1 - SHARE) * w;
        if (!(w > SMALL)) continue;
        to->row[to->n] = i;
        to->label[to->n] = (int32_t)c;
        to->weight[to->n++] = w * (train->weight ? train->weight[i] : 1);
    }
}

/* Judged rows from `begin` to `end` are left out (the fold that judges the model). */
static void list_rows(const student *s, int64_t begin, int64_t end, soft *to)
{
    to->n = 0;
    for (int64_t i = 0; i < s->a->job->train->rows; i++) {
        int64_t j = s->place[i];
        if (j >= begin && j < end) continue;
        if (s->a->judged->label)
            add_classes(s, i, to);
        else
            to->row[to->n++] = i;
    }
}

static void soften_values(const student *s, const soft *from, mli_design *d)
{
    for (int64_t i = 0; i < from->n; i++) {
        int64_t j = s->place[from->row[i]];
        if (j >= 0) d->y[i] = SHARE * s->a->combined[j] + (1 - SHARE) * d->y[i];
    }
}

static ml_status soft_rows(const student *s, int64_t begin, int64_t end, mli_design **out,
                           ml_error *err)
{
    ml_context *ctx = s->a->ctx;
    const mli_design *train = s->a->job->train;
    int64_t room = train->rows * (train->label ? s->a->n_outputs : 1);
    soft f = {.row = mli_alloc_vec(ctx, room, sizeof *f.row),
              .label = mli_alloc_vec(ctx, room, sizeof *f.label),
              .weight = mli_alloc_vec(ctx, room, sizeof *f.weight)};
    ml_status status = f.row && f.label && f.weight ? ML_OK : mli_nomem(err);
    if (!status) list_rows(s, begin, end, &f);
    if (!status) status = mli_design_take(train, f.row, f.n, out, err);
    if (!status && train->label) {
        memcpy((*out)->label, f.label, (size_t)f.n * sizeof *f.label);
        mli_free(ctx, (*out)->weight);
        (*out)->weight = f.weight;
        f.weight = NULL;
    } else if (!status) {
        soften_values(s, &f, *out);
    }
    mli_free(ctx, f.row);
    mli_free(ctx, f.label);
    mli_free(ctx, f.weight);
    return status;
}

/* ---- the model ---- */

/* The candidate of the algorithm that did best, NULL when there was none. */
static const mli_candidate *best_of(const mli_automl *a, const mli_algorithm *algorithm)
{
    const mli_candidate *best = NULL;
    for (int64_t i = 0; i < a->count; i++) {
        const mli_candidate *c = &a->candidates[i];
        if (c->algorithm != algorithm || isnan(c->score)) continue;
        if (!best || mli_automl_better(a, c->score, best->score)) best = c;
    }
    return best;
}

static ml_status student_params(student *s, ml_error *err)
{
    const mli_candidate *c = best_of(s->a, s->algorithm);
    ml_status status = c ? ml_params_clone(c->given, &s->given, err)
                         : ml_params_new(s->a->ctx, &s->given, err);
    for (const mli_param *p = s->algorithm->head.params; p && p->name && !status; p++) {
        const mli_value *v = mli_params_find(s->given, p->name);
        int64_t value;
        if (mli_param_settled(p, v, c ? c->rounds : 0, &value))
            status = ml_params_set_i64(s->given, p->name, value, err);
    }
    if (!status && !c && mli_param_find(&s->algorithm->head, "seed"))
        status = ml_params_set_i64(s->given, "seed", (int64_t)s->a->seed, err);
    return status ? status
                  : mli_automl_params(s->a, s->algorithm, s->given, &s->params, err);
}

static ml_status fit_student(const student *s, int64_t begin, int64_t end, ml_model **out,
                             ml_error *err)
{
    mli_hooks hooks = {0};
    mli_design *rows = NULL;
    ml_status status = soft_rows(s, begin, end, &rows, err);
    if (!status)
        status = mli_fit_part(s->a->ctx, s->algorithm, s->algorithm->head.name, s->params,
                              rows, NULL, &hooks, s->run, out, err);
    mli_design_free(rows);
    return status;
}

/* The score of models that learn from all folds but the one they are judged by. */
static ml_status judge(student *s, ml_error *err)
{
    mli_automl *a = s->a;
    int64_t at = 0, rows = a->judged->rows;
    double *out = mli_alloc_vec(a->ctx, rows * (a->n_outputs + 1), sizeof *out);
    ml_status status = out ? ML_OK : mli_nomem(err);
    for (int64_t k = 0; k < a->n_folds && !status; at += a->test[k++]->rows) {
        ml_model *m = NULL;
        mli_plan *plan = NULL;
        status = fit_student(s, at, at + a->test[k]->rows, &m, err);
        if (!status) status = mli_plan_new(m, a->kind, NULL, &plan, err);
        if (!status)
            status =
                mli_plan_run_design(plan, a->test[k], NULL, out + at * a->n_outputs, err);
        mli_plan_free(plan);
        ml_model_free(m);
    }
    if (!status)
        status = mli_automl_score(a, out, out + rows * a->n_outputs, &a->score, err);
    mli_free(a->ctx, out);
    return status;
}

/* The parameters of the whole become those of the student, with the roles. */
static ml_status become(student *s, const ml_model *m, ml_error *err)
{
    mli_automl *a = s->a;
    ml_model *whole = a->job->model;
    ml_params *kept = NULL;
    ml_status status = ML_OK;
    for (const mli_param *r = s->algorithm->head.roles; r && r->name && !status; r++) {
        const mli_value *v = mli_params_find(a->job->params, r->name);
        if (v && v->given) status = ml_params_set_str(s->given, r->name, v->text, err);
    }
    if (!status)
        status = mli_params_resolve(a->ctx, &s->algorithm->head, s->given, &kept, err);
    for (int64_t i = 0; i < m->count && !status; i++)
        status =
            mli_model_add_tensor(whole, m->tensors[i].name, m->tensors[i].tensor, err);
    if (status) {
        ml_params_free(kept);
        return status;
    }
    mli_params_drop(kept, &s->algorithm->head, MLI_FLAG_NO_EFFECT);
    ml_params_free(whole->params);
    whole->params = kept;
    whole->algorithm = s->algorithm;
    return ML_OK;
}

static int has_time_to_judge(const mli_automl *a, const student *s)
{
    const mli_candidate *c = best_of(a, s->algorithm);
    if (!(a->limit > 0)) return 1;
    double left = mli_automl_left(a);
    return c && left > 2 * c->seconds * (double)(a->n_folds + 1) / (double)a->n_folds;
}

static ml_status run_distill(student *s, ml_error *err)
{
    mli_automl *a = s->a;
    ml_model *m = NULL;
    ml_status status = student_params(s, err);
    if (!status) status = find_places(s, err);
    a->score = NAN; /* that of the ensemble is not the model's */
    if (!status && has_time_to_judge(a, s)) status = judge(s, err);
    if (!status) status = fit_student(s, 0, 0, &m, err);
    if (!status) status = become(s, m, err);
    ml_model_free(m);
    return status;
}

ml_status mli_automl_distill(mli_automl *a, ml_error *err)
{
    mli_run run;
    const mli_descriptor *d = mli_catalog_find(mli_get_str(a->job->params, "distill"));
    student s = {.a = a, .algorithm = (const mli_algorithm *)d, .run = &run};
    mli_automl_last_run(a, &run);
    ml_status status = run_distill(&s, err);
    ml_params_free(s.given);
    ml_params_free(s.params);
    mli_free(a->ctx, s.place);
    return status;
}
