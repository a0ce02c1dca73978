/* SPDX-License-Identifier: MIT
 *
 * data/design_inputs.c: what a model knows of its inputs: names, kinds and dictionaries.
 */
#include "data/design.h"

#include <string.h>

/* ---- dictionaries ---- */

ml_status mli_dictionary_new(ml_context *ctx, int64_t n, int64_t size,
                             mli_dictionary *out, char **bytes, int64_t **offsets,
                             ml_error *err)
{
    mli_dictionary d = {.n = n};
    if (n < 0 || size < 0 || (uint64_t)n > SIZE_MAX / 16) return mli_nomem(err);
    d.keep[0] = mli_buffer_new(ctx, (size_t)size, bytes);
    d.keep[1] = mli_buffer_new(ctx, ((size_t)n + 1) * sizeof **offsets, offsets);
    if (!d.keep[0] || !d.keep[1]) {
        mli_dictionary_free(&d);
        return mli_nomem(err);
    }
    d.bytes = *bytes;
    d.offsets = *offsets;
    *out = d;
    return ML_OK;
}

void mli_dictionary_share(const mli_dictionary *from, mli_dictionary *to)
{
    *to = *from;
    mli_buffer_ref(to->keep[0]);
    mli_buffer_ref(to->keep[1]);
}

void mli_dictionary_free(mli_dictionary *d)
{
    mli_buffer_free(d->keep[0]);
    mli_buffer_free(d->keep[1]);
    memset(d, 0, sizeof *d);
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t least = a_size < b_size ? a_size : b_size;
    int order = least ? memcmp(a, b, least) : 0;
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

int64_t mli_dictionary_find(const mli_dictionary *d, const char *text, size_t size)
{
    int64_t low = 0, high = d->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const int64_t *at = d->offsets + middle;
        int order = compare(d->bytes + at[0], (size_t)(at[1] - at[0]), text, size);
        if (order == 0) return middle;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

/* ---- inputs ---- */

ml_status mli_inputs_new(ml_context *ctx, int64_t n_features, mli_inputs **out,
                         ml_error *err)
{
    mli_inputs *in = mli_calloc(ctx, 1, sizeof *in);
    if (!in) return mli_nomem(err);
    in->features = mli_calloc(ctx, (size_t)n_features, sizeof *in->features);
    if (!in->features) {
        mli_free(ctx, in);
        return mli_nomem(err);
    }
    mli_ref_init(&in->ref);
    in->ctx = mli_context_ref(ctx);
    in->n_features = n_features;
    *out = in;
    return ML_OK;
}

mli_inputs *mli_inputs_ref(mli_inputs *in)
{
    if (in) mli_ref_up(&in->ref);
    return in;
}

void mli_inputs_free(mli_inputs *in)
{
    if (!in || !mli_ref_down(&in->ref)) return;
    ml_context *ctx = in->ctx;
    for (int64_t i = 0; i < in->n_features; i++) {
        mli_free(ctx, in->features[i].name);
        mli_dictionary_free(&in->features[i].levels);
    }
    mli_dictionary_free(&in->classes);
    mli_free(ctx, in->features);
    mli_free(ctx, in->target);
    for (int64_t k = 0; k < in->n_targets; k++) mli_free(ctx, in->targets[k]);
    mli_free(ctx, in->targets);
    mli_free(ctx, in->weight);
    mli_free(ctx, in->group);
    mli_free(ctx, in->time);
    mli_free(ctx, in->offset);
    mli_free(ctx, in->event);
    mli_free(ctx, in->upper);
    mli_free(ctx, in);
    ml_context_free(ctx);
}

ml_status mli_inputs_set_targets(mli_inputs *in, char *const *names, int64_t n,
                                 ml_error *err)
{
    if (n == 0) return ML_OK;
    in->targets = mli_calloc(in->ctx, (size_t)n, sizeof *in->targets);
    if (!in->targets) return mli_nomem(err);
    for (; in->n_targets < n; in->n_targets++) {
        char *copy = mli_strdup(in->ctx, names[in->n_targets]);
        if (!copy) return mli_nomem(err);
        in->targets[in->n_targets] = copy;
    }
    return ML_OK;
}

const char *mli_inputs_label(const mli_inputs *in, int64_t k, size_t *size)
{
    if (k < 0 || k >= in->classes.n) return NULL;
    const int64_t *at = in->classes.offsets + k;
    *size = (size_t)(at[1] - at[0]);
    return in->classes.bytes + at[0];
}
