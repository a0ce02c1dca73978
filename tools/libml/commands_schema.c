/* SPDX-License-Identifier: MIT
 *
 * commands_schema.c: `libml schema --json-schema`: a JSON Schema (draft 07) of the files
 * that `libml run` takes, for editors: names, types, ranges and documentation of all
 * parameters, and of those of the steps.
 */
#include "app.h"

#include <stdlib.h>
#include <string.h>

static const char *field(const ml_schema *s, int32_t group, int64_t i, const char *key)
{
    const char *text = ml_schema_get(s, group, i, key);
    return text ? text : "";
}

static int is_number(const char *text)
{
    char *end;
    if (!*text || strstr(text, "inf") || strstr(text, "nan")) return 0;
    strtod(text, &end);
    return *end == 0;
}

/* "[0, 1)" as minimum, exclusiveMaximum; "{a, b}" as enum. */
static void print_range(const char *range, int text)
{
    char low[64] = "", high[64] = "";
    size_t n = strlen(range);
    if (n < 3) return;
    if (range[0] == '{') {
        const char *separator = "";
        fputs(", \"enum\": [", stdout);
        for (const char *p = range + 1; *p && *p != '}'; separator = ", ") {
            size_t size = strcspn(p, ",}");
            snprintf(low, sizeof low, "%.*s", (int)size, p);
            fputs(separator, stdout);
            print_json_string(stdout, low);
            p += size;
            p += strspn(p, ", ");
        }
        putchar(']');
        return;
    }
    if (text || sscanf(range + 1, "%63[^,], %63[^])]", low, high) != 2) return;
    if (is_number(low))
        printf(", \"%s\": %s", range[0] == '(' ? "exclusiveMinimum" : "minimum", low);
    if (is_number(high))
        printf(", \"%s\": %s", range[n - 1] == ')' ? "exclusiveMaximum" : "maximum",
               high);
}

static void print_list(const char *item, const char *range)
{
    printf("{\"anyOf\": [{\"type\": \"array\", \"items\": {\"type\": \"%s\"", item);
    print_range(range, strcmp(item, "string") == 0);
    fputs("}}, {\"type\": \"string\"}]", stdout);
}

static void print_param(const ml_schema *s, int32_t group, int64_t i, const char **comma)
{
    const char *type = field(s, group, i, "type"), *range = field(s, group, i, "range");
    printf("%s", *comma);
    print_json_string(stdout, field(s, group, i, "name"));
    fputs(": ", stdout);
    if (strstr(field(s, group, i, "flags"), "parts"))
        printf("{\"$ref\": \"#/definitions/%s\"", *range ? "branches" : "steps");
    else if (strstr(type, "list"))
        print_list(strstr(type, "string") ? "string" : "number", range);
    else if (strcmp(type, "bool") == 0)
        fputs("{\"type\": \"boolean\"", stdout);
    else if (strcmp(type, "int") == 0 || strcmp(type, "float") == 0) {
        printf("{\"type\": \"%s\"", type[0] == 'i' ? "integer" : "number");
        print_range(range, 0);
    } else {
        fputs("{\"type\": [\"string\", \"number\", \"boolean\"]", stdout);
        print_range(range, 1);
    }
    fputs(", \"description\": ", stdout);
    print_json_string(stdout, field(s, group, i, "doc"));
    putchar('}');
    *comma = ",\n      ";
}

static void print_algorithm(const ml_schema *s, const char *name)
{
    const char *comma = "";
    printf("    \"%s\": {\"type\": \"object\", \"description\": ", name);
    print_json_string(stdout, field(s, ML_SCHEMA_ALGORITHM, 0, "doc"));
    fputs(", \"properties\": {", stdout);
    for (int64_t i = 0; i < ml_schema_count(s, ML_SCHEMA_PARAM); i++)
        print_param(s, ML_SCHEMA_PARAM, i, &comma);
    fputs("}},\n", stdout);
}

/* Calls print for the name of each algorithm, with commas between. */
static void each_name(app *a, void (*print)(const char *name))
{
    const char *comma = "";
    for (int64_t i = 0; ml_schema_name_at(a->ctx, i); i++) {
        const char *name = ml_schema_name_at(a->ctx, i);
        if (strchr(name, '.')) continue;
        fputs(comma, stdout);
        print(name);
        comma = ", ";
    }
}

static void print_name(const char *name)
{
    printf("\"%s\"", name);
}

static void print_reference(const char *name)
{
    printf("\"%s\": {\"anyOf\": [{\"$ref\": \"#/definitions/%s\"}, "
           "{\"$ref\": \"#/definitions/name\"}, {\"$ref\": \"#/definitions/part\"}]}",
           name, name);
}

static void print_choice(const char *name)
{
    printf("{\"if\": {\"properties\": {\"algorithm\": {\"const\": \"%s\"}}}, \"then\": "
           "{\"$ref\": \"#/definitions/%s\"}}",
           name, name);
}

static void print_parts(app *a)
{
    fputs("    \"name\": {\"enum\": [", stdout);
    each_name(a, print_name);
    fputs("]},\n    \"part\": {\"type\": \"object\", \"required\": [\"algorithm\"], "
          "\"properties\": {\"algorithm\": {\"$ref\": \"#/definitions/name\"}}, "
          "\"allOf\": [",
          stdout);
    each_name(a, print_choice);
    fputs("]},\n    \"steps\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": "
          "\"#/definitions/part\"}, {\"type\": \"array\", \"items\": {\"anyOf\": "
          "[{\"type\": "
          "\"string\"}, {\"$ref\": \"#/definitions/part\"}, {\"type\": \"object\", "
          "\"minProperties\": 1, \"maxProperties\": 1, \"properties\": {",
          stdout);
    each_name(a, print_reference);
    fputs("}, \"additionalProperties\": {\"anyOf\": [{\"$ref\": \"#/definitions/name\"}, "
          "{\"$ref\": \"#/definitions/part\"}]}}]}}]},\n"
          "    \"branches\": {\"type\": \"array\", \"items\": {\"type\": \"object\", "
          "\"minProperties\": 1, \"maxProperties\": 1, \"additionalProperties\": "
          "{\"$ref\": \"#/definitions/pipeline\"}}},\n",
          stdout);
}

static void print_run(void)
{
    static const char *const keys[] = {"data",    "test",   "valid",  "holdout",
                                       "metrics", "output", "report", "seed"};
    fputs("    \"run\": {\"type\": \"object\", \"properties\": {", stdout);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        printf("\"%s\": {\"type\": [\"string\", \"number\", \"array\"]}, ", keys[i]);
    fputs("\"csv\": {\"type\": \"object\"}, \"study\": {\"type\": \"object\"}}, "
          "\"additionalProperties\": false}\n",
          stdout);
}

int cmd_json_schema(app *a)
{
    const char *comma = "";
    ml_schema *whole = NULL;
    fputs("{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
          "  \"title\": \"a pipeline of libml\",\n  \"type\": \"object\",\n"
          "  \"properties\": {\n      \"run\": {\"$ref\": \"#/definitions/run\"},\n"
          "      \"algorithm\": {\"$ref\": \"#/definitions/name\"},\n      ",
          stdout);
    if (ml_schema_new(a->ctx, "pipeline", &whole, a->err) < 0) return app_fail(a);
    for (int64_t i = 0; i < ml_schema_count(whole, ML_SCHEMA_PARAM); i++)
        print_param(whole, ML_SCHEMA_PARAM, i, &comma);
    for (int64_t i = 0; i < ml_schema_count(whole, ML_SCHEMA_ROLE); i++)
        print_param(whole, ML_SCHEMA_ROLE, i, &comma);
    ml_schema_free(whole);
    fputs("},\n  \"definitions\": {\n", stdout);
    for (int64_t i = 0; ml_schema_name_at(a->ctx, i); i++) {
        const char *name = ml_schema_name_at(a->ctx, i);
        ml_schema *s = NULL;
        if (strchr(name, '.')) continue;
        if (ml_schema_new(a->ctx, name, &s, a->err) < 0) return app_fail(a);
        print_algorithm(s, name);
        ml_schema_free(s);
    }
    print_parts(a);
    print_run();
    puts("  }\n}");
    return 0;
}
