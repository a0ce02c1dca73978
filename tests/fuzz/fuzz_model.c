/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the model file: what loads is used in all ways: predictors of every kind with
 * rows of any numbers, attributes, JSON, saving.
 *
 * The seeds are models of every algorithm and task, made from model_seed.csv by
 *     libml train tests/fuzz/model_seed.csv --target y --set ignore=z
 *         --algorithm NAME -o tests/fuzz/corpus/model/NAME_classes.mlm
 * and, with y and z exchanged, NAME_value.mlm; trees with `--set n_trees=3`.
 */
#include "algorithms/model.h"
#include <ml/predictor.h>

#include <stdlib.h>
#include <string.h>

#define ROWS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds) abort();
}

/* Rows made of the file's own bytes and of some special values. */
static void fill(double *rows, int64_t count, const uint8_t *data, size_t size)
{
    static const double special[] = {0, 1, -1, 2.5, 1e300, -1e300, 4294967296.0, 65536};
    uint64_t state = size;
    for (int64_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(state >> 33);
        rows[i] = special[at % 8];
        if (at % 3 == 0 && size > 8) memcpy(&rows[i], data + at % (size - 8), 8);
    }
}

static void predict(const ml_model *m, const char *kind, const uint8_t *data, size_t size)
{
    ml_predictor *p = NULL;
    if (ml_predictor_new(m, kind, NULL, &p, NULL) != ML_OK) return;
    int64_t inputs = ml_model_inputs(m), outputs = ml_predictor_outputs(p);
    if (inputs * ROWS < 1 << 20 && outputs * ROWS < 1 << 20) {
        double *rows = calloc((size_t)(inputs * ROWS) + 1, sizeof *rows);
        double *out = calloc((size_t)(outputs * ROWS) + 1, sizeof *out);
        need(rows && out);
        fill(rows, inputs * ROWS, data, size);
        need(ml_predictor_rows(p, rows, ML_DTYPE_F64, ROWS, inputs, out, NULL) == ML_OK);
        /* As floats the same bytes are other numbers, and twice as many. */
        need(ml_predictor_rows(p, rows, ML_DTYPE_F32, ROWS, inputs, out, NULL) == ML_OK);
        free(rows);
        free(out);
    }
    for (int64_t i = 0; i < outputs && i < 100; i++)
        need(ml_predictor_output_name(p, i) != NULL);
    ml_predictor_code(p, 0, "a");
    ml_predictor_free(p);
}

static int64_t swallow(const void *data, size_t size, void *user)
{
    (void)data;
    (void)user;
    return (int64_t)size;
}

static void use(const ml_model *m, const uint8_t *data, size_t size)
{
    const mli_kind *kinds = m->algorithm->head.kinds;
    for (int i = 0; kinds[i].name; i++) predict(m, kinds[i].name, data, size);
    predict(m, "class", data, size);
    need(ml_model_json(m) != NULL);
    for (int64_t i = 0; i < ml_model_attributes(m); i++) {
        ml_tensor *t = NULL;
        const char *name = ml_model_attribute_name(m, i);
        if (ml_model_get_tensor(m, name, &t, NULL) == ML_OK) ml_tensor_free(t);
    }
    ml_io io = ML_IO_INIT;
    io.write = swallow;
    (void)!ml_model_save_io(m, &io, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ml_context *ctx;
    ml_model *m = NULL;
    if (!ctx && ml_context_new(NULL, &ctx, NULL) != ML_OK) abort();
    ml_status status = ml_model_load_memory(ctx, data, size, NULL, NULL, NULL, &m, NULL);
    if (status == ML_OK) use(m, data, size);
    /* Files of other systems are known by their first bytes, and refused by name. */
    need(status == ML_OK || status == ML_E_FORMAT || status == ML_E_UNSUPPORTED ||
         status == ML_E_MEMORY);
    ml_model_free(m);
    return 0;
}
