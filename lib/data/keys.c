/* SPDX-License-Identifier: MIT
 *
 * data/keys.c: groups by hashing. Every row gets a hash of its keys; rows are scattered
 * by hash into parts, and each part has a table of its own, open-addressed, of 32 bits of
 * the hash and the number of a row. (Partitioned hashing: Balkesen et al., Main-memory
 * hash joins on multi-core CPUs, ICDE 2013.) Cost: linear in the rows.
 */
#include "data/keys.h"
#include "core/parallel.h"
#include "data/distinct.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define GRAIN     32768
#define PARTS     64
#define FEW       65536 /* rows in one part */
#define AHEAD     32    /* rows whose slots are fetched before they are looked at */
#define ROWS_MOST 0xFFFFFFFELL
#define SEED      0x9e3779b97f4a7c15u
#define NO_HASH   0 /* of rows that have no group */

/* WHOLE: numbers of 64 bits. REAL: one of both is real, or there are unsigned and signed
 * numbers: hashed as doubles, compared exactly. */
enum { WHOLE, REAL, WORDS, MICROS };

/* ---- how columns are compared ---- */

static int is_words(const mli_column *c)
{
    return c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY;
}

static int is_real(const mli_column *c)
{
    return c->type == ML_DTYPE_F32 || c->type == ML_DTYPE_F64;
}

static int alike(const mli_column *x, const mli_column *y)
{
    return is_words(x) == is_words(y) &&
           mli_type_is_time(x->type) == mli_type_is_time(y->type);
}

static ml_status unlike(const mli_column *x, const mli_column *y, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "the key \"%s\" is %s, and \"%s\" of the other table is %s",
             x->name, mli_type_name(x->type), y->name, mli_type_name(y->type));
    return mli_error_hint(err, ML_E_TYPE, "give both the same type");
}

ml_status mli_keys_agree(const mli_column *const *a, const mli_column *const *b,
                         int64_t n, int *how, ml_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        const mli_column *x = a[i], *y = b ? b[i] : a[i];
        if (!alike(x, y)) {
            if (mli_column_empty(y)) {
                y = x;
            } else if (mli_column_empty(x)) {
                x = y;
            } else {
                return unlike(x, y, err);
            }
        }
        int u64 = (x->type == ML_DTYPE_U64) != (y->type == ML_DTYPE_U64);
        how[i] = is_words(x)                                       ? WORDS
                 : is_real(x) || is_real(y) || u64                 ? REAL
                 : mli_type_is_time(x->type) && x->type != y->type ? MICROS
                                                                   : WHOLE;
    }
    return ML_OK;
}

static int64_t whole_at(const mli_column *c, int64_t row)
{
    int64_t at = row * c->stride;
    switch (c->type) {
    case ML_DTYPE_BOOL: {
        int64_t bit = c->offset + row;
        return (((const uint8_t *)c->data)[bit >> 3] >> (bit & 7)) & 1;
    }
    case ML_DTYPE_I8:
        return ((const int8_t *)c->data)[at];
    case ML_DTYPE_U8:
        return ((const uint8_t *)c->data)[at];
    case ML_DTYPE_I16:
        return ((const int16_t *)c->data)[at];
    case ML_DTYPE_U16:
        return ((const uint16_t *)c->data)[at];
    case ML_DTYPE_U32:
        return ((const uint32_t *)c->data)[at];
    case ML_DTYPE_I32:
    case ML_TYPE_DATE:
        return ((const int32_t *)c->data)[at];
    default:
        return ((const int64_t *)c->data)[at];
    }
}

static uint64_t word_at(const mli_column *c, int how, int64_t row)
{
    double v;
    uint64_t bits;
    if (how == WHOLE) return (uint64_t)whole_at(c, row);
    if (how == MICROS) { /* a date beyond the range of times equals none of them */
        int64_t value = whole_at(c, row), micros;
        if (c->type != ML_TYPE_DATE) return (uint64_t)value;
        if (__builtin_mul_overflow(value, MLI_DAY_MICROS, &micros))
            return mli_mix64((uint64_t)value);
        return (uint64_t)micros;
    }
    mli_column_f64(c, row, row + 1, &v, 1);
    v += 0.0; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static int missing_at(const mli_column *c, int64_t row)
{
    if (!mli_column_valid(c, row)) return 1;
    if (c->type == ML_TYPE_CATEGORY) {
        int32_t code = ((const int32_t *)c->data)[row * c->stride];
        return code < 0 || code >= c->n_levels;
    }
    double v;
    if (!is_real(c)) return 0;
    mli_column_f64(c, row, row + 1, &v, 1);
    return isnan(v);
}

/* One key of 8 bytes without missing values: the frequent case. */
static int is_plain(const mli_keys *k)
{
    const mli_column *c = k->n == 1 ? k->columns[0] : NULL;
    return c && k->how[0] == WHOLE && c->type == ML_DTYPE_I64 && c->stride == 1 &&
           !c->validity;
}

/* The hash of a row, never 0 unless it has no group. */
static uint64_t hash_at(const mli_keys *k, int missing, int64_t row)
{
    uint64_t h = SEED;
    for (int64_t i = 0; i < k->n; i++) {
        const mli_column *c = k->columns[i];
        uint64_t word = 0x5851f42d4c957f2du;
        if (missing_at(c, row)) {
            if (!missing) return NO_HASH;
        } else if (k->how[i] == WORDS) {
            size_t size = 0;
            const char *text = mli_column_text(c, row, &size);
            word = mli_hash(text, size);
        } else {
            word = word_at(c, k->how[i], row);
        }
        h = mli_mix64(h ^ word) + (uint64_t)i;
    }
    return h ? h : 1;
}

/* What hash_at gives of one whole number. */
static uint64_t hash_plain(int64_t key)
{
    uint64_t h = mli_mix64(SEED ^ (uint64_t)key);
    return h ? h : 1;
}

static int is_negative(const mli_column *c, int64_t value)
{
    return c->type != ML_DTYPE_U64 && value < 0;
}

/* Is the real number x exactly the whole number at a row? */
static int is_exactly(double x, const mli_column *c, int64_t row)
{
    int64_t value = whole_at(c, row);
    if (c->type == ML_DTYPE_U64)
        return x >= 0 && x < 0x1p64 && (uint64_t)x == (uint64_t)value;
    return x >= -0x1p63 && x < 0x1p63 && (int64_t)x == value;
}

/* Numbers of which the doubles are equal. */
static int same_exactly(const mli_column *a, int64_t i, const mli_column *b, int64_t j)
{
    double x;
    if (is_real(a) && is_real(b)) return 1;
    if (is_real(a) || is_real(b)) {
        mli_column_f64(is_real(a) ? a : b, is_real(a) ? i : j, (is_real(a) ? i : j) + 1,
                       &x, 1);
        return is_real(a) ? is_exactly(x, b, j) : is_exactly(x, a, i);
    }
    int64_t u = whole_at(a, i), v = whole_at(b, j);
    return u == v && is_negative(a, u) == is_negative(b, v);
}

static int same_value(const mli_column *a, int64_t i, const mli_column *b, int64_t j,
                      int how)
{
    int lacks = missing_at(a, i);
    if (lacks != missing_at(b, j)) return 0;
    if (lacks) return 1;
    if (how != WORDS)
        return word_at(a, how, i) == word_at(b, how, j) &&
               (how != REAL || same_exactly(a, i, b, j));
    size_t n = 0, m = 0;
    const char *x = mli_column_text(a, i, &n), *y = mli_column_text(b, j, &m);
    return n == m && (n == 0 || memcmp(x, y, n) == 0);
}

static int same_keys(const mli_keys *a, int64_t i, const mli_keys *b, int64_t j)
{
    if (is_plain(a) && is_plain(b))
        return ((const int64_t *)a->columns[0]->data)[i] ==
               ((const int64_t *)b->columns[0]->data)[j];
    for (int64_t k = 0; k < a->n; k++)
        if (!same_value(a->columns[k], i, b->columns[k], j, a->how[k])) return 0;
    return 1;
}

/* ---- hashes of all rows ---- */

typedef struct {
    const mli_keys *keys;
    int missing;
    uint64_t *hash;
} hashing;

static void hash_rows(void *arg, int64_t task, int32_t slot)
{
    const hashing *h = arg;
    int64_t end = (task + 1) * GRAIN < h->keys->rows ? (task + 1) * GRAIN : h->keys->rows;
    (void)slot;
    if (is_plain(h->keys)) {
        const int64_t *key = h->keys->columns[0]->data;
        for (int64_t i = task * GRAIN; i < end; i++) h->hash[i] = hash_plain(key[i]);
        return;
    }
    for (int64_t i = task * GRAIN; i < end; i++)
        h->hash[i] = hash_at(h->keys, h->missing, i);
}

static uint64_t *hash_all(const mli_keys *keys, int missing)
{
    hashing h = {keys, missing, mli_alloc_vec(keys->ctx, keys->rows + 1, sizeof *h.hash)};
    if (h.hash) mli_parallel(keys->ctx, mli_task_count(keys->rows, GRAIN), hash_rows, &h);
    return h.hash;
}

/* ---- groups ---- */

typedef struct {
    mli_groups *g;
    int64_t *order, *begin; /* rows by part; [parts + 1] */
    int64_t *leader;        /* [rows] the first row of the same group; -1: none */
    atomic_int failed;
} building;

static int64_t part_of(const mli_groups *g, uint64_t hash)
{
    return (int64_t)(hash >> 58) & (g->parts - 1);
}

/* Do the hashes of a sample repeat, so that there are far fewer groups than rows? Then
 * one small table does better than parts, which cost a pass over all rows in leaps. */
static int repeats(const mli_groups *g)
{
    enum { SAMPLE = 4096, SEEN = 4 * SAMPLE };
    uint64_t *seen = mli_calloc(g->ctx, SEEN, sizeof *seen);
    int64_t step = g->rows / SAMPLE + 1, looked = 0, again = 0;
    for (int64_t i = 0; seen && i < g->rows; i += step) {
        uint64_t h = g->hash[i], at = h % SEEN;
        while (seen[at] && seen[at] != h) at = (at + 1) % SEEN;
        again += h && seen[at] == h;
        looked += h != 0;
        if (h) seen[at] = h;
    }
    mli_free(g->ctx, seen);
    return 2 * again > looked;
}

/* Rows of each part, ascending. */
static void scatter(building *b)
{
    mli_groups *g = b->g;
    memset(b->begin, 0, (size_t)(g->parts + 1) * sizeof *b->begin);
    for (int64_t i = 0; i < g->rows; i++)
        if (g->hash[i]) b->begin[part_of(g, g->hash[i]) + 1]++;
    for (int64_t p = 0; p < g->parts; p++) b->begin[p + 1] += b->begin[p];
    for (int64_t i = 0; i < g->rows; i++)
        if (g->hash[i]) b->order[b->begin[part_of(g, g->hash[i])]++] = i;
    for (int64_t p = g->parts; p > 0; p--) b->begin[p] = b->begin[p - 1];
    b->begin[0] = 0;
}

/* The row that leads the keys of row i of `keys`, or -1; *at: its slot, or a free one. */
static int64_t look(const mli_groups *g, int64_t part, const mli_keys *keys, int64_t i,
                    uint64_t hash, uint64_t *at)
{
    const uint64_t *slots = g->slots[part];
    uint64_t tag = hash & 0xFFFFFFFF;
    for (*at = hash >> 20 & g->mask[part]; slots[*at]; *at = (*at + 1) & g->mask[part]) {
        int64_t row = (int64_t)(slots[*at] & 0xFFFFFFFF) - 1;
        if (slots[*at] >> 32 != tag) continue;
        if (same_keys(g->keys, row, keys, i)) return row;
    }
    return -1;
}

/* A table of `size` slots in place of that of a part, with all that it has. */
static int resize(mli_groups *g, int64_t part, int64_t size)
{
    uint64_t *old = g->slots[part], n = old ? g->mask[part] + 1 : 0;
    uint64_t *slots = mli_calloc(g->ctx, (size_t)size, sizeof *slots);
    if (!slots) return 0;
    g->slots[part] = slots;
    g->mask[part] = (uint64_t)size - 1;
    for (uint64_t k = 0; k < n; k++) {
        if (!old[k]) continue;
        uint64_t at = g->hash[(old[k] & 0xFFFFFFFF) - 1] >> 20 & g->mask[part];
        while (slots[at]) at = (at + 1) & g->mask[part];
        slots[at] = old[k];
    }
    mli_free(g->ctx, old);
    return 1;
}

/* All rows into one table that grows with the groups. */
static void build_one(building *b)
{
    enum { FIRST = 4096 };
    mli_groups *g = b->g;
    int64_t n = 0;
    int there = resize(g, 0, FIRST);
    for (int64_t i = 0; there && i < g->rows; i++) {
        uint64_t at;
        if (!g->hash[i]) continue;
        int64_t lead = look(g, 0, g->keys, i, g->hash[i], &at);
        b->leader[i] = lead < 0 ? i : lead;
        if (lead >= 0) continue;
        g->slots[0][at] = g->hash[i] << 32 | (uint64_t)(i + 1);
        if (2 * ++n > (int64_t)g->mask[0])
            there = resize(g, 0, 4 * ((int64_t)g->mask[0] + 1));
    }
    if (!there) atomic_store(&b->failed, 1);
}

static void build_part(void *arg, int64_t part, int32_t slot)
{
    building *b = arg;
    mli_groups *g = b->g;
    int64_t n = b->begin[part + 1] - b->begin[part], size = 16;
    (void)slot;
    while (size < 2 * n) size *= 2;
    if (!resize(g, part, size)) {
        atomic_store(&b->failed, 1);
        return;
    }
    for (int64_t k = b->begin[part]; k < b->begin[part + 1]; k++) {
        int64_t i = b->order[k];
        uint64_t at;
        if (k + AHEAD < b->begin[part + 1]) {
            uint64_t later = g->hash[b->order[k + AHEAD]];
            __builtin_prefetch(&g->slots[part][later >> 20 & g->mask[part]]);
        }
        int64_t lead = look(g, part, g->keys, i, g->hash[i], &at);
        if (lead < 0) g->slots[part][at] = g->hash[i] << 32 | (uint64_t)(i + 1);
        b->leader[i] = lead < 0 ? i : lead;
    }
}

/* Numbers groups by their first rows. */
static ml_status number(building *b, ml_error *err)
{
    mli_groups *g = b->g;
    for (int64_t i = 0; i < g->rows; i++) {
        int64_t lead = g->hash[i] ? b->leader[i] : -1;
        g->group[i] = lead < 0 ? -1 : lead == i ? g->n++ : g->group[lead];
    }
    g->first = mli_alloc_vec(g->ctx, g->n + 1, sizeof *g->first);
    if (!g->first) return mli_nomem(err);
    for (int64_t i = g->rows - 1; i >= 0; i--)
        if (g->group[i] >= 0) g->first[g->group[i]] = i;
    return ML_OK;
}

static ml_status build(building *b, ml_error *err)
{
    mli_groups *g = b->g;
    b->leader = mli_alloc_vec(g->ctx, g->rows + 1, sizeof *b->leader);
    if (g->parts > 1) {
        b->order = mli_alloc_vec(g->ctx, g->rows + 1, sizeof *b->order);
        b->begin = mli_alloc_vec(g->ctx, g->parts + 1, sizeof *b->begin);
    }
    int there = b->leader && (g->parts == 1 || (b->order && b->begin));
    ml_status status = there ? ML_OK : mli_nomem(err);
    if (!status && g->parts == 1) {
        build_one(b);
    } else if (!status) {
        scatter(b);
        mli_parallel(g->ctx, g->parts, build_part, b);
    }
    if (!status) status = atomic_load(&b->failed) ? mli_nomem(err) : number(b, err);
    mli_free(g->ctx, b->order);
    mli_free(g->ctx, b->begin);
    mli_free(g->ctx, b->leader);
    return status;
}

ml_status mli_groups_new(const mli_keys *keys, int missing, mli_groups *out,
                         ml_error *err)
{
    mli_groups g = {.ctx = keys->ctx, .rows = keys->rows, .keys = keys};
    if (keys->rows > ROWS_MOST)
        return mli_fail(err, ML_E_DATA, "the table has more than %lld rows", ROWS_MOST);
    g.hash = hash_all(keys, missing);
    g.parts = g.hash && keys->rows > FEW && !repeats(&g) ? PARTS : 1;
    g.group = mli_alloc_vec(g.ctx, g.rows + 1, sizeof *g.group);
    g.slots = mli_calloc(g.ctx, (size_t)g.parts, sizeof(uint64_t *));
    g.mask = mli_calloc(g.ctx, (size_t)g.parts, sizeof *g.mask);
    ml_status status = g.hash && g.group && g.slots && g.mask ? ML_OK : mli_nomem(err);
    building b = {.g = &g};
    if (!status) status = build(&b, err);
    if (status)
        mli_groups_free(&g);
    else
        *out = g;
    return status;
}

void mli_groups_free(mli_groups *g)
{
    for (int64_t p = 0; g->slots && p < g->parts; p++) mli_free(g->ctx, g->slots[p]);
    mli_free(g->ctx, g->slots);
    mli_free(g->ctx, g->mask);
    mli_free(g->ctx, g->hash);
    mli_free(g->ctx, g->group);
    mli_free(g->ctx, g->first);
    memset(g, 0, sizeof *g);
}

typedef struct {
    const mli_groups *g;
    const mli_keys *keys;
    int missing;
    int64_t *out;
} finding;

/* Asks for the slots of some rows before it looks at them, so that they come meanwhile.
 */
static void find_some(const finding *f, int64_t begin, int64_t n)
{
    uint64_t hash[AHEAD], at;
    for (int64_t i = 0; i < n; i++) {
        hash[i] = hash_at(f->keys, f->missing, begin + i);
        int64_t part = part_of(f->g, hash[i]);
        __builtin_prefetch(&f->g->slots[part][hash[i] >> 20 & f->g->mask[part]]);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t row = -1, part = part_of(f->g, hash[i]);
        if (hash[i]) row = look(f->g, part, f->keys, begin + i, hash[i], &at);
        f->out[begin + i] = row < 0 ? -1 : f->g->group[row];
    }
}

/* The same of one whole number on both sides, as most keys are. */
static void find_some_plain(const finding *f, int64_t begin, int64_t n)
{
    const mli_groups *g = f->g;
    const int64_t *key = (const int64_t *)f->keys->columns[0]->data + begin;
    const int64_t *there = g->keys->columns[0]->data;
    uint64_t hash[AHEAD];
    for (int64_t i = 0; i < n; i++) {
        hash[i] = hash_plain(key[i]);
        int64_t part = part_of(g, hash[i]);
        __builtin_prefetch(&g->slots[part][hash[i] >> 20 & g->mask[part]]);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t part = part_of(g, hash[i]), row = -1;
        uint64_t mask = g->mask[part], at = hash[i] >> 20 & mask, slot;
        for (; (slot = g->slots[part][at]) != 0; at = (at + 1) & mask) {
            int64_t one = (int64_t)(slot & 0xFFFFFFFF) - 1;
            if (slot >> 32 != (hash[i] & 0xFFFFFFFF) || there[one] != key[i]) continue;
            row = one;
            break;
        }
        f->out[begin + i] = row < 0 ? -1 : g->group[row];
    }
}

static void find_rows(void *arg, int64_t task, int32_t slot)
{
    const finding *f = arg;
    int64_t end = (task + 1) * GRAIN < f->keys->rows ? (task + 1) * GRAIN : f->keys->rows;
    int plain = is_plain(f->keys) && is_plain(f->g->keys);
    (void)slot;
    for (int64_t i = task * GRAIN; i < end; i += AHEAD) {
        int64_t n = end - i < AHEAD ? end - i : AHEAD;
        if (plain)
            find_some_plain(f, i, n);
        else
            find_some(f, i, n);
    }
}

ml_status mli_groups_find(const mli_groups *g, const mli_keys *keys, int missing,
                          int64_t *out, ml_error *err)
{
    finding f = {g, keys, missing, out};
    (void)err;
    mli_parallel(g->ctx, mli_task_count(keys->rows, GRAIN), find_rows, &f);
    return ML_OK;
}

ml_status mli_groups_list(const mli_groups *g, int64_t **start, int64_t **rows,
                          ml_error *err)
{
    int64_t *s = mli_calloc(g->ctx, (size_t)g->n + 2, sizeof *s);
    int64_t *r = mli_alloc_vec(g->ctx, g->rows + 1, sizeof *r);
    if (!s || !r) {
        mli_free(g->ctx, s);
        mli_free(g->ctx, r);
        return mli_nomem(err);
    }
    for (int64_t i = 0; i < g->rows; i++)
        if (g->group[i] >= 0) s[g->group[i] + 2]++;
    for (int64_t k = 0; k < g->n; k++) s[k + 2] += s[k + 1];
    for (int64_t i = 0; i < g->rows; i++)
        if (g->group[i] >= 0) r[s[g->group[i] + 1]++] = i;
    *start = s;
    *rows = r;
    return ML_OK;
}
