/* SPDX-License-Identifier: MIT
 *
 * csv_write.c: tables as RFC 4180 text that reads back as the same table.
 *
 * Rows are formatted in parallel, a run of rows per task, and written in order. Quotes
 * stand only where they are needed: around delimiters, quotes, line ends, blanks at the
 * border, empty texts and texts that would be taken for missing values.
 */
#include "core/parallel.h"
#include "data/csv.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const mli_param params[] = {
    {"delimiter", "sep,separator,delim", ML_PARAM_STR, 0, ",", NULL, NULL, NULL,
     "The byte between fields, as itself or by name: comma, semicolon, tab, pipe.",
     "0.1"},
    {"header", NULL, ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Begin with a record of the names of the columns?", "0.1"},
    {"null_word", "na_rep,null_value", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "What stands for a missing value. Empty by default, and NA in tables of one column, "
     "whose missing values would be blank lines else.",
     "0.1"},
    {"quote_all", NULL, ML_PARAM_BOOL, 0, "false", NULL, NULL, NULL,
     "Put quotes around every name and every text, needed or not?", "0.1"},
    {"newline", "line_terminator,lineterminator", ML_PARAM_STR, 0, "lf", "{lf, crlf}",
     NULL, NULL, "The line end.", "0.1"},
    {0}};

extern const mli_descriptor mli_options_csv_write;
const mli_descriptor mli_options_csv_write = {
    .name = "options.csv_write",
    .title = "Writing CSV",
    .doc = "How a table becomes delimited text. Numbers are written in the shortest form "
           "that reads back as the same number; reals always have a point or an "
           "exponent, so that they stay reals. Dates and times are in ISO 8601.",
    .family = "data",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = params,
};

#define TASK_CELLS 16384 /* cells formatted by one task, about */
#define TASKS      16    /* formatted before they are written */

/* Levels of a category, ready to be written. */
typedef struct levels {
    mli_str text;
    size_t *ends; /* [n_levels] */
} levels;

typedef struct writer {
    const ml_table *table;
    ml_context *ctx;
    ml_params *params;
    char delimiter;
    const char *null_word, *newline;
    int header, quote_all;
    mli_csv_nulls nulls; /* the reader's default */
    ml_params *reader;
    levels *levels;           /* [n_columns] */
    mli_str *pieces;          /* [TASKS] */
    int64_t task_rows, first; /* rows of a task, first row of the round */
} writer;

/* ---- one cell ---- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int needs_quotes(const writer *w, const char *text, size_t size)
{
    if (w->quote_all || size == 0) return 1;
    if (is_blank(text[0]) || is_blank(text[size - 1]) || text[0] == '#') return 1;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == w->delimiter || c == '"' || c == '\n' || c == '\r') return 1;
    }
    if (mli_csv_is_null(&w->nulls, text, size)) return 1;
    return strlen(w->null_word) == size && memcmp(text, w->null_word, size) == 0;
}

static void put_text(const writer *w, mli_str *s, const char *text, size_t size)
{
    if (!needs_quotes(w, text, size)) {
        mli_str_add_n(s, text, size);
        return;
    }
    mli_str_char(s, '"');
    const char *end = text + size;
    while (text < end) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        const char *stop = quote ? quote + 1 : end;
        mli_str_add_n(s, text, (size_t)(stop - text));
        if (quote) mli_str_char(s, '"');
        text = stop;
    }
    mli_str_char(s, '"');
}

/* A real in text that is not taken for an integer. */
static void put_real(mli_str *s, double v)
{
    char text[MLI_NUM_SIZE];
    int n = mli_format_f64(v, text), whole = 1;
    for (int i = 0; i < n; i++)
        whole &= text[i] == '-' || (text[i] >= '0' && text[i] <= '9');
    mli_str_add_n(s, text, (size_t)n);
    if (whole) mli_str_add_n(s, ".0", 2);
}

/* A float needs fewer digits than the same number as a double. */
static void put_float(mli_str *s, float v)
{
    size_t begin = s->size;
    int least =
        fabsf(v) < FLT_MIN ? 1 : 6; /* six never tell too much, but in subnormals */
    for (int digits = least; digits <= 9 && isfinite(v); digits++) {
        double back;
        s->size = begin;
        mli_str_short(s, v, digits);
        if (s->failed || !mli_parse_f64(s->data + begin, s->data + s->size, &back)) break;
        if ((float)back != v) continue;
        if (!memchr(s->data + begin, '.', s->size - begin) &&
            !memchr(s->data + begin, 'e', s->size - begin))
            mli_str_add_n(s, ".0", 2);
        return;
    }
    s->size = begin;
    put_real(s, v);
}

static void put_cell(const writer *w, mli_str *s, int64_t column, int64_t row)
{
    const mli_column *c = &w->table->columns[column];
    const levels *l = &w->levels[column];
    size_t size = 0;
    const char *text;
    if (!mli_column_valid(c, row)) {
        mli_str_add(s, w->null_word);
        return;
    }
    switch (c->type) {
    case ML_DTYPE_F64: {
        double v = ((const double *)c->data)[row * c->stride];
        if (v != v)
            mli_str_add(s, w->null_word);
        else
            put_real(s, v);
        return;
    }
    case ML_DTYPE_F32: {
        float v = ((const float *)c->data)[row * c->stride];
        if (v != v)
            mli_str_add(s, w->null_word);
        else
            put_float(s, v);
        return;
    }
    case ML_DTYPE_I64:
        mli_str_i64(s, ((const int64_t *)c->data)[row * c->stride]);
        return;
    case ML_TYPE_CATEGORY: {
        int32_t code = ((const int32_t *)c->data)[row];
        if (code < 0 || code >= c->n_levels) {
            mli_str_add(s, w->null_word);
        } else {
            size_t begin = code ? l->ends[code - 1] : 0;
            mli_str_add_n(s, l->text.data + begin, l->ends[code] - begin);
        }
        return;
    }
    case ML_TYPE_TEXT:
        text = mli_column_text(c, row, &size);
        put_text(w, s, text ? text : "", size);
        return;
    default:
        mli_column_print(c, row, s);
    }
}

/* ---- rows ---- */

static void format_task(void *arg, int64_t task, int32_t slot)
{
    writer *w = arg;
    mli_str *s = &w->pieces[task];
    int64_t begin = w->first + task * w->task_rows, end = begin + w->task_rows;
    (void)slot;
    if (end > w->table->rows) end = w->table->rows;
    mli_str_clear(s);
    for (int64_t row = begin; row < end; row++) {
        for (int64_t i = 0; i < w->table->n_columns; i++) {
            if (i) mli_str_char(s, w->delimiter);
            put_cell(w, s, i, row);
        }
        mli_str_add(s, w->newline);
    }
}

static ml_status write_header(const writer *w, mli_sink *sink, ml_error *err)
{
    if (!w->header) return ML_OK;
    mli_str *s = &w->pieces[0];
    for (int64_t i = 0; i < w->table->n_columns; i++) {
        const char *name = w->table->columns[i].name;
        if (i) mli_str_char(s, w->delimiter);
        put_text(w, s, name, strlen(name));
    }
    mli_str_add(s, w->newline);
    return s->failed ? mli_nomem(err) : mli_sink_write(sink, s->data, s->size, err);
}

static ml_status write_rows(writer *w, mli_sink *sink, ml_error *err)
{
    int64_t rows = w->table->rows;
    for (; w->first < rows; w->first += TASKS * w->task_rows) {
        int64_t tasks = mli_task_count(rows - w->first, w->task_rows);
        if (tasks > TASKS) tasks = TASKS;
        mli_parallel(w->ctx, tasks, format_task, w);
        for (int64_t t = 0; t < tasks; t++) {
            const mli_str *s = &w->pieces[t];
            if (s->failed) return mli_nomem(err);
            ml_status st = mli_sink_write(sink, s->data, s->size, err);
            if (st != ML_OK) return st;
        }
    }
    return ML_OK;
}

/* ---- begin and end ---- */

static ml_status make_levels(writer *w, ml_error *err)
{
    for (int64_t i = 0; i < w->table->n_columns; i++) {
        const mli_column *c = &w->table->columns[i];
        levels *l = &w->levels[i];
        mli_str_init(&l->text, w->ctx);
        if (c->type != ML_TYPE_CATEGORY) continue;
        l->ends = mli_calloc(w->ctx, (size_t)c->n_levels + 1, sizeof *l->ends);
        if (!l->ends) return mli_nomem(err);
        for (int64_t k = 0; k < c->n_levels; k++) {
            const int64_t *o = c->level_offsets + k;
            put_text(w, &l->text, c->levels + o[0], (size_t)(o[1] - o[0]));
            l->ends[k] = l->text.size;
        }
        if (l->text.failed) return mli_nomem(err);
    }
    return ML_OK;
}

static ml_status read_options(writer *w, const ml_params *options, ml_error *err)
{
    ml_status st =
        mli_params_resolve(w->ctx, &mli_options_csv_write, options, &w->params, err);
    if (st != ML_OK) return st;
    const char *delimiter = mli_get_str(w->params, "delimiter");
    char c = mli_csv_symbol(delimiter);
    if (c == 0 || c == '"' || c == '\n' || c == '\r' || (c & 0x80)) {
        mli_fail(err, ML_E_RANGE, "\"%s\" is no usable delimiter", delimiter);
        mli_error_at(err, ML_E_RANGE, "params.delimiter");
        return mli_error_hint(err, ML_E_RANGE, "use comma, semicolon, tab or pipe");
    }
    w->delimiter = c;
    w->header = mli_get_bool(w->params, "header");
    w->quote_all = mli_get_bool(w->params, "quote_all");
    w->newline = mli_get_enum(w->params, "newline", "lf,crlf") ? "\r\n" : "\n";
    w->null_word = mli_get_str(w->params, "null_word");
    if (!w->null_word[0] && w->table->n_columns == 1) w->null_word = "NA";
    if (strpbrk(w->null_word, "\"\r\n") || strchr(w->null_word, c)) {
        mli_fail(err, ML_E_RANGE, "null_word contains a delimiter, quote or line end");
        mli_error_at(err, ML_E_RANGE, "params.null_word");
        return mli_error_hint(err, ML_E_RANGE, "use a plain word such as NA");
    }
    return ML_OK;
}

static ml_status open_writer(writer *w, const ml_params *options, ml_error *err)
{
    mli_csv_options reader;
    ml_status st = read_options(w, options, err);
    if (st == ML_OK) st = mli_csv_options_read(w->ctx, NULL, &reader, err);
    if (st != ML_OK) return st;
    w->nulls = reader.nulls;
    w->reader = reader.params;
    int64_t n = w->table->n_columns;
    w->levels = mli_calloc(w->ctx, (size_t)n + 1, sizeof *w->levels);
    w->pieces = mli_calloc(w->ctx, TASKS, sizeof *w->pieces);
    if (!w->levels || !w->pieces) return mli_nomem(err);
    for (int64_t t = 0; t < TASKS; t++) mli_str_init(&w->pieces[t], w->ctx);
    w->task_rows = TASK_CELLS / (n ? n : 1) + 1;
    return make_levels(w, err);
}

static void close_writer(writer *w)
{
    for (int64_t i = 0; w->levels && i < w->table->n_columns; i++) {
        if (w->levels[i].text.data) mli_str_free(&w->levels[i].text);
        mli_free(w->ctx, w->levels[i].ends);
    }
    for (int64_t t = 0; w->pieces && t < TASKS; t++) {
        if (w->pieces[t].data) mli_str_free(&w->pieces[t]);
    }
    mli_free(w->ctx, w->levels);
    mli_free(w->ctx, w->pieces);
    ml_params_free(w->params);
    ml_params_free(w->reader);
}

static int ends_in_gz(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && mli_same_word(path + n - 3, ".gz");
}

static ml_status write_csv(const ml_table *table, const char *path, const ml_io *io,
                           const ml_params *options, ml_error *err)
{
    writer w = {.ctx = table->ctx};
    mli_sink *sink = NULL;
    ml_table *plain = NULL;
    ml_status st = mli_table_plain(table, &plain, err);
    if (st != ML_OK) return st;
    w.table = plain;
    st = open_writer(&w, options, err);
    if (st == ML_OK) {
        st = path ? mli_sink_open(w.ctx, path, ends_in_gz(path), &sink, err)
                  : mli_sink_open_io(w.ctx, io, &sink, err);
    }
    if (st == ML_OK) st = write_header(&w, sink, err);
    if (st == ML_OK) st = write_rows(&w, sink, err);
    if (st == ML_OK)
        st = mli_sink_commit(sink, err);
    else
        mli_sink_abort(sink);
    close_writer(&w);
    ml_table_free(plain);
    return st;
}

ml_status ml_table_write_csv(const ml_table *table, const char *path,
                             const ml_params *options, ml_error *error)
{
    if (!table) return mli_null(error, "table");
    if (!path) return mli_null(error, "path");
    return write_csv(table, path, NULL, options, error);
}

ml_status ml_table_write_csv_io(const ml_table *table, const ml_io *io,
                                const ml_params *options, ml_error *error)
{
    if (!table) return mli_null(error, "table");
    if (!io || !io->write) return mli_null(error, io ? "io->write" : "io");
    return write_csv(table, NULL, io, options, error);
}
