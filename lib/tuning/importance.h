/* SPDX-License-Identifier: MIT
 *
 * tuning/importance.h: how much each parameter matters for the score.
 */
#ifndef MLI_TUNING_IMPORTANCE_H
#define MLI_TUNING_IMPORTANCE_H

#include "tuning/study.h"

#define MLI_IMPORTANCE_LEAST 8 /* trials without which nothing is said */

/* share[space.n] sums to 1; all NaN with too few trials or where all scores are equal. */
ml_status mli_study_importance(const ml_study *s, double *share, ml_error *err);

/* A forest of regression trees over the points of ended trials. */
typedef struct mli_anova mli_anova;
ml_status mli_anova_fit(const ml_study *s, mli_anova **out, ml_error *err);
void mli_anova_free(mli_anova *f);
/* The predicted score (in its own direction) over two dimensions at u and v, the mean
 * over the others; b < 0: over dimension a alone. */
double mli_anova_marginal(const mli_anova *f, int64_t a, double u, int64_t b, double v);

#endif
