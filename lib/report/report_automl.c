/* SPDX-License-Identifier: MIT
 *
 * report_automl.c: how a model of automl was found: what was tried and by what it was
 * judged, what the model is made of, how far each kind of model came; and how much worse
 * a model without importance of its own gets when a column is shuffled.
 */
#include "report/report_automl.h"
#include "report/html.h"
#include "tuning/metrics.h"

#include <ml/model.h>
#include <ml/table.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the leaderboard ---- */

typedef struct {
    const char *data;
    int64_t size, at;
} reader;

static int64_t read_bytes(void *buffer, size_t size, void *user)
{
    reader *r = user;
    int64_t left = r->size - r->at, n = (int64_t)size < left ? (int64_t)size : left;
    memcpy(buffer, r->data + r->at, (size_t)n);
    r->at += n;
    return n;
}

/* *out: NULL when the model has none that can be read. Fails only for lack of memory. */
static ml_status read_board(const ml_model *m, ml_table **out, ml_error *err)
{
    ml_tensor *t = NULL;
    ml_io io = ML_IO_INIT;
    *out = NULL;
    ml_status st = ml_model_get_tensor(m, "leaderboard", &t, err);
    if (st < 0) return st == ML_E_MEMORY ? st : ML_OK;
    reader r = {ml_tensor_data(t), ml_tensor_shape(t)[0], 0};
    io.read = read_bytes;
    io.user = &r;
    st = ml_table_read_csv_io(m->ctx, &io, NULL, out, err);
    if (st < 0) *out = NULL;
    ml_tensor_free(t);
    return st == ML_E_MEMORY ? st : ML_OK;
}

static double number_of(const ml_model *m, const char *name)
{
    ml_tensor *t = NULL;
    if (ml_model_get_tensor(m, name, &t, NULL) < 0) return NAN;
    double v = ml_tensor_get_f64(t, 0, 0);
    ml_tensor_free(t);
    return v;
}

static int has(const ml_model *m, const char *name)
{
    return !isnan(number_of(m, name));
}

typedef struct {
    const ml_model *model;
    const ml_table *board;
    const mli_metric *metric;
    int64_t rows, algorithm, score, weight, state;
} search;

static int search_of(const ml_model *m, const ml_table *board, search *out)
{
    const char *name = mli_get_str(m->params, "metric");
    *out = (search){.model = m,
                    .board = board,
                    .rows = ml_table_rows(board),
                    .algorithm = ml_table_find(board, "algorithm"),
                    .score = ml_table_find(board, "score"),
                    .weight = ml_table_find(board, "weight"),
                    .state = ml_table_find(board, "state")};
    if (!*name) name = mli_metric_default(m->inputs, NULL);
    return out->rows > 0 && out->algorithm >= 0 && out->score >= 0 && out->weight >= 0 &&
           out->state >= 0 && mli_metric_find(name, &out->metric, NULL) == ML_OK;
}

static void name_of(const search *x, int64_t row, int64_t column, char out[64])
{
    if (ml_table_get_str(x->board, row, column, out, 64) < 0) *out = 0;
}

static int64_t count_state(const search *x, const char *state)
{
    char text[64];
    int64_t n = 0;
    for (int64_t i = 0; i < x->rows; i++) {
        name_of(x, i, x->state, text);
        n += strcmp(text, state) == 0;
    }
    return n;
}

/* ---- what it tells ---- */

static void tell_tried(mli_str *s, const search *x)
{
    char best[64];
    const char *metric = strrchr(x->metric->head.name, '.') + 1;
    int64_t cut = count_state(x, "cut short"), up = count_state(x, "given up"),
            failed = count_state(x, "failed");
    name_of(x, 0, x->algorithm, best);
    mli_html_note(s,
                  "%lld candidates were tried, judged by %s (%s is better) on rows that "
                  "they were not fitted to: %lld in full, %lld cut short by the clock, "
                  "%lld given up after the first fold, %lld failed.",
                  (long long)x->rows, metric, x->metric->maximize ? "higher" : "lower",
                  (long long)(x->rows - cut - up - failed), (long long)cut, (long long)up,
                  (long long)failed);
    mli_str_printf(s, "<p class=\"soft\">The best one alone: %s, ", best);
    mli_html_number(s, ml_table_get_f64(x->board, 0, x->score), 5);
    mli_str_add(s, ".</p>\n");
}

/* Columns of numbers that are categories as well (tuning/automl_front.c). */
static void tell_codes(mli_str *s, const search *x)
{
    const mli_inputs *in = x->model->inputs;
    const ml_tensor *start = mli_model_find(x->model, "codes.start");
    int64_t told = 0;
    if (!start || ml_tensor_shape(start)[0] != in->n_features + 1) return;
    mli_str_add(s, "<p class=\"soft\">Numbers that name things, which are categories as "
                   "well: ");
    for (int64_t j = 0; j < in->n_features; j++) {
        if (ml_tensor_get_f64(start, j, 0) == ml_tensor_get_f64(start, j + 1, 0))
            continue;
        mli_str_add(s, told++ ? ", " : "");
        mli_html_text(s, in->features[j].name);
    }
    mli_str_add(s, ".</p>\n");
}

/* Candidates that count in the model. */
static int64_t count_chosen(const search *x)
{
    int64_t n = 0;
    for (int64_t i = 0; i < x->rows; i++)
        n += ml_table_get_f64(x->board, i, x->weight) > 0;
    return n;
}

static void tell_made_of(mli_str *s, const search *x)
{
    const ml_model *m = x->model;
    const char *const *items;
    int64_t members = mli_get_strs(m->params, "members", &items), n = count_chosen(x);
    double score = number_of(m, "held_out_score");
    const char *how = mli_get_strs(m->params, "final", &items) > 0
                          ? "a linear model of what %lld candidates predict"
                          : "the weighted mean of %lld candidates";
    char made[128];
    snprintf(made, sizeof made, how, (long long)n);
    if (n == 1) snprintf(made, sizeof made, "one candidate");
    if (has(m, "not_refitted"))
        mli_html_note(s,
                      "The model is %s. There was no time or memory to fit all of them "
                      "again to all rows: %lld are of some rows only.",
                      made, (long long)number_of(m, "not_refitted"));
    else
        mli_html_note(s, "The model is %s, fitted again to all rows.", made);
    if (members > n)
        mli_html_note(s,
                      "It has %lld members: what draws at random is fitted with several "
                      "seeds.",
                      (long long)members);
    mli_str_add(s, "<p class=\"soft\">On the rows held out it reached ");
    mli_html_number(s, score, 5);
    mli_str_add(
        s, "; since its parts were chosen by that, it is a little too good, and rows "
           "that took no part tell what to expect.</p>\n");
    if (has(m, "calibration_sigmoid") || has(m, "calibration_isotonic") ||
        has(m, "calibration_beta"))
        mli_html_note(s, "Its probabilities are calibrated on rows held out.");
    if (has(m, "class_thresholds"))
        mli_html_note(s, "Classes are chosen by thresholds that were tuned for them.");
}

/* The best of each algorithm, as a share of the way from a constant to the best of all.
 */
static void tell_kinds(mli_str *s, const search *x)
{
    double constant = NAN, best = ml_table_get_f64(x->board, 0, x->score);
    char name[64], seen[64];
    for (int64_t i = 0; i < x->rows; i++) {
        name_of(x, i, x->algorithm, name);
        if (strcmp(name, "baseline") == 0)
            constant = ml_table_get_f64(x->board, i, x->score);
    }
    if (isnan(constant) || isnan(best) || constant == best) return;
    mli_html_heading(s, "The best of each algorithm");
    mli_str_add(s, "<table class=\"bars\">");
    for (int64_t i = 0; i < x->rows; i++) {
        double score = ml_table_get_f64(x->board, i, x->score);
        int known = 0;
        name_of(x, i, x->algorithm, name);
        for (int64_t k = 0; k < i && !known; k++) {
            name_of(x, k, x->algorithm, seen);
            known = strcmp(seen, name) == 0;
        }
        if (!known && !isnan(score))
            mli_html_bar(s, name, (score - constant) / (best - constant), score);
    }
    mli_str_add(s, "</table>\n");
    mli_html_note(s, "A full bar is the best candidate, none a constant prediction.");
}

ml_status mli_report_automl(mli_str *s, const ml_model *m, ml_error *err)
{
    ml_table *board;
    search x;
    if (strcmp(m->algorithm->head.name, "automl") != 0) return ML_OK;
    ml_status st = read_board(m, &board, err);
    if (board && search_of(m, board, &x)) {
        mli_html_heading(s, "How it was found");
        tell_tried(s, &x);
        tell_codes(s, &x);
        tell_made_of(s, &x);
        tell_kinds(s, &x);
    }
    ml_table_free(board);
    return st;
}

/* ---- importance by shuffling ---- */

#define MOST_ROWS    2000
#define MOST_COLUMNS 100
#define BARS         25

static ml_status shuffle(const ml_model *m, const ml_table *test, ml_table **out,
                         ml_error *err)
{
    ml_table *some = NULL;
    ml_params *options = NULL;
    int64_t rows = ml_table_rows(test);
    ml_status st =
        ml_table_slice(test, 0, rows < MOST_ROWS ? rows : MOST_ROWS, &some, err);
    if (st == ML_OK) st = ml_params_new(m->ctx, &options, err);
    if (st == ML_OK) st = ml_params_set_str(options, "method", "permutation", err);
    if (st == ML_OK) st = ml_params_set_i64(options, "repeats", 3, err);
    if (st == ML_OK) st = ml_model_explain(m, some, options, out, err);
    ml_params_free(options);
    ml_table_free(some);
    return st;
}

/* The row with the largest value below `above`, or among equal ones the next; -1. */
static int64_t next_largest(const ml_table *t, int64_t column, double above, int64_t last)
{
    int64_t best = -1;
    for (int64_t i = 0; i < ml_table_rows(t); i++) {
        double v = ml_table_get_f64(t, i, column);
        if (isnan(v) || v > above || (v == above && i <= last)) continue;
        if (best < 0 || v > ml_table_get_f64(t, best, column)) best = i;
    }
    return best;
}

ml_status mli_report_shuffled(mli_str *s, const ml_model *m, const ml_table *test,
                              ml_error *err)
{
    ml_table *t = NULL;
    char name[128];
    if (strcmp(m->algorithm->head.name, "automl") != 0 || !m->inputs->target)
        return ML_OK;
    if (m->inputs->n_features > MOST_COLUMNS) {
        mli_html_note(s,
                      "The importance of more than %d columns is left out; `libml "
                      "explain MODEL DATA` finds it.",
                      MOST_COLUMNS);
        return ML_OK;
    }
    ml_status st = shuffle(m, test, &t, err);
    if (st == ML_E_DATA) return ML_OK; /* a metric that is not defined for these rows */
    if (st < 0) return st;
    int64_t names = ml_table_find(t, "feature"), values = ml_table_find(t, "importance");
    int64_t row = values < 0 ? -1 : next_largest(t, values, INFINITY, -1);
    double most = row < 0 ? 0 : ml_table_get_f64(t, row, values);
    if (most > 0 && names >= 0) {
        mli_html_heading(s, "Importance of the features");
        mli_str_add(s, "<table class=\"bars\">");
        for (int k = 0; k < BARS && row >= 0; k++) {
            double v = ml_table_get_f64(t, row, values);
            if (!(v > 0)) break;
            ml_table_get_str(t, row, names, name, sizeof name);
            mli_html_bar(s, name, v / most, v);
            row = next_largest(t, values, v, row);
        }
        mli_str_add(s, "</table>\n");
        mli_html_note(s,
                      "How much worse %s gets on these rows when the values of a column "
                      "are shuffled.",
                      mli_metric_default(m->inputs, m->params));
    }
    ml_table_free(t);
    return ML_OK;
}
