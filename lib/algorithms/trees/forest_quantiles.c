/* SPDX-License-Identifier: MIT
 *
 * trees/forest_quantiles.c: quantile regression forests (Meinshausen, "Quantile
 * regression forests", 2006): leaves keep the targets of their rows; a prediction weighs
 * each target by its share in the leaves that the row reaches, and reads quantiles off
 * their distribution.
 *
 *   sample_start   i64 [nodes + 1]  where the rows of each leaf begin
 *   sample_rank    u32 [samples]    index of the target in sample_value
 *   sample_weight  f64 [samples]    the row's share of its leaf's weight
 *   sample_value   f64 [values]     the distinct targets, ascending
 *
 * Cost of a prediction: the walks, the rows of the leaves, and a scan of the values
 * between the least and the largest of them.
 */
#include "algorithms/trees/forest.h"
#include "core/radix.h"
#include <math.h>
#include <string.h>

/* ---- writing ---- */

/* The distinct targets, sorted. */
static ml_status write_values(const mli_design *d, ml_model *m, double **value,
                              int64_t *n, ml_error *err)
{
    double *sorted = mli_alloc_vec(d->ctx, 2 * d->rows + 1, sizeof *sorted);
    int64_t kept = 0;
    if (!sorted) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++) sorted[i] = d->y[i] + 0.0;
    mli_radix_sort_f64(sorted, sorted + d->rows, d->rows);
    for (int64_t i = 0; i < d->rows; i++)
        if (kept == 0 || sorted[i] != sorted[kept - 1]) sorted[kept++] = sorted[i];
    ml_status s = mli_model_add(m, "sample_value", ML_DTYPE_F64, 1, &kept, value, err);
    if (s == ML_OK) memcpy(*value, sorted, (size_t)kept * sizeof *sorted);
    mli_free(d->ctx, sorted);
    *n = kept;
    return s;
}

static uint32_t rank_of(const double *value, int64_t n, double y)
{
    int64_t a = 0, b = n - 1;
    while (a < b) {
        int64_t middle = (a + b) / 2;
        if (value[middle] < y)
            a = middle + 1;
        else
            b = middle;
    }
    return (uint32_t)a;
}

ml_status mli_forest_write_samples(const mli_forest_tree *tree, int64_t n_trees,
                                   const int64_t *first, const mli_design *d, ml_model *m,
                                   ml_error *err)
{
    int64_t values = 0, samples = 0, nodes = first[n_trees] + 1, *start = NULL;
    double *value = NULL, *weight = NULL;
    uint32_t *rank = NULL;
    for (int64_t t = 0; t < n_trees; t++) samples += tree[t].n_samples;
    ml_status s = write_values(d, m, &value, &values, err);
    if (s == ML_OK)
        s = mli_model_add(m, "sample_start", ML_DTYPE_I64, 1, &nodes, &start, err);
    if (s == ML_OK)
        s = mli_model_add(m, "sample_rank", ML_DTYPE_U32, 1, &samples, &rank, err);
    if (s == ML_OK)
        s = mli_model_add(m, "sample_weight", ML_DTYPE_F64, 1, &samples, &weight, err);
    if (s != ML_OK) return s;
    for (int64_t t = 0; t < n_trees; t++)
        for (int64_t i = 0; i < tree[t].n_samples; i++)
            start[first[t] + tree[t].sample[i].node + 1]++;
    for (int64_t i = 0; i + 1 < nodes; i++) start[i + 1] += start[i];
    for (int64_t t = 0; t < n_trees; t++)
        for (int64_t i = 0; i < tree[t].n_samples; i++) {
            const mli_forest_sample *from = &tree[t].sample[i];
            int64_t at = start[first[t] + from->node]++;
            rank[at] = rank_of(value, values, d->y[from->row]);
            weight[at] = from->weight / tree[t].node[from->node].weight;
        }
    memmove(start + 1, start, (size_t)(nodes - 1) * sizeof *start);
    start[0] = 0;
    return ML_OK;
}

/* ---- predicting ---- */

typedef struct quantiles_plan {
    mli_plan plan;
    mli_ensemble e;
    const int64_t *start;
    const uint32_t *rank;
    const double *weight, *value, *level;
    int64_t n_values;
} quantiles_plan;

static ml_status read_samples(const ml_model *m, quantiles_plan *p, ml_error *err)
{
    int64_t nodes = p->e.n_nodes + 1, samples = -1, values = -1;
    if (!mli_model_find(m, "sample_start")) {
        mli_fail(err, ML_E_STATE, "the model was fitted without quantiles");
        return mli_error_hint(err, ML_E_STATE,
                              "name them in training: quantiles=[0.1, 0.5, 0.9]");
    }
    ml_status s =
        mli_model_want(m, "sample_start", ML_DTYPE_I64, 1, &nodes, &p->start, err);
    if (s == ML_OK)
        s = mli_model_want(m, "sample_rank", ML_DTYPE_U32, 1, &samples, &p->rank, err);
    if (s == ML_OK)
        s = mli_model_want(m, "sample_weight", ML_DTYPE_F64, 1, &samples, &p->weight,
                           err);
    if (s == ML_OK)
        s = mli_model_want(m, "sample_value", ML_DTYPE_F64, 1, &values, &p->value, err);
    if (s != ML_OK) return s;
    p->n_values = values;
    int bad = values < 1 || p->start[0] != 0 || p->start[nodes - 1] != samples;
    for (int64_t i = 0; !bad && i + 1 < nodes; i++) bad = p->start[i] > p->start[i + 1];
    for (int64_t i = 0; !bad && i < samples; i++) bad = p->rank[i] >= values;
    return bad ? mli_fail(err, ML_E_FORMAT, "the samples of the leaves are damaged")
               : ML_OK;
}

static void one_row(const quantiles_plan *p, const double *row, double *out,
                    double *share)
{
    int64_t low = p->n_values, high = 0;
    double sum = 0, total = 0;
    for (int64_t t = 0; t < p->e.n_trees; t++) {
        int64_t leaf = mli_forest_find(&p->e, t, row);
        for (int64_t i = p->start[leaf]; i < p->start[leaf + 1]; i++) {
            int64_t at = p->rank[i];
            share[at] += p->weight[i];
            total += p->weight[i];
            low = at < low ? at : low;
            high = at > high ? at : high;
        }
    }
    for (int64_t k = 0; k < p->plan.n_outputs; k++) out[k] = NAN;
    for (int64_t i = low; i <= high && low < p->n_values; i++) {
        sum += share[i];
        for (int64_t k = 0; share[i] > 0 && k < p->plan.n_outputs; k++)
            if (isnan(out[k]) && (sum >= p->level[k] * total * (1 - 1e-12) || i == high))
                out[k] = p->value[i];
        share[i] = 0;
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const quantiles_plan *p = (const quantiles_plan *)plan;
    memset(scratch, 0, (size_t)p->n_values * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        one_row(p, rows + i * stride, out + i * plan->n_outputs, scratch);
}

ml_status mli_forest_quantiles_plan(const ml_model *model, mli_plan **out, ml_error *err)
{
    quantiles_plan *p = mli_calloc(model->ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    int64_t n = mli_get_f64s(model->params, "quantiles", &p->level);
    ml_status s = mli_ensemble_read(model, &p->e, err);
    if (s == ML_OK) s = read_samples(model, p, err);
    if (s == ML_OK && n < 1)
        s = mli_fail(err, ML_E_FORMAT, "the model does not name its quantiles");
    if (s != ML_OK) {
        mli_free(model->ctx, p);
        return s;
    }
    p->plan = (mli_plan){.ctx = model->ctx,
                         .n_features = p->e.n_features,
                         .n_outputs = n,
                         .scratch = (size_t)p->n_values * sizeof(double),
                         .run = run};
    *out = &p->plan;
    return ML_OK;
}
