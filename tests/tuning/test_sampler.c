/* SPDX-License-Identifier: MIT
 *
 * Samplers and search spaces: text, coordinates there and back, conditions, Sobol points,
 * the Gaussian process, fronts, and that what learns does better than chance.
 */
#include "../failing.h"
#include "testing_study.h"
#include "tuning/acquisition.h"
#include "tuning/pareto.h"
#include "tuning/space.h"

static const char *const learning[] = {"tpe", "gp", "cmaes", "evolution"};
#define N_LEARNING (sizeof learning / sizeof *learning)

static ml_study *host_study(ml_context *ctx, const char *space, const char *sampler,
                            int64_t seed, const char *more)
{
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_study *s = NULL;
    OK(ml_estimator_new(ctx, "baseline", &e, ERR));
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "space", space, ERR));
    OK(ml_params_set_str(o, "sampler", sampler, ERR));
    OK(ml_params_set_i64(o, "seed", seed, ERR));
    if (more) OK(ml_params_read_yaml(o, more, strlen(more), ERR));
    OK(ml_study_new(e, NULL, NULL, o, &s, ERR));
    ml_params_free(o);
    ml_estimator_free(e);
    return s;
}

static double real(const ml_params *p, const char *name)
{
    double v = NAN;
    OK(ml_params_get_f64(p, name, &v, ERR));
    return v;
}

/* A tree of choices with its optimum 0 at a = right, x = 0.01, k = 12. */
static const char *const tree_space = "side: {left, right}\n"
                                      "x: log [1e-4, 1] if side == right\n"
                                      "k: [1, 40] if side == right\n"
                                      "y: [0, 1] if side == left";

static double tree(const ml_params *p)
{
    const char *side = ml_params_get_str(p, "side");
    if (strcmp(side, "left") == 0) {
        ck_assert_ptr_null(ml_params_get_str(p, "x"));
        return 1 + fabs(real(p, "y") - 0.3);
    }
    ck_assert_ptr_null(ml_params_get_str(p, "y"));
    double x = log10(real(p, "x")), k = real(p, "k");
    ck_assert(k == floor(k) && k >= 1 && k <= 40 && x >= -4.0001 && x <= 0.0001);
    return (x + 2) * (x + 2) + 0.01 * (k - 12) * (k - 12);
}

static double run_tree(ml_context *ctx, const char *sampler, int64_t seed, int n,
                       char *trace)
{
    ml_study *s = host_study(ctx, tree_space, sampler, seed, NULL);
    double best = INFINITY;
    for (int i = 0; i < n; i++) {
        int64_t trial;
        ml_params *p = NULL;
        OK(ml_study_ask(s, &trial, &p, ERR));
        double v = tree(p);
        best = v < best ? v : best;
        if (trace) trace += sprintf(trace, "%.17g ", v);
        OK(ml_study_tell(s, trial, i == 3 ? NAN : v, ERR));
        ml_params_free(p);
    }
    ml_study_free(s);
    return best;
}

START_TEST(learning_beats_chance)
{
    ml_context *ctx = test_context(1);
    double chance = 0;
    for (int seed = 0; seed < 5; seed++)
        chance += log(1e-12 + run_tree(ctx, "random", seed, 60, NULL));
    for (size_t k = 0; k < N_LEARNING; k++) {
        double sum = 0;
        for (int seed = 0; seed < 5; seed++)
            sum += log(1e-12 + run_tree(ctx, learning[k], seed, 60, NULL));
        ck_assert_msg(sum < chance - 3, "%s: %g, chance %g", learning[k], sum, chance);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(same_seed_same_points)
{
    static const char *const all[] = {"random", "sobol", "tpe",
                                      "gp",     "cmaes", "evolution"};
    char *a = malloc(65536), *b = malloc(65536);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        ml_context *one = test_context(1), *many = test_context(3);
        run_tree(one, all[k], 7, 40, a);
        run_tree(many, all[k], 7, 40, b);
        ck_assert_str_eq(a, b);
        run_tree(one, all[k], 8, 40, b);
        ck_assert_str_ne(a, b);
        ml_context_free(one);
        ml_context_free(many);
    }
    free(a);
    free(b);
}
END_TEST

/* Running trials keep apart: a batch has no point twice. */
START_TEST(batches_spread)
{
    ml_context *ctx = test_context(1);
    for (size_t k = 0; k < N_LEARNING; k++) {
        ml_study *s =
            host_study(ctx, "x: [0.0, 1.0]\ny: [0.0, 1.0]", learning[k], 3, NULL);
        for (int round = 0; round < 6; round++) {
            int64_t trial[5];
            double x[5], y[5];
            for (int i = 0; i < 5; i++) {
                ml_params *p = NULL;
                OK(ml_study_ask(s, &trial[i], &p, ERR));
                x[i] = real(p, "x");
                y[i] = real(p, "y");
                ml_params_free(p);
                for (int j = 0; j < i; j++)
                    ck_assert(fabs(x[i] - x[j]) + fabs(y[i] - y[j]) > 1e-3);
            }
            for (int i = 4; i >= 0; i--) /* told in another order */
                OK(ml_study_tell(s, trial[i], hypot(x[i] - 0.2, y[i] - 0.7), ERR));
        }
        ml_study_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

START_TEST(small_spaces_are_used_up_without_repeating)
{
    ml_context *ctx = test_context(1);
    ml_study *s = host_study(ctx, "a: {p, q, r, s}; b: [1, 5]", "gp", 1, NULL);
    int seen[4][6] = {{0}}, distinct = 0;
    for (int i = 0; i < 18; i++) {
        int64_t trial, b;
        ml_params *p = NULL;
        OK(ml_study_ask(s, &trial, &p, ERR));
        OK(ml_params_get_i64(p, "b", &b, ERR));
        int a = *ml_params_get_str(p, "a") - 'p';
        distinct += !seen[a][b]++;
        OK(ml_study_tell(s, trial, (double)(a * a) + (double)b, ERR));
        ml_params_free(p);
    }
    ck_assert_int_ge(distinct, 14); /* the first ones may repeat */
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* A branch with bad scores so far is entered again and again, a wide one more often. */
START_TEST(branches_are_not_given_up)
{
    static const char *const samplers[] = {"tpe", "gp"};
    for (int k = 0; k < 2; k++) {
        ml_context *ctx = test_context(1);
        ml_estimator *e = NULL;
        ml_params *o = NULL;
        ml_study *s = NULL;
        int64_t narrow = 0, wide = 0;
        OK(ml_estimator_new(ctx, "baseline", &e, ERR));
        OK(ml_params_new(ctx, &o, ERR));
        OK(ml_params_set_str(o, "sampler", samplers[k], ERR));
        OK(ml_params_set_str(o, "space",
                             "m: {good, narrow, wide}\ng: [0.0, 1.0] if m == good\n"
                             "n: [0.0, 1.0] if m == narrow\nw: {p, q} if m == wide\n"
                             "x: [0.0, 1.0] if m == wide\ny: [0.0, 1.0] if w == p",
                             ERR));
        OK(ml_study_new(e, NULL, NULL, o, &s, ERR));
        for (int i = 0; i < 80; i++) {
            int64_t trial;
            ml_params *p = NULL;
            double x = 0;
            OK(ml_study_ask(s, &trial, &p, ERR));
            const char *m = ml_params_get_str(p, "m");
            if (*m == 'g') OK(ml_params_get_f64(p, "g", &x, ERR));
            narrow += *m == 'n' && i >= 40;
            wide += *m == 'w' && i >= 40;
            OK(ml_study_tell(s, trial, *m == 'g' ? x * x : 5, ERR));
            ml_params_free(p);
        }
        ck_assert_msg(wide >= 6 && narrow >= 1 && narrow < wide && wide < 20,
                      "%s: %d narrow, %d wide", samplers[k], (int)narrow, (int)wide);
        ml_study_free(s);
        ml_params_free(o);
        ml_estimator_free(e);
        ml_context_free(ctx);
    }
}
END_TEST

START_TEST(coordinates_there_and_back)
{
    ml_context *ctx = test_context(1);
    mli_space s;
    OK(mli_space_parse(&s, ctx, NULL, NULL,
                       "a: [3, 17]\nb: log [1, 1000]\nc: log [1e-5, 1]\n"
                       "d: [0, 1] step 0.25\ne: {x, y, z}\nf: [-2.5, 4]\n"
                       "g: [0, 1000] step 10",
                       ERR));
    ck_assert_int_eq(s.n, 7);
    ck_assert_int_eq(s.dimensions[0].param->type, ML_PARAM_I64);
    ck_assert_int_eq(s.dimensions[3].param->type, ML_PARAM_F64);
    ck_assert_int_eq(mli_dimension_levels(&s.dimensions[0]), 15);
    ck_assert_int_eq(mli_dimension_levels(&s.dimensions[2]), 0);
    ck_assert_int_eq(mli_dimension_levels(&s.dimensions[3]), 5);
    ck_assert_int_eq(mli_dimension_levels(&s.dimensions[6]), 101);
    ml_params *empty = NULL;
    OK(ml_params_new(ctx, &empty, ERR));
    OK(mli_space_compile(&s, empty, ERR));
    for (int i = 0; i <= 500; i++) {
        double u[7], back[7], again[7];
        ml_params *p = NULL, *q = NULL;
        for (int k = 0; k < 7; k++) u[k] = i / 500.0;
        OK(mli_space_at(&s, empty, u, &p, ERR));
        ck_assert(mli_space_unit(&s, p, back));
        OK(mli_space_at(&s, empty, back, &q, ERR));
        ck_assert(mli_space_unit(&s, q, again));
        for (int k = 0; k < 7; k++) {
            const char *name = s.dimensions[k].param->name;
            ck_assert_str_eq(ml_params_get_str(p, name), ml_params_get_str(q, name));
            ck_assert_double_eq_tol(back[k], again[k], 1e-12);
            ck_assert_double_eq_tol(back[k], mli_dimension_snap(&s.dimensions[k], u[k]),
                                    2e-6);
        }
        ml_params_free(p);
        ml_params_free(q);
    }
    ml_params_free(empty);
    mli_space_free(&s);
    ml_context_free(ctx);
}
END_TEST

/* What `space` makes of its first proposal by a grid of 3, and the type. */
static void first_value(ml_context *ctx, const char *space, int32_t type,
                        const char *text, int64_t points)
{
    ml_study *s = host_study(ctx, space, "grid", 1, NULL);
    int64_t n = 0, trial;
    ml_params *p = NULL;
    for (; next_params(s, &trial, &p); n++) {
        if (n == 0) ck_assert_str_eq(ml_params_get_str(p, "x"), text);
        ck_assert_int_eq(mli_params_find(p, "x")->type, type);
        ml_params_free(p);
    }
    ck_assert_int_eq(n, points);
    ml_study_free(s);
}

START_TEST(values_have_the_type_they_are_written_in)
{
    ml_context *ctx = test_context(1);
    first_value(ctx, "x: [10, 50] step 10", ML_PARAM_I64, "10", 3);
    first_value(ctx, "x: [10, 50] step 2.5", ML_PARAM_F64, "15", 3);
    first_value(ctx, "x: [10.0, 50] step 10", ML_PARAM_F64, "10", 3);
    first_value(ctx, "x: {16, 32, 64, 128}", ML_PARAM_I64, "16", 4);
    first_value(ctx, "x: {1, 0.5}", ML_PARAM_F64, "1", 2);
    first_value(ctx, "x: {0.5, 1}", ML_PARAM_F64, "0.5", 2);
    first_value(ctx, "x: {true, false}", ML_PARAM_BOOL, "true", 2);
    first_value(ctx, "x: {1, few}", ML_PARAM_STR, "1", 2);
    first_value(ctx, "x: {true, few}", ML_PARAM_STR, "true", 2);
    first_value(ctx, "x: [3, 3]", ML_PARAM_I64, "3", 1);
    first_value(ctx, "x: [0.123456789, 0.123456789]", ML_PARAM_F64, "0.123456789", 1);
    first_value(ctx, "x: log [2, 2]", ML_PARAM_I64, "2", 1);
    first_value(ctx, "x: [-9007199254740991, 9007199254740991]", ML_PARAM_I64,
                "-9007199254740991", 3);
    ml_context_free(ctx);
}
END_TEST

/* Six digits would leave one value of this range, and of the steps every hundredth. */
START_TEST(narrow_ranges_keep_their_values_apart)
{
    static const char *const spaces[] = {"x: [1000000.0, 1000001.0]",
                                         "x: [0, 100000] step 0.01",
                                         "x: log [1000.0, 1000.01]"};
    ml_context *ctx = test_context(1);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        ml_study *s = host_study(ctx, spaces[i], "sobol", 1, NULL);
        double seen[64];
        int same = 0;
        for (int n = 0; n < 64; n++) {
            int64_t trial;
            ml_params *p = NULL;
            OK(ml_study_ask(s, &trial, &p, ERR));
            seen[n] = real(p, "x");
            for (int k = 0; k < n; k++) same += seen[k] == seen[n];
            if (i == 1) same += fabs(seen[n] * 10 - round(seen[n] * 10)) < 1e-4;
            ml_params_free(p);
        }
        ck_assert_int_le(same, i == 1 ? 15 : 0);
        ml_study_free(s);
    }
    ml_context_free(ctx);
}
END_TEST

static void refuse(ml_context *ctx, const char *text, ml_status status, const char *word)
{
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_study *s = NULL;
    OK(ml_estimator_new(ctx, "baseline", &e, ERR));
    OK(ml_params_new(ctx, &o, ERR));
    OK(ml_params_set_str(o, "space", text, ERR));
    FAILS(status, ml_study_new(e, NULL, NULL, o, &s, ERR));
    ck_assert_msg(strstr(ml_error_message(ERR), word) != NULL, "%s",
                  ml_error_message(ERR));
    ml_params_free(o);
    ml_estimator_free(e);
}

START_TEST(bad_spaces)
{
    ml_context *ctx = test_context(1);
    refuse(ctx, "x", ML_E_PARSE, "without a name");
    refuse(ctx, ": [0, 1]", ML_E_PARSE, "without a name");
    refuse(ctx, "x: 5", ML_E_PARSE, "range");
    refuse(ctx, "x: [2, 1]", ML_E_PARSE, "range");
    refuse(ctx, "x: [0, inf)", ML_E_PARSE, "range");
    refuse(ctx, "x: log [0, 1]", ML_E_PARSE, "range");
    refuse(ctx, "x: {a, }", ML_E_PARSE, "range");
    refuse(ctx, "x: [0, 1]; x: [0, 2]", ML_E_PARSE, "twice");
    refuse(ctx, "x: [0, 1] if y == 1; y: [0, 2]", ML_E_PARSE, "condition");
    refuse(ctx, "x: [0, 1]; y: [0, 1] if x >", ML_E_PARSE, "read: \"y: [0, 1] if x >\"");
    refuse(ctx, "w: {a, b}; x: [0, 1] if x > 0.5", ML_E_PARSE,
           "a condition of a parameter on itself: \"x: [0, 1] if x > 0.5\"");
    ck_assert_ptr_nonnull(strstr(ml_error_hint(ERR), "above it"));
    refuse(ctx, "x: {a, b} if w == a and x in {a}; w: {a, b}", ML_E_PARSE, "condition");
    refuse(ctx, "x: {a, b}; y: [0, 1] if x == c", ML_E_PARSE, "never holds: \"x == c\"");
    refuse(ctx, "x: log [1, 100] step 3", ML_E_PARSE, "a logarithm with steps");
    refuse(ctx, "x: (0.0, 1.0]", ML_E_PARSE, "range");
    refuse(ctx, "x: [0, 9223372036854775807]", ML_E_PARSE, "integers beyond 2^53");
    refuse(ctx, "x: [-99999999999999999999, 0]", ML_E_PARSE, "integers beyond 2^53");
    char long_value[160] = "x: {short, ";
    memset(long_value + strlen(long_value), 'v', 127);
    strcat(long_value, "}");
    refuse(ctx, long_value, ML_E_PARSE, "more than 126 bytes");
    refuse(ctx, "# nothing\n\n", ML_E_PARSE, "no parameter");
    ml_context_free(ctx);
}
END_TEST

/* Each coordinate of the first 2^k points has one point in each stretch of 2^-k. */
START_TEST(sobol_points_are_even)
{
    enum { N = 128, D = 20 };
    for (uint64_t seed = 0; seed < 3; seed++)
        for (int d = 0; d < D; d++) {
            int seen[N] = {0};
            double u[D];
            for (int i = 0; i < N; i++) {
                mli_sobol_point(seed, i, D, u);
                ck_assert(u[d] > 0 && u[d] < 1);
                ck_assert_int_eq(seen[(int)(u[d] * N)]++, 0);
            }
        }
    double a[80], b[80];
    mli_sobol_point(1, 5, 80, a);
    mli_sobol_point(2, 5, 80, b);
    ck_assert_double_ne(a[0], b[0]);
    ck_assert(a[79] >= 0 && a[79] < 1);
}
END_TEST

START_TEST(fronts_and_volumes)
{
    ml_context *ctx = test_context(1);
    double y[] = {1, 4, 2, 2, 4, 1, 3, 3, 2.5, 2.5, 9, 9}, v[] = {0, 0, 0, 0, 0, 1};
    int64_t order[] = {0, 1, 2, 3, 4, 5}, front[6];
    ck_assert(mli_pareto_fronts(ctx, y, v, 2, order, 6, front));
    const int64_t want[] = {0, 0, 0, 2, 1, 3};
    for (int i = 0; i < 6; i++) ck_assert_int_eq(front[i], want[i]);
    ck_assert(mli_pareto_order(ctx, y, v, 2, order, 6));
    ck_assert_int_eq(order[3], 4);
    ck_assert_int_eq(order[4], 3);
    ck_assert_int_eq(order[5], 5);
    double p2[] = {1, 4, 2, 2, 4, 1}, r2[] = {5, 5};
    ck_assert_double_eq_tol(mli_hypervolume(p2, 3, 2, r2), 4 + 3 * 2 + 1 * 1, 1e-12);
    double p3[] = {0, 0, 0, 0.5, 0.5, 0.5}, r3[] = {1, 1, 1};
    ck_assert_double_eq_tol(mli_hypervolume(p3, 2, 3, r3), 1, 1e-12);
    double q3[] = {0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0}; /* inclusion-exclusion */
    ck_assert_double_eq_tol(mli_hypervolume(q3, 3, 3, r3), 3 * 0.25 - 3 * 0.125 + 0.125,
                            1e-12);
    ml_context_free(ctx);
}
END_TEST

START_TEST(log_of_improvement)
{
    for (double z = -30; z <= 12; z += 0.37) {
        double dm, ds, unused, h = 1e-6, sd = 0.7, best = 1, mean = best - z * sd;
        double v = mli_log_ei(mean, sd, best, &dm, &ds);
        double by_mean = (mli_log_ei(mean + h, sd, best, &unused, &unused) -
                          mli_log_ei(mean - h, sd, best, &unused, &unused)) /
                         (2 * h);
        double by_sd = (mli_log_ei(mean, sd + h, best, &unused, &unused) -
                        mli_log_ei(mean, sd - h, best, &unused, &unused)) /
                       (2 * h);
        ck_assert_double_eq_tol(dm, by_mean, 1e-4 * (1 + fabs(by_mean)));
        ck_assert_double_eq_tol(ds, by_sd, 1e-4 * (1 + fabs(by_sd)));
        if (z > -6) { /* the plain formula */
            double cdf = 0.5 * erfc(-z / sqrt(2)), pdf = exp(-z * z / 2) / sqrt(2 * M_PI);
            ck_assert_double_eq_tol(v, log(sd * (z * cdf + pdf)), 1e-5);
        }
        double f = mli_log_feasible(mean, sd, &dm, &ds), at = -mean / sd;
        if (at > -20)
            ck_assert_double_eq_tol(f, log(0.5 * erfc(-at / sqrt(2))), 1e-5 * (1 - f));
    }
}
END_TEST

/* The process interpolates, and its gradients are those of its values. */
START_TEST(gaussian_process)
{
    enum { N = 40 };
    ml_context *ctx = test_context(1);
    mli_space s;
    mli_embedding e;
    mli_gp g;
    ml_params *empty = NULL;
    OK(ml_params_new(ctx, &empty, ERR));
    OK(mli_space_parse(&s, ctx, NULL, NULL, "x: [0.0, 1.0]\ny: [0.0, 1.0]\nc: {a, b}",
                       ERR));
    OK(mli_space_compile(&s, empty, ERR));
    OK(mli_embedding_init(&e, &s, ERR));
    ck_assert_int_eq(e.n_features, 4);
    OK(mli_gp_init(&g, ctx, &e, N, ERR));
    for (int i = 0; i < N; i++) {
        double u[3];
        mli_sobol_point(3, i, 3, u);
        mli_gp_add(&g, u, sin(6 * u[0]) + (u[2] < 0.5 ? 0 : u[0]));
    }
    OK(mli_gp_learn(&g, ERR));
    ck_assert(g.theta[0] > g.theta[1] + 2); /* y does not matter */
    OK(mli_gp_factor(&g, ERR));
    double work[8 * N + 8], mean, variance, dm[4], dv[4], worst = 0;
    for (int i = 0; i < 30; i++) {
        double u[3], z[4], h = 1e-5, m[2], v[2];
        mli_sobol_point(9, i, 3, u);
        mli_embed(&e, u, z, 1);
        mli_gp_gradient(&g, z, work, &mean, &variance, dm, dv);
        mli_gp_predict(&g, z, 1, work, &m[0], &v[0]);
        ck_assert_double_eq_tol(mean, m[0], 1e-9);
        ck_assert_double_eq_tol(variance, v[0], 1e-9);
        worst = fmax(worst, fabs(mean - sin(6 * u[0]) - (u[2] < 0.5 ? 0 : u[0])));
        for (int k = 0; k < 2; k++) {
            for (int side = 0; side < 2; side++) {
                double near[4];
                memcpy(near, z, sizeof near);
                near[k] += side ? h : -h;
                mli_gp_predict(&g, near, 1, work, &m[side], &v[side]);
            }
            ck_assert_double_eq_tol(dm[k], (m[1] - m[0]) / (2 * h), 1e-4);
            ck_assert_double_eq_tol(dv[k], (v[1] - v[0]) / (2 * h), 1e-4);
        }
    }
    ck_assert_double_lt(worst, 0.1);
    mli_gp_free(&g);
    mli_embedding_free(&e);
    mli_space_free(&s);
    ml_params_free(empty);
    ml_context_free(ctx);
}
END_TEST

/* The best of 40 scores of a bowl, which are told `size` times as large; where x is large
 * they are `diverged`, unless that is 0. */
static double run_bowl(ml_context *ctx, double size, double diverged, double *points)
{
    ml_study *s =
        host_study(ctx, "x: [0.0, 1.0]\ny: [0.0, 1.0]\nz: [0.0, 1.0]", "gp", 4, NULL);
    double best = INFINITY;
    for (int i = 0; i < 40; i++) {
        int64_t trial;
        ml_params *p = NULL;
        OK(ml_study_ask(s, &trial, &p, ERR));
        double x = real(p, "x"), y = real(p, "y") - x * x, z = real(p, "z") - 0.5;
        double score = (x - 0.6) * (x - 0.6) + 4 * y * y + z * z;
        if (x > 0.7 && diverged > 0) score = diverged;
        best = fmin(best, score);
        OK(ml_study_tell(s, trial, size * score, ERR));
        points[i] = x;
        ml_params_free(p);
    }
    ml_study_free(s);
    return best;
}

START_TEST(scores_of_any_size)
{
    static const double sizes[] = {0x1p900, 0x1p-900};
    double expected[40], points[40];
    ml_context *ctx = test_context(1);
    run_bowl(ctx, 1, 0, expected);
    for (int k = 0; k < 2; k++) {
        run_bowl(ctx, sizes[k], 0, points);
        ck_assert_mem_eq(points, expected, sizeof points);
    }
    ml_context_free(ctx);
}
END_TEST

/* Fits that diverge leave the differences between the others to be seen. */
START_TEST(diverged_trials)
{
    static const double scores[] = {1e3, 1e9, 1e200};
    double points[40];
    ml_context *ctx = test_context(1);
    for (int k = 0; k < 3; k++)
        ck_assert_double_lt(run_bowl(ctx, 1, scores[k], points), 1e-2);
    ml_context_free(ctx);
}
END_TEST

/* Ten good points close together and three bad ones apart: four places, so far from all
 * of them about (3 * 2 - 2) / 4 is expected, not the mean of the scores. */
START_TEST(a_crowd_is_not_the_whole)
{
    ml_context *ctx = test_context(1);
    mli_space s;
    mli_embedding e;
    mli_gp g;
    ml_params *empty = NULL;
    OK(ml_params_new(ctx, &empty, ERR));
    OK(mli_space_parse(&s, ctx, NULL, NULL, "x: [0.0, 1.0]", ERR));
    OK(mli_space_compile(&s, empty, ERR));
    OK(mli_embedding_init(&e, &s, ERR));
    OK(mli_gp_init(&g, ctx, &e, 13, ERR));
    for (int i = 0; i < 13; i++) {
        static const double apart[] = {0, 0.2, 0.8};
        double u = i < 10 ? 0.5 + 0.001 * i : apart[i - 10];
        mli_gp_add(&g, &u, i < 10 ? -2 : 2);
    }
    g.theta[0] = log(1e3);
    g.theta[1] = 0;
    g.theta[2] = -8;
    OK(mli_gp_factor(&g, ERR));
    double far = 1, work[28], mean, variance;
    mli_gp_predict(&g, &far, 1, work, &mean, &variance);
    ck_assert_double_eq_tol(mean, 1, 0.2);
    mli_gp_free(&g);
    mli_embedding_free(&e);
    mli_space_free(&s);
    ml_params_free(empty);
    ml_context_free(ctx);
}
END_TEST

/* Squares of the large scores are infinite, those of the small ones next to nothing. */
START_TEST(importance_has_no_scale)
{
    static const double scales[] = {1, 1e-9, -1e300};
    ml_context *ctx = test_context(1);
    double share[3][2];
    for (int k = 0; k < 3; k++) {
        ml_study *s = host_study(ctx, "x: [0.0, 1.0]\nc: {a, b}", "sobol", 1, NULL);
        for (int i = 0; i < 64; i++) {
            int64_t trial;
            ml_params *p = NULL;
            OK(ml_study_ask(s, &trial, &p, ERR));
            double x = real(p, "x"), c = *ml_params_get_str(p, "c") == 'b';
            OK(ml_study_tell(s, trial, (x > 0.6 ? 1 + 0.5 * c : x) * scales[k], ERR));
            ml_params_free(p);
        }
        ml_table *t = NULL;
        OK(ml_study_get_table(s, "importance", &t, ERR));
        for (int64_t i = 0; i < 2; i++) share[k][i] = ml_table_get_f64(t, i, 1);
        for (int i = 0; i < 2 && k > 0; i++)
            ck_assert_double_eq_tol(share[k][i], share[0][i], 1e-3);
        ml_table_free(t);
        ml_report *r = NULL;
        OK(ml_report_new(ctx, "r", &r, ERR));
        OK(ml_report_add_study(r, "Study", s, ERR));
        ml_report_free(r);
        ml_study_free(s);
    }
    ck_assert_double_gt(share[0][0], 0.5);
    ml_context_free(ctx);
}
END_TEST

/* The score depends on x most, on c a little, on z not at all. */
START_TEST(importance_of_parameters)
{
    ml_context *ctx = test_context(1);
    ml_study *s = host_study(ctx, "z: [0.0, 1.0]\nx: [0.0, 1.0]\nc: {a, b}", "sobol", 1,
                             "{objectives: [cost]}");
    ml_table *t = NULL;
    for (int i = 0; i < 64; i++) {
        int64_t trial;
        ml_params *p = NULL;
        if (i == 4) { /* too few to say */
            OK(ml_study_get_table(s, "importance", &t, ERR));
            ck_assert(isnan(ml_table_get_f64(t, 0, 1)));
            ml_table_free(t);
        }
        OK(ml_study_ask(s, &trial, &p, ERR));
        double x = real(p, "x"), c = *ml_params_get_str(p, "c") == 'b';
        OK(ml_study_tell_value(s, trial, NULL, 2, x, NULL, ERR));
        OK(ml_study_tell_value(s, trial, "cost", 0, -x, NULL, ERR));
        OK(ml_study_tell(s, trial, 4 * x * x + 0.5 * c, ERR));
        ml_params_free(p);
    }
    OK(ml_study_get_table(s, "importance", &t, ERR));
    double z = ml_table_get_f64(t, 0, 1), x = ml_table_get_f64(t, 1, 1),
           c = ml_table_get_f64(t, 2, 1);
    ck_assert_double_eq_tol(z + x + c, 1, 1e-12);
    ck_assert_msg(z < 0.03 && x > 0.85 && c > 0.01 && c < 0.15, "%g %g %g", z, x, c);
    ml_table_free(t);
    OK(ml_study_get_table(s, "reports", &t, ERR));
    ck_assert_int_eq(ml_table_rows(t), 64);
    ml_table_free(t);
    OK(ml_study_get_table(s, "front", &t, ERR));
    ck_assert_int_gt(ml_table_rows(t), 10); /* x trades against -x */
    ml_table_free(t);
    FAILS(ML_E_NAME, ml_study_get_table(s, "back", &t, ERR));
    ml_report *r = NULL;
    OK(ml_report_new(ctx, "r", &r, ERR));
    OK(ml_report_add_study(r, "Study", s, ERR));
    ml_report_free(r);
    ml_study_free(s);
    ml_context_free(ctx);
}
END_TEST

/* Two objectives on a curve: the front found covers it better than chance does. */
START_TEST(volume_of_the_front)
{
    static const char *const all[] = {"random", "gp", "tpe", "evolution"};
    double volume[4] = {0};
    ml_context *ctx = test_context(1);
    for (int k = 0; k < 4; k++)
        for (int seed = 0; seed < 3; seed++) {
            ml_study *s = host_study(ctx, "a: [0.0, 1.0]\nb: [0.0, 1.0]\nc: [0.0, 1.0]",
                                     all[k], seed, "{objectives: [other]}");
            double points[100], reference[] = {2, 2};
            for (int i = 0; i < 50; i++) {
                int64_t trial;
                ml_params *p = NULL;
                OK(ml_study_ask(s, &trial, &p, ERR));
                double a = real(p, "a"), g = 1 + 3 * (real(p, "b") + real(p, "c"));
                ml_params_free(p);
                points[2 * i] = a;
                points[2 * i + 1] = g * (1 - sqrt(a / g)); /* ZDT1 */
                OK(ml_study_tell_value(s, trial, "other", 0, points[2 * i + 1], NULL,
                                       ERR));
                OK(ml_study_tell(s, trial, points[2 * i], ERR));
            }
            volume[k] += mli_hypervolume(points, 50, 2, reference) / 3;
            ml_study_free(s);
        }
    for (int k = 1; k < 4; k++)
        ck_assert_msg(volume[k] > volume[0] + 0.1, "%s: %g, chance %g", all[k], volume[k],
                      volume[0]);
    ck_assert_double_gt(volume[1], 3.5); /* of 3.66 */
    ml_context_free(ctx);
}
END_TEST

static ml_status ask_some(failing_alloc *f, const char *sampler)
{
    ml_context *ctx = NULL;
    ml_host host = failing_host(f);
    ml_estimator *e = NULL;
    ml_params *o = NULL;
    ml_study *s = NULL;
    ml_status st = ml_context_new(&host, &ctx, NULL);
    if (st == ML_OK) st = ml_estimator_new(ctx, "baseline", &e, NULL);
    if (st == ML_OK) st = ml_params_new(ctx, &o, NULL);
    if (st == ML_OK) st = ml_params_set_str(o, "space", tree_space, NULL);
    if (st == ML_OK) st = ml_params_set_str(o, "sampler", sampler, NULL);
    if (st == ML_OK) st = ml_params_set_i64(o, "startup", 3, NULL);
    if (st == ML_OK) st = ml_study_new(e, NULL, NULL, o, &s, NULL);
    for (int i = 0; i < 6 && st == ML_OK; i++) {
        int64_t trial;
        ml_params *p = NULL;
        st = ml_study_ask(s, &trial, &p, NULL);
        if (st == ML_OK && i != 4) st = ml_study_tell(s, trial, tree(p), NULL);
        ml_params_free(p);
    }
    ml_study_free(s);
    ml_params_free(o);
    ml_estimator_free(e);
    ml_context_free(ctx);
    return st;
}

START_TEST(out_of_memory_anywhere)
{
    failing_alloc f = {0};
    for (size_t k = 0; k < N_LEARNING; k++)
        OUT_OF_MEMORY_LOOP(f, ask_some(&f, learning[k]));
}
END_TEST

TEST_MAIN("tuning/sampler", learning_beats_chance, same_seed_same_points, batches_spread,
          small_spaces_are_used_up_without_repeating, branches_are_not_given_up,
          coordinates_there_and_back, values_have_the_type_they_are_written_in,
          narrow_ranges_keep_their_values_apart, bad_spaces, sobol_points_are_even,
          fronts_and_volumes, log_of_improvement, gaussian_process,
          a_crowd_is_not_the_whole, scores_of_any_size, diverged_trials,
          importance_has_no_scale, importance_of_parameters, volume_of_the_front,
          out_of_memory_anywhere)
