/* SPDX-License-Identifier: MIT
 *
 * trees/objective_rank.c: learning to rank within groups (Burges, "From RankNet to
 * LambdaRank to LambdaMART", 2010). Each pair of rows of different relevance pulls the
 * two scores apart by the gradient of the logistic loss of their difference, times what
 * an exchange of the two would change in the measure: NDCG, average precision, or 1 for
 * plain pairs. The pairs looked at have at least one row among the first `truncate`
 * positions. Gains are 2^relevance - 1, discounts 1 / log2(1 + position).
 *
 * Cost per round: a sort of each group and truncate * (size of the group) pairs, a
 * nanosecond or two each (rank_pairs.c).
 */
#include "core/radix.h"
#include "algorithms/trees/rank.h"
#include <math.h>
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

/* Relevances of training are small whole numbers, those of metrics any from 0 on. */
static int is_small(double y)
{
    return y <= MOST_RELEVANCE && y == (double)(int32_t)y;
}

static double gain_of(double y)
{
    return (is_small(y) ? (double)(UINT32_C(1) << (int32_t)y) : exp2(y)) - 1;
}

static double discount(int64_t position)
{
    return 1 / log2((double)position + 2);
}

/* DCG of the best order, by counting small whole numbers. */
static double counted_dcg(const double *y, int64_t n, int64_t positions,
                          const double *discounts)
{
    int64_t count[MOST_RELEVANCE + 1] = {0}, at = 0;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) count[(int32_t)y[i]]++;
    for (int32_t k = MOST_RELEVANCE; k > 0; k--)
        for (int64_t c = count[k]; c > 0 && at < positions; c--)
            sum += gain_of(k) * discounts[at++];
    return sum;
}

/* Rows of the largest group. */
static int64_t most_rows(const mli_targets *t)
{
    int64_t most = 0;
    for (int64_t k = 0; k < t->n_groups; k++)
        if (t->group[k + 1] - t->group[k] > most) most = t->group[k + 1] - t->group[k];
    return most;
}

/* Those of n positions: fresh memory, NULL without. */
static double *discounts_of(ml_context *ctx, int64_t n)
{
    double *d = mli_alloc_vec(ctx, n, sizeof *d);
    for (int64_t i = 0; d && i < n; i++) d[i] = discount(i);
    return d;
}

typedef struct ranking {
    const mli_objective *o;
    const mli_targets *t;
    const double *score;
    float *gh;
    int64_t most;     /* rows of the largest group, and padding */
    double *scratch;  /* [slots * MLI_RANK_ARRAYS * most] */
    double *discount; /* [most] by position */
} ranking;

/* One group in the order of its scores. */
typedef struct group {
    const ranking *r;
    int64_t first, n;
    int64_t *row; /* [n] by position */
    double ideal; /* DCG, or number of relevant rows */
    mli_rank_pairs p;
} group;

/* What an exchange of positions i < j changes, as |from[i] + to[j]| times the difference
 * of the gains. NDCG: the difference of the discounts. Average precision, with as many
 * relevant rows up to k as count[k] and the sum of 1 / position over them hits[k]:
 * hits[j - 1] - hits[i], and the precision at i (with one more relevant row where i has
 * none) less that at j. */
static void set_changes(group *g)
{
    const ranking *r = g->r;
    double *from = g->p.from, *to = g->p.to, relevant = 0, hits = 0;
    g->ideal = 1;
    if (r->o->kind == MLI_RANK_NDCG)
        g->ideal = counted_dcg(r->t->y + g->first, g->n, r->o->truncate, r->discount);
    for (int64_t i = 0; i < g->n; i++) {
        double position = (double)i + 1, before = hits;
        from[i] = r->o->kind == MLI_RANK_NDCG ? r->discount[i] : 1;
        to[i] = r->o->kind == MLI_RANK_NDCG ? -r->discount[i] : 0;
        if (r->o->kind != MLI_RANK_MAP) continue;
        int here = g->p.gain[i] > 0;
        relevant += here;
        hits += here ? 1 / position : 0;
        from[i] = (relevant + !here) / position - hits;
        to[i] = before - relevant / position;
    }
    if (r->o->kind == MLI_RANK_MAP) g->ideal = relevant;
}

/* Of a group in its order of scores: what the pairs need, with padding that adds none. */
static void fill_group(group *g)
{
    const ranking *r = g->r;
    int32_t kind = r->o->kind;
    for (int64_t i = 0; i < g->n; i++) {
        double y = r->t->y[g->row[i]];
        g->p.gain[i] = kind == MLI_RANK_MAP    ? y > 0
                       : kind == MLI_RANK_NDCG ? gain_of(y)
                                               : y;
        g->p.score[i] = r->score[g->row[i]];
    }
    set_changes(g);
    for (int64_t i = 0; i < g->n + MLI_RANK_PAD; i++) {
        g->p.g[i] = g->p.h[i] = g->p.total[i] = 0;
        g->p.factor[i] = i < g->n && g->ideal > 0 ? 1 / g->ideal : 0;
        if (i < g->n) continue;
        g->p.gain[i] = g->p.from[i] = g->p.to[i] = 0;
        g->p.score[i] = g->p.score[g->n - 1];
    }
}

static void write_group(const group *g, double factor)
{
    const mli_targets *t = g->r->t;
    for (int64_t i = 0; i < g->n; i++) {
        int64_t row = g->row[i];
        double w = t->weight ? t->weight[row] : 1;
        mli_put_gradient(g->r->gh + 2 * row, w, factor * g->p.g[i], factor * g->p.h[i]);
    }
}

/* The arrays of a group in a thread's scratch. */
static void place_group(group *g, double *scratch)
{
    double **arrays[] = {&g->p.score,  &g->p.power, &g->p.gain, &g->p.from, &g->p.to,
                         &g->p.factor, &g->p.g,     &g->p.h,    &g->p.total};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        *arrays[k] = scratch + (int64_t)k * g->r->most;
    g->row = (int64_t *)(void *)(scratch + (MLI_RANK_ARRAYS - 1) * g->r->most);
}

static void rank_group(const ranking *r, int64_t k, double *scratch)
{
    group g = {.r = r, .first = r->t->group[k]};
    const mli_kernels *kernels = r->o->kernels;
    g.n = r->t->group[k + 1] - g.first;
    place_group(&g, scratch);
    mli_rank_order(r->o->level, r->score + g.first, g.n, g.row, scratch);
    for (int64_t i = 0; i < g.n; i++) g.row[i] += g.first;
    fill_group(&g);
    g.p.n = g.n;
    g.p.most = r->o->truncate < g.n - 1 ? r->o->truncate : g.n - 1;
    double spread = g.p.score[0] - g.p.score[g.n - 1];
    g.p.alike = r->o->kind == MLI_RANK_PAIRWISE || !(spread > 0);
    g.p.cap = r->o->kind == MLI_RANK_PAIRWISE ? 1 : INFINITY;
    if (g.ideal > 0) mli_rank_pairs_add(r->o->level, kernels, &g.p);
    double sum = 2 * kernels->sum(g.p.total, g.n);
    /* Groups with many pairs would outweigh the others. */
    write_group(&g, sum > 0 ? log2(1 + sum) / sum : 1);
}

static void rank_task(void *arg, int64_t task, int32_t slot)
{
    const ranking *r = arg;
    int64_t end = (task + 1) * GROUPS_PER_TASK;
    if (end > r->t->n_groups) end = r->t->n_groups;
    for (int64_t k = task * GROUPS_PER_TASK; k < end; k++)
        rank_group(r, k, r->scratch + (int64_t)slot * MLI_RANK_ARRAYS * r->most);
}

ml_status mli_rank_gradients(ml_context *ctx, const mli_objective *o,
                             const mli_targets *t, const double *score, float *gh,
                             ml_error *err)
{
    ranking r = {.o = o, .t = t, .score = score, .gh = gh};
    r.most = most_rows(t) + MLI_RANK_PAD;
    r.discount = discounts_of(ctx, r.most);
    r.scratch =
        mli_alloc_vec(ctx, mli_slots(ctx) * MLI_RANK_ARRAYS * r.most, sizeof *r.scratch);
    int ok = r.scratch && r.discount;
    if (ok)
        mli_parallel(ctx, mli_task_count(t->n_groups, GROUPS_PER_TASK), rank_task, &r);
    mli_free(ctx, r.scratch);
    mli_free(ctx, r.discount);
    return ok ? ML_OK : mli_nomem(err);
}

/* ---- metrics ---- */

/* The same of any relevances; scratch[2 * n]. */
static double ideal_dcg(const double *y, int64_t n, int64_t positions,
                        const double *discounts, double *scratch)
{
    int small = 1;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) small &= is_small(y[i]);
    if (small) return counted_dcg(y, n, positions, discounts);
    memcpy(scratch, y, (size_t)n * sizeof *y);
    mli_radix_sort_f64(scratch, scratch + n, n);
    for (int64_t i = 0; i < n && i < positions; i++)
        sum += gain_of(scratch[n - 1 - i]) * discounts[i];
    return sum;
}

static double ndcg(const double *y, int64_t n, const int64_t *order, int64_t positions,
                   const double *discounts, double *scratch)
{
    double best = ideal_dcg(y, n, positions, discounts, scratch), sum = 0;
    if (!(best > 0)) return 1;
    for (int64_t i = 0; i < n && i < positions; i++)
        sum += gain_of(y[order[i]]) * discounts[i];
    return sum / best;
}

static double average_precision(const double *y, int64_t n, const int64_t *order,
                                int64_t positions)
{
    double relevant = 0, hits = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(y[order[i]] > 0)) continue;
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
    int64_t positions = at > 0 ? at : t->rows, most = most_rows(t);
    double *discounts = discounts_of(ctx, most);
    double *scratch = mli_alloc_vec(ctx, 3 * most, sizeof *scratch);
    int64_t *order = (int64_t *)(void *)scratch;
    for (int64_t k = 0; discounts && scratch && k < t->n_groups; k++) {
        int64_t first = t->group[k], n = t->group[k + 1] - first;
        const double *y = t->y + first;
        double w = t->weight ? t->weight[first] : 1;
        mli_rank_order(ctx->cpu_level, score + first, n, order, scratch + most);
        total += w * (map ? average_precision(y, n, order, positions)
                          : ndcg(y, n, order, positions, discounts, scratch + most));
        weights += w;
    }
    int ok = discounts && scratch && weights > 0;
    mli_free(ctx, discounts);
    mli_free(ctx, scratch);
    return ok ? total / weights : NAN;
}
