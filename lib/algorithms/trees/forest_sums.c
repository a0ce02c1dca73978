/* SPDX-License-Identifier: MIT
 *
 * trees/forest_sums.c: what the search in a node needs of its rows: weights and targets
 * in their order, and the sums of them; the value of the node.
 *
 * Cost: 1 to 3 cycles per row.
 */
#include "algorithms/trees/forest_grow.h"
#include <math.h>
#include <string.h>

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

/* Payloads and sums of the rows of a node. */
static void sum_counted(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint64_t *drawn = s->page->drawn;
    uint64_t sum = 0, second = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint64_t e = s->payload[i] = drawn[a->row[i]];
        sum += (uint32_t)e;
        if (s->scalar)
            second += (uint32_t)e & (0 - (uint32_t)(e >> 32 & 1));
        else
            s->classes[e >> 32] += (double)(uint32_t)e;
    }
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
    const double *weight = s->page->w, *target = s->page->y;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t row = a->row[i];
        double w = weight[row], y = target[row];
        a->weight += w;
        a->sum += w * y;
        a->squares += w * y * y;
        s->payload[i] = (uint64_t)i;
        s->w[i] = w;
        s->s[i] = w * y;
    }
    if (!s->data->label) return;
    s->classes[0] = a->weight - a->sum;
    s->classes[1] = a->sum;
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
        s->payload[i] = (uint64_t)i;
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
        s->payload[i] = (uint64_t)i;
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

void mli_forest_look(const mli_forest_scratch *s, int64_t id, mli_forest_search *a)
{
    mli_forest_growing *node = &s->node[id];
    const mli_forest_data *d = s->data;
    int64_t k_n = s->options->classes;
    double *value = s->value + id * s->n_values;
    *a = (mli_forest_search){.codes = d->codes,
                             .code = s->page->code,
                             .place = s->page->place,
                             .x = s->x,
                             .ld = s->page->ld,
                             .options = s->options,
                             .counted = s->counted,
                             .scalar = s->scalar,
                             .row = s->row + node->begin,
                             .payload = s->payload,
                             .w = s->w,
                             .s = s->s,
                             .label = s->label,
                             .n = node->n,
                             .classes = s->classes,
                             .element = s->element,
                             .spare = s->spare,
                             .near = s->near,
                             .left = s->left,
                             .bins = s->bins};
    if (d->label) memset(s->classes, 0, (size_t)k_n * sizeof *s->classes);
    if (s->word_rows)
        sum_words(s, a);
    else if (s->packed)
        sum_packed(s, a);
    else if (s->counted)
        sum_counted(s, a);
    else if (s->options->targets)
        sum_targets(s, a);
    else if (s->scalar)
        sum_scalars(s, a);
    else
        sum_shares(s, a);
    node->weight = a->weight;
    node->impurity = 0;
    if (s->options->targets) {
        value_targets(s, a, node, value);
    } else if (d->label) {
        node->impurity =
            mli_forest_impurity(s->options->criterion, s->classes, k_n, a->weight);
        for (int64_t k = 0; k < k_n; k++) value[k] = s->classes[k] / a->weight;
    } else {
        node->impurity = fmax(a->squares - a->sum * (a->sum / a->weight), 0);
        value[0] = s->center[0] + a->sum / a->weight;
    }
}
