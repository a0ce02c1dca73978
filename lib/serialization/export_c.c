/* SPDX-License-Identifier: MIT
 *
 * export_c.c: trees as C source: tables of nodes and a loop that walks them, so that the
 * size of the object, and the time to compile, grow only with the number of nodes.
 * Scores are sums in the order of the trees, as in the library.
 */
#include "serialization/export.h"

#include <math.h>
#include <string.h>

static void write_ints(mli_export_job *x, const char *type, const char *field, int64_t n,
                       int64_t (*get)(const mli_ensemble *e, int64_t i))
{
    mli_str_printf(x->s, "static const %s %s_%s[] = {", type, x->name, field);
    for (int64_t i = 0; i < n; i++) {
        mli_str_add(x->s, i % 16 ? ", " : i ? ",\n    " : "\n    ");
        mli_str_i64(x->s, get(&x->e, i));
    }
    mli_str_add(x->s, n ? "};\n" : "0};\n");
}

static int64_t get_start(const mli_ensemble *e, int64_t i)
{
    return e->start[i];
}
static int64_t get_level_start(const mli_ensemble *e, int64_t i)
{
    return e->level_start[i];
}
static int64_t get_bin(const mli_ensemble *e, int64_t i)
{
    return e->wide_bin ? e->wide_bin[i] : e->level_bin[i];
}
static int64_t get_other(const mli_ensemble *e, int64_t j)
{
    return e->wide_other ? e->wide_other[j] : e->level_other[j];
}
static int64_t get_missing(const mli_ensemble *e, int64_t j)
{
    if (e->wide_missing) return e->wide_missing[j];
    return e->level_missing ? e->level_missing[j] : get_other(e, j);
}
static int64_t get_zero(const mli_ensemble *e, int64_t j)
{
    return e->zero_missing[j];
}

/* Threshold or leaf value, first child in the array, feature, set, flags. */
static void write_nodes(mli_export_job *x)
{
    const mli_ensemble *e = &x->e;
    mli_str *s = x->s;
    int sets = e->n_sets > 0;
    mli_str_printf(
        s,
        "static const struct {\n    double at;  /* threshold, or value of a leaf "
        "*/\n    int left;   /* first of two children; 0: a leaf */\n"
        "    int input;\n%s    unsigned char missing_left;\n} %s_node[] = {\n",
        sets ? "    int set;    /* -1: by threshold */\n" : "", x->name);
    for (int64_t t = 0; t < e->n_trees; t++) {
        for (int64_t i = e->start[t]; i < e->start[t + 1]; i++) {
            int leaf = e->left[i] == 0;
            int by_set = !leaf && (e->flags[i] & MLI_NODE_CATEGORICAL);
            mli_str_add(s, "    {");
            mli_c_number(s, leaf ? e->value[i] : by_set ? 0 : e->threshold[i]);
            mli_str_printf(s, ", %lld, %d",
                           (long long)(leaf ? 0 : e->start[t] + e->left[i]),
                           leaf ? 0 : e->feature[i]);
            if (sets) mli_str_printf(s, ", %d", by_set ? e->set[i] : -1);
            mli_str_printf(s, ", %d},\n",
                           !leaf && (e->flags[i] & MLI_NODE_MISSING_LEFT) ? 1 : 0);
        }
    }
    mli_str_add(s, "};\n");
}

static void write_sets(mli_export_job *x)
{
    const mli_ensemble *e = &x->e;
    const char *name = x->name;
    int64_t n = e->n_sets * e->set_words, inputs = e->crosses.n_inputs;
    if (e->n_sets == 0) return;
    mli_str_printf(x->s, "static const unsigned %s_sets[] = {", name);
    for (int64_t i = 0; i < n; i++) {
        mli_str_add(x->s, i % 8 ? ", " : i ? ",\n    " : "\n    ");
        mli_str_printf(x->s, "0x%xU", e->sets[i]);
    }
    mli_str_add(x->s, "};\n");
    write_ints(x, "int", "level_start", inputs + 1, get_level_start);
    write_ints(x, "unsigned short", "level_bin", e->level_start[inputs], get_bin);
    write_ints(x, "unsigned short", "level_other", inputs, get_other);
    write_ints(x, "unsigned short", "level_missing", inputs, get_missing);
    mli_str_printf(
        x->s,
        "\nstatic int %s_in_set(int input, int set, double x)\n{\n"
        "    int n = %s_level_start[input + 1] - %s_level_start[input];\n"
        "    int bin = x != x ? %s_level_missing[input]\n"
        "              : x >= 0 && x < n ? %s_level_bin[%s_level_start[input] + (int)x]\n"
        "                                : %s_level_other[input];\n"
        "    return (int)(%s_sets[%lld * set + bin / 32] >> bin %% 32 & 1);\n}\n",
        name, name, name, name, name, name, name, name, (long long)e->set_words);
}

static void write_walk(mli_export_job *x)
{
    const char *name = x->name;
    mli_str *s = x->s;
    mli_str_printf(s, "\nstatic int %s_left(int i, double x)\n{\n", name);
    if (x->e.n_sets)
        mli_str_printf(s,
                       "    if (%s_node[i].set >= 0)\n        return %s_in_set("
                       "%s_node[i].input, %s_node[i].set, x);\n",
                       name, name, name, name);
    if (x->e.zero_missing) {
        mli_str_printf(
            s, "    if (%s_zero_missing[%s_node[i].input] && fabs(x) <= ", name, name);
        mli_c_number(s, (double)MLI_ZERO_MISSING);
        mli_str_printf(s, ") return %s_node[i].missing_left;\n", name);
    }
    mli_str_printf(s,
                   "    if (x != x) return %s_node[i].missing_left;\n"
                   "    return x <= %s_node[i].at;\n}\n\n",
                   name, name);
    mli_str_printf(s, "void %s_score(const double *row, double *out)\n{\n", name);
    if (x->e.crosses.n_columns)
        mli_str_printf(s,
                       "    double wide[%lld];\n"
                       "    memcpy(wide, row, %lld * sizeof *row);\n"
                       "    %s_cross(row, wide + %lld);\n    row = wide;\n",
                       (long long)x->e.n_features, (long long)x->e.crosses.n_inputs, name,
                       (long long)x->e.crosses.n_inputs);
    mli_str_printf(
        s,
        "    for (int k = 0; k < %lld; k++) out[k] = %s_base[k];\n"
        "    for (int t = 0; t < %lld; t++) {\n"
        "        int i = %s_tree[t];\n"
        "        while (%s_node[i].left)\n"
        "            i = %s_node[i].left + !%s_left(i, row[%s_node[i].input]);\n"
        "        out[t %% %lld] ",
        (long long)x->e.n_scores, name, (long long)x->e.n_trees, name, name, name, name,
        name, (long long)x->e.n_scores);
    if (x->e.float_sums)
        mli_str_printf(s, "= (float)(out[t %% %lld] + %s_node[i].at)",
                       (long long)x->e.n_scores, name);
    else
        mli_str_printf(s, "+= %s_node[i].at", name);
    mli_str_add(s, ";\n    }\n}\n\n");
}

ml_status mli_export_c(mli_export_job *x)
{
    int64_t outputs = x->inputs->classes.n   ? x->inputs->classes.n
                      : x->inputs->n_targets ? x->e.n_scores
                                             : 1;
    if (x->e.n_nodes > 2147483647) return mli_export_refuse(x, "C", "so many nodes");
    mli_c_begin(x, x->e.n_scores, outputs);
    write_nodes(x);
    write_ints(x, "int", "tree", x->e.n_trees, get_start);
    mli_c_doubles(x, "base", x->e.base, x->e.n_scores);
    if (x->e.zero_missing)
        write_ints(x, "unsigned char", "zero_missing", x->e.n_features, get_zero);
    write_sets(x);
    mli_c_crosses(x);
    write_walk(x);
    mli_c_link(x, x->e.n_scores, outputs);
    return ML_OK;
}
