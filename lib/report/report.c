/* SPDX-License-Identifier: MIT
 *
 * report.c: the report: sections, and writing it out.
 */
#include "report/report.h"
#include "report/report_checks.h"

#include "core/file.h"

#include <string.h>

ml_status ml_report_new(ml_context *context, const char *title, ml_report **out,
                        ml_error *error)
{
    if (!context) return mli_null(error, "context");
    if (!title) return mli_null(error, "title");
    if (!out) return mli_null(error, "out");
    ml_report *r = mli_calloc(context, 1, sizeof *r);
    if (!r) return mli_nomem(error);
    r->ctx = mli_context_ref(context);
    mli_str_init(&r->navigation, context);
    mli_str_init(&r->body, context);
    r->title = mli_strdup(context, title);
    if (!r->title) {
        ml_report_free(r);
        return mli_nomem(error);
    }
    *out = r;
    return ML_OK;
}

void ml_report_free(ml_report *report)
{
    if (!report) return;
    ml_context *ctx = report->ctx;
    mli_str_free(&report->navigation);
    mli_str_free(&report->body);
    mli_free(ctx, report->title);
    mli_free(ctx, report);
    ml_context_free(ctx);
}

void mli_report_section(ml_report *r, const char *title)
{
    long long n = (long long)++r->sections;
    r->kept_navigation = r->navigation.size;
    r->kept_body = r->body.size;
    mli_str_printf(&r->navigation, "<a href=\"#s%lld\">", n);
    mli_html_text(&r->navigation, title);
    mli_str_add(&r->navigation, "</a>");
    mli_str_printf(&r->body, "<h2 id=\"s%lld\">", n);
    mli_html_text(&r->body, title);
    mli_str_add(&r->body, "</h2>\n");
}

ml_status mli_report_end_section(ml_report *r, ml_status st, ml_error *err)
{
    if (st == ML_OK && (r->body.failed || r->navigation.failed)) st = mli_nomem(err);
    if (st == ML_OK) return ML_OK;
    r->sections--;
    mli_str_cut(&r->navigation, r->kept_navigation);
    mli_str_cut(&r->body, r->kept_body);
    return st;
}

ml_status ml_report_add_table(ml_report *report, const char *title, const ml_table *table,
                              ml_error *error)
{
    if (!report) return mli_null(error, "report");
    if (!title) return mli_null(error, "title");
    if (!table) return mli_null(error, "table");
    ml_table *explained = NULL;
    ml_status st = mli_report_explain(table, &explained, error);
    mli_report_section(report, title);
    mli_report_check(&report->body, table);
    mli_html_table(&report->body, explained ? explained : table, 200);
    ml_table_free(explained);
    return mli_report_end_section(report, st, error);
}

static ml_status write_page(const ml_report *r, mli_sink *sink, ml_error *err)
{
    mli_str page;
    mli_str_init(&page, r->ctx);
    mli_html_begin(&page, r->title);
    mli_str_add(&page, "<p class=\"soft\">made by libml ");
    mli_str_add(&page, ml_version());
    mli_str_add(&page, "</p><nav>");
    mli_str_add_n(&page, r->navigation.data, r->navigation.size);
    mli_str_add(&page, "</nav>\n");
    mli_str_add_n(&page, r->body.data, r->body.size);
    mli_html_end(&page);
    ml_status st =
        page.failed ? mli_nomem(err) : mli_sink_write(sink, page.data, page.size, err);
    mli_str_free(&page);
    return st;
}

static ml_status write_and_commit(const ml_report *r, mli_sink *sink, ml_error *err)
{
    ml_status st = write_page(r, sink, err);
    if (st < 0) {
        mli_sink_abort(sink);
        return st;
    }
    return mli_sink_commit(sink, err);
}

ml_status ml_report_save_file(const ml_report *report, const char *path, ml_error *error)
{
    mli_sink *sink = NULL;
    if (!report) return mli_null(error, "report");
    if (!path) return mli_null(error, "path");
    ml_status st = mli_sink_open(report->ctx, path, 0, &sink, error);
    return st < 0 ? st : write_and_commit(report, sink, error);
}

ml_status ml_report_save_io(const ml_report *report, const ml_io *io, ml_error *error)
{
    mli_sink *sink = NULL;
    if (!report) return mli_null(error, "report");
    if (!io) return mli_null(error, "io");
    ml_status st = mli_sink_open_io(report->ctx, io, &sink, error);
    return st < 0 ? st : write_and_commit(report, sink, error);
}
