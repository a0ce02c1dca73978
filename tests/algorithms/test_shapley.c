/* SPDX-License-Identifier: MIT
 *
 * Shapley values of trees against their definition (all subsets of the features), and
 * what must hold of them for larger trees.
 */
#include "../failing.h"
#include "algorithms/trees/shapley.h"
#include "core/cpu.h"
#include "trees_testing.h"

#define MOST 6 /* features, where all subsets are tried */

/* The mean of a tree when only the features of a subset are known. */
static double known(const mli_ensemble *e, int64_t first, int64_t i, const double *row,
                    unsigned subset)
{
    int64_t at = first + i, left = e->left[at], f = e->feature[at];
    if (!left) return e->value[at];
    if (subset >> f & 1)
        return known(e, first, left + !mli_ensemble_goes_left(e, at, row[f]), row,
                     subset);
    double share = e->cover[first + left] / e->cover[at];
    return share * known(e, first, left, row, subset) +
           (1 - share) * known(e, first, left + 1, row, subset);
}

static double factorial(int n)
{
    return n < 2 ? 1 : n * factorial(n - 1);
}

/* game[subset] of score k. */
static void all_subsets(const mli_ensemble *e, int64_t k, const double *row, double *game)
{
    for (unsigned s = 0; s < 1u << e->n_features; s++) {
        game[s] = e->base[k];
        for (int64_t t = k; t < e->n_trees; t += e->n_scores)
            game[s] += known(e, e->start[t], 0, row, s);
    }
}

static double value_of(const double *game, int n, int i)
{
    double sum = 0;
    for (unsigned s = 0; s < 1u << n; s++) {
        if (s >> i & 1) continue;
        int size = __builtin_popcount(s);
        sum += factorial(size) * factorial(n - size - 1) / factorial(n) *
               (game[s | 1u << i] - game[s]);
    }
    return sum;
}

static double pair_of(const double *game, int n, int i, int j)
{
    double sum = 0;
    for (unsigned s = 0; s < 1u << n; s++) {
        unsigned a = 1u << i, b = 1u << j;
        if (s & (a | b)) continue;
        int size = __builtin_popcount(s);
        sum += factorial(size) * factorial(n - size - 2) / factorial(n - 1) / 2 *
               (game[s | a | b] - game[s | a] - game[s | b] + game[s]);
    }
    return sum;
}

static void run_into(ml_context *ctx, const mli_ensemble *e,
                     const mli_shapley_leaves *leaves, int pairs, const double *x,
                     int64_t n, double *out)
{
    mli_shapley *s = NULL;
    OK(mli_shapley_new(ctx, e, leaves, pairs, &s, ERR));
    char *memory = calloc(1, mli_shapley_scratch(s) + 64);
    void *scratch = memory + (64 - (uintptr_t)memory % 64) % 64;
    if (pairs)
        mli_shapley_pairs(s, x, n, e->n_features, out, scratch);
    else
        mli_shapley_values(s, x, n, e->n_features, out, scratch);
    free(memory);
    mli_shapley_free(s);
}

static double *run(ml_context *ctx, const mli_ensemble *e, int pairs, const double *x,
                   int64_t n)
{
    int64_t width = e->n_features + 1, outputs = e->n_scores * width;
    if (pairs) outputs *= width;
    double *out = calloc((size_t)(n * outputs), sizeof *out);
    run_into(ctx, e, NULL, pairs, x, n, out);
    return out;
}

static void check_definition(forest_kind kind)
{
    enum { ROWS = 9 };
    ml_context *ctx = test_context(1);
    forest *f = forest_new(kind, 11);
    const mli_ensemble *e = &f->e;
    double *x = forest_rows(f, ROWS, 3), game[1 << MOST];
    double *values = run(ctx, e, 0, x, ROWS), *pairs = run(ctx, e, 1, x, ROWS);
    int n = (int)e->n_features, width = n + 1;
    for (int64_t r = 0; r < ROWS * e->n_scores; r++) {
        const double *v = values + r * width, *p = pairs + r * width * width;
        all_subsets(e, r % e->n_scores, x + r / e->n_scores * n, game);
        ck_assert_double_eq_tol(v[n], game[0], 1e-12);
        ck_assert_double_eq_tol(p[width * width - 1], game[0], 1e-12);
        for (int i = 0; i < n; i++) {
            double sum = 0;
            ck_assert_double_eq_tol(v[i], value_of(game, n, i), 1e-12);
            for (int j = 0; j < n; j++) {
                sum += p[i * width + j];
                if (j != i)
                    ck_assert_double_eq_tol(p[i * width + j], pair_of(game, n, i, j),
                                            1e-12);
            }
            ck_assert_double_eq_tol(sum, v[i], 1e-12);
        }
    }
    free(values);
    free(pairs);
    free(x);
    forest_free(f);
    ml_context_free(ctx);
}

START_TEST(definition)
{
    check_definition((forest_kind){.trees = 7, .leaves = 8, .scores = 1, .features = 6});
    check_definition((forest_kind){.trees = 6, .leaves = 60, .scores = 3, .features = 6});
    check_definition((forest_kind){.trees = 3,
                                   .leaves = 200,
                                   .scores = 1,
                                   .features = 3,
                                   .wide_trees = 1,
                                   .odd = 1});
    check_definition((forest_kind){.trees = 4,
                                   .leaves = 40,
                                   .scores = 2,
                                   .features = 5,
                                   .categories = 2,
                                   .wide_trees = 1,
                                   .zeros = 1});
    check_definition((forest_kind){.trees = 2, .leaves = 1, .scores = 1, .features = 2});
}
END_TEST

/* Leaves with a row of scores each: as an ensemble per score. */
START_TEST(rows_of_leaves)
{
    enum { ROWS = 7, WIDTH = 3, FEATURES = 5 };
    ml_context *ctx = test_context(1);
    forest *f = forest_new((forest_kind){.trees = 5,
                                         .leaves = 30,
                                         .scores = 1,
                                         .features = FEATURES,
                                         .categories = 1,
                                         .wide_trees = 1},
                           21);
    double *x = forest_rows(f, ROWS, 3), *row = calloc((size_t)f->e.n_nodes, WIDTH * 8);
    mli_rng rng;
    mli_rng_init(&rng, 5, 6, 7);
    for (int64_t i = 0; i < f->e.n_nodes * WIDTH; i++) row[i] = mli_rng_normal(&rng);
    mli_shapley_leaves leaves = {row, WIDTH, 0.25};
    for (int pairs = 0; pairs < 2; pairs++) {
        int64_t width = pairs ? (FEATURES + 1) * (FEATURES + 1) : FEATURES + 1;
        double *got = calloc((size_t)(ROWS * WIDTH * width), sizeof *got);
        for (int64_t i = 0; i < f->e.n_nodes; i++) f->value[i] = (double)i;
        run_into(ctx, &f->e, &leaves, pairs, x, ROWS, got);
        f->base[0] = 0;
        for (int64_t k = 0; k < WIDTH; k++) {
            for (int64_t i = 0; i < f->e.n_nodes; i++)
                f->value[i] = row[i * WIDTH + k] * 0.25;
            double *want = run(ctx, &f->e, pairs, x, ROWS);
            for (int64_t i = 0; i < ROWS * width; i++)
                ck_assert_double_eq_tol(got[(i / width * WIDTH + k) * width + i % width],
                                        want[i], 1e-12);
            free(want);
        }
        free(got);
    }
    free(row);
    free(x);
    forest_free(f);
    ml_context_free(ctx);
}
END_TEST

/* Many features: sums, the same with other instructions, any number of rows. */
START_TEST(large)
{
    enum { ROWS = 130 };
    forest *f = forest_new(
        (forest_kind){
            .trees = 6, .leaves = 300, .scores = 2, .features = 50, .wide_trees = 1},
        8);
    const mli_ensemble *e = &f->e;
    double *x = forest_rows(f, ROWS, 3), *first = NULL;
    int64_t width = e->n_features + 1;
    for (int32_t level = MLI_CPU_SCALAR; level <= MLI_CPU_AVX2; level++) {
        ml_context *ctx = test_context_level(0, level);
        double *v = run(ctx, e, 0, x, ROWS), *one = run(ctx, e, 0, x + 50, 1);
        size_t row = (size_t)(2 * width) * sizeof *v;
        ck_assert_mem_eq(v + 2 * width, one, row);
        if (first) ck_assert_mem_eq(v, first, ROWS * row);
        free(first);
        free(one);
        first = v;
        ml_context_free(ctx);
    }
    for (int64_t r = 0; r < 2 * ROWS; r++) {
        double sum = 0, score = e->base[r % 2];
        for (int64_t j = 0; j < width; j++) sum += first[r * width + j];
        for (int64_t t = r % 2; t < e->n_trees; t += 2)
            score += e->value[forest_leaf(e, t, x + r / 2 * 50)];
        ck_assert_double_eq_tol(sum, score, 1e-11);
    }
    free(first);
    free(x);
    forest_free(f);
}
END_TEST

/* Empty nodes, and covers that are no numbers, give numbers. */
START_TEST(empty_nodes)
{
    ml_context *ctx = test_context(1);
    forest *f = forest_new(
        (forest_kind){.trees = 5, .leaves = 64, .scores = 1, .features = 9}, 8);
    double *x = forest_rows(f, 20, 3);
    const double odd[] = {0, NAN, -1, INFINITY, 1e300, 5e-324};
    for (int64_t i = 0, k = 0; i < f->e.n_nodes; i += 5)
        if (i % 127) f->cover[i] = odd[k++ % 6];
    double *v = run(ctx, &f->e, 0, x, 20), *p = run(ctx, &f->e, 1, x, 20);
    for (int64_t i = 0; i < 20 * 10; i++) ck_assert(isfinite(v[i]));
    for (int64_t i = 0; i < 20 * 100; i++) ck_assert(isfinite(p[i]));
    free(v);
    free(p);
    free(x);
    forest_free(f);
    ml_context_free(ctx);
}
END_TEST

/* A file may give two nodes the same children, or say nothing of covers. */
START_TEST(no_tree)
{
    ml_context *ctx = test_context(1);
    mli_shapley *s = NULL;
    forest *f = forest_new(
        (forest_kind){.trees = 1, .leaves = 64, .scores = 1, .features = 2}, 8);
    f->left[1] = f->left[2];
    FAILS(ML_E_FORMAT, mli_shapley_new(ctx, &f->e, NULL, 0, &s, ERR));
    f->cover[0] = 0;
    FAILS(ML_E_UNSUPPORTED, mli_shapley_new(ctx, &f->e, NULL, 0, &s, ERR));
    forest_free(f);
    ml_context_free(ctx);
}
END_TEST

static ml_status make_in(failing_alloc *a, const forest *f)
{
    ml_host host = failing_host(a);
    ml_context *ctx = NULL;
    mli_shapley *s = NULL;
    ml_status status = ml_context_new(&host, &ctx, NULL);
    if (status == ML_OK) status = mli_shapley_new(ctx, &f->e, NULL, 1, &s, NULL);
    mli_shapley_free(s);
    ml_context_free(ctx);
    return status;
}

START_TEST(out_of_memory)
{
    forest *f = forest_new(
        (forest_kind){.trees = 5, .leaves = 64, .scores = 1, .features = 9}, 8);
    failing_alloc a;
    OUT_OF_MEMORY_LOOP(a, make_in(&a, f));
    forest_free(f);
}
END_TEST

TEST_MAIN("algorithms/shapley", definition, rows_of_leaves, large, empty_nodes, no_tree,
          out_of_memory)
