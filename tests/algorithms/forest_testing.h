/* SPDX-License-Identifier: MIT
 *
 * What the tests of trees and forests share: the small data of tests/reference/forest.py,
 * fits from a line of parameters, and trees compared with those of the reference.
 */
#ifndef ML_FOREST_TESTING_H
#define ML_FOREST_TESTING_H

#include "../testing_data.h"
#include "forest_expected.h"

#define ROWS    400
#define COLUMNS 4
#define SIZE(a) ((int64_t)(sizeof(a) / sizeof *(a)))

/* ---- small data, as in tests/reference/forest.py ---- */

typedef struct small {
    double x[COLUMNS][ROWS], y[ROWS], w[ROWS];
    int64_t two[ROWS], three[ROWS];
    double other[ROWS], label[ROWS]; /* of several targets */
} small;
static small d;

static inline void make_small(void)
{
    uint64_t state = 12345;
    for (int i = 0; i < ROWS; i++) {
        uint64_t v[COLUMNS + 2];
        for (int j = 0; j < COLUMNS + 2; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            v[j] = state >> 33;
        }
        for (int j = 0; j < COLUMNS; j++) d.x[j][i] = (double)(v[j] % 1000);
        d.y[i] = floor(d.x[0][i] / 100) * 3 + floor(d.x[1][i] / 200) +
                 (double)(v[COLUMNS] % 17) / 3;
        d.w[i] = 1.0 + (double)(v[COLUMNS + 1] % 3);
        d.two[i] = d.y[i] > tree_cuts[1];
        d.three[i] = (d.y[i] >= tree_cuts[0]) + (d.y[i] >= tree_cuts[2]);
        d.other[i] = floor(d.x[2][i] / 50) + (double)((int)d.x[0][i] % 7);
        d.label[i] = d.three[i] == 2;
    }
}

static const char *const names[] = {"a", "b", "c", "d"};

static inline ml_table *small_table(ml_context *ctx, const double *y,
                                    const int64_t *label)
{
    ml_table *t = NULL;
    for (int j = 0; j < COLUMNS; j++) t = add_f64(ctx, t, names[j], ROWS, d.x[j]);
    t = add_f64(ctx, t, "w", ROWS, d.w);
    return y ? add_f64(ctx, t, "y", ROWS, y) : add_i64(ctx, t, "y", ROWS, label);
}

/* Parameters: "name=value ...". */
static inline ml_model *fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                            const char *params)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    char copy[256], *save = NULL;
    OK(ml_estimator_new(ctx, algorithm, &e, ERR));
    if (!strstr(params, "targets=")) OK(ml_estimator_set_str(e, "target", "y", ERR));
    snprintf(copy, sizeof copy, "%s", params);
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        char *value = strchr(p, '=');
        *value++ = 0;
        OK(ml_estimator_set_str(e, p, value, ERR));
    }
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static inline ml_tensor *tensor(const ml_model *m, const char *name)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    return t;
}

static inline double at(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = tensor(m, name);
    double v = ml_tensor_get_f64(t, i, 0);
    ml_tensor_free(t);
    return v;
}

/* ---- the same trees ---- */

typedef struct walk {
    ml_tensor *feature, *left, *threshold, *value, *proba, *rows;
    const double *want;
    int64_t n;
} walk;

static inline double leaf_of(const walk *w, int64_t node)
{
    double v = ml_tensor_get_f64(w->value, node, 0), best = 0;
    if (w->rows) return ml_tensor_get_f64(w->rows, (int64_t)v, 0);
    if (!w->proba) return v;
    for (int64_t k = 1; k < ml_tensor_shape(w->proba)[1]; k++)
        if (ml_tensor_get_f64(w->proba, (int64_t)v, k) >
            ml_tensor_get_f64(w->proba, (int64_t)v, (int64_t)best))
            best = (double)k;
    return best;
}

/* Depth first, as the reference writes it. */
static inline void compare(walk *w, int64_t node, int classes)
{
    int64_t left = (int64_t)ml_tensor_get_f64(w->left, node, 0);
    double value = left == 0 ? leaf_of(w, node) : 0;
    if (classes == 2) value = value > 0.5;
    double got[2] = {left ? ml_tensor_get_f64(w->feature, node, 0) : -1,
                     left ? ml_tensor_get_f64(w->threshold, node, 0) : value};
    for (int i = 0; i < 2; i++, w->want++, w->n--) {
        ck_assert_int_gt(w->n, 0);
        ck_assert_msg(fabs(got[i] - *w->want) <= 1e-9 * fmax(1, fabs(*w->want)),
                      "node %d: %.12g instead of %.12g", (int)node, got[i], *w->want);
    }
    if (!left) return;
    compare(w, left, classes);
    compare(w, left + 1, classes);
}

#endif
