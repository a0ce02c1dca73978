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
    "        } else if (@_element[i].kind == 4) {\n"
    "            if (!(x >= 0 && x < 4294967296.0)) return 0;\n"
    "            next = (long long)x - (x < 2147483648.0 ? 0 : 4294967296LL);\n"
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

/* core/city.c. */
static const char hash[] =
    "typedef unsigned long long @_u64;\n\n"
    "static @_u64 @_get(const unsigned char *p, int n)\n{\n"
    "    @_u64 v = 0;\n"
    "    while (n-- > 0) v = v << 8 | p[n];\n"
    "    return v;\n}\n\n"
    "static @_u64 @_turn(@_u64 v, int bits) { return v >> bits | v << (64 - bits); }\n"
    "static @_u64 @_fold(@_u64 v) { return v ^ v >> 47; }\n\n"
    "static @_u64 @_join(@_u64 u, @_u64 v)\n{\n"
    "    const @_u64 f = 0x9ddfea08eb382d69ULL;\n"
    "    return @_fold((v ^ @_fold((u ^ v) * f)) * f) * f;\n}\n\n"
    "static void @_mix3(@_u64 a, @_u64 b, @_u64 c, @_u64 z, @_u64 *out)\n{\n"
    "    out[1] = @_turn(a + z, 52) + @_turn(a, 37) + @_turn(a + b, 7);\n"
    "    out[0] = a + b + c + z;\n"
    "    out[1] += @_turn(a + b + c, 31);\n}\n\n"
    "static void @_mix32(const unsigned char *p, @_u64 a, @_u64 b, @_u64 *out)\n{\n"
    "    @_u64 last = @_get(p + 24, 8), first = a + @_get(p, 8);\n"
    "    a = first + @_get(p + 8, 8) + @_get(p + 16, 8);\n"
    "    out[0] = a + last;\n"
    "    out[1] = @_turn(b + first + last, 21) + @_turn(a, 44) + first;\n}\n\n"
    "/* CityHash64, version 1.0. */\n"
    "static @_u64 @_hash_of(const unsigned char *p, @_u64 n)\n{\n"
    "    const @_u64 k0 = 0xc3a5c85c97cb3127ULL, k1 = 0xb492b66fbe98f273ULL;\n"
    "    const @_u64 k2 = 0x9ae16a3b2f90404fULL, k3 = 0xc949d7c7509e6557ULL;\n"
    "    @_u64 a = @_get(p, n < 8 ? 0 : 8), x, y, z, v[2], w[2];\n"
    "    const unsigned char *end = p + n;\n"
    "    if (n == 0) return k2;\n"
    "    if (n < 4) {\n"
    "        y = p[0] + ((@_u64)p[n >> 1] << 8);\n"
    "        z = n + ((@_u64)end[-1] << 2);\n"
    "        return @_fold(y * k2 ^ z * k3) * k2;\n    }\n"
    "    if (n <= 8)\n"
    "        return @_join(n + (@_get(p, 4) << 3), @_get(end - 4, 4));\n"
    "    y = @_get(end - 8, 8);\n"
    "    if (n <= 16) return @_join(a, @_turn(y + n, (int)n)) ^ y;\n"
    "    x = @_get(p + 8, 8);\n"
    "    if (n <= 32) {\n"
    "        z = @_get(end - 16, 8) * k0;\n"
    "        return @_join(@_turn(a * k1 - x, 43) + @_turn(y * k2, 30) + z,\n"
    "                      a * k1 + @_turn(x ^ k3, 20) - y * k2 + n);\n    }\n"
    "    if (n <= 64) {\n"
    "        z = @_get(p + 16, 8);\n"
    "        @_mix3(a + (n + @_get(end - 16, 8)) * k0, x, z, @_get(p + 24, 8), v);\n"
    "        @_mix3(z + @_get(end - 32, 8), @_get(end - 24, 8), @_get(end - 16, 8), y, "
    "w);\n"
    "        a = @_fold((v[0] + w[1]) * k2 + (w[0] + v[1]) * k0);\n"
    "        return @_fold(a * k0 + v[1]) * k2;\n    }\n"
    "    y = @_get(end - 16, 8) ^ k1;\n"
    "    @_mix32(end - 64, n, y, v);\n"
    "    @_mix32(end - 32, n * k1, k0, w);\n"
    "    z = (@_get(end - 56, 8) ^ k0) + @_fold(v[1]) * k1;\n"
    "    x = @_turn(z + a, 39) * k1;\n"
    "    y = @_turn(y, 33) * k1;\n"
    "    for (n = (n - 1) & ~(@_u64)63; n > 0; n -= 64, p += 64) {\n"
    "        @_u64 next = @_turn(z ^ w[0], 33);\n"
    "        x = @_turn(x + y + v[0] + @_get(p + 16, 8), 37) * k1 ^ w[1];\n"
    "        y = @_turn(y + v[1] + @_get(p + 48, 8), 42) * k1 ^ v[0];\n"
    "        @_mix32(p, v[1] * k1, x + w[0], v);\n"
    "        @_mix32(p + 32, next + w[1], y, w);\n"
    "        z = x;\n        x = next;\n    }\n"
    "    return @_join(@_join(v[0], w[0]) + @_fold(y) * k1 + z,\n"
    "                  @_join(v[1], w[1]) + x);\n}\n\n"
    "/* The value of a category in a row: a hash of its text. */\n"
    "double @_code(int input, const char *text)\n{\n"
    "    if (!@_hashed[input]) return NAN;\n"
    "    return (unsigned)@_hash_of((const unsigned char *)text, strlen(text));\n}\n\n";

/* In templates @ stands for the name, TABLES for their number. */
static void write_code(mli_export_job *x, const char *template)
{
    for (const char *t = template; *t; t++) {
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
              "above, 3 the same or missing, 4 the input is a hash. */\n");
    write_all(x, "struct {\n    int input, kind;\n    double at;\n}", "element",
              c->n_elements, put_at);
    int64_t values = write_tables(x);
    write_all(x, "unsigned long long", "keys", c->key_start[c->n_tables], put_key);
    write_all(x, "float", "values", values, put_value);
    write_all(x, "int", "hash_start", c->n_inputs + 1, put_level);
    write_all(x, "long long", "hash", c->level_start[c->n_inputs], put_hash);
    write_code(x, code);
}

int mli_c_hashes(mli_export_job *x)
{
    const mli_inputs *in = x->inputs;
    int any = 0;
    for (int64_t j = 0; j < in->n_features; j++) any |= in->features[j].hashed;
    if (!any) return 0;
    mli_str_printf(x->s, "static const char %s_hashed[] = {", x->name);
    for (int64_t j = 0; j < in->n_features; j++)
        mli_str_printf(x->s, j ? ", %d" : "%d", in->features[j].hashed);
    mli_str_add(x->s, "};\n\n");
    write_code(x, hash);
    return 1;
}
