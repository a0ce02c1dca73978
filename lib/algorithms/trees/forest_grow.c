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
 * Buffers, per slot: 52 bytes per row.
 */
#include "algorithms/trees/forest.h"
#include "core/rng.h"
#include <math.h>
#include <string.h>

#define STREAM 0x666f7265

struct mli_forest_scratch {
    const mli_forest_data *data;
    const mli_forest_options *options;
    ml_context *ctx;
    int counted, scalar;
    uint32_t *row, *spare_row, *count; /* [rows] count: draws */
    uint64_t *element, *spare, *payload;
    double *w, *s;  /* [rows] not counted */
    int32_t *label; /* [rows] not counted, classes */
    double *left, *bins, *classes;
    int32_t *order; /* [features] */
    int32_t *waiting;
    int64_t n_waiting, waiting_capacity;
    double center; /* of the target */
    mli_rng rng;
    mli_forest_tree *tree;
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

mli_forest_scratch *mli_forest_scratch_new(const mli_forest_data *data,
                                           const mli_forest_options *o)
{
    ml_context *ctx = data->codes->ctx;
    int64_t n = data->codes->rows, f = data->codes->n_features, k = o->classes + 1;
    mli_forest_scratch *s = mli_calloc(ctx, 1, sizeof *s);
    if (!s) return NULL;
    s->data = data;
    s->options = o;
    s->ctx = ctx;
    s->counted = !needs_doubles(data, o);
    s->scalar = !data->label || (o->classes == 2 && o->criterion == MLI_FOREST_GINI);
    s->row = mli_alloc_vec(ctx, n + 1, sizeof *s->row);
    s->spare_row = mli_alloc_vec(ctx, n + 1, sizeof *s->spare_row);
    s->count = mli_alloc_vec(ctx, n + 1, sizeof *s->count);
    s->element = mli_alloc_vec(ctx, n + 1, sizeof *s->element);
    s->spare = mli_alloc_vec(ctx, n + 1, sizeof *s->spare);
    s->payload = mli_alloc_vec(ctx, n + 1, sizeof *s->payload);
    int64_t plain = s->counted ? 1 : n + 1;
    s->w = mli_alloc_vec(ctx, plain, sizeof *s->w);
    s->s = mli_alloc_vec(ctx, plain, sizeof *s->s);
    s->label = mli_alloc_vec(ctx, plain, sizeof *s->label);
    s->left = mli_alloc_vec(ctx, 3 * k, sizeof *s->left);
    s->classes = mli_alloc_vec(ctx, k, sizeof *s->classes);
    s->bins = mli_alloc_vec(ctx, s->scalar ? 1 : 257 * k, sizeof *s->bins);
    s->order = mli_alloc_vec(ctx, f + 1, sizeof *s->order);
    if (s->row && s->spare_row && s->count && s->element && s->spare && s->payload &&
        s->w && s->s && s->label && s->left && s->classes && s->bins && s->order)
        return s;
    mli_forest_scratch_free(s);
    return NULL;
}

void mli_forest_scratch_free(mli_forest_scratch *s)
{
    if (!s) return;
    void *const blocks[] = {s->row,     s->spare_row, s->count, s->element, s->spare,
                            s->payload, s->w,         s->s,     s->label,   s->left,
                            s->bins,    s->classes,   s->order, s->waiting};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mli_free(s->ctx, blocks[i]);
    mli_free(s->ctx, s);
}

void mli_forest_tree_free(mli_forest_tree *t)
{
    if (!t->ctx) return;
    mli_free(t->ctx, t->node);
    mli_free(t->ctx, t->value);
    mli_free(t->ctx, t->inbag);
    memset(t, 0, sizeof *t);
}

/* Room for two nodes more. */
static int reserve(mli_forest_tree *t)
{
    if (t->n_nodes + 2 <= t->capacity) return 1;
    int64_t n = 2 * t->capacity > 64 ? 2 * t->capacity : 64;
    size_t size = sizeof *t->node, values = (size_t)(n * t->n_values) * sizeof(double);
    void *node = t->node ? mli_realloc(t->ctx, t->node, (size_t)n * size)
                         : mli_alloc(t->ctx, (size_t)n * size);
    if (node) t->node = node;
    void *value =
        t->value ? mli_realloc(t->ctx, t->value, values) : mli_alloc(t->ctx, values);
    if (value) t->value = value;
    if (!node || !value) return 0;
    t->capacity = n;
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
    for (int64_t i = 0; i < rows; i++)
        if (s->count[i] && (!weight || weight[i] > 0)) s->row[n++] = (uint32_t)i;
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
        if (s->count[i]) t->inbag[i >> 6] |= UINT64_C(1) << (i & 63);
    return 1;
}

/* ---- a node ---- */

/* Payloads of the rows of a node, and its sums; its value into the tree. */
static void look_at(const mli_forest_scratch *s, int64_t id, mli_forest_search *a)
{
    mli_forest_node *node = &s->tree->node[id];
    const mli_forest_data *d = s->data;
    const uint32_t *row = s->row + node->begin;
    int64_t k_n = s->options->classes;
    double *value = s->tree->value + id * s->tree->n_values;
    *a = (mli_forest_search){.codes = d->codes,
                             .options = s->options,
                             .counted = s->counted,
                             .scalar = s->scalar,
                             .row = row,
                             .payload = s->payload,
                             .w = s->w,
                             .s = s->s,
                             .label = s->label,
                             .n = node->n,
                             .classes = s->classes,
                             .element = s->element,
                             .spare = s->spare,
                             .left = s->left,
                             .bins = s->bins};
    if (d->label) memset(s->classes, 0, (size_t)k_n * sizeof *s->classes);
    for (int64_t i = 0; i < node->n; i++) {
        double w = draw_weight(s, row[i]), y = 0;
        if (d->label) {
            int32_t k = d->label[row[i]];
            s->classes[k] += w;
            s->payload[i] = (uint64_t)(uint32_t)k << 32 | (uint32_t)w;
            y = s->scalar ? (double)k : 0;
        } else {
            y = d->y[row[i]] - s->center;
        }
        a->weight += w;
        a->sum += w * y;
        a->squares += w * y * y;
        if (s->counted) continue;
        s->payload[i] = (uint64_t)i;
        s->w[i] = w;
        s->s[i] = w * y;
        if (d->label) s->label[i] = d->label[row[i]];
    }
    node->weight = a->weight;
    if (d->label) {
        node->impurity =
            mli_forest_impurity(s->options->criterion, s->classes, k_n, a->weight);
        for (int64_t k = 0; k < k_n; k++) value[k] = s->classes[k] / a->weight;
    } else {
        node->impurity = fmax(a->squares - a->sum * (a->sum / a->weight), 0);
        value[0] = s->center + a->sum / a->weight;
    }
}

/* A number t with a <= t < b between neighbours, one of single precision if there is. */
static double between(double a, double b)
{
    double middle = a / 2 + b / 2;
    if (!(middle >= a && middle < b)) middle = a;
    float narrow = (float)middle;
    return (double)narrow >= a && (double)narrow < b ? (double)narrow : middle;
}

/* Values that training did not see in the node follow its heavier child. */
static void place_absent(const mli_forest_search *a, mli_forest_split *s)
{
    const mli_forest_feature *f = &a->codes->feature[s->feature];
    const uint16_t *code = a->codes->code + s->feature * a->codes->rows;
    uint32_t seen[8] = {0};
    int missing = 0;
    int64_t left = 0;
    for (int64_t i = 0; i < a->n; i++) {
        uint32_t c = code[a->row[i]];
        left += mli_forest_left(s, c);
        if (s->categorical)
            seen[c >> 5] |= UINT32_C(1) << (c & 31);
        else
            missing |= c == MLI_CODE_MISSING;
    }
    int heavy = 2 * left > a->n;
    if (!s->categorical) {
        if (!missing) s->missing_left = heavy;
        return;
    }
    for (int32_t c = 0; c <= f->n_codes; c++) {
        uint32_t bit = UINT32_C(1) << (c & 31);
        if (seen[c >> 5] & bit) continue;
        s->bits[c >> 5] &= ~bit;
        if (heavy) s->bits[c >> 5] |= bit;
    }
    s->missing_left = (int)(s->bits[f->n_codes >> 5] >> (f->n_codes & 31)) & 1;
}

static void complete(const mli_forest_scratch *s, const mli_forest_search *a,
                     double impurity, mli_forest_split *best)
{
    const mli_forest_feature *f = &a->codes->feature[best->feature];
    double ratio = best->num / best->den;
    if (a->scalar)
        best->gain = ratio / a->weight * (s->data->label ? 2 : 1);
    else if (s->options->criterion == MLI_FOREST_ENTROPY)
        best->gain = impurity + ratio;
    else
        best->gain = ratio - (a->weight - impurity);
    best->gain = fmax(best->gain, 0);
    place_absent(a, best);
    if (best->categorical || !isnan(best->threshold)) return;
    if (best->next == MLI_CODE_MISSING)
        best->threshold = INFINITY;
    else if (f->exact)
        best->threshold = between(f->value[best->last], f->value[best->next]);
    else
        best->threshold = f->value[best->last];
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
    }
}

/* Finds the split of a new node; a node that can be split waits. */
static int consider(mli_forest_scratch *s, int64_t id)
{
    mli_forest_node *node = &s->tree->node[id];
    const mli_forest_options *o = s->options;
    mli_forest_search a;
    look_at(s, id, &a);
    a.min_weight = o->min_weight * s->tree->node[0].weight;
    node->left = 0;
    if (node->n < o->min_split || node->n < 2 * o->min_leaf) return 1;
    if (o->max_depth > 0 && node->depth >= o->max_depth) return 1;
    if (!(node->impurity > 1e-14 * (s->data->label ? a.weight : a.squares))) return 1;
    mli_forest_split best = {.num = -INFINITY, .den = 1, .feature = -1};
    best.threshold = NAN;
    search(s, &a, &best);
    if (best.feature < 0) return 1;
    complete(s, &a, node->impurity, &best);
    double total = s->tree->node[0].weight;
    if (best.gain < o->min_decrease * total) return 1;
    node->split = best;
    return push(s, (int32_t)id);
}

/* Divides the rows of a node between two new ones. */
static int divide(mli_forest_scratch *s, int64_t id)
{
    mli_forest_tree *t = s->tree;
    if (!reserve(t)) return 0;
    mli_forest_node *node = &t->node[id], *child = &t->node[t->n_nodes];
    const mli_forest_split *split = &node->split;
    const uint16_t *code = s->data->codes->code + split->feature * s->data->codes->rows;
    uint32_t *row = s->row + node->begin;
    int64_t left = 0, right = 0;
    for (int64_t i = 0; i < node->n; i++) {
        uint32_t r = row[i];
        int goes = mli_forest_left(split, code[r]);
        row[left] = r;
        s->spare_row[right] = r;
        left += goes;
        right += !goes;
    }
    memcpy(row + left, s->spare_row, (size_t)right * sizeof *row);
    memset(child, 0, 2 * sizeof *child);
    child[0].begin = node->begin;
    child[0].n = left;
    child[1].begin = node->begin + left;
    child[1].n = right;
    child[0].depth = child[1].depth = node->depth + 1;
    node->left = (int32_t)t->n_nodes;
    t->n_nodes += 2;
    return 1;
}

/* Takes the next node to be split out of those that wait. */
static int64_t next_node(mli_forest_scratch *s)
{
    int64_t at = s->n_waiting - 1;
    const mli_forest_node *node = s->tree->node;
    for (int64_t i = at - 1; s->options->max_leaves > 0 && i >= 0; i--) {
        double gain = node[s->waiting[i]].split.gain;
        double best = node[s->waiting[at]].split.gain;
        if (gain > best || (gain == best && s->waiting[i] < s->waiting[at])) at = i;
    }
    int64_t id = s->waiting[at];
    s->waiting[at] = s->waiting[--s->n_waiting];
    return id;
}

static void prune(mli_forest_tree *t, double alpha, double *cost)
{
    for (int64_t i = t->n_nodes - 1; i >= 0; i--) {
        mli_forest_node *node = &t->node[i];
        double own = node->impurity / t->node[0].weight + alpha;
        cost[i] = own;
        if (!node->left) continue;
        double below = cost[node->left] + cost[node->left + 1];
        if (own <= below * (1 + 1e-14))
            node->left = 0;
        else
            cost[i] = below;
    }
}

static ml_status grow(mli_forest_scratch *s, const mli_run *run)
{
    mli_forest_tree *t = s->tree;
    int64_t most = s->options->max_leaves, leaves = 1, steps = 0;
    if (!consider(s, 0)) return ML_E_MEMORY;
    while (s->n_waiting > 0 && (most == 0 || leaves < most)) {
        int64_t id = next_node(s);
        if ((++steps & 63) == 0 || t->node[id].n > 5000)
            if (run && mli_run_state(run) == ML_CANCEL) return ML_E_CANCELLED;
        if (t->n_nodes > INT32_MAX - 2 || !divide(s, id)) return ML_E_MEMORY;
        int64_t left = t->node[id].left;
        leaves++;
        if (!consider(s, left) || !consider(s, left + 1)) return ML_E_MEMORY;
    }
    return ML_OK;
}

ml_status mli_forest_grow(mli_forest_scratch *s, int64_t index, const mli_run *run,
                          mli_forest_tree *out)
{
    const mli_forest_data *d = s->data;
    ml_status status = ML_OK;
    memset(out, 0, sizeof *out);
    out->ctx = s->ctx;
    out->n_values = s->options->classes ? s->options->classes : 1;
    s->tree = out;
    s->n_waiting = 0;
    mli_rng_init(&s->rng, s->options->seed, STREAM, (uint64_t)index);
    for (int64_t j = 0; j < d->codes->n_features; j++) s->order[j] = (int32_t)j;
    if (!reserve(out)) return ML_E_MEMORY;
    memset(out->node, 0, sizeof *out->node);
    out->n_nodes = 1;
    /* A sample without any weight is drawn again. */
    for (int tries = 0; tries < 1000 && out->node[0].n == 0; tries++)
        out->node[0].n = draw_rows(s);
    double sum = 0, weight = 0;
    for (int64_t i = 0; !d->label && i < out->node[0].n; i++) {
        double w = draw_weight(s, s->row[i]);
        sum += w * d->y[s->row[i]];
        weight += w;
    }
    s->center = weight > 0 ? sum / weight : 0;
    if (!keep_sample(s, out)) status = ML_E_MEMORY;
    if (status == ML_OK) status = grow(s, run);
    if (status == ML_OK && s->options->ccp_alpha > 0) {
        double *cost = mli_alloc_vec(s->ctx, out->n_nodes, sizeof *cost);
        if (cost) prune(out, s->options->ccp_alpha, cost);
        if (!cost) status = ML_E_MEMORY;
        mli_free(s->ctx, cost);
    }
    return status;
}

int64_t mli_forest_leaf(const mli_forest_tree *t, const mli_forest_codes *codes,
                        int64_t row)
{
    int64_t i = 0;
    while (t->node[i].left) {
        const mli_forest_split *s = &t->node[i].split;
        uint32_t code = codes->code[s->feature * codes->rows + row];
        i = t->node[i].left + !mli_forest_left(s, code);
    }
    return i;
}
