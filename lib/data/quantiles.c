/* SPDX-License-Identifier: MIT
 *
 * data/quantiles.c: a sketch of quantiles.
 */
#include "data/quantiles.h"
#include "data/distinct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 8 /* items of a level */

void mli_quantiles_init(mli_quantiles *q, ml_context *ctx)
{
    *q = (mli_quantiles){.ctx = ctx, .n_levels = 1};
}

void mli_quantiles_free(mli_quantiles *q)
{
    for (int h = 0; h < q->n_levels; h++) mli_free(q->ctx, q->level[h]);
}

/* Levels below the highest shrink by two thirds each. */
static int64_t capacity(const mli_quantiles *q, int level)
{
    double most = MLI_QUANTILES_K * pow(2.0 / 3, q->n_levels - 1 - level);
    return most < LEAST ? LEAST : (int64_t)most;
}

static int64_t total_capacity(const mli_quantiles *q)
{
    int64_t sum = 0;
    for (int h = 0; h < q->n_levels; h++) sum += capacity(q, h);
    return sum;
}

static int append(mli_quantiles *q, int level, const double *items, int64_t n)
{
    int64_t size = q->size[level], room = q->room[level];
    if (size + n > room) {
        int64_t more = size + n > 2 * room ? size + n : 2 * room;
        double *grown = mli_alloc_vec(q->ctx, more, sizeof *grown);
        if (!grown) return 0;
        if (size) memcpy(grown, q->level[level], (size_t)size * sizeof *grown);
        mli_free(q->ctx, q->level[level]);
        q->level[level] = grown;
        q->room[level] = more;
    }
    if (n) memcpy(q->level[level] + size, items, (size_t)n * sizeof *items);
    q->size[level] += n;
    q->n_items += n;
    return 1;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Every second item of a level goes up; of an odd number one stays. */
static int halve(mli_quantiles *q, int level)
{
    double *x = q->level[level];
    int64_t n = q->size[level], odd = n & 1;
    qsort(x, (size_t)n, sizeof *x, ascending);
    int64_t first = odd + (int64_t)(mli_mix64(++q->draws) & 1);
    for (int64_t i = 0; i < n / 2; i++) x[odd + i] = x[first + 2 * i];
    q->size[level] = odd;
    q->n_items -= n - odd;
    if (level + 1 == q->n_levels) q->n_levels++;
    return append(q, level + 1, x + odd, n / 2);
}

/* Halves the lowest level that is full, as often as there are too many items. */
static int shrink(mli_quantiles *q)
{
    while (q->n_items > total_capacity(q)) {
        int level = 0;
        while (level + 1 < q->n_levels && q->size[level] < capacity(q, level)) level++;
        if (level + 2 > MLI_QUANTILES_LEVELS) return 1;
        if (!halve(q, level)) return 0;
    }
    return 1;
}

int mli_quantiles_add(mli_quantiles *q, const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i += MLI_QUANTILES_K) {
        int64_t some = n - i < MLI_QUANTILES_K ? n - i : MLI_QUANTILES_K;
        if (!append(q, 0, values + i, some) || !shrink(q)) return 0;
        q->count += some;
    }
    return 1;
}

int mli_quantiles_merge(mli_quantiles *q, const mli_quantiles *other)
{
    if (other->n_levels > q->n_levels) q->n_levels = other->n_levels;
    q->draws += other->draws;
    q->count += other->count;
    for (int h = 0; h < other->n_levels; h++)
        if (!append(q, h, other->level[h], other->size[h])) return 0;
    return shrink(q);
}

int mli_quantiles_restore(mli_quantiles *q, int level, const double *items, int64_t n)
{
    if (level >= q->n_levels) q->n_levels = level + 1;
    q->count += n << level;
    return append(q, level, items, n);
}

/* ---- reading ---- */

typedef struct {
    double value;
    int64_t weight;
} item;

static int by_value(const void *a, const void *b)
{
    return ascending(&((const item *)a)->value, &((const item *)b)->value);
}

/* The value of a rank, from 0, when each item has as many ranks as its weight. */
static double at_rank(const item *items, int64_t n, double rank)
{
    double below = floor(rank);
    int64_t i = 0, until = items[0].weight;
    while (i + 1 < n && (double)until <= below) until += items[++i].weight;
    double value = items[i].value, part = rank - below;
    if (part == 0 || i + 1 >= n || below + 1 < (double)until) return value;
    double next = items[i + 1].value;
    return next == value ? value : value + part * (next - value);
}

int mli_quantiles_at(const mli_quantiles *q, const double *p, int n, double *out)
{
    for (int i = 0; i < n; i++) out[i] = NAN;
    if (q->n_items == 0) return 1;
    item *items = mli_alloc_vec(q->ctx, q->n_items, sizeof *items);
    if (!items) return 0;
    int64_t count = 0;
    for (int h = 0; h < q->n_levels; h++)
        for (int64_t i = 0; i < q->size[h]; i++)
            items[count++] = (item){q->level[h][i], INT64_C(1) << h};
    qsort(items, (size_t)count, sizeof *items, by_value);
    for (int i = 0; i < n; i++)
        out[i] = at_rank(items, count, p[i] * ((double)q->count - 1));
    mli_free(q->ctx, items);
    return 1;
}
