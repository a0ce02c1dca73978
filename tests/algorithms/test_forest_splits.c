/* SPDX-License-Identifier: MIT
 *
 * Splits of trees: each node has the best one there is, found again by trying all cuts of
 * all features; the same without vector instructions. For two classes, several, more than
 * fit into bytes, and numbers, with and without weights.
 */
#include "forest_testing.h"
#include "algorithms/trees/ensemble.h"
#include "core/cpu.h"

#define N        3000
#define FEATURES 4
#define MOST     40 /* classes */

/* ---- data ---- */

typedef struct kind {
    int classes; /* 0: numbers */
    const char *params;
    int missing; /* one value of so many, but for one feature; 0: none */
} kind;

static double x[FEATURES][N], number[N], weight[N];
static int64_t label[N];

/* Features: many values, few, two, and one with gaps. */
static void make_data(int classes, const char *params, int missing)
{
    uint64_t state = 77;
    for (int i = 0; i < N; i++) {
        uint64_t v[FEATURES + 2];
        for (int j = 0; j < FEATURES + 2; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            v[j] = state >> 33;
        }
        x[0][i] = (double)(v[0] % 100003);
        x[1][i] = (double)(v[1] % 50);
        x[2][i] = (double)(v[2] % 2);
        x[3][i] = exp((double)(v[3] % 3001) / 200);
        number[i] = x[0][i] / 3e4 + x[2][i] + (double)(v[4] % 1000) / 400;
        if (v[4] % 97 == 0) number[i] *= -30;
        label[i] = (int64_t)(number[i] * 2 + (double)(v[5] % 3));
        if (classes > 0) label[i] = (label[i] % classes + classes) % classes;
        for (int j = 0; missing && j < FEATURES; j++)
            if (j != 2 && v[5] / (7 + j) % missing == 0) x[j][i] = NAN;
        weight[i] = 1;
        if (strstr(params, "weight=w")) weight[i] = (double)(1 + v[5] % 4);
        if (strstr(params, "weight=v")) weight[i] = 0.1 + (double)(v[5] % 100) / 77;
        if (strstr(params, "weight=u")) { /* light rows that matter, at the right end */
            int light = x[0][i] > 7e4;
            weight[i] = ldexp(1.1 + (double)(v[5] % 8), !light ? 0 : classes ? -44 : -20);
            number[i] = ldexp(number[i], light ? 10 : 0);
        }
    }
}

static ml_table *make_table(ml_context *ctx, int classes)
{
    static const char *const columns[] = {"a", "b", "c", "d"};
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "w", N, weight), "v", N, weight);
    t = add_f64(ctx, t, "u", N, weight);
    for (int j = 0; j < FEATURES; j++) t = add_f64(ctx, t, columns[j], N, x[j]);
    return classes ? add_i64(ctx, t, "y", N, label) : add_f64(ctx, t, "y", N, number);
}

/* ---- all splits of a node ---- */

static const double *sort_key;
static double absent; /* what missing values count as */
static double key_of(int row)
{
    return isnan(sort_key[row]) ? absent : sort_key[row];
}
static int by_key(const void *a, const void *b)
{
    double p = key_of(*(const int *)a), q = key_of(*(const int *)b);
    return p < q ? -1 : p > q;
}

static void add_row(int classes, int row, long double *sums)
{
    sums[classes ? label[row] : 0] += weight[row] * (classes ? 1 : number[row]);
}

static long double entropy_part(long double c)
{
    return c > 0 ? c * log2l(c) : 0;
}

/* Impurity that a cut takes away, times the weight. */
static long double gain_of(const long double *left, const long double *all, int width,
                           long double w, long double total, int entropy)
{
    long double gain = 0;
    for (int k = 0; k < width; k++) {
        long double more = left[k] - all[k] * w / total;
        if (entropy)
            gain += entropy_part(left[k]) + entropy_part(all[k] - left[k]) -
                    entropy_part(all[k]);
        else
            gain += more * more * total / (w * (total - w));
    }
    if (entropy) gain -= entropy_part(w) + entropy_part(total - w) - entropy_part(total);
    return gain;
}

/* The best decrease of impurity times weight that a cut of the rows leaves. */
static double best_gain(int classes, int entropy, int least, const int *row, int n)
{
    int sorted[N], width = classes ? classes : 1;
    long double all[MOST] = {0}, total = 0, best = 0;
    for (int i = 0; i < n; i++) {
        add_row(classes, row[i], all);
        total += weight[row[i]];
        sorted[i] = row[i];
    }
    for (int j = 0; j < 2 * FEATURES; j++) {
        long double left[MOST] = {0}, w = 0;
        sort_key = x[j / 2];
        absent = j % 2 ? INFINITY : -INFINITY;
        qsort(sorted, (size_t)n, sizeof *sorted, by_key);
        for (int i = 0; i + 1 < n; i++) {
            add_row(classes, sorted[i], left);
            w += weight[sorted[i]];
            if (key_of(sorted[i]) == key_of(sorted[i + 1])) continue;
            if (i + 1 < least || n - i - 1 < least) continue;
            long double gain = gain_of(left, all, width, w, total, entropy);
            if (gain > best) best = gain;
        }
    }
    return (double)best;
}

/* ---- a tree ---- */

typedef struct tree {
    ml_tensor *feature, *left, *threshold, *gain, *flags;
    int classes, entropy, least, nodes;
} tree;

static void check_node(tree *t, int64_t node, int *row, int n)
{
    int64_t left = (int64_t)ml_tensor_get_f64(t->left, node, 0);
    int feature = (int)ml_tensor_get_f64(t->feature, node, 0), kept = 0;
    if (left == 0) return;
    int missing_left = (int)ml_tensor_get_f64(t->flags, node, 0) & MLI_NODE_MISSING_LEFT;
    double best = best_gain(t->classes, t->entropy, t->least, row, n);
    double gain = ml_tensor_get_f64(t->gain, node, 0);
    ck_assert_msg(fabs(gain - best) <= 1e-6 * best + 1e-9, "node %d of %d rows: %g, %g",
                  (int)node, n, gain, best);
    for (int i = 0; i < n; i++) {
        int r = row[i], goes = x[feature][r] <= ml_tensor_get_f64(t->threshold, node, 0);
        if (isnan(x[feature][r])) goes = missing_left;
        row[i] = row[kept];
        row[kept] = r;
        kept += goes;
        if (!goes) {
            row[kept] = row[i];
            row[i] = r;
        }
    }
    t->nodes++;
    check_node(t, left, row, kept);
    check_node(t, left + 1, row + kept, n - kept);
}

static const kind kinds[] = {
    {0, "max_depth=0", 0},
    {0, "max_depth=0 weight=w", 0},
    {0, "max_depth=0 weight=v", 0},
    {0, "max_depth=0 min_data_in_leaf=7", 0},
    {2, "max_depth=0 weight=w", 0},
    {3, "max_depth=0", 0},
    {5, "max_depth=0 weight=w", 0},
    {5, "max_depth=0 min_data_in_leaf=7", 0},
    {8, "max_depth=0", 0},
    {9, "max_depth=0 weight=w", 0},
    {40, "max_depth=12", 0},
    {4, "max_depth=0 weight=v", 0},
    {0, "max_depth=0 weight=u", 0},
    {5, "max_depth=0 weight=u", 0},
    {2, "criterion=entropy", 0},
    {2, "criterion=entropy weight=w", 0},
    {2, "criterion=entropy min_data_in_leaf=7", 0},
    {2, "criterion=entropy weight=v", 0},
    {5, "criterion=entropy weight=w", 0},
    {2, "max_depth=0", 4},
    {2, "max_depth=0 weight=w", 2},
    {2, "max_depth=0 min_data_in_leaf=7", 3},
    {2, "criterion=entropy", 30},
    {2, "max_depth=0 weight=v", 3},
    {5, "max_depth=0", 3},
    {0, "max_depth=0", 3},
};

static ml_model *fit_kind(ml_context *ctx, const kind *k, const char *algorithm,
                          const char *more)
{
    char params[160];
    make_data(k->classes, k->params, k->missing);
    ml_table *t = make_table(ctx, k->classes);
    snprintf(params, sizeof params, "features=[a,b,c,d] %s %s%s", k->params, more,
             k->classes ? " task=classification" : "");
    ml_model *m = fit(ctx, algorithm, t, params);
    ml_table_free(t);
    return m;
}

START_TEST(splits_are_the_best)
{
    const kind *k = &kinds[_i];
    ml_context *ctx = test_context(1);
    ml_model *m = fit_kind(ctx, k, "decision_tree", "");
    tree t = {tensor(m, "node_feature"),
              tensor(m, "node_left"),
              tensor(m, "node_threshold"),
              tensor(m, "node_gain"),
              tensor(m, "node_flags"),
              k->classes,
              strstr(k->params, "entropy") != NULL,
              strstr(k->params, "leaf=7") ? 7 : 1,
              0};
    static int row[N];
    for (int i = 0; i < N; i++) row[i] = i;
    check_node(&t, 0, row, N);
    ck_assert_int_gt(t.nodes, 100);
    ml_tensor_free(t.feature);
    ml_tensor_free(t.left);
    ml_tensor_free(t.threshold);
    ml_tensor_free(t.gain);
    ml_tensor_free(t.flags);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* Vector instructions change nothing. */
START_TEST(processors)
{
    static const char *const parts[] = {"node_threshold", "node_value", "node_gain"};
    ml_context *ctx[2] = {test_context_level(1, MLI_CPU_SCALAR),
                          test_context_level(1, 0)};
    ml_model *m[2];
    for (int i = 0; i < 2; i++)
        m[i] = fit_kind(ctx[i], &kinds[_i], "random_forest", "n_trees=2");
    for (int j = 0; j < 3; j++) {
        ml_tensor *p = tensor(m[0], parts[j]), *q = tensor(m[1], parts[j]);
        int64_t nodes = ml_tensor_shape(p)[0];
        ck_assert_int_eq(ml_tensor_shape(q)[0], nodes);
        for (int64_t v = 0; v < nodes; v++)
            ck_assert(ml_tensor_get_f64(p, v, 0) == ml_tensor_get_f64(q, v, 0));
        ml_tensor_free(p);
        ml_tensor_free(q);
    }
    for (int i = 0; i < 2; i++) {
        ml_model_free(m[i]);
        ml_context_free(ctx[i]);
    }
}
END_TEST

/* Neither the scale of targets nor that of weights changes splits. */
START_TEST(scales)
{
    static const int of_target[] = {0, 480, -500, 0, 0},
                     of_weight[] = {0, 0, 0, 900, -900};
    ml_context *ctx = test_context(1);
    double want[40];
    make_data(0, "weight=v", 0);
    for (int k = 0; k < (int)SIZE(of_target); k++) {
        for (int i = 0; i < N; i++) {
            number[i] = ldexp(number[i], of_target[k]);
            weight[i] = ldexp(weight[i], of_weight[k]);
        }
        ml_table *t = make_table(ctx, 0);
        ml_model *m = fit(ctx, "decision_tree", t,
                          "features=[a,b,c,d] max_depth=0 max_leaves=20 weight=v");
        for (int j = 0; j < 39; j++) {
            double threshold = at(m, "node_threshold", j);
            if (k > 0) ck_assert_msg(threshold == want[j], "scale %d, node %d", k, j);
            want[j] = threshold;
        }
        for (int i = 0; i < N; i++) {
            number[i] = ldexp(number[i], -of_target[k]);
            weight[i] = ldexp(weight[i], -of_weight[k]);
        }
        ml_table_free(t);
        ml_model_free(m);
    }
    ml_context_free(ctx);
}
END_TEST

/* A side of just the smallest weight is not too light, whatever the unit of weights. */
START_TEST(smallest_weight)
{
    double a[] = {1, 2, 3, 4}, y[] = {0, 5, 1, 1}, w[] = {0.5, 0.5, 0.5, 0.5};
    ml_context *ctx = test_context(1);
    ml_table *t =
        add_f64(ctx, add_f64(ctx, add_f64(ctx, NULL, "a", 4, a), "y", 4, y), "w", 4, w);
    ml_model *m = fit(ctx, "decision_tree", t,
                      "features=[a] weight=w min_weight_fraction_leaf=0.25");
    ml_tensor *left = tensor(m, "node_left");
    ck_assert_int_eq(ml_tensor_shape(left)[0], 5);
    ml_tensor_free(left);
    ml_table_free(t);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("algorithms/forest_splits");
    TCase *c = tcase_create("all");
    int n = (int)SIZE(kinds);
    tcase_set_timeout(c, 240);
    tcase_add_loop_test(c, splits_are_the_best, 0, n);
    tcase_add_loop_test(c, processors, 0, n);
    tcase_add_test(c, scales);
    tcase_add_test(c, smallest_weight);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
