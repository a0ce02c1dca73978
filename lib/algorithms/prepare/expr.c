/* SPDX-License-Identifier: MIT
 *
 * prepare/expr.c: compiling by recursive descent, lowest precedence first:
 *
 *     or := and { "or" and }            and := not { "and" not }
 *     not := "not" not | test           test := sum [ comparison ]
 *     sum := product { + - product }    product := power { * / % power }
 *     power := unary [ ^ power ]        unary := - unary | primary
 *
 * Columns of categories and texts are held back until a comparison takes them.
 */
#include "algorithms/prepare/expr_code.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEEPEST 100 /* nested parentheses */
#define MOST    100000

/* What a piece of the text is: a number on the stack, or held back. Numbers of dates and
 * times have a unit; a point is a date or time, else it is a distance of two. What may be
 * no whole number makes a time of a date that it is added to. */
typedef struct {
    enum { NUMBER, CATEGORY, TEXT } kind;
    int64_t feature;
    const char *text;
    size_t size;
    enum { PLAIN, DAYS, MICROS } unit;
    int point, fraction;
} piece;

typedef struct {
    const mli_inputs *in;
    mli_expr *e;
    const char *text, *at;
    int depth, stack;
    ml_status status;
    ml_error *err;
} parser;

static piece parse_or(parser *p);

/* Inlined into every failure it would be 17 KB. */
__attribute__((noinline)) static void place(parser *p, const char *at)
{
    int character = 1;
    for (const char *c = p->text; c < at; c++) character += (*c & 0xc0) != 0x80;
    mli_error_at(p->err, ML_E_PARSE, "\"%s\", character %d", p->text, character);
}

static void fail(parser *p, const char *at, const char *format, const char *what)
{
    if (p->status) return;
    p->status = mli_fail(p->err, ML_E_PARSE, format, what);
    place(p, at);
}

static void emit(parser *p, int32_t code, int64_t arg, double value)
{
    mli_expr *e = p->e;
    if (p->status) return;
    p->stack += code <= SOME ? 1 : code == IF ? -2 : takes_two(code) ? -1 : 0;
    if (p->stack > MLI_EXPR_STACK || e->n == MOST) {
        fail(p, p->at, "the expression is too large%s", "");
        return;
    }
    if (e->n == e->capacity) {
        int64_t capacity = e->capacity ? 2 * e->capacity : 16;
        op *grown = e->ops ? mli_realloc(e->ctx, e->ops, (size_t)capacity * sizeof *grown)
                           : mli_alloc(e->ctx, (size_t)capacity * sizeof *grown);
        if (!grown) {
            p->status = mli_nomem(p->err);
            return;
        }
        e->ops = grown;
        e->capacity = capacity;
    }
    e->ops[e->n++] = (op){.code = code, .arg = (int32_t)arg, .value = value};
}

/* The level of a category, or whether there is a text: missing where it is. */
static void emit_presence(parser *p, int64_t feature)
{
    const mli_feature *f = &p->in->features[feature];
    emit(p, f->kind == MLI_TEXT ? SOME : LEVEL, feature, (double)f->levels.n);
}

static void skip(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n') p->at++;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c & 0x80;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t word_size(const char *at)
{
    size_t n = 0;
    if (!is_letter(*at)) return 0;
    while (is_letter(at[n]) || is_digit(at[n])) n++;
    return n;
}

/* Takes a sign if it comes next. */
static int take(parser *p, const char *sign)
{
    skip(p);
    size_t n = strlen(sign);
    if (strncmp(p->at, sign, n) != 0) return 0;
    p->at += n;
    return 1;
}

/* Takes a word, in either case. */
static int take_word(parser *p, const char *word)
{
    char own[16];
    skip(p);
    size_t n = word_size(p->at);
    if (n == 0 || n >= sizeof own) return 0;
    memcpy(own, p->at, n);
    own[n] = 0;
    if (!mli_same_word(own, word)) return 0;
    p->at += n;
    return 1;
}

static void need(parser *p, const char *sign)
{
    if (p->status || take(p, sign)) return;
    fail(p, p->at, "\"%s\" is missing here", sign);
    if (!*p->at && *sign == ')')
        mli_error_hint(p->err, p->status, "in lists quote what has a comma");
}

static void not_a_number(parser *p, const mli_feature *f, const char *at)
{
    if (p->status) return;
    p->status = mli_fail(p->err, ML_E_PARSE,
                         "%s is a %s: compare it with a text in quotes: %s = 'x'",
                         f->name, f->kind == MLI_TEXT ? "text" : "category", f->name);
    place(p, at);
}

/* Only numbers can be calculated with. */
static void number(parser *p, const piece *x, const char *at)
{
    if (x->kind == CATEGORY)
        not_a_number(p, &p->in->features[x->feature], at);
    else if (x->kind == TEXT)
        fail(p, at,
             "a text can only be compared with a column of categories, texts, dates or "
             "times%s",
             "");
}

/* What has the units of two numbers: a plain one takes that of the other. */
static piece joined(parser *p, const piece *x, const piece *y, const char *at)
{
    if (!p->status && x->unit && y->unit && x->unit != y->unit) {
        fail(p, at, "days of a date and microseconds of a time are mixed%s", "");
        mli_error_hint(p->err, p->status, "multiply the days by 86400e6");
    }
    return (piece){.unit = x->unit ? x->unit : y->unit,
                   .point = x->point || y->point,
                   .fraction = x->fraction || y->fraction};
}

static piece column(parser *p, const char *name, size_t size, const char *at)
{
    const char *near = NULL;
    char own[256];
    snprintf(own, sizeof own, "%.*s", (int)size, name);
    for (int64_t j = 0; j < p->in->n_features; j++) {
        const mli_feature *f = &p->in->features[j];
        if (strcmp(f->name, own) == 0) {
            if (f->kind != MLI_NUMERIC) return (piece){.kind = CATEGORY, .feature = j};
            emit(p, LOAD, j, 0);
            piece x = {.unit = f->type == ML_TYPE_DATE        ? DAYS
                               : f->type == ML_TYPE_TIMESTAMP ? MICROS
                                                              : PLAIN};
            x.point = x.unit != PLAIN;
            x.fraction = f->type == ML_DTYPE_F64 || f->type == ML_DTYPE_F32;
            return x;
        }
        const char *pair[2] = {f->name, near};
        near = mli_nearest(own, pair, near ? 2 : 1);
    }
    if (!p->status) {
        fail(p, at, "there is no column \"%s\"", own);
        if (p->in->target && strcmp(own, p->in->target) == 0)
            mli_error_hint(p->err, p->status, "it is the target: no feature");
        else if (near)
            mli_error_hint(p->err, p->status, "did you mean \"%s\"?", near);
    }
    return (piece){.kind = NUMBER};
}

/* A date or time, in the unit of what it stands beside: its value. */
static double push_time(parser *p, const piece *beside, const piece *text)
{
    int32_t days;
    int64_t micros;
    double value = 0;
    char own[64];
    if (mli_parse_date(text->text, text->size, &days)) {
        value = beside->unit == DAYS ? days : days * DAY;
    } else if (mli_parse_timestamp(text->text, text->size, &micros)) {
        value = beside->unit == DAYS ? (double)micros / DAY : (double)micros;
    } else {
        snprintf(own, sizeof own, "%.*s", (int)(text->size < 40 ? text->size : 40),
                 text->text);
        fail(p, p->text + (text->text - p->e->text) - 1,
             "\"%s\" is no date or time, as 2024-01-31 or 2024-01-31 08:30:00", own);
    }
    emit(p, PUSH, 0, value);
    return value;
}

/* A text beside a date or time is one too. */
static void take_time(parser *p, const piece *beside, piece *text)
{
    if (!beside->point || text->kind != TEXT) return;
    double value = push_time(p, beside, text);
    *text = (piece){.unit = beside->unit, .point = 1, .fraction = value != floor(value)};
}

static const struct {
    const char *name;
    int32_t code, arguments; /* -1: two or more */
} functions[] = {{"if", IF, 3},       {"coalesce", COALESCE, -1},
                 {"min", MIN, -1},    {"max", MAX, -1},
                 {"pow", POW, 2},     {"abs", ABS, 1},
                 {"sqrt", SQRT, 1},   {"exp", EXP, 1},
                 {"log", LOG, 1},     {"ln", LOG, 1},
                 {"log1p", LOG1P, 1}, {"log2", LOG2, 1},
                 {"log10", LOG10, 1}, {"floor", FLOOR, 1},
                 {"ceil", CEIL, 1},   {"round", ROUND, 1},
                 {"sign", SIGN, 1},   {"is_missing", MISSING, 1}};

/* Functions whose value is in the unit of their arguments, from that number on; -1: it
 * has none. */
static int keeps_unit(int32_t code)
{
    int same = code == COALESCE || code == MIN || code == MAX || code == ABS ||
               code == FLOOR || code == CEIL || code == ROUND;
    return same ? 0 : code == IF ? 1 : -1;
}

static piece call(parser *p, const char *name, size_t size)
{
    const char *at = p->at - size;
    int found = -1, n = 0;
    piece made = {.kind = NUMBER};
    char own[32];
    snprintf(own, sizeof own, "%.*s", (int)size, name);
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        if (mli_same_word(functions[k].name, own)) found = (int)k;
    if (found < 0) {
        fail(p, at, "there is no function \"%s\"", own);
        mli_error_hint(p->err, p->status, "some are if, coalesce, min, max, abs, log");
        return made;
    }
    int32_t code = functions[found].code, want = functions[found].arguments;
    int first = keeps_unit(code);
    need(p, "(");
    do {
        skip(p);
        const char *begin = p->at;
        piece x = parse_or(p);
        if (code == MISSING && x.kind == CATEGORY) {
            emit_presence(p, x.feature);
            x.kind = NUMBER;
        }
        if (first >= 0 && n > first) take_time(p, &made, &x);
        number(p, &x, begin);
        if (first >= 0 && n >= first) made = n > first ? joined(p, &made, &x, begin) : x;
        if (++n > 1 && want < 0) emit(p, code, 0, 0);
    } while (!p->status && take(p, ","));
    need(p, ")");
    if (want < 0 ? n < 2 : n != want)
        fail(p, at, "%s has another number of arguments", functions[found].name);
    if (want >= 0) emit(p, code, 0, 0);
    made.fraction = first < 0 ? code == POW || (code >= SQRT && code <= LOG10)
                    : code >= FLOOR && code <= ROUND ? 0
                                                     : made.fraction;
    return made;
}

/* What is between quotes, one for two of them, in the expression's own text. */
static piece quoted(parser *p, char quote)
{
    const char *begin = p->at + 1, *end = strchr(begin, quote);
    while (end && end[1] == quote) end = strchr(end + 2, quote);
    if (!end) {
        fail(p, p->at, "a quote is not closed%s", "");
        return (piece){.kind = NUMBER};
    }
    char *own = p->e->text + (begin - p->text);
    size_t n = 0;
    for (const char *c = begin; c < end; c += *c == quote ? 2 : 1) own[n++] = *c;
    p->at = end + 1;
    if (quote == '\'') return (piece){.kind = TEXT, .text = own, .size = n};
    return column(p, own, n, begin - 1);
}

static piece parse_number(parser *p)
{
    const char *end = p->at;
    double v = 0;
    while (is_digit(*end) || *end == '.') end++;
    if ((*end == 'e' || *end == 'E') &&
        (is_digit(end[1]) || ((end[1] == '-' || end[1] == '+') && is_digit(end[2]))))
        for (end += 2; is_digit(*end);) end++;
    if (!mli_parse_f64(p->at, end, &v)) fail(p, p->at, "this is no number%s", "");
    p->at = end;
    emit(p, PUSH, 0, v);
    return (piece){.fraction = v != floor(v)};
}

static piece primary(parser *p)
{
    piece x = {.kind = NUMBER};
    skip(p);
    const char *at = p->at;
    size_t n = word_size(at);
    if (++p->depth > DEEPEST) fail(p, at, "the expression is too deep%s", "");
    if (p->status) {
    } else if (take(p, "(")) {
        x = parse_or(p);
        need(p, ")");
    } else if (*at == '\'' || *at == '"' || *at == '`') {
        x = quoted(p, *at);
    } else if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
        x = parse_number(p);
    } else if (take_word(p, "true") || take_word(p, "false")) {
        emit(p, PUSH, 0, (*at | 32) == 't');
    } else if (take_word(p, "missing") || take_word(p, "null")) {
        emit(p, PUSH, 0, NAN);
    } else if (n > 0) {
        p->at += n;
        skip(p);
        if (*p->at == '(') {
            p->at = at + n;
            x = call(p, at, n);
        } else {
            x = column(p, at, n, at);
        }
    } else {
        fail(p, at, *at ? "\"%.8s\" is not expected here" : "the expression ends early%s",
             *at ? at : "");
    }
    p->depth--;
    return x;
}

static piece unary(parser *p)
{
    skip(p);
    const char *at = p->at;
    if (!take(p, "-")) return primary(p);
    if (++p->depth > DEEPEST) fail(p, at, "the expression is too deep%s", "");
    piece x = p->status ? (piece){.kind = NUMBER} : unary(p);
    p->depth--;
    number(p, &x, at + 1);
    emit(p, NEG, 0, 0);
    return (piece){.unit = x.unit, .fraction = x.fraction};
}

static piece power(parser *p)
{
    const char *at = p->at;
    piece x = unary(p);
    if (p->status || !take(p, "^")) return x;
    number(p, &x, at);
    at = p->at;
    if (++p->depth > DEEPEST) fail(p, at, "the expression is too deep%s", "");
    piece y = p->status ? x : power(p);
    p->depth--;
    number(p, &y, at);
    emit(p, POW, 0, 0);
    return (piece){.fraction = 1};
}

/* Left to right: operators of one precedence. */
static piece chain(parser *p, piece (*below)(parser *), const char *const *signs,
                   const int32_t *codes, int n)
{
    skip(p);
    const char *at = p->at;
    piece x = below(p);
    while (!p->status) {
        int k = 0;
        while (k < n && !take(p, signs[k])) k++;
        if (k == n) break;
        int late = codes[k] == SUB && x.kind == TEXT; /* comes after what it is less */
        if (!late) number(p, &x, at);
        skip(p);
        const char *next = p->at;
        piece y = below(p);
        if (codes[k] == SUB) take_time(p, &x, &y);
        if (late) take_time(p, &y, &x);
        number(p, &x, at);
        at = next;
        number(p, &y, at);
        x = codes[k] == ADD || codes[k] == SUB
                ? joined(p, &x, &y, at)
                : (piece){.fraction = codes[k] == DIV || x.fraction || y.fraction};
        if (codes[k] == SUB && y.point) x.point = 0;
        emit(p, codes[k], 0, 0);
        if (late) emit(p, NEG, 0, 0);
    }
    return x;
}

static piece product(parser *p)
{
    return chain(p, power, (const char *const[]){"*", "/", "%"},
                 (const int32_t[]){MUL, DIV, MOD}, 3);
}

static piece sum(parser *p)
{
    return chain(p, product, (const char *const[]){"+", "-"}, (const int32_t[]){ADD, SUB},
                 2);
}

/* A category beside a text: its code beside the text's; a text that is no level is equal
 * to none. A column of texts: whether the text is the same, beside 1. */
static void compare_text(parser *p, const piece *category, const piece *text)
{
    const mli_feature *f = &p->in->features[category->feature];
    if (f->kind == MLI_TEXT) {
        emit(p, SAME, category->feature, 0);
        if (p->status) return;
        p->e->ops[p->e->n - 1].begin = (int32_t)(text->text - p->e->text);
        p->e->ops[p->e->n - 1].size = (int32_t)text->size;
        emit(p, PUSH, 0, 1);
        return;
    }
    emit(p, LEVEL, category->feature, (double)f->levels.n);
    emit(p, PUSH, 0, (double)mli_dictionary_find(&f->levels, text->text, text->size));
}

/* A date beside a time, in microseconds. */
static void same_unit(parser *p, const piece *x, const piece *y)
{
    if (x->unit == y->unit) return;
    emit(p, x->unit == DAYS ? AHEAD : PUSH, 0, x->unit == DAYS ? 0 : DAY);
    emit(p, x->unit == DAYS ? PUSH : MUL, 0, 0);
}

/* The comparison with its sides exchanged. */
static int32_t turned(int32_t code)
{
    return code == LT ? GT : code == LE ? GE : code == GT ? LT : code == GE ? LE : code;
}

static void compare(parser *p, const piece *x, const piece *y, int32_t code,
                    const char *at)
{
    if (x->point && y->kind == TEXT) {
        push_time(p, x, y);
        emit(p, code, 0, 0);
        return;
    }
    if (x->kind == TEXT && y->point) {
        push_time(p, y, x);
        emit(p, turned(code), 0, 0);
        return;
    }
    int texts = (x->kind == CATEGORY && y->kind == TEXT) ||
                (x->kind == TEXT && y->kind == CATEGORY);
    if (texts && (code == EQ || code == NE)) {
        compare_text(p, x->kind == CATEGORY ? x : y, x->kind == TEXT ? x : y);
    } else if (texts) {
        fail(p, at, "a category is compared by = and != only%s", "");
    } else {
        number(p, x, at);
        number(p, y, at);
        if (x->point && y->point)
            same_unit(p, x, y);
        else
            joined(p, x, y, at);
    }
    emit(p, code, 0, 0);
}

/* x again: held-back ones are emitted by the comparison; a number is computed twice. */
static void again(parser *p, const piece *x, int64_t begin, int64_t end)
{
    if (x->kind != NUMBER) return;
    for (int64_t i = begin; i < end && !p->status; i++) {
        op o = p->e->ops[i];
        emit(p, o.code, o.arg, o.value);
        if (!p->status) p->e->ops[p->e->n - 1] = o;
    }
}

static void parse_in(parser *p, const piece *x, int64_t begin, int64_t end,
                     const char *at)
{
    int n = 0;
    need(p, "(");
    do {
        if (n) again(p, x, begin, end);
        piece y = sum(p);
        compare(p, x, &y, EQ, at);
        if (n++) emit(p, OR, 0, 0);
    } while (!p->status && take(p, ","));
    need(p, ")");
}

static void parse_is(parser *p, const piece *x)
{
    int negative = take_word(p, "not");
    if (!take_word(p, "missing") && !take_word(p, "null"))
        fail(p, p->at, "\"missing\" should follow \"is\"%s", "");
    if (x->kind == CATEGORY) emit_presence(p, x->feature);
    emit(p, MISSING, 0, 0);
    if (negative) emit(p, NOT, 0, 0);
}

static piece test(parser *p)
{
    static const char *const signs[] = {"==", "!=", "<>", "<=", ">=", "=", "<", ">"};
    static const int32_t codes[] = {EQ, NE, NE, LE, GE, EQ, LT, GT};
    skip(p);
    const char *at = p->at;
    int64_t begin = p->e->n;
    piece x = sum(p), made = {.kind = NUMBER};
    int64_t end = p->e->n;
    for (int k = 0; k < 8 && !p->status; k++) {
        if (!take(p, signs[k])) continue;
        piece y = sum(p);
        compare(p, &x, &y, codes[k], at);
        return made;
    }
    if (p->status) return made;
    if (take_word(p, "is")) {
        parse_is(p, &x);
        return made;
    }
    int negative = take_word(p, "not");
    if (take_word(p, "in")) {
        parse_in(p, &x, begin, end, at);
    } else if (take_word(p, "between")) {
        piece low = sum(p);
        compare(p, &x, &low, GE, at);
        if (!take_word(p, "and")) fail(p, p->at, "\"%s\" is missing here", "and");
        again(p, &x, begin, end);
        piece high = sum(p);
        compare(p, &x, &high, LE, at);
        emit(p, AND, 0, 0);
    } else {
        if (negative) fail(p, p->at, "\"in\" or \"between\" should follow \"not\"%s", "");
        return x;
    }
    if (negative) emit(p, NOT, 0, 0);
    return made;
}

static piece parse_not(parser *p)
{
    skip(p);
    const char *at = p->at;
    if (!take_word(p, "not")) return test(p);
    if (++p->depth > DEEPEST) fail(p, at, "the expression is too deep%s", "");
    piece x = p->status ? (piece){.kind = NUMBER} : parse_not(p);
    p->depth--;
    number(p, &x, at);
    emit(p, NOT, 0, 0);
    return (piece){.kind = NUMBER};
}

static piece logic(parser *p, piece (*below)(parser *), const char *word, int32_t code)
{
    skip(p);
    const char *at = p->at;
    piece x = below(p);
    while (!p->status && take_word(p, word)) {
        number(p, &x, at);
        at = p->at;
        piece y = below(p);
        number(p, &y, at);
        emit(p, code, 0, 0);
        x = (piece){.kind = NUMBER};
    }
    return x;
}

static piece parse_and(parser *p)
{
    return logic(p, parse_not, "and", AND);
}

static piece parse_or(parser *p)
{
    return logic(p, parse_and, "or", OR);
}

ml_status mli_expr_new(const mli_inputs *in, const char *text, mli_expr **out,
                       ml_error *err)
{
    mli_expr *e = mli_calloc(in->ctx, 1, sizeof *e);
    if (!e) return mli_nomem(err);
    e->ctx = in->ctx;
    e->text = mli_strdup(in->ctx, text);
    if (!e->text) {
        mli_expr_free(e);
        return mli_nomem(err);
    }
    parser p = {.in = in, .e = e, .text = text, .at = text, .err = err};
    piece x = parse_or(&p);
    number(&p, &x, text);
    if (x.point && x.unit == DAYS && x.fraction) {
        emit(&p, PUSH, 0, DAY);
        emit(&p, MUL, 0, 0);
        x.unit = MICROS;
    }
    e->type = !x.point ? ML_DTYPE_F64 : x.unit == DAYS ? ML_TYPE_DATE : ML_TYPE_TIMESTAMP;
    skip(&p);
    if (*p.at) fail(&p, p.at, "\"%.8s\" is not expected here", p.at);
    if (p.status) {
        mli_expr_free(e);
        return p.status;
    }
    *out = e;
    return ML_OK;
}

void mli_expr_free(mli_expr *e)
{
    if (!e) return;
    mli_free(e->ctx, e->ops);
    mli_free(e->ctx, e->text);
    mli_free(e->ctx, e);
}
