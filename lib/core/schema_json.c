/* SPDX-License-Identifier: MIT
 *
 * schema_json.c: a schema as JSON, with one field a line, so that two versions of it can
 * be compared line by line. Lists (aliases, tasks, flags, the values of an enum) are
 * arrays; defaults and ranges are texts, exact also for large integers.
 */
#include "core/json.h"
#include "core/schema.h"

#include <string.h>

/* A comma-separated text as an array. */
static void add_list(mli_str *s, const char *text)
{
    mli_str_char(s, '[');
    for (int first = 1; *text; first = 0) {
        size_t n = strcspn(text, ",");
        if (!first) mli_str_add(s, ", ");
        mli_json_str_n(s, text, n);
        text += n + (text[n] == ',');
    }
    mli_str_char(s, ']');
}

static void add_key(mli_str *s, const char *indent, const char *key, int first)
{
    mli_str_add(s, first ? "\n" : ",\n");
    mli_str_add(s, indent);
    mli_json_key(s, key, 1);
}

/* The items of a range "{a, b}". */
static void add_values(mli_str *s, const char *range)
{
    mli_range r;
    if (!mli_range_parse(range, &r) || !r.is_set) {
        mli_str_add(s, "[]");
        return;
    }
    mli_str_char(s, '[');
    for (int64_t i = 0; i < r.count; i++) {
        char item[96];
        mli_range_item(&r, i, item, sizeof item);
        if (i) mli_str_add(s, ", ");
        mli_json_str(s, item);
    }
    mli_str_char(s, ']');
}

/* The fields of an entry: names that end in '*' are lists. Empty ones are left out, but
 * for a default: "" is one (often: not set), and no field says that there is none. */
static void add_fields(mli_str *s, const ml_schema *schema, int32_t group, int64_t index,
                       const char *const *fields, const char *indent)
{
    int first = 1;
    for (; *fields; fields++) {
        char name[24];
        size_t n = strcspn(*fields, "*");
        memcpy(name, *fields, n);
        name[n] = 0;
        const char *text = ml_schema_get(schema, group, index, name);
        int empty_default =
            strcmp(name, "default") == 0 && mli_schema_has_default(schema, group, index);
        if (!text || (!*text && !empty_default)) continue;
        add_key(s, indent, name, first);
        first = 0;
        if ((*fields)[n]) {
            add_list(s, text);
        } else {
            mli_json_str(s, text);
        }
        if (strcmp(name, "range") == 0 && strchr(text, '{')) {
            add_key(s, indent, "values", 0);
            add_values(s, text);
        }
    }
}

static void add_group(mli_str *s, const ml_schema *schema, int32_t group,
                      const char *title, const char *const *fields)
{
    int64_t n = ml_schema_count(schema, group);
    if (n == 0) return;
    add_key(s, "  ", title, 0);
    mli_str_char(s, '[');
    for (int64_t i = 0; i < n; i++) {
        mli_str_add(s, i ? ",\n    {" : "\n    {");
        add_fields(s, schema, group, i, fields, "      ");
        mli_str_add(s, "\n    }");
    }
    mli_str_add(s, "\n  ]");
}

char *mli_schema_text(const ml_schema *schema)
{
    static const char *const head[] = {"name",   "aliases*",  "title", "sort",
                                       "family", "tasks*",    "caps*", "doc",
                                       "since",  "direction", "needs", NULL};
    static const char *const param[] = {"name",  "aliases*", "type",      "default",
                                        "range", "tune",     "active_if", "flags*",
                                        "doc",   "since",    NULL};
    static const char *const kind[] = {"name", "shape", "doc", NULL};
    static const char *const attribute[] = {"name", "dtype", "shape", "doc", NULL};
    mli_str s;
    mli_str_init(&s, mli_schema_context(schema));
    mli_str_char(&s, '{');
    add_fields(&s, schema, ML_SCHEMA_ALGORITHM, 0, head, "  ");
    add_group(&s, schema, ML_SCHEMA_PARAM, "params", param);
    add_group(&s, schema, ML_SCHEMA_ROLE, "roles", param);
    add_group(&s, schema, ML_SCHEMA_KIND, "kinds", kind);
    add_group(&s, schema, ML_SCHEMA_ATTRIBUTE, "attributes", attribute);
    mli_str_add(&s, "\n}\n");
    return mli_str_take(&s);
}
