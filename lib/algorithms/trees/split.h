/* SPDX-License-Identifier: MIT
 *
 * trees/split.h: the best split of a leaf, from its histogram.
 *
 * Everything here is in the units of the packed sums (trees/histogram.h): real gradient =
 * g / g_scale, real hessian = h / h_scale. The gain of a split is
 *     T(GL)^2 / (HL + l2) + T(GR)^2 / (HR + l2) - T(G)^2 / (H + l2)
 * with T the soft threshold by l1; `gain_unit` turns it into real units.
 */
#ifndef MLI_TREES_SPLIT_H
#define MLI_TREES_SPLIT_H

#include "algorithms/trees/histogram.h"
#include "core/rng.h"

typedef struct mli_split_rule {
    int32_t cpu_level;
    double l1, l2;    /* in packed units */
    double min_h;     /* least hessian of a child, packed */
    int64_t min_data; /* least rows of a child */
    double min_gain;  /* real */
    double max_delta; /* largest |leaf value|, real; 0: none */
    double g_scale, h_scale, gain_unit;
    int64_t one_hot; /* categories with at most so many levels: one against rest */
    int64_t max_cat; /* most levels on the smaller side */
    double cat_smooth, cat_l2; /* packed */
    int64_t cat_min_data;      /* rows per group of levels */
    double cat_level_rows;     /* rows of a level that takes part in the order */
    const int8_t *monotone;    /* [n_columns] -1, 0, 1; NULL: none */
    double noise;              /* standard deviation of that of scores, real; 0: none */
    int random;                /* one cut at random per feature, instead of all */
} mli_split_rule;

typedef struct mli_split {
    double gain;  /* real, above the unsplit leaf; 0: no split */
    double score; /* what splits of a leaf are compared by */
    int32_t column, feature, bin;
    int32_t missing_left, categorical;
    int64_t g_left, h_left;
    uint32_t bits[8]; /* categorical: bins that go left */
} mli_split;

/* The leaf to be split. */
typedef struct mli_split_leaf {
    int64_t g, h, rows;
    double lower, upper; /* bounds of the value (monotone constraints) */
    double base;         /* gain of the unsplit leaf, in packed units */
    uint64_t key;        /* of the noise, and of cuts at random */
} mli_split_leaf;

/* One of n cuts of a feature at random; key: of the leaf. */
static inline int32_t mli_split_draw(uint64_t key, int32_t feature, int32_t n)
{
    uint64_t x = mli_mix64(~key + (uint64_t)feature * UINT64_C(0x9e3779b97f4a7c15));
    return (int32_t)((x >> 32) * (uint64_t)n >> 32);
}

/* Completes a leaf: its `base`. It must have rows. */
void mli_split_leaf_ready(const mli_split_rule *rule, mli_split_leaf *leaf);

/* Where a search looks. */
typedef struct mli_split_job {
    const mli_split_leaf *leaf;
    uint64_t *hist;
    const uint64_t *small; /* hist is first reduced by it: the sibling by subtraction */
    const uint32_t *rows;  /* exact rows per cell instead of the estimate; NULL: none */
    const uint8_t *summed; /* [n_columns] columns that the histogram has; NULL: all */
    const uint8_t *mask;   /* [n_columns] columns to be looked at; NULL: all */
} mli_split_job;

/* The best split over the columns first .. last - 1. */
void mli_split_find(const mli_split_rule *rule, const mli_binner *b,
                    const mli_split_job *job, int32_t first, int32_t last,
                    mli_split *out);

/* The value of a leaf in real units, bounded by max_delta. */
double mli_leaf_value(const mli_split_rule *rule, double g, double h);

/* Fast scan of ascending bins, by instruction set: among candidates first..last (split
 * after that bin), all of which are allowed, the best gain, in packed units and including
 * the parent's part. prefix: sums up to each bin; readable MLI_SCAN_PAST past last. */
#define MLI_SCAN_PAST 7
typedef struct mli_scan {
    double g, h, l1, l2; /* of the leaf */
    int bounded;         /* values of the children, in packed units, are: */
    double low, high;    /* between these, and rise (1) or fall (-1) to the right where */
    double monotone;     /* this is not 0 */
    double gain;         /* in: beat this; out: best */
    int32_t bin;         /* out: -1 when none beat it */
    uint64_t left;       /* room for the sum of that side */
} mli_scan;
void mli_scan_scalar(const uint64_t *prefix, int32_t first, int32_t last, mli_scan *s);
void mli_scan_avx2(const uint64_t *prefix, int32_t first, int32_t last, mli_scan *s);
/* The gain of each of n cells against the rest of the leaf, -infinity where its hessian
 * is below `least` or above `most`; 3 more cells and gains are touched. Returns the
 * largest, or of these 3 a larger one. */
double mli_gains_scalar(const uint64_t *cells, int32_t n, const mli_scan *s,
                        int32_t least, int32_t most, double *gain);
double mli_gains_avx2(const uint64_t *cells, int32_t n, const mli_scan *s, int32_t least,
                      int32_t most, double *gain);
/* cells -= small (NULL: nothing) and prefix[i] = cells[0] + ... + cells[i], of n cells.
 */
void mli_prefix_scalar(uint64_t *cells, const uint64_t *small, int32_t n,
                       uint64_t *prefix);
void mli_prefix_avx2(uint64_t *cells, const uint64_t *small, int32_t n, uint64_t *prefix);

/* A column with categories. */
void mli_split_categories(const mli_split_rule *rule, const mli_binner *b, int32_t column,
                          const uint64_t *cells, const uint32_t *rows,
                          const mli_split_leaf *leaf, mli_split *best);

/* Gain of one candidate with all constraints; -infinity when it is not allowed. l2_more
 * is added to l2 (categories). */
double mli_split_gain(const mli_split_rule *rule, const mli_split_leaf *leaf, int64_t gl,
                      int64_t hl, double rows_left, int monotone, double l2_more);
/* The least hessian of a child, so that its estimated rows reach min_data as well. */
double mli_split_least(const mli_split_rule *rule, const mli_split_leaf *leaf);
/* Rows of a side, estimated from its hessian. */
static inline double mli_split_rows(const mli_split_leaf *leaf, int64_t h)
{
    return leaf->h > 0 ? (double)h * (double)leaf->rows / (double)leaf->h : 0;
}

#endif
