/* SPDX-License-Identifier: MIT
 *
 * commands_run.c: `libml run`: what `libml train` does, as a YAML file says.
 */
#include "app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static ml_status read_file(app *a, const char *path, char **text)
{
    char message[512];
    FILE *f = fopen(path, "rb");
    size_t size = 0, room = 1 << 16, n;
    char *data = malloc(room + 1);
    while (f && data && (n = fread(data + size, 1, room - size, f)) > 0) {
        size += n;
        if (size < room) continue;
        room *= 2;
        char *grown = realloc(data, room + 1);
        if (!grown) free(data);
        data = grown;
    }
    if (!f || !data || ferror(f)) {
        snprintf(message, sizeof message, "%s: cannot read: %s; check the path", path,
                 data ? strerror(errno) : "out of memory");
        ml_error_set(a->err, ML_E_IO, message);
        free(data);
        if (f) fclose(f);
        return ML_E_IO;
    }
    fclose(f);
    data[size] = 0;
    *text = data;
    return ML_OK;
}

/* Moves the lines of a name at the left margin, and those below it, out of the text:
 * blanks stay, so that lines keep their numbers. NULL: it is not there. */
static char *cut(char *text, const char *name)
{
    size_t n = strlen(name);
    char *line = text;
    while (strncmp(line, name, n) != 0 || line[n] != ':') {
        line = strchr(line, '\n');
        if (!line) return NULL;
        line++;
    }
    char *end = line;
    do {
        end += strcspn(end, "\n");
        end += *end == '\n';
    } while (*end == ' ' || *end == '\n' || *end == '#');
    size_t size = (size_t)(end - line), before = (size_t)(line - text);
    char *piece = calloc(before + size + 1, 1);
    for (size_t i = 0; piece && i < before; i++) piece[i] = text[i] == '\n' ? '\n' : ' ';
    if (piece) memcpy(piece + before, line, size);
    for (char *p = line; p < end; p++)
        if (*p != '\n') *p = ' ';
    return piece;
}

/* ---- options of the block `run` ---- */

static const struct {
    const char *name;
    int id, is_file;
} run_keys[] = {{"run.data", OPT_COUNT, 1},           {"run.test", OPT_TEST, 1},
                {"run.holdout", OPT_HOLDOUT, 0},      {"run.valid", OPT_VALID, 1},
                {"run.metrics", OPT_METRICS, 0},      {"run.output", OPT_OUTPUT, 1},
                {"run.report", OPT_REPORT, 1},        {"run.seed", OPT_SEED, 0},
                {"run.study.journal", OPT_JOURNAL, 1}};
#define KEYS (sizeof run_keys / sizeof *run_keys)

typedef struct spec {
    ml_params *run; /* the block */
    char *paths[KEYS];
    char *pairs[2 * LIST_MAX]; /* of csv and of study */
    int n_pairs;
    char *algorithm;
} spec;

/* A path relative to the folder of the file. */
static char *beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    size_t n = slash && path[0] != '/' ? (size_t)(slash - file) + 1 : 0;
    char *joined = malloc(n + strlen(path) + 1);
    if (!joined) return NULL;
    memcpy(joined, file, n);
    strcpy(joined + n, path);
    return joined;
}

static ml_status no_key(app *a, const char *name)
{
    char message[256];
    snprintf(message, sizeof message,
             "%s, line %d: there is no option \"%s\"; use data, test, holdout, valid, "
             "metrics, output, report, seed, csv, study",
             a->operand[0], spec_line(a->spec_text, name, "", 1), name);
    ml_error_set(a->err, ML_E_NAME, message);
    return ML_E_NAME;
}

/* name=value, kept in the spec. */
static ml_status add_pair(app *a, spec *s, const char *name, const char *value,
                          const char **list, int *n)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *pair = *n < LIST_MAX ? malloc(size) : NULL;
    if (!pair) {
        ml_error_set(a->err, ML_E_MEMORY, "too many options");
        return ML_E_MEMORY;
    }
    snprintf(pair, size, "%s=%s", name, value);
    s->pairs[s->n_pairs++] = pair;
    list[(*n)++] = pair;
    return ML_OK;
}

/* A list of names as options have it: `["a", "b"]` becomes `a, b`. */
static void flatten(char *text)
{
    char *to = text;
    if (*text != '[') return;
    for (char *p = text; *p; p++)
        if (!strchr("[]\"", *p)) *to++ = *p;
    *to = 0;
}

static ml_status apply_key(app *a, spec *s, const char *name, const char *value)
{
    for (size_t k = 0; k < KEYS; k++) {
        if (strcmp(name, run_keys[k].name) != 0) continue;
        s->paths[k] =
            run_keys[k].is_file ? beside(a->operand[0], value) : beside("", value);
        if (run_keys[k].id == OPT_COUNT) {
            if (!a->operand[1]) a->operand[1] = s->paths[k];
        } else if (!flag(a, run_keys[k].id)) {
            a->value[run_keys[k].id] = s->paths[k];
            if (run_keys[k].id == OPT_METRICS && s->paths[k]) flatten(s->paths[k]);
        }
        return ML_OK;
    }
    if (strncmp(name, "run.csv.", 8) == 0)
        return add_pair(a, s, name + 8, value, a->csv, &a->n_csv);
    if (strncmp(name, "run.study.", 10) == 0)
        return add_pair(a, s, name + 10, value, a->study, &a->n_study);
    return no_key(a, name);
}

static ml_status apply_run(app *a, spec *s, const char *text)
{
    ml_status st = ml_params_new(a->ctx, &s->run, a->err);
    if (st == ML_OK) st = ml_params_read_yaml(s->run, text, strlen(text), a->err);
    for (int64_t i = 0; st == ML_OK && i < ml_params_count(s->run); i++) {
        const char *name = ml_params_name(s->run, i);
        st = apply_key(a, s, name, ml_params_get_str(s->run, name));
    }
    return st;
}

static ml_status apply_algorithm(app *a, spec *s, const char *text)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK) st = ml_params_read_yaml(p, text, strlen(text), a->err);
    if (st == ML_OK) {
        s->algorithm = beside("", ml_params_get_str(p, "algorithm"));
        a->value[OPT_ALGORITHM] = s->algorithm;
    }
    ml_params_free(p);
    return st;
}

static ml_status read_spec(app *a, spec *s)
{
    char *text = NULL;
    ml_status st = read_file(a, a->operand[0], &text);
    if (st < 0) return st;
    a->spec_text = beside("", text);
    char *run = cut(text, "run"), *algorithm = cut(text, "algorithm");
    a->value[OPT_ALGORITHM] = "pipeline";
    if (!a->spec_text) ml_error_set(a->err, st = ML_E_MEMORY, "out of memory");
    if (st == ML_OK) st = ml_params_new(a->ctx, &a->spec, a->err);
    if (st == ML_OK) st = ml_params_read_yaml(a->spec, text, strlen(text), a->err);
    const char *target = st == ML_OK ? ml_params_get_str(a->spec, "target") : NULL;
    if (target && !flag(a, OPT_TARGET))
        a->value[OPT_TARGET] = target; /* for the report */
    if (st == ML_OK && run) st = apply_run(a, s, run);
    if (st == ML_OK && algorithm) st = apply_algorithm(a, s, algorithm);
    free(run);
    free(algorithm);
    free(text);
    return st;
}

static void spec_free(app *a, spec *s)
{
    for (size_t k = 0; k < KEYS; k++) free(s->paths[k]);
    for (int i = 0; i < s->n_pairs; i++) free(s->pairs[i]);
    free(s->algorithm);
    free(a->spec_text);
    ml_params_free(s->run);
    ml_params_free(a->spec);
    a->spec = NULL;
    a->spec_text = NULL;
}

int cmd_run(app *a)
{
    spec s = {0};
    int code;
    a->spec_file = a->operand[0];
    if (read_spec(a, &s) < 0) {
        code = app_fail(a);
    } else if (!a->operand[1]) {
        code = app_usage(a, "name the data: `libml run SPEC DATA`, or run.data in SPEC");
    } else {
        a->operand[0] = a->operand[1];
        code = check_places(a);
        if (!code) code = a->n_study || flag(a, OPT_JOURNAL) ? cmd_tune(a) : cmd_train(a);
    }
    spec_free(a, &s);
    return code;
}
