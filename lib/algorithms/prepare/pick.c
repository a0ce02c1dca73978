/* SPDX-License-Identifier: MIT
 *
 * prepare/pick.c: which columns a transformer works on.
 */
#include "algorithms/prepare/prepare.h"

#include <string.h>

/* Does the text match a pattern in which * stands for anything? */
static int matches(const char *pattern, const char *text)
{
    const char *star = NULL, *back = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            back = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++back;
        } else {
            return 0;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}

/* Is the feature of the kind that a word names? -1: it is no such word. */
static int of_kind(const mli_feature *f, const char *word)
{
    int date = f->kind == MLI_NUMERIC && mli_type_is_time(f->type);
    if (mli_in_list(word, "number,numbers,numeric"))
        return f->kind == MLI_NUMERIC && !date;
    if (mli_in_list(word, "category,categories,categorical"))
        return f->kind == MLI_CATEGORICAL;
    if (mli_in_list(word, "text,texts")) return f->kind == MLI_TEXT;
    if (mli_in_list(word, "date,dates")) return date;
    return -1;
}

static const char *kind_name(const mli_feature *f)
{
    if (f->kind == MLI_TEXT) return "text";
    return f->kind == MLI_CATEGORICAL ? "a category" : "a number";
}

static ml_status wrong_kind(const mli_feature *f, uint32_t takes, ml_error *err)
{
    int text = (takes & MLI_TAKES_TEXT) != 0;
    mli_fail(err, ML_E_TYPE, "the column \"%s\" is %s, which it does not work on",
             f->name, kind_name(f));
    mli_error_at(err, ML_E_TYPE, "params.columns");
    if (text || takes & MLI_TAKES_CATEGORIES)
        mli_error_hint(err, ML_E_TYPE, "if it holds %s, say so: %s: [%s]",
                       text ? "texts" : "names", text ? "text" : "categorical", f->name);
    return ML_E_TYPE;
}

static ml_status no_match(const mli_inputs *in, const char *item, ml_error *err)
{
    const char *near = NULL;
    for (int64_t j = 0; j < in->n_features; j++) {
        const char *pair[2] = {in->features[j].name, near};
        near = mli_nearest(item, pair, near ? 2 : 1);
    }
    mli_fail(err, ML_E_NAME, "no column matches \"%s\"", item);
    mli_error_at(err, ML_E_NAME, "params.columns");
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    return mli_error_hint(err, ML_E_NAME,
                          "name a column, a pattern with *, or a kind: number, category, "
                          "text, date");
}

/* A name comes before a word for a kind, that before a pattern. */
static ml_status pick_item(const mli_inputs *in, const char *item, uint32_t takes,
                           uint8_t *picked, ml_error *err)
{
    int found = 0;
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        if (strcmp(f->name, item) != 0) continue;
        if (!(takes >> f->kind & 1)) return wrong_kind(f, takes, err);
        picked[j] = 1;
        return ML_OK;
    }
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        int hit = of_kind(f, item);
        if (hit < 0)
            hit = strchr(item, '*') ? matches(item, f->name) : 0;
        else
            found = 1; /* a kind of which there is no column picks nothing */
        if (!hit) continue;
        found = 1;
        if (takes >> f->kind & 1) picked[j] = 1;
    }
    return found ? ML_OK : no_match(in, item, err);
}

ml_status mli_prepare_pick(const mli_inputs *in, const ml_params *params, uint32_t takes,
                           uint8_t *picked, ml_error *err)
{
    const char *const *items;
    int64_t n = mli_get_strs(params, "columns", &items);
    ml_status status = ML_OK;
    memset(picked, 0, (size_t)in->n_features);
    for (int64_t j = 0; n == 0 && j < in->n_features; j++) {
        const mli_feature *f = &in->features[j];
        /* Dates are numbers only when they are asked for. */
        picked[j] = takes >> f->kind & 1 &&
                    !(f->kind == MLI_NUMERIC && mli_type_is_time(f->type));
    }
    for (int64_t i = 0; i < n && !status; i++)
        status = pick_item(in, items[i], takes, picked, err);
    return status;
}

ml_status mli_prepare_picked(mli_fit *job, uint32_t takes, uint8_t **picked,
                             ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    uint8_t *p = mli_calloc(job->ctx, (size_t)in->n_features, 1);
    if (!p) return mli_nomem(err);
    ml_status status = mli_prepare_pick(in, job->params, takes, p, err);
    if (status)
        mli_free(job->ctx, p);
    else
        *picked = p;
    return status;
}
