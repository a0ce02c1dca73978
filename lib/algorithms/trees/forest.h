/* SPDX-License-Identifier: MIT
 *
 * trees/forest.h: single trees and forests: decision_tree, random_forest, extra_trees.
 *
 * Values are replaced by codes of two bytes, made once for all trees: the rank of the
 * value among the distinct ones, so that splits are exact; a feature with more than 65535
 * distinct values is cut into as many bins of about equal weight. Categories become bins,
 * the most frequent first. A row drawn more than once by the bootstrap is one row of a
 * larger weight.
 *
 * Models are the tensors of trees/ensemble.h, with one score:
 * - numbers: leaves hold their mean divided by the number of trees
 * - two classes: the share of the second class, divided by the number of trees
 * - more classes: leaves hold their row in "leaf_proba" f64 [rows, classes]; the
 *   prediction is the mean of these rows
 * - several targets at once: leaves hold their row in "leaf_values" f64 [rows, targets]
 * The cover is the weight of a node's rows, the gain the decrease of the impurity that
 * the split brings, times weight.
 */
#ifndef MLI_TREES_FOREST_H
#define MLI_TREES_FOREST_H

#include "algorithms/trees/ensemble.h"

/* ---- codes ---- */

#define MLI_FOREST_NARROW 256
#define MLI_CODE_MISSING  65535 /* of numbers; of categories it is n_codes */

typedef struct mli_forest_feature {
    int32_t kind;
    int32_t n_codes;  /* without the one of missing values */
    int32_t exact;    /* numbers: each distinct value has its code */
    double *value;    /* numbers: exact: [n_codes] the values; else [n_codes - 1] cuts */
    int64_t n_levels; /* categories */
    uint8_t *level_bin;  /* [n_levels]; n_codes: none of its own */
    double shift, scale; /* the place of x is x * scale - shift */
} mli_forest_feature;

typedef struct mli_forest_codes {
    ml_context *ctx;
    int64_t rows, n_features;
    mli_forest_feature *feature;
    uint16_t *code; /* feature by feature: [n_features * rows] */
    /* The same row by row, `row_ld` apart, for up to MLI_FOREST_NARROW features. */
    uint16_t *by_row;
    int64_t row_ld; /* features, to a multiple of eight */
    /* For random cuts instead: places (forest_random.c); of categories the codes. */
    float *place, *place_by_row;
} mli_forest_codes;

ml_status mli_forest_codes_make(const mli_design *design, int random_cuts, mli_run *run,
                                mli_forest_codes **out, ml_error *err);
void mli_forest_codes_free(mli_forest_codes *c);

/* Places of n values, and the shift and the scale of the feature. */
void mli_forest_places(mli_forest_feature *f, const double *x, int64_t n, float *place);
float mli_forest_place(const mli_forest_feature *f, double x);

/* A number t with a <= t < b between neighbours, one of single precision if there is. */
static inline double mli_forest_between(double a, double b)
{
    double middle = a / 2 + b / 2;
    if (!(middle >= a && middle < b)) middle = a;
    float narrow = (float)middle;
    return (double)narrow >= a && (double)narrow < b ? (double)narrow : middle;
}

/* Copies n rows from by_row into columns `ld` apart (forest_page.c). */
void mli_forest_copy(const mli_forest_codes *c, const uint32_t *row, int64_t n,
                     uint16_t *page, int64_t ld);
void mli_forest_copy_places(const mli_forest_codes *c, const uint32_t *row, int64_t n,
                            float *page, int64_t ld);

/* ---- one tree ---- */

enum { MLI_FOREST_GINI, MLI_FOREST_ENTROPY, MLI_FOREST_SQUARED };

typedef struct mli_forest_options {
    int64_t classes; /* 0: numbers */
    int64_t targets; /* 0, or with several their number */
    int criterion;
    int random_cuts;      /* one random cut per feature instead of the best */
    int64_t max_features; /* tried per split */
    int64_t max_depth;    /* 0: no limit */
    int64_t min_split, min_leaf;
    int64_t max_leaves; /* 0: no limit */
    double min_decrease, ccp_alpha;
    double min_weight; /* of a leaf, as a share of the tree's weight */
    int64_t draws;     /* rows of a bootstrap sample; 0: all rows, each once */
    int keep_samples;
    int finds_rows; /* as of trees */
    uint64_t seed;
} mli_forest_options;

/* What trees are grown from. */
typedef struct mli_forest_data {
    const mli_forest_codes *codes;
    const double *weight; /* [rows]; NULL: all 1 */
    const double *chance; /* [rows] of being drawn, up to a factor; NULL: all the same */
    const double *y;      /* [rows] of numbers */
    const double *ys;     /* [rows * targets] of several targets */
    const int32_t *label; /* [rows] of classes */
    const double *logs;   /* [n_logs] c log2 c, for entropy; else NULL */
    int64_t n_logs;
} mli_forest_data;

/* A split: where rows go. */
typedef struct mli_forest_split {
    double num, den; /* how good: num / den */
    double gain;     /* decrease of impurity times weight */
    int32_t feature;
    uint16_t last; /* numbers: codes up to it go left */
    int32_t missing_left;
    int32_t categorical;
    uint32_t bits[8]; /* categories: bins that go left */
    double threshold;
} mli_forest_split;

/* A node of a tree that grows. */
typedef struct mli_forest_growing {
    int32_t left; /* the right child follows it; 0: leaf */
    int32_t feature, depth;
    int32_t set;       /* of categories: their number among the sets */
    uint32_t begin, n; /* of the tree's rows */
    uint16_t last, next;
    uint8_t missing_left, categorical;
    double weight, impurity; /* impurity times weight */
    double gain, threshold;  /* threshold: NaN: between the values of last and next */
} mli_forest_growing;

/* A node of a grown tree, breadth first. */
typedef struct mli_forest_node {
    int32_t left, feature; /* as above */
    int32_t at;            /* leaves: their row of value; of categories: their set */
    uint16_t last;
    uint8_t missing_left, categorical;
    double threshold, gain, weight;
} mli_forest_node;

typedef struct mli_forest_sample {
    int32_t node; /* a leaf */
    uint32_t row;
    double weight;
} mli_forest_sample;

typedef struct mli_forest_tree {
    ml_context *ctx;
    int64_t n_nodes, n_sets;
    int64_t n_values; /* per leaf: classes, targets, or 1 */
    int64_t n_rows;   /* of values: leaves may share them */
    mli_forest_node *node;
    double *value;             /* [n_rows * n_values] means, or share of each class */
    uint32_t (*set)[8];        /* of categories: bins that go left */
    uint64_t *inbag;           /* bits of the rows drawn; NULL without a bootstrap */
    mli_forest_sample *sample; /* rows of the leaves, when they are kept */
    int64_t n_samples;
    int finds_rows; /* mli_forest_leaf will be asked */
} mli_forest_tree;

/* Scratch memory of a slot. */
typedef struct mli_forest_scratch mli_forest_scratch;
mli_forest_scratch *mli_forest_scratch_new(const mli_forest_data *data,
                                           const mli_forest_options *options);
void mli_forest_scratch_free(mli_forest_scratch *s);

/* Grows tree number `index`. Its result depends on nothing but data, options and index.
 * ML_E_MEMORY, or ML_E_CANCELLED when the run is. */
ml_status mli_forest_grow(mli_forest_scratch *s, int64_t index, const mli_run *run,
                          mli_forest_tree *out);
void mli_forest_tree_free(mli_forest_tree *t);

/* Makes a tree of n nodes that grew, of which `value` has n_values each (forest_keep.c).
 * 0: no memory. */
int mli_forest_keep(mli_forest_tree *t, const mli_forest_codes *codes,
                    const mli_forest_growing *node, int64_t n, const double *value,
                    const uint32_t (*set)[8], int64_t n_sets);

/* The leaf of a training row. */
int64_t mli_forest_leaf(const mli_forest_tree *t, const mli_forest_codes *codes,
                        int64_t row);

/* ---- dividing a node (forest_divide.c) ---- */

typedef struct mli_forest_cut {
    uint32_t *row;         /* [n] those with keys up to `limit` come first, in order */
    uint32_t *spare;       /* [n + 8] */
    const uint16_t *key;   /* [n] */
    const uint64_t *order; /* [256] of mli_forest_order */
    int64_t n, left;       /* left: how many come first */
    uint16_t limit;
    uint16_t last, next; /* the keys on both sides of the cut; 0 and 65535: none */
} mli_forest_cut;

void mli_forest_order(uint64_t order[256]);
/* Divides the rows, and sets left, last and next. */
void mli_forest_divide(mli_forest_cut *c, int32_t cpu_level);

/* ---- splits of a node (forest_split.c) ---- */

/* A node being split. Its rows have payloads: for classes of whole weights (`counted`)
 * label << 32 | weight, else their number within the node, which finds w and s. */
typedef struct mli_forest_search {
    const mli_forest_codes *codes;
    const uint16_t *code; /* feature by feature, `ld` apart */
    const float *place;   /* the same for random cuts */
    int64_t ld;
    const mli_forest_options *options;
    int counted, scalar; /* scalar: two sums, w and s, tell everything */
    const uint32_t *row;
    const uint64_t *payload; /* [n] counted */
    /* counted and scalar, of little weight: weight + (that of the second class) << 16,
     * and no payload; else NULL */
    const uint32_t *pair;
    /* Random cuts, counted, light enough: class weights of a row in fields of a word, 32
     * bits for two classes, else 16 and four to a word; [n] words, the next word_ld
     * behind. word_rows of them can be added, a multiple of eight. Else NULL. */
    const uint64_t *word;
    int64_t word_ld, word_rows;
    float *x; /* [n + 8] scratch of random cuts */
    /* Numbers, of the best splits: [n][4] whole numbers: weight, weight times centred
     * target, the same without its sign, and that squared over the weight, in units of
     * `square`, rounded up. Weights are those of the rows, or, where these are not whole,
     * in units of their own; all have sums below 2^31. Then w, s, sum and weight are
     * those of these. NULL: weights differ by too much, or it is not of numbers. */
    const int32_t *lane;
    double square;
    /* Several classes, up to MLI_FOREST_FEW rows: [n][2] weights, eight bits for each of
     * up to MLI_FOREST_BYTES classes; else NULL. */
    const uint32_t *few;
    /* Entropy of whole weights: c log2 c for c < n_logs, and, of two classes, the sums of
     * these that the node itself has. Else NULL. */
    const double *logs;
    int64_t n_logs;
    double own;
    double unit; /* what a gain has to be divided by twice */
    int two;     /* two rows: any split is perfect */
    /* [n] not counted: weight; weight times target, [n * targets] with several */
    const double *w, *s;
    const int32_t *label; /* [n] not counted, classes */
    int64_t n;
    double weight, sum, squares; /* of the node; squares: sum of w y^2 */
    double min_weight;           /* of either side of a split */
    /* not scalar: [classes] weights, or [targets] sums of weight times target */
    const double *classes;
    uint64_t *element, *spare; /* [n] */
    uint16_t *near;            /* [2 * (n + 16)] scratch */
    double *left;              /* [3 * (classes or targets)] scratch */
    /* scratch: of numbers [MLI_FOREST_CELL_LD * 4], else half as many for each class or
     * target */
    double *bins;
} mli_forest_search;

/* What an element of row i of the node has below its code. */
static inline uint64_t mli_forest_payload(const mli_forest_search *a, int64_t i)
{
    if (!a->counted) return (uint64_t)i;
    if (!a->pair) return a->payload[i];
    return (uint64_t)(a->pair[i] >> 16 != 0) << 32 | (a->pair[i] & 0xffff);
}

/* Of entropy and two classes: minus the entropy of a side, times its weight, which is 0
 * when all is of one class; and the gain of a split with these on its left side. */
double mli_forest_purity(const mli_forest_search *a, double w, double s);
double mli_forest_gain(const mli_forest_search *a, double w, double s);
/* Numerator and denominator of a split with these on its left side, of two sums. */
static inline void mli_forest_rate_sums(const mli_forest_search *a, double w, double s,
                                        double *num, double *den)
{
    double d = s * a->weight - a->sum * w, wide = w * (a->weight - w);
    *num = d * d;
    *den = wide;
    if (!a->logs || !(wide > 0)) return;
    *num = mli_forest_gain(a, w, s);
    *den = 1;
}

/* Looks at one feature. Keeps a better split in best. 0: the feature is constant. */
int mli_forest_try(const mli_forest_search *a, int32_t feature, mli_forest_split *best);
/* The same for a random cut: `uniform` is a random number in [0, 1), `bits` random bits
 * for categories (forest_random.c). */
int mli_forest_random(const mli_forest_search *a, int32_t feature, double uniform,
                      const uint32_t bits[8], mli_forest_split *best);
/* Numerator and denominator of the quality of class weights, or sums of targets, l of the
 * left side, whose weight is wl. */
void mli_forest_rate(const mli_forest_search *a, const double *l, double wl, double *num,
                     double *den);
/* The same for a node of two classes of whole weights, larger than those of
 * mli_forest_few. */
int mli_forest_bound(const mli_forest_search *a, int32_t feature, mli_forest_split *best);
/* Cells of codes. */
typedef struct mli_forest_grid {
    /* A code's cell: 1 + (code - low) * scale / 2^16, of the lowest one 0. That may have
     * most rows of the node, such as zeros, and nothing to be found inside. */
    uint32_t low, scale;
    int32_t n; /* cells, a multiple of eight */
    int exact; /* each code has its cell */
} mli_forest_grid;
/* Codes of the rows of a node and their cells, at most `most`: [n + 16] each. Rows with
 * missing values, of which there are *missing, are in cell n. 0: the feature is constant;
 * -1: it has missing values, and `missing` is NULL. */
int mli_forest_grid_place(const mli_forest_search *a, int32_t feature, uint32_t most,
                          mli_forest_grid *g, uint16_t *code, uint16_t *cell,
                          int64_t *missing);
static inline uint32_t mli_forest_grid_cell(const mli_forest_grid *g, uint32_t code)
{
    uint32_t x = code - g->low;
    return g->exact ? x : (x > 0) + (x * g->scale >> 16);
}
/* The largest code of a cell. */
static inline uint32_t mli_forest_grid_last(const mli_forest_grid *g, int32_t cell)
{
    if (g->exact || !cell) return g->low + (uint32_t)cell;
    uint32_t last = g->low + (((uint32_t)cell << 16) - 1) / g->scale;
    return last < MLI_CODE_MISSING ? last : MLI_CODE_MISSING - 1;
}
/* Cells whose rows are looked at one by one. */
typedef struct mli_forest_opened {
    const uint16_t *code, *cell; /* of the rows */
    const uint8_t *open;         /* of the cells */
    int32_t first, last;         /* open ones lie between these, */
    int32_t begin, end;          /* or are at either end */
} mli_forest_opened;
/* Elements of the rows of open cells, sorted. */
const uint64_t *mli_forest_collect(const mli_forest_search *a, const mli_forest_opened *c,
                                   int64_t *n);
/* The same for numbers and more classes, of larger nodes (forest_cells.c). -1: it has
 * missing values, and nothing was done. */
#define MLI_FOREST_CELLS   512
#define MLI_FOREST_CELL_LD (MLI_FOREST_CELLS + 8)
#define MLI_FOREST_CLASSES 32 /* at most */
int mli_forest_cells(const mli_forest_search *a, int32_t feature, mli_forest_split *best);
/* The same for a node of few rows that has pairs, lanes or few. */
#define MLI_FOREST_FEW   64
#define MLI_FOREST_BYTES 8
int mli_forest_few(const mli_forest_search *a, int32_t feature, mli_forest_split *best);
/* Impurity times weight, from class weights. */
double mli_forest_impurity(int criterion, const double *classes, int64_t n,
                           double weight);

/* Sorts elements by their upper 16 bits, which lie in low .. high; returns where they
 * are: element or spare. The order of equal ones is kept. */
uint64_t *mli_forest_sort(uint64_t *element, uint64_t *spare, int64_t n, uint32_t low,
                          uint32_t high, int32_t cpu_level);

/* With several targets: the best cut of n sorted elements and m missing ones behind them,
 * which go left or right (forest_several.c). */
void mli_forest_scan_targets(const mli_forest_search *a, int32_t feature,
                             const uint64_t *e, int64_t n, int64_t m, int missing_left,
                             mli_forest_split *best);
/* The row, within the node, of an element that is not counted. */
static inline int64_t mli_forest_row(uint64_t element)
{
    return (int64_t)(element & UINT64_C(0xffffffffffff));
}
/* Adds the targets of an element's row to sums[targets]. */
static inline void mli_forest_add_targets(const mli_forest_search *a, uint64_t element,
                                          double *sums)
{
    int64_t n = a->options->targets;
    const double *s = a->s + mli_forest_row(element) * n;
    for (int64_t k = 0; k < n; k++) sums[k] += s[k];
}
/* Numerator and denominator of the quality of a split, from the sums l of its left side
 * and their weight. */
void mli_forest_rate_targets(const mli_forest_search *a, const double *l, double wl,
                             double *num, double *den);
/* Does a side weigh less than a leaf must? wl: the left side. */
static inline int mli_forest_too_light(const mli_forest_search *a, double wl)
{
    return wl < a->min_weight || a->weight - wl < a->min_weight;
}
/* Takes a cut of numbers when it is better. */
void mli_forest_offer(mli_forest_split *best, double num, double den, int32_t feature,
                      uint32_t last, int missing_left);

/* ---- quantiles (forest_quantiles.c) ---- */

/* Tensors of the rows of all leaves. Nodes of tree t begin with first[t]; first[n_trees]:
 * all nodes. */
ml_status mli_forest_write_samples(const mli_forest_tree *tree, int64_t n_trees,
                                   const int64_t *first, const mli_design *design,
                                   ml_model *model, ml_error *err);
ml_status mli_forest_quantiles_plan(const ml_model *model, mli_plan **out, ml_error *err);

/* ---- tensors (forest_write.c) ---- */

#define MLI_FOREST_COLUMNS 8

typedef struct mli_forest_writer {
    const mli_forest_codes *codes;
    const mli_forest_tree *tree;
    int64_t n_trees, done, capacity; /* done: written; capacity: nodes */
    int rows, sets;                  /* leaves have rows of values; there may be sets */
    /* [n_trees + 1] of the nodes of each tree, its rows of leaves, its sets */
    int64_t *first, *leaf, *set;
    mli_buffer *buffer[MLI_FOREST_COLUMNS];
    void *data[MLI_FOREST_COLUMNS];
} mli_forest_writer;

/* For up to n_trees trees; the writer is zeroed memory. */
ml_status mli_forest_writer_new(mli_forest_writer *w, const mli_forest_codes *codes,
                                const mli_forest_tree *tree, int64_t n_trees, int rows);
void mli_forest_writer_free(mli_forest_writer *w);
/* Writes the nodes of n more trees. 0: no memory. */
int mli_forest_write(mli_forest_writer *w, int64_t n);
/* All is written: the tensors become the model's. */
ml_status mli_forest_write_end(mli_forest_writer *w, ml_model *m, ml_error *err);

/* ---- algorithms ---- */

/* The leaf of a plain row, among the nodes of all trees. */
int64_t mli_forest_find(const mli_ensemble *e, int64_t tree, const double *row);

ml_status mli_forest_fit(mli_fit *job, ml_error *err);
ml_status mli_forest_plan(const ml_model *model, const char *kind, mli_plan **out,
                          ml_error *err);
ml_status mli_forest_check(const ml_model *model, ml_error *err);
ml_status mli_forest_attribute(const ml_model *model, const char *name, ml_tensor **out,
                               ml_error *err);

#endif
