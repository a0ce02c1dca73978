/* SPDX-License-Identifier: MIT
 *
 * trees/rank_pairs.c: the inside of rankings, four pairs at a time.
 *
 * The gradient of a pair is that of the logistic loss of the difference of its scores.
 * With e = e^score it is e[low] / (e[high] + e[low]): one power per row instead of one
 * per pair, and with the weight by distance one division. Where the scores of a group
 * spread so far that powers vanish, they are taken anew for each first row.
 *
 * Small groups are sorted by counting: the place of a row is the number of rows with a
 * larger score, and of those before it with the same. n^2 comparisons, of which four make
 * one instruction, cost less than the n log(n) of a sort that guesses branches wrongly.
 */
#include "algorithms/trees/rank.h"
#include "core/cpu.h"
#include <math.h>
#include <stdlib.h>

#define FAR        600 /* e^-600 is far from the smallest number */
#define COUNT_MOST 128 /* rows sorted by counting */

typedef double four __attribute__((vector_size(32)));
typedef int64_t ints __attribute__((vector_size(32)));
typedef double four_any __attribute__((vector_size(32), aligned(8), may_alias));
#define LOAD(p)   ((four) * (const four_any *)(p))
#define ADD(p, v) (*(four_any *)(p) += (four_any)(v))
#define ALL(x)    ((four){0} + (x))
#define INSIDE    static inline __attribute__((always_inline))

/* |x|; mask ? a : b. No functions: the baseline has no registers for such values. */
#define SIZE(x)            ((four)((ints)(x)&INT64_MAX))
#define CHOOSE(mask, a, b) ((four)(((mask) & (ints)(a)) | (~(mask) & (ints)(b))))

/* All pairs of position i with later ones. */
INSIDE void add_row(mli_rank_pairs *p, int64_t i)
{
    const four gain = ALL(p->gain[i]), from = ALL(p->from[i]), score = ALL(p->score[i]);
    const four power = ALL(p->power[i]), cap = ALL(p->cap);
    const four least = ALL(p->alike ? 1 : 0.01), slope = ALL(p->alike ? 0 : 1);
    four sum_g = {0}, sum_h = {0}, sum = {0};
    for (int64_t j = i + 1; j < p->n; j += 4) {
        four d = gain - LOAD(p->gain + j), e = LOAD(p->power + j), both = power + e;
        four distance = least + slope * (score - LOAD(p->score + j));
        four one = 1 / (both * distance), size = SIZE(d);
        ints first = d > 0; /* has the higher gain, and position i the higher score */
        four change = CHOOSE(size > cap, cap, size) * SIZE(from + LOAD(p->to + j));
        four w = change * LOAD(p->factor + j) * one;
        four g = w * CHOOSE(first, e, power);
        four h = g * CHOOSE(first, power, e) * (one * distance);
        four signed_g = (four)((ints)g ^ (first & INT64_MIN));
        sum_g += signed_g;
        sum_h += h;
        sum += g;
        ADD(p->g + j, -signed_g);
        ADD(p->h + j, h);
    }
    p->g[i] += (sum_g[0] + sum_g[1]) + (sum_g[2] + sum_g[3]);
    p->h[i] += (sum_h[0] + sum_h[1]) + (sum_h[2] + sum_h[3]);
    p->total[i] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* order[place] = i, four rows at a time. */
INSIDE void count_places(const double *score, int64_t n, int64_t *order)
{
    const ints own = {0, 1, 2, 3};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const four s = LOAD(score + i);
        ints place = {0};
        for (int64_t j = 0; j < i; j++) place -= ALL(score[j]) >= s;
        for (int64_t j = i; j < i + 4; j++)
            place -= (ALL(score[j]) > s) | ((ALL(score[j]) == s) & (own > j - i));
        for (int64_t j = i + 4; j < n; j++) place -= ALL(score[j]) > s;
        for (int k = 0; k < 4; k++) order[place[k]] = i + k;
    }
    for (; i < n; i++) {
        int64_t place = 0;
        for (int64_t j = 0; j < i; j++) place += score[j] >= score[i];
        for (int64_t j = i + 1; j < n; j++) place += score[j] > score[i];
        order[place] = i;
    }
}

#ifdef MLI_X86
MLI_AVX2 static void add_row_avx2(mli_rank_pairs *p, int64_t i)
{
    add_row(p, i);
}

MLI_AVX2 static void count_places_avx2(const double *score, int64_t n, int64_t *order)
{
    count_places(score, n, order);
}
#else
#define add_row_avx2      add_row
#define count_places_avx2 count_places
#endif

static void set_powers(const mli_kernels *kernels, mli_rank_pairs *p, int64_t i)
{
    for (int64_t j = i; j < p->n + MLI_RANK_PAD; j++)
        p->power[j] = p->score[j] - p->score[i];
    kernels->exp(p->power + i, p->power + i, p->n + MLI_RANK_PAD - i);
}

void mli_rank_pairs_add(int32_t level, const mli_kernels *kernels, mli_rank_pairs *p)
{
    int far = p->score[0] - p->score[p->n - 1] > FAR;
    for (int64_t i = 0; i < p->most; i++) {
        if (i == 0 || far) set_powers(kernels, p, i);
        if (level >= MLI_CPU_AVX2)
            add_row_avx2(p, i);
        else
            add_row(p, i);
    }
}

typedef struct place {
    double score;
    int64_t row;
} place;

/* Falling score; the first row on a tie. */
static int by_score(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

void mli_rank_order(int32_t level, const double *score, int64_t n, int64_t *order,
                    double *scratch)
{
    place *places = (place *)(void *)scratch;
    for (int64_t i = 0; i < n; i++) order[i] = i; /* NaN has no place of its own */
    if (n <= COUNT_MOST && level >= MLI_CPU_AVX2) {
        count_places_avx2(score, n, order);
    } else if (n <= COUNT_MOST) {
        count_places(score, n, order);
    } else {
        for (int64_t i = 0; i < n; i++) places[i] = (place){score[i], i};
        qsort(places, (size_t)n, sizeof *places, by_score);
        for (int64_t i = 0; i < n; i++) order[i] = places[i].row;
    }
}
