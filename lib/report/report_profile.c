/* SPDX-License-Identifier: MIT
 *
 * report_profile.c: the data profile: the table of ml_table_profile, the strongest
 * correlations, and a histogram of each column.
 */
#include "core/hashmap.h"
#include "data/profile.h"
#include "report/report.h"
#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINS      24
#define BLOCK     1024
#define MAX_PLOTS 60
#define TOP       8
#define PAIRS     15
#define WEAK      0.05 /* correlations that are not worth a line */
#define FOLD      60   /* columns in the table, the others are there to be unfolded */

/* Counts of values by bin; room[BLOCK]. Without bins: their ends. */
static void bin_values(const mli_column *c, double *room, double ends[2], double *counts)
{
    for (int64_t begin = 0; begin < c->rows; begin += BLOCK) {
        int64_t n = c->rows - begin < BLOCK ? c->rows - begin : BLOCK;
        mli_column_f64(c, begin, begin + n, room, 1);
        for (int64_t i = 0; i < n; i++) {
            double v = room[i];
            if (!isfinite(v)) continue;
            if (counts) {
                int b = (int)((v - ends[0]) / (ends[1] - ends[0]) * BINS);
                counts[b < 0 ? 0 : b >= BINS ? BINS - 1 : b] += 1;
            } else {
                ends[0] = v < ends[0] ? v : ends[0];
                ends[1] = v > ends[1] ? v : ends[1];
            }
        }
    }
}

static void draw_bins(mli_str *s, const mli_column *c, const char *unit,
                      const double ends[2], const double *counts)
{
    mli_plot p = {.x0 = ends[0], .x1 = ends[1], .height = 170};
    for (int b = 0; b < BINS; b++) p.y1 = fmax(p.y1, counts[b]);
    p.day = c->type == ML_TYPE_DATE ? 1 : c->type == ML_TYPE_TIMESTAMP ? 86400e6 : 0;
    mli_plot_begin(&p, s, c->name, unit, "rows");
    mli_plot_bars(&p, counts, BINS);
    mli_plot_end(&p);
}

static void histogram(mli_str *s, const mli_column *c)
{
    double room[BLOCK], ends[2] = {INFINITY, -INFINITY}, counts[BINS] = {0};
    bin_values(c, room, ends, NULL);
    if (!(ends[1] > ends[0])) return;
    bin_values(c, room, ends, counts);
    draw_bins(s, c, "", ends, counts);
}

/* A column, or a value of one, and what it is sorted by. */
typedef struct place {
    int64_t key;
    double value;
} place;

static int larger_first(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

static void value_bars(mli_str *s, const mli_column *c, const mli_map *map,
                       const place *f)
{
    mli_str_add(s, "<figure><figcaption>");
    mli_html_text(s, c->name);
    if (map->count > TOP)
        mli_str_printf(s, ": the most frequent of %lld values", (long long)map->count);
    mli_str_add(s, "</figcaption><table class=\"bars\">");
    for (int64_t i = 0; i < map->count && i < TOP; i++) {
        int64_t k = f[i].key;
        mli_str name;
        mli_str_init(&name, s->ctx);
        mli_str_add_n(&name, map->bytes + map->offsets[k],
                      (size_t)(map->offsets[k + 1] - map->offsets[k]));
        if (name.failed)
            s->failed = 1;
        else
            mli_html_bar(s, name.data, f[i].value / f[0].value, f[i].value);
        mli_str_free(&name);
    }
    mli_str_add(s, "</table></figure>\n");
}

/* Texts that mostly differ: how long they are. */
static void lengths(mli_str *s, const mli_column *c)
{
    double counts[BINS] = {0}, ends[2] = {INFINITY, -INFINITY};
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < c->rows; i++) {
            size_t size, n = 0;
            const char *text = mli_column_text(c, i, &size);
            for (size_t k = 0; text && k < size; k++) n += (text[k] & 0xc0) != 0x80;
            double v = (double)n;
            if (text && pass) {
                int b = (int)((v - ends[0]) / (ends[1] - ends[0]) * BINS);
                counts[b >= BINS ? BINS - 1 : b] += 1;
            } else if (text) {
                ends[0] = fmin(ends[0], v);
                ends[1] = fmax(ends[1], v);
            }
            if (pass == 0 && i + 1 == c->rows && !(ends[1] > ends[0])) return;
        }
    draw_bins(s, c, "characters", ends, counts);
}

/* The most frequent values of a text column as bars. */
static void top_values(mli_str *s, const ml_table *t, const mli_column *c)
{
    mli_map map;
    mli_map_init(&map, t->ctx);
    place *f = mli_calloc(t->ctx, (size_t)t->rows + 1, sizeof *f);
    int failed = !f;
    for (int64_t i = 0; i < t->rows && !failed; i++) {
        size_t size;
        const char *text = mli_column_text(c, i, &size);
        if (!text) continue;
        int32_t k = mli_map_add(&map, text, size);
        if (k < 0)
            failed = 1;
        else
            f[k] = (place){k, f[k].value + 1};
    }
    if (!failed && map.count > 0) {
        qsort(f, (size_t)map.count, sizeof *f, larger_first);
        if (map.count > 4 * TOP && f[0].value < (double)(t->rows / (8 * TOP)))
            lengths(s, c);
        else
            value_bars(s, c, &map, f);
    }
    if (failed) s->failed = 1;
    mli_map_free(&map);
    mli_free(t->ctx, f);
}

/* The strongest pairs of columns. */
static ml_status add_correlations(ml_report *report, const ml_table *table, ml_error *err)
{
    ml_table *pairs = NULL, *strong = NULL;
    int64_t n = 0;
    ml_status st = mli_profile_correlations(table, PAIRS, &pairs, err);
    if (st < 0) return st;
    int64_t value = ml_table_find(pairs, "value");
    while (n < pairs->rows && fabs(ml_table_get_f64(pairs, n, value)) >= WEAK) n++;
    if (pairs->rows > 0) {
        st = ml_table_slice(pairs, 0, n, &strong, err);
        mli_html_heading(&report->body, "Strongest correlations");
        mli_html_note(&report->body,
                      n ? "pearson: of two columns of numbers or dates, -1 to 1. eta: of "
                          "numbers and categories, cramer_v: of two columns of "
                          "categories, both 0 (nothing in common) to 1."
                        : "No two columns have more than %g in common.",
                      WEAK);
        if (n && st == ML_OK) mli_html_table(&report->body, strong, PAIRS);
    }
    ml_table_free(strong);
    ml_table_free(pairs);
    return st;
}

/* What a reader wants first comes first; columns without any value are left out. */
static ml_status choose_columns(const ml_table *profile, ml_table **out, ml_error *err)
{
    static const char *const wanted[] = {
        "column",   "type",   "role", "warnings", "predictive_power", "missing_percent",
        "distinct", "mean",   "sd",   "min",      "median",           "max",
        "earliest", "latest", "top",  "top_count"};
    const char *chosen[sizeof wanted / sizeof *wanted];
    int64_t n = 0;
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        int64_t at = ml_table_find(profile, wanted[k]);
        if (at < 0) continue;
        const mli_column *c = &profile->columns[at];
        if (mli_column_missing(c, 0, c->rows) < c->rows) chosen[n++] = wanted[k];
    }
    return ml_table_select(profile, chosen, n, out, err);
}

/* The columns in the order in which they are shown: their own, but for many of them those
 * first that tell most of the target or have warnings. */
static ml_status order_columns(const ml_table *profile, int64_t *order, ml_error *err)
{
    int64_t n = profile->rows, power = ml_table_find(profile, "predictive_power"),
            warned = ml_table_find(profile, "warnings");
    place *p = mli_alloc_vec(profile->ctx, n, sizeof *p);
    if (!p) return mli_nomem(err);
    for (int64_t i = 0; i < n; i++) {
        char text[2] = "";
        double v = power < 0 ? 0 : ml_table_get_f64(profile, i, power);
        if (warned >= 0) (void)!ml_table_get_str(profile, i, warned, text, sizeof text);
        p[i] = (place){i, n <= FOLD ? 0 : isnan(v) ? 2 : v + (*text != 0)};
    }
    qsort(p, (size_t)n, sizeof *p, larger_first);
    for (int64_t i = 0; i < n; i++) order[i] = p[i].key;
    mli_free(profile->ctx, p);
    return ML_OK;
}

static ml_status add_rows(mli_str *s, const ml_table *profile, const int64_t *order,
                          int64_t n, ml_error *err)
{
    ml_table *some = NULL;
    ml_status st = ml_table_take(profile, order, n, &some, err);
    if (st == ML_OK) mli_html_table(s, some, 500);
    ml_table_free(some);
    return st;
}

static ml_status add_columns(ml_report *report, const ml_table *table,
                             const ml_params *options, int64_t *order, ml_error *err)
{
    ml_table *all = NULL, *profile = NULL;
    int64_t duplicates = 0, n = table->n_columns;
    mli_str *s = &report->body;
    ml_status st = ml_table_profile(table, options, &all, err);
    if (st == ML_OK) st = choose_columns(all, &profile, err);
    if (st == ML_OK) st = mli_profile_duplicates(table, &duplicates, err);
    if (st == ML_OK) st = order_columns(all, order, err);
    if (st == ML_OK) {
        mli_html_note(s, "%lld rows, %lld columns; %lld rows are equal to an earlier one",
                      (long long)table->rows, (long long)n, (long long)duplicates);
        mli_html_note(s,
                      "role: what libml takes the column for. %sdistinct: different "
                      "values. sd: standard deviation. top: the most frequent value.",
                      ml_table_find(all, "predictive_power") < 0
                          ? ""
                          : "predictive_power: how well the column alone predicts the "
                            "target, from 0 (not at all) to 1 (without error). ");
        st = add_rows(s, profile, order, n < FOLD ? n : FOLD, err);
    }
    if (st == ML_OK && n > FOLD) {
        mli_str_printf(s, "<details><summary>%lld more columns</summary>",
                       (long long)(n - FOLD));
        st = add_rows(s, profile, order + FOLD, n - FOLD, err);
        mli_str_add(s, "</details>\n");
    }
    ml_table_free(profile);
    ml_table_free(all);
    return st;
}

static ml_status add_all(ml_report *report, const ml_table *table,
                         const ml_params *chosen, ml_error *error)
{
    mli_str *s = &report->body;
    int64_t *order = mli_alloc_vec(table->ctx, table->n_columns + 1, sizeof *order);
    ml_status st =
        order ? add_columns(report, table, chosen, order, error) : mli_nomem(error);
    if (st == ML_OK) st = add_correlations(report, table, error);
    if (st == ML_OK) mli_html_heading(s, "Distributions");
    mli_str_add(s, "<div class=\"plots\">\n");
    for (int64_t j = 0; st == ML_OK && j < table->n_columns && j < MAX_PLOTS; j++) {
        const mli_column *c = &table->columns[order[j]];
        if (c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY)
            top_values(s, table, c);
        else
            histogram(s, c);
    }
    mli_str_add(s, "</div>\n");
    mli_free(table->ctx, order);
    return st;
}

ml_status ml_report_add_profile(ml_report *report, const char *title,
                                const ml_table *table, const ml_params *options,
                                ml_error *error)
{
    ml_params *chosen = NULL;
    if (!report) return mli_null(error, "report");
    if (!title) return mli_null(error, "title");
    if (!table) return mli_null(error, "table");
    ml_status st =
        mli_params_resolve(table->ctx, &mli_options_profile, options, &chosen, error);
    if (st == ML_OK && strcmp(mli_get_str(chosen, "part"), "columns") != 0) {
        mli_fail(error, ML_E_ARGUMENT, "the section has all parts of a profile");
        st = mli_error_at(error, ML_E_ARGUMENT, "options.part");
    }
    if (st < 0) {
        ml_params_free(chosen);
        return st;
    }
    ml_table *plain = NULL;
    mli_report_section(report, title);
    st = mli_table_plain(table, &plain, error);
    if (st == ML_OK) st = add_all(report, plain, chosen, error);
    ml_params_free(chosen);
    ml_table_free(plain);
    return mli_report_end_section(report, st, error);
}
