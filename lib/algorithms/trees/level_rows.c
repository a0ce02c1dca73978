/* SPDX-License-Identifier: MIT
 *
 * trees/level_rows.c: the rows of a symmetric tree. They stay where they are; a row has
 * the place of its leaf, which gets a bit longer with each depth: all leaves have the
 * same split, so that this is one comparison of bytes after the other.
 *
 * Of each leaf the lighter child is summed. In a block, the rows of such children are
 * first told from the others, then counted by leaf and put into lists; four parts of the
 * block take turns, so that a counter is not needed again before it is written. As many
 * blocks as there are threads are listed, then summed while their lists are in the cache.
 *
 * Cost per depth: about 1 ns per row for places and lists, and the histograms.
 */
#include "algorithms/trees/level.h"
#include "core/cpu.h"

#define LANES 4

static int64_t block_rows(const mli_level *l)
{
    return l->rows < MLI_LEVEL_ROWS ? l->rows : MLI_LEVEL_ROWS;
}

static int make_lists(mli_level *l)
{
    ml_context *ctx = l->g->ctx;
    int64_t most = l->g->options.max_leaves, n = block_rows(l);
    l->lists = mli_calloc(ctx, (size_t)mli_slots(ctx), sizeof *l->lists);
    if (!l->lists) return 0;
    for (int32_t s = 0; s < mli_slots(ctx); s++) {
        mli_level_lists *at = &l->lists[s];
        at->order = mli_alloc_vec(ctx, n + 8, sizeof *at->order);
        at->rows.row = mli_alloc_vec(ctx, n, sizeof *at->rows.row);
        at->rows.gh = mli_alloc_vec(ctx, n, sizeof *at->rows.gh);
        at->counts = mli_calloc(ctx, (size_t)(LANES * most), sizeof *at->counts);
        at->start = mli_calloc(ctx, (size_t)most + 1, sizeof *at->start);
        if (!at->order || !at->rows.row || !at->rows.gh || !at->counts || !at->start)
            return 0;
    }
    return 1;
}

ml_status mli_level_make(mli_level *l, int64_t rows, ml_error *err)
{
    ml_context *ctx = l->g->ctx;
    size_t most = (size_t)l->g->options.max_leaves + 2;
    l->rows = rows;
    l->ids = mli_calloc(ctx, most, sizeof *l->ids);
    l->light = mli_calloc(ctx, most, sizeof *l->light);
    l->slot = mli_calloc(ctx, most, sizeof *l->slot);
    l->left = mli_calloc(ctx, most, sizeof *l->left);
    l->count = mli_calloc(ctx, most, sizeof *l->count);
    for (uint64_t bits = 0; bits < 256; bits++) {
        int at = 0;
        l->first[bits] = 0;
        for (uint64_t k = 0; k < 8; k++)
            if (bits >> k & 1) l->first[bits] |= k << 8 * at++;
    }
    int ok = l->ids && l->light && l->slot && l->left && l->count && make_lists(l);
    return ok ? ML_OK : mli_nomem(err);
}

void mli_level_free(mli_level *l)
{
    ml_context *ctx = l->g->ctx;
    for (int32_t s = 0; l->lists && s < mli_slots(ctx); s++) {
        mli_level_lists *at = &l->lists[s];
        void *parts[] = {at->order, at->rows.row, at->rows.gh, at->counts, at->start};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) mli_free(ctx, parts[i]);
    }
    void *blocks[] = {l->ids, l->light, l->slot, l->left, l->count, l->lists};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) mli_free(ctx, blocks[i]);
}

typedef struct moving {
    mli_level *l;
    mli_division how;
    int32_t cut, missing, missing_left; /* of an ordered column */
    int ordered, all;                   /* is it one; are all rows in the tree? */
    int sum;
    int64_t begin, n; /* rows under way, */
    int64_t blocks;   /* in blocks */
    int32_t large;    /* the leaf that all threads sum */
} moving;

static uint16_t step(const moving *m, uint16_t leaf, uint8_t bin)
{
    return (uint16_t)(2 * leaf + !m->how.left[bin]);
}

#ifdef MLI_X86
#include <immintrin.h>

/* 32 rows of a column of numbers; returns how many rows are done. */
MLI_AVX2 static int64_t step_avx2(const moving *m, const uint8_t *bin, int64_t n,
                                  uint16_t *leaf)
{
    const __m256i cut = _mm256_set1_epi8((char)m->cut);
    const __m256i missing = _mm256_set1_epi8((char)m->missing);
    const __m256i goes = _mm256_set1_epi8(m->missing_left ? -1 : 0);
    const __m256i one = _mm256_set1_epi8(1);
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bin + i));
        __m256i left = _mm256_cmpeq_epi8(_mm256_min_epu8(x, cut), x);
        left =
            _mm256_or_si256(left, _mm256_and_si256(_mm256_cmpeq_epi8(x, missing), goes));
        __m256i right = _mm256_andnot_si256(left, one);
        __m256i *at = (__m256i *)(void *)(leaf + i);
        __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1);
        a = _mm256_add_epi16(a, a);
        b = _mm256_add_epi16(b, b);
        a = _mm256_add_epi16(a, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(right)));
        b = _mm256_add_epi16(b, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(right, 1)));
        _mm256_storeu_si256(at, a);
        _mm256_storeu_si256(at + 1, b);
    }
    return i;
}

/* Bytes of a table of 64, all of whose entries are 0 or have their highest bit set. */
MLI_AVX2 static inline uint32_t look_up(const __m256i table[4], __m256i x)
{
    __m256i fourth = _mm256_slli_epi16(x, 3), fifth = _mm256_slli_epi16(x, 2);
    __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(table[0], x),
                                     _mm256_shuffle_epi8(table[1], x), fourth);
    __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(table[2], x),
                                      _mm256_shuffle_epi8(table[3], x), fourth);
    return (uint32_t)_mm256_movemask_epi8(_mm256_blendv_epi8(low, high, fifth));
}

/* The rows of lighter children where there are at most 64, 32 at a time. */
MLI_AVX2 static int64_t find_avx2(const mli_level *l, const uint16_t *leaf, int64_t n,
                                  uint32_t *order, int64_t *found)
{
    uint8_t light[64] = {0};
    __m256i table[4];
    for (int32_t c = 0; c < 2 * l->n; c++) light[c] = l->light[c] ? 128 : 0;
    for (int32_t k = 0; k < 4; k++)
        table[k] = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)(light + 16 * k)));
    int64_t i = 0, m = 0;
    for (; i + 32 <= n; i += 32) {
        const __m256i *at = (const __m256i *)(const void *)(leaf + i);
        __m256i x =
            _mm256_packus_epi16(_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1));
        uint32_t bits = look_up(table, _mm256_permute4x64_epi64(x, 0xd8));
        for (int64_t k = 0; k < 32; k += 8) {
            uint32_t here = bits >> k & 255;
            __m256i rows =
                _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)l->first[here]));
            rows = _mm256_add_epi32(rows, _mm256_set1_epi32((int32_t)(i + k)));
            _mm256_storeu_si256((__m256i *)(void *)(order + m), rows);
            m += __builtin_popcount(here);
        }
    }
    *found = m;
    return i;
}
#endif

static void move_rows(const moving *m, int64_t begin, int64_t n)
{
    const mli_level *l = m->l;
    const uint32_t *row = l->g->rows[0].row + begin;
    const uint8_t *bin = m->how.bin;
    uint16_t *leaf = l->leaf;
    if (l->depth == 0)
        for (int64_t i = 0; i < n; i++) leaf[row[i]] = 0;
    int64_t i = 0;
#ifdef MLI_X86
    int fast = m->all && m->ordered && m->how.step == 1;
    if (fast && l->g->rule->cpu_level >= MLI_CPU_AVX2)
        i = step_avx2(m, bin + begin, n, leaf + begin);
#endif
    for (; i < n; i++) {
        int64_t r = row[i];
        leaf[r] = step(m, leaf[r], bin[r * m->how.step]);
    }
}

/* The rows of lighter children, counted from the begin of the block. */
static int64_t find_light(const moving *m, int64_t begin, int64_t n, uint32_t *order)
{
    const mli_level *l = m->l;
    const uint32_t *row = l->g->rows[0].row + begin;
    int64_t i = 0, found = 0;
#ifdef MLI_X86
    if (m->all && l->n <= 32 && l->g->rule->cpu_level >= MLI_CPU_AVX2)
        i = find_avx2(l, l->leaf + begin, n, order, &found);
#endif
    for (; i < n; i++) {
        order[found] = (uint32_t)i;
        found += l->light[l->leaf[row[i]]];
    }
    return found;
}

/* Counters of a leaf become places. */
static void place_lists(const mli_level_lists *t, int64_t n)
{
    uint32_t sum = 0;
    for (int64_t j = 0; j < n; j++) {
        t->start[j] = sum;
        for (int64_t k = 0; k < LANES; k++) {
            uint32_t here = t->counts[k * n + j];
            t->counts[k * n + j] = sum;
            sum += here;
        }
    }
    t->start[n] = sum;
}

/* Its bins are fetched into the second-level cache, where they are when it is summed: the
 * rows to come follow no pattern that the processor could see. */
static inline void put_row(const mli_level *l, const mli_level_lists *t,
                           const uint64_t *gh, uint32_t at, uint32_t row, uint32_t place)
{
    const mli_hist_plan *plan = &l->g->plan;
    if (plan->matrix)
        __builtin_prefetch(plan->matrix + (int64_t)row * plan->binner->stride, 0, 2);
    t->rows.row[place] = row;
    t->rows.gh[place] = gh[at];
}

/* Lists by leaf of m rows. all: rows are numbered from `first` on; a constant where this
 * is called. */
static inline void put_lists(const mli_level *l, const mli_level_lists *t, mli_rows from,
                             int64_t m, int all, uint32_t first)
{
#define ROW(at) (all ? first + (at) : from.row[at])
    const uint16_t *leaf = l->leaf;
    const uint32_t *order = t->order;
    uint32_t *counts = t->counts;
    int64_t part = m / LANES, n = l->n, last = (LANES - 1) * n;
    memset(counts, 0, (size_t)(LANES * n) * sizeof *counts);
    for (int64_t i = 0; i < part; i++)
        for (int64_t k = 0; k < LANES; k++)
            counts[k * n + leaf[ROW(order[k * part + i])] / 2]++;
    for (int64_t i = LANES * part; i < m; i++) counts[last + leaf[ROW(order[i])] / 2]++;
    place_lists(t, n);
    for (int64_t i = 0; i < part; i++)
        for (int64_t k = 0; k < LANES; k++) {
            uint32_t at = order[k * part + i], row = ROW(at);
            put_row(l, t, from.gh, at, row, counts[k * n + leaf[row] / 2]++);
        }
    for (int64_t i = LANES * part; i < m; i++) {
        uint32_t row = ROW(order[i]);
        put_row(l, t, from.gh, order[i], row, counts[last + leaf[row] / 2]++);
    }
#undef ROW
}

static void rows_task(void *arg, int64_t task, int32_t slot)
{
    moving *m = arg;
    mli_level *l = m->l;
    mli_level_lists *t = &l->lists[task];
    (void)slot;
    if (mli_run_state(l->g->run) == ML_CANCEL) return;
    int64_t begin = m->begin + task * MLI_LEVEL_ROWS, n = l->rows - begin;
    if (n > MLI_LEVEL_ROWS) n = MLI_LEVEL_ROWS;
    mli_rows from = mli_grow_room(l->g, 0, begin);
    move_rows(m, begin, n);
    if (!m->sum) {
        memset(t->start, 0, (size_t)(2 * l->n) * sizeof *t->start);
        if (!l->g->unit_h)
            for (int64_t i = 0; i < n; i++) t->start[l->leaf[from.row[i]]]++;
        return;
    }
    int64_t listed = find_light(m, begin, n, t->order);
    if (l->n > 1) {
        if (m->all)
            put_lists(l, t, from, listed, 1, (uint32_t)begin);
        else
            put_lists(l, t, from, listed, 0, 0);
        return;
    }
    for (int64_t i = 0; i < listed; i++)
        put_row(l, t, from.gh, t->order[i], from.row[t->order[i]], (uint32_t)i);
    t->start[0] = 0;
    t->start[1] = (uint32_t)listed;
}

static void add_list(const moving *m, int32_t i, int64_t block, uint64_t *hist)
{
    const mli_grower *g = m->l->g;
    const mli_level_lists *t = &m->l->lists[block];
    uint32_t at = t->start[i];
    mli_hist_add(&g->plan, mli_rows_from(&g->plan, t->rows, at), t->start[i + 1] - at,
                 hist);
}

static int is_large(const mli_level *l, int32_t i)
{
    return mli_grow_large(l->g, l->g->nodes[l->ids[i]].sums.rows);
}

/* The lists of a leaf: of a small one. */
static void sum_task(void *arg, int64_t task, int32_t slot)
{
    const moving *m = arg;
    const mli_level *l = m->l;
    int32_t i = (int32_t)task;
    (void)slot;
    if (l->slot[i] < 0 || is_large(l, i)) return;
    for (int64_t b = 0; b < m->blocks; b++)
        add_list(m, i, b, mli_grow_pool(l->g, l->slot[i]));
}

/* The list of one block. */
static void part_task(void *arg, int64_t task, int32_t slot)
{
    const moving *m = arg;
    add_list(m, m->large, task, mli_grow_slot_hist(m->l->g, slot));
}

static void sum_lists(moving *m)
{
    mli_level *l = m->l;
    for (m->large = 0; m->large < l->n; m->large++) {
        int32_t slot = l->slot[m->large];
        if (slot < 0 || !is_large(l, m->large)) continue;
        if (m->blocks == 1) {
            add_list(m, m->large, 0, mli_grow_pool(l->g, slot));
            continue;
        }
        mli_parallel(l->g->ctx, m->blocks, part_task, m);
        mli_grow_reduce(l->g, mli_grow_pool(l->g, slot));
    }
    mli_parallel(l->g->ctx, l->n, sum_task, m);
}

static void count_rows(const moving *m)
{
    mli_level *l = m->l;
    for (int64_t b = 0; b < m->blocks; b++) {
        const uint32_t *start = l->lists[b].start;
        for (int32_t i = 0; i < l->n; i++) {
            int32_t light = 2 * i + l->light[2 * i + 1];
            if (m->sum) {
                l->count[light] += start[i + 1] - start[i];
            } else {
                l->count[2 * i] += start[2 * i];
                l->count[2 * i + 1] += start[2 * i + 1];
            }
        }
    }
}

/* What the counts of the blocks do not say. */
static void count_others(const moving *m)
{
    mli_level *l = m->l;
    for (int32_t i = 0; i < l->n; i++) {
        const mli_grow_node *node = &l->g->nodes[l->ids[i]];
        int32_t light = 2 * i + l->light[2 * i + 1];
        if (!m->sum && !l->g->unit_h) continue;
        if (l->g->unit_h)
            l->count[2 * i] = node->split.h_left;
        else
            l->count[2 * i] =
                light == 2 * i ? l->count[light] : node->sums.rows - l->count[light];
        l->count[2 * i + 1] = node->sums.rows - l->count[2 * i];
    }
}

static void clear_task(void *arg, int64_t task, int32_t slot)
{
    const moving *m = arg;
    const mli_grower *g = m->l->g;
    (void)slot;
    if (m->l->slot[task] < 0) return;
    memset(mli_grow_pool(g, m->l->slot[task]), 0, (size_t)g->n_cells * sizeof(uint64_t));
}

static void subtract_task(void *arg, int64_t task, int32_t slot)
{
    const moving *m = arg;
    const mli_grower *g = m->l->g;
    (void)slot;
    if (m->l->slot[task] < 0) return;
    const uint64_t *small = mli_grow_pool(g, m->l->slot[task]);
    uint64_t *hist = mli_grow_pool(g, g->nodes[m->l->ids[task]].hist);
    for (int64_t k = 0; k < g->binner->n_cells; k++) hist[k] -= small[k];
}

void mli_level_divide(mli_level *l, int sum)
{
    mli_grower *g = l->g;
    const mli_bin_feature *f = &g->binner->features[l->best.feature];
    moving m = {.l = l, .sum = sum};
    mli_division_set(&m.how, g->binner, &g->matrix, &l->best, 0);
    m.ordered = !l->best.categorical && !f->bundled;
    m.cut = l->best.bin;
    m.missing = f->n_bins;
    m.missing_left = l->best.missing_left;
    m.all = l->rows == g->matrix.rows;
    memset(l->count, 0, 2 * (size_t)l->n * sizeof *l->count);
    if (sum) mli_parallel(g->ctx, l->n, clear_task, &m);
    int64_t all = mli_task_count(l->rows, MLI_LEVEL_ROWS), slots = mli_slots(g->ctx);
    for (int64_t b = 0; b < all && mli_run_state(g->run) != ML_CANCEL; b += slots) {
        m.begin = b * MLI_LEVEL_ROWS;
        m.blocks = all - b < slots ? all - b : slots;
        mli_parallel(g->ctx, m.blocks, rows_task, &m);
        if (mli_run_state(g->run) == ML_CANCEL) return;
        if (sum) sum_lists(&m);
        count_rows(&m);
    }
    count_others(&m);
    if (sum) mli_parallel(g->ctx, l->n, subtract_task, &m);
}

void mli_level_gather(mli_level *l)
{
    mli_grower *g = l->g;
    int64_t sum = 0;
    for (int32_t i = 0; i < l->n; i++) {
        mli_grow_node *node = &g->nodes[l->ids[i]];
        node->begin = sum;
        node->buffer = 1;
        sum += node->sums.rows;
    }
    for (int64_t i = 0; i < l->rows; i++) {
        uint32_t row = g->rows[0].row[i];
        mli_grow_node *node = &g->nodes[l->ids[l->leaf[row]]];
        g->rows[1].row[node->begin++] = row;
    }
    for (int32_t i = 0; i < l->n; i++) {
        mli_grow_node *node = &g->nodes[l->ids[i]];
        node->begin -= node->sums.rows;
    }
}
