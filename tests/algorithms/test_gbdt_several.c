/* SPDX-License-Identifier: MIT
 *
 * "gbdt" of several targets: every target has the trees that it would have alone; metrics
 * and early stopping, contributions, files, training that goes on, what is refused.
 */
#include "../failing.h"
#include "testing_data.h"

enum { ROWS = 900, TARGETS = 3 };
static const char *const targets[TARGETS] = {"y", "z", "share"};

static ml_table *sample(ml_context *ctx, int64_t n, uint64_t s)
{
    double *v = calloc((size_t)n * 6, sizeof *v);
    const char **k = calloc((size_t)n, sizeof *k);
    static const char *const names[] = {"red", "green", "blue"};
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) {
            s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            v[j * n + i] = (double)(s >> 11) * 0x1p-53;
        }
        double a = v[i], b = v[n + i], c = v[2 * n + i];
        k[i] = names[i % 3];
        v[3 * n + i] = 3 * a + sin(6 * b) + a * c + (i % 3 == 2);
        v[4 * n + i] = exp(b) + 0.1 * (double)(i % 3);
        v[5 * n + i] = a + c > 1;
    }
    ml_table *t = NULL;
    const char *const columns[] = {"a", "b", "c", "y", "z", "share"};
    for (int j = 0; j < 6; j++) t = add_f64(ctx, t, columns[j], n, v + j * n);
    t = add_text(ctx, t, "k", n, k);
    free(v);
    free(k);
    return t;
}

/* Settings: "name=value;...". one: the only target; NULL: all. */
static ml_estimator *make(ml_context *ctx, const char *settings, const char *one)
{
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, one ? "target" : "targets", one ? one : "y, z, share",
                            ERR));
    OK(ml_estimator_set_str(e, "features", "a, b, c, k", ERR));
    OK(ml_estimator_set_str(e, "task", "regression", ERR));
    OK(ml_estimator_set_i64(e, "n_trees", 15, ERR));
    set_all(e, settings);
    return e;
}

static ml_model *fit(ml_context *ctx, const char *settings, const char *one,
                     const ml_table *t)
{
    ml_estimator *e = make(ctx, settings, one);
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* To the last bit, on any number of threads. */
START_TEST(each_as_if_alone)
{
    const char *const settings[] = {"l2=1",
                                    "objective=huber;huber_delta=0.3",
                                    "objective=quantile;quantile=0.7",
                                    "linear_tree=true",
                                    "boosting=dart;drop_rate=0.3",
                                    "growth=symmetric",
                                    "colsample_bytree=0.5",
                                    "colsample_bylevel=0.6;colsample_bynode=0.7"};
    ml_context *ctx = test_context(3), *single = test_context(1);
    ml_table *t = sample(ctx, ROWS, 3);
    for (int i = 0; i < 8; i++) {
        ml_model *all = fit(ctx, settings[i], NULL, t);
        ml_tensor *p = predicted(all, "value", t);
        ck_assert_int_eq(ml_tensor_shape(p)[1], TARGETS);
        for (int k = 0; k < TARGETS; k++) {
            ml_model *one = fit(single, settings[i], targets[k], t);
            ml_tensor *q = predicted(one, "value", t);
            for (int64_t r = 0; r < ROWS; r++)
                ck_assert_double_eq(ml_tensor_get_f64(p, r, k),
                                    ml_tensor_get_f64(q, r, 0));
            ml_tensor_free(q);
            ml_model_free(one);
        }
        ml_tensor_free(p);
        ml_model_free(all);
    }
    ml_table_free(t);
    ml_context_free(ctx);
    ml_context_free(single);
}
END_TEST

/* What early stopping watches is the mean over the targets that evaluation gives. */
START_TEST(validation)
{
    const char *const metrics[] = {"rmse", "mae", "r2"};
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, ROWS, 3), *v = sample(ctx, ROWS, 4);
    for (int i = 0; i < 3; i++) {
        char settings[96];
        ml_model *m = NULL;
        ml_tensor *history = NULL;
        snprintf(settings, sizeof settings, "early_stopping_rounds=0;eval_metric=%s",
                 metrics[i]);
        ml_estimator *e = make(ctx, settings, NULL);
        OK(ml_estimator_fit(e, t, v, &m, ERR));
        OK(ml_model_get_tensor(m, "validation_history", &history, ERR));
        ck_assert_double_eq_tol(ml_tensor_get_f64(history, 14, 0),
                                scored(m, v, metrics[i]), 1e-9);
        ml_tensor_free(history);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(t);
    ml_table_free(v);
    ml_context_free(ctx);
}
END_TEST

/* Per target and feature; with the expected value they are the prediction. */
static void check_contributions(const ml_model *m, const ml_table *t)
{
    ml_tensor *c = predicted(m, "contributions", t), *p = predicted(m, "value", t);
    int64_t width = ml_tensor_shape(c)[1] / TARGETS;
    ck_assert_int_eq(width, 5);
    for (int64_t r = 0; r < ROWS; r += 50) {
        for (int64_t k = 0; k < TARGETS; k++) {
            double sum = 0;
            for (int64_t j = 0; j < width; j++)
                sum += ml_tensor_get_f64(c, r, k * width + j);
            ck_assert_double_eq_tol(sum, ml_tensor_get_f64(p, r, k), 1e-9);
        }
    }
    ml_tensor_free(c);
    ml_tensor_free(p);
}

START_TEST(in_use)
{
    ml_context *ctx = test_context(2);
    ml_table *t = sample(ctx, ROWS, 3), *out = NULL;
    ml_model *m = fit(ctx, "max_leaves=8", NULL, t), *same = NULL, *more = NULL;
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run_table(p, t, &out, ERR));
    ck_assert_str_eq(ml_table_column_name(out, 2), "value_share");
    check_contributions(m, t);
    char path[128];
    snprintf(path, sizeof path, "%s/several.mlm", test_folder());
    OK(ml_model_save_file(m, path, NULL, ERR));
    OK(ml_model_load_file(ctx, path, NULL, &same, ERR));
    ck_assert_double_eq(scored(same, t, "r2"), scored(m, t, "r2"));
    snprintf(path, sizeof path, "%s/several.txt", test_folder());
    FAILS(ML_E_UNSUPPORTED, ml_model_save_file(m, path, NULL, ERR));
    ml_estimator *e = make(ctx, "max_leaves=8", NULL);
    OK(ml_estimator_set_model(e, m, ERR));
    OK(ml_estimator_fit(e, t, NULL, &more, ERR));
    ck_assert_double_lt(scored(more, t, "rmse"), 0.9 * scored(m, t, "rmse"));
    ml_estimator_free(e);
    ml_predictor_free(p);
    ml_model *models[] = {m, same, more};
    for (int i = 0; i < 3; i++) ml_model_free(models[i]);
    ml_table_free(out);
    ml_table_free(t);
    ml_context_free(ctx);
    test_folder_remove();
}
END_TEST

START_TEST(refused)
{
    const char *const settings[] = {"objective=lambdarank", "objective=cox",
                                    "objective=aft", "objective=custom",
                                    "objective=quantile;quantiles=0.1,0.9"};
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, 100, 3);
    ml_model *m = NULL;
    for (int i = 0; i < 5; i++) {
        ml_estimator *e = make(ctx, settings[i], NULL);
        FAILS(ML_E_UNSUPPORTED, ml_estimator_fit(e, t, NULL, &m, ERR));
        SAYS("one target only");
        ml_estimator_free(e);
    }
    const char *const tasks[] = {"ranking", "survival", "classification"};
    for (int i = 0; i < 3; i++) {
        ml_estimator *e = make(ctx, "l2=1", NULL);
        OK(ml_estimator_set_str(e, "task", tasks[i], ERR));
        FAILS(ML_E_UNSUPPORTED, ml_estimator_fit(e, t, NULL, &m, ERR));
        SAYS("params.task");
        ml_estimator_free(e);
    }
    ml_estimator *e = make(ctx, "objective=gamma", NULL); /* a share may be 0 */
    FAILS(ML_E_DATA, ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A model to go on from predicts what it did. */
START_TEST(goes_on_with_its_own_targets)
{
    static const struct {
        const char *one, *several, *place;
    } other[] = {{NULL, "z, y, share", "params.targets"},
                 {NULL, "y, z", "params.targets"},
                 {NULL, "y, z, c", "params.targets"},
                 {"y", NULL, "params.target:"}};
    ml_context *ctx = test_context(1);
    ml_table *t = sample(ctx, 200, 3);
    ml_model *m = fit(ctx, "max_leaves=4", NULL, t), *next = NULL;
    ml_model *single = fit(ctx, "max_leaves=4", "y", t);
    for (int i = 0; i < 4; i++) {
        ml_estimator *e = make(ctx, "max_leaves=4", other[i].one);
        if (other[i].several)
            OK(ml_estimator_set_str(e, "targets", other[i].several, ERR));
        OK(ml_estimator_set_model(e, m, ERR));
        FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &next, ERR));
        SAYS("predicts y, z, share");
        SAYS(other[i].place);
        ml_estimator_free(e);
    }
    ml_estimator *e = make(ctx, "max_leaves=4", NULL);
    OK(ml_estimator_set_model(e, single, ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &next, ERR));
    SAYS("params.targets");
    OK(ml_estimator_set_str(e, "targets", "y", ERR)); /* a list of one is one */
    OK(ml_estimator_fit(e, t, NULL, &next, ERR));
    ml_model *models[] = {m, single, next};
    for (int i = 0; i < 3; i++) ml_model_free(models[i]);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static void count_told(int32_t level, const char *module, const char *message, void *user)
{
    (void)level;
    (void)module;
    *(int *)user += strstr(message, "nothing to learn of it") != NULL;
}

/* Of how many targets a fit says that they are of one value. */
static int told(const char *settings, const char *target, int64_t n)
{
    enum { N = 40 };
    double x[N], one[N], event[N];
    int count = 0;
    ml_host host = ML_HOST_INIT;
    ml_context *ctx = NULL;
    ml_model *m = NULL;
    host.log = count_told;
    host.log_user = &count;
    for (int i = 0; i < N; i++) {
        x[i] = i * 7 % N;
        one[i] = 1;
        event[i] = i % 2;
    }
    OK(ml_context_new(&host, &ctx, ERR));
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "a", n, x), "b", n, x);
    t = add_f64(ctx, add_text(ctx, t, "c", n, (const char *[N]){"u"}), "k", n, x);
    t = add_f64(ctx, add_f64(ctx, t, "y", n, one), "z", n, x);
    t = add_f64(ctx, add_f64(ctx, t, "share", n, one), "event", n, event);
    ml_estimator *e = make(ctx, settings, target);
    OK(ml_estimator_set_str(e, "task", "auto", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    return count;
}

START_TEST(one_value_is_told)
{
    ck_assert_int_eq(told("n_trees=1", NULL, 40), 2);
    ck_assert_int_eq(told("n_trees=1;objective=squared", "y", 40), 1);
    ck_assert_int_eq(told("n_trees=1;objective=squared", "z", 40), 0);
    ck_assert_int_eq(told("n_trees=1;objective=squared", "y", 1), 0);
    ck_assert_int_eq(told("n_trees=1;objective=cox;event=event", "y", 40), 0);
}
END_TEST

static ml_status starved(failing_alloc *f)
{
    static const double v[] = {1, 4, 0, 2, 5, 1, 3, 1, 2, 4, 2, 0, 5, 2,
                               1, 6, 6, 2, 7, 9, 0, 8, 2, 1, 1, 1, 2};
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    int64_t shape[] = {9, 3};
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, v, &x, NULL);
    if (!s) s = ml_table_read_tensor(ctx, x, NULL, &t, NULL);
    if (!s) s = ml_estimator_new(ctx, "gbdt", &e, NULL);
    if (!s) s = ml_estimator_set_str(e, "targets", "f1, f2", NULL);
    if (!s) s = ml_estimator_set_str(e, "eval_metric", "rmse", NULL);
    if (!s) s = ml_estimator_set_i64(e, "n_trees", 2, NULL);
    if (!s) s = ml_estimator_set_i64(e, "min_data_in_leaf", 1, NULL);
    if (!s) s = ml_estimator_fit(e, t, t, &m, NULL);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_tensor_free(x);
    ml_context_free(ctx);
    return s;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, starved(&f));
}
END_TEST

TEST_MAIN("algorithms/gbdt_several", each_as_if_alone, validation, in_use, refused,
          goes_on_with_its_own_targets, one_value_is_told, out_of_memory)
