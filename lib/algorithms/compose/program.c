/* SPDX-License-Identifier: MIT
 *
 * compose/program.c: the programs of program.h: their members, the check of each step,
 * and how a block of rows goes through the steps (program_run.c).
 */
#include "algorithms/compose/program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK       64
#define WORK_MAX    (1 << 28) /* for a row */
#define ALIGN(size) (((size_t)(size) + 63) & ~(size_t)63)

typedef struct {
    mli_plan plan;
    mli_parts members;
    mli_plan **plans;   /* [members.n] */
    mli_inputs *inputs; /* of the members so far of this shape */
    ml_model *model;    /* counted: whose constants and steps these are */
    const mli_step *steps;
    const double *constants;
    int64_t n_steps, n_constants, columns;
    int64_t widest;   /* of what a member predicts */
    int64_t features; /* of all inputs of members */
} program;

/* ---- checks ---- */

static int whole_below(const double *v, int64_t n, int64_t limit)
{
    for (int64_t j = 0; j < n; j++)
        if (!(v[j] >= 0 && v[j] < (double)limit)) return 0;
    return 1;
}

static int operand_fits(const program *g, const mli_operand *o, int64_t n)
{
    int64_t at = o->at < 0 ? -1 - (int64_t)o->at : o->at;
    if (o->n < 1 || at + o->n > (o->at < 0 ? g->n_constants : g->columns)) return 0;
    return o->spread == MLI_SPREAD_MOD ||
           (o->spread == MLI_SPREAD_DIV && n % o->n == 0) ||
           (o->spread == MLI_SPREAD_NONE);
}

/* Sizes, by the operator; the operands lie in bounds. */
static int step_fits(const program *g, const mli_step *s)
{
    const mli_operand *a = &s->of[0], *b = &s->of[1], *c = &s->of[2];
    switch (s->op) {
    case MLI_STEP_INPUT:
        return s->p >= 0 && (int64_t)s->p + s->n <= g->plan.n_features;
    case MLI_STEP_PICK:
        return b->at < 0 && b->n == s->n &&
               whole_below(g->constants + ~b->at, b->n, a->n);
    case MLI_STEP_FETCH:
        return b->n == s->n;
    case MLI_STEP_MAP:
        return b->at < 0 && c->at < 0 && c->n == (int64_t)b->n + 1 && a->n == s->n;
    case MLI_STEP_DOT:
        return b->at < 0 && b->n == (int64_t)a->n * s->n && s->p >= 0;
    case MLI_STEP_CUMSUM:
        return a->n == s->n;
    case MLI_STEP_TOP:
        return s->n <= a->n && (int64_t)s->n * a->n <= MLI_STEP_TOP_MAX;
    case MLI_STEP_PAIRS:
        return mli_step_pairs(s, NULL, NULL) == a->n;
    case MLI_STEP_MEMBER:
        return s->p >= 0 && s->p < g->members.n && a->at >= 0;
    default:
        if (s->op >= MLI_STEP_SUM)
            return s->p > 0 && s->q > 0 && s->n % s->q == 0 &&
                   a->n == (int64_t)s->n * s->p;
        for (int i = 0; i < mli_step_operands(s->op); i++)
            if (s->of[i].spread == MLI_SPREAD_NONE && s->of[i].n != s->n) return 0;
        return 1;
    }
}

/* Numbers that are looked at for a row; the step fits. */
static int64_t work_of(const mli_step *s)
{
    if (s->op == MLI_STEP_PAIRS) return 100 * (int64_t)s->n * s->n;
    int64_t each = s->op == MLI_STEP_MAP                              ? s->of[1].n
                   : s->op == MLI_STEP_DOT || s->op == MLI_STEP_TOP   ? s->of[0].n
                   : s->op >= MLI_STEP_SUM && s->op < MLI_STEP_MEMBER ? s->p
                                                                      : 1;
    return s->n * each;
}

static ml_status check_steps(program *g, ml_error *err)
{
    int64_t work = 0;
    for (int64_t i = 0; i < g->n_steps; i++) {
        const mli_step *s = &g->steps[i];
        int fits = s->op >= 0 && s->op < MLI_STEP_COUNT &&
                   s->op != MLI_STEP_ELEMENTWISE && s->n > 0 &&
                   s->n <= MLI_STEP_COLUMNS_MAX;
        for (int k = 0; fits && k < mli_step_operands(s->op); k++)
            fits = operand_fits(g, &s->of[k], s->n);
        fits = fits && step_fits(g, s);
        g->columns += fits ? s->n : 0;
        work += fits ? work_of(s) : 0;
        if (fits && g->columns <= MLI_STEP_COLUMNS_MAX && work <= WORK_MAX) continue;
        return mli_fail(err, ML_E_FORMAT, "step %lld of the program does not fit",
                        (long long)i);
    }
    if (g->n_steps > 0 && g->steps[g->n_steps - 1].n == g->plan.n_outputs) return ML_OK;
    return mli_fail(err, ML_E_FORMAT, "the program does not predict what it should");
}

/* ---- members ---- */

/* Its features, and the numbers that it predicts, as targets. */
static ml_status member_inputs(ml_context *ctx, int64_t features, int64_t outputs,
                               mli_inputs **out, ml_error *err)
{
    char name[24];
    ml_status s = mli_inputs_new(ctx, features, out, err);
    if (s) return s;
    mli_inputs *in = *out;
    in->task = MLI_TASK_REGRESSION;
    in->target_type = ML_DTYPE_F64;
    in->target = mli_strdup(ctx, "0");
    int ok = in->target != NULL;
    for (int64_t j = 0; j < features && ok; j++) {
        snprintf(name, sizeof name, "%lld", (long long)j);
        in->features[j].kind = MLI_NUMERIC;
        in->features[j].type = ML_DTYPE_F64;
        ok = (in->features[j].name = mli_strdup(ctx, name)) != NULL;
    }
    if (outputs > 1) in->targets = mli_calloc(ctx, (size_t)outputs, sizeof *in->targets);
    ok = ok && (outputs == 1 || in->targets);
    for (int64_t k = 0; ok && outputs > 1 && k < outputs; k++, in->n_targets++) {
        snprintf(name, sizeof name, "%lld", (long long)k);
        ok = (in->targets[k] = mli_strdup(ctx, name)) != NULL;
        if (!ok) break;
    }
    return ok ? ML_OK : mli_nomem(err);
}

/* Members side by side have the same, which they share. */
static ml_status share_inputs(program *g, const mli_step *step, ml_error *err)
{
    int64_t features = step->of[0].n, targets = step->n > 1 ? step->n : 0;
    if (g->inputs && g->inputs->n_features == features && g->inputs->n_targets == targets)
        return ML_OK;
    if (step->n < 1 || step->n > MLI_STEP_COLUMNS_MAX || features < 1 ||
        features > MLI_STEP_COLUMNS_MAX ||
        (g->features += features + targets) > MLI_STEP_FEATURES_MAX)
        return mli_fail(err, ML_E_FORMAT, "a member does not fit the program");
    mli_inputs_free(g->inputs);
    g->inputs = NULL;
    return member_inputs(g->plan.ctx, features, step->n, &g->inputs, err);
}

/* As many as steps ask for. */
static ml_status count_members(program *g, ml_error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n_steps; i++) {
        int64_t after = (int64_t)g->steps[i].p + 1;
        if (g->steps[i].op == MLI_STEP_MEMBER && after > n) n = after;
    }
    if (n > g->n_steps) return mli_fail(err, ML_E_FORMAT, "the program lacks a member");
    g->members.ctx = g->plan.ctx;
    g->members.part = mli_calloc(g->plan.ctx, (size_t)n + 1, sizeof(mli_param_part));
    g->members.model = mli_calloc(g->plan.ctx, (size_t)n + 1, sizeof(ml_model *));
    if (!g->members.part || !g->members.model) return mli_nomem(err);
    g->members.n = n;
    return ML_OK;
}

static ml_status load_member(program *g, const mli_param_part *base,
                             const ml_params *params, const mli_step *step, int checking,
                             ml_error *err)
{
    mli_param_part *part = &g->members.part[step->p];
    ml_model **m = &g->members.model[step->p];
    *part = *base;
    snprintf(part->name, sizeof part->name, "%.40s%d", base->name, (int)step->p);
    ml_status s = share_inputs(g, step, err);
    if (!s)
        s = mli_model_new(g->plan.ctx, mli_part_algorithm(base), params, g->inputs, m,
                          err);
    if (!s) s = mli_part_tensors(g->model, part->name, *m, err);
    if (!s) s = mli_model_seal(*m, err);
    if (!s && checking) s = mli_part_check(*m, err);
    return s;
}

static ml_status load_members(program *g, const mli_param *list, int checking,
                              ml_error *err)
{
    mli_parts base = {0};
    ml_params *params = NULL;
    ml_status s = count_members(g, err);
    if (s || g->members.n == 0) return s;
    s = mli_parts_new(g->plan.ctx, list, g->model->params, &base, err);
    /* None has members of its own: programs do not lie within each other. */
    if (!s && (base.n != 1 || mli_part_algorithm(base.part)->part))
        s = mli_fail(err, ML_E_FORMAT, "the members of a program are not of one kind");
    if (!s) s = mli_params_part(g->model->params, base.part->name, &params, err);
    for (int64_t i = 0; i < g->n_steps && !s; i++) {
        const mli_step *step = &g->steps[i];
        if (step->op != MLI_STEP_MEMBER || step->p < 0 || g->members.model[step->p])
            continue;
        s = load_member(g, base.part, params, step, checking, err);
    }
    for (int64_t i = 0; i < g->members.n && !s; i++)
        if (!g->members.model[i])
            s = mli_fail(err, ML_E_FORMAT, "the program lacks a member");
    ml_params_free(params);
    mli_parts_free(&base);
    return s;
}

static ml_status plan_members(program *g, ml_error *err)
{
    size_t scratch = 0;
    g->plans = mli_calloc(g->plan.ctx, (size_t)g->members.n + 1, sizeof(mli_plan *));
    if (!g->plans) return mli_nomem(err);
    for (int64_t i = 0; i < g->n_steps; i++) {
        const mli_step *step = &g->steps[i];
        if (step->op != MLI_STEP_MEMBER) continue;
        mli_plan **p = &g->plans[step->p];
        ml_status s =
            *p ? ML_OK : mli_plan_new(g->members.model[step->p], "value", NULL, p, err);
        if (s) return s;
        if ((*p)->n_features != step->of[0].n || (*p)->n_outputs != step->n)
            return mli_fail(err, ML_E_FORMAT, "a member does not fit the program");
        if ((*p)->scratch > scratch) scratch = (*p)->scratch;
        if (step->n > g->widest) g->widest = step->n;
    }
    g->plan.scratch = ALIGN(BLOCK * g->columns * (int64_t)sizeof(double)) +
                      ALIGN(BLOCK * g->widest * (int64_t)sizeof(double)) + ALIGN(scratch);
    return ML_OK;
}

/* ---- running ---- */

static void run_member(const program *g, const mli_step *s, double *rows, int64_t n,
                       int64_t at, char *scratch)
{
    const mli_plan *p = g->plans[s->p];
    double *one = (double *)(void *)scratch;
    p->run(p, rows + s->of[0].at, n, g->columns, one,
           scratch + ALIGN(BLOCK * g->widest * (int64_t)sizeof(double)));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < s->n; k++) {
            double v = one[i * s->n + k];
            rows[i * g->columns + at + k] = s->round ? (double)(float)v : v;
        }
}

static void run_block(const mli_plan *plan, const double *in, int64_t n, int64_t stride,
                      double *out, char *scratch)
{
    const program *g = (const program *)plan;
    double *rows = (double *)(void *)scratch;
    int64_t at = 0, last = g->columns - g->plan.n_outputs;
    scratch += ALIGN(BLOCK * g->columns * (int64_t)sizeof(double));
    for (int64_t t = 0; t < g->n_steps; at += g->steps[t++].n) {
        const mli_step *s = &g->steps[t];
        if (s->op == MLI_STEP_MEMBER) {
            run_member(g, s, rows, n, at, scratch);
            continue;
        }
        mli_step_rows(s, g->constants, in, n, stride, rows, g->columns, at);
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * g->plan.n_outputs, rows + i * g->columns + last,
               (size_t)g->plan.n_outputs * sizeof *out);
}

static void run(const mli_plan *plan, const double *rows, int64_t n, int64_t stride,
                double *out, void *scratch)
{
    mli_run_blocks(plan, run_block, BLOCK, rows, n, stride, out, scratch);
}

/* ---- the plan ---- */

static void program_free(mli_plan *plan)
{
    program *g = (program *)plan;
    mli_plans_free(plan->ctx, g->plans, g->members.n);
    mli_parts_free(&g->members);
    mli_inputs_free(g->inputs);
    ml_model_free(g->model);
    mli_free(plan->ctx, g);
}

static ml_status load(program *g, const mli_param *list, int checking, ml_error *err)
{
    const mli_inputs *in = g->model->inputs;
    int64_t shape[2] = {-1, MLI_STEP_WORDS}, n = -1;
    const void *steps = NULL;
    ml_status s =
        mli_model_want(g->model, "program", ML_DTYPE_I32, 2, shape, &steps, err);
    if (!s)
        s = mli_model_want(g->model, "constants", ML_DTYPE_F64, 1, &n, &g->constants,
                           err);
    if (s) return s;
    g->steps = steps;
    g->n_steps = shape[0];
    g->n_constants = n;
    g->plan.n_features = in->n_features;
    g->plan.n_outputs = in->classes.n ? in->classes.n : in->n_targets ? in->n_targets : 1;
    s = load_members(g, list, checking, err);
    return s ? s : check_steps(g, err);
}

static ml_status program_new(const ml_model *m, const mli_param *list, int checking,
                             program **out, ml_error *err)
{
    program *g = mli_calloc(m->ctx, 1, sizeof *g);
    if (!g) return mli_nomem(err);
    g->plan.ctx = m->ctx;
    g->plan.run = run;
    g->plan.free = program_free;
    g->plan.block = BLOCK;
    g->model = ml_model_ref((ml_model *)(uintptr_t)m);
    ml_status s = load(g, list, checking, err);
    if (s)
        program_free(&g->plan);
    else
        *out = g;
    return s;
}

ml_status mli_program_plan(const ml_model *m, const mli_param *list, mli_plan **out,
                           ml_error *err)
{
    program *g = NULL;
    ml_status s = program_new(m, list, 0, &g, err);
    if (!s) s = plan_members(g, err);
    if (!s)
        *out = &g->plan;
    else if (g)
        program_free(&g->plan);
    return s;
}

ml_status mli_program_check(const ml_model *m, const mli_param *list, ml_error *err)
{
    program *g = NULL;
    ml_status s = program_new(m, list, 1, &g, err);
    if (!s) program_free(&g->plan);
    return s;
}

ml_status mli_program_part(const ml_model *m, const mli_param *list, const char *name,
                           ml_model **out, ml_error *err)
{
    program *g = NULL;
    ml_status s = program_new(m, list, 0, &g, err);
    if (s) return s;
    s = mli_parts_find(&g->members, name, out);
    program_free(&g->plan);
    return s;
}
