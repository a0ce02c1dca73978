/* SPDX-License-Identifier: MIT
 *
 * "gbdt" takes the numbers where they stand: how much memory it asks for.
 */
#include "../conformance/kit.h"
#include "../failing.h"
#include "testing_data.h"

/* Borrowed numbers, as those of a mapped file, are never copied: training takes two
 * bytes per value and some 60 per row. */
START_TEST(numbers_are_not_copied)
{
    enum { N = 100000, F = 60 };
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    ml_tensor *x = NULL;
    ml_table *t = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    float *v = malloc(sizeof *v * N * (F + 1));
    uint64_t s = 5;
    for (int64_t i = 0; i < N * (F + 1); i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (float)(s >> 40);
    }
    for (int64_t i = 0; i < N; i++)
        v[i * (F + 1) + F] = v[i * (F + 1)] + v[i * (F + 1) + 1];
    OK(ml_context_new(&host, &ctx, ERR));
    int64_t shape[] = {N, F + 1};
    OK(ml_tensor_wrap(ctx, ML_DTYPE_F32, 2, shape, NULL, v, NULL, NULL, &x, ERR));
    OK(ml_table_read_tensor(ctx, x, NULL, &t, ERR));
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "f60", ERR));
    OK(ml_estimator_set_str(e, "n_trees", "5", ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    int64_t most = atomic_load(&f.most);
    ck_assert_msg(most < N * (2 * F + 60) + (10 << 20), "%lld bytes", (long long)most);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_tensor_free(x);
    ml_context_free(ctx);
    free(v);
}
END_TEST

/* A fit with early stopping to a CSV file, as a table that lives in a file or in memory;
 * the most bytes of memory that reading took, and then the fit; what the model is. */
static kit_bytes fit_csv(const char *path, const char *folder, int64_t *most)
{
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    ml_params *p = NULL;
    ml_table *t = NULL, *valid = NULL;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    OK(ml_params_new(ctx, &p, ERR));
    OK(ml_params_set_str(p, "spill", folder, ERR));
    OK(ml_table_read_csv(ctx, path, p, &t, ERR));
    most[0] = atomic_load(&f.most);
    f.most = atomic_load(&f.bytes);
    OK(ml_table_slice(t, 0, 30000, &valid, ERR));
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "y", ERR));
    OK(ml_estimator_set_str(e, "n_trees", "5", ERR));
    OK(ml_estimator_set_str(e, "early_stopping", "3", ERR));
    OK(ml_estimator_fit(e, t, valid, &m, ERR));
    most[1] = atomic_load(&f.most);
    kit_bytes b = kit_save(m);
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(valid);
    ml_table_free(t);
    ml_params_free(p);
    ml_context_free(ctx);
    ck_assert_int_eq(f.live, 0);
    return b;
}

/* Neither reading nor training holds the values of a table that lives in a file: the
 * reader has a few batches of text, the fit a byte per value and some 60 per row. */
START_TEST(tables_in_files_take_no_memory)
{
    enum { N = 130000, F = 40 };
    char path[300];
    uint64_t s = 5;
    snprintf(path, sizeof path, "%s/wide.csv", test_folder());
    FILE *file = fopen(path, "w");
    for (int j = 0; j < F; j++) fprintf(file, "f%d,", j);
    fprintf(file, "c,n,y\n");
    for (int i = 0; i < N; i++) {
        unsigned first = 0;
        for (int j = 0; j < F; j++) {
            s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            if (j == 0) first = (unsigned)(s >> 50);
            fprintf(file, j % 5 == 3 && i % 7 == 0 ? "," : "%u,", (unsigned)(s >> 50));
        }
        fprintf(file, "c%d,a note of row %d,%u\n", i % 20, i, first + (unsigned)(i % 20));
    }
    fclose(file);
    int64_t in_memory[2], in_file[2];
    kit_bytes a = fit_csv(path, "", in_memory);
    kit_bytes b = fit_csv(path, test_folder(), in_file);
    ck_assert_int_eq(a.size, b.size);
    ck_assert_mem_eq(a.data, b.data, a.size);
    ck_assert_msg(in_memory[0] - in_file[0] > N * F * 7, "%lld and %lld bytes",
                  (long long)in_memory[0], (long long)in_file[0]);
    ck_assert_msg(in_file[1] < N * (2 * F + 60) + (10 << 20), "%lld bytes",
                  (long long)in_file[1]);
    free(a.data);
    free(b.data);
}
END_TEST

/* The most bytes of a fit to columns of doubles. */
static int64_t most_of(ml_tensor *const *column, int columns, const char *linear)
{
    failing_alloc f = {0};
    ml_host host = failing_host(&f);
    ml_context *ctx = NULL;
    ml_table *t = NULL, *longer;
    ml_estimator *e = NULL;
    ml_model *m = NULL;
    OK(ml_context_new(&host, &ctx, ERR));
    for (int j = 0; j < columns; j++) {
        char name[8];
        snprintf(name, sizeof name, "f%d", j);
        OK(ml_table_with_tensor(t, name, column[j], &longer, ERR));
        ml_table_free(t);
        t = longer;
    }
    OK(ml_estimator_new(ctx, "gbdt", &e, ERR));
    OK(ml_estimator_set_str(e, "target", "f0", ERR));
    OK(ml_estimator_set_str(e, "n_trees", "5", ERR));
    OK(ml_estimator_set_str(e, "linear_tree", linear, ERR));
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_model_free(m);
    ml_estimator_free(e);
    ml_table_free(t);
    ml_context_free(ctx);
    return atomic_load(&f.most);
}

/* Linear functions in leaves read the columns of the table. */
START_TEST(linear_leaves_copy_no_columns)
{
    enum { N = 50000, F = 12 };
    ml_context *ctx = test_context(1);
    ml_tensor *column[F];
    double *v = calloc((size_t)N * F, sizeof *v);
    int64_t n = N;
    uint64_t s = 5;
    for (int64_t i = N; i < N * F; i++) {
        s = s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (double)(s >> 40);
        v[i % N] += v[i];
    }
    for (int j = 0; j < F; j++)
        OK(ml_tensor_wrap(ctx, ML_DTYPE_F64, 1, &n, NULL, v + j * N, NULL, NULL,
                          &column[j], ERR));
    int64_t flat = most_of(column, F, "false"), linear = most_of(column, F, "true");
    ck_assert_msg(linear - flat < 2 * N * 8, "%lld bytes more",
                  (long long)(linear - flat));
    for (int j = 0; j < F; j++) ml_tensor_free(column[j]);
    ml_context_free(ctx);
    free(v);
}
END_TEST

TEST_MAIN("algorithms/gbdt_memory", numbers_are_not_copied,
          tables_in_files_take_no_memory, linear_leaves_copy_no_columns)
