/* SPDX-License-Identifier: MIT
 *
 * commands_convert.c: convert.
 */
#include "app.h"

#include <string.h>
#include <strings.h>

static ml_status save_as(app *a, const ml_model *m, const char *path)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK && a->value[OPT_TO])
        st = ml_params_set_str(p, "format", a->value[OPT_TO], a->err);
    if (st == ML_OK && a->value[OPT_NAME])
        st = ml_params_set_str(p, "name", a->value[OPT_NAME], a->err);
    if (st == ML_OK) st = ml_model_save_file(m, path, p, a->err);
    ml_params_free(p);
    return st;
}

/* Does the name of the file say what it is to be? */
static int ending_is_known(const char *path)
{
    static const char *const endings[] = {".c",   ".json", ".onnx", ".txt",
                                          ".mlm", ".ml",   ".libml"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return 1;
    return 0;
}

int cmd_convert(app *a)
{
    ml_model *m = NULL;
    const char *path = a->operand[1];
    int code = 0;
    if (!flag(a, OPT_TO) && !ending_is_known(path))
        return app_usage(a,
                         "\"%s\" does not end in .c, .json, .onnx, .txt or .mlm: give "
                         "--to c, xgboost, onnx, lightgbm or libml",
                         path);
    a->value[OPT_OUTPUT] = path;
    a->operand[1] = NULL;
    if ((code = check_places(a)) != 0) return code;
    ml_status st = load_model(a, &m);
    if (st == ML_OK) st = save_as(a, m, path);
    if (st < 0)
        code = app_fail(a);
    else if (!flag(a, OPT_QUIET))
        printf("%s of %lld inputs written to %s\n", ml_model_algorithm(m),
               (long long)ml_model_inputs(m), path);
    ml_model_free(m);
    return code;
}
