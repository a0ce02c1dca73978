/* SPDX-License-Identifier: MIT
 *
 * report_profile.c: the data profile: the table of ml_table_profile, and a histogram of
 * each column.
 */
#include "core/hashmap.h"
#include "report/report.h"
#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BINS      24
#define MAX_PLOTS 60
#define TOP       8

static void histogram(mli_str *s, const ml_table *t, const mli_column *c)
{
    double low = INFINITY, high = -INFINITY, counts[BINS] = {0}, most = 0, v;
    for (int64_t i = 0; i < t->rows; i++) {
        mli_column_f64(c, i, i + 1, &v, 1);
        if (!isfinite(v)) continue;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    if (!(high > low)) return;
    for (int64_t i = 0; i < t->rows; i++) {
        mli_column_f64(c, i, i + 1, &v, 1);
        if (!isfinite(v)) continue;
        int b = (int)((v - low) / (high - low) * BINS);
        b = b < 0 ? 0 : b >= BINS ? BINS - 1 : b;
        counts[b] += 1;
        most = counts[b] > most ? counts[b] : most;
    }
    mli_plot p = {.x0 = low, .x1 = high, .y0 = 0, .y1 = most, .height = 170};
    mli_plot_begin(&p, s, c->name, "", "rows");
    mli_plot_bars(&p, counts, BINS);
    mli_plot_end(&p);
}

typedef struct frequent {
    int64_t count;
    int32_t key;
} frequent;

static int by_count(const void *a, const void *b)
{
    const frequent *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->key > y->key) - (x->key < y->key);
}

/* The most frequent values of a text column as bars. */
static void top_values(mli_str *s, const ml_table *t, const mli_column *c)
{
    mli_map map;
    mli_map_init(&map, t->ctx);
    frequent *f = mli_calloc(t->ctx, (size_t)t->rows + 1, sizeof *f);
    int failed = !f;
    for (int64_t i = 0; i < t->rows && !failed; i++) {
        size_t size;
        const char *text = mli_column_text(c, i, &size);
        if (!text) continue;
        int32_t k = mli_map_add(&map, text, size);
        if (k < 0)
            failed = 1;
        else
            f[k] = (frequent){f[k].count + 1, k};
    }
    if (!failed && map.count > 0) {
        qsort(f, (size_t)map.count, sizeof *f, by_count);
        mli_str_add(s, "<figure><figcaption>");
        mli_html_text(s, c->name);
        mli_str_add(s, "</figcaption><table class=\"bars\">");
        for (int64_t i = 0; i < map.count && i < TOP; i++) {
            char name[80];
            int32_t k = f[i].key;
            int size = (int)(map.offsets[k + 1] - map.offsets[k]);
            snprintf(name, sizeof name, "%.*s", size > 24 ? 24 : size,
                     map.bytes + map.offsets[k]);
            name[mli_utf8_valid(name, (size_t)(size > 24 ? 24 : size))] = 0;
            mli_html_bar(s, name, (double)f[i].count / (double)f[0].count,
                         (double)f[i].count);
        }
        mli_str_add(s, "</table></figure>\n");
    }
    if (failed) s->failed = 1;
    mli_map_free(&map);
    mli_free(t->ctx, f);
}

ml_status ml_report_add_profile(ml_report *report, const char *title,
                                const ml_table *table, ml_error *error)
{
    if (!report) return mli_null(error, "report");
    if (!title) return mli_null(error, "title");
    if (!table) return mli_null(error, "table");
    ml_table *profile = NULL;
    ml_status st = ml_table_profile(table, &profile, error);
    if (st < 0) return st;
    mli_str *s = &report->body;
    mli_report_section(report, title);
    mli_html_note(s, "%lld rows, %lld columns", (long long)table->rows,
                  (long long)table->n_columns);
    mli_html_table(s, profile, 500);
    ml_table_free(profile);
    mli_str_add(s, "<h3>Distributions</h3><div class=\"plots\">\n");
    for (int64_t j = 0; j < table->n_columns && j < MAX_PLOTS; j++) {
        const mli_column *c = &table->columns[j];
        if (c->type == ML_TYPE_TEXT || c->type == ML_TYPE_CATEGORY)
            top_values(s, table, c);
        else
            histogram(s, table, c);
    }
    mli_str_add(s, "</div>\n");
    return mli_report_end_section(report, ML_OK, error);
}
