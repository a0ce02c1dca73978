/* SPDX-License-Identifier: MIT
 *
 * data/design_numbers.c: numbers out of columns that hold them as text, or in another
 * unit: dates (days) and timestamps (microseconds).
 */
#include "data/design_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t day_of(int64_t micros)
{
    int64_t day = micros / MLI_DAY_MICROS;
    return day - (micros % MLI_DAY_MICROS < 0);
}

/* As days or microseconds; texts of another order than that of ISO 8601 in the one that
 * was found in training, if it was. */
static int read_time(const char *text, size_t size, int32_t as, int order, double *out)
{
    int32_t days = 0;
    int64_t micros = 0;
    int date = as == ML_TYPE_DATE;
    if (mli_parse_date(text, size, &days)) {
        *out = days * (date ? 1 : (double)MLI_DAY_MICROS);
        return 1;
    }
    if (!mli_parse_timestamp(text, size, &micros) &&
        !(order && mli_parse_ordered(text, size, order == 2, &micros)))
        return 0;
    *out = (double)(date ? day_of(micros) : micros);
    return 1;
}

static int read_bool(const char *text, size_t size, double *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "f", "t", "n", "y"};
    char word[8];
    if (size >= sizeof word) return 0;
    memcpy(word, text, size);
    word[size] = 0;
    for (int i = 0; i < 8; i++) {
        if (!mli_same_word(word, words[i])) continue;
        *out = i & 1;
        return 1;
    }
    return 0;
}

/* Blank text is a missing value. */
static int read_number(const char *text, size_t size, int32_t as, int order, double *out)
{
    while (size && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size && (text[size - 1] == ' ' || text[size - 1] == '\t')) size--;
    *out = NAN;
    if (size == 0) return 1;
    if (mli_type_is_time(as)) return read_time(text, size, as, order, out);
    if (as == ML_DTYPE_BOOL && read_bool(text, size, out)) return 1;
    return mli_parse_f64(text, text + size, out);
}

static void read_texts(const mli_column *c, int32_t as, int order, double *out,
                       int64_t *bad)
{
    for (int64_t i = 0; i < c->rows; i++) {
        size_t size = 0;
        const char *text = mli_column_text(c, i, &size);
        out[i] = NAN;
        if (text && !read_number(text, size, as, order, &out[i])) {
            *bad = i;
            return;
        }
    }
}

/* A date for a timestamp or the other way round. */
static void convert_units(const mli_column *c, int32_t as, double *out)
{
    mli_column_f64(c, 0, c->rows, out, 1);
    for (int64_t i = 0; i < c->rows; i++) {
        if (isnan(out[i])) continue;
        out[i] = as == ML_TYPE_DATE ? (double)day_of(((const int64_t *)c->data)[i])
                                    : out[i] * (double)MLI_DAY_MICROS;
    }
}

ml_status mli_read_numbers(ml_context *ctx, const mli_column *c, int32_t as, int order,
                           mli_buffer **memory, const double **values, int64_t *bad)
{
    double *data = NULL;
    mli_buffer *buffer = mli_buffer_new(ctx, (size_t)c->rows * sizeof *data, &data);
    if (!buffer) return ML_E_MEMORY;
    *bad = -1;
    if (mli_type_is_time(c->type)) {
        convert_units(c, as, data);
    } else {
        read_texts(c, as, order, data, bad);
    }
    *memory = buffer;
    *values = data;
    return ML_OK;
}

const char *mli_show_value(const mli_column *c, int64_t row, char buffer[MLI_SHOWN])
{
    size_t size = 0, most = MLI_SHOWN - 6;
    const char *text = mli_column_text(c, row, &size);
    mli_str s;
    mli_str_init(&s, NULL);
    if (!text) {
        mli_column_print(c, row, &s);
        text = s.data;
        size = s.size;
    }
    size_t shown = size <= most ? size : most;
    while (shown < size && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) {
        shown--;
    }
    snprintf(buffer, MLI_SHOWN, "\"%.*s%s\"", (int)shown, text,
             shown < size ? "..." : "");
    mli_str_free(&s);
    return buffer;
}
