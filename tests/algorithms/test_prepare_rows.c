/* SPDX-License-Identifier: MIT
 *
 * Steps that make rows of training, and splines outside the range of training.
 */
#include "csv_text.h"
#include <math.h>

/* 40 rows of "no", 12 of "yes": two numbers, a category, a weight. */
static ml_table *unequal(ml_context *ctx, double *x, char *kinds)
{
    char text[8192] = "a,b,k,w,y\n";
    size_t at = strlen(text);
    uint64_t z = 1;
    for (int i = 0; i < 52; i++) {
        int yes = i % 4 == 1 && i < 48;
        for (int j = 0; j < 2; j++) {
            z = z * 6364136223846793005u + 1442695040888963407u;
            x[2 * i + j] = (double)(z >> 44) / 1048576.0 + (yes ? 0.5 : 0);
        }
        kinds[i] = (char)('p' + (yes ? i % 3 : 3));
        at += (size_t)snprintf(text + at, sizeof text - at, "%.17g,%.17g,%c,%d,%s\n",
                               x[2 * i], x[2 * i + 1], kinds[i], yes ? 2 : 1,
                               yes ? "yes" : "no");
    }
    return csv_text(ctx, text);
}

static ml_model *fit(ml_context *ctx, const ml_table *t, const char *const *pairs)
{
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
    for (; *pairs; pairs += 2) OK(ml_estimator_set_str(e, pairs[0], pairs[1], ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

static double distance(const double *p, const double *q)
{
    return hypot(p[0] - q[0], p[1] - q[1]);
}

/* Is r on the line from p to one of the three rows of its class that are nearest to p? */
static int on_a_line(const double *x, int from, const double *r)
{
    for (int to = 0; to < 48; to++) {
        int nearer = 0;
        if (to % 4 != 1 || to == from) continue;
        double d = distance(x + 2 * from, x + 2 * to);
        for (int i = 1; i < 48; i += 4)
            nearer += i != from && i != to && distance(x + 2 * from, x + 2 * i) < d;
        double by = distance(x + 2 * from, r) + distance(r, x + 2 * to);
        if (nearer < 3 && fabs(by - d) < 1e-12) return 1;
    }
    return 0;
}

/* The imputer keeps the rows that it gets: so they can be seen. */
START_TEST(smote_makes_rows_between_neighbours)
{
    ml_context *ctx = test_context(2);
    double x[104];
    char kinds[52];
    ml_table *t = unequal(ctx, x, kinds);
    ml_tensor *rows = NULL;
    const char *params[] = {"steps", "smote, knn_imputer", "target", "y", "features",
                            "a, b",  "smote.k_neighbors",  "3",      NULL};
    ml_model *m = fit(ctx, t, params);
    OK(ml_model_get_tensor(m, "knn_imputer.rows", &rows, ERR));
    ck_assert_int_eq(ml_tensor_shape(rows)[1], 80); /* 40 of each */
    double least = INFINITY, most = 0;
    for (int i = 0; i < 80; i++) {
        double r[2] = {ml_tensor_get_f64(rows, 0, i), ml_tensor_get_f64(rows, 1, i)};
        int found = 0;
        if (i < 52) { /* as they were, in their order */
            ck_assert(r[0] == x[2 * i] && r[1] == x[2 * i + 1]);
            continue;
        }
        for (int from = 1; from < 48 && !found; from += 4) found = on_a_line(x, from, r);
        ck_assert_msg(found, "row %d: %g %g", i, r[0], r[1]);
        least = fmin(least, r[0]);
        most = fmax(most, r[0]);
    }
    ck_assert(most - least > 0.3); /* not all from one row */
    ml_tensor_free(rows);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

static double share_of_yes(ml_context *ctx, const ml_table *t, const char *const *params)
{
    ml_model *m = fit(ctx, t, params);
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_predictor_new(m, "proba", NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    int64_t last = ml_tensor_shape(out)[1] - 1;
    double share = ml_tensor_get_f64(out, 0, last);
    ml_tensor_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    return share;
}

START_TEST(ratios_and_weights)
{
    ml_context *ctx = test_context(2);
    double x[104];
    char kinds[52];
    ml_table *t = unequal(ctx, x, kinds);
    const char *half[] = {"steps", "smote, baseline", "target", "y", "ignore", "w", NULL};
    const char *fewer[] = {"steps", "smote, baseline", "target", "y", "ignore",
                           "w",     "smote.ratio",     "0.5",    NULL};
    const char *weighted[] = {"steps", "smote, baseline", "target", "y", "weight", "w",
                              NULL};
    ck_assert(fabs(share_of_yes(ctx, t, half) - 0.5) < 1e-12);
    ck_assert(fabs(share_of_yes(ctx, t, fewer) - 20.0 / 60) < 1e-12);
    ck_assert(fabs(share_of_yes(ctx, t, weighted) - 80.0 / 120) < 1e-12);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A category of a new row is one that rows of its class have; the border is drawn from.
 */
START_TEST(smote_keeps_categories_of_the_class)
{
    ml_context *ctx = test_context(2);
    double x[104];
    char kinds[52];
    ml_table *t = unequal(ctx, x, kinds);
    ml_tensor *rows = NULL;
    const char *params[] = {"steps",  "smote, one_hot_encoder, knn_imputer",
                            "target", "y",
                            "ignore", "w",
                            NULL,     NULL,
                            NULL};
    for (int border = 0; border < 2; border++) {
        if (border) {
            params[6] = "smote.borderline";
            params[7] = "true";
        }
        ml_model *m = fit(ctx, t, params);
        OK(ml_model_get_tensor(m, "knn_imputer.rows", &rows, ERR));
        ck_assert_int_eq(ml_tensor_shape(rows)[0], 6); /* a, b, k = p, q, r, s */
        for (int i = 52; i < 80; i++) {
            double sum = 0;
            for (int c = 2; c < 5; c++) sum += ml_tensor_get_f64(rows, c, i);
            ck_assert(sum == 1);
        }
        ml_tensor_free(rows);
        ml_model_free(m);
    }
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* The rows that smote hands to the next step. */
static ml_tensor *made(ml_context *ctx, const char *text, const char *const *params)
{
    ml_table *t = csv_text(ctx, text);
    ml_model *m = fit(ctx, t, params);
    ml_tensor *rows = NULL;
    OK(ml_model_get_tensor(m, "knn_imputer.rows", &rows, ERR));
    ml_model_free(m);
    ml_table_free(t);
    return rows;
}

/* 40 of "no" at 0 .. 39; of "yes" six far away, one among the others, three at the end.
 */
START_TEST(borders_have_both_classes_around)
{
    ml_context *ctx = test_context(2);
    char text[1024] = "a,y\n";
    size_t at = strlen(text);
    const double yes[] = {1000, 1001, 1002, 1003, 1004, 1005, 5.5, 40.2, 40.4, 40.6};
    const char *params[] = {"steps",
                            "smote, knn_imputer",
                            "target",
                            "y",
                            "smote.k_neighbors",
                            "2",
                            "smote.m_neighbors",
                            "4",
                            "smote.borderline",
                            "true",
                            NULL};
    for (int i = 0; i < 50; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.2f,%s\n",
                               i < 40 ? i : yes[i - 40], i < 40 ? "no" : "yes");
    ml_tensor *rows = made(ctx, text, params);
    ck_assert_int_eq(ml_tensor_shape(rows)[1], 80);
    for (int i = 50; i < 80; i++) {
        double x = ml_tensor_get_f64(rows, 0, i);
        ck_assert_msg(x >= 40.2 && x <= 40.6, "%g", x);
    }
    ml_tensor_free(rows);
    ml_context_free(ctx);
}
END_TEST

/* Two rows of "yes" have no number in common: their neighbour is the third. */
START_TEST(smote_with_missing_numbers)
{
    ml_context *ctx = test_context(2);
    char text[1024] = "a,b,y\n1,,yes\n,5,yes\n1.5,7,yes\n";
    size_t at = strlen(text);
    const char *params[] = {
        "steps", "smote, knn_imputer", "target", "y", "smote.k_neighbors", "1", NULL};
    int ends = 0;
    for (int i = 0; i < 40; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d,no\n", i, i);
    ml_tensor *rows = made(ctx, text, params);
    ck_assert_int_eq(ml_tensor_shape(rows)[1], 80);
    for (int i = 43; i < 80; i++) {
        double a = ml_tensor_get_f64(rows, 0, i), b = ml_tensor_get_f64(rows, 1, i);
        ck_assert_msg((b == 7 && a >= 1 && a <= 1.5) || (a == 1.5 && b >= 5 && b <= 7),
                      "%g %g", a, b);
        ends |= b < 7 ? 1 : 2;
    }
    ck_assert_int_eq(ends, 3);
    ml_tensor_free(rows);
    ml_context_free(ctx);
}
END_TEST

/* A row without any number has no neighbours: it is repeated, and none goes to it. */
START_TEST(smote_without_any_number)
{
    ml_context *ctx = test_context(2);
    char text[1024] = "a,b,k,y\n,,p,yes\n2,5,p,yes\n3,7,p,yes\n";
    size_t at = strlen(text);
    const char *params[] = {"steps", "smote, one_hot_encoder, knn_imputer", "target", "y",
                            NULL};
    int repeated = 0;
    for (int i = 0; i < 40; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d,q,no\n", i, i);
    ml_tensor *rows = made(ctx, text, params);
    ck_assert_int_eq(ml_tensor_shape(rows)[1], 80);
    for (int i = 43; i < 80; i++) {
        double a = ml_tensor_get_f64(rows, 0, i), b = ml_tensor_get_f64(rows, 1, i);
        if (isnan(a) && isnan(b))
            repeated++;
        else
            ck_assert_msg(fabs(b - (2 * a + 1)) < 1e-12 && a >= 2 && a <= 3, "%g %g", a,
                          b);
    }
    ck_assert_int_gt(repeated, 0);
    ck_assert_int_lt(repeated, 37);
    ml_tensor_free(rows);
    ml_context_free(ctx);
}
END_TEST

/* Squares of these differences are infinite: rows are repeated, finite as they are. */
START_TEST(smote_with_huge_numbers)
{
    ml_context *ctx = test_context(2);
    char text[1024] = "a,k,y\n1e300,p,yes\n-1e300,q,yes\n1e308,p,yes\n-1.7e308,p,yes\n";
    size_t at = strlen(text);
    const char *params[] = {"steps", "smote, one_hot_encoder, knn_imputer", "target", "y",
                            NULL};
    for (int i = 0; i < 20; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d,p,no\n", i);
    ml_tensor *rows = made(ctx, text, params);
    ck_assert_int_eq(ml_tensor_shape(rows)[1], 40);
    for (int i = 24; i < 40; i++) {
        double x = ml_tensor_get_f64(rows, 0, i);
        ck_assert_msg(x == 1e300 || x == -1e300 || x == 1e308 || x == -1.7e308, "%g", x);
    }
    ml_tensor_free(rows);
    ml_context_free(ctx);
}
END_TEST

START_TEST(smote_says_what_it_needs)
{
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "a,y\n1,0.5\n2,1.5\n3,2.25\n");
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_estimator_new(ctx, "pipeline", &e, ERR));
    OK(ml_estimator_set_str(e, "steps", "smote, linear_regression", ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    FAILS(ML_E_ARGUMENT, ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert_ptr_nonnull(strstr(ml_error_message(ERR), "classes"));
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* scikit-learn's SplineTransformer(4, knots="quantile") of 0, 1, 3, 4.5, 8, 10 at -1.5,
 * 12.25 and 2. */
static const struct {
    const char *mode;
    int columns;
    double want[3][6];
} beyond[] = {{"constant",
               6,
               {{0.16666666666666666, 0.6875, 0.14583333333333334, 0, 0, 0},
                {0, 0, 0, 0.1805555555555556, 0.6527777777777778, 0.16666666666666669},
                {0.00048590864917395256, 0.324719173383639, 0.6142907162865148,
                 0.06050420168067231, 0, 0}}},
              {"linear",
               6,
               {{0.48809523809523814, 0.6473214285714286, -0.13541666666666677, 0, 0, 0},
                {0, 0, 0, -0.10069444444444428, 0.6744123931623932, 0.42628205128205116},
                {0.00048590864917395256, 0.324719173383639, 0.6142907162865148,
                 0.06050420168067231, 0, 0}}},
              {"continue",
               6,
               {{0.7390063168124396, 0.1449566433716341, 0.1415622498999601,
                 -0.025525210084033634, 0, 0},
                {0, 0, -0.03428616220735784, 0.13347222892190486, 0.3164007657084543,
                 0.5844131675769986},
                {0.00048590864917395256, 0.324719173383639, 0.6142907162865148,
                 0.06050420168067231, 0, 0}}},
              {"periodic",
               3,
               {{0.3084162486064659, 0.6026909141583057, 0.08889283723522867},
                {0.08615130427170875, 0.21114014355742272, 0.7027085521708686},
                {0.06074229691876755, 0.2600280112044815, 0.6792296918767509}}}};

START_TEST(splines_go_on_outside)
{
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x\n0\n1\n3\n4.5\n8\n10\n");
    ml_table *other = csv_text(ctx, "x\n-1.5\n12.25\n2\n");
    for (size_t c = 0; c < sizeof beyond / sizeof beyond[0]; c++) {
        ml_estimator *e = NULL;
        ml_model *m = NULL;
        ml_predictor *p = NULL;
        ml_tensor *out = NULL;
        OK(ml_estimator_new(ctx, "spline_features", &e, ERR));
        OK(ml_estimator_set_str(e, "knots", "quantile", ERR));
        OK(ml_estimator_set_i64(e, "n_knots", 4, ERR));
        OK(ml_estimator_set_str(e, "extrapolation", beyond[c].mode, ERR));
        OK(ml_estimator_fit(e, t, NULL, &m, ERR));
        OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
        OK(ml_predictor_run(p, other, &out, ERR));
        ck_assert_int_eq(ml_tensor_shape(out)[1], beyond[c].columns);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < beyond[c].columns; j++)
                ck_assert_msg(fabs(ml_tensor_get_f64(out, i, j) - beyond[c].want[i][j]) <
                                  1e-13,
                              "%s %d %d", beyond[c].mode, i, j);
        ml_tensor_free(out);
        ml_predictor_free(p);
        ml_model_free(m);
        ml_estimator_free(e);
    }
    ml_table_free(other);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

/* A column of one value has no knots, and with degree 0 nothing behind them. */
START_TEST(splines_leave_constants)
{
    ml_context *ctx = test_context(1);
    ml_table *t = csv_text(ctx, "x,c\n0,7\n1,7\n3,7\n4,7\n");
    const char *params[] = {"steps", "spline_features",         "spline_features.degree",
                            "0",     "spline_features.n_knots", "3",
                            NULL};
    ml_model *m = fit(ctx, t, params);
    ml_predictor *p = NULL;
    ml_tensor *out = NULL;
    OK(ml_predictor_new(m, NULL, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &out, ERR));
    ck_assert_int_eq(ml_tensor_shape(out)[1], 3);
    for (int i = 0; i < 4; i++) {
        ck_assert(ml_tensor_get_f64(out, i, 0) == (i < 2));
        ck_assert(ml_tensor_get_f64(out, i, 1) == (i >= 2));
        ck_assert(ml_tensor_get_f64(out, i, 2) == 7);
    }
    ml_tensor_free(out);
    ml_predictor_free(p);
    ml_model_free(m);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/prepare_rows", smote_makes_rows_between_neighbours,
          ratios_and_weights, smote_keeps_categories_of_the_class,
          borders_have_both_classes_around, smote_with_missing_numbers,
          smote_without_any_number, smote_with_huge_numbers, smote_says_what_it_needs,
          splines_go_on_outside, splines_leave_constants)
