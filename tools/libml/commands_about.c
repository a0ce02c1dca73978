/* SPDX-License-Identifier: MIT
 *
 * commands_about.c: algorithms, version, completion, manual, schema.
 */
#include "app.h"

#include <string.h>

static const char *field(const ml_schema *s, int32_t group, int64_t i, const char *name)
{
    const char *text = ml_schema_get(s, group, i, name);
    return text ? text : "";
}

/* Schemas other than algorithms have a dot in their names. */
static int is_algorithm(const char *name)
{
    return !strchr(name, '.');
}

static int list_algorithms(app *a)
{
    int first = 1;
    if (flag(a, OPT_JSON)) puts("[");
    for (int64_t i = 0; ml_schema_name_at(a->ctx, i); i++) {
        const char *name = ml_schema_name_at(a->ctx, i);
        ml_schema *s = NULL;
        if (!is_algorithm(name)) continue;
        if (ml_schema_new(a->ctx, name, &s, a->err) < 0) return app_fail(a);
        if (flag(a, OPT_JSON)) {
            printf("%s{\n\"name\": \"%s\",\n\"title\": ", first ? "" : ",\n", name);
            print_json_string(stdout, field(s, ML_SCHEMA_ALGORITHM, 0, "title"));
            fputs("}", stdout);
        } else {
            printf("%-24s %s\n", name, field(s, ML_SCHEMA_ALGORITHM, 0, "title"));
        }
        first = 0;
        ml_schema_free(s);
    }
    if (flag(a, OPT_JSON)) puts("\n]");
    return 0;
}

static void print_group(const ml_schema *s, int32_t group, const char *title)
{
    char doc[2048];
    int64_t n = ml_schema_count(s, group);
    if (n == 0) return;
    printf("\n%s\n", title);
    for (int64_t i = 0; i < n; i++) {
        printf("  %s", field(s, group, i, "name"));
        const char *type = field(s, group, i, "type"),
                   *range = field(s, group, i, "range");
        const char *dflt = field(s, group, i, "default");
        const char *shape = field(s, group, i, "shape");
        if (*type) printf("  %s", type);
        if (*range) printf(" %s", range);
        if (*dflt) printf(", default %s", dflt);
        if (*shape) printf("  %s", shape);
        fputc('\n', stdout);
        print_wrapped(stdout, plain_doc(field(s, group, i, "doc"), doc, sizeof doc), 6,
                      84);
        if (*field(s, group, i, "aliases"))
            printf("      also: %s\n", field(s, group, i, "aliases"));
        if (*field(s, group, i, "tune"))
            printf("      tuned in %s\n", field(s, group, i, "tune"));
    }
}

int cmd_algorithms(app *a)
{
    char doc[2048];
    ml_schema *s = NULL;
    if (a->n_operand == 0) return list_algorithms(a);
    if (ml_schema_new(a->ctx, a->operand[0], &s, a->err) < 0) return app_fail(a);
    if (flag(a, OPT_JSON)) {
        puts(ml_schema_json(s));
    } else {
        printf("%s: %s\n\n", field(s, ML_SCHEMA_ALGORITHM, 0, "name"),
               field(s, ML_SCHEMA_ALGORITHM, 0, "title"));
        print_wrapped(stdout,
                      plain_doc(field(s, ML_SCHEMA_ALGORITHM, 0, "doc"), doc, sizeof doc),
                      0, 84);
        print_group(s, ML_SCHEMA_PARAM, "parameters");
        print_group(s, ML_SCHEMA_ROLE, "roles of columns");
        print_group(s, ML_SCHEMA_KIND, "prediction kinds");
        print_group(s, ML_SCHEMA_ATTRIBUTE, "attributes of a model");
    }
    ml_schema_free(s);
    return 0;
}

int cmd_version(app *a)
{
    if (flag(a, OPT_JSON))
        printf("%s\n", ml_context_info(a->ctx));
    else
        printf("libml %s\n%s\n", ml_version(), ml_context_info(a->ctx));
    return 0;
}

int cmd_completion(app *a)
{
    (void)a;
    print_completion(stdout);
    return 0;
}

int cmd_manual(app *a)
{
    (void)a;
    print_manual(stdout);
    return 0;
}

int cmd_schema(app *a)
{
    if (flag(a, OPT_JSON_SCHEMA)) return cmd_json_schema(a);
    printf("{\"version\": \"%s\", \"schemas\": [\n", ml_version());
    for (int64_t i = 0; ml_schema_name_at(a->ctx, i); i++) {
        ml_schema *s = NULL;
        if (ml_schema_new(a->ctx, ml_schema_name_at(a->ctx, i), &s, a->err) < 0)
            return app_fail(a);
        printf("%s%s", i ? ",\n" : "", ml_schema_json(s));
        ml_schema_free(s);
    }
    puts("\n]}");
    return 0;
}
