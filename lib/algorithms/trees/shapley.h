/* SPDX-License-Identifier: MIT
 *
 * trees/shapley.h: exact Shapley values of an ensemble's scores, the path-dependent
 * ("tree_path_dependent") ones: a feature that is not known follows both branches of a
 * node in proportion to their covers.
 *
 * Lundberg, Erion, Lee, "Consistent individualized feature attribution for tree
 * ensembles", 2018, define them. Of one leaf they are those of a product game: with z the
 * share of the cover along the edges of a feature and o whether the row passes them, the
 * leaf weighs prod_S o * prod_not_S z, and by Owen's multilinear extension (1972)
 *
 *   phi_i  = value * (o_i - z_i) * integral_0^1 prod_{j != i} ((1 - t) z_j + t o_j) dt
 *   phi_ij = value * (o_i - z_i) (o_j - z_j) * integral_0^1 prod_{k != i, j} ... dt / 2.
 *
 * The integrand is a polynomial of a degree below the number of features on the path, so
 * Gauss' quadrature with half as many points is exact: 3 points for six levels. Products
 * are kept per point for four rows at a time, and each edge is passed once down and once
 * up (as in Yu, Bifet, Read, Bian, "Linear TreeShap", 2022, where polynomials take the
 * place of the quadrature): O(edges * levels / 2) per row.
 */
#ifndef MLI_TREES_SHAPLEY_H
#define MLI_TREES_SHAPLEY_H

#include "algorithms/trees/ensemble.h"

typedef struct mli_shapley mli_shapley;

/* Leaves whose value is the number of a row of several scores, to which every tree adds:
 * rows[value * width + k] * scale. */
typedef struct mli_shapley_leaves {
    const double *rows;
    int64_t width;
    double scale;
} mli_shapley_leaves;

/* The ensemble's memory must outlive it, and that of `leaves`, which is NULL where leaves
 * hold their value. pairs: for interactions. */
ml_status mli_shapley_new(ml_context *ctx, const mli_ensemble *e,
                          const mli_shapley_leaves *leaves, int pairs, mli_shapley **out,
                          ml_error *err);
void mli_shapley_free(mli_shapley *s); /* NULL is fine */
size_t mli_shapley_scratch(const mli_shapley *s);
int64_t mli_shapley_block(const mli_shapley *s);
/* With F features and n_scores scores: those of the ensemble, or the width of the leaves:
 * out[(i * n_scores + k) * (F + 1) + j], j = F: the expected score. They
 * add up to the score. */
void mli_shapley_values(const mli_shapley *s, const double *rows, int64_t n,
                        int64_t stride, double *out, void *scratch);
/* out[((i * n_scores + k) * (F + 1) + a) * (F + 1) + b]: symmetric, the sum over b is the
 * value of a; [F][F] is the expected score. */
void mli_shapley_pairs(const mli_shapley *s, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch);

/* A plan for "contributions" or "interactions". The ensemble's tensors must outlive it.
 */
ml_status mli_shapley_plan(ml_context *ctx, const mli_ensemble *e,
                           const mli_shapley_leaves *leaves, const char *kind,
                           mli_plan **out, ml_error *err);

#endif
