/* SPDX-License-Identifier: MIT
 *
 * data/design_derive.c: designs made of designs: the same rows with other columns, as the
 * steps of a pipeline hand them on, and whether an algorithm can take them.
 */
#include "data/design_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- the same rows, other columns ---- */

#define SHARE(member, count)                                                             \
    do {                                                                                 \
        if (!from->member) break;                                                        \
        to->member = mli_calloc(to->ctx, (size_t)(count), sizeof *to->member);           \
        if (!to->member) return mli_nomem(err);                                          \
        memcpy(to->member, from->member, (size_t)(count) * sizeof *to->member);          \
    } while (0)

static ml_status copy_roles(const mli_design *from, mli_design *to, ml_error *err)
{
    to->n_groups = from->n_groups;
    SHARE(y, from->rows);
    SHARE(ys, from->rows * from->inputs->n_targets);
    SHARE(label, from->rows);
    SHARE(weight, from->rows);
    SHARE(offset, from->rows);
    SHARE(event, from->rows);
    SHARE(upper, from->rows);
    SHARE(group, from->n_groups + 1);
    SHARE(group_id, from->rows);
    return ML_OK;
}

ml_status mli_design_replace(const mli_design *design, mli_inputs *inputs,
                             const ml_table *table, mli_design **out, ml_error *err)
{
    mli_design *d = NULL;
    if (table->rows != design->rows)
        return mli_fail(err, ML_E_INTERNAL, "a design got columns of other rows");
    ml_status status = mli_design_apply(inputs, table, 0, &d, err);
    if (status) return status;
    status = copy_roles(design, d, err);
    if (status)
        mli_design_free(d);
    else
        *out = d;
    return status;
}

/* ---- can an algorithm take it? ---- */

typedef struct {
    const mli_design *d;
    int64_t *bad; /* [features] the first missing or infinite value, or -1 */
} looking;

static void look(void *arg, int64_t j, int32_t slot)
{
    const looking *l = arg;
    double block[512];
    (void)slot;
    l->bad[j] = -1;
    if (l->d->columns[j].kind == MLI_TEXT) return;
    mli_sparse s;
    if (mli_design_sparse(l->d, j, &s)) {
        for (int64_t i = 0; i < s.n && l->bad[j] < 0; i++)
            if (!isfinite(s.values[i])) l->bad[j] = s.rows[i];
        return;
    }
    for (int64_t begin = 0; begin < l->d->rows; begin += 512) {
        int64_t n = l->d->rows - begin < 512 ? l->d->rows - begin : 512;
        mli_design_f64(l->d, j, begin, begin + n, block, 1);
        for (int64_t i = 0; i < n; i++) {
            if (isfinite(block[i])) continue;
            l->bad[j] = begin + i;
            return;
        }
    }
}

static ml_status not_finite(const mli_design *d, const mli_descriptor *algorithm,
                            int64_t j, int64_t row, ml_error *err)
{
    double v;
    mli_design_f64(d, j, row, row + 1, &v, 1);
    mli_fail(err, ML_E_DATA, "the value is %s, and %s takes finite numbers only",
             isnan(v) ? "missing" : "infinite", algorithm->name);
    mli_error_at(err, ML_E_DATA, "column \"%s\", row %" PRId64,
                 d->inputs->features[j].name, row + 1);
    return mli_error_hint(err, ML_E_DATA, "put a step before it that fills the value");
}

static ml_status check_finite(const mli_design *d, const mli_descriptor *algorithm,
                              ml_error *err)
{
    looking l = {d, mli_alloc(d->ctx, (size_t)d->n_features * sizeof(int64_t))};
    ml_status status = ML_OK;
    if (!l.bad) return mli_nomem(err);
    mli_parallel(d->ctx, d->n_features, look, &l);
    for (int64_t j = 0; j < d->n_features && !status; j++)
        if (l.bad[j] >= 0) status = not_finite(d, algorithm, j, l.bad[j], err);
    mli_free(d->ctx, l.bad);
    return status;
}

ml_status mli_design_suits(const mli_design *d, const mli_descriptor *algorithm,
                           ml_error *err)
{
    for (int64_t j = 0; j < d->n_features; j++) {
        const mli_feature *f = &d->inputs->features[j];
        uint32_t need = f->kind == MLI_CATEGORICAL ? MLI_CAN_CATEGORIES
                        : f->kind == MLI_TEXT      ? MLI_CAN_TEXT
                                                   : 0;
        /* What makes columns of columns leaves alone what it does not work on. */
        if (need == MLI_CAN_TEXT && (algorithm->tasks & MLI_TASK_TRANSFORM)) continue;
        if ((algorithm->caps & need) == need) continue;
        mli_fail(err, ML_E_TYPE, "%s takes numbers only, this is %s", algorithm->name,
                 f->kind == MLI_TEXT ? "text" : "categorical");
        mli_error_at(err, ML_E_TYPE, "column \"%s\"", f->name);
        return mli_error_hint(err, ML_E_TYPE,
                              "put a step before it that makes numbers, "
                              "such as %s",
                              f->kind == MLI_TEXT ? "tfidf" : "one_hot_encoder");
    }
    return algorithm->caps & MLI_CAN_MISSING ? ML_OK : check_finite(d, algorithm, err);
}

/* ---- some of the columns ---- */

static char *copy_text(ml_context *ctx, const char *text, ml_status *status,
                       ml_error *err)
{
    if (!text || *status) return NULL;
    char *copy = mli_strdup(ctx, text);
    if (!copy) *status = mli_nomem(err);
    return copy;
}

ml_status mli_inputs_take_roles(mli_inputs *to, const mli_inputs *from, ml_error *err)
{
    ml_status status = ML_OK;
    to->task = from->task;
    to->unseen_error = from->unseen_error;
    to->target_type = from->target_type;
    to->target = copy_text(to->ctx, from->target, &status, err);
    to->weight = copy_text(to->ctx, from->weight, &status, err);
    to->group = copy_text(to->ctx, from->group, &status, err);
    to->time = copy_text(to->ctx, from->time, &status, err);
    to->offset = copy_text(to->ctx, from->offset, &status, err);
    to->event = copy_text(to->ctx, from->event, &status, err);
    to->upper = copy_text(to->ctx, from->upper, &status, err);
    if (!status) status = mli_inputs_set_targets(to, from->targets, from->n_targets, err);
    mli_dictionary_share(&from->classes, &to->classes);
    return status;
}

ml_status mli_feature_copy(ml_context *ctx, const mli_feature *from, mli_feature *to,
                           ml_error *err)
{
    *to = *from;
    mli_dictionary_share(&from->levels, &to->levels);
    to->name = mli_strdup(ctx, from->name);
    return to->name ? ML_OK : mli_nomem(err);
}

ml_status mli_inputs_select(const mli_inputs *in, const uint8_t *chosen, mli_inputs **out,
                            ml_error *err)
{
    int64_t n = 0, at = 0;
    mli_inputs *to = NULL;
    for (int64_t j = 0; j < in->n_features; j++) n += chosen[j] != 0;
    ml_status status = mli_inputs_new(in->ctx, n, &to, err);
    if (status) return status;
    for (int64_t j = 0; j < in->n_features && !status; j++) {
        if (!chosen[j]) continue;
        status = mli_feature_copy(in->ctx, &in->features[j], &to->features[at], err);
        to->features[at++].truth = 0;
    }
    if (!status) status = mli_inputs_take_roles(to, in, err);
    if (status)
        mli_inputs_free(to);
    else
        *out = to;
    return status;
}
