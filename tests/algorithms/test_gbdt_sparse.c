/* SPDX-License-Identifier: MIT
 *
 * "gbdt" on wide tables of which most values are usual, whose rows are kept as lists
 * (trees/bins_sparse.c). The same columns with copies of the dense ones have too few
 * usual values for lists and are kept as a matrix: a copy never wins against the first,
 * so the trees must be the same to the bit. Where cuts are drawn at random it could:
 * columns of many levels, which have too few rows to be split, take the place of copies,
 * and noise decides between features that are alike, not their order.
 */
#include "algorithms/trees/bins.h"
#include "core/params.h"
#include "testing_data.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 3000, SPARSE = 90, DENSE = 4, COPIES = 200 };

static double draw(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*s >> 11) * 0x1p-53;
}

typedef struct {
    double x[SPARSE + DENSE][ROWS], y[ROWS], weight[ROWS];
    const char *kind[ROWS], *color[ROWS];
} values;

/* s0.. are mostly 0 (of every third, mostly 2, with values on both sides; of every fifth,
 * one other value); d0.. are dense, d3 with missing values. */
static void fill(values *v, uint64_t seed)
{
    static const char *const kinds[] = {"a", "b", "c"}, *const colors[] = {"red", "green",
                                                                           "blue", NULL};
    uint64_t s = seed;
    for (int i = 0; i < ROWS; i++) {
        double sum = draw(&s);
        for (int j = 0; j < SPARSE; j++) {
            double here = draw(&s), value = floor(draw(&s) * 60) / 10;
            if (j % 5 == 4) value = 1;
            v->x[j][i] = here < 0.01 + 0.001 * j ? value : j % 3 == 2 ? 2 : 0;
            sum += sin(j + v->x[j][i]) - sin(j);
        }
        for (int j = SPARSE; j < SPARSE + DENSE; j++) v->x[j][i] = draw(&s);
        sum += 2 * v->x[SPARSE][i] * v->x[SPARSE + 1][i];
        if (draw(&s) < 0.2) v->x[SPARSE + 3][i] = NAN;
        v->y[i] = sum;
        v->weight[i] = 0.5 + draw(&s);
        v->kind[i] = kinds[(int)(fabs(sum) * 2) % 3];
        v->color[i] = colors[(int)(draw(&s) * 4)];
    }
}

/* levels: in place of copies columns of 200 levels. */
static ml_table *table_of(ml_context *ctx, const values *v, int copies, int levels)
{
    ml_table *t = NULL;
    char name[16], text[200][8];
    const char *level[ROWS];
    for (int i = 0; i < 200; i++) snprintf(text[i], sizeof text[i], "l%d", i);
    for (int i = 0; i < ROWS; i++) level[i] = text[i % 200];
    for (int j = 0; j < SPARSE + DENSE + copies; j++) {
        int from = j < SPARSE + DENSE ? j : SPARSE + j % DENSE;
        snprintf(name, sizeof name, j < SPARSE ? "s%d" : "x%d", j);
        if (levels && j >= SPARSE + DENSE)
            t = add_text(ctx, t, name, ROWS, level);
        else
            t = add_f64(ctx, t, name, ROWS, v->x[from]);
    }
    t = add_f64(ctx, t, "y", ROWS, v->y);
    t = add_f64(ctx, t, "weight", ROWS, v->weight);
    t = add_text(ctx, t, "color", ROWS, v->color);
    return add_text(ctx, t, "kind", ROWS, v->kind);
}

/* Settings: "name=value;...". The predictions. */
static ml_tensor *fit(ml_context *ctx, const char *settings, const ml_table *t,
                      const ml_table *valid)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "n_estimators", "8", ERR));
    OK(ml_estimator_set_str(e, "random_strength", "0", ERR));
    OK(ml_estimator_set_str(e, "max_delta_step", "0", ERR));
    set_all(e, settings);
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    ml_estimator_free(e);
    ml_tensor *out = predicted(m, "score", t);
    ml_model_free(m);
    return out;
}

static void same(const ml_tensor *a, const ml_tensor *b)
{
    int64_t n = ROWS * ml_tensor_shape(a)[1];
    ck_assert_int_eq(ml_tensor_shape(a)[1], ml_tensor_shape(b)[1]);
    ck_assert_mem_eq(ml_tensor_data(a), ml_tensor_data(b), (size_t)n * sizeof(double));
}

#define LEVELS "random_strength=1;cat_smooth=1000;categories=grouped;one_hot_max_size=0"
static const char *const settings[] = {
    "target=y;ignore=kind, weight, color",
    "target=y;ignore=kind;weight=weight;categorical=color",
    "target=kind;ignore=y, weight;categorical=color;min_data_in_leaf=40",
    "target=y;ignore=kind, weight;growth=symmetric;max_depth=5",
    "target=y;ignore=kind, weight;growth=depthwise;subsample=0.5;min_data_in_leaf=3",
    "target=kind;ignore=y, weight;boosting=dart;drop_rate=0.4",
    "target=y;ignore=kind, weight, color;objective=absolute;bundle=false",
    "target=y;ignore=kind, weight;max_delta_step=0.3;min_data_in_leaf=5",
    "target=y;ignore=kind, weight, color;extra_trees=true;min_data_in_leaf=5;" LEVELS,
    "target=kind;ignore=y, weight, color;extra_trees=true;min_data_in_leaf=2;" LEVELS,
};
#define SETTINGS (int)(sizeof settings / sizeof *settings)

/* The binner's choice, so that the other tests compare what they mean to. */
START_TEST(lists_are_chosen)
{
    ml_context *ctx = test_context(1);
    values *v = calloc(1, sizeof *v);
    fill(v, 1);
    for (int k = 0; k < 3; k++) {
        int copies = k ? COPIES : 0;
        ml_table *t = table_of(ctx, v, copies, k == 2);
        const mli_descriptor *gbdt = mli_catalog_find("gbdt");
        ml_params *params = NULL, *full = NULL;
        mli_design *d = NULL;
        mli_binner *b = NULL;
        mli_run run;
        mli_run_init(&run, ctx, NULL, NULL, NULL);
        OK(ml_params_new(ctx, &params, ERR));
        OK(ml_params_set_str(params, "target", "y", ERR));
        OK(mli_params_resolve(ctx, gbdt, params, &full, ERR));
        OK(mli_design_train(ctx, gbdt, full, t, &d, ERR));
        mli_bin_options o = {.max_bin = 255, .min_data = 3, .bundle = 1, .sparse = 1};
        OK(mli_binner_make(d, &o, &run, &b, ERR));
        ck_assert_int_eq(b->sparse, copies == 0);
        mli_binner_free(b);
        mli_design_free(d);
        ml_params_free(params);
        ml_params_free(full);
        ml_table_free(t);
    }
    free(v);
    ml_context_free(ctx);
}
END_TEST

START_TEST(lists_change_nothing)
{
    values *v = calloc(1, sizeof *v), *w = calloc(1, sizeof *w);
    fill(v, 1);
    fill(w, 2);
    for (int k = 0; k < SETTINGS; k++) {
        ml_tensor *out[2];
        for (int copies = 0; copies < 2; copies++) {
            ml_context *ctx = test_context(2);
            int n = copies ? COPIES : 0, levels = strstr(settings[k], LEVELS) != NULL;
            ml_table *t = table_of(ctx, v, n, levels);
            ml_table *valid = table_of(ctx, w, n, levels);
            out[copies] = fit(ctx, settings[k], t, k % 2 ? valid : NULL);
            ml_table_free(t);
            ml_table_free(valid);
            ml_context_free(ctx);
        }
        same(out[0], out[1]);
        ml_tensor_free(out[0]);
        ml_tensor_free(out[1]);
    }
    free(v);
    free(w);
}
END_TEST

START_TEST(threads_change_nothing)
{
    static const int32_t threads[] = {1, 2, 7};
    values *v = calloc(1, sizeof *v);
    fill(v, 3);
    for (int k = 0; k < SETTINGS; k++) {
        ml_tensor *out[3];
        for (int i = 0; i < 3; i++) {
            ml_context *ctx = test_context(threads[i]);
            ml_table *t = table_of(ctx, v, 0, 0);
            out[i] = fit(ctx, settings[k], t, t);
            ml_table_free(t);
            ml_context_free(ctx);
        }
        for (int i = 1; i < 3; i++) same(out[0], out[i]);
        for (int i = 0; i < 3; i++) ml_tensor_free(out[i]);
    }
    free(v);
}
END_TEST

TEST_MAIN("algorithms/gbdt_sparse", lists_are_chosen, lists_change_nothing,
          threads_change_nothing)
