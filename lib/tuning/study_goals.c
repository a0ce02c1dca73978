/* SPDX-License-Identifier: MIT
 *
 * study_goals.c: what a study optimises and what it must keep to, read from the options:
 *
 *     metric: log_loss                     the score
 *     objectives: [seconds, maximize recall]
 *     constraints: ["seconds <= 2", "recall >= 0.5"]
 *
 * Names are metrics, `seconds` (fitting, per fold), `bytes` (of the model's tensors), or
 * in a study whose trials the host scores anything that it reports by name.
 */
#include "tuning/study.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

static ml_status malformed(const char *option, const char *text, const char *remedy,
                           ml_error *err)
{
    mli_fail(err, ML_E_PARSE, "\"%s\" cannot be read", text);
    mli_error_at(err, ML_E_PARSE, "params.%s", option);
    return mli_error_hint(err, ML_E_PARSE, "%s", remedy);
}

static const char *skip(const char *text)
{
    while (*text == ' ') text++;
    return text;
}

/* Finds what the name means: a metric, a measure of the study's own, or the host's. */
static ml_status resolve(ml_study *s, mli_goal *g, const char *option, ml_error *err)
{
    g->measure = strcmp(g->name, "seconds") == 0 ? MLI_MEASURE_SECONDS
                 : strcmp(g->name, "bytes") == 0 ? MLI_MEASURE_BYTES
                                                 : 0;
    if (g->measure) return ML_OK;
    ml_status st = mli_metric_find(g->name, &g->metric, s->train ? err : NULL);
    if (!s->train) return ML_OK;
    if (st == ML_OK) st = mli_metric_fits(g->metric, s->whole->inputs, err);
    return st < 0 ? mli_error_at(err, st, "params.%s", option) : ML_OK;
}

static int same_goal(const mli_goal *x, const mli_goal *y)
{
    return x->metric || y->metric ? x->metric == y->metric : !strcmp(x->name, y->name);
}

static ml_status add_objective(ml_study *s, const char *text, ml_error *err)
{
    const char *name = skip(text);
    int up = strncmp(name, "maximize ", 9) == 0,
        down = strncmp(name, "minimize ", 9) == 0;
    if (s->n_objectives == MLI_MOST_OBJECTIVES)
        return malformed("objectives", text, "a study has at most 8 objectives", err);
    mli_goal *g = &s->goals[s->n_objectives];
    *g = (mli_goal){.name = skip(name + (up || down ? 9 : 0))};
    if (!*g->name || strchr(g->name, ' '))
        return malformed("objectives", text, "write \"maximize recall\", for example",
                         err);
    ml_status st = resolve(s, g, "objectives", err);
    for (int32_t i = 0; i < s->n_objectives && st == ML_OK; i++) {
        if (!same_goal(&s->goals[i], g)) continue;
        mli_fail(err, ML_E_ARGUMENT, "the objective %s is there twice", g->name);
        mli_error_at(err, ML_E_ARGUMENT, "params.objectives");
        return mli_error_hint(err, ML_E_ARGUMENT,
                              i ? "leave one out" : "leave it out: it is the score");
    }
    g->maximize = up || (!down && g->metric && g->metric->maximize);
    s->n_goals = ++s->n_objectives;
    return st;
}

static ml_status add_constraint(ml_study *s, const char *text, ml_error *err)
{
    if (s->n_goals - s->n_objectives == MLI_MOST_CONSTRAINTS)
        return malformed("constraints", text, "a study has at most 16 constraints", err);
    const char *name = skip(text), *at = name + strcspn(name, " <>=");
    mli_goal *g = &s->goals[s->n_goals];
    *g = (mli_goal){.bounded = 1};
    size_t n = (size_t)(at - name);
    if (n == 0 || n >= sizeof g->text)
        return malformed("constraints", text, "write \"seconds <= 2\", for example", err);
    memcpy(g->text, name, n);
    g->name = g->text;
    at = skip(at);
    g->maximize = strncmp(at, ">=", 2) == 0;
    if ((!g->maximize && strncmp(at, "<=", 2) != 0) ||
        !mli_read_f64(skip(at + 2), &g->bound) || !isfinite(g->bound))
        return malformed("constraints", text, "write \"seconds <= 2\", for example", err);
    s->n_goals++;
    return resolve(s, g, "constraints", err);
}

static void set_score(ml_study *s)
{
    const char *direction = mli_get_str(s->options, "direction");
    mli_goal *first = &s->goals[0];
    *first = (mli_goal){.metric = s->metric, .name = "score"};
    if (s->metric) first->name = s->metric->head.name + sizeof "metric." - 1;
    if (strcmp(direction, "auto") == 0)
        first->maximize = s->metric ? s->metric->maximize : 0;
    else
        first->maximize = strcmp(direction, "maximize") == 0;
    s->maximize = first->maximize;
    s->n_objectives = s->n_goals = 1;
}

ml_status mli_study_goals(ml_study *s, ml_error *err)
{
    const char *const *texts = NULL;
    ml_status st = ML_OK;
    set_score(s);
    int64_t n = mli_get_strs(s->options, "objectives", &texts);
    for (int64_t i = 0; i < n && st == ML_OK; i++) st = add_objective(s, texts[i], err);
    n = mli_get_strs(s->options, "constraints", &texts);
    for (int64_t i = 0; i < n && st == ML_OK; i++) st = add_constraint(s, texts[i], err);
    if (st < 0) return st;
    int32_t flags = s->sampler->flags;
    int one = (flags & MLI_SAMPLER_LEARNS) && !(flags & MLI_SAMPLER_OBJECTIVES);
    if (s->n_objectives > 1 && one) {
        mli_fail(err, ML_E_UNSUPPORTED, "sampler %s takes one objective",
                 s->sampler->name);
        mli_error_at(err, ML_E_UNSUPPORTED, "params.sampler");
        return mli_error_hint(err, ML_E_UNSUPPORTED, "use gp, tpe or evolution");
    }
    return ML_OK;
}

double mli_study_violation(const ml_study *s, const mli_trial *t)
{
    double sum = 0;
    for (int64_t i = s->n_objectives; i < s->n_goals; i++) {
        const mli_goal *g = &s->goals[i];
        double over = g->maximize ? g->bound - t->values[i] : t->values[i] - g->bound;
        if (over > 0) sum += over / (fabs(g->bound) > 0 ? fabs(g->bound) : 1);
        if (isnan(over) && t->state == MLI_TRIAL_DONE) sum += 1; /* never reported */
    }
    return sum;
}

/* Values of objective k with lower as better. */
static double lower(const ml_study *s, const mli_trial *t, int64_t k)
{
    return s->goals[k].maximize ? -t->values[k] : t->values[k];
}

static int candidate(const ml_study *s, const mli_trial *t)
{
    if (t->state != MLI_TRIAL_DONE || mli_study_violation(s, t) > 0) return 0;
    for (int64_t k = 0; k < s->n_objectives; k++)
        if (isnan(t->values[k])) return 0;
    return 1;
}

int mli_study_on_front(const ml_study *s, int64_t trial)
{
    const mli_trial *t = &s->trials[trial];
    if (!candidate(s, t)) return 0;
    for (int64_t i = 0; i < s->count; i++) {
        const mli_trial *o = &s->trials[i];
        int worse = 0, better = 0;
        if (i == trial || !candidate(s, o)) continue;
        for (int64_t k = 0; k < s->n_objectives; k++) {
            better |= lower(s, o, k) < lower(s, t, k);
            worse |= lower(s, o, k) > lower(s, t, k);
        }
        if (better && !worse) return 0;
    }
    return 1;
}
