/* SPDX-License-Identifier: MIT
 *
 * import_linear.c: linear models of other systems as linear_regression or
 * logistic_regression. A missing number counts as 0, as in XGBoost.
 */
#include "serialization/import.h"

#include <math.h>
#include <string.h>

ml_status mli_import_linear_trees(mli_import *im)
{
    ml_status s = ML_OK;
    for (int64_t j = 0; !s && j < im->n_features; j++) {
        for (int64_t k = 0; !s && k < im->n_scores; k++) {
            mli_import_node node[3] = {
                {.left = 1, .right = 2, .feature = (int32_t)j, .set = -1},
                {.left = -1, .right = -1, .set = -1, .n_terms = 1},
                {.left = -1, .right = -1, .set = -1}};
            node[0].threshold = INFINITY;
            node[1].term = mli_import_add_terms(im, 1);
            if (node[1].term < 0) return mli_nomem(im->err);
            im->terms.feature[node[1].term] = (int32_t)j;
            im->terms.coef[node[1].term] = im->linear[k * im->n_features + j];
            node[2].value =
                im->fill ? im->fill[j] * im->linear[k * im->n_features + j] : 0;
            s = mli_import_tree(im, node, 3, k);
        }
    }
    return s;
}

/* Other objectives and several targets. */
static ml_status finish_as_trees(mli_import *im, ml_model **out)
{
    im->terms.on = 1;
    ml_status s = mli_import_linear_trees(im);
    return s ? s : mli_import_finish(im, out);
}

/* The tensors of linear/terms.h. */
static ml_status write_terms(const mli_import *im, ml_model *m)
{
    int64_t n = im->n_features, k_n = im->n_scores;
    int64_t columns[2] = {n, 2}, shape[2] = {k_n, n};
    int flat = im->n_classes == 0;
    int32_t *pairs;
    double *coef, *fill;
    ml_status s = mli_model_add(m, "columns", ML_DTYPE_I32, 2, columns, &pairs, im->err);
    if (!s)
        s = mli_model_add(m, "coef", ML_DTYPE_F64, flat ? 1 : 2, shape + flat, &coef,
                          im->err);
    if (!s) s = mli_model_add(m, "fill", ML_DTYPE_F64, 1, &n, &fill, im->err);
    if (!s) s = mli_model_add_f64s(m, "intercept", im->base, k_n, im->err);
    if (s) return s;
    for (int64_t j = 0; j < n; j++) {
        pairs[2 * j] = (int32_t)j;
        pairs[2 * j + 1] = -1;
    }
    if (im->fill) memcpy(fill, im->fill, (size_t)n * sizeof *fill);
    memcpy(coef, im->linear, (size_t)(n * k_n) * sizeof *coef);
    return ML_OK;
}

static ml_status make_params(const mli_import *im, const mli_algorithm *algorithm,
                             ml_params **out)
{
    ml_params *p = NULL;
    ml_status s = ml_params_new(im->ctx, &p, im->err);
    if (!s) s = ml_params_set_str(p, "target", im->target, im->err);
    if (!s) s = mli_params_resolve(im->ctx, &algorithm->head, p, out, im->err);
    ml_params_free(p);
    return s;
}

static ml_status check_numbers(const mli_import *im)
{
    int bad = 0;
    for (int64_t i = 0; i < im->n_scores * im->n_features; i++)
        bad |= !isfinite(im->linear[i]);
    for (int64_t k = 0; k < im->n_scores; k++) bad |= !isfinite(im->base[k]);
    return bad ? mli_fail(im->err, ML_E_FORMAT, "a coefficient is not finite") : ML_OK;
}

ml_status mli_import_finish_linear(mli_import *im, ml_model **out)
{
    const char *name = im->n_classes ? "logistic_regression" : "linear_regression";
    const mli_algorithm *algorithm = (const mli_algorithm *)mli_catalog_find(name);
    int64_t functions = im->n_classes > 2 ? im->n_classes : 1;
    mli_inputs *inputs = NULL;
    ml_params *params = NULL;
    ml_model *m = NULL;
    int exponential = im->param && mli_in_list(im->param, "poisson,gamma,tweedie");
    for (int64_t j = 0; j < im->n_features; j++)
        if (im->features[j].levels)
            return mli_fail(im->err, ML_E_UNSUPPORTED,
                            "a linear model with categories cannot be imported");
    ml_status s = check_numbers(im);
    if (!s && (im->link || im->n_scores != functions || exponential))
        return finish_as_trees(im, out);
    if (!s) s = mli_import_make_inputs(im, NULL, &inputs);
    if (!s) s = make_params(im, algorithm, &params);
    if (!s) s = mli_model_new(im->ctx, algorithm, params, inputs, &m, im->err);
    if (!s) s = write_terms(im, m);
    if (!s) s = mli_import_note(im, m);
    mli_inputs_free(inputs);
    ml_params_free(params);
    if (s)
        ml_model_free(m);
    else
        *out = m;
    return s;
}
