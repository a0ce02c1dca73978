/* SPDX-License-Identifier: MIT
 *
 * algorithms/prefixes.h: the first steps of pipelines, fitted, kept between fits: a study
 * that tunes the last step fits the steps before it once per fold. Thread-safe.
 */
#ifndef MLI_ALGORITHMS_PREFIXES_H
#define MLI_ALGORITHMS_PREFIXES_H

#include "algorithms/model.h"

typedef struct mli_prefixes mli_prefixes;
ml_status mli_prefixes_new(ml_context *ctx, mli_prefixes **out, ml_error *err);
/* Before the designs that fits were made of are freed: these are told apart by address.
 */
void mli_prefixes_free(mli_prefixes *p);

/* Steps fitted to `train` (and `valid`, or NULL), and what they make of both. `key` says
 * all else that the result depends on. */
typedef struct mli_prefix {
    const mli_design *train, *valid;
    char *key;
    int64_t n;
    ml_model **model; /* [n] counted */
    mli_design *out_train, *out_valid;
    int64_t users; /* guarded, as `used` */
    uint64_t used; /* when, for throwing out the oldest */
} mli_prefix;

/* NULL when there is none, else to be released. */
mli_prefix *mli_prefixes_get(mli_prefixes *p, const mli_design *train,
                             const mli_design *valid, const char *key);
/* Keeps models and takes the two designs over; NULL, and nothing is taken, when there is
 * no room (of memory, or among the prefixes), or the memory of the context is limited. To
 * be released. */
mli_prefix *mli_prefixes_put(mli_prefixes *p, const mli_design *train,
                             const mli_design *valid, const char *key,
                             ml_model *const *models, int64_t n, mli_design *out_train,
                             mli_design *out_valid);
void mli_prefixes_release(mli_prefixes *p, mli_prefix *prefix);
/* How many fits found their prefix. */
int64_t mli_prefixes_hits(mli_prefixes *p);

#endif
