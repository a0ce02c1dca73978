/* SPDX-License-Identifier: MIT
 *
 * linear/descent.h: quadratic problems with absolute penalties, by coordinate descent.
 */
#ifndef MLI_LINEAR_DESCENT_H
#define MLI_LINEAR_DESCENT_H

#include "core/context.h"
#include "core/run.h"

/* Minimises b'Hb / 2 - c'b + sum of l1_j |b_j|. H: [q * q], lower triangle in, made
 * symmetric; its diagonal must be positive where b_j can move (columns with a diagonal of
 * 0 stay as they are). b[q]: start and result. Sweeps until no coordinate moves more than
 * `tol`, in units of b_j sqrt(H_jj), at most max_sweeps; when the signs are settled the
 * equations of the coordinates that are not 0 are solved exactly, unless there are more
 * than a thousand. Stops early, with what it has, when the run is to stop. Returns the
 * sweeps done, -1 when out of memory. */
int64_t mli_descend(ml_context *ctx, mli_run *run, int64_t q, double *h, const double *c,
                    const double *l1, double tol, int64_t max_sweeps, double *b);

#endif
