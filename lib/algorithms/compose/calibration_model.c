/* SPDX-License-Identifier: MIT
 *
 * compose/calibration_model.c: the maps as tensors of a model, and as a plan.
 */
#include "algorithms/compose/calibration.h"

#include <math.h>

/* ---- tensors ---- */

static ml_status save_steps(const mli_calibration *c, ml_model *m, ml_error *err)
{
    double *rows = NULL;
    int64_t shape[2] = {c->begin[c->maps], 3};
    ml_status status =
        mli_model_add(m, "calibration_isotonic", ML_DTYPE_F64, 2, shape, &rows, err);
    for (int64_t k = 0; k < c->maps && !status; k++)
        for (int64_t i = c->begin[k]; i < c->begin[k + 1]; i++) {
            rows[3 * i] = (double)k;
            rows[3 * i + 1] = c->x[i];
            rows[3 * i + 2] = c->y[i];
        }
    return status;
}

ml_status mli_calibration_save(const mli_calibration *c, ml_model *m, ml_error *err)
{
    double *line = NULL;
    int64_t shape[2] = {c->maps, 2};
    if (c->method == MLI_CALIBRATE_NONE) return ML_OK;
    if (c->method == MLI_CALIBRATE_ISOTONIC) return save_steps(c, m, err);
    if (c->method == MLI_CALIBRATE_TEMPERATURE)
        return mli_model_add_f64s(m, "calibration_beta", &c->beta, 1, err);
    ml_status status =
        mli_model_add(m, "calibration_sigmoid", ML_DTYPE_F64, 2, shape, &line, err);
    for (int64_t i = 0; i < 2 * c->maps && !status; i++) line[i] = c->line[i];
    return status;
}

static ml_status load_lines(const ml_model *m, mli_calibration *c, ml_error *err)
{
    const double *line = NULL;
    int64_t shape[2] = {c->maps, 2};
    ml_status status =
        mli_model_want(m, "calibration_sigmoid", ML_DTYPE_F64, 2, shape, &line, err);
    if (status) return status;
    c->line = mli_alloc_vec(c->ctx, 2 * c->maps, sizeof *line);
    if (!c->line) return mli_nomem(err);
    for (int64_t i = 0; i < 2 * c->maps; i++) c->line[i] = line[i];
    return ML_OK;
}

/* Each map has a point, and those of a map ascend. */
static int steps_are_valid(const mli_calibration *c, const double *rows, int64_t n)
{
    int64_t map = -1;
    for (int64_t i = 0; i < n; i++) {
        const double *r = rows + 3 * i;
        int next = r[0] == (double)(map + 1);
        if (!next && !(map >= 0 && r[0] == (double)map && r[1] > r[-2])) return 0;
        if (!isfinite(r[1]) || !isfinite(r[2])) return 0;
        map += next;
        if (map >= c->maps) return 0;
    }
    return map == c->maps - 1;
}

static ml_status load_steps(const ml_model *m, mli_calibration *c, ml_error *err)
{
    const double *rows = NULL;
    int64_t shape[2] = {-1, 3};
    ml_status status =
        mli_model_want(m, "calibration_isotonic", ML_DTYPE_F64, 2, shape, &rows, err);
    if (status) return status;
    int64_t n = shape[0];
    if (!steps_are_valid(c, rows, n))
        return mli_fail(err, ML_E_FORMAT, "the steps of the calibration do not ascend");
    c->begin = mli_calloc(c->ctx, (size_t)c->maps + 1, sizeof *c->begin);
    c->x = mli_alloc_vec(c->ctx, n, sizeof *c->x);
    c->y = mli_alloc_vec(c->ctx, n, sizeof *c->y);
    if (!c->begin || !c->x || !c->y) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        c->begin[(int64_t)rows[3 * i] + 1] = i + 1;
        c->x[i] = rows[3 * i + 1];
        c->y[i] = rows[3 * i + 2];
    }
    return ML_OK;
}

static ml_status load_beta(const ml_model *m, mli_calibration *c, ml_error *err)
{
    const double *beta = NULL;
    int64_t one = 1;
    ml_status status =
        mli_model_want(m, "calibration_beta", ML_DTYPE_F64, 1, &one, &beta, err);
    if (!status) c->beta = *beta;
    return status;
}

ml_status mli_calibration_load(const ml_model *m, mli_calibration *out, ml_error *err)
{
    ml_status status = ML_OK;
    int64_t k = m->inputs->classes.n;
    *out = (mli_calibration){.ctx = m->ctx, .classes = k, .maps = k == 2 ? 1 : k};
    if (k < 2) return ML_OK; /* nothing to calibrate */
    if (mli_model_find(m, "calibration_sigmoid")) {
        out->method = MLI_CALIBRATE_SIGMOID;
        status = load_lines(m, out, err);
    } else if (mli_model_find(m, "calibration_isotonic")) {
        out->method = MLI_CALIBRATE_ISOTONIC;
        status = load_steps(m, out, err);
    } else if (mli_model_find(m, "calibration_beta")) {
        out->method = MLI_CALIBRATE_TEMPERATURE;
        status = load_beta(m, out, err);
    }
    if (status) mli_calibration_free(out);
    return status;
}

/* ---- the plan ---- */

typedef struct {
    mli_plan plan;
    mli_plan *proba;
    mli_calibration map;
} calibrated;

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const calibrated *c = (const calibrated *)plan;
    c->proba->run(c->proba, rows, n, stride, out, scratch);
    mli_calibration_apply(&c->map, out, n);
}

static void run_f32(const mli_plan *plan, const float *rows, int64_t n, int64_t stride,
                    double *out, void *scratch)
{
    const calibrated *c = (const calibrated *)plan;
    c->proba->run_f32(c->proba, rows, n, stride, out, scratch);
    mli_calibration_apply(&c->map, out, n);
}

static void free_plan(mli_plan *plan)
{
    calibrated *c = (calibrated *)plan;
    mli_plan_free(c->proba);
    mli_calibration_free(&c->map);
    mli_free(plan->ctx, c);
}

ml_status mli_calibration_plan(mli_plan *proba, mli_calibration *map, mli_plan **out,
                               ml_error *err)
{
    calibrated *c = NULL;
    ml_status status = ML_OK;
    if (proba->n_outputs != map->classes)
        status = mli_fail(err, ML_E_FORMAT, "the model does not predict its classes");
    else if (!(c = mli_calloc(proba->ctx, 1, sizeof *c)))
        status = mli_nomem(err);
    if (status) {
        mli_plan_free(proba);
        mli_calibration_free(map);
        return status;
    }
    /* Thresholds of the model are for its own probabilities. */
    c->plan = (mli_plan){.ctx = proba->ctx,
                         .n_features = proba->n_features,
                         .n_outputs = proba->n_outputs,
                         .scratch = proba->scratch,
                         .block = proba->block};
    c->plan.run = run;
    c->plan.run_f32 = proba->run_f32 ? run_f32 : NULL;
    c->plan.free = free_plan;
    c->proba = proba;
    c->map = *map;
    *map = (mli_calibration){0};
    *out = &c->plan;
    return ML_OK;
}
