/* SPDX-License-Identifier: MIT
 *
 * split.c: splitters. Each gives every row a test fold (or none), from which the lists of
 * rows follow. Stratified and grouped folds as in scikit-learn's StratifiedKFold and
 * GroupKFold; time-ordered folds train on the past only.
 */
#include "tuning/split.h"

#include "algorithms/algorithm.h"
#include "core/hashmap.h"
#include "core/rng.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRATA_MAX  50 /* numeric columns with more distinct values are cut into */
#define STRATA_BINS 10 /* this many bins of equal size */

static const mli_param split_params[] = {
    {"method", "splitter", ML_PARAM_STR, 0, "auto",
     "{auto, holdout, kfold, stratified, group, time}", NULL, NULL,
     "How rows are split. auto: by {param:group} or {param:time} when given, else one "
     "holdout; a study takes folds instead of the holdout when the table is small.",
     "0.1"},
    {"fraction", "test_size,holdout", ML_PARAM_F64, 0, "0.2", "(0, 1)", NULL,
     "method in {auto, holdout}", "Share of rows held out.", "0.1"},
    {"folds", "n_splits,cv,n_folds,k", ML_PARAM_I64, 0, "5", "[2, 1000]", NULL,
     "method in {auto, kfold, stratified, group, time}", "Number of folds.", "0.1"},
    {"shuffle", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL,
     "method in {auto, holdout, kfold, stratified}",
     "Draw rows at random. Without it, folds are runs of rows in order.", "0.1"},
    {"stratify", NULL, ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL,
     "A column whose values get the same shares in every part. Numbers with many "
     "distinct "
     "values are cut into ten bins.",
     "0.1"},
    {"group", "groups", ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL,
     NULL, "A column: rows of equal value stay in one part.", "0.1"},
    {"time", NULL, ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL, NULL, NULL,
     "A column that orders rows: tests come after their training rows.", "0.1"},
    MLI_PARAM_SEED,
    MLI_PARAM_END};

const mli_descriptor mli_options_split = {
    .name = "options.split",
    .title = "options of splitting",
    .doc = "Options of ml_table_split, and of studies.",
    .family = "options",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = split_params,
};

mli_split mli_split_of(const ml_params *o)
{
    return (mli_split){.method = mli_get_str(o, "method"),
                       .fraction = mli_get_f64(o, "fraction"),
                       .folds = mli_get_i64(o, "folds"),
                       .shuffle = mli_get_bool(o, "shuffle"),
                       .seed = (uint64_t)mli_get_i64(o, "seed"),
                       .stratify = mli_get_str(o, "stratify"),
                       .group = mli_get_str(o, "group"),
                       .time = mli_get_str(o, "time")};
}

void mli_folds_free(mli_folds *f)
{
    if (!f) return;
    for (int64_t k = 0; k < f->n_folds; k++) {
        if (f->train) mli_free(f->ctx, f->train[k]);
        if (f->test) mli_free(f->ctx, f->test[k]);
    }
    mli_free(f->ctx, f->train);
    mli_free(f->ctx, f->test);
    mli_free(f->ctx, f->n_train);
    mli_free(f->ctx, f->n_test);
    mli_free(f->ctx, f);
}

static mli_folds *folds_alloc(ml_context *ctx, int64_t n_folds)
{
    mli_folds *f = mli_calloc(ctx, 1, sizeof *f);
    if (!f) return NULL;
    f->ctx = ctx;
    f->train = mli_calloc(ctx, (size_t)n_folds, sizeof *f->train);
    f->test = mli_calloc(ctx, (size_t)n_folds, sizeof *f->test);
    f->n_train = mli_calloc(ctx, (size_t)n_folds, sizeof *f->n_train);
    f->n_test = mli_calloc(ctx, (size_t)n_folds, sizeof *f->n_test);
    if (f->train && f->test && f->n_train && f->n_test) {
        f->n_folds = n_folds;
        return f;
    }
    mli_folds_free(f);
    return NULL;
}

/* Lists of rows for fold k: tests have fold[i] == k; training rows have another fold, or
 * for ordered folds a smaller one. fold[i] == -1 trains in every fold. */
static ml_status folds_fill(mli_folds *f, const int32_t *fold, int64_t rows, int ordered,
                            ml_error *err)
{
    for (int64_t k = 0; k < f->n_folds; k++) {
        int64_t tests = 0, trains = 0;
        for (int64_t i = 0; i < rows; i++) {
            tests += fold[i] == k;
            trains += fold[i] != k && (!ordered || fold[i] < k);
        }
        f->test[k] = mli_alloc(f->ctx, (size_t)tests * sizeof(int64_t));
        f->train[k] = mli_alloc(f->ctx, (size_t)trains * sizeof(int64_t));
        if (!f->test[k] || !f->train[k]) return mli_nomem(err);
        for (int64_t i = 0; i < rows; i++) {
            if (fold[i] == k)
                f->test[k][f->n_test[k]++] = i;
            else if (!ordered || fold[i] < k)
                f->train[k][f->n_train[k]++] = i;
        }
        if (tests == 0 || trains == 0) {
            mli_fail(err, ML_E_DATA, "too few rows to split like this: %lld",
                     (long long)rows);
            return mli_error_hint(err, ML_E_DATA, "use fewer folds or another fraction");
        }
    }
    return ML_OK;
}

static ml_status find_column(const ml_table *t, const char *name, const char *option,
                             int64_t *out, ml_error *err)
{
    *out = ml_table_find(t, name);
    if (*out >= 0) return ML_OK;
    mli_fail(err, ML_E_NAME, "there is no column \"%s\"", name);
    return mli_error_at(err, ML_E_NAME, "params.%s", option);
}

typedef struct keyed {
    double value;
    int64_t row;
} keyed;

static int by_value(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

/* Rows ordered by a column's number (missing values last), ties by row. */
static keyed *sorted_rows(const ml_table *t, int64_t column)
{
    keyed *order = mli_alloc_vec(t->ctx, t->rows, sizeof *order);
    if (!order) return NULL;
    for (int64_t i = 0; i < t->rows; i++) {
        double v = ml_table_get_f64(t, i, column);
        order[i] = (keyed){isnan(v) ? INFINITY : v, i};
    }
    qsort(order, (size_t)t->rows, sizeof *order, by_value);
    return order;
}

/* Replaces keys by bins of equal size of the column's numbers. */
static ml_status bin_keys(const ml_table *t, int64_t column, int32_t *keys, int64_t *n,
                          ml_error *err)
{
    keyed *order = sorted_rows(t, column);
    if (!order) return mli_nomem(err);
    for (int64_t i = 0; i < t->rows; i++)
        keys[order[i].row] = (int32_t)(i * STRATA_BINS / t->rows);
    *n = STRATA_BINS;
    mli_free(t->ctx, order);
    return ML_OK;
}

/* keys[i]: dense number of the value of row i, by its text. */
static ml_status column_keys(const ml_table *t, int64_t column, int32_t *keys, int64_t *n,
                             ml_error *err)
{
    const mli_column *c = &t->columns[column];
    mli_map map;
    mli_str s;
    mli_map_init(&map, t->ctx);
    mli_str_init(&s, t->ctx);
    ml_status st = ML_OK;
    for (int64_t i = 0; i < t->rows && st == ML_OK; i++) {
        mli_str_clear(&s);
        mli_str_char(&s, mli_column_valid(c, i) ? '=' : '-');
        mli_column_print(c, i, &s);
        keys[i] = s.failed ? -1 : mli_map_add(&map, s.data, s.size);
        if (keys[i] < 0) st = mli_nomem(err);
    }
    *n = map.count;
    mli_map_free(&map);
    mli_str_free(&s);
    return st;
}

static void shuffle_rows(int64_t *rows, int64_t n, const mli_split *s)
{
    mli_rng rng;
    mli_rng_init(&rng, s->seed, 0x73706c69, 0);
    if (s->shuffle) mli_rng_shuffle(&rng, rows, n);
}

/* Deals rows into folds within each stratum: stratum by stratum in a circle, so that each
 * fold gets its share of each. */
static ml_status deal_strata(const ml_table *t, const mli_split *s, int32_t *fold,
                             int64_t folds, ml_error *err)
{
    int64_t column, n = 0, rows = t->rows;
    ml_status st = find_column(t, s->stratify, "stratify", &column, err);
    if (st < 0) return st;
    int32_t *keys = mli_alloc_vec(t->ctx, rows, sizeof *keys);
    int64_t *order = mli_alloc_vec(t->ctx, rows, sizeof *order);
    int64_t *next = NULL;
    st = keys && order ? column_keys(t, column, keys, &n, err) : mli_nomem(err);
    if (st == ML_OK && n > STRATA_MAX && mli_type_is_number(t->columns[column].type))
        st = bin_keys(t, column, keys, &n, err);
    if (st == ML_OK && !(next = mli_calloc(t->ctx, (size_t)n + 1, sizeof *next)))
        st = mli_nomem(err);
    if (st == ML_OK) {
        for (int64_t i = 0; i < rows; i++) order[i] = i;
        shuffle_rows(order, rows, s);
        /* Start each stratum where the one before it stopped. */
        for (int64_t i = 0; i < rows; i++) next[keys[i] + 1]++;
        for (int64_t k = 0; k < n; k++) next[k + 1] += next[k];
        for (int64_t i = 0; i < rows; i++)
            fold[order[i]] = (int32_t)(next[keys[order[i]]]++ % folds);
    }
    mli_free(t->ctx, keys);
    mli_free(t->ctx, order);
    mli_free(t->ctx, next);
    return st;
}

static ml_status deal_rows(const ml_table *t, const mli_split *s, int32_t *fold,
                           int64_t folds, ml_error *err)
{
    int64_t *order = mli_alloc_vec(t->ctx, t->rows, sizeof *order);
    if (!order) return mli_nomem(err);
    for (int64_t i = 0; i < t->rows; i++) order[i] = i;
    shuffle_rows(order, t->rows, s);
    for (int64_t i = 0; i < t->rows; i++) fold[order[i]] = (int32_t)(i * folds / t->rows);
    mli_free(t->ctx, order);
    return ML_OK;
}

typedef struct group_size {
    int64_t size, id;
} group_size;

static int by_size_falling(const void *a, const void *b)
{
    const group_size *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* The largest group first, each into the fold that has the fewest rows so far, relative
 * to its share. */
static ml_status deal_groups(const ml_table *t, const mli_split *s, int32_t *fold,
                             const double *shares, int64_t folds, ml_error *err)
{
    int64_t column, n = 0;
    ml_status st = find_column(t, s->group, "group", &column, err);
    if (st < 0) return st;
    int32_t *keys = mli_alloc_vec(t->ctx, t->rows, sizeof *keys);
    group_size *groups = NULL;
    int32_t *home = NULL;
    double *filled = mli_calloc(t->ctx, (size_t)folds, sizeof *filled);
    st = keys && filled ? column_keys(t, column, keys, &n, err) : mli_nomem(err);
    if (st == ML_OK && n < folds) {
        mli_fail(err, ML_E_DATA, "column \"%s\" has %lld groups, fewer than %lld folds",
                 s->group, (long long)n, (long long)folds);
        st = mli_error_hint(err, ML_E_DATA, "use fewer folds");
    }
    if (st == ML_OK) {
        groups = mli_calloc(t->ctx, (size_t)n, sizeof *groups);
        home = mli_calloc(t->ctx, (size_t)n, sizeof *home);
        if (!groups || !home) st = mli_nomem(err);
    }
    if (st == ML_OK) {
        for (int64_t i = 0; i < t->rows; i++) groups[keys[i]].size++;
        for (int64_t g = 0; g < n; g++) groups[g].id = g;
        qsort(groups, (size_t)n, sizeof *groups, by_size_falling);
        for (int64_t g = 0; g < n; g++) {
            int64_t best = 0;
            for (int64_t k = 1; k < folds; k++)
                if (filled[k] / shares[k] < filled[best] / shares[best]) best = k;
            home[groups[g].id] = (int32_t)best;
            filled[best] += (double)groups[g].size;
        }
        for (int64_t i = 0; i < t->rows; i++) fold[i] = home[keys[i]];
    }
    mli_free(t->ctx, keys);
    mli_free(t->ctx, groups);
    mli_free(t->ctx, home);
    mli_free(t->ctx, filled);
    return st;
}

/* Rows in order of time: the last fraction is the holdout (fold 0, the rest -1), or equal
 * stretches of which the first, or what is in front of them, only trains. */
static ml_status deal_time(const ml_table *t, const mli_split *s, int32_t *fold,
                           int64_t folds, ml_error *err)
{
    int64_t column, rows = t->rows;
    ml_status st = find_column(t, s->time, "time", &column, err);
    if (st < 0) return st;
    if (t->columns[column].type == ML_TYPE_TEXT ||
        t->columns[column].type == ML_TYPE_CATEGORY) {
        mli_fail(err, ML_E_TYPE, "column \"%s\" holds text, which does not order rows",
                 s->time);
        return mli_error_hint(err, ML_E_TYPE, "use a column of numbers, dates or times");
    }
    keyed *order = sorted_rows(t, column);
    if (!order) return mli_nomem(err);
    double judged = folds > 1 ? 1 - s->first : s->fraction;
    int64_t first = rows - (int64_t)((double)rows * judged + 0.5);
    if (rows - first < folds) first = 0;
    for (int64_t i = 0; i < rows; i++)
        fold[order[i].row] = i < first ? -1
                             : folds > 1 && first == 0
                                 ? (int32_t)(i * (folds + 1) / rows) - 1
                                 : (int32_t)((i - first) * folds / (rows - first));
    mli_free(t->ctx, order);
    return ML_OK;
}

/* A class is to be learned before it is judged: where all rows of a stratum were taken,
 * one is given back. */
static ml_status leave_one(const ml_table *t, const mli_split *s, int32_t *fold,
                           ml_error *err)
{
    int64_t column, n = 0, rows = t->rows;
    ml_status st = find_column(t, s->stratify, "stratify", &column, err);
    int32_t *keys = mli_alloc_vec(t->ctx, rows, sizeof *keys);
    uint8_t *left = NULL;
    if (!st) st = keys ? column_keys(t, column, keys, &n, err) : mli_nomem(err);
    int many = !st && n > STRATA_MAX && mli_type_is_number(t->columns[column].type);
    if (!st && !many && !(left = mli_calloc(t->ctx, (size_t)n + 1, 1)))
        st = mli_nomem(err);
    for (int pass = 0; pass < 2 && left; pass++)
        for (int64_t i = 0; i < rows; i++) {
            if (pass && !left[keys[i]]) fold[i] = -1;
            left[keys[i]] |= fold[i] < 0;
        }
    mli_free(t->ctx, keys);
    mli_free(t->ctx, left);
    return st;
}

/* A holdout of the same share of every stratum: of the rows ordered by stratum every
 * 1/fraction-th is taken. deal_strata gives the places when there are more folds than
 * rows. */
static ml_status deal_strata_holdout(const ml_table *t, const mli_split *s, int32_t *fold,
                                     ml_error *err)
{
    ml_status st = deal_strata(t, s, fold, INT32_MAX, err);
    for (int64_t i = 0; st == ML_OK && i < t->rows; i++) {
        double place = fold[i];
        int taken =
            floor((place + 1) * s->fraction + 0.5) > floor(place * s->fraction + 0.5);
        fold[i] = taken ? 0 : -1;
    }
    return st ? st : leave_one(t, s, fold, err);
}

/* A holdout from folds: of 1000 dealt parts, the first fraction become the test. */
static ml_status deal_holdout(const ml_table *t, const mli_split *s, int32_t *fold,
                              ml_error *err)
{
    const int64_t parts = t->rows < 1000 ? (t->rows > 0 ? t->rows : 1) : 1000;
    ml_status st;
    if (s->group && s->group[0]) {
        const double shares[2] = {s->fraction, 1 - s->fraction};
        st = deal_groups(t, s, fold, shares, 2, err);
        for (int64_t i = 0; i < t->rows; i++) fold[i] = fold[i] == 0 ? 0 : -1;
        return st;
    }
    if (s->time && s->time[0]) return deal_time(t, s, fold, 1, err);
    if (s->stratify && s->stratify[0]) return deal_strata_holdout(t, s, fold, err);
    st = deal_rows(t, s, fold, parts, err);
    double cut = s->fraction * (double)parts;
    for (int64_t i = 0; i < t->rows; i++) fold[i] = (double)fold[i] + 0.5 < cut ? 0 : -1;
    return st;
}

static ml_status deal(const ml_table *t, const mli_split *s, const char *method,
                      int32_t *fold, ml_error *err)
{
    if (strcmp(method, "holdout") == 0) return deal_holdout(t, s, fold, err);
    if (strcmp(method, "kfold") == 0) return deal_rows(t, s, fold, s->folds, err);
    if (strcmp(method, "stratified") == 0) return deal_strata(t, s, fold, s->folds, err);
    if (strcmp(method, "time") == 0) return deal_time(t, s, fold, s->folds, err);
    double *shares = mli_alloc_vec(t->ctx, s->folds, sizeof *shares);
    if (!shares) return mli_nomem(err);
    for (int64_t k = 0; k < s->folds; k++) shares[k] = 1;
    ml_status st = deal_groups(t, s, fold, shares, s->folds, err);
    mli_free(t->ctx, shares);
    return st;
}

/* The method, with auto resolved; checks that the column it needs is named. */
static ml_status choose(const mli_split *s, const char **method, ml_error *err)
{
    *method = s->method;
    if (strcmp(*method, "auto") == 0) *method = "holdout";
    const char *needs[][2] = {
        {"stratified", s->stratify}, {"group", s->group}, {"time", s->time}};
    for (int i = 0; i < 3; i++) {
        if (strcmp(*method, needs[i][0]) != 0 || (needs[i][1] && needs[i][1][0]))
            continue;
        const char *option = i == 0 ? "stratify" : needs[i][0];
        mli_fail(err, ML_E_ARGUMENT, "method %s needs a column", *method);
        mli_error_at(err, ML_E_ARGUMENT, "params.%s", option);
        return mli_error_hint(err, ML_E_ARGUMENT, "set %s to a column's name", option);
    }
    return ML_OK;
}

ml_status mli_folds_new(const ml_table *table, const mli_split *split, mli_folds **out,
                        ml_error *err)
{
    const char *method;
    ml_status st = choose(split, &method, err);
    if (st < 0) return st;
    int holdout = strcmp(method, "holdout") == 0;
    int64_t folds = holdout ? 1 : split->folds;
    if (table->rows < 2 || table->rows < folds) {
        mli_fail(err, ML_E_DATA, "too few rows to split: %lld", (long long)table->rows);
        return mli_error_hint(err, ML_E_DATA, "use more rows or fewer folds");
    }
    int32_t *fold = mli_alloc_vec(table->ctx, table->rows, sizeof *fold);
    mli_folds *f = folds_alloc(table->ctx, folds);
    st = fold && f ? deal(table, split, method, fold, err) : mli_nomem(err);
    int dealt = st == ML_OK;
    if (dealt) st = folds_fill(f, fold, table->rows, strcmp(method, "time") == 0, err);
    if (dealt && st == ML_E_DATA && holdout && split->stratify && split->stratify[0]) {
        mli_fail(err, st,
                 "column \"%s\": no class has the rows for one of them to be held out",
                 split->stratify);
        mli_error_hint(err, st, "choose another target, or hold out a larger share");
    }
    mli_free(table->ctx, fold);
    if (st < 0) {
        mli_folds_free(f);
        return st;
    }
    *out = f;
    return ML_OK;
}

ml_status ml_table_split(const ml_table *table, const ml_params *options,
                         ml_table **train, ml_table **test, ml_error *error)
{
    if (!table) return mli_null(error, "table");
    if (!train) return mli_null(error, "train");
    if (!test) return mli_null(error, "test");
    ml_params *p = NULL;
    mli_folds *f = NULL;
    ml_table *a = NULL, *b = NULL;
    ml_status st = mli_params_resolve(table->ctx, &mli_options_split, options, &p, error);
    if (st < 0) return st;
    mli_split split = mli_split_of(p);
    st = mli_folds_new(table, &split, &f, error);
    int64_t k = f ? f->n_folds - 1 : 0; /* of ordered folds the one that trains on most */
    if (st == ML_OK) st = ml_table_take(table, f->train[k], f->n_train[k], &a, error);
    if (st == ML_OK) st = ml_table_take(table, f->test[k], f->n_test[k], &b, error);
    if (st == ML_OK) {
        *train = a;
        *test = b;
    } else {
        ml_table_free(a);
        ml_table_free(b);
    }
    mli_folds_free(f);
    ml_params_free(p);
    return st;
}
