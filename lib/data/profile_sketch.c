/* SPDX-License-Identifier: MIT
 *
 * data/profile_sketch.c: profiles that can be put together: a table with a row per column
 * of the data, in which a text stands for all that is known about the values. Such tables
 * below each other are merged by the names of their columns.
 */
#include "core/parallel.h"
#include "data/profile.h"
#include "data/sketch.h"

#include <math.h>
#include <string.h>

static const double shares[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
static const char *const share_names[] = {"q01", "q05", "q25", "median",
                                          "q75", "q95", "q99"};
enum { N_SHARES = 7 };

/* The sketches of a table, and what becomes their rows. */
typedef struct {
    ml_context *ctx;
    int64_t n;
    mli_sketch *sketches; /* [n] */
    char **names;         /* [n] */
    const char **types;   /* [n] */
} sketches;

static void sketches_free(sketches *s)
{
    for (int64_t j = 0; j < s->n; j++) {
        if (s->sketches) mli_sketch_free(&s->sketches[j]);
        if (s->names) mli_free(s->ctx, s->names[j]);
    }
    mli_free(s->ctx, s->sketches);
    mli_free(s->ctx, s->names);
    mli_free(s->ctx, s->types);
}

static ml_status sketches_new(sketches *s, ml_context *ctx, int64_t n, ml_error *err)
{
    *s = (sketches){.ctx = ctx, .n = n};
    s->sketches = mli_calloc(ctx, (size_t)n + 1, sizeof *s->sketches);
    s->names = mli_calloc(ctx, (size_t)n + 1, sizeof *s->names);
    s->types = mli_calloc(ctx, (size_t)n + 1, sizeof *s->types);
    return s->sketches && s->names && s->types ? ML_OK : mli_nomem(err);
}

/* ---- the table of sketches ---- */

enum { E_MEAN, E_SD, E_MIN, E_MAX, N_EXACT };

/* The values of the table, column by column. */
typedef struct {
    double *exact, *quantiles, *top_count; /* [N_EXACT][n], [N_SHARES][n], [n] */
    int64_t *rows, *missing, *distinct;    /* [n] */
    char **earliest, **latest, **top, **sketch;
} values;

static int values_new(values *v, ml_context *ctx, int64_t n)
{
    size_t m = (size_t)n + 1;
    v->exact = mli_calloc(ctx, N_EXACT * m, sizeof(double));
    v->quantiles = mli_calloc(ctx, N_SHARES * m, sizeof(double));
    v->top_count = mli_calloc(ctx, m, sizeof(double));
    v->rows = mli_calloc(ctx, m, sizeof(int64_t));
    v->missing = mli_calloc(ctx, m, sizeof(int64_t));
    v->distinct = mli_calloc(ctx, m, sizeof(int64_t));
    v->earliest = mli_calloc(ctx, m, sizeof(char *));
    v->latest = mli_calloc(ctx, m, sizeof(char *));
    v->top = mli_calloc(ctx, m, sizeof(char *));
    v->sketch = mli_calloc(ctx, m, sizeof(char *));
    return v->exact && v->quantiles && v->top_count && v->rows && v->missing &&
           v->distinct && v->earliest && v->latest && v->top && v->sketch;
}

static void free_texts(ml_context *ctx, char **texts, int64_t n)
{
    for (int64_t j = 0; texts && j < n; j++) mli_free(ctx, texts[j]);
    mli_free(ctx, texts);
}

static void values_free(values *v, ml_context *ctx, int64_t n)
{
    mli_free(ctx, v->exact);
    mli_free(ctx, v->quantiles);
    mli_free(ctx, v->top_count);
    mli_free(ctx, v->rows);
    mli_free(ctx, v->missing);
    mli_free(ctx, v->distinct);
    free_texts(ctx, v->earliest, n);
    free_texts(ctx, v->latest, n);
    free_texts(ctx, v->top, n);
    free_texts(ctx, v->sketch, n);
}

static int print_time(ml_context *ctx, const char *type, int64_t micros, char **out)
{
    mli_str s;
    mli_str_init(&s, ctx);
    if (strcmp(type, "date") == 0)
        mli_print_date(&s, micros / MLI_DAY_MICROS); /* whole days */
    else
        mli_print_timestamp(&s, micros);
    return (*out = mli_str_take(&s)) != NULL;
}

static int set_top(const sketches *s, int64_t j, values *v)
{
    const mli_sketch *k = &s->sketches[j];
    int64_t top = mli_sketch_top(k);
    if (top < 0) return 1;
    const int64_t *at = k->top.offsets + top;
    v->top_count[j] = (double)k->counts[top];
    v->top[j] = mli_strndup(s->ctx, k->top.bytes + at[0], (size_t)(at[1] - at[0]));
    return v->top[j] != NULL;
}

static int set_row(const sketches *s, int64_t j, values *v)
{
    const mli_sketch *k = &s->sketches[j];
    double q[N_SHARES];
    int numbers = k->kind == MLI_SKETCH_NUMBERS && k->present > 0, ok = 1;
    mli_str text;
    v->rows[j] = k->rows;
    v->missing[j] = k->rows - k->present;
    v->distinct[j] = mli_sketch_distinct(k);
    v->top_count[j] = NAN;
    double sd = k->present > 1 ? sqrt(k->m2 / (double)(k->present - 1)) : NAN;
    const double exact[N_EXACT] = {k->mean, sd, k->min, k->max};
    for (int i = 0; i < N_EXACT; i++) v->exact[i * s->n + j] = numbers ? exact[i] : NAN;
    ok = mli_quantiles_at(&k->quantiles, shares, N_SHARES, q);
    for (int i = 0; i < N_SHARES; i++) v->quantiles[i * s->n + j] = q[i];
    if (k->kind == MLI_SKETCH_TIMES && k->present)
        ok = ok && print_time(s->ctx, s->types[j], k->first, &v->earliest[j]) &&
             print_time(s->ctx, s->types[j], k->last, &v->latest[j]);
    mli_str_init(&text, s->ctx);
    mli_sketch_write(k, &text);
    v->sketch[j] = mli_str_take(&text);
    return ok && v->sketch[j] && set_top(s, j, v);
}

static ml_status build(const sketches *s, const values *v, mli_builder *b, ml_error *err)
{
    int64_t n = s->n;
    ml_status st = mli_builder_text(b, "column", (const char *const *)s->names, err);
    if (!st) st = mli_builder_text(b, "type", s->types, err);
    if (!st) st = mli_builder_i64(b, "rows", v->rows, err);
    if (!st) st = mli_builder_i64(b, "missing", v->missing, err);
    if (!st) st = mli_builder_i64(b, "distinct", v->distinct, err);
    if (!st) st = mli_builder_f64(b, "mean", v->exact + E_MEAN * n, err);
    if (!st) st = mli_builder_f64(b, "sd", v->exact + E_SD * n, err);
    if (!st) st = mli_builder_f64(b, "min", v->exact + E_MIN * n, err);
    for (int i = 0; i < N_SHARES && !st; i++)
        st = mli_builder_f64(b, share_names[i], v->quantiles + i * n, err);
    if (!st) st = mli_builder_f64(b, "max", v->exact + E_MAX * n, err);
    if (!st) st = mli_builder_text(b, "earliest", (const char *const *)v->earliest, err);
    if (!st) st = mli_builder_text(b, "latest", (const char *const *)v->latest, err);
    if (!st) st = mli_builder_text(b, "top", (const char *const *)v->top, err);
    if (!st) st = mli_builder_f64(b, "top_count", v->top_count, err);
    if (!st) st = mli_builder_text(b, "sketch", (const char *const *)v->sketch, err);
    return st;
}

static ml_status to_table(const sketches *s, ml_table **out, ml_error *err)
{
    values v = {0};
    mli_builder *b = NULL;
    ml_status st = values_new(&v, s->ctx, s->n) ? ML_OK : mli_nomem(err);
    for (int64_t j = 0; j < s->n && !st; j++)
        st = set_row(s, j, &v) ? ML_OK : mli_nomem(err);
    if (!st) st = mli_builder_new(s->ctx, s->n, &b, err);
    if (!st) st = build(s, &v, b, err);
    if (!st)
        st = mli_builder_finish(b, out, err);
    else
        mli_builder_free(b);
    values_free(&v, s->ctx, s->n);
    return st;
}

/* ---- sketches of data ---- */

typedef struct {
    const ml_table *table;
    sketches *s;
    mli_distinct *distinct; /* [slots] */
    atomic_int failed;
} scanning;

static void scan(void *arg, int64_t task, int32_t slot)
{
    scanning *g = arg;
    if (!mli_sketch_scan(&g->s->sketches[task], &g->table->columns[task],
                         &g->distinct[slot]))
        atomic_store(&g->failed, 1);
}

static ml_status scan_all(const ml_table *table, sketches *s, ml_error *err)
{
    ml_context *ctx = table->ctx;
    int32_t slots = mli_slots(ctx);
    scanning g = {.table = table, .s = s};
    atomic_init(&g.failed, 0);
    g.distinct = mli_calloc(ctx, (size_t)slots, sizeof *g.distinct);
    ml_status st = g.distinct ? ML_OK : mli_nomem(err);
    for (int32_t i = 0; i < slots && !st; i++)
        if (!mli_distinct_init(&g.distinct[i], ctx)) st = mli_nomem(err);
    if (!st) mli_parallel(ctx, table->n_columns, scan, &g);
    if (!st && atomic_load(&g.failed)) st = mli_nomem(err);
    for (int32_t i = 0; g.distinct && i < slots; i++)
        mli_distinct_free(&g.distinct[i], ctx);
    mli_free(ctx, g.distinct);
    return st;
}

ml_status mli_profile_sketch(const ml_table *table, ml_table **out, ml_error *err)
{
    sketches s;
    ml_status st = sketches_new(&s, table->ctx, table->n_columns, err);
    for (int64_t j = 0; j < table->n_columns && !st; j++) {
        mli_sketch_init(&s.sketches[j], table->ctx);
        s.types[j] = mli_type_name(table->columns[j].type);
        s.names[j] = mli_strdup(table->ctx, table->columns[j].name);
        if (!s.names[j]) st = mli_nomem(err);
    }
    if (!st) st = scan_all(table, &s, err);
    if (!st) st = to_table(&s, out, err);
    sketches_free(&s);
    return st;
}

/* ---- sketches put together ---- */

typedef struct {
    const ml_table *table;
    const mli_column *column, *type, *sketch;
    mli_map names;
} merging;

static const char *of_any_type(const mli_sketch *k)
{
    return k->kind == MLI_SKETCH_NUMBERS ? "f64"
           : k->kind == MLI_SKETCH_TIMES ? "timestamp"
                                         : "text";
}

static const char *known_type(const char *text, size_t size)
{
    static const char *const known[] = {"bool", "i8",   "i16",  "i32",      "i64",
                                        "u8",   "u16",  "u32",  "u64",      "f32",
                                        "f64",  "date", "text", "category", "timestamp"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == size && memcmp(known[i], text, size) == 0)
            return known[i];
    return NULL;
}

static ml_status row_error(ml_error *err, ml_status status, int64_t row)
{
    return mli_error_at(err, status, "row %lld", (long long)row + 1);
}

/* Reads the sketch of a row into k. */
static ml_status read_row(const merging *m, int64_t row, mli_sketch *k, ml_error *err)
{
    size_t size = 0;
    const char *text = mli_column_text(m->sketch, row, &size);
    mli_sketch_init(k, m->table->ctx);
    if (!text) {
        mli_fail(err, ML_E_DATA, "the sketch is missing");
        return row_error(err, ML_E_DATA, row);
    }
    ml_status st = mli_sketch_read(k, text, size, err);
    return st ? row_error(err, st, row) : ML_OK;
}

static ml_status join_row(const merging *m, int64_t row, sketches *s, ml_error *err)
{
    size_t size = 0;
    mli_str name;
    mli_sketch k;
    mli_str_init(&name, s->ctx);
    mli_column_print(m->column, row, &name);
    int32_t at = name.failed ? -1 : mli_map_find(&m->names, name.data, name.size);
    mli_str_free(&name);
    if (at < 0) return mli_nomem(err);
    mli_sketch *to = &s->sketches[at];
    ml_status st = read_row(m, row, &k, err);
    const char *text = m->type ? mli_column_text(m->type, row, &size) : NULL;
    const char *type = text ? known_type(text, size) : NULL;
    if (!st && !to->ctx) { /* the first of this name */
        mli_sketch_init(to, s->ctx);
        to->kind = k.kind;
        s->types[at] = type;
    }
    if (!st && to->kind != k.kind) {
        mli_fail(err, ML_E_TYPE, "\"%s\" was %s before and is %s now", s->names[at],
                 of_any_type(to), of_any_type(&k));
        st = row_error(err, ML_E_TYPE, row);
    }
    if (!st && !mli_sketch_merge(to, &k)) st = mli_nomem(err);
    if (!st && type != s->types[at]) s->types[at] = of_any_type(to);
    if (!st && !s->types[at]) s->types[at] = of_any_type(to);
    mli_sketch_free(&k);
    return st;
}

/* The columns of the data in the order of their first rows. */
static ml_status find_names(merging *m, ml_error *err)
{
    mli_str name;
    mli_str_init(&name, m->table->ctx);
    int ok = 1;
    for (int64_t i = 0; i < m->table->rows && ok; i++) {
        mli_str_clear(&name);
        mli_column_print(m->column, i, &name);
        ok = !name.failed && mli_map_add(&m->names, name.data, name.size) >= 0;
    }
    mli_str_free(&name);
    return ok ? ML_OK : mli_nomem(err);
}

static ml_status find_columns(merging *m, ml_error *err)
{
    const ml_table *t = m->table;
    int64_t column = ml_table_find(t, "column"), sketch = ml_table_find(t, "sketch");
    int64_t type = ml_table_find(t, "type");
    int words = sketch >= 0 && (t->columns[sketch].type == ML_TYPE_TEXT ||
                                t->columns[sketch].type == ML_TYPE_CATEGORY);
    if (column < 0 || !words) {
        mli_fail(err, ML_E_DATA, "this is no table of sketches");
        mli_error_at(err, ML_E_DATA, "params.part");
        return mli_error_hint(err, ML_E_DATA,
                              "make such tables with part: sketch, and put them below "
                              "each other with a join, how: union");
    }
    m->column = &t->columns[column];
    m->sketch = &t->columns[sketch];
    m->type = type < 0 ? NULL : &t->columns[type];
    return ML_OK;
}

static ml_status name_sketches(const merging *m, sketches *s, ml_error *err)
{
    for (int64_t j = 0; j < s->n; j++) {
        const int64_t *at = m->names.offsets + j;
        s->names[j] =
            mli_strndup(s->ctx, m->names.bytes + at[0], (size_t)(at[1] - at[0]));
        if (!s->names[j]) return mli_nomem(err);
    }
    return ML_OK;
}

ml_status mli_profile_merge(const ml_table *table, ml_table **out, ml_error *err)
{
    merging m = {.table = table};
    sketches s = {0};
    mli_map_init(&m.names, table->ctx);
    ml_status st = find_columns(&m, err);
    if (!st) st = find_names(&m, err);
    if (!st) st = sketches_new(&s, table->ctx, m.names.count, err);
    if (!st) st = name_sketches(&m, &s, err);
    for (int64_t i = 0; i < table->rows && !st; i++) st = join_row(&m, i, &s, err);
    if (!st) st = to_table(&s, out, err);
    sketches_free(&s);
    mli_map_free(&m.names);
    return st;
}
