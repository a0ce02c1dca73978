/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the JSON reader: tokens, unescaping, numbers, skipping; and sets of values made
 * of JSON, which must come back the same after writing.
 */
#include "core/json.h"
#include "core/memory.h"
#include "core/params.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int holds)
{
    if (!holds) abort();
}

/* Every token lies inside the text; texts are valid UTF-8 and survive rewriting. */
static void read_tokens(const char *text, size_t size)
{
    mli_json j;
    mli_json_token t;
    mli_str s, again;
    mli_str_init(&s, NULL);
    mli_str_init(&again, NULL);
    mli_json_open(&j, text, size);
    while ((t = mli_json_next(&j)) > 0) {
        need(j.text >= text && j.text + j.size <= text + size);
        double number;
        if (t == MLI_JSON_NUMBER) need(mli_json_f64(&j, &number));
        if (t != MLI_JSON_STRING && t != MLI_JSON_KEY) continue;
        mli_str_clear(&s);
        need(mli_json_unescape(&j, &s));
        need(mli_utf8_valid(s.data, s.size) == s.size);
        if (!memchr(s.data, 0, s.size)) need(mli_json_is(&j, s.data));
        mli_str_clear(&again);
        mli_json_str_n(&again, s.data, s.size);
        mli_json k;
        mli_json_open(&k, again.data, again.size);
        need(mli_json_next(&k) == MLI_JSON_STRING);
        mli_str_clear(&again);
    }
    int64_t line, column;
    mli_json_place(&j, &line, &column);
    need(line >= 1 && column >= 1 && (t == MLI_JSON_END || j.problem));
    mli_str_free(&s);
    mli_str_free(&again);
    mli_json_open(&j, text, size);
    while ((t = mli_json_next(&j)) > 0 && mli_json_skip(&j, t)) continue;
}

static ml_params *read_set(ml_context *ctx, const char *text, size_t size)
{
    ml_params *p = NULL;
    if (ml_params_new(ctx, &p, NULL) != ML_OK) abort();
    if (mli_params_from_json(p, text, size, NULL) == ML_OK) return p;
    ml_params_free(p);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    static ml_context *ctx; /* one for all: making one is slow beside the parsing */
    if (!ctx && ml_context_new(NULL, &ctx, NULL) != ML_OK) abort();
    read_tokens(text, size);
    ml_params *p = read_set(ctx, text, size);
    if (p) {
        mli_str once, twice;
        mli_str_init(&once, NULL);
        mli_str_init(&twice, NULL);
        mli_params_json(&once, p);
        ml_params *back = read_set(ctx, once.data, once.size);
        need(back != NULL);
        mli_params_json(&twice, back);
        need(strcmp(once.data, twice.data) == 0);
        mli_str_free(&once);
        mli_str_free(&twice);
        ml_params_free(back);
    }
    ml_params_free(p);
    return 0;
}
