/* SPDX-License-Identifier: MIT
 *
 * explain.c: ml_model_explain: its options, choosing features, the importance that a
 * model states itself, and predicting rows with one feature replaced.
 */
#include "tuning/explain.h"
#include "core/parallel.h"

#include <string.h>

static const mli_param explain_params[] = {
    {"method", NULL, ML_PARAM_STR, 0, "importance",
     "{importance, permutation, partial_dependence, ice, trees}", NULL, NULL,
     "importance: what the model itself states of its features. permutation: how much "
     "worse a metric gets when the values of a column are shuffled (Breiman 2001). "
     "partial_dependence: the mean prediction when a column has the same value in all "
     "rows (Friedman 2001). ice: the same for each row (Goldstein et al. 2015). trees: "
     "the nodes of the trees; a leaf that is a linear function has it as a text, and its "
     "value is what rows get that lack one of the function's features.",
     "0.1"},
    {"columns", "features", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "The columns to explain. By default all.", "0.1"},
    {"metric", "scoring", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     "method == permutation",
     "The metric to watch. By default the usual one of the task.", "0.1"},
    {"repeats", "n_repeats", ML_PARAM_I64, 0, "5", "[1, 1000]", NULL,
     "method == permutation", "How often each column is shuffled.", "0.1"},
    {"points", "grid_resolution", ML_PARAM_I64, 0, "20", "[2, 10000]", NULL,
     "method in {partial_dependence, ice}",
     "Values that a column of numbers takes, at most: evenly spaced among its sorted "
     "values. Categories take all of theirs, those of hashed columns the most frequent.",
     "0.1"},
    {"kind", NULL, ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     "method in {partial_dependence, ice}",
     "The kind of prediction. By default the first that the model has.", "0.1"},
    {"tree", NULL, ML_PARAM_I64, 0, "-1", "[-1, 2147483647]", NULL, "method == trees",
     "The number of a tree, from 0; -1 shows all.", "0.1"},
    {"seed", "random_state,random_seed", ML_PARAM_I64, 0, "0", "[0, 9223372036854775807]",
     NULL, "method == permutation", "Seed of the shuffles.", "0.1"},
    MLI_PARAM_END};

const mli_descriptor mli_options_explain = {
    .name = "options.explain",
    .title = "Explaining",
    .doc = "What ml_model_explain tells about a model, as a table.",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = explain_params,
};

/* ---- rows with a feature replaced ---- */

#define BLOCK 256

typedef struct predicting {
    const mli_plan *plan;
    const mli_design *design;
    const mli_replaced *with;
    double *out;
    char *scratch;
    size_t rows, per_slot; /* bytes */
} predicting;

static void predict_block(void *arg, int64_t task, int32_t slot)
{
    const predicting *p = arg;
    const mli_replaced *w = p->with;
    int64_t begin = task * BLOCK, width = p->plan->n_features;
    int64_t end = begin + BLOCK < p->design->rows ? begin + BLOCK : p->design->rows;
    char *scratch = p->scratch + (size_t)slot * p->per_slot;
    double *rows = (double *)(void *)scratch;
    mli_design_rows(p->design, begin, end, rows, width);
    for (int64_t i = begin; i < end; i++)
        rows[(i - begin) * width + w->feature] =
            w->column ? w->column[w->order[i]] : w->value;
    p->plan->run(p->plan, rows, end - begin, width, p->out + begin * p->plan->n_outputs,
                 scratch + p->rows);
}

ml_status mli_explain_predict(const mli_plan *plan, const mli_design *design,
                              const mli_replaced *with, double *out, ml_error *err)
{
    predicting p = {.plan = plan, .design = design, .with = with, .out = out};
    size_t bytes = (size_t)(plan->n_features * BLOCK) * sizeof(double);
    p.rows = (bytes + 63) & ~(size_t)63;
    p.per_slot = (p.rows + plan->scratch + 63) & ~(size_t)63;
    mli_pool *pool = mli_parallel_hold(design->ctx);
    p.scratch = mli_alloc_vec(design->ctx, mli_slots(design->ctx), p.per_slot);
    if (p.scratch)
        mli_parallel(design->ctx, mli_task_count(design->rows, BLOCK), predict_block, &p);
    mli_parallel_release(pool);
    if (!p.scratch) return mli_nomem(err);
    mli_free(design->ctx, p.scratch);
    return ML_OK;
}

/* ---- what the model states ---- */

/* Attributes with a number per feature, in the order of the columns. */
static const char *const stated[] = {"importance", "split_count", "coef"};

static ml_status stated_column(const mli_explain *x, const char *name, mli_builder *b,
                               int *added, ml_error *err)
{
    ml_tensor *t = NULL;
    ml_status s = ml_model_get_tensor(x->model, name, &t, NULL);
    if (s == ML_E_MEMORY) return mli_nomem(err);
    if (s != ML_OK) return ML_OK; /* it has none */
    int64_t features = ml_model_inputs(x->model);
    if (ml_tensor_ndim(t) == 1 && ml_tensor_shape(t)[0] == features) {
        double *values = mli_calloc(x->ctx, (size_t)x->n + 1, sizeof *values);
        for (int64_t i = 0; values && i < x->n; i++)
            values[i] = ml_tensor_get_f64(t, x->feature[i], 0);
        s = values ? mli_builder_f64(b, name, values, err) : mli_nomem(err);
        mli_free(x->ctx, values);
        *added = 1;
    }
    ml_tensor_free(t);
    return s;
}

ml_status mli_explain_importance(const mli_explain *x, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    int added = 0;
    ml_status s = mli_builder_new(x->ctx, x->n, &b, err);
    if (s != ML_OK) return s;
    const char **names = mli_calloc(x->ctx, (size_t)x->n + 1, sizeof *names);
    for (int64_t i = 0; names && i < x->n; i++)
        names[i] = ml_model_input_name(x->model, x->feature[i]);
    s = names ? mli_builder_text(b, "feature", names, err) : mli_nomem(err);
    mli_free(x->ctx, names);
    for (size_t i = 0; s == ML_OK && i < sizeof stated / sizeof stated[0]; i++)
        s = stated_column(x, stated[i], b, &added, err);
    if (s == ML_OK && !added) {
        mli_fail(err, ML_E_UNSUPPORTED, "a model of %s states no importance",
                 ml_model_algorithm(x->model));
        s = mli_error_hint(err, ML_E_UNSUPPORTED, "method=permutation works for all");
    }
    if (s == ML_OK) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return s;
}

/* ---- the whole ---- */

static int64_t find_feature(const ml_model *m, const char *name)
{
    for (int64_t j = 0; j < ml_model_inputs(m); j++)
        if (strcmp(ml_model_input_name(m, j), name) == 0) return j;
    return -1;
}

static ml_status choose_features(mli_explain *x, ml_error *err)
{
    const char *const *names = NULL;
    int64_t given = mli_get_strs(x->params, "columns", &names);
    x->n = given ? given : ml_model_inputs(x->model);
    x->feature = mli_calloc(x->ctx, (size_t)x->n + 1, sizeof *x->feature);
    if (!x->feature) return mli_nomem(err);
    for (int64_t i = 0; i < x->n; i++) {
        x->feature[i] = given ? find_feature(x->model, names[i]) : i;
        if (x->feature[i] >= 0) continue;
        mli_fail(err, ML_E_NAME, "the model has no input column \"%s\"", names[i]);
        return mli_error_at(err, ML_E_NAME, "params.columns");
    }
    return ML_OK;
}

static ml_status need_table(const mli_explain *x, ml_error *err)
{
    if (x->table) return ML_OK;
    mli_fail(err, ML_E_ARGUMENT, "method=%s needs rows",
             mli_get_str(x->params, "method"));
    return mli_error_hint(err, ML_E_ARGUMENT, "give a table with the model's columns");
}

static ml_status explain(mli_explain *x, ml_table **out, ml_error *err)
{
    int method = mli_get_enum(x->params, "method",
                              "importance,permutation,partial_dependence,ice,trees");
    ml_status s = choose_features(x, err);
    if (s == ML_OK && method >= 1 && method <= 3) s = need_table(x, err);
    if (s != ML_OK) return s;
    switch (method) {
    case 1:
        return mli_explain_permutation(x, out, err);
    case 2:
    case 3:
        return mli_explain_partial(x, method == 3, out, err);
    case 4:
        return mli_explain_trees(x, out, err);
    default:
        return mli_explain_importance(x, out, err);
    }
}

ml_status ml_model_explain(const ml_model *model, const ml_table *table,
                           const ml_params *options, ml_table **out, ml_error *error)
{
    if (!model) return mli_null(error, "model");
    if (!out) return mli_null(error, "out");
    ml_params *p = NULL;
    ml_status s =
        mli_params_resolve(model->ctx, &mli_options_explain, options, &p, error);
    if (s != ML_OK) return s;
    mli_explain x = {.ctx = model->ctx, .model = model, .table = table, .params = p};
    s = explain(&x, out, error);
    mli_free(x.ctx, x.feature);
    ml_params_free(p);
    return s;
}
