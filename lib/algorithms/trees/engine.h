/* SPDX-License-Identifier: MIT
 *
 * trees/engine.h: an ensemble prepared for scoring rows fast.
 *
 * Two forms, chosen when the engine is made (docs/design/trees.md says why):
 *
 * - codes: each value of a row is turned once into the number of thresholds of its
 *   feature that lie below it, one byte; trees then compare bytes. A feature whose splits
 *   send missing values both ways has two columns of codes, one where missing is below
 *   and one where it is above all thresholds, so that no node has to ask. Trees of at
 *   most 256 leaves are decided for 32 rows at once, of larger ones the upper levels,
 *   and the lower ones by interleaved walks. Trees with more thresholds than bytes can
 *   tell apart are cut into parts, each with its own codes.
 * - wide: interleaved walks that compare doubles. For single trees with more than 254
 *   thresholds on a feature, and for ensembles so large that preparing costs more than
 *   it saves.
 *
 * Both take the decisions of the plain walk through trees/ensemble.h and add the leaves
 * in order of the trees, whatever the number of rows, so that results are the same to
 * the bit.
 */
#ifndef MLI_TREES_ENGINE_H
#define MLI_TREES_ENGINE_H

#include "algorithms/trees/ensemble.h"
#include "data/csr.h"

typedef struct mli_engine mli_engine;

/* The ensemble's memory (the model) must outlive the engine. */
ml_status mli_engine_new(ml_context *ctx, const mli_ensemble *e, mli_engine **out,
                         ml_error *err);
/* An ensemble of one score whose leaves name a row of `rows` [rows, width]: the scores of
 * a row of data are the sums of these. Its values are whole and in range. */
ml_status mli_engine_new_rows(ml_context *ctx, const mli_ensemble *e, const double *rows,
                              int64_t width, mli_engine **out, ml_error *err);
void mli_engine_free(mli_engine *engine); /* NULL is fine */
/* Bytes of scratch that a call needs, a multiple of 64. */
size_t mli_engine_scratch(const mli_engine *engine);
/* Rows per call that suit it best. */
int64_t mli_engine_block(const mli_engine *engine);
/* out[i * n_scores + k] = base_score[k] + the leaves of row i; of rows: width instead of
 * n_scores, and no base_score. */
void mli_engine_scores(const mli_engine *engine, const double *rows, int64_t n,
                       int64_t stride, double *out, void *scratch);
void mli_engine_scores_f32(const mli_engine *engine, const float *rows, int64_t n,
                           int64_t stride, double *out, void *scratch);
/* Rows begin .. begin + n - 1 of columns: x[feature][row]. */
void mli_engine_scores_columns(const mli_engine *engine, const double *const *x,
                               int64_t begin, int64_t n, double *out, void *scratch);
/* Rows begin .. begin + n - 1 of sparse ones, in which no feature occurs twice, absent 0
 * or NaN. Only for engines that say so. */
int mli_engine_sparse(const mli_engine *engine);
void mli_engine_scores_sparse(const mli_engine *engine, const mli_csr *rows,
                              int64_t begin, int64_t n, double *out, void *scratch);

#endif
