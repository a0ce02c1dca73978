/* SPDX-License-Identifier: MIT
 *
 * Linear regression against the certified values of NIST (tests/reference/nist): digits
 * of coefficients, standard errors, residual deviation and R squared.
 */
#include "../testing_data.h"

#define ROWS  100
#define TERMS 11

typedef struct nist {
    int n, k, terms, degree; /* k: predictors; degree: of the polynomial, 1 for none */
    int intercept;
    double y[ROWS], x[TERMS][ROWS];
    double coef[TERMS], error[TERMS]; /* in the order of the file */
    double deviation, r2;
} nist;

/* The number after a label at the start of a line, or `before`. */
static double labelled(const char *line, const char *label, double before)
{
    const char *p = line + strspn(line, " ");
    size_t n = strlen(label);
    return strncmp(p, label, n) == 0 ? strtod(p + n, NULL) : before;
}

static void read_data_line(nist *d, const char *line)
{
    char *end;
    d->y[d->n] = strtod(line, &end);
    for (d->k = 0; d->k < TERMS; d->k++) {
        const char *at = end;
        double v = strtod(at, &end);
        if (end == at) break;
        d->x[d->k][d->n] = v;
    }
    d->n++;
}

static void read_nist(const char *name, nist *d)
{
    char path[64], line[256];
    int number = 0, first = 1000, last = 0, term;
    double coef, error;
    memset(d, 0, sizeof *d);
    snprintf(path, sizeof path, "tests/reference/nist/%s.dat", name);
    FILE *f = fopen(source_path(path), "r");
    ck_assert_msg(f != NULL, "no file %s", path);
    while (fgets(line, sizeof line, f)) {
        const char *p = strstr(line, "Data ");
        number++;
        if (p && number < 12) sscanf(p, "Data (lines %d to %d)", &first, &last);
        if (number >= first && number <= last) read_data_line(d, line);
        if (sscanf(line, " B%d %lf %lf", &term, &coef, &error) == 3 && number < first) {
            if (term == 0) d->intercept = 1;
            d->coef[d->terms] = coef;
            d->error[d->terms++] = error;
        }
        d->deviation = labelled(line, "Standard Deviation   ", d->deviation);
        d->r2 = labelled(line, "R-Squared", d->r2);
    }
    fclose(f);
    d->degree = d->k == 1 ? d->terms - d->intercept : 1;
    ck_assert_int_gt(d->n, 2);
    ck_assert_int_eq(d->k * d->degree + d->intercept, d->terms);
}

/* Columns are the predictors, or the rounded powers of the only one. */
static ml_model *fit(ml_context *ctx, const nist *d)
{
    ml_table *t = add_f64(ctx, NULL, "y", d->n, d->y);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    for (int j = 0; j < d->k * d->degree; j++) {
        char name[16];
        double x[ROWS];
        snprintf(name, sizeof name, "x%d", j);
        for (int i = 0; i < d->n; i++) {
            long double power = d->degree > 1 ? d->x[0][i] : d->x[j][i];
            for (int k = 0; d->degree > 1 && k < j; k++) power *= d->x[0][i];
            x[i] = (double)power;
        }
        t = add_f64(ctx, t, name, d->n, x);
    }
    OK(ml_estimator_new(ctx, "linear_regression", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "intercept", d->intercept ? "true" : "false", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    ml_table_free(t);
    return m;
}

static double digits(double got, double right)
{
    if (got == right) return 15;
    double error = fabs(got - right) / (right != 0 ? fabs(right) : 1);
    return fmin(15, -log10(error));
}

static double value(const ml_model *m, const char *name, int64_t i)
{
    ml_tensor *t = NULL;
    OK(ml_model_get_tensor(m, name, &t, ERR));
    double v = ml_tensor_get_f64(t, i, 0);
    ml_tensor_free(t);
    return v;
}

typedef struct score {
    double coef, error, deviation, r2;
} score;

static score measure(const char *name)
{
    ml_context *ctx = test_context(1);
    score s = {15, 15, 15, 15};
    nist d;
    read_nist(name, &d);
    ml_model *m = fit(ctx, &d);
    for (int j = 0; j < d.terms; j++) {
        int is_intercept = d.intercept && j == 0, c = j - d.intercept;
        double coef = value(m, is_intercept ? "intercept" : "coef", is_intercept ? 0 : c);
        double error = value(m, "std_error", is_intercept ? d.terms - 1 : c);
        s.coef = fmin(s.coef, digits(coef, d.coef[j]));
        /* An exact fit has errors of 0, and ours must be next to nothing. */
        s.error = fmin(s.error, d.error[j] == 0 ? (error < 1e-9 ? 15 : 0)
                                                : digits(error, d.error[j]));
        double t = value(m, "t_value", is_intercept ? d.terms - 1 : c);
        ck_assert(!(error > 0) || t == coef / error);
    }
    double deviation = sqrt(value(m, "residual_variance", 0));
    s.deviation =
        d.deviation == 0 ? (deviation < 1e-6 ? 15 : 0) : digits(deviation, d.deviation);
    ck_assert(value(m, "degrees_of_freedom", 0) == d.n - d.terms);
    const char *r2 = strstr(ml_model_json(m), "\"r2\": ");
    ck_assert_ptr_nonnull(r2);
    s.r2 = digits(strtod(r2 + 6, NULL), d.r2);
    if (getenv("ML_TEST_VERBOSE"))
        fprintf(stderr, "%-9s coef %4.1f  error %4.1f  deviation %4.1f  r2 %4.1f\n", name,
                s.coef, s.error, s.deviation, s.r2);
    ml_model_free(m);
    ml_context_free(ctx);
    return s;
}

static void reaches(const char *name, double least)
{
    score s = measure(name);
    ck_assert_msg(s.coef >= least, "%s: coefficients have %.1f digits", name, s.coef);
    ck_assert_msg(s.error >= least, "%s: errors have %.1f digits", name, s.error);
    ck_assert_msg(s.deviation >= least, "%s: deviation has %.1f digits", name,
                  s.deviation);
    ck_assert_msg(s.r2 >= least, "%s: R squared has %.1f digits", name, s.r2);
}

START_TEST(lower_difficulty)
{
    reaches("Norris", 12);
    reaches("Pontius", 12);
}
END_TEST

START_TEST(without_intercept)
{
    reaches("NoInt1", 13);
    reaches("NoInt2", 13);
}
END_TEST

START_TEST(longley)
{
    reaches("Longley", 12);
}
END_TEST

START_TEST(wampler)
{
    const char *names[] = {"Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5"};
    for (int i = 0; i < 5; i++) reaches(names[i], 9);
}
END_TEST

/* A polynomial of degree 10: rounding its powers to double moves the solution by more
 * than the solver does, and no solver that takes rounded columns can have more digits. */
START_TEST(filip)
{
    /* The exact solution for the rounded columns: tests/reference/filip.py. */
    static const double exact[] = {
        -1467.4896406575194,   -2772.1796428402326,   -2316.371125105109,
        -1127.9739626931669,   -354.47824071352113,   -75.12420326988537,
        -10.875318264388822,   -1.0622150090377793,   -0.06701911697559873,
        -0.002467810840851823, -4.029625349722285e-05};
    ml_context *ctx = test_context(1);
    nist d;
    reaches("Filip", 7.5);
    read_nist("Filip", &d);
    ml_model *m = fit(ctx, &d);
    ck_assert(digits(value(m, "intercept", 0), exact[0]) > 12);
    for (int j = 1; j < 11; j++)
        ck_assert(digits(value(m, "coef", j - 1), exact[j]) > 12);
    ml_model_free(m);
    ml_context_free(ctx);
}
END_TEST

/* Parts of a whole, of which one is small: it is known to the rounding of the others, and
 * that is not a column to learn from. Rows where the parts do not add up tell. */
START_TEST(rounding_of_others)
{
    enum { N = 400 };
    static double x[4][N];
    ml_context *ctx = test_context(1);
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    uint64_t seed = 1;
    for (int i = 0; i < N; i++) {
        double u[3];
        for (int k = 0; k < 3; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            u[k] = (double)(seed >> 33) / 2147483648.0;
        }
        double all = u[0] + u[1] + 1e-2 * u[2];
        x[0][i] = u[0] / all;
        x[1][i] = u[1] / all;
        x[2][i] = 1e-2 * u[2] / all;
        x[3][i] = x[0][i] + sin(i);
    }
    ml_table *t = add_f64(ctx, NULL, "y", N, x[3]);
    t = add_f64(ctx, t, "a", N, x[0]);
    t = add_f64(ctx, t, "b", N, x[1]);
    t = add_f64(ctx, t, "c", N, x[2]);
    OK(ml_estimator_new(ctx, "linear_regression", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ck_assert(value(m, "coef", 2) == 0);
    for (int c = 0; c < 2; c++) ck_assert(fabs(value(m, "coef", c)) < 1000);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
}
END_TEST

TEST_MAIN("algorithms/linear_nist", lower_difficulty, without_intercept, longley, wampler,
          filip, rounding_of_others)
