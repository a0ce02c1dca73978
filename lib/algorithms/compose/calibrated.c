/* SPDX-License-Identifier: MIT
 *
 * compose/calibrated.c: a classifier whose probabilities are mapped to those observed.
 *
 * Fit: the map is fitted to what models of the other folds predict for each row, or to
 * what the model predicts for validation rows where they are given; the model is that of
 * all rows. The maps: compose/calibration.c. Tensors: "<part>.<tensor>", and one of
 * "calibration_sigmoid", "calibration_isotonic", "calibration_beta".
 * Cost: folds + 1 fits of the model; a prediction costs that of the model and the map.
 */
#include "algorithms/compose/calibration.h"
#include "algorithms/compose/heldout.h"
#include "algorithms/compose/wrapped.h"

static const mli_param params[] = {
    MLI_PARAM_WRAPPED,
    {"method", "calibration", ML_PARAM_STR, 0, "sigmoid",
     "{sigmoid, isotonic, temperature}", "{sigmoid, isotonic, temperature}", NULL,
     "The map: sigmoid, a line on the log-odds, does with few rows; isotonic, any rising "
     "steps, wants a thousand rows or more; temperature, one factor on the "
     "log-probabilities, keeps the order of the classes.",
     "0.1"},
    MLI_PARAM_HELDOUT_FOLDS,
    MLI_PARAM_SEED,
    MLI_PARAM_END};

static ml_status fit_map(mli_fit *job, const mli_heldout *h, ml_error *err)
{
    mli_calibration map;
    const mli_design *d = h->judged;
    int32_t method = mli_get_enum(job->params, "method", MLI_CALIBRATE_NAMES);
    ml_status status =
        mli_calibration_fit(job->ctx, method, h->predictions, d->label, d->weight,
                            d->rows, d->inputs->classes.n, &map, err);
    if (status) return status;
    status = mli_calibration_save(&map, job->model, err);
    mli_calibration_free(&map);
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    return mli_wrapped_fit(job, params, fit_map, err);
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    mli_calibration map;
    mli_plan *inner = NULL;
    ml_status status = mli_calibration_load(m, &map, err);
    if (status) return status;
    status = mli_wrapped_plan(m, params, kind, &inner, err);
    if (!status) return mli_calibration_plan(inner, &map, out, err);
    mli_calibration_free(&map);
    return status;
}

static ml_status check(const ml_model *m, ml_error *err)
{
    mli_calibration map;
    ml_status status = mli_calibration_load(m, &map, err);
    if (status) return status;
    if (map.method == MLI_CALIBRATE_NONE && map.classes > 1)
        status = mli_fail(err, ML_E_FORMAT, "the calibration is missing");
    mli_calibration_free(&map);
    return status ? status : mli_wrapped_check(m, params, err);
}

static void describe(const ml_params *p, mli_descriptor *out)
{
    mli_wrapped_describe(p, params, out);
}

static const mli_kind kinds[] = {
    {"proba", "rows, classes", "The calibrated probabilities."},
    {"class", "rows", "The most probable class."},
    {NULL, NULL, NULL}};

static const mli_attribute attributes[] = {
    {"calibration_sigmoid", "f64", "[maps, 2]",
     "Slope and intercept on the log-odds; one map for two classes, else one per class."},
    {"calibration_isotonic", "f64", "[points, 3]",
     "The corners of the steps: number of the map, from, to."},
    {"calibration_beta", "f64", "[1]",
     "What log-probabilities are multiplied by: 1 / temperature."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_calibrated;
const mli_algorithm mli_calibrated = {
    .head = {.name = "calibrated",
             .aliases = "calibration,calibrated_classifier",
             .title = "classifier with calibrated probabilities",
             .doc = "A classifier whose probabilities are mapped to the shares that were "
                    "observed on rows held out.",
             .family = "compose",
             .since = "0.1",
             .sort = MLI_SORT_ALGORITHM,
             .tasks = MLI_TASK_CLASSIFICATION,
             .caps = MLI_CAN_MISSING | MLI_CAN_CATEGORIES | MLI_CAN_WEIGHTS |
                     MLI_CAN_EARLY_STOP,
             .params = params,
             .roles = mli_roles_classification,
             .kinds = kinds,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .check = check,
    .part = mli_member_part,
    .describe = describe,
};
