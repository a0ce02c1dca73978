/* SPDX-License-Identifier: MIT
 *
 * The imputers that look at whole rows: rows of few numbers, bounds, limits.
 */
#include "testing.h"
#include <math.h>

/* v[columns][rows] as a table with the columns x0, x1, ... */
static ml_table *make(ml_context *ctx, const double *v, int64_t rows, int columns)
{
    ml_table *t = NULL;
    for (int j = 0; j < columns; j++) {
        char name[16];
        ml_tensor *column = NULL;
        ml_table *with = NULL;
        snprintf(name, sizeof name, "x%d", j);
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &rows, NULL,
                         (void *)(uintptr_t)(v + j * rows), &column, ERR));
        OK(ml_table_with_tensor(t, name, column, &with, ERR));
        ml_tensor_free(column);
        ml_table_free(t);
        t = with;
    }
    return t;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                     const char *const *pairs)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    for (; *pairs; pairs += 2) OK(ml_estimator_set_str(e, pairs[0], pairs[1], ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static ml_tensor *run(const ml_model *m, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    ml_predictor_free(p);
    return out;
}

/* Rows of training rise by 1 in every column; each row to fill has one number. */
START_TEST(knn_fills_nearly_empty_rows)
{
    enum { COLUMNS = 300, ROWS = 8 };
    static double v[COLUMNS][ROWS], w[COLUMNS][ROWS];
    ml_context *ctx = test_context(2);
    for (int j = 0; j < COLUMNS; j++)
        for (int i = 0; i < ROWS; i++) {
            v[j][i] = i + 1000 * j;
            w[j][i] = j == 7 * i ? 3 + 1000 * j : (double)NAN;
        }
    const char *params[] = {"n_neighbors", "1", NULL};
    ml_table *t = make(ctx, v[0], ROWS, COLUMNS), *few = make(ctx, w[0], ROWS, COLUMNS);
    ml_model *m = fit(ctx, "knn_imputer", t, params);
    ml_tensor *out = run(m, few);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            ck_assert(ml_tensor_get_f64(out, i, j) == 3 + 1000 * j);
    ml_tensor_free(out);
    ml_model_free(m);
    ml_table_free(few);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/prepare_fill", knn_fills_nearly_empty_rows)
