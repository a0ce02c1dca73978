/* SPDX-License-Identifier: MIT
 *
 * test_setters.c: the typed setters of C, generated per algorithm.
 */
#include <ml/algorithms/gbdt.h>
#include <ml/algorithms/linear_regression.h>
#include <ml/ml.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;

#define CHECK(ok)                                                                        \
    do {                                                                                 \
        if (ok) {                                                                        \
            passed++;                                                                    \
        } else {                                                                         \
            failed++;                                                                    \
            printf("line %d: %s\n", __LINE__, #ok);                                      \
        }                                                                                \
    } while (0)

static int is(const ml_estimator *estimator, const char *name, const char *value)
{
    return strcmp(ml_params_get_str(ml_estimator_params(estimator), name), value) == 0;
}

int main(void)
{
    ml_context *context = NULL;
    ml_estimator *gbdt = NULL, *linear = NULL;
    ml_error *error = ml_error_new();
    if (ml_context_new(NULL, &context, error) < 0) return 1;
    CHECK(ml_gbdt_new(context, &gbdt, error) == ML_OK);
    CHECK(ml_gbdt_set_n_trees(gbdt, 12, error) == ML_OK && is(gbdt, "n_trees", "12"));
    CHECK(ml_gbdt_set_learning_rate(gbdt, 0.25, error) == ML_OK &&
          is(gbdt, "learning_rate", "0.25"));
    CHECK(ml_gbdt_set_objective(gbdt, ML_GBDT_OBJECTIVE_HUBER, error) == ML_OK &&
          is(gbdt, "objective", "huber"));
#ifndef __cplusplus
    CHECK(ml_gbdt_set_objective(gbdt, (ml_gbdt_objective)9999, error) == ML_E_RANGE);
#endif
    CHECK(ml_gbdt_set_ignore(gbdt, "id, name", error) == ML_OK &&
          is(gbdt, "ignore", "[\"id\", \"name\"]"));
    CHECK(ml_gbdt_set_n_trees(gbdt, 0, error) == ML_E_RANGE &&
          strstr(ml_error_message(error), "n_trees") != NULL);
    CHECK(ml_linear_regression_new(context, &linear, error) == ML_OK);
    CHECK(ml_linear_regression_set_intercept(linear, 0, error) == ML_OK &&
          is(linear, "intercept", "false"));
    CHECK(ml_linear_regression_set_intercept(linear, 1, error) == ML_OK &&
          is(linear, "intercept", "true"));
    CHECK(ml_linear_regression_set_intercept(NULL, 1, error) == ML_E_ARGUMENT);
    ml_estimator_free(gbdt);
    ml_estimator_free(linear);
    ml_context_free(context);
    ml_error_free(error);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
