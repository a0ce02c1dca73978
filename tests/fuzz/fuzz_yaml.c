/* SPDX-License-Identifier: MIT
 *
 * Fuzzes reading sets of values from YAML: what is read must come back the same after
 * writing it as YAML.
 */
#include "core/params.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *to_yaml(const ml_params *p)
{
    size_t needed = 0;
    if (ml_params_write_yaml(p, NULL, 0, &needed, NULL) != ML_OK) abort();
    char *text = malloc(needed);
    if (!text || ml_params_write_yaml(p, text, needed, &needed, NULL) != ML_OK) abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ml_context *ctx; /* one for all: making one is slow beside the parsing */
    ml_params *p = NULL, *back = NULL;
    ml_error *err = ml_error_new();
    if (!ctx && ml_context_new(NULL, &ctx, NULL) != ML_OK) abort();
    if (ml_params_new(ctx, &p, NULL) != ML_OK) abort();
    if (ml_params_new(ctx, &back, NULL) != ML_OK) abort();
    if (ml_params_read_yaml(p, (const char *)data, size, err) == ML_OK) {
        char *once = to_yaml(p);
        if (ml_params_read_yaml(back, once, strlen(once), err) != ML_OK) abort();
        char *twice = to_yaml(back);
        if (strcmp(once, twice) != 0) abort();
        if (ml_params_count(p) != ml_params_count(back)) abort();
        free(once);
        free(twice);
    } else if (!*ml_error_message(err) || ml_params_count(p) != 0) {
        abort(); /* a failure says why and changes nothing */
    }
    ml_params_free(p);
    ml_params_free(back);
    ml_error_free(err);
    return 0;
}
