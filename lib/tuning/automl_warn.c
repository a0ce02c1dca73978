/* SPDX-License-Identifier: MIT
 *
 * automl_warn.c: columns that a search by itself would take at their word: row numbers
 * and columns that tell the target by themselves are named in a warning. They take part
 * all the same; the caller knows what they are. Cost: a profile of the table, only where
 * it is small beside the time.
 */
#include "tuning/automl.h"

#include <string.h>

#define MOST_CELLS 2e6 /* values of the table, without a limit: any */
#define CELLS      1e5 /* and per second of it */

static int is_feature(const mli_inputs *in, const char *name)
{
    for (int64_t j = 0; j < in->n_features; j++)
        if (strcmp(in->features[j].name, name) == 0) return 1;
    return 0;
}

static void warn_about(const mli_automl *a, const ml_table *found)
{
    int64_t names = ml_table_find(found, "column"),
            texts = ml_table_find(found, "warnings");
    char name[128], text[256];
    if (names < 0 || texts < 0) return;
    for (int64_t i = 0; i < ml_table_rows(found); i++) {
        int64_t n = ml_table_get_str(found, i, names, name, sizeof name);
        ml_table_get_str(found, i, texts, text, sizeof text);
        const char *leak = strstr(text, "may leak");
        if (n < 0 || (size_t)n >= sizeof name || !leak) continue;
        if (!is_feature(a->given->inputs, name)) continue;
        mli_log(
            a->ctx, ML_LOG_WARNING, "automl",
            "the column \"%s\" tells the target almost by itself%s: if it is not known "
            "when predictions are made, name it in ignore",
            name, strstr(text, "identifier") ? ", and looks like a row number" : "");
    }
}

void mli_automl_warn(const mli_automl *a)
{
    const mli_design *d = a->given;
    const char *target = d->inputs->target;
    ml_params *options = NULL;
    ml_table *found = NULL;
    if (!d->table || !target || ml_table_find(d->table, target) < 0) return;
    double cells = (double)d->rows * (double)ml_table_columns(d->table);
    if (a->limit > 0 && cells > MOST_CELLS && cells > CELLS * a->limit) return;
    ml_status status = ml_params_new(a->ctx, &options, a->failure);
    if (!status) status = ml_params_set_str(options, "target", target, a->failure);
    if (!status) status = ml_table_profile(d->table, options, &found, a->failure);
    if (!status) warn_about(a, found);
    ml_table_free(found);
    ml_params_free(options);
}
