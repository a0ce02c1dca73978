/* SPDX-License-Identifier: MIT
 *
 * condition.c: when a parameter is active, as text over the values of others:
 *
 *     condition = test { "and" test }
 *     test      = name ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) literal
 *               | name [ "not" ] "in" "{" literal { "," literal } "}"
 */
#include "core/params.h"

#include <stdio.h>
#include <string.h>

#define WORD_SIZE 96

typedef struct condition {
    const char *at;
    const ml_params *values;
    const mli_descriptor *descriptor; /* when only checking: names must exist */
    const char *path;                 /* of the parameter: of parts, "scale.copy" */
    int malformed;
} condition;

static void skip(condition *c)
{
    while (*c->at == ' ') c->at++;
}

/* Takes a piece of text if it comes next. */
static int take(condition *c, const char *text)
{
    size_t n = strlen(text);
    skip(c);
    if (strncmp(c->at, text, n) != 0) return 0;
    c->at += n;
    return 1;
}

/* A name or literal. */
static void take_word(condition *c, char word[WORD_SIZE])
{
    skip(c);
    size_t n = strcspn(c->at, " ,{}=!<>");
    if (n == 0 || n >= WORD_SIZE) c->malformed = 1;
    if (n >= WORD_SIZE) n = WORD_SIZE - 1;
    memcpy(word, c->at, n);
    word[n] = 0;
    c->at += n;
}

/* The sign of value - literal; texts are only equal (0) or not (2). */
static int compare(const mli_value *v, const char *literal)
{
    double x, y;
    if (strcmp(v->text, literal) == 0) return 0;
    if (!mli_read_f64(v->text, &x) || !mli_read_f64(literal, &y)) return 2;
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
}

/* "{a, b}": is the value one of them? */
static int one_of(condition *c, const mli_value *v)
{
    char word[WORD_SIZE];
    int found = 0;
    if (!take(c, "{")) c->malformed = 1;
    while (!c->malformed) {
        take_word(c, word);
        if (v && compare(v, word) == 0) found = 1;
        if (take(c, "}")) break;
        if (!take(c, ",")) c->malformed = 1;
    }
    return found;
}

/* The value of a parameter beside the one whose condition this is. */
static const mli_value *find(const condition *c, const char *name)
{
    char full[MLI_PATH_SIZE];
    const char *dot = c->path ? strrchr(c->path, '.') : NULL;
    if (!c->values) return NULL;
    if (!dot) return mli_params_find(c->values, name);
    snprintf(full, sizeof full, "%.*s%s", (int)(dot - c->path + 1), c->path, name);
    return mli_params_find(c->values, full);
}

static int test(condition *c)
{
    static const struct {
        const char *text;
        int below, equal, above, other;
    } operators[] = {{"==", 0, 1, 0, 0}, {"!=", 1, 0, 1, 1}, {"<=", 1, 1, 0, 0},
                     {">=", 0, 1, 1, 0}, {"<", 1, 0, 0, 0},  {">", 0, 0, 1, 0}};
    char name[WORD_SIZE], literal[WORD_SIZE];
    take_word(c, name);
    if (c->malformed) return 1;
    if (c->descriptor && !mli_param_find(c->descriptor, name)) c->malformed = 1;
    const mli_value *v = find(c, name);
    int not_in = take(c, "not ");
    if (not_in || take(c, "in ")) {
        if (not_in && !take(c, "in ")) c->malformed = 1;
        int found = one_of(c, v);
        return !v || found != not_in;
    }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!take(c, operators[i].text)) continue;
        take_word(c, literal);
        int order = v ? compare(v, literal) : 0;
        if (!v) return 1;
        return order == 0   ? operators[i].equal
               : order == 2 ? operators[i].other
               : order < 0  ? operators[i].below
                            : operators[i].above;
    }
    c->malformed = 1;
    return 1;
}

static int evaluate(condition *c)
{
    int holds = 1;
    do {
        holds &= test(c);
    } while (!c->malformed && take(c, "and "));
    skip(c);
    if (*c->at) c->malformed = 1;
    return holds;
}

int mli_param_active(const mli_param *param, const ml_params *values)
{
    if (!param->active_if) return 1;
    condition c = {.at = param->active_if, .values = values, .path = param->name};
    int holds = evaluate(&c);
    return holds || c.malformed;
}

int mli_condition_valid(const mli_descriptor *d, const char *text)
{
    condition c = {.at = text, .descriptor = d};
    evaluate(&c);
    return !c.malformed;
}
