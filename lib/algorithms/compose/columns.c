/* SPDX-License-Identifier: MIT
 *
 * compose/columns.c: branches side by side: each takes some of the columns through steps
 * of its own, and what they make stands beside each other, with the columns that no
 * branch takes behind (or left out).
 *
 * Tensors: "<branch>.<step>.<tensor>". Cost: that of the branches.
 */
#include "algorithms/compose/compose.h"
#include "core/hashmap.h"
#include "algorithms/prepare/prepare.h"

#include <string.h>

#define BLOCK       256
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

static const mli_param params[] = {
    {"branches", "transformers", ML_PARAM_STRS, MLI_FLAG_REQUIRED | MLI_FLAG_PARTS, NULL,
     "{pipeline}", NULL, NULL,
     "Names of the branches. Each is a pipeline: set \"name.columns\" and "
     "\"name.steps\".",
     "0.1"},
    {"rest", "remainder", ML_PARAM_STR, 0, "keep", "{keep, drop}", NULL, NULL,
     "What becomes of the columns that no branch takes.", "0.1"},
    MLI_PARAM_END};

/* The branches, and the features that none of them takes. */
typedef struct {
    mli_parts parts;
    uint8_t *rest; /* [features] */
    int64_t n_rest;
} branches;

static void branches_free(branches *b)
{
    mli_free(b->parts.ctx, b->rest);
    mli_parts_free(&b->parts);
}

static ml_status take_branch(branches *b, int64_t i, const mli_inputs *in,
                             const ml_params *p, uint8_t *chosen, ml_error *err)
{
    ml_params *own = NULL;
    int all;
    ml_status status = mli_params_part(p, b->parts.part[i].name, &own, err);
    if (!status) status = mli_pipeline_columns(in, own, chosen, &all, err);
    for (int64_t j = 0; j < in->n_features && !status; j++)
        if (chosen[j]) b->rest[j] = 0;
    ml_params_free(own);
    if (status) mli_error_at(err, status, "params.%s.columns", b->parts.part[i].name);
    return status;
}

static ml_status branches_new(ml_context *ctx, const mli_inputs *in, const ml_params *p,
                              branches *b, ml_error *err)
{
    *b = (branches){0};
    ml_status status = mli_parts_new(ctx, params, p, &b->parts, err);
    if (status) return status;
    uint8_t *chosen = mli_calloc(ctx, (size_t)in->n_features, 1);
    b->rest = mli_calloc(ctx, (size_t)in->n_features, 1);
    if (!chosen || !b->rest) status = mli_nomem(err);
    if (!status && b->parts.n == 0) {
        mli_fail(err, ML_E_ARGUMENT, "columns needs a branch");
        status = mli_error_at(err, ML_E_ARGUMENT, "params.branches");
    }
    if (!status) memset(b->rest, 1, (size_t)in->n_features);
    for (int64_t i = 0; i < b->parts.n && !status; i++)
        status = take_branch(b, i, in, p, chosen, err);
    int keep = !status && strcmp(mli_get_str(p, "rest"), "keep") == 0;
    for (int64_t j = 0; j < in->n_features && !status; j++) {
        b->rest[j] &= (uint8_t)keep;
        b->n_rest += b->rest[j];
    }
    mli_free(ctx, chosen);
    if (status) branches_free(b);
    return status;
}

static ml_status fit(mli_fit *job, ml_error *err)
{
    branches b;
    ml_status status = branches_new(job->ctx, job->train->inputs, job->params, &b, err);
    if (status) return status;
    double n = (double)b.parts.n;
    for (int64_t i = 0; i < b.parts.n && !status; i++)
        status = mli_part_fit(job, &b.parts, i, job->train, job->valid, (double)i / n,
                              (double)(i + 1) / n, err);
    branches_free(&b);
    return status;
}

/* ---- the model ---- */

static ml_status load(const ml_model *m, int checking, branches *b, ml_error *err)
{
    ml_status status = branches_new(m->ctx, m->inputs, m->params, b, err);
    if (status) return status;
    for (int64_t i = 0; i < b->parts.n && !status; i++) {
        status = mli_part_load(m, &b->parts, i, m->inputs, err);
        if (status || !checking) continue;
        atomic_store(&b->parts.model[i]->unchecked, 1);
        status = mli_model_check(b->parts.model[i], err);
    }
    if (status) branches_free(b);
    return status;
}

typedef struct {
    mli_plan plan;
    int64_t n, rows;
    mli_plan **plans;
    mli_parts models;
    size_t buffer;
} side_by_side;

static void run_block(const side_by_side *s, const double *rows, int64_t n,
                      int64_t stride, double *out, char *scratch)
{
    double *made = (double *)(void *)scratch;
    int64_t wide = s->plan.n_outputs, at = 0;
    for (int64_t b = 0; b < s->n; b++) {
        const mli_plan *p = s->plans[b];
        int64_t w = p->n_outputs;
        p->run(p, rows, n, stride, made, scratch + s->buffer);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k < w; k++) out[i * wide + at + k] = made[i * w + k];
        at += w;
    }
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    const side_by_side *s = (const side_by_side *)plan;
    for (int64_t begin = 0; begin < n; begin += s->rows)
        run_block(s, rows + begin * stride, n - begin < s->rows ? n - begin : s->rows,
                  stride, out + begin * plan->n_outputs, scratch);
}

static void side_free(mli_plan *plan)
{
    side_by_side *s = (side_by_side *)plan;
    for (int64_t i = 0; s->plans && i < s->n; i++) mli_plan_free(s->plans[i]);
    mli_free(plan->ctx, s->plans);
    mli_parts_free(&s->models);
    mli_free(plan->ctx, s);
}

static ml_status make_plans(const ml_model *m, branches *b, side_by_side *s,
                            ml_error *err)
{
    ml_status status = ML_OK;
    s->plans = mli_calloc(m->ctx, (size_t)b->parts.n + 1, sizeof(mli_plan *));
    if (!s->plans) return mli_nomem(err);
    for (int64_t i = 0; i < b->parts.n && !status; i++) {
        status = mli_plan_new(b->parts.model[i], "transform", NULL, &s->plans[i], err);
        if (!status) s->n++;
    }
    if (!status && b->n_rest) {
        status =
            mli_gather_plan(m->ctx, m->inputs->n_features, b->rest, &s->plans[s->n], err);
        if (!status) s->n++;
    }
    return status;
}

static ml_status plan(const ml_model *m, const char *kind, mli_plan **out, ml_error *err)
{
    branches b;
    size_t scratch = 0;
    int64_t wide = 1;
    (void)kind;
    ml_status status = load(m, 0, &b, err);
    if (status) return status;
    side_by_side *s = mli_calloc(m->ctx, 1, sizeof *s);
    if (!s) {
        branches_free(&b);
        return mli_nomem(err);
    }
    s->plan = (mli_plan){.ctx = m->ctx,
                         .n_features = m->inputs->n_features,
                         .run = run,
                         .free = side_free};
    status = make_plans(m, &b, s, err);
    s->models = b.parts;
    b.parts = (mli_parts){.ctx = m->ctx};
    branches_free(&b);
    if (status) {
        side_free(&s->plan);
        return status;
    }
    for (int64_t i = 0; i < s->n; i++) {
        const mli_plan *p = s->plans[i];
        s->plan.n_outputs += p->n_outputs;
        if (p->n_outputs > wide) wide = p->n_outputs;
        if (p->scratch > scratch) scratch = p->scratch;
    }
    s->rows = BLOCK;
    s->buffer = ALIGN(s->rows * wide * (int64_t)sizeof(double));
    s->plan.block = s->rows;
    s->plan.scratch = s->buffer + ALIGN(scratch);
    *out = &s->plan;
    return ML_OK;
}

/* ---- outputs ---- */

/* How often each name occurs. */
typedef struct {
    mli_map map;
    int64_t *count; /* [names], with room for those that are renamed */
} names;

static void names_free(names *u, ml_context *ctx)
{
    mli_map_free(&u->map);
    mli_free(ctx, u->count);
}

static ml_status count_names(const mli_inputs *in, names *u, ml_error *err)
{
    mli_map_init(&u->map, in->ctx);
    u->count = mli_calloc(in->ctx, 2 * (size_t)in->n_features + 1, sizeof *u->count);
    if (!u->count) return mli_nomem(err);
    for (int64_t j = 0; j < in->n_features; j++) {
        const char *name = in->features[j].name;
        int32_t at = mli_map_add(&u->map, name, strlen(name));
        if (at < 0) return mli_nomem(err);
        u->count[at]++;
    }
    return ML_OK;
}

static ml_status copy_features(const mli_inputs *from, const uint8_t *chosen,
                               mli_inputs *to, int64_t *at, ml_error *err)
{
    for (int64_t j = 0; j < from->n_features; j++) {
        if (chosen && !chosen[j]) continue;
        mli_feature *f = &to->features[(*at)++];
        ml_status status = mli_feature_copy(to->ctx, &from->features[j], f, err);
        if (status) return status;
        f->truth = 0;
    }
    return ML_OK;
}

/* "branch.name", with a number behind when there is such a column already. */
static char *free_name(const names *u, ml_context *ctx, const char *branch,
                       const char *name)
{
    mli_str s;
    mli_str_init(&s, ctx);
    for (int64_t k = 1;
         k == 1 || (!s.failed && mli_map_find(&u->map, s.data, s.size) >= 0); k++) {
        mli_str_clear(&s);
        mli_str_printf(&s, "%s.%s", branch, name);
        if (k > 1) mli_str_printf(&s, "_%lld", (long long)k);
    }
    return mli_str_take(&s);
}

/* Two branches that make columns of one name: they get the branch's name in front. */
static ml_status tell_apart(mli_inputs *to, names *u, const char *branch, int64_t begin,
                            int64_t end, ml_error *err)
{
    for (int64_t k = begin; k < end; k++) {
        const char *old = to->features[k].name;
        int32_t at = mli_map_find(&u->map, old, strlen(old));
        if (u->count[at] < 2) continue;
        u->count[at]--;
        char *name = free_name(u, to->ctx, branch, old);
        if (!name) return mli_nomem(err);
        int32_t added = mli_map_add(&u->map, name, strlen(name));
        if (added >= 0) u->count[added] = 1;
        mli_free(to->ctx, to->features[k].name);
        to->features[k].name = name;
        if (added < 0) return mli_nomem(err);
    }
    return ML_OK;
}

static ml_status gather_outputs(const ml_model *m, branches *b, mli_inputs **made,
                                mli_inputs **out, ml_error *err)
{
    int64_t n = b->n_rest, at = 0, begin = 0;
    ml_status status = ML_OK;
    for (int64_t i = 0; i < b->parts.n && !status; i++) {
        status = mli_model_outputs(b->parts.model[i], &made[i], err);
        if (!status) n += made[i]->n_features;
    }
    if (!status) status = mli_inputs_new(m->ctx, n, out, err);
    for (int64_t i = 0; i < b->parts.n && !status; i++)
        status = copy_features(made[i], NULL, *out, &at, err);
    if (!status) status = copy_features(m->inputs, b->rest, *out, &at, err);
    if (status) return status;
    names u = {0};
    status = count_names(*out, &u, err);
    for (int64_t i = 0; i < b->parts.n && !status; i++) {
        status = tell_apart(*out, &u, b->parts.part[i].name, begin,
                            begin + made[i]->n_features, err);
        begin += made[i]->n_features;
    }
    names_free(&u, m->ctx);
    return status;
}

static ml_status outputs(const ml_model *m, mli_inputs **out, ml_error *err)
{
    branches b;
    mli_inputs *all = NULL;
    ml_status status = load(m, 0, &b, err);
    if (status) return status;
    mli_inputs **made = mli_calloc(m->ctx, (size_t)b.parts.n, sizeof(mli_inputs *));
    status = made ? gather_outputs(m, &b, made, &all, err) : mli_nomem(err);
    for (int64_t i = 0; made && i < b.parts.n; i++) mli_inputs_free(made[i]);
    mli_free(m->ctx, made);
    branches_free(&b);
    if (status)
        mli_inputs_free(all);
    else
        *out = all;
    return status;
}

static ml_status check(const ml_model *m, ml_error *err)
{
    branches b;
    ml_status status = load(m, 1, &b, err);
    if (!status) branches_free(&b);
    return status;
}

/* ---- rows of training ---- */

static void place(const double *from, int64_t n, int64_t w, double *out, int64_t wide)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < w; k++) out[i * wide + k] = from[i * w + k];
}

static ml_status branch_rows(const mli_fit *job, ml_model *m, double *out, int64_t wide,
                             int64_t *at, ml_error *err)
{
    mli_inputs *made = NULL;
    ml_status status = mli_model_outputs(m, &made, err);
    if (status) return status;
    int64_t w = made->n_features, n = job->train->rows;
    mli_inputs_free(made);
    double *rows = mli_alloc_vec(job->ctx, n * w, sizeof *rows);
    if (!rows) return mli_nomem(err);
    mli_fit own = *job;
    own.model = m;
    own.params = m->params;
    status = mli_pipeline.train_rows(&own, rows, err);
    if (!status) place(rows, n, w, out + *at, wide);
    *at += w;
    mli_free(job->ctx, rows);
    return status;
}

static ml_status train_rows(mli_fit *job, double *out, ml_error *err)
{
    branches b;
    mli_inputs *all = NULL;
    int64_t at = 0, n = job->train->rows;
    ml_status status = outputs(job->model, &all, err);
    if (status) return status;
    int64_t wide = all->n_features;
    mli_inputs_free(all);
    status = load(job->model, 0, &b, err);
    if (status) return status;
    for (int64_t i = 0; i < b.parts.n && !status; i++)
        status = branch_rows(job, b.parts.model[i], out, wide, &at, err);
    for (int64_t j = 0; j < job->train->n_features && !status; j++)
        if (b.rest[j]) mli_design_f64(job->train, j, 0, n, out + at++, wide);
    branches_free(&b);
    return status;
}

/* The columns of a branch, from column *at on; names are those of `outputs`. */
static ml_status branch_table(const mli_fit *job, ml_model *m, const mli_inputs *outputs,
                              ml_table *to, int64_t *at, ml_error *err)
{
    mli_inputs *made = NULL;
    ml_table *t = NULL;
    ml_status status = mli_model_outputs(m, &made, err);
    if (status) return status;
    mli_fit own = *job;
    own.model = m;
    own.params = m->params;
    status = mli_pipeline.train_table(&own, made, &t, err);
    for (int64_t j = 0; !status && j < t->n_columns; j++, ++*at) {
        mli_column c = t->columns[j];
        c.name = outputs->features[*at].name; /* the copy gets one of its own */
        status = mli_column_share(to->ctx, &c, &to->columns[*at], err);
    }
    ml_table_free(t);
    mli_inputs_free(made);
    return status;
}

static ml_status train_table(mli_fit *job, const mli_inputs *outputs, ml_table **out,
                             ml_error *err)
{
    branches b;
    ml_table *t = NULL;
    int64_t at = 0;
    ml_status status = load(job->model, 0, &b, err);
    if (status) return status;
    status = mli_table_alloc(job->ctx, job->train->rows, outputs->n_features, &t, err);
    for (int64_t i = 0; i < b.parts.n && !status; i++)
        status = branch_table(job, b.parts.model[i], outputs, t, &at, err);
    for (int64_t j = 0; j < job->train->n_features && !status; j++) {
        if (!b.rest[j]) continue;
        status = mli_design_show(job->train, j, outputs->features[at].name,
                                 &t->columns[at], err);
        at++;
    }
    if (!status) status = mli_table_seal(t, err);
    branches_free(&b);
    if (status)
        ml_table_free(t);
    else
        *out = t;
    return status;
}

static void describe(const ml_params *p, mli_descriptor *out)
{
    out->caps |= mli_parts_text(params, p);
}

extern const mli_algorithm mli_columns_algorithm;
const mli_algorithm mli_columns_algorithm = {
    .head = {MLI_LEARN_HEAD, .name = "columns", .aliases = "column_transformer",
             .title = "branches for different columns",
             .doc =
                 "Takes columns through different steps: each branch is a pipeline with "
                 "columns of its own, and what they make stands beside each other.",
             .caps = MLI_CAN_PREPARE | MLI_CAN_WEIGHTS, .params = params,
             .roles = mli_roles_prepare},
    .fit = fit,
    .plan = plan,
    .check = check,
    .part = mli_member_part,
    .outputs = outputs,
    .train_rows = train_rows,
    .train_table = train_table,
    .describe = describe,
};
