/* SPDX-License-Identifier: MIT
 *
 * trees/boost_start.c: what training starts from: the best constants and the offsets, or
 * a model whose trees are kept. The rows of the new training are cut into bins of their
 * own; only the bins of categories are taken over, since the old trees refer to them.
 */
#include "algorithms/trees/boost.h"

static ml_status take_trees(mli_booster *b, const mli_ensemble *e, ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t s = 0; s < e->n_sets && status == ML_OK; s++) {
        int32_t index;
        status = mli_ensemble_builder_set(&b->trees, e->sets + 8 * s, &index, err);
    }
    for (int64_t t = 0; t < e->n_trees && status == ML_OK; t++) {
        int64_t first = e->start[t], n = e->start[t + 1] - first;
        mli_ensemble_node *node;
        status = mli_ensemble_builder_tree(&b->trees, n, &node, err);
        for (int64_t i = 0; i < n && status == ML_OK; i++) {
            int64_t at = first + i;
            node[i] = (mli_ensemble_node){.feature = e->feature[at],
                                          .left = e->left[at],
                                          .set = e->set ? e->set[at] : -1,
                                          .flags = e->flags[at],
                                          .threshold = e->threshold[at],
                                          .value = e->value[at],
                                          .cover = e->cover[at],
                                          .gain = e->gain[at]};
        }
    }
    return status;
}

/* Training needs the bin of unknown categories to be the last one. */
static ml_status check_levels(const mli_ensemble *e, ml_error *err)
{
    for (int64_t j = 0; j < e->n_features; j++) {
        for (int64_t l = e->level_start[j]; l < e->level_start[j + 1]; l++) {
            if (e->level_bin[l] <= e->level_other[j]) continue;
            mli_fail(err, ML_E_UNSUPPORTED,
                     "training cannot go on from this model's bins of categories");
            return mli_error_hint(err, ML_E_UNSUPPORTED, "train a new model");
        }
    }
    return ML_OK;
}

ml_status mli_boost_start(mli_booster *b, mli_bin_levels *levels, ml_error *err)
{
    mli_ensemble e;
    ml_status status = mli_model_check(b->options.objective.hooks->start, err);
    if (status == ML_OK)
        status = mli_ensemble_read(b->options.objective.hooks->start, &e, err);
    if (status != ML_OK) return status;
    if (!mli_ensemble_plain(&e))
        return mli_fail(err, ML_E_UNSUPPORTED, "training cannot go on from %s",
                        e.linear_start ? "a model with linear leaves"
                                       : "an imported model of this form");
    if (e.n_scores != b->n_scores || e.n_features != b->train->n_features)
        return mli_fail(err, ML_E_ARGUMENT,
                        "the model to go on from has %lld scores, this objective %d",
                        (long long)e.n_scores, (int)b->n_scores);
    for (int32_t k = 0; k < b->n_scores; k++) b->base[k] = e.base[k];
    b->start_trees = e.n_trees;
    if (e.level_start) {
        status = check_levels(&e, err);
        *levels = (mli_bin_levels){e.level_start, e.level_bin, e.level_other};
    }
    return status == ML_OK ? take_trees(b, &e, err) : status;
}

/* What the model says of the rows. */
static ml_status add_model(mli_booster *b, const mli_design *d, double *score,
                           ml_error *err)
{
    mli_plan *plan = NULL;
    int64_t k = b->n_scores;
    ml_status status =
        mli_plan_new(b->options.objective.hooks->start, "score", NULL, &plan, err);
    if (status != ML_OK) return status;
    double *out = mli_alloc_vec(b->ctx, d->rows * k, sizeof *out);
    status = out ? mli_plan_run_design(plan, d, b->run, out, err) : mli_nomem(err);
    for (int64_t i = 0; status == ML_OK && i < d->rows; i++)
        for (int64_t j = 0; j < k; j++) score[j * d->rows + i] = out[i * k + j];
    mli_free(b->ctx, out);
    mli_plan_free(plan);
    return status;
}

ml_status mli_boost_start_scores(mli_booster *b, const mli_design *d, double *score,
                                 ml_error *err)
{
    ml_status status = ML_OK;
    for (int64_t k = 0; k < b->n_scores; k++)
        for (int64_t i = 0; i < d->rows; i++) score[k * d->rows + i] = b->base[k];
    if (b->options.objective.hooks->start) status = add_model(b, d, score, err);
    for (int64_t k = 0; d->offset && k < b->n_scores; k++)
        for (int64_t i = 0; i < d->rows; i++) score[k * d->rows + i] += d->offset[i];
    return status;
}
