/* SPDX-License-Identifier: MIT
 *
 * export_c_linear.c: linear and logistic regression as C source: one weight for each
 * number, one table for each category, what a missing number counts as.
 */
#include "algorithms/linear/terms.h"
#include "serialization/export.h"

#include <string.h>

static void write_tables(mli_export_job *x, const mli_terms *t)
{
    int64_t entries = 0;
    for (int64_t i = 0; i < t->n_tables; i++)
        entries += (t->levels[i] + 1) * t->functions;
    mli_c_doubles(x, "weight", t->weight, t->functions * t->n_features);
    mli_c_doubles(x, "base", t->base, t->functions);
    mli_c_doubles(x, "fill", t->fill, t->n_features);
    mli_c_doubles(x, "missing", t->missing, t->functions * t->n_features);
    if (t->n_tables == 0) return;
    mli_c_doubles(x, "table", t->table, entries);
    mli_str_printf(x->s,
                   "/* input, levels, begin in the table */\n"
                   "static const int %s_category[][3] = {\n",
                   x->name);
    for (int64_t i = 0; i < t->n_tables; i++)
        mli_str_printf(x->s, "    {%lld, %lld, %lld},\n", (long long)t->feature[i],
                       (long long)t->levels[i], (long long)t->offset[i]);
    mli_str_add(x->s, "};\n");
}

static void write_score(mli_export_job *x, const mli_terms *t)
{
    const char *name = x->name;
    long long k = (long long)t->functions, n = (long long)t->n_features;
    mli_str_printf(x->s,
                   "\nvoid %s_score(const double *row, double *out)\n{\n"
                   "    for (int k = 0; k < %lld; k++) {\n"
                   "        out[k] = %s_base[k];\n"
                   "        for (int j = 0; j < %lld; j++) {\n"
                   "            double w = %s_weight[k * %lld + j], x = row[j];\n"
                   "            if (x != x) {\n"
                   "                x = %s_fill[j];\n"
                   "                out[k] += %s_missing[j * %lld + k];\n"
                   "            }\n"
                   "            if (w != 0) out[k] += w * x;\n"
                   "        }\n    }\n",
                   name, k, name, n, name, n, name, name, k);
    if (t->n_tables)
        mli_str_printf(x->s,
                       "    for (int i = 0; i < %lld; i++) {\n"
                       "        double x = row[%s_category[i][0]];\n"
                       "        int at = x >= 0 && x < %s_category[i][1] ? (int)x + 1 : "
                       "0;\n"
                       "        for (int k = 0; k < %lld; k++)\n"
                       "            out[k] += %s_table[%s_category[i][2] + at * %lld + "
                       "k];\n    }\n",
                       (long long)t->n_tables, name, name, k, name, name, k);
    mli_str_add(x->s, "}\n\n");
}

ml_status mli_export_c_linear(mli_export_job *x)
{
    int64_t classes = x->inputs->classes.n, functions = classes > 2 ? classes : 1;
    mli_terms *t = NULL;
    ml_status s = mli_terms_new(x->model, functions, &t, x->err);
    if (s) return s;
    x->scale = 1;
    x->link = classes == 0   ? MLI_LINK_IDENTITY
              : classes == 2 ? MLI_LINK_SIGMOID
                             : MLI_LINK_SOFTMAX;
    mli_c_begin(x, functions, classes ? classes : 1);
    write_tables(x, t);
    write_score(x, t);
    mli_c_link(x, functions, classes ? classes : 1);
    mli_terms_free(t);
    return ML_OK;
}
