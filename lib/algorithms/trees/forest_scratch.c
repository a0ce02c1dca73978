/* SPDX-License-Identifier: MIT
 *
 * trees/forest_scratch.c: memory for growing a tree, its sample of the rows, and pages.
 *
 * Nodes of few rows read theirs from all over the table: a cache miss each. So their rows
 * are copied, once when they are some thousands, and once more when they fit the second
 * cache.
 *
 * Cost: 54 bytes per row and slot; a page about 1 cycle per value.
 */
#include "algorithms/trees/forest_grow.h"
#include <math.h>
#include <string.h>

#define LARGE_PAGE (1 << 18) /* values */
#define SMALL_PAGE (1 << 16) /* of a page that should stay in the cache */
#define MOST_ROWS  (1 << 15) /* of a page */

/* ---- memory ---- */

static int has_whole_weights(const mli_forest_data *d)
{
    for (int64_t i = 0; d->weight && i < d->codes->rows; i++)
        if (!(d->weight[i] >= 0 && d->weight[i] <= 1e4 &&
              d->weight[i] == floor(d->weight[i])))
            return 0;
    return 1;
}

/* ---- pages ---- */

/* Memory for the rows of a page. 0: there is none. */
static int take_page(mli_forest_scratch *s, int64_t rows)
{
    mli_forest_page *p = &s->pages[s->n_pages++];
    ml_context *ctx = s->ctx;
    int64_t values;
    p->rows = rows;
    p->ld = rows + 32; /* columns start in different sets of the cache */
    values = s->data->codes->n_features * p->ld;
    p->row = mli_alloc_vec(ctx, rows, sizeof *p->row);
    if (s->options->random_cuts)
        p->place = mli_alloc_vec(ctx, values, sizeof *p->place);
    else
        p->code = mli_alloc_vec(ctx, values, sizeof *p->code);
    if (s->counted) {
        p->drawn = mli_alloc_vec(ctx, rows, sizeof *p->drawn);
        p->near = mli_alloc_vec(ctx, rows, sizeof *p->near);
        return p->row && (p->place || p->code) && p->drawn && p->near;
    }
    p->wy = mli_alloc_vec(ctx, 2 * rows, sizeof *p->wy);
    return p->row && (p->place || p->code) && p->wy;
}

/* The table, and pages of no more than some values each. */
static int take_pages(mli_forest_scratch *s)
{
    static const int64_t most[] = {LARGE_PAGE, SMALL_PAGE};
    const mli_forest_codes *c = s->data->codes;
    int64_t n = c->rows, f = c->n_features, before = n, vectors = s->counted ? n + 1 : 1;
    int64_t scalars = s->counted || !s->scalar ? 1 : n + 1;
    mli_forest_page *p = &s->pages[s->n_pages++];
    *p = (mli_forest_page){.rows = n, .ld = n, .code = c->code, .place = c->place};
    p->drawn = mli_alloc_vec(s->ctx, vectors, sizeof *p->drawn);
    p->near = mli_alloc_vec(s->ctx, vectors, sizeof *p->near);
    p->wy = mli_alloc_vec(s->ctx, 2 * scalars, sizeof *p->wy);
    if (!p->drawn || !p->near || !p->wy) return 0;
    for (size_t k = 0; k < sizeof most / sizeof *most; k++) {
        int64_t rows = MOST_ROWS, levels = 15;
        for (; rows > 64 && rows * f > most[k]; rows /= 2) levels--;
        /* Copying is worth it when the levels below read more than all features. */
        int last = most[k] == SMALL_PAGE;
        if (s->options->max_leaves > 0 || 2 * rows > before) continue;
        if (f > s->options->max_features * (last ? 2 * levels : 8)) continue;
        if (!take_page(s, rows)) return 0;
        before = rows;
    }
    return 1;
}

static void copy_page(const mli_forest_codes *c, const mli_forest_page *from,
                      const uint32_t *row, int64_t n, mli_forest_page *to)
{
    if (!from->row && c->by_row) {
        mli_forest_copy(c, row, n, to->code, to->ld);
        return;
    }
    if (!from->row && c->place_by_row) {
        mli_forest_copy_places(c, row, n, to->place, to->ld);
        return;
    }
    for (int64_t j = 0; j < c->n_features; j++) {
        if (to->code)
            for (int64_t i = 0; i < n; i++)
                to->code[j * to->ld + i] = from->code[j * from->ld + row[i]];
        else
            for (int64_t i = 0; i < n; i++)
                to->place[j * to->ld + i] = from->place[j * from->ld + row[i]];
    }
}

void mli_forest_turn(mli_forest_scratch *s, const mli_forest_growing *node)
{
    const mli_forest_page *from = s->page;
    mli_forest_page *to = ++s->page;
    uint32_t *row = s->row + node->begin;
    int64_t n = node->n;
    copy_page(s->data->codes, from, row, n, to);
    if (s->packed)
        for (int64_t i = 0; i < n; i++) to->near[i] = from->near[row[i]];
    else if (s->counted)
        for (int64_t i = 0; i < n; i++) to->drawn[i] = from->drawn[row[i]];
    for (int64_t i = 0; i < n; i++) {
        uint32_t r = row[i];
        if (!s->counted && s->scalar) {
            to->wy[2 * i] = from->wy[2 * r];
            to->wy[2 * i + 1] = from->wy[2 * r + 1];
        }
        to->row[i] = from->row ? from->row[r] : r;
        row[i] = (uint32_t)i;
    }
}

/* ---- all of it ---- */

/* What random cuts need. 0: no memory. */
static int take_random(mli_forest_scratch *s)
{
    int64_t n = s->data->codes->rows, classes = s->options->classes;
    if (!s->options->random_cuts) return 1;
    if (s->counted && classes <= MLI_FOREST_FIELDS) s->n_words = (classes + 3) / 4;
    s->word_ld = n + 8;
    s->x = mli_alloc_vec(s->ctx, n + 8, sizeof *s->x);
    s->word = mli_alloc_vec(s->ctx, s->n_words * s->word_ld + 1, sizeof *s->word);
    return s->x && s->word;
}

/* What all nodes have in common. */
static void prepare_search(mli_forest_scratch *s)
{
    s->search = (mli_forest_search){.codes = s->data->codes,
                                    .x = s->x,
                                    .options = s->options,
                                    .counted = s->counted,
                                    .scalar = s->scalar,
                                    .w = s->w,
                                    .s = s->s,
                                    .label = s->label,
                                    .classes = s->classes,
                                    .element = s->element,
                                    .spare = s->spare,
                                    .near = s->near,
                                    .left = s->left,
                                    .bins = s->bins,
                                    .logs = s->counted ? s->data->logs : NULL,
                                    .n_logs = s->data->n_logs,
                                    .unit = 1};
    s->bytes = s->counted && !s->scalar && !s->options->random_cuts &&
               s->options->classes <= MLI_FOREST_BYTES &&
               s->options->criterion == MLI_FOREST_GINI;
    s->numbers = !s->data->label && s->scalar && !s->options->random_cuts;
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
    s->whole = has_whole_weights(data);
    s->counted = s->whole && data->label && o->classes <= 65535;
    s->scalar =
        !o->targets && (!data->label || (o->classes == 2 && (!data->logs || s->counted)));
    s->row = mli_alloc_vec(ctx, n + 1, sizeof *s->row);
    s->spare_row = mli_alloc_vec(ctx, n + 8, sizeof *s->spare_row);
    s->count = mli_alloc_vec(ctx, n + 1, sizeof *s->count);
    s->element = mli_alloc_vec(ctx, n + 1, sizeof *s->element);
    s->spare = mli_alloc_vec(ctx, n + 1, sizeof *s->spare);
    s->payload = mli_alloc_vec(ctx, (data->label ? 1 : 2) * (n + 4), sizeof *s->payload);
    int64_t plain = s->counted ? 1 : n + 8;
    s->pair = mli_alloc_vec(ctx, n + 1, sizeof *s->pair);
    s->near = mli_alloc_vec(ctx, 2 * (n + 16), sizeof *s->near);
    s->w = mli_alloc_vec(ctx, plain, sizeof *s->w);
    s->s = mli_alloc_vec(ctx, plain * targets, sizeof *s->s);
    s->center = mli_alloc_vec(ctx, 2 * targets, sizeof *s->center);
    s->squares = s->center ? s->center + targets : NULL;
    s->label = mli_alloc_vec(ctx, plain, sizeof *s->label);
    s->sums = mli_alloc_vec(ctx, data->chance ? n + 1 : 1, sizeof *s->sums);
    s->left = mli_alloc_vec(ctx, 3 * k + 4, sizeof *s->left);
    s->classes = mli_alloc_vec(ctx, k, sizeof *s->classes);
    s->bins = mli_alloc_vec(ctx, (s->scalar ? 8 : k) * (MLI_FOREST_CELL_LD / 2),
                            sizeof *s->bins);
    s->order = mli_alloc_vec(ctx, f + 1, sizeof *s->order);
    s->n_values = o->classes ? o->classes : o->targets ? o->targets : 1;
    if (s->row && s->spare_row && s->count && s->element && s->spare && s->payload &&
        s->pair && s->near && s->w && s->s && s->label && s->center && s->left &&
        s->classes && s->bins && s->sums && s->order && take_random(s) && take_pages(s)) {
        prepare_search(s);
        return s;
    }
    mli_forest_scratch_free(s);
    return NULL;
}

void mli_forest_scratch_free(mli_forest_scratch *s)
{
    if (!s) return;
    void *const blocks[] = {s->sums,   s->row,     s->spare_row, s->count, s->element,
                            s->spare,  s->payload, s->w,         s->s,     s->label,
                            s->left,   s->bins,    s->classes,   s->order, s->waiting,
                            s->center, s->pair,    s->near,      s->node,  s->value,
                            s->set,    s->x,       s->word};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mli_free(s->ctx, blocks[i]);
    for (int k = 0; k < s->n_pages; k++) {
        mli_forest_page *p = &s->pages[k];
        if (k > 0) mli_free(s->ctx, p->code);
        if (k > 0) mli_free(s->ctx, p->place);
        mli_free(s->ctx, p->row);
        mli_free(s->ctx, p->drawn);
        mli_free(s->ctx, p->near);
        mli_free(s->ctx, p->wy);
    }
    mli_free(s->ctx, s);
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
        s->pages[0].near[i] = (uint16_t)(w << 1 | (uint32_t)s->data->label[i]);
        all |= w;
    }
    s->packed = all < MLI_FOREST_PAIRED;
}

/* Of how many rows the class weights can be added in fields, to a multiple of eight. */
static int64_t fitting_rows(const mli_forest_scratch *s, int64_t rows)
{
    const double *weight = s->data->weight;
    double most = 1;
    if (s->packed) return UINT32_MAX / MLI_FOREST_PAIRED & ~7u;
    if (s->n_words == 0 || s->options->classes == 2) return 0;
    for (int64_t i = 0; i < rows; i++)
        most = fmax(most, weight ? s->count[i] * weight[i] : s->count[i]);
    return (int64_t)(UINT16_MAX / most) & ~INT64_C(7);
}

/* Draws by chance: the row whose share of their sum a random number falls into. */
static void draw_chances(mli_forest_scratch *s)
{
    int64_t rows = s->data->codes->rows;
    double total = 0;
    for (int64_t i = 0; i < rows; i++) s->sums[i] = total += s->data->chance[i];
    for (int64_t k = 0; k < s->options->draws; k++) {
        double x = mli_rng_f64(&s->rng) * total;
        int64_t at = 0;
        for (int64_t n = rows; n > 1; n -= n / 2) /* the first sum above x */
            at += s->sums[at + n / 2 - 1] <= x ? n / 2 : 0;
        s->count[at] += s->data->chance[at] > 0;
    }
}

/* Rows that take part into s->row; how often each was drawn into s->count. */
static int64_t draw_rows(mli_forest_scratch *s)
{
    int64_t rows = s->data->codes->rows, n = 0;
    const double *weight = s->data->weight;
    if (s->options->draws > 0) {
        memset(s->count, 0, (size_t)rows * sizeof *s->count);
        if (s->data->chance) draw_chances(s);
        for (int64_t i = 0; !s->data->chance && i < s->options->draws; i++)
            s->count[mli_rng_below(&s->rng, rows)]++;
    } else {
        for (int64_t i = 0; i < rows; i++) s->count[i] = 1;
    }
    for (int64_t i = 0; i < rows; i++) {
        s->row[n] = (uint32_t)i;
        n += s->count[i] && (!weight || weight[i] > 0);
    }
    s->packed =
        s->counted && s->options->classes == 2 && (s->scalar || s->options->random_cuts);
    if (s->packed) pack_drawn(s, rows);
    for (int64_t i = 0; s->counted && !s->packed && i < rows; i++)
        s->pages[0].drawn[i] = (uint64_t)(uint32_t)s->data->label[i] << 32 |
                               (s->count[i] * (uint32_t)(weight ? weight[i] : 1));
    s->word_rows = s->options->random_cuts ? fitting_rows(s, rows) : 0;
    return n;
}

/* Means of the targets of the first n rows. */
static void find_center(const mli_forest_scratch *s, int64_t n)
{
    int64_t width = s->options->targets ? s->options->targets : 1;
    const double *y = s->options->targets ? s->data->ys : s->data->y;
    double weight = 0;
    for (int64_t k = 0; k < width; k++) s->center[k] = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = mli_forest_weight(s, s->row[i]);
        for (int64_t k = 0; k < width; k++)
            s->center[k] += w * y[(int64_t)s->row[i] * width + k];
        weight += w;
    }
    for (int64_t k = 0; k < width; k++)
        s->center[k] = weight > 0 ? s->center[k] / weight : 0;
}

int64_t mli_forest_draw(mli_forest_scratch *s)
{
    int64_t n = draw_rows(s);
    mli_forest_page *p = &s->pages[0];
    s->page = p;
    if (!s->data->label) find_center(s, n);
    if (s->counted || !s->scalar) return n;
    for (int64_t i = 0; i < s->data->codes->rows; i++) {
        p->wy[2 * i] = mli_forest_weight(s, (uint32_t)i);
        p->wy[2 * i + 1] =
            s->data->label ? s->data->label[i] : s->data->y[i] - s->center[0];
    }
    return n;
}
