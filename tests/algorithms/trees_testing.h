/* SPDX-License-Identifier: MIT
 *
 * trees_testing.h: ensembles and rows at random, and the plain walk.
 */
#ifndef TREES_TESTING_H
#define TREES_TESTING_H

#include "../testing.h"
#include "algorithms/trees/ensemble.h"
#include "core/rng.h"

typedef struct forest_kind {
    int64_t trees, leaves, scores, features;
    int64_t categories; /* the first so many features are categories */
    int64_t bins;       /* of a category; 0: 256 */
    int64_t values;     /* thresholds are taken from so many; 0: any */
    int wide_trees;     /* split any leaf, else the oldest */
    int odd;            /* infinite and equal thresholds */
    int floats;         /* sums are floats; 2: so are leaves */
    int uneven;         /* thresholds from 1e-30 to 1e30 */
    int zeros;          /* zero is missing in half of the features, missing has bins */
} forest_kind;

typedef struct forest {
    forest_kind kind;
    mli_ensemble e;
    int64_t start[600], level_start[4000];
    int32_t *feature, *left, *set;
    double *threshold, *value, *cover, *gain, base[8];
    uint8_t *flags, level_bin[4000], level_other[4000];
    uint8_t level_missing[4000], zero_missing[4000];
    uint32_t (*sets)[8];
    int32_t *leaf;
} forest;

#define FOREST_LEVELS 40

static inline double forest_number(mli_rng *rng, const forest_kind *k)
{
    static const double odd[] = {0.0, -0.0, 1e-320, 1e300, -1e300, 1 + 1e-9, 16777217};
    if (k->odd && mli_rng_below(rng, 20) == 0) return odd[mli_rng_below(rng, 7)];
    if (k->odd && mli_rng_below(rng, 40) == 0)
        return mli_rng_below(rng, 2) ? INFINITY : -INFINITY;
    if (k->values) return (double)mli_rng_below(rng, k->values) / 7;
    if (k->uneven) return exp(20 * mli_rng_normal(rng));
    return mli_rng_normal(rng);
}

static inline void forest_split(forest *f, mli_rng *rng, int64_t first, int32_t node,
                                int32_t left)
{
    const forest_kind *k = &f->kind;
    int64_t at = first + node;
    f->left[at] = left;
    f->feature[at] = (int32_t)mli_rng_below(rng, k->features);
    f->flags[at] = mli_rng_below(rng, 2) ? MLI_NODE_MISSING_LEFT : 0;
    f->threshold[at] = forest_number(rng, k);
    if (f->feature[at] >= k->categories) return;
    f->flags[at] |= MLI_NODE_CATEGORICAL;
    f->set[at] = (int32_t)f->e.n_sets;
    for (int i = 0; i < 8; i++) f->sets[f->e.n_sets][i] = mli_rng_u32(rng);
    f->e.n_sets++;
}

static inline int64_t forest_tree(forest *f, mli_rng *rng, int64_t first)
{
    int64_t leaves = 1, nodes = 1;
    f->leaf[0] = 0;
    while (leaves < f->kind.leaves) {
        int64_t i = f->kind.wide_trees ? mli_rng_below(rng, leaves) : 0;
        int32_t node = f->leaf[i];
        if (!f->kind.wide_trees)
            memmove(f->leaf, f->leaf + 1, (size_t)(leaves - 1) * sizeof *f->leaf);
        forest_split(f, rng, first, node, (int32_t)nodes);
        f->leaf[f->kind.wide_trees ? i : leaves - 1] = (int32_t)nodes;
        f->leaf[leaves++] = (int32_t)nodes + 1;
        nodes += 2;
    }
    for (int64_t i = nodes - 1; i >= 0; i--) {
        int64_t at = first + i, left = first + f->left[at];
        f->value[at] = mli_rng_normal(rng);
        if (f->kind.floats == 2) f->value[at] = (double)(float)f->value[at];
        f->gain[at] = 1;
        f->cover[at] = f->left[at] ? f->cover[left] + f->cover[left + 1]
                                   : 1 + (double)mli_rng_below(rng, 50);
    }
    return nodes;
}

static inline forest *forest_new(forest_kind kind, uint64_t seed)
{
    int64_t n = kind.trees * (2 * kind.leaves - 1);
    size_t size = (size_t)n;
    mli_rng rng;
    mli_rng_init(&rng, seed, 1, 2);
    forest *f = calloc(1, sizeof *f);
    f->kind = kind;
    f->feature = calloc(size, sizeof *f->feature);
    f->left = calloc(size, sizeof *f->left);
    f->set = calloc(size, sizeof *f->set);
    f->threshold = calloc(size, sizeof *f->threshold);
    f->value = calloc(size, sizeof *f->value);
    f->cover = calloc(size, sizeof *f->cover);
    f->gain = calloc(size, sizeof *f->gain);
    f->flags = calloc(size, 1);
    f->sets = calloc(size, sizeof *f->sets);
    f->leaf = calloc((size_t)kind.leaves + 1, sizeof *f->leaf);
    for (int64_t i = 0; i < n; i++) f->feature[i] = f->set[i] = -1;
    int64_t bins = kind.bins ? kind.bins : 256;
    for (int64_t j = 0; j < kind.features; j++) {
        int64_t levels = j < kind.categories ? FOREST_LEVELS : 0;
        for (int64_t i = 0; i < levels; i++)
            f->level_bin[f->level_start[j] + i] = (uint8_t)mli_rng_below(&rng, bins);
        f->level_start[j + 1] = f->level_start[j] + levels;
        f->level_other[j] = (uint8_t)mli_rng_below(&rng, bins);
        f->level_missing[j] = (uint8_t)mli_rng_below(&rng, bins);
        f->zero_missing[j] = (uint8_t)(j % 2);
    }
    for (int64_t t = 0; t < kind.trees; t++)
        f->start[t + 1] = f->start[t] + forest_tree(f, &rng, f->start[t]);
    for (int k = 0; k < 8; k++) f->base[k] = (double)(float)mli_rng_normal(&rng);
    f->e = (mli_ensemble){.n_trees = kind.trees,
                          .n_nodes = n,
                          .n_sets = f->e.n_sets,
                          .n_scores = kind.scores,
                          .n_features = kind.features,
                          .set_words = 8,
                          .float_sums = kind.floats != 0,
                          .level_missing = kind.zeros ? f->level_missing : NULL,
                          .zero_missing = kind.zeros ? f->zero_missing : NULL,
                          .start = f->start,
                          .feature = f->feature,
                          .left = f->left,
                          .set = f->set,
                          .threshold = f->threshold,
                          .value = f->value,
                          .cover = f->cover,
                          .gain = f->gain,
                          .base = f->base,
                          .flags = f->flags,
                          .sets = f->sets[0],
                          .level_start = f->level_start,
                          .level_bin = f->level_bin,
                          .level_other = f->level_other};
    return f;
}

static inline void forest_free(forest *f)
{
    void *blocks[] = {f->feature, f->left, f->set,   f->threshold, f->value,
                      f->cover,   f->gain, f->flags, f->sets,      f->leaf};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) free(blocks[i]);
    free(f);
}

/* Rows whose values are floats: thresholds often among them, a tenth missing. */
static inline double *forest_rows(const forest *f, int64_t n, uint64_t seed)
{
    mli_rng rng;
    mli_rng_init(&rng, seed, 3, 4);
    double *x = calloc((size_t)(n * f->kind.features), sizeof *x);
    for (int64_t i = 0; i < n * f->kind.features; i++) {
        if (i % f->kind.features < f->kind.categories)
            x[i] = (double)(mli_rng_below(&rng, FOREST_LEVELS + 4) - 2);
        else
            x[i] = (double)(float)forest_number(&rng, &f->kind);
        if (mli_rng_below(&rng, 10) == 0) x[i] = NAN;
    }
    return x;
}

/* The decisions as trees/ensemble.h describes them. */
static inline int64_t forest_leaf(const mli_ensemble *e, int64_t tree, const double *row)
{
    int64_t first = e->start[tree], i = first;
    while (e->left[i])
        i = first + e->left[i] + !mli_ensemble_goes_left(e, i, row[e->feature[i]]);
    return i;
}

#endif
