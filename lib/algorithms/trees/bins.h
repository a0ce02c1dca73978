/* SPDX-License-Identifier: MIT
 *
 * trees/bins.h: features cut into at most 256 bins, and the matrix of bins that trees are
 * grown on.
 *
 * Bins of a numeric feature ascend with the value; those of a categorical feature are its
 * levels, the most frequent first. The last bin, `n_bins`, holds the missing values (for
 * categories also the levels that got no bin of their own).
 *
 * The matrix is row-major, one byte per feature, since a histogram touches all features
 * of a row. Features are ordered by their number of bins and grouped in chunks of 16,
 * padded to a multiple of 4: within a chunk all features have histograms of the same
 * size, a power of two, so that the kernels know the addresses at compile time. Features
 * that are constant get no column.
 */
#ifndef MLI_TREES_BINS_H
#define MLI_TREES_BINS_H

#include "algorithms/trees/cuts.h"
#include "core/run.h"
#include "data/design.h"

#define MLI_CHUNK 16

typedef struct mli_bin_feature {
    int32_t kind;        /* MLI_NUMERIC or MLI_CATEGORICAL */
    int32_t n_bins;      /* without the bin of missing values, whose index it is */
    int32_t has_missing; /* some training row is in that bin */
    int32_t column;      /* in the matrix, -1: none */
    int32_t sparse;      /* numeric: most rows are in the bin `usual`, */
    double away;         /* and this share of them is not */
    /* Several features in one column: see bins_bundle.c. */
    int32_t bundled, follows; /* in a bundle; not as its first */
    int32_t next;             /* feature of the bundle, -1: none */
    int32_t usual, offset; /* the bin that shares bin 0 of the column; first other bin */
    int32_t column_bins;   /* of the first: bins of the column */
    int32_t pairs;         /* members of two bins from here on, before any other, */
    int32_t run_end;       /* and the last of them */
    mli_cuts cuts;         /* numeric: n_bins - 1 cuts */
    int64_t n_levels;      /* categorical */
    uint8_t *level_bin;    /* [n_levels] */
    int32_t ordered;  /* categorical: bins ascend with the level's statistic; `cuts` */
    uint8_t *row_bin; /* ordered: [rows] bins of the training rows */
} mli_bin_feature;

typedef struct mli_bin_chunk {
    int32_t first, width; /* columns; width is 4, 8, 12 or 16 */
    int32_t log2;         /* of the cells per column */
    int64_t cell;         /* first cell in a histogram */
} mli_bin_chunk;

typedef struct mli_binner {
    ml_context *ctx;
    const mli_design *design; /* of the training rows; to tell them only */
    int64_t n_features;
    mli_bin_feature *features;
    int32_t n_used;    /* columns of features */
    int32_t n_columns; /* with padding */
    int64_t stride;    /* bytes of a row of the matrix, n_columns or a few more */
    int32_t *feature;  /* [n_columns] (first) feature of a column, -1: padding */
    uint8_t *alone;    /* [n_columns] lists: one feature, usually in its first bin */
    int32_t *bins;     /* [n_columns] bins of a column, but for missing values */
    int64_t *cell;     /* [n_columns] first cell of a column in a histogram */
    int32_t n_chunks;
    mli_bin_chunk *chunks;
    int64_t n_cells; /* of a histogram */
    int sparse;      /* rows are kept as lists: see bins_sparse.h */
    int64_t map;     /* and histograms have a byte per four cells, from this cell on, that
                        says whether they were touched; else 0 */
} mli_binner;

/* Cells of a column of lists: whole groups, with one for missing values. */
#define MLI_LIST_CELLS(bins) ((int64_t)((bins) + 4) / 4 * 4)

/* Bins of categories that exist already: those of a model. */
typedef struct mli_bin_levels {
    const int64_t *level_start;
    const uint8_t *level_bin, *level_other;
} mli_bin_levels;

/* How categories become numbers: see bins_ordered.c. */
typedef struct mli_bin_order {
    const mli_design *design;
    const double *y; /* or */
    const int32_t *label;
    int64_t *row; /* [rows] the random order */
    double mean, prior;
    int64_t most; /* features with more levels are cut so */
} mli_bin_order;
ml_status mli_bin_order_make(mli_bin_order *o, const mli_design *d, const double *y,
                             const int32_t *label, uint64_t seed, ml_error *err);
void mli_bin_order_free(ml_context *ctx, mli_bin_order *o);

/* How the features of a training design are cut. max_bin: 2 to 255. */
typedef struct mli_bin_options {
    int32_t max_bin, min_data;
    const mli_bin_levels *levels; /* the bins of categories; NULL: found */
    const mli_bin_order *order;   /* or found by order; NULL */
    int bundle;                   /* exclusive features share columns, */
    const uint8_t *apart;         /* [n_features] but for these; or NULL */
    int sparse;                   /* rows may be kept as lists */
} mli_bin_options;
ml_status mli_binner_make(const mli_design *design, const mli_bin_options *options,
                          mli_run *run, mli_binner **out, ml_error *err);
void mli_binner_free(mli_binner *b);

/* The matrix of a design: [rows * stride] bytes, and 64 more to read past the end. */
ml_status mli_binner_apply(const mli_binner *b, const mli_design *design, mli_run *run,
                           uint8_t **out, ml_error *err);

/* The bins of a design, one way or the other (bins_sparse.h). */
typedef struct mli_bin_store {
    uint8_t *matrix;
    struct mli_bin_sparse *lists;
} mli_bin_store;

/* A matrix with its copy column by column, in which a division finds the bins of one
 * column side by side. */
typedef struct mli_bin_matrix {
    const uint8_t *by_row;
    int64_t rows;
    uint8_t
        *by_column; /* [n_used * rows], or NULL: the matrix fits into a cache anyway */
    struct mli_bin_sparse *sparse; /* instead of both; borrowed */
} mli_bin_matrix;
ml_status mli_bin_matrix_make(mli_bin_matrix *m, const mli_binner *b,
                              const mli_bin_store *bins, int64_t rows, int by_column,
                              ml_error *err);

/* Words of a histogram. */
static inline int64_t mli_binner_words(const mli_binner *b)
{
    int64_t cells = (b->n_cells + 7) / 8 * 8 + 8;
    return b->map ? b->map + (cells / 4 + 7) / 8 + 1 : cells;
}

/* The value below which (inclusive) a numeric row goes left when split after `bin`. */
double mli_binner_threshold(const mli_bin_feature *f, int32_t bin);

/* The bin of a feature that a bin of its column means. */
static inline int32_t mli_bin_member(const mli_bin_feature *f, int32_t bin)
{
    if (!f->bundled) return bin;
    int32_t k = bin - f->offset;
    if (k < 0 || k >= f->n_bins - 1) return f->usual;
    return k < f->usual ? k : k + 1;
}
/* Cells (or counts) of a bundled feature from those of its column: out[n_bins + 1]. */
#define MLI_UNBUNDLE(f, column, total, out)                                              \
    do {                                                                                 \
        int32_t at_ = (f)->offset;                                                       \
        (out)[(f)->usual] = (total);                                                     \
        (out)[(f)->n_bins] = 0;                                                          \
        for (int32_t k_ = 0; k_ < (f)->n_bins; k_++) {                                   \
            if (k_ == (f)->usual) continue;                                              \
            (out)[k_] = (column)[at_++];                                                 \
            (out)[(f)->usual] -= (out)[k_];                                              \
        }                                                                                \
    } while (0)

/* Cuts for sorted distinct values v[n] with counts: at most max_bin bins of about equal
 * weight. Returns the number of cuts written to `cut` (max_bin - 1 at most). */
int32_t mli_cut_values(const double *v, const int64_t *count, int64_t n, int32_t max_bin,
                       int64_t min_data, double *cut);

#endif
