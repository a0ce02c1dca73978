/* SPDX-License-Identifier: MIT
 *
 * compose/heldout.c: folds, and what models fitted to the other folds predict.
 * Cost: one fit per fold.
 */
#include "algorithms/compose/heldout.h"
#include "core/parallel.h"
#include "core/rng.h"

#include <stdio.h>
#include <string.h>

const char *mli_heldout_kind(const mli_design *d, int64_t *outputs)
{
    int classes = d->inputs->task == MLI_TASK_CLASSIFICATION;
    *outputs = classes ? d->inputs->classes.n : 1;
    return classes ? "proba" : "value";
}

/* ---- folds ---- */

/* Units (rows or groups) in a random order, dealt to the folds in turn. */
static ml_status deal(ml_context *ctx, int64_t units, int64_t n, uint64_t seed,
                      int32_t *fold, ml_error *err)
{
    mli_rng rng;
    int64_t *order = mli_alloc_vec(ctx, units, sizeof *order);
    if (!order) return mli_nomem(err);
    for (int64_t i = 0; i < units; i++) order[i] = i;
    mli_rng_init(&rng, seed, 0x68656c64 /* "held" */, (uint64_t)n);
    mli_rng_shuffle(&rng, order, units);
    for (int64_t i = 0; i < units; i++) fold[order[i]] = (int32_t)(i % n);
    mli_free(ctx, order);
    return ML_OK;
}

/* As `deal`, each class for itself. */
static ml_status deal_classes(const mli_design *d, int64_t n, uint64_t seed,
                              int32_t *fold, ml_error *err)
{
    int64_t k = d->inputs->classes.n, next = 0;
    mli_rng rng;
    int64_t *order = mli_alloc_vec(d->ctx, d->rows, sizeof *order);
    if (!order) return mli_nomem(err);
    mli_rng_init(&rng, seed, 0x68656c64 /* "held" */, (uint64_t)n);
    for (int64_t c = 0; c < k; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < d->rows; i++)
            if (d->label[i] == c) order[count++] = i;
        mli_rng_shuffle(&rng, order, count);
        for (int64_t i = 0; i < count; i++) fold[order[i]] = (int32_t)(next++ % n);
    }
    mli_free(d->ctx, order);
    return ML_OK;
}

/* `most` folds would do. */
static ml_status too_few(int64_t count, const char *units, int64_t n, int64_t most,
                         ml_error *err)
{
    mli_fail(err, ML_E_DATA, "%lld %s are too few for %lld folds", (long long)count,
             units, (long long)n);
    mli_error_at(err, ML_E_DATA, "params.folds");
    if (most < 2) return mli_error_hint(err, ML_E_DATA, "give more %s", units);
    return mli_error_hint(err, ML_E_DATA, "use at most %lld folds", (long long)most);
}

static ml_status deal_groups(const mli_design *d, int64_t n, uint64_t seed, int32_t *fold,
                             ml_error *err)
{
    int64_t groups = 0;
    for (int64_t i = 0; i < d->rows; i++)
        if (d->group_id[i] >= groups) groups = d->group_id[i] + 1;
    if (groups < n) return too_few(groups, "groups", n, groups, err);
    int32_t *of = mli_alloc_vec(d->ctx, groups, sizeof *of);
    if (!of) return mli_nomem(err);
    ml_status status = deal(d->ctx, groups, n, seed, of, err);
    for (int64_t i = 0; i < d->rows && !status; i++)
        fold[i] = of[d->group_id[i] < 0 ? 0 : d->group_id[i]];
    mli_free(d->ctx, of);
    return status;
}

ml_status mli_heldout_folds(const mli_design *d, int64_t n, uint64_t seed, int32_t *fold,
                            ml_error *err)
{
    if (d->rows < 2 * n) return too_few(d->rows, "rows", n, d->rows / 2, err);
    if (d->group_id) return deal_groups(d, n, seed, fold, err);
    if (d->label) return deal_classes(d, n, seed, fold, err);
    return deal(d->ctx, d->rows, n, seed, fold, err);
}

ml_status mli_heldout_rows(ml_context *ctx, const int32_t *fold, int64_t rows, int32_t k,
                           int inside, int64_t **out, int64_t *count, ml_error *err)
{
    int64_t *list = mli_alloc_vec(ctx, rows, sizeof *list), n = 0;
    if (!list) return mli_nomem(err);
    for (int64_t i = 0; i < rows; i++)
        if ((fold[i] == k) == inside) list[n++] = i;
    *out = list;
    *count = n;
    return ML_OK;
}

/* ---- predictions ---- */

static ml_status take(const mli_design *d, const int32_t *fold, int32_t k, int inside,
                      int64_t **rows, mli_design **out, ml_error *err)
{
    int64_t n = 0;
    ml_status status = mli_heldout_rows(d->ctx, fold, d->rows, k, inside, rows, &n, err);
    return status ? status : mli_design_take(d, *rows, n, out, err);
}

/* Predicts a design, and puts its rows where they stand in the whole. */
static ml_status spread(const ml_model *m, const mli_design *test, const int64_t *rows,
                        int64_t outputs, double *out, mli_run *run, ml_error *err)
{
    int64_t unused;
    const char *kind = mli_heldout_kind(test, &unused);
    mli_plan *plan = NULL;
    double *some = mli_alloc_vec(test->ctx, test->rows * outputs, sizeof *some);
    ml_status status = some ? ML_OK : mli_nomem(err);
    if (!status) status = mli_plan_new(m, kind, NULL, &plan, err);
    if (!status && plan->n_outputs != outputs)
        status = mli_fail(err, ML_E_UNSUPPORTED, "it predicts several values at once");
    if (!status) status = mli_plan_run_design(plan, test, run, some, err);
    for (int64_t i = 0; i < test->rows && !status; i++)
        memcpy(out + rows[i] * outputs, some + i * outputs,
               (size_t)outputs * sizeof *out);
    mli_plan_free(plan);
    mli_free(test->ctx, some);
    return status;
}

typedef struct {
    mli_fit *whole;
    const mli_algorithm *algorithm;
    const char *name;
    const ml_params *params;
    const int32_t *fold;
    int64_t n, outputs;
    double *out;
    double from, to; /* part of the progress */
} holding;

/* The first class whose rows are all in fold k, or -1. */
static int64_t class_inside(const holding *h, int32_t k)
{
    const mli_design *d = h->whole->train;
    for (int64_t c = 0; d->label && c < d->inputs->classes.n; c++) {
        int64_t inside = 0, outside = 0;
        for (int64_t i = 0; i < d->rows; i++)
            if (d->label[i] == c) ++*(h->fold[i] == k ? &inside : &outside);
        if (inside && !outside) return c;
    }
    return -1;
}

/* An error about the classes: one at the target, or one that names no remedy. */
static int about_classes(const holding *h, ml_status status, const ml_error *err)
{
    char place[512];
    if (status != ML_E_DATA) return 0;
    snprintf(place, sizeof place, "column \"%s\"", h->whole->train->inputs->target);
    return ml_error_hint(err)[0] == 0 || strcmp(ml_error_location(err), place) == 0;
}

static ml_status fold_failed(const holding *h, int32_t k, ml_status status, ml_error *err)
{
    char place[64];
    size_t size = 0;
    int64_t c = about_classes(h, status, err) ? class_inside(h, k) : -1;
    if (c >= 0) {
        const char *label = mli_inputs_label(h->whole->train->inputs, c, &size);
        mli_error_hint(
            err, status,
            "the class \"%.*s\" has rows in this fold only: give it more rows, "
            "leave it out, or give validation rows",
            (int)(size < 60 ? size : 60), label);
    }
    snprintf(place, sizeof place, "fold %d of %d", (int)k + 1, (int)h->n);
    return mli_fit_named(place, status, err);
}

static ml_status one_fold(const holding *h, int32_t k, mli_run *run, ml_error *err)
{
    const mli_design *d = h->whole->train;
    int64_t *in = NULL, *out = NULL;
    mli_design *train = NULL, *test = NULL;
    ml_model *m = NULL;
    mli_hooks hooks = *h->whole->hooks;
    hooks.start = NULL;
    hooks.prefixes = NULL; /* these designs are not the caller's */
    ml_status status = take(d, h->fold, k, 0, &out, &train, err);
    if (!status) status = take(d, h->fold, k, 1, &in, &test, err);
    if (!status)
        status = mli_fit_part(h->whole->ctx, h->algorithm, h->name, h->params, train,
                              NULL, &hooks, run, &m, err);
    if (status && train) mli_error_rows(err, out, train->rows);
    if (!status) status = spread(m, test, in, h->outputs, h->out, run, err);
    ml_model_free(m);
    mli_design_free(train);
    mli_design_free(test);
    mli_free(d->ctx, in);
    mli_free(d->ctx, out);
    return status;
}

static ml_status fold_task(void *arg, int64_t k, int32_t slot, ml_error *err)
{
    const holding *h = arg;
    mli_run run;
    double step = (h->to - h->from) / (double)h->n;
    (void)slot;
    mli_run_part(&run, h->whole->run, h->from + (double)k * step,
                 h->from + (double)(k + 1) * step, 1);
    run.quiet = 1;
    ml_status status = one_fold(h, (int32_t)k, &run, err);
    return status ? fold_failed(h, (int32_t)k, status, err) : ML_OK;
}

ml_status mli_heldout_fit(mli_fit *whole, const mli_algorithm *algorithm,
                          const char *name, const ml_params *params, const int32_t *fold,
                          int64_t n, int64_t outputs, double from, double to, double *out,
                          ml_error *err)
{
    holding h = {whole, algorithm, name, params, fold, n, outputs, out, from, to};
    /* The host is called on its own thread only. */
    const mli_hooks *hooks = whole->hooks;
    int together = mli_fits_beside(whole->train) && !hooks->objective && !hooks->metric;
    return mli_parallel_try(whole->ctx, together, n, fold_task, &h, err);
}

ml_status mli_heldout_predict(mli_fit *whole, const mli_param_part *part,
                              const int32_t *fold, int64_t n, int64_t outputs,
                              double from, double to, double *out, ml_error *err)
{
    ml_params *params = NULL;
    ml_status status = mli_design_suits(whole->train, part->d, err);
    if (!status) status = mli_params_part(whole->params, part->name, &params, err);
    if (status) return mli_fit_named(part->name, status, err);
    status = mli_heldout_fit(whole, mli_part_algorithm(part), part->name, params, fold, n,
                             outputs, from, to, out, err);
    ml_params_free(params);
    return mli_part_place(part->name, status, err);
}
