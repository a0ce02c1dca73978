/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reader of sketches: what it takes must be written back and read as the same,
 * and merge with itself.
 */
#include "core/base64.h"
#include "core/context.h"
#include "data/sketch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ml_context *context(void)
{
    static ml_context *ctx;
    if (!ctx && ml_context_new(NULL, &ctx, NULL) != ML_OK) abort();
    return ctx;
}

static void need(int holds)
{
    if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mli_str text, again;
    mli_sketch k, merged;
    mli_str_init(&text, NULL);
    mli_str_init(&again, NULL);
    mli_base64_write(&text, data, size);
    mli_sketch_init(&k, context());
    mli_sketch_init(&merged, context());
    if (mli_sketch_read(&k, text.data, text.size, NULL) == ML_OK) {
        double q[3];
        const double shares[3] = {0, 0.5, 1};
        mli_sketch_write(&k, &again);
        need(again.size == text.size);
        merged.kind = k.kind;
        need(mli_sketch_merge(&merged, &k) && mli_sketch_merge(&merged, &k));
        need(merged.rows == 2 * k.rows &&
             merged.quantiles.count == 2 * k.quantiles.count);
        need(mli_quantiles_at(&merged.quantiles, shares, 3, q));
        need(mli_sketch_distinct(&merged) >= 0);
        (void)mli_sketch_top(&merged);
    }
    mli_sketch_free(&k);
    mli_sketch_free(&merged);
    mli_str_free(&text);
    mli_str_free(&again);
    return 0;
}
