/* SPDX-License-Identifier: MIT
 *
 * data/stack.c: the rows of two tables below each other (SQL's UNION ALL), columns by
 * name. A column that one table lacks is missing in its rows. Types that differ become
 * the one that holds both: whole numbers i64, other numbers f64, dates and times times,
 * categories and texts text; categories of both tables share one list of levels.
 */
#include "core/parallel.h"
#include "data/keys.h"

#include <math.h>
#include <string.h>

typedef struct {
    ml_context *ctx;
    const ml_table *table[2];
    ml_table *out;
    atomic_int failed;
} stacking;

static int is_float(int32_t type)
{
    return type == ML_DTYPE_F32 || type == ML_DTYPE_F64;
}

static int is_words(int32_t type)
{
    return type == ML_TYPE_TEXT || type == ML_TYPE_CATEGORY;
}

/* The type that holds the values of both; -1 when there is none. */
static int32_t common_type(int32_t a, int32_t b)
{
    if (a == b) return a;
    if (is_words(a) && is_words(b)) return ML_TYPE_TEXT;
    if (mli_type_is_time(a) && mli_type_is_time(b)) return ML_TYPE_TIMESTAMP;
    if (!mli_type_is_number(a) || !mli_type_is_number(b)) return -1;
    int real = is_float(a) || is_float(b) || a == ML_DTYPE_U64 || b == ML_DTYPE_U64;
    return real ? ML_DTYPE_F64 : ML_DTYPE_I64;
}

/* ---- values ---- */

static void set_bit(uint8_t *bits, int64_t i)
{
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7));
}

#define WIDEN(type)                                                                      \
    for (int64_t i = 0; i < c->rows; i++) out[i] = ((const type *)c->data)[i * c->stride]

static void copy_integers(const mli_column *c, int64_t *out)
{
    switch (c->type) {
    case ML_DTYPE_BOOL:
        for (int64_t i = 0; i < c->rows; i++) {
            int64_t bit = c->offset + i;
            out[i] = ((const uint8_t *)c->data)[bit >> 3] >> (bit & 7) & 1;
        }
        break;
    case ML_DTYPE_I8:
        WIDEN(int8_t);
        break;
    case ML_DTYPE_I16:
        WIDEN(int16_t);
        break;
    case ML_DTYPE_I32:
        WIDEN(int32_t);
        break;
    case ML_DTYPE_U8:
        WIDEN(uint8_t);
        break;
    case ML_DTYPE_U16:
        WIDEN(uint16_t);
        break;
    case ML_DTYPE_U32:
        WIDEN(uint32_t);
        break;
    default:
        WIDEN(int64_t);
    }
}

static void copy_elements(const mli_column *c, char *out)
{
    size_t size = mli_type_size(c->type);
    const char *from = c->data;
    if (c->rows == 0) return;
    if (c->stride == 1) {
        memcpy(out, from, (size_t)c->rows * size);
        return;
    }
    for (int64_t i = 0; i < c->rows; i++)
        memcpy(out + (size_t)i * size, from + i * c->stride * (int64_t)size, size);
}

/* The values of a part from row `at` of the result on, which has another type or not. */
static void copy_values(const mli_column *c, int32_t type, void *data, int64_t at)
{
    if (type == ML_DTYPE_BOOL) {
        for (int64_t i = 0; i < c->rows; i++) {
            int64_t bit = c->offset + i;
            if (((const uint8_t *)c->data)[bit >> 3] >> (bit & 7) & 1)
                set_bit(data, at + i);
        }
    } else if (type == c->type) {
        copy_elements(c, (char *)data + (size_t)at * mli_type_size(type));
    } else if (type == ML_DTYPE_F64) {
        mli_column_f64(c, 0, c->rows, (double *)data + at, 1);
    } else if (type == ML_DTYPE_I64) {
        copy_integers(c, (int64_t *)data + at);
    } else {
        int64_t *micros = (int64_t *)data + at;
        for (int64_t i = 0; i < c->rows; i++)
            micros[i] = mli_days_to_micros(((const int32_t *)c->data)[i]);
    }
}

static int stack_fixed(ml_context *ctx, const mli_column *const *part,
                       const int64_t *rows, mli_column *to)
{
    void *data;
    size_t size = mli_type_size(to->type), n = (size_t)to->rows;
    to->keep[0] = mli_buffer_new(ctx, size ? n * size : (n + 7) / 8, &data);
    if (!to->keep[0]) return 0;
    if (part[0]) copy_values(part[0], to->type, data, 0);
    if (part[1]) copy_values(part[1], to->type, data, rows[0]);
    to->data = data;
    return 1;
}

/* ---- texts ---- */

static int stack_texts(ml_context *ctx, const mli_column *const *part,
                       const int64_t *rows, mli_column *to)
{
    int64_t *ends, total = 0;
    char *bytes;
    to->keep[1] = mli_buffer_new(ctx, ((size_t)to->rows + 1) * sizeof *ends, &ends);
    if (!to->keep[1]) return 0;
    for (int64_t i = 0; i < to->rows; i++) {
        int right = i >= rows[0];
        size_t size = 0;
        const mli_column *c = part[right];
        if (c && !mli_column_text(c, right ? i - rows[0] : i, &size)) size = 0;
        if (__builtin_add_overflow(total, (int64_t)size, &total)) return 0;
        ends[i + 1] = total;
    }
    to->keep[0] = mli_buffer_new(ctx, (size_t)total + 1, &bytes);
    if (!to->keep[0]) return 0;
    for (int64_t i = 0; i < to->rows; i++) {
        int right = i >= rows[0];
        size_t size = (size_t)(ends[i + 1] - ends[i]);
        if (size)
            memcpy(bytes + ends[i],
                   mli_column_text(part[right], right ? i - rows[0] : i, &size), size);
    }
    to->data = bytes;
    to->offsets = ends;
    return 1;
}

/* ---- categories ---- */

/* The levels of both tables in one list, those of the left one first. */
static int join_levels(ml_context *ctx, const mli_map *levels, mli_column *to)
{
    int64_t *ends, n = levels->count;
    char *bytes;
    size_t size = n ? (size_t)levels->offsets[n] : 0;
    to->keep[1] = mli_buffer_new(ctx, ((size_t)n + 1) * sizeof *ends, &ends);
    to->keep[2] = mli_buffer_new(ctx, size + 1, &bytes);
    if (!to->keep[1] || !to->keep[2]) return 0;
    if (n) memcpy(ends, levels->offsets, ((size_t)n + 1) * sizeof *ends);
    if (size) memcpy(bytes, levels->bytes, size);
    to->levels = bytes;
    to->level_offsets = ends;
    to->n_levels = n;
    return 1;
}

/* The codes of a part; those outside of its levels, which are missing, become -1. */
static int copy_codes(ml_context *ctx, const mli_column *c, mli_map *levels, int32_t *out)
{
    const int32_t *codes = c->data;
    int32_t *code = mli_alloc_vec(ctx, c->n_levels + 1, sizeof *code);
    int ok = code != NULL;
    for (int64_t k = 0; k < c->n_levels && ok; k++) {
        const int64_t *at = c->level_offsets + k;
        code[k] = mli_map_add(levels, c->levels + at[0], (size_t)(at[1] - at[0]));
        ok = code[k] >= 0;
    }
    for (int64_t i = 0; i < c->rows && ok; i++) {
        int32_t k = codes[i * c->stride];
        out[i] = k >= 0 && k < c->n_levels ? code[k] : -1;
    }
    mli_free(ctx, code);
    return ok;
}

static int stack_categories(ml_context *ctx, const mli_column *const *part,
                            const int64_t *rows, mli_column *to)
{
    int32_t *codes;
    mli_map levels;
    mli_map_init(&levels, ctx);
    to->keep[0] = mli_buffer_new(ctx, (size_t)to->rows * sizeof *codes, &codes);
    int ok = to->keep[0] != NULL;
    if (ok && part[0]) ok = copy_codes(ctx, part[0], &levels, codes);
    if (ok && part[1]) ok = copy_codes(ctx, part[1], &levels, codes + rows[0]);
    if (ok) ok = join_levels(ctx, &levels, to);
    mli_map_free(&levels);
    to->data = codes;
    return ok;
}

/* ---- columns ---- */

static int stack_validity(ml_context *ctx, const mli_column *const *part,
                          const int64_t *rows, mli_column *to)
{
    uint8_t *bits;
    int whole = 1;
    for (int k = 0; k < 2; k++)
        whole &= part[k] ? !part[k]->validity || part[k]->null_count == 0 : rows[k] == 0;
    if (whole) return 1;
    to->keep[4] = mli_buffer_new(ctx, ((size_t)to->rows + 7) / 8, &bits);
    if (!to->keep[4]) return 0;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; part[k] && i < rows[k]; i++)
            if (mli_column_valid(part[k], i)) set_bit(bits, (k ? rows[0] : 0) + i);
    to->validity = bits;
    return 1;
}

static void find_parts(const stacking *s, const char *name, const mli_column **part)
{
    for (int k = 0; k < 2; k++) {
        int64_t at = ml_table_find(s->table[k], name);
        part[k] = at < 0 ? NULL : &s->table[k]->columns[at];
    }
}

/* A part of a type that the result does not have has no values. */
static int fits(const mli_column *part, int32_t type)
{
    return part && common_type(part->type, type) == type;
}

static void stack_column(void *arg, int64_t task, int32_t slot)
{
    stacking *s = arg;
    mli_column *to = &s->out->columns[task];
    const mli_column *part[2];
    const int64_t rows[2] = {s->table[0]->rows, s->table[1]->rows};
    (void)slot;
    find_parts(s, to->name, part);
    for (int k = 0; k < 2; k++)
        if (!fits(part[k], to->type)) part[k] = NULL;
    int ok = to->type == ML_TYPE_TEXT       ? stack_texts(s->ctx, part, rows, to)
             : to->type == ML_TYPE_CATEGORY ? stack_categories(s->ctx, part, rows, to)
                                            : stack_fixed(s->ctx, part, rows, to);
    if (ok) ok = stack_validity(s->ctx, part, rows, to);
    if (!ok) atomic_store(&s->failed, 1);
    if (ok && (to->validity || to->type == ML_TYPE_CATEGORY))
        to->null_count = mli_column_count_missing(to, 0, to->rows);
}

/* A column without any value takes the type of its partner. */
static int32_t type_of(const mli_column *a, const mli_column *b)
{
    if (!a || !b) return a ? a->type : b->type;
    int32_t type = common_type(a->type, b->type);
    if (type >= 0) return type;
    return mli_column_empty(a) ? b->type : mli_column_empty(b) ? a->type : -1;
}

/* Name and type of a column of the result. */
static ml_status name_column(const stacking *s, const char *name, mli_column *to,
                             ml_error *err)
{
    const mli_column *part[2];
    find_parts(s, name, part);
    to->type = type_of(part[0], part[1]);
    to->rows = s->table[0]->rows + s->table[1]->rows;
    to->stride = 1;
    to->ordered = (!part[0] || part[0]->ordered) && (!part[1] || part[1]->ordered);
    to->order = (part[0] ? part[0] : part[1])->order;
    if (to->type < 0) {
        mli_fail(err, ML_E_TYPE, "\"%s\" is %s in the left table and %s in the right one",
                 name, mli_type_name(part[0]->type), mli_type_name(part[1]->type));
        return mli_error_hint(err, ML_E_TYPE, "give both one type, or leave one out");
    }
    to->name = mli_strdup(s->ctx, name);
    return to->name ? ML_OK : mli_nomem(err);
}

/* Columns are found by their names, so a table must not have one twice. */
static ml_status check_names(const ml_table *t, const char *whose, ml_error *err)
{
    for (int64_t i = 0; i < t->n_columns; i++) {
        if (ml_table_find(t, t->columns[i].name) == i) continue;
        return mli_fail(err, ML_E_NAME, "%s has two columns \"%s\"", whose,
                        t->columns[i].name);
    }
    return ML_OK;
}

static ml_status name_columns(stacking *s, ml_error *err)
{
    const ml_table *left = s->table[0], *right = s->table[1];
    int64_t n = left->n_columns, rows;
    ml_status status = check_names(left, "the left table", err);
    if (!status) status = check_names(right, "the right table", err);
    for (int64_t i = 0; i < right->n_columns; i++)
        n += ml_table_find(left, right->columns[i].name) < 0;
    if (!status && __builtin_add_overflow(left->rows, right->rows, &rows))
        status = mli_nomem(err);
    if (!status) status = mli_table_alloc(s->ctx, rows, n, &s->out, err);
    for (int64_t i = 0; i < left->n_columns && !status; i++)
        status = name_column(s, left->columns[i].name, &s->out->columns[i], err);
    n = left->n_columns;
    for (int64_t i = 0; i < right->n_columns && !status; i++)
        if (ml_table_find(left, right->columns[i].name) < 0)
            status = name_column(s, right->columns[i].name, &s->out->columns[n++], err);
    return status;
}

ml_status mli_table_stack(const ml_table *left, const ml_table *right, ml_table **out,
                          ml_error *err)
{
    stacking s = {.ctx = left->ctx, .table = {left, right}};
    atomic_init(&s.failed, 0);
    ml_status status = name_columns(&s, err);
    if (!status) {
        mli_parallel(s.ctx, s.out->n_columns, stack_column, &s);
        if (atomic_load(&s.failed)) status = mli_nomem(err);
    }
    if (!status) status = mli_table_seal(s.out, err);
    if (status)
        ml_table_free(s.out);
    else
        *out = s.out;
    return status;
}
