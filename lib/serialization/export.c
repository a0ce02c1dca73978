/* SPDX-License-Identifier: MIT
 *
 * export.c: which format, and its text.
 */
#include "serialization/export.h"

#include <stdio.h>
#include <string.h>

ml_status mli_export_refuse(const mli_export_job *x, const char *format, const char *what)
{
    return mli_fail(x->err, ML_E_UNSUPPORTED, "%s cannot express %s", format, what);
}

/* The link of the objective that a model was trained with. */
static int32_t link_of(const ml_model *m)
{
    const char *objective = mli_get_str(m->params, "objective");
    if (mli_in_list(objective, "poisson,gamma,tweedie,cox,aft")) return MLI_LINK_EXP;
    if (strcmp(objective, "cross_entropy") == 0) return MLI_LINK_SIGMOID;
    if (m->inputs->classes.n == 0) return MLI_LINK_IDENTITY;
    if (strcmp(objective, "softmax") == 0) return MLI_LINK_SOFTMAX;
    if (strcmp(objective, "logistic") == 0) return MLI_LINK_SIGMOID;
    return m->inputs->classes.n == 2 ? MLI_LINK_SIGMOID : MLI_LINK_SOFTMAX;
}

static void *take(char **at, int64_t n, size_t size)
{
    void *block = *at;
    *at += ((size_t)n * size + 15) & ~(size_t)15;
    return block;
}

/* Tree t of class k at place t * classes + k, its leaves with the shares of the class. */
static ml_status expand_forest(mli_export_job *x)
{
    const mli_ensemble from = x->e;
    int64_t k_n = x->inputs->classes.n, shape[2] = {-1, k_n};
    int64_t nodes = from.n_nodes * k_n, trees = from.n_trees * k_n;
    const double *share = NULL;
    ml_status s =
        mli_model_want(x->model, "leaf_proba", ML_DTYPE_F64, 2, shape, &share, x->err);
    if (s) return s;
    size_t node = 3 * sizeof(int32_t) + 4 * sizeof(double) + 1;
    if ((uint64_t)nodes > SIZE_MAX / (2 * node)) return mli_nomem(x->err);
    char *at = x->memory =
        mli_calloc(x->s->ctx, (size_t)nodes * node + (size_t)(trees + k_n) * 16 + 256, 1);
    if (!at) return mli_nomem(x->err);
    int64_t *start = take(&at, trees + 1, sizeof *start), n = 0;
    double *base = take(&at, k_n, sizeof *base), *value = take(&at, nodes, sizeof *value);
    double *threshold = take(&at, nodes, sizeof *threshold);
    double *cover = take(&at, nodes, sizeof *cover),
           *gain = take(&at, nodes, sizeof *gain);
    int32_t *feature = take(&at, nodes, sizeof *feature);
    int32_t *left = take(&at, nodes, sizeof *left), *set = take(&at, nodes, sizeof *set);
    uint8_t *flags = take(&at, nodes, 1);
    for (int64_t t = 0; t < trees; t++) {
        start[t] = n;
        for (int64_t i = from.start[t / k_n]; i < from.start[t / k_n + 1]; i++, n++) {
            value[n] = from.left[i] ? 0
                                    : share[(int64_t)from.value[i] * k_n + t % k_n] /
                                          (double)from.n_trees;
            threshold[n] = from.threshold[i];
            cover[n] = from.cover[i];
            gain[n] = from.gain[i];
            feature[n] = from.feature[i];
            left[n] = from.left[i];
            set[n] = from.set ? from.set[i] : -1;
            flags[n] = from.flags[i];
        }
    }
    start[trees] = n;
    x->e = from;
    x->e.n_trees = trees;
    x->e.n_nodes = nodes;
    x->e.n_scores = k_n;
    x->e.start = start;
    x->e.base = base;
    x->e.value = value;
    x->e.threshold = threshold;
    x->e.cover = cover;
    x->e.gain = gain;
    x->e.feature = feature;
    x->e.left = left;
    x->e.set = set;
    x->e.flags = flags;
    return ML_OK;
}

ml_status mli_export_open(mli_export_job *x, const char *format)
{
    const ml_model *m = x->model;
    const char *name = m->algorithm->head.name;
    int64_t classes = m->inputs->classes.n;
    int forest = mli_in_list(name, "decision_tree,extra_trees,random_forest");
    if (!forest && strcmp(name, "gbdt") != 0)
        return mli_fail(x->err, ML_E_UNSUPPORTED,
                        "a model of %s cannot be exported to %s", name, format);
    ml_status s = mli_ensemble_read_crossed(m, &x->e, x->err);
    if (s) return s;
    if (x->e.crosses.n_columns && strcmp(format, "C") != 0) {
        mli_export_refuse(x, format, "statistics of combinations of features");
        return mli_error_hint(x->err, ML_E_UNSUPPORTED, "save it as C source");
    }
    if (x->e.linear_start && strcmp(format, "LightGBM") != 0)
        return mli_export_refuse(x, format, "linear leaves");
    /* Leaves of forests of several targets are rows of values. */
    if (m->inputs->n_targets && (forest || !mli_in_list(format, "C,XGBoost")))
        return mli_export_refuse(x, format, "a model of several targets");
    if (classes == 1) return mli_export_refuse(x, format, "a model of one class");
    if (classes == 0 && x->e.n_scores > 1 && !m->inputs->n_targets)
        return mli_export_refuse(x, format, "several quantiles in one model");
    x->link = x->e.link ? x->e.link : forest ? MLI_LINK_IDENTITY : link_of(m);
    x->scale = x->e.link ? x->e.link_scale : 1;
    return forest && classes > 2 ? expand_forest(x) : ML_OK;
}

static ml_status write_format(mli_export_job *x, int format)
{
    ml_status s = mli_model_check(x->model, x->err);
    if (s) return s;
    const char *algorithm = x->model->algorithm->head.name;
    if (format == MLI_EXPORT_C &&
        mli_in_list(algorithm, "linear_regression,logistic_regression"))
        return mli_export_c_linear(x);
    static const char *const names[] = {"C", "XGBoost", "ONNX", "LightGBM"};
    s = mli_export_open(x, names[format]);
    if (s) return s;
    switch (format) {
    case MLI_EXPORT_C:
        return mli_export_c(x);
    case MLI_EXPORT_XGBOOST:
        return mli_export_xgboost(x);
    case MLI_EXPORT_ONNX:
        return mli_export_onnx(x);
    default:
        return mli_export_lightgbm(x);
    }
}

/* ---- options ---- */

static int ends_with(const char *path, const char *end)
{
    size_t n = path ? strlen(path) : 0, m = strlen(end);
    return n >= m && mli_same_word(path + n - m, end);
}

int mli_export_format(const ml_params *options, const char *path)
{
    int given = mli_get_enum(options, "format", "auto,libml," MLI_EXPORT_FORMATS);
    if (given > 0) return given - 2;
    if (ends_with(path, ".c")) return MLI_EXPORT_C;
    if (ends_with(path, ".json")) return MLI_EXPORT_XGBOOST;
    if (ends_with(path, ".onnx")) return MLI_EXPORT_ONNX;
    if (ends_with(path, ".txt")) return MLI_EXPORT_LIGHTGBM;
    return MLI_EXPORT_OWN;
}

static ml_status check_name(const char *name, ml_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                  "0123456789";
    size_t n = strlen(name);
    int digit = name[0] >= '0' && name[0] <= '9';
    if (n > 0 && n < 64 && !digit && strspn(name, letters) == n) return ML_OK;
    mli_fail(err, ML_E_RANGE, "\"%s\" is not a name of letters, digits and underscores",
             name);
    return mli_error_at(err, ML_E_RANGE, "params.name");
}

ml_status mli_export(const ml_model *m, int format, const char *name, mli_str *out,
                     ml_error *err)
{
    mli_export_job x = {
        .model = m, .inputs = m->inputs, .s = out, .name = name, .err = err};
    ml_status status = check_name(name, err);
    if (!status) status = write_format(&x, format);
    if (!status && out->failed) status = mli_nomem(err);
    mli_free(m->ctx, x.memory);
    return status;
}
