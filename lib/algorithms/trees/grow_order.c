/* SPDX-License-Identifier: MIT
 *
 * trees/grow_order.c: which leaf is divided next.
 *
 * Leaves wait in a heap, the one with the largest gain first (or, growing by depth, the
 * one of least depth). The division of a leaf depends on the leaf alone, so each thread
 * that is free divides the best leaf that nobody has begun, ahead of its turn; the tree
 * takes divided leaves in the strict order, and the few that it does not reach are
 * dropped. Hence the tree does not depend on the number of threads. Large leaves are
 * divided by all threads together, between these.
 */
#include "algorithms/trees/grow.h"
#include <pthread.h>

/* Leaves of the heap that are looked at for one to divide. */
#define FRONT 128

typedef struct team {
    mli_grower *g;
    int64_t leaves, order;
    /* Over all that a division changes outside its two children and their rows. */
    pthread_mutex_t lock;
    pthread_cond_t change;
} team;

/* The heap of leaves. */

static int before(const mli_grower *g, int32_t a, int32_t b)
{
    const mli_grow_node *x = &g->nodes[a], *y = &g->nodes[b];
    if (g->options.depthwise && x->depth != y->depth) return x->depth < y->depth;
    if (x->split.gain != y->split.gain) return x->split.gain > y->split.gain;
    return x->order < y->order;
}

static void sift_down(mli_grower *g, int32_t i)
{
    for (;;) {
        int32_t best = i, l = 2 * i + 1;
        if (l < g->n_heap && before(g, g->heap[l], g->heap[best])) best = l;
        if (l + 1 < g->n_heap && before(g, g->heap[l + 1], g->heap[best])) best = l + 1;
        if (best == i) return;
        int32_t swap = g->heap[i];
        g->heap[i] = g->heap[best];
        g->heap[best] = swap;
        i = best;
    }
}

static void push(mli_grower *g, int32_t id)
{
    if (!(g->nodes[id].split.gain > 0)) return;
    int32_t i = g->n_heap++;
    while (i > 0 && before(g, id, g->heap[(i - 1) / 2])) {
        g->heap[i] = g->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    g->heap[i] = id;
}

static int32_t pop(mli_grower *g)
{
    int32_t top = g->heap[0];
    g->heap[0] = g->heap[--g->n_heap];
    sift_down(g, 0);
    return top;
}

static void heapify(mli_grower *g)
{
    for (int32_t i = g->n_heap / 2 - 1; i >= 0; i--) sift_down(g, i);
}

/* The order of divisions. */

static int full(const team *t)
{
    const mli_grower *g = t->g;
    return t->leaves >= g->options.max_leaves || g->n_heap == 0;
}

/* Takes leaves into the tree as far as they are divided. A leaf whose gain went when its
 * rows were counted leaves the heap. */
static void take_divided(team *t)
{
    mli_grower *g = t->g;
    while (!full(t)) {
        mli_grow_node *top = &g->nodes[g->heap[0]];
        int divisible = top->split.gain > 0;
        if (divisible && top->left == 0) return;
        pop(g);
        if (!divisible) continue;
        top->kept = 1;
        t->leaves++;
        for (int32_t k = 0; k < 2; k++) {
            g->nodes[top->left + k].order = t->order++;
            push(g, top->left + k);
        }
    }
}

/* How far down the heap leaves are divided ahead: not beyond those that can be reached.
 */
static int32_t ahead(const team *t)
{
    const mli_grower *g = t->g;
    int64_t most = 4 * (int64_t)mli_slots(g->ctx);
    int64_t left = g->options.max_leaves - t->leaves;
    int32_t room = (g->node_capacity - g->n_nodes) / 2 + g->n_spare;
    if (room == 0) return 0;
    if (most > left) most = left;
    return most > FRONT / 2 ? FRONT / 2 : (int32_t)most;
}

static int may_begin(const team *t, int32_t id)
{
    const mli_grower *g = t->g;
    const mli_grow_node *node = &g->nodes[id];
    if (node->left != 0 || node->busy) return 0;
    if (id == g->heap[0]) return 1;
    return !node->deferred && !mli_grow_large(g, node->sums.rows);
}

/* The best leaf that is to be begun, or -1: by repeated selection among the front of the
 * heap. */
static int32_t next_leaf(const team *t)
{
    const mli_grower *g = t->g;
    int32_t front[FRONT], n = g->n_heap > 0;
    front[0] = 0;
    for (int32_t rank = ahead(t); rank > 0 && n > 0; rank--) {
        int32_t best = 0;
        for (int32_t i = 1; i < n; i++)
            if (before(g, g->heap[front[i]], g->heap[front[best]])) best = i;
        int32_t at = front[best], id = g->heap[at];
        /* A leaf without a split must not be touched: whether it is reached here depends
         * on the number of threads. */
        if (!(g->nodes[id].split.gain > 0)) return -1;
        if (may_begin(t, id)) return id;
        front[best] = front[--n];
        for (int32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < g->n_heap && n < FRONT) front[n++] = child;
    }
    return -1;
}

/* Is the next leaf one for all threads together? It then stays the next one. */
static int for_all(const mli_grower *g)
{
    const mli_grow_node *top = &g->nodes[g->heap[0]];
    return mli_grow_large(g, top->sums.rows) && top->hist >= 0 && g->n_free > 0;
}

static void begin_and_end(team *t, int32_t id, int32_t slot)
{
    mli_grower *g = t->g;
    mli_grow_node *node = &g->nodes[id];
    mli_grow_division d = {id, mli_grow_take_pair(g), mli_grow_take_slot(g), 0,
                           id != g->heap[0]};
    node->busy = 1;
    pthread_mutex_unlock(&t->lock);
    /* Others compare the leaf in the heap meanwhile. */
    mli_grow_node own = *node;
    mli_grow_divide(g, &own, &d, slot);
    pthread_mutex_lock(&t->lock);
    *node = own;
    node->busy = 0;
    mli_grow_finish(g, &d);
    if (!d.done) heapify(g); /* the exact row counts may have changed the gain */
    pthread_cond_broadcast(&t->change);
}

/* One thread of the team, until the tree is grown or a leaf for all comes. */
static void member(void *arg, int64_t task, int32_t slot)
{
    team *t = arg;
    mli_grower *g = t->g;
    (void)task;
    pthread_mutex_lock(&t->lock);
    for (;;) {
        take_divided(t);
        if (full(t) || for_all(g) || mli_run_state(g->run) == ML_CANCEL) break;
        int32_t id = next_leaf(t);
        if (id >= 0)
            begin_and_end(t, id, slot);
        else
            pthread_cond_wait(&t->change, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

/* Threads that the tree is worth. */
static int64_t members(const mli_grower *g)
{
    int64_t slots = mli_slots(g->ctx);
    if (g->plan.sparse) return slots;
    int64_t most = 1 + g->nodes[0].sums.rows * g->binner->n_used / g->options.team_bins;
    return most < slots ? most : slots;
}

static ml_status team_grow(team *t, ml_error *err)
{
    mli_grower *g = t->g;
    push(g, 0);
    for (;;) {
        take_divided(t);
        if (full(t)) return ML_OK;
        if (mli_run_state(g->run) == ML_CANCEL) return mli_run_check(g->run, err);
        if (for_all(g)) {
            mli_grow_divide_large(g, g->heap[0]);
            heapify(g);
        } else {
            mli_parallel(g->ctx, members(g), member, t);
        }
    }
}

ml_status mli_grow_leaves(mli_grower *g, ml_error *err)
{
    team t = {.g = g, .leaves = 1, .order = 1};
    g->n_heap = 0;
    if (pthread_mutex_init(&t.lock, NULL) != 0) return mli_nomem(err);
    ml_status status = ML_E_MEMORY;
    if (pthread_cond_init(&t.change, NULL) == 0) {
        status = team_grow(&t, err);
        pthread_cond_destroy(&t.change);
    } else {
        mli_nomem(err);
    }
    pthread_mutex_destroy(&t.lock);
    return status;
}
