/* SPDX-License-Identifier: MIT
 *
 * automl_warn.c: columns that a search by itself would take at their word: row numbers
 * and columns that tell the target by themselves are named in a warning. They take part
 * all the same; the caller knows what they are. So are whole numbers that may be classes.
 * Cost: a profile of the table, only where it is small beside the time, and there is
 * memory for it.
 */
#include "data/profile.h"
#include "tuning/automl.h"

#include <math.h>
#include <string.h>

#define FEW_VALUES  10 /* of a target: may be classes */
#define MANY_LEVELS 20
#define MOST_CELLS  2e6 /* values of the table, without a limit: any */
#define CELLS       1e5 /* and per second of it */

/* The time is known whenever predictions are made. */
static int may_be_unknown(const mli_inputs *in, const char *name)
{
    if (in->time && strcmp(in->time, name) == 0) return 0;
    for (int64_t j = 0; j < in->n_features; j++)
        if (strcmp(in->features[j].name, name) == 0) return 1;
    return 0;
}

static void warn_about(const mli_automl *a, const uint32_t *flags)
{
    const ml_table *t = a->given->table;
    for (int64_t j = 0; j < ml_table_columns(t); j++) {
        const char *name = ml_table_column_name(t, j);
        if (!(flags[j] & MLI_PROFILE_LEAKS) || !may_be_unknown(a->given->inputs, name))
            continue;
        mli_log(
            a->ctx, ML_LOG_WARNING, "automl",
            "the column \"%s\" tells the target almost by itself%s: if it is not known "
            "when predictions are made, name it in ignore",
            name,
            flags[j] & MLI_PROFILE_IDENTIFIES ? ", and looks like a row number" : "");
    }
}

/* Numbers that the reader took for texts. */
static void warn_of_numbers(const mli_automl *a)
{
    const mli_inputs *in = a->given->inputs;
    for (int64_t j = 0; j < in->n_features; j++) {
        const mli_dictionary *d = &in->features[j].levels;
        if (d->n <= MANY_LEVELS || !mli_dictionary_like_numbers(d)) continue;
        mli_log(
            a->ctx, ML_LOG_WARNING, "automl",
            "the column \"%s\" has numbers with separators or signs, such as \"%.*s\", "
            "as categories: set thousands and decimal where the file is read, or "
            "remove the signs",
            in->features[j].name, (int)d->offsets[1], d->bytes);
    }
}

/* Whole numbers that may be names of classes. */
static void warn_of_classes(const mli_automl *a)
{
    const mli_design *d = a->given;
    double value[FEW_VALUES];
    int n = 0;
    if (!d->y || d->label || strcmp(mli_get_str(a->job->params, "task"), "auto") != 0 ||
        mli_get_str(a->job->params, "metric")[0])
        return;
    for (int64_t i = 0; i < d->rows; i++) {
        int k = 0;
        while (k < n && value[k] != d->y[i]) k++;
        if (k < n) continue;
        if (n == FEW_VALUES || d->y[i] != floor(d->y[i])) return;
        value[n++] = d->y[i];
    }
    if (n > 2 && d->rows >= 10 * (int64_t)n)
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "the target has %d whole numbers; for classes set "
                "task=classification",
                n);
}

void mli_automl_warn(const mli_automl *a)
{
    const mli_design *d = a->given;
    const char *target = d->inputs->target;
    warn_of_numbers(a);
    warn_of_classes(a);
    if (d->ignored)
        mli_log(a->ctx, ML_LOG_WARNING, "automl",
                "not used, since they have no value or one of their own in nearly every "
                "row: %s; list columns in features to use them",
                d->ignored);
    if (!d->table || !target || ml_table_find(d->table, target) < 0) return;
    int64_t columns = ml_table_columns(d->table);
    double cells = (double)d->rows * (double)columns;
    if (a->limit > 0 && cells > MOST_CELLS && cells > CELLS * a->limit) return;
    int limited = a->memory && mli_memory_limit(a->ctx, a->memory);
    uint32_t *flags = mli_alloc_vec(a->ctx, columns, sizeof *flags);
    ml_table *plain = NULL;
    if (flags && !mli_table_plain(d->table, &plain, a->failure) &&
        !mli_profile_flags(plain, target, flags, a->failure))
        warn_about(a, flags);
    if (limited) mli_memory_lift(a->ctx);
    ml_table_free(plain);
    mli_free(a->ctx, flags);
}
