/* SPDX-License-Identifier: MIT
 *
 * Tables at the edges of what trees can count with: sums of weights that rounding takes
 * something off, targets and weights whose sums or gradients overflow. A fit gives a
 * model that can be used, or says what is wrong.
 */
#include "testing_data.h"
#include "testing_yaml.h"
#include <math.h>

enum { ROWS = 60 };

static double draw(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*s >> 11) * 0x1p-53;
}

/* A node whose rows all have levels of one side: the sum of their weights may be less
 * than that of the node, by rounding, and still there is nothing on the other side. */
START_TEST(levels_on_one_side)
{
    static const char *const levels[] = {"a", "b", "c", "d", "e", "f"};
    ml_context *ctx = test_context(1);
    const char *k[ROWS];
    double y[ROWS], w[ROWS];
    uint64_t state = 3;
    for (int i = 0; i < ROWS; i++) {
        k[i] = levels[i % 6];
        y[i] = draw(&state);
        w[i] = draw(&state);
    }
    ml_table *t = add_f64(ctx, add_text(ctx, NULL, "k", ROWS, k), "y", ROWS, y);
    t = add_f64(ctx, t, "w", ROWS, w);
    ml_model *m =
        fit_yaml(ctx, "extra_trees", "{target: y, weight: w, n_trees: 300}", t, NULL);
    ml_tensor *p = predicted(m, "value", t);
    for (int i = 0; i < ROWS; i++) ck_assert(isfinite(ml_tensor_get_f64(p, i, 0)));
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void too_large(double target, double weight, const char *algorithm,
                      const char *yaml)
{
    ml_context *ctx = test_context(2);
    double x[ROWS], y[ROWS], w[ROWS];
    for (int i = 0; i < ROWS; i++) {
        x[i] = i;
        y[i] = i % 7 < 3 ? target : i;
        w[i] = weight;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", ROWS, x), "y", ROWS, y);
    t = add_f64(ctx, t, "w", ROWS, w);
    refused(ctx, algorithm, yaml, t, "too large for");
    ml_table_free(t);
    ml_context_free(ctx);
}

START_TEST(what_overflows_is_refused)
{
    static const char all[] = "{target: y, weight: w, n_trees: 3}";
    too_large(1e300, 1, "gbdt", all);
    too_large(1e30, 1e30, "gbdt", "{target: y, weight: w, growth: symmetric}");
    too_large(1e30, 1e30, "gbdt", "{target: y, weight: w, sampling: goss}");
    too_large(1e308, 1, "random_forest", all);
    too_large(1e308, 4, "extra_trees", all);
}
END_TEST

TEST_MAIN("algorithms/trees_extreme", levels_on_one_side, what_overflows_is_refused)
