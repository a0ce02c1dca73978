/* SPDX-License-Identifier: MIT
 *
 * tests/conformance/kit.h: what the conformance tests share: the algorithms of the
 * catalog, tables to fit them to, and a model as bytes. Everything goes through the
 * public API, so a plug-in can be tested the same way.
 */
#ifndef ML_CONFORMANCE_KIT_H
#define ML_CONFORMANCE_KIT_H

#include "testing.h"

/* One algorithm for one task. */
typedef struct subject {
    char algorithm[64];
    int classes;     /* 0 for regression, and without a target */
    int transformer; /* its kind is "transform" */
    int has_target;
} subject;

static inline int word_in(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; p && (p = strstr(p, word)); p++)
        if ((p == list || p[-1] == ',' || p[-1] == ' ') && (!p[n] || p[n] == ','))
            return 1;
    return 0;
}

static inline int has_param(ml_context *ctx, const char *algorithm, const char *name)
{
    ml_schema *s = NULL;
    OK(ml_schema_new(ctx, algorithm, &s, ERR));
    int has = ml_schema_find(s, ML_SCHEMA_PARAM, name) >= 0;
    ml_schema_free(s);
    return has;
}

#define SUBJECTS_MAX 256

/* All algorithms, each for regression, two and three classes as far as it can; those that
 * make columns and look at no target once. */
static inline int subjects(ml_context *ctx, subject out[SUBJECTS_MAX])
{
    int n = 0;
    for (int64_t i = 0; ml_schema_name_at(ctx, i); i++) {
        const char *name = ml_schema_name_at(ctx, i);
        ml_schema *s = NULL;
        if (strchr(name, '.')) continue;
        OK(ml_schema_new(ctx, name, &s, ERR));
        const char *tasks = ml_schema_get(s, ML_SCHEMA_ALGORITHM, 0, "tasks");
        int parts = ml_schema_find(s, ML_SCHEMA_PARAM, "steps") >= 0;
        int transformer = word_in(tasks, "transform") && !parts;
        int target = ml_schema_find(s, ML_SCHEMA_ROLE, "target") >= 0;
        for (int classes = 0; classes <= 3; classes++) {
            int fits = word_in(tasks, classes ? "classification" : "regression");
            if (transformer && !target) fits = classes == 0;
            if (classes == 1 || !fits) continue;
            ck_assert_int_lt(n, SUBJECTS_MAX);
            snprintf(out[n].algorithm, sizeof out[n].algorithm, "%s", name);
            out[n].transformer = transformer;
            out[n].has_target = target;
            out[n++].classes = classes;
        }
        ml_schema_free(s);
    }
    return n;
}

static inline uint64_t kit_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline double kit_uniform(uint64_t *state)
{
    return (double)(kit_random(state) >> 11) * 0x1p-53;
}

/* Options of the synthetic table. */
typedef struct kit_data {
    int64_t rows;
    int classes;
    uint64_t seed;
    int infinities;  /* some feature values are infinite */
    int constant;    /* all features are constant */
    int duplicates;  /* all rows are one of three */
    int64_t levels;  /* of the categorical column, 0 for 4 */
    int all_missing; /* one more column, without any value */
    double scale;    /* of the features, 0 for 1 */
} kit_data;

/* Columns a, b, c (numbers, a tenth of c missing), k (category, some missing), y. */
static inline ml_table *kit_table(ml_context *ctx, const kit_data *d)
{
    int64_t n = d->rows, levels = d->levels ? d->levels : 4;
    double *v = calloc((size_t)n * 5 + 1, sizeof *v);
    char **k = calloc((size_t)n + 1, sizeof *k), **y = calloc((size_t)n + 1, sizeof *y);
    uint64_t state = d->seed + 1;
    double scale = d->scale > 0 ? d->scale : 1;
    for (int64_t i = 0; i < n; i++) {
        uint64_t row = d->duplicates ? (uint64_t)(i % 3) : 0;
        if (d->duplicates) state = row * 77 + 5;
        double a = kit_uniform(&state), b = kit_uniform(&state), c = kit_uniform(&state);
        int64_t level = (int64_t)(kit_uniform(&state) * (double)levels);
        double target = 3 * a - 2 * b * b + (level % 2 ? 0.7 : 0) + 0.3 * c +
                        0.2 * kit_uniform(&state);
        if (d->constant) a = b = c = 0.5;
        v[i] = a * scale;
        v[n + i] = b * scale;
        v[2 * n + i] = kit_uniform(&state) < 0.1 ? NAN : c;
        v[3 * n + i] = NAN;
        if (d->infinities && i % 11 == 3) v[i] = i % 2 ? INFINITY : -INFINITY;
        v[4 * n + i] = target;
        k[i] = malloc(24);
        snprintf(k[i], 24, "level %lld", (long long)(d->constant ? 0 : level));
        y[i] = malloc(24);
        int label = target < 0.6 ? 0 : d->classes == 3 && target > 1.6 ? 2 : 1;
        if (i < 3 * d->classes) label = (int)i % d->classes; /* each class occurs */
        snprintf(y[i], 24, "class %d", label);
    }
    const char *names[] = {"a", "b", "c", "empty", "y"};
    ml_table *t = NULL;
    for (int j = 0; j < 5; j++) {
        ml_tensor *column = NULL;
        ml_table *with = NULL;
        if ((j == 3 && !d->all_missing) || (j == 4 && d->classes)) continue;
        OK(ml_tensor_new(ctx, ML_DTYPE_F64, 1, &n, NULL, v + j * n, &column, ERR));
        OK(ml_table_with_tensor(t, names[j], column, &with, ERR));
        ml_tensor_free(column);
        ml_table_free(t);
        t = with;
    }
    ml_table *with = NULL;
    for (int64_t i = 0; i < n; i += 17) { /* some categories are missing */
        free(k[i]);
        k[i] = NULL;
    }
    OK(ml_table_with_strs(ctx, t, "k", (const char *const *)k, n, &with, ERR));
    ml_table_free(t);
    t = with;
    if (d->classes) {
        OK(ml_table_with_strs(ctx, t, "y", (const char *const *)y, n, &with, ERR));
        ml_table_free(t);
        t = with;
    }
    for (int64_t i = 0; i < n; i++) {
        free(k[i]);
        free(y[i]);
    }
    free(v);
    free(k);
    free(y);
    return t;
}

/* Parameters that keep the tests short, and what an algorithm cannot do without. */
static inline ml_status kit_set_up(ml_context *ctx, ml_estimator *e, const subject *s,
                                   int64_t trees)
{
    ml_status st = ML_OK;
    st = ml_estimator_set_str(e, s->has_target ? "target" : "ignore", "y", ERR);
    if (st == ML_OK && has_param(ctx, s->algorithm, "n_trees"))
        st = ml_estimator_set_i64(e, "n_trees", trees, ERR);
    if (st == ML_OK && s->transformer && has_param(ctx, s->algorithm, "n_trees")) {
        if (has_param(ctx, s->algorithm, "max_iter")) {
            st = ml_estimator_set_i64(e, "max_iter", 2, ERR);
            /* so that tests can decide after two rounds */
            if (st == ML_OK) st = ml_estimator_set_f64(e, "alpha", 0.5, ERR);
        }
        if (st == ML_OK && has_param(ctx, s->algorithm, "repeats")) {
            st = ml_estimator_set_i64(e, "repeats", 1, ERR);
            if (st == ML_OK) st = ml_estimator_set_i64(e, "folds", 2, ERR);
        }
        return st;
    }
    if (st == ML_OK && has_param(ctx, s->algorithm, "max_members")) {
        st = ml_estimator_set_i64(e, "trials", 3, ERR);
        if (st == ML_OK) st = ml_estimator_set_i64(e, "folds", 2, ERR);
        return st;
    }
    if (st == ML_OK && has_param(ctx, s->algorithm, "members")) {
        if (has_param(ctx, s->algorithm, "folds"))
            st = ml_estimator_set_i64(e, "folds", 2, ERR);
        if (st == ML_OK) st = ml_estimator_set_str(e, "members", "baseline, gbdt", ERR);
        return st ? st : ml_estimator_set_i64(e, "gbdt.n_trees", trees, ERR);
    }
    if (st == ML_OK && has_param(ctx, s->algorithm, "model")) {
        st = ml_estimator_set_str(e, "model", "gbdt", ERR);
        if (st == ML_OK) st = ml_estimator_set_i64(e, "gbdt.n_trees", trees, ERR);
        return st ? st : ml_estimator_set_i64(e, "folds", 2, ERR);
    }
    if (st == ML_OK && has_param(ctx, s->algorithm, "branches")) {
        st = ml_estimator_set_str(e, "branches", "left, right", ERR);
        if (!st) st = ml_estimator_set_str(e, "left.columns", "a, b", ERR);
        if (!st) st = ml_estimator_set_str(e, "left.steps", "standard_scaler", ERR);
        if (!st) st = ml_estimator_set_str(e, "right.columns", "category", ERR);
        if (!st) st = ml_estimator_set_str(e, "right.steps", "one_hot_encoder", ERR);
        return st;
    }
    if (st != ML_OK || !has_param(ctx, s->algorithm, "steps")) return st;
    st = ml_estimator_set_str(e, "steps", "imputer, standard_scaler, model=gbdt", ERR);
    return st ? st : ml_estimator_set_i64(e, "model.n_trees", trees, ERR);
}

static inline int same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* An estimator with parameters that keep the tests short. */
static inline ml_estimator *kit_estimator(ml_context *ctx, const subject *s)
{
    ml_estimator *e = NULL;
    OK(ml_estimator_new(ctx, s->algorithm, &e, ERR));
    OK(kit_set_up(ctx, e, s, 8));
    return e;
}

static inline ml_model *kit_fit(ml_context *ctx, const subject *s, const ml_table *t)
{
    ml_estimator *e = kit_estimator(ctx, s);
    ml_model *m = NULL;
    OK(ml_estimator_fit(e, t, NULL, &m, ERR));
    ml_estimator_free(e);
    return m;
}

/* A growing buffer behind an ml_io. */
typedef struct kit_bytes {
    char *data;
    size_t size, capacity;
} kit_bytes;

static inline int64_t kit_write(const void *data, size_t size, void *user)
{
    kit_bytes *b = user;
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return (int64_t)size;
}

static inline kit_bytes kit_save(const ml_model *m)
{
    kit_bytes b = {0};
    ml_io io = ML_IO_INIT;
    io.write = kit_write;
    io.user = &b;
    OK(ml_model_save_io(m, &io, NULL, ERR));
    return b;
}

/* The kinds that a model offers, from the schema, tried one by one. */
static inline int kit_kinds(ml_context *ctx, const ml_model *m, const char *out[16])
{
    ml_schema *s = NULL;
    int n = 0;
    OK(ml_schema_new(ctx, ml_model_algorithm(m), &s, ERR));
    for (int64_t i = 0; i < ml_schema_count(s, ML_SCHEMA_KIND) && n < 16; i++) {
        const char *kind = ml_schema_get(s, ML_SCHEMA_KIND, i, "name");
        ml_predictor *p = NULL;
        if (ml_predictor_new(m, kind, NULL, &p, ERR) == ML_OK) {
            static char names[64][32];
            static int used;
            char *copy = names[used++ % 64];
            snprintf(copy, 32, "%s", kind);
            out[n++] = copy;
        }
        ml_predictor_free(p);
    }
    ml_schema_free(s);
    return n;
}

static inline int same_tensor(const ml_tensor *a, const ml_tensor *b)
{
    const int64_t *x = ml_tensor_shape(a), *y = ml_tensor_shape(b);
    if (ml_tensor_ndim(a) != 2 || ml_tensor_ndim(b) != 2) return 0;
    if (x[0] != y[0] || x[1] != y[1]) return 0;
    return memcmp(ml_tensor_data(a), ml_tensor_data(b),
                  (size_t)(x[0] * x[1]) * sizeof(double)) == 0;
}

/* Row i of a table as a plain row for a predictor of the model. */
static inline void kit_row(const ml_predictor *p, const ml_model *m, const ml_table *t,
                           int64_t i, double *row)
{
    for (int64_t j = 0; j < ml_model_inputs(m); j++) {
        char text[64];
        int64_t c = ml_table_find(t, ml_model_input_name(m, j));
        int32_t type = ml_table_column_type(t, c);
        row[j] = ml_table_get_f64(t, i, c);
        if (type == ML_TYPE_TEXT || type == ML_TYPE_CATEGORY) {
            int64_t size = ml_table_get_str(t, i, c, text, sizeof text);
            row[j] = ml_predictor_code(p, j, size < 0 ? NULL : text);
        }
    }
}

#endif
