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
#include "algorithms/trees/forest_grow.h"
#include <float.h>
#include <math.h>
#include <string.h>

#define STREAM 0x666f7265

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
    else if (a->scalar && a->logs)
        best->gain = ratio;
    else if (a->scalar)
        best->gain = ratio / a->weight * (s->data->label ? 2 : 1);
    else if (s->options->criterion == MLI_FOREST_ENTROPY)
        best->gain = impurity + ratio;
    else
        best->gain = ratio - (a->weight - impurity);
    best->gain = fmax(best->gain / a->unit / a->unit, 0);
}

/* Can no split be better? */
static int is_perfect(const mli_forest_search *a, const mli_forest_split *best)
{
    if (best->feature < 0) return 0;
    if (a->n == 2) return 1;
    if (a->scalar && a->logs) return best->num >= -a->own;
    return a->scalar && a->options->classes &&
           best->num >= a->sum * (a->weight - a->sum) * best->den;
}

/* Draws features until enough are seen, and one that is not constant. */
static void search(mli_forest_scratch *s, const mli_forest_search *a,
                   mli_forest_split *best)
{
    int64_t n = s->data->codes->n_features, most = s->options->max_features, found = 0;
    for (int64_t i = 0; i < n && (i < most || !found); i++) {
        uint32_t bits[8];
        if (most < n) {
            int64_t j = i + mli_rng_below(&s->rng, n - i);
            int32_t swap = s->order[i];
            s->order[i] = s->order[j];
            s->order[j] = swap;
        }
        int32_t feature = s->order[i];
        if (!s->options->random_cuts) {
            found += mli_forest_try(a, feature, best);
        } else if (s->data->codes->feature[feature].kind == MLI_CATEGORICAL) {
            for (int k = 0; k < 8; k++) bits[k] = mli_rng_u32(&s->rng);
            found += mli_forest_random(a, feature, 0, bits, best);
        } else {
            double uniform = mli_rng_u32(&s->rng) * 0x1p-32;
            found += mli_forest_random(a, feature, uniform, NULL, best);
        }
        if (is_perfect(a, best)) return;
    }
}

/* Finds the split of a new node; a node that can be split waits. */
static int consider(mli_forest_scratch *s, int64_t id)
{
    mli_forest_growing *node = &s->node[id];
    const mli_forest_options *o = s->options;
    mli_forest_search *a = &s->search;
    mli_forest_look(s, id);
    a->min_weight = o->min_weight * s->node[0].weight;
    node->left = 0;
    if (node->n < o->min_split || node->n < 2 * o->min_leaf) return 1;
    if (o->max_depth > 0 && node->depth >= o->max_depth) return 1;
    if (!(node->impurity > 1e-14 * (s->data->label ? a->weight : a->squares))) return 1;
    mli_forest_split best = {.num = -INFINITY, .den = 1, .feature = -1};
    best.threshold = NAN;
    a->two = node->n == 2 && o->min_leaf < 2 && !(a->min_weight > 0) && !o->random_cuts;
    if (!a->two) mli_forest_prepare(s);
    if (a->logs) a->own = mli_forest_purity(a, a->weight, a->sum);
    search(s, a, &best);
    if (best.feature < 0) return 1;
    complete(s, a, node->impurity, &best);
    if (a->two) best.gain = node->impurity;
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

/* Keys of the rows of a node for a cut of numbers. Missing values that go left become 0,
 * before all others. Returns the largest key that goes left. */
static uint16_t find_keys(const mli_forest_scratch *s, const mli_forest_growing *node,
                          int *missing)
{
    const mli_forest_codes *codes = s->data->codes;
    const uint32_t *row = s->row + node->begin;
    uint16_t shift = node->missing_left, *key = s->near, seen = 0;
    if (codes->place) {
        const float *place = s->page->place + node->feature * s->page->ld;
        float t = mli_forest_place(&codes->feature[node->feature], node->threshold);
        for (int64_t i = 0; i < node->n; i++) {
            float x = place[row[i]];
            uint16_t absent = x > FLT_MAX;
            key[i] = (uint16_t)((x > t) & ~(absent & shift));
            seen |= absent;
        }
        *missing = seen;
        return 0;
    }
    const uint16_t *code = s->page->code + node->feature * s->page->ld;
    for (int64_t i = 0; i < node->n; i++) key[i] = (uint16_t)(code[row[i]] + shift);
    for (int64_t i = 0; i < node->n; i++)
        seen |= (uint16_t)(key[i] - shift) == MLI_CODE_MISSING;
    *missing = seen;
    return (uint16_t)(node->last + shift);
}

/* Divides the rows of a node by a cut of numbers; returns how many go left. Sets the
 * codes on both sides of the cut. */
static int64_t divide_numbers(const mli_forest_scratch *s, mli_forest_growing *node)
{
    uint16_t shift = node->missing_left;
    int missing;
    mli_forest_cut c = {.row = s->row + node->begin,
                        .spare = s->spare_row,
                        .key = s->near,
                        .order = s->sides,
                        .n = node->n,
                        .limit = find_keys(s, node, &missing)};
    mli_forest_divide(&c, s->ctx->cpu_level);
    node->last = (uint16_t)(c.last - shift);
    node->next = c.next < MLI_CODE_MISSING ? (uint16_t)(c.next - shift) : c.next;
    if (!missing) node->missing_left = 2 * c.left > c.n;
    return c.left;
}

/* The code of a category. */
static inline uint32_t level_of(const mli_forest_scratch *s, int64_t feature,
                                uint32_t row)
{
    const mli_forest_page *p = s->page;
    int64_t at = feature * p->ld + row;
    return p->place ? (uint32_t)p->place[at] : p->code[at];
}

static int64_t divide_levels(const mli_forest_scratch *s, mli_forest_growing *node)
{
    uint32_t *row = s->row + node->begin, *spare = s->spare_row, seen[8] = {0};
    uint32_t *set = s->set[node->set];
    int64_t n = node->n, left = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t r = row[i], c = level_of(s, node->feature, r);
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
    uint32_t left =
        (uint32_t)(node->categorical ? divide_levels(s, node) : divide_numbers(s, node));
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

/* Does the node fit the next page? */
static int fits_page(const mli_forest_scratch *s, int64_t id)
{
    int next = (int)(s->page - s->pages) + 1;
    return next < s->n_pages && s->node[id].n <= s->pages[next].rows;
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
    mli_forest_page *page = s->page;
    while (fits_page(s, root)) mli_forest_turn(s, &s->node[root]);
    if (!consider(s, root)) return ML_E_MEMORY;
    while (s->n_waiting > before && (most == 0 || leaves < most)) {
        int64_t id = next_node(s);
        if (run && s->node[id].n > 500 && mli_run_state(run) == ML_CANCEL)
            return ML_E_CANCELLED;
        if (s->n_nodes > INT32_MAX - 2 || !divide(s, id)) return ML_E_MEMORY;
        int64_t left = s->node[id].left;
        leaves++;
        for (int64_t child = left; child < left + 2; child++) {
            ml_status status = fits_page(s, child)  ? grow(s, child, run)
                               : consider(s, child) ? ML_OK
                                                    : ML_E_MEMORY;
            if (status != ML_OK) return status;
        }
        /* Lanes are rounded. */
        const mli_forest_growing *node = s->node;
        if (s->numbers)
            s->node[id].gain = fmax(
                node[id].impurity - node[left].impurity - node[left + 1].impurity, 0);
    }
    s->page = page;
    return ML_OK;
}

/* The rows of the leaves. */
static ml_status keep_leaves(const mli_forest_scratch *s, mli_forest_tree *t)
{
    const mli_forest_codes *c = s->data->codes;
    t->sample = mli_calloc(s->ctx, (size_t)s->node[0].n, sizeof *t->sample);
    if (!t->sample) return ML_E_MEMORY;
    for (int64_t i = 0; i < c->rows; i++) {
        double w = mli_forest_weight(s, (uint32_t)i);
        if (!(w > 0)) continue;
        mli_forest_sample *to = &t->sample[t->n_samples++];
        to->node = (int32_t)mli_forest_leaf(t, c, i);
        to->row = (uint32_t)i;
        to->weight = w;
    }
    return ML_OK;
}

static ml_status grow_tree(mli_forest_scratch *s, const mli_run *run,
                           mli_forest_tree *out)
{
    ml_status status = ML_OK;
    if (!keep_sample(s, out)) return ML_E_MEMORY;
    status = grow(s, 0, run);
    /* Sums of huge targets or weights overflow. */
    for (int64_t i = 0; status == ML_OK && i < s->n_nodes * s->n_values; i++)
        if (!isfinite(s->value[i])) status = ML_E_NUMERIC;
    if (status == ML_OK && s->options->ccp_alpha > 0) {
        double *cost = mli_alloc_vec(s->ctx, s->n_nodes, sizeof *cost);
        if (!cost) return ML_E_MEMORY;
        prune(s, s->options->ccp_alpha, cost);
        mli_free(s->ctx, cost);
    }
    if (status == ML_OK &&
        !mli_forest_keep(out, s->data->codes, s->node, s->n_nodes, s->value,
                         (const uint32_t(*)[8])s->set, s->n_sets))
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
    out->finds_rows = s->options->finds_rows;
    s->n_waiting = s->n_nodes = s->n_sets = 0;
    mli_rng_init(&s->rng, s->options->seed, STREAM, (uint64_t)index);
    for (int64_t j = 0; j < d->codes->n_features; j++) s->order[j] = (int32_t)j;
    if (!reserve(s)) return ML_E_MEMORY;
    memset(s->node, 0, sizeof *s->node);
    s->n_nodes = 1;
    /* A sample without any weight is drawn again. */
    for (int tries = 0; tries < 1000 && s->node[0].n == 0; tries++)
        s->node[0].n = (uint32_t)mli_forest_draw(s);
    return grow_tree(s, run, out);
}
