/* SPDX-License-Identifier: MIT
 *
 * csv_options.c: the options of the CSV reader.
 */
#include "data/csv.h"

#include <string.h>

#define NULL_WORDS                                                                       \
    "[\"\", \"NA\", \"N/A\", \"n/a\", \"#N/A\", \"<NA>\", \"NaN\", \"nan\", \"-NaN\", "  \
    "\"-nan\", \"NULL\", \"null\", \"None\", \"?\"]"

static const mli_param params[] = {
    {"delimiter", "sep,separator,delim", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "The byte between fields, as itself or by name: comma, semicolon, tab, pipe, colon, "
     "space. space means runs of spaces and tabs. Detected when not given: comma, "
     "semicolon, tab or pipe, or space when none of these makes columns.",
     "0.1"},
    {"quote", "quote_char,quotechar", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "The byte around fields that contain delimiters or line ends, or none. It means "
     "something only at the begin of a field. Detected when not given: double quotes, or "
     "single quotes, or none when quotes do not pair up. "
     "A quote that stays open to the end of the file is an error.",
     "0.1"},
    {"escape", "escapechar,escape_char", ML_PARAM_STR, 0, "auto",
     "{auto, double, backslash}", NULL, NULL,
     "How a quote inside a quoted field is written: doubled, or behind a backslash "
     "(which "
     "then also protects delimiters and line ends outside quotes).",
     "0.1"},
    {"header", NULL, ML_PARAM_STR, 0, "auto", "{auto, yes, no}", NULL, NULL,
     "Does the first record hold the names of the columns? auto: yes, unless it holds a "
     "number, a date or a boolean where the records below hold such too. Without a "
     "header columns are called column_1, column_2 and so on. Empty names are filled in "
     "the same way; a name that occurs again gets _2, _3 and so on.",
     "0.1"},
    {"null_words", "na_values,null_values,nullstr", ML_PARAM_STRS, 0, NULL_WORDS, NULL,
     NULL, NULL,
     "Unquoted fields that stand for a missing value. In quotes they are text; in "
     "columns "
     "of other types than text they are missing there too. An empty field is missing in "
     "these in any case.",
     "0.1"},
    {"comment", "comment_prefix", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Lines that begin with this text are left out.", "0.1"},
    {"skip_rows", "skip,skiprows,skip_lines", ML_PARAM_I64, 0, "0", "[0, inf)", NULL,
     NULL, "Lines to leave out at the begin of the file, before the header.", "0.1"},
    {"max_rows", "n_rows,nrows,limit", ML_PARAM_I64, 0, "0", "[0, inf)", NULL, NULL,
     "Read at most so many records; 0 reads all.", "0.1"},
    {"columns", "usecols,select", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL, NULL, NULL,
     "Names of the columns to read, in the wanted order. All when not given.", "0.1"},
    {"types", "dtypes,column_types,dtype", ML_PARAM_STRS, MLI_FLAG_NULLABLE, "", NULL,
     NULL, NULL,
     "Types that are not to be detected, as name:type. Types: bool (also 0/1, yes/no, "
     "t/f), i64, f64, date, timestamp, text, category. A value that does not fit is an "
     "error.",
     "0.1"},
    {"strings", "string_type", ML_PARAM_STR, 0, "auto", "{auto, text, category}", NULL,
     NULL,
     "The type of columns of text. auto: category when values repeat (at most half as "
     "many distinct ones as values) and there are at most 1000 distinct ones or 5 % of "
     "the values; else text.",
     "0.1"},
    {"max_categories", NULL, ML_PARAM_I64, MLI_FLAG_EXPERT, "65536", "[1, 2147483647]",
     NULL, "strings == auto", "More distinct values than this make a column text.",
     "0.1"},
    {"date_order", NULL, ML_PARAM_STR, 0, "auto", "{auto, month_first, day_first}", NULL,
     NULL,
     "How dates other than 2024-12-31 are read: 12/31/2024, 31.12.2024, 2024/12/31, "
     "31-Dec-2024, December 31, 2024, with a time such as 8:30 PM if wanted. auto: in "
     "the one order that fits all values of a column, or a column that fits only one; "
     "texts where both fit and differ.",
     "0.1"},
    {"decimal", "decimal_point,decimal_separator", ML_PARAM_STR, 0, "auto",
     "{auto, point, comma}", NULL, NULL,
     "The decimal mark. auto: the point; in files with semicolons between fields, a "
     "column of numbers with commas is read as such too.",
     "0.1"},
    {"thousands", "thousands_separator", ML_PARAM_STR, MLI_FLAG_NULLABLE, "", NULL, NULL,
     NULL,
     "The mark between groups of three digits, such as comma, point, space or '. None "
     "when not given.",
     "0.1"},
    {"trim", "skipinitialspace,strip", ML_PARAM_BOOL, 0, "true", NULL, NULL, NULL,
     "Do blanks around unquoted fields not count?", "0.1"},
    {"on_ragged", "on_bad_lines", ML_PARAM_STR, 0, "error", "{error, fill, skip}", NULL,
     NULL,
     "What to do with a record that has more or fewer fields than the header: give up, "
     "fill up with missing values (and drop what is too much), or leave it out.",
     "0.1"},
    {"encoding", NULL, ML_PARAM_STR, 0, "utf8", "{utf8, latin1}", NULL, NULL,
     "The encoding of the text. latin1 is read as Windows-1252, its common extension.",
     "0.1"},
    {"spill", "spill_folder,spill_dir,temp_directory", ML_PARAM_STR, MLI_FLAG_NULLABLE,
     "", NULL, NULL, NULL,
     "For tables larger than memory: a folder, on a disk, in which the values of the "
     "table are kept, in a temporary file that is gone with the table. Memory when not "
     "given.",
     "0.1"},
    {0}};

extern const mli_descriptor mli_options_csv;
const mli_descriptor mli_options_csv = {
    .name = "options.csv",
    .title = "Reading CSV",
    .doc = "How delimited text becomes a table. Everything is detected unless given. "
           "Types are found from all values of a column: bool (true, false in any case), "
           "i64, f64, date (2024-12-31), timestamp (2024-12-31 23:59:59, with T, "
           "fractions and time zone if wanted; other orders: date_order), else category "
           "or text. Amounts such as $1,234.50, 12 %, or 1.234,50 with the sign of the "
           "euro are f64 without the signs, where all values of a column can be read in "
           "one way only. Integers with "
           "leading zeros are text, since they are names of things, not numbers; so are "
           "integers beyond 64 bits, unless the column holds reals as well. A quoted "
           "empty field is an empty text in a column of text, else missing. Blank lines "
           "are left out.",
    .family = "data",
    .since = "0.1",
    .sort = MLI_SORT_OPTIONS,
    .params = params,
};

static const struct {
    const char *name;
    char symbol;
} symbols[] = {{"comma", ','},  {"semicolon", ';'}, {"tab", '\t'},  {"\\t", '\t'},
               {"pipe", '|'},   {"colon", ':'},     {"space", ' '}, {"point", '.'},
               {"double", '"'}, {"single", '\''},   {"blank", ' '}, {"dot", '.'}};

char mli_csv_symbol(const char *text)
{
    if (text[0] && !text[1]) return text[0];
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        if (mli_same_word(text, symbols[i].name)) return symbols[i].symbol;
    }
    return 0;
}

const char *mli_csv_symbol_name(char c, char buffer[8])
{
    if (c == ' ') return "space";
    if (c == '\t') return "tab";
    buffer[0] = buffer[2] = '\'';
    buffer[1] = c;
    buffer[3] = 0;
    return buffer;
}

static ml_status bad_symbol(ml_error *err, const char *option, const char *text)
{
    mli_fail(err, ML_E_RANGE, "%s is \"%s\", which is no single usable byte", option,
             text);
    mli_error_at(err, ML_E_RANGE, "params.%s", option);
    return mli_error_hint(err, ML_E_RANGE,
                          "give one ASCII character, or a name such as comma, tab, pipe");
}

/* An option that is one byte; *out is left alone when it is not set. */
static ml_status read_symbol(const mli_csv_options *o, const char *option, char *out,
                             ml_error *err)
{
    const char *text = mli_get_str(o->params, option);
    if (!text[0]) return ML_OK;
    char c = mli_csv_symbol(text);
    if (c == 0 || c == '\n' || c == '\r' || c == '\\' || (c & 0x80)) {
        return bad_symbol(err, option, text);
    }
    *out = c;
    return ML_OK;
}

static ml_status read_quote(mli_csv_options *o, ml_error *err)
{
    const char *text = mli_get_str(o->params, "quote");
    if (mli_same_word(text, "none")) {
        o->auto_quote = 0;
        return ML_OK;
    }
    char c = 0;
    ml_status st = read_symbol(o, "quote", &c, err);
    if (c == ' ' || c == '\t') return bad_symbol(err, "quote", text);
    o->auto_quote = c == 0;
    o->dialect.quote = c;
    return st;
}

/* Could a word pass for a number if one did not look at the words first? */
static int looks_numeric(const char *word)
{
    double v;
    return word[0] && mli_read_f64(word, &v) && v == v;
}

static void read_nulls(mli_csv_options *o)
{
    mli_csv_nulls *n = &o->nulls;
    n->count = mli_get_strs(o->params, "null_words", &n->words);
    for (int64_t i = 0; i < n->count; i++) {
        size_t size = strlen(n->words[i]);
        if (size == 0) n->empty = 1;
        if (size > n->longest) n->longest = size;
        if (looks_numeric(n->words[i])) n->numeric = 1;
        n->first[(uint8_t)n->words[i][0]] = 1;
    }
}

static ml_status clash(ml_error *err, const char *a, const char *b)
{
    mli_fail(err, ML_E_RANGE, "%s and %s are the same", a, b);
    mli_error_at(err, ML_E_RANGE, "params.%s", a);
    return mli_error_hint(err, ML_E_RANGE, "give them different characters");
}

static ml_status read_symbols(mli_csv_options *o, ml_error *err)
{
    mli_csv_dialect *d = &o->dialect;
    ml_status st = read_symbol(o, "delimiter", &d->delimiter, err);
    if (st == ML_OK) st = read_quote(o, err);
    if (st == ML_OK) st = read_symbol(o, "thousands", &d->thousands, err);
    if (st != ML_OK) return st;
    o->auto_delimiter = d->delimiter == 0;
    static const char marks[] = {0, '.', ','};
    d->decimal = marks[mli_get_enum(o->params, "decimal", "auto,point,comma")];
    if (d->delimiter && d->delimiter == d->quote) return clash(err, "quote", "delimiter");
    if (d->thousands && d->thousands == (d->decimal ? d->decimal : '.')) {
        return clash(err, "thousands", "decimal");
    }
    return ML_OK;
}

ml_status mli_csv_options_read(ml_context *ctx, const ml_params *given,
                               mli_csv_options *out, ml_error *err)
{
    *out = (mli_csv_options){0};
    ml_status st = mli_params_resolve(ctx, &mli_options_csv, given, &out->params, err);
    if (st != ML_OK) return st;
    const ml_params *p = out->params;
    st = read_symbols(out, err);
    if (st != ML_OK) {
        mli_csv_options_free(out);
        return st;
    }
    static const int headers[] = {MLI_CSV_AUTO, 1, 0};
    int escape = mli_get_enum(p, "escape", "auto,double,backslash");
    out->auto_escape = escape == 0;
    out->dialect.escape = escape == 2 ? '\\' : 0;
    out->dialect.comment = mli_get_str(p, "comment");
    out->dialect.comment_size = strlen(out->dialect.comment);
    out->dialect.trim = mli_get_bool(p, "trim");
    out->header = headers[mli_get_enum(p, "header", "auto,yes,no")];
    out->on_ragged = mli_get_enum(p, "on_ragged", "error,fill,skip");
    out->spill = mli_get_str(p, "spill");
    out->latin1 = mli_get_enum(p, "encoding", "utf8,latin1") == 1;
    out->strings = mli_get_enum(p, "strings", "auto,text,category");
    out->date_order = mli_get_enum(p, "date_order", "auto,month_first,day_first");
    out->skip_rows = mli_get_i64(p, "skip_rows");
    out->max_rows = mli_get_i64(p, "max_rows");
    out->max_categories = mli_get_i64(p, "max_categories");
    out->n_types = mli_get_strs(p, "types", &out->types);
    out->n_columns = mli_get_strs(p, "columns", &out->columns);
    read_nulls(out);
    return ML_OK;
}

void mli_csv_options_free(mli_csv_options *o)
{
    ml_params_free(o->params);
    *o = (mli_csv_options){0};
}
