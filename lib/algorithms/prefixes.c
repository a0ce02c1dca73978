/* SPDX-License-Identifier: MIT
 *
 * algorithms/prefixes.c: a small list under one lock, the least recently used thrown out.
 */
#include "algorithms/prefixes.h"

#include <pthread.h>
#include <string.h>

#define MOST  64
#define BYTES (INT64_C(256) << 20) /* of the designs made, about */

struct mli_prefixes {
    ml_context *ctx;
    pthread_mutex_t lock;
    int64_t n, bytes, hits;
    uint64_t clock;
    mli_prefix *list[MOST];
};

ml_status mli_prefixes_new(ml_context *ctx, mli_prefixes **out, ml_error *err)
{
    mli_prefixes *p = mli_calloc(ctx, 1, sizeof *p);
    if (!p) return mli_nomem(err);
    p->ctx = ctx;
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        mli_free(ctx, p);
        return mli_nomem(err);
    }
    *out = p;
    return ML_OK;
}

static void prefix_free(ml_context *ctx, mli_prefix *x)
{
    for (int64_t i = 0; x->model && i < x->n; i++) ml_model_free(x->model[i]);
    mli_design_free(x->out_train);
    mli_design_free(x->out_valid);
    mli_free(ctx, x->model);
    mli_free(ctx, x->key);
    mli_free(ctx, x);
}

void mli_prefixes_free(mli_prefixes *p)
{
    if (!p) return;
    for (int64_t i = 0; i < p->n; i++) prefix_free(p->ctx, p->list[i]);
    pthread_mutex_destroy(&p->lock);
    mli_free(p->ctx, p);
}

static int64_t bytes_of(const mli_design *a, const mli_design *b)
{
    return mli_design_bytes(a) + (b ? mli_design_bytes(b) : 0);
}

static mli_prefix *find(const mli_prefixes *p, const mli_design *train,
                        const mli_design *valid, const char *key)
{
    for (int64_t i = 0; i < p->n; i++) {
        mli_prefix *x = p->list[i];
        if (x->train == train && x->valid == valid && strcmp(x->key, key) == 0) return x;
    }
    return NULL;
}

static mli_prefix *hold(mli_prefixes *p, mli_prefix *x)
{
    x->users++;
    x->used = ++p->clock;
    return x;
}

mli_prefix *mli_prefixes_get(mli_prefixes *p, const mli_design *train,
                             const mli_design *valid, const char *key)
{
    pthread_mutex_lock(&p->lock);
    mli_prefix *x = find(p, train, valid, key);
    if (x) hold(p, x);
    p->hits += x != NULL;
    pthread_mutex_unlock(&p->lock);
    return x;
}

void mli_prefixes_release(mli_prefixes *p, mli_prefix *prefix)
{
    if (!prefix) return;
    pthread_mutex_lock(&p->lock);
    prefix->users--;
    pthread_mutex_unlock(&p->lock);
}

int64_t mli_prefixes_hits(mli_prefixes *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t hits = p->hits;
    pthread_mutex_unlock(&p->lock);
    return hits;
}

/* The least recently used that nobody uses goes; 0 when there is none. */
static int throw_out(mli_prefixes *p)
{
    int64_t oldest = -1;
    for (int64_t i = 0; i < p->n; i++)
        if (!p->list[i]->users &&
            (oldest < 0 || p->list[i]->used < p->list[oldest]->used))
            oldest = i;
    if (oldest < 0) return 0;
    p->bytes -= bytes_of(p->list[oldest]->out_train, p->list[oldest]->out_valid);
    prefix_free(p->ctx, p->list[oldest]);
    p->list[oldest] = p->list[--p->n];
    return 1;
}

static mli_prefix *make(ml_context *ctx, const char *key, ml_model *const *models,
                        int64_t n)
{
    mli_prefix *x = mli_calloc(ctx, 1, sizeof *x);
    if (!x) return NULL;
    x->key = mli_strdup(ctx, key);
    x->model = mli_calloc(ctx, (size_t)n, sizeof(ml_model *));
    if (!x->key || !x->model) {
        prefix_free(ctx, x);
        return NULL;
    }
    x->n = n;
    for (int64_t i = 0; i < n; i++) x->model[i] = ml_model_ref(models[i]);
    return x;
}

/* Room for one more with that key; 0 when there is none, or it is there already. */
static int make_room(mli_prefixes *p, const mli_design *train, const mli_design *valid,
                     const char *key, int64_t bytes)
{
    int room = !find(p, train, valid, key);
    while (room && (p->n == MOST || p->bytes + bytes > BYTES)) room = throw_out(p);
    return room;
}

mli_prefix *mli_prefixes_put(mli_prefixes *p, const mli_design *train,
                             const mli_design *valid, const char *key,
                             ml_model *const *models, int64_t n, mli_design *out_train,
                             mli_design *out_valid)
{
    int64_t bytes = bytes_of(out_train, out_valid);
    mli_prefix *x = NULL;
    if (bytes > BYTES || mli_memory_most(p->ctx)) return NULL;
    pthread_mutex_lock(&p->lock);
    if (make_room(p, train, valid, key, bytes)) x = make(p->ctx, key, models, n);
    if (x) {
        x->train = train;
        x->valid = valid;
        x->out_train = out_train;
        x->out_valid = out_valid;
        p->list[p->n++] = hold(p, x);
        p->bytes += bytes;
    }
    pthread_mutex_unlock(&p->lock);
    return x;
}
