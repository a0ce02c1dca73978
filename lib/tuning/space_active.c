/* SPDX-License-Identifier: MIT
 *
 * space_active.c: which dimensions of a point are active. Conditions are text over
 * values; where they name dimensions of few values their outcomes are put in a table at
 * the beginning, so that samplers can ask for thousands of points.
 */
#include "tuning/space.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

#define MOST_OUTCOMES 65536

/* Does the condition of a parameter speak of that one? It names those beside it. */
static int names(const mli_param *p, const mli_param *other)
{
    const char *condition = p->active_if, *name = other->name;
    const char *dot = strrchr(p->name, '.');
    size_t path = dot ? (size_t)(dot + 1 - p->name) : 0;
    if (strncmp(name, p->name, path) != 0) return 0;
    name += path;
    size_t n = strlen(name);
    for (const char *at = condition; (at = strstr(at, name)); at += n)
        if ((at == condition || at[-1] == ' ') && strchr(" =!<>", at[n])) return 1;
    return 0;
}

static int64_t level_of(const mli_dimension *d, double u, int64_t levels)
{
    const mli_range *r = &d->range;
    if (r->log && !r->is_set) { /* integers in stretches of unequal length */
        double low = log((double)r->ilow - 0.5 + 1e-9),
               high = log((double)r->ihigh + 0.5);
        u = (floor(exp(low + u * (high - low)) + 0.5) - (double)r->ilow + 0.5) /
            (double)levels;
    }
    int64_t k = (int64_t)floor(u * (double)levels);
    return k < 0 ? 0 : k < levels ? k : levels - 1;
}

static double unit_of(const mli_dimension *d, int64_t level, int64_t levels)
{
    const mli_range *r = &d->range;
    if (!r->log || r->is_set) return ((double)level + 0.5) / (double)levels;
    double low = log((double)r->ilow - 0.5 + 1e-9), high = log((double)r->ihigh + 0.5);
    return (log((double)(r->ilow + level)) - low) / (high - low);
}

/* The outcome of dimension i's own condition with its parents at given levels. */
static ml_status outcome(const mli_space *s, const mli_activity *a, int64_t i,
                         int64_t index, ml_params *p, ml_error *err)
{
    ml_status st = ML_OK;
    for (int64_t k = a->n_parents - 1, rest = index; k >= 0 && st == ML_OK; k--) {
        const mli_dimension *d = &s->dimensions[a->parents[k]];
        int64_t levels = mli_dimension_levels(d);
        mli_str text;
        mli_str_init(&text, s->ctx);
        mli_dimension_text(d, unit_of(d, rest % levels, levels), &text);
        rest /= levels;
        mli_value v = {.type = ML_PARAM_STR, .text = text.data, .given = 1};
        st = text.failed ? mli_nomem(err)
                         : mli_params_put(p, s->descriptor, d->param->name, &v, err);
        mli_str_free(&text);
    }
    if (st == ML_OK)
        a->table[index] = (unsigned char)mli_param_active(s->dimensions[i].param, p);
    return st;
}

static ml_status fill_table(mli_space *s, int64_t i, const ml_params *base, ml_error *err)
{
    mli_activity *a = &s->activity[i];
    int64_t size = 1;
    for (int64_t k = 0; k < a->n_parents; k++) {
        int64_t levels = mli_dimension_levels(&s->dimensions[a->parents[k]]);
        if (levels == 0 || size > MOST_OUTCOMES / levels) return ML_OK; /* by value */
        size *= levels;
    }
    ml_params *p = NULL;
    ml_status st = ml_params_clone(base, &p, err);
    if (st < 0) return st;
    a->table = mli_calloc(s->ctx, (size_t)size, 1);
    if (!a->table) st = mli_nomem(err);
    for (int64_t k = 0; k < size && st == ML_OK; k++) st = outcome(s, a, i, k, p, err);
    ml_params_free(p);
    if (st < 0 || !s->own || memchr(a->table, 1, (size_t)size)) return st;
    mli_fail(err, ML_E_PARSE, "the search space has a condition that never holds: \"%s\"",
             s->dimensions[i].param->active_if);
    mli_error_at(err, ML_E_PARSE, "params.space");
    return mli_error_hint(err, ML_E_PARSE, "compare with one of its values");
}

ml_status mli_space_compile(mli_space *s, const ml_params *base, ml_error *err)
{
    s->activity = mli_calloc(s->ctx, (size_t)s->n + 1, sizeof *s->activity);
    if (!s->activity) return mli_nomem(err);
    for (int64_t i = 0; i < s->n; i++) {
        mli_activity *a = &s->activity[i];
        const mli_param *p = s->dimensions[i].param;
        if (!p->active_if) continue;
        s->conditional = 1;
        a->conditional = 1;
        for (int64_t k = 0; k < i && a->n_parents < MLI_MOST_PARENTS; k++)
            if (names(p, s->dimensions[k].param)) a->parents[a->n_parents++] = (int32_t)k;
        ml_status st = fill_table(s, i, base, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

/* A condition on continuous parents: their values as text, as everywhere else. */
static int by_value(const mli_space *s, int64_t i, const double *u)
{
    ml_params *p = NULL;
    const mli_activity *a = &s->activity[i];
    if (ml_params_new(s->ctx, &p, NULL) < 0) return 1;
    for (int64_t k = 0; k < a->n_parents; k++) {
        const mli_dimension *d = &s->dimensions[a->parents[k]];
        mli_str text;
        mli_str_init(&text, s->ctx);
        mli_dimension_text(d, u[a->parents[k]], &text);
        ml_status st = ml_params_set_str(p, d->param->name, text.data, NULL);
        mli_str_free(&text);
        if (st < 0) break;
    }
    int active = mli_param_active(s->dimensions[i].param, p);
    ml_params_free(p);
    return active;
}

int mli_space_active(const mli_space *s, int64_t i, const double *u)
{
    const mli_activity *a = &s->activity[i];
    if (!a->conditional) return 1;
    int64_t index = 0;
    for (int64_t k = 0; k < a->n_parents; k++) {
        const mli_dimension *d = &s->dimensions[a->parents[k]];
        if (isnan(u[a->parents[k]])) return 0;
        int64_t levels = mli_dimension_levels(d);
        if (a->table) index = index * levels + level_of(d, u[a->parents[k]], levels);
    }
    return a->table ? a->table[index] : by_value(s, i, u);
}

void mli_space_mask(const mli_space *s, double *u)
{
    if (!s->conditional) return;
    for (int64_t i = 0; i < s->n; i++)
        if (!mli_space_active(s, i, u)) u[i] = NAN;
}

int mli_space_has_branches(const mli_space *s, int64_t i)
{
    for (int64_t k = i + 1; k < s->n; k++)
        for (int32_t j = 0; j < s->activity[k].n_parents; j++)
            if (s->activity[k].parents[j] == i) return 1;
    return 0;
}

int mli_space_together(const mli_space *s, int64_t i, int64_t k)
{
    const mli_activity *a = &s->activity[i], *b = &s->activity[k];
    const char *x = s->dimensions[i].param->active_if;
    const char *y = s->dimensions[k].param->active_if;
    if (!x || !y) return x == y;
    /* The same words may speak of different parts. */
    if (strcmp(x, y) != 0 || a->n_parents != b->n_parents) return 0;
    for (int32_t j = 0; j < a->n_parents; j++)
        if (a->parents[j] != b->parents[j]) return 0;
    return 1;
}
