/* SPDX-License-Identifier: MIT
 *
 * What "gbdt" promises beyond the conformance tests: constraints hold, samples and shapes
 * of trees do not depend on threads, functions of the caller are asked, training goes on
 * from a model, offsets and groups are used.
 */
#include "../failing.h"
#include "core/cpu.h"
#include "gbdt_testing.h"

static const char *const variants[] = {
    "growth=symmetric;max_depth=5",
    "growth=symmetric;colsample_bylevel=0.7;subsample=0.6",
    "growth=symmetric;sampling=mvs;subsample=0.7;random_strength=2;score_function=l2",
    "growth=symmetric;sampling=bayesian;score_function=newton_cosine",
    "growth=depthwise;colsample_bynode=0.5",
    "sampling=goss;learning_rate=0.3",
    "boosting=dart;drop_rate=0.2;skip_drop=0.5;n_trees=40",
    "objective=quantile;quantiles=0.2,0.5,0.8",
    "increasing=a;growth=symmetric",
    "interaction_constraints=a & b, c & k",
    "categories=ordered",
    "categories=ordered;growth=symmetric",
    "objective=huber;huber_delta=0.4",
    "objective=absolute;boosting=dart;n_trees=40",
    "linear_tree=true;linear_lambda=0.01",
    "linear_tree=true;sampling=goss;categories=ordered",
    "extra_trees=true;max_leaves=63",
    "extra_trees=true;growth=symmetric;subsample=0.7",
    "extra_trees=true;categories=ordered;colsample_bynode=0.7;max_delta_step=3",
};
#define VARIANTS (sizeof variants / sizeof variants[0])

/* Noise in the comparison of splits hangs on the seed alone; a gain that must be far
 * above chance leaves nothing to split. */
START_TEST(noise_and_chance)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 3);
    static const char *const settings[] = {
        "n_trees=5;random_strength=0;seed=1", "n_trees=5;random_strength=0;seed=2",
        "n_trees=5;seed=1", "n_trees=5;seed=2", "n_trees=5;min_gain_ratio=1e6"};
    double error[5];
    for (int i = 0; i < 5; i++) {
        ml_model *m = fit(ctx, settings[i], t);
        error[i] = error_of(m, t);
        ml_model_free(m);
    }
    ck_assert_double_eq(error[0], error[1]);
    ck_assert_double_ne(error[2], error[3]);
    ck_assert_double_ne(error[0], error[2]);
    ck_assert_double_lt(error[2], 0.9 * error[4]);
    ck_assert_double_lt(error[3], 0.9 * error[4]);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* All variants learn, and give the same model with one and with three threads. */
START_TEST(variants_learn_and_repeat)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        ml_tensor *first = NULL;
        for (int threads = 1; threads <= 3; threads += 2) {
            ml_context *ctx = test_context(threads);
            ml_table *t = sample(ctx, ROWS, 3);
            ml_model *m = fit(ctx, variants[i], t);
            ck_assert_msg(error_of(m, t) < 0.45, "%s: %f", variants[i], error_of(m, t));
            ml_tensor *p = predicted(m, "score", t);
            if (first) {
                size_t bytes = (size_t)(ROWS * ml_tensor_shape(p)[1]) * sizeof(double);
                ck_assert_mem_eq(ml_tensor_data(first), ml_tensor_data(p), bytes);
                ml_tensor_free(p);
            } else {
                first = p;
            }
            ml_model_free(m);
            ml_table_free(t);
            if (threads == 3) ml_tensor_free(first);
            ml_context_free(ctx);
        }
    }
}
END_TEST

static double value_at(ml_predictor *p, double a, double b, double c, double k)
{
    double row[4] = {a, b, c, k}, out[8];
    OK(ml_predictor_rows(p, row, ML_DTYPE_F64, 1, 4, out, ERR));
    return out[0];
}

START_TEST(monotone_everywhere)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 4);
    const char *const growths[] = {"leafwise", "depthwise", "symmetric",
                                   "leafwise;extra_trees=true",
                                   "symmetric;extra_trees=true"};
    for (int g = 0; g < 5; g++) {
        char text[100];
        snprintf(text, sizeof text, "increasing=a;decreasing=b;growth=%s", growths[g]);
        ml_model *m = fit(ctx, text, t);
        ml_predictor *p = NULL;
        OK(ml_predictor_new(m, "value", NULL, &p, ERR));
        for (int i = 0; i < 50; i++) {
            double before = -INFINITY, after = INFINITY;
            for (double x = 0; x <= 1; x += 0.01) {
                double up = value_at(p, x, i / 50.0, i * 17 % 50 / 50.0, i % 6);
                double down = value_at(p, i / 50.0, x, i * 17 % 50 / 50.0, i % 6);
                ck_assert_double_ge(up, before);
                ck_assert_double_le(down, after);
                before = up;
                after = down;
            }
        }
        ml_predictor_free(p);
        ml_model_free(m);
    }
    ml_model *none = NULL;
    ml_estimator *e = make(ctx, "increasing=[a, b];decreasing=b");
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &none, ERR));
    SAYS("params.decreasing: gbdt: \"b\" cannot be both increasing and decreasing");
    ml_estimator_free(e);
    e = make(ctx, "monotone_constraints=[1, 0, 0, 0, 0, 0, 0, 0, 0]");
    FAILS(ML_E_SHAPE, ml_estimator_fit(e, t, NULL, &none, ERR));
    SAYS("increasing and decreasing take names");
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Without a group in common the effects of two features add up: the second difference is
 * nothing. */
START_TEST(interactions_only_within_groups)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 5);
    const char *const growths[] = {"leafwise", "symmetric", "leafwise;extra_trees=true"};
    for (int g = 0; g < 3; g++) {
        char text[120];
        snprintf(text, sizeof text, "interaction_constraints=a & c;growth=%s",
                 growths[g]);
        ml_model *m = fit(ctx, text, t);
        ml_predictor *p = NULL;
        OK(ml_predictor_new(m, "value", NULL, &p, ERR));
        double most = 0;
        for (int i = 0; i < 50; i++) {
            double x = i * 7 % 50 / 50.0, y = i * 11 % 50 / 50.0, z = i / 50.0;
            double with_b = value_at(p, x, 0.1, z, 1) - value_at(p, x, 0.8, z, 1) -
                            value_at(p, y, 0.1, z, 1) + value_at(p, y, 0.8, z, 1);
            double with_c = value_at(p, x, z, 0.1, 1) - value_at(p, x, z, 0.8, 1) -
                            value_at(p, y, z, 0.1, 1) + value_at(p, y, z, 0.8, 1);
            ck_assert_double_eq_tol(with_b, 0, 1e-9);
            most = fmax(most, fabs(with_c));
        }
        ck_assert_double_gt(most, 1e-3); /* a and c may meet */
        ml_predictor_free(p);
        ml_model_free(m);
    }
    ml_estimator *e = make(ctx, "interaction_constraints=a & nobody");
    ml_model *m = NULL;
    FAILS(ML_E_NAME, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("nobody");
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- functions of the caller ---- */

static int32_t squared(int64_t rows, int64_t outputs, const double *labels,
                       const double *weights, const double *scores, double *gradients,
                       double *hessians, void *user)
{
    (void)weights;
    ++*(int *)user;
    for (int64_t i = 0; i < rows * outputs; i++) {
        gradients[i] = scores[i] - labels[i / outputs];
        hessians[i] = 1;
    }
    return *(int *)user == 7;
}

static int32_t worst(int64_t rows, int64_t outputs, const double *labels,
                     const double *weights, const double *scores, double *value,
                     void *user)
{
    (void)weights;
    (void)user;
    *value = 0;
    for (int64_t i = 0; i < rows * outputs; i++)
        *value = fmax(*value, fabs(scores[i] - labels[i]));
    return 0;
}

static int32_t lazy(int64_t rows, int64_t outputs, const double *labels,
                    const double *weights, const double *scores, double *gradients,
                    double *hessians, void *user)
{
    (void)labels, (void)weights, (void)scores, (void)user;
    for (int64_t i = 1; i < rows * outputs; i++) gradients[i] = hessians[i] = 1;
    return 0;
}

static int32_t unset(int64_t rows, int64_t outputs, const double *labels,
                     const double *weights, const double *scores, double *value,
                     void *user)
{
    (void)rows, (void)outputs, (void)labels, (void)weights, (void)scores, (void)value;
    (void)user;
    return 0;
}

START_TEST(objective_of_the_caller)
{
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, ROWS, 6), *valid = sample(ctx, 500, 60);
    ml_estimator *e = make(ctx, "n_trees=5");
    ml_model *m = NULL, *plain = fit(ctx, "n_trees=5", t);
    int calls = 0;
    OK(ml_estimator_set_objective(e, squared, &calls, ERR));
    OK(ml_estimator_set_metric(e, worst, NULL, 0, ERR));
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    ck_assert_int_eq(calls, 5);
    /* The same loss, from 0 instead of the mean. */
    ck_assert_double_lt(error_of(m, t), 3 * error_of(plain, t) + 2);
    ml_tensor *history = NULL;
    OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
    ck_assert_double_lt(ml_tensor_get_f64(history, 4, 0),
                        ml_tensor_get_f64(history, 0, 0));
    ml_tensor_free(history);
    ml_model_free(m);
    m = NULL;
    FAILS(ML_E_CALLBACK, ml_estimator_fit(e, t, valid, &m, ERR)); /* at the seventh */
    ck_assert_ptr_null(m);
    OK(ml_estimator_set_objective(e, lazy, NULL, ERR));
    FAILS(ML_E_CALLBACK, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("the gradient nan and the hessian nan for row 1");
    OK(ml_estimator_set_objective(e, NULL, NULL, ERR));
    OK(ml_estimator_set_metric(e, unset, NULL, 0, ERR));
    FAILS(ML_E_CALLBACK, ml_estimator_fit(e, t, valid, &m, ERR));
    SAYS("the caller's metric gave nan");
    OK(ml_estimator_set_metric(e, NULL, NULL, 0, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_double_eq(error_of(m, t), error_of(plain, t));
    ml_model_free(m);
    ml_estimator_free(e);
    e = make(ctx, "objective=custom");
    m = NULL;
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("ml_estimator_set_objective");
    ml_estimator_free(e);
    OK(ml_estimator_new(ctx, "baseline", &e, ERR));
    FAILS(ML_E_UNSUPPORTED, ml_estimator_set_objective(e, squared, NULL, ERR));
    FAILS(ML_E_UNSUPPORTED, ml_estimator_set_model(e, plain, ERR));
    ml_estimator_free(e);
    ml_model_free(plain);
    ml_table_free(t);
    ml_table_free(valid);
    ml_context_free(ctx);
}
END_TEST

/* ---- going on ---- */

static double trees_of(const ml_model *m)
{
    ml_tensor *n = NULL;
    OK(ml_model_get_tensor(m, "n_trees", &n, ERR));
    double v = ml_tensor_get_f64(n, 0, 0);
    ml_tensor_free(n);
    return v;
}

START_TEST(training_goes_on)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 7);
    ml_model *whole = fit(ctx, "n_trees=30", t), *half = fit(ctx, "n_trees=15", t);
    ml_estimator *e = make(ctx, "n_trees=15");
    ml_model *m = NULL;
    OK(ml_estimator_set_model(e, half, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_double_eq(trees_of(m), 30);
    ck_assert_double_lt(error_of(m, t), error_of(half, t));
    ml_tensor *a = predicted(m, "value", t), *b = predicted(whole, "value", t);
    for (int64_t i = 0; i < ROWS; i++)
        ck_assert_double_eq_tol(ml_tensor_get_f64(a, i, 0), ml_tensor_get_f64(b, i, 0),
                                1e-9);
    ml_tensor_free(a);
    ml_tensor_free(b);
    ml_model_free(m);
    m = NULL;
    OK(ml_estimator_set_str(e, "objective", "quantile", ERR));
    OK(ml_estimator_set_str(e, "quantiles", "0.1,0.9", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    ml_model_free(half);
    ml_model_free(whole);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- offsets, groups, survival ---- */

START_TEST(offsets_are_added_in_training_only)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 8);
    double *y = calloc(ROWS, sizeof *y), *o = calloc(ROWS, sizeof *o);
    for (int64_t i = 0; i < ROWS; i++) {
        o[i] = 5 * sin((double)i);
        y[i] = ml_table_get_f64(t, i, ml_table_find(t, "y")) + o[i];
    }
    t = add_f64(ctx, t, "shifted", ROWS, y);
    t = add_f64(ctx, t, "o", ROWS, o);
    ml_estimator *e = make(ctx, "target=shifted;offset=o;ignore=w,y");
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_double_lt(error_of(m, t), 0.3); /* of y, without the offset */
    ml_model_free(m);
    ml_estimator_free(e);
    free(y);
    free(o);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The first of the usual metrics: its name, an interval around it; its value. */
static double evaluated(const ml_model *m, const ml_table *t, const char *metric)
{
    ml_table *scores = NULL;
    OK(ml_model_evaluate(m, t, NULL, &scores, ERR));
    ck_assert_str_eq(cell(scores, 0, "metric"), metric);
    double v = ml_table_get_f64(scores, 0, 1);
    ck_assert_double_lt(ml_table_get_f64(scores, 0, 2), v);
    ck_assert_double_gt(ml_table_get_f64(scores, 0, 3), v);
    ml_table_free(scores);
    return v;
}

START_TEST(rankings_and_their_groups)
{
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, ROWS, 9);
    double *q = calloc(ROWS, sizeof *q), *y = calloc(ROWS, sizeof *y);
    for (int64_t i = 0; i < ROWS; i++) {
        q[i] = (double)(i / 10);
        y[i] = floor(fmin(4, fmax(0, ml_table_get_f64(t, i, ml_table_find(t, "y")))));
    }
    t = add_f64(ctx, t, "q", ROWS, q);
    t = add_f64(ctx, t, "relevance", ROWS, y);
    const char *const objectives[] = {"lambdarank", "rank_map", "rank_pairwise"};
    for (int k = 0; k < 3; k++) {
        char text[200];
        snprintf(text, sizeof text,
                 "target=relevance;ignore=w,y;group=q;validation_fraction=0.2;"
                 "eval_metric=ndcg;objective=%s",
                 objectives[k]);
        ml_estimator *e = make(ctx, text);
        ml_model *m = NULL;
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        ml_tensor *history = NULL;
        OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
        int64_t last = ml_tensor_shape(history)[0] - 1;
        ck_assert_double_gt(ml_tensor_get_f64(history, last, 0), 0.9);
        ck_assert_ptr_nonnull(strstr(ml_model_json(m), "\"task\": \"ranking\""));
        ck_assert_double_gt(evaluated(m, t, "ndcg"), 0.8);
        ml_tensor_free(history);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_estimator *e = make(ctx, "target=relevance;ignore=w,y;objective=lambdarank");
    ml_model *m = NULL;
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("group");
    ml_estimator_free(e);
    free(q);
    free(y);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(survival_orders_the_risks)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, ROWS, 10);
    double *time = calloc(ROWS, sizeof *time), *event = calloc(ROWS, sizeof *event);
    for (int64_t i = 0; i < ROWS; i++) {
        double y = ml_table_get_f64(t, i, ml_table_find(t, "y"));
        time[i] = exp(-y / 2 + 0.2 * sin((double)(i * i % 101)));
        event[i] = i % 4 != 0;
        if (event[i] == 0) time[i] *= 0.7;
    }
    t = add_f64(ctx, t, "time", ROWS, time);
    t = add_f64(ctx, t, "event", ROWS, event);
    const char *const objectives[] = {"cox", "aft"};
    for (int k = 0; k < 2; k++) {
        char text[200];
        snprintf(text, sizeof text,
                 "target=time;event=event;ignore=w,y;validation_fraction=0.3;"
                 "eval_metric=concordance;objective=%s",
                 objectives[k]);
        ml_estimator *e = make(ctx, text);
        ml_model *m = NULL;
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        ml_tensor *history = NULL;
        OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
        int64_t last = ml_tensor_shape(history)[0] - 1;
        ck_assert_double_gt(ml_tensor_get_f64(history, last, 0), 0.85);
        ck_assert_double_gt(evaluated(m, t, "concordance"), 0.85);
        ml_tensor_free(history);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    free(time);
    free(event);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Names that tell nothing must not look as if they did: a row does not see its own
 * target. Those that tell something do, however many there are. */
START_TEST(ordered_statistics_do_not_leak)
{
    ml_context *ctx = test_context(1);
    int64_t n = 4000, levels = 1000;
    char(*text)[16] = calloc((size_t)n, sizeof *text);
    const char **name = calloc((size_t)n, sizeof *name);
    double *noise = calloc((size_t)n, sizeof *noise),
           *told = calloc((size_t)n, sizeof *told);
    uint64_t s = 1;
    for (int64_t i = 0; i < n; i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t level = (int64_t)(s >> 33) % levels;
        snprintf(text[i], sizeof *text, "n%d", (int)level);
        name[i] = text[i];
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        noise[i] = (double)(s >> 11) * 0x1p-53;
        told[i] = (double)(level * 37 % levels) / (double)levels + 0.1 * noise[i];
    }
    ml_table *t = add_text(ctx, NULL, "name", n, name);
    ml_table *a = add_f64(ctx, ml_table_ref(t), "y", n, noise);
    ml_table *b = add_f64(ctx, t, "y", n, told);
    const char *settings = "ignore=;features=name;n_trees=50;min_data_in_leaf=1;l2=0";
    ml_model *m = fit(ctx, settings, a);
    ml_tensor *first = NULL;
    OK(ml_model_get_tensor(m, "importance", &first, ERR));
    double useless = ml_tensor_get_f64(first, 0, 0);
    ml_tensor_free(first);
    ml_model_free(m);
    m = fit(ctx, settings, b);
    ck_assert_double_lt(error_of(m, b), 0.5 / 12);
    OK(ml_model_get_tensor(m, "importance", &first, ERR));
    ck_assert_double_gt(ml_tensor_get_f64(first, 0, 0), 4 * useless);
    ml_tensor_free(first);
    ml_model_free(m);
    ml_table_free(a);
    ml_table_free(b);
    free(text);
    free(name);
    free(noise);
    free(told);
    ml_context_free(ctx);
}
END_TEST

/* One-hot columns share a column of bins, and nothing changes by that. */
START_TEST(bundles_change_nothing)
{
    ml_context *ctx = test_context(2);
    enum { GROUPS = 6, LEVELS = 8, MANY = 3000 };
    double *v = calloc((size_t)MANY, sizeof *v), *y = calloc((size_t)MANY, sizeof *y);
    ml_table *t = NULL;
    for (int64_t g = 0; g < GROUPS; g++) {
        for (int64_t l = 0; l < LEVELS; l++) {
            char name[16];
            for (int64_t i = 0; i < MANY; i++) {
                int64_t mixed = i * 2654435761 + g * 40503;
                int here = (mixed >> 7) % LEVELS == l;
                v[i] = here ? (g % 2 ? 1 : (double)(i % 5) - 2.5) : 0;
                y[i] += here * ((double)((l * 5 + g) % LEVELS) + v[i]);
            }
            snprintf(name, sizeof name, "g%dl%d", (int)g, (int)l);
            t = add_f64(ctx, t, name, MANY, v);
        }
    }
    t = add_f64(ctx, t, "y", MANY, y);
    const char *const growths[] = {"leafwise", "symmetric", "leafwise;extra_trees=true",
                                   "symmetric;extra_trees=true"};
    for (int k = 0; k < 4; k++) {
        ml_tensor *out[2];
        for (int bundle = 0; bundle < 2; bundle++) {
            char text[100];
            snprintf(text, sizeof text, "ignore=;growth=%s;bundle=%s;min_data_in_leaf=5",
                     growths[k], bundle ? "true" : "false");
            ml_model *m = fit(ctx, text, t);
            out[bundle] = predicted(m, "value", t);
            ml_model_free(m);
        }
        ck_assert_mem_eq(ml_tensor_data(out[0]), ml_tensor_data(out[1]),
                         MANY * sizeof(double));
        ml_tensor_free(out[0]);
        ml_tensor_free(out[1]);
    }
    free(v);
    free(y);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- linear leaves ---- */

/* Rows 0 .. n - 1 of x, and y = 3 x + 1. */
static ml_table *line(ml_context *ctx, int64_t n)
{
    double *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (double)(i * 37 % n) / 10;
        y[i] = 3 * x[i] + 1;
        if (i == n - 1) x[i] = NAN;
    }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", n, x), "y", n, y);
    free(x);
    free(y);
    return t;
}

START_TEST(linear_leaves)
{
    enum { N = 401 };
    ml_context *ctx = test_context(1);
    ml_table *t = line(ctx, N);
    const char *one = "ignore=;n_trees=1;learning_rate=1;l2=0;max_leaves=4";
    char text[200];
    ml_model *flat = fit(ctx, one, t);
    snprintf(text, sizeof text, "%s;linear_tree=true", one);
    ml_model *slope = fit(ctx, text, t);
    snprintf(text, sizeof text, "%s;linear_tree=true;linear_lambda=1e15", one);
    ml_model *ridge = fit(ctx, text, t);
    ml_tensor *a = predicted(flat, "value", t), *b = predicted(slope, "value", t);
    ml_tensor *c = predicted(ridge, "value", t);
    for (int64_t i = 0; i < N - 1; i++) {
        double y = ml_table_get_f64(t, i, 1);
        ck_assert_double_eq_tol(ml_tensor_get_f64(b, i, 0), y, 1e-4);
        ck_assert_double_eq_tol(ml_tensor_get_f64(c, i, 0), ml_tensor_get_f64(a, i, 0),
                                0.3); /* the row without a value tells them apart */
    }
    /* The row without a value gets the constant. */
    ck_assert_double_eq(ml_tensor_get_f64(b, N - 1, 0), ml_tensor_get_f64(a, N - 1, 0));
    ml_tensor *tensors[] = {a, b, c};
    ml_model *models[] = {flat, slope, ridge};
    for (int i = 0; i < 3; i++) {
        ml_tensor_free(tensors[i]);
        ml_model_free(models[i]);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Better on a smooth target; validation rows are scored as the model does; files. */
START_TEST(linear_leaves_in_use)
{
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, ROWS, 3), *v = sample(ctx, ROWS, 4);
    ml_model *flat = fit(ctx, "max_leaves=8", t), *m = NULL, *same = NULL;
    ml_estimator *e = make(ctx, "max_leaves=8;linear_tree=true;linear_lambda=0.01;"
                                "eval_metric=rmse;early_stopping_rounds=0");
    OK(ml_estimator_fit(e, t, v, &m, ERR));
    ck_assert_double_lt(error_of(m, v), 0.9 * error_of(flat, v));
    ml_tensor *history = NULL;
    OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
    ck_assert_double_eq_tol(ml_tensor_get_f64(history, 19, 0), sqrt(error_of(m, v)),
                            1e-9);
    ml_tensor_free(history);
    char path[128];
    snprintf(path, sizeof path, "%s/linear.mlm", test_folder());
    OK(ml_model_save_file(m, path, NULL, ERR));
    OK(ml_model_load_file(ctx, path, NULL, &same, ERR));
    ck_assert_double_eq(error_of(same, v), error_of(m, v));
    ml_predictor *p = NULL;
    FAILS(ML_E_UNSUPPORTED, ml_predictor_new(m, "contributions", NULL, &p, ERR));
    ml_model *next = NULL;
    OK(ml_estimator_set_model(e, m, ERR));
    FAILS(ML_E_UNSUPPORTED, ml_estimator_fit(e, t, NULL, &next, ERR));
    SAYS("a model with linear leaves");
    ml_estimator_free(e);
    const char *const refused[] = {"boosting=dart", "objective=absolute", "increasing=a",
                                   "max_delta_step=0.5", "l1=1"};
    for (int i = 0; i < 5; i++) {
        e = make(ctx, refused[i]);
        OK(ml_estimator_set_str(e, "linear_tree", "true", ERR));
        FAILS(ML_E_UNSUPPORTED, ml_estimator_fit(e, t, NULL, &next, ERR));
        SAYS("linear_tree does not go with");
        ml_estimator_free(e);
    }
    ml_model *models[] = {flat, m, same};
    for (int i = 0; i < 3; i++) ml_model_free(models[i]);
    ml_table_free(t);
    ml_table_free(v);
    ml_context_free(ctx);
    test_folder_remove();
}
END_TEST

/* The same model with and without vector instructions. */
START_TEST(instructions_do_not_matter)
{
    ml_tensor *first[2] = {NULL, NULL};
    ml_context *ctx[2];
    for (int k = 0; k < 4; k++) {
        int i = k / 2, extra = k % 2;
        if (!extra) ctx[i] = test_context_level(0, i ? MLI_CPU_AVX2 : MLI_CPU_SCALAR);
        ml_table *t = sample(ctx[i], ROWS, 21);
        ml_model *m = fit(ctx[i], extra ? "extra_trees=true" : "increasing=", t);
        ml_tensor *p = predicted(m, "value", t);
        if (i)
            ck_assert_mem_eq(ml_tensor_data(first[extra]), ml_tensor_data(p), ROWS * 8);
        else
            first[extra] = p;
        if (i) ml_tensor_free(p);
        ml_model_free(m);
        ml_table_free(t);
    }
    for (int i = 0; i < 2; i++) ml_tensor_free(first[i]);
    for (int i = 0; i < 2; i++) ml_context_free(ctx[i]);
}
END_TEST

/* Shares of rows that are more than all. */
START_TEST(goss_takes_no_more_than_all)
{
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, 100, 1);
    ml_model *m = NULL;
    ml_estimator *e = make(ctx, "sampling=goss;goss_top=0.7;goss_other=0.4");
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    SAYS("params.goss_other: gbdt: goss_top and goss_other are more than all rows: 0.7");
    ml_estimator_free(e);
    e = make(ctx, "sampling=goss;goss_top=0.7;goss_other=0.3");
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* ---- out of memory ---- */

static ml_status short_life(failing_alloc *f, const char *settings)
{
    ml_context *ctx = NULL, *plain = test_context(1);
    ml_host host = failing_host(f);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    ml_table *t = sample(plain, 100, 12);
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_estimator_new(ctx, "gbdt", &e, NULL);
    if (st == ML_OK) st = ml_estimator_set_str(e, "target", "y", NULL);
    if (st == ML_OK) st = ml_estimator_set_str(e, "n_trees", "3", NULL);
    char text[200], *save = NULL;
    snprintf(text, sizeof text, "%s", settings);
    for (char *at = strtok_r(text, ";", &save); at && st == ML_OK;
         at = strtok_r(NULL, ";", &save)) {
        char *equal = strchr(at, '=');
        *equal = 0;
        st = ml_estimator_set_str(e, at, equal + 1, NULL);
    }
    if (st == ML_OK) st = ml_estimator_fit(e, t, NULL, &m, NULL);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    ml_context_free(plain);
    return st;
}

START_TEST(out_of_memory_in_variants)
{
    failing_alloc f = {0};
    const char *const some[] = {
        "categories=ordered",
        "growth=symmetric;max_depth=3;sampling=goss",
        "boosting=dart;skip_drop=0;drop_rate=1;increasing=a;"
        "interaction_constraints=a & b",
        "target=w;objective=cox;validation_fraction=0.2;eval_metric="
        "concordance",
        "linear_tree=true;validation_fraction=0.2;max_leaves=4",
        "target=w;objective=cross_entropy;growth=symmetric;max_depth=2;sampling=mvs;"
        "subsample=0.5;leaf_iterations=2"};
    for (int k = 0; k < 6; k++) OUT_OF_MEMORY_LOOP(f, short_life(&f, some[k]));
}
END_TEST

TEST_MAIN("algorithms/gbdt", variants_learn_and_repeat, noise_and_chance,
          monotone_everywhere, interactions_only_within_groups, objective_of_the_caller,
          training_goes_on, offsets_are_added_in_training_only, rankings_and_their_groups,
          survival_orders_the_risks, ordered_statistics_do_not_leak,
          bundles_change_nothing, linear_leaves, linear_leaves_in_use,
          goss_takes_no_more_than_all, instructions_do_not_matter,
          out_of_memory_in_variants)
