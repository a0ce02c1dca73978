/* SPDX-License-Identifier: MIT
 *
 * export_c_text.c: the parts of C source that are the same for all models: literals,
 * names of inputs, outputs and categories, the way from scores to predictions.
 *
 * With the name "model" the source has
 *   model_inputs, model_outputs, model_input_names, model_output_names
 *   double model_code(int input, const char *text)      the code of a category
 *   void model_score(const double *row, double *out)
 *   void model_predict(const double *row, double *out)  a value, or probabilities
 * and calls nothing but exp, log1p, fabs and strcmp.
 */
#include "serialization/export.h"

#include <math.h>
#include <string.h>

void mli_c_number(mli_str *s, double v)
{
    char text[MLI_NUM_SIZE];
    if (isnan(v)) {
        mli_str_add(s, "NAN");
    } else if (isinf(v)) {
        mli_str_add(s, v < 0 ? "-INFINITY" : "INFINITY");
    } else {
        int n = mli_format_f64(v, text);
        mli_str_add_n(s, text, (size_t)n);
        if (!strpbrk(text, ".eE")) mli_str_add(s, ".0");
    }
}

/* Bytes beyond printable ASCII as three octal digits, which cannot run on. */
void mli_c_text(mli_str *s, const char *text, size_t size)
{
    mli_str_char(s, '"');
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\' || c == '?') /* ?: no trigraphs */
            mli_str_printf(s, "\\%c", c);
        else if (c < 32 || c > 126)
            mli_str_printf(s, "\\%03o", c);
        else
            mli_str_char(s, (char)c);
    }
    mli_str_char(s, '"');
}

void mli_c_doubles(mli_export_job *x, const char *field, const double *v, int64_t n)
{
    mli_str_printf(x->s, "static const double %s_%s[] = {", x->name, field);
    for (int64_t i = 0; i < n; i++) {
        if (i) mli_str_char(x->s, ',');
        if (i % 8 == 0) mli_str_add(x->s, "\n    ");
        mli_c_number(x->s, v[i]);
    }
    mli_str_add(x->s, n ? "};\n" : "0.0};\n");
}

static void text_of(mli_str *s, const mli_dictionary *d, int64_t k)
{
    mli_c_text(s, d->bytes + d->offsets[k], (size_t)(d->offsets[k + 1] - d->offsets[k]));
}

/* Levels of all categorical inputs, one behind the other, and where each begins. */
static void write_levels(mli_export_job *x)
{
    const mli_inputs *in = x->inputs;
    mli_str *s = x->s;
    int64_t total = 0;
    if (mli_c_hashes(x)) return; /* there are no levels then */
    for (int64_t j = 0; j < in->n_features; j++) total += in->features[j].levels.n;
    if (total == 0) {
        mli_str_printf(
            s,
            "double %s_code(int input, const char *text)\n{\n    (void)input;\n"
            "    (void)text;\n    return NAN;\n}\n\n",
            x->name);
        return;
    }
    mli_str_printf(s, "static const int %s_first_level[] = {0", x->name);
    total = 0;
    for (int64_t j = 0; j < in->n_features; j++) {
        total += in->features[j].levels.n;
        mli_str_printf(s, ", %lld", (long long)total);
    }
    mli_str_printf(s, "};\nstatic const char *const %s_levels[] = {\n", x->name);
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_dictionary *d = &in->features[j].levels;
        for (int64_t k = 0; k < d->n; k++) {
            mli_str_add(s, "    ");
            text_of(s, d, k);
            mli_str_add(s, ",\n");
        }
    }
    mli_str_printf(
        s,
        "};\n\n"
        "/* The code of a category in a row; NaN when it is not known. */\n"
        "double %s_code(int input, const char *text)\n{\n"
        "    for (int i = %s_first_level[input]; i < %s_first_level[input + 1]; "
        "i++)\n"
        "        if (strcmp(%s_levels[i], text) == 0)\n"
        "            return i - %s_first_level[input];\n"
        "    return NAN;\n}\n\n",
        x->name, x->name, x->name, x->name, x->name);
}

void mli_c_begin(mli_export_job *x, int64_t n_scores, int64_t n_outputs)
{
    const mli_inputs *in = x->inputs;
    mli_str *s = x->s;
    const char *name = x->name;
    mli_str_printf(
        s,
        "/* Made by libml %s from a model of %s. Compile with: cc -O2 -c FILE -lm\n *\n"
        " *   extern const int %s_inputs, %s_outputs, %s_scores;\n"
        " *   extern const char *const %s_input_names[], *const %s_output_names[];\n"
        " *   double %s_code(int input, const char *text);\n"
        " *   void %s_score(const double *row, double *out);\n"
        " *   void %s_predict(const double *row, double *out);\n *\n"
        " * A row holds %lld inputs: numbers, NaN where one is missing, and categories "
        "as\n"
        " * their codes. out receives %lld scores, or %lld predictions. */\n"
        "#include <math.h>\n#include <string.h>\n\n",
        ml_version(), x->model->algorithm->head.name, name, name, name, name, name, name,
        name, name, (long long)in->n_features, (long long)n_scores, (long long)n_outputs);
    mli_str_printf(
        s,
        "extern const int %s_inputs, %s_outputs, %s_scores;\n"
        "extern const char *const %s_input_names[], *const %s_output_names[];\n"
        "double %s_code(int input, const char *text);\n"
        "void %s_score(const double *row, double *out);\n"
        "void %s_predict(const double *row, double *out);\n\n",
        name, name, name, name, name, name, name, name);
    mli_str_printf(
        s, "const int %s_inputs = %lld, %s_outputs = %lld, %s_scores = %lld;\n", name,
        (long long)in->n_features, name, (long long)n_outputs, name, (long long)n_scores);
    mli_str_printf(s, "const char *const %s_input_names[] = {\n", name);
    for (int64_t j = 0; j < in->n_features; j++) {
        mli_str_add(s, "    ");
        mli_c_text(s, in->features[j].name, strlen(in->features[j].name));
        mli_str_add(s, ",\n");
    }
    mli_str_printf(s, "    0};\nconst char *const %s_output_names[] = {\n", name);
    for (int64_t k = 0; k < in->classes.n; k++) {
        mli_str_add(s, "    ");
        text_of(s, &in->classes, k);
        mli_str_add(s, ",\n");
    }
    for (int64_t k = 0; k < in->n_targets; k++) {
        mli_str_add(s, "    ");
        mli_c_text(s, in->targets[k], strlen(in->targets[k]));
        mli_str_add(s, ",\n");
    }
    if (in->classes.n == 0 && in->n_targets == 0) mli_str_add(s, "    \"value\",\n");
    mli_str_add(s, "    0};\n\n");
    write_levels(x);
}

static const char softmax[] = "    double top = -INFINITY, sum = 0;\n"
                              "    for (int k = 0; k < N; k++) {\n"
                              "        out[k] = score[k]SCALE;\n"
                              "        if (out[k] > top) top = out[k];\n"
                              "    }\n"
                              "    for (int k = 0; k < N; k++)\n"
                              "        sum += out[k] = exp(out[k] - top);\n"
                              "    for (int k = 0; k < N; k++) out[k] /= sum;\n";

/* In the templates N stands for the number of scores, SCALE for the factor. */
static void write_template(mli_export_job *x, const char *t, int64_t n)
{
    while (*t) {
        if (t[0] == 'N' && t[1] == ';') {
            mli_str_i64(x->s, n);
            t++;
        } else if (strncmp(t, "SCALE", 5) == 0) {
            t += 5;
            if (x->scale == 1) continue;
            mli_str_add(x->s, " * ");
            mli_c_number(x->s, x->scale);
        } else {
            mli_str_char(x->s, *t++);
        }
    }
}

void mli_c_link(mli_export_job *x, int64_t n_scores, int64_t n_outputs)
{
    static const char *const one[MLI_LINK_COUNT] = {
        [MLI_LINK_IDENTITY] = "s",
        [MLI_LINK_EXP] = "exp(s)",
        [MLI_LINK_SIGMOID] = "1 / (1 + exp(-s))",
        [MLI_LINK_SOFTPLUS] = "s > 0 ? s + log1p(exp(-s)) : log1p(exp(s))",
        [MLI_LINK_STEP] = "s > 0",
        [MLI_LINK_SQUARE] = "s * fabs(s)"};
    mli_str_printf(x->s,
                   "void %s_predict(const double *row, double *out)\n{\n"
                   "    double score[%lld];\n    %s_score(row, score);\n",
                   x->name, (long long)n_scores, x->name);
    if (x->link == MLI_LINK_SOFTMAX) {
        write_template(x, softmax, n_scores);
    } else {
        write_template(x,
                       "    for (int k = 0; k < N; k++) {\n"
                       "        double s = score[k]SCALE;\n"
                       "        out[k] = ",
                       n_scores);
        mli_str_printf(x->s, "%s;\n    }\n", one[x->link]);
        if (n_scores == 1 && n_outputs == 2)
            mli_str_add(x->s, "    out[1] = out[0] < 0 ? 0 : out[0] > 1 ? 1 : out[0];\n"
                              "    out[0] = 1 - out[1];\n");
    }
    mli_str_add(x->s, "}\n");
}
