/* SPDX-License-Identifier: MIT
 *
 * Logistic regression: coefficients against scikit-learn on real data, every solver,
 * classes that a plane tells apart, weights as repeated rows, one class, threads.
 */
#include "../failing.h"
#include "../testing_data.h"
#include "logistic_expected.h"

#include <ctype.h>

#define ROWS    600
#define COLUMNS 30

typedef struct rows {
    int64_t n, k;
    double x[COLUMNS][ROWS], label[ROWS];
} rows;

/* A file of classic_small; first <= class <= last. 0 when it is not there. */
static int read_rows(const char *name, double first, double last, rows *d)
{
    char line[1024], *end = NULL;
    const char *path = shared_path(name);
    FILE *f = path ? fopen(path, "r") : NULL;
    memset(d, 0, sizeof *d);
    if (!f) return 0;
    ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        double v[COLUMNS + 1];
        int64_t n = 0;
        for (char *at = line; *at && !isspace((unsigned char)*at); at = end) {
            v[n++] = strtod(at, &end);
            if (*end == ',') end++;
        }
        if (v[n - 1] < first || v[n - 1] > last) continue;
        d->k = n - 1;
        for (int64_t j = 0; j < d->k; j++) d->x[j][d->n] = v[j];
        d->label[d->n++] = v[d->k];
    }
    fclose(f);
    return 1;
}

static void standardize(rows *d)
{
    for (int64_t j = 0; j < d->k; j++) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; i < d->n; i++) mean += d->x[j][i] / (double)d->n;
        for (int64_t i = 0; i < d->n; i++) d->x[j][i] -= mean;
        for (int64_t i = 0; i < d->n; i++)
            squares += d->x[j][i] * d->x[j][i] / (double)d->n;
        for (int64_t i = 0; i < d->n; i++) d->x[j][i] /= sqrt(squares);
    }
}

static ml_table *table_of(ml_context *ctx, const rows *d, const double *weight)
{
    ml_table *t = NULL;
    int64_t label[ROWS];
    for (int64_t j = 0; j < d->k; j++) {
        char name[16];
        snprintf(name, sizeof name, "x%02d", (int)j);
        t = add_f64(ctx, t, name, d->n, d->x[j]);
    }
    for (int64_t i = 0; i < d->n; i++) label[i] = (int64_t)d->label[i];
    t = add_i64(ctx, t, "class", d->n, label);
    return weight ? add_f64(ctx, t, "w", d->n, weight) : t;
}

/* Parameters: "name=value ...". */
static ml_status try_fit(ml_context *ctx, const ml_table *t, const char *params,
                         ml_model **out)
{
    ml_estimator *e = NULL;
    char copy[256], *save = NULL;
    OK(ml_estimator_new(ctx, "logistic_regression", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "class", ERR));
    snprintf(copy, sizeof copy, "%s", params);
    for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        char *value = strchr(p, '=');
        *value++ = 0;
        OK(ml_estimator_set_str(e, p, value, ERR));
    }
    ml_status status = ml_estimator_fit(e, t, NULL, out, ERR);
    ml_estimator_free(e);
    return status;
}

static ml_model *fit(ml_context *ctx, const ml_table *t, const char *params)
{
    ml_model *m = NULL;
    OK(try_fit(ctx, t, params, &m));
    return m;
}

static double at(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    int64_t columns = ml_tensor_ndim(t) == 2 ? ml_tensor_shape(t)[1] : 1;
    double v = ml_tensor_get_f64(t, i / columns, i % columns);
    ml_tensor_free(t);
    return v;
}

static double summary(const ml_model *m, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *found = strstr(ml_model_json(m), key);
    ck_assert_msg(found != NULL, "no %s", name);
    return strtod(found + strlen(key), NULL);
}

static void near(double got, double want, double relative, const char *what, int64_t i)
{
    ck_assert_msg(fabs(got - want) <= relative * fmax(1, fabs(want)),
                  "%s %d: %.12g instead of %.12g", what, (int)i, got, want);
}

#define SIZE(a) ((int64_t)(sizeof(a) / sizeof *(a)))

/* Fits and compares with the arrays NAME_coef, NAME_intercept, NAME_proba. */
#define AGREES(name, d, weight, params, tolerance)                                       \
    agrees(#name, d, weight, params, tolerance, name##_coef, SIZE(name##_coef),          \
           name##_intercept, SIZE(name##_intercept), name##_proba, SIZE(name##_proba))

static void agrees(const char *name, const rows *d, const double *weight,
                   const char *params, double tolerance, const double *coef,
                   int64_t n_coef, const double *intercept, int64_t n_intercept,
                   const double *proba, int64_t n_proba)
{
    ml_context *ctx = test_context(1);
    ml_table *t = table_of(ctx, d, weight);
    ml_model *m = fit(ctx, t, params);
    ml_tensor *p = predicted(m, "proba", t);
    int64_t classes = ml_tensor_shape(p)[1];
    ck_assert_msg(strstr(ml_model_json(m), "\"converged\": 1") != NULL, "%s %s", name,
                  ml_model_json(m));
    for (int64_t i = 0; i < n_coef; i++)
        near(at(m, "coef", i), coef[i], tolerance, name, i);
    for (int64_t i = 0; i < n_intercept; i++)
        near(at(m, "intercept", i), intercept[i], tolerance, params, i);
    for (int64_t i = 0; i < n_proba; i++)
        near(ml_tensor_get_f64(p, i / classes, i % classes), proba[i], tolerance, name,
             i);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}

static const char *const cancer = "classic_small/breast_cancer.csv";
static const char *const wine = "classic_small/wine_data.csv";
static rows d;

/* Every solver of a problem finds the same. */
START_TEST(two_classes)
{
    static double w[ROWS];
    if (!read_rows(cancer, 0, 1, &d)) SKIP("no shared data");
    for (int64_t i = 0; i < d.n; i++) w[i] = 1.0 + (double)(i % 3);
    AGREES(ridge, &d, NULL, "tol=1e-12 solver=newton", 1e-6);
    AGREES(ridge, &d, NULL, "tol=1e-11 solver=lbfgs max_iter=20000", 1e-6);
    standardize(&d);
    AGREES(weighted, &d, w, "tol=1e-12 alpha=5 weight=w class_weight=balanced", 1e-6);
    AGREES(weighted, &d, w,
           "tol=1e-11 alpha=5 weight=w class_weight=balanced solver=lbfgs", 1e-6);
    AGREES(lasso, &d, NULL, "tol=1e-12 penalty=l1 alpha=20", 1e-6);
    AGREES(mixed, &d, NULL,
           "tol=1e-12 penalty=elasticnet alpha=10 l1_ratio=0.4 intercept=false", 1e-6);
}
END_TEST

START_TEST(without_penalty)
{
    if (!read_rows("classic_small/iris.csv", 1, 2, &d)) SKIP("no shared data");
    AGREES(plain, &d, NULL, "tol=1e-12 penalty=none", 1e-6);
    AGREES(plain, &d, NULL, "tol=1e-11 penalty=none solver=lbfgs", 1e-6);
}
END_TEST

START_TEST(several_classes)
{
    if (!read_rows(wine, 0, 2, &d)) SKIP("no shared data");
    AGREES(ridge_many, &d, NULL, "tol=1e-12 alpha=0.5", 1e-6);
    AGREES(ridge_many, &d, NULL, "tol=1e-11 alpha=0.5 solver=lbfgs max_iter=20000", 1e-5);
    standardize(&d);
    AGREES(lasso_many, &d, NULL, "tol=1e-12 penalty=l1 alpha=10", 1e-6);
}
END_TEST

/* Penalties of standardised columns do not care about units. */
START_TEST(units)
{
    ml_context *ctx = test_context(1);
    if (!read_rows(wine, 0, 2, &d)) SKIP("no shared data");
    ml_table *raw = table_of(ctx, &d, NULL);
    standardize(&d);
    ml_table *standard = table_of(ctx, &d, NULL);
    const char *const params[] = {"tol=1e-12 standardize=true",
                                  "tol=1e-12 standardize=true penalty=l1 alpha=3"};
    for (int i = 0; i < 2; i++) {
        ml_model *a = fit(ctx, raw, params[i]), *b = fit(ctx, standard, params[i]);
        ml_tensor *pa = predicted(a, "log_proba", raw);
        ml_tensor *pb = predicted(b, "log_proba", standard);
        for (int64_t row = 0; row < d.n; row++)
            for (int64_t k = 0; k < 3; k++)
                near(ml_tensor_get_f64(pa, row, k), ml_tensor_get_f64(pb, row, k), 1e-7,
                     params[i], row);
        ml_tensor_free(pa);
        ml_tensor_free(pb);
        ml_model_free(a);
        ml_model_free(b);
    }
    ml_table_free(raw);
    ml_table_free(standard);
    ml_context_free(ctx);
}
END_TEST

/* More columns than the working set takes whole, and than rows: the optimality conditions
 * of the result are checked here. */
START_TEST(wide_lasso)
{
    enum { n = 80, k = 700 };
    static double x[k][n];
    ml_context *ctx = test_context(2);
    ml_table *t = NULL;
    int64_t label[n];
    uint64_t s = 1;
    double alpha = 6, g0 = 0;
    int used = 0;
    for (int j = 0; j < k; j++) {
        char name[16];
        for (int i = 0; i < n; i++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            x[j][i] = (double)(s >> 40) / (1 << 23) - 1;
        }
        snprintf(name, sizeof name, "x%03d", j);
        t = add_f64(ctx, t, name, n, x[j]);
    }
    for (int i = 0; i < n; i++) label[i] = x[3][i] - x[650][i] + 0.5 * x[8][i] > 0.1;
    t = add_i64(ctx, t, "class", n, label);
    ml_model *m = fit(ctx, t, "penalty=l1 alpha=6 tol=1e-10");
    ml_tensor *p = predicted(m, "proba", t);
    for (int j = 0; j < k; j++) {
        double g = 0, b = at(m, "coef", j);
        for (int i = 0; i < n; i++)
            g += (ml_tensor_get_f64(p, i, 1) - (double)label[i]) * x[j][i];
        used += b != 0;
        ck_assert_msg(b == 0 ? fabs(g) <= alpha + 1e-6
                             : fabs(g + copysign(alpha, b)) < 1e-6,
                      "column %d: %.9g with coefficient %g", j, g, b);
    }
    for (int i = 0; i < n; i++) g0 += ml_tensor_get_f64(p, i, 1) - (double)label[i];
    ck_assert(fabs(g0) < 1e-6);
    ck_assert(used >= 2 && used < 40);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* Several classes whose second derivatives would not fit one matrix: steps go from class
 * to class. The optimality conditions of each, again. */
START_TEST(wide_lasso_of_classes)
{
    enum { n = 120, k = 511, classes = 3 };
    static double x[k][n];
    ml_context *ctx = test_context(2);
    ml_table *t = NULL;
    int64_t label[n];
    uint64_t s = 3;
    double alpha = 4;
    int used = 0;
    for (int j = 0; j < k; j++) {
        char name[16];
        for (int i = 0; i < n; i++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            x[j][i] = (double)(s >> 40) / (1 << 23) - 1;
            if (j % 2 && i % 9 != j % 9) x[j][i] = 0;
        }
        snprintf(name, sizeof name, "x%03d", j);
        t = add_f64(ctx, t, name, n, x[j]);
    }
    for (int i = 0; i < n; i++) label[i] = (x[2][i] > 0.3) + (x[4][i] - x[510][i] > 0.2);
    t = add_i64(ctx, t, "class", n, label);
    ml_model *m = fit(ctx, t, "penalty=l1 alpha=4 tol=1e-9");
    ml_tensor *p = predicted(m, "proba", t);
    for (int c = 0; c < classes; c++)
        for (int j = 0; j < k + 1; j++) {
            double g = 0, b = j < k ? at(m, "coef", c * k + j) : 0;
            for (int i = 0; i < n; i++)
                g += (ml_tensor_get_f64(p, i, c) - (label[i] == c)) *
                     (j < k ? x[j][i] : 1.0);
            used += b != 0;
            ck_assert_msg(j == k   ? fabs(g) < 1e-5
                          : b == 0 ? fabs(g) <= alpha + 1e-5
                                   : fabs(g + copysign(alpha, b)) < 1e-5,
                          "class %d column %d: %.9g with coefficient %g", c, j, g, b);
        }
    ck_assert(used >= 4 && used < 100);
    ml_tensor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A plane tells the classes apart: finite coefficients all the same. */
START_TEST(separable)
{
    ml_context *ctx = test_context(1);
    double x[] = {-3, -2, -1, 1, 2, 3};
    int64_t y[] = {0, 0, 0, 1, 1, 1};
    const char *const params[] = {"penalty=none", "alpha=1e-6",
                                  "penalty=none solver=lbfgs", "penalty=l1 alpha=1e-4"};
    ml_table *t = add_i64(ctx, add_f64(ctx, NULL, "x", 6, x), "class", 6, y);
    for (int i = 0; i < 4; i++) {
        ml_model *m = fit(ctx, t, params[i]);
        ml_tensor *p = predicted(m, "proba", t);
        ck_assert(at(m, "coef", 0) > 3 && at(m, "coef", 0) < 1e3);
        near(at(m, "intercept", 0), 0, 1e-3, params[i], 0);
        for (int64_t row = 0; row < 6; row++)
            near(ml_tensor_get_f64(p, row, y[row]), 1, 0.01, params[i], row);
        ml_tensor_free(p);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

START_TEST(one_class)
{
    ml_context *ctx = test_context(1);
    ml_model *m = NULL;
    double x[] = {1, 2, 3, 4}, w[] = {1, 1, 0, 0};
    int64_t same[] = {7, 7, 7, 7}, two[] = {1, 1, 0, 0};
    ml_table *t = add_i64(ctx, add_f64(ctx, NULL, "x", 4, x), "class", 4, same);
    FAILS(ML_E_DATA, try_fit(ctx, t, "", &m));
    ml_table_free(t);
    t = add_i64(ctx, add_f64(ctx, NULL, "x", 4, x), "class", 4, two);
    t = add_f64(ctx, t, "w", 4, w);
    FAILS(ML_E_DATA, try_fit(ctx, t, "weight=w", &m));
    SAYS("all rows have the same class, \"1\"");
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A row of weight 2 is two rows, and missing values and categories have a say. */
START_TEST(weights_and_columns)
{
    ml_context *ctx = test_context(1);
    double x[] = {1, 2, NAN, 4, 5, 6, 2.5, 3.5}, w[] = {1, 2, 1, 1, 2, 1, 1, 1};
    const char *c[] = {"a", "b", "a", NULL, "b", "b", "a", "b"};
    const char *y[] = {"no", "no", "yes", "yes", "yes", "no", "no", "yes"};
    double x2[10];
    const char *c2[10], *y2[10];
    int64_t n = 0;
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < (int)w[i]; k++) {
            x2[n] = x[i];
            c2[n] = c[i];
            y2[n++] = y[i];
        }
    ml_table *t = add_f64(ctx, add_f64(ctx, NULL, "x", 8, x), "w", 8, w);
    t = add_text(ctx, add_text(ctx, t, "c", 8, c), "class", 8, y);
    ml_table *u = add_text(ctx, add_f64(ctx, NULL, "x", n, x2), "c", n, c2);
    u = add_text(ctx, u, "class", n, y2);
    ml_model *a = fit(ctx, t, "weight=w tol=1e-12 missing_indicator=true");
    ml_model *b = fit(ctx, u, "tol=1e-12 missing_indicator=true");
    for (int i = 0; i < 5; i++)
        near(at(a, "coef", i), at(b, "coef", i), 1e-9, "coefficient", i);
    ck_assert(fabs(at(a, "coef", 1)) > 0.1); /* x is missing */
    ck_assert(fabs(at(a, "coef", 4)) > 0.1); /* c is missing */
    ml_tensor *p = predicted(a, "proba", t), *s = predicted(a, "score", t);
    for (int64_t i = 0; i < 8; i++)
        near(ml_tensor_get_f64(p, i, 1), 1 / (1 + exp(-ml_tensor_get_f64(s, i, 0))),
             1e-14, "score", i);
    ml_tensor_free(p);
    ml_tensor_free(s);
    ml_model_free(a);
    ml_model_free(b);
    ml_table_free(t);
    ml_table_free(u);
    ml_context_free(ctx);
}
END_TEST

/* The same bytes for any number of threads, in each solver; enough rows for many blocks
 * and a start from a sample. */
START_TEST(threads)
{
    const char *const params[] = {"penalty=none", "solver=lbfgs", "penalty=l1 alpha=30"};
    enum { n = 60000 };
    static double x[3][n];
    static int64_t y[n];
    uint64_t s = 7;
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            x[j][i] = (double)(s >> 40) / (1 << 23) - 1;
        }
        y[i] = (x[0][i] > 0.3) + (x[1][i] + 0.4 * x[2][i] > 0);
    }
    for (int i = 0; i < 3; i++) {
        char first[128] = "";
        for (int count = 1; count <= 7; count += 3) {
            ml_context *ctx = test_context(count);
            ml_table *t = NULL;
            for (int j = 0; j < 3; j++)
                t = add_f64(ctx, t, (const char *[]){"a", "b", "c"}[j], n, x[j]);
            t = add_i64(ctx, t, "class", n, y);
            ml_model *m = fit(ctx, t, params[i]);
            char text[128];
            snprintf(text, sizeof text, "%a %a %a", at(m, "coef", 0), at(m, "coef", 4),
                     at(m, "intercept", 2));
            if (count == 1) memcpy(first, text, sizeof first);
            ck_assert_str_eq(first, text);
            ck_assert(at(m, "coef", 0) < -0.5 && at(m, "coef", 6) > 0.5);
            ml_model_free(m);
            ml_table_free(t);
            ml_context_free(ctx);
        }
    }
}
END_TEST

/* Three columns of random numbers, and flags that few rows have: each every 4001 * 5
 * rows, or every 1501 * 3. */
static ml_table *with_rare_flags(ml_context *ctx, int64_t n, int64_t every, int64_t flags)
{
    double *v = calloc((size_t)n, sizeof *v), *z = calloc((size_t)n, sizeof *z);
    int64_t *y = calloc((size_t)n, sizeof *y);
    ml_table *t = NULL;
    uint64_t s = 11;
    ck_assert(v && z && y);
    for (int j = 0; j < 4; j++) {
        for (int64_t i = 0; i < n; i++) {
            double u = 0;
            for (int k = 0; k < 6; k++) {
                s = s * 6364136223846793005u + 1442695040888963407u;
                u += (double)(s >> 40) / (1 << 23) - 1;
            }
            v[i] = u;
            z[i] += (const double[]){1.5, -2, 0.5, 1.8}[j] * u;
        }
        if (j < 3) t = add_f64(ctx, t, (const char *[]){"a", "b", "c"}[j], n, v);
    }
    for (int64_t f = 0; f < flags; f++) {
        char name[] = {'f', (char)('0' + f), 0};
        for (int64_t i = 0; i < n; i++) {
            v[i] = i % every == 7 && i / every % flags == f;
            z[i] += v[i];
        }
        t = add_f64(ctx, t, name, n, v);
    }
    for (int64_t i = 0; i < n; i++) y[i] = z[i] > 0.5;
    t = add_i64(ctx, t, "class", n, y);
    free(v);
    free(z);
    free(y);
    return t;
}

/* A sample of the rows must not decide on a column that few rows have: the solvers agree,
 * and the loss in the model is that of its coefficients. */
START_TEST(rare_columns)
{
    const int64_t shapes[][3] = {{45000, 1501, 3}, {48000, 997, 2}, {60000, 4001, 5}};
    for (int i = 0; i < 3; i++)
        for (int penalty = 0; penalty < 2; penalty++) {
            ml_context *ctx = test_context(2);
            ml_table *t = with_rare_flags(ctx, shapes[i][0], shapes[i][1], shapes[i][2]);
            ml_model *a =
                fit(ctx, t, penalty ? "solver=newton" : "solver=newton penalty=none");
            ml_model *b = fit(ctx, t,
                              penalty ? "solver=lbfgs tol=1e-7"
                                      : "solver=lbfgs penalty=none tol=1e-7");
            near(summary(a, "log_loss"), summary(b, "log_loss"), 1e-8, "loss", i);
            for (int64_t j = 0; j < 3; j++)
                near(at(a, "coef", j), at(b, "coef", j), 1e-3, "coef", j);
            ck_assert(summary(a, "iterations") < 15);
            ml_model_free(a);
            ml_model_free(b);
            ml_table_free(t);
            ml_context_free(ctx);
        }
}
END_TEST

static ml_status starved(failing_alloc *f, const char *name, const char *value)
{
    static const double v[] = {1, 4, 0, 2, 5, 1, 3, 1, 2, 4, 2, 0, 5, 2,
                               1, 6, 6, 2, 7, 9, 0, 8, 2, 1, 1, 1, 2};
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_tensor *tensor = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    int64_t shape[] = {9, 3};
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, v, &tensor, NULL);
    if (!s) s = ml_table_read_tensor(ctx, tensor, NULL, &t, NULL);
    if (!s) s = ml_estimator_new(ctx, "logistic_regression", &e, NULL);
    if (!s) s = ml_estimator_set_str(e, "target", "f2", NULL);
    if (!s) s = ml_estimator_set_str(e, name, value, NULL);
    if (!s) s = ml_estimator_fit(e, t, NULL, &m, NULL);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_tensor_free(tensor);
    ml_context_free(ctx);
    return s;
}

START_TEST(out_of_memory)
{
    failing_alloc f;
    OUT_OF_MEMORY_LOOP(f, starved(&f, "solver", "newton"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "solver", "lbfgs"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "penalty", "l1"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "class_weight", "balanced"));
}
END_TEST

TEST_MAIN("algorithms/logistic", two_classes, without_penalty, several_classes, units,
          wide_lasso, wide_lasso_of_classes, separable, one_class, weights_and_columns,
          threads, rare_columns, out_of_memory)
