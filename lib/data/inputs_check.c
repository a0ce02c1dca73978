/* SPDX-License-Identifier: MIT
 *
 * data/inputs_check.c: dictionaries that come from a file are not trusted: their offsets
 * and texts are checked before they are used for the first time.
 */
#include "core/text.h"
#include "data/design.h"

#include <string.h>

static int text_order(const char *a, int64_t na, const char *b, int64_t nb)
{
    int order = memcmp(a, b, (size_t)(na < nb ? na : nb));
    return order ? order : (na > nb) - (na < nb);
}

/* The loader has checked that the first offset is 0 and the last the size of the bytes.
 */
static int offsets_rise(const mli_dictionary *d)
{
    if (d->n > 0 && d->offsets[0] != 0) return 0;
    int64_t falls = 0;
    for (int64_t i = 0; i < d->n; i++) falls += d->offsets[i] > d->offsets[i + 1];
    return falls == 0;
}

int mli_dictionary_valid(const mli_dictionary *d, int sorted)
{
    if (!offsets_rise(d)) return 0;
    for (int64_t i = 0; i < d->n; i++) {
        const char *text = d->bytes + d->offsets[i];
        int64_t size = d->offsets[i + 1] - d->offsets[i];
        if (mli_utf8_valid(text, (size_t)size) != (size_t)size) return 0;
        if (!sorted || i == 0) continue;
        int64_t before = d->offsets[i] - d->offsets[i - 1];
        if (text_order(text - before, before, text, size) >= 0) return 0;
    }
    return 1;
}

int mli_dictionary_like_numbers(const mli_dictionary *d)
{
    int64_t plain = 0;
    for (int64_t k = 0; k < d->n; k++) {
        const char *text = d->bytes + d->offsets[k], *end = d->bytes + d->offsets[k + 1];
        double value;
        if (!mli_like_number(text, (size_t)(end - text))) return 0;
        plain += mli_parse_f64(text, end, &value);
    }
    return plain < d->n;
}

ml_status mli_inputs_check(mli_inputs *in, ml_error *err)
{
    if (!atomic_load_explicit(&in->unchecked, memory_order_acquire)) return ML_OK;
    for (int64_t i = 0; i < in->n_features; i++) {
        if (mli_dictionary_valid(&in->features[i].levels, 1)) continue;
        mli_fail(err, ML_E_FORMAT, "the levels of the feature \"%s\" are damaged",
                 in->features[i].name);
        return mli_error_hint(err, ML_E_FORMAT, "copy or download the model file again");
    }
    atomic_store_explicit(&in->unchecked, 0, memory_order_release);
    return ML_OK;
}
