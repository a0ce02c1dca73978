/* SPDX-License-Identifier: MIT
 *
 * "gbdt" with extra_trees: one cut at random per feature and leaf. Cuts differ from tree
 * to tree and from seed to seed, leave both sides their rows, and know categories and
 * missing values.
 */
#include "gbdt_testing.h"
#include <math.h>

enum { TREES = 60, MOST = 64 * TREES };

static double at(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    double v = i < 0 ? (double)ml_tensor_shape(t)[0] : ml_tensor_get_f64(t, i, 0);
    ml_tensor_free(t);
    return v;
}

/* How many different thresholds the nodes of feature j have. */
static int distinct(const ml_model *m, int j)
{
    double seen[MOST];
    int n = 0;
    for (int64_t i = 0, nodes = (int64_t)at(m, "node_feature", -1); i < nodes; i++) {
        if (at(m, "node_feature", i) != j) continue;
        double cut = at(m, "node_threshold", i);
        int k = 0;
        while (k < n && seen[k] != cut) k++;
        ck_assert_int_lt(k, MOST);
        if (k == n) seen[n++] = cut;
    }
    return n;
}

/* y is a step of a. All cuts: the step, again and again. */
static ml_table *step(ml_context *ctx, int missing)
{
    double a[ROWS], y[ROWS];
    for (int i = 0; i < ROWS; i++) {
        a[i] = i * 7919 % ROWS / (double)ROWS;
        y[i] = a[i] > 0.3 ? 0.5 : 0;
        if (missing && i % 5 == 0) a[i] = NAN, y[i] = 2;
    }
    return add_f64(ctx, add_f64(ctx, NULL, "a", ROWS, a), "y", ROWS, y);
}

START_TEST(cuts_are_drawn)
{
    static const char *const growths[] = {"leafwise", "depthwise", "symmetric"};
    ml_context *ctx = test_context(1);
    ml_table *t = step(ctx, 0);
    for (int g = 0; g < 3; g++) {
        char text[200];
        for (int random = 0; random < 2; random++) {
            snprintf(text, sizeof text,
                     "ignore=;n_trees=%d;max_depth=1;growth=%s;extra_trees=%s;"
                     "random_strength=0;min_gain_ratio=0",
                     TREES, growths[g], random ? "true" : "false");
            ml_model *m = fit(ctx, text, t);
            int n = distinct(m, 0);
            if (random)
                ck_assert_int_gt(n, TREES / 2);
            else
                ck_assert_int_le(n, 2);
            /* A limit of each leaf is none of symmetric trees. */
            for (int64_t i = 0; g < 2 && i < (int64_t)at(m, "node_cover", -1); i++)
                ck_assert_double_ge(at(m, "node_cover", i), 19.5);
            ml_model_free(m);
        }
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Nothing but the seed decides what is drawn. */
START_TEST(seeds_decide)
{
    ml_context *ctx[2] = {test_context(1), test_context(7)};
    double error[3];
    for (int i = 0; i < 3; i++) {
        ml_table *t = sample(ctx[i == 1], ROWS, 3);
        ml_model *m = fit(ctx[i == 1],
                          i < 2 ? "extra_trees=true;random_strength=0;seed=1"
                                : "extra_trees=true;random_strength=0;seed=2",
                          t);
        error[i] = error_of(m, t);
        ml_model_free(m);
        ml_table_free(t);
    }
    ck_assert_double_eq(error[0], error[1]);
    ck_assert_double_ne(error[0], error[2]);
    for (int i = 0; i < 2; i++) ml_context_free(ctx[i]);
}
END_TEST

/* Of both sides for missing values the better is taken. */
START_TEST(missing_values)
{
    ml_context *ctx = test_context(1);
    for (int side = 0; side < 2; side++) {
        const char *const growths[] = {"leafwise", "symmetric"};
        char text[120];
        ml_table *t = step(ctx, 1);
        snprintf(text, sizeof text, "ignore=;n_trees=%d;growth=%s;extra_trees=true",
                 3 * TREES, growths[side]);
        ml_model *m = fit(ctx, text, t);
        ck_assert_double_lt(error_of(m, t), 1e-2);
        ml_model_free(m);
        ml_table_free(t);
    }
    ml_context_free(ctx);
}
END_TEST

/* The different sets of bins that go left, as a mask of those there are. */
static int sets_of(const ml_model *m, int *single)
{
    ml_tensor *t = NULL;
    double seen[MOST];
    int n = 0;
    OK(ml_model_get_tensor(m, "sets", &t, ERR));
    *single = 1;
    for (int64_t i = 0; i < ml_tensor_shape(t)[0]; i++) {
        double bits = ml_tensor_get_f64(t, i, 0);
        int k = 0;
        while (k < n && seen[k] != bits) k++;
        ck_assert_int_lt(k, MOST);
        if (k == n) seen[n++] = bits;
        uint32_t left = (uint32_t)bits & 63; /* without the bit of missing values */
        *single &= left != 0 && (left & (left - 1)) == 0;
    }
    ml_tensor_free(t);
    return n;
}

START_TEST(categories)
{
    ml_context *ctx = test_context(1);
    double y[ROWS];
    const char *k[ROWS], *const names[] = {"p", "q", "r", "s", "t", "u"};
    for (int i = 0; i < ROWS; i++) {
        k[i] = names[i % 6];
        y[i] = i % 6 == 2 ? 40 : i % 6;
    }
    ml_table *t = add_f64(ctx, add_text(ctx, NULL, "k", ROWS, k), "y", ROWS, y);
    static const char *const settings[] = {"one_hot_max_size=10", "one_hot_max_size=0"};
    for (int s = 0; s < 2; s++) {
        int n[2], single = 0;
        for (int random = 0; random < 2; random++) {
            char text[200];
            snprintf(text, sizeof text,
                     "ignore=;n_trees=%d;max_leaves=2;extra_trees=%s;random_strength=0;"
                     "min_data_per_group=1;learning_rate=0.01;%s",
                     TREES, random ? "true" : "false", settings[s]);
            ml_model *m = fit(ctx, text, t);
            n[random] = sets_of(m, &single);
            if (s == 0) ck_assert(single);
            ml_model_free(m);
        }
        ck_assert_int_eq(n[0], 1); /* "r" against the rest */
        ck_assert_int_ge(n[1], s == 0 ? 6 : 3);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/gbdt_extra", cuts_are_drawn, seeds_decide, missing_values,
          categories)
