/* SPDX-License-Identifier: MIT
 *
 * trees/forest_grow.h: the inside of growing a tree, for its files:
 *
 *   forest_grow.c     nodes: splitting, dividing
 *   forest_scratch.c  memory, pages, the sample
 *   forest_sums.c     sums of a node
 */
#ifndef MLI_TREES_FOREST_GROW_H
#define MLI_TREES_FOREST_GROW_H

#include "algorithms/trees/forest.h"
#include "core/rng.h"

#define MLI_FOREST_PAGES  3
#define MLI_FOREST_PAIRED (1 << 15) /* weight of a node that has pairs */
#define MLI_FOREST_FIELDS 32        /* classes that have fields in words */

/* What a tree needs of some rows. */
typedef struct mli_forest_page {
    int64_t rows, ld; /* ld: from one feature to the next */
    uint16_t *code;   /* or */
    float *place;
    uint32_t *row; /* of the table; NULL: the same */
    /* counted: label << 32 | weight, or, when the scratch is `packed`, 2 * weight +
     * class; else weights of scalar targets and the targets, in pairs */
    uint64_t *drawn;
    uint16_t *near;
    double *wy;
} mli_forest_page;

struct mli_forest_scratch {
    const mli_forest_data *data;
    const mli_forest_options *options;
    ml_context *ctx;
    int counted, scalar;
    int whole, numbers, bytes; /* whole weights; search by lanes; of few rows by bytes */
    uint32_t few[2 * MLI_FOREST_FEW];
    uint32_t *row, *spare_row, *count;   /* [rows] count: draws */
    uint64_t *element, *spare, *payload; /* payload: of numbers two each, for lanes */
    uint32_t *pair;
    uint16_t *near;
    int packed;
    double *w, *s;  /* [rows] not counted; s: numbers: targets, until there are lanes */
    double *sums;   /* [rows] of the chances up to each */
    int32_t *label; /* [rows] not counted, classes */
    /* pages[0] is the table. Once a node is small its rows are copied into the next one,
     * and counted from 0 in all nodes below. */
    mli_forest_page pages[MLI_FOREST_PAGES], *page; /* page: the present one */
    int n_pages;
    float *x;                            /* random cuts: places of a node's rows */
    uint64_t *word;                      /* the same: class weights */
    int64_t n_words, word_ld, word_rows; /* rows: as in mli_forest_search; 0: none */
    double *left, *bins, *classes;
    int32_t *order; /* [features] */
    int32_t *waiting;
    int64_t n_waiting, waiting_capacity;
    double *center, *squares; /* [targets or 1] of the targets; scratch */
    mli_rng rng;
    mli_forest_growing *node;
    double *value;      /* n_values for each node */
    uint32_t (*set)[8]; /* of categories */
    int64_t n_nodes, capacity, n_values, n_sets, set_capacity;
    uint64_t sides[256];      /* of mli_forest_order */
    mli_forest_search search; /* of the present node */
};

static inline uint32_t mli_forest_table_row(const mli_forest_scratch *s, uint32_t row)
{
    return s->page->row ? s->page->row[row] : row;
}
static inline double mli_forest_weight(const mli_forest_scratch *s, uint32_t row)
{
    double count = (double)s->count[row];
    return s->data->weight ? count * s->data->weight[row] : count;
}

/* Draws the rows of a tree; returns how many take part. */
int64_t mli_forest_draw(mli_forest_scratch *s);
/* Copies the rows of a node into the next page. */
void mli_forest_turn(mli_forest_scratch *s, const mli_forest_growing *node);
/* Prepares the search in a node; its value goes into the tree. */
void mli_forest_look(mli_forest_scratch *s, int64_t id);
/* The rest of it, for nodes that may be split. */
void mli_forest_prepare(mli_forest_scratch *s);

#endif
