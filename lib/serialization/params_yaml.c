/* SPDX-License-Identifier: MIT
 *
 * params_yaml.c: reading sets of values from YAML, by libyaml's events. One mapping from
 * names to scalars, lists of scalars, and mappings, whose names become paths: `a: {b: 1}`
 * is the value "a.b". Items of a list may be parts, algorithms with parameters (see
 * core/params.h):
 *
 *     steps:
 *       - imputer                          "imputer"
 *       - scale: standard_scaler           "scale=standard_scaler"
 *       - model:                           "model=gbdt", and the value "model.n_trees"
 *           algorithm: gbdt
 *           n_trees: 50
 *       - algorithm: gbdt                  "gbdt", and the value "gbdt.n_trees"
 *         n_trees: 50
 *     model: {algorithm: gbdt, a: 1}       the list "model=gbdt", and "model.a"
 *
 * Anchors, aliases and tags are refused: nothing in
 * a document expands. Plain scalars are typed by the core schema of YAML 1.2, but for
 * texts such as 007 and +1, which stay as they are written. Writing is in
 * params_yaml_write.c.
 */
#include "core/json.h"
#include "core/value.h"
#include "serialization/params_yaml.h"

#include <string.h>
#include <yaml.h>

#define DEEPEST 32 /* levels of mappings */

typedef struct reader {
    ml_context *ctx;
    yaml_parser_t parser;
    yaml_event_t event;
    int has_event;
    ml_params *set;
    ml_error *err;
    yaml_mark_t name; /* where the name stands whose value is read */
} reader;

static ml_status fail_at(const reader *r, yaml_mark_t mark, const char *problem,
                         const char *hint)
{
    mli_fail(r->err, ML_E_PARSE, "%s", problem);
    mli_error_at(r->err, ML_E_PARSE, "line %lld, column %lld", (long long)mark.line + 1,
                 (long long)mark.column + 1);
    if (hint) mli_error_hint(r->err, ML_E_PARSE, "%s", hint);
    return ML_E_PARSE;
}

static ml_status fail_here(const reader *r, const char *problem, const char *hint)
{
    return fail_at(r, r->event.start_mark, problem, hint);
}

/* Reports what libyaml found. */
static ml_status fail_parser(const reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "malformed YAML";
    if (p->error == YAML_MEMORY_ERROR) return mli_nomem(r->err);
    if (p->error == YAML_READER_ERROR) {
        mli_fail(r->err, ML_E_PARSE, "%s", problem);
        return mli_error_at(r->err, ML_E_PARSE, "byte %lld",
                            (long long)p->problem_offset);
    }
    fail_at(r, p->problem_mark, problem, NULL);
    if (!p->context) return ML_E_PARSE;
    return mli_error_hint(r->err, ML_E_PARSE,
                          "this was %s that starts at line %lld, column %lld", p->context,
                          (long long)p->context_mark.line + 1,
                          (long long)p->context_mark.column + 1);
}

/* Moves on to the next event. */
static ml_status next(reader *r)
{
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event);
    return r->has_event ? ML_OK : fail_parser(r);
}

/* "0x1f" and "0o17". */
static int parse_based(const char *text, int64_t *out)
{
    int bits = text[1] == 'x' ? 4 : 3;
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'o') || !text[2]) return 0;
    uint64_t v = 0;
    for (const char *p = text + 2; *p; p++) {
        unsigned c = (unsigned char)*p, digit = 99;
        if (c >= '0' && c <= '9') digit = c - '0';
        if ((c | 32) >= 'a' && (c | 32) <= 'f') digit = (c | 32) - 'a' + 10;
        if (digit >> bits || v >> (63 - bits)) return 0;
        v = v << bits | digit;
    }
    *out = (int64_t)v;
    return 1;
}

/* Is it an integer as one writes it: no plus sign, no leading zeros? */
static int parse_whole(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    if (*text == '+' || (digits[0] == '0' && digits[1])) return parse_based(text, out);
    return mli_read_i64(text, out);
}

static int parse_real(const char *text, double *out)
{
    static const char *const words[] = {".inf", "-.inf", "+.inf", ".nan"};
    static const char *const values[] = {"inf", "-inf", "inf", "nan"};
    for (int i = 0; i < 4; i++) {
        if (mli_same_word(text, words[i])) return mli_read_f64(values[i], out);
    }
    const char *p = text + (*text == '-');
    /* Words ("inf") and integers with leading zeros are texts. */
    if (!strpbrk(p, "0123456789") || strpbrk(p, "nN")) return 0;
    if (p[0] == '0' && p[1] >= '0' && p[1] <= '9') return 0;
    return *p != '+' && mli_read_f64(text, out);
}

int32_t mli_yaml_resolve(const char *text, int64_t *whole, double *real)
{
    static const char *const words[] = {"false", "true",  "False",
                                        "True",  "FALSE", "TRUE"};
    for (int i = 0; i < 6; i++) {
        *whole = i & 1;
        if (strcmp(text, words[i]) == 0) return ML_PARAM_BOOL;
    }
    if (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
        strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0) {
        return 0;
    }
    if (parse_whole(text, whole)) return ML_PARAM_I64;
    return parse_real(text, real) ? ML_PARAM_F64 : ML_PARAM_STR;
}

/* Checks a scalar event; *plain: its type is to be found from its text. */
static ml_status check_scalar(const reader *r, int *plain)
{
    const char *tag = (const char *)r->event.data.scalar.tag;
    const char *text = (const char *)r->event.data.scalar.value;
    size_t size = r->event.data.scalar.length;
    *plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;
    if (r->event.data.scalar.anchor) {
        return fail_here(r, "an anchor (&)", "write the value out where it is needed");
    }
    if (tag && strcmp(tag, YAML_STR_TAG) != 0 && strcmp(tag, "!") != 0) {
        return fail_here(r, "a tag (!) other than !!str", "leave the tag out");
    }
    if (memchr(text, 0, size)) return fail_here(r, "a text with a NUL character", NULL);
    if (mli_utf8_valid(text, size) < size) {
        return fail_here(r, "a text that is not UTF-8", NULL);
    }
    return ML_OK;
}

static ml_status read_scalar(reader *r, mli_value *v)
{
    int plain;
    int64_t whole;
    double real;
    const char *text = (const char *)r->event.data.scalar.value;
    ml_status status = check_scalar(r, &plain);
    if (status != ML_OK) return status;
    switch (plain ? mli_yaml_resolve(text, &whole, &real) : ML_PARAM_STR) {
    case 0:
        return mli_value_str(r->ctx, "", v, r->err);
    case ML_PARAM_BOOL:
        return mli_value_bool(r->ctx, whole != 0, v, r->err);
    case ML_PARAM_I64:
        return mli_value_i64(r->ctx, whole, v, r->err);
    case ML_PARAM_F64:
        return mli_value_f64(r->ctx, real, v, r->err);
    default:
        return mli_value_str(r->ctx, text, v, r->err);
    }
}

/* Stores a value with its place in the document. */
static ml_status store(reader *r, const char *name, mli_value *v, yaml_mark_t mark)
{
    v->line = (int32_t)mark.line + 1;
    v->column = (int32_t)mark.column + 1;
    v->name_line = (int32_t)r->name.line + 1;
    v->name_column = (int32_t)r->name.column + 1;
    return mli_params_store(r->set, name, v, r->err);
}

static ml_status read_mapping(reader *r, const char *prefix, int depth, char **algorithm);
static ml_status read_part(reader *r, const char *prefix, int depth, mli_items *items);

/* An item of a list. */
static ml_status read_item(reader *r, mli_items *items)
{
    int plain;
    int64_t whole;
    double real;
    const char *text = (const char *)r->event.data.scalar.value;
    if (r->event.type == YAML_ALIAS_EVENT) {
        return fail_here(r, "an alias (*)", "write the value out, or put it in quotes");
    }
    if (r->event.type != YAML_SCALAR_EVENT) {
        return fail_here(r, "a list inside a list", "lists hold values or parts");
    }
    ml_status status = check_scalar(r, &plain);
    if (status != ML_OK) return status;
    int32_t type = plain ? mli_yaml_resolve(text, &whole, &real) : ML_PARAM_STR;
    if (type == 0)
        return fail_here(r, "an empty item in a list", "write \"\" for a text");
    mli_str s;
    mli_str_init(&s, r->ctx);
    if (type == ML_PARAM_I64) {
        mli_str_i64(&s, whole);
    } else if (type == ML_PARAM_F64) {
        mli_str_real(&s, real);
    } else {
        mli_str_add(&s, text);
    }
    int number = type == ML_PARAM_I64 || type == ML_PARAM_F64;
    status = s.failed ? mli_nomem(r->err)
                      : mli_items_add(items, s.data, s.size, number, r->err);
    mli_str_free(&s);
    return status;
}

/* The value that was stored last moves in front of those from `at` on. */
static void move_last(ml_params *set, int64_t at)
{
    mli_value last = set->values[set->count - 1];
    memmove(set->values + at + 1, set->values + at,
            (size_t)(set->count - 1 - at) * sizeof last);
    set->values[at] = last;
}

/* A list, stored as `name` before what its parts hold. */
static ml_status read_list(reader *r, const char *prefix, const char *name, int depth)
{
    if (r->event.data.sequence_start.anchor || r->event.data.sequence_start.tag) {
        return fail_here(r, "a list with an anchor (&) or a tag (!)", "leave it out");
    }
    yaml_mark_t mark = r->event.start_mark, key = r->name;
    mli_items items;
    mli_value v = {0};
    int64_t at = r->set->count, parts = 0;
    mli_items_init(&items, r->ctx);
    ml_status status = next(r);
    while (status == ML_OK && r->event.type != YAML_SEQUENCE_END_EVENT) {
        int is_part = r->event.type == YAML_MAPPING_START_EVENT;
        items.line = (int32_t)r->event.start_mark.line + 1;
        items.column = (int32_t)r->event.start_mark.column + 1;
        parts += is_part;
        status = is_part ? read_part(r, prefix, depth, &items) : read_item(r, &items);
        if (status == ML_OK) status = next(r);
    }
    if (status == ML_OK) {
        int32_t type = parts ? ML_PARAM_STRS : mli_items_type(&items);
        status = mli_items_value(&items, type, &v, r->err);
    }
    mli_items_free(&items);
    r->name = key;
    if (status == ML_OK) status = store(r, name, &v, mark);
    if (status == ML_OK && r->set->count > at + 1) move_last(r->set, at);
    return status;
}

/* prefix + text + end, allocated; NULL when out of memory. */
static char *join(reader *r, const char *prefix, const char *text, const char *end)
{
    mli_str s;
    mli_str_init(&s, r->ctx);
    mli_str_add(&s, prefix);
    mli_str_add(&s, text);
    mli_str_add(&s, end);
    char *joined = mli_str_take(&s);
    if (!joined) mli_nomem(r->err);
    return joined;
}

/* `name:` and a mapping: values below the name; or, where the mapping has the key
 * `algorithm`, a list of one part of that name. */
static ml_status read_below(reader *r, const char *prefix, const char *name, int depth)
{
    yaml_mark_t mark = r->event.start_mark, key = r->name;
    char *algorithm = NULL, *item = NULL, *below = join(r, name, "", ".");
    int64_t at = r->set->count;
    mli_items items;
    mli_value v = {0};
    mli_items_init(&items, r->ctx);
    ml_status status =
        below ? read_mapping(r, below, depth + 1, &algorithm) : ML_E_MEMORY;
    r->name = key;
    if (status == ML_OK && algorithm) {
        item = join(r, name + strlen(prefix), "=", algorithm);
        status =
            item ? mli_items_add(&items, item, strlen(item), 0, r->err) : ML_E_MEMORY;
        if (status == ML_OK) status = mli_items_value(&items, ML_PARAM_STRS, &v, r->err);
        if (status == ML_OK) status = store(r, name, &v, mark);
        if (status == ML_OK && r->set->count > at + 1) move_last(r->set, at);
    }
    mli_items_free(&items);
    mli_free(r->ctx, item);
    mli_free(r->ctx, below);
    mli_free(r->ctx, algorithm);
    return status;
}

/* `name:` and what stands behind it. */
static ml_status read_value(reader *r, const char *prefix, const char *name, int depth)
{
    yaml_mark_t mark = r->event.start_mark;
    mli_value v = {0};
    ml_status status;
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        status = read_scalar(r, &v);
        return status == ML_OK ? store(r, name, &v, mark) : status;
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, prefix, name, depth);
    case YAML_MAPPING_START_EVENT:
        return read_below(r, prefix, name, depth);
    default:
        return fail_here(r, "an alias (*)", "write the value out, or put it in quotes");
    }
}

/* A name behind the prefix; allocates. */
static ml_status read_name(reader *r, const char *prefix, char **name)
{
    int plain;
    if (r->event.type != YAML_SCALAR_EVENT) {
        return fail_here(r, "a name that is no plain text",
                         "write lines of `name: value`");
    }
    const char *text = (const char *)r->event.data.scalar.value;
    ml_status status = check_scalar(r, &plain);
    r->name = r->event.start_mark;
    if (status != ML_OK) return status;
    if (!*text) return fail_here(r, "an empty name", "write lines of `name: value`");
    *name = join(r, prefix, text, "");
    if (!*name) return ML_E_MEMORY;
    if (mli_params_find(r->set, *name)) {
        return fail_here(r, "a name that was given before", "leave one of them out");
    }
    if (r->set->count == MLI_PARAMS_READ_MAX)
        return fail_here(r, "too many values", NULL);
    return ML_OK;
}

/* The value of the key `algorithm` of a part. */
static ml_status read_algorithm(reader *r, char **algorithm)
{
    int plain;
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_here(r, "an algorithm that is no name", NULL);
    ml_status status = check_scalar(r, &plain);
    if (status != ML_OK) return status;
    mli_free(r->ctx, *algorithm);
    *algorithm = mli_strdup(r->ctx, (const char *)r->event.data.scalar.value);
    return *algorithm ? ML_OK : mli_nomem(r->err);
}

static ml_status read_pair(reader *r, const char *prefix, int depth, char **algorithm)
{
    char *name = NULL;
    ml_status status = read_name(r, prefix, &name);
    if (status == ML_OK) status = next(r);
    if (status == ML_OK && algorithm && strcmp(name + strlen(prefix), "algorithm") == 0)
        status = read_algorithm(r, algorithm);
    else if (status == ML_OK)
        status = read_value(r, prefix, name, depth);
    mli_free(r->ctx, name);
    return status;
}

/* The rest of a mapping. With `algorithm`, the key of that name is no value, but goes
 * there. */
static ml_status read_pairs(reader *r, const char *prefix, int depth, char **algorithm)
{
    ml_status status = ML_OK;
    if (depth > DEEPEST) return fail_here(r, "too many levels", NULL);
    while (status == ML_OK && r->event.type != YAML_MAPPING_END_EVENT) {
        status = read_pair(r, prefix, depth, algorithm);
        if (status == ML_OK) status = next(r);
    }
    return status;
}

static ml_status read_mapping(reader *r, const char *prefix, int depth, char **algorithm)
{
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        return fail_here(r, "the document is no mapping", "write lines of `name: value`");
    }
    if (r->event.data.mapping_start.anchor || r->event.data.mapping_start.tag) {
        return fail_here(r, "a mapping with an anchor (&) or a tag (!)", "leave it out");
    }
    ml_status status = next(r);
    return status ? status : read_pairs(r, prefix, depth, algorithm);
}

/* What stands behind the name of a part: its algorithm, or its parameters. */
static ml_status read_part_value(reader *r, const char *name, int depth, char **algorithm)
{
    if (r->event.type == YAML_MAPPING_START_EVENT) {
        char *below = join(r, name, "", ".");
        if (!below) return ML_E_MEMORY;
        ml_status status = read_mapping(r, below, depth + 1, algorithm);
        mli_free(r->ctx, below);
        return status;
    }
    if (r->event.type != YAML_SCALAR_EVENT)
        return fail_here(r, "a part that is neither an algorithm nor parameters",
                         "write `- name: algorithm`, or parameters below the name");
    return read_algorithm(r, algorithm);
}

/* What stands behind the first name of an item, and the rest of it. Behind `algorithm` it
 * is the name of the part too, whose parameters follow beside it. */
static ml_status read_part_rest(reader *r, const char *prefix, int depth, char **name,
                                char **algorithm)
{
    ml_status status = next(r);
    if (status != ML_OK) return status;
    if (strcmp(*name + strlen(prefix), "algorithm") != 0) {
        status = read_part_value(r, *name, depth, algorithm);
        return status ? status : next(r);
    }
    status = read_algorithm(r, algorithm);
    char *own = status ? NULL : join(r, prefix, *algorithm, "");
    char *below = own ? join(r, own, "", ".") : NULL;
    if (status == ML_OK && !below) status = ML_E_MEMORY;
    if (own) {
        mli_free(r->ctx, *name);
        *name = own;
    }
    if (status == ML_OK) status = next(r);
    if (status == ML_OK) status = read_pairs(r, below, depth + 1, NULL);
    mli_free(r->ctx, below);
    return status;
}

/* An item that is a mapping of one name, or of `algorithm` and parameters: a part. */
static ml_status read_part(reader *r, const char *prefix, int depth, mli_items *items)
{
    char *name = NULL, *algorithm = NULL, *item = NULL;
    if (r->event.data.mapping_start.anchor || r->event.data.mapping_start.tag)
        return fail_here(r, "a mapping with an anchor (&) or a tag (!)", "leave it out");
    ml_status status = next(r);
    if (status == ML_OK && r->event.type == YAML_MAPPING_END_EVENT)
        status = fail_here(r, "an empty item in a list", "name an algorithm");
    if (status == ML_OK) status = read_name(r, prefix, &name);
    if (status == ML_OK) status = read_part_rest(r, prefix, depth, &name, &algorithm);
    if (status == ML_OK && r->event.type != YAML_MAPPING_END_EVENT)
        status = fail_here(r, "a second name in an item of a list",
                           "indent parameters deeper than the name of their step, or "
                           "begin with `algorithm: NAME`");
    if (status == ML_OK) {
        const char *own = name + strlen(prefix);
        int named = algorithm && *algorithm && strcmp(own, algorithm) != 0;
        item = join(r, own, named ? "=" : "", named ? algorithm : "");
        status = item ? mli_items_add(items, item, strlen(item), 0, r->err) : ML_E_MEMORY;
    }
    mli_free(r->ctx, item);
    mli_free(r->ctx, algorithm);
    mli_free(r->ctx, name);
    return status;
}

/* The whole stream: no document, or one. */
static ml_status read_stream(reader *r)
{
    ml_status status = next(r); /* the stream starts */
    if (status == ML_OK) status = next(r);
    if (status != ML_OK || r->event.type == YAML_STREAM_END_EVENT) return status;
    status = next(r);
    if (status != ML_OK) return status;
    /* An empty document has one empty scalar. */
    if (r->event.type != YAML_SCALAR_EVENT || r->event.data.scalar.length > 0) {
        status = read_mapping(r, "", 0, NULL);
    }
    if (status == ML_OK) status = next(r); /* the document ends */
    if (status == ML_OK) status = next(r);
    if (status == ML_OK && r->event.type != YAML_STREAM_END_EVENT) {
        return fail_here(r, "a second document", "keep one document, without `---`");
    }
    return status;
}

/* A document that starts with { and is JSON throughout, without objects inside. */
static int is_json(const char *text, size_t size)
{
    mli_json j;
    mli_json_open(&j, text, size);
    mli_json_token t = mli_json_next(&j);
    if (t != MLI_JSON_OBJECT) return 0;
    do {
        t = mli_json_next(&j);
    } while (t > MLI_JSON_END && t != MLI_JSON_OBJECT);
    return t == MLI_JSON_END;
}

static ml_status read_document(ml_params *set, const char *text, size_t size,
                               ml_error *err)
{
    if (is_json(text, size)) return mli_params_from_json(set, text, size, err);
    reader r = {.ctx = set->ctx, .set = set, .err = err};
    if (!yaml_parser_initialize(&r.parser)) return mli_nomem(err);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    ml_status status = read_stream(&r);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return status;
}

ml_status ml_params_read_yaml(ml_params *params, const char *text, size_t size,
                              ml_error *error)
{
    if (!params) return mli_null(error, "params");
    if (!text && size > 0) return mli_null(error, "text");
    ml_params *read = NULL, *merged = NULL;
    ml_status status = ml_params_new(params->ctx, &read, error);
    if (status == ML_OK) status = read_document(read, text ? text : "", size, error);
    if (status == ML_OK) status = ml_params_clone(params, &merged, error);
    for (int64_t i = 0; status == ML_OK && i < read->count; i++) {
        mli_value v;
        status = mli_value_copy(read->ctx, &read->values[i], &v, error);
        if (status == ML_OK) {
            status = mli_params_store(merged, read->values[i].name, &v, error);
        }
    }
    if (status == ML_OK) { /* all or nothing: the sets change places */
        ml_params old = *params;
        *params = *merged;
        *merged = old;
    }
    ml_params_free(read);
    ml_params_free(merged);
    return status;
}
