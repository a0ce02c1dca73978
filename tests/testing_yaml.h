/* SPDX-License-Identifier: MIT
 *
 * tests/testing_yaml.h: estimators and models from settings as text.
 *
 *     ml_model *m = fit_yaml(ctx, "gbdt", "{target: y, n_trees: 5}", t, NULL);
 */
#ifndef ML_TESTING_YAML_H
#define ML_TESTING_YAML_H

#include "testing.h"

static inline ml_estimator *estimator_of(ml_context *ctx, const char *algorithm,
                                         const char *yaml)
{
    ml_params *p = NULL;
    ml_estimator *e = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_params(e, p, ERR));
    ml_params_free(p);
    return e;
}

static inline ml_model *fit_yaml(ml_context *ctx, const char *algorithm, const char *yaml,
                                 const ml_table *t, const ml_table *valid)
{
    ml_estimator *e = estimator_of(ctx, algorithm, yaml);
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* Setting or fitting must fail, with a message that has the word. */
static inline void refused(ml_context *ctx, const char *algorithm, const char *yaml,
                           const ml_table *t, const char *word)
{
    ml_estimator *e = NULL;
    ml_params *p = NULL;
    ml_model *m = NULL;
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_read_yaml(p, yaml, strlen(yaml), ERR));
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    ml_status st = ml_estimator_set_params(e, p, ERR);
    if (st == ML_OK) st = ml_estimator_fit(e, t, NULL, &m, ERR);
    ck_assert_msg(st < 0 && !m, "%s was accepted", yaml);
    ck_assert_msg(strstr(ml_error_message(ERR), word) != NULL, "%s: %s", yaml,
                  ml_error_message(ERR));
    ml_params_free(p);
    ml_estimator_free(e);
}

#endif
