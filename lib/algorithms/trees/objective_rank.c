/* SPDX-License-Identifier: MIT
 *
 * trees/objective_rank.c: learning to rank within groups (Burges, "From RankNet to
 * LambdaRank to LambdaMART", 2010). Each pair of rows of different relevance pulls the
 * two scores apart by the gradient of the logistic loss of their difference, times what
 * an exchange of the two would change in the measure: NDCG, average precision, or 1 for
 * plain pairs. The pairs looked at have at least one row among the first `truncate`
 * positions. Gains are 2^relevance - 1, discounts 1 / log2(1 + position).
 *
 * Cost per round: a sort of each group and truncate * (size of the group) pairs.
 */
#include "algorithms/trees/objective.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_PER_TASK 16
#define MOST_RELEVANCE  31

ml_status mli_rank_check(const mli_targets *t, ml_error *err)
{
    if (!t->group) {
        mli_fail(err, ML_E_ARGUMENT, "a ranking needs groups of rows");
        mli_error_at(err, ML_E_ARGUMENT, "params.group");
        return mli_error_hint(err, ML_E_ARGUMENT,
                              "set group to the column that names the query");
    }
    for (int64_t i = 0; i < t->rows; i++) {
        double y = t->y[i];
        if (y >= 0 && y <= MOST_RELEVANCE && y == floor(y)) continue;
        return mli_fail(
            err, ML_E_DATA,
            "the target of row %lld is %s, a ranking needs whole numbers from "
            "0 to %d",
            (long long)i + 1, MLI_NUM(y), MOST_RELEVANCE);
    }
    return ML_OK;
}

typedef struct place {
    double score;
    int64_t row;
} place;

/* Falling score; the first row on a tie. */
static int by_score(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static double gain_of(double y)
{
    return exp2(y) - 1;
}

static double discount(int64_t position)
{
    return 1 / log2((double)position + 2);
}

static int by_gain(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* What the best order reaches. */
static double ideal_dcg(const double *y, int64_t n, int64_t at, double *scratch)
{
    double sum = 0;
    memcpy(scratch, y, (size_t)n * sizeof *y);
    qsort(scratch, (size_t)n, sizeof *scratch, by_gain);
    for (int64_t i = 0; i < n && i < at; i++) sum += gain_of(scratch[i]) * discount(i);
    return sum;
}

typedef struct ranking {
    const mli_objective *o;
    const mli_targets *t;
    const double *score;
    float *gh;
    int64_t most;     /* rows of the largest group */
    place *places;    /* [slots * most] */
    double *scratch;  /* [slots * 5 * most] */
    double *discount; /* [most] by position */
} ranking;

/* One group in the order of its scores. */
typedef struct group {
    const ranking *r;
    int64_t first, n;
    place *at;      /* [n] */
    double *lambda; /* [2 * n] gradient and hessian by position */
    double *hits;   /* [n] average precision: sums of 1 / position over relevant rows */
    double *gain;   /* [n] by position; of the plain relevance where that decides */
    double ideal;   /* DCG, or number of relevant rows */
} group;

/* Change of the average precision, times the number of relevant rows, when positions i <
 * j change places. count[k]: relevant rows up to k. */
static double precision_change(const group *g, const double *count, int64_t i, int64_t j)
{
    double between = g->hits[j - 1] - g->hits[i];
    double pi = (double)i + 1, pj = (double)j + 1;
    if (g->gain[i] > 0) return count[i] / pi + between - count[j] / pj;
    return (count[i] + 1) / pi + between - count[j] / pj;
}

static double change(const group *g, const double *count, int64_t i, int64_t j)
{
    if (g->r->o->kind == MLI_RANK_PAIRWISE) return 1;
    if (g->r->o->kind == MLI_RANK_MAP)
        return fabs(precision_change(g, count, i, j)) / g->ideal;
    const double *d = g->r->discount;
    return fabs((g->gain[i] - g->gain[j]) * (d[i] - d[j])) / g->ideal;
}

/* Adds a pair; returns the size of its gradient. */
static double add_pair(const group *g, const double *count, int64_t i, int64_t j,
                       double spread)
{
    double yi = g->gain[i], yj = g->gain[j];
    if (yi == yj) return 0;
    int64_t high = yi > yj ? i : j, low = yi > yj ? j : i;
    double difference = g->at[high].score - g->at[low].score;
    double weight = change(g, count, i, j);
    if (spread > 0 && g->r->o->kind != MLI_RANK_PAIRWISE)
        weight /= 0.01 + fabs(difference);
    double p = 1 / (1 + exp(difference)), h = weight * p * (1 - p);
    g->lambda[2 * high] -= weight * p;
    g->lambda[2 * low] += weight * p;
    g->lambda[2 * high + 1] += h;
    g->lambda[2 * low + 1] += h;
    return 2 * weight * p;
}

/* DCG of the best order, by counting: relevances are small whole numbers. */
static double ideal_of(const group *g)
{
    const double *y = g->r->t->y + g->first;
    int64_t count[MOST_RELEVANCE + 1] = {0}, at = 0;
    double sum = 0;
    for (int64_t i = 0; i < g->n; i++) count[(int32_t)y[i]]++;
    for (int32_t k = MOST_RELEVANCE; k > 0; k--)
        for (int64_t c = count[k]; c > 0 && at < g->r->o->truncate; c--)
            sum += ((double)(UINT32_C(1) << k) - 1) * g->r->discount[at++];
    return sum;
}

/* Sums for average precision, and `ideal`. */
static void prepare(group *g, double *count)
{
    const mli_objective *o = g->r->o;
    g->ideal = 1;
    if (o->kind == MLI_RANK_NDCG) g->ideal = ideal_of(g);
    if (o->kind != MLI_RANK_MAP) return;
    double relevant = 0, sum = 0;
    for (int64_t i = 0; i < g->n; i++) {
        if (g->gain[i] > 0) {
            relevant++;
            sum += 1 / ((double)i + 1);
        }
        count[i] = relevant;
        g->hits[i] = sum;
    }
    g->ideal = relevant;
}

static void write_group(const group *g, double factor)
{
    const mli_targets *t = g->r->t;
    for (int64_t i = 0; i < g->n; i++) {
        int64_t row = g->at[i].row;
        double w = t->weight ? t->weight[row] : 1;
        mli_put_gradient(g->r->gh + 2 * row, w, factor * g->lambda[2 * i],
                         factor * g->lambda[2 * i + 1]);
    }
}

static void rank_group(const ranking *r, int64_t k, place *at, double *scratch)
{
    group g = {.r = r, .first = r->t->group[k], .at = at, .lambda = scratch};
    g.n = r->t->group[k + 1] - g.first;
    g.hits = scratch + 2 * r->most;
    double *count = scratch + 3 * r->most;
    g.gain = scratch + 4 * r->most;
    for (int64_t i = 0; i < g.n; i++) at[i] = (place){r->score[g.first + i], g.first + i};
    qsort(at, (size_t)g.n, sizeof *at, by_score);
    for (int64_t i = 0; i < g.n; i++) {
        double y = r->t->y[at[i].row];
        g.gain[i] = r->o->kind == MLI_RANK_MAP ? y > 0 : gain_of(y);
    }
    prepare(&g, count);
    memset(g.lambda, 0, 2 * (size_t)g.n * sizeof *g.lambda);
    double spread = at[0].score - at[g.n - 1].score, sum = 0;
    int64_t most = r->o->truncate < g.n - 1 ? r->o->truncate : g.n - 1;
    if (g.ideal > 0)
        for (int64_t i = 0; i < most; i++)
            for (int64_t j = i + 1; j < g.n; j++)
                sum += add_pair(&g, count, i, j, spread);
    /* Groups with many pairs would outweigh the others. */
    write_group(&g, sum > 0 ? log2(1 + sum) / sum : 1);
}

static void rank_task(void *arg, int64_t task, int32_t slot)
{
    const ranking *r = arg;
    int64_t end = (task + 1) * GROUPS_PER_TASK;
    if (end > r->t->n_groups) end = r->t->n_groups;
    for (int64_t k = task * GROUPS_PER_TASK; k < end; k++)
        rank_group(r, k, r->places + (int64_t)slot * r->most,
                   r->scratch + (int64_t)slot * 5 * r->most);
}

ml_status mli_rank_gradients(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, const double *score, float *gh,
                             ml_error *err)
{
    ranking r = {.o = o, .t = t, .score = score, .gh = gh};
    for (int64_t k = 0; k < t->n_groups; k++)
        if (t->group[k + 1] - t->group[k] > r.most)
            r.most = t->group[k + 1] - t->group[k];
    r.places = mli_alloc_vec(ctx, mli_slots(ctx) * r.most, sizeof *r.places);
    r.scratch = mli_alloc_vec(ctx, mli_slots(ctx) * 5 * r.most, sizeof *r.scratch);
    r.discount = mli_alloc_vec(ctx, r.most, sizeof *r.discount);
    for (int64_t i = 0; r.discount && i < r.most; i++) r.discount[i] = discount(i);
    int ok = r.places && r.scratch && r.discount;
    if (ok)
        mli_parallel(ctx, mli_task_count(t->n_groups, GROUPS_PER_TASK), rank_task, &r);
    mli_free(ctx, r.places);
    mli_free(ctx, r.scratch);
    mli_free(ctx, r.discount);
    return ok ? ML_OK : mli_nomem(err);
}

/* ---- metrics ---- */

static double ndcg(const mli_targets *t, int64_t first, int64_t n, const place *at,
                   int64_t positions, double *scratch)
{
    double best = ideal_dcg(t->y + first, n, positions, scratch), sum = 0;
    if (!(best > 0)) return 1;
    for (int64_t i = 0; i < n && i < positions; i++)
        sum += gain_of(t->y[at[i].row]) * discount(i);
    return sum / best;
}

static double average_precision(const mli_targets *t, int64_t n, const place *at,
                                int64_t positions)
{
    double relevant = 0, hits = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(t->y[at[i].row] > 0)) continue;
        relevant++;
        if (i < positions) sum += ++hits / ((double)i + 1);
    }
    double most = relevant < (double)positions ? relevant : (double)positions;
    return relevant > 0 ? sum / most : 1;
}

double mli_rank_metric(ml_context *ctx, const mli_targets *t, const double *score,
                       int map, int64_t at)
{
    double total = 0, weights = 0;
    int64_t positions = at > 0 ? at : t->rows;
    place *order = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *order);
    double *scratch = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *scratch);
    for (int64_t k = 0; order && scratch && k < t->n_groups; k++) {
        int64_t first = t->group[k], n = t->group[k + 1] - first;
        double w = t->weight ? t->weight[first] : 1;
        for (int64_t i = 0; i < n; i++) order[i] = (place){score[first + i], first + i};
        qsort(order, (size_t)n, sizeof *order, by_score);
        total += w * (map ? average_precision(t, n, order, positions)
                          : ndcg(t, first, n, order, positions, scratch));
        weights += w;
    }
    int ok = order && scratch && weights > 0;
    mli_free(ctx, order);
    mli_free(ctx, scratch);
    return ok ? total / weights : NAN;
}
