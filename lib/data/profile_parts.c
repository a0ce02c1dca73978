/* SPDX-License-Identifier: MIT
 *
 * data/profile_parts.c: parts of a profile that look at several columns at once:
 * correlations, what predicts the target, rows that occur twice.
 *
 * Pairs are measured in a sample of the rows, all rows while there are at most SAMPLE and
 * the work stays within WORK.
 */
#include "data/profile.h"
#include "core/parallel.h"
#include "data/associate.h"
#include "data/keys.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLE       100000
#define WORK         1e9  /* values looked at, for all pairs */
#define MOST_COLUMNS 1000 /* of correlations: the first */
#define CLASSES      20   /* integers of at most so many values count as classes */

const mli_descriptor mli_options_profile = {
    .name = "options.profile",
    .title = "options of a profile",
    .doc = "Options of ml_table_profile and ml_report_add_profile.",
    .family = "options",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params =
        (const mli_param[]){
            {"part", "kind", ML_PARAM_STR, 0, "columns",
             "{columns, correlations, summary, sketch, merge}", NULL, NULL,
             "columns: one row per column. correlations: pairs of columns, the strongest "
             "first, with columns first, second, method, value, rows: Pearson's of "
             "numbers; the correlation ratio of numbers and texts, and Cramer's V of "
             "texts, less what chance gives. summary: one row with rows, columns, "
             "duplicate_rows, missing_percent. sketch: a sketch per column, from which "
             "profiles of parts of the data are put together. merge: of a table of such "
             "sketches one per column, of all the data.",
             "0.1"},
            {"target", "label", ML_PARAM_STR, MLI_FLAG_NULLABLE | MLI_FLAG_ROLE, "", NULL,
             NULL, "part == columns",
             "The column to be predicted. The profile then has a column "
             "predictive_power: how well each column alone predicts the target, from 0 "
             "to 1, and warns of columns that know too much.",
             "0.1"},
            {"top", NULL, ML_PARAM_I64, 0, "100", "[1, 1000000]", NULL,
             "part == correlations", "The most pairs to give.", "0.1"},
            {NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL}},
};

/* ---- a sample of coded columns ---- */

typedef struct {
    ml_context *ctx;
    const ml_table *table;
    mli_rows_sample sample;
    int64_t n;        /* columns */
    mli_coded *coded; /* [n] */
    atomic_int failed;
} coding;

static void code_task(void *arg, int64_t task, int32_t slot)
{
    coding *c = arg;
    (void)slot;
    if (!mli_code(c->ctx, &c->table->columns[task], &c->sample, &c->coded[task]))
        atomic_store(&c->failed, 1);
}

static void coding_free(coding *c)
{
    for (int64_t j = 0; c->coded && j < c->n; j++) mli_coded_free(c->ctx, &c->coded[j]);
    mli_free(c->ctx, c->coded);
    mli_free(c->ctx, c->sample.row);
}

static ml_status coding_init(coding *c, const ml_table *table, int64_t columns,
                             int64_t rows, ml_error *err)
{
    *c = (coding){.ctx = table->ctx, .table = table, .n = columns};
    atomic_init(&c->failed, 0);
    c->coded = mli_calloc(c->ctx, (size_t)columns + 1, sizeof *c->coded);
    if (!c->coded) return mli_nomem(err);
    ml_status st = mli_sample_new(c->ctx, table->rows, rows, &c->sample, err);
    if (st) return st;
    mli_parallel(c->ctx, columns, code_task, c);
    return atomic_load(&c->failed) ? mli_nomem(err) : ML_OK;
}

/* ---- what predicts the target ---- */

static int counts_as_classes(const mli_column *c, const mli_coded *coded)
{
    if (!coded->numeric || c->type == ML_DTYPE_BOOL) return 1;
    int integer = c->type >= ML_DTYPE_I8 && c->type <= ML_DTYPE_U64;
    return integer && coded->n <= CLASSES + 1;
}

typedef struct {
    const coding *all;
    int64_t target;
    int classes;
    double *power;
} predicting;

static void power_task(void *arg, int64_t task, int32_t slot)
{
    predicting *p = arg;
    const coding *c = p->all;
    (void)slot;
    p->power[task] = task == p->target
                         ? NAN
                         : mli_predictive_power(&c->coded[task], &c->coded[p->target],
                                                p->classes, c->sample.n);
}

ml_status mli_profile_power(const ml_table *table, int64_t target, double *power,
                            int *classes, ml_error *err)
{
    coding c;
    double columns = (double)table->n_columns;
    int64_t rows = columns * SAMPLE <= WORK ? SAMPLE : (int64_t)(WORK / columns);
    ml_status st = coding_init(&c, table, table->n_columns, rows, err);
    if (!st) {
        *classes = counts_as_classes(&table->columns[target], &c.coded[target]);
        predicting p = {&c, target, *classes, power};
        mli_parallel(table->ctx, table->n_columns, power_task, &p);
    }
    coding_free(&c);
    return st;
}

/* ---- correlations ---- */

typedef struct {
    int64_t first, second, rows;
    double value;
    mli_association how;
} pair;

typedef struct {
    const coding *all;
    pair *pairs; /* those of column j with the ones before it begin at j (j - 1) / 2 */
} pairing;

static void pair_task(void *arg, int64_t j, int32_t slot)
{
    const pairing *p = arg;
    const coding *c = p->all;
    (void)slot;
    for (int64_t i = 0; i < j; i++) {
        pair *to = &p->pairs[j * (j - 1) / 2 + i];
        to->first = i;
        to->second = j;
        to->value =
            mli_associate(&c->coded[i], &c->coded[j], c->sample.n, &to->how, &to->rows);
    }
}

static int by_strength(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    double u = isnan(x->value) ? -1 : fabs(x->value);
    double v = isnan(y->value) ? -1 : fabs(y->value);
    if (u != v) return u > v ? -1 : 1;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->second > y->second) - (x->second < y->second);
}

static ml_status pairs_table(const ml_table *table, const pair *pairs, int64_t n,
                             ml_table **out, ml_error *err)
{
    static const char *const methods[] = {"pearson", "eta", "cramer_v"};
    ml_context *ctx = table->ctx;
    mli_builder *b = NULL;
    const char **texts = mli_alloc_vec(ctx, 3 * n, sizeof *texts);
    double *value = mli_alloc_vec(ctx, n, sizeof *value);
    int64_t *rows = mli_alloc_vec(ctx, n, sizeof *rows);
    ml_status st = texts && value && rows ? ML_OK : mli_nomem(err);
    for (int64_t i = 0; !st && i < n; i++) {
        texts[i] = table->columns[pairs[i].first].name;
        texts[n + i] = table->columns[pairs[i].second].name;
        texts[2 * n + i] = methods[pairs[i].how];
        value[i] = pairs[i].value;
        rows[i] = pairs[i].rows;
    }
    if (!st) st = mli_builder_new(ctx, n, &b, err);
    if (!st) st = mli_builder_text(b, "first", texts, err);
    if (!st) st = mli_builder_text(b, "second", texts + n, err);
    if (!st) st = mli_builder_text(b, "method", texts + 2 * n, err);
    if (!st) st = mli_builder_f64(b, "value", value, err);
    if (!st) st = mli_builder_i64(b, "rows", rows, err);
    if (!st)
        st = mli_builder_finish(b, out, err);
    else
        mli_builder_free(b);
    mli_free(ctx, texts);
    mli_free(ctx, value);
    mli_free(ctx, rows);
    return st;
}

ml_status mli_profile_correlations(const ml_table *table, int64_t top, ml_table **out,
                                   ml_error *err)
{
    coding c;
    int64_t n = table->n_columns < MOST_COLUMNS ? table->n_columns : MOST_COLUMNS;
    int64_t count = n > 0 ? n * (n - 1) / 2 : 0, defined = 0, rows = SAMPLE;
    if ((double)count * SAMPLE > WORK) rows = (int64_t)(WORK / (double)count);
    pair *pairs = mli_calloc(table->ctx, (size_t)count + 1, sizeof *pairs);
    if (!pairs) return mli_nomem(err);
    ml_status st = coding_init(&c, table, n, rows, err);
    if (!st) {
        pairing p = {&c, pairs};
        mli_parallel(table->ctx, n, pair_task, &p);
        qsort(pairs, (size_t)count, sizeof *pairs, by_strength);
        while (defined < count && defined < top && !isnan(pairs[defined].value))
            defined++;
        st = pairs_table(table, pairs, defined, out, err);
    }
    coding_free(&c);
    mli_free(table->ctx, pairs);
    return st;
}

/* ---- rows that occur twice ---- */

ml_status mli_profile_duplicates(const ml_table *table, int64_t *count, ml_error *err)
{
    ml_context *ctx = table->ctx;
    int64_t n = table->n_columns;
    const mli_column **columns = mli_alloc_vec(ctx, n + 1, sizeof *columns);
    int *how = mli_alloc_vec(ctx, n + 1, sizeof *how);
    mli_groups groups = {.ctx = ctx};
    ml_status st = columns && how ? ML_OK : mli_nomem(err);
    for (int64_t j = 0; !st && j < n; j++) columns[j] = &table->columns[j];
    if (!st) st = mli_keys_agree(columns, NULL, n, how, err);
    mli_keys keys = {ctx, table->rows, n, columns, how};
    if (!st) st = mli_groups_new(&keys, 1, &groups, err);
    *count = table->rows - groups.n;
    mli_groups_free(&groups);
    mli_free(ctx, columns);
    mli_free(ctx, how);
    return st;
}

ml_status mli_profile_summary(const ml_table *table, ml_table **out, ml_error *err)
{
    mli_builder *b = NULL;
    int64_t duplicates = 0, missing = 0;
    ml_status st = mli_profile_duplicates(table, &duplicates, err);
    if (st) return st;
    for (int64_t j = 0; j < table->n_columns; j++)
        missing += mli_column_absent(&table->columns[j]);
    double cells = (double)table->rows * (double)table->n_columns;
    double percent = cells > 0 ? 100 * (double)missing / cells : NAN;
    st = mli_builder_new(table->ctx, 1, &b, err);
    if (!st) st = mli_builder_i64(b, "rows", &table->rows, err);
    if (!st) st = mli_builder_i64(b, "columns", &table->n_columns, err);
    if (!st) st = mli_builder_i64(b, "duplicate_rows", &duplicates, err);
    if (!st) st = mli_builder_f64(b, "missing_percent", &percent, err);
    if (!st) return mli_builder_finish(b, out, err);
    mli_builder_free(b);
    return st;
}
