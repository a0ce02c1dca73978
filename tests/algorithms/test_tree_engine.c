/* SPDX-License-Identifier: MIT
 *
 * The engine against the plain walk, to the bit: shapes that choose its different forms,
 * numbers of rows that end within a tile, floats and doubles, with and without AVX2.
 */
#include "../failing.h"
#include "algorithms/trees/engine_parts.h"
#include "trees_testing.h"

#define ROWS 300

static void expect(const mli_ensemble *e, const double *x, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double *score = out + i * e->n_scores;
        memcpy(score, e->base, (size_t)e->n_scores * sizeof *score);
        for (int64_t t = 0; t < e->n_trees; t++)
            score[t % e->n_scores] =
                mli_ensemble_sum(e, score[t % e->n_scores],
                                 e->value[forest_leaf(e, t, x + i * e->n_features)]);
    }
}

/* The rows as columns, from each of some rows on. */
static void compare_columns(const mli_engine *g, const mli_ensemble *e, int64_t outs,
                            const double *x, const double *want, double *out,
                            void *scratch)
{
    static const int64_t begins[] = {0, 1, ROWS - 5, ROWS - 64};
    size_t width = (size_t)e->n_features;
    double *memory = calloc(ROWS * width, sizeof *memory);
    const double **columns = calloc(width, sizeof *columns);
    for (size_t j = 0; j < width; j++) {
        columns[j] = memory + j * ROWS;
        for (size_t i = 0; i < ROWS; i++) memory[j * ROWS + i] = x[i * width + j];
    }
    for (size_t c = 0; c < sizeof begins / sizeof begins[0]; c++) {
        int64_t n = ROWS - begins[c];
        mli_engine_scores_columns(g, columns, begins[c], n, out, scratch);
        ck_assert_mem_eq(out, want + begins[c] * outs, (size_t)(n * outs) * sizeof *out);
    }
    free(columns);
    free(memory);
}

/* outs: numbers per row. */
static void compare(const mli_engine *g, const mli_ensemble *e, int64_t outs,
                    const double *x, const double *want)
{
    static const int64_t counts[] = {1, 5, 8, 31, 32, 33, 257, ROWS};
    size_t width = (size_t)e->n_features;
    float *x32 = calloc(ROWS * width, sizeof *x32);
    double *out = calloc(ROWS * (size_t)outs, sizeof *out);
    char *memory = calloc(1, mli_engine_scratch(g) + 64);
    void *scratch = memory + (64 - (uintptr_t)memory % 64) % 64;
    for (size_t i = 0; i < ROWS * width; i++) x32[i] = (float)x[i];
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        size_t bytes = (size_t)(counts[c] * outs) * sizeof *out;
        memset(out, 0, bytes);
        mli_engine_scores(g, x, counts[c], e->n_features, out, scratch);
        ck_assert_mem_eq(out, want, bytes);
        memset(out, 0, bytes);
        mli_engine_scores_f32(g, x32, counts[c], e->n_features, out, scratch);
        ck_assert_mem_eq(out, want, bytes);
    }
    for (int64_t i = 0; i < ROWS; i++) {
        mli_engine_scores(g, x + i * e->n_features, 1, e->n_features, out, scratch);
        ck_assert_mem_eq(out, want + i * outs, (size_t)outs * sizeof *out);
    }
    compare_columns(g, e, outs, x, want, out, scratch);
    free(memory);
    free(out);
    free(x32);
}

static void check_forest(forest_kind kind, int wide, int parts)
{
    forest *f = forest_new(kind, 42);
    double *x = forest_rows(f, ROWS, 7);
    double *want = calloc((size_t)(ROWS * kind.scores), sizeof *want);
    expect(&f->e, x, ROWS, want);
    for (int32_t level = MLI_CPU_SCALAR; level <= MLI_CPU_AVX2; level++) {
        ml_context *ctx = test_context_level(1, level);
        mli_engine *g = NULL;
        OK(mli_engine_new(ctx, &f->e, &g, ERR));
        ck_assert_int_eq(g->wide, wide);
        if (parts) ck_assert_int_ge(g->n_parts, parts);
        compare(g, &f->e, kind.scores, x, want);
        mli_engine_free(g);
        ml_context_free(ctx);
    }
    free(want);
    free(x);
    forest_free(f);
}

START_TEST(shallow_trees)
{
    for (int64_t leaves = 1; leaves <= 64; leaves *= 2)
        check_forest((forest_kind){.trees = 21,
                                   .leaves = leaves,
                                   .scores = 1,
                                   .features = 9,
                                   .values = 50,
                                   .odd = 1},
                     0, 1);
}
END_TEST

START_TEST(more_columns_than_registers_hold)
{
    check_forest((forest_kind){.trees = 50,
                               .leaves = 40,
                               .scores = 1,
                               .features = 70,
                               .wide_trees = 1,
                               .odd = 1},
                 0, 1);
}
END_TEST

START_TEST(deep_trees)
{
    for (int64_t leaves = 255; leaves <= 257; leaves++)
        check_forest((forest_kind){.trees = 13,
                                   .leaves = leaves,
                                   .scores = 1,
                                   .features = 9,
                                   .values = 200,
                                   .wide_trees = 1,
                                   .odd = 1},
                     0, 1);
}
END_TEST

START_TEST(uneven_cuts)
{
    for (int64_t features = 1; features <= 16; features *= 4)
        check_forest((forest_kind){.trees = 40,
                                   .leaves = 60,
                                   .scores = 1,
                                   .features = features,
                                   .wide_trees = 1,
                                   .odd = 1,
                                   .uneven = 1},
                     0, 1);
}
END_TEST

START_TEST(sums_of_floats)
{
    for (int i = 0; i < 8; i++)
        check_forest((forest_kind){.trees = 45,
                                   .leaves = i & 1 ? 90 : 30,
                                   .scores = i & 2 ? 3 : 1,
                                   .features = 9,
                                   .floats = i & 4 ? 2 : 1},
                     0, 1);
}
END_TEST

START_TEST(many_scores)
{
    check_forest((forest_kind){.trees = 35,
                               .leaves = 31,
                               .scores = 5,
                               .features = 6,
                               .values = 100,
                               .wide_trees = 1},
                 0, 1);
}
END_TEST

START_TEST(categories)
{
    for (int64_t bins = 16; bins <= 256; bins *= 4) { /* sets of 8 bytes, and of 32 */
        check_forest((forest_kind){.trees = 20,
                                   .leaves = 100,
                                   .scores = 2,
                                   .features = 8,
                                   .categories = 3,
                                   .bins = bins,
                                   .values = 100,
                                   .wide_trees = 1,
                                   .odd = 1},
                     0, 1);
        check_forest((forest_kind){.trees = 9,
                                   .leaves = 30,
                                   .scores = 1,
                                   .features = 4,
                                   .categories = 4,
                                   .bins = bins},
                     0, 1);
        /* Some trees without any. */
        check_forest((forest_kind){.trees = 40,
                                   .leaves = 4,
                                   .scores = 1,
                                   .features = 6,
                                   .categories = 1,
                                   .bins = bins},
                     0, 1);
    }
}
END_TEST

/* More thresholds than a byte tells apart, but not in one tree. */
START_TEST(parts)
{
    check_forest(
        (forest_kind){
            .trees = 99, .leaves = 64, .scores = 3, .features = 5, .wide_trees = 1},
        0, 4);
}
END_TEST

/* Codes would cost more than they save. */
START_TEST(many_columns)
{
    check_forest(
        (forest_kind){
            .trees = 500, .leaves = 16, .scores = 1, .features = 3000, .wide_trees = 1},
        1, 0);
}
END_TEST

START_TEST(wide_form)
{
    check_forest((forest_kind){.trees = 11,
                               .leaves = 2000,
                               .scores = 1,
                               .features = 3,
                               .wide_trees = 1,
                               .odd = 1},
                 1, 0);
    check_forest((forest_kind){.trees = 9,
                               .leaves = 2000,
                               .scores = 1,
                               .features = 2,
                               .wide_trees = 1,
                               .uneven = 1},
                 1, 0);
    check_forest((forest_kind){.trees = 10,
                               .leaves = 3000,
                               .scores = 2,
                               .features = 4,
                               .categories = 2,
                               .wide_trees = 1},
                 1, 0);
}
END_TEST

/* Leaves name one of n rows of three numbers. */
static void check_rows(forest_kind kind, int64_t n, int wide)
{
    enum { WIDTH = 3 };
    forest *f = forest_new(kind, 43);
    mli_ensemble e = f->e;
    double *x = forest_rows(f, ROWS, 8),
           *value = calloc((size_t)e.n_nodes, sizeof *value);
    double *rows = calloc((size_t)(n * WIDTH), sizeof *rows);
    double *want = calloc(ROWS * WIDTH, sizeof *want);
    for (int64_t i = 0; i < n * WIDTH; i++) rows[i] = 1 / (double)(i + 3);
    for (int64_t i = 0; i < e.n_nodes; i++)
        value[i] = (double)(mli_mix64((uint64_t)i) % (uint64_t)n);
    e.value = value;
    for (int64_t i = 0; i < ROWS * WIDTH; i++)
        for (int64_t t = 0; t < e.n_trees; t++) {
            int64_t leaf = forest_leaf(&e, t, x + i / WIDTH * e.n_features);
            want[i] += rows[(int64_t)value[leaf] * WIDTH + i % WIDTH];
        }
    for (int32_t level = MLI_CPU_SCALAR; level <= MLI_CPU_AVX2; level++) {
        ml_context *ctx = test_context_level(1, level);
        mli_engine *g = NULL;
        OK(mli_engine_new_rows(ctx, &e, rows, WIDTH, &g, ERR));
        ck_assert_int_eq(g->wide, wide);
        compare(g, &e, WIDTH, x, want);
        mli_engine_free(g);
        ml_context_free(ctx);
    }
    free(want);
    free(rows);
    free(value);
    free(x);
    forest_free(f);
}

START_TEST(leaves_of_rows)
{
    forest_kind small = {
        .trees = 37, .leaves = 20, .scores = 1, .features = 6, .values = 50};
    forest_kind deep = {
        .trees = 13, .leaves = 255, .scores = 1, .features = 9, .values = 200};
    forest_kind many = {
        .trees = 99, .leaves = 64, .scores = 1, .features = 5, .wide_trees = 1};
    forest_kind large = {
        .trees = 5, .leaves = 2000, .scores = 1, .features = 3, .wide_trees = 1};
    check_rows(small, 11, 0);
    deep.wide_trees = 1;
    check_rows(deep, 50, 0);
    deep.categories = 3;
    deep.bins = 100;
    check_rows(deep, 50, 0);
    check_rows(many, 50, 0);
    check_rows(large, 1, 1);
    check_rows(large, 60000, 1);
    check_rows(large, 90000, 1); /* too far from each other for 16 bits */
    large.categories = 1;
    large.bins = 20;
    check_rows(large, 50, 1);
}
END_TEST

/* What imported models have besides. */
START_TEST(zeros_and_missing_bins)
{
    forest_kind kind = {.trees = 20,
                        .leaves = 60,
                        .scores = 1,
                        .features = 6,
                        .categories = 2,
                        .values = 20,
                        .wide_trees = 1,
                        .odd = 1,
                        .zeros = 1};
    check_forest(kind, 0, 1);
    kind.leaves = 3000;
    kind.values = 3000;
    check_forest(kind, 1, 0);
}
END_TEST

/* A file may split one feature by numbers here and by categories there. */
START_TEST(mixed_feature)
{
    forest *f = forest_new(
        (forest_kind){
            .trees = 4, .leaves = 20, .scores = 1, .features = 2, .categories = 2},
        3);
    double *x = forest_rows(f, ROWS, 7), want[ROWS];
    for (int64_t i = 0; i < f->e.n_nodes; i += 3) {
        f->flags[i] &= (uint8_t)~MLI_NODE_CATEGORICAL;
        f->threshold[i] = (double)(i % 30);
    }
    expect(&f->e, x, ROWS, want);
    ml_context *ctx = test_context_level(1, 0);
    mli_engine *g = NULL;
    OK(mli_engine_new(ctx, &f->e, &g, ERR));
    ck_assert_int_eq(g->wide, 1);
    compare(g, &f->e, f->e.n_scores, x, want);
    mli_engine_free(g);
    ml_context_free(ctx);
    free(x);
    forest_free(f);
}
END_TEST

static ml_status make_in(failing_alloc *a, const forest *f)
{
    ml_host host = failing_host(a);
    ml_context *ctx = NULL;
    mli_engine *g = NULL;
    ml_status s = ml_context_new(&host, &ctx, NULL);
    if (s == ML_OK) s = mli_engine_new(ctx, &f->e, &g, NULL);
    mli_engine_free(g);
    ml_context_free(ctx);
    return s;
}

START_TEST(out_of_memory)
{
    forest_kind kinds[] = {
        {.trees = 60,
         .leaves = 200,
         .scores = 1,
         .features = 40,
         .categories = 5,
         .wide_trees = 1},
        {.trees = 2, .leaves = 2000, .scores = 1, .features = 3, .wide_trees = 1}};
    for (int i = 0; i < 2; i++) {
        forest *f = forest_new(kinds[i], 5);
        failing_alloc a;
        OUT_OF_MEMORY_LOOP(a, make_in(&a, f));
        forest_free(f);
    }
}
END_TEST

TEST_MAIN("algorithms/tree_engine", shallow_trees, more_columns_than_registers_hold,
          deep_trees, uneven_cuts, sums_of_floats, many_scores, categories, parts,
          many_columns, wide_form, leaves_of_rows, zeros_and_missing_bins, mixed_feature,
          out_of_memory)
