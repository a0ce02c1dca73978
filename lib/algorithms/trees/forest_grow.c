/* SPDX-License-Identifier: MIT
 *
 * trees/forest_grow.c: growing one tree of a forest.
 *
 * The rows of a node are a piece of one array, which a split divides in place; order is
 * kept, so that memory is read forwards. Nodes are split depth first, or, with a limit on
 * the leaves, the one with the largest gain first. Features are drawn as in Breiman
 * (2001), without replacement; constant ones count, but at least one is found that can be
 * split. Cost-complexity pruning takes the smallest subtree that minimises impurity +
 * ccp_alpha * leaves (Breiman, Friedman, Olshen and Stone 1984).
 *
 * Buffers, per slot: 54 bytes per row.
 */
#include "algorithms/trees/forest.h"
#include "core/rng.h"
#include <math.h>
#include <string.h>

#define STREAM 0x666f7265
#define PAGE_LD(s)                                                                       \
    ((s)->page + 32)          /* columns of a page start in different cache sets         \
                               */
#define MOST_PAIRED (1 << 15) /* weight of a node that has pairs */
#define PAGE_CODES  (1 << 16) /* of a page, which should stay in the cache */

struct mli_forest_scratch {
    const mli_forest_data *data;
    const mli_forest_options *options;
    ml_context *ctx;
    int counted, scalar;
    uint32_t *row, *spare_row, *count; /* [rows] count: draws */
    uint64_t *element, *spare, *payload;
    uint32_t *pair;
    uint16_t *near;
    /* [rows] counted: the payload of each row; `packed`: 2 * weight + class instead */
    uint64_t *drawn;
    uint16_t *drawn_near;
    int packed;
    double *w, *s;  /* [rows] not counted */
    int32_t *label; /* [rows] not counted, classes */
    /* Once a node is small its rows are copied, and counted from 0 in all below it. */
    int64_t page; /* most rows of it; 0: never */
    uint16_t *page_code;
    uint64_t *page_drawn;
    uint16_t *page_near;
    uint32_t *page_row;
    int paged;
    double *left, *bins, *classes;
    int32_t *order; /* [features] */
    int32_t *waiting;
    int64_t n_waiting, waiting_capacity;
    double *center, *squares; /* [targets or 1] of the targets; scratch */
    mli_rng rng;
    mli_forest_growing *node;
    double *value;      /* n_values for each node */
    uint32_t (*set)[8]; /* of categories */
    int64_t n_nodes, capacity, n_values, n_sets, set_capacity;
    uint64_t sides[256]; /* of mli_forest_order */
};

/* ---- memory ---- */

static int needs_doubles(const mli_forest_data *d, const mli_forest_options *o)
{
    if (!d->label || o->classes > 65535) return 1;
    for (int64_t i = 0; d->weight && i < d->codes->rows; i++)
        if (!(d->weight[i] >= 0 && d->weight[i] <= 1e4 &&
              d->weight[i] == floor(d->weight[i])))
            return 1;
    return 0;
}

/* Copying is worth it when the levels below read more than all features. */
static int64_t page_rows(const mli_forest_data *d, const mli_forest_options *o)
{
    int64_t f = d->codes->n_features, page = 4096, log2 = 12;
    while (page > 64 && page * f > PAGE_CODES) {
        page /= 2;
        log2--;
    }
    return o->max_leaves == 0 && f <= 2 * o->max_features * log2 ? page : 0;
}

mli_forest_scratch *mli_forest_scratch_new(const mli_forest_data *data,
                                           const mli_forest_options *o)
{
    ml_context *ctx = data->codes->ctx;
    int64_t n = data->codes->rows, f = data->codes->n_features;
    int64_t targets = o->targets ? o->targets : 1, k = o->classes + targets;
    mli_forest_scratch *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return NULL;
    mli_forest_order(s->sides);
    s->data = data;
    s->options = o;
    s->ctx = ctx;
    s->counted = !needs_doubles(data, o);
    s->scalar = !o->targets &&
                (!data->label || (o->classes == 2 && o->criterion == MLI_FOREST_GINI));
    s->row = mli_alloc_vec(ctx, n + 1, sizeof *s->row);
    s->spare_row = mli_alloc_vec(ctx, n + 8, sizeof *s->spare_row);
    s->count = mli_alloc_vec(ctx, n + 1, sizeof *s->count);
    s->element = mli_alloc_vec(ctx, n + 1, sizeof *s->element);
    s->spare = mli_alloc_vec(ctx, n + 1, sizeof *s->spare);
    s->payload = mli_alloc_vec(ctx, n + 1, sizeof *s->payload);
    int64_t plain = s->counted ? 1 : n + 1;
    s->pair = mli_alloc_vec(ctx, n + 1, sizeof *s->pair);
    s->near = mli_alloc_vec(ctx, 2 * (n + 16), sizeof *s->near);
    s->page = page_rows(data, o);
    s->drawn = mli_alloc_vec(ctx, s->counted ? n + 1 : 1, sizeof *s->drawn);
    s->page_code = mli_alloc_vec(ctx, f * PAGE_LD(s) + 1, sizeof *s->page_code);
    s->drawn_near = mli_alloc_vec(ctx, s->counted ? n + 1 : 1, sizeof *s->drawn_near);
    s->page_drawn = mli_alloc_vec(ctx, s->page + 1, sizeof *s->page_drawn);
    s->page_near = mli_alloc_vec(ctx, s->page + 1, sizeof *s->page_near);
    s->page_row = mli_alloc_vec(ctx, s->page + 1, sizeof *s->page_row);
    s->w = mli_alloc_vec(ctx, plain, sizeof *s->w);
    s->s = mli_alloc_vec(ctx, plain * targets, sizeof *s->s);
    s->center = mli_alloc_vec(ctx, 2 * targets, sizeof *s->center);
    s->squares = s->center ? s->center + targets : NULL;
    s->label = mli_alloc_vec(ctx, plain, sizeof *s->label);
    s->left = mli_alloc_vec(ctx, 3 * k, sizeof *s->left);
    s->classes = mli_alloc_vec(ctx, k, sizeof *s->classes);
    s->bins = mli_alloc_vec(ctx, s->scalar ? 1 : 257 * k, sizeof *s->bins);
    s->order = mli_alloc_vec(ctx, f + 1, sizeof *s->order);
    s->n_values = o->classes ? o->classes : o->targets ? o->targets : 1;
    if (s->row && s->spare_row && s->count && s->element && s->spare && s->payload &&
        s->pair && s->near && s->drawn_near && s->page_near && s->drawn && s->page_code &&
        s->page_drawn && s->page_row && s->w && s->s && s->label && s->center &&
        s->left && s->classes && s->bins && s->order)
        return s;
    mli_forest_scratch_free(s);
    return NULL;
}

void mli_forest_scratch_free(mli_forest_scratch *s)
{
    if (!s) return;
    void *const blocks[] = {
        s->drawn,      s->page_code, s->page_drawn, s->page_row, s->row,   s->spare_row,
        s->count,      s->element,   s->spare,      s->payload,  s->w,     s->s,
        s->label,      s->left,      s->bins,       s->classes,  s->order, s->waiting,
        s->center,     s->pair,      s->near,       s->node,     s->value, s->set,
        s->drawn_near, s->page_near};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mli_free(s->ctx, blocks[i]);
    mli_free(s->ctx, s);
}

/* Room for two nodes more. */
static int reserve(mli_forest_scratch *s)
{
    if (s->n_nodes + 2 <= s->capacity) return 1;
    int64_t n = 2 * s->capacity > 1024 ? 2 * s->capacity : 1024, nodes = s->capacity;
    int64_t values = s->capacity * s->n_values;
    if (!mli_reserve(s->ctx, &s->node, &nodes, n, sizeof *s->node)) return 0;
    if (!mli_reserve(s->ctx, &s->value, &values, n * s->n_values, sizeof *s->value))
        return 0;
    s->capacity = n;
    return 1;
}

static int push(mli_forest_scratch *s, int32_t node)
{
    if (s->n_waiting == s->waiting_capacity) {
        int64_t n = s->waiting_capacity ? 2 * s->waiting_capacity : 256;
        size_t size = (size_t)n * sizeof *s->waiting;
        void *block =
            s->waiting ? mli_realloc(s->ctx, s->waiting, size) : mli_alloc(s->ctx, size);
        if (!block) return 0;
        s->waiting = block;
        s->waiting_capacity = n;
    }
    s->waiting[s->n_waiting++] = node;
    return 1;
}

/* ---- the sample ---- */

/* Weights and classes of the rows in two bytes each, if they fit. */
static void pack_drawn(mli_forest_scratch *s, int64_t rows)
{
    const double *weight = s->data->weight;
    uint32_t all = 0;
    for (int64_t i = 0; i < rows; i++) {
        uint32_t w = s->count[i];
        if (weight) w *= (uint32_t)weight[i];
        s->drawn_near[i] = (uint16_t)(w << 1 | (uint32_t)s->data->label[i]);
        all |= w;
    }
    s->packed = all < MOST_PAIRED;
}

/* Rows that take part into s->row; how often each was drawn into s->count. */
static int64_t draw_rows(mli_forest_scratch *s)
{
    int64_t rows = s->data->codes->rows, n = 0;
    const double *weight = s->data->weight;
    if (s->options->draws > 0) {
        memset(s->count, 0, (size_t)rows * sizeof *s->count);
        for (int64_t i = 0; i < s->options->draws; i++)
            s->count[mli_rng_below(&s->rng, rows)]++;
    } else {
        for (int64_t i = 0; i < rows; i++) s->count[i] = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        s->row[n] = (uint32_t)i;
        n += s->count[i] && (!weight || weight[i] > 0);
    }
    s->packed = s->scalar && s->counted;
    if (s->packed) pack_drawn(s, rows);
    for (int64_t i = 0; s->counted && !s->packed && i < rows; i++)
        s->drawn[i] = (uint64_t)(uint32_t)s->data->label[i] << 32 |
                      (s->count[i] * (uint32_t)(weight ? weight[i] : 1));
    return n;
}

static double draw_weight(const mli_forest_scratch *s, uint32_t row)
{
    double count = (double)s->count[row];
    return s->data->weight ? count * s->data->weight[row] : count;
}

/* Which rows were drawn, as bits. */
static int keep_sample(const mli_forest_scratch *s, mli_forest_tree *t)
{
    int64_t rows = s->data->codes->rows;
    if (s->options->draws == 0) return 1;
    t->inbag = mli_calloc(s->ctx, (size_t)(rows / 64 + 1), sizeof *t->inbag);
    if (!t->inbag) return 0;
    for (int64_t i = 0; i < rows; i++)
        t->inbag[i >> 6] |= (uint64_t)(s->count[i] > 0) << (i & 63);
    return 1;
}

/* ---- a node ---- */

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
    const uint16_t *drawn = s->paged ? s->page_near : s->drawn_near;
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
    if (sum < MOST_PAIRED) a->pair = s->pair;
    for (int64_t i = 0; !a->pair && i < a->n; i++)
        s->payload[i] = (uint64_t)(pair[i] >> 16 != 0) << 32 | (pair[i] & 0xffff);
}

/* Payloads and sums of the rows of a node. */
static void sum_counted(const mli_forest_scratch *s, mli_forest_search *a)
{
    const uint64_t *drawn = s->paged ? s->page_drawn : s->drawn;
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

static void sum_doubles(const mli_forest_scratch *s, mli_forest_search *a)
{
    const mli_forest_data *d = s->data;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t row = s->paged ? s->page_row[a->row[i]] : a->row[i];
        double w = draw_weight(s, row), y;
        if (d->label) {
            s->label[i] = d->label[row];
            s->classes[d->label[row]] += w;
            y = s->scalar ? (double)d->label[row] : 0;
        } else {
            y = d->y[row] - s->center[0];
        }
        a->weight += w;
        a->sum += w * y;
        a->squares += w * y * y;
        s->payload[i] = (uint64_t)i;
        s->w[i] = w;
        s->s[i] = w * y;
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
        uint32_t row = s->paged ? s->page_row[a->row[i]] : a->row[i];
        double w = draw_weight(s, row), *to = s->s + i * n;
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

/* Prepares the search in a node; its value goes into the tree. */
static void look_at(const mli_forest_scratch *s, int64_t id, mli_forest_search *a)
{
    mli_forest_growing *node = &s->node[id];
    const mli_forest_data *d = s->data;
    int64_t k_n = s->options->classes;
    double *value = s->value + id * s->n_values;
    *a = (mli_forest_search){.codes = d->codes,
                             .code = s->paged ? s->page_code : d->codes->code,
                             .ld = s->paged ? PAGE_LD(s) : d->codes->rows,
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
    if (s->packed)
        sum_packed(s, a);
    else if (s->counted)
        sum_counted(s, a);
    else if (s->options->targets)
        sum_targets(s, a);
    else
        sum_doubles(s, a);
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

/* Levels that training did not see in the node follow its heavier child. */
static void place_absent(int32_t codes, uint32_t set[8], const uint32_t seen[8],
                         int heavy)
{
    for (int32_t c = 0; c <= codes; c++) {
        uint32_t bit = UINT32_C(1) << (c & 31);
        if (seen[c >> 5] & bit) continue;
        set[c >> 5] &= ~bit;
        if (heavy) set[c >> 5] |= bit;
    }
}

static void complete(const mli_forest_scratch *s, const mli_forest_search *a,
                     double impurity, mli_forest_split *best)
{
    double ratio = best->num / best->den;
    if (s->options->targets)
        best->gain = ratio / a->weight / (double)s->options->targets;
    else if (a->scalar)
        best->gain = ratio / a->weight * (s->data->label ? 2 : 1);
    else if (s->options->criterion == MLI_FOREST_ENTROPY)
        best->gain = impurity + ratio;
    else
        best->gain = ratio - (a->weight - impurity);
    best->gain = fmax(best->gain, 0);
}

/* Can no split be better? */
static int is_perfect(const mli_forest_search *a, const mli_forest_split *best)
{
    if (best->feature < 0) return 0;
    if (a->n == 2) return 1;
    return a->scalar && a->options->classes &&
           best->num >= a->sum * (a->weight - a->sum) * best->den;
}

/* Draws features until enough are seen, and one that is not constant. */
static void search(mli_forest_scratch *s, const mli_forest_search *a,
                   mli_forest_split *best)
{
    int64_t n = s->data->codes->n_features, most = s->options->max_features, found = 0;
    for (int64_t i = 0; i < n && (i < most || !found); i++) {
        uint32_t bits[8] = {0};
        double uniform = 0;
        if (most < n) {
            int64_t j = i + mli_rng_below(&s->rng, n - i);
            int32_t swap = s->order[i];
            s->order[i] = s->order[j];
            s->order[j] = swap;
        }
        int32_t feature = s->order[i];
        if (s->options->random_cuts) {
            uniform = mli_rng_f64(&s->rng);
            if (s->data->codes->feature[feature].kind == MLI_CATEGORICAL)
                for (int k = 0; k < 8; k++) bits[k] = mli_rng_u32(&s->rng);
        }
        found += mli_forest_try(a, feature, uniform, bits, best);
        if (is_perfect(a, best)) return;
    }
}

/* Finds the split of a new node; a node that can be split waits. */
static int consider(mli_forest_scratch *s, int64_t id)
{
    mli_forest_growing *node = &s->node[id];
    const mli_forest_options *o = s->options;
    mli_forest_search a;
    look_at(s, id, &a);
    a.min_weight = o->min_weight * s->node[0].weight;
    node->left = 0;
    if (node->n < o->min_split || node->n < 2 * o->min_leaf) return 1;
    if (o->max_depth > 0 && node->depth >= o->max_depth) return 1;
    if (!(node->impurity > 1e-14 * (s->data->label ? a.weight : a.squares))) return 1;
    mli_forest_split best = {.num = -INFINITY, .den = 1, .feature = -1};
    best.threshold = NAN;
    search(s, &a, &best);
    if (best.feature < 0) return 1;
    complete(s, &a, node->impurity, &best);
    double total = s->node[0].weight;
    if (best.gain < o->min_decrease * total) return 1;
    node->feature = best.feature;
    node->last = best.last;
    node->missing_left = (uint8_t)best.missing_left;
    node->categorical = (uint8_t)best.categorical;
    node->threshold = best.threshold;
    node->gain = best.gain;
    if (best.categorical) {
        if (!mli_reserve(s->ctx, &s->set, &s->set_capacity, s->n_sets + 1,
                         sizeof *s->set))
            return 0;
        node->set = (int32_t)s->n_sets;
        memcpy(s->set[s->n_sets++], best.bits, sizeof best.bits);
    }
    return push(s, (int32_t)id);
}

/* Divides the rows of a node by a cut of numbers; returns how many go left. Sets the
 * codes on both sides of the cut. */
static int64_t divide_numbers(const mli_forest_scratch *s, mli_forest_growing *node,
                              const uint16_t *code)
{
    /* Missing values that go left become 0, before all others. */
    uint16_t shift = node->missing_left, *key = s->near, missing = 0;
    const uint32_t *row = s->row + node->begin;
    mli_forest_cut c = {.row = s->row + node->begin,
                        .spare = s->spare_row,
                        .key = key,
                        .order = s->sides,
                        .n = node->n,
                        .limit = (uint16_t)(node->last + shift)};
    for (int64_t i = 0; i < c.n; i++) key[i] = (uint16_t)(code[row[i]] + shift);
    for (int64_t i = 0; i < c.n; i++)
        missing |= (uint16_t)(key[i] - shift) == MLI_CODE_MISSING;
    mli_forest_divide(&c, s->ctx->cpu_level);
    node->last = (uint16_t)(c.last - shift);
    node->next = c.next < MLI_CODE_MISSING ? (uint16_t)(c.next - shift) : c.next;
    if (!missing) node->missing_left = 2 * c.left > c.n;
    return c.left;
}

static int64_t divide_levels(const mli_forest_scratch *s, mli_forest_growing *node,
                             const uint16_t *code)
{
    uint32_t *row = s->row + node->begin, *spare = s->spare_row, seen[8] = {0};
    uint32_t *set = s->set[node->set];
    int64_t n = node->n, left = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t r = row[i], c = code[r];
        seen[c >> 5] |= UINT32_C(1) << (c & 31);
        row[left] = r;
        spare[i - left] = r;
        left += set[c >> 5] >> (c & 31) & 1;
    }
    memcpy(row + left, spare, (size_t)(n - left) * sizeof *row);
    int32_t codes = s->data->codes->feature[node->feature].n_codes;
    place_absent(codes, set, seen, 2 * left > n);
    node->missing_left = set[codes >> 5] >> (codes & 31) & 1;
    return left;
}

/* Divides the rows of a node between two new ones. */
static int divide(mli_forest_scratch *s, int64_t id)
{
    if (!reserve(s)) return 0;
    mli_forest_growing *node = &s->node[id], *child = &s->node[s->n_nodes];
    const mli_forest_codes *codes = s->data->codes;
    const uint16_t *code = s->paged ? s->page_code + node->feature * PAGE_LD(s)
                                    : codes->code + node->feature * codes->rows;
    uint32_t left = (uint32_t)(node->categorical ? divide_levels(s, node, code)
                                                 : divide_numbers(s, node, code));
    memset(child, 0, 2 * sizeof *child);
    child[0].begin = node->begin;
    child[0].n = left;
    child[1].begin = node->begin + left;
    child[1].n = node->n - left;
    child[0].depth = child[1].depth = node->depth + 1;
    node->left = (int32_t)s->n_nodes;
    s->n_nodes += 2;
    return 1;
}

/* Copies the rows of a node. */
static void turn_page(mli_forest_scratch *s, const mli_forest_growing *node)
{
    const mli_forest_codes *c = s->data->codes;
    uint32_t *row = s->row + node->begin;
    int64_t f = c->n_features;
    if (c->by_row) mli_forest_copy(c, row, node->n, s->page_code, PAGE_LD(s));
    for (int64_t j = 0; !c->by_row && j < f; j++) {
        const uint16_t *from = c->code + j * c->rows;
        uint16_t *to = s->page_code + j * PAGE_LD(s);
        for (int64_t i = 0; i < node->n; i++) to[i] = from[row[i]];
    }
    for (int64_t i = 0; i < node->n; i++) {
        if (s->packed)
            s->page_near[i] = s->drawn_near[row[i]];
        else if (s->counted)
            s->page_drawn[i] = s->drawn[row[i]];
        s->page_row[i] = row[i];
        row[i] = (uint32_t)i;
    }
    s->paged = 1;
}

/* Takes the next node to be split out of those that wait. */
static int64_t next_node(mli_forest_scratch *s)
{
    int64_t at = s->n_waiting - 1;
    const mli_forest_growing *node = s->node;
    for (int64_t i = at - 1; s->options->max_leaves > 0 && i >= 0; i--) {
        double gain = node[s->waiting[i]].gain;
        double best = node[s->waiting[at]].gain;
        if (gain > best || (gain == best && s->waiting[i] < s->waiting[at])) at = i;
    }
    int64_t id = s->waiting[at];
    s->waiting[at] = s->waiting[--s->n_waiting];
    return id;
}

static void prune(const mli_forest_scratch *s, double alpha, double *cost)
{
    for (int64_t i = s->n_nodes - 1; i >= 0; i--) {
        mli_forest_growing *node = &s->node[i];
        double own = node->impurity / s->node[0].weight + alpha;
        cost[i] = own;
        if (!node->left) continue;
        double below = cost[node->left] + cost[node->left + 1];
        if (own <= below * (1 + 1e-14))
            node->left = 0;
        else
            cost[i] = below;
    }
}

/* Splits a node and all below it. */
static ml_status grow(mli_forest_scratch *s, int64_t root, const mli_run *run)
{
    int64_t most = s->options->max_leaves, leaves = 1, before = s->n_waiting;
    int turned = !s->paged && s->node[root].n <= s->page;
    if (turned) turn_page(s, &s->node[root]);
    if (!consider(s, root)) return ML_E_MEMORY;
    while (s->n_waiting > before && (most == 0 || leaves < most)) {
        int64_t id = next_node(s);
        if (run && s->node[id].n > 500 && mli_run_state(run) == ML_CANCEL)
            return ML_E_CANCELLED;
        if (s->n_nodes > INT32_MAX - 2 || !divide(s, id)) return ML_E_MEMORY;
        int64_t left = s->node[id].left;
        leaves++;
        for (int64_t child = left; child < left + 2; child++) {
            int apart = !s->paged && s->node[child].n <= s->page;
            ml_status status = apart                ? grow(s, child, run)
                               : consider(s, child) ? ML_OK
                                                    : ML_E_MEMORY;
            if (status != ML_OK) return status;
        }
    }
    if (turned) s->paged = 0;
    return ML_OK;
}

/* The rows of the leaves. */
static ml_status keep_leaves(const mli_forest_scratch *s, mli_forest_tree *t)
{
    const mli_forest_codes *c = s->data->codes;
    t->sample = mli_calloc(s->ctx, (size_t)s->node[0].n, sizeof *t->sample);
    if (!t->sample) return ML_E_MEMORY;
    for (int64_t i = 0; i < c->rows; i++) {
        double w = draw_weight(s, (uint32_t)i);
        if (!(w > 0)) continue;
        mli_forest_sample *to = &t->sample[t->n_samples++];
        to->node = (int32_t)mli_forest_leaf(t, c, i);
        to->row = (uint32_t)i;
        to->weight = w;
    }
    return ML_OK;
}

/* Means of the targets of the first n rows. */
static void find_center(const mli_forest_scratch *s, int64_t n)
{
    int64_t width = s->options->targets ? s->options->targets : 1;
    const double *y = s->options->targets ? s->data->ys : s->data->y;
    double weight = 0;
    for (int64_t k = 0; k < width; k++) s->center[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = draw_weight(s, s->row[i]);
        for (int64_t k = 0; k < width; k++)
            s->center[k] += w * y[(int64_t)s->row[i] * width + k];
        weight += w;
    }
    for (int64_t k = 0; k < width; k++)
        s->center[k] = weight > 0 ? s->center[k] / weight : 0;
}

static ml_status grow_tree(mli_forest_scratch *s, const mli_run *run,
                           mli_forest_tree *out)
{
    ml_status status = ML_OK;
    if (!s->data->label) find_center(s, s->node[0].n);
    if (!keep_sample(s, out)) return ML_E_MEMORY;
    status = grow(s, 0, run);
    if (status == ML_OK && s->options->ccp_alpha > 0) {
        double *cost = mli_alloc_vec(s->ctx, s->n_nodes, sizeof *cost);
        if (!cost) return ML_E_MEMORY;
        prune(s, s->options->ccp_alpha, cost);
        mli_free(s->ctx, cost);
    }
    if (status == ML_OK && !mli_forest_keep(out, s->data->codes, s->node, s->n_nodes,
                                            s->value, (const uint32_t(*)[8])s->set))
        return ML_E_MEMORY;
    return status == ML_OK && s->options->keep_samples ? keep_leaves(s, out) : status;
}

ml_status mli_forest_grow(mli_forest_scratch *s, int64_t index, const mli_run *run,
                          mli_forest_tree *out)
{
    const mli_forest_data *d = s->data;
    memset(out, 0, sizeof *out);
    out->ctx = s->ctx;
    out->n_values = s->n_values;
    s->n_waiting = s->n_nodes = s->n_sets = 0;
    s->paged = 0;
    mli_rng_init(&s->rng, s->options->seed, STREAM, (uint64_t)index);
    for (int64_t j = 0; j < d->codes->n_features; j++) s->order[j] = (int32_t)j;
    if (!reserve(s)) return ML_E_MEMORY;
    memset(s->node, 0, sizeof *s->node);
    s->n_nodes = 1;
    /* A sample without any weight is drawn again. */
    for (int tries = 0; tries < 1000 && s->node[0].n == 0; tries++)
        s->node[0].n = (uint32_t)draw_rows(s);
    return grow_tree(s, run, out);
}
