/* SPDX-License-Identifier: MIT
 *
 * "gbdt": what symmetric trees are grown by (scores, noise), the values of leaves by
 * several steps, and drawing rows by their gradients.
 */
#include "testing_data.h"
#include <math.h>

enum { ROWS = 240 };

/* x0, x1 of a few values; y a number, label a class. */
static ml_table *sample(ml_context *ctx, uint64_t s)
{
    double v[4][ROWS];
    ml_table *t = NULL;
    const char *const names[] = {"x0", "x1", "y"};
    const char *label[ROWS];
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < 4; j++) {
            s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            v[j][i] = (double)(s >> 11) * 0x1p-53;
        }
        v[0][i] = floor(v[0][i] * v[0][i] * 12);
        v[1][i] = floor(v[1][i] * 9);
        double sum = (v[0][i] > 3 ? 1 : 0) + (v[1][i] > 6 ? 2 * v[2][i] : 0);
        v[2][i] = sum + 3 * v[3][i] * (v[0][i] > 7);
        label[i] = sum + v[3][i] > 1.5 ? "yes" : "no";
    }
    for (int j = 0; j < 3; j++) t = add_f64(ctx, t, names[j], ROWS, v[j]);
    return add_text(ctx, t, "label", ROWS, label);
}

/* Settings: "name=value;...". */
static ml_model *fit(ml_context *ctx, const char *settings, const char *target,
                     const ml_table *t)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", target, ERR));
    OK(ml_estimator_set_str(e, "features", "x0, x1", ERR));
    OK(ml_estimator_set_str(e, "growth", "symmetric", ERR));
    set_all(e, settings);
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static int same(const ml_model *a, const ml_model *b, const ml_table *t)
{
    ml_tensor *p = predicted(a, "score", t), *q = predicted(b, "score", t);
    int equal = 1;
    for (int64_t i = 0; i < ROWS; i++)
        equal &= ml_tensor_get_f64(p, i, 0) == ml_tensor_get_f64(q, i, 0);
    ml_tensor_free(p);
    ml_tensor_free(q);
    return equal;
}

/* A tree by hand: the cut of each depth that has the best score over all leaves. */

typedef struct by_hand {
    double x[2][ROWS], g[ROWS];
    int leaf[ROWS];
    double l2;
    int cosine;
} by_hand;

static double score_of(const by_hand *b, int feature, double cut, int leaves)
{
    double g[16] = {0}, n[16] = {0}, above = 0, below = 0;
    for (int i = 0; i < ROWS; i++) {
        int at = 2 * b->leaf[i] + (b->x[feature][i] > cut);
        g[at] += b->g[i];
        n[at]++;
    }
    for (int k = 0; k < 2 * leaves; k++) {
        double w = n[k] > 0 ? g[k] / (n[k] + b->l2) : 0;
        above += g[k] * w;
        below += n[k] * w * w;
    }
    return b->cosine ? above / sqrt(below) : above;
}

static void grow(by_hand *b, int depth)
{
    for (int d = 0; d < depth; d++) {
        double best = score_of(b, 0, INFINITY, 1 << d), cut = INFINITY;
        int feature = 0;
        for (int j = 0; j < 2; j++) {
            for (double c = 0.5; c < 12; c++) {
                double s = score_of(b, j, c, 1 << d);
                if (!(s > best * (1 + 1e-9))) continue;
                best = s;
                cut = c;
                feature = j;
            }
        }
        for (int i = 0; i < ROWS; i++)
            b->leaf[i] = 2 * b->leaf[i] + (b->x[feature][i] > cut);
    }
}

static void by_hand_value(const by_hand *b, int leaf, double *value)
{
    double g = 0, n = 0;
    for (int i = 0; i < ROWS; i++) {
        if (b->leaf[i] != leaf) continue;
        g += b->g[i];
        n++;
    }
    *value = -g / (n + b->l2);
}

/* Checks the model's scores; returns their sum of squares. */
static double check_by_hand(ml_context *ctx, const ml_table *t, int cosine)
{
    char settings[256];
    by_hand b = {.l2 = 80, .cosine = cosine};
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < ROWS; i++) mean += ml_table_get_f64(t, i, 2) / ROWS;
    for (int64_t i = 0; i < ROWS; i++) {
        for (int j = 0; j < 2; j++) b.x[j][i] = ml_table_get_f64(t, i, j);
        b.g[i] = mean - ml_table_get_f64(t, i, 2);
    }
    grow(&b, 3);
    snprintf(settings, sizeof settings,
             "score_function=%s;random_strength=0;n_trees=1;learning_rate=1;l2=80;"
             "max_depth=3;min_data_in_leaf=1;min_data_in_bin=1",
             cosine ? "cosine" : "l2");
    ml_model *m = fit(ctx, settings, "y", t);
    ml_tensor *p = predicted(m, "score", t);
    for (int64_t i = 0; i < ROWS; i++) {
        double value, got = ml_tensor_get_f64(p, i, 0);
        by_hand_value(&b, b.leaf[i], &value);
        ck_assert_double_eq_tol(got, mean + value, 1e-5);
        squares += got * got;
    }
    ml_tensor_free(p);
    ml_model_free(m);
    return squares;
}

START_TEST(scores_as_by_hand)
{
    int differ = 0;
    for (uint64_t seed = 1; seed < 9; seed++) {
        ml_context *ctx = test_context(2);
        ml_table *t = sample(ctx, seed);
        double gain = check_by_hand(ctx, t, 0), cosine = check_by_hand(ctx, t, 1);
        differ += fabs(gain - cosine) > 1e-3;
        ml_table_free(t);
        ml_context_free(ctx);
    }
    ck_assert_int_gt(differ, 0); /* else the test would not tell the scores apart */
}
END_TEST

static int says_yes(const ml_table *t, int64_t row)
{
    char text[8];
    ml_table_get_str(t, row, ml_table_find(t, "label"), text, sizeof text);
    return strcmp(text, "yes") == 0;
}

/* After many steps the slope of every leaf is 0: over all rows, drawn or not. */
START_TEST(steps_end_at_the_minimum)
{
    const char *const settings[] = {"subsample=1", "subsample=0.5",
                                    "score_function=newton_l2;growth=leafwise",
                                    "sampling=bayesian"};
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, 5);
    int64_t yes = 0;
    for (int64_t i = 0; i < ROWS; i++) yes += says_yes(t, i);
    double base = log((double)yes / (double)(ROWS - yes));
    for (int k = 0; k < 4; k++) {
        char text[256];
        snprintf(text, sizeof text,
                 "%s;leaf_iterations=60;n_trees=1;learning_rate=1;max_depth=3;l2=0.5",
                 settings[k]);
        ml_model *m = fit(ctx, text, "label", t);
        ml_tensor *p = predicted(m, "score", t);
        for (int64_t i = 0; i < ROWS; i++) {
            double s = ml_tensor_get_f64(p, i, 0), slope = 0.5 * (s - base);
            for (int64_t j = 0; j < ROWS; j++) {
                if (ml_tensor_get_f64(p, j, 0) != s) continue;
                int is = says_yes(t, j);
                slope += 1 / (1 + exp(-s)) - is;
            }
            ck_assert_double_eq_tol(slope, 0, 2e-3);
        }
        ml_tensor_free(p);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Noise depends on the seed and on nothing else; without it seeds do not matter. */
START_TEST(noise_by_seed)
{
    ml_context *one = test_context(1), *three = test_context(3);
    ml_table *t = sample(one, 5), *u = sample(three, 5);
    const char *const strengths[] = {
        "random_strength=0;seed=1", "random_strength=0;seed=2",
        "random_strength=5;seed=1", "random_strength=5;seed=2"};
    ml_model *m[4];
    for (int i = 0; i < 4; i++) m[i] = fit(one, strengths[i], "label", t);
    ml_model *again = fit(three, strengths[2], "label", u);
    ck_assert(same(m[0], m[1], t));
    ck_assert(!same(m[2], m[3], t));
    ck_assert(!same(m[0], m[2], t));
    ck_assert(same(m[2], again, t));
    for (int i = 0; i < 4; i++) ml_model_free(m[i]);
    ml_model_free(again);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(one);
    ml_context_free(three);
}
END_TEST

/* Settings with which drawing rows takes them all as they are. */
START_TEST(samples_that_are_all)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, 5);
    ml_model *plain = fit(ctx, "l2=1", "label", t);
    ml_model *mvs = fit(ctx, "sampling=mvs;subsample=1", "label", t);
    ml_model *cold = fit(ctx, "sampling=bayesian;bagging_temperature=0", "label", t);
    ml_model *half = fit(ctx, "sampling=mvs;subsample=0.5", "label", t);
    ck_assert(same(plain, mvs, t));
    ck_assert(same(plain, cold, t));
    ck_assert(!same(plain, half, t));
    ml_model_free(plain);
    ml_model_free(mvs);
    ml_model_free(cold);
    ml_model_free(half);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/gbdt_symmetric", scores_as_by_hand, steps_end_at_the_minimum,
          noise_by_seed, samples_that_are_all)
