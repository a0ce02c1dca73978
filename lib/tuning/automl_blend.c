/* SPDX-License-Identifier: MIT
 *
 * automl_blend.c: which candidates to average, and how much each counts.
 *
 * Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes, Ensemble
 * Selection from Libraries of Models, ICML 2004): again and again the candidate joins
 * that makes the mean of those chosen so far best; the best of all steps is kept. What a
 * candidate counts is how often it was chosen.
 *
 * Probabilities that n rows agree with are not surer than n rows can tell: by Laplace's
 * rule of succession the next row is another with about 1 / (n + 1). So much the constant
 * counts then, whose probabilities are the shares of the classes.
 * Cost: PICKS * CONSIDERED scores of the judged rows.
 */
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define PICKS      25
#define CONSIDERED 12 /* the best candidates by themselves */

typedef struct {
    mli_automl *a;
    int64_t size; /* judged rows * outputs */
    double *sum, *try, *room;
    int64_t n; /* considered */
    int64_t index[CONSIDERED];
    int64_t picked[CONSIDERED], kept[CONSIDERED];
    int64_t n_picked, distinct, most;
} blending;

static int is_constant(const mli_candidate *c)
{
    return strcmp(c->algorithm->head.name, "baseline") == 0;
}

/* Is candidate i not considered yet, nor enough others of its kind? */
static int has_room(const blending *b, int64_t i)
{
    int64_t n = 0;
    for (int64_t k = 0; k < b->n; k++) {
        if (b->index[k] == i) return 0;
        n += mli_automl_alike(&b->a->candidates[b->index[k]], &b->a->candidates[i]);
    }
    return n < MLI_AUTOML_OF_A_KIND;
}

/* The best candidates first. A constant is alone when none is better, and
 * else left out: metrics of ranks do not see what it does to probabilities. */
static void consider(blending *b)
{
    const mli_automl *a = b->a;
    int others = 0;
    int64_t judged = 0;
    double constant = NAN;
    for (int64_t i = 0; i < a->count; i++)
        if (is_constant(&a->candidates[i])) constant = a->candidates[i].score;
    for (int64_t i = 0; i < a->count; i++) {
        others |= mli_automl_better(a, a->candidates[i].score, constant);
        judged += !isnan(a->candidates[i].score);
    }
    if (!others && judged > 1)
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "of %lld candidates none is better than a constant prediction",
                (long long)judged - 1);
    while (b->n < CONSIDERED) {
        int64_t best = -1;
        for (int64_t i = 0; i < a->count; i++) {
            const mli_candidate *c = &a->candidates[i];
            if (isnan(c->score) || others == is_constant(c) || !has_room(b, i)) continue;
            if (best < 0 || mli_automl_better(a, c->score, a->candidates[best].score))
                best = i;
        }
        if (best < 0) return;
        b->index[b->n++] = best;
    }
}

/* The score of the mean with candidate k joined. */
static ml_status joined(const blending *b, int64_t k, double *score, ml_error *err)
{
    const double *one = b->a->candidates[b->index[k]].predictions;
    double share = 1 / (double)(b->n_picked + 1);
    for (int64_t i = 0; i < b->size; i++) b->try[i] = (b->sum[i] + one[i]) * share;
    return mli_automl_score(b->a, b->try, b->room, score, err);
}

static ml_status pick(blending *b, double *best, ml_error *err)
{
    int64_t choice = -1;
    *best = NAN;
    for (int64_t k = 0; k < b->n; k++) {
        double score;
        if (!b->picked[k] && b->distinct == b->most) continue;
        ml_status status = joined(b, k, &score, err);
        if (status) return status;
        if (isnan(score) || !mli_automl_better(b->a, score, *best)) continue;
        *best = score;
        choice = k;
    }
    if (choice < 0) return ML_OK;
    const double *one = b->a->candidates[b->index[choice]].predictions;
    for (int64_t i = 0; i < b->size; i++) b->sum[i] += one[i];
    b->distinct += b->picked[choice] == 0;
    b->picked[choice]++;
    b->n_picked++;
    return ML_OK;
}

static ml_status select_greedily(blending *b, double *score, int64_t *total,
                                 ml_error *err)
{
    ml_status status = ML_OK;
    double start = mli_now(), seconds = INFINITY;
    *score = NAN;
    for (int step = 0; step < PICKS && !status; step++) {
        double now;
        if (step > 0 && mli_now() - start > seconds) break;
        status = pick(b, &now, err);
        if (step == 0 && b->a->limit > 0 && b->n > 0) {
            /* Those of a journal were not scored in this run. */
            b->a->scoring = fmax(b->a->scoring, (mli_now() - start) / (double)b->n);
            seconds = mli_automl_blend_seconds(b->a);
        }
        if (status || isnan(now)) break;
        if (!mli_automl_better(b->a, now, *score)) continue;
        *score = now;
        *total = b->n_picked;
        memcpy(b->kept, b->picked, sizeof b->kept);
    }
    return status;
}

/* The mean of the chosen candidates by weight. */
static void combine(mli_automl *a, int64_t size)
{
    memset(a->combined, 0, (size_t)size * sizeof *a->combined);
    for (int64_t k = 0; k < a->count; k++) {
        const mli_candidate *c = &a->candidates[k];
        if (!(c->weight > 0)) continue;
        for (int64_t i = 0; i < size; i++)
            a->combined[i] += c->weight * c->predictions[i];
    }
}

ml_status mli_automl_blend(mli_automl *a, int64_t most, ml_error *err)
{
    blending b = {.a = a, .size = a->judged->rows * a->n_outputs, .most = most};
    int64_t total = 0;
    a->combined = mli_alloc_vec(a->ctx, b.size, sizeof *a->combined);
    b.sum = mli_calloc(a->ctx, (size_t)(2 * b.size + a->judged->rows), sizeof *b.sum);
    ml_status status = a->combined && b.sum ? ML_OK : mli_nomem(err);
    if (!status) {
        b.try = b.sum + b.size;
        b.room = b.try + b.size;
        consider(&b);
        status = select_greedily(&b, &a->score, &total, err);
    }
    mli_free(a->ctx, b.sum);
    for (int64_t k = 0; k < b.n && !status && total; k++)
        a->candidates[b.index[k]].weight = (double)b.kept[k] / (double)total;
    if (!status) combine(a, b.size);
    return status;
}

/* Is a probability smaller than n rows can tell? */
static int is_too_sure(const mli_automl *a, double share)
{
    int64_t size = a->judged->rows * a->n_outputs;
    for (int64_t i = 0; i < size; i++)
        if (a->combined[i] < share / (double)a->n_outputs) return 1;
    return 0;
}

ml_status mli_automl_temper(mli_automl *a, ml_error *err)
{
    int64_t rows = a->judged->rows;
    double share = 1 / (double)(rows + 1);
    mli_candidate *constant = NULL;
    for (int64_t k = 0; k < a->count && !constant; k++)
        if (is_constant(&a->candidates[k]) && !isnan(a->candidates[k].score))
            constant = &a->candidates[k];
    if (!constant || constant->weight > 0 || a->stacked || !a->judged->label ||
        mli_get_i64(a->job->params, "max_members") == 1 || !is_too_sure(a, share))
        return ML_OK;
    for (int64_t k = 0; k < a->count; k++) a->candidates[k].weight *= 1 - share;
    constant->weight = share;
    combine(a, rows * a->n_outputs);
    double *room = mli_alloc_vec(a->ctx, rows, sizeof *room);
    if (!room) return mli_nomem(err);
    ml_status status = mli_automl_score(a, a->combined, room, &a->score, err);
    mli_free(a->ctx, room);
    return status;
}
