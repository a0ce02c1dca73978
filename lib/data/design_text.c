/* SPDX-License-Identifier: MIT
 *
 * data/design_text.c: text features: their values, and how a column is told to be one.
 */
#include "core/unicode.h"
#include "data/design_parts.h"

#include <math.h>
#include <string.h>

/* ---- cells ---- */

#define TAG      0xFFFC000000000000u /* a quiet not-a-number with the sign set */
#define TAG_BITS 0xFFFF000000000000u

double mli_text_cell(const mli_text *text)
{
    uint64_t bits = (uint64_t)(uintptr_t)text;
    double cell = NAN;
    if (!text || (bits & TAG_BITS)) return cell;
    bits |= TAG;
    memcpy(&cell, &bits, sizeof cell);
    return cell;
}

const mli_text *mli_text_of(double cell)
{
    uint64_t bits;
    memcpy(&bits, &cell, sizeof bits);
    if ((bits & TAG_BITS) != TAG) return NULL;
    return (const mli_text *)(uintptr_t)(bits & ~TAG_BITS);
}

int64_t mli_inputs_text(const mli_inputs *in)
{
    for (int64_t j = 0; j < in->n_features; j++)
        if (in->features[j].kind == MLI_TEXT) return j;
    return -1;
}

/* ---- columns ---- */

ml_status mli_design_bind_text(mli_design *d, int64_t feature, ml_error *err)
{
    mli_design_column *c = &d->columns[feature];
    mli_text *texts = NULL;
    c->kind = MLI_TEXT;
    c->memory = mli_buffer_new(d->ctx, ((size_t)d->rows + 1) * sizeof *texts, &texts);
    if (!c->memory) return mli_nomem(err);
    for (int64_t i = 0; i < d->rows; i++) {
        size_t size = 0;
        texts[i].data = mli_column_text(c->column, i, &size);
        texts[i].size = (int64_t)size;
    }
    c->texts = texts;
    return ML_OK;
}

#define LOOKED_AT 1000 /* values */
#define FAR       64   /* words of one value that are counted */

int64_t mli_count_words(const char *text, size_t size)
{
    size_t at = 0, begin, end;
    int64_t n = 0;
    while (n < FAR && mli_word_next(text, size, &at, &begin, &end)) n++;
    return n;
}

int mli_reads_as_text(const mli_dictionary *d, int64_t present)
{
    int64_t n = d->n < LOOKED_AT ? d->n : LOOKED_AT, words = 0;
    if (n == 0) return 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = d->n * i / n; /* spread over all of them */
        const int64_t *at = d->offsets + k;
        words += mli_count_words(d->bytes + at[0], (size_t)(at[1] - at[0]));
    }
    return words >= n * (d->n * 2 > present ? 2 : 4);
}
