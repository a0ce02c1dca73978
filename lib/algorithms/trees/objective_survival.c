/* SPDX-License-Identifier: MIT
 *
 * trees/objective_survival.c: times until an event, some of them censored.
 *
 * cox: minus the log of Cox's partial likelihood, ties by Breslow's approximation; the
 * score is the log of the hazard relative to the others. aft: accelerated failure time,
 * log(time) = score + scale * z with z normal, logistic or (smallest) extreme; the row is
 * censored to the right, or its time lies in an interval (Barnwal and others, "Survival
 * regression with accelerated failure time model in XGBoost", 2022).
 *
 * Cost per round: one pass over the rows (cox: in the order of their times).
 */
#include "algorithms/trees/objective.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

ml_status mli_survival_check(const mli_objective *o, const mli_targets *t, ml_error *err)
{
    double events = 0;
    for (int64_t i = 0; i < t->rows; i++) {
        double y = t->y[i];
        if (!isfinite(y) || y < 0 || (o->kind == MLI_AFT && y <= 0 && !t->upper))
            return mli_fail(err, ML_E_DATA,
                            "the time of row %lld is %s, it must be %s and finite",
                            (long long)i + 1, MLI_NUM(y),
                            o->kind == MLI_AFT ? "above 0" : "at least 0");
        if (t->upper && t->upper[i] < y)
            return mli_fail(err, ML_E_DATA,
                            "the upper bound of row %lld is below the target",
                            (long long)i + 1);
        events += !t->event || t->event[i] != 0;
    }
    if (o->kind == MLI_COX && t->upper) {
        mli_fail(err, ML_E_ARGUMENT, "objective cox takes no upper bounds of times");
        mli_error_at(err, ML_E_ARGUMENT, "params.upper");
        return mli_error_hint(err, ML_E_ARGUMENT, "use objective aft");
    }
    if (events > 0) return ML_OK;
    return mli_fail(err, ML_E_DATA, "no event happened: all rows are censored");
}

/* ---- Cox ---- */

typedef struct timed {
    double time;
    int64_t row;
} timed;

static int later(const void *a, const void *b)
{
    const timed *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

int64_t *mli_survival_order(ml_context *ctx, const mli_targets *t)
{
    timed *v = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *v);
    int64_t *order = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *order);
    for (int64_t i = 0; v && i < t->rows; i++) v[i] = (timed){t->y[i], i};
    if (v) qsort(v, (size_t)t->rows, sizeof *v, later);
    for (int64_t i = 0; v && order && i < t->rows; i++) order[i] = v[i].row;
    if (!v) {
        mli_free(ctx, order);
        order = NULL;
    }
    mli_free(ctx, v);
    return order;
}

static double weight_of(const mli_targets *t, int64_t row)
{
    return t->weight ? t->weight[row] : 1;
}

static double highest(const mli_targets *t, const double *score)
{
    double high = -INFINITY;
    for (int64_t i = 0; i < t->rows; i++)
        if (score[i] > high) high = score[i];
    return high;
}

/* The rows of one time, order[begin..end-1]. */
static int64_t end_of_time(const mli_targets *t, int64_t begin)
{
    int64_t end = begin;
    while (end < t->rows && t->y[t->order[end]] == t->y[t->order[begin]]) end++;
    return end;
}

static double events_in(const mli_targets *t, int64_t begin, int64_t end)
{
    double sum = 0;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = t->order[i];
        if (!t->event || t->event[row] != 0) sum += weight_of(t, row);
    }
    return sum;
}

/* The sum of exp(score) of the rows at risk at each time, put where the gradient of the
 * row that ends the time will be: adding keeps the digits that subtracting would lose. */
static void sum_risks(const mli_targets *t, const double *score, double high, float *gh)
{
    double at_risk = 0;
    for (int64_t begin = 0; begin < t->rows;) {
        int64_t end = end_of_time(t, begin);
        for (int64_t i = begin; i < end; i++)
            at_risk += weight_of(t, t->order[i]) * exp(score[t->order[i]] - high);
        memcpy(gh + 2 * t->order[end - 1], &at_risk, sizeof at_risk);
        begin = end;
    }
}

void mli_cox_gradients(const mli_targets *t, const double *score, float *gh)
{
    double high = highest(t, score), at_risk, r = 0, s = 0;
    sum_risks(t, score, high, gh);
    /* From the earliest time on: each row meets the hazards up to its own time. */
    for (int64_t end = t->rows, begin; end > 0; end = begin) {
        double time = t->y[t->order[end - 1]];
        for (begin = end - 1; begin > 0 && t->y[t->order[begin - 1]] == time;) begin--;
        memcpy(&at_risk, gh + 2 * t->order[end - 1], sizeof at_risk);
        double events = events_in(t, begin, end);
        if (events > 0 && at_risk > 0) {
            r += events / at_risk;
            s += events / (at_risk * at_risk);
        }
        for (int64_t i = begin; i < end; i++) {
            int64_t row = t->order[i];
            double e = exp(score[row] - high), w = weight_of(t, row);
            double event = !t->event || t->event[row] != 0;
            mli_put_gradient(gh + 2 * row, w, e * r - event, e * r - w * e * e * s);
        }
    }
}

double mli_cox_loss(const mli_targets *t, const double *score)
{
    double high = highest(t, score), at_risk = 0, sum = 0, events = 0;
    for (int64_t begin = 0; begin < t->rows;) {
        int64_t end = end_of_time(t, begin);
        for (int64_t i = begin; i < end; i++)
            at_risk += weight_of(t, t->order[i]) * exp(score[t->order[i]] - high);
        for (int64_t i = begin; i < end; i++) {
            int64_t row = t->order[i];
            if (t->event && t->event[row] == 0) continue;
            sum += weight_of(t, row) * (log(at_risk) + high - score[row]);
            events += weight_of(t, row);
        }
        begin = end;
    }
    return events > 0 ? sum / events : NAN;
}

/* ---- accelerated failure time ---- */

#define SMALLEST 1e-300

static double normal_density(double z)
{
    return exp(-z * z / 2) * 0.3989422804014327;
}

/* Density, its derivative, and the two tails of z. */
typedef struct point {
    double f, df, below, above;
} point;

static point at_point(int32_t kind, double z)
{
    point p = {0, 0, z > 0, z <= 0};
    if (isinf(z)) return p;
    if (kind == MLI_AFT_NORMAL) {
        p.f = normal_density(z);
        p.df = -z * p.f;
        p.below = erfc(-z * 0.7071067811865476) / 2;
        p.above = erfc(z * 0.7071067811865476) / 2;
    } else if (kind == MLI_AFT_LOGISTIC) {
        p.below = 1 / (1 + exp(-z));
        p.above = 1 / (1 + exp(z));
        p.f = p.below * p.above;
        p.df = p.f * (p.above - p.below);
    } else {
        double w = exp(z < 700 ? z : 700);
        p.above = exp(-w);
        p.below = -expm1(-w);
        p.f = w * p.above;
        p.df = (1 - w) * p.f;
    }
    return p;
}

/* Minus the derivative of the log density, and of that, by z. */
static void density_slopes(int32_t kind, double z, double *first, double *second)
{
    if (kind == MLI_AFT_NORMAL) {
        *first = z;
        *second = 1;
    } else if (kind == MLI_AFT_LOGISTIC) {
        double p = 1 / (1 + exp(-z));
        *first = 2 * p - 1;
        *second = 2 * p * (1 - p);
    } else {
        double w = exp(z < 700 ? z : 700);
        *first = w - 1;
        *second = w;
    }
}

static double log_density(int32_t kind, double z)
{
    if (kind == MLI_AFT_NORMAL) return -z * z / 2 - 0.9189385332046727;
    if (kind == MLI_AFT_LOGISTIC) return -fabs(z) - 2 * log1p(exp(-fabs(z)));
    return z - exp(z < 700 ? z : 700);
}

/* Probability of an interval, from the tail that keeps the digits. */
static double mass(const point *low, const point *high)
{
    return low->above < 0.5 ? low->above - high->above : high->below - low->below;
}

/* The bounds of z of a row; *exact: the time is known. */
static void bounds(const mli_objective *o, const mli_targets *t, int64_t row,
                   double score, double *low, double *high, int *exact)
{
    double y = t->y[row], upper = y;
    if (t->event && t->event[row] == 0) upper = INFINITY;
    if (t->upper) upper = t->upper[row] == t->upper[row] ? t->upper[row] : INFINITY;
    *exact = upper == y;
    *low = (log(y) - score) / o->aft_scale;
    *high = isinf(upper) ? INFINITY : (log(upper) - score) / o->aft_scale;
}

static double limit(double v, double most)
{
    return v < -most ? -most : v > most ? most : v;
}

/* Of an interval: derivatives of -log(mass) by z, when both ends move together. */
static void interval_slopes(int32_t kind, double low, double high, double *first,
                            double *second)
{
    point a = at_point(kind, low), b = at_point(kind, high);
    double m = mass(&a, &b);
    if (!(m > SMALLEST)) { /* far in a tail: as if at the nearer end */
        double end = isinf(high) || fabs(low) < fabs(high) ? low : high;
        density_slopes(kind, end, first, second);
        return;
    }
    *first = -(b.f - a.f) / m;
    *second = -(b.df - a.df) / m + *first * *first;
}

void mli_aft_gradients(const mli_objective *o, const mli_targets *t, int64_t begin,
                       int64_t end, const double *score, float *gh)
{
    for (int64_t i = begin; i < end; i++) {
        double low, high, first, second, scale = o->aft_scale;
        int exact;
        bounds(o, t, i, score[i], &low, &high, &exact);
        if (exact)
            density_slopes(o->aft, low, &first, &second);
        else
            interval_slopes(o->aft, low, high, &first, &second);
        double h = second / (scale * scale);
        mli_put_gradient(gh + 2 * i, weight_of(t, i), -limit(first / scale, 15),
                         h < 1e-16 ? 1e-16 : limit(h, 15));
    }
}

double mli_aft_row_loss(const mli_objective *o, const mli_targets *t, int64_t row,
                        double score)
{
    double low, high;
    int exact;
    bounds(o, t, row, score, &low, &high, &exact);
    if (exact) return log(o->aft_scale * t->y[row]) - log_density(o->aft, low);
    point a = at_point(o->aft, low), b = at_point(o->aft, high);
    double m = mass(&a, &b);
    return -log(m > SMALLEST ? m : SMALLEST);
}

/* ---- concordance ---- */

static void count_up(double *tree, int64_t n, int64_t i, double w)
{
    for (i++; i <= n; i += i & -i) tree[i] += w;
}

/* The weight of the ranks 0..i-1 that have been counted. */
static double counted(const double *tree, int64_t i)
{
    double sum = 0;
    for (; i > 0; i -= i & -i) sum += tree[i];
    return sum;
}

static int smaller(const void *a, const void *b)
{
    const timed *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

/* Ranks of the risks, equal ones alike. */
static int64_t rank_risks(const double *risk, int64_t n, timed *scratch, int64_t *rank)
{
    int64_t ranks = 0;
    for (int64_t i = 0; i < n; i++) scratch[i] = (timed){risk[i], i};
    qsort(scratch, (size_t)n, sizeof *scratch, smaller);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && scratch[i].time != scratch[i - 1].time) ranks++;
        rank[scratch[i].row] = ranks;
    }
    return ranks + 1;
}

typedef struct counting {
    const mli_targets *t;
    const int64_t *rank;
    int64_t ranks;
    double *tree, in; /* weights by rank, and of all */
    double good, pairs;
} counting;

static void enter(counting *c, int64_t begin, int64_t end, int events)
{
    const mli_targets *t = c->t;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = t->order[i];
        if ((!t->event || t->event[row] != 0) != events) continue;
        count_up(c->tree, c->ranks, c->rank[row], weight_of(t, row));
        c->in += weight_of(t, row);
    }
}

/* Rows that last longer are in the tree of counts before those that fail ask it; the
 * censored ones of a time outlast its events. */
static double concordant(counting *c)
{
    const mli_targets *t = c->t;
    for (int64_t begin = 0, end; begin < t->rows; begin = end) {
        end = end_of_time(t, begin);
        enter(c, begin, end, 0);
        for (int64_t i = begin; i < end; i++) {
            int64_t row = t->order[i];
            if (t->event && t->event[row] == 0) continue;
            double below = counted(c->tree, c->rank[row]), w = weight_of(t, row);
            double upto = counted(c->tree, c->rank[row] + 1);
            c->good += w * (below + (upto - below) / 2);
            c->pairs += w * c->in;
        }
        enter(c, begin, end, 1);
    }
    return c->pairs > 0 ? c->good / c->pairs : NAN;
}

double mli_concordance(ml_context *ctx, const mli_targets *t, const double *risk)
{
    mli_targets with = *t;
    int64_t *own = t->order ? NULL : mli_survival_order(ctx, t);
    if (own) with.order = own;
    timed *scratch = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *scratch);
    int64_t *rank = mli_calloc(ctx, (size_t)t->rows + 1, sizeof *rank);
    double *tree = mli_calloc(ctx, (size_t)t->rows + 2, sizeof *tree), value = NAN;
    if (with.order && scratch && rank && tree && t->rows > 0) {
        counting c = {.t = &with, .rank = rank, .tree = tree};
        c.ranks = rank_risks(risk, t->rows, scratch, rank);
        value = concordant(&c);
    }
    mli_free(ctx, tree);
    mli_free(ctx, own);
    mli_free(ctx, scratch);
    mli_free(ctx, rank);
    return value;
}
