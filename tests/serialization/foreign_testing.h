/* SPDX-License-Identifier: MIT
 *
 * foreign_testing.h: models of other systems, rows to predict and what those systems say.
 */
#ifndef ML_FOREIGN_TESTING_H
#define ML_FOREIGN_TESTING_H

#include "model_samples.h"

/* Numbers in rows. */
typedef struct matrix {
    int64_t rows, columns;
    double *at;
} matrix;

static inline void matrix_add(matrix *m, const double *row, int64_t n)
{
    if (m->rows == 0) m->columns = n;
    ck_assert_int_eq(n, m->columns);
    m->at = realloc(m->at, (size_t)((m->rows + 1) * n) * sizeof *m->at);
    memcpy(m->at + m->rows++ * n, row, (size_t)n * sizeof *row);
}

/* Numbers separated by blanks or tabs, a row per line; stops at a line "--". *file is
 * closed at its end. */
static inline matrix read_matrix(FILE **file)
{
    static char line[65536];
    matrix m = {0, 0, NULL};
    while (fgets(line, sizeof line, *file)) {
        double row[1024];
        int64_t n = 0;
        if (strncmp(line, "--", 2) == 0) return m;
        for (char *p = line, *end;; p = end) {
            row[n] = strtod(p, &end);
            if (end == p) break;
            n++;
        }
        if (n) matrix_add(&m, row, n);
    }
    fclose(*file);
    *file = NULL;
    return m;
}

static inline matrix matrix_of_file(const char *path)
{
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s is missing", path);
    matrix m = read_matrix(&f);
    if (f) fclose(f);
    return m;
}

/* "label index:value ...": absent entries get `absent`, index `first` is column 0. */
static inline matrix matrix_of_libsvm(const char *path, int64_t columns, long first,
                                      double absent)
{
    static char line[65536];
    matrix m = {0, 0, NULL};
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s is missing", path);
    while (fgets(line, sizeof line, f)) {
        double row[1024];
        for (int64_t j = 0; j < columns; j++) row[j] = absent;
        char *p = strchr(line, ' ');
        while (p && *p && *p != '\n') {
            char *end;
            long j = strtol(p, &end, 10) - first;
            if (*end != ':') break;
            double v = strtod(end + 1, &p);
            if (j >= 0 && j < columns) row[j] = v;
        }
        matrix_add(&m, row, columns);
    }
    fclose(f);
    return m;
}

static inline matrix matrix_without_first(matrix m)
{
    matrix out = {0, 0, NULL};
    for (int64_t i = 0; i < m.rows; i++)
        matrix_add(&out, m.at + i * m.columns + 1, m.columns - 1);
    free(m.at);
    return out;
}

static inline ml_model *load_foreign(ml_context *ctx, const char *path)
{
    ml_model *m = NULL;
    OK(ml_model_load_file(ctx, path, NULL, &m, ERR));
    return m;
}

static inline matrix predict_rows(const ml_model *m, const char *kind, matrix rows)
{
    ml_predictor *p = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    matrix out = {rows.rows, ml_predictor_outputs(p), NULL};
    ck_assert_int_eq(rows.columns, ml_model_inputs(m));
    out.at = malloc((size_t)(out.rows * out.columns) * sizeof *out.at);
    OK(ml_predictor_rows(p, rows.at, ML_DTYPE_F64, rows.rows, rows.columns, out.at, ERR));
    ml_predictor_free(p);
    return out;
}

static inline matrix predict_table(const ml_model *m, const char *kind, const ml_table *t)
{
    ml_predictor *p = NULL;
    ml_tensor *tensor = NULL;
    OK(ml_predictor_new(m, kind, NULL, &p, ERR));
    OK(ml_predictor_run(p, t, &tensor, ERR));
    matrix out = {ml_table_rows(t), ml_predictor_outputs(p), NULL};
    size_t size = (size_t)(out.rows * out.columns) * sizeof *out.at;
    out.at = malloc(size);
    memcpy(out.at, ml_tensor_data(tensor), size);
    ml_tensor_free(tensor);
    ml_predictor_free(p);
    return out;
}

/* Differences up to tol, relative for large values. A classifier of two classes has two
 * probabilities where others have one. */
static inline void assert_close(const char *what, matrix got, matrix want, double tol)
{
    int64_t skip = got.columns == 2 && want.columns == 1;
    ck_assert_msg(got.rows == want.rows && got.columns - skip == want.columns,
                  "%s: %d x %d instead of %d x %d", what, (int)got.rows, (int)got.columns,
                  (int)want.rows, (int)want.columns);
    for (int64_t i = 0; i < want.rows; i++) {
        for (int64_t k = 0; k < want.columns; k++) {
            double a = got.at[i * got.columns + k + skip],
                   b = want.at[i * want.columns + k];
            double room = tol * (fabs(b) > 1 ? fabs(b) : 1);
            ck_assert_msg(fabs(a - b) <= room, "%s: row %d, output %d: %.17g, not %.17g",
                          what, (int)i, (int)k, a, b);
        }
    }
}

static inline void check_rows(const char *what, const ml_model *m, const char *kind,
                              matrix rows, matrix want, double tol)
{
    matrix got = predict_rows(m, kind, rows);
    assert_close(what, got, want, tol);
    free(got.at);
}

static inline const char *foreign_path(const char *rows, const char *model)
{
    char name[256];
    snprintf(name, sizeof name, "tests/data/foreign/%s.%s", rows, model);
    return source_path(name);
}

static inline ml_table *foreign_rows(ml_context *ctx, const char *rows)
{
    ml_table *t = NULL;
    OK(ml_table_read_csv(ctx, foreign_path(rows, "csv"), NULL, &t, ERR));
    return t;
}

/* A file in which `from`, and what follows it before `end` (NULL: nothing), is replaced.
 */
static inline bytes changed_file(const char *path, const char *from, const char *end,
                                 const char *to)
{
    bytes b = bytes_of_file(path), out = {NULL, 0};
    const unsigned char *at = find_bytes(b.data, b.size, from, strlen(from));
    ck_assert_msg(at != NULL, "'%s' is not in %s", from, path);
    const unsigned char *rest = at + strlen(from);
    if (end) rest = find_bytes(rest, b.size - (size_t)(rest - b.data), end, strlen(end));
    ck_assert_msg(rest != NULL, "'%s' is not in %s", end, path);
    bytes_write(b.data, (size_t)(at - b.data), &out);
    bytes_write(to, strlen(to), &out);
    bytes_write(rest, b.size - (size_t)(rest - b.data), &out);
    free(b.data);
    return out;
}

static inline ml_model *load_changed(ml_context *ctx, const char *path, const char *from,
                                     const char *end, const char *to)
{
    ml_model *m = NULL;
    bytes e = changed_file(path, from, end, to);
    OK(ml_model_load_memory(ctx, e.data, e.size, NULL, NULL, NULL, &m, ERR));
    free(e.data);
    return m;
}

/* What is said of a changed file. */
static inline void says_of(ml_context *ctx, const char *rows, const char *file,
                           const char *from, const char *to, ml_status status,
                           const char *message)
{
    ml_model *m = NULL;
    bytes e = changed_file(foreign_path(rows, file), from, NULL, to);
    FAILS(status, ml_model_load_memory(ctx, e.data, e.size, NULL, NULL, NULL, &m, ERR));
    ck_assert_msg(strstr(ml_error_message(ERR), message) != NULL, "'%s' lacks '%s'",
                  ml_error_message(ERR), message);
    free(e.data);
}

#endif
