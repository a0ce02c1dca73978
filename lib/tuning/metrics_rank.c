/* SPDX-License-Identifier: MIT
 *
 * metrics_rank.c: metrics of rankings and of survival. The rows of a ranking belong to
 * groups; without groups all rows are one. The counting is in trees/objective_rank.c and
 * trees/objective_survival.c, where training uses it.
 */
#include "algorithms/trees/objective.h"
#include "tuning/metrics.h"

#include <math.h>

#define POSITIONS 10 /* of ndcg */

static ml_status ranked(ml_context *ctx, const mli_truth *t, const double *p, int map,
                        double *out, ml_error *err)
{
    const int64_t all[2] = {0, t->n};
    mli_targets targets = {.rows = t->n,
                           .y = t->y,
                           .weight = t->weight,
                           .n_groups = t->group ? t->n_groups : 1,
                           .group = t->group ? t->group : all};
    for (int64_t i = 0; i < t->n; i++) {
        if (t->y[i] >= 0 && t->y[i] < 1000) continue;
        mli_fail(err, ML_E_DATA, "the relevance %s is not from 0 to 1000",
                 MLI_NUM(t->y[i]));
        return mli_error_at(err, ML_E_DATA, "truth, row %lld", (long long)i + 1);
    }
    *out = mli_rank_metric(ctx, &targets, p, map, map ? 0 : POSITIONS);
    return isnan(*out) ? mli_nomem(err) : ML_OK;
}

static ml_status score_ndcg(ml_context *ctx, const mli_truth *t, const double *p,
                            const mli_metric_options *options, double *out, ml_error *err)
{
    (void)options;
    return ranked(ctx, t, p, 0, out, err);
}

static ml_status score_map(ml_context *ctx, const mli_truth *t, const double *p,
                           const mli_metric_options *options, double *out, ml_error *err)
{
    (void)options;
    return ranked(ctx, t, p, 1, out, err);
}

static ml_status score_concordance(ml_context *ctx, const mli_truth *t, const double *p,
                                   const mli_metric_options *options, double *out,
                                   ml_error *err)
{
    (void)options;
    mli_targets targets = {
        .rows = t->n, .y = t->y, .weight = t->weight, .event = t->event};
    *out = mli_concordance(ctx, &targets, p);
    if (!isnan(*out)) return ML_OK;
    return mli_fail(err, ML_E_DATA, "no two rows can be compared: no event is followed");
}

MLI_METRIC(concordance, "concordance_index,c_index,harrell_c", "concordance",
           "Share of the pairs of rows whose order in time is known in which the row of "
           "the higher predicted risk fails first (Harrell); ties count half.",
           MLI_TASK_SURVIVAL, "value", MLI_NEEDS_RISK, 1)
MLI_METRIC(map, "mean_average_precision", "mean average precision",
           "Mean over the groups of the average precision; relevant is what is above 0. "
           "Groups without a relevant row count 1.",
           MLI_TASK_RANKING, "value", MLI_NEEDS_VALUE, 1)
MLI_METRIC(ndcg, "ndcg_score,ndcg_at_10", "normalised discounted cumulative gain",
           "Mean over the groups of the gain 2^y - 1 of the first 10 rows, discounted by "
           "1 / log2(1 + position), over that of the best order.",
           MLI_TASK_RANKING, "value", MLI_NEEDS_VALUE, 1)
