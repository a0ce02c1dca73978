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

/* Calls print for each of the names in a list with commas. */
static void each_alias(const char *list, const char *of,
                       void (*print)(const char *alias, const char *of))
{
    char alias[64];
    while (*list) {
        size_t n = strcspn(list, ", ");
        snprintf(alias, sizeof alias, "%.*s", (int)n, list);
        if (n) print(alias, of);
        list += n;
        list += strspn(list, ", ");
    }
}

/* `of`: the place of the parameter that has the other name. */
static void print_other_name(const char *alias, const char *of)
{
    printf(",\n      \"%s\": {\"$ref\": \"%s\"}", alias, of);
}

/* `place`: of the properties in the file. */
static void print_param(const ml_schema *s, int32_t group, int64_t i, const char *place,
                        const char **comma)
{
    char of[160], doc[2048];
    const char *type = field(s, group, i, "type"), *range = field(s, group, i, "range");
    printf("%s", *comma);
    print_json_string(stdout, field(s, group, i, "name"));
    fputs(": ", stdout);
    if (strstr(field(s, group, i, "flags"), "parts"))
        printf("{\"$ref\": \"#/definitions/%s\"", *range ? "branches" : "steps");
    else if (strstr(type, "list"))
        print_list(strncmp(type, "int", 3) && strncmp(type, "float", 5) ? "string"
                                                                        : "number",
                   range);
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
    print_json_string(stdout, plain_doc(field(s, group, i, "doc"), doc, sizeof doc));
    putchar('}');
    snprintf(of, sizeof of, "%s/%s", place, field(s, group, i, "name"));
    each_alias(field(s, group, i, "aliases"), of, print_other_name);
    *comma = ",\n      ";
}

/* What is made of parts takes blocks of their names; all else only what it knows. */
static void print_algorithm(const ml_schema *s, const char *name)
{
    const char *comma = ",\n      ";
    char place[128], doc[2048];
    int parts = 0;
    snprintf(place, sizeof place, "#/definitions/%s/properties", name);
    printf("    \"%s\": {\"type\": \"object\", \"description\": ", name);
    print_json_string(
        stdout, plain_doc(field(s, ML_SCHEMA_ALGORITHM, 0, "doc"), doc, sizeof doc));
    fputs(", \"properties\": {\"algorithm\": {\"$ref\": \"#/definitions/name\"}", stdout);
    for (int64_t i = 0; i < ml_schema_count(s, ML_SCHEMA_PARAM); i++) {
        print_param(s, ML_SCHEMA_PARAM, i, place, &comma);
        parts |= strstr(field(s, ML_SCHEMA_PARAM, i, "flags"), "parts") != NULL;
    }
    for (int64_t i = 0; i < ml_schema_count(s, ML_SCHEMA_ROLE); i++)
        print_param(s, ML_SCHEMA_ROLE, i, place, &comma);
    printf("}%s},\n", parts ? "" : ", \"additionalProperties\": false");
}

/* Calls print for the name of each algorithm, with `between` in between; with `others`
 * also for their other names. */
static void each_name(app *a, const char *between, int others,
                      void (*print)(const char *name, const char *of))
{
    const char *comma = "";
    for (int64_t i = 0; ml_schema_name_at(a->ctx, i); i++) {
        const char *name = ml_schema_name_at(a->ctx, i);
        ml_schema *s = NULL;
        if (strchr(name, '.')) continue;
        fputs(comma, stdout);
        print(name, "");
        comma = between;
        if (others && ml_schema_new(a->ctx, name, &s, NULL) == ML_OK)
            each_alias(field(s, ML_SCHEMA_ALGORITHM, 0, "aliases"), between, print);
        ml_schema_free(s);
    }
}

static void print_name(const char *name, const char *before)
{
    printf("%s\"%s\"", before, name);
}

static void print_bare(const char *name, const char *before)
{
    printf("%s%s", before, name);
}

static void print_reference(const char *name, const char *before)
{
    printf("%s\"%s\": {\"anyOf\": [{\"$ref\": \"#/definitions/%s\"}, "
           "{\"$ref\": \"#/definitions/name\"}, {\"$ref\": \"#/definitions/part\"}]}",
           before, name, name);
}

static void print_choice(const char *name, const char *before)
{
    printf("%s{\"if\": {\"properties\": {\"algorithm\": {\"const\": \"%s\"}}}, \"then\": "
           "{\"$ref\": \"#/definitions/%s\"}}",
           before, name, name);
}

static void print_parts(app *a)
{
    fputs("    \"name\": {\"enum\": [", stdout);
    each_name(a, ", ", 1, print_name);
    fputs("]},\n    \"named\": {\"type\": \"string\", \"pattern\": \"^([^=]+=)? *(",
          stdout);
    each_name(a, "|", 1, print_bare);
    fputs(")$\"},\n    \"part\": {\"type\": \"object\", \"required\": [\"algorithm\"], "
          "\"properties\": {\"algorithm\": {\"$ref\": \"#/definitions/name\"}}, "
          "\"allOf\": [",
          stdout);
    each_name(a, ", ", 0, print_choice);
    fputs("]},\n    \"steps\": {\"anyOf\": [{\"type\": \"string\"}, {\"$ref\": "
          "\"#/definitions/part\"}, {\"type\": \"array\", \"items\": {\"anyOf\": "
          "[{\"$ref\": \"#/definitions/named\"}, {\"$ref\": \"#/definitions/part\"}, "
          "{\"type\": \"object\", "
          "\"minProperties\": 1, \"maxProperties\": 1, \"properties\": {",
          stdout);
    each_name(a, ", ", 0, print_reference);
    fputs("}, \"additionalProperties\": {\"anyOf\": [{\"$ref\": \"#/definitions/name\"}, "
          "{\"$ref\": \"#/definitions/part\"}]}}]}}]},\n"
          "    \"branches\": {\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", "
          "\"items\": {\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"object\", "
          "\"minProperties\": 1, \"maxProperties\": 1, \"additionalProperties\": "
          "{\"$ref\": \"#/definitions/pipeline\"}}]}}]},\n",
          stdout);
}

static void print_run(void)
{
    static const struct {
        const char *key, *type;
    } keys[] = {{"data", "\"type\": \"string\""},
                {"test", "\"type\": \"string\""},
                {"valid", "\"type\": \"string\""},
                {"output", "\"type\": \"string\""},
                {"report", "\"type\": \"string\""},
                {"metrics", "\"type\": [\"string\", \"array\"]"},
                {"seed", "\"type\": \"integer\", \"minimum\": 0"},
                {"holdout", "\"type\": \"number\", \"exclusiveMinimum\": 0, "
                            "\"exclusiveMaximum\": 1"}};
    fputs("    \"run\": {\"type\": \"object\", \"properties\": {", stdout);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        printf("\"%s\": {%s}, ", keys[i].key, keys[i].type);
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
        print_param(whole, ML_SCHEMA_PARAM, i, "#/properties", &comma);
    for (int64_t i = 0; i < ml_schema_count(whole, ML_SCHEMA_ROLE); i++)
        print_param(whole, ML_SCHEMA_ROLE, i, "#/properties", &comma);
    ml_schema_free(whole);
    fputs("},\n  \"anyOf\": [{\"required\": [\"steps\"]}, {\"required\": "
          "[\"algorithm\"]}],\n"
          "  \"definitions\": {\n",
          stdout);
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
