/* SPDX-License-Identifier: MIT
 *
 * export_c_crosses.c: crosses (trees/crosses.h) as C source: tables of keys, searched by
 * halves, and a function that makes the columns of a row.
 */
#include "serialization/export.h"

/* `static const TYPE NAME_FIELD[] = {...};` of n numbers, each written by `put`. */
static void write_all(mli_export_job *x, const char *type, const char *field, int64_t n,
                      void (*put)(mli_str *s, const mli_crosses *c, int64_t i))
{
    mli_str_printf(x->s, "static const %s %s_%s[] = {", type, x->name, field);
    for (int64_t i = 0; i < n; i++) {
        mli_str_add(x->s, i % 4 ? ", " : i ? ",\n    " : "\n    ");
        put(x->s, &x->e.crosses, i);
    }
    mli_str_add(x->s, n ? "};\n" : "0};\n");
}

static void put_key(mli_str *s, const mli_crosses *c, int64_t i)
{
    mli_str_printf(s, "0x%llxULL", (unsigned long long)c->key[i]);
}

static void put_value(mli_str *s, const mli_crosses *c, int64_t i)
{
    mli_c_number(s, (double)c->value[i]);
}

static void put_hash(mli_str *s, const mli_crosses *c, int64_t i)
{
    mli_str_printf(s, "%lld", (long long)c->level_hash[i]);
}

static void put_level(mli_str *s, const mli_crosses *c, int64_t j)
{
    mli_str_i64(s, c->level_start[j]);
}

static void put_at(mli_str *s, const mli_crosses *c, int64_t i)
{
    mli_str_printf(s, "{%d, %d, ", c->feature[i], c->kind[i]);
    mli_c_number(s, c->at[i]);
    mli_str_char(s, '}');
}

static int64_t columns_of(const mli_crosses *c, int64_t table)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n_columns; i++) n += c->table[i] == table;
    return n;
}

/* First element, keys, values, and the number of columns. */
static int64_t write_tables(mli_export_job *x)
{
    const mli_crosses *c = &x->e.crosses;
    int64_t values = 0;
    mli_str_printf(
        x->s,
        "static const struct {\n    int element, elements;\n    long long key, keys, "
        "value;\n    int columns;\n} %s_table[] = {\n",
        x->name);
    for (int64_t t = 0; t < c->n_tables; t++) {
        int64_t keys = c->key_start[t + 1] - c->key_start[t], columns = columns_of(c, t);
        mli_str_printf(x->s, "    {%lld, %lld, %lld, %lld, %lld, %lld},\n",
                       (long long)c->start[t], (long long)(c->start[t + 1] - c->start[t]),
                       (long long)c->key_start[t], (long long)keys, (long long)values,
                       (long long)columns);
        values += (keys + 1) * columns;
    }
    mli_str_add(x->s, "};\n");
    return values;
}

static const char code[] =
    "\n/* The key of a row in a table; 0 where a category is not known. */\n"
    "static int @_key(int t, const double *row, unsigned long long *key)\n{\n"
    "    const unsigned long long factor = 0x4906ba494954cb65ULL;\n"
    "    unsigned long long sum = 0;\n"
    "    for (int i = @_table[t].element;\n"
    "         i < @_table[t].element + @_table[t].elements; i++) {\n"
    "        int j = @_element[i].input, first = @_hash_start[j];\n"
    "        double x = row[j], at = @_element[i].at;\n"
    "        long long next = !(x <= at);\n"
    "        if (@_element[i].kind == 0) {\n"
    "            if (!(x >= 0 && x < @_hash_start[j + 1] - first)) return 0;\n"
    "            next = @_hash[first + (int)x];\n"
    "        } else if (@_element[i].kind == 1) {\n"
    "            next = x >= 0 && floor(x) == at;\n"
    "        } else if (@_element[i].kind == 2) {\n"
    "            next = x > at;\n"
    "        }\n"
    "        sum = factor * (sum + factor * (unsigned long long)next);\n"
    "    }\n"
    "    *key = sum;\n    return 1;\n}\n\n"
    "/* Statistics of combinations of inputs. */\n"
    "static void @_cross(const double *row, double *out)\n{\n"
    "    for (int t = 0; t < TABLES; t++) {\n"
    "        unsigned long long key = 0;\n"
    "        long long low = 0, high = @_table[t].keys, place = high;\n"
    "        if (!@_key(t, row, &key)) high = 0;\n"
    "        while (low < high) {\n"
    "            long long middle = low + (high - low) / 2;\n"
    "            unsigned long long k = @_keys[@_table[t].key + middle];\n"
    "            if (k == key) place = middle;\n"
    "            if (k < key)\n"
    "                low = middle + 1;\n"
    "            else\n"
    "                high = middle;\n"
    "        }\n"
    "        for (int k = 0; k < @_table[t].columns; k++)\n"
    "            *out++ = @_values[@_table[t].value + place * @_table[t].columns + k];\n"
    "    }\n}\n";

/* In the template @ stands for the name, TABLES for their number. */
static void write_code(mli_export_job *x)
{
    for (const char *t = code; *t; t++) {
        if (*t == '@') {
            mli_str_add(x->s, x->name);
        } else if (t[0] == 'T' && t[1] == 'A') {
            mli_str_i64(x->s, x->e.crosses.n_tables);
            t += sizeof "TABLES" - 2;
        } else {
            mli_str_char(x->s, *t);
        }
    }
}

void mli_c_crosses(mli_export_job *x)
{
    const mli_crosses *c = &x->e.crosses;
    if (c->n_columns == 0) return;
    mli_str_printf(
        x->s, "/* Kinds: 0 the hash of a category, 1 is it this one, 2 is the number "
              "above, 3 the same or missing. */\n");
    write_all(x, "struct {\n    int input, kind;\n    double at;\n}", "element",
              c->n_elements, put_at);
    int64_t values = write_tables(x);
    write_all(x, "unsigned long long", "keys", c->key_start[c->n_tables], put_key);
    write_all(x, "float", "values", values, put_value);
    write_all(x, "int", "hash_start", c->n_inputs + 1, put_level);
    write_all(x, "long long", "hash", c->level_start[c->n_inputs], put_hash);
    write_code(x);
}
