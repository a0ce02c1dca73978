/* SPDX-License-Identifier: MIT
 *
 * space.c: search spaces. A point is a vector in the unit cube, one coordinate per tuned
 * parameter, so that samplers know nothing of types, logarithms and sets.
 */
#include "tuning/space.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

void mli_space_free(mli_space *s)
{
    mli_free(s->ctx, s->dimensions);
    s->dimensions = NULL;
    s->n = 0;
}

static ml_status add_dimension(mli_space *s, const mli_param *p, ml_error *err)
{
    mli_dimension *d = &s->dimensions[s->n];
    d->param = p;
    if (!mli_range_parse(p->tune, &d->range))
        return mli_fail(err, ML_E_INTERNAL, "tuning range of %s cannot be read", p->name);
    s->n++;
    return ML_OK;
}

static ml_status add_named(mli_space *s, const char *name, ml_error *err)
{
    const mli_param *p = mli_param_find(s->descriptor, name);
    if (!p || (p->flags & MLI_FLAG_ROLE)) {
        const char *names[256];
        int64_t n = 0;
        for (p = s->descriptor->params; p && p->name && n < 256; p++)
            if (p->tune) names[n++] = p->name;
        mli_fail(err, ML_E_NAME, "%s has no parameter \"%s\" to tune",
                 s->descriptor->name, name);
        mli_error_at(err, ML_E_NAME, "params.tune");
        const char *near = mli_nearest(name, names, n);
        if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
        return mli_error_hint(err, ML_E_NAME, "`libml algorithms %s` lists them",
                              s->descriptor->name);
    }
    if (!p->tune) {
        mli_fail(err, ML_E_NAME, "parameter %s of %s has no tuning range", p->name,
                 s->descriptor->name);
        return mli_error_at(err, ML_E_NAME, "params.tune");
    }
    for (int64_t i = 0; i < s->n; i++)
        if (s->dimensions[i].param == p) return ML_OK;
    return add_dimension(s, p, err);
}

static ml_status add_open(mli_space *s, const ml_params *base, ml_error *err)
{
    for (const mli_param *p = s->descriptor->params; p && p->name; p++) {
        const mli_value *v = mli_params_find(base, p->name);
        if (!p->tune || (v && v->given)) continue;
        ml_status st = add_dimension(s, p, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status mli_space_init(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                         const ml_params *base, const char *const *tune, int64_t n_tune,
                         ml_error *err)
{
    int64_t most = 0;
    for (const mli_param *p = d->params; p && p->name; p++) most++;
    *s = (mli_space){.ctx = ctx, .descriptor = d};
    s->dimensions = mli_calloc(ctx, (size_t)most + 1, sizeof *s->dimensions);
    if (!s->dimensions) return mli_nomem(err);
    ml_status st = ML_OK;
    for (int64_t i = 0; i < n_tune && st == ML_OK; i++) st = add_named(s, tune[i], err);
    if (n_tune == 0) st = add_open(s, base, err);
    if (st < 0) mli_space_free(s);
    return st;
}

static double at_range(const mli_range *r, double u)
{
    if (r->log) return exp(log(r->low) + u * (log(r->high) - log(r->low)));
    return r->low + u * (r->high - r->low);
}

static int64_t at_integers(const mli_range *r, double u)
{
    double step = r->step > 0 ? r->step : 1;
    int64_t v;
    if (r->log) /* each integer owns the stretch from v - 1/2 to v + 1/2 */
        v = (int64_t)floor(exp(log(r->low - 0.5 + 1e-9) +
                               u * (log(r->high + 0.5) - log(r->low - 0.5 + 1e-9))) +
                           0.5);
    else
        v = r->ilow + (int64_t)(step * floor(u * (floor((r->high - r->low) / step) + 1)));
    if (v < r->ilow) v = r->ilow;
    return v > r->ihigh ? r->ihigh : v;
}

void mli_dimension_text(const mli_dimension *d, double u, mli_str *s)
{
    const mli_range *r = &d->range;
    if (r->is_set) {
        char item[128];
        int64_t i = (int64_t)(u * (double)r->count);
        mli_range_item(r, i < r->count ? i : r->count - 1, item, sizeof item);
        mli_str_add(s, item);
        return;
    }
    if (d->param->type == ML_PARAM_I64) {
        mli_str_i64(s, at_integers(r, u));
        return;
    }
    double v = at_range(r, u);
    if (r->step > 0) v = r->low + r->step * floor((v - r->low) / r->step + 0.5);
    v = v > r->high ? r->high : v < r->low ? r->low : v;
    /* Six digits are enough to tune by, and pleasant to read. */
    mli_str_short(s, v, 6);
}

int64_t mli_dimension_points(const mli_dimension *d, int64_t points)
{
    const mli_range *r = &d->range;
    if (r->is_set) return r->count;
    if (r->step > 0) {
        int64_t n = (int64_t)floor((r->high - r->low) / r->step + 1e-9) + 1;
        return n < points ? n : points;
    }
    if (d->param->type == ML_PARAM_I64 && r->ihigh - r->ilow + 1 < points)
        return r->ihigh - r->ilow + 1;
    return points;
}

int64_t mli_space_grid(const mli_space *s, int64_t points)
{
    int64_t total = 1;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t n = mli_dimension_points(&s->dimensions[i], points);
        if (total > INT64_MAX / n) return INT64_MAX;
        total *= n;
    }
    return total;
}

ml_status mli_space_at(const mli_space *s, const ml_params *base, const double *u,
                       ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    mli_str text;
    ml_status st = ml_params_clone(base, &p, err);
    if (st < 0) return st;
    mli_str_init(&text, s->ctx);
    for (int64_t i = 0; i < s->n && st == ML_OK; i++) {
        const mli_dimension *d = &s->dimensions[i];
        if (!mli_param_active(d->param, p)) continue;
        mli_str_clear(&text);
        mli_dimension_text(d, u[i], &text);
        if (text.failed) {
            st = mli_nomem(err);
            break;
        }
        mli_value v = {.type = ML_PARAM_STR, .text = text.data, .given = 1};
        st = mli_params_put(p, s->descriptor, d->param->name, &v, err);
    }
    mli_str_free(&text);
    if (st < 0) {
        ml_params_free(p);
        return st;
    }
    *out = p;
    return ML_OK;
}

int mli_sample_random(const mli_space *s, uint64_t seed, int64_t trial, double *u)
{
    mli_rng rng;
    mli_rng_init(&rng, seed, (uint64_t)trial, 0x73747564 /* "stud" */);
    for (int64_t i = 0; i < s->n; i++) u[i] = mli_rng_f64(&rng);
    return 1;
}

int mli_sample_grid(const mli_space *s, int64_t points, int64_t trial, double *u)
{
    if (trial >= mli_space_grid(s, points)) return 0;
    int64_t rest = trial;
    for (int64_t i = s->n - 1; i >= 0; i--) { /* the last parameter varies fastest */
        const mli_dimension *d = &s->dimensions[i];
        int64_t n = mli_dimension_points(d, points), k = rest % n;
        rest /= n;
        /* Ranges include both ends; sets and steps take the middle of their stretch. */
        int continuous = !d->range.is_set && d->range.step <= 0 && n == points && n > 1 &&
                         d->param->type != ML_PARAM_I64;
        u[i] = continuous ? (double)k / (double)(n - 1) : ((double)k + 0.5) / (double)n;
        if (!d->range.is_set && d->param->type == ML_PARAM_I64 && n > 1)
            u[i] = k == n - 1 ? 1 - 1e-12 : (double)k / (double)(n - 1);
    }
    return 1;
}
