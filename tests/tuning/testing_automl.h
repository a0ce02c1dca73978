/* SPDX-License-Identifier: MIT
 *
 * testing_automl.h: what the tests of automl share.
 */
#ifndef TESTING_AUTOML_H
#define TESTING_AUTOML_H

#include "testing_yaml.h"
#include "../conformance/kit.h"
#include "../failing.h"
#include "../testing_data.h"

static inline double number(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    double v = ml_tensor_get_f64(t, i, 0);
    ml_tensor_free(t);
    return v;
}

static inline ml_table *table(ml_context *ctx, int64_t rows, int classes, uint64_t seed)
{
    return kit_table(ctx, &(kit_data){.rows = rows, .classes = classes, .seed = seed});
}

static inline void same_after_loading(ml_context *ctx, const ml_model *m,
                                      const char *kind, const ml_table *t)
{
    kit_bytes b = kit_save(m);
    ml_model *again = NULL;
    OK(ml_model_load_memory(ctx, b.data, b.size, NULL, NULL, NULL, &again, ERR));
    ml_tensor *x = predicted(m, kind, t), *y = predicted(again, kind, t);
    ck_assert(same_tensor(x, y));
    ml_tensor_free(x);
    ml_tensor_free(y);
    ml_model_free(again);
    free(b.data);
}

/* Memory is refused from the n-th allocation of a fit on, for each step-th n: the call
 * says so, or did without, and nothing is lost. */
static inline void memory_fails(ml_status (*fit)(failing_alloc *f, int64_t n),
                                int64_t step)
{
    int64_t refused = 0, failures = 1;
    for (int64_t n = 1; failures; n += step) {
        failing_alloc f = {0};
        ml_status status = fit(&f, n);
        ck_assert_int_eq(f.live, 0);
        ck_assert_int_eq(f.faults, 0);
        ck_assert(status == ML_OK || status == ML_E_MEMORY);
        refused += status == ML_E_MEMORY;
        failures = f.failures;
    }
    ck_assert_int_gt(refused, 10);
}

static inline int has_tensor(const ml_model *m, const char *name)
{
    ml_tensor *t = NULL;
    int has = ml_model_get_tensor(m, name, &t, NULL) == ML_OK;
    ml_tensor_free(t);
    return has;
}

#endif
