/* SPDX-License-Identifier: MIT
 *
 * c_model.c: fits the model that the tests of the bindings fit, and writes its file.
 * Usage: c_model CSV OUT
 */
#include <ml/ml.h>
#include <stdio.h>

static int fail(ml_error *error)
{
    fprintf(stderr, "%s\n", ml_error_message(error));
    return 1;
}

int main(int argc, char **argv)
{
    ml_error *error = ml_error_new();
    ml_context *context = NULL;
    ml_params *options = NULL;
    ml_table *train = NULL;
    ml_estimator *gbdt = NULL;
    ml_model *model = NULL;
    if (argc != 3) return 2;
    if (ml_context_new(NULL, &context, error) < 0 ||
        ml_params_new(context, &options, error) < 0 ||
        ml_params_set_i64(options, "max_rows", 2000, error) < 0 ||
        ml_table_read_csv(context, argv[1], options, &train, error) < 0 ||
        ml_estimator_new(context, "gbdt", &gbdt, error) < 0 ||
        ml_estimator_set_str(gbdt, "target", "income", error) < 0 ||
        ml_estimator_set_i64(gbdt, "n_trees", 10, error) < 0 ||
        ml_estimator_set_i64(gbdt, "max_leaves", 8, error) < 0 ||
        ml_estimator_fit(gbdt, train, NULL, &model, error) < 0 ||
        ml_model_save_file(model, argv[2], NULL, error) < 0)
        return fail(error);
    ml_model_free(model);
    ml_estimator_free(gbdt);
    ml_table_free(train);
    ml_params_free(options);
    ml_context_free(context);
    ml_error_free(error);
    return 0;
}
