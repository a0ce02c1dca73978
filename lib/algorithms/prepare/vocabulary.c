/* SPDX-License-Identifier: MIT
 *
 * prepare/vocabulary.c: learning the terms of texts, and counting them.
 *
 * Fit: parts of the rows are counted on workers, each with a table of its own; the tables
 * are joined in order, and what is kept is sorted by its bytes: nothing depends on the
 * number of threads. Cost: one hash per term of every text.
 */
#include "algorithms/prepare/vocabulary.h"
#include "core/unicode.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MOST 64
#define PART_LEAST 256 /* rows */

/* ---- counting ---- */

typedef struct {
    int64_t count, rows, last; /* occurrences, rows that have it, the last of these + 1 */
} seen;

typedef struct {
    mli_map map;
    seen *seen; /* [capacity] */
    int64_t capacity, row;
    int failed;
} counter;

static void counter_free(counter *c)
{
    mli_free(c->map.ctx, c->seen);
    mli_map_free(&c->map);
}

/* The entry of a term, made when new. */
static seen *entry(counter *c, const char *term, size_t size)
{
    int32_t k = c->failed ? -1 : mli_map_add(&c->map, term, size);
    if (k >= 0 && k >= c->capacity) {
        int64_t wanted = c->capacity ? 2 * c->capacity : 256;
        seen *more = mli_realloc(c->map.ctx, c->seen, (size_t)wanted * sizeof *more);
        if (more) {
            memset(more + c->capacity, 0, (size_t)(wanted - c->capacity) * sizeof *more);
            c->seen = more;
            c->capacity = wanted;
        } else {
            k = -1;
        }
    }
    c->failed |= k < 0;
    return k < 0 ? NULL : &c->seen[k];
}

static void note(void *arg, const char *term, size_t size)
{
    counter *c = arg;
    seen *s = entry(c, term, size);
    if (!s) return;
    s->count++;
    s->rows += s->last != c->row + 1;
    s->last = c->row + 1;
}

typedef struct {
    const mli_fit *job;
    const mli_tokens *tokens;
    int64_t feature, part; /* rows of a part */
    counter *counters;
} counting;

static void count_part(void *arg, int64_t task, int32_t slot)
{
    const counting *k = arg;
    const mli_design *d = k->job->train;
    const mli_text *texts = d->columns[k->feature].texts;
    counter *c = &k->counters[task];
    int64_t end = (task + 1) * k->part < d->rows ? (task + 1) * k->part : d->rows;
    (void)slot;
    for (c->row = task * k->part; c->row < end && !c->failed; c->row++) {
        const mli_text *text = &texts[c->row];
        if (c->row % 256 == 0 && mli_run_state(k->job->run) == ML_CANCEL) return;
        if (text->data)
            mli_tokens_each(k->tokens, text->data, (size_t)text->size, note, c);
    }
}

static void join(counter *to, const counter *from)
{
    for (int64_t i = 0; i < from->map.count && !to->failed; i++) {
        const int64_t *at = from->map.offsets + i;
        seen *s = entry(to, from->map.bytes + at[0], (size_t)(at[1] - at[0]));
        if (!s) break;
        s->count += from->seen[i].count;
        s->rows += from->seen[i].rows;
    }
    to->failed |= from->failed;
}

/* All terms of a feature into *out, which is empty. */
static ml_status count_all(mli_fit *job, const mli_tokens *tokens, int64_t feature,
                           counter *out, ml_error *err)
{
    int64_t rows = job->train->rows, part = (rows - 1) / PARTS_MOST + 1;
    counting k = {.job = job, .tokens = tokens, .feature = feature};
    k.part = part < PART_LEAST ? PART_LEAST : part;
    int64_t n = mli_task_count(rows, k.part);
    k.counters = mli_calloc(job->ctx, (size_t)n, sizeof *k.counters);
    if (!k.counters) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) mli_map_init(&k.counters[i].map, job->ctx);
    mli_parallel(job->ctx, n, count_part, &k);
    for (int64_t i = 0; i < n; i++) {
        join(out, &k.counters[i]);
        counter_free(&k.counters[i]);
    }
    mli_free(job->ctx, k.counters);
    if (out->failed) return mli_nomem(err);
    return mli_run_check(job->run, err);
}

/* ---- choosing ---- */

typedef struct {
    const char *term;
    int64_t size, count, rows;
} chosen;

static int by_bytes(const void *a, const void *b)
{
    const chosen *x = a, *y = b;
    int64_t least = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->term, y->term, (size_t)least);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static int by_count(const void *a, const void *b)
{
    const chosen *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_bytes(a, b);
}

static int64_t choose(const mli_fit *job, const counter *c, chosen *out)
{
    double rows = (double)job->train->rows;
    double least = mli_get_f64(job->params, "min_df");
    double most = mli_get_f64(job->params, "max_df");
    int64_t n = 0, limit = mli_get_i64(job->params, "max_features");
    if (least < 1) least *= rows;
    if (most <= 1) most *= rows;
    for (int64_t i = 0; i < c->map.count; i++) {
        const int64_t *at = c->map.offsets + i;
        double df = (double)c->seen[i].rows;
        if (df < least || df > most) continue;
        out[n++] = (chosen){c->map.bytes + at[0], at[1] - at[0], c->seen[i].count,
                            c->seen[i].rows};
    }
    if (n > limit) {
        qsort(out, (size_t)n, sizeof *out, by_count);
        n = limit;
    }
    qsort(out, (size_t)n, sizeof *out, by_bytes);
    return n;
}

/* The terms of one feature behind those of the features before it. */
typedef struct {
    mli_str bytes;
    int64_t n, capacity;
    int64_t *ends;
    double *frequency;
} kept;

static ml_status keep(ml_context *ctx, kept *k, const chosen *terms, int64_t n,
                      ml_error *err)
{
    size_t most = (size_t)(k->n + n);
    int64_t *ends = mli_realloc(ctx, k->ends, (most + 1) * sizeof *ends);
    if (ends) k->ends = ends;
    double *frequency = mli_realloc(ctx, k->frequency, (most + 1) * sizeof *frequency);
    if (frequency) k->frequency = frequency;
    if (!ends || !frequency) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        mli_str_add_n(&k->bytes, terms[i].term, (size_t)terms[i].size);
        ends[k->n] = (int64_t)k->bytes.size;
        frequency[k->n++] = (double)terms[i].rows;
    }
    return k->bytes.failed ? mli_nomem(err) : ML_OK;
}

static ml_status no_terms(const mli_feature *f, int any, ml_error *err)
{
    mli_fail(err, ML_E_DATA,
             any ? "min_df and max_df leave no term of the column"
                 : "the texts of the column have no term");
    mli_error_at(err, ML_E_DATA, "column \"%s\"", f->name);
    return mli_error_hint(err, ML_E_DATA,
                          any ? "make them less strict"
                              : "look at min_word_length, stop_words and ngram_range");
}

static ml_status fit_feature(mli_fit *job, const mli_tokens *tokens, int64_t j, kept *k,
                             ml_error *err)
{
    counter all = {0};
    chosen *terms = NULL;
    int64_t n = 0;
    mli_map_init(&all.map, job->ctx);
    ml_status status = count_all(job, tokens, j, &all, err);
    if (!status) {
        terms = mli_alloc_vec(job->ctx, all.map.count + 1, sizeof *terms);
        if (!terms) status = mli_nomem(err);
    }
    if (!status) n = choose(job, &all, terms);
    if (!status && n == 0)
        status = no_terms(&job->train->inputs->features[j], all.map.count > 0, err);
    if (!status) status = keep(job->ctx, k, terms, n, err);
    mli_free(job->ctx, terms);
    counter_free(&all);
    return status;
}

static ml_status store(ml_model *m, const kept *k, ml_error *err)
{
    char *bytes;
    int64_t *ends, size = (int64_t)k->bytes.size, n1 = k->n + 1;
    double *frequency;
    ml_status status = mli_model_add(m, "terms", ML_DTYPE_U8, 1, &size, &bytes, err);
    if (!status) status = mli_model_add(m, "ends", ML_DTYPE_I64, 1, &n1, &ends, err);
    if (!status)
        status = mli_model_add(m, "frequency", ML_DTYPE_F64, 1, &k->n, &frequency, err);
    if (status) return status;
    memcpy(bytes, k->bytes.data, k->bytes.size);
    for (int64_t i = 0; i < k->n; i++) {
        ends[i + 1] = k->ends[i];
        frequency[i] = k->frequency[i];
    }
    return ML_OK;
}

static ml_status fit_all(mli_fit *job, const mli_tokens *tokens, const uint8_t *picked,
                         kept *k, ml_error *err)
{
    int64_t n = job->train->n_features, n1 = n + 1, *first;
    ml_status status =
        mli_model_add(job->model, "first", ML_DTYPE_I64, 1, &n1, &first, err);
    for (int64_t j = 0; j < n && !status; j++) {
        if (picked[j]) status = fit_feature(job, tokens, j, k, err);
        first[j + 1] = k->n;
    }
    return status ? status : store(job->model, k, err);
}

ml_status mli_vocabulary_fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    mli_tokens tokens;
    kept k = {0};
    ml_status status = mli_prepare_picked(job, MLI_TAKES_TEXT, &picked, err);
    if (status) return status;
    mli_str_init(&k.bytes, job->ctx);
    status = mli_tokens_new(job->ctx, job->params, &tokens, err);
    if (!status) {
        status = fit_all(job, &tokens, picked, &k, err);
        mli_tokens_free(&tokens);
    }
    mli_str_free(&k.bytes);
    mli_free(job->ctx, k.ends);
    mli_free(job->ctx, k.frequency);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- looking up ---- */

/* A slot holds 32 bits of the hash and the term's number + 1; 0 is free. */
static uint64_t slot_of(uint64_t hash, int64_t term)
{
    return hash << 32 | (uint64_t)(term + 1);
}

static int64_t slots_for(int64_t terms)
{
    int64_t n = terms ? 8 : 0;
    while (n && n < 2 * terms) n *= 2;
    return n;
}

static ml_status make_slots(mli_vocabulary *v, int64_t features, ml_error *err)
{
    v->begin = mli_calloc(v->ctx, (size_t)features + 1, sizeof *v->begin);
    if (!v->begin) return mli_nomem(err);
    for (int64_t j = 0; j < features; j++)
        v->begin[j + 1] = v->begin[j] + slots_for(v->first[j + 1] - v->first[j]);
    v->slots = mli_calloc(v->ctx, (size_t)v->begin[features] + 1, sizeof *v->slots);
    if (!v->slots) return mli_nomem(err);
    for (int64_t j = 0; j < features; j++) {
        uint64_t *slots = v->slots + v->begin[j];
        uint64_t mask = (uint64_t)(v->begin[j + 1] - v->begin[j]) - 1;
        for (int64_t i = v->first[j]; i < v->first[j + 1]; i++) {
            uint64_t hash =
                mli_hash(v->bytes + v->ends[i], (size_t)(v->ends[i + 1] - v->ends[i]));
            uint64_t at = hash >> 32 & mask;
            while (slots[at]) at = (at + 1) & mask;
            slots[at] = slot_of(hash, i - v->first[j]);
        }
    }
    return ML_OK;
}

static ml_status damaged(ml_error *err)
{
    return mli_fail(err, ML_E_FORMAT, "the model's tensor \"ends\" is damaged");
}

static ml_status bind(mli_prepared *t, mli_vocabulary *v, ml_error *err)
{
    int64_t bytes = -1, n1 = -1;
    ml_status status =
        mli_model_want(t->model, "terms", ML_DTYPE_U8, 1, &bytes, &v->bytes, err);
    if (!status)
        status = mli_model_want(t->model, "ends", ML_DTYPE_I64, 1, &n1, &v->ends, err);
    v->n = n1 - 1;
    if (!status && (v->n < 0 || v->n >= INT32_MAX)) status = damaged(err);
    if (!status)
        status = mli_model_want(t->model, "frequency", ML_DTYPE_F64, 1, &v->n,
                                &v->frequency, err);
    if (!status) status = mli_prepare_offsets(t, "first", v->n, &v->first, err);
    if (status) return status;
    int good = v->ends[0] == 0 && v->ends[v->n] == bytes;
    for (int64_t i = 0; i < v->n && good; i++) good = v->ends[i + 1] >= v->ends[i];
    for (int64_t j = 0; j < t->in->n_features && good; j++)
        good = t->picked[j] || v->first[j + 1] == v->first[j];
    return good ? ML_OK : damaged(err);
}

ml_status mli_vocabulary_load(mli_prepared *t, mli_vocabulary *v, ml_error *err)
{
    v->ctx = t->plan.ctx;
    mli_map_init(&v->tokens.stop, v->ctx);
    ml_status status = bind(t, v, err);
    if (!status) status = mli_tokens_new(v->ctx, t->model->params, &v->tokens, err);
    return status ? status : make_slots(v, t->in->n_features, err);
}

void mli_vocabulary_free(mli_vocabulary *v)
{
    if (!v->ctx) return;
    mli_tokens_free(&v->tokens);
    mli_free(v->ctx, v->begin);
    mli_free(v->ctx, v->slots);
}

typedef struct {
    const mli_vocabulary *v;
    const uint64_t *slots;
    uint64_t mask;
    int64_t first;
    double *out;
} looking;

static void count_term(void *arg, const char *term, size_t size)
{
    const looking *l = arg;
    uint64_t hash = mli_hash(term, size);
    for (uint64_t at = hash >> 32 & l->mask; l->slots[at]; at = (at + 1) & l->mask) {
        int64_t k = (int64_t)(l->slots[at] & 0xFFFFFFFF) - 1;
        const int64_t *ends = l->v->ends + l->first + k;
        if (l->slots[at] >> 32 != (hash & 0xFFFFFFFF)) continue;
        if ((size_t)(ends[1] - ends[0]) != size) continue;
        if (memcmp(l->v->bytes + ends[0], term, size) != 0) continue;
        l->out[k]++;
        return;
    }
}

void mli_vocabulary_count(const mli_vocabulary *v, int64_t feature, const mli_text *text,
                          double *out)
{
    looking l = {v, v->slots + v->begin[feature],
                 (uint64_t)(v->begin[feature + 1] - v->begin[feature]) - 1,
                 v->first[feature], out};
    if (text && v->begin[feature + 1] > v->begin[feature])
        mli_tokens_each(&v->tokens, text->data, (size_t)text->size, count_term, &l);
}

/* ---- for transformers ---- */

int64_t mli_vocabulary_width(const mli_prepared *t, int64_t feature)
{
    const mli_vocabulary *v = t->own[0];
    return v->first[feature + 1] - v->first[feature];
}

ml_status mli_vocabulary_describe(const mli_prepared *t, int64_t feature,
                                  mli_feature *out, ml_error *err)
{
    const mli_vocabulary *v = t->own[0];
    for (int64_t i = v->first[feature]; i < v->first[feature + 1]; i++) {
        mli_str name;
        mli_str_init(&name, t->plan.ctx);
        mli_str_printf(&name, "%s: ", t->in->features[feature].name);
        mli_str_add_n(&name, v->bytes + v->ends[i],
                      (size_t)(v->ends[i + 1] - v->ends[i]));
        mli_feature *f = &out[i - v->first[feature]];
        f->sparse = 1;
        f->name = mli_str_take(&name);
        if (!f->name) return mli_nomem(err);
    }
    return ML_OK;
}

void mli_vocabulary_release(mli_prepared *t)
{
    if (t->own[0]) mli_vocabulary_free(t->own[0]);
}
