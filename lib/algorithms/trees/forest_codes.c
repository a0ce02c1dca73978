/* SPDX-License-Identifier: MIT
 *
 * trees/forest_codes.c: codes of two bytes for all values, or places for random cuts
 * (trees/forest.h). Cost: a radix sort per feature; places: a pass.
 */
#include "algorithms/trees/forest.h"
#include "core/radix.h"
#include "core/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CODES 65535
#define MOST_BINS  255
#define BLOCK      2048

typedef struct coding {
    const mli_design *design;
    mli_forest_codes *codes;
    const mli_run *run;
    atomic_int failed;
} coding;

/* Places instead. */
static void place_numbers(const coding *c, int64_t j, double *x)
{
    mli_forest_codes *to = c->codes;
    mli_design_f64(c->design, j, 0, to->rows, x, 1);
    mli_forest_places(&to->feature[j], x, to->rows, to->place + j * to->rows);
}

/* The distinct values of sorted rows and how often each occurs; returns their number. */
static int64_t distinct(const double *x, const uint64_t *row, int64_t n, double *value,
                        int64_t *count)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = x[(uint32_t)row[i]];
        if (kept == 0 || value[kept - 1] != v) {
            value[kept] = v;
            count[kept++] = 0;
        }
        count[kept - 1]++;
    }
    return kept;
}

/* Cuts between bins of about equal numbers of rows, n in all; returns how many. */
static int32_t cut_values(const double *value, const int64_t *count, int64_t kept,
                          int64_t n, double *cut)
{
    int64_t filled = 0, due = n; /* in parts of a row */
    int32_t cuts = 0;
    for (int64_t k = 0; k + 1 < kept; k++) {
        filled += count[k] * MOST_CODES;
        if (filled < due) continue;
        cut[cuts++] = mli_forest_between(value[k], value[k + 1]);
        while (due <= filled) due += n;
    }
    return cuts;
}

/* Codes of sorted rows, whose distinct values occur `count` times each. */
static void write_codes(const mli_forest_feature *f, const double *value,
                        const int64_t *count, int64_t kept, const uint64_t *row,
                        uint16_t *out)
{
    uint32_t code = 0;
    for (int64_t k = 0; k < kept; k++) {
        if (f->exact)
            code = (uint32_t)k;
        else
            while ((int32_t)code + 1 < f->n_codes && value[k] > f->value[code]) code++;
        for (int64_t i = 0; i < count[k]; i++) out[(uint32_t)*row++] = (uint16_t)code;
    }
}

/* x: room for 4 rows of doubles. */
static int code_numbers(const coding *c, int64_t j, double *x)
{
    mli_forest_feature *f = &c->codes->feature[j];
    ml_context *ctx = c->codes->ctx;
    int64_t rows = c->design->rows, n, kept;
    uint64_t *word = (uint64_t *)(void *)(x + rows), *spare = word + rows;
    uint16_t *out = c->codes->code + j * rows;
    double *value = x + 3 * rows;
    mli_design_f64(c->design, j, 0, rows, x, 1);
    for (int64_t i = 0; i < rows; i++) {
        x[i] += 0.0; /* -0 becomes 0 */
        out[i] = MLI_CODE_MISSING;
    }
    const uint64_t *row = mli_radix_order_f64(x, rows, word, spare, &n);
    int64_t *count = (int64_t *)(void *)(row == word ? spare : word);
    kept = distinct(x, row, n, value, count);
    f->exact = kept <= MOST_CODES;
    f->n_codes = f->exact ? (int32_t)kept : MOST_CODES;
    f->value = mli_alloc_vec(ctx, f->n_codes + 1, sizeof *f->value);
    if (!f->value) return 0;
    if (f->exact)
        memcpy(f->value, value, (size_t)kept * sizeof *f->value);
    else
        f->n_codes = 1 + cut_values(value, count, kept, n, f->value);
    write_codes(f, value, count, kept, row, out);
    return 1;
}

static int more_frequent(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? 1 : -1;
    return x[1] < y[1] ? -1 : 1;
}

/* Bins of levels, from pairs of count and level. */
static void give_bins(mli_forest_feature *f, int64_t *pair)
{
    int32_t bins = 0;
    qsort(pair, (size_t)f->n_levels, 2 * sizeof *pair, more_frequent);
    while (bins < f->n_levels && bins < MOST_BINS && pair[2 * bins] > 0) bins++;
    for (int64_t l = 0; l < f->n_levels; l++)
        f->level_bin[pair[2 * l + 1]] = (uint8_t)(l < bins ? l : bins);
    f->n_codes = bins;
}

static int code_levels(const coding *c, int64_t j, double *x)
{
    mli_forest_feature *f = &c->codes->feature[j];
    ml_context *ctx = c->codes->ctx;
    int64_t rows = c->design->rows;
    f->n_levels = c->design->inputs->features[j].levels.n;
    int64_t *pair = mli_calloc(ctx, (size_t)f->n_levels + 1, 2 * sizeof *pair);
    f->level_bin = mli_alloc(ctx, (size_t)f->n_levels + 1);
    if (pair && f->level_bin) {
        mli_design_f64(c->design, j, 0, rows, x, 1);
        for (int64_t i = 0; i < rows; i++)
            if (x[i] >= 0) pair[2 * (int64_t)x[i]]++;
        for (int64_t l = 0; l < f->n_levels; l++) pair[2 * l + 1] = l;
        give_bins(f, pair);
        for (int64_t i = 0; i < rows; i++) {
            int32_t bin = x[i] >= 0 ? f->level_bin[(int64_t)x[i]] : f->n_codes;
            if (c->codes->place)
                c->codes->place[j * rows + i] = (float)bin;
            else
                c->codes->code[j * rows + i] = (uint16_t)bin;
        }
    }
    mli_free(ctx, pair);
    return pair && f->level_bin;
}

static void code_task(void *arg, int64_t task, int32_t slot)
{
    coding *c = arg;
    ml_context *ctx = c->codes->ctx;
    int numbers = c->codes->feature[task].kind != MLI_CATEGORICAL, ok = 1;
    int ranks = numbers && !c->codes->place;
    (void)slot;
    if (mli_run_state(c->run) == ML_CANCEL || atomic_load(&c->failed)) return;
    int64_t room = c->design->rows > BLOCK ? c->design->rows : BLOCK;
    double *values = mli_alloc_vec(ctx, (ranks ? 4 : 1) * room, sizeof *values);
    if (!values)
        ok = 0;
    else if (ranks)
        ok = code_numbers(c, task, values);
    else if (numbers)
        place_numbers(c, task, values);
    else
        ok = code_levels(c, task, values);
    mli_free(ctx, values);
    if (!ok) atomic_store(&c->failed, 1);
}

static void turn_task(void *arg, int64_t task, int32_t slot)
{
    const coding *job = arg;
    const mli_forest_codes *c = job->codes;
    int64_t end = (task + 1) * BLOCK < c->rows ? (task + 1) * BLOCK : c->rows;
    (void)slot;
    for (int64_t i = task * BLOCK; c->by_row && i < end; i++) {
        uint16_t *to = c->by_row + i * c->row_ld;
        for (int64_t j = 0; j < c->n_features; j++) to[j] = c->code[j * c->rows + i];
        for (int64_t j = c->n_features; j < c->row_ld; j++) to[j] = 0;
    }
    for (int64_t i = task * BLOCK; c->place_by_row && i < end; i++) {
        float *to = c->place_by_row + i * c->row_ld;
        for (int64_t j = 0; j < c->n_features; j++) to[j] = c->place[j * c->rows + i];
        for (int64_t j = c->n_features; j < c->row_ld; j++) to[j] = 0;
    }
}

/* Memory of the codes, or of the places. 0: there is none. */
static int take_memory(mli_forest_codes *c, int random_cuts)
{
    int64_t cells, turned;
    int narrow = c->n_features <= MLI_FOREST_NARROW;
    c->row_ld = (c->n_features + 7) / 8 * 8;
    c->feature = mli_calloc(c->ctx, (size_t)c->n_features + 1, sizeof *c->feature);
    if (!c->feature || __builtin_mul_overflow(c->rows, c->n_features, &cells) ||
        __builtin_mul_overflow(c->rows, c->row_ld, &turned))
        return 0;
    if (random_cuts) {
        c->place = mli_alloc_vec(c->ctx, cells + 1, sizeof *c->place);
        if (!c->place || !narrow) return c->place != NULL;
        c->place_by_row = mli_alloc_vec(c->ctx, turned + 1, sizeof *c->place_by_row);
        return c->place_by_row != NULL;
    }
    c->code = mli_alloc_vec(c->ctx, cells + 1, sizeof *c->code);
    if (!c->code || !narrow) return c->code != NULL;
    c->by_row = mli_alloc_vec(c->ctx, turned + 1, sizeof *c->by_row);
    return c->by_row != NULL;
}

ml_status mli_forest_codes_make(const mli_design *design, int random_cuts, mli_run *run,
                                mli_forest_codes **out, ml_error *err)
{
    ml_context *ctx = design->ctx;
    mli_forest_codes *c = mli_calloc(ctx, 1, sizeof *c);
    coding job = {design, c, run, 0};
    ml_status status = ML_OK;
    if (!c) return mli_nomem(err);
    c->ctx = ctx;
    c->rows = design->rows;
    c->n_features = design->n_features;
    if (!take_memory(c, random_cuts)) {
        status = mli_nomem(err);
    } else {
        for (int64_t j = 0; j < c->n_features; j++)
            c->feature[j].kind = design->inputs->features[j].kind;
        mli_parallel(ctx, c->n_features, code_task, &job);
        status = mli_run_check(run, err);
        if (status == ML_OK && atomic_load(&job.failed)) status = mli_nomem(err);
        if (status == ML_OK)
            mli_parallel(ctx, mli_task_count(c->rows, BLOCK), turn_task, &job);
    }
    if (status == ML_OK)
        *out = c;
    else
        mli_forest_codes_free(c);
    return status;
}

void mli_forest_codes_free(mli_forest_codes *c)
{
    if (!c) return;
    for (int64_t j = 0; c->feature && j < c->n_features; j++) {
        mli_free(c->ctx, c->feature[j].value);
        mli_free(c->ctx, c->feature[j].level_bin);
    }
    mli_free(c->ctx, c->feature);
    mli_free(c->ctx, c->code);
    mli_free(c->ctx, c->by_row);
    mli_free(c->ctx, c->place);
    mli_free(c->ctx, c->place_by_row);
    mli_free(c->ctx, c);
}
