/* SPDX-License-Identifier: MIT
 *
 * trees/forest_sums.c: what the search in a node needs of its rows: weights and targets
 * in their order, and the sums of them; the value of the node.
 *
 * Cost: 1 to 3 cycles per row.
 */
#include "algorithms/trees/forest_grow.h"
#include "core/cpu.h"
#include <math.h>
#include <string.h>

typedef double doubles __attribute__((vector_size(16)));
typedef int64_t longs __attribute__((vector_size(16)));
typedef int32_t four __attribute__((vector_size(16)));

static inline doubles load(const double *from)
{
    doubles x;
    memcpy(&x, from, sizeof x);
    return x;
}
enum { LOW = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ }; /* of the halves of a word */

/* Rounded to the lower halves of two words, for numbers whose magnitude is below 2^31. */
static inline four rounded(doubles x)
{
    return (four)(x + 0x1.8p52);
}

static void end_sums(const mli_forest_scratch *s, mli_forest_search *a, uint64_t sum,
                     uint64_t second)
{
    a->weight = (double)sum;
    if (!s->scalar) return;
    a->sum = (double)second;
    s->classes[0] = (double)(sum - second);
    s->classes[1] = (double)second;
}

/* Two classes of whole weights: pairs of the rows of a node, or payloads if it is too
 * heavy. */
static void sum_packed(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint16_t *drawn = s->page->near;
    const uint32_t *row = a->row;
    uint32_t *pair = s->pair;
    uint64_t sum = 0, second = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t e = drawn[row[i]], w = e >> 1, v = w & (0 - (e & 1));
        pair[i] = w | v << 16;
        sum += w;
        second += v;
    }
    end_sums(s, a, sum, second);
    if (sum < MLI_FOREST_PAIRED) a->pair = s->pair;
    for (int64_t i = 0; !a->pair && i < a->n; i++)
        s->payload[i] = (uint64_t)(pair[i] >> 16 != 0) << 32 | (pair[i] & 0xffff);
}

/* The same of few rows whose classes have bytes. 0: the node is too heavy for that. */
static int sum_bytes(mli_forest_scratch *s, mli_forest_search *a)
{
    const uint64_t *drawn = s->page->drawn;
    uint64_t sum = 0, bytes = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint64_t e = s->payload[i] = drawn[a->row[i]];
        uint64_t own = (uint64_t)(uint32_t)e << 8 * (e >> 32);
        s->few[2 * i] = (uint32_t)own;
        s->few[2 * i + 1] = (uint32_t)(own >> 32);
        bytes += own;
        sum += (uint32_t)e;
    }
    if (sum > 255) return 0;
    for (int64_t k = 0; k < s->options->classes; k++)
        s->classes[k] = (double)(bytes >> 8 * k & 255);
    end_sums(s, a, sum, 0);
    a->few = s->few;
    return 1;
}

/* Payloads and sums of the rows of a node. */
static void sum_counted(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint64_t *drawn = s->page->drawn;
    int64_t k_n = s->options->classes;
    uint64_t sum = 0, second = 0;
    double *odd = s->left; /* one addition need not wait for the one before */
    memset(odd, 0, (size_t)k_n * sizeof *odd);
    for (int64_t i = 0; i < a->n; i++) {
        uint64_t e = s->payload[i] = drawn[a->row[i]];
        sum += (uint32_t)e;
        if (s->scalar)
            second += (uint32_t)e & (0 - (uint32_t)(e >> 32 & 1));
        else
            (i & 1 ? odd : s->classes)[e >> 32] += (double)(uint32_t)e;
    }
    for (int64_t k = 0; k < k_n; k++) s->classes[k] += odd[k];
    end_sums(s, a, sum, second);
}

/* Two classes for random cuts. */
static void sum_halves(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint16_t *drawn = s->page->near;
    uint64_t first = 0, second = 0, *word = s->word;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t e = drawn[a->row[i]];
        uint64_t w = word[i] = (uint64_t)(e >> 1) << (32 * (e & 1));
        first += (uint32_t)w;
        second += w >> 32;
    }
    s->classes[0] = (double)first;
    s->classes[1] = (double)second;
}

/* More classes. */
static void sum_fields(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint64_t *drawn = s->page->drawn;
    int64_t words = s->n_words, ld = s->word_ld, classes = s->options->classes;
    for (int64_t begin = 0; begin < a->n; begin += s->word_rows) {
        int64_t end = begin + s->word_rows < a->n ? begin + s->word_rows : a->n;
        uint64_t sum[MLI_FOREST_FIELDS / 4] = {0};
        for (int64_t i = begin; i < end; i++) {
            uint64_t e = drawn[a->row[i]], k = e >> 32;
            uint64_t own = (uint64_t)(uint32_t)e << 16 * (k & 3);
            for (int64_t j = 0; j < words; j++) {
                uint64_t w = k / 4 == (uint64_t)j ? own : 0;
                s->word[j * ld + i] = w;
                sum[j] += w;
            }
        }
        for (int64_t k = 0; k < classes; k++)
            s->classes[k] += (double)(sum[k / 4] >> 16 * (k & 3) & 0xffff);
    }
}

static void sum_words(const mli_forest_scratch *s, mli_forest_search *a)
{
    if (s->packed)
        sum_halves(s, a);
    else
        sum_fields(s, a);
    for (int64_t k = 0; k < s->options->classes; k++) a->weight += s->classes[k];
    a->sum = s->scalar ? s->classes[1] : 0;
    a->word = s->word;
    a->word_ld = s->word_ld;
    a->word_rows = s->word_rows;
}

/* Two sums of doubles. */
static void sum_scalars(const mli_forest_scratch *s, mli_forest_search *a)
{
    const double *from = s->page->wy;
    doubles sums = {0, 0};
    double squares = 0;
    for (int64_t i = 0; i < a->n; i++) {
        doubles wy = load(from + 2 * (int64_t)a->row[i]);
        double w = wy[0], y = wy[1], product = w * y;
        sums += (doubles){w, product};
        squares += product * y;
        s->w[i] = w;
        s->s[i] = s->numbers ? y : product;
    }
    a->weight = sums[0];
    a->sum = sums[1];
    a->squares = squares;
    if (!s->data->label) return;
    s->classes[0] = a->weight - a->sum;
    s->classes[1] = a->sum;
}

/* The sum of squared numbers of a node, from the sums of the node unless most of its
 * digits are gone. */
static double sum_squares(const mli_forest_scratch *s, const mli_forest_search *a,
                          double mean)
{
    double square = a->squares - a->sum * mean;
    if (square > 1e-3 * a->squares) return square;
    square = 0;
    for (int64_t i = 0; i < a->n; i++)
        square += s->w[i] * (s->s[i] - mean) * (s->s[i] - mean);
    return square;
}

/* Would rounding to whole numbers change weights by more than some percent, or make a
 * side lighter than it may be? */
static int needs_digits(const mli_forest_scratch *s, const mli_forest_search *a,
                        double unit)
{
    double least = a->weight;
    for (int64_t i = 0; i < a->n; i++) least = s->w[i] < least ? s->w[i] : least;
    return least * unit < 16 || a->min_weight > 0;
}

/* What lanes have, not rounded; only of s->w and s->s. */
static void make_doubles(const mli_forest_scratch *s, mli_forest_search *a, double mean,
                         double unit, double way)
{
    a->weight = a->sum = 0;
    for (int64_t i = 0; i < a->n; i++) {
        s->s[i] = s->w[i] * (s->s[i] - mean) * way;
        s->w[i] *= unit;
        a->weight += s->w[i];
        a->sum += s->s[i];
    }
}

/* Lanes of numbers (mli_forest_search). Rows of weights s->w and targets s->s, padded by
 * one; as the lanes' numbers they are left there as well. bound: scale of squares. */
static void make_lanes(const mli_forest_scratch *s, mli_forest_search *a, double mean,
                       double unit, double way, double bound)
{
    four *lane = (four *)(void *)s->payload, sum = {0};
    s->w[a->n] = s->s[a->n] = 0;
    for (int64_t i = 0; i < a->n; i += 2) {
        doubles y = load(s->s + i) - mean, w = load(s->w + i), c = w * y;
        four x = rounded(w * unit), q = rounded(c * way), sign = q >> 31;
        four squared = rounded(c * y * bound) + 1;
        four first = MLI_LANES(four, x, q, LOW, 4 + LOW, 2 + LOW, 6 + LOW);
        four rest =
            MLI_LANES(four, (q ^ sign) - sign, squared, LOW, 4 + LOW, 2 + LOW, 6 + LOW);
        four one = MLI_LANES(four, first, rest, 0, 1, 4, 5);
        four two = MLI_LANES(four, first, rest, 2, 3, 6, 7);
        lane[i] = one;
        lane[i + 1] = two;
        s->w[i] = one[0];
        s->s[i] = one[1];
        s->w[i + 1] = two[0];
        s->s[i + 1] = two[1];
        sum += one + two;
    }
    a->lane = (const int32_t *)(const void *)lane;
    a->weight = sum[0];
    a->sum = sum[1];
}

/* Numbers are scaled as far as fits 32 bits whatever the node. By Cauchy's inequality the
 * sum of absolute ones is at most the root of that of the squares times the weight; each
 * has a root of its own, so that products neither overflow nor vanish. */
void mli_forest_prepare(mli_forest_scratch *s)
{
    mli_forest_search *a = &s->search;
    if (!s->numbers) return;
    double mean = a->sum / a->weight, square = sum_squares(s, a, mean), unit = 1;
    double way = 0x1p29 / (sqrt(square) * sqrt(a->weight)), bound = 0;
    int whole = s->whole && a->weight < 0x1p29;
    if (!isfinite(way)) way = 0;
    if (a->n > MLI_FOREST_FEW) bound = 0x1p29 / square; /* of no use in smaller nodes */
    if (!isfinite(bound)) bound = 0;
    if (!whole) unit = ldexp(1, 28 - ilogb(a->weight)); /* products are exact */
    a->unit = way / sqrt(unit);
    a->square = bound > 0 ? 0x1p29 / (a->weight * unit) : INFINITY;
    a->min_weight *= unit;
    if (!whole && needs_digits(s, a, unit))
        make_doubles(s, a, mean, unit, way);
    else
        make_lanes(s, a, mean, unit, way, bound);
}

/* Classes of weights that are not whole. */
static void sum_shares(const mli_forest_scratch *s, mli_forest_search *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t row = mli_forest_table_row(s, a->row[i]);
        double w = mli_forest_weight(s, row);
        s->label[i] = s->data->label[row];
        s->classes[s->label[i]] += w;
        a->weight += w;
        s->w[i] = w;
    }
}

/* The same for several targets, whose sums are s->classes. */
static void sum_targets(const mli_forest_scratch *s, mli_forest_search *a)
{
    const mli_forest_data *d = s->data;
    int64_t n = s->options->targets;
    memset(s->classes, 0, (size_t)n * sizeof *s->classes);
    memset(s->squares, 0, (size_t)n * sizeof *s->squares);
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t row = mli_forest_table_row(s, a->row[i]);
        double w = mli_forest_weight(s, row), *to = s->s + i * n;
        const double *y = d->ys + (int64_t)row * n;
        for (int64_t k = 0; k < n; k++) {
            double v = y[k] - s->center[k];
            to[k] = w * v;
            s->classes[k] += w * v;
            s->squares[k] += w * v * v;
        }
        a->weight += w;
        s->w[i] = w;
    }
}

/* Means of the targets in a node; its impurity is the mean over the targets. */
static void value_targets(const mli_forest_scratch *s, mli_forest_search *a,
                          mli_forest_growing *node, double *value)
{
    int64_t n = s->options->targets;
    for (int64_t k = 0; k < n; k++) {
        value[k] = s->center[k] + s->classes[k] / a->weight;
        a->squares += s->squares[k] / (double)n;
        node->impurity +=
            fmax(s->squares[k] - s->classes[k] * (s->classes[k] / a->weight), 0) /
            (double)n;
    }
}

/* Payloads or the like, and sums of a node's rows, in the form that suits them. */
static void sum_rows(mli_forest_scratch *s, mli_forest_search *a)
{
    int64_t classes = s->options->classes;
    if (s->data->label) memset(s->classes, 0, (size_t)classes * sizeof *s->classes);
    if (s->word_rows)
        sum_words(s, a);
    else if (s->packed)
        sum_packed(s, a);
    else if (s->counted) {
        int few = s->bytes && a->n <= MLI_FOREST_FEW;
        if (!few || !sum_bytes(s, a)) sum_counted(s, a);
    } else if (s->options->targets)
        sum_targets(s, a);
    else if (s->scalar)
        sum_scalars(s, a);
    else
        sum_shares(s, a);
}

void mli_forest_look(mli_forest_scratch *s, int64_t id)
{
    mli_forest_growing *node = &s->node[id];
    mli_forest_search *a = &s->search;
    int64_t k_n = s->options->classes;
    double *value = s->value + id * s->n_values;
    node->impurity = 0;
    if (s->numbers && node->n == 1) { /* most of the nodes of a full tree */
        const double *wy = s->page->wy + 2 * (int64_t)s->row[node->begin];
        node->weight = a->weight = wy[0];
        value[0] = s->center[0] + wy[1];
        return;
    }
    a->code = s->page->code;
    a->place = s->page->place;
    a->ld = s->page->ld;
    a->row = s->row + node->begin;
    a->n = node->n;
    a->payload = s->payload;
    a->pair = a->few = NULL;
    a->lane = NULL;
    a->weight = a->sum = a->squares = 0;
    sum_rows(s, a);
    node->weight = a->weight;
    if (s->options->targets) {
        value_targets(s, a, node, value);
    } else if (s->data->label) {
        node->impurity =
            mli_forest_impurity(s->options->criterion, s->classes, k_n, a->weight);
        for (int64_t k = 0; k < k_n; k++) value[k] = s->classes[k] / a->weight;
    } else {
        node->impurity = fmax(a->squares - a->sum * (a->sum / a->weight), 0);
        value[0] = s->center[0] + a->sum / a->weight;
    }
}
