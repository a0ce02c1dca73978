/* SPDX-License-Identifier: MIT
 *
 * study_folds.c: the designs that trials are fitted and scored on.
 */
#include "algorithms/prefixes.h"
#include "tuning/study.h"

#include <string.h>

void mli_study_free_designs(ml_study *s)
{
    mli_prefixes_free(s->hooks.prefixes);
    s->hooks.prefixes = NULL;
    for (int64_t k = 0; k < s->n_folds; k++) {
        if (s->fold_train) mli_design_free(s->fold_train[k]);
        if (s->fold_test) mli_design_free(s->fold_test[k]);
    }
    mli_free(s->ctx, s->fold_train);
    mli_free(s->ctx, s->fold_test);
    mli_design_free(s->whole);
    s->fold_train = s->fold_test = NULL;
    s->whole = NULL;
    s->n_folds = 0;
}

/* The splitter that the options ask for, `auto` resolved by the data. */
static mli_split choose_split(const ml_study *s)
{
    const ml_params *o = s->options;
    const mli_inputs *in = s->whole->inputs;
    int classes = in->task == MLI_TASK_CLASSIFICATION;
    mli_split split = {.method = mli_get_str(o, "method"),
                       .fraction = mli_get_f64(o, "fraction"),
                       .folds = mli_get_i64(o, "folds"),
                       .shuffle = 1,
                       .seed = (uint64_t)mli_get_i64(o, "seed"),
                       .stratify = classes ? in->target : "",
                       .group = mli_get_str(o, "group"),
                       .time = mli_get_str(o, "time_column")};
    if (!split.group[0] && in->group) split.group = in->group;
    if (!split.time[0] && in->time) split.time = in->time;
    if (strcmp(split.method, "auto") != 0) return split;
    int small = s->whole->rows < 5000;
    if (split.group[0])
        split.method = small ? "group" : "holdout";
    else if (split.time[0])
        split.method = small ? "time" : "holdout";
    else if (small)
        split.method = classes ? "stratified" : "kfold";
    else
        split.method = "holdout";
    return split;
}

static ml_status alloc_folds(ml_study *s, int64_t n, ml_error *err)
{
    s->fold_train = mli_calloc(s->ctx, (size_t)n, sizeof(mli_design *));
    s->fold_test = mli_calloc(s->ctx, (size_t)n, sizeof(mli_design *));
    if (!s->fold_train || !s->fold_test) return mli_nomem(err);
    s->n_folds = n;
    return ML_OK;
}

static ml_status split_folds(ml_study *s, ml_error *err)
{
    mli_folds *f = NULL;
    mli_split split = choose_split(s);
    ml_status st = mli_folds_new(s->whole->table, &split, &f, err);
    if (st < 0) return st;
    st = alloc_folds(s, f->n_folds, err);
    for (int64_t k = 0; k < f->n_folds && st == ML_OK; k++) {
        st =
            mli_design_take(s->whole, f->train[k], f->n_train[k], &s->fold_train[k], err);
        if (st == ML_OK)
            st = mli_design_take(s->whole, f->test[k], f->n_test[k], &s->fold_test[k],
                                 err);
    }
    mli_folds_free(f);
    return st;
}

ml_status mli_study_prepare(ml_study *s, ml_error *err)
{
    if (s->whole) return ML_OK;
    mli_descriptor copy;
    const mli_descriptor *head = mli_algorithm_head(s->algorithm, s->base, &copy);
    ml_status st = mli_design_train(s->ctx, head, s->base, s->train, &s->whole, err);
    if (st == ML_OK && s->valid) {
        st = alloc_folds(s, 1, err);
        if (st == ML_OK)
            st = mli_design_apply(s->whole->inputs, s->valid, 1, &s->fold_test[0], err);
    } else if (st == ML_OK) {
        st = split_folds(s, err);
    }
    if (st == ML_OK && !s->metric)
        st = mli_metric_find(mli_metric_default(s->whole->inputs, s->base), &s->metric,
                             err);
    if (st == ML_OK) {
        s->maximize = s->metric->maximize;
        st = mli_metric_fits(s->metric, s->whole->inputs, err);
    }
    if (st == ML_OK) st = mli_prefixes_new(s->ctx, &s->hooks.prefixes, err);
    if (st < 0) mli_study_free_designs(s);
    return st;
}
