/* SPDX-License-Identifier: MIT
 *
 * data/aggregate_parse.c: "name = function(column) over span" to an aggregate.
 */
#include "core/text.h"
#include "data/aggregate.h"

#include <math.h>
#include <string.h>

static const char *const functions[MLI_AGG_FUNCTIONS] = {
    "count",  "missing", "distinct", "sum",   "mean", "std", "var",
    "median", "min",     "max",      "first", "last", "mode"};

static const struct {
    const char *alias, *name;
} aliases[] = {{"avg", "mean"},
               {"average", "mean"},
               {"n", "count"},
               {"stddev", "std"},
               {"sd", "std"},
               {"variance", "var"},
               {"nunique", "distinct"},
               {"n_unique", "distinct"},
               {"most_frequent", "mode"}};

static const char *skip(const char *s)
{
    while (*s == ' ' || *s == '\t' || *s == '\n') s++;
    return s;
}

static const char *trimmed(const char *begin, const char *end)
{
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n')) end--;
    return end;
}

static ml_status mistake(const char *text, const char *at, const char *what,
                         ml_error *err)
{
    mli_fail(err, ML_E_PARSE, "%s", what);
    mli_error_at(err, ML_E_PARSE, "params.aggregates, \"%s\", character %d", text,
                 (int)(at - text) + 1);
    return mli_error_hint(err, ML_E_PARSE,
                          "write \"name = function(column)\", such as "
                          "\"spent = sum(amount) over 30d\"");
}

static ml_status find_function(const char *text, const char *word, mli_aggregate *out,
                               ml_error *err)
{
    const char *name = word;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (mli_same_word(word, aliases[i].alias)) name = aliases[i].name;
    for (int i = 0; i < MLI_AGG_FUNCTIONS; i++) {
        if (!mli_same_word(name, functions[i])) continue;
        out->function = i;
        return ML_OK;
    }
    char all[160];
    const char *near = mli_nearest(word, functions, MLI_AGG_FUNCTIONS);
    mli_fail(err, ML_E_NAME, "there is no function \"%s\"", word);
    mli_error_at(err, ML_E_NAME, "params.aggregates, \"%s\"", text);
    if (near) return mli_error_hint(err, ML_E_NAME, "did you mean \"%s\"?", near);
    mli_join(all, sizeof all, functions, MLI_AGG_FUNCTIONS);
    return mli_error_hint(err, ML_E_NAME, "the functions are %s", all);
}

/* The name of the column between parentheses; *end is behind it. */
static ml_status read_column(const ml_table *t, const char *text, const char *s,
                             const char **end, mli_aggregate *out, ml_error *err)
{
    const char *close, *stop;
    s = skip(s);
    if (*s == '"' || *s == '`') {
        close = strchr(s + 1, *s);
        if (!close) return mistake(text, s, "the name of a column does not end", err);
        stop = close++;
        s++;
    } else {
        close = strchr(s, ')');
        if (!close) return mistake(text, s, "a ) is missing", err);
        stop = trimmed(s, close);
    }
    close = skip(close);
    if (*close != ')') return mistake(text, close, "a ) is missing", err);
    *end = close + 1;
    if (stop == s) return ML_OK;
    mli_str name;
    mli_str_init(&name, t->ctx);
    mli_str_add_n(&name, s, (size_t)(stop - s));
    const char *const one[] = {name.data};
    ml_status status = name.failed ? mli_nomem(err)
                                   : mli_columns_named(t, one, 1, "the table",
                                                       "aggregates", &out->column, err);
    mli_str_free(&name);
    return status;
}

static ml_status check_types(const char *text, const mli_aggregate *a, ml_error *err)
{
    int numbers = a->function >= MLI_AGG_SUM && a->function <= MLI_AGG_MEDIAN;
    if (!a->column && a->function != MLI_AGG_COUNT)
        return mistake(text, text, "only count works without a column", err);
    if (!numbers || mli_type_is_number(a->column->type)) return ML_OK;
    mli_fail(err, ML_E_TYPE, "%s takes numbers, \"%s\" is %s", functions[a->function],
             a->column->name, mli_type_name(a->column->type));
    return mli_error_at(err, ML_E_TYPE, "params.aggregates, \"%s\"", text);
}

static ml_status name_it(const ml_table *t, const char *begin, const char *end,
                         mli_aggregate *a, ml_error *err)
{
    mli_str name;
    mli_str_init(&name, t->ctx);
    if (end > begin) {
        mli_str_add_n(&name, begin, (size_t)(end - begin));
    } else {
        if (a->column) mli_str_printf(&name, "%s_", a->column->name);
        mli_str_add(&name, functions[a->function]);
        if (a->span[0]) mli_str_printf(&name, "_%s", a->span);
    }
    a->name = mli_str_take(&name);
    return a->name ? ML_OK : mli_nomem(err);
}

ml_status mli_aggregate_parse(const ml_table *t, const char *text, mli_aggregate *out,
                              ml_error *err)
{
    char word[32];
    const char *s = skip(text), *open = strchr(s, '('), *equal = strchr(s, '=');
    const char *name = s, *name_end = s;
    *out = (mli_aggregate){.window = INFINITY};
    if (equal && (!open || equal < open)) {
        name_end = trimmed(name, equal);
        s = skip(equal + 1);
    }
    if (!open) return mistake(text, s, "a function with ( is missing", err);
    const char *end = trimmed(s, open);
    if (end == s || (size_t)(end - s) >= sizeof word)
        return mistake(text, s, "the name of a function is missing", err);
    memcpy(word, s, (size_t)(end - s));
    word[end - s] = 0;
    ml_status status = find_function(text, word, out, err);
    if (!status) status = read_column(t, text, open + 1, &s, out, err);
    if (!status) status = check_types(text, out, err);
    if (status) return status;
    s = skip(s);
    if (strncmp(s, "over ", 5) == 0) {
        s = skip(s + 5);
        size_t size = (size_t)(trimmed(s, s + strlen(s)) - s);
        if (size == 0 || size >= sizeof out->span)
            return mistake(text, s, "a span such as 7d is missing", err);
        memcpy(out->span, s, size);
        s += strlen(s);
    }
    if (*s) return mistake(text, s, "something is left over", err);
    return name_it(t, name, name_end, out, err);
}
