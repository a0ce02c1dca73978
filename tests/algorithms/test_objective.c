/* SPDX-License-Identifier: MIT
 *
 * Objectives of boosting: gradients and hessians against finite differences of the loss,
 * the best constants, and the metrics of rankings and survival against plain counting.
 */
#include "algorithms/trees/objective.h"
#include "core/cpu.h"
#include "testing.h"
#include "tensor/kernels.h"

#define ROWS 60

static const mli_hooks no_hooks;

typedef struct rows {
    double y[ROWS], weight[ROWS], event[ROWS], upper[ROWS], score[3 * ROWS];
    int32_t label[ROWS];
    int64_t group[8];
    float gh[6 * ROWS];
} rows;

static double random_in(uint64_t *state, double low, double high)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (high - low) * (double)(*state >> 11) * 0x1p-53;
}

static mli_targets make_rows(rows *r, int64_t n_scores)
{
    uint64_t state = 5;
    for (int64_t i = 0; i < ROWS; i++) {
        r->y[i] = random_in(&state, 0.2, 3);
        r->weight[i] = random_in(&state, 0.5, 2);
        r->event[i] = i % 3 != 0;
        r->upper[i] = i % 4 == 0   ? r->y[i]
                      : i % 4 == 1 ? INFINITY
                                   : r->y[i] + random_in(&state, 0.1, 2);
        r->label[i] = (int32_t)(i % n_scores == 0 ? i / n_scores % 2 : i % n_scores);
        for (int64_t k = 0; k < n_scores; k++)
            r->score[k * ROWS + i] = random_in(&state, -1, 1);
    }
    return (mli_targets){.rows = ROWS, .y = r->y, .weight = r->weight};
}

static double loss_at(const mli_objective *o, const mli_targets *t, const rows *r)
{
    double sum, weight;
    if (o->kind == MLI_COX) {
        weight = 0;
        for (int64_t i = 0; i < ROWS; i++) weight += t->event[i] != 0 ? t->weight[i] : 0;
        return mli_cox_loss(t, r->score) * weight;
    }
    mli_objective_loss(o, t, 0, ROWS, r->score, ROWS, &sum, &weight);
    return sum;
}

/* `factor`: of the loss as reported to what is minimised; h_factor: what the hessian is
 * scaled by on purpose. */
static void check_slopes(const mli_objective *o, const mli_targets *t, rows *r,
                         double factor, double h_factor, int check_h)
{
    ml_context *ctx = test_context(1);
    if (mli_objective_whole(o))
        OK(mli_objective_gradients_whole(ctx, o, t, r->score, r->gh, ERR));
    else
        mli_objective_gradients(o, t, 0, ROWS, r->score, ROWS, r->gh);
    const double step = 1e-4;
    for (int64_t at = 0; at < o->n_scores * ROWS; at++) {
        double old = r->score[at];
        r->score[at] = old + step;
        double above = loss_at(o, t, r);
        r->score[at] = old - step;
        double below = loss_at(o, t, r);
        r->score[at] = old;
        double here = loss_at(o, t, r);
        double g = factor * (above - below) / (2 * step);
        double h = factor * (above - 2 * here + below) / (step * step);
        ck_assert_double_eq_tol((double)r->gh[2 * at], g, 2e-4 * (1 + fabs(g)));
        if (check_h)
            ck_assert_double_eq_tol((double)r->gh[2 * at + 1], h_factor * h,
                                    2e-3 * (1 + fabs(h)));
    }
    ml_context_free(ctx);
}

static mli_objective objective(ml_context *ctx, int32_t kind)
{
    return (mli_objective){.kind = kind,
                           .n_scores = 1,
                           .quantile = 0.8,
                           .huber_delta = 0.7,
                           .tweedie_power = 1.4,
                           .aft_scale = 1.5,
                           .truncate = 30,
                           .kernels = mli_kernels_of(ctx),
                           .hooks = &no_hooks};
}

START_TEST(slopes_of_values)
{
    ml_context *ctx = test_context(1);
    rows r;
    mli_targets t = make_rows(&r, 1);
    mli_objective o = objective(ctx, MLI_SQUARED);
    check_slopes(&o, &t, &r, 0.5, 1, 1);
    const int32_t kinds[] = {MLI_GAMMA, MLI_TWEEDIE};
    for (int k = 0; k < 2; k++) {
        o = objective(ctx, kinds[k]);
        check_slopes(&o, &t, &r, 1, 1, 1);
    }
    o = objective(ctx, MLI_POISSON); /* max_step 0 */
    check_slopes(&o, &t, &r, 1, 1, 1);
    const int32_t kinked[] = {MLI_ABSOLUTE, MLI_HUBER, MLI_QUANTILE};
    for (int k = 0; k < 3; k++) {
        o = objective(ctx, kinked[k]);
        check_slopes(&o, &t, &r, 1, 1, 0);
    }
    for (int64_t i = 0; i < ROWS; i++) r.y[i] /= 4;
    o = objective(ctx, MLI_CROSS_ENTROPY);
    check_slopes(&o, &t, &r, 1, 1, 1);
    ml_context_free(ctx);
}
END_TEST

START_TEST(slopes_of_classes)
{
    ml_context *ctx = test_context(1);
    rows r;
    mli_targets t = make_rows(&r, 2);
    t.label = r.label;
    t.y = NULL;
    mli_objective o = objective(ctx, MLI_LOGISTIC);
    o.n_classes = 2;
    check_slopes(&o, &t, &r, 1, 1, 1);
    make_rows(&r, 3);
    o = objective(ctx, MLI_SOFTMAX);
    o.n_classes = o.n_scores = 3;
    check_slopes(&o, &t, &r, 1, 1.5, 1); /* the factor K / (K - 1) */
    ml_context_free(ctx);
}
END_TEST

START_TEST(slopes_of_several_quantiles)
{
    static const double quantiles[] = {0.1, 0.5, 0.9};
    ml_context *ctx = test_context(1);
    rows r;
    mli_targets t = make_rows(&r, 3);
    mli_objective o = objective(ctx, MLI_QUANTILE);
    o.n_scores = 3;
    o.quantiles = quantiles;
    check_slopes(&o, &t, &r, 3, 1, 0);
    double score[3] = {1, 2, 3}, out;
    mli_objective_value(&o, score, &out);
    ck_assert_double_eq(out, 2);
    ml_context_free(ctx);
}
END_TEST

START_TEST(slopes_of_survival)
{
    ml_context *ctx = test_context(1);
    rows r;
    mli_targets t = make_rows(&r, 1);
    t.event = r.event;
    for (int64_t i = 0; i < ROWS; i++) r.y[i] = ceil(r.y[i] * 4); /* ties */
    mli_objective o = objective(ctx, MLI_COX);
    int64_t *order = mli_survival_order(ctx, &t);
    t.order = order;
    check_slopes(&o, &t, &r, 1, 1, 1);
    mli_free(ctx, order);
    make_rows(&r, 1);
    for (int32_t d = MLI_AFT_NORMAL; d <= MLI_AFT_EXTREME; d++) {
        o = objective(ctx, MLI_AFT);
        o.aft = d;
        t.event = r.event;
        t.upper = NULL;
        check_slopes(&o, &t, &r, 1, 1, 1);
        t.event = NULL;
        t.upper = r.upper;
        check_slopes(&o, &t, &r, 1, 1, 1);
    }
    ml_context_free(ctx);
}
END_TEST

/* The gradients of a ranking add up to nothing in each group and raise what is relevant;
 * a step against them improves the measure. */
START_TEST(rankings_improve)
{
    ml_context *ctx = test_context(2);
    const int32_t kinds[] = {MLI_RANK_NDCG, MLI_RANK_MAP, MLI_RANK_PAIRWISE};
    for (int k = 0; k < 3; k++) {
        rows r;
        mli_targets t = make_rows(&r, 1);
        for (int i = 0; i < 7; i++) r.group[i] = i * 10;
        for (int64_t i = 0; i < ROWS; i++) r.y[i] = (double)(i * 7 % 5);
        t.weight = NULL;
        t.n_groups = 6;
        t.group = r.group;
        mli_objective o = objective(ctx, kinds[k]);
        OK(mli_objective_check(&o, &t, ERR));
        double before = mli_rank_metric(ctx, &t, r.score, kinds[k] == MLI_RANK_MAP, 0);
        for (int turn = 0; turn < 20; turn++) {
            OK(mli_objective_gradients_whole(ctx, &o, &t, r.score, r.gh, ERR));
            for (int g = 0; g < 6; g++) {
                double sum = 0;
                for (int64_t i = r.group[g]; i < r.group[g + 1]; i++)
                    sum += (double)r.gh[2 * i];
                ck_assert_double_eq_tol(sum, 0, 1e-5);
            }
            for (int64_t i = 0; i < ROWS; i++) r.score[i] -= 0.3 * (double)r.gh[2 * i];
        }
        double after = mli_rank_metric(ctx, &t, r.score, kinds[k] == MLI_RANK_MAP, 0);
        ck_assert_msg(after > before + 0.05, "objective %d: %f, then %f", kinds[k],
                      before, after);
    }
    ml_context_free(ctx);
}
END_TEST

/* What the kernels of pairs must give, by plain counting in order of the scores. */
#define LONG 200

static double plain_change(const double *y, const int32_t *at, int32_t n, int32_t kind,
                           int32_t i, int32_t j)
{
    double best = 0, relevant = 0, before = 0, after = 0, hits = 0;
    if (kind == MLI_RANK_PAIRWISE) return 1;
    for (int32_t k = 4, place = 0; k > 0; k--)
        for (int32_t r = 0; r < n; r++)
            if (y[r] == k && place < 30) best += (exp2(k) - 1) / log2(2 + place++);
    if (kind == MLI_RANK_NDCG)
        return fabs((exp2(y[at[i]]) - exp2(y[at[j]])) *
                    (1 / log2(2 + i) - 1 / log2(2 + j))) /
               best;
    for (int32_t r = 0; r < n; r++) relevant += y[r] > 0;
    for (int32_t r = 0; r < n; r++)
        if (y[at[r]] > 0) before += ++hits / (r + 1);
    hits = 0;
    for (int32_t r = 0; r < n; r++)
        if (y[at[r == i ? j : r == j ? i : r]] > 0) after += ++hits / (r + 1);
    return fabs(after - before) / relevant;
}

static void plain_pairs(const double *y, const double *score, int32_t n, int32_t kind,
                        double *gh)
{
    int32_t at[LONG];
    double sum = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t place = 0;
        for (int32_t j = 0; j < n; j++)
            place += score[j] > score[i] || (score[j] == score[i] && j < i);
        at[place] = i;
        gh[2 * i] = gh[2 * i + 1] = 0;
    }
    double spread = score[at[0]] - score[at[n - 1]];
    for (int32_t i = 0; i < n && i < 30; i++) {
        for (int32_t j = i + 1; j < n; j++) {
            if ((kind == MLI_RANK_MAP ? (y[at[i]] > 0) == (y[at[j]] > 0)
                                      : y[at[i]] == y[at[j]]))
                continue;
            int32_t high = y[at[i]] > y[at[j]] ? at[i] : at[j],
                    low = at[i] + at[j] - high;
            double d = score[high] - score[low], p = 1 / (1 + exp(d));
            double w = plain_change(y, at, n, kind, i, j);
            if (kind != MLI_RANK_PAIRWISE && spread > 0) w /= 0.01 + fabs(d);
            gh[2 * high] -= w * p;
            gh[2 * low] += w * p;
            gh[2 * high + 1] += w * p * (1 - p);
            gh[2 * low + 1] += w * p * (1 - p);
            sum += 2 * w * p;
        }
    }
    for (int32_t i = 0; i < 2 * n; i++) gh[i] *= sum > 0 ? log2(1 + sum) / sum : 1;
}

/* Groups short and long, scores equal, near and so far apart that powers vanish; the same
 * bits with and without vector instructions. */
START_TEST(pairs_of_rankings)
{
    ml_context *ctx = test_context(1);
    const int32_t sizes[] = {1, 2, 3, 7, 40, LONG};
    const double widths[] = {0, 1, 30, 3000};
    for (int trial = 0; trial < 3 * 6 * 4; trial++) {
        int32_t kind = MLI_RANK_NDCG + trial % 3, n = sizes[trial / 3 % 6];
        double y[LONG], score[LONG], expected[2 * LONG];
        float gh[2 * LONG], again[2 * LONG];
        uint64_t state = (uint64_t)trial + 1;
        int64_t group[] = {0, n};
        for (int32_t i = 0; i < n; i++) {
            y[i] = floor(random_in(&state, 0, 5));
            double width = widths[trial / 18];
            score[i] = i % 5 == 1 ? score[i - 1] : random_in(&state, -width, width);
        }
        mli_targets t = {.rows = n, .y = y, .n_groups = 1, .group = group};
        mli_objective o = objective(ctx, kind);
        o.truncate = 30;
        o.level = ctx->cpu_level;
        OK(mli_objective_gradients_whole(ctx, &o, &t, score, gh, ERR));
        plain_pairs(y, score, n, kind, expected);
        for (int32_t i = 0; i < n; i++) {
            ck_assert_double_eq_tol((double)gh[2 * i], expected[2 * i], 1e-6);
            ck_assert_double_eq_tol((double)gh[2 * i + 1], expected[2 * i + 1], 1e-6);
        }
        o.level = MLI_CPU_SCALAR;
        o.kernels = mli_kernels_level(MLI_CPU_SCALAR);
        OK(mli_objective_gradients_whole(ctx, &o, &t, score, again, ERR));
        ck_assert_mem_eq(gh, again, 2 * (size_t)n * sizeof *gh);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(measures_of_rankings)
{
    ml_context *ctx = test_context(1);
    const double y[] = {3, 2, 0, 1, 0, 0}, score[] = {0.1, 0.9, 0.5, 0.7, 2, 1};
    const int64_t group[] = {0, 4, 6};
    mli_targets t = {.rows = 6, .y = y, .n_groups = 2, .group = group};
    /* Order 2, 1, 0, 3 of relevance; the second group has nothing relevant. */
    double dcg = 3 / log2(2) + 1 / log2(3) + 7 / log2(5);
    double best = 7 / log2(2) + 3 / log2(3) + 1 / log2(4);
    ck_assert_double_eq_tol(mli_rank_metric(ctx, &t, score, 0, 0), (dcg / best + 1) / 2,
                            1e-12);
    dcg = 3 / log2(2) + 1 / log2(3);
    best = 7 / log2(2) + 3 / log2(3);
    ck_assert_double_eq_tol(mli_rank_metric(ctx, &t, score, 0, 2), (dcg / best + 1) / 2,
                            1e-12);
    double ap = (1 + 1 + 3.0 / 4) / 3;
    ck_assert_double_eq_tol(mli_rank_metric(ctx, &t, score, 1, 0), (ap + 1) / 2, 1e-12);
    ml_context_free(ctx);
}
END_TEST

/* The relevances of a metric are any numbers: not whole, or larger than those that
 * training takes. */
START_TEST(any_relevance_is_measured)
{
    ml_context *ctx = test_context(1);
    const double y[][4] = {{0.5, 2.25, 0, 1}, {40, 999, 3, 0}};
    const double score[] = {3, 2, 1, 0};
    const int64_t group[] = {0, 4};
    const double discount[] = {1, 1 / log2(3), 0.5, 1 / log2(5)};
    const int best[][4] = {{1, 3, 0, 2}, {1, 0, 2, 3}};
    for (int k = 0; k < 2; k++) {
        mli_targets t = {.rows = 4, .y = y[k], .n_groups = 1, .group = group};
        double dcg = 0, ideal = 0;
        for (int i = 0; i < 4; i++) {
            dcg += (exp2(y[k][i]) - 1) * discount[i];
            ideal += (exp2(y[k][best[k][i]]) - 1) * discount[i];
        }
        double found = mli_rank_metric(ctx, &t, score, 0, 0);
        ck_assert_double_eq_tol(found, dcg / ideal, 1e-12);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(concordance_counts_pairs)
{
    ml_context *ctx = test_context(1);
    rows r;
    mli_targets t = make_rows(&r, 1);
    t.event = r.event;
    double good = 0, pairs = 0, risk[ROWS];
    for (int64_t i = 0; i < ROWS; i++) {
        r.y[i] = ceil(r.y[i] * 5);
        risk[i] = floor(r.score[i] * 4);
    }
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t j = 0; r.event[i] != 0 && j < ROWS; j++) {
            if (!(r.y[j] > r.y[i] || (r.y[j] == r.y[i] && r.event[j] == 0))) continue;
            double w = r.weight[i] * r.weight[j];
            pairs += w;
            good += w * (risk[i] > risk[j] ? 1 : risk[i] == risk[j] ? 0.5 : 0);
        }
    }
    ck_assert_double_eq_tol(mli_concordance(ctx, &t, risk), good / pairs, 1e-12);
    ml_context_free(ctx);
}
END_TEST

/* The sum of the gradients is zero at the best constant, with an offset as well. */
START_TEST(constants_are_the_best)
{
    ml_context *ctx = test_context(1);
    const int32_t kinds[] = {MLI_SQUARED, MLI_POISSON, MLI_GAMMA, MLI_TWEEDIE, MLI_AFT};
    for (int k = 0; k < 5; k++) {
        rows r;
        mli_targets t = make_rows(&r, 1);
        mli_objective o = objective(ctx, kinds[k]);
        double base, offset[ROWS], sum = 0;
        for (int64_t i = 0; i < ROWS; i++) offset[i] = r.score[i];
        t.offset = offset;
        OK(mli_objective_base(ctx, &o, &t, &base, ERR));
        for (int64_t i = 0; i < ROWS; i++) r.score[i] = base + offset[i];
        mli_objective_gradients(&o, &t, 0, ROWS, r.score, ROWS, r.gh);
        for (int64_t i = 0; i < ROWS; i++) sum += (double)r.gh[2 * i];
        ck_assert_double_eq_tol(sum, 0, 1e-3);
    }
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/objective", slopes_of_values, slopes_of_classes,
          slopes_of_several_quantiles, slopes_of_survival, rankings_improve,
          pairs_of_rankings, measures_of_rankings, any_relevance_is_measured,
          concordance_counts_pairs, constants_are_the_best)
