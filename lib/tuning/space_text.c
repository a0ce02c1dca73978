/* SPDX-License-Identifier: MIT
 *
 * space_text.c: search spaces written as text, one dimension a line (or between ';'):
 *
 *     learning_rate: log [1e-4, 1]
 *     layers: [1, 5]
 *     optimizer: {sgd, adam}
 *     momentum: [0, 0.99] if optimizer == sgd
 *
 * A range is of integers when both its ends and its step are written as integers, a set
 * when all its values are. With an algorithm the names and types are those of its
 * parameters, and the ranges replace its tuning ranges.
 */
#include "tuning/space.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

typedef struct part {
    const char *begin, *end;
} part;

static part trimmed(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t' || *begin == '\r')) begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) end--;
    return (part){begin, end};
}

/* The first " if " within a part, or its end. */
static const char *find_if(part p)
{
    for (const char *at = p.begin; at + 4 <= p.end; at++)
        if (memcmp(at, " if ", 4) == 0) return at;
    return p.end;
}

static ml_status malformed(const char *line, const char *problem, const char *remedy,
                           ml_error *err)
{
    mli_fail(err, ML_E_PARSE, "the search space has %s: \"%s\"", problem, line);
    mli_error_at(err, ML_E_PARSE, "params.space");
    return mli_error_hint(err, ML_E_PARSE, "%s", remedy);
}

static int32_t type_of_item(const char *text)
{
    double real;
    int64_t whole;
    if (mli_read_i64(text, &whole)) return ML_PARAM_I64;
    if (mli_read_f64(text, &real) && isfinite(real)) return ML_PARAM_F64;
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? ML_PARAM_BOOL
                                                                   : ML_PARAM_STR;
}

static int is_number(int32_t type)
{
    return type == ML_PARAM_I64 || type == ML_PARAM_F64;
}

/* Of a set: what all its values are; -1 where one is so long that it would be cut. */
static int32_t type_of(const mli_range *r, const char *text)
{
    int32_t type = ML_PARAM_I64;
    char item[MLI_SET_ITEM];
    for (int64_t i = 0; i < r->count; i++) {
        mli_range_item(r, i, item, sizeof item);
        if (strlen(item) == sizeof item - 1) return -1;
        int32_t one = type_of_item(item);
        if (i == 0) type = one;
        if (one == type) continue;
        type = is_number(one) && is_number(type) ? ML_PARAM_F64 : ML_PARAM_STR;
    }
    if (r->is_set) return type;
    const char *step = strstr(text, "step");
    size_t ends = step ? (size_t)(step - text) : strlen(text);
    int real = strcspn(text, ".eE") < ends || r->step != floor(r->step);
    return real ? ML_PARAM_F64 : ML_PARAM_I64;
}

static ml_status known_range(const mli_descriptor *d, const mli_param *p,
                             const mli_range *r, const char *line, ml_error *err)
{
    mli_range legal;
    if (p->type != ML_PARAM_I64 && p->type != ML_PARAM_F64 && !r->is_set)
        return malformed(line, "a range of numbers for a parameter that has none",
                         "give a set of values: {a, b}", err);
    if (!p->range || !mli_range_parse(p->range, &legal) || r->is_set) return ML_OK;
    if (legal.is_set || (r->low >= legal.low && r->high <= legal.high &&
                         !(legal.open_low && r->low == legal.low) &&
                         !(legal.open_high && r->high == legal.high)))
        return ML_OK;
    mli_fail(err, ML_E_RANGE, "the search space of %s of %s leaves its legal range %s",
             p->name, d->name, p->range);
    return mli_error_at(err, ML_E_RANGE, "params.space");
}

static const char ranges[] = "write [1, 9], log [1e-3, 1], [0, 1] step 0.25 or {a, b}";

static ml_status fill_param(mli_space *s, mli_param *q, part name, part range,
                            part condition, const char *line, ml_error *err)
{
    mli_range r;
    q->name = mli_strndup(s->ctx, name.begin, (size_t)(name.end - name.begin));
    q->tune = mli_strndup(s->ctx, range.begin, (size_t)(range.end - range.begin));
    if (!q->name || !q->tune) return mli_nomem(err);
    if (condition.begin < condition.end) {
        q->active_if = mli_strndup(s->ctx, condition.begin,
                                   (size_t)(condition.end - condition.begin));
        if (!q->active_if) return mli_nomem(err);
    }
    if (!mli_range_parse(q->tune, &r) || r.open_low || r.open_high ||
        !isfinite(r.high - r.low))
        return malformed(line, "a range that cannot be read", ranges, err);
    if (r.log && r.step > 0)
        return malformed(line, "a logarithm with steps", ranges, err);
    q->type = type_of(&r, q->tune);
    if (q->type < 0)
        return malformed(line, "a value of more than 126 bytes", "shorten it", err);
    if (q->type == ML_PARAM_I64 && !(fmax(-r.low, r.high) < 0x1p53))
        return malformed(line, "integers beyond 2^53", "write [0.0, 1e18]", err);
    q->doc = "";
    q->since = "";
    return ML_OK;
}

/* It may name parameters of the lines above only. */
static ml_status check_condition(const mli_space *s, mli_param *q, const char *line,
                                 ml_error *err)
{
    const mli_descriptor so_far = {.name = "study.space", .params = s->params};
    const char *own = q->name;
    int readable = mli_condition_valid(&so_far, q->active_if);
    q->name = NULL; /* ends the list */
    int above = mli_condition_valid(&so_far, q->active_if);
    q->name = own;
    if (above) return ML_OK;
    return malformed(line,
                     readable ? "a condition of a parameter on itself"
                              : "a condition that cannot be read",
                     "write \"name == value\" or \"name in {a, b}\", of a parameter "
                     "above it",
                     err);
}

/* One line: the next dimension. */
static ml_status add_line(mli_space *s, const char *line, ml_error *err)
{
    const char *colon = strchr(line, ':'), *end = line + strlen(line);
    part name = trimmed(line, colon ? colon : line);
    if (name.begin == name.end)
        return malformed(line, "a line without a name", "write \"name: range\"", err);
    part rest = trimmed(colon + 1, end);
    const char *cut = find_if(rest);
    part condition = trimmed(cut < rest.end ? cut + 4 : cut, rest.end);
    mli_param *q = &s->params[s->n];
    ml_status st = fill_param(s, q, name, trimmed(rest.begin, cut), condition, line, err);
    if (st < 0) return st;
    for (int64_t i = 0; i < s->n; i++)
        if (strcmp(s->dimensions[i].param->name, q->name) == 0)
            return malformed(line, "a name twice", "give each parameter one line", err);
    if (q->active_if && (st = check_condition(s, q, line, err)) < 0) return st;
    mli_dimension *d = &s->dimensions[s->n++];
    d->param = q;
    mli_range_parse(q->tune, &d->range);
    if (d->range.is_set || d->range.low < d->range.high) return ML_OK;
    d->range.log = 0; /* one value */
    d->range.step = 1;
    return ML_OK;
}

static ml_status add_lines(mli_space *s, ml_error *err)
{
    ml_status st = ML_OK;
    for (char *at = s->text; at && st == ML_OK;) {
        char *next = strpbrk(at, "\n;");
        if (next) *next++ = 0;
        part p = trimmed(at, at + strlen(at));
        if (p.begin < p.end && *p.begin != '#') st = add_line(s, p.begin, err);
        at = next;
    }
    if (st == ML_OK && s->n == 0)
        return malformed("", "no parameter", "write lines \"name: range\"", err);
    return st;
}

/* The dimensions are those of an algorithm: its parameters instead of ours. */
static ml_status use_descriptor(mli_space *s, const mli_descriptor *d,
                                const ml_params *base, ml_error *err)
{
    s->descriptor = d;
    for (int64_t i = 0; i < s->n; i++) {
        mli_dimension *dim = &s->dimensions[i];
        const char *name = dim->param->name;
        mli_path at;
        ml_status st = mli_path_find(base, d, name, &at, strchr(name, '.') ? err : NULL);
        if (st < 0 && strchr(name, '.')) return mli_error_at(err, st, "params.space");
        if (st < 0 || (at.param->flags & MLI_FLAG_ROLE))
            return mli_space_unknown(d, base, name, "space", err);
        if (dim->param->active_if)
            return malformed(dim->param->active_if, "a condition on an algorithm's own",
                             "leave the condition out", err);
        st = known_range(at.d, at.param, &dim->range, dim->param->tune, err);
        if (st == ML_OK) st = mli_dimension_take(s, dim, base, &at, err);
        if (st < 0) return st;
    }
    return ML_OK;
}

ml_status mli_space_parse(mli_space *s, ml_context *ctx, const mli_descriptor *d,
                          const ml_params *base, const char *text, ml_error *err)
{
    size_t most = 2;
    for (const char *p = text; *p; p++) most += *p == '\n' || *p == ';';
    *s = (mli_space){.ctx = ctx};
    s->text = mli_strdup(ctx, text);
    s->params = mli_calloc(ctx, most, sizeof *s->params);
    s->dimensions = mli_calloc(ctx, most, sizeof *s->dimensions);
    if (!d) s->own = mli_calloc(ctx, 1, sizeof *s->own);
    ml_status st = s->text && s->params && s->dimensions && (d || s->own)
                       ? add_lines(s, err)
                       : mli_nomem(err);
    if (st == ML_OK && d) st = use_descriptor(s, d, base, err);
    if (st == ML_OK && d) mli_space_sort(s);
    if (st == ML_OK && !d) {
        *s->own = (mli_descriptor){.name = "study.space", .params = s->params};
        s->descriptor = s->own;
    }
    if (st < 0) mli_space_free(s);
    return st;
}
