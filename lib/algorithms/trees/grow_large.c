/* SPDX-License-Identifier: MIT
 *
 * trees/grow_large.c: dividing one large leaf with all threads, and the root.
 *
 * Tasks of a fixed number of rows count how many of theirs go left, which says where each
 * task's rows go. Then they divide them and sum them into a histogram of their thread;
 * the histograms are added up. The columns are searched as one task each.
 */
#include "algorithms/trees/grow.h"

typedef struct large {
    mli_grower *g;
    mli_grow_node *node;
    mli_division how;
    int light, sum;       /* the side to be summed; whether to sum at all */
    int64_t grain, tasks; /* rows per task */
    int64_t *left;        /* [tasks + 1] rows going left, then where they go */
    uint64_t *hist;       /* the lighter child's */
    int32_t first;        /* children */
    const uint8_t *mask[2];
    const int *may;
} large;

uint64_t *mli_grow_slot_hist(mli_grower *g, int32_t slot)
{
    uint64_t *hist = mli_grow_scratch(g, slot, 0);
    if (!g->dirty[slot]) mli_hist_clear(&g->plan, hist);
    g->dirty[slot] = 1;
    return hist;
}

static int64_t task_rows(const large *l, int64_t task)
{
    int64_t left = l->node->sums.rows - task * l->grain;
    return left < l->grain ? left : l->grain;
}

static mli_rows rows_of_task(const large *l, int64_t task)
{
    return mli_rows_from(&l->g->plan, mli_grow_rows(l->g, l->node), task * l->grain);
}

static void large_count(void *arg, int64_t task, int32_t slot)
{
    large *l = arg;
    (void)slot;
    if (mli_run_state(l->g->run) == ML_CANCEL) return;
    l->left[task] =
        mli_count_left(&l->how, rows_of_task(l, task), task_rows(l, task), &l->g->plan);
}

static void large_divide(void *arg, int64_t task, int32_t slot)
{
    large *l = arg;
    mli_grower *g = l->g;
    if (mli_run_state(g->run) == ML_CANCEL) return;
    uint64_t *hist = l->sum ? mli_grow_slot_hist(g, slot) : NULL;
    /* The right rows of the tasks before stand at the back. */
    int64_t n_right = task * l->grain - l->left[task];
    mli_places at = {l->left[task], l->node->sums.rows - 1 - n_right};
    mli_divide(&l->how, rows_of_task(l, task), task_rows(l, task),
               mli_grow_room(g, 1 - l->node->buffer, l->node->begin), at, &g->plan,
               l->light, hist);
}

#define REDUCE_CELLS 16384

/* Searched sooner than a sleeping thread is awake. */
#define FEW_CELLS (1 << 15)

typedef struct reducing {
    mli_grower *g;
    uint64_t *hist;
} reducing;

static void reduce_task(void *arg, int64_t task, int32_t slot)
{
    reducing *l = arg;
    mli_grower *g = l->g;
    (void)slot;
    int64_t begin = task * REDUCE_CELLS, end = begin + REDUCE_CELLS;
    if (end > g->binner->n_cells) end = g->binner->n_cells;
    for (int32_t s = 0; s < mli_slots(g->ctx); s++) {
        if (!g->dirty[s]) continue;
        const uint64_t *part = mli_grow_scratch(g, s, 0);
        for (int64_t i = begin; i < end; i++) l->hist[i] += part[i];
    }
}

void mli_grow_reduce(mli_grower *g, uint64_t *hist)
{
    reducing r = {g, hist};
    mli_parallel(g->ctx, mli_task_count(g->binner->n_cells, REDUCE_CELLS), reduce_task,
                 &r);
    const mli_binner *b = g->binner;
    for (int64_t i = b->map; i && i < g->n_cells; i++)
        for (int32_t s = 0; s < mli_slots(g->ctx); s++)
            if (g->dirty[s]) hist[i] |= mli_grow_scratch(g, s, 0)[i];
    memset(g->dirty, 0, (size_t)mli_slots(g->ctx));
}

static void large_find(void *arg, int64_t task, int32_t slot)
{
    large *l = arg;
    mli_grower *g = l->g;
    (void)slot;
    int32_t n = g->binner->n_used, column = (int32_t)(task % n), k = (int32_t)(task / n);
    mli_grow_node *child = &g->nodes[l->first + k];
    mli_split_job job = {
        .leaf = &child->sums, .hist = l->hist, .summed = mli_grow_summed(g)};
    job.mask = l->mask[k];
    if (k != l->light) {
        job.hist = mli_grow_pool(g, l->node->hist);
        job.small = l->hist;
    }
    if (l->may[k])
        mli_split_find(g->rule, g->binner, &job, column, column + 1, &g->found[task]);
    else
        memset(&g->found[task], 0, sizeof(mli_split));
}

static void best_of(const mli_split *found, int32_t n, mli_split *out)
{
    memset(out, 0, sizeof *out);
    for (int32_t c = 0; c < n; c++)
        if (found[c].gain > 0 && (out->gain == 0 || found[c].score > out->score))
            *out = found[c];
}

/* Rows per task: several tasks per thread, so that they end together. */
static void cut_rows(large *l, int64_t rows)
{
    int64_t grain = rows / (4 * (int64_t)mli_slots(l->g->ctx));
    l->grain = grain < 8192 ? 8192 : grain > 262144 ? 262144 : grain;
    l->tasks = mli_task_count(rows, l->grain);
    memset(l->left, 0, ((size_t)l->tasks + 1) * sizeof *l->left);
}

/* Counts to places: left[t] becomes where the left rows of task t begin. */
static int64_t places(large *l)
{
    int64_t sum = 0;
    for (int64_t t = 0; t < l->tasks; t++) {
        int64_t here = l->left[t];
        l->left[t] = sum;
        sum += here;
    }
    return l->left[l->tasks] = sum;
}

static void find_both(large *l)
{
    mli_grower *g = l->g;
    int32_t n = g->binner->n_used;
    for (int32_t k = 0; k < 2; k++)
        l->mask[k] = mli_grow_mask(g, &g->nodes[l->first + k], k);
    mli_parallel(g->ctx, 2 * (int64_t)n, large_find, l);
    for (int32_t k = 0; k < 2; k++)
        best_of(g->found + (int64_t)k * n, n, &g->nodes[l->first + k].split);
}

/* 0: cancelled meanwhile, so that places may hold no rows. */
static int large_move(large *l)
{
    mli_parallel(l->g->ctx, l->tasks, large_divide, l);
    if (l->sum) {
        memset(l->hist, 0, (size_t)l->g->n_cells * sizeof *l->hist);
        mli_grow_reduce(l->g, l->hist);
    }
    return mli_run_state(l->g->run) != ML_CANCEL;
}

void mli_grow_divide_large(mli_grower *g, int32_t id)
{
    mli_grow_node *node = &g->nodes[id];
    int32_t depth = node->depth + 1;
    int64_t h_left = node->split.h_left;
    int may[2] = {mli_grow_may_divide(g, h_left, depth),
                  mli_grow_may_divide(g, node->sums.h - h_left, depth)};
    mli_grow_division d = {id, mli_grow_take_pair(g), mli_grow_take_slot(g), 0, 0};
    large l = {.g = g, .node = node, .first = d.left, .may = may, .left = g->counts};
    l.light = 2 * h_left > node->sums.h;
    l.sum = may[0] || may[1];
    l.hist = d.slot >= 0 ? mli_grow_pool(g, d.slot) : NULL;
    mli_division_set(&l.how, g->binner, &g->matrix, &node->split, 0);
    cut_rows(&l, node->sums.rows);
    mli_parallel(g->ctx, l.tasks, large_count, &l);
    int64_t n_left = places(&l);
    if (mli_run_state(g->run) == ML_CANCEL) {
        /* the caller notices */
    } else if (mli_grow_too_few(g, node, n_left)) {
        mli_grow_find_counted(g, node, 0);
    } else if (large_move(&l)) {
        mli_grow_children(g, node, d.left, n_left, 1 - node->buffer);
        if (l.sum) find_both(&l);
        d.done = 1 + l.light;
    }
    mli_grow_finish(g, &d);
}

static void root_sum(void *arg, int64_t task, int32_t slot)
{
    large *l = arg;
    mli_grower *g = l->g;
    if (mli_run_state(g->run) == ML_CANCEL) return;
    mli_hist_add(&g->plan, rows_of_task(l, task), task_rows(l, task),
                 mli_grow_slot_hist(g, slot));
}

static void root_find(void *arg, int64_t task, int32_t slot)
{
    large *l = arg;
    mli_grower *g = l->g;
    (void)slot;
    mli_split_job job = {.leaf = &l->node->sums, .hist = l->hist};
    job.summed = mli_grow_summed(g);
    job.mask = l->mask[0];
    int32_t column = (int32_t)task;
    mli_split_find(g->rule, g->binner, &job, column, column + 1, &g->found[task]);
}

void mli_grow_root(mli_grower *g)
{
    mli_grow_node *root = &g->nodes[0];
    large l = {.g = g, .node = root, .left = g->counts};
    root->hist = -1;
    mli_split_leaf_ready(g->rule, &root->sums);
    if (g->binner->n_used == 0 || !mli_grow_may_divide(g, root->sums.h, 0)) return;
    root->hist = mli_grow_take_slot(g);
    l.hist = mli_grow_pool(g, root->hist);
    l.mask[0] = mli_grow_mask(g, root, 0);
    cut_rows(&l, root->sums.rows);
    mli_parallel(g->ctx, l.tasks, root_sum, &l);
    memset(l.hist, 0, (size_t)g->n_cells * sizeof *l.hist);
    mli_grow_reduce(g, l.hist);
    if (mli_run_state(g->run) == ML_CANCEL) return;
    int32_t n = g->binner->n_used;
    if (g->n_cells < FEW_CELLS)
        for (int32_t i = 0; i < n; i++) root_find(&l, i, 0);
    else
        mli_parallel(g->ctx, n, root_find, &l);
    best_of(g->found, n, &root->split);
}
