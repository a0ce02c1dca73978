/* SPDX-License-Identifier: MIT
 *
 * data/sketch.c: sketches of columns, made and merged.
 */
#include "data/sketch.h"
#include "data/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK   4096
#define LONGEST 256 /* bytes of a frequent value */

void mli_sketch_init(mli_sketch *s, ml_context *ctx)
{
    *s = (mli_sketch){.ctx = ctx, .min = INFINITY, .max = -INFINITY, .has_top = 1};
    s->first = INT64_MAX;
    s->last = INT64_MIN;
    mli_quantiles_init(&s->quantiles, ctx);
    mli_map_init(&s->top, ctx);
}

void mli_sketch_free(mli_sketch *s)
{
    if (!s->ctx) return;
    mli_quantiles_free(&s->quantiles);
    mli_map_free(&s->top);
}

/* ---- moments (Chan, Golub, LeVeque 1979) ---- */

static void join(double before, double n, double mean, double m2, double *all_mean,
                 double *all_m2)
{
    double all = before + n, gap = mean - *all_mean;
    if (n == 0) return;
    *all_mean += gap * n / all;
    *all_m2 += m2 + gap * gap * before * n / all;
}

void mli_join_moments(double before, const double *x, int64_t n, double *mean, double *m2)
{
    double sum = 0, square = 0, from = n && fabs(x[0]) < 1e300 ? x[0] : 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] - from;
    double own = n ? from + sum / (double)n : 0;
    for (int64_t i = 0; i < n; i++) square += (x[i] - own) * (x[i] - own);
    join(before, (double)n, own, square, mean, m2);
}

/* ---- distinct values ---- */

static void see_hash(mli_sketch *s, uint64_t hash)
{
    uint64_t rest = hash << MLI_SKETCH_BITS | UINT64_C(1) << (MLI_SKETCH_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *r = &s->registers[hash >> (64 - MLI_SKETCH_BITS)];
    if (rank > *r) *r = rank;
}

static void start_estimating(mli_sketch *s)
{
    if (s->estimating) return;
    for (int64_t i = 0; i < s->n_keys; i++) see_hash(s, mli_mix64(s->keys[i]));
    s->estimating = 1;
    s->n_keys = 0;
}

static void add_key(mli_sketch *s, uint64_t key)
{
    if (!s->estimating) {
        for (int64_t i = 0; i < s->n_keys; i++)
            if (s->keys[i] == key) return;
        if (s->n_keys < MLI_SKETCH_KEYS) {
            s->keys[s->n_keys++] = key;
            return;
        }
        start_estimating(s);
    }
    see_hash(s, mli_mix64(key));
}

/* Registers of a finer count: its last bits of the place are the first ones of the rest.
 */
static void fold_registers(mli_sketch *s, const mli_distinct *d)
{
    enum { MORE = MLI_DISTINCT_BITS - MLI_SKETCH_BITS };
    start_estimating(s);
    for (int i = 0; i < MLI_DISTINCT_REGISTERS; i++) {
        int low = i & ((1 << MORE) - 1), rank = d->registers[i];
        if (rank == 0) continue;
        rank = low ? MORE - (31 - __builtin_clz((unsigned)low)) : rank + MORE;
        uint8_t *r = &s->registers[i >> MORE];
        if (rank > *r) *r = (uint8_t)rank;
    }
}

int64_t mli_sketch_distinct(const mli_sketch *s)
{
    double sum = 0, m = MLI_SKETCH_REGISTERS;
    int64_t empty = 0;
    if (!s->estimating) return s->n_keys;
    for (int i = 0; i < MLI_SKETCH_REGISTERS; i++) {
        sum += ldexp(1.0, -s->registers[i]);
        empty += s->registers[i] == 0;
    }
    double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (estimate <= 2.5 * m && empty) estimate = m * log(m / (double)empty);
    int64_t number = (int64_t)(estimate + 0.5);
    return number < s->present ? number : s->present;
}

/* ---- frequent values ---- */

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Brings more than MLI_SKETCH_TOP values down to as many: what is the next one's count is
 * taken from all. */
static int reduce_top(mli_sketch *s)
{
    int64_t sorted[2 * MLI_SKETCH_TOP + 1], n = s->top.count;
    mli_map kept;
    if (n <= MLI_SKETCH_TOP) return 1;
    memcpy(sorted, s->counts, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, descending);
    int64_t cut = sorted[MLI_SKETCH_TOP];
    mli_map_init(&kept, s->ctx);
    for (int64_t i = 0; i < n; i++) {
        const int64_t *at = s->top.offsets + i;
        if (s->counts[i] <= cut) continue;
        int32_t to = mli_map_add(&kept, s->top.bytes + at[0], (size_t)(at[1] - at[0]));
        if (to < 0) {
            mli_map_free(&kept);
            return 0;
        }
        s->counts[to] = s->counts[i] - cut;
    }
    mli_map_free(&s->top);
    s->top = kept;
    s->lost += cut;
    return 1;
}

static int add_top(mli_sketch *s, const char *text, size_t size, int64_t count)
{
    int64_t before = s->top.count;
    int32_t at = mli_map_add(&s->top, text, size);
    if (at < 0) return 0;
    s->counts[at] = (at < before ? s->counts[at] : 0) + count;
    return 1;
}

static int by_count(const void *a, const void *b)
{
    const mli_distinct_key *x = *(const mli_distinct_key *const *)a;
    const mli_distinct_key *y = *(const mli_distinct_key *const *)b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The frequent ones of counted values. Long texts are left to what is lost. */
static int take_top(mli_sketch *s, const mli_column *c, const mli_distinct *d)
{
    const mli_distinct_key **order = mli_alloc_vec(s->ctx, d->count + 1, sizeof *order);
    int64_t n = d->count, longest = 0;
    mli_str text;
    if (!order) return 0;
    for (int64_t i = 0; i < n; i++) order[i] = &d->keys[i];
    qsort(order, (size_t)n, sizeof *order, by_count);
    int64_t cut = n > MLI_SKETCH_TOP ? order[MLI_SKETCH_TOP]->count : 0;
    int ok = 1;
    mli_str_init(&text, s->ctx);
    for (int64_t i = 0; i < n && order[i]->count > cut && ok; i++) {
        mli_str_clear(&text);
        mli_column_print(c, order[i]->row, &text);
        ok = !text.failed;
        if (text.size > LONGEST)
            longest = order[i]->count - cut > longest ? order[i]->count - cut : longest;
        else if (ok)
            ok = add_top(s, text.data, text.size, order[i]->count - cut);
    }
    s->lost = cut + longest;
    mli_str_free(&text);
    mli_free(s->ctx, order);
    return ok;
}

int64_t mli_sketch_top(const mli_sketch *s)
{
    int64_t best = -1;
    for (int64_t i = 0; s->has_top && i < s->top.count; i++)
        if (best < 0 || s->counts[i] > s->counts[best]) best = i;
    return best;
}

/* ---- one pass over a column ---- */

static int scan_numbers(mli_sketch *s, const mli_column *c, mli_distinct *d)
{
    double *x = mli_alloc_vec(s->ctx, BLOCK, sizeof *x);
    int ok = x != NULL;
    for (int64_t begin = 0; begin < c->rows && ok; begin += BLOCK) {
        int64_t end = begin + BLOCK < c->rows ? begin + BLOCK : c->rows, n = 0;
        mli_column_f64(c, begin, end, x, 1);
        for (int64_t row = begin; row < end; row++) {
            double value = x[row - begin];
            if (isnan(value)) continue;
            mli_distinct_add(d, mli_number_key(c, row, value), row);
            if (value < s->min) s->min = value;
            if (value > s->max) s->max = value;
            x[n++] = value;
        }
        mli_join_moments((double)s->present, x, n, &s->mean, &s->m2);
        s->present += n;
        ok = mli_quantiles_add(&s->quantiles, x, n);
    }
    mli_free(s->ctx, x);
    return ok;
}

static void scan_times(mli_sketch *s, const mli_column *c, mli_distinct *d)
{
    for (int64_t row = 0; row < c->rows; row++) {
        if (!mli_column_valid(c, row)) continue;
        int64_t value = c->type == ML_TYPE_DATE
                            ? mli_days_to_micros(((const int32_t *)c->data)[row])
                            : ((const int64_t *)c->data)[row];
        mli_distinct_add(d, (uint64_t)value, row);
        if (value < s->first) s->first = value;
        if (value > s->last) s->last = value;
        s->present++;
    }
}

static void scan_words(mli_sketch *s, const mli_column *c, mli_distinct *d)
{
    for (int64_t row = 0; row < c->rows; row++) {
        size_t size = 0;
        const char *text = mli_column_text(c, row, &size);
        if (!text) continue;
        mli_distinct_add(d, mli_hash(text, size), row);
        s->present++;
    }
}

int mli_sketch_scan(mli_sketch *s, const mli_column *c, mli_distinct *d)
{
    int times = mli_type_is_time(c->type), ok = 1;
    s->kind = mli_type_is_number(c->type) ? MLI_SKETCH_NUMBERS
              : times                     ? MLI_SKETCH_TIMES
                                          : MLI_SKETCH_WORDS;
    s->rows = c->rows;
    mli_distinct_clear(d);
    if (s->kind == MLI_SKETCH_NUMBERS)
        ok = scan_numbers(s, c, d);
    else if (times)
        scan_times(s, c, d);
    else
        scan_words(s, c, d);
    if (d->estimating) fold_registers(s, d);
    for (int64_t i = 0; i < d->count && !d->estimating; i++) add_key(s, d->keys[i].key);
    s->has_top =
        !d->estimating && (s->kind != MLI_SKETCH_NUMBERS || d->count <= MLI_SKETCH_TOP);
    return ok && (!s->has_top || take_top(s, c, d));
}

/* ---- merging ---- */

static int merge_top(mli_sketch *s, const mli_sketch *other)
{
    int ok = 1;
    s->has_top &= other->has_top;
    s->lost += other->lost;
    for (int64_t i = 0; s->has_top && i < other->top.count && ok; i++) {
        const int64_t *at = other->top.offsets + i;
        ok = add_top(s, other->top.bytes + at[0], (size_t)(at[1] - at[0]),
                     other->counts[i]);
    }
    return ok && reduce_top(s);
}

int mli_sketch_merge(mli_sketch *s, const mli_sketch *other)
{
    join((double)s->present, (double)other->present, other->mean, other->m2, &s->mean,
         &s->m2);
    s->rows += other->rows;
    s->present += other->present;
    if (other->min < s->min) s->min = other->min;
    if (other->max > s->max) s->max = other->max;
    if (other->first < s->first) s->first = other->first;
    if (other->last > s->last) s->last = other->last;
    if (other->estimating) start_estimating(s);
    for (int64_t i = 0; i < other->n_keys; i++) add_key(s, other->keys[i]);
    for (int i = 0; i < MLI_SKETCH_REGISTERS && other->estimating; i++)
        if (other->registers[i] > s->registers[i]) s->registers[i] = other->registers[i];
    return merge_top(s, other) && mli_quantiles_merge(&s->quantiles, &other->quantiles);
}
