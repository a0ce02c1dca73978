/* SPDX-License-Identifier: MIT
 *
 * prepare/one_hot_encoder.c: a column of 0 and 1 for each level of a category. Rare
 * levels share a column; missing values get one when training had some.
 *
 * Tensors: slot i64 [all levels of picked features]: the column of each level, -1: none;
 * wide i64 [features + 1]: where the columns of each feature begin; missing f64
 * [features]: the column of missing values, or -1.
 */
#include "algorithms/prepare/prepare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MISSING f64[0]
#define SLOT    i64[0]
#define WIDE    i64[1]
#define START   own[0] /* int64_t [features + 1]: where the levels begin in slot */

#define LEAST_SPARSE 8 /* columns of a feature of which most may be 0 */

/* ---- fitting ---- */

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The least count of a level with a column of its own, and how many levels have one that
 * occur once less. */
static ml_status least_count(mli_fit *job, const double *counts, int64_t n, double *out,
                             int64_t *room, ml_error *err)
{
    double least = mli_get_f64(job->params, "min_frequency");
    int64_t most = mli_get_i64(job->params, "max_levels");
    if (least > 0 && least < 1) least *= (double)job->train->rows;
    *out = least;
    if (most == 0 || n <= most) return ML_OK;
    double *sorted = mli_alloc_vec(job->ctx, n, sizeof *sorted);
    if (!sorted) return mli_nomem(err);
    memcpy(sorted, counts, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, falling);
    double next = sorted[most - 1];
    if (next >= *out) {
        *out = next + 1;
        *room = most - 1; /* one column is for the others */
        for (int64_t k = 0; sorted[k] > next; k++) (*room)--;
    }
    mli_free(job->ctx, sorted);
    return ML_OK;
}

/* Columns of one feature; returns their number. As in scikit-learn the last ones of
 * equally frequent levels take the room that is left. */
static int64_t assign(const double *counts, int64_t n, double least, int64_t room,
                      int drop, int64_t *slot)
{
    int64_t at = 0, rare = 0;
    for (int64_t k = n - 1; k >= 0; k--)
        slot[k] = counts[k] < least && (counts[k] < least - 1 || room-- <= 0) ? -2 : 0;
    for (int64_t k = 0; k < n; k++) {
        rare += slot[k] == -2;
        if (slot[k] == 0) slot[k] = at++;
    }
    for (int64_t k = 0; k < n; k++)
        if (slot[k] == -2) slot[k] = at;
    at += rare > 0;
    if (drop == 0 || at == 0 || (drop == 2 && at != 2)) return at;
    for (int64_t k = 0; k < n; k++) slot[k]--; /* the first one has none */
    return at - 1;
}

static ml_status fit_feature(mli_fit *job, int64_t j, int64_t *slot, int64_t *columns,
                             double *missing, ml_error *err)
{
    int64_t n = job->train->inputs->features[j].levels.n;
    double *counts = mli_calloc(job->ctx, (size_t)n, sizeof *counts), least, seen = 0;
    int64_t room = 0;
    if (!counts) return mli_nomem(err);
    mli_prepare_counts(job->train, j, counts);
    for (int64_t k = 0; k < n; k++) seen += counts[k];
    ml_status status = least_count(job, counts, n, &least, &room, err);
    if (!status)
        *columns =
            assign(counts, n, least, room,
                   mli_get_enum(job->params, "drop", "none,first,if_binary"), slot);
    mli_free(job->ctx, counts);
    if (mli_get_bool(job->params, "indicators") && seen < (double)job->train->rows)
        *missing = (double)(*columns)++;
    return status;
}

static ml_status add(mli_fit *job, const uint8_t *picked, ml_error *err)
{
    const mli_inputs *in = job->train->inputs;
    int64_t n = in->n_features, n1 = n + 1, total = 0, *slot, *wide, at = 0;
    double *missing;
    for (int64_t j = 0; j < n; j++) total += picked[j] ? in->features[j].levels.n : 0;
    ml_status status =
        mli_model_add(job->model, "slot", ML_DTYPE_I64, 1, &total, &slot, err);
    if (!status)
        status = mli_model_add(job->model, "wide", ML_DTYPE_I64, 1, &n1, &wide, err);
    if (!status)
        status = mli_model_add(job->model, "missing", ML_DTYPE_F64, 1, &n, &missing, err);
    for (int64_t j = 0; j < n && !status; j++) {
        int64_t columns = 1;
        missing[j] = -1;
        if (picked[j]) {
            status = fit_feature(job, j, slot + at, &columns, &missing[j], err);
            at += in->features[j].levels.n;
        }
        wide[j + 1] = wide[j] + columns;
    }
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    uint8_t *picked = NULL;
    ml_status status = mli_prepare_picked(job, MLI_TAKES_CATEGORIES, &picked, err);
    if (status) return status;
    status = add(job, picked, err);
    mli_free(job->ctx, picked);
    return status;
}

/* ---- the plan ---- */

static int64_t width(const mli_prepared *t, int64_t j)
{
    return t->WIDE[j + 1] - t->WIDE[j];
}

static ml_status load(mli_prepared *t, ml_error *err)
{
    int64_t n = t->in->n_features, total = 0;
    int64_t *start = mli_calloc(t->plan.ctx, (size_t)n + 1, sizeof *start);
    t->START = start;
    if (!start) return mli_nomem(err);
    for (int64_t j = 0; j < n; j++) {
        start[j] = total;
        if (t->picked[j]) total += t->in->features[j].levels.n;
    }
    start[n] = total;
    ml_status status =
        mli_model_want(t->model, "slot", ML_DTYPE_I64, 1, &total, &t->SLOT, err);
    if (!status) status = mli_prepare_offsets(t, "wide", -1, &t->WIDE, err);
    if (!status) status = mli_prepare_want(t, "missing", &t->MISSING, err);
    for (int64_t j = 0; j < n && !status; j++) {
        int good =
            t->MISSING[j] >= -1 && t->MISSING[j] < (double)(width(t, j) + !width(t, j));
        /* One for each level, one for rare ones, one for missing values. */
        good &= width(t, j) <= (t->picked[j] ? t->in->features[j].levels.n + 2 : 1);
        for (int64_t k = start[j]; k < start[j + 1]; k++)
            good &= t->SLOT[k] >= -1 && t->SLOT[k] < width(t, j);
        if (!good)
            status = mli_fail(err, ML_E_FORMAT, "the model's tensor \"slot\" is damaged");
    }
    return status;
}

static ml_status describe_one(const mli_prepared *t, const mli_feature *f, int missing,
                              int64_t sharing, int64_t level, mli_feature *out,
                              ml_error *err)
{
    if (missing) return mli_prepare_name(t, out, err, "%s is missing", f->name);
    if (sharing != 1) return mli_prepare_name(t, out, err, "%s = other", f->name);
    const int64_t *at = f->levels.offsets + level;
    return mli_prepare_name(t, out, err, "%s = %.*s", f->name, (int)(at[1] - at[0]),
                            f->levels.bytes + at[0]);
}

/* Names: "job = clerk", "job = other", "job is missing". */
static ml_status describe(const mli_prepared *t, int64_t j, mli_feature *out,
                          ml_error *err)
{
    const mli_feature *f = &t->in->features[j];
    const int64_t *slot = t->SLOT + ((const int64_t *)t->START)[j];
    int64_t wide = width(t, j);
    int64_t *level = mli_calloc(t->plan.ctx, (size_t)(2 * wide) + 1, sizeof *level);
    ml_status status = ML_OK;
    if (!level) return mli_nomem(err);
    int64_t *sharing = level + wide;
    for (int64_t k = 0; k < f->levels.n; k++) {
        if (slot[k] < 0) continue;
        level[slot[k]] = k;
        sharing[slot[k]]++;
    }
    for (int64_t c = 0; c < wide && !status; c++) {
        out[c].sparse = wide >= LEAST_SPARSE;
        out[c].truth = 1;
        status = describe_one(t, f, (double)c == t->MISSING[j], sharing[c], level[c],
                              &out[c], err);
    }
    mli_free(t->plan.ctx, level);
    return status;
}

static void hot(const mli_prepared *t, int64_t j, const int32_t *codes, int64_t n,
                int32_t *which)
{
    const int64_t *slot = t->SLOT + ((const int64_t *)t->START)[j];
    int64_t levels = t->in->features[j].levels.n;
    int32_t missing = (int32_t)t->MISSING[j];
    for (int64_t i = 0; i < n; i++)
        which[i] = codes[i] >= 0 && codes[i] < levels ? (int32_t)slot[codes[i]] : missing;
}

static void map(const mli_prepared *t, int64_t j, const double *in, int64_t stride,
                int64_t n, double *out, int64_t out_stride)
{
    const int64_t *slot = t->SLOT + ((const int64_t *)t->START)[j];
    int64_t wide = width(t, j), missing = (int64_t)t->MISSING[j];
    double levels = (double)t->in->features[j].levels.n;
    for (int64_t i = 0; i < n; i++) {
        double code = in[i * stride], *to = out + i * out_stride;
        int64_t hot = code >= 0 && code < levels ? slot[(int64_t)code] : missing;
        memset(to, 0, (size_t)wide * sizeof *to);
        if (hot >= 0) to[hot] = 1;
    }
}

static const mli_transformer kind = {.takes = MLI_TAKES_CATEGORIES,
                                     .load = load,
                                     .width = width,
                                     .describe = describe,
                                     .map = map,
                                     .hot = hot};
MLI_PREPARE_FUNCTIONS(kind)

static const mli_param params[] = {
    MLI_PARAM_COLUMNS,
    {"drop", NULL, ML_PARAM_STR, 0, "none", "{none, first, if_binary}", NULL, NULL,
     "Leave the column of the first level out: never, always, or when there are two.",
     "0.1"},
    {"min_frequency", NULL, ML_PARAM_F64, 0, "0", "[0, inf)", NULL, NULL,
     "Levels with fewer rows share a column. Below 1: a share of the rows.", "0.1"},
    {"max_levels", "max_categories", ML_PARAM_I64, 0, "0", "[0, 1000000]", NULL, NULL,
     "At most so many columns for a category: its rarest levels share one. 0: no limit.",
     "0.1"},
    {"indicators", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "A column for missing values, where training had some.", "0.1"},
    MLI_PARAM_END};

static const mli_attribute attributes[] = {
    {"slot", "i64", "[levels]", "The column of each level of each category, or -1."},
    {"wide", "i64", "[features + 1]", "Where the columns of each feature begin."},
    {"missing", "f64", "[features]", "The column of missing values, or -1."},
    {NULL, NULL, NULL, NULL}};

extern const mli_algorithm mli_one_hot_encoder;
const mli_algorithm mli_one_hot_encoder = {
    .head = {MLI_PREPARE_HEAD, .name = "one_hot_encoder",
             .aliases = "one_hot,onehot,dummies", .title = "a column per level",
             .doc = "Makes a column of 0 and 1 for each level of a category. Rare levels "
                    "can share one. Levels that training did not have count as missing.",
             .caps = MLI_CAN_PREPARE, .params = params, .roles = mli_roles_unsupervised,
             .attributes = attributes},
    .fit = fit,
    .plan = plan,
    .outputs = outputs,
};
