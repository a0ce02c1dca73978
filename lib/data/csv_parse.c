/* SPDX-License-Identifier: MIT
 *
 * csv_parse.c: one column of one chunk, from text to values.
 *
 * The column is parsed as the narrowest kind that fitted so far. The first value that
 * does not fit decides the next kind: either the values so far are converted and parsing
 * goes on, or (text after other things) the chunk's column is parsed again from its
 * begin.
 */
#include "core/cpu.h"
#include "data/csv.h"

#include <math.h>
#include <string.h>

typedef struct parser {
    const mli_csv_view *v;
    mli_csv_part *out;
    mli_str *scratch;
    int forced;
    int32_t last_code; /* of the latest text: values often come in runs */
} parser;

static inline const char *field_begin(const mli_csv_view *v, int64_t row)
{
    return v->text + (uint32_t)(v->begin[row * v->stride] + 1);
}
static inline const char *field_end(const mli_csv_view *v, int64_t row)
{
    return v->text + v->end[row * v->stride];
}

/* The field of a row; 1 when it is missing in a column of values. *soft: because of words
 * in quotes, which a column of text keeps. */
static int missing_value(parser *p, int64_t row, mli_csv_field *f, int *soft)
{
    const mli_csv_view *v = p->v;
    *f = mli_csv_decode(v->dialect, field_begin(v, row), field_end(v, row), p->scratch);
    int null = f->size == 0 || mli_csv_is_null(v->nulls, f->text, f->size);
    *soft = null && (f->quoted || (f->size == 0 && !v->nulls->empty));
    return null;
}

static void put(mli_csv_part *out, int64_t row, mli_csv_number n)
{
    switch (out->kind) {
    case MLI_CSV_BOOL:
        ((uint8_t *)out->data)[row] = n.b;
        break;
    case MLI_CSV_DATE:
        ((int32_t *)out->data)[row] = n.d;
        break;
    case MLI_CSV_INT:
    case MLI_CSV_TIME:
        ((int64_t *)out->data)[row] = n.i;
        break;
    default:
        ((double *)out->data)[row] = n.f;
    }
}

static void put_null(mli_csv_part *out, int64_t row, int soft)
{
    out->soft += soft;
    if (out->kind == MLI_CSV_NULL) {
        out->nulls++;
        return;
    }
    mli_csv_number none = {0};
    if (out->kind >= MLI_CSV_BIG && out->kind <= MLI_CSV_COMMA) none.f = NAN;
    put(out, row, none);
    mli_csv_part_null(out, row);
}

/* Rows of numbers that need no closer look. */
static int64_t skip_easy(const parser *p, int64_t row)
{
#ifdef MLI_X86
    const mli_csv_view *v = p->v;
    if (!v->wide || v->nulls->numeric) return row;
    if (p->out->kind == MLI_CSV_INT)
        return mli_csv_ints_avx2(v, row, (int64_t *)p->out->data);
    if (p->out->kind == MLI_CSV_REAL && v->dialect->decimal != ',')
        return mli_csv_reals_avx2(v, row, '.', (double *)p->out->data);
    if (p->out->kind == MLI_CSV_COMMA && !v->dialect->thousands)
        return mli_csv_reals_avx2(v, row, ',', (double *)p->out->data);
#else
    (void)p;
#endif
    return row;
}

/* Parses values from `row` on as the part's kind, until one that does not fit: its row,
 * or the number of rows. */
static int64_t parse_values(parser *p, int64_t row, mli_csv_field *f)
{
    const mli_csv_view *v = p->v;
    mli_csv_part *out = p->out;
    int64_t rows = v->rows;
    while (row < rows) {
        row = skip_easy(p, row);
        if (row == rows) break;
        int soft;
        mli_csv_number n;
        if (missing_value(p, row, f, &soft)) {
            put_null(out, row, soft);
        } else if (out->kind != MLI_CSV_NULL &&
                   mli_csv_convert(v->dialect, out->kind, p->forced, f->text, f->size,
                                   &n)) {
            put(out, row, n);
        } else {
            break;
        }
        row++;
    }
    return row;
}

/* Is the field of a row, in a column of text, missing? */
static inline int missing_text(const mli_csv_nulls *nulls, mli_csv_field f)
{
    return !f.quoted && mli_csv_is_null(nulls, f.text, f.size);
}

static int parse_plain(parser *p)
{
    const mli_csv_view *v = p->v;
    mli_csv_part *out = p->out;
    int64_t *offsets = out->data;
    for (int64_t row = 0; row < v->rows; row++) {
        mli_csv_field f = mli_csv_decode(v->dialect, field_begin(v, row),
                                         field_end(v, row), p->scratch);
        if (missing_text(v->nulls, f)) {
            mli_csv_part_null(out, row);
        } else {
            if (!mli_csv_part_bytes(out, f.size)) return 0;
            if (f.size) memcpy(out->bytes + out->size, f.text, f.size);
            out->size += f.size;
        }
        offsets[row + 1] = (int64_t)out->size;
    }
    return 1;
}

static int32_t text_code(parser *p, mli_csv_field f)
{
    const mli_map *m = &p->out->map;
    if (p->last_code >= 0) {
        const int64_t *o = m->offsets + p->last_code;
        if ((size_t)(o[1] - o[0]) == f.size &&
            memcmp(m->bytes + o[0], f.text, f.size) == 0)
            return p->last_code;
    }
    return p->last_code = mli_map_add(&p->out->map, f.text, f.size);
}

static int parse_coded(parser *p)
{
    const mli_csv_view *v = p->v;
    mli_csv_part *out = p->out;
    int32_t *codes = out->data;
    for (int64_t row = 0; row < v->rows; row++) {
        mli_csv_field f = mli_csv_decode(v->dialect, field_begin(v, row),
                                         field_end(v, row), p->scratch);
        codes[row] = -1;
        if (missing_text(v->nulls, f)) {
            mli_csv_part_null(out, row);
        } else if ((codes[row] = text_code(p, f)) < 0) {
            return 0;
        }
    }
    return 1;
}

static ml_status parse_text(parser *p, int plain)
{
    mli_csv_part_reset(p->out, MLI_CSV_TEXT, plain);
    if (!mli_csv_part_reserve(p->out, p->v->rows)) return ML_E_MEMORY;
    p->last_code = -1;
    int ok = plain ? parse_plain(p) : parse_coded(p);
    p->out->rows = p->v->rows;
    return ok && !p->scratch->failed ? ML_OK : ML_E_MEMORY;
}

/* The kind that holds what the part has and this value. */
static int32_t next_kind(const parser *p, mli_csv_field f)
{
    mli_csv_number n;
    int32_t kind = mli_csv_classify(p->v->dialect, f.text, f.size, &n);
    return mli_csv_kind_join(p->out->kind, kind);
}

ml_status mli_csv_parse(const mli_csv_view *v, int32_t kind, int forced, int plain,
                        mli_csv_part *out, mli_str *scratch, int64_t *bad)
{
    parser p = {v, out, scratch, forced, -1};
    if (kind == MLI_CSV_TEXT) return parse_text(&p, plain);
    mli_csv_part_reset(out, kind, 0);
    if (kind != MLI_CSV_NULL && !mli_csv_part_reserve(out, v->rows)) return ML_E_MEMORY;
    for (int64_t row = 0;;) {
        mli_csv_field f = {"", 0, 0};
        row = parse_values(&p, row, &f);
        out->rows = row;
        if (scratch->failed) return ML_E_MEMORY;
        if (row == v->rows) return ML_OK;
        if (forced) {
            *bad = row;
            return ML_E_PARSE;
        }
        int32_t wider = next_kind(&p, f);
        if (wider == MLI_CSV_TEXT) return parse_text(&p, plain);
        if (!mli_csv_part_widen(out, wider) || !mli_csv_part_reserve(out, v->rows))
            return ML_E_MEMORY;
    }
}
