/* SPDX-License-Identifier: MIT
 *
 * trees/boost_dart.c: dropping trees (Rashmi and Gilad-Bachrach, "DART: dropouts meet
 * multiple additive regression trees", 2015). Before a round each earlier round is left
 * out with probability drop_rate; after it the k rounds left out come back with the
 * weight k / (k + 1), and the new one has learning_rate / (k + 1). The weights are in the
 * values of the leaves. Cost: two walks of all rows per tree left out.
 */
#include "algorithms/trees/boost.h"
#include "algorithms/trees/walk.h"
#include "core/rng.h"

typedef struct adding {
    mli_booster *b;
    const mli_walk *walk;
    const mli_bin_store *bins;
    double *score;
    int64_t rows;
} adding;

static void add_task(void *arg, int64_t task, int32_t slot)
{
    const adding *a = arg;
    int64_t begin = task * MLI_BOOST_BLOCK, end = begin + MLI_BOOST_BLOCK;
    mli_walk_add(a->walk, a->bins, slot, begin, end < a->rows ? end : a->rows, a->score);
}

/* Adds `factor` times a tree to the scores of training and validation rows. */
static ml_status add_tree(mli_booster *b, int64_t tree, double train, double valid,
                          ml_error *err)
{
    mli_walk w;
    int64_t k = tree % b->n_scores, rows = b->targets.rows;
    int64_t n = b->trees.start[tree + 1] - b->trees.start[tree];
    ml_status status = mli_walk_make(&w, b->ctx, b->binner, &b->trees, tree, err);
    if (status == ML_OK && train != 0) {
        for (int64_t i = 0; i < n; i++) w.value[i] *= train;
        adding a = {b, &w, &b->bins, b->score + k * rows, rows};
        mli_parallel(b->ctx, b->blocks, add_task, &a);
    }
    if (status == ML_OK && b->valid && valid != 0) {
        int64_t held = b->watch.targets.rows;
        for (int64_t i = 0; i < n; i++) w.value[i] *= train != 0 ? valid / train : valid;
        adding a = {b, &w, &b->watch.bins, b->watch.score + k * held, held};
        mli_parallel(b->ctx, mli_task_count(held, MLI_BOOST_BLOCK), add_task, &a);
    }
    mli_walk_free(&w);
    return status;
}

/* Which rounds are left out. */
static void choose(mli_booster *b, int64_t round)
{
    const mli_boost_options *o = &b->options;
    int64_t first = b->start_trees, rounds = (b->trees.n_trees - first) / b->n_scores;
    mli_rng rng;
    mli_rng_init(&rng, o->grow.seed, 0x64617274 /* "dart" */, (uint64_t)round);
    b->n_dropped = 0;
    if (rounds == 0 || mli_rng_f64(&rng) < o->skip_drop) return;
    for (int64_t r = 0; r < rounds; r++) {
        if (mli_rng_f64(&rng) >= o->drop_rate) continue;
        if (o->max_drop > 0 && b->n_dropped >= o->max_drop) break;
        b->dropped[b->n_dropped++] = first + r * b->n_scores;
    }
}

ml_status mli_dart_drop(mli_booster *b, int64_t round, ml_error *err)
{
    ml_status status = ML_OK;
    if (!b->dropped) {
        b->dropped =
            mli_calloc(b->ctx, (size_t)b->options.rounds + 1, sizeof *b->dropped);
        if (!b->dropped) return mli_nomem(err);
    }
    mli_boost_flush(b);
    choose(b, round);
    for (int64_t i = 0; i < b->n_dropped; i++)
        for (int32_t k = 0; k < b->n_scores && status == ML_OK; k++)
            status = add_tree(b, b->dropped[i] + k, -1, 0, err);
    b->rate = b->options.learning_rate / (double)(b->n_dropped + 1);
    return status;
}

ml_status mli_dart_restore(mli_booster *b, ml_error *err)
{
    double n = (double)b->n_dropped, keep = n / (n + 1);
    ml_status status = ML_OK;
    for (int64_t i = 0; i < b->n_dropped; i++) {
        for (int32_t k = 0; k < b->n_scores && status == ML_OK; k++) {
            int64_t tree = b->dropped[i] + k;
            status = add_tree(b, tree, keep, -1 / (n + 1), err);
            for (int64_t j = b->trees.start[tree]; j < b->trees.start[tree + 1]; j++)
                b->trees.node[j].value *= keep;
        }
    }
    return status;
}
