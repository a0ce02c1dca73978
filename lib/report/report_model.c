/* SPDX-License-Identifier: MIT
 *
 * report_model.c: a model: scores, importance, parameters, file hash. The plots of its
 * predictions are in report_predictions.c.
 */
#include "core/text.h"
#include "report/report_automl.h"
#include "report/report_checks.h"
#include "report/report_predictions.h"
#include "serialization/modelfile.h"
#include "tuning/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BARS 25

typedef struct ranked {
    int64_t index;
    double value;
} ranked;

static int larger_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    double u = fabs(x->value), v = fabs(y->value);
    if (u != v) return u > v ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Bars of the largest of `n` values; names by index. */
static void bars(mli_str *s, const char *title, ranked *r, int64_t n,
                 const mli_inputs *inputs)
{
    qsort(r, (size_t)n, sizeof *r, larger_first);
    double most = n ? fabs(r[0].value) : 0;
    if (!(most > 0)) return;
    mli_html_heading(s, title);
    mli_str_add(s, "<table class=\"bars\">");
    for (int64_t i = 0; i < n && i < BARS && r[i].value != 0; i++)
        mli_html_bar(s, inputs->features[r[i].index].name, fabs(r[i].value) / most,
                     r[i].value);
    mli_str_add(s, "</table>\n");
}

/* The attribute "importance", one value per feature, where the algorithm offers it. */
static ml_status importance(mli_str *s, const ml_model *m, ml_error *err)
{
    ml_tensor *t = NULL;
    if (ml_model_get_tensor(m, "importance", &t, NULL) < 0) return ML_OK;
    int64_t n = m->inputs->n_features;
    if (t->ndim != 1 || t->shape[0] != n) {
        ml_tensor_free(t);
        return ML_OK;
    }
    ranked *r = mli_alloc_vec(m->ctx, n, sizeof *r);
    if (!r) {
        ml_tensor_free(t);
        return mli_nomem(err);
    }
    for (int64_t i = 0; i < n; i++) r[i] = (ranked){i, ml_tensor_get_f64(t, i, 0)};
    bars(s, "Importance of the features", r, n, m->inputs);
    mli_free(m->ctx, r);
    ml_tensor_free(t);
    return ML_OK;
}

/* Does a value differ from the default? That of a list is the text of the descriptor. */
static int differs(const ml_model *m, const mli_value *v)
{
    mli_path at;
    double x, y;
    if (mli_path_find(m->params, &m->algorithm->head, v->name, &at, NULL)) return 1;
    const char *usual = at.param->dflt ? at.param->dflt : "";
    if (v->type > ML_PARAM_STR && v->count == 0 && !*usual) return 0; /* empty list */
    if (mli_parse_f64(usual, usual + strlen(usual), &x) &&
        mli_parse_f64(v->text, v->text + strlen(v->text), &y))
        return x != y && !(isnan(x) && isnan(y));
    return strcmp(usual, v->text) != 0;
}

/* The part that a value is of: so many letters of "model.m1.seed". 0: of none. */
static size_t part_of(const mli_value *v)
{
    const char *dot = strrchr(v->name, '.');
    return dot ? (size_t)(dot - v->name) : 0;
}

static int begins_part(const ml_params *p, int64_t i)
{
    const mli_value *v = &p->values[i];
    size_t n = part_of(v);
    return n && (i == 0 || part_of(v - 1) != n || strncmp(v[-1].name, v->name, n) != 0);
}

/* Are the parts that begin at i and j one algorithm, and the same but for the seed, which
 * is *seed in i? */
static int differ_by_seed(const ml_model *m, int64_t i, int64_t j, const char **seed)
{
    const mli_value *x = &m->params->values[i], *y = &m->params->values[j];
    const mli_descriptor *d = &m->algorithm->head;
    size_t nx = part_of(x), ny = part_of(y);
    mli_path at, other;
    *seed = NULL;
    for (int64_t k = 0; i + k < m->params->count; k++) {
        if (k && begins_part(m->params, i + k)) break;
        if (part_of(&x[k]) != nx) break;
        if (part_of(&y[k]) != ny || strcmp(x[k].name + nx, y[k].name + ny) != 0) return 0;
        if (strcmp(x[k].text, y[k].text) == 0) continue;
        if (strcmp(x[k].name + nx, ".seed") != 0) return 0;
        *seed = x[k].text;
    }
    return *seed && !mli_path_find(m->params, d, x->name, &at, NULL) &&
           !mli_path_find(m->params, d, y->name, &other, NULL) && at.d == other.d;
}

/* Does the part that begins at i repeat one before? Tells so in a row, if it is to. */
static int repeats_another(mli_str *s, const ml_model *m, int64_t i, int tell)
{
    const mli_value *v = m->params->values;
    const char *seed;
    int64_t j = 0;
    while (j < i && !(begins_part(m->params, j) && differ_by_seed(m, i, j, &seed))) j++;
    if (j < i && tell)
        mli_str_printf(s, "<tr><td>%.*s</td><td>as %.*s, seed %s</td></tr>\n",
                       (int)part_of(&v[i]), v[i].name, (int)part_of(&v[j]), v[j].name,
                       seed);
    return j < i;
}

/* Those that differ from the defaults, or do not. Returns how many others there are. */
static int64_t parameter_rows(mli_str *s, const ml_model *m, int different)
{
    int64_t others = 0;
    int repeats = 0;
    mli_str_add(s, "<div class=\"wide\"><table><tr><th>name</th><th>value</th></tr>");
    for (int64_t i = 0; i < m->params->count; i++) {
        const mli_value *v = &m->params->values[i];
        if (!part_of(v)) repeats = 0;
        if (begins_part(m->params, i)) repeats = repeats_another(s, m, i, different);
        if (repeats) continue;
        if (differs(m, v) != different) {
            others++;
            continue;
        }
        mli_str_add(s, "<tr><td>");
        mli_html_text(s, v->name);
        mli_str_add(s, "</td>");
        mli_html_cell(s, v->text, strlen(v->text), 0);
        mli_str_add(s, "</tr>\n");
    }
    mli_str_add(s, "</table></div>\n");
    return others;
}

/* Those that tell this model from a plain one; the others are there to be unfolded. */
static void parameters(mli_str *s, const ml_model *m)
{
    mli_html_heading(s, "Parameters");
    int64_t others = parameter_rows(s, m, 1);
    mli_str_printf(s, "<details><summary>%lld more at their defaults</summary>",
                   (long long)others);
    parameter_rows(s, m, 0);
    mli_str_add(s, "</details>\n");
}

static ml_status facts(mli_str *s, const ml_model *m, ml_error *err)
{
    char hash[65];
    mli_str header;
    mli_str_init(&header, m->ctx);
    ml_status st = mli_modelfile_header(m, &header, hash, err);
    mli_str_free(&header);
    if (st < 0) return st;
    const mli_inputs *in = m->inputs;
    char what[400] = "makes columns";
    size_t size = 0;
    const char *second = in->classes.n == 2 ? mli_inputs_label(in, 1, &size) : "";
    if (in->target && in->classes.n)
        snprintf(what, sizeof what, "predicts %.100s, one of %lld classes%s%.*s",
                 in->target, (long long)in->classes.n,
                 size ? ", the positive one is " : "", size < 100 ? (int)size : 100,
                 second);
    else if (in->n_targets)
        snprintf(what, sizeof what, "predicts %lld numbers", (long long)in->n_targets);
    else if (in->target)
        snprintf(what, sizeof what, "predicts the number %.100s", in->target);
    mli_html_note(s, "The model %s, from %lld columns. Its algorithm is %s: %s.", what,
                  (long long)in->n_features, m->algorithm->head.name,
                  m->algorithm->head.title);
    mli_html_note(s, "SHA-256 of its tensors: %s", hash);
    return ML_OK;
}

#define MOST_METRICS 32

ml_status mli_report_explain(const ml_table *t, ml_table **out, ml_error *err)
{
    char text[MOST_METRICS][224] = {{0}}, name[64];
    const char *meaning[MOST_METRICS];
    int64_t n = ml_table_rows(t) < MOST_METRICS ? ml_table_rows(t) : MOST_METRICS;
    const mli_metric *metric;
    *out = NULL;
    if (ml_table_find(t, "metric") != 0 || ml_table_find(t, "value") != 1) return ML_OK;
    for (int64_t i = 0; i < MOST_METRICS; i++) meaning[i] = text[i];
    for (int64_t i = 0; i < n; i++) {
        if (ml_table_get_str(t, i, 0, name, sizeof name) < 0 ||
            mli_metric_find(name, &metric, NULL) < 0)
            continue;
        const char *doc = metric->head.doc, *option = strstr(doc, " (see ");
        size_t first = option ? (size_t)(option - doc) : strcspn(doc, ".");
        snprintf(text[i], sizeof text[i], "%.*s (%s is better)", (int)first, doc,
                 metric->maximize ? "higher" : "lower");
    }
    return n < ml_table_rows(t)
               ? ml_table_slice(t, 0, n, out, err)
               : ml_table_with_strs(t->ctx, t, "meaning", meaning, n, out, err);
}

static ml_status scores(mli_str *s, const ml_model *m, const ml_table *test,
                        ml_error *err)
{
    ml_table *t = NULL, *explained = NULL;
    int64_t target = m->inputs->target ? ml_table_find(test, m->inputs->target) : -1,
            rows = ml_table_rows(test);
    char heading[96];
    if (target >= 0) rows -= mli_column_absent(&test->columns[target]);
    ml_status st = ml_model_evaluate(m, test, NULL, &t, err);
    if (st == ML_OK) st = mli_report_explain(t, &explained, err);
    if (st == ML_OK) {
        snprintf(heading, sizeof heading,
                 "Scores on %lld rows, with 95 %% bootstrap intervals", (long long)rows);
        mli_html_heading(s, heading);
        mli_html_table(s, explained, MOST_METRICS);
    }
    ml_table_free(explained);
    ml_table_free(t);
    return st;
}

ml_status ml_report_add_model(ml_report *report, const char *title, const ml_model *model,
                              const ml_table *test, ml_error *error)
{
    if (!report) return mli_null(error, "report");
    if (!title) return mli_null(error, "title");
    if (!model) return mli_null(error, "model");
    mli_str *s = &report->body;
    mli_report_section(report, title);
    ml_status st = facts(s, model, error);
    if (st == ML_OK) st = mli_report_automl(s, model, error);
    if (st == ML_OK && test) st = scores(s, model, test, error);
    if (st == ML_OK && test) st = mli_report_predictions(s, model, test, error);
    if (st == ML_OK && test) st = mli_report_model_checks(s, model, test, error);
    if (st == ML_OK && test) st = mli_report_shuffled(s, model, test, error);
    if (st == ML_OK) st = importance(s, model, error);
    if (st == ML_OK) parameters(s, model);
    return mli_report_end_section(report, st, error);
}
