/* SPDX-License-Identifier: MIT
 *
 * commands_use.c: predict, inspect, profile.
 */
#include "app.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

ml_status load_model(app *a, ml_model **out)
{
    ml_params *p = NULL;
    ml_status st = ml_params_new(a->ctx, &p, a->err);
    if (st == ML_OK && flag(a, OPT_VERIFY))
        st = ml_params_set_str(p, "verify", "true", a->err);
    if (st == ML_OK && a->value[OPT_TARGET])
        st = ml_params_set_str(p, "target", a->value[OPT_TARGET], a->err);
    if (st == ML_OK) st = ml_model_load_file(a->ctx, a->operand[0], p, out, a->err);
    ml_params_free(p);
    return st;
}

/* The predictions with a column of the data in front, as text. */
static ml_status add_id(app *a, const ml_table *data, ml_table **predictions)
{
    const char *name = a->value[OPT_ID];
    int64_t rows = ml_table_rows(data), column = ml_table_find(data, name);
    if (column < 0) {
        char text[512];
        snprintf(text, sizeof text, "there is no column \"%s\" in %s", name,
                 a->operand[1]);
        ml_error_set(a->err, ML_E_NAME, text);
        return ML_E_NAME;
    }
    char **values = calloc((size_t)rows + 1, sizeof *values);
    const char **names =
        calloc((size_t)ml_table_columns(*predictions) + 1, sizeof *names);
    ml_table *with = NULL, *ordered = NULL;
    ml_status st = values && names ? ML_OK : ML_E_MEMORY;
    for (int64_t i = 0; i < rows && st == ML_OK; i++) {
        int64_t size = ml_table_get_str(data, i, column, NULL, 0);
        if (size < 0) continue;
        if (!(values[i] = malloc((size_t)size + 1)))
            st = ML_E_MEMORY;
        else
            ml_table_get_str(data, i, column, values[i], (size_t)size + 1);
    }
    if (st == ML_E_MEMORY) ml_error_set(a->err, ML_E_MEMORY, "out of memory");
    if (st == ML_OK)
        st = ml_table_with_strs(a->ctx, *predictions, name, (const char *const *)values,
                                rows, &with, a->err);
    if (st == ML_OK) {
        int64_t n = 0;
        names[n++] = name;
        for (int64_t j = 0; j < ml_table_columns(*predictions); j++)
            names[n++] = ml_table_column_name(*predictions, j);
        st = ml_table_select(with, names, n, &ordered, a->err);
    }
    if (st == ML_OK) {
        ml_table_free(*predictions);
        *predictions = ordered;
    }
    ml_table_free(with);
    for (int64_t i = 0; values && i < rows; i++) free(values[i]);
    free(values);
    free(names);
    return st;
}

static int64_t write_stdout(const void *data, size_t size, void *user)
{
    (void)user;
    return fwrite(data, 1, size, stdout) == size ? (int64_t)size : -1;
}

ml_status write_table(app *a, const ml_table *t, const char *path)
{
    if (path && strcmp(path, "-") != 0) return ml_table_write_csv(t, path, NULL, a->err);
    ml_io io = ML_IO_INIT;
    io.write = write_stdout;
    return ml_table_write_csv_io(t, &io, NULL, a->err);
}

int cmd_predict(app *a)
{
    ml_model *m = NULL;
    ml_predictor *p = NULL;
    ml_params *options = NULL;
    ml_table *data = NULL, *out = NULL;
    const char *path = a->value[OPT_OUTPUT];
    int code = 0;
    double start = seconds_now();
    ml_status st = load_model(a, &m);
    if (st == ML_OK) st = ml_params_new(a->ctx, &options, a->err);
    if (st == ML_OK) st = add_pairs(a, options, a->set, a->n_set);
    if (st == ML_OK) st = ml_predictor_new(m, a->value[OPT_KIND], options, &p, a->err);
    if (st == ML_OK) st = read_table(a, a->operand[1], &data);
    if (st == ML_OK) st = ml_predictor_run_table(p, data, &out, a->err);
    if (st == ML_OK && flag(a, OPT_ID)) st = add_id(a, data, &out);
    if (st == ML_OK && flag(a, OPT_JSON) && !path) {
        print_table_json(stdout, out);
        fputc('\n', stdout);
    } else if (st == ML_OK) {
        st = write_table(a, out, path);
    }
    if (st < 0)
        code = app_fail(a);
    else if (path && flag(a, OPT_JSON))
        printf("{\"rows\": %lld, \"seconds\": %.3f}\n", (long long)ml_table_rows(out),
               seconds_now() - start);
    else if (path && strcmp(path, "-") != 0 && !flag(a, OPT_QUIET))
        printf("predicted %lld row%s into %s in %.2f s\n", (long long)ml_table_rows(out),
               plural(ml_table_rows(out)), path, seconds_now() - start);
    ml_table_free(out);
    ml_table_free(data);
    ml_predictor_free(p);
    ml_params_free(options);
    ml_model_free(m);
    return code;
}

static void print_shape(const ml_tensor *t)
{
    static const struct {
        int32_t dtype;
        const char *name;
    } names[] = {{ML_DTYPE_BOOL, "bool"}, {ML_DTYPE_I8, "i8"},   {ML_DTYPE_I16, "i16"},
                 {ML_DTYPE_I32, "i32"},   {ML_DTYPE_I64, "i64"}, {ML_DTYPE_U8, "u8"},
                 {ML_DTYPE_U16, "u16"},   {ML_DTYPE_U32, "u32"}, {ML_DTYPE_U64, "u64"},
                 {ML_DTYPE_F32, "f32"},   {ML_DTYPE_F64, "f64"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].dtype == ml_tensor_dtype(t)) fputs(names[i].name, stdout);
    fputs(" [", stdout);
    for (int32_t d = 0; d < ml_tensor_ndim(t); d++)
        printf("%s%lld", d ? ", " : "", (long long)ml_tensor_shape(t)[d]);
    fputs("]\n", stdout);
}

static void print_model(app *a, const ml_model *m)
{
    const ml_params *p = ml_model_params(m);
    printf("algorithm  %s\n", ml_model_algorithm(m));
    printf("inputs     %lld:", (long long)ml_model_inputs(m));
    for (int64_t i = 0; i < ml_model_inputs(m) && i < 12; i++)
        printf(" %s", ml_model_input_name(m, i));
    puts(ml_model_inputs(m) > 12 ? " ..." : "");
    if (ml_model_classes(m) > 0) {
        printf("classes    %lld:", (long long)ml_model_classes(m));
        for (int64_t k = 0; k < ml_model_classes(m) && k < 12; k++)
            printf(" %s", ml_model_class_label(m, k));
        puts(ml_model_classes(m) > 12 ? " ..." : "");
    }
    puts("\nparameters");
    for (int64_t i = 0; i < ml_params_count(p); i++) {
        const char *name = ml_params_name(p, i);
        printf("  %-24s %s\n", name, ml_params_get_str(p, name));
    }
    puts("\nattributes");
    for (int64_t i = 0; i < ml_model_attributes(m); i++) {
        ml_tensor *t = NULL;
        const char *name = ml_model_attribute_name(m, i);
        if (ml_model_get_tensor(m, name, &t, a->err) < 0) continue;
        printf("  %-24s ", name);
        print_shape(t);
        ml_tensor_free(t);
    }
}

int cmd_inspect(app *a)
{
    ml_model *m = NULL;
    if (load_model(a, &m) < 0) return app_fail(a);
    if (flag(a, OPT_TREE) || flag(a, OPT_SVG)) {
        ml_status st = draw_tree(a, m);
        ml_model_free(m);
        return st < 0 ? app_fail(a) : 0;
    }
    if (flag(a, OPT_JSON))
        puts(ml_model_json(m));
    else if (!flag(a, OPT_QUIET))
        print_model(a, m);
    ml_model_free(m);
    return 0;
}

static ml_status profile_options(app *a, const char *part, const char *target,
                                 ml_params **out)
{
    ml_status st = ml_params_new(a->ctx, out, a->err);
    if (st == ML_OK) st = ml_params_set_str(*out, "part", part, a->err);
    if (st == ML_OK && target) st = ml_params_set_str(*out, "target", target, a->err);
    return st;
}

static ml_status profile_part(app *a, const ml_table *data, const char *part,
                              const char *target, ml_table **out)
{
    ml_params *options = NULL;
    ml_status st = profile_options(a, part, target, &options);
    if (st == ML_OK) st = ml_table_profile(data, options, out, a->err);
    ml_params_free(options);
    return st;
}

static ml_status profile_report(app *a, const ml_table *data)
{
    ml_report *r = NULL;
    ml_params *options = NULL;
    ml_status st = profile_options(a, "columns", a->value[OPT_TARGET], &options);
    if (st == ML_OK) st = ml_report_new(a->ctx, a->operand[0], &r, a->err);
    if (st == ML_OK) st = ml_report_add_profile(r, "Data", data, options, a->err);
    if (st == ML_OK) st = ml_report_save_file(r, a->value[OPT_REPORT], a->err);
    ml_report_free(r);
    ml_params_free(options);
    return st;
}

/* The rows of all files, below each other. */
static ml_status read_tables(app *a, ml_table **out)
{
    ml_params *how = NULL;
    ml_status st = ml_params_new(a->ctx, &how, a->err);
    if (st == ML_OK) st = ml_params_set_str(how, "how", "union", a->err);
    if (st == ML_OK) st = read_table(a, a->operand[0], out);
    for (int i = 1; i < a->n_operand && st == ML_OK; i++) {
        ml_table *next = NULL, *both = NULL;
        st = read_table(a, a->operand[i], &next);
        if (st == ML_OK) st = ml_table_join(*out, next, how, &both, a->err);
        ml_table_free(next);
        if (st != ML_OK) break;
        ml_table_free(*out);
        *out = both;
    }
    ml_params_free(how);
    return st;
}

/* `profile`: NULL when the summary is all; `summary`: NULL when sketches are. */
static void print_profile(app *a, const char *part, const ml_table *profile,
                          const ml_table *summary)
{
    double missing = summary ? ml_table_get_f64(summary, 0, 3) : 0;
    if (flag(a, OPT_JSON)) {
        if (summary) {
            fputs("{\"summary\": ", stdout);
            print_table_json(stdout, summary);
        }
        if (profile) {
            printf("%s\"%s\": ", summary ? ", " : "{", part);
            print_table_json(stdout, profile);
        }
        fputs("}\n", stdout);
        return;
    }
    if (summary)
        printf("%.0f rows, %.0f columns, %.0f rows equal to an earlier one, %.3g %% "
               "missing\n",
               ml_table_get_f64(summary, 0, 0), ml_table_get_f64(summary, 0, 1),
               ml_table_get_f64(summary, 0, 2), isnan(missing) ? 0 : missing);
    if (summary && profile) putchar('\n');
    if (profile) print_table(stdout, profile);
}

int cmd_profile(app *a)
{
    const char *part = flag(a, OPT_PART) ? a->value[OPT_PART] : "columns";
    const char *target = a->value[OPT_TARGET];
    int whole = strcmp(part, "summary") == 0, columns = strcmp(part, "columns") == 0;
    int sketches = strcmp(part, "sketch") == 0 || strcmp(part, "merge") == 0;
    ml_table *data = NULL, *profile = NULL, *summary = NULL;
    int code = 0;
    if (target && !columns && !flag(a, OPT_REPORT))
        return app_usage(a, "--target is for --part columns and --report");
    ml_status st = read_tables(a, &data);
    if (st == ML_OK && !whole)
        st = profile_part(a, data, part, columns ? target : NULL, &profile);
    if (st == ML_OK && !sketches) st = profile_part(a, data, "summary", NULL, &summary);
    if (st == ML_OK && flag(a, OPT_REPORT)) st = profile_report(a, data);
    if (st == ML_OK && flag(a, OPT_OUTPUT))
        st = write_table(a, whole ? summary : profile, a->value[OPT_OUTPUT]);
    if (st < 0)
        code = app_fail(a);
    else if (flag(a, OPT_JSON) || (!flag(a, OPT_QUIET) && !flag(a, OPT_OUTPUT)))
        print_profile(a, part, profile, summary);
    ml_table_free(profile);
    ml_table_free(summary);
    ml_table_free(data);
    return code;
}
