/* SPDX-License-Identifier: MIT
 *
 * trees/boost_round.c: the passes over all rows before a tree: scores, gradients,
 * sampling, and rounding gradients to whole numbers.
 *
 * Rounding: the scale is such that the sums of |g| and of h over the sampled rows just
 * fit 31 bits. With a million rows a typical gradient then has about 11 bits, with a
 * thousand 21; the errors are independent from row to row, so sums over a leaf are far
 * better.
 */
#include "algorithms/trees/boost.h"
#include "algorithms/trees/pack.h"
#include <math.h>

typedef struct passing {
    mli_booster *b;
    int32_t k;
    double g_scale, h_scale;
    int unit_h; /* hessians are all 1 */
    int apart;  /* the sums come in a pass of their own */
} passing;

static void add_round(mli_booster *b, int32_t k, int64_t begin, int64_t end)
{
    int64_t rows = b->targets.rows;
    double *score = b->score + k * rows;
    const uint16_t *leaf = b->leaf + k * rows;
    const double *value = b->leaf_value + k * b->options.grow.max_leaves;
    for (int64_t i = begin; i < end; i++) score[i] += value[leaf[i]];
}

static int64_t block_end(const mli_booster *b, int64_t begin)
{
    int64_t rows = b->targets.rows;
    return begin + MLI_BOOST_BLOCK < rows ? begin + MLI_BOOST_BLOCK : rows;
}

static void score_task(void *arg, int64_t task, int32_t slot)
{
    passing *p = arg;
    mli_booster *b = p->b;
    (void)slot;
    int64_t begin = task * MLI_BOOST_BLOCK, end = block_end(b, begin);
    for (int32_t k = 0; k < b->n_scores; k++)
        if (b->leaves[k]) add_round(b, k, begin, end);
}

/* What is summed as the hessian of a row that is taken with the factor f. */
static inline double hessian_of(const mli_booster *b, const float *gh, int64_t i,
                                double f)
{
    if (!b->options.by_weight) return f * (double)gh[2 * i + 1];
    return b->weight ? f * b->weight[i] : f;
}

/* Do all rows count, and alike, with their own hessians? */
static int all_alike(const mli_booster *b)
{
    return !mli_boost_sampled(&b->sample) && !mli_sample_scales(&b->sample) &&
           !(b->options.by_weight && b->weight);
}

/* Sums over a block of which all rows count alike. */
static void sum_all(mli_booster *b, int64_t task)
{
    int64_t begin = task * MLI_BOOST_BLOCK, n = block_end(b, begin) - begin;
    for (int32_t k = 0; k < b->n_scores; k++) {
        double *sums = b->sums + (task * b->n_scores + k) * 3;
        mli_pack_sums(b->ctx->cpu_level, b->gh + 2 * (k * b->targets.rows + begin), n,
                      sums);
        if (b->options.by_weight) sums[1] = (double)n;
    }
    b->taken[task] = n;
}

/* Sums over the sampled rows of a block. */
static void sum_task(void *arg, int64_t task, int32_t slot)
{
    passing *p = arg;
    mli_booster *b = p->b;
    (void)slot;
    int64_t begin = task * MLI_BOOST_BLOCK;
    if (all_alike(b)) {
        sum_all(b, task);
        return;
    }
    mli_boost_draw(b, task);
    for (int32_t k = 0; k < b->n_scores; k++) {
        const float *gh = b->gh + 2 * k * b->targets.rows;
        double *sums = b->sums + (task * b->n_scores + k) * 3;
        sums[0] = sums[1] = sums[2] = 0;
        for (int64_t j = 0; j < b->taken[task]; j++) {
            int64_t i = begin + b->drawn[begin + j];
            double f = (double)b->factor[begin + j], g = f * (double)gh[2 * i];
            sums[0] += fabs(g);
            sums[1] += hessian_of(b, gh, i, f);
            sums[2] += g * g;
        }
    }
}

/* Scores, gradients and sums of a block in one go: what the usual case needs. */
static void gradient_task(void *arg, int64_t task, int32_t slot)
{
    passing *p = arg;
    mli_booster *b = p->b;
    if (mli_run_state(b->run) == ML_CANCEL) return;
    int64_t begin = task * MLI_BOOST_BLOCK, end = block_end(b, begin);
    score_task(arg, task, slot);
    mli_objective_gradients(&b->options.objective, &b->targets, begin, end, b->score,
                            b->targets.rows, b->gh);
    if (!p->apart) sum_task(arg, task, slot);
}

void mli_boost_flush(mli_booster *b)
{
    passing p = {.b = b};
    mli_parallel(b->ctx, b->blocks, score_task, &p);
    for (int32_t k = 0; k < b->n_scores; k++) b->leaves[k] = 0;
}

/* Counts to places. */
static void place_taken(mli_booster *b)
{
    int64_t sum = 0;
    for (int64_t t = 0; t < b->blocks; t++) {
        int64_t here = b->taken[t];
        b->taken[t] = sum;
        sum += here;
    }
    b->taken[b->blocks] = sum;
}

ml_status mli_boost_gradients(mli_booster *b, int64_t round, ml_error *err)
{
    passing p = {.b = b};
    ml_status status = ML_OK;
    mli_boost_sample_free(b, &b->sample);
    p.apart = mli_sampling_late(b->options.sampling);
    if (!p.apart) status = mli_boost_sample(b, round, &b->sample, err);
    if (status == ML_OK && (p.apart || !all_alike(b)))
        status = mli_boost_draw_make(b, err);
    if (status != ML_OK) return status;
    if (mli_objective_whole(&b->options.objective)) {
        p.apart = 1;
        mli_parallel(b->ctx, b->blocks, score_task, &p);
        status = mli_objective_gradients_whole(b->ctx, &b->options.objective, &b->targets,
                                               b->score, b->gh, err);
    } else {
        mli_parallel(b->ctx, b->blocks, gradient_task, &p);
    }
    if (status == ML_OK) status = mli_run_check(b->run, err);
    if (status == ML_OK && mli_sampling_late(b->options.sampling))
        status = mli_boost_sample(b, round, &b->sample, err);
    if (status != ML_OK) return status;
    if (p.apart) mli_parallel(b->ctx, b->blocks, sum_task, &p);
    place_taken(b);
    return mli_run_check(b->run, err);
}

/* Rows of a block that all count alike. */
static void round_all(const passing *p, int64_t task)
{
    mli_booster *b = p->b;
    int64_t begin = task * MLI_BOOST_BLOCK, n = block_end(b, begin) - begin;
    uint32_t *row = b->grower.rows[0].row + begin;
    for (int64_t i = 0; i < n; i++) row[i] = (uint32_t)(begin + i);
    uint64_t sum = mli_pack_round(
        b->ctx->cpu_level, b->gh + 2 * (p->k * b->targets.rows + begin), n, p->g_scale,
        p->unit_h ? 0 : p->h_scale, b->grower.rows[0].gh + begin);
    b->whole[2 * task] = mli_gh_g(sum);
    b->whole[2 * task + 1] = mli_gh_h(sum);
}

static void round_task(void *arg, int64_t task, int32_t slot)
{
    passing *p = arg;
    mli_booster *b = p->b;
    (void)slot;
    if (all_alike(b)) {
        round_all(p, task);
        return;
    }
    int64_t begin = task * MLI_BOOST_BLOCK, n = b->taken[task + 1] - b->taken[task];
    const float *gh = b->gh + 2 * p->k * b->targets.rows;
    mli_rows to = mli_grow_room(&b->grower, 0, b->taken[task]);
    int64_t sum_g = 0, sum_h = 0;
    for (int64_t j = 0; j < n; j++) {
        int64_t i = begin + b->drawn[begin + j];
        double f = (double)b->factor[begin + j];
        int32_t g = (int32_t)lrint(f * (double)gh[2 * i] * p->g_scale);
        int32_t h = p->unit_h ? 1 : (int32_t)lrint(hessian_of(b, gh, i, f) * p->h_scale);
        to.row[j] = (uint32_t)i;
        to.gh[j] = mli_gh_pack(g, h);
        sum_g += g;
        sum_h += h;
    }
    b->whole[2 * task] = sum_g;
    b->whole[2 * task + 1] = sum_h;
}

/* From the units of the parameters to packed ones. */
static void scale_rule(const mli_boost_options *o, const passing *p, mli_split_rule *rule)
{
    *rule = o->rule;
    rule->g_scale = p->g_scale;
    rule->h_scale = p->h_scale;
    rule->gain_unit = p->h_scale / (p->g_scale * p->g_scale);
    rule->l1 *= p->g_scale;
    rule->l2 *= p->h_scale;
    rule->min_h *= p->h_scale;
    rule->cat_smooth *= p->h_scale;
    rule->cat_l2 *= p->h_scale;
}

/* The noise in the comparison of splits and the gain that they need; squares and h: sums
 * over n rows, real. Symmetric trees have the noise of CatBoost: as large as a gradient,
 * less when the model has got long. The measure of others is what a cut at random gains
 * on average when gradients are noise. */
static void set_noise(const mli_boost_options *o, double squares, double h, int64_t n,
                      int64_t round, mli_split_rule *rule)
{
    double below = h + o->rule.l2, chance = below > 0 ? squares / below : 0;
    rule->noise = o->random_strength * sqrt(chance);
    if (o->grow.symmetric) {
        double left = (double)n * exp(-(double)round * o->learning_rate);
        double size = n > 0 ? sqrt(squares / (double)n) : 0;
        rule->noise = o->random_strength * size * left / (1 + left);
    } else if (o->min_gain_ratio * chance > rule->min_gain) {
        rule->min_gain = o->min_gain_ratio * chance;
    }
}

/* Gradients are floats: those of huge targets or weights are not finite. */
static ml_status too_large(ml_error *err)
{
    mli_fail(err, ML_E_NUMERIC, "the gradients are too large for single precision");
    return mli_error_hint(err, ML_E_NUMERIC,
                          "bring target and weights to scales nearer to 1");
}

ml_status mli_boost_root(mli_booster *b, int32_t k, int64_t round, mli_split_rule *rule,
                         int64_t *n, int64_t *g, int64_t *h, ml_error *err)
{
    passing p = {.b = b, .k = k, .g_scale = 1, .h_scale = 1};
    *n = b->taken[b->blocks];
    double sum_g = 0, sum_h = 0, squares = 0, room = MLI_GH_MAX * (1 - 1e-6) - (double)*n;
    for (int64_t t = 0; t < b->blocks; t++) {
        const double *sums = b->sums + (t * b->n_scores + k) * 3;
        sum_g += sums[0];
        sum_h += sums[1];
        squares += sums[2];
    }
    if (!isfinite(sum_g) || !isfinite(sum_h)) return too_large(err);
    p.unit_h =
        !b->weight && !mli_sample_scales(&b->sample) &&
        (b->options.by_weight || mli_objective_unit_hessian(&b->options.objective));
    b->grower.unit_h = p.unit_h;
    if (sum_g > 0) p.g_scale = room / sum_g;
    if (sum_h > 0 && !p.unit_h) p.h_scale = room / sum_h;
    mli_parallel(b->ctx, b->blocks, round_task, &p);
    *g = *h = 0;
    for (int64_t t = 0; t < b->blocks; t++) {
        *g += b->whole[2 * t];
        *h += b->whole[2 * t + 1];
    }
    scale_rule(&b->options, &p, rule);
    set_noise(&b->options, squares, sum_h, *n, round, rule);
    return ML_OK;
}
