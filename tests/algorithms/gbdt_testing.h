/* SPDX-License-Identifier: MIT
 *
 * gbdt_testing.h: rows for "gbdt" with a number as the target, and fits of them.
 */
#ifndef GBDT_TESTING_H
#define GBDT_TESTING_H

#include "testing_data.h"

#define ROWS 2000

/* y = 3 a + sin(6 b) + a c + noise; k is a category, w a weight, o an offset. */
static inline ml_table *sample(ml_context *ctx, int64_t n, uint64_t seed)
{
    double *v = calloc((size_t)n * 6, sizeof *v);
    const char **k = calloc((size_t)n, sizeof *k);
    static const char *const names[] = {"red", "green", "blue", "grey", "pink", "teal"};
    uint64_t s = seed;
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < 6; j++) {
            s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            v[j * n + i] = (double)(s >> 11) * 0x1p-53;
        }
        double a = v[i], b = v[n + i], c = v[2 * n + i];
        k[i] = names[i * 7 % 6];
        v[3 * n + i] = 3 * a + sin(6 * b) + a * c + (i * 7 % 6 == 2) + 0.2 * v[3 * n + i];
    }
    ml_table *t = add_f64(ctx, NULL, "a", n, v);
    t = add_f64(ctx, t, "b", n, v + n);
    t = add_f64(ctx, t, "c", n, v + 2 * n);
    t = add_f64(ctx, t, "y", n, v + 3 * n);
    t = add_f64(ctx, t, "w", n, v + 4 * n);
    t = add_text(ctx, t, "k", n, k);
    free(v);
    free(k);
    return t;
}

static inline ml_estimator *make(ml_context *ctx, const char *settings)
{
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "ignore", "w", ERR));
    OK(ml_estimator_set_str(e, "n_trees", "20", ERR));
    set_all(e, settings);
    return e;
}

static inline ml_model *fit(ml_context *ctx, const char *settings, const ml_table *t)
{
    ml_estimator *e = make(ctx, settings);
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static inline double error_of(const ml_model *m, const ml_table *t)
{
    ml_tensor *p = predicted(m, "value", t);
    double sum = 0;
    int64_t n = ml_table_rows(t), y = ml_table_find(t, "y");
    for (int64_t i = 0; i < n; i++) {
        double d = ml_tensor_get_f64(p, i, 0) - ml_table_get_f64(t, i, y);
        sum += d * d;
    }
    ml_tensor_free(p);
    return sum / (double)n;
}

#endif
