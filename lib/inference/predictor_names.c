/* SPDX-License-Identifier: MIT
 *
 * predictor_names.c: what the outputs of a predictor are called.
 */
#include "inference/predictor.h"

#include <string.h>

static void add_label(const mli_inputs *in, int64_t k, mli_str *s)
{
    size_t size = 0;
    const char *label = mli_inputs_label(in, k, &size);
    if (label) mli_str_add_n(s, label, size);
}

static void add_term(const mli_inputs *in, int64_t j, mli_str *s)
{
    mli_str_add(s, j == in->n_features ? "bias" : in->features[j].name);
}

/* Contributions: one per feature and the bias, for each class or target when there are
 * many. Interactions: one per pair of these. */
static int contribution(const ml_predictor *p, int64_t k, mli_str *s)
{
    const mli_inputs *in = p->inputs;
    int64_t width = in->n_features + 1, terms = width;
    int pairs = strcmp(p->kind, "interactions") == 0;
    if (pairs) terms *= width;
    if ((!pairs && strcmp(p->kind, "contributions") != 0) || p->n_outputs % terms)
        return 0;
    int64_t sets = p->n_outputs / terms;
    if (sets > 1 && sets != in->classes.n && sets != in->n_targets) return 0;
    if (sets > 1) {
        if (in->n_targets)
            mli_str_add(s, in->targets[k / terms]);
        else
            add_label(in, k / terms, s);
        mli_str_add(s, ": ");
    }
    if (pairs) {
        add_term(in, k % terms / width, s);
        mli_str_add(s, " x ");
    }
    add_term(in, k % width, s);
    return 1;
}

static void add_name(const ml_predictor *p, int64_t k, mli_str *s)
{
    if (p->outputs) {
        mli_str_add(s, p->outputs->features[k].name);
        return;
    }
    if (contribution(p, k, s)) return;
    if (p->n_outputs == p->inputs->n_targets && strcmp(p->kind, "value") == 0) {
        mli_str_add(s, p->inputs->targets[k]);
        return;
    }
    int64_t classes = p->inputs->classes.n;
    if (p->n_outputs == classes && strcmp(p->kind, "class") != 0) {
        add_label(p->inputs, k, s);
        return;
    }
    if (p->n_outputs == 1 && classes == 2 && strcmp(p->kind, "proba") == 0) {
        add_label(p->inputs, 1, s); /* the probability of the second class */
        return;
    }
    mli_str_add(s, p->kind);
    if (p->n_outputs == 1) return;
    mli_str_char(s, '_');
    mli_str_i64(s, k);
}

ml_status mli_predictor_name(ml_predictor *p, ml_error *err)
{
    p->names = mli_calloc(p->ctx, (size_t)p->n_outputs, sizeof *p->names);
    if (!p->names) return mli_nomem(err);
    for (int64_t k = 0; k < p->n_outputs; k++) {
        mli_str s;
        mli_str_init(&s, p->ctx);
        add_name(p, k, &s);
        p->names[k] = mli_str_take(&s);
        if (!p->names[k]) return mli_nomem(err);
    }
    return ML_OK;
}

void mli_predictor_column(const ml_predictor *p, int64_t output, mli_str *s)
{
    int plain = strcmp(p->kind, "value") == 0 || strcmp(p->kind, "class") == 0;
    if (p->n_outputs == 1 && strcmp(p->names[0], p->kind) == 0) {
        mli_str_add(s, plain ? "prediction" : p->kind);
        return;
    }
    mli_str_add(s, p->kind);
    mli_str_char(s, '_');
    mli_str_add(s, p->names[output]);
}
