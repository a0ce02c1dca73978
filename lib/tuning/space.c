/* SPDX-License-Identifier: MIT
 *
 * space.c: search spaces: values to points of the unit cube and back.
 */
#include "tuning/space.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

void mli_space_free(mli_space *s)
{
    for (int64_t i = 0; s->dimensions && i < s->n; i++) {
        mli_param *part = s->dimensions[i].part;
        if (part) mli_free(s->ctx, (char *)(uintptr_t)part->name);
        mli_free(s->ctx, part);
    }
    mli_free(s->ctx, s->dimensions);
    for (int64_t i = 0; s->activity && i < s->n; i++)
        mli_free(s->ctx, s->activity[i].table);
    mli_free(s->ctx, s->activity);
    for (mli_param *p = s->params; p && p->name; p++) {
        mli_free(s->ctx, (char *)p->name);
        mli_free(s->ctx, (char *)p->tune);
        mli_free(s->ctx, (char *)p->active_if);
        mli_free(s->ctx, (char *)p->dflt);
    }
    mli_free(s->ctx, s->params);
    mli_free(s->ctx, s->own);
    mli_free(s->ctx, s->text);
    *s = (mli_space){.ctx = s->ctx};
}

ml_status mli_dimension_take(mli_space *s, mli_dimension *dim, const ml_params *base,
                             const mli_path *at, ml_error *err)
{
    int64_t whole = 0, k = 0;
    for (const mli_param *p = s->descriptor->params; p && p->name; p++) whole++;
    if (at->param != &at->copy) {
        dim->param = at->param;
        dim->place = at->param - s->descriptor->params;
        return ML_OK;
    }
    while (k < base->count && strcmp(base->values[k].name, at->name) != 0) k++;
    dim->place = whole + k;
    dim->part = mli_alloc(s->ctx, sizeof *dim->part);
    if (!dim->part) return mli_nomem(err);
    *dim->part = at->copy;
    dim->part->name = mli_strdup(s->ctx, at->name);
    dim->param = dim->part;
    return dim->part->name ? ML_OK : mli_nomem(err);
}

static ml_status add_dimension(mli_space *s, const ml_params *base, const mli_path *at,
                               ml_error *err)
{
    mli_dimension *d = &s->dimensions[s->n++];
    if (!mli_range_parse(at->param->tune, &d->range))
        return mli_fail(err, ML_E_INTERNAL, "tuning range of %s cannot be read",
                        at->param->name);
    return mli_dimension_take(s, d, base, at, err);
}

/* The only parameter of a part whose path ends in the name. */
static const char *path_to(const ml_params *base, const char *name)
{
    const char *found = NULL;
    size_t n = strlen(name);
    for (int64_t i = 0; i < base->count; i++) {
        const char *path = base->values[i].name;
        size_t size = strlen(path);
        if (size <= n || path[size - n - 1] != '.' || strcmp(path + size - n, name) != 0)
            continue;
        if (found) return NULL;
        found = path;
    }
    return found;
}

ml_status mli_space_unknown(const mli_descriptor *d, const ml_params *base,
                            const char *name, const char *option, ml_error *err)
{
    const char *names[256];
    int64_t n = 0;
    for (const mli_param *p = d->params; p && p->name && n < 256; p++)
        if (p->tune) names[n++] = p->name;
    mli_fail(err, ML_E_NAME, "%s has no parameter \"%s\" to tune", d->name, name);
    mli_error_at(err, ML_E_NAME, "params.%s", option);
    const char *near = path_to(base, name);
    if (!near) near = mli_nearest(name, names, n);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    return mli_error_hint(err, ML_E_NAME,
                          n ? "`libml algorithms %s` lists them"
                            : "those of the parts of %s have paths: model.learning_rate",
                          d->name);
}

static ml_status add_named(mli_space *s, const ml_params *base, const char *name,
                           ml_error *err)
{
    mli_path at;
    int found = mli_path_find(base, s->descriptor, name, &at, NULL) == ML_OK;
    const mli_param *p = found ? at.param : NULL;
    if (!p && strchr(name, '.')) {
        ml_status st = mli_path_find(base, s->descriptor, name, &at, err);
        return mli_error_at(err, st, "params.tune");
    }
    if (!p || (p->flags & MLI_FLAG_ROLE))
        return mli_space_unknown(s->descriptor, base, name, "tune", err);
    if (!p->tune) {
        mli_fail(err, ML_E_NAME, "parameter %s of %s has no tuning range", p->name,
                 at.d->name);
        return mli_error_at(err, ML_E_NAME, "params.tune");
    }
    for (int64_t i = 0; i < s->n; i++)
        if (strcmp(s->dimensions[i].param->name, p->name) == 0) return ML_OK;
    return add_dimension(s, base, &at, err);
}

void mli_space_sort(mli_space *s)
{
    for (int64_t i = 1; i < s->n; i++)
        for (int64_t k = i; k > 0 && s->dimensions[k - 1].place > s->dimensions[k].place;
             k--) {
            mli_dimension d = s->dimensions[k];
            s->dimensions[k] = s->dimensions[k - 1];
            s->dimensions[k - 1] = d;
        }
}

static ml_status add_open(mli_space *s, const ml_params *base, ml_error *err)
{
    for (int64_t i = 0; i < base->count; i++) {
        const mli_value *v = &base->values[i];
        mli_path at;
        if (v->given || mli_path_find(base, s->descriptor, v->name, &at, NULL)) continue;
        if (!at.param->tune || (at.param->flags & MLI_FLAG_ROLE)) continue;
        ml_status st = add_dimension(s, base, &at, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status mli_space_init(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                         const ml_params *base, const char *const *tune, int64_t n_tune,
                         ml_error *err)
{
    int64_t most = n_tune > base->count ? n_tune : base->count;
    *s = (mli_space){.ctx = ctx, .descriptor = d};
    s->dimensions = mli_calloc(ctx, (size_t)most + 1, sizeof *s->dimensions);
    if (!s->dimensions) return mli_nomem(err);
    ml_status st = ML_OK;
    for (int64_t i = 0; i < n_tune && st == ML_OK; i++)
        st = add_named(s, base, tune[i], err);
    if (n_tune == 0) st = add_open(s, base, err);
    mli_space_sort(s);
    if (st < 0) mli_space_free(s);
    return st;
}

static double at_range(const mli_range *r, double u)
{
    if (r->log) return exp(log(r->low) + u * (log(r->high) - log(r->low)));
    return r->low + u * (r->high - r->low);
}

/* Where each integer of a logarithmic range owns the stretch from v - 1/2 to v + 1/2. */
static double log_low(const mli_range *r)
{
    return log((double)r->ilow - 0.5 + 1e-9);
}

static double log_high(const mli_range *r)
{
    return log((double)r->ihigh + 0.5);
}

/* Values of a range with steps (of integers: 1 when none is given). */
static double steps_of(const mli_range *r, double step)
{
    return floor((r->high - r->low) / step + 1e-9) + 1;
}

static int64_t at_integers(const mli_range *r, double u)
{
    double step = r->step > 0 ? r->step : 1;
    int64_t v;
    if (r->log)
        v = (int64_t)floor(exp(log_low(r) + u * (log_high(r) - log_low(r))) + 0.5);
    else
        v = r->ilow + (int64_t)(step * floor(u * steps_of(r, step)));
    if (v < r->ilow) v = r->ilow;
    return v > r->ihigh ? r->ihigh : v;
}

int64_t mli_dimension_levels(const mli_dimension *d)
{
    const mli_range *r = &d->range;
    if (r->is_set) return r->count;
    double n = r->step > 0                      ? steps_of(r, r->step)
               : d->param->type == ML_PARAM_I64 ? (double)r->ihigh - (double)r->ilow + 1
                                                : 0;
    return n < 0x1p31 ? (int64_t)n : 0;
}

void mli_dimension_text(const mli_dimension *d, double u, mli_str *s)
{
    const mli_range *r = &d->range;
    u = !(u > 0) ? 0 : u > 1 ? 1 : u;
    if (r->is_set) {
        char item[MLI_SET_ITEM];
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
    if (r->step > 0) {
        double n = steps_of(r, r->step), k = floor(u * n);
        v = r->low + r->step * (k < n ? k : n - 1);
    }
    v = v > r->high ? r->high : v < r->low ? r->low : v;
    /* Six digits are enough to tune by, and pleasant to read; where the ends or steps are
     * close to each other, as many more as they have in common. */
    double top = fmax(fabs(r->low), fabs(r->high)),
           part = r->step > 0 ? r->step : r->high - r->low;
    if (v == r->low || v == r->high)
        mli_str_f64(s, v);
    else
        mli_str_short(s, v, 6 + (int)(top > part ? log10(top / part) : 0));
}

static double unit_of_set(const mli_range *r, const char *text)
{
    char item[MLI_SET_ITEM];
    double x, y;
    int number = mli_read_f64(text, &x);
    for (int64_t i = 0; i < r->count; i++) {
        mli_range_item(r, i, item, sizeof item);
        if (strcmp(item, text) == 0 || (number && mli_read_f64(item, &y) && x == y))
            return ((double)i + 0.5) / (double)r->count;
    }
    return NAN;
}

double mli_dimension_unit(const mli_dimension *d, const mli_value *v)
{
    const mli_range *r = &d->range;
    if (!v || !v->text) return NAN;
    if (r->is_set) return unit_of_set(r, v->text);
    double x = v->f64;
    double slack = fmin(1e-5 * (fabs(r->low) + fabs(r->high)), /* of six digits */
                        1e-4 * (r->high - r->low));
    if (!(x >= r->low - slack && x <= r->high + slack)) return NAN;
    x = x < r->low ? r->low : x > r->high ? r->high : x;
    int whole = d->param->type == ML_PARAM_I64;
    double u;
    if (r->log)
        u = whole ? (log(x) - log_low(r)) / (log_high(r) - log_low(r))
                  : (log(x) - log(r->low)) / (log(r->high) - log(r->low));
    else if (r->step > 0 || whole) {
        double step = r->step > 0 ? r->step : 1;
        u = (floor((x - r->low) / step + 0.5) + 0.5) / steps_of(r, step);
    } else {
        u = (x - r->low) / (r->high - r->low);
    }
    return !(u > 0) ? 0 : u > 1 ? 1 : u;
}

double mli_dimension_snap(const mli_dimension *d, double u)
{
    const mli_range *r = &d->range;
    int whole = d->param->type == ML_PARAM_I64;
    u = !(u > 0) ? 0 : u > 1 ? 1 : u;
    if (!r->is_set && !whole && !(r->step > 0)) return u;
    if (r->log && whole && !r->is_set) {
        double x = log((double)at_integers(r, u));
        return (x - log_low(r)) / (log_high(r) - log_low(r));
    }
    double step = r->step > 0 ? r->step : 1;
    double n = r->is_set ? (double)r->count : steps_of(r, step);
    double k = floor(u * n);
    return ((k < n ? k : n - 1) + 0.5) / n;
}

int64_t mli_dimension_points(const mli_dimension *d, int64_t points)
{
    int64_t n = mli_dimension_levels(d);
    return n > 0 && (n < points || d->range.is_set) ? n : points;
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

static ml_status put_value(const mli_space *s, ml_params *p, int64_t i, double u,
                           ml_error *err)
{
    const mli_dimension *d = &s->dimensions[i];
    mli_str text;
    mli_str_init(&text, s->ctx);
    mli_dimension_text(d, u, &text);
    ml_status st = text.failed ? mli_nomem(err) : ML_OK;
    if (st == ML_OK) {
        mli_value v = {.type = ML_PARAM_STR, .text = text.data, .given = 1};
        st = mli_params_put(p, s->descriptor, d->param->name, &v, err);
    }
    mli_str_free(&text);
    return st;
}

ml_status mli_space_at(const mli_space *s, const ml_params *base, const double *u,
                       ml_params **out, ml_error *err)
{
    ml_params *p = NULL;
    ml_status st = ml_params_clone(base, &p, err);
    if (st < 0) return st;
    double *seen = mli_calloc(s->ctx, (size_t)s->n + 1, sizeof *seen);
    if (!seen) st = mli_nomem(err);
    for (int64_t i = 0; i < s->n && st == ML_OK; i++) {
        seen[i] = mli_space_active(s, i, seen) ? u[i] : NAN;
        if (!isnan(seen[i]))
            st = put_value(s, p, i, u[i], err);
        else if (s->own)
            mli_params_remove(p, s->dimensions[i].param->name);
    }
    mli_free(s->ctx, seen);
    if (st < 0) {
        ml_params_free(p);
        return st;
    }
    *out = p;
    return ML_OK;
}

int mli_space_unit(const mli_space *s, const ml_params *p, double *u)
{
    int inside = 1;
    for (int64_t i = 0; i < s->n; i++) {
        const mli_dimension *d = &s->dimensions[i];
        const mli_value *v = mli_params_find(p, d->param->name);
        u[i] = NAN;
        if (!mli_space_active(s, i, u)) continue;
        u[i] = mli_dimension_unit(d, v);
        if (!isnan(u[i])) continue;
        inside = 0;
        u[i] = !v || d->range.is_set ? 0.5 : v->f64 < d->range.low ? 0 : 1;
        u[i] = mli_dimension_snap(d, u[i]);
    }
    return inside;
}
