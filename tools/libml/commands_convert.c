/* SPDX-License-Identifier: MIT
 *
 * commands_convert.c: convert.
 */
#include "app.h"

#include <string.h>

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static int is_own(const app *a, const char *path)
{
    static const char *const ends[] = {".c", ".json", ".onnx", ".txt"};
    if (a->value[OPT_TO]) return strcmp(a->value[OPT_TO], "libml") == 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends_with(path, ends[i])) return 0;
    return 1;
}

static ml_status export_model(app *a, const ml_model *m, const char *path)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK && a->value[OPT_TO])
        st = ml_params_set_str(p, "format", a->value[OPT_TO], a->err);
    if (st == ML_OK && a->value[OPT_NAME])
        st = ml_params_set_str(p, "name", a->value[OPT_NAME], a->err);
    if (st == ML_OK) st = ml_model_export_file(m, path, p, a->err);
    ml_params_free(p);
    return st;
}

int cmd_convert(app *a)
{
    ml_model *m = NULL;
    const char *path = a->operand[1];
    int code = 0;
    ml_status st = load_model(a, &m);
    if (st == ML_OK && is_own(a, path))
        st = ml_model_save_file(m, path, NULL, a->err);
    else if (st == ML_OK)
        st = export_model(a, m, path);
    if (st < 0)
        code = app_fail(a);
    else if (!flag(a, OPT_QUIET))
        printf("%s of %lld inputs written to %s\n", ml_model_algorithm(m),
               (long long)ml_model_inputs(m), path);
    ml_model_free(m);
    return code;
}
