/* SPDX-License-Identifier: MIT
 *
 * pareto.c: sorting by domination and crowding (Deb, Pratap, Agarwal, Meyarivan, "A fast
 * and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC 2002), and the
 * hypervolume by slices along the last objective (Fonseca, Paquete, Lopez-Ibanez, CEC
 * 2006). Fronts cost O(m n^2), the hypervolume O(n^(m-1) log n).
 */
#include "tuning/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Does a dominate b: nowhere worse, somewhere better? */
static int dominates(const double *a, const double *b, int64_t m)
{
    int better = 0;
    for (int64_t k = 0; k < m; k++) {
        if (a[k] > b[k]) return 0;
        better |= a[k] < b[k];
    }
    return better;
}

/* With constraints: less violation wins, equal violation is judged by the objectives. */
static int wins(const double *y, const double *violation, int64_t m, int64_t a, int64_t b)
{
    double va = violation ? violation[a] : 0, vb = violation ? violation[b] : 0;
    if (va != vb) return va < vb;
    return dominates(y + a * m, y + b * m, m);
}

int mli_pareto_fronts(ml_context *ctx, const double *y, const double *violation,
                      int64_t m, const int64_t *order, int64_t n, int64_t *front)
{
    int64_t *above = mli_calloc(ctx, (size_t)n + 1, sizeof *above), left = n;
    if (!above) return 0;
    for (int64_t i = 0; i < n; i++) {
        front[i] = -1;
        for (int64_t k = 0; k < n; k++)
            above[i] += wins(y, violation, m, order[k], order[i]);
    }
    for (int64_t f = 0; left > 0; f++) {
        for (int64_t i = 0; i < n; i++)
            if (front[i] < 0 && above[i] == 0) {
                front[i] = f;
                left--;
            }
        for (int64_t i = 0; i < n; i++) {
            if (front[i] != f) continue;
            above[i] = -1;
            for (int64_t k = 0; k < n; k++)
                if (front[k] < 0 && wins(y, violation, m, order[i], order[k])) above[k]--;
        }
    }
    mli_free(ctx, above);
    return 1;
}

typedef struct ranked {
    int64_t number, front;
    double violation, crowding, key;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->front != y->front) return x->front < y->front ? -1 : 1;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->violation != y->violation) return x->violation < y->violation ? -1 : 1;
    if (x->front != y->front) return x->front < y->front ? -1 : 1;
    if (x->crowding != y->crowding) return x->crowding > y->crowding ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The side lengths of the box between neighbours, front by front. */
static void crowd(ranked *r, int64_t n, const double *y, int64_t m)
{
    for (int64_t k = 0; k < m; k++) {
        for (int64_t i = 0; i < n; i++) r[i].key = y[r[i].number * m + k];
        qsort(r, (size_t)n, sizeof *r, by_key);
        for (int64_t a = 0, b; a < n; a = b) {
            for (b = a + 1; b < n && r[b].front == r[a].front; b++) continue;
            double span = r[b - 1].key - r[a].key;
            r[a].crowding = r[b - 1].crowding = INFINITY;
            for (int64_t i = a + 1; i + 1 < b; i++)
                if (span > 0) r[i].crowding += (r[i + 1].key - r[i - 1].key) / span;
        }
    }
}

int mli_pareto_order(ml_context *ctx, const double *y, const double *violation, int64_t m,
                     int64_t *order, int64_t n)
{
    ranked *r = mli_calloc(ctx, (size_t)n + 1, sizeof *r);
    int64_t *front = mli_calloc(ctx, (size_t)n + 1, sizeof *front);
    int done = r && front;
    if (done && m > 1) done = mli_pareto_fronts(ctx, y, violation, m, order, n, front);
    if (done) {
        for (int64_t i = 0; i < n; i++) {
            r[i] = (ranked){.number = order[i], .front = front[i]};
            if (violation) r[i].violation = violation[order[i]];
            if (m == 1) r[i].crowding = -y[order[i]];
        }
        if (m > 1) crowd(r, n, y, m);
        qsort(r, (size_t)n, sizeof *r, by_rank);
        for (int64_t i = 0; i < n; i++) order[i] = r[i].number;
    }
    mli_free(ctx, r);
    mli_free(ctx, front);
    return done;
}

/* Sorts the points by one objective: insertion, the sets are small. */
static void sort_points(double *p, int64_t n, int64_t m, int64_t k)
{
    double held[32];
    size_t size = (size_t)m * sizeof *p;
    for (int64_t i = 1; i < n; i++) {
        int64_t j = i;
        memcpy(held, p + i * m, size);
        for (; j > 0 && p[(j - 1) * m + k] > held[k]; j--)
            memcpy(p + j * m, p + (j - 1) * m, size);
        memcpy(p + j * m, held, size);
    }
}

/* The volume over the first `m` of `stride` objectives. */
static double slices(double *p, int64_t n, int64_t m, int64_t stride,
                     const double *reference)
{
    double volume = 0, low = reference[0];
    if (m == 1) {
        for (int64_t i = 0; i < n; i++) low = p[i * stride] < low ? p[i * stride] : low;
        return reference[0] - low;
    }
    /* Between two neighbours along objective m - 1 the points below count. */
    for (int64_t i = n; i > 0; i--) {
        sort_points(p, n, stride, m - 1);
        double top = i < n ? p[i * stride + m - 1] : reference[m - 1];
        double height = fmin(top, reference[m - 1]) - p[(i - 1) * stride + m - 1];
        if (height > 0) volume += height * slices(p, i, m - 1, stride, reference);
    }
    return volume;
}

double mli_hypervolume(double *points, int64_t n, int64_t m, const double *reference)
{
    return m > 32 ? NAN : slices(points, n, m, m, reference);
}
