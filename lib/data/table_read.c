/* SPDX-License-Identifier: MIT
 *
 * data/table_read.c: reads values out of columns: as doubles, floats, and text.
 */
#include "data/table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The missing rows of begin..end-1 become NaN. Bytes of the bitmap that are all ones, the
 * usual case, are passed over eight rows at a time. */
#define FILL_MISSING(c, begin, end, out, stride)                                         \
    do {                                                                                 \
        for (int64_t i = (begin); i < (end);) {                                          \
            int64_t bit = (c)->offset + i;                                               \
            if ((bit & 7) == 0 && i + 8 <= (end) && (c)->validity[bit >> 3] == 0xff) {   \
                i += 8;                                                                  \
                continue;                                                                \
            }                                                                            \
            if (!(((c)->validity[bit >> 3] >> (bit & 7)) & 1)) {                         \
                (out)[(i - (begin)) * (stride)] = NAN;                                   \
            }                                                                            \
            i++;                                                                         \
        }                                                                                \
    } while (0)

/* The common layouts have loops of their own, which the compiler makes better code of. */
#define CONVERT(in_type, out_type)                                                       \
    do {                                                                                 \
        const in_type *in = (const in_type *)c->data + begin * c->stride;                \
        if (c->stride == 1 && stride == 1) {                                             \
            for (int64_t i = 0; i < n; i++) out[i] = (out_type)in[i];                    \
        } else if (stride == 1) {                                                        \
            int64_t step = c->stride;                                                    \
            for (int64_t i = 0; i < n; i++, in += step) out[i] = (out_type)*in;          \
        } else {                                                                         \
            int64_t step = c->stride;                                                    \
            for (int64_t i = 0; i < n; i++) out[i * stride] = (out_type)in[i * step];    \
        }                                                                                \
    } while (0)

#define CONVERT_BITS(out_type)                                                           \
    do {                                                                                 \
        const uint8_t *bits = c->data;                                                   \
        for (int64_t i = 0; i < n; i++) {                                                \
            int64_t bit = c->offset + begin + i;                                         \
            out[i * stride] = (out_type)((bits[bit >> 3] >> (bit & 7)) & 1);             \
        }                                                                                \
    } while (0)

#define CONVERT_CODES(out_type)                                                          \
    do {                                                                                 \
        const int32_t *codes = (const int32_t *)c->data + begin;                         \
        for (int64_t i = 0; i < n; i++) {                                                \
            int known = codes[i] >= 0 && codes[i] < c->n_levels;                         \
            out[i * stride] = known ? (out_type)codes[i] : (out_type)NAN;                \
        }                                                                                \
    } while (0)

/* Zeros, and what is not 0 put in its place. */
#define READ_SPARSE(c, begin, end, out_type, out, stride)                                \
    do {                                                                                 \
        const mli_sparse *s = &(c)->sparse;                                              \
        int64_t from = (c)->offset + (begin), to = (c)->offset + (end), at;              \
        for (int64_t i = 0; i < to - from; i++) (out)[i * (stride)] = 0;                 \
        int64_t last = mli_sparse_range(s, from, to, &at);                               \
        for (; at < last; at++)                                                          \
            (out)[(s->rows[at] - from) * (stride)] = (out_type)s->values[at];            \
    } while (0)

#define READER(name, out_type)                                                           \
    void name(const mli_column *c, int64_t begin, int64_t end, out_type *out,            \
              int64_t stride)                                                            \
    {                                                                                    \
        int64_t n = end - begin;                                                         \
        if (n <= 0) return;                                                              \
        if (c->sparse.rows) {                                                            \
            READ_SPARSE(c, begin, end, out_type, out, stride);                           \
            return;                                                                      \
        }                                                                                \
        switch (c->type) {                                                               \
        case ML_DTYPE_F64:                                                               \
            CONVERT(double, out_type);                                                   \
            break;                                                                       \
        case ML_DTYPE_F32:                                                               \
            CONVERT(float, out_type);                                                    \
            break;                                                                       \
        case ML_DTYPE_I8:                                                                \
            CONVERT(int8_t, out_type);                                                   \
            break;                                                                       \
        case ML_DTYPE_I16:                                                               \
            CONVERT(int16_t, out_type);                                                  \
            break;                                                                       \
        case ML_TYPE_DATE:                                                               \
        case ML_DTYPE_I32:                                                               \
            CONVERT(int32_t, out_type);                                                  \
            break;                                                                       \
        case ML_TYPE_TIMESTAMP:                                                          \
        case ML_DTYPE_I64:                                                               \
            CONVERT(int64_t, out_type);                                                  \
            break;                                                                       \
        case ML_DTYPE_U8:                                                                \
            CONVERT(uint8_t, out_type);                                                  \
            break;                                                                       \
        case ML_DTYPE_U16:                                                               \
            CONVERT(uint16_t, out_type);                                                 \
            break;                                                                       \
        case ML_DTYPE_U32:                                                               \
            CONVERT(uint32_t, out_type);                                                 \
            break;                                                                       \
        case ML_DTYPE_U64:                                                               \
            CONVERT(uint64_t, out_type);                                                 \
            break;                                                                       \
        case ML_DTYPE_BOOL:                                                              \
            CONVERT_BITS(out_type);                                                      \
            break;                                                                       \
        case ML_TYPE_CATEGORY:                                                           \
            CONVERT_CODES(out_type);                                                     \
            break;                                                                       \
        default:                                                                         \
            for (int64_t i = 0; i < n; i++) out[i * stride] = (out_type)NAN;             \
            return;                                                                      \
        }                                                                                \
        if (c->validity && c->null_count) FILL_MISSING(c, begin, end, out, stride);      \
    }

READER(mli_column_f64, double)
READER(mli_column_f32, float)

const char *mli_column_text(const mli_column *c, int64_t row, size_t *size)
{
    if (!mli_column_valid(c, row)) return NULL;
    if (c->type == ML_TYPE_TEXT) {
        *size = (size_t)(c->offsets[row + 1] - c->offsets[row]);
        return c->data ? (const char *)c->data + c->offsets[row] : "";
    }
    if (c->type != ML_TYPE_CATEGORY) return NULL;
    int32_t code = ((const int32_t *)c->data)[row];
    if (code < 0 || code >= c->n_levels) return NULL;
    *size = (size_t)(c->level_offsets[code + 1] - c->level_offsets[code]);
    return c->levels ? c->levels + c->level_offsets[code] : "";
}

/* The shortest text that reads back as the same float: nine digits always do. */
static void print_f32(mli_str *s, float value)
{
    char text[MLI_NUM_SIZE];
    if (!isfinite(value)) {
        mli_str_f64(s, (double)value);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        double back = 0;
        size_t before = s->size;
        mli_str_short(s, (double)value, digits);
        if (s->failed) return;
        if (mli_parse_f64(s->data + before, s->data + s->size, &back) &&
            (float)back == value) {
            return;
        }
        s->size = before;
        s->data[before] = 0;
    }
    mli_str_add_n(s, text, (size_t)mli_format_f64((double)value, text));
}

static int64_t integer_at(const mli_column *c, int64_t row)
{
    int64_t i = row * c->stride;
    switch (c->type) {
    case ML_DTYPE_I8:
        return ((const int8_t *)c->data)[i];
    case ML_DTYPE_I16:
        return ((const int16_t *)c->data)[i];
    case ML_DTYPE_I32:
    case ML_TYPE_DATE:
        return ((const int32_t *)c->data)[i];
    case ML_DTYPE_U8:
        return ((const uint8_t *)c->data)[i];
    case ML_DTYPE_U16:
        return ((const uint16_t *)c->data)[i];
    case ML_DTYPE_U32:
        return ((const uint32_t *)c->data)[i];
    default:
        return ((const int64_t *)c->data)[i];
    }
}

void mli_column_print(const mli_column *c, int64_t row, mli_str *s)
{
    size_t size = 0;
    if (!mli_column_valid(c, row)) return;
    switch (c->type) {
    case ML_TYPE_TEXT:
    case ML_TYPE_CATEGORY: {
        const char *text = mli_column_text(c, row, &size);
        if (text) mli_str_add_n(s, text, size);
        break;
    }
    case ML_DTYPE_F64: {
        double value;
        mli_column_f64(c, row, row + 1, &value, 1);
        mli_str_f64(s, value);
        break;
    }
    case ML_DTYPE_F32:
        print_f32(s, ((const float *)c->data)[row * c->stride]);
        break;
    case ML_DTYPE_U64:
        mli_str_printf(s, "%" PRIu64, ((const uint64_t *)c->data)[row * c->stride]);
        break;
    case ML_DTYPE_BOOL: {
        int64_t bit = c->offset + row;
        int on = (((const uint8_t *)c->data)[bit >> 3] >> (bit & 7)) & 1;
        mli_str_add(s, on ? "true" : "false");
        break;
    }
    case ML_TYPE_DATE:
        mli_print_date(s, integer_at(c, row));
        break;
    case ML_TYPE_TIMESTAMP:
        mli_print_timestamp(s, integer_at(c, row));
        break;
    default:
        mli_str_i64(s, integer_at(c, row));
    }
}
