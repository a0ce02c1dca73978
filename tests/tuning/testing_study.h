/* SPDX-License-Identifier: MIT
 *
 * Studies of a small gbdt, and their trials.
 */
#ifndef TESTING_STUDY_H
#define TESTING_STUDY_H

#include "../testing.h"

static inline ml_estimator *tuned_estimator(ml_context *ctx)
{
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 5, ERR));
    return e;
}

static inline ml_params *options(ml_context *ctx, const char *yaml)
{
    ml_params *p = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    return p;
}

static inline ml_study *study(ml_context *ctx, const ml_table *t, const char *yaml)
{
    ml_estimator *e = tuned_estimator(ctx);
    ml_params *o = options(ctx, yaml);
    ml_study *s = NULL;
    OK(ml_study_new(e, t, NULL, o, &s, ERR));
    ml_params_free(o);
    ml_estimator_free(e);
    return s;
}

/* The next proposal; 0 when there are no more. */
static inline int next_params(ml_study *s, int64_t *trial, ml_params **out)
{
    ml_status st = ml_study_ask(s, trial, out, ERR);
    if (st == ML_E_STATE) return 0;
    ck_assert_int_eq(st, ML_OK);
    return 1;
}

#endif
