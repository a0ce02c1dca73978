/* SPDX-License-Identifier: MIT
 *
 * export_testing.h: models with all that an export must carry: missing values,
 * categories, several classes.
 */
#ifndef ML_EXPORT_TESTING_H
#define ML_EXPORT_TESTING_H

#include "foreign_testing.h"
#include "testing_data.h"

#define SAMPLE_ROWS 600

static inline double sample_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return (double)(*state >> 8) / 16777216;
}

/* Numbers x, z; the category c of 40 levels, if wanted; the target y: a number, or one of
 * `classes` labels. */
static inline ml_table *sample_table(ml_context *ctx, int categories, int classes)
{
    static double x[SAMPLE_ROWS], z[SAMPLE_ROWS], y[SAMPLE_ROWS];
    static char level[SAMPLE_ROWS][16];
    static const char *c[SAMPLE_ROWS], *label[SAMPLE_ROWS];
    static const char *const labels[] = {"no", "yes \"?\?/", "may\303\244be"};
    uint32_t state = 7;
    ml_table *t = NULL;
    for (int i = 0; i < SAMPLE_ROWS; i++) {
        int k = (int)(sample_random(&state) * 40);
        x[i] = sample_random(&state) < 0.1 ? NAN : sample_random(&state) * 20 - 10;
        z[i] = floor(sample_random(&state) * 8) / 3;
        snprintf(level[i], sizeof level[i], "level %d", k);
        c[i] = sample_random(&state) < 0.05 ? NULL : level[i];
        y[i] = 3 + (isnan(x[i]) ? 3 : x[i] / 4) + z[i] +
               (c[i] && categories ? k * 7 % 11 : 0) + sample_random(&state);
        int at = (int)(y[i] - 1) % (classes ? classes : 1);
        label[i] = labels[at < 0 ? 0 : at];
    }
    t = add_f64(ctx, t, "x", SAMPLE_ROWS, x);
    t = add_f64(ctx, t, "a \"z\"", SAMPLE_ROWS, z);
    if (categories) t = add_text(ctx, t, "c", SAMPLE_ROWS, c);
    return classes ? add_text(ctx, t, "y", SAMPLE_ROWS, label)
                   : add_f64(ctx, t, "y", SAMPLE_ROWS, y);
}

static inline ml_model *sample_fit(ml_context *ctx, const char *algorithm,
                                   const ml_table *t, const char *objective)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    if (strcmp(algorithm, "gbdt") == 0) {
        OK(ml_estimator_set_str(e, "n_trees", "12", ERR));
        OK(ml_estimator_set_str(e, "min_data_per_group", "5", ERR));
        OK(ml_estimator_set_str(e, "cat_smooth", "1", ERR));
        OK(ml_estimator_set_str(e, "min_data_in_leaf", "5", ERR));
    }
    if (strstr(algorithm, "forest") || strcmp(algorithm, "extra_trees") == 0)
        OK(ml_estimator_set_str(e, "n_trees", "7", ERR));
    if (objective) OK(ml_estimator_set_str(e, "objective", objective, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* Numbers of all sorts and codes in rows: some missing, some unknown. */
static inline matrix sample_rows(const ml_model *m)
{
    matrix out = {0, 0, NULL};
    uint32_t state = 99;
    int64_t n = ml_model_inputs(m);
    for (int i = 0; i < 400; i++) {
        double row[64];
        for (int64_t j = 0; j < n; j++) {
            double r = sample_random(&state);
            row[j] = r < 0.1    ? (double)NAN
                     : r < 0.15 ? 0
                     : r < 0.4  ? floor(sample_random(&state) * 45)
                                : sample_random(&state) * 24 - 12;
            if (r > 0.98) row[j] = r > 0.99 ? INFINITY : -INFINITY;
        }
        matrix_add(&out, row, n);
    }
    return out;
}

static inline void export_as(const ml_model *m, const char *path, const char *format)
{
    ml_params *p = NULL;
    ml_context *ctx = test_context(1);
    OK(ml_params_new(ctx, &p, ERR));
    if (format) OK(ml_params_set_str(p, "format", format, ERR));
    OK(ml_model_save_file(m, path, p, ERR));
    ml_params_free(p);
    ml_context_free(ctx);
}

#endif
