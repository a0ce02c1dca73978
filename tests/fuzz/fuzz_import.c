/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the readers of other systems' models (XGBoost JSON and UBJSON, LightGBM,
 * CatBoost JSON and binary, ONNX). What loads must predict, and what can be exported must be so without
 * harm.
 */
#include <ml/ml.h>

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t swallow(const void *bytes, size_t size, void *user)
{
    (void)bytes;
    (void)user;
    return (int64_t)size;
}

static void predict(const ml_model *m)
{
    ml_predictor *p = NULL;
    int64_t n = ml_model_inputs(m);
    if (n > 4096 || ml_predictor_new(m, NULL, NULL, &p, NULL) != ML_OK) return;
    int64_t outputs = ml_predictor_outputs(p);
    double *rows = calloc((size_t)(3 * n), sizeof *rows);
    double *out = calloc((size_t)(3 * outputs), sizeof *out);
    if (!rows || !out) abort();
    for (int64_t j = 0; j < n; j++) {
        rows[j] = j % 2 ? 1 : -0.5;
        rows[n + j] = NAN;
        rows[2 * n + j] = 1e9;
    }
    if (ml_predictor_rows(p, rows, ML_DTYPE_F64, 3, n, out, NULL) != ML_OK) abort();
    free(rows);
    free(out);
    ml_predictor_free(p);
}

static void export_all(ml_context *ctx, const ml_model *m)
{
    static const char *const formats[] = {"c", "xgboost", "onnx", "lightgbm"};
    ml_io io = ML_IO_INIT;
    io.write = swallow;
    for (int i = 0; i < 4; i++) {
        ml_params *p = NULL;
        if (ml_params_new(ctx, &p, NULL) != ML_OK) abort();
        if (ml_params_set_str(p, "format", formats[i], NULL) != ML_OK) abort();
        if (ml_model_save_io(m, &io, p, NULL) == ML_E_CALLBACK) abort();
        ml_params_free(p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ml_context *ctx; /* one for all: making one is slow beside the parsing */
    ml_model *m = NULL;
    if (!ctx && ml_context_new(NULL, &ctx, NULL) != ML_OK) abort();
    if (size == 0 || ml_model_load_memory(ctx, data, size, NULL, NULL, NULL, &m, NULL))
        return 0;
    predict(m);
    export_all(ctx, m);
    ml_model_free(m);
    return 0;
}
