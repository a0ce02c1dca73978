/* SPDX-License-Identifier: MIT
 *
 * data/arrow_format.c: what the format strings of the Arrow C data interface mean for a
 * table.
 */
#include "data/arrow.h"

#include <stdlib.h>
#include <string.h>

static mli_arrow_format same(int32_t type)
{
    return (mli_arrow_format){.kind = MLI_ARROW_SAME,
                              .type = type,
                              .item = (int32_t)mli_type_size(type),
                              .mul = 1,
                              .div = 1};
}

static mli_arrow_format other(mli_arrow_kind kind, int32_t type, int32_t item)
{
    return (mli_arrow_format){
        .kind = kind, .type = type, .item = item, .mul = 1, .div = 1};
}

static mli_arrow_format refuse(const char *what, const char *remedy)
{
    return (mli_arrow_format){
        .kind = MLI_ARROW_REFUSED, .mul = 1, .div = 1, .what = what, .remedy = remedy};
}

/* From a unit (s, m, u, n) to microseconds. */
static mli_arrow_format time_in(char unit, int32_t type, int32_t item)
{
    mli_arrow_format f = other(MLI_ARROW_TIME, type, item);
    switch (unit) {
    case 's':
        f.mul = 1000000;
        break;
    case 'm':
        f.mul = 1000;
        break;
    case 'u':
        break;
    case 'n':
        f.div = 1000;
        break;
    default:
        return refuse("a time of unknown unit", "cast it to microseconds");
    }
    if (unit == 'u' && item == 8) return same(type);
    return f;
}

static mli_arrow_format temporal(const char *f)
{
    if (strcmp(f, "tdD") == 0) return same(ML_TYPE_DATE);
    if (strcmp(f, "tdm") == 0) {
        mli_arrow_format days = other(MLI_ARROW_TIME, ML_TYPE_DATE, 8);
        days.div = 86400000;
        return days;
    }
    if (f[1] == 's' && f[2] && f[3] == ':') return time_in(f[2], ML_TYPE_TIMESTAMP, 8);
    if (f[1] == 't' && f[2]) {
        return time_in(f[2], ML_DTYPE_I64, f[2] == 's' || f[2] == 'm' ? 4 : 8);
    }
    if (f[1] == 'D' && f[2]) return time_in(f[2], ML_DTYPE_I64, 8);
    return refuse("an interval", "cast it to a duration or to a number");
}

/* d:precision,scale[,bits] */
static mli_arrow_format decimal(const char *f)
{
    int64_t part[3] = {0, 0, 128};
    const char *at = f + 2;
    int n = 0;
    while (f[1] == ':' && n < 3) {
        size_t size = strcspn(at, ",");
        if (!mli_parse_i64(at, at + size, &part[n])) break;
        n++;
        at += size;
        if (!*at) break;
        at++;
    }
    int64_t bits = part[2];
    int known = bits == 32 || bits == 64 || bits == 128 || bits == 256;
    if (n < 2 || *at || !known || part[1] < -400 || part[1] > 400) {
        return refuse("a decimal of unknown layout", "cast it to a 64-bit float");
    }
    mli_arrow_format d = other(MLI_ARROW_DECIMAL, ML_DTYPE_F64, (int32_t)(bits / 8));
    d.scale = (int32_t)part[1];
    return d;
}

static mli_arrow_format nested(const char *f)
{
    switch (f[1]) {
    case 's':
        return refuse("a struct", "unnest it: make each of its fields a column");
    case 'm':
        return refuse("a map", "make each key a column");
    case 'u':
        return refuse("a union", "cast it to one type");
    case 'r':
        return refuse("run-end encoded", "decode the runs");
    default:
        return refuse("a list",
                      "make each element a column, or each element a row (explode it)");
    }
}

static mli_arrow_format one_letter(char c)
{
    switch (c) {
    case 'n':
        return other(MLI_ARROW_NULL, ML_DTYPE_F64, 0);
    case 'b':
        return other(MLI_ARROW_BITS, ML_DTYPE_BOOL, 0);
    case 'c':
        return same(ML_DTYPE_I8);
    case 'C':
        return same(ML_DTYPE_U8);
    case 's':
        return same(ML_DTYPE_I16);
    case 'S':
        return same(ML_DTYPE_U16);
    case 'i':
        return same(ML_DTYPE_I32);
    case 'I':
        return same(ML_DTYPE_U32);
    case 'l':
        return same(ML_DTYPE_I64);
    case 'L':
        return same(ML_DTYPE_U64);
    case 'e':
        return other(MLI_ARROW_HALF, ML_DTYPE_F32, 2);
    case 'f':
        return same(ML_DTYPE_F32);
    case 'g':
        return same(ML_DTYPE_F64);
    case 'u':
        return other(MLI_ARROW_TEXT32, ML_TYPE_TEXT, 4);
    case 'U':
        return other(MLI_ARROW_TEXT64, ML_TYPE_TEXT, 8);
    case 'z':
    case 'Z':
        return refuse("binary", "decode it into text or numbers");
    default:
        return refuse("of a type that tables lack", "cast it to numbers or text");
    }
}

mli_arrow_format mli_arrow_parse(const char *format)
{
    if (!format || !*format) return refuse("of no type", "name its format");
    if (!format[1]) return one_letter(format[0]);
    if (strcmp(format, "vu") == 0) return other(MLI_ARROW_VIEW, ML_TYPE_TEXT, 16);
    if (strcmp(format, "vz") == 0) return one_letter('z');
    switch (format[0]) {
    case 't':
        return temporal(format);
    case 'd':
        return decimal(format);
    case '+':
        return nested(format);
    case 'w':
        return one_letter('z');
    default:
        return one_letter('?');
    }
}

ml_status mli_arrow_refuse(const char *name, const char *format,
                           const mli_arrow_format *parsed, ml_error *err)
{
    mli_fail(err, ML_E_TYPE, "a table cannot hold what is %s (Arrow format \"%s\")",
             parsed->what, format ? format : "");
    mli_error_at(err, ML_E_TYPE, "column \"%s\"", name);
    return mli_error_hint(err, ML_E_TYPE, "%s, or leave the column out", parsed->remedy);
}
