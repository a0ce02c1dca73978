/* SPDX-License-Identifier: MIT
 *
 * csv_column.c: the columns of the table that is read: which fields they are, how their
 * types widen from batch to batch, and what becomes of them.
 */
#include "data/csv_read.h"

#include <string.h>

#define FEW_LEVELS  1000 /* always a category, if they repeat */
#define LEVEL_SHARE 20   /* or one distinct value in so many */

/* ---- choosing ---- */

static ml_status unknown_column(mli_csv_reader *r, const char *option, const char *name,
                                ml_error *err)
{
    mli_fail(err, ML_E_NAME, "%s has no column \"%s\"", r->in.name, name);
    mli_error_at(err, ML_E_NAME, "params.%s", option);
    const char *near =
        mli_nearest(name, (const char *const *)r->header.names, r->header.width);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    return mli_error_hint(err, ML_E_NAME, "it has %lld columns, the first is \"%s\"",
                          (long long)r->header.width, r->header.names[0]);
}

static int64_t find_name(const mli_csv_reader *r, const char *name, size_t size)
{
    for (int64_t i = 0; i < r->header.width; i++) {
        const char *n = r->header.names[i];
        if (strlen(n) == size && memcmp(n, name, size) == 0) return i;
    }
    return -1;
}

/* Columns of the names in the option, or all. */
static ml_status choose(mli_csv_reader *r, ml_error *err)
{
    int64_t n = r->o.n_columns ? r->o.n_columns : r->header.width;
    r->columns = mli_calloc(r->ctx, (size_t)n, sizeof *r->columns);
    if (!r->columns) return mli_nomem(err);
    r->n_columns = n;
    for (int64_t i = 0; i < n; i++) {
        mli_csv_part_init(&r->columns[i].all, r->ctx, r->spill);
        mli_csv_part_init(&r->columns[i].front, r->ctx, r->spill);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t field = i;
        if (r->o.n_columns) {
            const char *name = r->o.columns[i];
            field = find_name(r, name, strlen(name));
            if (field < 0) return unknown_column(r, "columns", name, err);
        }
        r->columns[i].field = field;
        r->columns[i].name = r->header.names[field];
        r->columns[i].forced = -1;
        r->columns[i].strings = r->o.strings;
    }
    return ML_OK;
}

/* ---- types asked for ---- */

static const struct {
    const char *name;
    int32_t kind;
    int strings;
} type_names[] = {
    {"bool", MLI_CSV_BOOL, 0},     {"boolean", MLI_CSV_BOOL, 0},
    {"i64", MLI_CSV_INT, 0},       {"int", MLI_CSV_INT, 0},
    {"int64", MLI_CSV_INT, 0},     {"integer", MLI_CSV_INT, 0},
    {"f64", MLI_CSV_REAL, 0},      {"float", MLI_CSV_REAL, 0},
    {"float64", MLI_CSV_REAL, 0},  {"double", MLI_CSV_REAL, 0},
    {"real", MLI_CSV_REAL, 0},     {"number", MLI_CSV_REAL, 0},
    {"date", MLI_CSV_DATE, 0},     {"timestamp", MLI_CSV_TIME, 0},
    {"datetime", MLI_CSV_TIME, 0}, {"text", MLI_CSV_TEXT, 1},
    {"str", MLI_CSV_TEXT, 1},      {"string", MLI_CSV_TEXT, 1},
    {"category", MLI_CSV_TEXT, 2}, {"categorical", MLI_CSV_TEXT, 2},
    {"factor", MLI_CSV_TEXT, 2},
};
#define N_TYPES ((int64_t)(sizeof type_names / sizeof *type_names))

static ml_status bad_type(const char *text, const char *type, ml_error *err)
{
    const char *names[N_TYPES];
    for (int64_t i = 0; i < N_TYPES; i++) names[i] = type_names[i].name;
    mli_fail(err, ML_E_NAME, "\"%s\" names no column type", text);
    mli_error_at(err, ML_E_NAME, "params.types");
    const char *near = type ? mli_nearest(type, names, N_TYPES) : NULL;
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    return mli_error_hint(err, ML_E_NAME,
                          "write name:type with a type of bool, i64, f64, date, "
                          "timestamp, text, category");
}

/* "age:f64": the last colon divides, since names may contain some. */
static ml_status force_type(mli_csv_reader *r, const char *text, ml_error *err)
{
    const char *colon = strrchr(text, ':');
    if (!colon) return bad_type(text, NULL, err);
    int64_t type = 0;
    while (type < N_TYPES && !mli_same_word(colon + 1, type_names[type].name)) type++;
    if (type == N_TYPES) return bad_type(text, colon + 1, err);
    int64_t field = find_name(r, text, (size_t)(colon - text));
    if (field < 0) {
        char *name = mli_strndup(r->ctx, text, (size_t)(colon - text));
        ml_status st = name ? unknown_column(r, "types", name, err) : mli_nomem(err);
        mli_free(r->ctx, name);
        return st;
    }
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        if (c->field != field) continue;
        c->forced = type_names[type].kind;
        c->strings = type_names[type].strings;
    }
    return ML_OK;
}

ml_status mli_csv_columns_make(mli_csv_reader *r, ml_error *err)
{
    ml_status st = choose(r, err);
    for (int64_t i = 0; st == ML_OK && i < r->o.n_types; i++)
        st = force_type(r, r->o.types[i], err);
    for (int64_t i = 0; st == ML_OK && i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        mli_csv_part_reset(&c->all, c->forced >= 0 ? c->forced : MLI_CSV_NULL,
                           c->strings == 1);
    }
    return st;
}

void mli_csv_columns_free(mli_csv_reader *r)
{
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_part_free(&r->columns[i].all);
        mli_csv_part_free(&r->columns[i].front);
    }
    mli_free(r->ctx, r->columns);
    r->columns = NULL;
    r->n_columns = 0;
}

/* ---- widening ---- */

/* Does turning these values into text need the text they came from? */
static int needs_text(const mli_csv_part *p)
{
    if (p->kind == MLI_CSV_TEXT || p->rows == 0) return 0;
    return p->kind != MLI_CSV_NULL || p->soft > 0;
}

int mli_csv_column_stale(const mli_csv_column *column, const mli_csv_part *part)
{
    return column->all.kind == MLI_CSV_TEXT && needs_text(part);
}

/* The kind that holds the rows so far and those of the batch. */
static int32_t joint_kind(const mli_csv_reader *r, int64_t column, int last)
{
    const mli_csv_part *all = &r->columns[column].all;
    int32_t kind = all->kind;
    int64_t soft = all->soft;
    for (int64_t k = 0; k < r->n_chunks; k++) {
        const mli_csv_part *p = &r->chunks[k].parts[column];
        if (r->chunks[k].rows == 0) continue;
        kind = mli_csv_kind_join(kind, p->kind);
        soft += p->soft;
    }
    if (!last) return kind;
    if (kind == MLI_CSV_BIG) return MLI_CSV_TEXT;
    return kind == MLI_CSV_NULL && soft > 0 ? MLI_CSV_TEXT : kind;
}

int mli_csv_columns_settle(mli_csv_reader *r, int last)
{
    int again = 0;
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        if (c->forced >= 0) continue;
        int32_t kind = joint_kind(r, i, last);
        if (kind == MLI_CSV_TEXT && needs_text(&c->all)) {
            int64_t rows = c->all.rows, plain = c->all.plain;
            mli_csv_part_free(&c->all);
            mli_csv_part_reset(&c->all, MLI_CSV_TEXT, (int)plain);
            c->all.base = rows;
        } else if (!mli_csv_part_widen(&c->all, kind)) {
            return -1;
        }
        for (int64_t k = 0; k < r->n_chunks; k++) {
            if (r->chunks[k].rows)
                again |= mli_csv_column_stale(c, &r->chunks[k].parts[i]);
        }
    }
    return again;
}

/* Rows of the whole file, about; 0 when that cannot be told. */
static int64_t expected_rows(const mli_csv_reader *r)
{
    int64_t rows = 0, bytes = r->bytes + (int64_t)r->batch.size - r->data_at;
    for (int64_t k = 0; k < r->n_chunks; k++) rows += r->chunks[k].rows;
    rows += r->rows;
    if (r->batch.last || r->file_size <= r->data_at || bytes <= 0) return rows;
    double share = (double)(r->file_size - r->data_at) / (double)bytes;
    double estimate = (double)rows * share * 1.03 + 1000;
    if (r->o.max_rows && estimate > (double)r->o.max_rows) return r->o.max_rows;
    return estimate < 1e15 ? (int64_t)estimate : rows;
}

int mli_csv_column_append(mli_csv_reader *r, int64_t column)
{
    mli_csv_column *c = &r->columns[column];
    mli_csv_part *to = r->second ? &c->front : &c->all;
    if (r->second && !c->all.base) return 1;
    int64_t expected = r->second ? c->all.base : expected_rows(r) - c->all.base;
    for (int64_t k = 0; k < r->n_chunks; k++) {
        if (r->chunks[k].rows == 0) continue;
        if (!mli_csv_part_append(to, &r->chunks[k].parts[column], expected)) return 0;
        if (to->kind == MLI_CSV_TEXT && c->strings == 0 &&
            to->map.count > r->o.max_categories && !mli_csv_part_plain(to)) {
            return 0;
        }
    }
    return 1;
}

/* ---- the table ---- */

static int is_category(const mli_csv_column *c, const mli_csv_part *p,
                       int64_t max_categories)
{
    if (p->kind != MLI_CSV_TEXT || p->plain) return 0;
    if (c->strings) return c->strings == 2;
    int64_t values = p->rows - p->nulls, levels = p->map.count;
    return levels * 2 <= values && levels <= max_categories &&
           (levels <= FEW_LEVELS || levels * LEVEL_SHARE <= values) &&
           !mli_csv_part_sentences(p);
}

/* Puts what the second reading brought in front. */
static int join_front(mli_csv_column *c)
{
    if (!c->all.base) return 1;
    if (c->all.plain && !mli_csv_part_plain(&c->front)) return 0;
    if (!mli_csv_part_append(&c->front, &c->all, 0)) return 0;
    mli_csv_part whole = c->front;
    c->front = c->all;
    c->all = whole;
    mli_csv_part_free(&c->front);
    return 1;
}

/* Texts that are dates in one order become dates. A file has one order: columns that can
 * be read in both follow those that cannot; without any, they stay texts. */
static int make_dates(mli_csv_reader *r)
{
    int order = r->o.date_order, found = 0;
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        c->dates = c->forced < 0 ? mli_csv_part_dates(&c->all) : 0;
        int only = c->dates & MLI_CSV_BOTH;
        if (only != MLI_CSV_BOTH) found |= only;
    }
    if (!order) order = found;
    for (int64_t i = 0; i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        int wanted = c->dates & MLI_CSV_BOTH;
        if (wanted == MLI_CSV_BOTH)
            wanted = order == wanted ? 0 : order;
        else if (r->o.date_order && wanted)
            wanted &= order;
        c->order = (int16_t)wanted;
        if (!wanted && !(c->dates & MLI_CSV_ANY_ORDER)) continue;
        if (!mli_csv_part_become(&c->all,
                                 c->dates & MLI_CSV_TIMED ? MLI_CSV_TIME : MLI_CSV_DATE,
                                 wanted == MLI_CSV_DAY_FIRST))
            return 0;
    }
    return 1;
}

/* Texts that are numbers with signs become numbers. */
static int make_amounts(mli_csv_reader *r)
{
    int ok = 1;
    for (int64_t i = 0; ok && i < r->n_columns; i++) {
        mli_csv_part *p = &r->columns[i].all;
        char mark = 0;
        if (r->columns[i].forced < 0)
            mark = mli_csv_part_amounts(p, r->o.dialect.decimal);
        if (mark) ok = mli_csv_part_become(p, MLI_CSV_REAL, mark);
    }
    return ok;
}

ml_status mli_csv_table_make(mli_csv_reader *r, ml_table **out, ml_error *err)
{
    ml_table *t = NULL;
    ml_status st = mli_table_alloc(r->ctx, r->rows, r->n_columns, &t, err);
    int ok = 1;
    for (int64_t i = 0; ok && st == ML_OK && i < r->n_columns; i++)
        ok = join_front(&r->columns[i]);
    if (st == ML_OK && !(ok && make_dates(r) && make_amounts(r)))
        st = mli_spill_error(r->spill, err);
    for (int64_t i = 0; st == ML_OK && i < r->n_columns; i++) {
        mli_csv_column *c = &r->columns[i];
        int category = is_category(c, &c->all, r->o.max_categories);
        st = mli_csv_part_column(&c->all, c->name, category, &t->columns[i], err);
        t->columns[i].order = c->order;
        mli_csv_part_free(&c->all);
    }
    if (st == ML_OK) t->spill = mli_spill_ref(r->spill);
    if (st == ML_OK) st = mli_table_seal(t, err);
    if (st == ML_OK)
        *out = t;
    else
        ml_table_free(t);
    return st;
}
