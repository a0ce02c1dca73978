/* SPDX-License-Identifier: MIT
 *
 * trees/crosses.c: crosses of a model: reading, names, looking up.
 *
 * Keys are hashes, evenly spread, so that their upper bits say about where in the table
 * they are: a directory made for the predictor leads to a key or two. Rows are looked up
 * some at a time: first what their elements are, of which tables share most, then for
 * each table the keys of all rows, then where these keys are. Cost per row: a
 * multiplication for each element, two reads of memory for each table.
 */
#include "algorithms/trees/crosses.h"
#include "core/hashmap.h"

#include <math.h>
#include <string.h>

#define ELEMENTS_MAX 64 /* of a table */
#define PER_SLOT     1  /* keys, about */
#define GROUP        32 /* rows at a time */

/* ---- reading ---- */

static ml_status damaged(const char *what, ml_error *err)
{
    return mli_fail(err, ML_E_FORMAT, "tensor %s is damaged", what);
}

/* Do starts rise from 0 to the end? */
static int rises(const int64_t *start, int64_t n, int64_t end)
{
    if (start[0] != 0 || start[n] != end) return 0;
    for (int64_t i = 0; i < n; i++)
        if (start[i] > start[i + 1]) return 0;
    return 1;
}

static ml_status check_elements(const mli_crosses *c, int64_t levels, ml_error *err)
{
    if (!rises(c->start, c->n_tables, c->n_elements)) return damaged("cross_start", err);
    if (!rises(c->level_start, c->n_inputs, levels))
        return damaged("cross_level_start", err);
    for (int64_t t = 0; t < c->n_tables; t++)
        if (c->start[t + 1] == c->start[t] ||
            c->start[t + 1] - c->start[t] > ELEMENTS_MAX)
            return damaged("cross_start", err);
    for (int64_t i = 0; i < c->n_elements; i++) {
        if (c->feature[i] < 0 || c->feature[i] >= c->n_inputs)
            return damaged("cross_feature", err);
        if (c->kind[i] >= MLI_CROSS_KINDS) return damaged("cross_kind", err);
        if (isnan(c->at[i])) return damaged("cross_at", err);
    }
    return ML_OK;
}

static ml_status check_keys(const mli_crosses *c, int64_t keys, ml_error *err)
{
    if (!rises(c->key_start, c->n_tables, keys)) return damaged("cross_key_start", err);
    for (int64_t t = 0; t < c->n_tables; t++) {
        if (c->key_start[t + 1] - c->key_start[t] > INT32_MAX)
            return damaged("cross_key_start", err);
        for (int64_t i = c->key_start[t] + 1; i < c->key_start[t + 1]; i++)
            if (c->key[i - 1] >= c->key[i]) return damaged("cross_keys", err);
    }
    return ML_OK;
}

static ml_status check_values(const mli_crosses *c, int64_t values, ml_error *err)
{
    int64_t need = 0, rows;
    for (int64_t i = 0; i < c->n_columns; i++) {
        int32_t t = c->table[i];
        if (t < 0 || t >= c->n_tables || (i && t < c->table[i - 1]))
            return damaged("cross_table", err);
        rows = c->key_start[t + 1] - c->key_start[t] + 1;
        if (__builtin_add_overflow(need, rows, &need)) return mli_nomem(err);
    }
    if (need != values) return damaged("cross_values", err);
    for (int64_t i = 0; i < values; i++)
        if (!isfinite(c->value[i])) return damaged("cross_values", err);
    return ML_OK;
}

static ml_status want(const ml_model *m, mli_crosses *c, int64_t *keys, int64_t *values,
                      int64_t *levels, ml_error *err)
{
    int64_t starts = -1, inputs = c->n_inputs + 1, *n = &c->n_elements;
    ml_status s =
        mli_model_want(m, "cross_start", ML_DTYPE_I64, 1, &starts, &c->start, err);
    if (!s && starts < 2) s = damaged("cross_start", err);
    c->n_tables = starts - 1;
    c->n_columns = c->n_elements = *keys = *values = *levels = -1;
    if (!s) s = mli_model_want(m, "cross_feature", ML_DTYPE_I32, 1, n, &c->feature, err);
    if (!s) s = mli_model_want(m, "cross_kind", ML_DTYPE_U8, 1, n, &c->kind, err);
    if (!s) s = mli_model_want(m, "cross_at", ML_DTYPE_F64, 1, n, &c->at, err);
    if (!s)
        s = mli_model_want(m, "cross_key_start", ML_DTYPE_I64, 1, &starts, &c->key_start,
                           err);
    if (!s) s = mli_model_want(m, "cross_keys", ML_DTYPE_U64, 1, keys, &c->key, err);
    if (!s)
        s = mli_model_want(m, "cross_table", ML_DTYPE_I32, 1, &c->n_columns, &c->table,
                           err);
    if (!s)
        s = mli_model_want(m, "cross_values", ML_DTYPE_F32, 1, values, &c->value, err);
    if (!s)
        s = mli_model_want(m, "cross_level_start", ML_DTYPE_I64, 1, &inputs,
                           &c->level_start, err);
    if (!s)
        s = mli_model_want(m, "cross_level_hash", ML_DTYPE_I32, 1, levels, &c->level_hash,
                           err);
    return s;
}

ml_status mli_crosses_read(const ml_model *m, mli_crosses *out, ml_error *err)
{
    int64_t keys, values, levels;
    *out = (mli_crosses){.n_inputs = m->inputs->n_features};
    if (!mli_model_find(m, "cross_start")) return ML_OK;
    ml_status s = want(m, out, &keys, &values, &levels, err);
    if (!s && (out->n_columns < 1 || out->n_columns > INT32_MAX - out->n_inputs))
        s = damaged("cross_table", err);
    if (!s) s = check_elements(out, levels, err);
    if (!s) s = check_keys(out, keys, err);
    return s ? s : check_values(out, values, err);
}

/* ---- columns and the inputs that they are made of ---- */

static int is_category(const mli_crosses *c, int64_t i)
{
    return c->kind[i] == MLI_CROSS_CATEGORY || c->kind[i] == MLI_CROSS_HASH;
}

/* Whose is a column? Of its categories, as CatBoost has it; of all inputs where there are
 * none. Does element i name one of them, and is it the first to do so? */
static int owns(const mli_crosses *c, int64_t t, int64_t i)
{
    int any = 0;
    for (int64_t k = c->start[t]; k < c->start[t + 1]; k++) any |= is_category(c, k);
    if (any && !is_category(c, i)) return 0;
    for (int64_t k = c->start[t]; k < i; k++)
        if (c->feature[k] == c->feature[i] && (!any || is_category(c, k))) return 0;
    return 1;
}

static int64_t count_owners(const mli_crosses *c, int64_t t)
{
    int64_t n = 0;
    for (int64_t i = c->start[t]; i < c->start[t + 1]; i++) n += owns(c, t, i);
    return n;
}

void mli_cross_share(const mli_crosses *c, int64_t column, double x, double *to,
                     int64_t stride)
{
    int64_t t = c->table[column];
    double n = (double)count_owners(c, t);
    for (int64_t i = c->start[t]; i < c->start[t + 1]; i++)
        if (owns(c, t, i)) to[c->feature[i] * stride] += x / n;
}

static int is_owner(const mli_crosses *c, int64_t t, int32_t input)
{
    for (int64_t i = c->start[t]; i < c->start[t + 1]; i++)
        if (c->feature[i] == input && owns(c, t, i)) return 1;
    return 0;
}

static int same_owners(const mli_crosses *c, int64_t t, int64_t u)
{
    for (int64_t i = c->start[t]; i < c->start[t + 1]; i++)
        if (owns(c, t, i) && !is_owner(c, u, c->feature[i])) return 0;
    return count_owners(c, t) == count_owners(c, u);
}

static int32_t first_owner(const mli_crosses *c, int64_t t)
{
    int64_t i = c->start[t];
    while (!owns(c, t, i)) i++;
    return c->feature[i];
}

ml_status mli_cross_players(ml_context *ctx, const mli_crosses *c, int32_t **out,
                            ml_error *err)
{
    int32_t inputs = (int32_t)c->n_inputs;
    int32_t *player = mli_alloc_vec(ctx, c->n_inputs + c->n_columns, sizeof *player);
    if (!player) return mli_nomem(err);
    for (int32_t j = 0; j < inputs; j++) player[j] = j;
    for (int32_t i = 0; i < (int32_t)c->n_columns; i++) {
        int64_t t = c->table[i];
        int32_t k = 0;
        if (i && t == c->table[i - 1]) {
            player[inputs + i] = player[inputs + i - 1];
            continue;
        }
        while (k < i && !same_owners(c, t, c->table[k])) k++;
        player[inputs + i] = k < i ? player[inputs + k] : inputs + i;
        if (count_owners(c, t) == 1) player[inputs + i] = first_owner(c, t);
    }
    *out = player;
    return ML_OK;
}

static void add_level(const mli_inputs *inputs, int64_t j, double code, mli_str *s)
{
    const mli_dictionary *d = &inputs->features[j].levels;
    if (inputs->features[j].hashed) {
        mli_str_printf(s, "#%.0f", code);
        return;
    }
    if (code < 0 || code >= (double)d->n) {
        mli_str_add(s, "?");
        return;
    }
    const int64_t *at = &d->offsets[(int64_t)code];
    mli_str_add_n(s, d->bytes + at[0], (size_t)(at[1] - at[0]));
}

void mli_cross_name(const mli_crosses *c, const mli_inputs *inputs, int64_t column,
                    mli_str *s)
{
    int64_t t = c->table[column];
    mli_str_printf(s, "cross %lld (", (long long)column);
    for (int64_t i = c->start[t]; i < c->start[t + 1]; i++) {
        if (i > c->start[t]) mli_str_add(s, ", ");
        mli_str_add(s, inputs->features[c->feature[i]].name);
        if (is_category(c, i)) continue;
        mli_str_add(s, c->kind[i] == MLI_CROSS_EQUAL ? " = " : " > ");
        if (c->kind[i] == MLI_CROSS_EQUAL)
            add_level(inputs, c->feature[i], c->at[i], s);
        else
            mli_str_f64(s, c->at[i]);
    }
    mli_str_add(s, ")");
}

/* ---- looking up ---- */

typedef struct table {
    const uint64_t *key;
    const uint32_t *slot; /* first key of each value of the upper bits, and the end */
    const float *value;   /* [n + 1][n_columns] */
    int64_t n, n_columns, element, n_elements;
    int32_t shift; /* what is left of a key is the slot; 64: there is one */
} table;

/* What an element is for a row: its part of the key, and whether it is known. Tables have
 * many elements in common. */
typedef struct atom {
    int64_t feature, n;  /* n: categories */
    const int32_t *hash; /* [n] */
    double at;
    int32_t kind;
} atom;

struct mli_crosser {
    ml_context *ctx;
    mli_crosses c;
    table *tables;
    uint32_t *slots;
    int64_t n_atoms;
    atom *atoms;
    int32_t *atom_of; /* [elements] */
};

static int32_t slot_bits(int64_t keys)
{
    int32_t bits = 0;
    while (bits < 40 && ((int64_t)PER_SLOT << bits) < keys) bits++;
    return bits;
}

static int64_t slot_of(const table *t, uint64_t key)
{
    return t->shift == 64 ? 0 : (int64_t)(key >> t->shift);
}

static void fill_slots(const table *t, uint32_t *slot)
{
    int64_t slots = (int64_t)1 << (64 - t->shift), at = 0;
    for (int64_t i = 0; i < slots; i++) {
        while (at < t->n && slot_of(t, t->key[at]) < i) at++;
        slot[i] = (uint32_t)at;
    }
    slot[slots] = (uint32_t)t->n;
}

static void prepare(mli_crosser *x)
{
    const mli_crosses *c = &x->c;
    const float *value = c->value;
    uint32_t *slot = x->slots;
    int64_t column = 0;
    for (int64_t i = 0; i < c->n_tables; i++) {
        table *t = &x->tables[i];
        t->key = c->key + c->key_start[i];
        t->n = c->key_start[i + 1] - c->key_start[i];
        t->element = c->start[i];
        t->n_elements = c->start[i + 1] - c->start[i];
        while (column < c->n_columns && c->table[column] == i) column++, t->n_columns++;
        t->value = value;
        value += (t->n + 1) * t->n_columns;
        t->shift = 64 - slot_bits(t->n);
        t->slot = slot;
        fill_slots(t, slot);
        slot += ((int64_t)1 << (64 - t->shift)) + 1;
    }
}

static ml_status find_atoms(mli_crosser *x, ml_error *err)
{
    const mli_crosses *c = &x->c;
    mli_map map;
    ml_status s = ML_OK;
    x->atoms = mli_calloc(x->ctx, (size_t)c->n_elements, sizeof *x->atoms);
    x->atom_of = mli_alloc_vec(x->ctx, c->n_elements, sizeof *x->atom_of);
    if (!x->atoms || !x->atom_of) return mli_nomem(err);
    mli_map_init(&map, x->ctx);
    for (int64_t i = 0; i < c->n_elements && !s; i++) {
        double key[3] = {c->feature[i], c->kind[i], c->at[i]};
        int64_t j = c->feature[i], first = c->level_start[j];
        int32_t k = mli_map_add(&map, (const char *)key, sizeof key);
        if (k < 0) {
            s = mli_nomem(err);
        } else {
            x->atom_of[i] = k;
            x->atoms[k] = (atom){j, c->level_start[j + 1] - first, c->level_hash + first,
                                 c->at[i], c->kind[i]};
        }
    }
    x->n_atoms = map.count;
    mli_map_free(&map);
    return s;
}

ml_status mli_crosser_new(ml_context *ctx, const mli_crosses *c, mli_crosser **out,
                          ml_error *err)
{
    mli_crosser *x = mli_calloc(ctx, 1, sizeof *x);
    int64_t slots = 0;
    if (!x) return mli_nomem(err);
    for (int64_t i = 0; i < c->n_tables; i++)
        slots += ((int64_t)1 << slot_bits(c->key_start[i + 1] - c->key_start[i])) + 1;
    x->ctx = ctx;
    x->c = *c;
    x->tables = mli_calloc(ctx, (size_t)c->n_tables, sizeof *x->tables);
    x->slots = mli_alloc_vec(ctx, slots, sizeof *x->slots);
    ml_status s = x->tables && x->slots ? find_atoms(x, err) : mli_nomem(err);
    if (s) {
        mli_crosser_free(x);
        return s;
    }
    prepare(x);
    *out = x;
    return ML_OK;
}

void mli_crosser_free(mli_crosser *x)
{
    if (!x) return;
    mli_free(x->ctx, x->tables);
    mli_free(x->ctx, x->slots);
    mli_free(x->ctx, x->atoms);
    mli_free(x->ctx, x->atom_of);
    mli_free(x->ctx, x);
}

/* 0: a category that is not known. */
static int part_of(const atom *a, double x, int64_t *next)
{
    switch (a->kind) {
    case MLI_CROSS_CATEGORY:
        if (!(x >= 0 && x < (double)a->n)) return 0;
        *next = a->hash[(int64_t)x];
        return 1;
    case MLI_CROSS_HASH:
        if (!(x >= 0 && x <= UINT32_MAX)) return 0;
        *next = (int32_t)(uint32_t)x;
        return 1;
    case MLI_CROSS_EQUAL:
        *next = x >= 0 && floor(x) == a->at;
        return 1;
    case MLI_CROSS_ABOVE:
        *next = x > a->at;
        return 1;
    default:
        *next = !(x <= a->at);
        return 1;
    }
}

/* The atoms of up to GROUP rows. */
static void fill_atoms(const mli_crosser *x, const double *rows, int64_t n,
                       int64_t row_stride, uint64_t *part, uint8_t *known)
{
    for (int64_t k = 0; k < x->n_atoms; k++, part += GROUP, known += GROUP) {
        const atom *a = &x->atoms[k];
        const double *from = rows + a->feature;
        for (int64_t r = 0; r < n; r++) {
            int64_t next = 0;
            known[r] = (uint8_t)part_of(a, from[r * row_stride], &next);
            part[r] = mli_cross_mix(0, next);
        }
    }
}

/* The keys of n rows; the same factor as in mli_cross_mix. */
static void make_keys(const mli_crosser *x, const table *t, int64_t n,
                      const uint64_t *part, const uint8_t *known, uint64_t *key,
                      uint8_t *all)
{
    const uint64_t factor = mli_cross_mix(1, 0);
    const int32_t *atoms = x->atom_of + t->element;
    for (int64_t r = 0; r < n; r++) {
        key[r] = part[atoms[0] * GROUP + r];
        all[r] = known[atoms[0] * GROUP + r];
    }
    for (int64_t i = 1; i < t->n_elements; i++) {
        const uint64_t *p = part + (int64_t)atoms[i] * GROUP;
        const uint8_t *k = known + (int64_t)atoms[i] * GROUP;
        for (int64_t r = 0; r < n; r++) {
            key[r] = factor * key[r] + p[r];
            all[r] &= k[r];
        }
    }
}

/* The place of a key, n when it is not there. */
static int64_t find(const table *t, uint64_t key)
{
    int64_t slot = slot_of(t, key), low = t->slot[slot], high = t->slot[slot + 1];
    while (high - low > 8) { /* few keys, unless somebody has chosen them */
        int64_t middle = low + (high - low) / 2;
        if (t->key[middle] <= key)
            low = middle;
        else
            high = middle;
    }
    for (; low < high; low++)
        if (t->key[low] == key) return low;
    return t->n;
}

size_t mli_crosser_scratch(const mli_crosser *x)
{
    return (size_t)x->n_atoms * GROUP * (sizeof(uint64_t) + 1);
}

void mli_crosser_rows(const mli_crosser *x, const double *rows, int64_t n,
                      int64_t row_stride, double *out, int64_t stride, void *scratch)
{
    uint64_t *part = scratch, key[GROUP];
    uint8_t *known = (uint8_t *)(part + x->n_atoms * GROUP), all[GROUP];
    for (int64_t m; n > 0; n -= m, rows += m * row_stride, out += m * stride) {
        double *to = out;
        m = n < GROUP ? n : GROUP;
        fill_atoms(x, rows, m, row_stride, part, known);
        for (int64_t i = 0; i < x->c.n_tables; i++) {
            const table *t = &x->tables[i];
            make_keys(x, t, m, part, known, key, all);
            for (int64_t r = 0; r < m; r++) {
                const float *from =
                    t->value + (all[r] ? find(t, key[r]) : t->n) * t->n_columns;
                for (int64_t k = 0; k < t->n_columns; k++)
                    to[r * stride + k] = (double)from[k];
            }
            to += t->n_columns;
        }
    }
}
