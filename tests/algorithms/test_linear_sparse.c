/* SPDX-License-Identifier: MIT
 *
 * Linear models of columns that are mostly 0. Adding 1 to all values of a column turns it
 * into a dense one and changes nothing but the intercept, so each fit is made twice: with
 * and without. Without an intercept the optimality conditions are checked. Then threads,
 * memory, columns that are held sparse, and columns of zeros.
 */
#include "../failing.h"
#include "../testing_data.h"
#include "data/table.h"

#define ROWS    700
#define NUMBERS 45 /* of them every tenth is dense */
#define LEVELS  30

typedef struct {
    double shift; /* added to all numbers */
    int weights;  /* with a column of weights */
    int missing;  /* with missing values */
    int zeros;    /* all numbers are 0 */
    int rows;
} look;

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static double value_at(const look *k, int64_t i, int64_t j)
{
    uint64_t seed = (uint64_t)(i * 1000 + j);
    for (int n = 0; n < 3; n++) next(&seed);
    double v = (double)(next(&seed) % 2000) / 1000 - 0.5;
    if (k->missing && j % 9 == 3 && next(&seed) % 50 == 0) return NAN;
    if (k->zeros) return 0;
    return j % 10 == 9 || next(&seed) % (uint64_t)(9 + j) == 0 ? v : 0;
}

/* The sum of some columns and noise. */
static double score_at(const look *k, int64_t i)
{
    uint64_t seed = (uint64_t)i + 77;
    double sum = 0;
    for (int64_t j = 0; j < NUMBERS; j++) {
        double v = value_at(k, i, j);
        if (!isnan(v)) sum += v * (double)(j % 7 - 3);
    }
    for (int n = 0; n < 3; n++) next(&seed);
    return sum + (double)(next(&seed) % 1000) / 500 - 1 + (i % LEVELS == 4);
}

/* The category, as one column, or as one of 0 and 1 for each level. */
static ml_table *add_levels(ml_context *ctx, ml_table *t, const look *k)
{
    static char text[ROWS][8];
    static double x[ROWS];
    const char *level[ROWS];
    for (int64_t i = 0; i < k->rows; i++) {
        snprintf(text[i], sizeof text[i], "l%02d", (int)(i % LEVELS));
        level[i] = text[i];
    }
    if (k->shift == 0) return add_text(ctx, t, "level", k->rows, level);
    for (int64_t l = 0; l < LEVELS; l++) {
        for (int64_t i = 0; i < k->rows; i++) x[i] = (double)(i % LEVELS == l) + k->shift;
        t = add_f64(ctx, t, text[l], k->rows, x);
    }
    return t;
}

static ml_table *make_table(ml_context *ctx, const look *k)
{
    static double x[ROWS], y[ROWS], w[ROWS];
    int64_t two[ROWS], three[ROWS];
    ml_table *t = NULL;
    for (int64_t j = 0; j < NUMBERS; j++) {
        char name[16];
        snprintf(name, sizeof name, "x%02d", (int)j);
        for (int64_t i = 0; i < k->rows; i++) x[i] = value_at(k, i, j) + k->shift;
        t = add_f64(ctx, t, name, k->rows, x);
    }
    t = add_levels(ctx, t, k);
    for (int64_t i = 0; i < k->rows; i++) {
        y[i] = score_at(k, i);
        two[i] = y[i] > 0;
        three[i] = (y[i] > -0.5) + (y[i] > 0.5);
        w[i] = (double)(i % 4) / 2;
    }
    t = add_f64(ctx, t, "y", k->rows, y);
    t = add_i64(ctx, t, "two", k->rows, two);
    t = add_i64(ctx, t, "three", k->rows, three);
    return k->weights ? add_f64(ctx, t, "w", k->rows, w) : t;
}

/* `params`: "name=value ...", the target among them; the other two are left out. */
static ml_status try_fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                         const char *params, ml_model **out)
{
    ml_estimator *e = NULL;
    char copy[256], *save = NULL;
    *out = NULL;
    ml_status s = ml_estimator_new(ctx, algorithm, &e, ERR);
    const char *ignore = strstr(params, "target=y")     ? "two,three"
                         : strstr(params, "target=two") ? "y,three"
                                                        : "y,two";
    if (!s && ml_table_find(t, "two") >= 0)
        s = ml_estimator_set_str(e, "ignore", ignore, ERR);
    snprintf(copy, sizeof copy, "%s", params);
    for (char *p = strtok_r(copy, " ", &save); p && !s; p = strtok_r(NULL, " ", &save)) {
        char *value = strchr(p, '=');
        *value++ = 0;
        s = ml_estimator_set_str(e, p, value, ERR);
    }
    if (!s) s = ml_estimator_fit(e, t, NULL, out, ERR);
    ml_estimator_free(e);
    return s;
}

static ml_model *fit(ml_context *ctx, const char *algorithm, const ml_table *t,
                     const char *params)
{
    ml_model *m = NULL;
    OK(try_fit(ctx, algorithm, t, params, &m));
    return m;
}

static ml_tensor *tensor(const ml_model *m, const char *name)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    return t;
}

static double at(const ml_tensor *t, int64_t i)
{
    int64_t columns = ml_tensor_ndim(t) == 2 ? ml_tensor_shape(t)[1] : 1;
    return ml_tensor_get_f64(t, i / columns, i % columns);
}

static int64_t size(const ml_tensor *t)
{
    return ml_tensor_shape(t)[0] * (ml_tensor_ndim(t) == 2 ? ml_tensor_shape(t)[1] : 1);
}

/* Coefficients of both models; `what` for the message. */
static void same_coef(const ml_model *a, const ml_model *b, double tolerance,
                      const char *what)
{
    ml_tensor *x = tensor(a, "coef"), *y = tensor(b, "coef");
    double most = 0;
    ck_assert_int_eq(size(x), size(y));
    for (int64_t i = 0; i < size(x); i++) {
        most = fmax(most, fabs(at(x, i)));
        ck_assert_msg(fabs(at(x, i) - at(y, i)) <= tolerance * fmax(1, fabs(at(x, i))),
                      "%s, coefficient %d: %.12g and %.12g", what, (int)i, at(x, i),
                      at(y, i));
    }
    ck_assert_msg(most > 0.05, "%s: no coefficients", what);
    ml_tensor_free(x);
    ml_tensor_free(y);
}

typedef struct {
    const char *algorithm, *params;
    int weights, missing;
} task;

static const task tasks[] = {
    {"logistic_regression", "target=two solver=lbfgs tol=1e-10", 0, 0},
    {"logistic_regression", "target=two solver=lbfgs tol=1e-10 weight=w", 1, 1},
    {"logistic_regression", "target=two solver=newton tol=1e-10", 0, 0},
    {"logistic_regression", "target=three solver=lbfgs tol=1e-10 alpha=3", 0, 1},
    {"logistic_regression", "target=three solver=lbfgs tol=1e-10 standardize=true", 0, 0},
    {"logistic_regression", "target=three solver=lbfgs tol=1e-10 class_weight=balanced",
     0, 0},
    {"logistic_regression", "target=two penalty=l1 alpha=2 tol=1e-9", 0, 1},
    {"logistic_regression", "target=two penalty=l1 alpha=1 tol=1e-9 weight=w", 1, 0},
    {"logistic_regression", "target=three penalty=l1 alpha=2 tol=1e-9", 0, 0},
    {"logistic_regression", "target=three penalty=elasticnet alpha=3 tol=1e-9", 0, 0},
    {"linear_regression", "target=y penalty=l2 alpha=2", 0, 1},
    {"linear_regression", "target=y penalty=l2 alpha=2 weight=w", 1, 0},
    {"linear_regression", "target=y penalty=l1 alpha=0.002 tol=1e-14", 0, 1},
    {"linear_regression", "target=y penalty=l1 alpha=0.002 tol=1e-14 weight=w", 1, 0},
    {"linear_regression", "target=y penalty=elasticnet alpha=0.003 tol=1e-14", 0, 0},
};
#define TASKS ((int)(sizeof tasks / sizeof *tasks))

START_TEST(like_dense_columns)
{
    ml_context *ctx = test_context(2);
    for (int i = 0; i < TASKS; i++) {
        look k = {.rows = ROWS, .weights = tasks[i].weights, .missing = tasks[i].missing};
        ml_table *t = make_table(ctx, &k);
        k.shift = 1;
        ml_table *u = make_table(ctx, &k);
        ml_model *m = fit(ctx, tasks[i].algorithm, t, tasks[i].params);
        ml_model *n = fit(ctx, tasks[i].algorithm, u, tasks[i].params);
        same_coef(m, n, 1e-6, tasks[i].params);
        ml_model_free(m);
        ml_model_free(n);
        ml_table_free(t);
        ml_table_free(u);
    }
    ml_context_free(ctx);
}
END_TEST

/* The derivative of sum of w log loss + alpha sum of b^2 / 2 by each coefficient is 0. */
START_TEST(without_intercept)
{
    ml_context *ctx = test_context(1);
    look k = {.rows = ROWS, .weights = 1};
    ml_table *t = make_table(ctx, &k);
    ml_model *m = fit(ctx, "logistic_regression", t,
                      "target=two solver=lbfgs alpha=2 tol=1e-10 weight=w "
                      "intercept=false");
    ml_tensor *p = predicted(m, "proba", t), *b = tensor(m, "coef");
    ck_assert_int_eq(size(b), NUMBERS + LEVELS);
    for (int64_t j = 0; j < NUMBERS + LEVELS; j++) {
        double g = 2 * at(b, j);
        for (int64_t i = 0; i < ROWS; i++) {
            double x = j < NUMBERS ? value_at(&k, i, j) : i % LEVELS == j - NUMBERS;
            g += (double)(i % 4) / 2 * x *
                 (ml_tensor_get_f64(p, i, 1) - (score_at(&k, i) > 0));
        }
        ck_assert_msg(fabs(g) < 1e-6, "coefficient %d: %g", (int)j, g);
    }
    ml_tensor_free(p);
    ml_tensor_free(b);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The same bits for any number of threads. */
START_TEST(threads)
{
    for (int i = 0; i < TASKS; i++) {
        look k = {.rows = ROWS, .weights = tasks[i].weights, .missing = tasks[i].missing};
        static double first[3 * (NUMBERS + LEVELS)];
        for (int count = 1; count <= 7; count += count == 1 ? 1 : 5) {
            ml_context *ctx = test_context(count);
            ml_table *t = make_table(ctx, &k);
            ml_model *m = fit(ctx, tasks[i].algorithm, t, tasks[i].params);
            ml_tensor *b = tensor(m, "coef");
            for (int64_t j = 0; j < size(b); j++) {
                double v = at(b, j);
                if (count == 1) first[j] = v;
                ck_assert_msg(memcmp(&v, &first[j], sizeof v) == 0, "%s, %d threads",
                              tasks[i].params, count);
            }
            ml_tensor_free(b);
            ml_model_free(m);
            ml_table_free(t);
            ml_context_free(ctx);
        }
    }
}
END_TEST

/* Ridge with so many columns that it takes conjugate gradients; the dense columns take
 * the normal equations, or the dual system where there are more columns than rows. */
START_TEST(ridge)
{
    enum { WIDE = 520 };
    static double x[ROWS], y[ROWS], w[ROWS];
    static const int rows[] = {700, 300};
    ml_context *ctx = test_context(2);
    for (int r = 0; r < 2; r++) {
        ml_model *m[2];
        for (int shift = 0; shift < 2; shift++) {
            ml_table *t = NULL;
            memset(y, 0, sizeof y);
            for (int64_t j = 0; j < WIDE; j++) {
                char name[16];
                snprintf(name, sizeof name, "x%03d", (int)j);
                for (int64_t i = 0; i < rows[r]; i++) {
                    uint64_t seed = (uint64_t)(i * 1000 + j);
                    for (int n = 0; n < 3; n++) next(&seed);
                    x[i] = next(&seed) % 40 == 0 ? (double)(next(&seed) % 100) / 10 : 0;
                    y[i] += x[i] * (double)(j % 5);
                    x[i] += shift;
                }
                t = add_f64(ctx, t, name, rows[r], x);
            }
            for (int64_t i = 0; i < rows[r]; i++) {
                y[i] += (double)(i * 7919 % 100) / 10;
                w[i] = (double)(1 + i % 3);
            }
            t = add_f64(ctx, t, "y", rows[r], y);
            t = add_f64(ctx, t, "w", rows[r], w);
            m[shift] =
                fit(ctx, "linear_regression", t, "target=y penalty=l2 alpha=3 weight=w");
            ml_table_free(t);
        }
        const char *json = ml_model_json(m[0]);
        ck_assert_msg(strstr(json, "\"conjugate gradients\"") != NULL, "%s", json);
        same_coef(m[0], m[1], 1e-8, "ridge");
        ml_model_free(m[0]);
        ml_model_free(m[1]);
    }
    ml_context_free(ctx);
}
END_TEST

/* The numbers that are mostly 0 as sparse columns. */
static ml_table *held_sparse(ml_context *ctx, const ml_table *from)
{
    ml_table *t = NULL;
    OK(mli_table_alloc(ctx, from->rows, from->n_columns, &t, ERR));
    for (int64_t j = 0; j < from->n_columns; j++) {
        mli_column *c = &t->columns[j];
        *c = from->columns[j];
        c->name = mli_strdup(ctx, from->columns[j].name);
        for (int i = 0; i < (int)(sizeof c->keep / sizeof *c->keep); i++)
            mli_buffer_ref(c->keep[i]);
        if (c->name[0] != 'x' || j % 10 == 9) continue;
        void *memory = NULL;
        int64_t n = 0;
        mli_buffer *keep = mli_buffer_new(ctx, ROWS * 12, &memory);
        double *values = memory;
        int32_t *rows = (int32_t *)(void *)(values + ROWS);
        for (int64_t i = 0; i < from->rows; i++) {
            double v = ml_table_get_f64(from, i, j);
            if (v == 0) continue;
            rows[n] = (int32_t)i;
            values[n++] = v;
        }
        char *name = c->name;
        for (int i = 0; i < (int)(sizeof c->keep / sizeof *c->keep); i++)
            mli_buffer_free(c->keep[i]);
        memset(c, 0, sizeof *c);
        c->name = name;
        mli_column_make_sparse(c, from->rows, (mli_sparse){n, rows, values}, keep);
    }
    OK(mli_table_seal(t, ERR));
    return t;
}

START_TEST(held)
{
    ml_context *ctx = test_context(2);
    for (int i = 0; i < TASKS; i++) {
        look k = {.rows = ROWS, .weights = tasks[i].weights};
        ml_table *t = make_table(ctx, &k), *u = held_sparse(ctx, t);
        ml_model *m = fit(ctx, tasks[i].algorithm, t, tasks[i].params);
        ml_model *n = fit(ctx, tasks[i].algorithm, u, tasks[i].params);
        same_coef(m, n, 1e-7, tasks[i].params);
        ml_model_free(m);
        ml_model_free(n);
        ml_table_free(t);
        ml_table_free(u);
    }
    ml_context_free(ctx);
}
END_TEST

/* Columns that are 0 throughout, and few rows. */
START_TEST(zeros)
{
    ml_context *ctx = test_context(1);
    static const int rows[] = {20, 257, 700};
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < TASKS; i++) {
            look k = {.rows = rows[r], .zeros = 1, .weights = tasks[i].weights};
            ml_table *t = make_table(ctx, &k);
            ml_model *m = fit(ctx, tasks[i].algorithm, t, tasks[i].params);
            ml_tensor *b = tensor(m, "coef");
            for (int64_t j = 0; j < NUMBERS; j++) ck_assert(at(b, j) == 0);
            ml_tensor_free(b);
            ml_model_free(m);
            ml_table_free(t);
        }
    ml_context_free(ctx);
}
END_TEST

static ml_status starved(failing_alloc *f, const char *algorithm, const char *params)
{
    static double v[60 * 24];
    int64_t shape[] = {60, 24};
    ml_host host = failing_host(f);
    ml_context *ctx = NULL;
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    char copy[128], *save = NULL;
    for (int64_t i = 0; i < 60; i++) {
        for (int64_t j = 0; j < 23; j++) v[i * 24 + j] = (i + j) % 9 == 0 ? 1.5 : 0;
        v[i * 24 + 23] = (double)(i % 3 > 0);
    }
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (!s) s = ml_tensor_new(ctx, ML_DTYPE_F64, 2, shape, NULL, v, &x, NULL);
    if (!s) s = ml_table_read_tensor(ctx, x, NULL, &t, NULL);
    if (!s) s = ml_estimator_new(ctx, algorithm, &e, NULL);
    if (!s) s = ml_estimator_set_str(e, "target", "f23", NULL);
    snprintf(copy, sizeof copy, "%s", params);
    for (char *p = strtok_r(copy, " ", &save); p && !s; p = strtok_r(NULL, " ", &save)) {
        char *value = strchr(p, '=');
        *value++ = 0;
        s = ml_estimator_set_str(e, p, value, NULL);
    }
    if (!s) s = ml_estimator_fit(e, t, NULL, &m, NULL);
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
    OUT_OF_MEMORY_LOOP(f, starved(&f, "logistic_regression", "solver=lbfgs max_iter=2"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "logistic_regression", "penalty=l1 max_iter=2"));
    OUT_OF_MEMORY_LOOP(f, starved(&f, "linear_regression", "penalty=l1 alpha=0.01"));
}
END_TEST

TEST_MAIN("algorithms/linear_sparse", like_dense_columns, without_intercept, threads,
          ridge, held, zeros, out_of_memory)
